/* Large pieces of memory between one use and the next: what a large transaction gives back serves the next one. From the
 * allocator they would come fresh from the system each time, which clears them page by page: half of the time of a commit
 * of 100,000 rows (tests/bench/bench_python). Any number of threads, without a lock. */
#ifndef SOPI_SPARE_H
#define SOPI_SPARE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	SOPI_SPARE_PIECES = 64,
	SOPI_SPARE_BYTES_MAX = 48 << 20, /* a commit of 100,000 rows of 116 bytes needs 36 MB */
	SOPI_SPARE_PIECE_MIN = 64 << 10, /* bytes: smaller ones the allocator keeps anyway */
};

struct sopi_spare {
	_Atomic(void *) pieces[SOPI_SPARE_PIECES]; /* each begins with its size, or is NULL */
	_Atomic size_t bytes; /* of all pieces */
	_Atomic size_t bytes_max; /* 0: nothing is kept */
	_Atomic uint32_t calm; /* turns since one was taken */
};

/* A kept piece of at least `size` bytes and less than twice as many, *capacity; NULL: there is none. It is freed by
 * sopi_free, or given back. */
void *sopi_spare_take(struct sopi_spare *spare, size_t size, size_t *capacity);

/* Keeps a piece of `capacity` bytes that came from sopi_alloc, or frees it if that is too much. */
void sopi_spare_give(struct sopi_spare *spare, void *memory, size_t capacity);

/* One turn of somebody's clock: after some in which none was taken, all pieces are freed. */
void sopi_spare_tick(struct sopi_spare *spare);

/* Frees all pieces. */
void sopi_spare_free(struct sopi_spare *spare);

#endif
