/* The operations of a transaction in the order of their keys, beside a sorted array. */
#include "transaction/index.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "support/support.h"

#include <stdlib.h>

enum { KEYS_MAX = 3000, CHAIN_MAX = 4 };

/* What the index must hold: for each number in use, its chain. */
struct expected {
	struct sopi_operation *chain[CHAIN_MAX];
	size_t count;
};

struct fixture {
	struct sopi_index index;
	struct sopi_arena arena; /* chunks of the index */
	struct sopi_arena operations;
	struct expected keys[KEYS_MAX];
	size_t count; /* keys with an operation */
	size_t made; /* operations, so that they differ */
};

static struct sopi_value apart;

static int setup(void **state)
{
	struct fixture *fixture = test_alloc(sizeof *fixture);

	memset(fixture, 0, sizeof *fixture);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	sopi_index_free(&fixture->index);
	sopi_arena_free(&fixture->arena);
	sopi_arena_free(&fixture->operations);
	free(fixture);
	return 0;
}

/* Keys sort as their numbers. Many share the first four bytes, some are shorter than that. */
static size_t make_key(uint64_t number, uint8_t key[8])
{
	if (number < 3) {
		memset(key, 0, 8);
		return number; /* "", "\0", "\0\0" */
	}
	sopi_store_u32be(key, (uint32_t)(number / 50));
	sopi_store_u32be(key + 4, (uint32_t)number);
	return 8;
}

static struct sopi_operation *operation_of(struct fixture *fixture, uint64_t number)
{
	struct sopi_operation *operation = sopi_arena_take(&fixture->operations, sizeof *operation + 8);

	assert_non_null(operation);
	memset(operation, 0, sizeof *operation);
	operation->key_size = (uint32_t)make_key(number, operation->bytes);
	operation->number = (int64_t)number;
	operation->kind = fixture->made % 3 == 0 ? SOPI_OP_REMOVE : SOPI_OP_PUT;
	operation->value_size = (uint32_t)(fixture->made % 100);
	operation->ride_size = (uint32_t)(fixture->made % 5);
	operation->apart = fixture->made % 7 == 0 ? &apart : NULL;
	fixture->made++;
	return operation;
}

static void add(struct fixture *fixture, uint64_t number)
{
	struct expected *expected = &fixture->keys[number];
	struct sopi_operation *operation = operation_of(fixture, number);
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_index_add(&fixture->index, &fixture->arena, operation, &err), err);
	fixture->count += expected->count == 0 ? 1 : 0;
	expected->chain[expected->count++] = operation;
}

static void take_back(struct fixture *fixture, uint64_t number)
{
	struct expected *expected = &fixture->keys[number];

	sopi_index_remove(&fixture->index, expected->chain[--expected->count]);
	fixture->count -= expected->count == 0 ? 1 : 0;
}

static void check_chain(const struct expected *expected, const struct sopi_operation *newest)
{
	assert_ptr_equal(newest, expected->chain[expected->count - 1]);
	for (size_t i = expected->count; i-- > 0; newest = newest->previous) {
		assert_ptr_equal(newest, expected->chain[i]);
		if (i + 1 < expected->count)
			assert_ptr_equal(newest->following, expected->chain[i + 1]);
	}
	assert_null(newest);
}

/* What the index says of the newest operations without looking at them. */
static void check_sums(const struct fixture *fixture)
{
	size_t bytes = 0, removes = 0;

	for (uint64_t number = 0; number < KEYS_MAX; number++) {
		const struct expected *expected = &fixture->keys[number];
		const struct sopi_operation *newest;

		if (expected->count == 0)
			continue;
		newest = expected->chain[expected->count - 1];
		bytes += newest->key_size + newest->ride_size;
		bytes += newest->apart == NULL ? newest->value_size : 0;
		removes += newest->kind == SOPI_OP_REMOVE;
	}
	assert_int_equal(fixture->index.bytes, bytes);
	assert_int_equal(fixture->index.remove_count, removes);
}

/* All entries forwards and backwards, and every key looked up. */
static void check(const struct fixture *fixture)
{
	const struct sopi_index *index = &fixture->index;
	struct sopi_index_place place = { 0, 0 };
	uint8_t key[8];

	assert_int_equal(index->entry_count, fixture->count);
	check_sums(fixture);
	for (uint64_t number = 0; number < KEYS_MAX; number++) {
		const struct expected *expected = &fixture->keys[number];
		const size_t size = make_key(number, key);
		struct sopi_index_place found;
		const bool there = sopi_index_seek(index, key, size, &found);

		assert_int_equal(there, expected->count > 0);
		assert_int_equal(found.chunk, place.chunk);
		assert_int_equal(found.entry, place.entry);
		if (!there) {
			assert_null(sopi_index_find(index, key, size));
			continue;
		}
		check_chain(expected, sopi_index_find(index, key, size));
		assert_ptr_equal(sopi_index_at(index, place), expected->chain[expected->count - 1]);
		sopi_index_next(index, &place);
	}
	assert_true(sopi_index_is_end(index, place));
	for (uint64_t number = KEYS_MAX; number-- > 0;) {
		if (fixture->keys[number].count == 0)
			continue;
		assert_true(sopi_index_previous(index, &place));
		assert_int_equal(sopi_index_at(index, place)->number, number);
	}
	assert_false(sopi_index_previous(index, &place));
}

static void an_empty_index_has_no_entry(void **state)
{
	struct fixture *fixture = *state;

	check(fixture);
}

static void ascending_keys_fill_chunks(void **state)
{
	struct fixture *fixture = *state;

	for (uint64_t i = 0; i < KEYS_MAX; i++)
		add(fixture, i);
	check(fixture);
	assert_int_equal(fixture->index.chunk_count, KEYS_MAX / SOPI_INDEX_CHUNK_ENTRIES);
}

static void descending_keys_are_in_order_too(void **state)
{
	struct fixture *fixture = *state;

	for (uint64_t i = KEYS_MAX; i-- > 0;)
		add(fixture, i);
	check(fixture);
}

static void random_adding_and_taking_back_is_as_in_a_sorted_array(void **state)
{
	const uint64_t steps = test_scaled(40000);
	struct fixture *fixture = *state;
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 0);
	for (uint64_t i = 0; i < steps; i++) {
		const uint64_t space = i / 4000 % 2 == 0 ? KEYS_MAX : 100;
		const uint64_t number = test_rng_below(&rng, space);
		const bool shrink = i / 8000 % 2 == 1;

		if (fixture->keys[number].count == CHAIN_MAX ||
		    (fixture->keys[number].count > 0 && test_rng_once_in(&rng, shrink ? 1 : 4)))
			take_back(fixture, number);
		else if (!shrink)
			add(fixture, number);
		if (i % 1000 == 0)
			check(fixture);
	}
	check(fixture);
	for (uint64_t number = 0; number < KEYS_MAX; number++) {
		while (fixture->keys[number].count > 0)
			take_back(fixture, number);
	}
	check(fixture);
	assert_int_equal(fixture->index.chunk_count, 0);
}

/* A scan looks again where it stands when the generation says so: only keys that come or go
 * count. */
static void the_generation_counts_keys_that_come_and_go(void **state)
{
	struct fixture *fixture = *state;
	uint64_t generation = fixture->index.generation;

	add(fixture, 5);
	assert_true(fixture->index.generation != generation);
	generation = fixture->index.generation;
	add(fixture, 5);
	take_back(fixture, 5);
	assert_true(fixture->index.generation == generation);
	take_back(fixture, 5);
	assert_true(fixture->index.generation != generation);
	generation = fixture->index.generation;
	sopi_index_clear(&fixture->index);
	assert_true(fixture->index.generation != generation);
}

static void after_clearing_it_can_be_filled_again(void **state)
{
	struct fixture *fixture = *state;

	for (size_t round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < 500; i++)
			add(fixture, i * 7919 % KEYS_MAX);
		check(fixture);
		sopi_index_clear(&fixture->index);
		sopi_arena_reset(&fixture->arena);
		memset(fixture->keys, 0, sizeof fixture->keys);
		fixture->count = 0;
		check(fixture);
	}
}

static void out_of_memory_leaves_it_as_it_was(void **state)
{
	struct fixture *fixture = *state;
	sop_error err = SOP_ERROR_INIT;
	size_t failures = 0;

	for (uint64_t i = 0; i < KEYS_MAX; i++) {
		const uint64_t number = i * 7919 % KEYS_MAX;
		struct sopi_operation *operation = operation_of(fixture, number);
		sop_status status;

		sopi_alloc_fail_after(0, false);
		status = sopi_index_add(&fixture->index, &fixture->arena, operation, &err);
		sopi_alloc_fail_after(-1, false);
		if (status != SOP_OK) {
			assert_int_equal(status, SOP_NO_MEMORY);
			failures++;
			if (failures < 20)
				check(fixture);
			TEST_OK(sopi_index_add(&fixture->index, &fixture->arena, operation, &err), err);
		}
		fixture->keys[number].chain[fixture->keys[number].count++] = operation;
		fixture->count++;
	}
	assert_true(failures > 3);
	check(fixture);
}

int main(int argc, char **argv)
{
#define INDEX_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		INDEX_TEST(an_empty_index_has_no_entry),
		INDEX_TEST(ascending_keys_fill_chunks),
		INDEX_TEST(descending_keys_are_in_order_too),
		INDEX_TEST(random_adding_and_taking_back_is_as_in_a_sorted_array),
		INDEX_TEST(the_generation_counts_keys_that_come_and_go),
		INDEX_TEST(after_clearing_it_can_be_filled_again),
		INDEX_TEST(out_of_memory_leaves_it_as_it_was),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
