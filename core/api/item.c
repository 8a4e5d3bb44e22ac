/* Keys as callers give them, and as they stand in trees.
 *
 * In a store without duplicates the key inside is the raw key or the encoded sort fields. With
 * duplicates an 8-byte item id follows, and raw keys are escaped first, so that no key is a prefix
 * of another. */
#include "api/item.h"

#include "api/handle.h"
#include "base/bytes.h"

enum { ID_BYTES = SOPI_ITEM_ID_BYTES };

static bool keeps_duplicates(const struct sopi_used *used)
{
	return used->store->tree.duplicates;
}

/* Splits a caller's key into what is compared and what rides along. */
static sop_status split(const struct sopi_used *used, sop_bytes key, const char *function,
			sop_bytes *sort, sop_bytes *ride, sop_error *err)
{
	size_t sort_size = key.size;

	if (SOPI_UNLIKELY(!sopi_bytes_good(key)))
		return sopi_misuse(err, function, "the key's data is NULL, but its size is not 0");
	if (used->schema != NULL)
		SOP_TRY(sopi_key_split(used->schema, key, &sort_size, err));
	else if (SOPI_UNLIKELY(key.size > SOPI_KEY_BYTES_MAX))
		return sopi_fail_store(err, SOP_LIMIT, used->name, used->name_size,
				       "the key has %zu bytes; %d are the limit", key.size,
				       SOPI_KEY_BYTES_MAX);
	sort->data = key.data; /* one by one: what is stored as a whole and read in halves stalls the processor */
	sort->size = sort_size;
	ride->data = (const uint8_t *)key.data + sort_size;
	ride->size = key.size - sort_size;
	return SOP_OK;
}

/* What all duplicates of a key begin with. */
static sop_status duplicates_prefix(const struct sopi_used *used, sop_bytes sort, sop_buf *out,
				    sop_error *err)
{
	if (used->schema != NULL)
		return sopi_buf_set(out, sort.data, sort.size, err);
	return sopi_raw_escape(sort, out, err);
}

static sop_status append_id(sop_buf *key, uint64_t item, sop_error *err)
{
	uint8_t id[ID_BYTES];

	sopi_store_u64be(id, item);
	return sopi_buf_append(key, id, sizeof id, err);
}

sop_status sopi_item_inside(struct sopi_transaction *txn, const struct sopi_used *used,
			    sop_bytes key, uint64_t item, const char *function,
			    struct sopi_item_key *out, sop_error *err)
{
	sop_bytes sort;

	SOP_TRY(split(used, key, function, &sort, &out->ride, err));
	if (SOPI_LIKELY(!keeps_duplicates(used))) {
		if (SOPI_UNLIKELY(item != 0))
			return sopi_misuse(err, function, "item must be 0 in a store without duplicates");
		out->key = sort.data;
		out->size = sort.size;
		return SOP_OK;
	}
	SOP_TRY(duplicates_prefix(used, sort, &txn->key_room, err));
	SOP_TRY(append_id(&txn->key_room, item, err));
	out->key = txn->key_room.data;
	out->size = txn->key_room.size;
	return SOP_OK;
}

sop_status sopi_item_duplicates(const struct sopi_used *used, sop_bytes key, const char *function,
				struct sopi_bounds *bounds, sop_error *err)
{
	sop_bytes sort, ride;
	sop_status status;

	SOP_TRY(split(used, key, function, &sort, &ride, err));
	SOP_TRY(duplicates_prefix(used, sort, &bounds->low, err));
	status = sopi_key_next_prefix((sop_bytes){ bounds->low.data, bounds->low.size },
				      &bounds->high, err);
	bounds->unbounded = status == SOP_NOT_FOUND;
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

/* Finds the oldest duplicate; its key goes to txn->key_room. */
static sop_status find_oldest(struct sopi_transaction *txn, struct sopi_used *used, sop_bytes key,
			      bool existence, const char *function, struct sopi_found *found,
			      sop_error *err)
{
	struct sopi_bounds bounds = { SOP_BUF_INIT, SOP_BUF_INIT, false };
	struct sopi_scan scan;
	sop_status status;

	SOP_TRY_OUT(sopi_item_duplicates(used, key, function, &bounds, err));
	sopi_scan_init(&scan, txn, used, &bounds, existence);
	/* What a change rests on is validated in every mode that writes. */
	scan.remembers = scan.remembers || (existence && sopi_transaction_writes(txn));
	status = sopi_scan_next(&scan, &found->item, err);
	found->exists = status == SOP_OK;
	if (status == SOP_OK)
		status = sopi_buf_set(&txn->key_room, scan.key.data, scan.key.size, err);
	else if (status == SOP_NOT_FOUND)
		status = SOP_OK;
	sopi_scan_free(&scan);
out:
	sopi_bounds_free(&bounds);
	return status;
}

sop_status sopi_item_locate(struct sopi_transaction *txn, struct sopi_used *used, sop_bytes key,
			    uint64_t item, const char *function, struct sopi_item_key *out,
			    struct sopi_found *found, sop_error *err)
{
	sop_bytes sort;

	if (keeps_duplicates(used) && item == 0) {
		SOP_TRY(split(used, key, function, &sort, &out->ride, err));
		SOP_TRY(find_oldest(txn, used, key, true, function, found, err));
		out->key = txn->key_room.data;
		out->size = txn->key_room.size;
		return SOP_OK;
	}
	SOP_TRY(sopi_item_inside(txn, used, key, item, function, out, err));
	return sopi_transaction_get(txn, used, out->key, out->size, true, found, err);
}

sop_status sopi_item_find(struct sopi_transaction *txn, struct sopi_used *used, sop_bytes key,
			  uint64_t item, bool existence, const char *function,
			  struct sopi_found *found, sop_error *err)
{
	struct sopi_item_key inside = { 0 };

	if (SOPI_UNLIKELY(keeps_duplicates(used) && item == 0))
		return find_oldest(txn, used, key, existence, function, found, err);
	SOP_TRY(sopi_item_inside(txn, used, key, item, function, &inside, err));
	return sopi_transaction_get(txn, used, inside.key, inside.size, existence, found, err);
}

sop_status sopi_item_whole_key(const struct sopi_used *used, const struct sopi_item_view *item,
			       sop_buf *key, uint64_t *item_id, sop_error *err)
{
	const size_t size = sopi_item_whole_key_size(item);
	sop_bytes missing;

	key->size = 0;
	SOP_TRY(sopi_buf_room(key, size, err));
	sopi_item_copy_key(item, 0, key->data);
	key->size = size;
	*item_id = 0;
	if (keeps_duplicates(used)) {
		SOPI_CHECK(size >= ID_BYTES);
		key->size -= ID_BYTES;
		*item_id = sopi_load_u64be((const uint8_t *)key->data + key->size);
		if (used->schema == NULL) {
			sop_buf raw = SOP_BUF_INIT;
			sop_status status;

			SOP_TRY(sopi_raw_unescape((sop_bytes){ key->data, key->size }, &raw, NULL, err));
			status = sopi_buf_set(key, raw.data, raw.size, err);
			sop_buf_free(&raw);
			return status;
		}
	}
	if (used->schema == NULL || used->schema->ride_count == 0)
		return SOP_OK;
	SOP_TRY(sopi_buf_append(key, item->ride, item->ride_size, err));
	SOP_TRY(sopi_ride_missing(used->schema, (sop_bytes){ item->ride, item->ride_size },
				  &missing, err));
	return sopi_buf_append(key, missing.data, missing.size, err);
}

/* ---- bounds ------------------------------------------------------------------------------------ */

void sopi_bounds_free(struct sopi_bounds *bounds)
{
	sop_buf_free(&bounds->low);
	sop_buf_free(&bounds->high);
}

/* Encodes a bound: whole leading fields, or raw bytes (escaped, without the end mark, where ids
 * follow). `whole` receives whether it names all sort fields. */
static sop_status encode_bound(const struct sopi_used *used, sop_bytes key, const char *function,
			       sop_buf *bound, bool *whole, sop_error *err)
{
	size_t sort_size = key.size;

	*whole = used->schema == NULL;
	if (!sopi_bytes_good(key))
		return sopi_misuse(err, function, "a bound's data is NULL, but its size is not 0");
	if (used->schema != NULL) {
		size_t all;

		SOP_TRY(sopi_key_split_prefix(used->schema, key, &sort_size, err));
		*whole = sopi_key_split(used->schema, key, &all, NULL) == SOP_OK;
	} else if (key.size > SOPI_KEY_BYTES_MAX) {
		return sopi_fail_store(err, SOP_LIMIT, used->name, used->name_size,
				       "the bound has %zu bytes; %d are the limit", key.size,
				       SOPI_KEY_BYTES_MAX);
	}
	if (used->schema == NULL && keeps_duplicates(used)) {
		SOP_TRY(sopi_raw_escape(key, bound, err));
		bound->size -= 2; /* the end mark */
		return SOP_OK;
	}
	return sopi_buf_set(bound, key.data, sort_size, err);
}

sop_status sopi_item_bound(const struct sopi_used *used, sop_bytes key, bool behind,
			   const char *function, sop_buf *bound, sop_error *err)
{
	static const uint8_t behind_ids[] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0 };
	static const uint8_t behind_end_mark[] = { 0, 2 };
	bool whole;

	SOP_TRY(encode_bound(used, key, function, bound, &whole, err));
	if (!behind)
		return SOP_OK;
	if (!keeps_duplicates(used) || !whole)
		return sopi_buf_append(bound, "", 1, err);
	if (used->schema == NULL)
		return sopi_buf_append(bound, behind_end_mark, sizeof behind_end_mark, err);
	return sopi_buf_append(bound, behind_ids, sizeof behind_ids, err);
}

/* The bound just behind one of the duplicates of a key. */
static sop_status bound_behind_item(const struct sopi_used *used, sop_bytes key, uint64_t item,
				    const char *function, sop_buf *bound, sop_error *err)
{
	sop_bytes sort, ride;

	SOP_TRY(split(used, key, function, &sort, &ride, err));
	SOP_TRY(duplicates_prefix(used, sort, bound, err));
	SOP_TRY(append_id(bound, item, err));
	return sopi_buf_append(bound, "", 1, err);
}

static sop_status prefix_bounds(const struct sopi_used *used, sop_bytes prefix,
				const char *function, struct sopi_bounds *bounds, sop_error *err)
{
	sop_status status;

	SOP_TRY(sopi_item_bound(used, prefix, false, function, &bounds->low, err));
	status = sopi_key_next_prefix((sop_bytes){ bounds->low.data, bounds->low.size },
				      &bounds->high, err);
	bounds->unbounded = status == SOP_NOT_FOUND;
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

/* The bound behind a key, or behind all keys with these leading fields. `*is_end`: no key is behind it. */
static sop_status bound_behind(const struct sopi_used *used, sop_bytes key, const char *function,
			       sop_buf *bound, bool *is_end, sop_error *err)
{
	bool whole;
	sop_status status;

	SOP_TRY(encode_bound(used, key, function, bound, &whole, err));
	*is_end = false;
	if (whole)
		return sopi_item_bound(used, key, true, function, bound, err);
	status = sopi_key_next_prefix((sop_bytes){ bound->data, bound->size }, bound, err);
	*is_end = status == SOP_NOT_FOUND;
	return *is_end ? SOP_OK : status;
}

static sop_status check_range(const struct sopi_used *used, const sop_range *range,
			      const char *function, sop_error *err)
{
	const uint32_t known = SOP_RANGE_FROM | SOP_RANGE_TO | SOP_RANGE_PREFIX | SOP_RANGE_AFTER |
			       SOP_RANGE_THROUGH;

	if ((range->flags & ~known) != 0)
		return sopi_misuse(err, function,
				   "the range has flags that are not known; leave them out");
	if (range->reserved != 0)
		return sopi_misuse(err, function, "reserved must be 0; start from an empty range");
	if ((range->flags & SOP_RANGE_AFTER) != 0 && (range->flags & SOP_RANGE_FROM) == 0)
		return sopi_misuse(err, function,
				   "a range that begins behind a key needs that key as its from, too");
	if ((range->flags & SOP_RANGE_THROUGH) != 0 && (range->flags & SOP_RANGE_TO) == 0)
		return sopi_misuse(err, function,
				   "a range that goes through a key needs that key as its to, too");
	if (range->after_item != 0 && ((range->flags & SOP_RANGE_AFTER) == 0 || !keeps_duplicates(used)))
		return sopi_misuse(
			err, function,
			"a range that begins behind an item needs its key as well, and a store with duplicates");
	return SOP_OK;
}

/* Where `range` begins, into `low`: behind one item, behind a key, or at it. Without any of them `low` stays. `*is_empty`:
 * no key is behind it. */
static sop_status low_bound(const struct sopi_used *used, const sop_range *range,
			    const char *function, sop_buf *low, bool *is_empty, sop_error *err)
{
	*is_empty = false;
	if ((range->flags & SOP_RANGE_AFTER) != 0 && range->after_item != 0)
		return bound_behind_item(used, range->from, range->after_item, function, low, err);
	if ((range->flags & SOP_RANGE_AFTER) != 0)
		return bound_behind(used, range->from, function, low, is_empty, err);
	if ((range->flags & SOP_RANGE_FROM) != 0)
		return sopi_item_bound(used, range->from, false, function, low, err);
	return SOP_OK;
}

/* No key is before the empty one. */
static sop_status hold_nothing(struct sopi_bounds *bounds, sop_error *err)
{
	bounds->unbounded = false;
	return sopi_buf_set(&bounds->high, "", 0, err);
}

/* Where `range` ends, into `high`: at a key, or behind it. `*unbounded`: nowhere. */
static sop_status high_bound(const struct sopi_used *used, const sop_range *range,
			     const char *function, sop_buf *high, bool *unbounded, sop_error *err)
{
	*unbounded = (range->flags & SOP_RANGE_TO) == 0;
	if ((range->flags & SOP_RANGE_THROUGH) != 0)
		return bound_behind(used, range->to, function, high, unbounded, err);
	if ((range->flags & SOP_RANGE_TO) != 0)
		return sopi_item_bound(used, range->to, false, function, high, err);
	return SOP_OK;
}

/* Makes `bound` the greater one of both, or the smaller one. */
static sop_status tighten(sop_buf *bound, const sop_buf *other, bool greater, sop_error *err)
{
	const int order = sopi_bytes_compare(other->data, other->size, bound->data, bound->size);

	if (greater ? order <= 0 : order >= 0)
		return SOP_OK;
	return sopi_buf_set(bound, other->data, other->size, err);
}

/* Narrows the bounds of a prefix to what `range` has of it; a bound that lies outside of the prefix changes nothing, or leaves
 * nothing. */
static sop_status narrow(const struct sopi_used *used, const sop_range *range, const char *function,
			 struct sopi_bounds *bounds, sop_error *err)
{
	sop_buf low = SOP_BUF_INIT, high = SOP_BUF_INIT;
	bool is_empty, unbounded = true;
	sop_status status = low_bound(used, range, function, &low, &is_empty, err);

	if (status == SOP_OK)
		status = high_bound(used, range, function, &high, &unbounded, err);
	if (status == SOP_OK)
		status = tighten(&bounds->low, &low, true, err);
	if (status == SOP_OK && is_empty)
		status = hold_nothing(bounds, err);
	else if (status == SOP_OK && bounds->unbounded && !unbounded)
		status = sopi_buf_set(&bounds->high, high.data, high.size, err);
	else if (status == SOP_OK && !unbounded)
		status = tighten(&bounds->high, &high, false, err);
	bounds->unbounded = bounds->unbounded && unbounded && !is_empty;
	sop_buf_free(&low);
	sop_buf_free(&high);
	return status;
}

sop_status sopi_item_bounds(const struct sopi_used *used, const sop_range *range,
			    const char *function, struct sopi_bounds *bounds, sop_error *err)
{
	sop_range all = SOP_RANGE_INIT;
	bool is_empty;

	bounds->unbounded = true;
	if (range == NULL)
		return SOP_OK;
	SOP_TRY(sopi_struct_read(&all, sizeof all, sizeof(size_t) + 8, range, function, err));
	SOP_TRY(check_range(used, &all, function, err));
	if ((all.flags & SOP_RANGE_PREFIX) != 0) {
		SOP_TRY(prefix_bounds(used, all.prefix, function, bounds, err));
		return narrow(used, &all, function, bounds, err);
	}
	SOP_TRY(low_bound(used, &all, function, &bounds->low, &is_empty, err));
	SOP_TRY(high_bound(used, &all, function, &bounds->high, &bounds->unbounded, err));
	return is_empty ? hold_nothing(bounds, err) : SOP_OK;
}
