/* What the library has to say, kept until the program pulls it: a ring of the newest messages. */
#ifndef SOPI_MESSAGES_H
#define SOPI_MESSAGES_H

#include "base/error.h"

#include <sop/log.h>

#include <stdatomic.h>
#include <stdbool.h>

enum { SOPI_MESSAGES_KEPT = 256 };

struct sopi_messages_ring;

struct sopi_messages {
	_Atomic int level; /* sop_log_level; messages above it are not recorded */
	_Atomic bool closed;
	atomic_flag busy; /* guards what follows; held for a copy only */
	struct sopi_messages_ring *ring; /* NULL until it is enabled */
};

void sopi_messages_init(struct sopi_messages *messages);
void sopi_messages_destroy(struct sopi_messages *messages);

/* No more messages. */
void sopi_messages_close(struct sopi_messages *messages);

/* Records messages up to `level`. NO_MEMORY. */
sop_status sopi_messages_enable(struct sopi_messages *messages, int level, sop_error *err);

/* Records a message; the oldest one goes if the ring is full. */
void sopi_messages_note(struct sopi_messages *messages, int level, int64_t wall_ns,
			const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Takes the oldest message; false if there is none. */
bool sopi_messages_take(struct sopi_messages *messages, sop_log_message *message);

#endif
