/* A node in memory: stable for the life of its virtual ID, with the chain of its versions, newest
 * first.
 *
 * Parents, cursors and transactions point to vnodes, never to one version. Only the holder of the
 * commit mutex adds versions and deltas; readers take no lock: a reader at position S takes the
 * newest version at or below S. */
#ifndef SOPI_VNODE_H
#define SOPI_VNODE_H

#include "node/block.h"

struct sopi_vnode {
	_Atomic(struct sopi_block *) head; /* newest version */
	_Atomic uint64_t newest; /* position of the newest change, deltas included */
	_Atomic uint64_t ranged; /* position at which the key range that it answers for last changed */
	uint64_t vid;
	/* The rest belongs to the commit that is being applied: what it needs to take its changes
	 * back. */
	struct sopi_vnode *touched_next;
	uint64_t touched_at; /* position of the last commit that touched it */
	uint16_t items_before;
	uint64_t ranged_before;
};

_Static_assert(sizeof(struct sopi_vnode) == 64, "a vnode is one cache line");

/* The version that a reader at position `at` sees; NULL if the node was not born then. */
static inline struct sopi_block *sopi_vnode_view(const struct sopi_vnode *vnode, uint64_t at)
{
	struct sopi_block *block = atomic_load_explicit(&vnode->head, memory_order_acquire);

	while (block != NULL && block->version.since > at)
		block = (struct sopi_block *)atomic_load_explicit(&block->version.older,
								  memory_order_acquire);
	return block;
}

/* Has anything in the node changed above `at`? */
static inline bool sopi_vnode_changed(const struct sopi_vnode *vnode, uint64_t at)
{
	return atomic_load_explicit(&vnode->newest, memory_order_acquire) > at;
}

/* How many items a store has: one version of it. */
struct sopi_count {
	struct sopi_version version;
	int64_t items;
};

#endif
