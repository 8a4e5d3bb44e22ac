/* Values of a store that is dropped while somebody still reads it: whatever was checkpointed before and between, and
 * however the process ends, their space comes back, and nothing is left that nobody names. */
#include "crash/base.h"

#include <stdio.h>

enum {
	VALUES = 6,
	STEP_AT_SCALE_1 = 3, /* every third case is tried */
	SPARE_BYTES = 16 << 10, /* what may be more than before: nodes and outcomes of the commits */
};

/* What happens, in this order, if its bit is set. */
enum {
	CHECKPOINT_EMPTY = 1 << 0, /* of the store without values */
	VALUES_BEFORE = 1 << 1, /* some that the next ones replace */
	CHECKPOINT_VALUES = 1 << 2, /* of these */
	READER_BEFORE = 1 << 3, /* begins before the new values */
	CHECKPOINT_NEW = 1 << 4, /* of the new values; then the reader begins, if it has not */
	CHECKPOINT_DROPPED = 1 << 5, /* behind the drop, while the reader reads */
	GC_DROPPED = 1 << 6, /* the same, and packs are rewritten */
	READER_ENDS = 1 << 7, /* before the end of the process */
	CHECKPOINT_LAST = 1 << 8,
	CLOSED = 1 << 9, /* or killed */
	GOES_ON = 1 << 10, /* neither: the reader ends, and the process goes on */
	ALL = (1 << 11) - 1,
};

static const struct config config = { .node_bytes = 1024,
				      .node_items = 4,
				      .log_bytes = 4 << 20,
				      .direct_bytes = 512 };

struct life {
	struct base base;
	sop_store *store;
	sop_txn *reader;
	uint64_t commits;
	sop_error err;
};

static void commit(struct life *life, sop_txn *txn)
{
	TEST_OK(sop_commit(txn, &life->err), life->err);
	sop_txn_free(txn);
}

static sop_txn *begin(struct life *life)
{
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(life->base.db, NULL, &txn, &life->err), life->err);
	return txn;
}

static void create(struct life *life)
{
	sop_txn *txn = begin(life);

	TEST_OK(sop_store_create(txn, life->store, &life->err), life->err);
	commit(life, txn);
}

static void put_values(struct life *life, size_t size, uint64_t seed)
{
	static uint8_t bytes[(1 << 20) + 4096];
	sop_txn *txn = begin(life);
	uint8_t key[8];

	for (uint64_t i = 0; i < VALUES; i++) {
		(void)base_value(seed * 100 + i, size, bytes);
		TEST_OK(sop_put(txn, life->store, test_key_u64(key, i), test_bytes(bytes, size),
				&life->err),
			life->err);
	}
	commit(life, txn);
}

static void drop(struct life *life)
{
	sop_txn *txn = begin(life);

	TEST_OK(sop_store_drop(txn, life->store, &life->err), life->err);
	commit(life, txn);
}

static void begin_reader(struct life *life)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	uint64_t count = 0;

	options.mode = SOP_READ;
	TEST_OK(sop_begin(life->base.db, &options, &life->reader, &life->err), life->err);
	TEST_OK(sop_count(life->reader, life->store, NULL, &count, &life->err), life->err);
}

/* It reads what it has begun with. */
static void end_reader(struct life *life, size_t size)
{
	sop_buf value = SOP_BUF_INIT;
	uint8_t key[8];
	sop_status status;

	for (uint64_t i = 0; i < VALUES; i++) {
		status = sop_get(life->reader, life->store, test_key_u64(key, i), &value, &life->err);
		if (status != SOP_NOT_FOUND) {
			TEST_OK(status, life->err);
			assert_int_equal(value.size, size);
		}
	}
	sop_buf_free(&value);
	sop_txn_free(life->reader);
	life->reader = NULL;
}

static void checkpoint(struct life *life)
{
	TEST_OK(sop_checkpoint(life->base.db, &life->err), life->err);
}

static void play(struct life *life, unsigned what, size_t size)
{
	create(life);
	if ((what & CHECKPOINT_EMPTY) != 0)
		checkpoint(life);
	if ((what & VALUES_BEFORE) != 0)
		put_values(life, size, 1);
	if ((what & CHECKPOINT_VALUES) != 0)
		checkpoint(life);
	if ((what & READER_BEFORE) != 0)
		begin_reader(life);
	put_values(life, size, 2);
	if ((what & CHECKPOINT_NEW) != 0)
		checkpoint(life);
	if (life->reader == NULL)
		begin_reader(life);
	drop(life);
	if ((what & CHECKPOINT_DROPPED) != 0)
		checkpoint(life);
	if ((what & GC_DROPPED) != 0)
		TEST_OK(sop_gc(life->base.db, NULL, NULL, &life->err), life->err);
	if ((what & (READER_ENDS | GOES_ON)) != 0)
		end_reader(life, size);
	if ((what & CHECKPOINT_LAST) != 0)
		checkpoint(life);
}

static void end_process(struct life *life, unsigned what)
{
	if ((what & CLOSED) == 0)
		sopi_sim_kill(life->base.process);
	sop_txn_free(life->reader);
	life->reader = NULL;
	sop_store_free(life->store);
	life->store = NULL;
	(void)base_close(&life->base, NULL);
}

static void open_database(struct life *life, struct sopi_sim_disk *disk, bool make)
{
	TEST_OK(base_open(&life->base, disk, &config, make, &life->err), life->err);
	life->store = base_store(&life->base, "values");
}

/* Bytes in data files once all that can be given back was. */
static uint64_t bytes_left(struct life *life, const char *when)
{
	sop_stats stats = SOP_STATS_INIT;
	char words[WORDS];

	if (!base_verify(&life->base, words))
		fail_msg("%s: %s", when, words);
	TEST_OK(sop_gc(life->base.db, NULL, NULL, &life->err), life->err);
	if (!base_verify(&life->base, words))
		fail_msg("%s, after gc: %s", when, words);
	TEST_OK(sop_db_stats(life->base.db, &stats, &life->err), life->err);
	return stats.pack_bytes;
}

static void must_come_back(unsigned what, size_t size)
{
	const sop_error fresh = SOP_ERROR_INIT;
	struct sopi_sim_disk *disk = sopi_sim_disk_new();
	struct life life = { .err = fresh };
	uint64_t before, after;

	sopi_sim_disk_set_direct(disk, config.direct_bytes);
	open_database(&life, disk, true);
	before = bytes_left(&life, "an empty database");
	play(&life, what, size);
	if ((what & GOES_ON) == 0) {
		end_process(&life, what);
		open_database(&life, disk, false);
	}
	after = bytes_left(&life, "afterwards");
	if (after > before + SPARE_BYTES)
		test_note_failure("%zu bytes, steps %#x: %llu bytes are left in packs", size, what,
				  (unsigned long long)(after - before));
	end_process(&life, CLOSED);
	sopi_sim_disk_free(disk);
}

static void space_of_dropped_values_comes_back(void **state)
{
	static const size_t sizes[] = { 1000, 100000, 1000, (1 << 20) + 100 };
	const unsigned step = test_scaled(1000) > 2000 ? 1 : STEP_AT_SCALE_1;
	uint64_t cases = 0;

	(void)state;
	for (unsigned what = (unsigned)(test_seed() % step); what <= ALL; what += step) {
		must_come_back(what, sizes[what % 16 == 15 ? 3 : cases % 3]);
		cases++;
	}
	print_message("%llu cases\n", (unsigned long long)cases);
	TEST_NO_FAILURES();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(space_of_dropped_values_comes_back) };
	int failed;

	test_begin(argc, argv);
	failed = cmocka_run_group_tests_name("crash_dropped", tests, NULL, NULL);
	base_schema_free();
	return failed;
}
