/* Integers in byte strings and the order of byte strings. */
#include "base/bytes.h"

#include "support/support.h"

static void little_endian_puts_the_low_byte_first(void **state)
{
	uint8_t room[9];

	(void)state;
	memset(room, 0xEE, sizeof room);
	sopi_store_u16le(room, 0x0102);
	assert_memory_equal(room, "\x02\x01\xEE", 3);
	sopi_store_u32le(room, 0x01020304);
	assert_memory_equal(room, "\x04\x03\x02\x01\xEE", 5);
	sopi_store_u64le(room, 0x0102030405060708);
	assert_memory_equal(room, "\x08\x07\x06\x05\x04\x03\x02\x01\xEE", 9);
}

static void big_endian_puts_the_high_byte_first(void **state)
{
	uint8_t room[9];

	(void)state;
	memset(room, 0xEE, sizeof room);
	sopi_store_u16be(room, 0x0102);
	assert_memory_equal(room, "\x01\x02\xEE", 3);
	sopi_store_u32be(room, 0x01020304);
	assert_memory_equal(room, "\x01\x02\x03\x04\xEE", 5);
	sopi_store_u64be(room, 0x0102030405060708);
	assert_memory_equal(room, "\x01\x02\x03\x04\x05\x06\x07\x08\xEE", 9);
}

static void what_is_stored_is_loaded_at_any_alignment(void **state)
{
	uint8_t room[16];

	(void)state;
	for (size_t at = 0; at < 8; at++) {
		for (unsigned bit = 0; bit < 64; bit++) {
			const uint64_t value = UINT64_C(0x8000000000000001) ^ (uint64_t)1 << bit;

			sopi_store_u64le(room + at, value);
			assert_int_equal(sopi_load_u64le(room + at), value);
			sopi_store_u64be(room + at, value);
			assert_int_equal(sopi_load_u64be(room + at), value);
			sopi_store_u32le(room + at, (uint32_t)(value >> 16));
			assert_int_equal(sopi_load_u32le(room + at), (uint32_t)(value >> 16));
			sopi_store_u32be(room + at, (uint32_t)(value >> 16));
			assert_int_equal(sopi_load_u32be(room + at), (uint32_t)(value >> 16));
			sopi_store_u16le(room + at, (uint16_t)(value >> 8));
			assert_int_equal(sopi_load_u16le(room + at), (uint16_t)(value >> 8));
			sopi_store_u16be(room + at, (uint16_t)(value >> 8));
			assert_int_equal(sopi_load_u16be(room + at), (uint16_t)(value >> 8));
		}
	}
}

static void a_difference_decides_before_the_length(void **state)
{
	(void)state;
	assert_true(sopi_bytes_compare("b", 1, "aa", 2) > 0);
	assert_true(sopi_bytes_compare("aa", 2, "b", 1) < 0);
}

static void bytes_are_compared_as_unsigned(void **state)
{
	(void)state;
	assert_true(sopi_bytes_compare("\x80", 1, "\x7F", 1) > 0);
}

static void a_prefix_comes_first(void **state)
{
	(void)state;
	assert_true(sopi_bytes_compare("a", 1, "a\0", 2) < 0);
	assert_true(sopi_bytes_compare("a\0", 2, "a", 1) > 0);
	assert_int_equal(sopi_bytes_compare("a\0b", 3, "a\0b", 3), 0);
}

static void nothing_may_be_null_and_comes_before_everything(void **state)
{
	(void)state;
	assert_int_equal(sopi_bytes_compare(NULL, 0, NULL, 0), 0);
	assert_true(sopi_bytes_compare(NULL, 0, "\0", 1) < 0);
	assert_true(sopi_bytes_compare("\0", 1, NULL, 0) > 0);
}

static int sign(int order)
{
	return (order > 0) - (order < 0);
}

/* Sizes at which words overlap, or a call takes over; each byte differs once, either way, in every other pair of bytes. */
static void short_keys_are_ordered_as_by_memcmp(void **state)
{
	static const uint8_t pairs[][2] = { { 0, 1 }, { 0x7F, 0x80 }, { 0, 0xFF }, { 0xFE, 0xFF } };

	(void)state;
	for (size_t size = 0; size <= 20; size++) {
		uint8_t a[20], b[20];

		memset(a, 0x61, sizeof a);
		memcpy(b, a, sizeof b);
		assert_int_equal(sopi_compare_short(a, b, size), 0);
		for (size_t at = 0; at < size; at++) {
			for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
				a[at] = pairs[i][0];
				b[at] = pairs[i][1];
				if (at + 1 < size) /* what lies behind says the contrary, and does not count */
					a[at + 1] = 0xFF;
				assert_int_equal(sign(sopi_compare_short(a, b, size)),
						 sign(memcmp(a, b, size)));
				assert_int_equal(sign(sopi_compare_short(b, a, size)),
						 sign(memcmp(b, a, size)));
				memset(a, 0x61, sizeof a);
				memcpy(b, a, sizeof b);
			}
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(little_endian_puts_the_low_byte_first),
		cmocka_unit_test(big_endian_puts_the_high_byte_first),
		cmocka_unit_test(what_is_stored_is_loaded_at_any_alignment),
		cmocka_unit_test(a_difference_decides_before_the_length),
		cmocka_unit_test(bytes_are_compared_as_unsigned),
		cmocka_unit_test(a_prefix_comes_first),
		cmocka_unit_test(nothing_may_be_null_and_comes_before_everything),
		cmocka_unit_test(short_keys_are_ordered_as_by_memcmp),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
