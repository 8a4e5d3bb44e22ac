/* The table of calls. Every function of include/sop/ must have a line: test_misuse.c compares it with the headers. */
#include "api/calls.h"

#include <string.h>

static sop_bytes key_of(const struct arguments *a)
{
	return test_bytes(a->key_data, a->key_size);
}

static sop_bytes value_of(const struct arguments *a)
{
	return test_bytes(a->value_data, a->value_size);
}

static sop_bytes name_of(const struct arguments *a)
{
	return test_bytes(a->name_data, a->name_size);
}

static sop_bytes json_of(const struct arguments *a)
{
	return test_bytes(a->json_data, a->json_size);
}

static sop_bytes keys_of(const struct arguments *a)
{
	return test_bytes(a->keys_data, a->keys_size);
}

static sop_bytes rows_of(const struct arguments *a)
{
	return test_bytes(a->rows_data, a->rows_size);
}

/* Status of calls that answer with something else than a status. */
#define RUNS(expression) ((void)(expression), SOP_OK)

#define A(field) ARGUMENT(field)
#define ITEM_CALL A(txn), A(store), A(key_data)

/* X(function, status when all is good, status after sop_close, status for NULL, call, needed pointers ...) */
#define CALLS(X)                                                                                          \
	X(sop_version, OK, OK, OK, RUNS(sop_version()), 0)                                                \
	X(sop_has_feature, OK, OK, OK, RUNS(sop_has_feature(a->name)), A(name))                           \
	X(sop_status_name, OK, OK, OK, RUNS(sop_status_name(SOP_OK)), 0)                                  \
	X(sop_status_text, OK, OK, OK, RUNS(sop_status_text(SOP_OK)), 0)                                  \
	X(sop_status_traits, OK, OK, OK, RUNS(sop_status_traits(SOP_OK)), 0)                              \
	X(sop_buf_reserve, OK, OK, MISUSE, sop_buf_reserve(a->buf, 100, a->err), A(buf))                  \
	X(sop_buf_free, OK, OK, OK, RUNS((sop_buf_free(a->buf), 0)), A(buf))                              \
	X(sop_options_new, OK, OK, MISUSE, sop_options_new(a->options_out, a->err), A(options_out))       \
	X(sop_options_set_int, OK, OK, MISUSE,                                                            \
	  sop_options_set_int(a->options, a->name, 4096, a->err), A(options), A(name))                    \
	X(sop_options_set_bool, OK, OK, MISUSE,                                                           \
	  sop_options_set_bool(a->options, a->name == NULL ? NULL : "create", 1, a->err),                 \
	  A(options), A(name))                                                                            \
	X(sop_options_set_text, OK, OK, MISUSE,                                                           \
	  sop_options_set_text(a->options, a->name, a->text, a->err), A(options), A(name), A(text))       \
	X(sop_options_free, OK, OK, OK, RUNS((sop_options_free(NULL), 0)), 0)                             \
	X(sop_open, OK, OK, MISUSE, sop_open(a->url, NULL, a->db_out, a->err), A(url), A(db_out))         \
	X(sop_close, OK, OK, MISUSE, sop_close(a->db, a->err), A(db))                                     \
	X(sop_db_free, OK, OK, OK, RUNS((sop_db_free(NULL), 0)), 0)                                       \
	X(sop_db_info, OK, CLOSED, MISUSE, sop_db_info(a->db, a->db_info, a->key_buf, a->err),            \
	  A(db), A(db_info))                                                                              \
	X(sop_sync, OK, CLOSED, MISUSE, sop_sync(a->db, a->err), A(db))                                   \
	X(sop_checkpoint, OK, CLOSED, MISUSE, sop_checkpoint(a->db, a->err), A(db))                       \
	X(sop_gc, OK, CLOSED, MISUSE, sop_gc(a->db, a->progress, NULL, a->err), A(db))                    \
	X(sop_backup, UNSUPPORTED, CLOSED, MISUSE,                                                        \
	  sop_backup(a->db, a->path, a->progress, NULL, a->maybe_number, a->err), A(db), A(path))         \
	X(sop_restore, NOT_FOUND, NOT_FOUND, MISUSE,                                                      \
	  sop_restore(a->backup_path, a->path, a->progress, NULL, a->err), A(backup_path), A(path))       \
	X(sop_read, OK, CLOSED, MISUSE, sop_read(a->db, a->store, key_of(a), a->buf, a->err),             \
	  A(db), A(store), A(key_data), A(buf))                                                           \
	X(sop_begin, OK, CLOSED, MISUSE, sop_begin(a->db, a->txn_options, a->txn_out, a->err),            \
	  A(db), A(txn_out))                                                                              \
	X(sop_commit, OK, CLOSED, MISUSE, sop_commit(a->txn, a->err), A(txn))                             \
	X(sop_rollback, OK, CLOSED, MISUSE, sop_rollback(a->txn, a->err), A(txn))                         \
	X(sop_txn_renew, MISUSE, CLOSED, MISUSE, sop_txn_renew(a->txn, a->err), A(txn))                   \
	X(sop_txn_again, MISUSE, CLOSED, MISUSE, sop_txn_again(a->txn, a->err), A(txn))                   \
	X(sop_txn_cancel, OK, CLOSED, MISUSE, sop_txn_cancel(a->txn, a->err), A(txn))                     \
	X(sop_txn_free, OK, OK, OK, RUNS((sop_txn_free(NULL), 0)), 0)                                     \
	X(sop_txn_id, OK, CLOSED, MISUSE, sop_txn_id(a->txn, a->id_out, a->err), A(txn), A(id_out))       \
	X(sop_txn_position, OK, CLOSED, MISUSE, sop_txn_position(a->txn, a->number, a->err),              \
	  A(txn), A(number))                                                                              \
	X(sop_txn_attempts, OK, CLOSED, MISUSE, sop_txn_attempts(a->txn, a->number32, a->err),            \
	  A(txn), A(number32))                                                                            \
	X(sop_txn_conflict, NOT_FOUND, CLOSED, MISUSE,                                                    \
	  sop_txn_conflict(a->txn, a->view, a->view2, a->err), A(txn), A(view), A(view2))                 \
	X(sop_savepoint, OK, CLOSED, MISUSE, sop_savepoint(a->txn, a->number, a->err), A(txn), A(number)) \
	X(sop_rollback_to, MISUSE, CLOSED, MISUSE, sop_rollback_to(a->txn, 999, a->err), A(txn))          \
	X(sop_run, OK, CLOSED, MISUSE, sop_run(a->db, a->txn_options, a->body, NULL, a->err),             \
	  A(db), A(body))                                                                                 \
	X(sop_txn_outcome, OK, CLOSED, MISUSE,                                                            \
	  sop_txn_outcome(a->db, a->id, a->outcome, a->maybe_number, a->err), A(db), A(id), A(outcome))   \
	X(sop_store_open, OK, CLOSED, MISUSE,                                                             \
	  sop_store_open(a->db, name_of(a), a->store_options, a->store_out, a->err), A(db),               \
	  A(name_data), A(store_out))                                                                     \
	X(sop_store_free, OK, OK, OK, RUNS((sop_store_free(NULL), 0)), 0)                                 \
	X(sop_store_name, OK, OK, OK, RUNS(sop_store_name(a->store)), A(store))                           \
	X(sop_store_create, OK, CLOSED, MISUSE, sop_store_create(a->txn, a->missing, a->err),             \
	  A(txn), A(missing))                                                                             \
	X(sop_store_drop, OK, CLOSED, MISUSE, sop_store_drop(a->txn, a->store, a->err), A(txn), A(store)) \
	X(sop_store_rename, OK, CLOSED, MISUSE,                                                           \
	  sop_store_rename(a->txn, a->store, name_of(a), a->err), A(txn), A(store), A(name_data))         \
	X(sop_store_list, OK, CLOSED, MISUSE,                                                             \
	  sop_store_list(a->txn, a->buf, a->maybe_count, a->err), A(txn), A(buf))                         \
	X(sop_store_describe, OK, CLOSED, MISUSE,                                                         \
	  sop_store_describe(a->txn, a->store, a->info, a->schema_buf, a->err), A(txn), A(store),         \
	  A(info))                                                                                        \
	X(sop_get, OK, CLOSED, MISUSE, sop_get(a->txn, a->store, key_of(a), a->buf, a->err),              \
	  ITEM_CALL, A(buf))                                                                              \
	X(sop_fetch, OK, CLOSED, MISUSE,                                                                  \
	  sop_fetch(a->txn, a->store, key_of(a), 0, 0, a->key_buf, a->buf, a->about, a->err), ITEM_CALL)  \
	X(sop_put, OK, CLOSED, MISUSE, sop_put(a->txn, a->store, key_of(a), value_of(a), a->err),         \
	  ITEM_CALL, A(value_data))                                                                       \
	X(sop_insert, EXISTS, CLOSED, MISUSE,                                                             \
	  sop_insert(a->txn, a->store, key_of(a), value_of(a), a->maybe_number, a->err),                  \
	  ITEM_CALL, A(value_data))                                                                       \
	X(sop_update, OK, CLOSED, MISUSE,                                                                 \
	  sop_update(a->txn, a->store, key_of(a), 0, value_of(a), a->err), ITEM_CALL, A(value_data))      \
	X(sop_set_ride, OK, CLOSED, MISUSE, sop_set_ride(a->txn, a->store, key_of(a), 0, a->err),         \
	  ITEM_CALL)                                                                                      \
	X(sop_remove, OK, CLOSED, MISUSE, sop_remove(a->txn, a->store, key_of(a), 0, a->err), ITEM_CALL)  \
	X(sop_add, OK, CLOSED, MISUSE, sop_add(a->txn, a->store, number_key(a), 1, a->err), ITEM_CALL)    \
	X(sop_min, OK, CLOSED, MISUSE, sop_min(a->txn, a->store, number_key(a), 1, a->err), ITEM_CALL)    \
	X(sop_max, OK, CLOSED, MISUSE, sop_max(a->txn, a->store, number_key(a), 1, a->err), ITEM_CALL)    \
	X(sop_remove_range, OK, CLOSED, MISUSE,                                                           \
	  sop_remove_range(a->txn, a->store, a->range, a->maybe_number, a->err), A(txn), A(store))        \
	X(sop_count, OK, CLOSED, MISUSE, sop_count(a->txn, a->store, a->range, a->number, a->err),        \
	  A(txn), A(store), A(number))                                                                    \
	X(sop_approx_count, OK, CLOSED, MISUSE,                                                           \
	  sop_approx_count(a->db, a->store, a->number, a->err), A(db), A(store), A(number))               \
	X(sop_get_many, OK, CLOSED, MISUSE,                                                               \
	  sop_get_many(a->txn, a->store, keys_of(a), 0, a->buf, a->err), A(txn), A(store),                \
	  A(keys_data), A(buf))                                                                           \
	X(sop_put_many, OK, CLOSED, MISUSE,                                                               \
	  sop_put_many(a->txn, a->store, rows_of(a), SOP_PUT, a->maybe_count, a->err), A(txn),            \
	  A(store), A(rows_data))                                                                         \
	X(sop_cursor_open, OK, CLOSED, MISUSE,                                                            \
	  sop_cursor_open(a->txn, a->store, a->range, 0, a->cursor_out, a->err), A(txn), A(store),        \
	  A(cursor_out))                                                                                  \
	X(sop_cursor_first, OK, CLOSED, MISUSE,                                                           \
	  sop_cursor_first(a->cursor, a->maybe_entry, a->err), A(cursor))                                 \
	X(sop_cursor_last, OK, CLOSED, MISUSE, sop_cursor_last(a->cursor, a->maybe_entry, a->err),        \
	  A(cursor))                                                                                      \
	X(sop_cursor_next, OK, CLOSED, MISUSE, sop_cursor_next(a->cursor, a->maybe_entry, a->err),        \
	  A(cursor))                                                                                      \
	X(sop_cursor_next_many, OK, CLOSED, MISUSE,                                                       \
	  sop_cursor_next_many(a->cursor, a->entry, 1, a->count, a->err), A(cursor), A(entry),            \
	  A(count))                                                                                       \
	X(sop_cursor_prev, NOT_FOUND, CLOSED, MISUSE,                                                     \
	  sop_cursor_prev(a->cursor, a->maybe_entry, a->err), A(cursor))                                  \
	X(sop_cursor_seek, OK, CLOSED, MISUSE,                                                            \
	  sop_cursor_seek(a->cursor, key_of(a), SOP_SEEK_GE, a->maybe_entry, a->err), A(cursor),          \
	  A(key_data))                                                                                    \
	X(sop_cursor_entry, OK, CLOSED, MISUSE, sop_cursor_entry(a->cursor, a->entry, a->err),            \
	  A(cursor), A(entry))                                                                            \
	X(sop_cursor_update, OK, CLOSED, MISUSE,                                                          \
	  sop_cursor_update(a->cursor, value_of(a), a->err), A(cursor), A(value_data))                    \
	X(sop_cursor_remove, OK, CLOSED, MISUSE, sop_cursor_remove(a->cursor, a->err), A(cursor))         \
	X(sop_cursor_fetch, OK, CLOSED, MISUSE,                                                           \
	  sop_cursor_fetch(a->cursor, a->room, a->room_size, 0, 0, a->count, a->err), A(cursor),          \
	  A(room), A(count))                                                                              \
	X(sop_cursor_free, OK, OK, OK, RUNS((sop_cursor_free(NULL), 0)), 0)                               \
	X(sop_db_stats, OK, CLOSED, MISUSE, sop_db_stats(a->db, a->stats, a->err), A(db), A(stats))       \
	X(sop_stats_peek, NOT_FOUND, NOT_FOUND, MISUSE,                                                   \
	  sop_stats_peek(a->path, a->peek, NULL, a->err), A(path), A(peek))                               \
	X(sop_db_metrics, OK, CLOSED, MISUSE, sop_db_metrics(a->db, a->buf, a->err), A(db), A(buf))       \
	X(sop_verify, OK, CLOSED, MISUSE,                                                                 \
	  sop_verify(a->db, a->found, NULL, NULL, a->maybe_number, a->err), A(db))                        \
	X(sop_log_enable, OK, CLOSED, MISUSE, sop_log_enable(a->db, SOP_LOG_OFF, a->err), A(db))          \
	X(sop_log_next, NOT_FOUND, CLOSED, MISUSE, sop_log_next(a->db, a->message, 0, a->err),            \
	  A(db), A(message))                                                                              \
	X(sop_schema_parse, OK, OK, MISUSE, sop_schema_parse(json_of(a), a->schema_out, a->err),          \
	  A(json_data), A(schema_out))                                                                    \
	X(sop_schema_text, OK, OK, MISUSE, sop_schema_text(a->schema, a->buf, a->err), A(schema),         \
	  A(buf))                                                                                         \
	X(sop_schema_free, OK, OK, OK, RUNS((sop_schema_free(NULL), 0)), 0)                               \
	X(sop_schema_sort_count, OK, OK, OK, RUNS(sop_schema_sort_count(a->schema)), A(schema))           \
	X(sop_schema_ride_count, OK, OK, OK, RUNS(sop_schema_ride_count(a->schema)), A(schema))           \
	X(sop_schema_field_name, OK, OK, OK, RUNS(sop_schema_field_name(a->schema, 0)), A(schema))        \
	X(sop_schema_field_type, OK, OK, OK, RUNS(sop_schema_field_type(a->schema, 0)), A(schema))        \
	X(sop_schema_field_descending, OK, OK, OK,                                                        \
	  RUNS(sop_schema_field_descending(a->schema, 0)), A(schema))                                     \
	X(sop_key_pack, OK, OK, MISUSE, sop_key_pack(a->schema, a->values, 1, a->buf, a->err),            \
	  A(schema), A(values), A(buf))                                                                   \
	X(sop_key_pack_prefix, OK, OK, MISUSE,                                                            \
	  sop_key_pack_prefix(a->schema, a->values, 1, a->buf, a->err), A(schema), A(values), A(buf))     \
	X(sop_key_unpack, OK, OK, MISUSE,                                                                 \
	  sop_key_unpack(a->schema, key_of(a), a->values_out, 4, a->count, a->buf, a->err),               \
	  A(schema), A(key_data), A(values_out), A(count), A(buf))                                        \
	X(sop_key_next_prefix, OK, OK, MISUSE, sop_key_next_prefix(key_of(a), a->buf, a->err),            \
	  A(key_data), A(buf))                                                                            \
	X(sop_value_parse, OK, OK, MISUSE,                                                                \
	  sop_value_parse(SOP_TYPE_INT, digits_of(a), a->values_out, a->err), A(key_data),                \
	  A(values_out))                                                                                  \
	X(sop_value_text, OK, OK, MISUSE, sop_value_text(number_of(a), a->buf, a->err), A(values),        \
	  A(buf))

/* An integer, as text and as a value; spoiled when the key, or the values, of the arguments are. */
static sop_bytes digits_of(const struct arguments *a)
{
	return a->key_data == NULL ? key_of(a) : (sop_bytes){ "17", 2 };
}

static const sop_value *number_of(const struct arguments *a)
{
	static const sop_value number = { SOP_TYPE_INT, 0, { 0 } };

	return a->values == NULL ? NULL : &number;
}

/* The key with the integer; spoiled when the key of the arguments is. */
static sop_bytes number_key(const struct arguments *a)
{
	return a->key_data == NULL ? key_of(a) : fixture_key('n');
}

#define CALL_FUNCTION(function, good, closed, null, call, ...)                                     \
	static sop_status run_##function(struct arguments *a)                                      \
	{                                                                                          \
		(void)a;                                                                           \
		return (call);                                                                     \
	}
CALLS(CALL_FUNCTION)

#define CALL_ROW(function, good, closed, null, call, ...)                                          \
	{ #function, run_##function, SOP_##good, SOP_##closed, SOP_##null, { __VA_ARGS__ } },
const struct call calls[] = { CALLS(CALL_ROW) };
const size_t call_count = sizeof calls / sizeof *calls;

/* ---- good arguments -------------------------------------------------------------------------------------------- */

static sop_status nothing(sop_txn *txn, void *arg, sop_error *err)
{
	(void)txn;
	(void)arg;
	(void)err;
	return SOP_OK;
}

static int ignore(void *arg, const sop_problem *problem)
{
	(void)arg;
	(void)problem;
	return 0;
}

static int go_on(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	(void)arg;
	(void)done_bytes;
	(void)total_bytes;
	return 0;
}

/* One packed row with the key of four bytes, and a value of one byte or none. */
static size_t pack_row(uint8_t room[64], sop_bytes key, size_t value_size)
{
	memset(room, 0, 64);
	room[0] = 1; /* count */
	room[8] = (uint8_t)key.size;
	room[12] = (uint8_t)value_size;
	memcpy(room + 16, key.data, key.size);
	return 16 + key.size + value_size;
}

void arguments_good(struct arguments *a, struct fixture *fixture, struct outputs *outputs)
{
	static const char json[] = "{\"v\":1,\"sort\":[{\"n\":\"x\",\"t\":\"int\"}]}";
	static const uint8_t id[16] = { 1 };
	static const sop_stats stats = SOP_STATS_INIT;
	static const sop_store_info info = SOP_STORE_INFO_INIT;
	static const sop_info db_info = SOP_INFO_INIT;
	static const sop_peek peek = SOP_PEEK_INIT;
	static const sop_log_message message = SOP_LOG_MESSAGE_INIT;
	static sop_value value;

	memset(a, 0, sizeof *a);
	memset(outputs, 0, sizeof *outputs);
	outputs->stats = stats;
	outputs->peek = peek;
	outputs->info = info;
	outputs->db_info = db_info;
	outputs->message = message;
	value = sop_value_str("a");
	*a = (struct arguments){
		.db = fixture->db,
		.txn = fixture->txn,
		.store = fixture->store,
		.missing = fixture->missing,
		.cursor = fixture->cursor,
		.options = fixture->options,
		.schema = fixture->schema,
		.url = "inmemory:",
		.name = "node_bytes",
		.text = "4KB",
		.path = "no such folder/copy",
		.backup_path = "no such folder/backup",
		.id = id,
		.values = &value,
		.body = nothing,
		.key_data = fixture_key('a').data,
		.key_size = 4,
		.value_data = "v",
		.value_size = 1,
		.name_data = "new name",
		.name_size = 8,
		.json_data = json,
		.json_size = sizeof json - 1,
		.keys_data = outputs->keys,
		.keys_size = pack_row(outputs->keys, fixture_key('a'), 0),
		.rows_data = outputs->rows,
		.rows_size = pack_row(outputs->rows, fixture_key('a'), 1),
		.buf = &outputs->buf,
		.number = &outputs->number,
		.number32 = &outputs->number32,
		.id_out = outputs->id,
		.view = &outputs->view,
		.view2 = &outputs->view2,
		.db_out = &outputs->db,
		.txn_out = &outputs->txn,
		.store_out = &outputs->store,
		.cursor_out = &outputs->cursor,
		.options_out = &outputs->options,
		.schema_out = &outputs->schema,
		.info = &outputs->info,
		.db_info = &outputs->db_info,
		.stats = &outputs->stats,
		.peek = &outputs->peek,
		.message = &outputs->message,
		.outcome = &outputs->outcome,
		.entry = &outputs->entry,
		.values_out = outputs->values,
		.count = &outputs->count,
		.room = outputs->room,
		.room_size = sizeof outputs->room,
		.key_buf = &outputs->key_buf,
		.schema_buf = &outputs->schema_buf,
		.about = &outputs->about,
		.maybe_number = &outputs->number,
		.maybe_count = &outputs->count,
		.maybe_entry = &outputs->entry,
		.found = ignore,
		.progress = go_on,
		.err = &fixture->err,
	};
}

void outputs_free(struct outputs *outputs)
{
	sop_buf_free(&outputs->buf);
	sop_buf_free(&outputs->key_buf);
	sop_buf_free(&outputs->schema_buf);
	sop_cursor_free(outputs->cursor);
	sop_txn_free(outputs->txn);
	sop_store_free(outputs->store);
	sop_db_free(outputs->db);
	sop_options_free(outputs->options);
	sop_schema_free(outputs->schema);
	memset(outputs, 0, sizeof *outputs);
}

void argument_set(struct arguments *a, size_t need, void *pointer)
{
	memcpy((char *)a + need - 1, &pointer, sizeof pointer); /* of any pointer type */
}

bool call_needs(const struct call *call, size_t need)
{
	for (size_t i = 0; i < ARGUMENTS_MAX; i++)
		if (call->needs[i] == need)
			return true;
	return false;
}
