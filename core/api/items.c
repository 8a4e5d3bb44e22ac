/* The operations on items: reading, changing, counting, batches. */
#include "api/handle.h"
#include "api/item.h"
#include "api/rows.h"
#include "base/bytes.h"

/* ---- reading ----------------------------------------------------------------------------------- */

/* Every so many items (a power of two, less one) a long call looks for its deadline, and lets go of what it has read. */
enum { LOOK_MASK = 63 };

/* Between two items of a long call, which has copied out what it read. */
static sop_status between(struct sopi_transaction *txn, uint64_t item, sop_error *err)
{
	if (SOPI_LIKELY((item & LOOK_MASK) != LOOK_MASK))
		return SOP_OK;
	sopi_slot_refresh(&txn->engine->forest.reclaim, txn->slot);
	return sopi_transaction_may_go_on(txn, err);
}

static sop_status no_such_key(sop_error *err)
{
	return sopi_fail(err, SOP_NOT_FOUND, "there is no such key");
}

sop_status sop_get(sop_txn *txn, sop_store *store, sop_bytes key, sop_buf *value, sop_error *err)
{
	struct sopi_used *used;
	struct sopi_found found;
	sop_status status;

	if (SOPI_UNLIKELY(value == NULL))
		return sopi_misuse(err, __func__, "value is NULL");
	SOP_TRY(sopi_txn_enter_store(txn, store, __func__, &used, err));
	SOP_TRY_OUT(sopi_item_find(&txn->core, used, key, 0, false, __func__, &found, err));
	status = found.exists ? sopi_transaction_copy_value(&txn->core, &found.item, value, err)
			      : no_such_key(err);
out:
	sopi_txn_leave(txn);
	return status;
}

static sop_status fetch(struct sopi_transaction *txn, struct sopi_used *used, sop_bytes key,
			uint64_t item, sop_buf *whole_key, sop_buf *value, sop_item *about,
			sop_error *err)
{
	sop_buf unused = SOP_BUF_INIT;
	struct sopi_found found;
	sop_status status;
	sop_item told;

	SOP_TRY(sopi_item_find(txn, used, key, item, value == NULL && about == NULL && whole_key == NULL,
			       "sop_fetch", &found, err));
	if (!found.exists)
		return no_such_key(err);
	SOP_TRY_OUT(sopi_item_whole_key(used, &found.item, whole_key != NULL ? whole_key : &unused,
					&told.item, err));
	told.version = found.item.version;
	if (value != NULL)
		SOP_TRY_OUT(sopi_transaction_copy_value(txn, &found.item, value, err));
	if (about != NULL)
		*about = told;
	status = SOP_OK;
out:
	sop_buf_free(&unused);
	return status;
}

sop_status sop_fetch(sop_txn *txn, sop_store *store, sop_bytes key, uint64_t item, uint32_t flags,
		     sop_buf *whole_key, sop_buf *value, sop_item *about, sop_error *err)
{
	struct sopi_used *used;
	sop_status status;

	if ((flags & ~SOP_NOWAIT) != 0)
		return sopi_misuse(err, __func__, "flags are not known");
	SOP_TRY(sopi_txn_enter_store(txn, store, __func__, &used, err));
	txn->core.nowait = (flags & SOP_NOWAIT) != 0;
	status = fetch(&txn->core, used, key, item, whole_key, value, about, err);
	txn->core.nowait = false;
	sopi_txn_leave(txn);
	if (SOPI_UNLIKELY(status == SOP_WOULD_BLOCK))
		return sopi_fail(err, SOP_WOULD_BLOCK,
				 "a page must be read from disk: fetch it in a way that waits");
	return status;
}

/* ---- changing ---------------------------------------------------------------------------------- */

static const sop_bytes nothing = { NULL, 0 };

static sop_status check_value(const struct sopi_used *used, sop_bytes value, const char *function,
			      sop_error *err)
{
	if (SOPI_UNLIKELY(!sopi_bytes_good(value)))
		return sopi_misuse(err, function, "the value's data is NULL, but its size is not 0");
	if (SOPI_UNLIKELY(value.size > SOP_VALUE_BYTES_MAX))
		return sopi_fail_store(err, SOP_LIMIT, used->name, used->name_size,
				       "the value has %zu bytes; 1 GiB is the limit", value.size);
	return SOP_OK;
}

/* Ride-along fields as a new item has them: those that were given, and the defaults of the others.
 * */
static sop_status whole_ride(struct sopi_transaction *txn, const struct sopi_used *used,
			     sop_bytes given, sop_bytes *whole, sop_error *err)
{
	*whole = given;
	if (SOPI_LIKELY(used->schema == NULL || used->schema->ride_count == 0))
		return SOP_OK;
	SOP_TRY(sopi_ride_complete(used->schema, given, &txn->ride_room, err));
	*whole = (sop_bytes){ txn->ride_room.data, txn->ride_room.size };
	return SOP_OK;
}

static sop_status no_duplicates(const struct sopi_used *used, const char *function, sop_error *err)
{
	if (SOPI_UNLIKELY(used->store->tree.duplicates))
		return sopi_misuse(err, function,
				   "the store keeps duplicates; use insert, update and remove");
	return SOP_OK;
}

static sop_status put(struct sopi_transaction *txn, struct sopi_used *used, sop_bytes key,
		      sop_bytes value, const char *function, sop_error *err)
{
	struct sopi_item_key inside;
	sop_bytes ride;

	SOP_TRY(no_duplicates(used, function, err));
	SOP_TRY(check_value(used, value, function, err));
	SOP_TRY(sopi_item_inside(txn, used, key, 0, function, &inside, err));
	SOP_TRY(whole_ride(txn, used, inside.ride, &ride, err));
	return sopi_transaction_add(txn, used, SOPI_OP_PUT, (sop_bytes){ inside.key, inside.size },
				    ride, value, 0, err);
}

static sop_status insert(struct sopi_transaction *txn, struct sopi_used *used, sop_bytes key,
			 sop_bytes value, uint64_t *item, const char *function, sop_error *err)
{
	struct sopi_item_key inside;
	struct sopi_found found;
	uint64_t id = 0;
	sop_bytes ride;

	SOP_TRY(check_value(used, value, function, err));
	if (used->store->tree.duplicates)
		id = atomic_fetch_add_explicit(&used->store->tree.next_item, 1, memory_order_relaxed);
	SOP_TRY(sopi_item_inside(txn, used, key, id, function, &inside, err));
	if (id == 0) {
		SOP_TRY(sopi_transaction_get(txn, used, inside.key, inside.size, true, &found, err));
		if (found.exists)
			return sopi_fail_store(err, SOP_EXISTS, used->name, used->name_size,
					       "the key is there already; put or update replaces its value");
	}
	SOP_TRY(whole_ride(txn, used, inside.ride, &ride, err));
	SOP_TRY(sopi_transaction_add(txn, used, SOPI_OP_PUT, (sop_bytes){ inside.key, inside.size },
				     ride, value, 0, err));
	if (item != NULL)
		*item = id;
	return SOP_OK;
}

/* Changes an item that must be there. */
static sop_status change(struct sopi_transaction *txn, struct sopi_used *used,
			 enum sopi_operation_kind kind, sop_bytes key, uint64_t item,
			 sop_bytes value, const char *function, sop_error *err)
{
	struct sopi_item_key inside;
	struct sopi_found found;

	SOP_TRY(check_value(used, value, function, err));
	SOP_TRY(sopi_item_locate(txn, used, key, item, function, &inside, &found, err));
	if (!found.exists)
		return no_such_key(err);
	return sopi_transaction_add(txn, used, kind, (sop_bytes){ inside.key, inside.size },
				    kind == SOPI_OP_REMOVE ? nothing : inside.ride, value, 0, err);
}

sop_status sop_put(sop_txn *txn, sop_store *store, sop_bytes key, sop_bytes value, sop_error *err)
{
	struct sopi_used *used;
	sop_status status;

	SOP_TRY(sopi_txn_enter_change(txn, store, __func__, &used, err));
	status = put(&txn->core, used, key, value, __func__, err);
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_insert(sop_txn *txn, sop_store *store, sop_bytes key, sop_bytes value,
		      uint64_t *item, sop_error *err)
{
	struct sopi_used *used;
	sop_status status;

	SOP_TRY(sopi_txn_enter_change(txn, store, __func__, &used, err));
	status = insert(&txn->core, used, key, value, item, __func__, err);
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_update(sop_txn *txn, sop_store *store, sop_bytes key, uint64_t item, sop_bytes value,
		      sop_error *err)
{
	struct sopi_used *used;
	sop_status status;

	SOP_TRY(sopi_txn_enter_change(txn, store, __func__, &used, err));
	status = change(&txn->core, used, SOPI_OP_UPDATE, key, item, value, __func__, err);
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_set_ride(sop_txn *txn, sop_store *store, sop_bytes key, uint64_t item, sop_error *err)
{
	struct sopi_used *used;
	sop_status status;

	SOP_TRY(sopi_txn_enter_change(txn, store, __func__, &used, err));
	if (used->schema == NULL || used->schema->ride_count == 0)
		status = sopi_fail_store(err, SOP_SCHEMA, used->name, used->name_size,
					 "the store has no ride-along fields; declare some in its schema");
	else
		status = change(&txn->core, used, SOPI_OP_RIDE, key, item, nothing, __func__, err);
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_remove(sop_txn *txn, sop_store *store, sop_bytes key, uint64_t item, sop_error *err)
{
	struct sopi_used *used;
	sop_status status;

	SOP_TRY(sopi_txn_enter_change(txn, store, __func__, &used, err));
	status = change(&txn->core, used, SOPI_OP_REMOVE, key, item, nothing, __func__, err);
	sopi_txn_leave(txn);
	return status;
}

/* An integer operation. It looks whether there is an integer; only what is none counts as read. */
static sop_status calculate(sop_txn *txn, sop_store *store, sop_bytes key, enum sopi_operation_kind kind,
			    int64_t number, const char *function, sop_error *err)
{
	struct sopi_item_key inside;
	struct sopi_used *used;
	sop_status status;
	sop_bytes ride;

	SOP_TRY(sopi_txn_enter_change(txn, store, function, &used, err));
	SOP_TRY_OUT(no_duplicates(used, function, err));
	SOP_TRY_OUT(sopi_item_inside(&txn->core, used, key, 0, function, &inside, err));
	SOP_TRY_OUT(whole_ride(&txn->core, used, inside.ride, &ride, err));
	SOP_TRY_OUT(sopi_transaction_check_number(&txn->core, used, inside.key, inside.size, err));
	status = sopi_transaction_add(&txn->core, used, kind, (sop_bytes){ inside.key, inside.size },
				      ride, nothing, number, err);
out:
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_add(sop_txn *txn, sop_store *store, sop_bytes key, int64_t by, sop_error *err)
{
	return calculate(txn, store, key, SOPI_OP_ADD, by, __func__, err);
}

sop_status sop_min(sop_txn *txn, sop_store *store, sop_bytes key, int64_t to, sop_error *err)
{
	return calculate(txn, store, key, SOPI_OP_MIN, to, __func__, err);
}

sop_status sop_max(sop_txn *txn, sop_store *store, sop_bytes key, int64_t to, sop_error *err)
{
	return calculate(txn, store, key, SOPI_OP_MAX, to, __func__, err);
}

/* ---- ranges ------------------------------------------------------------------------------------ */

/* Steps over all items in a range; removes them if `removes`. */
static sop_status over_range(struct sopi_transaction *txn, struct sopi_used *used,
			     const struct sopi_bounds *bounds, bool removes, uint64_t *count,
			     sop_error *err)
{
	struct sopi_item_view item;
	struct sopi_scan scan;
	sop_status status;

	*count = 0;
	sopi_scan_init(&scan, txn, used, bounds, true);
	while ((status = sopi_scan_next(&scan, &item, err)) == SOP_OK) {
		SOP_TRY_OUT(between(txn, (*count)++, err)); /* the scan finds its way */
		if (removes)
			SOP_TRY_OUT(sopi_transaction_add(txn, used, SOPI_OP_REMOVE,
							 (sop_bytes){ scan.key.data, scan.key.size },
							 nothing, nothing, 0, err));
	}
	if (status == SOP_NOT_FOUND)
		status = SOP_OK;
out:
	sopi_scan_free(&scan);
	return status;
}

sop_status sop_remove_range(sop_txn *txn, sop_store *store, const sop_range *range,
			    uint64_t *removed, sop_error *err)
{
	struct sopi_bounds bounds = { SOP_BUF_INIT, SOP_BUF_INIT, true };
	uint64_t savepoint = 0;
	uint64_t count = 0;
	struct sopi_used *used;
	sop_status status;

	SOP_TRY(sopi_txn_enter_change(txn, store, __func__, &used, err));
	SOP_TRY_OUT(sopi_item_bounds(used, range, __func__, &bounds, err));
	SOP_TRY_OUT(sopi_transaction_savepoint(&txn->core, &savepoint, err));
	status = over_range(&txn->core, used, &bounds, true, &count, err);
	if (txn->core.state == SOPI_OPEN) { /* all or nothing */
		if (status != SOP_OK)
			(void)sopi_transaction_roll_back_to(&txn->core, savepoint, NULL);
		txn->core.savepoint_count--;
	}
	if (status == SOP_OK && removed != NULL)
		*removed = count;
out:
	sopi_bounds_free(&bounds);
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_count(sop_txn *txn, sop_store *store, const sop_range *range, uint64_t *count,
		     sop_error *err)
{
	struct sopi_bounds bounds = { SOP_BUF_INIT, SOP_BUF_INIT, true };
	struct sopi_used *used;
	uint64_t items = 0;
	sop_status status;

	if (count == NULL)
		return sopi_misuse(err, __func__, "count is NULL");
	SOP_TRY(sopi_txn_enter_store(txn, store, __func__, &used, err));
	SOP_TRY_OUT(sopi_item_bounds(used, range, __func__, &bounds, err));
	if (sopi_bounds_are_everything(&bounds))
		status = sopi_transaction_count(&txn->core, used, &items, err);
	else
		status = over_range(&txn->core, used, &bounds, false, &items, err);
	if (status == SOP_OK)
		*count = items;
out:
	sopi_bounds_free(&bounds);
	sopi_txn_leave(txn);
	return status;
}

/* ---- batches ----------------------------------------------------------------------------------- */

/* Adds the row of one key: its whole key, item id and value where it is there, the key as it was
 * asked for where not. */
static sop_status get_row(struct sopi_transaction *txn, struct sopi_used *used,
			  const struct sopi_row *asked, uint32_t flags, sop_buf *whole_key,
			  sop_buf *value_room, sop_buf *out, sop_error *err)
{
	struct sopi_found found;
	sop_bytes key = asked->key;
	sop_bytes value = nothing;
	uint64_t item = asked->item;
	size_t bytes;

	SOP_TRY(sopi_item_find(txn, used, asked->key, asked->item, false, "sop_get_many", &found, err));
	if (found.exists) {
		SOP_TRY(sopi_transaction_value(txn, &found.item, value_room, &value, err));
		if (used->schema != NULL || used->store->tree.duplicates) {
			SOP_TRY(sopi_item_whole_key(used, &found.item, whole_key, &item, err));
			key = (sop_bytes){ whole_key->data, whole_key->size };
		}
	}
	bytes = sopi_row_bytes(flags, key.size, value.size);
	SOP_TRY(sopi_buf_room(out, bytes, err));
	sopi_row_write((uint8_t *)out->data + out->size, flags, key, value, !found.exists, item,
		       found.exists ? found.item.version : 0);
	out->size += bytes;
	return SOP_OK;
}

static sop_status get_rows(struct sopi_transaction *txn, struct sopi_used *used,
			   struct sopi_rows *keys, uint32_t flags, sop_buf *out, sop_error *err)
{
	const uint32_t count = keys->left;
	sop_buf whole_key = SOP_BUF_INIT;
	sop_buf value_room = SOP_BUF_INIT;
	sop_status status;

	out->size = 0;
	SOP_TRY(sopi_buf_room(out, SOPI_ROWS_HEAD_BYTES, err));
	out->size = SOPI_ROWS_HEAD_BYTES;
	while (keys->left > 0) {
		struct sopi_row row;

		SOP_TRY_OUT(sopi_rows_next(keys, "sop_get_many", &row, err));
		SOP_TRY_OUT(get_row(txn, used, &row, flags, &whole_key, &value_room, out, err));
		SOP_TRY_OUT(between(txn, keys->left, err));
	}
	sopi_rows_head(out->data, count, flags);
	status = SOP_OK;
out:
	sop_buf_free(&whole_key);
	sop_buf_free(&value_room);
	return status;
}

sop_status sop_get_many(sop_txn *txn, sop_store *store, sop_bytes keys, uint32_t flags,
			sop_buf *rows, sop_error *err)
{
	struct sopi_rows batch;
	struct sopi_used *used;
	sop_status status;

	if (rows == NULL)
		return sopi_misuse(err, __func__, "rows is NULL");
	if ((flags & ~(SOP_ROWS_ITEM | SOP_ROWS_VERSION)) != 0)
		return sopi_misuse(err, __func__, "flags are not known");
	SOP_TRY(sopi_rows_open(keys, __func__, &batch, err));
	SOP_TRY(sopi_txn_enter_store(txn, store, __func__, &used, err));
	status = get_rows(&txn->core, used, &batch, flags, rows, err);
	sopi_txn_leave(txn);
	return status;
}

static sop_status put_row(struct sopi_transaction *txn, struct sopi_used *used,
			  const struct sopi_row *row, sop_put_how how, sop_error *err)
{
	if (row->absent && how != SOP_REMOVE)
		return sopi_misuse(err, "sop_put_many", "a row has no value; give it one, or remove");
	switch (how) {
	case SOP_PUT:
		return put(txn, used, row->key, row->value, "sop_put_many", err);
	case SOP_INSERT:
		return insert(txn, used, row->key, row->value, NULL, "sop_put_many", err);
	case SOP_UPDATE:
		return change(txn, used, SOPI_OP_UPDATE, row->key, row->item, row->value,
			      "sop_put_many", err);
	case SOP_REMOVE:
		return change(txn, used, SOPI_OP_REMOVE, row->key, row->item, nothing,
			      "sop_put_many", err);
	}
	return sopi_misuse(err, "sop_put_many",
			   "how is beyond its limits; it is put, insert, update or remove");
}

sop_status sop_put_many(sop_txn *txn, sop_store *store, sop_bytes rows, sop_put_how how,
			size_t *done, sop_error *err)
{
	struct sopi_rows batch;
	struct sopi_used *used;
	sop_status status = SOP_OK;
	size_t count = 0;

	if (done != NULL)
		*done = 0;
	if ((unsigned)how > SOP_REMOVE)
		return sopi_misuse(err, __func__,
				   "how is beyond its limits; it is put, insert, update or remove");
	SOP_TRY(sopi_rows_open(rows, __func__, &batch, err));
	SOP_TRY(sopi_txn_enter_change(txn, store, __func__, &used, err));
	while (batch.left > 0) {
		struct sopi_row row;

		SOP_TRY_OUT(sopi_rows_next(&batch, __func__, &row, err));
		SOP_TRY_OUT(between(&txn->core, batch.left, err));
		SOP_TRY_OUT(put_row(&txn->core, used, &row, how, err));
		count++;
	}
out:
	if (done != NULL)
		*done = count;
	sopi_txn_leave(txn);
	return status;
}
