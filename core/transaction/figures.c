/* Gathering figures from where they are counted. */
#include "transaction/figures.h"

#include "platform/clock.h"
#include "transaction/backend.h"

enum { NS_PER_MS = 1000000 };

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

static void gather_backend(struct sopi_backend *backend, sop_stats *stats)
{
	struct sopi_backend_stats from;

	memset(&from, 0, sizeof from);
	backend->driver->get_stats(backend, &from);
	stats->durable_position = from.durable_position;
	stats->checkpoint_position = from.checkpoint_position;
	stats->checkpoints = from.checkpoints;
	stats->checkpoint_failures = from.checkpoint_failures;
	stats->flushes = from.flushes;
	stats->log_bytes_written = from.log_bytes_written;
	stats->log_bytes = from.log_bytes;
	stats->dirty_bytes = from.dirty_bytes;
	stats->cache_bytes = from.cache_bytes;
	stats->cache_bytes_used = from.cache_bytes_used;
	stats->cache_reads = from.cache_reads;
	stats->evictions = from.evictions;
	stats->packs = from.pack_count;
	stats->pack_bytes = from.pack_bytes;
	stats->pack_bytes_live = from.pack_bytes_live;
	stats->registry_entries = from.registry_entries;
	stats->registry_bytes = from.registry_bytes;
	stats->disk_bytes = from.disk_bytes;
	stats->failed = from.failed;
	stats->low_space = from.low_space;
}

void sopi_engine_get_stats(struct sopi_engine *engine, sop_stats *stats)
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
	stats->durability = engine->options.durability + SOP_FLUSHED; /* in the same order */
	if (engine->backend != NULL)
		gather_backend(engine->backend, stats);
}
