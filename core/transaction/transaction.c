/* The life of a transaction handle: begin, end, and what it keeps for the next one. */
#include "transaction/transaction.h"

#include "base/alloc.h"
#include "base/uuid.h"
#include "platform/clock.h"
#include "platform/random.h"

enum { NS_PER_MS = 1000000, CHANGES_KEPT = 1 << 16 };

static int64_t now_ns(const struct sopi_transaction *txn)
{
	return sopi_clock_monotonic_ns(txn->engine->platform->clock);
}

/* ---- ids --------------------------------------------------------------------------------------- */

/* A random UUID for the handle; each begin counts up its last six bytes. */
static sop_status first_id(struct sopi_transaction *txn, sop_error *err)
{
	uint8_t random[SOPI_UUID_RANDOM_BYTES];
	struct sopi_uuid uuid;
	const struct sopi_platform *platform = txn->engine->platform;

	SOP_TRY(sopi_random_fill(platform->random, random, sizeof random, err));
	sopi_uuid_make_v7((uint64_t)(sopi_clock_wall_ns(platform->clock) / NS_PER_MS), random, &uuid);
	memcpy(txn->id, uuid.bytes, sizeof txn->id);
	txn->id_is_lent = false;
	return SOP_OK;
}

static void count_up(struct sopi_transaction *txn)
{
	for (size_t i = sizeof txn->id; i-- > 10;) { /* 48 bits: the variant bits before them stay */
		if (++txn->id[i] != 0)
			return;
	}
}

/* An id that nobody else has. One behind an id of the caller might be the caller's too, or that of another handle that came
 * from the same. */
static sop_status next_id(struct sopi_transaction *txn, sop_error *err)
{
	if (SOPI_UNLIKELY(txn->id_is_lent))
		return first_id(txn, err);
	count_up(txn);
	return SOP_OK;
}

static void forget_name(struct sopi_transaction *txn)
{
	struct sopi_engine *engine = txn->engine;
	struct sopi_transaction **at;

	if (!txn->has_own_id)
		return;
	sopi_mutex_lock(&engine->ids_mutex);
	for (at = &engine->named; *at != NULL; at = &(*at)->next_named) {
		if (*at == txn) {
			*at = txn->next_named;
			break;
		}
	}
	sopi_mutex_unlock(&engine->ids_mutex);
}

/* Takes the caller's id, unless it is open or has committed. */
static sop_status take_id(struct sopi_transaction *txn, const uint8_t *id, sop_error *err)
{
	struct sopi_engine *engine = txn->engine;
	const struct sopi_transaction *other;
	uint64_t committed_at;
	bool forgotten;

	committed_at = sopi_outcomes_find(&engine->outcomes, id, &forgotten);
	if (committed_at != 0) { /* which is told when nothing can undo it */
		SOP_TRY(sopi_engine_wait_durable(engine, committed_at, err));
		return sopi_fail(err, SOP_EXISTS, "a transaction of this id has committed");
	}
	sopi_mutex_lock(&engine->ids_mutex);
	for (other = engine->named; other != NULL && memcmp(other->id, id, 16) != 0;
	     other = other->next_named) {
	}
	if (other == NULL) {
		memcpy(txn->id, id, sizeof txn->id);
		txn->id_is_lent = true;
		txn->next_named = engine->named;
		engine->named = txn;
	}
	sopi_mutex_unlock(&engine->ids_mutex);
	return other == NULL ? SOP_OK : sopi_fail(err, SOP_EXISTS, "a transaction of this id is open");
}

/* ---- begin ------------------------------------------------------------------------------------- */

sop_status sopi_transaction_init(struct sopi_transaction *txn, struct sopi_engine *engine, sop_error *err)
{
	memset(txn, 0, sizeof *txn);
	txn->engine = engine;
	txn->arena.spare = &engine->forest.spare;
	SOP_TRY(first_id(txn, err));
	return sopi_slot_take(&engine->forest.reclaim, txn, &txn->slot, err);
}

sop_status sopi_transaction_begin(struct sopi_transaction *txn, uint32_t mode, int64_t deadline_ms,
				  const uint8_t *id, sop_error *err)
{
	struct sopi_engine *engine = txn->engine;
	uint64_t words[2];
	sop_status status = SOP_OK;
	bool writes;

	if (SOPI_UNLIKELY(engine->options.read_only))
		mode = SOP_READ;
	writes = mode == SOP_WRITE || mode == SOP_NOCHECK;
	/* A reader sees what has been answered, a writer what has been applied. */
	txn->snapshot = atomic_load_explicit(writes ? &engine->applied : &engine->answered,
					     memory_order_seq_cst);
	sopi_slot_publish(txn->slot, txn->snapshot, false);
	txn->has_own_id = false;
	if (SOPI_UNLIKELY(atomic_load_explicit(&engine->failed, memory_order_relaxed)))
		status = sopi_engine_has_failed(err);
	else if (SOPI_UNLIKELY(!writes && atomic_load_explicit(&engine->weak, memory_order_relaxed)))
		status = sopi_engine_wait_flushed(engine, txn->snapshot, err);
	if (status == SOP_OK)
		status = id != NULL ? take_id(txn, id, err) : next_id(txn, err);
	if (status != SOP_OK) {
		sopi_slot_forget(txn->slot);
		return status;
	}
	txn->has_own_id = id != NULL;
	memcpy(words, txn->id, sizeof words);
	atomic_store_explicit(&txn->id_words[0], words[0], memory_order_relaxed);
	atomic_store_explicit(&txn->id_words[1], words[1], memory_order_relaxed);
	txn->mode = (uint8_t)mode;
	txn->state = SOPI_OPEN;
	txn->failure = SOP_OK;
	txn->begun++;
	sopi_slot_count(txn->slot, SOPI_BEGINS, 1);
	atomic_store_explicit(&txn->slot->seen_ns, 0, memory_order_relaxed);
	txn->position = txn->snapshot;
	txn->deadline_ms = deadline_ms;
	atomic_store_explicit(&txn->cancelled, false, memory_order_relaxed);
	atomic_store_explicit(&txn->expired, SOPI_POSITION_NONE, memory_order_relaxed);
	return SOP_OK;
}

/* ---- end --------------------------------------------------------------------------------------- */

/* Frees values that were not committed. */
static void free_values(struct sopi_transaction *txn)
{
	while (txn->values != NULL) {
		struct sopi_value *value = txn->values;

		txn->values = value->next_in_transaction;
		if (!value->committed)
			sopi_forest_dispose(&txn->engine->forest, &value->version);
	}
	txn->value_bytes = 0;
}

void sopi_transaction_reset(struct sopi_transaction *txn)
{
	while (txn->used != NULL) {
		struct sopi_used *used = txn->used;

		txn->used = used->next;
		sopi_used_free_extension(used);
		sopi_index_clear(&used->index);
		used->next = txn->unused;
		txn->unused = used;
	}
	while (txn->created != NULL) {
		struct sopi_store *store = txn->created;

		txn->created = store->next;
		sopi_store_destroy(store);
	}
	free_values(txn);
	memset(&txn->predicates, 0, sizeof txn->predicates);
	txn->names = NULL;
	txn->last = NULL;
	txn->operation_count = 0;
	txn->catalog_changes = 0;
	txn->savepoint_count = 0;
	txn->savepoints_made = 0;
	if (txn->arena.newest != NULL)
		sopi_arena_reset(&txn->arena);
	if (txn->change_capacity > CHANGES_KEPT) { /* one huge transaction does not cost for ever */
		sopi_spare_give(&txn->engine->forest.spare, txn->changes,
				txn->change_capacity * sizeof *txn->changes);
		txn->changes = NULL;
		txn->change_capacity = 0;
	}
}

void sopi_transaction_roll_back(struct sopi_transaction *txn, sop_status failure)
{
	sopi_transaction_reset(txn);
	sopi_slot_forget(txn->slot);
	forget_name(txn);
	txn->has_own_id = false;
	txn->state = SOPI_ENDED;
	txn->failure = failure;
}

void sopi_transaction_destroy(struct sopi_transaction *txn)
{
	if (txn->state == SOPI_OPEN)
		sopi_transaction_roll_back(txn, SOP_CLOSED);
	sopi_softlock_release(&txn->engine->softlocks, txn);
	while (txn->unused != NULL) {
		struct sopi_used *used = txn->unused;

		txn->unused = used->next;
		sopi_index_free(&used->index);
		sopi_free(used);
	}
	sopi_arena_free(&txn->arena);
	sopi_free(txn->savepoints);
	sopi_free(txn->changes);
	txn->savepoints = NULL;
	txn->changes = NULL;
	txn->savepoint_capacity = txn->change_capacity = 0;
	sop_buf_free(&txn->key_room);
	sop_buf_free(&txn->ride_room);
	sop_buf_free(&txn->conflict_store);
	sop_buf_free(&txn->conflict_key);
	txn->has_conflict = false;
	memset(txn->resolved, 0, sizeof txn->resolved);
}

sop_status sopi_transaction_may_go_on(struct sopi_transaction *txn, sop_error *err)
{
	sop_status status = SOP_OK;

	if (SOPI_UNLIKELY(atomic_load_explicit(&txn->engine->failed, memory_order_relaxed)))
		status = sopi_engine_has_failed(err);
	else if (SOPI_UNLIKELY(atomic_load_explicit(&txn->cancelled, memory_order_relaxed)))
		status = sopi_fail(err, SOP_CANCELLED, "the transaction was cancelled and is rolled back");
	else if (SOPI_UNLIKELY(atomic_load_explicit(&txn->expired, memory_order_relaxed) == txn->snapshot))
		status = sopi_fail(err, SOP_TIMEOUT,
				   "the transaction is the oldest, and more than snapshot_bytes_max (%llu bytes) of old "
				   "versions are kept for open ones; it is rolled back",
				   (unsigned long long)txn->engine->options.snapshot_bytes_max);
	else if (SOPI_UNLIKELY(txn->deadline_ns != 0) && now_ns(txn) >= txn->deadline_ns)
		status = sopi_fail(err, SOP_TIMEOUT,
				   "the deadline of the transaction has passed; it is rolled back");
	if (SOPI_UNLIKELY(status != SOP_OK))
		sopi_transaction_roll_back(txn, status);
	return status;
}

bool sopi_transaction_is_open(struct sopi_engine *engine, const uint8_t id[16])
{
	struct sopi_reclaim *reclaim = &engine->forest.reclaim;
	struct sopi_slot_chunk *chunk = NULL;
	struct sopi_slot *slot;
	uint64_t words[2];
	size_t index = 0;
	bool open = false;

	sopi_mutex_lock(&reclaim->slots_mutex); /* owners stay meanwhile */
	while ((slot = sopi_slot_next(reclaim, &chunk, &index)) != NULL) {
		const struct sopi_transaction *owner = slot->owner;

		if (owner == NULL || atomic_load(&slot->snapshot) == SOPI_POSITION_NONE)
			continue;
		words[0] = atomic_load_explicit(&owner->id_words[0], memory_order_relaxed);
		words[1] = atomic_load_explicit(&owner->id_words[1], memory_order_relaxed);
		open = open || memcmp(words, id, sizeof words) == 0;
	}
	sopi_mutex_unlock(&reclaim->slots_mutex);
	return open;
}

void sopi_transaction_expire_oldest(struct sopi_engine *engine)
{
	struct sopi_reclaim *reclaim = &engine->forest.reclaim;
	struct sopi_slot_chunk *chunk = NULL;
	struct sopi_transaction *oldest = NULL;
	uint64_t least = SOPI_POSITION_NONE;
	struct sopi_slot *slot;
	size_t index = 0;

	sopi_mutex_lock(&reclaim->slots_mutex); /* owners stay meanwhile */
	while ((slot = sopi_slot_next(reclaim, &chunk, &index)) != NULL) {
		const uint64_t snapshot = atomic_load(&slot->snapshot);

		if (slot->owner != NULL && snapshot < least) {
			least = snapshot;
			oldest = slot->owner;
		}
	}
	if (oldest != NULL)
		atomic_store_explicit(&oldest->expired, least, memory_order_relaxed);
	sopi_mutex_unlock(&reclaim->slots_mutex);
}

void sopi_transaction_let_go(struct sopi_transaction *txn)
{
	struct sopi_engine *engine = txn->engine;
	struct sopi_reclaim *reclaim = &engine->forest.reclaim;

	if (SOPI_UNLIKELY(atomic_load_explicit(&reclaim->held_least, memory_order_relaxed) == txn->snapshot))
		sopi_reclaim_run(reclaim, &engine->answered, txn->slot);
}
