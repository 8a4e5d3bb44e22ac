/* Every way in which a power cut may leave the disk: the database opens, and shows the state after some of its commits,
 * among them all that were durable. */
#include "crash/world.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static size_t states_in_all;
static size_t deep_in_all;

static void must_hold(const struct run *run)
{
	struct world *world = world_run(run);

	states_in_all += world->states;
	deep_in_all += world->deep;
	if (world->broken) {
		test_print_replay();
		fail_msg("run %llu, config %zu, fault %lld: %s", (unsigned long long)run->seed,
			 run->config, (long long)run->kill_after, world->words);
	}
	free(world);
}

static void every_crash_leaves_a_prefix(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < test_scaled(24); seed++)
		must_hold(&(struct run){ .seed = seed,
					 .config = seed % WORLD_CONFIGS,
					 .steps = 20 + seed % 5 * 20,
					 .states = 400,
					 .kill_after = -1 });
}

static void commits_in_the_middle_of_checkpoints_are_kept(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < test_scaled(8); seed++)
		must_hold(&(struct run){ .seed = 5000 + seed,
					 .config = 3 + seed % 2,
					 .steps = 40,
					 .states = 400,
					 .kill_after = -1,
					 .crowded = true });
}

static void crashes_in_recovery_are_recovered_from(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < test_scaled(6); seed++)
		must_hold(&(struct run){ .seed = 10000 + seed,
					 .config = seed % WORLD_CONFIGS,
					 .steps = 20 + seed % 3 * 20,
					 .states = 50,
					 .nest_every = 4,
					 .nest_levels = 3,
					 .kill_after = -1 });
}

/* As where the log is longer than the cache allows. */
static void crashes_in_checkpoints_of_recovery_are_recovered_from(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < test_scaled(6); seed++)
		must_hold(&(struct run){ .seed = 50000 + seed,
					 .config = 3 + seed % 2,
					 .steps = 20 + seed % 3 * 20,
					 .states = 50,
					 .nest_every = 4,
					 .nest_levels = 2,
					 .replay_each = 1 + (uint32_t)seed % 3,
					 .kill_after = -1 });
}

static void a_process_that_is_killed_loses_nothing_written(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < test_scaled(40); seed++)
		must_hold(&(struct run){ .seed = 20000 + seed % 10,
					 .config = seed % WORLD_CONFIGS,
					 .steps = 12,
					 .states = 60,
					 .kill_after = (int64_t)(seed * 7) });
}

/* After a failed write or sync the page cache shows what the disk does not hold. */
static void failed_writes_and_syncs_lose_nothing_durable(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < test_scaled(40); seed++)
		must_hold(&(struct run){ .seed = 30000 + seed % 10,
					 .config = seed % WORLD_CONFIGS,
					 .steps = 12,
					 .states = 60,
					 .faulty = SOPI_SIM_WRITE | SOPI_SIM_ANY_SYNC,
					 .kill_after = (int64_t)(seed * 3) });
}

/* The cache goes on showing names that no later sync makes durable. */
static void failed_syncs_of_folders_lose_nothing_durable(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < test_scaled(40); seed++)
		must_hold(&(struct run){ .seed = 40000 + seed % 10,
					 .config = seed % WORLD_CONFIGS,
					 .steps = 20,
					 .states = 60,
					 .faulty = SOPI_SIM_SYNC_FOLDER,
					 .kill_after = (int64_t)(seed % 50) });
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_crash_leaves_a_prefix),
		cmocka_unit_test(commits_in_the_middle_of_checkpoints_are_kept),
		cmocka_unit_test(crashes_in_recovery_are_recovered_from),
		cmocka_unit_test(crashes_in_checkpoints_of_recovery_are_recovered_from),
		cmocka_unit_test(a_process_that_is_killed_loses_nothing_written),
		cmocka_unit_test(failed_writes_and_syncs_lose_nothing_durable),
		cmocka_unit_test(failed_syncs_of_folders_lose_nothing_durable),
	};
	int failed;

	test_begin(argc, argv);
	(void)mallopt(M_TRIM_THRESHOLD, 512 << 20); /* a state frees megabytes, and the next one takes them again */
	(void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
	failed = cmocka_run_group_tests_name("crash", tests, NULL, NULL);
	(void)fprintf(stderr, "%zu crash states were visited, %zu of them in recovery\n",
		      states_in_all, deep_in_all);
	base_schema_free();
	return failed;
}
