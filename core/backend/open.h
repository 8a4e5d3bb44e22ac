/* Opening a database in a folder, for the gate. */
#ifndef SOPI_BACKEND_OPEN_H
#define SOPI_BACKEND_OPEN_H

#include "platform/platform.h"
#include "transaction/engine.h"

/* Opens the database in the folder `path` into an engine that is open and empty. NOT_FOUND: there is none, and the
 * option `create` is not set; LOCKED, CORRUPT, UNSUPPORTED, EXISTS (a folder with other things in it), NO_SPACE, IO,
 * READ_ONLY, NO_MEMORY. After a failure the engine must be closed. */
sop_status sopi_backend_open(struct sopi_engine *engine, const char *path, sop_error *err);

/* Makes a database in the folder `to`, which must be missing or empty, from the copy in `from`. */
sop_status sopi_backend_restore(const char *from, const char *to, const struct sopi_platform *platform,
				sopi_progress_fn progress, void *arg, sop_error *err);

#endif
