/* Counts that decide what is done, and integers that are changed without being read. */
#include "isolation/workloads.h"

#define COUNT_MAX 10
#define COUNT_KEYS 40
#define COUNTERS 6

/* ---- counts ---------------------------------------------------------------------------------- */

/* Removes the first item behind a random key, going round. */
static void remove_some(struct actor *actor)
{
	struct key_range range = range_all();
	const struct item_seen *items = NULL;
	size_t count = 0;

	range.has_from = true;
	range.from = test_rng_below(&actor->rng, COUNT_KEYS);
	if (actor_scan(actor, 0, &range, EVENT_KEYS, 1, &items, &count) != SOP_OK)
		return;
	if (count == 0) {
		range.has_from = false;
		if (actor_scan(actor, 0, &range, EVENT_KEYS, 1, &items, &count) != SOP_OK || count == 0)
			return;
	}
	(void)actor_remove(actor, 0, items[0].key, 0);
}

/* The rule: never more than COUNT_MAX. */
static sop_status insert_if_few(struct actor *actor, void *arg)
{
	uint64_t count = 0;
	uint64_t again = 0;

	(void)arg;
	if (actor_count(actor, 0, NULL, &count) != SOP_OK)
		return actor->doomed;
	if (count > COUNT_MAX)
		test_note_failure("the count is %llu", (unsigned long long)count);
	if (count < COUNT_MAX)
		(void)actor_insert(actor, 0, test_rng_below(&actor->rng, COUNT_KEYS),
				   actor_any_value(actor), NULL);
	else
		remove_some(actor);
	if (test_rng_once_in(&actor->rng, 3))
		(void)actor_count(actor, 0, NULL, &again);
	return actor->doomed;
}

/* Blind puts and removals first, then the count: it depends on whether the keys were there. */
static sop_status count_after_writing(struct actor *actor, void *arg)
{
	uint64_t count = 0;
	const struct key_range range = range_of(0, COUNT_KEYS / 2);

	(void)arg;
	(void)actor_put(actor, 0, test_rng_below(&actor->rng, COUNT_KEYS), actor_any_value(actor));
	if (actor_count(actor, 0, test_rng_once_in(&actor->rng, 2) ? &range : NULL, &count) != SOP_OK)
		return actor->doomed;
	while (count > COUNT_MAX / 2 && actor->doomed == SOP_OK) {
		remove_some(actor);
		count--;
	}
	(void)actor_count(actor, 0, NULL, &count);
	while (count > COUNT_MAX && actor->doomed == SOP_OK) {
		remove_some(actor);
		count--;
	}
	return actor->doomed;
}

static void count_turn(struct actor *actor, void *arg)
{
	(void)arg;
	(void)actor_perform(actor, workload_any_how(actor), ACTOR_WRITE,
			    test_rng_once_in(&actor->rng, 4) ? count_after_writing : insert_if_few,
			    NULL);
}

struct verdict workload_counts(uint64_t transactions)
{
	const struct world_options options = {
		.threads = 12, .stores = 1, .key_padding_max = 20, .yield_once_in = 2
	};
	const struct workload_plan plan = { transactions, count_turn, NULL };
	struct world world;

	world_open(&world, &options);
	return workload_run(&world, &plan);
}

/* ---- integers -------------------------------------------------------------------------------- */

static void change_integer(struct actor *actor)
{
	static const enum event_kind kinds[] = { EVENT_ADD, EVENT_ADD, EVENT_ADD, EVENT_MIN, EVENT_MAX };
	const uint64_t key = test_rng_below(&actor->rng, COUNTERS);
	const int64_t by = (int64_t)test_rng_below(&actor->rng, 2001) - 1000;

	(void)actor_arithmetic(actor, kinds[test_rng_below(&actor->rng, 5)], 0, key, by);
}

static sop_status change_integers(struct actor *actor, void *arg)
{
	const uint64_t ops = 1 + test_rng_below(&actor->rng, 4);
	uint8_t room[8];

	(void)arg;
	for (uint64_t i = 0; i < ops && actor->doomed == SOP_OK; i++) {
		const uint64_t key = test_rng_below(&actor->rng, COUNTERS);

		switch (test_rng_below(&actor->rng, 8)) {
		case 0:
			(void)actor_get(actor, 0, key, 0, NULL);
			break;
		case 1:
			(void)actor_put(actor, 0, key,
					test_value_u64(room, test_rng_next(&actor->rng) >> 40));
			break;
		case 2:
			(void)actor_remove(actor, 0, key, 0);
			break;
		default:
			change_integer(actor);
		}
	}
	return actor->doomed;
}

static sop_status look_at_integers(struct actor *actor, void *arg)
{
	const struct key_range all = range_all();
	const struct item_seen *items = NULL;
	size_t count = 0;

	(void)arg;
	return actor_scan(actor, 0, &all, 0, 0, &items, &count);
}

static void integer_turn(struct actor *actor, void *arg)
{
	(void)arg;
	if (test_rng_once_in(&actor->rng, 6))
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_READ, look_at_integers, NULL);
	else
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_WRITE, change_integers, NULL);
}

struct verdict workload_counters(uint64_t transactions)
{
	const struct world_options options = { .threads = 16, .stores = 1, .yield_once_in = 3 };
	const struct workload_plan plan = { transactions, integer_turn, NULL };
	struct world world;

	world_open(&world, &options);
	return workload_run(&world, &plan);
}

/* ---- additions ------------------------------------------------------------------------------- */

static sop_status add_to_all(struct actor *actor, void *arg)
{
	(void)arg;
	for (uint64_t key = 0; key < COUNTERS && actor->doomed == SOP_OK; key++)
		(void)actor_arithmetic(actor, EVENT_ADD, 0, key, (int64_t)key - 2);
	return actor->doomed;
}

static void addition_turn(struct actor *actor, void *arg)
{
	(void)arg;
	(void)actor_perform(actor, workload_any_how(actor), ACTOR_WRITE, add_to_all, NULL);
}

struct verdict workload_additions(uint64_t transactions)
{
	const struct world_options options = { .threads = 16, .stores = 1, .yield_once_in = 3 };
	const struct workload_plan plan = { transactions, addition_turn, NULL };
	struct world world;
	struct verdict verdict;

	world_open(&world, &options);
	workload_run_plan(&world, &plan);
	if (atomic_load(&world.conflicts) != 0)
		test_note_failure("additions conflicted %llu times",
				  (unsigned long long)atomic_load(&world.conflicts));
	verdict = world_judge(&world);
	world_close(&world);
	return verdict;
}
