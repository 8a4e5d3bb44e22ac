/* A million random tuples: the order of packed bytes is the order of the values, packing loses
 * nothing, and prefix ranges hold exactly the keys with the prefix. */
#include "codec/key.h"
#include "key_random.h"

#include <stdlib.h>
#include <string.h>

enum {
	TUPLES = 1000000,
	TUPLES_A_SCHEMA = 500,
	PREFIXES_A_SCHEMA = 8,
	KEY_ROOM_BYTES = SHAPE_FIELDS_MAX * (2 * TEXT_BYTES_MAX + 3), /* text without end is the worst */
};

/* One tuple and its key. */
struct packed {
	struct tuple tuple;
	size_t size; /* bytes of the key */
	size_t sort_size; /* bytes of its sort part */
	uint8_t key[KEY_ROOM_BYTES];
};

static struct shape shape; /* of the schema under test; qsort hands nothing over */

static int key_order(const struct packed *a, const struct packed *b)
{
	const size_t common = a->sort_size < b->sort_size ? a->sort_size : b->sort_size;
	const int order = memcmp(a->key, b->key, common);

	return order != 0 ? order : (a->sort_size > b->sort_size) - (a->sort_size < b->sort_size);
}

static int sort_order(const void *a, const void *b)
{
	return key_order(*(struct packed *const *)a, *(struct packed *const *)b);
}

static int sign(int number)
{
	return (number > 0) - (number < 0);
}

static void pack(struct packed *packed)
{
	sop_error err = SOP_ERROR_INIT;
	sop_buf key = SOP_BUF_OVER(packed->key);

	TEST_OK(sop_key_pack(shape.schema, packed->tuple.values, packed->tuple.count, &key, &err), err);
	assert_ptr_equal(key.data, packed->key);
	packed->size = key.size;
	TEST_OK(sopi_key_split(sopi_schema_of(shape.schema), test_bytes(packed->key, key.size),
			       &packed->sort_size, &err),
		err);
}

static void check_round_trip(const struct packed *packed)
{
	uint8_t text[KEY_ROOM_BYTES], again[KEY_ROOM_BYTES];
	sop_value values[SHAPE_FIELDS_MAX];
	sop_buf room = SOP_BUF_OVER(text);
	sop_buf key = SOP_BUF_OVER(again);
	sop_error err = SOP_ERROR_INIT;
	size_t count = 0;

	TEST_OK(sop_key_unpack(shape.schema, test_bytes(packed->key, packed->size), values,
			       SHAPE_FIELDS_MAX, &count, &room, &err),
		err);
	assert_int_equal(count, packed->tuple.count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(value_compare(&values[i], &packed->tuple.values[i]), 0);
	TEST_OK(sop_key_pack(shape.schema, values, count, &key, &err), err);
	assert_int_equal(key.size, packed->size);
	assert_memory_equal(again, packed->key, key.size);
}

/* Neighbours in the order of bytes are in the order of values; then so are all. */
static void check_order(struct packed **sorted, size_t count)
{
	qsort(sorted, count, sizeof *sorted, sort_order);
	for (size_t i = 1; i < count; i++) {
		const int by_bytes = key_order(sorted[i - 1], sorted[i]);
		const int by_value = tuple_compare(&shape, &sorted[i - 1]->tuple, &sorted[i]->tuple,
						   shape.sort_count);

		if (sign(by_bytes) != sign(by_value)) {
			test_print_replay();
			fail_msg("bytes say %d, values say %d", sign(by_bytes), sign(by_value));
		}
	}
}

static bool below(const struct packed *packed, const sop_buf *bound)
{
	const size_t common = packed->size < bound->size ? packed->size : bound->size;
	const int order = memcmp(packed->key, bound->data, common);

	return order != 0 ? order < 0 : packed->size < bound->size;
}

/* The keys in [P, next(P)) are those whose leading values are those of the prefix. */
static void check_prefix(struct packed **keys, size_t count, const struct tuple *tuple, size_t fields)
{
	uint8_t from_room[KEY_ROOM_BYTES], to_room[KEY_ROOM_BYTES];
	sop_buf from = SOP_BUF_OVER(from_room);
	sop_buf to = SOP_BUF_OVER(to_room);
	sop_error err = SOP_ERROR_INIT;
	sop_status bounded;
	size_t sort_size;

	TEST_OK(sop_key_pack_prefix(shape.schema, tuple->values, fields, &from, &err), err);
	TEST_OK(sopi_key_split_prefix(sopi_schema_of(shape.schema),
				      test_bytes(from.data, from.size), &sort_size, &err),
		err);
	assert_int_equal(sort_size, from.size);
	bounded = sop_key_next_prefix(test_bytes(from.data, from.size), &to, &err);
	assert_true(bounded == SOP_OK || bounded == SOP_NOT_FOUND);
	for (size_t i = 0; i < count; i++) {
		const bool has = tuple_compare(&shape, &keys[i]->tuple, tuple, fields) == 0;
		const bool inside = !below(keys[i], &from) &&
				    (bounded == SOP_NOT_FOUND || below(keys[i], &to));

		if (has != inside) {
			test_print_replay();
			fail_msg("a key %s the prefix is %s its range", has ? "with" : "without",
				 inside ? "in" : "outside");
		}
	}
}

static void check_schema(struct test_rng *rng, struct packed *all, struct packed **sorted, size_t count)
{
	shape_random(rng, &shape);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && test_rng_once_in(rng, 2))
			tuple_near(rng, &shape, &all[test_rng_below(rng, i)].tuple, &all[i].tuple);
		else
			tuple_random(rng, &shape, &all[i].tuple);
		pack(&all[i]);
		check_round_trip(&all[i]);
		sorted[i] = &all[i];
	}
	check_order(sorted, count);
	for (size_t i = 0; i < PREFIXES_A_SCHEMA; i++)
		check_prefix(sorted, count, &all[test_rng_below(rng, count)].tuple,
			     test_rng_below(rng, shape.sort_count + 1));
	sop_schema_free(shape.schema);
}

static void bytes_sort_as_values_do(void **state)
{
	const uint64_t schemas = test_scaled(TUPLES / TUPLES_A_SCHEMA);
	struct packed *all = test_alloc(TUPLES_A_SCHEMA * sizeof *all);
	struct packed **sorted = test_alloc(TUPLES_A_SCHEMA * sizeof *sorted);
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 0);
	for (uint64_t i = 0; i < schemas; i++)
		check_schema(&rng, all, sorted, TUPLES_A_SCHEMA);
	free(sorted);
	free(all);
}

/* Raw keys of stores that are not unique: escaped, they sort as they did, whatever follows. */
static void escaped_raw_keys_keep_their_order(void **state)
{
	const uint64_t rounds = test_scaled(100000);
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 1);
	for (uint64_t round = 0; round < rounds; round++) {
		static const uint8_t edges[] = { 0x00, 0x00, 0x01, 0xFF, 'a' };
		uint8_t raw[2][8], escaped[2][2 * 8 + 2 + 1], back[2 * 8 + 2];
		size_t size[2], escaped_size[2], used;
		sop_buf out = SOP_BUF_OVER(back);
		sop_error err = SOP_ERROR_INIT;
		int order;

		for (int k = 0; k < 2; k++) {
			size[k] = test_rng_below(&rng, 9);
			for (size_t i = 0; i < size[k]; i++)
				raw[k][i] = edges[test_rng_below(&rng, sizeof edges)];
			escaped_size[k] = sopi_raw_escaped_size(test_bytes(raw[k], size[k]));
			assert_ptr_equal(sopi_raw_escape_to(test_bytes(raw[k], size[k]), escaped[k]),
					 escaped[k] + escaped_size[k]);
			escaped[k][escaped_size[k]] = (uint8_t)test_rng_next(&rng); /* an item id */
			TEST_OK(sopi_raw_unescape(test_bytes(escaped[k], escaped_size[k] + 1), &out,
						  &used, &err),
				err);
			assert_int_equal(used, escaped_size[k]);
			assert_int_equal(out.size, size[k]);
			assert_memory_equal(back, raw[k], size[k]);
		}
		order = memcmp(raw[0], raw[1], size[0] < size[1] ? size[0] : size[1]);
		if (order == 0)
			order = (size[0] > size[1]) - (size[0] < size[1]);
		if (order != 0)
			assert_int_equal(
				sign(memcmp(escaped[0], escaped[1],
					    (escaped_size[0] < escaped_size[1] ? escaped_size[0]
									       : escaped_size[1]) +
						    1)),
				sign(order));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_sort_as_values_do),
		cmocka_unit_test(escaped_raw_keys_keep_their_order),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
