/* A commit of very many items does not hold the others up: while one thread commits a million of them, others commit
 * single items to the same store and to another one, and their longest wait is measured. The large commit is there as a
 * whole or not at all for whoever looks, and afterwards everything counts and verifies. */
#include "fixture.h"
#include "support/folder.h"
#include "support/support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS 1000000 /* of the large commit */
#define NS_PER_MS 1000000

enum {
	KEY_BYTES = 16,
	VALUE_BYTES = 100,
	STALL_MS_MAX = 400, /* of a small commit beside a large one; on an idle machine it is far below that */
	STALL_PART = 4, /* and this part of the large one's time, which is long where others want the machine too */
	ATTEMPTS = 3, /* since a disk or a scheduler may hold anybody up once */
	OTHERS = 2, /* threads that commit single items: to the same store, and to another one */
	LOAD_AT_ONCE = 1000,
};

/* What the large commit does. */
enum shape { APPEND, SPREAD, OVERWRITE, REMOVE };

struct box {
	sop_db *db;
	sop_store *store;
	sop_store *other;
	enum shape shape;
	uint64_t items;
	_Atomic bool loaded; /* the others may begin to measure */
	_Atomic bool done;
	_Atomic uint64_t seen_half; /* looks that found neither the state before nor that after */
	int64_t commit_ns;
	int64_t stall_ns[OTHERS];
	uint64_t commits[OTHERS];
};

/* Keys of the large commit are even numbers, those of the others odd ones between them. */
static sop_bytes key_of(char *room, uint64_t number)
{
	for (size_t i = KEY_BYTES; i-- > 0; number /= 10)
		room[i] = (char)('0' + number % 10);
	return test_bytes(room, KEY_BYTES);
}

static sop_bytes value_of(char *room, uint64_t number, char mark)
{
	memset(room, mark, VALUE_BYTES);
	memcpy(room, &number, sizeof number);
	return test_bytes(room, VALUE_BYTES);
}

static sop_store *store_of(sop_db *db, const char *name)
{
	sop_error err = SOP_ERROR_INIT;
	sop_store *store = NULL;
	sop_txn *txn = NULL;

	TEST_OK(sop_store_open(db, test_text(name), NULL, &store, &err), err);
	TEST_OK(sop_begin(db, NULL, &txn, &err), err);
	TEST_OK(sop_store_create(txn, store, &err), err);
	TEST_OK(sop_commit(txn, &err), err);
	sop_txn_free(txn);
	return store;
}

/* What is there before: every fourth number for what spreads between, all even numbers for what changes them. */
static void load(struct box *box)
{
	const uint64_t step = box->shape == SPREAD ? 4 : 2;
	const uint64_t count = box->shape == APPEND ? 0 : box->items;
	char key[KEY_BYTES], value[VALUE_BYTES];
	sop_error err = SOP_ERROR_INIT;
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(box->db, NULL, &txn, &err), err);
	for (uint64_t i = 0; i < count; i++) {
		TEST_OK(sop_put(txn, box->store, key_of(key, i * step), value_of(value, i, 'a'), &err),
			err);
		if (i % LOAD_AT_ONCE == LOAD_AT_ONCE - 1) {
			TEST_OK(sop_commit(txn, &err), err);
			TEST_OK(sop_txn_renew(txn, &err), err);
		}
	}
	TEST_OK(sop_commit(txn, &err), err);
	sop_txn_free(txn);
}

/* ---- the large commit --------------------------------------------------------------------------- */

static sop_status change(struct box *box, sop_txn *txn, uint64_t i, sop_error *err)
{
	char key[KEY_BYTES], value[VALUE_BYTES];

	if (box->shape == REMOVE)
		return sop_remove(txn, box->store, key_of(key, i * 2), 0, err);
	return sop_put(txn, box->store, key_of(key, box->shape == SPREAD ? i * 4 + 2 : i * 2),
		       value_of(value, i, 'b'), err);
}

static void commit_all(struct box *box)
{
	sop_error err = SOP_ERROR_INIT;
	sop_txn *txn = NULL;
	sop_status status = sop_begin(box->db, NULL, &txn, &err);

	for (uint64_t i = 0; i < box->items && status == SOP_OK; i++)
		status = change(box, txn, i, &err);
	atomic_store(&box->loaded, true);
	if (status == SOP_OK) {
		test_sleep_us(50000); /* the others are under way */
		box->commit_ns = test_now_ns();
		status = sop_commit(txn, &err);
		box->commit_ns = test_now_ns() - box->commit_ns;
	}
	if (status != SOP_OK)
		test_note_failure("the large commit: %s: %s", sop_status_name(status), err.message);
	sop_txn_free(txn);
	atomic_store(&box->done, true);
}

/* ---- the others --------------------------------------------------------------------------------- */

/* The first and the last key of the large commit are in one state; a look costs little. */
static void look(struct box *box, sop_txn *reader, sop_buf *value)
{
	const uint64_t last = box->shape == SPREAD ? box->items * 4 - 2 : box->items * 2 - 2;
	const uint64_t first = box->shape == SPREAD ? 2 : 0;
	char key[KEY_BYTES];
	sop_error err = SOP_ERROR_INIT;
	sop_status status[2];
	char mark[2] = { 0, 0 };

	for (size_t i = 0; i < 2; i++) {
		status[i] = sop_get(reader, box->store, key_of(key, i == 0 ? first : last), value, &err);
		if (status[i] == SOP_OK)
			mark[i] = ((const char *)value->data)[VALUE_BYTES - 1];
	}
	if (status[0] != status[1] || mark[0] != mark[1] || sop_commit(reader, &err) != SOP_OK ||
	    sop_txn_renew(reader, &err) != SOP_OK)
		atomic_fetch_add(&box->seen_half, 1);
}

static sop_status commit_one(struct box *box, sop_txn *txn, size_t index, uint64_t number, sop_error *err)
{
	char key[KEY_BYTES], value[VALUE_BYTES];
	sop_status status = sop_put(txn, index == 0 ? box->store : box->other,
				    key_of(key, number * 2 + 1), value_of(value, number, 'c'), err);

	return status == SOP_OK ? sop_commit(txn, err) : status;
}

static void commit_singly(struct box *box, size_t index)
{
	sop_error err = SOP_ERROR_INIT;
	sop_buf value = SOP_BUF_INIT;
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_txn *txn = NULL, *reader = NULL;
	struct test_rng rng;
	sop_status status = sop_begin(box->db, NULL, &txn, &err);

	reading.mode = SOP_READ;
	if (status == SOP_OK)
		status = sop_begin(box->db, &reading, &reader, &err);
	test_rng_init(&rng, test_seed(), index);
	while (status == SOP_OK && !atomic_load(&box->done)) {
		const bool measured = atomic_load(&box->loaded);
		const int64_t began_ns = test_now_ns();
		int64_t took_ns;

		status = commit_one(box, txn, index, test_rng_below(&rng, box->items * 2), &err);
		took_ns = test_now_ns() - began_ns;
		if (measured) {
			box->stall_ns[index] = took_ns > box->stall_ns[index] ? took_ns
									      : box->stall_ns[index];
			box->commits[index]++;
		}
		if (status == SOP_OK)
			status = sop_txn_renew(txn, &err);
		if (status == SOP_OK && index == 1)
			look(box, reader, &value);
		test_sleep_us(measured ? 200 : 5000);
	}
	if (status != SOP_OK)
		test_note_failure("a single commit: %s: %s", sop_status_name(status), err.message);
	sop_buf_free(&value);
	sop_txn_free(reader);
	sop_txn_free(txn);
}

static void body(size_t index, void *arg)
{
	struct box *box = arg;

	if (index == OTHERS)
		commit_all(box);
	else
		commit_singly(box, index);
}

/* ---- afterwards --------------------------------------------------------------------------------- */

/* Counts what bears the mark of whom; the state is that of one order of all commits. */
static void check(struct box *box)
{
	uint64_t counts[256] = { 0 };
	sop_error err = SOP_ERROR_INIT;
	sop_cursor *cursor = NULL;
	uint64_t items = 0, all = 0;
	sop_txn *txn = NULL;
	sop_entry entry;

	TEST_OK(sop_begin(box->db, NULL, &txn, &err), err);
	TEST_OK(sop_cursor_open(txn, box->store, NULL, 0, &cursor, &err), err);
	while (sop_cursor_next(cursor, &entry, &err) == SOP_OK) {
		counts[((const unsigned char *)entry.value.data)[VALUE_BYTES - 1]]++;
		all++;
	}
	sop_cursor_free(cursor);
	TEST_OK(sop_count(txn, box->store, NULL, &items, &err), err);
	sop_txn_free(txn);
	assert_int_equal(items, all);
	assert_int_equal(counts['a'], box->shape == SPREAD ? box->items : 0);
	assert_int_equal(counts['b'], box->shape == REMOVE ? 0 : box->items);
	assert_int_equal(counts['a'] + counts['b'] + counts['c'], all);
	TEST_OK(sop_verify(box->db, NULL, NULL, NULL, NULL, &err), err);
}

/* True: nobody waited too long. */
static bool run(sop_db *db, enum shape shape, const char *what)
{
	struct box box = { .db = db, .shape = shape, .items = test_scaled(ITEMS) };
	int64_t stall_ns;

	test_forget_failures();
	box.store = store_of(db, "large");
	box.other = store_of(db, "other");
	load(&box);
	test_run_threads(OTHERS + 1, body, &box);
	TEST_NO_FAILURES();
	stall_ns = box.stall_ns[0] > box.stall_ns[1] ? box.stall_ns[0] : box.stall_ns[1];
	print_message("%s: %llu items in %lld ms; longest wait of a single commit: same store %lld ms (of %llu), "
		      "other store %lld ms (of %llu)\n",
		      what, (unsigned long long)box.items, (long long)(box.commit_ns / NS_PER_MS),
		      (long long)(box.stall_ns[0] / NS_PER_MS), (unsigned long long)box.commits[0],
		      (long long)(box.stall_ns[1] / NS_PER_MS), (unsigned long long)box.commits[1]);
	assert_int_equal(atomic_load(&box.seen_half), 0);
	check(&box);
	sop_store_free(box.store);
	sop_store_free(box.other);
	return stall_ns <= (int64_t)STALL_MS_MAX * NS_PER_MS + box.commit_ns / STALL_PART;
}

static void run_in_memory(enum shape shape, const char *what)
{
	bool held = false;

	for (int attempt = 0; attempt < ATTEMPTS && !held; attempt++) {
		sop_error err = SOP_ERROR_INIT;
		sop_db *db = NULL;

		TEST_OK(sop_open("inmemory:", NULL, &db, &err), err);
		held = run(db, shape, what);
		sop_db_free(db);
	}
	assert_true(held);
}

/* The database is opened again at the end: what the log has is what was there. */
static bool run_on_disk_once(enum shape shape, const char *what)
{
	char folder[TEST_PATH_BYTES], url[TEST_PATH_BYTES + 24];
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;
	bool held;

	test_folder_make(folder);
	snprintf(url, sizeof url, "inredfs:%s?create=true", folder);
	TEST_OK(sop_open(url, NULL, &db, &err), err);
	held = run(db, shape, what);
	sop_db_free(db);
	TEST_OK(sop_open(url, NULL, &db, &err), err);
	TEST_OK(sop_verify(db, NULL, NULL, NULL, NULL, &err), err);
	sop_db_free(db);
	test_folder_remove(folder);
	return held;
}

static void run_on_disk(enum shape shape, const char *what)
{
	bool held = false;

	for (int attempt = 0; attempt < ATTEMPTS && !held; attempt++)
		held = run_on_disk_once(shape, what);
	assert_true(held);
}

static void appending_in_memory(void **state)
{
	(void)state;
	run_in_memory(APPEND, "append, in memory");
}

static void spreading_in_memory(void **state)
{
	(void)state;
	run_in_memory(SPREAD, "spread, in memory");
}

static void overwriting_in_memory(void **state)
{
	(void)state;
	run_in_memory(OVERWRITE, "overwrite, in memory");
}

static void removing_in_memory(void **state)
{
	(void)state;
	run_in_memory(REMOVE, "remove, in memory");
}

static void appending_on_disk(void **state)
{
	(void)state;
	run_on_disk(APPEND, "append, on disk");
}

static void spreading_on_disk(void **state)
{
	(void)state;
	run_on_disk(SPREAD, "spread, on disk");
}

static void overwriting_on_disk(void **state)
{
	(void)state;
	run_on_disk(OVERWRITE, "overwrite, on disk");
}

static void removing_on_disk(void **state)
{
	(void)state;
	run_on_disk(REMOVE, "remove, on disk");
}

/* ---- leaves that are on disk only ---------------------------------------------------------------- */

enum { COLD_ITEMS = 20000, COLD_IN_LEAF = 16, COLD_KEY_BYTES = 116, COLD_FLUSHES_MAX = 16 };

static sop_bytes cold_key(char room[COLD_KEY_BYTES], uint64_t number)
{
	memset(room, 'k', COLD_KEY_BYTES);
	(void)key_of(room, number);
	return test_bytes(room, COLD_KEY_BYTES);
}

static void load_cold(sop_db *db)
{
	sop_store *store = store_of(db, "cold");
	char key[COLD_KEY_BYTES];
	sop_error err = SOP_ERROR_INIT;
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(db, NULL, &txn, &err), err);
	for (uint64_t i = 0; i < COLD_ITEMS; i++)
		TEST_OK(sop_put(txn, store, cold_key(key, i), test_text("v"), &err), err);
	TEST_OK(sop_commit(txn, &err), err);
	TEST_OK(sop_checkpoint(db, &err), err);
	sop_txn_free(txn);
	sop_store_free(store);
}

/* Empties every other leaf. */
static void empty_leaves(sop_db *db)
{
	char key[COLD_KEY_BYTES];
	sop_error err = SOP_ERROR_INIT;
	sop_store *store = NULL;
	sop_txn *txn = NULL;

	TEST_OK(sop_store_open(db, test_text("cold"), NULL, &store, &err), err);
	TEST_OK(sop_begin(db, NULL, &txn, &err), err);
	for (uint64_t i = 0; i < COLD_ITEMS; i++) {
		if (i / COLD_IN_LEAF % 2 == 0)
			TEST_OK(sop_remove(txn, store, cold_key(key, i), 0, &err), err);
	}
	TEST_OK(sop_commit(txn, &err), err);
	sop_txn_free(txn);
	sop_store_free(store);
}

/* Neighbours of emptied leaves are read before the mutex. When each was missed under it, the whole commit was built and
 * logged again for each of them. */
static void run_cold(const char *options)
{
	char folder[TEST_PATH_BYTES], url[TEST_PATH_BYTES + 64];
	sop_stats before = SOP_STATS_INIT, after = SOP_STATS_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;

	test_folder_make(folder);
	snprintf(url, sizeof url, "inredfs:%s?create=true&node_items=%d%s", folder, COLD_IN_LEAF, options);
	TEST_OK(sop_open(url, NULL, &db, &err), err);
	load_cold(db);
	sop_db_free(db);
	TEST_OK(sop_open(url, NULL, &db, &err), err);
	TEST_OK(sop_db_stats(db, &before, &err), err);
	empty_leaves(db);
	TEST_OK(sop_db_stats(db, &after, &err), err);
	assert_in_range(after.flushes - before.flushes, 1, COLD_FLUSHES_MAX);
	TEST_OK(sop_verify(db, NULL, NULL, NULL, NULL, &err), err);
	sop_db_free(db);
	test_folder_remove(folder);
}

static void emptying_leaves_beside_cold_ones(void **state)
{
	(void)state;
	run_cold("");
}

/* The cache is so small that most leaves are left to the mutex. */
static void emptying_leaves_with_a_small_cache(void **state)
{
	(void)state;
	run_cold("&cache_bytes=8MB");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appending_in_memory),
		cmocka_unit_test(spreading_in_memory),
		cmocka_unit_test(overwriting_in_memory),
		cmocka_unit_test(removing_in_memory),
		cmocka_unit_test(appending_on_disk),
		cmocka_unit_test(spreading_on_disk),
		cmocka_unit_test(overwriting_on_disk),
		cmocka_unit_test(removing_on_disk),
		cmocka_unit_test(emptying_leaves_beside_cold_ones),
		cmocka_unit_test(emptying_leaves_with_a_small_cache),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
