/* Packed rows (sop/store.h): reading and writing batches. */
#ifndef SOPI_ROWS_H
#define SOPI_ROWS_H

#include "base/buffer.h"

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

/* Bytes that a row takes, aligned. */
size_t sopi_row_bytes(uint32_t flags, size_t key_size, size_t value_size);

/* Writes a row at `to`, which has room for it; value data NULL with `absent`: no value. */
void sopi_row_write(uint8_t *to, uint32_t flags, sop_bytes key, sop_bytes value, bool absent,
		    uint64_t item, uint64_t version);

/* Writes the head of a batch: 8 bytes. */
void sopi_rows_head(uint8_t *to, uint32_t count, uint32_t flags);

enum { SOPI_ROWS_HEAD_BYTES = 8 };

#endif
