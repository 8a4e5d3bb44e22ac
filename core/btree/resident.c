/* Loading, evicting, and the list of dirty nodes. */
#include "btree/resident.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/plant.h"

enum { EVICT_AT_ONCE = 32, LOOKS_AT_ONCE = 512, LOOKS_LOCKED = 16, LOOKS_AHEAD = 8 };
enum { ROOM_BYTES_MIN = 2 << 20, ROOM_WAITS = 8, ROOM_WAIT_NS = 125000, WAITS_FOR_ONE = 800 };

/* ---- life ------------------------------------------------------------------------------------- */

sop_status sopi_resident_open(struct sopi_forest *forest, const struct sopi_page_source *source,
			      sopi_mutex *commit_mutex, const _Atomic uint64_t *answered,
			      size_t bytes_max, size_t node_bytes, sop_error *err)
{
	struct sopi_resident *resident;
	void *memory = NULL;

	SOP_TRY(sopi_alloc_aligned(64, sizeof *resident, &memory, err));
	resident = memory;
	memset(resident, 0, sizeof *resident);
	resident->forest = forest;
	resident->source = *source;
	resident->commit_mutex = commit_mutex;
	resident->answered = answered;
	atomic_init(&resident->bytes_max, bytes_max);
	resident->node_bytes = node_bytes;
	resident->dirty_bytes_max = bytes_max / 4 * 3;
	sopi_mutex_init(&resident->mutex);
	for (size_t i = 0; i < SOPI_LOAD_STRIPES; i++) {
		sopi_mutex_init(&resident->stripes[i].mutex);
		sopi_cond_init(&resident->stripes[i].loaded);
	}
	forest->resident = resident;
	return SOP_OK;
}

static void chunks_free(struct sopi_dirty_chunk *chunk)
{
	while (chunk != NULL) {
		struct sopi_dirty_chunk *older = chunk->older;

		sopi_free(chunk);
		chunk = older;
	}
}

void sopi_resident_close(struct sopi_forest *forest)
{
	struct sopi_resident *resident = forest->resident;

	if (resident == NULL)
		return;
	forest->resident = NULL;
	chunks_free(resident->dirty.newest);
	chunks_free(resident->spare);
	for (size_t i = 0; i < SOPI_LOAD_STRIPES; i++) {
		sopi_mutex_destroy(&resident->stripes[i].mutex);
		sopi_cond_destroy(&resident->stripes[i].loaded);
	}
	sopi_mutex_destroy(&resident->mutex);
	sopi_free(resident->leaves);
	sopi_free(resident);
}

/* ---- leaves that may be evicted --------------------------------------------------------------- */

/* Lists a clean leaf. If there is no memory for that it just stays in memory. */
static void leaf_list(struct sopi_resident *resident, struct sopi_vnode *vnode)
{
	sopi_mutex_lock(&resident->mutex);
	if (vnode->resident == 0 && resident->leaf_count == resident->leaf_capacity) {
		const size_t capacity = resident->leaf_capacity == 0 ? 256 : resident->leaf_capacity * 2;
		void *grown = resident->leaves;

		if (capacity < UINT32_MAX &&
		    sopi_realloc(&grown, capacity * sizeof *resident->leaves, NULL) == SOP_OK) {
			resident->leaves = grown;
			resident->leaf_capacity = capacity;
		}
	}
	if (vnode->resident == 0 && resident->leaf_count < resident->leaf_capacity) {
		resident->leaves[resident->leaf_count++] = vnode;
		vnode->resident = (uint32_t)resident->leaf_count;
	}
	sopi_mutex_unlock(&resident->mutex);
}

static void leaf_unlist_locked(struct sopi_resident *resident, struct sopi_vnode *vnode)
{
	struct sopi_vnode *last = resident->leaves[resident->leaf_count - 1];

	resident->leaves[vnode->resident - 1] = last;
	last->resident = vnode->resident;
	resident->leaf_count--;
	vnode->resident = 0;
}

bool sopi_resident_forget(struct sopi_forest *forest, struct sopi_vnode *vnode)
{
	struct sopi_resident *resident = forest->resident;

	if (resident == NULL)
		return true;
	sopi_mutex_lock(&resident->mutex);
	if (vnode->resident != 0)
		leaf_unlist_locked(resident, vnode);
	sopi_mutex_unlock(&resident->mutex);
	/* Whoever comes second, this or the checkpoint that takes DIRTY off, frees it. */
	return (atomic_fetch_or_explicit(&vnode->state, SOPI_VNODE_ZOMBIE, memory_order_acq_rel) &
		SOPI_VNODE_DIRTY) == 0;
}

/* ---- evicting --------------------------------------------------------------------------------- */

static bool may_go(const struct sopi_vnode *vnode, const struct sopi_block *head, uint64_t least)
{
	const unsigned state = atomic_load_explicit(&vnode->state, memory_order_relaxed);

	return head != NULL && head->version.kind == SOPI_LEAF &&
	       (state & (SOPI_VNODE_DIRTY | SOPI_VNODE_LOADING)) == 0 &&
	       (SOPI_PLANTED(SOPI_PLANT_EVICT_IGNORES_SNAPSHOTS) ||
		(atomic_load_explicit(&head->version.older, memory_order_relaxed) == NULL &&
		 atomic_load_explicit(&vnode->newest, memory_order_relaxed) <= least));
}

/* Looks at a few leaves, and takes out what may go. Returns how many went; they are in `list`. */
static size_t evict_locked(struct sopi_resident *resident, uint64_t least, struct sopi_version_list *list)
{
	size_t evicted = 0;

	for (size_t looks = 0; looks < LOOKS_LOCKED && resident->leaf_count != 0; looks++) {
		struct sopi_vnode *vnode;
		struct sopi_block *head;

		resident->hand = resident->hand >= resident->leaf_count ? 0 : resident->hand;
		if (resident->leaf_count - resident->hand > LOOKS_AHEAD) /* nobody has touched it for long */
			__builtin_prefetch(resident->leaves[resident->hand + LOOKS_AHEAD]);
		vnode = resident->leaves[resident->hand];
		head = atomic_load_explicit(&vnode->head, memory_order_acquire);
		if ((atomic_load_explicit(&vnode->state, memory_order_relaxed) & SOPI_VNODE_HOT) != 0) {
			atomic_fetch_and_explicit(&vnode->state, (uint8_t)~SOPI_VNODE_HOT,
						  memory_order_relaxed);
			resident->hand++;
			continue;
		}
		if (!may_go(vnode, head, least)) {
			resident->hand++;
			continue;
		}
		evicted++;
		if (list->first == NULL) /* before anything is unlinked: see scans */
			atomic_fetch_add_explicit(&resident->evictions, 1, memory_order_seq_cst);
		leaf_unlist_locked(resident, vnode);
		atomic_store_explicit(&vnode->head, NULL, memory_order_seq_cst);
		head->version.until = 0; /* no snapshot needs it */
		head->version.unlinked = SOPI_EVICTED;
		sopi_version_list_add(list, &head->version, head->capacity);
	}
	return evicted;
}

/* Takes a few leaves out; they go to `list`. Others list theirs in between: going over cold vnodes takes long. REQUIRES: the
 * commit mutex. */
static void evict_some(struct sopi_resident *resident, uint64_t least, struct sopi_version_list *list)
{
	size_t evicted = 0;

	for (size_t looks = 0; looks < LOOKS_AT_ONCE && evicted < EVICT_AT_ONCE; looks += LOOKS_LOCKED) {
		sopi_mutex_lock(&resident->mutex);
		evicted += evict_locked(resident, least, list);
		sopi_mutex_unlock(&resident->mutex);
	}
	atomic_fetch_add_explicit(&resident->evicted, evicted, memory_order_relaxed);
}

/* Takes the commit mutex, unless another thread has it, which will evict or lets the next load do so. That may not go on for
 * long: once a sixteenth of the budget is used beyond it, waits. */
static bool lock_to_evict(struct sopi_resident *resident, size_t beyond)
{
	if (beyond < atomic_load_explicit(&resident->bytes_max, memory_order_relaxed) / 16)
		return sopi_mutex_trylock(resident->commit_mutex);
	sopi_mutex_lock(resident->commit_mutex);
	return true;
}

/* How many bytes too many are in use. What was taken from the system and lies in blocks of sizes that nobody asks for
 * counts too, or memory would grow each time that leaves change in size; but never more than half of the budget. */
static size_t beyond_budget(struct sopi_resident *resident)
{
	const size_t bytes_max = atomic_load_explicit(&resident->bytes_max, memory_order_relaxed);
	const size_t taken_max = bytes_max + bytes_max / 16;
	size_t taken, used, unused;

	sopi_memory_usage(&resident->forest->memory, &taken, &used);
	unused = taken > taken_max ? taken - taken_max : 0;
	unused = unused < bytes_max / 2 ? unused : bytes_max / 2;
	return used > bytes_max - unused ? used - (bytes_max - unused) : 0;
}

bool sopi_resident_evict(struct sopi_resident *resident)
{
	struct sopi_reclaim *reclaim = &resident->forest->reclaim;
	struct sopi_version_list list = { NULL, NULL, 0 };
	const size_t beyond = beyond_budget(resident);
	uint64_t least;
	bool evicted;

	if (SOPI_LIKELY(beyond == 0) || atomic_load(&resident->hold) != 0)
		return false;
	/* What was evicted before may only wait for calls to end; but not what is pinned. */
	if (beyond + atomic_load(&reclaim->pinned_bytes) > atomic_load(&reclaim->waiting_bytes) &&
	    lock_to_evict(resident, beyond)) {
		if (sopi_reclaim_least(reclaim, resident->answered, &least))
			evict_some(resident, least, &list);
		sopi_mutex_unlock(resident->commit_mutex);
	}
	evicted = list.first != NULL;
	sopi_reclaim_add(reclaim, &list);
	sopi_reclaim_run(reclaim, resident->answered, NULL);
	return evicted;
}

/* ---- loading ---------------------------------------------------------------------------------- */

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
	void *memory = NULL;

	SOP_TRY(sopi_alloc_zeroed(sizeof *value, &memory, err));
	value = memory;
	value->version.kind = SOPI_VALUE;
	value->version.unlinked = SOPI_UNLINKED;
	value->committed = true;
	value->size = size;
	value->id = location;
	value->next_in_transaction = loading->values;
	loading->values = value;
	atomic_fetch_add_explicit(&loading->forest->value_bytes, sizeof *value, memory_order_relaxed);
	*out = value;
	return SOP_OK;
}

/* A value that the node does not have after all. */
static void load_value_free(void *arg, struct sopi_value *value)
{
	struct loading *loading = arg;
	struct sopi_value **at = &loading->values;

	while (*at != value)
		at = &(*at)->next_in_transaction;
	*at = value->next_in_transaction;
	sopi_value_free(loading->forest, value);
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

/* Reads one page of the node, or its patch. */
static sop_status load_page(const struct sopi_resident *resident, const struct sopi_page_loader *loader,
			    struct sopi_page_id *id, struct sopi_block **out, sop_error *err)
{
	char file[SOPI_PATH_BYTES_MAX + 1] = "";
	struct sopi_page_origin from = { file, -1 };
	const struct sopi_page_source *source = &resident->source;
	uint8_t room[8192];
	sop_buf page = SOP_BUF_OVER(room);
	uint64_t pack = 0;
	sop_status status;

	SOP_TRY_OUT(source->read(source->arg, id->vid, id->base != 0, &page, &id->position, &pack,
				 &from.offset, err));
	status = sopi_page_decode((sop_bytes){ page.data, page.size }, id, &from, loader, out, err);
	if (SOPI_UNLIKELY(status == SOP_CORRUPT || status == SOP_UNSUPPORTED)) { /* again, to say where */
		source->name(source->arg, pack, file);
		(void)sopi_page_verify((sop_bytes){ page.data, page.size }, id, &from, err);
	}
out:
	sop_buf_free(&page);
	return status;
}

/* Reads the patch of a leaf, if it has one, and puts both together. */
static sop_status load_patch(const struct sopi_resident *resident,
			     const struct sopi_page_loader *loader, struct sopi_vnode *vnode,
			     struct sopi_page_id *id, struct sopi_block **leaf, sop_error *err)
{
	struct sopi_block *patch = NULL, *joined = NULL;
	sop_status status;

	if (id->position == 0) /* as it was created: nothing is written as a patch to that */
		return SOP_OK;
	id->base = id->position;
	status = load_page(resident, loader, id, &patch, err);
	if (status == SOP_NOT_FOUND) {
		id->position = id->base;
		return SOP_OK;
	}
	SOP_TRY(status);
	status = sopi_page_join(*leaf, patch, loader, &joined, err);
	loader->block_free(loader->arg, patch);
	SOP_TRY(status);
	loader->block_free(loader->arg, *leaf);
	*leaf = joined;
	atomic_fetch_or_explicit(&vnode->state, SOPI_VNODE_PATCHED, memory_order_relaxed);
	return SOP_OK;
}

/* Reads the node and makes that its only version. REQUIRES: LOADING is ours. */
static sop_status load(struct sopi_resident *resident, const struct sopi_tree *tree,
		       struct sopi_vnode *vnode, sop_error *err)
{
	struct loading loading = { resident->forest, NULL, NULL };
	const struct sopi_page_loader loader = { load_block, load_block_free, load_child,
						 load_value, load_value_free, &loading };
	struct sopi_page_id id = { .vid = vnode->vid, .store = tree->id };
	struct sopi_block *block = NULL;
	sop_status status;

	SOP_TRY_OUT(load_page(resident, &loader, &id, &block, err));
	if (block->version.kind == SOPI_LEAF) {
		SOP_TRY_OUT(load_patch(resident, &loader, vnode, &id, &block, err));
		sopi_vnode_grows(vnode);
	}
	load_keep(&loading);
	if (id.position > atomic_load_explicit(&vnode->newest, memory_order_relaxed))
		atomic_store_explicit(&vnode->newest, id.position, memory_order_release);
	atomic_store_explicit(&vnode->head, block, memory_order_release);
	atomic_fetch_add_explicit(&resident->loads, 1, memory_order_relaxed);
	if (block->version.kind == SOPI_LEAF)
		leaf_list(resident, vnode);
out:
	if (status != SOP_OK) {
		if (block != NULL)
			load_block_free(&loading, block);
		load_give_up(&loading);
	}
	return status;
}

/* Takes the right to load, or waits until another thread has done it. */
static bool begin_loading(struct sopi_resident *resident, struct sopi_vnode *vnode)
{
	const size_t stripe = (size_t)vnode->vid % SOPI_LOAD_STRIPES;
	bool mine;

	sopi_mutex_lock(&resident->stripes[stripe].mutex);
	while ((atomic_load(&vnode->state) & SOPI_VNODE_LOADING) != 0)
		sopi_cond_wait(&resident->stripes[stripe].loaded, &resident->stripes[stripe].mutex);
	mine = atomic_load_explicit(&vnode->head, memory_order_acquire) == NULL;
	if (mine)
		atomic_fetch_or(&vnode->state, SOPI_VNODE_LOADING);
	sopi_mutex_unlock(&resident->stripes[stripe].mutex);
	return mine;
}

static void end_loading(struct sopi_resident *resident, struct sopi_vnode *vnode)
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

sop_status sopi_resident_bring(struct sopi_resident *resident, const struct sopi_tree *tree,
			       struct sopi_vnode *vnode, sop_error *err)
{
	sop_status status;

	atomic_fetch_add_explicit(&resident->loading, 1, memory_order_relaxed);
	make_room(resident);
	atomic_fetch_sub_explicit(&resident->loading, 1, memory_order_relaxed);
	if (!begin_loading(resident, vnode))
		return SOP_OK;
	status = load(resident, tree, vnode, err);
	end_loading(resident, vnode);
	return status;
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

/* ---- dirty nodes ------------------------------------------------------------------------------ */

sop_status sopi_dirty_reserve(struct sopi_forest *forest, sop_error *err)
{
	struct sopi_resident *resident = forest->resident;

	if (resident == NULL)
		return SOP_OK;
	while (resident->spare_count * SOPI_DIRTY_IN_CHUNK < SOPI_DIRTY_ROOM) {
		void *memory = NULL;
		struct sopi_dirty_chunk *chunk;

		SOP_TRY(sopi_alloc(sizeof *chunk, &memory, err));
		chunk = memory;
		chunk->older = resident->spare;
		chunk->count = 0;
		resident->spare = chunk;
		resident->spare_count++;
	}
	return SOP_OK;
}

static void list_chunk(struct sopi_dirty_list *list, struct sopi_dirty_chunk *chunk)
{
	chunk->older = list->newest;
	list->newest = chunk;
	if (list->oldest == NULL)
		list->oldest = chunk;
}

void sopi_dirty_add(struct sopi_forest *forest, struct sopi_vnode *vnode, uint64_t store)
{
	struct sopi_resident *resident = forest->resident;
	const struct sopi_block *head;
	struct sopi_dirty_list *list;
	uint32_t bytes;

	if (resident == NULL ||
	    (atomic_load_explicit(&vnode->state, memory_order_relaxed) & SOPI_VNODE_DIRTY) != 0)
		return;
	atomic_fetch_or_explicit(&vnode->state, SOPI_VNODE_DIRTY, memory_order_relaxed);
	list = &resident->dirty;
	if (list->newest == NULL || list->newest->count == SOPI_DIRTY_IN_CHUNK) {
		struct sopi_dirty_chunk *chunk = resident->spare;

		SOPI_CHECK(chunk != NULL);
		resident->spare = chunk->older;
		resident->spare_count--;
		list_chunk(list, chunk);
	}
	head = atomic_load_explicit(&vnode->head, memory_order_relaxed);
	bytes = head != NULL ? head->capacity : SOPI_NODE_BYTES_DEFAULT;
	list->newest->nodes[list->newest->count++] = (struct sopi_dirty){ vnode, store, bytes, false };
	list->count++;
	atomic_fetch_add_explicit(&resident->dirty_bytes, bytes, memory_order_relaxed);
}

size_t sopi_dirty_mark(const struct sopi_forest *forest)
{
	return forest->resident != NULL ? forest->resident->dirty.count : 0;
}

static void spare_chunk(struct sopi_resident *resident, struct sopi_dirty_chunk *chunk)
{
	chunk->count = 0;
	chunk->older = resident->spare;
	resident->spare = chunk;
	resident->spare_count++;
}

void sopi_dirty_cut(struct sopi_forest *forest, size_t mark)
{
	struct sopi_resident *resident = forest->resident;
	struct sopi_dirty_list *list;

	if (resident == NULL)
		return;
	list = &resident->dirty;
	while (list->count > mark) {
		struct sopi_dirty_chunk *chunk = list->newest;
		const struct sopi_dirty *dirty;

		if (chunk->count == 0) {
			list->newest = chunk->older;
			spare_chunk(resident, chunk);
			continue;
		}
		dirty = &chunk->nodes[--chunk->count];
		atomic_fetch_and_explicit(&dirty->vnode->state, (uint8_t)~SOPI_VNODE_DIRTY,
					  memory_order_relaxed);
		list->count--;
		atomic_fetch_sub_explicit(&resident->dirty_bytes, dirty->bytes, memory_order_relaxed);
	}
	if (list->newest == NULL)
		list->oldest = NULL;
}

void sopi_dirty_take(struct sopi_resident *resident, struct sopi_dirty_list *list)
{
	*list = resident->dirty;
	memset(&resident->dirty, 0, sizeof resident->dirty);
}

/* Puts a chain of chunks behind the oldest. */
static void return_chunks(struct sopi_dirty_list *list, struct sopi_dirty_chunk *newest,
			  struct sopi_dirty_chunk *oldest, size_t count)
{
	if (newest == NULL)
		return;
	oldest->older = NULL;
	if (list->oldest != NULL)
		list->oldest->older = newest;
	else
		list->newest = newest;
	list->oldest = oldest;
	list->count += count;
}

void sopi_dirty_return(struct sopi_resident *resident, struct sopi_dirty_list *list)
{
	return_chunks(&resident->dirty, list->newest, list->oldest, list->count);
	memset(list, 0, sizeof *list);
}

/* Takes the mark off a node, and frees one that is no more. */
static void clean(struct sopi_resident *resident, const struct sopi_dirty *dirty)
{
	struct sopi_forest *forest = resident->forest;
	struct sopi_vnode *vnode = dirty->vnode;
	struct sopi_block *head = NULL;

	if (!dirty->lives) { /* the disk does not have it as it is: it must not be evicted */
		sopi_mutex_lock(&resident->mutex);
		if (vnode->resident != 0)
			leaf_unlist_locked(resident, vnode);
		sopi_mutex_unlock(&resident->mutex);
	} else {
		head = atomic_load_explicit(&vnode->head, memory_order_acquire);
		if (head != NULL && head->version.kind == SOPI_LEAF) {
			sopi_vnode_grows(vnode);
			leaf_list(resident, vnode);
		}
	}
	atomic_fetch_sub_explicit(&resident->dirty_bytes, dirty->bytes, memory_order_relaxed);
	if ((atomic_fetch_and_explicit(&vnode->state, (uint8_t)~SOPI_VNODE_DIRTY, memory_order_acq_rel) &
	     SOPI_VNODE_ZOMBIE) == 0)
		return;
	head = atomic_load_explicit(&vnode->head, memory_order_acquire);
	if (head != NULL)
		sopi_memory_give(&forest->memory, head, head->capacity);
	sopi_memory_give(&forest->memory, vnode, sizeof *vnode);
}

bool sopi_dirty_settle(struct sopi_resident *resident, struct sopi_dirty_list *list, uint64_t position)
{
	struct sopi_dirty_chunk *chunk = list->newest;
	size_t kept = 0;

	if (chunk == NULL)
		return false;
	list->newest = chunk->older;
	list->count -= chunk->count;
	for (size_t i = 0; i < chunk->count; i++) {
		const struct sopi_dirty dirty = chunk->nodes[i];

		if (atomic_load_explicit(&dirty.vnode->newest, memory_order_relaxed) > position)
			chunk->nodes[kept++] = dirty;
		else
			clean(resident, &dirty);
	}
	chunk->count = kept;
	if (kept > 0)
		return_chunks(&resident->dirty, chunk, chunk, kept);
	else
		sopi_free(chunk);
	return list->newest != NULL;
}
