/* Applying a commit: item deltas on leaves where they fit, new bases where they do not, and taking
 * it all back. */
#include "btree/apply.h"

#include "btree/ahead.h"
#include "btree/resident.h"
#include "codec/change_record.h"

/* ---- versions of this commit ------------------------------------------------------------------- */

void sopi_apply_begin(struct sopi_apply *apply, struct sopi_forest *forest, uint64_t position,
		      uint64_t hints_at)
{
	memset(apply, 0, sizeof *apply);
	apply->forest = forest;
	apply->scratch = &forest->scratch;
	apply->position = position;
	apply->hints_at = hints_at;
	apply->dirty_mark = sopi_dirty_mark(forest);
}

void sopi_apply_touch(struct sopi_apply *apply, struct sopi_vnode *vnode)
{
	if (vnode->touched_at == apply->position)
		return;
	vnode->touched_at = apply->position;
	vnode->touched_next = apply->touched;
	apply->touched = vnode;
	vnode->ranged_before = atomic_load_explicit(&vnode->ranged, memory_order_relaxed);
	vnode->items_before = atomic_load_explicit(&vnode->head, memory_order_acquire)->version.items;
	sopi_dirty_add(apply->forest, vnode, apply->tree->id);
}

/* The position that all of it will be of. */
static uint64_t lands_at(const struct sopi_apply *apply)
{
	return SOPI_UNLIKELY(apply->lands_at != 0) ? apply->lands_at : apply->position;
}

void sopi_apply_supersede(struct sopi_apply *apply, struct sopi_version *version)
{
	version->until = lands_at(apply);
	sopi_version_list_add(&apply->superseded, version, sopi_version_bytes(version));
}

void sopi_apply_push(struct sopi_apply *apply, struct sopi_vnode *vnode, struct sopi_block *block)
{
	struct sopi_block *head = atomic_load_explicit(&vnode->head, memory_order_acquire);
	struct sopi_version *older = &head->version;

	sopi_apply_touch(apply, vnode);
	if (head->version.since == apply->position) { /* its own: nobody else sees it */
		older = atomic_load_explicit(&head->version.older, memory_order_relaxed);
		head->version.until = lands_at(apply);
		head->version.unlinked = SOPI_UNLINKED;
		sopi_version_list_add(&apply->replaced, &head->version, head->capacity);
	} else {
		sopi_apply_supersede(apply, older);
	}
	block->version.since = apply->position;
	atomic_store_explicit(&block->version.older, older, memory_order_relaxed);
	if (older != NULL)
		atomic_store_explicit(&older->newer, &block->version, memory_order_relaxed);
	sopi_vnode_shrinks(vnode);
	atomic_store_explicit(&vnode->head, block, memory_order_release);
	atomic_store_explicit(&vnode->newest, apply->position, memory_order_release);
}

void sopi_apply_ranged(struct sopi_apply *apply, struct sopi_vnode *vnode)
{
	sopi_apply_touch(apply, vnode);
	atomic_store_explicit(&vnode->ranged, apply->position, memory_order_release);
}

sop_status sopi_apply_block(struct sopi_apply *apply, size_t size, struct sopi_block **out, sop_error *err)
{
	*out = sopi_block_new(apply->forest, size);
	return *out != NULL
		       ? SOP_OK
		       : sopi_fail(err, SOP_NO_MEMORY, "out of memory for a node of %zu bytes", size);
}

sop_status sopi_apply_new_vnode(struct sopi_apply *apply, struct sopi_block *block,
				struct sopi_vnode **out, sop_error *err)
{
	struct sopi_vnode *vnode = NULL;

	if (sopi_dirty_reserve(apply->forest, NULL) == SOP_OK)
		vnode = sopi_vnode_new(apply->forest, block, apply->position);
	if (vnode == NULL) {
		sopi_memory_give(&apply->forest->memory, block, block->capacity);
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory for a node");
	}
	sopi_apply_touch(apply, vnode);
	*out = vnode;
	return SOP_OK;
}

sop_status sopi_apply_kill(struct sopi_apply *apply, struct sopi_vnode *vnode, sop_error *err)
{
	struct sopi_block *dead = NULL;

	SOP_TRY(sopi_apply_block(apply, sizeof *dead + sizeof vnode, &dead, err));
	dead->version.kind = SOPI_DEAD;
	memcpy(dead + 1, &vnode, sizeof vnode);
	sopi_apply_push(apply, vnode, dead);
	sopi_apply_ranged(apply, vnode);
	sopi_apply_supersede(apply, &dead->version);
	return SOP_OK;
}

/* ---- keeping and taking back ------------------------------------------------------------------- */

void sopi_apply_keep(struct sopi_apply *apply)
{
	sopi_reclaim_add(&apply->forest->reclaim, &apply->replaced);
	sopi_reclaim_add(&apply->forest->reclaim, &apply->superseded);
}

static void land_at(_Atomic uint64_t *position, const struct sopi_apply *apply)
{
	if (atomic_load_explicit(position, memory_order_relaxed) == apply->position)
		atomic_store_explicit(position, apply->lands_at, memory_order_release);
}

static void land_vnode(const struct sopi_apply *apply, struct sopi_vnode *vnode)
{
	struct sopi_block *head = atomic_load_explicit(&vnode->head, memory_order_relaxed);
	const size_t deltas = head->version.kind == SOPI_LEAF ? atomic_load(&head->delta_count) : 0;

	if (head->version.since == apply->position)
		head->version.since = apply->lands_at;
	for (size_t i = 0; i < deltas; i++)
		land_at(&sopi_leaf_delta_positions(head)[i], apply);
	land_at(&vnode->newest, apply);
	land_at(&vnode->ranged, apply);
	vnode->touched_at = 0; /* the next part has the same number, and must be able to take it back, too */
}

void sopi_apply_land(struct sopi_apply *apply)
{
	for (struct sopi_vnode *vnode = apply->touched; vnode != NULL; vnode = vnode->touched_next)
		land_vnode(apply, vnode);
	for (struct sopi_tree *tree = apply->counted; tree != NULL; tree = tree->touched_next)
		atomic_load(&tree->count)->version.since = apply->lands_at;
}

/* Takes a block of this commit off its vnode; readers that stand on it still find the older ones.
 * */
static void pop(struct sopi_apply *apply, struct sopi_vnode *vnode, struct sopi_block *block)
{
	struct sopi_version *older = atomic_load_explicit(&block->version.older, memory_order_relaxed);

	if (older != NULL)
		atomic_store_explicit(&older->newer, NULL, memory_order_relaxed);
	atomic_store_explicit(&vnode->head, (struct sopi_block *)older, memory_order_release);
	if (block->version.kind == SOPI_DEAD)
		block->version.kind = SOPI_LEAF; /* its vnode lives on */
	block->version.until = lands_at(apply) - 1; /* before `since`: no snapshot needs it */
	block->version.unlinked = SOPI_UNLINKED;
	sopi_version_list_add(&apply->replaced, &block->version, block->capacity);
}

static void trim_deltas(const struct sopi_apply *apply, struct sopi_block *leaf)
{
	size_t count = atomic_load_explicit(&leaf->delta_count, memory_order_relaxed);

	while (count > 0 && atomic_load_explicit(&sopi_leaf_delta_positions(leaf)[count - 1],
						 memory_order_relaxed) == apply->position) {
		count--;
		leaf->free_at = (uint32_t)sopi_leaf_delta_places(leaf)[count] * SOPI_PLACE_UNIT;
	}
	atomic_store_explicit(&leaf->delta_count, (uint8_t)count, memory_order_release);
}

/* The position of the newest change in a block. */
static uint64_t newest_of(const struct sopi_block *block)
{
	const size_t deltas = block->version.kind == SOPI_LEAF ? atomic_load(&block->delta_count) : 0;

	return deltas == 0 ? block->version.since
			   : atomic_load_explicit(&sopi_leaf_delta_positions(block)[deltas - 1],
						  memory_order_relaxed);
}

static void vnode_undo(struct sopi_apply *apply, struct sopi_vnode *vnode)
{
	struct sopi_block *head;

	while ((head = atomic_load_explicit(&vnode->head, memory_order_acquire)) != NULL &&
	       head->version.since == apply->position)
		pop(apply, vnode, head);
	vnode->touched_at = 0;
	if (head == NULL) { /* born in this commit: no reader has met it */
		atomic_fetch_sub_explicit(&apply->forest->node_count, 1, memory_order_relaxed);
		sopi_memory_give(&apply->forest->memory, vnode, sizeof *vnode);
		return;
	}
	if (head->version.kind == SOPI_LEAF)
		trim_deltas(apply, head);
	head->version.items = vnode->items_before;
	atomic_store_explicit(&vnode->newest, newest_of(head), memory_order_release);
	atomic_store_explicit(&vnode->ranged, vnode->ranged_before, memory_order_release);
}

static void count_undo(struct sopi_apply *apply, struct sopi_tree *tree)
{
	struct sopi_count *count = atomic_load(&tree->count);
	struct sopi_version *older = atomic_load(&count->version.older);

	atomic_store_explicit(&older->newer, NULL, memory_order_relaxed);
	atomic_store_explicit(&tree->count, (struct sopi_count *)older, memory_order_release);
	count->version.until = lands_at(apply) - 1;
	count->version.unlinked = SOPI_UNLINKED;
	sopi_version_list_add(&apply->replaced, &count->version, sizeof *count);
}

void sopi_apply_undo(struct sopi_apply *apply)
{
	struct sopi_vnode *vnode = apply->touched;

	sopi_dirty_cut(apply->forest, apply->dirty_mark);
	while (vnode != NULL) {
		struct sopi_vnode *next = vnode->touched_next;

		vnode_undo(apply, vnode);
		vnode = next;
	}
	for (struct sopi_tree *tree = apply->counted; tree != NULL; tree = tree->touched_next)
		count_undo(apply, tree);
	sopi_reclaim_add(&apply->forest->reclaim, &apply->replaced);
	/* What would have been superseded is current again: forget the list. */
	memset(&apply->superseded, 0, sizeof apply->superseded);
}

sop_status sopi_apply_count(struct sopi_apply *apply, struct sopi_tree *tree, int64_t effect,
			    sop_error *err)
{
	struct sopi_count *old = atomic_load_explicit(&tree->count, memory_order_relaxed);
	struct sopi_count *count;
	size_t capacity;

	if (effect == 0)
		return SOP_OK;
	count = sopi_memory_take(&apply->forest->memory, sizeof *count, &capacity);
	if (count == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory for a count");
	memset(count, 0, sizeof *count);
	count->version.kind = SOPI_COUNT;
	count->version.since = apply->position;
	count->items = old->items + effect;
	atomic_store_explicit(&count->version.older, &old->version, memory_order_relaxed);
	atomic_store_explicit(&old->version.newer, &count->version, memory_order_relaxed);
	atomic_store_explicit(&tree->count, count, memory_order_release);
	sopi_apply_supersede(apply, &old->version);
	tree->touched_next = apply->counted;
	apply->counted = tree;
	return SOP_OK;
}

/* ---- items ------------------------------------------------------------------------------------- */

/* What one change does, resolved against the newest item. */
struct resolved {
	const struct sopi_item_view *old; /* the item that there was, or NULL */
	bool after; /* there is one now */
	struct sopi_item_view *item; /* receives that one */
};

static sop_status resolve(struct sopi_apply *apply, const struct sopi_tree *tree,
			  const struct sopi_change *change, struct resolved *resolved, sop_error *err)
{
	const sop_status status =
		sopi_operations_fold(change->newest, resolved->old,
				     atomic_load_explicit(&tree->schema, memory_order_relaxed),
				     &apply->scratch->arena, &resolved->after, resolved->item, err);

	if (SOPI_UNLIKELY(status == SOP_SCHEMA))
		apply->scratch->refused = change->newest;
	resolved->item->version = SOPI_UNLIKELY(apply->lands_at != 0) ? (uint64_t)change->newest->number
								      : apply->position;
	return status;
}

/* What a leaf is built from ahead may be another item than the one that is there when it is linked. */
static bool replaces(const struct sopi_apply *apply, const struct resolved *resolved)
{
	return resolved->old != NULL && resolved->old->apart == NULL && apply->ahead == NULL;
}

/* Says in the commit's record what a key has now. */
static sop_status record(struct sopi_apply *apply, const struct sopi_change *change,
			 const struct resolved *resolved, sop_error *err)
{
	const sop_bytes key = { sopi_operation_key(change->newest), change->newest->key_size };
	const struct sopi_item_view *item = resolved->item;
	struct sopi_change_record said;

	if (SOPI_LIKELY(resolved->after && item->ride_size == 0 && item->apart == NULL))
		return sopi_change_record_append_put(apply->tree->id, key,
						     (sop_bytes){ item->value, item->value_size },
						     replaces(apply, resolved),
						     &apply->scratch->record, err);
	said = (struct sopi_change_record){ .store = apply->tree->id,
					    .key = key,
					    .removed = !resolved->after };
	if (!resolved->after)
		return sopi_change_record_append(&said, &apply->scratch->record, err);
	said.replaces = replaces(apply, resolved);
	said.ride = (sop_bytes){ item->ride, item->ride_size };
	said.apart = item->apart != NULL;
	if (!said.apart) {
		said.value = (sop_bytes){ item->value, item->value_size };
	} else {
		said.value_id = item->apart->id;
		said.value_size = item->apart->size;
		said.pack = item->apart->committed ? 0 : item->apart->pack;
		said.offset = item->apart->offset;
		said.length = item->apart->length;
	}
	return sopi_change_record_append(&said, &apply->scratch->record, err);
}

void sopi_apply_value(struct sopi_apply *apply, struct sopi_value *old, struct sopi_value *new)
{
	if (new != NULL) {
		new->version.since = lands_at(apply);
		new->committed = true;
	}
	if (old != NULL)
		sopi_apply_supersede(apply, &old->version);
}

/* Books what a resolved change means besides the bytes in the leaf. */
static sop_status account(struct sopi_apply *apply, const struct sopi_change *change,
			  const struct resolved *resolved, int64_t *effect, sop_error *err)
{
	struct sopi_value *old = resolved->old != NULL ? resolved->old->apart : NULL;
	struct sopi_value *new = resolved->after ? resolved->item->apart : NULL;

	if (apply->records)
		SOP_TRY(record(apply, change, resolved, err));
	*effect += (resolved->after ? 1 : 0) - (resolved->old != NULL ? 1 : 0);
	apply->operations++;
	if (old == new)
		return SOP_OK;
	if (apply->ahead != NULL)
		return sopi_ahead_value(apply->ahead, old, new, err);
	sopi_apply_value(apply, old, new);
	return SOP_OK;
}

/* A huge prefix is stored once only as long as all keys share it: a key that does not would make
 * contents that no page can hold. */
static bool fits_as_delta(const struct sopi_block *leaf, struct sopi_slot_place place,
			  const uint8_t *key, size_t key_size)
{
	return place.exact || (size_t)leaf->prefix_size * leaf->count <= SOPI_NODE_BYTES_MAX ||
	       sopi_prefix_compare(leaf, key, key_size) == 0;
}

/* Applies one change as a delta. False if the leaf has no room for it: then nothing was done. */
static sop_status apply_delta(struct sopi_apply *apply, struct sopi_tree *tree,
			      struct sopi_vnode *leaf, const struct sopi_change *change,
			      int64_t *effect, bool *done, sop_error *err)
{
	struct sopi_block *block = atomic_load_explicit(&leaf->head, memory_order_acquire);
	const uint8_t *key = sopi_operation_key(change->newest);
	const size_t key_size = change->newest->key_size;
	const struct sopi_slot_place place = sopi_leaf_search(block, key, key_size);
	struct sopi_item_view old, item;
	struct resolved resolved = { .item = &item };

	*done = false;
	if (sopi_leaf_get(block, key, key_size, SOPI_POSITION_HEAD, &old))
		resolved.old = &old;
	SOP_TRY(resolve(apply, tree, change, &resolved, err));
	*done = true;
	if (resolved.old == NULL && !resolved.after)
		return SOP_OK;
	*done = false;
	if (resolved.after && resolved.old == NULL && block->version.items >= tree->items_max)
		return SOP_OK;
	if (!fits_as_delta(block, place, key, key_size))
		return SOP_OK;
	sopi_apply_touch(apply, leaf);
	if (!resolved.after)
		sopi_vnode_shrinks(leaf);
	if (!sopi_leaf_append_delta(block, place, apply->position, key, key_size,
				    resolved.after ? &item : NULL))
		return SOP_OK;
	*done = true;
	block->version.items =
		(uint16_t)(block->version.items + resolved.after - (resolved.old != NULL));
	atomic_store_explicit(&leaf->newest, apply->position, memory_order_release);
	return account(apply, change, &resolved, effect, err);
}

sop_status sopi_merge_change(struct sopi_apply *apply, const struct sopi_tree *tree,
			     const struct sopi_change *change, struct sopi_merging *merging,
			     sop_error *err)
{
	struct sopi_item_view *items = apply->scratch->items;
	const uint8_t *key = sopi_operation_key(change->newest);
	const size_t key_size = change->newest->key_size;
	struct resolved resolved = { .old = NULL };

	while (merging->old_at < merging->old_count) {
		const struct sopi_item_view *old = &items[merging->old_from + merging->old_at];
		const int order = sopi_item_compare_key(old, key, key_size);

		if (order > 0)
			break;
		merging->old_at++;
		if (order == 0) {
			resolved.old = old;
			break;
		}
		items[merging->count++] = *old;
	}
	merging->append = merging->append && merging->old_at == merging->old_count &&
			  resolved.old == NULL;
	resolved.item = &items[merging->count];
	SOP_TRY(resolve(apply, tree, change, &resolved, err));
	if (resolved.old == NULL && !resolved.after)
		return SOP_OK;
	SOP_TRY(account(apply, change, &resolved, &merging->effect, err));
	merging->removed = merging->removed || !resolved.after;
	merging->count += resolved.after;
	return SOP_OK;
}

void sopi_merge_rest(struct sopi_scratch *scratch, struct sopi_merging *merging)
{
	while (merging->old_at < merging->old_count)
		scratch->items[merging->count++] = scratch->items[merging->old_from + merging->old_at++];
}

/* Gathers a leaf's items and merges the changes into them. The result is at the start of
 * scratch->items. */
static sop_status merge_changes(struct sopi_apply *apply, const struct sopi_tree *tree,
				const struct sopi_block *block, const struct sopi_change *changes,
				size_t change_count, struct sopi_merging *merging, sop_error *err)
{
	struct sopi_scratch *scratch = apply->scratch;
	const size_t most = (size_t)block->count + SOPI_DELTAS_MAX;

	*merging = (struct sopi_merging){ .old_from = most + change_count, .append = true };
	SOP_TRY(sopi_scratch_reserve(scratch, merging->old_from + most, 0, err));
	merging->old_count = sopi_leaf_gather(scratch, block, merging->old_from);
	for (size_t c = 0; c < change_count; c++)
		SOP_TRY(sopi_merge_change(apply, tree, &changes[c], merging, err));
	sopi_merge_rest(scratch, merging);
	return SOP_OK;
}

bool sopi_leaf_is_small(const struct sopi_scratch *scratch, const struct sopi_tree *tree,
			size_t before, size_t count)
{
	if (count > tree->items_max / 4 || (count > 0 && count >= before))
		return false;
	return count == 0 || sopi_leaf_bytes(scratch->items, count, 0) <= tree->leaf_bytes / 4;
}

/* Is it still a leaf, and not split? */
static bool holds(const struct sopi_vnode *leaf, size_t count)
{
	const struct sopi_block *block = atomic_load_explicit(&leaf->head, memory_order_acquire);

	return block->version.kind == SOPI_LEAF && block->version.items == count;
}

/* Builds the leaf's new base from its items and the changes. */
static sop_status apply_rebuild(struct sopi_apply *apply, struct sopi_tree *tree, struct sopi_vnode *leaf,
				const struct sopi_change *changes, size_t change_count,
				const uint8_t *key, size_t key_size, int64_t *effect, sop_error *err)
{
	const struct sopi_block *block = atomic_load_explicit(&leaf->head, memory_order_acquire);
	const bool grown = sopi_vnode_has_grown(leaf);
	const size_t before = block->version.items;
	struct sopi_merging merging;

	SOP_TRY(merge_changes(apply, tree, block, changes, change_count, &merging, err));
	*effect += merging.effect;
	SOP_TRY(sopi_leaf_replace(apply, tree, leaf, merging.count, merging.append, key, key_size, err));
	if (grown && !merging.removed && holds(leaf, merging.count))
		sopi_vnode_grows(leaf);
	if (leaf == tree->root || !sopi_leaf_is_small(apply->scratch, tree, before, merging.count))
		return SOP_OK;
	return sopi_leaf_merge(apply, tree, key, key_size, err);
}

sop_status sopi_apply_head(struct sopi_apply *apply, struct sopi_vnode *vnode,
			   const struct sopi_block **out, sop_error *err)
{
	*out = atomic_load_explicit(&vnode->head, memory_order_acquire);
	if (SOPI_LIKELY(*out != NULL))
		return SOP_OK;
	return sopi_vnode_load(apply->tree, vnode, SOPI_POSITION_HEAD, 0, out, err);
}

/* Applies the changes of one leaf. */
static sop_status apply_to_leaf(struct sopi_apply *apply, struct sopi_tree *tree,
				struct sopi_vnode *leaf, const struct sopi_change *changes,
				size_t count, int64_t *effect, sop_error *err)
{
	const uint8_t *key = sopi_operation_key(changes[0].newest);
	const size_t key_size = changes[0].newest->key_size;
	const struct sopi_block *head;
	size_t done = 0;

	SOP_TRY(sopi_dirty_reserve(apply->forest, err));
	SOP_TRY(sopi_apply_head(apply, leaf, &head, err));
	while (count <= SOPI_DELTAS_AT_ONCE && done < count) {
		bool fitted;

		SOP_TRY(apply_delta(apply, tree, leaf, &changes[done], effect, &fitted, err));
		if (!fitted)
			break;
		done++;
	}
	if (done == count && (leaf == tree->root ||
			      atomic_load_explicit(&leaf->head, memory_order_acquire)->version.items > 0))
		return SOP_OK;
	return apply_rebuild(apply, tree, leaf, changes + done, count - done, key, key_size, effect, err);
}

static bool is_below(const struct sopi_change *change, const struct sopi_separator *upper)
{
	return sopi_separator_compare_key(upper, sopi_operation_key(change->newest),
					  change->newest->key_size) > 0;
}

/* In steps that double: mostly there are few, and all memory that is looked at is far away. */
size_t sopi_changes_below(const struct sopi_change *changes, size_t from, size_t end,
			  const struct sopi_separator *upper)
{
	size_t low = from;
	size_t high = end;

	for (size_t step = 1; low < end; step *= 2) {
		const size_t at = step < end - low ? low + step - 1 : end - 1;

		if (!is_below(&changes[at], upper)) {
			high = at;
			break;
		}
		low = at + 1;
	}
	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (is_below(&changes[middle], upper))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The leaf of the first change, and how many of the following ones it answers for too. */
static sop_status group(const struct sopi_apply *apply, const struct sopi_tree *tree,
			const struct sopi_change *changes, size_t count, struct sopi_vnode **leaf,
			size_t *size, sop_error *err)
{
	struct sopi_vnode *hint = changes[0].leaf;
	struct sopi_separator upper;
	struct sopi_path path;
	bool bounded;

	if (count > SOPI_CHANGES_AT_ONCE)
		count = SOPI_CHANGES_AT_ONCE;
	*size = 1;
	if (hint != NULL && atomic_load_explicit(&hint->ranged, memory_order_relaxed) <= apply->hints_at) {
		while (*size < count && changes[*size].leaf == hint)
			(*size)++;
		*leaf = hint;
		return SOP_OK;
	}
	SOP_TRY(sopi_tree_path(tree, sopi_operation_key(changes[0].newest),
			       changes[0].newest->key_size, SOPI_POSITION_HEAD, &path, err));
	bounded = sopi_path_upper(&path, &upper);
	*size = bounded ? sopi_changes_below(changes, 1, count, &upper) : count;
	*leaf = path.level[path.depth].vnode;
	return SOP_OK;
}

sop_status sopi_apply_run(struct sopi_apply *apply, struct sopi_tree *tree,
			  const struct sopi_change *changes, size_t count, int64_t *effect,
			  sop_error *err)
{
	size_t at = 0;

	apply->tree = tree;
	while (at < count) {
		struct sopi_vnode *leaf;
		size_t size;

		SOP_TRY(group(apply, tree, changes + at, count - at, &leaf, &size, err));
		SOP_TRY(apply_to_leaf(apply, tree, leaf, changes + at, size, effect, err));
#ifdef SOP_TEST_HOOKS
		sopi_plant_image_path(tree, changes[at].newest, apply->position);
#endif
		at += size;
	}
	return SOP_OK;
}

sop_status sopi_apply_changes(struct sopi_apply *apply, struct sopi_tree *tree,
			      const struct sopi_change *changes, size_t count, sop_error *err)
{
	int64_t effect = 0;

	SOP_TRY(sopi_apply_run(apply, tree, changes, count, &effect, err));
	return sopi_apply_count(apply, tree, effect, err);
}
