/* Opening a database in a folder, for the gate. */
#ifndef SOPI_BACKEND_OPEN_H
#define SOPI_BACKEND_OPEN_H

#include "codec/stats_record.h"
#include "platform/platform.h"
#include "transaction/engine.h"

/* Opens the database in the folder `path` into an engine that is open and empty. NOT_FOUND: there is none, and the
 * option `create` is not set; LOCKED, CORRUPT, UNSUPPORTED, EXISTS (a folder with other things in it), NO_SPACE, IO,
 * READ_ONLY, NO_MEMORY. After a failure the engine must be closed. */
sop_status sopi_backend_open(struct sopi_engine *engine, const char *path, sop_error *err);

/* Makes a database in the folder `to`, which must be missing or empty, from the copy in `from`. */
sop_status sopi_backend_restore(const char *from, const char *to, const struct sopi_platform *platform,
				sopi_progress_fn progress, void *arg, sop_error *err);

/* What a look at a folder from outside finds. */
struct sopi_peeked {
	bool open; /* some process has the database open, */
	uint64_t process; /* this one, as its host counts; 0: not known */
	char host[SOPI_STATS_HOST_BYTES]; /* there; "": not known */
	struct sopi_stats_record record; /* OK: what it has left */
};

/* Reads what the process that has the database in the folder `path` open has left for others; takes no lock and makes
 * nothing. Also after a failure `out` says what is known. NOT_FOUND: no database, nobody has it open, or nothing was
 * left; CORRUPT, UNSUPPORTED, IO, NO_MEMORY. */
sop_status sopi_backend_peek(const struct sopi_platform *platform, const char *path,
			     struct sopi_peeked *out, sop_error *err);

#endif
