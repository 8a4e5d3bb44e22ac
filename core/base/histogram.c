/* Four buckets for each power of two: their bounds are 4, 5, 6 and 7 times it. */
#include "base/histogram.h"

#include <stddef.h>

#define VALUE_MAX (((uint64_t)1 << SOPI_HISTOGRAM_BITS_MAX) - 1)

static size_t bucket_of(uint64_t value)
{
	int top;

	if (value < 4)
		return (size_t)value;
	top = 63 - __builtin_clzll(value);
	return (size_t)(top - 1) * 4 + (size_t)(value >> (top - 2) & 3);
}

/* The largest value that is counted there. */
static uint64_t bound_of(size_t bucket)
{
	if (bucket < 4)
		return bucket;
	return ((5 + (uint64_t)bucket % 4) << (bucket / 4 - 1)) - 1;
}

void sopi_histogram_note(struct sopi_histogram *histogram, uint64_t value)
{
	uint64_t longest = atomic_load_explicit(&histogram->longest, memory_order_relaxed);

	if (value > VALUE_MAX)
		value = VALUE_MAX;
	atomic_fetch_add_explicit(&histogram->counts[bucket_of(value)], 1, memory_order_relaxed);
	while (value > longest &&
	       !atomic_compare_exchange_weak_explicit(&histogram->longest, &longest, value,
						      memory_order_relaxed, memory_order_relaxed)) {
	}
}

/* The bound below which `part` of 100 of all lie. */
static uint64_t bound_below(const uint32_t counts[SOPI_HISTOGRAM_BUCKETS], uint64_t all, uint64_t part)
{
	const uint64_t wanted = (all * part + 99) / 100;
	uint64_t seen = 0;
	size_t bucket = 0;

	for (; bucket < SOPI_HISTOGRAM_BUCKETS - 1; bucket++) {
		seen += counts[bucket];
		if (seen >= wanted)
			break;
	}
	return bound_of(bucket);
}

void sopi_histogram_take(struct sopi_histogram *histogram, struct sopi_histogram_past *past,
			 struct sopi_histogram_summary *out)
{
	uint32_t counts[SOPI_HISTOGRAM_BUCKETS];

	*out = (struct sopi_histogram_summary){ 0 };
	out->longest = atomic_exchange_explicit(&histogram->longest, 0, memory_order_relaxed);
	for (size_t i = 0; i < SOPI_HISTOGRAM_BUCKETS; i++) {
		const uint32_t now = atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);

		counts[i] = now - past->counts[i];
		past->counts[i] = now;
		out->count += counts[i];
	}
	if (out->count == 0) {
		out->longest = 0; /* its count comes with the next ones */
		return;
	}
	out->median = bound_below(counts, out->count, 50);
	out->high = bound_below(counts, out->count, 99);
	if (out->longest == 0) /* noted behind our back: the bound must do */
		out->longest = bound_below(counts, out->count, 100);
	out->median = out->median < out->longest ? out->median : out->longest;
	out->high = out->high < out->longest ? out->high : out->longest;
}
