/* What became of transactions: the ids of the last million that wrote, with their positions. */
#ifndef SOPI_OUTCOME_H
#define SOPI_OUTCOME_H

#include "base/error.h"
#include "platform/thread.h"

#include <stdbool.h>
#include <stdint.h>

enum { SOPI_OUTCOMES_MAX = 1 << 20, SOPI_OUTCOME_BYTES = 24 };

struct sopi_outcome_entry;

struct sopi_outcomes {
	sopi_mutex mutex; /* guards what follows; leaf of the lock order */
	struct sopi_outcome_entry *ring; /* the newest at `added - 1` */
	uint32_t *buckets; /* newest entry of each chain, plus 1 */
	size_t capacity; /* of the ring: a power of two; as many buckets */
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

/* Copies the ids and positions of those in (above, upto] that are known, oldest first, to *out (freed by the caller with
 * sopi_free): 24 bytes each, the id and the position little-endian. */
sop_status sopi_outcomes_between(struct sopi_outcomes *outcomes, uint64_t above, uint64_t upto,
				 uint8_t **out, size_t *count, sop_error *err);

/* The position of a transaction, or 0. `forgotten` receives whether older ones are no longer
 * known. */
uint64_t sopi_outcomes_find(struct sopi_outcomes *outcomes, const uint8_t id[16], bool *forgotten);

#endif
