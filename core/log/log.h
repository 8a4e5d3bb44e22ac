/* The log port: the totally ordered log whose append is the commit point.
 *
 * A commit is: reserve() outside any lock; next() and the changes applied at that position, then submit(), both under
 * the commit mutex; then, outside of it, wait_durable(). What fails before submit() has not happened.
 * Positions ascend, but not every number is one: a log on disk writes *groups*, group number `slot` holds the entries
 * slot << 16 | 0, 1, ..., and one flush makes a whole group durable.
 * Drivers: log_memory.c (no durability; its positions just count), log_wal.c (a database in a folder).
 * Every driver passes tests/unit/log/acceptance.c. */
#ifndef SOPI_LOG_PORT_H
#define SOPI_LOG_PORT_H

#include "base/error.h"

#include <sop/buffer.h>

#include <stdbool.h>
#include <stdint.h>

enum { SOPI_POSITION_INDEX_BITS = 16 };

struct sopi_log;

/* How durable a commit is when it is answered. */
enum sopi_durability {
	SOPI_FLUSHED = 0, /* on stable storage */
	SOPI_WRITTEN = 1, /* with the operating system */
	SOPI_BUFFERED = 2 /* in memory */
};

/* The parts of one large transaction. Its bytes go into the log as they come, in entries of kind PART that mean nothing by
 * themselves, so that others need not wait until all of them are written; the entry of kind LAST, which commits it, names
 * them. What a part begins with, and what is in the last one, is in codec/log_record.h. */
struct sopi_log_series;

/* One transaction on its way into the log. */
struct sopi_log_entry {
	const uint8_t *id; /* 16 bytes: the transaction's */
	sop_bytes payload; /* opaque to the log */
	sop_bytes before; /* when it is submitted: what the payload begins with besides, or nothing */
	enum sopi_durability durability;
	uint8_t kind; /* sopi_log_entry_kind; in replay all are whole */
	struct sopi_log_series *series; /* of a PART or LAST */
};

struct sopi_log_driver {
	/* Makes sure that the next submit of up to `bytes` of payload finds memory and disk space; taken back by
	 * unreserve, used up by submit. Any thread, outside the commit mutex; may block on the disk. urgent: may use
	 * space that is kept for removing and for checkpoints. NO_SPACE, NO_MEMORY, LIMIT (more than the log can
	 * ever hold at once), FAILED. */
	sop_status (*reserve)(struct sopi_log *log, size_t bytes, bool urgent, sop_error *err);
	void (*unreserve)(struct sopi_log *log, size_t bytes);

	/* The position that the next submit gives. REQUIRES: the commit mutex. Never blocks, never fails. */
	uint64_t (*next)(struct sopi_log *log);

	/* Appends the commit at the position that next() gave: from here on it is in the order of all commits. Copies
	 * the entry. reserved: the bytes that were reserved for it, at least those of its payload. REQUIRES: the
	 * commit mutex, held since next(). Never blocks on the disk, never fails. */
	void (*submit)(struct sopi_log *log, uint64_t position, const struct sopi_log_entry *entry,
		       size_t reserved);

	/* Waits until everything up to `position` is on stable storage, flushing it itself if nobody else does. Any
	 * thread, without the commit mutex. UNKNOWN: the log has failed before that was so; whether it is there only
	 * opening again can tell. A position that was durable before the failure gets OK. */
	sop_status (*wait_durable)(struct sopi_log *log, uint64_t position, sop_error *err);

	/* The same, until it is with the operating system. */
	sop_status (*wait_written)(struct sopi_log *log, uint64_t position, sop_error *err);

	/* Has another thread write everything up to `position`, durably or not, while the caller goes on: waiting for it is
	 * still the caller's. False: there is none, and nothing is written before somebody waits. NULL in logs that keep
	 * nothing. */
	bool (*write_ahead)(struct sopi_log *log, uint64_t position, bool durable);

	/* Everything up to here is on stable storage. Never blocks. */
	uint64_t (*durable)(struct sopi_log *log);

	/* Room for a series of parts, which keeps what it needs of the log until its last entry has been checkpointed. NULL
	 * in logs that keep nothing, as is the next. NO_MEMORY. */
	sop_status (*series_begin)(struct sopi_log *log, struct sopi_log_series **out, sop_error *err);

	/* The series will not get its last entry. */
	void (*series_end)(struct sopi_log *log, struct sopi_log_series *series);

	/* Frees everything; flushes nothing. No call may be running or follow. */
	void (*close)(struct sopi_log *log);
};

/* The head of every driver's own structure. */
struct sopi_log {
	const struct sopi_log_driver *driver;
};

/* A log that keeps nothing: positions count up from 1, and everything submitted is as durable as it gets. */
sop_status sopi_log_memory_open(struct sopi_log **out, sop_error *err);

#endif
