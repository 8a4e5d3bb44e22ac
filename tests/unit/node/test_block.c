/* Node pages in memory: what is found, what each position sees, and what a full block refuses. */
#include "leaf_model.h"
#include "page_loader.h"

/* A leaf of these keys, with `spare` bytes; values are the keys. */
static struct sopi_block *leaf_of(const sop_bytes *keys, size_t count, size_t prefix_size, size_t spare)
{
	struct sopi_item_view items[64];
	struct sopi_block *leaf;

	for (size_t i = 0; i < count; i++)
		items[i] = (struct sopi_item_view){ .key = keys[i].data,
						    .key_size = (uint32_t)keys[i].size,
						    .value = keys[i].data,
						    .value_size = (uint32_t)keys[i].size,
						    .version = i + 1 };
	leaf = page_block_new(sopi_leaf_bytes(items, count, prefix_size) + spare);
	assert_non_null(leaf);
	sopi_leaf_build(leaf, items, count, prefix_size);
	assert_int_equal(leaf->free_at + spare, leaf->capacity);
	return leaf;
}

static void assert_place(const struct sopi_block *leaf, sop_bytes key, size_t slot, bool exact)
{
	const struct sopi_slot_place place = sopi_leaf_search(leaf, key.data, key.size);

	assert_int_equal(place.slot, slot);
	assert_int_equal(place.exact, exact);
}

static void an_empty_leaf_has_nothing_anywhere(void **state)
{
	struct sopi_block *leaf = leaf_of(NULL, 0, 0, 0);
	struct sopi_item_view view;

	(void)state;
	assert_place(leaf, test_text(""), 0, false);
	assert_place(leaf, test_text("\xFF\xFF\xFF\xFF\xFF"), 0, false);
	assert_false(sopi_leaf_get(leaf, (const uint8_t *)"k", 1, SOPI_POSITION_HEAD, &view));
	free(leaf);
}

/* Keys whose heads are equal, though they differ: shorter than a head, or equal in their first four
 * bytes; at the ends of the range of heads too. */
static void keys_of_equal_heads_are_told_apart(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} table[] = {
		{ "", 0 },
		{ "\0", 1 },
		{ "\0\0", 2 },
		{ "\0\0\0\0", 4 },
		{ "\0\0\0\0\0", 5 },
		{ "\0\0\0\1", 4 },
		{ "abc", 3 },
		{ "abc\0", 4 },
		{ "abcd", 4 },
		{ "abcda", 5 },
		{ "abcdb", 5 },
		{ "abcdb\0", 6 },
		{ "\xFF\xFF\xFF", 3 },
		{ "\xFF\xFF\xFF\xFE", 4 },
		{ "\xFF\xFF\xFF\xFF", 4 },
		{ "\xFF\xFF\xFF\xFF\0", 5 },
		{ "\xFF\xFF\xFF\xFF\xFF", 5 },
	};
	enum { COUNT = sizeof table / sizeof *table };
	sop_bytes keys[COUNT];

	(void)state;
	for (unsigned missing = 0; missing <= COUNT; missing++) { /* COUNT: all are there */
		size_t count = 0;
		struct sopi_block *leaf;

		for (unsigned i = 0; i < COUNT; i++) {
			if (i != missing)
				keys[count++] = test_bytes(table[i].bytes, table[i].size);
		}
		leaf = leaf_of(keys, count, 0, 0);
		for (size_t i = 0; i < count; i++)
			assert_place(leaf, keys[i], i, true);
		if (missing < COUNT)
			assert_place(leaf, test_bytes(table[missing].bytes, table[missing].size),
				     missing, false);
		free(leaf);
	}
}

static void keys_beside_the_prefix_are_before_or_behind_all(void **state)
{
	const sop_bytes keys[] = { test_text("same"), test_text("samea"), test_text("samec") };
	struct sopi_block *leaf = leaf_of(keys, 3, 4, 0);

	(void)state;
	assert_place(leaf, test_text(""), 0, false);
	assert_place(leaf, test_text("sam"), 0, false);
	assert_place(leaf, test_text("same"), 0, true);
	assert_place(leaf, test_text("samea"), 1, true);
	assert_place(leaf, test_text("sameb"), 2, false);
	assert_place(leaf, test_text("samec"), 2, true);
	assert_place(leaf, test_text("samed"), 3, false);
	assert_place(leaf, test_text("samf"), 3, false);
	assert_place(leaf, test_text("sa\xFF"), 3, false);
	assert_place(leaf, test_text("saa"), 0, false);
	free(leaf);
}

static void a_random_leaf_answers_as_its_model_at_every_position(void **state)
{
	const uint64_t cases = test_scaled(600);
	struct leaf_model model;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 0);
	for (uint64_t i = 0; i < cases; i++) {
		const struct leaf_style style = leaf_style_random(&rng);

		leaf_model_init(&model, &rng, &style, test_rng_below(&rng, 3000));
		while (!test_rng_once_in(&rng, 10) && leaf_model_add_delta(&model)) {
		}
		for (size_t k = 0; k < 100; k++) {
			const struct leaf_state *some =
				&model.states[test_rng_below(&rng, model.state_count)];
			const uint64_t at = some->position + test_rng_below(&rng, 2);
			const struct leaf_state *expected = leaf_model_at(&model, at);
			struct sopi_item_view view;
			size_t index;
			sop_bytes key;

			key = leaf_model_random_key(&model);
			if (some->count > 0 && test_rng_once_in(&rng, 2)) {
				const struct sopi_item_view *item =
					&some->items[test_rng_below(&rng, some->count)];

				key = test_bytes(item->key, item->key_size);
			}
			if (leaf_state_find(expected, key, &index)) {
				assert_true(sopi_leaf_get(model.leaf, key.data, key.size, at, &view));
				assert_same_item(&expected->items[index], &view);
			} else {
				assert_false(sopi_leaf_get(model.leaf, key.data, key.size, at, &view));
			}
		}
		leaf_model_free(&model);
	}
}

/* ---- deltas ---------------------------------------------------------------------------------- */

static bool append(struct sopi_block *leaf, sop_bytes key, uint64_t position, const char *value)
{
	const struct sopi_item_view item = { .value = (const uint8_t *)value,
					     .value_size = value != NULL ? (uint32_t)strlen(value) : 0 };

	return sopi_leaf_append_delta(leaf, sopi_leaf_search(leaf, key.data, key.size), position,
				      key.data, key.size, value != NULL ? &item : NULL);
}

static void assert_value(const struct sopi_block *leaf, sop_bytes key, uint64_t at, const char *value)
{
	struct sopi_item_view view;

	assert_int_equal(sopi_leaf_get(leaf, key.data, key.size, at, &view), value != NULL);
	if (value == NULL)
		return;
	assert_int_equal(view.value_size, strlen(value));
	assert_memory_equal(view.value, value, view.value_size);
	assert_int_equal(sopi_item_compare_key(&view, key.data, key.size), 0);
}

static void a_delta_is_seen_from_its_position_on(void **state)
{
	const sop_bytes keys[] = { test_text("pa"), test_text("pc") };
	struct sopi_block *leaf = leaf_of(keys, 2, 1, 1000);

	(void)state;
	assert_true(append(leaf, test_text("pb"), 10, "new"));
	assert_true(append(leaf, test_text("pa"), 20, NULL));
	assert_true(append(leaf, test_text("pb"), 30, NULL));
	assert_true(append(leaf, test_text("pa"), 40, "again"));
	assert_true(append(leaf, test_text("q"), 50, "beside the prefix"));
	assert_value(leaf, test_text("pb"), 9, NULL);
	assert_value(leaf, test_text("pb"), 10, "new");
	assert_value(leaf, test_text("pb"), 29, "new");
	assert_value(leaf, test_text("pb"), 30, NULL);
	assert_value(leaf, test_text("pa"), 19, "pa");
	assert_value(leaf, test_text("pa"), 20, NULL);
	assert_value(leaf, test_text("pa"), 39, NULL);
	assert_value(leaf, test_text("pa"), SOPI_POSITION_HEAD, "again");
	assert_value(leaf, test_text("pc"), SOPI_POSITION_HEAD, "pc");
	assert_value(leaf, test_text("q"), 49, NULL);
	assert_value(leaf, test_text("q"), 50, "beside the prefix");
	free(leaf);
}

static void a_block_takes_eight_deltas_and_no_more(void **state)
{
	struct sopi_block *leaf = leaf_of(NULL, 0, 0, 4096);

	(void)state;
	for (uint64_t i = 0; i < SOPI_DELTAS_MAX; i++)
		assert_true(append(leaf, test_text("k"), 10 + i, i % 2 ? NULL : "v"));
	assert_false(append(leaf, test_text("k"), 100, "v"));
	assert_false(append(leaf, test_text("k"), 100, NULL));
	assert_int_equal(atomic_load(&leaf->delta_count), SOPI_DELTAS_MAX);
	assert_value(leaf, test_text("k"), 100, NULL);
	free(leaf);
}

static void a_delta_without_room_is_refused_and_leaves_the_block_alone(void **state)
{
	const sop_bytes key = test_text("key");
	const size_t needed = sopi_item_bytes(key.size, 0, 10, false);
	struct sopi_block *leaf = leaf_of(NULL, 0, 0, needed - 8);
	uint32_t free_at = leaf->free_at;

	(void)state;
	assert_false(append(leaf, key, 10, "0123456789"));
	assert_int_equal(leaf->free_at, free_at);
	assert_int_equal(atomic_load(&leaf->delta_count), 0);
	free(leaf);
	leaf = leaf_of(NULL, 0, 0, needed); /* to the last byte */
	assert_true(append(leaf, key, 10, "0123456789"));
	assert_int_equal(leaf->free_at, leaf->capacity);
	assert_value(leaf, key, 10, "0123456789");
	assert_false(append(leaf, key, 11, NULL));
	free(leaf);
}

static void a_delta_carries_ride_fields_and_a_value_kept_apart(void **state)
{
	struct sopi_block *leaf = leaf_of(NULL, 0, 0, 200);
	struct sopi_value *value = test_alloc(sizeof *value);
	uint8_t bytes[4];
	struct sopi_item_view item = {
		.ride = (const uint8_t *)"ride", .ride_size = 4, .apart = value, .value_size = 4
	};
	struct sopi_item_view view;

	(void)state;
	memset(value, 0, sizeof *value);
	value->bytes = memcpy(bytes, "long", 4);
	assert_true(sopi_leaf_append_delta(leaf, (struct sopi_slot_place){ 0, false }, 5,
					   (const uint8_t *)"k", 1, &item));
	assert_true(sopi_leaf_get(leaf, (const uint8_t *)"k", 1, 5, &view));
	assert_int_equal(view.version, 5);
	assert_int_equal(view.ride_size, 4);
	assert_memory_equal(view.ride, "ride", 4);
	assert_ptr_equal(view.apart, value);
	assert_ptr_equal(sopi_item_value(&view), value->bytes);
	free(leaf);
	free(value);
}

/* ---- keys in two parts ----------------------------------------------------------------------- */

/* The key `text` cut behind `prefix` bytes, wherever those lie. */
static struct sopi_item_view cut(const char *text, size_t prefix)
{
	return (struct sopi_item_view){ .prefix = (const uint8_t *)text,
					.prefix_size = (uint32_t)prefix,
					.key = (const uint8_t *)text + prefix,
					.key_size = (uint32_t)(strlen(text) - prefix) };
}

static int sign(int number)
{
	return (number > 0) - (number < 0);
}

static size_t common(const char *a, const char *b)
{
	size_t i = 0;

	while (a[i] != '\0' && a[i] == b[i])
		i++;
	return i;
}

static void keys_in_two_parts_compare_as_whole_ones(void **state)
{
	static const char *texts[] = { "",	   "a",	  "ab", "abc", "abcdefgh",
				       "abcdefgi", "abd", "b",	"ba" };
	enum { COUNT = sizeof texts / sizeof *texts };
	uint8_t copy[16];

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		for (size_t j = 0; j < COUNT; j++) {
			for (size_t p = 0; p <= strlen(texts[i]); p++) {
				const struct sopi_item_view a = cut(texts[i], p);
				const int order = sign(strcmp(texts[i], texts[j]));

				assert_int_equal(sign(sopi_item_compare_key(&a, (const uint8_t *)texts[j],
									    strlen(texts[j]))),
						 order);
				for (size_t q = 0; q <= strlen(texts[j]); q++) {
					const struct sopi_item_view b = cut(texts[j], q);

					assert_int_equal(sign(sopi_item_compare(&a, &b)), order);
					assert_int_equal(sopi_item_common_prefix(&a, &b),
							 common(texts[i], texts[j]));
				}
				for (size_t from = 0; from <= strlen(texts[i]); from++) {
					sopi_item_copy_key(&a, from, copy);
					assert_memory_equal(copy, texts[i] + from,
							    strlen(texts[i]) - from);
				}
			}
		}
	}
}

/* ---- inner pages ----------------------------------------------------------------------------- */

static void an_inner_page_leads_to_the_child_below_the_next_separator(void **state)
{
	const uint64_t cases = test_scaled(300);
	static struct sopi_vnode vnodes[MODEL_ITEMS_MAX + 1];
	static struct sopi_separator separators[MODEL_ITEMS_MAX];
	struct leaf_model model;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 1);
	for (uint64_t i = 0; i < cases; i++) {
		struct leaf_style style = leaf_style_random(&rng);
		const struct leaf_state *keys = &model.states[0];
		struct sopi_block *inner;
		size_t prefix_size;

		style.key_max = style.key_max > 1000 ? 1000 : style.key_max;
		leaf_model_init(&model, &rng, &style, 0);
		for (size_t k = 0; k < keys->count; k++) {
			struct sopi_separator *separator = &separators[k];

			separator->prefix_size =
				(uint32_t)test_rng_below(&rng, keys->items[k].key_size + 1);
			separator->prefix = keys->items[k].key;
			separator->key = separator->prefix + separator->prefix_size;
			separator->key_size = keys->items[k].key_size - separator->prefix_size;
			separator->child = &vnodes[k + 1];
		}
		prefix_size = sopi_separators_common_prefix(separators, keys->count);
		inner = page_block_new(sopi_inner_bytes(separators, keys->count, prefix_size));
		sopi_inner_build(inner, &vnodes[0], separators, keys->count, prefix_size);
		assert_int_equal(inner->free_at, inner->capacity);
		for (size_t k = 0; k <= keys->count; k++)
			assert_ptr_equal(sopi_inner_children(inner)[k], &vnodes[k]);
		for (size_t k = 0; k < 50; k++) {
			const sop_bytes key = leaf_model_random_key(&model);
			size_t index;
			const bool exact = leaf_state_find(keys, key, &index);

			assert_int_equal(sopi_inner_search(inner, key.data, key.size),
					 index + (exact ? 1 : 0));
		}
		free(inner);
		leaf_model_free(&model);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_leaf_has_nothing_anywhere),
		cmocka_unit_test(keys_of_equal_heads_are_told_apart),
		cmocka_unit_test(keys_beside_the_prefix_are_before_or_behind_all),
		cmocka_unit_test(a_random_leaf_answers_as_its_model_at_every_position),
		cmocka_unit_test(a_delta_is_seen_from_its_position_on),
		cmocka_unit_test(a_block_takes_eight_deltas_and_no_more),
		cmocka_unit_test(a_delta_without_room_is_refused_and_leaves_the_block_alone),
		cmocka_unit_test(a_delta_carries_ride_fields_and_a_value_kept_apart),
		cmocka_unit_test(keys_in_two_parts_compare_as_whole_ones),
		cmocka_unit_test(an_inner_page_leads_to_the_child_below_the_next_separator),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("block", tests, NULL, NULL);
}
