/* Lists that grow: free of cycles, and as the replay says. */
#include "isolation/workloads.h"

static void lists_grow_in_one_order(void **state)
{
	(void)state;
	workload_must_pass(workload_list_append, 100000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_grow_in_one_order),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
