/* Stores that come, go and are renamed under transactions that use them. */
#include "isolation/workloads.h"

static void stores_come_and_go_serializably(void **state)
{
	(void)state;
	workload_must_pass(workload_catalog, 60000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stores_come_and_go_serializably),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
