/* Memory that is taken piece by piece and given back all at once. One thread at a time. */
#ifndef SOPI_ARENA_H
#define SOPI_ARENA_H

#include "base/spare.h"

struct sopi_arena_chunk;

struct sopi_arena {
	struct sopi_arena_chunk *newest; /* where pieces come from */
	char *at; /* free room in it */
	char *end;
	size_t total_bytes; /* of all chunks */
	struct sopi_spare *spare; /* where large chunks come from and go to, or NULL */
};

/* `size` bytes, 8-aligned, valid until the reset; NULL: out of memory. */
void *sopi_arena_take_slow(struct sopi_arena *arena, size_t size);

static inline void *sopi_arena_take(struct sopi_arena *arena, size_t size)
{
	const size_t rounded = (size + 7) & ~(size_t)7;

	if (SOPI_LIKELY(rounded >= size && (size_t)(arena->end - arena->at) >= rounded)) {
		void *piece = arena->at;

		arena->at += rounded;
		return piece;
	}
	return sopi_arena_take_slow(arena, size);
}

/* Gives everything back but one small chunk for the next use. */
void sopi_arena_reset(struct sopi_arena *arena);

/* Gives everything back. */
void sopi_arena_free(struct sopi_arena *arena);

#endif
