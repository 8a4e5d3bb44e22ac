/* Copies of a database while it is in use, and bringing them back. */
#include "backend/copy.h"

#include "codec/pack_record.h"
#include "platform/thread.h"

#include <stdio.h>
#include <string.h>

enum { LOG_SEGMENT_BYTES = 1 << 20 };

/* ---- what is copied ------------------------------------------------------------------------------- */

static sop_status add_registry_file(void *arg, const char *path, sop_error *err)
{
	return sopi_copy_add(arg, path, UINT64_MAX, err);
}

/* Of outcome files the entries that count: the next checkpoint writes behind them. */
static sop_status add_registry_and_outcomes(struct sopi_copy *copy,
					    const struct sopi_manifest *manifest, sop_error *err)
{
	SOP_TRY(sopi_registry_each_file(&manifest->registry, add_registry_file, copy, err));
	for (size_t i = 0; i < manifest->outcome_count; i++) {
		const struct sopi_outcome_file *file = &manifest->outcomes[i];
		char path[SOPI_OUTCOME_PATH_BYTES];

		sopi_outcome_path(file->number, path);
		SOP_TRY(sopi_copy_add(copy, path,
				      SOPI_OUTCOME_HEAD_BYTES + file->entries * SOPI_OUTCOME_ENTRY_BYTES,
				      err));
	}
	return SOP_OK;
}

/* Values may still be appended to a pack: what the manifest knows of it is a pack that was never finished. */
static sop_status add_pack(struct sopi_copy *copy, const struct sopi_pack_entry *pack, sop_error *err)
{
	const uint64_t known = SOPI_PACK_HEAD_BYTES + pack->total_bytes;
	char path[SOPI_PATH_BYTES_MAX + 1];

	sopi_pack_file_path(pack, path);
	return sopi_copy_add(copy, path, pack->kind == SOPI_PACK_VALUES ? known : UINT64_MAX, err);
}

/* ---- backup --------------------------------------------------------------------------------------- */

/* The newest manifest; its files stay until they are let go of. */
static sop_status hold_manifest(struct sopi_inredfs *fs, struct sopi_manifest *manifest, sop_error *err)
{
	sop_status status;

	sopi_mutex_lock(&fs->checkpoint_mutex);
	status = sopi_manifest_copy(&fs->manifest, manifest, err);
	if (status == SOP_OK)
		fs->backups++;
	sopi_mutex_unlock(&fs->checkpoint_mutex);
	return status;
}

static void let_go(struct sopi_inredfs *fs)
{
	sopi_mutex_lock(&fs->checkpoint_mutex);
	fs->backups--;
	sopi_mutex_unlock(&fs->checkpoint_mutex);
}

/* A log in which nothing has happened since the checkpoint. */
static sop_status make_log(const struct sopi_copy *copy, const struct sopi_manifest *manifest,
			   sop_error *err)
{
	struct sopi_log *log = NULL;
	sopi_mutex mutex;
	const struct sopi_wal_options options = {
		.platform = copy->platform,
		.folder = copy->to,
		.commit_mutex = &mutex,
		.epoch = manifest->epoch,
		.checkpoint = manifest->checkpoint,
		.segment_bytes = LOG_SEGMENT_BYTES,
		.segment_bytes_max = LOG_SEGMENT_BYTES,
	};
	sop_status status;

	sopi_mutex_init(&mutex);
	status = sopi_wal_create(&options, &log, err);
	if (status == SOP_OK)
		log->driver->close(log);
	sopi_mutex_destroy(&mutex);
	return status;
}

static sop_status copy_held(struct sopi_copy *copy, struct sopi_manifest *manifest, sop_error *err)
{
	manifest->epoch++;
	manifest->first_segment = 1;
	manifest->log_slot = manifest->checkpoint >> SOPI_POSITION_INDEX_BITS;
	manifest->log_crc = 0; /* the copy has no group of its own yet */
	SOP_TRY(sopi_copy_begin(copy, err));
	for (size_t i = 0; i < manifest->pack_count; i++)
		SOP_TRY(add_pack(copy, &manifest->packs[i], err));
	SOP_TRY(add_registry_and_outcomes(copy, manifest, err));
	SOP_TRY(make_log(copy, manifest, err));
	SOP_TRY(sopi_copy_files(copy, err));
	return sopi_copy_end(copy, manifest, err);
}

sop_status sopi_backup(struct sopi_backend *backend, const char *path, sopi_progress_fn progress,
		       void *arg, uint64_t *position, sop_error *err)
{
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);
	struct sopi_manifest manifest = { .packs = NULL };
	struct sopi_copy copy = { .platform = fs->engine->platform,
				  .from = fs->folder,
				  .path = path,
				  .progress = progress,
				  .arg = arg };
	sop_status status;

	SOP_TRY(sopi_checkpoint_run(fs, &sopi_checkpoint_usual, err));
	SOP_TRY(hold_manifest(fs, &manifest, err));
	status = copy_held(&copy, &manifest, err);
	sopi_copy_free(&copy, status);
	let_go(fs);
	if (status == SOP_OK)
		*position = manifest.checkpoint;
	sopi_manifest_free(&manifest);
	return status;
}

/* ---- restore -------------------------------------------------------------------------------------- */

/* What is to be restored. */
struct source {
	struct sopi_folder *folder;
	struct sopi_file *lock;
	struct sopi_manifest manifest;
	struct sopi_copy *copy;
	char path[16]; /* of the folder that is being listed */
	unsigned number; /* of blobs/xx */
};

static sop_status no_copy(const char *path, sop_error *err)
{
	return sopi_fail(err, SOP_NOT_FOUND,
			 "there is no copy of a database in '%.160s'; pass the folder that a backup filled",
			 path);
}

/* Nobody may have the copy open, or write to it before it is restored. Where this process may only read, the file of the
 * lock may be missing, or the file system may know no locks: then nobody can be kept out, which sop_restore tells. */
static sop_status lock_source(struct source *source, sop_error *err)
{
	char name[SOPI_PROCESS_NAME_BYTES];
	sop_status status;

	status = sopi_folder_lock_reading(source->folder, "LOCK", &source->lock, err);
	if (status == SOP_NOT_FOUND) { /* else it stays as it is, without our name */
		sopi_process_name(name);
		status = sopi_folder_lock(source->folder, "LOCK", SOPI_LOCK_SHARED, name,
					  &source->lock, err);
	}
	return status == SOP_READ_ONLY || status == SOP_NOT_FOUND || status == SOP_UNSUPPORTED
		       ? SOP_OK
		       : status;
}

static sop_status open_source(struct source *source, const char *path,
			      const struct sopi_platform *platform, sop_error *err)
{
	struct sopi_entry entry;
	sop_status status = sopi_files_open_folder(platform->files, path, 0, &source->folder, err);

	if (status == SOP_NOT_FOUND || status == SOP_CORRUPT)
		return no_copy(path, err);
	SOP_TRY(status);
	status = sopi_folder_look(source->folder, "MANIFEST", &entry, err);
	if (status == SOP_NOT_FOUND)
		return no_copy(path, err);
	SOP_TRY(status);
	SOP_TRY(lock_source(source, err));
	return sopi_manifest_read(source->folder, "MANIFEST", &source->manifest, err);
}

static sop_status add_listed(struct source *source, const char *name, sop_error *err)
{
	char path[SOPI_PATH_BYTES_MAX + 1];

	snprintf(path, sizeof path, "%s/%s", source->path, name);
	return sopi_copy_add(source->copy, path, UINT64_MAX, err);
}

static sop_status add_segment(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	struct source *source = arg;
	const uint64_t sequence = kind == SOPI_ENTRY_FILE ? sopi_wal_sequence(name) : 0;

	if (sequence == 0 || sequence < source->manifest.first_segment)
		return SOP_OK;
	return add_listed(source, name, err);
}

static sop_status add_pack_file(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	struct source *source = arg;
	uint64_t id;
	bool alone;

	if (kind != SOPI_ENTRY_FILE || !sopi_pack_name_read(name, source->number, &id, &alone))
		return SOP_OK;
	return add_listed(source, name, err);
}

/* All packs, since the log may name some that the manifest does not; opening the copy removes what nothing names. */
static sop_status add_packs(struct source *source, sop_error *err)
{
	for (source->number = 0; source->number < 256; source->number++) {
		sop_status status;

		snprintf(source->path, sizeof source->path, "blobs/%02x", source->number);
		status = sopi_folder_list(source->folder, source->path, add_pack_file, source, err);
		if (status != SOP_NOT_FOUND)
			SOP_TRY(status);
	}
	return SOP_OK;
}

static sop_status restore(struct source *source, sop_error *err)
{
	struct sopi_copy *copy = source->copy;

	SOP_TRY(sopi_copy_begin(copy, err));
	SOP_TRY(add_packs(source, err));
	SOP_TRY(add_registry_and_outcomes(copy, &source->manifest, err));
	strcpy(source->path, "log");
	SOP_TRY(sopi_folder_list(source->folder, "log", add_segment, source, err));
	SOP_TRY(sopi_copy_files(copy, err));
	return sopi_copy_end(copy, &source->manifest, err);
}

sop_status sopi_backend_restore(const char *from, const char *to, const struct sopi_platform *platform,
				sopi_progress_fn progress, void *arg, sop_error *err)
{
	struct sopi_copy copy = { .platform = platform, .path = to, .progress = progress, .arg = arg };
	struct source source = { .copy = &copy };
	sop_status status = open_source(&source, from, platform, err);

	if (status == SOP_OK) {
		copy.from = source.folder;
		status = restore(&source, err);
		sopi_copy_free(&copy, status);
	}
	sopi_manifest_free(&source.manifest);
	sopi_file_close(source.lock);
	sopi_folder_close(source.folder);
	return status;
}
