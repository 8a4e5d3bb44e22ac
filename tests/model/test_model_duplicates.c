/* Random operations against a sorted array: stores that keep equal keys. */
#include "model/run.h"

static void few_keys_with_many_items(void **state)
{
	static const enum key_kind kinds[] = { KEYS_SHORT, KEYS_BINARY };
	const struct plan plan = {
		.name = "few keys with many items",
		.kinds = kinds,
		.kind_count = 2,
		.duplicates = true,
		.catalog = true,
		.words = 40,
		.case_ops = 12000,
		.ops = 800000,
	};

	(void)state;
	run_plan(&plan);
}

static void duplicates_of_many_kinds(void **state)
{
	static const enum key_kind kinds[] = { KEYS_SHARED, KEYS_EMPLOYEE, KEYS_HUGE, KEYS_TAGS,
					       KEYS_COUNTDOWN };
	const struct plan plan = {
		.name = "duplicates of many kinds",
		.kinds = kinds,
		.kind_count = 5,
		.duplicates = true,
		.catalog = true,
		.words = 150,
		.case_ops = 8000,
		.ops = 800000,
	};

	(void)state;
	run_plan(&plan);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_keys_with_many_items),
		cmocka_unit_test(duplicates_of_many_kinds),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
