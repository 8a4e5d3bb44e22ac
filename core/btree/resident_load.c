/* Bringing nodes into memory. */
#include "btree/resident.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "btree/pending.h"

enum { ROOM_BYTES_MIN = 2 << 20, ROOM_WAITS = 8, ROOM_WAIT_NS = 125000, WAITS_FOR_ONE = 800 };
enum {
	READ_ROOM_BYTES = 20 << 10
}; /* on the stack: more than nearly all pages with their patches */

struct sopi_vnode *sopi_vnode_on_disk(struct sopi_forest *forest, uint64_t vid)
{
	size_t capacity;
	struct sopi_vnode *vnode = sopi_memory_take(&forest->memory, sizeof *vnode, &capacity);

	if (vnode == NULL)
		return NULL;
	memset(vnode, 0, sizeof *vnode);
	vnode->vid = vid;
	atomic_init(&vnode->state, SOPI_VNODE_REGISTERED);
	atomic_fetch_add_explicit(&forest->node_count, 1, memory_order_relaxed);
	return vnode;
}

/* One load: what was made for it, to be freed if it fails. */
struct loading {
	struct sopi_forest *forest;
	struct sopi_vnode *children; /* linked by touched_next */
	struct sopi_value *values; /* linked by next_in_transaction */
};

static struct sopi_block *load_block(void *arg, size_t size)
{
	return sopi_block_new(((struct loading *)arg)->forest, size);
}

static void load_block_free(void *arg, struct sopi_block *block)
{
	sopi_memory_give(&((struct loading *)arg)->forest->memory, block, block->capacity);
}

static sop_status load_child(void *arg, uint64_t vid, struct sopi_vnode **out, sop_error *err)
{
	struct loading *loading = arg;
	struct sopi_vnode *vnode = sopi_vnode_on_disk(loading->forest, vid);

	if (vnode == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory for a node");
	vnode->touched_next = loading->children;
	loading->children = vnode;
	*out = vnode;
	return SOP_OK;
}

static sop_status load_value(void *arg, uint64_t location, uint64_t size, struct sopi_value **out,
			     sop_error *err)
{
	struct loading *loading = arg;
	struct sopi_value *value;

	SOP_TRY(sopi_value_new(loading->forest, size, &value, err));
	value->committed = true;
	value->id = location;
	value->next_in_transaction = loading->values;
	loading->values = value;
	*out = value;
	return SOP_OK;
}

static void load_give_up(struct loading *loading)
{
	while (loading->children != NULL) {
		struct sopi_vnode *next = loading->children->touched_next;

		atomic_fetch_sub_explicit(&loading->forest->node_count, 1, memory_order_relaxed);
		sopi_memory_give(&loading->forest->memory, loading->children, sizeof *next);
		loading->children = next;
	}
	while (loading->values != NULL) {
		struct sopi_value *next = loading->values->next_in_transaction;

		sopi_value_free(loading->forest, loading->values);
		loading->values = next;
	}
}

/* Children and values belong to the block now. */
static void load_keep(struct loading *loading)
{
	while (loading->children != NULL) {
		struct sopi_vnode *next = loading->children->touched_next;

		loading->children->touched_next = NULL;
		loading->children = next;
	}
	while (loading->values != NULL) {
		struct sopi_value *next = loading->values->next_in_transaction;

		loading->values->next_in_transaction = NULL;
		loading->values = next;
	}
}

/* Checks and decodes what was read of one node. */
static sop_status decode(const struct sopi_resident *resident, const struct sopi_node_read *read,
			 const struct sopi_page_id *id, const struct sopi_page_loader *loader,
			 struct sopi_block **out, sop_error *err)
{
	const struct sopi_page_source *source = &resident->source;
	char file[SOPI_PATH_BYTES_MAX + 1] = "", patch_file[SOPI_PATH_BYTES_MAX + 1] = "";
	const struct sopi_page_origin from = { file, read->offset };
	const struct sopi_page_patch patch = { read->patch,
					       read->patch_position,
					       { patch_file, read->patch_offset } };
	const sop_status status = sopi_page_decode(read->page, id, &from, &patch, loader, out, err);

	if (SOPI_UNLIKELY(status == SOP_CORRUPT || status == SOP_UNSUPPORTED)) { /* again, to say where */
		source->name(source->arg, read->pack, file);
		source->name(source->arg, read->patch_pack, patch_file);
		(void)sopi_page_check(read->page, id, &from, &patch, err);
	}
	return status;
}

/* Makes what was read of the node its only version. REQUIRES: LOADING is ours. */
static sop_status publish(struct sopi_resident *resident, const struct sopi_tree *tree,
			  struct sopi_vnode *vnode, const struct sopi_node_read *read, sop_error *err)
{
	struct loading loading = { resident->forest, NULL, NULL };
	const struct sopi_page_loader loader = { load_block, load_block_free, load_child,
						 load_value, &loading };
	const struct sopi_page_id id = { vnode->vid, tree->id, read->position, 0 };
	const bool patched = read->patch.size != 0;
	const uint64_t position = patched ? read->patch_position : read->position;
	struct sopi_pending *pending = sopi_vnode_has_pending(vnode) ? vnode->pending : NULL;
	struct sopi_block *block = NULL;
	sop_status status = decode(resident, read, &id, &loader, &block, err);

	if (status == SOP_OK && pending != NULL) {
		status = sopi_pending_put_on(resident->forest, vnode, &block, err);
		if (status != SOP_OK)
			load_block_free(&loading, block);
	}
	if (status != SOP_OK) {
		load_give_up(&loading);
		return status;
	}
	load_keep(&loading);
	if (patched)
		atomic_fetch_or_explicit(&vnode->state, SOPI_VNODE_PATCHED, memory_order_relaxed);
	if (block->version.kind == SOPI_LEAF)
		sopi_vnode_grows(vnode);
	if (position > atomic_load_explicit(&vnode->newest, memory_order_relaxed))
		atomic_store_explicit(&vnode->newest, position, memory_order_release);
	atomic_store_explicit(&vnode->head, block, memory_order_release);
	atomic_fetch_add_explicit(&resident->loads, 1, memory_order_relaxed);
	if (pending != NULL) /* it has a version first: whoever sees neither would take it for one that is yet to be born */
		sopi_pending_done(resident->forest, vnode, pending);
	else if (block->version.kind == SOPI_LEAF) /* else the disk does not have it as it is */
		sopi_resident_list(resident, vnode);
	return SOP_OK;
}

/* Takes the right to load a node that nobody loads. False: it is in memory. REQUIRES: the mutex of its stripe. */
static bool claim_locked(struct sopi_vnode *vnode)
{
	const bool mine = atomic_load_explicit(&vnode->head, memory_order_acquire) == NULL;

	if (mine)
		atomic_fetch_or(&vnode->state, SOPI_VNODE_LOADING);
	return mine;
}

bool sopi_resident_claim(struct sopi_resident *resident, struct sopi_vnode *vnode)
{
	const size_t stripe = (size_t)vnode->vid % SOPI_LOAD_STRIPES;
	bool mine;

	sopi_mutex_lock(&resident->stripes[stripe].mutex);
	while ((atomic_load(&vnode->state) & SOPI_VNODE_LOADING) != 0)
		sopi_cond_wait(&resident->stripes[stripe].loaded, &resident->stripes[stripe].mutex);
	mine = claim_locked(vnode);
	sopi_mutex_unlock(&resident->stripes[stripe].mutex);
	return mine;
}

bool sopi_resident_try_claim(struct sopi_resident *resident, struct sopi_vnode *vnode)
{
	const size_t stripe = (size_t)vnode->vid % SOPI_LOAD_STRIPES;
	bool mine;

	sopi_mutex_lock(&resident->stripes[stripe].mutex);
	mine = (atomic_load(&vnode->state) & SOPI_VNODE_LOADING) == 0 && claim_locked(vnode);
	sopi_mutex_unlock(&resident->stripes[stripe].mutex);
	return mine;
}

void sopi_resident_unclaim(struct sopi_resident *resident, struct sopi_vnode *vnode)
{
	const size_t stripe = (size_t)vnode->vid % SOPI_LOAD_STRIPES;

	sopi_mutex_lock(&resident->stripes[stripe].mutex);
	atomic_fetch_and(&vnode->state, (uint8_t)~SOPI_VNODE_LOADING);
	sopi_cond_broadcast(&resident->stripes[stripe].loaded);
	sopi_mutex_unlock(&resident->stripes[stripe].mutex);
}

/* May anybody wait for the call that has been running longest? For a tenth of a second in all: it may be one that waits here
 * itself, and many others are longer than that. Not at all if all calls wait here. */
static bool may_wait(struct sopi_resident *resident)
{
	size_t running;
	const uint64_t oldest = sopi_reclaim_oldest(&resident->forest->reclaim, &running);

	if (running <= atomic_load_explicit(&resident->loading, memory_order_relaxed))
		return false;
	if (atomic_load_explicit(&resident->waited_for, memory_order_relaxed) != oldest) {
		atomic_store_explicit(&resident->waited_for, oldest, memory_order_relaxed);
		atomic_store_explicit(&resident->waits, 0, memory_order_relaxed);
	}
	return atomic_fetch_add_explicit(&resident->waits, 1, memory_order_relaxed) < WAITS_FOR_ONE;
}

/* Evicts. Where much of what went waits for one call that is still running, gives that a moment to end, so that loading
 * does not outrun it. */
static void make_room(struct sopi_resident *resident)
{
	const struct sopi_reclaim *reclaim = &resident->forest->reclaim;
	const size_t quarter = atomic_load_explicit(&resident->bytes_max, memory_order_relaxed) / 4;
	const size_t room = quarter > ROOM_BYTES_MIN ? quarter : ROOM_BYTES_MIN;

	(void)sopi_resident_evict(resident);
	for (unsigned waits = 0; waits < ROOM_WAITS; waits++) {
		if (SOPI_LIKELY(atomic_load_explicit(&reclaim->limbo_bytes, memory_order_relaxed) <= room) ||
		    atomic_load(&resident->hold) != 0 || !may_wait(resident))
			return;
		sopi_sleep_ns(ROOM_WAIT_NS);
		(void)sopi_resident_evict(resident);
	}
}

/* Reads the nodes, which are children of one node and follow each other, and publishes the first one; others as far as they
 * come with the same read and are whole. REQUIRES: LOADING of all of them is ours. */
static sop_status load(struct sopi_resident *resident, const struct sopi_tree *tree,
		       struct sopi_vnode *const *vnodes, size_t count, sop_error *err)
{
	const struct sopi_page_source *source = &resident->source;
	struct sopi_node_read reads[SOPI_READ_AHEAD_MAX];
	uint8_t memory[READ_ROOM_BYTES];
	sop_buf room = SOP_BUF_OVER(memory);
	size_t got = 0;
	sop_status status;

	for (size_t i = 0; i < count; i++)
		reads[i].vid = vnodes[i]->vid;
	SOP_TRY_OUT(source->read(source->arg, reads, count, &room, &got, err));
	SOP_TRY_OUT(publish(resident, tree, vnodes[0], &reads[0], err));
	for (size_t i = 1; i < got; i++) { /* what is wrong with these is told when they are asked for */
		sopi_vnode_heat(vnodes[i]); /* else it might go before it is read */
		if (publish(resident, tree, vnodes[i], &reads[i], NULL) != SOP_OK)
			break;
	}
out:
	sop_buf_free(&room);
	return status;
}

/* Of these children takes the right to load those that are not in memory, up to one that is. */
static size_t claim_more(struct sopi_resident *resident, struct sopi_vnode *const *children, size_t most)
{
	size_t count = 0;

	while (count < most && sopi_resident_try_claim(resident, children[count]))
		count++;
	return count;
}

void sopi_resident_make_room(struct sopi_resident *resident)
{
	atomic_fetch_add_explicit(&resident->loading, 1, memory_order_relaxed);
	make_room(resident);
	atomic_fetch_sub_explicit(&resident->loading, 1, memory_order_relaxed);
}

static sop_status bring_children(struct sopi_resident *resident, const struct sopi_tree *tree,
				 struct sopi_vnode *const *children, size_t most, sop_error *err)
{
	size_t count = 1;
	sop_status status;

	if (!sopi_resident_claim(resident, children[0]))
		return SOP_OK;
	most = most < SOPI_READ_AHEAD_MAX ? most : SOPI_READ_AHEAD_MAX;
	if (most > 1)
		count += claim_more(resident, children + 1, most - 1);
	status = load(resident, tree, children, count, err);
	for (size_t i = count; i-- > 0;)
		sopi_resident_unclaim(resident, children[i]);
	return status;
}

sop_status sopi_resident_bring_one(struct sopi_resident *resident, const struct sopi_tree *tree,
				   struct sopi_vnode *vnode, sop_error *err)
{
	return bring_children(resident, tree, &vnode, 1, err);
}

sop_status sopi_resident_bring_ahead(struct sopi_resident *resident, const struct sopi_tree *tree,
				     struct sopi_vnode *const *children, size_t most, sop_error *err)
{
	sopi_resident_make_room(resident);
	return bring_children(resident, tree, children, most, err);
}

sop_status sopi_resident_bring(struct sopi_resident *resident, const struct sopi_tree *tree,
			       struct sopi_vnode *vnode, sop_error *err)
{
	return sopi_resident_bring_ahead(resident, tree, &vnode, 1, err);
}

sop_status sopi_vnode_load(const struct sopi_tree *tree, struct sopi_vnode *vnode, uint64_t at,
			   size_t depth, const struct sopi_block **out, sop_error *err)
{
	struct sopi_resident *resident = tree->forest->resident;

	SOPI_CHECK(resident != NULL); /* in memory a parent names only what its readers may see */
	if (depth + 1 >= SOPI_TREE_DEPTH_MAX)
		return sopi_fail(err, SOP_CORRUPT,
				 "node %llu of store %llu lies too deep: its parents form a cycle",
				 (unsigned long long)vnode->vid, (unsigned long long)tree->id);
	if (at == SOPI_POSITION_HEAD) {
		resident->absent = vnode;
		resident->absent_tree = tree;
		return SOP_WOULD_BLOCK;
	}
	for (;;) { /* it may be evicted again before we look, but hardly ever */
		const struct sopi_block *head = atomic_load_explicit(&vnode->head, memory_order_acquire);

		if (head == NULL) {
			SOP_TRY(sopi_resident_bring(resident, tree, vnode, err));
			continue;
		}
		*out = sopi_block_view(head, at);
		if (*out != NULL)
			return SOP_OK;
		return sopi_fail(err, SOP_CORRUPT, "node %llu of store %llu is newer than its parent",
				 (unsigned long long)vnode->vid, (unsigned long long)tree->id);
	}
}
