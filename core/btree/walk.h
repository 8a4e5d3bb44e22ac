/* Walking over the items of a tree as of one position, leaf by leaf, both ways. */
#ifndef SOPI_WALK_H
#define SOPI_WALK_H

#include "btree/tree.h"

enum { SOPI_WALK_ORDER_ROOM = 128 };

/* Where a walk is. Everything that it points to is pinned by the snapshot that it reads at. */
struct sopi_walk {
	const struct sopi_tree *tree;
	uint64_t at; /* position */
	struct sopi_path path; /* to the leaf */
	const struct sopi_block *leaf;
	struct sopi_vnode *vnode; /* of the leaf */
	size_t ahead; /* how many leaves it would bring in at once, were the next one not in memory */
	bool brought; /* it has brought in the leaf that it stands on */
	size_t count; /* items of the leaf that are visible */
	size_t index; /* of these, the one it stands on; `count` or beyond: none */
	uint16_t *order; /* where deltas are visible: base slots, or delta numbers with the top bit; else NULL */
	uint16_t *order_memory; /* allocated, when the room below does not do */
	size_t order_capacity;
	uint16_t order_room[SOPI_WALK_ORDER_ROOM];
};

void sopi_walk_init(struct sopi_walk *walk, const struct sopi_tree *tree, uint64_t at);
void sopi_walk_free(struct sopi_walk *walk);

/* Goes to the leaf that answers for `key`, to its first item at or behind `key`: that may be
 * `count`, with more items in the next leaf. NO_MEMORY. */
sop_status sopi_walk_seek(struct sopi_walk *walk, const uint8_t *key, size_t size, sop_error *err);

/* Goes to the last leaf, behind its last item. */
sop_status sopi_walk_end(struct sopi_walk *walk, sop_error *err);

/* Goes to the neighbouring leaf, to its first or behind its last item. NOT_FOUND (without a
 * message): there is none. */
sop_status sopi_walk_next_leaf(struct sopi_walk *walk, sop_error *err);
sop_status sopi_walk_previous_leaf(struct sopi_walk *walk, sop_error *err);

/* The item `index` of the leaf. */
static inline void sopi_walk_item(const struct sopi_walk *walk, size_t index, struct sopi_item_view *view)
{
	if (SOPI_LIKELY(walk->order == NULL)) {
		sopi_leaf_describe(walk->leaf, index, view);
		return;
	}
	if (walk->order[index] & 0x8000u)
		sopi_leaf_describe_delta(walk->leaf, walk->order[index] & 0x7FFFu, view);
	else
		sopi_leaf_describe(walk->leaf, walk->order[index], view);
}

#endif
