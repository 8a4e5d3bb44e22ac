/* The cycle checker finds each class of anomaly in a history made by hand, and none in good
 * ones. */
#include "isolation/cycles.h"

#include <string.h>

/* Lists and elements of the histories below. */
enum { X, Y, Z };

/* A read of up to 4 elements. */
static void reads(struct cycles_history *history, uint64_t list, size_t count, uint64_t a,
		  uint64_t b, uint64_t c)
{
	const uint64_t elements[3] = { a, b, c };

	cycles_read(history, list, elements, count);
}

/* Transactions that overlap all others, unless a test says otherwise. */
static void begin(struct cycles_history *history)
{
	cycles_begin(history, 0);
}

static void commit(struct cycles_history *history)
{
	cycles_end(history, true, 1000);
}

static void expect(struct cycles_history *history, enum cycles_anomaly anomaly)
{
	struct cycles_report report;

	assert_false(cycles_check(history, &report));
	for (size_t i = 0; i < CYCLES_ANOMALIES; i++) {
		if ((report.anomalies[i] != 0) != (i == anomaly))
			fail_msg("%s: %llu, expected was %s",
				 cycles_anomaly_name((enum cycles_anomaly)i),
				 (unsigned long long)report.anomalies[i], cycles_anomaly_name(anomaly));
	}
	assert_true(report.text_count != 0);
	assert_non_null(strstr(report.texts[0], cycles_anomaly_name(anomaly)));
	cycles_free(history);
}

static void expect_good(struct cycles_history *history)
{
	struct cycles_report report;

	if (!cycles_check(history, &report))
		fail_msg("%s", report.texts[0]);
	cycles_free(history);
}

/* ---- good histories -------------------------------------------------------------------------- */

static void an_empty_history_is_good(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	expect_good(&history);
}

static void serial_transactions_are_good(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		cycles_begin(&history, (int64_t)(10 * i));
		reads(&history, X, i, 1, 2, 3);
		cycles_append(&history, X, i + 1);
		reads(&history, X, i + 1, 1, 2, 3);
		cycles_end(&history, true, (int64_t)(10 * i + 5));
	}
	expect_good(&history);
}

static void concurrent_transactions_in_some_order_are_good(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	reads(&history, X, 2, 1, 2, 0);
	reads(&history, Y, 1, 3, 0, 0);
	commit(&history);
	begin(&history);
	cycles_append(&history, X, 1);
	commit(&history);
	begin(&history);
	reads(&history, X, 1, 1, 0, 0);
	cycles_append(&history, X, 2);
	cycles_append(&history, Y, 3);
	reads(&history, X, 2, 1, 2, 0);
	commit(&history);
	expect_good(&history);
}

static void reads_of_aborted_transactions_are_not_judged(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	cycles_append(&history, X, 1);
	commit(&history);
	begin(&history);
	reads(&history, X, 0, 0, 0, 0);
	cycles_append(&history, X, 2);
	cycles_end(&history, false, 1000);
	begin(&history);
	reads(&history, X, 1, 1, 0, 0);
	commit(&history);
	expect_good(&history);
}

/* ---- one transaction, one read --------------------------------------------------------------- */

static void an_element_from_nowhere_is_garbage(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	reads(&history, X, 1, 77, 0, 0);
	commit(&history);
	expect(&history, CYCLES_GARBAGE);
}

static void an_element_of_another_list_is_garbage(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	cycles_append(&history, Y, 1);
	commit(&history);
	begin(&history);
	reads(&history, X, 1, 1, 0, 0);
	commit(&history);
	expect(&history, CYCLES_GARBAGE);
}

static void an_element_that_is_there_twice_is_garbage(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	cycles_append(&history, X, 1);
	commit(&history);
	begin(&history);
	reads(&history, X, 2, 1, 1, 0);
	commit(&history);
	expect(&history, CYCLES_GARBAGE);
}

static void missing_own_appends_are_internal(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	cycles_append(&history, X, 1);
	reads(&history, X, 0, 0, 0, 0);
	commit(&history);
	expect(&history, CYCLES_INTERNAL);
}

static void two_reads_that_differ_are_internal(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	cycles_append(&history, X, 1);
	commit(&history);
	begin(&history);
	reads(&history, Y, 0, 0, 0, 0);
	reads(&history, X, 1, 1, 0, 0);
	commit(&history);
	begin(&history);
	cycles_append(&history, X, 2);
	commit(&history);
	expect_good(&history);
	begin(&history);
	cycles_append(&history, X, 1);
	commit(&history);
	begin(&history);
	cycles_append(&history, Z, 2);
	reads(&history, Z, 1, 2, 0, 0);
	cycles_append(&history, Z, 3);
	reads(&history, Z, 1, 3, 0, 0);
	commit(&history);
	expect(&history, CYCLES_INTERNAL);
}

static void elements_of_aborted_transactions_are_g1a(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	cycles_append(&history, X, 1);
	cycles_end(&history, false, 1000);
	begin(&history);
	reads(&history, X, 1, 1, 0, 0);
	commit(&history);
	expect(&history, CYCLES_G1A);
}

static void half_of_a_transaction_is_g1b(void **state)
{
	struct cycles_history history = { 0 };
	struct cycles_report report;

	(void)state;
	begin(&history);
	cycles_append(&history, X, 1);
	cycles_append(&history, X, 2);
	commit(&history);
	begin(&history);
	reads(&history, X, 1, 1, 0, 0);
	commit(&history);
	assert_false(cycles_check(&history, &report));
	assert_int_equal(report.anomalies[CYCLES_G1B], 1);
	assert_int_equal(report.anomalies[CYCLES_G_SINGLE], 1); /* it is that, too */
	cycles_free(&history);
}

static void two_orders_of_a_list_are_incompatible(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	cycles_append(&history, X, 1);
	commit(&history);
	begin(&history);
	cycles_append(&history, X, 2);
	commit(&history);
	begin(&history);
	reads(&history, X, 1, 1, 0, 0);
	commit(&history);
	begin(&history);
	reads(&history, X, 1, 2, 0, 0);
	commit(&history);
	expect(&history, CYCLES_ORDER);
}

/* ---- cycles ---------------------------------------------------------------------------------- */

/* Two writers whose appends to X and Y lie in opposite orders, as a reader of both sees. */
static void opposite_orders_of_two_lists_are_g0(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	cycles_append(&history, X, 1);
	cycles_append(&history, Y, 2);
	commit(&history);
	begin(&history);
	cycles_append(&history, X, 3);
	cycles_append(&history, Y, 4);
	commit(&history);
	begin(&history);
	reads(&history, X, 2, 1, 3, 0);
	reads(&history, Y, 2, 4, 2, 0);
	commit(&history);
	expect(&history, CYCLES_G0);
}

static void reading_from_each_other_is_g1c(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	cycles_append(&history, X, 1);
	reads(&history, Y, 1, 2, 0, 0);
	commit(&history);
	begin(&history);
	cycles_append(&history, Y, 2);
	reads(&history, X, 1, 1, 0, 0);
	commit(&history);
	expect(&history, CYCLES_G1C);
}

static void half_of_what_another_wrote_is_g_single(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	cycles_append(&history, X, 1);
	cycles_append(&history, Y, 2);
	commit(&history);
	begin(&history);
	reads(&history, X, 1, 1, 0, 0);
	reads(&history, Y, 0, 0, 0, 0);
	commit(&history);
	begin(&history);
	reads(&history, Y, 1, 2, 0, 0);
	commit(&history);
	expect(&history, CYCLES_G_SINGLE);
}

static void a_lost_update_is_g2_without_time(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	for (uint64_t i = 1; i <= 2; i++) { /* both read nothing and append; one append is gone */
		begin(&history);
		reads(&history, X, 0, 0, 0, 0);
		cycles_append(&history, X, i);
		commit(&history);
	}
	expect(&history, CYCLES_G2);
}

static void write_skew_is_g2(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	reads(&history, X, 0, 0, 0, 0);
	cycles_append(&history, Y, 1);
	commit(&history);
	begin(&history);
	reads(&history, Y, 0, 0, 0, 0);
	cycles_append(&history, X, 2);
	commit(&history);
	begin(&history);
	reads(&history, X, 1, 2, 0, 0);
	reads(&history, Y, 1, 1, 0, 0);
	commit(&history);
	expect(&history, CYCLES_G2);
}

/* Three readers and writers around: none of any two is a cycle. */
static void a_long_way_round_is_g2(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		begin(&history);
		reads(&history, i, 0, 0, 0, 0);
		cycles_append(&history, (i + 1) % 3, i + 1);
		commit(&history);
	}
	begin(&history);
	reads(&history, X, 1, 3, 0, 0);
	reads(&history, Y, 1, 1, 0, 0);
	reads(&history, Z, 1, 2, 0, 0);
	commit(&history);
	expect(&history, CYCLES_G2);
}

/* ---- real time ------------------------------------------------------------------------------- */

static void order_against_time_is_g0_realtime(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	cycles_begin(&history, 0);
	cycles_append(&history, X, 1);
	cycles_end(&history, true, 10);
	cycles_begin(&history, 20);
	cycles_append(&history, X, 2);
	cycles_end(&history, true, 30);
	cycles_begin(&history, 0);
	reads(&history, X, 2, 2, 1, 0);
	cycles_end(&history, true, 40);
	expect(&history, CYCLES_G0_REALTIME);
}

static void reading_from_the_future_is_g1c_realtime(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	cycles_begin(&history, 0);
	reads(&history, X, 1, 1, 0, 0);
	cycles_end(&history, true, 10);
	cycles_begin(&history, 20);
	cycles_append(&history, X, 1);
	cycles_end(&history, true, 30);
	expect(&history, CYCLES_G1C_REALTIME);
}

static void a_stale_read_is_g_single_realtime(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	cycles_begin(&history, 0);
	cycles_append(&history, X, 1);
	cycles_end(&history, true, 10);
	cycles_begin(&history, 20);
	reads(&history, X, 0, 0, 0, 0);
	cycles_end(&history, true, 30);
	cycles_begin(&history, 0);
	reads(&history, X, 1, 1, 0, 0);
	cycles_end(&history, true, 10);
	expect(&history, CYCLES_G_SINGLE_REALTIME);
}

static void a_lost_append_is_g_single_realtime(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	cycles_begin(&history, 0);
	cycles_append(&history, X, 1);
	cycles_end(&history, true, 10);
	cycles_begin(&history, 20);
	reads(&history, X, 0, 0, 0, 0);
	cycles_end(&history, true, 30);
	expect(&history, CYCLES_G_SINGLE_REALTIME);
}

/* Two readers see two independent writes in opposite orders ("long fork") */
static void a_long_fork_is_g2(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	begin(&history);
	cycles_append(&history, X, 1);
	commit(&history);
	begin(&history);
	cycles_append(&history, Y, 2);
	commit(&history);
	begin(&history);
	reads(&history, X, 1, 1, 0, 0);
	reads(&history, Y, 0, 0, 0, 0);
	commit(&history);
	begin(&history);
	reads(&history, X, 0, 0, 0, 0);
	reads(&history, Y, 1, 2, 0, 0);
	commit(&history);
	expect(&history, CYCLES_G2);
}

/* With time alone two stale reads are always one stale read; here one wrote what another read,
 * too. */
static void stale_reads_around_are_g2_realtime(void **state)
{
	struct cycles_history history = { 0 };

	(void)state;
	cycles_begin(&history, 100); /* reads X before it was written ... */
	reads(&history, X, 0, 0, 0, 0);
	cycles_end(&history, true, 200);
	cycles_begin(&history, 0);
	cycles_append(&history, X, 1);
	cycles_end(&history, true, 200);
	cycles_begin(&history, 0); /* ... as this one read, which reads Y before it was written ... */
	reads(&history, X, 1, 1, 0, 0);
	reads(&history, Y, 0, 0, 0, 0);
	cycles_end(&history, true, 200);
	cycles_begin(&history, 0); /* ... by this one, which was answered before the first began */
	cycles_append(&history, Y, 2);
	cycles_end(&history, true, 50);
	expect(&history, CYCLES_G2_REALTIME);
}

/* Every transaction of a long good history on 8 threads, with one planted cycle in the middle of
 * it. */
static void one_cycle_among_many_transactions_is_found(void **state)
{
	struct cycles_history history = { 0 };
	uint64_t list[4096];
	struct cycles_report report;

	(void)state;
	for (uint64_t i = 0; i < 4000; i++) {
		cycles_begin(&history, (int64_t)(10 * i));
		cycles_read(&history, X, list, i);
		list[i] = i + 1;
		cycles_append(&history, X, i + 1);
		cycles_end(&history, true, (int64_t)(10 * i + 75)); /* 8 at a time */
	}
	assert_true(cycles_check(&history, &report));
	assert_int_equal(report.txns, 4000);
	history.ops[2 * 2000].read_count -= 1; /* lost what number 1999 appended */
	assert_false(cycles_check(&history, &report));
	cycles_free(&history);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_history_is_good),
		cmocka_unit_test(serial_transactions_are_good),
		cmocka_unit_test(concurrent_transactions_in_some_order_are_good),
		cmocka_unit_test(reads_of_aborted_transactions_are_not_judged),
		cmocka_unit_test(an_element_from_nowhere_is_garbage),
		cmocka_unit_test(an_element_of_another_list_is_garbage),
		cmocka_unit_test(an_element_that_is_there_twice_is_garbage),
		cmocka_unit_test(missing_own_appends_are_internal),
		cmocka_unit_test(two_reads_that_differ_are_internal),
		cmocka_unit_test(elements_of_aborted_transactions_are_g1a),
		cmocka_unit_test(half_of_a_transaction_is_g1b),
		cmocka_unit_test(two_orders_of_a_list_are_incompatible),
		cmocka_unit_test(opposite_orders_of_two_lists_are_g0),
		cmocka_unit_test(reading_from_each_other_is_g1c),
		cmocka_unit_test(half_of_what_another_wrote_is_g_single),
		cmocka_unit_test(a_lost_update_is_g2_without_time),
		cmocka_unit_test(write_skew_is_g2),
		cmocka_unit_test(a_long_way_round_is_g2),
		cmocka_unit_test(order_against_time_is_g0_realtime),
		cmocka_unit_test(reading_from_the_future_is_g1c_realtime),
		cmocka_unit_test(a_stale_read_is_g_single_realtime),
		cmocka_unit_test(a_lost_append_is_g_single_realtime),
		cmocka_unit_test(a_long_fork_is_g2),
		cmocka_unit_test(stale_reads_around_are_g2_realtime),
		cmocka_unit_test(one_cycle_among_many_transactions_is_found),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
