/* What has failed is not shared with whoever opens its folder next, and others can see that it has failed. */
#include "api/handle.h"
#include "support/folder.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_S = 60 }; /* for what takes a second on an idle machine */

static sop_status open_at(const char *path, sop_db **db, sop_error *err)
{
	char url[TEST_PATH_BYTES + 32];

	*db = NULL;
	(void)snprintf(url, sizeof url, "inredfs:%s?create=true", path);
	return sop_open(url, NULL, db, err);
}

static sop_status make_store(sop_txn *txn, void *store, sop_error *err)
{
	return sop_store_create(txn, store, err);
}

static void one_that_has_failed_takes_nobody_in(void **state)
{
	char path[TEST_PATH_BYTES];
	sop_error err = SOP_ERROR_INIT;
	sop_db *a, *b, *c;
	sop_store *store = NULL;

	(void)state;
	test_folder_make_fast(path);
	TEST_OK(open_at(path, &a, &err), err);
	TEST_OK(open_at(path, &b, &err), err);
	TEST_OK(sop_store_open(a, test_text("s"), NULL, &store, &err), err);
	TEST_OK(sop_run(a, NULL, make_store, store, &err), err);
	sopi_engine_fail(a->engine, SOP_IO);
	TEST_STATUS(open_at(path, &c, &err), SOP_FAILED, err);
	assert_null(c);
	assert_non_null(strstr(err.message, "close every handle"));
	TEST_STATUS(sop_close(b, &err), SOP_FAILED, err); /* closed all the same */
	TEST_STATUS(open_at(path, &c, &err), SOP_FAILED, err);
	TEST_STATUS(sop_close(a, &err), SOP_FAILED, err);
	TEST_OK(open_at(path, &c, &err), err); /* before the shells have gone */
	sop_store_free(store);
	TEST_OK(sop_store_open(c, test_text("s"), NULL, &store, &err), err);
	TEST_STATUS(sop_run(c, NULL, make_store, store, &err), SOP_EXISTS, err); /* nothing is lost */
	sop_store_free(store);
	sop_db_free(a);
	sop_db_free(b);
	sop_db_free(c);
	test_folder_remove(path);
}

/* Opened and never written to, so that nothing runs yet that could say so. */
static void others_see_that_it_has_failed(void **state)
{
	const int64_t until_ns = test_now_ns() + (int64_t)PATIENCE_S * 1000000000;
	char path[TEST_PATH_BYTES];
	sop_error err = SOP_ERROR_INIT;
	sop_stats stats = SOP_STATS_INIT;
	sop_peek peek = SOP_PEEK_INIT;
	sop_db *db;

	(void)state;
	test_folder_make_fast(path);
	TEST_OK(open_at(path, &db, &err), err);
	TEST_OK(sop_stats_peek(path, &peek, &stats, &err), err);
	assert_int_equal(stats.failed, 0);
	sopi_engine_fail(db->engine, SOP_IO);
	while (stats.failed == 0 && test_now_ns() < until_ns) {
		test_sleep_us(20000);
		TEST_OK(sop_stats_peek(path, &peek, &stats, &err), err);
	}
	assert_int_equal(stats.failed, 1);
	TEST_STATUS(sop_close(db, &err), SOP_FAILED, err);
	TEST_STATUS(sop_stats_peek(path, &peek, &stats, &err), SOP_NOT_FOUND, err);
	sop_db_free(db);
	test_folder_remove(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_has_failed_takes_nobody_in),
		cmocka_unit_test(others_see_that_it_has_failed),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
