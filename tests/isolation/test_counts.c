/* Counts that are validated, and integers that need not be. */
#include "isolation/workloads.h"

static void the_count_guards_an_insertion(void **state)
{
	(void)state;
	workload_must_pass(workload_counts, 50000);
}

static void integers_change_in_one_order(void **state)
{
	(void)state;
	workload_must_pass(workload_counters, 60000);
}

static void additions_never_conflict(void **state)
{
	(void)state;
	workload_must_pass(workload_additions, 20000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_count_guards_an_insertion),
		cmocka_unit_test(integers_change_in_one_order),
		cmocka_unit_test(additions_never_conflict),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
