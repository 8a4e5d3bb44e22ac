/* Threads, mutexes, condition variables and futexes: thin, typed names for what the system gives.
 *
 * Deadlines are on the monotonic clock of the system (CLOCK_MONOTONIC, nanoseconds). Code that is given a
 * `sopi_clock` waits through it (clock.h), so that a simulated clock decides when the deadline has passed. */
#ifndef SOPI_THREAD_H
#define SOPI_THREAD_H

#include "base/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A mutex that spins for a moment before it sleeps (adaptive, never first-in first-out). Not recursive. */
typedef struct sopi_mutex {
	pthread_mutex_t raw;
} sopi_mutex;

void sopi_mutex_init(sopi_mutex *mutex);
void sopi_mutex_destroy(sopi_mutex *mutex);
void sopi_mutex_lock(sopi_mutex *mutex);

/* True if the mutex was free and is now held. */
bool sopi_mutex_trylock(sopi_mutex *mutex);

/* Waits until `deadline_ns` at most; false if it has passed and the mutex is not held. A free mutex is taken even
 * when the deadline lies in the past. */
bool sopi_mutex_lock_until(sopi_mutex *mutex, int64_t deadline_ns);
void sopi_mutex_unlock(sopi_mutex *mutex);

/* A condition variable. Waits may end without a reason: look at the condition in a loop. */
typedef struct sopi_cond {
	pthread_cond_t raw;
} sopi_cond;

void sopi_cond_init(sopi_cond *cond);
void sopi_cond_destroy(sopi_cond *cond);

/* REQUIRES: `mutex` held. */
void sopi_cond_wait(sopi_cond *cond, sopi_mutex *mutex);

/* The same until `deadline_ns` at most; false when it has passed. The mutex is held again either way. */
bool sopi_cond_wait_until(sopi_cond *cond, sopi_mutex *mutex, int64_t deadline_ns);
void sopi_cond_signal(sopi_cond *cond);
void sopi_cond_broadcast(sopi_cond *cond);

enum { SOPI_THREAD_NAME_BYTES = 16 }; /* with the NUL; the system keeps no more */

/* A running thread. Stays where it is between start and join: the thread reads it. */
typedef struct sopi_thread {
	pthread_t raw;
	void (*fn)(void *arg);
	void *arg;
	char name[SOPI_THREAD_NAME_BYTES];
} sopi_thread;

/* Starts `fn(arg)` in a thread called `name` (cut to 15 bytes) with all signals blocked, so that the program's
 * handlers never run on a thread of ours. Returns OK or NO_MEMORY (no more threads to be had). */
sop_status sopi_thread_start(sopi_thread *thread, const char *name, void (*fn)(void *arg),
			     void *arg, sop_error *err);

/* Waits for the end of the thread. Once for each start. */
void sopi_thread_join(sopi_thread *thread);

/* Lets another thread run. */
void sopi_yield(void);

/* Sleeps, signals or not, until `duration_ns` has passed. */
void sopi_sleep_ns(int64_t duration_ns);

/* Sleeps while `*word == expected` until it is woken or `timeout_ns` (-1: for ever) has passed; false only when the
 * time has passed. May return without a reason. Within one process. */
bool sopi_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t timeout_ns);

#ifdef SOP_TEST_HOOKS
/* Asked by a thread that is about to sleep in sopi_futex_wait. True: it looks again instead. */
typedef bool (*sopi_sleep_fn)(void);
extern sopi_sleep_fn _Atomic sopi_sleep_hook;
#endif

/* Wakes up to `count` sleepers of `word`. The memory may already be gone: only the address is used. */
void sopi_futex_wake(_Atomic uint32_t *word, int count);

/* Tells the processor that this is a spin loop. */
static inline void sopi_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

#endif
