/* Merging the snapshot with the transaction's operations, one step at a time. */
#include "transaction/scan.h"

#include "btree/resident.h"

/* Of a database in memory. */
static const _Atomic uint64_t no_evictions;

void sopi_scan_init(struct sopi_scan *scan, struct sopi_transaction *txn, struct sopi_used *used,
		    const struct sopi_bounds *bounds, bool keys_only)
{
	const sop_buf empty = SOP_BUF_INIT;

	scan->txn = txn;
	scan->used = used;
	scan->bounds = bounds;
	scan->keys_only = keys_only;
	scan->remembers = sopi_transaction_validates(txn);
	scan->place = SOPI_SCAN_START;
	scan->forward = true;
	scan->synced = false;
	scan->has_base = false;
	scan->generation = 0;
	scan->evicting = txn->engine->forest.resident != NULL ? &txn->engine->forest.resident->evictions
							      : &no_evictions;
	scan->evictions = 0;
	scan->has_own = false;
	scan->source = NULL;
	scan->plain = NULL;
	scan->plain_end = 0;
	scan->key = empty;
	scan->range = NULL;
	sopi_walk_init(&scan->base, &used->store->tree, txn->snapshot);
}

void sopi_scan_free(struct sopi_scan *scan)
{
	sopi_walk_free(&scan->base);
	sop_buf_free(&scan->key);
}

void sopi_scan_to_start(struct sopi_scan *scan)
{
	scan->place = SOPI_SCAN_START;
	scan->synced = false;
	scan->range = NULL;
}

void sopi_scan_to_end(struct sopi_scan *scan)
{
	scan->place = SOPI_SCAN_END;
	scan->synced = false;
	scan->range = NULL;
}

/* Is the key below the lower bound? */
static bool below(const struct sopi_scan *scan, const uint8_t *key, size_t size)
{
	return sopi_bytes_compare(key, size, scan->bounds->low.data, scan->bounds->low.size) < 0;
}

/* Is the key at or above the upper bound? */
static bool above(const struct sopi_scan *scan, const uint8_t *key, size_t size)
{
	return !scan->bounds->unbounded &&
	       sopi_bytes_compare(key, size, scan->bounds->high.data, scan->bounds->high.size) >= 0;
}

sop_status sopi_scan_to(struct sopi_scan *scan, const uint8_t *key, size_t size, sop_error *err)
{
	scan->synced = false;
	scan->range = NULL;
	if (above(scan, key, size)) {
		scan->place = SOPI_SCAN_END;
	} else if (below(scan, key, size)) {
		scan->place = SOPI_SCAN_START;
	} else {
		SOP_TRY(sopi_buf_set(&scan->key, key, size, err));
		scan->place = SOPI_SCAN_GAP;
	}
	return SOP_OK;
}

/* ---- the base ---------------------------------------------------------------------------------- */

static sop_status note_leaf(struct sopi_scan *scan, sop_error *err)
{
	return scan->range == NULL
		       ? SOP_OK
		       : sopi_range_leaf(scan->range, &scan->txn->arena, scan->base.vnode, err);
}

/* Makes the walk stand on an item, over empty leaves if need be, in the direction of the scan.
 * Going backwards the walk's index is one behind the item. */
static sop_status settle_base(struct sopi_scan *scan, sop_error *err)
{
	struct sopi_walk *walk = &scan->base;

	scan->has_base = true;
	while (scan->forward ? walk->index >= walk->count : walk->index == 0) {
		const sop_status status = scan->forward ? sopi_walk_next_leaf(walk, err)
							: sopi_walk_previous_leaf(walk, err);

		if (status == SOP_NOT_FOUND) {
			scan->has_base = false;
			return SOP_OK;
		}
		SOP_TRY(status);
		SOP_TRY(note_leaf(scan, err));
	}
	return SOP_OK;
}

static void base_item(const struct sopi_scan *scan, struct sopi_item_view *item)
{
	sopi_walk_item(&scan->base, scan->forward ? scan->base.index : scan->base.index - 1, item);
}

static sop_status advance_base(struct sopi_scan *scan, sop_error *err)
{
	scan->base.index = scan->forward ? scan->base.index + 1 : scan->base.index - 1;
	return settle_base(scan, err);
}

/* ---- synchronising ----------------------------------------------------------------------------- */

/* The key from which the next step looks: forwards at or behind it, backwards before it. False:
 * the open end. */
static bool start_key(struct sopi_scan *scan, sop_bytes *key)
{
	if (scan->place == SOPI_SCAN_ON || scan->place == SOPI_SCAN_GAP) {
		*key = (sop_bytes){ scan->key.data, scan->key.size };
		return true;
	}
	if (scan->place == SOPI_SCAN_START) {
		*key = (sop_bytes){ scan->bounds->low.data, scan->bounds->low.size };
		return true;
	}
	*key = (sop_bytes){ scan->bounds->high.data, scan->bounds->high.size };
	return !scan->bounds->unbounded;
}

/* A scan forwards that stands on an item goes on behind it: at its key and a NUL. */
static sop_status step_off(struct sopi_scan *scan, sop_error *err)
{
	if (scan->place == SOPI_SCAN_ON && scan->forward) {
		SOP_TRY(sopi_buf_append(&scan->key, "", 1, err));
		scan->place = SOPI_SCAN_GAP;
	}
	return SOP_OK;
}

static sop_status sync_base(struct sopi_scan *scan, bool bounded, sop_bytes key, sop_error *err)
{
	if (scan->used->created) {
		scan->has_base = false;
		return SOP_OK;
	}
	if (bounded)
		SOP_TRY(sopi_walk_seek(&scan->base, key.data, key.size, err));
	else
		SOP_TRY(sopi_walk_end(&scan->base, err));
	SOP_TRY(note_leaf(scan, err));
	return settle_base(scan, err);
}

/* Finds the own operation that the next step looks at first. */
static void sync_own(struct sopi_scan *scan, bool bounded, sop_bytes key)
{
	const struct sopi_index *index = &scan->used->index;

	scan->generation = index->generation;
	if (index->entry_count == 0) {
		scan->has_own = false;
		return;
	}
	if (bounded)
		(void)sopi_index_seek(index, key.data, key.size, &scan->own);
	else
		scan->own = (struct sopi_index_place){ index->chunk_count, 0 };
	scan->has_own = scan->forward ? !sopi_index_is_end(index, scan->own)
				      : sopi_index_previous(index, &scan->own);
}

static void advance_own(struct sopi_scan *scan)
{
	if (scan->forward) {
		sopi_index_next(&scan->used->index, &scan->own);
		scan->has_own = !sopi_index_is_end(&scan->used->index, scan->own);
	} else {
		scan->has_own = sopi_index_previous(&scan->used->index, &scan->own);
	}
}

/* Begins to remember what is read from here on. */
static sop_status begin_range(struct sopi_scan *scan, bool bounded, sop_bytes key, sop_error *err)
{
	struct sopi_arena *arena = &scan->txn->arena;

	scan->range = NULL;
	if (!scan->remembers || scan->used->created)
		return SOP_OK;
	if (scan->forward && !bounded)
		return SOP_OK; /* behind the open end: no key can come there */
	SOP_TRY(sopi_predicate_range(&scan->txn->predicates, arena, scan->used, scan->keys_only,
				     &scan->range, err));
	if (scan->forward)
		return sopi_range_low(scan->range, arena, key.data, key.size, err);
	if (bounded)
		return sopi_range_high(scan->range, arena, key.data, key.size, false, err);
	scan->range->unbounded = true;
	scan->range->empty = false;
	return SOP_OK;
}

/* Makes base and own stand where a step in the wanted direction looks. */
static sop_status synchronise(struct sopi_scan *scan, bool forward, sop_error *err)
{
	const uint64_t evictions = atomic_load_explicit(scan->evicting, memory_order_seq_cst);
	sop_bytes key;
	bool bounded;

	if (scan->synced && scan->forward == forward && sopi_scan_stays(scan)) {
		if (SOPI_LIKELY(scan->generation == scan->used->index.generation))
			return SOP_OK;
		if (scan->place == SOPI_SCAN_ON || scan->place == SOPI_SCAN_GAP) { /* own operations came or went */
			const bool on = scan->place == SOPI_SCAN_ON;

			key = (sop_bytes){ scan->key.data, scan->key.size };
			sync_own(scan, true, key);
			if (on && forward && scan->has_own) { /* not the one it stands on */
				const struct sopi_operation *own =
					sopi_index_at(&scan->used->index, scan->own);

				if (sopi_bytes_compare(sopi_operation_key(own), own->key_size,
						       key.data, key.size) == 0)
					advance_own(scan);
			}
			return SOP_OK;
		}
	}
	scan->synced = false;
	scan->forward = forward;
	scan->evictions = evictions;
	SOP_TRY(step_off(scan, err));
	bounded = start_key(scan, &key);
	SOP_TRY(begin_range(scan, bounded, key, err));
	SOP_TRY(sync_base(scan, bounded, key, err));
	sync_own(scan, bounded, key);
	scan->synced = true;
	return SOP_OK;
}

/* ---- stepping ---------------------------------------------------------------------------------- */

/* The range that was read reaches up to the item, or to the end of the bounds. */
static sop_status extend_range(struct sopi_scan *scan, const uint8_t *key, size_t size, sop_error *err)
{
	struct sopi_arena *arena = &scan->txn->arena;

	if (SOPI_LIKELY(scan->range == NULL))
		return SOP_OK;
	if (key != NULL) {
		scan->range->found = true;
		return scan->forward ? sopi_range_high(scan->range, arena, key, size, true, err)
				     : sopi_range_low(scan->range, arena, key, size, err);
	}
	if (!scan->forward)
		return sopi_range_low(scan->range, arena, scan->bounds->low.data,
				      scan->bounds->low.size, err);
	if (!scan->bounds->unbounded)
		return sopi_range_high(scan->range, arena, scan->bounds->high.data,
				       scan->bounds->high.size, false, err);
	scan->range->unbounded = true;
	scan->range->empty = false;
	return SOP_OK;
}

/* There is nothing more in this direction. */
static sop_status step_nowhere(struct sopi_scan *scan, sop_error *err)
{
	SOP_TRY(extend_range(scan, NULL, 0, err));
	scan->place = scan->forward ? SOPI_SCAN_END : SOPI_SCAN_START;
	scan->synced = false;
	scan->range = NULL;
	return SOP_NOT_FOUND;
}

/* The scan stands on this item now. */
static sop_status step_onto(struct sopi_scan *scan, const struct sopi_item_view *item, sop_error *err)
{
	const size_t size = sopi_item_whole_key_size(item);

	if (SOPI_UNLIKELY(scan->key.capacity < size + 1)) {
		scan->key.size = 0;
		SOP_TRY(sop_buf_reserve(&scan->key, size + size / 2 + 64, err));
	}
	sopi_item_copy_key(item, 0, scan->key.data);
	scan->key.size = size;
	scan->place = SOPI_SCAN_ON;
	return extend_range(scan, scan->key.data, size, err);
}

/* Orders the base's item and the own operation in the direction of the scan; below 0: the base
 * comes first. */
static int base_or_own(const struct sopi_scan *scan, const struct sopi_item_view *base)
{
	const struct sopi_operation *own;
	int order;

	if (!scan->has_own)
		return -1;
	if (!scan->has_base)
		return 1;
	own = sopi_index_at(&scan->used->index, scan->own);
	order = sopi_item_compare_key(base, sopi_operation_key(own), own->key_size);
	return scan->forward ? order : -order;
}

/* Is the item beyond the bounds, in the direction of the scan? */
static bool is_beyond(const struct sopi_scan *scan, const struct sopi_item_view *item)
{
	if (scan->forward)
		return !scan->bounds->unbounded &&
		       sopi_item_compare_key(item, scan->bounds->high.data, scan->bounds->high.size) >= 0;
	return sopi_item_compare_key(item, scan->bounds->low.data, scan->bounds->low.size) < 0;
}

/* The next candidate: takes it off base and own. `exists` is false where own operations removed
 * the item. */
static sop_status take_candidate(struct sopi_scan *scan, struct sopi_item_view *item, bool *exists,
				 sop_error *err)
{
	struct sopi_item_view base;
	const struct sopi_operation *own;
	int order;

	if (scan->has_base)
		base_item(scan, &base);
	order = base_or_own(scan, &base);
	if (order < 0) {
		*item = base;
		*exists = true;
		scan->source = scan->base.leaf;
		return SOP_OK;
	}
	scan->source = NULL;
	own = sopi_index_at(&scan->used->index, scan->own);
	return sopi_operations_fold(own, order == 0 ? &base : NULL, scan->used->schema,
				    &scan->txn->arena, exists, item, err);
}

/* Moves base and own behind the candidate `item`. */
static sop_status pass_candidate(struct sopi_scan *scan, sop_error *err)
{
	struct sopi_item_view base;
	int order;

	if (scan->has_base)
		base_item(scan, &base);
	order = base_or_own(scan, &base);
	if (order >= 0)
		advance_own(scan);
	return order <= 0 ? advance_base(scan, err) : SOP_OK;
}

/* How many items of the leaf are within the bounds. */
static size_t within(const struct sopi_scan *scan, const struct sopi_block *leaf, size_t count)
{
	const sop_buf *high = &scan->bounds->high;
	struct sopi_item_view last;

	sopi_leaf_describe(leaf, count - 1u, &last);
	return is_beyond(scan, &last) ? sopi_leaf_search(leaf, high->data, high->size).slot : count;
}

/* Can the rest of the leaf be read as it lies? */
static void become_plain(struct sopi_scan *scan)
{
	const struct sopi_walk *walk = &scan->base;
	const struct sopi_block *leaf = walk->leaf;

	scan->plain = NULL;
	if (!scan->forward || !scan->has_base || scan->used->index.entry_count != 0 ||
	    scan->range != NULL || walk->order != NULL || leaf->prefix_size > scan->key.size ||
	    walk->index >= walk->count)
		return;
	if (memcmp(scan->key.data, sopi_block_prefix(leaf), leaf->prefix_size) != 0)
		return; /* it stands on the last item of the leaf before */
	scan->plain_end = within(scan, leaf, walk->count);
	if (scan->plain_end > walk->index)
		scan->plain = leaf;
}

void sopi_scan_plain_leave(struct sopi_scan *scan)
{
	scan->plain = NULL;
	scan->synced = settle_base(scan, NULL) == SOP_OK; /* else the next step finds its place anew */
}

static sop_status step(struct sopi_scan *scan, bool forward, struct sopi_item_view *item, sop_error *err)
{
	bool exists = false;
	sop_status status;

	SOP_TRY(synchronise(scan, forward, err));
	scan->plain = NULL;
	scan->synced = false; /* until the step has succeeded */
	do {
		if (!scan->has_base && !scan->has_own)
			return step_nowhere(scan, err);
		if (SOPI_LIKELY(!scan->has_own)) {
			base_item(scan, item);
			scan->source = scan->base.leaf;
			exists = true;
		} else {
			SOP_TRY(take_candidate(scan, item, &exists, err));
		}
		if (is_beyond(scan, item))
			return step_nowhere(scan, err);
		if (exists)
			SOP_TRY(step_onto(scan, item, err));
		status = SOPI_LIKELY(!scan->has_own) ? advance_base(scan, err)
						     : pass_candidate(scan, err);
		if (SOPI_UNLIKELY(status != SOP_OK && exists))
			return SOP_OK; /* it stands on the item: the next step will find out */
		SOP_TRY(status);
	} while (!exists);
	scan->synced = true;
	if (scan->base.leaf != NULL)
		become_plain(scan);
	return SOP_OK;
}

sop_status sopi_scan_next(struct sopi_scan *scan, struct sopi_item_view *item, sop_error *err)
{
	return step(scan, true, item, err);
}

sop_status sopi_scan_previous(struct sopi_scan *scan, struct sopi_item_view *item, sop_error *err)
{
	return step(scan, false, item, err);
}
