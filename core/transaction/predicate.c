/* Remembering what was read, and asking it again. */
#include "transaction/predicate.h"

#include "base/plant.h"
#include "btree/walk.h"
#include "transaction/transaction.h"

static sop_status no_room(sop_error *err)
{
	return sopi_fail(err, SOP_NO_MEMORY, "out of memory for what the transaction has read");
}

/* ---- remembering ------------------------------------------------------------------------------- */

sop_status sopi_predicate_point(struct sopi_predicates *predicates, struct sopi_arena *arena,
				const struct sopi_point *point, sop_error *err)
{
	struct sopi_point_chunk *chunk = predicates->points;
	struct sopi_point *added;
	uint8_t *key;

	if (SOPI_PLANTED(SOPI_PLANT_NO_ABSENCE) && !point->there)
		return SOP_OK;
	key = sopi_arena_take(arena, point->key_size);
	if (key == NULL)
		return no_room(err);
	if (chunk == NULL || chunk->count == SOPI_PREDICATES_IN_CHUNK) {
		chunk = sopi_arena_take(arena, sizeof *chunk);
		if (chunk == NULL)
			return no_room(err);
		chunk->older = predicates->points;
		chunk->count = 0;
		predicates->points = chunk;
	}
	added = &chunk->points[chunk->count++];
	*added = *point;
	if (point->key_size != 0)
		memcpy(key, point->key, point->key_size);
	added->key = key;
	return SOP_OK;
}

sop_status sopi_predicate_count(struct sopi_predicates *predicates, struct sopi_arena *arena,
				struct sopi_used *used, int64_t items, sop_error *err)
{
	struct sopi_count_predicate *count;

	if (SOPI_PLANTED(SOPI_PLANT_NO_COUNT))
		return SOP_OK;
	count = sopi_arena_take(arena, sizeof *count);
	if (count == NULL)
		return no_room(err);
	*count = (struct sopi_count_predicate){ predicates->counts, used, items };
	predicates->counts = count;
	return SOP_OK;
}

sop_status sopi_predicate_name(struct sopi_predicates *predicates, struct sopi_arena *arena,
			       const void *name, size_t size, uint64_t version, sop_error *err)
{
	struct sopi_name_predicate *added;
	uint8_t *copy;

	if (SOPI_PLANTED(SOPI_PLANT_NO_CATALOG))
		return SOP_OK;
	added = sopi_arena_take(arena, sizeof *added);
	copy = sopi_arena_take(arena, size);
	if (added == NULL || copy == NULL)
		return no_room(err);
	memcpy(copy, name, size);
	*added = (struct sopi_name_predicate){ predicates->names, copy, (uint32_t)size, version };
	predicates->names = added;
	return SOP_OK;
}

sop_status sopi_predicate_range(struct sopi_predicates *predicates, struct sopi_arena *arena,
				struct sopi_used *used, bool keys_only, struct sopi_range **out,
				sop_error *err)
{
	struct sopi_range *range = sopi_arena_take(arena, sizeof *range);

	if (range == NULL)
		return no_room(err);
	memset(range, 0, sizeof *range);
	range->used = used;
	range->keys_only = keys_only;
	range->empty = true;
	range->older = predicates->ranges;
	predicates->ranges = range;
	*out = range;
	return SOP_OK;
}

/* Copies a bound (`key` NULL: makes room only); the room grows by half, so that extending costs
 * little. */
static sop_status set_bound(struct sopi_arena *arena, uint8_t **bound, size_t *capacity,
			    const uint8_t *key, size_t size, sop_error *err)
{
	if (size > *capacity) {
		const size_t room = size + size / 2 + 32;
		uint8_t *memory = sopi_arena_take(arena, room);

		if (memory == NULL)
			return no_room(err);
		*bound = memory;
		*capacity = room;
	}
	if (size != 0 && key != NULL)
		memcpy(*bound, key, size);
	return SOP_OK;
}

sop_status sopi_range_low(struct sopi_range *range, struct sopi_arena *arena, const uint8_t *key,
			  size_t size, sop_error *err)
{
	SOP_TRY(set_bound(arena, &range->low, &range->low_capacity, key, size, err));
	range->low_size = size;
	return SOP_OK;
}

sop_status sopi_range_high(struct sopi_range *range, struct sopi_arena *arena, const uint8_t *key,
			   size_t size, bool inclusive, sop_error *err)
{
	/* The least key behind `key` is `key` and a NUL. */
	if (size + 1 > range->high_capacity)
		SOP_TRY(set_bound(arena, &range->high, &range->high_capacity, NULL, size + 1, err));
	if (size != 0)
		memcpy(range->high, key, size);
	range->high[size] = 0;
	range->high_size = size + (inclusive ? 1 : 0);
	range->empty = false;
	range->unbounded = false;
	return SOP_OK;
}

static sop_status leaf_add(struct sopi_leaf_chunk **chunks, struct sopi_arena *arena,
			   struct sopi_vnode *leaf, sop_error *err)
{
	struct sopi_leaf_chunk *chunk = *chunks;

	if (chunk != NULL && chunk->leaves[chunk->count - 1] == leaf)
		return SOP_OK;
	if (chunk == NULL || chunk->count == SOPI_LEAVES_IN_CHUNK) {
		chunk = sopi_arena_take(arena, sizeof *chunk);
		if (chunk == NULL)
			return no_room(err);
		chunk->older = *chunks;
		chunk->count = 0;
		*chunks = chunk;
	}
	chunk->leaves[chunk->count++] = leaf;
	return SOP_OK;
}

sop_status sopi_range_leaf(struct sopi_range *range, struct sopi_arena *arena,
			   struct sopi_vnode *leaf, sop_error *err)
{
	return leaf_add(&range->leaves, arena, leaf, err);
}

/* ---- asking again ------------------------------------------------------------------------------ */

/* One validation. */
struct asking {
	struct sopi_arena *arena;
	uint64_t snapshot;
	uint64_t base;
	uint64_t at;
	struct sopi_conflict *conflict;
	sop_error *err;
};

static sop_status fails(const struct asking *asking, struct sopi_used *used, const uint8_t *key,
			size_t key_size, bool range)
{
	*asking->conflict = (struct sopi_conflict){ used, key, key_size, NULL, range };
	return SOP_CONFLICT;
}

static sop_status point_holds(const struct asking *asking, struct sopi_point *point)
{
	struct sopi_item_view item;
	struct sopi_vnode *leaf;
	const struct sopi_block *block;
	bool there;

	if (SOPI_LIKELY(!sopi_vnode_changed(point->leaf, asking->base)))
		return SOP_OK;
	SOP_TRY(sopi_tree_leaf(&point->used->store->tree, point->key, point->key_size, asking->at,
			       &leaf, &block, asking->err));
	there = sopi_leaf_get(block, point->key, point->key_size, asking->at, &item);
	if (point->number ? there && sopi_operation_check_number(item.value_size, NULL) != SOP_OK
			  : there != point->there ||
				    (there && !point->existence && item.version != point->version))
		return fails(asking, point->used, point->key, point->key_size, false);
	if (asking->at != SOPI_POSITION_HEAD)
		point->leaf = leaf;
	return SOP_OK;
}

/* Stands the walk on an item below the end of the range? Moves over empty leaves. */
static sop_status walk_settle(const struct asking *asking, struct sopi_walk *walk,
			      const struct sopi_range *range, bool *there, struct sopi_item_view *item)
{
	*there = false;
	while (walk->index >= walk->count) {
		const sop_status status = sopi_walk_next_leaf(walk, asking->err);

		if (status != SOP_OK)
			return status == SOP_NOT_FOUND ? SOP_OK : status;
	}
	sopi_walk_item(walk, walk->index, item);
	*there = range->unbounded || sopi_item_compare_key(item, range->high, range->high_size) < 0;
	return SOP_OK;
}

static bool same_item(const struct sopi_range *range, const struct sopi_item_view *a,
		      const struct sopi_item_view *b)
{
	if (!range->keys_only && a->version != b->version)
		return false;
	if (range->keys_only && (a->ride_size != b->ride_size ||
				 (a->ride_size != 0 && memcmp(a->ride, b->ride, a->ride_size) != 0)))
		return false;
	return sopi_item_compare(a, b) == 0;
}

/* Passes the rest of a leaf that is the same for both. */
static void skip_equal_leaf(const struct asking *asking, struct sopi_walk *then, struct sopi_walk *now)
{
	if (then->vnode == now->vnode && then->index == now->index && then->index < then->count &&
	    !sopi_vnode_changed(then->vnode, asking->snapshot)) {
		struct sopi_separator upper;

		if (sopi_path_upper(&then->path, &upper)) {
			then->index = then->count;
			now->index = now->count;
		}
	}
}

static sop_status ranges_equal(const struct asking *asking, const struct sopi_range *range,
			       struct sopi_walk *then, struct sopi_walk *now)
{
	SOP_TRY(sopi_walk_seek(then, range->low, range->low_size, asking->err));
	SOP_TRY(sopi_walk_seek(now, range->low, range->low_size, asking->err));
	for (;;) {
		struct sopi_item_view a, b;
		bool a_there, b_there;

		skip_equal_leaf(asking, then, now);
		SOP_TRY(walk_settle(asking, then, range, &a_there, &a));
		SOP_TRY(walk_settle(asking, now, range, &b_there, &b));
		if (!a_there && !b_there)
			return SOP_OK;
		if (a_there != b_there || !same_item(range, &a, &b)) {
			const struct sopi_item_view *at =
				!a_there || (b_there && sopi_item_compare(&b, &a) < 0) ? &b : &a;
			uint8_t *key = sopi_arena_take(asking->arena, sopi_item_whole_key_size(at));

			if (key != NULL)
				sopi_item_copy_key(at, 0, key);
			return fails(asking, range->used, key,
				     key != NULL ? sopi_item_whole_key_size(at) : 0, true);
		}
		then->index++;
		now->index++;
	}
}

/* Replaces the leaves of a range by those that answer at `at`. */
static sop_status range_renew(const struct asking *asking, struct sopi_range *range,
			      struct sopi_walk *walk)
{
	struct sopi_leaf_chunk *leaves = NULL;

	SOP_TRY(sopi_walk_seek(walk, range->low, range->low_size, asking->err));
	for (;;) {
		struct sopi_separator upper;
		sop_status status;

		SOP_TRY(leaf_add(&leaves, asking->arena, walk->vnode, asking->err));
		if (!sopi_path_upper(&walk->path, &upper) ||
		    (!range->unbounded &&
		     sopi_separator_compare_key(&upper, range->high, range->high_size) >= 0))
			break;
		status = sopi_walk_next_leaf(walk, asking->err);
		if (status != SOP_OK)
			return status;
	}
	range->leaves = leaves;
	return SOP_OK;
}

static sop_status range_holds(const struct asking *asking, struct sopi_range *range)
{
	struct sopi_walk then, now;
	bool changed = false;
	sop_status status;

	for (struct sopi_leaf_chunk *chunk = range->leaves; chunk != NULL && !changed;
	     chunk = chunk->older) {
		for (size_t i = 0; i < chunk->count && !changed; i++)
			changed = sopi_vnode_changed(chunk->leaves[i], asking->base);
	}
	if (!changed || range->empty)
		return SOP_OK;
	if (SOPI_PLANTED(SOPI_PLANT_NO_ABSENCE) && !range->found)
		return SOP_OK;
	sopi_walk_init(&then, &range->used->store->tree, asking->snapshot);
	sopi_walk_init(&now, &range->used->store->tree, asking->at);
	then.path.stays = asking->at == SOPI_POSITION_HEAD; /* under the commit mutex nothing is read from disk */
	status = ranges_equal(asking, range, &then, &now);
	if (status == SOP_OK && asking->at != SOPI_POSITION_HEAD)
		status = range_renew(asking, range, &now);
	sopi_walk_free(&then);
	sopi_walk_free(&now);
	return status;
}

static sop_status names_hold(const struct asking *asking, const struct sopi_name_predicate *names,
			     const struct sopi_tree *tree)
{
	for (; names != NULL; names = names->older) {
		struct sopi_item_view item;
		struct sopi_vnode *leaf;
		const struct sopi_block *block;
		bool there;

		SOP_TRY(sopi_tree_leaf(tree, names->name, names->name_size, asking->at, &leaf,
				       &block, asking->err));
		there = sopi_leaf_get(block, names->name, names->name_size, asking->at, &item);
		if ((there ? item.version : 0) != names->version)
			return fails(asking, NULL, names->name, names->name_size, false);
	}
	return SOP_OK;
}

sop_status sopi_predicates_hold(struct sopi_predicates *predicates, struct sopi_arena *arena,
				const struct sopi_tree *names, const _Atomic uint64_t *names_newest,
				uint64_t snapshot, uint64_t base, uint64_t at,
				struct sopi_conflict *conflict, sop_error *err)
{
	const struct asking asking = { arena, snapshot, base, at, conflict, err };

	if (atomic_load_explicit(names_newest, memory_order_acquire) > base)
		SOP_TRY(names_hold(&asking, predicates->names, names));
	for (struct sopi_point_chunk *chunk = predicates->points; chunk != NULL; chunk = chunk->older) {
		for (size_t i = 0; i < chunk->count; i++)
			SOP_TRY(point_holds(&asking, &chunk->points[i]));
	}
	for (struct sopi_range *range = predicates->ranges; range != NULL; range = range->older)
		SOP_TRY(range_holds(&asking, range));
	for (struct sopi_count_predicate *count = predicates->counts; count != NULL;
	     count = count->older) {
		if (sopi_tree_count(&count->used->store->tree, at) != count->items)
			return fails(&asking, count->used, NULL, 0, true);
	}
	return SOP_OK;
}
