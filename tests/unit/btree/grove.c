/* A tree beside sorted arrays. */
#include "grove.h"

#include "base/alloc.h"
#include "node/page.h"

#include <stdlib.h>

static void dispose(void *owner, struct sopi_version *version)
{
	sopi_forest_dispose(owner, version);
}

void grove_init(struct grove *grove, const struct grove_style *style, uint64_t seed)
{
	sop_error err = SOP_ERROR_INIT;

	memset(grove, 0, sizeof *grove);
	grove->style = *style;
	test_rng_init(&grove->rng, seed, 0);
	grove->position = 1;
	TEST_OK(sopi_forest_init(&grove->forest, dispose, &grove->forest, &err), err);
	TEST_OK(sopi_tree_init(&grove->tree, &grove->forest, 16, style->node_bytes,
			       style->node_items, grove->position, &err),
		err);
	for (size_t i = 0; i < GROVE_PINS; i++)
		TEST_OK(sopi_slot_take(&grove->forest.reclaim, grove, &grove->slots[i], &err), err);
}

void grove_free(struct grove *grove)
{
	sopi_reclaim_destroy(&grove->forest.reclaim);
	sopi_tree_destroy(&grove->tree);
	assert_int_equal(atomic_load(&grove->forest.node_count), 0);
	assert_int_equal(atomic_load(&grove->forest.value_bytes), 0);
	sopi_reclaim_free_slots(&grove->forest.reclaim);
	sopi_forest_destroy(&grove->forest);
	sopi_arena_free(&grove->arena);
	for (size_t i = 0; i < GROVE_PINS; i++)
		free(grove->pins[i].entries);
	free(grove->head.entries);
}

static void *take(struct grove *grove, size_t size)
{
	void *memory = sopi_arena_take(&grove->arena, size);

	assert_non_null(memory);
	return memory;
}

/* ---- changes --------------------------------------------------------------------------------- */

void grove_plan(struct grove *grove)
{
	grove->change_count = 0;
	grove->hints_at = 0;
}

/* The key of a number: the same bytes before it for all, its own behind it. */
static size_t make_key(const struct grove *grove, uint64_t number, uint8_t *key)
{
	const size_t pad = number < GROVE_BESIDE ? grove->style.key_pad : 0;
	const size_t tail = grove->style.key_tail == 0 ? 0 : number * 7919 % (grove->style.key_tail + 1);

	memset(key, 'p', pad);
	sopi_store_u64be(key + pad, number);
	memset(key + pad + 8, (int)(number % 251), tail);
	return pad + 8 + tail;
}

static struct sopi_value *make_apart(struct grove *grove, uint32_t size)
{
	struct sopi_value *value;
	void *memory = NULL;
	void *bytes = NULL;

	assert_int_equal(sopi_alloc(size, &bytes, NULL), SOP_OK);
	assert_int_equal(sopi_alloc_zeroed(sizeof *value, &memory, NULL), SOP_OK);
	value = memory;
	value->version.kind = SOPI_VALUE;
	value->bytes = bytes;
	value->size = size;
	atomic_fetch_add(&grove->forest.value_bytes, sopi_version_bytes(&value->version));
	return value;
}

void grove_plan_key(struct grove *grove, uint64_t number, int64_t value_size)
{
	const uint32_t size = value_size < 0 ? 0 : (uint32_t)value_size;
	const size_t key_room = grove->style.key_pad + 8 + grove->style.key_tail;
	struct sopi_operation *operation = take(grove, sizeof *operation + key_room + size);
	uint8_t *value;

	memset(operation, 0, sizeof *operation);
	operation->kind = value_size < 0 ? SOPI_OP_REMOVE : SOPI_OP_PUT;
	operation->key_size = (uint32_t)make_key(grove, number, operation->bytes);
	operation->value_size = size;
	value = operation->bytes + operation->key_size;
	if (value_size > 0 && grove->style.apart && test_rng_once_in(&grove->rng, 3)) {
		operation->apart = make_apart(grove, size);
		value = operation->apart->bytes;
	}
	for (uint32_t i = 0; i < size; i++)
		value[i] = (uint8_t)(number + grove->position + i);
	assert_true(grove->change_count < GROVE_CHANGES_MAX);
	grove->changes[grove->change_count++] = (struct sopi_change){ operation, NULL };
}

void grove_plan_random(struct grove *grove, size_t count, uint64_t stretch)
{
	const uint64_t space = grove->style.key_space;
	const uint64_t first = stretch < space ? test_rng_below(&grove->rng, space - stretch + 1) : 0;
	const uint64_t puts = test_rng_below(&grove->rng, 11); /* of ten: growing, shrinking, and between */

	for (size_t i = 0; i < count; i++) {
		const uint64_t number =
			first + test_rng_below(&grove->rng, stretch < space ? stretch : space);
		const bool put = test_rng_below(&grove->rng, 10) < puts;

		grove_plan_key(grove, number,
			       put ? (int64_t)test_rng_below(&grove->rng, grove->style.value_max + 1)
				   : GROVE_REMOVE);
	}
}

static int compare_operations(const struct sopi_operation *a, const struct sopi_operation *b)
{
	return sopi_bytes_compare(a->bytes, a->key_size, b->bytes, b->key_size);
}

static int compare_changes(const void *a, const void *b)
{
	return compare_operations(((const struct sopi_change *)a)->newest,
				  ((const struct sopi_change *)b)->newest);
}

static void disown(struct grove *grove, const struct sopi_operation *operation)
{
	if (operation->apart == NULL)
		return;
	sopi_value_free(&grove->forest, operation->apart);
}

void grove_plan_end(struct grove *grove)
{
	const struct grove_state *pin = &grove->pins[test_rng_below(&grove->rng, GROVE_PINS)];
	size_t count = 0;

	if (grove->change_count > 1)
		qsort(grove->changes, grove->change_count, sizeof *grove->changes, compare_changes);
	for (size_t i = 0; i < grove->change_count; i++) {
		if (count > 0 && compare_changes(&grove->changes[count - 1], &grove->changes[i]) == 0)
			disown(grove, grove->changes[i].newest);
		else
			grove->changes[count++] = grove->changes[i];
	}
	grove->change_count = count;
	if (test_rng_once_in(&grove->rng, 3))
		return; /* no hints */
	grove->hints_at = pin->entries != NULL && test_rng_once_in(&grove->rng, 2) ? pin->position
										   : grove->position;
	assert_int_equal(sopi_tree_find_leaves(&grove->tree, grove->changes, count, grove->hints_at, NULL),
			 SOP_OK);
}

sop_status grove_apply(struct grove *grove, size_t count, struct sopi_apply *apply, sop_error *err)
{
	sopi_apply_begin(apply, &grove->forest, grove->position + 1, grove->hints_at);
	return sopi_apply_changes(apply, &grove->tree, grove->changes, count, err);
}

void grove_undo(struct grove *grove, struct sopi_apply *apply)
{
	sopi_apply_undo(apply);
	sopi_arena_reset(&grove->forest.scratch.arena);
}

/* ---- the model ------------------------------------------------------------------------------- */

static struct grove_entry entry_of(const struct grove *grove, const struct sopi_operation *operation)
{
	return (struct grove_entry){
		.key = operation->bytes,
		.key_size = operation->key_size,
		.value = operation->apart != NULL ? operation->apart->bytes
						  : operation->bytes + operation->key_size,
		.value_size = operation->value_size,
		.version = grove->position,
	};
}

/* Merges the changes into the newest state. Values that are kept apart are copied: the tree frees
 * its own. */
static void model_commit(struct grove *grove)
{
	struct grove_state *head = &grove->head;
	struct grove_entry *merged = test_alloc((head->count + grove->change_count + 1) * sizeof *merged);
	size_t old = 0, count = 0;

	for (size_t i = 0; i < grove->change_count; i++) {
		const struct sopi_operation *operation = grove->changes[i].newest;
		struct grove_entry entry = entry_of(grove, operation);
		int order = -1;

		while (old < head->count &&
		       (order = sopi_bytes_compare(head->entries[old].key, head->entries[old].key_size,
						   entry.key, entry.key_size)) < 0)
			merged[count++] = head->entries[old++];
		if (old < head->count && order == 0)
			old++;
		if (operation->kind == SOPI_OP_REMOVE)
			continue;
		if (operation->apart != NULL)
			entry.value =
				memcpy(take(grove, entry.value_size), entry.value, entry.value_size);
		merged[count++] = entry;
	}
	while (old < head->count)
		merged[count++] = head->entries[old++];
	free(head->entries);
	*head = (struct grove_state){ grove->position, merged, count };
}

void grove_keep(struct grove *grove, struct sopi_apply *apply)
{
	grove->position++;
	model_commit(grove);
	sopi_apply_keep(apply);
	sopi_arena_reset(&grove->forest.scratch.arena);
	atomic_store(&grove->answered, grove->position);
	sopi_reclaim_run(&grove->forest.reclaim, &grove->answered, NULL);
}

void grove_commit(struct grove *grove)
{
	sop_error err = SOP_ERROR_INIT;
	struct sopi_apply apply;

	grove_plan_end(grove);
	TEST_OK(grove_apply(grove, grove->change_count, &apply, &err), err);
	grove_keep(grove, &apply);
}

void grove_pin(struct grove *grove, size_t pin)
{
	struct grove_state *state = &grove->pins[pin];

	assert_int_equal(sopi_slot_claim(&grove->forest.reclaim, grove->slots[pin], true), SOPI_SLOT_IDLE);
	sopi_slot_publish(grove->slots[pin], grove->position, false);
	sopi_slot_release(grove->slots[pin]);
	free(state->entries);
	*state = grove->head;
	state->position = grove->position;
	state->entries = test_alloc((state->count + 1) * sizeof *state->entries);
	if (state->count != 0)
		memcpy(state->entries, grove->head.entries, state->count * sizeof *state->entries);
}

/* ---- structure ------------------------------------------------------------------------------- */

/* What a node must keep within; NULL: no bound. */
struct range {
	const struct sopi_item_view *low;
	const struct sopi_item_view *high;
};

static void assert_within(const struct sopi_item_view *item, const struct range *range)
{
	assert_true(range->low == NULL || sopi_item_compare(range->low, item) <= 0);
	assert_true(range->high == NULL || sopi_item_compare(item, range->high) < 0);
}

static size_t check_leaf(const struct sopi_block *leaf, const struct range *range)
{
	const size_t deltas = atomic_load(&leaf->delta_count);
	struct sopi_item_view item, before;

	assert_true(deltas <= SOPI_DELTAS_MAX);
	for (size_t i = 0; i < leaf->count; i++) {
		sopi_leaf_describe(leaf, i, &item);
		assert_within(&item, range);
		if (i > 0)
			assert_true(sopi_item_compare(&before, &item) < 0);
		before = item;
	}
	for (size_t d = 0; d < deltas; d++) {
		sopi_leaf_describe_delta(leaf, d, &item);
		assert_within(&item, range);
		assert_true(d == 0 || sopi_leaf_delta_positions(leaf)[d] >=
					      sopi_leaf_delta_positions(leaf)[d - 1]);
	}
	return leaf->version.items;
}

static uint64_t locate(void *arg, const struct sopi_value *value)
{
	(void)arg;
	return (uintptr_t)value;
}

/* Every node can be written as a page. */
static void check_page(const struct sopi_vnode *vnode)
{
	const struct sopi_page_id id = { vnode->vid, 16, atomic_load(&vnode->newest), 0 };
	const struct sopi_page_locator locator = { locate, NULL };
	const struct sopi_page_origin origin = { "", 0 };
	sop_error err = SOP_ERROR_INIT;
	sop_buf page = SOP_BUF_INIT;

	TEST_OK(sopi_page_encode(atomic_load(&vnode->head), &id, SOPI_POSITION_HEAD, &locator, &page, &err),
		err);
	TEST_OK(sopi_page_verify(test_bytes(page.data, page.size), &id, &origin, &err), err);
	sop_buf_free(&page);
}

/* Returns the items below the node; counts nodes. */
static size_t check_node(const struct grove *grove, const struct sopi_vnode *vnode,
			 const struct range *range, size_t depth, size_t *leaf_depth, size_t *nodes)
{
	const struct sopi_block *block = atomic_load(&vnode->head);
	struct sopi_item_view separators[2];
	size_t items = 0;

	(*nodes)++;
	check_page(vnode);
	assert_true(block->free_at <= block->capacity);
	assert_true(atomic_load(&vnode->newest) >= block->version.since);
	if (block->version.kind == SOPI_LEAF) {
		assert_true(*leaf_depth == SIZE_MAX || *leaf_depth == depth);
		*leaf_depth = depth;
		assert_true(block->version.items <= grove->tree.items_max);
		assert_true(vnode == grove->tree.root || block->version.items > 0);
		return check_leaf(block, range);
	}
	assert_int_equal(block->version.kind, SOPI_INNER);
	assert_true(block->count < grove->tree.items_max);
	assert_true(block->count > 0); /* an only child could not be merged away */
	for (size_t i = 0; i <= block->count; i++) {
		struct range below = *range;
		struct sopi_separator separator;

		if (i > 0)
			below.low = &separators[(i - 1) % 2];
		if (i < block->count) {
			sopi_inner_describe(block, i, &separator);
			separators[i % 2] = (struct sopi_item_view){
				.prefix = separator.prefix,
				.prefix_size = separator.prefix_size,
				.key = separator.key,
				.key_size = separator.key_size,
			};
			assert_within(&separators[i % 2], &below);
			below.high = &separators[i % 2];
		}
		items += check_node(grove, sopi_inner_children(block)[i], &below, depth + 1,
				    leaf_depth, nodes);
	}
	return items;
}

void grove_check_structure(const struct grove *grove)
{
	const struct range all = { NULL, NULL };
	size_t leaf_depth = SIZE_MAX;
	size_t nodes = 0;

	assert_int_equal(check_node(grove, grove->tree.root, &all, 0, &leaf_depth, &nodes),
			 grove->head.count);
	assert_int_equal(sopi_tree_count(&grove->tree, SOPI_POSITION_HEAD), grove->head.count);
	assert_true(nodes <= atomic_load(&grove->forest.node_count)); /* dead ones may wait */
}

/* ---- states ---------------------------------------------------------------------------------- */

static void assert_item(const struct grove_entry *entry, const struct sopi_item_view *item)
{
	assert_int_equal(sopi_item_compare_key(item, entry->key, entry->key_size), 0);
	assert_int_equal(item->version, entry->version);
	assert_int_equal(item->value_size, entry->value_size);
	if (entry->value_size != 0)
		assert_memory_equal(sopi_item_value(item), entry->value, entry->value_size);
}

static void check_walk(struct grove *grove, const struct grove_state *state, uint64_t at)
{
	sop_error err = SOP_ERROR_INIT;
	struct sopi_item_view item;
	struct sopi_walk walk;
	size_t count = 0;

	sopi_walk_init(&walk, &grove->tree, at);
	TEST_OK(sopi_walk_seek(&walk, (const uint8_t *)"", 0, &err), err);
	assert_int_equal(walk.index, 0);
	do {
		for (; walk.index < walk.count; walk.index++, count++) {
			assert_true(count < state->count);
			sopi_walk_item(&walk, walk.index, &item);
			assert_item(&state->entries[count], &item);
		}
	} while (sopi_walk_next_leaf(&walk, &err) == SOP_OK);
	assert_int_equal(count, state->count);
	TEST_OK(sopi_walk_end(&walk, &err), err);
	do {
		while (walk.index-- > 0) {
			sopi_walk_item(&walk, walk.index, &item);
			assert_item(&state->entries[--count], &item);
		}
	} while (sopi_walk_previous_leaf(&walk, &err) == SOP_OK);
	assert_int_equal(count, 0);
	sopi_walk_free(&walk);
}

static void check_look_ups(struct grove *grove, const struct grove_state *state, uint64_t at)
{
	const size_t step = 1 + state->count / 200;

	for (size_t i = 0; i < state->count; i += step) {
		const struct grove_entry *entry = &state->entries[i];
		struct sopi_item_view item;
		struct sopi_vnode *leaf;
		const struct sopi_block *block = NULL;

		assert_int_equal(sopi_tree_leaf(&grove->tree, entry->key, entry->key_size, at,
						&leaf, &block, NULL),
				 SOP_OK);
		assert_true(sopi_leaf_get(block, entry->key, entry->key_size, at, &item));
		assert_item(entry, &item);
	}
}

void grove_check_state(struct grove *grove, const struct grove_state *state, uint64_t at)
{
	assert_int_equal(sopi_tree_count(&grove->tree, at), state->count);
	check_walk(grove, state, at);
	check_look_ups(grove, state, at);
}

void grove_check(struct grove *grove)
{
	grove_check_structure(grove);
	grove_check_state(grove, &grove->head, SOPI_POSITION_HEAD);
	for (size_t i = 0; i < GROVE_PINS; i++) {
		if (grove->pins[i].entries != NULL)
			grove_check_state(grove, &grove->pins[i], grove->pins[i].position);
	}
}

/* ---- signature ------------------------------------------------------------------------------- */

static void mix(uint64_t *signature, uint64_t number)
{
	*signature = (*signature ^ number) * 0x9E3779B97F4A7C15u;
	*signature ^= *signature >> 29;
}

static void mix_block(uint64_t *signature, const struct sopi_block *block)
{
	mix(signature, (uintptr_t)block);
	mix(signature, block->version.since);
	mix(signature, block->version.kind);
	mix(signature, block->version.items);
	mix(signature, block->version.unlinked);
	mix(signature, (uintptr_t)atomic_load(&block->version.older));
	mix(signature, (uintptr_t)atomic_load(&block->version.newer));
	mix(signature, atomic_load(&block->delta_count));
	mix(signature, block->count);
	mix(signature, block->free_at);
}

static void mix_node(uint64_t *signature, const struct sopi_vnode *vnode)
{
	const struct sopi_block *block = atomic_load(&vnode->head);

	mix(signature, (uintptr_t)vnode);
	mix(signature, atomic_load(&vnode->newest));
	mix(signature, atomic_load(&vnode->ranged));
	mix_block(signature, block);
	if (block->version.kind != SOPI_INNER)
		return;
	for (size_t i = 0; i <= block->count; i++)
		mix_node(signature, sopi_inner_children(block)[i]);
}

uint64_t grove_signature(const struct grove *grove)
{
	uint64_t signature = 1;

	mix(&signature, (uintptr_t)atomic_load(&grove->tree.count));
	mix(&signature, atomic_load(&grove->forest.node_count));
	mix_node(&signature, grove->tree.root);
	return signature;
}

/* ---- famine ---------------------------------------------------------------------------------- */

void grove_famine_begin(struct grove *grove, const size_t left[SOPI_MEMORY_CLASSES],
			struct grove_famine *famine)
{
	struct sopi_memory *memory = &grove->forest.memory;

	memset(famine, 0, sizeof *famine);
	for (unsigned class = 0; class < SOPI_MEMORY_CLASSES; class ++)
		sopi_memory_prepare(memory, (size_t)1 << (class + SOPI_MEMORY_CLASS_MIN), left[class]);
	for (unsigned class = 0; class < SOPI_MEMORY_CLASSES; class ++) {
		while (memory->free[class] != NULL && memory->free_count[class] > left[class]) {
			void *block = memory->free[class];

			memory->free[class] = *(void **)block;
			memory->free_count[class]--;
			*(void **)block = famine->free[class];
			famine->free[class] = block;
			famine->free_count[class]++;
		}
	}
	famine->carve = memory->carve;
	famine->carve_bytes = memory->carve_bytes;
	memory->carve = NULL;
	memory->carve_bytes = 0;
	sopi_alloc_fail_after(0, true);
}

void grove_famine_end(struct grove *grove, struct grove_famine *famine)
{
	struct sopi_memory *memory = &grove->forest.memory;

	sopi_alloc_fail_after(-1, false);
	memory->carve = famine->carve;
	memory->carve_bytes = famine->carve_bytes;
	for (unsigned class = 0; class < SOPI_MEMORY_CLASSES; class ++) {
		while (famine->free[class] != NULL) {
			void *block = famine->free[class];

			famine->free[class] = *(void **)block;
			*(void **)block = memory->free[class];
			memory->free[class] = block;
			memory->free_count[class]++;
		}
	}
}
