/* Size classes carved from chunks. */
#include "node/memory.h"

#include "base/alloc.h"

#include <string.h>

enum {
	LINE = 64,
	PAGE_BYTES = 4096,
	CHUNK_FIRST = 64 << 10, /* an idle database stays small */
	CHUNK_LATER = 2 << 20,
	PREPARE_AT_ONCE = 64, /* blocks */
	SORT_RUNS = 40,
	MERGE_BYTES_MIN = 512 << 10,
	AHEAD_BYTES_MIN = 16 << 20, /* taken before: what is ahead of its use is an eighth of it at most */
};

/* Head of a chunk, or of a block that is larger than any class. */
struct sopi_memory_chunk {
	struct sopi_memory_chunk *next;
	struct sopi_memory_chunk *previous; /* of large blocks only */
	size_t size;
	char pad[LINE - 3 * sizeof(void *)];
};

void sopi_memory_init(struct sopi_memory *memory)
{
	memset(memory, 0, sizeof *memory);
	sopi_mutex_init(&memory->mutex);
}

void sopi_memory_destroy(struct sopi_memory *memory)
{
	struct sopi_memory_chunk *chunk = memory->chunks;

	while (chunk != NULL) {
		struct sopi_memory_chunk *next = chunk->next;

		sopi_free_pages(chunk, chunk->size);
		chunk = next;
	}
	sopi_memory_rest(memory);
	sopi_mutex_destroy(&memory->mutex);
}

/* The class that holds `size` bytes, or SOPI_MEMORY_CLASSES where none does. */
static unsigned class_of(size_t size)
{
	unsigned log2;

	if (size <= (size_t)1 << SOPI_MEMORY_CLASS_MIN)
		return 0;
	if (size > (size_t)1 << SOPI_MEMORY_CLASS_MAX)
		return SOPI_MEMORY_CLASSES;
	log2 = (unsigned)(64 - __builtin_clzll((unsigned long long)size - 1));
	return log2 - SOPI_MEMORY_CLASS_MIN;
}

static size_t bytes_of(unsigned class)
{
	return (size_t)1 << (class + SOPI_MEMORY_CLASS_MIN);
}

/* The chunk that is ahead. From the first that is needed on, the next one is wanted. */
static void *take_ahead_locked(struct sopi_memory *memory)
{
	void *pages = memory->ahead;

	memory->ahead = NULL;
	if (memory->taken_bytes >= AHEAD_BYTES_MIN)
		atomic_store_explicit(&memory->wants_ahead, true, memory_order_relaxed);
	return pages;
}

static struct sopi_memory_chunk *chunk_new_locked(struct sopi_memory *memory, size_t size)
{
	void *pages = size == CHUNK_LATER ? take_ahead_locked(memory) : NULL;
	struct sopi_memory_chunk *chunk;

	if (pages == NULL && sopi_alloc_pages(size >= CHUNK_LATER ? CHUNK_LATER : PAGE_BYTES, size,
					      &pages, NULL) != SOP_OK)
		return NULL;
	chunk = pages;
	chunk->size = size;
	chunk->previous = NULL;
	chunk->next = memory->chunks;
	if (chunk->next != NULL)
		chunk->next->previous = chunk;
	memory->chunks = chunk;
	memory->taken_bytes += size;
	return chunk;
}

/* Puts what is left of the carved chunk on the free lists, so that a new chunk loses nothing. */
static void carve_rest_locked(struct sopi_memory *memory)
{
	for (unsigned class = SOPI_MEMORY_CLASSES; class -- > 0;) {
		const size_t bytes = bytes_of(class);

		while (memory->carve_bytes >= bytes) {
			*(void **)memory->carve = memory->free[class];
			memory->free[class] = memory->carve;
			memory->free_count[class]++;
			memory->carve += bytes;
			memory->carve_bytes -= bytes;
		}
	}
}

/* Takes the smallest free block of class `least` or above as what is carved next: what one size no longer needs serves
 * others before the system is asked. */
static bool carve_free_block_locked(struct sopi_memory *memory, unsigned least)
{
	for (unsigned class = least; class < SOPI_MEMORY_CLASSES; class ++) {
		char *block = memory->free[class];

		if (block == NULL)
			continue;
		memory->free[class] = *(void **)block;
		memory->free_count[class]--;
		carve_rest_locked(memory);
		memory->carve = block;
		memory->carve_bytes = bytes_of(class);
		return true;
	}
	return false;
}

/* ---- merging --------------------------------------------------------------------------------------- */

static void *next_free(const void *block)
{
	return *(void *const *)block;
}

/* Merges two lists that are sorted by address. */
static void *merge_sorted(void *a, void *b)
{
	void *first = NULL;
	void **end = &first;

	while (a != NULL && b != NULL) {
		void **least = (uintptr_t)a < (uintptr_t)b ? &a : &b;

		*end = *least;
		end = *least;
		*least = next_free(*least);
	}
	*end = a != NULL ? a : b;
	return first;
}

/* Sorts a list of free blocks by address: runs of 2^n blocks in `runs[n]`. */
static void *sort_free(void *list)
{
	void *runs[SORT_RUNS] = { NULL };
	void *sorted = NULL;

	while (list != NULL) {
		void *run = list;
		unsigned n = 0;

		list = next_free(list);
		*(void **)run = NULL;
		for (; n < SORT_RUNS - 1 && runs[n] != NULL; n++) {
			run = merge_sorted(runs[n], run);
			runs[n] = NULL;
		}
		runs[n] = runs[n] != NULL ? merge_sorted(runs[n], run) : run;
	}
	for (unsigned n = 0; n < SORT_RUNS; n++)
		sorted = merge_sorted(runs[n], sorted);
	return sorted;
}

/* Makes one free block of the next class of every two that lie side by side, which never are of two chunks: a chunk has a
 * head. Returns the bytes of those. */
static size_t merge_class_locked(struct sopi_memory *memory, unsigned class)
{
	char *block = sort_free(memory->free[class]);
	size_t merged = 0;

	memory->free[class] = NULL;
	while (block != NULL) {
		char *next = next_free(block);
		char *after = next;
		unsigned to = class;

		if (next == block + bytes_of(class)) {
			after = next_free(next);
			memory->free_count[class] -= 2;
			memory->free_count[++to]++;
			merged += bytes_of(to);
		}
		*(void **)block = memory->free[to];
		memory->free[to] = block;
		block = after;
	}
	return merged;
}

/* Before the system is asked for a chunk, for a block of class `least`: where a good part of the memory is free, but in blocks
 * that are too small. Without it the memory of a cache whose leaves change in size would be the sum of what each size
 * needed at its height. False: little was gained, and a chunk is due, so that this is not done for every block. */
static bool merge_free_locked(struct sopi_memory *memory, unsigned least)
{
	const size_t free_bytes = memory->taken_bytes - memory->used_bytes;
	size_t merged = 0;

	if (free_bytes < MERGE_BYTES_MIN || free_bytes < memory->taken_bytes / 8)
		return false;
	for (unsigned class = 0; class < least; class ++)
		merged = merge_class_locked(memory, class);
	return merged >= MERGE_BYTES_MIN;
}

/* ---- taking and giving ----------------------------------------------------------------------------- */

static char *carve_locked(struct sopi_memory *memory, size_t bytes)
{
	const unsigned class = class_of(bytes);
	char *block;

	if (memory->carve_bytes < bytes && !carve_free_block_locked(memory, class + 1) &&
	    !(merge_free_locked(memory, class) && carve_free_block_locked(memory, class))) {
		const size_t size = memory->taken_bytes < CHUNK_LATER / 2 && bytes < CHUNK_FIRST / 2
					    ? CHUNK_FIRST
					    : CHUNK_LATER;
		struct sopi_memory_chunk *chunk;

		carve_rest_locked(memory);
		chunk = chunk_new_locked(memory, size);
		if (chunk == NULL)
			return NULL;
		memory->carve = (char *)(chunk + 1);
		memory->carve_bytes = size - sizeof *chunk;
	}
	block = memory->carve;
	memory->carve += bytes;
	memory->carve_bytes -= bytes;
	return block;
}

/* A block beyond all classes: a mapping of its own behind a chunk head. */
static void *large_take_locked(struct sopi_memory *memory, size_t size, size_t *capacity)
{
	const size_t bytes =
		(size + sizeof(struct sopi_memory_chunk) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	struct sopi_memory_chunk *chunk = chunk_new_locked(memory, bytes);

	if (chunk == NULL)
		return NULL;
	*capacity = bytes - sizeof *chunk;
	memory->used_bytes += *capacity;
	return chunk + 1;
}

static void large_give_locked(struct sopi_memory *memory, void *block, size_t capacity)
{
	struct sopi_memory_chunk *chunk = (struct sopi_memory_chunk *)block - 1;

	if (chunk->previous != NULL)
		chunk->previous->next = chunk->next;
	else
		memory->chunks = chunk->next;
	if (chunk->next != NULL)
		chunk->next->previous = chunk->previous;
	memory->taken_bytes -= chunk->size;
	memory->used_bytes -= capacity;
	sopi_free_pages(chunk, chunk->size);
}

void *sopi_memory_take(struct sopi_memory *memory, size_t size, size_t *capacity)
{
	const unsigned class = class_of(size);
	void *block;

	sopi_mutex_lock(&memory->mutex);
	if (class == SOPI_MEMORY_CLASSES) {
		block = large_take_locked(memory, size, capacity);
	} else {
		block = memory->free[class];
		if (SOPI_LIKELY(block != NULL)) {
			memory->free[class] = *(void **)block;
			memory->free_count[class]--;
		} else {
			block = carve_locked(memory, bytes_of(class));
		}
		*capacity = bytes_of(class);
		if (block != NULL)
			memory->used_bytes += *capacity;
	}
	sopi_mutex_unlock(&memory->mutex);
	return block;
}

void sopi_memory_give(struct sopi_memory *memory, void *block, size_t capacity)
{
	const unsigned class = class_of(capacity);

	sopi_mutex_lock(&memory->mutex);
	if (class == SOPI_MEMORY_CLASSES) {
		large_give_locked(memory, block, capacity);
	} else {
		*(void **)block = memory->free[class];
		memory->free[class] = block;
		memory->free_count[class]++;
		memory->used_bytes -= bytes_of(class);
	}
	sopi_mutex_unlock(&memory->mutex);
}

/* Puts one more block on its free list. False: there are `count`, or no more are to be had. */
static bool prepare_one_locked(struct sopi_memory *memory, unsigned class, size_t count)
{
	char *block = NULL;

	if (memory->free_count[class] + memory->carve_bytes / bytes_of(class) < count)
		block = carve_locked(memory, bytes_of(class));
	if (block == NULL)
		return false;
	*(void **)block = memory->free[class];
	memory->free[class] = block;
	memory->free_count[class]++;
	return true;
}

void sopi_memory_prepare(struct sopi_memory *memory, size_t size, size_t count)
{
	const unsigned class = class_of(size);
	bool more = class != SOPI_MEMORY_CLASSES;

	while (more) { /* fresh memory is slow at the first touch: others get their turn in between */
		sopi_mutex_lock(&memory->mutex);
		for (size_t i = 0; more && i < PREPARE_AT_ONCE; i++)
			more = prepare_one_locked(memory, class, count);
		sopi_mutex_unlock(&memory->mutex);
	}
}

void sopi_memory_ahead(struct sopi_memory *memory)
{
	void *pages = NULL;

	if (!atomic_exchange_explicit(&memory->wants_ahead, false, memory_order_relaxed) ||
	    sopi_alloc_pages(CHUNK_LATER, CHUNK_LATER, &pages, NULL) != SOP_OK)
		return;
	for (size_t at = 0; at < CHUNK_LATER; at += PAGE_BYTES)
		((char *)pages)[at] = 0;
	sopi_mutex_lock(&memory->mutex);
	if (memory->ahead == NULL) {
		memory->ahead = pages;
		pages = NULL;
	}
	sopi_mutex_unlock(&memory->mutex);
	sopi_free_pages(pages, CHUNK_LATER);
}

void sopi_memory_rest(struct sopi_memory *memory)
{
	void *pages;

	sopi_mutex_lock(&memory->mutex);
	pages = memory->ahead;
	memory->ahead = NULL;
	sopi_mutex_unlock(&memory->mutex);
	sopi_free_pages(pages, CHUNK_LATER);
}

void sopi_memory_usage(struct sopi_memory *memory, size_t *taken_bytes, size_t *used_bytes)
{
	sopi_mutex_lock(&memory->mutex);
	*taken_bytes = memory->taken_bytes;
	*used_bytes = memory->used_bytes;
	sopi_mutex_unlock(&memory->mutex);
}
