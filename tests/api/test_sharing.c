/* A folder that this process has open already, opened once more: who shares what, and who is refused. */
#include "support/folder.h"
#include "support/support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PATH_BYTES = TEST_PATH_BYTES + 64,
	THREADS = 4,
	ROUNDS = 20,
	TRIES = 100,
	REFUSED_NS_LEAST = 1000000000, /* of waiting for a close that cannot end */
};

/* A handle and all that belongs to it. */
struct handle {
	sop_error err;
	sop_db *db;
	sop_store *store;
	sop_txn *txn;
};

static char folder[TEST_PATH_BYTES];

static void path_to(const char *name, char path[PATH_BYTES])
{
	(void)snprintf(path, PATH_BYTES, "%s/%s", folder, name);
}

/* option: a name and its value, or NULL. */
static sop_status handle_open_with(struct handle *h, const char *path, const char *name, const char *value)
{
	sop_options *options = NULL;
	sop_status status;

	*h = (struct handle){ .err = SOP_ERROR_INIT };
	TEST_OK(sop_options_new(&options, &h->err), h->err);
	TEST_OK(sop_options_set_bool(options, "create", 1, &h->err), h->err);
	if (name != NULL)
		TEST_OK(sop_options_set_text(options, name, value, &h->err), h->err);
	status = sop_open(path, options, &h->db, &h->err);
	sop_options_free(options);
	if (status == SOP_OK)
		TEST_OK(sop_store_open(h->db, test_text("s"), NULL, &h->store, &h->err), h->err);
	return status;
}

static sop_status handle_open(struct handle *h, const char *path)
{
	return handle_open_with(h, path, NULL, NULL);
}

static void handle_begin(struct handle *h)
{
	TEST_OK(sop_begin(h->db, NULL, &h->txn, &h->err), h->err);
}

static void handle_put(struct handle *h, const char *key)
{
	sop_status status;

	status = sop_store_create(h->txn, h->store, &h->err);
	assert_true(status == SOP_OK || status == SOP_EXISTS);
	TEST_OK(sop_put(h->txn, h->store, test_text(key), test_text("v"), &h->err), h->err);
}

static void handle_write(struct handle *h, const char *key)
{
	handle_begin(h);
	handle_put(h, key);
	TEST_OK(sop_commit(h->txn, &h->err), h->err);
	sop_txn_free(h->txn);
	h->txn = NULL;
}

static sop_status handle_read(struct handle *h, const char *key)
{
	sop_buf value = SOP_BUF_INIT;
	const sop_status status = sop_read(h->db, h->store, test_text(key), &value, &h->err);

	sop_buf_free(&value);
	return status;
}

static void handle_free(struct handle *h)
{
	sop_txn_free(h->txn);
	sop_store_free(h->store);
	sop_db_free(h->db);
}

static uint64_t open_transactions(struct handle *h)
{
	sop_stats stats = SOP_STATS_INIT;

	TEST_OK(sop_db_stats(h->db, &stats, &h->err), h->err);
	return stats.transactions_open;
}

/* ---- sharing --------------------------------------------------------------------------------------- */

static void two_handles_share_what_is_committed(void **state)
{
	char path[PATH_BYTES];
	struct handle a, b;

	(void)state;
	path_to("shared", path);
	TEST_OK(handle_open(&a, path), a.err);
	TEST_OK(handle_open(&b, path), b.err);
	assert_ptr_not_equal(a.db, b.db);
	handle_write(&a, "of a");
	handle_write(&b, "of b");
	TEST_OK(handle_read(&a, "of b"), a.err);
	TEST_OK(handle_read(&b, "of a"), b.err);
	/* and conflict with each other */
	handle_begin(&a);
	handle_begin(&b);
	TEST_STATUS(sop_insert(a.txn, a.store, test_text("one"), test_text("a"), NULL, &a.err),
		    SOP_OK, a.err);
	TEST_STATUS(sop_insert(b.txn, b.store, test_text("one"), test_text("b"), NULL, &b.err),
		    SOP_OK, b.err);
	TEST_OK(sop_commit(a.txn, &a.err), a.err);
	assert_int_not_equal(sop_commit(b.txn, &b.err), SOP_OK);
	/* but what belongs to one is of no use to the other */
	TEST_OK(sop_txn_renew(a.txn, &a.err), a.err);
	TEST_STATUS(sop_put(a.txn, b.store, test_text("k"), test_text("v"), &a.err), SOP_MISUSE, a.err);
	handle_free(&a);
	handle_free(&b);
}

static void closing_one_ends_only_what_is_its_own(void **state)
{
	char path[PATH_BYTES];

	(void)state;
	path_to("closed", path);
	for (int round = 0; round < 2; round++) { /* the older one closes first, and the newer one */
		struct handle handles[2];
		struct handle *closed = &handles[round], *left = &handles[1 - round];

		TEST_OK(handle_open(&handles[0], path), handles[0].err);
		TEST_OK(handle_open(&handles[1], path), handles[1].err);
		handle_write(left, "k");
		handle_begin(closed);
		handle_put(closed, "never committed");
		handle_begin(left);
		handle_put(left, "committed later");
		assert_int_equal(open_transactions(left), 2);
		TEST_OK(sop_close(closed->db, &closed->err), closed->err);
		TEST_OK(sop_close(closed->db, &closed->err), closed->err);
		assert_int_equal(open_transactions(left), 1);
		TEST_STATUS(sop_commit(closed->txn, &closed->err), SOP_CLOSED, closed->err);
		TEST_STATUS(handle_read(closed, "k"), SOP_CLOSED, closed->err);
		TEST_OK(sop_commit(left->txn, &left->err), left->err);
		TEST_OK(handle_read(left, "committed later"), left->err);
		TEST_STATUS(handle_read(left, "never committed"), SOP_NOT_FOUND, left->err);
		handle_free(closed); /* its transaction is freed while the other works */
		sop_txn_free(left->txn);
		handle_write(left, "still works");
		TEST_OK(sop_verify(left->db, NULL, NULL, NULL, NULL, &left->err), left->err);
		handle_free(left);
	}
}

/* What was freed is used again: many handles one after the other beside one that stays. */
static void handles_come_and_go_beside_one_that_stays(void **state)
{
	char path[PATH_BYTES];
	struct handle stays;

	(void)state;
	path_to("stays", path);
	TEST_OK(handle_open(&stays, path), stays.err);
	for (int i = 0; i < 100; i++) {
		struct handle h;

		TEST_OK(handle_open(&h, path), h.err);
		handle_write(&h, "k");
		handle_begin(&h);
		if (i % 2 == 0)
			TEST_OK(sop_close(h.db, &h.err), h.err);
		handle_free(&h);
		assert_int_equal(open_transactions(&stays), 0);
	}
	handle_write(&stays, "k");
	handle_free(&stays);
}

static void another_path_to_the_same_folder_is_the_same(void **state)
{
	char path[PATH_BYTES], link[PATH_BYTES], around[PATH_BYTES], url[PATH_BYTES + 16],
		before[PATH_BYTES];
	struct handle handles[5];
	sop_buf named = SOP_BUF_INIT;
	sop_info info = SOP_INFO_INIT;

	(void)state;
	path_to("paths", path);
	path_to("link", link);
	path_to("paths/../paths/.", around);
	(void)snprintf(url, sizeof url, "inredfs:%s", path);
	assert_int_equal(symlink("paths", link), 0);
	TEST_OK(handle_open(&handles[0], path), handles[0].err);
	TEST_OK(handle_open(&handles[1], link), handles[1].err);
	TEST_OK(handle_open(&handles[2], around), handles[2].err);
	TEST_OK(handle_open(&handles[3], url), handles[3].err);
	assert_non_null(getcwd(before, sizeof before));
	assert_int_equal(chdir(folder), 0);
	TEST_OK(handle_open(&handles[4], "paths"), handles[4].err);
	assert_int_equal(chdir(before), 0);
	handle_write(&handles[0], "k");
	for (size_t i = 1; i < 5; i++)
		TEST_OK(handle_read(&handles[i], "k"), handles[i].err);
	TEST_OK(sop_db_info(handles[1].db, &info, &named, &handles[1].err), handles[1].err);
	assert_int_equal(named.size, strlen(link)); /* each says what it was given */
	assert_memory_equal(named.data, link, named.size);
	for (size_t i = 0; i < 5; i++)
		handle_free(&handles[i]);
	sop_buf_free(&named);
}

static void databases_in_memory_and_other_folders_are_not_shared(void **state)
{
	char path[PATH_BYTES], other[PATH_BYTES];
	struct handle a, b;

	(void)state;
	path_to("one", path);
	path_to("other", other);
	TEST_OK(handle_open(&a, path), a.err);
	TEST_OK(handle_open(&b, other), b.err);
	handle_write(&a, "k");
	handle_write(&b, "l");
	TEST_STATUS(handle_read(&b, "k"), SOP_NOT_FOUND, b.err);
	handle_free(&b);
	handle_free(&a);
	TEST_OK(handle_open(&a, "inmemory:"), a.err);
	TEST_OK(handle_open(&b, "inmemory:"), b.err);
	handle_write(&a, "k");
	TEST_STATUS(handle_read(&b, "k"), SOP_NOT_FOUND, b.err);
	handle_free(&a);
	handle_free(&b);
}

/* ---- being refused --------------------------------------------------------------------------------- */

static void other_options_are_refused_and_named(void **state)
{
	static const struct {
		const char *name, *value, *told;
	} rows[] = {
		{ "durability", "written", "durability flushed, not written" },
		{ "cache_bytes", "8MB", "cache_bytes 0, not 8388608" },
		{ "log_bytes_max", "4MB", "log_bytes_max 0, not 4194304" },
		{ "flush_interval_ms", "77", "flush_interval_ms 10, not 77" },
		{ "deadline_ms", "5", "deadline_ms 0, not 5" },
		{ "node_items", "16", "node_items 0, not 16" },
		{ "inline_value_bytes", "64", "inline_value_bytes 1024, not 64" },
		{ "transaction_bytes_max", "4096", "transaction_bytes_max 1073741824, not 4096" },
		{ "snapshot_bytes_max", "2MB", "snapshot_bytes_max 0, not 2097152" },
	};
	static const char *const same[][2] = {
		{ "durability", "flushed" },   { "create", "false" },
		{ "node_bytes", "8192" },      { "registry_buckets", "300" },
		{ "flush_interval_ms", "10" },
	};
	char path[PATH_BYTES];
	struct handle first, second;

	(void)state;
	path_to("options", path);
	TEST_OK(handle_open(&first, path), first.err);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		TEST_STATUS(handle_open_with(&second, path, rows[i].name, rows[i].value),
			    SOP_LOCKED, second.err);
		assert_null(second.db);
		assert_non_null(strstr(second.err.message, "this process has the database open"));
		assert_non_null(strstr(second.err.message, rows[i].told));
	}
	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		TEST_OK(handle_open_with(&second, path, same[i][0], same[i][1]), second.err);
		handle_free(&second);
	}
	handle_write(&first, "k"); /* nobody has done it harm */
	handle_free(&first);
	TEST_OK(handle_open_with(&second, path, "durability", "written"), second.err);
	TEST_OK(handle_read(&second, "k"), second.err);
	handle_free(&second);
}

static void an_opening_that_fails_leaves_the_next_one_free(void **state)
{
	char path[PATH_BYTES], file[PATH_BYTES + 16];
	struct handle h;
	FILE *other;

	(void)state;
	path_to("full of others", path);
	TEST_OK(handle_open(&h, path), h.err);
	handle_free(&h);
	(void)snprintf(file, sizeof file, "%s/MANIFEST", path);
	other = fopen(file, "r+");
	assert_non_null(other);
	assert_int_equal(fputc('?', other), '?');
	assert_int_equal(fclose(other), 0);
	TEST_STATUS(handle_open(&h, path), SOP_CORRUPT, h.err);
	TEST_STATUS(handle_open(&h, path), SOP_CORRUPT, h.err);
	other = fopen(file, "r+");
	assert_non_null(other);
	assert_int_equal(fputc('S', other), 'S');
	assert_int_equal(fclose(other), 0);
	TEST_OK(handle_open(&h, path), h.err);
	handle_free(&h);
}

/* ---- durability ------------------------------------------------------------------------------------ */

static void closing_one_flushes_what_it_has_committed(void **state)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_stats stats = SOP_STATS_INIT;
	char path[PATH_BYTES];
	struct handle a, b;
	uint64_t position = 0;

	(void)state;
	path_to("weak", path);
	TEST_OK(handle_open_with(&a, path, "flush_interval_ms", "60000"), a.err);
	TEST_OK(handle_open_with(&b, path, "flush_interval_ms", "60000"), b.err);
	options.durability = SOP_BUFFERED;
	TEST_OK(sop_begin(a.db, &options, &a.txn, &a.err), a.err);
	handle_put(&a, "k");
	TEST_OK(sop_commit(a.txn, &a.err), a.err);
	TEST_OK(sop_txn_position(a.txn, &position, &a.err), a.err);
	TEST_OK(sop_close(a.db, &a.err), a.err);
	TEST_OK(sop_db_stats(b.db, &stats, &b.err), b.err);
	assert_true(stats.durable_position >= position);
	handle_free(&a);
	handle_free(&b);
}

/* ---- while calls are running ----------------------------------------------------------------------- */

struct during {
	struct handle *other;
	sop_status status;
	sop_error err;
	int calls;
};

static int close_the_other(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	struct during *during = arg;

	(void)done_bytes;
	(void)total_bytes;
	if (during->calls++ == 0) /* while a call on the first runs, of which it knows nothing */
		during->status = sop_close(during->other->db, &during->err);
	return 0;
}

static void a_close_waits_for_its_own_calls_only(void **state)
{
	char path[PATH_BYTES], copy[PATH_BYTES];
	struct handle a, b;
	struct during during = { .other = &b, .status = SOP_MISUSE, .err = SOP_ERROR_INIT };
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	path_to("backup", path);
	path_to("copy", copy);
	TEST_OK(handle_open(&a, path), a.err);
	TEST_OK(handle_open(&b, path), b.err);
	handle_write(&b, "k");
	TEST_OK(sop_backup(a.db, copy, close_the_other, &during, NULL, &a.err), a.err);
	assert_true(during.calls > 0);
	TEST_OK(during.status, during.err);
	TEST_STATUS(sop_restore(path, copy, NULL, NULL, &err), SOP_LOCKED, err); /* it is open still */
	handle_free(&a);
	handle_free(&b);
	TEST_OK(handle_open(&a, copy), a.err);
	TEST_OK(handle_read(&a, "k"), a.err);
	handle_free(&a);
}

/* It would be lost with the database, and nobody would call it one of its files. */
static void no_copy_is_put_into_what_it_is_a_copy_of(void **state)
{
	static const char *const names[] = { "", "/", "/copy", "/blobs/copy", "/tmp/../copy" };
	char path[PATH_BYTES], copy[PATH_BYTES], inside[2 * PATH_BYTES];
	struct handle a;
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	path_to("inside", path);
	path_to("a copy outside", copy);
	TEST_OK(handle_open(&a, path), a.err);
	handle_write(&a, "k");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		(void)snprintf(inside, sizeof inside, "%s%s", path, names[i]);
		TEST_STATUS(sop_backup(a.db, inside, NULL, NULL, NULL, &a.err), SOP_MISUSE, a.err);
		assert_non_null(strstr(a.err.message, "outside of it"));
		assert_true(i < 2 || access(inside, F_OK) != 0);
	}
	TEST_OK(sop_backup(a.db, copy, NULL, NULL, NULL, &a.err), a.err);
	(void)snprintf(inside, sizeof inside, "%s/again", copy);
	TEST_STATUS(sop_restore(copy, inside, NULL, NULL, &err), SOP_MISUSE, err);
	assert_int_not_equal(access(inside, F_OK), 0);
	TEST_OK(sop_verify(a.db, NULL, NULL, NULL, NULL, &a.err), a.err);
	handle_free(&a);
}

struct refused {
	struct handle *h;
	const char *path;
	_Atomic bool inside;
	sop_status status;
	sop_error err;
	int64_t waited_ns;
	bool done;
};

/* Opens the database while another thread closes it and waits for this very call. */
static int open_again(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	struct refused *refused = arg;
	const int64_t begun_ns = test_now_ns();
	sop_db *db = NULL;

	(void)done_bytes;
	(void)total_bytes;
	if (refused->done)
		return 0;
	refused->done = true;
	atomic_store(&refused->inside, true);
	for (int i = 0; i < TRIES && refused->status == SOP_OK; i++) { /* until the close has begun */
		test_sleep_us(100000);
		refused->status = sop_open(refused->path, NULL, &db, &refused->err);
		sop_db_free(db);
		db = NULL;
	}
	refused->waited_ns = test_now_ns() - begun_ns;
	return 0;
}

static void call_or_close(size_t index, void *arg)
{
	struct refused *refused = arg;
	sop_error err = SOP_ERROR_INIT;

	if (index == 0) {
		(void)sop_gc(refused->h->db, open_again, refused, &err);
		return;
	}
	while (!atomic_load(&refused->inside))
		test_sleep_us(1000);
	if (sop_close(refused->h->db, &err) != SOP_OK)
		test_note_failure("close: %s", err.message);
}

static void opening_does_not_wait_for_ever_for_a_close_that_waits_for_it(void **state)
{
	char path[PATH_BYTES];
	struct handle h;
	struct refused refused = { .h = &h, .path = path, .err = SOP_ERROR_INIT };

	(void)state;
	path_to("waiting", path);
	TEST_OK(handle_open(&h, path), h.err);
	handle_write(&h, "k");
	test_run_threads(2, call_or_close, &refused);
	TEST_NO_FAILURES();
	TEST_STATUS(refused.status, SOP_LOCKED, refused.err);
	assert_non_null(strstr(refused.err.message, "is closing the database"));
	assert_true(refused.waited_ns >= REFUSED_NS_LEAST);
	handle_free(&h);
}

/* ---- many threads ---------------------------------------------------------------------------------- */

static sop_status count_one(sop_txn *txn, void *arg, sop_error *err)
{
	const struct handle *h = arg;
	sop_status status = sop_store_create(txn, h->store, err);

	if (status == SOP_EXISTS)
		status = SOP_OK;
	return status == SOP_OK ? sop_add(txn, h->store, test_text("count"), 1, err) : status;
}

static void open_count_close(size_t index, void *arg)
{
	const uint64_t rounds = test_scaled(ROUNDS);
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), index);
	for (uint64_t i = 0; i < rounds; i++) {
		sop_options *options = NULL;
		struct handle h = { .err = SOP_ERROR_INIT };
		sop_status status;

		(void)sop_options_new(&options, NULL);
		(void)sop_options_set_bool(options, "create", 1, NULL);
		status = sop_open(arg, options, &h.db, &h.err);
		sop_options_free(options);
		if (status == SOP_OK)
			status = sop_store_open(h.db, test_text("s"), NULL, &h.store, &h.err);
		if (status == SOP_OK)
			status = sop_run(h.db, NULL, count_one, &h, &h.err);
		if (status == SOP_OK)
			status = sop_begin(h.db, NULL, &h.txn, &h.err); /* for the close to end */
		if (status == SOP_OK && test_rng_once_in(&rng, 2))
			status = sop_close(h.db, &h.err);
		if (status != SOP_OK)
			test_note_failure("%s: %s", sop_status_name(status), h.err.message);
		handle_free(&h);
	}
}

static void threads_may_open_and_close_at_once(void **state)
{
	char path[PATH_BYTES];
	sop_buf value = SOP_BUF_INIT;
	struct handle h;

	(void)state;
	path_to("threads", path);
	test_run_threads(THREADS, open_count_close, path);
	TEST_NO_FAILURES();
	TEST_OK(handle_open(&h, path), h.err);
	TEST_OK(sop_read(h.db, h.store, test_text("count"), &value, &h.err), h.err);
	assert_int_equal(test_value_read_u64(test_bytes(value.data, value.size)),
			 THREADS * test_scaled(ROUNDS));
	TEST_OK(sop_verify(h.db, NULL, NULL, NULL, NULL, &h.err), h.err);
	sop_buf_free(&value);
	handle_free(&h);
}

/* ---- fork ------------------------------------------------------------------------------------------ */

/* In the child: 0 if all is as it must be. */
static int be_a_child(struct handle *a, const char *path)
{
	struct handle h = { .err = SOP_ERROR_INIT };

	if (sop_close(a->db, NULL) != SOP_FORKED)
		return 1;
	if (sop_open(path, NULL, &h.db, &h.err) != SOP_LOCKED || strstr(h.err.message, "elsewhere") == NULL)
		return 2; /* the parent has it, and is somebody else */
	sop_db_free(a->db);
	return 0;
}

static void a_child_shares_nothing(void **state)
{
	char path[PATH_BYTES];
	struct handle a, b;
	int status = -1;
	pid_t pid;

	(void)state;
	path_to("fork", path);
	TEST_OK(handle_open(&a, path), a.err);
	TEST_OK(handle_open(&b, path), b.err);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(be_a_child(&a, path));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	handle_write(&a, "k");
	TEST_OK(handle_read(&b, "k"), b.err);
	handle_free(&a);
	handle_free(&b);
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

/* Not the process's own number as that of a stranger. */
static void what_is_open_here_is_not_restored_and_says_where_it_is_open(void **state)
{
	char path[PATH_BYTES], link[PATH_BYTES], to[PATH_BYTES];
	struct handle h;

	(void)state;
	path_to("open", path);
	path_to("link-to-open", link);
	path_to("restored", to);
	TEST_OK(handle_open(&h, path), h.err);
	assert_int_equal(symlink(path, link), 0);
	TEST_STATUS(sop_restore(link, to, NULL, NULL, &h.err), SOP_LOCKED, h.err);
	assert_non_null(strstr(h.err.message, "this process has '"));
	assert_non_null(strstr(h.err.message, "close it first"));
	assert_null(strstr(h.err.message, "elsewhere"));
	handle_free(&h);
	TEST_OK(sop_restore(link, to, NULL, NULL, &h.err), h.err);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_open_here_is_not_restored_and_says_where_it_is_open),
		cmocka_unit_test(two_handles_share_what_is_committed),
		cmocka_unit_test(closing_one_ends_only_what_is_its_own),
		cmocka_unit_test(handles_come_and_go_beside_one_that_stays),
		cmocka_unit_test(another_path_to_the_same_folder_is_the_same),
		cmocka_unit_test(databases_in_memory_and_other_folders_are_not_shared),
		cmocka_unit_test(other_options_are_refused_and_named),
		cmocka_unit_test(an_opening_that_fails_leaves_the_next_one_free),
		cmocka_unit_test(closing_one_flushes_what_it_has_committed),
		cmocka_unit_test(no_copy_is_put_into_what_it_is_a_copy_of),
		cmocka_unit_test(a_close_waits_for_its_own_calls_only),
		cmocka_unit_test(opening_does_not_wait_for_ever_for_a_close_that_waits_for_it),
		cmocka_unit_test(threads_may_open_and_close_at_once),
		cmocka_unit_test(a_child_shares_nothing),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
