/* Copies of a database in a folder, and bringing them back. */
#include "api/handle.h"
#include "api/instance.h"
#include "api/progress.h"
#include "api/url.h"
#include "backend/open.h"
#include "transaction/backend.h"

sop_status sop_backup(sop_db *db, const char *path, sop_progress_fn progress, void *arg,
		      uint64_t *position, sop_error *err)
{
	struct sopi_progress telling = { progress, arg, db };
	struct sopi_transaction *reader = NULL;
	struct sopi_backend *backend = NULL;
	uint64_t at = 0;
	sop_status status;

	SOP_TRY(sopi_db_check(db, __func__, err));
	SOP_TRY(sopi_path_check(path, "path", __func__, err));
	SOP_TRY(sopi_db_enter_backend(db, __func__, &reader, &backend, err));
	if (backend != NULL)
		status = backend->driver->backup(backend, path, sopi_progress_tell, &telling, &at, err);
	else
		status = sopi_fail(err, SOP_UNSUPPORTED,
				   "%s: a database in memory has no files to copy; open one in a folder",
				   __func__);
	sopi_db_leave(reader);
	if (status == SOP_OK && position != NULL)
		*position = at;
	return status;
}

sop_status sop_restore(const char *backup_path, const char *path, sop_progress_fn progress,
		       void *arg, sop_error *err)
{
	struct sopi_progress telling = { progress, arg, NULL };
	sop_status status;

	SOP_TRY(sopi_path_check(backup_path, "backup_path", __func__, err));
	SOP_TRY(sopi_path_check(path, "path", __func__, err));
	sopi_fork_watch();
	status = sopi_backend_restore(backup_path, path, sopi_platform_posix(), sopi_progress_tell,
				      &telling, err);
	if (status == SOP_LOCKED && sopi_instance_has(backup_path, sopi_platform_posix()))
		return sopi_fail_file(err, SOP_LOCKED, "LOCK", -1, 0,
				      "this process has '%.160s' open as a database; close it first, or make a backup of it and restore that",
				      backup_path);
	return status;
}
