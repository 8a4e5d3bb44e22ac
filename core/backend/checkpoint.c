/* A checkpoint: a reader at one durable position writes what has changed since the one before it.
 *
 * Undoable until the manifest is written: packs, registry files and outcomes are new files or lie behind what the old
 * manifest counts. Then it must finish: only memory changes, and files go that nothing needs. */
#include "backend/inredfs.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/plant.h"
#include "btree/pending.h"
#include "btree/resident.h"
#include "platform/clock.h"
#include "platform/thread.h"

#include <sop/log.h>

#include <stdlib.h>
#include <string.h>

/* Between two short holds of the commit mutex. Who waits for it has to be woken up, and would without it find it taken again
 * each time. */
enum { SETTLE_PAUSE_NS = 50000 };
enum { HEAD_BYTES = 384 }; /* of a leaf of 4 KB: all that says where its items lie */

enum {
	PENDING_PAGE_BYTES = 2048
}; /* that a patch of what is pending takes beside the bytes of its items, at most */

/* A node to be written, as of the checkpoint's position. */
struct node {
	struct sopi_vnode *vnode;
	const struct sopi_block *block; /* NULL: it is on disk, and what it lacks there is beside it (btree/pending.h) */
	uint64_t store;
	uint64_t position; /* of its newest change */
	uint64_t base; /* without a block: the position of its page */
	uint32_t bytes; /* that its page takes at most, or its patch */
	bool whole; /* its page was written, and no patch is left */
	uint64_t key[2]; /* the first bytes of its first key, as numbers that order as they do: most differ in these */
};

/* A change of what lives in a pack. */
struct moved {
	struct sopi_place place;
	bool lives;
};

struct checkpoint {
	struct sopi_inredfs *fs;
	const struct sopi_checkpoint_how *how;
	uint64_t at; /* C */
	struct sopi_dirty_list dirty;
	struct node *nodes;
	size_t node_count;
	size_t node_capacity;
	struct sopi_registry_entry *entries;
	size_t entry_count;
	size_t entry_capacity;
	struct moved *moved;
	size_t moved_count;
	size_t moved_capacity;
	struct sopi_values_said values;
	struct sopi_manifest next;
	sop_status status; /* of callbacks that cannot return one */
	bool compacted;
	size_t extra_before; /* entries that were there without compaction */
};

/* ---- what to write ------------------------------------------------------------------------------ */

static sop_status entry_add(struct checkpoint *c, const struct sopi_registry_entry *entry, sop_error *err)
{
	SOP_TRY(sopi_grow(&c->entries, c->entry_count, &c->entry_capacity, sizeof *entry, err));
	c->entries[c->entry_count++] = *entry;
	return SOP_OK;
}

/* The registry forgets a page of a node, if it may know it: `known` is its bit in the vnode. */
static sop_status entry_remove(struct checkpoint *c, const struct sopi_vnode *vnode,
			       enum sopi_key_kind kind, enum sopi_vnode_state known, sop_error *err)
{
	const struct sopi_registry_entry entry = { .key = sopi_registry_key(kind, vnode->vid),
						   .removed = true };

	if ((atomic_load_explicit(&vnode->state, memory_order_relaxed) & known) == 0)
		return SOP_OK;
	return entry_add(c, &entry, err);
}

static sop_status patch_remove(struct checkpoint *c, const struct sopi_vnode *vnode, sop_error *err)
{
	return entry_remove(c, vnode, SOPI_KEY_PATCH, SOPI_VNODE_PATCHED, err);
}

/* The newest change in a version at or below `at`. */
static uint64_t newest_change(const struct sopi_block *block, uint64_t at)
{
	uint64_t newest = block->version.since;

	if (block->version.kind != SOPI_LEAF)
		return newest;
	for (size_t d = atomic_load_explicit(&block->delta_count, memory_order_acquire); d-- > 0;) {
		const uint64_t position = atomic_load_explicit(&sopi_leaf_delta_positions(block)[d],
							       memory_order_relaxed);

		if (position <= at)
			return position > newest ? position : newest;
	}
	return newest;
}

static sop_status add_node(struct checkpoint *c, const struct node *node, sop_error *err)
{
	SOP_TRY(sopi_grow(&c->nodes, c->node_count, &c->node_capacity, sizeof *c->nodes, err));
	c->nodes[c->node_count++] = *node;
	return SOP_OK;
}

static sop_status add_block(struct checkpoint *c, const struct sopi_dirty *dirty,
			    const struct sopi_block *block, sop_error *err)
{
	const struct node node = { .vnode = dirty->vnode,
				   .block = block,
				   .store = dirty->store,
				   .position = newest_change(block, c->at),
				   .bytes = block->capacity };

	return add_node(c, &node, err);
}

/* Would a patch that says what is pending be small, and the only one? `node` learns what it takes. REQUIRES: it is claimed. */
static sop_status pending_pays(const struct checkpoint *c, struct node *node, bool *pays, sop_error *err)
{
	struct sopi_node_entries entries;
	const size_t bytes = sopi_pending_bytes(node->vnode);

	SOP_TRY(sopi_registry_find_node(c->fs->registry, node->vnode->vid, &entries, err));
	node->position = sopi_pending_position(node->vnode);
	node->base = entries.page.words[3];
	node->bytes = (uint32_t)bytes + PENDING_PAGE_BYTES;
	*pays = entries.patch.removed && node->base < node->position &&
		sopi_pending_suits_patch(node->vnode, entries.page.words[2]);
	return SOP_OK;
}

/* The tree of a store that lives at C, and so as long as our snapshot is published. */
static const struct sopi_tree *tree_of(const struct checkpoint *c, uint64_t store)
{
	struct sopi_catalog *catalog = &c->fs->engine->catalog;

	return store == SOPI_CATALOG_ID ? &catalog->names.tree : &sopi_catalog_find(catalog, store)->tree;
}

/* Of a leaf that is not in memory. Where no patch can say what is pending, it is brought in: it stays then, since it is dirty. */
static sop_status gather_pending(struct checkpoint *c, const struct sopi_dirty *dirty, sop_error *err)
{
	struct sopi_resident *resident = c->fs->engine->forest.resident;
	struct node node = { .vnode = dirty->vnode, .store = dirty->store };
	bool pays = false;
	sop_status status = SOP_OK;

	if (sopi_resident_claim(resident, dirty->vnode)) {
		status = pending_pays(c, &node, &pays, err);
		sopi_resident_unclaim(resident, dirty->vnode);
	}
	SOP_TRY(status);
	if (pays)
		return add_node(c, &node, err);
	sopi_slot_refresh(&c->fs->engine->forest.reclaim, c->fs->slot); /* what makes room for it may go */
	SOP_TRY(sopi_resident_bring(resident, tree_of(c, dirty->store), dirty->vnode, err));
	return add_block(c, dirty, sopi_vnode_view(dirty->vnode, c->at), err);
}

/* Judges one dirty node as of C. */
static sop_status gather_node(struct checkpoint *c, struct sopi_dirty *dirty, sop_error *err)
{
	struct sopi_vnode *vnode = dirty->vnode;
	const struct sopi_block *block;

	dirty->lives = false;
	switch (sopi_catalog_state(&c->fs->engine->catalog, dirty->store, c->at)) {
	case SOPI_STORE_NOT_YET:
		return SOP_OK; /* newer than C: it is listed again */
	case SOPI_STORE_GONE:
		/* The tree stays on disk as the last checkpoint has it, so that sopi_compact_store finds all of it. */
		return SOP_OK;
	case SOPI_STORE_LIVES:
		break;
	}
	if (sopi_vnode_has_pending(vnode)) { /* before its versions are looked at: the mark goes when it has one */
		dirty->lives = true;
		return gather_pending(c, dirty, err);
	}
	block = sopi_vnode_view(vnode, c->at);
	if (block == NULL)
		return SOP_OK; /* born after C */
	if (block->version.kind == SOPI_DEAD) {
		SOP_TRY(patch_remove(c, vnode, err));
		return entry_remove(c, vnode, SOPI_KEY_NODE, SOPI_VNODE_REGISTERED, err);
	}
	dirty->lives = true;
	return add_block(c, dirty, block, err);
}

static sop_status gather_nodes(struct checkpoint *c, sop_error *err)
{
	for (struct sopi_dirty_chunk *chunk = c->dirty.newest; chunk != NULL; chunk = chunk->older) {
		for (size_t i = 0; i < chunk->count; i++) {
			sopi_dirty_ask(chunk, i);
			SOP_TRY(gather_node(c, &chunk->nodes[i], err));
		}
	}
	return SOP_OK;
}

/* The first key of a node. */
static struct sopi_item_view first_key(const struct sopi_block *block)
{
	struct sopi_item_view view = { .key_size = 0 };
	struct sopi_separator separator;

	if (block->version.kind == SOPI_INNER && block->count > 0) {
		sopi_inner_describe(block, 0, &separator);
		view.prefix = separator.prefix;
		view.prefix_size = separator.prefix_size;
		view.key = separator.key;
		view.key_size = separator.key_size;
	} else if (block->version.kind == SOPI_LEAF && block->count > 0) {
		sopi_leaf_describe(block, 0, &view);
	}
	return view;
}

/* Notes the first bytes of the first key. */
static void note_key(struct node *node)
{
	struct sopi_item_view view;
	uint8_t bytes[sizeof node->key] = { 0 };
	size_t of_prefix, left;

	if (node->block == NULL)
		return;
	view = first_key(node->block);
	of_prefix = view.prefix_size < sizeof bytes ? view.prefix_size : sizeof bytes;
	left = sizeof bytes - of_prefix;
	sopi_copy_short(bytes, view.prefix, of_prefix);
	sopi_copy_short(bytes + of_prefix, view.key, view.key_size < left ? view.key_size : left);
	node->key[0] = sopi_load_u64be(bytes);
	node->key[1] = sopi_load_u64be(bytes + 8);
}

/* Inner nodes first, then leaves in the order of their keys, store by store: so a cold scan reads on. What is pending comes last,
 * in the order in which the leaves were made. */
static int compare_nodes(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	struct sopi_item_view key_x, key_y;
	int order;

	if (x->store != y->store)
		return x->store < y->store ? -1 : 1;
	if (x->block == NULL || y->block == NULL) {
		if ((x->block == NULL) != (y->block == NULL))
			return x->block == NULL ? 1 : -1;
		return (x->vnode->vid > y->vnode->vid) - (x->vnode->vid < y->vnode->vid);
	}
	if (x->block->version.kind != y->block->version.kind)
		return x->block->version.kind == SOPI_INNER ? -1 : 1;
	for (size_t i = 0; i < 2; i++) {
		if (x->key[i] != y->key[i])
			return x->key[i] < y->key[i] ? -1 : 1;
	}
	key_x = first_key(x->block);
	key_y = first_key(y->block);
	order = sopi_item_compare(&key_x, &key_y);
	if (order != 0)
		return order;
	return (x->vnode->vid > y->vnode->vid) - (x->vnode->vid < y->vnode->vid);
}

/* ---- packs -------------------------------------------------------------------------------------- */

/* The state that images show. */
static uint64_t image_position(const struct checkpoint *c)
{
	return SOPI_PLANTED(SOPI_PLANT_CHECKPOINT_NEWEST) ? SOPI_POSITION_HEAD : c->at;
}

static uint64_t locate(void *arg, const struct sopi_value *value)
{
	sopi_values_named(arg, value);
	return value->id;
}

static uint64_t bytes_left(const struct checkpoint *c, size_t from)
{
	uint64_t bytes = 0;

	for (size_t i = from; i < c->node_count && bytes < SOPI_NODE_PACK_BYTES; i++)
		bytes += c->nodes[i].bytes; /* at most: what is free in a block may be filled just now */
	return bytes;
}

/* The position of the page that a patch may say the rest to; 0: a whole page is to be written. */
static sop_status base_of(const struct checkpoint *c, const struct node *node, uint64_t *base,
			  sop_error *err)
{
	struct sopi_registry_entry entry;
	sop_status status;

	*base = 0;
	if (node->block->version.kind != SOPI_LEAF || !sopi_vnode_has_grown(node->vnode))
		return SOP_OK;
	status = sopi_registry_find(c->fs->registry, node->vnode->vid, &entry, err);
	if (status == SOP_NOT_FOUND)
		return SOP_OK;
	SOP_TRY(status);
	if (entry.words[3] < node->position &&
	    sopi_page_patch_pays(node->block, entry.words[3], image_position(c)))
		*base = entry.words[3];
	return SOP_OK;
}

/* Makes the patch of what is pending; *done is false if it is not, since the leaf has been brought in. */
static sop_status encode_pending(struct checkpoint *c, struct node *node, struct sopi_page_id *id,
				 sop_buf *page, bool *done, sop_error *err)
{
	struct sopi_resident *resident = c->fs->engine->forest.resident;
	sop_status status;

	*done = sopi_resident_claim(resident, node->vnode);
	if (*done) {
		id->base = node->base;
		status = sopi_pending_encode(node->vnode, id, page, err);
		sopi_resident_unclaim(resident, node->vnode);
		return status;
	}
	sopi_slot_refresh(&c->fs->engine->forest.reclaim,
			  c->fs->slot); /* newer versions may go while one looks for it */
	node->block = sopi_vnode_view(node->vnode, c->at);
	sopi_slot_park(c->fs->slot);
	return SOP_OK;
}

/* Makes the page of a node, or a patch to the page that there is. */
static sop_status encode_node(struct checkpoint *c, struct node *node, struct sopi_page_id *id,
			      sop_buf *page, sop_error *err)
{
	const struct sopi_page_locator locator = { locate, c->fs };
	bool done = false;

	if (node->block == NULL)
		SOP_TRY(encode_pending(c, node, id, page, &done, err));
	if (done)
		return SOP_OK;
	SOP_TRY(base_of(c, node, &id->base, err));
	return sopi_page_encode(node->block, id, image_position(c), &locator, page, err);
}

/* Writes one node: its page, or a patch to the page that there is. */
static sop_status write_node(struct checkpoint *c, struct sopi_pack *pack, struct node *node,
			     sop_buf *page, sop_error *err)
{
	struct sopi_vnode *vnode = node->vnode;
	struct sopi_page_id id = { vnode->vid, node->store, node->position, 0 };
	struct sopi_registry_entry entry;
	struct sopi_place place;
	uint64_t key;

	page->size = 0;
	SOP_TRY(encode_node(c, node, &id, page, err));
	node->whole = id.base == 0;
	key = sopi_registry_key(node->whole ? SOPI_KEY_NODE : SOPI_KEY_PATCH, vnode->vid);
	SOP_TRY(sopi_pack_append(pack, key, (sop_bytes){ page->data, page->size }, &place, err));
	entry = sopi_entry_of_place(key, &place, node->position);
	SOP_TRY(entry_add(c, &entry, err));
	if (node->whole)
		SOP_TRY(patch_remove(c, vnode, err));
	atomic_fetch_or_explicit(&vnode->state, node->whole ? SOPI_VNODE_REGISTERED : SOPI_VNODE_PATCHED,
				 memory_order_relaxed);
	return SOP_OK;
}

/* Asks for the head of a node that comes next: in the order of keys nothing is near what comes before it. */
static void ask_for_node(const struct checkpoint *c, size_t i)
{
	if (i >= c->node_count)
		return;
	for (size_t at = 0; c->nodes[i].block != NULL && at < HEAD_BYTES; at += 64)
		__builtin_prefetch((const char *)c->nodes[i].block + at);
	__builtin_prefetch(c->nodes[i].vnode);
}

/* Writes nodes from number `from` on into one pack; returns where it stopped in *end. */
static sop_status write_pack(struct checkpoint *c, size_t from, size_t *end, sop_buf *page, sop_error *err)
{
	struct sopi_inredfs *fs = c->fs;
	struct sopi_pack *pack = NULL;
	sop_status status;
	size_t i = from;

	SOP_TRY(sopi_pack_begin(fs->packs, SOPI_PACK_NODES, bytes_left(c, from), &pack, err));
	for (; i < c->node_count && sopi_pack_bytes(pack) < SOPI_NODE_PACK_BYTES; i++) {
		ask_for_node(c, i + 1);
		SOP_TRY_OUT(write_node(c, pack, &c->nodes[i], page, err));
		if (sopi_wal_fills(fs->wal)) /* the thread that makes segments is busy here: a commit would have to */
			sopi_wal_prepare(fs->wal);
	}
	*end = i;
	return sopi_pack_finish(pack, err);
out:
	sopi_pack_abandon(pack);
	return status;
}

static sop_status write_packs(struct checkpoint *c, sop_error *err)
{
	sop_buf page = SOP_BUF_INIT;
	sop_status status = SOP_OK;
	size_t at = 0;

	for (size_t i = 0; i < c->node_count; i++)
		note_key(&c->nodes[i]);
	if (c->node_count > 1)
		qsort(c->nodes, c->node_count, sizeof *c->nodes, compare_nodes);
	while (at < c->node_count && status == SOP_OK)
		status = write_pack(c, at, &at, &page, err);
	sop_buf_free(&page);
	return status;
}

/* ---- stores -------------------------------------------------------------------------------------- */

static struct sopi_registry_entry store_entry(const struct sopi_store *store, int64_t items,
					      uint64_t next_item, uint64_t at)
{
	const struct sopi_registry_entry entry = {
		sopi_registry_key(SOPI_KEY_STORE, store->tree.id),
		false,
		{ store->tree.root->vid, (uint64_t)items, next_item, at },
	};

	return entry;
}

/* Notes a store whose count or next item id is not what the registry has. */
static bool note_store(void *arg, struct sopi_store *store)
{
	const uint64_t dropped_at = atomic_load_explicit(&store->dropped_at, memory_order_acquire);
	const uint64_t next_item = atomic_load_explicit(&store->tree.next_item, memory_order_relaxed);
	struct sopi_registry_entry entry;
	struct checkpoint *c = arg;
	int64_t items;

	if (store->created_at > c->at || (dropped_at != 0 && dropped_at <= c->at))
		return true;
	items = sopi_tree_count(&store->tree, c->at);
	if (store->written && store->written_items == items && store->written_next_item == next_item)
		return true;
	entry = store_entry(store, items, next_item, c->at);
	c->status = entry_add(c, &entry, NULL);
	return c->status == SOP_OK;
}

static sop_status note_stores(struct checkpoint *c, sop_error *err)
{
	(void)note_store(c, &c->fs->engine->catalog.names);
	if (c->status == SOP_OK)
		sopi_catalog_each(&c->fs->engine->catalog, note_store, c);
	return c->status == SOP_OK ? SOP_OK
				   : sopi_fail(err, c->status, "out of memory for a checkpoint");
}

/* What the registry has now. */
static bool settle_store(void *arg, struct sopi_store *store)
{
	const struct checkpoint *c = arg;
	const uint64_t key = sopi_registry_key(SOPI_KEY_STORE, store->tree.id);
	const size_t at = sopi_entry_find(c->entries, c->entry_count, key);

	if (at < c->entry_count && !c->entries[at].removed) {
		store->written = true;
		store->written_items = (int64_t)c->entries[at].words[1];
		store->written_next_item = c->entries[at].words[2];
	}
	return true;
}

/* A store that was dropped, but may be read by a snapshot still. */
static void note_dropped(void *arg, const struct sopi_version *version)
{
	const struct sopi_store *store = (const struct sopi_store *)version;
	struct checkpoint *c = arg;
	void *array = c->next.dropped;

	if (version->until > c->at || store->created_at > c->at || c->status != SOP_OK)
		return;
	c->status = sopi_realloc(&array, (c->next.dropped_count + 1) * sizeof *c->next.dropped, NULL);
	if (c->status != SOP_OK)
		return;
	c->next.dropped = array;
	c->next.dropped[c->next.dropped_count++] =
		(struct sopi_dropped){ store->tree.id, store->tree.root->vid };
}

/* Those that nobody reads any more, but that became so after this checkpoint has begun. One may be in both lists. */
static sop_status note_gone(struct checkpoint *c, sop_error *err)
{
	struct sopi_inredfs *fs = c->fs;
	sop_status status = SOP_OK;

	sopi_mutex_lock(&fs->values_mutex);
	for (const struct sopi_store *store = fs->gone; store != NULL && status == SOP_OK;
	     store = store->next) {
		void *array = c->next.dropped;
		bool listed = atomic_load_explicit(&store->dropped_at, memory_order_relaxed) > c->at;

		for (size_t i = 0; i < c->next.dropped_count && !listed; i++)
			listed = c->next.dropped[i].store == store->tree.id;
		if (listed)
			continue;
		status = sopi_realloc(&array, (c->next.dropped_count + 1) * sizeof *c->next.dropped, err);
		if (status != SOP_OK)
			break;
		c->next.dropped = array;
		c->next.dropped[c->next.dropped_count++] =
			(struct sopi_dropped){ store->tree.id, store->root };
	}
	sopi_mutex_unlock(&fs->values_mutex);
	return status;
}

/* Takes the nodes of stores that nobody can see any more out of the registry. */
static sop_status free_gone_stores(struct sopi_inredfs *fs, sop_error *err)
{
	struct sopi_store *store;

	for (;;) {
		sopi_mutex_lock(&fs->values_mutex);
		store = fs->gone;
		if (store != NULL)
			fs->gone = store->next;
		sopi_mutex_unlock(&fs->values_mutex);
		if (store == NULL)
			return SOP_OK;
		const sop_status status = sopi_compact_store(fs, store->tree.id, store->root, err);

		if (status != SOP_OK) {
			sopi_mutex_lock(&fs->values_mutex);
			store->next = fs->gone;
			fs->gone = store;
			sopi_mutex_unlock(&fs->values_mutex);
			return status;
		}
		sopi_store_free_shell(store);
	}
}

/* ---- entries ------------------------------------------------------------------------------------ */

static int compare_entries(const void *a, const void *b)
{
	const struct sopi_registry_entry *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (int)x->removed - (int)y->removed; /* what is there goes before what is not */
}

/* Sorts the entries; one for each key is left. */
static void sort_entries(struct checkpoint *c)
{
	size_t kept = 0;

	if (c->entry_count > 1)
		qsort(c->entries, c->entry_count, sizeof *c->entries, compare_entries);
	for (size_t i = 0; i < c->entry_count; i++) {
		if (kept == 0 || c->entries[kept - 1].key != c->entries[i].key)
			c->entries[kept++] = c->entries[i];
	}
	c->entry_count = kept;
}

static sop_status move(struct checkpoint *c, const struct sopi_place *place, bool lives, sop_error *err)
{
	SOP_TRY(sopi_grow(&c->moved, c->moved_count, &c->moved_capacity, sizeof *c->moved, err));
	c->moved[c->moved_count++] = (struct moved){ *place, lives };
	sopi_packs_live(c->fs->packs, place, lives);
	return SOP_OK;
}

/* Counts what dies and what is born in the packs. */
static sop_status count_lives(struct checkpoint *c, sop_error *err)
{
	for (size_t i = 0; i < c->entry_count; i++) {
		const struct sopi_registry_entry *entry = &c->entries[i];
		struct sopi_registry_entry old;
		struct sopi_place place;
		sop_status status;

		if (sopi_registry_kind(entry->key) == SOPI_KEY_STORE)
			continue;
		status = sopi_registry_find(c->fs->registry, entry->key, &old, err);
		if (status == SOP_OK) {
			place = sopi_place_of_entry(&old);
			SOP_TRY(move(c, &place, false, err));
		} else if (status != SOP_NOT_FOUND) {
			return status;
		}
		if (entry->removed)
			continue;
		place = sopi_place_of_entry(entry);
		SOP_TRY(move(c, &place, true, err));
	}
	return SOP_OK;
}

static sop_status add_all(struct checkpoint *c, const struct sopi_registry_entry *entries,
			  size_t count, sop_error *err)
{
	for (size_t i = 0; i < count; i++)
		SOP_TRY(entry_add(c, &entries[i], err));
	return SOP_OK;
}

/* Rewrites packs. That gives space back in the end but needs some first: without it everything stays where it is, and the
 * checkpoint, which gives other space back, goes on. */
static sop_status compact(struct checkpoint *c, sop_error *err)
{
	struct sopi_inredfs *fs = c->fs;
	const uint64_t rewritten = fs->rewritten;
	sop_status status;

	c->extra_before = fs->extra_count;
	c->compacted = true;
	status = sopi_compact(fs, c->entries, c->entry_count, c->how, err);
	if (c->how->crowded != NULL)
		*c->how->crowded = status == SOP_NO_SPACE;
	if (status == SOP_NO_SPACE) {
		fs->extra_count = c->extra_before;
		fs->rewritten = rewritten;
		return SOP_OK;
	}
	return status;
}

/* All that the registry is to be told. Values that are born here were counted as living when they were written. Parks:
 * from the stores on, nothing looks at a block. */
static sop_status gather_entries(struct checkpoint *c, sop_error *err)
{
	struct sopi_inredfs *fs = c->fs;

	SOP_TRY(note_stores(c, err));
	SOP_TRY(sopi_values_collect(fs, c->at, &c->values, err));
	sopi_slot_park(fs->slot);
	SOP_TRY(add_all(c, fs->extra, fs->extra_count, err));
	sort_entries(c);
	SOP_TRY(compact(c, err));
	SOP_TRY(add_all(c, fs->extra + c->extra_before, fs->extra_count - c->extra_before, err));
	sort_entries(c);
	SOP_TRY(count_lives(c, err));
	SOP_TRY(add_all(c, c->values.births, c->values.birth_count, err));
	sort_entries(c);
	return SOP_OK;
}

/* ---- the manifest -------------------------------------------------------------------------------- */

static sop_status copy(const void *from, size_t count, size_t element, void **to, sop_error *err)
{
	*to = NULL;
	if (count == 0)
		return SOP_OK;
	SOP_TRY(sopi_alloc(count * element, to, err));
	memcpy(*to, from, count * element);
	return SOP_OK;
}

/* The packs that the new manifest names: those in which something lives. */
static sop_status list_packs(struct checkpoint *c, sop_error *err)
{
	struct sopi_manifest *next = &c->next;
	size_t kept = 0;

	SOP_TRY(sopi_values_list_packs(c->fs, &next->packs, &next->pack_count, err));
	for (size_t i = 0; i < next->pack_count; i++) {
		if (next->packs[i].live_bytes != 0)
			next->packs[kept++] = next->packs[i];
	}
	next->pack_count = kept;
	next->next_pack = sopi_packs_next_id(c->fs->packs); /* above all of them */
	return SOP_OK;
}

static sop_status build_manifest(struct checkpoint *c, sop_error *err)
{
	struct sopi_inredfs *fs = c->fs;
	struct sopi_engine *engine = fs->engine;
	struct sopi_manifest *next = &c->next;
	struct sopi_wal_point point;
	void *memory;

	*next = fs->manifest;
	next->packs = NULL;
	next->outcomes = NULL;
	next->dead_values = NULL;
	next->dropped = NULL;
	next->pack_count = next->outcome_count = next->dead_value_count = next->dropped_count = 0;
	next->checkpoint = c->at;
	next->first_segment = sopi_wal_segment_of(fs->wal, c->at);
	point = sopi_wal_durable_point(fs->wal); /* not before the first segment, which is known by now */
	next->log_slot = point.slot;
	next->log_crc = point.crc;
	next->next_vid = atomic_load(&engine->forest.next_vid);
	next->next_value = atomic_load(&fs->next_value);
	next->next_store = atomic_load(&engine->catalog.next_id);
	SOP_TRY(copy(fs->manifest.outcomes, fs->manifest.outcome_count, sizeof *next->outcomes,
		     &memory, err));
	next->outcomes = memory;
	next->outcome_count = fs->manifest.outcome_count;
	SOP_TRY(copy(c->values.dead, c->values.dead_count, sizeof *next->dead_values, &memory, err));
	next->dead_values = memory;
	next->dead_value_count = c->values.dead_count;
	sopi_reclaim_each(&engine->forest.reclaim, SOPI_TREE, note_dropped, c);
	if (c->status != SOP_OK)
		return sopi_fail(err, c->status, "out of memory for a checkpoint");
	SOP_TRY(note_gone(c, err)); /* after the other list: what goes from there to here is in both, never in none */
	SOP_TRY(sopi_outcome_files_extend(fs, fs->manifest.checkpoint, c->at, &next->outcomes,
					  &next->outcome_count, err));
	return list_packs(c, err);
}

/* ---- the whole ----------------------------------------------------------------------------------- */

/* Takes C and what is dirty. False: there is nothing to do. */
static bool begin(struct checkpoint *c)
{
	struct sopi_inredfs *fs = c->fs;
	struct sopi_engine *engine = fs->engine;
	struct sopi_resident *resident = engine->forest.resident;
	bool needed;

	sopi_mutex_lock(&engine->commit_mutex);
	fs->logged_then = atomic_load(&fs->logged);
	fs->pressed = sopi_inredfs_is_pressed(fs);
	c->at = atomic_load_explicit(&engine->applied, memory_order_seq_cst);
	needed = c->how->always || c->at != fs->manifest.checkpoint || resident->dirty.count != 0 ||
		 fs->extra_count != 0 || atomic_load(&fs->inherited) != 0;
	if (needed) {
		sopi_slot_choose(fs->slot);
		sopi_slot_publish(fs->slot, c->at, false);
		sopi_dirty_take(resident, &c->dirty);
	}
	sopi_mutex_unlock(&engine->commit_mutex);
	return needed;
}

/* Everything up to the point of no return. While it waits for the disk it holds up nobody's memory: the blocks that it
 * writes are kept by its snapshot, and by being dirty. */
static sop_status write_all(struct checkpoint *c, bool *indefinite, sop_error *err)
{
	struct sopi_inredfs *fs = c->fs;
	struct sopi_reclaim *reclaim = &fs->engine->forest.reclaim;
	sop_status status;

	sopi_slot_park(fs->slot);
	if (!SOPI_PLANTED(SOPI_PLANT_CHECKPOINT_NO_WAIT))
		SOP_TRY(fs->wal->driver->wait_durable(fs->wal, c->at, err));
	sopi_slot_refresh(reclaim, fs->slot);
	SOP_TRY(gather_nodes(c, err));
	sopi_slot_park(fs->slot);
	SOP_TRY(write_packs(c, err));
	sopi_slot_refresh(reclaim, fs->slot);
	SOP_TRY(gather_entries(c, err));
	SOP_TRY(build_manifest(c, err));
	fs->registry_number = c->at > fs->registry_number ? c->at : fs->registry_number + 1;
	SOP_TRY(sopi_registry_write(fs->registry, fs->registry_number, c->entries, c->entry_count,
				    c->how->fold, &c->next.registry, err));
	if (SOPI_PLANTED(SOPI_PLANT_CHECKPOINT_TRIM_EARLY))
		sopi_wal_trim(fs->wal, c->at, c->next.first_segment);
	status = sopi_manifest_write(fs->folder, &c->next, indefinite, err);
	if (status != SOP_OK)
		sopi_registry_give_up(fs->registry, *indefinite);
	sopi_slot_refresh(reclaim, fs->slot);
	return status;
}

/* Nothing of it has happened. */
static void give_up(struct checkpoint *c)
{
	struct sopi_inredfs *fs = c->fs;
	struct sopi_engine *engine = fs->engine;

	if (c->compacted)
		fs->extra_count = c->extra_before; /* where blobs were moved to is right for this checkpoint only */
	while (c->moved_count > 0) {
		c->moved_count--;
		sopi_packs_live(fs->packs, &c->moved[c->moved_count].place,
				!c->moved[c->moved_count].lives);
	}
	sopi_values_collected(fs, false);
	sopi_mutex_lock(&engine->commit_mutex);
	sopi_dirty_return(engine->forest.resident, &c->dirty);
	sopi_mutex_unlock(&engine->commit_mutex);
	sopi_manifest_free(&c->next);
	memset(&c->next, 0, sizeof c->next);
}

/* Nodes that were written are clean now. */
static void settle_nodes(struct checkpoint *c)
{
	struct sopi_engine *engine = c->fs->engine;
	bool more = true;

	for (size_t i = 0; i < c->node_count; i++) {
		if (c->nodes[i].whole)
			atomic_fetch_and_explicit(&c->nodes[i].vnode->state,
						  (uint8_t)~SOPI_VNODE_PATCHED, memory_order_relaxed);
	}
	while (more) {
		sopi_mutex_lock(&engine->commit_mutex);
		more = sopi_dirty_settle(engine->forest.resident, &c->dirty, c->at);
		sopi_mutex_unlock(&engine->commit_mutex);
		if (more && !c->fs->alone) {
			sopi_slot_park(c->fs->slot); /* what others give up is freed meanwhile */
			sopi_sleep_ns(SETTLE_PAUSE_NS);
			sopi_slot_refresh(&engine->forest.reclaim, c->fs->slot);
		}
	}
	sopi_slot_forget(c->fs->slot); /* what was pinned for it may go */
	sopi_slot_refresh(&engine->forest.reclaim, c->fs->slot);
	sopi_reclaim_run(&engine->forest.reclaim, &engine->answered, c->fs->slot);
	while (sopi_resident_evict(engine->forest.resident))
		sopi_slot_refresh(&engine->forest.reclaim, c->fs->slot);
}

/* Removes packs in which nothing lives. */
static void remove_dead_packs(struct sopi_inredfs *fs)
{
	struct sopi_pack_entry *packs = NULL;
	size_t count = 0;

	/* What the log says behind this place may name more in them: where replay makes the checkpoint, nobody knows yet. */
	if (fs->backups != 0 || fs->replaying || sopi_packs_list(fs->packs, &packs, &count, NULL) != SOP_OK)
		return; /* another time */
	for (size_t i = 0; i < count; i++) {
		if (!packs[i].writing && packs[i].live_bytes == 0 &&
		    sopi_pack_find(fs->manifest.packs, fs->manifest.pack_count, packs[i].id) ==
			    fs->manifest.pack_count)
			sopi_packs_remove(fs->packs, packs[i].id);
	}
	sopi_free(packs);
}

/* It is durable: from here on everything must go well. */
static void finish(struct checkpoint *c)
{
	struct sopi_inredfs *fs = c->fs;

	sopi_registry_switch(fs->registry);
	sopi_manifest_free(&fs->manifest);
	fs->manifest = c->next;
	memset(&c->next, 0, sizeof c->next);
	fs->extra_count = 0;
	(void)settle_store(c, &fs->engine->catalog.names);
	sopi_catalog_each(&fs->engine->catalog, settle_store, c);
	sopi_values_collected(fs, true);
	settle_nodes(c);
	sopi_slot_park(fs->slot); /* the rest only removes files, which takes a while */
	sopi_wal_trim(fs->wal, c->at, fs->manifest.first_segment);
	atomic_store(&fs->inherited, 0);
	if (fs->backups == 0)
		sopi_registry_clean(fs->registry);
	remove_dead_packs(fs);
	atomic_store(&fs->checkpointed, c->at);
	sopi_inredfs_note_data(fs);
	atomic_fetch_add(&fs->checkpoints, 1);
}

static void free_all(struct checkpoint *c)
{
	sopi_free(c->nodes);
	sopi_free(c->entries);
	sopi_free(c->moved);
	sopi_values_said_free(&c->values);
	sopi_manifest_free(&c->next);
}

/* Errors after which the database may go on: everything is as it was, and another checkpoint may succeed. */
static bool may_go_on(sop_status status)
{
	return status == SOP_NO_SPACE || status == SOP_NO_MEMORY || status == SOP_CORRUPT ||
	       status == SOP_UNSUPPORTED || status == SOP_LIMIT;
}

static sop_status run_claimed(struct sopi_inredfs *fs, const struct sopi_checkpoint_how *how,
			      sop_error *err)
{
	struct checkpoint c = { .fs = fs, .how = how };
	const uint64_t rewritten = fs->rewritten;
	const uint64_t first_pack = sopi_packs_next_id(fs->packs);
	bool indefinite = false;
	sop_status status;

	if (atomic_load(&fs->engine->failed))
		return sopi_engine_has_failed(err);
	SOP_TRY(free_gone_stores(fs, err));
	if (!begin(&c))
		return SOP_OK;
	status = write_all(&c, &indefinite, err);
	sopi_slot_refresh(&fs->engine->forest.reclaim, fs->slot); /* it may have failed while it waited */
	if (status == SOP_OK)
		finish(&c);
	else
		give_up(&c);
	if (status == SOP_NO_SPACE && !indefinite)
		sopi_remove_copies(fs, first_pack);
	free_all(&c);
	if (how->rewritten != NULL)
		*how->rewritten = fs->rewritten - rewritten;
	sopi_slot_forget(fs->slot);
	if (fs->alone) /* the call that runs goes on, and finds blocks */
		sopi_slot_refresh(&fs->engine->forest.reclaim, fs->slot);
	if (status != SOP_OK && (indefinite || !may_go_on(status)))
		return sopi_inredfs_fail(fs, status);
	return status;
}

/* One checkpoint. REQUIRES: the checkpoint mutex. */
static sop_status run(struct sopi_inredfs *fs, const struct sopi_checkpoint_how *how, sop_error *err)
{
	struct sopi_reclaim *reclaim = &fs->engine->forest.reclaim;
	sop_status status;

	if (!fs->alone && sopi_slot_claim(reclaim, fs->slot, false) != SOPI_SLOT_IDLE)
		return sopi_fail(err, SOP_CLOSED, "the database is being closed");
	status = run_claimed(fs, how, err);
	if (!fs->alone)
		sopi_slot_release(fs->slot);
	sopi_reclaim_run(reclaim, &fs->engine->answered, NULL);
	return status;
}

const struct sopi_checkpoint_how sopi_checkpoint_usual = { .fold = false };

sop_status sopi_checkpoint_run(struct sopi_inredfs *fs, const struct sopi_checkpoint_how *how,
			       sop_error *err)
{
	sop_status status;

	sopi_mutex_lock(&fs->checkpoint_mutex);
	sopi_background_busy(fs, true);
	if (how->sparing)
		(void)sopi_inredfs_drop_ballast(fs);
	status = run(fs, how, err);
	if (status == SOP_NO_SPACE) {
		atomic_fetch_add(&fs->checkpoint_failures, 1);
		if (sopi_inredfs_drop_ballast(fs))
			status = run(fs, how, err);
	}
	if (status == SOP_OK) {
		atomic_fetch_sub(&fs->logged, fs->logged_then); /* what came meanwhile is behind the next one */
		sopi_inredfs_make_ballast(fs);
	} else {
		sopi_messages_note(&fs->engine->messages, SOP_LOG_WARNING,
				   sopi_clock_wall_ns(fs->engine->platform->clock),
				   "a checkpoint was given up: %s", sop_status_name(status));
	}
	sopi_background_busy(fs, false);
	sopi_mutex_unlock(&fs->checkpoint_mutex);
	sopi_background_ended(fs, status);
	return status;
}
