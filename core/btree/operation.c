/* Folding a chain of operations over an item. */
#include "btree/operation.h"

#include "base/bytes.h"
#include "codec/ride.h"

enum { INTEGER_BYTES = 8 };

/* The first operation of the chain that still matters. */
static const struct sopi_operation *first_that_matters(const struct sopi_operation *newest)
{
	while (!sopi_operation_is_absolute(newest) && newest->previous != NULL)
		newest = newest->previous;
	return newest;
}

bool sopi_operations_need_base(const struct sopi_operation *newest)
{
	return !sopi_operation_is_absolute(first_that_matters(newest));
}

/* Makes the value of `item` that of the operation. */
static inline void take_value(const struct sopi_operation *operation, struct sopi_item_view *item)
{
	item->value_size = operation->value_size;
	item->apart = operation->apart;
	item->value = operation->apart != NULL
			      ? NULL
			      : operation->bytes + operation->key_size + operation->ride_size;
}

/* Makes `item` the one that a put makes. Field by field: what is put together elsewhere and copied stalls the processor. */
static inline void put_item(const struct sopi_operation *operation, struct sopi_item_view *item)
{
	item->prefix = NULL;
	item->prefix_size = 0;
	item->key = sopi_operation_key(operation);
	item->key_size = operation->key_size;
	item->ride = operation->bytes + operation->key_size;
	item->ride_size = operation->ride_size;
	item->version = 0;
	take_value(operation, item);
}

/* Replaces the leading ride-along fields that the operation gives, keeps the others. */
static sop_status take_ride(const struct sopi_operation *operation, const struct sopi_schema *schema,
			    struct sopi_arena *memory, struct sopi_item_view *item, sop_error *err)
{
	const sop_bytes given = { operation->bytes + operation->key_size, operation->ride_size };
	const sop_bytes old = { item->ride, item->ride_size };
	size_t replaced = 0;
	uint8_t *ride;

	if (given.size == 0 || schema == NULL)
		return SOP_OK;
	SOP_TRY(sopi_ride_replaced(schema, given, old, &replaced, err));
	ride = sopi_arena_take(memory, given.size + old.size - replaced);
	if (ride == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory while replacing ride-along fields");
	memcpy(ride, given.data, given.size);
	if (old.size > replaced)
		memcpy(ride + given.size, item->ride + replaced, old.size - replaced);
	item->ride = ride;
	item->ride_size = (uint32_t)(given.size + old.size - replaced);
	return SOP_OK;
}

/* Addition wraps, as two's complement does. */
static int64_t calculate(const struct sopi_operation *operation, bool exists, int64_t old)
{
	const int64_t number = operation->number;

	if (operation->kind == SOPI_OP_ADD)
		return (int64_t)((uint64_t)(exists ? old : 0) + (uint64_t)number);
	if (!exists)
		return number;
	if (operation->kind == SOPI_OP_MIN)
		return old < number ? old : number;
	return old > number ? old : number;
}

sop_status sopi_operation_check_number(uint32_t bytes, sop_error *err)
{
	if (SOPI_LIKELY(bytes == INTEGER_BYTES))
		return SOP_OK;
	return sopi_fail(err, SOP_SCHEMA,
			 "add, min and max need a value of 8 bytes (a little-endian integer); this one has %u",
			 bytes);
}

static sop_status take_number(const struct sopi_operation *operation, struct sopi_arena *memory,
			      bool exists, struct sopi_item_view *item, sop_error *err)
{
	uint8_t *value;

	if (exists)
		SOP_TRY(sopi_operation_check_number(item->value_size, err));
	value = sopi_arena_take(memory, INTEGER_BYTES);
	if (value == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory while adding");
	sopi_store_u64le(value, (uint64_t)calculate(operation, exists,
						    exists ? (int64_t)sopi_load_u64le(item->value) : 0));
	item->value = value;
	item->value_size = INTEGER_BYTES;
	item->apart = NULL;
	if (!exists) {
		item->ride = operation->bytes + operation->key_size;
		item->ride_size = operation->ride_size;
	}
	return SOP_OK;
}

sop_status sopi_operations_fold(const struct sopi_operation *newest, const struct sopi_item_view *base,
				const struct sopi_schema *schema, struct sopi_arena *memory,
				bool *exists, struct sopi_item_view *item, sop_error *err)
{
	const struct sopi_operation *operation;
	bool absolute;

	if (SOPI_LIKELY(newest->kind == SOPI_OP_PUT)) { /* whatever was there, and whatever came before */
		*exists = true;
		put_item(newest, item);
		return SOP_OK;
	}
	operation = first_that_matters(newest);
	absolute = sopi_operation_is_absolute(operation);
	*exists = base != NULL && !absolute;
	if (*exists)
		*item = *base;
	else
		memset(item, 0, sizeof *item);
	for (;; operation = operation->following) {
		switch ((enum sopi_operation_kind)operation->kind) {
		case SOPI_OP_PUT:
			*exists = true;
			item->ride = operation->bytes + operation->key_size;
			item->ride_size = operation->ride_size;
			take_value(operation, item);
			break;
		case SOPI_OP_REMOVE:
			*exists = false;
			break;
		case SOPI_OP_UPDATE:
			if (*exists) { /* its transaction saw the item; a blind one would lose a conflict */
				take_value(operation, item);
				SOP_TRY(take_ride(operation, schema, memory, item, err));
			}
			break;
		case SOPI_OP_RIDE:
			if (*exists)
				SOP_TRY(take_ride(operation, schema, memory, item, err));
			break;
		case SOPI_OP_ADD:
		case SOPI_OP_MIN:
		case SOPI_OP_MAX:
			SOP_TRY(take_number(operation, memory, *exists, item, err));
			*exists = true;
			break;
		}
		if (operation == newest)
			break;
	}
	item->prefix = NULL;
	item->prefix_size = 0;
	item->key = sopi_operation_key(newest);
	item->key_size = newest->key_size;
	item->version = 0;
	return SOP_OK;
}
