/* The random port: bytes that nobody can foresee, for ids and hash seeds.
 *
 * Drivers: posix_random.c (the system), sim_random.c (tests: the same bytes for the same seed). */
#ifndef SOPI_RANDOM_H
#define SOPI_RANDOM_H

#include "base/error.h"

#include <stddef.h>

struct sopi_random;

/* What a driver provides. Any thread may call it at any time. */
struct sopi_random_driver {
	/* Fills `size` bytes at `out`. May block only until the system has gathered its first entropy after boot.
	 * Returns OK or IO (no bytes to be had; `out` is undefined). */
	sop_status (*fill)(struct sopi_random *random, void *out, size_t size, sop_error *err);
};

/* The head of every driver's own structure. */
struct sopi_random {
	const struct sopi_random_driver *driver;
};

static inline sop_status sopi_random_fill(struct sopi_random *random, void *out, size_t size,
					  sop_error *err)
{
	return random->driver->fill(random, out, size, err);
}

#endif
