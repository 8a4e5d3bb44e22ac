/* What all workloads share: running turns in threads, and judging. */
#include "isolation/workloads.h"

#include <stdio.h>

#define READ_ALONE_ONCE_IN 8
#define READ_ALONE_KEYS 50
#define STANDSTILL_MAX_NS 5000000000 /* some transaction is always answered; usual are 20 ms */
#define ROUND_TRANSACTIONS 20000 /* then a new world of the next seed */

static void add_verdict(struct verdict *total, const struct verdict *verdict)
{
	total->transactions += verdict->transactions;
	total->committed += verdict->committed;
	total->conflicts += verdict->conflicts;
	total->timeouts += verdict->timeouts;
	total->cancellations += verdict->cancellations;
	total->answers += verdict->answers;
	if (verdict->standstill_ns > total->standstill_ns)
		total->standstill_ns = verdict->standstill_ns;
	total->anomalies += verdict->anomalies;
}

static void print_verdict(const struct verdict *verdict, int64_t time_ns)
{
	printf("  %llu transactions checked, %llu anomalies, %.1f s: %llu wrote, %llu conflicted, %llu late, "
	       "%llu cancelled; %llu answers; longest standstill %.1f ms\n",
	       (unsigned long long)verdict->transactions, (unsigned long long)verdict->anomalies,
	       (double)time_ns / 1e9, (unsigned long long)verdict->committed,
	       (unsigned long long)verdict->conflicts, (unsigned long long)verdict->timeouts,
	       (unsigned long long)verdict->cancellations, (unsigned long long)verdict->answers,
	       (double)verdict->standstill_ns / 1e6);
}

void workload_read_alone(struct actor *actor)
{
	if (test_rng_once_in(&actor->rng, READ_ALONE_ONCE_IN))
		actor_read_alone(actor, test_rng_below(&actor->rng, actor->world->options.stores),
				 test_rng_below(&actor->rng, READ_ALONE_KEYS));
}

static void take_turns(struct actor *actor, void *arg)
{
	const struct workload_plan *plan = arg;
	const uint64_t turns = plan->transactions / actor->world->options.threads + 1;

	for (uint64_t i = 0; i < turns && test_failures() == 0 && !atomic_load(&actor_gives_up); i++) {
		plan->turn(actor, plan->arg);
		workload_read_alone(actor);
		world_maintain(actor);
	}
}

void workload_run_plan(struct world *world, const struct workload_plan *plan)
{
	const uint64_t parts = world_parts(world);
	struct workload_plan part = *plan;

	part.transactions = plan->transactions / parts;
	for (uint64_t i = 0; i < parts; i++) {
		if (i != 0)
			world_reopen(world);
		world_run(world, take_turns, &part);
	}
}

struct verdict workload_run(struct world *world, const struct workload_plan *plan)
{
	struct verdict verdict;

	workload_run_plan(world, plan);
	verdict = world_judge(world);
	world_close(world);
	return verdict;
}

enum actor_how workload_any_how(struct actor *actor)
{
	return (enum actor_how)test_rng_below(&actor->rng, ACTOR_HOWS);
}

void workload_must_pass_on_disk(workload run, uint64_t transactions)
{
	world_settle_on_disk(true);
	workload_must_pass(run, transactions);
	world_settle_on_disk(false);
}

void workload_must_pass(workload run, uint64_t transactions)
{
	const uint64_t wanted = test_scaled(transactions);
	const uint64_t first_seed = test_seed();
	const int64_t begin_ns = test_now_ns();
	struct verdict total = { .anomalies = 0 };

	test_forget_failures();
	for (uint64_t round = 0; total.transactions < wanted && test_failures() == 0; round++) {
		const uint64_t left = wanted - total.transactions;
		struct verdict verdict;

		test_set_seed(first_seed + round);
		verdict = run(left < ROUND_TRANSACTIONS ? left : ROUND_TRANSACTIONS);
		add_verdict(&total, &verdict);
	}
	print_verdict(&total, test_now_ns() - begin_ns);
	TEST_NO_FAILURES();
	assert_true(total.standstill_ns < STANDSTILL_MAX_NS);
	assert_int_equal(total.anomalies, 0);
	test_set_seed(first_seed);
}
