/* Commits applied to a tree: at every pinned position it holds what a sorted array held then, and
 * what is taken back leaves no trace. */
#include "grove.h"

#include "base/alloc.h"

#include <stdlib.h>

static struct grove_style style_random(struct test_rng *rng)
{
	static const uint32_t bytes[] = { 1024, 1024, 4096 };
	static const uint32_t items[] = { 0, 0, 4, 5, 8 };
	struct grove_style style = {
		.node_bytes = bytes[test_rng_below(rng, 3)],
		.node_items = items[test_rng_below(rng, 5)],
		.key_space = (uint64_t)1 << (3 + test_rng_below(rng, 9)),
		.key_pad = test_rng_once_in(rng, 2) ? 0 : test_rng_below(rng, 30),
		.key_tail = test_rng_once_in(rng, 2) ? 0 : test_rng_below(rng, 60),
		.value_max = test_rng_below(rng, 200),
		.apart = test_rng_once_in(rng, 2),
	};

	if (test_rng_once_in(rng, 6)) {
		style.key_space /= 8;
		style.key_tail = 3000; /* a few large items a node */
		style.value_max = 2000;
	}
	style.key_space = style.key_space < 4 ? 4 : style.key_space;
	return style;
}

/* A few changes, or many, near each other or everywhere. */
static void plan_some(struct grove *grove)
{
	const size_t most = test_rng_once_in(&grove->rng, 8)   ? 600
			    : test_rng_once_in(&grove->rng, 2) ? 40
							       : 4;

	grove_plan(grove);
	grove_plan_random(grove, 1 + test_rng_below(&grove->rng, most),
			  1 + test_rng_below(&grove->rng, grove->style.key_space));
}

static void every_position_holds_what_was_committed(void **state)
{
	const uint64_t cases = test_scaled(60);
	struct grove *grove = test_alloc(sizeof *grove);
	struct test_rng rng;
	uint64_t splits = 0, merges = 0;

	(void)state;
	test_rng_init(&rng, test_seed(), 0);
	for (uint64_t i = 0; i < cases; i++) {
		const struct grove_style style = style_random(&rng);

		grove_init(grove, &style, test_rng_next(&rng));
		for (size_t commits = 0; commits < 150; commits++) {
			plan_some(grove);
			grove_commit(grove);
			if (test_rng_once_in(&rng, 5))
				grove_pin(grove, test_rng_below(&rng, GROVE_PINS));
			if (test_rng_once_in(&rng, 10))
				grove_check(grove);
		}
		grove_check(grove);
		splits += atomic_load(&grove->forest.split_count);
		merges += atomic_load(&grove->forest.merge_count);
		grove_free(grove);
	}
	assert_true(splits > 10 * cases && merges > cases);
	free(grove);
}

/* Applies, takes back, and compares with what was there before. */
static void assert_no_trace(struct grove *grove, size_t count, uint64_t before)
{
	sop_error err = SOP_ERROR_INIT;
	struct sopi_apply apply;

	TEST_OK(grove_apply(grove, count, &apply, &err), err);
	grove_undo(grove, &apply);
	assert_true(grove_signature(grove) == before);
}

static void what_is_taken_back_leaves_no_trace(void **state)
{
	const uint64_t cases = test_scaled(30);
	struct grove *grove = test_alloc(sizeof *grove);
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 1);
	for (uint64_t i = 0; i < cases; i++) {
		const struct grove_style style = style_random(&rng);

		grove_init(grove, &style, test_rng_next(&rng));
		for (size_t commits = 0; commits < 60; commits++) {
			uint64_t before;
			size_t step;

			plan_some(grove);
			grove_plan_end(grove);
			before = grove_signature(grove);
			step = 1 + grove->change_count / 8;
			for (size_t count = 0; count <= grove->change_count; count += step)
				assert_no_trace(grove, count, before);
			grove_check(grove);
			grove_commit(grove);
			if (test_rng_once_in(&rng, 5))
				grove_pin(grove, test_rng_below(&rng, GROVE_PINS));
		}
		grove_check(grove);
		grove_free(grove);
	}
	free(grove);
}

/* Tries the planned commit with so much memory; true if it was enough (and the commit is kept). */
static bool commit_in_famine(struct grove *grove, const size_t left[SOPI_MEMORY_CLASSES])
{
	const uint64_t before = grove_signature(grove);
	sop_error err = SOP_ERROR_INIT;
	struct grove_famine famine;
	struct sopi_apply apply;
	sop_status status;

	grove_famine_begin(grove, left, &famine);
	status = grove_apply(grove, grove->change_count, &apply, &err);
	grove_famine_end(grove, &famine);
	if (status == SOP_OK) {
		grove_keep(grove, &apply);
		return true;
	}
	assert_int_equal(status, SOP_NO_MEMORY);
	grove_undo(grove, &apply);
	assert_true(grove_signature(grove) == before);
	return false;
}

static void out_of_blocks_anywhere_leaves_no_trace(void **state)
{
	const uint64_t cases = test_scaled(30);
	struct grove *grove = test_alloc(sizeof *grove);
	size_t left[SOPI_MEMORY_CLASSES];
	struct test_rng rng;
	size_t failures = 0;

	(void)state;
	test_rng_init(&rng, test_seed(), 2);
	for (uint64_t i = 0; i < cases; i++) {
		const struct grove_style style = style_random(&rng);

		grove_init(grove, &style, test_rng_next(&rng));
		assert_int_equal(sopi_scratch_reserve(&grove->forest.scratch, 20000, 20000, NULL), SOP_OK);
		for (size_t commits = 0; commits < 60; commits++) {
			size_t most = 0;

			plan_some(grove);
			grove_plan_end(grove);
			do {
				for (unsigned class = 0; class < SOPI_MEMORY_CLASSES; class ++)
					left[class] = test_rng_below(&rng, most + 1);
				most = most * 3 / 2 + 1;
				failures++;
			} while (!commit_in_famine(grove, left));
			failures--;
			if (test_rng_once_in(&rng, 10))
				grove_check(grove);
			if (test_rng_once_in(&rng, 5))
				grove_pin(grove, test_rng_below(&rng, GROVE_PINS));
		}
		grove_check(grove);
		grove_free(grove);
	}
	assert_true(failures > 10 * cases);
	free(grove);
}

/* The scratch of a commit, its arena and new chunks: the n-th allocation fails, for every n. */
static void out_of_memory_at_every_allocation_leaves_no_trace(void **state)
{
	const uint64_t cases = test_scaled(20);
	struct grove *grove = test_alloc(sizeof *grove);
	struct test_rng rng;
	size_t failures = 0;

	(void)state;
	test_rng_init(&rng, test_seed(), 3);
	for (uint64_t i = 0; i < cases; i++) {
		const struct grove_style style = style_random(&rng);

		grove_init(grove, &style, test_rng_next(&rng));
		for (size_t commits = 0; commits < 12; commits++) {
			sop_status status = SOP_NO_MEMORY;

			plan_some(grove);
			grove_plan_end(grove);
			for (int64_t n = 0; status != SOP_OK; n++) {
				const uint64_t before = grove_signature(grove);
				sop_error err = SOP_ERROR_INIT;
				struct sopi_apply apply;

				sopi_alloc_fail_after(n, false);
				status = grove_apply(grove, grove->change_count, &apply, &err);
				sopi_alloc_fail_after(-1, false);
				if (status == SOP_OK) {
					grove_keep(grove, &apply);
					break;
				}
				assert_int_equal(status, SOP_NO_MEMORY);
				grove_undo(grove, &apply);
				assert_true(grove_signature(grove) == before);
				failures++;
			}
		}
		grove_check(grove);
		grove_free(grove);
	}
	assert_true(failures > 3 * cases); /* the hook struck */
	free(grove);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static size_t nodes_of(struct grove *grove)
{
	atomic_store(&grove->answered, grove->position);
	sopi_reclaim_run(&grove->forest.reclaim, &grove->answered, NULL);
	return atomic_load(&grove->forest.node_count);
}

/* Commits of `batch` puts with values of 100 bytes: ascending, or descending. */
static void fill(struct grove *grove, uint64_t count, size_t batch, bool ascending)
{
	for (uint64_t i = 0; i < count; i += batch) {
		grove_plan(grove);
		for (uint64_t k = i; k < i + batch && k < count; k++)
			grove_plan_key(grove, ascending ? k : count - 1 - k, 100);
		grove_commit(grove);
	}
}

/* However many are in a commit. */
static void ascending_makes(const struct grove_style *style, size_t least, size_t most)
{
	struct grove *grove = test_alloc(sizeof *grove);

	for (size_t batch = 1; batch <= 1000; batch *= 10) {
		grove_init(grove, style, 1);
		fill(grove, 10000, batch, true);
		grove_check(grove);
		assert_in_range(nodes_of(grove), least, most);
		grove_free(grove);
	}
	free(grove);
}

static void puts_in_ascending_order_fill_pages(void **state)
{
	const struct grove_style style = { .node_bytes = 4096, .key_pad = 8, .value_max = 100 };

	(void)state;
	/* 31 items of 116 bytes fit in a page, which has 4096 - 160 - 16 */
	ascending_makes(&style, 10000 / 32, 10000 / 27);
}

/* Also where it is their number that ends a page. */
static void puts_in_ascending_order_fill_pages_of_few_items(void **state)
{
	const struct grove_style style = { .node_bytes = 4096, .node_items = 16 };

	(void)state;
	ascending_makes(&style, 10000 / 16, 10000 / 13);
}

static void puts_in_descending_order_leave_pages_half_full_at_least(void **state)
{
	const struct grove_style style = { .node_bytes = 4096, .key_pad = 8, .value_max = 100 };
	struct grove *grove = test_alloc(sizeof *grove);

	(void)state;
	grove_init(grove, &style, 1);
	fill(grove, 10000, 1, false);
	grove_check(grove);
	assert_in_range(nodes_of(grove), 10000 / 30, 10000 / 11);
	grove_free(grove);
	free(grove);
}

static void removing_everything_leaves_one_empty_root(void **state)
{
	static const struct grove_style styles[] = {
		{ .node_bytes = 4096, .value_max = 100 },
		{ .node_bytes = 1024, .node_items = 4 },
		{ .node_bytes = 1024, .key_tail = 2500 },
	};
	struct grove *grove = test_alloc(sizeof *grove);

	(void)state;
	for (size_t s = 0; s < sizeof styles / sizeof *styles; s++) {
		for (size_t batch = 1; batch <= 700; batch *= 13) {
			grove_init(grove, &styles[s], 1);
			fill(grove, 2000, 100, true);
			for (uint64_t i = 0; i < 2000; i += batch) {
				grove_plan(grove);
				for (uint64_t k = i; k < i + batch && k < 2000; k++)
					grove_plan_key(grove, k * 7 % 2000, GROVE_REMOVE);
				grove_commit(grove);
			}
			grove_check(grove);
			assert_int_equal(nodes_of(grove), 1);
			grove_free(grove);
		}
	}
	free(grove);
}

/* Puts at the end and removals at the beginning, the same number of items all the time. */
static void a_queue_does_not_leave_nodes_behind(void **state)
{
	struct grove_style style = { .node_bytes = 1024, .value_max = 100 };
	static const uint32_t node_items[] = { 0, 4, 50 };
	struct grove *grove = test_alloc(sizeof *grove);

	(void)state;
	for (size_t s = 0; s < 3; s++) {
		size_t nodes = 0;

		style.node_items = node_items[s];
		grove_init(grove, &style, 1);
		for (uint64_t i = 0; i < 30000; i += 20) {
			grove_plan(grove);
			for (uint64_t k = i; k < i + 20; k++) {
				grove_plan_key(grove, k + 5000, 100);
				grove_plan_key(grove, k, GROVE_REMOVE);
			}
			grove_commit(grove);
			if (i == 10000)
				nodes = nodes_of(grove);
		}
		grove_check(grove);
		assert_in_range(nodes_of(grove), 1, nodes + nodes / 20);
		grove_free(grove);
	}
	free(grove);
}

/* A prefix of up to 7 bytes may take more than it saves, since items lie at multiples of 8. */
static void a_merged_leaf_has_room_for_its_prefix(void **state)
{
	const struct grove_style style = { .node_bytes = 1024 };
	struct grove *grove = test_alloc(sizeof *grove);

	(void)state;
	grove_init(grove, &style, 1);
	grove_plan(grove);
	for (uint64_t i = 0; i < 21; i++)
		grove_plan_key(grove, i, i == 3 ? 1984 : 1976);
	grove_commit(grove);
	for (uint64_t i = 4; i < 21; i++) { /* what is left takes 8192 bytes, and 8 more with its prefix */
		grove_plan(grove);
		grove_plan_key(grove, i, GROVE_REMOVE);
		grove_commit(grove);
	}
	grove_check(grove);
	assert_int_equal(nodes_of(grove), 1);
	grove_free(grove);
	free(grove);
}

static void the_root_keeps_its_virtual_id(void **state)
{
	const struct grove_style style = { .node_bytes = 1024, .node_items = 4 };
	struct grove *grove = test_alloc(sizeof *grove);
	const struct sopi_vnode *root;

	(void)state;
	grove_init(grove, &style, 1);
	root = grove->tree.root;
	fill(grove, 3000, 50, true);
	assert_ptr_equal(grove->tree.root, root);
	assert_int_equal(root->vid, 1);
	grove_free(grove);
	free(grove);
}

static void a_commit_without_effect_changes_nothing(void **state)
{
	const struct grove_style style = { .node_bytes = 1024, .node_items = 4 };
	struct grove *grove = test_alloc(sizeof *grove);
	sop_error err = SOP_ERROR_INIT;
	struct sopi_apply apply;
	uint64_t before;

	(void)state;
	grove_init(grove, &style, 1);
	fill(grove, 100, 10, true);
	before = grove_signature(grove);
	grove_plan(grove);
	for (uint64_t i = 0; i < 4; i++) /* as many as are tried as deltas */
		grove_plan_key(grove, 1000 + i, GROVE_REMOVE);
	grove_plan_end(grove);
	TEST_OK(grove_apply(grove, grove->change_count, &apply, &err), err);
	assert_int_equal(apply.operations, 0);
	assert_true(grove_signature(grove) == before);
	grove_undo(grove, &apply);
	assert_true(grove_signature(grove) == before);
	grove_free(grove);
	free(grove);
}

static void the_largest_keys_and_values_fit(void **state)
{
	const struct grove_style style = {
		.node_bytes = 1024, .key_space = 60, .key_pad = 20000, .key_tail = 45000, .value_max = 1024
	};
	struct grove *grove = test_alloc(sizeof *grove);

	(void)state;
	grove_init(grove, &style, test_seed());
	for (size_t commits = 0; commits < 60; commits++) {
		plan_some(grove);
		grove_commit(grove);
		if (commits % 20 == 0)
			grove_pin(grove, commits / 20);
	}
	grove_check(grove);
	grove_free(grove);
	free(grove);
}

/* Deltas whose keys do not share a huge prefix would make a leaf that fits in no block and no page. */
static void a_key_beside_a_huge_prefix_splits_its_leaf(void **state)
{
	const struct grove_style style = { .node_bytes = 1024, .key_pad = 60000, .value_max = 8 };
	struct grove *grove = test_alloc(sizeof *grove);

	(void)state;
	grove_init(grove, &style, 1);
	grove_plan(grove);
	for (uint64_t i = 0; i < 20; i++)
		grove_plan_key(grove, i, 8);
	grove_commit(grove);
	for (uint64_t i = 0; i < 10; i++) { /* there is room for all of them as deltas */
		grove_plan(grove);
		grove_plan_key(grove, GROVE_BESIDE + i, 8);
		grove_commit(grove);
		grove_check(grove);
	}
	grove_free(grove);
	free(grove);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_position_holds_what_was_committed),
		cmocka_unit_test(what_is_taken_back_leaves_no_trace),
		cmocka_unit_test(out_of_blocks_anywhere_leaves_no_trace),
		cmocka_unit_test(out_of_memory_at_every_allocation_leaves_no_trace),
		cmocka_unit_test(puts_in_ascending_order_fill_pages),
		cmocka_unit_test(puts_in_ascending_order_fill_pages_of_few_items),
		cmocka_unit_test(puts_in_descending_order_leave_pages_half_full_at_least),
		cmocka_unit_test(removing_everything_leaves_one_empty_root),
		cmocka_unit_test(a_queue_does_not_leave_nodes_behind),
		cmocka_unit_test(a_merged_leaf_has_room_for_its_prefix),
		cmocka_unit_test(the_root_keeps_its_virtual_id),
		cmocka_unit_test(a_commit_without_effect_changes_nothing),
		cmocka_unit_test(the_largest_keys_and_values_fit),
		cmocka_unit_test(a_key_beside_a_huge_prefix_splits_its_leaf),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("apply", tests, NULL, NULL);
}
