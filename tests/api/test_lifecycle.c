/* Handles from birth to free: every order of closing, twice, too late, and in a forked child. */
#include "api/calls.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- orders of closing ------------------------------------------------------------------------------------------ */

enum step {
	CLOSE_DB,
	FREE_DB,
	COMMIT,
	ROLL_BACK,
	FREE_TXN,
	FREE_CURSOR,
	FREE_STORE,
	FREE_READER,
	STEPS
};

static void take_step(struct fixture *f, enum step step)
{
	switch (step) {
	case CLOSE_DB:
		if (f->db != NULL)
			TEST_OK(sop_close(f->db, &f->err), f->err);
		break;
	case FREE_DB:
		sop_db_free(f->db);
		f->db = NULL;
		break;
	case COMMIT:
		if (f->txn != NULL)
			(void)sop_commit(f->txn, &f->err);
		break;
	case ROLL_BACK:
		if (f->txn != NULL)
			(void)sop_rollback(f->txn, &f->err);
		break;
	case FREE_TXN:
		sop_txn_free(f->txn);
		f->txn = NULL;
		break;
	case FREE_CURSOR:
		sop_cursor_free(f->cursor);
		f->cursor = NULL;
		break;
	case FREE_STORE:
		sop_store_free(f->store);
		f->store = NULL;
		break;
	default:
		sop_txn_free(f->reader);
		f->reader = NULL;
		break;
	}
}

/* Every handle that is left answers with a status to every kind of call. */
static void poke(struct fixture *f)
{
	sop_buf buf = SOP_BUF_INIT;
	sop_stats stats = SOP_STATS_INIT;
	sop_entry entry;

	if (f->cursor != NULL) {
		(void)sop_cursor_next(f->cursor, &entry, &f->err);
		(void)sop_cursor_update(f->cursor, test_text("poked"), &f->err);
	}
	if (f->txn != NULL && f->store != NULL)
		(void)sop_get(f->txn, f->store, fixture_key('a'), &buf, &f->err);
	if (f->reader != NULL && f->raw != NULL)
		(void)sop_get(f->reader, f->raw, test_text("a"), &buf, &f->err);
	if (f->txn != NULL)
		(void)sop_put(f->txn, f->raw, test_text("poked"), test_text("poked"), &f->err);
	if (f->db != NULL)
		(void)sop_db_stats(f->db, &stats, &f->err);
	if (f->db != NULL && f->store != NULL)
		(void)sop_read(f->db, f->store, fixture_key('a'), &buf, &f->err);
	if (f->store != NULL)
		assert_string_equal(sop_store_name(f->store), "people");
	sop_buf_free(&buf);
}

/* The order with this number, of the 8! that there are. */
static void order_of(unsigned number, enum step order[STEPS])
{
	for (unsigned i = 0; i < STEPS; i++)
		order[i] = (enum step)i;
	for (unsigned left = STEPS; left > 1; left--) {
		const unsigned pick = number % left;
		const enum step last = order[left - 1];

		number /= left;
		order[left - 1] = order[pick];
		order[pick] = last;
	}
}

/* All of them at scale 1; each frees everything, which a leak checker confirms. */
static void every_order_of_closing_is_survived(void **state)
{
	const unsigned all = 8 * 7 * 6 * 5 * 4 * 3 * 2;
	const uint64_t wanted = test_scaled(all);
	const unsigned stride = wanted >= all ? 1 : (unsigned)(all / wanted) | 1;
	unsigned orders = 0;

	(void)state;
	for (unsigned number = 0; number < all; number += stride) {
		enum step order[STEPS];
		struct fixture f;

		order_of(number, order);
		fixture_open(&f);
		for (unsigned i = 0; i < STEPS; i++) {
			take_step(&f, order[i]);
			poke(&f);
		}
		fixture_close(&f);
		orders++;
	}
	print_message("%u orders of closing\n", orders);
}

static void closing_twice_does_nothing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	for (unsigned i = 0; i < 3; i++)
		TEST_OK(sop_close(f.db, &f.err), f.err);
	TEST_STATUS(sop_commit(f.txn, &f.err), SOP_CLOSED, f.err);
	TEST_STATUS(sop_rollback(f.txn, &f.err), SOP_CLOSED, f.err);
	fixture_close(&f);
}

static void closing_rolls_back_what_is_open(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	sop_buf value = SOP_BUF_INIT;
	sop_txn *open[300];
	struct fixture f;

	(void)state;
	fixture_open(&f);
	for (size_t i = 0; i < 300; i++) {
		TEST_OK(sop_begin(f.db, NULL, &open[i], &err), err);
		TEST_OK(sop_put(open[i], f.raw, test_text("k"), test_text("v"), &err), err);
	}
	TEST_OK(sop_close(f.db, &err), err);
	for (size_t i = 0; i < 300; i++) {
		TEST_STATUS(sop_get(open[i], f.raw, test_text("a"), &value, &err), SOP_CLOSED, err);
		TEST_STATUS(sop_txn_renew(open[i], &err), SOP_CLOSED, err);
		sop_txn_free(open[i]);
	}
	fixture_close(&f);
}

static void commit_and_rollback_may_be_repeated(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_put(f.txn, f.raw, test_text("k"), test_text("v"), &f.err), f.err);
	for (unsigned i = 0; i < 3; i++)
		TEST_OK(sop_commit(f.txn, &f.err), f.err);
	TEST_STATUS(sop_rollback(f.txn, &f.err), SOP_MISUSE, f.err);
	error_tells(&f.err, SOP_MISUSE, "sop_rollback after sop_commit");
	for (unsigned i = 0; i < 3; i++)
		TEST_OK(sop_commit(f.reader, &f.err), f.err);
	TEST_OK(sop_txn_renew(f.txn, &f.err), f.err);
	for (unsigned i = 0; i < 3; i++)
		TEST_OK(sop_rollback(f.txn, &f.err), f.err);
	TEST_STATUS(sop_commit(f.txn, &f.err), SOP_MISUSE, f.err);
	error_tells(&f.err, SOP_MISUSE, "sop_commit after sop_rollback");
	TEST_OK(sop_txn_renew(f.txn, &f.err), f.err);
	TEST_STATUS(sop_txn_renew(f.txn, &f.err), SOP_MISUSE, f.err);
	fixture_works(f.db);
	fixture_close(&f);
}

/* Work that is tried again has the id that the caller gave it; the one after it does not. */
static void an_id_is_kept_until_it_has_committed(void **state)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_outcome outcome;
	uint8_t id[16];
	sop_txn *txn = NULL, *other = NULL;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	memset(options.id, 7, sizeof options.id);
	options.deadline_ms = 3600000;
	TEST_OK(sop_begin(f.db, &options, &txn, &f.err), f.err);
	for (unsigned i = 0; i < 2; i++) {
		TEST_OK(sop_put(txn, f.raw, test_text("k"), test_text("v"), &f.err), f.err);
		TEST_OK(sop_rollback(txn, &f.err), f.err);
		TEST_OK(sop_txn_renew(txn, &f.err), f.err);
		TEST_OK(sop_txn_id(txn, id, &f.err), f.err);
		assert_memory_equal(id, options.id, sizeof id);
	}
	TEST_STATUS(sop_begin(f.db, &options, &other, &f.err), SOP_EXISTS, f.err);
	TEST_OK(sop_put(txn, f.raw, test_text("k"), test_text("v"), &f.err), f.err);
	TEST_OK(sop_commit(txn, &f.err), f.err);
	TEST_OK(sop_txn_outcome(f.db, options.id, &outcome, NULL, &f.err), f.err);
	assert_int_equal(outcome, SOP_OUTCOME_COMMITTED);
	TEST_OK(sop_txn_renew(txn, &f.err), f.err);
	TEST_OK(sop_txn_id(txn, id, &f.err), f.err);
	assert_memory_not_equal(id, options.id, sizeof id);
	sop_txn_free(txn);
	fixture_close(&f);
}

/* While it was rolled back, another transaction took its id. */
static void an_id_that_another_one_took_is_not_renewed(void **state)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_txn *txn = NULL, *other = NULL;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	memset(options.id, 8, sizeof options.id);
	TEST_OK(sop_begin(f.db, &options, &txn, &f.err), f.err);
	TEST_OK(sop_rollback(txn, &f.err), f.err);
	TEST_OK(sop_begin(f.db, &options, &other, &f.err), f.err);
	TEST_STATUS(sop_txn_renew(txn, &f.err), SOP_EXISTS, f.err);
	TEST_OK(sop_put(other, f.raw, test_text("k"), test_text("v"), &f.err), f.err);
	TEST_OK(sop_commit(other, &f.err), f.err);
	TEST_STATUS(sop_txn_renew(txn, &f.err), SOP_EXISTS, f.err);
	sop_txn_free(txn);
	sop_txn_free(other);
	fixture_close(&f);
}

static void a_store_outlives_its_declaration_and_the_other_way_round(void **state)
{
	struct fixture f;
	sop_store *again = NULL;
	sop_buf value = SOP_BUF_INIT;

	(void)state;
	fixture_open(&f);
	sop_store_free(f.store); /* the cursor that is open over it goes on */
	f.store = NULL;
	TEST_OK(sop_cursor_next(f.cursor, NULL, &f.err), f.err);
	TEST_OK(sop_store_open(f.db, test_text("people"), NULL, &again, &f.err), f.err);
	TEST_OK(sop_get(f.txn, again, fixture_key('b'), &value, &f.err), f.err);
	TEST_OK(sop_store_drop(f.txn, again, &f.err), f.err);
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	TEST_OK(sop_txn_renew(f.txn, &f.err), f.err);
	TEST_STATUS(sop_get(f.txn, again, fixture_key('b'), &value, &f.err), SOP_NOT_FOUND, f.err);
	assert_string_equal(f.err.store, "people");
	(void)sop_rollback(f.txn, NULL);
	TEST_OK(sop_txn_renew(f.txn, &f.err), f.err);
	TEST_OK(sop_store_create(f.txn, again, &f.err), f.err); /* now raw: the declaration says nothing else */
	TEST_OK(sop_put(f.txn, again, test_text("any bytes"), test_text("v"), &f.err), f.err);
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	TEST_OK(sop_get(f.reader, f.raw, test_text("a"), &value, &f.err), f.err);
	sop_buf_free(&value);
	sop_store_free(again);
	fixture_close(&f);
}

/* What a program declares is compared with what is there when it is first used. */
static void a_copied_entry_outlives_its_transaction(void **state)
{
	sop_cursor *copies = NULL, *plain = NULL;
	sop_entry entry, view;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_cursor_open(f.reader, f.raw, NULL, SOP_CURSOR_COPIES, &copies, &f.err), f.err);
	TEST_OK(sop_cursor_open(f.reader, f.raw, NULL, 0, &plain, &f.err), f.err);
	TEST_OK(sop_cursor_first(plain, &view, &f.err), f.err);
	TEST_OK(sop_cursor_first(copies, &entry, &f.err), f.err);
	assert_ptr_not_equal(entry.value.data, view.value.data);
	TEST_OK(sop_cursor_next(plain, &view, &f.err), f.err);
	TEST_OK(sop_cursor_next(copies, &entry, &f.err), f.err); /* the quick step copies too */
	assert_ptr_not_equal(entry.value.data, view.value.data);
	assert_int_equal(entry.value.size, view.value.size);
	assert_memory_equal(entry.value.data, view.value.data, view.value.size);
	TEST_OK(sop_close(f.db, &f.err), f.err);
	assert_int_equal(entry.key.size, 1);
	assert_memory_equal(entry.key.data, "b", 1);
	assert_int_not_equal(entry.value.size, 0);
	sop_cursor_free(copies);
	sop_cursor_free(plain);
	fixture_close(&f);
}

static void another_declaration_is_a_schema_error_that_names_the_difference(void **state)
{
	static const char *const others[] = {
		"{\"v\":1,\"sort\":[{\"n\":\"name\",\"t\":\"int\"}],\"ride\":[{\"n\":\"gone\",\"t\":\"bool\",\"default\":false}]}",
		"{\"v\":1,\"sort\":[{\"n\":\"other\",\"t\":\"str\"}],\"ride\":[{\"n\":\"gone\",\"t\":\"bool\",\"default\":false}]}",
		("{\"v\":1,\"sort\":[{\"n\":\"name\",\"t\":\"str\",\"desc\":true}],"
		 "\"ride\":[{\"n\":\"gone\",\"t\":\"bool\",\"default\":false}]}"),
		"{\"v\":1,\"sort\":[{\"n\":\"name\",\"t\":\"str\"}]}",
	};
	sop_buf value = SOP_BUF_INIT;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	for (size_t i = 0; i < 7; i++) {
		sop_store_options options = SOP_STORE_OPTIONS_INIT;
		sop_schema *schema = NULL;
		sop_store *store = NULL;
		const char *name = "people";

		if (i < 4) {
			TEST_OK(sop_schema_parse(test_text(others[i]), &schema, &f.err), f.err);
		} else if (i == 4) { /* duplicates where keys are unique */
			name = "raw";
			options.duplicates = 1;
		} else if (i == 5) { /* unique where there are duplicates */
			name = "twice";
		} else { /* a schema where there is none */
			name = "raw";
			TEST_OK(sop_schema_parse(test_text(others[0]), &schema, &f.err), f.err);
		}
		options.schema = schema;
		TEST_OK(sop_store_open(f.db, test_text(name), &options, &store, &f.err), f.err);
		TEST_STATUS(sop_get(f.txn, store, test_text("a"), &value, &f.err), SOP_SCHEMA, f.err);
		error_tells(&f.err, SOP_SCHEMA, "sop_get with another declaration");
		assert_string_equal(f.err.store, name);
		TEST_OK(sop_get(f.txn, f.raw, test_text("a"), &value, &f.err), f.err); /* the transaction goes on */
		sop_store_free(store);
		sop_schema_free(schema);
	}
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	sop_buf_free(&value);
	fixture_close(&f);
}

/* One ride-along field more, with a default, is the one change that is allowed. */
static void a_ride_field_may_be_appended(void **state)
{
	static const char json[] =
		"{\"v\":1,\"sort\":[{\"n\":\"name\",\"t\":\"str\"}],\"ride\":"
		"[{\"n\":\"gone\",\"t\":\"bool\",\"default\":false},{\"n\":\"n\",\"t\":\"int\",\"default\":7}]}";
	static const char with_both[] = "\x02z\x00\x01\x27\x15\x09";
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_schema *schema = NULL;
	sop_store *store = NULL;
	sop_buf key = SOP_BUF_INIT;
	sop_buf value = SOP_BUF_INIT;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_schema_parse(test_text(json), &schema, &f.err), f.err);
	options.schema = schema;
	TEST_OK(sop_store_open(f.db, test_text("people"), &options, &store, &f.err), f.err);
	TEST_OK(sop_get(f.txn, store, fixture_key('a'), &value, &f.err), f.err);
	TEST_OK(sop_put(f.txn, store, test_bytes(with_both, 7), test_text("v"), &f.err), f.err);
	TEST_OK(sop_fetch(f.txn, store, fixture_key('z'), 0, 0, &key, &value, NULL, &f.err), f.err);
	assert_int_equal(key.size, 7);
	assert_memory_equal(key.data, with_both, 7);
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	fixture_works(f.db);
	sop_buf_free(&key);
	sop_buf_free(&value);
	sop_store_free(store);
	sop_schema_free(schema);
	fixture_close(&f);
}

/* ---- fork -------------------------------------------------------------------------------------------------------- */

/* Runs in the child. Returns 0 if every call on what the parent opened answers FORKED, and new handles work. */
static int child(struct fixture *f)
{
	struct outputs outputs;
	struct arguments a;
	int wrong = 0;

	arguments_good(&a, f, &outputs);
	for (size_t i = 0; i < call_count; i++) {
		const bool inherits = call_needs(&calls[i], ARGUMENT(db)) ||
				      call_needs(&calls[i], ARGUMENT(txn)) ||
				      call_needs(&calls[i], ARGUMENT(cursor));
		const sop_error fresh = SOP_ERROR_INIT;
		sop_status got;

		f->err = fresh;
		got = calls[i].run(&a);
		if (inherits ? got != SOP_FORKED : got != calls[i].good) {
			fprintf(stderr, "%s in the child: %s: %s\n", calls[i].name,
				sop_status_name(got), f->err.message);
			wrong = 1;
		}
		if (inherits && f->err.message[0] == '\0')
			wrong = 2;
	}
	outputs_free(&outputs);
	fixture_close(f); /* freeing what was inherited is allowed */
	fixture_open(f); /* and the child may have its own */
	TEST_OK(sop_commit(f->txn, &f->err), f->err);
	fixture_works(f->db);
	fixture_close(f);
	return wrong;
}

static void a_forked_child_gets_forked_from_everything(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		struct fixture f;
		sop_buf value = SOP_BUF_INIT;
		int status = 0;
		pid_t pid;

		fixture_open(&f);
		TEST_OK(sop_put(f.txn, f.raw, test_text("k"), test_text("before fork"), &f.err), f.err);
		if (round == 2) /* closed ones are forked as well */
			TEST_OK(sop_close(f.db, &f.err), f.err);
		(void)fflush(NULL);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			(void)alarm(60);
			_exit(child(&f));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		if (round < 2) { /* the parent goes on */
			TEST_OK(sop_commit(f.txn, &f.err), f.err);
			TEST_OK(sop_read(f.db, f.raw, test_text("k"), &value, &f.err), f.err);
			TEST_STATUS(sop_cursor_first(f.cursor, NULL, &f.err), SOP_CLOSED, f.err);
			fixture_works(f.db);
		}
		sop_buf_free(&value);
		fixture_close(&f);
	}
}

static _Atomic int stop_working;

/* The address sanitizer does not keep its allocator whole over a fork, as the C library does: a child that allocates may
 * wait for ever for a thread that it does not have. */
#ifdef __SANITIZE_ADDRESS__
enum { CHILD_ALLOCATES = 0 };
#else
enum { CHILD_ALLOCATES = 1 };
#endif

static void work_or_fork(size_t index, void *arg)
{
	struct fixture *f = arg;
	sop_txn *txn = NULL;
	uint8_t room[8];

	if (index == 0) {
		for (unsigned i = 0; i < 30; i++) {
			int status = 0;
			const pid_t pid = fork();

			if (pid == 0) { /* whatever the other threads held when it began: no deadlock here */
				sop_stats stats = SOP_STATS_INIT;
				sop_db *db = NULL;

				(void)alarm(30);
				if (sop_db_stats(f->db, &stats, NULL) != SOP_FORKED)
					_exit(1);
				if (!CHILD_ALLOCATES)
					_exit(0);
				if (sop_open("inmemory:", NULL, &db, NULL) != SOP_OK)
					_exit(2);
				sop_db_free(db);
				sop_txn_free(f->reader);
				_exit(0);
			}
			if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
			    WEXITSTATUS(status) != 0)
				test_note_failure("child %u ended with %x", i, (unsigned)status);
			test_sleep_us(500);
		}
		atomic_store(&stop_working, 1);
		return;
	}
	if (sop_begin(f->db, NULL, &txn, NULL) != SOP_OK)
		test_note_failure("begin");
	for (uint64_t i = 0; atomic_load(&stop_working) == 0; i++) {
		if (sop_put(txn, f->raw, test_key_u64(room, i % 1000 * 4 + index), test_text("v"),
			    NULL) != SOP_OK ||
		    sop_commit(txn, NULL) != SOP_OK || sop_txn_renew(txn, NULL) != SOP_OK) {
			test_note_failure("the parent's thread %zu cannot work", index);
			break;
		}
	}
	sop_txn_free(txn);
}

static void forking_while_others_work_harms_nobody(void **state)
{
	struct fixture f;

	(void)state;
	test_forget_failures();
	atomic_store(&stop_working, 0);
	fixture_open(&f);
	test_run_threads(3, work_or_fork, &f);
	TEST_NO_FAILURES();
	fixture_works(f.db);
	fixture_close(&f);
}

/* ---- closing in a callback --------------------------------------------------------------------------------------- */

struct closing {
	struct fixture *f;
	sop_db *other;
	unsigned calls;
	char message[256];
};

static int close_in_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	struct closing *closing = arg;
	sop_error err = SOP_ERROR_INIT;

	(void)done_bytes;
	(void)total_bytes;
	closing->calls++;
	TEST_STATUS(sop_close(closing->f->db, &err), SOP_MISUSE, err);
	(void)snprintf(closing->message, sizeof closing->message, "%s", err.message);
	sop_db_free(closing->f->db); /* does nothing */
	return 0;
}

static int verify_another_in_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	struct closing *closing = arg;
	sop_error err = SOP_ERROR_INIT;

	(void)done_bytes;
	(void)total_bytes;
	TEST_OK(sop_verify(closing->other, NULL, close_in_progress, closing, NULL, &err), err);
	return 0;
}

static int close_another_in_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	struct closing *closing = arg;
	sop_error err = SOP_ERROR_INIT;

	(void)done_bytes;
	(void)total_bytes;
	TEST_OK(sop_close(closing->other, &err), err);
	return 0;
}

/* It would wait for the call that waits for it. */
static void a_callback_cannot_close_its_database(void **state)
{
	struct fixture f;
	struct closing closing = { .f = &f };

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_open("inmemory:", NULL, &closing.other, &f.err), f.err);
	(void)alarm(100); /* if it waits after all */
	TEST_OK(sop_verify(f.db, NULL, close_in_progress, &closing, NULL, &f.err), f.err);
	assert_true(closing.calls > 0);
	assert_non_null(strstr(closing.message, "cannot close it: stop the call from there"));
	closing.calls = 0;
	TEST_OK(sop_verify(f.db, NULL, verify_another_in_progress, &closing, NULL, &f.err), f.err);
	assert_true(closing.calls > 0);
	TEST_OK(sop_verify(f.db, NULL, close_another_in_progress, &closing, NULL, &f.err), f.err);
	(void)alarm(0);
	fixture_works(f.db);
	sop_db_free(closing.other);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closing_twice_does_nothing),
		cmocka_unit_test(closing_rolls_back_what_is_open),
		cmocka_unit_test(commit_and_rollback_may_be_repeated),
		cmocka_unit_test(an_id_is_kept_until_it_has_committed),
		cmocka_unit_test(an_id_that_another_one_took_is_not_renewed),
		cmocka_unit_test(a_store_outlives_its_declaration_and_the_other_way_round),
		cmocka_unit_test(a_copied_entry_outlives_its_transaction),
		cmocka_unit_test(another_declaration_is_a_schema_error_that_names_the_difference),
		cmocka_unit_test(a_ride_field_may_be_appended),
		cmocka_unit_test(a_forked_child_gets_forked_from_everything),
		cmocka_unit_test(forking_while_others_work_harms_nobody),
		cmocka_unit_test(a_callback_cannot_close_its_database),
		cmocka_unit_test(every_order_of_closing_is_survived),
		cmocka_unit_test(every_message_says_what_to_do),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
