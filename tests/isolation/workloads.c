/* What all workloads share: running turns in threads, and judging. */
#include "isolation/workloads.h"

#include <stdio.h>

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
	const uint64_t scaled = test_scaled(transactions);
	const int64_t begin_ns = test_now_ns();
	struct verdict verdict;

	test_forget_failures();
	verdict = run(scaled);
	printf("  %.1f s\n", (double)(test_now_ns() - begin_ns) / 1e9);
	TEST_NO_FAILURES();
	assert_int_equal(verdict.anomalies, 0);
	assert_true(verdict.transactions >= scaled);
}
