/* From a caller's key to the key inside, and back. */
#ifndef SOPI_ITEM_H
#define SOPI_ITEM_H

#include "transaction/scan.h"

#include <sop/store.h>

/* A caller's key, taken apart. */
struct sopi_item_key {
	const uint8_t *key; /* as it stands in the tree; with an item id in stores with duplicates */
	size_t size;
	sop_bytes ride; /* ride-along fields that were given */
};

/* Takes a caller's key apart; `item` names one of several duplicates.
 * The result may lie in txn->key_room. SCHEMA, LIMIT, MISUSE. */
sop_status sopi_item_inside(struct sopi_transaction *txn, const struct sopi_used *used,
			    sop_bytes key, uint64_t item, const char *function,
			    struct sopi_item_key *out, sop_error *err);

/* Looks an item up by a caller's key; in a store with duplicates `item` 0 means the oldest.
 * existence: only whether it is there matters. */
sop_status sopi_item_find(struct sopi_transaction *txn, struct sopi_used *used, sop_bytes key,
			  uint64_t item, bool existence, const char *function,
			  struct sopi_found *found, sop_error *err);

/* The same, also giving the key inside: for changes. */
sop_status sopi_item_locate(struct sopi_transaction *txn, struct sopi_used *used, sop_bytes key,
			    uint64_t item, const char *function, struct sopi_item_key *out,
			    struct sopi_found *found, sop_error *err);

/* The whole key of an item for a caller: sort fields, then all ride-along fields. `item_id`
 * receives its item id, or 0. */
sop_status sopi_item_whole_key(const struct sopi_used *used, const struct sopi_item_view *item,
			       sop_buf *key, uint64_t *item_id, sop_error *err);

/* Bounds of a caller's range; NULL: everything. SCHEMA, LIMIT, MISUSE. */
sop_status sopi_item_bounds(const struct sopi_used *used, const sop_range *range,
			    const char *function, struct sopi_bounds *bounds, sop_error *err);
void sopi_bounds_free(struct sopi_bounds *bounds);

/* Bounds around all duplicates of a caller's key. */
sop_status sopi_item_duplicates(const struct sopi_used *used, sop_bytes key, const char *function,
				struct sopi_bounds *bounds, sop_error *err);

/* The bound that stands just before a caller's key (or its leading fields), or just behind it and
 * all its duplicates. */
sop_status sopi_item_bound(const struct sopi_used *used, sop_bytes key, bool behind,
			   const char *function, sop_buf *bound, sop_error *err);

/* Is there nothing above or below these bounds? */
static inline bool sopi_bounds_are_everything(const struct sopi_bounds *bounds)
{
	return bounds->unbounded && bounds->low.size == 0;
}

#endif
