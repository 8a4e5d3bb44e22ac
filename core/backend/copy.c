/* Filling a folder with a copy of a database. */
#include "backend/copy.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "platform/platform.h"

#include <stdio.h>
#include <string.h>

enum {
	CHUNK_BYTES = 1 << 20,
	SYNC_BYTES = 16 << 20, /* so that no sync, during which nobody can stop the copy, takes long */
	CACHE_BYTES = 16 << 20, /* for opening the copy */
	DEPTH_MAX = 2, /* of folders in a database */
	PATH_MAX_BYTES = 4096,
};

static const char *const folders[] = { "tmp", "log", "reg", "blobs", "outcome" };

/* ---- the target ----------------------------------------------------------------------------------- */

static sop_status refuse(const struct sopi_copy *copy, sop_error *err)
{
	return sopi_fail(err, SOP_EXISTS,
			 "'%.160s' is not an empty folder; choose one that is missing or empty",
			 copy->path);
}

static sop_status must_be_empty(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	(void)kind;
	return strcmp(name, "LOCK") == 0 && ((struct sopi_copy *)arg)->lock != NULL ? SOP_OK
										    : refuse(arg, err);
}

static sop_status open_target(struct sopi_copy *copy, sop_error *err)
{
	struct sopi_files *files = copy->platform->files;
	sop_status status = sopi_files_open_folder(files, copy->path, 0, &copy->to, err);

	if (status == SOP_NOT_FOUND) {
		copy->made = true;
		status = sopi_files_open_folder(files, copy->path, SOPI_FOLDER_CREATE, &copy->to, err);
		copy->made = status == SOP_OK;
	}
	return status == SOP_CORRUPT ? refuse(copy, err) : status; /* it is a file */
}

/* A copy in the folder of what it is a copy of is lost with it, and no database has such a folder. */
static sop_status must_lie_apart(const struct sopi_copy *copy, sop_error *err)
{
	bool inside;

	SOP_TRY(sopi_folder_lies_in(copy->to, copy->from, &inside, err));
	if (!inside)
		return SOP_OK;
	return sopi_fail(err, SOP_MISUSE,
			 "'%.160s' lies in the folder that is to be copied; choose one outside of it",
			 copy->path);
}

sop_status sopi_copy_begin(struct sopi_copy *copy, sop_error *err)
{
	struct sopi_file_system where;
	char name[SOPI_PROCESS_NAME_BYTES];
	void *memory = NULL;
	sop_status status;

	SOP_TRY(sopi_alloc(CHUNK_BYTES, &memory, err));
	copy->room = memory;
	SOP_TRY(open_target(copy, err));
	SOP_TRY(must_lie_apart(copy, err));
	SOP_TRY(sopi_folder_file_system(copy->to, &where, err));
	if (where.kind != SOPI_FILE_SYSTEM_LOCAL)
		return sopi_fail(err, SOP_UNSUPPORTED,
				 "'%.120s' lies on %s, where no database can be opened; use a local folder",
				 copy->path, where.name);
	SOP_TRY(sopi_folder_list(copy->to, "", must_be_empty, copy, err));
	sopi_process_name(name);
	status = sopi_folder_lock(copy->to, "LOCK", SOPI_LOCK_EXCLUSIVE, name, &copy->lock, err);
	if (status == SOP_LOCKED) /* somebody was faster */
		return refuse(copy, err);
	if (status != SOP_OK) {
		copy->entered = true; /* it may have made the file */
		return status;
	}
	status = sopi_folder_list(copy->to, "", must_be_empty, copy, err);
	copy->entered = status != SOP_EXISTS; /* what somebody put there meanwhile is not ours to remove */
	SOP_TRY(status);
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		SOP_TRY(sopi_folder_make(copy->to, folders[i], err));
	return SOP_OK;
}

/* ---- files ---------------------------------------------------------------------------------------- */

static sop_status missing(const char *path, sop_error *err)
{
	return sopi_fail_file(err, SOP_CORRUPT, path, -1, 0,
			      "the file [%s] of the database is missing or too short", path);
}

sop_status sopi_copy_add(struct sopi_copy *copy, const char *path, uint64_t bytes, sop_error *err)
{
	struct sopi_copy_file *file;
	struct sopi_entry there;
	sop_status status;

	SOP_TRY(sopi_grow(&copy->files, copy->count, &copy->capacity, sizeof *copy->files, err));
	status = sopi_folder_look(copy->from, path, &there, err);
	if (status == SOP_NOT_FOUND ||
	    (status == SOP_OK &&
	     (there.kind != SOPI_ENTRY_FILE || (bytes != UINT64_MAX && there.size < bytes))))
		return missing(path, err);
	SOP_TRY(status);
	file = &copy->files[copy->count++];
	SOPI_CHECK(strlen(path) < sizeof file->path);
	strcpy(file->path, path);
	file->bytes = bytes == UINT64_MAX ? there.size : bytes;
	copy->total += file->bytes;
	return SOP_OK;
}

static sop_status stopped(sop_error *err)
{
	return sopi_fail(err, SOP_CANCELLED, "the copy was stopped by its caller; nothing is left of it");
}

static bool goes_on(const struct sopi_copy *copy)
{
	return copy->progress(copy->arg, copy->done, copy->total);
}

static sop_status tell(const struct sopi_copy *copy, sop_error *err)
{
	return goes_on(copy) ? SOP_OK : stopped(err);
}

static sop_status copy_bytes(struct sopi_copy *copy, const struct sopi_copy_file *file,
			     struct sopi_file *from, struct sopi_file *to, sop_error *err)
{
	for (uint64_t at = 0; at < file->bytes;) {
		const size_t part = file->bytes - at < CHUNK_BYTES ? (size_t)(file->bytes - at)
								   : CHUNK_BYTES;
		size_t got = 0;

		SOP_TRY(sopi_file_read(from, at, copy->room, part, &got, err));
		if (got != part)
			return missing(file->path, err);
		SOP_TRY(sopi_file_write(to, at, copy->room, part, err));
		at += part;
		copy->done += part;
		SOP_TRY(tell(copy, err));
		if (at % SYNC_BYTES == 0)
			SOP_TRY(sopi_file_sync_data(to, err));
	}
	return sopi_file_sync(to, err);
}

/* The folder blobs/xx of a pack. */
static sop_status make_folder_of(struct sopi_copy *copy, const char *path, sop_error *err)
{
	char folder[16];
	sop_status status;

	if (strncmp(path, "blobs/", 6) != 0)
		return SOP_OK;
	snprintf(folder, sizeof folder, "%.8s", path);
	status = sopi_folder_make(copy->to, folder, err);
	return status == SOP_EXISTS ? SOP_OK : status;
}

static sop_status copy_file(struct sopi_copy *copy, const struct sopi_copy_file *file, sop_error *err)
{
	struct sopi_file *from = NULL, *to = NULL;
	sop_status status;

	SOP_TRY(make_folder_of(copy, file->path, err));
	status = sopi_folder_open_file(copy->from, file->path, SOPI_FILE_READ, &from, err);
	if (status == SOP_NOT_FOUND)
		return missing(file->path, err);
	SOP_TRY(status);
	SOP_TRY_OUT(sopi_folder_open_file(copy->to, file->path,
					  SOPI_FILE_WRITE | SOPI_FILE_CREATE | SOPI_FILE_EXCLUSIVE,
					  &to, err));
	SOP_TRY_OUT(copy_bytes(copy, file, from, to, err));
out:
	sopi_file_close(to);
	sopi_file_close(from);
	return status;
}

/* Makes the names in each blobs/xx durable. */
static sop_status sync_folder_of_packs(void *arg, const char *name, enum sopi_entry_kind kind,
				       sop_error *err)
{
	struct sopi_copy *copy = arg;
	char folder[16];

	(void)kind;
	snprintf(folder, sizeof folder, "blobs/%.2s", name);
	return sopi_folder_sync(copy->to, folder, err);
}

sop_status sopi_copy_files(struct sopi_copy *copy, sop_error *err)
{
	SOP_TRY(tell(copy, err));
	for (size_t i = 0; i < copy->count; i++)
		SOP_TRY(copy_file(copy, &copy->files[i], err));
	SOP_TRY(sopi_folder_list(copy->to, "blobs", sync_folder_of_packs, copy, err));
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		SOP_TRY(sopi_folder_sync(copy->to, folders[i], err));
	return sopi_folder_sync(copy->to, "", err);
}

/* ---- checking it ---------------------------------------------------------------------------------- */

struct findings {
	const struct sopi_copy *copy;
	sop_error first;
	uint64_t untold_bytes; /* that were looked at since the caller was last asked whether to go on */
	bool damaged;
	bool stopped; /* by the caller */
};

static bool went(void *arg, uint64_t bytes)
{
	struct findings *findings = arg;

	findings->untold_bytes += bytes;
	if (findings->untold_bytes < CHUNK_BYTES)
		return true;
	findings->untold_bytes = 0;
	findings->stopped = !goes_on(findings->copy);
	return !findings->stopped;
}

/* What is too much, or miscounted, does no harm to what is there: the copy is as good as what it was made from. */
static bool is_harmless(const char *file, const char *kind)
{
	return strcmp(kind, "leak") == 0 || strcmp(kind, "unknown") == 0 ||
	       (strcmp(kind, "count") == 0 && file != NULL && file[0] != '\0');
}

static bool found(void *arg, const char *file, int64_t offset, sop_bytes store, const char *kind,
		  const char *message)
{
	struct findings *findings = arg;

	(void)store;
	if (is_harmless(file, kind))
		return true;
	findings->damaged = true;
	(void)sopi_fail_file(&findings->first, SOP_CORRUPT, file != NULL ? file : "", offset, 0,
			     "the copy is damaged, and so is what it was made from: %.150s", message);
	return false;
}

static sop_status check_trees(struct sopi_engine *engine, struct findings *findings, sop_error *err)
{
	const struct sopi_audience audience = { .found = found, .went = went, .arg = findings };
	const uint64_t at = atomic_load(&engine->applied);
	struct sopi_slot *slot = NULL;
	sop_status status;

	SOP_TRY(sopi_slot_take(&engine->forest.reclaim, NULL, &slot, err));
	if (sopi_slot_claim(&engine->forest.reclaim, slot, true) != SOPI_SLOT_IDLE)
		SOPI_UNREACHABLE(); /* nobody else knows the engine */
	sopi_slot_publish(slot, at, false);
	status = sopi_engine_verify(engine, at, slot, &audience, err);
	sopi_slot_forget(slot);
	sopi_slot_release(slot);
	return status;
}

static sop_status check_opened(struct sopi_engine *engine, const struct sopi_copy *copy, sop_error *err)
{
	struct findings findings = { .copy = copy, .first = SOP_ERROR_INIT };
	const struct sopi_audience audience = { .found = found, .went = went, .arg = &findings };

	SOP_TRY(sopi_backend_open(engine, copy->path, err));
	SOP_TRY(engine->backend->driver->verify(engine->backend, &audience, err));
	if (!findings.damaged && !findings.stopped)
		SOP_TRY(check_trees(engine, &findings, err));
	if (findings.stopped)
		return stopped(err);
	if (!findings.damaged)
		return SOP_OK;
	return sopi_fail_file(err, SOP_CORRUPT, findings.first.file, findings.first.offset, 0, "%s",
			      findings.first.message);
}

/* Opens the copy as its user will. */
static sop_status check_copy(const struct sopi_copy *copy, uint32_t node_bytes, sop_error *err)
{
	const struct sopi_engine_options options = { .node_bytes = node_bytes,
						     .cache_bytes = CACHE_BYTES,
						     .durability = SOPI_FLUSHED,
						     .no_background = true };
	struct sopi_engine *engine;
	void *memory = NULL;
	sop_status status, closed;

	SOP_TRY(sopi_alloc_aligned(_Alignof(struct sopi_engine), sizeof *engine, &memory, err));
	engine = memory;
	memset(engine, 0, sizeof *engine);
	status = sopi_engine_open(engine, &options, copy->platform, err);
	if (status == SOP_OK) {
		status = check_opened(engine, copy, err);
		closed = sopi_engine_close(engine, status == SOP_OK ? err : NULL);
		sopi_engine_free(engine);
		status = status == SOP_OK ? closed : status;
	}
	sopi_free(engine);
	return status;
}

sop_status sopi_copy_end(struct sopi_copy *copy, const struct sopi_manifest *manifest, sop_error *err)
{
	bool indefinite;

	SOP_TRY(sopi_manifest_write(copy->to, manifest, &indefinite, err));
	sopi_file_close(copy->lock); /* which opening it takes */
	copy->lock = NULL;
	SOP_TRY(check_copy(copy, manifest->node_bytes, err));
	return tell(copy, err);
}

/* ---- taking it back ------------------------------------------------------------------------------- */

struct removing {
	struct sopi_folder *folder;
	const char *path;
	sop_buf files; /* paths with their NULs */
	sop_buf folders;
};

static sop_status note(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	struct removing *removing = arg;
	sop_buf *list = kind == SOPI_ENTRY_FOLDER ? &removing->folders : &removing->files;
	char path[SOPI_PATH_BYTES_MAX + 1];

	if (snprintf(path, sizeof path, "%s%s%s", removing->path,
		     removing->path[0] != '\0' ? "/" : "", name) >= (int)sizeof path)
		return SOP_OK; /* it is none of ours */
	return sopi_buf_append(list, path, strlen(path) + 1, err);
}

/* Removes what is in the folder `path`, as far as that goes. */
static void remove_inside(struct sopi_folder *folder, const char *path, unsigned depth)
{
	struct removing removing = {
		.folder = folder, .path = path, .files = SOP_BUF_INIT, .folders = SOP_BUF_INIT
	};

	(void)sopi_folder_list(folder, path, note, &removing, NULL);
	for (size_t at = 0; at < removing.files.size;) {
		const char *name = (const char *)removing.files.data + at;

		(void)sopi_folder_remove(folder, name, NULL);
		at += strlen(name) + 1;
	}
	for (size_t at = 0; at < removing.folders.size;) {
		const char *name = (const char *)removing.folders.data + at;

		if (depth < DEPTH_MAX)
			remove_inside(folder, name, depth + 1);
		(void)sopi_folder_remove_folder(folder, name, NULL);
		at += strlen(name) + 1;
	}
	sop_buf_free(&removing.files);
	sop_buf_free(&removing.folders);
}

/* Removes the folder itself, which was made for the copy. */
static void remove_target(const struct sopi_copy *copy)
{
	char parent[PATH_MAX_BYTES];
	struct sopi_folder *folder = NULL;
	size_t end = strlen(copy->path), from;

	while (end > 0 && copy->path[end - 1] == '/')
		end--;
	for (from = end; from > 0 && copy->path[from - 1] != '/'; from--) {
	}
	if (end == from || end - from > SOPI_PATH_BYTES_MAX || end >= sizeof parent)
		return;
	memcpy(parent, from == 0 ? "." : copy->path, from == 0 ? 1 : from);
	parent[from == 0 ? 1 : from] = '\0';
	if (sopi_files_open_folder(copy->platform->files, parent, 0, &folder, NULL) != SOP_OK)
		return;
	memcpy(parent, copy->path + from, end - from);
	parent[end - from] = '\0';
	(void)sopi_folder_remove_folder(folder, parent, NULL);
	sopi_folder_close(folder);
}

/* MANIFEST first, durably: from then on nothing of the rest can be taken for a database. */
static void remove_all(struct sopi_copy *copy)
{
	(void)sopi_folder_remove(copy->to, "MANIFEST", NULL);
	(void)sopi_folder_sync(copy->to, "", NULL);
	remove_inside(copy->to, "", 0);
	(void)sopi_folder_sync(copy->to, "", NULL);
}

void sopi_copy_free(struct sopi_copy *copy, sop_status status)
{
	if (status != SOP_OK && copy->entered)
		remove_all(copy);
	sopi_file_close(copy->lock);
	sopi_folder_close(copy->to);
	if (status != SOP_OK && copy->made)
		remove_target(copy);
	sopi_free(copy->files);
	sopi_free(copy->room);
}
