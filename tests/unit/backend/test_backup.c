/* Copies of a database while it is in use, and bringing them back. */
#include "unit/backend/database_box.h"

#include "backend/open.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POWER_CUTS = 6 };

static void filled(struct database_box *box, uint64_t transactions)
{
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 7);
	database_box_start(box);
	database_box_work(box, &rng, transactions);
}

static bool keep_going(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	return done <= total;
}

static sop_status restore(struct database_box *box, const char *from, const char *to)
{
	return sopi_backend_restore(from, to, sopi_sim_platform(box->process), keep_going, NULL,
				    &box->err);
}

/* Does the database at `path` hold what `expected` says, and is it whole? */
static void holds(struct database_box *box, const char *path, const sop_buf *expected)
{
	sop_buf content = SOP_BUF_INIT;
	sop_db *db = NULL;

	TEST_OK(database_box_open_at(box, path, &db, &box->err), box->err);
	(void)database_verify(db, path);
	database_dump(db, &content);
	if (content.size != expected->size || memcmp(content.data, expected->data, content.size) != 0)
		test_note_failure("%s holds something else", path);
	sop_buf_free(&content);
	TEST_OK(sop_close(db, &box->err), box->err);
	sop_db_free(db);
}

static void a_copy_holds_what_the_database_held(void **state)
{
	struct database_box box;
	sop_buf before = SOP_BUF_INIT, after = SOP_BUF_INIT;
	struct test_rng rng;
	uint64_t position = 0;

	(void)state;
	filled(&box, test_scaled(150) < 40 ? 40 : 150); /* less where all takes long */
	database_dump(box.db, &before);
	TEST_OK(sop_backup(box.db, "/copy", NULL, NULL, &position, &box.err), box.err);
	assert_int_equal(position, atomic_load(&box.db->engine->applied));
	test_rng_init(&rng, test_seed(), 8);
	database_box_work(&box, &rng, 50); /* the copy has nothing of this */
	database_dump(box.db, &after);
	(void)database_verify(box.db, "the source");
	assert_true(before.size != after.size || memcmp(before.data, after.data, after.size) != 0);
	holds(&box, "/copy", &before);
	TEST_OK(restore(&box, "/copy", "/new"), box.err);
	holds(&box, "/new", &before);
	holds(&box, "/copy", &before); /* it is as it was */
	TEST_NO_FAILURES();
	sop_buf_free(&before);
	sop_buf_free(&after);
	database_box_free(&box);
}

/* Once it was answered it is on stable storage, names and all. */
static void a_copy_survives_a_power_cut(void **state)
{
	struct database_box box;
	sop_buf before = SOP_BUF_INIT;

	(void)state;
	filled(&box, 40);
	database_dump(box.db, &before);
	TEST_OK(sop_backup(box.db, "/copy", NULL, NULL, NULL, &box.err), box.err);
	for (uint64_t seed = 0; seed < POWER_CUTS; seed++) {
		const struct sopi_sim_cut cut = { .keep = seed == 0 ? SOPI_SIM_KEEP_NONE : SOPI_SIM_KEEP_SOME,
						  .seed = seed };
		struct database_box after = { .disk = sopi_sim_disk_copy(box.disk), .err = box.err };

		sopi_sim_power_cut(after.disk, &cut);
		after.process = sopi_sim_process_new(after.disk, NULL, test_seed());
		holds(&after, "/copy", &before);
		sopi_sim_process_free(after.process);
		sopi_sim_disk_free(after.disk);
	}
	TEST_NO_FAILURES();
	sop_buf_free(&before);
	database_box_free(&box);
}

/* A database that was closed is a copy too, with a log of its own and values that only the log names. */
static void a_closed_database_can_be_restored(void **state)
{
	struct database_box box;
	sop_buf content = SOP_BUF_INIT;

	(void)state;
	filled(&box, test_scaled(150) < 40 ? 40 : 150); /* less where all takes long */
	database_dump(box.db, &content);
	TEST_STATUS(restore(&box, "/db", "/new"), SOP_LOCKED, box.err);
	assert_false(database_box_has(&box, "/new", ""));
	database_box_close(&box);
	TEST_OK(restore(&box, "/db", "/new"), box.err);
	holds(&box, "/new", &content);
	holds(&box, "/db", &content);
	TEST_NO_FAILURES();
	sop_buf_free(&content);
	database_box_free(&box);
}

/* What opening a folder answers while it is restored. */
struct opening {
	struct database_box *box;
	sop_status status;
};

static bool open_meanwhile(void *arg, uint64_t done, uint64_t total)
{
	struct opening *opening = arg;
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;

	(void)done;
	(void)total;
	opening->status = database_box_open_at(opening->box, "/copy", &db, &err);
	sop_db_free(db);
	return true;
}

/* LOCK is opened to be read once more; then it is to be made, and cannot. */
static void make_read_only(struct database_box *box)
{
	const struct sopi_sim_fault fault = {
		.calls = SOPI_SIM_OPEN_FILE, .path = "LOCK", .after = 1, .os_errno = EROFS
	};

	sopi_sim_fail(box->process, &fault);
}

static void a_copy_is_locked_while_it_is_restored(void **state)
{
	struct database_box box;
	struct opening opening = { .box = &box };
	sop_db *db = NULL;

	(void)state;
	filled(&box, 50);
	TEST_OK(sop_backup(box.db, "/copy", NULL, NULL, NULL, &box.err), box.err);
	TEST_OK(database_box_open_at(&box, "/copy", &db, &box.err), box.err);
	TEST_STATUS(restore(&box, "/copy", "/new"), SOP_LOCKED, box.err);
	sop_db_free(db);
	TEST_OK(sopi_backend_restore("/copy", "/new", sopi_sim_platform(box.process),
				     open_meanwhile, &opening, &box.err),
		box.err);
	assert_int_equal(opening.status, SOP_LOCKED);
	database_box_free(&box);
}

static void a_copy_on_media_without_a_lock_is_restored(void **state)
{
	struct sopi_folder *folder = NULL;
	struct database_box box;

	(void)state;
	filled(&box, 50);
	TEST_OK(sop_backup(box.db, "/copy", NULL, NULL, NULL, &box.err), box.err);
	TEST_OK(sopi_files_open_folder(sopi_sim_platform(box.process)->files, "/copy", 0, &folder,
				       &box.err),
		box.err);
	TEST_OK(sopi_folder_remove(folder, "LOCK", &box.err), box.err);
	sopi_folder_close(folder);
	make_read_only(&box);
	TEST_OK(restore(&box, "/copy", "/new"), box.err);
	assert_false(database_box_has(&box, "/copy", "LOCK"));
	assert_true(database_box_has(&box, "/new", "MANIFEST"));
	database_box_free(&box);
}

static void a_copy_can_be_written_to(void **state)
{
	struct database_box box, copy;
	struct test_rng rng;

	(void)state;
	filled(&box, 60);
	TEST_OK(sop_backup(box.db, "/copy", NULL, NULL, NULL, &box.err), box.err);
	copy = box;
	test_rng_init(&rng, test_seed(), 9);
	for (unsigned round = 0; round < 3; round++) {
		copy.db = NULL;
		TEST_OK(database_box_open_at(&copy, "/copy", &copy.db, &copy.err), copy.err);
		database_box_work(&copy, &rng, 60);
		(void)database_verify(copy.db, "the copy");
		database_box_close(&copy);
	}
	(void)database_verify(box.db, "the source");
	TEST_NO_FAILURES();
	database_box_free(&box);
}

/* ---- while others commit -------------------------------------------------------------------------- */

enum { WRITERS = 4, COPIES = 3, KEYS = 40 };

/* What one thread has committed: each commit puts its number under some keys. */
struct done {
	uint64_t position;
	uint8_t keys[4]; /* below KEYS */
};

struct writers {
	struct database_box *box;
	_Atomic bool stop;
	_Atomic unsigned begun;
	struct done *done[WRITERS];
	size_t count[WRITERS];
	uint64_t positions[COPIES];
};

static sop_bytes key_of(size_t writer, unsigned key, char room[32])
{
	return test_bytes(room, (size_t)snprintf(room, 32, "%zu of %02u", writer, key));
}

/* Small and large values, so that packs of values are being written, too. */
static sop_bytes value_of(uint64_t number, uint8_t *room)
{
	const size_t size = number % 3 == 0 ? 3000 : 16;

	memset(room, (int)(number & 0xFF), size);
	memcpy(room, &number, sizeof number);
	return test_bytes(room, size);
}

static void write_once(struct writers *all, size_t index, sop_txn *txn, sop_store *store,
		       struct test_rng *rng)
{
	sop_error err = SOP_ERROR_INIT;
	struct done *done = &all->done[index][all->count[index]];
	uint8_t room[4096];
	char key[32];

	TEST_OK(sop_txn_renew(txn, &err), err);
	for (size_t i = 0; i < 4; i++) {
		done->keys[i] = (uint8_t)test_rng_below(rng, KEYS);
		TEST_OK(sop_put(txn, store, key_of(index, done->keys[i], key),
				value_of(all->count[index], room), &err),
			err);
	}
	TEST_OK(sop_commit(txn, &err), err);
	TEST_OK(sop_txn_position(txn, &done->position, &err), err);
	all->count[index]++;
}

static void write_or_copy(size_t index, void *arg)
{
	struct writers *all = arg;
	sop_error err = SOP_ERROR_INIT;
	sop_store *store = NULL;
	sop_txn *txn = NULL;
	struct test_rng rng;
	size_t capacity = 0;
	char path[16];

	if (index == WRITERS) {
		for (unsigned copy = 0; copy < COPIES; copy++) {
			const unsigned begun = all->begun;

			snprintf(path, sizeof path, "/copy%u", copy);
			while (all->begun - begun < 20)
				test_sleep_us(100);
			TEST_OK(sop_backup(all->box->db, path, NULL, NULL, &all->positions[copy], &err),
				err);
		}
		all->stop = true;
		return;
	}
	test_rng_init(&rng, test_seed(), index);
	TEST_OK(sop_store_open(all->box->db, test_text("s"), NULL, &store, &err), err);
	TEST_OK(sop_begin(all->box->db, NULL, &txn, &err), err);
	TEST_OK(sop_rollback(txn, &err), err);
	while (!all->stop) {
		all->done[index] = test_grow(all->done[index], all->count[index], &capacity,
					     sizeof *all->done[index]);
		write_once(all, index, txn, store, &rng);
		all->begun++;
		if (index == 0 && all->count[index] % 50 == 0)
			TEST_OK(sop_checkpoint(all->box->db, &err), err);
	}
	sop_txn_free(txn);
	sop_store_free(store);
}

/* Each key has the value of the newest commit at or below the position that put it. */
static void compare(struct writers *all, sop_db *db, uint64_t position)
{
	sop_error err = SOP_ERROR_INIT;
	sop_store *store = NULL;
	sop_buf value = SOP_BUF_INIT;
	sop_txn *txn = NULL;
	uint64_t items = 0, expected_items = 0;

	TEST_OK(sop_store_open(db, test_text("s"), NULL, &store, &err), err);
	TEST_OK(sop_begin(db, NULL, &txn, &err), err);
	for (size_t writer = 0; writer < WRITERS; writer++) {
		for (unsigned key = 0; key < KEYS; key++) {
			uint64_t newest = UINT64_MAX;
			uint8_t room[4096];
			char text[32];
			sop_status status;

			for (size_t i = 0; i < all->count[writer]; i++) {
				const struct done *done = &all->done[writer][i];

				if (done->position <= position && memchr(done->keys, (int)key, 4) != NULL)
					newest = i;
			}
			expected_items += newest != UINT64_MAX ? 1 : 0;
			status = sop_get(txn, store, key_of(writer, key, text), &value, &err);
			if (newest == UINT64_MAX
				    ? status != SOP_NOT_FOUND
				    : status != SOP_OK || value.size != value_of(newest, room).size ||
					      memcmp(value.data, value_of(newest, room).data,
						     value.size) != 0)
				test_note_failure("%s: %s instead of commit %lld of the writer",
						  text, sop_status_name(status), (long long)newest);
		}
	}
	TEST_OK(sop_count(txn, store, NULL, &items, &err), err);
	assert_int_equal(items, expected_items);
	sop_txn_free(txn);
	sop_store_free(store);
	sop_buf_free(&value);
}

static void compare_copies(struct database_box *box)
{
	struct writers all = { .box = box };
	sop_store *store = NULL;
	sop_txn *txn = NULL;
	char path[16];

	TEST_OK(sop_store_open(box->db, test_text("s"), NULL, &store, &box->err), box->err);
	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	TEST_OK(sop_store_create(txn, store, &box->err), box->err);
	TEST_OK(sop_commit(txn, &box->err), box->err);
	sop_txn_free(txn);
	sop_store_free(store);
	test_run_threads(WRITERS + 1, write_or_copy, &all);
	for (unsigned copy = 0; copy < COPIES; copy++) {
		sop_db *db = NULL;

		snprintf(path, sizeof path, "/copy%u", copy);
		TEST_OK(database_box_open_at(box, path, &db, &box->err), box->err);
		(void)database_verify(db, path);
		compare(&all, db, all.positions[copy]);
		sop_db_free(db);
	}
	compare(&all, box->db, UINT64_MAX);
	(void)database_verify(box->db, "the source");
	for (size_t i = 0; i < WRITERS; i++)
		free(all.done[i]);
}

static void copies_are_of_one_position_while_others_commit(void **state)
{
	struct database_box box;

	(void)state;
	filled(&box, 40);
	compare_copies(&box);
	TEST_NO_FAILURES();
	database_box_free(&box);
}

/* ---- refusals ------------------------------------------------------------------------------------- */

static void a_folder_with_something_in_it_is_refused(void **state)
{
	struct database_box box;
	sop_buf content = SOP_BUF_INIT;
	size_t files;

	(void)state;
	filled(&box, 30);
	database_dump(box.db, &content);
	TEST_STATUS(sop_backup(box.db, "/db", NULL, NULL, NULL, &box.err), SOP_EXISTS, box.err);
	TEST_STATUS(sop_backup(box.db, "/db/log", NULL, NULL, NULL, &box.err), SOP_EXISTS, box.err);
	TEST_STATUS(sop_backup(box.db, "/no/copy", NULL, NULL, NULL, &box.err), SOP_NOT_FOUND, box.err);
	TEST_OK(sop_backup(box.db, "/copy", NULL, NULL, NULL, &box.err), box.err);
	files = database_box_files(&box, "/copy");
	TEST_STATUS(sop_backup(box.db, "/copy", NULL, NULL, NULL, &box.err), SOP_EXISTS, box.err);
	assert_int_equal(database_box_files(&box, "/copy"), files);
	TEST_STATUS(restore(&box, "/copy", "/db"), SOP_EXISTS, box.err);
	TEST_STATUS(restore(&box, "/copy", "/copy"), SOP_EXISTS, box.err);
	TEST_STATUS(restore(&box, "/copy", "/no/new"), SOP_NOT_FOUND, box.err);
	TEST_STATUS(restore(&box, "/none", "/new"), SOP_NOT_FOUND, box.err);
	TEST_STATUS(restore(&box, "/", "/new"), SOP_NOT_FOUND, box.err);
	assert_false(database_box_has(&box, "/new", ""));
	holds(&box, "/copy", &content);
	sopi_sim_disk_set_file_system(box.disk, "nfs", SOPI_FILE_SYSTEM_NETWORK);
	TEST_STATUS(sop_backup(box.db, "/far", NULL, NULL, NULL, &box.err), SOP_UNSUPPORTED, box.err);
	assert_false(database_box_has(&box, "/far", ""));
	TEST_NO_FAILURES();
	sop_buf_free(&content);
	database_box_free(&box);
}

struct cancelling {
	uint64_t calls;
	uint64_t stop; /* at this call; 0: never */
	uint64_t checks; /* calls while the copy, which is there as a whole, is checked */
	uint64_t done;
	uint64_t total;
};

static int cancel(void *arg, uint64_t done, uint64_t total)
{
	struct cancelling *cancelling = arg;

	assert_true(done >= cancelling->done && done <= total);
	assert_true(cancelling->calls == 0 || total == cancelling->total);
	assert_true(done - cancelling->done <= 1 << 20);
	cancelling->done = done;
	cancelling->total = total;
	cancelling->checks += done == total;
	return ++cancelling->calls == cancelling->stop;
}

static void a_copy_that_is_stopped_leaves_nothing(void **state)
{
	struct cancelling whole = { .stop = 0 };
	struct database_box box;

	(void)state;
	filled(&box, 30);
	database_box_fill(&box, "large", 0, 6, 1 << 20);
	TEST_OK(sop_backup(box.db, "/whole", cancel, &whole, NULL, &box.err), box.err);
	assert_true(whole.calls > 3 && whole.done == whole.total && whole.checks > 5);
	for (uint64_t stop = 1; stop <= whole.calls; stop += 1 + whole.calls / 20) {
		struct cancelling cancelling = { .stop = stop };
		uint64_t position = 77;

		TEST_STATUS(sop_backup(box.db, "/copy", cancel, &cancelling, &position, &box.err),
			    SOP_CANCELLED, box.err);
		assert_true(cancelling.calls == stop && position == 77);
		assert_false(database_box_has(&box, "/copy", ""));
	}
	(void)database_verify(box.db, "the source");
	TEST_NO_FAILURES();
	database_box_free(&box);
}

/* A copy of damaged files is damaged, and says so. */
static void damage_is_not_copied_in_silence(void **state)
{
	struct database_box box;
	char path[SOPI_PATH_BYTES_MAX + 1];

	(void)state;
	filled(&box, 60);
	TEST_OK(sop_gc(box.db, NULL, NULL, &box.err), box.err);
	assert_true(database_box_find(&box, "blobs", ".pack", path, sizeof path));
	database_box_flip(&box, path, 100);
	TEST_STATUS(sop_backup(box.db, "/copy", NULL, NULL, NULL, &box.err), SOP_CORRUPT, box.err);
	assert_string_equal(box.err.file, path);
	assert_false(database_box_has(&box, "/copy", ""));
	database_box_flip(&box, path, 100);
	TEST_OK(sop_backup(box.db, "/copy", NULL, NULL, NULL, &box.err), box.err);
	database_box_free(&box);
}

/* ---- faults --------------------------------------------------------------------------------------- */

/* Fails one file call of a backup; whatever happens, the source is as it was, and nothing is left of the copy. */
static bool fail_once(struct database_box *box, int64_t after, int os_errno, const sop_buf *content)
{
	const struct sopi_sim_fault fault = { .calls = SOPI_SIM_ANY, .after = after, .os_errno = os_errno };
	sop_buf now = SOP_BUF_INIT;
	char path[32];
	int64_t calls;
	sop_status status;

	snprintf(path, sizeof path, "/copy%d.%lld", os_errno, (long long)after);
	sopi_sim_fail(box->process, &fault);
	status = sop_backup(box->db, path, NULL, NULL, NULL, &box->err);
	calls = sopi_sim_calls(box->process, SOPI_SIM_ANY);
	sopi_sim_fail(box->process, NULL);
	if (status == SOP_OK) { /* the call that failed does not matter, or there were not so many */
		holds(box, path, content);
		return calls > after;
	}
	if (database_box_files(box, path) != 0)
		test_note_failure("call %lld: %s, and something is left", (long long)after,
				  sop_status_name(status));
	database_dump(box->db, &now);
	if (now.size != content->size || memcmp(now.data, content->data, now.size) != 0)
		test_note_failure("call %lld: the source has changed", (long long)after);
	sop_buf_free(&now);
	return true;
}

static void faults_leave_no_half_copy(void **state)
{
	static const int errors[] = { EIO, ENOSPC };
	const uint64_t tries = test_scaled(100); /* fewer calls fail where each takes long, as under valgrind */
	const uint64_t stride = tries < 100 ? 100 / tries : 1;
	struct database_box box;
	sop_buf content = SOP_BUF_INIT;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 10);
	filled(&box, 4);
	TEST_OK(sop_checkpoint(box.db, &box.err), box.err);
	database_dump(box.db, &content);
	for (size_t i = 0; i < 2; i++) {
		int64_t after = 0;

		while (fail_once(&box, after, errors[i], &content))
			after += 1 + (int64_t)test_rng_below(&rng, (2 + i * 6) * stride);
		assert_true(after > 100);
	}
	(void)database_verify(box.db, "the source");
	TEST_NO_FAILURES();
	sop_buf_free(&content);
	database_box_free(&box);
}

/* ---- the host ------------------------------------------------------------------------------------- */

static void open_on_host(const char *path, bool create, sop_db **db)
{
	sop_error err = SOP_ERROR_INIT;
	sop_options *options = NULL;

	TEST_OK(sop_options_new(&options, &err), err);
	TEST_OK(sop_options_set_bool(options, "create", create, &err), err);
	TEST_OK(sop_options_set_int(options, "cache_bytes", 16 << 20, &err), err);
	TEST_OK(sop_open(path, options, db, &err), err);
	sop_options_free(options);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
	(void)about, (void)kind, (void)where;
	return remove(path);
}

/* The same on real files, with the background at work. */
static void copies_are_made_on_the_host(void **state)
{
	char place[] = "/tmp/sop-backup-XXXXXX", path[64], copy[64], restored[64];
	struct database_box box = { .err = SOP_ERROR_INIT };
	sop_buf before = SOP_BUF_INIT, after = SOP_BUF_INIT;
	struct test_rng rng;
	sop_db *db = NULL;

	(void)state;
	assert_non_null(mkdtemp(place));
	snprintf(path, sizeof path, "%s/db", place);
	snprintf(copy, sizeof copy, "%s/copy", place);
	snprintf(restored, sizeof restored, "%s/restored/", place);
	open_on_host(path, true, &box.db);
	test_rng_init(&rng, test_seed(), 11);
	database_box_work(&box, &rng, 60);
	database_dump(box.db, &before);
	TEST_OK(sop_backup(box.db, copy, NULL, NULL, NULL, &box.err), box.err);
	TEST_STATUS(sop_backup(box.db, copy, NULL, NULL, NULL, &box.err), SOP_EXISTS, box.err);
	database_box_work(&box, &rng, 10);
	(void)database_verify(box.db, "the source");
	TEST_OK(sop_restore(copy, restored, NULL, NULL, &box.err), box.err);
	TEST_STATUS(sop_restore(path, restored, NULL, NULL, &box.err), SOP_LOCKED, box.err);
	open_on_host(restored, false, &db);
	(void)database_verify(db, "the restored one");
	database_dump(db, &after);
	assert_true(before.size == after.size && memcmp(before.data, after.data, after.size) == 0);
	sop_db_free(db);
	sop_db_free(box.db);
	sop_buf_free(&before);
	sop_buf_free(&after);
	assert_int_equal(nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	TEST_NO_FAILURES();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_holds_what_the_database_held),
		cmocka_unit_test(a_copy_survives_a_power_cut),
		cmocka_unit_test(a_closed_database_can_be_restored),
		cmocka_unit_test(a_copy_is_locked_while_it_is_restored),
		cmocka_unit_test(a_copy_on_media_without_a_lock_is_restored),
		cmocka_unit_test(a_copy_can_be_written_to),
		cmocka_unit_test(copies_are_of_one_position_while_others_commit),
		cmocka_unit_test(a_folder_with_something_in_it_is_refused),
		cmocka_unit_test(a_copy_that_is_stopped_leaves_nothing),
		cmocka_unit_test(damage_is_not_copied_in_silence),
		cmocka_unit_test(faults_leave_no_half_copy),
		cmocka_unit_test(copies_are_made_on_the_host),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
