/* A small table under a mutex; the common case looks at one counter only. */
#include "transaction/softlock.h"

#include <string.h>

void sopi_softlocks_init(struct sopi_softlocks *softlocks)
{
	memset(softlocks, 0, sizeof *softlocks);
	sopi_mutex_init(&softlocks->mutex);
	sopi_cond_init(&softlocks->released);
}

void sopi_softlocks_destroy(struct sopi_softlocks *softlocks)
{
	sopi_cond_destroy(&softlocks->released);
	sopi_mutex_destroy(&softlocks->mutex);
}

uint64_t sopi_softlock_of(uint64_t store, const uint8_t *key, size_t size)
{
	uint64_t hash = 0xCBF29CE484222325u ^ store * 0x9E3779B97F4A7C15u; /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ key[i]) * 0x100000001B3u;
	return hash;
}

void sopi_softlock_take(struct sopi_softlocks *softlocks, uint64_t what, const void *holder,
			int64_t until_ns)
{
	struct sopi_softlock *free_lock = NULL;

	sopi_mutex_lock(&softlocks->mutex);
	for (size_t i = 0; i < SOPI_SOFTLOCKS_MAX; i++) {
		struct sopi_softlock *lock = &softlocks->locks[i];

		if (lock->holder == NULL) {
			free_lock = free_lock != NULL ? free_lock : lock;
		} else if (lock->what == what) {
			free_lock = NULL; /* somebody lost more often than we did, or it is ours */
			break;
		}
	}
	if (free_lock != NULL) {
		*free_lock = (struct sopi_softlock){ what, holder, until_ns };
		atomic_fetch_add_explicit(&softlocks->held, 1, memory_order_relaxed);
	}
	sopi_mutex_unlock(&softlocks->mutex);
}

void sopi_softlock_release(struct sopi_softlocks *softlocks, const void *holder)
{
	uint32_t count = 0;

	if (atomic_load_explicit(&softlocks->held, memory_order_relaxed) == 0)
		return;
	sopi_mutex_lock(&softlocks->mutex);
	for (size_t i = 0; i < SOPI_SOFTLOCKS_MAX; i++) {
		if (softlocks->locks[i].holder != holder)
			continue;
		softlocks->locks[i].holder = NULL;
		count++;
	}
	if (count > 0) {
		atomic_fetch_sub_explicit(&softlocks->held, count, memory_order_relaxed);
		sopi_cond_broadcast(&softlocks->released);
	}
	sopi_mutex_unlock(&softlocks->mutex);
}

/* When the lease of another's lock on `what` ends; 0: there is none, or the asker has locks of its own: those who have
 * never wait for each other, which could go in a circle. */
static int64_t held_until_locked(const struct sopi_softlocks *softlocks, uint64_t what, const void *holder)
{
	int64_t until_ns = 0;

	for (size_t i = 0; i < SOPI_SOFTLOCKS_MAX; i++) {
		const struct sopi_softlock *lock = &softlocks->locks[i];

		if (lock->holder == holder)
			return 0;
		if (lock->holder != NULL && lock->what == what)
			until_ns = lock->until_ns;
	}
	return until_ns;
}

void sopi_softlock_wait(struct sopi_softlocks *softlocks, uint64_t what, const void *holder,
			int64_t deadline_ns)
{
	int64_t until_ns;

	sopi_mutex_lock(&softlocks->mutex);
	while ((until_ns = held_until_locked(softlocks, what, holder)) != 0) {
		until_ns = until_ns < deadline_ns ? until_ns : deadline_ns;
		if (!sopi_cond_wait_until(&softlocks->released, &softlocks->mutex, until_ns))
			break;
	}
	sopi_mutex_unlock(&softlocks->mutex);
}
