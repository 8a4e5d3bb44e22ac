/* Catalog: stores come, go and change their names while transactions work in them. */
#include "isolation/workloads.h"

#define STORES 5
#define KEYS 24
#define OPS_MAX 4

static size_t any_store(struct actor *actor)
{
	return test_rng_below(&actor->rng, STORES);
}

static void use_store(struct actor *actor, size_t store)
{
	const uint64_t key = test_rng_below(&actor->rng, KEYS);
	const struct key_range range = range_of(key, key + 6);
	const struct item_seen *items = NULL;
	size_t count = 0;
	uint64_t number = 0;

	switch (test_rng_below(&actor->rng, 8)) {
	case 0:
		(void)actor_get(actor, store, key, 0, NULL);
		break;
	case 1:
		(void)actor_insert(actor, store, key, actor_any_value(actor), NULL);
		break;
	case 2:
		(void)actor_remove(actor, store, key, 0);
		break;
	case 3:
		(void)actor_scan(actor, store, &range, 0, 0, &items, &count);
		break;
	case 4:
		(void)actor_count(actor, store, NULL, &number);
		break;
	default: /* blind: nothing but the store itself is watched */
		(void)actor_put(actor, store, key, actor_any_value(actor));
	}
}

static sop_status use_stores(struct actor *actor, void *arg)
{
	const uint64_t ops = 1 + test_rng_below(&actor->rng, OPS_MAX);

	(void)arg;
	for (uint64_t i = 0; i < ops && actor->doomed == SOP_OK; i++)
		use_store(actor, any_store(actor));
	return actor->doomed;
}

static sop_status look_at_stores(struct actor *actor, void *arg)
{
	const struct key_range all = range_all();
	const struct item_seen *items = NULL;
	size_t count = 0;
	uint64_t names = 0;

	(void)arg;
	if (actor_list(actor, &names) != SOP_OK)
		return actor->doomed;
	for (size_t i = 0; i < STORES; i++) {
		if ((names >> i & 1) != 0)
			(void)actor_scan(actor, i, &all, 0, 0, &items, &count);
	}
	return actor->doomed;
}

static void rename_store(struct actor *actor)
{
	const size_t from = any_store(actor);

	(void)actor_rename(actor, from, (from + 1 + test_rng_below(&actor->rng, STORES - 1)) % STORES);
}

/* One change of the catalog, and often some use of what it made. */
static void change_stores(struct actor *actor)
{
	const size_t store = any_store(actor);
	uint64_t savepoint = 0;
	uint64_t names = 0;

	switch (test_rng_below(&actor->rng, 6)) {
	case 0:
	case 1:
		(void)actor_create(actor, store);
		use_store(actor, store);
		break;
	case 2:
		(void)actor_drop(actor, store);
		break;
	case 3:
		rename_store(actor);
		break;
	case 4: /* a store that is emptied by dropping it */
		if (actor_drop(actor, store) == SOP_OK && actor_create(actor, store) == SOP_OK)
			use_store(actor, store);
		break;
	default: /* changes that are taken back */
		(void)actor_savepoint(actor, &savepoint);
		(void)actor_create(actor, store);
		(void)actor_drop(actor, any_store(actor));
		(void)actor_rollback_to(actor, savepoint);
		(void)actor_list(actor, &names);
	}
}

static sop_status change_catalog(struct actor *actor, void *arg)
{
	(void)arg;
	change_stores(actor);
	if (test_rng_once_in(&actor->rng, 3))
		change_stores(actor);
	return actor->doomed;
}

static void take_turn(struct actor *actor, void *arg)
{
	const uint64_t dice = test_rng_below(&actor->rng, 10);

	(void)arg;
	if (dice < 2)
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_READ, look_at_stores, NULL);
	else
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_WRITE,
				    dice < 5 ? change_catalog : use_stores, NULL);
}

struct verdict workload_catalog(uint64_t transactions)
{
	const struct world_options options = { .threads = 10,
					       .stores = STORES,
					       .stores_absent = true,
					       .key_padding_max = 20,
					       .yield_once_in = 3 };
	const struct workload_plan plan = { transactions, take_turn, NULL };
	struct world world;

	world_open(&world, &options);
	return workload_run(&world, &plan);
}
