/* How long something took: counts by size, to a quarter of the value. Any thread may note while another looks. */
#ifndef SOPI_HISTOGRAM_H
#define SOPI_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum {
	SOPI_HISTOGRAM_BITS_MAX = 40, /* larger values count as the largest of so many bits: 18 minutes in nanoseconds */
	SOPI_HISTOGRAM_BUCKETS = (SOPI_HISTOGRAM_BITS_MAX - 1) * 4,
};

/* All zero is empty. */
struct sopi_histogram {
	_Atomic uint32_t counts[SOPI_HISTOGRAM_BUCKETS]; /* wrap around: only their differences say something */
	_Atomic uint64_t longest; /* since it was last taken */
};

/* What was counted at a moment. */
struct sopi_histogram_past {
	uint32_t counts[SOPI_HISTOGRAM_BUCKETS];
};

struct sopi_histogram_summary {
	uint64_t count;
	uint64_t median; /* at or above so much of half of them, by a quarter at most */
	uint64_t high; /* the same of 99 of 100 */
	uint64_t longest;
};

/* Never blocks. */
void sopi_histogram_note(struct sopi_histogram *histogram, uint64_t value);

/* What was noted since `past`, which is now. */
void sopi_histogram_take(struct sopi_histogram *histogram, struct sopi_histogram_past *past,
			 struct sopi_histogram_summary *out);

#endif
