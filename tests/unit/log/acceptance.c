/* The shared promises of all logs. */
#include "acceptance.h"

#include "base/alloc.h"
#include "platform/thread.h"

#include <stdlib.h>

static log_open open_log;

static int setup(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	struct sopi_log *log = NULL;

	TEST_OK(open_log(&log, &err), err);
	*state = log;
	return 0;
}

static int teardown(void **state)
{
	struct sopi_log *log = *state;

	log->driver->close(log);
	return 0;
}

static uint64_t submit(struct sopi_log *log)
{
	static const uint8_t id[16];
	const struct sopi_log_entry entry = { id, { "payload", 7 }, SOPI_FLUSHED };
	sop_error err = SOP_ERROR_INIT;
	uint64_t position;

	TEST_OK(log->driver->reserve(log, entry.payload.size, false, &err), err);
	position = log->driver->next(log);
	log->driver->submit(log, position, &entry, entry.payload.size);
	return position;
}

static void positions_ascend_and_are_none_of_the_reserved_ones(void **state)
{
	uint64_t before = 0;

	for (int i = 0; i < 1000; i++) {
		const uint64_t position = submit(*state);

		assert_true(position > before); /* 0 is before all commits */
		assert_true(position < UINT64_MAX - 1);
		before = position;
	}
}

/* What fails before it is submitted has not happened: its position goes to the next. */
static void a_position_that_is_not_submitted_is_given_again(void **state)
{
	struct sopi_log *log = *state;
	const uint64_t first = log->driver->next(log);

	assert_true(log->driver->next(log) == first);
	assert_true(submit(log) == first);
	assert_true(log->driver->next(log) > first);
}

static void what_was_submitted_becomes_durable(void **state)
{
	struct sopi_log *log = *state;
	sop_error err = SOP_ERROR_INIT;
	uint64_t position = 0;

	for (int i = 0; i < 10; i++)
		position = submit(log);
	TEST_OK(log->driver->wait_durable(log, position, &err), err);
	TEST_OK(log->driver->wait_durable(log, position - 1, &err), err); /* long since */
	TEST_OK(log->driver->wait_durable(log, position, &err), err); /* again */
}

struct committing {
	struct sopi_log *log;
	sopi_mutex mutex; /* the commit mutex */
	uint64_t last; /* guarded by it */
};

static void commit_many(size_t index, void *arg)
{
	struct committing *committing = arg;
	struct sopi_log *log = committing->log;

	for (int i = 0; i < 500; i++) {
		sop_error err = SOP_ERROR_INIT;
		uint64_t position;

		sopi_mutex_lock(&committing->mutex);
		position = submit(log);
		if (position <= committing->last)
			test_note_failure("thread %zu: a position was given twice", index);
		committing->last = position;
		sopi_mutex_unlock(&committing->mutex);
		if (log->driver->wait_durable(log, position, &err) != SOP_OK)
			test_note_failure("thread %zu: %s", index, err.message);
	}
}

static void many_threads_commit_in_one_order(void **state)
{
	struct committing committing = { .log = *state };

	sopi_mutex_init(&committing.mutex);
	test_run_threads(4, commit_many, &committing);
	sopi_mutex_destroy(&committing.mutex);
	TEST_NO_FAILURES();
}

static void out_of_memory_at_open_is_said_and_leaves_nothing(void **state)
{
	const int64_t live = sopi_alloc_live_count();
	sop_status status = SOP_NO_MEMORY;

	(void)state;
	for (int64_t n = 0; status != SOP_OK; n++) {
		sop_error err = SOP_ERROR_INIT;
		struct sopi_log *log = NULL;

		sopi_alloc_fail_after(n, false);
		status = open_log(&log, &err);
		sopi_alloc_fail_after(-1, false);
		if (status == SOP_OK) {
			log->driver->close(log);
		} else {
			assert_int_equal(status, SOP_NO_MEMORY);
			assert_null(log);
		}
		assert_int_equal(sopi_alloc_live_count(), live);
	}
}

int log_acceptance_run(const char *name, log_open open)
{
#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		LOG_TEST(positions_ascend_and_are_none_of_the_reserved_ones),
		LOG_TEST(a_position_that_is_not_submitted_is_given_again),
		LOG_TEST(what_was_submitted_becomes_durable),
		LOG_TEST(many_threads_commit_in_one_order),
		cmocka_unit_test(out_of_memory_at_open_is_said_and_leaves_nothing),
	};

	open_log = open;
	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
