/* Flushing, checkpoints, giving space back, and copies: what is done with the files of a database. */
#include "api/handle.h"
#include "api/url.h"
#include "transaction/backend.h"

/* A caller's function for progress, as the backend calls it. */
struct progress {
	sop_progress_fn fn; /* may be NULL */
	void *arg;
};

static bool tell(void *arg, uint64_t done, uint64_t total)
{
	const struct progress *progress = arg;

	return progress->fn == NULL || progress->fn(progress->arg, done, total) == 0;
}

/* ---- maintenance ------------------------------------------------------------------------------- */

sop_status sop_sync(sop_db *db, sop_error *err)
{
	struct sopi_transaction *reader = NULL;
	struct sopi_backend *backend;
	sop_status status = SOP_OK;

	SOP_TRY(sopi_db_enter(db, false, __func__, &reader, err));
	backend = db->engine.backend;
	if (backend != NULL)
		status = backend->driver->sync(backend, err);
	sopi_db_leave(reader);
	return status;
}

sop_status sop_checkpoint(sop_db *db, sop_error *err)
{
	struct sopi_transaction *reader = NULL;
	struct sopi_backend *backend;
	sop_status status = SOP_OK;

	SOP_TRY(sopi_db_enter(db, false, __func__, &reader, err));
	backend = db->engine.backend;
	if (backend != NULL)
		status = backend->driver->checkpoint(backend, err);
	sopi_db_leave(reader);
	return status;
}

sop_status sop_gc(sop_db *db, sop_progress_fn progress, void *arg, sop_error *err)
{
	struct progress telling = { progress, arg };
	struct sopi_transaction *reader = NULL;
	struct sopi_backend *backend;
	sop_status status = SOP_OK;

	SOP_TRY(sopi_db_enter(db, false, __func__, &reader, err));
	backend = db->engine.backend;
	if (backend != NULL)
		status = backend->driver->gc(backend, tell, &telling, err);
	sopi_db_leave(reader);
	return status;
}

/* ---- copies ------------------------------------------------------------------------------------ */

sop_status sop_backup(sop_db *db, const char *path, sop_progress_fn progress, void *arg,
		      uint64_t *position, sop_error *err)
{
	struct progress telling = { progress, arg };
	struct sopi_transaction *reader = NULL;
	struct sopi_backend *backend;
	uint64_t at = 0;
	sop_status status;

	SOP_TRY(sopi_db_check(db, __func__, err));
	SOP_TRY(sopi_path_check(path, "path", __func__, err));
	SOP_TRY(sopi_db_enter(db, false, __func__, &reader, err));
	backend = db->engine.backend;
	if (backend != NULL)
		status = backend->driver->backup(backend, path, tell, &telling, &at, err);
	else
		status = sopi_fail(err, SOP_UNSUPPORTED,
				   "%s: a database in memory has no files to copy; open one in a folder",
				   __func__);
	sopi_db_leave(reader);
	if (status == SOP_OK && position != NULL)
		*position = at;
	return status;
}

/* Makes a database in the folder `to` from the copy in `from`. */
static sop_status restore_folder(const char *from, const char *to, const struct sopi_platform *platform,
				 sopi_progress_fn progress, void *arg, sop_error *err)
{
	(void)from, (void)to, (void)platform, (void)progress, (void)arg;
	return sopi_fail(err, SOP_UNSUPPORTED, "databases in a folder come with the next change");
}

sop_status sop_restore(const char *backup_path, const char *path, sop_progress_fn progress,
		       void *arg, sop_error *err)
{
	struct progress telling = { progress, arg };

	SOP_TRY(sopi_path_check(backup_path, "backup_path", __func__, err));
	SOP_TRY(sopi_path_check(path, "path", __func__, err));
	sopi_fork_watch();
	return restore_folder(backup_path, path, sopi_platform_posix(), tell, &telling, err);
}
