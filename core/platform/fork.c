/* The fork handler. Runs in the child between fork and everything else, so it takes no lock and allocates nothing. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/fork.h"

#include "base/check.h"
#include "platform/thread.h"

#include <pthread.h>
#include <unistd.h>

enum { WORD_BITS = 64, WORDS = SOPI_FORK_DESCRIPTORS / WORD_BITS };

_Atomic uint32_t sopi_fork_count;

/* One bit for each descriptor: pages that are never touched cost nothing, and no slot has to be searched for. */
static _Atomic uint64_t to_close[WORDS];
static _Atomic int words_used; /* words at and above this one have always been zero */

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void close_word(int word)
{
	uint64_t bits = atomic_exchange(&to_close[word], 0);

	while (bits != 0) {
		close(word * WORD_BITS + __builtin_ctzll(bits));
		bits &= bits - 1;
	}
}

static void in_child(void)
{
	const int used = atomic_load(&words_used);

	atomic_fetch_add(&sopi_fork_count, 1);
	for (int word = 0; word < used; word++)
		close_word(word);
}

static void watch(void)
{
	SOPI_CHECK(pthread_atfork(NULL, NULL, in_child) == 0);
}

void sopi_fork_watch(void)
{
	SOPI_CHECK(pthread_once(&once, watch) == 0);
}

static uint64_t bit_of(int fd)
{
	return (uint64_t)1 << (fd % WORD_BITS);
}

bool sopi_fork_close_in_child(int fd)
{
	const int word = fd / WORD_BITS;
	int used = atomic_load(&words_used);

	SOPI_CHECK(fd >= 0);
	if (fd >= SOPI_FORK_DESCRIPTORS)
		return false;
	while (used <= word && !atomic_compare_exchange_weak(&words_used, &used, word + 1))
		;
	atomic_fetch_or(&to_close[word], bit_of(fd));
	return true;
}

void sopi_fork_forget(int fd)
{
	SOPI_CHECK(fd >= 0);
	if (fd < SOPI_FORK_DESCRIPTORS)
		atomic_fetch_and(&to_close[fd / WORD_BITS], ~bit_of(fd));
}

void sopi_fork_lock_take(struct sopi_fork_lock *lock)
{
	const uint32_t mine = sopi_fork_generation() + 1;

	for (;;) {
		uint32_t found = atomic_load_explicit(&lock->holder, memory_order_relaxed);

		if (found != mine &&
		    atomic_compare_exchange_weak_explicit(&lock->holder, &found, mine,
							  memory_order_acquire, memory_order_relaxed))
			return;
		sopi_yield();
	}
}

void sopi_fork_lock_give(struct sopi_fork_lock *lock)
{
	atomic_store_explicit(&lock->holder, 0, memory_order_release);
}
