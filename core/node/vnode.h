/* A node: stable for the life of its virtual ID, with the chain of its versions, newest first.
 *
 * Parents, cursors and transactions point to vnodes, never to one version. Only the holder of the
 * commit mutex adds versions and deltas; readers take no lock: a reader at position S takes the
 * newest version at or below S.
 *
 * A node of a database on disk may have no version in memory: then all of it is on disk, as of a
 * position that every snapshot has passed, and btree/resident.h brings it in. */
#ifndef SOPI_VNODE_H
#define SOPI_VNODE_H

#include "node/block.h"

struct sopi_pending;

struct sopi_vnode {
	_Atomic(struct sopi_block *) head; /* newest version; NULL: on disk only */
	_Atomic uint64_t newest; /* position of the newest change, deltas included */
	_Atomic uint64_t ranged; /* position at which the key range that it answers for last changed */
	uint64_t vid;
	/* The rest belongs to the commit that is being applied: what it needs to take its changes
	 * back. */
	struct sopi_vnode *touched_next;
	uint64_t touched_at; /* position of the last commit that touched it */
	union {
		uint64_t ranged_before;
		struct sopi_pending *pending; /* without a version in memory: btree/pending.h */
	};
	uint32_t resident; /* 1 + its number among the leaves that may be evicted; 0: it is none of them */
	uint16_t items_before;
	_Atomic uint8_t state; /* sopi_vnode_state, as bits */
};

/* What is true of a node of a database on disk. */
enum sopi_vnode_state {
	SOPI_VNODE_HOT = 1, /* read since the last look for leaves to evict */
	SOPI_VNODE_LOADING = 2, /* a thread is bringing it in */
	SOPI_VNODE_DIRTY = 4, /* listed for the next checkpoint */
	SOPI_VNODE_ZOMBIE = 8, /* it is no more; whoever takes DIRTY off frees it */
	SOPI_VNODE_REGISTERED = 16, /* the registry knows it, or may */
	SOPI_VNODE_GROWN = 32, /* a leaf that has lost no item since its page was written: a patch may say the rest */
	SOPI_VNODE_PATCHED = 64, /* the registry knows a patch of it, or may */
	SOPI_VNODE_PENDING = 128 /* a leaf that is on disk only has changes that its page lacks */
};

_Static_assert(sizeof(struct sopi_vnode) == 64, "a vnode is one cache line");

/* A leaf has lost items, or a node anything: only a whole page can say what it is now. */
static inline void sopi_vnode_shrinks(struct sopi_vnode *vnode)
{
	if ((atomic_load_explicit(&vnode->state, memory_order_relaxed) & SOPI_VNODE_GROWN) != 0)
		atomic_fetch_and_explicit(&vnode->state, (uint8_t)~SOPI_VNODE_GROWN, memory_order_relaxed);
}

static inline bool sopi_vnode_has_grown(const struct sopi_vnode *vnode)
{
	return (atomic_load_explicit(&vnode->state, memory_order_relaxed) & SOPI_VNODE_GROWN) != 0;
}

/* Items of a leaf were only added or replaced since its page was written. */
static inline void sopi_vnode_grows(struct sopi_vnode *vnode)
{
	atomic_fetch_or_explicit(&vnode->state, SOPI_VNODE_GROWN, memory_order_relaxed);
}

/* The version that a reader at position `at` sees; NULL if the node was not born then, or is not in memory. */
static inline struct sopi_block *sopi_block_view(const struct sopi_block *newest, uint64_t at)
{
	const struct sopi_block *block = newest;

	while (block != NULL && block->version.since > at)
		block = (const struct sopi_block *)atomic_load_explicit(&block->version.older,
									memory_order_acquire);
	return (struct sopi_block *)(uintptr_t)block;
}

static inline struct sopi_block *sopi_vnode_view(const struct sopi_vnode *vnode, uint64_t at)
{
	return sopi_block_view(atomic_load_explicit(&vnode->head, memory_order_acquire), at);
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
