/* Checkpoints that write patches instead of whole pages: nothing that a user sees depends on it, but few bytes are
 * written where few items of a page have changed. */
#include "support/folder.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	ITEMS = 2000,
	SMALL_BYTES = 60,
	APART_BYTES = 2000, /* kept apart from its leaf */
	ROUNDS = 120,
	CHANGES_MAX = 60, /* in a round */
	WRITTEN_ITEMS = 60000, /* where bytes are counted */
	LEAF_ITEMS = 36, /* of 8 + SMALL_BYTES bytes, at least */
};

/* What must be in the store: the size of each value (0: no item), which says with its number what is in it. */
struct box {
	char folder[TEST_PATH_BYTES];
	sop_db *db;
	sop_store *store;
	sop_error err;
	struct test_rng rng;
	uint64_t round_of[ITEMS];
	size_t size_of[ITEMS];
};

static sop_bytes value_of(uint8_t room[APART_BYTES], uint64_t number, uint64_t round, size_t size)
{
	for (size_t i = 0; i < size; i++)
		room[i] = (uint8_t)(number * 131 + round * 7 + i);
	return test_bytes(room, size);
}

static void box_open(struct box *box)
{
	char url[TEST_PATH_BYTES + 80];

	(void)snprintf(url, sizeof url,
		       "inredfs:%s?create=true&durability=buffered&cache_bytes=4194304", box->folder);
	TEST_OK(sop_open(url, NULL, &box->db, &box->err), box->err);
	TEST_OK(sop_store_open(box->db, test_text("s"), NULL, &box->store, &box->err), box->err);
}

static void box_close(struct box *box)
{
	sop_store_free(box->store);
	TEST_OK(sop_close(box->db, &box->err), box->err);
	sop_db_free(box->db);
}

static void box_make(struct box *box)
{
	const sop_error err = SOP_ERROR_INIT;
	sop_txn *txn = NULL;

	memset(box, 0, sizeof *box);
	box->err = err;
	test_rng_init(&box->rng, test_seed(), 0);
	test_folder_make_fast(box->folder);
	box_open(box);
	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	TEST_OK(sop_store_create(txn, box->store, &box->err), box->err);
	TEST_OK(sop_commit(txn, &box->err), box->err);
	sop_txn_free(txn);
}

/* Puts the items [from, to) of small values. */
static void fill(struct box *box, uint64_t from, uint64_t to, uint64_t step, uint64_t round)
{
	uint8_t key[8], value[APART_BYTES];
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	for (uint64_t i = from; i < to; i += step) {
		TEST_OK(sop_put(txn, box->store, test_key_u64(key, i),
				value_of(value, i, round, SMALL_BYTES), &box->err),
			box->err);
		if (i < ITEMS) {
			box->size_of[i] = SMALL_BYTES;
			box->round_of[i] = round;
		}
	}
	TEST_OK(sop_commit(txn, &box->err), box->err);
	sop_txn_free(txn);
}

/* One commit of random changes: mostly few, so that patches pay. */
static void change(struct box *box, uint64_t round)
{
	const uint64_t changes = 1 + test_rng_below(&box->rng, CHANGES_MAX);
	uint8_t key[8], value[APART_BYTES];
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	for (uint64_t c = 0; c < changes; c++) {
		const uint64_t i = test_rng_below(&box->rng, ITEMS);
		const size_t size = test_rng_once_in(&box->rng, 12)  ? 0
				    : test_rng_once_in(&box->rng, 6) ? APART_BYTES
								     : SMALL_BYTES;

		if (size != 0) {
			TEST_OK(sop_put(txn, box->store, test_key_u64(key, i),
					value_of(value, i, round, size), &box->err),
				box->err);
		} else if (box->size_of[i] != 0) {
			TEST_OK(sop_remove(txn, box->store, test_key_u64(key, i), 0, &box->err),
				box->err);
		}
		box->size_of[i] = size;
		box->round_of[i] = round;
	}
	TEST_OK(sop_commit(txn, &box->err), box->err);
	sop_txn_free(txn);
}

static void compare(struct box *box)
{
	uint8_t key[8], value[APART_BYTES];
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	for (uint64_t i = 0; i < ITEMS; i++) {
		sop_buf found = SOP_BUF_INIT;
		const sop_status status =
			sop_get(txn, box->store, test_key_u64(key, i), &found, &box->err);

		if (box->size_of[i] == 0) {
			assert_int_equal(status, SOP_NOT_FOUND);
		} else {
			TEST_OK(status, box->err);
			assert_int_equal(found.size, box->size_of[i]);
			assert_memory_equal(found.data,
					    value_of(value, i, box->round_of[i], box->size_of[i]).data,
					    found.size);
		}
		sop_buf_free(&found);
	}
	TEST_OK(sop_rollback(txn, &box->err), box->err);
	sop_txn_free(txn);
}

static int tell(void *arg, const sop_problem *problem)
{
	(void)arg;
	print_error("%s\n", problem->message);
	return 0;
}

static void verify(struct box *box)
{
	uint64_t problems = 1;

	TEST_OK(sop_verify(box->db, tell, NULL, NULL, &problems, &box->err), box->err);
	assert_int_equal(problems, 0);
}

/* Random changes, checkpoints, openings, gc and copies: the store holds what a plain array holds, and all files are sound. */
static void what_was_patched_is_what_was_put(void **state)
{
	const uint64_t rounds = test_scaled(ROUNDS);
	struct box box;

	(void)state;
	box_make(&box);
	fill(&box, 0, ITEMS, 1, 0);
	for (uint64_t round = 1; round <= rounds; round++) {
		change(&box, round);
		if (test_rng_once_in(&box.rng, 2))
			TEST_OK(sop_checkpoint(box.db, &box.err), box.err);
		if (test_rng_once_in(&box.rng, 15))
			TEST_OK(sop_gc(box.db, NULL, NULL, &box.err), box.err);
		if (!test_rng_once_in(&box.rng, 6))
			continue;
		box_close(&box);
		box_open(&box);
		verify(&box);
		compare(&box);
	}
	compare(&box);
	box_close(&box);
	test_folder_remove(box.folder);
}

static uint64_t bytes_after_checkpoint(struct box *box)
{
	char blobs[TEST_PATH_BYTES + 8];

	TEST_OK(sop_checkpoint(box->db, &box->err), box->err);
	snprintf(blobs, sizeof blobs, "%s/blobs", box->folder);
	return test_folder_disk_bytes(blobs);
}

/* One item of each leaf is overwritten: a whole page for each would double the data. */
static void few_changes_write_few_bytes(void **state)
{
	uint64_t before, after;
	struct box box;

	(void)state;
	box_make(&box);
	fill(&box, 0, WRITTEN_ITEMS, 1, 0);
	before = bytes_after_checkpoint(&box);
	fill(&box, 0, WRITTEN_ITEMS, LEAF_ITEMS, 1);
	after = bytes_after_checkpoint(&box);
	assert_true(after > before); /* the pages are there still, and patches besides */
	assert_true(after - before < before / 8);
	verify(&box);
	box_close(&box);
	test_folder_remove(box.folder);
}

/* A store whose leaves have patches is dropped: pages and patches go, and nothing is left that nobody names. */
static void a_dropped_store_takes_its_patches_with_it(void **state)
{
	sop_txn *txn = NULL;
	struct box box;

	(void)state;
	box_make(&box);
	fill(&box, 0, ITEMS, 1, 0);
	TEST_OK(sop_checkpoint(box.db, &box.err), box.err);
	fill(&box, 0, ITEMS, 50, 1);
	TEST_OK(sop_checkpoint(box.db, &box.err), box.err);
	TEST_OK(sop_begin(box.db, NULL, &txn, &box.err), box.err);
	TEST_OK(sop_store_drop(txn, box.store, &box.err), box.err);
	TEST_OK(sop_commit(txn, &box.err), box.err);
	sop_txn_free(txn);
	TEST_OK(sop_gc(box.db, NULL, NULL, &box.err), box.err);
	verify(&box);
	box_close(&box);
	test_folder_remove(box.folder);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_patched_is_what_was_put),
		cmocka_unit_test(few_changes_write_few_bytes),
		cmocka_unit_test(a_dropped_store_takes_its_patches_with_it),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("patches", tests, NULL, NULL);
}
