/* The replay oracle: plays a history again in the order of its positions, on sorted arrays. */
#include "isolation/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWN_VERSION 0

/* An item of the model. */
struct entry {
	uint64_t key;
	uint64_t item;
	uint64_t version;
	struct value_seen value;
};

/* A store of the model: items sorted by key, then item id. */
struct table {
	struct entry *entries;
	size_t count;
	size_t capacity;
	bool duplicates;
};

/* How to take back one change: of an item, or (`table` NULL) of what a name stands for. */
struct undo {
	struct table *table;
	struct entry old; /* with a table: what was there; its key and item count in any case */
	bool had;
	size_t name;
	struct table *old_table;
};

struct savepoint {
	uint64_t number;
	size_t undo_count;
};

/* One comparison of a transaction with the state at one position. */
enum level {
	LEVEL_COMMIT, /* with the state just before its own position; then its changes stay */
	LEVEL_IDLE, /* with the state after a position that another wrote; there must be no changes */
	LEVEL_SNAPSHOT /* with the state after the position it read at; then its changes go */
};

struct check {
	uint64_t position;
	enum level level;
	const struct history_log *log;
	const struct txn_record *txn;
};

struct oracle {
	const struct history *history;
	struct replay_report *report;
	struct table *stores[HISTORY_STORES_MAX]; /* by name; NULL: there is none */
	struct table **tables; /* all that were ever made */
	size_t table_count;
	size_t table_capacity;
	struct undo *undos; /* of the transaction at hand */
	size_t undo_base; /* those before it are of another transaction, which is being tried */
	size_t undo_count;
	size_t undo_capacity;
	struct savepoint *savepoints;
	size_t savepoint_count;
	size_t savepoint_capacity;
	struct check *waiting; /* transactions that must fit into this state or one that is still to come */
	size_t waiting_count;
	size_t waiting_capacity;
	const struct check *check;
	const struct event *event;
	bool quiet; /* anomalies are counted in `unheard` only */
	uint64_t unheard;
};

const char *replay_anomaly_name(enum replay_anomaly anomaly)
{
	static const char *const names[REPLAY_ANOMALIES] = { "position", "real time", "read",
							     "version",	 "count",     "answer",
							     "catalog" };

	return names[anomaly];
}

/* ---- reporting ------------------------------------------------------------------------------- */

static size_t log_index(const struct history *history, const struct history_log *log)
{
	return (size_t)(log - history->logs);
}

static void describe_txn(const struct oracle *oracle, const struct check *check, char *text, size_t size)
{
	const struct txn_record *txn = check->txn;

	(void)snprintf(text, size, "log %zu txn %zu mode %u (read at %lld, %s, position %lld) %s",
		       log_index(oracle->history, check->log), (size_t)(txn - check->log->txns),
		       txn->mode, (long long)txn->snapshot,
		       txn->end == TXN_COMMITTED ? "committed" : "aborted", (long long)txn->position,
		       check->level == LEVEL_COMMIT ? "before its position"
		       : check->level == LEVEL_IDLE ? "at its position"
						    : "at its snapshot");
}

__attribute__((format(printf, 3, 4))) static void note(struct oracle *oracle, enum replay_anomaly anomaly,
						       const char *format, ...)
{
	struct replay_report *report = oracle->report;
	char what[256];
	char who[256];
	char event[700] = "";
	va_list arguments;

	oracle->unheard++;
	if (oracle->quiet)
		return;
	report->anomalies[anomaly]++;
	if (report->text_count >= REPLAY_TEXTS_MAX)
		return;
	if (report->text_count == 0) {
		report->first_log = oracle->check->log;
		report->first_txn = oracle->check->txn;
	}
	va_start(arguments, format);
	(void)vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	describe_txn(oracle, oracle->check, who, sizeof who);
	if (oracle->event != NULL)
		history_describe(oracle->check->log, oracle->event, event, sizeof event);
	(void)snprintf(report->texts[report->text_count++], REPLAY_TEXT_BYTES, "%s: %s: %s: %s",
		       replay_anomaly_name(anomaly), who, event, what);
}

/* ---- the model ------------------------------------------------------------------------------- */

static struct table *table_new(struct oracle *oracle, size_t name)
{
	struct table *table = test_alloc(sizeof *table);

	memset(table, 0, sizeof *table);
	table->duplicates = oracle->history->duplicates[name];
	oracle->tables = test_grow(oracle->tables, oracle->table_count, &oracle->table_capacity,
				   sizeof(struct table *));
	oracle->tables[oracle->table_count++] = table;
	return table;
}

/* Frees a table that was made last. */
static void table_free_last(struct oracle *oracle)
{
	struct table *table = oracle->tables[--oracle->table_count];

	free(table->entries);
	free(table);
}

/* The index of the first entry at or behind key, item. */
static size_t table_find(const struct table *table, uint64_t key, uint64_t item)
{
	size_t low = 0;
	size_t high = table->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct entry *entry = &table->entries[middle];

		if (entry->key < key || (entry->key == key && entry->item < item))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *table_get(const struct table *table, uint64_t key, uint64_t item)
{
	const size_t index = table_find(table, key, item);
	struct entry *entry = index < table->count ? &table->entries[index] : NULL;

	return entry != NULL && entry->key == key && entry->item == item ? entry : NULL;
}

/* The item that key, item name: with duplicates, item 0 is the oldest. */
static struct entry *table_named(const struct table *table, uint64_t key, uint64_t item)
{
	const size_t index = table_find(table, key, item);
	struct entry *entry = index < table->count ? &table->entries[index] : NULL;

	if (entry == NULL || entry->key != key || (item != 0 && entry->item != item))
		return NULL;
	return entry;
}

static void table_set(struct table *table, const struct entry *entry)
{
	const size_t index = table_find(table, entry->key, entry->item);

	if (index < table->count && table->entries[index].key == entry->key &&
	    table->entries[index].item == entry->item) {
		table->entries[index] = *entry;
		return;
	}
	table->entries =
		test_grow(table->entries, table->count, &table->capacity, sizeof *table->entries);
	memmove(&table->entries[index + 1], &table->entries[index],
		(table->count - index) * sizeof *table->entries);
	table->entries[index] = *entry;
	table->count++;
}

static void table_delete(struct table *table, uint64_t key, uint64_t item)
{
	struct entry *entry = table_get(table, key, item);
	const size_t index = entry != NULL ? (size_t)(entry - table->entries) : 0;

	if (entry == NULL)
		return;
	table->count--;
	memmove(&table->entries[index], &table->entries[index + 1],
		(table->count - index) * sizeof *table->entries);
}

/* The entries of `range` are those from *first up to *end (excluded). */
static void table_range(const struct table *table, const struct key_range *range, size_t *first,
			size_t *end)
{
	*first = 0;
	*end = table->count;
	if (range->has_from && range->after)
		*first = range->from == UINT64_MAX ? table->count
						   : table_find(table, range->from + 1, 0);
	else if (range->has_from)
		*first = table_find(table, range->from, 0);
	if (range->has_to)
		*end = table_find(table, range->to, 0);
	if (*end < *first)
		*end = *first;
}

/* ---- changes that can be taken back ---------------------------------------------------------- */

static struct undo *push_undo(struct oracle *oracle)
{
	struct undo *undo = NULL;

	oracle->undos = test_grow(oracle->undos, oracle->undo_count, &oracle->undo_capacity,
				  sizeof *oracle->undos);
	undo = &oracle->undos[oracle->undo_count++];
	memset(undo, 0, sizeof *undo);
	return undo;
}

static void push_item(struct oracle *oracle, struct table *table, uint64_t key, uint64_t item)
{
	const struct entry *entry = table_get(table, key, item);
	struct undo *undo = push_undo(oracle);

	undo->table = table;
	undo->had = entry != NULL;
	undo->old.key = key;
	undo->old.item = item;
	if (entry != NULL)
		undo->old = *entry;
}

static void set_item(struct oracle *oracle, struct table *table, uint64_t key, uint64_t item,
		     struct value_seen value)
{
	const struct entry entry = { key, item, OWN_VERSION, value };

	push_item(oracle, table, key, item);
	table_set(table, &entry);
}

static void delete_item(struct oracle *oracle, struct table *table, uint64_t key, uint64_t item)
{
	push_item(oracle, table, key, item);
	table_delete(table, key, item);
}

static void set_name(struct oracle *oracle, size_t name, struct table *table)
{
	struct undo *undo = push_undo(oracle);

	undo->name = name;
	undo->old_table = oracle->stores[name];
	oracle->stores[name] = table;
}

static void take_back(struct oracle *oracle, size_t undo_count)
{
	while (oracle->undo_count > undo_count) {
		const struct undo *undo = &oracle->undos[--oracle->undo_count];

		if (undo->table == NULL)
			oracle->stores[undo->name] = undo->old_table;
		else if (undo->had)
			table_set(undo->table, &undo->old);
		else
			table_delete(undo->table, undo->old.key, undo->old.item);
	}
}

/* Makes the changes of the transaction at hand those of `position`; they can still be taken
 * back. */
static void stamp(struct oracle *oracle, uint64_t position)
{
	for (size_t i = oracle->undo_base; i < oracle->undo_count; i++) {
		const struct undo *undo = &oracle->undos[i];
		struct entry *entry = NULL;

		if (undo->table == NULL)
			continue;
		entry = table_get(undo->table, undo->old.key, undo->old.item);
		if (entry != NULL && entry->version == OWN_VERSION)
			entry->version = position;
	}
}

static bool is_attached(const struct oracle *oracle, const struct table *table)
{
	for (size_t i = 0; i < HISTORY_STORES_MAX; i++) {
		if (oracle->stores[i] == table)
			return true;
	}
	return false;
}

/* Whether the first undo of what undo `index` concerns still describes how things are. */
static bool is_as_before(const struct oracle *oracle, size_t index)
{
	const struct undo *undo = &oracle->undos[index];
	const struct entry *entry = NULL;

	for (size_t i = oracle->undo_base; i < index; i++) {
		const struct undo *earlier = &oracle->undos[i];

		if (earlier->table == undo->table &&
		    (undo->table == NULL ? earlier->name == undo->name
					 : earlier->old.key == undo->old.key &&
						   earlier->old.item == undo->old.item))
			return true; /* judged already */
	}
	if (undo->table == NULL)
		return oracle->stores[undo->name] == undo->old_table;
	if (!is_attached(oracle, undo->table))
		return true; /* that it is gone shows in the names */
	entry = table_get(undo->table, undo->old.key, undo->old.item);
	if (entry == NULL || !undo->had)
		return entry == NULL && !undo->had;
	return entry->version == undo->old.version;
}

static bool changed_something(const struct oracle *oracle)
{
	for (size_t i = oracle->undo_base; i < oracle->undo_count; i++) {
		if (!is_as_before(oracle, i))
			return true;
	}
	return false;
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool same_value(const struct value_seen *left, const struct value_seen *right)
{
	return left->size == right->size && left->hash == right->hash && left->head == right->head;
}

/* Whether what the event saw must be what the state at hand holds: reads of a NOCHECK writer are
 * not validated. */
static bool is_validated(const struct oracle *oracle)
{
	return oracle->check->level == LEVEL_SNAPSHOT || oracle->check->txn->mode != SOP_NOCHECK;
}

/* Compares an item that was seen with that of the model. */
static void compare_item(struct oracle *oracle, const struct item_seen *seen, const struct entry *entry)
{
	const bool keys = (oracle->event->flags & EVENT_KEYS) != 0;

	if (entry == NULL) {
		note(oracle, REPLAY_READ, "saw %llu/%llu, there is none",
		     (unsigned long long)seen->key, (unsigned long long)seen->item);
	} else if (seen->key != entry->key ||
		   (seen->item != entry->item && (oracle->event->flags & EVENT_UNVERSIONED) == 0)) {
		note(oracle, REPLAY_READ, "saw %llu/%llu, should be %llu/%llu@%llu",
		     (unsigned long long)seen->key, (unsigned long long)seen->item,
		     (unsigned long long)entry->key, (unsigned long long)entry->item,
		     (unsigned long long)entry->version);
	} else if (!keys && !same_value(&seen->value, &entry->value)) {
		note(oracle, REPLAY_READ, "%llu/%llu is %llx(%llu)@%llu, should be %llx(%llu)@%llu",
		     (unsigned long long)seen->key, (unsigned long long)seen->item,
		     (unsigned long long)seen->value.head, (unsigned long long)seen->value.size,
		     (unsigned long long)seen->version, (unsigned long long)entry->value.head,
		     (unsigned long long)entry->value.size, (unsigned long long)entry->version);
	} else if ((oracle->event->flags & EVENT_UNVERSIONED) == 0 &&
		   seen->version != (keys ? 0 : entry->version)) {
		note(oracle, REPLAY_VERSION, "%llu/%llu has version %llu, should have %llu",
		     (unsigned long long)seen->key, (unsigned long long)seen->item,
		     (unsigned long long)seen->version,
		     (unsigned long long)(keys ? 0 : entry->version));
	}
}

static void compare_found(struct oracle *oracle, const struct entry *entry)
{
	const struct event *event = oracle->event;

	if (event->status == SOP_OK)
		compare_item(oracle, &event->seen, entry);
	else if (entry != NULL)
		note(oracle, REPLAY_READ, "found nothing, should be %llu/%llu@%llu",
		     (unsigned long long)entry->key, (unsigned long long)entry->item,
		     (unsigned long long)entry->version);
}

static void play_scan(struct oracle *oracle, const struct table *table)
{
	const struct event *event = oracle->event;
	const struct item_seen *items = &oracle->check->log->items[event->item_first];
	const bool reverse = (event->flags & EVENT_REVERSE) != 0;
	size_t first = 0;
	size_t end = 0;
	size_t left = 0;
	const uint64_t before = oracle->unheard;

	table_range(table, &event->range, &first, &end);
	left = end - first;
	for (size_t i = 0; i < event->item_count; i++) {
		const struct entry *entry = NULL;

		if (left != 0)
			entry = &table->entries[reverse ? --end : first++];
		left -= left != 0;
		compare_item(oracle, &items[i], entry);
		if (oracle->unheard != before)
			return; /* all that follows would be wrong too */
	}
	if ((event->flags & EVENT_COMPLETE) != 0 && left != 0)
		note(oracle, REPLAY_READ, "ended %zu items too early, the next should be %llu",
		     left, (unsigned long long)table->entries[reverse ? end - 1 : first].key);
}

static void play_step(struct oracle *oracle, const struct table *table)
{
	const struct event *event = oracle->event;
	const bool reverse = (event->flags & EVENT_REVERSE) != 0;
	size_t first = 0;
	size_t end = 0;
	size_t place = 0;

	table_range(table, &event->range, &first, &end);
	if (event->place != PLACE_END) {
		/* the place is a gap; what lies at it is on the far side unless it is included */
		place = table_find(table, event->key, event->item);
		if ((event->place == PLACE_AT) == reverse &&
		    table_get(table, event->key, event->item) != NULL)
			place++;
		if (reverse && place < end)
			end = place;
		if (!reverse && place > first)
			first = place;
	}
	if (first >= end)
		compare_found(oracle, NULL);
	else
		compare_found(oracle, &table->entries[reverse ? end - 1 : first]);
}

static void compare_count(struct oracle *oracle, uint64_t count)
{
	if (is_validated(oracle) && oracle->event->number != count)
		note(oracle, REPLAY_COUNT, "should be %llu", (unsigned long long)count);
}

static void play_count(struct oracle *oracle, const struct table *table)
{
	size_t first = 0;
	size_t end = table->count;

	if ((oracle->event->flags & EVENT_RANGED) != 0)
		table_range(table, &oracle->event->range, &first, &end);
	compare_count(oracle, end - first);
}

static void play_remove_range(struct oracle *oracle, struct table *table)
{
	size_t first = 0;
	size_t end = 0;

	table_range(table, &oracle->event->range, &first, &end);
	compare_count(oracle, end - first);
	for (; end > first; end--)
		delete_item(oracle, table, table->entries[end - 1].key, table->entries[end - 1].item);
}

static void expect_status(struct oracle *oracle, sop_status expected)
{
	if (oracle->event->status != expected)
		note(oracle, REPLAY_ANSWER, "should be %s", sop_status_name(expected));
}

static void play_insert(struct oracle *oracle, struct table *table)
{
	const struct event *event = oracle->event;

	if (table->duplicates) {
		expect_status(oracle, SOP_OK);
		if (event->item == 0 || table_get(table, event->key, event->item) != NULL)
			note(oracle, REPLAY_ANSWER, "the item id is not new");
		set_item(oracle, table, event->key, event->item, event->seen.value);
	} else if (table_get(table, event->key, 0) != NULL) {
		expect_status(oracle, SOP_EXISTS);
	} else {
		expect_status(oracle, SOP_OK);
		set_item(oracle, table, event->key, 0, event->seen.value);
	}
}

static void play_change(struct oracle *oracle, struct table *table)
{
	const struct event *event = oracle->event;
	const struct entry *entry = table_named(table, event->key, event->item);

	expect_status(oracle, entry != NULL ? SOP_OK : SOP_NOT_FOUND);
	if (entry == NULL)
		return;
	if (event->kind == EVENT_REMOVE)
		delete_item(oracle, table, entry->key, entry->item);
	else
		set_item(oracle, table, entry->key, entry->item, event->seen.value);
}

/* min and max write also where they leave the number as it is. */
static void play_arithmetic(struct oracle *oracle, struct table *table)
{
	const struct event *event = oracle->event;
	const struct entry *entry = table_get(table, event->key, 0);
	const int64_t by = (int64_t)event->number;
	const int64_t old = entry != NULL ? (int64_t)entry->value.head : 0;
	uint64_t result = event->number;

	expect_status(oracle, SOP_OK);
	if (event->kind == EVENT_ADD)
		result += (uint64_t)old;
	else if (entry != NULL && (event->kind == EVENT_MIN ? old < by : old > by))
		result = (uint64_t)old;
	set_item(oracle, table, event->key, 0, value_seen_u64(result));
}

static void play_savepoint(struct oracle *oracle)
{
	const struct savepoint savepoint = { oracle->event->number, oracle->undo_count };

	oracle->savepoints = test_grow(oracle->savepoints, oracle->savepoint_count,
				       &oracle->savepoint_capacity, sizeof *oracle->savepoints);
	oracle->savepoints[oracle->savepoint_count++] = savepoint;
}

static void play_rollback_to(struct oracle *oracle)
{
	for (size_t i = oracle->savepoint_count; i-- > 0;) {
		if (oracle->savepoints[i].number == oracle->event->number) {
			take_back(oracle, oracle->savepoints[i].undo_count);
			oracle->savepoint_count = i + 1;
			return;
		}
	}
	note(oracle, REPLAY_ANSWER, "there is no such savepoint");
}

static void play_rename(struct oracle *oracle)
{
	const struct event *event = oracle->event;
	struct table *table = oracle->stores[event->store];

	if (table == NULL) {
		expect_status(oracle, SOP_NOT_FOUND);
	} else if (oracle->stores[event->number] != NULL) {
		expect_status(oracle, SOP_EXISTS);
	} else {
		expect_status(oracle, SOP_OK);
		set_name(oracle, event->store, NULL);
		set_name(oracle, event->number, table);
	}
}

static void play_list(struct oracle *oracle)
{
	uint64_t names = 0;

	for (size_t i = 0; i < HISTORY_STORES_MAX; i++)
		names |= oracle->stores[i] != NULL ? (uint64_t)1 << i : 0;
	if (is_validated(oracle) && names != oracle->event->number)
		note(oracle, REPLAY_CATALOG, "should be %llx", (unsigned long long)names);
}

/* Events that concern stores as a whole, or none; false for all others. */
static bool play_catalog(struct oracle *oracle)
{
	const struct event *event = oracle->event;
	const struct table *table = oracle->stores[event->store];

	switch (event->kind) {
	case EVENT_SAVEPOINT:
		play_savepoint(oracle);
		return true;
	case EVENT_ROLLBACK_TO:
		play_rollback_to(oracle);
		return true;
	case EVENT_CREATE:
		expect_status(oracle, table == NULL ? SOP_OK : SOP_EXISTS);
		if (table == NULL)
			set_name(oracle, event->store, table_new(oracle, event->store));
		return true;
	case EVENT_DROP:
		expect_status(oracle, table != NULL ? SOP_OK : SOP_NOT_FOUND);
		if (table != NULL)
			set_name(oracle, event->store, NULL);
		return true;
	case EVENT_RENAME:
		play_rename(oracle);
		return true;
	case EVENT_LIST:
		play_list(oracle);
		return true;
	case EVENT_NO_STORE:
		if (table != NULL)
			note(oracle, REPLAY_CATALOG, "the store is there");
		return true;
	default:
		return false;
	}
}

static void play_read(struct oracle *oracle, const struct table *table)
{
	const struct event *event = oracle->event;

	if (!is_validated(oracle))
		return;
	if (event->kind == EVENT_GET)
		compare_found(oracle, table_named(table, event->key, event->item));
	else if (event->kind == EVENT_SCAN)
		play_scan(oracle, table);
	else
		play_step(oracle, table);
}

static void play_event(struct oracle *oracle)
{
	const struct event *event = oracle->event;
	struct table *table = oracle->stores[event->store];

	oracle->report->events++;
	if (play_catalog(oracle))
		return;
	if (table == NULL) {
		if (is_validated(oracle))
			note(oracle, REPLAY_CATALOG, "there is no such store");
		return;
	}
	switch (event->kind) {
	case EVENT_GET:
	case EVENT_SCAN:
	case EVENT_STEP:
		play_read(oracle, table);
		break;
	case EVENT_COUNT:
		play_count(oracle, table);
		break;
	case EVENT_PUT:
		expect_status(oracle, SOP_OK);
		set_item(oracle, table, event->key, 0, event->seen.value);
		break;
	case EVENT_INSERT:
		play_insert(oracle, table);
		break;
	case EVENT_UPDATE:
	case EVENT_REMOVE:
		play_change(oracle, table);
		break;
	case EVENT_REMOVE_RANGE:
		play_remove_range(oracle, table);
		break;
	default:
		play_arithmetic(oracle, table);
	}
}

/* ---- transactions ---------------------------------------------------------------------------- */

static bool has_own_position(const struct txn_record *txn)
{
	return txn->end == TXN_COMMITTED && txn->position != txn->snapshot;
}

/* Compares all that the transaction saw with the state at hand; its changes can be taken back. */
static void play_events(struct oracle *oracle, const struct check *check)
{
	const struct txn_record *txn = check->txn;

	oracle->check = check;
	oracle->savepoint_count = 0;
	for (size_t i = 0; i < txn->event_count; i++) {
		oracle->event = &check->log->events[txn->event_first + i];
		play_event(oracle);
	}
	oracle->event = NULL;
}

/* Takes all changes back; what a snapshot made is gone with it. */
static void end_snapshot(struct oracle *oracle, size_t table_count)
{
	take_back(oracle, oracle->undo_base);
	while (oracle->table_count > table_count)
		table_free_last(oracle);
}

/* Puts off the judgement of a transaction to the states from here to its latest position: it
 * must fit into one. */
static void put_off(struct oracle *oracle, const struct check *check)
{
	oracle->waiting = test_grow(oracle->waiting, oracle->waiting_count,
				    &oracle->waiting_capacity, sizeof *oracle->waiting);
	oracle->waiting[oracle->waiting_count] = *check;
	oracle->waiting[oracle->waiting_count++].level = LEVEL_IDLE;
}

/* The transaction changes something in the state that it read, and was told that it changed
 * nothing. */
static void judge_without_position(struct oracle *oracle, const struct check *check)
{
	if (check->txn->latest > check->position)
		put_off(oracle, check);
	else
		note(oracle, REPLAY_POSITION, "it changed something and has no position of its own");
}

static void play_check(struct oracle *oracle, const struct check *check)
{
	const struct txn_record *txn = check->txn;
	const size_t tables = oracle->table_count;

	if (txn->floats) {
		put_off(oracle, check);
		return;
	}
	play_events(oracle, check);
	if (check->level == LEVEL_COMMIT) {
		if (oracle->undo_count == 0)
			note(oracle, REPLAY_POSITION, "it changed nothing");
		if (txn->claims_nothing && changed_something(oracle))
			note(oracle, REPLAY_POSITION, "its outcome denies that it changed something");
		stamp(oracle, txn->position);
		oracle->undo_count = 0; /* they stay */
		return;
	}
	if (check->level == LEVEL_IDLE && changed_something(oracle))
		note(oracle, REPLAY_POSITION, "it changed something, and another has the same position");
	if (check->level == LEVEL_SNAPSHOT && txn->end == TXN_COMMITTED && !has_own_position(txn) &&
	    changed_something(oracle))
		judge_without_position(oracle, check);
	end_snapshot(oracle, tables);
}

/* Whether the transaction saw nothing else than the state at hand, and changes nothing in it. */
static bool fits_idly(struct oracle *oracle, const struct check *check)
{
	const struct check idle = { check->position, LEVEL_IDLE, check->log, check->txn };
	const size_t tables = oracle->table_count;
	const uint64_t before = oracle->unheard;
	const bool quiet = oracle->quiet;
	bool fits = false;

	oracle->quiet = true;
	play_events(oracle, &idle);
	fits = !changed_something(oracle) && oracle->unheard == before;
	oracle->quiet = quiet;
	end_snapshot(oracle, tables);
	return fits;
}

/* The state after `position` is complete: lets go those that fit into it. is_last: no other will
 * follow. */
static void try_waiting(struct oracle *oracle, uint64_t position, bool is_last)
{
	size_t kept = 0;

	for (size_t i = 0; i < oracle->waiting_count; i++) {
		const struct check waiting = oracle->waiting[i];

		if (fits_idly(oracle, &waiting))
			continue;
		oracle->check = &waiting;
		oracle->event = NULL;
		if (position >= waiting.txn->latest || is_last)
			note(oracle, waiting.txn->floats ? REPLAY_READ : REPLAY_POSITION,
			     "it fits nowhere up to position %llu",
			     (unsigned long long)waiting.txn->latest);
		else
			oracle->waiting[kept++] = waiting;
	}
	oracle->waiting_count = kept;
}

/* Whether, of transactions that were told the same position, this one may have written it, and
 * the others nothing. */
static bool may_be_writer(struct oracle *oracle, const struct check *checks, size_t count, size_t writer)
{
	const size_t tables = oracle->table_count;
	const uint64_t before = oracle->unheard;
	bool may = false;

	oracle->quiet = true;
	play_events(oracle, &checks[writer]);
	may = changed_something(oracle) && oracle->unheard == before;
	stamp(oracle, checks[writer].position);
	oracle->undo_base = oracle->undo_count;
	for (size_t i = 0; i < count && may; i++)
		may = i == writer || fits_idly(oracle, &checks[i]);
	oracle->undo_base = 0;
	oracle->quiet = false;
	end_snapshot(oracle, tables);
	return may;
}

/* Plays `count` transactions that were told the same position: one wrote it, the others did
 * nothing in the end, and were put behind it. */
static void play_group(struct oracle *oracle, struct check *checks, size_t count)
{
	size_t writer = 0;

	while (count > 1 && writer < count && !may_be_writer(oracle, checks, count, writer))
		writer++;
	if (writer == count)
		writer = 0; /* whoever it is, this is reported */
	play_check(oracle, &checks[writer]);
	for (size_t i = 0; i < count; i++) {
		checks[i].level = i == writer ? LEVEL_COMMIT : LEVEL_IDLE;
		if (i != writer)
			play_check(oracle, &checks[i]);
	}
}

static int compare_checks(const void *left, const void *right)
{
	const struct check *a = left;
	const struct check *b = right;

	if (a->position != b->position)
		return a->position < b->position ? -1 : 1;
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	return a->txn < b->txn ? -1 : a->txn > b->txn;
}

/* Counts `txn` and lists what is to be compared of it. */
static size_t list_checks(struct oracle *oracle, const struct history_log *log,
			  const struct txn_record *txn, struct check *checks)
{
	struct check check = { txn->snapshot, LEVEL_SNAPSHOT, log, txn };
	size_t count = 0;

	oracle->check = &check;
	oracle->event = NULL;
	if (txn->end == TXN_COMMITTED && txn->position == HISTORY_NO_POSITION)
		note(oracle, REPLAY_POSITION, "it has committed without a position");
	else if (has_own_position(txn) && txn->snapshot != HISTORY_NO_POSITION &&
		 txn->position < txn->snapshot)
		note(oracle, REPLAY_POSITION, "its position lies before what it read");
	if (txn->snapshot != HISTORY_NO_POSITION)
		checks[count++] = check;
	if (txn->end != TXN_COMMITTED) {
		oracle->report->aborted++;
	} else if (has_own_position(txn)) {
		check.position = txn->position;
		check.level = LEVEL_COMMIT;
		checks[count++] = check;
		oracle->report->committed++;
	} else {
		oracle->report->readers++;
	}
	return count;
}

static size_t count_txns(const struct history *history)
{
	size_t count = 0;

	for (size_t i = 0; i < history->log_count; i++)
		count += history->logs[i].txn_count;
	return count;
}

static void replay(struct oracle *oracle)
{
	const struct history *history = oracle->history;
	struct check *checks = test_alloc(2 * count_txns(history) * sizeof *checks);
	size_t count = 0;
	size_t group = 0;

	for (size_t i = 0; i < history->log_count; i++) {
		const struct history_log *log = &history->logs[i];

		for (size_t t = 0; t < log->txn_count; t++)
			count += list_checks(oracle, log, &log->txns[t], &checks[count]);
	}
	qsort(checks, count, sizeof *checks, compare_checks);
	for (size_t i = 0; i < count; i += group) {
		group = 1;
		while (checks[i].level == LEVEL_COMMIT && i + group < count &&
		       checks[i + group].level == LEVEL_COMMIT &&
		       checks[i + group].position == checks[i].position)
			group++;
		if (checks[i].level == LEVEL_COMMIT)
			play_group(oracle, &checks[i], group);
		else
			play_check(oracle, &checks[i]);
		if (i + group == count || checks[i + group].position != checks[i].position)
			try_waiting(oracle, checks[i].position, i + group == count);
	}
	free(checks);
}

/* ---- real time ------------------------------------------------------------------------------- */

static int compare_begins(const void *left, const void *right)
{
	const struct check *a = left;
	const struct check *b = right;

	return a->txn->begin_ns < b->txn->begin_ns ? -1 : a->txn->begin_ns > b->txn->begin_ns;
}

static int compare_ends(const void *left, const void *right)
{
	const struct check *a = left;
	const struct check *b = right;

	return a->txn->end_ns < b->txn->end_ns ? -1 : a->txn->end_ns > b->txn->end_ns;
}

/* `newest` is the highest position answered before the transaction at hand began. */
static void check_real_time(struct oracle *oracle, uint64_t newest)
{
	const struct txn_record *txn = oracle->check->txn;

	if (txn->snapshot != HISTORY_NO_POSITION && txn->snapshot < newest)
		note(oracle, REPLAY_REAL_TIME, "it reads before position %llu, answered before it began",
		     (unsigned long long)newest);
	else if (has_own_position(txn) && txn->position <= newest && newest != 0)
		note(oracle, REPLAY_REAL_TIME, "its position is not above %llu, answered before it began",
		     (unsigned long long)newest);
}

/* How long, at most, nobody was answered. `ends` are in the order of their time. */
static int64_t longest_standstill(const struct check *ends, size_t count)
{
	int64_t longest_ns = 0;

	for (size_t i = 1; i < count; i++) {
		const int64_t pause_ns = ends[i].txn->end_ns - ends[i - 1].txn->end_ns;

		longest_ns = pause_ns > longest_ns ? pause_ns : longest_ns;
	}
	return longest_ns;
}

static void real_time(struct oracle *oracle)
{
	const struct history *history = oracle->history;
	const size_t txns = count_txns(history);
	struct check *begins = test_alloc(txns * sizeof *begins);
	struct check *ends = test_alloc(txns * sizeof *ends);
	size_t begin_count = 0;
	size_t end_count = 0;
	size_t passed = 0;
	uint64_t newest = 0;

	for (size_t i = 0; i < history->log_count; i++) {
		const struct history_log *log = &history->logs[i];

		for (size_t t = 0; t < log->txn_count; t++) {
			const struct txn_record *txn = &log->txns[t];
			const struct check check = { txn->snapshot, LEVEL_SNAPSHOT, log, txn };

			begins[begin_count++] = check;
			if (txn->end == TXN_COMMITTED && txn->position != HISTORY_NO_POSITION)
				ends[end_count++] = check;
		}
	}
	qsort(begins, begin_count, sizeof *begins, compare_begins);
	qsort(ends, end_count, sizeof *ends, compare_ends);
	oracle->report->standstill_ns = longest_standstill(ends, end_count);
	for (size_t i = 0; i < begin_count; i++) {
		for (; passed < end_count && ends[passed].txn->end_ns < begins[i].txn->begin_ns;
		     passed++) {
			if (ends[passed].txn->position > newest)
				newest = ends[passed].txn->position;
		}
		oracle->check = &begins[i];
		check_real_time(oracle, newest);
	}
	free(begins);
	free(ends);
}

bool replay_check(const struct history *history, struct replay_report *report)
{
	struct oracle oracle;
	uint64_t anomalies = 0;

	memset(report, 0, sizeof *report);
	memset(&oracle, 0, sizeof oracle);
	oracle.history = history;
	oracle.report = report;
	replay(&oracle);
	real_time(&oracle);
	while (oracle.table_count != 0)
		table_free_last(&oracle);
	free(oracle.tables);
	free(oracle.undos);
	free(oracle.savepoints);
	free(oracle.waiting);
	for (size_t i = 0; i < REPLAY_ANOMALIES; i++)
		anomalies += report->anomalies[i];
	return anomalies == 0;
}
