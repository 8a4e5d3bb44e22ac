/* Which nodes of a database on disk are in memory: bringing them in, evicting leaves, and the list of what the next
 * checkpoint must write. A database in memory has none of this (forest->resident is NULL).
 *
 * Inner nodes stay once they were read; only leaves are evicted, and only those that are clean, have one version, and
 * that every snapshot has passed. Evicting holds the commit mutex, since only its holder changes leaves; loading holds
 * one bit of the vnode. A pointer into an evicted block stays good until the call that took it ends (node/reclaim.h);
 * whoever keeps one across calls pins it, or compares `evictions` first, as scans do. */
#ifndef SOPI_RESIDENT_H
#define SOPI_RESIDENT_H

#include "btree/tree.h"
#include "node/page.h"
#include "platform/file.h"

enum {
	SOPI_DIRTY_IN_CHUNK = 170,
	SOPI_DIRTY_ROOM = 256,
	SOPI_DIRTY_AHEAD = 4,
	SOPI_LOAD_STRIPES = 16
};
enum { SOPI_READ_AHEAD_MAX = 16 }; /* leaves that one read brings in */
enum { SOPI_PINNED_PART = 8 }; /* of the budget: what pins may keep in memory of what was evicted */

/* What was read of one node, unchecked. */
struct sopi_node_read {
	uint64_t vid; /* the node that is asked for; the rest is the answer */
	sop_bytes page; /* these lie in the reader's buffer */
	sop_bytes patch; /* empty: it has none */
	uint64_t position, patch_position; /* what the two must be of */
	uint64_t pack, patch_pack; /* where they were */
	int64_t offset, patch_offset;
};

/* Where nodes come from. */
struct sopi_page_source {
	/* Reads the first of the nodes into `room`, and others with it, in their order, if they lie so that one read brings
	 * all; *got says how many. `room` holds nothing yet. CORRUPT, IO, NO_MEMORY, FAILED. Any thread. */
	sop_status (*read)(void *arg, struct sopi_node_read *nodes, size_t count, sop_buf *room,
			   size_t *got, sop_error *err);

	/* The name of that pack, for messages: making it costs more than finding the page. */
	void (*name)(void *arg, uint64_t pack, char file[SOPI_PATH_BYTES_MAX + 1]);
	void *arg;
};

/* A node that changed since the last checkpoint. */
struct sopi_dirty {
	struct sopi_vnode *vnode;
	uint64_t store;
	uint32_t bytes; /* of its block when it was listed; about what it will be, if it was not in memory */
	bool lives; /* the checkpoint that took it found it alive */
};

struct sopi_dirty_chunk {
	struct sopi_dirty_chunk *older;
	size_t count;
	struct sopi_dirty nodes[SOPI_DIRTY_IN_CHUNK];
};

/* Asks for the nodes that come behind number `i`: they lie anywhere, and nobody has touched them for long. */
static inline void sopi_dirty_ask(const struct sopi_dirty_chunk *chunk, size_t i)
{
	if (i + 2 * SOPI_DIRTY_AHEAD < chunk->count)
		__builtin_prefetch(chunk->nodes[i + 2 * SOPI_DIRTY_AHEAD].vnode);
	if (i + SOPI_DIRTY_AHEAD < chunk->count)
		__builtin_prefetch(atomic_load_explicit(&chunk->nodes[i + SOPI_DIRTY_AHEAD].vnode->head,
							memory_order_relaxed));
}

struct sopi_dirty_list {
	struct sopi_dirty_chunk *newest; /* of a chain from newer to older */
	struct sopi_dirty_chunk *oldest;
	size_t count; /* of nodes */
};

/* A thread that helps to bring nodes in (btree/together.h). */
struct sopi_together;
struct sopi_helper {
	_Atomic bool allowed; /* to be begun */
	sopi_mutex mutex; /* guards the rest; leaf of the lock order */
	sopi_cond wanted; /* there is something to bring in */
	sopi_cond done; /* nothing is left */
	struct sopi_together *together; /* what it helps with; NULL: nothing */
	bool stop;
	bool running;
	sopi_thread thread;
};

struct sopi_resident {
	_Alignas(64) _Atomic uint64_t evictions; /* rounds that evicted something */
	struct sopi_forest *forest;
	struct sopi_page_source source;
	sopi_mutex *commit_mutex;
	const _Atomic uint64_t *answered;
	_Atomic size_t bytes_max; /* of the forest's memory in use; beyond, leaves are evicted */
	_Atomic bool data_exceeds; /* that budget: most of what is asked for must be read */
	size_t node_bytes; /* what a leaf usually takes */
	size_t dirty_bytes_max; /* of nodes that wait for a checkpoint; half of it: one is due */
	_Atomic uint32_t hold; /* commits that must not lose leaves now */
	_Atomic uint64_t waited_for; /* epoch of the call that loading has waited for, */
	_Atomic uint64_t waits; /* and how often */
	_Atomic size_t loading; /* calls that are waiting so, or might */
	_Atomic uint64_t loads;
	_Atomic uint64_t evicted;
	sopi_mutex mutex; /* guards the leaves that may be evicted; leaf of the lock order */
	struct sopi_vnode **leaves;
	size_t leaf_count;
	size_t leaf_capacity;
	size_t hand; /* of the clock that chooses what to evict */
	/* Guarded by the commit mutex. */
	struct sopi_dirty_list dirty;
	struct sopi_dirty_chunk *spare; /* chunks for more */
	size_t spare_count;
	_Atomic size_t dirty_bytes; /* of their blocks, about; also of a list that a checkpoint has taken */
	const struct sopi_tree *absent_tree; /* what apply or validate could not find in memory */
	struct sopi_vnode *absent;
	struct sopi_helper helper;
	struct {
		sopi_mutex mutex; /* leaf of the lock order */
		sopi_cond loaded;
	} stripes[SOPI_LOAD_STRIPES]; /* where those wait who find a vnode being loaded */
};

/* Makes the nodes of `forest` pageable. NO_MEMORY. */
sop_status sopi_resident_open(struct sopi_forest *forest, const struct sopi_page_source *source,
			      sopi_mutex *commit_mutex, const _Atomic uint64_t *answered,
			      size_t bytes_max, size_t node_bytes, sop_error *err);

/* REQUIRES: no call is running. */
void sopi_resident_close(struct sopi_forest *forest);

/* Brings in what a WOULD_BLOCK was about. REQUIRES: not the commit mutex. */
sop_status sopi_resident_bring(struct sopi_resident *resident, const struct sopi_tree *tree,
			       struct sopi_vnode *vnode, sop_error *err);

/* The same in two steps: whoever brings in many makes room once for all of them. */
void sopi_resident_make_room(struct sopi_resident *resident);
sop_status sopi_resident_bring_one(struct sopi_resident *resident, const struct sopi_tree *tree,
				   struct sopi_vnode *vnode, sop_error *err);

/* Brings in the first of these children of one node, and of those behind it what one read may bring besides, `most` in all.
 * REQUIRES: not the commit mutex. */
sop_status sopi_resident_bring_ahead(struct sopi_resident *resident, const struct sopi_tree *tree,
				     struct sopi_vnode *const *children, size_t most, sop_error *err);

/* Takes the right to bring in a node, or waits until another thread has done that. False: it is in memory. While it is claimed no
 * other thread makes it have a version. */
bool sopi_resident_claim(struct sopi_resident *resident, struct sopi_vnode *vnode);

/* The same without waiting. False: it is in memory, or claimed by another thread. */
bool sopi_resident_try_claim(struct sopi_resident *resident, struct sopi_vnode *vnode);

void sopi_resident_unclaim(struct sopi_resident *resident, struct sopi_vnode *vnode);

/* Lists a clean leaf as one that may be evicted. If there is no memory for that it just stays in memory. */
void sopi_resident_list(struct sopi_resident *resident, struct sopi_vnode *vnode);

/* A vnode for a node that is on disk only. NULL: out of memory. */
struct sopi_vnode *sopi_vnode_on_disk(struct sopi_forest *forest, uint64_t vid);

/* May the transaction of `slot` pin leaves across calls (node/reclaim.h)? Not when those of all others may take up much of
 * the budget already, or do, since some are larger than others. */
static inline bool sopi_resident_may_pin(const struct sopi_resident *resident,
					 const struct sopi_slot *slot)
{
	const struct sopi_reclaim *reclaim = &resident->forest->reclaim;
	const size_t limit =
		atomic_load_explicit(&resident->bytes_max, memory_order_relaxed) / SOPI_PINNED_PART;

	return (slot->may_have_pins || atomic_load_explicit(&reclaim->pinning, memory_order_relaxed) *
						       SOPI_PINS * resident->node_bytes <
					       limit) &&
	       atomic_load_explicit(&reclaim->pinned_bytes, memory_order_relaxed) <= limit;
}

/* Evicts a few leaves if the memory in use is beyond its budget. True: it is, and some have gone. REQUIRES: not the
 * commit mutex. */
bool sopi_resident_evict(struct sopi_resident *resident);

/* ---- dirty nodes: all under the commit mutex ----------------------------------------------------- */

/* Room for SOPI_DIRTY_ROOM more, so that sopi_dirty_add cannot fail so often. NO_MEMORY. */
sop_status sopi_dirty_reserve(struct sopi_forest *forest, sop_error *err);

/* Lists a node, unless it is. REQUIRES: room. */
void sopi_dirty_add(struct sopi_forest *forest, struct sopi_vnode *vnode, uint64_t store);

/* The same for a leaf that is not in memory, but will be, and take about so many bytes then. */
void sopi_dirty_add_absent(struct sopi_forest *forest, struct sopi_vnode *vnode, uint64_t store,
			   uint32_t bytes);

/* How many there are, and cutting the list back to that: those beyond are as they were before. */
size_t sopi_dirty_mark(const struct sopi_forest *forest);
void sopi_dirty_cut(struct sopi_forest *forest, size_t mark);

/* Takes the list. Its nodes keep their mark, so that nobody lists them again. */
void sopi_dirty_take(struct sopi_resident *resident, struct sopi_dirty_list *list);

/* Gives a list back, of which nothing was written. */
void sopi_dirty_return(struct sopi_resident *resident, struct sopi_dirty_list *list);

/* The nodes of a taken list are durable as of `position`: they are clean now, or listed anew where they have changed
 * since. Settles some of them at a time, so that the mutex may be given to others in between; false: none are left.
 * REQUIRES: the checkpoint's snapshot is published still. */
bool sopi_dirty_settle(struct sopi_resident *resident, struct sopi_dirty_list *list, uint64_t position);

/* The node is no more. True: nobody lists it, and it and its last version are the caller's to free; false: whoever
 * takes it off the list frees both. Any thread. */
bool sopi_resident_forget(struct sopi_forest *forest, struct sopi_vnode *vnode);

#endif
