/* Operations through the public interface. */
#include "model/engine.h"

#include "model/packed.h"

#include "api/handle.h"
#include "btree/resident.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_BYTES = 2 << 20, GUARD_BYTES = 8, GUARD = 0xA5 };

#define LONG_NAME "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"

/* In byte order, so that a list of stores is one of ascending numbers. */
const char *const engine_names[NAMES] = {
	"*",
	"../x",
	"store",
	LONG_NAME LONG_NAME LONG_NAME LONG_NAME "zzz", /* 255 bytes */
	"\xC3\xA9t\xC3\xA9",
};

/* ---- opening and closing --------------------------------------------------------------------------------------- */

/* Of a database on disk: far below the least that can be asked for. */
enum { DIRTY_BYTES = 32 << 10, LOG_BYTES = 256 << 10 };

static void open_all(struct engine *engine)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;

	TEST_OK(sop_open(engine->url, NULL, &engine->db, &engine->err), engine->err);
	if (engine->on_disk) {
		engine->db->engine->forest.resident->bytes_max = 0; /* whatever may be evicted is */
		engine->db->engine->forest.resident->dirty_bytes_max = DIRTY_BYTES;
		engine->db->engine->options.log_bytes_max = LOG_BYTES;
		engine->db->engine->options.no_background = true; /* so that a case is the same each time */
	}
	options.schema = engine->universe->schema;
	options.duplicates = engine->mix->duplicates;
	options.node_items = engine->node_items;
	for (unsigned i = 0; i < NAMES; i++)
		TEST_OK(sop_store_open(engine->db, test_text(engine_names[i]), &options,
				       &engine->stores[i], &engine->err),
			engine->err);
}

void engine_open(struct engine *engine, const struct universe *universe, const struct mix *mix,
		 const struct engine_options *options)
{
	const sop_error fresh = SOP_ERROR_INIT;

	memset(engine, 0, sizeof *engine);
	engine->universe = universe;
	engine->mix = mix;
	engine->err = fresh;
	engine->node_items = options->node_items;
	engine->on_disk = options->on_disk;
	engine->bytes = test_alloc(ROOM_BYTES + GUARD_BYTES);
	engine->key_room = test_alloc(KEY_BYTES_MAX + RIDE_BYTES_MAX);
	if (options->on_disk)
		test_folder_make_fast(engine->folder);
	(void)snprintf(engine->url, sizeof engine->url, "%s%s?node_bytes=%u&inline_value_bytes=%u%s",
		       options->on_disk ? "inredfs:" : "inmemory:", engine->folder,
		       options->node_bytes, options->inline_value_bytes,
		       options->on_disk ? "&create=true&cache_bytes=4MB&snapshot_bytes_max=64MB&durability=buffered"
					: "");
	open_all(engine);
}

/* killed: as if the process had been, after a flush. */
static void close_all(struct engine *engine, bool killed)
{
	for (unsigned i = 0; i < NAMES; i++)
		sop_store_free(engine->stores[i]);
	if (killed) {
		TEST_OK(sop_sync(engine->db, &engine->err), engine->err);
		atomic_store(&engine->db->engine->failed, true);
	}
	TEST_STATUS(sop_close(engine->db, &engine->err), killed ? SOP_FAILED : SOP_OK, engine->err);
	sop_db_free(engine->db);
}

void engine_reopen(struct engine *engine, bool killed)
{
	close_all(engine, killed);
	open_all(engine);
}

void engine_close(struct engine *engine)
{
	close_all(engine, false);
	if (engine->on_disk)
		test_folder_remove(engine->folder);
	sop_buf_free(&engine->value);
	sop_buf_free(&engine->key);
	sop_buf_free(&engine->rows);
	free(engine->bytes);
	free(engine->key_room);
}

sop_status engine_begin(struct engine *engine, struct engine_txn *txn, uint32_t mode)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_status status;

	if (txn->txn != NULL && txn->mode == mode) {
		status = sop_txn_renew(txn->txn, &engine->err);
	} else {
		sop_txn_free(txn->txn);
		txn->txn = NULL;
		options.mode = mode;
		status = sop_begin(engine->db, &options, &txn->txn, &engine->err);
	}
	txn->open = status == SOP_OK;
	txn->mode = mode;
	txn->savepoint_count = 0;
	return status;
}

void engine_ended(struct engine_txn *txn)
{
	for (unsigned i = 0; i < CURSORS; i++) {
		sop_cursor_free(txn->cursors[i]);
		txn->cursors[i] = NULL;
	}
	txn->open = false;
}

void engine_txn_free(struct engine_txn *txn)
{
	engine_ended(txn);
	sop_txn_free(txn->txn);
	txn->txn = NULL;
}

/* ---- saying ---------------------------------------------------------------------------------------------------- */

/* Says a status, and whatever is wrong with the error that came with it. */
static sop_status say_status(struct engine *engine, struct answer *answer, sop_status status)
{
	sop_error *err = &engine->err;

	say(answer, "status", (uint64_t)(int64_t)status);
	if (status == SOP_OK)
		return status;
	if (err->status != status)
		say(answer, "status in the error", (uint64_t)(int64_t)err->status);
	if (err->traits != sop_status_traits(status))
		say(answer, "traits in the error", err->traits);
	if (err->message[0] == '\0')
		say(answer, "no message in the error", 0);
	err->status = SOP_OK; /* the message is kept for the report */
	return status;
}

static void say_value(struct answer *answer, sop_bytes value)
{
	say(answer, "value bytes", value.size);
	say(answer, "value", hash_bytes(value.data, value.size));
}

static sop_bytes content(const sop_buf *buf)
{
	return test_bytes(buf->data, buf->size);
}

/* ---- what goes in ---------------------------------------------------------------------------------------------- */

static sop_bytes word_of(const struct engine *engine, uint32_t word)
{
	return test_bytes(engine->universe->words[word].bytes, engine->universe->words[word].size);
}

static sop_bytes key_of(const struct engine *engine, uint32_t word, struct ride ride, unsigned given)
{
	if (given == 0)
		return word_of(engine, word);
	return test_bytes(engine->key_room,
			  universe_key(engine->universe, word, ride, given, engine->key_room));
}

static sop_bytes value_of(const struct engine *engine, struct value value)
{
	value_bytes(value, engine->bytes);
	return test_bytes(engine->bytes, value.size);
}

static int64_t operand(const struct op *op)
{
	if (op->seed % 64 == 0)
		return op->seed % 128 == 0 ? INT64_MAX : INT64_MIN;
	return (int64_t)(op->seed % 2001) - 1000;
}

/* Sets the range of `op`; NULL for no range at all, now and then an empty structure. */
static const sop_range *range_of(const struct engine *engine, const struct op *op,
				 const struct hint *hint, sop_range *range)
{
	const sop_range everything = SOP_RANGE_INIT;

	*range = everything;
	range->flags = op->flags & 15u;
	if (range->flags == 0 && op->n % 2 == 0)
		return NULL;
	if ((range->flags & SOP_RANGE_FROM) != 0)
		range->from = word_of(engine, op->key);
	if ((range->flags & SOP_RANGE_TO) != 0)
		range->to = word_of(engine, op->key2);
	if ((range->flags & SOP_RANGE_PREFIX) != 0)
		range->prefix = word_of(engine, op->key);
	if ((range->flags & SOP_RANGE_AFTER) != 0)
		range->after_item = hint->item;
	return range;
}

/* ---- items ----------------------------------------------------------------------------------------------------- */

/* At once where that is wanted and can be; on disk the page may have to be waited for. */
static sop_status fetch(struct engine *engine, struct engine_txn *txn, const struct op *op,
			sop_bytes key, uint64_t item, sop_item *about)
{
	sop_store *store = engine->stores[op->store];
	sop_buf *whole_key = (op->n & 1) != 0 ? &engine->key : NULL;
	sop_buf *value = (op->n & 2) != 0 ? &engine->value : NULL;
	sop_status status = SOP_WOULD_BLOCK;

	if ((op->n & 4) == 0)
		about = NULL;
	if ((op->n & 8) != 0)
		status = sop_fetch(txn->txn, store, key, item, SOP_NOWAIT, whole_key, value, about,
				   &engine->err);
	if (status == SOP_WOULD_BLOCK)
		status = sop_fetch(txn->txn, store, key, item, 0, whole_key, value, about, &engine->err);
	return status;
}

static void do_get(struct engine *engine, struct engine_txn *txn, const struct op *op,
		   const struct hint *hint, struct answer *answer)
{
	sop_store *store = engine->stores[op->store];
	const sop_bytes key = key_of(engine, op->key, op->ride, op->ride_given);
	sop_item about = { 7, 7 };

	if (op->kind == OP_GET) {
		if (say_status(engine, answer,
			       sop_get(txn->txn, store, key, &engine->value, &engine->err)) == SOP_OK)
			say_value(answer, content(&engine->value));
		return;
	}
	if (say_status(engine, answer, fetch(engine, txn, op, key, hint->item, &about)) != SOP_OK)
		return;
	if ((op->n & 1) != 0)
		say(answer, "key", hash_bytes(engine->key.data, engine->key.size));
	if ((op->n & 2) != 0)
		say_value(answer, content(&engine->value));
	if ((op->n & 4) != 0) {
		say(answer, "version", about.version);
		say(answer, "item", about.item);
	}
}

static void do_get_many(struct engine *engine, struct engine_txn *txn, const struct op *op,
			struct answer *answer)
{
	const uint32_t flags = op->flags >> ROWS_FLAGS_SHIFT & 3u;
	uint32_t keys[KEYS_MANY_MAX];
	const unsigned count = op_keys(op, engine->universe, keys);
	struct packer packer;
	struct packed packed;
	struct packed_row row;

	packer_begin(&packer, engine->bytes, ROOM_BYTES, 0);
	for (unsigned i = 0; i < count; i++)
		packer_add(&packer, word_of(engine, keys[i]), test_bytes(NULL, 0), 0);
	if (say_status(engine, answer,
		       sop_get_many(txn->txn, engine->stores[op->store], packer_end(&packer), flags,
				    &engine->rows, &engine->err)) != SOP_OK)
		return;
	say(answer, "rows", packed_begin(&packed, content(&engine->rows)));
	while (packed_next(&packed, &row)) {
		say_row(answer, hash_bytes(row.key.data, row.key.size), row.value_size,
			row.value_size == SOP_ROWS_ABSENT ? 0 : hash_bytes(row.value.data, row.value.size));
		if ((flags & SOP_ROWS_ITEM) != 0)
			say(answer, "item", row.item);
		if ((flags & SOP_ROWS_VERSION) != 0)
			say(answer, "version", row.version);
	}
	if (packed.flags != flags || packed.broken)
		say(answer, "malformed rows", packed.flags);
}

/* The item ids that put_many gave, which it does not tell: the newest of each key are its. */
static void find_new_items(struct engine *engine, struct engine_txn *txn, const struct op *op,
			   const struct row rows[ROWS_MAX], size_t done, struct hint *hint,
			   struct answer *answer)
{
	sop_cursor *cursor = NULL;
	sop_entry entry;

	if (sop_cursor_open(txn->txn, engine->stores[op->store], NULL, SOP_CURSOR_KEYS, &cursor,
			    &engine->err) != SOP_OK) {
		say(answer, "no cursor", 0);
		return;
	}
	for (size_t i = 0; i < done; i++) {
		sop_status status = sop_cursor_seek(cursor, word_of(engine, rows[i].key),
						    SOP_SEEK_LE, &entry, &engine->err);

		for (size_t later = i + 1; status == SOP_OK && later < done; later++)
			if (rows[later].key == rows[i].key)
				status = sop_cursor_prev(cursor, &entry, &engine->err);
		if (status != SOP_OK || entry.version != 0)
			say(answer, "not the new item", i);
		else
			hint->rows[i] = entry.item;
	}
	sop_cursor_free(cursor);
}

static void do_put_many(struct engine *engine, struct engine_txn *txn, const struct op *op,
			struct hint *hint, struct answer *answer)
{
	const sop_put_how how = (sop_put_how)(op->to % 4);
	struct row rows[ROWS_MAX];
	const unsigned count = op_rows(op, engine->universe, engine->mix, rows);
	struct packer packer;
	size_t done = 99;

	packer_begin(&packer, engine->bytes, ROOM_BYTES,
		     op_names_items(op, engine->mix) ? SOP_ROWS_ITEM : 0);
	for (unsigned i = 0; i < count; i++) {
		static uint8_t value[VALUE_BYTES_MAX];
		sop_bytes bytes;

		value_bytes(rows[i].value, value);
		bytes = test_bytes(value, rows[i].value.size);
		packer_add(&packer, key_of(engine, rows[i].key, rows[i].ride, rows[i].ride_given),
			   bytes, hint->rows[i]);
	}
	(void)say_status(engine, answer,
			 sop_put_many(txn->txn, engine->stores[op->store], packer_end(&packer), how,
				      &done, &engine->err));
	say(answer, "done", done);
	if (engine->mix->duplicates && how == SOP_INSERT && done > 0 && done <= count)
		find_new_items(engine, txn, op, rows, done, hint, answer);
}

static void do_range(struct engine *engine, struct engine_txn *txn, const struct op *op,
		     const struct hint *hint, struct answer *answer)
{
	sop_store *store = engine->stores[op->store];
	uint64_t count = 0;
	sop_range room;
	const sop_range *range = range_of(engine, op, hint, &room);
	const sop_status status =
		op->kind == OP_COUNT ? sop_count(txn->txn, store, range, &count, &engine->err)
				     : sop_remove_range(txn->txn, store, range, &count, &engine->err);

	if (say_status(engine, answer, status) == SOP_OK)
		say(answer, "count", count);
}

static void do_change(struct engine *engine, struct engine_txn *txn, const struct op *op,
		      struct hint *hint, struct answer *answer)
{
	sop_store *store = engine->stores[op->store];
	const sop_bytes key = key_of(engine, op->key, op->ride, op->ride_given);
	sop_error *err = &engine->err;
	sop_status status;

	switch (op->kind) {
	case OP_PUT:
		status = sop_put(txn->txn, store, key, value_of(engine, op->value), err);
		break;
	case OP_INSERT:
		hint->item = 0;
		status = sop_insert(txn->txn, store, key, value_of(engine, op->value), &hint->item, err);
		break;
	case OP_UPDATE:
		status = sop_update(txn->txn, store, key, hint->item, value_of(engine, op->value), err);
		break;
	case OP_SET_RIDE:
		status = sop_set_ride(txn->txn, store, key, hint->item, err);
		break;
	case OP_REMOVE:
		status = sop_remove(txn->txn, store, key, hint->item, err);
		break;
	case OP_ADD:
		status = sop_add(txn->txn, store, word_of(engine, op->key), operand(op), err);
		break;
	case OP_MIN:
		status = sop_min(txn->txn, store, word_of(engine, op->key), operand(op), err);
		break;
	default:
		status = sop_max(txn->txn, store, word_of(engine, op->key), operand(op), err);
		break;
	}
	(void)say_status(engine, answer, status);
}

static void do_bad_key(struct engine *engine, struct engine_txn *txn, const struct op *op,
		       struct answer *answer)
{
	static const char *const bad[] = { "\x77",     "\x02", "\x01\x00",
					   "\x30\x01", "",     "\x02z\x00\x01\xFF\xFF" };
	static const size_t sizes[] = { 1, 1, 2, 2, 0, 6 };
	const unsigned pick = op->n % 6;
	const sop_bytes key = test_bytes(bad[pick], sizes[pick]);
	sop_store *store = engine->stores[op->store];

	(void)say_status(engine, answer, sop_get(txn->txn, store, key, &engine->value, &engine->err));
}

/* ---- cursors --------------------------------------------------------------------------------------------------- */

static void say_entry(struct engine *engine, struct answer *answer, sop_status status,
		      const sop_entry *entry)
{
	if (say_status(engine, answer, status) != SOP_OK)
		return;
	say_row(answer, hash_bytes(entry->key.data, entry->key.size), entry->value.size,
		entry->value.size > 0 ? hash_bytes(entry->value.data, entry->value.size) : 0);
	say(answer, "version", entry->version);
	say(answer, "item", entry->item);
}

static void do_fetch_rows(struct engine *engine, sop_cursor *cursor, const struct op *op,
			  struct hint *hint, struct answer *answer)
{
	const uint32_t flags = op->flags >> ROWS_FLAGS_SHIFT & 3u;
	const size_t rows_max = op->seed % 3 == 0 ? op->seed % 50 : 0;
	size_t used = 0;
	struct packed packed;
	struct packed_row row;
	sop_status status;

	memset(engine->bytes + op->n, GUARD, GUARD_BYTES);
	status = say_status(engine, answer,
			    sop_cursor_fetch(cursor, engine->bytes, op->n, rows_max, flags, &used,
					     &engine->err));
	for (unsigned i = 0; i < GUARD_BYTES; i++)
		if (engine->bytes[op->n + i] != GUARD)
			say(answer, "written beyond the room", i);
	if (status == SOP_LIMIT)
		say(answer, "bytes needed", (used + 7) & ~(size_t)7);
	if (status != SOP_OK)
		return;
	hint->n = packed_begin(&packed, test_bytes(engine->bytes, used));
	while (packed_next(&packed, &row)) {
		say_row(answer, hash_bytes(row.key.data, row.key.size), row.value_size,
			row.value_size == SOP_ROWS_ABSENT ? 0 : hash_bytes(row.value.data, row.value.size));
		if ((flags & SOP_ROWS_ITEM) != 0)
			say(answer, "item", row.item);
		if ((flags & SOP_ROWS_VERSION) != 0)
			say(answer, "version", row.version);
	}
	say(answer, "bytes", (used + 7) & ~(size_t)7);
	if (packed.flags != flags || packed.broken)
		say(answer, "malformed rows", packed.flags);
}

/* `left` steps forwards by as few calls as it takes. */
static void do_steps_at_once(struct engine *engine, sop_cursor *cursor, size_t left, struct answer *answer)
{
	sop_entry entries[4];

	while (left > 0) {
		size_t count = 0;
		const sop_status status =
			sop_cursor_next_many(cursor, entries, left, &count, &engine->err);

		if (status != SOP_OK) {
			say_entry(engine, answer, status, entries);
			left--;
		}
		for (size_t i = 0; i < count; i++, left--)
			say_entry(engine, answer, status, &entries[i]);
	}
}

static void do_steps(struct engine *engine, sop_cursor *cursor, const struct op *op, struct answer *answer)
{
	sop_entry entry;

	if (op->kind == OP_NEXT && op->seed % 2 == 0) {
		do_steps_at_once(engine, cursor, 1 + op->n % 4, answer);
		return;
	}
	for (unsigned left = 1 + op->n % 4; left > 0; left--) {
		const sop_status status = op->kind == OP_NEXT
						  ? sop_cursor_next(cursor, &entry, &engine->err)
						  : sop_cursor_prev(cursor, &entry, &engine->err);

		say_entry(engine, answer, status, &entry);
	}
}

static void do_cursor(struct engine *engine, struct engine_txn *txn, const struct op *op,
		      struct hint *hint, struct answer *answer)
{
	sop_cursor *cursor = txn->cursors[op->to % CURSORS];
	sop_error *err = &engine->err;
	sop_entry entry;

	switch (op->kind) {
	case OP_FIRST:
		say_entry(engine, answer, sop_cursor_first(cursor, &entry, err), &entry);
		break;
	case OP_LAST:
		say_entry(engine, answer, sop_cursor_last(cursor, &entry, err), &entry);
		break;
	case OP_NEXT:
	case OP_PREV:
		do_steps(engine, cursor, op, answer);
		break;
	case OP_SEEK:
		say_entry(engine, answer,
			  sop_cursor_seek(cursor, word_of(engine, op->key), (sop_seek)(op->n % 5),
					  &entry, err),
			  &entry);
		break;
	case OP_ENTRY:
		say_entry(engine, answer, sop_cursor_entry(cursor, &entry, err), &entry);
		break;
	case OP_CURSOR_UPDATE:
		(void)say_status(engine, answer,
				 sop_cursor_update(cursor, value_of(engine, op->value), err));
		break;
	case OP_CURSOR_REMOVE:
		(void)say_status(engine, answer, sop_cursor_remove(cursor, err));
		break;
	case OP_CURSOR_FETCH:
		do_fetch_rows(engine, cursor, op, hint, answer);
		break;
	default:
		sop_cursor_free(cursor);
		txn->cursors[op->to % CURSORS] = NULL;
		break;
	}
}

static void do_cursor_open(struct engine *engine, struct engine_txn *txn, const struct op *op,
			   const struct hint *hint, struct answer *answer)
{
	sop_cursor **cursor = &txn->cursors[op->to % CURSORS];
	sop_range range;

	sop_cursor_free(*cursor);
	*cursor = NULL;
	(void)say_status(engine, answer,
			 sop_cursor_open(txn->txn, engine->stores[op->store],
					 range_of(engine, op, hint, &range),
					 op->flags >> CURSOR_FLAGS_SHIFT & 3u, cursor, &engine->err));
}

/* ---- stores and savepoints ------------------------------------------------------------------------------------- */

static void do_list(struct engine *engine, struct engine_txn *txn, struct answer *answer)
{
	size_t count = 0;
	size_t at = 0;

	if (say_status(engine, answer, sop_store_list(txn->txn, &engine->key, &count, &engine->err)) != SOP_OK)
		return;
	for (size_t i = 0; i < count; i++) {
		const char *name = (const char *)engine->key.data + at;
		unsigned number = 0;

		while (number < NAMES && strcmp(engine_names[number], name) != 0)
			number++;
		say(answer, "name", number);
		at += strlen(name) + 1;
	}
	if (at != engine->key.size)
		say(answer, "bytes of names", engine->key.size);
}

static void do_describe(struct engine *engine, struct engine_txn *txn, const struct op *op,
			struct answer *answer)
{
	sop_store_info info = SOP_STORE_INFO_INIT;

	if (say_status(engine, answer,
		       sop_store_describe(txn->txn, engine->stores[op->store], &info, &engine->key,
					  &engine->err)) != SOP_OK)
		return;
	say(answer, "duplicates", info.duplicates);
	say(answer, "schema", info.has_schema);
	if ((engine->key.size > 0) != (info.has_schema != 0))
		say(answer, "bytes of schema", engine->key.size);
}

static void do_savepoint(struct engine *engine, struct engine_txn *txn, const struct op *op,
			 struct answer *answer)
{
	unsigned index;

	if (op->kind == OP_SAVEPOINT) {
		uint64_t *savepoint = &txn->savepoints[txn->savepoint_count++];

		(void)say_status(engine, answer, sop_savepoint(txn->txn, savepoint, &engine->err));
		return;
	}
	index = op->to % txn->savepoint_count;
	(void)say_status(engine, answer, sop_rollback_to(txn->txn, txn->savepoints[index], &engine->err));
	txn->savepoint_count = index + 1;
}

static void do_catalog(struct engine *engine, struct engine_txn *txn, const struct op *op,
		       struct answer *answer)
{
	sop_store *store = engine->stores[op->store];
	sop_status status;

	if (op->kind == OP_CREATE)
		status = sop_store_create(txn->txn, store, &engine->err);
	else if (op->kind == OP_DROP)
		status = sop_store_drop(txn->txn, store, &engine->err);
	else
		status = sop_store_rename(txn->txn, store, test_text(engine_names[op->to % NAMES]),
					  &engine->err);
	(void)say_status(engine, answer, status);
}

void engine_apply(struct engine *engine, struct engine_txn *txn, const struct op *op,
		  struct hint *hint, struct answer *answer)
{
	engine->err.message[0] = 0;
	switch (op->kind) {
	case OP_GET:
	case OP_FETCH:
		do_get(engine, txn, op, hint, answer);
		break;
	case OP_GET_MANY:
		do_get_many(engine, txn, op, answer);
		break;
	case OP_PUT_MANY:
		do_put_many(engine, txn, op, hint, answer);
		break;
	case OP_COUNT:
	case OP_REMOVE_RANGE:
		do_range(engine, txn, op, hint, answer);
		break;
	case OP_CURSOR_OPEN:
		do_cursor_open(engine, txn, op, hint, answer);
		break;
	case OP_BAD_KEY:
		do_bad_key(engine, txn, op, answer);
		break;
	case OP_CREATE:
	case OP_DROP:
	case OP_RENAME:
		do_catalog(engine, txn, op, answer);
		break;
	case OP_LIST:
		do_list(engine, txn, answer);
		break;
	case OP_DESCRIBE:
		do_describe(engine, txn, op, answer);
		break;
	case OP_SAVEPOINT:
	case OP_ROLLBACK_TO:
		do_savepoint(engine, txn, op, answer);
		break;
	default:
		if (op_uses_cursor(op))
			do_cursor(engine, txn, op, hint, answer);
		else
			do_change(engine, txn, op, hint, answer);
		break;
	}
}

/* ---- whole stores ---------------------------------------------------------------------------------------------- */

static bool row_equals(const struct engine *engine, const struct packed_row *row, const struct item *item)
{
	return row->key.size == universe_whole_size(engine->universe, item->key, item->ride) &&
	       hash_bytes(row->key.data, row->key.size) ==
		       universe_whole_hash(engine->universe, item->key, item->ride) &&
	       row->value_size == item->value.size &&
	       hash_bytes(row->value.data, row->value.size) == item->value.hash &&
	       row->item == item->id && row->version == item->version;
}

static void print_row(const struct packed_row *row)
{
	fprintf(stderr,
		"  library: key of %zu bytes, hash %llx, value of %u bytes, item %llu, version %llu\n",
		row->key.size, (unsigned long long)hash_bytes(row->key.data, row->key.size),
		row->value_size, (unsigned long long)row->item, (unsigned long long)row->version);
}

static void print_item(const struct engine *engine, const struct item *item)
{
	fprintf(stderr, "  model: word %u, hash %llx, value of %u bytes, item %llu, version %llu\n",
		item->key,
		(unsigned long long)universe_whole_hash(engine->universe, item->key, item->ride),
		item->value.size, (unsigned long long)item->id, (unsigned long long)item->version);
}

bool engine_equals(struct engine *engine, struct engine_txn *txn, unsigned store,
		   const struct items *items, bool backwards)
{
	sop_cursor *cursor = NULL;
	uint64_t count = 0;
	size_t met = 0;
	bool equal = true;
	sop_status status;

	status = sop_count(txn->txn, engine->stores[store], NULL, &count, &engine->err);
	if (status != SOP_OK || count != items->count) {
		fprintf(stderr, "  sop_count of store %u: %s, %llu instead of %zu\n", store,
			sop_status_name(status), (unsigned long long)count, items->count);
		return false;
	}
	status = sop_cursor_open(txn->txn, engine->stores[store], NULL,
				 backwards ? SOP_CURSOR_REVERSE : 0, &cursor, &engine->err);
	while (status == SOP_OK && equal) {
		struct packed packed;
		struct packed_row row;
		size_t used = 0;

		status = sop_cursor_fetch(cursor, engine->bytes, ROOM_BYTES, 0,
					  SOP_ROWS_ITEM | SOP_ROWS_VERSION, &used, &engine->err);
		if (status != SOP_OK)
			break;
		(void)packed_begin(&packed, test_bytes(engine->bytes, used));
		while (equal && packed_next(&packed, &row)) {
			const struct item *item = NULL;

			if (met < items->count)
				item = items->at[backwards ? items->count - 1 - met : met];
			met++;
			if (item == NULL || !row_equals(engine, &row, item)) {
				fprintf(stderr, "  row %zu of store %u (%s) differs:\n", met - 1,
					store, backwards ? "backwards" : "forwards");
				print_row(&row);
				if (item != NULL)
					print_item(engine, item);
				equal = false;
			}
		}
		equal = equal && !packed.broken;
	}
	sop_cursor_free(cursor);
	if (equal && status != SOP_NOT_FOUND) {
		fprintf(stderr, "  a cursor of store %u ends with %s: %s\n", store,
			sop_status_name(status), engine->err.message);
		return false;
	}
	if (equal && met != items->count) {
		fprintf(stderr, "  store %u has %zu items instead of %zu\n", store, met, items->count);
		return false;
	}
	return equal;
}

static int print_problem(void *arg, const sop_problem *problem)
{
	(void)arg;
	fprintf(stderr, "  verify: %s: %s\n", problem->kind, problem->message);
	return 0;
}

bool engine_verifies(struct engine *engine)
{
	uint64_t problems = 0;
	const sop_status status =
		sop_verify(engine->db, print_problem, NULL, NULL, &problems, &engine->err);

	if (status == SOP_OK && problems == 0)
		return true;
	fprintf(stderr, "  sop_verify: %s, %llu problems: %s\n", sop_status_name(status),
		(unsigned long long)problems, engine->err.message);
	return false;
}
