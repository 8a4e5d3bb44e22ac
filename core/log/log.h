/* The log port: the totally ordered log whose append is the commit point.
 *
 * A commit is: next() and the changes applied at that position, then submit(), both under the
 * commit mutex; then, outside of it, wait_durable(). What fails before submit() has not happened.
 * Drivers: log_memory.c (no durability). Every driver passes tests/unit/log/acceptance.c. */
#ifndef SOPI_LOG_PORT_H
#define SOPI_LOG_PORT_H

#include "base/error.h"

struct sopi_log;

struct sopi_log_driver {
	/* The position that the next submit gives. REQUIRES: the commit mutex. Never blocks, never
	 * fails. */
	uint64_t (*next)(struct sopi_log *log);

	/* Appends the commit at the position that next() gave: from here on it is in the order of
	 * all commits.
	 * REQUIRES: the commit mutex. Never blocks, never fails. */
	void (*submit)(struct sopi_log *log, uint64_t position);

	/* Waits until everything up to `position` is as durable as the driver makes it. Any
	 * thread. */
	sop_status (*wait_durable)(struct sopi_log *log, uint64_t position, sop_error *err);

	/* Frees everything. No call may be running or follow. */
	void (*close)(struct sopi_log *log);
};

/* The head of every driver's own structure. */
struct sopi_log {
	const struct sopi_log_driver *driver;
};

/* A log that keeps nothing: positions count up from 1, and everything submitted is as durable as
 * it gets. */
sop_status sopi_log_memory_open(struct sopi_log **out, sop_error *err);

#endif
