/* Checking all trees as of one position: order of keys, key ranges of nodes, counts. */
#include "transaction/engine.h"

#include "base/alloc.h"

#include <stdio.h>

/* One check of one store. */
struct checking {
	const struct sopi_tree *tree;
	uint64_t at;
	sop_bytes store;
	bool (*found)(void *arg, const char *kind, sop_bytes store, const char *message);
	void *arg;
	bool stopped; /* by the caller, or for want of memory */
	sop_status status; /* NO_MEMORY */
	int64_t items;
};

static void complain(struct checking *checking, const char *kind, uint64_t vid, const char *what)
{
	char message[200];

	if (checking->stopped)
		return;
	snprintf(message, sizeof message, "node %llu: %s", (unsigned long long)vid, what);
	checking->stopped = !checking->found(checking->arg, kind, checking->store, message);
}

/* The keys between which a node answers; NULL: no bound. */
struct bounds {
	const struct sopi_separator *low;
	const struct sopi_separator *high;
};

static struct sopi_item_view view_of(const struct sopi_separator *separator)
{
	return (struct sopi_item_view){ .prefix = separator->prefix,
					.prefix_size = separator->prefix_size,
					.key = separator->key,
					.key_size = separator->key_size };
}

static bool lies_between(const struct sopi_item_view *item, const struct bounds *bounds)
{
	struct sopi_item_view bound;

	if (bounds->low != NULL) {
		bound = view_of(bounds->low);
		if (sopi_item_compare(item, &bound) < 0)
			return false;
	}
	if (bounds->high != NULL) {
		bound = view_of(bounds->high);
		if (sopi_item_compare(item, &bound) >= 0)
			return false;
	}
	return true;
}

static void check_leaf(struct checking *checking, const struct sopi_vnode *vnode,
		       const struct sopi_block *leaf, const struct bounds *bounds)
{
	const size_t deltas = atomic_load_explicit(&leaf->delta_count, memory_order_acquire);
	struct sopi_item_view item, before;
	uint8_t *key;

	for (size_t i = 0; i < leaf->count; i++) {
		void *memory = NULL;
		struct sopi_item_view seen;

		sopi_leaf_describe(leaf, i, &item);
		if (i > 0 && sopi_item_compare(&before, &item) >= 0)
			complain(checking, "order", vnode->vid, "its keys are not in order");
		if (!lies_between(&item, bounds))
			complain(checking, "range", vnode->vid,
				 "a key lies outside the range of the node");
		before = item;
		if (item.version > leaf->version.since)
			complain(checking, "version", vnode->vid, "an item is newer than its page");
		/* Is it visible, and found by its key? */
		checking->status = sopi_alloc(sopi_item_whole_key_size(&item), &memory, NULL);
		if (checking->status != SOP_OK) {
			checking->stopped = true;
			return;
		}
		key = memory;
		sopi_item_copy_key(&item, 0, key);
		if (sopi_leaf_get(leaf, key, sopi_item_whole_key_size(&item), checking->at, &seen))
			checking->items++;
		sopi_free(memory);
	}
	for (size_t d = 0; d < deltas; d++) {
		struct sopi_item_view seen;

		if (atomic_load_explicit(&sopi_leaf_delta_positions(leaf)[d], memory_order_relaxed) >
		    checking->at)
			continue;
		sopi_leaf_describe_delta(leaf, d, &item);
		if (!lies_between(&item, bounds))
			complain(checking, "range", vnode->vid,
				 "a changed key lies outside the range of the node");
		if ((sopi_leaf_delta_codes(leaf)[d] & 1) != 0)
			continue; /* its base item was counted */
		if (sopi_leaf_get(leaf, item.key, item.key_size, checking->at, &seen) &&
		    seen.version == item.version && seen.value == item.value)
			checking->items++;
	}
}

static void check_node(struct checking *checking, const struct sopi_vnode *vnode,
		       const struct bounds *bounds, size_t depth);

static void check_inner(struct checking *checking, const struct sopi_vnode *vnode,
			const struct sopi_block *inner, const struct bounds *bounds, size_t depth)
{
	struct sopi_separator low, high;

	for (size_t i = 0; i <= inner->count && !checking->stopped; i++) {
		struct bounds part = *bounds;

		if (i > 0) {
			const struct sopi_item_view view = view_of(&high);

			low = high;
			part.low = &low;
			if (!lies_between(&view, bounds))
				complain(checking, "range", vnode->vid,
					 "a separator lies outside the range of the node");
		}
		if (i < inner->count) {
			sopi_inner_describe(inner, i, &high);
			part.high = &high;
			if (i > 0) {
				const struct sopi_item_view a = view_of(&low), b = view_of(&high);

				if (sopi_item_compare(&a, &b) >= 0)
					complain(checking, "order", vnode->vid,
						 "its separators are not in order");
			}
		}
		check_node(checking, sopi_inner_children(inner)[i], &part, depth + 1);
	}
}

static void check_node(struct checking *checking, const struct sopi_vnode *vnode,
		       const struct bounds *bounds, size_t depth)
{
	const struct sopi_block *block = sopi_vnode_view(vnode, checking->at);

	if (checking->stopped)
		return;
	if (depth >= SOPI_TREE_DEPTH_MAX)
		complain(checking, "structure", vnode->vid, "it lies too deep");
	else if (block == NULL || block->version.kind == SOPI_DEAD)
		complain(checking, "structure", vnode->vid, "a parent names it, but it is not there");
	else if (block->version.kind == SOPI_LEAF)
		check_leaf(checking, vnode, block, bounds);
	else
		check_inner(checking, vnode, block, bounds, depth);
}

static bool check_tree(struct checking *checking)
{
	const struct bounds everything = { NULL, NULL };
	char message[120];

	checking->items = 0;
	check_node(checking, checking->tree->root, &everything, 0);
	if (checking->stopped)
		return false;
	if (checking->items == sopi_tree_count(checking->tree, checking->at))
		return true;
	snprintf(message, sizeof message, "it has %lld items, but its count says %lld",
		 (long long)checking->items, (long long)sopi_tree_count(checking->tree, checking->at));
	return checking->found(checking->arg, "count", checking->store, message);
}

/* Checks each store that a leaf of the catalog names. */
static sop_status check_stores(struct sopi_engine *engine, struct checking *checking,
			       const struct sopi_vnode *vnode, sop_error *err)
{
	const struct sopi_block *block = sopi_vnode_view(vnode, checking->at);

	if (block->version.kind == SOPI_INNER) {
		for (size_t i = 0; i <= block->count; i++)
			SOP_TRY(check_stores(engine, checking, sopi_inner_children(block)[i], err));
		return SOP_OK;
	}
	for (size_t i = 0; i < (size_t)block->count + SOPI_DELTAS_MAX && !checking->stopped; i++) {
		struct sopi_descriptor descriptor;
		struct sopi_item_view item, seen;
		struct sopi_store *store;
		uint8_t name[SOPI_STORE_NAME_BYTES_MAX];

		if (i < block->count) {
			sopi_leaf_describe(block, i, &item);
		} else {
			const size_t d = i - block->count;

			if (d >= atomic_load(&block->delta_count) ||
			    (sopi_leaf_delta_codes(block)[d] & 1) != 0)
				continue;
			sopi_leaf_describe_delta(block, d, &item);
		}
		sopi_item_copy_key(&item, 0, name);
		if (!sopi_leaf_get(block, name, sopi_item_whole_key_size(&item), checking->at, &seen) ||
		    (i >= block->count && seen.version != item.version))
			continue;
		checking->store = (sop_bytes){ name, sopi_item_whole_key_size(&item) };
		SOP_TRY(sopi_descriptor_read((sop_bytes){ seen.value, seen.value_size },
					     &descriptor, err));
		store = sopi_catalog_find(&engine->catalog, descriptor.id);
		if (store == NULL) {
			checking->stopped =
				!checking->found(checking->arg, "structure", checking->store,
						 "the catalog names it, but it is not there");
			continue;
		}
		checking->tree = &store->tree;
		if (!check_tree(checking))
			checking->stopped = true;
	}
	return SOP_OK;
}

sop_status sopi_engine_verify(struct sopi_engine *engine, uint64_t at,
			      bool (*found)(void *arg, const char *kind, sop_bytes store,
					    const char *message),
			      void *arg, sop_error *err)
{
	struct checking checking = {
		&engine->catalog.names.tree, at, { "", 0 }, found, arg, false, SOP_OK, 0
	};
	sop_status status;

	if (check_tree(&checking)) {
		status = check_stores(engine, &checking, engine->catalog.names.tree.root, err);
		if (status != SOP_OK)
			return status;
	}
	if (checking.status != SOP_OK)
		return sopi_fail(err, checking.status, "out of memory while checking; try again");
	return SOP_OK;
}
