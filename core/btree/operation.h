/* One operation of a transaction on one key, as it lies in the transaction's memory, and what a
 * chain of them makes of an item. */
#ifndef SOPI_OPERATION_H
#define SOPI_OPERATION_H

#include "base/arena.h"
#include "codec/key.h"
#include "node/block.h"

enum sopi_operation_kind {
	SOPI_OP_PUT, /* the item is this, whatever was there */
	SOPI_OP_REMOVE, /* there is no item */
	SOPI_OP_UPDATE, /* the value is this; ride-along fields that are given are replaced */
	SOPI_OP_RIDE, /* ride-along fields that are given are replaced */
	SOPI_OP_ADD, /* the integer is raised by `number` */
	SOPI_OP_MIN, /* the integer is at most `number` */
	SOPI_OP_MAX /* the integer is at least `number` */
};

struct sopi_operation {
	struct sopi_operation *previous; /* earlier one on the same key, or NULL */
	struct sopi_operation *following; /* later one on the same key; meaningful up to the newest only */
	struct sopi_operation *before; /* earlier one of the transaction, whatever its key */
	void *index; /* the index that names it (transaction layer) */
	struct sopi_value *apart; /* the value, if it is kept apart */
	int64_t number; /* of ADD, MIN, MAX; where it is replayed, the position of its transaction */
	uint32_t key_size; /* bytes */
	uint32_t ride_size; /* bytes */
	uint32_t value_size; /* bytes */
	uint8_t kind; /* sopi_operation_kind */
	bool replaces; /* where it is replayed: the first change of its key met an item whose value was in the leaf */
	uint8_t bytes[]; /* key, ride-along fields, value unless it is apart */
};

static inline const uint8_t *sopi_operation_key(const struct sopi_operation *operation)
{
	return operation->bytes;
}

static inline bool sopi_operation_is_absolute(const struct sopi_operation *operation)
{
	return operation->kind == SOPI_OP_PUT || operation->kind == SOPI_OP_REMOVE;
}

/* Is it one of the integer operations? */
static inline bool sopi_operation_calculates(const struct sopi_operation *operation)
{
	return operation->kind == SOPI_OP_ADD || operation->kind == SOPI_OP_MIN ||
	       operation->kind == SOPI_OP_MAX;
}

/* Does the result of the chain that ends with `newest` depend on what was there before? */
bool sopi_operations_need_base(const struct sopi_operation *newest);

/* SCHEMA: an integer operation meets a value of `bytes` bytes. */
sop_status sopi_operation_check_number(uint32_t bytes, sop_error *err);

/* What the chain that ends with `newest` makes of an item.
 * base: the item before, or NULL. schema: of the store, or NULL. memory: for what has to be
 * computed.
 * exists: receives whether there is an item after; item: receives it (views into the operations,
 * the base and the arena; version 0).
 * SCHEMA if an integer operation meets a value that is none; NO_MEMORY. */
sop_status sopi_operations_fold(const struct sopi_operation *newest, const struct sopi_item_view *base,
				const struct sopi_schema *schema, struct sopi_arena *memory,
				bool *exists, struct sopi_item_view *item, sop_error *err);

#endif
