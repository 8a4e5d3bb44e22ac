/* A log that is longer than memory: recovery makes checkpoints while it replays, and the log goes to the pool behind it.
 * And one that many openings have left: it stays within its budget. */
#include "api/handle.h"
#include "api/options.h"
#include "backend/inredfs.h"
#include "platform/sim.h"
#include "support/large.h"
#include "support/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOG_BYTES = 64 << 10, /* so that segments have 16 KiB */
	LOG_BYTES_BETWEEN = 256 << 20, /* more than is written: no checkpoint is due */
	CACHE_BYTES_MIN = 4 << 20,
	CACHE_BYTES_WRITING = 128 << 20,
	BATCHES = 600,
	BATCH = 20,
	ITEMS = BATCHES * BATCH,
	BESIDE = 8000,
	ROUNDS_MAX = 20,
	VALUE_BYTES = 300,
	SEGMENTS_MIN = 100,
	SEGMENT_BYTES = LOG_BYTES / 4,
	OPENINGS = 40,
	APART_BYTES = 20000, /* of a value that shares a pack */
	ALONE_BYTES = (1 << 20) + 1, /* of one that has a pack of its own */
};

struct box {
	struct sopi_sim_disk *disk;
	struct sopi_sim_process *process;
	sop_db *db;
	sop_store *store;
	sop_error err;
};

static void box_open(struct box *box, int64_t cache_bytes)
{
	sop_options *options = NULL;

	TEST_OK(sop_options_new(&options, &box->err), box->err);
	TEST_OK(sop_options_set_bool(options, "create", 1, &box->err), box->err);
	TEST_OK(sop_options_set_int(options, "cache_bytes", cache_bytes, &box->err), box->err);
	TEST_OK(sop_options_set_text(options, "log_bytes_max", "4MB", &box->err), box->err);
	options->engine.log_bytes_max = LOG_BYTES; /* less than users may have */
	options->engine.no_background = true;
	box->process = sopi_sim_process_new(box->disk, NULL, test_seed());
	TEST_OK(sopi_db_open_on("/db", options, sopi_sim_platform(box->process), &box->db, &box->err),
		box->err);
	sop_options_free(options);
	TEST_OK(sop_store_open(box->db, test_text("items"), NULL, &box->store, &box->err), box->err);
}

/* Ends the process, as it is or by closing the database. */
static void box_end(struct box *box, bool killed)
{
	if (killed)
		sopi_sim_kill(box->process);
	sop_store_free(box->store);
	if (!killed)
		TEST_OK(sop_close(box->db, &box->err), box->err);
	sop_db_free(box->db);
	sopi_sim_process_free(box->process);
}

static sop_bytes value_of(uint8_t room[VALUE_BYTES], uint64_t number)
{
	for (size_t i = 0; i < VALUE_BYTES; i++)
		room[i] = (uint8_t)(number * 31 + i);
	return test_bytes(room, VALUE_BYTES);
}

/* Commits batch by batch; nothing of it is in a checkpoint. */
static void write_some(struct box *box, uint64_t batches)
{
	uint8_t key[8], value[VALUE_BYTES];
	sop_txn *txn = NULL;
	sop_status status;

	box->db->engine->options.log_bytes_max = LOG_BYTES_BETWEEN;
	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	status = sop_store_create(txn, box->store, &box->err);
	assert_true(status == SOP_OK || status == SOP_EXISTS);
	for (uint64_t i = 0; i < batches * BATCH; i++) {
		TEST_OK(sop_put(txn, box->store, test_key_u64(key, i), value_of(value, i), &box->err),
			box->err);
		if (i % BATCH != BATCH - 1)
			continue;
		TEST_OK(sop_commit(txn, &box->err), box->err);
		TEST_OK(sop_txn_renew(txn, &box->err), box->err);
	}
	sop_txn_free(txn);
}

static void write_all(struct box *box)
{
	sop_stats stats = SOP_STATS_INIT;

	write_some(box, BATCHES);
	TEST_OK(sop_db_stats(box->db, &stats, &box->err), box->err);
	assert_int_equal(stats.checkpoints, 1); /* that of the creation */
	assert_true(stats.log_bytes >= (uint64_t)SEGMENTS_MIN * SEGMENT_BYTES);
}

static void check_all(struct box *box, uint64_t items)
{
	uint8_t key[8], value[VALUE_BYTES];
	sop_buf found = SOP_BUF_INIT;
	uint64_t problems = 0;

	for (uint64_t i = 0; i < items; i++) {
		const sop_bytes wanted = value_of(value, i);
		const sop_status status =
			sop_read(box->db, box->store, test_key_u64(key, i), &found, &box->err);

		if (status != SOP_OK)
			fail_msg("item %llu: %s", (unsigned long long)i, box->err.message);
		assert_int_equal(found.size, wanted.size);
		assert_memory_equal(found.data, wanted.data, wanted.size);
	}
	sop_buf_free(&found);
	TEST_OK(sop_verify(box->db, NULL, NULL, NULL, &problems, &box->err), box->err);
	assert_int_equal(problems, 0);
}

/* ---- values apart ----------------------------------------------------------------------------- */

/* A commit of one item whose value is kept apart, behind those of write_all. */
static void put_apart(struct box *box, uint64_t number, size_t value_bytes)
{
	uint8_t key[8], *value = memset(test_alloc(value_bytes), (int)number, value_bytes);
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	TEST_OK(sop_put(txn, box->store, test_key_u64(key, ITEMS + number),
			test_bytes(value, value_bytes), &box->err),
		box->err);
	TEST_OK(sop_commit(txn, &box->err), box->err);
	sop_txn_free(txn);
	free(value);
}

static void check_apart(struct box *box, uint64_t number, size_t value_bytes)
{
	uint8_t key[8];
	sop_buf found = SOP_BUF_INIT;

	TEST_OK(sop_read(box->db, box->store, test_key_u64(key, ITEMS + number), &found, &box->err),
		box->err);
	assert_int_equal(found.size, value_bytes);
	for (size_t i = 0; i < value_bytes; i++)
		assert_int_equal(((const uint8_t *)found.data)[i], number);
	sop_buf_free(&found);
}

/* When the checkpoint is made, nothing that is known lives in the first pack, and nobody knows of the second. */
static void packs_that_the_log_names_behind_a_checkpoint_stay(void **state)
{
	struct box box = { .disk = sopi_sim_disk_new(), .err = SOP_ERROR_INIT };
	sop_stats stats = SOP_STATS_INIT;

	(void)state;
	box_open(&box, CACHE_BYTES_WRITING);
	write_some(&box, 1);
	put_apart(&box, 1, APART_BYTES);
	put_apart(&box, 1, 1);
	write_all(&box);
	put_apart(&box, 2, APART_BYTES);
	put_apart(&box, 3, ALONE_BYTES);
	box_end(&box, true);
	for (int round = 0; round < 2; round++) {
		box_open(&box, CACHE_BYTES_MIN);
		TEST_OK(sop_db_stats(box.db, &stats, &box.err), box.err);
		assert_true(round != 0 || stats.checkpoints >= 1);
		check_apart(&box, 1, 1);
		check_apart(&box, 2, APART_BYTES);
		check_apart(&box, 3, ALONE_BYTES);
		check_all(&box, ITEMS);
		box_end(&box, round == 0);
	}
	sopi_sim_disk_free(box.disk);
}

/* ---- a long transaction beside ---------------------------------------------------------------- */

/* One transaction of items behind those of write_all, whose parts lie between the batches. */
struct beside {
	struct box *box;
	pthread_t thread;
	_Atomic bool ended;
};

static void *commit_beside(void *arg)
{
	struct beside *beside = arg;
	struct box *box = beside->box;
	uint8_t key[8], value[VALUE_BYTES];
	sop_error err = SOP_ERROR_INIT;
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(box->db, NULL, &txn, &err), err);
	for (uint64_t i = ITEMS; i < ITEMS + BESIDE; i++)
		TEST_OK(sop_put(txn, box->store, test_key_u64(key, i), value_of(value, i), &err), err);
	TEST_OK(sop_commit(txn, &err), err);
	sop_txn_free(txn);
	atomic_store(&beside->ended, true);
	return NULL;
}

static void parts_stay_while_others_are_replayed(void **state)
{
	struct box box = { .disk = sopi_sim_disk_new(), .err = SOP_ERROR_INIT };
	struct beside beside = { .box = &box };
	uint64_t rounds = 0;

	(void)state;
	test_all_are_large(true);
	box_open(&box, CACHE_BYTES_WRITING);
	write_some(&box, 1);
	assert_int_equal(pthread_create(&beside.thread, NULL, commit_beside, &beside), 0);
	do
		write_some(&box, BATCHES);
	while (++rounds < ROUNDS_MAX && !atomic_load(&beside.ended));
	assert_int_equal(pthread_join(beside.thread, NULL), 0);
	print_message("  %llu rounds\n", (unsigned long long)rounds);
	box_end(&box, true);
	test_all_are_large(false);
	box_open(&box, CACHE_BYTES_MIN);
	check_all(&box, ITEMS + BESIDE);
	box_end(&box, false);
	box_open(&box, CACHE_BYTES_MIN);
	check_all(&box, ITEMS + BESIDE);
	box_end(&box, false);
	sopi_sim_disk_free(box.disk);
}

static void replay_checkpoints(bool large)
{
	struct box box = { .disk = sopi_sim_disk_new(), .err = SOP_ERROR_INIT };
	sop_stats stats = SOP_STATS_INIT;

	test_all_are_large(large);
	box_open(&box, CACHE_BYTES_WRITING);
	write_all(&box);
	box_end(&box, true);
	box_open(&box, CACHE_BYTES_MIN);
	TEST_OK(sop_db_stats(box.db, &stats, &box.err), box.err);
	print_message("  %llu checkpoints while replaying\n", (unsigned long long)stats.checkpoints);
	assert_true(stats.checkpoints >= 1);
	check_all(&box, ITEMS);
	box_end(&box, false);
	test_all_are_large(false);
	box_open(&box, CACHE_BYTES_MIN);
	check_all(&box, ITEMS);
	box_end(&box, false);
	sopi_sim_disk_free(box.disk);
}

static void a_checkpoint_while_replaying_passes_no_segment_over(void **state)
{
	(void)state;
	replay_checkpoints(false);
}

static void nor_parts_of_a_transaction(void **state)
{
	(void)state;
	replay_checkpoints(true);
}

/* Each opening begins a segment; `commits`: and changes something, or only the first one does. */
static void open_again_and_again(bool commits, bool killed)
{
	struct box box = { .disk = sopi_sim_disk_new(), .err = SOP_ERROR_INIT };
	sop_buf value = SOP_BUF_INIT;
	uint8_t key[8];

	for (uint64_t i = 0; i < OPENINGS; i++) {
		sop_stats stats = SOP_STATS_INIT;
		sop_txn *txn = NULL;

		box_open(&box, CACHE_BYTES_MIN);
		TEST_OK(sop_begin(box.db, NULL, &txn, &box.err), box.err);
		if (i == 0)
			TEST_OK(sop_store_create(txn, box.store, &box.err), box.err);
		if (i == 0 || commits)
			TEST_OK(sop_put(txn, box.store, test_key_u64(key, 0), test_key_u64(key, 0),
					&box.err),
				box.err);
		TEST_OK(sop_commit(txn, &box.err), box.err);
		sop_txn_free(txn);
		TEST_OK(sop_read(box.db, box.store, test_key_u64(key, 0), &value, &box.err), box.err);
		TEST_OK(sop_db_stats(box.db, &stats, &box.err), box.err);
		if (stats.log_bytes > LOG_BYTES + SEGMENT_BYTES)
			fail_msg("opening %llu: %llu bytes of log", (unsigned long long)i,
				 (unsigned long long)stats.log_bytes);
		box_end(&box, killed);
	}
	sop_buf_free(&value);
	sopi_sim_disk_free(box.disk);
}

static void a_log_is_not_longer_for_being_opened_often(void **state)
{
	(void)state;
	open_again_and_again(false, false);
	open_again_and_again(true, false);
	open_again_and_again(false, true);
	open_again_and_again(true, true);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_checkpoint_while_replaying_passes_no_segment_over),
		cmocka_unit_test(nor_parts_of_a_transaction),
		cmocka_unit_test(parts_stay_while_others_are_replayed),
		cmocka_unit_test(packs_that_the_log_names_behind_a_checkpoint_stay),
		cmocka_unit_test(a_log_is_not_longer_for_being_opened_often),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
