/* Processes that commit are killed with SIGKILL at random moments, while they open and recover too; what they had
 * acknowledged must be there, and nothing half. */
#include "kernel/host.h"
#include "kernel/oracle.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	KILLS = 300,
	KILLS_HEAVY = 12,
	KILLS_OF_A_DATABASE = 25,
	DELAY_MIN_US = 500,
	DELAY_MAX_US = 300000,
	URL_BYTES = 512,
	LOOK_NS = 500000, /* between two looks whether a worker has opened */
};

#define HEAVY_NS INT64_C(300000000)
#define OPEN_MAX_NS INT64_C(10000000000) /* that opening may take */

/* 0.5 to 300 ms; as often within any doubling. */
static unsigned random_delay_us(struct test_rng *rng)
{
	const unsigned doublings = 10; /* 0.5 ms to 512 ms */
	const unsigned low = (unsigned)DELAY_MIN_US << test_rng_below(rng, doublings);
	const unsigned delay = low + (unsigned)test_rng_below(rng, low);

	return delay > DELAY_MAX_US ? DELAY_MAX_US : delay;
}

/* A database whose options bring out different parts: tiny caches evict, short logs checkpoint. */
static void random_url(struct test_rng *rng, const char *path, char url[URL_BYTES])
{
	static const char *const nodes[] = { "", "&node_bytes=1024", "&node_bytes=16384" };
	static const char *const caches[] = { "", "&cache_bytes=4MB" };
	static const char *const logs[] = { "", "&log_bytes_max=4MB", "&log_bytes_max=16MB" };
	static const char *const values[] = { "", "&inline_value_bytes=64" };

	(void)snprintf(url, URL_BYTES, "inredfs:%s?create=true%s%s%s%s", path,
		       nodes[test_rng_below(rng, 3)], caches[test_rng_below(rng, 2)],
		       logs[test_rng_below(rng, 3)], values[test_rng_below(rng, 2)]);
}

static void kill_once(struct oracle *o, struct test_rng *rng, const char *url, bool mixed)
{
	const unsigned delay_us = random_delay_us(rng);
	const bool when_open = test_rng_once_in(rng, 3); /* else recovery is killed about as often as work */
	const uint64_t opened = o->opened;
	struct worker_how how = { .url = url, .session = oracle_session(o), .mixed = mixed };
	const int64_t start_ns = test_now_ns();
	struct watched worker;
	int status;

	how.threads = 1 + (uint32_t)test_rng_below(rng, 5);
	if (test_rng_once_in(rng, 8)) /* it is closing, or has closed, when it is killed */
		how.close_after_ms = 1 + delay_us / 1000;
	worker_start(&how, &worker);
	while (when_open && o->opened == opened && test_now_ns() < start_ns + OPEN_MAX_NS &&
	       !worker_watch(&worker, test_now_ns() + LOOK_NS, oracle_hear, o))
		;
	(void)worker_watch(&worker, test_now_ns() + (int64_t)delay_us * 1000, oracle_hear, o);
	status = worker_kill(&worker, oracle_hear, o);
	if (!(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) &&
	    !(how.close_after_ms != 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0))
		test_note_failure("session %u ended with status %#x after %u us: %s",
				  (unsigned)how.session, (unsigned)status, delay_us, url);
}

/* Kills users of one database `kills` times, one to three times between two checks. */
static void kill_users(struct oracle *o, struct test_rng *rng, uint64_t kills, bool mixed)
{
	char path[256], url[URL_BYTES];
	uint64_t checks = 0;

	folder_make(path, "kill");
	random_url(rng, path, url);
	for (uint64_t i = 0; i < kills && test_failures() == 0; i++) {
		kill_once(o, rng, url, mixed);
		if (i + 1 < kills && test_rng_once_in(rng, 2))
			continue;
		checks++;
		oracle_check(o, url, path,
			     CHECK_VERIFY | (checks % 4 == 0 || i + 1 == kills ? CHECK_COLLECT : 0u));
	}
	if (test_failures() == 0)
		folder_remove(path);
	else
		print_message("the database is left in %s (%s)\n", path, url);
}

/* A large value that is replaced before a checkpoint has registered it is needed by the log all the same, also when the
 * checkpoint that is being written meanwhile does not know it. */
static void values_stay_for_the_log(void **state)
{
	const uint64_t kills = test_scaled(KILLS_HEAVY);
	char path[256], url[URL_BYTES];
	struct oracle o;

	(void)state;
	folder_make(path, "values");
	(void)snprintf(url, URL_BYTES, "inredfs:%s?create=true", path);
	oracle_begin(&o, SOP_WRITTEN, false);
	for (uint64_t i = 0; i < kills && test_failures() == 0; i++) {
		const struct worker_how how = {
			.url = url, .session = oracle_session(&o), .threads = 6, .heavy = true
		};
		struct watched worker;

		worker_start(&how, &worker);
		(void)worker_watch(&worker, test_now_ns() + HEAVY_NS + (int64_t)i * 7000000,
				   oracle_hear, &o);
		(void)worker_kill(&worker, oracle_hear, &o);
		oracle_check(&o, url, path, CHECK_VERIFY | CHECK_COLLECT);
	}
	oracle_end(&o);
	TEST_NO_FAILURES();
	folder_remove(path);
}

static void add_figures(struct oracle *sum, const struct oracle *o)
{
	sum->acknowledged += o->acknowledged;
	sum->unacknowledged_there += o->unacknowledged_there;
	sum->unacknowledged_gone += o->unacknowledged_gone;
	sum->weak_lost += o->weak_lost;
	sum->opened += o->opened;
	sum->checks += o->checks;
	sum->verified += o->verified;
	sum->collected += o->collected;
}

static void print_figures(uint64_t kills, const struct oracle *o)
{
	print_message("%llu kills, %llu of them after opening; %llu acknowledged commits, %llu more were there, "
		      "%llu were not, %llu buffered ones lost; %llu checks, %llu with gc\n",
		      (unsigned long long)kills, (unsigned long long)o->opened,
		      (unsigned long long)o->acknowledged, (unsigned long long)o->unacknowledged_there,
		      (unsigned long long)o->unacknowledged_gone, (unsigned long long)o->weak_lost,
		      (unsigned long long)o->checks, (unsigned long long)o->collected);
}

static void nothing_acknowledged_is_lost(void **state)
{
	const uint64_t kills = test_scaled(KILLS);
	const unsigned descriptors = count_descriptors();
	struct oracle sum;
	struct test_rng rng;

	(void)state;
	oracle_begin(&sum, SOP_WRITTEN, false);
	test_rng_init(&rng, test_seed(), 0);
	for (uint64_t done = 0, round = 0; done < kills && test_failures() == 0; round++) {
		const uint64_t left = kills - done;
		const uint64_t now = left < KILLS_OF_A_DATABASE ? left : KILLS_OF_A_DATABASE;
		struct oracle o;

		oracle_begin(&o, SOP_WRITTEN, false);
		kill_users(&o, &rng, now, round % 2 == 1);
		add_figures(&sum, &o);
		oracle_end(&o);
		done += now;
	}
	print_figures(kills, &sum);
	TEST_NO_FAILURES();
	assert_int_equal(count_descriptors(), descriptors);
}

/* ---- the oracle can fail -------------------------------------------------------------------------- */

/* A database that a worker has used and closed, and what it told. */
static void honest_run(struct oracle *o, char path[256], char url[URL_BYTES])
{
	struct worker_how how = { .url = url, .threads = 2, .close_after_ms = 100 };
	struct watched worker;

	folder_make(path, "oracle");
	(void)snprintf(url, URL_BYTES, "inredfs:%s?create=true", path);
	oracle_begin(o, SOP_WRITTEN, false);
	how.session = oracle_session(o);
	worker_start(&how, &worker);
	assert_true(worker_watch(&worker, test_now_ns() + INT64_C(60000000000), oracle_hear, o));
	assert_int_equal(worker_kill(&worker, oracle_hear, o), 0);
	oracle_check(o, url, path, CHECK_VERIFY | CHECK_COLLECT);
	TEST_NO_FAILURES();
	assert_int_equal(o->problems, 0);
	assert_true(o->acknowledged > 0);
	o->quiet = true;
}

/* An acknowledgement of what never was. */
static void a_lost_commit_is_found(void **state)
{
	char path[256], url[URL_BYTES];
	struct oracle o;
	struct message m = { .kind = MESSAGE_INTENT, .durability = SOP_FLUSHED, .amount = 1 };

	(void)state;
	honest_run(&o, path, url);
	m.session = oracle_session(&o);
	oracle_hear(&o, &m);
	oracle_check(&o, url, path, 0);
	assert_int_equal(o.problems, 0); /* not acknowledged: it may be missing */
	m.sequence = 1;
	oracle_hear(&o, &m);
	m.kind = MESSAGE_ACK;
	m.position = UINT32_MAX;
	oracle_hear(&o, &m);
	oracle_check(&o, url, path, 0);
	assert_true(o.problems > 0);
	oracle_end(&o);
	folder_remove(path);
}

/* Changes the database behind the oracle's back. */
static void meddle(const char *url, int store, bool remove)
{
	uint8_t room[JOURNAL_KEY_BYTES];
	const struct message first = { .sequence = 0 };
	sop_store *stores[STORE_COUNT] = { NULL };
	sop_error err = SOP_ERROR_INIT;
	sop_txn *txn = NULL;
	sop_db *db = NULL;

	TEST_OK(sop_open(url, NULL, &db, &err), err);
	TEST_OK(declare_stores(db, stores, &err), err);
	TEST_OK(sop_begin(db, NULL, &txn, &err), err);
	if (remove)
		TEST_OK(sop_remove(txn, stores[store], journal_key(&first, room), 0, &err), err);
	else
		TEST_OK(sop_add(txn, stores[store], account_key(1, room), 1, &err), err);
	TEST_OK(sop_commit(txn, &err), err);
	sop_txn_free(txn);
	for (int i = 0; i < STORE_COUNT; i++)
		sop_store_free(stores[i]);
	sop_db_free(db);
}

static void half_a_commit_is_found(void **state)
{
	static const struct {
		int store;
		bool remove;
	} rows[] = { { EAST, false }, { WEST, false }, { JOURNAL, true } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char path[256], url[URL_BYTES];
		struct oracle o;

		honest_run(&o, path, url);
		meddle(url, rows[i].store, rows[i].remove);
		oracle_check(&o, url, path, 0);
		assert_true(o.problems > 0);
		oracle_end(&o);
		folder_remove(path);
	}
}

static void a_leaked_file_is_found(void **state)
{
	char path[256], url[URL_BYTES], leaked[300];
	struct oracle o;
	FILE *file;

	(void)state;
	honest_run(&o, path, url);
	(void)snprintf(leaked, sizeof leaked, "%s/blobs/leaked", path);
	file = fopen(leaked, "w");
	assert_non_null(file);
	(void)fclose(file);
	oracle_check(&o, url, path, CHECK_COLLECT);
	assert_true(o.problems > 0);
	oracle_end(&o);
	folder_remove(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lost_commit_is_found),
		cmocka_unit_test(half_a_commit_is_found),
		cmocka_unit_test(a_leaked_file_is_found),
		cmocka_unit_test(values_stay_for_the_log),
		cmocka_unit_test(nothing_acknowledged_is_lost),
	};

	if (argc > 1 && strcmp(argv[1], "--worker") == 0)
		return worker_main(argc, argv);
	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
