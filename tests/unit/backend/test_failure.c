/* A database that fails says so in its log (sop_log_next), whoever notices first. */
#include "support/large.h"
#include "unit/backend/database_box.h"

#include <errno.h>

/* Takes all messages; returns how many say that the database has failed. */
static unsigned failures_told(sop_db *db)
{
	sop_error err = SOP_ERROR_INIT;
	unsigned count = 0;

	for (;;) {
		sop_log_message message = SOP_LOG_MESSAGE_INIT;
		const sop_status status = sop_log_next(db, &message, 0, &err);

		if (status == SOP_NOT_FOUND)
			return count;
		TEST_OK(status, err);
		count += message.level == SOP_LOG_ERROR &&
			 strstr(message.text, "the database has failed") != NULL;
	}
}

static sop_status commit_one(sop_db *db, sop_error *err)
{
	const char value[100] = "value";
	sop_store *store = NULL;
	sop_txn *txn = NULL;
	sop_status status;

	TEST_OK(sop_store_open(db, test_text("store"), NULL, &store, err), *err);
	TEST_OK(sop_begin(db, NULL, &txn, err), *err);
	TEST_OK(sop_store_create(txn, store, err), *err);
	for (char key = 'a'; key <= 'z'; key++)
		TEST_OK(sop_put(txn, store, test_bytes(&key, 1), test_bytes(value, sizeof value), err),
			*err);
	status = sop_commit(txn, err);
	sop_txn_free(txn);
	sop_store_free(store);
	return status;
}

static void fail_in(unsigned calls, sop_status expected)
{
	const struct sopi_sim_fault fault = {
		.calls = calls, .path = "log/", .for_ever = true, .os_errno = EIO
	};
	struct database_box box;

	database_box_start(&box);
	TEST_OK(sop_log_enable(box.db, SOP_LOG_WARNING, &box.err), box.err);
	sopi_sim_fail(box.process, &fault);
	TEST_STATUS(commit_one(box.db, &box.err), expected, box.err);
	TEST_STATUS(sop_sync(box.db, &box.err), SOP_FAILED, box.err);
	sopi_sim_fail(box.process, NULL);
	assert_int_equal(failures_told(box.db), 1);
	TEST_STATUS(sop_close(box.db, &box.err), SOP_FAILED, box.err);
	sop_db_free(box.db);
	box.db = NULL;
	database_box_free(&box);
}

static void a_commit_that_cannot_be_flushed_is_told(void **state)
{
	(void)state;
	fail_in(SOPI_SIM_WRITE | SOPI_SIM_SYNC_DATA, SOP_UNKNOWN);
}

static void a_part_of_a_large_commit_is_told(void **state)
{
	(void)state;
	test_all_are_large(true);
	fail_in(SOPI_SIM_WRITE | SOPI_SIM_SYNC_DATA, SOP_FAILED);
	test_all_are_large(false);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_that_cannot_be_flushed_is_told),
		cmocka_unit_test(a_part_of_a_large_commit_is_told),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
