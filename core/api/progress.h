/* A caller's function for progress, as a backend calls it. */
#ifndef SOPI_PROGRESS_H
#define SOPI_PROGRESS_H

#include <sop/maintenance.h>

#include <stdbool.h>

struct sopi_progress {
	sop_progress_fn fn; /* may be NULL */
	void *arg;
};

/* A sopi_progress_fn (transaction/backend.h) whose `arg` is a sopi_progress. */
static inline bool sopi_progress_tell(void *arg, uint64_t done, uint64_t total)
{
	const struct sopi_progress *progress = arg;

	return progress->fn == NULL || progress->fn(progress->arg, done, total) == 0;
}

#endif
