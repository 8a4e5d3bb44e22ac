/* A list of chunks, each larger than the one before. */
#include "base/arena.h"

#include "base/alloc.h"

enum { FIRST_CHUNK_BYTES = 4 << 10, LARGEST_CHUNK_BYTES = 1 << 20, KEPT_CHUNK_BYTES = 64 << 10 };

struct sopi_arena_chunk {
	struct sopi_arena_chunk *older;
	size_t size;
};

void *sopi_arena_take_slow(struct sopi_arena *arena, size_t size)
{
	size_t bytes = arena->newest == NULL ? FIRST_CHUNK_BYTES : arena->newest->size * 2;
	struct sopi_arena_chunk *chunk;
	void *memory = NULL;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + 7) & ~(size_t)7;
	if (bytes > LARGEST_CHUNK_BYTES)
		bytes = LARGEST_CHUNK_BYTES;
	if (bytes < size + sizeof *chunk)
		bytes = size + sizeof *chunk;
	if (sopi_alloc(bytes, &memory, NULL) != SOP_OK)
		return NULL;
	chunk = memory;
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
	struct sopi_arena_chunk *kept = arena->newest;

	if (kept == NULL)
		return;
	if (kept->size > KEPT_CHUNK_BYTES) {
		sopi_arena_free(arena);
		return;
	}
	while (kept->older != NULL) {
		struct sopi_arena_chunk *older = kept->older;

		kept->older = older->older;
		sopi_free(older);
	}
	arena->at = (char *)(kept + 1);
	arena->end = (char *)kept + kept->size;
	arena->total_bytes = kept->size;
}

void sopi_arena_free(struct sopi_arena *arena)
{
	while (arena->newest != NULL) {
		struct sopi_arena_chunk *chunk = arena->newest;

		arena->newest = chunk->older;
		sopi_free(chunk);
	}
	arena->at = arena->end = NULL;
	arena->total_bytes = 0;
}
