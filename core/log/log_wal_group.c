/* Leader and followers: whoever finds no flush running writes for all, with one flush; the others sleep, each on a futex
 * of its own. The next leader is appointed before the followers are woken, so that the device is never idle while they
 * wake up: 160 k commits/s of 64 threads, against 69 k with a condition variable and 64 k with a thread that writes
 * (fdatasync; 177 k, 86 k and 63 k with direct writes). A lone committer hands nothing over. */
#include "log/log_wal_state.h"

enum { WAITS, DONE, LEADS }; /* states of a waiter */

#define WANTS_TO_LEAD UINT64_MAX

static bool is_reached(const struct sopi_wal *wal, const struct wal_waiter *waiter)
{
	return atomic_load(waiter->durable ? &wal->durable : &wal->written) >= waiter->position;
}

/* ---- the queue, under its mutex ---- */

static void enqueue(struct sopi_wal *wal, struct wal_waiter *waiter)
{
	waiter->next = NULL;
	if (wal->first_waiter == NULL)
		wal->first_waiter = waiter;
	else
		wal->last_waiter->next = waiter;
	wal->last_waiter = waiter;
	wal->durable_waiters += waiter->durable;
}

/* Takes the first one that still waits as the next leader, and all that are done, out of the queue. */
static struct wal_waiter *sort_out(struct sopi_wal *wal, struct wal_waiter **done)
{
	struct wal_waiter *waiter = wal->first_waiter;
	struct wal_waiter *leader = NULL;

	wal->first_waiter = NULL;
	wal->last_waiter = NULL;
	wal->durable_waiters = 0;
	*done = NULL;
	while (waiter != NULL) {
		struct wal_waiter *next = waiter->next;

		if (wal_failed(wal) || is_reached(wal, waiter)) {
			waiter->next = *done;
			*done = waiter;
		} else if (leader == NULL) {
			leader = waiter;
		} else {
			enqueue(wal, waiter);
		}
		waiter = next;
	}
	return leader;
}

/* Its memory may be gone as soon as the state is set. */
static void wake(struct wal_waiter *waiter, uint32_t state)
{
	_Atomic uint32_t *word = &waiter->state;

	atomic_store(word, state);
	sopi_futex_wake(word, 1);
}

/* Ends the turn of the leader. */
static void hand_over(struct sopi_wal *wal)
{
	struct wal_waiter *leader, *done;

	sopi_mutex_lock(&wal->queue);
	leader = sort_out(wal, &done);
	wal->leading = leader != NULL;
	sopi_mutex_unlock(&wal->queue);
	if (leader != NULL)
		wake(leader, LEADS);
	while (done != NULL) {
		struct wal_waiter *next = done->next;

		wake(done, DONE);
		done = next;
	}
}

/* Waits until the position is reached or it is this thread's turn to lead: true. */
static bool wait_or_lead(struct sopi_wal *wal, struct wal_waiter *waiter)
{
	atomic_init(&waiter->state, WAITS);
	sopi_mutex_lock(&wal->queue);
	if (is_reached(wal, waiter) || wal_failed(wal)) {
		sopi_mutex_unlock(&wal->queue);
		return false;
	}
	if (!wal->leading) {
		wal->leading = true;
		sopi_mutex_unlock(&wal->queue);
		return true;
	}
	enqueue(wal, waiter);
	sopi_mutex_unlock(&wal->queue);
	while (atomic_load(&waiter->state) == WAITS)
		(void)sopi_futex_wait(&waiter->state, WAITS, -1);
	return atomic_load(&waiter->state) == LEADS;
}

/* Some of those who wait may ask for more than the leader does. */
static bool somebody_wants_durable(struct sopi_wal *wal)
{
	bool wanted;

	sopi_mutex_lock(&wal->queue);
	wanted = wal->durable_waiters != 0;
	sopi_mutex_unlock(&wal->queue);
	return wanted;
}

static sop_status wait_for(struct sopi_wal *wal, uint64_t position, bool durable, sop_error *err)
{
	struct wal_waiter waiter = { .position = position, .durable = durable };

	if (is_reached(wal, &waiter))
		return SOP_OK;
	if (wait_or_lead(wal, &waiter)) {
		wal_write_all(wal, durable || somebody_wants_durable(wal), false);
		hand_over(wal);
	}
	if (is_reached(wal, &waiter))
		return SOP_OK;
	return sopi_fail(err, SOP_UNKNOWN,
			 "the log failed before this was on the disk; only opening the database again "
			 "tells whether it is there");
}

sop_status wal_wait_durable(struct sopi_log *log, uint64_t position, sop_error *err)
{
	return wait_for(wal_of(log), position, true, err);
}

sop_status wal_wait_written(struct sopi_log *log, uint64_t position, sop_error *err)
{
	return wait_for(wal_of(log), position, false, err);
}

sop_status sopi_wal_flush(struct sopi_log *log, bool mark, sop_error *err)
{
	struct sopi_wal *wal = wal_of(log);
	struct wal_waiter waiter = { .position = WANTS_TO_LEAD, .durable = true };
	bool has_room = false;

	if (wal_failed(wal))
		return sopi_fail(err, SOP_FAILED, "the log has failed; open the database again");
	if (mark) /* a full disk is no reason not to flush */
		has_room = wal_reserve(log, 0, true, NULL) == SOP_OK;
	if (wait_or_lead(wal, &waiter)) {
		wal_write_all(wal, true, has_room);
		hand_over(wal);
	}
	if (has_room)
		wal_unreserve(log, 0);
	if (mark)
		wal_buffer_rest(wal);
	if (wal_failed(wal))
		return sopi_fail(err, SOP_UNKNOWN, "the log failed while it was flushed");
	return SOP_OK;
}
