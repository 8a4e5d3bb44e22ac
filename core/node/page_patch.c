/* A leaf from a page and its patch. */
#include "node/page.h"

#include "base/alloc.h"

enum { ITEMS_ON_STACK = 64 };

/* Two leaves, the older of which is gone through in step with the newer. */
struct joining {
	const struct sopi_block *base;
	const struct sopi_block *patch;
	const struct sopi_page_loader *loader;
	struct sopi_item_view *items; /* the result */
	size_t count;
};

/* Takes the items of both in the order of their keys; of one key the patch's. */
static void join(struct joining *j)
{
	struct sopi_item_view old, new;
	size_t at = 0;

	for (size_t i = 0; i < j->patch->count; i++) {
		int order = 1;

		sopi_leaf_describe(j->patch, i, &new);
		while (at < j->base->count) {
			sopi_leaf_describe(j->base, at, &old);
			order = sopi_item_compare(&old, &new);
			if (order >= 0)
				break;
			j->items[j->count++] = old;
			at++;
		}
		if (at < j->base->count && order == 0) {
			if (old.apart != NULL)
				j->loader->value_free(j->loader->arg, old.apart);
			at++;
		}
		j->items[j->count++] = new;
	}
	for (; at < j->base->count; at++)
		sopi_leaf_describe(j->base, at, &j->items[j->count++]);
}

static sop_status build(const struct joining *j, struct sopi_block **out, sop_error *err)
{
	const size_t prefix_size =
		j->count > 1 ? sopi_item_common_prefix(&j->items[0], &j->items[j->count - 1]) : 0;
	const size_t bytes = sopi_leaf_bytes(j->items, j->count, prefix_size);
	struct sopi_block *leaf;

	if (bytes > SOPI_BLOCK_BYTES_MAX || j->count > SOPI_SLOTS_MAX)
		return sopi_fail(err, SOP_CORRUPT, "a node page and its patch hold more than a node may");
	leaf = j->loader->block_new(j->loader->arg, bytes);
	if (leaf == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory for a node of %zu bytes", bytes);
	sopi_leaf_build(leaf, j->items, j->count, prefix_size);
	leaf->version.since = j->patch->version.since;
	leaf->version.items = (uint16_t)j->count;
	*out = leaf;
	return SOP_OK;
}

sop_status sopi_page_join(const struct sopi_block *base, const struct sopi_block *patch,
			  const struct sopi_page_loader *loader, struct sopi_block **out, sop_error *err)
{
	const size_t most = (size_t)base->count + patch->count;
	struct sopi_item_view room[ITEMS_ON_STACK];
	struct joining j = { base, patch, loader, room, 0 };
	void *memory = NULL;
	sop_status status;

	if (most > ITEMS_ON_STACK) {
		SOP_TRY(sopi_alloc(most * sizeof *j.items, &memory, err));
		j.items = memory;
	}
	join(&j);
	status = build(&j, out, err);
	sopi_free(memory);
	return status;
}
