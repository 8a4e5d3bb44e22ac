/* Bytes that are no keys: every kind is refused with a status, nothing is read beyond them, and
 * what is accepted is the one encoding of its values. */
#include "codec/key.h"
#include "key_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MUTATIONS = 500000, MUTATIONS_A_SCHEMA = 500, KEY_ROOM_BYTES = 1024 };

static sop_schema *schema_of(const char *json)
{
	sop_schema *schema = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sop_schema_parse(test_text(json), &schema, &err), err);
	return schema;
}

static size_t from_hex(const char *hex, uint8_t *to)
{
	size_t size = 0;

	for (; hex[0] != '\0'; hex += 2) {
		const char digits[3] = { hex[0], hex[1], '\0' };

		to[size++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return size;
}

/* Everything that a key can be wrong in, and what the message says of it. */
static const struct {
	const char *type;
	const char *ascending; /* hex */
	const char *message; /* a part of it */
} malformed[] = {
	{ "bool", "25", "another type" },
	{ "bool", "28", "another type" },
	{ "bool", "2600", "1 bytes follow" },
	{ "bool", "", "0 of the 1 sort fields" },
	{ "int", "0b8000000000000000ff", "another type" },
	{ "int", "1d010000000000000000", "another type" },
	{ "int", "01610001", "another type" },
	{ "int", "15", "ends inside" },
	{ "int", "1501ff", "1 bytes follow" },
	{ "int", "1c01020304050607", "ends inside" },
	{ "int", "1500", "more bytes than it needs" },
	{ "int", "160001", "more bytes than it needs" },
	{ "int", "13ff", "more bytes than it needs" },
	{ "int", "12fffe", "more bytes than it needs" },
	{ "int", "0c7ffffffffffffffe", "out of range" },
	{ "int", "0c0000000000000000", "out of range" },
	{ "ts", "1c8000000000000000", "out of range" },
	{ "ts", "1cffffffffffffffff", "out of range" },
	{ "ts", "2180000000000000ff", "another type" },
	{ "float", "20", "another type" },
	{ "float", "21bff80000000000", "ends inside" },
	{ "float", "217fffffffffffffff", "-0.0" },
	{ "float", "21fff8000000000000", "NaN" },
	{ "float", "21fff0000000000001", "NaN" },
	{ "float", "21ffffffffffffffff", "NaN" },
	{ "float", "210000000000000000", "NaN" },
	{ "float", "21000ffffffffffffe", "NaN" },
	{ "bytes", "02610001", "another type" },
	{ "bytes", "01", "ends inside" },
	{ "bytes", "0161", "ends inside" },
	{ "bytes", "0100", "ends inside" },
	{ "bytes", "016100ff", "ends inside" },
	{ "bytes", "01610000", "neither FF nor 01" },
	{ "bytes", "01610002", "neither FF nor 01" },
	{ "bytes", "016100fe0001", "neither FF nor 01" },
	{ "str", "01610001", "another type" },
	{ "str", "0261", "ends inside" },
	{ "str", "0200ff00", "ends inside" },
	{ "str", "02800001", "UTF-8" },
	{ "str", "02c30001", "UTF-8" },
	{ "str", "02c0800001", "UTF-8" },
	{ "str", "02c1bf0001", "UTF-8" },
	{ "str", "02e09fbf0001", "UTF-8" },
	{ "str", "02eda0800001", "UTF-8" },
	{ "str", "02edbfbf0001", "UTF-8" },
	{ "str", "02e282610001", "UTF-8" },
	{ "str", "02f08fbfbf0001", "UTF-8" },
	{ "str", "02f49080800001", "UTF-8" },
	{ "str",
	  "02f5808080"
	  "0001",
	  "UTF-8" },
	{ "str", "02616161616161616161ff0001", "UTF-8" },
	{ "str", "02c300ffa90001", "UTF-8" },
	{ "uuid", "31", "another type" },
	{ "uuid", "30000102030405060708090a0b0c0d0e", "ends inside" },
	{ "uuid", "0000", "1 bytes follow" },
};

static void expect_refused(const struct sopi_schema *schema, const uint8_t *bytes, size_t size,
			   const char *message)
{
	uint8_t *key = test_alloc(size != 0 ? size : 1); /* so that a sanitizer sees a byte too far */
	sop_value values[4];
	sop_buf room = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;
	size_t count = 0;
	size_t sort_size;

	memcpy(key, bytes, size);
	TEST_STATUS(sopi_key_split(schema, test_bytes(key, size), &sort_size, &err), SOP_SCHEMA, err);
	if (strstr(err.message, message) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.message, message);
	TEST_STATUS(sopi_key_unpack(schema, test_bytes(key, size), values, 4, &count, &room, &err),
		    SOP_SCHEMA, err);
	sop_buf_free(&room);
	free(key);
}

static void every_kind_of_damage_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
		for (int descending = 0; descending < 2; descending++) {
			char json[128];
			uint8_t key[64];
			const size_t size = from_hex(malformed[i].ascending, key);
			sop_schema *schema;

			snprintf(json, sizeof json,
				 "{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"%s\",\"desc\":%s}]}",
				 malformed[i].type, descending ? "true" : "false");
			schema = schema_of(json);
			for (size_t k = 0; k < size && descending; k++)
				key[k] = (uint8_t)~key[k];
			expect_refused(sopi_schema_of(schema), key, size, malformed[i].message);
			sop_schema_free(schema);
		}
	}
}

static void damage_in_a_later_field_is_named(void **state)
{
	sop_schema *schema = schema_of("{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"int\"},"
				       "{\"n\":\"b\",\"t\":\"bool\",\"desc\":true}],"
				       "\"ride\":[{\"n\":\"c\",\"t\":\"str\"}]}");
	const struct sopi_schema *inside = sopi_schema_of(schema);

	(void)state;
	expect_refused(inside, (const uint8_t *)"\x14", 1, "1 of the 2 sort fields");
	expect_refused(inside, (const uint8_t *)"\x14\x26", 2, "sort field 2 \"b\" (bool)");
	expect_refused(inside, (const uint8_t *)"\x14\xd9\x27", 3, "ride field 1 \"c\" (str)");
	expect_refused(inside, (const uint8_t *)"\x14\xd9\x02\x61", 4, "ride field 1 \"c\" (str)");
	expect_refused(inside, (const uint8_t *)"\x14\xd9\x02\x00\x01\x00", 6, "1 bytes follow");
	sop_schema_free(schema);
}

/* Changes, cuts or extends a key. */
static size_t mutate(struct test_rng *rng, uint8_t *key, size_t size)
{
	static const uint8_t bytes[] = { 0x00, 0xFF, 0x01, 0xFE, 0x02, 0x14, 0x7F, 0x80 };
	const uint64_t edits = 1 + test_rng_below(rng, 2);

	for (uint64_t i = 0; i < edits; i++) {
		const size_t at = size > 0 ? test_rng_below(rng, size) : 0;
		const uint8_t byte = test_rng_once_in(rng, 2)
					     ? (uint8_t)test_rng_next(rng)
					     : bytes[test_rng_below(rng, sizeof bytes)];

		switch (test_rng_below(rng, 6)) {
		case 0: /* cut */
			size = at;
			break;
		case 1: /* extend, or insert */
			memmove(key + at + 1, key + at, size - at);
			key[at] = byte;
			size++;
			break;
		case 2: /* remove a byte */
			if (size > 0)
				memmove(key + at, key + at + 1, size - at - 1);
			size -= size > 0;
			break;
		case 3:
			if (size > 0)
				key[at] ^= (uint8_t)(1u << test_rng_below(rng, 8));
			break;
		default:
			if (size > 0)
				key[at] = byte;
		}
	}
	return size;
}

/* A key is refused, or it is exactly what its values are packed to; splitting and unpacking agree. */
static bool accepted_is_canonical(const struct sopi_schema *schema, sop_bytes key)
{
	uint8_t text[KEY_ROOM_BYTES], again[KEY_ROOM_BYTES];
	sop_value values[SHAPE_FIELDS_MAX];
	sop_buf room = SOP_BUF_OVER(text);
	sop_buf packed = SOP_BUF_OVER(again);
	sop_error err = SOP_ERROR_INIT;
	size_t count, sort_size;
	const sop_status status = sopi_key_split(schema, key, &sort_size, &err);

	assert_int_equal(sopi_key_unpack(schema, key, values, SHAPE_FIELDS_MAX, &count, &room, &err),
			 status);
	if (status != SOP_OK) {
		assert_int_equal(status, SOP_SCHEMA);
		return false;
	}
	TEST_OK(sopi_key_pack(schema, SOPI_KEY_WHOLE, values, count, &packed, &err), err);
	assert_int_equal(packed.size, key.size);
	assert_memory_equal(packed.data, key.data, key.size);
	TEST_OK(sopi_key_pack(schema, SOPI_KEY_PREFIX, values, schema->sort_count, &packed, &err), err);
	assert_int_equal(packed.size, sort_size);
	return true;
}

static void mutated_keys_are_refused_or_canonical(void **state)
{
	const uint64_t schemas = test_scaled(MUTATIONS / MUTATIONS_A_SCHEMA);
	uint64_t accepted = 0, refused = 0;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 2);
	for (uint64_t s = 0; s < schemas; s++) {
		struct shape shape;

		shape_random(&rng, &shape);
		for (uint64_t i = 0; i < MUTATIONS_A_SCHEMA; i++) {
			struct tuple tuple;
			uint8_t packed[KEY_ROOM_BYTES];
			sop_buf key = SOP_BUF_OVER(packed);
			sop_error err = SOP_ERROR_INIT;
			uint8_t *exact;
			size_t size;

			tuple_random(&rng, &shape, &tuple);
			TEST_OK(sop_key_pack(shape.schema, tuple.values, tuple.count, &key, &err), err);
			size = mutate(&rng, packed, key.size);
			exact = test_alloc(size != 0 ? size : 1);
			memcpy(exact, packed, size);
			if (accepted_is_canonical(sopi_schema_of(shape.schema), test_bytes(exact, size)))
				accepted++;
			else
				refused++;
			free(exact);
		}
		sop_schema_free(shape.schema);
	}
	assert_true(accepted > 0 && refused > accepted / 10); /* both happen: the test tests */
}

/* Every string of up to three bytes, over a schema of each type: refused or canonical. */
static void short_strings_are_refused_or_canonical(void **state)
{
	static const char *const types[] = { "bool", "int", "float", "bytes", "str", "uuid", "ts" };
	uint8_t key[3];

	(void)state;
	for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
		char json[128];
		sop_schema *schema;

		snprintf(json, sizeof json,
			 "{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"%s\"}],"
			 "\"ride\":[{\"n\":\"b\",\"t\":\"%s\"}]}",
			 types[t], types[t]);
		schema = schema_of(json);
		for (uint32_t bits = 0; bits < 0x10000 * 4; bits++) {
			static const uint8_t third[] = { 0x00, 0x01, 0x14, 0xFF };

			key[0] = (uint8_t)bits;
			key[1] = (uint8_t)(bits >> 8);
			key[2] = third[bits >> 16];
			for (size_t size = bits < 0x100	    ? 1
					   : bits < 0x10000 ? 2
							    : 3;
			     size <= 3; size++)
				(void)accepted_is_canonical(sopi_schema_of(schema),
							    test_bytes(key, size));
		}
		sop_schema_free(schema);
	}
}

static void malformed_raw_keys_are_corrupt(void **state)
{
	static const char *const bad[] = { "",	   "61",     "6100",   "00",
					   "00ff", "610002", "6100ff", "0000" };
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint8_t bytes[8];
		const size_t size = from_hex(bad[i], bytes);
		uint8_t *exact = test_alloc(size != 0 ? size : 1);
		size_t used = 99;

		memcpy(exact, bytes, size);
		TEST_STATUS(sopi_raw_unescape(test_bytes(exact, size), NULL, &used, &err),
			    SOP_CORRUPT, err);
		assert_int_equal(used, 99);
		free(exact);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_damage_is_named),
		cmocka_unit_test(damage_in_a_later_field_is_named),
		cmocka_unit_test(mutated_keys_are_refused_or_canonical),
		cmocka_unit_test(short_strings_are_refused_or_canonical),
		cmocka_unit_test(malformed_raw_keys_are_corrupt),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
