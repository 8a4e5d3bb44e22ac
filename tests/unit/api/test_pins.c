/* What a cursor of a database on disk shows lives until the next call, also where its leaf is evicted meanwhile, and the cache
 * stays within its bounds. The values are written so that each proves whose it is. */
#include "base/plant.h"
#include "support/folder.h"
#include "support/support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	KEYS = 30000,
	KEYS_IN_BATCH = 500,
	VALUE_BYTES = 256, /* of all values nearly twice the cache */
	CACHE_BYTES = 4 << 20,
	STEP_BETWEEN_LOOKS = 997, /* a prime, so that views lie at all places of leaves */
	THREADS = 4, /* of which the first writes */
	IDLE_MAX = 1500
};

struct box {
	char folder[TEST_PATH_BYTES];
	sop_db *db;
	sop_store *store;
	sop_error err;
	_Atomic unsigned reading;
};

/* ---- keys and values ----------------------------------------------------------------------------- */

static sop_bytes value_of(uint8_t room[VALUE_BYTES], uint64_t number, uint8_t round)
{
	memset(room, round, VALUE_BYTES);
	for (size_t at = 0; at + 16 <= VALUE_BYTES; at += 16)
		(void)test_value_u64(room + at, number);
	return test_bytes(room, VALUE_BYTES);
}

/* Does the entry say what was written under its key? */
static bool proves_itself(const sop_entry *entry)
{
	uint8_t room[VALUE_BYTES];
	const uint8_t *value = entry->value.data;

	return entry->key.size == 8 && entry->value.size == VALUE_BYTES &&
	       memcmp(value_of(room, test_key_read_u64(entry->key), value[VALUE_BYTES - 1]).data,
		      value, VALUE_BYTES) == 0;
}

/* ---- the box ------------------------------------------------------------------------------------- */

static void put_all(struct box *box, uint8_t round)
{
	uint8_t key[8], value[VALUE_BYTES];
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	if (round == 0)
		TEST_OK(sop_store_create(txn, box->store, &box->err), box->err);
	for (uint64_t i = 0; i < KEYS; i++) {
		TEST_OK(sop_put(txn, box->store, test_key_u64(key, i), value_of(value, i, round),
				&box->err),
			box->err);
		if (i % KEYS_IN_BATCH == KEYS_IN_BATCH - 1) {
			TEST_OK(sop_commit(txn, &box->err), box->err);
			TEST_OK(sop_txn_renew(txn, &box->err), box->err);
		}
	}
	TEST_OK(sop_commit(txn, &box->err), box->err);
	sop_txn_free(txn);
	TEST_OK(sop_checkpoint(box->db, &box->err), box->err);
}

static void box_open(struct box *box)
{
	char url[TEST_PATH_BYTES + 128];

	memset(box, 0, sizeof *box);
	box->err = (sop_error)SOP_ERROR_INIT;
	test_folder_make_fast(box->folder);
	(void)snprintf(url, sizeof url,
		       "inredfs:%s?create=true&cache_bytes=%d&durability=written&snapshot_bytes_max=1GB",
		       box->folder, CACHE_BYTES);
	TEST_OK(sop_open(url, NULL, &box->db, &box->err), box->err);
	TEST_OK(sop_store_open(box->db, test_text("s"), NULL, &box->store, &box->err), box->err);
	put_all(box, 0);
}

static void box_close(struct box *box)
{
	sop_store_free(box->store);
	sop_db_free(box->db);
	test_folder_remove(box->folder);
}

static int setup(void **state)
{
	struct box *box = test_alloc(sizeof *box);

	box_open(box);
	*state = box;
	return 0;
}

static int teardown(void **state)
{
	box_close(*state);
	free(*state);
	return 0;
}

static sop_cursor *cursor_of(struct box *box, sop_txn **txn, uint32_t flags)
{
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_cursor *cursor = NULL;

	reading.mode = SOP_READ;
	TEST_OK(sop_begin(box->db, &reading, txn, &box->err), box->err);
	TEST_OK(sop_cursor_open(*txn, box->store, NULL, flags, &cursor, &box->err), box->err);
	return cursor;
}

/* Reads everything in batches: every leaf is loaded, so that every other one is evicted. */
static void evict_all(struct box *box)
{
	static uint64_t room[1 << 13];
	sop_txn *txn = NULL;
	sop_cursor *cursor = cursor_of(box, &txn, 0);
	size_t used;

	while (sop_cursor_fetch(cursor, room, sizeof room, 0, 0, &used, &box->err) == SOP_OK)
		continue;
	sop_cursor_free(cursor);
	sop_txn_free(txn);
}

static uint64_t cache_used(struct box *box)
{
	sop_stats stats = SOP_STATS_INIT;

	TEST_OK(sop_db_stats(box->db, &stats, &box->err), box->err);
	return stats.cache_bytes_used;
}

/* ---- one thread ---------------------------------------------------------------------------------- */

typedef sop_status (*step_fn)(sop_cursor *cursor, sop_entry *entry, sop_error *err);

/* Goes over everything in one direction; now and then all leaves are evicted while an entry is looked at. False: an entry
 * changed under its reader's eyes. */
static bool views_live(struct box *box, step_fn step, bool forward)
{
	sop_txn *txn = NULL;
	sop_cursor *cursor = cursor_of(box, &txn, 0);
	uint64_t count = 0;
	bool live = true;
	sop_entry entry;

	for (; live && step(cursor, &entry, &box->err) == SOP_OK; count++) {
		if (count % STEP_BETWEEN_LOOKS == 0) {
			evict_all(box);
			evict_all(box); /* what was evicted first is freed now, and used again */
		}
		live = proves_itself(&entry) &&
		       test_key_read_u64(entry.key) == (forward ? count : KEYS - 1 - count);
	}
	live = live && count == KEYS;
	sop_cursor_free(cursor);
	sop_txn_free(txn);
	return live;
}

static void a_view_lives_while_its_leaf_is_evicted(void **state)
{
	assert_true(views_live(*state, sop_cursor_next, true));
	assert_true(views_live(*state, sop_cursor_prev, false));
}

/* All entries that one call gave; most calls give as many as they may. */
static void all_views_of_a_call_live(void **state)
{
	enum { MAX = 16 };
	struct box *box = *state;
	sop_txn *txn = NULL;
	sop_cursor *cursor = cursor_of(box, &txn, 0);
	sop_entry entries[MAX];
	uint64_t met = 0, calls = 0;
	size_t count = 1;

	for (; sop_cursor_next_many(cursor, entries, MAX, &count, &box->err) == SOP_OK; calls++) {
		assert_in_range(count, 1, MAX);
		if (calls % 32 == 0) {
			evict_all(box);
			evict_all(box); /* what was evicted first is freed now, and used again */
		}
		for (size_t i = 0; i < count; i++, met++)
			assert_true(proves_itself(&entries[i]) &&
				    test_key_read_u64(entries[i].key) == met);
	}
	assert_int_equal(count, 0);
	assert_int_equal(met, KEYS);
	assert_true(calls < KEYS / 4);
	sop_cursor_free(cursor);
	sop_txn_free(txn);
}

/* In a process of its own: it reads freed memory. */
static void without_pins_that_is_noticed(void **state)
{
	int ready[2];
	int end = 0;
	char byte;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct box box;
		bool live;

		(void)freopen("/dev/null", "w", stderr); /* a sanitizer has much to say */
		box_open(&box);
		if (!views_live(&box, sop_cursor_next, true) || write(ready[1], "", 1) != 1)
			_exit(2);
		sopi_planted = SOPI_PLANT_EVICT_IGNORES_PINS;
		live = views_live(&box, sop_cursor_next, true);
		sopi_planted = SOPI_PLANT_NONE;
		box_close(&box);
		_exit(live ? 0 : 1);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1); /* it came that far, with pins */
	(void)close(ready[0]);
	assert_int_equal(waitpid(child, &end, 0), child);
	assert_false(WIFEXITED(end) && WEXITSTATUS(end) == 0);
}

static void two_cursors_of_a_transaction_take_turns(void **state)
{
	struct box *box = *state;
	sop_txn *txn = NULL;
	sop_cursor *up = cursor_of(box, &txn, 0);
	sop_cursor *down = NULL;
	sop_entry entry;

	TEST_OK(sop_cursor_open(txn, box->store, NULL, 0, &down, &box->err), box->err);
	for (uint64_t i = 0; i < KEYS; i++) {
		TEST_OK(sop_cursor_next(up, &entry, &box->err), box->err);
		assert_true(proves_itself(&entry) && test_key_read_u64(entry.key) == i);
		if (i % STEP_BETWEEN_LOOKS == 0)
			evict_all(box);
		TEST_OK(sop_cursor_prev(down, &entry, &box->err), box->err);
		if (i % STEP_BETWEEN_LOOKS == 1)
			evict_all(box);
		assert_true(proves_itself(&entry) && test_key_read_u64(entry.key) == KEYS - 1 - i);
	}
	sop_cursor_free(up);
	sop_cursor_free(down);
	sop_txn_free(txn);
}

static void many_idle_cursors_do_not_fill_the_cache(void **state)
{
	struct box *box = *state;
	sop_txn **txns = test_alloc(IDLE_MAX * sizeof *txns);
	sop_cursor **cursors = test_alloc(IDLE_MAX * sizeof *cursors);
	sop_entry *entries = test_alloc(IDLE_MAX * sizeof *entries);
	uint64_t used;
	uint8_t key[8];

	evict_all(box);
	used = cache_used(box);
	for (uint64_t i = 0; i < IDLE_MAX; i++) {
		cursors[i] = cursor_of(box, &txns[i], 0);
		TEST_OK(sop_cursor_seek(cursors[i], test_key_u64(key, i * (KEYS / IDLE_MAX)),
					SOP_SEEK_GE, &entries[i], &box->err),
			box->err);
	}
	evict_all(box);
	evict_all(box);
	assert_in_range(cache_used(box), 0, used + CACHE_BYTES / 8);
	for (uint64_t i = 0; i < IDLE_MAX; i++) {
		assert_true(proves_itself(&entries[i]));
		TEST_OK(sop_cursor_next(cursors[i], &entries[i], &box->err), box->err);
		assert_int_equal(test_key_read_u64(entries[i].key), i * (KEYS / IDLE_MAX) + 1);
		sop_cursor_free(cursors[i]);
		sop_txn_free(txns[i]);
	}
	evict_all(box);
	assert_in_range(cache_used(box), 0, used + CACHE_BYTES / 8);
	free(txns);
	free(cursors);
	free(entries);
}

static void closing_with_an_entry_in_view_is_allowed(void **state)
{
	struct box *box = *state;
	sop_txn *txn = NULL;
	sop_cursor *cursor = cursor_of(box, &txn, 0);
	sop_entry entry;

	TEST_OK(sop_cursor_next(cursor, &entry, &box->err), box->err);
	evict_all(box);
	TEST_OK(sop_close(box->db, &box->err), box->err);
	TEST_STATUS(sop_cursor_next(cursor, &entry, &box->err), SOP_CLOSED, box->err);
	sop_cursor_free(cursor);
	sop_txn_free(txn);
}

/* ---- several threads ----------------------------------------------------------------------------- */

/* Changes values everywhere, again and again, while others read. */
static void overwrite(struct box *box)
{
	uint8_t key[8], value[VALUE_BYTES];
	sop_error err = SOP_ERROR_INIT;
	struct test_rng rng;
	sop_txn *txn = NULL;

	test_rng_init(&rng, test_seed(), 0);
	TEST_OK(sop_begin(box->db, NULL, &txn, &err), err);
	for (uint8_t round = 1; atomic_load(&box->reading) > 0; round++) {
		const uint64_t first = test_rng_below(&rng, KEYS - 50);

		for (uint64_t i = first; i < first + 50; i++)
			TEST_OK(sop_put(txn, box->store, test_key_u64(key, i),
					value_of(value, i, round), &err),
				err);
		TEST_OK(sop_commit(txn, &err), err);
		TEST_OK(sop_txn_renew(txn, &err), err);
		test_sleep_us(500); /* readers keep what it overwrites */
	}
	sop_txn_free(txn);
}

/* Scans, and looks at each entry a second time before it goes on. */
static void scan_once(struct box *box, bool forward)
{
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_cursor *cursor = NULL;
	sop_txn *txn = NULL;
	uint64_t count = 0;
	sop_entry entry;

	reading.mode = SOP_READ;
	TEST_OK(sop_begin(box->db, &reading, &txn, &err), err);
	TEST_OK(sop_cursor_open(txn, box->store, NULL, 0, &cursor, &err), err);
	for (; (forward ? sop_cursor_next : sop_cursor_prev)(cursor, &entry, &err) == SOP_OK; count++) {
		const bool before = proves_itself(&entry);

		if (count % 64 == 0)
			test_sleep_us(50); /* others evict */
		if (!before || !proves_itself(&entry) ||
		    test_key_read_u64(entry.key) != (forward ? count : KEYS - 1 - count))
			test_note_failure("entry %llu is not what was written", (unsigned long long)count);
	}
	if (count != KEYS)
		test_note_failure("a scan gave %llu entries: %s", (unsigned long long)count, err.message);
	sop_cursor_free(cursor);
	sop_txn_free(txn);
}

static void read_or_write(size_t index, void *arg)
{
	struct box *box = arg;

	if (index == 0) {
		overwrite(box);
		return;
	}
	for (uint64_t i = 0; i < test_scaled(3) + 1 && test_failures() == 0; i++)
		scan_once(box, index % 2 == 1);
	atomic_fetch_sub(&box->reading, 1);
}

static void readers_see_what_was_written_beside_writers_and_eviction(void **state)
{
	struct box *box = *state;

	test_forget_failures();
	atomic_store(&box->reading, THREADS - 1);
	test_run_threads(THREADS, read_or_write, box);
	TEST_NO_FAILURES();
}

int main(int argc, char **argv)
{
#define BOX_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_pins_that_is_noticed), /* forks: before there are threads */
		BOX_TEST(a_view_lives_while_its_leaf_is_evicted),
		BOX_TEST(all_views_of_a_call_live),
		BOX_TEST(two_cursors_of_a_transaction_take_turns),
		BOX_TEST(many_idle_cursors_do_not_fill_the_cache),
		BOX_TEST(closing_with_an_entry_in_view_is_allowed),
		BOX_TEST(readers_see_what_was_written_beside_writers_and_eviction),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("pins", tests, NULL, NULL);
}
