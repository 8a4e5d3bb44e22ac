#include "shim.h"

#include <string.h>

enum {
	KEY_ROOM_BYTES = 512, /* of the stack, for a packed key */
	ROW_HEAD_BYTES = 8, /* of a batch, and of a row without item and version */
	ROW_EXTRA_BYTES = 16 /* item and version */
};

static sop_txn *txn_of(sopgo_handle handle)
{
	return (sop_txn *)handle;
}

static sop_store *store_of(sopgo_handle handle)
{
	return (sop_store *)handle;
}

static const sop_schema *schema_of(sopgo_handle handle)
{
	return (const sop_schema *)handle;
}

static sop_cursor *cursor_of(sopgo_handle handle)
{
	return (sop_cursor *)handle;
}

static sop_status fail(sop_error *err, sop_status status, const char *message)
{
	err->status = status;
	err->traits = sop_status_traits(status);
	err->os_errno = 0;
	err->offset = -1;
	err->store[0] = '\0';
	err->file[0] = '\0';
	strncpy(err->message, message, sizeof err->message - 1);
	err->message[sizeof err->message - 1] = '\0';
	return status;
}

void sopgo_copy(char *into, const sopgo_out *out)
{
	memcpy(into, (const void *)(uintptr_t)out->owned, out->size);
}

void sopgo_release(sopgo_out *out)
{
	sop_buf buf = SOP_BUF_INIT;

	buf.owned = (void *)(uintptr_t)out->owned;
	sop_buf_free(&buf);
	out->owned = 0;
}

/* ---- keys ------------------------------------------------------------------------------------- */

static void value_of(const sopgo_field *field, const char *heap, sop_value *value)
{
	value->type = field->type;
	value->reserved = 0;
	switch (field->type) {
	case SOP_TYPE_BYTES:
	case SOP_TYPE_STR:
		value->as.bytes = (sop_bytes){ heap + field->a, field->b };
		break;
	case SOP_TYPE_UUID:
		memcpy(value->as.uuid, &field->a, sizeof value->as.uuid);
		break;
	case SOP_TYPE_FLOAT:
		memcpy(&value->as.real, &field->a, sizeof value->as.real);
		break;
	case SOP_TYPE_BOOL:
		value->as.boolean = field->a != 0;
		break;
	default:
		value->as.natural = field->a;
	}
}

/* The key that `count` fields make; its bytes are in `room`, or in the heap if there is no schema. */
static sop_status pack(const sop_schema *schema, const sopgo_field *fields, uint32_t count,
		       const char *heap, int prefix, sop_buf *room, sop_bytes *key, sop_error *err)
{
	sop_value values[SOPGO_FIELDS_MAX];
	sop_status status;

	if (schema == NULL) {
		if (count != 1 || fields->type != SOP_TYPE_BYTES)
			return fail(err, SOP_SCHEMA, "the store has no schema: its keys are bytes");
		*key = (sop_bytes){ heap + fields->a, fields->b };
		return SOP_OK;
	}
	if (count > SOPGO_FIELDS_MAX)
		return fail(err, SOP_SCHEMA, "the key has too many fields");
	for (uint32_t i = 0; i < count; i++)
		value_of(&fields[i], heap, &values[i]);
	status = prefix ? sop_key_pack_prefix(schema, values, count, room, err)
			: sop_key_pack(schema, values, count, room, err);
	*key = (sop_bytes){ room->data, room->size };
	return status;
}

/* The fields of a key, which has at most `max`; those that it lacks become null. Strings go to heap + *used. */
static sop_status unpack(const sop_schema *schema, sop_bytes key, sopgo_field *fields, size_t max,
			 char *heap, size_t *used, size_t *count, sop_error *err)
{
	char memory[KEY_ROOM_BYTES];
	sop_buf room = SOP_BUF_OVER(memory);
	sop_value values[SOPGO_FIELDS_MAX];
	sop_status status;

	status = sop_key_unpack(schema, key, values, max, count, &room, err);
	for (size_t i = 0; status == SOP_OK && i < max; i++) {
		const sop_value *value = &values[i];

		fields[i] = (sopgo_field){ SOP_TYPE_NULL, 0, 0, 0 };
		if (i >= *count)
			continue;
		fields[i].type = value->type;
		if (value->type == SOP_TYPE_BYTES || value->type == SOP_TYPE_STR) {
			if (value->as.bytes.size > 0)
				memcpy(heap + *used, value->as.bytes.data, value->as.bytes.size);
			fields[i].a = *used;
			fields[i].b = value->as.bytes.size;
			*used += value->as.bytes.size;
		} else if (value->type == SOP_TYPE_BOOL) {
			fields[i].a = value->as.boolean != 0;
		} else {
			memcpy(&fields[i].a, &value->as, sizeof value->as.uuid);
		}
	}
	sop_buf_free(&room);
	return status;
}

static size_t field_count(const sop_schema *schema)
{
	return sop_schema_sort_count(schema) + sop_schema_ride_count(schema);
}

sop_status sopgo_pack(sopgo_handle schema, const sopgo_field *fields, uint32_t count, const char *heap,
		      int prefix, char *room, size_t capacity, sopgo_out *out, sop_error *err)
{
	sop_buf buf = SOP_BUF_INIT;
	sop_bytes key;
	sop_status status = pack(schema_of(schema), fields, count, heap, prefix, &buf, &key, err);

	if (status == SOP_OK) {
		out->size = key.size;
		if (key.size <= capacity)
			memcpy(room, key.data, key.size);
		else
			status = fail(err, SOP_LIMIT, "the room is too small for the key");
	}
	sop_buf_free(&buf);
	return status;
}

sop_status sopgo_unpack(sopgo_handle schema, const char *key, size_t size, sopgo_field *fields,
			char *heap, sopgo_out *out, sop_error *err)
{
	size_t used = 0, count = 0;
	sop_status status = unpack(schema_of(schema), (sop_bytes){ key, size }, fields,
				   field_count(schema_of(schema)), heap, &used, &count, err);

	out->count = count;
	return status;
}

/* ---- rows ------------------------------------------------------------------------------------- */

static uint32_t load32(const char *at)
{
	uint32_t number;

	memcpy(&number, at, sizeof number);
	return number;
}

static void store32(char *at, size_t number)
{
	const uint32_t small = (uint32_t)number;

	memcpy(at, &small, sizeof small);
}

static size_t row_bytes(size_t extra, size_t key_size, size_t value_size)
{
	return (ROW_HEAD_BYTES + extra + key_size + value_size + 7) & ~(size_t)7;
}

/* Unpacks the keys of all rows. */
static sop_status unpack_rows(const sop_schema *schema, const char *rows, sopgo_field *fields,
			      char *heap, sop_error *err)
{
	const uint32_t count = load32(rows), flags = load32(rows + 4);
	const size_t extra = ((flags & SOP_ROWS_ITEM) != 0 ? 8u : 0u) +
			     ((flags & SOP_ROWS_VERSION) != 0 ? 8u : 0u);
	size_t max, at = ROW_HEAD_BYTES, used = 0;

	if (schema == NULL)
		return SOP_OK;
	max = field_count(schema);
	for (uint32_t i = 0; i < count; i++) {
		const size_t key_size = load32(rows + at), value_size = load32(rows + at + 4);
		const sop_bytes key = { rows + at + ROW_HEAD_BYTES + extra, key_size };
		size_t found;
		sop_status status = unpack(schema, key, fields + i * max, max, heap, &used, &found, err);

		if (status != SOP_OK)
			return status;
		at += row_bytes(extra, key_size, value_size == SOP_ROWS_ABSENT ? 0 : value_size);
	}
	return SOP_OK;
}

/* One item as a batch of one row, with item and version, and the fields of its key. */
static sop_status bring_row(const sop_schema *schema, const sop_entry *entry, char *rows, size_t rows_size,
			    sopgo_field *fields, char *heap, sopgo_out *out, sop_error *err)
{
	char *row = rows + ROW_HEAD_BYTES;

	out->size = ROW_HEAD_BYTES + row_bytes(ROW_EXTRA_BYTES, entry->key.size, entry->value.size);
	if (out->size > rows_size)
		return fail(err, SOP_LIMIT, "the room is too small for the item");
	store32(rows, 1);
	store32(rows + 4, SOP_ROWS_ITEM | SOP_ROWS_VERSION);
	store32(row, entry->key.size);
	store32(row + 4, entry->value.size);
	memcpy(row + 8, &entry->item, 8);
	memcpy(row + 16, &entry->version, 8);
	row += ROW_HEAD_BYTES + ROW_EXTRA_BYTES;
	if (entry->key.size > 0)
		memcpy(row, entry->key.data, entry->key.size);
	if (entry->value.size > 0)
		memcpy(row + entry->key.size, entry->value.data, entry->value.size);
	return unpack_rows(schema, rows, fields, heap, err);
}

/* ---- items ------------------------------------------------------------------------------------ */

sop_status sopgo_get(sopgo_handle db, sopgo_handle txn, sopgo_handle store, sopgo_handle schema,
		     const sopgo_field *fields, uint32_t count, const char *heap, char *room,
		     size_t capacity, sopgo_out *out, sop_error *err)
{
	char memory[KEY_ROOM_BYTES];
	sop_buf key_room = SOP_BUF_OVER(memory);
	sop_buf value = { room, 0, capacity, NULL };
	sop_bytes key;
	sop_status status = pack(schema_of(schema), fields, count, heap, 0, &key_room, &key, err);

	if (status == SOP_OK)
		status = txn != 0 ? sop_get(txn_of(txn), store_of(store), key, &value, err)
				  : sop_read((sop_db *)db, store_of(store), key, &value, err);
	out->size = value.size;
	out->owned = (uintptr_t)value.owned;
	sop_buf_free(&key_room);
	return status;
}

sop_status sopgo_fetch(sopgo_handle txn, sopgo_handle store, sopgo_handle schema,
		       const sopgo_field *fields, uint32_t count, const char *heap, uint64_t item,
		       uint32_t flags, int keys_only, char *rows, size_t rows_size,
		       sopgo_field *row_fields, char *row_heap, sopgo_out *out, sop_error *err)
{
	char memory[KEY_ROOM_BYTES], whole_memory[KEY_ROOM_BYTES];
	sop_buf key_room = SOP_BUF_OVER(memory), whole = SOP_BUF_OVER(whole_memory);
	sop_buf value = SOP_BUF_INIT;
	sop_item about;
	sop_bytes key;
	sop_status status = pack(schema_of(schema), fields, count, heap, 0, &key_room, &key, err);

	if (status == SOP_OK)
		status = sop_fetch(txn_of(txn), store_of(store), key, item, flags, &whole,
				   keys_only ? NULL : &value, &about, err);
	if (status == SOP_OK) {
		const sop_entry entry = {
			{ whole.data, whole.size }, { value.data, value.size }, about.version, about.item
		};

		status = bring_row(schema_of(schema), &entry, rows, rows_size, row_fields, row_heap,
				   out, err);
	}
	sop_buf_free(&value);
	sop_buf_free(&whole);
	sop_buf_free(&key_room);
	return status;
}

static sop_status change(sop_txn *txn, sop_store *store, int how, sop_bytes key, uint64_t item,
			 int64_t number, sop_bytes value, sopgo_out *out, sop_error *err)
{
	switch (how) {
	case SOPGO_PUT:
		return sop_put(txn, store, key, value, err);
	case SOPGO_INSERT:
		return sop_insert(txn, store, key, value, &out->item, err);
	case SOPGO_UPDATE:
		return sop_update(txn, store, key, item, value, err);
	case SOPGO_REMOVE:
		return sop_remove(txn, store, key, item, err);
	case SOPGO_SET_RIDE:
		return sop_set_ride(txn, store, key, item, err);
	case SOPGO_ADD:
		return sop_add(txn, store, key, number, err);
	case SOPGO_MIN:
		return sop_min(txn, store, key, number, err);
	case SOPGO_MAX:
		return sop_max(txn, store, key, number, err);
	default:
		return fail(err, SOP_MISUSE, "no such change");
	}
}

/* Whether a call failed because its store is missing, and the store is there now. */
static int created(sop_status status, sop_txn *txn, sop_store *store, sop_error *err)
{
	return status == SOP_NOT_FOUND && err->store[0] != '\0' &&
	       sop_store_create(txn, store, err) == SOP_OK;
}

sop_status sopgo_change(sopgo_handle txn, sopgo_handle store, sopgo_handle schema, int how,
			const sopgo_field *fields, uint32_t count, const char *heap, uint64_t item,
			int64_t number, const char *value, size_t value_size, sopgo_out *out,
			sop_error *err)
{
	const int adds = how != SOPGO_UPDATE && how != SOPGO_REMOVE && how != SOPGO_SET_RIDE;
	const sop_bytes bytes = { value, value_size };
	char memory[KEY_ROOM_BYTES];
	sop_buf room = SOP_BUF_OVER(memory);
	sop_bytes key;
	sop_status status = pack(schema_of(schema), fields, count, heap, 0, &room, &key, err);

	out->item = 0;
	if (status == SOP_OK) {
		status = change(txn_of(txn), store_of(store), how, key, item, number, bytes, out, err);
		if (adds && created(status, txn_of(txn), store_of(store), err))
			status = change(txn_of(txn), store_of(store), how, key, item, number, bytes,
					out, err);
		else if (adds && status == SOP_NOT_FOUND)
			status = err->status; /* it could not be created: that is the reason */
	}
	sop_buf_free(&room);
	return status;
}

/* Packs `rows` keys of `count` fields into `batch`; with_values: each is followed by the field that is its value. */
static sop_status pack_rows(const sop_schema *schema, const sopgo_field *fields, uint32_t count,
			    uint32_t rows, int with_values, const char *heap, size_t heap_size,
			    sop_buf *batch, sop_error *err)
{
	char memory[KEY_ROOM_BYTES];
	sop_buf room = SOP_BUF_OVER(memory);
	size_t at = ROW_HEAD_BYTES;
	sop_status status = sop_buf_reserve(batch, at + heap_size + (size_t)rows * 32, err);

	for (uint32_t i = 0; status == SOP_OK && i < rows; i++) {
		const sopgo_field *value = with_values ? fields + count : NULL;
		const size_t value_size = value != NULL ? value->b : 0;
		sop_bytes key;
		size_t bytes;
		char *row;

		status = pack(schema, fields, count, heap, 0, &room, &key, err);
		if (status != SOP_OK)
			break;
		bytes = row_bytes(0, key.size, value_size);
		batch->size = at; /* what reserving keeps */
		if (at + bytes > batch->capacity)
			status = sop_buf_reserve(batch, (at + bytes) * 2, err);
		if (status != SOP_OK)
			break;
		row = (char *)batch->data + at;
		store32(row, key.size);
		store32(row + 4, value_size);
		if (key.size > 0)
			memcpy(row + 8, key.data, key.size);
		if (value_size > 0)
			memcpy(row + 8 + key.size, heap + value->a, value_size);
		at += bytes;
		fields += count + (with_values ? 1 : 0);
	}
	if (status == SOP_OK) {
		store32(batch->data, rows);
		store32((char *)batch->data + 4, 0);
		batch->size = at;
	}
	sop_buf_free(&room);
	return status;
}

sop_status sopgo_get_many(sopgo_handle txn, sopgo_handle store, sopgo_handle schema,
			  const sopgo_field *fields, uint32_t count, uint32_t keys,
			  const char *heap, size_t heap_size, sopgo_out *out, sop_error *err)
{
	sop_buf batch = SOP_BUF_INIT, rows = SOP_BUF_INIT;
	sop_status status =
		pack_rows(schema_of(schema), fields, count, keys, 0, heap, heap_size, &batch, err);

	if (status == SOP_OK)
		status = sop_get_many(txn_of(txn), store_of(store),
				      (sop_bytes){ batch.data, batch.size }, SOP_ROWS_VERSION,
				      &rows, err);
	sop_buf_free(&batch);
	out->owned = (uintptr_t)rows.owned;
	out->size = rows.size;
	return status;
}

sop_status sopgo_put_many(sopgo_handle txn, sopgo_handle store, sopgo_handle schema, int how,
			  const sopgo_field *fields, uint32_t count, uint32_t rows,
			  const char *heap, size_t heap_size, sopgo_out *out, sop_error *err)
{
	const sop_put_how what = (sop_put_how)how;
	const int adds = what == SOP_PUT || what == SOP_INSERT;
	sop_buf batch = SOP_BUF_INIT;
	size_t done = 0;
	sop_status status =
		pack_rows(schema_of(schema), fields, count, rows, 1, heap, heap_size, &batch, err);

	if (status == SOP_OK) {
		const sop_bytes bytes = { batch.data, batch.size };

		status = sop_put_many(txn_of(txn), store_of(store), bytes, what, &done, err);
		if (adds && created(status, txn_of(txn), store_of(store), err))
			status = sop_put_many(txn_of(txn), store_of(store), bytes, what, &done, err);
		else if (adds && status == SOP_NOT_FOUND)
			status = err->status;
	}
	sop_buf_free(&batch);
	out->count = done;
	return status;
}

/* ---- ranges and cursors ------------------------------------------------------------------------- */

/* Packed bounds of a range. */
struct bounds {
	sop_buf from, to, prefix;
	sop_range range;
};

static void free_bounds(struct bounds *bounds)
{
	sop_buf_free(&bounds->from);
	sop_buf_free(&bounds->to);
	sop_buf_free(&bounds->prefix);
}

static sop_status pack_bounds(const sop_schema *schema, const sopgo_range *given,
			      const sopgo_field *fields, const char *heap, struct bounds *bounds,
			      sop_error *err)
{
	const struct bounds empty = { SOP_BUF_INIT, SOP_BUF_INIT, SOP_BUF_INIT, SOP_RANGE_INIT };
	sop_status status = SOP_OK;

	*bounds = empty;
	bounds->range.flags = given->flags;
	bounds->range.after_item = given->after_item;
	if ((given->flags & SOP_RANGE_FROM) != 0)
		status = pack(schema, fields, given->from_count, heap, 1, &bounds->from,
			      &bounds->range.from, err);
	fields += given->from_count;
	if (status == SOP_OK && (given->flags & SOP_RANGE_TO) != 0)
		status = pack(schema, fields, given->to_count, heap, 1, &bounds->to,
			      &bounds->range.to, err);
	fields += given->to_count;
	if (status == SOP_OK && (given->flags & SOP_RANGE_PREFIX) != 0)
		status = pack(schema, fields, given->prefix_count, heap, 1, &bounds->prefix,
			      &bounds->range.prefix, err);
	return status;
}

sop_status sopgo_range_count(sopgo_handle txn, sopgo_handle store, sopgo_handle schema,
			     const sopgo_range *range, const sopgo_field *fields, const char *heap,
			     int remove, sopgo_out *out, sop_error *err)
{
	struct bounds bounds;
	const sop_range *what = range->flags != 0 ? &bounds.range : NULL;
	sop_status status = pack_bounds(schema_of(schema), range, fields, heap, &bounds, err);

	out->count = 0;
	if (status == SOP_OK)
		status = remove ? sop_remove_range(txn_of(txn), store_of(store), what, &out->count, err)
				: sop_count(txn_of(txn), store_of(store), what, &out->count, err);
	free_bounds(&bounds);
	return status;
}

sop_status sopgo_cursor_open(sopgo_handle txn, sopgo_handle store, sopgo_handle schema,
			     const sopgo_range *range, const sopgo_field *fields, const char *heap,
			     uint32_t flags, sop_cursor **cursor, sop_error *err)
{
	struct bounds bounds;
	sop_status status = pack_bounds(schema_of(schema), range, fields, heap, &bounds, err);

	if (status == SOP_OK)
		status = sop_cursor_open(txn_of(txn), store_of(store), &bounds.range, flags, cursor, err);
	free_bounds(&bounds);
	return status;
}

sop_status sopgo_cursor_move(sopgo_handle cursor, sopgo_handle schema, int how, char *rows,
			     size_t rows_size, sopgo_field *row_fields, char *row_heap,
			     sopgo_out *out, sop_error *err)
{
	sop_status (*const moves[])(sop_cursor *, sop_entry *, sop_error *) = {
		sop_cursor_first, sop_cursor_last, sop_cursor_next, sop_cursor_prev, sop_cursor_entry
	};
	sop_entry entry;
	sop_status status = moves[how](cursor_of(cursor), &entry, err);

	if (status == SOP_OK)
		status = bring_row(schema_of(schema), &entry, rows, rows_size, row_fields, row_heap,
				   out, err);
	return status;
}

sop_status sopgo_cursor_seek(sopgo_handle cursor, sopgo_handle schema, int where,
			     const sopgo_field *fields, uint32_t count, const char *heap,
			     char *rows, size_t rows_size, sopgo_field *row_fields, char *row_heap,
			     sopgo_out *out, sop_error *err)
{
	char memory[KEY_ROOM_BYTES];
	sop_buf room = SOP_BUF_OVER(memory);
	sop_entry entry;
	sop_bytes key;
	sop_status status = pack(schema_of(schema), fields, count, heap, 1, &room, &key, err);

	if (status == SOP_OK)
		status = sop_cursor_seek(cursor_of(cursor), key, (sop_seek)where, &entry, err);
	if (status == SOP_OK)
		status = bring_row(schema_of(schema), &entry, rows, rows_size, row_fields, row_heap,
				   out, err);
	sop_buf_free(&room);
	return status;
}

sop_status sopgo_cursor_update(sopgo_handle cursor, const char *value, size_t size, sop_error *err)
{
	return sop_cursor_update(cursor_of(cursor), (sop_bytes){ value, size }, err);
}

sop_status sopgo_cursor_fetch(sopgo_handle cursor, sopgo_handle schema, char *rows, size_t rows_size,
			      uint32_t rows_max, uint32_t flags, sopgo_field *row_fields,
			      char *row_heap, sopgo_out *out, sop_error *err)
{
	size_t used = 0;
	sop_status status =
		sop_cursor_fetch(cursor_of(cursor), rows, rows_size, rows_max, flags, &used, err);

	out->size = used;
	if (status == SOP_OK)
		status = unpack_rows(schema_of(schema), rows, row_fields, row_heap, err);
	return status;
}

/* Cuts the ride-along fields off a packed key. */
static sop_status sort_part(const sop_schema *schema, sop_bytes *key, sop_buf *room, sop_error *err)
{
	sop_buf strings = SOP_BUF_INIT;
	sop_value values[SOPGO_FIELDS_MAX];
	size_t count;
	sop_status status;

	if (schema == NULL)
		return SOP_OK;
	status = sop_key_unpack(schema, *key, values, SOPGO_FIELDS_MAX, &count, &strings, err);
	if (status == SOP_OK)
		status = sop_key_pack_prefix(schema, values, sop_schema_sort_count(schema), room, err);
	*key = (sop_bytes){ room->data, room->size };
	sop_buf_free(&strings);
	return status;
}

/* Whether `entry` has the key whose sort part is `key`. */
static int has_key(const sop_schema *schema, const sop_entry *entry, sop_bytes key)
{
	return (schema == NULL ? entry->key.size == key.size : entry->key.size >= key.size) &&
	       (key.size == 0 || memcmp(entry->key.data, key.data, key.size) == 0);
}

/* Among duplicates: from behind all of them, or before, as far as the item or its place. */
static sop_status return_to_item(sop_cursor *cursor, const sop_schema *schema, sop_bytes key,
				 uint64_t item, int backward, sop_error *err)
{
	sop_entry entry;
	sop_status status;

	status = sop_cursor_seek(cursor, key, backward ? SOP_SEEK_GT : SOP_SEEK_LT, NULL, err);
	while (status == SOP_OK || status == SOP_NOT_FOUND) {
		status = backward ? sop_cursor_prev(cursor, &entry, err)
				  : sop_cursor_next(cursor, &entry, err);
		if (status != SOP_OK)
			return status;
		if (has_key(schema, &entry, key) && entry.item == item)
			return SOP_OK;
		if (!has_key(schema, &entry, key) ||
		    (backward ? entry.item < item : entry.item > item)) /* it is gone */
			return backward ? sop_cursor_next(cursor, NULL, err)
					: sop_cursor_prev(cursor, NULL, err);
	}
	return status;
}

sop_status sopgo_cursor_return(sopgo_handle cursor, sopgo_handle schema, const char *key,
			       size_t size, uint64_t item, int backward, sop_error *err)
{
	sop_buf room = SOP_BUF_INIT;
	sop_bytes bytes = { key, size };
	sop_status status = sort_part(schema_of(schema), &bytes, &room, err);

	if (status == SOP_OK)
		status = item == 0 ? sop_cursor_seek(cursor_of(cursor), bytes, SOP_SEEK_EQ, NULL, err)
				   : return_to_item(cursor_of(cursor), schema_of(schema), bytes,
						    item, backward, err);
	sop_buf_free(&room);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

sop_status sopgo_commit(sopgo_handle txn, sopgo_out *out, sop_error *err)
{
	sop_status status = sop_commit(txn_of(txn), err);

	if (status == SOP_OK)
		status = sop_txn_position(txn_of(txn), &out->position, err);
	return status;
}

/* ---- calls that call back ------------------------------------------------------------------------ */

extern int sopgoProgress(uintptr_t handle, uint64_t done_bytes, uint64_t total_bytes);
extern int sopgoProblem(uintptr_t handle, sop_problem *problem);

static int on_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	return sopgoProgress((uintptr_t)arg, done_bytes, total_bytes);
}

static int on_problem(void *arg, const sop_problem *problem)
{
	sop_problem copy = *problem;

	return sopgoProblem((uintptr_t)arg, &copy);
}

sop_status sopgo_gc(sop_db *db, uintptr_t handle, sop_error *err)
{
	return sop_gc(db, handle != 0 ? on_progress : NULL, (void *)handle, err);
}

sop_status sopgo_backup(sop_db *db, const char *path, uintptr_t handle, uint64_t *position, sop_error *err)
{
	return sop_backup(db, path, handle != 0 ? on_progress : NULL, (void *)handle, position, err);
}

sop_status sopgo_restore(const char *from, const char *to, uintptr_t handle, sop_error *err)
{
	return sop_restore(from, to, handle != 0 ? on_progress : NULL, (void *)handle, err);
}

sop_status sopgo_verify(sop_db *db, uintptr_t handle, uint64_t *problems, sop_error *err)
{
	return sop_verify(db, on_problem, on_progress, (void *)handle, problems, err);
}
