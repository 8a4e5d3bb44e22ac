/* Splits, merges and old versions beside transactions that depend on what they find. */
#include "isolation/workloads.h"

static void nothing_slips_behind_the_last_key(void **state)
{
	(void)state;
	workload_must_pass(workload_appends, 80000);
}

static void runs_of_keys_come_and_go(void **state)
{
	(void)state;
	workload_must_pass(workload_mass_delete, 30000);
}

static void long_readers_keep_their_snapshot(void **state)
{
	(void)state;
	workload_must_pass(workload_long_readers, 30000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_slips_behind_the_last_key),
		cmocka_unit_test(runs_of_keys_come_and_go),
		cmocka_unit_test(long_readers_keep_their_snapshot),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
