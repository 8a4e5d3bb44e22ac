/* The file `stats` as bytes. */
#include "codec/stats_record.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "support/support.h"

#include <string.h>

enum { AT_CHECKSUM = 8 };

static struct sopi_stats_record random_record(struct test_rng *rng)
{
	struct sopi_stats_record record;

	memset(&record, 0, sizeof record);
	for (size_t i = 0; i < offsetof(struct sopi_stats_record, host) / 8; i++) {
		const uint64_t number = test_rng_next(rng);

		memcpy((char *)&record + i * 8, &number, sizeof number);
	}
	memset(record.host, 'h', (size_t)test_rng_below(rng, SOPI_STATS_HOST_BYTES));
	record.figure_count = test_rng_below(rng, SOPI_STATS_FIGURES_MAX + 1);
	for (size_t i = 0; i < record.figure_count; i++)
		record.figures[i] = test_rng_next(rng);
	return record;
}

static void seal(uint8_t *bytes)
{
	sopi_store_u32le(bytes + AT_CHECKSUM,
			 sopi_crc32c(sopi_crc32c(0, bytes, AT_CHECKSUM), bytes + AT_CHECKSUM + 4,
				     SOPI_STATS_BYTES - AT_CHECKSUM - 4));
}

static void what_was_written_is_read(void **state)
{
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 1);
	for (uint64_t i = 0; i < test_scaled(200); i++) {
		const struct sopi_stats_record record = random_record(&rng);
		uint8_t bytes[SOPI_STATS_BYTES];
		struct sopi_stats_record read;
		sop_error err = SOP_ERROR_INIT;

		sopi_stats_record_encode(&record, bytes);
		TEST_OK(sopi_stats_record_decode(bytes, sizeof bytes, &read, &err), err);
		assert_memory_equal(&record, &read, sizeof read);
	}
}

/* docs/format.md. */
static void the_bytes_are_where_the_format_says(void **state)
{
	struct sopi_stats_record record = { .sequence = 1,
					    .process = 2,
					    .opened_ns = 3,
					    .written_ns = 4,
					    .running_ns = 5,
					    .interval_ns = 6,
					    .commits_timed = 7,
					    .commit_median_ns = 8,
					    .commit_high_ns = 9,
					    .commit_longest_ns = 10,
					    .log_bytes_max = 11,
					    .flush_interval_ms = 12,
					    .host = "host",
					    .figure_count = 2 };
	uint8_t bytes[SOPI_STATS_BYTES];

	(void)state;
	memset(record.database, 0xDB, sizeof record.database);
	record.figures[0] = 21;
	record.figures[1] = 22;
	sopi_stats_record_encode(&record, bytes);
	assert_memory_equal(bytes, "SOPt\1\0\0\0", 8);
	assert_int_equal(sopi_load_u32le(bytes + 12), 0);
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(sopi_load_u64le(bytes + 16 + i * 8), i + 1);
	assert_memory_equal(bytes + 112, record.database, 16);
	assert_memory_equal(bytes + 128, "host\0\0\0\0", 8);
	assert_int_equal(sopi_load_u64le(bytes + 192), 2);
	assert_int_equal(sopi_load_u64le(bytes + 200), 21);
	assert_int_equal(sopi_load_u64le(bytes + 208), 22);
	for (size_t i = 216; i < sizeof bytes; i++)
		assert_int_equal(bytes[i], 0);
}

static void no_byte_may_change(void **state)
{
	struct sopi_stats_record record, read;
	uint8_t bytes[SOPI_STATS_BYTES];
	sop_error err = SOP_ERROR_INIT;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 2);
	record = random_record(&rng);
	sopi_stats_record_encode(&record, bytes);
	for (size_t i = 0; i < sizeof bytes; i++) {
		bytes[i] ^= (uint8_t)(1u << test_rng_below(&rng, 8));
		TEST_STATUS(sopi_stats_record_decode(bytes, sizeof bytes, &read, &err), SOP_CORRUPT, err);
		assert_string_equal(err.file, "stats");
		sopi_stats_record_encode(&record, bytes);
	}
	for (uint64_t size = 0; size <= SOPI_STATS_BYTES + 1; size += size < 64 ? 1 : 251) {
		if (size != SOPI_STATS_BYTES)
			TEST_STATUS(sopi_stats_record_decode(bytes, size, &read, &err), SOP_CORRUPT, err);
	}
}

/* What has a right checksum may still be nonsense. */
static void a_right_checksum_is_not_enough(void **state)
{
	static const struct {
		size_t at;
		uint8_t byte;
		sop_status status;
	} rows[] = {
		{ 0, 'X', SOP_CORRUPT },    { 4, 2, SOP_UNSUPPORTED }, { 7, 0xFF, SOP_UNSUPPORTED },
		{ 12, 1, SOP_CORRUPT },	    { 190, 'h', SOP_CORRUPT }, { 193, 0xFF, SOP_CORRUPT },
		{ 199, 0x80, SOP_CORRUPT }, { 192, 1, SOP_CORRUPT },   { 4095, 1, SOP_CORRUPT },
	};
	struct sopi_stats_record record, read;
	uint8_t bytes[SOPI_STATS_BYTES];
	sop_error err = SOP_ERROR_INIT;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 3);
	record = random_record(&rng);
	memset(record.host, 0, sizeof record.host);
	memcpy(record.host, "host", 4);
	memset(record.figures, 0, sizeof record.figures);
	record.figure_count = 2;
	record.figures[1] = 1;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sopi_stats_record_encode(&record, bytes);
		bytes[rows[i].at] = rows[i].byte;
		seal(bytes);
		TEST_STATUS(sopi_stats_record_decode(bytes, sizeof bytes, &read, &err),
			    rows[i].status, err);
	}
	sopi_stats_record_encode(&record, bytes);
	memset(bytes + 128, 'h', SOPI_STATS_HOST_BYTES); /* without a NUL */
	seal(bytes);
	TEST_STATUS(sopi_stats_record_decode(bytes, sizeof bytes, &read, &err), SOP_CORRUPT, err);
}

static void random_bytes_are_refused(void **state)
{
	uint8_t bytes[SOPI_STATS_BYTES];
	struct sopi_stats_record read;
	sop_error err = SOP_ERROR_INIT;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 4);
	for (uint64_t round = 0; round < test_scaled(200); round++) {
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (uint8_t)test_rng_next(&rng);
		memcpy(bytes, "SOPt\1\0\0\0", 8);
		if (round % 2 == 0)
			seal(bytes);
		TEST_STATUS(sopi_stats_record_decode(bytes, sizeof bytes, &read, &err), SOP_CORRUPT, err);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(the_bytes_are_where_the_format_says),
		cmocka_unit_test(no_byte_may_change),
		cmocka_unit_test(a_right_checksum_is_not_enough),
		cmocka_unit_test(random_bytes_are_refused),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
