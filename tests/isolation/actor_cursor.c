/* Actors: cursors, scans by cursor or by packed rows, and many keys at once. */
#include "isolation/actor.h"

#include "isolation/actor_calls.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_BYTES 4096

/* ---- cursors --------------------------------------------------------------------------------- */

static void stand_at_end(struct actor_cursor *cursor)
{
	cursor->next = (struct actor_place){ PLACE_BEYOND, UINT64_MAX, UINT64_MAX };
	cursor->prev = (struct actor_place){ PLACE_END, 0, 0 };
}

static void stand_at_start(struct actor_cursor *cursor)
{
	cursor->next = (struct actor_place){ PLACE_END, 0, 0 };
	cursor->prev = (struct actor_place){ PLACE_BEYOND, 0, 0 };
}

static void stand_on(struct actor_cursor *cursor, const struct item_seen *seen)
{
	cursor->key = seen->key;
	cursor->item = seen->item;
	cursor->next = (struct actor_place){ PLACE_BEYOND, seen->key, seen->item };
	cursor->prev = cursor->next;
}

sop_status actor_cursor_open(struct actor *actor, struct actor_cursor *cursor, size_t store,
			     const struct key_range *range, unsigned flags)
{
	struct actor_key_room rooms[2];
	const sop_range bounds = actor_range(actor, range, rooms);
	sop_status status = actor_ready(actor);

	memset(cursor, 0, sizeof *cursor);
	cursor->actor = actor;
	cursor->store = store;
	cursor->range = *range;
	cursor->flags = flags & EVENT_KEYS;
	cursor->reverse = (flags & EVENT_REVERSE) != 0;
	if (status != SOP_OK)
		return status;
	status = sop_cursor_open(actor->txn, actor->world->stores[store], &bounds,
				 (flags & EVENT_KEYS ? SOP_CURSOR_KEYS : 0) |
					 (flags & EVENT_REVERSE ? SOP_CURSOR_REVERSE : 0),
				 &cursor->cursor, &actor->err);
	cursor->next = (struct actor_place){ PLACE_END, 0, 0 };
	cursor->prev = cursor->next;
	return actor_settle(actor, "cursor_open", store, status, 0);
}

void actor_cursor_close(struct actor_cursor *cursor)
{
	sop_cursor_free(cursor->cursor);
	cursor->cursor = NULL;
}

static struct item_seen seen_by_cursor(struct actor *actor, const struct actor_cursor *cursor,
				       const sop_entry *entry)
{
	struct item_seen seen = {
		actor_read_key(actor, entry->key), entry->item, entry->version, { 0, 0, 0 }
	};

	if ((cursor->flags & EVENT_KEYS) == 0)
		seen.value = value_seen(entry->value);
	else if (entry->value.size != 0)
		test_note_failure("a cursor of keys has read a value");
	return seen;
}

/* Records a step from `place` that was answered `status`. */
static void record_step(struct actor_cursor *cursor, const struct key_range *range, bool reverse,
			const struct actor_place *place, sop_status status, const struct item_seen *seen)
{
	struct event *event = actor_event(cursor->actor, EVENT_STEP, cursor->store);

	event->flags = (uint8_t)(cursor->flags | (reverse ? EVENT_REVERSE : 0u));
	event->place = place->place;
	event->key = place->key;
	event->item = place->item;
	event->range = *range;
	event->status = status;
	event->seen = *seen;
}

static sop_status call_move(struct actor_cursor *cursor, enum actor_move move, sop_entry *entry)
{
	sop_error *err = &cursor->actor->err;

	switch (move) {
	case MOVE_FIRST:
		return sop_cursor_first(cursor->cursor, entry, err);
	case MOVE_LAST:
		return sop_cursor_last(cursor->cursor, entry, err);
	case MOVE_NEXT:
		return sop_cursor_next(cursor->cursor, entry, err);
	default:
		return sop_cursor_prev(cursor->cursor, entry, err);
	}
}

sop_status actor_cursor_move(struct actor_cursor *cursor, enum actor_move move, struct item_seen *seen)
{
	static const struct actor_place end = { PLACE_END, 0, 0 };
	struct actor *actor = cursor->actor;
	const bool reverse = move == MOVE_LAST || move == MOVE_PREV;
	const struct actor_place *place = move == MOVE_NEXT   ? &cursor->next
					  : move == MOVE_PREV ? &cursor->prev
							      : &end;
	struct item_seen found = { 0, 0, 0, { 0, 0, 0 } };
	sop_entry entry;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = call_move(cursor, move, &entry);
	status = actor_settle(actor, "cursor move", cursor->store, status, ACTOR_MAY_MISS);
	if (!actor_answered(status))
		return status;
	if (status == SOP_OK)
		found = seen_by_cursor(actor, cursor, &entry);
	record_step(cursor, &cursor->range, reverse, place, status, &found);
	if (status == SOP_OK)
		stand_on(cursor, &found);
	else if (reverse)
		stand_at_start(cursor);
	else
		stand_at_end(cursor);
	if (seen != NULL)
		*seen = found;
	return status;
}

/* The gap in which a cursor stands after a seek that found nothing. */
static void stand_between(struct actor_cursor *cursor, uint64_t key, sop_seek where)
{
	const struct actor_place before = { PLACE_BEYOND, key, 0 }; /* back from there: smaller keys */
	const struct actor_place behind = { PLACE_BEYOND, key, UINT64_MAX };

	cursor->next = behind;
	cursor->prev = before;
	if (where == SOP_SEEK_GT)
		cursor->prev = (struct actor_place){ PLACE_AT, key, UINT64_MAX };
	if (where == SOP_SEEK_LT)
		cursor->next = (struct actor_place){ PLACE_AT, key, 0 };
}

/* What of `range` has exactly this key. */
static struct key_range only(const struct key_range *range, uint64_t key)
{
	struct key_range result = { key, key + 1, true, true, false };

	if ((range->has_from && (key < range->from || (range->after && key == range->from))) ||
	    (range->has_to && key >= range->to))
		result.to = key;
	return result;
}

sop_status actor_cursor_seek(struct actor_cursor *cursor, uint64_t key, sop_seek where,
			     struct item_seen *seen)
{
	static const struct {
		bool reverse;
		uint8_t place;
		uint64_t item;
	} steps[] = {
		[SOP_SEEK_GE] = { false, PLACE_AT, 0 },
		[SOP_SEEK_GT] = { false, PLACE_BEYOND, UINT64_MAX },
		[SOP_SEEK_LE] = { true, PLACE_AT, UINT64_MAX },
		[SOP_SEEK_LT] = { true, PLACE_BEYOND, 0 },
		[SOP_SEEK_EQ] = { false, PLACE_END, 0 },
	};
	struct actor *actor = cursor->actor;
	const struct actor_place place = { steps[where].place, key, steps[where].item };
	const struct key_range range = where == SOP_SEEK_EQ ? only(&cursor->range, key) : cursor->range;
	struct actor_key_room room;
	struct item_seen found = { 0, 0, 0, { 0, 0, 0 } };
	sop_entry entry;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = sop_cursor_seek(cursor->cursor, actor_key(actor, key, &room), where, &entry,
				 &actor->err);
	status = actor_settle(actor, "cursor_seek", cursor->store, status, ACTOR_MAY_MISS);
	if (!actor_answered(status))
		return status;
	if (status == SOP_OK)
		found = seen_by_cursor(actor, cursor, &entry);
	record_step(cursor, &range, steps[where].reverse, &place, status, &found);
	if (status == SOP_OK)
		stand_on(cursor, &found);
	else
		stand_between(cursor, key, where);
	if (seen != NULL)
		*seen = found;
	return status;
}

sop_status actor_cursor_entry(struct actor_cursor *cursor, struct item_seen *seen)
{
	struct actor *actor = cursor->actor;
	struct item_seen found = { 0, 0, 0, { 0, 0, 0 } };
	struct event *event = NULL;
	sop_entry entry;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = sop_cursor_entry(cursor->cursor, &entry, &actor->err);
	status = actor_settle(actor, "cursor_entry", cursor->store, status, ACTOR_MAY_MISS);
	if (!actor_answered(status))
		return status;
	if (status == SOP_OK)
		found = seen_by_cursor(actor, cursor, &entry);
	event = actor_event(actor, EVENT_GET, cursor->store);
	event->flags = (uint8_t)cursor->flags;
	event->key = cursor->key;
	event->item = cursor->item;
	event->status = status;
	event->seen = found;
	if (seen != NULL)
		*seen = found;
	return status;
}

sop_status actor_cursor_update(struct actor_cursor *cursor, sop_bytes value)
{
	struct actor *actor = cursor->actor;
	struct event *event = NULL;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = sop_cursor_update(cursor->cursor, value, &actor->err);
	status = actor_settle(actor, "cursor_update", cursor->store, status, ACTOR_MAY_MISS);
	if (!actor_answered(status))
		return status;
	event = actor_event(actor, EVENT_UPDATE, cursor->store);
	event->status = status;
	event->key = cursor->key;
	event->item = cursor->item;
	event->seen.value = value_seen(value);
	return status;
}

sop_status actor_cursor_remove(struct actor_cursor *cursor)
{
	struct actor *actor = cursor->actor;
	struct event *event = NULL;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = sop_cursor_remove(cursor->cursor, &actor->err);
	status = actor_settle(actor, "cursor_remove", cursor->store, status, ACTOR_MAY_MISS);
	if (!actor_answered(status))
		return status;
	event = actor_event(actor, EVENT_REMOVE, cursor->store);
	event->status = status;
	event->key = cursor->key;
	event->item = cursor->item;
	return status;
}

/* ---- packed rows ----------------------------------------------------------------------------- */

static uint32_t read_u32(const uint8_t *bytes)
{
	uint32_t number = 0;

	for (unsigned i = 0; i < 4; i++)
		number |= (uint32_t)bytes[i] << (8 * i);
	return number;
}

static void write_u32(uint8_t *bytes, uint32_t number)
{
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(number >> (8 * i));
}

static uint64_t read_u64(const uint8_t *bytes)
{
	return test_value_read_u64(test_bytes(bytes, 8));
}

/* One row of a batch. */
struct row {
	sop_bytes key;
	sop_bytes value;
	uint64_t item;
	uint64_t version;
	bool absent;
};

/* Reads the row at `offset` of a batch, moving it to the next row; false if the batch is
 * malformed. */
static bool read_row(const uint8_t *batch, size_t size, uint32_t flags, size_t *offset, struct row *row)
{
	const size_t heads =
		8 + (flags & SOP_ROWS_ITEM ? 8u : 0u) + (flags & SOP_ROWS_VERSION ? 8u : 0u);
	const uint8_t *at = batch + *offset;
	size_t key_size = 0;
	size_t value_size = 0;

	memset(row, 0, sizeof *row);
	if (*offset + heads > size)
		return false;
	key_size = read_u32(at);
	row->absent = read_u32(at + 4) == SOP_ROWS_ABSENT;
	value_size = row->absent ? 0 : read_u32(at + 4);
	at += 8;
	if (flags & SOP_ROWS_ITEM) {
		row->item = read_u64(at);
		at += 8;
	}
	if (flags & SOP_ROWS_VERSION) {
		row->version = read_u64(at);
		at += 8;
	}
	row->key = test_bytes(at, key_size);
	row->value = test_bytes(at + key_size, value_size);
	*offset += heads + key_size + value_size;
	if (*offset > size)
		return false;
	*offset = (*offset + 7) & ~(size_t)7;
	return true;
}

/* ---- scans ----------------------------------------------------------------------------------- */

/* A scan that is going on: its items are in the record already. */
struct scan {
	struct actor *actor;
	struct actor_cursor cursor;
	size_t event; /* index of its event */
	size_t limit;
	bool complete;
};

static void take_item(struct scan *scan, const struct item_seen *seen)
{
	struct actor *actor = scan->actor;
	const size_t count = actor->log->events[scan->event].item_count;

	actor->items = test_grow(actor->items, count, &actor->item_capacity, sizeof *actor->items);
	actor->items[count] = *seen;
	history_item(actor->log, seen);
}

static bool wants_more(const struct scan *scan)
{
	return scan->limit == 0 || scan->actor->log->events[scan->event].item_count < scan->limit;
}

static sop_status scan_by_steps(struct scan *scan, bool reverse)
{
	struct actor *actor = scan->actor;
	sop_status status = SOP_OK;

	while (status == SOP_OK && wants_more(scan)) {
		sop_entry entry;
		struct item_seen seen;

		status = call_move(&scan->cursor, reverse ? MOVE_PREV : MOVE_NEXT, &entry);
		scan->complete = status == SOP_NOT_FOUND;
		if (status == SOP_OK) {
			seen = seen_by_cursor(actor, &scan->cursor, &entry);
			take_item(scan, &seen);
		}
	}
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

/* What the next row of the batch in actor->rows says; false, noting a failure, if it is
 * malformed. */
static bool next_row(struct actor *actor, const struct actor_cursor *cursor, size_t used,
		     size_t *offset, struct item_seen *seen)
{
	struct row row;

	if (!read_row(actor->rows.data, used, SOP_ROWS_ITEM | SOP_ROWS_VERSION, offset, &row)) {
		test_note_failure("a row at %zu of a batch does not fit into its %zu bytes",
				  *offset, used);
		return false;
	}
	*seen = (struct item_seen){ actor_read_key(actor, row.key), row.item, row.version, { 0, 0, 0 } };
	if ((cursor->flags & EVENT_KEYS) == 0)
		seen->value = value_seen(row.value);
	return true;
}

/* The number of rows of the batch in actor->rows. */
static uint32_t count_rows(struct actor *actor, size_t used, size_t rows_max)
{
	const uint8_t *batch = actor->rows.data;
	const uint32_t count = used >= 8 ? read_u32(batch) : 0;

	if (count == 0 || read_u32(batch + 4) != (SOP_ROWS_ITEM | SOP_ROWS_VERSION) ||
	    (rows_max != 0 && count > rows_max))
		test_note_failure("a batch of %u rows in %zu bytes", count, used);
	return count;
}

/* Fetches a batch into actor->rows, which grows if a row does not fit. */
static sop_status fetch_rows(struct actor *actor, struct actor_cursor *cursor, size_t rows_max,
			     size_t *used)
{
	sop_status status = SOP_LIMIT;

	if (sop_buf_reserve(&actor->rows, ROOM_BYTES, &actor->err) != SOP_OK)
		abort();
	while (status == SOP_LIMIT) {
		status = sop_cursor_fetch(cursor->cursor, actor->rows.data,
					  actor->rows.capacity & ~(size_t)7, rows_max,
					  SOP_ROWS_ITEM | SOP_ROWS_VERSION, used, &actor->err);
		if (status == SOP_LIMIT && sop_buf_reserve(&actor->rows, *used + 8, NULL) != SOP_OK)
			abort();
	}
	return status;
}

sop_status actor_cursor_fetch(struct actor_cursor *cursor, size_t rows_max)
{
	struct actor *actor = cursor->actor;
	struct item_seen seen = { 0, 0, 0, { 0, 0, 0 } };
	size_t offset = 8;
	size_t used = 0;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = fetch_rows(actor, cursor, rows_max, &used);
	status = actor_settle(actor, "cursor_fetch", cursor->store, status, ACTOR_MAY_MISS);
	if (!actor_answered(status))
		return status;
	if (status == SOP_NOT_FOUND) {
		record_step(cursor, &cursor->range, cursor->reverse,
			    cursor->reverse ? &cursor->prev : &cursor->next, status, &seen);
		if (cursor->reverse)
			stand_at_start(cursor);
		else
			stand_at_end(cursor);
		return status;
	}
	for (uint32_t left = count_rows(actor, used, rows_max); left > 0; left--) {
		if (!next_row(actor, cursor, used, &offset, &seen))
			break;
		record_step(cursor, &cursor->range, cursor->reverse,
			    cursor->reverse ? &cursor->prev : &cursor->next, SOP_OK, &seen);
		stand_on(cursor, &seen);
	}
	return SOP_OK;
}

static sop_status scan_by_rows(struct scan *scan)
{
	struct actor *actor = scan->actor;
	sop_status status = SOP_OK;

	while (status == SOP_OK && wants_more(scan)) {
		const size_t seen = actor->log->events[scan->event].item_count;
		const size_t rows_max = scan->limit != 0 ? scan->limit - seen : 0;
		struct item_seen item;
		size_t offset = 8;
		size_t used = 0;

		status = fetch_rows(actor, &scan->cursor, rows_max, &used);
		scan->complete = status == SOP_NOT_FOUND;
		for (uint32_t left = status == SOP_OK ? count_rows(actor, used, rows_max) : 0;
		     left > 0; left--) {
			if (next_row(actor, &scan->cursor, used, &offset, &item))
				take_item(scan, &item);
		}
	}
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

sop_status actor_scan(struct actor *actor, size_t store, const struct key_range *range,
		      unsigned flags, size_t limit, const struct item_seen **items, size_t *count)
{
	struct scan scan = { .actor = actor, .limit = limit };
	const bool reverse = (flags & EVENT_REVERSE) != 0;
	struct event *event = NULL;
	sop_status status = SOP_OK;

	*items = NULL;
	*count = 0;
	status = actor_cursor_open(actor, &scan.cursor, store, range, flags);
	if (status != SOP_OK)
		goto out;
	scan.event = actor->log->event_count;
	event = actor_event(actor, EVENT_SCAN, store);
	event->flags = (uint8_t)(flags & (EVENT_REVERSE | EVENT_KEYS));
	event->range = *range;
	status = test_rng_once_in(&actor->rng, 2) ? scan_by_steps(&scan, reverse) : scan_by_rows(&scan);
	event = &actor->log->events[scan.event];
	if (scan.complete)
		event->flags |= EVENT_COMPLETE;
	status = actor_settle(actor, "scan", store, status, 0);
	*items = actor->items;
	*count = event->item_count;
out:
	actor_cursor_close(&scan.cursor);
	return status;
}

/* ---- many keys at once ----------------------------------------------------------------------- */

/* Packs keys into actor->rows; returns the bytes used. */
static size_t pack_keys(struct actor *actor, const uint64_t *keys, size_t count)
{
	size_t offset = 8;
	uint8_t *batch = NULL;

	if (sop_buf_reserve(&actor->rows, 8 + count * (16 + sizeof(struct actor_key_room)), NULL) != SOP_OK)
		abort();
	batch = actor->rows.data;
	memset(batch, 0, actor->rows.capacity);
	write_u32(batch, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		struct actor_key_room room;
		const sop_bytes key = actor_key(actor, keys[i], &room);

		write_u32(batch + offset, (uint32_t)key.size);
		memcpy(batch + offset + 8, key.data, key.size);
		offset = (offset + 8 + key.size + 7) & ~(size_t)7;
	}
	return offset;
}

static void record_get(struct actor *actor, size_t store, uint64_t key, const struct row *row,
		       struct item_seen *seen)
{
	struct event *event = actor_event(actor, EVENT_GET, store);

	event->key = key;
	event->status = row->absent ? SOP_NOT_FOUND : SOP_OK;
	if (!row->absent) {
		event->seen.key = actor_read_key(actor, row->key);
		event->seen.version = row->version;
		event->seen.value = value_seen(row->value);
	}
	*seen = event->seen;
}

sop_status actor_get_many(struct actor *actor, size_t store, const uint64_t *keys, size_t count,
			  struct item_seen *seen)
{
	size_t size = 0;
	size_t offset = 8;
	uint32_t flags = 0;
	const uint8_t *batch = NULL;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	size = pack_keys(actor, keys, count);
	status = sop_get_many(actor->txn, actor->world->stores[store],
			      test_bytes(actor->rows.data, size), SOP_ROWS_VERSION, &actor->value,
			      &actor->err);
	status = actor_settle(actor, "get_many", store, status, 0);
	if (status != SOP_OK)
		return status;
	batch = actor->value.data;
	flags = actor->value.size >= 8 ? read_u32(batch + 4) : 0;
	if (actor->value.size < 8 || read_u32(batch) != count || (flags & SOP_ROWS_VERSION) == 0) {
		test_note_failure("get_many of %zu keys answered %zu bytes", count, actor->value.size);
		return SOP_OK;
	}
	for (size_t i = 0; i < count; i++) {
		struct row row;

		if (!read_row(batch, actor->value.size, flags, &offset, &row)) {
			test_note_failure("row %zu of get_many does not fit into its batch", i);
			break;
		}
		record_get(actor, store, keys[i], &row, &seen[i]);
	}
	return SOP_OK;
}
