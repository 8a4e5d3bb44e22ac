/* Conflicts, deadlines, cancelling, sop_txn_again, sop_run, outcomes: how a transaction may end and what then. */
#include "api/fixture.h"

#include <stdlib.h>
#include <string.h>

/* Commits a new value of key "a" behind the back of the fixture's transaction. */
static void interfere(struct fixture *f)
{
	sop_error err = SOP_ERROR_INIT;
	sop_txn *other = NULL;

	TEST_OK(sop_begin(f->db, NULL, &other, &err), err);
	TEST_OK(sop_put(other, f->raw, test_text("a"), test_text("of another"), &err), err);
	TEST_OK(sop_commit(other, &err), err);
	sop_txn_free(other);
}

/* Reads "a" and writes "b". */
static void body(struct fixture *f)
{
	sop_buf value = SOP_BUF_INIT;

	TEST_OK(sop_get(f->txn, f->raw, test_text("a"), &value, &f->err), f->err);
	TEST_OK(sop_put(f->txn, f->raw, test_text("b"), test_text("mine"), &f->err), f->err);
	sop_buf_free(&value);
}

static void a_conflict_names_store_and_key(void **state)
{
	struct fixture f;
	sop_bytes store, key;

	(void)state;
	fixture_open(&f);
	TEST_STATUS(sop_txn_conflict(f.txn, &store, &key, &f.err), SOP_NOT_FOUND, f.err);
	body(&f);
	interfere(&f);
	TEST_STATUS(sop_commit(f.txn, &f.err), SOP_CONFLICT, f.err);
	assert_int_equal(f.err.traits, SOP_TRAIT_RETRY | SOP_TRAIT_ABORT);
	assert_string_equal(f.err.store, "raw");
	assert_true(f.err.message[0] != '\0');
	TEST_OK(sop_txn_conflict(f.txn, &store, &key, &f.err), f.err);
	assert_int_equal(store.size, 3);
	assert_memory_equal(store.data, "raw", 3);
	assert_int_equal(key.size, 1);
	assert_memory_equal(key.data, "a", 1);
	TEST_OK(sop_txn_conflict(f.txn, &store, &key, &f.err), f.err); /* as often as one likes */
	fixture_close(&f);
}

static void again_runs_the_body_until_it_commits(void **state)
{
	struct fixture f;
	uint32_t attempts = 0;

	(void)state;
	fixture_open(&f);
	for (uint32_t attempt = 1; attempt <= 8; attempt++) { /* from the sixth on with soft locks */
		TEST_OK(sop_txn_attempts(f.txn, &attempts, &f.err), f.err);
		assert_int_equal(attempts, attempt);
		body(&f);
		if (attempt < 5)
			interfere(&f);
		if (attempt >= 5)
			break;
		TEST_STATUS(sop_commit(f.txn, &f.err), SOP_CONFLICT, f.err);
		TEST_OK(sop_txn_again(f.txn, &f.err), f.err);
	}
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	TEST_OK(sop_txn_renew(f.txn, &f.err), f.err); /* a new beginning counts from 1 */
	TEST_OK(sop_txn_attempts(f.txn, &attempts, &f.err), f.err);
	assert_int_equal(attempts, 1);
	fixture_close(&f);
}

/* Its id is another's by then: nothing was begun, and nothing is counted. */
static void an_attempt_that_does_not_begin_is_none(void **state)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_stats before = SOP_STATS_INIT;
	sop_stats after = SOP_STATS_INIT;
	struct fixture f;
	sop_txn *other = NULL;
	uint32_t attempts = 0;

	(void)state;
	fixture_open(&f);
	sop_txn_free(f.txn);
	options.id[0] = 7;
	TEST_OK(sop_begin(f.db, &options, &f.txn, &f.err), f.err);
	body(&f);
	interfere(&f);
	TEST_STATUS(sop_commit(f.txn, &f.err), SOP_CONFLICT, f.err);
	TEST_OK(sop_begin(f.db, &options, &other, &f.err), f.err);
	TEST_OK(sop_db_stats(f.db, &before, &f.err), f.err);
	TEST_STATUS(sop_txn_again(f.txn, &f.err), SOP_EXISTS, f.err);
	TEST_OK(sop_txn_attempts(f.txn, &attempts, &f.err), f.err);
	assert_int_equal(attempts, 1);
	TEST_OK(sop_db_stats(f.db, &after, &f.err), f.err);
	assert_int_equal(after.retries, before.retries);
	sop_txn_free(other);
	fixture_close(&f);
}

/* More attempts than soft locks begin at: the one who waits too long for the lock is let through or told. */
static void soft_locks_hold_nobody_for_ever(void **state)
{
	struct fixture f;
	int64_t start_ns;

	(void)state;
	fixture_open(&f);
	for (unsigned attempt = 1; attempt <= 7; attempt++) {
		body(&f);
		interfere(&f);
		TEST_STATUS(sop_commit(f.txn, &f.err), SOP_CONFLICT, f.err);
		TEST_OK(sop_txn_again(f.txn, &f.err), f.err);
	}
	start_ns = test_now_ns();
	interfere(&f); /* "a" is softly locked now */
	assert_true(test_now_ns() - start_ns < INT64_C(10000000000));
	TEST_OK(sop_rollback(f.txn, &f.err), f.err);
	interfere(&f);
	fixture_works(f.db);
	fixture_close(&f);
}

static void again_without_a_failure_is_misuse(void **state)
{
	struct fixture f;
	sop_buf value = SOP_BUF_INIT;

	(void)state;
	fixture_open(&f);
	TEST_STATUS(sop_txn_again(f.txn, &f.err), SOP_MISUSE, f.err);
	error_tells(&f.err, SOP_MISUSE, "sop_txn_again");
	TEST_OK(sop_get(f.txn, f.raw, test_text("a"), &value, &f.err), f.err); /* it goes on */
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	TEST_STATUS(sop_txn_again(f.txn, &f.err), SOP_MISUSE, f.err);
	sop_buf_free(&value);
	fixture_close(&f);
}

/* A failure that running again cannot cure is answered with itself. */
static void again_repeats_a_failure_that_cannot_be_retried(void **state)
{
	struct fixture f;
	sop_buf value = SOP_BUF_INIT;
	sop_txn *other = NULL;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_max(f.txn, f.raw, test_text("new"), 1, &f.err), f.err);
	TEST_OK(sop_begin(f.db, NULL, &other, &f.err), f.err);
	TEST_OK(sop_put(other, f.raw, test_text("new"), test_text("no integer"), &f.err), f.err);
	TEST_OK(sop_commit(other, &f.err), f.err);
	sop_txn_free(other);
	TEST_STATUS(sop_commit(f.txn, &f.err), SOP_SCHEMA, f.err);
	TEST_STATUS(sop_txn_again(f.txn, &f.err), SOP_SCHEMA, f.err);
	error_tells(&f.err, SOP_SCHEMA, "sop_txn_again");
	TEST_STATUS(sop_put(f.txn, f.raw, test_text("k"), test_text("v"), &f.err), SOP_MISUSE, f.err);
	TEST_OK(sop_rollback(f.txn, &f.err), f.err);
	TEST_OK(sop_txn_renew(f.txn, &f.err), f.err);
	TEST_OK(sop_get(f.txn, f.raw, test_text("a"), &value, &f.err), f.err);
	sop_buf_free(&value);
	fixture_close(&f);
}

/* An unknown store is an answer: the transaction goes on. */
static void an_unknown_store_ends_nothing(void **state)
{
	struct fixture f;
	sop_buf value = SOP_BUF_INIT;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_put(f.txn, f.raw, test_text("k"), test_text("v"), &f.err), f.err);
	TEST_STATUS(sop_get(f.txn, f.missing, test_text("a"), &value, &f.err), SOP_NOT_FOUND, f.err);
	assert_string_equal(f.err.store, "missing");
	TEST_STATUS(sop_get(f.txn, f.raw, test_text("none"), &value, &f.err), SOP_NOT_FOUND, f.err);
	assert_string_equal(f.err.store, ""); /* the store is there, the key is not */
	TEST_STATUS(sop_txn_again(f.txn, &f.err), SOP_MISUSE, f.err);
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	TEST_OK(sop_read(f.db, f.raw, test_text("k"), &value, &f.err), f.err);
	sop_buf_free(&value);
	fixture_close(&f);
}

/* ---- deadlines ------------------------------------------------------------------------------------------------- */

static sop_txn *begin_with_deadline(struct fixture *f, int64_t deadline_ms, uint32_t mode)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_txn *txn = NULL;

	options.deadline_ms = deadline_ms;
	options.mode = mode;
	TEST_OK(sop_begin(f->db, &options, &txn, &f->err), f->err);
	return txn;
}

static void a_deadline_ends_a_transaction(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	for (uint32_t mode = SOP_WRITE; mode <= SOP_NOCHECK; mode++) {
		sop_txn *txn = begin_with_deadline(&f, 20, mode);
		sop_cursor *cursor = NULL;
		sop_buf value = SOP_BUF_INIT;

		TEST_OK(sop_get(txn, f.raw, test_text("a"), &value, &f.err), f.err);
		TEST_OK(sop_cursor_open(txn, f.raw, NULL, 0, &cursor, &f.err), f.err);
		if (mode == SOP_WRITE || mode == SOP_NOCHECK)
			TEST_OK(sop_put(txn, f.raw, test_text("k"), test_text("v"), &f.err), f.err);
		test_sleep_us(40000);
		TEST_STATUS(sop_get(txn, f.raw, test_text("a"), &value, &f.err), SOP_TIMEOUT, f.err);
		error_tells(&f.err, SOP_TIMEOUT, "sop_get");
		assert_true(sop_cursor_next(cursor, NULL, &f.err) == SOP_TIMEOUT ||
			    f.err.status == SOP_CLOSED);
		assert_int_not_equal(sop_commit(txn, &f.err), SOP_OK); /* it was rolled back */
		TEST_STATUS(sop_txn_again(txn, &f.err), SOP_TIMEOUT, f.err);
		assert_int_equal(sop_read(f.db, f.raw, test_text("k"), &value, &f.err), SOP_NOT_FOUND);
		(void)sop_rollback(txn, NULL);
		TEST_OK(sop_txn_renew(txn, &f.err), f.err); /* with a deadline counted anew */
		TEST_OK(sop_get(txn, f.raw, test_text("a"), &value, &f.err), f.err);
		sop_cursor_free(cursor);
		sop_txn_free(txn);
		sop_buf_free(&value);
	}
	fixture_works(f.db);
	fixture_close(&f);
}

static void a_deadline_is_noticed_by_the_commit(void **state)
{
	struct fixture f;
	sop_txn *txn;
	sop_buf value = SOP_BUF_INIT;

	(void)state;
	fixture_open(&f);
	txn = begin_with_deadline(&f, 20, SOP_WRITE);
	TEST_OK(sop_put(txn, f.raw, test_text("k"), test_text("v"), &f.err), f.err);
	test_sleep_us(40000);
	TEST_STATUS(sop_commit(txn, &f.err), SOP_TIMEOUT, f.err);
	assert_int_equal(sop_read(f.db, f.raw, test_text("k"), &value, &f.err), SOP_NOT_FOUND);
	sop_txn_free(txn);
	fixture_close(&f);
}

static void again_keeps_the_first_deadline(void **state)
{
	struct fixture f;
	sop_txn *txn;
	sop_buf value = SOP_BUF_INIT;
	sop_status status = SOP_OK;
	const int64_t start_ns = test_now_ns();

	(void)state;
	fixture_open(&f);
	txn = begin_with_deadline(&f, 300, SOP_WRITE);
	while (status == SOP_OK && test_now_ns() - start_ns < INT64_C(20000000000)) {
		status = sop_get(txn, f.raw, test_text("a"), &value, &f.err);
		if (status == SOP_OK)
			status = sop_put(txn, f.raw, test_text("b"), test_text("mine"), &f.err);
		if (status == SOP_OK) {
			interfere(&f);
			status = sop_commit(txn, &f.err);
		}
		if (status == SOP_CONFLICT || status == SOP_TIMEOUT)
			status = sop_txn_again(txn, &f.err);
	}
	assert_int_equal(status, SOP_TIMEOUT);
	assert_true(test_now_ns() - start_ns >= INT64_C(290000000));
	sop_buf_free(&value);
	sop_txn_free(txn);
	fixture_close(&f);
}

/* ---- cancelling ------------------------------------------------------------------------------------------------ */

static void a_cancelled_transaction_answers_cancelled(void **state)
{
	struct fixture f;
	sop_buf value = SOP_BUF_INIT;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_put(f.txn, f.raw, test_text("k"), test_text("v"), &f.err), f.err);
	TEST_OK(sop_txn_cancel(f.txn, &f.err), f.err);
	TEST_OK(sop_txn_cancel(f.txn, &f.err), f.err);
	TEST_STATUS(sop_get(f.txn, f.raw, test_text("a"), &value, &f.err), SOP_CANCELLED, f.err);
	error_tells(&f.err, SOP_CANCELLED, "sop_get");
	TEST_STATUS(sop_commit(f.txn, &f.err), SOP_CANCELLED, f.err);
	TEST_STATUS(sop_txn_again(f.txn, &f.err), SOP_CANCELLED, f.err);
	TEST_OK(sop_txn_cancel(f.reader, &f.err), f.err);
	TEST_STATUS(sop_get(f.reader, f.raw, test_text("a"), &value, &f.err), SOP_CANCELLED, f.err);
	assert_int_equal(sop_read(f.db, f.raw, test_text("k"), &value, &f.err), SOP_NOT_FOUND);
	(void)sop_rollback(f.txn, NULL);
	TEST_OK(sop_txn_renew(f.txn, &f.err), f.err);
	TEST_OK(sop_get(f.txn, f.raw, test_text("a"), &value, &f.err), f.err);
	sop_buf_free(&value);
	fixture_close(&f);
}

/* ---- sop_run --------------------------------------------------------------------------------------------------- */

struct runs {
	struct fixture *f;
	unsigned count;
	unsigned conflicts;
	sop_status answer;
	sop_status closing;
};

static sop_status run_body(sop_txn *txn, void *arg, sop_error *err)
{
	struct runs *runs = arg;
	sop_buf value = SOP_BUF_INIT;
	sop_status status;

	assert_non_null(err);
	runs->count++;
	status = sop_get(txn, runs->f->raw, test_text("a"), &value, err);
	sop_buf_free(&value);
	if (status == SOP_OK)
		status = sop_put(txn, runs->f->raw, test_text("run"), test_text("done"), err);
	if (runs->count <= runs->conflicts)
		interfere(runs->f);
	return status != SOP_OK ? status : runs->answer;
}

static bool was_done(struct fixture *f)
{
	sop_buf value = SOP_BUF_INIT;
	const sop_status status = sop_read(f->db, f->raw, test_text("run"), &value, &f->err);

	sop_buf_free(&value);
	return status == SOP_OK;
}

static void run_commits_retries_and_rolls_back(void **state)
{
	static const struct {
		unsigned conflicts;
		sop_status answer;
		sop_status wanted;
		unsigned runs;
	} rows[] = {
		{ 0, SOP_OK, SOP_OK, 1 },
		{ 3, SOP_OK, SOP_OK, 4 },
		{ 0, SOP_NOT_FOUND, SOP_NOT_FOUND, 1 },
		{ 2, SOP_EXISTS, SOP_EXISTS, 1 },
		{ 0, SOP_UNKNOWN, SOP_UNKNOWN, 1 }, /* never retried */
		{ 0, SOP_MISUSE, SOP_MISUSE, 1 },
		{ 0, SOP_CANCELLED, SOP_CANCELLED, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture f;
		struct runs runs = { &f, 0, rows[i].conflicts, rows[i].answer, SOP_OK };

		fixture_open(&f);
		TEST_STATUS(sop_run(f.db, NULL, run_body, &runs, &f.err), rows[i].wanted, f.err);
		assert_int_equal(runs.count, rows[i].runs);
		assert_int_equal(was_done(&f), rows[i].wanted == SOP_OK);
		fixture_works(f.db);
		fixture_close(&f);
	}
}

static sop_status asking_body(sop_txn *txn, void *arg, sop_error *err)
{
	struct runs *runs = arg;
	uint32_t attempts = 0;
	const sop_status status = sop_put(txn, runs->f->raw, test_text("run"), test_text("done"), err);

	TEST_OK(sop_txn_attempts(txn, &attempts, err), *err);
	assert_int_equal(attempts, ++runs->count);
	return status == SOP_OK && runs->count <= runs->conflicts ? SOP_CONFLICT : status;
}

/* A body that has seen something it does not like may ask to be run again. */
static void a_body_may_ask_for_another_attempt(void **state)
{
	struct fixture f;
	struct runs runs = { &f, 0, 3, SOP_OK, SOP_OK };
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_run(f.db, NULL, asking_body, &runs, &f.err), f.err);
	assert_int_equal(runs.count, 4);
	assert_true(was_done(&f));
	runs.count = 0;
	runs.conflicts = 1000000; /* for ever */
	options.deadline_ms = 100;
	TEST_STATUS(sop_run(f.db, &options, asking_body, &runs, &f.err), SOP_TIMEOUT, f.err);
	fixture_works(f.db);
	fixture_close(&f);
}

static void run_gives_up_at_its_deadline(void **state)
{
	struct fixture f;
	struct runs runs = { &f, 0, 1000000, SOP_OK, SOP_OK };
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	const int64_t start_ns = test_now_ns();

	(void)state;
	fixture_open(&f);
	options.deadline_ms = 200;
	TEST_STATUS(sop_run(f.db, &options, run_body, &runs, &f.err), SOP_TIMEOUT, f.err);
	error_tells(&f.err, SOP_TIMEOUT, "sop_run");
	assert_true(test_now_ns() - start_ns >= INT64_C(190000000));
	assert_true(test_now_ns() - start_ns < INT64_C(30000000000));
	assert_true(runs.count > 1);
	assert_false(was_done(&f));
	fixture_close(&f);
}

static void run_reads_and_refuses_to_write_in_a_reader(void **state)
{
	struct fixture f;
	struct runs runs = { &f, 0, 0, SOP_OK, SOP_OK };
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	(void)state;
	fixture_open(&f);
	options.mode = SOP_READ;
	TEST_STATUS(sop_run(f.db, &options, run_body, &runs, &f.err), SOP_READ_ONLY, f.err);
	assert_int_equal(runs.count, 1);
	options.mode = 77;
	TEST_STATUS(sop_run(f.db, &options, run_body, &runs, &f.err), SOP_MISUSE, f.err);
	options.mode = SOP_WRITE;
	options.deadline_ms = INT64_MAX;
	TEST_STATUS(sop_run(f.db, &options, run_body, &runs, &f.err), SOP_LIMIT, f.err);
	fixture_close(&f);
}

static sop_status closing_body(sop_txn *txn, void *arg, sop_error *err)
{
	struct runs *runs = arg;
	sop_buf value = SOP_BUF_INIT;
	sop_status status;

	runs->closing = sop_close(runs->f->db, err);
	status = sop_get(txn, runs->f->raw, test_text("a"), &value, err);
	sop_buf_free(&value);
	return status;
}

/* Allowed: the rest of the body, and the run, get CLOSED. */
static void the_body_may_close_the_database(void **state)
{
	struct fixture f;
	struct runs runs = { &f, 0, 0, SOP_OK, SOP_FAILED };

	(void)state;
	fixture_open(&f);
	TEST_STATUS(sop_run(f.db, NULL, closing_body, &runs, &f.err), SOP_CLOSED, f.err);
	assert_int_equal(runs.closing, SOP_OK);
	TEST_OK(sop_close(f.db, &f.err), f.err);
	fixture_close(&f);
}

static sop_status nesting_body(sop_txn *txn, void *arg, sop_error *err)
{
	struct runs *runs = arg;

	(void)txn;
	runs->answer = SOP_OK;
	return sop_run(runs->f->db, NULL, run_body, runs, err); /* another transaction, which commits first */
}

static void runs_may_be_nested(void **state)
{
	struct fixture f;
	struct runs runs = { &f, 0, 0, SOP_OK, SOP_OK };

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_run(f.db, NULL, nesting_body, &runs, &f.err), f.err);
	assert_true(was_done(&f));
	fixture_close(&f);
}

static sop_status committing_body(sop_txn *txn, void *arg, sop_error *err)
{
	struct runs *runs = arg;
	const sop_status status = sop_put(txn, runs->f->raw, test_text("run"), test_text("done"), err);

	return status != SOP_OK ? status : sop_commit(txn, err);
}

static sop_status freeing_nothing_body(sop_txn *txn, void *arg, sop_error *err)
{
	struct runs *runs = arg;

	(void)sop_put(txn, runs->f->raw, test_text("run"), test_text("done"), err);
	return sop_rollback(txn, err);
}

static void a_body_that_ends_its_transaction_is_told(void **state)
{
	struct fixture f;
	struct runs runs = { &f, 0, 0, SOP_OK, SOP_OK };

	(void)state;
	fixture_open(&f);
	assert_int_not_equal(sop_run(f.db, NULL, freeing_nothing_body, &runs, &f.err), SOP_OK);
	assert_false(was_done(&f));
	TEST_OK(sop_run(f.db, NULL, committing_body, &runs, &f.err), f.err);
	assert_true(was_done(&f));
	fixture_works(f.db);
	fixture_close(&f);
}

/* ---- ids and outcomes ------------------------------------------------------------------------------------------ */

static sop_outcome outcome_of(struct fixture *f, const uint8_t id[16], uint64_t *position)
{
	sop_outcome outcome = SOP_OUTCOME_UNKNOWN;

	*position = 77;
	TEST_OK(sop_txn_outcome(f->db, id, &outcome, position, &f->err), f->err);
	return outcome;
}

static void outcomes_are_known_by_id(void **state)
{
	struct fixture f;
	uint8_t id[16];
	static const uint8_t none[16] = { 9, 9 };
	uint64_t position = 0;
	uint64_t wanted = 0;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_txn_id(f.txn, id, &f.err), f.err);
	assert_int_equal(id[6] >> 4 == 4 || id[6] >> 4 == 7, 1); /* a UUID of version 4 or 7 */
	assert_int_equal(id[8] >> 6, 2);
	assert_int_equal(outcome_of(&f, id, &position), SOP_OUTCOME_PENDING);
	assert_int_equal(position, 0);
	TEST_OK(sop_put(f.txn, f.raw, test_text("k"), test_text("v"), &f.err), f.err);
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	TEST_OK(sop_txn_position(f.txn, &wanted, &f.err), f.err);
	assert_int_equal(outcome_of(&f, id, &position), SOP_OUTCOME_COMMITTED);
	assert_int_equal(position, wanted);
	assert_int_equal(outcome_of(&f, none, &position), SOP_OUTCOME_NOT_COMMITTED);
	assert_int_equal(position, 0);
	TEST_OK(sop_txn_renew(f.txn, &f.err), f.err); /* under another id */
	TEST_OK(sop_txn_id(f.txn, id, &f.err), f.err);
	assert_int_equal(outcome_of(&f, id, &position), SOP_OUTCOME_PENDING);
	TEST_OK(sop_rollback(f.txn, &f.err), f.err);
	assert_int_equal(outcome_of(&f, id, &position), SOP_OUTCOME_NOT_COMMITTED);
	TEST_OK(sop_txn_id(f.reader, id, &f.err), f.err);
	TEST_OK(sop_commit(f.reader, &f.err), f.err);
	assert_int_equal(outcome_of(&f, id, &position), SOP_OUTCOME_NOT_COMMITTED);
	fixture_close(&f);
}

static sop_status begin_as(struct fixture *f, const uint8_t id[16], sop_txn **txn)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	memcpy(options.id, id, sizeof options.id);
	return sop_begin(f->db, &options, txn, &f->err);
}

static void an_id_commits_once(void **state)
{
	static const uint8_t mine[16] = { 1,	2,  3,	4,  5,	6,  0x40, 8,
					  0x80, 10, 11, 12, 13, 14, 15,	  16 };
	struct fixture f;
	uint8_t id[16];
	uint64_t position = 0;
	sop_txn *first = NULL;
	sop_txn *second = NULL;

	(void)state;
	fixture_open(&f);
	TEST_OK(begin_as(&f, mine, &first), f.err);
	TEST_OK(sop_txn_id(first, id, &f.err), f.err);
	assert_memory_equal(id, mine, 16);
	TEST_STATUS(begin_as(&f, mine, &second), SOP_EXISTS, f.err); /* it is open */
	error_tells(&f.err, SOP_EXISTS, "sop_begin");
	assert_null(second);
	TEST_OK(sop_put(first, f.raw, test_text("k"), test_text("v"), &f.err), f.err);
	TEST_OK(sop_rollback(first, &f.err), f.err);
	TEST_OK(begin_as(&f, mine, &second), f.err); /* that of one that failed may be used again */
	TEST_OK(sop_put(second, f.raw, test_text("k"), test_text("v"), &f.err), f.err);
	TEST_OK(sop_commit(second, &f.err), f.err);
	sop_txn_free(second);
	second = NULL;
	TEST_STATUS(begin_as(&f, mine, &second), SOP_EXISTS, f.err); /* it has committed */
	assert_int_equal(outcome_of(&f, mine, &position), SOP_OUTCOME_COMMITTED);
	TEST_STATUS(sop_txn_renew(first, &f.err), SOP_EXISTS, f.err); /* what it was to do is done */
	error_tells(&f.err, SOP_EXISTS, "sop_txn_renew");
	sop_txn_free(first);
	sop_txn_free(second);
	fixture_close(&f);
}

/* A transaction that changed nothing leaves no trace: its id may be used again. */
static void an_id_that_changed_nothing_may_be_used_again(void **state)
{
	static const uint8_t mine[16] = { 7 };
	struct fixture f;

	(void)state;
	fixture_open(&f);
	for (unsigned i = 0; i < 3; i++) {
		sop_txn *txn = NULL;

		TEST_OK(begin_as(&f, mine, &txn), f.err);
		TEST_OK(sop_commit(txn, &f.err), f.err);
		sop_txn_free(txn);
	}
	fixture_close(&f);
}

/* What is renewed has an id that no other handle has, even if both were begun with the same one of the caller. */
static void ids_after_those_of_the_caller_are_new(void **state)
{
	static const uint8_t mine[16] = { 7 };
	struct fixture f;
	uint8_t ids[2][16];
	uint64_t position = 0;

	(void)state;
	fixture_open(&f);
	for (unsigned i = 0; i < 2; i++) {
		sop_txn *txn = NULL;

		TEST_OK(begin_as(&f, mine, &txn), f.err);
		TEST_OK(sop_commit(txn, &f.err), f.err);
		TEST_OK(sop_txn_renew(txn, &f.err), f.err);
		TEST_OK(sop_txn_id(txn, ids[i], &f.err), f.err);
		assert_int_equal(outcome_of(&f, ids[i], &position), SOP_OUTCOME_PENDING);
		TEST_OK(sop_put(txn, f.raw, test_text("k"), test_text("v"), &f.err), f.err);
		TEST_OK(sop_commit(txn, &f.err), f.err);
		sop_txn_free(txn);
	}
	assert_memory_not_equal(ids[0], ids[1], 16);
	fixture_close(&f);
}

/* The number of a savepoint that was rolled back beyond does not name a newer one. */
static void a_savepoint_is_gone_when_rolled_back_beyond(void **state)
{
	struct fixture f;
	uint64_t first, second, third;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_savepoint(f.txn, &first, &f.err), f.err);
	TEST_OK(sop_savepoint(f.txn, &second, &f.err), f.err);
	TEST_OK(sop_rollback_to(f.txn, first, &f.err), f.err);
	TEST_OK(sop_savepoint(f.txn, &third, &f.err), f.err);
	TEST_STATUS(sop_rollback_to(f.txn, second, &f.err), SOP_MISUSE, f.err);
	TEST_OK(sop_rollback_to(f.txn, third, &f.err), f.err);
	TEST_OK(sop_rollback_to(f.txn, first, &f.err), f.err);
	TEST_STATUS(sop_rollback_to(f.txn, third, &f.err), SOP_MISUSE, f.err);
	fixture_close(&f);
}

/* Exact for the last million that wrote; what is older may be unknown. */
static void outcomes_are_exact_for_the_last_million(void **state)
{
	enum { KEPT = 1000000, BEYOND = 100000, SAMPLES = 1000 };
	const uint64_t rounds = test_scaled(KEPT + BEYOND);
	uint8_t(*ids)[16] = test_alloc(rounds * sizeof *ids);
	uint64_t *positions = test_alloc(rounds * sizeof *positions);
	struct test_rng rng;
	struct fixture f;

	(void)state;
	test_rng_init(&rng, test_seed(), 3);
	fixture_open(&f);
	TEST_OK(sop_rollback(f.txn, &f.err), f.err);
	for (uint64_t i = 0; i < rounds; i++) {
		TEST_OK(sop_txn_renew(f.txn, &f.err), f.err);
		TEST_OK(sop_put(f.txn, f.raw, test_text("k"), test_bytes(&i, sizeof i), &f.err), f.err);
		TEST_OK(sop_txn_id(f.txn, ids[i], &f.err), f.err);
		TEST_OK(sop_commit(f.txn, &f.err), f.err);
		TEST_OK(sop_txn_position(f.txn, &positions[i], &f.err), f.err);
		assert_true(i == 0 || positions[i] > positions[i - 1]);
	}
	for (unsigned sample = 0; sample < SAMPLES; sample++) {
		const uint64_t kept = rounds < KEPT ? rounds : KEPT;
		const uint64_t i = sample < 2 ? rounds - 1 - sample * (kept - 1)
					      : rounds - 1 - test_rng_below(&rng, kept);
		const uint64_t old = test_rng_below(&rng, rounds);
		uint64_t position = 0;
		sop_outcome outcome = outcome_of(&f, ids[i], &position);

		assert_int_equal(outcome, SOP_OUTCOME_COMMITTED);
		assert_int_equal(position, positions[i]);
		outcome = outcome_of(&f, ids[old], &position); /* never a wrong answer */
		assert_true(outcome == SOP_OUTCOME_COMMITTED ? position == positions[old]
							     : outcome == SOP_OUTCOME_UNKNOWN);
	}
	free(ids);
	free(positions);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_conflict_names_store_and_key),
		cmocka_unit_test(again_runs_the_body_until_it_commits),
		cmocka_unit_test(an_attempt_that_does_not_begin_is_none),
		cmocka_unit_test(soft_locks_hold_nobody_for_ever),
		cmocka_unit_test(again_without_a_failure_is_misuse),
		cmocka_unit_test(again_repeats_a_failure_that_cannot_be_retried),
		cmocka_unit_test(an_unknown_store_ends_nothing),
		cmocka_unit_test(a_deadline_ends_a_transaction),
		cmocka_unit_test(a_deadline_is_noticed_by_the_commit),
		cmocka_unit_test(again_keeps_the_first_deadline),
		cmocka_unit_test(a_cancelled_transaction_answers_cancelled),
		cmocka_unit_test(run_commits_retries_and_rolls_back),
		cmocka_unit_test(a_body_may_ask_for_another_attempt),
		cmocka_unit_test(run_gives_up_at_its_deadline),
		cmocka_unit_test(run_reads_and_refuses_to_write_in_a_reader),
		cmocka_unit_test(the_body_may_close_the_database),
		cmocka_unit_test(runs_may_be_nested),
		cmocka_unit_test(a_body_that_ends_its_transaction_is_told),
		cmocka_unit_test(outcomes_are_known_by_id),
		cmocka_unit_test(an_id_commits_once),
		cmocka_unit_test(an_id_that_changed_nothing_may_be_used_again),
		cmocka_unit_test(ids_after_those_of_the_caller_are_new),
		cmocka_unit_test(a_savepoint_is_gone_when_rolled_back_beyond),
		cmocka_unit_test(outcomes_are_exact_for_the_last_million),
		cmocka_unit_test(every_message_says_what_to_do),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
