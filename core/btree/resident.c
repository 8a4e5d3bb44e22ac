/* Evicting, and the list of dirty nodes. */
#include "btree/resident.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/plant.h"
#include "btree/pending.h"
#include "btree/together.h"

enum { EVICT_AT_ONCE = 32, LOOKS_AT_ONCE = 512, LOOKS_LOCKED = 16, LOOKS_AHEAD = 8 };

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
	sopi_mutex_init(&resident->helper.mutex);
	sopi_cond_init(&resident->helper.wanted);
	sopi_cond_init(&resident->helper.done);
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
	sopi_helper_end(resident);
	sopi_mutex_destroy(&resident->helper.mutex);
	sopi_cond_destroy(&resident->helper.wanted);
	sopi_cond_destroy(&resident->helper.done);
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

void sopi_resident_list(struct sopi_resident *resident, struct sopi_vnode *vnode)
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

/* Asks for the vnode, and nearer to the hand for the leaf, of those that come next: nobody has touched them for long. */
static void prefetch_ahead(const struct sopi_resident *resident)
{
	const size_t left = resident->leaf_count - resident->hand;

	if (left > LOOKS_AHEAD)
		__builtin_prefetch(resident->leaves[resident->hand + LOOKS_AHEAD]);
	if (left > LOOKS_AHEAD / 2)
		__builtin_prefetch(atomic_load_explicit(
			&resident->leaves[resident->hand + LOOKS_AHEAD / 2]->head, memory_order_relaxed));
}

/* Looks at a few leaves, and takes out what may go. Returns how many went; they are in `list`. */
static size_t evict_locked(struct sopi_resident *resident, uint64_t least, struct sopi_version_list *list)
{
	size_t evicted = 0;

	for (size_t looks = 0; looks < LOOKS_LOCKED && resident->leaf_count != 0; looks++) {
		struct sopi_vnode *vnode;
		struct sopi_block *head;

		resident->hand = resident->hand >= resident->leaf_count ? 0 : resident->hand;
		prefetch_ahead(resident);
		vnode = resident->leaves[resident->hand];
		if ((atomic_load_explicit(&vnode->state, memory_order_relaxed) & SOPI_VNODE_DIRTY) != 0) {
			leaf_unlist_locked(resident, vnode); /* the checkpoint that writes it lists it again */
			continue;
		}
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
	if (forest->resident != NULL)
		sopi_dirty_add_absent(forest, vnode, store,
				      atomic_load_explicit(&vnode->head, memory_order_relaxed)->capacity);
}

void sopi_dirty_add_absent(struct sopi_forest *forest, struct sopi_vnode *vnode, uint64_t store,
			   uint32_t bytes)
{
	struct sopi_resident *resident = forest->resident;
	struct sopi_dirty_list *list;

	if ((atomic_load_explicit(&vnode->state, memory_order_relaxed) & SOPI_VNODE_DIRTY) != 0)
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
			sopi_resident_list(resident, vnode);
		}
	}
	atomic_fetch_sub_explicit(&resident->dirty_bytes, dirty->bytes, memory_order_relaxed);
	if ((atomic_fetch_and_explicit(&vnode->state, (uint8_t)~SOPI_VNODE_DIRTY, memory_order_acq_rel) &
	     SOPI_VNODE_ZOMBIE) == 0)
		return;
	sopi_pending_forget(forest, vnode);
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

		sopi_dirty_ask(chunk, i);
		if (atomic_load_explicit(&dirty.vnode->newest, memory_order_relaxed) > position ||
		    (dirty.lives && !sopi_pending_drop(resident, dirty.vnode)))
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
