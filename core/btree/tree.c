/* Making and freeing trees, and finding the way to a leaf. */
#include "btree/apply.h"

#include "base/alloc.h"
#include "btree/pending.h"
#include "btree/resident.h"

/* ---- the forest -------------------------------------------------------------------------------- */

size_t sopi_version_bytes(const struct sopi_version *version)
{
	switch ((enum sopi_version_kind)version->kind) {
	case SOPI_LEAF:
	case SOPI_INNER:
	case SOPI_DEAD:
		return ((const struct sopi_block *)version)->capacity;
	case SOPI_VALUE:
		return sizeof(struct sopi_value) + (((const struct sopi_value *)version)->bytes != NULL
							    ? ((const struct sopi_value *)version)->size
							    : 0);
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
	atomic_init(&forest->spare.bytes_max, SOPI_SPARE_BYTES_MAX);
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
	sopi_scratch_free(&forest->scratch);
	sopi_spare_free(&forest->spare);
	sopi_resident_close(forest);
}

void sopi_scratch_free(struct sopi_scratch *scratch)
{
	sopi_free(scratch->items);
	sopi_free(scratch->separators);
	sopi_free(scratch->cuts);
	sopi_arena_free(&scratch->arena);
	sop_buf_free(&scratch->record);
	memset(scratch, 0, sizeof *scratch);
}

/* Frees a node and, if it is not NULL, its last version; or leaves both to the checkpoint that lists it. */
static void vnode_free(struct sopi_forest *forest, struct sopi_vnode *vnode, struct sopi_block *block)
{
	atomic_fetch_sub_explicit(&forest->node_count, 1, memory_order_relaxed);
	if (!sopi_resident_forget(forest, vnode))
		return;
	sopi_pending_forget(forest, vnode);
	if (block != NULL)
		sopi_memory_give(&forest->memory, block, block->capacity);
	sopi_memory_give(&forest->memory, vnode, sizeof *vnode);
}

/* The block of a node that is no more names its vnode behind its header. */
static struct sopi_vnode *dead_vnode(const struct sopi_block *block)
{
	struct sopi_vnode *vnode;

	memcpy(&vnode, block + 1, sizeof vnode);
	return vnode;
}

/* Has delta `later` the key of delta `number`? Looks at keys alone: the value of a replaced item may be freed. */
static bool replaces(const struct sopi_block *leaf, size_t later, size_t number)
{
	const uint16_t *codes = sopi_leaf_delta_codes(leaf);
	const uint16_t *places = sopi_leaf_delta_places(leaf);
	const struct sopi_item *a, *b;

	if (codes[later] != codes[number])
		return false;
	if ((codes[number] & 1) != 0) /* the key of one item of the base */
		return true;
	a = sopi_item_at(leaf, places[later]);
	b = sopi_item_at(leaf, places[number]);
	return sopi_item_key_size(a) == sopi_item_key_size(b) &&
	       memcmp(sopi_item_key(a), sopi_item_key(b), sopi_item_key_size(a)) == 0;
}

/* Calls `free_value` for each value that is current in a leaf. */
static void each_apart_value(const struct sopi_block *leaf,
			     void (*free_value)(struct sopi_forest *, struct sopi_value *),
			     struct sopi_forest *forest)
{
	const size_t count = atomic_load(&leaf->delta_count);
	struct sopi_item_view view;

	for (size_t i = 0; i < leaf->count && !leaf->inlined; i++) {
		bool replaced = false;

		for (size_t d = 0; d < count; d++)
			replaced = replaced || sopi_leaf_delta_codes(leaf)[d] == (i << 1 | 1);
		if (replaced)
			continue;
		sopi_leaf_describe(leaf, i, &view);
		if (view.apart != NULL)
			free_value(forest, view.apart);
	}
	for (size_t d = 0; d < count; d++) {
		bool replaced = false;

		for (size_t e = d + 1; e < count && !replaced; e++)
			replaced = replaces(leaf, e, d);
		if (replaced)
			continue;
		sopi_leaf_describe_delta(leaf, d, &view);
		if (view.apart != NULL)
			free_value(forest, view.apart);
	}
}

sop_status sopi_value_new(struct sopi_forest *forest, uint64_t size, struct sopi_value **out,
			  sop_error *err)
{
	struct sopi_value *value;
	void *memory = NULL;

	SOP_TRY(sopi_alloc_zeroed(sizeof *value, &memory, err));
	value = memory;
	value->version.kind = SOPI_VALUE;
	value->version.unlinked = SOPI_UNLINKED; /* values are in no chain */
	value->size = size;
	atomic_fetch_add_explicit(&forest->value_bytes, sizeof *value, memory_order_relaxed);
	*out = value;
	return SOP_OK;
}

void sopi_value_free(struct sopi_forest *forest, struct sopi_value *value)
{
	atomic_fetch_sub_explicit(&forest->value_bytes, sopi_version_bytes(&value->version),
				  memory_order_relaxed);
	sopi_free(value->bytes);
	sopi_free(value);
}

static void free_descriptors(const struct sopi_block *leaf, struct sopi_forest *forest)
{
	each_apart_value(leaf, sopi_value_free, forest);
}

static void free_values(struct sopi_forest *forest, struct sopi_value *value)
{
	sopi_forest_dispose(forest, &value->version);
}

void sopi_forest_dispose(struct sopi_forest *forest, struct sopi_version *version)
{
	switch ((enum sopi_version_kind)version->kind) {
	case SOPI_DEAD:
		vnode_free(forest, dead_vnode((struct sopi_block *)version), (struct sopi_block *)version);
		break;
	case SOPI_LEAF:
		if (version->unlinked == SOPI_EVICTED)
			free_descriptors((struct sopi_block *)version, forest);
		sopi_memory_give(&forest->memory, version, sopi_version_bytes(version));
		break;
	case SOPI_INNER:
		sopi_memory_give(&forest->memory, version, sopi_version_bytes(version));
		break;
	case SOPI_VALUE:
		if (forest->value_gone != NULL && !forest->closing)
			forest->value_gone(forest->owner, (struct sopi_value *)version);
		else
			sopi_value_free(forest, (struct sopi_value *)version);
		break;
	case SOPI_COUNT:
		sopi_memory_give(&forest->memory, version, sizeof(struct sopi_count));
		break;
	case SOPI_TREE:
		SOPI_UNREACHABLE();
	}
}

sop_status sopi_scratch_reserve(struct sopi_scratch *scratch, size_t items, size_t separators,
				sop_error *err)
{
	const size_t cuts = (items > separators ? items : separators) + 2;
	void *memory;

	if (items > scratch->item_capacity) {
		memory = scratch->items;
		SOP_TRY(sopi_realloc(&memory, items * sizeof *scratch->items, err));
		scratch->items = memory;
		scratch->item_capacity = items;
	}
	if (separators > scratch->separator_capacity) {
		memory = scratch->separators;
		SOP_TRY(sopi_realloc(&memory, separators * sizeof *scratch->separators, err));
		scratch->separators = memory;
		scratch->separator_capacity = separators;
	}
	if (cuts > scratch->cut_capacity) {
		memory = scratch->cuts;
		SOP_TRY(sopi_realloc(&memory, cuts * sizeof *scratch->cuts, err));
		scratch->cuts = memory;
		scratch->cut_capacity = cuts;
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

/* Everything but the root. */
static sop_status tree_begin(struct sopi_tree *tree, struct sopi_forest *forest, uint64_t id,
			     uint32_t node_bytes, uint32_t node_items, int64_t items,
			     uint64_t position, sop_error *err)
{
	struct sopi_count *count;
	size_t capacity;

	memset(tree, 0, sizeof *tree);
	tree->version.kind = SOPI_TREE;
	tree->forest = forest;
	tree->id = id;
	tree->leaf_bytes = node_bytes;
	tree->inner_bytes = node_bytes * SOPI_INNER_FACTOR;
	tree->items_max = node_items == 0 || node_items > SOPI_SLOTS_MAX ? SOPI_SLOTS_MAX : node_items;
	atomic_init(&tree->next_item, 1);
	count = sopi_memory_take(&forest->memory, sizeof *count, &capacity);
	if (count == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory while making a store");
	memset(count, 0, sizeof *count);
	count->version.kind = SOPI_COUNT;
	count->version.since = position;
	count->items = items;
	atomic_init(&tree->count, count);
	return SOP_OK;
}

static void tree_give_up(struct sopi_tree *tree, struct sopi_block *root)
{
	struct sopi_memory *memory = &tree->forest->memory;

	if (root != NULL)
		sopi_memory_give(memory, root, root->capacity);
	sopi_memory_give(memory, atomic_load(&tree->count), sizeof(struct sopi_count));
}

sop_status sopi_tree_init(struct sopi_tree *tree, struct sopi_forest *forest, uint64_t id,
			  uint32_t node_bytes, uint32_t node_items, uint64_t position, sop_error *err)
{
	struct sopi_block *leaf;

	SOP_TRY(tree_begin(tree, forest, id, node_bytes, node_items, 0, position, err));
	leaf = sopi_block_new(forest, node_bytes);
	if (leaf != NULL) {
		sopi_leaf_build(leaf, NULL, 0, 0);
		tree->root = sopi_vnode_new(forest, leaf, position);
	}
	if (tree->root != NULL)
		return SOP_OK;
	tree_give_up(tree, leaf);
	return sopi_fail(err, SOP_NO_MEMORY, "out of memory while making a store");
}

sop_status sopi_tree_open(struct sopi_tree *tree, struct sopi_forest *forest, uint64_t id,
			  uint32_t node_bytes, uint32_t node_items, uint64_t root, int64_t items,
			  uint64_t next_item, uint64_t position, sop_error *err)
{
	SOP_TRY(tree_begin(tree, forest, id, node_bytes, node_items, items, position, err));
	atomic_init(&tree->next_item, next_item);
	tree->root = sopi_vnode_on_disk(forest, root);
	if (tree->root != NULL)
		return SOP_OK;
	tree_give_up(tree, NULL);
	return sopi_fail(err, SOP_NO_MEMORY, "out of memory while opening a store");
}

/* Frees what is in memory of a node and all below it. Older versions and replaced values are with reclamation, not
 * here. */
static void node_destroy(struct sopi_forest *forest, struct sopi_vnode *vnode)
{
	struct sopi_block *block = atomic_load(&vnode->head);

	if (block != NULL && block->version.kind == SOPI_INNER) {
		for (size_t i = 0; i <= block->count; i++)
			node_destroy(forest, sopi_inner_children(block)[i]);
	} else if (block != NULL) {
		each_apart_value(block, free_values, forest);
	}
	vnode_free(forest, vnode, block);
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

/* The version of a node on the way down. */
static sop_status view(const struct sopi_tree *tree, const struct sopi_path *path,
		       struct sopi_vnode *vnode, uint64_t at, size_t depth,
		       const struct sopi_block **out, sop_error *err)
{
	*out = sopi_vnode_view(vnode, at);
	if (SOPI_LIKELY(*out != NULL))
		return SOP_OK;
	return sopi_vnode_load(tree, vnode,
			       at != SOPI_POSITION_HEAD && path->stays ? SOPI_POSITION_HEAD : at,
			       depth, out, err);
}

sop_status sopi_tree_path(const struct sopi_tree *tree, const uint8_t *key, size_t size,
			  uint64_t at, struct sopi_path *path, sop_error *err)
{
	struct sopi_vnode *vnode = tree->root;

	for (size_t depth = 0; depth < SOPI_TREE_DEPTH_MAX; depth++) {
		const struct sopi_block *block;

		SOP_TRY(view(tree, path, vnode, at, depth, &block, err));
		SOPI_CHECK(block->version.kind != SOPI_DEAD);
		path->level[depth].vnode = vnode;
		path->level[depth].block = block;
		path->level[depth].child = 0;
		path->depth = depth;
		if (block->version.kind == SOPI_LEAF) {
			sopi_vnode_heat(vnode);
			return SOP_OK;
		}
		path->level[depth].child = sopi_inner_search(block, key, size);
		vnode = sopi_inner_children(block)[path->level[depth].child];
		at = SOPI_CHILD_POSITION(block, vnode, at);
	}
	SOPI_UNREACHABLE();
}

sop_status sopi_tree_path_above(const struct sopi_tree *tree, const uint8_t *key, size_t size,
				uint64_t at, size_t depth, struct sopi_path *path, sop_error *err)
{
	struct sopi_vnode *vnode = tree->root;

	SOPI_CHECK(depth < SOPI_TREE_DEPTH_MAX);
	for (size_t level = 0;; level++) {
		const struct sopi_block *block = sopi_vnode_view(vnode, at);

		path->depth = level;
		path->level[level].vnode = vnode;
		path->level[level].child = 0;
		if (level < depth)
			SOP_TRY(view(tree, path, vnode, at, level, &block, err));
		path->level[level].block = block;
		if (level == depth || block->version.kind == SOPI_LEAF)
			return SOP_OK;
		path->level[level].child = sopi_inner_search(block, key, size);
		vnode = sopi_inner_children(block)[path->level[level].child];
	}
}

sop_status sopi_path_descend(const struct sopi_tree *tree, struct sopi_path *path, size_t from,
			     uint64_t at, bool last, sop_error *err)
{
	for (size_t depth = from; depth + 1 < SOPI_TREE_DEPTH_MAX; depth++) {
		const struct sopi_block *block = path->level[depth].block;
		struct sopi_vnode *vnode;

		path->depth = depth;
		if (block->version.kind == SOPI_LEAF) {
			sopi_vnode_heat(path->level[depth].vnode);
			return SOP_OK;
		}
		if (depth > from)
			path->level[depth].child = last ? block->count : 0;
		vnode = sopi_inner_children(block)[path->level[depth].child];
		path->level[depth + 1].vnode = vnode;
		path->level[depth + 1].child = 0;
		SOP_TRY(view(tree, path, vnode, SOPI_CHILD_POSITION(block, vnode, at), depth + 1,
			     &path->level[depth + 1].block, err));
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
	const struct sopi_item_view view = sopi_separator_view(separator);

	return sopi_item_compare_key(&view, key, size);
}
