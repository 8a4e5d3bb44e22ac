/* Figures about a database, and checking it. */
#include "api/handle.h"
#include "base/buffer.h"
#include "platform/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { NS_PER_MS = 1000000 };

/* ---- stats ------------------------------------------------------------------------------------- */

/* Sums the counters of all slots, and looks at who is open. */
static void gather_slots(struct sopi_engine *engine, sop_stats *stats)
{
	struct sopi_reclaim *reclaim = &engine->forest.reclaim;
	const int64_t now_ns = sopi_clock_monotonic_ns(engine->platform->clock);
	uint64_t sums[SOPI_COUNTERS] = { 0 };
	struct sopi_slot_chunk *chunk = NULL;
	struct sopi_slot *slot;
	int64_t oldest_ns = now_ns;
	size_t index = 0;

	while ((slot = sopi_slot_next(reclaim, &chunk, &index)) != NULL) {
		int64_t seen_ns = 0;

		for (size_t i = 0; i < SOPI_COUNTERS; i++)
			sums[i] += atomic_load_explicit(&slot->counters[i], memory_order_relaxed);
		if (atomic_load(&slot->snapshot) == SOPI_POSITION_NONE)
			continue;
		stats->transactions_open++;
		/* A begin does not read the clock; the first look at it does. */
		if (!atomic_compare_exchange_strong(&slot->seen_ns, &seen_ns, now_ns) && seen_ns < oldest_ns)
			oldest_ns = seen_ns;
	}
	stats->oldest_snapshot_age_ms = (uint64_t)((now_ns - oldest_ns) / NS_PER_MS);
	stats->begins = sums[SOPI_BEGINS];
	stats->commits = sums[SOPI_COMMITS];
	stats->reads_ended = sums[SOPI_READS_ENDED];
	stats->rollbacks = sums[SOPI_ROLLBACKS];
	stats->conflicts = sums[SOPI_CONFLICTS];
	stats->retries = sums[SOPI_RETRIES];
	stats->operations = sums[SOPI_OPERATIONS];
}

static void gather(struct sopi_engine *engine, sop_stats *stats)
{
	struct sopi_forest *forest = &engine->forest;
	size_t taken, used;

	gather_slots(engine, stats);
	sopi_memory_usage(&forest->memory, &taken, &used);
	stats->position = atomic_load(&engine->answered);
	stats->splits = atomic_load(&forest->split_count);
	stats->merges = atomic_load(&forest->merge_count);
	stats->stores = (uint64_t)sopi_tree_count(&engine->catalog.names.tree, SOPI_POSITION_HEAD);
	stats->nodes = atomic_load(&forest->node_count);
	stats->memory_bytes = taken;
	stats->node_bytes_used = used;
	stats->old_version_bytes = atomic_load(&forest->reclaim.waiting_bytes);
	stats->value_bytes_apart = atomic_load(&forest->value_bytes);
}

sop_status sop_db_stats(sop_db *db, sop_stats *stats, sop_error *err)
{
	struct sopi_transaction *reader = NULL;
	sop_stats all = SOP_STATS_INIT;

	SOP_TRY(sopi_db_check(db, __func__, err));
	if (stats == NULL || stats->struct_size < sizeof(size_t) || stats->struct_size > 4096)
		return sopi_misuse(err, __func__, "stats is NULL, or its struct_size is not set");
	SOP_TRY(sopi_db_enter(db, false, __func__, &reader, err));
	gather(&db->engine, &all);
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
	void *arg;
	uint64_t problems;
	bool stopped;
};

static bool report(void *arg, const char *file, int64_t offset, sop_bytes store, const char *kind,
		   const char *message)
{
	struct verification *verification = arg;
	const sop_problem problem = {
		.struct_size = sizeof problem,
		.store = store,
		.file = { file, strlen(file) },
		.offset = offset,
		.kind = kind,
		.message = message,
	};

	verification->problems++;
	if (verification->found != NULL && verification->found(verification->arg, &problem) != 0)
		verification->stopped = true;
	return !verification->stopped;
}

sop_status sop_verify(sop_db *db, sop_problem_fn found, void *arg, uint64_t *problems, sop_error *err)
{
	struct verification verification = { found, arg, 0, false };
	struct sopi_transaction *reader = NULL;
	sop_status status;

	SOP_TRY(sopi_db_enter(db, true, __func__, &reader, err));
	SOP_TRY_OUT(sopi_transaction_begin(reader, SOP_READ, 0, NULL, err));
	status = sopi_engine_verify(&db->engine, reader->snapshot, reader->slot, report,
				    &verification, err);
	sopi_transaction_roll_back(reader, SOP_OK);
	if (problems != NULL)
		*problems = verification.problems;
	if (status == SOP_OK && verification.stopped)
		status = sopi_fail(err, SOP_CANCELLED, "the check was stopped by its caller");
	else if (status == SOP_OK && verification.problems != 0)
		status = sopi_fail(err, SOP_CORRUPT, "the check found %" PRIu64 " problems",
				   verification.problems);
out:
	sopi_db_leave(reader);
	return status;
}
