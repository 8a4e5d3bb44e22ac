/* Bank: accounts with balances; money and accounts move, the sum stays. Hot keys: the smallest
 * case of a lost update. */
#include "isolation/workloads.h"

#define THREADS 16
#define PLACES 48 /* keys; half of them hold an account */
#define ACCOUNTS 24
#define BALANCE 100
#define HOT_KEYS 2

static uint64_t balance_of(const struct item_seen *item)
{
	return item->value.head;
}

static void set_balance(struct actor *actor, uint64_t key, uint64_t balance)
{
	uint8_t room[8];

	(void)actor_update(actor, 0, key, 0, test_value_u64(room, balance));
}

/* Adds up all accounts; a sum that is wrong is a failure wherever it is seen. */
static void check_sum(struct actor *actor, unsigned flags, const struct item_seen **items, size_t *count)
{
	const struct key_range all = range_all();
	uint64_t sum = 0;

	if (actor_scan(actor, 0, &all, flags, 0, items, count) != SOP_OK)
		return;
	for (size_t i = 0; i < *count; i++)
		sum += balance_of(&(*items)[i]);
	if (sum != ACCOUNTS * BALANCE)
		test_note_failure("bank: %zu accounts hold %llu, should be %d", *count,
				  (unsigned long long)sum, ACCOUNTS * BALANCE);
}

static unsigned any_direction(struct actor *actor)
{
	return test_rng_once_in(&actor->rng, 2) ? EVENT_REVERSE : 0;
}

static sop_status audit(struct actor *actor, void *arg)
{
	const struct item_seen *items = NULL;
	size_t count = 0;

	(void)arg;
	check_sum(actor, any_direction(actor), &items, &count);
	return actor->doomed;
}

/* Moves the account at `from` to the free place `to`. */
static void move_account(struct actor *actor, uint64_t from, uint64_t to, uint64_t balance)
{
	uint8_t room[8];

	(void)actor_remove(actor, 0, from, 0);
	(void)actor_insert(actor, 0, to, test_value_u64(room, balance), NULL);
}

static sop_status transfer(struct actor *actor, void *arg)
{
	const uint64_t from = test_rng_below(&actor->rng, PLACES);
	const uint64_t to = (from + 1 + test_rng_below(&actor->rng, PLACES - 1)) % PLACES;
	struct item_seen giver;
	struct item_seen taker;
	uint64_t amount = 0;

	(void)arg;
	if (actor_get(actor, 0, from, 0, &giver) != SOP_OK)
		return actor->doomed;
	if (actor_get(actor, 0, to, 0, &taker) == SOP_NOT_FOUND) {
		move_account(actor, from, to, balance_of(&giver));
		return actor->doomed;
	}
	if (actor->doomed != SOP_OK)
		return actor->doomed;
	amount = test_rng_below(&actor->rng, balance_of(&giver) + 1);
	set_balance(actor, from, balance_of(&giver) - amount);
	set_balance(actor, to, balance_of(&taker) + amount);
	return actor->doomed;
}

/* Looks at all accounts, evens out the first and the last, and looks again. */
static sop_status audit_and_even_out(struct actor *actor, void *arg)
{
	const struct item_seen *items = NULL;
	size_t count = 0;
	struct item_seen first;
	struct item_seen last;
	uint64_t sum = 0;

	(void)arg;
	check_sum(actor, any_direction(actor), &items, &count);
	if (actor->doomed != SOP_OK || count < 2)
		return actor->doomed;
	first = items[0];
	last = items[count - 1];
	sum = balance_of(&first) + balance_of(&last);
	set_balance(actor, first.key, sum / 2);
	set_balance(actor, last.key, sum - sum / 2);
	check_sum(actor, any_direction(actor), &items, &count);
	return actor->doomed;
}

static void take_turn(struct actor *actor, void *arg)
{
	const uint64_t dice = test_rng_below(&actor->rng, 10);

	(void)arg;
	if (dice < 3)
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_READ, audit, NULL);
	else
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_WRITE,
				    dice == 3 ? audit_and_even_out : transfer, NULL);
}

static sop_status open_accounts(struct actor *actor, void *arg)
{
	uint8_t room[8];

	(void)arg;
	for (uint64_t i = 0; i < ACCOUNTS; i++)
		(void)actor_insert(actor, 0, 2 * i, test_value_u64(room, BALANCE), NULL);
	return actor->doomed;
}

struct verdict workload_bank(uint64_t transactions)
{
	const struct world_options options = {
		.threads = THREADS, .stores = 1, .key_padding_max = 100, .yield_once_in = 6
	};
	const struct workload_plan plan = { transactions, take_turn, NULL };
	struct world world;

	world_open(&world, &options);
	(void)actor_perform(world_main_actor(&world), ACTOR_BY_RENEW, ACTOR_WRITE, open_accounts, NULL);
	return workload_run(&world, &plan);
}

/* ---- hot keys -------------------------------------------------------------------------------- */

static sop_status raise(struct actor *actor, void *arg)
{
	const uint64_t key = test_rng_below(&actor->rng, HOT_KEYS);
	struct item_seen seen;
	uint8_t room[8];
	const sop_status status = actor_get(actor, 0, key, 0, &seen);

	(void)arg;
	if (actor->doomed != SOP_OK)
		return actor->doomed;
	return actor_put(actor, 0, key,
			 test_value_u64(room, status == SOP_OK ? seen.value.head + 1 : 1));
}

static void raise_by_turns(struct actor *actor, void *arg)
{
	(void)arg;
	(void)actor_perform(actor, ACTOR_BY_RENEW, ACTOR_WRITE, raise, NULL);
}

struct verdict workload_hot_keys(uint64_t transactions)
{
	const struct world_options options = { .threads = 8, .stores = 1 };
	const struct workload_plan plan = { transactions, raise_by_turns, NULL };
	struct world world;

	world_open(&world, &options);
	return workload_run(&world, &plan);
}
