/* Within backend: replaying many transactions at once. recovery.c takes the records of the log, recovery_gather.c lists what
 * they change, the newest change of each key only; recovery_apply.c applies that, leaf by leaf in the order of keys. */
#ifndef SOPI_RECOVERY_H
#define SOPI_RECOVERY_H

#include "backend/inredfs.h"
#include "codec/change_record.h"

/* What a run of transactions makes of one key. While they are gathered a key may have several, the newer behind the
 * older. */
struct sopi_gathered {
	uint64_t order; /* first a hash of store and key, then what comes first in the order of keys */
	struct sopi_operation *newest; /* `number` is the position of its transaction */
	struct sopi_store *store;
};

/* The last key of its hash that was met. */
struct sopi_gathered_seen {
	uint32_t hash;
	uint32_t number; /* 1 + that of its entry; 0: there is none */
};

/* A replay: what was gathered and is not applied yet. */
struct sopi_replay {
	struct sopi_inredfs *fs;
	uint64_t before; /* position of the state that the first transaction meets */
	uint64_t position; /* of the last transaction; 0: there is none */
	struct sopi_arena arena; /* of operations */
	struct sopi_gathered *entries;
	size_t count, capacity;
	struct sopi_gathered_seen *seen; /* by hash; what is displaced is found when the entries are sorted */
	size_t seen_count; /* a power of two, or 0 */
	struct sopi_value *values; /* that they wrote apart, linked by next_in_transaction */
	size_t value_bytes; /* of their descriptors */
	uint64_t pages; /* that the registry knows */
	bool knows_pages; /* whether it was asked for this batch */
	size_t bytes_max; /* of memory for all of that */
};

/* ---- recovery_gather.c --------------------------------------------------------------------------- */

/* Adds what one transaction changes. CORRUPT, NO_MEMORY. */
sop_status sopi_gather(struct sopi_replay *replay, uint64_t position, sop_bytes payload, sop_error *err);

/* Has so much been gathered that it is time to apply it? */
bool sopi_gather_is_full(struct sopi_replay *replay);

/* Sorts it by store and key, one entry a key. */
void sopi_gather_sort(struct sopi_replay *replay);

/* Forgets all of it. Values that no tree has got are nobody's, though the log names them. */
void sopi_gather_clear(struct sopi_replay *replay);

/* One change as an operation in the arena that says what is there afterwards; its value, if that is apart and new, is added
 * to `values`. CORRUPT, NO_MEMORY. */
sop_status sopi_gather_operation(struct sopi_replay *replay, uint64_t position,
				 const struct sopi_change_record *change,
				 struct sopi_operation **out, sop_error *err);

/* Insertions go on behind the highest item id. */
void sopi_gather_next_item(struct sopi_store *store, const struct sopi_change_record *change);

sop_status sopi_gather_damaged(uint64_t position, const char *what, sop_error *err);

/* ---- recovery_apply.c ---------------------------------------------------------------------------- */

/* Applies what was gathered and sorted. REQUIRES: fs->slot is claimed, and nothing points into a block. IO, CORRUPT, NO_MEMORY. */
sop_status sopi_replay_apply(struct sopi_replay *replay, sop_error *err);

#endif
