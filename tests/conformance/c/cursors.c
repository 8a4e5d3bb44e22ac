/* Cursors, and scans over a range. */
#include "operations.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ROOM_BYTES = 1 << 16 };

/* ---- printed rows --------------------------------------------------------------------------------------------- */

static void print_row(FILE *out, struct call *call, const struct cursor_slot *cursor,
		      const struct row *row)
{
	(void)putc(' ', out);
	print_key(out, call->machine, cursor->store, row->key);
	if ((cursor->flags & SOP_CURSOR_KEYS) == 0) {
		(void)fputs("=x", out);
		print_hex(out, row->value.data, row->value.size);
	}
	if (declarations[cursor->store].duplicates)
		(void)fprintf(out, "#%" PRIu64, row->item);
}

/* Prints up to `limit` rows (0: all), fetched in batches; a row that is too large for the room makes it grow. */
static sop_status fetch_rows(struct call *call, const struct cursor_slot *cursor, uint64_t limit,
			     FILE *out, uint64_t *count)
{
	sop_buf *room = &call->machine->rows;
	size_t size = ROOM_BYTES;
	sop_status status = SOP_OK;

	*count = 0;
	while (limit == 0 || *count < limit) {
		size_t offset = 8;
		size_t used;
		sop_bytes rows;

		if (sop_buf_reserve(room, size, NULL) != SOP_OK)
			bug("out of memory");
		status = sop_cursor_fetch(cursor->cursor, room->data, size,
					  limit == 0 ? 0 : limit - *count, SOP_ROWS_ITEM, &used,
					  &call->err);
		if (status == SOP_LIMIT && used > size) {
			size = used;
			continue;
		}
		if (status != SOP_OK)
			break;
		rows = (sop_bytes){ room->data, used };
		for (uint32_t i = rows_count(rows); i > 0; i--, ++*count) {
			const struct row row = rows_next(rows, &offset);

			print_row(out, call, cursor, &row);
		}
	}
	return status;
}

/* The same one by one. */
static sop_status step_rows(struct call *call, const struct cursor_slot *cursor, uint64_t limit,
			    FILE *out, uint64_t *count)
{
	sop_status status = SOP_OK;

	for (*count = 0; limit == 0 || *count < limit; ++*count) {
		sop_entry entry;
		struct row row;

		status = (cursor->flags & SOP_CURSOR_REVERSE) != 0
				 ? sop_cursor_prev(cursor->cursor, &entry, &call->err)
				 : sop_cursor_next(cursor->cursor, &entry, &call->err);
		if (status != SOP_OK)
			break;
		row = (struct row){ entry.key, entry.value, entry.item, false };
		print_row(out, call, cursor, &row);
	}
	return status;
}

/* The same, forwards, as many at a time as there are. */
static sop_status step_many_rows(struct call *call, const struct cursor_slot *cursor,
				 uint64_t limit, FILE *out, uint64_t *count)
{
	sop_entry entries[7];
	sop_status status = SOP_OK;
	size_t given;

	for (*count = 0; limit == 0 || *count < limit; *count += given) {
		const uint64_t left = limit == 0 ? 7 : limit - *count;

		status = sop_cursor_next_many(cursor->cursor, entries, left < 7 ? (size_t)left : 7,
					      &given, &call->err);
		if (status != SOP_OK)
			break;
		for (size_t i = 0; i < given; i++) {
			const struct row row = { entries[i].key, entries[i].value, entries[i].item,
						 false };

			print_row(out, call, cursor, &row);
		}
	}
	return status;
}

/* In one of the spellings. */
static sop_status any_rows(struct call *call, const struct cursor_slot *cursor, uint64_t limit,
			   FILE *out, uint64_t *count)
{
	if (call->spelling % 2 == 0)
		return fetch_rows(call, cursor, limit, out, count);
	if (call->spelling % 4 == 1 && (cursor->flags & SOP_CURSOR_REVERSE) == 0)
		return step_many_rows(call, cursor, limit, out, count);
	return step_rows(call, cursor, limit, out, count);
}

/* Answers with the number of rows and the rows. Having met the end is an answer only where there were none. */
static sop_status answer_rows(struct call *call, const struct cursor_slot *cursor, uint64_t limit,
			      bool any_spelling, bool none_is_answer)
{
	char *text = NULL;
	size_t size = 0;
	uint64_t count;
	FILE *out = need(open_memstream(&text, &size));
	sop_status status = any_spelling ? any_rows(call, cursor, limit, out, &count)
					 : fetch_rows(call, cursor, limit, out, &count);

	(void)fclose(out);
	if (status == SOP_NOT_FOUND && (count > 0 || none_is_answer))
		status = SOP_OK;
	if (status == SOP_OK) {
		(void)fprintf(call->out, " %" PRIu64, count);
		(void)fputs(text, call->out);
	}
	free(text);
	return status;
}

sop_status run_scan(struct call *call)
{
	struct cursor_slot cursor = { NULL, false, (unsigned)call->args[1].number,
				      (uint32_t)call->args[3].number };
	sop_range range = SOP_RANGE_INIT;
	sop_txn *txn;
	sop_status status;

	TRY(use_txn(call, 0, &txn));
	TRY(range_of_token(call, cursor.store, call->args[2].text, &range));
	TRY(sop_cursor_open(txn, store_of(call, 0, 1), &range, cursor.flags, &cursor.cursor, &call->err));
	status = answer_rows(call, &cursor, (uint64_t)call->args[4].number, true, true);
	sop_cursor_free(cursor.cursor);
	return status;
}

/* ---- cursors that stay ---------------------------------------------------------------------------------------- */

sop_status run_cursor_open(struct call *call)
{
	const size_t at = (size_t)call->args[0].number;
	struct txn_slot *txn = &call->machine->txns[at / CURSORS_OF_ONE];
	sop_store *store =
		call->machine->dbs[at / CURSORS_OF_ONE / TXNS_OF_ONE].stores[call->args[1].number];
	sop_range range = SOP_RANGE_INIT;
	struct cursor_slot *slot;

	(void)use_cursor(call, &slot);
	cursor_release(slot);
	if (txn->txn == NULL)
		return txn->shut ? closed(call) : NO_SLOT;
	slot->store = (unsigned)call->args[1].number;
	slot->flags = (uint32_t)call->args[3].number;
	TRY(range_of_token(call, slot->store, call->args[2].text, &range));
	return sop_cursor_open(txn->txn, store, &range, slot->flags, &slot->cursor, &call->err);
}

typedef sop_status (*step_fn)(sop_cursor *cursor, sop_entry *entry, sop_error *err);

static void answer_entry(struct call *call, const struct cursor_slot *slot, const sop_entry *entry)
{
	answer_key(call, slot->store, entry->key);
	answer_bytes(call, entry->value);
	answer_int(call, (int64_t)entry->item);
}

static sop_status step(struct call *call, step_fn fn)
{
	struct cursor_slot *slot;
	sop_entry entry;

	TRY(use_cursor(call, &slot));
	TRY(fn(slot->cursor, &entry, &call->err));
	answer_entry(call, slot, &entry);
	return SOP_OK;
}

sop_status run_cursor_first(struct call *call)
{
	return step(call, sop_cursor_first);
}

sop_status run_cursor_last(struct call *call)
{
	return step(call, sop_cursor_last);
}

sop_status run_cursor_next(struct call *call)
{
	return step(call, sop_cursor_next);
}

sop_status run_cursor_prev(struct call *call)
{
	return step(call, sop_cursor_prev);
}

sop_status run_cursor_entry(struct call *call)
{
	return step(call, sop_cursor_entry);
}

/* The cursor, if it is of the declaration in argument 1. */
static sop_status use_typed_cursor(struct call *call, struct cursor_slot **out)
{
	TRY(use_cursor(call, out));
	return (*out)->store == (uint64_t)call->args[1].number ? SOP_OK : NO_SLOT;
}

sop_status run_cursor_seek(struct call *call)
{
	sop_buf *key = &call->machine->keys[0];
	const sop_seek where = (sop_seek)call->args[3].number;
	struct cursor_slot *slot;
	sop_entry entry;

	TRY(use_typed_cursor(call, &slot));
	TRY(key_of_token(call, slot->store, call->args[2].text, where != SOP_SEEK_EQ, key));
	TRY(sop_cursor_seek(slot->cursor, (sop_bytes){ key->data, key->size }, where, &entry, &call->err));
	answer_entry(call, slot, &entry);
	return SOP_OK;
}

sop_status run_cursor_update(struct call *call)
{
	const sop_buf *value = &call->args[2].bytes;
	struct cursor_slot *slot;

	TRY(use_typed_cursor(call, &slot));
	return sop_cursor_update(slot->cursor, (sop_bytes){ value->data, value->size }, &call->err);
}

sop_status run_cursor_remove(struct call *call)
{
	struct cursor_slot *slot;

	TRY(use_cursor(call, &slot));
	return sop_cursor_remove(slot->cursor, &call->err);
}

sop_status run_cursor_fetch(struct call *call)
{
	struct cursor_slot *slot;

	TRY(use_cursor(call, &slot));
	return answer_rows(call, slot, (uint64_t)call->args[1].number, false, false);
}

sop_status run_cursor_close(struct call *call)
{
	struct cursor_slot *slot;

	if (use_cursor(call, &slot) == NO_SLOT)
		return NO_SLOT;
	sop_cursor_free(slot->cursor);
	slot->cursor = NULL;
	slot->shut = true;
	return SOP_OK;
}

sop_status run_cursor_forget(struct call *call)
{
	struct cursor_slot *slot;

	if (use_cursor(call, &slot) == NO_SLOT)
		return NO_SLOT;
	cursor_release(slot);
	return SOP_OK;
}
