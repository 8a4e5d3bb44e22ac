/* A database: opening, closing, what it is, one-call reads. */
#ifndef SOP_DATABASE_H
#define SOP_DATABASE_H

#include <sop/options.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open database. Thread-safe and long-lived: open it once, share it between all threads.
 * Databases are independent of each other; handles of the same folder are of the same database. After `fork` the child gets FORKED from every call on
 * it. */
typedef struct sop_db sop_db;

/* A store declared on a database; see store.h. */
typedef struct sop_store sop_store;

/* Opens the database that `url` names.
 * url: NUL-terminated; what begins with a scheme that is known is a url, everything else the path of a
 *      folder, taken as it is (a path that begins like a url is given as `./inmemory:x`):
 *      `inmemory:`   a new, empty database that lives until it is closed;
 *      `data/db`     the database in that folder, one process at a time;
 *      `inredfs:/srv/db`   the same; a path behind a scheme ends at the first `?`;
 *      `inredcfs:`   a database in Cassandra, which this build does not have.
 *      Options may follow a url as `?name=value&...`, such as `inredfs:/srv/db?create=true` (a bare path
 *      takes none); what `options` sets wins over them. Nothing in a url is percent-decoded.
 * A folder that this process has open already, by whatever path, is not opened anew: the new handle shares it, if all
 *      options are the same, those that nobody set included; `create`, `node_bytes` and `registry_buckets` do not count.
 *      Each handle has stores, transactions and cursors of its own and is closed for itself, in any order; figures and
 *      messages (log.h) are those of the database. Opening waits while another thread opens or closes the folder.
 * options: settings, may be NULL for the defaults; not kept. With `create` a missing database is made,
 *      in a folder that is missing or empty and whose parent exists; without it nothing is ever made.
 *      With `read_only` nothing in the folder is written, made or removed, `create` or not, so the folder or its file
 *      system may be one that can only be read. Any number of processes may have it open so, and none that writes
 *      beside them: LOCK, which must be there, is locked shared. All that was committed is there, also after a crash:
 *      what the log has since the last checkpoint is applied in memory, which takes as long at each opening, and
 *      stays there whatever `cache_bytes` says: about twice as much memory as there is log, which is `log_bytes_max` at
 *      most, and what transactions wrote that were committing just then. Commits weaker than SOP_FLUSHED of a process that has just ended are shown, though a
 *      power cut may still take them. Every transaction only reads, and whatever writes is READ_ONLY: changes,
 *      sop_sync, sop_checkpoint, sop_gc, sop_backup (sop_restore copies such a folder).
 * out: the open database, owned by the caller: sop_close, then sop_db_free.
 * err: filled on failure; may be NULL.
 * Returns OK; and, nothing having been opened,
 *   NOT_FOUND    there is no database, and `create` was not set; or the parent of the folder does not exist
 *   EXISTS       `create` was set, and what is there is a folder with something else in it, or a file: choose another
 *   LOCKED       it is open already, in another process (`err` says which, if it is known) or in this one with other
 *                options (`err` names the first that differs); or this process is closing it, and 10 seconds were not
 *                enough for the calls on it to end
 *   FAILED       this process has it open, and it has failed: close every handle of it, then open it again
 *   CORRUPT      something that had been acknowledged is damaged or missing: `err` names file and place;
 *                restore a backup, or repair it
 *   READ_ONLY    the folder cannot be written to: open it with `read_only`
 *   NO_SPACE     no room for what opening has to write; free some and try again
 *   UNSUPPORTED  a scheme that this build does not have, files of a newer version, or a file system that
 *                cannot keep a database (a network file system); with `read_only` also: the file LOCK is missing
 *   MISUSE       a NULL, a malformed url, an unknown option
 *   LIMIT        an option outside its range, a path longer than 4095 bytes
 *   IO, NO_MEMORY
 * Any thread. In memory it blocks only for memory; in a folder it reads what was logged since the last
 * checkpoint, and what a crash left behind is put right before it returns. */
SOP_API sop_status sop_open(const char *url, const sop_options *options, sop_db **out, sop_error *err);

/* Closes `db`: waits until no call on it is running, rolls back open transactions, puts all that has
 * committed on stable storage, and frees what they and the database hold. Later calls on `db` or on
 * anything opened from it return CLOSED. Closing again does nothing and answers OK. Other handles of the same folder go on;
 * the last one to be closed gives the folder back.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE if `db` is NULL or no database, or where it may not be closed (below); FORKED in a
 * child process; IO, NO_SPACE, FAILED or NO_MEMORY: it is closed all the same and what was answered as SOP_FLUSHED is there, but commits
 * of weaker durability may be lost; opening again shows. Any thread; blocks for the calls that run and
 * for the disk. May be called from the body that sop_run runs, the rest of which then gets CLOSED. From a
 * function that another call on `db` was given, such as one for progress, it is MISUSE and does nothing:
 * it would wait for itself. */
SOP_API sop_status sop_close(sop_db *db, sop_error *err);

/* Frees the shell of `db`, closing it first if need be (then nobody learns of an error: use sop_close
 * where that matters). Children keep what they need of it and
 * return CLOSED. From a function that a call on `db` was given it does nothing, and the shell stays.
 * Takes NULL. Using `db` itself afterwards is undefined. */
SOP_API void sop_db_free(sop_db *db);

/* What a database is and how it was opened; figures that change are in sop_stats. New fields are added
 * at the end. Initialise with SOP_INFO_INIT. */
typedef struct sop_info {
	size_t struct_size; /* sizeof(sop_info) */
	char backend[16]; /* "inmemory" or "inredfs" */
	uint8_t uuid[16]; /* of the database, made with it; all zero in memory */
	uint32_t format; /* version of its files; 0 in memory */
	uint32_t durability; /* a sop_durability: of transactions that do not say */
	uint32_t node_bytes; /* size of a leaf */
	uint32_t node_items; /* in a node of stores that do not say; 0: by bytes */
	uint32_t inline_value_bytes; /* larger values are kept apart from the leaf */
	uint32_t registry_buckets; /* of a segment of the registry; 0 in memory */
	uint64_t transaction_bytes_max; /* of one transaction */
	uint64_t snapshot_bytes_max; /* old versions beyond which the oldest transaction ends */
	int64_t deadline_ms; /* of transactions that do not say, in milliseconds; 0: none */
	int64_t flush_interval_ms; /* within which weaker commits are on stable storage; 0 in memory */
	uint64_t cache_bytes; /* memory for nodes; 0 in memory: no limit */
	uint64_t log_bytes_max; /* log that opening may have to read; 0: chosen by the size of the data */
} sop_info;

#define SOP_INFO_INIT                                                                              \
	{                                                                                          \
		sizeof(sop_info), { 0 }, { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                 \
	}

/* What `db` is and how it was opened.
 * info: receives it; struct_size must be set, and only so much is written.
 * path: receives the path of its folder, as sop_open was given it, without a NUL; empty in memory; may
 * be NULL.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE; CLOSED; FORKED; NO_MEMORY. Any thread; does not block. */
SOP_API sop_status sop_db_info(sop_db *db, sop_info *info, sop_buf *path, sop_error *err);

/* Reads the value of `key` in `store` in a read-only transaction of its own: one call, no
 * conflict, no retry.
 * db: the database that `store` was opened on.
 * store: a store opened with sop_store_open on the same database.
 * key: the key (sop_key_pack for stores with a schema, bytes otherwise); for duplicates the oldest
 * item.
 * value: the copy of the value.
 * err: filled on failure; may be NULL.
 * Returns OK; NOT_FOUND (no such key; `value` is left alone; or no such store, then `err` names
 * it); SCHEMA, LIMIT (a bad key); MISUSE; CLOSED; FORKED; CORRUPT (a page is damaged; run
 * sop_verify); IO; FAILED; NO_MEMORY. Any thread; blocks if a page must be read. */
SOP_API sop_status sop_read(sop_db *db, sop_store *store, sop_bytes key, sop_buf *value, sop_error *err);

#ifdef __cplusplus
}
#endif

#endif
