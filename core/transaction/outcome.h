/* What became of transactions: the ids of the last million that wrote, with their positions. */
#ifndef SOPI_OUTCOME_H
#define SOPI_OUTCOME_H

#include "base/error.h"
#include "platform/thread.h"

#include <stdbool.h>
#include <stdint.h>

enum { SOPI_OUTCOMES_MAX = 1 << 20, SOPI_OUTCOME_BYTES = 24 };

struct sopi_outcome_piece;

struct sopi_outcomes {
	sopi_mutex mutex; /* guards what follows; leaf of the lock order */
	struct sopi_outcome_piece **pieces; /* of the ring, in its order */
	size_t piece_count, piece_capacity;
	size_t capacity; /* entries that the pieces have room for */
	uint64_t added; /* ever */
	uint64_t reserved; /* additions that must not fail */
};

void sopi_outcomes_init(struct sopi_outcomes *outcomes);
void sopi_outcomes_destroy(struct sopi_outcomes *outcomes);

/* Makes room for one more, up to the limit: one sopi_outcomes_add, or one sopi_outcomes_unreserve, must
 * follow. */
sop_status sopi_outcomes_reserve(struct sopi_outcomes *outcomes, sop_error *err);

/* Gives a reservation back. */
void sopi_outcomes_unreserve(struct sopi_outcomes *outcomes);

/* Adds a transaction that committed. REQUIRES: a reservation, which it uses up. */
void sopi_outcomes_add(struct sopi_outcomes *outcomes, const uint8_t id[16], uint64_t position);

/* Some of them, by number, oldest first. */
struct sopi_outcome_range {
	uint64_t next, end;
};

/* Those in (above, upto] that are known. */
struct sopi_outcome_range sopi_outcomes_between(struct sopi_outcomes *outcomes, uint64_t above,
						uint64_t upto);

/* Copies the next ones of the range, `most` of them at most, and takes them out of it; those that are no longer known are
 * passed over. 24 bytes each: the id, and the position little-endian. Returns how many; 0: there are no more. Commits wait
 * meanwhile, so that many are to be had by several calls, with some work between them. */
size_t sopi_outcomes_take(struct sopi_outcomes *outcomes, struct sopi_outcome_range *range,
			  uint8_t *to, size_t most);

/* The position of a transaction, or 0. `forgotten` receives whether older ones are no longer
 * known. */
uint64_t sopi_outcomes_find(struct sopi_outcomes *outcomes, const uint8_t id[16], bool *forgotten);

#endif
