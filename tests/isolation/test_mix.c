/* Everything at once, with savepoints, deadlines and cancellation. */
#include "isolation/workloads.h"

static void anything_at_once_is_strictly_serializable(void **state)
{
	(void)state;
	workload_must_pass(workload_mix, 120000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anything_at_once_is_strictly_serializable),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
