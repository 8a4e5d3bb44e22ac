/* Data that is larger than the cache, as scans and gets meet it: what comes in ahead is right, costs few reads, and does not
 * throw out what others need. */
#include "support/folder.h"
#include "support/support.h"

#include <ftw.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	CACHE_MB = 6,
	SNAPSHOT_MB = 256, /* what a scan may keep that was overwritten meanwhile: all of it */
	ITEMS = 80000, /* 17 MB with their keys */
	VALUE_BYTES = 200,
	BATCH = 1000,
	HOT_ITEMS = 2000, /* the first: half a megabyte */
	START = 1000, /* what each item holds at first, in the test that moves it about */
	SCANS = 6,
	COMMITS_EACH = 30, /* of a thread, beside each scan */
	LARGE_ITEMS = 6000, /* more than fit in the cache, at once and once more */
	LARGE_VALUE_BYTES = 1024,
	ROOMY_CACHE_MB = 64, /* all of them fit */
	WRITERS = 4,
	SPREAD = 100, /* items of one commit, each in another leaf */
	SPREAD_COMMITS = 60, /* of a thread */
	STEP = 80, /* between two items of leaves that follow each other but for a few; a multiple of WRITERS */
};

/* For nftw, which takes no argument for its callback. */
static char largest[TEST_PATH_BYTES + 100];
static off_t largest_bytes;

struct box {
	char folder[TEST_PATH_BYTES];
	unsigned cache_mb;
	sop_db *db;
	sop_store *store;
	sop_error err;
};

static sop_txn *begin(struct box *box, sop_error *err)
{
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(box->db, NULL, &txn, err), *err);
	return txn;
}

static void put_amount(struct box *box, sop_txn *txn, uint64_t key, uint64_t amount, sop_error *err)
{
	uint8_t value[VALUE_BYTES] = { 0 };
	uint8_t room[8];

	(void)test_value_u64(value, amount);
	for (size_t i = 8; i < sizeof value; i++)
		value[i] = (uint8_t)(key * 31 + i);
	TEST_OK(sop_put(txn, box->store, test_key_u64(room, key), test_bytes(value, sizeof value), err),
		*err);
}

static uint64_t amount_of(uint64_t key, const void *data, size_t size)
{
	const uint8_t *value = data;
	uint64_t amount = 0;
	bool right = size == VALUE_BYTES;

	for (size_t i = 8; i < size && right; i++)
		right = value[i] == (uint8_t)(key * 31 + i);
	if (right)
		memcpy(&amount, value, 8);
	else
		test_note_failure("the value of %llu is wrong", (unsigned long long)key);
	return amount;
}

static void open_box(struct box *box)
{
	char url[TEST_PATH_BYTES + 100];

	(void)snprintf(url, sizeof url,
		       "inredfs:%s?create=true&durability=buffered&cache_bytes=%uMB&snapshot_bytes_max=%d",
		       box->folder, box->cache_mb, SNAPSHOT_MB << 20);
	TEST_OK(sop_open(url, NULL, &box->db, &box->err), box->err);
	TEST_OK(sop_store_open(box->db, test_text("s"), NULL, &box->store, &box->err), box->err);
}

static void close_box(struct box *box)
{
	sop_store_free(box->store);
	TEST_OK(sop_close(box->db, &box->err), box->err);
	sop_db_free(box->db);
}

/* All items in order, then closed and opened again: nothing is in memory. */
static int setup(void **state)
{
	struct box *box = test_alloc(sizeof *box);
	sop_txn *txn;

	memset(box, 0, sizeof *box);
	box->cache_mb = CACHE_MB;
	box->err = (sop_error)SOP_ERROR_INIT;
	test_folder_make(box->folder);
	open_box(box);
	txn = begin(box, &box->err);
	TEST_OK(sop_store_create(txn, box->store, &box->err), box->err);
	for (uint64_t key = 0; key < ITEMS; key++) {
		put_amount(box, txn, key, START, &box->err);
		if (key % BATCH != BATCH - 1)
			continue;
		TEST_OK(sop_commit(txn, &box->err), box->err);
		TEST_OK(sop_txn_renew(txn, &box->err), box->err);
	}
	TEST_OK(sop_commit(txn, &box->err), box->err);
	sop_txn_free(txn);
	TEST_OK(sop_gc(box->db, NULL, NULL, &box->err), box->err);
	close_box(box);
	open_box(box);
	*state = box;
	return 0;
}

static int teardown(void **state)
{
	struct box *box = *state;

	close_box(box);
	test_folder_remove(box->folder);
	free(box);
	return 0;
}

/* Goes over all items, whatever they hold; returns how many there are. */
static uint64_t scan_all(struct box *box)
{
	sop_txn *txn = begin(box, &box->err);
	sop_cursor *cursor = NULL;
	uint64_t count = 0;
	sop_entry entry;

	TEST_OK(sop_cursor_open(txn, box->store, NULL, 0, &cursor, &box->err), box->err);
	while (sop_cursor_next(cursor, &entry, &box->err) == SOP_OK)
		count++;
	sop_cursor_free(cursor);
	TEST_OK(sop_rollback(txn, &box->err), box->err);
	sop_txn_free(txn);
	return count;
}

/* Goes over all items, and returns the sum of what they hold. */
static uint64_t scan(struct box *box, sop_error *err)
{
	sop_txn *txn = begin(box, err);
	sop_cursor *cursor = NULL;
	uint64_t count = 0, sum = 0;
	sop_entry entry;

	TEST_OK(sop_cursor_open(txn, box->store, NULL, 0, &cursor, err), *err);
	while (sop_cursor_next(cursor, &entry, err) == SOP_OK) {
		if (test_key_read_u64(entry.key) != count)
			test_note_failure("instead of %llu there is another key",
					  (unsigned long long)count);
		sum += amount_of(count++, entry.value.data, entry.value.size);
	}
	if (count != ITEMS)
		test_note_failure("a scan found %llu items", (unsigned long long)count);
	sop_cursor_free(cursor);
	TEST_OK(sop_rollback(txn, err), *err);
	sop_txn_free(txn);
	return sum;
}

static uint64_t nodes_read(struct box *box)
{
	sop_stats stats = SOP_STATS_INIT;

	TEST_OK(sop_db_stats(box->db, &stats, &box->err), box->err);
	return stats.cache_reads;
}

/* Reads of the process, or 0 where the system does not tell. */
static unsigned long long system_reads(void)
{
	FILE *file = fopen("/proc/self/io", "r");
	unsigned long long reads = 0;
	char line[100];

	if (file == NULL)
		return 0;
	while (fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "syscr: %llu", &reads) == 1)
			break;
	}
	(void)fclose(file);
	return reads;
}

static void a_cold_scan_needs_few_reads(void **state)
{
	struct box *box = *state;
	unsigned long long reads_before, reads;
	uint64_t nodes_before, nodes;

	assert_int_equal(scan(box, &box->err), (uint64_t)ITEMS * START); /* learns where they are */
	reads_before = system_reads();
	nodes_before = nodes_read(box);
	assert_int_equal(scan(box, &box->err), (uint64_t)ITEMS * START);
	TEST_NO_FAILURES();
	nodes = nodes_read(box) - nodes_before;
	reads = system_reads() - reads_before;
	assert_in_range(nodes, 100, ITEMS * VALUE_BYTES / 2048); /* none twice */
	if (reads_before != 0 && reads * 3 > nodes)
		fail_msg("%llu reads for %llu nodes", reads, (unsigned long long)nodes);
}

static void read_hot_items(struct box *box)
{
	sop_buf value = SOP_BUF_INIT;
	uint8_t room[8];

	for (uint64_t key = 0; key < HOT_ITEMS; key++)
		TEST_OK(sop_read(box->db, box->store, test_key_u64(room, key), &value, &box->err),
			box->err);
	sop_buf_free(&value);
}

static void a_scan_does_not_throw_out_what_is_hot(void **state)
{
	struct box *box = *state;
	uint64_t before, cold, again;

	before = nodes_read(box);
	read_hot_items(box);
	cold = nodes_read(box) - before;
	assert_true(cold > 10);
	for (unsigned i = 0; i < 3; i++) {
		read_hot_items(box);
		(void)scan(box, &box->err);
	}
	before = nodes_read(box);
	read_hot_items(box);
	again = nodes_read(box) - before;
	if (again * 4 > cold)
		fail_msg("%llu of %llu leaves had to be read again", (unsigned long long)again,
			 (unsigned long long)cold);
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* The largest pack: receives its path. */
static int note_largest(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
	(void)ftw;
	if (kind != FTW_F || strstr(path, ".pack") == NULL || info->st_size <= largest_bytes)
		return 0;
	largest_bytes = info->st_size;
	(void)snprintf(largest, sizeof largest, "%s", path);
	return 0;
}

/* Changes a byte in the middle of the largest pack. */
static void damage(struct box *box)
{
	FILE *file;
	int byte;

	largest_bytes = 0;
	assert_int_equal(nftw(box->folder, note_largest, 16, FTW_PHYS), 0);
	assert_true(largest_bytes > 1 << 20);
	file = fopen(largest, "r+");
	assert_non_null(file);
	assert_int_equal(fseek(file, largest_bytes / 2, SEEK_SET), 0);
	byte = fgetc(file);
	assert_int_equal(fseek(file, largest_bytes / 2, SEEK_SET), 0);
	assert_int_equal(fputc(byte ^ 0x55, file), byte ^ 0x55);
	assert_int_equal(fclose(file), 0);
}

/* Which item a scan, or a get of each, comes to before it meets the damage. */
static uint64_t first_damaged(struct box *box, bool scans)
{
	sop_txn *txn = begin(box, &box->err);
	sop_cursor *cursor = NULL;
	sop_buf value = SOP_BUF_INIT;
	sop_status status = SOP_OK;
	uint64_t key = 0;
	uint8_t room[8];

	TEST_OK(sop_cursor_open(txn, box->store, NULL, 0, &cursor, &box->err), box->err);
	while (status == SOP_OK && key <= ITEMS) {
		status = scans ? sop_cursor_next(cursor, NULL, &box->err)
			       : sop_get(txn, box->store, test_key_u64(room, key), &value, &box->err);
		key += status == SOP_OK ? 1 : 0;
	}
	TEST_STATUS(status, SOP_CORRUPT, box->err);
	assert_non_null(strstr(box->err.file, ".pack"));
	sop_buf_free(&value);
	sop_cursor_free(cursor);
	sop_txn_free(txn);
	return key;
}

/* Damages a page of a database that is opened anew; its first damaged key, found by gets. */
static uint64_t damage_one(struct box *box)
{
	close_box(box);
	damage(box);
	open_box(box);
	return first_damaged(box, false);
}

/* What comes ahead may be damaged: that is told when the scan is there, and not before. */
static void a_scan_comes_as_far_as_the_damage(void **state)
{
	struct box *box = *state;
	const uint64_t by_gets = damage_one(box);

	assert_in_range(by_gets, 1, ITEMS - 1);
	close_box(box);
	open_box(box);
	assert_int_equal(first_damaged(box, true), by_gets);
}

/* ---- while it changes ------------------------------------------------------------------------ */

struct race {
	struct box *box;
	_Atomic bool done;
	_Atomic unsigned scans;
};

static uint64_t get_amount(struct box *box, sop_txn *txn, uint64_t key, sop_error *err)
{
	sop_buf value = SOP_BUF_INIT;
	uint8_t room[8];
	uint64_t amount;

	TEST_OK(sop_get(txn, box->store, test_key_u64(room, key), &value, err), *err);
	amount = amount_of(key, value.data, value.size);
	sop_buf_free(&value);
	return amount;
}

/* Moves one from an item to another: the sum stays as it is. */
static void move_one(struct box *box, sop_txn *txn, struct test_rng *rng, sop_error *err)
{
	const uint64_t from = test_rng_below(rng, ITEMS), to = test_rng_below(rng, ITEMS);

	put_amount(box, txn, from, get_amount(box, txn, from, err) - 1, err);
	put_amount(box, txn, to, get_amount(box, txn, to, err) + 1, err);
}

static void move_about(struct race *race, size_t index)
{
	sop_error err = SOP_ERROR_INIT;
	struct box *box = race->box;
	sop_txn *txn = begin(box, &err);
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 10 + index);
	for (unsigned commits = 0; !atomic_load(&race->done); commits++) {
		while (commits > COMMITS_EACH * (1 + atomic_load(&race->scans)) &&
		       !atomic_load(&race->done))
			sched_yield();
		for (unsigned i = 0; i < 20; i++)
			move_one(box, txn, &rng, &err);
		(void)sop_commit(txn, &err); /* or it had a conflict, and nothing has happened */
		TEST_OK(sop_txn_renew(txn, &err), err);
	}
	sop_txn_free(txn);
}

static void body(size_t index, void *arg)
{
	sop_error err = SOP_ERROR_INIT;
	struct race *race = arg;
	const uint64_t scans = test_scaled(SCANS) > 2 ? test_scaled(SCANS) : 2;

	if (index > 1) {
		move_about(race, index);
		return;
	}
	if (index == 1) { /* moves pages about */
		while (!atomic_load(&race->done))
			TEST_OK(sop_gc(race->box->db, NULL, NULL, &err), err);
		return;
	}
	for (uint64_t i = 0; i < scans; i++) {
		const uint64_t sum = scan(race->box, &err);

		atomic_fetch_add(&race->scans, 1);
		if (sum != (uint64_t)ITEMS * START)
			test_note_failure("a scan found %llu", (unsigned long long)sum);
	}
	atomic_store(&race->done, true);
}

static void scans_are_right_while_pages_move_and_change(void **state)
{
	struct race race = { .box = *state };

	test_run_threads(4, body, &race);
	TEST_NO_FAILURES();
	assert_int_equal(scan(race.box, &race.box->err), (uint64_t)ITEMS * START);
}

/* ---- commits whose leaves must be read ------------------------------------------------------------ */

/* Puts every STEPth item from `from` on, SPREAD in all, in one commit. */
static sop_status commit_spread(struct box *box, uint64_t from, uint64_t amount, sop_error *err)
{
	sop_txn *txn = begin(box, err);
	sop_status status;

	for (uint64_t i = 0; i < SPREAD; i++)
		put_amount(box, txn, from + i * STEP, amount, err);
	status = sop_commit(txn, err);
	sop_txn_free(txn);
	return status;
}

/* Where the `i`th commit of a thread begins: each meets leaves that were not asked for lately. */
static uint64_t spread_from(size_t thread, uint64_t i)
{
	return (i * 31 + thread) * WRITERS % (ITEMS - SPREAD * STEP) / WRITERS * WRITERS + thread;
}

/* Overwrites items that are its own: those that STEP and WRITERS lead to from its number. */
static void overwrite_spread(size_t index, void *arg)
{
	sop_error err = SOP_ERROR_INIT;
	struct box *box = arg;
	uint64_t *newest = test_alloc(ITEMS * sizeof *newest);
	sop_txn *txn;

	memset(newest, 0, ITEMS * sizeof *newest);
	for (uint64_t i = 1; i <= test_scaled(SPREAD_COMMITS); i++) {
		const uint64_t from = spread_from(index, i * 997);

		for (uint64_t k = 0; k < SPREAD; k++)
			newest[from + k * STEP] = i + 1;
		TEST_OK(commit_spread(box, from, i + 1, &err), err);
	}
	txn = begin(box, &err);
	for (uint64_t key = 0; key < ITEMS; key++) {
		if (newest[key] != 0 && get_amount(box, txn, key, &err) != newest[key])
			test_note_failure("item %llu is not what was put last", (unsigned long long)key);
	}
	sop_txn_free(txn);
	free(newest);
}

/* What one commit brings in stays until it is made, also where the cache is full of leaves that a checkpoint is to write. */
static void a_commit_reads_its_leaves_once(void **state)
{
	enum { COMMITS = 100 };
	struct box *box = *state;
	uint64_t nodes;

	assert_int_equal(scan_all(box), ITEMS);
	nodes = nodes_read(box);
	for (uint64_t i = 1; i <= COMMITS; i++)
		TEST_OK(commit_spread(box, spread_from(0, i * 997), i, &box->err), box->err);
	nodes = nodes_read(box) - nodes;
	print_message("  %d commits of %d items read %llu nodes\n", COMMITS, SPREAD,
		      (unsigned long long)nodes);
	assert_true(nodes <= COMMITS * SPREAD * 6 / 5);
}

/* By threads that each have others beside them, and the thread that helps one of them. */
static void commits_of_many_cold_leaves_are_right(void **state)
{
	struct box *box = *state;

	test_run_threads(WRITERS, overwrite_spread, box);
	TEST_NO_FAILURES();
	close_box(box);
	open_box(box);
	assert_int_equal(scan_all(box), ITEMS);
}

/* A commit that needs a damaged leaf says so, whichever thread has met it; those that do not need it go on. */
static void a_commit_meets_the_damage(void **state)
{
	struct box *box = *state;
	const uint64_t damaged = damage_one(box);

	for (uint64_t before = 0; before < SPREAD; before += 9) {
		const uint64_t from = damaged > before * STEP ? damaged - before * STEP : damaged;

		close_box(box);
		open_box(box);
		TEST_STATUS(commit_spread(box, from, START, &box->err), SOP_CORRUPT, box->err);
		assert_non_null(strstr(box->err.file, ".pack"));
		TEST_OK(commit_spread(box, damaged + STEP, START, &box->err), box->err);
	}
}

/* ---- leaves of large items ----------------------------------------------------------------------- */

static void put_large(struct box *box, uint64_t from)
{
	uint8_t value[LARGE_VALUE_BYTES] = { 0 };
	sop_txn *txn = begin(box, &box->err);
	uint8_t room[8];

	for (uint64_t key = from; key < from + LARGE_ITEMS; key++) {
		TEST_OK(sop_put(txn, box->store, test_key_u64(room, key),
				test_bytes(value, sizeof value), &box->err),
			box->err);
		if (key % BATCH != BATCH - 1)
			continue;
		TEST_OK(sop_commit(txn, &box->err), box->err);
		TEST_OK(sop_txn_renew(txn, &box->err), box->err);
	}
	TEST_OK(sop_commit(txn, &box->err), box->err);
	sop_txn_free(txn);
}

static uint64_t nodes_of(struct box *box)
{
	sop_stats stats = SOP_STATS_INIT;

	TEST_OK(sop_db_stats(box->db, &stats, &box->err), box->err);
	return stats.nodes;
}

/* How many nodes LARGE_ITEMS more of 1 KB take, in a database that has as many and was opened anew. */
static uint64_t nodes_for_large(unsigned cache_mb)
{
	struct box box = { .cache_mb = cache_mb, .err = SOP_ERROR_INIT };
	uint64_t before, taken;
	sop_txn *txn;

	test_folder_make(box.folder);
	open_box(&box);
	txn = begin(&box, &box.err);
	TEST_OK(sop_store_create(txn, box.store, &box.err), box.err);
	TEST_OK(sop_commit(txn, &box.err), box.err);
	sop_txn_free(txn);
	put_large(&box, 0);
	TEST_OK(sop_checkpoint(box.db, &box.err), box.err);
	close_box(&box);
	open_box(&box);
	assert_int_equal(scan_all(&box), LARGE_ITEMS); /* nodes on disk are known when their parents are read */
	before = nodes_of(&box);
	put_large(&box, LARGE_ITEMS);
	taken = nodes_of(&box) - before;
	assert_int_equal(scan_all(&box), 2 * LARGE_ITEMS);
	close_box(&box);
	test_folder_remove(box.folder);
	return taken;
}

static void large_items_share_smaller_leaves_where_most_must_be_read(void **state)
{
	const uint64_t roomy = nodes_for_large(ROOMY_CACHE_MB);
	const uint64_t cold = nodes_for_large(CACHE_MB - 2);

	(void)state;
	print_message("  %d items of 1 KB: %llu nodes in a cache that holds them, %llu otherwise\n",
		      LARGE_ITEMS, (unsigned long long)roomy, (unsigned long long)cold);
	assert_true(roomy <= LARGE_ITEMS / 12);
	assert_true(cold * 2 > roomy * 3);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_cold_scan_needs_few_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(a_scan_does_not_throw_out_what_is_hot, setup, teardown),
		cmocka_unit_test_setup_teardown(a_scan_comes_as_far_as_the_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(scans_are_right_while_pages_move_and_change, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_commit_reads_its_leaves_once, setup, teardown),
		cmocka_unit_test_setup_teardown(commits_of_many_cold_leaves_are_right, setup, teardown),
		cmocka_unit_test_setup_teardown(a_commit_meets_the_damage, setup, teardown),
		cmocka_unit_test(large_items_share_smaller_leaves_where_most_must_be_read),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
