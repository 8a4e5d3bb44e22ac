/* Figures for other processes: the file `stats`, which the owner of a database writes and others read. It is a
 * convenience: never synced, never needed, and no failure of it is anybody's. */
#include "backend/inredfs.h"

#include "base/buffer.h"
#include "codec/stats_record.h"
#include "platform/clock.h"
#include "transaction/figures.h"

#include <string.h>

enum {
	EVERY_NS = 1000000000, /* so often something is looked for */
	READS_MAX = 20, /* of a file that is just being written */
};

#define PATH "stats"

enum { FIGURES = (sizeof(sop_stats) - sizeof(size_t)) / sizeof(uint64_t) };

_Static_assert(FIGURES * sizeof(uint64_t) + sizeof(size_t) == sizeof(sop_stats) &&
		       sizeof(size_t) == sizeof(uint64_t) && (int)FIGURES <= (int)SOPI_STATS_FIGURES_MAX,
	       "behind struct_size there are numbers of 8 bytes only, and they fit");

/* ---- writing -------------------------------------------------------------------------------------- */

static void fill(struct sopi_inredfs *fs, const sop_stats *stats, int64_t now_ns,
		 struct sopi_stats_record *record)
{
	const struct sopi_engine *engine = fs->engine;
	struct sopi_histogram_summary summary;
	char host[SOPI_HOST_BYTES];

	sopi_histogram_take(&fs->engine->commit_ns, &fs->stats.past, &summary);
	memset(record, 0, sizeof *record);
	sopi_process_who(&record->process, host);
	memcpy(record->host, host, sizeof host);
	record->sequence = ++fs->stats.sequence;
	record->opened_ns = fs->stats.opened_wall_ns;
	record->written_ns = sopi_clock_wall_ns(engine->platform->clock);
	record->running_ns = (uint64_t)(now_ns - fs->stats.opened_ns);
	record->interval_ns = (uint64_t)(now_ns - fs->stats.taken_ns);
	record->commits_timed = summary.count;
	record->commit_median_ns = summary.median;
	record->commit_high_ns = summary.high;
	record->commit_longest_ns = summary.longest;
	record->log_bytes_max = engine->options.log_bytes_max;
	record->flush_interval_ms = (uint64_t)engine->options.flush_interval_ms;
	memcpy(record->database, fs->base.uuid, sizeof record->database);
	record->figure_count = FIGURES;
	memcpy(record->figures, (const char *)stats + sizeof(size_t), FIGURES * sizeof(uint64_t));
	fs->stats.taken_ns = now_ns;
}

/* In place: the checksum tells a reader that it came in between, and what is there takes no more room. */
static sop_status write_bytes(struct sopi_inredfs *fs, const uint8_t *bytes)
{
	struct sopi_file *file = NULL;
	sop_status status;

	SOP_TRY(sopi_folder_open_file(fs->folder, PATH, SOPI_FILE_WRITE | SOPI_FILE_CREATE, &file, NULL));
	status = sopi_file_write(file, 0, bytes, SOPI_STATS_BYTES, NULL);
	if (status == SOP_OK && !fs->stats.there) /* of somebody else, maybe */
		status = sopi_file_resize(file, SOPI_STATS_BYTES, NULL);
	sopi_file_close(file);
	if (status != SOP_OK)
		(void)sopi_folder_remove(fs->folder, PATH, NULL);
	return status;
}

static void write_file(struct sopi_inredfs *fs, const sop_stats *stats, int64_t now_ns)
{
	struct sopi_stats_record record;
	uint8_t bytes[SOPI_STATS_BYTES];

	fill(fs, stats, now_ns, &record);
	sopi_stats_record_encode(&record, bytes);
	fs->stats.there = write_bytes(fs, bytes) == SOP_OK;
	fs->stats.last = *stats;
}

/* Has anything changed but time? That a transaction is open, and grows old, is something. */
static bool has_changed(const sop_stats *before, const sop_stats *after)
{
	sop_stats other = *before;

	if (after->oldest_snapshot_age_ms != 0)
		return true;
	other.oldest_snapshot_age_ms = after->oldest_snapshot_age_ms;
	return memcmp(&other, after, sizeof other) != 0;
}

void sopi_stats_file_begin(struct sopi_inredfs *fs)
{
	const struct sopi_clock *clock = fs->engine->platform->clock;
	sop_stats stats = SOP_STATS_INIT;

	if (fs->engine->options.no_background)
		return;
	fs->stats.opened_wall_ns = sopi_clock_wall_ns(clock);
	fs->stats.opened_ns = fs->stats.looked_ns = fs->stats.taken_ns = sopi_clock_monotonic_ns(clock);
	sopi_engine_get_stats(fs->engine, &stats);
	write_file(fs, &stats, fs->stats.opened_ns);
}

void sopi_stats_file_update(struct sopi_inredfs *fs)
{
	const int64_t now_ns = sopi_clock_monotonic_ns(fs->engine->platform->clock);
	sop_stats stats = SOP_STATS_INIT;

	if (now_ns - fs->stats.looked_ns < EVERY_NS)
		return;
	fs->stats.looked_ns = now_ns;
	sopi_engine_get_stats(fs->engine, &stats);
	if (has_changed(&fs->stats.last, &stats))
		write_file(fs, &stats, now_ns);
}

void sopi_stats_file_remove(struct sopi_inredfs *fs)
{
	if (fs->stats.there)
		(void)sopi_folder_remove(fs->folder, PATH, NULL);
	fs->stats.there = false;
}

/* ---- reading -------------------------------------------------------------------------------------- */

static sop_status read_once(struct sopi_file *file, struct sopi_stats_record *record, sop_error *err)
{
	uint8_t bytes[SOPI_STATS_BYTES + 1]; /* one more shows that the file is too long */
	size_t size = 0;

	SOP_TRY(sopi_file_read(file, 0, bytes, sizeof bytes, &size, err));
	return sopi_stats_record_decode(bytes, size, record, err);
}

static sop_status read_record(struct sopi_folder *folder, struct sopi_stats_record *record, sop_error *err)
{
	struct sopi_file *file = NULL;
	sop_status status = SOP_CORRUPT;

	SOP_TRY(sopi_folder_open_file(folder, PATH, SOPI_FILE_READ, &file, err));
	for (int reads = 0; status == SOP_CORRUPT && reads < READS_MAX; reads++) {
		if (reads > 0)
			sopi_yield(); /* it may be half written */
		status = read_once(file, record, err);
	}
	sopi_file_close(file);
	return status;
}

/* Nobody holds the lock, or there is none. */
static sop_status not_open(struct sopi_folder *folder, const char *path, sop_error *err)
{
	struct sopi_entry entry;
	const sop_status status = sopi_folder_look(folder, "MANIFEST", &entry, err);

	if (status == SOP_OK)
		return sopi_fail(err, SOP_NOT_FOUND,
				 "nobody has the database in '%.160s' open: open it to learn more",
				 path);
	if (status != SOP_NOT_FOUND)
		return status;
	return sopi_fail(err, SOP_NOT_FOUND,
			 "there is no database in the folder '%.160s'; check the path", path);
}

static sop_status no_figures(const char *holder, sop_error *err)
{
	return sopi_fail_file(err, SOP_NOT_FOUND, PATH, -1, 0,
			      "the database is open, by %s, which has left no figures: not yet, or it only reads; ask there",
			      holder[0] != '\0' ? holder : "another process");
}

static sop_status peek(struct sopi_folder *folder, const char *path, struct sopi_peeked *out,
		       sop_error *err)
{
	char holder[SOPI_HOLDER_BYTES_MAX + 1], host[SOPI_HOST_BYTES];
	sop_status status = sopi_folder_lock_holder(folder, "LOCK", holder, err);

	if (status == SOP_NOT_FOUND)
		return not_open(folder, path, err);
	SOP_TRY(status);
	out->open = true;
	sopi_process_name_read(holder, &out->process, host);
	memcpy(out->host, host, sizeof host);
	status = read_record(folder, &out->record, err);
	if (status == SOP_NOT_FOUND)
		return no_figures(holder, err);
	SOP_TRY(status);
	if (out->process != out->record.process || strcmp(out->host, out->record.host) != 0)
		return no_figures(holder, err); /* they are of an earlier owner, who was killed */
	return SOP_OK;
}

sop_status sopi_backend_peek(const struct sopi_platform *platform, const char *path,
			     struct sopi_peeked *out, sop_error *err)
{
	struct sopi_folder *folder = NULL;
	sop_status status;

	memset(out, 0, sizeof *out);
	SOP_TRY(sopi_files_open_folder(platform->files, path, 0, &folder, err));
	status = peek(folder, path, out, err);
	sopi_folder_close(folder);
	return status;
}
