/* Memory for nodes: blocks of their size, aligned, disjoint, used again, and all returned at the
 * end. */
#include "node/memory.h"

#include "base/alloc.h"
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_BYTES = 4096,
	CHUNK_BYTES = 2 << 20,
	CHUNKS_SMALL = 32, /* before the first of that size */
	GROWN_BYTES = 20 << 20, /* no small database any more */
};

static size_t taken(struct sopi_memory *memory)
{
	size_t taken_bytes, used_bytes;

	sopi_memory_usage(memory, &taken_bytes, &used_bytes);
	return taken_bytes;
}

static size_t used(struct sopi_memory *memory)
{
	size_t taken_bytes, used_bytes;

	sopi_memory_usage(memory, &taken_bytes, &used_bytes);
	return used_bytes;
}

static int setup(void **state)
{
	struct sopi_memory *memory = test_alloc(sizeof *memory);

	sopi_memory_init(memory);
	*state = memory;
	return 0;
}

static int teardown(void **state)
{
	sopi_memory_destroy(*state);
	free(*state);
	return 0;
}

static void nothing_is_taken_before_the_first_block(void **state)
{
	assert_int_equal(taken(*state), 0);
	assert_int_equal(used(*state), 0);
}

static void a_block_is_the_next_power_of_two(void **state)
{
	static const size_t table[][2] = {
		{ 0, 64 },	{ 1, 64 },	{ 64, 64 },	  { 65, 128 },	    { 4095, 4096 },
		{ 4096, 4096 }, { 4097, 8192 }, { 32769, 65536 }, { 65536, 65536 },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const size_t before = used(*state);
		size_t capacity = 0;
		void *block = sopi_memory_take(*state, table[i][0], &capacity);

		assert_non_null(block);
		assert_int_equal(capacity, table[i][1]);
		assert_int_equal((uintptr_t)block % 64, 0);
		assert_int_equal(used(*state), before + capacity);
		memset(block, 0xEE, capacity);
		sopi_memory_give(*state, block, capacity);
		assert_int_equal(used(*state), before);
	}
}

static void beyond_all_classes_a_block_is_returned_to_the_system(void **state)
{
	const int64_t live = sopi_alloc_live_count();
	size_t capacity[3];
	void *blocks[3];
	size_t before;

	sopi_memory_give(*state, sopi_memory_take(*state, 64, &capacity[0]), 64);
	before = taken(*state);
	for (size_t i = 0; i < 3; i++) {
		blocks[i] = sopi_memory_take(*state, 65537 + i * 100000, &capacity[i]);
		assert_non_null(blocks[i]);
		assert_int_equal((uintptr_t)blocks[i] % 64, 0);
		assert_true(capacity[i] >= 65537 + i * 100000);
		memset(blocks[i], (int)i, capacity[i]);
	}
	sopi_memory_give(*state, blocks[1], capacity[1]); /* from the middle, the end, the beginning */
	sopi_memory_give(*state, blocks[0], capacity[0]);
	sopi_memory_give(*state, blocks[2], capacity[2]);
	assert_int_equal(taken(*state), before);
	assert_int_equal(used(*state), 0);
	assert_int_equal(sopi_alloc_live_count(), live + 1); /* the chunk of the small one */
}

static void given_blocks_are_used_again(void **state)
{
	void *blocks[200];
	size_t capacity, most;

	for (size_t i = 0; i < 200; i++)
		blocks[i] = sopi_memory_take(*state, 4096, &capacity);
	most = taken(*state);
	for (size_t round = 0; round < 50; round++) {
		for (size_t i = 0; i < 200; i++)
			sopi_memory_give(*state, blocks[i], 4096);
		for (size_t i = 0; i < 200; i++)
			blocks[i] = sopi_memory_take(*state, 4096, &capacity);
	}
	assert_int_equal(taken(*state), most);
}

/* As the leaves of a tree that change in size. */
static void what_one_size_no_longer_needs_serves_others(void **state)
{
	enum { SMALL = 4096 };
	static const size_t sizes[] = { 16384, 64, 8192, 1024, 32768, 4096 };
	static void *blocks[SMALL];
	size_t capacity, most;

	for (size_t i = 0; i < SMALL; i++)
		blocks[i] = sopi_memory_take(*state, 4096, &capacity);
	for (size_t i = 0; i < SMALL; i++) /* in an order that is none of theirs */
		sopi_memory_give(*state, blocks[i * 1021 % SMALL], 4096);
	most = taken(*state);
	for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++) {
		const size_t count = SMALL * (size_t)4096 / sizes[size] * 3 / 4;
		void *first = NULL;

		for (size_t i = 0; i < count; i++) {
			void **block = sopi_memory_take(*state, sizes[size], &capacity);

			assert_non_null(block);
			*block = first;
			first = block;
		}
		while (first != NULL) {
			void *next = *(void **)first;

			sopi_memory_give(*state, first, sizes[size]);
			first = next;
		}
	}
	assert_true(taken(*state) <= most + most / 4);
}

struct piece {
	uint8_t *bytes;
	size_t capacity;
	uint8_t mark;
};

static void blocks_never_overlap(void **state)
{
	enum { PIECES = 500 };
	struct piece pieces[PIECES] = { { NULL, 0, 0 } };
	const uint64_t rounds = test_scaled(20000);
	struct test_rng rng;
	size_t sum = 0;

	test_rng_init(&rng, test_seed(), 0);
	for (uint64_t i = 0; i < rounds; i++) {
		struct piece *piece = &pieces[test_rng_below(&rng, PIECES)];

		if (piece->bytes != NULL) {
			assert_int_equal(piece->bytes[0], piece->mark);
			assert_int_equal(piece->bytes[piece->capacity - 1], piece->mark);
			sum -= piece->capacity;
			sopi_memory_give(*state, piece->bytes, piece->capacity);
			piece->bytes = NULL;
			continue;
		}
		piece->bytes = sopi_memory_take(*state, (size_t)1 << test_rng_below(&rng, 18),
						&piece->capacity);
		assert_non_null(piece->bytes);
		piece->mark = (uint8_t)i;
		memset(piece->bytes, piece->mark, piece->capacity);
		sum += piece->capacity;
		assert_int_equal(used(*state), sum);
		assert_true(taken(*state) >= sum);
	}
}

static void a_small_database_takes_little(void **state)
{
	size_t capacity;

	sopi_memory_take(*state, 4096, &capacity);
	assert_int_equal(taken(*state), 64 << 10);
}

static void what_is_prepared_needs_nothing_from_the_system(void **state)
{
	static const size_t sizes[] = { 64, 4096, 16384, 65536 };
	size_t capacity;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		sopi_memory_prepare(*state, sizes[i], 40);
		sopi_alloc_fail_after(0, true);
		for (size_t k = 0; k < 40; k++)
			assert_non_null(sopi_memory_take(*state, sizes[i], &capacity));
		sopi_alloc_fail_after(-1, false);
	}
}

static void out_of_memory_is_no_block_and_no_damage(void **state)
{
	size_t capacity, before;
	void *block;

	sopi_memory_take(*state, 4096, &capacity);
	before = used(*state);
	sopi_alloc_fail_after(0, true);
	assert_null(sopi_memory_take(*state, 100000, &capacity));
	for (size_t i = 0; (block = sopi_memory_take(*state, 4096, &capacity)) != NULL; i++)
		assert_true(i < 1000);
	sopi_memory_prepare(*state, 4096, 10); /* no failure yet */
	sopi_memory_prepare(*state, 1 << 20, 10); /* beyond all classes: nothing to prepare */
	sopi_alloc_fail_after(-1, false);
	assert_true(used(*state) >= before);
	assert_non_null(sopi_memory_take(*state, 4096, &capacity));
	assert_non_null(sopi_memory_take(*state, 100000, &capacity));
}

static void destroying_returns_also_what_was_not_given_back(void **state)
{
	const int64_t live = sopi_alloc_live_count();
	struct sopi_memory memory;
	size_t capacity;

	(void)state;
	sopi_memory_init(&memory);
	for (size_t i = 0; i < 600; i++)
		assert_non_null(sopi_memory_take(&memory, i * 300, &capacity));
	sopi_memory_destroy(&memory);
	assert_int_equal(sopi_alloc_live_count(), live);
}

struct shared {
	struct sopi_memory *memory;
};

static void take_and_give(size_t index, void *arg)
{
	struct sopi_memory *memory = ((struct shared *)arg)->memory;
	struct piece pieces[64] = { { NULL, 0, 0 } };

	for (size_t i = 0; i < 20000; i++) {
		struct piece *piece = &pieces[(i * 7 + index) % 64];

		if (piece->bytes != NULL) {
			if (piece->bytes[0] != piece->mark)
				test_note_failure("thread %zu: a block was given to two", index);
			sopi_memory_give(memory, piece->bytes, piece->capacity);
		}
		piece->bytes = sopi_memory_take(memory, (size_t)64 << (i % 7), &piece->capacity);
		piece->mark = (uint8_t)(i + index);
		piece->bytes[0] = piece->mark;
	}
	for (size_t i = 0; i < 64; i++)
		sopi_memory_give(memory, pieces[i].bytes, pieces[i].capacity);
}

static void threads_share_it(void **state)
{
	struct shared shared = { *state };

	test_run_threads(4, take_and_give, &shared);
	TEST_NO_FAILURES();
	assert_int_equal(used(*state), 0);
}

/* Takes blocks until so many bytes more are taken from the system. */
static void grow_by(struct sopi_memory *memory, size_t bytes)
{
	const size_t end = taken(memory) + bytes;
	size_t capacity;

	while (taken(memory) < end)
		memset(sopi_memory_take(memory, BLOCK_BYTES, &capacity), 0xEE, BLOCK_BYTES);
}

static void a_chunk_that_was_touched_ahead_is_the_next_one(void **state)
{
	struct sopi_memory *memory = *state;
	const int64_t live = sopi_alloc_live_count();
	size_t before;

	sopi_memory_ahead(memory);
	assert_null(memory->ahead); /* of a small database nothing is ahead */
	grow_by(memory, GROWN_BYTES);
	assert_true(sopi_memory_wants_ahead(memory));
	before = taken(memory);
	for (int i = 0; i < 3; i++)
		sopi_memory_ahead(memory); /* one, however often it is asked for */
	assert_non_null(memory->ahead);
	assert_int_equal(taken(memory), before);
	assert_false(sopi_memory_wants_ahead(memory));
	for (int i = 0; i < 20; i++) {
		const char *ahead = memory->ahead;

		grow_by(memory, 1);
		assert_ptr_equal(memory->chunks, ahead);
		assert_null(memory->ahead);
		sopi_memory_ahead(memory);
	}
	sopi_memory_rest(memory);
	assert_null(memory->ahead);
	if (live >= 0) /* each chunk is one, and all of those are in use */
		assert_true(sopi_alloc_live_count() - live <=
			    (int64_t)(taken(memory) / CHUNK_BYTES) + CHUNKS_SMALL);
	grow_by(memory, 1); /* without one */
	sopi_memory_ahead(memory); /* freed with the rest */
	assert_non_null(memory->ahead);
}

int main(int argc, char **argv)
{
#define MEMORY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		MEMORY_TEST(nothing_is_taken_before_the_first_block),
		MEMORY_TEST(a_block_is_the_next_power_of_two),
		MEMORY_TEST(beyond_all_classes_a_block_is_returned_to_the_system),
		MEMORY_TEST(given_blocks_are_used_again),
		MEMORY_TEST(what_one_size_no_longer_needs_serves_others),
		MEMORY_TEST(blocks_never_overlap),
		MEMORY_TEST(a_small_database_takes_little),
		MEMORY_TEST(what_is_prepared_needs_nothing_from_the_system),
		MEMORY_TEST(out_of_memory_is_no_block_and_no_damage),
		MEMORY_TEST(destroying_returns_also_what_was_not_given_back),
		MEMORY_TEST(a_chunk_that_was_touched_ahead_is_the_next_one),
		MEMORY_TEST(threads_share_it),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
