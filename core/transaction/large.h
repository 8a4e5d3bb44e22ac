/* Within transaction: a commit of very many changes, which must not hold others up. What it puts in place is built before
 * the commit mutex (btree/ahead.h), and what it says in the log is written there in parts before it has a position.
 * docs/decisions/0009-large-commits.md */
#ifndef SOPI_LARGE_H
#define SOPI_LARGE_H

#include "btree/ahead.h"
#include "transaction/transaction.h"

struct sopi_large {
	bool on; /* the commit is large; what follows is used then only */
	bool records; /* it has a log that is replayed */
	bool urgent; /* as the log's reserve */
	struct sopi_transaction *txn;
	struct sopi_ahead ahead;
	size_t change_count;
	uint64_t part_position; /* of the newest part; 0: there is none */
	struct sopi_log_series *series; /* of the parts in the log, or NULL; once it is committed, the log's */
	sop_buf last; /* the entry that commits */
};

/* Pieces of the record of a large transaction in the log. */
enum {
	SOPI_LARGE_PART_BYTES = 1920 << 10
}; /* with all heads one write; in parts of half that size 100,000 rows took 8 % longer */

#ifdef SOP_TEST_HOOKS
extern _Atomic size_t sopi_large_part_bytes;

/* Told after each part, and (`all`) when there are no more, on the thread that commits; it may do anything. */
typedef void (*sopi_large_part_fn)(bool all);
extern sopi_large_part_fn _Atomic sopi_large_part_hook;
#else
enum { sopi_large_part_bytes = SOPI_LARGE_PART_BYTES };
#endif

/* Is a commit of so many changes large? */
static inline bool sopi_is_large(size_t count)
{
	return count >= sopi_ahead_changes_min;
}

/* Builds for the first `count` of txn->changes as of `at`, and finds their leaves, if they are many; what they say goes into
 * the log part by part as it is built, if that is much. bytes: about what they say. urgent: as the log's reserve. REQUIRES:
 * `at` is published. As sopi_ahead_build, and NO_SPACE, FAILED, TIMEOUT, CANCELLED. */
sop_status sopi_large_build(struct sopi_transaction *txn, struct sopi_large *large, size_t count,
			    size_t bytes, bool urgent, uint64_t at, sop_error *err);

/* Writes what is left of a record whose parts are in the log. The same. */
sop_status sopi_large_write(struct sopi_transaction *txn, struct sopi_large *large, sop_error *err);

/* Bytes that the entry needs which commits it, about. */
size_t sopi_large_last_bytes(const struct sopi_large *large);

/* Applies it. REQUIRES: the commit mutex. As sopi_apply_changes. */
sop_status sopi_large_apply(struct sopi_transaction *txn, struct sopi_large *large,
			    struct sopi_apply *apply, sop_error *err);

/* Puts the entry together that commits it; afterwards, in large->last. NO_MEMORY. */
sop_status sopi_large_record(struct sopi_large *large, const struct sopi_apply *apply, sop_error *err);

/* Frees what was built, and gives up the parts, unless they were committed. */
void sopi_large_clear(struct sopi_transaction *txn, struct sopi_large *large);

/* The end of the run of changes of one store that begins at `from`. */
size_t sopi_changes_end(const struct sopi_transaction *txn, size_t from, size_t count);

/* Reserves room in the log; where there is none, what is kept back is given up first if that helps. As the log's
 * reserve. */
sop_status sopi_log_room(struct sopi_engine *engine, size_t bytes, bool urgent, sop_error *err);

#endif
