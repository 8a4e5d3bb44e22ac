/* Heads of log segments and records, and entries, as bytes. */
#include "codec/log_record.h"

#include "base/bytes.h"
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

static struct sopi_log_record random_record(struct test_rng *rng)
{
	struct sopi_log_record record = { .kind = (enum sopi_log_kind)(1 + test_rng_below(rng, 3)),
					  .sequence = test_rng_next(rng),
					  .salt = test_rng_next(rng),
					  .slot = 1 + test_rng_below(rng, (1ull << 48) - 1),
					  .flushed = test_rng_next(rng),
					  .previous = (uint32_t)test_rng_next(rng),
					  .payload_crc = (uint32_t)test_rng_next(rng) };

	if (record.kind == SOPI_LOG_SUCCESSOR)
		record.payload_bytes = SOPI_LOG_SUCCESSOR_BYTES;
	if (record.kind == SOPI_LOG_GROUP) {
		record.count = 1 + (uint32_t)test_rng_below(rng, SOPI_LOG_ENTRIES_MAX);
		record.payload_bytes = record.count * 17ull + test_rng_below(rng, 1ull << 40);
	}
	return record;
}

static void a_record_reads_as_it_was_written_and_no_bit_may_change(void **state)
{
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 1);
	for (uint64_t i = 0; i < test_scaled(200); i++) {
		struct sopi_log_record record = random_record(&rng);
		struct sopi_log_record read;
		uint8_t bytes[SOPI_LOG_HEAD_BYTES], again[SOPI_LOG_HEAD_BYTES];

		sopi_log_record_encode(&record, bytes);
		assert_int_equal(sopi_log_record_decode(bytes, record.sequence, record.salt, &read),
				 SOPI_LOG_GOOD);
		assert_int_equal(read.crc, record.crc);
		sopi_log_record_encode(&read, again);
		assert_memory_equal(bytes, again, sizeof bytes);
		assert_int_equal(sopi_log_record_decode(bytes, record.sequence + 1, record.salt, &read),
				 SOPI_LOG_BAD);
		assert_int_equal(sopi_log_record_decode(bytes, record.sequence, record.salt ^ 1, &read),
				 SOPI_LOG_BAD);
		for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(sopi_log_record_decode(bytes, record.sequence, record.salt, &read),
					 SOPI_LOG_BAD);
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

/* The bytes themselves: docs/format.md. */
static void a_record_has_these_bytes(void **state)
{
	static const uint8_t expected[SOPI_LOG_HEAD_BYTES - 4] = {
		'S', 'O', 'P', 'l', 1, 1, 0, 0, 7, 0, 0, 0, 0,	  0,	0,    0,    9, 0, 0, 0,
		0,   0,	  0,   0,   8, 0, 0, 0, 0, 0, 0, 0, 0x44, 0x33, 0x22, 0x00, 0, 0, 0, 0,
		2,   0,	  0,   0,   1, 2, 3, 4, 5, 6, 7, 8, 0,	  0,	0,    0,    0, 0, 0, 0,
	};
	struct sopi_log_record record = { .kind = SOPI_LOG_GROUP,
					  .sequence = 7,
					  .slot = 9,
					  .flushed = 8,
					  .payload_bytes = 0x223344,
					  .count = 2,
					  .previous = 0x04030201,
					  .payload_crc = 0x08070605 };
	uint8_t bytes[SOPI_LOG_HEAD_BYTES];

	(void)state;
	sopi_log_record_encode(&record, bytes);
	assert_memory_equal(bytes, expected, sizeof expected);
}

static void numbers_that_make_no_sense_are_refused(void **state)
{
	static const struct sopi_log_record bad[] = {
		{ .kind = SOPI_LOG_GROUP, .slot = 1, .count = 0 },
		{ .kind = SOPI_LOG_GROUP, .slot = 1, .count = 2, .payload_bytes = 33 },
		{ .kind = SOPI_LOG_GROUP, .slot = 1, .count = 65537, .payload_bytes = 1 << 30 },
		{ .kind = SOPI_LOG_GROUP, .slot = 0, .count = 1, .payload_bytes = 20 },
		{ .kind = SOPI_LOG_GROUP, .slot = 1ull << 48, .count = 1, .payload_bytes = 20 },
		{ .kind = SOPI_LOG_GROUP, .slot = 1, .count = 1, .payload_bytes = UINT64_MAX },
		{ .kind = SOPI_LOG_MARK, .slot = 1, .count = 1 },
		{ .kind = SOPI_LOG_MARK, .slot = 1, .payload_bytes = 8 },
		{ .kind = SOPI_LOG_SUCCESSOR, .slot = 1, .payload_bytes = 0 },
		{ .kind = (enum sopi_log_kind)4, .slot = 1 },
		{ .kind = (enum sopi_log_kind)0, .slot = 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct sopi_log_record record = bad[i], read;
		uint8_t bytes[SOPI_LOG_HEAD_BYTES];

		sopi_log_record_encode(&record, bytes);
		assert_int_equal(sopi_log_record_decode(bytes, 0, 0, &read), SOPI_LOG_BAD);
	}
}

static void a_segment_reads_as_it_was_written_and_no_bit_may_change(void **state)
{
	const struct sopi_log_segment segment = { .sequence = 5,
						  .epoch = 3,
						  .first_slot = 77,
						  .checkpoint = 70 << 16,
						  .from_sequence = 4,
						  .from_place = 8192,
						  .previous = 0xDEADBEEF,
						  .block_bytes = 512,
						  .salt = 0x0123456789ABCDEF };
	struct sopi_log_segment read;
	uint8_t bytes[SOPI_LOG_SEGMENT_HEAD_BYTES], again[SOPI_LOG_SEGMENT_HEAD_BYTES];

	(void)state;
	sopi_log_segment_encode(&segment, bytes);
	assert_memory_equal(bytes, "SOPs\1\0\0\0\5", 9);
	assert_int_equal(sopi_log_segment_decode(bytes, 5, &read), SOPI_LOG_GOOD);
	sopi_log_segment_encode(&read, again);
	assert_memory_equal(bytes, again, sizeof bytes);
	assert_int_equal(sopi_log_segment_decode(bytes, 6, &read), SOPI_LOG_BAD);
	for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(sopi_log_segment_decode(bytes, 5, &read), SOPI_LOG_BAD);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void a_block_is_a_power_of_two_that_devices_have(void **state)
{
	(void)state;
	for (uint32_t block = 0; block <= 16384; block += 256) {
		const struct sopi_log_segment segment = { .first_slot = 1, .block_bytes = block };
		const bool good = block == 512 || block == 1024 || block == 2048 || block == 4096;
		struct sopi_log_segment read;
		uint8_t bytes[SOPI_LOG_SEGMENT_HEAD_BYTES];

		sopi_log_segment_encode(&segment, bytes);
		assert_int_equal(sopi_log_segment_decode(bytes, 0, &read),
				 good ? SOPI_LOG_GOOD : SOPI_LOG_BAD);
	}
}

/* In a buffer of exactly that size, so that reading beyond it is seen. */
static void entries_are_read_one_by_one_and_cut_ones_refused(void **state)
{
	static const uint8_t id[SOPI_LOG_ID_BYTES] = { 1, 2, 3 };
	uint8_t head[SOPI_LOG_ENTRY_HEAD_BYTES_MAX];
	const size_t head_size = sopi_log_entry_head(id, SOPI_LOG_WHOLE, 200, head);

	(void)state;
	assert_int_equal(sopi_log_entry_bytes(SOPI_LOG_WHOLE, 200), head_size + 200);
	for (size_t size = 0; size <= head_size + 201; size++) {
		uint8_t *bytes = memset(test_alloc(size + 1), 0, size + 1);
		sop_bytes rest = { bytes + 1, size };
		sop_bytes payload;
		enum sopi_log_entry_kind kind;
		const uint8_t *read = NULL;
		const bool whole = size >= head_size + 200;

		memcpy(bytes + 1, head, size < head_size ? size : head_size);
		assert_int_equal(sopi_log_entry_next(&rest, &read, &kind, &payload), whole);
		if (whole) {
			assert_memory_equal(read, id, sizeof id);
			assert_int_equal(kind, SOPI_LOG_WHOLE);
			assert_int_equal(payload.size, 200);
			assert_int_equal(rest.size, size - head_size - 200);
		}
		free(bytes);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_reads_as_it_was_written_and_no_bit_may_change),
		cmocka_unit_test(a_record_has_these_bytes),
		cmocka_unit_test(numbers_that_make_no_sense_are_refused),
		cmocka_unit_test(a_segment_reads_as_it_was_written_and_no_bit_may_change),
		cmocka_unit_test(a_block_is_a_power_of_two_that_devices_have),
		cmocka_unit_test(entries_are_read_one_by_one_and_cut_ones_refused),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("log_record", tests, NULL, NULL);
}
