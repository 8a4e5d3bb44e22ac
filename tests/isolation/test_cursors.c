/* Cursors meet each key once, whatever their transaction changes; equal keys keep their order. */
#include "isolation/workloads.h"

static void cursors_neither_skip_nor_repeat(void **state)
{
	(void)state;
	workload_must_pass(workload_cursors, 40000);
}

static void equal_keys_keep_their_order(void **state)
{
	(void)state;
	workload_must_pass(workload_duplicates, 60000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cursors_neither_skip_nor_repeat),
		cmocka_unit_test(equal_keys_keep_their_order),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
