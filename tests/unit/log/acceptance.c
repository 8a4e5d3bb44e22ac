/* The shared promises of all logs. */
#include "acceptance.h"

#include "base/alloc.h"
#include <stdlib.h>

static log_open open_log;
static sopi_mutex commit_mutex;

static int setup(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	struct sopi_log *log = NULL;

	sopi_mutex_init(&commit_mutex);
	TEST_OK(open_log(&commit_mutex, &log, &err), err);
	*state = log;
	return 0;
}

static int teardown(void **state)
{
	struct sopi_log *log = *state;

	log->driver->close(log);
	sopi_mutex_destroy(&commit_mutex);
	return 0;
}

/* `before`: the last position given, or NULL; guarded by the commit mutex. */
static uint64_t submit_after(struct sopi_log *log, uint64_t *before)
{
	static const uint8_t id[16];
	const struct sopi_log_entry entry = { .id = id,
					      .payload = { "payload", 7 },
					      .durability = SOPI_FLUSHED };
	sop_error err = SOP_ERROR_INIT;
	uint64_t position;

	if (log->driver->reserve(log, entry.payload.size, false, &err) != SOP_OK)
		test_note_failure("reserve: %s", err.message);
	sopi_mutex_lock(&commit_mutex);
	position = log->driver->next(log);
	log->driver->submit(log, position, &entry, entry.payload.size);
	if (before != NULL) {
		if (position <= *before)
			test_note_failure("a position was given twice");
		*before = position;
	}
	sopi_mutex_unlock(&commit_mutex);
	return position;
}

static uint64_t submit(struct sopi_log *log)
{
	return submit_after(log, NULL);
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
	TEST_NO_FAILURES();
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
	uint64_t last; /* guarded by the commit mutex */
};

static void commit_many(size_t index, void *arg)
{
	struct committing *committing = arg;
	struct sopi_log *log = committing->log;

	for (int i = 0; i < 500; i++) {
		sop_error err = SOP_ERROR_INIT;
		const uint64_t position = submit_after(log, &committing->last);

		if (log->driver->wait_durable(log, position, &err) != SOP_OK)
			test_note_failure("thread %zu: %s", index, err.message);
		if (log->driver->durable(log) < position)
			test_note_failure("thread %zu: answered before it was durable", index);
	}
}

static void many_threads_commit_in_one_order(void **state)
{
	struct committing committing = { .log = *state };

	test_run_threads(4, commit_many, &committing);
	TEST_NO_FAILURES();
}

/* A reservation that is given back costs nothing: any number of them fits. */
static void reservations_can_be_given_back(void **state)
{
	struct sopi_log *log = *state;
	sop_error err = SOP_ERROR_INIT;

	for (int i = 0; i < 1000; i++) {
		TEST_OK(log->driver->reserve(log, 100000, false, &err), err);
		log->driver->unreserve(log, 100000);
	}
	(void)submit(log);
}

static void out_of_memory_at_open_is_said_and_leaves_nothing(void **state)
{
	const int64_t live = sopi_alloc_live_count();
	sop_status status = SOP_NO_MEMORY;

	(void)state;
	sopi_mutex_init(&commit_mutex);
	for (int64_t n = 0; status != SOP_OK; n++) {
		sop_error err = SOP_ERROR_INIT;
		struct sopi_log *log = NULL;

		sopi_alloc_fail_after(n, false);
		status = open_log(&commit_mutex, &log, &err);
		sopi_alloc_fail_after(-1, false);
		if (status == SOP_OK) {
			log->driver->close(log);
		} else {
			assert_int_equal(status, SOP_NO_MEMORY);
			assert_null(log);
		}
		assert_int_equal(sopi_alloc_live_count(), live);
	}
	sopi_mutex_destroy(&commit_mutex);
}

int log_acceptance_run(const char *name, log_open open)
{
#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		LOG_TEST(positions_ascend_and_are_none_of_the_reserved_ones),
		LOG_TEST(a_position_that_is_not_submitted_is_given_again),
		LOG_TEST(what_was_submitted_becomes_durable),
		LOG_TEST(many_threads_commit_in_one_order),
		LOG_TEST(reservations_can_be_given_back),
		cmocka_unit_test(out_of_memory_at_open_is_said_and_leaves_nothing),
	};

	open_log = open;
	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
