/* Building what a large commit will put in place before it has the commit mutex: the new leaves, and what it says in the
 * log, as of one position that its slot has published. Under the mutex whole leaves are linked; only where a leaf has
 * changed since are the changes applied once more, by btree/apply.h. docs/decisions/0009-large-commits.md has the
 * reasons.
 *
 * Nobody sees what is built until it is linked. Its items carry no position; that of their page stands for it. */
#ifndef SOPI_AHEAD_H
#define SOPI_AHEAD_H

#include "btree/apply.h"

#define SOPI_AHEAD_NONE SIZE_MAX

/* A leaf of the tree that was read. */
struct sopi_ahead_source {
	struct sopi_vnode *vnode;
	const struct sopi_block *block; /* the version */
};

/* A leaf that was built, and the changes that are in it. */
struct sopi_ahead_piece {
	struct sopi_block *block; /* NULL: it was linked */
	struct sopi_vnode *vnode; /* new; NULL: it is for the unit's first source */
	struct sopi_separator separator; /* before it; of the unit's first piece: none */
	size_t first, end; /* changes */
	size_t value_at, value_end;
	uint64_t record_at, record_end; /* what it says, in the record */
	uint64_t operations;
	int64_t effect; /* on the number of items */
	size_t next; /* piece of the unit, or SOPI_AHEAD_NONE */
	bool small; /* to be joined with a neighbour that is not in the unit */
};

/* A run of changes, the neighbouring leaves below one parent that they fall into, and what is to take these leaves'
 * place. */
struct sopi_ahead_unit {
	size_t first, end; /* changes */
	uint64_t at; /* position that the sources were read at */
	size_t source_at, source_count;
	size_t piece_at, piece_count; /* none: it was not built */
	struct sopi_separator lower, upper; /* of the range of keys of the sources; size 0: open */
	size_t record_at, record_end; /* in the commit's record, if its changes were applied there */
	bool linked;
	bool stale; /* its sources are not in one place any more */
};

/* One value apart that takes another's place. Each may be NULL. */
struct sopi_ahead_value {
	struct sopi_value *old, *new;
};

/* Bytes of what a commit says in the log: of the record, from `at` on, or where they were put together under the mutex. */
struct sopi_ahead_part {
	const uint8_t *bytes; /* NULL: of the record */
	uint64_t at;
	size_t size;
};

/* Takes whole parts off the front of the scratch's record, which has `spill_bytes` or more of it: raises record_gone. */
typedef sop_status (*sopi_ahead_spill_fn)(struct sopi_ahead *ahead, void *arg, sop_error *err);

struct sopi_ahead {
	struct sopi_scratch scratch; /* its record is what the pieces say, from byte `record_gone` on */
	uint64_t record_gone; /* bytes that were taken off its front */
	sopi_ahead_spill_fn spill; /* NULL: the record stays in memory as a whole */
	void *spill_arg;
	size_t spill_bytes;
	struct sopi_scratch spare; /* items as they are and as they were, where they are compared */
	struct sopi_ahead_unit *units; /* between them every change of the commit, in order */
	size_t unit_count, unit_capacity;
	struct sopi_ahead_source *sources; /* those of one unit side by side */
	size_t source_count, source_capacity;
	struct sopi_ahead_piece *pieces;
	size_t piece_count, piece_capacity;
	struct sopi_ahead_value *values; /* those of one piece side by side */
	size_t value_count, value_capacity;
	struct sopi_ahead_note *notes; /* scratch: how much there was before each change */
	size_t note_count, note_capacity;
	struct sopi_ahead_part *parts; /* of what the commit says */
	size_t part_capacity;
	size_t bytes; /* of the blocks that were built */
	size_t bytes_max; /* beyond, no more are */
};

/* Commits of fewer changes do not hold anybody up. */
enum { SOPI_AHEAD_CHANGES_MIN = 4096 };

#ifdef SOP_TEST_HOOKS
extern _Atomic size_t sopi_ahead_changes_min;
#else
enum { sopi_ahead_changes_min = SOPI_AHEAD_CHANGES_MIN };
#endif

/* Builds for the changes [first, end) of one tree as of position `at`, or HEAD for a tree that only this commit knows; tells
 * each change its leaf. records: they go into the log. NO_MEMORY, SCHEMA, and for databases on disk IO, CORRUPT. */
sop_status sopi_ahead_build(struct sopi_ahead *ahead, struct sopi_tree *tree, struct sopi_change *changes,
			    size_t first, size_t end, uint64_t at, bool records, sop_error *err);

/* The changes [first, end) are left to the mutex. NO_MEMORY. */
sop_status sopi_ahead_skip(struct sopi_ahead *ahead, size_t first, size_t end, sop_error *err);

/* Brings what was built for the changes of one tree up to number `end` up to date as of position `at`, units from *unit
 * on; adds how many had changed to *count. Any number of times, before the mutex. As sopi_ahead_build. */
sop_status sopi_ahead_refresh(struct sopi_ahead *ahead, struct sopi_tree *tree,
			      const struct sopi_change *changes, size_t *unit, size_t end,
			      uint64_t at, bool records, size_t *count, sop_error *err);

/* As sopi_apply_changes, for the changes of one tree up to number `end`, with what was built for them: units from *unit
 * on. */
sop_status sopi_ahead_apply(struct sopi_ahead *ahead, struct sopi_apply *apply,
			    struct sopi_tree *tree, const struct sopi_change *changes, size_t *unit,
			    size_t end, sop_error *err);

/* After all of it was applied: what the commit says in the log, in key order, as *count of ahead->parts with *bytes
 * in all. NO_MEMORY. */
sop_status sopi_ahead_record(struct sopi_ahead *ahead, const struct sopi_apply *apply,
			     size_t *count, size_t *bytes, sop_error *err);

/* Within btree: the key at which a range begins that has this separator before it; empty: the first of all. */
sop_status sopi_ahead_lower(struct sopi_ahead *ahead, const struct sopi_separator *lower,
			    sop_bytes *out, sop_error *err);

/* Within btree: are the unit's sources as they were read? */
bool sopi_ahead_is_fresh(const struct sopi_ahead *ahead, const struct sopi_ahead_unit *unit);

/* Within btree: builds those pieces of a unit again that others have changed, as of `at`; or says that it is stale. */
sop_status sopi_ahead_freshen(struct sopi_ahead *ahead, struct sopi_tree *tree,
			      const struct sopi_change *changes, struct sopi_ahead_unit *unit,
			      uint64_t at, bool records, sop_error *err);

/* Within btree: notes that one value apart takes another's place. */
sop_status sopi_ahead_value(struct sopi_ahead *ahead, struct sopi_value *old,
			    struct sopi_value *new, sop_error *err);

/* Frees everything, and all blocks that were not linked. */
void sopi_ahead_free(struct sopi_ahead *ahead, struct sopi_forest *forest);

#endif
