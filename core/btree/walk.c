/* Walking over leaves. A leaf with visible deltas gets an order of slots merged from base and
 * deltas. */
#include "btree/walk.h"

#include "base/alloc.h"
#include "btree/resident.h"

enum { DELTA_BIT = 0x8000 };

void sopi_walk_init(struct sopi_walk *walk, const struct sopi_tree *tree, uint64_t at)
{
	walk->tree = tree;
	walk->at = at;
	walk->path.stays = false;
	walk->leaf = NULL;
	walk->vnode = NULL;
	walk->ahead = 1;
	walk->brought = false;
	walk->count = 0;
	walk->index = 0;
	walk->order = NULL;
	walk->order_memory = NULL;
	walk->order_capacity = SOPI_WALK_ORDER_ROOM;
}

void sopi_walk_free(struct sopi_walk *walk)
{
	sopi_free(walk->order_memory);
	walk->order_memory = NULL;
}

/* One visible delta: the newest of its key. */
struct seen {
	size_t number;
	uint16_t code;
};

static bool same_key(const struct sopi_block *leaf, const struct seen *a, const struct seen *b)
{
	struct sopi_item_view x, y;

	if (a->code != b->code)
		return false;
	if (a->code & 1)
		return true;
	sopi_leaf_describe_delta(leaf, a->number, &x);
	sopi_leaf_describe_delta(leaf, b->number, &y);
	return sopi_item_compare(&x, &y) == 0;
}

/* Does delta `a` stand before delta `b`? A new key stands before the base slot that its code
 * names. */
static bool stands_before(const struct sopi_block *leaf, const struct seen *a, const struct seen *b)
{
	struct sopi_item_view x, y;

	if (a->code != b->code)
		return a->code < b->code;
	sopi_leaf_describe_delta(leaf, a->number, &x);
	sopi_leaf_describe_delta(leaf, b->number, &y);
	return sopi_item_compare(&x, &y) < 0;
}

/* The visible deltas in the order of their keys, newest of each key only. */
static size_t visible_deltas(const struct sopi_block *leaf, uint64_t at, struct seen *deltas)
{
	size_t number = atomic_load_explicit(&leaf->delta_count, memory_order_acquire);
	size_t count = 0;

	while (number-- > 0) {
		struct seen delta = { number, 0 };
		bool known = false;
		size_t to;

		if (atomic_load_explicit(&sopi_leaf_delta_positions(leaf)[number],
					 memory_order_relaxed) > at)
			continue;
		delta.code = sopi_leaf_delta_codes(leaf)[number];
		for (size_t i = 0; i < count && !known; i++)
			known = same_key(leaf, &deltas[i], &delta);
		if (known)
			continue;
		for (to = count; to > 0 && stands_before(leaf, &delta, &deltas[to - 1]); to--)
			deltas[to] = deltas[to - 1];
		deltas[to] = delta;
		count++;
	}
	return count;
}

static bool is_deleted(const struct sopi_block *leaf, size_t number)
{
	return sopi_item_flags(sopi_item_at(leaf, sopi_leaf_delta_places(leaf)[number])) &
	       SOPI_ITEM_DELETED;
}

/* Merges base slots and deltas into walk->order. REQUIRES: room for all. */
static void merge_order(struct sopi_walk *walk, const struct seen *deltas, size_t delta_count)
{
	uint16_t *order = walk->order_memory != NULL ? walk->order_memory : walk->order_room;
	size_t count = 0;
	size_t d = 0;

	for (size_t slot = 0; slot <= walk->leaf->count; slot++) {
		bool replaced = false;

		for (; d < delta_count && deltas[d].code >> 1 == slot; d++) {
			replaced = replaced || (deltas[d].code & 1) != 0;
			if (!is_deleted(walk->leaf, deltas[d].number))
				order[count++] = (uint16_t)(DELTA_BIT | deltas[d].number);
		}
		if (!replaced && slot < walk->leaf->count)
			order[count++] = (uint16_t)slot;
	}
	walk->order = order;
	walk->count = count;
}

/* Makes the leaf at the end of the path the current one. */
static sop_status enter_leaf(struct sopi_walk *walk, sop_error *err)
{
	struct seen deltas[SOPI_DELTAS_MAX];
	size_t delta_count = 0;

	walk->leaf = walk->path.level[walk->path.depth].block;
	walk->vnode = walk->path.level[walk->path.depth].vnode;
	walk->count = walk->leaf->count;
	walk->order = NULL;
	if (atomic_load_explicit(&walk->leaf->delta_count, memory_order_acquire) != 0)
		delta_count = visible_deltas(walk->leaf, walk->at, deltas);
	if (delta_count == 0)
		return SOP_OK;
	if (walk->count + delta_count > walk->order_capacity) {
		void *grown = walk->order_memory;

		SOP_TRY(sopi_realloc(&grown, (walk->count + delta_count) * sizeof *walk->order, err));
		walk->order_memory = grown;
		walk->order_capacity = walk->count + delta_count;
	}
	merge_order(walk, deltas, delta_count);
	return SOP_OK;
}

/* The first visible item at or behind `key`. */
static size_t lower_bound(const struct sopi_walk *walk, const uint8_t *key, size_t size)
{
	size_t low = 0;
	size_t high = walk->count;

	if (walk->order == NULL)
		return sopi_leaf_search(walk->leaf, key, size).slot;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		struct sopi_item_view view;

		sopi_walk_item(walk, middle, &view);
		if (sopi_item_compare_key(&view, key, size) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

sop_status sopi_walk_seek(struct sopi_walk *walk, const uint8_t *key, size_t size, sop_error *err)
{
	walk->ahead = 1;
	walk->brought = false;
	SOP_TRY(sopi_tree_path(walk->tree, key, size, walk->at, &walk->path, err));
	SOP_TRY(enter_leaf(walk, err));
	walk->index = lower_bound(walk, key, size);
	return SOP_OK;
}

sop_status sopi_walk_end(struct sopi_walk *walk, sop_error *err)
{
	struct sopi_vnode *root = walk->tree->root;

	walk->path.level[0].vnode = root;
	walk->path.level[0].block = sopi_vnode_view(root, walk->at);
	if (walk->path.level[0].block == NULL)
		SOP_TRY(sopi_vnode_load(walk->tree, root, walk->at, 0, &walk->path.level[0].block, err));
	walk->path.level[0].child = walk->path.level[0].block->count;
	SOP_TRY(sopi_path_descend(walk->tree, &walk->path, 0, walk->at, true, err));
	SOP_TRY(enter_leaf(walk, err));
	walk->index = walk->count;
	return SOP_OK;
}

/* Asks for the leaf that comes next, and for the vnode of the one behind it, while this one is
 * read. */
static void prefetch_next(const struct sopi_walk *walk)
{
	const struct sopi_block *parent;
	struct sopi_vnode **children;
	size_t next;

	if (walk->path.depth == 0)
		return;
	parent = walk->path.level[walk->path.depth - 1].block;
	next = walk->path.level[walk->path.depth - 1].child + 1;
	children = sopi_inner_children(parent);
	if (next <= parent->count) {
		const char *block = (const char *)atomic_load_explicit(&children[next]->head,
								       memory_order_relaxed);

		for (size_t line = 0; line < 8 && block != NULL; line++)
			__builtin_prefetch(block + line * 64);
	}
	if (next < parent->count)
		__builtin_prefetch(children[next + 1]);
}

/* The scan goes on behind a leaf that it brought in for itself: others need it no more than any that was not read lately. */
static void leave_leaf(const struct sopi_walk *walk)
{
	if (walk->brought)
		atomic_fetch_and_explicit(&walk->vnode->state, (uint8_t)~SOPI_VNODE_HOT,
					  memory_order_relaxed);
}

/* Brings in the leaf that comes next, if it is not in memory, and more behind it the longer the scan has gone on. */
static sop_status bring_ahead(struct sopi_walk *walk, size_t depth, sop_error *err)
{
	struct sopi_resident *resident = walk->tree->forest->resident;
	const struct sopi_block *parent = walk->path.level[depth].block;
	const size_t next = walk->path.level[depth].child;
	struct sopi_vnode *const *children = sopi_inner_children(parent) + next;
	const size_t left = parent->count - next + 1;

	walk->brought = walk->ahead > 1; /* by a step before */
	if (SOPI_LIKELY(atomic_load_explicit(&children[0]->head, memory_order_acquire) != NULL) ||
	    resident == NULL || walk->at == SOPI_POSITION_HEAD)
		return SOP_OK;
	SOP_TRY(sopi_resident_bring_ahead(resident, walk->tree, children,
					  walk->ahead < left ? walk->ahead : left, err));
	walk->brought = true;
	if (walk->ahead < SOPI_READ_AHEAD_MAX)
		walk->ahead *= 2;
	return SOP_OK;
}

sop_status sopi_walk_next_leaf(struct sopi_walk *walk, sop_error *err)
{
	const size_t leaves = walk->path.depth; /* their level */

	leave_leaf(walk);
	for (size_t depth = walk->path.depth; depth-- > 0;) {
		if (walk->path.level[depth].child < walk->path.level[depth].block->count) {
			walk->path.level[depth].child++;
			if (depth + 1 == leaves)
				SOP_TRY(bring_ahead(walk, depth, err));
			SOP_TRY(sopi_path_descend(walk->tree, &walk->path, depth, walk->at, false, err));
			prefetch_next(walk);
			SOP_TRY(enter_leaf(walk, err));
			walk->index = 0;
			return SOP_OK;
		}
	}
	return SOP_NOT_FOUND;
}

sop_status sopi_walk_previous_leaf(struct sopi_walk *walk, sop_error *err)
{
	for (size_t depth = walk->path.depth; depth-- > 0;) {
		if (walk->path.level[depth].child > 0) {
			walk->path.level[depth].child--;
			SOP_TRY(sopi_path_descend(walk->tree, &walk->path, depth, walk->at, true, err));
			SOP_TRY(enter_leaf(walk, err));
			walk->index = walk->count;
			return SOP_OK;
		}
	}
	return SOP_NOT_FOUND;
}
