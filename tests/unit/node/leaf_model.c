/* Random leaves with their model. */
#include "leaf_model.h"

#include "page_loader.h"

static void *model_take(struct leaf_model *model, size_t size)
{
	void *memory = sopi_arena_take(&model->arena, size);

	assert_non_null(memory);
	return memory;
}

struct leaf_style leaf_style_random(struct test_rng *rng)
{
	struct leaf_style style = {
		.count = test_rng_below(rng, test_rng_once_in(rng, 3) ? 4 : 150),
		.prefix_max = test_rng_once_in(rng, 2) ? 0 : test_rng_below(rng, 40),
		.key_max = 1 + test_rng_below(rng, 20),
		.value_max = test_rng_below(rng, 120),
		.equal_sizes = test_rng_once_in(rng, 3),
		.binary = test_rng_once_in(rng, 3),
		.ride = test_rng_once_in(rng, 3),
		.apart = test_rng_once_in(rng, 3),
		.last_position = 1 + (test_rng_next(rng) >> (2 + test_rng_below(rng, 61))),
	};

	if (test_rng_once_in(rng, 20)) { /* the largest keys */
		style.count = test_rng_below(rng, 4);
		style.prefix_max = test_rng_once_in(rng, 2) ? 65000 : 0;
		style.key_max = 65536 - style.prefix_max;
	}
	return style;
}

static size_t random_size(struct leaf_model *model, size_t most)
{
	return model->style.equal_sizes ? most : test_rng_below(model->rng, most + 1);
}

static uint8_t *random_bytes(struct leaf_model *model, size_t size, bool binary)
{
	uint8_t *bytes = model_take(model, size + 1);

	for (size_t i = 0; i < size; i++) {
		const uint64_t number = test_rng_next(model->rng);

		bytes[i] = binary ? (number & 1 ? 255 : 0) : (uint8_t)number;
	}
	return bytes;
}

sop_bytes leaf_model_random_key(struct leaf_model *model)
{
	const size_t rest = random_size(model, model->style.key_max);
	uint8_t *key = model_take(model, model->prefix_size + rest + 1);

	if (test_rng_once_in(model->rng, 10) && !model->style.equal_sizes) /* beside the prefix */
		return test_bytes(random_bytes(model, rest, model->style.binary), rest);
	memcpy(key, model->prefix, model->prefix_size);
	memcpy(key + model->prefix_size, random_bytes(model, rest, model->style.binary), rest);
	return test_bytes(key, model->prefix_size + rest);
}

static sop_bytes base_key(struct leaf_model *model)
{
	const size_t rest = random_size(model, model->style.key_max);
	uint8_t *key = model_take(model, model->prefix_size + rest + 1);

	memcpy(key, model->prefix, model->prefix_size);
	memcpy(key + model->prefix_size, random_bytes(model, rest, model->style.binary), rest);
	return test_bytes(key, model->prefix_size + rest);
}

static struct sopi_item_view random_item(struct leaf_model *model, sop_bytes key, uint64_t version)
{
	const struct leaf_style *style = &model->style;
	struct sopi_item_view item = { .key = key.data, .key_size = (uint32_t)key.size, .version = version };

	item.value_size = (uint32_t)random_size(model, style->value_max);
	item.value = random_bytes(model, item.value_size, false);
	if (style->ride && (style->equal_sizes || test_rng_once_in(model->rng, 2))) {
		item.ride_size = (uint32_t)random_size(model, 9);
		item.ride = random_bytes(model, item.ride_size, false);
	}
	if (style->apart && (style->equal_sizes || test_rng_once_in(model->rng, 2))) {
		item.apart = model_take(model, sizeof *item.apart);
		memset(item.apart, 0, sizeof *item.apart);
		item.value_size = (uint32_t)test_rng_below(model->rng, (1u << 30) + 1);
		item.apart->size = item.value_size;
		item.apart->version.since = test_rng_next(model->rng); /* its location */
		item.value = item.apart->bytes;
	}
	return item;
}

bool leaf_state_find(const struct leaf_state *state, sop_bytes key, size_t *index)
{
	size_t i = 0;

	while (i < state->count && sopi_item_compare_key(&state->items[i], key.data, key.size) < 0)
		i++;
	*index = i;
	return i < state->count && sopi_item_compare_key(&state->items[i], key.data, key.size) == 0;
}

static void state_put(struct leaf_state *state, const struct sopi_item_view *item)
{
	size_t index;

	assert_true(state->count < MODEL_ITEMS_MAX);
	if (!leaf_state_find(state, test_bytes(item->key, item->key_size), &index)) {
		memmove(&state->items[index + 1], &state->items[index],
			(state->count - index) * sizeof *item);
		state->count++;
	}
	state->items[index] = *item;
}

static bool state_remove(struct leaf_state *state, sop_bytes key)
{
	size_t index;

	if (!leaf_state_find(state, key, &index))
		return false;
	state->count--;
	memmove(&state->items[index], &state->items[index + 1],
		(state->count - index) * sizeof *state->items);
	return true;
}

void leaf_model_init(struct leaf_model *model, struct test_rng *rng, const struct leaf_style *style,
		     size_t spare)
{
	struct leaf_state *base = &model->states[0];
	size_t prefix_size;

	memset(model, 0, sizeof *model);
	model->rng = rng;
	model->style = *style;
	model->prefix_size = test_rng_below(rng, style->prefix_max + 1);
	model->prefix = random_bytes(model, model->prefix_size, false);
	model->state_count = 1;
	for (size_t i = 0; i < style->count; i++) {
		const struct sopi_item_view item = random_item(
			model, base_key(model), 1 + test_rng_below(rng, style->last_position));

		state_put(base, &item);
	}
	prefix_size = base->count > 1
			      ? sopi_item_common_prefix(&base->items[0], &base->items[base->count - 1])
			      : 0;
	prefix_size = test_rng_once_in(rng, 5) ? test_rng_below(rng, prefix_size + 1) : prefix_size;
	model->leaf = page_block_new(sopi_leaf_bytes(base->items, base->count, prefix_size) + spare);
	assert_non_null(model->leaf);
	sopi_leaf_build(model->leaf, base->items, base->count, prefix_size);
	model->leaf->version.since = base->position = style->last_position;
}

void leaf_model_free(struct leaf_model *model)
{
	sopi_arena_free(&model->arena);
	free(model->leaf);
}

bool leaf_model_add_delta(struct leaf_model *model)
{
	const struct leaf_state *old = &model->states[model->state_count - 1];
	const bool there = old->count > 0 && test_rng_once_in(model->rng, 2);
	const struct sopi_item_view *some = &old->items[test_rng_below(model->rng, old->count + 1)];
	const uint64_t position = old->position + 1 + test_rng_below(model->rng, 5);
	struct sopi_slot_place place;
	struct leaf_state *state;
	struct sopi_item_view item;
	sop_bytes key;
	bool remove;

	if (there)
		some = &old->items[test_rng_below(model->rng, old->count)];
	key = there ? test_bytes(some->key, some->key_size) : leaf_model_random_key(model);
	remove = there && test_rng_once_in(model->rng, 2);
	item = random_item(model, key, position);
	place = sopi_leaf_search(model->leaf, key.data, key.size);
	if (!sopi_leaf_append_delta(model->leaf, place, position, key.data, key.size,
				    remove ? NULL : &item))
		return false;
	state = &model->states[model->state_count++];
	*state = *old;
	state->position = position;
	if (remove)
		assert_true(state_remove(state, key));
	else
		state_put(state, &item);
	return true;
}

const struct leaf_state *leaf_model_at(const struct leaf_model *model, uint64_t at)
{
	size_t i = model->state_count;

	while (i > 1 && model->states[i - 1].position > at)
		i--;
	return &model->states[i - 1];
}

void assert_same_item(const struct sopi_item_view *a, const struct sopi_item_view *b)
{
	assert_int_equal(sopi_item_compare(a, b), 0);
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->ride_size, b->ride_size);
	if (a->ride_size != 0)
		assert_memory_equal(a->ride, b->ride, a->ride_size);
	assert_int_equal(a->value_size, b->value_size);
	assert_int_equal(a->apart != NULL, b->apart != NULL);
	if (a->apart != NULL)
		assert_int_equal(a->apart->version.since, b->apart->version.since);
	else if (a->value_size != 0)
		assert_memory_equal(a->value, b->value, a->value_size);
}
