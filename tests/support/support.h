/* What all test programs share: seeds and scale from the environment, random numbers, threads
 * that start together, keys, and failures that print the one line which repeats them. Nothing
 * here knows a particular test.
 *
 * SOP_TEST_SEED   seed of all random numbers (decimal or 0x hex; default 1)
 * SOP_TEST_SCALE  factor on the amount of work, a fraction or more (default 1)
 *
 * A test program:
 *     int main(int argc, char **argv)
 *     {
 *             const struct CMUnitTest tests[] = { cmocka_unit_test(keys_keep_their_order) };
 *
 *             test_begin(argc, argv);
 *             return cmocka_run_group_tests(tests, NULL, NULL);
 *     }
 * `PROGRAM` runs all its tests, `PROGRAM PATTERN` those whose name matches (with * and ?). */
#ifndef TEST_SUPPORT_H
#define TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above before it */
#include <cmocka.h>

#include <sop/sop.h>

#include <stdbool.h>

/* Remembers the name of the program and the pattern given to it, and leaves out what SOP_TEST_SKIP matches. Call it first in main. */
void test_begin(int argc, char **argv);

/* The seed of this run. */
uint64_t test_seed(void);

/* Sets the seed of this run, as a program does that tries one seed after the other. */
void test_set_seed(uint64_t seed);

/* `amount` times the scale of this run, at least 1. */
uint64_t test_scaled(uint64_t amount);

/* ---- failures -----------------------------------------------------------------------------------
 * cmocka's asserts jump, so they are for the thread of the test only. Any thread may note a failure;
 * the test asserts at its end that there is none. */

/* Prints the text and the line that repeats the run, and counts it. Only the first 20 are
 * printed. Any thread. */
void test_note_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How many were noted since the last call of test_forget_failures. */
unsigned test_failures(void);
void test_forget_failures(void);

/* Prints the line that repeats this run on standard error. */
void test_print_replay(void);

/* Fails the test if failures were noted; for the thread of the test. */
#define TEST_NO_FAILURES()                                                                         \
	do {                                                                                       \
		if (test_failures() != 0)                                                          \
			fail_msg("%u failures were noted, see above", test_failures());            \
	} while (0)

/* Fails the test, naming the status and the message in `err` (a sop_error), unless `call`
 * returns `expected`. */
#define TEST_STATUS(call, expected, err)                                                           \
	do {                                                                                       \
		const sop_status test_status_ = (call);                                            \
		if (test_status_ != (expected)) {                                                  \
			test_print_replay();                                                       \
			fail_msg("%s: %s instead of %s: %s", #call, sop_status_name(test_status_), \
				 sop_status_name(expected), (err).message);                        \
		}                                                                                  \
	} while (0)

#define TEST_OK(call, err) TEST_STATUS(call, SOP_OK, err)

/* ---- memory of the tests: it is there or the program ends ------------------------------------ */

void *test_alloc(size_t size);
void *test_resize(void *memory, size_t size);

/* Makes room for one more element behind `count` in an array that doubles; returns the array. */
void *test_grow(void *array, size_t count, size_t *capacity, size_t element_size);

/* ---- random numbers -------------------------------------------------------------------------- */

/* A generator (xoshiro256**): the same seed and stream give the same numbers everywhere. */
struct test_rng {
	uint64_t state[4];
};

/* `stream` tells apart the generators of one run: the number of the thread, for instance. */
void test_rng_init(struct test_rng *rng, uint64_t seed, uint64_t stream);
uint64_t test_rng_next(struct test_rng *rng);

/* A number from 0 to `below` - 1; `below` is at least 1. */
uint64_t test_rng_below(struct test_rng *rng, uint64_t below);

/* True once in `times` on average. */
bool test_rng_once_in(struct test_rng *rng, uint64_t times);

/* ---- threads --------------------------------------------------------------------------------- */

typedef void (*test_thread_body)(size_t index, void *arg);

/* Runs `body` in `count` threads, which leave a barrier together, and waits for them all. */
void test_run_threads(size_t count, test_thread_body body, void *arg);

/* Nanoseconds of the monotonic clock. */
int64_t test_now_ns(void);

/* What `count` comes to in a minute of the processor time that this process has used. */
int64_t test_per_minute(int64_t count);
void test_sleep_us(unsigned microseconds);

/* ---- keys and values ------------------------------------------------------------------------- */

static inline sop_bytes test_bytes(const void *data, size_t size)
{
	const sop_bytes bytes = { data, size };

	return bytes;
}

/* The bytes of a text, without its NUL. */
sop_bytes test_text(const char *text);

/* `number` in 8 bytes: big-endian, so that raw keys sort as their numbers do. The view is into
 * `room`. */
sop_bytes test_key_u64(uint8_t room[8], uint64_t number);

/* The number that test_key_u64 wrote. `key.size` must be 8. */
uint64_t test_key_read_u64(sop_bytes key);

/* 8 bytes, little-endian, as sop_add, sop_min and sop_max keep integers. */
sop_bytes test_value_u64(uint8_t room[8], uint64_t number);
uint64_t test_value_read_u64(sop_bytes value);

#endif
