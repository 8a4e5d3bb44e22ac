/* Whatever the log says, and in whatever portions it is replayed: what is there afterwards is what was there before, the
 * versions of items included. */
#include "base/alloc.h"
#include "support/replay.h"
#include "unit/backend/database_box.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PORTIONS = 9,
	KEYS = 3000, /* some 400 leaves of 1 KB */
	ROUNDS = 6,
	VALUE_BYTES = 60,
	APART_BYTES = 3000,
	STORES = 40,
	RIDING = 500, /* enough to displace each other where keys are noted */
	OPENINGS = 12,
	SEGMENTS_MAX = 6, /* four that the checkpoint has passed, one that it has not, and the new one */
	FAILURES_STEP = 3,
};

/* ---- one disk, opened again and again ------------------------------------------------------------- */

/* Opens a copy of the disk, which replays the log in the portions of this number; then once more. */
static void replay_copy(struct database_box *from, const sop_buf *before, uint64_t portions)
{
	struct database_box box = { .disk = sopi_sim_disk_copy(from->disk), .err = SOP_ERROR_INIT };

	box.process = sopi_sim_process_new(box.disk, NULL, test_seed());
	test_replay_in_parts(portions, portions % 2 == 1);
	sopi_recover_checkpoint_each = portions % 5 == 4 ? 3 : 0;
	database_box_open(&box);
	database_box_check(&box, before);
	database_box_close(&box);
	database_box_open(&box);
	database_box_check(&box, before);
	database_box_free(&box);
	sopi_recover_checkpoint_each = 0;
	test_replay_as_usual();
}

static void replay_in_all_portions(struct database_box *box)
{
	sop_buf before = SOP_BUF_INIT;

	database_box_die(box, &before);
	for (uint64_t portions = 0; portions < PORTIONS; portions++)
		replay_copy(box, &before, portions + PORTIONS * test_seed());
	TEST_NO_FAILURES();
	sop_buf_free(&before);
	database_box_free(box);
}

/* ---- what is in the log ---------------------------------------------------------------------------- */

static void put(struct database_box *box, sop_txn *txn, sop_store *store, uint64_t number,
		uint64_t round, size_t size)
{
	uint8_t key[8], *value = memset(test_alloc(size), (int)(number + round), size);

	TEST_OK(sop_put(txn, store, test_key_u64(key, number), test_bytes(value, size), &box->err),
		box->err);
	free(value);
}

static void cut(struct database_box *box, sop_txn *txn, sop_store *store, uint64_t number)
{
	uint8_t key[8];
	const sop_status status = sop_remove(txn, store, test_key_u64(key, number), 0, &box->err);

	assert_true(status == SOP_OK || status == SOP_NOT_FOUND);
}

static void next(struct database_box *box, sop_txn *txn)
{
	TEST_OK(sop_commit(txn, &box->err), box->err);
	TEST_OK(sop_txn_renew(txn, &box->err), box->err);
}

/* A store of so many items that a checkpoint has, and a transaction. */
static sop_store *begin(struct database_box *box, const char *name, uint64_t items, sop_txn **txn)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_store *store = NULL;

	options.node_items = 8;
	TEST_OK(sop_store_open(box->db, test_text(name), &options, &store, &box->err), box->err);
	if (*txn == NULL)
		TEST_OK(sop_begin(box->db, NULL, txn, &box->err), box->err);
	TEST_OK(sop_store_create(*txn, store, &box->err), box->err);
	for (uint64_t i = 0; i < items; i++)
		put(box, *txn, store, i, 0, VALUE_BYTES);
	next(box, *txn);
	return store;
}

/* Each key several times, some of them in between removed and put again, some removed for good, with their neighbours, so
 * that leaves become empty whose neighbours are not in memory. */
static void what_comes_again_is_as_it_was_last(void **state)
{
	struct database_box box;
	sop_txn *txn = NULL;
	sop_store *store;

	(void)state;
	database_box_start(&box);
	store = begin(&box, "again", KEYS, &txn);
	TEST_OK(sop_checkpoint(box.db, &box.err), box.err);
	for (uint64_t round = 1; round <= ROUNDS; round++) {
		for (uint64_t i = 0; i < KEYS; i++) {
			const uint64_t key = i * 1999 % KEYS;

			if (key / 100 % 5 == 4 && round >= 2)
				cut(&box, txn, store, key);
			else if ((key + round) % 7 == 0)
				cut(&box, txn, store, key);
			else if (key % 50 != 0)
				put(&box, txn, store, key, round,
				    round == 3 && key % 40 == 7 ? APART_BYTES : VALUE_BYTES + round * 3);
			if (i % 13 == 12)
				next(&box, txn);
		}
		for (uint64_t i = 0; i < 20; i++) /* behind all others */
			put(&box, txn, store, KEYS + round * 20 + i, round, VALUE_BYTES);
		next(&box, txn);
	}
	sop_txn_free(txn);
	sop_store_free(store);
	replay_in_all_portions(&box);
}

/* Changes of many stores in each transaction, while some come, go and get other names. */
static void many_stores_are_told_apart(void **state)
{
	sop_store *stores[STORES];
	struct database_box box;
	sop_txn *txn = NULL;
	char name[32];

	(void)state;
	database_box_start(&box);
	for (unsigned i = 0; i < STORES; i++) {
		(void)snprintf(name, sizeof name, "store %u", i);
		stores[i] = begin(&box, name, 5 * i, &txn);
		if (i == STORES / 2)
			TEST_OK(sop_checkpoint(box.db, &box.err), box.err);
	}
	for (uint64_t round = 1; round <= ROUNDS * 4; round++) {
		for (uint64_t i = 0; i < STORES; i++)
			put(&box, txn, stores[(i + round) % STORES], i * round % 200, round,
			    i % 17 == 0 ? APART_BYTES : VALUE_BYTES);
		if (round % 4 == 3) {
			TEST_OK(sop_store_drop(txn, stores[round], &box.err), box.err);
			TEST_OK(sop_store_create(txn, stores[round], &box.err), box.err);
			put(&box, txn, stores[round], round, round, VALUE_BYTES);
		}
		if (round == 5) {
			TEST_OK(sop_store_rename(txn, stores[1], test_text("renamed"), &box.err),
				box.err);
			TEST_OK(sop_store_create(txn, stores[1], &box.err), box.err);
		}
		next(&box, txn);
	}
	sop_txn_free(txn);
	for (unsigned i = 0; i < STORES; i++)
		sop_store_free(stores[i]);
	replay_in_all_portions(&box);
}

/* A value apart stays where it is while the fields beside it change, whatever becomes of it before and after that. */
static void a_value_stays_that_the_log_only_mentions(void **state)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_schema *schema = NULL;
	struct database_box box;
	sop_store *store = NULL;
	sop_txn *txn = NULL;

	(void)state;
	database_box_start(&box);
	TEST_OK(sop_schema_parse(test_text("{\"v\":1,\"sort\":[{\"n\":\"k\",\"t\":\"int\"}],"
					   "\"ride\":[{\"n\":\"r\",\"t\":\"int\",\"default\":0}]}"),
				 &schema, &box.err),
		box.err);
	options.schema = schema;
	TEST_OK(sop_store_open(box.db, test_text("riding"), &options, &store, &box.err), box.err);
	TEST_OK(sop_begin(box.db, NULL, &txn, &box.err), box.err);
	TEST_OK(sop_store_create(txn, store, &box.err), box.err);
	for (int64_t round = 0; round < ROUNDS * 2; round++) {
		for (int64_t i = 0; i < RIDING; i++) {
			const sop_value fields[2] = { sop_value_int(i * 7 % RIDING),
						      sop_value_int(round) };
			uint8_t value[APART_BYTES];
			sop_buf key = SOP_BUF_INIT;

			TEST_OK(sop_key_pack(schema, fields, 2, &key, &box.err), box.err);
			memset(value, (int)(i + round), sizeof value);
			if ((i + round) % 8 == 0)
				TEST_OK(sop_put(txn, store, test_bytes(key.data, key.size),
						test_bytes(value, sizeof value), &box.err),
					box.err);
			else if ((i + round) % 37 == 0)
				(void)sop_remove(txn, store, test_bytes(key.data, key.size), 0, &box.err);
			else
				(void)sop_set_ride(txn, store, test_bytes(key.data, key.size), 0,
						   &box.err);
			sop_buf_free(&key);
		}
		next(&box, txn);
		if (round == 2)
			TEST_OK(sop_checkpoint(box.db, &box.err), box.err);
	}
	sop_txn_free(txn);
	sop_store_free(store);
	sop_schema_free(schema);
	replay_in_all_portions(&box);
}

static void random_work_is_replayed(void **state)
{
	struct database_box box;
	struct test_rng rng;

	(void)state;
	database_box_start(&box);
	test_rng_init(&rng, test_seed(), 21);
	database_box_work(&box, &rng, test_scaled(120));
	replay_in_all_portions(&box);
}

/* ---- opening again and again ---------------------------------------------------------------------- */

static struct sopi_wal_stats wal_stats(struct database_box *box)
{
	struct sopi_wal_stats stats;

	sopi_wal_get_stats(database_box_fs(box)->wal, &stats);
	return stats;
}

/* Two megabytes of log, which the first closing leaves. */
static void what_was_replayed_is_not_replayed_again(void **state)
{
	sop_buf before = SOP_BUF_INIT;
	struct database_box box;

	(void)state;
	database_box_start(&box);
	for (uint64_t i = 0; i < 16; i++)
		database_box_fill(&box, "log", 100 * i, 100 * (i + 1), 1000);
	database_dump(box.db, &before);
	database_box_close(&box);
	database_box_open(&box);
	assert_true(database_box_fs(&box)->replayed_bytes > 3 << 19);
	database_box_check(&box, &before);
	database_box_close(&box);
	database_box_open(&box);
	assert_true(database_box_fs(&box)->replayed_bytes < 64 << 10);
	database_box_check(&box, &before);
	TEST_NO_FAILURES();
	sop_buf_free(&before);
	database_box_free(&box);
}

/* The power goes while it is closed: MANIFEST may be the one before. */
static void cut_power(struct database_box *from, const sop_buf *before, enum sopi_sim_keep keep)
{
	struct database_box box = { .disk = sopi_sim_disk_copy(from->disk), .err = SOP_ERROR_INIT };
	const struct sopi_sim_cut how = { .keep = keep, .seed = test_seed() };

	sopi_sim_power_cut(box.disk, &how);
	box.process = sopi_sim_process_new(box.disk, NULL, test_seed());
	database_box_open(&box);
	database_box_check(&box, before);
	database_box_free(&box);
}

static void segments_that_a_checkpoint_has_passed_are_not_read(void **state)
{
	sop_buf before = SOP_BUF_INIT;
	struct database_box box;

	(void)state;
	database_box_start(&box);
	database_box_fill(&box, "log", 0, 100, 100);
	TEST_OK(sop_checkpoint(box.db, &box.err), box.err);
	database_dump(box.db, &before);
	for (int i = 0; i < OPENINGS; i++) {
		database_box_close(&box);
		cut_power(&box, &before, SOPI_SIM_KEEP_NONE);
		cut_power(&box, &before, SOPI_SIM_KEEP_SOME);
		cut_power(&box, &before, SOPI_SIM_KEEP_ALL);
		database_box_open(&box);
		assert_true(wal_stats(&box).segments <= SEGMENTS_MAX);
	}
	database_box_check(&box, &before);
	TEST_NO_FAILURES();
	sop_buf_free(&before);
	database_box_free(&box);
}

/* ---- what fails ------------------------------------------------------------------------------------ */

/* Opens a copy of the disk while the call or allocation number `after` fails; true if there are not so many. What opens all
 * the same is whole. */
static bool open_failing(struct database_box *from, const sop_buf *before, bool reads, int64_t after)
{
	const struct sopi_sim_fault fault = { .calls = SOPI_SIM_READ, .after = after, .os_errno = EIO };
	struct database_box box = { .disk = sopi_sim_disk_copy(from->disk), .err = SOP_ERROR_INIT };
	const int64_t live = sopi_alloc_live_count();
	sop_status status;
	bool ended;

	box.process = sopi_sim_process_new(box.disk, NULL, test_seed());
	sopi_sim_fail(box.process, reads ? &fault : NULL);
	sopi_alloc_fail_after(reads ? -1 : after, false);
	status = database_box_open_at(&box, "/db", &box.db, &box.err);
	ended = reads ? sopi_sim_calls(box.process, SOPI_SIM_READ) <= after : sopi_alloc_asked() <= after;
	sopi_alloc_fail_after(-1, false);
	sopi_sim_fail(box.process, NULL);
	if (status == SOP_OK) {
		database_box_check(&box, before);
	} else {
		assert_null(box.db);
		TEST_STATUS(status, reads ? SOP_IO : SOP_NO_MEMORY, box.err);
	}
	database_box_free(&box);
	assert_true(status == SOP_OK || !ended);
	assert_true(sopi_alloc_live_count() <= live);
	return ended;
}

/* A log of changes of leaves that are to be read, and of values apart. */
static void fill_log(struct database_box *box, sop_buf *before)
{
	sop_txn *txn = NULL;
	sop_store *store;

	database_box_start(box);
	store = begin(box, "failing", 400, &txn);
	TEST_OK(sop_checkpoint(box->db, &box->err), box->err);
	for (uint64_t i = 0; i < 300; i++) {
		if (i % 5 == 0)
			cut(box, txn, store, i);
		else
			put(box, txn, store, i * 7 % 500, i, i % 11 == 0 ? APART_BYTES : VALUE_BYTES);
		if (i % 4 == 3)
			next(box, txn);
	}
	next(box, txn);
	sop_txn_free(txn);
	sop_store_free(store);
	database_box_die(box, before);
}

static void replay_with_failures(bool reads)
{
	sop_buf before = SOP_BUF_INIT;
	struct database_box box;
	int64_t after = 0;

	fill_log(&box, &before);
	test_replay_in_parts(11, true);
	while (!open_failing(&box, &before, reads, after))
		after += FAILURES_STEP;
	test_replay_as_usual();
	print_message("  %lld places\n", (long long)(after / FAILURES_STEP));
	assert_true(after / FAILURES_STEP >= 50);
	TEST_NO_FAILURES();
	sop_buf_free(&before);
	database_box_free(&box);
}

static void a_replay_without_memory_is_given_up(void **state)
{
	(void)state;
	replay_with_failures(false);
}

static void a_replay_that_cannot_read_is_given_up(void **state)
{
	(void)state;
	replay_with_failures(true);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_again_is_as_it_was_last),
		cmocka_unit_test(many_stores_are_told_apart),
		cmocka_unit_test(a_value_stays_that_the_log_only_mentions),
		cmocka_unit_test(random_work_is_replayed),
		cmocka_unit_test(what_was_replayed_is_not_replayed_again),
		cmocka_unit_test(segments_that_a_checkpoint_has_passed_are_not_read),
		cmocka_unit_test(a_replay_without_memory_is_given_up),
		cmocka_unit_test(a_replay_that_cannot_read_is_given_up),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
