/* Histories: growing the logs, and printing them. */
#include "isolation/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRINTED_ITEMS_MAX 64
#define PRINTED_EVENTS_MAX 64

struct value_seen value_seen(sop_bytes value)
{
	const uint8_t *bytes = value.data;
	struct value_seen seen = { 0, 0xCBF29CE484222325u, value.size };

	for (size_t i = 0; i < value.size; i++) {
		if (i < 8)
			seen.head |= (uint64_t)bytes[i] << (8 * i);
		seen.hash = (seen.hash ^ bytes[i]) * 0x100000001B3u; /* FNV-1a */
	}
	return seen;
}

struct value_seen value_seen_u64(uint64_t number)
{
	uint8_t room[8];

	return value_seen(test_value_u64(room, number));
}

void history_init(struct history *history, size_t log_count)
{
	memset(history, 0, sizeof *history);
	history->logs = test_alloc(log_count * sizeof *history->logs);
	memset(history->logs, 0, log_count * sizeof *history->logs);
	history->log_count = log_count;
}

void history_free(struct history *history)
{
	for (size_t i = 0; i < history->log_count; i++) {
		free(history->logs[i].events);
		free(history->logs[i].items);
		free(history->logs[i].txns);
	}
	free(history->logs);
	memset(history, 0, sizeof *history);
}

struct txn_record *history_open_txn(struct history_log *log)
{
	struct txn_record *last = log->txn_count != 0 ? &log->txns[log->txn_count - 1] : NULL;

	return last != NULL && last->end == TXN_OPEN ? last : NULL;
}

struct txn_record *history_begin(struct history_log *log, sop_mode mode, int64_t begin_ns)
{
	struct txn_record *txn = NULL;

	if (history_open_txn(log) != NULL)
		abort();
	log->txns = test_grow(log->txns, log->txn_count, &log->txn_capacity, sizeof *log->txns);
	txn = &log->txns[log->txn_count++];
	memset(txn, 0, sizeof *txn);
	txn->event_first = log->event_count;
	txn->begin_ns = begin_ns;
	txn->snapshot = HISTORY_NO_POSITION;
	txn->position = HISTORY_NO_POSITION;
	txn->mode = (uint8_t)mode;
	txn->end = TXN_OPEN;
	return txn;
}

struct event *history_event(struct history_log *log, enum event_kind kind, size_t store)
{
	struct event *event = NULL;

	log->events = test_grow(log->events, log->event_count, &log->event_capacity, sizeof *log->events);
	event = &log->events[log->event_count++];
	memset(event, 0, sizeof *event);
	event->kind = (uint8_t)kind;
	event->store = (uint8_t)store;
	event->item_first = log->item_count;
	history_open_txn(log)->event_count++;
	return event;
}

void history_item(struct history_log *log, const struct item_seen *item)
{
	log->items = test_grow(log->items, log->item_count, &log->item_capacity, sizeof *log->items);
	log->items[log->item_count++] = *item;
	log->events[log->event_count - 1].item_count++;
}

void history_commit(struct history_log *log, uint64_t position, int64_t end_ns)
{
	struct txn_record *txn = history_open_txn(log);

	txn->position = position;
	txn->status = SOP_OK;
	txn->end = TXN_COMMITTED;
	txn->end_ns = end_ns;
}

void history_abort(struct history_log *log, sop_status status, int64_t end_ns)
{
	struct txn_record *txn = history_open_txn(log);

	txn->status = status;
	txn->end = TXN_ABORTED;
	txn->end_ns = end_ns;
}

/* ---- text ------------------------------------------------------------------------------------ */

static const char *kind_name(unsigned kind)
{
	static const char *const names[] = {
		[EVENT_GET] = "get",
		[EVENT_SCAN] = "scan",
		[EVENT_STEP] = "step",
		[EVENT_COUNT] = "count",
		[EVENT_PUT] = "put",
		[EVENT_INSERT] = "insert",
		[EVENT_UPDATE] = "update",
		[EVENT_REMOVE] = "remove",
		[EVENT_ADD] = "add",
		[EVENT_MIN] = "min",
		[EVENT_MAX] = "max",
		[EVENT_REMOVE_RANGE] = "remove_range",
		[EVENT_SAVEPOINT] = "savepoint",
		[EVENT_ROLLBACK_TO] = "rollback_to",
		[EVENT_CREATE] = "create",
		[EVENT_DROP] = "drop",
		[EVENT_RENAME] = "rename",
		[EVENT_LIST] = "list",
		[EVENT_NO_STORE] = "no such store",
	};

	return names[kind];
}

/* Appends to a text of `size` bytes; what does not fit is left out. */
__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size, const char *format, ...)
{
	const size_t used = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text + used, size - used, format, arguments);
	va_end(arguments);
}

static void append_item(char *text, size_t size, const struct item_seen *item)
{
	append(text, size, " %llu", (unsigned long long)item->key);
	if (item->item != 0)
		append(text, size, "/%llu", (unsigned long long)item->item);
	append(text, size, "@%llu=%llx(%llu)", (unsigned long long)item->version,
	       (unsigned long long)item->value.head, (unsigned long long)item->value.size);
}

static void append_range(char *text, size_t size, const struct key_range *range)
{
	if (range->has_from)
		append(text, size, " %s%llu", range->after ? "(" : "[", (unsigned long long)range->from);
	else
		append(text, size, " [");
	if (range->has_to)
		append(text, size, "..%llu)", (unsigned long long)range->to);
	else
		append(text, size, "..)");
}

static void append_place(char *text, size_t size, const struct event *event)
{
	append(text, size, "%s%s", event->flags & EVENT_REVERSE ? " back" : "",
	       event->flags & EVENT_KEYS ? " keys" : "");
	if (event->kind != EVENT_STEP)
		return;
	if (event->place == PLACE_END)
		append(text, size, " from the end");
	else
		append(text, size, " %s %llu/%llu", event->place == PLACE_AT ? "at" : "beyond",
		       (unsigned long long)event->key, (unsigned long long)event->item);
}

void history_describe(const struct history_log *log, const struct event *event, char *text, size_t size)
{
	text[0] = '\0';
	append(text, size, "%s s%u", kind_name(event->kind), event->store);
	switch (event->kind) {
	case EVENT_SCAN:
	case EVENT_STEP:
		append_range(text, size, &event->range);
		append_place(text, size, event);
		break;
	case EVENT_COUNT:
	case EVENT_REMOVE_RANGE:
		if (event->kind == EVENT_REMOVE_RANGE || (event->flags & EVENT_RANGED) != 0)
			append_range(text, size, &event->range);
		append(text, size, " = %llu", (unsigned long long)event->number);
		break;
	case EVENT_SAVEPOINT:
	case EVENT_ROLLBACK_TO:
	case EVENT_LIST:
	case EVENT_RENAME:
		append(text, size, " %llx", (unsigned long long)event->number);
		break;
	case EVENT_ADD:
	case EVENT_MIN:
	case EVENT_MAX:
		append(text, size, " %llu by %lld", (unsigned long long)event->key,
		       (long long)event->number);
		break;
	case EVENT_CREATE:
	case EVENT_DROP:
	case EVENT_NO_STORE:
		break;
	default:
		append(text, size, " %llu/%llu", (unsigned long long)event->key,
		       (unsigned long long)event->item);
	}
	append(text, size, " -> %s", sop_status_name(event->status));
	if (event->kind == EVENT_SCAN) {
		for (size_t i = 0; i < event->item_count && i < PRINTED_ITEMS_MAX; i++)
			append_item(text, size, &log->items[event->item_first + i]);
		append(text, size, event->flags & EVENT_COMPLETE ? " end" : " ...");
	} else if (event->seen.value.size != 0 || event->seen.version != 0) {
		append_item(text, size, &event->seen);
	}
}

void history_print(const struct history_log *log, const struct txn_record *txn)
{
	char text[1024];

	for (size_t i = 0; i < txn->event_count && i < PRINTED_EVENTS_MAX; i++) {
		history_describe(log, &log->events[txn->event_first + i], text, sizeof text);
		fprintf(stderr, "    %s\n", text);
	}
}
