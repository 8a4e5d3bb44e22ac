/* The leaves of a commit, found and brought in together. */
#include "btree/together.h"

#include "btree/apply.h"
#include "btree/operation.h"

/* From how many on it is worth to wake a thread, which takes as long as reading a page or two. */
enum { SHARED_MIN = 4, EVICTIONS_MAX = 8 };

/* ---- the thread ---------------------------------------------------------------------------------- */

static sop_status bring_next(struct sopi_together *together, struct sopi_vnode **vnode, sop_error *err)
{
	*vnode = together->vnodes[together->next++];
	if (together->shared)
		sopi_mutex_unlock(&together->resident->helper.mutex);
	const sop_status status =
		sopi_resident_bring_one(together->resident, together->tree, *vnode, err);

	if (together->shared)
		sopi_mutex_lock(&together->resident->helper.mutex);
	return status;
}

/* Takes part in what there is to do, one after the other; whoever has asked for it waits for the last one, and so keeps
 * alive what is looked at. */
static void help(void *arg)
{
	struct sopi_helper *helper = arg;

	sopi_mutex_lock(&helper->mutex);
	while (!helper->stop) {
		struct sopi_together *together = helper->together;
		struct sopi_vnode *vnode;

		if (together == NULL || together->next == together->count) {
			sopi_cond_wait(&helper->wanted, &helper->mutex);
			continue;
		}
		together->busy = true;
		if (bring_next(together, &vnode, NULL) != SOP_OK)
			together->failed = vnode;
		together->busy = false;
		if (together->next == together->count)
			sopi_cond_signal(&helper->done);
	}
	sopi_mutex_unlock(&helper->mutex);
}

void sopi_helper_allow(struct sopi_resident *resident, bool allowed)
{
	atomic_store_explicit(&resident->helper.allowed, allowed, memory_order_relaxed);
}

void sopi_helper_end(struct sopi_resident *resident)
{
	struct sopi_helper *helper = &resident->helper;

	if (!helper->running)
		return;
	sopi_mutex_lock(&helper->mutex);
	helper->stop = true;
	sopi_cond_signal(&helper->wanted);
	sopi_mutex_unlock(&helper->mutex);
	sopi_thread_join(&helper->thread);
	helper->running = false;
}

/* Shows the thread what there is to do, unless there is none to be had, or it has work of another call. */
static void share(struct sopi_together *together)
{
	struct sopi_helper *helper = &together->resident->helper;

	if (!atomic_load_explicit(&helper->allowed, memory_order_relaxed))
		return;
	sopi_mutex_lock(&helper->mutex);
	if (!helper->running)
		helper->running = sopi_thread_start(&helper->thread, "sop-leaves", help, helper,
						    NULL) == SOP_OK;
	together->shared = helper->running && helper->together == NULL;
	if (together->shared) {
		helper->together = together;
		sopi_cond_signal(&helper->wanted);
	}
	sopi_mutex_unlock(&helper->mutex);
}

/* ---- bringing in --------------------------------------------------------------------------------- */

void sopi_together_begin(struct sopi_together *together, struct sopi_resident *resident,
			 const struct sopi_tree *tree)
{
	together->resident = resident;
	together->tree = tree;
	together->shared = false;
	together->busy = false;
	together->next = together->count = 0;
	together->failed = NULL;
}

/* REQUIRES: the mutex, if it is shared. */
static void wait_for_thread(struct sopi_together *together)
{
	struct sopi_helper *helper = &together->resident->helper;

	together->next = together->count; /* after a failure there may be some */
	while (together->busy)
		sopi_cond_wait(&helper->done, &helper->mutex);
}

/* Brings in all that were added, and waits for the thread, if it has one. REQUIRES: the mutex, if it is shared. */
static sop_status bring_rest(struct sopi_together *together, sop_error *err)
{
	struct sopi_vnode *vnode;
	sop_status status = SOP_OK;

	while (status == SOP_OK && together->next < together->count)
		status = bring_next(together, &vnode, err);
	wait_for_thread(together);
	together->next = together->count = 0;
	return status;
}

/* The same, and what the thread could not bring in, to say why. */
static sop_status bring_all(struct sopi_together *together, sop_error *err)
{
	struct sopi_helper *helper = &together->resident->helper;
	struct sopi_vnode *failed;
	sop_status status;

	if (!together->shared)
		return bring_rest(together, err);
	sopi_mutex_lock(&helper->mutex);
	status = bring_rest(together, err);
	failed = together->failed;
	together->failed = NULL;
	sopi_mutex_unlock(&helper->mutex);
	if (status == SOP_OK && SOPI_UNLIKELY(failed != NULL))
		status = sopi_resident_bring_one(together->resident, together->tree, failed, err);
	return status;
}

/* For about as many as were brought in the last time: each round evicts some. */
static void make_room(struct sopi_resident *resident)
{
	for (int i = 1; i < EVICTIONS_MAX && sopi_resident_evict(resident); i++)
		continue;
	sopi_resident_make_room(resident);
}

static void append(struct sopi_together *together, struct sopi_vnode *vnode)
{
	if (together->shared)
		sopi_mutex_lock(&together->resident->helper.mutex);
	together->vnodes[together->count++] = vnode;
	if (together->shared) {
		sopi_cond_signal(&together->resident->helper.wanted);
		sopi_mutex_unlock(&together->resident->helper.mutex);
	}
}

sop_status sopi_together_add(struct sopi_together *together, struct sopi_vnode *vnode, sop_error *err)
{
	if (together->count == SOPI_TOGETHER_MAX)
		SOP_TRY(bring_all(together, err));
	if (together->count == 0)
		make_room(together->resident);
	append(together, vnode);
	if (!together->shared && together->count == SHARED_MIN)
		share(together);
	return SOP_OK;
}

sop_status sopi_together_end(struct sopi_together *together, sop_status status, sop_error *err)
{
	if (status == SOP_OK)
		status = bring_all(together, err);
	if (!together->shared)
		return status;
	sopi_mutex_lock(&together->resident->helper.mutex);
	wait_for_thread(together);
	together->resident->helper.together = NULL;
	sopi_mutex_unlock(&together->resident->helper.mutex);
	together->shared = false;
	return status;
}

/* ---- the leaves of changes ----------------------------------------------------------------------- */

/* The way to the leaf of a key: down to `depth`, where the leaves are, and no further, unless that is not known yet or the leaf
 * cannot be told from another node there. True in *absent: the leaf is not in memory. */
static sop_status find(const struct sopi_tree *tree, const struct sopi_operation *operation,
		       uint64_t at, size_t depth, struct sopi_path *path, bool *absent, sop_error *err)
{
	const uint8_t *key = sopi_operation_key(operation);
	const size_t size = operation->key_size;
	const struct sopi_block *block;

	*absent = false;
	path->stays = false;
	if (depth == SIZE_MAX)
		return sopi_tree_path(tree, key, size, at, path, err);
	SOP_TRY(sopi_tree_path_above(tree, key, size, at, depth, path, err));
	block = path->level[path->depth].block;
	if (SOPI_LIKELY(block == NULL))
		*absent = atomic_load_explicit(&path->level[path->depth].vnode->head,
					       memory_order_acquire) == NULL;
	if (*absent || (block != NULL && block->version.kind == SOPI_LEAF)) {
		sopi_vnode_heat(path->level[path->depth].vnode);
		return SOP_OK;
	}
	return sopi_tree_path(tree, key, size, at, path, err);
}

/* All leaves of a tree lie at one depth. Would one of those that were brought in be another node, then it is not what the
 * changes are for: they find their leaf when they are applied. */
static void forget_others(struct sopi_change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct sopi_block *head =
			atomic_load_explicit(&changes[i].leaf->head, memory_order_acquire);

		if (SOPI_UNLIKELY(head != NULL && head->version.kind != SOPI_LEAF))
			changes[i].leaf = NULL;
	}
}

static sop_status find_all(const struct sopi_tree *tree, struct sopi_change *changes, size_t count,
			   uint64_t at, struct sopi_together *together, sop_error *err)
{
	size_t depth = SIZE_MAX;
	size_t i = 0;

	while (i < count) {
		struct sopi_separator upper;
		struct sopi_path path;
		size_t end = count;
		bool absent;

		SOP_TRY(find(tree, changes[i].newest, at, depth, &path, &absent, err));
		if (together != NULL)
			depth = path.depth;
		if (absent)
			SOP_TRY(sopi_together_add(together, path.level[path.depth].vnode, err));
		if (sopi_path_upper(&path, &upper))
			end = sopi_changes_below(changes, i + 1, count, &upper);
		while (i < end)
			changes[i++].leaf = path.level[path.depth].vnode;
	}
	return SOP_OK;
}

sop_status sopi_tree_find_leaves(const struct sopi_tree *tree, struct sopi_change *changes,
				 size_t count, uint64_t at, sop_error *err)
{
	struct sopi_together together;
	const struct sopi_block *block;

	if (count == 1) /* the common small commit needs no bound */
		return sopi_tree_leaf(tree, sopi_operation_key(changes[0].newest),
				      changes[0].newest->key_size, at, &changes[0].leaf, &block, err);
	if (tree->forest->resident == NULL)
		return find_all(tree, changes, count, at, NULL, err);
	sopi_together_begin(&together, tree->forest->resident, tree);
	SOP_TRY(sopi_together_end(&together, find_all(tree, changes, count, at, &together, err), err));
	forget_others(changes, count);
	return SOP_OK;
}
