/* Checking handles, and telling callers what is wrong with them. */
#include "api/handle.h"

#include "base/alloc.h"

sop_status sopi_misuse(sop_error *err, const char *function, const char *what)
{
	if (strchr(what, ';') != NULL)
		return sopi_fail(err, SOP_MISUSE, "%s: %s", function, what);
	return sopi_fail(err, SOP_MISUSE, "%s: %s; look up what it takes", function, what);
}

sop_status sopi_struct_read(void *to, size_t size, size_t smallest, const void *from,
			    const char *function, sop_error *err)
{
	const uint8_t *bytes = from;
	size_t given;

	memcpy(&given, from, sizeof given); /* the first member of every such structure */
	if (given < smallest || given > 4096)
		return sopi_fail(err, SOP_MISUSE,
				 "%s: struct_size is %zu; initialise the structure with its _INIT macro",
				 function, given);
	for (size_t i = size; i < given; i++) {
		if (bytes[i] != 0)
			return sopi_fail(err, SOP_MISUSE,
					 "%s: the structure is from a newer version and uses what this library lacks; update it",
					 function);
	}
	memcpy(to, from, given < size ? given : size);
	return SOP_OK;
}

/* ---- databases --------------------------------------------------------------------------------- */

sop_status sopi_db_check(const sop_db *db, const char *function, sop_error *err)
{
	if (db == NULL || sopi_tag_of(db) != SOPI_TAG_DB)
		return sopi_misuse(err, function, "db is no database; pass one that was opened");
	if (db->fork_generation != sopi_fork_generation())
		return sopi_fail(err, SOP_FORKED,
				 "%s: the database was opened before fork; open it again in this process",
				 function);
	return SOP_OK;
}

sop_status sopi_db_enter(sop_db *db, bool choosing, const char *function,
			 struct sopi_transaction **reader, sop_error *err)
{
	struct sopi_engine *engine;
	size_t at;

	SOP_TRY(sopi_db_check(db, function, err));
	if (atomic_load_explicit(&db->closed, memory_order_acquire))
		return sopi_fail(err, SOP_CLOSED, "%s: the database is closed; open it again", function);
	engine = db->engine;
	/* Threads have stacks of their own: they begin at different readers. */
	at = (size_t)(((uintptr_t)&at >> 12) * 0x9E3779B97F4A7C15u >> 60);
	for (;; at++) {
		const uint64_t found = sopi_slot_claim(&engine->forest.reclaim,
						       db->slots[at % SOPI_READERS], choosing);

		if (found == SOPI_SLOT_IDLE) {
			*reader = &db->readers[at % SOPI_READERS];
			return SOP_OK;
		}
		if (found == SOPI_SLOT_CLOSED)
			return sopi_fail(err, SOP_CLOSED,
					 "%s: the database is closed; open it again", function);
		if (at % SOPI_READERS == 0)
			sopi_yield(); /* more threads than readers: one will be idle soon */
	}
}

void sopi_db_leave(struct sopi_transaction *reader)
{
	sopi_slot_release(reader->slot);
}

static sop_status opened_read_only(const char *function, sop_error *err)
{
	return sopi_fail(err, SOP_READ_ONLY,
			 "%s: the database was opened with the option read_only; open it without",
			 function);
}

sop_status sopi_db_enter_backend(sop_db *db, const char *function, struct sopi_transaction **reader,
				 struct sopi_backend **backend, sop_error *err)
{
	SOP_TRY(sopi_db_enter(db, false, function, reader, err));
	if (db->engine->options.read_only) {
		sopi_db_leave(*reader);
		return opened_read_only(function, err);
	}
	sopi_slot_park((*reader)->slot);
	*backend = db->engine->backend;
	return SOP_OK;
}

void sopi_db_reference(sop_db *db)
{
	atomic_fetch_add_explicit(&db->references, 1, memory_order_relaxed);
}

void sopi_db_unreference(sop_db *db)
{
	const bool alive = db->fork_generation == sopi_fork_generation();

	if (atomic_fetch_sub_explicit(&db->references, 1, memory_order_acq_rel) != 1)
		return;
	db->tag = SOPI_TAG_FREED;
	if (alive) {
		for (size_t i = 0; i < SOPI_READERS; i++)
			sopi_slot_give(&db->engine->forest.reclaim, db->slots[i]);
		sopi_mutex_destroy(&db->close_mutex);
	}
	sopi_instance_unreference(db->instance, alive);
	sopi_free(db->readers);
	sopi_free(db->path);
	sopi_free(db);
}

/* ---- stores ------------------------------------------------------------------------------------ */

sop_status sopi_store_check(const sop_store *store, const sop_db *db, const char *function, sop_error *err)
{
	if (store == NULL || sopi_tag_of(store) != SOPI_TAG_STORE)
		return sopi_misuse(err, function, "store is no store; pass one that was declared");
	if (store->db != db)
		return sopi_misuse(
			err, function,
			"the store was opened on another handle of a database; open it on this one");
	return SOP_OK;
}

/* ---- transactions ------------------------------------------------------------------------------ */

sop_status sopi_txn_refuse(const sop_txn *txn, uint64_t found, const char *function, sop_error *err)
{
	if (txn == NULL || sopi_tag_of(txn) != SOPI_TAG_TXN)
		return sopi_misuse(err, function, "txn is no transaction; pass one that was begun");
	if (txn->db->fork_generation != sopi_fork_generation())
		return sopi_fail(err, SOP_FORKED, "%s: the transaction was begun before fork", function);
	if (found == SOPI_SLOT_CLOSED)
		return sopi_fail(err, SOP_CLOSED,
				 "%s: the database or the transaction is closed; open or begin a new one",
				 function);
	return sopi_misuse(err, function,
			   "another call is running in this transaction; use it from one thread at a time");
}

sop_status sopi_txn_ended(sop_txn *txn, const char *function, sop_error *err)
{
	const bool committed = txn->core.state == SOPI_COMMITTED;
	const sop_status failure = txn->core.failure;

	sopi_txn_leave(txn);
	if (failure == SOP_TIMEOUT || failure == SOP_CANCELLED)
		return sopi_fail(err, failure, "%s: the transaction was rolled back: %s", function,
				 sop_status_text(failure));
	return sopi_fail(err, SOP_MISUSE, "%s: the transaction %s; begin the next one", function,
			 committed ? "has committed" : "was rolled back");
}

sop_status sopi_txn_only_reads(const sop_txn *txn, const char *function, sop_error *err)
{
	if (txn->db->engine->options.read_only)
		return opened_read_only(function, err);
	return sopi_fail(err, SOP_READ_ONLY,
			 "%s: the transaction only reads; begin one for writing", function);
}

sop_status sopi_txn_enter_change(sop_txn *txn, const sop_store *store, const char *function,
				 struct sopi_used **used, sop_error *err)
{
	SOP_TRY(sopi_txn_enter_store(txn, store, function, used, err));
	if (sopi_transaction_writes(&txn->core))
		return SOP_OK;
	sopi_txn_leave(txn);
	return sopi_txn_only_reads(txn, function, err);
}

void sopi_txn_reference(sop_txn *txn)
{
	atomic_fetch_add_explicit(&txn->references, 1, memory_order_relaxed);
}

void sopi_txn_unreference(sop_txn *txn)
{
	sop_db *db = txn->db;

	if (atomic_fetch_sub_explicit(&txn->references, 1, memory_order_acq_rel) != 1)
		return;
	txn->tag = SOPI_TAG_FREED;
	if (db->fork_generation == sopi_fork_generation())
		sopi_slot_give(&db->engine->forest.reclaim, txn->core.slot);
	sopi_free(txn);
	sopi_db_unreference(db);
}
