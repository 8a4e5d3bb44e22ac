/* Figures about a database at work. */
#ifndef SOP_STATS_H
#define SOP_STATS_H

#include <sop/maintenance.h>
#include <sop/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Counters since open, and levels now. New fields are added at the end. Initialise with
 * SOP_STATS_INIT. */
typedef struct sop_stats {
	size_t struct_size; /* sizeof(sop_stats) */
	uint64_t position; /* newest answered position */
	uint64_t begins; /* transactions begun */
	uint64_t commits; /* transactions that changed something and committed */
	uint64_t reads_ended; /* transactions that ended without changing anything */
	uint64_t rollbacks; /* rolled back by the caller */
	uint64_t conflicts; /* commits that answered CONFLICT */
	uint64_t retries; /* attempts made by sop_txn_again and sop_run beyond the first */
	uint64_t operations; /* resolved operations applied */
	uint64_t splits; /* nodes split */
	uint64_t merges; /* nodes merged */
	uint64_t transactions_open; /* now */
	uint64_t oldest_snapshot_age_ms; /* age of the oldest open transaction, milliseconds; 0: none */
	uint64_t stores; /* now */
	uint64_t nodes; /* vnodes now */
	uint64_t memory_bytes; /* taken from the system for nodes, now */
	uint64_t node_bytes_used; /* of these, in use by current and old versions, now */
	uint64_t old_version_bytes; /* of these, kept only for older snapshots, now */
	uint64_t value_bytes_apart; /* large values kept apart from their leaf, now */
	/* Of a database in a folder; all 0 in memory. */
	uint64_t durable_position; /* everything up to here is on stable storage */
	uint64_t checkpoint_position; /* everything up to here is in the data files */
	uint64_t checkpoints; /* written */
	uint64_t checkpoint_failures; /* given up for want of space */
	uint64_t flushes; /* of the log */
	uint64_t log_bytes_written; /* into the log */
	uint64_t log_bytes; /* of log that opening would have to read now */
	uint64_t dirty_bytes; /* of nodes that no checkpoint has written, now */
	uint64_t cache_bytes; /* memory for nodes: the budget */
	uint64_t cache_bytes_used; /* of it, now */
	uint64_t cache_reads; /* nodes read from disk */
	uint64_t evictions; /* nodes that made room for others */
	uint64_t packs; /* data files now */
	uint64_t pack_bytes; /* in data files now */
	uint64_t pack_bytes_live; /* of these, not superseded */
	uint64_t registry_entries; /* nodes and values that the registry knows, now */
	uint64_t registry_bytes; /* in registry files now */
	uint64_t disk_bytes; /* in all files now */
	uint64_t failed; /* 1: it has stopped after an I/O error; close it and open it again */
	uint64_t low_space; /* 1: commits that add get NO_SPACE now, removing goes on */
	uint64_t durability; /* a sop_durability: of transactions that do not say */
} sop_stats;

#define SOP_STATS_INIT                                                                             \
	{                                                                                          \
		sizeof(sop_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  \
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                       \
	}

/* Reads the figures of `db`.
 * stats: receives them; struct_size must be set, and only so much is written. err: may be NULL.
 * Returns OK; MISUSE; CLOSED; FORKED. Any thread; blocks shortly. */
SOP_API sop_status sop_db_stats(sop_db *db, sop_stats *stats, sop_error *err);

/* The same figures of `db` as OpenMetrics text.
 * text: receives it. err: may be NULL. Returns OK; MISUSE; CLOSED; FORKED; NO_MEMORY. Any thread.
 * */
SOP_API sop_status sop_db_metrics(sop_db *db, sop_buf *text, sop_error *err);

/* What can be seen of a database that some process has open. New fields are added at the end. Initialise with
 * SOP_PEEK_INIT. */
typedef struct sop_peek {
	size_t struct_size; /* sizeof(sop_peek) */
	uint64_t is_open; /* 1: some process has it open */
	uint64_t process; /* which one, as its own host counts them; 0: not known */
	char host[64]; /* where that runs, with a NUL; empty: not known */
	uint64_t has_figures; /* 1: it has left figures; what follows is 0 without */
	uint64_t age_ms; /* of the figures, in milliseconds, by the clock of whoever asks */
	int64_t written_ms; /* when they were written: milliseconds since 1970-01-01 UTC */
	int64_t opened_ms; /* when the database was opened, the same */
	uint64_t running_ms; /* from then to the writing, milliseconds that no change of the clock disturbs */
	uint64_t interval_ms; /* before the writing, of which the next four are */
	uint64_t commits_timed; /* all that wait for a flush, one in 16 of the others */
	uint64_t commit_p50_ns; /* half of them took no longer; to a quarter */
	uint64_t commit_p99_ns; /* the same of 99 of 100 */
	uint64_t commit_longest_ns;
	uint64_t log_bytes_max; /* option of the database; 0: chosen by the size of the data */
	uint64_t flush_interval_ms; /* option of the database */
	uint8_t uuid[16]; /* of the database */
} sop_peek;

#define SOP_PEEK_INIT                                                                              \
	{                                                                                          \
		sizeof(sop_peek), 0, 0, { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,                 \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}

/* Looks at the database in a folder from outside, whoever has it open: takes no lock, makes nothing, and waits for
 * nobody. The figures are what its process has left in the file `stats`: when it opened the database and then about once
 * a second while something changes, reads included. One that opened it with `read_only` leaves none.
 * path: of the folder.
 * peek: receives what is known, also with NOT_FOUND, CORRUPT and UNSUPPORTED; struct_size must be set, and only so much
 * is written.
 * stats: receives the figures, as sop_db_stats does; may be NULL. All 0 unless OK.
 * err: filled on failure; may be NULL.
 * Returns OK; NOT_FOUND: there is no database, nobody has it open, or who has it open has left no figures: `peek` tells
 * the last from the others, and `err` who that is; CORRUPT: the file is damaged (the database need not be); UNSUPPORTED:
 * it is of a newer version; MISUSE; LIMIT: the path is too long; IO, NO_MEMORY. Any thread; reads two small files. */
SOP_API sop_status sop_stats_peek(const char *path, sop_peek *peek, sop_stats *stats, sop_error *err);

/* What sop_verify found wrong. The views live during the call of the function only. */
typedef struct sop_problem {
	size_t struct_size; /* sizeof(sop_problem) as the library knows it */
	sop_bytes store; /* name of the store, or empty */
	sop_bytes file; /* path relative to the database, or empty */
	int64_t offset; /* in bytes, or -1 */
	const char *kind; /* one word, such as "order" or "count"; "leak" and "unknown": see sop_verify */
	const char *message; /* one sentence */
} sop_problem;

/* Receives each problem; returns 0 to go on, anything else to stop. `arg` is what sop_verify was
 * given. */
typedef int (*sop_problem_fn)(void *arg, const sop_problem *problem);

/* Checks `db` as of its newest position, while others go on: first its files, if it has any
 * (checksums, sizes, what refers to what), then order of keys, key ranges of nodes, counts,
 * reachability.
 * found: called for each problem on the calling thread; may be NULL; it may not close `db`.
 * progress: told how far it is; may be NULL. arg: handed to both.
 * A file that nothing names is told of, but is no damage: of the kind `leak` where an interrupted
 * checkpoint may have left it (the next opening removes it), `unknown` where its name means nothing to
 * the database (it is left alone).
 * problems: receives how many `found` was told of; may be NULL. err: may be NULL.
 * Returns OK (nothing is damaged); CORRUPT (something is: restore a backup, or copy out what can be
 * read);
 * CANCELLED (`found` or `progress` stopped it); MISUSE; CLOSED; FORKED; IO, FAILED, NO_MEMORY: it could not be
 * checked. Any thread; reads every file. */
SOP_API sop_status sop_verify(sop_db *db, sop_problem_fn found, sop_progress_fn progress, void *arg,
			      uint64_t *problems, sop_error *err);

#ifdef __cplusplus
}
#endif

#endif
