/* What became of transactions: the last million are known, older ones are said to be forgotten,
 * none is confused. */
#include "transaction/outcome.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "support/support.h"

#include <string.h>

/* The id of a number; spread as random ones are. */
static void make_id(uint64_t number, uint8_t id[16])
{
	sopi_store_u64le(id, number * 0x9E3779B97F4A7C15u);
	sopi_store_u64le(id + 8, ~number);
}

static void add(struct sopi_outcomes *outcomes, uint64_t number)
{
	sop_error err = SOP_ERROR_INIT;
	uint8_t id[16];

	make_id(number, id);
	TEST_OK(sopi_outcomes_reserve(outcomes, &err), err);
	sopi_outcomes_add(outcomes, id, number + 1);
}

static uint64_t find(struct sopi_outcomes *outcomes, uint64_t number, bool *forgotten)
{
	uint8_t id[16];

	make_id(number, id);
	return sopi_outcomes_find(outcomes, id, forgotten);
}

static void before_the_first_nothing_is_known_or_forgotten(void **state)
{
	struct sopi_outcomes outcomes;
	bool forgotten = true;

	(void)state;
	sopi_outcomes_init(&outcomes);
	assert_int_equal(find(&outcomes, 1, &forgotten), 0);
	assert_false(forgotten);
	sopi_outcomes_destroy(&outcomes);
}

static void all_are_known_while_it_grows(void **state)
{
	struct sopi_outcomes outcomes;
	bool forgotten;

	(void)state;
	sopi_outcomes_init(&outcomes);
	for (uint64_t i = 0; i < 5000; i++) {
		add(&outcomes, i);
		for (uint64_t k = 0; k < 3; k++) {
			const uint64_t some = i * (k + 1) / 3;

			assert_int_equal(find(&outcomes, some, &forgotten), some + 1);
			assert_false(forgotten);
		}
		assert_int_equal(find(&outcomes, i + 1, &forgotten), 0);
	}
	for (uint64_t i = 0; i < 5000; i++)
		assert_int_equal(find(&outcomes, i, &forgotten), i + 1);
	sopi_outcomes_destroy(&outcomes);
}

static void the_last_million_are_known_and_no_more(void **state)
{
	const uint64_t wraps[] = { SOPI_OUTCOMES_MAX, SOPI_OUTCOMES_MAX + 1,
				   SOPI_OUTCOMES_MAX + 5000, 2 * (uint64_t)SOPI_OUTCOMES_MAX + 77,
				   3 * (uint64_t)SOPI_OUTCOMES_MAX };
	struct sopi_outcomes outcomes;
	uint64_t added = 0;
	bool forgotten;

	(void)state;
	sopi_outcomes_init(&outcomes);
	for (size_t w = 0; w < sizeof wraps / sizeof *wraps; w++) {
		while (added < wraps[w])
			add(&outcomes, added++);
		for (uint64_t number = 0; number < added; number += number % 997 + 1) {
			const bool known = number + SOPI_OUTCOMES_MAX >= added;

			assert_int_equal(find(&outcomes, number, &forgotten), known ? number + 1 : 0);
			assert_int_equal(forgotten, added > SOPI_OUTCOMES_MAX);
		}
		assert_int_equal(find(&outcomes, added - 1, &forgotten), added);
		if (added > SOPI_OUTCOMES_MAX)
			assert_int_equal(find(&outcomes, added - SOPI_OUTCOMES_MAX - 1, &forgotten), 0);
		assert_int_equal(find(&outcomes, added - SOPI_OUTCOMES_MAX, &forgotten),
				 added - SOPI_OUTCOMES_MAX + 1);
	}
	sopi_outcomes_destroy(&outcomes);
}

/* Ids that a program chose badly: all in few chains. Each is found all the same. */
static void ids_of_one_chain_are_told_apart(void **state)
{
	struct sopi_outcomes outcomes;
	sop_error err = SOP_ERROR_INIT;
	bool forgotten;

	(void)state;
	sopi_outcomes_init(&outcomes);
	for (uint64_t i = 0; i < 4000; i++) {
		uint8_t id[16] = { 0 };

		sopi_store_u64le(id, i); /* the halves cancel each other out in a simple hash */
		sopi_store_u64le(id + 8, i >> 32 | i << 32);
		TEST_OK(sopi_outcomes_reserve(&outcomes, &err), err);
		sopi_outcomes_add(&outcomes, id, i + 1);
		if (i % 100 == 0) {
			for (uint64_t k = 0; k <= i; k += 37) {
				sopi_store_u64le(id, k);
				sopi_store_u64le(id + 8, k >> 32 | k << 32);
				assert_int_equal(sopi_outcomes_find(&outcomes, id, &forgotten), k + 1);
			}
		}
	}
	sopi_outcomes_destroy(&outcomes);
}

static void without_memory_to_grow_nothing_is_lost(void **state)
{
	struct sopi_outcomes outcomes;
	sop_error err = SOP_ERROR_INIT;
	size_t failures = 0;
	bool forgotten;

	(void)state;
	sopi_outcomes_init(&outcomes);
	for (uint64_t i = 0; i < 3000; i++) {
		for (int64_t n = 0; n < 2; n++) {
			sopi_alloc_fail_after(n, true);
			if (sopi_outcomes_reserve(&outcomes, &err) != SOP_OK) {
				failures++;
				assert_int_equal(err.status, SOP_NO_MEMORY);
				sopi_alloc_fail_after(-1, false);
				if (i > 0)
					assert_int_equal(find(&outcomes, i - 1, &forgotten), i);
			}
			sopi_alloc_fail_after(-1, false);
		}
		add(&outcomes, i);
	}
	assert_true(failures > 4);
	for (uint64_t i = 0; i < 3000; i++)
		assert_int_equal(find(&outcomes, i, &forgotten), i + 1);
	sopi_outcomes_destroy(&outcomes);
}

/* Many transactions may have room reserved at once: none of their adds may overwrite what is
 * known. */
static void a_reservation_of_many_holds(void **state)
{
	enum { AT_ONCE = 300 };
	struct sopi_outcomes outcomes;
	sop_error err = SOP_ERROR_INIT;
	uint64_t added = 0;
	uint8_t id[16];
	bool forgotten;

	(void)state;
	sopi_outcomes_init(&outcomes);
	for (size_t round = 0; round < 100; round++) {
		for (size_t i = 0; i < AT_ONCE; i++)
			TEST_OK(sopi_outcomes_reserve(&outcomes, &err), err);
		for (size_t i = 0; i < AT_ONCE; i++) {
			make_id(added, id);
			sopi_outcomes_add(&outcomes, id, ++added);
		}
		assert_int_equal(find(&outcomes, 0, &forgotten), 1);
		assert_false(forgotten);
	}
	for (uint64_t i = 0; i < added; i++)
		assert_int_equal(find(&outcomes, i, &forgotten), i + 1);
	sopi_outcomes_destroy(&outcomes);
}

/* Each commit makes room, while others wait: however many there are, it is a few kilobytes and nothing moves. */
static void it_grows_by_little_at_a_time(void **state)
{
	struct sopi_outcomes outcomes;
	size_t capacity = 0;

	(void)state;
	sopi_outcomes_init(&outcomes);
	for (uint64_t i = 0; i < 100000; i++) {
		add(&outcomes, i);
		assert_true(outcomes.capacity - capacity <= 256);
		capacity = outcomes.capacity;
	}
	sopi_outcomes_destroy(&outcomes);
}

/* Those in (above, upto] are numbers first to end, in their order. */
static void check_between(struct sopi_outcomes *outcomes, uint64_t above, uint64_t upto,
			  uint64_t first, uint64_t end)
{
	struct sopi_outcome_range range = sopi_outcomes_between(outcomes, above, upto);
	uint8_t copied[100 * SOPI_OUTCOME_BYTES];
	uint64_t number = first;
	uint8_t id[16];
	size_t count;

	while ((count = sopi_outcomes_take(outcomes, &range, copied, 100)) != 0) {
		assert_true(count <= 100 && number + count <= end);
		for (size_t i = 0; i < count; i++, number++) {
			const uint8_t *at = copied + i * SOPI_OUTCOME_BYTES;

			make_id(number, id);
			assert_memory_equal(at, id, sizeof id);
			assert_int_equal(sopi_load_u64le(at + 16), number + 1);
		}
	}
	assert_int_equal(number, end);
}

static void those_between_two_positions_are_told_in_order(void **state)
{
	const uint64_t most = SOPI_OUTCOMES_MAX;
	struct sopi_outcome_range range;
	uint8_t first[SOPI_OUTCOME_BYTES];
	struct sopi_outcomes outcomes;
	uint64_t added = 0;

	(void)state;
	sopi_outcomes_init(&outcomes);
	check_between(&outcomes, 0, UINT64_MAX, 0, 0);
	while (added < 3000)
		add(&outcomes, added++);
	check_between(&outcomes, 0, UINT64_MAX, 0, 3000);
	check_between(&outcomes, 10, 1000, 10, 1000);
	check_between(&outcomes, 1000, 1000, 0, 0);
	check_between(&outcomes, 3000, 9000, 0, 0);
	while (added < most + 777)
		add(&outcomes, added++);
	check_between(&outcomes, 0, UINT64_MAX, 777, added);
	check_between(&outcomes, 700, 800, 777, 800);
	check_between(&outcomes, most, most + 5, most, most + 5);
	range = sopi_outcomes_between(&outcomes, 0, UINT64_MAX);
	while (added < most + 900)
		add(&outcomes, added++);
	assert_int_equal(sopi_outcomes_take(&outcomes, &range, first, 1), 1); /* those before it have fallen out */
	assert_int_equal(sopi_load_u64le(first + 16), 900 + 1);
	sopi_outcomes_destroy(&outcomes);
}

static void room_given_back_is_room_for_others(void **state)
{
	struct sopi_outcomes outcomes;
	sop_error err = SOP_ERROR_INIT;
	size_t capacity;

	(void)state;
	sopi_outcomes_init(&outcomes);
	add(&outcomes, 0);
	capacity = outcomes.capacity;
	for (size_t i = 0; i < 10 * capacity; i++) {
		TEST_OK(sopi_outcomes_reserve(&outcomes, &err), err);
		sopi_outcomes_unreserve(&outcomes);
	}
	assert_int_equal(outcomes.capacity, capacity);
	sopi_outcomes_destroy(&outcomes);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_the_first_nothing_is_known_or_forgotten),
		cmocka_unit_test(all_are_known_while_it_grows),
		cmocka_unit_test(the_last_million_are_known_and_no_more),
		cmocka_unit_test(ids_of_one_chain_are_told_apart),
		cmocka_unit_test(without_memory_to_grow_nothing_is_lost),
		cmocka_unit_test(a_reservation_of_many_holds),
		cmocka_unit_test(it_grows_by_little_at_a_time),
		cmocka_unit_test(those_between_two_positions_are_told_in_order),
		cmocka_unit_test(room_given_back_is_room_for_others),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
