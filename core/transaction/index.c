/* An ordered list of small sorted arrays. */
#include "transaction/index.h"

#include "base/alloc.h"
#include "base/bytes.h"

enum { FIRST_CHUNKS = 8 };

void sopi_index_free(struct sopi_index *index)
{
	sopi_free(index->chunks);
	memset(index, 0, sizeof *index);
}

void sopi_index_clear(struct sopi_index *index)
{
	index->chunk_count = 0;
	index->entry_count = 0;
	index->remove_count = 0;
	index->bytes = 0;
	index->generation++;
}

static size_t bytes_of(const struct sopi_operation *operation)
{
	return (size_t)operation->key_size + operation->ride_size +
	       (operation->apart != NULL ? 0 : operation->value_size);
}

/* Counts what the newest operation of a key says, or does not any more. */
static void count_newest(struct sopi_index *index, const struct sopi_operation *operation)
{
	index->bytes += bytes_of(operation);
	index->remove_count += operation->kind == SOPI_OP_REMOVE;
}

static void uncount_newest(struct sopi_index *index, const struct sopi_operation *operation)
{
	index->bytes -= bytes_of(operation);
	index->remove_count -= operation->kind == SOPI_OP_REMOVE;
}

/* Orders an entry and a key. */
static inline int entry_compare(const struct sopi_index_entry *entry, uint32_t head,
				const uint8_t *key, size_t size)
{
	if (entry->head != head)
		return entry->head < head ? -1 : 1;
	return sopi_bytes_compare(sopi_operation_key(entry->newest), entry->newest->key_size, key, size);
}

/* The last chunk whose first entry is at or before `key`, or the first chunk. REQUIRES: not empty.
 * */
static size_t chunk_of(const struct sopi_index *index, uint32_t head, const uint8_t *key, size_t size)
{
	size_t low = 0;
	size_t high = index->chunk_count;

	while (high - low > 1) {
		const size_t middle = (low + high) / 2;

		if (entry_compare(&index->chunks[middle]->entries[0], head, key, size) <= 0)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Is the key behind all there are? Operations often come in key order. REQUIRES: not empty. */
static inline bool is_behind_all(const struct sopi_index *index, uint32_t head, const uint8_t *key,
				 size_t size)
{
	const struct sopi_index_chunk *chunk = index->chunks[index->chunk_count - 1];

	return entry_compare(&chunk->entries[chunk->count - 1], head, key, size) < 0;
}

bool sopi_index_seek(const struct sopi_index *index, const uint8_t *key, size_t size,
		     struct sopi_index_place *place)
{
	const uint32_t head = sopi_head_of(key, size);
	const struct sopi_index_chunk *chunk;
	size_t low = 0;
	size_t high;

	place->chunk = 0;
	place->entry = 0;
	if (index->chunk_count == 0)
		return false;
	if (is_behind_all(index, head, key, size)) {
		place->chunk = index->chunk_count;
		return false;
	}
	place->chunk = chunk_of(index, head, key, size);
	chunk = index->chunks[place->chunk];
	high = chunk->count;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		const int order = entry_compare(&chunk->entries[middle], head, key, size);

		if (order == 0) {
			place->entry = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	place->entry = low;
	if (low == chunk->count) {
		place->chunk++;
		place->entry = 0;
	}
	return false;
}

static sop_status chunk_insert(struct sopi_index *index, struct sopi_arena *arena, size_t at,
			       struct sopi_index_chunk **out, sop_error *err)
{
	struct sopi_index_chunk *chunk;

	if (index->chunk_count == index->chunk_capacity) {
		const size_t capacity = index->chunk_capacity == 0 ? FIRST_CHUNKS
								   : index->chunk_capacity * 2;
		void *grown = index->chunks;

		SOP_TRY(sopi_realloc(&grown, capacity * sizeof *index->chunks, err));
		index->chunks = grown;
		index->chunk_capacity = capacity;
	}
	chunk = sopi_arena_take(arena, sizeof *chunk);
	if (chunk == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory for the operations of a transaction");
	chunk->count = 0;
	memmove(index->chunks + at + 1, index->chunks + at,
		(index->chunk_count - at) * sizeof *index->chunks);
	index->chunks[at] = chunk;
	index->chunk_count++;
	*out = chunk;
	return SOP_OK;
}

/* Makes room for an entry at `place`, which may move to the other half of a chunk that is split. */
static sop_status make_room(struct sopi_index *index, struct sopi_arena *arena,
			    struct sopi_index_place *place, sop_error *err)
{
	struct sopi_index_chunk *chunk, *added;
	uint32_t kept;

	if (place->entry == 0 && place->chunk > 0) { /* better at the end of the chunk before */
		place->chunk--;
		place->entry = index->chunks[place->chunk]->count;
	}
	if (index->chunk_count > 0 && index->chunks[place->chunk]->count < SOPI_INDEX_CHUNK_ENTRIES)
		return SOP_OK;
	if (index->chunk_count == 0 || place->entry == SOPI_INDEX_CHUNK_ENTRIES) {
		if (index->chunk_count > 0)
			place->chunk++;
		place->entry = 0;
		return chunk_insert(index, arena, place->chunk, &added, err);
	}
	SOP_TRY(chunk_insert(index, arena, place->chunk + 1, &added, err));
	chunk = index->chunks[place->chunk];
	kept = SOPI_INDEX_CHUNK_ENTRIES / 2;
	added->count = chunk->count - kept;
	memcpy(added->entries, chunk->entries + kept, added->count * sizeof *added->entries);
	chunk->count = kept;
	if (place->entry > kept) {
		place->chunk++;
		place->entry -= kept;
	}
	return SOP_OK;
}

/* Puts the first operation of its key behind all others. False: it belongs elsewhere, or there is no room behind them. */
static bool append(struct sopi_index *index, struct sopi_operation *operation, uint32_t head)
{
	struct sopi_index_chunk *chunk;

	if (index->chunk_count == 0)
		return false;
	chunk = index->chunks[index->chunk_count - 1];
	if (chunk->count == SOPI_INDEX_CHUNK_ENTRIES ||
	    !is_behind_all(index, head, sopi_operation_key(operation), operation->key_size))
		return false;
	operation->previous = NULL;
	chunk->entries[chunk->count++] = (struct sopi_index_entry){ operation, head };
	index->entry_count++;
	index->generation++;
	count_newest(index, operation);
	return true;
}

sop_status sopi_index_add(struct sopi_index *index, struct sopi_arena *arena,
			  struct sopi_operation *operation, sop_error *err)
{
	const uint32_t head = sopi_head_of(sopi_operation_key(operation), operation->key_size);
	struct sopi_index_place place;
	struct sopi_index_chunk *chunk;
	struct sopi_index_entry *entry;

	operation->following = NULL;
	if (append(index, operation, head))
		return SOP_OK;
	if (sopi_index_seek(index, sopi_operation_key(operation), operation->key_size, &place)) {
		entry = &index->chunks[place.chunk]->entries[place.entry];
		operation->previous = entry->newest;
		entry->newest->following = operation;
		uncount_newest(index, entry->newest);
		entry->newest = operation;
		count_newest(index, operation);
		return SOP_OK;
	}
	operation->previous = NULL;
	SOP_TRY(make_room(index, arena, &place, err));
	chunk = index->chunks[place.chunk];
	entry = &chunk->entries[place.entry];
	memmove(entry + 1, entry, (chunk->count - place.entry) * sizeof *entry);
	entry->newest = operation;
	entry->head = head;
	chunk->count++;
	index->entry_count++;
	index->generation++;
	count_newest(index, operation);
	return SOP_OK;
}

void sopi_index_remove(struct sopi_index *index, struct sopi_operation *operation)
{
	struct sopi_index_place place;
	struct sopi_index_chunk *chunk;

	SOPI_CHECK(sopi_index_seek(index, sopi_operation_key(operation), operation->key_size, &place));
	chunk = index->chunks[place.chunk];
	SOPI_CHECK(chunk->entries[place.entry].newest == operation);
	uncount_newest(index, operation);
	if (operation->previous != NULL) {
		chunk->entries[place.entry].newest = operation->previous;
		operation->previous->following = NULL;
		count_newest(index, operation->previous);
		return;
	}
	chunk->count--;
	memmove(chunk->entries + place.entry, chunk->entries + place.entry + 1,
		(chunk->count - place.entry) * sizeof *chunk->entries);
	if (chunk->count == 0) {
		index->chunk_count--;
		memmove(index->chunks + place.chunk, index->chunks + place.chunk + 1,
			(index->chunk_count - place.chunk) * sizeof *index->chunks);
	}
	index->entry_count--;
	index->generation++;
}
