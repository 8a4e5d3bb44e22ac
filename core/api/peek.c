/* Looking at a database that another process has open. */
#include "api/handle.h"
#include "api/url.h"
#include "backend/open.h"
#include "platform/clock.h"
#include "platform/platform.h"

enum { NS_PER_MS = 1000000 };

static void fill_peek(const struct sopi_peeked *from, bool figures, int64_t now_ns, sop_peek *peek)
{
	const struct sopi_stats_record *record = &from->record;

	peek->is_open = from->open;
	peek->process = from->process;
	memcpy(peek->host, from->host, sizeof peek->host);
	if (!figures)
		return;
	peek->has_figures = 1;
	if (now_ns > record->written_ns) /* any number may stand there, and the difference be too large for a signed one */
		peek->age_ms = ((uint64_t)now_ns - (uint64_t)record->written_ns) / NS_PER_MS;
	peek->opened_ms = record->opened_ns / NS_PER_MS;
	peek->written_ms = record->written_ns / NS_PER_MS;
	peek->running_ms = record->running_ns / NS_PER_MS;
	peek->interval_ms = record->interval_ns / NS_PER_MS;
	peek->commits_timed = record->commits_timed;
	peek->commit_p50_ns = record->commit_median_ns;
	peek->commit_p99_ns = record->commit_high_ns;
	peek->commit_longest_ns = record->commit_longest_ns;
	peek->log_bytes_max = record->log_bytes_max;
	peek->flush_interval_ms = record->flush_interval_ms;
	memcpy(peek->uuid, record->database, sizeof peek->uuid);
}

/* A newer owner may have more figures, an older one fewer. */
static void fill_stats(const struct sopi_stats_record *record, sop_stats *stats)
{
	const size_t known = (sizeof *stats - sizeof stats->struct_size) / sizeof(uint64_t);
	const size_t count = record->figure_count < known ? (size_t)record->figure_count : known;

	memcpy((char *)stats + sizeof stats->struct_size, record->figures, count * sizeof(uint64_t));
}

sop_status sop_stats_peek(const char *path, sop_peek *peek, sop_stats *stats, sop_error *err)
{
	const struct sopi_platform *platform = sopi_platform_posix();
	sop_peek all = SOP_PEEK_INIT;
	sop_stats figures = SOP_STATS_INIT;
	struct sopi_peeked found;
	sop_status status;

	SOP_TRY(sopi_path_check(path, "path", __func__, err));
	if (peek == NULL || peek->struct_size < sizeof(size_t) || peek->struct_size > 4096)
		return sopi_misuse(err, __func__, "peek is NULL, or its struct_size is not set");
	if (stats != NULL && (stats->struct_size < sizeof(size_t) || stats->struct_size > 4096))
		return sopi_misuse(err, __func__, "the struct_size of stats is not set");
	status = sopi_backend_peek(platform, path, &found, err);
	fill_peek(&found, status == SOP_OK, sopi_clock_wall_ns(platform->clock), &all);
	all.struct_size = peek->struct_size;
	memcpy(peek, &all, peek->struct_size < sizeof all ? peek->struct_size : sizeof all);
	if (stats == NULL)
		return status;
	if (status == SOP_OK)
		fill_stats(&found.record, &figures);
	figures.struct_size = stats->struct_size;
	memcpy(stats, &figures, stats->struct_size < sizeof figures ? stats->struct_size : sizeof figures);
	return status;
}
