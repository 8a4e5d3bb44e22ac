/* Proof that the harness can fail: the engine is told to leave out one of its rules, and the
 * workload directed at that rule must report an anomaly within a few rounds. Each round is a
 * process of its own, since a broken engine may crash as well. */
#define _POSIX_C_SOURCE 200809L

#include "isolation/workloads.h"

#include "transaction/plant.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 40
#define ROUND_SECONDS 2 /* then what was done so far is judged */
#define ROUND_SECONDS_MAX 4 /* then it hangs inside the engine */
#define EXIT_ANOMALY 3
#define EXIT_HUNG 4
#define FIRST_WORDS 300 /* of what a caught round says */

/* How a round ended. */
enum round_end { ROUND_CLEAN, ROUND_ANOMALY, ROUND_CRASH, ROUND_HUNG };

static volatile sig_atomic_t seconds;

/* A broken engine may keep a thread for ever. If another thread has noted a failure by then, the
 * bug is caught. */
static void each_second(int signal)
{
	(void)signal;
	if (test_failures() != 0)
		_exit(EXIT_ANOMALY);
	seconds = seconds + 1;
	if (seconds >= ROUND_SECONDS)
		atomic_store(&actor_gives_up, true);
	if (seconds >= ROUND_SECONDS_MAX)
		_exit(EXIT_HUNG);
	(void)alarm(1);
}

static void watch(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = each_second;
	action.sa_flags = SA_RESTART;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGALRM, &action, NULL);
	(void)alarm(1);
}

/* The child: the workload with the bug planted. Does not return. */
static void play(enum sopi_plant plant, workload run, uint64_t transactions, uint64_t seed, int output)
{
	(void)dup2(output, STDOUT_FILENO);
	(void)dup2(output, STDERR_FILENO);
	test_set_seed(seed);
	test_forget_failures();
	if (plant != SOPI_PLANT_NONE)
		watch();
	atomic_store(&sopi_planted, (int)plant);
	(void)run(transactions);
	(void)fflush(stdout);
	_exit(test_failures() != 0 ? EXIT_ANOMALY : 0);
}

/* Reads all that the child says; `words` receives where it first speaks of a failure. */
static void listen(int input, char words[FIRST_WORDS])
{
	char text[1 << 14];
	size_t size = 0;
	ssize_t got = 0;
	const char *failure = NULL;

	while ((got = read(input, text + size, sizeof text - 1 - size)) > 0) {
		size += (size_t)got;
		if (size > sizeof text / 2)
			size = sizeof text / 2; /* only the beginning matters */
	}
	text[size] = '\0';
	failure = strstr(text, "anomaly: ");
	if (failure == NULL)
		failure = strstr(text, "FAILURE: ");
	(void)snprintf(words, FIRST_WORDS, "%.*s", FIRST_WORDS - 1, failure != NULL ? failure : text);
	words[strcspn(words, "\n")] = '\0';
}

static enum round_end end_of(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return ROUND_CRASH;
	switch (WEXITSTATUS(wait_status)) {
	case 0:
		return ROUND_CLEAN;
	case EXIT_ANOMALY:
		return ROUND_ANOMALY;
	case EXIT_HUNG:
		return ROUND_HUNG;
	default:
		return ROUND_CRASH;
	}
}

static enum round_end play_round(enum sopi_plant plant, workload run, uint64_t transactions,
				 uint64_t seed, char words[FIRST_WORDS])
{
	char folder[TEST_PATH_BYTES];
	int ends[2];
	int wait_status = 0;
	pid_t child = 0;

	if (pipe(ends) != 0)
		fail_msg("no pipe");
	test_folder_make_fast(folder);
	(void)fflush(stdout);
	(void)fflush(stderr);
	child = fork();
	if (child < 0)
		fail_msg("no process");
	if (child == 0) {
		(void)close(ends[0]);
		(void)setenv("TMPDIR", folder, 1); /* a child that crashes leaves its worlds behind */
		play(plant, run, transactions, seed, ends[1]);
	}
	(void)close(ends[1]);
	listen(ends[0], words);
	(void)close(ends[0]);
	if (waitpid(child, &wait_status, 0) != child)
		fail_msg("the child is lost");
	test_folder_remove(folder);
	return end_of(wait_status);
}

/* Fails unless one of the rounds catches the bug. */
static void must_be_caught(enum sopi_plant plant, workload run, uint64_t transactions)
{
	const int64_t begin_ns = test_now_ns();

	for (uint64_t round = 0; round < ROUNDS_MAX; round++) {
		char words[FIRST_WORDS];
		const enum round_end end =
			play_round(plant, run, transactions, test_seed() + round, words);

		if (end == ROUND_CLEAN || end == ROUND_HUNG)
			continue;
		printf("  caught in round %u after %.1f s by %s: %s\n", (unsigned)round + 1,
		       (double)(test_now_ns() - begin_ns) / 1e9,
		       end == ROUND_ANOMALY ? "the harness" : "a crash", words);
		return;
	}
	test_print_replay();
	fail_msg("planted bug %d was not caught in %d rounds", (int)plant, ROUNDS_MAX);
}

static void the_same_workloads_are_clean_without_a_bug(void **state)
{
	static const workload runs[] = { workload_mutual_absence, workload_hot_keys,
					 workload_appends,	  workload_bank,
					 workload_counts,	  workload_catalog };

	(void)state;
	for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
		char words[FIRST_WORDS];

		if (play_round(SOPI_PLANT_NONE, runs[i], 1000, test_seed(), words) != ROUND_CLEAN)
			fail_msg("workload %zu: %s", i, words);
	}
}

static void dropped_absence_predicates_are_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_NO_ABSENCE, workload_mutual_absence, 2000);
}

static void validation_outside_the_mutex_only_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_VALIDATE_OUTSIDE_ONLY, workload_hot_keys, 20000);
}

static void an_append_split_that_keeps_the_version_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_APPEND_SPLIT_NO_VERSION, workload_appends, 4000);
}

static void a_slot_that_names_an_image_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_PARENT_SLOT_IMAGE, workload_bank, 2000);
}

static void freed_versions_that_a_snapshot_needs_are_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_GC_IGNORES_SNAPSHOTS, workload_long_readers, 4000);
}

static void counts_without_validation_are_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_NO_COUNT, workload_counts, 2000);
}

static void stores_without_validation_are_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_NO_CATALOG, workload_catalog, 2000);
}

/* On disk, where leaves are evicted. */
static void leaves_evicted_from_under_a_snapshot_are_caught(void **state)
{
	(void)state;
	world_settle_on_disk(true);
	must_be_caught(SOPI_PLANT_EVICT_IGNORES_SNAPSHOTS, workload_long_readers, 2000);
	world_settle_on_disk(false);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_workloads_are_clean_without_a_bug),
		cmocka_unit_test(dropped_absence_predicates_are_caught),
		cmocka_unit_test(validation_outside_the_mutex_only_is_caught),
		cmocka_unit_test(an_append_split_that_keeps_the_version_is_caught),
		cmocka_unit_test(a_slot_that_names_an_image_is_caught),
		cmocka_unit_test(freed_versions_that_a_snapshot_needs_are_caught),
		cmocka_unit_test(counts_without_validation_are_caught),
		cmocka_unit_test(stores_without_validation_are_caught),
		cmocka_unit_test(leaves_evicted_from_under_a_snapshot_are_caught),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
