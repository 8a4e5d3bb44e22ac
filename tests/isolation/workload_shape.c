/* Workloads that change the shape of the tree: growth at the end, runs of keys that come and go,
 * and readers that stay. */
#include "isolation/workloads.h"

#include <string.h>

#define LENGTH_MAX 60 /* of the queue, before its front is trimmed */
#define RUN_KEYS 24
#define SPAN 600
#define READ_KEYS 64

/* ---- appends --------------------------------------------------------------------------------- */

struct queue {
	_Atomic uint64_t next; /* of the blind appends */
};

/* Looks for the last key and inserts the next one: somebody else's append in between is a
 * conflict. */
static sop_status append_next(struct actor *actor, void *arg)
{
	const struct key_range all = range_all();
	const struct item_seen *items = NULL;
	size_t count = 0;
	uint64_t last = 0;

	(void)arg;
	if (actor_scan(actor, 0, &all, EVENT_REVERSE, 1, &items, &count) != SOP_OK)
		return actor->doomed;
	last = count != 0 ? items[0].key : 0;
	if (actor_insert(actor, 0, last + 1, actor_value(actor, 8 + test_rng_below(&actor->rng, 64)),
			 NULL) == SOP_EXISTS)
		test_note_failure("there is a key behind the last one");
	return actor->doomed;
}

/* Looks behind the end before it appends: nothing must be there. */
static sop_status append_behind(struct actor *actor, void *arg)
{
	struct key_range range = range_all();
	const struct item_seen *items = NULL;
	size_t count = 0;
	uint64_t key = 0;

	(void)arg;
	if (actor_scan(actor, 0, &range, EVENT_REVERSE | EVENT_KEYS, 1, &items, &count) != SOP_OK)
		return actor->doomed;
	key = count != 0 ? items[0].key : 0;
	for (uint64_t i = 1; i <= 3 && actor->doomed == SOP_OK; i++) {
		if (actor_get(actor, 0, key + i, 0, NULL) == SOP_OK)
			test_note_failure("there is a key behind the last one");
	}
	return actor_put(actor, 0, key + 1, actor_value(actor, 16));
}

static sop_status append_blindly(struct actor *actor, void *arg)
{
	struct queue *queue = arg;
	const uint64_t ops = 1 + test_rng_below(&actor->rng, 6);

	for (uint64_t i = 0; i < ops && actor->doomed == SOP_OK; i++)
		(void)actor_put(actor, 1, atomic_fetch_add(&queue->next, 1), actor_value(actor, 24));
	return actor->doomed;
}

static sop_status trim_front(struct actor *actor, void *arg)
{
	const size_t store = test_rng_below(&actor->rng, 2);
	struct key_range range = range_all();
	const struct item_seen *items = NULL;
	size_t seen = 0;
	uint64_t count = 0;

	(void)arg;
	if (actor_scan(actor, store, &range, 0, LENGTH_MAX / 2, &items, &seen) != SOP_OK ||
	    seen < LENGTH_MAX / 2)
		return actor->doomed;
	range.has_to = true;
	range.to = items[seen - 1].key;
	return actor_remove_range(actor, store, &range, &count);
}

static sop_status look_at_queue(struct actor *actor, void *arg)
{
	const struct key_range all = range_all();
	const struct item_seen *items = NULL;
	size_t count = 0;

	(void)arg;
	(void)actor_scan(actor, test_rng_below(&actor->rng, 2), &all, 0, 0, &items, &count);
	return actor->doomed;
}

static void append_turn(struct actor *actor, void *arg)
{
	const uint64_t dice = test_rng_below(&actor->rng, 16);
	actor_body body = append_next;

	if (dice < 2) {
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_READ, look_at_queue, NULL);
		return;
	}
	if (dice == 2)
		body = trim_front;
	else if (dice < 6)
		body = append_blindly;
	else if (dice < 10)
		body = append_behind;
	(void)actor_perform(actor, workload_any_how(actor), ACTOR_WRITE, body, arg);
}

struct verdict workload_appends(uint64_t transactions)
{
	const struct world_options options = { .threads = 12, .stores = 2, .yield_once_in = 2 };
	struct queue queue = { 1 };
	const struct workload_plan plan = { transactions, append_turn, &queue };
	struct world world;

	world_open(&world, &options);
	return workload_run(&world, &plan);
}

/* ---- runs that come and go ------------------------------------------------------------------- */

static sop_status put_run(struct actor *actor, void *arg)
{
	const uint64_t first = test_rng_below(&actor->rng, SPAN);
	const uint64_t step = 1 + test_rng_below(&actor->rng, 3);

	(void)arg;
	for (uint64_t i = 0; i < RUN_KEYS && actor->doomed == SOP_OK; i++)
		(void)actor_put(actor, 0, (first + i * step) % SPAN, actor_any_value(actor));
	return actor->doomed;
}

static sop_status remove_run(struct actor *actor, void *arg)
{
	const uint64_t first = test_rng_below(&actor->rng, SPAN);
	const struct key_range range = range_of(first, first + RUN_KEYS * 3);
	uint64_t removed = 0;

	(void)arg;
	return actor_remove_range(actor, 0, &range, &removed);
}

static sop_status remove_singly(struct actor *actor, void *arg)
{
	const uint64_t first = test_rng_below(&actor->rng, SPAN);

	(void)arg;
	for (uint64_t i = 0; i < RUN_KEYS / 2 && actor->doomed == SOP_OK; i++)
		(void)actor_remove(actor, 0, first + i, 0);
	return actor->doomed;
}

static sop_status look_at_run(struct actor *actor, void *arg)
{
	const uint64_t first = test_rng_below(&actor->rng, SPAN);
	const struct key_range range = range_of(first, first + RUN_KEYS * 2);
	const struct item_seen *items = NULL;
	size_t count = 0;
	uint64_t number = 0;

	(void)arg;
	(void)actor_scan(actor, 0, &range, test_rng_once_in(&actor->rng, 2) ? EVENT_REVERSE : 0, 0,
			 &items, &count);
	(void)actor_count(actor, 0, &range, &number);
	if (number != count && actor->doomed == SOP_OK)
		test_note_failure("a range has %zu items and the count %llu", count,
				  (unsigned long long)number);
	return actor->doomed;
}

static void run_turn(struct actor *actor, void *arg)
{
	const uint64_t dice = test_rng_below(&actor->rng, 10);

	(void)arg;
	if (dice < 3)
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_READ, look_at_run, NULL);
	else
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_WRITE,
				    dice == 3  ? look_at_run
				    : dice < 6 ? remove_run
				    : dice < 8 ? remove_singly
					       : put_run,
				    NULL);
}

struct verdict workload_mass_delete(uint64_t transactions)
{
	const struct world_options options = {
		.threads = 8, .stores = 1, .key_padding_max = 30, .yield_once_in = 16
	};
	const struct workload_plan plan = { transactions, run_turn, NULL };
	struct world world;

	world_open(&world, &options);
	return workload_run(&world, &plan);
}

/* ---- readers that stay ----------------------------------------------------------------------- */

/* Looks at everything several times, giving writers time in between. */
static sop_status look_long(struct actor *actor, void *arg)
{
	const struct key_range all = range_all();
	const struct item_seen *items = NULL;
	size_t count = 0;

	(void)arg;
	for (unsigned i = 0; i < 6 && actor->doomed == SOP_OK; i++) {
		for (unsigned keys = 0; keys < 8; keys++)
			(void)actor_get(actor, 0, test_rng_below(&actor->rng, READ_KEYS), 0, NULL);
		test_sleep_us(200 + (unsigned)test_rng_below(&actor->rng, 1500));
		(void)actor_scan(actor, 0, &all, test_rng_once_in(&actor->rng, 2) ? EVENT_REVERSE : 0,
				 0, &items, &count);
	}
	return actor->doomed;
}

static sop_status overwrite_many(struct actor *actor, void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 8 && actor->doomed == SOP_OK; i++) {
		const uint64_t key = test_rng_below(&actor->rng, READ_KEYS);

		if (test_rng_once_in(&actor->rng, 5))
			(void)actor_remove(actor, 0, key, 0);
		else
			(void)actor_put(actor, 0, key,
					actor_value(actor, 8 + test_rng_below(&actor->rng, 150)));
	}
	return actor->doomed;
}

static void stay_turn(struct actor *actor, void *arg)
{
	(void)arg;
	if (actor->index % 2 == 0)
		(void)actor_perform(actor, ACTOR_BY_RENEW, ACTOR_WRITE, overwrite_many, NULL);
	else if (test_rng_once_in(&actor->rng, 30)) /* few, since each is long */
		(void)actor_perform(actor, ACTOR_BY_RENEW, ACTOR_READ, look_long, NULL);
}

struct verdict workload_long_readers(uint64_t transactions)
{
	const struct world_options options = { .threads = 8, .stores = 1 };
	const struct workload_plan plan = { 2 * transactions, stay_turn, NULL };
	struct world world;

	world_open(&world, &options);
	return workload_run(&world, &plan);
}
