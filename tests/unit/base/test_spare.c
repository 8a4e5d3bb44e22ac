/* Large pieces between one use and the next: bounded, given up when nobody takes them, and never shared. */
#include "base/alloc.h"
#include "base/arena.h"
#include "support/support.h"

#include <string.h>

enum {
	KB = 1 << 10,
	MB = 1 << 20,
	TURNS_MAX = 100, /* after which nothing may be left */
	THREADS = 4,
	ROUNDS = 2000,
	LINE = 64,
};

static struct sopi_spare spare;
static int64_t live_before;

static int begin(void **state)
{
	(void)state;
	memset(&spare, 0, sizeof spare);
	spare.bytes_max = 8 * MB;
	live_before = sopi_alloc_live_count();
	return 0;
}

static int end(void **state)
{
	(void)state;
	sopi_spare_free(&spare);
	assert_int_equal(spare.bytes, 0);
	assert_int_equal(sopi_alloc_live_count(), live_before);
	return 0;
}

static void *piece_of(size_t size)
{
	void *memory = NULL;

	assert_int_equal(sopi_alloc(size, &memory, NULL), SOP_OK);
	return memory;
}

static void give(size_t size)
{
	sopi_spare_give(&spare, piece_of(size), size);
}

/* The size of the piece that is taken for `size` bytes; 0: none. */
static size_t take(size_t size)
{
	size_t capacity = 0;
	void *piece = sopi_spare_take(&spare, size, &capacity);

	if (piece == NULL)
		return 0;
	memset(piece, 0xA5, capacity);
	sopi_free(piece);
	return capacity;
}

static void a_piece_serves_sizes_from_its_half_up(void **state)
{
	(void)state;
	give(MB);
	give(256 * KB);
	assert_int_equal(spare.bytes, MB + 256 * KB);
	assert_int_equal(take(2 * MB), 0);
	assert_int_equal(take(MB / 2), 0); /* it would waste half of the one, and the other is too small */
	assert_int_equal(take(MB / 2 + 1), MB);
	assert_int_equal(take(256 * KB), 256 * KB);
	assert_int_equal(take(256 * KB), 0);
	assert_int_equal(spare.bytes, 0);
}

static void no_more_is_kept_than_the_bound(void **state)
{
	(void)state;
	for (int i = 0; i < 30; i++) {
		give(MB);
		assert_true(spare.bytes <= spare.bytes_max);
	}
	assert_int_equal(spare.bytes, 8 * MB);
	assert_int_equal(sopi_alloc_live_count() - live_before, live_before < 0 ? 0 : 8);
	give(9 * MB); /* larger than all that may be kept */
	assert_int_equal(spare.bytes, 8 * MB);
}

static void small_pieces_and_those_beyond_the_slots_are_freed(void **state)
{
	(void)state;
	give(SOPI_SPARE_PIECE_MIN - 1);
	assert_int_equal(spare.bytes, 0);
	for (int i = 0; i < SOPI_SPARE_PIECES + 10; i++)
		give(SOPI_SPARE_PIECE_MIN);
	assert_int_equal(spare.bytes, (size_t)SOPI_SPARE_PIECES * SOPI_SPARE_PIECE_MIN);
}

static void without_a_bound_nothing_is_kept(void **state)
{
	(void)state;
	spare.bytes_max = 0;
	give(MB);
	assert_int_equal(spare.bytes, 0);
}

static void what_nobody_takes_is_given_up(void **state)
{
	(void)state;
	give(MB);
	for (int i = 0; i < TURNS_MAX; i++) { /* in use: it stays */
		sopi_spare_tick(&spare);
		assert_int_equal(take(MB), MB);
		give(MB);
	}
	for (int i = 0; i < TURNS_MAX; i++)
		sopi_spare_tick(&spare);
	assert_int_equal(spare.bytes, 0);
}

static void an_arena_leaves_its_large_chunks_and_finds_them_again(void **state)
{
	struct sopi_arena arena = { .spare = &spare };
	size_t kept = 0;

	(void)state;
	for (size_t round = 0; round < 5; round++) {
		for (int i = 0; i < 3000; i++)
			memset(sopi_arena_take(&arena, 1000), (int)round, 1000);
		if (round > 0)
			assert_true(spare.bytes < kept / 2);
		sopi_arena_reset(&arena);
		assert_true(arena.total_bytes <= SOPI_SPARE_PIECE_MIN);
		assert_true(spare.bytes >= 2 * MB);
		assert_true(round == 0 || spare.bytes == kept);
		kept = spare.bytes;
	}
	sopi_arena_free(&arena);
}

static void a_piece_larger_than_a_chunk_does_not_stay_in_an_arena(void **state)
{
	struct sopi_arena arena = { .spare = NULL };

	(void)state;
	assert_non_null(sopi_arena_take(&arena, 100));
	assert_non_null(sopi_arena_take(&arena, 3 * MB));
	assert_non_null(sopi_arena_take(&arena, 100));
	assert_true(arena.total_bytes > 3 * MB);
	sopi_arena_reset(&arena);
	assert_true(arena.total_bytes <= SOPI_SPARE_PIECE_MIN);
	assert_non_null(sopi_arena_take(&arena, 100));
	sopi_arena_free(&arena);
}

/* Takes or makes pieces of a few sizes, writes them full and looks at them again. */
static void use_pieces(size_t index, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < ROUNDS; i++) {
		size_t capacity = (size_t)SOPI_SPARE_PIECE_MIN << i % 3;
		void *piece = sopi_spare_take(&spare, capacity, &capacity);
		unsigned char *bytes;

		if (piece == NULL && sopi_alloc(capacity, &piece, NULL) != SOP_OK)
			return;
		bytes = piece;
		memset(bytes, (int)index, capacity);
		for (size_t at = 0; at < capacity; at += LINE) {
			if (bytes[at] != index)
				test_note_failure("a piece has two owners");
		}
		sopi_spare_give(&spare, piece, capacity);
		if (i % 100 == 0)
			sopi_spare_tick(&spare);
	}
}

static void threads_never_have_the_same_piece(void **state)
{
	(void)state;
	test_run_threads(THREADS, use_pieces, NULL);
	TEST_NO_FAILURES();
	assert_true(spare.bytes <= spare.bytes_max);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_piece_serves_sizes_from_its_half_up, begin, end),
		cmocka_unit_test_setup_teardown(no_more_is_kept_than_the_bound, begin, end),
		cmocka_unit_test_setup_teardown(small_pieces_and_those_beyond_the_slots_are_freed,
						begin, end),
		cmocka_unit_test_setup_teardown(without_a_bound_nothing_is_kept, begin, end),
		cmocka_unit_test_setup_teardown(what_nobody_takes_is_given_up, begin, end),
		cmocka_unit_test_setup_teardown(an_arena_leaves_its_large_chunks_and_finds_them_again,
						begin, end),
		cmocka_unit_test_setup_teardown(a_piece_larger_than_a_chunk_does_not_stay_in_an_arena,
						begin, end),
		cmocka_unit_test_setup_teardown(threads_never_have_the_same_piece, begin, end),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("spare", tests, NULL, NULL);
}
