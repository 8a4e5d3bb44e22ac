/* Worlds and actors: a database with small nodes, in memory or on disk, and the threads that work on it and record all
 * they do and see.
 *
 * An actor wraps the calls of the library one by one. What ends a transaction before its commit
 * (a conflict, a deadline, a cancellation) makes the actor *doomed*: its further calls do
 * nothing and return the same status, so that bodies can be written without a test behind every
 * call. Statuses that may not happen are noted as failures of the test. */
#ifndef ISOLATION_ACTOR_H
#define ISOLATION_ACTOR_H

#include "isolation/history.h"

#include "support/folder.h"

#include <stdatomic.h>

/* What a call of an actor returns when the store is not there; the transaction goes on. Not a
 * sop_status. */
#define ACTOR_NO_STORE (-1000)

/* What a body returns to roll back what it did; actor_perform then returns it too. Not a
 * sop_status. */
#define ACTOR_ROLLBACK (-1001)

/* Kinds of transactions that an actor keeps a handle of. */
enum actor_kind {
	ACTOR_WRITE,
	ACTOR_READ,
	ACTOR_NOCHECK,
	ACTOR_HURRIED, /* writes, with a deadline that it now and then misses */
	ACTOR_KINDS
};

struct world_options {
	size_t threads;
	size_t stores; /* named by number; they are created unless `stores_absent` */
	bool stores_absent;
	uint64_t duplicates; /* bit i: store i keeps equal keys */
	unsigned key_padding_max; /* keys are 8 bytes and up to so many more */
	unsigned yield_once_in; /* gives way before one call in so many; 0: never */
	bool cancels; /* somebody cancels transactions: CANCELLED may happen */
};

struct world;

struct actor {
	struct world *world;
	size_t index;
	struct history_log *log;
	struct test_rng rng;
	_Atomic(sop_txn *) handles[ACTOR_KINDS]; /* others only cancel them */
	sop_txn *txn; /* the one at hand */
	enum actor_kind kind;
	sop_mode mode;
	sop_status doomed; /* SOP_OK: not */
	uint64_t value_count; /* values made by it so far: each is unique */
	sop_buf key; /* what the last call read */
	sop_buf value;
	sop_buf made; /* the last value it made */
	sop_buf rows;
	struct item_seen *items; /* what the last scan saw */
	size_t item_capacity;
	int64_t run_begin_ns;
	sop_error err;
};

struct world {
	struct world_options options;
	sop_db *db;
	sop_store *stores[HISTORY_STORES_MAX];
	struct history history;
	struct actor *actors; /* one a thread, and one more for the thread of the test */
	_Atomic uint64_t conflicts;
	_Atomic uint64_t timeouts;
	_Atomic uint64_t cancellations;
	_Atomic bool stop; /* for threads that work until others have finished */
	bool on_disk;
	unsigned reopened; /* times */
	char folder[TEST_PATH_BYTES]; /* on disk: where */
};

/* Once set, every actor stops at its next attempt; what was done so far can be judged. */
extern _Atomic bool actor_gives_up;

/* Where the worlds that are opened from now on live. On disk next to nothing of the nodes may stay in memory, and
 * checkpoints follow on each other: everything is evicted and loaded all the time. */
void world_settle_on_disk(bool on_disk);

/* Opens an empty database as `options` say. */
void world_open(struct world *world, const struct world_options *options);

/* The actor of the thread of the test; for the time when the others do not run. */
struct actor *world_main_actor(struct world *world);

/* Runs `body` in all threads of the world, each with its actor. */
void world_run(struct world *world, void (*body)(struct actor *actor, void *arg), void *arg);

/* On disk: closes the database and opens it again, every other time as if its process had been killed after a flush,
 * and looks at everything that is in it. In memory it does nothing. REQUIRES: the threads do not run. */
void world_reopen(struct world *world);

/* In how many parts a workload is to run, with world_reopen between them. */
uint64_t world_parts(const struct world *world);

/* Now and then, on disk: a checkpoint, gc, verification or flush. For every turn of a thread. */
void world_maintain(struct actor *actor);

/* What world_judge found. */
struct verdict {
	uint64_t transactions; /* checked: committed, read-only and aborted ones */
	uint64_t committed; /* of these, with a position of their own */
	uint64_t conflicts;
	uint64_t timeouts;
	uint64_t cancellations;
	uint64_t answers; /* compared */
	int64_t standstill_ns; /* the longest time in which nobody was answered */
	uint64_t anomalies;
};

/* Records the final state of all stores, checks the history and the tree; what is wrong is noted
 * as failures. */
struct verdict world_judge(struct world *world);
void world_close(struct world *world);

/* ---- transactions ---------------------------------------------------------------------------- */

sop_status actor_begin(struct actor *actor, enum actor_kind kind);
sop_status actor_commit(struct actor *actor);
void actor_rollback(struct actor *actor);

/* sop_txn_again after a call that failed; OK: the body runs again. */
sop_status actor_again(struct actor *actor);

typedef sop_status (*actor_body)(struct actor *actor, void *arg);

/* Three ways to repeat a transaction that conflicts. */
enum actor_how { ACTOR_BY_RENEW, ACTOR_BY_AGAIN, ACTOR_BY_RUN, ACTOR_HOWS };

/* Begins, runs `body`, commits, and begins again while it conflicts. Returns the status of the
 * commit or what the body returned; TIMEOUT and CANCELLED are not repeated. */
sop_status actor_perform(struct actor *actor, enum actor_how how, enum actor_kind kind,
			 actor_body body, void *arg);

/* ---- operations: recorded calls -------------------------------------------------------------- */

/* Everything. */
struct key_range range_all(void);
/* From `from` (included) to `to` (excluded). */
struct key_range range_of(uint64_t from, uint64_t to);

/* `seen` may be NULL; the bytes of the value are in actor->value. */
sop_status actor_get(struct actor *actor, size_t store, uint64_t key, uint64_t item,
		     struct item_seen *seen);

/* Reads a key in one call, outside of any transaction; no transaction may be open. */
void actor_read_alone(struct actor *actor, size_t store, uint64_t key);

/* Visits at most `limit` items (0: all). `items` receives those that were seen, valid until the
 * next call. flags: EVENT_REVERSE, EVENT_KEYS. Returns OK also if there are none. */
sop_status actor_scan(struct actor *actor, size_t store, const struct key_range *range,
		      unsigned flags, size_t limit, const struct item_seen **items, size_t *count);
/* `range` NULL: the validated count of the store. */
sop_status actor_count(struct actor *actor, size_t store, const struct key_range *range, uint64_t *count);
sop_status actor_get_many(struct actor *actor, size_t store, const uint64_t *keys, size_t count,
			  struct item_seen *seen);

sop_status actor_put(struct actor *actor, size_t store, uint64_t key, sop_bytes value);
/* `item` may be NULL. */
sop_status actor_insert(struct actor *actor, size_t store, uint64_t key, sop_bytes value, uint64_t *item);
sop_status actor_update(struct actor *actor, size_t store, uint64_t key, uint64_t item, sop_bytes value);
sop_status actor_remove(struct actor *actor, size_t store, uint64_t key, uint64_t item);
/* kind: EVENT_ADD, EVENT_MIN or EVENT_MAX. */
sop_status actor_arithmetic(struct actor *actor, enum event_kind kind, size_t store, uint64_t key,
			    int64_t by);
sop_status actor_remove_range(struct actor *actor, size_t store, const struct key_range *range,
			      uint64_t *removed);
sop_status actor_savepoint(struct actor *actor, uint64_t *savepoint);
sop_status actor_rollback_to(struct actor *actor, uint64_t savepoint);

sop_status actor_create(struct actor *actor, size_t store);
sop_status actor_drop(struct actor *actor, size_t store);
sop_status actor_rename(struct actor *actor, size_t store, size_t to);
/* `names`: bit i is set if store i is there. */
sop_status actor_list(struct actor *actor, uint64_t *names);

/* A value that nobody else writes, of `size` bytes (at least 8); it lives until the next one is
 * made. */
sop_bytes actor_value(struct actor *actor, size_t size);
/* One of random size, mostly small. */
sop_bytes actor_any_value(struct actor *actor);

/* ---- cursors --------------------------------------------------------------------------------- */

/* Where a cursor goes on from, as the event of the next step will say. */
struct actor_place {
	uint8_t place; /* an event_place */
	uint64_t key;
	uint64_t item;
};

struct actor_cursor {
	struct actor *actor;
	sop_cursor *cursor;
	size_t store;
	struct key_range range;
	unsigned flags; /* EVENT_KEYS or 0 */
	bool reverse; /* the direction of fetches */
	struct actor_place next;
	struct actor_place prev;
	uint64_t key; /* the item it stands on, if the last move found one */
	uint64_t item;
};

enum actor_move { MOVE_FIRST, MOVE_LAST, MOVE_NEXT, MOVE_PREV };

sop_status actor_cursor_open(struct actor *actor, struct actor_cursor *cursor, size_t store,
			     const struct key_range *range, unsigned flags);
/* Returns OK or NOT_FOUND; `seen` may be NULL. */
sop_status actor_cursor_move(struct actor_cursor *cursor, enum actor_move move, struct item_seen *seen);
/* Moves over up to `rows_max` items in the direction it was opened with; OK or NOT_FOUND. */
sop_status actor_cursor_fetch(struct actor_cursor *cursor, size_t rows_max);
sop_status actor_cursor_seek(struct actor_cursor *cursor, uint64_t key, sop_seek where,
			     struct item_seen *seen);
sop_status actor_cursor_entry(struct actor_cursor *cursor, struct item_seen *seen);
sop_status actor_cursor_update(struct actor_cursor *cursor, sop_bytes value);
sop_status actor_cursor_remove(struct actor_cursor *cursor);
void actor_cursor_close(struct actor_cursor *cursor);

#endif
