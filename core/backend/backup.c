/* Copies of a database while it is in use, and bringing them back. */
#include "backend/inredfs.h"

sop_status sopi_backup(struct sopi_backend *backend, const char *path, sopi_progress_fn progress,
		       void *arg, uint64_t *position, sop_error *err)
{
	(void)backend, (void)path, (void)progress, (void)arg, (void)position;
	return sopi_fail(err, SOP_UNSUPPORTED, "work in progress");
}
