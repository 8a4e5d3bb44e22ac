/* Memory while one call goes on for long: what was evicted waits for it, and loading does not outrun it. */
#include "unit/backend/database_box.h"

#include <time.h>

enum {
	CACHE_BYTES = 8 << 20, /* as database_box opens it */
	ITEMS = 100000,
	BATCH = 1000,
	CHECKPOINT_BATCHES = 4,
	VALUE_BYTES = 300,
	READ_MS = 300,
	LONG_MS = 70, /* no more than loading waits for one call */
	LOADS_MAX = LONG_MS, /* a load waits for about a millisecond */
	LEAF_BYTES_MAX = 16 << 10,
	SLACK_BYTES = 2 << 20,
};

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static sop_store *fill(struct database_box *box)
{
	uint8_t value[VALUE_BYTES] = { 0 };
	uint8_t room[8];
	sop_store *store = NULL;
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	TEST_OK(sop_store_open(box->db, test_text("s"), NULL, &store, &box->err), box->err);
	TEST_OK(sop_store_create(txn, store, &box->err), box->err);
	for (uint64_t i = 0; i < ITEMS; i++) {
		TEST_OK(sop_put(txn, store, test_key_u64(room, i), test_bytes(value, sizeof value),
				&box->err),
			box->err);
		if (i % BATCH == BATCH - 1) {
			TEST_OK(sop_commit(txn, &box->err), box->err);
			if (i / BATCH % CHECKPOINT_BATCHES ==
			    0) /* waiting for one would pass the deadline of a simulated clock */
				TEST_OK(sop_checkpoint(box->db, &box->err), box->err);
			TEST_OK(sop_txn_renew(txn, &box->err), box->err);
		}
	}
	sop_txn_free(txn);
	TEST_OK(sop_checkpoint(box->db, &box->err), box->err);
	return store;
}

/* Reads at random for a while. Returns the most memory that nodes had. */
static uint64_t read_for(struct database_box *box, sop_store *store, uint64_t ms)
{
	const uint64_t end = now_ms() + ms;
	sop_stats stats = SOP_STATS_INIT;
	sop_buf value = SOP_BUF_INIT;
	struct test_rng rng;
	uint64_t most = 0;
	uint8_t room[8];

	test_rng_init(&rng, test_seed(), 0);
	while (now_ms() < end) {
		TEST_OK(sop_read(box->db, store, test_key_u64(room, test_rng_below(&rng, ITEMS)),
				 &value, &box->err),
			box->err);
		TEST_OK(sop_db_stats(box->db, &stats, &box->err), box->err);
		most = stats.node_bytes_used > most ? stats.node_bytes_used : most;
	}
	sop_buf_free(&value);
	return most;
}

static void loading_does_not_outrun_a_long_call(void **state)
{
	struct database_box box;
	struct sopi_reclaim *reclaim;
	struct sopi_slot *slot = NULL;
	sop_store *store;
	uint64_t most;

	(void)state;
	database_box_start(&box);
	store = fill(&box);
	reclaim = &box.db->engine->forest.reclaim;
	(void)read_for(&box, store, READ_MS);
	TEST_OK(sopi_slot_take(reclaim, NULL, &slot, &box.err), box.err);
	assert_int_equal(sopi_slot_claim(reclaim, slot, false), SOPI_SLOT_IDLE);
	most = read_for(&box, store, LONG_MS);
	sopi_slot_release(slot);
	print_message("  %.1f MB of %d\n", (double)most / (1 << 20), CACHE_BYTES >> 20);
	assert_true(most <= CACHE_BYTES + CACHE_BYTES / 4 + LOADS_MAX * LEAF_BYTES_MAX + SLACK_BYTES);
	(void)read_for(&box, store, READ_MS);
	assert_true(read_for(&box, store, READ_MS) <= CACHE_BYTES + SLACK_BYTES);
	sopi_slot_give(reclaim, slot);
	sop_store_free(store);
	database_box_free(&box);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loading_does_not_outrun_a_long_call),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
