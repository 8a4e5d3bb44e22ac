/* The log in a folder: the acceptance suite on a simulated disk and on the host, and what only this driver promises. What a
 * crash leaves is in test_log_wal_crash.c. */
#include "acceptance.h"
#include "wal_box.h"

#include "base/alloc.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sopi_sim_disk *disk;

static int setup(void **state)
{
	struct wal_box *box = test_alloc(sizeof *box);

	disk = sopi_sim_disk_new();
	sopi_sim_disk_set_direct(disk, SOPI_SIM_SECTOR_BYTES);
	wal_box_start(box, disk);
	wal_box_create(box);
	*state = box;
	return 0;
}

static int teardown(void **state)
{
	struct wal_box *box = *state;

	wal_box_stop(box);
	sopi_sim_disk_free(disk);
	free(box);
	return 0;
}

static uint64_t must_submit(struct wal_box *box, const void *payload, size_t size)
{
	sop_status status;
	const uint64_t position = wal_box_submit(box, payload, size, &status);

	assert_int_equal(status, SOP_OK);
	return position;
}

static uint64_t must_commit(struct wal_box *box, const void *payload, size_t size)
{
	const uint64_t position = must_submit(box, payload, size);
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(box->log->driver->wait_durable(box->log, position, &err), err);
	return position;
}

static struct sopi_wal_stats stats_of(struct wal_box *box)
{
	struct sopi_wal_stats stats;

	sopi_wal_get_stats(box->log, &stats);
	return stats;
}

/* Opens the log again in the same process. */
static void reopen(struct wal_box *box, uint64_t checkpoint, uint64_t first_segment)
{
	sop_error err = SOP_ERROR_INIT;

	box->options.known = sopi_wal_durable_point(box->log);
	box->log->driver->close(box->log);
	box->log = NULL;
	box->options.checkpoint = checkpoint;
	box->options.first_segment = first_segment;
	TEST_OK(wal_box_open(box, &err), err);
}

/* ---- replay ---- */

struct replayed {
	uint64_t positions[4096];
	size_t count;
	size_t bytes; /* of the last one */
	uint32_t sum; /* of its bytes */
};

static sop_status note_entry(void *arg, uint64_t position, const struct sopi_log_entry *entry,
			     sop_error *err)
{
	struct replayed *replayed = arg;

	(void)err;
	assert_true(replayed->count < 4096);
	replayed->positions[replayed->count++] = position;
	replayed->bytes = entry->payload.size;
	replayed->sum = 0;
	for (size_t i = 0; i < entry->payload.size; i++)
		replayed->sum = replayed->sum * 31 + ((const uint8_t *)entry->payload.data)[i];
	return SOP_OK;
}

static void replay(struct wal_box *box, uint64_t behind, struct replayed *replayed)
{
	sop_error err = SOP_ERROR_INIT;

	memset(replayed, 0, sizeof *replayed);
	TEST_OK(sopi_wal_replay(box->log, behind, note_entry, replayed, &err), err);
}

/* ---- groups ---- */

static void one_flush_makes_a_group_durable(void **state)
{
	struct wal_box *box = *state;
	const uint64_t before = stats_of(box).flushes;
	uint64_t last = 0;
	sop_error err = SOP_ERROR_INIT;

	for (int i = 0; i < 20; i++)
		last = must_submit(box, "transaction", 11);
	TEST_OK(box->log->driver->wait_durable(box->log, last, &err), err);
	assert_int_equal(stats_of(box).flushes, before + 1);
	assert_int_equal(last, 1 << 16 | 19);
	assert_true(box->log->driver->durable(box->log) == last);
	assert_int_equal(must_commit(box, "next", 4), 2 << 16);
}

static void what_is_written_costs_no_flush_and_the_next_flush_is_for_all(void **state)
{
	struct wal_box *box = *state;
	const uint64_t before = stats_of(box).flushes;
	sop_error err = SOP_ERROR_INIT;
	uint64_t position = 0;

	for (int i = 0; i < 3; i++) {
		position = must_submit(box, "weak", 4);
		TEST_OK(box->log->driver->wait_written(box->log, position, &err), err);
	}
	assert_int_equal(stats_of(box).flushes, before);
	assert_true(box->log->driver->durable(box->log) < position);
	must_commit(box, "strong", 6);
	assert_int_equal(stats_of(box).flushes, before + 1);
	assert_int_equal(sopi_sim_disk_unsynced(disk), 0);
}

static void a_written_tail_becomes_durable_without_another_commit(void **state)
{
	struct wal_box *box = *state;
	const uint64_t position = must_submit(box, "weak", 4);
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(box->log->driver->wait_written(box->log, position, &err), err);
	TEST_OK(box->log->driver->wait_durable(box->log, position, &err), err);
	assert_int_equal(sopi_sim_disk_unsynced(disk), 0);
}

/* 65,536 entries fill a group; the next position begins another one. */
static void a_full_group_is_closed(void **state)
{
	struct wal_box *box = *state;
	sop_error err = SOP_ERROR_INIT;
	uint64_t position = 0;

	for (int i = 0; i < (1 << 16) + 3; i++)
		position = must_submit(box, NULL, 0);
	assert_int_equal(position, 2 << 16 | 2);
	TEST_OK(box->log->driver->wait_durable(box->log, position, &err), err);
	reopen(box, 1 << 16 | 65530, 1);
	assert_int_equal(sopi_wal_end(box->log), position);
	{
		struct replayed replayed;

		replay(box, 1 << 16 | 65530, &replayed);
		assert_int_equal(replayed.count, 5 + 3);
		assert_int_equal(replayed.positions[0], 1 << 16 | 65531);
		assert_int_equal(replayed.positions[7], 2 << 16 | 2);
	}
}

static void huge_transactions_fit_and_their_memory_is_given_back(void **state)
{
	enum { HUGE = 40 << 20 };
	struct wal_box *box = *state;
	uint8_t *payload = test_alloc(HUGE);
	const int64_t live = sopi_alloc_live_count();
	struct replayed replayed;
	uint32_t sum = 0;

	for (size_t i = 0; i < HUGE; i++) {
		payload[i] = (uint8_t)(i * 7 + i / 4096);
		sum = sum * 31 + payload[i];
	}
	must_commit(box, "small", 5);
	must_commit(box, payload, HUGE);
	assert_true(sopi_alloc_live_count() <= live + 8); /* of the 41 pieces */
	reopen(box, 0, 1);
	assert_int_equal(sopi_wal_end(box->log), 2 << 16);
	replay(box, 0, &replayed);
	assert_int_equal(replayed.count, 2);
	assert_int_equal(replayed.bytes, HUGE);
	assert_int_equal(replayed.sum, sum);
	assert_int_equal(box->log->driver->reserve(box->log, ((size_t)1 << 30) + 1, false, NULL),
			 SOP_LIMIT);
	free(payload);
}

static void a_group_of_nearly_a_chunk_is_one_write(void **state)
{
	struct wal_box *box = *state;
	const size_t size = 200 << 10;
	uint8_t *payload = memset(test_alloc(size), 7, size);
	sop_error err = SOP_ERROR_INIT;
	uint64_t position = 0;
	uint64_t flushes;

	for (int i = 0; i < 5; i++) /* all of it is reserved and in the buffer before anything is written */
		position = must_submit(box, payload, size);
	flushes = stats_of(box).flushes;
	TEST_OK(box->log->driver->wait_durable(box->log, position, &err), err);
	assert_int_equal(stats_of(box).flushes, flushes + 3); /* head of the next segment, successor, group */
	for (int i = 0; i < 5; i++)
		position = must_submit(box, payload, size);
	free(payload);
}

enum { BIG_SEGMENT_BYTES = 16 << 20, BIG_GROUP_ENTRIES = 50, BIG_ENTRY_BYTES = 200 << 10 };

/* Flushes of a group of 10 MB on a disk with this unit for direct writes. */
static void flush_big_group(size_t direct_bytes)
{
	struct sopi_sim_disk *on = sopi_sim_disk_new();
	uint8_t *payload = memset(test_alloc(BIG_ENTRY_BYTES), 7, BIG_ENTRY_BYTES);
	sop_error err = SOP_ERROR_INIT;
	struct sopi_wal_stats before, after;
	struct wal_box box;
	uint64_t position = 0;

	sopi_sim_disk_set_direct(on, direct_bytes);
	wal_box_start(&box, on);
	box.options.segment_bytes = BIG_SEGMENT_BYTES;
	wal_box_create(&box);
	for (int i = 0; i < BIG_GROUP_ENTRIES; i++)
		position = must_submit(&box, payload, BIG_ENTRY_BYTES);
	before = stats_of(&box);
	sopi_sim_fail(box.process, NULL); /* counts anew */
	TEST_OK(box.log->driver->wait_durable(box.log, position, &err), err);
	after = stats_of(&box);
	assert_int_equal(after.groups - before.groups, 1);
	assert_int_equal(after.flushes - before.flushes, 1); /* direct writes and syncs */
	assert_int_equal(sopi_sim_calls(box.process, SOPI_SIM_ANY_SYNC), 1);
	assert_in_range(sopi_sim_calls(box.process, SOPI_SIM_WRITE), 2, 8);
	assert_int_equal(sopi_sim_disk_unsynced(on), 0);
	must_commit(&box, payload, 100);
	assert_int_equal(sopi_sim_calls(box.process, SOPI_SIM_ANY_SYNC), direct_bytes != 0 ? 1 : 2);
	reopen(&box, 0, 1);
	assert_int_equal(sopi_wal_end(box.log), 2 << 16);
	wal_box_stop(&box);
	sopi_sim_disk_free(on);
	free(payload);
}

/* More than a buffer takes several writes, and still one flush; the next small one is a direct write again. */
static void a_group_of_many_chunks_takes_one_flush(void **state)
{
	(void)state;
	flush_big_group(0);
	flush_big_group(SOPI_SIM_SECTOR_BYTES);
	flush_big_group(SOPI_SIM_PAGE_BYTES);
}

struct waiters {
	struct wal_box *box;
};

static void commit_durably(size_t index, void *arg)
{
	struct wal_box *box = ((struct waiters *)arg)->box;

	for (uint64_t i = 0; i < test_scaled(300); i++) {
		sop_status status;
		const uint64_t position = wal_box_submit(box, &i, sizeof i, &status);

		if (status != SOP_OK || box->log->driver->wait_durable(box->log, position, NULL) != SOP_OK)
			test_note_failure("thread %zu: a commit failed", index);
	}
}

/* However many threads wait: a flush for each group, and none for nothing. */
static void followers_share_the_flush_of_their_group(void **state)
{
	struct waiters waiters = { .box = *state };
	struct sopi_wal_stats before, after;

	before = stats_of(waiters.box);
	test_run_threads(8, commit_durably, &waiters);
	TEST_NO_FAILURES();
	after = stats_of(waiters.box);
	/* each further segment takes two: its head and the successor record that names it */
	assert_int_equal(after.flushes - before.flushes,
			 after.groups - before.groups + 2 * (after.segments - before.segments));
	assert_true(after.groups - before.groups <= 8 * test_scaled(300));
}

/* ---- marks ---- */

static void a_mark_proves_the_last_group_and_is_written_once(void **state)
{
	struct wal_box *box = *state;
	sop_error err = SOP_ERROR_INIT;
	uint64_t groups;

	must_commit(box, "last", 4);
	TEST_OK(sopi_wal_flush(box->log, true, &err), err);
	groups = stats_of(box).groups;
	assert_int_equal(groups, 2);
	TEST_OK(sopi_wal_flush(box->log, true, &err), err);
	TEST_OK(sopi_wal_flush(box->log, true, &err), err);
	assert_int_equal(stats_of(box).groups, groups);
	assert_int_equal(must_commit(box, "more", 4), 3 << 16); /* the mark took slot 2 */
	reopen(box, 1 << 16, 1);
	assert_int_equal(sopi_wal_end(box->log), 3 << 16);
}

static void a_log_that_rests_holds_no_buffers(void **state)
{
	struct wal_box *box = *state;
	const int64_t live = sopi_alloc_live_count();
	sop_error err = SOP_ERROR_INIT;

	must_commit(box, "some", 4);
	assert_true(sopi_alloc_live_count() > live);
	TEST_OK(sopi_wal_flush(box->log, true, &err), err);
	assert_int_equal(sopi_alloc_live_count(), live);
	must_commit(box, "more", 4);
}

enum { WRITTEN_POLLS_MAX = 20000, WRITTEN_POLL_US = 1000 };

/* What is to be written ahead becomes durable though nobody waits for it, as often as asked for. */
static void what_is_written_ahead_needs_nobody_who_waits(void **state)
{
	struct wal_box *box = *state;
	const struct sopi_log_driver *driver = box->log->driver; /* of the log that follows, too */

	assert_false(driver->write_ahead(box->log, must_submit(box, "alone", 5), true)); /* no thread may begin */
	box->options.writes_ahead = true;
	reopen(box, 0, 1);
	for (int round = 0; round < 3; round++) {
		const uint64_t position = must_submit(box, "ahead", 5);

		assert_true(driver->write_ahead(box->log, position, true));
		for (int i = 0; i < WRITTEN_POLLS_MAX && driver->durable(box->log) < position; i++)
			test_sleep_us(WRITTEN_POLL_US);
		assert_true(driver->durable(box->log) == position);
	}
}

/* ---- turns ---- */

/* One write is held on its way, for which two wait; then comes a flush, and then a commit. */
struct held {
	struct wal_box *box;
	uint64_t first[2]; /* positions of the two */
	_Atomic bool released;
	sop_status status[4];
};

static _Atomic int writes_begun, sleepers;

static void hold_the_first_write(void *arg, unsigned call, const char *path)
{
	struct held *held = arg;

	if (call != SOPI_SIM_WRITE || strncmp(path, "log/", 4) != 0 ||
	    atomic_fetch_add(&writes_begun, 1) != 0)
		return;
	while (!atomic_load(&held->released))
		test_sleep_us(WRITTEN_POLL_US);
}

static bool note_sleeper(void)
{
	atomic_fetch_add(&sleepers, 1);
	return false;
}

static void wait_until_there_are(const _Atomic int *number, int wanted)
{
	for (int i = 0; i < WRITTEN_POLLS_MAX && atomic_load(number) < wanted; i++)
		test_sleep_us(WRITTEN_POLL_US);
}

static sop_status commit_behind_the_flush(struct held *held)
{
	struct sopi_log *log = held->box->log;
	sop_status status;
	const uint64_t position = wal_box_submit(held->box, "late", 4, &status);

	return status != SOP_OK ? status : log->driver->wait_durable(log, position, NULL);
}

/* Each begins when the one before it waits; the last one either waits, too, or writes. */
static void take_part(size_t index, void *arg)
{
	struct held *held = arg;
	struct sopi_log *log = held->box->log;

	if (index != 0)
		wait_until_there_are(&writes_begun, 1);
	if (index > 1)
		wait_until_there_are(&sleepers, (int)index - 1);
	if (index < 2)
		held->status[index] = log->driver->wait_durable(log, held->first[index], NULL);
	else if (index == 2)
		held->status[index] = sopi_wal_flush(log, false, NULL);
	else if (index == 3)
		held->status[index] = commit_behind_the_flush(held);
}

/* Lets the held write go once everybody waits, or somebody did not, and says how many had begun by then. */
static void let_go(size_t index, void *arg)
{
	struct held *held = arg;
	int begun = 0;

	if (index < 4) {
		take_part(index, arg);
		return;
	}
	for (int i = 0; i < WRITTEN_POLLS_MAX && begun < 2 && atomic_load(&sleepers) < 3; i++) {
		test_sleep_us(WRITTEN_POLL_US);
		begun = atomic_load(&writes_begun);
	}
	if (begun > 1)
		test_note_failure("a commit that came later was written before the flush");
	atomic_store(&held->released, true);
}

static void commits_that_come_later_do_not_overtake_a_flush(void **state)
{
	struct held held = { .box = *state };

	atomic_store(&writes_begun, 0);
	atomic_store(&sleepers, 0);
	held.first[0] = must_submit(held.box, "first", 5);
	held.first[1] = must_submit(held.box, "second", 6);
	sopi_sim_watch(held.box->process, hold_the_first_write, &held);
	sopi_sleep_hook = note_sleeper;
	test_run_threads(5, let_go, &held);
	sopi_sleep_hook = NULL;
	sopi_sim_watch(held.box->process, NULL, NULL);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(held.status[i], SOP_OK);
	TEST_NO_FAILURES();
}

static void flush_takes_everything_submitted(void **state)
{
	struct wal_box *box = *state;
	const uint64_t position = must_submit(box, "buffered", 8);
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_wal_flush(box->log, false, &err), err);
	assert_true(box->log->driver->durable(box->log) == position);
}

/* ---- segments ---- */

static void fill(struct wal_box *box, int commits)
{
	uint8_t payload[1000] = { 0 };

	for (int i = 0; i < commits; i++)
		must_commit(box, payload, sizeof payload);
}

static void trimmed_segments_are_recycled(void **state)
{
	struct wal_box *box = *state;
	uint64_t position;
	uint64_t first;
	uint64_t used;

	fill(box, 100);
	assert_true(stats_of(box).segments > 5);
	position = box->log->driver->durable(box->log);
	first = sopi_wal_segment_of(box->log, position);
	sopi_wal_trim(box->log, position, first);
	assert_int_equal(stats_of(box).segments, 1);
	assert_true(stats_of(box).pool_bytes >= 5 * WAL_BOX_SEGMENT_BYTES);
	used = sopi_sim_disk_used_bytes(disk);
	fill(box, 20);
	assert_int_equal(sopi_sim_disk_used_bytes(disk), used); /* no new file */
	sopi_wal_shrink(box->log, WAL_BOX_SEGMENT_BYTES);
	assert_int_equal(stats_of(box).pool_bytes, WAL_BOX_SEGMENT_BYTES);
	assert_true(sopi_sim_disk_used_bytes(disk) < used);
	reopen(box, position, first);
	assert_int_equal(sopi_wal_end(box->log), box->log->driver->durable(box->log));
}

static void all_segments_together_have_a_limit(void **state)
{
	struct wal_box *box = *state;
	uint64_t position;
	struct sopi_wal_stats stats;

	box->options.bytes_max = 8 * WAL_BOX_SEGMENT_BYTES; /* less than the pool may have */
	reopen(box, 0, 1);
	fill(box, 200);
	position = box->log->driver->durable(box->log);
	assert_true(stats_of(box).segment_bytes > box->options.bytes_max);
	sopi_wal_trim(box->log, position, sopi_wal_segment_of(box->log, position));
	stats = stats_of(box);
	assert_in_range(stats.segment_bytes + stats.pool_bytes, 7 * WAL_BOX_SEGMENT_BYTES,
			8 * WAL_BOX_SEGMENT_BYTES);
}

static void segment_of_is_where_replay_begins(void **state)
{
	struct wal_box *box = *state;
	uint64_t positions[60];
	struct replayed replayed;

	for (int i = 0; i < 60; i++) {
		uint8_t payload[900] = { 0 };

		positions[i] = must_commit(box, payload, sizeof payload);
	}
	for (int i = 0; i < 60; i += 7) {
		const uint64_t first = sopi_wal_segment_of(box->log, positions[i]);

		assert_true(sopi_wal_bytes_behind(box->log, positions[i]) >= 1024u * (size_t)(59 - i));
		reopen(box, positions[i], first);
		replay(box, positions[i], &replayed);
		assert_int_equal(replayed.count, 59 - i);
		assert_true(i == 59 || replayed.positions[0] == positions[i + 1]);
	}
}

/* Calls of this kind since the last question. */
static uint64_t calls_of(struct wal_box *box, unsigned kinds)
{
	const uint64_t calls = (uint64_t)sopi_sim_calls(box->process, kinds);

	sopi_sim_fail(box->process, NULL); /* counts anew */
	return calls;
}

/* Commits until the log goes on in another segment; how many it took. */
static size_t commit_to_the_next(struct wal_box *box, const void *payload, size_t size)
{
	const uint64_t segments = stats_of(box).segments;
	size_t commits = 0;

	while (stats_of(box).segments == segments && commits < 1000) {
		must_commit(box, payload, size);
		commits++;
	}
	return commits;
}

static void small_groups_leave_a_segment_without_zeros(void **state)
{
	enum { LARGE = 1900, SMALL = 100, LARGE_COMMITS = 30 };
	struct wal_box *box = *state;
	uint8_t payload[LARGE] = { 3 };
	struct replayed replayed;
	size_t commits = 0;

	for (int i = 0; i < LARGE_COMMITS; i++)
		must_commit(box, payload, LARGE);
	commits = LARGE_COMMITS + commit_to_the_next(box, payload, LARGE);
	for (int i = 0; i < 3; i++, commits++)
		must_commit(box, payload, LARGE); /* more than half of it is in use */
	(void)calls_of(box, SOPI_SIM_WRITE);
	sopi_wal_prepare(box->log);
	assert_int_equal(calls_of(box, SOPI_SIM_WRITE), 0); /* the next one has room and no zeros */
	commits += commit_to_the_next(box, payload, LARGE);
	for (int i = 0; i < 10; i++, commits++)
		must_commit(box, payload, SMALL);
	(void)calls_of(box, SOPI_SIM_WRITE);
	assert_true(sopi_wal_fills(box->log)); /* though it is empty: it is raw */
	sopi_wal_prepare(box->log);
	assert_true(calls_of(box, SOPI_SIM_WRITE) > 0); /* this one has zeros */
	assert_int_equal(commit_to_the_next(box, payload, SMALL), 1); /* there was room for more */
	commits += 1 + commit_to_the_next(box, payload, SMALL);
	assert_true(commits > LARGE_COMMITS + 20); /* it stayed there */
	reopen(box, 0, 1);
	replay(box, 0, &replayed);
	assert_int_equal(replayed.count, commits);
}

static void the_first_large_group_waits_for_no_zeros(void **state)
{
	enum { LARGE = 2 * WAL_BOX_SEGMENT_BYTES };
	static const uint8_t payload[LARGE] = { 6 };
	struct wal_box *box = *state;
	struct replayed replayed;
	sop_error err = SOP_ERROR_INIT;

	(void)calls_of(box, SOPI_SIM_WRITE);
	TEST_OK(box->log->driver->reserve(box->log, LARGE, false, &err), err);
	assert_int_equal(calls_of(box, SOPI_SIM_WRITE), 0);
	box->log->driver->unreserve(box->log, LARGE);
	must_commit(box, payload, LARGE);
	reopen(box, 0, 1);
	replay(box, 0, &replayed);
	assert_int_equal(replayed.count, 1);
	assert_int_equal(replayed.bytes, LARGE);
}

/* Small groups wait for the zeros of the segment that they are to go to, so it is not one of 16 MB. */
static void the_first_segment_with_zeros_is_small(void **state)
{
	enum { LARGE = 3000, SMALL = 100, FIRST = 4 * WAL_BOX_SEGMENT_BYTES, GROWN = 4 * FIRST };
	static const uint8_t payload[LARGE] = { 5 };
	struct sopi_sim_disk *on = sopi_sim_disk_new();
	struct wal_box box;
	size_t count = 0;
	struct replayed replayed;

	(void)state;
	sopi_sim_disk_set_direct(on, SOPI_SIM_SECTOR_BYTES);
	wal_box_start(&box, on);
	box.options.segment_bytes = FIRST;
	box.options.segment_bytes_max = GROWN;
	wal_box_create(&box);
	for (; stats_of(&box).current_bytes < GROWN; count++) {
		must_commit(&box, payload, LARGE);
		sopi_wal_prepare(box.log);
	}
	for (int i = 0; i < GROWN / 2 / LARGE; i++, count++)
		must_commit(&box, payload, LARGE);
	sopi_wal_prepare(box.log); /* the next one is there, raw and large */
	for (int i = 0; i < 20; i++, count++)
		must_commit(&box, payload, SMALL);
	sopi_wal_prepare(box.log);
	must_commit(&box, payload, SMALL);
	assert_int_equal(stats_of(&box).current_bytes, FIRST);
	reopen(&box, 0, 1);
	replay(&box, 0, &replayed);
	assert_int_equal(replayed.count, count + 1);
	wal_box_stop(&box);
	sopi_sim_disk_free(on);
}

static void closing_gives_back_what_is_reserved(void **state)
{
	enum { FIRST = 4 * WAL_BOX_SEGMENT_BYTES, GROWN = 2 * FIRST };
	struct sopi_sim_disk *on = sopi_sim_disk_new();
	struct wal_box box;
	struct replayed replayed;
	struct sopi_entry entry;
	uint8_t payload[900] = { 4 };
	sop_error err = SOP_ERROR_INIT;
	size_t count = 0;

	(void)state;
	wal_box_start(&box, on);
	box.options.segment_bytes = FIRST;
	box.options.segment_bytes_max = GROWN;
	wal_box_create(&box);
	while (stats_of(&box).current_bytes < GROWN) {
		must_commit(&box, payload, sizeof payload);
		count++;
		sopi_wal_prepare(box.log);
	}
	sopi_wal_settle(box.log, 0);
	assert_int_equal(stats_of(&box).pool_bytes, 0);
	TEST_OK(sopi_folder_look(box.folder, "log/0000000000000002.log", &entry, &err), err);
	assert_in_range(entry.size, 1, WAL_BOX_SEGMENT_BYTES);
	reopen(&box, 0, 1);
	replay(&box, 0, &replayed);
	assert_int_equal(replayed.count, count);
	assert_true(stats_of(&box).current_bytes >= FIRST); /* though the last one is small now */
	must_commit(&box, payload, sizeof payload);
	wal_box_stop(&box);
	sopi_sim_disk_free(on);
}

static void prepare_makes_the_next_segment_ahead(void **state)
{
	struct wal_box *box = *state;
	int64_t calls;

	sopi_wal_prepare(box->log);
	fill(box, 6); /* more than half of it */
	sopi_wal_prepare(box->log);
	sopi_sim_fail(box->process, NULL);
	fill(box, 5);
	calls = sopi_sim_calls(box->process, SOPI_SIM_OPEN_FILE | SOPI_SIM_SYNC_FOLDER | SOPI_SIM_ALLOCATE |
						     SOPI_SIM_RENAME | SOPI_SIM_SYNC);
	assert_int_equal(calls, 0);
	assert_true(stats_of(box).segments >= 2);
}

/* Bulk loading fills a segment between two ticks of the background thread, which is told of it by this. */
static void a_segment_that_fills_is_told_of_once(void **state)
{
	struct wal_box *box = *state;

	fill(box, 2);
	assert_false(sopi_wal_fills(box->log));
	fill(box, 4); /* more than half of it */
	assert_true(sopi_wal_fills(box->log));
	assert_false(sopi_wal_fills(box->log));
	sopi_wal_prepare(box->log);
	fill(box, 3); /* into the next one */
	assert_true(stats_of(box).segments >= 2);
	assert_false(sopi_wal_fills(box->log));
}

enum { MEANWHILE = 500 };

/* Reserves when the leader writes the first bytes of a segment. */
static void reserve_meanwhile(void *arg, unsigned call, const char *path)
{
	struct wal_box *box = arg;
	sop_error err = SOP_ERROR_INIT;

	if (call != SOPI_SIM_WRITE || strstr(path, "log/0000000000000002.log") == NULL)
		return;
	sopi_sim_watch(box->process, NULL, NULL);
	TEST_OK(box->log->driver->reserve(box->log, MEANWHILE, false, &err), err);
}

/* Between the segments there is room in neither of them, and making one more would take long: up to 16 MB of zeros. */
static void who_reserves_while_the_leader_moves_on_makes_nothing(void **state)
{
	struct wal_box *box = *state;
	int64_t calls;

	fill(box, 6); /* more than half of it */
	sopi_wal_prepare(box->log);
	sopi_sim_fail(box->process, NULL);
	sopi_sim_watch(box->process, reserve_meanwhile, box);
	fill(box, 6);
	calls = sopi_sim_calls(box->process, SOPI_SIM_OPEN_FILE | SOPI_SIM_ALLOCATE | SOPI_SIM_RENAME);
	box->log->driver->unreserve(box->log, MEANWHILE);
	assert_int_equal(stats_of(box).segments, 2);
	assert_int_equal(calls, 0);
}

/* ---- a full disk ---- */

static void a_full_disk_is_said_by_reserve_alone(void **state)
{
	struct wal_box *box = *state;
	uint8_t payload[700] = { 0 };
	sop_status status = SOP_OK;
	uint64_t last = 0;
	int urgent = 0;
	sop_error err = SOP_ERROR_INIT;

	sopi_sim_disk_set_quota(disk, sopi_sim_disk_used_bytes(disk) + 3 * WAL_BOX_SEGMENT_BYTES);
	while (status == SOP_OK) {
		const uint64_t position = wal_box_submit(box, payload, sizeof payload, &status);

		if (status != SOP_OK)
			break;
		last = position;
		TEST_OK(box->log->driver->wait_durable(box->log, last, &err), err);
	}
	assert_int_equal(status, SOP_NO_SPACE);
	assert_false(sopi_wal_has_failed(box->log));
	while (box->log->driver->reserve(box->log, 300, true, NULL) == SOP_OK)
		urgent++; /* what is kept back */
	assert_true(urgent >= 2);
	while (urgent-- > 0)
		box->log->driver->unreserve(box->log, 300);
	sopi_wal_trim(box->log, last, sopi_wal_segment_of(box->log, last));
	must_commit(box, payload, sizeof payload);
}

/* The usual segment would be larger than what is left of the disk. */
static void a_nearly_full_disk_is_used_to_the_end(void **state)
{
	enum { LEFT = 3 * WAL_BOX_SEGMENT_BYTES - 4096, PAYLOAD = 900 };
	struct wal_box *box = *state;
	uint8_t payload[PAYLOAD] = { 0 };
	sop_status status = SOP_OK;
	uint64_t segments;

	for (size_t used = 0; used < WAL_BOX_SEGMENT_BYTES * 2 / 5; used += PAYLOAD)
		must_commit(box, payload, sizeof payload); /* or the next segment would be no larger */
	box->log->driver->close(box->log);
	box->options.segment_bytes_max = 1 << 30;
	assert_int_equal(wal_box_open(box, NULL), SOP_OK); /* a segment of twice the size; the next is four times */
	segments = stats_of(box).segments;
	sopi_sim_disk_set_quota(disk, sopi_sim_disk_used_bytes(disk) + LEFT);
	while (status == SOP_OK) {
		const uint64_t position = wal_box_submit(box, payload, sizeof payload, &status);

		if (position != 0)
			assert_int_equal(box->log->driver->wait_durable(box->log, position, NULL), SOP_OK);
	}
	assert_int_equal(status, SOP_NO_SPACE);
	assert_int_equal(stats_of(box).segments, segments + 2);
	assert_false(sopi_wal_has_failed(box->log));
}

/* ---- failures ---- */

static void fail_from_now_on(struct wal_box *box, unsigned calls)
{
	const struct sopi_sim_fault fault = { .calls = calls, .for_ever = true, .os_errno = EIO };

	sopi_sim_fail(box->process, &fault);
}

static void a_failed_write_is_unknown_and_ends_the_log(void **state)
{
	struct wal_box *box = *state;
	const uint64_t durable = must_commit(box, "before", 6);
	const uint64_t lost = must_submit(box, "lost", 4);
	sop_error err = SOP_ERROR_INIT;

	fail_from_now_on(box, SOPI_SIM_WRITE | SOPI_SIM_ANY_SYNC);
	TEST_STATUS(box->log->driver->wait_durable(box->log, lost, &err), SOP_UNKNOWN, err);
	sopi_sim_fail(box->process, NULL); /* the disk is well again; the log is not */
	TEST_STATUS(box->log->driver->wait_durable(box->log, lost, &err), SOP_UNKNOWN, err);
	TEST_OK(box->log->driver->wait_durable(box->log, durable, &err), err);
	TEST_STATUS(box->log->driver->reserve(box->log, 1, false, &err), SOP_FAILED, err);
	TEST_STATUS(sopi_wal_flush(box->log, true, &err), SOP_FAILED, err);
	assert_true(sopi_wal_has_failed(box->log));
	assert_int_equal(sopi_sim_calls(box->process, SOPI_SIM_WRITE | SOPI_SIM_ANY_SYNC), 0);
}

static void a_log_that_is_made_to_fail_acknowledges_nothing_more(void **state)
{
	struct wal_box *box = *state;
	const uint64_t durable = must_commit(box, "before", 6);
	const uint64_t position = must_submit(box, "after", 5);
	sop_error err = SOP_ERROR_INIT;

	sopi_wal_fail(box->log);
	TEST_STATUS(box->log->driver->wait_durable(box->log, position, &err), SOP_UNKNOWN, err);
	TEST_STATUS(box->log->driver->wait_written(box->log, position, &err), SOP_UNKNOWN, err);
	TEST_OK(box->log->driver->wait_durable(box->log, durable, &err), err);
	TEST_STATUS(box->log->driver->reserve(box->log, 1, true, &err), SOP_FAILED, err);
}

static void out_of_memory_is_said_by_reserve_and_leaks_nothing(void **state)
{
	struct wal_box *box = *state;
	uint8_t payload[3000] = { 0 };

	for (int64_t n = 0; n < 40; n++) {
		sop_status status;
		uint64_t position;

		sopi_alloc_fail_after(n % 8, false);
		position = wal_box_submit(box, payload, sizeof payload, &status);
		sopi_alloc_fail_after(-1, false);
		assert_true(status == SOP_OK || status == SOP_NO_MEMORY);
		if (status == SOP_OK)
			assert_int_equal(box->log->driver->wait_durable(box->log, position, NULL), SOP_OK);
	}
	assert_false(sopi_wal_has_failed(box->log));
}

static void out_of_memory_in_recovery_is_said_and_leaks_nothing(void **state)
{
	struct wal_box *box = *state;
	sop_status status = SOP_NO_MEMORY;
	int64_t live;

	fill(box, 30);
	box->log->driver->close(box->log);
	box->log = NULL;
	live = sopi_alloc_live_count();
	for (int64_t n = 0; status != SOP_OK; n++) {
		sop_error err = SOP_ERROR_INIT;

		assert_int_equal(sopi_alloc_live_count(), live);
		sopi_alloc_fail_after(n, false);
		status = wal_box_open(box, &err);
		sopi_alloc_fail_after(-1, false);
		assert_true(status == SOP_OK || status == SOP_NO_MEMORY);
	}
	assert_int_equal(sopi_wal_end(box->log), 30 << 16);
}

/* ---- verification ---- */

static bool count_problem(void *arg, const char *file, int64_t offset, const char *kind, const char *message)
{
	assert_true(strlen(file) != 0 && offset >= 0 && strlen(kind) != 0 && strlen(message) != 0);
	++*(int *)arg;
	return true;
}

static void flip(struct wal_box *box, const char *name, uint64_t place)
{
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;
	uint8_t byte;
	size_t got;

	TEST_OK(sopi_folder_open_file(box->folder, name, SOPI_FILE_READ | SOPI_FILE_WRITE, &file, &err),
		err);
	TEST_OK(sopi_file_read(file, place, &byte, 1, &got, &err), err);
	byte ^= 0x20;
	TEST_OK(sopi_file_write(file, place, &byte, 1, &err), err);
	sopi_file_close(file);
}

static void verify_finds_every_damaged_segment(void **state)
{
	struct wal_box *box = *state;
	sop_error err = SOP_ERROR_INIT;
	int problems = 0;

	fill(box, 50);
	TEST_OK(sopi_wal_verify(box->log, count_problem, &problems, &err), err);
	assert_int_equal(problems, 0);
	flip(box, "log/0000000000000001.log", 5000);
	flip(box, "log/0000000000000003.log", 9000);
	TEST_OK(sopi_wal_verify(box->log, count_problem, &problems, &err), err);
	assert_int_equal(problems, 2);
}

struct verifying {
	struct wal_box *box;
	_Atomic bool done;
};

static void verify_or_append(size_t index, void *arg)
{
	struct verifying *verifying = arg;
	struct wal_box *box = verifying->box;
	int problems = 0;
	uint8_t payload[2000] = { 0 };

	while (index == 0 && !verifying->done)
		if (sopi_wal_verify(box->log, count_problem, &problems, NULL) != SOP_OK)
			test_note_failure("verification failed");
	if (problems != 0)
		test_note_failure("verification found %d problems in a sound log", problems);
	for (uint64_t i = 0; index == 1 && i < test_scaled(300); i++) {
		sop_status status;
		const uint64_t position = wal_box_submit(box, payload, i % sizeof payload, &status);

		if (status != SOP_OK || box->log->driver->wait_durable(box->log, position, NULL) != SOP_OK)
			test_note_failure("a commit failed");
		if (i % 16 == 0)
			sopi_wal_trim(box->log, position, sopi_wal_segment_of(box->log, position));
	}
	if (index == 1)
		verifying->done = true;
}

static void verify_runs_beside_commits_and_recycling(void **state)
{
	struct verifying verifying = { .box = *state };

	test_run_threads(2, verify_or_append, &verifying);
	TEST_NO_FAILURES();
}

/* ---- many threads ---- */

struct mixing {
	struct wal_box *box;
	_Atomic uint64_t answered;
};

static void commit_mixed(size_t index, void *arg)
{
	struct mixing *mixing = arg;
	struct wal_box *box = mixing->box;
	struct test_rng rng;
	uint8_t payload[3000] = { 0 };

	test_rng_init(&rng, test_seed(), index);
	for (uint64_t i = 0; i < test_scaled(400); i++) {
		const bool durable = test_rng_once_in(&rng, 2);
		sop_status status;
		const uint64_t position = wal_box_submit(
			box, payload, (size_t)test_rng_below(&rng, sizeof payload), &status);

		if (status == SOP_OK)
			status = durable ? box->log->driver->wait_durable(box->log, position, NULL)
					 : box->log->driver->wait_written(box->log, position, NULL);
		if (status != SOP_OK)
			test_note_failure("thread %zu: %s", index, sop_status_name(status));
		if (durable && box->log->driver->durable(box->log) < position)
			test_note_failure("thread %zu: answered and not durable", index);
		if (test_rng_once_in(&rng, 50))
			(void)sopi_wal_flush(box->log, true, NULL);
		if (test_rng_once_in(&rng, 50))
			sopi_wal_prepare(box->log);
		if (index == 0 && i % 50 == 49) {
			const uint64_t checkpoint = box->log->driver->durable(box->log);

			sopi_wal_trim(box->log, checkpoint, sopi_wal_segment_of(box->log, checkpoint));
		}
	}
}

static void threads_of_every_durability_mix(void **state)
{
	struct mixing mixing = { .box = *state };

	test_run_threads(6, commit_mixed, &mixing);
	TEST_NO_FAILURES();
}

/* ---- the acceptance suite ---- */

static struct sopi_folder *folder; /* where the logs of the suite are made */
static const struct sopi_platform *platform;

static sop_status open_in_folder(sopi_mutex *commit_mutex, struct sopi_log **out, sop_error *err)
{
	const struct sopi_wal_options options = { .platform = platform,
						  .folder = folder,
						  .commit_mutex = commit_mutex,
						  .epoch = 1,
						  .segment_bytes = 64 << 10,
						  .segment_bytes_max = 1 << 20,
						  .pool_bytes_max = 1 << 20 };

	return sopi_wal_create(&options, out, err);
}

static int run_acceptance(const char *name, const struct sopi_platform *on, const char *path)
{
	sop_error err = SOP_ERROR_INIT;
	int failed = 1;

	platform = on;
	if (sopi_files_open_folder(on->files, path, SOPI_FOLDER_CREATE, &folder, &err) == SOP_OK &&
	    sopi_folder_make(folder, "log", &err) == SOP_OK)
		failed = log_acceptance_run(name, open_in_folder);
	else
		(void)fprintf(stderr, "%s: %s\n", name, err.message);
	sopi_folder_close(folder);
	return failed;
}

static int run_on_simulation(const char *name, size_t direct_bytes)
{
	struct sopi_sim_disk *fresh = sopi_sim_disk_new();
	struct sopi_sim_process *process = sopi_sim_process_new(fresh, NULL, 1);
	int failed;

	sopi_sim_disk_set_direct(fresh, direct_bytes);
	failed = run_acceptance(name, sopi_sim_platform(process), "/db");
	sopi_sim_process_free(process);
	sopi_sim_disk_free(fresh);
	return failed;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

static int run_on_host(void)
{
	char place[] = "/tmp/sop-log-XXXXXX";
	char path[64];
	int failed;

	if (mkdtemp(place) == NULL)
		return 1;
	(void)snprintf(path, sizeof path, "%s/db", place);
	failed = run_acceptance("log_wal.acceptance.host", sopi_platform_posix(), path);
	(void)nftw(place, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return failed;
}

int main(int argc, char **argv)
{
#define WAL_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WAL_TEST(one_flush_makes_a_group_durable),
		WAL_TEST(what_is_written_costs_no_flush_and_the_next_flush_is_for_all),
		WAL_TEST(a_written_tail_becomes_durable_without_another_commit),
		WAL_TEST(a_full_group_is_closed),
		WAL_TEST(huge_transactions_fit_and_their_memory_is_given_back),
		WAL_TEST(a_group_of_nearly_a_chunk_is_one_write),
		WAL_TEST(a_group_of_many_chunks_takes_one_flush),
		WAL_TEST(followers_share_the_flush_of_their_group),
		WAL_TEST(a_mark_proves_the_last_group_and_is_written_once),
		WAL_TEST(a_log_that_rests_holds_no_buffers),
		WAL_TEST(what_is_written_ahead_needs_nobody_who_waits),
		WAL_TEST(commits_that_come_later_do_not_overtake_a_flush),
		WAL_TEST(flush_takes_everything_submitted),
		WAL_TEST(trimmed_segments_are_recycled),
		WAL_TEST(all_segments_together_have_a_limit),
		WAL_TEST(segment_of_is_where_replay_begins),
		WAL_TEST(small_groups_leave_a_segment_without_zeros),
		WAL_TEST(the_first_large_group_waits_for_no_zeros),
		WAL_TEST(the_first_segment_with_zeros_is_small),
		WAL_TEST(closing_gives_back_what_is_reserved),
		WAL_TEST(prepare_makes_the_next_segment_ahead),
		WAL_TEST(a_segment_that_fills_is_told_of_once),
		WAL_TEST(who_reserves_while_the_leader_moves_on_makes_nothing),
		WAL_TEST(a_full_disk_is_said_by_reserve_alone),
		WAL_TEST(a_nearly_full_disk_is_used_to_the_end),
		WAL_TEST(a_failed_write_is_unknown_and_ends_the_log),
		WAL_TEST(a_log_that_is_made_to_fail_acknowledges_nothing_more),
		WAL_TEST(out_of_memory_is_said_by_reserve_and_leaks_nothing),
		WAL_TEST(out_of_memory_in_recovery_is_said_and_leaks_nothing),
		WAL_TEST(verify_finds_every_damaged_segment),
		WAL_TEST(verify_runs_beside_commits_and_recycling),
		WAL_TEST(threads_of_every_durability_mix),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("log_wal", tests, NULL, NULL) +
	       run_on_simulation("log_wal.acceptance.direct", 4096) +
	       run_on_simulation("log_wal.acceptance.direct512", 512) +
	       run_on_simulation("log_wal.acceptance.cached", 0) + run_on_host();
}
