/* Memory of one database for nodes and their versions: size classes carved from large chunks,
 * reused within the database and returned to the system when it closes. Huge pages are advised,
 * since a cold read is counted in lines and page walks. */
#ifndef SOPI_MEMORY_H
#define SOPI_MEMORY_H

#include "base/error.h"
#include "platform/thread.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	SOPI_MEMORY_CLASS_MIN = 6, /* log2 of the smallest class: 64 bytes */
	SOPI_MEMORY_CLASS_MAX = 16, /* log2 of the largest; beyond, each block is an allocation of its own */
	SOPI_MEMORY_CLASSES = SOPI_MEMORY_CLASS_MAX - SOPI_MEMORY_CLASS_MIN + 1
};

struct sopi_memory_chunk;

struct sopi_memory {
	sopi_mutex mutex; /* guards what follows; leaf of the lock order */
	void *free[SOPI_MEMORY_CLASSES]; /* free blocks of each class, linked through their first word */
	size_t free_count[SOPI_MEMORY_CLASSES];
	char *carve; /* rest of the newest chunk */
	size_t carve_bytes;
	struct sopi_memory_chunk *chunks;
	void *ahead; /* pages of the next chunk, which have been touched; NULL: there is none */
	_Atomic bool wants_ahead; /* it grows by chunks, and there is none */
	size_t taken_bytes; /* from the system */
	size_t used_bytes; /* given out */
};

void sopi_memory_init(struct sopi_memory *memory);

/* Returns everything to the system, also blocks that were not given back. */
void sopi_memory_destroy(struct sopi_memory *memory);

/* A block of at least `size` bytes, 64-aligned; `*capacity` receives its real size. NULL: out of
 * memory. */
void *sopi_memory_take(struct sopi_memory *memory, size_t size, size_t *capacity);

/* Gives a block back, with the capacity it was taken with. */
void sopi_memory_give(struct sopi_memory *memory, void *block, size_t capacity);

/* Makes it likely that the next `count` takes of `size` bytes need nothing from the system: called
 * before a mutex inside which they are taken. Running out of memory here is no error yet. */
void sopi_memory_prepare(struct sopi_memory *memory, size_t size, size_t count);

/* Touches the next chunk ahead of its use, on a thread that has time for it: clearing it takes the system half a
 * millisecond, a seventh of all that loading costs. Counts as taken once it is used. */
void sopi_memory_ahead(struct sopi_memory *memory);

/* Returns the chunk that was touched and not used. */
void sopi_memory_rest(struct sopi_memory *memory);

/* Is sopi_memory_ahead worth calling? */
static inline bool sopi_memory_wants_ahead(struct sopi_memory *memory)
{
	return SOPI_UNLIKELY(atomic_load_explicit(&memory->wants_ahead, memory_order_relaxed));
}

/* Bytes taken from the system, and of these given out. */
void sopi_memory_usage(struct sopi_memory *memory, size_t *taken_bytes, size_t *used_bytes);

#endif
