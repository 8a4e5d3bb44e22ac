/* A database: opening, closing, one-call reads. */
#ifndef SOP_DATABASE_H
#define SOP_DATABASE_H

#include <sop/options.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open database. Thread-safe and long-lived: open it once, share it between all threads.
 * Databases are independent of each other. After `fork` the child gets FORKED from every call on
 * it. */
typedef struct sop_db sop_db;

/* A store declared on a database; see store.h. */
typedef struct sop_store sop_store;

/* Opens the database that `url` names.
 * url: NUL-terminated; `inmemory:` is a new, empty database that lives until it is closed. Options
 * may follow as
 *      `inmemory:?node_bytes=8192&...`; what `options` sets wins over the url.
 * options: settings, may be NULL for the defaults; not kept.
 * out: the open database, owned by the caller: sop_close, then sop_db_free.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE (a NULL, a malformed url, an unknown option); LIMIT (an option outside its
 * range); UNSUPPORTED (a scheme that this build does not have); NO_MEMORY. Any thread; blocks only
 * for memory. */
SOP_API sop_status sop_open(const char *url, const sop_options *options, sop_db **out, sop_error *err);

/* Closes `db`: waits until no call on it is running, rolls back open transactions and frees what
 * they and the database hold. Later calls on `db` or on anything opened from it return CLOSED.
 * Closing again does nothing.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE if `db` is NULL or no database; FORKED in a child process. Any thread; blocks
 * for the calls that run. May be called from the body that sop_run runs: the rest of the body gets
 * CLOSED. */
SOP_API sop_status sop_close(sop_db *db, sop_error *err);

/* Frees the shell of `db`, closing it first if need be. Children keep what they need of it and
 * return CLOSED.
 * Takes NULL. Using `db` itself afterwards is undefined. */
SOP_API void sop_db_free(sop_db *db);

/* Reads the value of `key` in `store` in a read-only transaction of its own: one call, no
 * conflict, no retry.
 * db: the database that `store` was opened on.
 * store: a store opened with sop_store_open on the same database.
 * key: the key (sop_key_pack for stores with a schema, bytes otherwise); for duplicates the oldest
 * item.
 * value: the copy of the value.
 * err: filled on failure; may be NULL.
 * Returns OK; NOT_FOUND (no such key; `value` is left alone; or no such store, then `err` names
 * it); SCHEMA, LIMIT (a bad key); MISUSE; CLOSED; FORKED; CORRUPT;
 * IO; FAILED; NO_MEMORY. Any thread. */
SOP_API sop_status sop_read(sop_db *db, sop_store *store, sop_bytes key, sop_buf *value, sop_error *err);

#ifdef __cplusplus
}
#endif

#endif
