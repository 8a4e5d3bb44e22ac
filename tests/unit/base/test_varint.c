/* Unsigned LEB128: both ways, and everything that is not a number. */
#include "base/varint.h"

#include "support/support.h"

#include <string.h>

static void assert_both_ways(uint64_t value)
{
	uint8_t room[SOPI_VARINT_BYTES_MAX + 1];
	uint64_t read = ~value;
	size_t size;

	memset(room, 0xEE, sizeof room);
	size = sopi_varint_encode(value, room, SOPI_VARINT_BYTES_MAX);
	assert_int_equal(size, sopi_varint_size(value));
	assert_int_equal(room[size], 0xEE);
	assert_int_equal(sopi_varint_decode(room, sizeof room, &read), size);
	assert_int_equal(read, value);
	read = 7;
	assert_int_equal(sopi_varint_decode(room, size - 1, &read), 0); /* cut short */
	assert_int_equal(read, 7);
	memset(room, 0xEE, sizeof room);
	assert_int_equal(sopi_varint_encode(value, room, size - 1), 0); /* no room */
	assert_int_equal(room[0], 0xEE);
}

static void known_vectors(void **state)
{
	uint8_t room[SOPI_VARINT_BYTES_MAX];

	(void)state;
	assert_int_equal(sopi_varint_encode(0, room, 1), 1);
	assert_memory_equal(room, "\x00", 1);
	assert_int_equal(sopi_varint_encode(127, room, 1), 1);
	assert_memory_equal(room, "\x7F", 1);
	assert_int_equal(sopi_varint_encode(128, room, 2), 2);
	assert_memory_equal(room, "\x80\x01", 2);
	assert_int_equal(sopi_varint_encode(624485, room, 3), 3);
	assert_memory_equal(room, "\xE5\x8E\x26", 3);
	assert_int_equal(sopi_varint_encode(UINT64_MAX, room, 10), 10);
	assert_memory_equal(room, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 10);
}

static void every_size_and_its_neighbours_go_both_ways(void **state)
{
	(void)state;
	assert_both_ways(0);
	for (unsigned bit = 0; bit < 64; bit++) {
		const uint64_t power = (uint64_t)1 << bit;

		assert_both_ways(power - 1);
		assert_both_ways(power);
		assert_both_ways(power + 1);
	}
	assert_both_ways(UINT64_MAX);
}

static void random_numbers_go_both_ways(void **state)
{
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 0);
	for (int i = 0; i < 100000; i++)
		assert_both_ways(test_rng_next(&rng) >> test_rng_below(&rng, 64));
}

static void assert_refused(const char *bytes, size_t size)
{
	uint64_t value = 7;

	assert_int_equal(sopi_varint_decode(bytes, size, &value), 0);
	assert_int_equal(value, 7);
}

static void a_longer_form_than_needed_is_refused(void **state)
{
	(void)state;
	assert_refused("\x80\x00", 2);
	assert_refused("\xFF\x00", 2);
	assert_refused("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00", 10);
}

static void a_number_beyond_64_bits_is_refused(void **state)
{
	(void)state;
	assert_refused("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 10);
	assert_refused("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 10);
	assert_refused("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11);
}

static void a_number_that_does_not_end_is_refused(void **state)
{
	(void)state;
	assert_refused("", 0);
	assert_refused("\x80", 1);
	assert_refused("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10);
}

static void what_follows_the_number_is_not_read(void **state)
{
	uint64_t value = 0;

	(void)state;
	assert_int_equal(sopi_varint_decode("\x01\xFF", 2, &value), 1);
	assert_int_equal(value, 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_vectors),
		cmocka_unit_test(every_size_and_its_neighbours_go_both_ways),
		cmocka_unit_test(random_numbers_go_both_ways),
		cmocka_unit_test(a_longer_form_than_needed_is_refused),
		cmocka_unit_test(a_number_beyond_64_bits_is_refused),
		cmocka_unit_test(a_number_that_does_not_end_is_refused),
		cmocka_unit_test(what_follows_the_number_is_not_read),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("varint", tests, NULL, NULL);
}
