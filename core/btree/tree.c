/* Making and freeing trees, and finding the way to a leaf. */
#include "btree/apply.h"

#include "base/alloc.h"

/* ---- the forest -------------------------------------------------------------------------------- */

size_t sopi_version_bytes(const struct sopi_version *version)
{
	switch ((enum sopi_version_kind)version->kind) {
	case SOPI_LEAF:
	case SOPI_INNER:
	case SOPI_DEAD:
		return ((const struct sopi_block *)version)->capacity;
	case SOPI_VALUE:
		return ((const struct sopi_value *)version)->size;
	case SOPI_COUNT:
		return sizeof(struct sopi_count);
	case SOPI_TREE:
		break;
	}
	return sizeof(struct sopi_tree);
}

sop_status sopi_forest_init(struct sopi_forest *forest,
			    void (*tree_dispose)(void *, struct sopi_version *), void *owner,
			    sop_error *err)
{
	memset(forest, 0, sizeof *forest);
	sopi_memory_init(&forest->memory);
	atomic_init(&forest->next_vid, 1);
	const sop_status status =
		sopi_reclaim_init(&forest->reclaim, tree_dispose, sopi_version_bytes, owner, err);
	if (status != SOP_OK)
		sopi_memory_destroy(&forest->memory);
	return status;
}

void sopi_forest_destroy(struct sopi_forest *forest)
{
	sopi_memory_destroy(&forest->memory);
	sopi_free(forest->items);
	sopi_free(forest->separators);
	sopi_free(forest->cuts);
	sopi_arena_free(&forest->arena);
}

static void vnode_free(struct sopi_forest *forest, struct sopi_vnode *vnode)
{
	atomic_fetch_sub_explicit(&forest->node_count, 1, memory_order_relaxed);
	sopi_memory_give(&forest->memory, vnode, sizeof *vnode);
}

/* The block of a node that is no more names its vnode behind its header. */
static struct sopi_vnode *dead_vnode(const struct sopi_block *block)
{
	struct sopi_vnode *vnode;

	memcpy(&vnode, block + 1, sizeof vnode);
	return vnode;
}

void sopi_forest_dispose(struct sopi_forest *forest, struct sopi_version *version)
{
	switch ((enum sopi_version_kind)version->kind) {
	case SOPI_DEAD:
		vnode_free(forest, dead_vnode((struct sopi_block *)version));
		sopi_memory_give(&forest->memory, version, sopi_version_bytes(version));
		break;
	case SOPI_LEAF:
	case SOPI_INNER:
		sopi_memory_give(&forest->memory, version, sopi_version_bytes(version));
		break;
	case SOPI_VALUE:
		atomic_fetch_sub_explicit(&forest->value_bytes, sopi_version_bytes(version),
					  memory_order_relaxed);
		sopi_free(version);
		break;
	case SOPI_COUNT:
		sopi_memory_give(&forest->memory, version, sizeof(struct sopi_count));
		break;
	case SOPI_TREE:
		SOPI_UNREACHABLE();
	}
}

sop_status sopi_forest_reserve(struct sopi_forest *forest, size_t items, size_t separators, sop_error *err)
{
	const size_t cuts = (items > separators ? items : separators) + 2;
	void *memory;

	if (items > forest->item_capacity) {
		memory = forest->items;
		SOP_TRY(sopi_realloc(&memory, items * sizeof *forest->items, err));
		forest->items = memory;
		forest->item_capacity = items;
	}
	if (separators > forest->separator_capacity) {
		memory = forest->separators;
		SOP_TRY(sopi_realloc(&memory, separators * sizeof *forest->separators, err));
		forest->separators = memory;
		forest->separator_capacity = separators;
	}
	if (cuts > forest->cut_capacity) {
		memory = forest->cuts;
		SOP_TRY(sopi_realloc(&memory, cuts * sizeof *forest->cuts, err));
		forest->cuts = memory;
		forest->cut_capacity = cuts;
	}
	return SOP_OK;
}

struct sopi_block *sopi_block_new(struct sopi_forest *forest, size_t size)
{
	size_t capacity;
	struct sopi_block *block = sopi_memory_take(&forest->memory, size, &capacity);

	if (block == NULL)
		return NULL;
	memset(block, 0, sizeof *block);
	block->capacity = (uint32_t)capacity;
	return block;
}

struct sopi_vnode *sopi_vnode_new(struct sopi_forest *forest, struct sopi_block *block, uint64_t position)
{
	size_t capacity;
	struct sopi_vnode *vnode = sopi_memory_take(&forest->memory, sizeof *vnode, &capacity);

	if (vnode == NULL)
		return NULL;
	memset(vnode, 0, sizeof *vnode);
	block->version.since = position;
	atomic_init(&vnode->head, block);
	atomic_init(&vnode->newest, position);
	atomic_init(&vnode->ranged, position);
	vnode->vid = atomic_fetch_add_explicit(&forest->next_vid, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&forest->node_count, 1, memory_order_relaxed);
	return vnode;
}

/* ---- trees ------------------------------------------------------------------------------------- */

sop_status sopi_tree_init(struct sopi_tree *tree, struct sopi_forest *forest, uint64_t id,
			  uint32_t node_bytes, uint32_t node_items, uint64_t position, sop_error *err)
{
	struct sopi_block *leaf = sopi_block_new(forest, node_bytes);
	struct sopi_count *count = NULL;
	size_t capacity;

	memset(tree, 0, sizeof *tree);
	tree->version.kind = SOPI_TREE;
	tree->forest = forest;
	tree->id = id;
	tree->leaf_bytes = node_bytes;
	tree->inner_bytes = node_bytes * SOPI_INNER_FACTOR;
	tree->items_max = node_items == 0 || node_items > SOPI_SLOTS_MAX ? SOPI_SLOTS_MAX : node_items;
	atomic_init(&tree->next_item, 1);
	if (leaf == NULL)
		goto out_of_memory;
	sopi_leaf_build(leaf, NULL, 0, 0);
	count = sopi_memory_take(&forest->memory, sizeof *count, &capacity);
	if (count == NULL)
		goto out_of_memory;
	memset(count, 0, sizeof *count);
	count->version.kind = SOPI_COUNT;
	count->version.since = position;
	tree->root = sopi_vnode_new(forest, leaf, position);
	if (tree->root == NULL)
		goto out_of_memory;
	atomic_init(&tree->count, count);
	return SOP_OK;
out_of_memory:
	if (count != NULL)
		sopi_memory_give(&forest->memory, count, sizeof *count);
	if (leaf != NULL)
		sopi_memory_give(&forest->memory, leaf, leaf->capacity);
	return sopi_fail(err, SOP_NO_MEMORY, "out of memory while making a store");
}

static void free_apart_values(struct sopi_forest *forest, const struct sopi_block *leaf)
{
	struct sopi_item_view view;

	for (size_t i = 0; i < leaf->count; i++) {
		bool replaced = false;

		for (size_t d = 0; d < atomic_load(&leaf->delta_count); d++)
			replaced = replaced || sopi_leaf_delta_codes(leaf)[d] == (i << 1 | 1);
		sopi_leaf_describe(leaf, i, &view);
		if (!replaced && view.apart != NULL)
			sopi_forest_dispose(forest, &view.apart->version);
	}
}

/* Frees the values of deltas that no later delta replaces. */
static void free_delta_values(struct sopi_forest *forest, const struct sopi_block *leaf)
{
	const size_t count = atomic_load(&leaf->delta_count);

	for (size_t d = 0; d < count; d++) {
		struct sopi_item_view view, later;
		bool replaced = false;

		sopi_leaf_describe_delta(leaf, d, &view);
		for (size_t e = d + 1; e < count && !replaced; e++) {
			sopi_leaf_describe_delta(leaf, e, &later);
			replaced = sopi_item_compare(&view, &later) == 0;
		}
		if (!replaced && view.apart != NULL)
			sopi_forest_dispose(forest, &view.apart->version);
	}
}

/* Frees a node with all below it. Older versions and replaced values are with reclamation, not
 * here. */
static void node_destroy(struct sopi_forest *forest, struct sopi_vnode *vnode)
{
	struct sopi_block *block = atomic_load(&vnode->head);

	if (block->version.kind == SOPI_INNER) {
		for (size_t i = 0; i <= block->count; i++)
			node_destroy(forest, sopi_inner_children(block)[i]);
	} else {
		free_apart_values(forest, block);
		free_delta_values(forest, block);
	}
	sopi_memory_give(&forest->memory, block, block->capacity);
	vnode_free(forest, vnode);
}

void sopi_tree_destroy(struct sopi_tree *tree)
{
	struct sopi_count *count = atomic_load(&tree->count);

	node_destroy(tree->forest, tree->root);
	sopi_memory_give(&tree->forest->memory, count, sizeof *count);
}

int64_t sopi_tree_count(const struct sopi_tree *tree, uint64_t at)
{
	const struct sopi_count *count = atomic_load_explicit(&tree->count, memory_order_acquire);

	while (count->version.since > at) {
		count = (const struct sopi_count *)atomic_load_explicit(&count->version.older,
									memory_order_acquire);
		SOPI_CHECK(count != NULL);
	}
	return count->items;
}

/* ---- paths ------------------------------------------------------------------------------------- */

void sopi_tree_path(const struct sopi_tree *tree, const uint8_t *key, size_t size, uint64_t at,
		    struct sopi_path *path)
{
	struct sopi_vnode *vnode = tree->root;

	for (size_t depth = 0; depth < SOPI_TREE_DEPTH_MAX; depth++) {
		const struct sopi_block *block = sopi_vnode_view(vnode, at);

		SOPI_CHECK(block != NULL && block->version.kind != SOPI_DEAD);
		path->level[depth].vnode = vnode;
		path->level[depth].block = block;
		path->level[depth].child = 0;
		path->depth = depth;
		if (block->version.kind == SOPI_LEAF)
			return;
		path->level[depth].child = sopi_inner_search(block, key, size);
		vnode = sopi_inner_children(block)[path->level[depth].child];
		at = SOPI_CHILD_POSITION(block, vnode, at);
	}
	SOPI_UNREACHABLE();
}

void sopi_path_descend(struct sopi_path *path, size_t from, uint64_t at, bool last)
{
	for (size_t depth = from; depth + 1 < SOPI_TREE_DEPTH_MAX; depth++) {
		const struct sopi_block *block = path->level[depth].block;
		struct sopi_vnode *vnode;

		path->depth = depth;
		if (block->version.kind == SOPI_LEAF)
			return;
		if (depth > from)
			path->level[depth].child = last ? block->count : 0;
		vnode = sopi_inner_children(block)[path->level[depth].child];
		path->level[depth + 1].vnode = vnode;
		path->level[depth + 1].block =
			sopi_vnode_view(vnode, SOPI_CHILD_POSITION(block, vnode, at));
		path->level[depth + 1].child = 0;
		SOPI_CHECK(path->level[depth + 1].block != NULL);
	}
	SOPI_UNREACHABLE();
}

bool sopi_path_upper(const struct sopi_path *path, struct sopi_separator *upper)
{
	for (size_t depth = path->depth; depth-- > 0;) {
		const struct sopi_block *block = path->level[depth].block;

		if (path->level[depth].child < block->count) {
			sopi_inner_describe(block, path->level[depth].child, upper);
			return true;
		}
	}
	return false;
}

int sopi_separator_compare_key(const struct sopi_separator *separator, const uint8_t *key, size_t size)
{
	const struct sopi_item_view view = { .prefix = separator->prefix,
					     .prefix_size = separator->prefix_size,
					     .key = separator->key,
					     .key_size = separator->key_size };

	return sopi_item_compare_key(&view, key, size);
}
