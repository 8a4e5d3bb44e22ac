/* Packed rows (sop/store.h): reading and writing batches. */
#ifndef SOPI_ROWS_H
#define SOPI_ROWS_H

#include "base/buffer.h"
#include "base/bytes.h"

#include <sop/store.h>

#include <stdbool.h>

/* A batch that is read row by row. */
struct sopi_rows {
	sop_bytes bytes;
	size_t at; /* of the next row */
	uint32_t left; /* rows that follow */
	uint32_t flags;
};

struct sopi_row {
	sop_bytes key;
	sop_bytes value; /* data NULL and size 0 where it is absent */
	bool absent;
	uint64_t item;
};

/* Begins; MISUSE where the head is malformed. */
sop_status sopi_rows_open(sop_bytes bytes, const char *function, struct sopi_rows *rows, sop_error *err);

/* The next row. REQUIRES: left > 0. MISUSE, naming the place, where it is malformed. */
sop_status sopi_rows_next(struct sopi_rows *rows, const char *function, struct sopi_row *row,
			  sop_error *err);

static inline size_t sopi_row_head_bytes(uint32_t flags)
{
	return 8 + ((flags & SOP_ROWS_ITEM) != 0 ? 8u : 0u) + ((flags & SOP_ROWS_VERSION) != 0 ? 8u : 0u);
}

/* Bytes that a row takes, aligned. */
static inline size_t sopi_row_bytes(uint32_t flags, size_t key_size, size_t value_size)
{
	return (sopi_row_head_bytes(flags) + key_size + value_size + 7) & ~(size_t)7;
}

/* Writes a row of `bytes` without an item id, its key and value in two parts: `rest` is what
 * follows the key's prefix, `value_size` bytes of value at its end. */
static inline void sopi_row_write_parts(uint8_t *to, size_t bytes, uint32_t flags, sop_bytes prefix,
					sop_bytes rest, size_t value_size, uint64_t version)
{
	uint8_t *at = to + 8;

	memset(to + bytes - 8, 0, 8); /* the padding; what is not is overwritten */
	sopi_store_u32le(to, (uint32_t)(prefix.size + rest.size - value_size));
	sopi_store_u32le(to + 4, (uint32_t)value_size);
	if ((flags & SOP_ROWS_ITEM) != 0) {
		sopi_store_u64le(at, 0);
		at += 8;
	}
	if ((flags & SOP_ROWS_VERSION) != 0) {
		sopi_store_u64le(at, version);
		at += 8;
	}
	sopi_copy_short(at, prefix.data, prefix.size);
	memcpy(at + prefix.size, rest.data, rest.size);
}

/* Writes a row at `to`, which has room for it; value data NULL with `absent`: no value. */
void sopi_row_write(uint8_t *to, uint32_t flags, sop_bytes key, sop_bytes value, bool absent,
		    uint64_t item, uint64_t version);

/* Writes the head of a batch: 8 bytes. */
void sopi_rows_head(uint8_t *to, uint32_t count, uint32_t flags);

enum { SOPI_ROWS_HEAD_BYTES = 8 };

#endif
