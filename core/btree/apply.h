/* Within btree: how a commit changes nodes. Every new version has the commit's position, so that a
 * reader below it passes it by, and so that all of it can be taken back by popping what has that
 * position. */
#ifndef SOPI_APPLY_H
#define SOPI_APPLY_H

#include "btree/operation.h"
#include "btree/plant.h"
#include "btree/tree.h"

/* Gives `vnode` a new newest version. */
void sopi_apply_push(struct sopi_apply *apply, struct sopi_vnode *vnode, struct sopi_block *block);

/* The newest version of a node. WOULD_BLOCK (without a message): it is not in memory. */
sop_status sopi_apply_head(struct sopi_apply *apply, struct sopi_vnode *vnode,
			   const struct sopi_block **out, sop_error *err);

/* Notes that `vnode` is about to change. */
void sopi_apply_touch(struct sopi_apply *apply, struct sopi_vnode *vnode);

/* A new vnode of this commit around `block`, which is freed if there is no memory for it. */
sop_status sopi_apply_new_vnode(struct sopi_apply *apply, struct sopi_block *block,
				struct sopi_vnode **out, sop_error *err);

/* `vnode` now answers for another range of keys. */
void sopi_apply_ranged(struct sopi_apply *apply, struct sopi_vnode *vnode);

/* A block for `size` bytes. */
sop_status sopi_apply_block(struct sopi_apply *apply, size_t size, struct sopi_block **out,
			    sop_error *err);

/* `vnode` is no more. */
sop_status sopi_apply_kill(struct sopi_apply *apply, struct sopi_vnode *vnode, sop_error *err);

/* Room for so many items, separators and cuts. */
sop_status sopi_scratch_reserve(struct sopi_scratch *scratch, size_t items, size_t separators,
				sop_error *err);

/* Puts the newest items of a leaf, deltas included, at scratch->items + `at`; returns how many.
 * REQUIRES: room. */
size_t sopi_leaf_gather(struct sopi_scratch *scratch, const struct sopi_block *leaf, size_t at);

/* The same with no more than the first `deltas` of its deltas. */
size_t sopi_leaf_gather_first(struct sopi_scratch *scratch, const struct sopi_block *leaf,
			      size_t deltas, size_t at);

/* Do the first `count` of scratch->items fit in one leaf? */
bool sopi_leaf_fits(const struct sopi_scratch *scratch, const struct sopi_tree *tree, size_t count);

/* Cuts them into leaves otherwise: evenly, or into full ones. Returns how many; scratch->cuts has their bounds.
 * REQUIRES: room. */
size_t sopi_leaf_cut(struct sopi_scratch *scratch, const struct sopi_tree *tree, size_t count, bool full);

/* The shortest separator between two neighbouring items: the second one's key, cut behind the
 * first difference. */
struct sopi_separator sopi_separator_between(const struct sopi_item_view *left,
					     const struct sopi_item_view *right);

/* Bytes that a leaf of these items may have: more where items are large. */
size_t sopi_leaf_limit(const struct sopi_tree *tree, size_t bytes, size_t count);

/* A page of the items [from, to) of scratch->items. */
sop_status sopi_leaf_page(struct sopi_apply *apply, const struct sopi_tree *tree, size_t from,
			  size_t to, struct sopi_block **out, sop_error *err);

/* Makes the first `count` of scratch->items the contents of `leaf`, splitting it if need be.
 * key: any key that the leaf answers for. append: the new items are behind all old ones. */
sop_status sopi_leaf_replace(struct sopi_apply *apply, struct sopi_tree *tree,
			     struct sopi_vnode *leaf, size_t count, bool append, const uint8_t *key,
			     size_t key_size, sop_error *err);

/* Makes the first `count` of scratch->separators, and the child `first` below them, the contents of
 * the inner node at `level` of `path`, splitting it if need be. append: the new ones are behind all
 * old ones. */
sop_status sopi_inner_replace(struct sopi_apply *apply, struct sopi_tree *tree,
			      const struct sopi_path *path, size_t level, struct sopi_vnode *first,
			      size_t count, bool append, sop_error *err);

/* Puts the separators of `inner` at scratch->separators + `at`. REQUIRES: room. */
void sopi_inner_gather(struct sopi_scratch *scratch, const struct sopi_block *inner, size_t at);

/* Do these separators fit in one inner page? `share` 1: in a whole one, 2: in half of one. */
bool sopi_inner_fits(const struct sopi_tree *tree, const struct sopi_separator *separators,
		     size_t count, size_t share);

/* The same where children have gone: joins it with a neighbour if it became small, and lets a root with one child take
 * over what that holds. */
sop_status sopi_inner_shrink(struct sopi_apply *apply, struct sopi_tree *tree,
			     const struct sopi_path *path, size_t level, struct sopi_vnode *first,
			     size_t count, sop_error *err);

/* ---- merging changes into the items of a leaf --------------------------------------------------- */

/* How far it is. The old items are at scratch->items + old_from, the result is at the start. */
struct sopi_merging {
	size_t old_from;
	size_t old_at, old_count;
	size_t count; /* items of the result */
	bool append; /* all changes so far only add items behind the old ones */
	int64_t effect; /* on the number of items */
	bool removed; /* some item has gone */
};

/* The first of the ascending changes [from, end) at or behind a separator. */
size_t sopi_changes_below(const struct sopi_change *changes, size_t from, size_t end,
			  const struct sopi_separator *upper);

/* Merges the next change, and the old items before it. REQUIRES: room for these and one more. */
sop_status sopi_merge_change(struct sopi_apply *apply, const struct sopi_tree *tree,
			     const struct sopi_change *change, struct sopi_merging *merging,
			     sop_error *err);

/* Merges the old items that are left. */
void sopi_merge_rest(struct sopi_scratch *scratch, struct sopi_merging *merging);

/* Books that an item's value apart is another one, or none, from now on. Each may be NULL. */
void sopi_apply_value(struct sopi_apply *apply, struct sopi_value *old, struct sopi_value *new);

/* Applies the changes, as sopi_apply_changes, but leaves the count of the tree to the caller. */
sop_status sopi_apply_run(struct sopi_apply *apply, struct sopi_tree *tree,
			  const struct sopi_change *changes, size_t count, int64_t *effect,
			  sop_error *err);

/* Adds a version of the count, once for each tree. */
sop_status sopi_apply_count(struct sopi_apply *apply, struct sopi_tree *tree, int64_t effect,
			    sop_error *err);

/* Is so little left of a leaf, the first `count` of scratch->items after `before`, that it should be joined? Of one that grew
 * never. */
bool sopi_leaf_is_small(const struct sopi_scratch *scratch, const struct sopi_tree *tree,
			size_t before, size_t count);

/* Joins the leaf that answers for `key` with a neighbour if both fit well below a page. */
sop_status sopi_leaf_merge(struct sopi_apply *apply, struct sopi_tree *tree, const uint8_t *key,
			   size_t size, sop_error *err);

#endif
