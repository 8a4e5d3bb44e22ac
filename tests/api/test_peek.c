/* Looking from outside at a database that some process has open. */
#include "support/folder.h"
#include "support/support.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PATH_BYTES = TEST_PATH_BYTES + 64,
	FILE_BYTES = 4096,
	NS_PER_S = 1000000000,
	PATIENCE_S = 60, /* for what happens within a second or two on an idle machine */
	LOOK_EVERY_US = 50000,
};

struct look {
	sop_status status;
	sop_peek peek;
	sop_stats stats;
	sop_error err;
};

static char folder[TEST_PATH_BYTES];
static char path[PATH_BYTES], stats_path[PATH_BYTES + 16];

/* A database of its own for each test. */
static int choose_path(void **state)
{
	(void)state;
	test_folder_fresh(folder, path, sizeof path);
	(void)snprintf(stats_path, sizeof stats_path, "%s/stats", path);
	return 0;
}

static struct look look(void)
{
	static const sop_peek no_peek = SOP_PEEK_INIT;
	static const sop_stats no_stats = SOP_STATS_INIT;
	static const sop_error no_error = SOP_ERROR_INIT;
	struct look found = { .peek = no_peek, .stats = no_stats, .err = no_error };

	found.status = sop_stats_peek(path, &found.peek, &found.stats, &found.err);
	return found;
}

static sop_db *open_with(const char *query)
{
	char url[PATH_BYTES + 64];
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;

	(void)snprintf(url, sizeof url, "inredfs:%s?create=true%s", path, query);
	TEST_OK(sop_open(url, NULL, &db, &err), err);
	return db;
}

static sop_status put_body(sop_txn *txn, void *arg, sop_error *err)
{
	sop_status status = sop_store_create(txn, arg, err);

	if (status == SOP_OK || status == SOP_EXISTS)
		status = sop_put(txn, arg, test_text("k"), test_text("v"), err);
	return status;
}

static void put(sop_db *db)
{
	sop_error err = SOP_ERROR_INIT;
	sop_store *store = NULL;

	TEST_OK(sop_store_open(db, test_text("s"), NULL, &store, &err), err);
	TEST_OK(sop_run(db, NULL, put_body, store, &err), err);
	sop_store_free(store);
}

static void close_db(sop_db *db)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sop_close(db, &err), err);
	sop_db_free(db);
}

static size_t entries_of(const char *where)
{
	DIR *opened = opendir(where);
	size_t count = 0;

	if (opened == NULL)
		return 0;
	while (readdir(opened) != NULL)
		count++;
	(void)closedir(opened);
	return count;
}

/* Bytes of the file; up to FILE_BYTES of them in `bytes`. */
static size_t read_file(uint8_t bytes[FILE_BYTES])
{
	FILE *file = fopen(stats_path, "r");
	size_t size = 0;

	memset(bytes, 0, FILE_BYTES);
	if (file == NULL)
		return 0;
	size = fread(bytes, 1, FILE_BYTES, file);
	(void)fclose(file);
	return size;
}

static void write_file(const uint8_t *bytes, size_t size)
{
	FILE *file = fopen(stats_path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

/* ---- nobody ---------------------------------------------------------------------------------------- */

static void where_nothing_is_open_nothing_is_found_or_made(void **state)
{
	struct look found = look();
	size_t entries;

	(void)state;
	assert_int_equal(found.status, SOP_NOT_FOUND);
	assert_int_equal(found.peek.is_open, 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(mkdir(path, 0700), 0);
	found = look();
	assert_int_equal(found.status, SOP_NOT_FOUND);
	assert_non_null(strstr(found.err.message, "no database"));
	assert_int_equal(entries_of(path), 2);
	close_db(open_with(""));
	assert_int_equal(access(stats_path, F_OK), -1); /* a clean close takes it away */
	entries = entries_of(path);
	found = look();
	assert_int_equal(found.status, SOP_NOT_FOUND);
	assert_non_null(strstr(found.err.message, "nobody has the database"));
	assert_int_equal(found.peek.is_open, 0);
	assert_int_equal(found.peek.process, 0);
	assert_int_equal(entries_of(path), entries);
}

/* ---- this process ---------------------------------------------------------------------------------- */

static void what_is_open_shows_who_has_it_and_how(void **state)
{
	sop_db *db = open_with(
		"&durability=written&cache_bytes=8MB&log_bytes_max=16MB&flush_interval_ms=77");
	sop_info info = SOP_INFO_INIT;
	sop_error err = SOP_ERROR_INIT;
	char host[64] = "";
	struct look found = look(); /* at once */

	(void)state;
	TEST_OK(found.status, found.err);
	TEST_OK(sop_db_info(db, &info, NULL, &err), err);
	(void)gethostname(host, 47); /* the rest may be cut */
	assert_int_equal(found.peek.is_open, 1);
	assert_int_equal(found.peek.has_figures, 1);
	assert_int_equal(found.peek.process, getpid());
	assert_string_equal(found.peek.host, host);
	assert_memory_equal(found.peek.uuid, info.uuid, 16);
	assert_int_equal(found.peek.log_bytes_max, 16 << 20);
	assert_int_equal(found.peek.flush_interval_ms, 77);
	assert_true(found.peek.opened_ms > 0 && found.peek.written_ms >= found.peek.opened_ms);
	assert_int_equal(found.stats.durability, SOP_WRITTEN);
	assert_int_equal(found.stats.cache_bytes, 8 << 20);
	assert_int_equal(found.stats.failed, 0);
	assert_int_equal(found.stats.struct_size, sizeof(sop_stats));
	close_db(db);
	assert_int_equal(look().status, SOP_NOT_FOUND);
}

/* Commits until the figures show it. */
static struct look commit_until_seen(sop_db *db)
{
	const int64_t until_ns = test_now_ns() + (int64_t)PATIENCE_S * NS_PER_S;
	struct look found = look();

	while (found.peek.commits_timed == 0 && test_now_ns() < until_ns) {
		put(db);
		test_sleep_us(LOOK_EVERY_US);
		found = look();
		TEST_OK(found.status, found.err);
	}
	return found;
}

static void the_figures_follow_the_commits(void **state)
{
	sop_db *db = open_with("");
	sop_stats now = SOP_STATS_INIT;
	sop_error err = SOP_ERROR_INIT;
	struct look found = commit_until_seen(db);

	(void)state;
	TEST_OK(sop_db_stats(db, &now, &err), err);
	assert_true(found.peek.commits_timed > 0);
	assert_true(found.peek.interval_ms >= 900); /* no more than once a second */
	assert_true(found.peek.running_ms >= found.peek.interval_ms);
	assert_true(found.peek.commit_p50_ns > 0);
	assert_true(found.peek.commit_p50_ns <= found.peek.commit_p99_ns);
	assert_true(found.peek.commit_p99_ns <= found.peek.commit_longest_ns);
	assert_true(found.stats.commits > 0 && found.stats.commits <= now.commits);
	assert_true(found.stats.position > 0 && found.stats.position <= now.position);
	assert_true(found.stats.flushes > 0 && found.stats.log_bytes_written > 0);
	assert_int_equal(found.stats.stores, 1);
	TEST_OK(sop_verify(db, NULL, NULL, NULL, NULL, &err), err); /* the file is known */
	close_db(db);
}

static void whoever_waits_for_less_is_timed_now_and_then(void **state)
{
	sop_db *db = open_with("&durability=buffered");
	struct look found;

	(void)state;
	for (int i = 0; i < 64; i++)
		put(db);
	found = commit_until_seen(db);
	assert_true(found.peek.commits_timed > 0);
	assert_true(found.peek.commits_timed < found.stats.commits);
	close_db(db);
}

static void one_that_rests_writes_nothing(void **state)
{
	const int64_t until_ns = test_now_ns() + (int64_t)PATIENCE_S * NS_PER_S;
	uint8_t before[FILE_BYTES], after[FILE_BYTES];
	sop_db *db = open_with("");

	(void)state;
	assert_int_equal(read_file(before), FILE_BYTES);
	test_sleep_us(2500000);
	assert_int_equal(read_file(after), FILE_BYTES);
	assert_memory_equal(before, after, FILE_BYTES); /* never written to */
	put(db);
	do { /* once the mark is in the log all is said */
		memcpy(before, after, FILE_BYTES);
		test_sleep_us(3500000);
		assert_int_equal(read_file(after), FILE_BYTES);
	} while (memcmp(before, after, FILE_BYTES) != 0 && test_now_ns() < until_ns);
	assert_memory_equal(before, after, FILE_BYTES);
	close_db(db);
}

static void a_transaction_that_grows_old_is_seen(void **state)
{
	const int64_t until_ns = test_now_ns() + (int64_t)PATIENCE_S * NS_PER_S;
	sop_db *db = open_with("");
	sop_error err = SOP_ERROR_INIT;
	sop_txn *txn = NULL;
	uint64_t age_ms = 0;

	(void)state;
	TEST_OK(sop_begin(db, NULL, &txn, &err), err);
	while (age_ms < 3000 && test_now_ns() < until_ns) {
		const struct look found = look();

		TEST_OK(found.status, found.err);
		age_ms = found.stats.oldest_snapshot_age_ms;
		test_sleep_us(LOOK_EVERY_US);
	}
	assert_true(age_ms >= 3000);
	sop_txn_free(txn);
	close_db(db);
}

/* Nothing is written, not even by opening it: the figures follow. */
static void one_that_only_reads_is_seen(void **state)
{
	const int64_t until_ns = test_now_ns() + (int64_t)PATIENCE_S * NS_PER_S;
	sop_error err = SOP_ERROR_INIT;
	sop_buf value = SOP_BUF_INIT;
	sop_store *store = NULL;
	sop_db *db = open_with("");
	struct look found;

	(void)state;
	put(db);
	close_db(db);
	db = open_with("");
	TEST_OK(sop_store_open(db, test_text("s"), NULL, &store, &err), err);
	for (int i = 0; i < 100; i++)
		TEST_OK(sop_read(db, store, test_text("k"), &value, &err), err);
	do {
		test_sleep_us(LOOK_EVERY_US);
		found = look();
		TEST_OK(found.status, found.err);
	} while (found.stats.begins < 100 && test_now_ns() < until_ns);
	assert_true(found.stats.begins >= 100 && found.stats.commits == 0);
	assert_int_equal(found.stats.checkpoints, 0);
	sop_buf_free(&value);
	sop_store_free(store);
	close_db(db);
}

static void a_copy_has_none(void **state)
{
	char copy[PATH_BYTES + 8], file[PATH_BYTES + 24];
	sop_db *db = open_with("");
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	put(db);
	(void)snprintf(copy, sizeof copy, "%s-copy", path);
	(void)snprintf(file, sizeof file, "%s/stats", copy);
	TEST_OK(sop_backup(db, copy, NULL, NULL, NULL, &err), err);
	assert_int_equal(access(stats_path, F_OK), 0);
	assert_int_equal(access(file, F_OK), -1);
	close_db(db);
}

/* ---- another process ------------------------------------------------------------------------------- */

static pid_t start_owner(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		sop_db *db = open_with("");

		put(db);
		if (write(ends[1], "x", 1) != 1)
			_exit(9);
		(void)alarm(2 * PATIENCE_S);
		(void)pause();
		_exit(0);
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return pid;
}

static void kill_owner(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void another_process_is_seen_and_its_death_too(void **state)
{
	const pid_t pid = start_owner();
	uint8_t theirs[FILE_BYTES], ours[FILE_BYTES];
	char name[64];
	struct look found = look();
	sop_db *db;

	(void)state;
	TEST_OK(found.status, found.err);
	assert_int_equal(found.peek.process, pid);
	assert_int_equal(read_file(theirs), FILE_BYTES);
	kill_owner(pid);
	assert_int_equal(access(stats_path, F_OK), 0); /* nobody took it away, */
	found = look(); /* and nobody believes it */
	assert_int_equal(found.status, SOP_NOT_FOUND);
	assert_int_equal(found.peek.is_open, 0);
	db = open_with("");
	found = look();
	TEST_OK(found.status, found.err);
	assert_int_equal(found.peek.process, getpid());
	/* what an earlier owner left is not taken for ours */
	assert_int_equal(read_file(ours), FILE_BYTES);
	write_file(theirs, FILE_BYTES);
	found = look();
	assert_int_equal(found.status, SOP_NOT_FOUND);
	assert_int_equal(found.peek.is_open, 1);
	assert_int_equal(found.peek.has_figures, 0);
	assert_int_equal(found.peek.process, getpid());
	(void)snprintf(name, sizeof name, "process %ld", (long)getpid());
	assert_non_null(strstr(found.err.message, name));
	assert_int_equal(found.stats.position, 0);
	assert_int_equal(remove(stats_path), 0);
	found = look();
	assert_int_equal(found.status, SOP_NOT_FOUND);
	assert_int_equal(found.peek.is_open, 1);
	assert_non_null(strstr(found.err.message, name));
	write_file(ours, FILE_BYTES);
	TEST_OK(look().status, found.err);
	close_db(db);
}

/* ---- damage ---------------------------------------------------------------------------------------- */

static void a_damaged_file_is_refused_and_does_no_harm(void **state)
{
	sop_db *db = open_with("");
	uint8_t good[FILE_BYTES], bad[FILE_BYTES];
	struct look found;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 1);
	assert_int_equal(read_file(good), FILE_BYTES);
	for (uint64_t i = 0; i < test_scaled(100); i++) {
		memcpy(bad, good, FILE_BYTES);
		bad[test_rng_below(&rng, FILE_BYTES)] ^= (uint8_t)(1 + test_rng_below(&rng, 255));
		write_file(bad, i % 2 == 0 ? FILE_BYTES : (size_t)test_rng_below(&rng, FILE_BYTES));
		found = look();
		assert_int_equal(found.status, SOP_CORRUPT);
		assert_int_equal(found.peek.is_open, 1);
		assert_int_equal(found.peek.process, getpid());
		assert_int_equal(found.peek.has_figures, 0);
		assert_string_equal(found.err.file, "stats");
	}
	close_db(db);
	write_file(bad, 100); /* what lies there when it is opened is overwritten */
	db = open_with("");
	TEST_OK(look().status, found.err);
	close_db(db);
}

/* The file does not hide that there was a database. */
static void what_a_killed_owner_left_is_no_strange_file(void **state)
{
	char url[PATH_BYTES + 64], manifest[PATH_BYTES + 16];
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;

	(void)state;
	(void)snprintf(url, sizeof url, "inredfs:%s?create=true", path);
	(void)snprintf(manifest, sizeof manifest, "%s/MANIFEST", path);
	kill_owner(start_owner());
	assert_int_equal(access(stats_path, F_OK), 0);
	assert_int_equal(remove(manifest), 0);
	TEST_STATUS(sop_open(url, NULL, &db, &err), SOP_CORRUPT, err);
	assert_string_equal(err.file, "MANIFEST");
}

static void a_strange_file_of_that_name_is_left_alone(void **state)
{
	char url[PATH_BYTES + 64], log[PATH_BYTES + 16];
	sop_error err = SOP_ERROR_INIT;
	uint8_t bytes[FILE_BYTES];
	sop_db *db = NULL;

	(void)state;
	(void)snprintf(url, sizeof url, "inredfs:%s?create=true", path);
	(void)snprintf(log, sizeof log, "%s/log", path);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file((const uint8_t *)"precious", 8);
	for (unsigned round = 0; round < 2; round++) {
		TEST_STATUS(sop_open(url, NULL, &db, &err), SOP_EXISTS, err);
		assert_string_equal(err.file, "stats");
		assert_int_equal(read_file(bytes), 8);
		assert_memory_equal(bytes, "precious", 8);
		assert_int_equal(mkdir(log, 0700), round == 0 ? 0 : -1);
	}
}

static void link_to_a_file(void)
{
	assert_int_equal(symlink("../precious", stats_path), 0);
}

static void make_a_folder(void)
{
	assert_int_equal(mkdir(stats_path, 0700), 0);
}

static void make_a_pipe(void)
{
	assert_int_equal(mkfifo(stats_path, 0600), 0);
}

static void what_is_no_file_is_left_alone(void **state)
{
	static void (*const makes[])(void) = { link_to_a_file, make_a_folder, make_a_pipe };
	char precious[PATH_BYTES];
	struct stat about;
	FILE *file;

	(void)state;
	close_db(open_with(""));
	(void)snprintf(precious, sizeof precious, "%s/precious", folder);
	file = fopen(precious, "w");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	for (size_t i = 0; i < sizeof makes / sizeof *makes; i++) {
		struct look found;
		sop_db *db;

		makes[i]();
		db = open_with("");
		put(db);
		found = look();
		assert_int_not_equal(found.status, SOP_OK);
		assert_int_equal(found.peek.is_open, 1);
		close_db(db);
		assert_int_equal(lstat(stats_path, &about), 0); /* still there */
		assert_false(S_ISREG(about.st_mode));
		assert_int_equal(remove(stats_path), 0);
		assert_int_equal(stat(precious, &about), 0);
		assert_int_equal(about.st_size, 0);
	}
}

/* ---- arguments ------------------------------------------------------------------------------------- */

static void sizes_are_respected(void **state)
{
	sop_db *db = open_with("");
	sop_peek peek = SOP_PEEK_INIT;
	sop_stats stats = SOP_STATS_INIT;
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	memset((char *)&peek + sizeof peek.struct_size, 0xA5, sizeof peek - sizeof peek.struct_size);
	peek.struct_size = offsetof(sop_peek, host);
	TEST_OK(sop_stats_peek(path, &peek, NULL, &err), err);
	assert_int_equal(peek.struct_size, offsetof(sop_peek, host));
	assert_int_equal(peek.process, getpid());
	assert_int_equal((uint8_t)peek.host[0], 0xA5);
	peek.struct_size = 0;
	TEST_STATUS(sop_stats_peek(path, &peek, NULL, &err), SOP_MISUSE, err);
	peek.struct_size = sizeof peek;
	stats.struct_size = 0;
	TEST_STATUS(sop_stats_peek(path, &peek, &stats, &err), SOP_MISUSE, err);
	stats.struct_size = offsetof(sop_stats, begins);
	stats.begins = 77;
	TEST_OK(sop_stats_peek(path, &peek, &stats, &err), err);
	assert_int_equal(stats.begins, 77);
	TEST_STATUS(sop_stats_peek("inredfs:x", &peek, NULL, &err), SOP_MISUSE, err);
	TEST_STATUS(sop_stats_peek("", &peek, NULL, &err), SOP_MISUSE, err);
	close_db(db);
}

static int make_folder(void **state)
{
	(void)state;
	test_folder_make_fast(folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	test_folder_remove(folder);
	return 0;
}

#define PEEK_TEST(test) cmocka_unit_test_setup(test, choose_path)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		PEEK_TEST(where_nothing_is_open_nothing_is_found_or_made),
		PEEK_TEST(what_is_open_shows_who_has_it_and_how),
		PEEK_TEST(the_figures_follow_the_commits),
		PEEK_TEST(whoever_waits_for_less_is_timed_now_and_then),
		PEEK_TEST(one_that_rests_writes_nothing),
		PEEK_TEST(a_transaction_that_grows_old_is_seen),
		PEEK_TEST(one_that_only_reads_is_seen),
		PEEK_TEST(a_copy_has_none),
		PEEK_TEST(another_process_is_seen_and_its_death_too),
		PEEK_TEST(a_damaged_file_is_refused_and_does_no_harm),
		PEEK_TEST(what_a_killed_owner_left_is_no_strange_file),
		PEEK_TEST(a_strange_file_of_that_name_is_left_alone),
		PEEK_TEST(what_is_no_file_is_left_alone),
		PEEK_TEST(sizes_are_respected),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
