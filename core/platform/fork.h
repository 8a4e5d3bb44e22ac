/* What a child of fork() must know: that it is one, and which descriptors it must not keep. */
#ifndef SOPI_FORK_H
#define SOPI_FORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

extern _Atomic uint32_t sopi_fork_count;

/* Differs between a process and the child that it forks. A handle keeps the number under which it was opened and is
 * dead (FORKED) when it no longer agrees. One relaxed load. REQUIRES: sopi_fork_watch was called. */
static inline uint32_t sopi_fork_generation(void)
{
	return atomic_load_explicit(&sopi_fork_count, memory_order_relaxed);
}

/* Begins to watch for forks; any number of times, from any thread. */
void sopi_fork_watch(void);

/* Has `fd` closed in every child forked from now on, so that a worker which outlives its parent does not keep the
 * database locked. Lock-free. False, and nothing done, for a descriptor of SOPI_FORK_DESCRIPTORS or above. */
bool sopi_fork_close_in_child(int fd);

/* Takes that back. Call it before `fd` is closed: its number may be somebody else's right after. */
void sopi_fork_forget(int fd);

/* A lock that a fork leaves free in the child, whoever held it in the parent; what it guards may have been changed half
 * then, so the child must begin it anew. All zero is free. Spins, so for a few instructions only. REQUIRES:
 * sopi_fork_watch was called. */
struct sopi_fork_lock {
	_Atomic uint32_t holder; /* 1 + the generation of the process that holds it; another one's means nothing */
};

void sopi_fork_lock_take(struct sopi_fork_lock *lock);
void sopi_fork_lock_give(struct sopi_fork_lock *lock);

enum { SOPI_FORK_DESCRIPTORS = 1 << 20 };

#endif
