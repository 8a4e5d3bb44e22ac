/* UUID text and version 7. */
#include "base/uuid.h"

#include "support/support.h"

#include <string.h>

static const char text[] = "0198c5a4-77ab-7def-8123-456789abcdef";
static const uint8_t bytes[16] = { 0x01, 0x98, 0xC5, 0xA4, 0x77, 0xAB, 0x7D, 0xEF,
				   0x81, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF };

static void text_and_bytes_are_in_the_same_order(void **state)
{
	struct sopi_uuid uuid;
	char out[SOPI_UUID_TEXT_SIZE + 1];

	(void)state;
	assert_true(sopi_uuid_parse(text, strlen(text), &uuid));
	assert_memory_equal(uuid.bytes, bytes, sizeof bytes);
	sopi_uuid_format(&uuid, out);
	assert_string_equal(out, text);
}

static void upper_case_is_read_and_lower_case_written(void **state)
{
	struct sopi_uuid uuid;
	char out[SOPI_UUID_TEXT_SIZE + 1];

	(void)state;
	assert_true(sopi_uuid_parse("0198C5A4-77AB-7DEF-8123-456789ABCDEF", 36, &uuid));
	sopi_uuid_format(&uuid, out);
	assert_string_equal(out, text);
}

static void assert_refused(const char *what, size_t size)
{
	struct sopi_uuid uuid;

	memset(&uuid, 0xEE, sizeof uuid);
	assert_false(sopi_uuid_parse(what, size, &uuid));
	assert_int_equal(uuid.bytes[0], 0xEE);
	assert_int_equal(uuid.bytes[15], 0xEE);
}

static void one_wrong_byte_anywhere_is_refused(void **state)
{
	static const char wrong[] = { 'g', ' ', '-', '0', '\0', '{', '/', ':', '@', 'G', '`', '\x80' };
	char changed[sizeof text];

	(void)state;
	for (size_t at = 0; at < SOPI_UUID_TEXT_SIZE; at++) {
		for (size_t i = 0; i < sizeof wrong; i++) {
			const bool hyphen = text[at] == '-';

			if (wrong[i] == (hyphen ? '-' : '0'))
				continue; /* that one is right here */
			memcpy(changed, text, sizeof changed);
			changed[at] = wrong[i];
			assert_refused(changed, SOPI_UUID_TEXT_SIZE);
		}
	}
}

static void another_length_is_refused(void **state)
{
	(void)state;
	assert_refused("", 0);
	assert_refused(text, SOPI_UUID_TEXT_SIZE - 1);
	assert_refused("0198c5a4-77ab-7def-8123-456789abcdef0", SOPI_UUID_TEXT_SIZE + 1);
	assert_refused("0198c5a477ab7def8123456789abcdef", 32);
	assert_refused("{198c5a4-77ab-7def-8123-456789abcde}", SOPI_UUID_TEXT_SIZE);
}

static void version_7_holds_time_version_and_variant(void **state)
{
	static const uint8_t ones[SOPI_UUID_RANDOM_BYTES] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
							      0xFF, 0xFF, 0xFF, 0xFF, 0xFF };
	static const uint8_t zeros[SOPI_UUID_RANDOM_BYTES] = { 0 };
	struct sopi_uuid uuid;
	char out[SOPI_UUID_TEXT_SIZE + 1];

	(void)state;
	sopi_uuid_make_v7(UINT64_C(0x0123456789AB), ones, &uuid);
	sopi_uuid_format(&uuid, out);
	assert_string_equal(out, "01234567-89ab-7fff-bfff-ffffffffffff");
	sopi_uuid_make_v7(UINT64_C(0x0123456789AB), zeros, &uuid);
	sopi_uuid_format(&uuid, out);
	assert_string_equal(out, "01234567-89ab-7000-8000-000000000000");
}

static void a_later_version_7_sorts_later(void **state)
{
	static const uint8_t ones[SOPI_UUID_RANDOM_BYTES] = { 0xFF, 0xFF, 0xFF };
	static const uint8_t zeros[SOPI_UUID_RANDOM_BYTES] = { 0 };

	(void)state;
	for (unsigned bit = 0; bit < 48; bit++) {
		struct sopi_uuid before;
		struct sopi_uuid after;

		sopi_uuid_make_v7(((uint64_t)1 << bit) - 1, ones, &before);
		sopi_uuid_make_v7((uint64_t)1 << bit, zeros, &after);
		assert_true(memcmp(&before, &after, sizeof before) < 0);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_bytes_are_in_the_same_order),
		cmocka_unit_test(upper_case_is_read_and_lower_case_written),
		cmocka_unit_test(one_wrong_byte_anywhere_is_refused),
		cmocka_unit_test(another_length_is_refused),
		cmocka_unit_test(version_7_holds_time_version_and_variant),
		cmocka_unit_test(a_later_version_7_sorts_later),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
