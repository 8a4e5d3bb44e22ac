/* What a transaction did, as its log record says it: the resulting items, store by store. Pure functions;
 * docs/format.md has every byte.
 *
 * Changes are resolved: they say what is there afterwards, so that applying them decides nothing. */
#ifndef SOPI_CHANGE_RECORD_H
#define SOPI_CHANGE_RECORD_H

#include "base/error.h"

#include <sop/buffer.h>

#include <stdbool.h>
#include <stdint.h>

/* One change: the item that a key has now, or that it has none. */
struct sopi_change_record {
	uint64_t store;
	sop_bytes key; /* as the tree has it: with the item id, in stores with duplicates */
	bool removed; /* what follows is empty then, and `replaces` false */
	bool replaces; /* there was an item before, whose value lay in its leaf; false: that is not known */
	sop_bytes ride;
	bool apart; /* the value is in a pack: the following instead of `value` */
	sop_bytes value;
	uint64_t value_id;
	uint64_t value_size; /* bytes */
	uint64_t pack; /* where this transaction wrote it; 0: it was there before */
	uint32_t offset;
	uint32_t length;
};

/* Appends a change to `out`. NO_MEMORY leaves it as it was. */
sop_status sopi_change_record_append(const struct sopi_change_record *change, sop_buf *out,
				     sop_error *err);

/* The same for an item without ride-along fields whose value is in the record, as most are. */
sop_status sopi_change_record_append_put(uint64_t store, sop_bytes key, sop_bytes value,
					 bool replaces, sop_buf *out, sop_error *err);

/* Takes the next change off the front of `*bytes`; its parts are views. NOT_FOUND (without a message): there is none.
 * CORRUPT (with a message that names no file). */
sop_status sopi_change_record_take(sop_bytes *bytes, struct sopi_change_record *change, sop_error *err);

#endif
