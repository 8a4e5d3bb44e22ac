/* Opening what the newest checkpoint left, and applying the log behind it. One thread; nobody else is there yet. */
#include "backend/recovery.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "btree/resident.h"
#include "btree/walk.h"

#include <string.h>

enum {
	GATHERED_SHARE = 8,
	GATHERED_BYTES_MAX = 256 << 20,
};

#ifdef SOP_TEST_HOOKS
_Atomic uint32_t sopi_recover_checkpoint_each;
#endif

/* ---- stores --------------------------------------------------------------------------------------- */

/* Opens the store that one item of the catalog names. */
static sop_status open_store(struct sopi_inredfs *fs, const struct sopi_item_view *item, sop_error *err)
{
	struct sopi_engine *engine = fs->engine;
	struct sopi_registry_entry entry;
	struct sopi_descriptor descriptor;
	struct sopi_store *store = NULL;
	sop_status status;

	SOP_TRY(sopi_descriptor_read((sop_bytes){ sopi_item_value(item), item->value_size },
				     &descriptor, err));
	status = sopi_registry_find(fs->registry, sopi_registry_key(SOPI_KEY_STORE, descriptor.id),
				    &entry, err);
	if (status == SOP_NOT_FOUND)
		return sopi_fail(err, SOP_CORRUPT,
				 "the catalog names store %llu, which the registry lacks",
				 (unsigned long long)descriptor.id);
	SOP_TRY(status);
	SOP_TRY(sopi_catalog_reserve(&engine->catalog, 1, err));
	SOP_TRY(sopi_store_open(&engine->forest, engine->options.node_bytes, &descriptor,
				entry.words[0], (int64_t)entry.words[1], entry.words[2],
				fs->manifest.checkpoint, &store, err));
	sopi_catalog_add(&engine->catalog, store);
	return SOP_OK;
}

sop_status sopi_recover_stores(struct sopi_inredfs *fs, sop_error *err)
{
	const struct sopi_tree *names = &fs->engine->catalog.names.tree;
	struct sopi_walk walk;
	sop_status status;

	sopi_walk_init(&walk, names, fs->manifest.checkpoint);
	status = sopi_walk_seek(&walk, (const uint8_t *)"", 0, err);
	while (status == SOP_OK) {
		for (; walk.index < walk.count && status == SOP_OK; walk.index++) {
			struct sopi_item_view item;

			sopi_walk_item(&walk, walk.index, &item);
			status = open_store(fs, &item, err);
		}
		if (status == SOP_OK)
			status = sopi_walk_next_leaf(&walk, err);
	}
	sopi_walk_free(&walk);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

/* ---- a transaction on its own ------------------------------------------------------------------------------ */

/* A transaction that changes the catalog, while it is applied. */
struct replaying {
	struct sopi_inredfs *fs;
	struct sopi_replay *replay; /* whose arena and values it uses */
	uint64_t position;
	uint64_t before; /* position of the state that it meets */
	struct sopi_change *changes;
	struct sopi_store **stores; /* of each change */
	size_t count;
	struct sopi_store **dropped;
	size_t dropped_count;
};

static sop_status no_room(sop_error *err)
{
	return sopi_fail(err, SOP_NO_MEMORY, "out of memory while reading the log");
}

/* The store that a name stands for before this transaction; NULL: none. */
static sop_status named_before(const struct replaying *r, sop_bytes name, struct sopi_store **store,
			       sop_error *err)
{
	struct sopi_engine *engine = r->fs->engine;
	struct sopi_descriptor descriptor;
	const struct sopi_block *block;
	struct sopi_item_view item;
	struct sopi_vnode *leaf;

	*store = NULL;
	SOP_TRY(sopi_tree_leaf(&engine->catalog.names.tree, name.data, name.size, r->before, &leaf,
			       &block, err));
	if (!sopi_leaf_get(block, name.data, name.size, r->before, &item))
		return SOP_OK;
	SOP_TRY(sopi_descriptor_read((sop_bytes){ sopi_item_value(&item), item.value_size },
				     &descriptor, err));
	*store = sopi_catalog_find(&engine->catalog, descriptor.id);
	return SOP_OK;
}

/* Makes a store that the transaction creates, empty. */
static sop_status create_store(struct replaying *r, const struct sopi_descriptor *descriptor,
			       sop_error *err)
{
	struct sopi_engine *engine = r->fs->engine;
	struct sopi_catalog *catalog = &engine->catalog;
	const uint64_t next = atomic_load(&catalog->next_id);
	struct sopi_schema *schema = NULL;
	struct sopi_store *store = NULL;
	sop_status status;

	if (descriptor->schema.size != 0)
		SOP_TRY(sopi_schema_parse(descriptor->schema, &schema, err));
	SOP_TRY_OUT(sopi_catalog_reserve(catalog, 1, err));
	SOP_TRY_OUT(sopi_dirty_reserve(&engine->forest, err));
	atomic_store(&catalog->next_id, descriptor->id);
	SOP_TRY_OUT(sopi_store_new(catalog, &engine->forest, engine->options.node_bytes, schema,
				   descriptor->duplicates, descriptor->node_items, &store, err));
	store->created_at = r->position;
	atomic_store(&store->tree.root->newest, r->position);
	sopi_dirty_add(&engine->forest, store->tree.root, store->tree.id);
	sopi_catalog_add(catalog, store);
out:
	if (atomic_load(&catalog->next_id) < next)
		atomic_store(&catalog->next_id, next);
	sopi_schema_free(schema);
	return status;
}

/* What a change of the catalog means for its store: it appears, or gets a longer schema. */
static sop_status name_set(struct replaying *r, const struct sopi_change_record *change, sop_error *err)
{
	struct sopi_descriptor descriptor;
	struct sopi_store *store;

	SOP_TRY(sopi_descriptor_read(change->value, &descriptor, err));
	store = sopi_catalog_find(&r->fs->engine->catalog, descriptor.id);
	if (store == NULL)
		return create_store(r, &descriptor, err);
	for (size_t i = 0; i < r->dropped_count; i++) {
		if (r->dropped[i] == store) /* it has another name now */
			r->dropped[i] = r->dropped[--r->dropped_count];
	}
	return sopi_store_extend(store, descriptor.schema, err);
}

/* Notes the store that loses a name: it is dropped, unless it turns up under another. */
static sop_status name_lost(struct replaying *r, const struct sopi_change_record *change, sop_error *err)
{
	struct sopi_descriptor descriptor = { .id = SOPI_CATALOG_ID };
	struct sopi_store *store;

	SOP_TRY(named_before(r, change->key, &store, err));
	if (!change->removed) /* the name may be another store's from now on */
		SOP_TRY(sopi_descriptor_read(change->value, &descriptor, err));
	if (store != NULL && store->tree.id != descriptor.id)
		r->dropped[r->dropped_count++] = store;
	return SOP_OK;
}

/* What the transaction means for the stores: first all names that go, then those that come. */
static sop_status catalog_changes(struct replaying *r, sop_bytes payload, bool lost, sop_error *err)
{
	struct sopi_change_record change;
	sop_status status;

	while ((status = sopi_change_record_take(&payload, &change, err)) == SOP_OK) {
		if (change.store != SOPI_CATALOG_ID)
			continue;
		if (change.apart)
			return sopi_gather_damaged(r->position,
						   "has a name whose store is not with it", err);
		if (lost)
			SOP_TRY(name_lost(r, &change, err));
		else if (!change.removed)
			SOP_TRY(name_set(r, &change, err));
	}
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

static sop_status list_changes(struct replaying *r, sop_bytes payload, sop_error *err)
{
	struct sopi_engine *engine = r->fs->engine;
	struct sopi_change_record change;
	sop_status status;

	while ((status = sopi_change_record_take(&payload, &change, err)) == SOP_OK) {
		struct sopi_operation *operation = NULL;
		struct sopi_store *store = change.store == SOPI_CATALOG_ID
						   ? &engine->catalog.names
						   : sopi_catalog_find(&engine->catalog, change.store);

		if (store == NULL)
			return sopi_gather_damaged(r->position, "changes a store that is not there", err);
		SOP_TRY(sopi_gather_operation(r->replay, r->position, &change, &operation, err));
		sopi_gather_next_item(store, &change);
		r->stores[r->count] = store;
		r->changes[r->count++] = (struct sopi_change){ operation, NULL };
	}
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

/* How many changes a transaction has; *catalog: are there any of the catalog? */
static size_t count_changes(sop_bytes payload, bool *catalog)
{
	struct sopi_change_record change;
	size_t count = 0;

	*catalog = false;
	while (sopi_change_record_take(&payload, &change, NULL) == SOP_OK) {
		*catalog = *catalog || change.store == SOPI_CATALOG_ID;
		count++;
	}
	return count;
}

static sop_status prepare(struct replaying *r, sop_bytes payload, size_t count, sop_error *err)
{
	struct sopi_arena *arena = &r->replay->arena;

	r->changes = sopi_arena_take(arena, (count + 1) * sizeof *r->changes);
	r->stores = sopi_arena_take(arena, (count + 1) * sizeof *r->stores);
	r->dropped = sopi_arena_take(arena, (count + 1) * sizeof *r->dropped);
	if (r->changes == NULL || r->stores == NULL || r->dropped == NULL)
		return no_room(err);
	SOP_TRY(catalog_changes(r, payload, true, err));
	SOP_TRY(catalog_changes(r, payload, false, err));
	return list_changes(r, payload, err);
}

/* The end of the run of changes of one store that begins at `from`. */
static size_t run_end(const struct replaying *r, size_t from)
{
	size_t end = from;

	while (end < r->count && r->stores[end] == r->stores[from])
		end++;
	return end;
}

static sop_status find_leaves(struct replaying *r, sop_error *err)
{
	for (size_t at = 0, end; at < r->count; at = end) {
		end = run_end(r, at);
		SOP_TRY(sopi_tree_find_leaves(
			&r->stores[at]->tree, r->changes + at, end - at,
			r->stores[at]->created_at == r->position ? r->position : r->before, err));
	}
	return SOP_OK;
}

static sop_status apply_locked(struct replaying *r, sop_error *err)
{
	struct sopi_engine *engine = r->fs->engine;
	struct sopi_apply apply;
	sop_status status = SOP_OK;

	sopi_apply_begin(&apply, &engine->forest, r->position, r->before);
	for (size_t at = 0, end; at < r->count && status == SOP_OK; at = end) {
		end = run_end(r, at);
		status = sopi_apply_changes(&apply, &r->stores[at]->tree, r->changes + at, end - at, err);
	}
	if (engine->forest.scratch.arena.newest != NULL)
		sopi_arena_reset(&engine->forest.scratch.arena);
	if (status != SOP_OK) {
		sopi_apply_undo(&apply);
		for (struct sopi_value *value = r->replay->values; value != NULL;
		     value = value->next_in_transaction)
			value->committed = false;
		return status;
	}
	for (size_t i = 0; i < r->dropped_count; i++) {
		atomic_store(&r->dropped[i]->dropped_at, r->position);
		sopi_apply_supersede(&apply, &r->dropped[i]->tree.version);
	}
	sopi_apply_keep(&apply);
	atomic_store(&engine->applied, r->position);
	atomic_store(&engine->flushed, r->position);
	sopi_engine_answer(engine, r->position);
	atomic_store(&engine->catalog.newest, r->position);
	return SOP_OK;
}

/* Applies it; what is not in memory is brought in. */
static sop_status apply(struct replaying *r, sop_error *err)
{
	struct sopi_engine *engine = r->fs->engine;
	struct sopi_resident *resident = engine->forest.resident;
	sop_status status = find_leaves(r, err);
	bool held = false;

	while (status == SOP_OK) {
		sopi_mutex_lock(&engine->commit_mutex);
		status = apply_locked(r, err);
		sopi_mutex_unlock(&engine->commit_mutex);
		if (status != SOP_WOULD_BLOCK)
			break;
		if (!held) { /* from now on nothing is evicted, so that this ends */
			held = true;
			atomic_fetch_add(&resident->hold, 1);
		}
		status = sopi_resident_bring(resident, resident->absent_tree, resident->absent, err);
		if (status == SOP_OK)
			status = find_leaves(r, err);
	}
	if (held)
		atomic_fetch_sub(&resident->hold, 1);
	return status;
}

/* ---- the log ------------------------------------------------------------------------------------- */

/* In the middle of the log. The packs that it makes must not have the ids of those that are named behind this place. */
static sop_status make_checkpoint(struct sopi_inredfs *fs, sop_error *err)
{
	static const struct sopi_checkpoint_how how = { .fold = false };

	if (!fs->ids_passed)
		SOP_TRY(sopi_packs_pass_files(fs->packs, err));
	fs->ids_passed = true;
	return sopi_checkpoint_run(fs, &how, err);
}

/* Between two transactions, or runs of them: nothing points into a block. */
static void let_go(struct sopi_inredfs *fs)
{
	struct sopi_engine *engine = fs->engine;

	sopi_slot_refresh(&engine->forest.reclaim, fs->slot);
	if (sopi_reclaim_due(&engine->forest.reclaim))
		sopi_reclaim_run(&engine->forest.reclaim, &engine->answered, fs->slot);
}

/* Applies what has been gathered. */
static sop_status flush(struct sopi_replay *replay, sop_error *err)
{
	sop_status status;

	if (replay->position == 0)
		return SOP_OK;
	sopi_gather_sort(replay);
	status = sopi_replay_apply(replay, err);
	sopi_gather_clear(replay);
	let_go(replay->fs);
	return status;
}

/* Applies a transaction that changes the catalog, on its own. */
static sop_status apply_alone(struct sopi_replay *replay, uint64_t position, sop_bytes payload,
			      size_t count, sop_error *err)
{
	struct replaying r = { .fs = replay->fs,
			       .replay = replay,
			       .position = position,
			       .before = atomic_load(&replay->fs->engine->applied) };
	sop_status status = prepare(&r, payload, count, err);

	if (status == SOP_OK)
		status = apply(&r, err);
	sopi_gather_clear(replay);
	let_go(replay->fs);
	return status;
}

/* Is a checkpoint due, which needs all of it applied? */
static bool wants_checkpoint(const struct sopi_replay *replay, uint64_t position)
{
	struct sopi_inredfs *fs = replay->fs;

	if (fs->engine->options.read_only)
		return false;
#ifdef SOP_TEST_HOOKS
	/* Tests have no log that is longer than the budget allows. */
	if (sopi_recover_checkpoint_each != 0 &&
	    (position >> SOPI_POSITION_INDEX_BITS) % sopi_recover_checkpoint_each == 0)
		return true;
#else
	(void)position;
#endif
	return sopi_inredfs_is_full(fs);
}

static sop_status replay_changes(struct sopi_replay *replay, uint64_t position, sop_bytes payload,
				 sop_error *err)
{
	bool catalog;
	const size_t count = count_changes(payload, &catalog);

	if (catalog) {
		SOP_TRY(flush(replay, err));
		SOP_TRY(apply_alone(replay, position, payload, count, err));
	} else {
		SOP_TRY(sopi_gather(replay, position, payload, err));
	}
	if (sopi_gather_is_full(replay) || wants_checkpoint(replay, position))
		SOP_TRY(flush(replay, err));
	return wants_checkpoint(replay, position) ? make_checkpoint(replay->fs, err) : SOP_OK;
}

static sop_status replay_transaction(void *arg, uint64_t position,
				     const struct sopi_log_entry *entry, sop_error *err)
{
	struct sopi_replay *replay = arg;
	struct sopi_outcomes *outcomes = &replay->fs->engine->outcomes;

	SOP_TRY(sopi_outcomes_reserve(outcomes, err));
	sopi_outcomes_add(outcomes, entry->id, position);
	return replay_changes(replay, position, entry->payload, err);
}

/* Memory for what is gathered: the share of the budget that is for what is in flight, as long as no one commits. */
static size_t bytes_max(const struct sopi_inredfs *fs)
{
	const uint64_t share = fs->engine->options.cache_bytes / GATHERED_SHARE;

	return share < GATHERED_BYTES_MAX ? (size_t)share : GATHERED_BYTES_MAX;
}

sop_status sopi_recover_log(struct sopi_inredfs *fs, struct sopi_log *wal, sop_error *err)
{
	struct sopi_replay replay = { .fs = fs, .bytes_max = bytes_max(fs) };
	sop_status status =
		sopi_wal_replay(wal, fs->manifest.checkpoint, replay_transaction, &replay, err);

	if (status == SOP_OK)
		status = flush(&replay, err);
	sopi_gather_clear(&replay);
	sopi_free(replay.entries);
	sopi_free(replay.seen);
	sopi_arena_free(&replay.arena);
	return status;
}
