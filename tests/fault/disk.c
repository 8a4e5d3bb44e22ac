/* Running scenarios on a simulated disk, and judging what a fault left behind. */
#include "fault/disk.h"

#include "api/handle.h"
#include "api/options.h"
#include "base/alloc.h"
#include "registry/registry.h"
#include "support/large.h"

#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SMALL_LOG_BYTES = 256 << 10 }; /* a segment is a quarter of it */

/* ---- which point is tried ----------------------------------------------------------------------------------------- */

static char point[256];

void disk_note_point(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(point, sizeof point, format, arguments);
	va_end(arguments);
}

void disk_forget_point(void)
{
	point[0] = '\0';
}

static void print_point(void)
{
	if (point[0] == '\0')
		return;
	fprintf(stderr, "  %s\n", point);
	test_print_replay();
}

static void crashed(int number)
{
	(void)signal(number, SIG_DFL);
	print_point();
	(void)raise(number);
}

int disk_after_test(void **state)
{
	(void)state;
	print_point();
	disk_forget_point();
	(void)alarm(0);
	return 0;
}

bool disk_one_point(int64_t *way, int64_t *n)
{
	const char *text = getenv("SOP_TEST_FAULT");
	const char *colon = text != NULL ? strchr(text, ':') : NULL;

	if (colon == NULL)
		return false;
	*way = strtoll(text, NULL, 10);
	*n = strtoll(colon + 1, NULL, 10);
	return true;
}

void disk_check_points(const char *what, int64_t points, int64_t scenarios_run, int64_t floor)
{
	int64_t way, n;

	print_message("%s: %lld fault points, %lld a minute\n", what, (long long)points,
		      (long long)test_per_minute(points));
	if (scenarios_run == (int64_t)disk_scenario_count && !disk_one_point(&way, &n) &&
	    test_scaled(1000) >= 1000)
		assert_true(points >= floor);
}

void disk_watch_crashes(void)
{
	(void)signal(SIGABRT, crashed);
	(void)signal(SIGSEGV, crashed);
	(void)signal(SIGALRM, crashed);
}

/* ---- what a database holds ---------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint64_t word;

	for (; size >= sizeof word; size -= sizeof word, bytes += sizeof word) {
		memcpy(&word, bytes, sizeof word);
		hash = ((hash ^ word) * UINT64_C(0x9E3779B97F4A7C15)) ^ hash >> 31;
	}
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3);
	return hash ^ hash >> 29;
}

static sop_status mix_items(sop_txn *txn, sop_store *store, bool by_key, uint64_t *hash, sop_error *err)
{
	sop_buf value = SOP_BUF_INIT;
	sop_cursor *cursor = NULL;
	sop_entry entry;
	uint64_t count = 0, met = 0;
	sop_status status = sop_cursor_open(txn, store, NULL, 0, &cursor, err);

	while (status == SOP_OK && (status = sop_cursor_next(cursor, &entry, err)) == SOP_OK) {
		*hash = mix(*hash, entry.key.data, entry.key.size);
		*hash = mix(*hash, entry.value.data, entry.value.size);
		met++;
		if (!by_key)
			continue;
		status = sop_get(txn, store, entry.key, &value, err);
		if (status == SOP_OK) {
			assert_int_equal(value.size, entry.value.size);
			assert_memory_equal(value.data, entry.value.data, value.size);
		}
	}
	sop_cursor_free(cursor);
	sop_buf_free(&value);
	if (status != SOP_NOT_FOUND)
		return status;
	status = sop_count(txn, store, NULL, &count, err);
	if (status == SOP_OK)
		assert_int_equal(count, met);
	*hash = mix(*hash, &met, sizeof met);
	return status;
}

static sop_status mix_store(sop_db *db, sop_txn *txn, const char *name, bool by_key, uint64_t *hash,
			    sop_error *err)
{
	sop_store *store = NULL;
	sop_status status = sop_store_open(db, test_text(name), NULL, &store, err);

	*hash = mix(*hash, name, strlen(name) + 1);
	if (status == SOP_OK)
		status = mix_items(txn, store, by_key, hash, err);
	sop_store_free(store);
	return status;
}

sop_status disk_content(sop_db *db, bool by_key, uint64_t *content, sop_error *err)
{
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_buf names = SOP_BUF_INIT;
	uint64_t hash = UINT64_C(0xCBF29CE484222325);
	sop_txn *txn = NULL;
	size_t count = 0;
	const char *name;
	sop_status status;

	reading.mode = SOP_READ;
	status = sop_begin(db, &reading, &txn, err);
	if (status == SOP_OK)
		status = sop_store_list(txn, &names, &count, err);
	name = names.data;
	for (; status == SOP_OK && count > 0; count--) {
		status = mix_store(db, txn, name, by_key, &hash, err);
		name += strlen(name) + 1;
	}
	sop_txn_free(txn);
	sop_buf_free(&names);
	*content = hash;
	return status;
}

/* ---- a run -------------------------------------------------------------------------------------------------------- */

static void make_files_small(sop_options *options, sop_error *err)
{
	TEST_OK(sop_options_set_int(options, "log_bytes_max", 4 << 20, err), *err); /* counts as given */
	options->engine.log_bytes_max = SMALL_LOG_BYTES;
	options->engine.registry_buckets = SOPI_BUCKETS_ACCEPTED_MIN;
}

sop_status disk_open(struct disk_run *run)
{
	static const struct {
		const char *name;
		int64_t value;
	} settings[] = { { "node_bytes", 1024 },
			 { "inline_value_bytes", 64 },
			 { "cache_bytes", 4 << 20 },
			 { "registry_buckets", SOPI_BUCKETS_MIN } };
	sop_options *options = NULL;
	sop_status status = sop_options_new(&options, &run->err);

	if (status != SOP_OK)
		return status;
	options->engine.no_background = true;
	TEST_OK(sop_options_set_bool(options, "create", 1, &run->err), run->err);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		TEST_OK(sop_options_set_int(options, settings[i].name, settings[i].value, &run->err),
			run->err);
	options->engine.registry_buckets = 64; /* less than users may have: time for more faults */
	if (run->small)
		make_files_small(options, &run->err);
	status = sopi_db_open_on("/db", options, sopi_sim_platform(run->process), &run->db, &run->err);
	sop_options_free(options);
	return status;
}

void disk_drop(struct disk_run *run)
{
	sop_txn_free(run->txn);
	sop_db_free(run->db);
	run->txn = NULL;
	run->db = NULL;
}

/* Each with random numbers of its own, of which the ids of transactions are made. */
static struct sopi_sim_process *process_new(struct sopi_sim_disk *disk)
{
	static uint64_t seed;

	return sopi_sim_process_new(disk, NULL, test_seed() + ++seed);
}

static void run_init(struct disk_run *run, struct sopi_sim_disk *disk)
{
	const sop_error fresh = SOP_ERROR_INIT;

	memset(run, 0, sizeof *run);
	run->err = fresh;
	run->live = sopi_alloc_live_count();
	run->disk = disk;
	run->process = process_new(disk);
}

/* Another process goes on with the same disk. */
static void change_process(struct disk_run *run, bool evict)
{
	disk_drop(run);
	sopi_sim_process_free(run->process); /* finds open handles */
	if (evict)
		sopi_sim_disk_evict(run->disk);
	run->process = process_new(run->disk);
}

static void run_free(struct disk_run *run)
{
	disk_drop(run);
	sopi_sim_process_free(run->process);
	sopi_sim_disk_free(run->disk);
	if (sopi_alloc_live_count() != run->live)
		fail_msg("%lld allocations are left", (long long)(sopi_alloc_live_count() - run->live));
}

/* Without faults. */
static void do_all(struct disk_run *run, const disk_step steps[DISK_STEPS_MAX])
{
	for (size_t i = 0; i < DISK_STEPS_MAX && steps[i] != NULL; i++)
		TEST_OK(steps[i](run), run->err);
}

static uint64_t content_of(struct disk_run *run)
{
	uint64_t content = 0;

	TEST_OK(disk_content(run->db, false, &content, &run->err), run->err);
	return content;
}

/* ---- the model ---------------------------------------------------------------------------------------------------- */

/* The run without faults, in which what is there after each commit is noted. */
static void note_contents(struct disk_model *model)
{
	const disk_step *steps = model->scenario->steps;
	struct disk_run run;

	run_init(&run, sopi_sim_disk_copy(model->disk));
	run.commits = model->commits_on_disk;
	do_all(&run, model->scenario->first);
	if (run.db != NULL)
		model->content[run.commits] = content_of(&run);
	for (size_t i = 0; i < DISK_STEPS_MAX && steps[i] != NULL; i++) {
		TEST_OK(steps[i](&run), run.err);
		assert_true(run.commits < DISK_COMMITS_MAX);
		if (run.db != NULL)
			model->content[run.commits] = content_of(&run);
	}
	model->commits = run.commits;
	run_free(&run);
}

/* And once more, to count. */
static void count_points(struct disk_model *model)
{
	struct disk_run run;

	disk_run_begin(&run, model);
	sopi_sim_fail(run.process, NULL);
	sopi_alloc_fail_after(-1, false);
	{
		const int64_t asked = sopi_alloc_asked();

		TEST_OK(disk_run_steps(&run), run.err);
		model->allocations = sopi_alloc_asked() - asked;
	}
	model->calls = sopi_sim_calls(run.process, SOPI_SIM_ANY);
	run_free(&run);
}

void disk_model_make(const struct disk_scenario *scenario, struct disk_model *model)
{
	struct disk_run run;

	memset(model, 0, sizeof *model);
	test_all_are_large(scenario->large);
	model->scenario = scenario;
	run_init(&run, sopi_sim_disk_new());
	do_all(&run, scenario->before);
	if (scenario->killed)
		sopi_sim_kill(run.process);
	disk_drop(&run);
	model->commits_on_disk = run.commits;
	model->disk = sopi_sim_disk_copy(run.disk);
	run_free(&run);
	note_contents(model);
	count_points(model);
}

void disk_model_free(struct disk_model *model)
{
	sopi_sim_disk_free(model->disk);
}

/* ---- under faults ------------------------------------------------------------------------------------------------- */

void disk_run_begin(struct disk_run *run, const struct disk_model *model)
{
	run_init(run, sopi_sim_disk_copy(model->disk));
	run->commits = model->commits_on_disk;
	do_all(run, model->scenario->first);
	run->model = model;
}

sop_status disk_run_steps(struct disk_run *run)
{
	const disk_step *steps = run->model->scenario->steps;

	while (run->step < DISK_STEPS_MAX && steps[run->step] != NULL) {
		const sop_status status = steps[run->step](run);

		if (status != SOP_OK)
			return status;
		run->step++;
	}
	return SOP_OK;
}

bool disk_has_failed(struct disk_run *run)
{
	sop_stats stats = SOP_STATS_INIT;
	sop_error err = SOP_ERROR_INIT;

	if (run->db == NULL)
		return false;
	TEST_OK(sop_db_stats(run->db, &stats, &err), err);
	return stats.failed != 0;
}

/* What became of the commit that was answered with UNKNOWN. */
static void resolve(struct disk_run *run)
{
	sop_outcome outcome = SOP_OUTCOME_UNKNOWN;

	TEST_OK(sop_txn_outcome(run->db, run->id, &outcome, NULL, &run->err), run->err);
	assert_true(outcome == SOP_OUTCOME_COMMITTED || outcome == SOP_OUTCOME_NOT_COMMITTED);
	if (outcome == SOP_OUTCOME_COMMITTED) {
		run->commits++;
		run->step++;
	}
	run->in_doubt = false;
}

static int print_problem(void *arg, const sop_problem *problem)
{
	(void)arg;
	print_error("verify: %.*s: %s: %s\n", (int)problem->file.size,
		    (const char *)problem->file.data, problem->kind, problem->message);
	return 0;
}

static void check_content(struct disk_run *run, const char *when)
{
	if (content_of(run) == run->model->content[run->commits])
		return;
	for (size_t i = 0; i <= run->model->commits; i++) {
		if (content_of(run) == run->model->content[i])
			print_error("it holds what was there after %zu commits\n", i);
	}
	fail_msg("%s: after %zu commits the database holds something else", when, run->commits);
}

/* Opens it in another process: what it holds is as told before. */
static void open_again(struct disk_run *run, bool evict, const char *when)
{
	change_process(run, evict);
	TEST_OK(disk_open(run), run->err);
	if (run->in_doubt)
		resolve(run);
	check_content(run, when);
}

/* Brings the database back to where it can go on. */
static void go_on(struct disk_run *run, bool evict)
{
	if (run->db != NULL && !disk_has_failed(run))
		check_content(run, "as it goes on");
	else if (run->db != NULL)
		open_again(run, evict, "opened after it had failed");
	else if (run->model->scenario->steps[run->step] != disk_open)
		open_again(run, evict, "opened after it was closed");
	else
		change_process(run, evict);
	assert_false(run->in_doubt); /* or it would have failed */
}

void disk_run_end(struct disk_run *run, bool evict)
{
	uint64_t problems = 0;

	sop_txn_free(run->txn);
	run->txn = NULL;
	go_on(run, evict);
	TEST_OK(disk_run_steps(run), run->err);
	assert_int_equal(run->commits, run->model->commits);
	if (run->db == NULL)
		open_again(run, evict, "opened after the rest");
	check_content(run, "at the end");
	TEST_OK(sop_close(run->db, &run->err), run->err);
	open_again(run, evict, "opened once more"); /* which removes files that could not be removed before */
	TEST_OK(sop_verify(run->db, print_problem, NULL, NULL, &problems, &run->err), run->err);
	assert_int_equal(problems, 0);
	run_free(run);
}

/* ---- all of them -------------------------------------------------------------------------------------------------- */

int disk_run_scenarios(CMUnitTestFunction test, CMFixtureFunction after, CMUnitTestFunction last)
{
	const size_t count = disk_scenario_count + 1;
	struct CMUnitTest *tests = test_alloc(count * sizeof *tests);
	int failed;

	memset(tests, 0, count * sizeof *tests);
	for (size_t i = 0; i < disk_scenario_count; i++) {
		union {
			const struct disk_scenario *scenario;
			void *state;
		} it = { .scenario = &disk_scenarios[i] };

		tests[i].name = disk_scenarios[i].name;
		tests[i].test_func = test;
		tests[i].teardown_func = after;
		tests[i].initial_state = it.state;
	}
	tests[count - 1].name = "no point was lost";
	tests[count - 1].test_func = last;
	disk_watch_crashes();
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 28); /* each point has a disk of its own: keep its memory for the next */
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 28);
	failed = _cmocka_run_group_tests("scenarios", tests, count, NULL, NULL);
	free(tests);
	return failed;
}
