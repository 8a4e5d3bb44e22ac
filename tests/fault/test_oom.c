/* Out of memory at every allocation of a dozen and more scenarios: the answer is NO_MEMORY or success, a transaction
 * happens wholly or not at all, the database works afterwards, and nothing leaks. */
#include "fault/stage.h"

#include "base/alloc.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 1500 }; /* items: more than the first pieces of memory hold */

static uint8_t large[100000];

static sop_bytes key_of(uint64_t number)
{
	static uint8_t room[8];

	return test_key_u64(room, number);
}

/* ---- scenarios --------------------------------------------------------------------------------------------------- */

static sop_status scenario_open(struct stage *s)
{
	sop_error *err = &s->err;

	TRY(s, sop_options_new(&s->options, err));
	TRY(s, sop_options_set_text(s->options, "node_bytes", "2KB", err));
	TRY(s, sop_options_set_int(s->options, "node_items", 8, err));
	TRY(s, sop_options_set_bool(s->options, "create", 1, err));
	TRY(s, sop_open("inmemory:?inline_value_bytes=512", s->options, &s->own_db, err));
	TRY(s, sop_store_open(s->own_db, test_text("own"), NULL, &s->own_store, err));
	TRY(s, sop_begin(s->own_db, NULL, &s->own_txn, err));
	TRY(s, sop_store_create(s->own_txn, s->own_store, err));
	TRY(s, sop_put(s->own_txn, s->own_store, test_text("k"), test_text("v"), err));
	return SOP_OK;
}

static sop_status scenario_begin(struct stage *s)
{
	for (uint32_t mode = SOP_WRITE; mode <= SOP_NOCHECK; mode++) {
		sop_txn_options options = SOP_TXN_OPTIONS_INIT;

		options.mode = mode;
		options.id[0] = (uint8_t)(mode + 1);
		TRY(s, sop_begin(s->db, &options, &s->own_txn, &s->err));
		TRY(s, sop_get(s->own_txn, s->raw, key_of(10), &s->buf, &s->err));
		TRY(s, sop_commit(s->own_txn, &s->err));
		TRY(s, sop_txn_renew(s->own_txn, &s->err));
		sop_txn_free(s->own_txn);
		s->own_txn = NULL;
	}
	return SOP_OK;
}

static sop_status change_items(struct stage *s)
{
	sop_error *err = &s->err;

	TRY(s, sop_put(s->txn, s->raw, key_of(5), test_text("put"), err));
	TRY(s, sop_put(s->txn, s->raw, key_of(10), test_text("put over"), err));
	TRY(s, sop_insert(s->txn, s->raw, key_of(15), test_text("inserted"), NULL, err));
	TRY_IS(s, sop_insert(s->txn, s->raw, key_of(20), test_text("no"), NULL, err), SOP_EXISTS);
	TRY(s, sop_update(s->txn, s->raw, key_of(30), 0, test_text("updated"), err));
	TRY_IS(s, sop_update(s->txn, s->raw, key_of(31), 0, test_text("no"), err), SOP_NOT_FOUND);
	TRY(s, sop_remove(s->txn, s->raw, key_of(40), 0, err));
	TRY_IS(s, sop_remove(s->txn, s->raw, key_of(41), 0, err), SOP_NOT_FOUND);
	TRY(s, sop_get(s->txn, s->raw, key_of(15), &s->buf, err));
	TRY(s, sop_get(s->txn, s->raw, key_of(50), &s->buf, err));
	TRY(s, sop_fetch(s->txn, s->raw, key_of(60), 0, 0, &s->buf2, &s->buf, NULL, err));
	TRY(s, sop_put(s->txn, s->raw, test_text("n"), test_bytes("\1\0\0\0\0\0\0\0", 8), err));
	TRY(s, sop_add(s->txn, s->raw, test_text("n"), 5, err));
	TRY(s, sop_add(s->txn, s->raw, test_text("m"), 5, err));
	TRY(s, sop_min(s->txn, s->raw, test_text("n"), 2, err));
	TRY(s, sop_max(s->txn, s->raw, test_text("m"), 9, err));
	TRY(s, sop_insert(s->txn, s->twice, test_text("t"), test_text("1"), &s->item, err));
	TRY(s, sop_insert(s->txn, s->twice, test_text("t"), test_text("2"), NULL, err));
	TRY(s, sop_update(s->txn, s->twice, test_text("t"), s->item, test_text("3"), err));
	return SOP_OK;
}

static sop_status scenario_items(struct stage *s)
{
	return stage_transact(s, change_items);
}

static sop_status insert_many(struct stage *s)
{
	for (uint64_t i = 0; i < MANY; i++)
		TRY(s, sop_insert(s->txn, s->raw, key_of(i * 7919 % MANY + 1001),
				  test_bytes(large, 200), NULL, &s->err));
	return SOP_OK;
}

static sop_status scenario_splits(struct stage *s)
{
	return stage_transact(s, insert_many);
}

static sop_status remove_many(struct stage *s)
{
	for (uint64_t i = 0; i < MANY; i++)
		if (i % 50 != 7)
			TRY(s, sop_remove(s->txn, s->raw, key_of(i + 1001), 0, &s->err));
	return SOP_OK;
}

static sop_status remove_all(struct stage *s)
{
	uint64_t removed = 0;

	TRY(s, sop_remove_range(s->txn, s->twice, NULL, &removed, &s->err));
	assert_int_equal(removed, 40);
	return SOP_OK;
}

static sop_status scenario_merges(struct stage *s)
{
	sop_status status = stage_transact(s, insert_many);

	if (status == SOP_OK)
		status = stage_transact(s, remove_many);
	return status != SOP_OK ? status : stage_transact(s, remove_all);
}

static sop_status put_large(struct stage *s)
{
	TRY(s, sop_put(s->txn, s->raw, key_of(1), test_bytes(large, 5000), &s->err));
	TRY(s, sop_put(s->txn, s->raw, key_of(2), test_bytes(large, sizeof large), &s->err));
	TRY(s, sop_put(s->txn, s->raw, test_bytes(large, 65536), test_bytes(large, 2000), &s->err));
	TRY(s, sop_insert(s->txn, s->twice, test_bytes(large, 40000), test_bytes(large, 2000), NULL,
			  &s->err));
	TRY(s, sop_get(s->txn, s->raw, key_of(2), &s->buf, &s->err));
	return SOP_OK;
}

static sop_status change_large(struct stage *s)
{
	TRY(s, sop_get(s->txn, s->raw, key_of(2), &s->buf2, &s->err));
	TRY(s, sop_update(s->txn, s->raw, key_of(1), 0, test_bytes(large, 70000), &s->err));
	TRY(s, sop_put(s->txn, s->raw, key_of(2), test_text("small"), &s->err));
	TRY(s, sop_remove(s->txn, s->raw, test_bytes(large, 65536), 0, &s->err));
	return SOP_OK;
}

static sop_status scenario_large_values(struct stage *s)
{
	const sop_status status = stage_transact(s, put_large);

	return status != SOP_OK ? status : stage_transact(s, change_large);
}

static sop_status walk_cursors(struct stage *s)
{
	static uint64_t room[256];
	sop_error *err = &s->err;
	size_t used = 0;

	sop_cursor_free(s->cursor);
	sop_cursor_free(s->cursor2);
	s->cursor = NULL;
	s->cursor2 = NULL;
	TRY(s, sop_put(s->txn, s->raw, key_of(55), test_text("own"), err));
	TRY(s, sop_cursor_open(s->txn, s->raw, NULL, 0, &s->cursor, err));
	for (unsigned i = 0; i < 10; i++)
		TRY(s, sop_cursor_next(s->cursor, NULL, err));
	TRY(s, sop_cursor_update(s->cursor, test_text("updated"), err));
	TRY(s, sop_cursor_prev(s->cursor, NULL, err));
	TRY(s, sop_cursor_remove(s->cursor, err));
	TRY(s, sop_cursor_next(s->cursor, NULL, err));
	TRY(s, sop_cursor_last(s->cursor, NULL, err));
	TRY_IS(s, sop_cursor_next(s->cursor, NULL, err), SOP_NOT_FOUND);
	TRY(s, sop_cursor_seek(s->cursor, key_of(101), SOP_SEEK_GE, NULL, err));
	TRY(s, sop_cursor_fetch(s->cursor, room, sizeof room, 5, SOP_ROWS_ITEM, &used, err));
	TRY(s, sop_cursor_open(s->txn, s->twice, NULL, SOP_CURSOR_REVERSE | SOP_CURSOR_KEYS,
			       &s->cursor2, err));
	TRY(s, sop_cursor_fetch(s->cursor2, room, sizeof room, 0, 0, &used, err));
	return SOP_OK;
}

static sop_status scenario_cursors(struct stage *s)
{
	return stage_transact(s, walk_cursors);
}

static sop_status scan_all(struct stage *s)
{
	sop_range range = SOP_RANGE_INIT;
	uint64_t count = 0;
	uint64_t removed = 0;
	uint8_t from[8];
	uint8_t to[8];

	range.flags = SOP_RANGE_FROM | SOP_RANGE_TO;
	TRY(s, sop_count(s->txn, s->raw, NULL, &count, &s->err));
	for (uint64_t i = 0; i < 20; i++) {
		range.from = test_key_u64(from, i * 10);
		range.to = test_key_u64(to, i * 10 + 95);
		TRY(s, sop_count(s->txn, s->raw, &range, &count, &s->err));
		TRY_IS(s, sop_get(s->txn, s->raw, key_of(i * 10 + 3), &s->buf, &s->err), SOP_NOT_FOUND);
	}
	TRY(s, sop_put(s->txn, s->raw, key_of(33), test_text("v"), &s->err));
	TRY(s, sop_remove_range(s->txn, s->raw, &range, &removed, &s->err));
	TRY(s, sop_count(s->txn, s->raw, NULL, &count, &s->err));
	return SOP_OK;
}

static sop_status scenario_scans(struct stage *s)
{
	return stage_transact(s, scan_all);
}

static sop_status save_and_return(struct stage *s)
{
	uint64_t first = 0;
	uint64_t second = 0;

	TRY(s, sop_put(s->txn, s->raw, key_of(1), test_text("stays"), &s->err));
	TRY(s, sop_savepoint(s->txn, &first, &s->err));
	for (uint64_t i = 0; i < 20; i++)
		TRY(s, sop_put(s->txn, s->raw, key_of(i * 10), test_text("goes"), &s->err));
	TRY(s, sop_store_create(s->txn, s->extra, &s->err));
	TRY(s, sop_savepoint(s->txn, &second, &s->err));
	TRY(s, sop_remove_range(s->txn, s->raw, NULL, NULL, &s->err));
	TRY(s, sop_rollback_to(s->txn, second, &s->err));
	TRY(s, sop_get(s->txn, s->raw, key_of(10), &s->buf, &s->err));
	TRY(s, sop_rollback_to(s->txn, first, &s->err));
	TRY(s, sop_put(s->txn, s->raw, key_of(2), test_text("stays too"), &s->err));
	return SOP_OK;
}

static sop_status scenario_savepoints(struct stage *s)
{
	return stage_transact(s, save_and_return);
}

static sop_status create_store(struct stage *s)
{
	TRY(s, sop_store_create(s->txn, s->extra, &s->err));
	TRY(s, sop_put(s->txn, s->extra, test_text("k"), test_text("v"), &s->err));
	TRY(s, sop_store_list(s->txn, &s->buf, NULL, &s->err));
	return SOP_OK;
}

static sop_status rename_store(struct stage *s)
{
	sop_store_info info = SOP_STORE_INFO_INIT;

	TRY(s, sop_store_describe(s->txn, s->people, &info, &s->buf, &s->err));
	TRY(s, sop_store_rename(s->txn, s->extra, test_text("renamed"), &s->err));
	TRY(s, sop_store_drop(s->txn, s->raw, &s->err));
	return SOP_OK;
}

static sop_status create_again(struct stage *s)
{
	TRY(s, sop_store_create(s->txn, s->raw, &s->err));
	TRY(s, sop_put(s->txn, s->raw, test_text("k"), test_text("v"), &s->err));
	return SOP_OK;
}

static sop_status scenario_stores(struct stage *s)
{
	sop_status status = stage_transact(s, create_store);

	if (status == SOP_OK)
		status = stage_transact(s, rename_store);
	return status != SOP_OK ? status : stage_transact(s, create_again);
}

/* Packed rows with keys 0, 10, 20 ... and small values. */
static sop_bytes pack_rows(uint32_t count)
{
	static uint8_t room[4096];
	size_t at = 8;

	memset(room, 0, sizeof room);
	room[0] = (uint8_t)count;
	for (uint32_t i = 0; i < count; i++, at += 24) {
		room[at] = 8;
		room[at + 4] = 3;
		test_key_u64(room + at + 8, i * 10 + (i % 3 == 0 ? 1u : 0u));
		memcpy(room + at + 16, "row", 3);
	}
	return test_bytes(room, at - 5);
}

static sop_status many_at_once(struct stage *s)
{
	size_t done = 0;

	TRY(s, sop_get_many(s->txn, s->raw, pack_rows(30), SOP_ROWS_VERSION, &s->buf, &s->err));
	/* Rows that were done stay done, so the whole batch may be repeated. */
	TRY(s, sop_put_many(s->txn, s->raw, pack_rows(50), SOP_PUT, &done, &s->err));
	assert_int_equal(done, 50);
	TRY(s, sop_get_many(s->txn, s->raw, pack_rows(50), 0, &s->buf, &s->err));
	return SOP_OK;
}

static sop_status scenario_batches(struct stage *s)
{
	return stage_transact(s, many_at_once);
}

static sop_status put_by_other(struct stage *s, uint64_t key)
{
	TRY(s, stage_begin(s, &s->other, SOP_WRITE));
	TRY(s, sop_put(s->other, s->raw, key_of(key), test_text("of another"), &s->err));
	if (s->mode == FAULT_ONCE && sop_commit(s->other, &s->err) == SOP_NO_MEMORY) {
		TRY(s, stage_begin(s, &s->other, SOP_WRITE));
		TRY(s, sop_put(s->other, s->raw, key_of(key), test_text("of another"), &s->err));
	}
	TRY(s, sop_commit(s->other, &s->err)); /* again, where it had committed */
	stage_milestone(s);
	return SOP_OK;
}

static sop_status read_and_put(struct stage *s)
{
	TRY(s, sop_get(s->txn, s->raw, key_of(10), &s->buf, &s->err));
	TRY_IS(s, sop_get(s->txn, s->raw, key_of(11), &s->buf, &s->err), SOP_NOT_FOUND);
	TRY(s, sop_put(s->txn, s->raw, key_of(200), test_text("mine"), &s->err));
	return SOP_OK;
}

/* A conflict, sop_txn_again, and the second attempt. Any of the calls may be the one without memory. */
static sop_status scenario_conflict(struct stage *s)
{
	sop_bytes store, key;
	sop_status status;

	TRY(s, stage_begin(s, &s->txn, SOP_WRITE));
	TRY(s, read_and_put(s));
	TRY(s, put_by_other(s, 10));
	status = sop_commit(s->txn, &s->err);
	if (status == SOP_NO_MEMORY) /* it may have been told before the conflict was found */
		return s->mode == FAULT_ONCE ? stage_transact(s, read_and_put) : status;
	TEST_STATUS(status, SOP_CONFLICT, s->err);
	status = sop_txn_conflict(s->txn, &store, &key, &s->err);
	if (status != SOP_NOT_FOUND || s->mode == FAULT_NONE) /* what it was may be forgotten */
		TEST_OK(status, s->err);
	TRY(s, sop_txn_again(s->txn, &s->err));
	TRY(s, read_and_put(s));
	status = sop_commit(s->txn, &s->err);
	if (status == SOP_NO_MEMORY)
		return s->mode == FAULT_ONCE ? stage_transact(s, read_and_put) : status;
	TEST_OK(status, s->err);
	stage_milestone(s);
	return SOP_OK;
}

/* Two transactions side by side on different items of one node: both commit. */
static sop_status scenario_overlap(struct stage *s)
{
	sop_status status;

	TRY(s, stage_begin(s, &s->txn, SOP_WRITE));
	TRY(s, read_and_put(s));
	TRY(s, put_by_other(s, 20));
	status = sop_commit(s->txn, &s->err);
	if (status == SOP_NO_MEMORY)
		return s->mode == FAULT_ONCE ? stage_transact(s, read_and_put) : status;
	TEST_OK(status, s->err);
	stage_milestone(s);
	return SOP_OK;
}

static sop_status run_body(sop_txn *txn, void *arg, sop_error *err)
{
	struct stage *s = arg;
	sop_status status = sop_get(txn, s->raw, key_of(10), &s->buf, err);

	if (status == SOP_OK)
		status = sop_put(txn, s->raw, key_of(300), test_text("run"), err);
	return status;
}

static sop_status scenario_run(struct stage *s)
{
	TRY(s, sop_run(s->db, NULL, run_body, s, &s->err));
	stage_milestone(s);
	TRY(s, sop_read(s->db, s->raw, key_of(300), &s->buf, &s->err));
	TRY(s, sop_read(s->db, s->people, test_bytes("\xEA\xF5", 2), &s->buf, &s->err));
	return SOP_OK;
}

/* An old reader keeps old versions alive while others go on; then they are freed. */
static sop_status scenario_old_reader(struct stage *s)
{
	TRY(s, stage_begin(s, &s->reader, SOP_READ));
	TRY(s, sop_get(s->reader, s->raw, key_of(10), &s->buf, &s->err));
	for (uint64_t i = 0; i < 12; i++)
		TRY(s, put_by_other(s, i % 4 * 10));
	TRY(s, sop_get(s->reader, s->raw, key_of(20), &s->buf, &s->err));
	assert_int_equal(s->buf.size, 8); /* as it was */
	TRY(s, sop_commit(s->reader, &s->err));
	for (uint64_t i = 0; i < 12; i++)
		TRY(s, put_by_other(s, i % 4 * 10 + 100));
	return SOP_OK;
}

/* A reader that sees it all while every page is written again and again. */
static sop_status rewrite(struct stage *s)
{
	for (uint64_t i = 0; i < 40; i++)
		TRY(s, sop_put(s->txn, s->raw, key_of(i * 10), test_bytes(large, 300), &s->err));
	return SOP_OK;
}

static sop_status scenario_slow_reader(struct stage *s)
{
	uint64_t count = 0;

	TRY(s, stage_begin(s, &s->reader, SOP_SNAPSHOT));
	for (unsigned i = 0; i < 20; i++) {
		const sop_status status = stage_transact(s, rewrite);

		if (status != SOP_OK)
			return status;
		TRY(s, sop_get(s->reader, s->raw, key_of(390), &s->buf, &s->err));
		assert_int_equal(s->buf.size, 8);
	}
	TRY(s, sop_cursor_open(s->reader, s->raw, NULL, 0, &s->cursor, &s->err));
	for (unsigned i = 0; i < 40; i++)
		TRY(s, sop_cursor_next(s->cursor, NULL, &s->err));
	TRY(s, sop_count(s->reader, s->raw, NULL, &count, &s->err));
	assert_int_equal(count, 40);
	TRY(s, sop_rollback(s->reader, &s->err));
	return stage_transact(s, rewrite);
}

/* More transactions at once than the first slots hold. */
static sop_status scenario_crowd(struct stage *s)
{
	for (size_t i = 0; i < CROWD; i++) {
		TRY(s, stage_begin(s, &s->crowd[i], i % 2 == 0 ? SOP_WRITE : SOP_READ));
		TRY(s, sop_get(s->crowd[i], s->raw, key_of(i % 40 * 10), &s->buf, &s->err));
	}
	for (size_t i = 0; i < CROWD; i += 2)
		TRY(s, sop_put(s->crowd[i], s->raw, key_of(i % 40 * 10), test_text("v"), &s->err));
	for (size_t i = 1; i < CROWD; i += 2)
		TRY(s, sop_commit(s->crowd[i], &s->err));
	return SOP_OK;
}

static void name_of(size_t number, char name[200])
{
	memset(name, 'n', 199);
	name[0] = (char)('A' + number % 26);
	name[1] = (char)('a' + number / 26);
	name[199] = '\0';
}

static sop_status create_many(struct stage *s)
{
	for (size_t i = 0; i < CROWD; i++) {
		char name[200];

		name_of(i, name);
		if (s->own_stores[i] == NULL)
			TRY(s, sop_store_open(s->db, test_text(name), NULL, &s->own_stores[i], &s->err));
		TRY(s, sop_store_create(s->txn, s->own_stores[i], &s->err));
		TRY(s, sop_put(s->txn, s->own_stores[i], test_text("k"), test_text("v"), &s->err));
	}
	return SOP_OK;
}

static sop_status drop_many(struct stage *s)
{
	size_t count = 0;

	for (size_t i = 0; i < CROWD; i++)
		if (i % 3 != 0)
			TRY(s, sop_store_drop(s->txn, s->own_stores[i], &s->err));
	TRY(s, sop_store_list(s->txn, &s->buf, &count, &s->err));
	assert_int_equal(count, 3 + (CROWD + 2) / 3);
	return SOP_OK;
}

static sop_status scenario_catalog(struct stage *s)
{
	const sop_status status = stage_transact(s, create_many);

	return status != SOP_OK ? status : stage_transact(s, drop_many);
}

/* Reading through the transaction's own operations, atomic ones and ride-along fields among them. */
static sop_status read_own(struct stage *s)
{
	sop_entry entry;

	sop_cursor_free(s->cursor);
	s->cursor = NULL;
	for (uint64_t i = 0; i < 30; i++) {
		TRY(s, sop_put(s->txn, s->raw, key_of(i * 7), test_bytes("\1\0\0\0\0\0\0\0", 8), &s->err));
		TRY(s, sop_add(s->txn, s->raw, key_of(i * 7), 3, &s->err));
		TRY(s, sop_set_ride(s->txn, s->people, test_bytes("\xEA\xF5\x27", 3), 0, &s->err));
		TRY(s, sop_insert(s->txn, s->twice, test_text("twice"), test_bytes(large, 10 * i),
				  NULL, &s->err));
	}
	TRY(s, sop_cursor_open(s->txn, s->raw, NULL, 0, &s->cursor, &s->err));
	for (unsigned i = 0; i < 60; i++)
		TRY(s, sop_cursor_next(s->cursor, &entry, &s->err));
	sop_cursor_free(s->cursor);
	s->cursor = NULL;
	TRY(s, sop_cursor_open(s->txn, s->twice, NULL, 0, &s->cursor, &s->err));
	for (unsigned i = 0; i < 60; i++)
		TRY(s, sop_cursor_prev(s->cursor, &entry, &s->err));
	TRY(s, sop_cursor_seek(s->cursor, test_text("twice"), SOP_SEEK_EQ, &entry, &s->err));
	TRY(s, sop_cursor_entry(s->cursor, &entry, &s->err));
	TRY(s, sop_fetch(s->txn, s->people, test_bytes("\xEA\xF5", 2), 0, 0, &s->buf, NULL, NULL,
			 &s->err));
	return SOP_OK;
}

static sop_status scenario_own_reads(struct stage *s)
{
	return stage_transact(s, read_own);
}

static int count_problem(void *arg, const sop_problem *problem)
{
	(void)problem;
	(*(unsigned *)arg)++;
	return 0;
}

static sop_status scenario_watching(struct stage *s)
{
	sop_log_message message = SOP_LOG_MESSAGE_INIT;
	sop_stats stats = SOP_STATS_INIT;
	unsigned problems = 0;
	sop_status status;

	TRY(s, sop_log_enable(s->db, SOP_LOG_DEBUG, &s->err));
	TRY(s, sop_db_stats(s->db, &stats, &s->err));
	TRY(s, sop_db_metrics(s->db, &s->buf, &s->err));
	TRY(s, sop_verify(s->db, count_problem, NULL, &problems, NULL, &s->err));
	assert_int_equal(problems, 0);
	TRY(s, put_by_other(s, 10));
	do {
		status = sop_log_next(s->db, &message, 0, &s->err);
	} while (status == SOP_OK);
	TEST_STATUS(status, SOP_NOT_FOUND, s->err);
	TRY(s, sop_log_enable(s->db, SOP_LOG_OFF, &s->err));
	return SOP_OK;
}

static sop_status change_people(struct stage *s)
{
	static const char json[] =
		"{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"str\"},{\"n\":\"b\",\"t\":\"bytes\"}]}";
	sop_value values[8] = { sop_value_int(30), sop_value_bool(1), sop_value_str("a note") };
	sop_schema *schema = NULL;
	sop_status status;
	size_t count = 0;

	TRY(s, sop_schema_parse(test_text(json), &schema, &s->err));
	status = sop_schema_text(schema, &s->buf2, &s->err);
	sop_schema_free(schema);
	if (status != SOP_OK)
		return status;
	TRY(s, sop_key_pack(s->schema, values, 3, &s->buf, &s->err));
	TRY(s, sop_set_ride(s->txn, s->people, test_bytes(s->buf.data, s->buf.size), 0, &s->err));
	TRY(s, sop_fetch(s->txn, s->people, test_bytes(s->buf.data, s->buf.size), 0, 0, &s->buf2,
			 NULL, NULL, &s->err));
	TRY(s, sop_key_unpack(s->schema, test_bytes(s->buf2.data, s->buf2.size), values, 8, &count,
			      &s->buf, &s->err));
	assert_int_equal(count, 3);
	TRY(s, sop_key_pack_prefix(s->schema, values, 1, &s->buf, &s->err));
	TRY(s, sop_put(s->txn, s->people, test_bytes(s->buf.data, s->buf.size), test_text("v"), &s->err));
	TRY(s, sop_key_next_prefix(test_bytes(s->buf.data, s->buf.size), &s->buf2, &s->err));
	TRY(s, sop_value_parse(SOP_TYPE_FLOAT, test_text("1.5"), &values[0], &s->err));
	sop_buf_free(&s->buf2);
	TRY(s, sop_value_text(&values[0], &s->buf2, &s->err));
	TRY(s, sop_buf_reserve(&s->buf2, 100000, &s->err));
	return SOP_OK;
}

static sop_status scenario_schema(struct stage *s)
{
	return stage_transact(s, change_people);
}

/* ---- every allocation -------------------------------------------------------------------------------------------- */

struct scenario {
	const char *name;
	stage_body act;
	int64_t floor; /* at least so many allocations: with fewer, some are not tried any more */
};

/* The floors are four fifths of what a run showed; raise them when scenarios grow. */
static const struct scenario scenarios[] = {
	{ "open", scenario_open, 12 },
	{ "begin", scenario_begin, 8 },
	{ "items", scenario_items, 10 },
	{ "splits", scenario_splits, 24 },
	{ "merges", scenario_merges, 32 },
	{ "large values", scenario_large_values, 19 },
	{ "cursors", scenario_cursors, 44 },
	{ "scans", scenario_scans, 56 },
	{ "savepoints", scenario_savepoints, 11 },
	{ "stores", scenario_stores, 16 },
	{ "batches", scenario_batches, 12 },
	{ "conflict", scenario_conflict, 11 },
	{ "overlap", scenario_overlap, 8 },
	{ "run", scenario_run, 5 },
	{ "old reader", scenario_old_reader, 6 },
	{ "slow reader", scenario_slow_reader, 12 },
	{ "crowd", scenario_crowd, 194 },
	{ "catalog", scenario_catalog, 344 },
	{ "own reads", scenario_own_reads, 68 },
	{ "watching", scenario_watching, 10 },
	{ "schema", scenario_schema, 9 },
};

static size_t ran; /* scenarios, to their end */
static int64_t points; /* allocations that failed, over all scenarios and modes */

/* The point that is tried now, for the report of a failure. */
static struct {
	const char *scenario; /* NULL: none */
	int mode;
	int64_t n;
} now;

static const char *const mode_names[] = { "none", "once", "on", "to the end" };

/* What the run with all memory reaches. */
static void measure(const struct scenario *scenario, uint64_t milestones[MILESTONES_MAX], unsigned *reached)
{
	const int64_t live = sopi_alloc_live_count();
	struct stage stage;

	sopi_alloc_fail_after(-1, false);
	stage_open(&stage, FAULT_NONE);
	stage.milestones[0] = stage_content(&stage);
	TEST_OK(scenario->act(&stage), stage.err);
	memcpy(milestones, stage.milestones, sizeof stage.milestones);
	*reached = stage.reached;
	stage_works(&stage);
	stage_close(&stage);
	assert_int_equal(sopi_alloc_live_count(), live);
}

/* Lets allocation `n` fail. Returns whether there was one. */
static bool fail_at(const struct scenario *scenario, enum fault_mode mode, int64_t n,
		    const uint64_t milestones[MILESTONES_MAX], unsigned reached_at_end)
{
	const int64_t live = sopi_alloc_live_count();
	struct stage stage;
	sop_status status;
	bool was_reached;

	stage_open(&stage, mode);
	sopi_alloc_fail_after(n, mode != FAULT_ONCE);
	status = scenario->act(&stage);
	was_reached = sopi_alloc_asked() > n;
	if (status != SOP_OK && (status != SOP_NO_MEMORY || !was_reached))
		fail_msg("%s: %s: %s", scenario->name, sop_status_name(status), stage.err.message);
	if (mode == FAULT_ONCE)
		assert_int_equal(status, SOP_OK); /* everything was done in the end */
	if (status == SOP_NO_MEMORY) {
		assert_int_equal(stage.err.status, SOP_NO_MEMORY);
		assert_true(stage.err.message[0] != '\0');
		if (stage.txn != NULL) /* that needs no memory */
			assert_true(sop_rollback(stage.txn, NULL) == SOP_OK || stage.reached > 0);
	}
	if (mode != FAULT_TO_THE_END) {
		sopi_alloc_fail_after(-1, false);
		if (status == SOP_OK)
			assert_int_equal(stage.reached, reached_at_end);
		if (stage_content(&stage) != milestones[stage.reached])
			fail_msg("%s: after %u commits the database holds something else",
				 scenario->name, stage.reached);
		stage_works(&stage);
	}
	stage_close(&stage);
	sopi_alloc_fail_after(-1, false);
	if (sopi_alloc_live_count() != live)
		fail_msg("%s: %lld allocations are left", scenario->name,
			 (long long)(sopi_alloc_live_count() - live));
	return was_reached;
}

/* SOP_TEST_FAULT=mode:n tries one point only. */
static bool one_point(int *mode, int64_t *n)
{
	const char *text = getenv("SOP_TEST_FAULT");
	const char *colon = text != NULL ? strchr(text, ':') : NULL;

	if (colon == NULL)
		return false;
	*mode = atoi(text);
	*n = strtoll(colon + 1, NULL, 10);
	return true;
}

static void every_allocation_may_fail(void **state)
{
	const struct scenario *scenario = *state;
	uint64_t milestones[MILESTONES_MAX];
	unsigned reached = 0;
	int64_t count = 0;
	int mode;
	int64_t n;

	now.scenario = scenario->name;
	measure(scenario, milestones, &reached);
	if (one_point(&mode, &n)) {
		(void)fail_at(scenario, (enum fault_mode)mode, n, milestones, reached);
		now.scenario = NULL;
		return;
	}
	for (now.mode = FAULT_ONCE; now.mode < FAULT_MODES; now.mode++) {
		for (now.n = 0;
		     fail_at(scenario, (enum fault_mode)now.mode, now.n, milestones, reached); now.n++)
			points++;
		count = now.mode == FAULT_ONCE ? now.n : count;
	}
	now.scenario = NULL;
	ran++;
	print_message("%-14s %5lld allocations\n", scenario->name, (long long)count);
	if (count < scenario->floor)
		fail_msg("%s has only %lld allocations to fail, fewer than %lld", scenario->name,
			 (long long)count, (long long)scenario->floor);
}

static void print_point(void)
{
	fprintf(stderr, "  %s, allocation %lld fails %s: SOP_TEST_FAULT=%d:%lld repeats it\n",
		now.scenario, (long long)now.n, mode_names[now.mode], now.mode, (long long)now.n);
	test_print_replay();
}

static void crashed(int number)
{
	(void)signal(number, SIG_DFL);
	if (now.scenario != NULL)
		print_point();
	(void)raise(number);
}

static int after_scenario(void **state)
{
	(void)state;
	if (now.scenario != NULL) /* it did not come to its end */
		print_point();
	now.scenario = NULL;
	sopi_alloc_fail_after(-1, false);
	return 0;
}

enum { POINTS_FLOOR = 3000 }; /* of all scenarios and modes together */

static void no_point_was_lost(void **state)
{
	int mode;
	int64_t n;

	(void)state;
	print_message("out of memory: %lld fault points, %lld a minute\n", (long long)points,
		      (long long)test_per_minute(points));
	if (ran == sizeof scenarios / sizeof *scenarios && !one_point(&mode, &n))
		assert_true(points >= POINTS_FLOOR);
}

int main(int argc, char **argv)
{
	enum { COUNT = sizeof scenarios / sizeof *scenarios };
	struct CMUnitTest tests[COUNT + 1];

	memset(large, 'L', sizeof large);
	memset(tests, 0, sizeof tests);
	for (size_t i = 0; i < COUNT; i++) {
		union {
			const struct scenario *scenario;
			void *state;
		} it = { .scenario = &scenarios[i] };

		tests[i].name = scenarios[i].name;
		tests[i].test_func = every_allocation_may_fail;
		tests[i].teardown_func = after_scenario;
		tests[i].initial_state = it.state;
	}
	tests[COUNT].name = "no point was lost";
	tests[COUNT].test_func = no_point_was_lost;
	(void)signal(SIGABRT, crashed);
	(void)signal(SIGSEGV, crashed);
	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
