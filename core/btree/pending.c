/* Changes that wait for their leaf. */
#include "btree/pending.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "btree/apply.h"
#include "btree/resident.h"

enum {
	PENDING_MAX = 64, /* changes of a leaf */
	PENDING_SHARE = 2, /* of what a leaf takes; more, and the leaf itself is hardly larger */
	ITEMS_ON_STACK = 128,
};

struct sopi_pending {
	uint64_t position; /* of the newest change */
	uint32_t capacity; /* bytes of memory */
	uint32_t count;
	uint32_t bytes; /* of the items below, about as a page has them */
	uint32_t number; /* from 1 on: each takes the place of the one before it, whose items it has */
	uint8_t items[]; /* ascending: an item_head, key, ride-along fields and value of each */
};

struct item_head {
	uint64_t version;
	uint32_t key_size;
	uint32_t ride_size;
	uint32_t value_size;
};

enum { ITEM_HEAD_BYTES = 20 }; /* of that, as it lies */

/* ---- items -------------------------------------------------------------------------------------- */

/* The next item; returns where the one behind it lies. */
static const uint8_t *take_item(const uint8_t *at, struct sopi_item_view *item)
{
	struct item_head head;

	memcpy(&head, at, ITEM_HEAD_BYTES);
	at += ITEM_HEAD_BYTES;
	*item = (struct sopi_item_view){ .key = at,
					 .key_size = head.key_size,
					 .ride = at + head.key_size,
					 .ride_size = head.ride_size,
					 .value = at + head.key_size + head.ride_size,
					 .value_size = head.value_size,
					 .version = head.version };
	return item->value + head.value_size;
}

static uint8_t *put_item(uint8_t *to, const struct sopi_item_view *item)
{
	const struct item_head head = { item->version, item->key_size, item->ride_size, item->value_size };

	memcpy(to, &head, ITEM_HEAD_BYTES);
	to += ITEM_HEAD_BYTES;
	sopi_copy_short(to, item->key, item->key_size);
	to += item->key_size;
	if (item->ride_size != 0)
		memcpy(to, item->ride, item->ride_size);
	to += item->ride_size;
	if (item->value_size != 0)
		memcpy(to, item->value, item->value_size);
	return to + item->value_size;
}

static size_t bytes_of(const struct sopi_item_view *item)
{
	return (size_t)item->key_size + item->ride_size + item->value_size;
}

static struct sopi_item_view item_of(const struct sopi_operation *operation)
{
	const uint8_t *key = sopi_operation_key(operation);

	return (struct sopi_item_view){ .key = key,
					.key_size = operation->key_size,
					.ride = key + operation->key_size,
					.ride_size = operation->ride_size,
					.value = key + operation->key_size + operation->ride_size,
					.value_size = operation->value_size,
					.version = (uint64_t)operation->number };
}

/* Is it one that only overwrites, whatever else the leaf holds? */
static bool only_overwrites(const struct sopi_operation *operation)
{
	return operation->kind == SOPI_OP_PUT && operation->apart == NULL && operation->replaces;
}

/* ---- making ------------------------------------------------------------------------------------- */

/* What is pending of a leaf and what comes now, in the order of keys. */
struct making {
	struct sopi_item_view items[PENDING_MAX];
	size_t count;
	size_t bytes;
};

static bool add_item(struct making *m, const struct sopi_item_view *item)
{
	if (m->count == PENDING_MAX)
		return false;
	m->items[m->count++] = *item;
	m->bytes += bytes_of(item);
	return true;
}

/* Puts both together; of one key what comes now stays. False: there are too many. */
static bool join(struct making *m, const struct sopi_pending *old,
		 const struct sopi_change *changes, size_t count)
{
	const uint8_t *at = old != NULL ? old->items : NULL;
	size_t left = old != NULL ? old->count : 0;
	struct sopi_item_view before, item;

	if (left > 0)
		at = take_item(at, &before);
	for (size_t i = 0; i < count; i++) {
		int order = 1;

		item = item_of(changes[i].newest);
		while (left > 0 && (order = sopi_item_compare(&before, &item)) <= 0) {
			if (order < 0 && !add_item(m, &before))
				return false;
			if (--left > 0)
				at = take_item(at, &before);
		}
		if (!add_item(m, &item))
			return false;
	}
	for (; left > 0; left--) {
		if (!add_item(m, &before))
			return false;
		if (left > 1)
			at = take_item(at, &before);
	}
	return true;
}

/* Is it so little that the leaf should stay where it is? */
static bool is_little(const struct sopi_tree *tree, const struct making *m)
{
	return m->bytes + m->count * ITEM_HEAD_BYTES <=
	       sopi_leaf_limit(tree, m->bytes, m->count) / PENDING_SHARE;
}

static uint32_t number_of(const struct sopi_pending *pending)
{
	return pending != NULL ? pending->number : 0;
}

static sop_status make(struct sopi_forest *forest, const struct making *m, uint64_t position,
		       const struct sopi_pending *old, struct sopi_pending **out, sop_error *err)
{
	const size_t size = sizeof **out + m->bytes + m->count * ITEM_HEAD_BYTES;
	struct sopi_pending *pending;
	size_t capacity;
	uint8_t *to;

	pending = sopi_memory_take(&forest->memory, size, &capacity);
	if (pending == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory for changes of a node");
	*pending = (struct sopi_pending){ .position = position,
					  .capacity = (uint32_t)capacity,
					  .count = (uint32_t)m->count,
					  .bytes = (uint32_t)m->bytes,
					  .number = number_of(old) + 1 };
	to = pending->items;
	for (size_t i = 0; i < m->count; i++)
		to = put_item(to, &m->items[i]);
	*out = pending;
	return SOP_OK;
}

sop_status sopi_pending_make(const struct sopi_tree *tree, struct sopi_vnode *vnode,
			     const struct sopi_change *changes, size_t count, uint64_t position,
			     struct sopi_pending **out, sop_error *err)
{
	struct sopi_resident *resident = tree->forest->resident;
	const struct sopi_pending *old;
	struct making m;
	sop_status status = SOP_OK;

	*out = NULL;
	m.count = m.bytes = 0;
	if (count > PENDING_MAX)
		return SOP_OK;
	for (size_t i = 0; i < count; i++) {
		if (!only_overwrites(changes[i].newest))
			return SOP_OK;
	}
	if (!sopi_resident_claim(resident, vnode))
		return SOP_OK;
	old = sopi_vnode_has_pending(vnode) ? vnode->pending : NULL;
	if (join(&m, old, changes, count) && is_little(tree, &m))
		status = make(tree->forest, &m, position, old, out, err);
	sopi_resident_unclaim(resident, vnode);
	return status;
}

void sopi_pending_free(struct sopi_forest *forest, struct sopi_pending *pending)
{
	if (pending != NULL)
		sopi_memory_give(&forest->memory, pending, pending->capacity);
}

bool sopi_pending_attach(const struct sopi_tree *tree, struct sopi_vnode *vnode,
			 struct sopi_pending *pending)
{
	struct sopi_resident *resident = tree->forest->resident;
	struct sopi_pending *old = NULL;

	if (!sopi_resident_try_claim(resident, vnode))
		return false;
	if (sopi_vnode_has_pending(vnode))
		old = vnode->pending;
	if (number_of(old) + 1 != pending->number) { /* it was made before that came, and lacks it */
		sopi_resident_unclaim(resident, vnode);
		return false;
	}
	vnode->pending = pending;
	atomic_fetch_or_explicit(&vnode->state, SOPI_VNODE_PENDING, memory_order_release);
	atomic_store_explicit(&vnode->newest, pending->position, memory_order_release);
	sopi_dirty_add_absent(tree->forest, vnode, tree->id,
			      (uint32_t)sopi_leaf_limit(tree, pending->bytes, pending->count));
	sopi_resident_unclaim(resident, vnode);
	sopi_pending_free(tree->forest, old);
	return true;
}

/* ---- using -------------------------------------------------------------------------------------- */

uint64_t sopi_pending_position(const struct sopi_vnode *vnode)
{
	return vnode->pending->position;
}

size_t sopi_pending_bytes(const struct sopi_vnode *vnode)
{
	return vnode->pending->bytes;
}

bool sopi_pending_suits_patch(const struct sopi_vnode *vnode, uint64_t page_bytes)
{
	const uint64_t bytes = vnode->pending->bytes;

	return bytes * vnode->pending->count <= 2 * page_bytes && bytes <= page_bytes / 2;
}

static sop_status is_missing(const struct sopi_vnode *vnode, sop_error *err)
{
	return sopi_fail(err, SOP_CORRUPT,
			 "node %llu lacks an item that the log has overwritten; restore a backup",
			 (unsigned long long)vnode->vid);
}

/* Lists the items of a leaf without deltas, those that are pending in place of what they overwrite. */
static sop_status list_items(const struct sopi_vnode *vnode, const struct sopi_block *leaf,
			     struct sopi_item_view *items, sop_error *err)
{
	const uint8_t *at = vnode->pending->items;
	size_t left = vnode->pending->count;
	struct sopi_item_view newer;

	at = take_item(at, &newer);
	for (size_t i = 0; i < leaf->count; i++) {
		int order;

		sopi_leaf_describe(leaf, i, &items[i]);
		if (left == 0)
			continue;
		order = sopi_item_compare(&items[i], &newer);
		if (order < 0)
			continue;
		if (order > 0 || items[i].apart != NULL)
			return is_missing(vnode, err);
		items[i] = newer;
		if (--left > 0)
			at = take_item(at, &newer);
	}
	return left == 0 ? SOP_OK : is_missing(vnode, err);
}

/* The leaf of these items, whose keys are those of `old`. */
static sop_status build(struct sopi_forest *forest, const struct sopi_block *old,
			const struct sopi_item_view *items, uint64_t position,
			struct sopi_block **out, sop_error *err)
{
	const size_t bytes = sopi_leaf_bytes(items, old->count, old->prefix_size);
	struct sopi_block *leaf;

	if (bytes > SOPI_BLOCK_BYTES_MAX)
		return sopi_fail(err, SOP_LIMIT, "a leaf with its changes needs %zu bytes", bytes);
	leaf = sopi_block_new(forest, bytes);
	if (leaf == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory for a node of %zu bytes", bytes);
	sopi_leaf_build(leaf, items, old->count, old->prefix_size);
	leaf->version.since = position;
	leaf->version.items = old->count;
	*out = leaf;
	return SOP_OK;
}

sop_status sopi_pending_put_on(struct sopi_forest *forest, const struct sopi_vnode *vnode,
			       struct sopi_block **block, sop_error *err)
{
	struct sopi_item_view room[ITEMS_ON_STACK], *items = room;
	struct sopi_block *leaf = *block, *joined = NULL;
	void *memory = NULL;
	sop_status status;

	if (leaf->version.kind != SOPI_LEAF)
		return is_missing(vnode, err);
	if (leaf->count > ITEMS_ON_STACK) {
		SOP_TRY(sopi_alloc(leaf->count * sizeof *items, &memory, err));
		items = memory;
	}
	SOP_TRY_OUT(list_items(vnode, leaf, items, err));
	SOP_TRY_OUT(build(forest, leaf, items, vnode->pending->position, &joined, err));
	sopi_memory_give(&forest->memory, leaf, leaf->capacity);
	*block = joined;
out:
	sopi_free(memory);
	return status;
}

sop_status sopi_pending_encode(const struct sopi_vnode *vnode, const struct sopi_page_id *id,
			       sop_buf *out, sop_error *err)
{
	const struct sopi_pending *pending = vnode->pending;
	struct sopi_item_view items[PENDING_MAX];
	const uint8_t *at = pending->items;
	struct sopi_block *leaf;
	void *memory = NULL;
	sop_status status;
	size_t bytes;

	for (size_t i = 0; i < pending->count; i++)
		at = take_item(at, &items[i]);
	bytes = sopi_leaf_bytes(items, pending->count, 0);
	SOP_TRY(sopi_alloc_zeroed(bytes, &memory, err));
	leaf = memory;
	leaf->capacity = (uint32_t)bytes;
	sopi_leaf_build(leaf, items, pending->count, 0);
	leaf->version.since = pending->position;
	status = sopi_page_encode(leaf, id, pending->position, NULL, out, err);
	sopi_free(memory);
	return status;
}

/* ---- the end of it ------------------------------------------------------------------------------ */

void sopi_pending_done(struct sopi_forest *forest, struct sopi_vnode *vnode, struct sopi_pending *pending)
{
	atomic_fetch_and_explicit(&vnode->state, (uint8_t)~SOPI_VNODE_PENDING, memory_order_release);
	sopi_pending_free(forest, pending);
}

bool sopi_pending_drop(struct sopi_resident *resident, struct sopi_vnode *vnode)
{
	bool claimed;

	if (!sopi_vnode_has_pending(vnode))
		return true;
	claimed = sopi_resident_try_claim(resident, vnode);
	if (claimed) {
		sopi_pending_done(resident->forest, vnode, vnode->pending);
		sopi_resident_unclaim(resident, vnode);
	}
	return claimed || !sopi_vnode_has_pending(vnode);
}

void sopi_pending_forget(struct sopi_forest *forest, struct sopi_vnode *vnode)
{
	if (sopi_vnode_has_pending(vnode) &&
	    atomic_load_explicit(&vnode->head, memory_order_acquire) == NULL)
		sopi_pending_done(forest, vnode, vnode->pending);
}
