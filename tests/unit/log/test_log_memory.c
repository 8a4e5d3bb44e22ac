/* What only the log in memory promises; the rest is in acceptance.c. */
#include "acceptance.h"

static void positions_count_up_from_one(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	static const uint8_t id[16];
	const struct sopi_log_entry entry = { .id = id, .durability = SOPI_FLUSHED };
	struct sopi_log *log = NULL;

	(void)state;
	TEST_OK(sopi_log_memory_open(&log, &err), err);
	for (uint64_t i = 1; i <= 100; i++) {
		assert_int_equal(log->driver->next(log), i);
		log->driver->submit(log, i, &entry, 0);
	}
	log->driver->close(log);
}

static sop_status open_memory(sopi_mutex *commit_mutex, struct sopi_log **out, sop_error *err)
{
	(void)commit_mutex;
	return sopi_log_memory_open(out, err);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(positions_count_up_from_one) };

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("log_memory", tests, NULL, NULL) +
	       log_acceptance_run("log_memory.acceptance", open_memory);
}
