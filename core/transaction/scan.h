/* Ordered reading in a transaction: the snapshot merged with the transaction's own operations, both
 * ways. A scan remembers the key it stands on, so that it survives whatever the transaction changes
 * meanwhile. */
#ifndef SOPI_SCAN_H
#define SOPI_SCAN_H

#include "btree/walk.h"
#include "transaction/transaction.h"

enum sopi_scan_place {
	SOPI_SCAN_START, /* before everything */
	SOPI_SCAN_ON, /* on the item `key` */
	SOPI_SCAN_GAP, /* just before `key` */
	SOPI_SCAN_END /* behind everything */
};

/* Bounds are whole internal keys or parts of them; a range goes from `low` on and stops below
 * `high`. */
struct sopi_bounds {
	sop_buf low;
	sop_buf high;
	bool unbounded; /* no upper end */
};

struct sopi_scan {
	struct sopi_transaction *txn;
	struct sopi_used *used;
	const struct sopi_bounds *bounds;
	bool keys_only;
	bool remembers; /* what it reads is validated */
	uint8_t place; /* sopi_scan_place */
	bool forward; /* the direction of the last step */
	bool synced; /* base and own stand where the next step in that direction looks */
	bool has_base; /* base stands on an item */
	uint64_t generation; /* of the index that `own` is right for */
	const _Atomic uint64_t *evicting; /* counts evictions: what the walk points to may have gone since the last call */
	uint64_t evictions; /* when it was synchronised */
	struct sopi_walk base;
	struct sopi_index_place own;
	bool has_own;
	const struct sopi_block *source; /* leaf that the item lies in which the last step gave; NULL: not in one */
	const struct sopi_block *plain; /* leaf whose items follow as they lie: no deltas, no own operations */
	size_t plain_end; /* behind the last of them that is within the bounds */
	sop_buf key; /* where it stands; the leaf's prefix is in it already where `plain` is set */
	struct sopi_range *range; /* what it has read so far in one go, or NULL */
};

void sopi_scan_init(struct sopi_scan *scan, struct sopi_transaction *txn, struct sopi_used *used,
		    const struct sopi_bounds *bounds, bool keys_only);
void sopi_scan_free(struct sopi_scan *scan);

/* Puts it before everything, behind everything, or just before `key` (within its bounds). */
void sopi_scan_to_start(struct sopi_scan *scan);
void sopi_scan_to_end(struct sopi_scan *scan);
sop_status sopi_scan_to(struct sopi_scan *scan, const uint8_t *key, size_t size, sop_error *err);

/* Is the leaf that the scan stood on at the end of the last call still there? */
static inline bool sopi_scan_stays(const struct sopi_scan *scan)
{
	return scan->evictions == atomic_load_explicit(scan->evicting, memory_order_seq_cst) ||
	       (scan->base.leaf != NULL &&
		sopi_slot_pins(scan->txn->slot, scan, &scan->base.leaf->version));
}

/* Do the next items of the current leaf follow as they lie? Then sopi_scan_plain_item may be
 * called. */
static inline bool sopi_scan_is_plain(const struct sopi_scan *scan)
{
	return scan->plain != NULL && scan->synced && scan->forward &&
	       scan->place == SOPI_SCAN_ON && scan->generation == scan->used->index.generation &&
	       sopi_scan_stays(scan) && scan->base.index < scan->plain_end;
}

/* The item that a plain scan steps onto next, without stepping; NULL if the room for its key must
 * grow first. */
static inline const struct sopi_item *sopi_scan_plain_item(const struct sopi_scan *scan)
{
	const struct sopi_item *item =
		sopi_item_at(scan->plain, sopi_leaf_places(scan->plain)[scan->base.index]);

	return scan->plain->prefix_size + sopi_item_key_size(item) < scan->key.capacity ? item : NULL;
}

/* Steps onto that item. At the end of the leaf, or of the bounds, the scan is no longer plain. */
void sopi_scan_plain_leave(struct sopi_scan *scan);

static inline void sopi_scan_plain_step(struct sopi_scan *scan, const struct sopi_item *item)
{
	const size_t prefix_size = scan->plain->prefix_size;
	const size_t key_size = sopi_item_key_size(item);

	sopi_copy_short((uint8_t *)scan->key.data + prefix_size, sopi_item_key(item), key_size);
	scan->key.size = prefix_size + key_size;
	if (SOPI_UNLIKELY(++scan->base.index == scan->plain_end))
		sopi_scan_plain_leave(scan);
}

/* Steps to the next or previous item. NOT_FOUND (without a message): there is none. The view lives
 * until the next call. */
sop_status sopi_scan_next(struct sopi_scan *scan, struct sopi_item_view *item, sop_error *err);
sop_status sopi_scan_previous(struct sopi_scan *scan, struct sopi_item_view *item, sop_error *err);

#endif
