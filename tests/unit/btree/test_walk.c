/* Walking: every visible item once, in order, both ways, from any key, at any position. */
#include "grove.h"

#include "base/alloc.h"

#include <stdlib.h>

static const struct grove_style small = { .node_bytes = 1024,
					  .node_items = 4,
					  .key_space = 400,
					  .value_max = 20 };

static void put(struct grove *grove, uint64_t number)
{
	grove_plan(grove);
	grove_plan_key(grove, number, 8);
	grove_commit(grove);
}

static void take_away(struct grove *grove, uint64_t number)
{
	grove_plan(grove);
	grove_plan_key(grove, number, GROVE_REMOVE);
	grove_commit(grove);
}

static uint64_t number_of(const struct sopi_walk *walk, size_t index)
{
	struct sopi_item_view item;
	uint8_t key[8];

	sopi_walk_item(walk, index, &item);
	assert_int_equal(sopi_item_whole_key_size(&item), 8);
	sopi_item_copy_key(&item, 0, key);
	return sopi_load_u64be(key);
}

static void an_empty_tree_has_one_leaf_without_items(void **state)
{
	struct grove *grove = test_alloc(sizeof *grove);
	sop_error err = SOP_ERROR_INIT;
	struct sopi_walk walk;

	(void)state;
	grove_init(grove, &small, 1);
	sopi_walk_init(&walk, &grove->tree, 1);
	TEST_OK(sopi_walk_seek(&walk, (const uint8_t *)"k", 1, &err), err);
	assert_int_equal(walk.count, 0);
	assert_int_equal(walk.index, 0);
	assert_ptr_equal(walk.vnode, grove->tree.root);
	assert_int_equal(sopi_walk_next_leaf(&walk, &err), SOP_NOT_FOUND);
	assert_int_equal(sopi_walk_previous_leaf(&walk, &err), SOP_NOT_FOUND);
	TEST_OK(sopi_walk_end(&walk, &err), err);
	assert_int_equal(walk.index, 0);
	sopi_walk_free(&walk);
	grove_free(grove);
	free(grove);
}

/* Deltas before, between and behind base items; one of them replaced, one removed, one put and
 * removed again. */
static void deltas_stand_where_their_keys_belong(void **state)
{
	static const uint64_t expected[] = { 1, 10, 15, 30, 99 };
	struct grove_style style = small;
	struct grove *grove = test_alloc(sizeof *grove);
	sop_error err = SOP_ERROR_INIT;
	struct sopi_walk walk;

	(void)state;
	style.node_items = 0;
	grove_init(grove, &style, 1);
	grove_plan(grove);
	for (uint64_t i = 1; i <= 5; i++) /* more than are put as deltas: a base of 10, 20, 30, 40, 50 */
		grove_plan_key(grove, i * 10, 8);
	grove_commit(grove);
	grove_pin(grove, 0);
	put(grove, 99);
	put(grove, 1);
	put(grove, 15);
	take_away(grove, 20);
	put(grove, 30);
	grove_plan(grove);
	grove_plan_key(grove, 40, GROVE_REMOVE);
	grove_plan_key(grove, 50, GROVE_REMOVE);
	grove_commit(grove);
	assert_int_equal(atomic_load(&atomic_load(&grove->tree.root->head)->delta_count), 7);
	sopi_walk_init(&walk, &grove->tree, SOPI_POSITION_HEAD);
	TEST_OK(sopi_walk_seek(&walk, (const uint8_t *)"", 0, &err), err);
	assert_int_equal(walk.count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(number_of(&walk, i), expected[i]);
	sopi_walk_free(&walk);
	grove_check(grove); /* the pinned position still has 10 to 50 */
	grove_free(grove);
	free(grove);
}

/* Where a seek should stand: the first entry at or behind the key. */
static size_t lower_bound(const struct grove_state *state, const uint8_t *key, size_t size)
{
	size_t i = 0;

	while (i < state->count &&
	       sopi_bytes_compare(state->entries[i].key, state->entries[i].key_size, key, size) < 0)
		i++;
	return i;
}

static void check_seek(struct grove *grove, const struct grove_state *state, uint64_t at, uint64_t number)
{
	sop_error err = SOP_ERROR_INIT;
	struct sopi_item_view item;
	struct sopi_walk walk;
	uint8_t key[8];
	size_t expected;

	sopi_store_u64be(key, number);
	expected = lower_bound(state, key, sizeof key);
	sopi_walk_init(&walk, &grove->tree, at);
	TEST_OK(sopi_walk_seek(&walk, key, sizeof key, &err), err);
	if (walk.index > 0) { /* the item before belongs to what is below the key */
		sopi_walk_item(&walk, walk.index - 1, &item);
		assert_true(sopi_item_compare_key(&item, key, sizeof key) < 0);
	}
	while (walk.index == walk.count && sopi_walk_next_leaf(&walk, &err) == SOP_OK) {
	}
	if (expected == state->count) {
		assert_int_equal(walk.index, walk.count);
	} else {
		assert_true(walk.index < walk.count);
		sopi_walk_item(&walk, walk.index, &item);
		assert_int_equal(sopi_item_compare_key(&item, state->entries[expected].key,
						       state->entries[expected].key_size),
				 0);
	}
	sopi_walk_free(&walk);
}

static void a_seek_stands_on_the_first_item_at_or_behind_its_key(void **state)
{
	const uint64_t commits = test_scaled(600);
	struct grove *grove = test_alloc(sizeof *grove);

	(void)state;
	grove_init(grove, &small, test_seed());
	for (uint64_t i = 0; i < commits; i++) {
		grove_plan(grove);
		grove_plan_random(grove, 1 + i % 7, 1 + i % small.key_space);
		grove_commit(grove);
		if (i % 20 == 0)
			grove_pin(grove, i / 20 % GROVE_PINS);
		for (size_t pin = 0; pin < GROVE_PINS; pin++) {
			const uint64_t number = test_rng_below(&grove->rng, small.key_space + 1);

			check_seek(grove, &grove->head, SOPI_POSITION_HEAD, number);
			if (grove->pins[pin].entries != NULL)
				check_seek(grove, &grove->pins[pin], grove->pins[pin].position, number);
		}
	}
	grove_check(grove);
	grove_free(grove);
	free(grove);
}

/* A leaf of more items than a walk has room for needs memory as soon as it has deltas. */
static void a_large_leaf_with_deltas_needs_memory_and_says_so(void **state)
{
	struct grove_style style = { .node_bytes = 32768, .key_space = 400 };
	struct grove *grove = test_alloc(sizeof *grove);
	sop_error err = SOP_ERROR_INIT;
	struct sopi_walk walk;

	(void)state;
	grove_init(grove, &style, 1);
	grove_plan(grove);
	for (uint64_t i = 0; i < 2 * SOPI_WALK_ORDER_ROOM; i++)
		grove_plan_key(grove, 2 * i, 0);
	grove_commit(grove);
	put(grove, 7);
	sopi_walk_init(&walk, &grove->tree, SOPI_POSITION_HEAD);
	sopi_alloc_fail_after(0, true);
	TEST_STATUS(sopi_walk_seek(&walk, (const uint8_t *)"", 0, &err), SOP_NO_MEMORY, err);
	TEST_STATUS(sopi_walk_end(&walk, &err), SOP_NO_MEMORY, err);
	sopi_alloc_fail_after(-1, false);
	TEST_OK(sopi_walk_seek(&walk, (const uint8_t *)"", 0, &err), err);
	assert_int_equal(walk.count, 2 * SOPI_WALK_ORDER_ROOM + 1);
	assert_int_equal(number_of(&walk, 4), 7);
	sopi_walk_free(&walk);
	grove_check(grove);
	grove_free(grove);
	free(grove);
}

static void a_walk_turns_round_anywhere(void **state)
{
	struct grove *grove = test_alloc(sizeof *grove);
	sop_error err = SOP_ERROR_INIT;
	struct sopi_walk walk;

	(void)state;
	grove_init(grove, &small, 1);
	for (uint64_t i = 0; i < 100; i++)
		put(grove, i);
	sopi_walk_init(&walk, &grove->tree, SOPI_POSITION_HEAD);
	TEST_OK(sopi_walk_seek(&walk, (const uint8_t *)"", 0, &err), err);
	for (;;) {
		const uint64_t first = number_of(&walk, 0);

		if (sopi_walk_next_leaf(&walk, &err) != SOP_OK)
			break;
		assert_true(number_of(&walk, 0) > first);
		TEST_OK(sopi_walk_previous_leaf(&walk, &err), err);
		assert_int_equal(number_of(&walk, 0), first);
		assert_int_equal(walk.index, walk.count); /* behind its last item */
		TEST_OK(sopi_walk_next_leaf(&walk, &err), err);
		assert_int_equal(walk.index, 0);
	}
	assert_int_equal(number_of(&walk, walk.count - 1), 99);
	sopi_walk_free(&walk);
	grove_free(grove);
	free(grove);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_tree_has_one_leaf_without_items),
		cmocka_unit_test(deltas_stand_where_their_keys_belong),
		cmocka_unit_test(a_seek_stands_on_the_first_item_at_or_behind_its_key),
		cmocka_unit_test(a_large_leaf_with_deltas_needs_memory_and_says_so),
		cmocka_unit_test(a_walk_turns_round_anywhere),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
