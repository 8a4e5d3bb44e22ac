/* Cursors. */
#include "api/handle.h"
#include "api/item.h"
#include "api/rows.h"
#include "base/alloc.h"
#include "btree/resident.h"

enum {
	KEYS_BYTES = 16 << 10, /* of the keys that one call puts together */
	VALUE_BYTES_AHEAD = 512, /* larger ones come one by one */
};

static sop_status refuse_cursor(const sop_cursor *cursor, const char *function, sop_error *err)
{
	if (cursor == NULL || sopi_tag_of(cursor) != SOPI_TAG_CURSOR)
		return sopi_misuse(err, function, "cursor is no cursor; pass one that was opened");
	return sopi_fail(err, SOP_CLOSED,
			 "%s: the cursor's transaction has ended; open a cursor in the next one",
			 function);
}

static sop_status enter(sop_cursor *cursor, const char *function, sop_error *err)
{
	sop_txn *txn;
	sop_status status;

	if (SOPI_UNLIKELY(cursor == NULL || sopi_tag_of(cursor) != SOPI_TAG_CURSOR))
		return refuse_cursor(cursor, function, err);
	txn = cursor->txn;
	SOP_TRY(sopi_txn_enter(txn, false, function, err));
	if (SOPI_UNLIKELY(txn->core.state != SOPI_OPEN || txn->core.begun != cursor->begun)) {
		sopi_txn_leave(txn);
		return refuse_cursor(cursor, function, err);
	}
	status = sopi_transaction_may_go_on(&txn->core, err);
	if (SOPI_UNLIKELY(status != SOP_OK))
		sopi_txn_leave(txn);
	return status;
}

/* Do entries need nothing but what lies in the page? */
static bool entries_are_plain(const struct sopi_used *used)
{
	return !used->store->tree.duplicates && (used->schema == NULL || used->schema->ride_count == 0);
}

/* ---- open and free ----------------------------------------------------------------------------- */

static void cursor_destroy(sop_cursor *cursor)
{
	cursor->tag = SOPI_TAG_FREED;
	sopi_scan_free(&cursor->scan);
	sopi_bounds_free(&cursor->bounds);
	sop_buf_free(&cursor->whole_key);
	sop_buf_free(&cursor->keys);
	sop_buf_free(&cursor->value_room);
	sopi_free(cursor);
}

static sop_status cursor_new(sop_txn *txn, struct sopi_used *used, const sop_range *range,
			     uint32_t flags, sop_cursor **out, sop_error *err)
{
	void *memory = NULL;
	sop_cursor *cursor;
	sop_status status;

	SOP_TRY(sopi_alloc(sizeof *cursor, &memory, err));
	cursor = memory;
	cursor->tag = SOPI_TAG_CURSOR;
	cursor->flags = flags;
	cursor->moved = false;
	cursor->txn = txn;
	cursor->begun = txn->core.begun;
	cursor->used = used;
	cursor->plain = (flags & SOP_CURSOR_KEYS) == 0 && entries_are_plain(used);
	cursor->bounds = (struct sopi_bounds){ SOP_BUF_INIT, SOP_BUF_INIT, true };
	cursor->copies = (flags & SOP_CURSOR_COPIES) != 0;
	cursor->pins = txn->db->engine->forest.resident != NULL;
	cursor->whole_key = (sop_buf)SOP_BUF_INIT;
	cursor->keys = (sop_buf)SOP_BUF_INIT;
	cursor->value_room = (sop_buf)SOP_BUF_INIT;
	sopi_scan_init(&cursor->scan, &txn->core, used, &cursor->bounds, (flags & SOP_CURSOR_KEYS) != 0);
	status = sopi_item_bounds(used, range, "sop_cursor_open", &cursor->bounds, err);
	if (status != SOP_OK) {
		cursor_destroy(cursor);
		return status;
	}
	sopi_txn_reference(txn);
	*out = cursor;
	return SOP_OK;
}

sop_status sop_cursor_open(sop_txn *txn, sop_store *store, const sop_range *range, uint32_t flags,
			   sop_cursor **out, sop_error *err)
{
	struct sopi_used *used;
	sop_status status;

	if (out == NULL)
		return sopi_misuse(err, __func__, "out is NULL");
	if ((flags & ~(SOP_CURSOR_REVERSE | SOP_CURSOR_KEYS | SOP_CURSOR_COPIES)) != 0)
		return sopi_misuse(err, __func__, "flags are not known");
	SOP_TRY(sopi_txn_enter_store(txn, store, __func__, &used, err));
	status = cursor_new(txn, used, range, flags, out, err);
	sopi_txn_leave(txn);
	return status;
}

void sop_cursor_free(sop_cursor *cursor)
{
	sop_txn *txn;

	if (cursor == NULL || sopi_tag_of(cursor) != SOPI_TAG_CURSOR)
		return;
	txn = cursor->txn;
	cursor_destroy(cursor);
	sopi_txn_unreference(txn);
}

/* ---- moving ------------------------------------------------------------------------------------ */

/* Where what an entry says lies until the next call. */
enum keep {
	KEEP_NOT, /* it is used up before this call ends */
	KEEP_IN_LEAF,
	KEEP_IN_CURSOR
};

static bool may_pin(const sop_cursor *cursor)
{
	return sopi_resident_may_pin(cursor->txn->db->engine->forest.resident, cursor->txn->core.slot);
}

/* Where the value of an item that no pin keeps is to lie. */
static enum keep keep_unpinned(const sop_cursor *cursor)
{
	return cursor->copies || cursor->pins ? KEEP_IN_CURSOR : KEEP_IN_LEAF;
}

/* Where the value of an item is to lie that the scan found in `source`, or in no leaf (NULL). */
static enum keep keep_found(const sop_cursor *cursor, const struct sopi_block *source)
{
	if (!cursor->pins || cursor->copies)
		return keep_unpinned(cursor);
	return source != NULL && may_pin(cursor) ? KEEP_IN_LEAF : KEEP_IN_CURSOR;
}

/* Keeps what views into `view` (NULL: there are none) and the next step need until the next call. */
static void pin(sop_cursor *cursor, const struct sopi_block *view)
{
	const struct sopi_scan *scan = &cursor->scan;
	const struct sopi_block *place = scan->synced ? scan->base.leaf : NULL;

	if (!cursor->pins || (view == NULL && !may_pin(cursor)))
		return;
	sopi_slot_pin(cursor->txn->core.slot, scan, view != NULL ? &view->version : NULL,
		      place != NULL ? &place->version : NULL);
}

static sop_status fill_value(sop_cursor *cursor, const struct sopi_item_view *item, enum keep keep,
			     sop_entry *entry, sop_error *err)
{
	sop_buf *room = &cursor->value_room;

	entry->value = (sop_bytes){ NULL, 0 };
	if ((cursor->flags & SOP_CURSOR_KEYS) != 0)
		return SOP_OK;
	if (keep == KEEP_NOT || (keep == KEEP_IN_LEAF && (!cursor->pins || item->apart == NULL)))
		return sopi_transaction_value(&cursor->txn->core, item, room, &entry->value, err);
	SOP_TRY(sopi_transaction_copy_value(&cursor->txn->core, item, room, err));
	entry->value = (sop_bytes){ room->data, room->size };
	return SOP_OK;
}

/* Tells the caller about the item that the scan stands on. */
static sop_status fill(sop_cursor *cursor, const struct sopi_item_view *item, enum keep keep,
		       sop_entry *entry, sop_error *err)
{
	const struct sopi_used *used = cursor->used;

	/* Who writes a value writes the version, and a scan of keys has not read it. */
	entry->version = (cursor->flags & SOP_CURSOR_KEYS) != 0 ? 0 : item->version;
	SOP_TRY(fill_value(cursor, item, keep, entry, err));
	entry->item = 0;
	if (SOPI_LIKELY(entries_are_plain(used))) {
		entry->key = (sop_bytes){ cursor->scan.key.data, cursor->scan.key.size };
		return SOP_OK;
	}
	SOP_TRY(sopi_item_whole_key(used, item, &cursor->whole_key, &entry->item, err));
	entry->key = (sop_bytes){ cursor->whole_key.data, cursor->whole_key.size };
	return SOP_OK;
}

/* Copies the value of an item, which no pin keeps. False: it takes more than that. */
static bool copy_plain(sop_cursor *cursor, const struct sopi_item *item)
{
	sop_buf *room = &cursor->value_room;

	if (sopi_item_flags(item) != 0) /* it takes more than copying */
		return false;
	if (SOPI_UNLIKELY(room->capacity < item->value_size) &&
	    sop_buf_reserve(room, item->value_size, NULL) != SOP_OK)
		return false;
	sopi_copy_short(room->data, sopi_item_key(item) + sopi_item_key_size(item), item->value_size);
	room->size = item->value_size;
	return true;
}

/* Says what an item is that lies in a leaf, without looking into keys. */
static inline sop_bytes value_of(const struct sopi_item *item)
{
	struct sopi_item_view view;

	if (SOPI_LIKELY(sopi_item_flags(item) == 0))
		return (sop_bytes){ sopi_item_key(item) + sopi_item_key_size(item), item->value_size };
	sopi_item_describe(item, NULL, 0, &view);
	return (sop_bytes){ sopi_item_value(&view), view.value_size };
}

/* The common step forwards: the next item of the same page, as it lies. False if it takes more
 * than that. */
static inline bool step_plain(sop_cursor *cursor, sop_entry *entry)
{
	struct sopi_scan *scan = &cursor->scan;
	const struct sopi_block *leaf = scan->plain;
	const struct sopi_item *item;
	bool copied = false;

	if (!cursor->plain || !sopi_scan_is_plain(scan) || (item = sopi_scan_plain_item(scan)) == NULL)
		return false;
	if (entry != NULL)
		copied = keep_found(cursor, leaf) == KEEP_IN_CURSOR ||
			 (cursor->pins && sopi_item_flags(item) != 0);
	if (SOPI_UNLIKELY(copied) && !copy_plain(cursor, item))
		return false;
	if (entry != NULL) {
		entry->version = sopi_item_version(leaf, item);
		entry->item = 0;
		entry->value = SOPI_UNLIKELY(copied)
				       ? (sop_bytes){ cursor->value_room.data, cursor->value_room.size }
				       : value_of(item);
	}
	sopi_scan_plain_step(scan, item);
	pin(cursor, entry == NULL || copied ? NULL : leaf);
	if (entry != NULL)
		entry->key = (sop_bytes){ scan->key.data, scan->key.size };
	return true;
}

/* Room for the keys of `count` items like this one; as much as one call is to use, if they are long. */
static bool reserve_keys(sop_cursor *cursor, const struct sopi_item *item, size_t count)
{
	const size_t each = cursor->scan.plain->prefix_size + sopi_item_key_size(item);
	const size_t bytes = each > KEYS_BYTES / count ? KEYS_BYTES : each * count;

	return SOPI_LIKELY(cursor->keys.capacity >= bytes) ||
	       sop_buf_reserve(&cursor->keys, bytes, NULL) == SOP_OK;
}

/* Describes an item as it lies, with its key at `key`. */
static inline void describe_plain(const struct sopi_block *leaf, sop_bytes prefix,
				  const struct sopi_item *item, uint8_t *key, sop_entry *entry)
{
	const size_t key_size = sopi_item_key_size(item);

	sopi_copy_short(key, prefix.data, prefix.size);
	sopi_copy_short(key + prefix.size, sopi_item_key(item), key_size);
	entry->key = (sop_bytes){ key, prefix.size + key_size };
	entry->value = (sop_bytes){ sopi_item_key(item) + key_size, item->value_size };
	entry->version = sopi_item_version(leaf, item);
	entry->item = 0;
}

/* The common steps forwards: the next items of the same page, as they lie. Returns how many; 0: it takes more than that. */
static size_t steps_plain(sop_cursor *cursor, sop_entry *entries, size_t max)
{
	struct sopi_scan *scan = &cursor->scan;
	const struct sopi_block *leaf = scan->plain;
	const uint16_t *places;
	sop_bytes prefix;
	size_t first, at = 0, count = 0;

	if (!cursor->plain || !sopi_scan_is_plain(scan) ||
	    keep_found(cursor, leaf) != KEEP_IN_LEAF || sopi_scan_plain_item(scan) == NULL)
		return 0;
	first = scan->base.index;
	if (max > scan->plain_end - first)
		max = scan->plain_end - first;
	/* Touching the heads of large items before their values are read would break the stream in which memory comes: items of
	 * 1 KB were scanned at 6.4 M a second instead of 9.6. */
	if (sopi_scan_plain_item(scan)->value_size > VALUE_BYTES_AHEAD)
		max = 1;
	if (!reserve_keys(cursor, sopi_scan_plain_item(scan), max))
		return 0;
	prefix = (sop_bytes){ sopi_block_prefix(leaf), leaf->prefix_size };
	places = sopi_leaf_places(leaf) + first;
	for (; count < max; count++) {
		const struct sopi_item *item = sopi_item_at(leaf, places[count]);
		const size_t size = prefix.size + sopi_item_key_size(item);

		if (sopi_item_flags(item) != 0 || size > cursor->keys.capacity - at ||
		    size >= scan->key.capacity)
			break;
		describe_plain(leaf, prefix, item, (uint8_t *)cursor->keys.data + at, &entries[count]);
		at += size;
	}
	if (count == 0)
		return 0;
	scan->base.index = first + count - 1;
	sopi_scan_plain_step(scan, sopi_item_at(leaf, places[count - 1]));
	pin(cursor, leaf);
	return count;
}

/* One step in a direction. REQUIRES: entered. */
static sop_status step(sop_cursor *cursor, bool forward, sop_entry *entry, sop_error *err)
{
	struct sopi_item_view item;
	const sop_status status = forward ? sopi_scan_next(&cursor->scan, &item, err)
					  : sopi_scan_previous(&cursor->scan, &item, err);
	enum keep keep;

	if (status == SOP_NOT_FOUND)
		return sopi_fail(err, SOP_NOT_FOUND, "there are no more items in this direction");
	SOP_TRY(status);
	keep = entry != NULL ? keep_found(cursor, cursor->scan.source) : KEEP_NOT;
	pin(cursor, keep == KEEP_IN_LEAF ? cursor->scan.source : NULL);
	return entry != NULL ? fill(cursor, &item, keep, entry, err) : SOP_OK;
}

sop_status sop_cursor_first(sop_cursor *cursor, sop_entry *entry, sop_error *err)
{
	sop_status status;

	SOP_TRY(enter(cursor, __func__, err));
	cursor->moved = true;
	sopi_scan_to_start(&cursor->scan);
	status = step(cursor, true, entry, err);
	sopi_txn_leave(cursor->txn);
	return status;
}

sop_status sop_cursor_last(sop_cursor *cursor, sop_entry *entry, sop_error *err)
{
	sop_status status;

	SOP_TRY(enter(cursor, __func__, err));
	cursor->moved = true;
	sopi_scan_to_end(&cursor->scan);
	status = step(cursor, false, entry, err);
	sopi_txn_leave(cursor->txn);
	return status;
}

/* Before the first move a cursor stands before the side that the move comes from. */
static void begin_at(sop_cursor *cursor, bool forward)
{
	if (cursor->moved)
		return;
	cursor->moved = true;
	if (forward)
		sopi_scan_to_start(&cursor->scan);
	else
		sopi_scan_to_end(&cursor->scan);
}

sop_status sop_cursor_next(sop_cursor *cursor, sop_entry *entry, sop_error *err)
{
	sop_status status;

	SOP_TRY(enter(cursor, __func__, err));
	if (SOPI_LIKELY(step_plain(cursor, entry))) {
		sopi_txn_leave(cursor->txn);
		return SOP_OK;
	}
	begin_at(cursor, true);
	status = step(cursor, true, entry, err);
	sopi_txn_leave(cursor->txn);
	return status;
}

sop_status sop_cursor_next_many(sop_cursor *cursor, sop_entry *entries, size_t max, size_t *count,
				sop_error *err)
{
	sop_status status = SOP_OK;

	SOP_TRY(enter(cursor, __func__, err));
	if (entries == NULL || max == 0 || count == NULL) {
		status = sopi_misuse(err, __func__, "entries or count is NULL, or max is 0");
	} else if ((*count = steps_plain(cursor, entries, max)) == 0) {
		begin_at(cursor, true);
		status = step(cursor, true, entries, err);
		*count = status == SOP_OK;
	}
	sopi_txn_leave(cursor->txn);
	return status;
}

sop_status sop_cursor_prev(sop_cursor *cursor, sop_entry *entry, sop_error *err)
{
	sop_status status;

	SOP_TRY(enter(cursor, __func__, err));
	begin_at(cursor, false);
	status = step(cursor, false, entry, err);
	sopi_txn_leave(cursor->txn);
	return status;
}

/* ---- seeking ----------------------------------------------------------------------------------- */

/* Finds the first item within `bounds`; its key inside goes to `inside`. */
static sop_status find_within(sop_cursor *cursor, const struct sopi_bounds *bounds,
			      struct sopi_found *found, sop_buf *inside, sop_error *err)
{
	struct sopi_scan scan;
	sop_status status;

	sopi_scan_init(&scan, &cursor->txn->core, cursor->used, bounds, cursor->scan.keys_only);
	status = sopi_scan_next(&scan, &found->item, err);
	found->exists = status == SOP_OK;
	if (status == SOP_OK)
		status = sopi_buf_set(inside, scan.key.data, scan.key.size, err);
	else if (status == SOP_NOT_FOUND)
		status = SOP_OK;
	sopi_scan_free(&scan);
	return status;
}

/* Looks up one item as the cursor tells of it: without its value, ride-along fields count all the same, which a look-up of
 * whether it is there would not validate; a range of this one key does. */
static sop_status find_told(sop_cursor *cursor, const void *key, size_t size,
			    struct sopi_found *found, sop_error *err)
{
	const struct sopi_used *used = cursor->used;
	struct sopi_bounds bounds = { SOP_BUF_INIT, SOP_BUF_INIT, false };
	sop_buf inside = SOP_BUF_INIT;
	sop_status status;

	if (!cursor->scan.keys_only || used->schema == NULL || used->schema->ride_count == 0)
		return sopi_transaction_get(&cursor->txn->core, cursor->used, key, size,
					    cursor->scan.keys_only, found, err);
	SOP_TRY_OUT(sopi_buf_set(&bounds.low, key, size, err));
	SOP_TRY_OUT(sopi_buf_set(&bounds.high, key, size, err));
	SOP_TRY_OUT(sopi_buf_append(&bounds.high, "", 1, err)); /* the least key behind it */
	status = find_within(cursor, &bounds, found, &inside, err);
out:
	sop_buf_free(&inside);
	sopi_bounds_free(&bounds);
	return status;
}

/* Finds the oldest duplicate of a caller's key within the range of the cursor. */
static sop_status find_duplicate(sop_cursor *cursor, sop_bytes key, struct sopi_found *found,
				 sop_buf *inside, sop_error *err)
{
	struct sopi_bounds bounds = { SOP_BUF_INIT, SOP_BUF_INIT, false };
	const struct sopi_bounds *own = &cursor->bounds;
	sop_status status;

	SOP_TRY_OUT(sopi_item_duplicates(cursor->used, key, "sop_cursor_seek", &bounds, err));
	if (sopi_bytes_compare(bounds.low.data, bounds.low.size, own->low.data, own->low.size) < 0)
		SOP_TRY_OUT(sopi_buf_set(&bounds.low, own->low.data, own->low.size, err));
	if (!own->unbounded &&
	    (bounds.unbounded || sopi_bytes_compare(bounds.high.data, bounds.high.size,
						    own->high.data, own->high.size) > 0)) {
		SOP_TRY_OUT(sopi_buf_set(&bounds.high, own->high.data, own->high.size, err));
		bounds.unbounded = false;
	}
	status = find_within(cursor, &bounds, found, inside, err);
out:
	sopi_bounds_free(&bounds);
	return status;
}

/* Finds the item of a caller's key; its key inside goes to `inside`. */
static sop_status find_equal(sop_cursor *cursor, sop_bytes key, struct sopi_found *found,
			     sop_buf *inside, sop_error *err)
{
	struct sopi_transaction *txn = &cursor->txn->core;
	struct sopi_item_key taken;

	if (cursor->used->store->tree.duplicates)
		return find_duplicate(cursor, key, found, inside, err);
	SOP_TRY(sopi_item_inside(txn, cursor->used, key, 0, "sop_cursor_seek", &taken, err));
	SOP_TRY(sopi_buf_set(inside, taken.key, taken.size, err));
	return find_told(cursor, taken.key, taken.size, found, err);
}

/* Puts the scan on the item of a caller's key, or just before its place. */
static sop_status seek_equal(sop_cursor *cursor, sop_bytes key, sop_entry *entry, sop_error *err)
{
	struct sopi_scan *scan = &cursor->scan;
	sop_buf inside = SOP_BUF_INIT;
	struct sopi_found found;
	sop_status status;

	SOP_TRY_OUT(find_equal(cursor, key, &found, &inside, err));
	if (!found.exists)
		SOP_TRY_OUT(sopi_item_bound(cursor->used, key, false, "sop_cursor_seek", &inside, err));
	SOP_TRY_OUT(sopi_scan_to(scan, inside.data, inside.size, err));
	if (!found.exists || scan->place != SOPI_SCAN_GAP) { /* absent, or outside the range of the cursor */
		status = sopi_fail(err, SOP_NOT_FOUND, "there is no such key");
		goto out;
	}
	scan->place = SOPI_SCAN_ON;
	status = entry != NULL ? fill(cursor, &found.item, keep_unpinned(cursor), entry, err) : SOP_OK;
out:
	sop_buf_free(&inside);
	return status;
}

static sop_status seek(sop_cursor *cursor, sop_bytes key, sop_seek where, sop_entry *entry, sop_error *err)
{
	const bool behind = where == SOP_SEEK_GT || where == SOP_SEEK_LE;
	const bool forward = where == SOP_SEEK_GE || where == SOP_SEEK_GT;
	sop_buf bound = SOP_BUF_INIT;
	sop_status status;

	if (where == SOP_SEEK_EQ)
		return seek_equal(cursor, key, entry, err);
	SOP_TRY_OUT(sopi_item_bound(cursor->used, key, behind, "sop_cursor_seek", &bound, err));
	SOP_TRY_OUT(sopi_scan_to(&cursor->scan, bound.data, bound.size, err));
	status = step(cursor, forward, entry, err);
	if (status == SOP_NOT_FOUND && sopi_scan_to(&cursor->scan, bound.data, bound.size, NULL) != SOP_OK)
		status = sopi_fail(err, SOP_NO_MEMORY, "out of memory while seeking");
out:
	sop_buf_free(&bound);
	return status;
}

sop_status sop_cursor_seek(sop_cursor *cursor, sop_bytes key, sop_seek where, sop_entry *entry,
			   sop_error *err)
{
	sop_status status;

	SOP_TRY(enter(cursor, __func__, err));
	if ((unsigned)where > SOP_SEEK_EQ)
		status = sopi_misuse(err, __func__,
				     "where is beyond its limits; seek at, behind or before a key");
	else
		status = seek(cursor, key, where, entry, err);
	cursor->moved = true;
	sopi_txn_leave(cursor->txn);
	return status;
}

/* ---- the current item -------------------------------------------------------------------------- */

/* Looks up the item that the cursor stands on: whether it is there, or what the cursor tells of it. */
static sop_status current(sop_cursor *cursor, bool existence, struct sopi_found *found, sop_error *err)
{
	const struct sopi_scan *scan = &cursor->scan;

	if (scan->place != SOPI_SCAN_ON)
		return sopi_fail(err, SOP_NOT_FOUND, "the cursor stands on no item");
	if (existence)
		SOP_TRY(sopi_transaction_get(&cursor->txn->core, cursor->used, scan->key.data,
					     scan->key.size, true, found, err));
	else
		SOP_TRY(find_told(cursor, scan->key.data, scan->key.size, found, err));
	if (!found->exists)
		return sopi_fail(err, SOP_NOT_FOUND, "the item that the cursor stood on was removed");
	return SOP_OK;
}

sop_status sop_cursor_entry(sop_cursor *cursor, sop_entry *entry, sop_error *err)
{
	struct sopi_found found;
	sop_status status;

	SOP_TRY(enter(cursor, __func__, err));
	if (entry == NULL)
		status = sopi_misuse(err, __func__, "entry is NULL");
	else
		status = current(cursor, false, &found, err);
	if (status == SOP_OK)
		status = fill(cursor, &found.item, keep_unpinned(cursor), entry, err);
	sopi_txn_leave(cursor->txn);
	return status;
}

static sop_status change(sop_cursor *cursor, enum sopi_operation_kind kind, sop_bytes value,
			 const char *function, sop_error *err)
{
	struct sopi_transaction *txn = &cursor->txn->core;
	const sop_bytes none = { NULL, 0 };
	struct sopi_found found;

	if (!sopi_transaction_writes(txn))
		return sopi_txn_only_reads(cursor->txn, function, err);
	if (!sopi_bytes_good(value))
		return sopi_misuse(err, function, "the value's data is NULL, but its size is not 0");
	if (value.size > SOP_VALUE_BYTES_MAX)
		return sopi_fail(err, SOP_LIMIT, "%s: the value has %zu bytes; 1 GiB is the limit",
				 function, value.size);
	SOP_TRY(current(cursor, true, &found, err));
	return sopi_transaction_add(txn, cursor->used, kind,
				    (sop_bytes){ cursor->scan.key.data, cursor->scan.key.size },
				    none, value, 0, err);
}

sop_status sop_cursor_update(sop_cursor *cursor, sop_bytes value, sop_error *err)
{
	sop_status status;

	SOP_TRY(enter(cursor, __func__, err));
	status = change(cursor, SOPI_OP_UPDATE, value, __func__, err);
	sopi_txn_leave(cursor->txn);
	return status;
}

sop_status sop_cursor_remove(sop_cursor *cursor, sop_error *err)
{
	sop_status status;

	SOP_TRY(enter(cursor, __func__, err));
	status = change(cursor, SOPI_OP_REMOVE, (sop_bytes){ NULL, 0 }, __func__, err);
	sopi_txn_leave(cursor->txn);
	return status;
}

/* ---- batches ----------------------------------------------------------------------------------- */

/* Packs the items that follow as they lie in the page, as many as fit. REQUIRES: the scan is plain. */
static void fetch_plain(struct sopi_scan *scan, uint8_t *room, size_t size, size_t rows_max,
			uint32_t flags, size_t *at, uint32_t *count)
{
	const sop_bytes prefix = { sopi_block_prefix(scan->plain), scan->plain->prefix_size };
	const uint16_t *places = sopi_leaf_places(scan->plain);
	const size_t first = scan->base.index;
	size_t index = first;

	for (; *count < rows_max && index < scan->plain_end && *at <= size; index++, (*count)++) {
		const struct sopi_item *item = sopi_item_at(scan->plain, places[index]);
		const size_t key_size = sopi_item_key_size(item);
		const size_t bytes = sopi_row_bytes(flags, prefix.size + key_size, item->value_size);

		if (sopi_item_flags(item) != 0 || bytes > size - *at ||
		    prefix.size + key_size >= scan->key.capacity)
			break;
		sopi_row_write_parts(room + *at, bytes, flags, prefix,
				     (sop_bytes){ sopi_item_key(item), key_size + item->value_size },
				     item->value_size, sopi_item_version(scan->plain, item));
		*at += bytes;
	}
	if (index > first) { /* the scan stands on the last of them */
		scan->base.index = index - 1;
		sopi_scan_plain_step(scan, sopi_item_at(scan->plain, places[index - 1]));
	}
}

/* Where a scan stands, to come back to. */
struct stand {
	uint8_t place;
	sop_buf key;
};

static sop_status stand_note(const struct sopi_scan *scan, struct stand *stand, sop_error *err)
{
	stand->place = scan->place;
	return sopi_buf_set(&stand->key, scan->key.data, scan->key.size, err);
}

/* The key's room was large enough before. */
static void stand_return(struct sopi_scan *scan, const struct stand *stand)
{
	scan->synced = false;
	scan->place = stand->place;
	scan->key.size = stand->key.size;
	if (stand->key.size != 0)
		memcpy(scan->key.data, stand->key.data, stand->key.size);
}

/* Packs items until the room or their number is used up, or there are no more. NOT_FOUND, LIMIT:
 * see sop_cursor_fetch. */
static sop_status fetch_rows(sop_cursor *cursor, uint8_t *room, size_t size, size_t rows_max,
			     uint32_t flags, struct stand *stand, size_t *at, uint32_t *count,
			     size_t *needed, sop_error *err)
{
	const bool forward = (cursor->flags & SOP_CURSOR_REVERSE) == 0;
	const bool keys = (cursor->flags & SOP_CURSOR_KEYS) != 0;
	struct sopi_scan *scan = &cursor->scan;

	while (*count < rows_max) {
		struct sopi_item_view item;
		sop_entry entry;
		sop_status status;
		size_t bytes;

		if (cursor->plain && forward && sopi_scan_is_plain(scan)) {
			fetch_plain(scan, room, size, rows_max, flags, at, count);
			if (*count == rows_max)
				return SOP_OK;
		}
		SOP_TRY(sopi_transaction_may_go_on(&cursor->txn->core, err));
		sopi_slot_refresh(&cursor->txn->db->engine->forest.reclaim, cursor->txn->core.slot);
		SOP_TRY(stand_note(scan, stand, err));
		status = forward ? sopi_scan_next(scan, &item, err)
				 : sopi_scan_previous(scan, &item, err);
		if (status == SOP_OK)
			status = fill(cursor, &item, KEEP_NOT, &entry, err);
		if (status != SOP_OK && (status != SOP_NOT_FOUND || *count > 0))
			stand_return(scan, stand); /* it stays on the last row */
		SOP_TRY(status);
		bytes = sopi_row_bytes(flags, entry.key.size, entry.value.size);
		if (*at > size || bytes > size - *at) {
			stand_return(scan, stand);
			*needed = SOPI_ROWS_HEAD_BYTES + bytes;
			return SOP_LIMIT;
		}
		sopi_row_write(room + *at, flags, entry.key, entry.value, keys, entry.item, entry.version);
		*at += bytes;
		(*count)++;
	}
	return SOP_OK;
}

static sop_status fetch(sop_cursor *cursor, uint8_t *room, size_t size, size_t rows_max,
			uint32_t flags, size_t *used, sop_error *err)
{
	struct stand stand = { SOPI_SCAN_START, SOP_BUF_INIT };
	size_t at = SOPI_ROWS_HEAD_BYTES;
	const bool moved = cursor->moved;
	size_t needed = 0;
	uint32_t count = 0;
	sop_status status;

	begin_at(cursor, (cursor->flags & SOP_CURSOR_REVERSE) == 0);
	status = fetch_rows(cursor, room, size, rows_max, flags, &stand, &at, &count, &needed, err);
	sop_buf_free(&stand.key);
	if (status == SOP_TIMEOUT || status == SOP_CANCELLED)
		return status;
	if (count == 0) {
		cursor->moved = moved || status == SOP_NOT_FOUND; /* else nothing was consumed */
		if (status == SOP_NOT_FOUND)
			return sopi_fail(err, SOP_NOT_FOUND, "there are no more items");
		if (status != SOP_LIMIT)
			return status;
		*used = needed;
		return sopi_fail(err, SOP_LIMIT,
				 "the next row needs a room of %zu bytes; there are %zu", needed, size);
	}
	/* What ended the batch after its first row will be met again by the next fetch. */
	sopi_rows_head(room, count, flags);
	*used = at;
	return SOP_OK;
}

sop_status sop_cursor_fetch(sop_cursor *cursor, void *room, size_t size, size_t rows_max,
			    uint32_t flags, size_t *used, sop_error *err)
{
	sop_status status;

	SOP_TRY(enter(cursor, __func__, err));
	if ((room == NULL && size != 0) || used == NULL || ((uintptr_t)room & 7) != 0)
		status = sopi_misuse(err, __func__, "room is NULL or not 8-aligned, or used is NULL");
	else if ((flags & ~(SOP_ROWS_ITEM | SOP_ROWS_VERSION)) != 0)
		status = sopi_misuse(err, __func__, "flags are not known");
	else
		status = fetch(cursor, room, size, rows_max == 0 ? SIZE_MAX : rows_max, flags, used, err);
	if (status == SOP_OK)
		pin(cursor, NULL);
	sopi_txn_leave(cursor->txn);
	return status;
}
