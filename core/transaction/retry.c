/* Between two attempts: a jittered wait that grows, and soft locks for who has lost often. */
#include "platform/clock.h"
#include "platform/random.h"
#include "transaction/transaction.h"

enum {
	NS_PER_US = 1000,
	FIRST_WAIT_US = 20,
	DOUBLINGS_MAX = 8, /* the wait grows to about 5 ms */
	PATIENCE = 5 /* attempts before soft locks are taken */
};

static void take_softlocks(struct sopi_transaction *txn)
{
	struct sopi_softlocks *softlocks = &txn->engine->softlocks;

	if (txn->has_conflict)
		sopi_softlock_take(softlocks, txn->conflict_lock, txn,
				   sopi_clock_monotonic_ns(txn->engine->platform->clock) +
					   (int64_t)SOPI_SOFTLOCK_LEASE_MS * 1000 * NS_PER_US);
}

/* How long to wait: between half and all of a time that doubles with each attempt. */
static int64_t wait_ns(struct sopi_transaction *txn)
{
	const uint32_t doublings = txn->attempts < DOUBLINGS_MAX ? txn->attempts : DOUBLINGS_MAX;
	const int64_t most = ((int64_t)FIRST_WAIT_US * NS_PER_US) << doublings;
	uint32_t random = 0;

	(void)sopi_random_fill(txn->engine->platform->random, &random, sizeof random, NULL);
	return most / 2 + (int64_t)(random % (uint32_t)(most / 2 + 1));
}

sop_status sopi_transaction_back_off(struct sopi_transaction *txn, sop_error *err)
{
	const struct sopi_clock *clock = txn->engine->platform->clock;
	int64_t duration_ns = wait_ns(txn);
	int64_t left_ns;

	if (txn->deadline_ns != 0) {
		left_ns = txn->deadline_ns - sopi_clock_monotonic_ns(clock);
		if (left_ns <= 0)
			return sopi_fail(err, SOP_TIMEOUT,
					 "the deadline of the transaction has passed after %u attempts",
					 txn->attempts);
		duration_ns = duration_ns < left_ns ? duration_ns : left_ns;
	}
	if (txn->attempts >= PATIENCE)
		take_softlocks(txn); /* others wait for us now: go on at once */
	else
		sopi_clock_sleep_ns(clock, duration_ns);
	return SOP_OK;
}
