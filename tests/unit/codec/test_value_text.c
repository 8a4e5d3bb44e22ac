/* Single values as text: what is read, what is refused, and that what is written reads back as the same. */
#include "support/support.h"

#include <sop/key.h>

#include <float.h>
#include <math.h>
#include <string.h>

static sop_status parse(uint32_t type, const char *text, sop_value *value)
{
	return sop_value_parse(type, test_text(text), value, NULL);
}

static void expect_text(sop_value value, const char *expected)
{
	sop_buf text = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_value back;

	TEST_OK(sop_value_text(&value, &text, &err), err);
	if (text.size != strlen(expected) || memcmp(text.data, expected, text.size) != 0)
		fail_msg("%.*s instead of %s", (int)text.size, (char *)text.data, expected);
	TEST_OK(sop_value_parse(value.type, (sop_bytes){ text.data, text.size }, &back, &err), err);
	assert_int_equal(back.type, value.type);
	assert_memory_equal(&back.as, &value.as, value.type == SOP_TYPE_BOOL ? 4 : 8);
	sop_buf_free(&text);
}

static void values_have_one_text(void **state)
{
	static const uint8_t uuid[16] = { 0x01, 0x90, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 };

	(void)state;
	expect_text(sop_value_bool(0), "false");
	expect_text(sop_value_bool(7), "true");
	expect_text(sop_value_int(0), "0");
	expect_text(sop_value_int(INT64_MIN), "-9223372036854775808");
	expect_text(sop_value_uint(UINT64_MAX), "18446744073709551615");
	expect_text(sop_value_float(0.1), "0.1");
	expect_text(sop_value_float(1), "1.0");
	expect_text(sop_value_float(1e22), "1e+22");
	expect_text(sop_value_float(DBL_MAX), "1.7976931348623157e+308");
	expect_text(sop_value_float(5e-324), "5e-324");
	expect_text(sop_value_float(HUGE_VAL), "Infinity");
	expect_text(sop_value_float(-HUGE_VAL), "-Infinity");
	expect_text(sop_value_uuid(uuid), "01900001-0203-0405-0607-08090a0b0c0d");
	expect_text(sop_value_ts(0), "1970-01-01T00:00:00Z");
	expect_text(sop_value_ts(-1), "1969-12-31T23:59:59.999999Z");
	expect_text(sop_value_ts(INT64_MIN), "-9223372036854775808");
}

static void other_forms_are_read(void **state)
{
	sop_value value;

	(void)state;
	assert_int_equal(parse(SOP_TYPE_TS, "1970-01-01T01:00:00.5+01:00", &value), SOP_OK);
	assert_int_equal(value.as.integer, 500000);
	assert_int_equal(parse(SOP_TYPE_TS, "-17", &value), SOP_OK);
	assert_int_equal(value.type, SOP_TYPE_TS);
	assert_int_equal(value.as.integer, -17);
	assert_int_equal(parse(SOP_TYPE_FLOAT, "-12.5E-1", &value), SOP_OK);
	assert_true(value.as.real == -1.25);
	assert_int_equal(parse(SOP_TYPE_UINT, "5", &value), SOP_OK);
	assert_int_equal(value.type, SOP_TYPE_INT);
	assert_int_equal(parse(SOP_TYPE_UUID, "01900001-0203-0405-0607-08090A0B0C0D", &value), SOP_OK);
}

static void what_is_no_value_is_refused(void **state)
{
	static const struct {
		uint32_t type;
		const char *text;
	} bad[] = {
		{ SOP_TYPE_BOOL, "True" },
		{ SOP_TYPE_BOOL, "" },
		{ SOP_TYPE_INT, "1.0" },
		{ SOP_TYPE_INT, "" },
		{ SOP_TYPE_INT, "+1" },
		{ SOP_TYPE_INT, "01" },
		{ SOP_TYPE_INT, "18446744073709551616" },
		{ SOP_TYPE_INT, "-9223372036854775809" },
		{ SOP_TYPE_FLOAT, "" },
		{ SOP_TYPE_FLOAT, "nan" },
		{ SOP_TYPE_FLOAT, "0x1p3" },
		{ SOP_TYPE_FLOAT, " 1" },
		{ SOP_TYPE_FLOAT, "1." },
		{ SOP_TYPE_FLOAT, ".5" },
		{ SOP_TYPE_FLOAT, "1e" },
		{ SOP_TYPE_FLOAT, "1e999" },
		{ SOP_TYPE_FLOAT, "inf" },
		{ SOP_TYPE_FLOAT, "1,5" },
		{ SOP_TYPE_UUID, "0190" },
		{ SOP_TYPE_TS, "1970-01-01" },
		{ SOP_TYPE_TS, "1970-01-01T00:00:00" },
		{ SOP_TYPE_TS, "1970-01-01T00:00:00.1234567Z" },
		{ SOP_TYPE_TS, "1970-02-30T00:00:00Z" },
		{ SOP_TYPE_TS, "9223372036854775808" },
	};
	sop_value value = sop_value_int(42);

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (parse(bad[i].type, bad[i].text, &value) != SOP_SCHEMA)
			fail_msg("\"%s\" was taken", bad[i].text);
		assert_int_equal(value.as.integer, 42);
	}
}

static void misuse_is_told(void **state)
{
	sop_value value = sop_value_float(HUGE_VAL - HUGE_VAL);
	sop_buf text = SOP_BUF_INIT;

	(void)state;
	assert_int_equal(sop_value_text(&value, &text, NULL), SOP_MISUSE);
	value = sop_value_str("x");
	assert_int_equal(sop_value_text(&value, &text, NULL), SOP_MISUSE);
	assert_int_equal(sop_value_text(NULL, &text, NULL), SOP_MISUSE);
	assert_int_equal(sop_value_text(&value, NULL, NULL), SOP_MISUSE);
	assert_int_equal(parse(SOP_TYPE_STR, "x", &value), SOP_MISUSE);
	assert_int_equal(parse(99, "x", &value), SOP_MISUSE);
	assert_int_equal(parse(SOP_TYPE_INT, "1", NULL), SOP_MISUSE);
	assert_int_equal(sop_value_parse(SOP_TYPE_INT, (sop_bytes){ NULL, 1 }, &value, NULL), SOP_MISUSE);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_have_one_text),
		cmocka_unit_test(other_forms_are_read),
		cmocka_unit_test(what_is_no_value_is_refused),
		cmocka_unit_test(misuse_is_told),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
