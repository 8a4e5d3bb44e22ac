/* A store's B-Tree: vnodes under a root whose virtual ID is fixed for life, and its versioned
 * count. */
#ifndef SOPI_TREE_H
#define SOPI_TREE_H

#include "base/arena.h"
#include "codec/schema.h"
#include "node/memory.h"
#include "node/reclaim.h"
#include "node/vnode.h"

struct sopi_ahead; /* btree/ahead.h */
struct sopi_resident; /* btree/resident.h */

enum {
	SOPI_NODE_BYTES_DEFAULT = 4096,
	SOPI_NODE_BYTES_MIN = 1024,
	SOPI_NODE_BYTES_MAX = 32768,
	SOPI_NODE_ITEMS_MIN = 4,
	SOPI_NODE_ITEMS_MAX = 20000,
	SOPI_INNER_FACTOR = 4, /* an inner page may be so many times larger than a leaf */
	SOPI_TREE_DEPTH_MAX = 64,
	SOPI_CHANGES_AT_ONCE = 1024, /* changes that one rebuild of a leaf takes in */
	SOPI_DELTAS_AT_ONCE = 4, /* more changes of one leaf build its new base at once */
};

/* Where new versions are put together. */
struct sopi_scratch {
	struct sopi_item_view *items;
	size_t item_capacity;
	struct sopi_separator *separators;
	size_t separator_capacity;
	uint32_t *cuts; /* where a split cuts */
	size_t cut_capacity;
	struct sopi_arena arena; /* what folding computes */
	sop_buf record; /* what the commit does, for its log record */
	const struct sopi_operation *refused; /* after SCHEMA: the newest on the key whose item it does not suit */
};

/* All trees of one database share this. */
struct sopi_forest {
	struct sopi_memory memory;
	struct sopi_spare spare; /* what large transactions use besides */
	struct sopi_reclaim reclaim;
	_Atomic uint64_t next_vid;
	_Atomic uint64_t node_count;
	_Atomic uint64_t split_count;
	_Atomic uint64_t merge_count;
	_Atomic uint64_t value_bytes; /* kept apart */
	struct sopi_resident *resident; /* which nodes are in memory; NULL: all */
	void (*value_gone)(void *owner, struct sopi_value *value); /* takes a value that no item names; NULL: it is freed */
	void *owner;
	bool closing; /* what is freed now is gone from memory only */
	struct sopi_scratch scratch; /* of the commit that is being applied; guarded by the commit mutex */
};

struct sopi_tree {
	struct sopi_version version; /* while a dropped store waits to be freed */
	struct sopi_forest *forest;
	struct sopi_vnode *root;
	_Atomic(struct sopi_count *) count;
	uint64_t id; /* of the store */
	_Atomic uint64_t next_item; /* item id of the next insertion, in stores with duplicates */
	_Atomic(const struct sopi_schema *) schema; /* newest, or NULL: raw keys; the registry owns it */
	uint32_t leaf_bytes;
	uint32_t inner_bytes;
	uint32_t items_max; /* items of a leaf, children of an inner node */
	bool duplicates;
	struct sopi_tree *touched_next; /* of the commit that is being applied: its count has a new version */
};

sop_status sopi_forest_init(struct sopi_forest *forest,
			    void (*tree_dispose)(void *, struct sopi_version *), void *owner,
			    sop_error *err);

/* Frees the nodes' memory. REQUIRES: reclamation and all trees are destroyed. */
void sopi_forest_destroy(struct sopi_forest *forest);

void sopi_scratch_free(struct sopi_scratch *scratch);

/* A value of `size` bytes that no item names yet, without its bytes. NO_MEMORY. */
sop_status sopi_value_new(struct sopi_forest *forest, uint64_t size, struct sopi_value **out,
			  sop_error *err);

/* Frees a value that no item names, or only in memory. */
void sopi_value_free(struct sopi_forest *forest, struct sopi_value *value);

/* Frees a version of any kind but a tree. */
void sopi_forest_dispose(struct sopi_forest *forest, struct sopi_version *version);

/* Bytes that a version holds. */
size_t sopi_version_bytes(const struct sopi_version *version);

/* A new block of at least `size` bytes, its header cleared; NULL: out of memory. */
struct sopi_block *sopi_block_new(struct sopi_forest *forest, size_t size);

/* A new vnode whose first version is `block`; NULL: out of memory. */
struct sopi_vnode *sopi_vnode_new(struct sopi_forest *forest, struct sopi_block *block, uint64_t position);

/* Fills in an empty tree, current from `position` on: node_bytes and node_items as the store was
 * created with (items 0: by bytes). */
sop_status sopi_tree_init(struct sopi_tree *tree, struct sopi_forest *forest, uint64_t id,
			  uint32_t node_bytes, uint32_t node_items, uint64_t position, sop_error *err);

/* The same for a tree that is on disk. */
sop_status sopi_tree_open(struct sopi_tree *tree, struct sopi_forest *forest, uint64_t id,
			  uint32_t node_bytes, uint32_t node_items, uint64_t root, int64_t items,
			  uint64_t next_item, uint64_t position, sop_error *err);

/* Frees all nodes of the tree, and its counts. REQUIRES: nobody can reach it. */
void sopi_tree_destroy(struct sopi_tree *tree);

/* How many items there are at a position. */
int64_t sopi_tree_count(const struct sopi_tree *tree, uint64_t at);

/* ---- searching --------------------------------------------------------------------------------- */

#ifdef SOP_TEST_HOOKS
uint64_t sopi_plant_child_position(const struct sopi_block *inner, const struct sopi_vnode *child,
				   uint64_t at);
#define SOPI_CHILD_POSITION(inner, child, at) sopi_plant_child_position(inner, child, at)
#else
#define SOPI_CHILD_POSITION(inner, child, at) (at)
#endif

/* Brings in a node that is not in memory; see btree/resident.h, which also says what happens at HEAD. */
sop_status sopi_vnode_load(const struct sopi_tree *tree, struct sopi_vnode *vnode, uint64_t at,
			   size_t depth, const struct sopi_block **out, sop_error *err);

/* The leaf was read: the clock that evicts passes it by once. */
static inline void sopi_vnode_heat(struct sopi_vnode *vnode)
{
	if ((atomic_load_explicit(&vnode->state, memory_order_relaxed) & SOPI_VNODE_HOT) == 0)
		atomic_fetch_or_explicit(&vnode->state, SOPI_VNODE_HOT, memory_order_relaxed);
}

/* Finds the leaf version that answers for `key` at a position, and its vnode. WOULD_BLOCK (at HEAD or with `nowait`:
 * a node is not in memory; without a message), and for databases on disk IO, CORRUPT, NO_MEMORY. */
static inline sop_status sopi_tree_leaf_as(const struct sopi_tree *tree, const uint8_t *key, size_t size,
					   uint64_t at, bool nowait, struct sopi_vnode **leaf,
					   const struct sopi_block **out, sop_error *err)
{
	struct sopi_vnode *vnode = tree->root;

	for (size_t depth = 0;; depth++) {
		const struct sopi_block *block = sopi_vnode_view(vnode, at);

		if (SOPI_UNLIKELY(block == NULL)) {
			if (nowait)
				return SOP_WOULD_BLOCK;
			SOP_TRY(sopi_vnode_load(tree, vnode, at, depth, &block, err));
		}
		if (SOPI_LIKELY(block->version.kind == SOPI_LEAF)) {
			sopi_vnode_heat(vnode);
			*leaf = vnode;
			*out = block;
			return SOP_OK;
		}
		SOPI_CHECK(block->version.kind == SOPI_INNER);
		vnode = sopi_inner_children(block)[sopi_inner_search(block, key, size)];
		at = SOPI_CHILD_POSITION(block, vnode, at);
	}
}

/* The same; it waits for what is not in memory, except at HEAD. */
static inline sop_status sopi_tree_leaf(const struct sopi_tree *tree, const uint8_t *key,
					size_t size, uint64_t at, struct sopi_vnode **leaf,
					const struct sopi_block **out, sop_error *err)
{
	return sopi_tree_leaf_as(tree, key, size, at, false, leaf, out, err);
}

/* The way from the root to a leaf: at each level the version taken and the child chosen in it. */
struct sopi_path {
	struct {
		struct sopi_vnode *vnode;
		const struct sopi_block *block;
		size_t child;
	} level[SOPI_TREE_DEPTH_MAX];
	size_t depth; /* number of inner levels; level[depth] is the leaf */
	bool stays; /* set by the caller unless it reads HEAD: a node that is not in memory is WOULD_BLOCK, as there */
};

/* Finds the way to the leaf that answers for `key` at a position. As sopi_tree_leaf. */
sop_status sopi_tree_path(const struct sopi_tree *tree, const uint8_t *key, size_t size,
			  uint64_t at, struct sopi_path *path, sop_error *err);

/* The same down to level `depth`, where the leaves of the tree are: that one may have no block, and then is not brought in. */
sop_status sopi_tree_path_above(const struct sopi_tree *tree, const uint8_t *key, size_t size,
				uint64_t at, size_t depth, struct sopi_path *path, sop_error *err);

/* Continues a path downwards from level `from`, always to the first or the last child. */
sop_status sopi_path_descend(const struct sopi_tree *tree, struct sopi_path *path, size_t from,
			     uint64_t at, bool last, sop_error *err);

/* The separator at which the leaf of the path ends: keys from it on are not its own. False if it
 * is the last leaf. */
bool sopi_path_upper(const struct sopi_path *path, struct sopi_separator *upper);

/* Orders a separator and a key. */
int sopi_separator_compare_key(const struct sopi_separator *separator, const uint8_t *key, size_t size);

/* ---- changing ---------------------------------------------------------------------------------- */

struct sopi_operation;

/* What a transaction does to one key. Changes of one tree come in ascending order of their keys. */
struct sopi_change {
	const struct sopi_operation *newest; /* of the chain on the key */
	struct sopi_vnode *leaf; /* answered for the key at `hints_at`, or NULL */
};

/* One commit while it is applied. It either ends with sopi_apply_keep or leaves no trace after
 * sopi_apply_undo. */
struct sopi_apply {
	struct sopi_forest *forest;
	struct sopi_scratch *scratch;
	uint64_t position;
	uint64_t hints_at; /* position at which the leaves of changes were looked up */
	uint64_t lands_at; /* of replay, whose operations say their own positions: where sopi_apply_land puts it; else 0 */
	struct sopi_vnode *touched;
	struct sopi_tree *counted; /* trees whose count has a new version */
	const struct sopi_tree *tree; /* whose nodes are being changed */
	size_t dirty_mark; /* nodes that were dirty before */
	struct sopi_ahead *ahead; /* built ahead of its commit: what it does to values is noted there; or NULL */
	bool records; /* what it does goes into scratch->record */
	struct sopi_version_list superseded; /* wait for the commit to be kept */
	struct sopi_version_list replaced; /* versions of this commit that it replaced itself */
	uint64_t operations; /* resolved */
};

void sopi_apply_begin(struct sopi_apply *apply, struct sopi_forest *forest, uint64_t position,
		      uint64_t hints_at);

/* Looks the leaves of changes up at a position, and brings in those that are not in memory (together.h). REQUIRES: not the commit
 * mutex. */
sop_status sopi_tree_find_leaves(const struct sopi_tree *tree, struct sopi_change *changes,
				 size_t count, uint64_t at, sop_error *err);

/* Applies changes to the newest state. REQUIRES: the commit mutex. After a failure call
 * sopi_apply_undo. WOULD_BLOCK: a node is not in memory (forest->resident says which). */
sop_status sopi_apply_changes(struct sopi_apply *apply, struct sopi_tree *tree,
			      const struct sopi_change *changes, size_t count, sop_error *err);

/* Hands a version that this commit supersedes over to reclamation, if it is kept. */
void sopi_apply_supersede(struct sopi_apply *apply, struct sopi_version *version);

/* Hands the superseded versions over to reclamation. Never fails. */
void sopi_apply_keep(struct sopi_apply *apply);

/* Gives a part of a replay its place in the order of positions: until then it is newer than all, so that it can be taken
 * back without what earlier parts of the same replay have changed. REQUIRES: nobody else reads; before sopi_apply_keep. */
void sopi_apply_land(struct sopi_apply *apply);

/* Takes everything back. Never fails. */
void sopi_apply_undo(struct sopi_apply *apply);

#endif
