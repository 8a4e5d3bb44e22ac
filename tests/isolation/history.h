/* Histories: what transactions did, what they were answered, when, and at which position. Actors
 * (actor.h) write them while they work, each into a log of its own; replay.h judges them
 * afterwards. Keys are numbers here, values are known by a hash. */
#ifndef ISOLATION_HISTORY_H
#define ISOLATION_HISTORY_H

#include "support/support.h"

#define HISTORY_STORES_MAX 32

/* Where there is no position. */
#define HISTORY_NO_POSITION UINT64_MAX

/* A value as it was seen. Values of 8 bytes are known entirely. */
struct value_seen {
	uint64_t head; /* the first 8 bytes, little-endian */
	uint64_t hash; /* of all bytes */
	uint64_t size; /* bytes */
};

struct value_seen value_seen(sop_bytes value);
struct value_seen value_seen_u64(uint64_t number);

/* An item as it was seen. */
struct item_seen {
	uint64_t key;
	uint64_t item; /* item id, 0 where keys are unique */
	uint64_t version; /* position that wrote it, 0: the transaction that looks */
	struct value_seen value;
};

/* A range of keys: from (included, or with `after` excluded) up to `to` (excluded). */
struct key_range {
	uint64_t from;
	uint64_t to;
	bool has_from;
	bool has_to;
	bool after;
};

enum event_kind {
	EVENT_GET, /* key, item -> seen */
	EVENT_SCAN, /* range, flags -> items */
	EVENT_STEP, /* range, place, key, item, flags -> seen: one step of a cursor */
	EVENT_COUNT, /* range or not -> number */
	EVENT_PUT, /* key, seen.value */
	EVENT_INSERT, /* key, seen.value -> item */
	EVENT_UPDATE, /* key, item, seen.value */
	EVENT_REMOVE, /* key, item */
	EVENT_ADD, /* key, number */
	EVENT_MIN, /* key, number */
	EVENT_MAX, /* key, number */
	EVENT_REMOVE_RANGE, /* range -> number */
	EVENT_SAVEPOINT, /* -> number */
	EVENT_ROLLBACK_TO, /* number */
	EVENT_CREATE, /* store */
	EVENT_DROP, /* store */
	EVENT_RENAME, /* store, number: the index of the new name */
	EVENT_LIST, /* -> number: bit i is set if store i is there */
	EVENT_NO_STORE /* an operation was answered that there is no such store */
};

/* Flags of events. */
#define EVENT_REVERSE                                                                              \
	1u /* SCAN: from the end; STEP: the last before the place instead of the first behind it */
#define EVENT_KEYS 2u /* values were not read, and their changes are no conflict */
#define EVENT_COMPLETE 4u /* SCAN: there were no more */
#define EVENT_RANGED 8u /* COUNT: over `range`, not over the whole store */
#define EVENT_UNVERSIONED 16u /* the version was not told */

/* Where a STEP goes out from. */
enum event_place {
	PLACE_END, /* the end of the range that lies in its back */
	PLACE_BEYOND, /* key, item; itself excluded */
	PLACE_AT /* key, item; itself included */
};

struct event {
	uint8_t kind; /* an event_kind */
	uint8_t store; /* index of the name it was called with */
	uint8_t flags; /* EVENT_... */
	uint8_t place; /* an event_place */
	sop_status status; /* OK, NOT_FOUND or EXISTS: the answer */
	uint64_t key;
	uint64_t item;
	uint64_t number;
	struct key_range range;
	struct item_seen seen;
	size_t item_first; /* SCAN: where its items begin in the log */
	size_t item_count;
};

enum txn_end {
	TXN_OPEN,
	TXN_COMMITTED,
	TXN_ABORTED /* for whatever reason: none of its changes may ever be seen */
};

struct txn_record {
	size_t event_first;
	size_t event_count;
	int64_t begin_ns; /* taken just before it began */
	int64_t end_ns; /* taken just after it was answered */
	uint64_t snapshot; /* the position it read at */
	uint64_t position; /* TXN_COMMITTED: as sop_txn_position says */
	uint64_t latest; /* where `snapshot` is only the earliest position it may have: the latest; else 0 */
	sop_status status; /* how it ended */
	uint8_t mode; /* a sop_mode */
	uint8_t end; /* a txn_end */
	bool claims_nothing; /* sop_txn_outcome says that it changed nothing */
	bool floats; /* it read at some position from `snapshot` to `latest` */
};

/* The transactions of one thread, in their order. */
struct history_log {
	struct event *events;
	size_t event_count;
	size_t event_capacity;
	struct item_seen *items;
	size_t item_count;
	size_t item_capacity;
	struct txn_record *txns;
	size_t txn_count;
	size_t txn_capacity;
};

struct history {
	struct history_log *logs;
	size_t log_count;
	bool duplicates[HISTORY_STORES_MAX]; /* whether the stores keep equal keys */
};

void history_init(struct history *history, size_t log_count);
void history_free(struct history *history);

/* Opens the record of a transaction in `log`; the one before must have ended. */
struct txn_record *history_begin(struct history_log *log, sop_mode mode, int64_t begin_ns);

/* Adds an event, all zero but its kind and store, to the open transaction. The pointer lives
 * until the next event. */
struct event *history_event(struct history_log *log, enum event_kind kind, size_t store);

/* Adds an item to the last event, a SCAN. */
void history_item(struct history_log *log, const struct item_seen *item);

/* Ends the open transaction of `log`. */
void history_commit(struct history_log *log, uint64_t position, int64_t end_ns);
void history_abort(struct history_log *log, sop_status status, int64_t end_ns);

/* The open transaction, NULL if there is none. */
struct txn_record *history_open_txn(struct history_log *log);

/* Writes the event as text of at most `size` bytes. */
void history_describe(const struct history_log *log, const struct event *event, char *text, size_t size);

/* Prints all that a transaction did on standard error. */
void history_print(const struct history_log *log, const struct txn_record *txn);

#endif
