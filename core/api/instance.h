/* What an open database is behind its handles: an engine, which handles of the same folder share within one process.
 * database.c makes handles of it; who shares with whom is decided here. */
#ifndef SOPI_INSTANCE_H
#define SOPI_INSTANCE_H

#include "api/options.h"
#include "api/url.h"
#include "platform/platform.h"

enum sopi_instance_state { SOPI_INSTANCE_OPENING, SOPI_INSTANCE_OPEN, SOPI_INSTANCE_CLOSING };

struct sopi_instance {
	struct sopi_engine engine;
	_Atomic uint32_t references; /* handles whose shell has not been freed */
	/* Guarded by the lock of all instances. */
	struct sopi_instance *next;
	enum sopi_instance_state state;
	uint32_t handles; /* that have not been closed */
	uint64_t number; /* no other of this process has it */
	/* Fixed. */
	bool listed; /* others of this process may take part */
	const struct sopi_platform *platform;
	uint64_t folder[2]; /* which one it is */
	sop_options options; /* as it was opened with */
};

/* Opens what `url` names, or takes part in what this process has open already: one handle more, and one reference.
 * LOCKED, FAILED, and as sop_open. */
sop_status sopi_instance_open(const struct sopi_url *url, const sop_options *options,
			      const struct sopi_platform *platform, struct sopi_instance **out,
			      sop_error *err);

/* Has this process the folder `path` open as a database? */
bool sopi_instance_has(const char *path, const struct sopi_platform *platform);

/* One handle less: ends the transactions in the slots of `group`, which are its own, and waits for running calls; the
 * last one closes the engine. Once for each open. As sop_close. */
sop_status sopi_instance_close(struct sopi_instance *instance, const void *group, sop_error *err);

/* One reference less; `alive`: this is the process that opened it. REQUIRES: the handle was closed. */
void sopi_instance_unreference(struct sopi_instance *instance, bool alive);

#endif
