/* The clock port: what time it is, and waiting until it is later.
 *
 * Drivers: posix_clock.c (the system), sim_clock.c (tests, where time passes when the test says so).
 * Wall time may jump in both directions and is for people; nothing correct depends on it. */
#ifndef SOPI_CLOCK_H
#define SOPI_CLOCK_H

#include "platform/thread.h"

#include <stdbool.h>
#include <stdint.h>

struct sopi_clock;

/* What a driver provides. Any thread may call any function at any time. */
struct sopi_clock_driver {
	/* Nanoseconds since some moment; never goes back. Must not block. */
	int64_t (*monotonic_ns)(const struct sopi_clock *clock);

	/* Nanoseconds since 1970-01-01 UTC, as far as the host knows. Must not block. */
	int64_t (*wall_ns)(const struct sopi_clock *clock);

	/* sopi_cond_wait_until by this clock: `mutex` is held at entry and return, and free while it sleeps; false when
	 * `deadline_ns` (monotonic) has passed. May return true without a reason. */
	bool (*wait_until)(const struct sopi_clock *clock, sopi_cond *cond, sopi_mutex *mutex,
			   int64_t deadline_ns);

	/* Sleeps until `duration_ns` has passed on this clock. */
	void (*sleep_ns)(const struct sopi_clock *clock, int64_t duration_ns);
};

/* The head of every driver's own structure. */
struct sopi_clock {
	const struct sopi_clock_driver *driver;
};

static inline int64_t sopi_clock_monotonic_ns(const struct sopi_clock *clock)
{
	return clock->driver->monotonic_ns(clock);
}

static inline int64_t sopi_clock_wall_ns(const struct sopi_clock *clock)
{
	return clock->driver->wall_ns(clock);
}

static inline bool sopi_clock_wait_until(const struct sopi_clock *clock, sopi_cond *cond,
					 sopi_mutex *mutex, int64_t deadline_ns)
{
	return clock->driver->wait_until(clock, cond, mutex, deadline_ns);
}

static inline void sopi_clock_sleep_ns(const struct sopi_clock *clock, int64_t duration_ns)
{
	clock->driver->sleep_ns(clock, duration_ns);
}

#endif
