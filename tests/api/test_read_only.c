/* Databases that are opened with the option read_only: everything is there, nothing is written. */
#include "support/folder.h"
#include "support/support.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PATH_BYTES = TEST_PATH_BYTES + 64,
	SMALL_ITEMS = 500,
	LARGE_ITEMS = 6000, /* of one commit: it is logged in parts */
	LARGE_VALUE = 100000,
	HUGE_VALUE = 3000000,
};

static char folder[TEST_PATH_BYTES];
static char path[PATH_BYTES];

static int choose_path(void **state)
{
	(void)state;
	test_folder_fresh(folder, path, sizeof path);
	return 0;
}

/* ---- opening and reading --------------------------------------------------------------------------- */

static sop_status open_with(const char *query, sop_db **db, sop_error *err)
{
	char url[PATH_BYTES + 64];

	(void)snprintf(url, sizeof url, "inredfs:%s%s", path, query);
	*db = NULL;
	return sop_open(url, NULL, db, err);
}

static sop_db *open_well(const char *query)
{
	sop_error err = SOP_ERROR_INIT;
	sop_db *db;

	TEST_OK(open_with(query, &db, &err), err);
	return db;
}

static void close_well(sop_db *db)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sop_close(db, &err), err);
	sop_db_free(db);
}

static uint64_t add_bytes(uint64_t sum, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 0x100000001B3u;
	return (sum ^ size) * 0x100000001B3u;
}

static uint64_t add_store(uint64_t sum, sop_txn *txn, sop_store *store)
{
	sop_error err = SOP_ERROR_INIT;
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_status status;

	TEST_OK(sop_cursor_open(txn, store, NULL, 0, &cursor, &err), err);
	while ((status = sop_cursor_next(cursor, &entry, &err)) == SOP_OK) {
		sum = add_bytes(sum, entry.key.data, entry.key.size);
		sum = add_bytes(sum, entry.value.data, entry.value.size);
		sum = add_bytes(sum, &entry.version, sizeof entry.version);
	}
	TEST_STATUS(status, SOP_NOT_FOUND, err);
	sop_cursor_free(cursor);
	return sum;
}

/* A checksum of all that there is. */
static uint64_t content_of(sop_db *db)
{
	sop_error err = SOP_ERROR_INIT;
	sop_buf names = SOP_BUF_INIT;
	sop_txn *txn = NULL;
	uint64_t sum = 0;

	TEST_OK(sop_begin(db, NULL, &txn, &err), err);
	TEST_OK(sop_store_list(txn, &names, NULL, &err), err);
	sum = add_bytes(sum, names.data, names.size);
	for (size_t at = 0; at < names.size; at += strlen((char *)names.data + at) + 1) {
		sop_store *store = NULL;

		TEST_OK(sop_store_open(db, test_text((char *)names.data + at), NULL, &store, &err), err);
		sum = add_store(sum, txn, store);
		sop_store_free(store);
	}
	TEST_OK(sop_commit(txn, &err), err);
	sop_txn_free(txn);
	sop_buf_free(&names);
	return sum;
}

/* ---- filling --------------------------------------------------------------------------------------- */

struct filling {
	sop_db *db;
	const char *name;
	uint64_t first, count;
	size_t value_bytes;
};

static sop_status fill_body(sop_txn *txn, void *arg, sop_error *err)
{
	const struct filling *filling = arg;
	void *value = test_alloc(filling->value_bytes);
	sop_store *store = NULL;
	uint8_t room[8];
	sop_status status;

	memset(value, 'v', filling->value_bytes);
	status = sop_store_open(filling->db, test_text(filling->name), NULL, &store, err);
	if (status == SOP_OK)
		status = sop_store_create(txn, store, err);
	if (status == SOP_EXISTS)
		status = SOP_OK;
	for (uint64_t i = 0; i < filling->count && status == SOP_OK; i++)
		status = sop_put(txn, store, test_key_u64(room, filling->first + i),
				 test_bytes(value, filling->value_bytes), err);
	sop_store_free(store);
	free(value);
	return status;
}

static void fill(sop_db *db, const char *name, uint64_t first, uint64_t count, size_t value_bytes)
{
	struct filling filling = { db, name, first, count, value_bytes };
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sop_run(db, NULL, fill_body, &filling, &err), err);
}

static sop_status drop_body(sop_txn *txn, void *arg, sop_error *err)
{
	return sop_store_drop(txn, arg, err);
}

static void drop(sop_db *db, const char *name)
{
	sop_error err = SOP_ERROR_INIT;
	sop_store *store = NULL;

	TEST_OK(sop_store_open(db, test_text(name), NULL, &store, &err), err);
	TEST_OK(sop_run(db, NULL, drop_body, store, &err), err);
	sop_store_free(store);
}

/* A bit of everything that a log may hold, some of it in a checkpoint. */
static void fill_all(sop_db *db)
{
	sop_error err = SOP_ERROR_INIT;

	fill(db, "small", 0, SMALL_ITEMS, 50);
	fill(db, "gone", 0, SMALL_ITEMS, LARGE_VALUE / 100);
	fill(db, "kept", 0, 20, LARGE_VALUE);
	TEST_OK(sop_checkpoint(db, &err), err);
	drop(db, "gone");
	fill(db, "small", SMALL_ITEMS / 2, SMALL_ITEMS, 60);
	fill(db, "kept", 10, 20, LARGE_VALUE);
	fill(db, "huge", 0, 1, HUGE_VALUE);
	fill(db, "large", 0, LARGE_ITEMS, 100);
	fill(db, "gone too", 0, 10, LARGE_VALUE);
	drop(db, "gone too");
}

static sop_db *make(void)
{
	sop_db *db = open_well("?create=true");

	fill_all(db);
	return db;
}

/* ---- tests ----------------------------------------------------------------------------------------- */

/* Opens it twice side by side, checks it, closes it: no file changes, and `content` is there. */
static void reads_and_leaves(uint64_t content)
{
	const uint64_t before = test_folder_fingerprint(path);
	sop_db *one = open_well("?read_only=true");
	sop_db *other = open_well("?read_only=1");
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sop_verify(one, NULL, NULL, NULL, NULL, &err), err);
	assert_true(content_of(one) == content);
	close_well(one);
	assert_true(content_of(other) == content);
	close_well(other);
	assert_true(test_folder_fingerprint(path) == before);
}

static void one_that_was_closed_shows_everything(void **state)
{
	sop_db *db = make();
	const uint64_t content = content_of(db);

	(void)state;
	close_well(db);
	reads_and_leaves(content);
	db = open_well("");
	assert_true(content_of(db) == content);
	close_well(db);
}

static void killed(int *to)
{
	sop_db *db = make();
	const uint64_t content = content_of(db);

	if (write(*to, &content, sizeof content) == (ssize_t)sizeof content)
		(void)raise(SIGKILL);
	_exit(1);
}

/* Makes it in a process that is killed then; returns what was there. */
static uint64_t make_and_kill(void)
{
	uint64_t content = 0;
	int ends[2], status = 0;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0)
		killed(&ends[1]);
	assert_int_equal(read(ends[0], &content, sizeof content), sizeof content);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return content;
}

static void one_that_was_killed_shows_everything_that_was_acknowledged(void **state)
{
	const uint64_t content = make_and_kill();
	sop_db *db;

	(void)state;
	reads_and_leaves(content);
	reads_and_leaves(content); /* as often as one likes */
	db = open_well("");
	assert_true(content_of(db) == content);
	fill(db, "small", 0, 1, 1);
	close_well(db);
}

/* Its name in LOCK, too, which is of the process that was killed. */
static void one_that_is_restored_elsewhere_stays_as_it_is(void **state)
{
	const uint64_t content = make_and_kill(), before = test_folder_fingerprint(path);
	sop_db *reader = open_well("?read_only=true");
	char source[PATH_BYTES];
	sop_error err = SOP_ERROR_INIT;

	(void)snprintf(source, sizeof source, "%s", path);
	choose_path(state);
	TEST_OK(sop_restore(source, path, NULL, NULL, &err), err);
	close_well(reader);
	assert_true(test_folder_fingerprint(source) == before);
	reads_and_leaves(content);
}

static void refused(sop_status status, const sop_error *err, const char *call)
{
	if (status != SOP_READ_ONLY || strstr(err->message, "read_only") == NULL)
		fail_msg("%s: %s: %s", call, sop_status_name(status), err->message);
}

#define REFUSED(call) refused(call, &err, #call)

static void changes_are_refused(sop_db *db, sop_txn *txn, sop_store *store)
{
	const sop_bytes key = test_text("k"), value = test_text("v");
	sop_error err = SOP_ERROR_INIT;
	sop_store *other = NULL;
	sop_cursor *cursor = NULL;
	sop_entry entry;
	uint8_t rows[8] = { 0 };

	TEST_OK(sop_store_open(db, test_text("other"), NULL, &other, &err), err);
	REFUSED(sop_put(txn, store, key, value, &err));
	REFUSED(sop_insert(txn, store, key, value, NULL, &err));
	REFUSED(sop_update(txn, store, key, 0, value, &err));
	REFUSED(sop_remove(txn, store, key, 0, &err));
	REFUSED(sop_add(txn, store, key, 1, &err));
	REFUSED(sop_min(txn, store, key, 1, &err));
	REFUSED(sop_remove_range(txn, store, NULL, NULL, &err));
	REFUSED(sop_put_many(txn, store, test_bytes(rows, sizeof rows), SOP_PUT, NULL, &err));
	REFUSED(sop_store_create(txn, other, &err));
	REFUSED(sop_store_drop(txn, store, &err));
	REFUSED(sop_store_rename(txn, store, test_text("renamed"), &err));
	TEST_OK(sop_cursor_open(txn, store, NULL, 0, &cursor, &err), err);
	TEST_OK(sop_cursor_first(cursor, &entry, &err), err);
	REFUSED(sop_cursor_update(cursor, value, &err));
	REFUSED(sop_cursor_remove(cursor, &err));
	sop_cursor_free(cursor);
	sop_store_free(other);
}

static void everything_that_writes_is_refused(void **state)
{
	static const uint32_t modes[] = { SOP_WRITE, SOP_READ, SOP_SNAPSHOT, SOP_NOCHECK };
	char copy[PATH_BYTES + 8];
	sop_error err = SOP_ERROR_INIT;
	sop_store *store = NULL;
	sop_db *db = make();
	uint64_t before;

	(void)state;
	close_well(db);
	before = test_folder_fingerprint(path);
	db = open_well("?read_only=true");
	(void)snprintf(copy, sizeof copy, "%s-copy", path);
	TEST_OK(sop_store_open(db, test_text("small"), NULL, &store, &err), err);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		sop_txn_options options = SOP_TXN_OPTIONS_INIT;
		uint64_t savepoint = 0, count = 0;
		sop_txn *txn = NULL;

		options.mode = modes[i];
		TEST_OK(sop_begin(db, &options, &txn, &err), err);
		changes_are_refused(db, txn, store);
		TEST_OK(sop_savepoint(txn, &savepoint, &err), err); /* it goes on */
		TEST_OK(sop_count(txn, store, NULL, &count, &err), err);
		assert_true(count > 0);
		TEST_OK(sop_commit(txn, &err), err);
		sop_txn_free(txn);
	}
	REFUSED(sop_gc(db, NULL, NULL, &err));
	REFUSED(sop_checkpoint(db, &err));
	REFUSED(sop_sync(db, &err));
	REFUSED(sop_backup(db, copy, NULL, NULL, NULL, &err));
	sop_store_free(store);
	close_well(db);
	assert_true(test_folder_fingerprint(path) == before);
	assert_int_equal(access(copy, F_OK), -1);
}

static void nothing_is_made_where_nothing_is(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	sop_db *db;

	(void)state;
	TEST_STATUS(open_with("?read_only=true&create=true", &db, &err), SOP_NOT_FOUND, err);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(mkdir(path, 0700), 0);
	TEST_STATUS(open_with("?read_only=true&create=true", &db, &err), SOP_NOT_FOUND, err);
	assert_int_equal(rmdir(path), 0); /* it is still empty */
}

/* Opens it in another process and tells how that went: its status. */
static sop_status status_in_child(const char *query, pid_t *pid, sop_error *err)
{
	struct {
		sop_status status;
		sop_error err;
	} told;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	*pid = fork();
	if (*pid == 0) {
		const sop_error fresh = SOP_ERROR_INIT;
		sop_db *db;

		told.err = fresh;
		told.status = open_with(query, &db, &told.err);
		if (write(ends[1], &told, sizeof told) != (ssize_t)sizeof told)
			_exit(1);
		(void)pause();
	}
	assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
	(void)close(ends[0]);
	(void)close(ends[1]);
	*err = told.err;
	return told.status;
}

static void end_child(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void names_process(const sop_error *err, pid_t pid)
{
	char name[40];

	(void)snprintf(name, sizeof name, "process %ld", (long)pid);
	if (strstr(err->message, name) == NULL)
		fail_msg("'%s' is not in: %s", name, err->message);
}

static void readers_share_it_and_keep_writers_out(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	sop_peek peek = SOP_PEEK_INIT;
	pid_t reader, other;
	sop_db *none, *db = make();
	const uint64_t content = content_of(db);

	(void)state;
	TEST_STATUS(status_in_child("?read_only=true", &other, &err), SOP_LOCKED, err);
	names_process(&err, getpid());
	end_child(other);
	close_well(db);
	TEST_OK(status_in_child("?read_only=true", &reader, &err), err);
	TEST_OK(status_in_child("?read_only=true", &other, &err), err);
	end_child(other);
	TEST_STATUS(open_with("", &db, &err), SOP_LOCKED, err);
	names_process(&err, reader);
	assert_non_null(strstr(err.message, "only reads"));
	TEST_STATUS(sop_stats_peek(path, &peek, NULL, &err), SOP_NOT_FOUND, err);
	assert_true(peek.is_open != 0 && peek.process == (uint64_t)reader);
	reads_and_leaves(content); /* beside it */
	end_child(reader);
	db = open_well("");
	assert_true(content_of(db) == content);
	TEST_STATUS(open_with("?read_only=true", &none, &err), SOP_LOCKED, err); /* here, with other options */
	assert_non_null(strstr(err.message, "read_only"));
	close_well(db);
}

static void without_its_lock_it_is_not_opened(void **state)
{
	char name[PATH_BYTES + 16];
	sop_error err = SOP_ERROR_INIT;
	uint64_t before;
	sop_db *db = make();

	(void)state;
	close_well(db);
	(void)snprintf(name, sizeof name, "%s/LOCK", path);
	assert_int_equal(unlink(name), 0);
	before = test_folder_fingerprint(path);
	TEST_STATUS(open_with("?read_only=true", &db, &err), SOP_UNSUPPORTED, err);
	assert_non_null(strstr(err.message, "LOCK"));
	assert_true(test_folder_fingerprint(path) == before);
}

/* Empty folders get lost when a database is copied by other means; those with files are missed. */
static void missing_folders_are_told_from_empty_ones(void **state)
{
	static const char *const needed[] = { "log", "reg", "blobs" };
	char name[PATH_BYTES + 16], aside[PATH_BYTES + 16];
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = open_well("?create=true");
	uint64_t content;

	(void)state;
	fill(db, "s", 0, 10, 10);
	content = content_of(db);
	close_well(db);
	(void)snprintf(name, sizeof name, "%s/tmp", path);
	test_folder_remove(name);
	(void)snprintf(name, sizeof name, "%s/outcome", path);
	if (rmdir(name) != 0) /* it has files */
		assert_int_equal(access(name, F_OK), 0);
	reads_and_leaves(content);
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		(void)snprintf(name, sizeof name, "%s/%s", path, needed[i]);
		(void)snprintf(aside, sizeof aside, "%s-%s", path, needed[i]);
		assert_int_equal(rename(name, aside), 0);
		TEST_STATUS(open_with("?read_only=true", &db, &err), SOP_CORRUPT, err);
		assert_int_equal(rename(aside, name), 0);
	}
	reads_and_leaves(content);
}

/* Inverts the byte in the middle of a file. */
static void damage_middle(const char *name)
{
	struct stat about;
	FILE *file = fopen(name, "r+b");
	int byte;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &about), 0);
	assert_int_equal(fseek(file, about.st_size / 2, SEEK_SET), 0);
	byte = fgetc(file);
	assert_int_equal(fseek(file, about.st_size / 2, SEEK_SET), 0);
	assert_true(fputc(byte ^ 0xFF, file) != EOF);
	assert_int_equal(fclose(file), 0);
}

static int note_file(void *arg, const sop_problem *problem)
{
	char *file = arg;

	(void)snprintf(file, PATH_BYTES, "%.*s", (int)problem->file.size,
		       (const char *)problem->file.data);
	return 0;
}

/* What lies behind the checkpoint is verified, too: the values are in packs that only the log names. */
static void damage_behind_the_checkpoint_is_found(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	char pattern[PATH_BYTES + 16];
	sop_db *db = open_well("?create=true");
	glob_t found;

	(void)state;
	fill(db, "kept", 0, 20, LARGE_VALUE);
	fill(db, "huge", 0, 1, HUGE_VALUE);
	close_well(db);
	(void)snprintf(pattern, sizeof pattern, "%s/blobs/*/*", path);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 3); /* of nodes, of values, of one value */
	for (size_t i = 1; i < found.gl_pathc; i++) { /* without the first opening does not do */
		char file[PATH_BYTES] = "";
		uint64_t problems = 0;

		damage_middle(found.gl_pathv[i]);
		db = open_well("?read_only=true");
		TEST_STATUS(sop_verify(db, note_file, NULL, file, &problems, &err), SOP_CORRUPT, err);
		assert_int_equal(problems, 1);
		assert_string_equal(file, found.gl_pathv[i] + strlen(path) + 1);
		close_well(db);
		damage_middle(found.gl_pathv[i]);
	}
	globfree(&found);
	db = open_well("?read_only=true");
	TEST_OK(sop_verify(db, NULL, NULL, NULL, NULL, &err), err);
	close_well(db);
}

static void in_memory_it_means_nothing(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;

	(void)state;
	TEST_OK(sop_open("inmemory:?read_only=true", NULL, &db, &err), err);
	fill(db, "s", 0, 10, 10);
	close_well(db);
}

static int make_folder(void **state)
{
	(void)state;
	test_folder_make_fast(folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	test_folder_remove(folder);
	return 0;
}

#define READING_TEST(test) cmocka_unit_test_setup(test, choose_path)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		READING_TEST(one_that_was_closed_shows_everything),
		READING_TEST(one_that_was_killed_shows_everything_that_was_acknowledged),
		READING_TEST(one_that_is_restored_elsewhere_stays_as_it_is),
		READING_TEST(everything_that_writes_is_refused),
		READING_TEST(nothing_is_made_where_nothing_is),
		READING_TEST(readers_share_it_and_keep_writers_out),
		READING_TEST(without_its_lock_it_is_not_opened),
		READING_TEST(missing_folders_are_told_from_empty_ones),
		READING_TEST(damage_behind_the_checkpoint_is_found),
		READING_TEST(in_memory_it_means_nothing),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
