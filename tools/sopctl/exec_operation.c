/* The operations of a transaction: their form, and which function runs each: the table at the end. */
#include "exec_run.h"

#include "status.h"
#include "text.h"
#include "try.h"

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

static const char *const placements[] = { PLACEMENT, "small", "medium", "big" };

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
	{ "get", item_fields, true, op_get },
	{ "put", put_fields, true, op_put },
	{ "insert", put_fields, true, op_insert },
	{ "update", update_fields, true, op_update },
	{ "remove", item_fields, true, op_remove },
	{ "scan", scan_fields, true, op_scan },
	{ "count", range_fields, true, op_count },
	{ "remove_range", range_fields, true, op_remove_range },
	{ "add", add_fields, true, op_add },
	{ "min", to_fields, true, op_min },
	{ "max", to_fields, true, op_max },
	{ "savepoint", savepoint_fields, false, op_savepoint },
	{ "rollback_to", savepoint_fields, false, op_rollback_to },
	{ "create", create_fields, false, op_create },
	{ "drop", store_fields, false, op_drop },
	{ "rename", rename_fields, false, op_rename },
	{ "stores", no_fields, false, op_stores },
	{ "info", store_fields, true, op_info },
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

bool operation_is_number(const struct json *op)
{
	const struct operation *operation = operation_of(op);

	return operation->fields == add_fields || operation->fields == to_fields;
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
	if (status == SOP_OK && !run_fits(&run, 0))
		status = run_too_long(&run);
	if (status != SOP_OK)
		answer->results.size = before;
	stores_release(exec, &run.found);
	sop_buf_free(&run.key);
	sop_buf_free(&run.value);
	return status;
}
