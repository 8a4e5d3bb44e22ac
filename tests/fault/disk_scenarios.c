/* The scenarios: what is done to a database on disk while calls or allocations fail. */
#include "fault/disk.h"

#include <string.h>

enum {
	ITEMS = 60, /* in each of the stores "a" and "b" */
	BIG_ITEMS = 1200,
	BIG_BYTES = 60, /* kept in the leaf */
	APART_BYTES = 700,
	ALONE_BYTES = (1 << 20) + 100, /* has a file of its own */
	LOG_ITEM_BYTES = 60000,
};

static uint8_t bytes[ALONE_BYTES];

static sop_bytes key_of(uint64_t number)
{
	static uint8_t room[8];

	return test_key_u64(room, number);
}

/* The first `size` bytes differ for each `number`. */
static sop_bytes value_of(uint64_t number, size_t size)
{
	memset(bytes, 'v', 64);
	(void)test_key_u64(bytes, number);
	return test_bytes(bytes, size);
}

/* ---- transactions ------------------------------------------------------------------------------------------------- */

typedef sop_status (*disk_body)(struct disk_run *run, sop_store *a, sop_store *b);

static sop_status declare(struct disk_run *run, sop_store **a, sop_store **b)
{
	const sop_status status = sop_store_open(run->db, test_text("a"), NULL, a, &run->err);

	return status != SOP_OK ? status : sop_store_open(run->db, test_text("b"), NULL, b, &run->err);
}

/* A body in a transaction of its own. */
static sop_status transact(struct disk_run *run, disk_body body)
{
	sop_store *a = NULL, *b = NULL;
	sop_status status = declare(run, &a, &b);

	if (status == SOP_OK)
		status = sop_begin(run->db, NULL, &run->txn, &run->err);
	if (status == SOP_OK)
		status = sop_txn_id(run->txn, run->id, &run->err);
	if (status == SOP_OK)
		status = body(run, a, b);
	if (status == SOP_OK) {
		status = sop_commit(run->txn, &run->err);
		run->in_doubt = status == SOP_UNKNOWN;
	}
	if (status == SOP_OK)
		run->commits++;
	sop_txn_free(run->txn);
	run->txn = NULL;
	sop_store_free(a);
	sop_store_free(b);
	return status;
}

static sop_status make_stores(struct disk_run *run, sop_store *a, sop_store *b)
{
	const sop_status status = sop_store_create(run->txn, a, &run->err);

	return status != SOP_OK ? status : sop_store_create(run->txn, b, &run->err);
}

static sop_status put_range(struct disk_run *run, sop_store *store, uint64_t from, uint64_t count,
			    uint64_t salt, size_t size)
{
	sop_status status = SOP_OK;

	for (uint64_t i = from; i < from + count && status == SOP_OK; i++)
		status = sop_put(run->txn, store, key_of(i), value_of(i + salt, size), &run->err);
	return status;
}

static sop_status fill(struct disk_run *run, sop_store *a, sop_store *b)
{
	sop_status status = put_range(run, a, 0, ITEMS, 0, 50);

	if (status == SOP_OK)
		status = put_range(run, b, 0, ITEMS, 1000, 20);
	return status != SOP_OK ? status : put_range(run, b, ITEMS, 10, 0, APART_BYTES);
}

/* A few items that differ from commit to commit. */
static sop_status small(struct disk_run *run, sop_store *a, sop_store *b)
{
	const uint64_t salt = run->commits * 7919;
	sop_status status = put_range(run, a, run->commits % ITEMS, 3, salt, 40);

	if (status == SOP_OK)
		status = sop_put(run->txn, b, key_of(5), value_of(salt, 20), &run->err);
	if (status == SOP_OK)
		status = sop_remove(run->txn, b, key_of(run->commits % ITEMS), 0, &run->err);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

static sop_status apart(struct disk_run *run, sop_store *a, sop_store *b)
{
	const sop_status status = put_range(run, a, 20, 6, run->commits, APART_BYTES);

	return status != SOP_OK ? status : put_range(run, b, 200, 3, run->commits, 5000);
}

static sop_status alone(struct disk_run *run, sop_store *a, sop_store *b)
{
	const sop_status status = put_range(run, b, 300, 1, run->commits, ALONE_BYTES);

	return status != SOP_OK ? status : put_range(run, a, 0, 1, 0, 30);
}

static sop_status big(struct disk_run *run, sop_store *a, sop_store *b)
{
	const sop_status status = put_range(run, a, 1000, BIG_ITEMS, run->commits, BIG_BYTES);

	return status != SOP_OK ? status : put_range(run, b, 1000, BIG_ITEMS, run->commits, BIG_BYTES);
}

static sop_status remove_most(struct disk_run *run, sop_store *a, sop_store *b)
{
	sop_range range = SOP_RANGE_INIT;
	uint64_t removed;
	uint8_t from[8], to[8];
	sop_status status;

	range.flags = SOP_RANGE_FROM | SOP_RANGE_TO;
	range.from = test_key_u64(from, 5);
	range.to = test_key_u64(to, 1000 + BIG_ITEMS - 100);
	status = sop_remove_range(run->txn, a, &range, &removed, &run->err);
	return status != SOP_OK ? status : sop_remove_range(run->txn, b, &range, &removed, &run->err);
}

static sop_status drop_b(struct disk_run *run, sop_store *a, sop_store *b)
{
	const sop_status status = sop_store_drop(run->txn, b, &run->err);

	return status != SOP_OK ? status : put_range(run, a, 0, 2, 77, 30);
}

static sop_status rewrite_long(struct disk_run *run, sop_store *a, sop_store *b)
{
	uint8_t key[LOG_ITEM_BYTES];
	sop_status status = SOP_OK;

	memset(key, 'k', sizeof key);
	(void)b;
	for (uint8_t i = 0; i < 20 && status == SOP_OK; i++) {
		key[0] = i;
		status = sop_put(run->txn, a, test_bytes(key, sizeof key),
				 value_of(run->commits, 20), &run->err);
	}
	return status;
}

/* ---- steps -------------------------------------------------------------------------------------------------------- */

static sop_status step_stores(struct disk_run *run)
{
	return transact(run, make_stores);
}

static sop_status step_fill(struct disk_run *run)
{
	return transact(run, fill);
}

static sop_status step_small(struct disk_run *run)
{
	return transact(run, small);
}

static sop_status step_apart(struct disk_run *run)
{
	return transact(run, apart);
}

static sop_status step_alone(struct disk_run *run)
{
	return transact(run, alone);
}

static sop_status step_big(struct disk_run *run)
{
	return transact(run, big);
}

static sop_status step_remove(struct disk_run *run)
{
	return transact(run, remove_most);
}

static sop_status step_drop(struct disk_run *run)
{
	return transact(run, drop_b);
}

/* More log than closing leaves to replay. */
static sop_status step_log(struct disk_run *run)
{
	sop_status status = SOP_OK;

	for (int i = 0; i < 15 && status == SOP_OK; i++)
		status = transact(run, rewrite_long);
	return status;
}

static sop_status step_checkpoint(struct disk_run *run)
{
	return sop_checkpoint(run->db, &run->err);
}

static sop_status step_gc(struct disk_run *run)
{
	return sop_gc(run->db, NULL, NULL, &run->err);
}

static sop_status step_sync(struct disk_run *run)
{
	return sop_sync(run->db, &run->err);
}

/* Reading answers rightly, or not at all. */
static sop_status read_all(struct disk_run *run, bool by_key)
{
	uint64_t content;
	const sop_status status = disk_content(run->db, by_key, &content, &run->err);

	if (status == SOP_OK && run->model != NULL && content != run->model->content[run->commits])
		fail_msg("read under faults: after %zu commits the database holds something else",
			 run->commits);
	return status;
}

static sop_status step_read(struct disk_run *run)
{
	return read_all(run, true);
}

static sop_status step_scan(struct disk_run *run)
{
	return read_all(run, false);
}

static sop_status step_verify(struct disk_run *run)
{
	return sop_verify(run->db, NULL, NULL, NULL, NULL, &run->err);
}

/* Closed it is in any case; an error says that it was not as durable as it should be. */
static sop_status step_close(struct disk_run *run)
{
	const sop_status status = sop_close(run->db, &run->err);

	disk_drop(run);
	return status;
}

/* ---- the list ----------------------------------------------------------------------------------------------------- */

#define MADE disk_open, step_stores, step_fill

const struct disk_scenario disk_scenarios[] = {
	{ .name = "create",
	  .calls_floor = 70,
	  .allocations_floor = 90,
	  .steps = { disk_open, step_stores, step_small, step_close } },
	{ .name = "open empty",
	  .calls_floor = 80,
	  .allocations_floor = 60,
	  .before = { disk_open },
	  .steps = { disk_open, step_close } },
	{ .name = "replay",
	  .calls_floor = 150,
	  .allocations_floor = 140,
	  .before = { MADE, step_checkpoint, step_small, step_apart, step_small },
	  .killed = true,
	  .steps = { disk_open, step_scan, step_small, step_close } },
	{ .name = "replay of all",
	  .calls_floor = 95,
	  .allocations_floor = 100,
	  .before = { MADE, step_alone, step_drop },
	  .killed = true,
	  .steps = { disk_open, step_scan, step_close } },
	{ .name = "small commits",
	  .calls_floor = 11,
	  .allocations_floor = 40,
	  .before = { MADE, step_checkpoint },
	  .first = { disk_open },
	  .steps = { step_small, step_small, step_sync, step_small, step_small } },
	{ .name = "values apart",
	  .calls_floor = 140,
	  .allocations_floor = 190,
	  .before = { MADE },
	  .first = { disk_open },
	  .steps = { step_apart, step_apart, step_alone, step_checkpoint, step_apart, step_checkpoint } },
	{ .name = "big commits",
	  .calls_floor = 5,
	  .allocations_floor = 100,
	  .before = { MADE },
	  .first = { disk_open },
	  .steps = { step_big, step_big, step_big, step_big, step_big, step_remove } },
	{ .name = "large commits",
	  .calls_floor = 20,
	  .allocations_floor = 100,
	  .before = { MADE },
	  .first = { disk_open },
	  .steps = { step_big, step_apart, step_remove, step_checkpoint, step_big },
	  .large = true,
	  .weight = 5 },
	{ .name = "replay of large",
	  .calls_floor = 100,
	  .allocations_floor = 100,
	  .before = { MADE, step_checkpoint, step_big, step_apart, step_remove },
	  .killed = true,
	  .steps = { disk_open, step_scan, step_close },
	  .large = true,
	  .weight = 6 },
	{ .name = "checkpoint",
	  .calls_floor = 80,
	  .allocations_floor = 70,
	  .before = { MADE },
	  .first = { disk_open, step_small, step_apart },
	  .steps = { step_checkpoint, step_small, step_checkpoint } },
	{ .name = "registry fold",
	  .calls_floor = 150,
	  .allocations_floor = 160,
	  .before = { MADE, step_checkpoint },
	  .first = { disk_open },
	  .steps = { step_small, step_checkpoint, step_small, step_checkpoint, step_small,
		     step_checkpoint, step_small, step_checkpoint, step_small, step_checkpoint },
	  .weight = 2 },
	{ .name = "gc",
	  .calls_floor = 230,
	  .allocations_floor = 150,
	  .before = { MADE, step_big, step_apart, step_checkpoint, step_big, step_checkpoint },
	  .first = { disk_open, step_remove, step_small },
	  .steps = { step_gc, step_scan },
	  .weight = 3 },
	{ .name = "drop",
	  .calls_floor = 200,
	  .allocations_floor = 160,
	  .before = { MADE, step_apart, step_checkpoint },
	  .first = { disk_open },
	  .steps = { step_drop, step_checkpoint, step_checkpoint, step_gc } },
	{ .name = "cold reads",
	  .calls_floor = 70,
	  .allocations_floor = 50,
	  .before = { MADE, step_apart, step_checkpoint },
	  .first = { disk_open },
	  .steps = { step_read } },
	{ .name = "cold scan",
	  .verifies = true,
	  .calls_floor = 50,
	  .allocations_floor = 150,
	  .before = { MADE, step_apart, step_checkpoint },
	  .first = { disk_open },
	  .steps = { step_scan, step_verify } },
	{ .name = "close",
	  .calls_floor = 20,
	  .allocations_floor = 20,
	  .before = { MADE },
	  .first = { disk_open, step_log },
	  .steps = { step_close },
	  .weight = 11 },
};

const size_t disk_scenario_count = sizeof disk_scenarios / sizeof *disk_scenarios;
