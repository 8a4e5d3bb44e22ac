/* Reading in a transaction: the snapshot, and the transaction's own operations over it. */
#include "transaction/transaction.h"

/* Looks a key up at the snapshot and remembers what was found. */
static sop_status read_base(struct sopi_transaction *txn, struct sopi_used *used, const uint8_t *key,
			    size_t size, bool existence, struct sopi_found *found, sop_error *err)
{
	struct sopi_point point;
	struct sopi_vnode *leaf;
	const struct sopi_block *block;

	if (used->created) {
		found->exists = false;
		return SOP_OK;
	}
	SOP_TRY(sopi_tree_leaf_as(&used->store->tree, key, size, txn->snapshot, txn->nowait, &leaf,
				  &block, err));
	found->exists = sopi_leaf_get(block, key, size, txn->snapshot, &found->item);
	/* What a change rests on is validated in every mode that writes; what is only read, in
	 * SOP_WRITE. */
	if (!sopi_transaction_validates(txn) && !(existence && sopi_transaction_writes(txn)))
		return SOP_OK;
	point = (struct sopi_point){ .used = used,
				     .leaf = leaf,
				     .key = key,
				     .key_size = (uint32_t)size,
				     .existence = existence,
				     .there = found->exists,
				     .version = found->exists ? found->item.version : 0 };
	return sopi_predicate_point(&txn->predicates, &txn->arena, &point, err);
}

sop_status sopi_transaction_get(struct sopi_transaction *txn, struct sopi_used *used, const uint8_t *key,
				size_t size, bool existence, struct sopi_found *found, sop_error *err)
{
	const struct sopi_operation *own = sopi_index_find(&used->index, key, size);
	struct sopi_item_view base;

	if (SOPI_LIKELY(own == NULL))
		return read_base(txn, used, key, size, existence, found, err);
	found->exists = false;
	if (sopi_operations_need_base(own)) {
		SOP_TRY(read_base(txn, used, key, size, existence, found, err));
		base = found->item;
	}
	return sopi_operations_fold(own, found->exists ? &base : NULL, used->schema, &txn->arena,
				    &found->exists, &found->item, err);
}

/* The newest of the transaction's own operations on a key that says what its value is; NULL: there is none. */
static const struct sopi_operation *own_value(const struct sopi_used *used, const uint8_t *key, size_t size)
{
	const struct sopi_operation *own = sopi_index_find(&used->index, key, size);

	while (own != NULL && own->kind == SOPI_OP_RIDE)
		own = own->previous;
	return own;
}

/* What the transaction has not changed: a value that is no number is read, or its answer would not be validated. */
static sop_status check_number_below(struct sopi_transaction *txn, struct sopi_used *used,
				     const uint8_t *key, size_t size, sop_error *err)
{
	const struct sopi_block *block;
	struct sopi_item_view item;
	struct sopi_vnode *leaf;
	struct sopi_found found;
	sop_status status;

	if (used->created)
		return SOP_OK;
	SOP_TRY(sopi_tree_leaf(&used->store->tree, key, size, txn->snapshot, &leaf, &block, err));
	if (!sopi_leaf_get(block, key, size, txn->snapshot, &item))
		return SOP_OK;
	status = sopi_operation_check_number(item.value_size, err);
	if (SOPI_UNLIKELY(status != SOP_OK))
		SOP_TRY(read_base(txn, used, key, size, false, &found, err));
	return status;
}

/* Has the chain an integer operation that was allowed because of what is below it? */
static bool rests_on_number(const struct sopi_operation *newest)
{
	const struct sopi_operation *oldest = NULL;

	for (; newest != NULL; newest = newest->previous) {
		if (sopi_operation_is_absolute(newest))
			return false; /* what is below that was remembered when it came */
		if (newest->kind != SOPI_OP_RIDE)
			oldest = newest;
	}
	return oldest != NULL && sopi_operation_calculates(oldest);
}

sop_status sopi_transaction_keep_number(struct sopi_transaction *txn, struct sopi_used *used,
					const struct sopi_operation *newest, sop_error *err)
{
	struct sopi_point point = { .used = used, .number = true };
	const struct sopi_block *block;

	if (used->created || !sopi_transaction_validates(txn) || !rests_on_number(newest))
		return SOP_OK;
	point.key = sopi_operation_key(newest);
	point.key_size = newest->key_size;
	SOP_TRY(sopi_tree_leaf(&used->store->tree, point.key, point.key_size, txn->snapshot,
			       &point.leaf, &block, err));
	return sopi_predicate_point(&txn->predicates, &txn->arena, &point, err);
}

sop_status sopi_transaction_check_number(struct sopi_transaction *txn, struct sopi_used *used,
					 const uint8_t *key, size_t size, sop_error *err)
{
	const struct sopi_operation *own = own_value(used, key, size);
	sop_status status = SOP_OK;

	if (own == NULL)
		status = check_number_below(txn, used, key, size, err);
	else if (own->kind == SOPI_OP_PUT || own->kind == SOPI_OP_UPDATE)
		status = sopi_operation_check_number(own->value_size, err);
	if (SOPI_UNLIKELY(status == SOP_SCHEMA))
		sopi_error_name_store(err, used->name, used->name_size);
	return status;
}

sop_status sopi_transaction_copy_value(struct sopi_transaction *txn,
				       const struct sopi_item_view *item, sop_buf *out, sop_error *err)
{
	struct sopi_backend *backend = txn->engine->backend;
	const uint8_t *bytes = sopi_item_value(item);

	if (SOPI_UNLIKELY(bytes == NULL && item->apart != NULL && txn->nowait))
		return SOP_WOULD_BLOCK;
	if (SOPI_UNLIKELY(bytes == NULL && item->apart != NULL))
		return backend->driver->read_value(backend, item->apart, out, err);
	return sopi_buf_set(out, bytes, item->value_size, err);
}

sop_status sopi_transaction_value(struct sopi_transaction *txn, const struct sopi_item_view *item,
				  sop_buf *room, sop_bytes *value, sop_error *err)
{
	const uint8_t *bytes = sopi_item_value(item);

	if (SOPI_UNLIKELY(bytes == NULL && item->apart != NULL)) {
		SOP_TRY(sopi_transaction_copy_value(txn, item, room, err));
		*value = (sop_bytes){ room->data, room->size };
		return SOP_OK;
	}
	*value = (sop_bytes){ bytes, item->value_size };
	return SOP_OK;
}

/* How many items more or fewer there are because of the transaction's own operations. Whether their
 * keys are there at the snapshot is remembered: the count alone may be equal by accident. */
static sop_status own_effect(struct sopi_transaction *txn, struct sopi_used *used, int64_t *effect,
			     sop_error *err)
{
	struct sopi_index_place place = { 0, 0 };

	*effect = 0;
	while (!sopi_index_is_end(&used->index, place)) {
		const struct sopi_operation *own = sopi_index_at(&used->index, place);
		const uint8_t *key = sopi_operation_key(own);
		struct sopi_found before;
		struct sopi_item_view after;
		bool exists;

		SOP_TRY(read_base(txn, used, key, own->key_size, true, &before, err));
		SOP_TRY(sopi_operations_fold(own, before.exists ? &before.item : NULL, used->schema,
					     &txn->arena, &exists, &after, err));
		*effect += (exists ? 1 : 0) - (before.exists ? 1 : 0);
		sopi_index_next(&used->index, &place);
	}
	return SOP_OK;
}

sop_status sopi_transaction_count(struct sopi_transaction *txn, struct sopi_used *used,
				  uint64_t *count, sop_error *err)
{
	int64_t items = 0;
	int64_t effect = 0;

	if (!used->created) {
		items = sopi_tree_count(&used->store->tree, txn->snapshot);
		if (sopi_transaction_validates(txn))
			SOP_TRY(sopi_predicate_count(&txn->predicates, &txn->arena, used, items, err));
	}
	if (used->index.entry_count > 0)
		SOP_TRY(own_effect(txn, used, &effect, err));
	*count = (uint64_t)(items + effect);
	return SOP_OK;
}
