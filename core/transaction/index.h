/* The operations of one transaction on one store, in the order of their keys: an ordered list of
 * small sorted arrays.
 * Appending in key order costs O(1), anything else a binary search and a short move. */
#ifndef SOPI_INDEX_H
#define SOPI_INDEX_H

#include "base/arena.h"
#include "btree/operation.h"

enum { SOPI_INDEX_CHUNK_ENTRIES = 60 };

struct sopi_index_entry {
	struct sopi_operation *newest; /* of the chain on its key */
	uint32_t head; /* first four bytes of the key, for a fast comparison */
};

struct sopi_index_chunk {
	uint32_t count;
	struct sopi_index_entry entries[SOPI_INDEX_CHUNK_ENTRIES];
};

struct sopi_index {
	struct sopi_index_chunk **chunks; /* none of them empty */
	size_t chunk_count;
	size_t chunk_capacity;
	size_t entry_count;
	size_t remove_count; /* entries whose newest operation removes */
	size_t bytes; /* that the newest operations bring: of keys, ride-along fields, and values that are not apart */
	uint64_t generation; /* counts changes of which keys there are */
};

/* A place in the index; chunk == chunk_count: the end. */
struct sopi_index_place {
	size_t chunk;
	size_t entry;
};

void sopi_index_free(struct sopi_index *index);

/* Forgets all entries; the arena that held the chunks is reset by its owner. */
void sopi_index_clear(struct sopi_index *index);

/* The first entry at or behind `key`; true if it is `key`. */
bool sopi_index_seek(const struct sopi_index *index, const uint8_t *key, size_t size,
		     struct sopi_index_place *place);

/* Adds an operation as the newest of its key. NO_MEMORY leaves the index as it was. */
sop_status sopi_index_add(struct sopi_index *index, struct sopi_arena *arena,
			  struct sopi_operation *operation, sop_error *err);

/* Takes the newest operation of its key back. */
void sopi_index_remove(struct sopi_index *index, struct sopi_operation *operation);

static inline struct sopi_operation *sopi_index_at(const struct sopi_index *index,
						   struct sopi_index_place place)
{
	return index->chunks[place.chunk]->entries[place.entry].newest;
}

static inline bool sopi_index_is_end(const struct sopi_index *index, struct sopi_index_place place)
{
	return place.chunk >= index->chunk_count;
}

static inline void sopi_index_next(const struct sopi_index *index, struct sopi_index_place *place)
{
	if (++place->entry == index->chunks[place->chunk]->count) {
		place->chunk++;
		place->entry = 0;
	}
}

/* Moves to the entry before; false if there is none. */
static inline bool sopi_index_previous(const struct sopi_index *index, struct sopi_index_place *place)
{
	if (place->entry > 0) {
		place->entry--;
		return true;
	}
	if (place->chunk == 0)
		return false;
	place->chunk--;
	place->entry = index->chunks[place->chunk]->count - 1;
	return true;
}

/* The newest operation on `key`, or NULL. */
static inline struct sopi_operation *sopi_index_find(const struct sopi_index *index,
						     const uint8_t *key, size_t size)
{
	struct sopi_index_place place;

	if (index->entry_count == 0 || !sopi_index_seek(index, key, size, &place))
		return NULL;
	return sopi_index_at(index, place);
}

#endif
