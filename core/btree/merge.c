/* Lazy merging: a node whose contents and its neighbour's fit well below a page is joined with it,
 * and a root with one child takes over that child's contents. */
#include "btree/apply.h"

static sop_status parent_remove(struct sopi_apply *apply, struct sopi_tree *tree,
				const struct sopi_path *path, size_t level, size_t slot, sop_error *err);

/* The root takes over the contents of its only child. */
static sop_status root_pull_up(struct sopi_apply *apply, struct sopi_tree *tree,
			       struct sopi_vnode *child, sop_error *err)
{
	struct sopi_scratch *scratch = apply->scratch;
	struct sopi_path path = { .depth = 0 };
	const struct sopi_block *block;

	SOP_TRY(sopi_apply_head(apply, child, &block, err));
	if (block->version.kind == SOPI_LEAF) {
		size_t count;

		SOP_TRY(sopi_scratch_reserve(scratch, (size_t)block->count + SOPI_DELTAS_MAX, 0, err));
		count = sopi_leaf_gather(scratch, block, 0);
		SOP_TRY(sopi_leaf_replace(apply, tree, tree->root, count, false, NULL, 0, err));
	} else {
		SOP_TRY(sopi_scratch_reserve(scratch, 0, block->count, err));
		sopi_inner_gather(scratch, block, 0);
		path.level[0].vnode = tree->root;
		SOP_TRY(sopi_inner_replace(apply, tree, &path, 0, sopi_inner_children(block)[0],
					   block->count, false, err));
	}
	sopi_apply_ranged(apply, tree->root);
	return sopi_apply_kill(apply, child, err);
}

/* A page of the separators [from, to) of scratch->separators above `first` for `vnode`. */
static sop_status inner_push(struct sopi_apply *apply, struct sopi_vnode *vnode,
			     struct sopi_vnode *first, size_t from, size_t to, sop_error *err)
{
	const struct sopi_separator *separators = apply->scratch->separators + from;
	const size_t prefix_size = sopi_separators_common_prefix(separators, to - from);
	struct sopi_block *page = NULL;

	SOP_TRY(sopi_apply_block(apply, sopi_inner_bytes(separators, to - from, prefix_size), &page, err));
	sopi_inner_build(page, first, separators, to - from, prefix_size);
#ifdef SOP_TEST_HOOKS
	sopi_plant_image(page, apply->hints_at);
#endif
	sopi_apply_push(apply, vnode, page);
	return SOP_OK;
}

/* Shares the separators of two neighbours out evenly, where one has none and the other is full: so
 * no inner node but the root is left with a single child, which could not be merged away. They are at the
 * start of scratch->separators, `count` of them; `slot` is the neighbours' separator in the parent at `level`. */
static sop_status inner_share(struct sopi_apply *apply, struct sopi_tree *tree,
			      const struct sopi_path *path, size_t level, size_t slot, size_t count,
			      sop_error *err)
{
	struct sopi_scratch *scratch = apply->scratch;
	const struct sopi_block *parent = path->level[level].block;
	struct sopi_vnode *left = sopi_inner_children(parent)[slot];
	struct sopi_vnode *right = sopi_inner_children(parent)[slot + 1];
	const struct sopi_block *left_block = atomic_load_explicit(&left->head, memory_order_acquire);
	struct sopi_separator middle = scratch->separators[count / 2];

	SOP_TRY(inner_push(apply, left, sopi_inner_children(left_block)[0], 0, count / 2, err));
	SOP_TRY(inner_push(apply, right, middle.child, count / 2 + 1, count, err));
	middle.child = right;
	SOP_TRY(sopi_scratch_reserve(scratch, 0, parent->count, err));
	sopi_inner_gather(scratch, parent, 0);
	scratch->separators[slot] = middle;
	return sopi_inner_replace(apply, tree, path, level, sopi_inner_children(parent)[0],
				  parent->count, false, err);
}

/* Joins two neighbouring inner nodes below the separator `slot` of their parent, if they fit well.
 * */
static sop_status inner_merge(struct sopi_apply *apply, struct sopi_tree *tree,
			      const struct sopi_path *path, size_t level, sop_error *err)
{
	struct sopi_scratch *scratch = apply->scratch;
	const struct sopi_block *parent = path->level[level - 1].block;
	const size_t child = path->level[level - 1].child;
	const size_t slot = child < parent->count ? child : child - 1;
	struct sopi_vnode *left, *right;
	const struct sopi_block *a, *b;
	size_t count;

	if (parent->count == 0)
		return SOP_OK;
	left = sopi_inner_children(parent)[slot];
	right = sopi_inner_children(parent)[slot + 1];
	SOP_TRY(sopi_apply_head(apply, left, &a, err));
	SOP_TRY(sopi_apply_head(apply, right, &b, err));
	count = (size_t)a->count + 1 + b->count;
	SOP_TRY(sopi_scratch_reserve(scratch, 0, count, err));
	sopi_inner_gather(scratch, a, 0);
	sopi_inner_describe(parent, slot, &scratch->separators[a->count]);
	scratch->separators[a->count].child = sopi_inner_children(b)[0];
	sopi_inner_gather(scratch, b, (size_t)a->count + 1);
	if (!sopi_inner_fits(tree, scratch->separators, count, a->count == 0 || b->count == 0 ? 1 : 2))
		return a->count == 0 || b->count == 0
			       ? inner_share(apply, tree, path, level - 1, slot, count, err)
			       : SOP_OK;
	SOP_TRY(inner_push(apply, left, sopi_inner_children(a)[0], 0, count, err));
	SOP_TRY(sopi_apply_kill(apply, right, err));
	atomic_fetch_add_explicit(&apply->forest->merge_count, 1, memory_order_relaxed);
	return parent_remove(apply, tree, path, level - 1, slot, err);
}

sop_status sopi_inner_shrink(struct sopi_apply *apply, struct sopi_tree *tree,
			     const struct sopi_path *path, size_t level, struct sopi_vnode *first,
			     size_t count, sop_error *err)
{
	const struct sopi_separator *separators = apply->scratch->separators;
	struct sopi_vnode *vnode = path->level[level].vnode;
	bool small;

	if (count == 0 && vnode == tree->root)
		return root_pull_up(apply, tree, first, err);
	small = vnode != tree->root && count <= tree->items_max / 4 &&
		sopi_inner_bytes(separators, count, 0) <= tree->inner_bytes / 4;
	SOP_TRY(sopi_inner_replace(apply, tree, path, level, first, count, false, err));
	return small ? inner_merge(apply, tree, path, level, err) : SOP_OK;
}

/* Removes the separator `slot`, and the child behind it, from the inner node at `level`. */
static sop_status parent_remove(struct sopi_apply *apply, struct sopi_tree *tree,
				const struct sopi_path *path, size_t level, size_t slot, sop_error *err)
{
	struct sopi_scratch *scratch = apply->scratch;
	const struct sopi_block *parent = path->level[level].block;
	const size_t count = (size_t)parent->count - 1;

	SOP_TRY(sopi_scratch_reserve(scratch, 0, parent->count, err));
	sopi_inner_gather(scratch, parent, 0);
	memmove(&scratch->separators[slot], &scratch->separators[slot + 1],
		(count - slot) * sizeof *scratch->separators);
	return sopi_inner_shrink(apply, tree, path, level, sopi_inner_children(parent)[0], count, err);
}

sop_status sopi_leaf_merge(struct sopi_apply *apply, struct sopi_tree *tree, const uint8_t *key,
			   size_t size, sop_error *err)
{
	struct sopi_scratch *scratch = apply->scratch;
	const struct sopi_block *parent, *block, *a, *b;
	struct sopi_vnode *left, *right;
	size_t count, slot, bytes, share;
	struct sopi_path path;
	struct sopi_block *page;

	SOP_TRY(sopi_tree_path(tree, key, size, SOPI_POSITION_HEAD, &path, err));
	if (path.depth == 0)
		return SOP_OK;
	parent = path.level[path.depth - 1].block;
	if (parent->count == 0)
		return SOP_OK;
	slot = path.level[path.depth - 1].child;
	slot = slot < parent->count ? slot : slot - 1;
	left = sopi_inner_children(parent)[slot];
	right = sopi_inner_children(parent)[slot + 1];
	/* A neighbour that is only on disk is not read for the sake of tidiness: but no leaf stays empty. */
	block = path.level[path.depth].block;
	if (block->version.items > 0 &&
	    (atomic_load_explicit(&left->head, memory_order_acquire) == NULL ||
	     atomic_load_explicit(&right->head, memory_order_acquire) == NULL))
		return SOP_OK;
	SOP_TRY(sopi_apply_head(apply, left, &a, err));
	SOP_TRY(sopi_apply_head(apply, right, &b, err));
	SOP_TRY(sopi_scratch_reserve(scratch, (size_t)a->count + b->count + 2 * SOPI_DELTAS_MAX, 0, err));
	count = sopi_leaf_gather(scratch, a, 0);
	share = count == 0 ? 1 : 2;
	count += sopi_leaf_gather(scratch, b, count);
	share = b->version.items == 0 ? 1 : share;
	bytes = sopi_leaf_bytes(scratch->items, count, 0);
	if (share == 2 &&
	    (bytes > sopi_leaf_limit(tree, bytes, count) / 2 || count > tree->items_max / 2))
		return SOP_OK;
	SOP_TRY(sopi_leaf_page(apply, tree, 0, count, &page, err));
	sopi_apply_push(apply, left, page);
	sopi_apply_ranged(apply, left);
	SOP_TRY(sopi_apply_kill(apply, right, err));
	atomic_fetch_add_explicit(&apply->forest->merge_count, 1, memory_order_relaxed);
	return parent_remove(apply, tree, &path, path.depth - 1, slot, err);
}
