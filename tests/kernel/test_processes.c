/* One process at a time: who is locked out and who is not, what a fork may do, and folders that were moved, are read-only,
 * have few descriptors left, or hold something else than files. */
#include "kernel/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PATH_BYTES = 512,
	ITEMS = 200,
	BIG_ITEMS = 10,
	BIG_BYTES = (1 << 20) + 1000, /* each has a file of its own */
	HANG_S = 120, /* after which a call hangs */
	DESCRIPTORS_FEW = 32,
};

struct database {
	sop_db *db;
	sop_store *store;
	sop_error err;
};

/* ---- a database ------------------------------------------------------------------------------------ */

static sop_status database_open(struct database *d, const char *path, bool create)
{
	sop_options *options = NULL;
	sop_status status;

	*d = (struct database){ .err = SOP_ERROR_INIT };
	status = sop_options_new(&options, &d->err);
	if (status == SOP_OK)
		status = sop_options_set_bool(options, "create", create, &d->err);
	if (status == SOP_OK)
		status = sop_open(path, options, &d->db, &d->err);
	sop_options_free(options);
	if (status == SOP_OK)
		status = sop_store_open(d->db, test_text("things"), NULL, &d->store, &d->err);
	return status;
}

static void database_free(struct database *d)
{
	sop_store_free(d->store);
	sop_db_free(d->db);
}

static sop_status put_body(sop_txn *txn, void *arg, sop_error *err)
{
	const struct database *d = arg;
	static uint8_t bytes[BIG_BYTES];
	uint8_t room[8];
	sop_status status = sop_store_create(txn, d->store, err);

	if (status == SOP_EXISTS)
		status = SOP_OK;
	for (uint64_t i = 0; i < ITEMS && status == SOP_OK; i++) {
		memset(bytes, (int)i, sizeof bytes);
		status = sop_put(txn, d->store, test_key_u64(room, i),
				 test_bytes(bytes, i < BIG_ITEMS ? BIG_BYTES : 10 * i), err);
	}
	return status;
}

/* Puts ITEMS items. */
static sop_status fill(struct database *d)
{
	return sop_run(d->db, NULL, put_body, d, &d->err);
}

/* Reads them all again, and checks every file. */
static sop_status read_all(struct database *d)
{
	sop_buf value = SOP_BUF_INIT;
	sop_status status = SOP_OK;
	uint8_t room[8];

	for (uint64_t i = 0; i < ITEMS && status == SOP_OK; i++) {
		status = sop_read(d->db, d->store, test_key_u64(room, i), &value, &d->err);
		if (status == SOP_OK && value.size != (i < BIG_ITEMS ? BIG_BYTES : 10 * i))
			status = SOP_NOT_FOUND;
		if (status == SOP_OK && value.size != 0 &&
		    ((const uint8_t *)value.data)[value.size - 1] != (uint8_t)i)
			status = SOP_NOT_FOUND;
	}
	sop_buf_free(&value);
	return status;
}

/* Makes one that has everything: packs, a registry, outcomes, a log. */
static void make_database(const char *path)
{
	struct database d;

	TEST_OK(database_open(&d, path, true), d.err);
	TEST_OK(fill(&d), d.err);
	TEST_OK(sop_checkpoint(d.db, &d.err), d.err);
	TEST_OK(fill(&d), d.err);
	TEST_OK(sop_close(d.db, &d.err), d.err);
	database_free(&d);
}

static void expect_whole(const char *path)
{
	struct database d;
	uint64_t problems = 0;

	TEST_OK(database_open(&d, path, false), d.err);
	TEST_OK(read_all(&d), d.err);
	TEST_OK(sop_verify(d.db, NULL, NULL, NULL, &problems, &d.err), d.err);
	assert_int_equal(problems, 0);
	TEST_OK(sop_close(d.db, &d.err), d.err);
	database_free(&d);
}

/* ---- processes ------------------------------------------------------------------------------------- */

/* A process that does something, says so by a byte, and waits. */
struct child {
	pid_t pid;
	int told; /* readable when it has come so far */
};

typedef void (*child_fn)(const char *path, int tell);

static void say(int to)
{
	if (write(to, "x", 1) != 1)
		_exit(9);
}

static void child_start(struct child *c, child_fn fn, const char *path)
{
	int ends[2];
	char byte;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		(void)close(ends[0]);
		(void)alarm(HANG_S);
		fn(path, ends[1]);
		_exit(0);
	}
	(void)close(ends[1]);
	c->told = ends[0];
	assert_int_equal(read(c->told, &byte, 1), 1);
}

/* Its wait status. */
static int child_end(struct child *c, int signal)
{
	int status = -1;

	if (signal != 0)
		(void)kill(c->pid, signal);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	(void)close(c->told);
	return status;
}

static void hold_open(const char *path, int tell)
{
	struct database d;

	if (database_open(&d, path, true) != SOP_OK || fill(&d) != SOP_OK)
		_exit(8);
	say(tell);
	(void)pause();
}

static void the_second_process_is_told_who_has_it(void **state)
{
	char path[256], holder[64];
	struct database d;
	struct child child;

	(void)state;
	folder_make(path, "locked");
	child_start(&child, hold_open, path);
	for (int i = 0; i < 3; i++) {
		TEST_STATUS(database_open(&d, path, i == 2), SOP_LOCKED, d.err);
		(void)snprintf(holder, sizeof holder, "process %ld", (long)child.pid);
		assert_non_null(strstr(d.err.message, holder));
		assert_true((d.err.traits & SOP_TRAIT_RETRY) != 0);
		database_free(&d);
	}
	(void)child_end(&child, SIGKILL);
	expect_whole(path); /* at once */
	folder_remove(path);
}

static void the_same_process_shares_it(void **state)
{
	char path[256];
	struct database first, second;

	(void)state;
	folder_make(path, "twice");
	TEST_OK(database_open(&first, path, true), first.err);
	TEST_OK(database_open(&second, path, false), second.err);
	TEST_OK(fill(&first), first.err);
	TEST_OK(sop_close(first.db, &first.err), first.err);
	database_free(&first);
	TEST_OK(read_all(&second), second.err);
	database_free(&second);
	expect_whole(path);
	folder_remove(path);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void what_a_lock_file_holds_is_no_obstacle(void **state)
{
	static const char *const texts[] = { "process 1 on elsewhere", "", "\n\x01garbage\xff %s%n" };
	char path[256], lock[300];

	(void)state;
	folder_make(path, "stale");
	make_database(path);
	(void)snprintf(lock, sizeof lock, "%s/LOCK", path);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		write_file(lock, texts[i]);
		expect_whole(path);
	}
	assert_int_equal(unlink(lock), 0);
	expect_whole(path);
	folder_remove(path);
}

static void hold_open_to_read(const char *path, int tell)
{
	char url[PATH_BYTES];
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;

	(void)snprintf(url, sizeof url, "inredfs:%s?read_only=true", path);
	if (sop_open(url, NULL, &db, &err) != SOP_OK)
		_exit(8);
	say(tell);
	(void)pause();
}

/* Somebody removes the file, or puts another in its place: it is not what keeps a second process out. */
static void another_lock_file_lets_nobody_in(void **state)
{
	char path[256], lock[300];

	(void)state;
	folder_make(path, "replaced");
	make_database(path);
	(void)snprintf(lock, sizeof lock, "%s/LOCK", path);
	for (int round = 0; round < 4; round++) {
		struct database d;
		struct child child;

		child_start(&child, round < 2 ? hold_open : hold_open_to_read, path);
		assert_int_equal(unlink(lock), 0);
		if (round % 2 != 0)
			write_file(lock, "");
		for (int again = 0; again < 2; again++) {
			TEST_STATUS(database_open(&d, path, false), SOP_LOCKED, d.err);
			assert_non_null(strstr(d.err.message, "elsewhere"));
			assert_true((d.err.traits & SOP_TRAIT_RETRY) != 0);
			database_free(&d);
		}
		(void)child_end(&child, SIGKILL);
		expect_whole(path);
	}
	folder_remove(path);
}

/* ---- fork ------------------------------------------------------------------------------------------ */

static void a_forked_child_gets_FORKED(void **state)
{
	char path[256];
	struct database d;
	sop_txn *txn = NULL;
	int status = -1;
	pid_t pid;

	(void)state;
	folder_make(path, "fork");
	TEST_OK(database_open(&d, path, true), d.err);
	TEST_OK(fill(&d), d.err);
	TEST_OK(sop_begin(d.db, NULL, &txn, &d.err), d.err);
	pid = fork();
	if (pid == 0) {
		sop_buf value = SOP_BUF_INIT;
		sop_txn *other = NULL;
		uint8_t room[8];
		int wrong = 0;

		(void)alarm(HANG_S);
		wrong += sop_read(d.db, d.store, test_key_u64(room, 1), &value, NULL) != SOP_FORKED;
		wrong += sop_begin(d.db, NULL, &other, NULL) != SOP_FORKED;
		wrong += sop_put(txn, d.store, test_key_u64(room, 1), test_text("x"), NULL) != SOP_FORKED;
		wrong += sop_commit(txn, NULL) != SOP_FORKED;
		wrong += sop_checkpoint(d.db, NULL) != SOP_FORKED;
		wrong += sop_close(d.db, NULL) != SOP_FORKED;
		sop_txn_free(txn);
		database_free(&d);
		_exit(wrong);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	TEST_OK(sop_rollback(txn, &d.err), d.err);
	sop_txn_free(txn);
	TEST_OK(fill(&d), d.err); /* the parent's lock and handles are as they were */
	TEST_OK(sop_close(d.db, &d.err), d.err);
	database_free(&d);
	expect_whole(path);
	folder_remove(path);
}

/* Opens it, forks a child that lives on and tells its number, and waits to be killed. The child tells it itself: what a
 * fork takes from a child is gone only when the child runs. */
static _Noreturn void die_before_a_child(const char *path, int tell)
{
	struct database d;
	pid_t pid;

	if (database_open(&d, path, true) != SOP_OK || fill(&d) != SOP_OK)
		_exit(8);
	pid = fork();
	if (pid == 0) {
		(void)alarm(60); /* should the test fail before it kills this one */
		pid = getpid();
		if (write(tell, &pid, sizeof pid) != (ssize_t)sizeof pid)
			_exit(9);
	}
	for (;;)
		(void)pause();
}

static void a_child_that_lives_longer_keeps_no_lock(void **state)
{
	char path[256];
	struct child child;
	pid_t grandchild;
	int ends[2];

	(void)state;
	folder_make(path, "orphan");
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		(void)close(ends[0]);
		die_before_a_child(path, ends[1]);
	}
	(void)close(ends[1]);
	child.told = ends[0];
	assert_int_equal(read(child.told, &grandchild, sizeof grandchild), sizeof grandchild);
	(void)child_end(&child, SIGKILL);
	assert_int_equal(kill(grandchild, 0), 0); /* it lives */
	expect_whole(path);
	(void)kill(grandchild, SIGKILL);
	folder_remove(path);
}

/* ---- folders ----------------------------------------------------------------------------------------- */

static void a_folder_may_be_moved(void **state)
{
	char path[256], moved[300];
	struct database d;

	(void)state;
	folder_make(path, "move");
	(void)snprintf(moved, sizeof moved, "%s.moved", path);
	TEST_OK(database_open(&d, path, true), d.err);
	TEST_OK(fill(&d), d.err);
	assert_int_equal(rename(path, moved), 0); /* under its feet */
	TEST_OK(fill(&d), d.err);
	TEST_OK(sop_checkpoint(d.db, &d.err), d.err);
	TEST_OK(sop_gc(d.db, NULL, NULL, &d.err), d.err);
	TEST_OK(read_all(&d), d.err);
	TEST_OK(sop_close(d.db, &d.err), d.err);
	database_free(&d);
	TEST_STATUS(database_open(&d, path, false), SOP_NOT_FOUND, d.err);
	database_free(&d);
	assert_int_not_equal(access(path, F_OK), 0); /* nothing was made in its place */
	expect_whole(moved);
	folder_remove(moved);
}

static void remove_inside(const char *path, const char *folder)
{
	char inside[PATH_BYTES];

	assert_true(snprintf(inside, sizeof inside, "%s/%s", path, folder) < PATH_BYTES);
	folder_remove(inside);
}

/* Archives forget empty folders; that is no damage. What was in them is. */
static void only_files_are_missed(void **state)
{
	static const char *const needed[] = { "log", "reg", "blobs", "outcome" };
	struct database d;
	char path[256];

	(void)state;
	folder_make(path, "folders");
	TEST_OK(database_open(&d, path, true), d.err);
	database_free(&d);
	remove_inside(path, "tmp");
	remove_inside(path, "outcome"); /* nothing was written yet */
	make_database(path);
	remove_inside(path, "tmp");
	expect_whole(path);
	folder_remove(path);
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		folder_make(path, "folders");
		make_database(path);
		remove_inside(path, needed[i]);
		TEST_STATUS(database_open(&d, path, false), SOP_CORRUPT, d.err);
		database_free(&d);
		TEST_STATUS(database_open(&d, path, true), SOP_CORRUPT, d.err);
		database_free(&d);
		folder_remove(path);
	}
}

/* A path that was mistyped is no damaged database. */
static void a_file_is_no_database(void **state)
{
	char path[256], file[300], below[310];
	struct database d;

	(void)state;
	folder_make(path, "file");
	(void)snprintf(file, sizeof file, "%s/text", path);
	(void)snprintf(below, sizeof below, "%s/db", file);
	write_file(file, "something else");
	TEST_STATUS(database_open(&d, file, false), SOP_NOT_FOUND, d.err);
	database_free(&d);
	TEST_STATUS(database_open(&d, file, true), SOP_EXISTS, d.err);
	database_free(&d);
	TEST_STATUS(database_open(&d, below, false), SOP_NOT_FOUND, d.err);
	database_free(&d);
	TEST_STATUS(database_open(&d, below, true), SOP_EXISTS, d.err);
	database_free(&d);
	folder_remove(path);
}

enum { EXIT_SKIPPED = 77 };

/* Makes the folder read-only for this process. */
static void make_read_only(const char *path, int tell)
{
	if (geteuid() == 0 &&
	    (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	     mount(path, path, NULL, MS_BIND, NULL) != 0 ||
	     mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)) {
		say(tell);
		_exit(EXIT_SKIPPED);
	}
	if (geteuid() != 0 && chmod(path, 0500) != 0)
		_exit(9);
}

/* Shows what opening such a folder answers by its exit status: 0 is right. */
static void open_read_only(const char *path, int tell)
{
	struct database d;
	sop_status status;

	make_read_only(path, tell);
	status = database_open(&d, path, true);
	say(tell);
	if (status != SOP_READ_ONLY)
		fprintf(stderr, "%s: %s\n", sop_status_name(status), d.err.message);
	_exit(status == SOP_READ_ONLY && d.err.message[0] != '\0' ? 0 : 1);
}

/* Shows in the same way that it opens with the option read_only, and that all is there. */
static void open_to_read(const char *path, int tell)
{
	struct database d = { .err = SOP_ERROR_INIT };
	char url[300];
	sop_status status;

	make_read_only(path, tell);
	(void)snprintf(url, sizeof url, "inredfs:%s?read_only=1", path);
	status = database_open(&d, url, false);
	if (status == SOP_OK)
		status = read_all(&d);
	if (status == SOP_OK)
		status = sop_verify(d.db, NULL, NULL, NULL, NULL, &d.err);
	say(tell);
	if (status != SOP_OK)
		fprintf(stderr, "%s: %s\n", sop_status_name(status), d.err.message);
	_exit(status == SOP_OK ? 0 : 1);
}

/* Lets a child see the folder read-only; it must end with 0. */
static void see_read_only(const char *path, void (*run)(const char *path, int tell))
{
	struct child child;
	int status;

	child_start(&child, run, path);
	status = child_end(&child, 0);
	(void)chmod(path, 0700);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED) {
		fprintf(stderr,
			"SKIPPED: root cannot make a folder read-only here: mounts are not allowed\n");
		folder_remove(path);
		skip();
	}
	assert_int_equal(status, 0);
}

static void a_read_only_folder_is_refused_unless_it_is_only_read(void **state)
{
	char path[256];

	(void)state;
	folder_make(path, "read-only");
	make_database(path);
	see_read_only(path, open_read_only);
	see_read_only(path, open_to_read);
	expect_whole(path);
	folder_remove(path);
}

/* What a killed process left is put right in memory. */
static void a_read_only_folder_is_read_after_a_kill(void **state)
{
	char path[256];
	struct child child;

	(void)state;
	folder_make(path, "read-only-killed");
	child_start(&child, hold_open, path);
	(void)child_end(&child, SIGKILL);
	see_read_only(path, open_to_read);
	expect_whole(path);
	folder_remove(path);
}

static sop_status restoring_answers; /* what it must */

static void restore_read_only(const char *path, int tell)
{
	sop_error err = SOP_ERROR_INIT;
	sop_status status;
	char to[300];

	(void)snprintf(to, sizeof to, "%s-restored", path);
	make_read_only(path, tell);
	status = sop_restore(path, to, NULL, NULL, &err);
	say(tell);
	if (status != restoring_answers)
		fprintf(stderr, "%s: %s\n", sop_status_name(status), err.message);
	_exit(status == restoring_answers ? 0 : 1);
}

static void a_read_only_folder_is_restored_unless_it_is_open(void **state)
{
	char path[256], to[300];
	struct database d;

	(void)state;
	folder_make(path, "read-only-copy");
	make_database(path);
	TEST_OK(database_open(&d, path, false), d.err);
	restoring_answers = SOP_LOCKED;
	see_read_only(path, restore_read_only);
	database_free(&d);
	restoring_answers = SOP_OK;
	see_read_only(path, restore_read_only);
	(void)snprintf(to, sizeof to, "%s-restored", path);
	expect_whole(to);
	folder_remove(to);
	folder_remove(path);
}

static void work_with_few_descriptors(const char *path, int tell)
{
	const struct rlimit few = { DESCRIPTORS_FEW, DESCRIPTORS_FEW };
	struct database d;
	sop_status status;

	for (int fd = 3; fd < DESCRIPTORS_FEW; fd++) {
		if (fd != tell)
			(void)close(fd);
	}
	if (setrlimit(RLIMIT_NOFILE, &few) != 0)
		_exit(9);
	status = database_open(&d, path, true);
	for (int round = 0; round < 2 && status == SOP_OK; round++) {
		status = fill(&d);
		if (status == SOP_OK)
			status = sop_checkpoint(d.db, &d.err);
		if (status == SOP_OK)
			status = read_all(&d);
	}
	if (status == SOP_OK)
		status = sop_gc(d.db, NULL, NULL, &d.err);
	if (status == SOP_OK)
		status = sop_verify(d.db, NULL, NULL, NULL, NULL, &d.err);
	if (status == SOP_OK)
		status = sop_close(d.db, &d.err);
	database_free(&d);
	if (status == SOP_OK)
		status = database_open(&d, path, true);
	if (status == SOP_OK)
		status = read_all(&d);
	say(tell);
	if (status != SOP_OK)
		fprintf(stderr, "%s: %s\n", sop_status_name(status), d.err.message);
	_exit(status == SOP_OK ? 0 : 1);
}

static void few_descriptors_are_enough(void **state)
{
	char path[256];
	struct child child;

	(void)state;
	folder_make(path, "descriptors");
	child_start(&child, work_with_few_descriptors, path);
	assert_int_equal(child_end(&child, 0), 0);
	expect_whole(path);
	folder_remove(path);
}

/* ---- something else in place of a file --------------------------------------------------------------- */

enum { FILES_MAX = 400 };

/* The files of a database, the first of each folder: paths. */
struct files {
	char paths[FILES_MAX][PATH_BYTES];
	size_t count;
};

static void list_files(const char *path, struct files *files, bool all)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	bool first = true;

	assert_non_null(folder);
	while ((entry = readdir(folder)) != NULL && files->count < FILES_MAX) {
		char inside[PATH_BYTES];
		struct stat about;

		if (entry->d_name[0] == '.')
			continue;
		assert_true(snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name) < PATH_BYTES);
		assert_int_equal(lstat(inside, &about), 0);
		if (S_ISDIR(about.st_mode))
			list_files(inside, files, all && strcmp(entry->d_name, "blobs") == 0);
		else if (first || all)
			strcpy(files->paths[files->count++], inside);
		first = first && S_ISDIR(about.st_mode);
	}
	(void)closedir(folder);
}

/* Opens it, and reads all of it: the first thing that goes wrong. */
static sop_status use(const char *path, sop_error *err)
{
	struct database d;
	sop_status status = database_open(&d, path, false);

	if (status == SOP_OK)
		status = read_all(&d);
	if (status == SOP_OK)
		status = sop_verify(d.db, NULL, NULL, NULL, NULL, &d.err);
	*err = d.err;
	database_free(&d);
	return status;
}

static uint64_t file_size(const char *path)
{
	struct stat about;

	assert_int_equal(stat(path, &about), 0);
	return (uint64_t)about.st_size;
}

/* Must a database miss this file? Not what only waits to be used. */
static bool is_needed(const char *path)
{
	return strstr(path, "/tmp/") == NULL && strstr(path, "/LOCK") == NULL;
}

static void place(int what, const char *from, const char *at)
{
	char target[PATH_BYTES];

	if (what == 0) {
		assert_non_null(realpath(from, target));
		assert_int_equal(symlink(target, at), 0);
	} else if (what == 1) {
		assert_int_equal(mkfifo(at, 0600), 0);
	} else {
		assert_int_equal(mkdir(at, 0700), 0);
	}
}

static void try_instead(const char *path, const char *file, int what)
{
	static const char *const names[] = { "symbolic link", "FIFO", "folder" };
	char aside[PATH_BYTES + 8];
	sop_error err = SOP_ERROR_INIT;
	uint64_t size;
	sop_status status;

	(void)snprintf(aside, sizeof aside, "%s.aside", path);
	assert_int_equal(rename(file, aside), 0);
	size = file_size(aside);
	place(what, aside, file);
	status = use(path, &err);
	if (status != SOP_CORRUPT && is_needed(file))
		test_note_failure("a %s in place of %s: %s: %s", names[what], file,
				  sop_status_name(status), err.message);
	if (status == SOP_CORRUPT && err.message[0] == '\0')
		test_note_failure("a %s in place of %s: nothing is said", names[what], file);
	if (file_size(aside) != size)
		test_note_failure("a %s in place of %s was followed", names[what], file);
	(void)remove(file);
	assert_int_equal(rename(aside, file), 0);
}

static void only_files_are_opened(void **state)
{
	static struct files files;
	char path[256];

	(void)state;
	folder_make(path, "strange");
	make_database(path);
	list_files(path, &files, true);
	assert_true(files.count > 5);
	for (size_t i = 0; i < files.count; i++) {
		for (int what = 0; what < 3; what++) {
			char copy[300], command[800], file[PATH_BYTES];

			if (i > 12 && i % 8 != 0)
				continue; /* many are alike */
			/* In a copy each time, since opening moves things on. */
			(void)snprintf(copy, sizeof copy, "%s.copy", path);
			(void)snprintf(command, sizeof command, "cp -a %s %s", path, copy);
			assert_int_equal(system(command), 0);
			(void)snprintf(file, sizeof file, "%s%s", copy, files.paths[i] + strlen(path));
			try_instead(copy, file, what);
			folder_remove(copy);
		}
	}
	TEST_NO_FAILURES();
	expect_whole(path);
	folder_remove(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_second_process_is_told_who_has_it),
		cmocka_unit_test(the_same_process_shares_it),
		cmocka_unit_test(what_a_lock_file_holds_is_no_obstacle),
		cmocka_unit_test(another_lock_file_lets_nobody_in),
		cmocka_unit_test(a_forked_child_gets_FORKED),
		cmocka_unit_test(a_child_that_lives_longer_keeps_no_lock),
		cmocka_unit_test(a_folder_may_be_moved),
		cmocka_unit_test(only_files_are_missed),
		cmocka_unit_test(a_file_is_no_database),
		cmocka_unit_test(a_read_only_folder_is_refused_unless_it_is_only_read),
		cmocka_unit_test(a_read_only_folder_is_read_after_a_kill),
		cmocka_unit_test(a_read_only_folder_is_restored_unless_it_is_open),
		cmocka_unit_test(few_descriptors_are_enough),
		cmocka_unit_test(only_files_are_opened),
	};

	test_begin(argc, argv);
	(void)alarm(5 * HANG_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
