/* What concerns the files of a database, on one that has none: nothing to do, or UNSUPPORTED; and what a database is. */
#include "api/fixture.h"

#include <string.h>

static int never(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	(void)done_bytes;
	(void)total_bytes;
	*(bool *)arg = true;
	return 0;
}

static void in_memory_there_is_nothing_to_flush(void **state)
{
	struct fixture f;
	bool told = false;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_put(f.txn, f.raw, test_text("k"), test_text("v"), &f.err), f.err);
	for (unsigned round = 0; round < 2; round++) { /* with a transaction open, and without */
		TEST_OK(sop_sync(f.db, &f.err), f.err);
		TEST_OK(sop_checkpoint(f.db, &f.err), f.err);
		TEST_OK(sop_gc(f.db, never, &told, &f.err), f.err);
		assert_false(told);
		TEST_OK(sop_commit(f.txn, &f.err), f.err);
	}
	fixture_works(f.db);
	fixture_close(&f);
}

static void in_memory_there_are_no_files_to_copy(void **state)
{
	struct fixture f;
	uint64_t position = 77;
	bool told = false;

	(void)state;
	fixture_open(&f);
	TEST_STATUS(sop_backup(f.db, "no such folder/copy", never, &told, &position, &f.err),
		    SOP_UNSUPPORTED, f.err);
	assert_non_null(strstr(f.err.message, "memory"));
	assert_int_equal(position, 77);
	assert_false(told);
	fixture_works(f.db);
	fixture_close(&f);
}

static void copies_go_into_folders_and_not_to_urls(void **state)
{
	static char long_path[5000];
	static const struct {
		const char *path;
		sop_status wanted;
	} rows[] = {
		{ "", SOP_MISUSE },
		{ "inmemory:", SOP_MISUSE },
		{ "inredfs:copy", SOP_MISUSE },
		{ "inredcfs:copy", SOP_MISUSE },
		{ long_path, SOP_LIMIT },
	};
	struct fixture f;

	(void)state;
	memset(long_path, 'x', sizeof long_path - 1);
	fixture_open(&f);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		TEST_STATUS(sop_backup(f.db, rows[i].path, NULL, NULL, NULL, &f.err),
			    rows[i].wanted, f.err);
		error_tells(&f.err, rows[i].wanted, "sop_backup");
		TEST_STATUS(sop_restore(rows[i].path, "no such folder/db", NULL, NULL, &f.err),
			    rows[i].wanted, f.err);
		error_tells(&f.err, rows[i].wanted, "sop_restore");
		TEST_STATUS(sop_restore("no such folder/copy", rows[i].path, NULL, NULL, &f.err),
			    rows[i].wanted, f.err);
		error_tells(&f.err, rows[i].wanted, "sop_restore");
	}
	fixture_close(&f);
}

static sop_info info_of(const char *url, sop_buf *path)
{
	sop_error err = SOP_ERROR_INIT;
	sop_info info = SOP_INFO_INIT;
	sop_db *db = NULL;

	TEST_OK(sop_open(url, NULL, &db, &err), err);
	TEST_OK(sop_db_info(db, &info, path, &err), err);
	sop_db_free(db);
	return info;
}

static void a_database_says_what_it_is(void **state)
{
	static const uint8_t none[16];
	sop_buf path = SOP_BUF_INIT;
	sop_info info;

	(void)state;
	assert_int_equal(sop_buf_reserve(&path, 10, NULL), SOP_OK);
	path.size = 10;
	info = info_of("inmemory:", &path);
	assert_int_equal(path.size, 0);
	assert_int_equal(info.struct_size, sizeof info);
	assert_string_equal(info.backend, "inmemory");
	assert_memory_equal(info.uuid, none, sizeof none);
	assert_int_equal(info.format, 0);
	assert_int_equal(info.durability, SOP_FLUSHED);
	assert_int_equal(info.node_bytes, 4096);
	assert_int_equal(info.node_items, 0);
	assert_int_equal(info.inline_value_bytes, 1024);
	assert_int_equal(info.registry_buckets, 0);
	assert_int_equal(info.transaction_bytes_max, 1 << 30);
	assert_int_equal(info.snapshot_bytes_max, 1 << 30);
	assert_int_equal(info.deadline_ms, 0);
	assert_int_equal(info.flush_interval_ms, 0);
	assert_int_equal(info.cache_bytes, 0);
	info = info_of("inmemory:?node_bytes=8KB&node_items=16&durability=written&deadline_ms=5", NULL);
	assert_int_equal(info.node_bytes, 8192);
	assert_int_equal(info.node_items, 16);
	assert_int_equal(info.durability, SOP_WRITTEN);
	assert_int_equal(info.deadline_ms, 5);
	info = info_of("inmemory:?durability=buffered", NULL);
	assert_int_equal(info.durability, SOP_BUFFERED);
	sop_buf_free(&path);
}

static void figures_of_files_are_zero_in_memory(void **state)
{
	struct fixture f;
	sop_stats stats = SOP_STATS_INIT;

	(void)state;
	fixture_open(&f);
	memset((char *)&stats + sizeof stats.struct_size, 0xA5, sizeof stats - sizeof stats.struct_size);
	TEST_OK(sop_db_stats(f.db, &stats, &f.err), f.err);
	assert_true(stats.position > 0);
	for (size_t at = offsetof(sop_stats, durable_position); at < offsetof(sop_stats, durability); at++)
		assert_int_equal(((const char *)&stats)[at], 0);
	assert_int_equal(stats.durability, SOP_FLUSHED);
	fixture_close(&f);
}

/* In memory a commit of any durability is as good as another. */
static void weaker_commits_are_visible_at_once(void **state)
{
	struct fixture f;
	sop_buf value = SOP_BUF_INIT;

	(void)state;
	fixture_open(&f);
	for (uint32_t durability = 0; durability <= SOP_BUFFERED; durability++) {
		sop_txn_options options = SOP_TXN_OPTIONS_INIT;
		const char letter = (char)('0' + durability);
		sop_txn *txn = NULL;

		options.durability = durability;
		TEST_OK(sop_begin(f.db, &options, &txn, &f.err), f.err);
		for (unsigned round = 0; round < 2; round++) {
			TEST_OK(sop_put(txn, f.raw, test_text("k"), test_bytes(&letter, 1), &f.err),
				f.err);
			TEST_OK(sop_commit(txn, &f.err), f.err);
			TEST_OK(sop_txn_renew(txn, &f.err), f.err);
		}
		sop_txn_free(txn);
		TEST_OK(sop_read(f.db, f.raw, test_text("k"), &value, &f.err), f.err);
		assert_memory_equal(value.data, &letter, 1);
	}
	sop_buf_free(&value);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_memory_there_is_nothing_to_flush),
		cmocka_unit_test(in_memory_there_are_no_files_to_copy),
		cmocka_unit_test(copies_go_into_folders_and_not_to_urls),
		cmocka_unit_test(a_database_says_what_it_is),
		cmocka_unit_test(figures_of_files_are_zero_in_memory),
		cmocka_unit_test(weaker_commits_are_visible_at_once),
		cmocka_unit_test(every_message_says_what_to_do),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
