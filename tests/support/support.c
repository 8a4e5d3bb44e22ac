/* Seeds, failures, random numbers, threads and keys of the test programs. */
#define _POSIX_C_SOURCE 200809L

#include "support/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FAILURES_PRINTED_MAX 20u
#define DEFAULT_SEED 1u

static const char *program = "the test program";
static const char *pattern = "";
static uint64_t seed_set;
static bool seed_is_set;
static _Atomic unsigned failures;

/* ---- the environment ------------------------------------------------------------------------- */

void test_begin(int argc, char **argv)
{
	if (argc > 0)
		program = argv[0];
	if (argc > 1) {
		pattern = argv[1];
		cmocka_set_test_filter(pattern);
	}
	if (getenv("SOP_TEST_SKIP") != NULL)
		cmocka_set_skip_filter(getenv("SOP_TEST_SKIP"));
}

uint64_t test_seed(void)
{
	const char *text = getenv("SOP_TEST_SEED");

	if (seed_is_set)
		return seed_set;
	return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 0) : DEFAULT_SEED;
}

void test_set_seed(uint64_t seed)
{
	seed_set = seed;
	seed_is_set = true;
}

static double scale(void)
{
	const char *text = getenv("SOP_TEST_SCALE");
	const double factor = text != NULL && text[0] != '\0' ? strtod(text, NULL) : 1.0;

	return factor > 0.0 ? factor : 1.0;
}

uint64_t test_scaled(uint64_t amount)
{
	const double scaled = (double)amount * scale();

	return scaled < 1.0 ? 1 : (uint64_t)scaled;
}

/* ---- failures -------------------------------------------------------------------------------- */

void test_print_replay(void)
{
	fprintf(stderr, "  replay: SOP_TEST_SEED=%llu SOP_TEST_SCALE=%g %s%s%s%s\n",
		(unsigned long long)test_seed(), scale(), program, pattern[0] != '\0' ? " '" : "",
		pattern, pattern[0] != '\0' ? "'" : "");
}

void test_note_failure(const char *format, ...)
{
	const unsigned before = atomic_fetch_add(&failures, 1);
	char text[2048];
	va_list arguments;

	if (before >= FAILURES_PRINTED_MAX)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	fprintf(stderr, "FAILURE: %s\n", text);
	if (before == 0)
		test_print_replay();
}

unsigned test_failures(void)
{
	return atomic_load(&failures);
}

void test_forget_failures(void)
{
	atomic_store(&failures, 0);
}

/* ---- memory ---------------------------------------------------------------------------------- */

void *test_alloc(size_t size)
{
	return test_resize(NULL, size);
}

void *test_resize(void *memory, size_t size)
{
	void *grown = realloc(memory, size != 0 ? size : 1);

	if (grown == NULL) {
		fprintf(stderr, "the test itself is out of memory (%zu bytes)\n", size);
		abort();
	}
	return grown;
}

void *test_grow(void *array, size_t count, size_t *capacity, size_t element_size)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity != 0 ? *capacity * 2 : 16;
	return test_resize(array, *capacity * element_size);
}

/* ---- random numbers -------------------------------------------------------------------------- */

static uint64_t rotate_left(uint64_t word, unsigned bits)
{
	return (word << bits) | (word >> (64 - bits));
}

void test_rng_init(struct test_rng *rng, uint64_t seed, uint64_t stream)
{
	uint64_t mixed = seed ^ (stream * 0xD1342543DE82EF95u);

	for (size_t i = 0; i < 4; i++) { /* splitmix64, as the authors of xoshiro advise */
		uint64_t word = mixed += 0x9E3779B97F4A7C15u;

		word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
		word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
		rng->state[i] = word ^ (word >> 31);
	}
}

uint64_t test_rng_next(struct test_rng *rng)
{
	uint64_t *state = rng->state;
	const uint64_t result = rotate_left(state[1] * 5, 7) * 9;
	const uint64_t shifted = state[1] << 17;

	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= shifted;
	state[3] = rotate_left(state[3], 45);
	return result;
}

uint64_t test_rng_below(struct test_rng *rng, uint64_t below)
{
	return test_rng_next(rng) % below; /* the bias is below 2^-40 for all that tests ask */
}

bool test_rng_once_in(struct test_rng *rng, uint64_t times)
{
	return test_rng_below(rng, times) == 0;
}

/* ---- threads --------------------------------------------------------------------------------- */

struct crew {
	pthread_barrier_t start;
	test_thread_body body;
	void *arg;
};

struct worker {
	struct crew *crew;
	size_t index;
	pthread_t thread;
};

static void *worker_main(void *arg)
{
	const struct worker *worker = arg;

	(void)pthread_barrier_wait(&worker->crew->start);
	worker->crew->body(worker->index, worker->crew->arg);
	return NULL;
}

void test_run_threads(size_t count, test_thread_body body, void *arg)
{
	struct worker *workers = test_alloc(count * sizeof *workers);
	struct crew crew = { .body = body, .arg = arg };

	if (pthread_barrier_init(&crew.start, NULL, (unsigned)count) != 0)
		abort();
	for (size_t i = 0; i < count; i++) {
		workers[i].crew = &crew;
		workers[i].index = i;
		if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0) {
			fprintf(stderr, "the test cannot start %zu threads\n", count);
			abort();
		}
	}
	for (size_t i = 0; i < count; i++)
		(void)pthread_join(workers[i].thread, NULL);
	(void)pthread_barrier_destroy(&crew.start);
	free(workers);
}

int64_t test_per_minute(int64_t count)
{
	const double minutes = (double)clock() / CLOCKS_PER_SEC / 60;

	return minutes > 0 ? (int64_t)((double)count / minutes) : 0;
}

int64_t test_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void test_sleep_us(unsigned microseconds)
{
	const struct timespec pause = { .tv_sec = (time_t)(microseconds / 1000000),
					.tv_nsec = (long)(microseconds % 1000000) * 1000 };

	(void)nanosleep(&pause, NULL);
}

/* ---- keys and values ------------------------------------------------------------------------- */

sop_bytes test_text(const char *text)
{
	return test_bytes(text, strlen(text));
}

sop_bytes test_key_u64(uint8_t room[8], uint64_t number)
{
	for (unsigned i = 0; i < 8; i++)
		room[i] = (uint8_t)(number >> (56 - 8 * i));
	return test_bytes(room, 8);
}

uint64_t test_key_read_u64(sop_bytes key)
{
	const uint8_t *bytes = key.data;
	uint64_t number = 0;

	for (unsigned i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

sop_bytes test_value_u64(uint8_t room[8], uint64_t number)
{
	for (unsigned i = 0; i < 8; i++)
		room[i] = (uint8_t)(number >> (8 * i));
	return test_bytes(room, 8);
}

uint64_t test_value_read_u64(sop_bytes value)
{
	const uint8_t *bytes = value.data;
	uint64_t number = 0;

	for (unsigned i = 0; i < 8; i++)
		number |= (uint64_t)bytes[i] << (8 * i);
	return number;
}
