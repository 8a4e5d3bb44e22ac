/* Random operations against a sorted array, on disk: nearly every node is evicted and loaded again all the time, and
 * checkpoints, gc, closing and opening again are operations like others. */
#include "model/run.h"

static void unique_keys(void **state)
{
	static const enum key_kind kinds[] = { KEYS_SHORT, KEYS_EMPLOYEE, KEYS_BINARY, KEYS_SHARED };
	const struct plan plan = {
		.name = "unique keys on disk",
		.kinds = kinds,
		.kind_count = 4,
		.catalog = true,
		.on_disk = true,
		.words = 400,
		.case_ops = 6000,
		.ops = 120000,
	};

	(void)state;
	run_plan(&plan);
}

static void duplicates(void **state)
{
	static const enum key_kind kinds[] = { KEYS_BINARY, KEYS_TAGS, KEYS_HUGE, KEYS_COUNTDOWN };
	const struct plan plan = {
		.name = "duplicates on disk",
		.kinds = kinds,
		.kind_count = 4,
		.duplicates = true,
		.catalog = true,
		.on_disk = true,
		.words = 150,
		.case_ops = 6000,
		.ops = 120000,
	};

	(void)state;
	run_plan(&plan);
}

static void many_keys(void **state)
{
	static const enum key_kind kinds[] = { KEYS_NUMBERS };
	const struct plan plan = {
		.name = "many keys on disk",
		.kinds = kinds,
		.kind_count = 1,
		.on_disk = true,
		.words = 4000,
		.case_ops = 20000,
		.ops = 80000,
	};

	(void)state;
	run_plan(&plan);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unique_keys),
		cmocka_unit_test(duplicates),
		cmocka_unit_test(many_keys),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
