#include "figures.h"

#include <stddef.h>
#include <string.h>

#define FIGURE(name)                                                                               \
	{                                                                                          \
#name, offsetof(sop_stats, name)                                                   \
	}

const struct figure figures[] = {
	FIGURE(position),
	FIGURE(begins),
	FIGURE(commits),
	FIGURE(reads_ended),
	FIGURE(rollbacks),
	FIGURE(conflicts),
	FIGURE(retries),
	FIGURE(operations),
	FIGURE(splits),
	FIGURE(merges),
	FIGURE(transactions_open),
	FIGURE(oldest_snapshot_age_ms),
	FIGURE(stores),
	FIGURE(nodes),
	FIGURE(memory_bytes),
	FIGURE(node_bytes_used),
	FIGURE(old_version_bytes),
	FIGURE(value_bytes_apart),
	FIGURE(durable_position),
	FIGURE(checkpoint_position),
	FIGURE(checkpoints),
	FIGURE(checkpoint_failures),
	FIGURE(flushes),
	FIGURE(log_bytes_written),
	FIGURE(log_bytes),
	FIGURE(dirty_bytes),
	FIGURE(cache_bytes),
	FIGURE(cache_bytes_used),
	FIGURE(cache_reads),
	FIGURE(evictions),
	FIGURE(packs),
	FIGURE(pack_bytes),
	FIGURE(pack_bytes_live),
	FIGURE(registry_entries),
	FIGURE(registry_bytes),
	FIGURE(disk_bytes),
	FIGURE(failed),
	FIGURE(low_space),
	FIGURE(durability),
	{ NULL, 0 },
};

uint64_t figure_of(const sop_stats *stats, const struct figure *figure)
{
	uint64_t number;

	memcpy(&number, (const char *)stats + figure->offset, sizeof number);
	return number;
}
