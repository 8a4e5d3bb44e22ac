/* Opening and closing a database in a folder that one process owns. */
#include "backend/inredfs.h"

#include "base/alloc.h"
#include "base/plant.h"
#include "base/uuid.h"
#include "btree/resident.h"
#include "platform/clock.h"
#include "platform/random.h"

#include <sop/log.h>

#include <stdio.h>
#include <string.h>

enum {
	FORMAT = 2, /* of the database as a whole */
	LOG_SEGMENT_BYTES = 1 << 20, /* of the first; each new one is twice as large */
	LOG_SEGMENT_BYTES_MAX = 16 << 20,
	RAW_GROUP_SHARE = 256, /* of a segment: 64 KB, where making zeros costs what the journal of the file system does */
	CACHE_BYTES_MIN = 4 << 20,
	BALLAST_BYTES_MIN = 1 << 20,
	BALLAST_BYTES_MAX = 16 << 20,
	CLOSE_REPLAY_BYTES = 16 << 20, /* of log, beyond which closing makes a checkpoint */
	CLOSE_LOG_BYTES = 32 << 20, /* of segments, beyond which it does too, however little is in them */
	CLOSE_AGAIN_BYTES = 1 << 20, /* of log that this opening has read and the next one would read again: likewise */
	PASSED_SEGMENTS = 4, /* that the checkpoint has passed: worth a manifest that says so */
	PASSED_BYTES = 2 << 20, /* or so many bytes of all segments */
	SHRUNK_POOL_BYTES = 1 << 20,
	NS_PER_MS = 1000000,
	SEGMENT_NAME_BYTES = 20, /* 16 digits and ".log" */
};

#define LOG_BYTES_DEFAULT ((uint64_t)256 << 20)

static const char *const folders[] = { "log", "reg", "blobs", "outcome", "tmp" };

/* Made first and removed last when a database is made: what lies beside it is not one yet. */
#define CREATING_PATH "tmp/creating"

sop_status sopi_inredfs_fail(struct sopi_inredfs *fs, sop_status status)
{
	sopi_engine_fail(fs->engine, status);
	if (fs->wal != NULL)
		sopi_wal_fail(fs->wal);
	return status;
}

/* ---- budgets -------------------------------------------------------------------------------------- */

static uint64_t dirty_bytes(const struct sopi_inredfs *fs)
{
	return atomic_load_explicit(&fs->engine->forest.resident->dirty_bytes, memory_order_relaxed);
}

static uint64_t log_budget(const struct sopi_inredfs *fs)
{
	const uint64_t quarter = atomic_load_explicit(&fs->data_bytes, memory_order_relaxed) / 4;

	if (fs->engine->options.log_bytes_max != 0)
		return fs->engine->options.log_bytes_max;
	return quarter > LOG_BYTES_DEFAULT ? quarter : LOG_BYTES_DEFAULT;
}

/* Bytes of log that the next checkpoint makes free, about. */
static uint64_t log_bytes(const struct sopi_inredfs *fs)
{
	return atomic_load_explicit(&fs->logged, memory_order_relaxed) +
	       atomic_load_explicit(&fs->inherited, memory_order_relaxed);
}

bool sopi_inredfs_is_pressed(const struct sopi_inredfs *fs)
{
	return dirty_bytes(fs) > fs->engine->forest.resident->dirty_bytes_max / 2;
}

bool sopi_inredfs_is_due(struct sopi_inredfs *fs)
{
	return sopi_inredfs_is_pressed(fs) || log_bytes(fs) > log_budget(fs) / 4 * 3;
}

bool sopi_inredfs_is_full(struct sopi_inredfs *fs)
{
	return dirty_bytes(fs) > fs->engine->forest.resident->dirty_bytes_max ||
	       log_bytes(fs) > log_budget(fs);
}

static uint64_t live_bytes(const struct sopi_inredfs *fs)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < fs->manifest.pack_count; i++)
		bytes += fs->manifest.packs[i].live_bytes;
	return bytes;
}

/* How much of the budget nodes may use: the rest, an eighth at least, is for the registry, the log's buffers and what is
 * in flight. */
static size_t node_budget(const struct sopi_inredfs *fs)
{
	const uint64_t cache = fs->engine->options.cache_bytes;
	struct sopi_registry_stats registry;
	uint64_t others;

	sopi_registry_get_stats(fs->registry, &registry);
	others = registry.memory_bytes > cache / 8 ? registry.memory_bytes : cache / 8;
	others = others < cache / 2 ? others : cache / 2;
	return (size_t)(cache - others > (uint64_t)CACHE_BYTES_MIN / 2 ? cache - others
								       : CACHE_BYTES_MIN / 2);
}

void sopi_inredfs_note_data(struct sopi_inredfs *fs)
{
	struct sopi_resident *resident = fs->engine->forest.resident;
	const uint64_t data = live_bytes(fs);
	const size_t budget = node_budget(fs);

	atomic_store_explicit(&fs->data_bytes, data, memory_order_relaxed);
	atomic_store_explicit(&resident->bytes_max, budget, memory_order_relaxed);
	atomic_store_explicit(&resident->data_exceeds, data > budget, memory_order_relaxed);
}

void sopi_inredfs_make_ballast(struct sopi_inredfs *fs)
{
	uint64_t bytes = live_bytes(fs) / 32; /* 3 % of the data */
	struct sopi_file *file = NULL;
	uint64_t size = 0;
	sop_status status;

	bytes = bytes < BALLAST_BYTES_MIN ? BALLAST_BYTES_MIN : bytes;
	bytes = bytes > BALLAST_BYTES_MAX ? BALLAST_BYTES_MAX : bytes;
	status = sopi_folder_open_file(fs->folder, SOPI_BALLAST_PATH,
				       SOPI_FILE_READ | SOPI_FILE_WRITE | SOPI_FILE_CREATE, &file, NULL);
	if (status == SOP_OK)
		status = sopi_file_size(file, &size, NULL);
	if (status == SOP_OK && size < bytes)
		status = sopi_file_allocate(file, 0, bytes, NULL);
	sopi_file_close(file);
	if (status == SOP_UNSUPPORTED) /* a file system that cannot reserve: do without */
		status = SOP_OK;
	if (status != SOP_OK)
		(void)sopi_folder_remove(fs->folder, SOPI_BALLAST_PATH, NULL);
	atomic_store(&fs->low_space, status == SOP_NO_SPACE);
}

bool sopi_inredfs_drop_ballast(struct sopi_inredfs *fs)
{
	atomic_store(&fs->low_space, true);
	return sopi_folder_remove(fs->folder, SOPI_BALLAST_PATH, NULL) == SOP_OK;
}

/* ---- what the engine asks for --------------------------------------------------------------------- */

static void name_pack(void *arg, uint64_t pack, char file[SOPI_PATH_BYTES_MAX + 1])
{
	const struct sopi_inredfs *fs = arg;

	sopi_packs_path(fs->packs, pack, file);
}

static void value_gone(void *owner, struct sopi_value *value)
{
	sopi_values_gone(owner, value);
}

static void store_gone(struct sopi_backend *backend, struct sopi_store *store)
{
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);

	sopi_mutex_lock(&fs->values_mutex);
	store->next = fs->gone;
	fs->gone = store;
	sopi_mutex_unlock(&fs->values_mutex);
}

static sop_status sync_all(struct sopi_backend *backend, sop_error *err)
{
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);
	sop_status status;

	if (fs->engine->options.read_only) /* nothing was committed */
		return SOP_OK;
	status = sopi_wal_flush(fs->wal, true, err);
	if (status == SOP_OK)
		return SOP_OK;
	(void)sopi_inredfs_fail(fs, status);
	return sopi_fail(err, SOP_FAILED,
			 "the log could not be flushed; close the database and open it again");
}

static sop_status checkpoint(struct sopi_backend *backend, sop_error *err)
{
	return sopi_checkpoint_run(sopi_inredfs_of(backend), &sopi_checkpoint_usual, err);
}

static sop_status end_gc(struct sopi_inredfs *fs, bool crowded, sop_error *err)
{
	static const struct sopi_checkpoint_how how = { .always = true };

	SOP_TRY(sopi_checkpoint_run(fs, &how, err)); /* what the last one made superfluous goes with this one */
	sopi_mutex_lock(&fs->checkpoint_mutex);
	sopi_wal_shrink(fs->wal, 0); /* the next segment is there already */
	sopi_mutex_unlock(&fs->checkpoint_mutex);
	if (!crowded)
		return SOP_OK;
	return sopi_fail(err, SOP_NO_SPACE,
			 "what needs room for a copy first was not rewritten; free some space and try again");
}

/* Checkpoints until nothing is left to be rewritten of the packs that were there when it began: each round empties some
 * of them, and what others write meanwhile is not for this one. */
static sop_status gc(struct sopi_backend *backend, sopi_progress_fn progress, void *arg, sop_error *err)
{
	struct sopi_checkpoint_how how = { .always = true };
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);
	uint64_t done = 0, total, moved;
	bool crowded = false;

	sopi_values_seal(fs);
	sopi_mutex_lock(&fs->checkpoint_mutex);
	total = live_bytes(fs);
	sopi_mutex_unlock(&fs->checkpoint_mutex);
	if (!progress(arg, done, total))
		return sopi_fail(err, SOP_CANCELLED, "gc was stopped by its caller");
	SOP_TRY(sopi_checkpoint_run(fs, &how, err));
	how.compact_below = sopi_packs_next_id(fs->packs);
	how.rewritten = &moved;
	how.crowded = &crowded;
	do {
		how.sparing = crowded; /* pack by pack: each that is emptied makes room for the next */
		moved = 0;
		if (!progress(arg, done, total))
			return sopi_fail(err, SOP_CANCELLED, "gc was stopped by its caller");
		SOP_TRY(sopi_checkpoint_run(fs, &how, err));
		done += moved * fs->engine->options.node_bytes;
		total = total < done ? done : total;
	} while (moved != 0 || (crowded && !how.sparing));
	SOP_TRY(end_gc(fs, crowded, err));
	(void)progress(arg, total, total);
	return SOP_OK;
}

static void sum_packs(const struct sopi_inredfs *fs, struct sopi_backend_stats *stats)
{
	struct sopi_pack_entry *packs = NULL;
	size_t count = 0;

	if (sopi_packs_list(fs->packs, &packs, &count, NULL) != SOP_OK)
		return;
	stats->pack_count = count;
	for (size_t i = 0; i < count; i++) {
		stats->pack_bytes += packs[i].total_bytes;
		stats->pack_bytes_live += packs[i].live_bytes;
	}
	sopi_free(packs);
}

static void get_stats(struct sopi_backend *backend, struct sopi_backend_stats *stats)
{
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);
	struct sopi_engine *engine = fs->engine;
	struct sopi_registry_stats registry;
	struct sopi_wal_stats wal;
	size_t taken, used;

	memset(stats, 0, sizeof *stats);
	sopi_wal_get_stats(fs->wal, &wal);
	sopi_registry_get_stats(fs->registry, &registry);
	sopi_memory_usage(&engine->forest.memory, &taken, &used);
	sum_packs(fs, stats);
	stats->durable_position = fs->wal->driver->durable(fs->wal);
	stats->checkpoint_position = atomic_load(&fs->checkpointed);
	stats->checkpoints = atomic_load(&fs->checkpoints);
	stats->flushes = wal.flushes;
	stats->log_bytes_written = wal.bytes_written;
	stats->log_bytes = wal.segment_bytes;
	stats->dirty_bytes = dirty_bytes(fs);
	stats->cache_bytes = engine->options.cache_bytes;
	stats->cache_bytes_used = taken + registry.memory_bytes;
	stats->cache_reads = atomic_load(&engine->forest.resident->loads);
	stats->evictions = atomic_load(&engine->forest.resident->evicted);
	stats->registry_entries = registry.entries;
	stats->registry_bytes = registry.disk_bytes;
	stats->disk_bytes = stats->pack_bytes + registry.disk_bytes + wal.segment_bytes + wal.pool_bytes;
	stats->checkpoint_failures = atomic_load(&fs->checkpoint_failures);
	stats->durability = engine->options.durability;
	stats->failed = atomic_load(&engine->failed);
	stats->low_space = atomic_load(&fs->low_space);
}

/* ---- closing -------------------------------------------------------------------------------------- */

/* Closing makes a checkpoint where the next opening would have much log to read, or some for the second time, and where
 * segments have piled up: each opening begins one. */
static bool wants_checkpoint_at_close(struct sopi_inredfs *fs)
{
	struct sopi_wal_stats wal;

	sopi_wal_get_stats(fs->wal, &wal);
	return log_bytes(fs) > CLOSE_REPLAY_BYTES || log_bytes(fs) > log_budget(fs) / 2 ||
	       wal.segment_bytes > CLOSE_LOG_BYTES ||
	       (atomic_load(&fs->inherited) != 0 && fs->replayed_bytes > CLOSE_AGAIN_BYTES);
}

/* Does the newest manifest name segments that the next opening would read for nothing? `first` is what it needs. */
static bool reads_for_nothing(const struct sopi_inredfs *fs, uint64_t first)
{
	struct sopi_wal_stats wal;

	sopi_wal_get_stats(fs->wal, &wal);
	return first - fs->manifest.first_segment >= PASSED_SEGMENTS ||
	       (first != fs->manifest.first_segment &&
		wal.segment_bytes - wal.current_bytes > PASSED_BYTES);
}

/* The manifest learns where the log ends, so that a log that another program cuts short is not taken for one that ended
 * there; and which segments the next opening need not read, since the checkpoint is behind them: they stay until that
 * has made a manifest durable. Without it nothing is lost, so a failure is told and is none: the next open has less to compare. */
static void note_end(struct sopi_inredfs *fs)
{
	const struct sopi_wal_point end = sopi_wal_durable_point(fs->wal);
	sop_status status = SOP_OK;
	uint64_t first;

	sopi_mutex_lock(&fs->checkpoint_mutex);
	first = sopi_wal_segment_of(fs->wal, fs->manifest.checkpoint);
	if (fs->manifest.log_slot != end.slot || reads_for_nothing(fs, first)) {
		fs->manifest.log_slot = end.slot;
		fs->manifest.log_crc = end.crc;
		fs->manifest.first_segment = first;
		status = sopi_manifest_renew(fs->folder, &fs->manifest, NULL);
	}
	sopi_mutex_unlock(&fs->checkpoint_mutex);
	if (status != SOP_OK)
		sopi_messages_note(&fs->engine->messages, SOP_LOG_WARNING,
				   sopi_clock_wall_ns(fs->engine->platform->clock),
				   "MANIFEST could not be told where the log ends: %s; nothing is lost",
				   sop_status_name(status));
}

static sop_status stop(struct sopi_backend *backend, sop_error *err)
{
	static const struct sopi_checkpoint_how how = { .always = true };
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);
	sop_status status;

	fs->alone = true;
	sopi_stats_file_remove(fs);
	if (atomic_load(&fs->engine->failed))
		return sopi_fail(err, SOP_FAILED, "the database had failed; opening it again recovers it");
	if (fs->engine->options.read_only)
		return SOP_OK;
	if (wants_checkpoint_at_close(fs))
		(void)sopi_checkpoint_run(fs, &how, NULL); /* else replay does its work */
	sopi_values_seal(fs);
	status = sopi_wal_flush(fs->wal, true, err);
	if (status != SOP_OK)
		return sopi_fail(err, SOP_FAILED, "the last commits could not be flushed");
	note_end(fs);
	sopi_wal_settle(fs->wal, SHRUNK_POOL_BYTES);
	return SOP_OK;
}

static void free_gone(struct sopi_inredfs *fs)
{
	while (fs->gone != NULL) {
		struct sopi_store *next = fs->gone->next;

		sopi_store_free_shell(fs->gone);
		fs->gone = next;
	}
}

/* Frees whatever there is of it. */
static void free_all(struct sopi_backend *backend)
{
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);

	free_gone(fs);
	if (fs->packs != NULL) {
		sopi_values_free(fs);
		sopi_packs_close(fs->packs);
	}
	if (fs->registry != NULL)
		sopi_registry_close(fs->registry);
	sopi_manifest_free(&fs->manifest);
	sopi_free(fs->extra);
	sopi_file_close(fs->folder_lock); /* before LOCK, which tells others of us */
	sopi_file_close(fs->lock);
	sopi_folder_close(fs->folder);
	sopi_mutex_destroy(&fs->checkpoint_mutex);
	sopi_mutex_destroy(&fs->values_mutex);
	sopi_mutex_destroy(&fs->mutex);
	sopi_cond_destroy(&fs->wake);
	sopi_cond_destroy(&fs->done);
	sopi_free(fs);
}

static const struct sopi_backend_driver driver = {
	.pace = sopi_background_pace,
	.out_of_space = sopi_background_out_of_space,
	.committed = sopi_background_committed,
	.write_values = sopi_values_write,
	.value_committed = sopi_values_committed,
	.value_gone = sopi_values_gone,
	.read_value = sopi_values_read,
	.store_gone = store_gone,
	.sync = sync_all,
	.checkpoint = checkpoint,
	.gc = gc,
	.backup = sopi_backup,
	.verify = sopi_verify_files,
	.get_stats = get_stats,
	.has_failed = sopi_background_has_failed,
	.halt = sopi_background_halt,
	.stop = stop,
	.free = free_all,
};

/* ---- the folder ----------------------------------------------------------------------------------- */

static sop_status fs_new(struct sopi_engine *engine, struct sopi_inredfs **out, sop_error *err)
{
	struct sopi_inredfs *fs;
	void *memory = NULL;

	SOP_TRY(sopi_alloc_zeroed(sizeof *fs, &memory, err));
	fs = memory;
	fs->base.driver = &driver;
	memcpy(fs->base.name, "inredfs", sizeof "inredfs");
	fs->base.format = FORMAT;
	fs->engine = engine;
	fs->alone = true;
	atomic_init(&fs->next_value, 1);
	sopi_mutex_init(&fs->checkpoint_mutex);
	sopi_mutex_init(&fs->values_mutex);
	sopi_mutex_init(&fs->mutex);
	sopi_cond_init(&fs->wake);
	sopi_cond_init(&fs->done);
	*out = fs;
	return SOP_OK;
}

/* Is there something of this name? */
static sop_status is_there(struct sopi_inredfs *fs, const char *path, bool *there, sop_error *err)
{
	struct sopi_entry entry;
	const sop_status status = sopi_folder_look(fs->folder, path, &entry, err);

	*there = status == SOP_OK;
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

static sop_status no_database(const char *path, sop_error *err)
{
	return sopi_fail(err, SOP_NOT_FOUND,
			 "there is no database in the folder '%.160s'; check the path, or set the option create",
			 path);
}

/* The path, or what it goes through, is no folder: no damage, but a path that was mistyped. */
static sop_status no_folder(const char *path, bool creating, sop_error *err)
{
	return sopi_fail(err, creating ? SOP_EXISTS : SOP_NOT_FOUND,
			 "'%.160s' is no folder, or leads through something that is none; check the path",
			 path);
}

static sop_status missing_manifest(const char *path, sop_error *err)
{
	return sopi_fail_file(err, SOP_CORRUPT, "MANIFEST", -1, 0,
			      "MANIFEST is missing, but [%s] is there: this was a database; restore a backup, or make "
			      "a new one in an empty folder",
			      path);
}

/* Is this a file of the log? Only a database has those, and one that is being made has also CREATING_PATH. */
static sop_status note_segment(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	char *segment = arg;

	(void)err;
	if (kind == SOPI_ENTRY_FILE && strlen(name) == SEGMENT_NAME_BYTES &&
	    strspn(name, "0123456789abcdef") == 16 && strcmp(name + 16, ".log") == 0)
		(void)snprintf(segment, SOPI_PATH_BYTES_MAX, "log/%s", name);
	return SOP_OK;
}

/* There is no MANIFEST: either there never was a database, or it is damaged. */
static sop_status no_manifest(struct sopi_inredfs *fs, const char *path, bool *exists, sop_error *err)
{
	char segment[SOPI_PATH_BYTES_MAX] = "";
	bool creating = true;

	if (sopi_folder_list(fs->folder, "log", note_segment, segment, NULL) != SOP_OK ||
	    segment[0] == '\0' || is_there(fs, CREATING_PATH, &creating, NULL) != SOP_OK || creating)
		return no_database(path, err);
	SOP_TRY(is_there(fs, "MANIFEST", exists, err)); /* it may just have been finished */
	return *exists ? SOP_OK : missing_manifest(segment, err);
}

/* What is in a folder that has no manifest. */
struct beginning {
	bool folders; /* some of a database's */
	bool figures; /* the file `stats`, as a process leaves it that is killed */
};

static sop_status not_empty(const char *name, sop_error *err)
{
	return sopi_fail_file(err, SOP_EXISTS, name, -1, 0,
			      "the folder is not empty, and no database: [%s] is there; choose another",
			      name);
}

/* Is there nothing else in the folder than what a database begins with? What may be the figures of one that was is not
 * what stands out, if folders of one are there too. */
static sop_status check_root_entry(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	struct beginning *beginning = arg;

	(void)kind;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		if (strcmp(name, folders[i]) == 0)
			return SOP_OK;
	}
	if (strcmp(name, "LOCK") == 0)
		return SOP_OK;
	if (!beginning->folders || strcmp(name, "stats") != 0)
		return not_empty(name, err);
	beginning->figures = true;
	return SOP_OK;
}

static sop_status look_at_root(struct sopi_inredfs *fs, struct beginning *beginning, sop_error *err)
{
	memset(beginning, 0, sizeof *beginning);
	SOP_TRY(is_there(fs, folders[0], &beginning->folders, err));
	return sopi_folder_list(fs->folder, "", check_root_entry, beginning, err);
}

/* Refuses a folder that is somebody else's before LOCK is made in it, unless another process has just made the database. */
static sop_status check_root(struct sopi_inredfs *fs, bool *exists, sop_error *err)
{
	struct beginning beginning;
	const sop_status status = look_at_root(fs, &beginning, err);

	if (status == SOP_OK)
		return SOP_OK;
	return is_there(fs, "MANIFEST", exists, NULL) == SOP_OK && *exists ? SOP_OK : status;
}

/* Keeps out who would write. Where the lock cannot be had nobody can be kept out, and what is read would fit together by
 * chance only. */
static sop_status lock_reading(struct sopi_inredfs *fs, sop_error *err)
{
	const sop_status status = sopi_folder_lock_reading(fs->folder, "LOCK", &fs->lock, err);

	if (status != SOP_NOT_FOUND)
		return status;
	return sopi_fail_file(err, SOP_UNSUPPORTED, "LOCK", -1, 0,
			      "LOCK is missing, so nobody who writes can be kept out, and read_only makes no file; open the "
			      "database once without it, or make an empty file LOCK");
}

/* Another LOCK in place of the one that a process holds keeps nobody out; this lock does. */
static sop_status lock_itself(struct sopi_inredfs *fs, enum sopi_lock kind, sop_error *err)
{
	const sop_status status = sopi_folder_lock_itself(fs->folder, kind, &fs->folder_lock, err);

	if (status != SOP_LOCKED)
		return status;
	return sopi_fail_file(
		err, SOP_LOCKED, "LOCK", -1, 0,
		"the database is open elsewhere, and LOCK is not the file that was locked there (never remove "
		"it); or a program other than SOP has locked the folder; close it there first");
}

static sop_status lock_folder(struct sopi_inredfs *fs, sop_error *err)
{
	char name[SOPI_PROCESS_NAME_BYTES];

	if (fs->engine->options.read_only) {
		SOP_TRY(lock_reading(fs, err));
		return lock_itself(fs, SOPI_LOCK_SHARED, err);
	}
	sopi_process_name(name);
	SOP_TRY(sopi_folder_lock(fs->folder, "LOCK", SOPI_LOCK_EXCLUSIVE, name, &fs->lock, err));
	return lock_itself(fs, SOPI_LOCK_EXCLUSIVE, err);
}

/* Opens the folder. Whoever put a MANIFEST there had made the folder's name durable before: only one that has none is opened as one
 * that is to be made, for which its parent is synced. */
static sop_status open_folder(struct sopi_inredfs *fs, const char *path, sop_error *err)
{
	struct sopi_files *files = fs->engine->platform->files;
	bool made = false;

	if (!fs->engine->options.create)
		return sopi_files_open_folder(files, path, 0, &fs->folder, err);
	if (sopi_files_open_folder(files, path, 0, &fs->folder, NULL) == SOP_OK) {
		SOP_TRY(is_there(fs, "MANIFEST", &made, err));
		if (made)
			return SOP_OK;
		sopi_folder_close(fs->folder);
		fs->folder = NULL;
	}
	return sopi_files_open_folder(files, path, SOPI_FOLDER_CREATE, &fs->folder, err);
}

/* Opens the folder and takes its lock; tells whether there is a database. */
static sop_status enter_folder(struct sopi_inredfs *fs, const char *path, bool *exists, sop_error *err)
{
	struct sopi_engine *engine = fs->engine;
	const bool creates = engine->options.create;
	struct sopi_file_system where;
	sop_status status;

	status = open_folder(fs, path, err);
	if (status == SOP_NOT_FOUND && !creates)
		return no_database(path, err);
	if (status == SOP_CORRUPT)
		return no_folder(path, creates, err);
	SOP_TRY(status);
	SOP_TRY(sopi_folder_file_system(fs->folder, &where, err));
	if (where.kind != SOPI_FILE_SYSTEM_LOCAL)
		return sopi_fail(err, SOP_UNSUPPORTED,
				 "'%.120s' lies on %s, where one process cannot know that it is alone; use a local folder",
				 path, where.name);
	SOP_TRY(is_there(fs, "MANIFEST", exists, err));
	if (!*exists && !creates)
		SOP_TRY(no_manifest(fs, path, exists, err));
	if (!*exists)
		SOP_TRY(check_root(fs, exists, err));
	SOP_TRY(lock_folder(fs, err));
	SOP_TRY(is_there(fs, "MANIFEST", exists, err));
	return *exists || creates ? SOP_OK : no_database(path, err);
}

/* ---- making a database ---------------------------------------------------------------------------- */

struct cleaning {
	struct sopi_inredfs *fs;
	const char *folder;
	bool interrupted; /* what is found is left of an attempt to make a database */
};

static sop_status clean_entry(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	const struct cleaning *cleaning = arg;
	struct sopi_folder *folder = cleaning->fs->folder;
	char path[SOPI_PATH_BYTES_MAX + 1];
	struct cleaning inside = *cleaning;

	if (strlen(cleaning->folder) + strlen(name) + 2 > sizeof path)
		return sopi_fail_file(err, SOP_EXISTS, cleaning->folder, -1, 0,
				      "there is something else in the folder");
	strcpy(path, cleaning->folder);
	strcat(path, "/");
	strcat(path, name);
	if (kind == SOPI_ENTRY_FOLDER && strcmp(cleaning->folder, "blobs") == 0) {
		inside.folder = path;
		return sopi_folder_list(folder, path, clean_entry, &inside, err);
	}
	if (strcmp(path, CREATING_PATH) == 0)
		return SOP_OK;
	if (!cleaning->interrupted)
		return missing_manifest(path, err);
	return sopi_folder_remove(folder, path, err);
}

static sop_status make_folders(struct sopi_inredfs *fs, sop_error *err)
{
	struct cleaning cleaning = { .fs = fs };
	struct sopi_file *file = NULL;
	struct beginning beginning;

	SOP_TRY(look_at_root(fs, &beginning, err));
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		const sop_status status = sopi_folder_make(fs->folder, folders[i], err);

		if (status != SOP_EXISTS)
			SOP_TRY(status);
	}
	SOP_TRY(is_there(fs, CREATING_PATH, &cleaning.interrupted, err));
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		cleaning.folder = folders[i];
		SOP_TRY(sopi_folder_list(fs->folder, folders[i], clean_entry, &cleaning, err));
	}
	if (beginning.figures) /* of no database: its folders are empty */
		return not_empty("stats", err);
	SOP_TRY(sopi_folder_open_file(fs->folder, CREATING_PATH, SOPI_FILE_WRITE | SOPI_FILE_CREATE,
				      &file, err));
	sopi_file_close(file);
	SOP_TRY(sopi_folder_sync(fs->folder, "tmp", err));
	return sopi_folder_sync(fs->folder, "", err);
}

static sop_status make_uuid(struct sopi_inredfs *fs, sop_error *err)
{
	const struct sopi_platform *platform = fs->engine->platform;
	uint8_t random[SOPI_UUID_RANDOM_BYTES];
	struct sopi_uuid uuid;

	SOP_TRY(sopi_random_fill(platform->random, random, sizeof random, err));
	sopi_uuid_make_v7((uint64_t)(sopi_clock_wall_ns(platform->clock) / NS_PER_MS), random, &uuid);
	memcpy(fs->manifest.database, uuid.bytes, sizeof fs->manifest.database);
	return SOP_OK;
}

static struct sopi_wal_options wal_options(const struct sopi_inredfs *fs)
{
	const uint64_t most = log_budget(fs) / 4 < LOG_SEGMENT_BYTES_MAX ? log_budget(fs) / 4
									 : LOG_SEGMENT_BYTES_MAX;
	const uint64_t first = most < LOG_SEGMENT_BYTES ? most : LOG_SEGMENT_BYTES; /* smaller in tests only */
	const struct sopi_wal_options options = {
		.platform = fs->engine->platform,
		.folder = fs->folder,
		.commit_mutex = &fs->engine->commit_mutex,
		.epoch = fs->manifest.epoch,
		.checkpoint = fs->manifest.checkpoint,
		.first_segment = fs->manifest.first_segment,
		.known = { fs->manifest.log_slot, fs->manifest.log_crc },
		.segment_bytes = first,
		.segment_bytes_max = most,
		.pool_bytes_max = log_budget(fs) / 4 * 3, /* what a checkpoint passes, so that it is used again */
		.bytes_max = log_budget(fs) / 4 * 5,
		.writes_ahead = !fs->engine->options.no_background,
		.raw_group_bytes = most / RAW_GROUP_SHARE,
	};

	return options;
}

/* Opens registry and packs as the manifest has them, and makes the trees pageable. */
static sop_status open_files(struct sopi_inredfs *fs, sop_error *err)
{
	const struct sopi_page_source source = { sopi_node_pages_bring, name_pack, fs };
	struct sopi_engine *engine = fs->engine;
	const struct sopi_manifest *manifest = &fs->manifest;

	SOP_TRY(sopi_registry_open(engine->platform, fs->folder, manifest->buckets,
				   (size_t)(engine->options.cache_bytes / 8), &manifest->registry,
				   &fs->registry, err));
	SOP_TRY(sopi_packs_open(engine->platform, fs->folder, manifest->next_pack, &fs->packs, err));
	for (size_t i = 0; i < manifest->pack_count; i++)
		SOP_TRY(sopi_packs_adopt(fs->packs, &manifest->packs[i], err));
	fs->registry_number = manifest->checkpoint;
	for (uint64_t i = 0; i < manifest->registry.run_count; i++) {
		if (manifest->registry.runs[i] > fs->registry_number)
			fs->registry_number = manifest->registry.runs[i];
	}
	engine->forest.value_gone = value_gone;
	engine->forest.owner = fs;
	SOP_TRY(sopi_resident_open(&engine->forest, &source, &engine->commit_mutex, &engine->answered,
				   node_budget(fs), engine->options.node_bytes, err));
	sopi_inredfs_note_data(fs);
	return SOP_OK;
}

static void use_log(struct sopi_inredfs *fs)
{
	struct sopi_engine *engine = fs->engine;

	engine->log->driver->close(engine->log);
	engine->log = fs->wal;
}

static void begin_at(struct sopi_inredfs *fs, uint64_t position)
{
	struct sopi_engine *engine = fs->engine;

	atomic_store(&engine->applied, position);
	atomic_store(&engine->answered, position);
	atomic_store(&engine->flushed, position);
}

static sop_status create(struct sopi_inredfs *fs, sop_error *err)
{
	static const struct sopi_checkpoint_how how = { .always = true };
	struct sopi_engine *engine = fs->engine;
	struct sopi_tree *names = &engine->catalog.names.tree;
	struct sopi_wal_options options;

	SOP_TRY(make_folders(fs, err));
	SOP_TRY(make_uuid(fs, err));
	fs->manifest.epoch = 1;
	fs->manifest.first_segment = 1;
	fs->manifest.buckets = engine->options.registry_buckets;
	fs->manifest.node_bytes = engine->options.node_bytes;
	fs->manifest.next_pack = 1;
	SOP_TRY(open_files(fs, err));
	options = wal_options(fs);
	SOP_TRY(sopi_wal_create(&options, &fs->wal, err));
	use_log(fs);
	SOP_TRY(sopi_dirty_reserve(&engine->forest, err));
	sopi_dirty_add(&engine->forest, names->root, names->id);
	SOP_TRY(sopi_checkpoint_run(fs, &how, err));
	SOP_TRY(sopi_folder_remove(fs->folder, CREATING_PATH, err));
	return sopi_folder_sync(fs->folder, "tmp", err);
}

/* ---- opening one ---------------------------------------------------------------------------------- */

/* Empty folders get lost when a database is copied or archived by other means. Of one that was not empty, the files are
 * missed next. */
static sop_status make_missing_folders(struct sopi_inredfs *fs, sop_error *err)
{
	bool made = false;

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		bool there;

		SOP_TRY(is_there(fs, folders[i], &there, err));
		if (there)
			continue;
		SOP_TRY(sopi_folder_make(fs->folder, folders[i], err));
		made = true;
	}
	return made ? sopi_folder_sync(fs->folder, "", err) : SOP_OK;
}

/* Of these every database has some files; the others may have got lost while they were empty. */
static sop_status check_folders(struct sopi_inredfs *fs, sop_error *err)
{
	static const char *const needed[] = { "log", "reg", "blobs" };

	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		bool there;

		SOP_TRY(is_there(fs, needed[i], &there, err));
		if (!there)
			return sopi_fail_file(err, SOP_CORRUPT, needed[i], -1, 0,
					      "the folder [%s] of the database is missing; restore a backup",
					      needed[i]);
	}
	return SOP_OK;
}

/* The catalog as the registry has it, instead of the empty one. */
static sop_status open_catalog(struct sopi_inredfs *fs, sop_error *err)
{
	struct sopi_engine *engine = fs->engine;
	struct sopi_catalog *catalog = &engine->catalog;
	struct sopi_registry_entry entry;
	struct sopi_tree tree;
	sop_status status;

	status = sopi_registry_find(fs->registry,
				    sopi_registry_key(SOPI_KEY_STORE, SOPI_CATALOG_ID), &entry, err);
	if (status == SOP_NOT_FOUND)
		return sopi_fail(err, SOP_CORRUPT, "the registry lacks the catalog of stores");
	SOP_TRY(status);
	SOP_TRY(sopi_tree_open(&tree, &engine->forest, SOPI_CATALOG_ID, engine->options.node_bytes,
			       0, entry.words[0], (int64_t)entry.words[1], entry.words[2],
			       fs->manifest.checkpoint, err));
	sopi_tree_destroy(&catalog->names.tree);
	catalog->names.tree = tree;
	catalog->names.written = true;
	catalog->names.written_items = (int64_t)entry.words[1];
	catalog->names.written_next_item = entry.words[2];
	atomic_store(&catalog->next_id, fs->manifest.next_store);
	return sopi_recover_stores(fs, err);
}

/* What the last owner could not finish: values and stores that nobody names any more. */
static sop_status take_over(struct sopi_inredfs *fs, sop_error *err)
{
	const struct sopi_manifest *manifest = &fs->manifest;

	for (size_t i = 0; i < manifest->dead_value_count; i++)
		SOP_TRY(sopi_values_bury(fs, manifest->dead_values[i], err));
	for (size_t i = 0; i < manifest->dropped_count; i++) {
		struct sopi_store *store;
		void *memory = NULL;

		SOP_TRY(sopi_alloc_zeroed(sizeof *store, &memory, err));
		store = memory;
		store->tree.id = manifest->dropped[i].store;
		store->root = manifest->dropped[i].root;
		store_gone(&fs->base, store);
	}
	return SOP_OK;
}

/* Files in tmp/ are of nobody. */
static sop_status clean_tmp(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	struct sopi_inredfs *fs = arg;
	char path[SOPI_PATH_BYTES_MAX + 1] = "tmp/";

	(void)err;
	if (kind != SOPI_ENTRY_FILE || strlen(name) + 5 > sizeof path ||
	    (strcmp(name, "MANIFEST") != 0 && strcmp(name, "creating") != 0))
		return SOP_OK;
	strcat(path, name);
	(void)sopi_folder_remove(fs->folder, path, NULL);
	return SOP_OK;
}

static sop_status sweep(struct sopi_inredfs *fs, sop_error *err)
{
	SOP_TRY(sopi_packs_sweep(fs->packs, NULL, NULL, err));
	SOP_TRY(sopi_registry_sweep(fs->registry, NULL, NULL, err));
	return sopi_folder_list(fs->folder, "tmp", clean_tmp, fs, err);
}

/* From here on the database is ours: the manifest says so, and the log goes on in a segment of its own. That is made only
 * then: it may be one that the manifest on the disk still names, if the one that was read is in the page cache only. */
static sop_status go_on(struct sopi_inredfs *fs, struct sopi_log *wal, sop_error *err)
{
	bool indefinite;

	if (!SOPI_PLANTED(SOPI_PLANT_NO_REPUBLISH))
		SOP_TRY(sopi_manifest_write(fs->folder, &fs->manifest, &indefinite, err));
	return sopi_wal_resume(wal, fs->manifest.epoch, err);
}

/* The same on a disk that may be full: who wants to remove something must be able to open it. */
static sop_status go_on_if_full(struct sopi_inredfs *fs, struct sopi_log *wal, sop_error *err)
{
	const sop_status status = go_on(fs, wal, err);

	if (status != SOP_NO_SPACE || !sopi_inredfs_drop_ballast(fs))
		return status;
	return go_on(fs, wal, err);
}

/* Each opening begins a segment of its own, and those before it stay until a checkpoint has passed them: they count in
 * the budget of the log, or a database that is opened again and again would fill the disk. */
static sop_status inherit_log(struct sopi_inredfs *fs, sop_error *err)
{
	struct sopi_wal_stats wal;
	sop_status status = SOP_OK;

	sopi_wal_get_stats(fs->wal, &wal);
	atomic_store(&fs->inherited, wal.segment_bytes - wal.current_bytes);
	if (sopi_inredfs_is_full(fs))
		status = sopi_checkpoint_run(fs, &sopi_checkpoint_usual, err);
	return atomic_load(&fs->engine->failed) ? status : SOP_OK; /* else another one may succeed */
}

/* What there is as of the manifest, and the log behind it, of which nothing is applied yet. Writes nothing. */
static sop_status open_checkpoint(struct sopi_inredfs *fs, struct sopi_log **wal, sop_error *err)
{
	struct sopi_engine *engine = fs->engine;
	struct sopi_wal_options options;

	engine->options.node_bytes = fs->manifest.node_bytes;
	engine->options.registry_buckets = fs->manifest.buckets;
	engine->catalog.names.tree.leaf_bytes = fs->manifest.node_bytes;
	atomic_store(&engine->forest.next_vid, fs->manifest.next_vid);
	atomic_store(&fs->next_value, fs->manifest.next_value);
	begin_at(fs, fs->manifest.checkpoint);
	atomic_store(&fs->checkpointed, fs->manifest.checkpoint);
	SOP_TRY(open_files(fs, err));
	SOP_TRY(take_over(fs, err));
	SOP_TRY(sopi_outcome_files_load(fs, err));
	SOP_TRY(open_catalog(fs, err));
	options = wal_options(fs);
	return sopi_wal_open(&options, wal, err);
}

static sop_status replay(struct sopi_inredfs *fs, struct sopi_log *wal, sop_error *err)
{
	fs->wal = wal;
	use_log(fs);
	fs->replayed_bytes = sopi_wal_bytes_behind(wal, fs->manifest.checkpoint);
	fs->replaying = true;
	SOP_TRY(sopi_recover_log(fs, wal, err));
	fs->replaying = false;
	begin_at(fs, sopi_wal_end(wal));
	return SOP_OK;
}

/* The steps of recovery, in this order: docs/architecture.md says why. */
static sop_status recover(struct sopi_inredfs *fs, sop_error *err)
{
	struct sopi_log *wal = NULL;
	sop_status status;

	SOP_TRY(sopi_manifest_read(fs->folder, "MANIFEST", &fs->manifest, err));
	SOP_TRY(make_missing_folders(fs, err));
	SOP_TRY(open_checkpoint(fs, &wal, err));
	if (sopi_wal_epoch(wal) >= fs->manifest.epoch)
		fs->manifest.epoch = sopi_wal_epoch(wal);
	fs->manifest.epoch++;
	status = go_on_if_full(fs, wal, err);
	if (status != SOP_OK) {
		wal->driver->close(wal);
		return status;
	}
	SOP_TRY(replay(fs, wal, err));
	SOP_TRY(sweep(fs, err));
	return inherit_log(fs, err);
}

/* The same in memory only: what recovery would write, remove or cut off is left to the next opening that may. */
static sop_status recover_reading(struct sopi_inredfs *fs, sop_error *err)
{
	struct sopi_log *wal = NULL;

	SOP_TRY(sopi_manifest_read(fs->folder, "MANIFEST", &fs->manifest, err));
	SOP_TRY(check_folders(fs, err));
	SOP_TRY(open_checkpoint(fs, &wal, err));
	sopi_wal_freeze(wal);
	SOP_TRY(replay(fs, wal, err));
	return sopi_packs_settle(fs->packs, err);
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static void fill_defaults(struct sopi_engine_options *options)
{
	if (options->cache_bytes == 0)
		options->cache_bytes = sopi_host_memory_bytes() / 4;
	if (options->cache_bytes < CACHE_BYTES_MIN)
		options->cache_bytes = CACHE_BYTES_MIN;
	if (options->snapshot_bytes_max == 0)
		options->snapshot_bytes_max = options->cache_bytes / 2;
	if (options->registry_buckets == 0)
		options->registry_buckets = SOPI_BUCKETS_DEFAULT;
	if (options->read_only) {
		options->create = false;
		options->no_background = true;
	}
}

/* Opens it with the slot claimed, since what is read must stay while it is looked at. */
static sop_status open_claimed(struct sopi_inredfs *fs, const char *path, sop_error *err)
{
	struct sopi_reclaim *reclaim = &fs->engine->forest.reclaim;
	bool exists = false;
	sop_status status;

	SOP_TRY(enter_folder(fs, path, &exists, err));
	SOP_TRY(sopi_slot_take(reclaim, NULL, &fs->slot, err));
	if (sopi_slot_claim(reclaim, fs->slot, false) != SOPI_SLOT_IDLE)
		SOPI_UNREACHABLE();
	if (fs->engine->options.read_only)
		status = recover_reading(fs, err);
	else
		status = exists ? recover(fs, err) : create(fs, err);
	if (status == SOP_OK && !fs->engine->options.read_only) {
		sopi_mutex_lock(&fs->checkpoint_mutex);
		sopi_inredfs_make_ballast(fs);
		sopi_mutex_unlock(&fs->checkpoint_mutex);
		atomic_store(&fs->marked, atomic_load(&fs->engine->applied));
	}
	sopi_slot_release(fs->slot);
	return status;
}

/* Nobody has committed anything: memory goes, the files stay as they are. */
static void open_failed(struct sopi_inredfs *fs)
{
	struct sopi_engine *engine = fs->engine;

	engine->backend = NULL;
	engine->forest.value_gone = NULL;
	engine->forest.closing = true;
	/* `unfinished` is freed with the engine, whose nodes need it until then */
}

/* What large transactions leave for the next one is half of what the budget has for all that is no node, at most. */
static void limit_spare(struct sopi_engine *engine)
{
	const uint64_t share = engine->options.cache_bytes / 16;

	if (share < SOPI_SPARE_BYTES_MAX)
		atomic_store_explicit(&engine->forest.spare.bytes_max, (size_t)share,
				      memory_order_relaxed);
}

sop_status sopi_backend_open(struct sopi_engine *engine, const char *path, sop_error *err)
{
	struct sopi_inredfs *fs = NULL;
	sop_status status;

	fill_defaults(&engine->options);
	limit_spare(engine);
	SOP_TRY(fs_new(engine, &fs, err));
	engine->unfinished = &fs->base; /* replay drops stores, and it must hear of them */
	status = open_claimed(fs, path, err);
	if (status != SOP_OK) {
		open_failed(fs);
		return status;
	}
	fs->alone = false;
	memcpy(fs->base.uuid, fs->manifest.database, sizeof fs->base.uuid);
	engine->backend = &fs->base;
	engine->unfinished = NULL;
	sopi_stats_file_begin(fs);
	sopi_background_begin(fs);
	return SOP_OK;
}
