/* Power cuts and kills while a database is made: whatever they leave, opening it with `create` gives a whole database. It
 * is empty, unless a commit was answered; once making it was answered, it is there without `create` too. */
#include "crash/base.h"

#include <stdio.h>

enum {
	DEVICES = 3,
	STATES_AT_SCALE_1 = 600, /* crashes of a making that are visited, about */
	AGAIN_STATES_AT_SCALE_1 = 25, /* and of each making again */
	AGAIN_EVERY = 3, /* steps of the first making that are gone on from */
};

/* How far the process got, as the trace has it. */
enum answered {
	ANSWERED_OPEN = 1,
	ANSWERED_COMMIT,
	ANSWERED_CLOSE,
};

struct making {
	struct config config;
	size_t states;
	bool folder; /* it is there before */
	int64_t before; /* what was answered before the process that is recorded began */
	char words[WORDS + 100]; /* what is wrong; "": nothing */
};

static const struct config configs[DEVICES] = {
	{ .node_bytes = 1024, .node_items = 4, .log_bytes = 64 << 10, .direct_bytes = 512 },
	{ .node_bytes = 4096, .node_items = 0, .log_bytes = 4 << 20, .direct_bytes = 4096 },
	{ .node_bytes = 1024, .node_items = 8, .log_bytes = 256 << 10, .direct_bytes = 0 },
};

static bool says(char words[WORDS], const char *what, const sop_error *err)
{
	(void)snprintf(words, WORDS, "%s: %s: %.200s [%.60s]", what, sop_status_name(err->status),
		       err->message, err->file);
	return false;
}

/* Makes a database, commits, closes it. */
static bool make(struct sopi_sim_disk *disk, const struct making *making, char words[WORDS])
{
	const uint8_t id[TXN_ID_BYTES] = { 1, (uint8_t)making->before };
	sop_error err = SOP_ERROR_INIT;
	struct base base;

	if (base_open(&base, disk, &making->config, true, &err) != SOP_OK)
		return says(words, "making it", &err);
	sopi_sim_trace_mark(disk, ANSWERED_OPEN);
	if (!base_commit_mark(&base, id, 100, words)) {
		(void)base_close(&base, NULL);
		return false;
	}
	sopi_sim_trace_mark(disk, ANSWERED_COMMIT);
	if (base_close(&base, &err) != SOP_OK)
		return says(words, "closing it", &err);
	sopi_sim_trace_mark(disk, ANSWERED_CLOSE);
	return true;
}

/* Opens what a crash has left, and uses it. */
static bool is_whole(struct sopi_sim_disk *disk, const struct config *config, int64_t answered,
		     char words[WORDS])
{
	static const uint8_t id[TXN_ID_BYTES] = { 2 };
	static struct dump found;
	sop_error err = SOP_ERROR_INIT;
	struct base base;
	bool well;

	if (base_open(&base, disk, config, answered < ANSWERED_OPEN, &err) != SOP_OK)
		return says(words, "opening it", &err);
	well = base_dump(&base, &found, words) && base_verify(&base, words);
	if (well && found.size == 0 && answered >= ANSWERED_COMMIT) {
		(void)snprintf(words, WORDS, "the commit is lost");
		well = false;
	}
	well = well && base_commit_mark(&base, id, 700, words);
	if (base_close(&base, &err) != SOP_OK)
		return well && says(words, "closing it", &err);
	if (!well)
		return false;
	if (base_open(&base, disk, config, false, &err) != SOP_OK)
		return says(words, "opening it again", &err);
	well = base_dump(&base, &found, words) && found.size != 0;
	(void)base_close(&base, NULL);
	return well;
}

static bool visit(void *arg, struct sopi_sim_disk *disk, const struct sopi_sim_crash *crash)
{
	struct making *making = arg;
	const int64_t answered = crash->mark > making->before ? crash->mark : making->before;
	char words[WORDS] = "";

	making->states++;
	if (is_whole(disk, &making->config, answered, words))
		return true;
	(void)snprintf(making->words, sizeof making->words,
		       "crash after %zu steps, keep %d, which %zu, torn at %zu: %s", crash->steps,
		       (int)crash->cut.keep, crash->cut.which, crash->cut.tear_bytes, words);
	return false;
}

static struct sopi_sim_disk *new_disk(const struct making *making)
{
	struct sopi_sim_disk *disk = sopi_sim_disk_new();
	struct sopi_sim_process *process = sopi_sim_process_new(disk, NULL, 1);
	struct sopi_folder *folder = NULL;
	sop_error err = SOP_ERROR_INIT;

	sopi_sim_disk_set_direct(disk, making->config.direct_bytes);
	if (making->folder)
		TEST_OK(sopi_files_open_folder(sopi_sim_platform(process)->files, "/db",
					       SOPI_FOLDER_CREATE, &folder, &err),
			err);
	sopi_folder_close(folder);
	sopi_sim_process_free(process);
	return disk;
}

static struct sopi_sim_trace *record(struct making *making, struct sopi_sim_disk *disk)
{
	struct sopi_sim_trace *trace = sopi_sim_trace_start(disk);
	char words[WORDS] = "";

	if (!make(disk, making, words))
		(void)snprintf(making->words, sizeof making->words, "%s", words);
	sopi_sim_trace_stop(trace);
	return trace;
}

/* Visits about `wanted` crashes of the trace, others for each `turn`. */
static void crash(struct making *making, const struct sopi_sim_trace *trace, uint64_t wanted, size_t turn)
{
	struct sopi_sim_plan plan = { .seeds = 4, .seed = test_seed() + turn };

	plan.shards = sopi_sim_count_crashes(trace, &plan) / wanted + 1;
	plan.shard = turn % plan.shards;
	if (making->words[0] == '\0')
		(void)sopi_sim_each_crash(trace, &plan, visit, making);
}

static void must_be_well(const struct making *making)
{
	if (making->words[0] == '\0')
		return;
	test_print_replay();
	fail_msg("device %zu, folder %d: %s", making->config.direct_bytes, making->folder, making->words);
}

static void a_power_cut_leaves_none_or_a_whole_one(void **state)
{
	static struct making making;
	size_t states = 0;

	(void)state;
	for (size_t i = 0; i < 2 * DEVICES; i++) {
		struct sopi_sim_disk *disk;
		struct sopi_sim_trace *trace;

		making = (struct making){ .config = configs[i / 2], .folder = i % 2 != 0 };
		disk = new_disk(&making);
		trace = record(&making, disk);
		crash(&making, trace, test_scaled(STATES_AT_SCALE_1), i);
		sopi_sim_trace_free(trace);
		sopi_sim_disk_free(disk);
		must_be_well(&making);
		states += making.states;
	}
	print_message("%zu crashes\n", states);
	assert_true(states > test_scaled(1000));
}

/* The process is killed; another one begins on what the page cache shows, and the power goes. */
static void make_again_behind(struct making *making, const struct sopi_sim_trace *first, size_t steps)
{
	struct sopi_sim_disk *disk = sopi_sim_trace_disk(first, steps);
	struct sopi_sim_trace *trace;

	making->before = sopi_sim_trace_mark_at(first, steps);
	trace = record(making, disk);
	crash(making, trace, test_scaled(AGAIN_STATES_AT_SCALE_1), steps);
	sopi_sim_trace_free(trace);
	sopi_sim_disk_free(disk);
}

static void a_kill_and_then_a_power_cut_leave_none_or_a_whole_one(void **state)
{
	static struct making making;
	size_t states = 0;

	(void)state;
	for (size_t i = 0; i < DEVICES; i++) {
		struct sopi_sim_disk *disk;
		struct sopi_sim_trace *trace;

		making = (struct making){ .config = configs[i] };
		disk = new_disk(&making);
		trace = record(&making, disk);
		for (size_t steps = i; steps < sopi_sim_trace_steps(trace) && making.words[0] == '\0';
		     steps += AGAIN_EVERY)
			make_again_behind(&making, trace, steps);
		sopi_sim_trace_free(trace);
		sopi_sim_disk_free(disk);
		must_be_well(&making);
		states += making.states;
	}
	print_message("%zu crashes\n", states);
	assert_true(states > test_scaled(1000));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_power_cut_leaves_none_or_a_whole_one),
		cmocka_unit_test(a_kill_and_then_a_power_cut_leave_none_or_a_whole_one),
	};
	int failed;

	test_begin(argc, argv);
	failed = cmocka_run_group_tests_name("crash_creation", tests, NULL, NULL);
	base_schema_free();
	return failed;
}
