/* An hour's worth of updates beside a slow reader: its snapshot stays exact, the memory it holds
 * is bounded by the size of the tree when it began, and all of it is free once it has ended. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 20000
#define UPDATES 2000000
#define UPDATES_PER_TXN_MAX 40
#define VALUE_BYTES_MAX 120
#define READ_ONCE_IN 500 /* updates */
#define SLACK_BYTES (2u << 20) /* what waits for the next collection, and chunks half used */
#define EMPTY_BYTES                                                                                \
	(256u << 10) /* of a store with one key: what waits for a collection, 64 KB, and some */
#define EMPTY_NODES 16

/* What a key holds: 0 nothing, else the number that its value begins with. */
struct contents {
	uint64_t numbers[KEYS];
};

struct memory_test {
	sop_db *db;
	sop_store *store;
	sop_txn *writer;
	sop_error err;
	struct test_rng rng;
	sop_buf value;
	struct contents now;
	uint64_t next_number;
	sop_stats stats;
	uint64_t old_bytes_max; /* highest seen */
};

/* A snapshot that is kept open, and what it must show. */
struct reader {
	sop_txn *txn;
	struct contents then;
	uint64_t used_bytes; /* by all nodes when it began */
};

static size_t value_size(uint64_t number)
{
	return 8 + number * 37 % (VALUE_BYTES_MAX - 7);
}

/* ---- setting up ------------------------------------------------------------------------------ */

static struct memory_test *set_up(void)
{
	struct memory_test *test = test_alloc(sizeof *test);
	const sop_error err = SOP_ERROR_INIT;
	const sop_stats stats = SOP_STATS_INIT;

	memset(test, 0, sizeof *test);
	test->err = err;
	test->stats = stats;
	test_rng_init(&test->rng, test_seed(), 0);
	TEST_OK(sop_open("inmemory:", NULL, &test->db, &test->err), test->err);
	TEST_OK(sop_store_open(test->db, test_text("updated"), NULL, &test->store, &test->err),
		test->err);
	TEST_OK(sop_begin(test->db, NULL, &test->writer, &test->err), test->err);
	TEST_OK(sop_store_create(test->writer, test->store, &test->err), test->err);
	TEST_OK(sop_commit(test->writer, &test->err), test->err);
	return test;
}

static void tear_down(struct memory_test *test)
{
	sop_txn_free(test->writer);
	sop_buf_free(&test->value);
	sop_store_free(test->store);
	TEST_OK(sop_close(test->db, &test->err), test->err);
	sop_db_free(test->db);
	free(test);
}

static void look_at_memory(struct memory_test *test)
{
	TEST_OK(sop_db_stats(test->db, &test->stats, &test->err), test->err);
	assert_true(test->stats.node_bytes_used <= test->stats.memory_bytes);
	assert_true(test->stats.old_version_bytes <= test->stats.node_bytes_used);
	if (test->stats.old_version_bytes > test->old_bytes_max)
		test->old_bytes_max = test->stats.old_version_bytes;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put(struct memory_test *test, uint64_t key)
{
	uint8_t room[8];
	uint8_t value[VALUE_BYTES_MAX + 1];
	const uint64_t number = ++test->next_number;

	memset(value, (int)(number & 0xFF), sizeof value);
	(void)test_value_u64(value, number);
	TEST_OK(sop_put(test->writer, test->store, test_key_u64(room, key),
			test_bytes(value, value_size(number)), &test->err),
		test->err);
	test->now.numbers[key] = number;
}

/* Overwrites, or removes, or inserts what was removed. */
static void update(struct memory_test *test)
{
	const uint64_t key = test_rng_below(&test->rng, KEYS);
	uint8_t room[8];

	if (test->now.numbers[key] == 0 || !test_rng_once_in(&test->rng, 6)) {
		put(test, key);
		return;
	}
	TEST_OK(sop_remove(test->writer, test->store, test_key_u64(room, key), 0, &test->err), test->err);
	test->now.numbers[key] = 0;
}

/* One transaction of up to so many updates; returns how many. */
static uint64_t write_some(struct memory_test *test, uint64_t most)
{
	const uint64_t count = 1 + test_rng_below(&test->rng, most);

	TEST_OK(sop_txn_renew(test->writer, &test->err), test->err);
	for (uint64_t i = 0; i < count; i++)
		update(test);
	TEST_OK(sop_commit(test->writer, &test->err), test->err);
	return count;
}

static void fill(struct memory_test *test)
{
	for (uint64_t key = 0; key < KEYS;) {
		TEST_OK(sop_txn_renew(test->writer, &test->err), test->err);
		for (unsigned i = 0; i < 1000 && key < KEYS; i++)
			put(test, key++);
		TEST_OK(sop_commit(test->writer, &test->err), test->err);
	}
}

/* ---- reading --------------------------------------------------------------------------------- */

static void begin_reading(struct memory_test *test, struct reader *reader)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	options.mode = SOP_READ;
	look_at_memory(test);
	if (reader->txn == NULL)
		TEST_OK(sop_begin(test->db, &options, &reader->txn, &test->err), test->err);
	else
		TEST_OK(sop_txn_renew(reader->txn, &test->err), test->err);
	reader->then = test->now;
	reader->used_bytes = test->stats.node_bytes_used - test->stats.old_version_bytes;
}

static void check_value(const struct reader *reader, uint64_t key, sop_bytes value)
{
	const uint64_t number = reader->then.numbers[key];

	if (number == 0 || value.size != value_size(number) || test_value_read_u64(value) != number ||
	    (value.size > 8 && ((const uint8_t *)value.data)[value.size - 1] != (number & 0xFF))) {
		test_print_replay();
		fail_msg("key %llu shows %zu bytes, number %llu; should be number %llu",
			 (unsigned long long)key, value.size,
			 (unsigned long long)(value.size >= 8 ? test_value_read_u64(value) : 0),
			 (unsigned long long)number);
	}
}

static void read_one(struct memory_test *test, const struct reader *reader)
{
	const uint64_t key = test_rng_below(&test->rng, KEYS);
	uint8_t room[8];

	if (reader->then.numbers[key] == 0) {
		TEST_STATUS(sop_get(reader->txn, test->store, test_key_u64(room, key), &test->value,
				    &test->err),
			    SOP_NOT_FOUND, test->err);
		return;
	}
	TEST_OK(sop_get(reader->txn, test->store, test_key_u64(room, key), &test->value, &test->err),
		test->err);
	check_value(reader, key, test_bytes(test->value.data, test->value.size));
}

/* The whole snapshot, key by key. */
static void read_all(struct memory_test *test, const struct reader *reader)
{
	sop_cursor *cursor = NULL;
	sop_entry entry;
	uint64_t key = 0;
	sop_status status = SOP_OK;

	TEST_OK(sop_cursor_open(reader->txn, test->store, NULL, 0, &cursor, &test->err), test->err);
	while ((status = sop_cursor_next(cursor, &entry, &test->err)) == SOP_OK) {
		const uint64_t found = test_key_read_u64(entry.key);

		for (; key < found; key++)
			assert_int_equal(reader->then.numbers[key], 0);
		check_value(reader, key++, entry.value);
	}
	assert_int_equal(status, SOP_NOT_FOUND);
	for (; key < KEYS; key++)
		assert_int_equal(reader->then.numbers[key], 0);
	sop_cursor_free(cursor);
}

static void end_reading(struct memory_test *test, struct reader *reader)
{
	read_all(test, reader);
	TEST_OK(sop_commit(reader->txn, &test->err), test->err);
}

/* A snapshot keeps at most the nodes that there were when it began. */
static void check_bound(struct memory_test *test, uint64_t used_bytes)
{
	look_at_memory(test);
	if (test->stats.old_version_bytes > used_bytes + SLACK_BYTES) {
		test_print_replay();
		fail_msg("old versions take %llu bytes, the nodes took %llu when the oldest reader began",
			 (unsigned long long)test->stats.old_version_bytes,
			 (unsigned long long)used_bytes);
	}
}

/* Once nobody reads, a few updates later (collections come with updates) nothing old is left. */
static void check_freed(struct memory_test *test, uint64_t used_bytes)
{
	for (unsigned i = 0; i < 2000; i++)
		(void)write_some(test, 1);
	look_at_memory(test);
	if (test->stats.old_version_bytes > SLACK_BYTES / 8 ||
	    test->stats.node_bytes_used > used_bytes + used_bytes / 2 + SLACK_BYTES) {
		test_print_replay();
		fail_msg("nobody reads, and old versions take %llu bytes, all nodes %llu (%llu at first)",
			 (unsigned long long)test->stats.old_version_bytes,
			 (unsigned long long)test->stats.node_bytes_used,
			 (unsigned long long)used_bytes);
	}
}

/* Without any key there is next to nothing left, neither of nodes nor in what the figures say. */
static void empty_and_check(struct memory_test *test)
{
	uint64_t removed = 0;

	TEST_OK(sop_txn_renew(test->writer, &test->err), test->err);
	TEST_OK(sop_remove_range(test->writer, test->store, NULL, &removed, &test->err), test->err);
	TEST_OK(sop_commit(test->writer, &test->err), test->err);
	memset(&test->now, 0, sizeof test->now);
	for (unsigned i = 0; i < 200; i++) { /* collections come with updates */
		TEST_OK(sop_txn_renew(test->writer, &test->err), test->err);
		put(test, 1);
		TEST_OK(sop_commit(test->writer, &test->err), test->err);
	}
	look_at_memory(test);
	if (test->stats.node_bytes_used > EMPTY_BYTES || test->stats.nodes > EMPTY_NODES) {
		test_print_replay();
		fail_msg("one key is left, and %llu nodes and old versions take %llu bytes, of which old %llu",
			 (unsigned long long)test->stats.nodes,
			 (unsigned long long)test->stats.node_bytes_used,
			 (unsigned long long)test->stats.old_version_bytes);
	}
}

static void print_figures(const struct memory_test *test, uint64_t updates, const struct reader *reader)
{
	printf("  %llu updates; nodes at begin %llu, old versions at most %llu, at last %llu, taken from "
	       "the system %llu bytes\n",
	       (unsigned long long)updates, (unsigned long long)reader->used_bytes,
	       (unsigned long long)test->old_bytes_max, (unsigned long long)test->stats.old_version_bytes,
	       (unsigned long long)test->stats.memory_bytes);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void one_long_reader_holds_what_was_there_and_no_more(void **state)
{
	struct memory_test *test = set_up();
	struct reader *reader = test_alloc(sizeof *reader);
	const uint64_t updates = test_scaled(UPDATES);
	uint64_t done = 0;

	(void)state;
	memset(reader, 0, sizeof *reader);
	fill(test);
	begin_reading(test, reader);
	while (done < updates) {
		const uint64_t before = done;

		done += write_some(test, test_rng_once_in(&test->rng, 2) ? 1 : UPDATES_PER_TXN_MAX);
		if (before / READ_ONCE_IN == done / READ_ONCE_IN)
			continue;
		read_one(test, reader);
		check_bound(test, reader->used_bytes);
	}
	end_reading(test, reader);
	check_freed(test, reader->used_bytes);
	print_figures(test, done, reader);
	empty_and_check(test);
	sop_txn_free(reader->txn);
	free(reader);
	tear_down(test);
}

/* Two readers take turns, so that there is never a moment without one. */
static void readers_that_overlap_hold_no_more(void **state)
{
	struct memory_test *test = set_up();
	struct reader *readers = test_alloc(2 * sizeof *readers);
	const uint64_t updates = test_scaled(UPDATES) / 4;
	const uint64_t turn = 10000;
	uint64_t done = 0;

	(void)state;
	memset(readers, 0, 2 * sizeof *readers);
	fill(test);
	begin_reading(test, &readers[0]);
	while (done < updates) {
		const uint64_t before = done;
		struct reader *next = NULL;

		done += write_some(test, UPDATES_PER_TXN_MAX);
		if (before / turn == done / turn)
			continue;
		next = &readers[done / turn % 2];
		if (next->used_bytes != 0)
			end_reading(test, next);
		begin_reading(test, next);
		read_one(test, &readers[0]);
		check_bound(test, 2 * readers[0].used_bytes);
	}
	for (size_t i = 0; i < 2; i++) {
		if (readers[i].used_bytes != 0)
			end_reading(test, &readers[i]);
	}
	check_freed(test, readers[0].used_bytes);
	print_figures(test, done, &readers[0]);
	empty_and_check(test);
	sop_txn_free(readers[0].txn);
	sop_txn_free(readers[1].txn);
	free(readers);
	tear_down(test);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_long_reader_holds_what_was_there_and_no_more),
		cmocka_unit_test(readers_that_overlap_hold_no_more),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
