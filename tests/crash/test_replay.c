/* The schedules of the executable specification, repeated by the engine; and proof that a difference would be seen. */
#include "crash/child.h"
#include "crash/replay.h"

#include "base/plant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEEDS = 12 };
#else
enum { SEEDS = 50 }; /* each has a schedule of every theme */
#endif

enum {
	SCHEDULE_BYTES = 1 << 18,
};

static struct replay_counts counts;

/* The schedules of some seeds, as tests/models/engine.py prints them. */
struct schedules {
	uint64_t start, seeds;
};

static FILE *open_schedules(const struct schedules *which)
{
	char command[400];
	FILE *lines;

	(void)snprintf(command, sizeof command,
		       "exec python3 -B '%s/../models/engine.py' --schedules --start %llu --seeds %llu",
		       SOP_TEST_DATA_DIR, (unsigned long long)which->start,
		       (unsigned long long)which->seeds);
	lines = popen(command, "r");
	assert_non_null(lines);
	return lines;
}

/* Reads up to the end of a schedule. False: there is none. */
static bool read_schedule(FILE *lines, char *text)
{
	size_t used = 0;

	while (used + 2 < SCHEDULE_BYTES &&
	       fgets(text + used, (int)(SCHEDULE_BYTES - used), lines) != NULL) {
		if (strcmp(text + used, "end\n") == 0)
			return true;
		used += strlen(text + used);
	}
	return false;
}

/* Repeats them up to the first that does not go as it should. */
static bool repeat(void *arg, char words[WORDS])
{
	const struct schedules *which = arg;
	FILE *lines = open_schedules(which);
	char *text = test_alloc(SCHEDULE_BYTES);
	char name[40], what[WORDS];
	size_t done = 0;
	bool well = true;

	while (well && read_schedule(lines, text)) {
		(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(text, "\n"), text);
		well = replay_schedule(text, &counts, what);
		if (!well)
			(void)snprintf(words, WORDS, "%s, %.340s", name, what);
		done++;
	}
	free(text);
	if (pclose(lines) != 0 && well) {
		well = false;
		(void)snprintf(words, WORDS, "tests/models/engine.py failed after %zu schedules", done);
	}
	return well;
}

static void schedules_leave_what_the_specification_permits(void **state)
{
	struct schedules which = { test_seed(), test_scaled(SEEDS) };
	char words[WORDS];

	(void)state;
	if (!repeat(&which, words)) {
		test_print_replay();
		fail_msg("%s; python3 tests/models/engine.py --schedules --start N --seeds 1 prints those of seed N",
			 words);
	}
	assert_true(counts.schedules >= which.seeds);
	(void)fprintf(stderr,
		      "%zu schedules, %zu lines, %zu commits, %zu parts, %zu crashes, %zu states after them, "
		      "%zu schedules ended early\n",
		      counts.schedules, counts.lines, counts.commits, counts.parts, counts.crashes,
		      counts.states, counts.parted);
}

/* Bugs, and seeds whose schedules are known to find them. After a change of the specification other seeds may: with more
 * of them in `where`, the first one is printed. */
static const struct planted {
	enum sopi_plant bug;
	struct schedules where;
} planted[] = {
	{ SOPI_PLANT_LOG_NO_FLUSH, { 1, 1 } },
	{ SOPI_PLANT_LOG_NO_FOLDER_SYNC, { 1, 1 } },
	{ SOPI_PLANT_LOG_NO_SUCCESSOR_FLUSH, { 2, 1 } },
	{ SOPI_PLANT_LOG_NO_TAIL_REWRITE, { 3, 1 } },
	{ SOPI_PLANT_LOG_NO_ORDER, { 23, 1 } },
	{ SOPI_PLANT_LOG_NO_DRAIN, { 275, 1 } },
	{ SOPI_PLANT_LOG_PARTS_RECYCLED, { 95, 1 } },
	{ SOPI_PLANT_LOG_PARTS_SKIPPED, { 12, 1 } },
	{ SOPI_PLANT_CHECKPOINT_NEWEST, { 2, 1 } },
	{ SOPI_PLANT_CHECKPOINT_NO_WAIT, { 7, 1 } },
	{ SOPI_PLANT_CHECKPOINT_TRIM_EARLY, { 12, 1 } },
	{ SOPI_PLANT_PACK_NO_SYNC, { 1, 1 } },
	{ SOPI_PLANT_NO_F3_FILE_SYNC, { 1, 1 } },
	{ SOPI_PLANT_NO_F4_FILE_SYNC, { 1, 1 } },
	{ SOPI_PLANT_NO_F4_FOLDER_SYNC, { 1, 1 } },
	{ SOPI_PLANT_NO_REPUBLISH, { 44, 1 } },
	{ SOPI_PLANT_OUTCOME_NO_SYNC, { 1, 1 } },
	{ SOPI_PLANT_NO_ABSENCE, { 2, 1 } },
	{ SOPI_PLANT_NO_COUNT, { 2, 1 } },
	{ SOPI_PLANT_NO_CATALOG, { 26, 1 } },
	{ SOPI_PLANT_VALIDATE_OUTSIDE_ONLY, { 14, 1 } },
};

static void planted_bugs_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
		struct schedules where = planted[i].where;
		char words[WORDS];

		if (!child_finds((int)planted[i].bug, repeat, &where, words))
			fail_msg("bug %d is not found by the schedules of seed %llu",
				 (int)planted[i].bug, (unsigned long long)where.start);
		(void)fprintf(stderr, "  found: %s\n", words);
		if (child_finds(SOPI_PLANT_NONE, repeat, &where, words))
			fail_msg("without the bug: %s", words);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schedules_leave_what_the_specification_permits),
		cmocka_unit_test(planted_bugs_are_found),
	};
	int failed;

	test_begin(argc, argv);
	failed = cmocka_run_group_tests_name("replay", tests, NULL, NULL);
	base_schema_free();
	return failed;
}
