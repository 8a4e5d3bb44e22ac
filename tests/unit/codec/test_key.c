/* Packing and unpacking: the published vectors, the limits, and what each misfit is told. */
#include "codec/key.h"

#include "base/alloc.h"
#include "codec/key_utf8.h"
#include "support/support.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VECTORS = 300, FIELDS_MAX = 8, KEY_ROOM_BYTES = 4096 };

static sop_schema *schema_of(const char *json)
{
	sop_schema *schema = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sop_schema_parse(test_text(json), &schema, &err), err);
	return schema;
}

static size_t from_hex(const char *hex, size_t size, uint8_t *to)
{
	for (size_t i = 0; i < size; i += 2) {
		const char digits[3] = { hex[i], hex[i + 1], '\0' };

		to[i / 2] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return size / 2;
}

static void expect_key(sop_bytes key, const char *hex)
{
	uint8_t expected[KEY_ROOM_BYTES];
	const size_t size = from_hex(hex, strlen(hex), expected);

	assert_int_equal(key.size, size);
	assert_memory_equal(key.data, expected, size);
}

static bool same_value(const sop_value *a, const sop_value *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case SOP_TYPE_NULL:
		return true;
	case SOP_TYPE_BOOL:
		return a->as.boolean == b->as.boolean;
	case SOP_TYPE_FLOAT:
		return a->as.real == b->as.real && signbit(a->as.real) == signbit(b->as.real);
	case SOP_TYPE_BYTES:
	case SOP_TYPE_STR:
		return a->as.bytes.size == b->as.bytes.size &&
		       memcmp(a->as.bytes.data, b->as.bytes.data, a->as.bytes.size) == 0;
	case SOP_TYPE_UUID:
		return memcmp(a->as.uuid, b->as.uuid, 16) == 0;
	default:
		return a->as.natural == b->as.natural;
	}
}

/* Packs to `hex`, and unpacks that to `values`. */
static void expect_both_ways(const sop_schema *schema, const sop_value *values, size_t count,
			     const char *hex)
{
	uint8_t packed[KEY_ROOM_BYTES], text[KEY_ROOM_BYTES];
	sop_buf key = SOP_BUF_OVER(packed);
	sop_buf room = SOP_BUF_OVER(text);
	sop_value back[FIELDS_MAX];
	sop_error err = SOP_ERROR_INIT;
	size_t back_count = 0;

	TEST_OK(sop_key_pack(schema, values, count, &key, &err), err);
	expect_key(test_bytes(key.data, key.size), hex);
	TEST_OK(sop_key_unpack(schema, test_bytes(key.data, key.size), back, FIELDS_MAX,
			       &back_count, &room, &err),
		err);
	assert_int_equal(back_count, count);
	for (size_t i = 0; i < count; i++)
		assert_true(same_value(&back[i], &values[i]));
}

/* ---- the published vectors -------------------------------------------------------------------- */

static sop_value vector_value(json_t *json, const char *type, uint8_t *room)
{
	const char *text;
	sop_value value;
	uint64_t bits;
	double real;

	if (json_is_null(json))
		return sop_value_null();
	if (json_is_boolean(json))
		return sop_value_bool(json_is_true(json));
	if (strcmp(type, "str") == 0) {
		value = sop_value_bytes(json_string_value(json), json_string_length(json));
		value.type = SOP_TYPE_STR;
		return value;
	}
	if (strcmp(type, "uuid") == 0) {
		char digits[33];
		size_t size = 0;

		for (text = json_string_value(json); *text != '\0'; text++) {
			if (*text != '-')
				digits[size++] = *text;
		}
		from_hex(digits, size, room);
		return sop_value_uuid(room);
	}
	if ((text = json_string_value(json_object_get(json, "$hex"))) != NULL)
		return sop_value_bytes(room, from_hex(text, strlen(text), room));
	if ((text = json_string_value(json_object_get(json, "$f64"))) != NULL) {
		bits = strtoull(text, NULL, 16);
		memcpy(&real, &bits, sizeof real);
		return sop_value_float(real);
	}
	text = json_string_value(json_object_get(json, "$int"));
	if (strcmp(type, "ts") == 0)
		return sop_value_ts(strtoll(text, NULL, 10));
	if (text[0] != '-' && strtoull(text, NULL, 10) > INT64_MAX)
		return sop_value_uint(strtoull(text, NULL, 10));
	return sop_value_int(strtoll(text, NULL, 10));
}

static void check_vector(json_t *vector)
{
	json_t *fields = json_object_get(vector, "schema");
	json_t *given = json_object_get(vector, "values");
	const size_t count = json_array_size(fields);
	static uint8_t rooms[FIELDS_MAX][1024];
	sop_value values[FIELDS_MAX];
	char text[1024] = "{\"v\":1,\"sort\":[";
	sop_schema *schema;

	assert_true(count > 0 && count <= FIELDS_MAX && json_array_size(given) == count);
	for (size_t i = 0; i < count; i++) {
		json_t *field = json_array_get(fields, i);
		const char *type = json_string_value(json_object_get(field, "t"));
		const size_t used = strlen(text);

		snprintf(text + used, sizeof text - used,
			 "%s{\"n\":\"f%zu\",\"t\":\"%s\",\"desc\":%s}", i > 0 ? "," : "", i, type,
			 json_is_true(json_object_get(field, "desc")) ? "true" : "false");
		values[i] = vector_value(json_array_get(given, i), type, rooms[i]);
		if (values[i].type == SOP_TYPE_FLOAT && values[i].as.real == 0)
			values[i].as.real = 0; /* -0.0 comes back as 0.0 */
	}
	strcat(text, "]}");
	schema = schema_of(text);
	expect_both_ways(schema, values, count, json_string_value(json_object_get(vector, "hex")));
	sop_schema_free(schema);
}

static void published_vectors_hold_both_ways(void **state)
{
	FILE *file = fopen(SOP_TEST_DATA_DIR "/keys-v1.jsonl", "r");
	static char line[1 << 16];
	unsigned count = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL) {
		json_t *vector = json_loads(line, JSON_ALLOW_NUL, NULL);

		assert_non_null(vector);
		check_vector(vector);
		json_decref(vector);
		count++;
	}
	fclose(file);
	assert_int_equal(count, VECTORS);
}

/* The examples of the specification, which are not among the vectors. */
static void examples_of_the_specification_hold(void **state)
{
	sop_value text = sop_value_bytes("a\0b", 3);

	(void)state;
	text.type = SOP_TYPE_STR;
	const struct {
		const char *fields;
		sop_value values[2];
		size_t count;
		const char *hex;
	} examples[] = {
		{ "{\"n\":\"a\",\"t\":\"str\"},{\"n\":\"b\",\"t\":\"int\"}",
		  { sop_value_str("US"), sop_value_int(101) },
		  2,
		  "02555300011565" },
		{ "{\"n\":\"a\",\"t\":\"str\"},{\"n\":\"b\",\"t\":\"int\",\"desc\":true}",
		  { sop_value_str("US"), sop_value_int(101) },
		  2,
		  "0255530001ea9a" },
		{ "{\"n\":\"a\",\"t\":\"str\",\"desc\":true},{\"n\":\"b\",\"t\":\"int\"}",
		  { sop_value_str("US"), sop_value_int(-2) },
		  2,
		  "fdaaacfffe13fd" },
		{ "{\"n\":\"a\",\"t\":\"str\"},{\"n\":\"b\",\"t\":\"bool\",\"desc\":true}",
		  { text, sop_value_bool(1) },
		  2,
		  "026100ff620001d8" },
		{ "{\"n\":\"a\",\"t\":\"float\"},{\"n\":\"b\",\"t\":\"int\"}",
		  { sop_value_float(1.5), sop_value_null() },
		  2,
		  "21bff800000000000000" },
		{ "{\"n\":\"a\",\"t\":\"int\",\"desc\":true}", { sop_value_int(INT64_MAX) }, 1, "e38000000000000000" },
		{ "{\"n\":\"a\",\"t\":\"bytes\"}", { sop_value_bytes("\xff\0", 2) }, 1, "01ff00ff0001" },
	};

	for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
		char json[256];
		sop_schema *schema;

		snprintf(json, sizeof json, "{\"v\":1,\"sort\":[%s]}", examples[i].fields);
		schema = schema_of(json);
		expect_both_ways(schema, examples[i].values, examples[i].count, examples[i].hex);
		sop_schema_free(schema);
	}
}

/* ---- values and fields ------------------------------------------------------------------------ */

static sop_value str_of(const void *data, size_t size)
{
	sop_value value = sop_value_bytes(data, size);

	value.type = SOP_TYPE_STR;
	return value;
}

static sop_value typed(uint32_t type)
{
	sop_value value = sop_value_null();

	value.type = type;
	return value;
}

static void misfits_are_refused_by_name(void **state)
{
	sop_schema *schema = schema_of("{\"v\":1,\"sort\":["
				       "{\"n\":\"flag\",\"t\":\"bool\"},{\"n\":\"count\",\"t\":\"int\"},"
				       "{\"n\":\"rate\",\"t\":\"float\"},{\"n\":\"raw\",\"t\":\"bytes\"},"
				       "{\"n\":\"name\",\"t\":\"str\"},{\"n\":\"id\",\"t\":\"uuid\"},"
				       "{\"n\":\"when\",\"t\":\"ts\"}]}");
	const struct {
		size_t field;
		sop_value value;
		sop_status status;
		const char *message;
	} misfits[] = {
		{ 0, sop_value_int(1), SOP_SCHEMA, "sort field 1 \"flag\" (bool): the value is int" },
		{ 1, sop_value_bool(1), SOP_SCHEMA, "\"count\" (int): the value is bool" },
		{ 1, sop_value_float(1.0), SOP_SCHEMA, "the value is float" },
		{ 1, sop_value_ts(1), SOP_SCHEMA, "the value is ts" },
		{ 2, sop_value_float(NAN), SOP_SCHEMA, "\"rate\" (float): NaN" },
		{ 2, sop_value_float(-NAN), SOP_SCHEMA, "NaN" },
		{ 2, sop_value_int(9007199254740993), SOP_SCHEMA, "no float is exactly" },
		{ 2, sop_value_int(INT64_MAX), SOP_SCHEMA, "no float is exactly" },
		{ 2, sop_value_uint(UINT64_MAX), SOP_SCHEMA, "no float is exactly" },
		{ 2, sop_value_str("1"), SOP_SCHEMA, "the value is str" },
		{ 3, sop_value_str("raw"), SOP_SCHEMA, "\"raw\" (bytes): the value is str" },
		{ 4, sop_value_bytes("name", 4), SOP_SCHEMA, "\"name\" (str): the value is bytes" },
		{ 4, str_of("\xed\xa0\x80", 3), SOP_SCHEMA, "UTF-8" },
		{ 4, str_of("abc\xc3", 4), SOP_SCHEMA, "UTF-8" },
		{ 4, str_of(NULL, 1), SOP_MISUSE, "NULL" },
		{ 5, sop_value_bytes("0123456789abcdef", 16), SOP_SCHEMA, "\"id\" (uuid)" },
		{ 6, sop_value_uint((uint64_t)INT64_MAX + 1), SOP_SCHEMA, "beyond 2^63-1" },
		{ 6, sop_value_float(0), SOP_SCHEMA, "\"when\" (ts): the value is float" },
		{ 0, typed(9), SOP_MISUSE, "9 is no type" },
		{ 4, typed(UINT32_MAX), SOP_MISUSE, "4294967295 is no type" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof misfits / sizeof *misfits; i++) {
		sop_value values[7];
		sop_buf key = SOP_BUF_INIT;
		sop_error err = SOP_ERROR_INIT;

		for (size_t k = 0; k < 7; k++)
			values[k] = k == misfits[i].field ? misfits[i].value : sop_value_null();
		TEST_STATUS(sop_key_pack(schema, values, 7, &key, &err), misfits[i].status, err);
		if (strstr(err.message, misfits[i].message) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.message, misfits[i].message);
		sop_buf_free(&key);
	}
	sop_schema_free(schema);
}

/* One number has one encoding, whichever way it is given. */
static void equal_numbers_pack_alike(void **state)
{
	sop_schema *schema = schema_of("{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"int\"},"
				       "{\"n\":\"b\",\"t\":\"float\"},{\"n\":\"c\",\"t\":\"ts\"}]}");
	const sop_value given[] = { sop_value_uint(7), sop_value_int(-3), sop_value_int(1) };
	const sop_value also[] = { sop_value_int(7), sop_value_float(-3.0), sop_value_ts(1) };
	const sop_value wide[] = { sop_value_uint(UINT64_MAX), sop_value_uint((uint64_t)1 << 63),
				   sop_value_uint(INT64_MAX) };
	const sop_value zero[] = { sop_value_int(0), sop_value_float(-0.0), sop_value_ts(0) };
	sop_buf one = SOP_BUF_INIT;
	sop_buf other = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	TEST_OK(sop_key_pack(schema, given, 3, &one, &err), err);
	TEST_OK(sop_key_pack(schema, also, 3, &other, &err), err);
	assert_int_equal(one.size, other.size);
	assert_memory_equal(one.data, other.data, one.size);
	TEST_OK(sop_key_pack(schema, wide, 3, &one, &err), err);
	expect_key(test_bytes(one.data, one.size), "1cffffffffffffffff"
						   "21c3e0000000000000"
						   "1c7fffffffffffffff");
	TEST_OK(sop_key_pack(schema, zero, 3, &one, &err), err);
	expect_key(test_bytes(one.data, one.size), "14"
						   "218000000000000000"
						   "14");
	sop_buf_free(&one);
	sop_buf_free(&other);
	sop_schema_free(schema);
}

static void counts_beyond_the_schema_are_refused(void **state)
{
	sop_schema *schema = schema_of("{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"int\"},"
				       "{\"n\":\"b\",\"t\":\"int\"}],"
				       "\"ride\":[{\"n\":\"c\",\"t\":\"int\"}]}");
	const sop_value values[] = { sop_value_int(0), sop_value_int(0), sop_value_int(0),
				     sop_value_int(0) };
	sop_buf key = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	for (size_t count = 0; count <= 4; count++) {
		TEST_STATUS(sop_key_pack(schema, values, count, &key, &err),
			    count == 2 || count == 3 ? SOP_OK : SOP_SCHEMA, err);
		TEST_STATUS(sop_key_pack_prefix(schema, values, count, &key, &err),
			    count <= 2 ? SOP_OK : SOP_SCHEMA, err);
	}
	TEST_OK(sop_key_pack_prefix(schema, NULL, 0, &key, &err), err);
	assert_int_equal(key.size, 0);
	sop_buf_free(&key);
	sop_schema_free(schema);
}

static void unpack_tells_the_capacity_it_needs(void **state)
{
	sop_schema *schema = schema_of("{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"int\"},"
				       "{\"n\":\"b\",\"t\":\"str\",\"desc\":true}]}");
	const sop_bytes key = { "\x14\xfd\x9e\xff\xfe", 5 };
	sop_value values[2];
	sop_buf room = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;
	size_t count = 0;

	(void)state;
	TEST_STATUS(sop_key_unpack(schema, key, values, 1, &count, &room, &err), SOP_LIMIT, err);
	assert_int_equal(count, 2);
	TEST_STATUS(sop_key_unpack(schema, key, NULL, 0, &count, &room, &err), SOP_LIMIT, err);
	TEST_OK(sop_key_unpack(schema, key, values, 2, &count, &room, &err), err);
	assert_int_equal(values[1].as.bytes.size, 1);
	assert_ptr_equal(values[1].as.bytes.data, room.data);
	assert_memory_equal(room.data, "a", 1);
	assert_int_equal(room.size, 1);
	sop_buf_free(&room);
	sop_schema_free(schema);
}

/* ---- limits and ride fields ------------------------------------------------------------------- */

static void keys_end_at_64_kib(void **state)
{
	sop_schema *schema = schema_of("{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"bytes\"}]}");
	static char text[SOP_KEY_BYTES_MAX + 1];
	sop_value value = sop_value_bytes(text, SOP_KEY_BYTES_MAX - 3);
	sop_buf key = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;
	size_t sort_size;

	(void)state;
	memset(text, 'x', sizeof text);
	TEST_OK(sop_key_pack(schema, &value, 1, &key, &err), err);
	assert_int_equal(key.size, SOP_KEY_BYTES_MAX);
	TEST_OK(sopi_key_split(sopi_schema_of(schema), test_bytes(key.data, key.size), &sort_size, &err),
		err);
	value.as.bytes.size++;
	TEST_STATUS(sop_key_pack(schema, &value, 1, &key, &err), SOP_LIMIT, err);
	assert_non_null(strstr(err.message, "65537"));
	assert_non_null(strstr(err.message, "65536"));
	value.as.bytes.size = SIZE_MAX;
	TEST_STATUS(sop_key_pack(schema, &value, 1, &key, &err), SOP_LIMIT, err);
	value.as.bytes.size = SOP_KEY_BYTES_MAX - 3;
	text[0] = '\0'; /* takes one byte more */
	TEST_STATUS(sop_key_pack_prefix(schema, &value, 1, &key, &err), SOP_LIMIT, err);
	sop_buf_free(&key);
	sop_schema_free(schema);
}

static void split_refuses_keys_beyond_64_kib(void **state)
{
	sop_schema *schema = schema_of("{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"bytes\"}]}");
	static uint8_t key[SOP_KEY_BYTES_MAX + 1];
	sop_error err = SOP_ERROR_INIT;
	size_t sort_size;

	(void)state;
	memset(key, 'x', sizeof key);
	key[0] = 0x01;
	memcpy(key + sizeof key - 2, "\x00\x01", 2);
	TEST_STATUS(sopi_key_split(sopi_schema_of(schema), test_bytes(key, sizeof key), &sort_size, &err),
		    SOP_LIMIT, err);
	sop_schema_free(schema);
}

/* A key that was accepted without its ride fields is accepted with their defaults as well. */
static void defaults_do_not_count_towards_the_limit(void **state)
{
	sop_schema *schema = schema_of("{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"bytes\"}],\"ride\":["
				       "{\"n\":\"b\",\"t\":\"int\",\"default\":7},"
				       "{\"n\":\"c\",\"t\":\"str\",\"default\":\"none\"}]}");
	static char text[SOP_KEY_BYTES_MAX];
	sop_value values[] = { sop_value_bytes(text, SOP_KEY_BYTES_MAX - 3), sop_value_int(7),
			       sop_value_str("none") };
	sop_value back[3];
	sop_buf key = SOP_BUF_INIT;
	sop_buf room = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;
	size_t count;

	(void)state;
	memset(text, 'x', sizeof text);
	for (size_t i = 1; i <= 3; i++)
		TEST_OK(sop_key_pack(schema, values, i, &key, &err), err);
	TEST_OK(sop_key_unpack(schema, test_bytes(key.data, key.size), back, 3, &count, &room, &err), err);
	assert_int_equal(count, 3);
	values[1] = sop_value_int(8);
	TEST_STATUS(sop_key_pack(schema, values, 3, &key, &err), SOP_LIMIT, err);
	values[1] = sop_value_int(7);
	values[2] = sop_value_str("nona");
	TEST_STATUS(sop_key_pack(schema, values, 3, &key, &err), SOP_LIMIT, err);
	values[2] = sop_value_bytes(text, SOP_KEY_BYTES_MAX);
	values[2].type = SOP_TYPE_STR;
	TEST_STATUS(sop_key_pack(schema, values, 3, &key, &err), SOP_LIMIT, err);
	sop_buf_free(&key);
	sop_buf_free(&room);
	sop_schema_free(schema);
}

static void ride_fields_left_out_take_their_defaults(void **state)
{
	sop_schema *schema =
		schema_of("{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"int\",\"desc\":true}],\"ride\":["
			  "{\"n\":\"b\",\"t\":\"bool\",\"default\":false},{\"n\":\"c\",\"t\":\"int\"},"
			  "{\"n\":\"d\",\"t\":\"bytes\",\"default\":{\"hex\":\"00FF\"}}]}");
	const struct sopi_schema *inside = sopi_schema_of(schema);
	static const struct {
		const char *ride, *whole;
	} cases[] = {
		{ "", "2600"
		      "0100ffff0001" },
		{ "27", "2700"
			"0100ffff0001" },
		{ "271501", "271501"
			    "0100ffff0001" },
		{ "00000100"
		  "01",
		  "00000100"
		  "01" },
	};
	sop_buf whole = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_bytes missing;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t ride[16];
		const size_t size = from_hex(cases[i].ride, strlen(cases[i].ride), ride);

		TEST_OK(sopi_ride_complete(inside, test_bytes(ride, size), &whole, &err), err);
		expect_key(test_bytes(whole.data, whole.size), cases[i].whole);
		TEST_OK(sopi_ride_missing(inside, test_bytes(ride, size), &missing, &err), err);
		expect_key(missing, cases[i].whole + 2 * size);
	}
	TEST_STATUS(sopi_ride_complete(inside, test_bytes("\x26\x15", 2), &whole, &err), SOP_SCHEMA, err);
	TEST_STATUS(sopi_ride_missing(inside, test_bytes("\x26\x00\x00\x00", 4), &missing, &err),
		    SOP_SCHEMA, err);
	sop_buf_free(&whole);
	sop_schema_free(schema);
}

/* ---- prefixes --------------------------------------------------------------------------------- */

static void next_prefix_is_the_end_of_the_range(void **state)
{
	static const struct {
		const char *prefix, *next;
	} cases[] = {
		{ "00", "01" },	    { "61", "62" },	{ "61ff", "62" },	{ "61ffff", "62" },
		{ "ff00", "ff01" }, { "fffe", "ffff" }, { "00ff00", "00ff01" },
	};
	sop_buf out = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t prefix[8];
		const size_t size = from_hex(cases[i].prefix, strlen(cases[i].prefix), prefix);

		TEST_OK(sop_key_next_prefix(test_bytes(prefix, size), &out, &err), err);
		expect_key(test_bytes(out.data, out.size), cases[i].next);
	}
	TEST_OK(sop_key_next_prefix(test_bytes(out.data, out.size), &out, &err), err);
	expect_key(test_bytes(out.data, out.size), "00ff02"); /* in place */
	TEST_STATUS(sop_key_next_prefix(test_bytes("\xff\xff", 2), &out, &err), SOP_NOT_FOUND, err);
	TEST_STATUS(sop_key_next_prefix(test_bytes(NULL, 0), &out, &err), SOP_NOT_FOUND, err);
	sop_buf_free(&out);
}

static void bounds_may_stop_behind_any_sort_field(void **state)
{
	sop_schema *schema = schema_of("{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"int\"},"
				       "{\"n\":\"b\",\"t\":\"int\"}],"
				       "\"ride\":[{\"n\":\"c\",\"t\":\"bool\"}]}");
	const struct sopi_schema *inside = sopi_schema_of(schema);
	sop_error err = SOP_ERROR_INIT;
	size_t size = 99;

	(void)state;
	TEST_OK(sopi_key_split_prefix(inside, test_bytes(NULL, 0), &size, &err), err);
	assert_int_equal(size, 0);
	TEST_OK(sopi_key_split_prefix(inside, test_bytes("\x15\x01", 2), &size, &err), err);
	assert_int_equal(size, 2);
	TEST_OK(sopi_key_split_prefix(inside, test_bytes("\x15\x01\x14\x26", 4), &size, &err), err);
	assert_int_equal(size, 3);
	TEST_STATUS(sopi_key_split_prefix(inside, test_bytes("\x15", 1), &size, &err), SOP_SCHEMA, err);
	TEST_STATUS(sopi_key_split(inside, test_bytes("\x15\x01", 2), &size, &err), SOP_SCHEMA, err);
	sop_schema_free(schema);
}

/* ---- arguments, memory, UTF-8 ----------------------------------------------------------------- */

static void wrong_arguments_are_misuse(void **state)
{
	sop_schema *schema = schema_of("{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"int\"}]}");
	uint64_t other_handle[16] = { 0x12345678 };
	const sop_schema *const bad[] = { NULL, (const sop_schema *)(const void *)other_handle };
	const sop_value value = sop_value_int(1);
	const sop_bytes key = { "\x14", 1 };
	const sop_bytes null = { NULL, 1 };
	sop_buf buf = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_value back;
	size_t count;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		TEST_STATUS(sop_key_pack(bad[i], &value, 1, &buf, &err), SOP_MISUSE, err);
		TEST_STATUS(sop_key_pack_prefix(bad[i], &value, 1, &buf, &err), SOP_MISUSE, err);
		TEST_STATUS(sop_key_unpack(bad[i], key, &back, 1, &count, &buf, &err), SOP_MISUSE, err);
		TEST_STATUS(sop_schema_text(bad[i], &buf, &err), SOP_MISUSE, err);
		assert_int_equal(sop_schema_sort_count(bad[i]), 0);
		assert_int_equal(sop_schema_ride_count(bad[i]), 0);
		assert_null(sop_schema_field_name(bad[i], 0));
		assert_int_equal(sop_schema_field_type(bad[i], 0), SOP_TYPE_NULL);
		assert_int_equal(sop_schema_field_descending(bad[i], 0), 0);
	}
	TEST_STATUS(sop_key_pack(schema, NULL, 1, &buf, &err), SOP_MISUSE, err);
	TEST_STATUS(sop_key_pack(schema, &value, 1, NULL, &err), SOP_MISUSE, err);
	TEST_STATUS(sop_key_unpack(schema, null, &back, 1, &count, &buf, &err), SOP_MISUSE, err);
	TEST_STATUS(sop_key_unpack(schema, key, NULL, 1, &count, &buf, &err), SOP_MISUSE, err);
	TEST_STATUS(sop_key_unpack(schema, key, &back, 1, NULL, &buf, &err), SOP_MISUSE, err);
	TEST_STATUS(sop_key_unpack(schema, key, &back, 1, &count, NULL, &err), SOP_MISUSE, err);
	TEST_STATUS(sop_key_next_prefix(null, &buf, &err), SOP_MISUSE, err);
	TEST_STATUS(sop_key_next_prefix(key, NULL, &err), SOP_MISUSE, err);
	TEST_STATUS(sop_key_pack(NULL, &value, 1, &buf, NULL), SOP_MISUSE, err);
	sop_schema_free(NULL);
	sop_schema_free(schema);
	sop_buf_free(&buf);
}

static void out_of_memory_is_a_status(void **state)
{
	sop_schema *schema = schema_of("{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"str\"}]}");
	const sop_value value = sop_value_str("ann");
	sop_error err = SOP_ERROR_INIT;
	sop_buf key = SOP_BUF_INIT;
	sop_buf room = SOP_BUF_INIT;
	sop_value back;
	size_t count;

	(void)state;
	sopi_alloc_fail_after(0, false);
	TEST_STATUS(sop_key_pack(schema, &value, 1, &key, &err), SOP_NO_MEMORY, err);
	TEST_OK(sop_key_pack(schema, &value, 1, &key, &err), err);
	sopi_alloc_fail_after(0, false);
	TEST_STATUS(sop_key_unpack(schema, test_bytes(key.data, key.size), &back, 1, &count, &room, &err),
		    SOP_NO_MEMORY, err);
	sopi_alloc_fail_after(0, false);
	TEST_STATUS(sop_key_next_prefix(test_bytes(key.data, key.size), &room, &err), SOP_NO_MEMORY, err);
	sopi_alloc_fail_after(-1, false);
	sop_buf_free(&key);
	sop_buf_free(&room);
	sop_schema_free(schema);
}

/* Whether bytes are UTF-8, by decoding and comparing with the shortest form. */
static bool utf8_by_decoding(const uint8_t *text, size_t size)
{
	for (size_t i = 0; i < size;) {
		const uint8_t lead = text[i];
		const size_t length = lead < 0x80	      ? 1
				      : (lead & 0xE0) == 0xC0 ? 2
				      : (lead & 0xF0) == 0xE0 ? 3
				      : (lead & 0xF8) == 0xF0 ? 4
							      : 0;
		static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
		uint32_t point;

		if (length == 0 || i + length > size)
			return false;
		point = length == 1 ? lead : lead & (0x7Fu >> length);
		for (size_t k = 1; k < length; k++) {
			if ((text[i + k] & 0xC0) != 0x80)
				return false;
			point = point << 6 | (text[i + k] & 0x3Fu);
		}
		if (point < least[length] || point > 0x10FFFF || (point >> 11) == 0x1B)
			return false;
		i += length;
	}
	return true;
}

/* All strings of two bytes, and all of four whose later bytes are at the edges, in both directions. */
static void utf8_is_told_from_other_bytes(void **state)
{
	static const uint8_t edges[] = { 0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
					 0xBF, 0xC0, 0xC2, 0xE0, 0xED, 0xF0, 0xF4, 0xFF };
	uint8_t text[12] = "pad-pad-";
	uint8_t mirror[12];

	(void)state;
	for (uint32_t i = 0; i < 0x10000u * 16 * 16; i++) {
		text[8] = (uint8_t)(i >> 8);
		text[9] = (uint8_t)i;
		text[10] = edges[i >> 16 & 15];
		text[11] = edges[i >> 20];
		for (size_t size = i < 0x10000 ? 9 : 12; size <= 12; size++) {
			const bool valid = utf8_by_decoding(text, size);

			for (size_t k = 0; k < size; k++)
				mirror[k] = (uint8_t)~text[k];
			if (sopi_utf8_valid(text, size, 0) != valid ||
			    sopi_utf8_valid(mirror, size, 0xFF) != valid)
				fail_msg("%02x %02x %02x %02x", text[8], text[9], text[10], text[11]);
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors_hold_both_ways),
		cmocka_unit_test(examples_of_the_specification_hold),
		cmocka_unit_test(misfits_are_refused_by_name),
		cmocka_unit_test(equal_numbers_pack_alike),
		cmocka_unit_test(counts_beyond_the_schema_are_refused),
		cmocka_unit_test(unpack_tells_the_capacity_it_needs),
		cmocka_unit_test(keys_end_at_64_kib),
		cmocka_unit_test(split_refuses_keys_beyond_64_kib),
		cmocka_unit_test(defaults_do_not_count_towards_the_limit),
		cmocka_unit_test(ride_fields_left_out_take_their_defaults),
		cmocka_unit_test(next_prefix_is_the_end_of_the_range),
		cmocka_unit_test(bounds_may_stop_behind_any_sort_field),
		cmocka_unit_test(wrong_arguments_are_misuse),
		cmocka_unit_test(out_of_memory_is_a_status),
		cmocka_unit_test(utf8_is_told_from_other_bytes),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
