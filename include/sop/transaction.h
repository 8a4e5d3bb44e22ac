/* Transactions: strictly serializable, over any number of stores of one database. */
#ifndef SOP_TRANSACTION_H
#define SOP_TRANSACTION_H

#include <sop/database.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A transaction. Used by one thread at a time (it may move between threads); two calls at once get
 * MISUSE, except sop_txn_cancel. A handle is renewed rather than made anew: after its end,
 * sop_txn_renew begins the next one on it. */
typedef struct sop_txn sop_txn;

/* What a transaction may do and what is promised about its reads. */
typedef enum sop_mode {
	SOP_WRITE = 0, /* reads and writes; every read is validated at commit: strictly serializable */
	SOP_READ = 1, /* reads only; strictly serializable at its begin; never CONFLICT */
	SOP_SNAPSHOT = 2, /* SOP_READ without the freshness check of clustered modes */
	SOP_NOCHECK = 3 /* reads and writes; its reads are not validated (updates, removes and inserts still are) */
} sop_mode;

/* Options of sop_begin and sop_run. Initialise with SOP_TXN_OPTIONS_INIT. */
typedef struct sop_txn_options {
	size_t struct_size; /* sizeof(sop_txn_options) */
	uint32_t mode; /* a sop_mode */
	uint32_t reserved; /* 0 */
	int64_t deadline_ms; /* milliseconds from begin after which it ends with TIMEOUT; 0: the database's default */
	uint8_t id[16]; /* the caller's own transaction id (a UUID); all zero: one is made */
	uint32_t durability; /* a sop_durability (options.h) of its commit; 0: the database's default */
	uint32_t reserved2; /* 0 */
} sop_txn_options;

#define SOP_TXN_OPTIONS_INIT                                                                       \
	{                                                                                          \
		sizeof(sop_txn_options), SOP_WRITE, 0, 0, { 0 }, 0, 0                              \
	}

/* Begins a transaction on `db`.
 * options: mode, deadline, id and durability; NULL for a writing transaction with the defaults.
 * out: the transaction, owned by the caller: sop_commit or sop_rollback end it, sop_txn_free frees
 * it.
 * err: filled on failure; may be NULL.
 * Returns OK; EXISTS (the given id has committed or is open); MISUSE; LIMIT (deadline beyond 10
 * years); CLOSED; FORKED; FAILED (the database stopped after an I/O error: close it and open it
 * again); NO_MEMORY. Any thread; does not block. */
SOP_API sop_status sop_begin(sop_db *db, const sop_txn_options *options, sop_txn **out, sop_error *err);

/* Commits `txn`: validates its reads and makes its changes visible and durable, all at once, or not
 * at all. How durable they are when it answers says its `durability` (sop_durability).
 * err: filled on failure; may be NULL.
 * Returns OK (a transaction that has committed answers OK again).
 * Certainly not committed, also after opening again, and rolled back:
 *   CONFLICT   another one changed what it read: sop_txn_conflict names the key; run it again, as
 *              sop_run does
 *   TIMEOUT, CANCELLED   before its position was given: later the answer is OK, UNKNOWN or FAILED
 *   EXISTS     its id has committed
 *   SCHEMA     sop_add, min or max met a value that is no 8-byte integer: `err` names the store,
 *              sop_txn_conflict the key
 *   LIMIT      it is larger than `transaction_bytes_max`, or than the log can hold
 *   NO_MEMORY, NO_SPACE   free some, which removing does too, and run it again
 *   CORRUPT    a page that it needs is damaged: `err` names file and place; run sop_verify
 *   IO         a page that it needs, or a large value, could not be read or written
 *   FAILED     the database had stopped after an I/O error before its turn: close it, open it again
 * UNKNOWN: the log could not be flushed; whether it is there only opening again can tell: close the
 * database, open it, and ask sop_txn_outcome with its id. Never run it again before.
 * CLOSED; FORKED; MISUSE (it was rolled back, or another call is running in it).
 * Blocks for the durable point, and, where too much is not checkpointed yet, for the disk. */
SOP_API sop_status sop_commit(sop_txn *txn, sop_error *err);

/* Rolls `txn` back: none of its changes happens. Its cursors end. Waits for a call that is running
 * in it.
 * err: filled on failure; may be NULL.
 * Returns OK, also when it had ended; CLOSED; FORKED; MISUSE if it has committed, is NULL or no
 * transaction. Any thread. */
SOP_API sop_status sop_rollback(sop_txn *txn, sop_error *err);

/* Begins anew on the handle of a transaction that has ended, with the options it was begun with:
 * its deadline_ms counts from now. An id of the caller is kept, since the same work is tried again,
 * unless it has committed: then the next one has an id of its own. Cheaper than sop_begin: nothing
 * is allocated.
 * txn: a transaction that has committed, was rolled back or failed.
 * err: filled on failure; may be NULL.
 * Returns OK; EXISTS (the id that is kept has committed, by this handle, which could not tell, or by another; or another
 * transaction with it is open); MISUSE if it is still open; CLOSED; FORKED; FAILED. */
SOP_API sop_status sop_txn_renew(sop_txn *txn, sop_error *err);

/* The retry loop for languages that cannot hand over a function: after any call on `txn` failed
 * with the trait ABORT (CONFLICT), rolls back, waits a moment (jittered, growing), and begins again
 * on the same handle with the same options and the deadline that was set at first. From the sixth
 * attempt on, the keys that conflicted are softly locked, so that others wait instead of
 * overtaking.
 * txn: the transaction whose last call failed.
 * err: filled on failure; may be NULL.
 * Returns OK: run the body again; otherwise the final status: that of the failed call if it cannot
 * be retried, TIMEOUT once the deadline has passed, CANCELLED, CLOSED, FORKED, FAILED; MISUSE if
 * nothing failed: it stays open then, so a loop can tell its conflicts from those of other
 * transactions that come out of its body. Where the body wants to be run again although nothing
 * failed, sop_rollback and sop_txn_renew do that. Blocks for the wait. */
SOP_API sop_status sop_txn_again(sop_txn *txn, sop_error *err);

/* Asks `txn` to end: its running and later calls return CANCELLED, and so does its commit unless
 * its position has been given already. The only call that any thread may make while another call
 * runs in the transaction.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE; CLOSED; FORKED. Never blocks. */
SOP_API sop_status sop_txn_cancel(sop_txn *txn, sop_error *err);

/* Frees the handle of `txn`, rolling it back first if it is open. Takes NULL. Cursors opened in it
 * keep their shells and return CLOSED. */
SOP_API void sop_txn_free(sop_txn *txn);

/* The id of `txn`, known before commit, for sop_txn_outcome.
 * id: receives 16 bytes, a UUID in its usual order.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE; CLOSED; FORKED. */
SOP_API sop_status sop_txn_id(sop_txn *txn, uint8_t id[16], sop_error *err);

/* The position of `txn`: after a commit that changed something its own, unique and ascending along
 * the serial order and real time;
 * otherwise the position it reads at (the state after that position).
 * position: receives it.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE (rolled back or failed); CLOSED; FORKED. */
SOP_API sop_status sop_txn_position(sop_txn *txn, uint64_t *position, sop_error *err);

/* How often the body of `txn` has been begun by sop_txn_again or sop_run: 1 the first time.
 * attempts: receives it.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE; CLOSED; FORKED. */
SOP_API sop_status sop_txn_attempts(sop_txn *txn, uint32_t *attempts, sop_error *err);

/* What `txn` conflicted on; after a commit that failed with SCHEMA, where the value is that is no
 * integer.
 * store: receives a view of the store's name; key: receives a view of the key (encoded; the first
 * key of a range that changed; empty if the store itself or its count changed). Both views live
 * until the handle begins again or is freed.
 * err: filled on failure; may be NULL.
 * Returns OK; NOT_FOUND if it has had neither; MISUSE; CLOSED; FORKED. */
SOP_API sop_status sop_txn_conflict(sop_txn *txn, sop_bytes *store, sop_bytes *key, sop_error *err);

/* Marks a place in the changes of `txn` to which sop_rollback_to can return. Every mode has them; where
 * a transaction only reads there is nothing to undo.
 * savepoint: receives its number, valid until rolled back beyond or until the end of the
 * transaction, which never gives it to another.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE; TIMEOUT, CANCELLED (the transaction is rolled back); CLOSED; FORKED; FAILED;
 * NO_MEMORY. */
SOP_API sop_status sop_savepoint(sop_txn *txn, uint64_t *savepoint, sop_error *err);

/* Undoes the changes that `txn` made since `savepoint`, which stays. What it read since then is
 * still validated.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE (no such savepoint); TIMEOUT, CANCELLED (the transaction is rolled back); CLOSED;
 * FORKED; FAILED; NO_MEMORY; IO, CORRUPT (a page with a number that an undone sop_add, min or max
 * counted on cannot be read). If it fails, nothing is undone. */
SOP_API sop_status sop_rollback_to(sop_txn *txn, uint64_t savepoint, sop_error *err);

/* The body of sop_run: works in `txn` and returns OK to commit, anything else to roll back. It may
 * run more than once, so it should change nothing outside the transaction. `arg` is what sop_run
 * was given. `err` is never NULL. */
typedef sop_status (*sop_body)(sop_txn *txn, void *arg, sop_error *err);

/* Runs `body` in a transaction on `db` and commits it; on a status with the trait ABORT (a
 * conflict) rolls back, waits and runs it again until the deadline, or for 30 seconds if neither
 * `options` nor the database sets one; a body that does not conflict may take longer than these.
 * UNKNOWN is never retried.
 * options: as in sop_begin; may be NULL.
 * arg: handed to `body`.
 * err: filled on failure; may be NULL.
 * Returns the status of the commit (as sop_commit), or the first one of `body` that cannot be
 * retried; TIMEOUT. Blocks. */
SOP_API sop_status sop_run(sop_db *db, const sop_txn_options *options, sop_body body, void *arg,
			   sop_error *err);

/* What became of a transaction. */
typedef enum sop_outcome {
	SOP_OUTCOME_NOT_COMMITTED = 0, /* rolled back, failed, changed nothing, or never seen */
	SOP_OUTCOME_COMMITTED = 1,
	SOP_OUTCOME_PENDING = 2, /* still open */
	SOP_OUTCOME_UNKNOWN = 3 /* too old: more than a million transactions have written since */
} sop_outcome;

/* Asks `db` what became of the transaction `id` (16 bytes). Exact for the last million that wrote,
 * also after closing and opening again.
 * outcome: receives a sop_outcome; position: receives its position if it has committed, else 0;
 * may be NULL.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE; CLOSED; FORKED; FAILED (the database stopped after an I/O error: open it again
 * and ask then). Any thread. */
SOP_API sop_status sop_txn_outcome(sop_db *db, const uint8_t id[16], sop_outcome *outcome,
				   uint64_t *position, sop_error *err);

#ifdef __cplusplus
}
#endif

#endif
