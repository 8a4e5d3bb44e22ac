/* Soft locks: a transaction that has lost several times asks the others to wait for it instead of
 * overtaking. A courtesy,
 * bounded in time; correctness never depends on it. */
#ifndef SOPI_SOFTLOCK_H
#define SOPI_SOFTLOCK_H

#include "platform/thread.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	SOPI_SOFTLOCKS_MAX = 64, /* held at once in a database; more are not granted */
	SOPI_SOFTLOCK_LEASE_MS = 1000, /* how long one lasts, and others wait, at most */
};

struct sopi_softlock {
	uint64_t what; /* hash of a store and a key, or of a store alone */
	const void *holder;
	int64_t until_ns; /* monotonic: end of its lease */
};

struct sopi_softlocks {
	_Atomic uint32_t held; /* read by every commit: almost always 0 */
	sopi_mutex mutex; /* guards what follows; leaf of the lock order */
	sopi_cond released;
	struct sopi_softlock locks[SOPI_SOFTLOCKS_MAX];
};

void sopi_softlocks_init(struct sopi_softlocks *softlocks);
void sopi_softlocks_destroy(struct sopi_softlocks *softlocks);

/* What a lock is on: a key of a store, or the whole store (key NULL). */
uint64_t sopi_softlock_of(uint64_t store, const uint8_t *key, size_t size);

/* Takes a lock; a full table, or one that another holds already, is no failure. */
void sopi_softlock_take(struct sopi_softlocks *softlocks, uint64_t what, const void *holder,
			int64_t until_ns);

/* Gives back all that `holder` holds. */
void sopi_softlock_release(struct sopi_softlocks *softlocks, const void *holder);

/* Waits while another than `holder` holds `what`, until `deadline_ns` (monotonic) at most. Who holds any lock waits for
 * nobody. */
void sopi_softlock_wait(struct sopi_softlocks *softlocks, uint64_t what, const void *holder,
			int64_t deadline_ns);

#endif
