/* Every function with every pointer spoiled: NULL, a handle of another kind, a closed one, a freed parent. */
#include "api/calls.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned checks;

/* Runs `call` and compares its status; a failure must explain itself. */
static void expect(const struct call *call, struct arguments *a, sop_status status, const char *how)
{
	const sop_error fresh = SOP_ERROR_INIT;
	sop_status got;

	if (a->err != NULL)
		*a->err = fresh;
	got = call->run(a);
	checks++;
	if (got != status)
		fail_msg("%s with %s: %s instead of %s: %s", call->name, how, sop_status_name(got),
			 sop_status_name(status), a->err != NULL ? a->err->message : "");
	if (a->err == NULL)
		return;
	if (status == SOP_OK)
		assert_int_equal(a->err->status, SOP_OK); /* success leaves the error untouched */
	else
		error_tells(a->err, status, call->name);
}

/* A fixture and good arguments for one call. */
struct scene {
	struct fixture fixture;
	struct outputs outputs;
	struct arguments a;
};

static void scene_open(struct scene *scene)
{
	fixture_open(&scene->fixture);
	arguments_good(&scene->a, &scene->fixture, &scene->outputs);
}

static void scene_close(struct scene *scene)
{
	outputs_free(&scene->outputs);
	fixture_close(&scene->fixture);
}

/* ---- the table is complete ------------------------------------------------------------------------------------- */

static bool in_table(const char *name)
{
	for (size_t i = 0; i < call_count; i++)
		if (strcmp(calls[i].name, name) == 0)
			return true;
	return false;
}

/* Looks up each function that the text of a header declares; returns how many there are. */
static size_t check_header(const char *text, const char *file)
{
	size_t found = 0;

	for (const char *at = text; (at = strstr(at, "\nSOP_API ")) != NULL;) {
		const char *open = strchr(at, '(');
		const char *name = open;
		char copy[128];

		assert_non_null(open);
		while (name > at && (name[-1] == '_' || (name[-1] >= 'a' && name[-1] <= 'z') ||
				     (name[-1] >= '0' && name[-1] <= '9')))
			name--;
		(void)snprintf(copy, sizeof copy, "%.*s", (int)(open - name), name);
		if (!in_table(copy))
			fail_msg("%s of %s has no line in the table of tests/api/calls.c", copy, file);
		found++;
		at = open;
	}
	return found;
}

static void every_public_function_is_in_the_table(void **state)
{
	static const char folder[] = SOP_TEST_DATA_DIR "/../../include/sop";
	DIR *headers = opendir(folder);
	const struct dirent *entry;
	size_t found = 0;

	(void)state;
	assert_non_null(headers);
	while ((entry = readdir(headers)) != NULL) {
		static char text[1 << 18];
		char path[1024];
		FILE *file;

		if (strstr(entry->d_name, ".h") == NULL)
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		file = fopen(path, "r");
		assert_non_null(file);
		text[fread(text, 1, sizeof text - 1, file)] = '\0';
		fclose(file);
		found += check_header(text, entry->d_name);
	}
	closedir(headers);
	assert_int_equal(found, call_count);
}

/* ---- good calls ------------------------------------------------------------------------------------------------ */

static void good_arguments_are_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < call_count; i++) {
		struct scene scene;

		scene_open(&scene);
		expect(&calls[i], &scene.a, calls[i].good, "good arguments");
		scene_close(&scene);
	}
}

static void what_may_be_null_may_be_null(void **state)
{
	(void)state;
	for (size_t i = 0; i < call_count; i++) {
		struct scene scene;

		scene_open(&scene);
		scene.a.key_buf = NULL;
		scene.a.schema_buf = NULL;
		scene.a.about = NULL;
		scene.a.maybe_number = NULL;
		scene.a.maybe_count = NULL;
		scene.a.maybe_entry = NULL;
		scene.a.found = NULL;
		scene.a.progress = NULL;
		scene.a.err = NULL;
		expect(&calls[i], &scene.a, calls[i].good, "NULL for all that is optional");
		scene_close(&scene);
	}
}

/* ---- spoiled pointers ------------------------------------------------------------------------------------------ */

static void null_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < call_count; i++) {
		for (size_t need = 0; need < ARGUMENTS_MAX && calls[i].needs[need] != 0; need++) {
			struct scene scene;
			char how[64];

			scene_open(&scene);
			(void)snprintf(how, sizeof how, "NULL for pointer %zu", need + 1);
			argument_set(&scene.a, calls[i].needs[need], NULL);
			expect(&calls[i], &scene.a, calls[i].null, how);
			scene.a.err = NULL;
			expect(&calls[i], &scene.a, calls[i].null, how);
			if (calls[i].null != SOP_OK && calls[i].needs[0] == ARGUMENT(txn) && need > 0)
				assert_int_equal(sop_commit(scene.fixture.txn, NULL),
						 SOP_OK); /* the transaction goes on */
			scene_close(&scene);
		}
	}
}

static const size_t handles[] = { ARGUMENT(db),	     ARGUMENT(txn),    ARGUMENT(store),
				  ARGUMENT(missing), ARGUMENT(cursor), ARGUMENT(options),
				  ARGUMENT(schema) };

static void *pointer_at(const struct arguments *a, size_t need)
{
	void *pointer;

	memcpy(&pointer, (const char *)a + need - 1, sizeof pointer);
	return pointer;
}

static void handles_of_another_kind_are_refused(void **state)
{
	static uint64_t zeros[64];
	static uint64_t noise[64];

	(void)state;
	memset(noise, 0xA7, sizeof noise);
	for (size_t i = 0; i < call_count; i++) {
		for (size_t wanted = 0; wanted < sizeof handles / sizeof *handles; wanted++) {
			const size_t need = handles[wanted];
			const bool is_store = need == ARGUMENT(store) || need == ARGUMENT(missing);
			struct scene scene;

			if (!call_needs(&calls[i], need))
				continue;
			scene_open(&scene);
			for (size_t given = 0; given < sizeof handles / sizeof *handles + 2; given++) {
				const size_t kinds = sizeof handles / sizeof *handles;
				struct arguments spoiled = scene.a;
				char how[64];

				if (given < kinds &&
				    (handles[given] == need ||
				     (is_store && (handles[given] == ARGUMENT(store) ||
						   handles[given] == ARGUMENT(missing)))))
					continue;
				argument_set(&spoiled, need,
					     given < kinds    ? pointer_at(&scene.a, handles[given])
					     : given == kinds ? (void *)zeros
							      : (void *)noise);
				(void)snprintf(how, sizeof how, "handle %zu where %zu belongs",
					       given, wanted);
				expect(&calls[i], &spoiled, calls[i].null, how);
			}
			scene_close(&scene);
		}
	}
}

/* ---- closed and freed ------------------------------------------------------------------------------------------ */

static bool needs_open_handle(const struct call *call)
{
	return call_needs(call, ARGUMENT(db)) || call_needs(call, ARGUMENT(txn)) ||
	       call_needs(call, ARGUMENT(cursor));
}

static void closed_databases_answer_closed(void **state)
{
	(void)state;
	for (size_t i = 0; i < call_count; i++) {
		struct scene scene;

		scene_open(&scene);
		TEST_OK(sop_close(scene.fixture.db, &scene.fixture.err), scene.fixture.err);
		expect(&calls[i], &scene.a,
		       needs_open_handle(&calls[i]) ? calls[i].closed : calls[i].good,
		       "a closed database");
		scene_close(&scene);
	}
}

static void children_of_a_freed_database_answer_closed(void **state)
{
	(void)state;
	for (size_t i = 0; i < call_count; i++) {
		struct scene scene;

		if (call_needs(&calls[i], ARGUMENT(db)))
			continue;
		scene_open(&scene);
		sop_db_free(scene.fixture.db);
		scene.fixture.db = NULL;
		expect(&calls[i], &scene.a,
		       needs_open_handle(&calls[i]) ? calls[i].closed : calls[i].good,
		       "a freed database");
		scene_close(&scene);
	}
}

static void cursors_of_a_freed_transaction_answer_closed(void **state)
{
	(void)state;
	for (size_t i = 0; i < call_count; i++) {
		struct scene scene;

		if (!call_needs(&calls[i], ARGUMENT(cursor)))
			continue;
		scene_open(&scene);
		sop_txn_free(scene.fixture.txn);
		scene.fixture.txn = NULL;
		expect(&calls[i], &scene.a, SOP_CLOSED, "a freed transaction");
		scene_close(&scene);
	}
}

static void cursors_of_an_ended_transaction_answer_closed(void **state)
{
	(void)state;
	for (size_t i = 0; i < call_count; i++) {
		for (unsigned how = 0; how < 3; how++) {
			struct scene scene;

			if (!call_needs(&calls[i], ARGUMENT(cursor)))
				continue;
			scene_open(&scene);
			if (how == 0)
				TEST_OK(sop_commit(scene.fixture.txn, &scene.fixture.err),
					scene.fixture.err);
			else
				TEST_OK(sop_rollback(scene.fixture.txn, &scene.fixture.err),
					scene.fixture.err);
			if (how == 2) /* a new transaction on the same handle is not that of the cursor */
				TEST_OK(sop_txn_renew(scene.fixture.txn, &scene.fixture.err),
					scene.fixture.err);
			expect(&calls[i], &scene.a, SOP_CLOSED, "an ended transaction");
			scene_close(&scene);
		}
	}
}

/* What calls on a transaction answer after it has ended; all others: MISUSE or CLOSED. */
static bool after_end(const char *name, bool was_committed, sop_status got)
{
	if (strcmp(name, "sop_commit") == 0)
		return got == (was_committed ? SOP_OK : SOP_MISUSE);
	if (strcmp(name, "sop_rollback") == 0)
		return got == (was_committed ? SOP_MISUSE : SOP_OK);
	if (strcmp(name, "sop_txn_renew") == 0 || strcmp(name, "sop_txn_id") == 0 ||
	    strcmp(name, "sop_txn_attempts") == 0)
		return got == SOP_OK;
	if (strcmp(name, "sop_txn_position") == 0)
		return got == (was_committed ? SOP_OK : SOP_MISUSE);
	if (strcmp(name, "sop_txn_conflict") == 0)
		return got == SOP_NOT_FOUND;
	if (strcmp(name, "sop_txn_cancel") == 0)
		return got == SOP_OK || got == SOP_MISUSE;
	return got == SOP_MISUSE || got == SOP_CLOSED;
}

static void ended_transactions_answer_a_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < call_count; i++) {
		for (unsigned committed = 0; committed < 2; committed++) {
			struct scene scene;
			sop_status got;

			if (!call_needs(&calls[i], ARGUMENT(txn)))
				continue;
			scene_open(&scene);
			if (committed == 1)
				TEST_OK(sop_commit(scene.fixture.txn, &scene.fixture.err),
					scene.fixture.err);
			else
				TEST_OK(sop_rollback(scene.fixture.txn, &scene.fixture.err),
					scene.fixture.err);
			got = calls[i].run(&scene.a);
			checks++;
			if (!after_end(calls[i].name, committed == 1, got))
				fail_msg("%s after %s: %s: %s", calls[i].name,
					 committed == 1 ? "commit" : "rollback",
					 sop_status_name(got), scene.fixture.err.message);
			if (got != SOP_OK)
				error_tells(&scene.fixture.err, got, calls[i].name);
			fixture_works(scene.fixture.db);
			scene_close(&scene);
		}
	}
}

static void writing_in_a_reader_is_read_only(void **state)
{
	static const char *const writers[] = {
		"sop_store_create", "sop_store_drop",	"sop_store_rename", "sop_put", "sop_insert",
		"sop_update",	    "sop_set_ride",	"sop_remove",	    "sop_add", "sop_min",
		"sop_max",	    "sop_remove_range", "sop_put_many"
	};

	(void)state;
	for (size_t i = 0; i < call_count; i++) {
		bool writes = false;
		struct scene scene;

		if (!call_needs(&calls[i], ARGUMENT(txn)))
			continue;
		for (size_t w = 0; w < sizeof writers / sizeof *writers; w++)
			writes = writes || strcmp(writers[w], calls[i].name) == 0;
		scene_open(&scene);
		scene.a.txn = scene.fixture.reader;
		expect(&calls[i], &scene.a, writes ? SOP_READ_ONLY : calls[i].good,
		       "a transaction that reads");
		if (writes) /* it goes on */
			TEST_OK(sop_get(scene.fixture.reader, scene.fixture.store, fixture_key('a'),
					&scene.outputs.buf, &scene.fixture.err),
				scene.fixture.err);
		scene_close(&scene);
	}
}

static void stores_of_another_database_are_refused(void **state)
{
	struct fixture other;

	(void)state;
	fixture_open(&other);
	for (size_t i = 0; i < call_count; i++) {
		struct scene scene;
		const bool creates = call_needs(&calls[i], ARGUMENT(missing));

		if (!creates && (!call_needs(&calls[i], ARGUMENT(store)) ||
				 strcmp(calls[i].name, "sop_store_name") == 0))
			continue;
		scene_open(&scene);
		scene.a.store = other.store;
		scene.a.missing = other.missing;
		expect(&calls[i], &scene.a, SOP_MISUSE, "a store of another database");
		scene_close(&scene);
	}
	fixture_close(&other);
}

static void stores_that_are_not_there_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < call_count; i++) {
		struct scene scene;

		if (!call_needs(&calls[i], ARGUMENT(store)) ||
		    strcmp(calls[i].name, "sop_store_name") == 0)
			continue;
		scene_open(&scene);
		scene.a.store = scene.fixture.missing;
		expect(&calls[i], &scene.a, SOP_NOT_FOUND, "a store that is not there");
		assert_string_equal(scene.fixture.err.store, "missing");
		scene_close(&scene);
	}
}

/* ---- the error structure --------------------------------------------------------------------------------------- */

/* Callers may know a shorter or a longer structure: nothing is written beyond its size. */
static void errors_keep_within_their_size(void **state)
{
	const size_t sizes[] = { 0,
				 8,
				 12,
				 16,
				 24,
				 offsetof(sop_error, store),
				 offsetof(sop_error, message),
				 offsetof(sop_error, message) + 10,
				 sizeof(sop_error),
				 sizeof(sop_error) + 64 };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		union {
			sop_error err;
			uint8_t bytes[sizeof(sop_error) + 256];
		} room;

		memset(&room, 0xC3, sizeof room);
		room.err.size = sizes[i];
		assert_int_equal(sop_commit(NULL, &room.err), SOP_MISUSE);
		checks++;
		for (size_t at = sizes[i] < sizeof(size_t) ? sizeof(size_t) : sizes[i];
		     at < sizeof room; at++)
			if (room.bytes[at] != 0xC3)
				fail_msg("an error of %zu bytes was written at %zu", sizes[i], at);
		if (sizes[i] >= offsetof(sop_error, offset)) /* less was never a sop_error */
			assert_int_equal(room.err.status, SOP_MISUSE);
		if (sizes[i] >= sizeof(sop_error))
			assert_true(room.err.message[0] != '\0');
		assert_int_equal(room.err.size, sizes[i]);
	}
}

static int print_checks(void **state)
{
	(void)state;
	print_message("misuse: %u calls of %zu functions\n", checks, call_count);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_public_function_is_in_the_table),
		cmocka_unit_test(good_arguments_are_good),
		cmocka_unit_test(what_may_be_null_may_be_null),
		cmocka_unit_test(null_is_refused),
		cmocka_unit_test(handles_of_another_kind_are_refused),
		cmocka_unit_test(closed_databases_answer_closed),
		cmocka_unit_test(children_of_a_freed_database_answer_closed),
		cmocka_unit_test(cursors_of_a_freed_transaction_answer_closed),
		cmocka_unit_test(cursors_of_an_ended_transaction_answer_closed),
		cmocka_unit_test(ended_transactions_answer_a_status),
		cmocka_unit_test(writing_in_a_reader_is_read_only),
		cmocka_unit_test(stores_of_another_database_are_refused),
		cmocka_unit_test(stores_that_are_not_there_are_named),
		cmocka_unit_test(errors_keep_within_their_size),
		cmocka_unit_test(every_message_says_what_to_do),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, print_checks);
}
