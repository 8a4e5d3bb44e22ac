/* Sorted input is laid out in full pages: a bulk build is a batch in key order. */
#include "fixture.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS = 100000, KEY_BYTES = 16, VALUE_BYTES = 100, PAGE_BYTES = 4096 };

/* Row `number` of the batch: sizes, key, value, padding. */
static size_t add_row(char *to, unsigned number)
{
	const uint32_t sizes[2] = { KEY_BYTES, VALUE_BYTES };
	char key[KEY_BYTES + 1];

	snprintf(key, sizeof key, "%016u", number);
	memcpy(to, sizes, sizeof sizes);
	memcpy(to + 8, key, KEY_BYTES);
	memset(to + 8 + KEY_BYTES, (int)(number % 251), VALUE_BYTES);
	return (8 + KEY_BYTES + VALUE_BYTES + 7) & ~(size_t)7;
}

static sop_bytes batch_of(char *room, unsigned first, unsigned count)
{
	const uint32_t head[2] = { count, 0 };
	size_t at = sizeof head;

	memcpy(room, head, sizeof head);
	for (unsigned i = 0; i < count; i++)
		at += add_row(room + at, first + i);
	return (sop_bytes){ room, at };
}

/* Loads all records in batches of one transaction each and returns the number of nodes that hold them. */
static uint64_t nodes_after_load(unsigned batch)
{
	char *room = malloc(8 + (size_t)batch * 128);
	const sop_bytes name = { "bulk", 4 };
	sop_error err = SOP_ERROR_INIT;
	sop_stats stats = SOP_STATS_INIT;
	sop_db *db = NULL;
	sop_store *store = NULL;
	sop_txn *txn = NULL;
	uint64_t count = 0;
	size_t done = 0;

	assert_int_equal(sop_open("inmemory:", NULL, &db, &err), SOP_OK);
	assert_int_equal(sop_store_open(db, name, NULL, &store, &err), SOP_OK);
	assert_int_equal(sop_begin(db, NULL, &txn, &err), SOP_OK);
	assert_int_equal(sop_store_create(txn, store, &err), SOP_OK);
	for (unsigned first = 0; first < RECORDS; first += batch) {
		const sop_bytes rows = batch_of(room, first, batch);

		assert_int_equal(sop_put_many(txn, store, rows, SOP_PUT, &done, &err), SOP_OK);
		assert_int_equal(done, batch);
		assert_int_equal(sop_commit(txn, &err), SOP_OK);
		assert_int_equal(sop_txn_renew(txn, &err), SOP_OK);
	}
	assert_int_equal(sop_count(txn, store, NULL, &count, &err), SOP_OK);
	assert_int_equal(count, RECORDS);
	assert_int_equal(sop_verify(db, NULL, NULL, NULL, NULL, &err), SOP_OK);
	assert_int_equal(sop_db_stats(db, &stats, &err), SOP_OK);
	sop_txn_free(txn);
	sop_store_free(store);
	sop_db_free(db);
	free(room);
	return stats.nodes;
}

/* What the records fill if not a byte is wasted but heads, places and alignment. */
static uint64_t full_pages(void)
{
	return (uint64_t)RECORDS * (KEY_BYTES + VALUE_BYTES) / PAGE_BYTES;
}

static void one_sorted_batch_fills_its_pages(void **state)
{
	(void)state;
	assert_in_range(nodes_after_load(RECORDS), full_pages(), full_pages() * 13 / 10);
}

static void sorted_batches_that_follow_each_other_fill_their_pages(void **state)
{
	(void)state;
	assert_in_range(nodes_after_load(1000), full_pages(), full_pages() * 13 / 10);
}

static void sorted_records_one_by_one_fill_their_pages(void **state)
{
	(void)state;
	assert_in_range(nodes_after_load(1), full_pages(), full_pages() * 13 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_sorted_batch_fills_its_pages),
		cmocka_unit_test(sorted_batches_that_follow_each_other_fill_their_pages),
		cmocka_unit_test(sorted_records_one_by_one_fill_their_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
