/* What a chain of operations makes of an item: the table of all kinds, with and without an item
 * before. */
#include "btree/operation.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "support/support.h"

#include <stdlib.h>

enum { CHAIN_MAX = 6 };

/* A chain on the key "k", newest last. */
struct chain {
	struct sopi_operation *operations[CHAIN_MAX];
	size_t count;
	struct sopi_arena arena;
};

static struct sopi_operation *add(struct chain *chain, enum sopi_operation_kind kind,
				  const void *value, size_t size)
{
	struct sopi_operation *operation = test_alloc(sizeof *operation + 1 + size);

	memset(operation, 0, sizeof *operation);
	operation->kind = (uint8_t)kind;
	operation->key_size = 1;
	operation->value_size = (uint32_t)size;
	operation->bytes[0] = 'k';
	if (size != 0)
		memcpy(operation->bytes + 1, value, size);
	if (chain->count > 0) {
		operation->previous = chain->operations[chain->count - 1];
		operation->previous->following = operation;
	}
	chain->operations[chain->count++] = operation;
	return operation;
}

static void add_text(struct chain *chain, enum sopi_operation_kind kind, const char *text)
{
	add(chain, kind, text, strlen(text));
}

static void add_number(struct chain *chain, enum sopi_operation_kind kind, int64_t number)
{
	add(chain, kind, NULL, 0)->number = number;
}

static void chain_free(struct chain *chain)
{
	for (size_t i = 0; i < chain->count; i++)
		free(chain->operations[i]);
	sopi_arena_free(&chain->arena);
}

static struct sopi_item_view text_item(const char *text)
{
	return (struct sopi_item_view){ .prefix = (const uint8_t *)"k",
					.prefix_size = 1,
					.value = (const uint8_t *)text,
					.value_size = (uint32_t)strlen(text),
					.version = 5 };
}

static const struct sopi_operation *newest(const struct chain *chain)
{
	return chain->operations[chain->count - 1];
}

/* `base` and `expected`: texts, or NULL where there is no item. Frees the chain. */
static void assert_becomes(struct chain *chain, const char *base, const char *expected)
{
	const struct sopi_item_view before = text_item(base != NULL ? base : "");
	sop_error err = SOP_ERROR_INIT;
	struct sopi_item_view item;
	bool exists;

	TEST_OK(sopi_operations_fold(newest(chain), base != NULL ? &before : NULL, NULL,
				     &chain->arena, &exists, &item, &err),
		err);
	assert_int_equal(exists, expected != NULL);
	if (expected != NULL) {
		assert_int_equal(item.value_size, strlen(expected));
		assert_memory_equal(item.value, expected, item.value_size);
		assert_int_equal(item.version, 0);
		assert_int_equal(sopi_item_compare_key(&item, (const uint8_t *)"k", 1), 0);
	}
	chain_free(chain);
}

static void single_operations_on_texts(void **state)
{
	static const struct {
		enum sopi_operation_kind kind;
		const char *without; /* result where there was no item */
		const char *with; /* where there was "old" */
		bool needs_base;
	} table[] = {
		{ SOPI_OP_PUT, "new", "new", false },
		{ SOPI_OP_REMOVE, NULL, NULL, false },
		{ SOPI_OP_UPDATE, NULL, "new", true },
		{ SOPI_OP_RIDE, NULL, "old", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		for (int there = 0; there < 2; there++) {
			struct chain chain = { .count = 0 };

			add_text(&chain, table[i].kind, "new");
			assert_int_equal(sopi_operations_need_base(newest(&chain)), table[i].needs_base);
			assert_becomes(&chain, there ? "old" : NULL,
				       there ? table[i].with : table[i].without);
		}
	}
}

static void pairs_of_operations_on_texts(void **state)
{
	static const struct {
		enum sopi_operation_kind first, second;
		const char *without, *with;
		bool needs_base;
	} table[] = {
		{ SOPI_OP_PUT, SOPI_OP_REMOVE, NULL, NULL, false },
		{ SOPI_OP_REMOVE, SOPI_OP_PUT, "2", "2", false },
		{ SOPI_OP_PUT, SOPI_OP_UPDATE, "2", "2", false },
		{ SOPI_OP_REMOVE, SOPI_OP_UPDATE, NULL, NULL, false },
		{ SOPI_OP_UPDATE, SOPI_OP_PUT, "2", "2", false },
		{ SOPI_OP_UPDATE, SOPI_OP_UPDATE, NULL, "2", true },
		{ SOPI_OP_UPDATE, SOPI_OP_REMOVE, NULL, NULL, false },
		{ SOPI_OP_UPDATE, SOPI_OP_RIDE, NULL, "1", true },
		{ SOPI_OP_PUT, SOPI_OP_RIDE, "1", "1", false },
		{ SOPI_OP_REMOVE, SOPI_OP_RIDE, NULL, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		for (int there = 0; there < 2; there++) {
			struct chain chain = { .count = 0 };

			add_text(&chain, table[i].first, "1");
			add_text(&chain, table[i].second, "2");
			assert_int_equal(sopi_operations_need_base(newest(&chain)), table[i].needs_base);
			assert_becomes(&chain, there ? "old" : NULL,
				       there ? table[i].with : table[i].without);
		}
	}
}

/* Only what stands up to `newest` counts: later operations of the chain may have been taken
 * back. */
static void what_follows_the_newest_does_not_count(void **state)
{
	struct chain chain = { .count = 0 };
	struct sopi_item_view item;
	sop_error err = SOP_ERROR_INIT;
	bool exists;

	(void)state;
	add_text(&chain, SOPI_OP_PUT, "1");
	add_text(&chain, SOPI_OP_REMOVE, "");
	TEST_OK(sopi_operations_fold(chain.operations[0], NULL, NULL, &chain.arena, &exists, &item, &err),
		err);
	assert_true(exists);
	chain_free(&chain);
}

static int64_t fold_number(struct chain *chain, const int64_t *base)
{
	struct sopi_item_view before = { .value_size = 8 };
	sop_error err = SOP_ERROR_INIT;
	struct sopi_item_view item;
	uint8_t room[8];
	int64_t result;
	bool exists;

	if (base != NULL)
		sopi_store_u64le(room, (uint64_t)*base);
	before.value = room;
	TEST_OK(sopi_operations_fold(newest(chain), base != NULL ? &before : NULL, NULL,
				     &chain->arena, &exists, &item, &err),
		err);
	assert_true(exists);
	assert_int_equal(item.value_size, 8);
	result = (int64_t)sopi_load_u64le(item.value);
	chain_free(chain);
	return result;
}

static int64_t apply_number(enum sopi_operation_kind kind, int64_t number, const int64_t *base)
{
	struct chain chain = { .count = 0 };

	add_number(&chain, kind, number);
	assert_true(sopi_operations_need_base(newest(&chain)));
	return fold_number(&chain, base);
}

static void numbers_are_added_and_bounded(void **state)
{
	const int64_t seven = 7, most = INT64_MAX, least = INT64_MIN;

	(void)state;
	assert_int_equal(apply_number(SOPI_OP_ADD, 5, NULL), 5);
	assert_int_equal(apply_number(SOPI_OP_ADD, -5, &seven), 2);
	assert_true(apply_number(SOPI_OP_ADD, 1, &most) == INT64_MIN); /* wraps */
	assert_true(apply_number(SOPI_OP_ADD, -1, &least) == INT64_MAX);
	assert_int_equal(apply_number(SOPI_OP_MIN, 5, NULL), 5);
	assert_int_equal(apply_number(SOPI_OP_MIN, 5, &seven), 5);
	assert_int_equal(apply_number(SOPI_OP_MIN, 9, &seven), 7);
	assert_true(apply_number(SOPI_OP_MIN, 9, &least) == INT64_MIN);
	assert_int_equal(apply_number(SOPI_OP_MAX, -5, NULL), -5);
	assert_int_equal(apply_number(SOPI_OP_MAX, 5, &seven), 7);
	assert_int_equal(apply_number(SOPI_OP_MAX, 9, &seven), 9);
}

static void chains_of_numbers_go_on_from_each_other(void **state)
{
	struct chain chain = { .count = 0 };
	const int64_t seven = 7;

	(void)state;
	add_number(&chain, SOPI_OP_ADD, 10);
	add_number(&chain, SOPI_OP_MIN, 12);
	add_number(&chain, SOPI_OP_ADD, 1);
	add_number(&chain, SOPI_OP_MAX, 3);
	assert_int_equal(fold_number(&chain, &seven), 13);
	chain = (struct chain){ .count = 0 };
	add_text(&chain, SOPI_OP_REMOVE, "");
	add_number(&chain, SOPI_OP_ADD, 4);
	assert_false(sopi_operations_need_base(newest(&chain)));
	assert_int_equal(fold_number(&chain, &seven), 4);
	chain = (struct chain){ .count = 0 };
	add(&chain, SOPI_OP_PUT, "\1\0\0\0\0\0\0\0", 8);
	add_number(&chain, SOPI_OP_ADD, 4);
	assert_int_equal(fold_number(&chain, NULL), 5);
}

static void a_value_that_is_no_integer_is_refused(void **state)
{
	const struct sopi_item_view before = text_item("seven b");
	struct chain chain = { .count = 0 };
	sop_error err = SOP_ERROR_INIT;
	struct sopi_item_view item;
	bool exists;

	(void)state;
	add_number(&chain, SOPI_OP_ADD, 1);
	TEST_STATUS(sopi_operations_fold(newest(&chain), &before, NULL, &chain.arena, &exists, &item, &err),
		    SOP_SCHEMA, err);
	assert_non_null(strstr(err.message, "7"));
	chain_free(&chain);
}

static void no_memory_for_a_number_is_said(void **state)
{
	struct chain chain = { .count = 0 };
	sop_error err = SOP_ERROR_INIT;
	struct sopi_item_view item;
	bool exists;

	(void)state;
	add_number(&chain, SOPI_OP_ADD, 1);
	sopi_alloc_fail_after(0, false);
	TEST_STATUS(sopi_operations_fold(newest(&chain), NULL, NULL, &chain.arena, &exists, &item, &err),
		    SOP_NO_MEMORY, err);
	sopi_alloc_fail_after(-1, false);
	chain_free(&chain);
}

static void a_value_kept_apart_stays_with_its_owner(void **state)
{
	uint8_t bytes[3];
	struct sopi_value *value = test_alloc(sizeof *value);
	struct chain chain = { .count = 0 };
	struct sopi_operation *operation = add(&chain, SOPI_OP_PUT, NULL, 0);
	sop_error err = SOP_ERROR_INIT;
	struct sopi_item_view item;
	bool exists;

	(void)state;
	operation->apart = value;
	operation->value_size = 3;
	value->bytes = memcpy(bytes, "abc", 3);
	TEST_OK(sopi_operations_fold(operation, NULL, NULL, &chain.arena, &exists, &item, &err), err);
	assert_ptr_equal(item.apart, value);
	assert_ptr_equal(sopi_item_value(&item), value->bytes);
	add_text(&chain, SOPI_OP_UPDATE, "x");
	TEST_OK(sopi_operations_fold(newest(&chain), NULL, NULL, &chain.arena, &exists, &item, &err), err);
	assert_null(item.apart);
	chain_free(&chain);
	free(value);
}

/* ---- ride-along fields ----------------------------------------------------------------------- */

static const char schema_text[] =
	"{\"v\":1,\"sort\":[{\"n\":\"id\",\"t\":\"int\"}],"
	"\"ride\":[{\"n\":\"a\",\"t\":\"int\",\"default\":1000},{\"n\":\"b\",\"t\":\"int\",\"default\":1000}]}";

static struct sopi_schema *parse_schema(void)
{
	sop_error err = SOP_ERROR_INIT;
	struct sopi_schema *schema = NULL;

	TEST_OK(sopi_schema_parse(test_text(schema_text), &schema, &err), err);
	return schema;
}

/* The defaults of a schema are a whole ride part: half of it is its first field. */
static void given_ride_fields_are_replaced_and_the_others_stay(void **state)
{
	struct sopi_schema *schema = parse_schema();
	const sop_bytes whole = schema->defaults;
	const uint32_t half = (uint32_t)whole.size / 2;
	struct sopi_item_view before = text_item("value");
	uint8_t old[64], given[64];
	sop_error err = SOP_ERROR_INIT;
	struct sopi_item_view item;
	bool exists;

	(void)state;
	assert_true(whole.size % 2 == 0 && whole.size <= sizeof old && whole.size > 2);
	memcpy(old, whole.data, whole.size);
	memcpy(given, whole.data, whole.size);
	given[half - 1] = 0x55; /* another number in the first field */
	before.ride = old;
	before.ride_size = (uint32_t)whole.size;
	for (int kind = SOPI_OP_UPDATE; kind <= SOPI_OP_RIDE; kind++) {
		struct chain chain = { .count = 0 };
		struct sopi_operation *operation =
			add(&chain, (enum sopi_operation_kind)kind, given, half);

		operation->ride_size = half;
		operation->value_size = 0;
		TEST_OK(sopi_operations_fold(operation, &before, schema, &chain.arena, &exists,
					     &item, &err),
			err);
		assert_int_equal(item.ride_size, whole.size);
		assert_memory_equal(item.ride, given, half);
		assert_memory_equal(item.ride + half, old + half, half);
		assert_int_equal(item.value_size, kind == SOPI_OP_RIDE ? 5 : 0);
		sopi_alloc_fail_after(0, false);
		sopi_arena_free(&chain.arena);
		TEST_STATUS(sopi_operations_fold(operation, &before, schema, &chain.arena, &exists,
						 &item, &err),
			    SOP_NO_MEMORY, err);
		sopi_alloc_fail_after(-1, false);
		chain_free(&chain);
	}
	sopi_schema_free(schema);
}

static void adding_keeps_the_ride_fields_of_the_item_or_begins_with_given_ones(void **state)
{
	struct sopi_item_view before = { .value = (const uint8_t *)"\1\0\0\0\0\0\0\0",
					 .value_size = 8,
					 .ride = (const uint8_t *)"old",
					 .ride_size = 3 };
	struct chain chain = { .count = 0 };
	struct sopi_operation *operation = add(&chain, SOPI_OP_ADD, "new", 3);
	sop_error err = SOP_ERROR_INIT;
	struct sopi_item_view item;
	bool exists;

	(void)state;
	operation->ride_size = 3;
	operation->value_size = 0;
	TEST_OK(sopi_operations_fold(operation, &before, NULL, &chain.arena, &exists, &item, &err), err);
	assert_int_equal(item.ride_size, 3);
	assert_memory_equal(item.ride, "old", 3);
	TEST_OK(sopi_operations_fold(operation, NULL, NULL, &chain.arena, &exists, &item, &err), err);
	assert_memory_equal(item.ride, "new", 3);
	chain_free(&chain);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_operations_on_texts),
		cmocka_unit_test(pairs_of_operations_on_texts),
		cmocka_unit_test(what_follows_the_newest_does_not_count),
		cmocka_unit_test(numbers_are_added_and_bounded),
		cmocka_unit_test(chains_of_numbers_go_on_from_each_other),
		cmocka_unit_test(a_value_that_is_no_integer_is_refused),
		cmocka_unit_test(no_memory_for_a_number_is_said),
		cmocka_unit_test(a_value_kept_apart_stays_with_its_owner),
		cmocka_unit_test(given_ride_fields_are_replaced_and_the_others_stay),
		cmocka_unit_test(adding_keeps_the_ride_fields_of_the_item_or_begins_with_given_ones),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("operation", tests, NULL, NULL);
}
