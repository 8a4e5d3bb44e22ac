/* What is decided by what is not there stays true until the commit. */
#include "isolation/workloads.h"

static void absence_guards_an_insertion(void **state)
{
	(void)state;
	workload_must_pass(workload_mutual_absence, 60000);
}

static void the_size_of_a_range_guards_an_insertion(void **state)
{
	(void)state;
	workload_must_pass(workload_range_guard, 80000);
}

static void only_one_is_first_in_an_empty_store(void **state)
{
	(void)state;
	workload_must_pass(workload_first_insert, 60000);
}

static void exactly_one_inserts_a_key(void **state)
{
	(void)state;
	workload_must_pass(workload_unique_key, 60000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absence_guards_an_insertion),
		cmocka_unit_test(the_size_of_a_range_guards_an_insertion),
		cmocka_unit_test(only_one_is_first_in_an_empty_store),
		cmocka_unit_test(exactly_one_inserts_a_key),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
