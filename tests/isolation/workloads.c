/* What all workloads share: running turns in threads, and judging. */
#include "isolation/workloads.h"

#include <stdio.h>

#define ROUND_TRANSACTIONS 20000 /* then a new world of the next seed */

static void take_turns(struct actor *actor, void *arg)
{
	const struct workload_plan *plan = arg;
	const uint64_t turns = plan->transactions / actor->world->options.threads + 1;

	for (uint64_t i = 0; i < turns && test_failures() == 0; i++)
		plan->turn(actor, plan->arg);
}

void workload_run_plan(struct world *world, const struct workload_plan *plan)
{
	struct workload_plan copy = *plan;

	world_run(world, take_turns, &copy);
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

void workload_must_pass(workload run, uint64_t transactions)
{
	const uint64_t wanted = test_scaled(transactions);
	const uint64_t first_seed = test_seed();
	const int64_t begin_ns = test_now_ns();
	struct verdict total = { 0, 0, 0 };

	test_forget_failures();
	for (uint64_t round = 0; total.transactions < wanted && test_failures() == 0; round++) {
		const uint64_t left = wanted - total.transactions;
		struct verdict verdict;

		test_set_seed(first_seed + round);
		verdict = run(left < ROUND_TRANSACTIONS ? left : ROUND_TRANSACTIONS);
		total.transactions += verdict.transactions;
		total.committed += verdict.committed;
		total.anomalies += verdict.anomalies;
	}
	printf("  %llu transactions, %llu of them wrote, %llu anomalies, %.1f s\n",
	       (unsigned long long)total.transactions, (unsigned long long)total.committed,
	       (unsigned long long)total.anomalies, (double)(test_now_ns() - begin_ns) / 1e9);
	TEST_NO_FAILURES();
	assert_int_equal(total.anomalies, 0);
	test_set_seed(first_seed);
}
