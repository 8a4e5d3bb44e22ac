/* Options by name and by url: types, units, ranges, what is unknown, and which of two wins. */
#include "api/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sop_options *options_new(void)
{
	sop_error err = SOP_ERROR_INIT;
	sop_options *options = NULL;

	TEST_OK(sop_options_new(&options, &err), err);
	return options;
}

struct text_row {
	const char *name;
	const char *value;
	sop_status wanted;
	sop_status or_else;
};

static void texts_are_read_by_their_type(void **state)
{
	static const struct text_row rows[] = {
		{ "node_bytes", "4096", SOP_OK, SOP_OK },
		{ "node_bytes", "1024", SOP_OK, SOP_OK },
		{ "node_bytes", "1023", SOP_LIMIT, SOP_LIMIT },
		{ "node_bytes", "32768", SOP_OK, SOP_OK },
		{ "node_bytes", "32769", SOP_LIMIT, SOP_LIMIT },
		{ "node_bytes", "1KB", SOP_OK, SOP_OK },
		{ "node_bytes", "32KB", SOP_OK, SOP_OK },
		{ "node_bytes", "33KB", SOP_LIMIT, SOP_LIMIT },
		{ "node_bytes", "1MB", SOP_LIMIT, SOP_LIMIT },
		{ "node_bytes", "0", SOP_LIMIT, SOP_LIMIT },
		{ "node_bytes", "-4096", SOP_LIMIT, SOP_MISUSE },
		{ "node_bytes", "", SOP_MISUSE, SOP_MISUSE },
		{ "node_bytes", " 4096", SOP_MISUSE, SOP_MISUSE },
		{ "node_bytes", "4096 ", SOP_MISUSE, SOP_MISUSE },
		{ "node_bytes", "4096x", SOP_MISUSE, SOP_MISUSE },
		{ "node_bytes", "4KBB", SOP_MISUSE, SOP_MISUSE },
		{ "node_bytes", "KB", SOP_MISUSE, SOP_MISUSE },
		{ "node_bytes", "4.5KB", SOP_MISUSE, SOP_MISUSE },
		{ "node_bytes", "0x1000", SOP_MISUSE, SOP_MISUSE },
		{ "node_bytes", "4e3", SOP_MISUSE, SOP_MISUSE },
		{ "node_bytes", "true", SOP_MISUSE, SOP_MISUSE },
		{ "node_bytes", "9223372036854775807", SOP_LIMIT, SOP_LIMIT },
		{ "node_bytes", "9223372036854775808", SOP_LIMIT, SOP_MISUSE },
		{ "node_bytes", "99999999999999999999999999", SOP_LIMIT, SOP_MISUSE },
		{ "node_bytes", "17179869184GB", SOP_LIMIT, SOP_MISUSE }, /* 2^64 */
		{ "node_bytes", "18014398509481988KB", SOP_LIMIT, SOP_MISUSE }, /* 2^64 + 4096 */
		{ "node_items", "0", SOP_OK, SOP_OK },
		{ "node_items", "1", SOP_LIMIT, SOP_LIMIT },
		{ "node_items", "3", SOP_LIMIT, SOP_LIMIT },
		{ "node_items", "4", SOP_OK, SOP_OK },
		{ "node_items", "20000", SOP_OK, SOP_OK },
		{ "node_items", "20001", SOP_LIMIT, SOP_LIMIT },
		{ "inline_value_bytes", "63", SOP_LIMIT, SOP_LIMIT },
		{ "inline_value_bytes", "64", SOP_OK, SOP_OK },
		{ "inline_value_bytes", "16KB", SOP_OK, SOP_OK },
		{ "inline_value_bytes", "16385", SOP_LIMIT, SOP_LIMIT },
		{ "transaction_bytes_max", "64MB", SOP_OK, SOP_OK },
		{ "transaction_bytes_max", "1GB", SOP_OK, SOP_OK },
		{ "transaction_bytes_max", "-1", SOP_LIMIT, SOP_MISUSE },
		{ "deadline_ms", "0", SOP_OK, SOP_OK },
		{ "deadline_ms", "5000", SOP_OK, SOP_OK },
		{ "deadline_ms", "-1", SOP_LIMIT, SOP_MISUSE },
		{ "deadline_ms", "9223372036854775807", SOP_LIMIT, SOP_LIMIT },
		{ "snapshot_bytes_max", "1MB", SOP_OK, SOP_OK },
		{ "snapshot_bytes_max", "1048575", SOP_LIMIT, SOP_LIMIT },
		{ "snapshot_bytes_max", "1024GB", SOP_OK, SOP_OK },
		{ "snapshot_bytes_max", "1025GB", SOP_LIMIT, SOP_LIMIT },
		{ "snapshot_bytes_max", "1TB", SOP_OK, SOP_OK },
		{ "snapshot_bytes_max", "2TB", SOP_LIMIT, SOP_LIMIT },
		{ "snapshot_bytes_max", "16777216TB", SOP_LIMIT, SOP_LIMIT }, /* 2^64 */
		{ "snapshot_bytes_max", "1PB", SOP_MISUSE, SOP_MISUSE },
		{ "snapshot_bytes_max", "0", SOP_LIMIT, SOP_LIMIT },
		{ "cache_bytes", "0", SOP_OK, SOP_OK }, /* a quarter of the memory */
		{ "cache_bytes", "4MB", SOP_OK, SOP_OK },
		{ "cache_bytes", "4194303", SOP_LIMIT, SOP_LIMIT },
		{ "cache_bytes", "1", SOP_LIMIT, SOP_LIMIT },
		{ "cache_bytes", "1TB", SOP_OK, SOP_OK },
		{ "cache_bytes", "1025GB", SOP_LIMIT, SOP_LIMIT },
		{ "log_bytes_max", "0", SOP_OK, SOP_OK },
		{ "log_bytes_max", "4MB", SOP_OK, SOP_OK },
		{ "log_bytes_max", "4095KB", SOP_LIMIT, SOP_LIMIT },
		{ "log_bytes_max", "1024GB", SOP_OK, SOP_OK },
		{ "log_bytes_max", "1099511627777", SOP_LIMIT, SOP_LIMIT },
		{ "flush_interval_ms", "0", SOP_LIMIT, SOP_LIMIT },
		{ "flush_interval_ms", "1", SOP_OK, SOP_OK },
		{ "flush_interval_ms", "60000", SOP_OK, SOP_OK },
		{ "flush_interval_ms", "60001", SOP_LIMIT, SOP_LIMIT },
		{ "registry_buckets", "249", SOP_LIMIT, SOP_LIMIT },
		{ "registry_buckets", "250", SOP_OK, SOP_OK },
		{ "registry_buckets", "750000", SOP_OK, SOP_OK },
		{ "registry_buckets", "750001", SOP_LIMIT, SOP_LIMIT },
		{ "durability", "flushed", SOP_OK, SOP_OK },
		{ "durability", "written", SOP_OK, SOP_OK },
		{ "durability", "buffered", SOP_OK, SOP_OK },
		{ "durability", "", SOP_MISUSE, SOP_MISUSE },
		{ "durability", "flush", SOP_MISUSE, SOP_MISUSE },
		{ "durability", "flushedd", SOP_MISUSE, SOP_MISUSE },
		{ "durability", "Flushed", SOP_MISUSE, SOP_MISUSE },
		{ "durability", " flushed", SOP_MISUSE, SOP_MISUSE },
		{ "durability", "1", SOP_MISUSE, SOP_MISUSE },
		{ "durability", "true", SOP_MISUSE, SOP_MISUSE },
		{ "create", "true", SOP_OK, SOP_OK },
		{ "create", "false", SOP_OK, SOP_OK },
		{ "create", "", SOP_MISUSE, SOP_MISUSE },
		{ "create", "yes", SOP_MISUSE, SOP_MISUSE },
		{ "create", "1", SOP_OK, SOP_OK },
		{ "create", "0", SOP_OK, SOP_OK },
		{ "create", "2", SOP_MISUSE, SOP_MISUSE },
		{ "create", "01", SOP_MISUSE, SOP_MISUSE },
		{ "read_only", "true", SOP_OK, SOP_OK },
		{ "read_only", "0", SOP_OK, SOP_OK },
		{ "read_only", "no", SOP_MISUSE, SOP_MISUSE },
		{ "create", "truer", SOP_MISUSE, SOP_MISUSE },
		{ "", "1", SOP_MISUSE, SOP_MISUSE },
		{ "node_byte", "4096", SOP_MISUSE, SOP_MISUSE },
		{ "node_bytess", "4096", SOP_MISUSE, SOP_MISUSE },
		{ "Node_Bytes", "4096", SOP_MISUSE, SOP_MISUSE },
		{ "password", "secret-of-mine", SOP_MISUSE, SOP_MISUSE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sop_options *options = options_new();
		sop_error err = SOP_ERROR_INIT;
		sop_db *db = NULL;
		const sop_status got = sop_options_set_text(options, rows[i].name, rows[i].value, &err);

		if (got != rows[i].wanted && got != rows[i].or_else)
			fail_msg("%s=\"%s\": %s instead of %s: %s", rows[i].name, rows[i].value,
				 sop_status_name(got), sop_status_name(rows[i].wanted), err.message);
		if (got != SOP_OK)
			error_tells(&err, got, rows[i].name);
		if (got == SOP_LIMIT) /* the range is named */
			assert_non_null(strpbrk(err.message, "0123456789"));
		assert_null(strstr(err.message, "secret-of-mine")); /* what is unknown may be a secret */
		TEST_OK(sop_open("inmemory:", options, &db, &err), err); /* refused ones change nothing */
		fixture_works(db);
		sop_options_free(options);
		sop_db_free(db);
	}
}

static void integers_and_booleans_are_told_apart(void **state)
{
	sop_options *options = options_new();
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	TEST_OK(sop_options_set_int(options, "node_bytes", 1024, &err), err);
	TEST_OK(sop_options_set_int(options, "node_bytes", 32768, &err), err);
	TEST_STATUS(sop_options_set_int(options, "node_bytes", 1023, &err), SOP_LIMIT, err);
	error_tells(&err, SOP_LIMIT, "sop_options_set_int");
	TEST_STATUS(sop_options_set_int(options, "node_bytes", 32769, &err), SOP_LIMIT, err);
	TEST_STATUS(sop_options_set_int(options, "node_bytes", INT64_MIN, &err), SOP_LIMIT, err);
	TEST_STATUS(sop_options_set_int(options, "node_bytes", INT64_MAX, &err), SOP_LIMIT, err);
	TEST_STATUS(sop_options_set_int(options, "create", 1, &err), SOP_MISUSE, err);
	error_tells(&err, SOP_MISUSE, "sop_options_set_int");
	TEST_STATUS(sop_options_set_int(options, "nonsense", 1, &err), SOP_MISUSE, err);
	TEST_OK(sop_options_set_bool(options, "create", 0, &err), err);
	TEST_OK(sop_options_set_bool(options, "create", -7, &err), err);
	TEST_STATUS(sop_options_set_bool(options, "node_bytes", 1, &err), SOP_MISUSE, err);
	error_tells(&err, SOP_MISUSE, "sop_options_set_bool");
	TEST_STATUS(sop_options_set_bool(options, "nonsense", 1, &err), SOP_MISUSE, err);
	TEST_STATUS(sop_options_set_int(options, "durability", 1, &err), SOP_MISUSE, err);
	error_tells(&err, SOP_MISUSE, "sop_options_set_int");
	assert_non_null(strstr(err.message, "a word; set it to a text"));
	TEST_STATUS(sop_options_set_bool(options, "durability", 1, &err), SOP_MISUSE, err);
	assert_non_null(strstr(err.message, "a word; set it to a text"));
	TEST_STATUS(sop_options_set_text(options, "durability", "safe", &err), SOP_MISUSE, err);
	assert_non_null(strstr(err.message, "flushed, written or buffered"));
	TEST_OK(sop_options_set_int(options, "cache_bytes", 0, &err), err);
	TEST_OK(sop_options_set_int(options, "cache_bytes", 4 << 20, &err), err);
	TEST_STATUS(sop_options_set_int(options, "cache_bytes", -1, &err), SOP_LIMIT, err);
	assert_non_null(strstr(err.message, "or 0 for the default"));
	sop_options_free(options);
	sop_options_free(NULL);
}

/* What a path answers at which there is no database: nothing is made. */
enum { NO_FOLDER = SOP_NOT_FOUND };

static void urls_are_read_carefully(void **state)
{
	static const struct {
		const char *url;
		sop_status wanted;
		sop_status or_else;
	} rows[] = {
		{ "inmemory:", SOP_OK, SOP_OK },
		{ "inmemory:?node_bytes=8192", SOP_OK, SOP_OK },
		{ "inmemory:?node_bytes=8KB", SOP_OK, SOP_OK },
		{ "inmemory:?node_bytes=8192&node_items=16", SOP_OK, SOP_OK },
		{ "inmemory:?create=true&deadline_ms=1000", SOP_OK, SOP_OK },
		{ "inmemory:?", SOP_OK, SOP_MISUSE },
		{ "inmemory:?&", SOP_MISUSE, SOP_OK },
		{ "inmemory:data", SOP_MISUSE, SOP_MISUSE },
		{ "inmemory:/data", SOP_MISUSE, SOP_MISUSE },
		{ "inmemory:node_bytes=8192", SOP_MISUSE, SOP_MISUSE },
		{ "inmemory:?node_bytes", SOP_MISUSE, SOP_MISUSE },
		{ "inmemory:?node_bytes=", SOP_MISUSE, SOP_MISUSE },
		{ "inmemory:?=8192", SOP_MISUSE, SOP_MISUSE },
		{ "inmemory:?node_bytes=8192&", SOP_MISUSE, SOP_OK },
		{ "inmemory:?node_bytes=many", SOP_MISUSE, SOP_MISUSE },
		{ "inmemory:?node_bytes=1", SOP_LIMIT, SOP_LIMIT },
		{ "inmemory:?node_bytes=99999999999999999999", SOP_LIMIT, SOP_MISUSE },
		{ "inmemory:?node_bytes=8%31%392", SOP_MISUSE, SOP_MISUSE }, /* nothing is decoded */
		{ "inmemory:?durability=buffered&cache_bytes=64MB", SOP_OK, SOP_OK },
		{ "inmemory:?durability=never", SOP_MISUSE, SOP_MISUSE },
		{ "inmemory:?colour=red", SOP_MISUSE, SOP_MISUSE },
		{ "inmemory:?node_bytes=8192&colour=red", SOP_MISUSE, SOP_MISUSE },
		{ "inmemory:?password=secret-of-mine", SOP_MISUSE, SOP_MISUSE },
		{ "", SOP_MISUSE, SOP_MISUSE },
		/* a folder by its url */
		{ "inredfs:", SOP_MISUSE, SOP_MISUSE },
		{ "inredfs:?create=true", SOP_MISUSE, SOP_MISUSE },
		{ "inredfs:no such folder/db", NO_FOLDER, NO_FOLDER },
		{ "inredfs:no such folder/db?", NO_FOLDER, NO_FOLDER },
		{ "inredfs:no such folder/db?node_bytes=8192", NO_FOLDER, NO_FOLDER },
		{ "inredfs:no such folder/db?node_bytes=1", SOP_LIMIT, SOP_LIMIT },
		{ "inredfs:no such folder/db?durability", SOP_MISUSE, SOP_MISUSE },
		{ "inredfs:no such folder/db?password=secret-of-mine", SOP_MISUSE, SOP_MISUSE },
		{ "inredfs:inmemory:", NO_FOLDER, NO_FOLDER },
		/* a cluster */
		{ "inredcfs:", SOP_UNSUPPORTED, SOP_UNSUPPORTED },
		{ "inredcfs:keyspace?cassandra=h1", SOP_UNSUPPORTED, SOP_UNSUPPORTED },
		/* everything else is a path, and no options are looked for in it */
		{ "inmemory", NO_FOLDER, NO_FOLDER },
		{ "no such folder/", NO_FOLDER, NO_FOLDER },
		{ "no such folder?node_bytes=1", NO_FOLDER, NO_FOLDER },
		{ "./inmemory:", NO_FOLDER, NO_FOLDER },
		{ "./inmemory:x", NO_FOLDER, NO_FOLDER },
		{ " inmemory:", NO_FOLDER, NO_FOLDER },
		{ "http://example.org/", NO_FOLDER, NO_FOLDER },
		{ "nonsense:", NO_FOLDER, NO_FOLDER },
		{ "INMEMORY:", NO_FOLDER, NO_FOLDER },
		{ "\xFF\xFE", NO_FOLDER, NO_FOLDER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sop_error err = SOP_ERROR_INIT;
		sop_db *db = NULL;
		const sop_status got = sop_open(rows[i].url, NULL, &db, &err);

		if (got != rows[i].wanted && got != rows[i].or_else)
			fail_msg("\"%s\": %s instead of %s: %s", rows[i].url, sop_status_name(got),
				 sop_status_name(rows[i].wanted), err.message);
		if (got == SOP_OK) {
			fixture_works(db);
		} else {
			error_tells(&err, got, rows[i].url);
			assert_null(db);
			assert_null(strstr(err.message, "secret-of-mine"));
		}
		sop_db_free(db);
	}
}

static void a_url_of_any_length_gets_a_status(void **state)
{
	const size_t size = 1 << 20;
	char *url = test_alloc(size + 1);
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;
	sop_status status;

	(void)state;
	memset(url, 'x', size);
	url[size] = '\0';
	status = sop_open(url, NULL, &db, &err);
	assert_int_equal(status, SOP_LIMIT); /* a path */
	memcpy(url, "inredfs:", 8);
	assert_int_equal(sop_open(url, NULL, &db, &err), SOP_LIMIT);
	memcpy(url, "inmemory:?", 10);
	status = sop_open(url, NULL, &db, &err);
	assert_true(status == SOP_LIMIT || status == SOP_MISUSE);
	memcpy(url, "inmemory:?node_bytes=", 21);
	memset(url + 21, '9', size - 21);
	status = sop_open(url, NULL, &db, &err);
	assert_true(status == SOP_LIMIT || status == SOP_MISUSE);
	assert_null(db);
	free(url);
}

static void random_urls_get_a_status(void **state)
{
	static const char *const pieces[] = { "inmemory:",  "?",	  "&",	     "=",
					      "inredfs:",   "durability", "written", "node_bytes",
					      "node_items", "4096",	  "KB",	     "true",
					      "x",	    ":",	  "/",	     "%41",
					      "create",	    "-1",	  " " };
	const uint64_t rounds = test_scaled(5000);
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 9);
	for (uint64_t round = 0; round < rounds; round++) {
		sop_error err = SOP_ERROR_INIT;
		char url[256] = "";
		sop_db *db = NULL;
		sop_status status;

		if (!test_rng_once_in(&rng, 8))
			strcat(url, test_rng_once_in(&rng, 4) ? "inredfs:no such folder/db?"
							      : "inmemory:?");
		for (uint64_t i = test_rng_below(&rng, 9); i > 0; i--)
			strcat(url, pieces[test_rng_below(&rng, sizeof pieces / sizeof *pieces)]);
		status = sop_open(url, NULL, &db, &err);
		if (status != SOP_OK && status != SOP_MISUSE && status != SOP_LIMIT &&
		    status != SOP_UNSUPPORTED && status != (sop_status)NO_FOLDER)
			fail_msg("\"%s\": %s", url, sop_status_name(status));
		sop_db_free(db);
	}
}

/* deadline_ms is the one whose effect can be seen from outside. */
static void options_win_over_the_url(void **state)
{
	sop_options *options = options_new();
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;
	sop_txn *txn = NULL;
	sop_buf names = SOP_BUF_INIT;

	(void)state;
	TEST_OK(sop_open("inmemory:?deadline_ms=5", options, &db, &err), err); /* the set says nothing */
	TEST_OK(sop_begin(db, NULL, &txn, &err), err);
	test_sleep_us(30000);
	TEST_STATUS(sop_store_list(txn, &names, NULL, &err), SOP_TIMEOUT, err);
	sop_txn_free(txn);
	sop_db_free(db);
	TEST_OK(sop_options_set_int(options, "deadline_ms", 60000, &err), err);
	TEST_OK(sop_open("inmemory:?deadline_ms=5", options, &db, &err), err);
	TEST_OK(sop_begin(db, NULL, &txn, &err), err);
	test_sleep_us(30000);
	TEST_OK(sop_store_list(txn, &names, NULL, &err), err);
	sop_txn_free(txn);
	sop_db_free(db);
	sop_options_free(options);
	sop_buf_free(&names);
}

static void a_set_of_options_serves_many_databases_and_is_not_kept(void **state)
{
	sop_options *options = options_new();
	sop_error err = SOP_ERROR_INIT;
	sop_db *databases[4];

	(void)state;
	TEST_OK(sop_options_set_text(options, "node_bytes", "1KB", &err), err);
	for (size_t i = 0; i < 4; i++)
		TEST_OK(sop_open("inmemory:", options, &databases[i], &err), err);
	sop_options_free(options);
	for (size_t i = 0; i < 4; i++) {
		fixture_works(databases[i]);
		sop_db_free(databases[i]);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_read_by_their_type),
		cmocka_unit_test(integers_and_booleans_are_told_apart),
		cmocka_unit_test(urls_are_read_carefully),
		cmocka_unit_test(a_url_of_any_length_gets_a_status),
		cmocka_unit_test(random_urls_get_a_status),
		cmocka_unit_test(options_win_over_the_url),
		cmocka_unit_test(a_set_of_options_serves_many_databases_and_is_not_kept),
		cmocka_unit_test(every_message_says_what_to_do),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
