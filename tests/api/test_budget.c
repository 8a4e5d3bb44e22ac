/* What a database on disk may use: memory, disk, log and descriptors. */
#include "support/folder.h"
#include "support/support.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MB ((uint64_t)1 << 20)

/* Sanitizers keep memory of their own beside that of the program. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_OURS false
#else
#define MEMORY_IS_OURS true
#endif

enum {
	SLACK_MB = 32, /* resident beyond the cache, and a quarter of that: blocks of sizes that are not asked for now */
	LOG_MB = 4, /* log_bytes_max where the disk is looked at */
	FIXED_MB = 3, /* on disk beside data and log: a segment of the registry, the ballast, smaller files */
	BATCH = 200, /* items in a transaction */
	VALUE_BYTES = 200,
	OPENINGS = 100,
	LARGE_AT_SCALE = 10, /* from here on the large database is tested, which takes minutes */
	IDLE_DATABASES = 1000,
	IDLE_DESCRIPTORS = 8,
	SEGMENT_COMMITS_MAX = 10000, /* that fill a segment */
	WAITING_COMMITS = 40000,
	WAITING_COMMIT_BYTES = 256, /* of log, segments included that are twice as large as what is in them */
};

/* What a database is given, and how much it must manage with that. */
struct budget {
	unsigned cache_mb;
	unsigned log_mb;
	uint64_t items; /* of 8 + VALUE_BYTES bytes */
	uint64_t updates;
};

struct box {
	char folder[TEST_PATH_BYTES];
	sop_db *db;
	sop_store *store;
	sop_txn *txn;
	sop_error err;
	struct test_rng rng;
	uint64_t resident_before;
	uint64_t resident_max;
};

/* ---- measuring ------------------------------------------------------------------------------- */

static uint64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long long total = 0;
	unsigned long long resident = 0;

	if (file == NULL || fscanf(file, "%llu %llu", &total, &resident) != 2)
		fail_msg("no /proc/self/statm");
	(void)fclose(file);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void look_at_memory(struct box *box)
{
	const uint64_t now = resident_bytes();

	if (now > box->resident_before && now - box->resident_before > box->resident_max)
		box->resident_max = now - box->resident_before;
}

static uint64_t log_disk_bytes(const struct box *box)
{
	char path[TEST_PATH_BYTES + 8];

	(void)snprintf(path, sizeof path, "%s/log", box->folder);
	return test_folder_disk_bytes(path);
}

/* ---- a database ------------------------------------------------------------------------------ */

static sop_db *open_with(const char *folder, const char *options, sop_error *err)
{
	char url[TEST_PATH_BYTES + 200];
	sop_db *db = NULL;

	(void)snprintf(url, sizeof url, "inredfs:%s?create=true&durability=buffered&%s", folder, options);
	TEST_OK(sop_open(url, NULL, &db, err), *err);
	return db;
}

static void box_open(struct box *box, const char *options)
{
	const sop_error err = SOP_ERROR_INIT;

	memset(box, 0, sizeof *box);
	box->err = err;
	test_rng_init(&box->rng, test_seed(), 0);
	test_folder_make(box->folder);
	box->resident_before = resident_bytes();
	box->db = open_with(box->folder, options, &box->err);
	TEST_OK(sop_begin(box->db, NULL, &box->txn, &box->err), box->err);
	TEST_OK(sop_store_open(box->db, test_text("s"), NULL, &box->store, &box->err), box->err);
	TEST_OK(sop_store_create(box->txn, box->store, &box->err), box->err);
	TEST_OK(sop_commit(box->txn, &box->err), box->err);
}

static void box_close(struct box *box)
{
	sop_txn_free(box->txn);
	sop_store_free(box->store);
	TEST_OK(sop_close(box->db, &box->err), box->err);
	sop_db_free(box->db);
	test_folder_remove(box->folder);
}

/* Puts keys from `from` to `to` in order, or as many at random below `to`. */
static void put_all(struct box *box, uint64_t from, uint64_t to, size_t size_min, size_t size_max,
		    bool at_random)
{
	uint8_t *value = test_alloc(size_max);
	uint8_t room[8];

	for (uint64_t i = from; i < to;) {
		TEST_OK(sop_txn_renew(box->txn, &box->err), box->err);
		for (uint64_t end = i + BATCH < to ? i + BATCH : to; i < end; i++) {
			const uint64_t key = at_random ? test_rng_below(&box->rng, to) : i;
			const size_t size =
				size_min + test_rng_below(&box->rng, size_max - size_min + 1);

			for (size_t b = 0; b + 8 <= size; b += 8)
				(void)test_value_u64(value + b, test_rng_next(&box->rng));
			TEST_OK(sop_put(box->txn, box->store, test_key_u64(room, key),
					test_bytes(value, size), &box->err),
				box->err);
		}
		TEST_OK(sop_commit(box->txn, &box->err), box->err);
		look_at_memory(box);
	}
	free(value);
}

/* Bytes of keys and values. */
static uint64_t live_bytes(struct box *box, bool looks)
{
	sop_cursor *cursor = NULL;
	uint64_t bytes = 0;
	uint64_t count = 0;
	sop_entry entry;

	TEST_OK(sop_txn_renew(box->txn, &box->err), box->err);
	TEST_OK(sop_cursor_open(box->txn, box->store, NULL, 0, &cursor, &box->err), box->err);
	while (sop_cursor_next(cursor, &entry, &box->err) == SOP_OK) {
		bytes += entry.key.size + entry.value.size;
		if (looks && ++count % 10000 == 0)
			look_at_memory(box);
	}
	sop_cursor_free(cursor);
	TEST_OK(sop_rollback(box->txn, &box->err), box->err);
	return bytes;
}

static void gc(struct box *box)
{
	TEST_OK(sop_gc(box->db, NULL, NULL, &box->err), box->err);
	look_at_memory(box);
}

static void check_disk(struct box *box, const char *what)
{
	const uint64_t live = live_bytes(box, false);
	uint64_t disk;
	uint64_t log;

	gc(box);
	disk = test_folder_disk_bytes(box->folder);
	log = log_disk_bytes(box);
	print_message("  %s: %.1f MB live, %.1f MB on disk, ratio %.2f\n", what,
		      (double)live / (double)MB, (double)disk / (double)MB,
		      live != 0 ? (double)disk / (double)live : 0.0);
	assert_true(log <= LOG_MB * MB + LOG_MB * MB / 2);
	assert_true(disk - log <= live + live * 3 / 10 + FIXED_MB * MB);
}

static void check_memory(const struct box *box, const struct budget *budget, const char *what)
{
	print_message("  %s: %.1f MB resident at most\n", what, (double)box->resident_max / (double)MB);
	if (MEMORY_IS_OURS)
		assert_true(box->resident_max <=
			    (budget->cache_mb + budget->cache_mb / 4 + SLACK_MB) * MB);
}

/* ---- the tests ------------------------------------------------------------------------------- */

/* Puts in ten steps, and looks at the log in between. */
static void load_in_order(struct box *box, uint64_t items, uint64_t *log)
{
	for (uint64_t tenth = 0; tenth < 10; tenth++) {
		put_all(box, items * tenth / 10, items * (tenth + 1) / 10, VALUE_BYTES, VALUE_BYTES,
			false);
		*log = log_disk_bytes(box) > *log ? log_disk_bytes(box) : *log;
	}
}

static void update_at_random(struct box *box, uint64_t updates, uint64_t items, uint64_t *log)
{
	for (uint64_t tenth = 0; tenth < 10; tenth++) {
		put_all(box, items - updates / 10, items, VALUE_BYTES, VALUE_BYTES, true);
		*log = log_disk_bytes(box) > *log ? log_disk_bytes(box) : *log;
	}
}

static void read_at_random(struct box *box, uint64_t reads, uint64_t items)
{
	sop_buf value = SOP_BUF_INIT;
	uint8_t room[8];

	for (uint64_t i = 0; i < reads; i++) {
		const sop_status status = sop_read(box->db, box->store,
						   test_key_u64(room, test_rng_below(&box->rng, items)),
						   &value, &box->err);

		TEST_OK(status, box->err);
		if (i % 1000 == 0)
			look_at_memory(box);
	}
	sop_buf_free(&value);
}

static void keep_to(const struct budget *budget)
{
	char options[100];
	struct box box;
	uint64_t problems = 0;
	uint64_t log = 0;

	(void)snprintf(options, sizeof options, "cache_bytes=%uMB&log_bytes_max=%uMB",
		       budget->cache_mb, budget->log_mb);
	box_open(&box, options);
	load_in_order(&box, budget->items, &log);
	check_memory(&box, budget, "load");
	read_at_random(&box, budget->updates / 2, budget->items);
	check_memory(&box, budget, "random reads");
	print_message("  %.1f MB of keys and values\n", (double)live_bytes(&box, true) / (double)MB);
	check_memory(&box, budget, "a scan by one reader");
	update_at_random(&box, budget->updates, budget->items, &log);
	check_memory(&box, budget, "random updates");
	TEST_OK(sop_verify(box.db, NULL, NULL, NULL, &problems, &box.err), box.err);
	assert_int_equal(problems, 0);
	look_at_memory(&box);
	check_memory(&box, budget, "verify");
	gc(&box);
	check_memory(&box, budget, "gc");
	print_message("  log: %.1f MB on disk at most\n", (double)log / (double)MB);
	/* log_bytes_max, and three quarters of it: what is kept to be used once more, and a segment that is filled ahead */
	assert_true(log <= budget->log_mb * MB / 4 * 7);
	box_close(&box);
}

static void memory_and_log_stay_within_their_budgets(void **state)
{
	const uint64_t most = 1200000;
	const uint64_t scaled = test_scaled(600000); /* about 140 MB, nine times the cache */
	const uint64_t items = scaled < most ? scaled : most; /* more is for the next one */
	const struct budget budget = { 16, 16, items, items / 2 };

	(void)state;
	keep_to(&budget);
}

static void a_gigabyte_is_managed_in_64_megabytes(void **state)
{
	const struct budget budget = { 64, 64, 5200000, 500000 };

	(void)state;
	if (test_scaled(1) < LARGE_AT_SCALE)
		skip();
	keep_to(&budget);
}

static void disk_follows_the_live_data(void **state)
{
	/* 10 MB; less would be little beside what every database has */
	const uint64_t items = test_scaled(50000) < 50000 ? 50000 : test_scaled(50000);
	struct box box;
	uint64_t removed = 0;
	uint64_t full;
	sop_range range = SOP_RANGE_INIT;
	uint8_t low[8];
	uint8_t high[8];

	(void)state;
	box_open(&box, "cache_bytes=16MB&log_bytes_max=4MB");
	put_all(&box, 0, items, VALUE_BYTES, VALUE_BYTES, false);
	for (unsigned round = 0; round < 10; round++)
		put_all(&box, 0, items, VALUE_BYTES, VALUE_BYTES, true);
	check_disk(&box, "ten times updated");
	full = test_folder_disk_bytes(box.folder);
	range.flags = SOP_RANGE_FROM | SOP_RANGE_TO;
	for (uint64_t part = 10; part < 100; part++) {
		range.from = test_key_u64(low, items * part / 100);
		range.to = test_key_u64(high, items * (part + 1) / 100);
		TEST_OK(sop_txn_renew(box.txn, &box.err), box.err);
		TEST_OK(sop_remove_range(box.txn, box.store, &range, &removed, &box.err), box.err);
		TEST_OK(sop_commit(box.txn, &box.err), box.err);
	}
	check_disk(&box, "nine tenths removed");
	assert_true(test_folder_disk_bytes(box.folder) < full);
	box_close(&box);
}

static void values_apart_give_their_space_back(void **state)
{
	const uint64_t items = test_scaled(1000); /* 10 MB */
	struct box box;

	(void)state;
	box_open(&box, "cache_bytes=16MB&log_bytes_max=4MB");
	for (unsigned round = 0; round < 10; round++)
		put_all(&box, 0, items, 1 << 10, 20 << 10, round > 0);
	put_all(&box, 0, 20, 100 << 10, 100 << 10, false);
	check_disk(&box, "values of 1 to 100 KB, ten times updated");
	TEST_OK(sop_txn_renew(box.txn, &box.err), box.err);
	TEST_OK(sop_store_drop(box.txn, box.store, &box.err), box.err);
	TEST_OK(sop_commit(box.txn, &box.err), box.err);
	gc(&box);
	gc(&box); /* the dropped store's memory goes with the first */
	print_message("  dropped: %.1f MB on disk\n",
		      (double)test_folder_disk_bytes(box.folder) / (double)MB);
	assert_true(test_folder_disk_bytes(box.folder) <= 4 * MB);
	box_close(&box);
}

static size_t open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t count = 0;

	while (folder != NULL && readdir(folder) != NULL)
		count++;
	(void)closedir(folder);
	return count;
}

static void idle_databases_are_small_and_still(void **state)
{
	const size_t count = test_scaled(IDLE_DATABASES) < IDLE_DATABASES
				     ? (size_t)test_scaled(IDLE_DATABASES)
				     : IDLE_DATABASES;
	struct rlimit limit;
	sop_db **dbs = test_alloc(count * sizeof *dbs);
	char folder[TEST_PATH_BYTES];
	sop_error err = SOP_ERROR_INIT;
	size_t descriptors;
	uint64_t resident, now;
	clock_t cpu;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < count * IDLE_DESCRIPTORS + 100)
		skip();
	test_folder_make_fast(folder);
	descriptors = open_descriptors();
	resident = resident_bytes();
	for (size_t i = 0; i < count; i++) {
		char path[TEST_PATH_BYTES + 24];
		sop_store *store = NULL;
		sop_txn *txn = NULL;

		(void)snprintf(path, sizeof path, "%s/%zu", folder, i);
		dbs[i] = open_with(path, "cache_bytes=4MB", &err);
		TEST_OK(sop_store_open(dbs[i], test_text("s"), NULL, &store, &err), err);
		TEST_OK(sop_begin(dbs[i], NULL, &txn, &err), err);
		TEST_OK(sop_store_create(txn, store, &err), err);
		TEST_OK(sop_put(txn, store, test_text("k"), test_text("v"), &err), err);
		TEST_OK(sop_commit(txn, &err), err);
		sop_txn_free(txn);
		sop_store_free(store);
	}
	test_sleep_us(2500000); /* marks are written after a second */
	descriptors = (open_descriptors() - descriptors + count - 1) / count;
	now = resident_bytes();
	resident = now > resident ? (now - resident) / count : 0; /* other memory may have gone meanwhile */
	cpu = clock();
	test_sleep_us(1000000);
	cpu = clock() - cpu;
	print_message("  %zu databases: %zu descriptors and %llu KB each, %.0f us of processor a second each\n",
		      count, descriptors, (unsigned long long)resident >> 10,
		      (double)cpu * 1e6 / CLOCKS_PER_SEC / (double)count);
	assert_true(descriptors <= IDLE_DESCRIPTORS);
	assert_true(resident < MB || !MEMORY_IS_OURS);
	for (size_t i = 0; i < count; i++) {
		TEST_OK(sop_close(dbs[i], &err), err);
		sop_db_free(dbs[i]);
	}
	free(dbs);
	test_folder_remove(folder);
}

static sop_status make_store(sop_txn *txn, void *arg, sop_error *err)
{
	return sop_store_create(txn, arg, err);
}

static sop_status put_one(sop_txn *txn, void *arg, sop_error *err)
{
	return sop_put(txn, arg, test_text("k"), test_text("v"), err);
}

/* ---- no descriptor left ------------------------------------------------------------------------ */

struct item {
	sop_store *store;
	sop_bytes value;
};

static sop_status put_item(sop_txn *txn, void *arg, sop_error *err)
{
	const struct item *item = arg;

	return sop_put(txn, item->store, test_text("item"), item->value, err);
}

/* Lets the process open nothing more, or as much as before. */
static void allow_descriptors(bool allowed)
{
	static struct rlimit before;
	struct rlimit limit;

	if (!allowed)
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	if (!allowed)
		limit.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void expect_no_descriptor(sop_status status, const sop_error *err)
{
	if (status != SOP_NO_MEMORY)
		allow_descriptors(true); /* for the message */
	TEST_STATUS(status, SOP_NO_MEMORY, *err);
	assert_true((err->traits & SOP_TRAIT_RETRY) != 0 && (err->traits & SOP_TRAIT_FATAL) == 0);
	assert_non_null(strstr(err->message, "ulimit -n"));
}

/* Commits until the log needs another segment. */
static sop_status fill_segment(struct box *box, struct item *item)
{
	sop_status status = SOP_OK;

	for (int i = 0; i < SEGMENT_COMMITS_MAX && status == SOP_OK; i++)
		status = sop_run(box->db, NULL, put_item, item, &box->err);
	return status;
}

static void without_a_descriptor_calls_fail_and_the_database_goes_on(void **state)
{
	static uint8_t bytes[64 << 10];
	struct item small = { .value = { bytes, 700 } };
	struct item apart = { .value = { bytes, sizeof bytes } };
	sop_status status;
	struct box box;

	(void)state;
	box_open(&box, "cache_bytes=4MB");
	TEST_OK(sop_commit(box.txn, &box.err), box.err);
	sop_txn_free(box.txn);
	box.txn = NULL;
	small.store = apart.store = box.store;
	TEST_OK(sop_run(box.db, NULL, put_item, &small, &box.err), box.err);
	allow_descriptors(false);
	expect_no_descriptor(sop_checkpoint(box.db, &box.err), &box.err);
	expect_no_descriptor(sop_run(box.db, NULL, put_item, &apart, &box.err), &box.err);
	status = fill_segment(&box, &small);
	expect_no_descriptor(status, &box.err);
	allow_descriptors(true);
	TEST_OK(sop_run(box.db, NULL, put_item, &small, &box.err), box.err);
	TEST_OK(sop_run(box.db, NULL, put_item, &apart, &box.err), box.err);
	TEST_OK(sop_checkpoint(box.db, &box.err), box.err);
	TEST_OK(sop_verify(box.db, NULL, NULL, NULL, NULL, &box.err), box.err);
	box_close(&box);
}

/* A program that is run a thousand times, such as a command line, must not leave a segment of the log each time. */
static void opening_again_and_again_takes_no_space(void **state)
{
	char folder[TEST_PATH_BYTES];
	char path[TEST_PATH_BYTES + 8];
	sop_error err = SOP_ERROR_INIT;
	uint64_t most = 0;

	(void)state;
	test_folder_make_fast(folder);
	(void)snprintf(path, sizeof path, "%s/db", folder);
	for (unsigned i = 0; i < OPENINGS; i++) {
		sop_db *db = open_with(path, "cache_bytes=16MB", &err);
		sop_store *store = NULL;
		uint64_t bytes;

		if (i < OPENINGS / 2) { /* then it is only looked at */
			TEST_OK(sop_store_open(db, test_text("s"), NULL, &store, &err), err);
			TEST_OK(sop_run(db, NULL, i == 0 ? make_store : put_one, store, &err), err);
		}
		sop_store_free(store);
		TEST_OK(sop_close(db, &err), err);
		sop_db_free(db);
		bytes = test_folder_disk_bytes(path);
		most = bytes > most ? bytes : most;
	}
	print_message("  opened %u times: %.1f MB on disk at most\n", OPENINGS,
		      (double)most / (double)MB);
	assert_true(most <= 64 * MB);
	test_folder_remove(folder);
}

/* What waits for a flush takes as much log as it will fill, not a block for each commit. */
static void commits_that_wait_for_one_flush_share_the_log(void **state)
{
	struct box box;
	const struct sop_bytes key = test_text("counter");
	uint64_t bytes;

	(void)state;
	box_open(&box, "flush_interval_ms=60000&log_bytes_max=1GB");
	for (uint64_t i = 0; i < WAITING_COMMITS; i++) {
		TEST_OK(sop_txn_renew(box.txn, &box.err), box.err);
		TEST_OK(sop_add(box.txn, box.store, key, 1, &box.err), box.err);
		TEST_OK(sop_commit(box.txn, &box.err), box.err);
	}
	bytes = log_disk_bytes(&box);
	if (bytes > WAITING_COMMITS * WAITING_COMMIT_BYTES)
		fail_msg("%d commits that wait take %" PRIu64 " bytes of log", WAITING_COMMITS, bytes);
	box_close(&box);
}

/* Closing, and commits that need a checkpoint, do not wait for the timer of the flush. */
static void a_long_flush_interval_holds_nobody_up(void **state)
{
	const time_t begun = time(NULL);
	struct box box;

	(void)state;
	box_open(&box, "flush_interval_ms=60000&log_bytes_max=4MB&cache_bytes=8MB");
	put_all(&box, 0, 20 * MB / VALUE_BYTES, VALUE_BYTES, VALUE_BYTES, false);
	box_close(&box);
	assert_true(time(NULL) - begun < 50);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_and_log_stay_within_their_budgets),
		cmocka_unit_test(a_gigabyte_is_managed_in_64_megabytes),
		cmocka_unit_test(disk_follows_the_live_data),
		cmocka_unit_test(values_apart_give_their_space_back),
		cmocka_unit_test(idle_databases_are_small_and_still),
		cmocka_unit_test(without_a_descriptor_calls_fail_and_the_database_goes_on),
		cmocka_unit_test(opening_again_and_again_takes_no_space),
		cmocka_unit_test(commits_that_wait_for_one_flush_share_the_log),
		cmocka_unit_test(a_long_flush_interval_holds_nobody_up),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
