/* Stores (named B-Trees): declaring, creating, dropping, and the operations on their items. */
#ifndef SOP_STORE_H
#define SOP_STORE_H

#include <sop/key.h>
#include <sop/transaction.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a store is declared. Initialise with SOP_STORE_OPTIONS_INIT. */
typedef struct sop_store_options {
	size_t struct_size; /* sizeof(sop_store_options) */
	const sop_schema *schema; /* of its keys; NULL: keys are raw bytes. Copied. */
	uint32_t duplicates; /* 0: keys are unique; 1: equal keys are kept, in order of insertion */
	uint32_t node_items; /* items in a node, 4 to 20000; 0: as many as fit by bytes */
} sop_store_options;

#define SOP_STORE_OPTIONS_INIT                                                                     \
	{                                                                                          \
		sizeof(sop_store_options), NULL, 0, 0                                              \
	}

/* Declares the store `name` on `db`. Reads nothing: whether it exists, and has the declared schema,
 * is looked up in each transaction that uses it, so a declaration may come before sop_store_create
 * and outlive a drop.
 * name: 1 to 255 bytes of UTF-8 without control characters; everything else is data (`../x` is just
 * a name).
 * options: what is expected, or what sop_store_create shall make; NULL: whatever is there
 * (creating: raw unique keys). With options given,
 * another schema or uniqueness in the database is SCHEMA at first use, naming the
 * difference. Ride-along fields appended to those of the store are the one change that is allowed: the first
 * transaction that may write and uses the store makes them its own (one that only reads sees it so), older items
 * have their defaults, and declarations without them get SCHEMA from then on.
 * out: the declaration, owned by the caller: sop_store_free. Thread-safe.
 * err: filled on failure; may be NULL.
 * Returns OK; LIMIT (a name longer than 255 bytes, node_items outside its range); MISUSE (an empty
 * or malformed name, a NULL); CLOSED; FORKED; NO_MEMORY. */
SOP_API sop_status sop_store_open(sop_db *db, sop_bytes name, const sop_store_options *options,
				  sop_store **out, sop_error *err);

/* Frees the declaration `store`; the store in the database stays. Takes NULL. Transactions that
 * use it go on. */
SOP_API void sop_store_free(sop_store *store);

/* The declared name of `store`, NUL-terminated, valid until sop_store_free. NULL if `store` is
 * NULL or no store. */
SOP_API const char *sop_store_name(const sop_store *store);

/* Creates `store` as declared, in `txn`.
 * err: filled on failure; may be NULL.
 * Returns OK; EXISTS (a store of that name is there: the transaction goes on); READ_ONLY; MISUSE;
 * LIMIT; CLOSED; FORKED; TIMEOUT; CANCELLED; NO_MEMORY; CORRUPT, IO, FAILED (see "keys" below). */
SOP_API sop_status sop_store_create(sop_txn *txn, sop_store *store, sop_error *err);

/* Drops the store that `store` names, with all its items, in `txn`. Concurrent transactions that
 * use it conflict.
 * err: filled on failure; may be NULL.
 * Returns OK; NOT_FOUND; the rest as sop_store_create. */
SOP_API sop_status sop_store_drop(sop_txn *txn, sop_store *store, sop_error *err);

/* Renames the store that `store` names to `to` in `txn`; the declaration keeps its old name.
 * to: the new name, as in sop_store_open.
 * err: filled on failure; may be NULL.
 * Returns OK; NOT_FOUND; EXISTS (there is a store `to`); the rest as sop_store_create. */
SOP_API sop_status sop_store_rename(sop_txn *txn, sop_store *store, sop_bytes to, sop_error *err);

/* Lists the names of all stores in `txn`, in byte order.
 * names: receives them one after the other, each followed by a NUL byte.
 * count: receives how many; may be NULL.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE; CLOSED; FORKED; TIMEOUT; CANCELLED; NO_MEMORY; CORRUPT, IO, FAILED. */
SOP_API sop_status sop_store_list(sop_txn *txn, sop_buf *names, size_t *count, sop_error *err);

/* How a store is kept. Initialise with SOP_STORE_INFO_INIT. */
typedef struct sop_store_info {
	size_t struct_size; /* sizeof(sop_store_info) */
	uint64_t id; /* number of the store, never used again */
	uint32_t duplicates; /* 1: equal keys are kept */
	uint32_t has_schema; /* 1: keys have a schema */
	uint32_t node_items; /* items in a node as created; 0: by bytes */
	uint32_t reserved; /* 0 */
} sop_store_info;

#define SOP_STORE_INFO_INIT                                                                        \
	{                                                                                          \
		sizeof(sop_store_info), 0, 0, 0, 0, 0                                              \
	}

/* Tells how `store` is kept, as `txn` sees it.
 * info: receives it; struct_size must be set.
 * schema: receives the schema as canonical JSON, empty if it has none; may be NULL.
 * err: filled on failure; may be NULL.
 * Returns OK; NOT_FOUND; the rest as sop_store_list. */
SOP_API sop_status sop_store_describe(sop_txn *txn, sop_store *store, sop_store_info *info,
				      sop_buf *schema, sop_error *err);

/* ---- keys
 * ----------------------------------------------------------------------------------------------------
 * In a store with a schema a key is what sop_key_pack makes: the sort fields, then any of the
 * ride-along fields. Where a key only names an item, ride-along fields are ignored. In a store
 * without one a key is any bytes, also none. The sort part is at most SOP_KEY_BYTES_MAX bytes, a
 * value at most SOP_VALUE_BYTES_MAX: LIMIT beyond. `item` names one of several items with an equal
 * key in a store with duplicates (0: the oldest); it must be 0 elsewhere.
 *
 * Unless a function says otherwise it returns OK; NOT_FOUND if the store is not there (then, and
 * only then, `err` names a store); SCHEMA (malformed key, wrong schema), LIMIT, READ_ONLY, MISUSE,
 * NO_MEMORY: the call did nothing and the transaction goes on; TIMEOUT, CANCELLED: it is rolled
 * back; CLOSED; FORKED; CORRUPT, IO: a page could not be read, `err` names file and place, run
 * sop_verify; FAILED: the database has stopped after an I/O error, close it and open it again. All of
 * them belong to the thread that uses `txn`, and block if a page must be read.
 * `err` is filled on failure and may be NULL. */

/* The largest value, in bytes. */
#define SOP_VALUE_BYTES_MAX ((size_t)1 << 30)

/* Flags of sop_fetch. */
/* WOULD_BLOCK instead of reading a page from disk. (The oldest of several equal keys, item 0 in a store with duplicates,
 * may be read all the same.) */
#define SOP_NOWAIT 1u

/* What is known about an item besides its key and value. */
typedef struct sop_item {
	uint64_t version; /* the position that wrote it; 0: this transaction */
	uint64_t item; /* its item id in a store with duplicates, else 0 */
} sop_item;

/* Reads the value of `key` in `store` in `txn` into `value`. err: may be NULL.
 * Returns OK; NOT_FOUND: no such key (`value` is left alone); else as above. */
SOP_API sop_status sop_get(sop_txn *txn, sop_store *store, sop_bytes key, sop_buf *value, sop_error *err);

/* Reads an item of `store` in `txn` with all that is known about it.
 * key, item: name it. flags: SOP_NOWAIT or 0.
 * whole_key: receives the key with its ride-along fields; may be NULL. value: receives the value;
 * may be NULL (it is not read then).
 * about: receives version and item id; may be NULL. err: may be NULL.
 * Returns OK; NOT_FOUND: no such item; WOULD_BLOCK; else as above. */
SOP_API sop_status sop_fetch(sop_txn *txn, sop_store *store, sop_bytes key, uint64_t item, uint32_t flags,
			     sop_buf *whole_key, sop_buf *value, sop_item *about, sop_error *err);

/* Puts `value` under `key` in `store` in `txn`, added or replaced, without looking: two blind puts
 * never conflict.
 * Ride-along fields that `key` leaves out take their defaults. err: may be NULL.
 * Returns as above; MISUSE in a store with duplicates. */
SOP_API sop_status sop_put(sop_txn *txn, sop_store *store, sop_bytes key, sop_bytes value,
			   sop_error *err);

/* Adds `value` under `key` to `store` in `txn` if the key is not there; always in a store with
 * duplicates.
 * item: receives the new item id, 0 in a store without duplicates; may be NULL. err: may be NULL.
 * Returns OK; EXISTS: the key is there, nothing was done (`err` names the store); else as above. */
SOP_API sop_status sop_insert(sop_txn *txn, sop_store *store, sop_bytes key, sop_bytes value,
			      uint64_t *item, sop_error *err);

/* Replaces the value of the item `key`, `item` of `store` in `txn`. Ride-along fields that `key`
 * leaves out are kept. err: may be NULL.
 * Returns OK; NOT_FOUND: no such item, nothing was done; else as above. */
SOP_API sop_status sop_update(sop_txn *txn, sop_store *store, sop_bytes key, uint64_t item,
			      sop_bytes value, sop_error *err);

/* Replaces the ride-along fields of the item `key`, `item` of `store` in `txn` with those in `key`
 * (those it leaves out are kept); its value is
 * not touched. err: may be NULL.
 * Returns OK; NOT_FOUND: no such item, nothing was done; SCHEMA if the store has no ride-along
 * fields; else as above. */
SOP_API sop_status sop_set_ride(sop_txn *txn, sop_store *store, sop_bytes key, uint64_t item,
				sop_error *err);

/* Removes the item `key`, `item` of `store` in `txn`. err: may be NULL.
 * Returns OK; NOT_FOUND: no such item, nothing was done; else as above. */
SOP_API sop_status sop_remove(sop_txn *txn, sop_store *store, sop_bytes key, uint64_t item,
			      sop_error *err);

/* Adds `by` to the integer under `key` of `store` in `txn`: 8 bytes, little-endian, two's
 * complement; it wraps; a missing key counts as 0. Nothing counts as read, so concurrent additions
 * never conflict. A value that is no 8-byte integer is SCHEMA (`err` names the store): here if the
 * transaction can see it, and then it counts as read; at commit if it came there meanwhile
 * (sop_txn_conflict names the key), or CONFLICT where the transaction itself has undone or replaced
 * what it added.
 * err: may be NULL. Returns as above; MISUSE in a store with duplicates. */
SOP_API sop_status sop_add(sop_txn *txn, sop_store *store, sop_bytes key, int64_t by, sop_error *err);

/* Lowers the integer under `key` of `store` in `txn` to `to` if it is higher or missing; otherwise
 * as sop_add. err: may be NULL. */
SOP_API sop_status sop_min(sop_txn *txn, sop_store *store, sop_bytes key, int64_t to, sop_error *err);

/* Raises the integer under `key` of `store` in `txn` to `to` if it is lower or missing; otherwise
 * as sop_add. err: may be NULL. */
SOP_API sop_status sop_max(sop_txn *txn, sop_store *store, sop_bytes key, int64_t to, sop_error *err);

/* A range of keys. Initialise with SOP_RANGE_INIT: everything. Bounds are keys, or (with a schema)
 * their leading sort fields. */
typedef struct sop_range {
	size_t struct_size; /* sizeof(sop_range) */
	uint32_t flags; /* SOP_RANGE_... */
	uint32_t reserved; /* 0 */
	sop_bytes from; /* first key (with SOP_RANGE_FROM) */
	sop_bytes to; /* end, itself outside (with SOP_RANGE_TO), or inside (with SOP_RANGE_THROUGH too) */
	sop_bytes prefix; /* all keys with these leading fields or bytes (with SOP_RANGE_PREFIX); with from and to only what lies between these, too */
	uint64_t after_item; /* with SOP_RANGE_AFTER in a store with duplicates: behind this item of the key `from`; 0: behind all of them */
} sop_range;

/* `from` counts. */
#define SOP_RANGE_FROM 1u
/* `to` counts. */
#define SOP_RANGE_TO 2u
/* `prefix` counts. */
#define SOP_RANGE_PREFIX 4u
/* With SOP_RANGE_FROM: `from` itself, with its duplicates, is outside the range; leading fields stand for all keys that begin with them, which
 * are outside, too (for SOP_SEEK_GT they are a place before these). */
#define SOP_RANGE_AFTER 8u
/* With SOP_RANGE_TO: `to` itself, with its duplicates, is inside the range; leading fields stand for all keys that begin with them, which are
 * inside, too. */
#define SOP_RANGE_THROUGH 16u

#define SOP_RANGE_INIT                                                                             \
	{                                                                                          \
		sizeof(sop_range), 0, 0, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, 0                  \
	}

/* Removes all items in `range` (NULL: everything) from `store` in `txn`.
 * removed: receives how many; may be NULL. err: may be NULL. Returns as above. */
SOP_API sop_status sop_remove_range(sop_txn *txn, sop_store *store, const sop_range *range,
				    uint64_t *removed, sop_error *err);

/* Counts the items in `range` of `store` in `txn`. Without a range (NULL) it is one look-up,
 * validated: it conflicts with every insert and remove.
 * count: receives it. err: may be NULL. Returns as above. */
SOP_API sop_status sop_count(sop_txn *txn, sop_store *store, const sop_range *range,
			     uint64_t *count, sop_error *err);

/* The newest committed number of items in `store` of `db`: one load, no promise.
 * count: receives it. err: may be NULL. Returns OK; NOT_FOUND (no such store); MISUSE; CLOSED;
 * FORKED. Any thread. */
SOP_API sop_status sop_approx_count(sop_db *db, sop_store *store, uint64_t *count, sop_error *err);

/* ---- packed rows
 * ---------------------------------------------------------------------------------------------
 * Batches travel as u32 count, u32 flags, then for each row: u32 key bytes, u32 value bytes, [u64
 * item], [u64 version], key, value; little-endian; each row starts 8-aligned from the start of the
 * batch; key and value are contiguous.
 * flags: SOP_ROWS_ITEM: there is an item id; SOP_ROWS_VERSION: there is a version. Value bytes
 * SOP_ROWS_ABSENT: no value. */

#define SOP_ROWS_ITEM 1u
#define SOP_ROWS_VERSION 2u
#define SOP_ROWS_ABSENT 0xFFFFFFFFu

/* Reads many keys of `store` in `txn`.
 * keys: packed rows whose values are ignored. rows: receives one row a key, in their order, with
 * versions if `flags` has SOP_ROWS_VERSION; the value is absent where the key is. err: may be NULL.
 * Returns as above; MISUSE for malformed rows (`err->offset` says where). */
SOP_API sop_status sop_get_many(sop_txn *txn, sop_store *store, sop_bytes keys, uint32_t flags,
				sop_buf *rows, sop_error *err);

/* What sop_put_many does with each row. */
typedef enum sop_put_how {
	SOP_PUT = 0, /* as sop_put */
	SOP_INSERT = 1, /* as sop_insert */
	SOP_UPDATE = 2, /* as sop_update */
	SOP_REMOVE = 3 /* as sop_remove; values are ignored */
} sop_put_how;

/* Does `how` (a sop_put_how) for each of the packed `rows` on `store` in `txn`, in their order,
 * and stops at the first that is not OK.
 * done: receives how many rows were done: the index of the failing one; may be NULL. err: may be
 * NULL.
 * Returns the status of the failing row (EXISTS, NOT_FOUND: the transaction goes on); MISUSE for
 * malformed rows; else as above. */
SOP_API sop_status sop_put_many(sop_txn *txn, sop_store *store, sop_bytes rows, sop_put_how how,
				size_t *done, sop_error *err);

#ifdef __cplusplus
}
#endif

#endif
