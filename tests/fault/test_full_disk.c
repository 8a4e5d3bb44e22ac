/* A disk that is full at each of 64 places of a workload of 4 MiB: writes get NO_SPACE, reading, rolling back, removing
 * and dropping go on, and what was removed is given back, so that writing works again. On a simulated disk, and on a
 * small tmpfs where mounting one is allowed. */
#include "fault/disk.h"

#include "api/handle.h"
#include "api/options.h"
#include "base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

enum {
	SIZES = 64,
	LEAST_BYTES = 4 << 20,
	STEP_BYTES = 80 << 10,
	BATCHES = 64, /* of 64 KiB */
	ITEMS = 100, /* of a batch, in the leaf */
	ITEM_BYTES = 300,
	APART = 10, /* of a batch, with values apart from the leaf */
	APART_BYTES = 3000,
	FULL_FLOOR = 36, /* sizes at which the workload does not fit */
	EMPTIED_MAX = 8, /* of these, those where removing a half was not enough */
};

static unsigned emptied; /* sizes at which all had to be removed */

/* Where the database is. */
struct place {
	struct sopi_sim_disk *disk; /* NULL: a mounted one */
	struct sopi_sim_process *process;
	const struct sopi_platform *platform;
	const char *path;
	sop_db *db;
	sop_store *items;
	sop_store *victim; /* to be dropped */
	sop_txn *txn;
	sop_error err;
	uint64_t first; /* batch that is there */
	uint64_t batches; /* up to this one */
	bool dropped;
};

/* ---- opening and closing ------------------------------------------------------------------------------------------ */

static sop_status open_place(struct place *place)
{
	sop_options *options = NULL;
	sop_status status;

	TEST_OK(sop_options_new(&options, &place->err), place->err);
	options->engine.no_background = true;
	TEST_OK(sop_options_set_bool(options, "create", 1, &place->err), place->err);
	TEST_OK(sop_options_set_text(options, "cache_bytes", "4MB", &place->err), place->err);
	TEST_OK(sop_options_set_text(options, "log_bytes_max", "4MB", &place->err), place->err);
	status = sopi_db_open_on(place->path, options, place->platform, &place->db, &place->err);
	sop_options_free(options);
	if (status != SOP_OK)
		return status;
	TEST_OK(sop_store_open(place->db, test_text("items"), NULL, &place->items, &place->err),
		place->err);
	TEST_OK(sop_store_open(place->db, test_text("victim"), NULL, &place->victim, &place->err),
		place->err);
	return SOP_OK;
}

static void close_place(struct place *place)
{
	sop_store_free(place->items);
	sop_store_free(place->victim);
	place->items = place->victim = NULL;
	if (place->db != NULL)
		TEST_OK(sop_close(place->db, &place->err), place->err);
	sop_db_free(place->db);
	place->db = NULL;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

static sop_bytes key_of(uint8_t room[8], uint64_t batch, uint64_t number)
{
	return test_key_u64(room, batch << 16 | number);
}

static sop_bytes value_of(uint64_t batch, uint64_t number)
{
	static uint8_t bytes[APART_BYTES];
	const size_t size = number < ITEMS ? ITEM_BYTES : APART_BYTES;

	for (size_t i = 0; i + 8 <= sizeof bytes && i < size; i += 8)
		(void)test_key_u64(bytes + i, (batch << 16 | number) * 7919 + i);
	return test_bytes(bytes, size);
}

static sop_status put_batch(struct place *place)
{
	sop_status status = SOP_OK;
	uint8_t room[8];

	for (uint64_t i = 0; i < ITEMS + APART && status == SOP_OK; i++)
		status = sop_put(place->txn, place->items, key_of(room, place->batches, i),
				 value_of(place->batches, i), &place->err);
	if (status == SOP_OK && !place->dropped)
		status = sop_put(place->txn, place->victim, key_of(room, place->batches, 0),
				 value_of(place->batches, 0), &place->err);
	return status;
}

static sop_status create_stores(struct place *place)
{
	const sop_status status = sop_store_create(place->txn, place->items, &place->err);

	return status != SOP_OK ? status : sop_store_create(place->txn, place->victim, &place->err);
}

static sop_status remove_one(struct place *place)
{
	uint8_t room[8];

	return sop_remove(place->txn, place->victim, key_of(room, 0, 0), 0, &place->err);
}

static sop_status remove_half(struct place *place)
{
	sop_range range = SOP_RANGE_INIT;
	uint8_t room[8];
	uint64_t removed = 0;
	sop_status status;

	range.flags = SOP_RANGE_TO;
	range.to = key_of(room, place->batches / 2, 0);
	status = sop_remove_range(place->txn, place->items, &range, &removed, &place->err);
	if (status == SOP_OK)
		assert_int_equal(removed, place->batches / 2 * (ITEMS + APART));
	return status;
}

static sop_status remove_all(struct place *place)
{
	return sop_remove_range(place->txn, place->items, NULL, NULL, &place->err);
}

static sop_status drop_victim(struct place *place)
{
	return sop_store_drop(place->txn, place->victim, &place->err);
}

static sop_status transact(struct place *place, sop_status (*body)(struct place *place))
{
	sop_status status = sop_begin(place->db, NULL, &place->txn, &place->err);

	if (status == SOP_OK)
		status = body(place);
	if (status == SOP_OK)
		status = sop_commit(place->txn, &place->err);
	sop_txn_free(place->txn);
	place->txn = NULL;
	return status;
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static void check_items(struct place *place, sop_txn *txn)
{
	sop_cursor *cursor = NULL;
	sop_entry entry;
	uint8_t room[8];

	TEST_OK(sop_cursor_open(txn, place->items, NULL, 0, &cursor, &place->err), place->err);
	for (uint64_t batch = place->first; batch < place->batches; batch++) {
		for (uint64_t i = 0; i < ITEMS + APART; i++) {
			const sop_bytes key = key_of(room, batch, i), value = value_of(batch, i);

			TEST_OK(sop_cursor_next(cursor, &entry, &place->err), place->err);
			assert_int_equal(entry.key.size, key.size);
			assert_memory_equal(entry.key.data, key.data, key.size);
			assert_int_equal(entry.value.size, value.size);
			assert_memory_equal(entry.value.data, value.data, value.size);
		}
	}
	TEST_STATUS(sop_cursor_next(cursor, &entry, &place->err), SOP_NOT_FOUND, place->err);
	sop_cursor_free(cursor);
}

/* All that was acknowledged is there, and nothing else. */
static void check(struct place *place)
{
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_txn *txn = NULL;

	reading.mode = SOP_READ;
	TEST_OK(sop_begin(place->db, &reading, &txn, &place->err), place->err);
	check_items(place, txn);
	sop_txn_free(txn);
}

/* ---- one size ----------------------------------------------------------------------------------------------------- */

/* Writes until the disk is full. True: it is. */
static bool fill(struct place *place)
{
	while (place->batches < BATCHES) {
		sop_status status = transact(place, put_batch);

		if (status == SOP_OK && ++place->batches % 16 == 0)
			status = sop_checkpoint(place->db, &place->err);
		if (status == SOP_NO_SPACE)
			return true;
		TEST_OK(status, place->err);
	}
	return false;
}

/* What always works. */
static void shrink(struct place *place)
{
	check(place);
	TEST_OK(sop_begin(place->db, NULL, &place->txn, &place->err), place->err);
	TEST_OK(put_batch(place), place->err);
	TEST_OK(sop_rollback(place->txn, &place->err), place->err);
	sop_txn_free(place->txn);
	place->txn = NULL;
	if (place->batches > 0)
		TEST_OK(transact(place, remove_one), place->err);
	TEST_OK(transact(place, remove_half), place->err);
	place->first = place->batches / 2;
	check(place);
	TEST_OK(transact(place, drop_victim), place->err);
	place->dropped = true;
	check(place);
}

/* Without what is kept back for a full disk. */
static uint64_t used_bytes(struct place *place)
{
	sop_stats stats = SOP_STATS_INIT;

	TEST_OK(sop_db_stats(place->db, &stats, &place->err), place->err);
	return stats.disk_bytes;
}

/* Gives the space back. */
static void collect(struct place *place)
{
	const uint64_t used = used_bytes(place);
	const sop_status status = sop_gc(place->db, NULL, NULL, &place->err);

	if (status != SOP_NO_SPACE) /* what needs room for a copy stays where there is none */
		TEST_OK(status, place->err);
	check(place);
	if (status == SOP_OK && place->batches > 0)
		assert_true(used_bytes(place) < used);
}

/* Then there is some; on a disk that had hardly room for anything, once all is removed. */
static void grow_again(struct place *place)
{
	sop_status status;

	collect(place);
	status = transact(place, put_batch);
	if (status == SOP_NO_SPACE) {
		emptied++;
		place->first = place->batches;
		TEST_OK(transact(place, remove_all), place->err);
		collect(place);
		status = transact(place, put_batch);
	}
	TEST_OK(status, place->err);
	place->batches++;
	check(place);
}

static void open_again(struct place *place)
{
	close_place(place);
	TEST_OK(open_place(place), place->err);
	check(place);
}

/* Returns whether the disk was full. */
static bool try_size(struct place *place, bool reopen)
{
	sop_status status = open_place(place);
	uint64_t problems = 0;
	bool is_full;

	if (status == SOP_NO_SPACE) /* not even an empty one fits */
		return true;
	TEST_OK(status, place->err);
	status = transact(place, create_stores);
	if (status == SOP_NO_SPACE) {
		close_place(place);
		return true;
	}
	TEST_OK(status, place->err);
	is_full = fill(place);
	if (reopen)
		open_again(place);
	shrink(place);
	grow_again(place);
	open_again(place);
	TEST_OK(sop_verify(place->db, NULL, NULL, NULL, &problems, &place->err), place->err);
	assert_int_equal(problems, 0);
	close_place(place);
	return is_full;
}

/* ---- simulated ---------------------------------------------------------------------------------------------------- */

static void try_simulated(size_t size, bool reopen, unsigned *full)
{
	const sop_error fresh = SOP_ERROR_INIT;
	const int64_t live = sopi_alloc_live_count();
	struct place place = { .path = "/db", .err = fresh };

	disk_note_point("simulated disk of %zu bytes, %s", size, reopen ? "opened again" : "going on");
	place.disk = sopi_sim_disk_new();
	sopi_sim_disk_set_quota(place.disk, size);
	place.process = sopi_sim_process_new(place.disk, NULL, test_seed());
	place.platform = sopi_sim_platform(place.process);
	if (try_size(&place, reopen))
		++*full;
	sopi_sim_process_free(place.process);
	sopi_sim_disk_free(place.disk);
	assert_int_equal(sopi_alloc_live_count(), live);
	disk_forget_point();
}

static void simulated_disk_may_be_full(void **state)
{
	unsigned full = 0;

	(void)state;
	emptied = 0;
	for (size_t i = 0; i < SIZES; i++) {
		try_simulated(LEAST_BYTES + i * STEP_BYTES, false, &full);
		try_simulated(LEAST_BYTES + i * STEP_BYTES, true, &full);
	}
	print_message("full disk: %u of %u sizes were too small, %u had to be emptied\n", full,
		      SIZES * 2, emptied);
	assert_true(emptied <= EMPTIED_MAX * 2);
	assert_true(full >= FULL_FLOOR * 2);
}

/* ---- mounted ------------------------------------------------------------------------------------------------------ */

/* False: it is not allowed here. */
static bool try_mounted(const char *folder, size_t size, bool reopen, unsigned *full)
{
	const sop_error fresh = SOP_ERROR_INIT;
	char path[128], options[64];
	struct place place = { .platform = sopi_platform_posix(), .path = path, .err = fresh };

	disk_note_point("tmpfs of %zu bytes, %s", size, reopen ? "opened again" : "going on");
	(void)snprintf(options, sizeof options, "size=%zu", size);
	(void)snprintf(path, sizeof path, "%s/db", folder);
	if (mount("tmpfs", folder, "tmpfs", 0, options) != 0) {
		print_message("no tmpfs can be mounted here: %s\n", strerror(errno));
		disk_forget_point();
		return false;
	}
	if (try_size(&place, reopen))
		++*full;
	assert_int_equal(umount(folder), 0);
	disk_forget_point();
	return true;
}

static char folder[] = "/tmp/sop-full-disk-XXXXXX";

static void mounted_disk_may_be_full(void **state)
{
	unsigned full = 0;
	bool allowed = true;

	(void)state;
	emptied = 0;
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < SIZES && allowed; i++)
		allowed = try_mounted(folder, LEAST_BYTES + i * STEP_BYTES, i % 2 == 1, &full);
	if (!allowed) {
		(void)rmdir(folder);
		print_message("SKIPPED: the full disk on a real file system (needs root)\n");
		skip();
	}
	print_message("full tmpfs: %u of %u sizes were too small, %u had to be emptied\n", full,
		      SIZES, emptied);
	assert_true(emptied <= EMPTIED_MAX);
	assert_true(full >= FULL_FLOOR);
}

static int after_mounted(void **state)
{
	(void)umount2(folder, MNT_DETACH); /* where the test has failed */
	(void)rmdir(folder);
	return disk_after_test(state);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(simulated_disk_may_be_full, disk_after_test),
		cmocka_unit_test_teardown(mounted_disk_may_be_full, after_mounted),
	};

	test_begin(argc, argv);
	disk_watch_crashes();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
