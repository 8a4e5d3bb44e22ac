/* Threads over pthreads and the Linux futex. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/thread.h"

#include "base/check.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000 };

static struct timespec timespec_of(int64_t ns)
{
	const int64_t from_zero = ns > 0 ? ns : 0;
	struct timespec time;

	time.tv_sec = (time_t)(from_zero / NS_PER_S);
	time.tv_nsec = (long)(from_zero % NS_PER_S);
	return time;
}

void sopi_mutex_init(sopi_mutex *mutex)
{
	pthread_mutexattr_t attributes;

	SOPI_CHECK(pthread_mutexattr_init(&attributes) == 0);
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
	/* 456 k against 109 k commits/s of a fair mutex, without flushes: a fair one sleeps at every turn. */
	SOPI_CHECK(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP) == 0);
#endif
	SOPI_CHECK(pthread_mutex_init(&mutex->raw, &attributes) == 0);
	pthread_mutexattr_destroy(&attributes);
}

void sopi_mutex_destroy(sopi_mutex *mutex)
{
	SOPI_CHECK(pthread_mutex_destroy(&mutex->raw) == 0);
}

void sopi_mutex_lock(sopi_mutex *mutex)
{
	SOPI_CHECK(pthread_mutex_lock(&mutex->raw) == 0);
}

bool sopi_mutex_trylock(sopi_mutex *mutex)
{
	const int result = pthread_mutex_trylock(&mutex->raw);

	SOPI_CHECK(result == 0 || result == EBUSY);
	return result == 0;
}

#ifdef __SANITIZE_THREAD__
/* ThreadSanitizer does not know pthread_mutex_clocklock and would report what it guards as a race. */
static int lock_until(pthread_mutex_t *mutex, int64_t deadline_ns)
{
	struct timespec wall;
	struct timespec monotonic;
	int64_t left_ns;

	SOPI_CHECK(clock_gettime(CLOCK_MONOTONIC, &monotonic) == 0);
	SOPI_CHECK(clock_gettime(CLOCK_REALTIME, &wall) == 0);
	left_ns = deadline_ns - ((int64_t)monotonic.tv_sec * NS_PER_S + monotonic.tv_nsec);
	wall = timespec_of((int64_t)wall.tv_sec * NS_PER_S + wall.tv_nsec + left_ns);
	return pthread_mutex_timedlock(mutex, &wall);
}
#else
static int lock_until(pthread_mutex_t *mutex, int64_t deadline_ns)
{
	const struct timespec deadline = timespec_of(deadline_ns);

	return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &deadline);
}
#endif

bool sopi_mutex_lock_until(sopi_mutex *mutex, int64_t deadline_ns)
{
	const int result = lock_until(&mutex->raw, deadline_ns);

	SOPI_CHECK(result == 0 || result == ETIMEDOUT);
	return result == 0;
}

void sopi_mutex_unlock(sopi_mutex *mutex)
{
	SOPI_CHECK(pthread_mutex_unlock(&mutex->raw) == 0);
}

void sopi_cond_init(sopi_cond *cond)
{
	pthread_condattr_t attributes;

	SOPI_CHECK(pthread_condattr_init(&attributes) == 0);
	SOPI_CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	SOPI_CHECK(pthread_cond_init(&cond->raw, &attributes) == 0);
	pthread_condattr_destroy(&attributes);
}

void sopi_cond_destroy(sopi_cond *cond)
{
	SOPI_CHECK(pthread_cond_destroy(&cond->raw) == 0);
}

void sopi_cond_wait(sopi_cond *cond, sopi_mutex *mutex)
{
	SOPI_CHECK(pthread_cond_wait(&cond->raw, &mutex->raw) == 0);
}

bool sopi_cond_wait_until(sopi_cond *cond, sopi_mutex *mutex, int64_t deadline_ns)
{
	const struct timespec deadline = timespec_of(deadline_ns);
	const int result = pthread_cond_timedwait(&cond->raw, &mutex->raw, &deadline);

	SOPI_CHECK(result == 0 || result == ETIMEDOUT);
	return result == 0;
}

void sopi_cond_signal(sopi_cond *cond)
{
	SOPI_CHECK(pthread_cond_signal(&cond->raw) == 0);
}

void sopi_cond_broadcast(sopi_cond *cond)
{
	SOPI_CHECK(pthread_cond_broadcast(&cond->raw) == 0);
}

static void *run(void *arg)
{
	sopi_thread *thread = arg;

	(void)pthread_setname_np(pthread_self(), thread->name); /* a name is a help, not a need */
	thread->fn(thread->arg);
	return NULL;
}

sop_status sopi_thread_start(sopi_thread *thread, const char *name, void (*fn)(void *arg),
			     void *arg, sop_error *err)
{
	sigset_t all;
	sigset_t before;
	int result;

	thread->fn = fn;
	thread->arg = arg;
	memset(thread->name, 0, sizeof thread->name);
	memcpy(thread->name, name, strnlen(name, sizeof thread->name - 1));
	sigfillset(&all);
	SOPI_CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	result = pthread_create(&thread->raw, NULL, run, thread);
	SOPI_CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (result != 0)
		return sopi_fail(err, SOP_NO_MEMORY,
				 "thread %s cannot be started (errno %d); raise the limit of threads",
				 thread->name, result);
	return SOP_OK;
}

void sopi_thread_join(sopi_thread *thread)
{
	SOPI_CHECK(pthread_join(thread->raw, NULL) == 0);
}

void sopi_yield(void)
{
	(void)sched_yield();
}

void sopi_sleep_ns(int64_t duration_ns)
{
	struct timespec left = timespec_of(duration_ns);

	while (nanosleep(&left, &left) != 0)
		SOPI_CHECK(errno == EINTR);
}

#ifdef SOP_TEST_HOOKS
sopi_sleep_fn _Atomic sopi_sleep_hook;

static bool need_not_sleep(void)
{
	const sopi_sleep_fn hook = sopi_sleep_hook;

	return hook != NULL && hook();
}
#else
static bool need_not_sleep(void)
{
	return false;
}
#endif

bool sopi_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t timeout_ns)
{
	const struct timespec timeout = timespec_of(timeout_ns);
	long result;

	if (need_not_sleep())
		return true;
	result = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected,
			 timeout_ns < 0 ? NULL : &timeout, NULL, 0);
	SOPI_CHECK(result == 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT);
	return result == 0 || errno != ETIMEDOUT;
}

void sopi_futex_wake(_Atomic uint32_t *word, int count)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}
