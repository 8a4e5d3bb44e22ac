/* What a large transaction leaves for the next one: it is used again, has a bound, and goes when nothing large follows. */
#include "api/handle.h"
#include "support/folder.h"
#include "support/support.h"

#include <stdio.h>

enum {
	ROWS = 20000, /* of one transaction: 13 MB and more, with what it says in the log */
	VALUE_BYTES = 300,
	SMALL_CACHE_BYTES = 16 << 20,
	WAIT_MS_MAX = 60000, /* of a machine that is busy with other things */
	SMALL_COMMITS = 2000,
};

struct box {
	sop_db *db;
	sop_store *store;
	char folder[TEST_PATH_BYTES];
	sop_error err;
};

static void open_box(struct box *box, bool in_memory, int64_t cache_bytes)
{
	char url[TEST_PATH_BYTES + 16] = "inmemory:";
	sop_options *options = NULL;
	sop_txn *txn = NULL;

	box->err = (sop_error)SOP_ERROR_INIT;
	test_folder_make_fast(box->folder);
	if (!in_memory)
		(void)snprintf(url, sizeof url, "inredfs:%s/db", box->folder);
	TEST_OK(sop_options_new(&options, &box->err), box->err);
	TEST_OK(sop_options_set_bool(options, "create", 1, &box->err), box->err);
	if (cache_bytes != 0)
		TEST_OK(sop_options_set_int(options, "cache_bytes", cache_bytes, &box->err), box->err);
	TEST_OK(sop_open(url, options, &box->db, &box->err), box->err);
	sop_options_free(options);
	TEST_OK(sop_store_open(box->db, test_text("s"), NULL, &box->store, &box->err), box->err);
	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	TEST_OK(sop_store_create(txn, box->store, &box->err), box->err);
	TEST_OK(sop_commit(txn, &box->err), box->err);
	sop_txn_free(txn);
}

static void close_box(struct box *box)
{
	sop_store_free(box->store);
	TEST_OK(sop_close(box->db, &box->err), box->err);
	sop_db_free(box->db);
	test_folder_remove(box->folder);
}

static void put_rows(struct box *box, uint64_t from, uint64_t count)
{
	uint8_t value[VALUE_BYTES] = { 0 };
	uint8_t room[8];
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	for (uint64_t i = from; i < from + count; i++)
		TEST_OK(sop_put(txn, box->store, test_key_u64(room, i),
				test_bytes(value, sizeof value), &box->err),
			box->err);
	TEST_OK(sop_commit(txn, &box->err), box->err);
	sop_txn_free(txn);
}

static size_t kept(const struct box *box)
{
	return box->db->engine->forest.spare.bytes;
}

static void the_next_large_transaction_uses_it(void **state)
{
	struct box box;
	size_t first;

	(void)state;
	open_box(&box, true, 0);
	put_rows(&box, 0, ROWS);
	first = kept(&box);
	print_message("  %zu KB\n", first >> 10);
	assert_true(first > ROWS * VALUE_BYTES && first <= SOPI_SPARE_BYTES_MAX);
	for (int i = 0; i < 5; i++) {
		put_rows(&box, 0, ROWS);
		assert_true(kept(&box) <= first + first / 8); /* it does not add up */
	}
	close_box(&box);
}

static void a_small_cache_bounds_it(void **state)
{
	struct box box;

	(void)state;
	open_box(&box, false, SMALL_CACHE_BYTES);
	for (uint64_t i = 0; i < 3; i++) {
		put_rows(&box, i * ROWS, ROWS);
		assert_true(kept(&box) <= SMALL_CACHE_BYTES / 16);
	}
	close_box(&box);
}

static void it_goes_from_a_folder_after_a_while(void **state)
{
	const int64_t end_ns = test_now_ns() + (int64_t)WAIT_MS_MAX * 1000000;
	struct box box;

	(void)state;
	open_box(&box, false, 0);
	put_rows(&box, 0, ROWS);
	assert_true(kept(&box) > 0);
	while (kept(&box) > 0 && test_now_ns() < end_ns)
		test_sleep_us(10000);
	assert_int_equal(kept(&box), 0);
	put_rows(&box, 0, ROWS); /* nothing depends on it */
	close_box(&box);
}

static void it_goes_from_memory_as_small_commits_follow(void **state)
{
	struct box box;

	(void)state;
	open_box(&box, true, 0);
	put_rows(&box, 0, ROWS);
	assert_true(kept(&box) > 0);
	for (uint64_t i = 0; i < SMALL_COMMITS; i++)
		put_rows(&box, i * 7 % ROWS, 1);
	assert_int_equal(kept(&box), 0);
	close_box(&box);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_large_transaction_uses_it),
		cmocka_unit_test(a_small_cache_bounds_it),
		cmocka_unit_test(it_goes_from_a_folder_after_a_while),
		cmocka_unit_test(it_goes_from_memory_as_small_commits_follow),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("kept_memory", tests, NULL, NULL);
}
