/* CRC-32C: known vectors, and the instruction against the tables. */
#include "base/crc32c.h"

#include "support/support.h"

#include <string.h>

typedef uint32_t (*checksum)(uint32_t seed, const void *data, size_t size);

static void assert_known_vectors(checksum crc)
{
	uint8_t room[32];

	assert_int_equal(crc(0, "", 0), 0);
	assert_int_equal(crc(0, NULL, 0), 0);
	assert_int_equal(crc(0, "a", 1), 0xC1D04330);
	assert_int_equal(crc(0, "123456789", 9), 0xE3069283);
	/* RFC 3720, appendix B.4 */
	memset(room, 0, sizeof room);
	assert_int_equal(crc(0, room, sizeof room), 0x8A9136AA);
	memset(room, 0xFF, sizeof room);
	assert_int_equal(crc(0, room, sizeof room), 0x62A8AB43);
	for (uint8_t i = 0; i < 32; i++)
		room[i] = i;
	assert_int_equal(crc(0, room, sizeof room), 0x46DD794E);
	for (uint8_t i = 0; i < 32; i++)
		room[i] = (uint8_t)(31 - i);
	assert_int_equal(crc(0, room, sizeof room), 0x113FDB5C);
}

static void known_vectors(void **state)
{
	(void)state;
	assert_known_vectors(sopi_crc32c);
}

static void known_vectors_by_table(void **state)
{
	(void)state;
	assert_known_vectors(sopi_crc32c_by_table);
}

/* The bitwise definition, sharing nothing with what is tested. */
static uint32_t by_definition(uint32_t seed, const uint8_t *data, size_t size)
{
	uint32_t crc = ~seed;

	for (size_t i = 0; i < size; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
	}
	return ~crc;
}

static void all_forms_agree_at_every_size_and_alignment(void **state)
{
	struct test_rng rng;
	uint8_t room[8 + 80];

	(void)state;
	test_rng_init(&rng, test_seed(), 0);
	for (size_t i = 0; i < sizeof room; i++)
		room[i] = (uint8_t)test_rng_next(&rng);
	for (size_t at = 0; at < 8; at++) {
		for (size_t size = 0; size <= 80; size++) {
			const uint32_t seed = (uint32_t)test_rng_next(&rng);
			const uint32_t expected = by_definition(seed, room + at, size);

			assert_int_equal(sopi_crc32c(seed, room + at, size), expected);
			assert_int_equal(sopi_crc32c_by_table(seed, room + at, size), expected);
		}
	}
}

/* Sizes around those from which on the processor sums several lanes side by side, and those of pages. */
static void all_forms_agree_on_long_texts(void **state)
{
	static uint8_t room[3 + 20000];
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 1);
	for (size_t i = 0; i < sizeof room; i++)
		room[i] = (uint8_t)test_rng_next(&rng);
	for (size_t size = 1; size <= sizeof room - 3; size += size < 2200 ? 1 + size % 7 : 1111) {
		const uint32_t seed = (uint32_t)test_rng_next(&rng);
		const uint32_t expected = by_definition(seed, room + size % 4, size);

		assert_int_equal(sopi_crc32c(seed, room + size % 4, size), expected);
		assert_int_equal(sopi_crc32c_by_table(seed, room + size % 4, size), expected);
	}
}

static void the_checksum_of_parts_is_that_of_the_whole(void **state)
{
	static const char text[] = "positions are versions are fencing tokens";
	const size_t size = sizeof text;
	const uint32_t whole = sopi_crc32c(0, text, size);

	(void)state;
	for (size_t cut = 0; cut <= size; cut++) {
		assert_int_equal(sopi_crc32c(sopi_crc32c(0, text, cut), text + cut, size - cut), whole);
		assert_int_equal(sopi_crc32c_by_table(sopi_crc32c_by_table(0, text, cut),
						      text + cut, size - cut),
				 whole);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_vectors),
		cmocka_unit_test(known_vectors_by_table),
		cmocka_unit_test(all_forms_agree_at_every_size_and_alignment),
		cmocka_unit_test(all_forms_agree_on_long_texts),
		cmocka_unit_test(the_checksum_of_parts_is_that_of_the_whole),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
