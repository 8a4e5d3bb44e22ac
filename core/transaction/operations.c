/* The operation list of a transaction, and going back in it. */
#include "base/alloc.h"
#include "transaction/transaction.h"

enum { LINE_BYTES = 64, AHEAD_BYTES = 768, AHEAD_LINES = 3 };

/* Copies a value that is too large to lie in a leaf. */
static sop_status value_apart(struct sopi_transaction *txn, sop_bytes bytes,
			      struct sopi_value **out, sop_error *err)
{
	struct sopi_value *value;
	sop_status status;
	void *copy = NULL;

	SOP_TRY(sopi_alloc(bytes.size, &copy, err));
	status = sopi_value_new(&txn->engine->forest, bytes.size, &value, err);
	if (status != SOP_OK) {
		sopi_free(copy);
		return status;
	}
	value->bytes = copy;
	memcpy(value->bytes, bytes.data, bytes.size);
	value->next_in_transaction = txn->values;
	txn->values = value;
	txn->value_bytes += bytes.size;
	atomic_fetch_add_explicit(&txn->engine->forest.value_bytes, bytes.size, memory_order_relaxed);
	*out = value;
	return SOP_OK;
}

static bool needs_value(enum sopi_operation_kind kind)
{
	return kind == SOPI_OP_PUT || kind == SOPI_OP_UPDATE;
}

/* Is it too large to lie in a leaf? The catalog has all its values there: whoever looks a name up, recovery too, reads
 * no other file. */
static bool lies_apart(const struct sopi_transaction *txn, const struct sopi_used *used, sop_bytes value)
{
	return value.size > txn->engine->options.inline_value_bytes && used != txn->names;
}

sop_status sopi_transaction_add(struct sopi_transaction *txn, struct sopi_used *used,
				enum sopi_operation_kind kind, sop_bytes key, sop_bytes ride,
				sop_bytes value, int64_t number, sop_error *err)
{
	const bool apart = needs_value(kind) && lies_apart(txn, used, value);
	const size_t inside = needs_value(kind) && !apart ? value.size : 0;
	struct sopi_operation *operation;
	struct sopi_value *value_copy = NULL;

	if (txn->arena.total_bytes + txn->value_bytes + value.size >
	    txn->engine->options.transaction_bytes_max)
		return sopi_fail_store(
			err, SOP_LIMIT, used->name, used->name_size,
			"the transaction is larger than transaction_bytes_max (%llu bytes); commit earlier",
			(unsigned long long)txn->engine->options.transaction_bytes_max);
	if (SOPI_UNLIKELY(used->calculates) && (kind == SOPI_OP_PUT || kind == SOPI_OP_REMOVE))
		SOP_TRY(sopi_transaction_keep_number(
			txn, used, sopi_index_find(&used->index, key.data, key.size), err));
	operation = sopi_arena_take(&txn->arena, sizeof *operation + key.size + ride.size + inside);
	if (operation == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory for the operations of a transaction");
	if (apart)
		SOP_TRY(value_apart(txn, value, &value_copy, err));
	for (size_t i = 0; i < AHEAD_LINES; i++) /* what the next one will be written to: memory that no cache has */
		__builtin_prefetch((const char *)operation + AHEAD_BYTES + i * LINE_BYTES, 1);
	operation->kind = (uint8_t)kind;
	operation->apart = value_copy;
	operation->number = number;
	operation->key_size = (uint32_t)key.size;
	operation->ride_size = (uint32_t)ride.size;
	operation->value_size = needs_value(kind) ? (uint32_t)value.size : 0;
	operation->index = used;
	if (key.size != 0)
		memcpy(operation->bytes, key.data, key.size);
	if (ride.size != 0)
		memcpy(operation->bytes + key.size, ride.data, ride.size);
	if (inside != 0)
		memcpy(operation->bytes + key.size + ride.size, value.data, inside);
	SOP_TRY(sopi_index_add(&used->index, &txn->arena, operation, err));
	used->calculates = used->calculates || sopi_operation_calculates(operation);
	operation->before = txn->last;
	txn->last = operation;
	txn->operation_count++;
	return SOP_OK;
}

/* ---- savepoints -------------------------------------------------------------------------------- */

sop_status sopi_transaction_savepoint(struct sopi_transaction *txn, uint64_t *savepoint, sop_error *err)
{
	if (txn->savepoint_count == txn->savepoint_capacity) {
		const size_t capacity = txn->savepoint_capacity == 0 ? 8 : txn->savepoint_capacity * 2;
		void *grown = txn->savepoints;

		SOP_TRY(sopi_realloc(&grown, capacity * sizeof *txn->savepoints, err));
		txn->savepoints = grown;
		txn->savepoint_capacity = capacity;
	}
	*savepoint = ++txn->savepoints_made; /* from 1: 0 is none */
	txn->savepoints[txn->savepoint_count++] = (struct sopi_savepoint){ txn->last, *savepoint };
	return SOP_OK;
}

/* How many savepoints there are up to the one with this number; 0: there is none such. */
static size_t savepoints_up_to(const struct sopi_transaction *txn, uint64_t number)
{
	size_t low = 0;
	size_t high = txn->savepoint_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (txn->savepoints[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < txn->savepoint_count && txn->savepoints[low].number == number ? low + 1 : 0;
}

sop_status sopi_transaction_roll_back_to(struct sopi_transaction *txn, uint64_t savepoint, sop_error *err)
{
	const uint64_t catalog_changes = txn->catalog_changes;
	const size_t count = savepoints_up_to(txn, savepoint);
	struct sopi_operation *mark;

	if (count == 0)
		return sopi_fail(err, SOP_MISUSE,
				 "there is no savepoint %llu: it was rolled back beyond, or is of another transaction; pass one that is still there",
				 (unsigned long long)savepoint);
	mark = txn->savepoints[count - 1].last;
	for (const struct sopi_operation *undone = txn->last; undone != mark; undone = undone->before) {
		if (SOPI_UNLIKELY(sopi_operation_calculates(undone)))
			SOP_TRY(sopi_transaction_keep_number(txn, undone->index, undone, err));
	}
	txn->savepoint_count = count; /* it stays */
	while (txn->last != mark) {
		struct sopi_operation *operation = txn->last;
		struct sopi_used *used = operation->index;

		sopi_index_remove(&used->index, operation);
		if (used == txn->names)
			txn->catalog_changes++; /* what names stand for must be looked up again */
		txn->last = operation->before;
		txn->operation_count--;
	}
	if (txn->catalog_changes != catalog_changes)
		sopi_transaction_reconsider_schemas(txn);
	return SOP_OK;
}
