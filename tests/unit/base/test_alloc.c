/* Allocation: its hooks, and that a failure leaves the caller as it was. */
#include "base/alloc.h"

#include "support/support.h"

#include <string.h>

/* Sanitizers end the program at a size that no memory has, unless told that NULL is an answer. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static int hooks_off(void **state)
{
	(void)state;
	sopi_alloc_fail_after(-1, false);
	return 0;
}

/* Asks once through entry `which`; on success frees again. */
static sop_status ask(int which, void **out, sop_error *err)
{
	switch (which) {
	case 0:
		return sopi_alloc(100, out, err);
	case 1:
		return sopi_alloc_zeroed(100, out, err);
	case 2:
		return sopi_alloc_aligned(64, 100, out, err);
	case 3:
		return sopi_realloc(out, 100, err);
	default:
		return sopi_alloc_pages(4096, 4096, out, err);
	}
}

static void give_back(int which, void *memory)
{
	if (which == 4)
		sopi_free_pages(memory, 4096);
	else
		sopi_free(memory);
}

enum { ENTRIES = 5 };

static void the_nth_allocation_fails_once(void **state)
{
	(void)state;
	for (int which = 0; which < ENTRIES; which++) {
		sopi_alloc_fail_after(2, false);
		for (int i = 0; i < 5; i++) {
			sop_error err = SOP_ERROR_INIT;
			void *memory = NULL;

			if (i == 2) {
				TEST_STATUS(ask(which, &memory, &err), SOP_NO_MEMORY, err);
				assert_null(memory);
				assert_int_equal(err.status, SOP_NO_MEMORY);
			} else {
				TEST_OK(ask(which, &memory, &err), err);
				give_back(which, memory);
			}
		}
		assert_int_equal(sopi_alloc_asked(), 5);
	}
}

static void all_after_the_nth_fail_if_for_ever(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	void *memory = NULL;

	(void)state;
	sopi_alloc_fail_after(0, true);
	for (int i = 0; i < 20; i++)
		TEST_STATUS(ask(i % ENTRIES, &memory, &err), SOP_NO_MEMORY, err);
	sopi_alloc_fail_after(-1, false);
	TEST_OK(ask(0, &memory, &err), err);
	sopi_free(memory);
}

static void live_allocations_are_counted(void **state)
{
	const int64_t before = sopi_alloc_live_count();
	void *memory[ENTRIES] = { NULL };
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	for (int which = 0; which < ENTRIES; which++) {
		TEST_OK(ask(which, &memory[which], &err), err);
		assert_int_equal(sopi_alloc_live_count(), before + which + 1);
	}
	TEST_OK(sopi_realloc(&memory[0], 5000, &err), err); /* the same one, larger */
	assert_int_equal(sopi_alloc_live_count(), before + ENTRIES);
	for (int which = 0; which < ENTRIES; which++)
		give_back(which, memory[which]);
	assert_int_equal(sopi_alloc_live_count(), before);
	sopi_free(NULL);
	sopi_free_pages(NULL, 0);
	assert_int_equal(sopi_alloc_live_count(), before);
}

static void a_failed_realloc_keeps_the_memory(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	void *memory = NULL;
	void *before;

	(void)state;
	TEST_OK(sopi_realloc(&memory, 8, &err), err);
	memcpy(memory, "content", 8);
	before = memory;
	sopi_alloc_fail_after(0, false);
	TEST_STATUS(sopi_realloc(&memory, 1 << 20, &err), SOP_NO_MEMORY, err);
	assert_ptr_equal(memory, before);
	assert_string_equal(memory, "content");
	TEST_OK(sopi_realloc(&memory, 1 << 20, &err), err);
	assert_string_equal(memory, "content");
	sopi_free(memory);
}

static void nothing_is_a_size_too(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	void *memory = NULL;

	(void)state;
	TEST_OK(sopi_alloc(0, &memory, &err), err);
	assert_non_null(memory);
	sopi_free(memory);
	TEST_OK(sopi_alloc_zeroed(0, &memory, &err), err);
	assert_non_null(memory);
	TEST_OK(sopi_realloc(&memory, 0, &err), err);
	assert_non_null(memory);
	sopi_free(memory);
}

static void zeroed_is_zero(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	unsigned char *memory = NULL;

	(void)state;
	for (int i = 0; i < 100; i++) { /* again and again, so that used memory comes back */
		TEST_OK(sopi_alloc_zeroed(1000, (void **)&memory, &err), err);
		for (int at = 0; at < 1000; at++)
			assert_int_equal(memory[at], 0);
		memset(memory, 0xEE, 1000);
		sopi_free(memory);
	}
}

static void alignment_is_kept(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	void *memory = NULL;

	(void)state;
	for (size_t alignment = sizeof(void *); alignment <= 1 << 16; alignment *= 2) {
		TEST_OK(sopi_alloc_aligned(alignment, 100, &memory, &err), err);
		assert_int_equal((uintptr_t)memory % alignment, 0);
		sopi_free(memory);
	}
	for (size_t size = SOPI_HUGE_PAGE_BYTES; size < 4 * SOPI_HUGE_PAGE_BYTES; size += size / 2) {
		TEST_OK(sopi_alloc_huge(size, &memory, &err), err);
		assert_int_equal((uintptr_t)memory % SOPI_HUGE_PAGE_BYTES, 0);
		memset(memory, 0xEE, size);
		sopi_free(memory);
	}
	for (size_t alignment = 4096; alignment <= 4 << 20; alignment *= 4) {
		TEST_OK(sopi_alloc_pages(alignment, 3 << 20, &memory, &err), err);
		assert_int_equal((uintptr_t)memory % alignment, 0);
		memset(memory, 0xEE, 3 << 20);
		sopi_free_pages(memory, 3 << 20);
	}
}

static void a_size_beyond_all_memory_is_a_status(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	void *memory = NULL;

	(void)state;
	TEST_STATUS(sopi_alloc(SIZE_MAX / 2, &memory, &err), SOP_NO_MEMORY, err);
	TEST_STATUS(sopi_alloc_zeroed(SIZE_MAX / 2, &memory, &err), SOP_NO_MEMORY, err);
	TEST_STATUS(sopi_realloc(&memory, SIZE_MAX / 2, &err), SOP_NO_MEMORY, err);
	TEST_STATUS(sopi_alloc_pages(4096, SIZE_MAX / 2, &memory, &err), SOP_NO_MEMORY, err);
	assert_null(memory);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_nth_allocation_fails_once, hooks_off),
		cmocka_unit_test_teardown(all_after_the_nth_fail_if_for_ever, hooks_off),
		cmocka_unit_test_teardown(live_allocations_are_counted, hooks_off),
		cmocka_unit_test_teardown(a_failed_realloc_keeps_the_memory, hooks_off),
		cmocka_unit_test_teardown(nothing_is_a_size_too, hooks_off),
		cmocka_unit_test_teardown(zeroed_is_zero, hooks_off),
		cmocka_unit_test_teardown(alignment_is_kept, hooks_off),
		cmocka_unit_test_teardown(a_size_beyond_all_memory_is_a_status, hooks_off),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
