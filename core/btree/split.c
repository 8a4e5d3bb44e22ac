/* Laying out the contents of a node anew: in one page if they fit, in several otherwise. */
#include "btree/apply.h"

#include "btree/resident.h"

/* A leaf of large items is as large as so many of them need. Where data is beyond the cache it is read for each of them
 * (docs/decisions/0016). */
enum { ITEMS_LEAST = 8, ITEMS_LEAST_COLD = 4 };

/* ---- where to cut ---------------------------------------------------------------------- */

/* How a run of entries may be cut into pages. */
struct cutting {
	size_t room; /* bytes of entries that a page holds */
	size_t most; /* entries that a page holds */
	size_t total; /* bytes of all entries */
	size_t count; /* of entries */
	bool full; /* fill pages instead of evening them out */
};

/* The number of pages that even cutting aims at. */
static size_t pages_of(const struct cutting *cutting)
{
	const size_t by_bytes = (cutting->total + cutting->room - 1) / cutting->room;
	const size_t by_count = (cutting->count + cutting->most - 1) / cutting->most;
	const size_t pages = by_bytes > by_count ? by_bytes : by_count;

	return pages < 2 ? 2 : pages;
}

/* Should a page that has `bytes` in `entries` end before an entry of `next` bytes? */
static bool ends_before(const struct cutting *cutting, size_t pages, size_t bytes, size_t entries,
			size_t next)
{
	if (entries == 0)
		return false;
	if (bytes + next > cutting->room || entries == cutting->most)
		return true;
	return !cutting->full && (bytes + next / 2) * pages >= cutting->total;
}

/* ---- leaves ------------------------------------------------------------------------------------ */

size_t sopi_leaf_gather(struct sopi_scratch *scratch, const struct sopi_block *leaf, size_t at)
{
	return sopi_leaf_gather_first(
		scratch, leaf, atomic_load_explicit(&leaf->delta_count, memory_order_relaxed), at);
}

size_t sopi_leaf_gather_first(struct sopi_scratch *scratch, const struct sopi_block *leaf,
			      size_t deltas, size_t at)
{
	struct sopi_item_view *items = scratch->items + at;
	size_t count = leaf->count;

	for (size_t i = 0; i < count; i++)
		sopi_leaf_describe(leaf, i, &items[i]);
	for (size_t d = 0; d < deltas; d++) {
		const bool deleted =
			sopi_item_flags(sopi_item_at(leaf, sopi_leaf_delta_places(leaf)[d])) &
			SOPI_ITEM_DELETED;
		struct sopi_item_view view;
		size_t slot = 0;
		int order = 1;

		sopi_leaf_describe_delta(leaf, d, &view);
		while (slot < count && (order = sopi_item_compare(&items[slot], &view)) < 0)
			slot++;
		if (slot < count && order == 0) {
			if (deleted)
				memmove(&items[slot], &items[slot + 1], (--count - slot) * sizeof *items);
			else
				items[slot] = view;
		} else if (!deleted) {
			memmove(&items[slot + 1], &items[slot], (count++ - slot) * sizeof *items);
			items[slot] = view;
		}
	}
	return count;
}

size_t sopi_leaf_limit(const struct sopi_tree *tree, size_t bytes, size_t count)
{
	const struct sopi_resident *resident = tree->forest->resident;
	const bool cold = resident != NULL &&
			  atomic_load_explicit(&resident->data_exceeds, memory_order_relaxed);
	const size_t items = cold ? ITEMS_LEAST_COLD : ITEMS_LEAST;
	size_t limit = tree->leaf_bytes;

	while (count > 0 && limit < SOPI_NODE_BYTES_MAX && limit < items * (bytes / count))
		limit *= 2;
	return limit;
}

static size_t item_slot_bytes(const struct sopi_item_view *item, size_t prefix_size)
{
	return 6 + sopi_item_bytes(sopi_item_whole_key_size(item) - prefix_size, item->ride_size,
				   item->value_size, item->apart != NULL);
}

/* Cuts scratch->items; returns the number of pieces, whose bounds are in scratch->cuts. */
static size_t cut_items(struct sopi_scratch *scratch, const struct cutting *cutting, size_t prefix_size)
{
	const size_t pages = pages_of(cutting);
	size_t pieces = 1, bytes = 0, entries = 0;

	scratch->cuts[0] = 0;
	for (size_t i = 0; i < cutting->count; i++) {
		const size_t next = item_slot_bytes(&scratch->items[i], prefix_size);

		if (ends_before(cutting, pages, bytes, entries, next)) {
			scratch->cuts[pieces++] = (uint32_t)i;
			bytes = entries = 0;
		}
		bytes += next;
		entries++;
	}
	scratch->cuts[pieces] = (uint32_t)cutting->count;
	return pieces;
}

/* What a page of the first items would be. */
struct extent {
	size_t prefix_size;
	size_t bytes;
	size_t limit; /* of bytes */
};

static struct extent extent_of(const struct sopi_scratch *scratch, const struct sopi_tree *tree,
			       size_t count)
{
	const struct sopi_item_view *items = scratch->items;
	struct extent extent;

	extent.prefix_size = count > 1 ? sopi_item_common_prefix(&items[0], &items[count - 1]) : 0;
	extent.bytes = sopi_leaf_bytes(items, count, extent.prefix_size);
	extent.limit = sopi_leaf_limit(tree, extent.bytes, count);
	return extent;
}

/* A shared prefix is stored once, however large it is: it does not count. */
static bool is_one_page(const struct extent *extent, const struct sopi_tree *tree, size_t count)
{
	return (extent->bytes - extent->prefix_size <= extent->limit || count < 2) &&
	       count <= tree->items_max;
}

bool sopi_leaf_fits(const struct sopi_scratch *scratch, const struct sopi_tree *tree, size_t count)
{
	const struct extent extent = extent_of(scratch, tree, count);

	return is_one_page(&extent, tree, count);
}

size_t sopi_leaf_cut(struct sopi_scratch *scratch, const struct sopi_tree *tree, size_t count, bool full)
{
	const struct extent extent = extent_of(scratch, tree, count);
	const struct cutting cutting = {
		.room = extent.limit - sopi_leaf_fixed_bytes(0, 0) - 16,
		.most = tree->items_max,
		.total = extent.bytes - sopi_leaf_fixed_bytes(0, extent.prefix_size),
		.count = count,
		.full = full && !is_one_page(&extent, tree, count), /* the limit may have grown since */
	};

	return cut_items(scratch, &cutting, extent.prefix_size);
}

sop_status sopi_leaf_page(struct sopi_apply *apply, const struct sopi_tree *tree, size_t from,
			  size_t to, struct sopi_block **out, sop_error *err)
{
	const struct sopi_item_view *items = apply->scratch->items + from;
	const size_t count = to - from;
	const size_t prefix_size = count > 1 ? sopi_item_common_prefix(&items[0], &items[count - 1]) : 0;
	const size_t bytes = sopi_leaf_bytes(items, count, prefix_size);

	SOP_TRY(sopi_apply_block(apply, bytes > tree->leaf_bytes ? bytes : tree->leaf_bytes, out, err));
	sopi_leaf_build(*out, items, count, prefix_size);
	(*out)->version.items = (uint16_t)count;
	return SOP_OK;
}

struct sopi_separator sopi_separator_between(const struct sopi_item_view *left,
					     const struct sopi_item_view *right)
{
	const size_t size = sopi_item_common_prefix(left, right) + 1;
	struct sopi_separator separator = { .prefix = right->prefix, .key = right->key };

	separator.prefix_size = (uint32_t)(size < right->prefix_size ? size : right->prefix_size);
	separator.key_size = (uint32_t)(size - separator.prefix_size);
	return separator;
}

/* Makes new leaves of the pieces from `first` on; their separators are in scratch->separators. */
static sop_status new_leaves(struct sopi_apply *apply, const struct sopi_tree *tree, size_t first,
			     size_t pieces, sop_error *err)
{
	struct sopi_scratch *scratch = apply->scratch;

	SOP_TRY(sopi_scratch_reserve(scratch, 0, pieces, err));
	for (size_t i = first; i < pieces; i++) {
		const size_t from = scratch->cuts[i];
		struct sopi_separator separator = { .child = NULL };
		struct sopi_block *page;

		if (i > 0)
			separator = sopi_separator_between(&scratch->items[from - 1],
							   &scratch->items[from]);
		SOP_TRY(sopi_leaf_page(apply, tree, from, scratch->cuts[i + 1], &page, err));
		SOP_TRY(sopi_apply_new_vnode(apply, page, &separator.child, err));
		scratch->separators[i - first] = separator;
	}
	atomic_fetch_add_explicit(&apply->forest->split_count, pieces - 1, memory_order_relaxed);
	return SOP_OK;
}

/* The root leaf's contents move into new leaves; its virtual ID stays. */
static sop_status root_leaf_split(struct sopi_apply *apply, struct sopi_tree *tree, size_t pieces,
				  sop_error *err)
{
	struct sopi_scratch *scratch = apply->scratch;
	struct sopi_path path = { .depth = 0 };
	struct sopi_vnode *first;

	SOP_TRY(new_leaves(apply, tree, 0, pieces, err));
	first = scratch->separators[0].child;
	memmove(scratch->separators, scratch->separators + 1, (pieces - 1) * sizeof *scratch->separators);
	path.level[0].vnode = tree->root;
	sopi_apply_ranged(apply, tree->root);
	return sopi_inner_replace(apply, tree, &path, 0, first, pieces - 1, true, err);
}

/* Puts the separators of new leaves behind the leaf's own slot in its parent. */
static sop_status parent_add(struct sopi_apply *apply, struct sopi_tree *tree,
			     const struct sopi_path *path, size_t count, sop_error *err)
{
	struct sopi_scratch *scratch = apply->scratch;
	const size_t level = path->depth - 1;
	const struct sopi_block *parent = path->level[level].block;
	const size_t child = path->level[level].child;
	const size_t all = count + parent->count;

	SOP_TRY(sopi_scratch_reserve(scratch, 0, all, err));
	memmove(scratch->separators + child, scratch->separators, count * sizeof *scratch->separators);
	for (size_t i = 0; i < child; i++)
		sopi_inner_describe(parent, i, &scratch->separators[i]);
	for (size_t i = child; i < parent->count; i++)
		sopi_inner_describe(parent, i, &scratch->separators[i + count]);
	return sopi_inner_replace(apply, tree, path, level, sopi_inner_children(parent)[0], all,
				  child == parent->count, err);
}

sop_status sopi_leaf_replace(struct sopi_apply *apply, struct sopi_tree *tree,
			     struct sopi_vnode *leaf, size_t count, bool append, const uint8_t *key,
			     size_t key_size, sop_error *err)
{
	struct sopi_scratch *scratch = apply->scratch;
	struct sopi_separator upper;
	struct sopi_block *page;
	struct sopi_path path;
	size_t pieces;
	bool full;

	if (sopi_leaf_fits(scratch, tree, count)) {
		SOP_TRY(sopi_leaf_page(apply, tree, 0, count, &page, err));
		sopi_apply_push(apply, leaf, page);
		return SOP_OK;
	}
	SOP_TRY(sopi_tree_path(tree, key, key_size, SOPI_POSITION_HEAD, &path, err));
	full = append && !sopi_path_upper(&path, &upper);
	pieces = sopi_leaf_cut(scratch, tree, count, full);
	if (leaf == tree->root)
		return root_leaf_split(apply, tree, pieces, err);
	if (!(SOPI_PLANTED(SOPI_PLANT_APPEND_SPLIT_NO_VERSION) && full)) {
		SOP_TRY(sopi_leaf_page(apply, tree, 0, scratch->cuts[1], &page, err));
		sopi_apply_push(apply, leaf, page);
		sopi_apply_ranged(apply, leaf);
	}
	if (pieces == 1)
		return SOP_OK;
	SOP_TRY(new_leaves(apply, tree, 1, pieces, err));
	return parent_add(apply, tree, &path, pieces - 1, err);
}

/* ---- inner nodes ------------------------------------------------------------------------------- */

void sopi_inner_gather(struct sopi_scratch *scratch, const struct sopi_block *inner, size_t at)
{
	for (size_t i = 0; i < inner->count; i++)
		sopi_inner_describe(inner, i, &scratch->separators[at + i]);
}

static size_t inner_limit(const struct sopi_tree *tree, size_t bytes, size_t count)
{
	size_t limit = tree->inner_bytes;

	while (count > 0 && limit < SOPI_BLOCK_BYTES_MAX / 2 && limit < 8 * (bytes / count))
		limit *= 2;
	return limit;
}

bool sopi_inner_fits(const struct sopi_tree *tree, const struct sopi_separator *separators,
		     size_t count, size_t share)
{
	const size_t bytes =
		sopi_inner_bytes(separators, count, sopi_separators_common_prefix(separators, count));

	return count < tree->items_max / share && bytes <= inner_limit(tree, bytes, count) / share;
}

/* A page of the separators [from, to) with the child `first` below them. */
static sop_status inner_page(struct sopi_apply *apply, struct sopi_vnode *first, size_t from,
			     size_t to, struct sopi_block **out, sop_error *err)
{
	const struct sopi_separator *separators = apply->scratch->separators + from;
	const size_t count = to - from;
	const size_t prefix_size = sopi_separators_common_prefix(separators, count);

	SOP_TRY(sopi_apply_block(apply, sopi_inner_bytes(separators, count, prefix_size), out, err));
	sopi_inner_build(*out, first, separators, count, prefix_size);
#ifdef SOP_TEST_HOOKS
	sopi_plant_image(*out, apply->hints_at);
#endif
	return SOP_OK;
}

/* Cuts `count` separators; the one at each cut moves up. Returns the number of pieces. */
static size_t cut_separators(struct sopi_scratch *scratch, const struct cutting *cutting)
{
	const size_t pages = pages_of(cutting);
	size_t pieces = 1, bytes = 0, entries = 0;

	scratch->cuts[0] = 0;
	for (size_t i = 0; i < cutting->count; i++) {
		const struct sopi_separator *separator = &scratch->separators[i];
		const size_t next = 14 + sopi_separator_bytes((size_t)separator->prefix_size +
							      separator->key_size);

		if (ends_before(cutting, pages, bytes, entries, next)) {
			if (i + 1 < cutting->count) {
				scratch->cuts[pieces++] = (uint32_t)i;
				bytes = entries = 0;
				continue; /* this one moves up */
			}
			if (entries > 1) { /* the one before it moves up, so that the last page is not empty */
				scratch->cuts[pieces++] = (uint32_t)i - 1;
				bytes = entries = 0;
			}
		}
		bytes += next;
		entries++;
	}
	scratch->cuts[pieces] = (uint32_t)cutting->count;
	return pieces;
}

/* Cuts the first `count` separators into new inner nodes, the first of them around `first` or, if
 * `keep` is not NULL,
 * put into `keep`. What moves up is then at the start of scratch->separators, `*up` of them,
 * `*lowest` below. */
static sop_status inner_split(struct sopi_apply *apply, const struct sopi_tree *tree,
			      struct sopi_vnode *keep, struct sopi_vnode *first, size_t count,
			      bool append, struct sopi_vnode **lowest, size_t *up, sop_error *err)
{
	struct sopi_scratch *scratch = apply->scratch;
	const size_t bytes = sopi_inner_bytes(scratch->separators, count, 0) - SOPI_INNER_HEAD_BYTES;
	const struct cutting cutting = { .room = inner_limit(tree, bytes, count) -
						 SOPI_INNER_HEAD_BYTES - 32,
					 .most = tree->items_max - 1,
					 .total = bytes,
					 .count = count,
					 .full = append };
	const size_t pieces = cut_separators(scratch, &cutting);

	for (size_t i = 0; i < pieces; i++) {
		const size_t from = scratch->cuts[i] + (i > 0 ? 1 : 0);
		struct sopi_vnode *below = i == 0 ? first : scratch->separators[scratch->cuts[i]].child;
		struct sopi_separator moved = scratch->separators[scratch->cuts[i]];
		struct sopi_block *page;

		SOP_TRY(inner_page(apply, below, from, scratch->cuts[i + 1], &page, err));
		if (i == 0 && keep != NULL) {
			sopi_apply_push(apply, keep, page);
			*lowest = keep;
			continue;
		}
		SOP_TRY(sopi_apply_new_vnode(apply, page, i == 0 ? lowest : &moved.child, err));
		if (i > 0)
			scratch->separators[i - 1] =
				moved; /* below what is still needed: pieces hold at least one */
	}
	*up = pieces - 1;
	atomic_fetch_add_explicit(&apply->forest->split_count, pieces - 1, memory_order_relaxed);
	return SOP_OK;
}

/* The root's contents move into new nodes, level by level, until what is left fits in it. */
static sop_status root_inner_replace(struct sopi_apply *apply, struct sopi_tree *tree,
				     struct sopi_vnode *first, size_t count, bool append, sop_error *err)
{
	struct sopi_block *page;

	while (!sopi_inner_fits(tree, apply->scratch->separators, count, 1))
		SOP_TRY(inner_split(apply, tree, NULL, first, count, append, &first, &count, err));
	SOP_TRY(inner_page(apply, first, 0, count, &page, err));
	sopi_apply_push(apply, tree->root, page);
	return SOP_OK;
}

sop_status sopi_inner_replace(struct sopi_apply *apply, struct sopi_tree *tree,
			      const struct sopi_path *path, size_t level, struct sopi_vnode *first,
			      size_t count, bool append, sop_error *err)
{
	struct sopi_scratch *scratch = apply->scratch;
	struct sopi_vnode *vnode = path->level[level].vnode;
	const struct sopi_block *parent;
	struct sopi_vnode *lowest;
	struct sopi_block *page;
	size_t child, up;

	if (vnode == tree->root)
		return root_inner_replace(apply, tree, first, count, append, err);
	if (sopi_inner_fits(tree, scratch->separators, count, 1)) {
		SOP_TRY(inner_page(apply, first, 0, count, &page, err));
		sopi_apply_push(apply, vnode, page);
		return SOP_OK;
	}
	SOP_TRY(inner_split(apply, tree, vnode, first, count, append, &lowest, &up, err));
	parent = path->level[level - 1].block;
	child = path->level[level - 1].child;
	SOP_TRY(sopi_scratch_reserve(scratch, 0, up + parent->count, err));
	memmove(scratch->separators + child, scratch->separators, up * sizeof *scratch->separators);
	for (size_t i = 0; i < child; i++)
		sopi_inner_describe(parent, i, &scratch->separators[i]);
	for (size_t i = child; i < parent->count; i++)
		sopi_inner_describe(parent, i, &scratch->separators[i + up]);
	return sopi_inner_replace(apply, tree, path, level - 1, sopi_inner_children(parent)[0],
				  up + parent->count, append && child == parent->count, err);
}
