/* Checking every file: nothing is found in a healthy database, whatever was done with it, and everything that is put
 * wrong is. */
#include "unit/backend/database_box.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 1000 }; /* of a checkpoint that may fail */

static void a_healthy_database_is_clean(void **state)
{
	struct database_box box;
	struct test_rng rng;

	(void)state;
	database_box_start(&box);
	(void)database_verify(box.db, "new");
	for (uint64_t round = 0; round < test_scaled(12) && test_failures() == 0; round++) {
		char when[64];

		test_rng_init(&rng, test_seed(), round);
		database_box_work(&box, &rng, 60);
		snprintf(when, sizeof when, "round %llu", (unsigned long long)round);
		(void)database_verify(box.db, when);
		if (round % 3 == 2) {
			database_box_close(&box);
			database_box_open(&box);
			snprintf(when, sizeof when, "reopened after round %llu",
				 (unsigned long long)round);
			(void)database_verify(box.db, when);
		}
	}
	TEST_NO_FAILURES();
	database_box_free(&box);
}

static void drop(struct database_box *box, const char *name)
{
	sop_store *store = NULL;
	sop_txn *txn = NULL;

	TEST_OK(sop_store_open(box->db, test_text(name), NULL, &store, &box->err), box->err);
	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	TEST_OK(sop_store_drop(txn, store, &box->err), box->err);
	TEST_OK(sop_commit(txn, &box->err), box->err);
	sop_txn_free(txn);
	sop_store_free(store);
}

/* All nodes of a store go with it, also those that were changed since the last checkpoint, their values too; an old
 * snapshot keeps them until it ends, or the database is opened again. */
static void dropped_stores_leave_nothing(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < 64; variant++) {
		const size_t value_bytes = (variant & 1) != 0 ? 3000 : 40;
		struct database_box box;
		sop_txn *old = NULL;
		sop_buf names = SOP_BUF_INIT;
		char when[64];

		database_box_start(&box);
		database_box_fill(&box, "stays", 0, 10, value_bytes);
		database_box_fill(&box, "goes", 0, 2000, value_bytes);
		if ((variant & 2) != 0)
			TEST_OK(sop_checkpoint(box.db, &box.err), box.err);
		if ((variant & 8) != 0) {
			TEST_OK(sop_begin(box.db, NULL, &old, &box.err), box.err);
			TEST_OK(sop_store_list(old, &names, NULL, &box.err), box.err);
			(void)database_verify(box.db, "before");
		}
		if ((variant & 4) != 0)
			database_box_fill(&box, "goes", 2000, 3000, value_bytes); /* its root is dirty, too */
		drop(&box, "goes");
		for (unsigned round = 0; round < 3; round++) {
			snprintf(when, sizeof when, "variant %u, round %u", variant, round);
			(void)database_verify(box.db, when);
			if (round == 1 && (variant & 16) != 0) {
				sop_txn_free(old);
				old = NULL;
				database_box_close(&box);
				database_box_open(&box);
			}
			if (round == 1 && (variant & 32) != 0) {
				sop_txn_free(old);
				old = NULL;
			}
		}
		sop_txn_free(old);
		sop_buf_free(&names);
		database_box_fill(&box, "stays", 0, 1, 10);
		snprintf(when, sizeof when, "variant %u, at last", variant);
		(void)database_verify(box.db, when);
		database_box_free(&box);
	}
	TEST_NO_FAILURES();
}

/* ---- damage --------------------------------------------------------------------------------------- */

/* A database with something in every kind of file. */
static void fill_all(struct database_box *box)
{
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 99);
	database_box_start(box);
	database_box_work(box, &rng, 80);
	database_box_fill(box, "large", 0, 2, 1500 << 10);
	TEST_OK(sop_checkpoint(box->db, &box->err), box->err);
	database_box_work(box, &rng, 5);
	TEST_OK(sop_checkpoint(box->db, &box->err), box->err);
	assert_int_equal(database_verify(box->db, "before the damage"), 0);
}

static void flipped_bytes_are_found(void **state)
{
	static const struct {
		const char *folder;
		const char *end;
		int64_t offset;
	} rows[] = {
		{ "", "MANIFEST", 40 },	  { "", "MANIFEST", -1 },    { "reg", ".run", 5 },
		{ "reg", ".run", -3000 }, { "reg", ".seg", 5 },	     { "reg", ".seg", -1 },
		{ "blobs", ".pack", 9 },  { "blobs", ".pack", 100 }, { "blobs", ".pack", -5 },
		{ "blobs", ".val", 9 },	  { "blobs", ".val", 40 },   { "blobs", ".val", 1 << 20 },
		{ "outcome", "1", 8 },	  { "outcome", "1", 70 },    { "log", ".log", 17 },
	};
	struct database_box box;

	(void)state;
	fill_all(&box);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char path[SOPI_PATH_BYTES_MAX + 1];

		if (strcmp(rows[i].end, ".seg") == 0) { /* only a fold makes one */
			const struct sopi_checkpoint_how how = { .fold = true, .always = true };

			TEST_OK(sopi_checkpoint_run(database_box_fs(&box), &how, &box.err), box.err);
		}
		if (!database_box_find(&box, rows[i].folder, rows[i].end, path, sizeof path)) {
			assert_string_equal(rows[i].end, ".run"); /* the last checkpoint folded them */
			continue;
		}
		database_box_flip(&box, path, rows[i].offset);
		if (database_problems(box.db, NULL, path) == 0)
			test_note_failure("byte %lld of %s was flipped, and nothing is found",
					  (long long)rows[i].offset, path);
		database_box_flip(&box, path, rows[i].offset);
		(void)database_verify(box.db, "after the repair");
	}
	TEST_NO_FAILURES();
	database_box_free(&box);
}

static void missing_files_are_found(void **state)
{
	static const char *const rows[][2] = { { "blobs", ".pack" },
					       { "blobs", ".val" },
					       { "outcome", "1" } };
	struct database_box box;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char path[SOPI_PATH_BYTES_MAX + 1];

		fill_all(&box);
		assert_true(database_box_find(&box, rows[i][0], rows[i][1], path, sizeof path));
		database_box_remove(&box, path);
		if (database_problems(box.db, NULL, path) == 0)
			test_note_failure("%s is missing, and nothing is found", path);
		database_box_free(&box);
	}
	TEST_NO_FAILURES();
}

static void files_of_nobody_are_found(void **state)
{
	static const struct {
		const char *path;
		const char *kind; /* NULL: it may be there */
	} rows[] = {
		{ "log/7000000000000001.log", "leak" },
		{ "reg/0000000000000ffe.run", "leak" },
		{ "reg/0000000000000ffe-00000000.seg", "leak" },
		{ "outcome/0000000000000ffe", "leak" },
		{ "log/1.log", "unknown" },
		{ "reg/notes", "unknown" },
		{ "outcome/x", "unknown" },
		{ "blobs/x", "unknown" },
		{ "tmp/x", "unknown" },
		{ "MANIFEST.old", "unknown" },
		{ "stats", NULL },
		{ "tmp/MANIFEST", NULL },
	};
	struct database_box box;
	char path[SOPI_PATH_BYTES_MAX + 1];

	(void)state;
	fill_all(&box);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		database_box_write(&box, rows[i].path, "something");
		assert_int_equal(database_problems(box.db, rows[i].kind, rows[i].path),
				 rows[i].kind != NULL ? 1 : 0);
		assert_true(database_box_has(&box, "/db", rows[i].path)); /* nothing is removed */
		database_box_remove(&box, rows[i].path);
	}
	assert_true(database_box_find(&box, "blobs", ".pack", path, sizeof path));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].kind != NULL && strcmp(rows[i].kind, "leak") == 0)
			database_box_write(&box, rows[i].path, "something");
	}
	memcpy(path + strlen("blobs/xx/"), "7fffffff", 8); /* in the folder of another */
	database_box_write(&box, path, "something");
	assert_int_equal(database_problems(box.db, "leak", path), 1);
	database_box_close(&box);
	database_box_open(&box);
	assert_int_equal(database_verify(box.db, "opened again"), 0);
	assert_false(database_box_has(&box, "/db", path));
	TEST_NO_FAILURES();
	database_box_free(&box);
}

/* Fills the disk behind so many writes and removals of a checkpoint; returns how many files of nobody are found. */
static uint64_t interrupt_checkpoint(int64_t after, bool *interrupted)
{
	const struct sopi_sim_fault full = { .calls = SOPI_SIM_WRITE | SOPI_SIM_REMOVE,
					     .after = after,
					     .for_ever = true,
					     .os_errno = ENOSPC };
	struct database_box box;
	uint64_t leaked;
	sop_status status;

	fill_all(&box);
	database_box_fill(&box, "more", 0, 40, 700);
	sopi_sim_fail(box.process, &full);
	status = sop_checkpoint(box.db, &box.err);
	sopi_sim_fail(box.process, NULL);
	if (status != SOP_OK)
		TEST_STATUS(status, SOP_NO_SPACE, box.err);
	*interrupted = status != SOP_OK;
	leaked = database_problems(box.db, "leak", NULL); /* and nothing is damaged */
	assert_int_equal(database_problems(box.db, NULL, NULL), leaked);
	database_box_close(&box);
	database_box_open(&box);
	assert_int_equal(database_verify(box.db, "opened again"), 0);
	database_box_free(&box);
	return leaked;
}

static void what_an_interrupted_checkpoint_left_is_no_damage(void **state)
{
	uint64_t leaked = 0;
	bool interrupted = true;

	(void)state;
	for (int64_t after = 0; interrupted && after < CALLS_MAX; after++)
		leaked += interrupt_checkpoint(after, &interrupted);
	assert_false(interrupted);
	assert_true(leaked > 0);
	TEST_NO_FAILURES();
}

/* What registry and manifest say is compared with what is there. */
static void entries_of_nobody_are_found(void **state)
{
	const struct sopi_checkpoint_how how = { .always = true };
	struct database_box box;
	struct sopi_inredfs *fs;
	struct sopi_registry_entry entry = { .removed = false };
	uint64_t root;

	(void)state;
	fill_all(&box);
	fs = database_box_fs(&box);
	root = box.db->engine->catalog.names.tree.root->vid;
	TEST_OK(sopi_registry_find(fs->registry, root, &entry, &box.err), box.err);
	entry.words[2] = 0; /* so that the pack does not have more than it holds */
	entry.key = sopi_registry_key(SOPI_KEY_NODE, 12345);
	TEST_OK(sopi_extra_add(fs, &entry, &box.err), box.err);
	entry.key = sopi_registry_key(SOPI_KEY_VALUE, 12345);
	entry.words[2] = 0;
	TEST_OK(sopi_extra_add(fs, &entry, &box.err), box.err);
	TEST_OK(sopi_checkpoint_run(fs, &how, &box.err), box.err);
	assert_int_equal(database_problems(box.db, "leak", ""), 2);
	entry.key = root;
	entry.removed = true;
	TEST_OK(sopi_extra_add(fs, &entry, &box.err), box.err);
	TEST_OK(sopi_checkpoint_run(fs, &how, &box.err), box.err);
	assert_true(database_problems(box.db, "missing", "") >= 1);
	database_box_free(&box);
}

/* The registry says one thing, and a page another. */
static void wrong_counts_are_found(void **state)
{
	struct database_box box;
	struct sopi_inredfs *fs;
	bool indefinite;

	(void)state;
	fill_all(&box);
	fs = database_box_fs(&box);
	assert_true(fs->manifest.pack_count > 0);
	fs->manifest.packs[0].live_bytes--;
	assert_true(database_problems(box.db, "manifest", "MANIFEST") == 1);
	TEST_OK(sopi_manifest_write(fs->folder, &fs->manifest, &indefinite, &box.err), box.err);
	assert_true(database_problems(box.db, "count", NULL) == 1);
	fs->manifest.packs[0].live_bytes++;
	database_box_free(&box);
}

static int stop(void *arg, const sop_problem *problem)
{
	(void)problem;
	++*(unsigned *)arg;
	return 1;
}

static void it_stops_when_it_is_told_to(void **state)
{
	struct database_box box;
	unsigned calls = 0;
	uint64_t problems = 0;

	(void)state;
	fill_all(&box);
	database_box_write(&box, "x", "something");
	database_box_write(&box, "y", "something");
	TEST_STATUS(sop_verify(box.db, stop, NULL, &calls, &problems, &box.err), SOP_CANCELLED, box.err);
	assert_true(calls == 1 && problems == 1);
	database_box_free(&box);
}

/* What a check told of its progress. */
struct heard {
	uint64_t calls, stop_at; /* 0: never */
	uint64_t done, total;
	bool back; /* it went back */
};

static int hear(void *arg, uint64_t done, uint64_t total)
{
	struct heard *heard = arg;

	heard->back = heard->back || done < heard->done || done > total || total < heard->total;
	heard->done = done;
	heard->total = total;
	return ++heard->calls == heard->stop_at;
}

/* It tells how far it is, to the end, and can be stopped wherever it tells. */
static void hears_and_stops(sop_db *db, uint64_t calls_least)
{
	sop_error err = SOP_ERROR_INIT;
	struct heard whole = { .calls = 0 };

	TEST_OK(sop_verify(db, NULL, hear, &whole, NULL, &err), err);
	assert_true(whole.calls >= calls_least && !whole.back);
	assert_true(whole.done == whole.total && whole.total > 0);
	for (uint64_t at = 1; at < whole.calls; at += whole.calls / 16 + 1) {
		struct heard some = { .stop_at = at };

		TEST_STATUS(sop_verify(db, NULL, hear, &some, NULL, &err), SOP_CANCELLED, err);
		assert_int_equal(some.calls, at);
	}
	TEST_OK(sop_verify(db, NULL, NULL, NULL, NULL, &err), err);
}

static void it_tells_how_far_it_is(void **state)
{
	struct database_box box;
	struct database_box memory = { .err = SOP_ERROR_INIT };

	(void)state;
	fill_all(&box);
	database_box_fill(&box, "more", 0, 5000, 100);
	TEST_OK(sop_checkpoint(box.db, &box.err), box.err);
	hears_and_stops(box.db, 30);
	database_box_free(&box);
	TEST_OK(sop_open("inmemory:", NULL, &memory.db, &memory.err), memory.err);
	database_box_fill(&memory, "s", 0, 5000, 100);
	hears_and_stops(memory.db, 30);
	TEST_OK(sop_close(memory.db, &memory.err), memory.err);
	sop_db_free(memory.db);
}

/* ---- beside others -------------------------------------------------------------------------------- */

struct beside {
	struct database_box *box;
	_Atomic bool stop;
};

static void work_or_verify(size_t index, void *arg)
{
	struct beside *beside = arg;
	struct database_box box = *beside->box;

	if (index == 0) {
		for (unsigned i = 0; i < 6; i++)
			(void)database_verify(box.db, "while others write");
		beside->stop = true;
		return;
	}
	while (!beside->stop) {
		const sop_error fresh = SOP_ERROR_INIT;
		char name[16];

		box.err = fresh;
		snprintf(name, sizeof name, "of %u", (unsigned)index);
		database_box_fill(&box, name, 0, 300, 200);
		database_box_fill(&box, name, 0, 3, 5000);
		if (index == 1) {
			drop(&box, name);
			TEST_OK(sop_checkpoint(box.db, &box.err), box.err);
		}
		if (index == 2)
			TEST_OK(sop_gc(box.db, NULL, NULL, &box.err), box.err);
	}
}

static void it_finds_nothing_while_others_write(void **state)
{
	struct database_box box;
	struct beside beside = { .box = &box };

	(void)state;
	fill_all(&box);
	test_run_threads(4, work_or_verify, &beside);
	(void)database_verify(box.db, "in the end");
	TEST_NO_FAILURES();
	database_box_free(&box);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_database_is_clean),
		cmocka_unit_test(dropped_stores_leave_nothing),
		cmocka_unit_test(flipped_bytes_are_found),
		cmocka_unit_test(missing_files_are_found),
		cmocka_unit_test(files_of_nobody_are_found),
		cmocka_unit_test(what_an_interrupted_checkpoint_left_is_no_damage),
		cmocka_unit_test(entries_of_nobody_are_found),
		cmocka_unit_test(wrong_counts_are_found),
		cmocka_unit_test(it_stops_when_it_is_told_to),
		cmocka_unit_test(it_tells_how_far_it_is),
		cmocka_unit_test(it_finds_nothing_while_others_write),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
