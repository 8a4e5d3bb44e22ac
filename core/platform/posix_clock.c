/* The clock of the host. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/posix.h"

#include "base/check.h"

#include <time.h>

static int64_t now_ns(clockid_t id)
{
	struct timespec now;

	SOPI_CHECK(clock_gettime(id, &now) == 0);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t posix_monotonic_ns(const struct sopi_clock *clock)
{
	(void)clock;
	return now_ns(CLOCK_MONOTONIC);
}

static int64_t posix_wall_ns(const struct sopi_clock *clock)
{
	(void)clock;
	return now_ns(CLOCK_REALTIME);
}

static bool posix_wait_until(const struct sopi_clock *clock, sopi_cond *cond, sopi_mutex *mutex,
			     int64_t deadline_ns)
{
	(void)clock;
	return sopi_cond_wait_until(cond, mutex, deadline_ns);
}

static void posix_sleep_ns(const struct sopi_clock *clock, int64_t duration_ns)
{
	(void)clock;
	sopi_sleep_ns(duration_ns);
}

const struct sopi_clock_driver sopi_posix_clock_driver = {
	.monotonic_ns = posix_monotonic_ns,
	.wall_ns = posix_wall_ns,
	.wait_until = posix_wait_until,
	.sleep_ns = posix_sleep_ns,
};
