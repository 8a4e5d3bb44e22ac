/* Random operations against a sorted array: keys made of fields, descending and ride-along ones among them. */
#include "model/run.h"

static void unique_keys_with_a_schema(void **state)
{
	static const enum key_kind kinds[] = { KEYS_EMPLOYEE, KEYS_COUNTDOWN, KEYS_TAGS, KEYS_SCORES };
	const struct plan plan = {
		.name = "unique keys with a schema",
		.kinds = kinds,
		.kind_count = 4,
		.catalog = true,
		.words = 400,
		.case_ops = 12000,
		.ops = 1600000,
	};

	(void)state;
	run_plan(&plan);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unique_keys_with_a_schema),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
