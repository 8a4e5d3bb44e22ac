/* Random operations against a sorted array: stores with raw, unique keys. */
#include "model/run.h"

static void raw_keys(void **state)
{
	static const enum key_kind kinds[] = { KEYS_SHORT, KEYS_BINARY, KEYS_SHARED };
	const struct plan plan = {
		.name = "raw unique keys",
		.kinds = kinds,
		.kind_count = 3,
		.catalog = true,
		.words = 400,
		.case_ops = 12000,
		.ops = 1500000,
	};

	(void)state;
	run_plan(&plan);
}

static void many_keys(void **state)
{
	static const enum key_kind kinds[] = { KEYS_NUMBERS };
	const struct plan plan = {
		.name = "many keys",
		.kinds = kinds,
		.kind_count = 1,
		.words = 4000,
		.case_ops = 40000,
		.ops = 400000,
	};

	(void)state;
	run_plan(&plan);
}

static void huge_keys(void **state)
{
	static const enum key_kind kinds[] = { KEYS_HUGE };
	const struct plan plan = {
		.name = "huge keys",
		.kinds = kinds,
		.kind_count = 1,
		.words = 600,
		.case_ops = 6000,
		.ops = 150000,
	};

	(void)state;
	run_plan(&plan);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raw_keys),
		cmocka_unit_test(many_keys),
		cmocka_unit_test(huge_keys),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
