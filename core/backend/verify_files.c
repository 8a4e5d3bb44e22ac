/* Checking every file of a database as of its newest checkpoint, while it works. */
#include "backend/inredfs.h"

#include "base/alloc.h"
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REGISTRY_CACHE_BYTES = 4 << 20, SUSPECTS_MAX = 4096 };

/* A name in the folder that is none of a file of ours. */
struct suspect {
	struct suspect *next;
	enum sopi_name name;
	char path[]; /* with the NUL */
};

struct verify {
	struct sopi_checking checking; /* must be first */
	struct suspect *suspects;
	size_t suspect_count;
	sop_status manifest; /* what is wrong with the file MANIFEST */
	sop_error why; /* the words for it */
};

void sopi_checking_tell(struct sopi_checking *checking, const char *file, int64_t offset,
			const char *kind, const char *format, ...)
{
	static const sop_bytes no_store = { "", 0 };
	char message[240];
	va_list list;

	if (checking->stopped)
		return;
	va_start(list, format);
	vsnprintf(message, sizeof message, format, list);
	va_end(list);
	checking->stopped = !checking->audience->found(checking->audience->arg, file, offset,
						       no_store, kind, message);
}

bool sopi_checking_went(struct sopi_checking *checking, uint64_t bytes)
{
	if (!checking->stopped && !sopi_audience_stays(checking->audience, bytes))
		checking->stopped = true;
	return !checking->stopped;
}

/* The same for parts of the database. */
static bool went(void *arg, uint64_t bytes)
{
	return sopi_checking_went(arg, bytes);
}

/* What parts of the database tell, who know no stores. */
static bool told(void *arg, const char *file, int64_t offset, const char *kind, const char *message)
{
	struct sopi_checking *checking = arg;

	sopi_checking_tell(checking, file, offset, kind, "%s", message);
	return !checking->stopped;
}

/* What cannot be read is no damage: it ends the check. */
struct registry_told {
	struct sopi_checking *checking;
	sop_error *err;
	bool unreadable;
};

static bool registry_told(void *arg, const char *file, int64_t offset, const char *kind, const char *message)
{
	struct registry_told *to = arg;

	if (strcmp(kind, "unreadable") != 0)
		return told(to->checking, file, offset, kind, message);
	to->unreadable = true;
	sopi_fail_file(to->err, SOP_IO, file, offset, 0, "%s", message);
	return false;
}

static bool told_with_store(void *arg, const char *file, int64_t offset, sop_bytes store,
			    const char *kind, const char *message)
{
	(void)store;
	return told(arg, file, offset, kind, message);
}

/* ---- choosing what to check ----------------------------------------------------------------------- */

/* Is the file what memory says? */
static void compare_manifest(struct verify *verify)
{
	struct sopi_inredfs *fs = verify->checking.fs;
	struct sopi_manifest found = { .packs = NULL };
	sop_buf ours = SOP_BUF_INIT, theirs = SOP_BUF_INIT;
	sop_status status;

	SOP_TRY_OUT(sopi_manifest_read(fs->folder, "MANIFEST", &found, &verify->why));
	SOP_TRY_OUT(sopi_manifest_encode(&fs->manifest, &ours, &verify->why));
	SOP_TRY_OUT(sopi_manifest_encode(&found, &theirs, &verify->why));
	if (ours.size != theirs.size || memcmp(ours.data, theirs.data, ours.size) != 0)
		status = sopi_fail_file(&verify->why, SOP_CORRUPT, "MANIFEST", -1, 0,
					"MANIFEST is not the one that this process wrote");
out:
	verify->manifest = status;
	sop_buf_free(&ours);
	sop_buf_free(&theirs);
	sopi_manifest_free(&found);
}

static sop_status note_suspect(void *arg, enum sopi_name name, const char *path, sop_error *err)
{
	struct verify *verify = arg;
	struct suspect *suspect;
	void *memory = NULL;

	if (verify->suspect_count == SUSPECTS_MAX)
		return SOP_OK; /* somebody who clears these away looks again */
	if (name == SOPI_NAME_LEAKED && verify->checking.fs->engine->options.read_only)
		return SOP_OK; /* what a crash has left goes with the next opening that writes */
	SOP_TRY(sopi_alloc(sizeof *suspect + strlen(path) + 1, &memory, err));
	suspect = memory;
	suspect->name = name;
	strcpy(suspect->path, path);
	suspect->next = verify->suspects;
	verify->suspects = suspect;
	verify->suspect_count++;
	return SOP_OK;
}

/* Ids of stores while they are gathered. */
struct ids {
	sop_buf bytes;
	sop_status status;
};

static void note_id(struct ids *ids, uint64_t id)
{
	if (ids->status == SOP_OK)
		ids->status = sopi_buf_append(&ids->bytes, &id, sizeof id, NULL);
}

static bool note_store(void *arg, struct sopi_store *store)
{
	note_id(arg, store->tree.id);
	return true;
}

static void note_old_store(void *arg, const struct sopi_version *version)
{
	note_id(arg, ((const struct sopi_store *)version)->tree.id);
}

/* The stores that somebody knows; one that goes from one list to the next meanwhile is in both. */
static sop_status list_stores(struct verify *verify, sop_error *err)
{
	struct sopi_inredfs *fs = verify->checking.fs;
	struct ids ids = { .bytes = SOP_BUF_INIT, .status = SOP_OK };
	void *memory = NULL;
	sop_status status;

	note_id(&ids, SOPI_CATALOG_ID);
	sopi_catalog_each(&fs->engine->catalog, note_store, &ids);
	sopi_reclaim_each(&fs->engine->forest.reclaim, SOPI_TREE, note_old_store, &ids);
	sopi_mutex_lock(&fs->values_mutex);
	for (const struct sopi_store *store = fs->gone; store != NULL; store = store->next)
		note_id(&ids, store->tree.id);
	sopi_mutex_unlock(&fs->values_mutex);
	for (size_t i = 0; i < fs->manifest.dropped_count; i++)
		note_id(&ids, fs->manifest.dropped[i].store);
	status = ids.status == SOP_OK ? sopi_alloc(ids.bytes.size, &memory, err)
				      : sopi_fail(err, ids.status, "out of memory for a check");
	if (status == SOP_OK) {
		verify->checking.stores = memcpy(memory, ids.bytes.data, ids.bytes.size);
		verify->checking.store_count = ids.bytes.size / sizeof(uint64_t);
		qsort(verify->checking.stores, verify->checking.store_count, sizeof(uint64_t),
		      sopi_compare_ids);
	}
	sop_buf_free(&ids.bytes);
	return status;
}

/* Takes the manifest as of which everything is checked; its files stay until it is let go of. */
static sop_status begin(struct verify *verify, sop_error *err)
{
	struct sopi_inredfs *fs = verify->checking.fs;
	sop_status status;

	sopi_mutex_lock(&fs->checkpoint_mutex);
	SOP_TRY_OUT(sopi_manifest_copy(&fs->manifest, &verify->checking.manifest, err));
	compare_manifest(verify);
	SOP_TRY_OUT(sopi_names_judge(fs, note_suspect, verify, err));
	SOP_TRY_OUT(list_stores(verify, err));
	fs->backups++;
out:
	sopi_mutex_unlock(&fs->checkpoint_mutex);
	return status;
}

static void let_go(struct verify *verify)
{
	struct sopi_inredfs *fs = verify->checking.fs;

	sopi_mutex_lock(&fs->checkpoint_mutex);
	fs->backups--;
	sopi_mutex_unlock(&fs->checkpoint_mutex);
}

static void free_all(struct verify *verify)
{
	while (verify->suspects != NULL) {
		struct suspect *next = verify->suspects->next;

		sopi_free(verify->suspects);
		verify->suspects = next;
	}
	sopi_free(verify->checking.stores);
	sopi_manifest_free(&verify->checking.manifest);
}

/* ---- checking ------------------------------------------------------------------------------------- */

static bool is_damage(sop_status status)
{
	return status == SOP_CORRUPT || status == SOP_UNSUPPORTED || status == SOP_NOT_FOUND;
}

static sop_status pass_on(sop_status status, const sop_error *why, sop_error *err)
{
	return sopi_fail_file(err, status, why->file, why->offset, why->os_errno, "%s", why->message);
}

static sop_status check_manifest(struct verify *verify, sop_error *err)
{
	if (verify->manifest == SOP_OK)
		return SOP_OK;
	if (!is_damage(verify->manifest))
		return pass_on(verify->manifest, &verify->why, err);
	(void)told(&verify->checking, "MANIFEST", verify->why.offset, "manifest", verify->why.message);
	return SOP_OK;
}

static sop_status check_pack(struct sopi_checking *checking, const struct sopi_pack_entry *pack,
			     sop_error *err)
{
	char path[SOPI_PATH_BYTES_MAX + 1];
	struct sopi_entry there;
	sop_status status;

	sopi_pack_file_path(pack, path);
	status = sopi_folder_look(checking->fs->folder, path, &there,
				  err); /* a descriptor may have outlived the name */
	if (status == SOP_OK)
		return sopi_packs_verify(checking->fs->packs, pack->id, told, went, checking, err);
	if (status != SOP_NOT_FOUND)
		return status;
	sopi_checking_tell(checking, path, -1, "missing",
			   "the database names the pack, and there is none");
	return SOP_OK;
}

static sop_status check_packs(struct verify *verify, sop_error *err)
{
	struct sopi_checking *checking = &verify->checking;
	const struct sopi_manifest *manifest = &checking->manifest;
	sop_status status = SOP_OK;

	for (size_t i = 0; i < manifest->pack_count && !checking->stopped && status == SOP_OK; i++)
		status = check_pack(checking, &manifest->packs[i], err);
	return status;
}

static bool is_in_manifest(const struct sopi_manifest *manifest, uint64_t pack)
{
	for (size_t i = 0; i < manifest->pack_count; i++) {
		if (manifest->packs[i].id == pack)
			return true;
	}
	return false;
}

/* Packs of values that only the log names. Who may write has just had them named by a manifest. */
static sop_status check_logged_packs(struct verify *verify, sop_error *err)
{
	struct sopi_checking *checking = &verify->checking;
	struct sopi_pack_entry *packs = NULL;
	sop_status status = SOP_OK;
	size_t count = 0;

	if (!checking->fs->engine->options.read_only)
		return SOP_OK;
	SOP_TRY(sopi_packs_list(checking->fs->packs, &packs, &count, err));
	for (size_t i = 0; i < count && !checking->stopped && status == SOP_OK; i++) {
		if (!is_in_manifest(&checking->manifest, packs[i].id))
			status = check_pack(checking, &packs[i], err);
	}
	sopi_free(packs);
	return status;
}

/* The registry as of the manifest, whatever checkpoints do meanwhile. */
static sop_status check_registry(struct verify *verify, sop_error *err)
{
	struct sopi_checking *checking = &verify->checking;
	struct registry_told to = { checking, err, false };
	struct sopi_registry_stats size;
	struct sopi_inredfs *fs = checking->fs;
	struct sopi_registry *registry = NULL;
	sop_error why = SOP_ERROR_INIT;
	sop_status status = sopi_registry_open(fs->engine->platform, fs->folder,
					       checking->manifest.buckets, REGISTRY_CACHE_BYTES,
					       &checking->manifest.registry, &registry, &why);

	if (status != SOP_OK) {
		if (!is_damage(status))
			return pass_on(status, &why, err);
		(void)told(checking, why.file, why.offset, "registry", why.message);
		return SOP_OK;
	}
	status = sopi_registry_verify(registry, registry_told, &to, err);
	if (to.unreadable)
		status = SOP_IO;
	sopi_registry_get_stats(registry, &size);
	if (status == SOP_OK && sopi_checking_went(checking, size.disk_bytes))
		status = sopi_check_reachability(checking, registry, err);
	sopi_registry_close(registry);
	return status;
}

static sop_status check_suspects(struct verify *verify, sop_error *err)
{
	struct sopi_checking *checking = &verify->checking;

	for (const struct suspect *at = verify->suspects; at != NULL && !checking->stopped;
	     at = at->next) {
		bool leaked = false;

		if (at->name == SOPI_NAME_UNKNOWN) {
			sopi_checking_tell(checking, at->path, -1, "unknown",
					   "this name means nothing to the database; it is left alone");
			continue;
		}
		SOP_TRY(sopi_name_is_leaked(checking->fs, at->path, &leaked, err));
		if (leaked)
			sopi_checking_tell(checking, at->path, -1, "leak",
					   "nothing names this file; the next opening removes it");
	}
	return SOP_OK;
}

static sop_status check_all(struct verify *verify, sop_error *err)
{
	struct sopi_checking *checking = &verify->checking;

	SOP_TRY(check_manifest(verify, err));
	SOP_TRY(check_packs(verify, err));
	SOP_TRY(check_logged_packs(verify, err));
	if (!checking->stopped)
		SOP_TRY(check_registry(verify, err));
	if (!checking->stopped)
		SOP_TRY(sopi_wal_verify(checking->fs->wal, told, checking, err));
	if (sopi_checking_went(checking, 0))
		SOP_TRY(sopi_outcome_files_verify(checking->fs, &checking->manifest,
						  told_with_store, checking, err));
	return checking->stopped ? SOP_OK : check_suspects(verify, err);
}

sop_status sopi_verify_files(struct sopi_backend *backend, const struct sopi_audience *audience,
			     sop_error *err)
{
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);
	struct verify verify = { .checking = { .fs = fs, .audience = audience }, .why = SOP_ERROR_INIT };
	sop_status status;

	/* Without it, what the last one left is checked. */
	if (!fs->engine->options.read_only)
		(void)sopi_checkpoint_run(fs, &sopi_checkpoint_usual, NULL);
	if (atomic_load(&fs->engine->failed))
		return sopi_fail(err, SOP_FAILED, "the database has failed; close it and open it again");
	status = begin(&verify, err);
	if (status == SOP_OK) {
		status = check_all(&verify, err);
		let_go(&verify);
	}
	free_all(&verify);
	return status;
}
