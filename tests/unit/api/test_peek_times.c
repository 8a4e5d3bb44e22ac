/* The figures that lie in a folder may claim any time. */
#include "codec/stats_record.h"
#include "support/folder.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

enum { NS_PER_MS = 1000000 };

static void exchange_file(const char *path, const char *mode, uint8_t bytes[SOPI_STATS_BYTES])
{
	FILE *file = fopen(path, mode);

	assert_non_null(file);
	assert_int_equal(mode[0] == 'r' ? fread(bytes, 1, SOPI_STATS_BYTES, file)
					: fwrite(bytes, 1, SOPI_STATS_BYTES, file),
			 SOPI_STATS_BYTES);
	assert_int_equal(fclose(file), 0);
}

static void every_time_has_an_age(void **state)
{
	static const int64_t times[] = { INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX };
	char path[TEST_PATH_BYTES], url[TEST_PATH_BYTES + 32], stats[TEST_PATH_BYTES + 16];
	struct sopi_stats_record record;
	uint8_t bytes[SOPI_STATS_BYTES];
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;

	(void)state;
	test_folder_make_fast(path);
	(void)snprintf(url, sizeof url, "inredfs:%s?create=true", path);
	(void)snprintf(stats, sizeof stats, "%s/stats", path);
	TEST_OK(sop_open(url, NULL, &db, &err), err);
	exchange_file(stats, "r", bytes);
	TEST_OK(sopi_stats_record_decode(bytes, sizeof bytes, &record, &err), err);
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		sop_peek peek = SOP_PEEK_INIT;

		record.written_ns = times[i];
		sopi_stats_record_encode(&record, bytes);
		exchange_file(stats, "w", bytes);
		TEST_OK(sop_stats_peek(path, &peek, NULL, &err), err);
		assert_int_equal(peek.written_ms, times[i] / NS_PER_MS);
		assert_int_equal(peek.age_ms == 0, times[i] == INT64_MAX);
	}
	TEST_OK(sop_close(db, &err), err);
	sop_db_free(db);
	test_folder_remove(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_time_has_an_age),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
