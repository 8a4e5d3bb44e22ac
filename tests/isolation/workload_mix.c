/* Everything at once: three kinds of stores, all operations, savepoints, deadlines that are
 * missed, somebody who cancels. */
#include "isolation/workloads.h"

#define THREADS 16 /* the last of them cancels */
#define KEYS 64
#define OPS_MAX 8

enum { PLAIN, INTEGERS, EQUALS, STORES };

struct mix {
	_Atomic size_t working; /* threads that have not finished */
	uint64_t turns;
};

static sop_bytes value_for(struct actor *actor, size_t store)
{
	return store == INTEGERS ? actor_value(actor, 8) : actor_any_value(actor);
}

static void read_some(struct actor *actor, size_t store, uint64_t key)
{
	const struct key_range range = range_of(key, key + 1 + test_rng_below(&actor->rng, 16));
	const uint64_t keys[3] = { key, (key * 7 + 3) % KEYS, key };
	struct item_seen seen[3];
	const struct item_seen *items = NULL;
	size_t count = 0;
	uint64_t number = 0;

	switch (test_rng_below(&actor->rng, 10)) {
	case 0:
	case 1:
	case 2:
	case 3:
		(void)actor_get(actor, store, key, 0, NULL);
		break;
	case 4:
		(void)actor_scan(actor, store, &range, 0, test_rng_below(&actor->rng, 5), &items, &count);
		break;
	case 5:
		(void)actor_scan(actor, store, &range, EVENT_REVERSE, 0, &items, &count);
		break;
	case 6:
		(void)actor_scan(actor, store, &range, EVENT_KEYS, 0, &items, &count);
		break;
	case 7:
		(void)actor_count(actor, store, &range, &number);
		break;
	case 8:
		(void)actor_count(actor, store, NULL, &number);
		break;
	default:
		if (store != EQUALS)
			(void)actor_get_many(actor, store, keys, 3, seen);
	}
}

static void write_some(struct actor *actor, size_t store, uint64_t key)
{
	const struct key_range range = range_of(key, key + 1 + test_rng_below(&actor->rng, 4));
	const uint64_t dice = test_rng_below(&actor->rng, 16);
	uint64_t number = 0;

	if (store == INTEGERS && dice < 6)
		(void)actor_arithmetic(actor,
				       dice < 4	   ? EVENT_ADD
				       : dice == 4 ? EVENT_MIN
						   : EVENT_MAX,
				       store, key, (int64_t)test_rng_below(&actor->rng, 100) - 50);
	else if (dice < 5)
		(void)actor_insert(actor, store, key, value_for(actor, store), NULL);
	else if (dice < 8 && store != EQUALS)
		(void)actor_put(actor, store, key, value_for(actor, store));
	else if (dice < 11)
		(void)actor_update(actor, store, key, 0, value_for(actor, store));
	else if (dice < 14 || actor->mode == SOP_NOCHECK)
		(void)actor_remove(actor, store, key, 0);
	else
		(void)actor_remove_range(actor, store, &range, &number);
}

static sop_status do_anything(struct actor *actor, void *arg)
{
	const uint64_t ops = 1 + test_rng_below(&actor->rng, OPS_MAX);
	uint64_t savepoint = 0;
	bool saved = false;

	(void)arg;
	for (uint64_t i = 0; i < ops && actor->doomed == SOP_OK; i++) {
		const size_t store = test_rng_below(&actor->rng, STORES);
		const uint64_t key = test_rng_below(&actor->rng, KEYS);

		if (actor->mode == SOP_READ || test_rng_once_in(&actor->rng, 2))
			read_some(actor, store, key);
		else
			write_some(actor, store, key);
		if (actor->mode != SOP_READ && test_rng_once_in(&actor->rng, 6))
			saved = actor_savepoint(actor, &savepoint) == SOP_OK;
		else if (saved && test_rng_once_in(&actor->rng, 4))
			(void)actor_rollback_to(actor, savepoint);
	}
	if (actor->kind == ACTOR_HURRIED && test_rng_once_in(&actor->rng, 4))
		test_sleep_us((unsigned)test_rng_below(&actor->rng, 4000)); /* the deadline is 2 ms */
	return test_rng_once_in(&actor->rng, 20) ? ACTOR_ROLLBACK : actor->doomed;
}

static void mix_turn(struct actor *actor)
{
	static const enum actor_kind kinds[] = { ACTOR_WRITE, ACTOR_WRITE,   ACTOR_WRITE,
						 ACTOR_WRITE, ACTOR_WRITE,   ACTOR_READ,
						 ACTOR_READ,  ACTOR_NOCHECK, ACTOR_HURRIED };
	const enum actor_kind kind = kinds[test_rng_below(&actor->rng, sizeof kinds / sizeof kinds[0])];

	(void)actor_perform(actor, workload_any_how(actor), kind, do_anything, NULL);
}

/* Cancels whatever others have open, as long as they work. */
static void cancel_others(struct actor *actor, struct mix *mix)
{
	while (atomic_load(&mix->working) != 0 && test_failures() == 0) {
		struct actor *other = &actor->world->actors[test_rng_below(&actor->rng, THREADS - 1)];
		sop_txn *txn = atomic_load(&other->handles[test_rng_below(&actor->rng, ACTOR_KINDS)]);
		sop_status status = SOP_OK;

		if (txn != NULL)
			status = sop_txn_cancel(txn, &actor->err);
		if (status != SOP_OK && status != SOP_MISUSE) /* MISUSE: it has ended */
			test_note_failure("cancel: %s: %s", sop_status_name(status), actor->err.message);
		test_sleep_us(20 + (unsigned)test_rng_below(&actor->rng, 100));
	}
}

static void work(struct actor *actor, void *arg)
{
	struct mix *mix = arg;

	if (actor->index == THREADS - 1) {
		cancel_others(actor, mix);
		return;
	}
	for (uint64_t i = 0; i < mix->turns && test_failures() == 0; i++) {
		mix_turn(actor);
		workload_read_alone(actor);
		world_maintain(actor);
	}
	atomic_fetch_sub(&mix->working, 1);
}

struct verdict workload_mix(uint64_t transactions)
{
	const struct world_options options = { .threads = THREADS,
					       .stores = STORES,
					       .duplicates = 1u << EQUALS,
					       .key_padding_max = 60,
					       .yield_once_in = 6,
					       .cancels = true };
	struct mix mix;
	struct world world;
	struct verdict verdict;

	world_open(&world, &options);
	mix.turns = transactions / world_parts(&world) / (THREADS - 1) + 1;
	for (uint64_t part = 0; part < world_parts(&world); part++) {
		if (part != 0)
			world_reopen(&world);
		atomic_init(&mix.working, THREADS - 1);
		world_run(&world, work, &mix);
	}
	verdict = world_judge(&world);
	world_close(&world);
	return verdict;
}
