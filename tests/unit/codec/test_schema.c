/* Schemas: what is accepted and how it is written, what is refused and how that is said. */
#include "codec/schema.h"
#include "codec/schema_text.h"

#include "base/alloc.h"
#include "support/support.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SORT "{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"int\"}]"

static sop_schema *schema_of(const char *json)
{
	sop_schema *schema = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sop_schema_parse(test_text(json), &schema, &err), err);
	return schema;
}

static void expect_text(const sop_schema *schema, const char *expected)
{
	sop_buf text = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sop_schema_text(schema, &text, &err), err);
	if (text.size != strlen(expected) || memcmp(text.data, expected, text.size) != 0)
		fail_msg("%.*s instead of %s", (int)text.size, (char *)text.data, expected);
	sop_buf_free(&text);
}

/* The text of `json` is `canonical`, which reads as the same schema. */
static void expect_canonical(const char *json, const char *canonical)
{
	sop_schema *schema = schema_of(json);
	sop_schema *again = schema_of(canonical);

	expect_text(schema, canonical);
	expect_text(again, canonical);
	assert_int_equal(sopi_schema_compare(sopi_schema_of(schema), sopi_schema_of(again), NULL, 0),
			 SOPI_SCHEMA_EQUAL);
	sop_schema_free(schema);
	sop_schema_free(again);
}

static void text_is_canonical(void **state)
{
	(void)state;
	expect_canonical("{\"v\":1,\"sort\":[{\"n\":\"region\",\"t\":\"str\"},{\"n\":\"hired\","
			 "\"t\":\"ts\",\"desc\":true}],\"ride\":[{\"n\":\"deleted\",\"t\":\"bool\","
			 "\"default\":false}]}",
			 "{\"v\":1,\"sort\":[{\"n\":\"region\",\"t\":\"str\"},{\"n\":\"hired\","
			 "\"t\":\"ts\",\"desc\":true}],\"ride\":[{\"n\":\"deleted\",\"t\":\"bool\","
			 "\"default\":false}]}");
	expect_canonical(" { \"ride\" : [ ] ,\n \"sort\": [{\"desc\":false,\"t\":\"int\",\"n\":"
			 "\"\\u0061\"}], \"v\" : 1 } ",
			 SORT "}");
	expect_canonical("{\"v\":1,\"sort\":[{\"n\":\"\\u00e9\\\"\\\\\\/\\ud83d\\ude00\",\"t\":"
			 "\"uuid\"}]}",
			 "{\"v\":1,\"sort\":[{\"n\":\"\xc3\xa9\\\"\\\\/\xf0\x9f\x98\x80\",\"t\":"
			 "\"uuid\"}]}");
}

/* Each way to write a default, and the one way it is written. NULL: it is null, and left out. */
static const struct {
	const char *type, *given, *canonical;
} defaults[] = {
	{ "bool", "true", "true" },
	{ "bool", "null", NULL },
	{ "int", "0", "0" },
	{ "int", "-0", "0" },
	{ "int", "-9223372036854775808", "-9223372036854775808" },
	{ "int", "9223372036854775807", "9223372036854775807" },
	{ "int", "9223372036854775808", "{\"int\":\"9223372036854775808\"}" },
	{ "int", "18446744073709551615", "{\"int\":\"18446744073709551615\"}" },
	{ "int", "{\"int\":\"18446744073709551615\"}", "{\"int\":\"18446744073709551615\"}" },
	{ "int", "{\"int\":\"-9223372036854775808\"}", "-9223372036854775808" },
	{ "int", "{\"int\":\"-0\"}", "0" },
	{ "int", "{\"int\":\"42\"}", "42" },
	{ "float", "1", "1.0" },
	{ "float", "-0.0", "0.0" },
	{ "float", "0.1", "0.1" },
	{ "float", "1e5", "100000.0" },
	{ "float", "1e15", "1000000000000000.0" },
	{ "float", "1e16", "1e+16" },
	{ "float", "0.0001", "0.0001" },
	{ "float", "0.00001", "1e-05" },
	{ "float", "5e-324", "5e-324" },
	{ "float", "1.7976931348623157e308", "1.7976931348623157e+308" },
	{ "float", "123456789.25", "123456789.25" },
	{ "float", "9007199254740993", "9007199254740992.0" },
	{ "float", "100000000000000000000000", "1e+23" },
	{ "float", "-100000000000000000000000", "-1e+23" },
	{ "float", "{\"int\":\"7\"}", "7.0" },
	{ "float", "\"Infinity\"", "\"Infinity\"" },
	{ "float", "\"-Infinity\"", "\"-Infinity\"" },
	{ "str", "\"\"", "\"\"" },
	{ "str", "\"a\\u0000\\n\\u001f\\u007f\\u20ac\\/\"", "\"a\\u0000\\n\\u001f\x7f\xe2\x82\xac/\"" },
	{ "str", "\"12345678901234567890\"", "\"12345678901234567890\"" },
	{ "bytes", "\"\"", "{\"hex\":\"\"}" },
	{ "bytes", "\"\\u00e9\\u0000\"", "{\"hex\":\"c3a900\"}" },
	{ "bytes", "{\"hex\":\"00fFAb\"}", "{\"hex\":\"00ffab\"}" },
	{ "uuid", "\"415AF341-ee52-bdb6-d102-0a15d9ed17e3\"", "\"415af341-ee52-bdb6-d102-0a15d9ed17e3\"" },
	{ "ts", "0", "\"1970-01-01T00:00:00Z\"" },
	{ "ts", "-1", "\"1969-12-31T23:59:59.999999Z\"" },
	{ "ts", "{\"int\":\"1000000\"}", "\"1970-01-01T00:00:01Z\"" },
	{ "ts", "\"2024-02-29T23:59:59.5Z\"", "\"2024-02-29T23:59:59.5Z\"" },
	{ "ts", "\"2024-02-29t23:59:59.123456z\"", "\"2024-02-29T23:59:59.123456Z\"" },
	{ "ts", "\"2000-02-29T00:00:00+05:30\"", "\"2000-02-28T18:30:00Z\"" },
	{ "ts", "\"1999-12-31T23:00:00-01:00\"", "\"2000-01-01T00:00:00Z\"" },
	{ "ts", "\"2000-01-01T00:00:00-00:00\"", "\"2000-01-01T00:00:00Z\"" },
	{ "ts", "\"0001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00Z\"" },
	{ "ts", "\"9999-12-31T23:59:59.999999Z\"", "\"9999-12-31T23:59:59.999999Z\"" },
	{ "ts", "\"0001-01-01T00:00:00+00:01\"", "-62135596860000000" },
	{ "ts", "-62135596800000001", "-62135596800000001" },
	{ "ts", "253402300800000000", "253402300800000000" },
	{ "ts", "-9223372036854775808", "-9223372036854775808" },
	{ "ts", "9223372036854775807", "9223372036854775807" },
};

static void defaults_have_one_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
		char given[256], canonical[256];

		snprintf(given, sizeof given,
			 SORT ",\"ride\":[{\"n\":\"b\",\"t\":\"%s\",\"default\":%s}]}",
			 defaults[i].type, defaults[i].given);
		snprintf(canonical, sizeof canonical, SORT ",\"ride\":[{\"n\":\"b\",\"t\":\"%s\"%s%s}]}",
			 defaults[i].type, defaults[i].canonical != NULL ? ",\"default\":" : "",
			 defaults[i].canonical != NULL ? defaults[i].canonical : "");
		expect_canonical(given, canonical);
	}
}

/* The calendar is that of the C library, from year 1 to 9999, and texts read back. */
static void times_are_those_of_the_c_library(void **state)
{
	const int64_t first_s = -62135596800, last_s = 253402300799, step_s = 97 * 3600 + 1;

	(void)state;
	for (int64_t at_s = first_s; at_s <= last_s; at_s += step_s) {
		const time_t clock = (time_t)at_s;
		char text[SOPI_NUMBER_TEXT_BYTES];
		char expected[SOPI_NUMBER_TEXT_BYTES];
		struct tm parts;
		sop_value value;

		assert_non_null(gmtime_r(&clock, &parts));
		snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02dZ",
			 parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
			 parts.tm_min, parts.tm_sec);
		assert_true(sopi_ts_to_text(at_s * 1000000, text));
		assert_string_equal(text, expected);
		assert_true(sopi_text_to_ts(text, strlen(text), &value));
		assert_true(value.as.integer == at_s * 1000000);
	}
}

/* A text depends on nothing outside, such as a decimal comma. */
static void locale_does_not_matter(void **state)
{
	static const char *const commas[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "ps_AF.UTF-8" };

	(void)state;
	for (size_t i = 0; i < sizeof commas / sizeof *commas; i++) {
		if (setlocale(LC_NUMERIC, commas[i]) != NULL)
			expect_canonical(
				SORT ",\"ride\":[{\"n\":\"b\",\"t\":\"float\",\"default\":0.25}]}",
				SORT ",\"ride\":[{\"n\":\"b\",\"t\":\"float\",\"default\":0.25}]}");
	}
	setlocale(LC_NUMERIC, "C");
}

#define RIDE(type, value) SORT ",\"ride\":[{\"n\":\"b\",\"t\":\"" type "\",\"default\":" value "}]}"

static const struct {
	const char *json;
	sop_status status;
	const char *message; /* a part of it */
} refused[] = {
	{ "", SOP_SCHEMA, "not JSON" },
	{ "schema", SOP_SCHEMA, "not JSON" },
	{ "{\"v\":1,", SOP_SCHEMA, "not JSON" },
	{ SORT "} x", SOP_SCHEMA, "not JSON" },
	{ "{\"v\":1,\"v\":1}", SOP_SCHEMA, "duplicate" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"\xff\",\"t\":\"int\"}]}", SOP_SCHEMA, "not JSON" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"\\ud800\",\"t\":\"int\"}]}", SOP_SCHEMA, "not JSON" },
	{ "[]", SOP_SCHEMA, "must be an object" },
	{ "1", SOP_SCHEMA, "not JSON" },
	{ "{}", SOP_SCHEMA, "\"v\"" },
	{ "{\"v\":\"1\"}", SOP_SCHEMA, "\"v\"" },
	{ "{\"v\":1.0}", SOP_SCHEMA, "\"v\"" },
	{ "{\"v\":0}", SOP_SCHEMA, "\"v\"" },
	{ "{\"v\":-1}", SOP_SCHEMA, "\"v\"" },
	{ "{\"v\":99999999999999999999}", SOP_SCHEMA, "\"v\"" },
	{ "{\"v\":2,\"sort\":[],\"hash\":true}", SOP_UNSUPPORTED, "version 2 is not known" },
	{ "{\"v\":1}", SOP_SCHEMA, "\"sort\" must be a list" },
	{ "{\"v\":1,\"sort\":{}}", SOP_SCHEMA, "\"sort\" must be a list" },
	{ "{\"v\":1,\"sort\":[]}", SOP_SCHEMA, "at least one sort field" },
	{ "{\"v\":1,\"sort\":[1]}", SOP_SCHEMA, "sort field 1 must be an object" },
	{ "{\"v\":1,\"sort\":[{}]}", SOP_SCHEMA, "sort field 1 needs a name" },
	{ "{\"v\":1,\"sort\":[{\"n\":1,\"t\":\"int\"}]}", SOP_SCHEMA, "needs a name" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"\",\"t\":\"int\"}]}", SOP_SCHEMA, "needs a name" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"a\\n\",\"t\":\"int\"}]}", SOP_SCHEMA, "control" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"a\\u0000\",\"t\":\"int\"}]}", SOP_SCHEMA, "control" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"\\u007f\",\"t\":\"int\"}]}", SOP_SCHEMA, "control" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"\\u0085\",\"t\":\"int\"}]}", SOP_SCHEMA, "control" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"a\"}]}", SOP_SCHEMA, "\"t\" is one of" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":3}]}", SOP_SCHEMA, "\"t\" is one of" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"null\"}]}", SOP_SCHEMA, "type \"null\"" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"Int\"}]}", SOP_SCHEMA, "type \"Int\"" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"uint\"}]}", SOP_SCHEMA, "type \"uint\"" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"int\",\"desc\":1}]}", SOP_SCHEMA, "\"desc\"" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"int\",\"desc\":null}]}", SOP_SCHEMA, "\"desc\"" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"int\",\"default\":1}]}", SOP_SCHEMA,
	  "unknown member \"default\" in sort field 1" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"int\",\"dsec\":true}]}", SOP_SCHEMA,
	  "unknown member \"dsec\" in sort field 1" },
	{ "{\"v\":1,\"sorts\":[]}", SOP_SCHEMA, "unknown member \"sorts\"" },
	{ SORT ",\"unique\":true}", SOP_SCHEMA, "unknown member \"unique\"" },
	{ "{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"int\"},{\"n\":\"a\",\"t\":\"str\"}]}",
	  SOP_SCHEMA, "two fields have the name \"a\"" },
	{ SORT ",\"ride\":[{\"n\":\"a\",\"t\":\"int\"}]}", SOP_SCHEMA, "two fields" },
	{ SORT ",\"ride\":{}}", SOP_SCHEMA, "\"ride\" must be a list" },
	{ SORT ",\"ride\":null}", SOP_SCHEMA, "\"ride\" must be a list" },
	{ SORT ",\"ride\":[{\"n\":\"b\",\"t\":\"int\",\"desc\":true}]}", SOP_SCHEMA, "no order" },
	{ SORT ",\"ride\":[{\"n\":\"b\",\"t\":\"int\",\"desc\":false}]}", SOP_SCHEMA, "no order" },
	{ RIDE("bool", "1"), SOP_SCHEMA, "default of ride field 1 \"b\" (bool)" },
	{ RIDE("int", "true"), SOP_SCHEMA, "an integer from -2^63 to 2^64-1" },
	{ RIDE("int", "1.0"), SOP_SCHEMA, "an integer" },
	{ RIDE("int", "\"1\""), SOP_SCHEMA, "an integer" },
	{ RIDE("int", "18446744073709551616"), SOP_SCHEMA, "an integer" },
	{ RIDE("int", "-9223372036854775809"), SOP_SCHEMA, "an integer" },
	{ RIDE("int", "00000000000000000000000001"), SOP_SCHEMA, "not JSON" },
	{ RIDE("int", "{\"int\":1}"), SOP_SCHEMA, "an integer" },
	{ RIDE("int", "{\"int\":\"\"}"), SOP_SCHEMA, "an integer" },
	{ RIDE("int", "{\"int\":\"-\"}"), SOP_SCHEMA, "an integer" },
	{ RIDE("int", "{\"int\":\"01\"}"), SOP_SCHEMA, "an integer" },
	{ RIDE("int", "{\"int\":\"+1\"}"), SOP_SCHEMA, "an integer" },
	{ RIDE("int", "{\"int\":\"1 \"}"), SOP_SCHEMA, "an integer" },
	{ RIDE("int", "{\"int\":\"1\",\"x\":1}"), SOP_SCHEMA, "an integer" },
	{ RIDE("int", "[1]"), SOP_SCHEMA, "an integer" },
	{ RIDE("float", "\"NaN\""), SOP_SCHEMA, "a number" },
	{ RIDE("float", "\"infinity\""), SOP_SCHEMA, "a number" },
	{ RIDE("float", "{\"int\":\"1.5\"}"), SOP_SCHEMA, "a number" },
	{ RIDE("float", "{\"int\":\"-\"}"), SOP_SCHEMA, "a number" },
	{ RIDE("float", "1e999"), SOP_SCHEMA, "not JSON" },
	{ RIDE("str", "1"), SOP_SCHEMA, "a string" },
	{ RIDE("str", "{\"hex\":\"61\"}"), SOP_SCHEMA, "a string" },
	{ RIDE("bytes", "1"), SOP_SCHEMA, "{\"hex\":\"00ff\"}" },
	{ RIDE("bytes", "{\"hex\":\"0\"}"), SOP_SCHEMA, "hex" },
	{ RIDE("bytes", "{\"hex\":\"0g\"}"), SOP_SCHEMA, "hex" },
	{ RIDE("bytes", "{\"hex\":\"00\",\"x\":1}"), SOP_SCHEMA, "hex" },
	{ RIDE("uuid", "\"415af341ee52bdb6d1020a15d9ed17e3\""), SOP_SCHEMA, "8-4-4-4-12" },
	{ RIDE("uuid", "\"415af341-ee52-bdb6-d102-0a15d9ed17eg\""), SOP_SCHEMA, "8-4-4-4-12" },
	{ RIDE("uuid", "7"), SOP_SCHEMA, "8-4-4-4-12" },
	{ RIDE("ts", "1.5"), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "9223372036854775808"), SOP_SCHEMA, "microseconds" },
	{ RIDE("ts", "\"2024-01-01\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-01-01T00:00:00\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-01-01 00:00:00Z\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2023-02-29T00:00:00Z\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"1900-02-29T00:00:00Z\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-13-01T00:00:00Z\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-00-01T00:00:00Z\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-04-31T00:00:00Z\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-04-00T00:00:00Z\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"0000-01-01T00:00:00Z\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-01-01T24:00:00Z\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-01-01T00:60:00Z\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2016-12-31T23:59:60Z\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-01-01T00:00:00.Z\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-01-01T00:00:00.1234567Z\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-01-01T00:00:00+24:00\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-01-01T00:00:00+0100\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-01-01T00:00:00Zx\""), SOP_SCHEMA, "RFC 3339" },
	{ RIDE("ts", "\"2024-01-01T00:00:00Z\\u0000\""), SOP_SCHEMA, "RFC 3339" },
};

static void expect_refused(sop_bytes json, sop_status status, const char *message)
{
	sop_schema *schema = NULL;
	sop_error err = SOP_ERROR_INIT;
	const sop_status got = sop_schema_parse(json, &schema, &err);

	if (got != status || strstr(err.message, message) == NULL)
		fail_msg("%.*s: %s \"%s\" instead of %s \"%s\"", (int)json.size, (const char *)json.data,
			 sop_status_name(got), err.message, sop_status_name(status), message);
	assert_null(schema);
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		expect_refused(test_text(refused[i].json), refused[i].status, refused[i].message);
}

/* Every text that is cut short is refused, and nothing is read behind it. */
static void cut_texts_are_refused(void **state)
{
	static const char json[] = RIDE("ts", "\"2024-02-29T23:59:59.5+01:00\"");

	(void)state;
	for (size_t size = 0; size < sizeof json - 1; size++) {
		char *exact = test_alloc(size != 0 ? size : 1);

		memcpy(exact, json, size);
		expect_refused(test_bytes(exact, size), SOP_SCHEMA, "not JSON");
		free(exact);
	}
}

/* ---- limits ----------------------------------------------------------------------------------- */

/* A schema of so many sort and ride fields. */
static char *many_fields(size_t sort, size_t ride)
{
	const size_t room = 64 * (sort + ride) + 64;
	char *json = test_alloc(room);
	size_t size = (size_t)snprintf(json, room, "{\"v\":1,\"sort\":[");

	for (size_t i = 0; i < sort + ride; i++) {
		if (i == sort)
			size += (size_t)snprintf(json + size, room - size, "],\"ride\":[");
		size += (size_t)snprintf(json + size, room - size, "%s{\"n\":\"f%zu\",\"t\":\"int\"}",
					 i == 0 || i == sort ? "" : ",", i);
	}
	snprintf(json + size, room - size, "]}");
	return json;
}

static void field_counts_end_at_64(void **state)
{
	char *most = many_fields(64, 64);
	char *sort = many_fields(65, 0);
	char *ride = many_fields(1, 65);
	sop_schema *schema = schema_of(most);

	(void)state;
	assert_int_equal(sop_schema_sort_count(schema), 64);
	assert_int_equal(sop_schema_ride_count(schema), 64);
	assert_string_equal(sop_schema_field_name(schema, 127), "f127");
	assert_null(sop_schema_field_name(schema, 128));
	expect_text(schema, most);
	expect_refused(test_text(sort), SOP_LIMIT, "65 sort fields");
	expect_refused(test_text(ride), SOP_LIMIT, "65 ride fields");
	sop_schema_free(schema);
	free(most);
	free(sort);
	free(ride);
}

static void names_end_at_255_bytes(void **state)
{
	char json[512];
	sop_schema *schema;

	(void)state;
	snprintf(json, sizeof json, "{\"v\":1,\"sort\":[{\"n\":\"%0255d\",\"t\":\"int\"}]}", 0);
	schema = schema_of(json);
	assert_int_equal(strlen(sop_schema_field_name(schema, 0)), 255);
	sop_schema_free(schema);
	snprintf(json, sizeof json, "{\"v\":1,\"sort\":[{\"n\":\"%0256d\",\"t\":\"int\"}]}", 0);
	expect_refused(test_text(json), SOP_LIMIT, "256 bytes");
}

/* A text of `size` bytes whose default is as long as that allows. */
static char *long_text(const char *type, size_t size)
{
	char *json = test_alloc(size + 1);
	const int head = snprintf(json, size,
				  SORT ",\"ride\":[{\"n\":\"b\",\"t\":\"%s\",\"default\":\"", type);

	memset(json + head, 'x', size - (size_t)head);
	memcpy(json + size - 4, "\"}]}", 5);
	return json;
}

static void texts_end_at_64_kib(void **state)
{
	char *fits = long_text("str", SOPI_SCHEMA_BYTES_MAX);
	char *grows = long_text("bytes", SOPI_SCHEMA_BYTES_MAX);
	char *beyond = long_text("str", SOPI_SCHEMA_BYTES_MAX + 1);
	sop_schema *schema = schema_of(fits);

	(void)state;
	expect_text(schema, fits);
	expect_refused(test_text(grows), SOP_LIMIT, "canonical text"); /* as hex it is twice as long */
	expect_refused(test_text(beyond), SOP_LIMIT, "65537");
	sop_schema_free(schema);
	free(fits);
	free(grows);
	free(beyond);
}

static void nesting_bombs_are_refused(void **state)
{
	static char bomb[SOPI_SCHEMA_BYTES_MAX];

	(void)state;
	memset(bomb, '[', sizeof bomb);
	expect_refused(test_bytes(bomb, sizeof bomb), SOP_SCHEMA, "depth");
	for (size_t i = 0; i + 5 <= sizeof bomb; i += 5)
		memcpy(bomb + i, "{\"a\":", 5);
	expect_refused(test_bytes(bomb, sizeof bomb - sizeof bomb % 5), SOP_SCHEMA, "depth");
}

/* ---- looking, comparing ----------------------------------------------------------------------- */

static void fields_can_be_looked_at(void **state)
{
	sop_schema *schema = schema_of("{\"v\":1,\"sort\":[{\"n\":\"region\",\"t\":\"str\"},{\"n\":"
				       "\"hired\",\"t\":\"ts\",\"desc\":true}],\"ride\":[{\"n\":"
				       "\"deleted\",\"t\":\"bool\",\"default\":false}]}");

	(void)state;
	assert_int_equal(sop_schema_sort_count(schema), 2);
	assert_int_equal(sop_schema_ride_count(schema), 1);
	assert_string_equal(sop_schema_field_name(schema, 0), "region");
	assert_string_equal(sop_schema_field_name(schema, 2), "deleted");
	assert_int_equal(sop_schema_field_type(schema, 0), SOP_TYPE_STR);
	assert_int_equal(sop_schema_field_type(schema, 1), SOP_TYPE_TS);
	assert_int_equal(sop_schema_field_type(schema, 2), SOP_TYPE_BOOL);
	assert_int_equal(sop_schema_field_type(schema, 3), SOP_TYPE_NULL);
	assert_int_equal(sop_schema_field_descending(schema, 0), 0);
	assert_int_equal(sop_schema_field_descending(schema, 1), 1);
	assert_int_equal(sop_schema_field_descending(schema, SIZE_MAX), 0);
	sop_schema_free(schema);
}

#define A_INT "{\"n\":\"a\",\"t\":\"int\"}"
#define B_STR "{\"n\":\"b\",\"t\":\"str\"}"
#define C_BOOL "{\"n\":\"c\",\"t\":\"bool\",\"default\":true}"
#define OF(sort, ride) "{\"v\":1,\"sort\":[" sort "],\"ride\":[" ride "]}"

static void differences_are_named(void **state)
{
	static const struct {
		const char *stored, *declared;
		enum sopi_schema_difference difference;
		const char *text;
	} cases[] = {
		{ OF(A_INT, C_BOOL), OF(A_INT, C_BOOL), SOPI_SCHEMA_EQUAL, "" },
		{ OF(A_INT, ""), OF(A_INT, C_BOOL), SOPI_SCHEMA_EXTENDED,
		  "the declared schema has ride field 1 \"c\" (bool), the store has not" },
		{ OF(A_INT, C_BOOL), OF(A_INT, C_BOOL "," B_STR), SOPI_SCHEMA_EXTENDED,
		  "the declared schema has ride field 2 \"b\" (str), the store has not" },
		{ OF(A_INT, C_BOOL), OF(A_INT, ""), SOPI_SCHEMA_DIFFERENT,
		  "the store has ride field 1 \"c\" (bool), the declared schema has not" },
		{ OF(A_INT, C_BOOL), OF(A_INT, B_STR "," C_BOOL), SOPI_SCHEMA_DIFFERENT,
		  "the store has ride field 1 \"c\" (bool), the declared schema ride field 1 \"b\" (str)" },
		{ OF(A_INT, C_BOOL), OF(A_INT, "{\"n\":\"c\",\"t\":\"bool\"}"), SOPI_SCHEMA_DIFFERENT,
		  "ride field 1 \"c\" (bool) has another default in the declared schema" },
		{ OF(A_INT, ""), OF(A_INT "," B_STR, ""), SOPI_SCHEMA_DIFFERENT,
		  "the declared schema has sort field 2 \"b\" (str), the store has not" },
		{ OF(A_INT "," B_STR, ""), OF(A_INT, B_STR), SOPI_SCHEMA_DIFFERENT,
		  "the store has sort field 2 \"b\" (str), the declared schema has not" },
		{ OF(A_INT, ""), OF("{\"n\":\"a\",\"t\":\"int\",\"desc\":true}", ""), SOPI_SCHEMA_DIFFERENT,
		  "the store has sort field 1 \"a\" (int), the declared schema sort field 1 \"a\" (int) "
		  "descending" },
		{ OF(A_INT, ""), OF("{\"n\":\"a\",\"t\":\"ts\"}", ""), SOPI_SCHEMA_DIFFERENT,
		  "\"a\" (int), the declared schema sort field 1 \"a\" (ts)" },
		{ OF(A_INT, ""), OF("{\"n\":\"aa\",\"t\":\"int\"}", ""), SOPI_SCHEMA_DIFFERENT,
		  "\"aa\" (int)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		sop_schema *stored = schema_of(cases[i].stored);
		sop_schema *declared = schema_of(cases[i].declared);
		char text[256] = "";
		char cut[8] = "";

		assert_int_equal(sopi_schema_compare(sopi_schema_of(stored),
						     sopi_schema_of(declared), text, sizeof text),
				 cases[i].difference);
		if (strstr(text, cases[i].text) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", text, cases[i].text);
		assert_int_equal(sopi_schema_compare(sopi_schema_of(stored),
						     sopi_schema_of(declared), cut, sizeof cut),
				 cases[i].difference);
		assert_true(strlen(cut) < sizeof cut);
		sop_schema_free(stored);
		sop_schema_free(declared);
	}
}

static void a_copy_is_the_same_and_its_own(void **state)
{
	sop_schema *schema = schema_of(OF(A_INT "," B_STR, C_BOOL));
	struct sopi_schema *copy = NULL;
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	TEST_OK(sopi_schema_copy(sopi_schema_of(schema), &copy, &err), err);
	sop_schema_free(schema);
	schema = schema_of(OF(A_INT "," B_STR, C_BOOL));
	assert_int_equal(sopi_schema_compare(copy, sopi_schema_of(schema), NULL, 0), SOPI_SCHEMA_EQUAL);
	assert_string_equal(copy->fields[2].name, "c");
	sopi_schema_free(copy);
	sop_schema_free(schema);
}

/* ---- arguments and memory --------------------------------------------------------------------- */

static void wrong_arguments_are_misuse(void **state)
{
	const sop_bytes null = { NULL, 1 };
	sop_schema *schema = NULL;
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	TEST_STATUS(sop_schema_parse(null, &schema, &err), SOP_MISUSE, err);
	TEST_STATUS(sop_schema_parse(test_text(SORT "}"), NULL, &err), SOP_MISUSE, err);
	TEST_STATUS(sop_schema_parse(test_bytes(NULL, 0), &schema, &err), SOP_SCHEMA, err);
	TEST_STATUS(sop_schema_parse(test_text("{}"), &schema, NULL), SOP_SCHEMA, err);
	assert_null(schema);
	schema = schema_of(SORT "}");
	TEST_STATUS(sop_schema_text(schema, NULL, &err), SOP_MISUSE, err);
	sop_schema_free(schema);
	sopi_schema_free(NULL);
}

/* Each of our allocations fails once; nothing leaks and the last try gives the schema. */
static void out_of_memory_is_a_status(void **state)
{
	static const char json[] = SORT ",\"ride\":[{\"n\":\"b\",\"t\":\"bytes\",\"default\":{\"hex\":"
					"\"00ff\"}},{\"n\":\"c\",\"t\":\"int\",\"default\":"
					"18446744073709551615}]}";
	const int64_t live = sopi_alloc_live_count();
	sop_schema *schema = NULL;
	sop_error err = SOP_ERROR_INIT;
	int64_t n = 0;

	(void)state;
	for (;; n++) {
		sop_status status;

		sopi_alloc_fail_after(n, false);
		status = sop_schema_parse(test_text(json), &schema, &err);
		sopi_alloc_fail_after(-1, false);
		if (status == SOP_OK)
			break;
		assert_int_equal(status, SOP_NO_MEMORY);
		assert_null(schema);
		assert_int_equal(sopi_alloc_live_count(), live);
	}
	assert_true(n >= 5);
	sop_schema_free(schema);
	assert_int_equal(sopi_alloc_live_count(), live);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_canonical),
		cmocka_unit_test(defaults_have_one_form),
		cmocka_unit_test(times_are_those_of_the_c_library),
		cmocka_unit_test(locale_does_not_matter),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(cut_texts_are_refused),
		cmocka_unit_test(field_counts_end_at_64),
		cmocka_unit_test(names_end_at_255_bytes),
		cmocka_unit_test(texts_end_at_64_kib),
		cmocka_unit_test(nesting_bombs_are_refused),
		cmocka_unit_test(fields_can_be_looked_at),
		cmocka_unit_test(differences_are_named),
		cmocka_unit_test(a_copy_is_the_same_and_its_own),
		cmocka_unit_test(wrong_arguments_are_misuse),
		cmocka_unit_test(out_of_memory_is_a_status),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
