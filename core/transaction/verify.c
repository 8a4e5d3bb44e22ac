/* Checking all trees as of one position: order of keys, key ranges of nodes, counts. */
#include "transaction/backend.h"
#include "transaction/engine.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "btree/walk.h"

#include <stdio.h>

/* One check of one store. */
struct checking {
	struct sopi_engine *engine;
	struct sopi_slot *slot; /* of the call */
	sop_error *err;
	const struct sopi_tree *tree;
	uint64_t at;
	sop_bytes store;
	const struct sopi_audience *audience;
	bool incomplete; /* a node could not be read: counts say nothing */
	bool stopped; /* by the caller, or for want of memory */
	sop_status status; /* of what stopped it; filled into `err` */
	int64_t items;
};

static void tell(struct checking *checking, const char *file, int64_t offset, const char *kind,
		 const char *message)
{
	const struct sopi_audience *audience = checking->audience;

	checking->stopped = !audience->found(audience->arg, file, offset, checking->store, kind, message);
}

static void complain(struct checking *checking, const char *kind, uint64_t vid, const char *what)
{
	char message[200];

	if (checking->stopped)
		return;
	snprintf(message, sizeof message, "node %llu: %s", (unsigned long long)vid, what);
	tell(checking, "", -1, kind, message);
}

/* The keys between which a node answers; NULL: no bound. */
struct bounds {
	const struct sopi_separator *low;
	const struct sopi_separator *high;
};

static bool lies_between(const struct sopi_item_view *item, const struct bounds *bounds)
{
	struct sopi_item_view bound;

	if (bounds->low != NULL) {
		bound = sopi_separator_view(bounds->low);
		if (sopi_item_compare(item, &bound) < 0)
			return false;
	}
	if (bounds->high != NULL) {
		bound = sopi_separator_view(bounds->high);
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
		checking->status = sopi_alloc(sopi_item_whole_key_size(&item), &memory, checking->err);
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
		    seen.version == item.version && seen.value == item.value && seen.apart == item.apart)
			checking->items++;
	}
}

static void check_node(struct checking *checking, struct sopi_vnode *vnode,
		       const struct bounds *bounds, size_t depth);

static void check_inner(struct checking *checking, const struct sopi_vnode *vnode,
			const struct sopi_block *inner, const struct bounds *bounds, size_t depth)
{
	struct sopi_separator low, high;

	for (size_t i = 0; i <= inner->count && !checking->stopped; i++) {
		struct bounds part = *bounds;

		if (i > 0) {
			const struct sopi_item_view view = sopi_separator_view(&high);

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
				const struct sopi_item_view a = sopi_separator_view(&low),
							    b = sopi_separator_view(&high);

				if (sopi_item_compare(&a, &b) >= 0)
					complain(checking, "order", vnode->vid,
						 "its separators are not in order");
			}
		}
		check_node(checking, sopi_inner_children(inner)[i], &part, depth + 1);
	}
}

/* The node's version, read from disk if need be. False: it cannot be had, which was said. */
static bool bring(struct checking *checking, struct sopi_vnode *vnode, size_t depth,
		  const struct sopi_block **block)
{
	sop_error why = SOP_ERROR_INIT;
	sop_status status;

	*block = sopi_vnode_view(vnode, checking->at);
	if (*block != NULL || checking->engine->forest.resident == NULL)
		return true;
	status = sopi_vnode_load(checking->tree, vnode, checking->at, depth, block, &why);
	if (status == SOP_OK)
		return true;
	if (status == SOP_CORRUPT || status == SOP_UNSUPPORTED) {
		checking->incomplete = true;
		tell(checking, why.file, why.offset, "page", why.message);
	} else {
		checking->stopped = true;
		checking->status = sopi_fail_file(checking->err, status, why.file, why.offset,
						  why.os_errno, "%s", why.message);
	}
	return false;
}

static void check_node(struct checking *checking, struct sopi_vnode *vnode,
		       const struct bounds *bounds, size_t depth)
{
	const struct sopi_block *block;

	if (!checking->stopped &&
	    !sopi_audience_stays(checking->audience, checking->engine->options.node_bytes))
		checking->stopped = true;
	if (checking->stopped || !bring(checking, vnode, depth, &block))
		return;
	if (depth >= SOPI_TREE_DEPTH_MAX)
		complain(checking, "structure", vnode->vid, "it lies too deep");
	else if (block == NULL || block->version.kind == SOPI_DEAD)
		complain(checking, "structure", vnode->vid, "a parent names it, but it is not there");
	else if (block->version.kind == SOPI_LEAF) {
		check_leaf(checking, vnode, block, bounds);
		sopi_slot_refresh(&checking->engine->forest.reclaim, checking->slot);
	} else
		check_inner(checking, vnode, block, bounds, depth);
}

static bool check_tree(struct checking *checking)
{
	const struct bounds everything = { NULL, NULL };
	char message[120];

	checking->items = 0;
	checking->incomplete = false;
	check_node(checking, checking->tree->root, &everything, 0);
	if (checking->stopped)
		return false;
	if (checking->incomplete || checking->items == sopi_tree_count(checking->tree, checking->at))
		return true;
	snprintf(message, sizeof message, "it has %lld items, but its count says %lld",
		 (long long)checking->items, (long long)sopi_tree_count(checking->tree, checking->at));
	tell(checking, "", -1, "count", message);
	return !checking->stopped;
}

/* The next store behind `*name` in the catalog; `*name` receives its name, `id` its id. NOT_FOUND: there is none. */
static sop_status next_store(struct checking *checking, sop_buf *name, uint64_t *id)
{
	struct sopi_descriptor descriptor;
	struct sopi_item_view item;
	struct sopi_walk walk;
	sop_status status;

	sopi_walk_init(&walk, &checking->engine->catalog.names.tree, checking->at);
	SOP_TRY_OUT(sopi_buf_append(name, "", 1, checking->err)); /* the least key behind it */
	SOP_TRY_OUT(sopi_walk_seek(&walk, name->data, name->size, checking->err));
	while (walk.index >= walk.count)
		SOP_TRY_OUT(sopi_walk_next_leaf(&walk, checking->err));
	sopi_walk_item(&walk, walk.index, &item);
	SOP_TRY_OUT(sop_buf_reserve(name, sopi_item_whole_key_size(&item), checking->err));
	sopi_item_copy_key(&item, 0, name->data);
	name->size = sopi_item_whole_key_size(&item);
	SOP_TRY_OUT(sopi_descriptor_read((sop_bytes){ sopi_item_value(&item), item.value_size },
					 &descriptor, checking->err));
	*id = descriptor.id;
out:
	sopi_walk_free(&walk);
	return status;
}

static sop_status check_stores(struct checking *checking)
{
	struct sopi_engine *engine = checking->engine;
	sop_buf name = SOP_BUF_INIT;
	sop_status status = SOP_NOT_FOUND;
	uint64_t id;

	while (!checking->stopped && (status = next_store(checking, &name, &id)) == SOP_OK) {
		const struct sopi_store *store = sopi_catalog_find(&engine->catalog, id);

		checking->store = (sop_bytes){ name.data, name.size };
		if (store == NULL) {
			tell(checking, "", -1, "structure", "the catalog names it, but it is not there");
			continue;
		}
		checking->tree = &store->tree;
		if (!check_tree(checking))
			checking->stopped = true;
	}
	sop_buf_free(&name);
	return checking->stopped || status == SOP_NOT_FOUND ? SOP_OK : status;
}

sop_status sopi_engine_verify(struct sopi_engine *engine, uint64_t at, struct sopi_slot *slot,
			      const struct sopi_audience *audience, sop_error *err)
{
	struct checking checking = { .engine = engine,
				     .slot = slot,
				     .err = err,
				     .tree = &engine->catalog.names.tree,
				     .at = at,
				     .store = { "", 0 },
				     .audience = audience };

	if (check_tree(&checking))
		SOP_TRY(check_stores(&checking));
	return checking.status;
}
