/* A list of chunks, each larger than the one before. */
#include "base/arena.h"

#include "base/alloc.h"

enum {
	FIRST_CHUNK_BYTES = 4 << 10,
	LARGEST_CHUNK_BYTES = SOPI_HUGE_PAGE_BYTES,
	KEPT_CHUNK_BYTES = 64 << 10
};

struct sopi_arena_chunk {
	struct sopi_arena_chunk *older;
	size_t size;
};

/* A chunk of at least `*bytes`, which become those that it has; NULL: out of memory. */
static struct sopi_arena_chunk *chunk_new(struct sopi_arena *arena, size_t *bytes)
{
	void *memory = NULL;
	sop_status status = SOP_OK;

	if (arena->spare != NULL && *bytes >= SOPI_SPARE_PIECE_MIN)
		memory = sopi_spare_take(arena->spare, *bytes, bytes);
	if (memory == NULL)
		status = *bytes >= SOPI_HUGE_PAGE_BYTES ? sopi_alloc_huge(*bytes, &memory, NULL)
							: sopi_alloc(*bytes, &memory, NULL);
	return status == SOP_OK ? memory : NULL;
}

static void chunk_free(struct sopi_arena *arena, struct sopi_arena_chunk *chunk)
{
	if (arena->spare != NULL)
		sopi_spare_give(arena->spare, chunk, chunk->size);
	else
		sopi_free(chunk);
}

void *sopi_arena_take_slow(struct sopi_arena *arena, size_t size)
{
	size_t bytes = arena->newest == NULL ? FIRST_CHUNK_BYTES : arena->newest->size * 2;
	struct sopi_arena_chunk *chunk;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + 7) & ~(size_t)7;
	if (bytes > LARGEST_CHUNK_BYTES)
		bytes = LARGEST_CHUNK_BYTES;
	if (bytes < size + sizeof *chunk)
		bytes = size + sizeof *chunk;
	chunk = chunk_new(arena, &bytes);
	if (chunk == NULL)
		return NULL;
	chunk->older = arena->newest;
	chunk->size = bytes;
	arena->newest = chunk;
	arena->at = (char *)(chunk + 1);
	arena->end = (char *)chunk + bytes;
	arena->total_bytes += bytes;
	return sopi_arena_take(arena, size);
}

void sopi_arena_reset(struct sopi_arena *arena)
{
	struct sopi_arena_chunk *kept = NULL;

	while (arena->newest != NULL) { /* from the largest to the smallest, but for single pieces that are larger */
		struct sopi_arena_chunk *chunk = arena->newest;

		arena->newest = chunk->older;
		if (kept == NULL && chunk->size <= KEPT_CHUNK_BYTES) {
			kept = chunk;
			kept->older = NULL;
		} else {
			chunk_free(arena, chunk);
		}
	}
	arena->newest = kept;
	arena->at = kept != NULL ? (char *)(kept + 1) : NULL;
	arena->end = kept != NULL ? (char *)kept + kept->size : NULL;
	arena->total_bytes = kept != NULL ? kept->size : 0;
}

void sopi_arena_free(struct sopi_arena *arena)
{
	while (arena->newest != NULL) {
		struct sopi_arena_chunk *chunk = arena->newest;

		arena->newest = chunk->older;
		chunk_free(arena, chunk);
	}
	arena->at = arena->end = NULL;
	arena->total_bytes = 0;
}
