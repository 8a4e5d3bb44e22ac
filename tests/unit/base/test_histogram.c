/* Counting durations: what is told of them is right to a quarter. */
#include "base/histogram.h"

#include "support/support.h"

#include <stdlib.h>
#include <string.h>

static struct sopi_histogram histogram;
static struct sopi_histogram_past past;

static int begin(void **state)
{
	(void)state;
	memset(&histogram, 0, sizeof histogram);
	memset(&past, 0, sizeof past);
	return 0;
}

static struct sopi_histogram_summary take(void)
{
	struct sopi_histogram_summary summary;

	sopi_histogram_take(&histogram, &past, &summary);
	return summary;
}

static void one_value_is_told_exactly(void **state)
{
	(void)state;
	for (int bit = 0; bit < SOPI_HISTOGRAM_BITS_MAX; bit++) {
		for (int by = -1; by <= 1; by++) {
			const uint64_t value = ((uint64_t)1 << bit) + (uint64_t)(int64_t)by;
			struct sopi_histogram_summary summary;

			sopi_histogram_note(&histogram, value);
			summary = take();
			assert_int_equal(summary.count, 1);
			assert_int_equal(summary.median, value); /* no more than the longest */
			assert_int_equal(summary.high, value);
			assert_int_equal(summary.longest, value);
		}
	}
	sopi_histogram_note(&histogram, UINT64_MAX);
	assert_int_equal(take().longest, ((uint64_t)1 << SOPI_HISTOGRAM_BITS_MAX) - 1);
}

static int compare(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

static void shares_are_told_to_a_quarter(void **state)
{
	enum { VALUES = 1000 };
	static uint64_t values[VALUES];
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 1);
	for (uint64_t round = 0; round < test_scaled(50); round++) {
		struct sopi_histogram_summary summary;
		uint64_t median, high;

		for (size_t i = 0; i < VALUES; i++) {
			values[i] = test_rng_next(&rng) >> (25 + test_rng_below(&rng, 39));
			sopi_histogram_note(&histogram, values[i]);
		}
		qsort(values, VALUES, sizeof *values, compare);
		median = values[VALUES / 2 - 1];
		high = values[VALUES * 99 / 100 - 1];
		summary = take();
		assert_int_equal(summary.count, VALUES);
		assert_int_equal(summary.longest, values[VALUES - 1]);
		assert_true(summary.median >= median && summary.median <= median + median / 4 + 1);
		assert_true(summary.high >= high && summary.high <= high + high / 4 + 1);
	}
}

static void what_was_taken_does_not_count_again(void **state)
{
	struct sopi_histogram_summary summary;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		sopi_histogram_note(&histogram, 1000000);
	assert_int_equal(take().count, 100);
	summary = take();
	assert_int_equal(summary.count, 0);
	assert_int_equal(summary.median, 0);
	assert_int_equal(summary.longest, 0);
	sopi_histogram_note(&histogram, 3);
	summary = take();
	assert_int_equal(summary.count, 1);
	assert_int_equal(summary.longest, 3);
}

static void note_many(size_t index, void *arg)
{
	const uint64_t *count = arg;

	for (uint64_t i = 0; i < *count; i++)
		sopi_histogram_note(&histogram, index * 1000 + i);
}

static void threads_may_note_at_once(void **state)
{
	uint64_t count = test_scaled(10000);
	struct sopi_histogram_summary summary;

	(void)state;
	test_run_threads(4, note_many, &count);
	summary = take();
	assert_int_equal(summary.count, 4 * count);
	assert_int_equal(summary.longest, 3000 + count - 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_value_is_told_exactly, begin),
		cmocka_unit_test_setup(shares_are_told_to_a_quarter, begin),
		cmocka_unit_test_setup(what_was_taken_does_not_count_again, begin),
		cmocka_unit_test_setup(threads_may_note_at_once, begin),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
