/* Guards: an insertion that depends on what is not there, on how few there are, or on the store
 * being empty; and many that insert the same key. */
#include "isolation/workloads.h"

#define PAIRS 8
#define RANGES 4
#define RANGE_KEYS 12
#define RANGE_ITEMS_MAX 3
#define STORES 6
#define EMPTY_KEYS 16
#define WINDOW 4 /* keys that all threads want at a time */
#define INSERTIONS 3 /* in one transaction */

static sop_status nothing_if(sop_status status, const struct actor *actor)
{
	return actor->doomed != SOP_OK ? actor->doomed : status == SOP_EXISTS ? SOP_OK : status;
}

/* ---- mutual absence -------------------------------------------------------------------------- */

static uint64_t side_key(uint64_t pair, uint64_t side)
{
	return side * 1000 + pair; /* the two sides lie in different leaves */
}

/* The rule: not both of a pair. */
static sop_status take_a_side(struct actor *actor, void *arg)
{
	const uint64_t pair = test_rng_below(&actor->rng, PAIRS);
	const uint64_t side = test_rng_below(&actor->rng, 2);
	const sop_status status = actor_get(actor, 0, side_key(pair, 1 - side), 0, NULL);

	(void)arg;
	if (actor->doomed != SOP_OK)
		return actor->doomed;
	if (status == SOP_OK)
		return actor_remove(actor, 0, side_key(pair, 1 - side), 0);
	return nothing_if(actor_insert(actor, 0, side_key(pair, side), actor_any_value(actor), NULL),
			  actor);
}

static sop_status look_for_both(struct actor *actor, void *arg)
{
	(void)arg;
	for (uint64_t pair = 0; pair < PAIRS && actor->doomed == SOP_OK; pair++) {
		uint64_t keys[2] = { side_key(pair, 0), side_key(pair, 1) };
		struct item_seen seen[2];

		if (actor_get_many(actor, 0, keys, 2, seen) == SOP_OK && seen[0].version != 0 &&
		    seen[1].version != 0)
			test_note_failure("both sides of pair %llu are there", (unsigned long long)pair);
	}
	return actor->doomed;
}

static void absence_turn(struct actor *actor, void *arg)
{
	(void)arg;
	if (test_rng_once_in(&actor->rng, 8))
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_READ, look_for_both, NULL);
	else
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_WRITE, take_a_side, NULL);
}

struct verdict workload_mutual_absence(uint64_t transactions)
{
	const struct world_options options = { .threads = 12, .stores = 1, .yield_once_in = 2 };
	const struct workload_plan plan = { transactions, absence_turn, NULL };
	struct world world;

	world_open(&world, &options);
	return workload_run(&world, &plan);
}

/* ---- range guard ----------------------------------------------------------------------------- */

/* How many items are in `range`, found out in one of several ways. */
static sop_status count_range(struct actor *actor, const struct key_range *range, uint64_t *count)
{
	const struct item_seen *items = NULL;
	size_t seen = 0;
	sop_status status = SOP_OK;

	switch (test_rng_below(&actor->rng, 4)) {
	case 0:
		return actor_count(actor, 0, range, count);
	case 1:
		status = actor_scan(actor, 0, range, EVENT_KEYS, 0, &items, &seen);
		break;
	case 2:
		status = actor_scan(actor, 0, range, EVENT_REVERSE, 0, &items, &seen);
		break;
	default:
		status = actor_scan(actor, 0, range, 0, 0, &items, &seen);
	}
	*count = seen;
	return status;
}

static sop_status fill_range(struct actor *actor, void *arg)
{
	const uint64_t first = test_rng_below(&actor->rng, RANGES) * RANGE_KEYS;
	const struct key_range range = range_of(first, first + RANGE_KEYS);
	uint64_t count = 0;

	(void)arg;
	if (count_range(actor, &range, &count) != SOP_OK)
		return actor->doomed;
	if (count > RANGE_ITEMS_MAX)
		test_note_failure("a range holds %llu items", (unsigned long long)count);
	if (count < RANGE_ITEMS_MAX)
		return nothing_if(actor_insert(actor, 0, first + test_rng_below(&actor->rng, RANGE_KEYS),
					       actor_any_value(actor), NULL),
				  actor);
	return actor_remove_range(actor, 0, &range, &count);
}

static sop_status look_at_ranges(struct actor *actor, void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < RANGES && actor->doomed == SOP_OK; i++) {
		const struct key_range range = range_of(i * RANGE_KEYS, (i + 1) * RANGE_KEYS);
		uint64_t count = 0;

		if (count_range(actor, &range, &count) == SOP_OK && count > RANGE_ITEMS_MAX)
			test_note_failure("a range holds %llu items", (unsigned long long)count);
	}
	return actor->doomed;
}

static void range_turn(struct actor *actor, void *arg)
{
	(void)arg;
	if (test_rng_once_in(&actor->rng, 8))
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_READ, look_at_ranges, NULL);
	else
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_WRITE, fill_range, NULL);
}

struct verdict workload_range_guard(uint64_t transactions)
{
	const struct world_options options = {
		.threads = 16, .stores = 1, .key_padding_max = 20, .yield_once_in = 2
	};
	const struct workload_plan plan = { transactions, range_turn, NULL };
	struct world world;

	world_open(&world, &options);
	return workload_run(&world, &plan);
}

/* ---- first insert ---------------------------------------------------------------------------- */

/* Looks whether the store is empty, in one of several ways; `key` receives the first or last
 * key. */
static sop_status look_at_first(struct actor *actor, size_t store, bool *empty, uint64_t *key)
{
	const struct key_range all = range_all();
	const unsigned flags = test_rng_once_in(&actor->rng, 2) ? EVENT_REVERSE : 0;
	const struct item_seen *items = NULL;
	size_t count = 0;
	uint64_t total = 0;

	if (test_rng_once_in(&actor->rng, 4)) {
		const sop_status status = actor_count(actor, store, NULL, &total);

		*empty = total == 0;
		return status;
	}
	if (actor_scan(actor, store, &all, flags, 1, &items, &count) != SOP_OK)
		return actor->doomed;
	*empty = count == 0;
	if (count != 0)
		*key = items[0].key;
	return SOP_OK;
}

/* Only an empty store gets an item, so there is never more than one. */
static sop_status be_first(struct actor *actor, void *arg)
{
	const size_t store = test_rng_below(&actor->rng, STORES);
	const struct key_range all = range_all();
	bool empty = false;
	uint64_t key = 0;
	uint64_t removed = 0;

	(void)arg;
	if (look_at_first(actor, store, &empty, &key) != SOP_OK)
		return actor->doomed;
	if (empty)
		return nothing_if(actor_insert(actor, store, test_rng_below(&actor->rng, EMPTY_KEYS),
					       actor_any_value(actor), NULL),
				  actor);
	if (actor_remove_range(actor, store, &all, &removed) == SOP_OK && removed != 1)
		test_note_failure("a store holds %llu items, should be 1", (unsigned long long)removed);
	return actor->doomed;
}

static void first_turn(struct actor *actor, void *arg)
{
	(void)arg;
	(void)actor_perform(actor, workload_any_how(actor), ACTOR_WRITE, be_first, NULL);
}

struct verdict workload_first_insert(uint64_t transactions)
{
	const struct world_options options = { .threads = 12, .stores = STORES, .yield_once_in = 2 };
	const struct workload_plan plan = { transactions, first_turn, NULL };
	struct world world;

	world_open(&world, &options);
	return workload_run(&world, &plan);
}

/* ---- unique key ------------------------------------------------------------------------------ */

struct race {
	_Atomic uint64_t front; /* the keys around it are those that all threads want */
	_Atomic uint64_t won;
};

struct race_turn {
	struct race *race;
	uint64_t inserted; /* by the attempt that committed */
};

static sop_status insert_near_front(struct actor *actor, void *arg)
{
	struct race_turn *turn = arg;
	const uint64_t front = atomic_load(&turn->race->front);

	turn->inserted = 0;
	for (uint64_t i = 0; i < INSERTIONS && actor->doomed == SOP_OK; i++) {
		const uint64_t key = front + test_rng_below(&actor->rng, WINDOW);

		if (actor_insert(actor, 0, key, actor_value(actor, 16), NULL) == SOP_OK)
			turn->inserted++;
		else if (actor->doomed == SOP_OK) /* somebody has it: it must be readable */
			(void)actor_get(actor, 0, key, 0, NULL);
	}
	return actor->doomed;
}

static void race_turn(struct actor *actor, void *arg)
{
	struct race_turn turn = { arg, 0 };

	if (actor_perform(actor, workload_any_how(actor), ACTOR_WRITE, insert_near_front, &turn) == SOP_OK)
		atomic_fetch_add(&turn.race->won, turn.inserted);
	if (test_rng_once_in(&actor->rng, 2))
		atomic_fetch_add(&turn.race->front, 1);
}

static sop_status count_winners(struct actor *actor, void *arg)
{
	struct race *race = arg;
	uint64_t count = 0;

	if (actor_count(actor, 0, NULL, &count) == SOP_OK && count != atomic_load(&race->won))
		test_note_failure("%llu insertions were answered OK, there are %llu keys",
				  (unsigned long long)atomic_load(&race->won),
				  (unsigned long long)count);
	return actor->doomed;
}

struct verdict workload_unique_key(uint64_t transactions)
{
	const struct world_options options = {
		.threads = 16, .stores = 1, .key_padding_max = 60, .yield_once_in = 2
	};
	struct race race = { 0, 0 };
	const struct workload_plan plan = { transactions, race_turn, &race };
	struct world world;
	struct verdict verdict;

	world_open(&world, &options);
	workload_run_plan(&world, &plan);
	(void)actor_perform(world_main_actor(&world), ACTOR_BY_RENEW, ACTOR_READ, count_winners, &race);
	verdict = world_judge(&world);
	world_close(&world);
	return verdict;
}
