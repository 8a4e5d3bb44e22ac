/* Flushing, checkpoints, giving space back: what a backend usually does by itself. */
#include "api/handle.h"
#include "api/progress.h"
#include "transaction/backend.h"

sop_status sop_sync(sop_db *db, sop_error *err)
{
	struct sopi_transaction *reader = NULL;
	struct sopi_backend *backend = NULL;
	sop_status status = SOP_OK;

	SOP_TRY(sopi_db_enter_backend(db, __func__, &reader, &backend, err));
	if (backend != NULL)
		status = backend->driver->sync(backend, err);
	sopi_db_leave(reader);
	return status;
}

sop_status sop_checkpoint(sop_db *db, sop_error *err)
{
	struct sopi_transaction *reader = NULL;
	struct sopi_backend *backend = NULL;
	sop_status status = SOP_OK;

	SOP_TRY(sopi_db_enter_backend(db, __func__, &reader, &backend, err));
	if (backend != NULL)
		status = backend->driver->checkpoint(backend, err);
	sopi_db_leave(reader);
	return status;
}

sop_status sop_gc(sop_db *db, sop_progress_fn progress, void *arg, sop_error *err)
{
	struct sopi_progress telling = { progress, arg, db };
	struct sopi_transaction *reader = NULL;
	struct sopi_backend *backend = NULL;
	sop_status status = SOP_OK;

	SOP_TRY(sopi_db_enter_backend(db, __func__, &reader, &backend, err));
	if (backend != NULL)
		status = backend->driver->gc(backend, sopi_progress_tell, &telling, err);
	sopi_db_leave(reader);
	return status;
}
