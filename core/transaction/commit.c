/* The commit: validate outside the mutex, validate what changed since inside, give the position,
 * apply, publish. */
#include "transaction/large.h"

#include "base/alloc.h"
#include "base/plant.h"
#include "btree/resident.h"
#include "codec/log_record.h"
#include "platform/clock.h"

#include <sop/log.h>

enum {
	NS_PER_MS = 1000000,
	LEAVES_PREPARED_MAX = 4096,
	LARGE_LEAVES_PREPARED = 512,
	SMALL_BYTES = 64,
	INNER_CHILDREN_MIN = 64, /* of an inner node, about */
	CHANGE_BYTES = 64, /* what a change needs in the log besides its bytes, about */
	RECORD_BYTES_KEPT = 4 << 20,
	ROUNDS_MAX = 1 << 20, /* of a commit that finds nodes missing: each brings one in */
};

/* ---- conflicts --------------------------------------------------------------------------------- */

/* Remembers the key as the caller knows it: without the item id, and not escaped. */
static sop_status note_key(struct sopi_transaction *txn, const struct sopi_conflict *conflict, bool has_key)
{
	const struct sopi_used *used = conflict->used;
	sop_bytes key = { has_key ? conflict->key : (const uint8_t *)"",
			  has_key ? conflict->key_size : 0 };

	if (has_key && used->store->tree.duplicates && key.size >= SOPI_ITEM_ID_BYTES) {
		key.size -= SOPI_ITEM_ID_BYTES;
		if (used->schema == NULL)
			return sopi_raw_unescape(key, &txn->conflict_key, NULL, NULL);
	}
	return sopi_buf_set(&txn->conflict_key, key.data, key.size, NULL);
}

/* Remembers for the caller what the commit failed on. */
static void note_loss(struct sopi_transaction *txn, const struct sopi_conflict *conflict,
		      const void *name, size_t name_size, bool has_key)
{
	txn->has_conflict = sopi_buf_set(&txn->conflict_store, name, name_size, NULL) == SOP_OK &&
			    note_key(txn, conflict, has_key) == SOP_OK;
}

/* Remembers where the transaction lost, for the caller and for soft locks, and ends it. */
static sop_status lose(struct sopi_transaction *txn, const struct sopi_conflict *conflict, sop_error *err)
{
	/* A key of the catalog is the name of a store. */
	const bool is_name = conflict->used == NULL || conflict->used == txn->names;
	const void *name = is_name ? conflict->key : (const void *)conflict->used->name;
	const size_t name_size = is_name ? conflict->key_size : conflict->used->name_size;
	const bool has_key = !is_name && conflict->key != NULL;

	note_loss(txn, conflict, name, name_size, has_key);
	txn->conflict_lock = sopi_softlock_of(conflict->used != NULL ? conflict->used->store->tree.id
								     : SOPI_CATALOG_ID,
					      conflict->range || !has_key ? NULL : conflict->key,
					      conflict->range || !has_key ? 0 : conflict->key_size);
	txn->conflict_store_id = conflict->used != NULL ? conflict->used->store->tree.id
							: SOPI_CATALOG_ID;
	sopi_slot_count(txn->slot, SOPI_CONFLICTS, 1);
	sopi_messages_note(&txn->engine->messages, SOP_LOG_DEBUG,
			   sopi_clock_wall_ns(txn->engine->platform->clock),
			   "a transaction conflicted in store %llu",
			   (unsigned long long)txn->conflict_store_id);
	sopi_fail_store(
		err, SOP_CONFLICT, name, name_size,
		conflict->used == NULL
			? "the store was created, dropped or renamed meanwhile; run the transaction again"
		: conflict->range
			? "a range or count that the transaction read has changed; run the transaction again"
			: "a key that the transaction read has changed; run the transaction again");
	sopi_transaction_roll_back(txn, SOP_CONFLICT);
	return SOP_CONFLICT;
}

/* Says which item an operation does not suit. */
static void tell_refused(struct sopi_transaction *txn, const struct sopi_operation *operation,
			 sop_error *err)
{
	struct sopi_used *used = operation->index;
	const struct sopi_conflict refused = { .used = used,
					       .key = sopi_operation_key(operation),
					       .key_size = operation->key_size };

	note_loss(txn, &refused, used->name, used->name_size, true);
	sopi_error_name_store(err, used->name, used->name_size);
}

static sop_status fail(struct sopi_transaction *txn, sop_status status)
{
	sopi_transaction_roll_back(txn, status);
	return status;
}

static sop_status validate(struct sopi_transaction *txn, uint64_t base, uint64_t at,
			   struct sopi_conflict *conflict, sop_error *err)
{
	struct sopi_engine *engine = txn->engine;

	return sopi_predicates_hold(&txn->predicates, &txn->arena, &engine->catalog.names.tree,
				    &engine->catalog.newest, txn->snapshot, base, at, conflict, err);
}

/* ---- before the mutex -------------------------------------------------------------------------- */

/* What a commit is about to do. */
struct plan {
	uint64_t checked_at; /* position that validation outside the mutex read at */
	size_t change_count; /* in txn->changes, those of one store side by side */
	size_t bytes; /* of keys and values, about */
	size_t log_reserved; /* bytes of log */
	bool removes_only; /* it may use what is kept back for a full disk */
	bool outcome_reserved; /* room for the transaction's id */
	bool held; /* leaves are not evicted meanwhile */
	struct sopi_large large; /* what a large commit has besides */
	const struct sopi_operation *refused; /* after SCHEMA: of the key whose value it does not suit; NULL: another reason */
	sop_bytes record; /* what it says in the log */
	size_t record_least; /* bytes of it in an attempt that found too little room for them */
	uint64_t committed_at; /* a commit of the same id, to be durable before that is said; 0: none */
};

static sop_status changes_reserve(struct sopi_transaction *txn, size_t count, sop_error *err)
{
	const size_t bytes = count * sizeof *txn->changes;
	size_t capacity = bytes;
	void *memory;

	if (count <= txn->change_capacity)
		return SOP_OK;
	memory = sopi_spare_take(&txn->engine->forest.spare, bytes, &capacity);
	if (memory == NULL)
		SOP_TRY(sopi_alloc(bytes, &memory, err));
	sopi_free(txn->changes);
	txn->changes = memory;
	txn->change_capacity = capacity / sizeof *txn->changes;
	return SOP_OK;
}

/* Lists the changes of all stores in the order of their keys, and finds the leaves that will take
 * them; those of a large commit are found one by one as it is built. */
static sop_status plan_changes(struct sopi_transaction *txn, struct plan *plan, sop_error *err)
{
	size_t total = 0;

	for (const struct sopi_used *used = txn->used; used != NULL; used = used->next)
		total += used->dropped ? 0 : used->index.entry_count;
	SOP_TRY(changes_reserve(txn, total, err));
	plan->change_count = 0;
	plan->bytes = 0;
	plan->removes_only = true;
	for (struct sopi_used *used = txn->used; used != NULL; used = used->next) {
		struct sopi_change *first = txn->changes + plan->change_count;
		const struct sopi_index *index = &used->index;
		const size_t count = index->entry_count;
		struct sopi_index_place place = { 0, 0 };

		if (used->dropped)
			continue;
		for (size_t i = 0; i < count; i++, sopi_index_next(index, &place))
			first[i] = (struct sopi_change){ sopi_index_at(index, place), NULL };
		plan->bytes += index->bytes + count * CHANGE_BYTES;
		plan->removes_only = plan->removes_only && index->remove_count == count;
		if (!used->created && SOPI_LIKELY(!sopi_is_large(total)))
			SOP_TRY(sopi_tree_find_leaves(&used->store->tree, first, count,
						      plan->checked_at, err));
		plan->change_count += count;
		used->changes_end = plan->change_count;
	}
	return SOP_OK;
}

/* Makes it likely that applying needs nothing from the system: a leaf for each change, or for what
 * they fill. */
static void prepare_memory(struct sopi_engine *engine, const struct plan *plan)
{
	const size_t leaf = engine->options.node_bytes;
	size_t filled = plan->bytes / (leaf / 2);
	size_t touched = plan->change_count < LEAVES_PREPARED_MAX ? plan->change_count
								  : LEAVES_PREPARED_MAX;

	if (SOPI_UNLIKELY(plan->large.on)) { /* most leaves are there; not the inner nodes, nor what stands for those that go */
		const struct sopi_ahead *ahead = &plan->large.ahead;

		filled = 0;
		touched = LARGE_LEAVES_PREPARED;
		sopi_memory_prepare(&engine->forest.memory, 2 * SMALL_BYTES, ahead->source_count);
		sopi_memory_prepare(&engine->forest.memory, SOPI_INNER_FACTOR * leaf,
				    2 + ahead->piece_count / INNER_CHILDREN_MIN);
	}
	sopi_memory_prepare(&engine->forest.memory, leaf, 2 + filled + touched);
	sopi_memory_prepare(&engine->forest.memory, SMALL_BYTES, 4 + filled);
}

/* Waits, if others softly hold what this transaction is about to change. */
static void respect_softlocks(struct sopi_transaction *txn, const struct plan *plan)
{
	struct sopi_engine *engine = txn->engine;
	const struct sopi_used *used = NULL;
	int64_t deadline_ns;

	if (SOPI_LIKELY(atomic_load_explicit(&engine->softlocks.held, memory_order_relaxed) == 0))
		return;
	deadline_ns = sopi_clock_monotonic_ns(engine->platform->clock) +
		      (int64_t)SOPI_SOFTLOCK_LEASE_MS * NS_PER_MS;
	if (txn->deadline_ns != 0 && txn->deadline_ns < deadline_ns)
		deadline_ns = txn->deadline_ns;
	for (size_t i = 0; i < plan->change_count; i++) {
		const struct sopi_operation *operation = txn->changes[i].newest;

		if (operation->index != used) {
			used = operation->index;
			sopi_softlock_wait(&engine->softlocks,
					   sopi_softlock_of(used->store->tree.id, NULL, 0), txn,
					   deadline_ns);
		}
		sopi_softlock_wait(&engine->softlocks,
				   sopi_softlock_of(used->store->tree.id,
						    sopi_operation_key(operation), operation->key_size),
				   txn, deadline_ns);
	}
}

/* ---- inside the mutex -------------------------------------------------------------------------- */

/* Makes extended schemas those of their stores, so that applying understands the new fields. */
static void extend_schemas(struct sopi_transaction *txn)
{
	for (struct sopi_used *used = txn->used; used != NULL; used = used->next) {
		if (used->extended) /* in an earlier attempt, which was taken back */
			atomic_store_explicit(&used->store->tree.schema,
					      used->store->schemas->schema, memory_order_release);
		if (used->extension == NULL || used->dropped)
			continue;
		used->extension->older = used->store->schemas;
		used->store->schemas = used->extension;
		atomic_store_explicit(&used->store->tree.schema, used->extension->schema,
				      memory_order_release);
		used->extension = NULL;
		used->extended = true;
	}
}

/* Takes that back. The schemas stay with their stores, since a reader may hold one. */
static void unextend_schemas(struct sopi_transaction *txn)
{
	for (struct sopi_used *used = txn->used; used != NULL; used = used->next) {
		if (used->extended)
			atomic_store_explicit(&used->store->tree.schema,
					      used->store->schemas->older->schema, memory_order_release);
	}
}

static sop_status apply_all(struct sopi_transaction *txn, struct sopi_apply *apply,
			    struct plan *plan, sop_error *err)
{
	if (SOPI_UNLIKELY(plan->large.on))
		return sopi_large_apply(txn, &plan->large, apply, err);
	for (size_t at = 0, end; at < plan->change_count; at = end) {
		const struct sopi_used *used = txn->changes[at].newest->index;

		end = sopi_changes_end(txn, at, plan->change_count);
		SOP_TRY(sopi_apply_changes(apply, &used->store->tree, txn->changes + at, end - at, err));
	}
	return SOP_OK;
}

/* Puts created stores into the catalog and hands dropped ones over to reclamation. */
static void settle_stores(struct sopi_transaction *txn, struct sopi_apply *apply)
{
	struct sopi_engine *engine = txn->engine;
	struct sopi_store **at = &txn->created;

	for (struct sopi_used *used = txn->used; used != NULL; used = used->next) {
		if (!used->dropped || used->created)
			continue;
		atomic_store_explicit(&used->store->dropped_at, apply->position, memory_order_release);
		sopi_apply_supersede(apply, &used->store->tree.version);
	}
	while (*at != NULL) {
		struct sopi_store *store = *at;
		bool lives = false;

		for (struct sopi_used *used = txn->used; used != NULL; used = used->next)
			lives = lives || (used->store == store && !used->dropped);
		if (!lives) {
			at = &store->next;
			continue;
		}
		*at = store->next;
		store->created_at = apply->position;
		sopi_catalog_add(&engine->catalog, store);
	}
	atomic_store_explicit(&engine->catalog.newest, apply->position, memory_order_release);
}

/* Tells which stores came and went. */
static void note_stores(const struct sopi_transaction *txn)
{
	const struct sopi_engine *engine = txn->engine;

	for (const struct sopi_used *used = txn->used; used != NULL; used = used->next) {
		if (used->created != used->dropped)
			sopi_messages_note(&txn->engine->messages, SOP_LOG_INFO,
					   sopi_clock_wall_ns(engine->platform->clock),
					   "store %llu was %s at position %llu",
					   (unsigned long long)used->store->tree.id,
					   used->created ? "created" : "dropped",
					   (unsigned long long)txn->position);
	}
}

/* The roots of stores that are made here are written by the next checkpoint. */
static sop_status list_created(struct sopi_transaction *txn, sop_error *err)
{
	struct sopi_forest *forest = &txn->engine->forest;

	for (const struct sopi_store *store = txn->created; store != NULL; store = store->next) {
		for (const struct sopi_used *used = txn->used; used != NULL; used = used->next) {
			if (used->store != store || used->dropped)
				continue;
			SOP_TRY(sopi_dirty_reserve(forest, err));
			sopi_dirty_add(forest, store->tree.root, store->tree.id);
			atomic_store_explicit(&store->tree.root->newest,
					      txn->engine->log->driver->next(txn->engine->log),
					      memory_order_relaxed);
		}
	}
	return SOP_OK;
}

/* From here on the commit has happened. */
static void publish(struct sopi_transaction *txn, struct sopi_apply *apply, struct plan *plan)
{
	struct sopi_engine *engine = txn->engine;
	struct sopi_log_series *series = plan->large.series;
	const struct sopi_log_entry entry = { .id = txn->id,
					      .payload = plan->record,
					      .durability = (enum sopi_durability)txn->durability,
					      .kind = series != NULL ? SOPI_LOG_LAST : SOPI_LOG_WHOLE,
					      .series = series };

	engine->log->driver->submit(engine->log, apply->position, &entry, plan->log_reserved);
	plan->log_reserved = 0; /* used up */
	plan->large.series = NULL; /* the log's */
	if (engine->forest.scratch.record.capacity > RECORD_BYTES_KEPT) /* one huge commit does not cost for ever */
		sop_buf_free(&engine->forest.scratch.record);
	for (const struct sopi_value *value = txn->values; value != NULL && engine->backend != NULL;
	     value = value->next_in_transaction) {
		if (value->committed)
			engine->backend->driver->value_committed(engine->backend, value, apply->position);
	}
	if (txn->catalog_changes != 0)
		settle_stores(txn, apply);
	sopi_apply_keep(apply);
	sopi_outcomes_add(&engine->outcomes, txn->id, apply->position);
	plan->outcome_reserved = false; /* used up */
	txn->position = apply->position;
	if (SOPI_LIKELY(txn->durability == SOPI_FLUSHED))
		atomic_store_explicit(&engine->flushed, apply->position, memory_order_relaxed);
	else
		atomic_store_explicit(&engine->weak, true, memory_order_relaxed);
	atomic_store_explicit(&engine->applied, apply->position, memory_order_seq_cst);
}

/* Values that were to be in the tree are the transaction's own again. */
static void disown_values(struct sopi_transaction *txn)
{
	for (struct sopi_value *value = txn->values; value != NULL; value = value->next_in_transaction)
		value->committed = false;
}

/* What the log is to be told. WOULD_BLOCK: that is more than was foreseen. */
static sop_status note_record(struct sopi_engine *engine, struct plan *plan,
			      const struct sopi_apply *apply, sop_error *err)
{
	const sop_buf *record = &apply->scratch->record;

	if (!apply->records)
		return SOP_OK;
	if (SOPI_UNLIKELY(plan->large.on)) {
		SOP_TRY(sopi_large_record(&plan->large, apply, err));
		record = &plan->large.last;
	}
	plan->record = (sop_bytes){ record->data, record->size };
	if (SOPI_LIKELY(record->size <= plan->log_reserved))
		return SOP_OK;
	plan->record_least = record->size; /* come back with more room */
	engine->forest.resident->absent = NULL;
	return SOP_WOULD_BLOCK;
}

/* Applies the changes at the position that is next. WOULD_BLOCK: something that it needs is missing. */
static sop_status apply_changes(struct sopi_transaction *txn, struct plan *plan,
				struct sopi_apply *apply, sop_error *err)
{
	struct sopi_engine *engine = txn->engine;
	sop_status status;

	engine->forest.scratch.record.size = 0;
	sopi_apply_begin(apply, &engine->forest, engine->log->driver->next(engine->log), plan->checked_at);
	apply->records = engine->forest.resident != NULL; /* it has a log that is replayed */
	extend_schemas(txn);
	status = apply_all(txn, apply, plan, err);
	if (status == SOP_OK && txn->created != NULL)
		status = list_created(txn, err);
	if (engine->forest.scratch.arena.newest != NULL)
		sopi_arena_reset(&engine->forest.scratch.arena);
	if (status == SOP_OK)
		status = note_record(engine, plan, apply, err);
	if (status != SOP_OK) {
		if (SOPI_UNLIKELY(status == SOP_SCHEMA))
			plan->refused = apply->scratch->refused;
		sopi_apply_undo(apply);
		unextend_schemas(txn);
		disown_values(txn);
	}
	return status;
}

static sop_status commit_locked(struct sopi_transaction *txn, struct plan *plan,
				struct sopi_conflict *conflict, sop_error *err)
{
	struct sopi_engine *engine = txn->engine;
	struct sopi_apply apply;
	bool forgotten;

	if (txn->has_own_id) {
		plan->committed_at = sopi_outcomes_find(&engine->outcomes, txn->id, &forgotten);
		if (plan->committed_at != 0)
			return sopi_fail(err, SOP_EXISTS, "a transaction of this id has committed");
	}
	if (!SOPI_PLANTED(SOPI_PLANT_VALIDATE_OUTSIDE_ONLY))
		SOP_TRY(validate(txn, plan->checked_at, SOPI_POSITION_HEAD, conflict, err));
	SOP_TRY(apply_changes(txn, plan, &apply, err));
	if (apply.operations == 0) { /* nothing has changed: it is serialized behind the newest commit */
		sopi_apply_undo(&apply);
		txn->position = atomic_load_explicit(&engine->applied, memory_order_relaxed);
		sopi_slot_count(txn->slot, SOPI_READS_ENDED, 1);
		return SOP_OK;
	}
	publish(txn, &apply, plan);
	sopi_slot_count(txn->slot, SOPI_OPERATIONS, apply.operations);
	sopi_slot_count(txn->slot, SOPI_COMMITS, 1);
	return SOP_OK;
}

/* ---- the whole --------------------------------------------------------------------------------- */

/* Waits until what the transaction has seen or done is as durable as it must be to be told of. */
static sop_status wait_for(struct sopi_transaction *txn, uint64_t position,
			   enum sopi_durability durability, sop_error *err)
{
	struct sopi_log *log = txn->engine->log;

	switch (durability) {
	case SOPI_FLUSHED:
		return log->driver->durable(log) >= position
			       ? SOP_OK
			       : log->driver->wait_durable(log, position, err);
	case SOPI_WRITTEN:
		return log->driver->wait_written(log, position, err);
	case SOPI_BUFFERED:
		break;
	}
	return SOP_OK;
}

/* A transaction that changes nothing has nothing to validate: it is serialized where it read. */
static sop_status end_reading(struct sopi_transaction *txn, sop_error *err)
{
	struct sopi_engine *engine = txn->engine;
	const sop_status status = sopi_engine_wait_flushed(engine, txn->snapshot, err);

	if (status != SOP_OK) { /* what was read may be lost */
		sopi_transaction_roll_back(txn, status);
		return status;
	}
	sopi_engine_answer(engine, txn->snapshot);
	sopi_slot_count(txn->slot, SOPI_READS_ENDED, 1);
	sopi_transaction_roll_back(txn, SOP_OK);
	txn->state = SOPI_COMMITTED;
	txn->position = txn->snapshot;
	sopi_transaction_let_go(txn);
	return SOP_OK;
}

/* Room in memory, and the large values written, before a commit on disk has a position. */
static sop_status prepare_values(struct sopi_transaction *txn, const struct plan *plan, sop_error *err)
{
	struct sopi_backend *backend = txn->engine->backend;

	if (backend == NULL)
		return SOP_OK;
	SOP_TRY(backend->driver->pace(backend, txn->deadline_ns, plan->removes_only, err));
	return txn->values != NULL ? backend->driver->write_values(backend, txn->values, err) : SOP_OK;
}

/* Room in the log; of what is large, all but a little is written there. */
static sop_status prepare_log(struct sopi_transaction *txn, struct plan *plan, sop_error *err)
{
	struct sopi_large *large = &plan->large;
	size_t bytes = plan->bytes;

	if (txn->engine->backend == NULL)
		return SOP_OK;
	SOP_TRY(sopi_large_write(txn, large, err));
	if (large->series != NULL)
		bytes = sopi_large_last_bytes(large);
	bytes = bytes < plan->record_least ? plan->record_least : bytes;
	SOP_TRY(sopi_log_room(txn->engine, bytes, plan->removes_only, err));
	plan->log_reserved = bytes;
	return SOP_OK;
}

/* What of a large commit is done before the mutex. */
static sop_status build_large(struct sopi_transaction *txn, struct plan *plan, sop_error *err)
{
	sop_status status = sopi_large_build(txn, &plan->large, plan->change_count, plan->bytes,
					     plan->removes_only, plan->checked_at, err);

	if (status == SOP_OK)
		status = prepare_log(txn, plan, err);
	if (SOPI_UNLIKELY(status == SOP_SCHEMA))
		plan->refused = plan->large.ahead.scratch.refused;
	return status;
}

/* From now on nothing is evicted, so that an attempt finds what the one before it, or its own start, brought in. */
static void hold(struct sopi_transaction *txn, struct plan *plan)
{
	struct sopi_resident *resident = txn->engine->forest.resident;

	if (plan->held || resident == NULL)
		return;
	plan->held = true;
	atomic_fetch_add(&resident->hold, 1);
}

static sop_status prepare(struct sopi_transaction *txn, struct plan *plan,
			  struct sopi_conflict *conflict, sop_error *err)
{
	struct sopi_engine *engine = txn->engine;
	size_t created = 0;

	sopi_transaction_judge_stores(txn);
	sopi_slot_choose(txn->slot);
	plan->checked_at = atomic_load_explicit(&engine->applied, memory_order_seq_cst);
	sopi_slot_publish(txn->slot, plan->checked_at, true);
	if (plan->checked_at != txn->snapshot)
		SOP_TRY(validate(txn, txn->snapshot, plan->checked_at, conflict, err));
	SOP_TRY(plan_changes(txn, plan, err));
	for (const struct sopi_store *store = txn->created; store != NULL; store = store->next)
		created++;
	SOP_TRY(sopi_catalog_reserve(&engine->catalog, created, err));
	SOP_TRY(sopi_outcomes_reserve(&engine->outcomes, err));
	plan->outcome_reserved = true;
	SOP_TRY(prepare_values(txn, plan, err));
	if (sopi_is_large(plan->change_count))
		hold(txn, plan);
	SOP_TRY(build_large(txn, plan, err));
	prepare_memory(engine, plan);
	respect_softlocks(txn, plan);
	return SOP_OK;
}

/* Takes the commit mutex, within the deadline. */
static sop_status lock(struct sopi_transaction *txn, sop_error *err)
{
	struct sopi_engine *engine = txn->engine;

	if (SOPI_LIKELY(txn->deadline_ns == 0))
		sopi_mutex_lock(&engine->commit_mutex);
	else if (!sopi_mutex_lock_until(&engine->commit_mutex, txn->deadline_ns))
		return sopi_fail(err, SOP_TIMEOUT,
				 "the deadline of the transaction has passed; it is rolled back");
	return SOP_OK;
}

/* Frees old versions; says so if they pile up. */
static void collect(struct sopi_transaction *txn)
{
	struct sopi_engine *engine = txn->engine;
	struct sopi_reclaim *reclaim = &engine->forest.reclaim;
	size_t waiting;

	sopi_reclaim_run(reclaim, &engine->answered, txn->slot);
	if (engine->backend == NULL) /* else there is a thread that does it */
		sopi_spare_tick(&engine->forest.spare);
	if (engine->forest.resident != NULL)
		(void)sopi_resident_evict(engine->forest.resident);
	waiting = sopi_reclaim_held_bytes(reclaim);
	if (SOPI_UNLIKELY(waiting > engine->options.snapshot_bytes_max))
		sopi_transaction_expire_oldest(engine);
	if (SOPI_UNLIKELY(waiting > SOPI_OLD_VERSIONS_WARN_BYTES))
		sopi_messages_note(&engine->messages, SOP_LOG_WARNING,
				   sopi_clock_wall_ns(engine->platform->clock),
				   "%zu MB of old versions are kept for open transactions; end the oldest ones",
				   waiting >> 20);
}

/* Gives back what was reserved and not used. */
static void unprepare(struct sopi_transaction *txn, struct plan *plan)
{
	struct sopi_engine *engine = txn->engine;

	if (plan->outcome_reserved)
		sopi_outcomes_unreserve(&engine->outcomes);
	if (plan->log_reserved != 0)
		engine->log->driver->unreserve(engine->log, plan->log_reserved);
	plan->outcome_reserved = false;
	plan->log_reserved = 0;
	sopi_large_clear(txn, &plan->large);
}

/* Brings in the node that was missing, or nothing if it was room in the log. */
static sop_status bring_missing(struct sopi_transaction *txn, struct plan *plan,
				const struct sopi_tree *tree, struct sopi_vnode *missing, sop_error *err)
{
	struct sopi_resident *resident = txn->engine->forest.resident;

	hold(txn, plan);
	return missing != NULL ? sopi_resident_bring(resident, tree, missing, err) : SOP_OK;
}

/* One attempt: prepares, then commits under the mutex. WOULD_BLOCK: something was missing and is there now. */
static sop_status attempt(struct sopi_transaction *txn, struct plan *plan,
			  struct sopi_conflict *conflict, sop_error *err)
{
	struct sopi_engine *engine = txn->engine;
	const struct sopi_tree *tree = NULL;
	struct sopi_vnode *missing = NULL;
	sop_status status = prepare(txn, plan, conflict, err);

	if (status == SOP_OK)
		status = lock(txn, err);
	if (status == SOP_OK) {
		status = sopi_transaction_may_go_on(txn, err); /* the last moment at which it may end */
		if (status == SOP_OK)
			status = commit_locked(txn, plan, conflict, err);
		if (SOPI_UNLIKELY(status == SOP_WOULD_BLOCK)) {
			tree = engine->forest.resident->absent_tree;
			missing = engine->forest.resident->absent;
		}
		sopi_mutex_unlock(&engine->commit_mutex);
	}
	unprepare(txn, plan);
	if (SOPI_LIKELY(status != SOP_WOULD_BLOCK))
		return status;
	SOP_TRY(bring_missing(txn, plan, tree, missing, err));
	return SOP_WOULD_BLOCK;
}

/* Gives the commit its place among all others. */
static sop_status commit(struct sopi_transaction *txn, struct plan *plan, sop_error *err)
{
	struct sopi_conflict conflict = { NULL, NULL, 0, NULL, false };
	sop_status status = SOP_WOULD_BLOCK;

	for (size_t rounds = 0; status == SOP_WOULD_BLOCK && rounds < ROUNDS_MAX; rounds++)
		status = attempt(txn, plan, &conflict, err);
	if (plan->held)
		atomic_fetch_sub(&txn->engine->forest.resident->hold, 1);
	if (status == SOP_CONFLICT)
		return lose(txn, &conflict, err);
	if (status == SOP_SCHEMA && plan->refused != NULL)
		tell_refused(txn, plan->refused, err);
	if (status == SOP_EXISTS && plan->committed_at != 0)
		status = sopi_engine_wait_durable(txn->engine, plan->committed_at, err) == SOP_OK
				 ? SOP_EXISTS
				 : SOP_FAILED;
	if (status == SOP_NO_MEMORY && (err == NULL || err->os_errno == 0)) /* else it says what the system lacks */
		sopi_fail(err, SOP_NO_MEMORY, "out of memory during the commit; it is rolled back");
	return status == SOP_OK ? SOP_OK : fail(txn, status);
}

/* What is left of a transaction whose changes are in the trees. */
static void end_committed(struct sopi_transaction *txn, bool committed)
{
	const uint64_t position = txn->position;

	sopi_transaction_roll_back(txn, committed ? SOP_OK : SOP_UNKNOWN);
	txn->state = committed ? SOPI_COMMITTED : SOPI_ENDED;
	txn->position = position;
}

enum { TIMED_ONE_IN = 16 };

/* The time, if this commit is to be timed; else 0. Next to a flush two looks at the clock are nothing; of commits that
 * wait for less some are enough. */
static int64_t begin_timing(const struct sopi_transaction *txn)
{
	const struct sopi_engine *engine = txn->engine;
	const uint64_t number =
		atomic_load_explicit(&txn->slot->counters[SOPI_COMMITS], memory_order_relaxed);

	if (engine->backend == NULL || (txn->durability != SOPI_FLUSHED && number % TIMED_ONE_IN != 0))
		return 0;
	return sopi_clock_monotonic_ns(engine->platform->clock);
}

static void end_timing(struct sopi_engine *engine, int64_t begun_ns)
{
	if (begun_ns != 0)
		sopi_histogram_note(
			&engine->commit_ns,
			(uint64_t)(sopi_clock_monotonic_ns(engine->platform->clock) - begun_ns));
}

sop_status sopi_transaction_commit(struct sopi_transaction *txn, sop_error *err)
{
	struct sopi_engine *engine = txn->engine;
	struct plan plan = { 0 };
	int64_t begun_ns;
	sop_status status;

	SOP_TRY(sopi_transaction_may_go_on(txn, err));
	if (txn->operation_count == 0)
		return end_reading(txn, err);
	begun_ns = begin_timing(txn);
	SOP_TRY(commit(txn, &plan, err));
	status = wait_for(txn, txn->position, (enum sopi_durability)txn->durability, err);
	if (SOPI_UNLIKELY(status != SOP_OK)) {
		sopi_engine_fail(engine, status);
		end_committed(txn, false);
		return status;
	}
	end_timing(engine, begun_ns);
	sopi_engine_answer(engine, txn->position);
	if (SOPI_UNLIKELY(txn->catalog_changes != 0))
		note_stores(txn);
	end_committed(txn, true);
	if (engine->backend != NULL)
		engine->backend->driver->committed(engine->backend, plan.bytes,
						   txn->durability != SOPI_FLUSHED);
	if (sopi_reclaim_due(&engine->forest.reclaim))
		collect(txn);
	return SOP_OK;
}
