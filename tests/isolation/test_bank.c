/* Money moves, and no scan ever sees it on its way. */
#include "isolation/workloads.h"

static void the_sum_is_constant_in_every_scan(void **state)
{
	(void)state;
	workload_must_pass(workload_bank, 80000);
}

static void no_update_of_a_hot_key_is_lost(void **state)
{
	(void)state;
	workload_must_pass(workload_hot_keys, 50000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sum_is_constant_in_every_scan),
		cmocka_unit_test(no_update_of_a_hot_key_is_lost),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
