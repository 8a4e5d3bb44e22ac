/* The operations of a transaction: their form, and running them. The table at the end has one line for each. */
#include "exec.h"

#include "status.h"
#include "text.h"
#include "try.h"

#include <inttypes.h>
#include <string.h>

/* What an operation runs with. */
struct run {
	struct exec *exec;
	struct work *work;
	sop_txn *txn;
	const struct json *op;
	struct found_store found; /* of "store"; looked up only by run_found */
	sop_bytes name; /* of "store" */
	sop_buf key;
	sop_buf value;
	struct answer *answer;
	sop_buf *out; /* answer->results */
	sop_error *err;
};

enum field_form {
	FIELD_STORE, /* the name of a store */
	FIELD_NAME, /* of a savepoint */
	FIELD_KEY,
	FIELD_VALUE,
	FIELD_INTEGER, /* 64 bits with a sign */
	FIELD_NUMBER, /* 64 bits, from 0 */
	FIELD_ITEM, /* the same, from 1 */
	FIELD_BOOL,
	FIELD_OBJECT,
	FIELD_PLACEMENT
};

struct field {
	const char *name;
	enum field_form form;
	bool needed;
};

struct operation {
	const char *name;
	const struct field *fields; /* ends with one without a name */
	bool looks_up; /* the store is looked up first: NOT_FOUND if it is not there */
	sop_status (*run)(struct run *run);
};

/* ---- form */

static sop_status check_text(const struct json *value, const char *name, sop_error *err)
{
	if (value->type != JSON_STRING || value->text.size == 0)
		return error_set(err, SOP_MISUSE, "\"%s\" must be a string of 1 to 255 bytes", name);
	if (value->text.size > 255)
		return error_set(err, SOP_LIMIT, "\"%s\" has %zu bytes; 255 are the limit", name,
				 value->text.size);
	return SOP_OK;
}

static sop_status check_store(const struct json *value, const char *name, sop_error *err)
{
	TRY(check_text(value, name, err));
	for (size_t i = 0; i < value->text.size;) {
		const unsigned char *at = (const unsigned char *)value->text.data + i;
		unsigned code = 0;

		i += utf8_next((sop_bytes){ at, value->text.size - i }, &code); /* JSON is UTF-8 */
		if (code < 0x20 || (code >= 0x7F && code < 0xA0))
			return error_set(err, SOP_MISUSE,
					 "the name of a store has a control character; leave it out");
	}
	return SOP_OK;
}

/* An integer from `least`; "by" and "to" end at 2^63-1, the others at 2^64-1. */
static sop_status check_number(const struct json *value, const struct field *field, sop_error *err)
{
	sop_value number;
	const sop_status status = json_integer(value, &number, err);
	const int64_t least = field->form == FIELD_ITEM	    ? 1
			      : field->form == FIELD_NUMBER ? 0
							    : INT64_MIN;

	if (status == SOP_SCHEMA ||
	    (status == SOP_OK && number.type == SOP_TYPE_UINT && least == INT64_MIN))
		return error_set(err, SOP_SCHEMA, "\"%s\" is beyond %s", field->name,
				 least == INT64_MIN ? "-2^63 to 2^63-1" : "2^64-1");
	if (status != SOP_OK || (number.type == SOP_TYPE_INT && number.as.integer < least))
		return error_set(err, SOP_MISUSE, "\"%s\" must be an integer%s", field->name,
				 least == 1   ? " from 1"
				 : least == 0 ? " from 0"
					      : "");
	return SOP_OK;
}

static const char *const placements[] = { "auto", "small", "medium", "big" };

static sop_status check_placement(const struct json *value, sop_error *err)
{
	for (size_t i = 0; i < sizeof placements / sizeof placements[0]; i++) {
		if (value->type == JSON_STRING && json_is(value->text, placements[i]))
			return SOP_OK;
	}
	return error_set(err, SOP_MISUSE,
			 "\"placement\" must be \"auto\", \"small\", \"medium\" or \"big\"");
}

static sop_status check_field(const struct json *value, const struct field *field, sop_error *err)
{
	switch (field->form) {
	case FIELD_STORE:
		return check_store(value, field->name, err);
	case FIELD_NAME:
		return check_text(value, field->name, err);
	case FIELD_KEY:
		return item_key_check(value, err);
	case FIELD_VALUE:
		return item_value_check(value, err);
	case FIELD_BOOL:
		if (value->type != JSON_TRUE && value->type != JSON_FALSE)
			return error_set(err, SOP_MISUSE, "\"%s\" must be true or false", field->name);
		return SOP_OK;
	case FIELD_OBJECT:
		if (value->type != JSON_OBJECT)
			return error_set(err, SOP_MISUSE, "\"%s\" must be an object", field->name);
		return SOP_OK;
	case FIELD_PLACEMENT:
		return check_placement(value, err);
	default:
		return check_number(value, field, err);
	}
}

/* The bounds of scan, count and remove_range, which of them go together. */
static sop_status check_bounds(const struct json *op, sop_error *err)
{
	const bool prefix = json_member(op, "prefix") != NULL;
	const bool from = json_member(op, "from") != NULL;
	const bool after = json_member(op, "after") != NULL;

	if (from && after)
		return error_set(err, SOP_MISUSE, "\"from\" and \"after\" exclude each other");
	if (prefix && (from || json_member(op, "to") != NULL))
		return error_set(err, SOP_MISUSE, "\"prefix\" excludes \"from\" and \"to\"");
	if (!after && json_member(op, "after_item") != NULL)
		return error_set(err, SOP_MISUSE, "\"after_item\" needs \"after\"");
	return SOP_OK;
}

/* ---- helpers of running */

static const struct json *member(const struct run *run, const char *name)
{
	return json_member(run->op, name);
}

static bool is_true(const struct run *run, const char *name, bool absent)
{
	const struct json *value = member(run, name);

	return value == NULL ? absent : value->type == JSON_TRUE;
}

/* The number in the field `name`, whose form was checked; `absent` without it. */
static uint64_t number(const struct run *run, const char *name, uint64_t absent)
{
	const struct json *json = member(run, name);
	sop_value value = sop_value_null();

	if (json == NULL || json_integer(json, &value, run->err) != SOP_OK)
		return absent;
	return value.type == SOP_TYPE_UINT ? value.as.natural : (uint64_t)value.as.integer;
}

/* Reads "key" into run->key. */
static sop_status read_key(struct run *run, enum key_extent extent)
{
	return item_key_read(&run->found.format, member(run, "key"), extent, &run->key, run->err);
}

static sop_bytes key_of(const struct run *run)
{
	return text_bytes(&run->key);
}

static sop_status read_value(struct run *run, sop_bytes *value)
{
	return item_value_read(member(run, "value"), &run->value, value, run->err);
}

/* Would an answer with `more` bytes of results still fit in a line? */
static bool fits(const struct run *run, size_t more)
{
	return run->out->size + more <= run->answer->results_max;
}

static sop_status too_long(struct run *run)
{
	return error_set(run->err, SOP_LIMIT,
			 "the answer would be longer than 16 MiB; ask for less in one request");
}

/* Writes the entry of an operation that came to `status`. NOT_FOUND and EXISTS are answers: they become the entry. */
static sop_status write_outcome(struct run *run, sop_status status)
{
	if (status == SOP_OK)
		text_puts(run->out, "{}");
	else if (status == SOP_NOT_FOUND || status == SOP_EXISTS)
		text_printf(run->out, "{\"status\":\"%s\"}", sop_status_name(status));
	else
		return status;
	return SOP_OK;
}

/* ---- stores */

static sop_status declare(struct run *run, const sop_store_options *options, sop_store **store)
{
	return sop_store_open(run->exec->db, run->name, options, store, run->err);
}

static sop_status run_create(struct run *run)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	const struct json *schema_json = member(run, "schema");
	const uint64_t node_items = number(run, "node_items", 0);
	sop_schema *schema = NULL;
	sop_store *store = NULL;
	sop_status status = SOP_OK;

	if (schema_json != NULL) {
		json_write(schema_json, &run->value);
		TRY(sop_schema_parse(text_bytes(&run->value), &schema, run->err));
	}
	options.schema = schema;
	options.duplicates = !is_true(run, "unique", true);
	options.node_items = node_items > UINT32_MAX ? UINT32_MAX : (uint32_t)node_items;
	status = declare(run, &options, &store);
	if (status == SOP_OK)
		status = write_outcome(run, sop_store_create(run->txn, store, run->err));
	sop_store_free(store);
	sop_schema_free(schema);
	return status;
}

static sop_status run_drop(struct run *run)
{
	sop_store *store = NULL;
	sop_status status;

	TRY(declare(run, NULL, &store));
	status = write_outcome(run, sop_store_drop(run->txn, store, run->err));
	sop_store_free(store);
	return status;
}

static sop_status run_rename(struct run *run)
{
	sop_store *store = NULL;
	sop_status status;

	TRY(declare(run, NULL, &store));
	status = write_outcome(run, sop_store_rename(run->txn, store, member(run, "to")->text, run->err));
	sop_store_free(store);
	return status;
}

static sop_status run_stores(struct run *run)
{
	const char *at;
	size_t count = 0;

	TRY(sop_store_list(run->txn, &run->value, &count, run->err));
	text_puts(run->out, "{\"stores\":[");
	at = run->value.data;
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			text_putc(run->out, ',');
		json_write_string(bytes_of(at), run->out);
		at += strlen(at) + 1;
	}
	text_puts(run->out, "]}");
	return SOP_OK;
}

static sop_status run_info(struct run *run)
{
	text_printf(run->out, "{\"unique\":%s", run->found.info.duplicates ? "false" : "true");
	if (run->found.format.schema != NULL) {
		TRY(sop_schema_text(run->found.format.schema, &run->value, run->err));
		text_puts(run->out, ",\"schema\":");
		text_add(run->out, run->value.data, run->value.size);
	}
	text_printf(run->out, ",\"node_items\":%" PRIu32 ",\"placement\":\"%s\"}",
		    run->found.info.node_items, placements[0]);
	return SOP_OK;
}

/* ---- items */

static void write_version(struct run *run, uint64_t version)
{
	if (version == 0) /* the transaction's own */
		return;
	text_puts(run->out, ",\"version\":");
	item_uint_write(run->exec->safe_ints, version, run->out);
}

static sop_status run_get(struct run *run)
{
	const bool rides = sop_schema_ride_count(run->found.format.schema) > 0;
	sop_item about = { 0, 0 };
	sop_buf whole = SOP_BUF_INIT;
	sop_status status;

	TRY(read_key(run, KEY_NAME));
	status = sop_fetch(run->txn, run->found.store, key_of(run), number(run, "item", 0), 0,
			   rides ? &whole : NULL, &run->value, &about, run->err);
	if (status == SOP_OK && run->value.size > run->answer->results_max) {
		status = too_long(run);
	} else if (status == SOP_OK) {
		text_putc(run->out, '{');
		if (rides) {
			text_puts(run->out, "\"key\":");
			item_key_write(&run->found.format, text_bytes(&whole), run->out);
			text_putc(run->out, ',');
		}
		text_puts(run->out, "\"value\":");
		item_bytes_write(text_bytes(&run->value), run->out);
		write_version(run, about.version);
		text_putc(run->out, '}');
	} else {
		status = write_outcome(run, status);
	}
	sop_buf_free(&whole);
	return status;
}

static sop_status run_put(struct run *run)
{
	sop_bytes value;

	TRY(read_key(run, KEY_WHOLE));
	TRY(read_value(run, &value));
	return write_outcome(run, sop_put(run->txn, run->found.store, key_of(run), value, run->err));
}

static sop_status run_insert(struct run *run)
{
	sop_bytes value;
	uint64_t item = 0;
	sop_status status;

	TRY(read_key(run, KEY_WHOLE));
	TRY(read_value(run, &value));
	status = sop_insert(run->txn, run->found.store, key_of(run), value, &item, run->err);
	if (status != SOP_OK || !run->found.info.duplicates)
		return write_outcome(run, status);
	text_puts(run->out, "{\"item\":");
	item_uint_write(run->exec->safe_ints, item, run->out);
	text_putc(run->out, '}');
	return SOP_OK;
}

static sop_status run_update(struct run *run)
{
	sop_bytes value;

	TRY(read_key(run, KEY_WHOLE));
	TRY(read_value(run, &value));
	return write_outcome(run, sop_update(run->txn, run->found.store, key_of(run),
					     number(run, "item", 0), value, run->err));
}

static sop_status run_remove(struct run *run)
{
	TRY(read_key(run, KEY_NAME));
	return write_outcome(run, sop_remove(run->txn, run->found.store, key_of(run),
					     number(run, "item", 0), run->err));
}

static sop_status run_add(struct run *run)
{
	TRY(read_key(run, KEY_WHOLE));
	return write_outcome(run, sop_add(run->txn, run->found.store, key_of(run),
					  (int64_t)number(run, "by", 0), run->err));
}

static sop_status run_min(struct run *run)
{
	TRY(read_key(run, KEY_WHOLE));
	return write_outcome(run, sop_min(run->txn, run->found.store, key_of(run),
					  (int64_t)number(run, "to", 0), run->err));
}

static sop_status run_max(struct run *run)
{
	TRY(read_key(run, KEY_WHOLE));
	return write_outcome(run, sop_max(run->txn, run->found.store, key_of(run),
					  (int64_t)number(run, "to", 0), run->err));
}

/* ---- savepoints */

static struct named_savepoint *savepoint_named(struct work *work, sop_bytes name)
{
	for (size_t i = work->savepoint_count; i > 0; i--) { /* the newest of a name counts */
		struct named_savepoint *named = &work->savepoints[i - 1];

		if (named->name.size == name.size && memcmp(named->name.data, name.data, name.size) == 0)
			return named;
	}
	return NULL;
}

static sop_status run_savepoint(struct run *run)
{
	const sop_bytes name = member(run, "name")->text;
	struct work *work = run->work;
	struct named_savepoint *named;
	uint64_t savepoint = 0;

	if (work->savepoint_count == SAVEPOINTS_MAX)
		return error_set(run->err, SOP_LIMIT, "a transaction has at most %d savepoints",
				 SAVEPOINTS_MAX);
	TRY(sop_savepoint(run->txn, &savepoint, run->err));
	if (work->savepoint_count == work->savepoint_capacity) {
		const size_t capacity = work->savepoint_capacity * 2 + 8;

		work->savepoints = memory_grown(work->savepoints, capacity, sizeof *work->savepoints);
		work->savepoint_capacity = capacity;
	}
	named = &work->savepoints[work->savepoint_count++];
	*named = (struct named_savepoint){ SOP_BUF_INIT, savepoint };
	text_add(&named->name, name.data, name.size);
	return write_outcome(run, SOP_OK);
}

static sop_status run_rollback_to(struct run *run)
{
	struct work *work = run->work;
	struct named_savepoint *named = savepoint_named(work, member(run, "name")->text);

	if (named == NULL)
		return error_set(run->err, SOP_MISUSE,
				 "the transaction has no savepoint of this \"name\"");
	TRY(sop_rollback_to(run->txn, named->savepoint, run->err));
	while (&work->savepoints[work->savepoint_count - 1] != named) /* those behind it are gone; it stays */
		sop_buf_free(&work->savepoints[--work->savepoint_count].name);
	return write_outcome(run, SOP_OK);
}

/* ---- ranges */

struct bounds {
	sop_range range;
	sop_buf from;
	sop_buf to;
	sop_buf prefix;
};

#define BOUNDS_INIT                                                                                \
	{                                                                                          \
		SOP_RANGE_INIT, SOP_BUF_INIT, SOP_BUF_INIT, SOP_BUF_INIT                           \
	}

static void bounds_free(struct bounds *bounds)
{
	sop_buf_free(&bounds->from);
	sop_buf_free(&bounds->to);
	sop_buf_free(&bounds->prefix);
}

static sop_status read_bound(struct run *run, const char *name, uint32_t flag,
			     struct bounds *bounds, sop_buf *room, sop_bytes *bytes)
{
	const struct json *json = member(run, name);

	if (json == NULL)
		return SOP_OK;
	TRY(item_key_read(&run->found.format, json, KEY_BOUND, room, run->err));
	bounds->range.flags |= flag;
	*bytes = text_bytes(room);
	return SOP_OK;
}

static sop_status read_bounds(struct run *run, struct bounds *bounds)
{
	sop_range *range = &bounds->range;

	TRY(read_bound(run, "from", SOP_RANGE_FROM, bounds, &bounds->from, &range->from));
	TRY(read_bound(run, "after", SOP_RANGE_FROM | SOP_RANGE_AFTER, bounds, &bounds->from,
		       &range->from));
	TRY(read_bound(run, "to", SOP_RANGE_TO, bounds, &bounds->to, &range->to));
	TRY(read_bound(run, "prefix", SOP_RANGE_PREFIX, bounds, &bounds->prefix, &range->prefix));
	range->after_item = number(run, "after_item", 0);
	if (range->after_item != 0 && !run->found.info.duplicates)
		return error_set(run->err, SOP_MISUSE, "\"after_item\" is for stores that are not unique");
	return SOP_OK;
}

static sop_status run_count(struct run *run)
{
	struct bounds bounds = BOUNDS_INIT;
	uint64_t count = 0;
	sop_status status = read_bounds(run, &bounds);

	if (status == SOP_OK) /* everything: one look-up */
		status = sop_count(run->txn, run->found.store,
				   bounds.range.flags == 0 ? NULL : &bounds.range, &count, run->err);
	bounds_free(&bounds);
	if (status == SOP_OK) {
		text_puts(run->out, "{\"count\":");
		item_uint_write(run->exec->safe_ints, count, run->out);
		text_putc(run->out, '}');
	}
	return status;
}

static sop_status run_remove_range(struct run *run)
{
	struct bounds bounds = BOUNDS_INIT;
	uint64_t removed = 0;
	sop_status status = read_bounds(run, &bounds);

	if (status == SOP_OK)
		status = sop_remove_range(run->txn, run->found.store, &bounds.range, &removed, run->err);
	bounds_free(&bounds);
	if (status == SOP_OK) {
		text_puts(run->out, "{\"removed\":");
		item_uint_write(run->exec->safe_ints, removed, run->out);
		text_putc(run->out, '}');
	}
	return status;
}

/* Writes one item of a scan: [K,V], [K,V,N], K or [K,N]. */
static void write_item(struct run *run, const sop_entry *entry, bool keys_only)
{
	const bool item = run->found.info.duplicates;

	if (!keys_only || item)
		text_putc(run->out, '[');
	item_key_write(&run->found.format, entry->key, run->out);
	if (!keys_only) {
		text_putc(run->out, ',');
		item_bytes_write(entry->value, run->out);
	}
	if (item) {
		text_putc(run->out, ',');
		item_uint_write(run->exec->safe_ints, entry->item, run->out);
	}
	if (!keys_only || item)
		text_putc(run->out, ']');
}

/* What stands behind the items of a scan. */
#define SCAN_END ((size_t)16)

/* Writes up to `limit` items from `cursor`, fewer where the answer is full; `more` receives whether others follow. */
static sop_status write_items(struct run *run, sop_cursor *cursor, bool keys_only, uint64_t limit,
			      bool *more)
{
	const bool reverse = is_true(run, "reverse", false);
	sop_status status = SOP_OK;
	sop_entry entry;

	*more = false;
	for (uint64_t count = 0;; count++) {
		const size_t before = run->out->size;

		status = reverse ? sop_cursor_prev(cursor, &entry, run->err)
				 : sop_cursor_next(cursor, &entry, run->err);
		*more = status == SOP_OK;
		if (status != SOP_OK || count == limit)
			break;
		if (entry.value.size > run->answer->results_max)
			return too_long(run);
		if (count > 0)
			text_putc(run->out, ',');
		write_item(run, &entry, keys_only);
		if (fits(run, SCAN_END))
			continue;
		if (run->out->size - before + SCAN_END > run->answer->results_max)
			return too_long(run); /* not even alone */
		run->out->size = before;
		break;
	}
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

static sop_status run_scan(struct run *run)
{
	struct bounds bounds = BOUNDS_INIT;
	const bool keys_only = is_true(run, "keys_only", false);
	const uint32_t flags = keys_only ? SOP_CURSOR_KEYS : 0;
	sop_cursor *cursor = NULL;
	bool more = false;
	sop_status status = read_bounds(run, &bounds);

	if (status == SOP_OK)
		status = sop_cursor_open(run->txn, run->found.store, &bounds.range, flags, &cursor,
					 run->err);
	if (status == SOP_OK) {
		text_puts(run->out, "{\"items\":[");
		status = write_items(run, cursor, keys_only, number(run, "limit", UINT64_MAX), &more);
		text_printf(run->out, "],\"more\":%s}", more ? "true" : "false");
	}
	sop_cursor_free(cursor);
	bounds_free(&bounds);
	return status;
}

/* ---- the table */

#define STORE                                                                                      \
	{                                                                                          \
		"store", FIELD_STORE, true                                                         \
	}
#define KEY                                                                                        \
	{                                                                                          \
		"key", FIELD_KEY, true                                                             \
	}
#define VALUE                                                                                      \
	{                                                                                          \
		"value", FIELD_VALUE, true                                                         \
	}
#define ITEM                                                                                       \
	{                                                                                          \
		"item", FIELD_ITEM, false                                                          \
	}
#define BOUNDS                                                                                     \
	{ "from", FIELD_KEY, false }, { "after", FIELD_KEY, false },                               \
		{ "after_item", FIELD_ITEM, false }, { "to", FIELD_KEY, false },                   \
	{                                                                                          \
		"prefix", FIELD_KEY, false                                                         \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, FIELD_BOOL, false                                                            \
	}

static const struct field no_fields[] = { END };
static const struct field store_fields[] = { STORE, END };
static const struct field create_fields[] = { STORE,
					      { "schema", FIELD_OBJECT, false },
					      { "unique", FIELD_BOOL, false },
					      { "node_items", FIELD_NUMBER, false },
					      { "placement", FIELD_PLACEMENT, false },
					      END };
static const struct field rename_fields[] = { STORE, { "to", FIELD_STORE, true }, END };
static const struct field item_fields[] = { STORE, KEY, ITEM, END };
static const struct field put_fields[] = { STORE, KEY, VALUE, END };
static const struct field update_fields[] = { STORE, KEY, ITEM, VALUE, END };
static const struct field add_fields[] = { STORE, KEY, { "by", FIELD_INTEGER, true }, END };
static const struct field to_fields[] = { STORE, KEY, { "to", FIELD_INTEGER, true }, END };
static const struct field savepoint_fields[] = { { "name", FIELD_NAME, true }, END };
static const struct field range_fields[] = { STORE, BOUNDS, END };
static const struct field scan_fields[] = { STORE,
					    BOUNDS,
					    { "reverse", FIELD_BOOL, false },
					    { "limit", FIELD_NUMBER, false },
					    { "keys_only", FIELD_BOOL, false },
					    END };

static const struct operation operations[] = {
	{ "get", item_fields, true, run_get },
	{ "put", put_fields, true, run_put },
	{ "insert", put_fields, true, run_insert },
	{ "update", update_fields, true, run_update },
	{ "remove", item_fields, true, run_remove },
	{ "scan", scan_fields, true, run_scan },
	{ "count", range_fields, true, run_count },
	{ "remove_range", range_fields, true, run_remove_range },
	{ "add", add_fields, true, run_add },
	{ "min", to_fields, true, run_min },
	{ "max", to_fields, true, run_max },
	{ "savepoint", savepoint_fields, false, run_savepoint },
	{ "rollback_to", savepoint_fields, false, run_rollback_to },
	{ "create", create_fields, false, run_create },
	{ "drop", store_fields, false, run_drop },
	{ "rename", rename_fields, false, run_rename },
	{ "stores", no_fields, false, run_stores },
	{ "info", store_fields, true, run_info },
};

static const struct operation *operation_of(const struct json *op)
{
	const struct json *name = json_member(op, "op");

	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
		if (name != NULL && name->type == JSON_STRING && json_is(name->text, operations[i].name))
			return &operations[i];
	}
	return NULL;
}

static const struct field *field_of(const struct operation *operation, sop_bytes name)
{
	const struct field *field = operation->fields;

	while (field->name != NULL && !json_is(name, field->name))
		field++;
	return field->name == NULL ? NULL : field;
}

sop_status operation_check(const struct json *op, sop_error *err)
{
	const struct operation *operation = operation_of(op);

	if (op->type != JSON_OBJECT)
		return error_set(err, SOP_MISUSE,
				 "an operation is an object, such as {\"op\":\"stores\"}");
	if (operation == NULL)
		return error_set(err, SOP_MISUSE, "\"op\" is missing, or there is no such operation");
	for (const struct json *value = op->first; value != NULL; value = value->next) {
		const struct field *field = field_of(operation, value->name);

		if (field == NULL && !json_is(value->name, "op"))
			return error_set(err, SOP_MISUSE, "%s has no field \"%.*s\"", operation->name,
					 (int)(value->name.size < 60 ? value->name.size : 60),
					 (const char *)value->name.data);
		if (field != NULL)
			TRY(check_field(value, field, err));
	}
	for (const struct field *field = operation->fields; field->name != NULL; field++) {
		if (field->needed && json_member(op, field->name) == NULL)
			return error_set(err, SOP_MISUSE, "%s needs \"%s\"", operation->name,
					 field->name);
	}
	return check_bounds(op, err);
}

sop_status operation_run(struct exec *exec, struct work *work, const struct json *op,
			 struct answer *answer, sop_error *err)
{
	const struct operation *operation = operation_of(op);
	const struct json *name = json_member(op, "store");
	const size_t before = answer->results.size;
	struct run run = { .exec = exec,
			   .work = work,
			   .txn = work->txn,
			   .op = op,
			   .answer = answer,
			   .out = &answer->results,
			   .err = err };
	sop_status status = SOP_OK;

	if (before > 0)
		text_putc(&answer->results, ',');
	if (name != NULL)
		run.name = name->text;
	if (operation->looks_up)
		status = stores_find(exec, run.txn, run.name, &run.found, err);
	if (status == SOP_OK)
		status = operation->run(&run);
	if (status == SOP_OK && !fits(&run, 0))
		status = too_long(&run);
	if (status != SOP_OK)
		answer->results.size = before;
	stores_release(exec, &run.found);
	sop_buf_free(&run.key);
	sop_buf_free(&run.value);
	return status;
}
