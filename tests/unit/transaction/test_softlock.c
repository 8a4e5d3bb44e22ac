/* Soft locks: others wait, but never for long, and a full table or a lost race only costs the
 * courtesy. */
#include "transaction/softlock.h"

#include "support/support.h"

#include <stdlib.h>

static const int64_t ms = 1000000;

static int holder_a, holder_b;

static int setup(void **state)
{
	struct sopi_softlocks *softlocks = test_alloc(sizeof *softlocks);

	sopi_softlocks_init(softlocks);
	*state = softlocks;
	return 0;
}

static int teardown(void **state)
{
	sopi_softlocks_destroy(*state);
	free(*state);
	return 0;
}

/* Does `holder` have to wait for `what`? Waits 2 ms at most. */
static bool waits(struct sopi_softlocks *softlocks, uint64_t what, const void *holder)
{
	const int64_t deadline = test_now_ns() + 2 * ms;

	sopi_softlock_wait(softlocks, what, holder, deadline);
	return test_now_ns() >= deadline;
}

static void others_wait_and_the_holder_does_not(void **state)
{
	assert_false(waits(*state, 7, &holder_b));
	sopi_softlock_take(*state, 7, &holder_a, INT64_MAX);
	assert_true(waits(*state, 7, &holder_b));
	assert_false(waits(*state, 7, &holder_a));
	assert_false(waits(*state, 8, &holder_b));
	sopi_softlock_release(*state, &holder_a);
	assert_false(waits(*state, 7, &holder_b));
}

/* Who holds a lock and does not come back holds nobody up for ever. */
static void a_lease_that_has_ended_holds_nobody(void **state)
{
	sopi_softlock_take(*state, 7, &holder_a, 1); /* ended soon after the machine was started */
	assert_false(waits(*state, 7, &holder_b));
}

static void the_first_holder_keeps_it(void **state)
{
	struct sopi_softlocks *softlocks = *state;

	sopi_softlock_take(softlocks, 7, &holder_a, INT64_MAX);
	sopi_softlock_take(softlocks, 7, &holder_b, INT64_MAX);
	sopi_softlock_take(softlocks, 7, &holder_a, INT64_MAX); /* twice is once */
	assert_int_equal(atomic_load(&softlocks->held), 1);
	assert_false(waits(softlocks, 7, &holder_a));
	sopi_softlock_release(softlocks, &holder_b);
	assert_true(waits(softlocks, 7, &holder_b));
	sopi_softlock_release(softlocks, &holder_a);
	assert_int_equal(atomic_load(&softlocks->held), 0);
}

static void releasing_gives_back_all_of_one_holder_only(void **state)
{
	struct sopi_softlocks *softlocks = *state;

	sopi_softlock_take(softlocks, 1, &holder_a, INT64_MAX);
	sopi_softlock_take(softlocks, 2, &holder_b, INT64_MAX);
	sopi_softlock_take(softlocks, 3, &holder_a, INT64_MAX);
	sopi_softlock_release(softlocks, &holder_a);
	assert_int_equal(atomic_load(&softlocks->held), 1);
	assert_true(waits(softlocks, 2, &holder_a));
	sopi_softlock_take(softlocks, 1, &holder_b, INT64_MAX);
	assert_true(waits(softlocks, 1, &holder_a));
}

/* Two that have both lost often would else wait for each other until a lease ends. */
static void holders_do_not_wait_for_each_other(void **state)
{
	struct sopi_softlocks *softlocks = *state;

	sopi_softlock_take(softlocks, 1, &holder_a, INT64_MAX);
	sopi_softlock_take(softlocks, 2, &holder_b, INT64_MAX);
	assert_false(waits(softlocks, 2, &holder_a));
	assert_false(waits(softlocks, 1, &holder_b));
	sopi_softlock_release(softlocks, &holder_b);
	assert_true(waits(softlocks, 1, &holder_b));
}

static void a_full_table_grants_no_more_and_works_again_afterwards(void **state)
{
	struct sopi_softlocks *softlocks = *state;

	for (uint64_t i = 0; i < SOPI_SOFTLOCKS_MAX + 10; i++)
		sopi_softlock_take(softlocks, i, &holder_a, INT64_MAX);
	assert_int_equal(atomic_load(&softlocks->held), SOPI_SOFTLOCKS_MAX);
	assert_false(waits(softlocks, SOPI_SOFTLOCKS_MAX, &holder_b));
	assert_true(waits(softlocks, SOPI_SOFTLOCKS_MAX - 1, &holder_b));
	sopi_softlock_release(softlocks, &holder_a);
	assert_int_equal(atomic_load(&softlocks->held), 0);
	sopi_softlock_take(softlocks, 1000, &holder_b, INT64_MAX);
	assert_true(waits(softlocks, 1000, &holder_a));
}

static void what_is_locked_is_a_key_of_a_store_or_a_whole_store(void **state)
{
	const uint8_t *key = (const uint8_t *)"key";

	(void)state;
	assert_true(sopi_softlock_of(1, key, 3) == sopi_softlock_of(1, key, 3));
	assert_true(sopi_softlock_of(1, key, 3) != sopi_softlock_of(2, key, 3));
	assert_true(sopi_softlock_of(1, key, 3) != sopi_softlock_of(1, key, 2));
	assert_true(sopi_softlock_of(1, key, 3) != sopi_softlock_of(1, NULL, 0));
	assert_true(sopi_softlock_of(1, NULL, 0) != sopi_softlock_of(2, NULL, 0));
}

static void release_later(size_t index, void *arg)
{
	struct sopi_softlocks *softlocks = arg;
	const int64_t begun = test_now_ns();

	if (index == 0) {
		test_sleep_us(10000);
		sopi_softlock_release(softlocks, &holder_a);
		return;
	}
	sopi_softlock_wait(softlocks, 7, &holder_b, begun + 60000 * ms);
	if (test_now_ns() - begun > 30000 * ms)
		test_note_failure("the release woke nobody");
}

static void a_release_wakes_who_waits(void **state)
{
	sopi_softlock_take(*state, 7, &holder_a, INT64_MAX);
	test_run_threads(4, release_later, *state);
	TEST_NO_FAILURES();
}

static void a_deadline_in_the_past_is_no_wait(void **state)
{
	sopi_softlock_take(*state, 7, &holder_a, INT64_MAX);
	sopi_softlock_wait(*state, 7, &holder_b, 0);
}

int main(int argc, char **argv)
{
#define SOFTLOCK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		SOFTLOCK_TEST(others_wait_and_the_holder_does_not),
		SOFTLOCK_TEST(a_lease_that_has_ended_holds_nobody),
		SOFTLOCK_TEST(the_first_holder_keeps_it),
		SOFTLOCK_TEST(holders_do_not_wait_for_each_other),
		SOFTLOCK_TEST(releasing_gives_back_all_of_one_holder_only),
		SOFTLOCK_TEST(a_full_table_grants_no_more_and_works_again_afterwards),
		SOFTLOCK_TEST(what_is_locked_is_a_key_of_a_store_or_a_whole_store),
		SOFTLOCK_TEST(a_release_wakes_who_waits),
		SOFTLOCK_TEST(a_deadline_in_the_past_is_no_wait),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("softlock", tests, NULL, NULL);
}
