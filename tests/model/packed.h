/* Packed rows, written and read from their description in sop/store.h alone. */
#ifndef MODEL_PACKED_H
#define MODEL_PACKED_H

#include "support/support.h"

struct packer {
	uint8_t *room;
	size_t capacity;
	size_t size;
	uint32_t count;
	uint32_t flags;
};

void packer_begin(struct packer *packer, uint8_t *room, size_t capacity, uint32_t flags);

/* Adds a row; `item` counts if the flags have SOP_ROWS_ITEM. Fails the running test if there is no room. */
void packer_add(struct packer *packer, sop_bytes key, sop_bytes value, uint64_t item);
sop_bytes packer_end(struct packer *packer);

struct packed {
	sop_bytes bytes;
	size_t at;
	uint32_t left;
	uint32_t flags;
	bool broken; /* a row or the end is not where it should be */
};

struct packed_row {
	sop_bytes key;
	sop_bytes value; /* empty if it is absent */
	uint32_t value_size; /* SOP_ROWS_ABSENT or that of `value` */
	uint64_t item;
	uint64_t version;
};

/* Returns the number of rows. */
uint32_t packed_begin(struct packed *packed, sop_bytes bytes);

/* False at the end, or if the batch is malformed. */
bool packed_next(struct packed *packed, struct packed_row *row);

#endif
