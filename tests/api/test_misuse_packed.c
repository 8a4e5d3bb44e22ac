/* Packed rows that are cut short, lie about their lengths, or stand where they may not: refused, and nothing breaks. */
#include "api/fixture.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_MAX = 4096 };

struct batch {
	uint8_t *bytes; /* of exactly `size` bytes, so that a sanitizer sees one too many read */
	size_t size;
};

static void u32(uint8_t *to, uint32_t number)
{
	for (unsigned i = 0; i < 4; i++)
		to[i] = (uint8_t)(number >> (8 * i));
}

/* `count` rows with keys of two letters and values of `value_size` bytes. */
static size_t pack(uint8_t room[BATCH_MAX], uint32_t count, uint32_t value_size)
{
	size_t at = 8;

	memset(room, 0, BATCH_MAX);
	u32(room, count);
	for (uint32_t i = 0; i < count; i++) {
		at = (at + 7) & ~(size_t)7;
		u32(room + at, 2);
		u32(room + at + 4, value_size);
		room[at + 8] = 'k';
		room[at + 9] = (uint8_t)('a' + i);
		memset(room + at + 10, 'v', value_size);
		at += 10 + value_size;
	}
	return at;
}

static struct batch exactly(const uint8_t *bytes, size_t size)
{
	struct batch batch = { test_alloc(size), size };

	if (size > 0)
		memcpy(batch.bytes, bytes, size);
	return batch;
}

/* Both functions get the same batch. Returns what they answer, which must be the same for malformed ones. */
static sop_status try_batch(struct fixture *f, const uint8_t *bytes, size_t size, sop_put_how how,
			    size_t *done, sop_error *err)
{
	const struct batch batch = exactly(bytes, size);
	sop_buf rows = SOP_BUF_INIT;
	sop_status status;

	*done = 12345;
	status = sop_get_many(f->txn, f->raw, test_bytes(batch.bytes, size), SOP_ROWS_VERSION,
			      &rows, err);
	if (status != SOP_OK && status != SOP_MISUSE && status != SOP_LIMIT)
		fail_msg("get_many: %s: %s", sop_status_name(status), err->message);
	status = sop_put_many(f->txn, f->raw, test_bytes(batch.bytes, size), how, done, err);
	free(batch.bytes);
	sop_buf_free(&rows);
	return status;
}

static void good_rows_are_done(void **state)
{
	struct fixture f;
	uint8_t room[BATCH_MAX];
	size_t done = 0;
	sop_buf value = SOP_BUF_INIT;

	(void)state;
	fixture_open(&f);
	for (uint32_t count = 0; count < 20; count++) {
		const size_t size = pack(room, count, count % 11);

		TEST_OK(try_batch(&f, room, size, SOP_PUT, &done, &f.err), f.err);
		assert_int_equal(done, count);
	}
	TEST_OK(sop_get(f.txn, f.raw, test_text("ka"), &value, &f.err), f.err);
	assert_int_equal(value.size, 19 % 11);
	sop_buf_free(&value);
	fixture_close(&f);
}

static void rows_cut_short_are_refused(void **state)
{
	struct fixture f;
	uint8_t room[BATCH_MAX];
	const size_t size = pack(room, 5, 7);

	(void)state;
	fixture_open(&f);
	for (size_t cut = 0; cut < size; cut++) {
		size_t done = 0;
		const sop_status status = try_batch(&f, room, cut, SOP_PUT, &done, &f.err);

		if (status != SOP_MISUSE)
			fail_msg("cut at %zu of %zu: %s", cut, size, sop_status_name(status));
		error_tells(&f.err, SOP_MISUSE, "sop_put_many");
		assert_in_range(done, 0, 4);
		assert_in_range(f.err.offset, 0, (cut + 7) / 8 * 8); /* it says where */
	}
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	fixture_works(f.db);
	fixture_close(&f);
}

static void wrong_heads_are_refused(void **state)
{
	static const struct {
		size_t at;
		uint32_t number;
		const char *what;
	} spoils[] = {
		{ 0, 6, "one row more than there is" },
		{ 0, UINT32_MAX, "as many rows as there can be" },
		{ 0, 0x10000000, "rows that overflow" },
		{ 4, 4, "an unknown flag" },
		{ 4, UINT32_MAX, "all flags" },
		{ 8, UINT32_MAX, "a key of 4 GiB" },
		{ 8, 0x80000000, "a key of 2 GiB" },
		{ 8, 10000, "a key beyond the end" },
		{ 12, 0xFFFFFFFE, "a value of 4 GiB" },
		{ 12, 0x7FFFFFFF, "a value of 2 GiB" },
		{ 12, 10000, "a value beyond the end" },
		{ 12, SOP_ROWS_ABSENT, "no value where one is needed" },
	};
	struct fixture f;

	(void)state;
	fixture_open(&f);
	for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
		uint8_t room[BATCH_MAX];
		const size_t size = pack(room, 5, 7);
		size_t done = 0;
		sop_status status;

		u32(room + spoils[i].at, spoils[i].number);
		status = try_batch(&f, room, size, SOP_PUT, &done, &f.err);
		if (status != SOP_MISUSE)
			fail_msg("%s: %s: %s", spoils[i].what, sop_status_name(status), f.err.message);
		error_tells(&f.err, SOP_MISUSE, spoils[i].what);
	}
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	fixture_works(f.db);
	fixture_close(&f);
}

static void null_rows_are_refused(void **state)
{
	struct fixture f;
	sop_buf rows = SOP_BUF_INIT;
	size_t done = 0;

	(void)state;
	fixture_open(&f);
	for (size_t size = 0; size < 20; size += 4) {
		const sop_bytes null = test_bytes(NULL, size);

		assert_int_equal(sop_put_many(f.txn, f.raw, null, SOP_PUT, &done, &f.err), SOP_MISUSE);
		assert_int_equal(sop_get_many(f.txn, f.raw, null, 0, &rows, &f.err), SOP_MISUSE);
	}
	fixture_close(&f);
}

static void unknown_ways_and_flags_are_refused(void **state)
{
	struct fixture f;
	uint8_t room[BATCH_MAX];
	const size_t size = pack(room, 2, 3);
	sop_buf rows = SOP_BUF_INIT;
	size_t done = 0;
	const int ways[] = { -1, 4, 1000 };
	const uint32_t flags[] = { 4, 8, 0x80000000, UINT32_MAX };

	(void)state;
	fixture_open(&f);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(sop_put_many(f.txn, f.raw, test_bytes(room, size),
					      (sop_put_how)ways[i], &done, &f.err),
				 SOP_MISUSE);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(sop_get_many(f.txn, f.raw, test_bytes(room, size), flags[i], &rows,
					      &f.err),
				 SOP_MISUSE);
	sop_buf_free(&rows);
	fixture_close(&f);
}

/* The rows before the one that fails are done, and the transaction goes on. */
static void the_first_row_that_fails_is_named(void **state)
{
	struct fixture f;
	uint8_t room[BATCH_MAX];
	const size_t size = pack(room, 5, 1);
	size_t done = 0;
	uint64_t count = 0;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_put(f.txn, f.raw, test_text("kd"), test_text("v"), &f.err), f.err);
	assert_int_equal(sop_put_many(f.txn, f.raw, test_bytes(room, size), SOP_INSERT, &done, &f.err),
			 SOP_EXISTS);
	assert_int_equal(done, 3);
	assert_string_equal(f.err.store, "raw"); /* the answers of many stores look alike */
	assert_non_null(strstr(f.err.message, "the key is there already; put or update"));
	assert_int_equal(sop_put_many(f.txn, f.raw, test_bytes(room, size), SOP_UPDATE, &done, &f.err),
			 SOP_NOT_FOUND);
	assert_int_equal(done, 4);
	assert_int_equal(sop_put_many(f.txn, f.raw, test_bytes(room, size), SOP_REMOVE, &done, &f.err),
			 SOP_NOT_FOUND);
	assert_int_equal(done, 4);
	assert_int_equal(sop_put_many(f.txn, f.raw, test_bytes(room, size), SOP_REMOVE, &done, &f.err),
			 SOP_NOT_FOUND);
	assert_int_equal(done, 0);
	assert_int_equal(sop_put_many(f.txn, f.twice, test_bytes(room, size), SOP_PUT, &done, &f.err),
			 SOP_MISUSE);
	assert_int_equal(done, 0);
	TEST_OK(sop_count(f.txn, f.raw, NULL, &count, &f.err), f.err);
	assert_int_equal(count, FIXTURE_ITEMS + 1);
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	fixture_close(&f);
}

/* A key or value beyond its limit fails its row. */
static void rows_beyond_a_limit_are_named(void **state)
{
	struct fixture f;
	const size_t size = 8 + 8 + 65537;
	uint8_t *room = test_alloc(size);
	size_t done = 7;
	sop_buf rows = SOP_BUF_INIT;

	(void)state;
	fixture_open(&f);
	memset(room, 0, size);
	u32(room, 1);
	u32(room + 8, 65537);
	assert_int_equal(sop_put_many(f.txn, f.raw, test_bytes(room, size), SOP_PUT, &done, &f.err),
			 SOP_LIMIT);
	assert_int_equal(done, 0);
	assert_int_equal(sop_get_many(f.txn, f.raw, test_bytes(room, size), 0, &rows, &f.err), SOP_LIMIT);
	u32(room + 8, 65536);
	TEST_OK(sop_put_many(f.txn, f.raw, test_bytes(room, size - 1), SOP_PUT, &done, &f.err), f.err);
	assert_int_equal(done, 1);
	sop_buf_free(&rows);
	free(room);
	fixture_close(&f);
}

/* Whatever bytes come: a status, no crash, and a transaction that still works. */
static void any_bytes_get_a_status(void **state)
{
	const uint64_t rounds = test_scaled(20000);
	struct test_rng rng;
	struct fixture f;
	size_t done = 0;

	(void)state;
	test_rng_init(&rng, test_seed(), 5);
	fixture_open(&f);
	for (uint64_t round = 0; round < rounds; round++) {
		uint8_t room[BATCH_MAX];
		size_t size = pack(room, (uint32_t)test_rng_below(&rng, 8),
				   (uint32_t)test_rng_below(&rng, 20));
		const uint64_t spoils = 1 + test_rng_below(&rng, 4);
		sop_status status;

		for (uint64_t i = 0; i < spoils; i++)
			room[test_rng_below(&rng, size)] =
				(uint8_t)(test_rng_once_in(&rng, 2) ? 0xFF : test_rng_next(&rng));
		if (test_rng_once_in(&rng, 3))
			size = (size_t)test_rng_below(&rng, size + 16);
		status = try_batch(&f, room, size, (sop_put_how)test_rng_below(&rng, 4), &done, &f.err);
		if (status != SOP_OK && status != SOP_MISUSE && status != SOP_EXISTS &&
		    status != SOP_NOT_FOUND && status != SOP_LIMIT)
			fail_msg("round %llu: %s: %s", (unsigned long long)round,
				 sop_status_name(status), f.err.message);
		if (round % 500 == 499) {
			TEST_OK(sop_rollback(f.txn, &f.err), f.err);
			TEST_OK(sop_txn_renew(f.txn, &f.err), f.err);
		}
	}
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	fixture_works(f.db);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_rows_are_done),
		cmocka_unit_test(rows_cut_short_are_refused),
		cmocka_unit_test(wrong_heads_are_refused),
		cmocka_unit_test(null_rows_are_refused),
		cmocka_unit_test(unknown_ways_and_flags_are_refused),
		cmocka_unit_test(the_first_row_that_fails_is_named),
		cmocka_unit_test(rows_beyond_a_limit_are_named),
		cmocka_unit_test(any_bytes_get_a_status),
		cmocka_unit_test(every_message_says_what_to_do),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
