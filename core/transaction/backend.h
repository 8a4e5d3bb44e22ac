/* What a durable backend does for the engine; a database in memory has none. core/backend/ fills it in. */
#ifndef SOPI_BACKEND_H
#define SOPI_BACKEND_H

#include "base/error.h"
#include "node/block.h"

#include <sop/buffer.h>

struct sopi_engine;
struct sopi_store;
struct sopi_backend;

/* How far a long call is: `done` of about `total` bytes. Returns false to give up (CANCELLED). */
typedef bool (*sopi_progress_fn)(void *arg, uint64_t done, uint64_t total);

/* A problem that a verification found; returns false to stop. file, store: may be empty. offset: or -1. */
typedef bool (*sopi_problem_fn)(void *arg, const char *file, int64_t offset, sop_bytes store,
				const char *kind, const char *message);

/* Who is told by a verification, with `arg`. */
struct sopi_audience {
	sopi_problem_fn found;
	bool (*went)(void *arg, uint64_t bytes); /* so many more were looked at; returns false to stop; NULL: nobody asks */
	void *arg;
};

/* Does the audience want it to go on, `bytes` further? */
static inline bool sopi_audience_stays(const struct sopi_audience *audience, uint64_t bytes)
{
	return audience->went == NULL || audience->went(audience->arg, bytes);
}

/* Figures of a backend: what stats and info say besides those of the engine. */
struct sopi_backend_stats {
	uint64_t durable_position;
	uint64_t checkpoint_position;
	uint64_t checkpoints; /* since open */
	uint64_t flushes; /* of the log, since open */
	uint64_t log_bytes_written; /* since open */
	uint64_t log_bytes; /* that a replay would read now */
	uint64_t dirty_bytes; /* of nodes, now */
	uint64_t cache_bytes; /* the budget */
	uint64_t cache_bytes_used;
	uint64_t cache_reads; /* nodes read from disk, since open */
	uint64_t evictions; /* since open */
	uint64_t pack_count;
	uint64_t pack_bytes; /* on disk */
	uint64_t pack_bytes_live; /* of these */
	uint64_t registry_entries;
	uint64_t registry_bytes; /* on disk */
	uint64_t disk_bytes; /* of all files */
	uint64_t checkpoint_failures; /* given up for want of space, since open */
	uint32_t durability; /* sopi_durability by default */
	bool failed;
	bool low_space;
};

struct sopi_backend_driver {
	/* Before a commit takes its position, outside of all locks: waits, within the deadline (monotonic, 0: none),
	 * while too much memory is dirty. urgent: the transaction only removes. TIMEOUT, NO_SPACE, FAILED. */
	sop_status (*pace)(struct sopi_backend *backend, int64_t deadline_ns, bool urgent,
			   sop_error *err);

	/* The log has no room for a commit: uses what is kept back, and frees what a checkpoint can. OK: it is worth
	 * another try. */
	sop_status (*out_of_space)(struct sopi_backend *backend, sop_error *err);

	/* A commit of `bytes` was submitted; wakes the background up where need be. Never blocks. */
	void (*committed)(struct sopi_backend *backend, size_t bytes, bool weak);

	/* Writes values that a transaction keeps apart (linked by next_in_transaction; those that have an id already are
	 * skipped), makes them durable, gives each its id and frees its bytes. NO_SPACE, IO, FAILED, NO_MEMORY. */
	sop_status (*write_values)(struct sopi_backend *backend, struct sopi_value *values,
				   sop_error *err);

	/* The commit at `position` that names the value was submitted. Never fails. REQUIRES: the commit mutex. */
	void (*value_committed)(struct sopi_backend *backend, const struct sopi_value *value,
				uint64_t position);

	/* Nobody can read the value any more: its transaction did not commit, or its last snapshot has gone. Takes it
	 * over. Never fails. */
	void (*value_gone)(struct sopi_backend *backend, struct sopi_value *value);

	/* Reads a value into `out`. */
	sop_status (*read_value)(struct sopi_backend *backend, const struct sopi_value *value,
				 sop_buf *out, sop_error *err);

	/* No snapshot can see the dropped store any more, and its nodes have gone from memory: takes it over. Never
	 * fails. */
	void (*store_gone)(struct sopi_backend *backend, struct sopi_store *store);

	/* Everything that was committed when it was called is on stable storage when it returns. */
	sop_status (*sync)(struct sopi_backend *backend, sop_error *err);

	/* Writes a checkpoint now. NO_SPACE, IO, FAILED, NO_MEMORY, CORRUPT. */
	sop_status (*checkpoint)(struct sopi_backend *backend, sop_error *err);

	/* Checkpoint, rewrite of packs that are mostly dead, removal of what nothing needs, trim of the log. */
	sop_status (*gc)(struct sopi_backend *backend, sopi_progress_fn progress, void *arg,
			 sop_error *err);

	/* A copy, consistent as of one position, in the folder `path`, which must be missing or empty; verified.
	 * *position receives it. EXISTS, NO_SPACE, IO, CORRUPT, CANCELLED. */
	sop_status (*backup)(struct sopi_backend *backend, const char *path, sopi_progress_fn progress,
			     void *arg, uint64_t *position, sop_error *err);

	/* Checks every file. The trees' own checks are the engine's. */
	sop_status (*verify)(struct sopi_backend *backend, const struct sopi_audience *audience,
			     sop_error *err);

	void (*get_stats)(struct sopi_backend *backend, struct sopi_backend_stats *stats);

	/* The database has failed, for whatever reason. Never blocks. */
	void (*has_failed)(struct sopi_backend *backend);

	/* Ends the background: nothing is done by itself any more, and nobody waits for it. Before running calls are
	 * waited for. */
	void (*halt)(struct sopi_backend *backend);

	/* Flushes, checkpoints if replay would take long. Before the engine's memory goes.
	 * Returns the first failure; the backend is stopped in any case. */
	sop_status (*stop)(struct sopi_backend *backend, sop_error *err);

	/* Frees everything and gives the lock back. After the engine's memory has gone. */
	void (*free)(struct sopi_backend *backend);
};

/* The head of every backend's own structure. */
struct sopi_backend {
	const struct sopi_backend_driver *driver;
	/* What sop_db_info says; set when it is opened. */
	char name[16]; /* "inredfs" */
	uint32_t format; /* version of its files */
	uint8_t uuid[16]; /* of the database, made with it */
};

#endif
