/* A clock that stands still until it is told. */
#include "platform/clock.h"
#include "platform/sim.h"
#include "platform/sim_content.h"
#include "platform/thread.h"

#include "base/check.h"

enum { POLL_NS = 1000000 /* of real time, between two looks at the simulated one */ };

struct sopi_sim_clock {
	struct sopi_clock base;
	sopi_mutex mutex; /* guards what follows; a leaf of the lock order */
	int64_t monotonic_ns;
	int64_t wall_ns;
	int64_t grace_ns; /* below 0: not automatic */
};

static struct sopi_sim_clock *clock_of(const struct sopi_clock *clock)
{
	return (struct sopi_sim_clock *)(uintptr_t)clock; /* `base` is the first member; never in read-only memory */
}

static int64_t real_now_ns(void)
{
	const struct sopi_clock *real = sopi_platform_posix()->clock;

	return sopi_clock_monotonic_ns(real);
}

static int64_t sim_monotonic_ns(const struct sopi_clock *base)
{
	struct sopi_sim_clock *clock = clock_of(base);
	int64_t now_ns;

	sopi_mutex_lock(&clock->mutex);
	now_ns = clock->monotonic_ns;
	sopi_mutex_unlock(&clock->mutex);
	return now_ns;
}

static int64_t sim_wall_ns(const struct sopi_clock *base)
{
	struct sopi_sim_clock *clock = clock_of(base);
	int64_t now_ns;

	sopi_mutex_lock(&clock->mutex);
	now_ns = clock->wall_ns;
	sopi_mutex_unlock(&clock->mutex);
	return now_ns;
}

static int64_t grace_of(struct sopi_sim_clock *clock)
{
	int64_t grace_ns;

	sopi_mutex_lock(&clock->mutex);
	grace_ns = clock->grace_ns;
	sopi_mutex_unlock(&clock->mutex);
	return grace_ns;
}

/* REQUIRES: clock locked. */
static void pass_locked(struct sopi_sim_clock *clock, int64_t duration_ns)
{
	clock->monotonic_ns += duration_ns;
	clock->wall_ns += duration_ns;
}

static void pass_until(struct sopi_sim_clock *clock, int64_t monotonic_ns)
{
	sopi_mutex_lock(&clock->mutex);
	if (monotonic_ns > clock->monotonic_ns)
		pass_locked(clock, monotonic_ns - clock->monotonic_ns);
	sopi_mutex_unlock(&clock->mutex);
}

/* Looks again and again: simple, and no waiter has to be found when the clock is advanced. */
static bool sim_wait_until(const struct sopi_clock *base, sopi_cond *cond, sopi_mutex *mutex,
			   int64_t deadline_ns)
{
	struct sopi_sim_clock *clock = clock_of(base);
	const int64_t begin_ns = real_now_ns();

	while (sim_monotonic_ns(base) < deadline_ns) {
		const int64_t grace_ns = grace_of(clock);

		if (sopi_cond_wait_until(cond, mutex, real_now_ns() + POLL_NS))
			return true;
		if (grace_ns >= 0 && real_now_ns() - begin_ns >= grace_ns)
			pass_until(clock, deadline_ns);
	}
	return false;
}

static void sim_sleep_ns(const struct sopi_clock *base, int64_t duration_ns)
{
	struct sopi_sim_clock *clock = clock_of(base);
	const int64_t end_ns = sim_monotonic_ns(base) + duration_ns;

	while (sim_monotonic_ns(base) < end_ns) {
		if (grace_of(clock) >= 0)
			pass_until(clock, end_ns);
		else
			sopi_sleep_ns(POLL_NS);
	}
}

static const struct sopi_clock_driver sim_driver = {
	.monotonic_ns = sim_monotonic_ns,
	.wall_ns = sim_wall_ns,
	.wait_until = sim_wait_until,
	.sleep_ns = sim_sleep_ns,
};

struct sopi_sim_clock *sopi_sim_clock_new(int64_t monotonic_ns, int64_t wall_ns)
{
	struct sopi_sim_clock *clock = sopi_sim_alloc(sizeof *clock);

	sopi_mutex_init(&clock->mutex);
	clock->base.driver = &sim_driver;
	clock->monotonic_ns = monotonic_ns;
	clock->wall_ns = wall_ns;
	clock->grace_ns = -1;
	return clock;
}

struct sopi_clock *sopi_sim_clock_port(struct sopi_sim_clock *clock)
{
	return &clock->base;
}

void sopi_sim_clock_advance(struct sopi_sim_clock *clock, int64_t duration_ns)
{
	SOPI_CHECK(duration_ns >= 0);
	sopi_mutex_lock(&clock->mutex);
	pass_locked(clock, duration_ns);
	sopi_mutex_unlock(&clock->mutex);
}

void sopi_sim_clock_set_wall(struct sopi_sim_clock *clock, int64_t wall_ns)
{
	sopi_mutex_lock(&clock->mutex);
	clock->wall_ns = wall_ns;
	sopi_mutex_unlock(&clock->mutex);
}

void sopi_sim_clock_set_automatic(struct sopi_sim_clock *clock, int64_t grace_ns)
{
	sopi_mutex_lock(&clock->mutex);
	clock->grace_ns = grace_ns;
	sopi_mutex_unlock(&clock->mutex);
}

void sopi_sim_clock_free(struct sopi_sim_clock *clock)
{
	if (clock == NULL)
		return;
	sopi_mutex_destroy(&clock->mutex);
	sopi_sim_free(clock);
}
