/* Pages on disk: what goes in comes out, one node has one form, and no damage is taken for a
 * page. */
#include "leaf_model.h"
#include "page_loader.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "node/page_layout.h"

#include <stdio.h>

static const struct sopi_page_origin origin = { "blobs/00/1.pack", 4096 };

enum { INNER_SEPARATORS_MAX = 120 };

/* An exact copy, so that a sanitizer sees the first byte beyond. */
static uint8_t *copy_of(const void *data, size_t size)
{
	uint8_t *copy = test_alloc(size != 0 ? size : 1);

	if (size != 0)
		memcpy(copy, data, size);
	return copy;
}

/* Decodes an exact copy of the page, and one of its patch. */
static sop_status decode_both(const void *data, size_t size, const struct sopi_page_id *id,
			      const void *patch_data, size_t patch_size, uint64_t patch_position,
			      struct page_loader *loader, struct sopi_block **block, sop_error *err)
{
	const struct sopi_page_loader port = page_loader_port(loader);
	uint8_t *copy = copy_of(data, size), *patch_copy = copy_of(patch_data, patch_size);
	const struct sopi_page_patch patch = { test_bytes(patch_copy, patch_size), patch_position,
					       origin };
	sop_status status;

	page_loader_reset(loader);
	status = sopi_page_decode(test_bytes(copy, size), id, &origin, &patch, &port, block, err);
	free(copy);
	free(patch_copy);
	return status;
}

static sop_status decode(const void *data, size_t size, const struct sopi_page_id *id,
			 struct page_loader *loader, struct sopi_block **block, sop_error *err)
{
	return decode_both(data, size, id, NULL, 0, 0, loader, block, err);
}

static sop_status verify(const void *data, size_t size, const struct sopi_page_id *id, sop_error *err)
{
	uint8_t *copy = copy_of(data, size);
	const sop_status status = sopi_page_verify(test_bytes(copy, size), id, &origin, err);

	free(copy);
	return status;
}

/* Decodes the page and encodes that again: the bytes must be the same. */
static struct sopi_block *assert_one_form(const sop_buf *page, const struct sopi_page_id *id,
					  struct page_loader *loader)
{
	sop_error err = SOP_ERROR_INIT;
	struct sopi_block *block = NULL;
	sop_buf again = SOP_BUF_INIT;

	TEST_OK(verify(page->data, page->size, id, &err), err);
	TEST_OK(decode(page->data, page->size, id, loader, &block, &err), err);
	assert_true(block->free_at <= block->capacity);
	assert_int_equal(block->version.since, id->position);
	TEST_OK(sopi_page_encode(block, id, SOPI_POSITION_HEAD, &page_locator, &again, &err), err);
	assert_int_equal(again.size, page->size);
	assert_memory_equal(again.data, page->data, page->size);
	sop_buf_free(&again);
	return block;
}

static void drop(struct page_loader *loader, struct sopi_block *block)
{
	page_loader_block_free(loader, block);
	assert_int_equal(loader->blocks, 0);
}

/* Items of a decoded leaf, by slot and by search. */
static void assert_leaf_holds(const struct sopi_block *leaf, const struct leaf_state *state)
{
	assert_int_equal(leaf->version.kind, SOPI_LEAF);
	assert_int_equal(leaf->count, state->count);
	assert_int_equal(leaf->version.items, state->count);
	for (size_t i = 0; i < state->count; i++) {
		const struct sopi_item_view *expected = &state->items[i];
		struct sopi_item_view item;

		sopi_leaf_describe(leaf, i, &item);
		assert_same_item(expected, &item);
		assert_true(sopi_leaf_get(leaf, expected->key, expected->key_size,
					  SOPI_POSITION_HEAD, &item));
		assert_same_item(expected, &item);
	}
}

static void check_leaf_at(struct leaf_model *model, uint64_t at, struct page_loader *loader)
{
	const struct leaf_state *state = leaf_model_at(model, at);
	const struct sopi_page_id id = { test_rng_next(model->rng), test_rng_next(model->rng),
					 state->position + test_rng_below(model->rng, 3), 0 };
	sop_error err = SOP_ERROR_INIT;
	sop_buf page = SOP_BUF_INIT;
	struct sopi_block *decoded;

	TEST_OK(sopi_page_encode(model->leaf, &id, at, &page_locator, &page, &err), err);
	decoded = assert_one_form(&page, &id, loader);
	assert_leaf_holds(decoded, state);
	drop(loader, decoded);
	sop_buf_free(&page);
}

static void a_leaf_comes_back_as_each_position_saw_it(void **state)
{
	const uint64_t cases = test_scaled(1500);
	struct page_loader loader;
	struct leaf_model model;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 0);
	page_loader_init(&loader);
	for (uint64_t i = 0; i < cases; i++) {
		const struct leaf_style style = leaf_style_random(&rng);

		leaf_model_init(&model, &rng, &style, test_rng_below(&rng, 3000));
		while (!test_rng_once_in(&rng, 8) && leaf_model_add_delta(&model)) {
		}
		for (size_t s = 0; s < model.state_count; s++)
			check_leaf_at(&model, model.states[s].position, &loader);
		check_leaf_at(&model, SOPI_POSITION_HEAD, &loader);
		leaf_model_free(&model);
	}
	page_loader_free(&loader);
}

/* ---- patches --------------------------------------------------------------------------------- */

/* A page of a leaf as of one position, and the patch that makes it what it is at a later one. */
struct patched {
	struct sopi_page_id id;
	struct sopi_page_id patch_id;
	sop_buf page;
	sop_buf patch;
};

static void patched_make(struct patched *patched, const struct leaf_model *model, uint64_t from,
			 uint64_t to)
{
	sop_error err = SOP_ERROR_INIT;

	patched->id = (struct sopi_page_id){ 7, 16, from, 0 };
	patched->patch_id = (struct sopi_page_id){ 7, 16, to, from };
	patched->page = patched->patch = (sop_buf)SOP_BUF_INIT;
	TEST_OK(sopi_page_encode(model->leaf, &patched->id, from, &page_locator, &patched->page, &err),
		err);
	TEST_OK(sopi_page_encode(model->leaf, &patched->patch_id, to, &page_locator, &patched->patch, &err),
		err);
}

static void patched_free(struct patched *patched)
{
	sop_buf_free(&patched->page);
	sop_buf_free(&patched->patch);
}

/* Are all keys of one state in another? */
static bool has_lost_nothing(const struct leaf_state *before, const struct leaf_state *after)
{
	size_t index;

	for (size_t i = 0; i < before->count; i++) {
		if (!leaf_state_find(after, test_bytes(before->items[i].key, before->items[i].key_size),
				     &index))
			return false;
	}
	return true;
}

/* What references are told: how many, and their sum. */
struct told {
	uint64_t count;
	uint64_t sum;
};

static sop_status tell(void *arg, bool is_value, uint64_t id, sop_error *err)
{
	struct told *told = arg;

	(void)err;
	assert_true(is_value);
	told->count++;
	told->sum += id;
	return SOP_OK;
}

static struct told told_of(const struct leaf_state *state)
{
	struct told told = { 0, 0 };

	for (size_t i = 0; i < state->count; i++) {
		if (state->items[i].apart == NULL)
			continue;
		told.count++;
		told.sum += page_loader_locate(NULL, state->items[i].apart);
	}
	return told;
}

static void check_references(const struct patched *patched, const struct leaf_state *state)
{
	const struct sopi_page_patch patch = { test_bytes(patched->patch.data, patched->patch.size),
					       patched->patch_id.position, origin };
	const struct told expected = told_of(state);
	struct told told = { 0, 0 };
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_page_references(test_bytes(patched->page.data, patched->page.size),
				     &patched->id, &origin, &patch, tell, &told, &err),
		err);
	assert_int_equal(told.count, expected.count);
	assert_int_equal(told.sum, expected.sum);
}

static void check_join(const struct patched *patched, const struct leaf_state *state,
		       struct page_loader *loader)
{
	struct sopi_block *joined = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(decode_both(patched->page.data, patched->page.size, &patched->id, patched->patch.data,
			    patched->patch.size, patched->patch_id.position, loader, &joined, &err),
		err);
	assert_leaf_holds(joined, state);
	assert_int_equal(joined->version.since, patched->patch_id.position);
	assert_int_equal(loader->value_count, told_of(state).count); /* none is made that is replaced */
	drop(loader, joined);
}

static void a_page_and_its_patch_make_the_leaf(void **state)
{
	const uint64_t cases = test_scaled(1500);
	struct page_loader loader;
	struct leaf_model model;
	struct patched patched;
	struct test_rng rng;
	uint64_t checked = 0;

	(void)state;
	test_rng_init(&rng, test_seed(), 2);
	page_loader_init(&loader);
	for (uint64_t i = 0; i < cases; i++) {
		const struct leaf_style style = leaf_style_random(&rng);

		leaf_model_init(&model, &rng, &style, test_rng_below(&rng, 3000));
		while (!test_rng_once_in(&rng, 8) && leaf_model_add_delta(&model)) {
		}
		for (size_t s = 1; s < model.state_count; s++) {
			const struct leaf_state *from = &model.states[test_rng_below(&rng, s)];
			const struct leaf_state *to = &model.states[s];

			if (from->position == 0 || !has_lost_nothing(from, to))
				continue;
			patched_make(&patched, &model, from->position, to->position);
			check_join(&patched, to, &loader);
			check_references(&patched, to);
			patched_free(&patched);
			checked++;
		}
		leaf_model_free(&model);
	}
	assert_true(checked > cases / 4);
	page_loader_free(&loader);
}

static void a_patch_of_another_page_is_said(void **state)
{
	struct leaf_style style = { .count = 20, .key_max = 8, .value_max = 50, .last_position = 40 };
	struct page_loader loader;
	struct leaf_model model;
	struct patched patched;
	struct test_rng rng;
	struct sopi_block *block = NULL;
	sop_error err = SOP_ERROR_INIT;
	struct sopi_page_id other;

	(void)state;
	test_rng_init(&rng, test_seed(), 3);
	page_loader_init(&loader);
	leaf_model_init(&model, &rng, &style, 3000);
	assert_true(leaf_model_add_delta(&model));
	patched_make(&patched, &model, 40, model.states[1].position);
	other = patched.patch_id;
	other.base = 39;
	TEST_STATUS(decode(patched.patch.data, patched.patch.size, &other, &loader, &block, &err),
		    SOP_CORRUPT, err);
	assert_non_null(strstr(err.message, "patch of position 40 instead of 39"));
	other.base = 0;
	TEST_STATUS(decode(patched.patch.data, patched.patch.size, &other, &loader, &block, &err),
		    SOP_CORRUPT, err);
	other = patched.id;
	other.base = 3;
	TEST_STATUS(decode(patched.page.data, patched.page.size, &other, &loader, &block, &err),
		    SOP_CORRUPT, err);
	patched_free(&patched);
	leaf_model_free(&model);
	page_loader_free(&loader);
}

/* Of `count` equal items of which `newer` have changed: does a patch pay? */
static bool patch_pays(size_t count, size_t newer)
{
	struct sopi_item_view items[200];
	uint8_t keys[200];
	struct sopi_block *leaf;
	bool pays;

	memset(items, 0, sizeof items);
	for (size_t i = 0; i < count; i++) {
		keys[i] = (uint8_t)i;
		items[i].key = &keys[i];
		items[i].key_size = 1;
		items[i].version = i < newer ? 8 : 7;
	}
	leaf = page_block_new(sopi_leaf_bytes(items, count, 0));
	sopi_leaf_build(leaf, items, count, 0);
	pays = sopi_page_patch_pays(leaf, 7, SOPI_POSITION_HEAD);
	free(leaf);
	return pays;
}

/* A patch pays as long as its bytes, once for each of its items, are no more than those of two pages, and half of the page
 * at most. */
static void a_patch_pays_while_a_page_costs_more(void **state)
{
	static const struct {
		size_t count, most;
	} cases[] = { { 2, 1 }, { 7, 3 }, { 8, 4 }, { 15, 5 }, { 31, 7 }, { 32, 8 }, { 200, 20 } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t newer = 0; newer <= cases[i].count; newer++)
			assert_int_equal(patch_pays(cases[i].count, newer),
					 newer >= 1 && newer <= cases[i].most);
	}
}

/* ---- inner pages ----------------------------------------------------------------------------- */

struct inner_model {
	struct sopi_separator separators[INNER_SEPARATORS_MAX];
	struct sopi_vnode vnodes[INNER_SEPARATORS_MAX + 1];
	size_t count;
	struct sopi_block *inner;
};

/* An inner page whose separators are the keys of a random leaf. */
static void inner_model_init(struct inner_model *inner, struct leaf_model *leaf, struct test_rng *rng)
{
	const struct leaf_state *keys = &leaf->states[0];
	size_t prefix_size;

	memset(inner, 0, sizeof *inner);
	inner->count = keys->count < INNER_SEPARATORS_MAX ? keys->count : INNER_SEPARATORS_MAX;
	inner->vnodes[0].vid = 1 + (test_rng_next(rng) >> 1);
	for (size_t i = 0; i < inner->count; i++) {
		inner->vnodes[i + 1].vid = 1 + (test_rng_next(rng) >> 1);
		inner->separators[i] = (struct sopi_separator){ .key = keys->items[i].key,
								.key_size = keys->items[i].key_size,
								.child = &inner->vnodes[i + 1] };
	}
	prefix_size = sopi_separators_common_prefix(inner->separators, inner->count);
	inner->inner = page_block_new(sopi_inner_bytes(inner->separators, inner->count, prefix_size));
	sopi_inner_build(inner->inner, &inner->vnodes[0], inner->separators, inner->count, prefix_size);
}

static void assert_inner_holds(const struct sopi_block *block, const struct inner_model *inner)
{
	assert_int_equal(block->version.kind, SOPI_INNER);
	assert_int_equal(block->count, inner->count);
	assert_int_equal(sopi_inner_children(block)[0]->vid, inner->vnodes[0].vid);
	for (size_t i = 0; i < inner->count; i++) {
		const struct sopi_separator *separator = &inner->separators[i];

		assert_int_equal(sopi_inner_search(block, separator->key, separator->key_size), i + 1);
		assert_int_equal(sopi_inner_children(block)[i + 1]->vid, separator->child->vid);
	}
}

static void an_inner_page_comes_back_with_its_children(void **state)
{
	const uint64_t cases = test_scaled(1500);
	struct page_loader loader;
	struct leaf_model leaf;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 1);
	page_loader_init(&loader);
	for (uint64_t i = 0; i < cases; i++) {
		const struct leaf_style style = leaf_style_random(&rng);
		const struct sopi_page_id id = { ~test_rng_next(&rng) >> 1 | (uint64_t)1 << 63,
						 16 + i, i, 0 };
		sop_error err = SOP_ERROR_INIT;
		sop_buf page = SOP_BUF_INIT;
		struct inner_model inner;
		struct sopi_block *decoded;

		leaf_model_init(&leaf, &rng, &style, 0);
		inner_model_init(&inner, &leaf, &rng);
		TEST_OK(sopi_page_encode(inner.inner, &id, 7, NULL, &page, &err), err);
		decoded = assert_one_form(&page, &id, &loader);
		assert_inner_holds(decoded, &inner);
		drop(&loader, decoded);
		sop_buf_free(&page);
		free(inner.inner);
		leaf_model_free(&leaf);
	}
	page_loader_free(&loader);
}

static void an_inner_page_with_a_patch_is_refused(void **state)
{
	struct leaf_style style = { .count = 20, .key_max = 8, .value_max = 20, .last_position = 40 };
	sop_buf page = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;
	struct sopi_page_patch patch;
	struct inner_model inner;
	struct leaf_model model;
	struct patched patched;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 5);
	leaf_model_init(&model, &rng, &style, 3000);
	assert_true(leaf_model_add_delta(&model));
	patched_make(&patched, &model, 40, model.states[1].position);
	inner_model_init(&inner, &model, &rng);
	TEST_OK(sopi_page_encode(inner.inner, &patched.id, 0, NULL, &page, &err), err);
	patch = (struct sopi_page_patch){ test_bytes(patched.patch.data, patched.patch.size),
					  patched.patch_id.position, origin };
	TEST_STATUS(sopi_page_references(test_bytes(page.data, page.size), &patched.id, &origin,
					 &patch, tell, NULL, &err),
		    SOP_CORRUPT, err);
	assert_non_null(strstr(err.message, "has a patch"));
	sop_buf_free(&page);
	free(inner.inner);
	patched_free(&patched);
	leaf_model_free(&model);
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* One page of each kind, small enough to be damaged at every byte. */
struct sample {
	struct sopi_page_id id;
	sop_buf page;
};

enum { SAMPLES = 24 };

static void sample_make(struct sample *sample, struct test_rng *rng, size_t number)
{
	struct leaf_style style = leaf_style_random(rng);
	sop_error err = SOP_ERROR_INIT;
	struct inner_model inner;
	struct leaf_model leaf;

	style.count = number / 2;
	style.prefix_max = 3;
	style.key_max = 1 + number % 5;
	style.value_max = 20;
	leaf_model_init(&leaf, rng, &style, 400);
	sample->id = (struct sopi_page_id){ (uint64_t)1 << 63 | number, 16 + number,
					    style.last_position, 0 };
	sample->id.base = number % 4 == 0 ? style.last_position / 2 : 0; /* a patch */
	sample->page = (sop_buf)SOP_BUF_INIT;
	if (number % 2 == 0) {
		TEST_OK(sopi_page_encode(leaf.leaf, &sample->id, SOPI_POSITION_HEAD, &page_locator,
					 &sample->page, &err),
			err);
	} else {
		inner_model_init(&inner, &leaf, rng);
		TEST_OK(sopi_page_encode(inner.inner, &sample->id, 0, NULL, &sample->page, &err), err);
		free(inner.inner);
	}
	leaf_model_free(&leaf);
}

static void assert_refused(const void *data, size_t size, const struct sample *sample,
			   struct page_loader *loader)
{
	sop_error err = SOP_ERROR_INIT;
	struct sopi_block *block = NULL;
	const sop_status status = decode(data, size, &sample->id, loader, &block, &err);

	assert_true(status == SOP_CORRUPT || status == SOP_UNSUPPORTED);
	assert_string_equal(err.file, origin.file);
	assert_true(err.offset >= origin.offset && err.offset <= origin.offset + (int64_t)size);
	assert_true(strlen(err.message) > 0);
	assert_null(block);
	assert_int_equal(loader->blocks, 0);
	assert_int_equal(verify(data, size, &sample->id, &err), status);
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct page_loader loader;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 2);
	page_loader_init(&loader);
	for (size_t n = 0; n < SAMPLES; n++) {
		struct sample sample;

		sample_make(&sample, &rng, n);
		for (size_t i = 0; i < sample.page.size; i++) {
			for (unsigned bit = 0; bit < 8; bit++) {
				((uint8_t *)sample.page.data)[i] ^= (uint8_t)(1u << bit);
				assert_refused(sample.page.data, sample.page.size, &sample, &loader);
				((uint8_t *)sample.page.data)[i] ^= (uint8_t)(1u << bit);
			}
		}
		sop_buf_free(&sample.page);
	}
	page_loader_free(&loader);
}

static void every_other_length_is_noticed(void **state)
{
	const uint8_t more[64] = { 0 };
	struct page_loader loader;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 3);
	page_loader_init(&loader);
	for (size_t n = 0; n < SAMPLES; n++) {
		struct sample sample;
		size_t size;

		sample_make(&sample, &rng, n);
		size = sample.page.size;
		for (size_t cut = 0; cut < size; cut++)
			assert_refused(sample.page.data, cut, &sample, &loader);
		assert_int_equal(sopi_buf_append(&sample.page, more, sizeof more, NULL), SOP_OK);
		for (size_t longer = size + 1; longer <= sample.page.size; longer++)
			assert_refused(sample.page.data, longer, &sample, &loader);
		sop_buf_free(&sample.page);
	}
	page_loader_free(&loader);
}

/* A right checksum around a shorter page: the body ends too soon. */
static void every_truncation_with_a_right_checksum_is_noticed(void **state)
{
	struct page_loader loader;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 4);
	page_loader_init(&loader);
	for (size_t n = 0; n < SAMPLES; n++) {
		struct sample sample;

		sample_make(&sample, &rng, n);
		for (size_t cut = SOPI_PAGE_HEAD_BYTES; cut < sample.page.size; cut++) {
			uint8_t *copy = copy_of(sample.page.data, cut);

			page_seal(copy, cut);
			assert_refused(copy, cut, &sample, &loader);
			free(copy);
		}
		sop_buf_free(&sample.page);
	}
	page_loader_free(&loader);
}

/* Whatever a forger writes is refused, or is the one form of what it decodes to. */
static void a_forged_body_is_refused_or_has_the_one_form(void **state)
{
	const uint64_t rounds = test_scaled(3000);
	struct page_loader loader;
	struct test_rng rng;
	uint64_t taken = 0;

	(void)state;
	test_rng_init(&rng, test_seed(), 5);
	page_loader_init(&loader);
	for (size_t n = 0; n < SAMPLES; n++) {
		struct sample sample;

		sample_make(&sample, &rng, n);
		for (uint64_t round = 0; round < rounds; round++) {
			uint8_t *copy = copy_of(sample.page.data, sample.page.size);
			sop_buf forged = { copy, sample.page.size, sample.page.size, NULL };
			sop_error err = SOP_ERROR_INIT;

			for (uint64_t k = 1 + test_rng_below(&rng, 3); k > 0; k--)
				copy[test_rng_below(&rng, forged.size)] = (uint8_t)test_rng_next(&rng);
			memcpy(copy + PAGE_AT_VID, (uint8_t *)sample.page.data + PAGE_AT_VID, 16);
			page_seal(copy, forged.size);
			if (verify(copy, forged.size, &sample.id, &err) == SOP_OK) {
				drop(&loader, assert_one_form(&forged, &sample.id, &loader));
				taken++;
			} else {
				assert_refused(copy, forged.size, &sample, &loader);
			}
			free(copy);
		}
		sop_buf_free(&sample.page);
	}
	assert_true(taken > 0);
	assert_true(loader.largest <= 4096); /* never more than the bytes of a page can fill */
	page_loader_free(&loader);
}

static void another_node_store_or_position_is_said(void **state)
{
	struct test_rng rng;
	struct sample sample;
	sop_error err = SOP_ERROR_INIT;
	struct sopi_page_id other;

	(void)state;
	test_rng_init(&rng, test_seed(), 6);
	sample_make(&sample, &rng, 6);
	TEST_OK(verify(sample.page.data, sample.page.size, &sample.id, &err), err);
	TEST_OK(verify(sample.page.data, sample.page.size, NULL, &err), err);
	other = sample.id;
	other.vid++;
	TEST_STATUS(verify(sample.page.data, sample.page.size, &other, &err), SOP_CORRUPT, err);
	assert_non_null(strstr(err.message, "misdirected: the page of node"));
	assert_int_equal(err.offset, origin.offset + PAGE_AT_VID);
	other = sample.id;
	other.store++;
	TEST_STATUS(verify(sample.page.data, sample.page.size, &other, &err), SOP_CORRUPT, err);
	assert_non_null(strstr(err.message, "store 22 instead of 23"));
	other = sample.id;
	other.position++;
	TEST_STATUS(verify(sample.page.data, sample.page.size, &other, &err), SOP_CORRUPT, err);
	assert_non_null(strstr(err.message, "stale"));
	other.position -= 2;
	TEST_STATUS(verify(sample.page.data, sample.page.size, &other, &err), SOP_CORRUPT, err);
	assert_null(strstr(err.message, "stale"));
	sop_buf_free(&sample.page);
}

static void another_format_is_refused_by_name(void **state)
{
	struct test_rng rng;
	struct sample sample;
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	test_rng_init(&rng, test_seed(), 7);
	sample_make(&sample, &rng, 6);
	((uint8_t *)sample.page.data)[PAGE_AT_FORMAT] = 2;
	page_seal(sample.page.data, sample.page.size);
	TEST_STATUS(verify(sample.page.data, sample.page.size, &sample.id, &err), SOP_UNSUPPORTED, err);
	assert_non_null(strstr(err.message, "format 2"));
	sop_buf_free(&sample.page);
}

static void without_a_place_no_offset_is_said(void **state)
{
	const struct sopi_page_origin nowhere = { "", -1 };
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	TEST_STATUS(sopi_page_verify(test_bytes("SOPn", 4), NULL, &nowhere, &err), SOP_CORRUPT, err);
	assert_int_equal(err.offset, -1);
	assert_string_equal(err.file, "");
	TEST_STATUS(sopi_page_verify(test_bytes(NULL, 0), NULL, &nowhere, &err), SOP_CORRUPT, err);
}

/* ---- crafted pages --------------------------------------------------------------------------- */

struct craft {
	uint8_t bytes[256];
	size_t size;
};

/* A page of node 9 in store 5 at position 100 with this behind its head. */
static struct craft craft(uint8_t type, uint8_t flags, const char *body, size_t size)
{
	struct craft page = { { 0 }, SOPI_PAGE_HEAD_BYTES + size };

	memcpy(page.bytes, PAGE_MAGIC, 4);
	page.bytes[PAGE_AT_FORMAT] = SOPI_PAGE_FORMAT;
	page.bytes[PAGE_AT_TYPE] = type;
	page.bytes[PAGE_AT_FLAGS] = flags;
	sopi_store_u64le(page.bytes + PAGE_AT_VID, 9);
	sopi_store_u64le(page.bytes + PAGE_AT_POSITION, 100);
	memcpy(page.bytes + SOPI_PAGE_HEAD_BYTES, body, size);
	page_seal(page.bytes, page.size);
	return page;
}

#define CRAFT_STATUS(expected, type, flags, body)                                                  \
	do {                                                                                       \
		const struct craft crafted = craft(type, flags, body, sizeof(body) - 1);           \
		sop_error crafted_err = SOP_ERROR_INIT;                                            \
		TEST_STATUS(verify(crafted.bytes, crafted.size, NULL, &crafted_err), expected,     \
			    crafted_err);                                                          \
	} while (0)

#define VID(n) n "\0\0\0\0\0\0\0"

static void hostile_leaves_are_refused(void **state)
{
	(void)state;
	/* store, count, prefix size, [prefix], sizes said once, entries */
	CRAFT_STATUS(SOP_OK, SOPI_LEAF, 0, "\5\0\0");
	CRAFT_STATUS(SOP_OK, SOPI_LEAF, 15, "\5\1\0\1\0\1\0kv");
	CRAFT_STATUS(SOP_OK, SOPI_LEAF, 15, "\5\2\0\1\0\1\0kvlw");
	CRAFT_STATUS(SOP_OK, SOPI_LEAF, 31, "\5\1\0\1\0\3\0k12345678");
	CRAFT_STATUS(SOP_OK, SOPI_LEAF, 14, "\5\2\0\0\0\0\0\1k"); /* the empty key */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 0, "\5\0\1k"); /* a prefix of nothing */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 0, "\5\0\0x"); /* goes on */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 1, "\5\0\0\0"); /* a size of nothing */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 15, "\5\2\0\1\0\1\0lwkv"); /* descending */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 15, "\5\2\0\1\0\1\0kvkw"); /* twice */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 15, "\5\2\0\2\0\0\0kvkw"); /* a prefix not cut off */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 14, "\5\2\0\0\0\0\1k\1l"); /* sizes that are equal */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 15, "\5\1\0\1\0\1\144kv"); /* version 0 */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 15, "\5\1\0\1\0\1\177kv"); /* before that */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 31, "\5\1\0\1\0\2\0kv"); /* apart, but none is */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 31, "\5\1\0\1\0\3\0k1234567"); /* half a location */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 31, "\5\1\0\1\0\203\200\200\200\10\0k12345678"); /* beyond 1 GiB */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 15,
		     "\5\1\0\377\377\377\377\377\377\377\377\377\1\0\1\0kv"); /* 2^64 - 1 */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 15, "\5\1\0\1\377\377\377\377\377\377\377\377\377\1\1\0kv");
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 15, "\5\1\0\1\0\377\377\377\377\377\377\377\377\377\1\0kv");
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 15, "\5\201\200\1\0\1\0\1\0kv"); /* too many */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 15, "\5\377\377\377\377\377\377\377\377\377\1\0\1\0\1\0kv");
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 15, "\5\2\377\377\377\377\17\1\0\1\0kv"); /* prefix */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 15, "\205\0\1\0\1\0\1\0kv"); /* a longer form */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 32, "\5\0\0"); /* an unknown flag */
	CRAFT_STATUS(SOP_CORRUPT, 0, 0, "\5\0\0"); /* an unknown type */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_DEAD, 0, "\5\0\0");
	CRAFT_STATUS(SOP_CORRUPT, SOPI_LEAF, 0, "");
}

static void hostile_inner_pages_are_refused(void **state)
{
	(void)state;
	/* store, count, prefix size, [prefix], [size said once], first child, entries */
	CRAFT_STATUS(SOP_OK, SOPI_INNER, 0, "\5\0\0" VID("\7"));
	CRAFT_STATUS(SOP_OK, SOPI_INNER, 1, "\5\1\0\1" VID("\7") "k" VID("\10"));
	CRAFT_STATUS(SOP_OK, SOPI_INNER, 0, "\5\2\1p" VID("\7") "\0" VID("\10") "\1k" VID("\12"));
	CRAFT_STATUS(SOP_CORRUPT, SOPI_INNER, 0, "\5\0\0"); /* no child */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_INNER, 0, "\5\0\0" VID("\0")); /* no such child */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_INNER, 0, "\5\0\0" VID("\11")); /* its own child */
	CRAFT_STATUS(SOP_CORRUPT, SOPI_INNER, 1, "\5\1\0\1" VID("\7") "k" VID("\11"));
	CRAFT_STATUS(SOP_CORRUPT, SOPI_INNER, 1, "\5\1\0\1" VID("\7") "k1234567");
	CRAFT_STATUS(SOP_CORRUPT, SOPI_INNER, 0, "\5\1\0" VID("\7") "\1k" VID("\10"));
	CRAFT_STATUS(SOP_CORRUPT, SOPI_INNER, 3, "\5\1\0\1\0" VID("\7") "k" VID("\10"));
	CRAFT_STATUS(SOP_CORRUPT, SOPI_INNER, 1,
		     "\5\2\0\1" VID("\7") "l" VID("\10") "k" VID("\12")); /* descending */
}

/* As many items as a block has slots, with keys of 2 bytes and values of `value_size` zeros. */
static sop_status verify_full(uint8_t value_size, sop_error *err)
{
	const char sizes[] = { 5, '\200', '\200', 1, 0, 2, 0, (char)value_size, 0 };
	const struct craft head = craft(SOPI_LEAF, 15, sizes, sizeof sizes);
	sop_buf page = SOP_BUF_INIT;
	sop_status status;

	assert_int_equal(sopi_buf_append(&page, head.bytes, head.size, NULL), SOP_OK);
	for (unsigned i = 0; i < SOPI_SLOTS_MAX; i++) {
		uint8_t item[256] = { (uint8_t)(i >> 8), (uint8_t)i };

		assert_int_equal(sopi_buf_append(&page, item, 2 + (size_t)value_size, NULL), SOP_OK);
	}
	page_seal(page.data, page.size);
	status = verify(page.data, page.size, NULL, err);
	sop_buf_free(&page);
	return status;
}

static void a_page_that_would_outgrow_a_block_is_refused(void **state)
{
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	TEST_OK(verify_full(0, &err), err);
	TEST_STATUS(verify_full(8, &err), SOP_CORRUPT, err);
	assert_non_null(strstr(err.message, "more than a node may"));
}

/* ---- the callers' side ----------------------------------------------------------------------- */

static void a_refusal_of_the_loader_ends_it_without_a_trace(void **state)
{
	struct page_loader loader;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 8);
	page_loader_init(&loader);
	for (size_t n = 1; n < SAMPLES; n += 2) { /* inner pages: n / 2 separators */
		struct sample sample;

		sample_make(&sample, &rng, n);
		for (loader.refuse_after = 0;; loader.refuse_after++) {
			sop_error err = SOP_ERROR_INIT;
			struct sopi_block *block = NULL;
			const sop_status status = decode(sample.page.data, sample.page.size,
							 &sample.id, &loader, &block, &err);

			if (status == SOP_OK) {
				assert_true(loader.refuse_after > block->count);
				drop(&loader, block);
				break;
			}
			assert_int_equal(status, loader.refuse_after == 0 ? SOP_NO_MEMORY : SOP_CORRUPT);
			assert_null(block);
			assert_int_equal(loader.blocks, 0);
		}
		sop_buf_free(&sample.page);
	}
	page_loader_free(&loader);
}

static void a_page_is_appended_or_nothing_is(void **state)
{
	struct leaf_style style = { .count = 100, .key_max = 16, .value_max = 100, .last_position = 50 };
	const struct sopi_page_id id = { 3, 16, 50, 0 };
	sop_error err = SOP_ERROR_INIT;
	sop_buf out = SOP_BUF_INIT;
	struct leaf_model model;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 9);
	leaf_model_init(&model, &rng, &style, 0);
	assert_int_equal(sopi_buf_append(&out, "before", 6, NULL), SOP_OK);
	sopi_alloc_fail_after(0, false);
	TEST_STATUS(sopi_page_encode(model.leaf, &id, 50, &page_locator, &out, &err), SOP_NO_MEMORY, err);
	sopi_alloc_fail_after(-1, false);
	assert_int_equal(out.size, 6);
	TEST_OK(sopi_page_encode(model.leaf, &id, 50, &page_locator, &out, &err), err);
	assert_memory_equal(out.data, "before", 6);
	TEST_OK(verify((uint8_t *)out.data + 6, out.size - 6, &id, &err), err);
	sop_buf_free(&out);
	leaf_model_free(&model);
}

/* A delta that does not share a huge prefix takes it away from all other items. */
static void a_leaf_beyond_a_block_is_said_to_be_so(void **state)
{
	static uint8_t key[60000];
	const struct sopi_page_id id = { 3, 16, 50, 0 };
	struct sopi_item_view items[20];
	sop_error err = SOP_ERROR_INIT;
	sop_buf out = SOP_BUF_INIT;
	struct sopi_block *leaf;
	uint8_t tails[20];

	(void)state;
	memset(key, 7, sizeof key);
	for (uint8_t i = 0; i < 20; i++) {
		tails[i] = i;
		items[i] = (struct sopi_item_view){ .prefix = key,
						    .prefix_size = sizeof key,
						    .key = &tails[i],
						    .key_size = 1,
						    .version = 1 };
	}
	leaf = page_block_new(sopi_leaf_bytes(items, 20, sizeof key) + 100);
	sopi_leaf_build(leaf, items, 20, sizeof key);
	TEST_OK(sopi_page_encode(leaf, &id, 50, NULL, &out, &err), err);
	assert_true(out.size < 61000);
	items[0] = (struct sopi_item_view){ .version = 2 };
	assert_true(sopi_leaf_append_delta(leaf, sopi_leaf_search(leaf, tails, 0), 2, tails, 0,
					   &items[0]));
	TEST_STATUS(sopi_page_encode(leaf, &id, 50, NULL, &out, &err), SOP_LIMIT, err);
	assert_true(out.size < 61000);
	sop_buf_free(&out);
	free(leaf);
}

/* ---- size ------------------------------------------------------------------------------------ */

enum { KEYS_MAX = 32 };

/* Bytes per item of a leaf with `count` items of 16-byte keys and 100-byte values, written by the
 * last `commits`. */
static double bytes_per_item(struct test_rng *rng, uint8_t keys[][17], size_t count, uint64_t commits)
{
	const struct sopi_page_id id = { ((uint64_t)1 << 40) + 70000, 16, 1000000, 0 };
	struct sopi_item_view items[KEYS_MAX];
	static uint8_t value[100];
	sop_buf page = SOP_BUF_INIT;
	struct sopi_block *leaf;
	size_t prefix_size;
	double bytes;

	for (size_t i = 0; i < count; i++) {
		items[i] = (struct sopi_item_view){ .key = keys[i],
						    .key_size = 16,
						    .value = value,
						    .value_size = sizeof value,
						    .version = id.position -
							       test_rng_below(rng, commits) };
	}
	prefix_size = sopi_item_common_prefix(&items[0], &items[count - 1]);
	leaf = page_block_new(sopi_leaf_bytes(items, count, prefix_size));
	sopi_leaf_build(leaf, items, count, prefix_size);
	assert_int_equal(sopi_page_encode(leaf, &id, id.position, NULL, &page, NULL), SOP_OK);
	bytes = (double)page.size / (double)count;
	sop_buf_free(&page);
	free(leaf);
	return bytes;
}

/* A million records of which a leaf holds neighbours: 28 where they came in order, 20 where they
 * did not. */
static void an_item_of_116_bytes_takes_at_most_119(void **state)
{
	double in_order, random_keys, updated;
	uint8_t keys[KEYS_MAX][17];
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 10);
	for (unsigned i = 0; i < KEYS_MAX; i++)
		snprintf((char *)keys[i], sizeof keys[i], "user%012u", 345670 + i);
	in_order = bytes_per_item(&rng, keys, 28, 1);
	updated = bytes_per_item(&rng, keys, 20, 900000);
	for (unsigned i = 0; i < KEYS_MAX; i++) { /* random bytes behind the first 20 bits */
		sopi_store_u64be(keys[i], ((uint64_t)(345670 + i) << 44) | test_rng_next(&rng) >> 20);
		sopi_store_u64be(keys[i] + 8, test_rng_next(&rng));
	}
	random_keys = bytes_per_item(&rng, keys, 20, 1000);
	print_message("bytes per item of 16 + 100: in order %.1f, each updated since %.1f, "
		      "random keys of a thousand commits %.1f\n",
		      in_order, updated, random_keys);
	assert_true(in_order <= 119 && updated <= 119 && random_keys <= 119);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leaf_comes_back_as_each_position_saw_it),
		cmocka_unit_test(a_page_and_its_patch_make_the_leaf),
		cmocka_unit_test(a_patch_of_another_page_is_said),
		cmocka_unit_test(a_patch_pays_while_a_page_costs_more),
		cmocka_unit_test(an_inner_page_comes_back_with_its_children),
		cmocka_unit_test(an_inner_page_with_a_patch_is_refused),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(every_other_length_is_noticed),
		cmocka_unit_test(every_truncation_with_a_right_checksum_is_noticed),
		cmocka_unit_test(a_forged_body_is_refused_or_has_the_one_form),
		cmocka_unit_test(another_node_store_or_position_is_said),
		cmocka_unit_test(another_format_is_refused_by_name),
		cmocka_unit_test(without_a_place_no_offset_is_said),
		cmocka_unit_test(hostile_leaves_are_refused),
		cmocka_unit_test(hostile_inner_pages_are_refused),
		cmocka_unit_test(a_page_that_would_outgrow_a_block_is_refused),
		cmocka_unit_test(a_refusal_of_the_loader_ends_it_without_a_trace),
		cmocka_unit_test(a_page_is_appended_or_nothing_is),
		cmocka_unit_test(a_leaf_beyond_a_block_is_said_to_be_so),
		cmocka_unit_test(an_item_of_116_bytes_takes_at_most_119),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
