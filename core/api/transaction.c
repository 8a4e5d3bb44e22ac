/* Beginning, ending and retrying transactions. */
#include "api/handle.h"
#include "base/alloc.h"
#include "platform/clock.h"

enum { NS_PER_MS = 1000000 };

/* Ten years. */
#define DEADLINE_MS_MAX ((int64_t)3653 * 24 * 3600 * 1000)

static const uint8_t no_id[16];

/* ---- begin ------------------------------------------------------------------------------------- */

static sop_status read_options(const sop_txn_options *given, sop_txn_options *options,
			       const char *function, sop_error *err)
{
	const sop_txn_options defaults = SOP_TXN_OPTIONS_INIT;

	*options = defaults;
	if (given != NULL)
		SOP_TRY(sopi_struct_read(options, sizeof *options, sizeof(size_t) + 4, given,
					 function, err));
	options->struct_size = sizeof *options;
	if (options->mode > SOP_NOCHECK)
		return sopi_misuse(
			err, function,
			"mode is beyond its limits; it is to write, to read, a snapshot, or without checks");
	if (options->reserved != 0 || options->reserved2 != 0)
		return sopi_misuse(err, function, "reserved must be 0");
	if (options->durability > SOP_BUFFERED)
		return sopi_misuse(err, function,
				   "durability is beyond its limits; it is flushed, written or buffered");
	if (options->deadline_ms < 0)
		return sopi_misuse(err, function, "deadline_ms is negative");
	if (options->deadline_ms > DEADLINE_MS_MAX)
		return sopi_fail(err, SOP_LIMIT, "%s: deadline_ms is beyond its limit of ten years",
				 function);
	return SOP_OK;
}

/* Sets the deadline of a first attempt. */
static void set_deadline(sop_txn *txn, int64_t deadline_ms)
{
	struct sopi_engine *engine = txn->db->engine;

	if (deadline_ms == 0)
		deadline_ms = engine->options.deadline_ms;
	txn->core.deadline_ns = deadline_ms == 0 ? 0
						 : sopi_clock_monotonic_ns(engine->platform->clock) +
							   deadline_ms * NS_PER_MS;
	txn->core.attempts = 1;
}

/* How durable a commit shall be that was asked for in this way; 0: as the database says. */
static uint8_t durability_of(const sop_txn *txn, uint32_t asked)
{
	switch (asked) {
	case SOP_FLUSHED:
		return SOPI_FLUSHED;
	case SOP_WRITTEN:
		return SOPI_WRITTEN;
	case SOP_BUFFERED:
		return SOPI_BUFFERED;
	default:
		return (uint8_t)txn->db->engine->options.durability;
	}
}

static sop_status begin_first(sop_txn *txn, sop_error *err)
{
	const bool has_id = memcmp(txn->options.id, no_id, sizeof no_id) != 0;

	set_deadline(txn, txn->options.deadline_ms);
	txn->core.durability = durability_of(txn, txn->options.durability);
	return sopi_transaction_begin(&txn->core, txn->options.mode, txn->options.deadline_ms,
				      has_id ? txn->options.id : NULL, err);
}

static sop_status txn_new(sop_db *db, const sop_txn_options *options, sop_txn **out, sop_error *err)
{
	void *memory = NULL;
	sop_status status;
	sop_txn *txn;

	SOP_TRY(sopi_alloc_aligned(_Alignof(sop_txn), sizeof *txn, &memory, err));
	txn = memory;
	memset(txn, 0, sizeof *txn);
	status = sopi_transaction_init(&txn->core, db->engine, err);
	if (status != SOP_OK) {
		sopi_free(txn);
		return status;
	}
	txn->tag = SOPI_TAG_TXN;
	atomic_init(&txn->references, 1);
	txn->db = db;
	sopi_slot_join(txn->core.slot, db);
	txn->options = *options;
	sopi_db_reference(db);
	*out = txn;
	return SOP_OK;
}

sop_status sop_begin(sop_db *db, const sop_txn_options *options, sop_txn **out, sop_error *err)
{
	struct sopi_transaction *reader = NULL;
	sop_txn_options all;
	sop_txn *txn = NULL;
	sop_status status;

	SOP_TRY(sopi_db_check(db, __func__, err));
	if (out == NULL)
		return sopi_misuse(err, __func__, "out is NULL");
	SOP_TRY(read_options(options, &all, __func__, err));
	SOP_TRY(sopi_db_enter(db, false, __func__, &reader, err)); /* keeps the database open meanwhile */
	status = txn_new(db, &all, &txn, err);
	sopi_db_leave(reader);
	SOP_TRY(status);
	status = sopi_txn_enter(txn, true, __func__, err);
	if (status == SOP_OK) {
		status = begin_first(txn, err);
		sopi_txn_leave(txn);
	}
	if (status != SOP_OK) {
		sop_txn_free(txn);
		return status;
	}
	*out = txn;
	return SOP_OK;
}

sop_status sop_txn_renew(sop_txn *txn, sop_error *err)
{
	sop_status status;

	SOP_TRY(sopi_txn_enter(txn, true, __func__, err));
	if (txn->core.state == SOPI_OPEN) {
		status = sopi_misuse(err, __func__,
				     "the transaction is still open; commit it or roll it back first");
	} else {
		sopi_softlock_release(&txn->db->engine->softlocks, &txn->core);
		if (txn->core.state == SOPI_COMMITTED) /* an id is of one transaction */
			memset(txn->options.id, 0, sizeof txn->options.id);
		txn->core.has_conflict = false;
		status = begin_first(txn, err);
	}
	sopi_txn_leave(txn);
	return status;
}

/* ---- end --------------------------------------------------------------------------------------- */

sop_status sop_commit(sop_txn *txn, sop_error *err)
{
	sop_status status;

	SOP_TRY(sopi_txn_enter(txn, false, __func__, err));
	if (txn->core.state == SOPI_COMMITTED) {
		sopi_txn_leave(txn);
		return SOP_OK;
	}
	if (txn->core.state != SOPI_OPEN)
		return sopi_txn_ended(txn, __func__, err);
	status = sopi_transaction_commit(&txn->core, err);
	/* Whoever does not come back must not hold others up: the next attempt takes them again. */
	sopi_softlock_release(&txn->db->engine->softlocks, &txn->core);
	sopi_txn_leave(txn);
	return status;
}

/* Claims a transaction, waiting for a call that is running in it. */
static sop_status enter_waiting(sop_txn *txn, const char *function, sop_error *err)
{
	if (txn == NULL || sopi_tag_of(txn) != SOPI_TAG_TXN ||
	    txn->db->fork_generation != sopi_fork_generation())
		return sopi_txn_refuse(txn, SOPI_SLOT_IDLE, function, err);
	for (;;) {
		const uint64_t found =
			sopi_slot_claim(&txn->db->engine->forest.reclaim, txn->core.slot, false);

		if (found == SOPI_SLOT_IDLE)
			return SOP_OK;
		if (found == SOPI_SLOT_CLOSED)
			return sopi_txn_refuse(txn, found, function, err);
		sopi_yield();
	}
}

sop_status sop_rollback(sop_txn *txn, sop_error *err)
{
	sop_status status = SOP_OK;

	SOP_TRY(enter_waiting(txn, __func__, err));
	if (txn->core.state == SOPI_COMMITTED) {
		status = sopi_misuse(err, __func__,
				     "the transaction has committed; that cannot be undone");
	} else if (txn->core.state == SOPI_OPEN) {
		sopi_slot_count(txn->core.slot, SOPI_ROLLBACKS, 1);
		sopi_transaction_roll_back(&txn->core, SOP_OK);
		sopi_transaction_let_go(&txn->core);
	}
	if (status == SOP_OK)
		sopi_softlock_release(&txn->db->engine->softlocks, &txn->core);
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_txn_cancel(sop_txn *txn, sop_error *err)
{
	if (txn == NULL || sopi_tag_of(txn) != SOPI_TAG_TXN ||
	    txn->db->fork_generation != sopi_fork_generation())
		return sopi_txn_refuse(txn, SOPI_SLOT_IDLE, __func__, err);
	if (atomic_load_explicit(&txn->core.slot->state, memory_order_acquire) == SOPI_SLOT_CLOSED)
		return sopi_txn_refuse(txn, SOPI_SLOT_CLOSED, __func__, err);
	atomic_store_explicit(&txn->core.cancelled, true, memory_order_relaxed);
	return SOP_OK;
}

static void end_core(void *owner)
{
	sopi_transaction_destroy(owner);
}

void sop_txn_free(sop_txn *txn)
{
	if (txn == NULL || sopi_tag_of(txn) != SOPI_TAG_TXN || atomic_exchange(&txn->freed, true))
		return;
	if (enter_waiting(txn, __func__, NULL) == SOP_OK) {
		sopi_transaction_destroy(&txn->core);
		atomic_store_explicit(&txn->core.slot->state, SOPI_SLOT_CLOSED, memory_order_release);
	} else if (txn->db->fork_generation == sopi_fork_generation()) {
		/* The database is being closed, and may not have come to this one yet. */
		sopi_slot_end(&txn->db->engine->forest.reclaim, txn->core.slot, end_core);
	}
	sopi_txn_unreference(txn);
}

/* ---- asking ------------------------------------------------------------------------------------ */

sop_status sop_txn_id(sop_txn *txn, uint8_t id[16], sop_error *err)
{
	SOP_TRY(sopi_txn_enter(txn, false, __func__, err));
	if (id == NULL) {
		sopi_txn_leave(txn);
		return sopi_misuse(err, __func__, "id is NULL");
	}
	memcpy(id, txn->core.id, sizeof txn->core.id);
	sopi_txn_leave(txn);
	return SOP_OK;
}

sop_status sop_txn_position(sop_txn *txn, uint64_t *position, sop_error *err)
{
	sop_status status = SOP_OK;

	SOP_TRY(sopi_txn_enter(txn, false, __func__, err));
	if (position == NULL)
		status = sopi_misuse(err, __func__, "position is NULL");
	else if (txn->core.state == SOPI_ENDED)
		status = sopi_misuse(err, __func__, "the transaction was rolled back; it has no position");
	else
		*position = txn->core.position;
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_txn_attempts(sop_txn *txn, uint32_t *attempts, sop_error *err)
{
	sop_status status = SOP_OK;

	SOP_TRY(sopi_txn_enter(txn, false, __func__, err));
	if (attempts == NULL)
		status = sopi_misuse(err, __func__, "attempts is NULL");
	else
		*attempts = txn->core.attempts;
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_txn_conflict(sop_txn *txn, sop_bytes *store, sop_bytes *key, sop_error *err)
{
	sop_status status = SOP_OK;

	SOP_TRY(sopi_txn_enter(txn, false, __func__, err));
	if (store == NULL || key == NULL) {
		status = sopi_misuse(err, __func__, "store or key is NULL");
	} else if (!txn->core.has_conflict) {
		status = sopi_fail(err, SOP_NOT_FOUND, "the transaction has had no conflict");
	} else {
		*store = (sop_bytes){ txn->core.conflict_store.data, txn->core.conflict_store.size };
		*key = (sop_bytes){ txn->core.conflict_key.data, txn->core.conflict_key.size };
	}
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_txn_outcome(sop_db *db, const uint8_t id[16], sop_outcome *outcome,
			   uint64_t *position, sop_error *err)
{
	struct sopi_transaction *reader = NULL;
	const struct sopi_transaction *other;
	struct sopi_engine *engine;
	uint64_t at;
	bool forgotten = false;

	SOP_TRY(sopi_db_check(db, __func__, err));
	if (id == NULL || outcome == NULL)
		return sopi_misuse(err, __func__, "id or outcome is NULL");
	SOP_TRY(sopi_db_enter(db, false, __func__, &reader, err));
	engine = db->engine;
	sopi_mutex_lock(&engine->ids_mutex);
	for (other = engine->named; other != NULL && memcmp(other->id, id, 16) != 0;
	     other = other->next_named) {
	}
	sopi_mutex_unlock(&engine->ids_mutex);
	at = sopi_outcomes_find(&engine->outcomes, id, &forgotten);
	if (at > atomic_load(&engine->answered)) { /* nobody was told so yet */
		*outcome = atomic_load(&engine->failed) ? SOP_OUTCOME_UNKNOWN : SOP_OUTCOME_PENDING;
		at = 0;
	} else if (at != 0)
		*outcome = SOP_OUTCOME_COMMITTED;
	else if (other != NULL || sopi_transaction_is_open(engine, id))
		*outcome = SOP_OUTCOME_PENDING;
	else
		*outcome = forgotten ? SOP_OUTCOME_UNKNOWN : SOP_OUTCOME_NOT_COMMITTED;
	if (position != NULL)
		*position = at;
	sopi_db_leave(reader);
	return SOP_OK;
}

/* ---- savepoints -------------------------------------------------------------------------------- */

/* A transaction that only reads has them too: there is nothing to undo in it, and code that takes them need not know. */
sop_status sop_savepoint(sop_txn *txn, uint64_t *savepoint, sop_error *err)
{
	sop_status status;

	SOP_TRY(sopi_txn_enter_open(txn, __func__, err));
	status = savepoint == NULL ? sopi_misuse(err, __func__, "savepoint is NULL")
				   : sopi_transaction_savepoint(&txn->core, savepoint, err);
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_rollback_to(sop_txn *txn, uint64_t savepoint, sop_error *err)
{
	sop_status status;

	SOP_TRY(sopi_txn_enter_open(txn, __func__, err));
	status = sopi_transaction_roll_back_to(&txn->core, savepoint, err);
	sopi_txn_leave(txn);
	return status;
}

/* ---- retrying ---------------------------------------------------------------------------------- */

/* Begins the next attempt on the same handle. */
static sop_status begin_again(sop_txn *txn, sop_error *err)
{
	const bool has_id = memcmp(txn->options.id, no_id, sizeof no_id) != 0;
	sop_status status;

	sopi_slot_choose(txn->core.slot);
	status = sopi_transaction_begin(&txn->core, txn->options.mode, txn->options.deadline_ms,
					has_id ? txn->options.id : NULL, err);
	if (status != SOP_OK) {
		txn->core.failure = status;
		return status;
	}
	txn->core.attempts++;
	sopi_slot_count(txn->core.slot, SOPI_RETRIES, 1);
	return SOP_OK;
}

sop_status sop_txn_again(sop_txn *txn, sop_error *err)
{
	sop_status failure, status;

	SOP_TRY(sopi_txn_enter(txn, false, __func__, err));
	failure = txn->core.state == SOPI_ENDED ? txn->core.failure : SOP_OK;
	if (failure == SOP_OK) {
		status = sopi_misuse(err, __func__,
				     "nothing failed in the transaction; there is nothing to run again");
	} else if (atomic_load_explicit(&txn->core.cancelled, memory_order_relaxed)) {
		status = sopi_fail(err, SOP_CANCELLED, "the transaction was cancelled");
	} else if (failure != SOP_CONFLICT) { /* a deadline that has passed does not come back */
		status = sopi_fail(err, failure,
				   "%s: the transaction failed with %s, which is not retried; begin a new one",
				   __func__, sop_status_name(failure));
	} else {
		status = sopi_transaction_back_off(&txn->core, err);
		if (status == SOP_OK)
			status = begin_again(txn, err);
	}
	if (status != SOP_OK)
		sopi_softlock_release(&txn->db->engine->softlocks, &txn->core);
	sopi_txn_leave(txn);
	return status;
}

/* A body may answer CONFLICT itself, to be run again. */
static void end_conflicting(sop_txn *txn)
{
	if (sopi_txn_enter(txn, false, "sop_run", NULL) != SOP_OK)
		return;
	if (txn->core.state == SOPI_OPEN)
		sopi_transaction_roll_back(&txn->core, SOP_CONFLICT);
	sopi_txn_leave(txn);
}

/* TIMEOUT at `ends_ns`, for who set no deadline: a long body is not cut off, but one that always conflicts ends. */
static sop_status may_run_again(const sop_txn *txn, int64_t ends_ns, sop_error *err)
{
	if (sopi_clock_monotonic_ns(txn->db->engine->platform->clock) < ends_ns)
		return SOP_OK;
	return sopi_fail(err, SOP_TIMEOUT,
			 "sop_run: the transaction conflicts still, %d seconds after its beginning; set deadline_ms",
			 SOPI_RUN_RETRIES_MS / 1000);
}

static sop_status run_attempts(sop_txn *txn, sop_body body, void *arg, int64_t ends_ns, sop_error *err)
{
	for (;;) {
		sop_status status = body(txn, arg, err);

		if (status == SOP_OK)
			status = sop_commit(txn, err);
		if (status != SOP_CONFLICT)
			return status;
		end_conflicting(txn);
		SOP_TRY(may_run_again(txn, ends_ns, err));
		SOP_TRY(sop_txn_again(txn, err));
	}
}

sop_status sop_run(sop_db *db, const sop_txn_options *options, sop_body body, void *arg, sop_error *err)
{
	sop_error unused = SOP_ERROR_INIT;
	sop_txn_options all;
	sop_txn *txn = NULL;
	int64_t ends_ns = INT64_MAX;
	sop_status status;

	SOP_TRY(sopi_db_check(db, __func__, err));
	if (body == NULL)
		return sopi_misuse(err, __func__, "body is NULL");
	SOP_TRY(read_options(options, &all, __func__, err));
	if (all.deadline_ms == 0 && db->engine->options.deadline_ms == 0)
		ends_ns = sopi_clock_monotonic_ns(db->engine->platform->clock) +
			  (int64_t)SOPI_RUN_RETRIES_MS * NS_PER_MS;
	SOP_TRY(sop_begin(db, &all, &txn, err));
	status = run_attempts(txn, body, arg, ends_ns, err != NULL ? err : &unused);
	sop_txn_free(txn);
	return status;
}
