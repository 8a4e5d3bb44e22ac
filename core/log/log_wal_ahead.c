/* Writing ahead: a thread that writes what was submitted while whoever submitted it goes on, for the parts of large
 * commits. It begins with the first of them, and leads like any other that waits. */
#include "log/log_wal_state.h"

#include <string.h>

/* The position that is to be written next, and how; 0: the thread is to end. */
static uint64_t next_task(struct wal_ahead *ahead, bool *durable)
{
	uint64_t position;

	sopi_mutex_lock(&ahead->mutex);
	while (ahead->position == 0 && !ahead->stops)
		sopi_cond_wait(&ahead->wake, &ahead->mutex);
	position = ahead->stops ? 0 : ahead->position;
	*durable = ahead->durable;
	ahead->position = 0;
	ahead->durable = false;
	sopi_mutex_unlock(&ahead->mutex);
	return position;
}

/* If it fails the log has failed, which those learn who wait. */
static void run(void *arg)
{
	struct sopi_wal *wal = arg;
	uint64_t position;
	bool durable;

	while ((position = next_task(&wal->ahead, &durable)) != 0)
		(void)(durable ? wal_wait_durable(&wal->base, position, NULL)
			       : wal_wait_written(&wal->base, position, NULL));
}

void wal_ahead_init(struct wal_ahead *ahead)
{
	memset(ahead, 0, sizeof *ahead);
	sopi_mutex_init(&ahead->mutex);
	sopi_cond_init(&ahead->wake);
}

void wal_ahead_end(struct wal_ahead *ahead)
{
	sopi_mutex_lock(&ahead->mutex);
	ahead->stops = true;
	sopi_cond_signal(&ahead->wake);
	sopi_mutex_unlock(&ahead->mutex);
	if (ahead->runs)
		sopi_thread_join(&ahead->thread);
	sopi_cond_destroy(&ahead->wake);
	sopi_mutex_destroy(&ahead->mutex);
}

bool wal_write_ahead(struct sopi_log *log, uint64_t position, bool durable)
{
	struct sopi_wal *wal = wal_of(log);
	struct wal_ahead *ahead = &wal->ahead;
	bool runs;

	if (!wal->options.writes_ahead)
		return false;
	sopi_mutex_lock(&ahead->mutex);
	if (!ahead->runs)
		ahead->runs = sopi_thread_start(&ahead->thread, "sop-log", run, wal, NULL) == SOP_OK;
	runs = ahead->runs;
	if (runs) {
		if (position > ahead->position)
			ahead->position = position;
		ahead->durable = ahead->durable || durable;
		sopi_cond_signal(&ahead->wake);
	}
	sopi_mutex_unlock(&ahead->mutex);
	return runs;
}
