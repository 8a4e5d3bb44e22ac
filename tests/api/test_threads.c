/* Several threads on one handle: a second one in a transaction, cancelling, rolling back, closing while calls run. */
#include "api/fixture.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MANY_ITEMS = 20000 };

/* A store so large that a call on it takes a while. */
static void fill(struct fixture *f)
{
	uint8_t room[8];

	for (uint64_t i = 0; i < MANY_ITEMS; i++)
		TEST_OK(sop_put(f->txn, f->raw, test_key_u64(room, i), test_bytes(room, 8), &f->err),
			f->err);
	TEST_OK(sop_commit(f->txn, &f->err), f->err);
	TEST_OK(sop_txn_renew(f->txn, &f->err), f->err);
}

struct crowd {
	struct fixture f;
	_Atomic int stop;
	_Atomic unsigned refused;
	_Atomic unsigned done;
};

/* A long scan, over and over. */
static sop_status scan(sop_txn *txn, sop_store *store)
{
	sop_range range = SOP_RANGE_INIT;
	uint64_t count = 0;

	range.flags = SOP_RANGE_FROM;
	return sop_count(txn, store, &range, &count, NULL);
}

static void crowd_in(size_t index, void *arg)
{
	struct crowd *crowd = arg;
	const int64_t end_ns = test_now_ns() + INT64_C(20000000000);
	sop_buf value = SOP_BUF_INIT;

	while (atomic_load(&crowd->stop) == 0) {
		sop_error err = SOP_ERROR_INIT;
		const sop_status status = index == 0 ? scan(crowd->f.txn, crowd->f.raw)
						     : sop_get(crowd->f.txn, crowd->f.raw,
							       test_text("a"), &value, &err);

		if (status == SOP_MISUSE)
			atomic_fetch_add(&crowd->refused, 1);
		else if (status == SOP_OK)
			atomic_fetch_add(&crowd->done, 1);
		else
			test_note_failure("%s: %s", sop_status_name(status), err.message);
		if ((atomic_load(&crowd->refused) >= 100 && atomic_load(&crowd->done) >= 100) ||
		    test_now_ns() > end_ns)
			atomic_store(&crowd->stop, 1);
	}
	sop_buf_free(&value);
}

static void two_threads_in_one_transaction_get_misuse(void **state)
{
	struct crowd crowd = { .stop = 0 };

	(void)state;
	test_forget_failures();
	fixture_open(&crowd.f);
	fill(&crowd.f);
	test_run_threads(3, crowd_in, &crowd);
	TEST_NO_FAILURES();
	assert_true(atomic_load(&crowd.refused) > 0);
	assert_true(atomic_load(&crowd.done) > 0);
	TEST_OK(sop_commit(crowd.f.txn, &crowd.f.err), crowd.f.err);
	fixture_works(crowd.f.db);
	fixture_close(&crowd.f);
}

/* ---- ending a transaction from outside --------------------------------------------------------------------------- */

enum ending { CANCEL, ROLL_BACK, CLOSE };

struct ended {
	struct fixture f;
	enum ending ending;
	_Atomic unsigned scans;
	sop_status last; /* of the thread that worked */
	sop_status ended; /* of the thread that ended it */
};

static void work_or_end(size_t index, void *arg)
{
	struct ended *ended = arg;
	const int64_t end_ns = test_now_ns() + INT64_C(30000000000);

	if (index == 0) {
		do {
			ended->last = scan(ended->f.txn, ended->f.raw);
			atomic_fetch_add(&ended->scans, 1);
		} while (ended->last == SOP_OK && test_now_ns() < end_ns);
		return;
	}
	while (atomic_load(&ended->scans) < 3)
		test_sleep_us(100);
	switch (ended->ending) {
	case CANCEL:
		ended->ended = sop_txn_cancel(ended->f.txn, NULL);
		break;
	case ROLL_BACK:
		ended->ended = sop_rollback(ended->f.txn, NULL);
		break;
	default:
		ended->ended = sop_close(ended->f.db, NULL);
		break;
	}
}

static void cancelling_ends_the_call_that_runs_and_the_transaction(void **state)
{
	sop_buf value = SOP_BUF_INIT;

	(void)state;
	for (unsigned round = 0; round < 5; round++) {
		struct ended ended = { .ending = CANCEL };

		fixture_open(&ended.f);
		fill(&ended.f);
		TEST_OK(sop_put(ended.f.txn, ended.f.raw, test_text("new"), test_text("v"), &ended.f.err),
			ended.f.err);
		test_run_threads(2, work_or_end, &ended);
		assert_int_equal(ended.ended, SOP_OK);
		assert_int_equal(ended.last, SOP_CANCELLED);
		TEST_STATUS(sop_commit(ended.f.txn, &ended.f.err), SOP_CANCELLED, ended.f.err);
		error_tells(&ended.f.err, SOP_CANCELLED, "sop_commit");
		TEST_STATUS(sop_txn_again(ended.f.txn, &ended.f.err), SOP_CANCELLED, ended.f.err);
		(void)sop_rollback(ended.f.txn, NULL);
		assert_int_equal(sop_read(ended.f.db, ended.f.raw, test_text("new"), &value, &ended.f.err),
				 SOP_NOT_FOUND);
		TEST_OK(sop_txn_renew(ended.f.txn, &ended.f.err), ended.f.err); /* a new beginning is not cancelled */
		TEST_OK(sop_get(ended.f.txn, ended.f.raw, test_text("a"), &value, &ended.f.err),
			ended.f.err);
		fixture_works(ended.f.db);
		fixture_close(&ended.f);
	}
	sop_buf_free(&value);
}

static void rolling_back_from_outside_waits_for_the_call_that_runs(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 5; round++) {
		struct ended ended = { .ending = ROLL_BACK };

		fixture_open(&ended.f);
		fill(&ended.f);
		test_run_threads(2, work_or_end, &ended);
		assert_int_equal(ended.ended, SOP_OK);
		assert_true(ended.last == SOP_MISUSE || ended.last == SOP_CLOSED);
		TEST_OK(sop_txn_renew(ended.f.txn, &ended.f.err), ended.f.err);
		fixture_works(ended.f.db);
		fixture_close(&ended.f);
	}
}

static void closing_waits_for_the_calls_that_run(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 5; round++) {
		struct ended ended = { .ending = CLOSE };

		fixture_open(&ended.f);
		fill(&ended.f);
		test_run_threads(2, work_or_end, &ended);
		assert_int_equal(ended.ended, SOP_OK);
		assert_int_equal(ended.last, SOP_CLOSED);
		fixture_close(&ended.f);
	}
}

/* ---- closing under load ------------------------------------------------------------------------------------------ */

struct load {
	sop_db *db;
	sop_store *store;
	_Atomic unsigned closed;
};

static sop_status add_one(sop_txn *txn, void *arg, sop_error *err)
{
	struct load *load = arg;

	return sop_add(txn, load->store, test_text("n"), 1, err);
}

/* Every kind of call until the database is closed under it. */
static void use_until_closed(size_t index, void *arg)
{
	struct load *load = arg;
	sop_stats stats = SOP_STATS_INIT;
	sop_buf value = SOP_BUF_INIT;
	sop_txn *txn = NULL;
	uint8_t room[8];
	sop_status status = SOP_OK;

	if (index == 0) { /* two threads close, at once or one after the other */
		test_sleep_us(3000);
		status = sop_close(load->db, NULL);
		if (status != SOP_OK)
			test_note_failure("close: %s", sop_status_name(status));
		return;
	}
	if (sop_begin(load->db, NULL, &txn, NULL) == SOP_OK) {
		for (uint64_t i = 0; status == SOP_OK; i++) {
			switch ((i + index) % 5) {
			case 0:
				status = sop_put(txn, load->store, test_key_u64(room, i * 8 + index),
						 test_bytes(room, 8), NULL);
				break;
			case 1:
				status = sop_commit(txn, NULL);
				if (status == SOP_OK)
					status = sop_txn_renew(txn, NULL);
				break;
			case 2:
				status = sop_run(load->db, NULL, add_one, load, NULL);
				break;
			case 3:
				status = sop_db_stats(load->db, &stats, NULL);
				break;
			default:
				status = sop_read(load->db, load->store, test_text("n"), &value, NULL);
				if (status == SOP_NOT_FOUND)
					status = SOP_OK;
				break;
			}
			if (index == 1 && i == 500)
				status = sop_close(load->db, NULL) == SOP_OK ? SOP_CLOSED : SOP_FAILED;
		}
		if (status == SOP_CLOSED)
			atomic_fetch_add(&load->closed, 1);
		else
			test_note_failure("thread %zu: %s", index, sop_status_name(status));
	}
	sop_txn_free(txn);
	sop_buf_free(&value);
}

static void closing_under_load_harms_nobody(void **state)
{
	const uint64_t rounds = test_scaled(40);

	(void)state;
	test_forget_failures();
	for (uint64_t round = 0; round < rounds; round++) {
		sop_error err = SOP_ERROR_INIT;
		struct load load = { NULL, NULL, 0 };
		sop_txn *txn = NULL;

		TEST_OK(sop_open("inmemory:", NULL, &load.db, &err), err);
		TEST_OK(sop_store_open(load.db, test_text("s"), NULL, &load.store, &err), err);
		TEST_OK(sop_begin(load.db, NULL, &txn, &err), err);
		TEST_OK(sop_store_create(txn, load.store, &err), err);
		TEST_OK(sop_commit(txn, &err), err);
		sop_txn_free(txn);
		test_run_threads(5, use_until_closed, &load);
		TEST_NO_FAILURES();
		sop_store_free(load.store);
		sop_db_free(load.db);
	}
}

/* ---- the one who always loses ----------------------------------------------------------------------------------- */

enum { WINS = 3, ATTEMPTS_MAX = 60 };

struct contention {
	struct fixture *f;
	_Atomic int over;
	_Atomic uint64_t overtaken; /* commits of the fast ones */
	uint32_t attempts[WINS];
	sop_status status;
};

/* Reads, thinks for long, and writes: without help it is overtaken every time. */
static sop_status win_once(struct contention *contention, sop_txn *txn, uint32_t *attempts)
{
	sop_buf value = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_status status;

	for (;;) {
		status = sop_get(txn, contention->f->raw, test_text("a"), &value, &err);
		test_sleep_us(2000);
		if (status == SOP_OK)
			status = sop_put(txn, contention->f->raw, test_text("a"), test_text("slow"),
					 &err);
		if (status == SOP_OK)
			status = sop_commit(txn, &err);
		if (status != SOP_CONFLICT)
			break;
		status = sop_txn_again(txn, &err);
		if (status != SOP_OK)
			break;
	}
	(void)sop_txn_attempts(txn, attempts, NULL);
	sop_buf_free(&value);
	return status;
}

static void one_slow_and_two_fast(size_t index, void *arg)
{
	struct contention *contention = arg;
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_txn *txn = NULL;
	sop_status status = SOP_OK;

	options.deadline_ms = 60000;
	if (sop_begin(contention->f->db, &options, &txn, &err) != SOP_OK)
		test_note_failure("begin: %s", err.message);
	if (index == 0) {
		for (size_t win = 0; win < WINS && status == SOP_OK; win++) {
			if (win > 0)
				status = sop_txn_renew(txn, &err);
			if (status == SOP_OK)
				status = win_once(contention, txn, &contention->attempts[win]);
		}
		contention->status = status;
		atomic_store(&contention->over, 1);
	}
	while (index != 0 && atomic_load(&contention->over) == 0) {
		if (sop_put(txn, contention->f->raw, test_text("a"), test_text("fast"), &err) != SOP_OK ||
		    sop_commit(txn, &err) != SOP_OK || sop_txn_renew(txn, &err) != SOP_OK) {
			test_note_failure("a fast one: %s", err.message);
			break;
		}
		atomic_fetch_add(&contention->overtaken, 1);
	}
	sop_txn_free(txn);
}

/* From the sixth attempt on the others wait for the one who lost. */
static void the_one_who_always_loses_wins_in_the_end(void **state)
{
	struct fixture f;
	struct contention contention = { .f = &f };

	(void)state;
	test_forget_failures();
	fixture_open(&f);
	test_run_threads(3, one_slow_and_two_fast, &contention);
	TEST_NO_FAILURES();
	assert_int_equal(contention.status, SOP_OK);
	for (size_t win = 0; win < WINS; win++)
		assert_in_range(contention.attempts[win], 1, ATTEMPTS_MAX);
	assert_true(atomic_load(&contention.overtaken) > WINS); /* and the others were not kept out for ever */
	fixture_works(f.db);
	fixture_close(&f);
}

/* ---- handles that move ------------------------------------------------------------------------------------------- */

struct moving {
	struct fixture *f;
	_Atomic unsigned turn;
};

/* Each thread takes its turn in the same transaction: that is allowed. */
static void take_turns(size_t index, void *arg)
{
	struct moving *moving = arg;
	uint8_t room[8];

	for (unsigned i = 0; i < 200; i++) {
		sop_error err = SOP_ERROR_INIT;

		while (atomic_load(&moving->turn) % 4 != index)
			test_sleep_us(1);
		if (sop_put(moving->f->txn, moving->f->raw, test_key_u64(room, i * 4 + index),
			    test_text("v"), &err) != SOP_OK)
			test_note_failure("thread %zu: %s", index, err.message);
		atomic_fetch_add(&moving->turn, 1);
	}
}

static void a_transaction_may_move_between_threads(void **state)
{
	struct fixture f;
	struct moving moving = { &f, 0 };
	uint64_t count = 0;

	(void)state;
	test_forget_failures();
	fixture_open(&f);
	test_run_threads(4, take_turns, &moving);
	TEST_NO_FAILURES();
	TEST_OK(sop_count(f.txn, f.raw, NULL, &count, &f.err), f.err);
	assert_int_equal(count, 800 + FIXTURE_ITEMS + 1);
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_threads_in_one_transaction_get_misuse),
		cmocka_unit_test(cancelling_ends_the_call_that_runs_and_the_transaction),
		cmocka_unit_test(rolling_back_from_outside_waits_for_the_call_that_runs),
		cmocka_unit_test(closing_waits_for_the_calls_that_run),
		cmocka_unit_test(closing_under_load_harms_nobody),
		cmocka_unit_test(the_one_who_always_loses_wins_in_the_end),
		cmocka_unit_test(a_transaction_may_move_between_threads),
		cmocka_unit_test(every_message_says_what_to_do),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
