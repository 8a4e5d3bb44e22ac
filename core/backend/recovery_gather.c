/* What a run of transactions of the log changes, in memory: the newest change of each key. */
#include "backend/recovery.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "btree/operation.h"
#include "btree/resident.h"

#include <stdlib.h>
#include <string.h>

enum {
	SEEN_MIN = 1 << 10,
	SEEN_MAX = 1 << 21,
	SEEN_SPARSE = 64,
	READ_AHEAD = 16, /* changes whose memory is asked for before they are gathered */
	LINE_BYTES = 64,
	BUCKETS = 1 << 14,
};

#ifdef SOP_TEST_HOOKS
_Atomic uint32_t sopi_recover_batch_max;
#endif

sop_status sopi_gather_damaged(uint64_t position, const char *what, sop_error *err)
{
	return sopi_fail(err, SOP_CORRUPT, "the log record of position %llu %s",
			 (unsigned long long)position, what);
}

/* ---- operations ---------------------------------------------------------------------------------- */

/* A value that a transaction wrote apart. */
static sop_status value_of(struct sopi_replay *replay, uint64_t position,
			   const struct sopi_change_record *change, struct sopi_value **out,
			   sop_error *err)
{
	struct sopi_value *value;

	SOP_TRY(sopi_value_new(&replay->fs->engine->forest, change->value_size, &value, err));
	value->id = change->value_id;
	value->pack = change->pack;
	value->offset = change->offset;
	value->length = change->length;
	value->next_in_transaction = replay->values;
	replay->values = value;
	replay->value_bytes += sizeof *value + sizeof(struct sopi_fresh);
	*out = value;
	return sopi_values_replayed(replay->fs, value, position, err);
}

/* Bytes of the value that are with the operation. */
static size_t bytes_inside(const struct sopi_change_record *change)
{
	return change->apart ? 0 : change->value.size;
}

static enum sopi_operation_kind kind_of(const struct sopi_change_record *change)
{
	if (change->removed)
		return SOPI_OP_REMOVE;
	return change->apart && change->pack == 0 ? SOPI_OP_RIDE /* the value stays */ : SOPI_OP_PUT;
}

/* Writes the operation into memory that is large enough. */
static sop_status operation_fill(struct sopi_replay *replay, uint64_t position,
				 const struct sopi_change_record *change,
				 struct sopi_operation *operation, sop_error *err)
{
	const size_t inside = bytes_inside(change);
	uint8_t *at = operation->bytes;

	memset(operation, 0, sizeof *operation);
	operation->kind = kind_of(change);
	operation->number = (int64_t)position;
	operation->replaces = change->replaces;
	operation->key_size = (uint32_t)change->key.size;
	operation->ride_size = (uint32_t)change->ride.size;
	operation->value_size = (uint32_t)(change->apart ? change->value_size : inside);
	if (change->key.size != 0)
		memcpy(at, change->key.data, change->key.size);
	if (change->ride.size != 0)
		memcpy(at + change->key.size, change->ride.data, change->ride.size);
	if (inside != 0)
		memcpy(at + change->key.size + change->ride.size, change->value.data, inside);
	if (operation->kind == SOPI_OP_PUT && change->apart)
		return value_of(replay, position, change, &operation->apart, err);
	return SOP_OK;
}

sop_status sopi_gather_operation(struct sopi_replay *replay, uint64_t position,
				 const struct sopi_change_record *change,
				 struct sopi_operation **out, sop_error *err)
{
	struct sopi_operation *operation =
		sopi_arena_take(&replay->arena, sizeof *operation + change->key.size +
							change->ride.size + bytes_inside(change));

	if (operation == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory while reading the log");
	*out = operation;
	return operation_fill(replay, position, change, operation, err);
}

void sopi_gather_next_item(struct sopi_store *store, const struct sopi_change_record *change)
{
	uint64_t id;

	if (!store->tree.duplicates || change->key.size < SOPI_ITEM_ID_BYTES)
		return;
	id = sopi_load_u64be((const uint8_t *)change->key.data + change->key.size - SOPI_ITEM_ID_BYTES);
	if (id >= atomic_load(&store->tree.next_item))
		atomic_store(&store->tree.next_item, id + 1);
}

/* ---- gathering ----------------------------------------------------------------------------------- */

static uint32_t hash_of(uint64_t store, sop_bytes key)
{
	return sopi_crc32c((uint32_t)(store * UINT64_C(0x9e3779b97f4a7c15) >> 32), key.data, key.size);
}

/* Where the last key of this hash was noted. REQUIRES: seen_count is not 0. */
static struct sopi_gathered_seen *seen_at(const struct sopi_replay *replay, uint32_t hash)
{
	return &replay->seen[hash & (replay->seen_count - 1)];
}

/* Keeps as many places as there are entries, so that most keys that come again are found. */
static sop_status seen_grow(struct sopi_replay *replay, sop_error *err)
{
	const size_t count = replay->seen_count == 0 ? SEEN_MIN : replay->seen_count * 2;
	void *memory = NULL;

	if (replay->count < replay->seen_count || count > SEEN_MAX)
		return SOP_OK;
	SOP_TRY(sopi_alloc_zeroed(count * sizeof *replay->seen, &memory, err));
	sopi_free(replay->seen);
	replay->seen = memory;
	replay->seen_count = count;
	for (size_t i = 0; i < replay->count; i++) {
		const uint32_t hash = (uint32_t)replay->entries[i].order;

		*seen_at(replay, hash) = (struct sopi_gathered_seen){ hash, (uint32_t)i + 1 };
	}
	return SOP_OK;
}

static bool is_for(const struct sopi_gathered *entry, const struct sopi_store *store, sop_bytes key)
{
	return entry->store == store && entry->newest->key_size == key.size &&
	       (key.size == 0 || memcmp(sopi_operation_key(entry->newest), key.data, key.size) == 0);
}

/* Bytes of the arena that an operation has, at least. */
static size_t room_of(const struct sopi_operation *operation)
{
	const bool inside = operation->kind == SOPI_OP_PUT && operation->apart == NULL;

	return sizeof *operation + operation->key_size + operation->ride_size +
	       (inside ? operation->value_size : 0);
}

/* The key has been changed before: only the newest change counts, unless that leaves some of the item as it was. */
static sop_status change_again(struct sopi_replay *replay, uint64_t position, struct sopi_gathered *entry,
			       const struct sopi_change_record *change, sop_error *err)
{
	struct sopi_operation *old = entry->newest;
	const size_t needed = sizeof *old + change->key.size + change->ride.size + bytes_inside(change);
	const bool replaces = old->replaces;
	struct sopi_operation *operation;
	sop_status status;

	if (kind_of(change) != SOPI_OP_RIDE && needed <= room_of(old)) {
		status = operation_fill(replay, position, change, old, err);
		old->replaces = replaces;
		return status;
	}
	SOP_TRY(sopi_gather_operation(replay, position, change, &operation, err));
	operation->replaces = replaces;
	entry->newest = operation;
	if (!sopi_operation_is_absolute(operation)) {
		operation->previous = old;
		old->following = operation;
	}
	return SOP_OK;
}

/* A change that was read from a record, and what it is about. */
struct read_change {
	struct sopi_change_record change;
	struct sopi_store *store;
	uint32_t hash;
};

static sop_status gather_change(struct sopi_replay *replay, uint64_t position,
				const struct read_change *read, sop_error *err)
{
	struct sopi_gathered_seen *seen;
	struct sopi_gathered *entry;

	SOP_TRY(seen_grow(replay, err));
	seen = seen_at(replay, read->hash);
	if (seen->number != 0 && seen->hash == read->hash) {
		entry = &replay->entries[seen->number - 1];
		if (is_for(entry, read->store, read->change.key))
			return change_again(replay, position, entry, &read->change, err);
	}
	SOP_TRY(sopi_grow(&replay->entries, replay->count, &replay->capacity,
			  sizeof *replay->entries, err));
	entry = &replay->entries[replay->count];
	*entry = (struct sopi_gathered){ .order = read->hash, .store = read->store };
	SOP_TRY(sopi_gather_operation(replay, position, &read->change, &entry->newest, err));
	*seen = (struct sopi_gathered_seen){ read->hash, (uint32_t)++replay->count };
	return SOP_OK;
}

/* Reads the next changes of a record. */
static sop_status read_some(const struct sopi_replay *replay, uint64_t position, sop_bytes *payload,
			    struct read_change some[READ_AHEAD], size_t *count, sop_error *err)
{
	struct sopi_store *store = NULL;
	sop_status status = SOP_OK;

	for (*count = 0; *count < READ_AHEAD; (*count)++) {
		struct read_change *read = &some[*count];

		status = sopi_change_record_take(payload, &read->change, err);
		if (status != SOP_OK)
			break;
		if (store == NULL || store->tree.id != read->change.store)
			store = sopi_catalog_find(&replay->fs->engine->catalog, read->change.store);
		if (store == NULL)
			return sopi_gather_damaged(position, "changes a store that is not there", err);
		read->store = store;
		read->hash = hash_of(store->tree.id, read->change.key);
		if (replay->seen_count != 0)
			__builtin_prefetch(seen_at(replay, read->hash), 1);
	}
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

/* Asks for what these changes are going to meet, which lies anywhere: the entries of their keys, then the operations. */
static void ask_for(const struct sopi_replay *replay, const struct read_change *some, size_t count)
{
	const struct sopi_gathered *entries[READ_AHEAD];

	if (replay->seen_count == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct sopi_gathered_seen *seen = seen_at(replay, some[i].hash);
		const bool again = seen->number != 0 && seen->hash == some[i].hash;

		entries[i] = again ? &replay->entries[seen->number - 1] : NULL;
		if (again)
			__builtin_prefetch(entries[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (entries[i] == NULL)
			continue;
		__builtin_prefetch(entries[i]->newest, 1);
		__builtin_prefetch(entries[i]->newest->bytes + LINE_BYTES, 1);
	}
}

sop_status sopi_gather(struct sopi_replay *replay, uint64_t position, sop_bytes payload, sop_error *err)
{
	struct read_change some[READ_AHEAD];
	size_t count;

	if (replay->position == 0)
		replay->before = atomic_load(&replay->fs->engine->applied);
	replay->position = position;
	do {
		SOP_TRY(read_some(replay, position, &payload, some, &count, err));
		ask_for(replay, some, count);
		for (size_t i = 0; i < count; i++) {
			sopi_gather_next_item(some[i].store, &some[i].change);
			SOP_TRY(gather_change(replay, position, &some[i], err));
		}
	} while (count == READ_AHEAD);
	return SOP_OK;
}

/* Each key may lie in a leaf of its own, but there are not more of them than the registry knows pages; what is added
 * counts with its bytes. Half of what may be dirty: so much may have been dirty before. */
static bool would_be_dirty(struct sopi_replay *replay, size_t bytes)
{
	const struct sopi_resident *resident = replay->fs->engine->forest.resident;
	const size_t most = resident->dirty_bytes_max / 2;
	struct sopi_registry_stats registry;

	if (bytes > most)
		return true;
	if (replay->count <= (most - bytes) / resident->node_bytes)
		return false;
	if (!replay->knows_pages) { /* only checkpoints change that, and they come between batches */
		sopi_registry_get_stats(replay->fs->registry, &registry);
		replay->pages = registry.entries;
		replay->knows_pages = true;
	}
	return replay->pages > (most - bytes) / resident->node_bytes;
}

bool sopi_gather_is_full(struct sopi_replay *replay)
{
	const size_t bytes = replay->arena.total_bytes + replay->value_bytes +
			     replay->capacity * sizeof *replay->entries +
			     replay->seen_count * sizeof *replay->seen;

#ifdef SOP_TEST_HOOKS
	if (sopi_recover_batch_max != 0 && replay->count >= sopi_recover_batch_max)
		return true;
#endif
	return bytes > replay->bytes_max || would_be_dirty(replay, replay->arena.total_bytes) ||
	       replay->count >= UINT32_MAX / 2;
}

/* ---- the order of keys --------------------------------------------------------------------------- */

static int compare_stores(const void *a, const void *b)
{
	const struct sopi_gathered *x = a, *y = b;

	return (x->store->tree.id > y->store->tree.id) - (x->store->tree.id < y->store->tree.id);
}

static int compare_whole_keys(const struct sopi_operation *a, const struct sopi_operation *b)
{
	return sopi_bytes_compare(sopi_operation_key(a), a->key_size, sopi_operation_key(b), b->key_size);
}

/* Of one store; of one key, by their age. */
static int compare_entries(const void *a, const void *b)
{
	const struct sopi_gathered *x = a, *y = b;
	int order;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	order = compare_whole_keys(x->newest, y->newest);
	if (order != 0)
		return order;
	return (x->newest->number > y->newest->number) - (x->newest->number < y->newest->number);
}

/* How many bytes all keys have in common. */
static size_t common_bytes(const struct sopi_gathered *entries, size_t count)
{
	const uint8_t *key = sopi_operation_key(entries[0].newest);
	size_t common = entries[0].newest->key_size;

	for (size_t i = 1; i < count && common > 0; i++) {
		const struct sopi_operation *other = entries[i].newest;
		const uint8_t *bytes = sopi_operation_key(other);
		size_t same = 0;

		common = other->key_size < common ? other->key_size : common;
		if (memcmp(bytes, key, common) == 0)
			continue;
		while (bytes[same] == key[same])
			same++;
		common = same;
	}
	return common;
}

/* The eight bytes behind what all keys have in common, as a number that orders as they do. */
static uint64_t order_of(const struct sopi_operation *operation, size_t common)
{
	const uint8_t *key = sopi_operation_key(operation) + common;
	const size_t size = operation->key_size - common;
	uint64_t order = 0;

	if (size >= 8)
		return sopi_load_u64be(key);
	for (size_t i = 0; i < size; i++)
		order |= (uint64_t)key[i] << (56 - 8 * i);
	return order;
}

/* Buckets of many entries by the first bits in which their orders differ, so that what is left to sort of each lies in the cache of a
 * processor. */
struct buckets {
	uint64_t least; /* order */
	unsigned shift;
	uint32_t ends[BUCKETS]; /* then: where the next entry of each goes */
};

static size_t bucket_of(const struct buckets *buckets, const struct sopi_gathered *entry)
{
	return (size_t)((entry->order - buckets->least) >> buckets->shift);
}

static void find_buckets(struct buckets *buckets, const struct sopi_gathered *entries, size_t count)
{
	uint64_t most = entries[0].order;
	uint32_t end = 0;

	memset(buckets, 0, sizeof *buckets);
	buckets->least = most;
	for (size_t i = 1; i < count; i++) {
		most = entries[i].order > most ? entries[i].order : most;
		buckets->least = entries[i].order < buckets->least ? entries[i].order : buckets->least;
	}
	while ((most - buckets->least) >> buckets->shift >= BUCKETS)
		buckets->shift++;
	for (size_t i = 0; i < count; i++)
		buckets->ends[bucket_of(buckets, &entries[i])]++;
	for (size_t b = 0; b < BUCKETS; b++) {
		const uint32_t size = buckets->ends[b];

		buckets->ends[b] = end;
		end += size;
	}
}

/* Puts the entries into the order of their buckets, and sorts each. False: there is no memory for that, and nothing was done. */
static bool sort_in_buckets(struct sopi_gathered *entries, size_t count)
{
	struct sopi_gathered *sorted;
	struct buckets *buckets;
	void *memory = NULL;
	size_t first = 0;

	if (sopi_alloc(count * sizeof *sorted + sizeof *buckets, &memory, NULL) != SOP_OK)
		return false;
	sorted = memory;
	buckets = (struct buckets *)(sorted + count);
	find_buckets(buckets, entries, count);
	for (size_t i = 0; i < count; i++)
		sorted[buckets->ends[bucket_of(buckets, &entries[i])]++] = entries[i];
	memcpy(entries, sorted, count * sizeof *sorted);
	for (size_t b = 0; b < BUCKETS; b++) {
		const size_t size = buckets->ends[b] - first;

		if (size > 1)
			qsort(entries + first, size, sizeof *entries, compare_entries);
		first = buckets->ends[b];
	}
	sopi_free(memory);
	return true;
}

static void sort_store(struct sopi_gathered *entries, size_t count)
{
	const size_t common = common_bytes(entries, count);

	for (size_t i = 0; i < count; i++)
		entries[i].order = order_of(entries[i].newest, common);
	if (count < BUCKETS || !sort_in_buckets(entries, count))
		qsort(entries, count, sizeof *entries, compare_entries);
}

/* `newer` is what `older` becomes. */
static void join(const struct sopi_gathered *older, const struct sopi_gathered *newer)
{
	struct sopi_operation *first = newer->newest;

	newer->newest->replaces = older->newest->replaces;
	while (!sopi_operation_is_absolute(first) && first->previous != NULL)
		first = first->previous;
	if (sopi_operation_is_absolute(first))
		return;
	first->previous = older->newest;
	older->newest->following = first;
}

/* Leaves one entry a key. */
static void join_equal(struct sopi_replay *replay)
{
	struct sopi_gathered *entries = replay->entries;
	size_t kept = 0;

	for (size_t i = 0; i < replay->count; i++) {
		struct sopi_gathered *last = kept > 0 ? &entries[kept - 1] : NULL;

		if (last == NULL || last->store != entries[i].store || last->order != entries[i].order ||
		    compare_whole_keys(last->newest, entries[i].newest) != 0) {
			entries[kept++] = entries[i];
			continue;
		}
		join(last, &entries[i]);
		*last = entries[i];
	}
	replay->count = kept;
}

void sopi_gather_sort(struct sopi_replay *replay)
{
	struct sopi_gathered *entries = replay->entries;
	bool many = false;

	for (size_t i = 1; i < replay->count && !many; i++)
		many = entries[i].store != entries[0].store;
	if (many)
		qsort(entries, replay->count, sizeof *entries, compare_stores);
	for (size_t from = 0, end; from < replay->count; from = end) {
		end = from + 1;
		while (end < replay->count && entries[end].store == entries[from].store)
			end++;
		sort_store(entries + from, end - from);
	}
	join_equal(replay);
}

/* ---- the end ------------------------------------------------------------------------------------- */

/* What a large batch has left is not cleared again and again for small ones. */
static void seen_clear(struct sopi_replay *replay)
{
	if (replay->count == 0)
		return;
	if (replay->count < replay->seen_count / SEEN_SPARSE) {
		sopi_free(replay->seen);
		replay->seen = NULL;
		replay->seen_count = 0;
	} else if (replay->seen_count != 0) {
		memset(replay->seen, 0, replay->seen_count * sizeof *replay->seen);
	}
}

void sopi_gather_clear(struct sopi_replay *replay)
{
	while (replay->values != NULL) {
		struct sopi_value *next = replay->values->next_in_transaction;

		replay->values->next_in_transaction = NULL;
		if (!replay->values->committed)
			sopi_forest_dispose(&replay->fs->engine->forest, &replay->values->version);
		replay->values = next;
	}
	replay->value_bytes = 0;
	seen_clear(replay);
	replay->count = 0;
	replay->position = 0;
	replay->knows_pages = false;
	if (replay->arena.newest != NULL)
		sopi_arena_reset(&replay->arena);
}
