/* Applying what was gathered from the log: part by part, each a run of neighbouring leaves, while a second thread brings the
 * leaves of the next part in. */
#include "backend/recovery.h"

#include "base/alloc.h"
#include "btree/apply.h"
#include "btree/pending.h"
#include "btree/resident.h"

#include <string.h>

enum {
	LEAVES_AT_ONCE = 512, /* of a part */
	LEAVES_SHARE = 16, /* of the budget, for the old versions of a part, which it needs until it is kept */
	LEAVES_MIN = 8,
	CHANGES_AT_ONCE = 1 << 14,
	LOADER_LEAVES_MIN = 64, /* fewer are read faster than a thread wakes up */
	OPERATIONS_AHEAD = 8, /* that are looked at next */
	EVICTIONS_MAX = 64, /* between two parts */
};

#ifdef SOP_TEST_HOOKS
_Atomic uint32_t sopi_recover_leaves_max;
_Atomic bool sopi_recover_loader_always;
#else
enum { sopi_recover_leaves_max = 0, sopi_recover_loader_always = false };
#endif

/* A leaf, and the changes that are its own. */
struct changed_leaf {
	struct sopi_vnode *vnode;
	size_t first, end; /* changes */
	struct sopi_pending *pending; /* made of them, to be left beside the leaf */
	bool left; /* that was done: they need not be applied */
};

/* Neighbouring leaves of one tree, and the changes that are theirs. */
struct part {
	struct sopi_tree *tree;
	size_t first, end; /* changes */
	struct changed_leaf leaves[LEAVES_AT_ONCE];
	size_t count;
	size_t absent; /* of them, not in memory */
	_Atomic size_t next; /* leaf to be prepared */
};

struct applying;

/* The thread that brings leaves in; it ends with the replay of what was gathered. */
struct loader {
	struct sopi_inredfs *fs;
	const struct applying *of;
	struct sopi_slot *slot;
	sopi_thread thread;
	bool started, tried;
	sopi_mutex mutex; /* guards what follows */
	sopi_cond changed;
	struct part *part; /* to be brought in; NULL: nothing is to be done */
	bool stop;
	sop_status status; /* of the first failure */
	sop_error err;
};

struct applying {
	struct sopi_replay *replay;
	struct sopi_engine *engine;
	struct sopi_resident *resident;
	struct sopi_change *changes; /* one for each entry */
	size_t leaves_max;
	struct loader loader;
	struct part parts[2]; /* the one that is applied and the one behind it */
};

/* ---- bringing leaves in -------------------------------------------------------------------------- */

/* A leaf that is not in memory: what changes in it is put together, to be left beside it, or it is brought in. */
static sop_status prepare_leaf(const struct applying *a, const struct part *part,
			       struct changed_leaf *leaf, sop_error *err)
{
	if (atomic_load_explicit(&leaf->vnode->head, memory_order_acquire) != NULL)
		return SOP_OK;
	SOP_TRY(sopi_pending_make(part->tree, leaf->vnode, a->changes + leaf->first,
				  leaf->end - leaf->first, a->replay->position, &leaf->pending, err));
	return leaf->pending != NULL ? SOP_OK
				     : sopi_resident_bring(a->resident, part->tree, leaf->vnode, err);
}

/* Prepares what is left of a part. Any number of threads. REQUIRES: a slot of the caller's has been claimed since its leaves
 * were found. */
static sop_status prepare_part(const struct applying *a, struct part *part, sop_error *err)
{
	for (;;) {
		const size_t i = atomic_fetch_add(&part->next, 1);

		if (i >= part->count)
			return SOP_OK;
		SOP_TRY(prepare_leaf(a, part, &part->leaves[i], err));
	}
}

static void loader_run(void *arg)
{
	struct loader *loader = arg;
	struct sopi_forest *forest = &loader->fs->engine->forest;

	sopi_mutex_lock(&loader->mutex);
	for (;;) {
		sop_error err = SOP_ERROR_INIT;
		struct part *part;
		sop_status status;

		while (loader->part == NULL && !loader->stop)
			sopi_cond_wait(&loader->changed, &loader->mutex);
		part = loader->part;
		if (part == NULL)
			break;
		sopi_mutex_unlock(&loader->mutex);
		if (sopi_memory_wants_ahead(&forest->memory)) /* clearing it costs as much as reading leaves into it */
			sopi_memory_ahead(&forest->memory);
		status = prepare_part(loader->of, part, &err);
		sopi_mutex_lock(&loader->mutex);
		if (status != SOP_OK && loader->status == SOP_OK) {
			loader->status = status;
			loader->err = err;
		}
		loader->part = NULL;
		sopi_slot_release(loader->slot);
		sopi_cond_broadcast(&loader->changed);
	}
	sopi_mutex_unlock(&loader->mutex);
}

/* Without it, all goes on in one thread. */
static void loader_start(struct loader *loader)
{
	struct sopi_reclaim *reclaim = &loader->fs->engine->forest.reclaim;

	loader->tried = true;
	if (sopi_slot_take(reclaim, NULL, &loader->slot, NULL) != SOP_OK)
		return;
	sopi_mutex_init(&loader->mutex);
	sopi_cond_init(&loader->changed);
	loader->started =
		sopi_thread_start(&loader->thread, "sop-replay", loader_run, loader, NULL) == SOP_OK;
	if (loader->started)
		return;
	sopi_mutex_destroy(&loader->mutex);
	sopi_cond_destroy(&loader->changed);
	sopi_slot_give(reclaim, loader->slot);
}

static void loader_end(struct loader *loader)
{
	if (!loader->started)
		return;
	sopi_mutex_lock(&loader->mutex);
	loader->stop = true;
	sopi_cond_broadcast(&loader->changed);
	sopi_mutex_unlock(&loader->mutex);
	sopi_thread_join(&loader->thread);
	sopi_mutex_destroy(&loader->mutex);
	sopi_cond_destroy(&loader->changed);
	sopi_slot_give(&loader->fs->engine->forest.reclaim, loader->slot);
}

/* Hands a part over to the thread. Its slot is claimed here and now, while ours keeps what was found. */
static void loader_begin(struct loader *loader, struct part *part)
{
	if (part->absent == 0 || (part->absent < LOADER_LEAVES_MIN && !sopi_recover_loader_always))
		return;
	if (!loader->tried)
		loader_start(loader);
	if (!loader->started)
		return;
	if (sopi_slot_claim(&loader->fs->engine->forest.reclaim, loader->slot, false) != SOPI_SLOT_IDLE)
		SOPI_UNREACHABLE();
	sopi_mutex_lock(&loader->mutex);
	loader->part = part;
	sopi_cond_broadcast(&loader->changed);
	sopi_mutex_unlock(&loader->mutex);
}

/* Waits until it holds nothing any more. */
static sop_status loader_wait(struct loader *loader, sop_error *err)
{
	sop_status status;

	if (!loader->started)
		return SOP_OK;
	sopi_mutex_lock(&loader->mutex);
	while (loader->part != NULL)
		sopi_cond_wait(&loader->changed, &loader->mutex);
	status = loader->status;
	if (status != SOP_OK && err != NULL)
		*err = loader->err;
	sopi_mutex_unlock(&loader->mutex);
	return status;
}

/* ---- finding leaves ------------------------------------------------------------------------------ */

/* The next leaf of the part: of the changes from part->end on, it gets those that are its own. */
static void take_leaf(struct applying *a, struct part *part, const struct sopi_path *path, size_t end)
{
	struct sopi_vnode *leaf = path->level[path->depth].vnode;
	struct sopi_separator upper;

	if (sopi_path_upper(path, &upper))
		end = sopi_changes_below(a->changes, part->end + 1, end, &upper);
	sopi_vnode_heat(leaf);
	part->absent += atomic_load_explicit(&leaf->head, memory_order_acquire) == NULL;
	part->leaves[part->count++] =
		(struct changed_leaf){ .vnode = leaf, .first = part->end, .end = end };
	while (part->end < end)
		a->changes[part->end++].leaf = leaf;
	for (size_t i = part->end; i < part->end + OPERATIONS_AHEAD && i < a->replay->count; i++)
		__builtin_prefetch(a->changes[i].newest->bytes); /* they lie as they were written, not as keys do */
}

/* Where the run of changes of one store ends that begins at `from`; no further than a part goes. */
static size_t run_end(const struct applying *a, size_t from)
{
	const struct sopi_gathered *entries = a->replay->entries;
	size_t end = from;

	while (end < a->replay->count && end - from < CHANGES_AT_ONCE &&
	       entries[end].store == entries[from].store)
		end++;
	return end;
}

/* Finds the leaves of the changes from `first` on, as many as a part has. All leaves of a tree lie at the depth of the
 * first, which alone is brought in. */
static sop_status find_part(struct applying *a, struct part *part, size_t first, sop_error *err)
{
	const struct sopi_gathered *entries = a->replay->entries;
	const uint64_t at = a->replay->position;
	const size_t end = run_end(a, first);
	struct sopi_path path;
	size_t depth = SIZE_MAX;

	part->first = part->end = first;
	part->count = part->absent = 0;
	atomic_store(&part->next, 0);
	if (first == end)
		return SOP_OK;
	part->tree = &entries[first].store->tree;
	path.stays = false;
	while (part->end < end && part->count < a->leaves_max) {
		const struct sopi_operation *operation = a->changes[part->end].newest;
		const uint8_t *key = sopi_operation_key(operation);
		const bool is_first = part->count == 0;

		if (is_first)
			SOP_TRY(sopi_tree_path(part->tree, key, operation->key_size, at, &path, err));
		else
			SOP_TRY(sopi_tree_path_above(part->tree, key, operation->key_size, at,
						     depth, &path, err));
		depth = is_first ? path.depth : depth;
		take_leaf(a, part, &path, end);
	}
	return SOP_OK;
}

/* Changes of the next part are not led to leaves whose range has changed with this one: their nodes may be freed from now
 * on. */
static void forget_changed(struct applying *a, const struct part *part)
{
	for (size_t i = part->first; i < part->end; i++) {
		const struct sopi_vnode *leaf = a->changes[i].leaf;

		if (atomic_load_explicit(&leaf->ranged, memory_order_relaxed) > a->replay->before)
			a->changes[i].leaf = NULL;
	}
}

/* ---- applying ------------------------------------------------------------------------------------ */

/* Leaves what changes beside those leaves that need not be brought in. Not beside one whose range the part before has changed:
 * it may be no more. This comes before anything of the part is applied, which may bring leaves in and join them, and is not
 * taken back with it: it is of its position at once, and done once. */
static sop_status leave_pending(struct applying *a, struct part *part, sop_error *err)
{
	struct sopi_forest *forest = &a->engine->forest;
	sop_status status = SOP_OK;

	sopi_mutex_lock(&a->engine->commit_mutex);
	for (size_t i = 0; i < part->count && status == SOP_OK; i++) {
		struct changed_leaf *leaf = &part->leaves[i];

		if (leaf->pending == NULL)
			continue;
		status = sopi_dirty_reserve(forest, err);
		leaf->left = status == SOP_OK && a->changes[leaf->first].leaf != NULL &&
			     sopi_pending_attach(part->tree, leaf->vnode, leaf->pending);
		if (!leaf->left)
			sopi_pending_free(forest, leaf->pending);
		leaf->pending = NULL;
	}
	sopi_mutex_unlock(&a->engine->commit_mutex);
	return status;
}

/* Brings in those leaves of the part that have been evicted since; what turns out to be no leaf is looked up. */
static sop_status bring_leaf(struct applying *a, const struct part *part,
			     const struct changed_leaf *leaf, sop_error *err)
{
	if (leaf->left || a->changes[leaf->first].leaf == NULL)
		return SOP_OK;
	if (atomic_load_explicit(&leaf->vnode->head, memory_order_acquire) == NULL)
		SOP_TRY(sopi_resident_bring(a->resident, part->tree, leaf->vnode, err));
	if (atomic_load_explicit(&leaf->vnode->head, memory_order_acquire)->version.kind == SOPI_LEAF)
		return SOP_OK;
	for (size_t i = leaf->first; i < leaf->end; i++)
		a->changes[i].leaf = NULL;
	return SOP_OK;
}

static sop_status bring_leaves(struct applying *a, const struct part *part, sop_error *err)
{
	for (size_t i = 0; i < part->count; i++)
		SOP_TRY(bring_leaf(a, part, &part->leaves[i], err));
	return SOP_OK;
}

/* The values of a part that was taken back are nobody's again. */
static void disown_values(struct applying *a, const struct part *part)
{
	for (size_t i = part->first; i < part->end; i++) {
		for (const struct sopi_operation *operation = a->changes[i].newest;
		     operation != NULL; operation = operation->previous) {
			if (operation->apart != NULL)
				operation->apart->committed = false;
		}
	}
}

/* Applies the changes of all leaves but those beside which they were left. */
static sop_status apply_runs(struct applying *a, const struct part *part, struct sopi_apply *apply,
			     sop_error *err)
{
	int64_t effect = 0;

	for (size_t i = 0, end; i < part->count; i = end) {
		const size_t first = part->leaves[i].first;

		end = i + 1;
		if (part->leaves[i].left)
			continue;
		while (end < part->count && !part->leaves[end].left)
			end++;
		SOP_TRY(sopi_apply_run(apply, part->tree, a->changes + first,
				       part->leaves[end - 1].end - first, &effect, err));
	}
	return sopi_apply_count(apply, part->tree, effect, err);
}

static sop_status apply_locked(struct applying *a, const struct part *part, sop_error *err)
{
	struct sopi_forest *forest = &a->engine->forest;
	struct sopi_apply apply;
	sop_status status;

	sopi_apply_begin(&apply, forest, SOPI_POSITION_REPLAYED, a->replay->before);
	apply.lands_at = a->replay->position;
	status = apply_runs(a, part, &apply, err);
	if (forest->scratch.arena.newest != NULL)
		sopi_arena_reset(&forest->scratch.arena);
	if (status != SOP_OK) {
		sopi_apply_undo(&apply);
		disown_values(a, part);
		return status;
	}
	sopi_apply_land(&apply);
	sopi_apply_keep(&apply);
	return SOP_OK;
}

/* REQUIRES: hold, so that nothing is evicted meanwhile. What it needs besides its leaves, neighbours of those that become empty, is brought in. */
static sop_status apply_part(struct applying *a, struct part *part, sop_error *err)
{
	sop_status status = leave_pending(a, part, err);

	if (status == SOP_OK)
		status = bring_leaves(a, part, err);
	while (status == SOP_OK) {
		sopi_mutex_lock(&a->engine->commit_mutex);
		status = apply_locked(a, part, err);
		sopi_mutex_unlock(&a->engine->commit_mutex);
		if (status != SOP_WOULD_BLOCK)
			break;
		status = sopi_resident_bring(a->resident, a->resident->absent_tree,
					     a->resident->absent, err);
	}
	return status;
}

/* Between two parts nothing points into a block. */
static void let_go(struct applying *a)
{
	struct sopi_reclaim *reclaim = &a->engine->forest.reclaim;

	sopi_slot_refresh(reclaim, a->replay->fs->slot);
	if (sopi_reclaim_due(reclaim))
		sopi_reclaim_run(reclaim, &a->engine->answered, a->replay->fs->slot);
	for (int i = 0; i < EVICTIONS_MAX && sopi_resident_evict(a->resident); i++)
		continue;
}

/* Applies a part while the next one is brought in. */
static sop_status step(struct applying *a, struct part *part, struct part *next, sop_error *err)
{
	sop_status status = find_part(a, next, part->end, err);

	if (status != SOP_OK)
		return status;
	atomic_fetch_add(&a->resident->hold, 1); /* before the loader may evict what this part needs */
	loader_begin(&a->loader, next);
	status = apply_part(a, part, err);
	atomic_fetch_sub(&a->resident->hold, 1);
	if (status == SOP_OK)
		status = prepare_part(a, next, err);
	else
		atomic_store(&next->next, next->count);
	if (status == SOP_OK)
		status = loader_wait(&a->loader, err);
	else
		(void)loader_wait(&a->loader, NULL);
	if (status != SOP_OK)
		return status;
	forget_changed(a, next);
	let_go(a);
	return SOP_OK;
}

static sop_status apply_all(struct applying *a, sop_error *err)
{
	size_t number = 0;

	SOP_TRY(find_part(a, &a->parts[0], 0, err));
	SOP_TRY(prepare_part(a, &a->parts[0], err));
	for (; a->parts[number & 1].first < a->replay->count; number++)
		SOP_TRY(step(a, &a->parts[number & 1], &a->parts[~number & 1], err));
	return SOP_OK;
}

static size_t leaves_max(const struct sopi_resident *resident)
{
	const size_t share = atomic_load(&resident->bytes_max) / LEAVES_SHARE / resident->node_bytes;
	const size_t most = share < LEAVES_AT_ONCE ? share : LEAVES_AT_ONCE;

	if (sopi_recover_leaves_max != 0)
		return sopi_recover_leaves_max;
	return most > LEAVES_MIN ? most : LEAVES_MIN;
}

static sop_status applying_new(struct sopi_replay *replay, struct applying **out, sop_error *err)
{
	struct sopi_engine *engine = replay->fs->engine;
	struct applying *a;
	void *memory = NULL;

	SOP_TRY(sopi_alloc_zeroed(sizeof *a, &memory, err));
	a = memory;
	a->replay = replay;
	a->engine = engine;
	a->resident = engine->forest.resident;
	a->leaves_max = leaves_max(a->resident);
	a->loader.fs = replay->fs;
	a->loader.of = a;
	a->loader.err = (sop_error)SOP_ERROR_INIT;
	memory = NULL;
	if (sopi_alloc((replay->count + 1) * sizeof *a->changes, &memory, err) != SOP_OK) {
		sopi_free(a);
		return SOP_NO_MEMORY;
	}
	a->changes = memory;
	for (size_t i = 0; i < replay->count; i++)
		a->changes[i] = (struct sopi_change){ replay->entries[i].newest, NULL };
	*out = a;
	return SOP_OK;
}

sop_status sopi_replay_apply(struct sopi_replay *replay, sop_error *err)
{
	struct sopi_engine *engine = replay->fs->engine;
	struct applying *a = NULL;
	sop_status status;

	SOP_TRY(applying_new(replay, &a, err));
	/* Nobody reads what was there before, so that each part's old versions go when it is kept. */
	sopi_engine_answer(engine, replay->position);
	status = apply_all(a, err);
	loader_end(&a->loader);
	sopi_free(a->changes);
	sopi_free(a);
	SOP_TRY(status);
	atomic_store(&engine->applied, replay->position);
	atomic_store(&engine->flushed, replay->position);
	return SOP_OK;
}
