/* Proof that the crash tests can fail: the engine leaves out one of its rules, and a run must show it; the same run
 * without the bug must hold. */
#include "crash/child.h"
#include "crash/world.h"

#include "base/plant.h"

#include <malloc.h>
#include <stdio.h>

static bool holds(void *arg, char words[WORDS])
{
	const struct world *world = world_run(arg);

	if (world->broken)
		(void)snprintf(words, WORDS, "%.*s", WORDS - 1, world->words);
	return !world->broken;
}

/* Runs of one kind, each with another seed, and another place of the fault, until one of them catches the bug. */
static void must_be_caught(enum sopi_plant bug, struct run run, size_t runs)
{
	const uint64_t from = run.seed;
	const int64_t place = run.kill_after;
	char words[WORDS];

	run.states = run.states == 0 ? 500 : run.states;
	for (size_t i = 0; i < runs; i++) {
		run.seed = from + i;
		run.kill_after = place < 0 ? -1 : place + (int64_t)(i % 40);
		if (!child_finds(bug, holds, &run, words))
			continue;
		(void)fprintf(stderr, "  caught in run %zu: %s\n", i, words);
		if (child_finds(SOPI_PLANT_NONE, holds, &run, words))
			fail_msg("without the bug: %s", words);
		return;
	}
	test_print_replay();
	fail_msg("bug %d was not caught in %zu runs", (int)bug, runs);
}

static const struct run plain = { .steps = 40, .kill_after = -1 };

/* Segments fill up and are recycled. */
static const struct run rolling = { .config = 4, .steps = 80, .kill_after = -1, .states = 1500 };

static void a_log_that_is_not_flushed_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_LOG_NO_FLUSH, plain, 4);
}

static void a_segment_whose_name_is_not_durable_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_LOG_NO_FOLDER_SYNC, plain, 10);
}

static void a_successor_that_is_not_flushed_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_LOG_NO_SUCCESSOR_FLUSH, rolling, 10);
}

static void a_tail_that_is_not_written_again_is_caught(void **state)
{
	struct run run = {
		.seed = 79, .steps = 20, .faulty = SOPI_SIM_WRITE | SOPI_SIM_ANY_SYNC, .kill_after = 10
	};

	(void)state;
	must_be_caught(SOPI_PLANT_LOG_NO_TAIL_REWRITE, run, 200);
}

static void packs_that_are_not_synced_are_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_PACK_NO_SYNC, plain, 4);
	must_be_caught(SOPI_PLANT_PACK_NO_FOLDER_SYNC, plain, 4);
	must_be_caught(SOPI_PLANT_PACK_NO_PARENT_SYNC, plain, 4);
}

static void a_registry_that_is_not_synced_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_NO_F3_FILE_SYNC, plain, 4);
	must_be_caught(SOPI_PLANT_NO_F3_FOLDER_SYNC, plain, 4);
}

static void a_manifest_that_is_not_synced_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_NO_F4_FILE_SYNC, plain, 10);
	must_be_caught(SOPI_PLANT_NO_F4_FOLDER_SYNC, plain, 10);
}

static void images_above_the_checkpoint_are_caught(void **state)
{
	struct run run = { .config = 3, .steps = 40, .kill_after = -1, .crowded = true };

	(void)state;
	must_be_caught(SOPI_PLANT_CHECKPOINT_NEWEST, run, 10);
}

static void a_checkpoint_that_is_not_durable_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_CHECKPOINT_NO_WAIT, plain, 10);
}

static void a_log_that_is_recycled_too_early_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_CHECKPOINT_TRIM_EARLY, rolling, 10);
}

static void a_manifest_that_is_not_written_again_is_caught(void **state)
{
	struct run run = { .steps = 20, .faulty = SOPI_SIM_SYNC_FOLDER, .kill_after = 0 };

	(void)state;
	must_be_caught(SOPI_PLANT_NO_REPUBLISH, run, 200);
}

static void outcomes_that_are_not_synced_are_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_OUTCOME_NO_SYNC, plain, 4);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_that_is_not_flushed_is_caught),
		cmocka_unit_test(a_segment_whose_name_is_not_durable_is_caught),
		cmocka_unit_test(a_successor_that_is_not_flushed_is_caught),
		cmocka_unit_test(a_tail_that_is_not_written_again_is_caught),
		cmocka_unit_test(packs_that_are_not_synced_are_caught),
		cmocka_unit_test(a_registry_that_is_not_synced_is_caught),
		cmocka_unit_test(a_manifest_that_is_not_synced_is_caught),
		cmocka_unit_test(images_above_the_checkpoint_are_caught),
		cmocka_unit_test(a_checkpoint_that_is_not_durable_is_caught),
		cmocka_unit_test(a_log_that_is_recycled_too_early_is_caught),
		cmocka_unit_test(a_manifest_that_is_not_written_again_is_caught),
		cmocka_unit_test(outcomes_that_are_not_synced_are_caught),
	};
	int failed;

	test_begin(argc, argv);
	(void)mallopt(M_TRIM_THRESHOLD, 512 << 20);
	(void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
	failed = cmocka_run_group_tests_name("crash_planted", tests, NULL, NULL);
	base_schema_free();
	return failed;
}
