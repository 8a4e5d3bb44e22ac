/* Figures about a database, and checking it. */
#include "api/handle.h"
#include "api/progress.h"
#include "base/buffer.h"
#include "transaction/backend.h"
#include "transaction/figures.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- stats ------------------------------------------------------------------------------------- */

sop_status sop_db_stats(sop_db *db, sop_stats *stats, sop_error *err)
{
	struct sopi_transaction *reader = NULL;
	sop_stats all = SOP_STATS_INIT;

	SOP_TRY(sopi_db_check(db, __func__, err));
	if (stats == NULL || stats->struct_size < sizeof(size_t) || stats->struct_size > 4096)
		return sopi_misuse(err, __func__, "stats is NULL, or its struct_size is not set");
	SOP_TRY(sopi_db_enter(db, false, __func__, &reader, err));
	sopi_engine_get_stats(db->engine, &all);
	sopi_db_leave(reader);
	all.struct_size = stats->struct_size;
	memcpy(stats, &all, stats->struct_size < sizeof all ? stats->struct_size : sizeof all);
	return SOP_OK;
}

/* ---- metrics ----------------------------------------------------------------------------------- */

#define COUNTER(name, help)                                                                        \
	{                                                                                          \
#name, help, offsetof(sop_stats, name), true                                       \
	}
#define GAUGE(name, help)                                                                          \
	{                                                                                          \
#name, help, offsetof(sop_stats, name), false                                      \
	}

static const struct metric {
	const char *name;
	const char *help;
	size_t offset;
	bool counter;
} metrics[] = {
	GAUGE(position, "Newest answered position."),
	COUNTER(begins, "Transactions begun."),
	COUNTER(commits, "Transactions that changed something and committed."),
	COUNTER(reads_ended, "Transactions that ended without changing anything."),
	COUNTER(rollbacks, "Transactions rolled back by the caller."),
	COUNTER(conflicts, "Commits that answered CONFLICT."),
	COUNTER(retries, "Attempts beyond the first."),
	COUNTER(operations, "Resolved operations applied."),
	COUNTER(splits, "Nodes split."),
	COUNTER(merges, "Nodes merged."),
	GAUGE(transactions_open, "Transactions open now."),
	GAUGE(oldest_snapshot_age_ms, "Age of the oldest open transaction in milliseconds."),
	GAUGE(stores, "Stores now."),
	GAUGE(nodes, "Nodes now."),
	GAUGE(memory_bytes, "Bytes taken from the system for nodes."),
	GAUGE(node_bytes_used, "Bytes of these in use."),
	GAUGE(old_version_bytes, "Bytes kept for older snapshots."),
	GAUGE(value_bytes_apart, "Bytes of values kept apart from their leaf."),
	GAUGE(durable_position, "Newest position on stable storage."),
	GAUGE(checkpoint_position, "Newest position in the data files."),
	COUNTER(checkpoints, "Checkpoints written."),
	COUNTER(checkpoint_failures, "Checkpoints given up for want of space."),
	COUNTER(flushes, "Flushes of the log."),
	COUNTER(log_bytes_written, "Bytes written into the log."),
	GAUGE(log_bytes, "Bytes of log that opening would have to read."),
	GAUGE(dirty_bytes, "Bytes of nodes that no checkpoint has written."),
	GAUGE(cache_bytes, "Bytes of memory for nodes at most."),
	GAUGE(cache_bytes_used, "Bytes of these in use."),
	COUNTER(cache_reads, "Nodes read from disk."),
	COUNTER(evictions, "Nodes that made room for others."),
	GAUGE(packs, "Data files now."),
	GAUGE(pack_bytes, "Bytes in data files."),
	GAUGE(pack_bytes_live, "Bytes of these that are not superseded."),
	GAUGE(registry_entries, "Nodes and values in the registry."),
	GAUGE(registry_bytes, "Bytes in registry files."),
	GAUGE(disk_bytes, "Bytes in all files."),
	GAUGE(failed, "1 if the database has stopped after an I/O error."),
	GAUGE(low_space, "1 if only commits that remove find space."),
	GAUGE(durability, "How durable commits are that do not say: 1 flushed, 2 written, 3 buffered."),
};

static sop_status append_metric(sop_buf *text, const struct metric *metric, const sop_stats *stats,
				sop_error *err)
{
	uint64_t value;
	char line[400];
	int size;

	memcpy(&value, (const char *)stats + metric->offset, sizeof value);
	size = snprintf(line, sizeof line, "# TYPE sop_%s %s\n# HELP sop_%s %s\nsop_%s%s %" PRIu64 "\n",
			metric->name, metric->counter ? "counter" : "gauge", metric->name,
			metric->help, metric->name, metric->counter ? "_total" : "", value);
	return sopi_buf_append(text, line, (size_t)size, err);
}

sop_status sop_db_metrics(sop_db *db, sop_buf *text, sop_error *err)
{
	sop_stats stats = SOP_STATS_INIT;

	SOP_TRY(sopi_db_check(db, __func__, err));
	if (text == NULL)
		return sopi_misuse(err, __func__, "text is NULL");
	SOP_TRY(sop_db_stats(db, &stats, err));
	text->size = 0;
	for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
		SOP_TRY(append_metric(text, &metrics[i], &stats, err));
	return sopi_buf_append(text, "# EOF\n", 6, err);
}

/* ---- verify ------------------------------------------------------------------------------------ */

struct verification {
	sop_problem_fn found;
	struct sopi_progress progress;
	void *arg;
	uint64_t done, total; /* bytes, about */
	uint64_t problems;
	uint64_t damage; /* of these, those that are more than a file too many */
	bool stopped;
};

/* A file of nobody harms nothing: a checkpoint that was interrupted has left it, or somebody has put it there. */
static bool is_harmless(const char *file, const char *kind)
{
	return file != NULL && file[0] != '\0' &&
	       (strcmp(kind, "leak") == 0 || strcmp(kind, "unknown") == 0);
}

static bool report(void *arg, const char *file, int64_t offset, sop_bytes store, const char *kind,
		   const char *message)
{
	struct verification *verification = arg;
	const sop_problem problem = {
		.struct_size = sizeof problem,
		.store = store,
		.file = { file != NULL ? file : "", file != NULL ? strlen(file) : 0 },
		.offset = offset,
		.kind = kind,
		.message = message,
	};
	struct sopi_told told;

	verification->problems++;
	if (!is_harmless(file, kind))
		verification->damage++;
	if (verification->found == NULL)
		return !verification->stopped;
	sopi_told_begin(&told, verification->progress.db);
	if (verification->found(verification->arg, &problem) != 0)
		verification->stopped = true;
	sopi_told_end(&told);
	return !verification->stopped;
}

static bool went(void *arg, uint64_t bytes)
{
	struct verification *verification = arg;

	verification->done += bytes;
	if (verification->total < verification->done)
		verification->total = verification->done;
	if (!verification->stopped &&
	    !sopi_progress_tell(&verification->progress, verification->done, verification->total))
		verification->stopped = true;
	return !verification->stopped;
}

/* How much there is to look at, about: each file once, the nodes as the registry names them, and once more as trees. */
static void estimate(struct sopi_engine *engine, struct verification *verification)
{
	struct sopi_backend *backend = engine->backend;
	uint64_t nodes = atomic_load(&engine->forest.node_count) * engine->options.node_bytes;
	struct sopi_backend_stats stats;

	verification->total = nodes;
	if (backend == NULL)
		return;
	memset(&stats, 0, sizeof stats);
	backend->driver->get_stats(backend, &stats);
	nodes = stats.registry_entries * engine->options.node_bytes;
	nodes = nodes < stats.pack_bytes_live ? nodes : stats.pack_bytes_live;
	verification->total = stats.pack_bytes + stats.registry_bytes + 2 * nodes;
}

static sop_status verify_files(struct sopi_transaction *reader,
			       const struct sopi_audience *audience, sop_error *err)
{
	struct sopi_backend *backend = reader->engine->backend;
	sop_status status;

	sopi_slot_park(reader->slot);
	status = backend->driver->verify(backend, audience, err);
	sopi_slot_refresh(&reader->engine->forest.reclaim, reader->slot);
	return status;
}

/* First the files, which may take long and need no snapshot, then the trees. REQUIRES: the reader's slot. */
static sop_status verify(struct sopi_transaction *reader, struct verification *verification,
			 sop_error *err)
{
	const struct sopi_audience audience = { .found = report, .went = went, .arg = verification };
	struct sopi_engine *engine = reader->engine;
	sop_status status;

	estimate(engine, verification);
	if (!went(verification, 0))
		return SOP_OK;
	if (engine->backend != NULL)
		SOP_TRY(verify_files(reader, &audience, err));
	if (verification->stopped)
		return SOP_OK;
	sopi_slot_choose(reader->slot);
	SOP_TRY(sopi_transaction_begin(reader, SOP_READ, 0, NULL, err));
	status = sopi_engine_verify(engine, reader->snapshot, reader->slot, &audience, err);
	sopi_transaction_roll_back(reader, SOP_OK);
	if (status == SOP_OK && !verification->stopped)
		(void)went(verification, verification->total - verification->done);
	return status;
}

sop_status sop_verify(sop_db *db, sop_problem_fn found, sop_progress_fn progress, void *arg,
		      uint64_t *problems, sop_error *err)
{
	struct verification verification = { .found = found, .progress = { progress, arg, db }, .arg = arg };
	struct sopi_transaction *reader = NULL;
	sop_status status;

	SOP_TRY(sopi_db_enter(db, false, __func__, &reader, err));
	status = verify(reader, &verification, err);
	sopi_db_leave(reader);
	if (problems != NULL)
		*problems = verification.problems;
	if (status == SOP_OK && verification.stopped)
		return sopi_fail(err, SOP_CANCELLED, "the check was stopped by its caller");
	if (status == SOP_OK && verification.damage != 0)
		return sopi_fail(err, SOP_CORRUPT, "the check found %" PRIu64 " problems",
				 verification.problems);
	return status;
}
