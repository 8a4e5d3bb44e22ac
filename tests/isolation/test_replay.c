/* The replay oracle accepts a history made by hand that has everything in it, and rejects it as
 * soon as one answer, version, position or time in it is wrong. */
#include "isolation/replay.h"

#include <string.h>

#define DUPLICATES 2 /* the store that keeps equal keys */

static struct history_log *log_of(struct history *history, size_t index)
{
	return &history->logs[index];
}

/* Begins a transaction that reads at `snapshot`; times are ten times the positions. */
static struct history_log *begin(struct history *history, size_t log, sop_mode mode, uint64_t snapshot)
{
	struct txn_record *txn = history_begin(log_of(history, log), mode, (int64_t)(10 * snapshot + 1));

	txn->snapshot = snapshot;
	return log_of(history, log);
}

static void commit(struct history_log *log, uint64_t position)
{
	const struct txn_record *txn = history_open_txn(log);
	const bool reads = position == txn->snapshot;

	history_commit(log, position, (int64_t)(10 * position + (reads ? 2 : 0)));
}

static struct event *change(struct history_log *log, enum event_kind kind, size_t store,
			    uint64_t key, uint64_t value)
{
	struct event *event = history_event(log, kind, store);

	event->key = key;
	if (kind == EVENT_ADD || kind == EVENT_MIN || kind == EVENT_MAX)
		event->number = value;
	else
		event->seen.value = value_seen_u64(value);
	return event;
}

static struct item_seen item(uint64_t key, uint64_t id, uint64_t version, uint64_t value)
{
	const struct item_seen seen = { key, id, version, value_seen_u64(value) };

	return seen;
}

static void found(struct history_log *log, uint64_t key, uint64_t version, uint64_t value)
{
	struct event *event = history_event(log, EVENT_GET, 0);

	event->key = key;
	event->seen = item(key, 0, version, value);
}

static void missing(struct history_log *log, uint64_t key)
{
	struct event *event = history_event(log, EVENT_GET, 0);

	event->key = key;
	event->status = SOP_NOT_FOUND;
}

static void numbered(struct history_log *log, enum event_kind kind, size_t store, uint64_t number)
{
	history_event(log, kind, store)->number = number;
}

static void ranged(struct history_log *log, enum event_kind kind, uint64_t from, uint64_t to,
		   uint64_t number)
{
	struct event *event = history_event(log, kind, 0);

	event->range = (struct key_range){ from, to, true, true, false };
	event->flags = EVENT_RANGED;
	event->number = number;
}

static void step(struct history_log *log, unsigned flags, enum event_place place, uint64_t key,
		 const struct item_seen *seen)
{
	struct event *event = history_event(log, EVENT_STEP, 0);

	event->flags = (uint8_t)flags;
	event->place = (uint8_t)place;
	event->key = key;
	event->status = seen != NULL ? SOP_OK : SOP_NOT_FOUND;
	if (seen != NULL)
		event->seen = *seen;
}

/* An empty history, then positions 1 and 2: two stores, one of them with items 10, 20, 30, 40;
 * one that keeps equal keys. */
static void write_the_beginning(struct history *history)
{
	struct history_log *log = NULL;

	history_init(history, 4);
	history->duplicates[DUPLICATES] = true;
	log = begin(history, 0, SOP_WRITE, 0);
	numbered(log, EVENT_LIST, 0, 0);
	(void)history_event(log, EVENT_CREATE, 0);
	(void)history_event(log, EVENT_CREATE, DUPLICATES);
	numbered(log, EVENT_LIST, 0, 5);
	commit(log, 1);
	log = begin(history, 0, SOP_WRITE, 1);
	(void)change(log, EVENT_INSERT, 0, 10, 100);
	(void)change(log, EVENT_INSERT, 0, 20, 200);
	(void)change(log, EVENT_PUT, 0, 30, 300);
	(void)change(log, EVENT_PUT, 0, 40, 400);
	numbered(log, EVENT_COUNT, 0, 4);
	change(log, EVENT_INSERT, DUPLICATES, 7, 1)->item = 501;
	change(log, EVENT_INSERT, DUPLICATES, 7, 2)->item = 502;
	commit(log, 2);
}

/* Reads of all kinds at position 2. */
static void read_at_two(struct history *history)
{
	struct history_log *log = begin(history, 1, SOP_READ, 2);
	const struct item_seen items[] = { item(10, 0, 2, 100), item(20, 0, 2, 200),
					   item(30, 0, 2, 300), item(40, 0, 2, 400) };
	struct event *event = NULL;

	found(log, 10, 2, 100);
	missing(log, 11);
	(void)history_event(log, EVENT_SCAN, 0);
	for (size_t i = 0; i < 4; i++)
		history_item(log, &items[i]);
	log->events[log->event_count - 1].flags = EVENT_COMPLETE;
	event = history_event(log, EVENT_SCAN, 0);
	event->flags = EVENT_REVERSE;
	event->range = (struct key_range){ 0, 40, false, true, false };
	history_item(log, &items[2]);
	history_item(log, &items[1]);
	ranged(log, EVENT_COUNT, 20, 40, 2);
	step(log, 0, PLACE_AT, 20, &items[1]);
	step(log, 0, PLACE_BEYOND, 20, &items[2]);
	step(log, EVENT_REVERSE, PLACE_BEYOND, 20, &items[0]);
	step(log, EVENT_REVERSE, PLACE_END, 0, &items[3]);
	step(log, 0, PLACE_BEYOND, 40, NULL);
	event = history_event(log, EVENT_GET, DUPLICATES);
	event->key = 7;
	event->seen = item(7, 501, 2, 1);
	commit(log, 2);
}

/* Position 3: own changes, a savepoint and what was undone, refused changes. */
static void write_three(struct history *history)
{
	struct history_log *log = begin(history, 2, SOP_WRITE, 2);

	(void)change(log, EVENT_UPDATE, 0, 10, 101);
	found(log, 10, 0, 101);
	numbered(log, EVENT_SAVEPOINT, 0, 1);
	(void)change(log, EVENT_REMOVE, 0, 20, 0);
	missing(log, 20);
	numbered(log, EVENT_ROLLBACK_TO, 0, 1);
	found(log, 20, 2, 200);
	change(log, EVENT_INSERT, 0, 20, 999)->status = SOP_EXISTS;
	change(log, EVENT_UPDATE, 0, 21, 999)->status = SOP_NOT_FOUND;
	(void)change(log, EVENT_ADD, 0, 50, 5);
	found(log, 50, 0, 5);
	ranged(log, EVENT_REMOVE_RANGE, 25, 35, 1);
	numbered(log, EVENT_COUNT, 0, 4);
	change(log, EVENT_REMOVE, DUPLICATES, 7, 0)->item = 502;
	commit(log, 3);
}

/* Position 4: arithmetic at the head, and a writer that read at 2 what 3 did not touch. */
static void write_four(struct history *history)
{
	struct history_log *log = begin(history, 3, SOP_WRITE, 2);

	found(log, 40, 2, 400);
	(void)change(log, EVENT_ADD, 0, 50, 7);
	(void)change(log, EVENT_MIN, 0, 60, 9);
	(void)change(log, EVENT_MAX, 0, 60, 8); /* changes nothing */
	commit(log, 4);
	log->txns[log->txn_count - 1].begin_ns = 21;
}

/* One that aborted after it had read at 2, one that looks at the end, and a store renamed at 5. */
static void write_the_end(struct history *history)
{
	struct history_log *log = begin(history, 1, SOP_WRITE, 2);
	const struct item_seen items[] = { item(10, 0, 3, 101), item(20, 0, 2, 200),
					   item(40, 0, 2, 400), item(50, 0, 4, 12), item(60, 0, 4, 9) };

	found(log, 10, 2, 100);
	(void)change(log, EVENT_PUT, 0, 70, 700);
	history_abort(log, SOP_CONFLICT, 45);
	log = begin(history, 0, SOP_WRITE, 4);
	history_event(log, EVENT_RENAME, 0)->number = 1;
	history_event(log, EVENT_NO_STORE, 0)->status = SOP_NOT_FOUND;
	history_event(log, EVENT_DROP, 0)->status = SOP_NOT_FOUND;
	history_event(log, EVENT_CREATE, DUPLICATES)->status = SOP_EXISTS;
	commit(log, 5);
	log = begin(history, 0, SOP_READ, 5);
	numbered(log, EVENT_LIST, 0, 6);
	(void)history_event(log, EVENT_SCAN, 1);
	for (size_t i = 0; i < 5; i++)
		history_item(log, &items[i]);
	log->events[log->event_count - 1].flags = EVENT_COMPLETE;
	commit(log, 5);
}

static void write_good(struct history *history)
{
	write_the_beginning(history);
	read_at_two(history);
	write_three(history);
	write_four(history);
	write_the_end(history);
}

/* The event of this kind, the n-th in a log (from 0). */
static struct event *nth(struct history *history, size_t log, enum event_kind kind, size_t n)
{
	struct history_log *events = log_of(history, log);

	for (size_t i = 0; i < events->event_count; i++) {
		if (events->events[i].kind == kind && n-- == 0)
			return &events->events[i];
	}
	fail_msg("the history has no such event");
	return NULL;
}

static struct txn_record *txn_at(struct history *history, size_t log, size_t index)
{
	return &log_of(history, log)->txns[index];
}

static void the_good_history_is_good(void **state)
{
	struct history history;
	struct replay_report report;

	(void)state;
	write_good(&history);
	if (!replay_check(&history, &report))
		fail_msg("%s", report.texts[0]);
	assert_int_equal(report.committed, 5);
	assert_int_equal(report.readers, 2);
	assert_int_equal(report.aborted, 1);
	history_free(&history);
}

/* ---- what is wrong in each of the bad ones --------------------------------------------------- */

static void wrong_value(struct history *h)
{
	nth(h, 1, EVENT_GET, 0)->seen.value = value_seen_u64(101);
}

static void wrong_version(struct history *h)
{
	nth(h, 1, EVENT_GET, 0)->seen.version = 1;
}

static void found_what_is_not_there(struct history *h)
{
	struct event *event = nth(h, 1, EVENT_GET, 1);

	event->status = SOP_OK;
	event->seen = item(11, 0, 2, 1);
}

static void missed_what_is_there(struct history *h)
{
	nth(h, 1, EVENT_GET, 0)->status = SOP_NOT_FOUND;
}

static void oldest_duplicate_skipped(struct history *h)
{
	nth(h, 1, EVENT_GET, 2)->seen = item(7, 502, 2, 2);
}

static void scan_skips_one(struct history *h)
{
	struct history_log *log = log_of(h, 1);
	struct event *event = nth(h, 1, EVENT_SCAN, 0);

	memmove(&log->items[event->item_first + 1], &log->items[event->item_first + 2],
		2 * sizeof log->items[0]);
	event->item_count--;
}

static void scan_repeats_one(struct history *h)
{
	struct history_log *log = log_of(h, 1);

	log->items[nth(h, 1, EVENT_SCAN, 0)->item_first + 1] = log->items[0];
}

static void scan_ends_early(struct history *h)
{
	nth(h, 1, EVENT_SCAN, 0)->item_count = 3;
}

static void scan_goes_beyond_its_range(struct history *h)
{
	struct event *event = nth(h, 1, EVENT_SCAN, 1);

	event->range.to = 30;
}

static void scan_sees_an_old_version(struct history *h)
{
	log_of(h, 1)->items[nth(h, 1, EVENT_SCAN, 0)->item_first + 3].version = 1;
}

static void cursor_skips(struct history *h)
{
	nth(h, 1, EVENT_STEP, 1)->seen = item(40, 0, 2, 400);
}

static void cursor_repeats(struct history *h)
{
	nth(h, 1, EVENT_STEP, 1)->seen = item(20, 0, 2, 200);
}

static void cursor_ends_early(struct history *h)
{
	nth(h, 1, EVENT_STEP, 2)->status = SOP_NOT_FOUND;
}

static void cursor_does_not_end(struct history *h)
{
	struct event *event = nth(h, 1, EVENT_STEP, 4);

	event->status = SOP_OK;
	event->seen = item(50, 0, 2, 1);
}

static void wrong_count_of_a_range(struct history *h)
{
	nth(h, 1, EVENT_COUNT, 0)->number = 3;
}

static void wrong_count_of_a_store(struct history *h)
{
	nth(h, 2, EVENT_COUNT, 0)->number = 5;
}

static void wrong_number_removed(struct history *h)
{
	nth(h, 2, EVENT_REMOVE_RANGE, 0)->number = 0;
}

static void own_change_not_seen(struct history *h)
{
	nth(h, 2, EVENT_GET, 0)->seen = item(10, 0, 2, 100);
}

static void own_removal_not_seen(struct history *h)
{
	struct event *event = nth(h, 2, EVENT_GET, 1);

	event->status = SOP_OK;
	event->seen = item(20, 0, 2, 200);
}

static void undone_removal_still_seen(struct history *h)
{
	nth(h, 2, EVENT_GET, 2)->status = SOP_NOT_FOUND;
}

static void removal_was_not_undone(struct history *h)
{
	nth(h, 2, EVENT_ROLLBACK_TO, 0)->number = 9;
}

static void inserted_twice(struct history *h)
{
	nth(h, 2, EVENT_INSERT, 0)->status = SOP_OK;
}

static void updated_what_is_not_there(struct history *h)
{
	nth(h, 2, EVENT_UPDATE, 1)->status = SOP_OK;
}

static void insert_refused_wrongly(struct history *h)
{
	nth(h, 0, EVENT_INSERT, 0)->status = SOP_EXISTS;
}

static void removal_refused_wrongly(struct history *h)
{
	nth(h, 2, EVENT_REMOVE, 0)->status = SOP_NOT_FOUND;
}

static void item_id_used_twice(struct history *h)
{
	nth(h, 0, EVENT_INSERT, 3)->item = 501;
}

static void added_without_the_other(struct history *h)
{
	struct history_log *log = log_of(h, 0);

	log->items[nth(h, 0, EVENT_SCAN, 0)->item_first + 3].value = value_seen_u64(7);
}

static void change_lost(struct history *h)
{
	struct history_log *log = log_of(h, 0);

	log->items[nth(h, 0, EVENT_SCAN, 0)->item_first] = item(10, 0, 2, 100);
}

static void change_of_an_aborted_one_seen(struct history *h)
{
	struct history_log *log = log_of(h, 0);

	log->items[nth(h, 0, EVENT_SCAN, 0)->item_first + 4] = item(70, 0, 4, 700);
}

static void aborted_one_read_wrongly(struct history *h)
{
	nth(h, 1, EVENT_GET, 3)->seen = item(10, 0, 3, 101);
}

/* It read at 2 what 3 changed: the snapshot was right, the serial order is not. */
static void writer_read_what_was_overwritten(struct history *h)
{
	struct event *event = nth(h, 3, EVENT_GET, 0);

	event->key = 10;
	event->seen = item(10, 0, 2, 100);
}

/* It missed at 2 what 3 added. */
static void writer_missed_what_was_inserted(struct history *h)
{
	struct event *event = nth(h, 3, EVENT_GET, 0);

	event->key = 50;
	event->status = SOP_NOT_FOUND;
}

static void position_given_twice(struct history *h)
{
	txn_at(h, 3, 0)->position = 3;
}

static void no_position(struct history *h)
{
	txn_at(h, 3, 0)->position = HISTORY_NO_POSITION;
}

static void writer_without_own_position(struct history *h)
{
	txn_at(h, 0, 2)->position = 4;
}

static void reader_with_own_position(struct history *h)
{
	txn_at(h, 0, 3)->position = 6;
}

static void claims_to_have_changed_nothing(struct history *h)
{
	txn_at(h, 2, 0)->claims_nothing = true;
}

static void stale_reader(struct history *h)
{
	txn_at(h, 1, 0)->begin_ns = 31;
}

static void writer_before_one_that_was_answered(struct history *h)
{
	txn_at(h, 2, 0)->begin_ns = 41;
}

static void wrong_list_of_stores(struct history *h)
{
	nth(h, 0, EVENT_LIST, 2)->number = 4;
}

static void store_missing_wrongly(struct history *h)
{
	nth(h, 0, EVENT_NO_STORE, 0)->store = DUPLICATES;
}

static void store_not_missing(struct history *h)
{
	nth(h, 0, EVENT_SCAN, 0)->store = 0;
}

static void created_twice(struct history *h)
{
	nth(h, 0, EVENT_CREATE, 2)->status = SOP_OK;
}

static void dropped_what_is_not_there(struct history *h)
{
	nth(h, 0, EVENT_DROP, 0)->status = SOP_OK;
}

static const struct {
	const char *name;
	void (*spoil)(struct history *history);
	enum replay_anomaly anomaly; /* that must be among those reported */
} bad[] = {
#define BAD(name, anomaly)                                                                         \
	{                                                                                          \
#name, name, anomaly                                                               \
	}
	BAD(wrong_value, REPLAY_READ),
	BAD(wrong_version, REPLAY_VERSION),
	BAD(found_what_is_not_there, REPLAY_READ),
	BAD(missed_what_is_there, REPLAY_READ),
	BAD(oldest_duplicate_skipped, REPLAY_READ),
	BAD(scan_skips_one, REPLAY_READ),
	BAD(scan_repeats_one, REPLAY_READ),
	BAD(scan_ends_early, REPLAY_READ),
	BAD(scan_goes_beyond_its_range, REPLAY_READ),
	BAD(scan_sees_an_old_version, REPLAY_VERSION),
	BAD(cursor_skips, REPLAY_READ),
	BAD(cursor_repeats, REPLAY_READ),
	BAD(cursor_ends_early, REPLAY_READ),
	BAD(cursor_does_not_end, REPLAY_READ),
	BAD(wrong_count_of_a_range, REPLAY_COUNT),
	BAD(wrong_count_of_a_store, REPLAY_COUNT),
	BAD(wrong_number_removed, REPLAY_COUNT),
	BAD(own_change_not_seen, REPLAY_READ),
	BAD(own_removal_not_seen, REPLAY_READ),
	BAD(undone_removal_still_seen, REPLAY_READ),
	BAD(removal_was_not_undone, REPLAY_ANSWER),
	BAD(inserted_twice, REPLAY_ANSWER),
	BAD(updated_what_is_not_there, REPLAY_ANSWER),
	BAD(insert_refused_wrongly, REPLAY_ANSWER),
	BAD(removal_refused_wrongly, REPLAY_ANSWER),
	BAD(item_id_used_twice, REPLAY_ANSWER),
	BAD(added_without_the_other, REPLAY_READ),
	BAD(change_lost, REPLAY_READ),
	BAD(change_of_an_aborted_one_seen, REPLAY_READ),
	BAD(aborted_one_read_wrongly, REPLAY_READ),
	BAD(writer_read_what_was_overwritten, REPLAY_READ),
	BAD(writer_missed_what_was_inserted, REPLAY_READ),
	BAD(position_given_twice, REPLAY_POSITION),
	BAD(no_position, REPLAY_POSITION),
	BAD(writer_without_own_position, REPLAY_POSITION),
	BAD(reader_with_own_position, REPLAY_POSITION),
	BAD(claims_to_have_changed_nothing, REPLAY_POSITION),
	BAD(stale_reader, REPLAY_REAL_TIME),
	BAD(writer_before_one_that_was_answered, REPLAY_REAL_TIME),
	BAD(wrong_list_of_stores, REPLAY_CATALOG),
	BAD(store_missing_wrongly, REPLAY_CATALOG),
	BAD(store_not_missing, REPLAY_CATALOG),
	BAD(created_twice, REPLAY_ANSWER),
	BAD(dropped_what_is_not_there, REPLAY_ANSWER),
#undef BAD
};

static void every_spoilt_history_is_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct history history;
		struct replay_report report;

		write_good(&history);
		bad[i].spoil(&history);
		if (replay_check(&history, &report) || report.anomalies[bad[i].anomaly] == 0)
			fail_msg("%s was not found", bad[i].name);
		assert_true(report.text_count != 0);
		history_free(&history);
	}
}

/* A min or max that leaves the number as it is writes it all the same. */
static void an_idle_min_writes(void **state)
{
	static const struct {
		uint64_t version;
		bool good;
	} cases[] = { { 2, false }, { 3, true } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct history history;
		struct replay_report report;
		struct history_log *log = NULL;

		write_the_beginning(&history);
		log = begin(&history, 0, SOP_WRITE, 2);
		(void)change(log, EVENT_MIN, 0, 10, 500);
		commit(log, 3);
		log = begin(&history, 0, SOP_READ, 3);
		found(log, 10, cases[i].version, 100);
		commit(log, 3);
		if (replay_check(&history, &report) != cases[i].good)
			fail_msg("case %zu: %s", i, report.texts[0]);
		history_free(&history);
	}
}

/* Two transactions at position 3: one wrote it, the other inserted and removed the same key and
 * was put behind it. */
static void one_that_did_nothing_in_the_end_shares_a_position(void **state)
{
	(void)state;
	for (unsigned removes = 0; removes < 2; removes++) {
		struct history history;
		struct replay_report report;
		struct history_log *log = NULL;

		write_the_beginning(&history);
		log = begin(&history, 0, SOP_WRITE, 2);
		(void)change(log, EVENT_PUT, 0, 10, 500);
		commit(log, 3);
		log = begin(&history, 1, SOP_WRITE, 2);
		(void)change(log, EVENT_INSERT, 0, 11, 110);
		found(log, 11, 0, 110);
		if (removes != 0)
			(void)change(log, EVENT_REMOVE, 0, 11, 0);
		commit(log, 3);
		assert_int_equal(replay_check(&history, &report), removes);
		history_free(&history);
	}
}

/* The one that shares the position would have changed something before it, and did nothing only
 * behind it. */
static void one_that_came_too_late_shares_a_position(void **state)
{
	(void)state;
	for (unsigned order = 0; order < 2; order++) {
		struct history history;
		struct replay_report report;
		struct history_log *log = NULL;

		write_the_beginning(&history);
		log = begin(&history, order, SOP_WRITE, 2);
		(void)change(log, EVENT_REMOVE, 0, 10, 0);
		commit(log, 3);
		log = begin(&history, 1 - order, SOP_WRITE, 2);
		(void)change(log, EVENT_PUT, 0, 10, 110);
		(void)change(log, EVENT_REMOVE, 0, 10, 0);
		commit(log, 3);
		if (!replay_check(&history, &report))
			fail_msg("%s", report.texts[0]);
		history_free(&history);
	}
}

/* A read in one call may have read at any position from the one before it to the one after it. */
static void a_read_in_one_call_fits_somewhere(void **state)
{
	static const struct {
		uint64_t earliest;
		uint64_t latest;
		uint64_t value; /* 100 up to position 2, then 101 */
		bool good;
	} cases[] = {
		{ 2, 2, 100, true },  { 2, 3, 100, true },  { 2, 3, 101, true },
		{ 3, 3, 101, true },  { 3, 5, 101, true },  { 2, 2, 101, false },
		{ 3, 3, 100, false }, { 2, 3, 102, false }, { 3, 5, 100, false },
		{ 5, 9, 101, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct history history;
		struct replay_report report;
		struct history_log *log = NULL;

		write_good(&history);
		log = begin(&history, 2, SOP_READ, cases[i].earliest);
		log->txns[log->txn_count - 1].floats = true;
		log->txns[log->txn_count - 1].latest = cases[i].latest;
		found(log, 10, 0, cases[i].value);
		log->events[log->event_count - 1].flags = EVENT_UNVERSIONED;
		commit(log, cases[i].earliest);
		if (replay_check(&history, &report) != cases[i].good)
			fail_msg("case %zu: %s", i, report.texts[0]);
		history_free(&history);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_good_history_is_good),
		cmocka_unit_test(every_spoilt_history_is_bad),
		cmocka_unit_test(an_idle_min_writes),
		cmocka_unit_test(one_that_did_nothing_in_the_end_shares_a_position),
		cmocka_unit_test(one_that_came_too_late_shares_a_position),
		cmocka_unit_test(a_read_in_one_call_fits_somewhere),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
