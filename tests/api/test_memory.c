/* Memory comes back: after removals, drops, rolled back transactions, closed readers, and however often handles are renewed. */
#include "api/fixture.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* The allocator of the C library, which can be asked, is that of the program. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_TOLD false
#else
#define MEMORY_IS_TOLD true
#endif

enum {
	ITEMS = 20000,
	SLACK_BYTES = 1 << 20,
	CLOSED_DATABASES = 100,
	CLOSED_BYTES_MAX = 12 * 1024 /* of one that is closed and not freed */
};

struct scene {
	sop_error err;
	sop_db *db;
	sop_store *store;
	sop_txn *txn;
	uint64_t empty; /* bytes in use by the empty store */
};

static sop_stats stats_of(struct scene *s)
{
	sop_stats stats = SOP_STATS_INIT;

	TEST_OK(sop_db_stats(s->db, &stats, &s->err), s->err);
	return stats;
}

static uint64_t in_use(struct scene *s)
{
	const sop_stats stats = stats_of(s);

	return stats.node_bytes_used + stats.value_bytes_apart;
}

static void scene_open_at(struct scene *s, const char *url)
{
	const sop_error fresh = SOP_ERROR_INIT;

	memset(s, 0, sizeof *s);
	s->err = fresh;
	TEST_OK(sop_open(url, NULL, &s->db, &s->err), s->err);
	TEST_OK(sop_store_open(s->db, test_text("s"), NULL, &s->store, &s->err), s->err);
	TEST_OK(sop_begin(s->db, NULL, &s->txn, &s->err), s->err);
	TEST_OK(sop_store_create(s->txn, s->store, &s->err), s->err);
	TEST_OK(sop_commit(s->txn, &s->err), s->err);
	s->empty = in_use(s);
}

static void scene_open(struct scene *s)
{
	scene_open_at(s, "inmemory:");
}

static void scene_close(struct scene *s)
{
	sop_txn_free(s->txn);
	sop_store_free(s->store);
	TEST_OK(sop_verify(s->db, NULL, NULL, NULL, NULL, &s->err), s->err);
	TEST_OK(sop_close(s->db, &s->err), s->err);
	sop_db_free(s->db);
}

static void put_items(struct scene *s, size_t value_size)
{
	static uint8_t value[5000];
	uint8_t room[8];

	for (uint64_t i = 0; i < ITEMS; i++) {
		if (i % 1000 == 0)
			TEST_OK(sop_txn_renew(s->txn, &s->err), s->err);
		TEST_OK(sop_put(s->txn, s->store, test_key_u64(room, i),
				test_bytes(value, value_size), &s->err),
			s->err);
		if (i % 1000 == 999)
			TEST_OK(sop_commit(s->txn, &s->err), s->err);
	}
}

/* A few small commits, so that what waits to be freed is looked at. */
static void churn(struct scene *s)
{
	for (unsigned i = 0; i < 300; i++) {
		static uint8_t value[900];

		TEST_OK(sop_txn_renew(s->txn, &s->err), s->err);
		TEST_OK(sop_put(s->txn, s->store, test_text("churn"),
				test_bytes(value, sizeof value), &s->err),
			s->err);
		TEST_OK(sop_commit(s->txn, &s->err), s->err);
	}
}

static void came_back(struct scene *s, const char *what)
{
	churn(s);
	if (in_use(s) > s->empty + SLACK_BYTES)
		fail_msg("%s: %llu bytes are in use, %llu when it was empty", what,
			 (unsigned long long)in_use(s), (unsigned long long)s->empty);
}

static void removed_items_give_memory_back(void **state)
{
	struct scene s;
	uint8_t room[8];

	(void)state;
	scene_open(&s);
	put_items(&s, 100);
	assert_true(in_use(&s) > s.empty + ITEMS * 100);
	TEST_OK(sop_txn_renew(s.txn, &s.err), s.err);
	TEST_OK(sop_remove_range(s.txn, s.store, NULL, NULL, &s.err), s.err);
	TEST_OK(sop_commit(s.txn, &s.err), s.err);
	came_back(&s, "remove_range");
	assert_true(stats_of(&s).nodes < 50);
	put_items(&s, 100);
	for (uint64_t i = 0; i < ITEMS; i++) { /* one by one, from the middle outwards */
		const uint64_t key = i % 2 == 0 ? ITEMS / 2 + i / 2 : ITEMS / 2 - 1 - i / 2;

		TEST_OK(sop_txn_renew(s.txn, &s.err), s.err);
		TEST_OK(sop_remove(s.txn, s.store, test_key_u64(room, key), 0, &s.err), s.err);
		TEST_OK(sop_commit(s.txn, &s.err), s.err);
	}
	came_back(&s, "remove");
	assert_true(stats_of(&s).nodes < 50);
	scene_close(&s);
}

static void large_values_give_memory_back(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	put_items(&s, 5000);
	assert_true(stats_of(&s).value_bytes_apart >= (uint64_t)ITEMS * 5000);
	put_items(&s, 5000); /* replaced */
	churn(&s);
	assert_true(stats_of(&s).value_bytes_apart < (uint64_t)ITEMS * 5000 + 10 * SLACK_BYTES);
	put_items(&s, 10);
	churn(&s);
	assert_true(stats_of(&s).value_bytes_apart < SLACK_BYTES);
	scene_close(&s);
}

static void dropped_stores_give_memory_back(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	for (unsigned round = 0; round < 5; round++) {
		put_items(&s, 200);
		TEST_OK(sop_txn_renew(s.txn, &s.err), s.err);
		TEST_OK(sop_store_drop(s.txn, s.store, &s.err), s.err);
		TEST_OK(sop_store_create(s.txn, s.store, &s.err), s.err);
		TEST_OK(sop_commit(s.txn, &s.err), s.err);
		came_back(&s, "drop");
	}
	assert_true(stats_of(&s).nodes < 50);
	scene_close(&s);
}

static void rolled_back_work_gives_memory_back(void **state)
{
	static uint8_t value[5000];
	struct scene s;
	uint8_t room[8];

	(void)state;
	scene_open(&s);
	for (unsigned round = 0; round < 20; round++) {
		uint64_t savepoint = 0;

		TEST_OK(sop_txn_renew(s.txn, &s.err), s.err);
		TEST_OK(sop_savepoint(s.txn, &savepoint, &s.err), s.err);
		for (uint64_t i = 0; i < 1000; i++)
			TEST_OK(sop_put(s.txn, s.store, test_key_u64(room, i),
					test_bytes(value, i % sizeof value), &s.err),
				s.err);
		if (round % 2 == 0)
			TEST_OK(sop_rollback_to(s.txn, savepoint, &s.err), s.err);
		TEST_OK(sop_rollback(s.txn, &s.err), s.err);
	}
	came_back(&s, "rollback");
	scene_close(&s);
}

static void a_reader_that_ends_lets_old_versions_go(void **state)
{
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_txn *reader = NULL;
	sop_buf value = SOP_BUF_INIT;
	uint64_t beside_reader;
	struct scene s;

	(void)state;
	scene_open(&s);
	put_items(&s, 100);
	reading.mode = SOP_READ;
	TEST_OK(sop_begin(s.db, &reading, &reader, &s.err), s.err);
	for (unsigned round = 0; round < 10; round++)
		put_items(&s, 100 + round);
	beside_reader = in_use(&s);
	TEST_OK(sop_get(reader, s.store, test_bytes("\0\0\0\0\0\0\0\1", 8), &value, &s.err), s.err);
	assert_int_equal(value.size, 100); /* as it was */
	TEST_OK(sop_commit(reader, &s.err), s.err);
	churn(&s);
	assert_true(in_use(&s) < beside_reader);
	assert_true(stats_of(&s).old_version_bytes < SLACK_BYTES);
	sop_txn_free(reader);
	sop_buf_free(&value);
	scene_close(&s);
}

/* Beside a slow reader only what it sees and what is newest may be kept: not every version in between. */
static void a_slow_reader_keeps_one_version(void **state)
{
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_txn *reader = NULL;
	uint64_t once;
	struct scene s;

	(void)state;
	scene_open(&s);
	put_items(&s, 100);
	once = in_use(&s) - s.empty;
	reading.mode = SOP_READ;
	TEST_OK(sop_begin(s.db, &reading, &reader, &s.err), s.err);
	for (unsigned round = 0; round < 10; round++)
		put_items(&s, 100);
	if (in_use(&s) > s.empty + 3 * once + 8 * SLACK_BYTES)
		fail_msg("%llu bytes beside a reader, %llu without", (unsigned long long)in_use(&s),
			 (unsigned long long)once);
	sop_txn_free(reader);
	scene_close(&s);
}

/* Beyond snapshot_bytes_max the oldest transaction ends, so that a forgotten one cannot eat all memory. */
static void a_forgotten_reader_is_ended(void **state)
{
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_txn *old = NULL;
	sop_txn *young = NULL;
	sop_buf value = SOP_BUF_INIT;
	sop_status status = SOP_OK;
	struct scene s;

	(void)state;
	scene_open_at(&s, "inmemory:?snapshot_bytes_max=1MB");
	put_items(&s, 100);
	reading.mode = SOP_READ;
	TEST_OK(sop_begin(s.db, &reading, &old, &s.err), s.err);
	for (unsigned round = 0; round < 20 && status == SOP_OK; round++) {
		put_items(&s, 100);
		status = sop_get(old, s.store, test_bytes("\0\0\0\0\0\0\0\1", 8), &value, &s.err);
	}
	assert_int_equal(status, SOP_TIMEOUT);
	error_tells(&s.err, SOP_TIMEOUT, "sop_get");
	(void)sop_commit(old, NULL);
	TEST_OK(sop_begin(s.db, &reading, &young, &s.err), s.err); /* others go on */
	TEST_OK(sop_get(young, s.store, test_bytes("\0\0\0\0\0\0\0\1", 8), &value, &s.err), s.err);
	churn(&s);
	assert_true(stats_of(&s).old_version_bytes < 4 * SLACK_BYTES);
	sop_txn_free(old);
	sop_txn_free(young);
	sop_buf_free(&value);
	scene_close(&s);
}

static void handles_may_be_renewed_for_ever(void **state)
{
	const uint64_t rounds = test_scaled(300000);
	uint64_t after_some = 0;
	uint8_t room[8];
	struct scene s;

	(void)state;
	scene_open(&s);
	for (uint64_t i = 0; i < rounds; i++) {
		TEST_OK(sop_txn_renew(s.txn, &s.err), s.err);
		TEST_OK(sop_put(s.txn, s.store, test_key_u64(room, i % 100), test_bytes(room, 8), &s.err),
			s.err);
		TEST_OK(sop_commit(s.txn, &s.err), s.err);
		if (i == rounds / 10)
			after_some = in_use(&s);
	}
	assert_true(in_use(&s) < after_some + SLACK_BYTES);
	scene_close(&s);
}

/* Languages with a garbage collector keep handles that are closed until it runs. */
static void a_closed_database_keeps_little(void **state)
{
	sop_db *closed[CLOSED_DATABASES];
	sop_error err = SOP_ERROR_INIT;
	size_t before, kept;
	sop_info info = SOP_INFO_INIT;

	(void)state;
	before = mallinfo2().uordblks;
	for (size_t i = 0; i < CLOSED_DATABASES; i++) {
		TEST_OK(sop_open("inmemory:", NULL, &closed[i], &err), err);
		TEST_OK(sop_close(closed[i], &err), err);
	}
	kept = mallinfo2().uordblks - before;
	if (MEMORY_IS_TOLD)
		assert_in_range(kept, 0, CLOSED_DATABASES * CLOSED_BYTES_MAX);
	for (size_t i = 0; i < CLOSED_DATABASES; i++) {
		TEST_STATUS(sop_db_info(closed[i], &info, NULL, &err), SOP_CLOSED, err);
		TEST_OK(sop_close(closed[i], &err), err);
		sop_db_free(closed[i]);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(removed_items_give_memory_back),
		cmocka_unit_test(large_values_give_memory_back),
		cmocka_unit_test(dropped_stores_give_memory_back),
		cmocka_unit_test(rolled_back_work_gives_memory_back),
		cmocka_unit_test(a_reader_that_ends_lets_old_versions_go),
		cmocka_unit_test(a_slow_reader_keeps_one_version),
		cmocka_unit_test(a_forgotten_reader_is_ended),
		cmocka_unit_test(handles_may_be_renewed_for_ever),
		cmocka_unit_test(a_closed_database_keeps_little),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
