/* Schemas from JSON. The shape is checked member by member: what is not known is refused, so
 * that a misspelt word is never silently nothing. */
#define _POSIX_C_SOURCE 200809L

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/uuid.h"
#include "codec/key_field.h"
#include "codec/key_utf8.h"
#include "codec/schema.h"
#include "codec/schema_text.h"

#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCHEMA_VERSION = 1, INT64_DIGITS_MAX = 18, SHOWN_BYTES = 40 };

/* A schema while it is read. The names are those of the JSON, until the schema is copied. */
struct reader {
	struct sopi_schema schema;
	struct sopi_field fields[SOPI_FIELDS_MAX];
	sop_buf defaults;
	sop_buf scratch; /* bytes that were given as hex */
};

/* A piece of the text for messages, cut between characters. */
struct piece {
	char text[SHOWN_BYTES + 4];
};

static struct piece piece_of(const char *text)
{
	struct piece piece;
	size_t size = strlen(text);
	const char *dots = "";

	if (size > SHOWN_BYTES) {
		size = SHOWN_BYTES;
		while (((unsigned char)text[size] & 0xC0) == 0x80)
			size--;
		dots = "...";
	}
	memcpy(piece.text, text, size);
	memcpy(piece.text + size, dots, strlen(dots) + 1);
	return piece;
}

static uint32_t type_of(const char *name)
{
	for (uint32_t type = SOP_TYPE_BOOL; type <= SOP_TYPE_TS; type++) {
		if (type != SOP_TYPE_UINT && strcmp(name, sopi_type_name(type)) == 0)
			return type;
	}
	return SOP_TYPE_NULL;
}

/* The only member of `json` if that is {"NAME":"text"}, else NULL. */
static json_t *only_string(json_t *json, const char *name)
{
	json_t *member = json_object_get(json, name);

	return json_object_size(json) == 1 && json_is_string(member) ? member : NULL;
}

/* An integer as a number, or as {"int":"..."} for those that JSON readers spoil. */
static bool int_of(json_t *json, sop_value *value)
{
	json_t *text = only_string(json, "int");

	if (text != NULL)
		return sopi_text_to_int(json_string_value(text), json_string_length(text), value);
	*value = sop_value_int(json_integer_value(json));
	return json_is_integer(json);
}

static bool float_of(json_t *json, sop_value *value)
{
	json_t *digits = only_string(json, "int");
	const char *text = json_string_value(json);

	*value = sop_value_float(json_number_value(json));
	if (digits != NULL) {
		/* it may be longer than a 64-bit integer, and yet a number */
		const char *number = json_string_value(digits);
		const size_t sign = number[0] == '-';

		if (strspn(number + sign, "0123456789") + sign != json_string_length(digits) ||
		    number[sign] == '\0')
			return false;
		value->as.real = strtod(number, NULL);
		return isfinite(value->as.real);
	}
	if (text == NULL)
		return json_is_number(json);
	value->as.real = text[0] == '-' ? -HUGE_VAL : HUGE_VAL;
	return strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0;
}

/* Text or {"hex":"00ff"}; the bytes are in the JSON or in `scratch`. */
static sop_status bytes_of(json_t *json, sop_buf *scratch, bool *good, sop_value *value, sop_error *err)
{
	json_t *hex = only_string(json, "hex");

	*good = true;
	*value = sop_value_bytes(json_string_value(json), json_string_length(json));
	if (hex == NULL) {
		*good = json_is_string(json);
		return SOP_OK;
	}
	SOP_TRY(sop_buf_reserve(scratch, json_string_length(hex) / 2, err));
	*good = sopi_text_to_bytes(json_string_value(hex), json_string_length(hex), scratch->data);
	*value = sop_value_bytes(scratch->data, json_string_length(hex) / 2);
	return SOP_OK;
}

static bool uuid_of(const char *text, size_t size, sop_value *value)
{
	struct sopi_uuid uuid;

	if (!sopi_uuid_parse(text, size, &uuid))
		return false;
	*value = sop_value_uuid(uuid.bytes);
	return true;
}

/* Reads the default of a field of `type`; `*good` tells whether it is one. */
static sop_status value_of(json_t *json, uint32_t type, sop_buf *scratch, bool *good,
			   sop_value *value, sop_error *err)
{
	const char *text = json_string_value(json);
	const size_t size = json_string_length(json);

	*value = sop_value_null();
	*good = true;
	if (json == NULL || json_is_null(json))
		return SOP_OK;
	switch (type) {
	case SOP_TYPE_BOOL:
		*good = json_is_boolean(json);
		*value = sop_value_bool(json_is_true(json));
		return SOP_OK;
	case SOP_TYPE_INT:
		*good = int_of(json, value);
		return SOP_OK;
	case SOP_TYPE_FLOAT:
		*good = float_of(json, value);
		return SOP_OK;
	case SOP_TYPE_BYTES:
		return bytes_of(json, scratch, good, value, err);
	case SOP_TYPE_STR:
		*good = text != NULL;
		*value = sop_value_bytes(text, size);
		value->type = SOP_TYPE_STR;
		return SOP_OK;
	case SOP_TYPE_UUID:
		*good = text != NULL && uuid_of(text, size, value);
		return SOP_OK;
	case SOP_TYPE_TS:
		*good = text != NULL ? sopi_text_to_ts(text, size, value) : int_of(json, value);
		return SOP_OK;
	default:
		SOPI_UNREACHABLE();
	}
}

static const char *default_forms(uint32_t type)
{
	switch (type) {
	case SOP_TYPE_BOOL:
		return "true or false";
	case SOP_TYPE_INT:
		return "an integer from -2^63 to 2^64-1";
	case SOP_TYPE_FLOAT:
		return "a number, \"Infinity\" or \"-Infinity\"";
	case SOP_TYPE_BYTES:
		return "a string or {\"hex\":\"00ff\"}";
	case SOP_TYPE_STR:
		return "a string";
	case SOP_TYPE_UUID:
		return "a string of 8-4-4-4-12 hex digits";
	case SOP_TYPE_TS:
		return "RFC 3339 with up to 6 decimals, or an integer of microseconds";
	default:
		SOPI_UNREACHABLE();
	}
}

/* Encodes the default of the ride field that was read last. */
static sop_status read_default(struct reader *reader, size_t index, json_t *json, sop_error *err)
{
	struct sopi_field *field = &reader->fields[index];
	sop_value value;
	size_t size;
	bool good;

	SOP_TRY(value_of(json, field->type, &reader->scratch, &good, &value, err));
	if (!good)
		return sopi_fail(err, SOP_SCHEMA, "schema: the default of %s must be null or %s",
				 sopi_field_label(&reader->schema, index).text,
				 default_forms(field->type));
	SOP_TRY(sopi_field_measure(&reader->schema, index, &value, &size, err));
	SOP_TRY(sopi_buf_room(&reader->defaults, size, err));
	field->default_at = (uint32_t)reader->defaults.size;
	sopi_field_write(field, &value, (uint8_t *)reader->defaults.data + reader->defaults.size);
	reader->defaults.size += size;
	return SOP_OK;
}

static sop_status read_name(struct sopi_field *field, const char *where, size_t number,
			    json_t *json, sop_error *err)
{
	const char *name = json_string_value(json);
	const size_t size = json_string_length(json);

	if (name == NULL || size == 0)
		return sopi_fail(err, SOP_SCHEMA,
				 "schema: %s field %zu needs a name: \"n\" with a string of 1 to %d "
				 "bytes",
				 where, number, SOPI_FIELD_NAME_BYTES_MAX);
	if (size > SOPI_FIELD_NAME_BYTES_MAX)
		return sopi_fail(err, SOP_LIMIT,
				 "schema: the name of %s field %zu is %zu bytes long; the limit is %d",
				 where, number, size, SOPI_FIELD_NAME_BYTES_MAX);
	if (sopi_utf8_has_control((const uint8_t *)name, size))
		return sopi_fail(err, SOP_SCHEMA,
				 "schema: the name of %s field %zu has a control character", where,
				 number);
	field->name = name;
	field->name_size = (uint8_t)size;
	return SOP_OK;
}

static sop_status check_name_is_new(const struct reader *reader, size_t index, sop_error *err)
{
	const struct sopi_field *field = &reader->fields[index];

	for (size_t i = 0; i < index; i++) {
		if (strcmp(reader->fields[i].name, field->name) == 0)
			return sopi_fail(err, SOP_SCHEMA, "schema: two fields have the name \"%s\"",
					 piece_of(field->name).text);
	}
	return SOP_OK;
}

/* Refuses members beyond `known`, which ends with NULL. */
static sop_status check_members(json_t *object, const char *const *known, const char *where,
				size_t number, sop_error *err)
{
	const char *name;
	json_t *member;

	json_object_foreach(object, name, member)
	{
		size_t i = 0;

		while (known[i] != NULL && strcmp(known[i], name) != 0)
			i++;
		if (known[i] != NULL)
			continue;
		if (number == 0)
			return sopi_fail(err, SOP_SCHEMA,
					 "schema: unknown member \"%s\"; known are v, sort and ride",
					 piece_of(name).text);
		return sopi_fail(err, SOP_SCHEMA, "schema: unknown member \"%s\" in %s field %zu",
				 piece_of(name).text, where, number);
	}
	return SOP_OK;
}

static sop_status read_type(struct sopi_field *field, const char *where, size_t number,
			    json_t *json, sop_error *err)
{
	const char *name = json_string_value(json);

	field->type = name != NULL ? (uint8_t)type_of(name) : SOP_TYPE_NULL;
	if (field->type != SOP_TYPE_NULL)
		return SOP_OK;
	return sopi_fail(err, SOP_SCHEMA,
			 "schema: %s field %zu has the type \"%s\"; \"t\" is one of bool bytes str "
			 "int float uuid ts",
			 where, number, name != NULL ? piece_of(name).text : "");
}

/* One element of "sort" or "ride". */
static sop_status read_field(struct reader *reader, bool ride, size_t number, json_t *json, sop_error *err)
{
	static const char *const sort_members[] = { "n", "t", "desc", NULL };
	static const char *const ride_members[] = { "n", "t", "default", NULL };
	const size_t index = reader->schema.sort_count + reader->schema.ride_count;
	const char *const where = ride ? "ride" : "sort";
	struct sopi_field *field = &reader->fields[index];
	json_t *desc = json_object_get(json, "desc");

	if (!json_is_object(json))
		return sopi_fail(err, SOP_SCHEMA,
				 "schema: %s field %zu must be an object like "
				 "{\"n\":\"name\",\"t\":\"str\"}",
				 where, number);
	if (ride && desc != NULL)
		return sopi_fail(err, SOP_SCHEMA,
				 "schema: ride field %zu has \"desc\", but ride fields have no order; "
				 "leave it out",
				 number);
	if (desc != NULL && !json_is_boolean(desc))
		return sopi_fail(err, SOP_SCHEMA,
				 "schema: \"desc\" of sort field %zu must be true or false", number);
	SOP_TRY(check_members(json, ride ? ride_members : sort_members, where, number, err));
	SOP_TRY(read_name(field, where, number, json_object_get(json, "n"), err));
	SOP_TRY(check_name_is_new(reader, index, err));
	SOP_TRY(read_type(field, where, number, json_object_get(json, "t"), err));
	field->mask = json_is_true(desc) ? 0xFF : 0x00;
	if (!ride) {
		reader->schema.sort_count++;
		return SOP_OK;
	}
	SOP_TRY(read_default(reader, index, json_object_get(json, "default"), err));
	reader->schema.ride_count++;
	return SOP_OK;
}

static sop_status read_fields(struct reader *reader, bool ride, json_t *json, sop_error *err)
{
	const size_t count = json_array_size(json);

	if (!json_is_array(json))
		return sopi_fail(err, SOP_SCHEMA, "schema: \"%s\" must be a list of fields",
				 ride ? "ride" : "sort");
	if (count > SOP_SCHEMA_FIELDS_MAX)
		return sopi_fail(err, SOP_LIMIT, "schema: %zu %s fields; the limit is %d", count,
				 ride ? "ride" : "sort", SOP_SCHEMA_FIELDS_MAX);
	for (size_t i = 0; i < count; i++)
		SOP_TRY(read_field(reader, ride, i + 1, json_array_get(json, i), err));
	return SOP_OK;
}

static sop_status read_version(json_t *json, sop_error *err)
{
	const json_int_t version = json_integer_value(json);

	if (!json_is_integer(json) || version < SCHEMA_VERSION)
		return sopi_fail(err, SOP_SCHEMA,
				 "schema: \"v\", its version, must be the number %d", SCHEMA_VERSION);
	if (version > SCHEMA_VERSION)
		return sopi_fail(err, SOP_UNSUPPORTED,
				 "schema: version %" JSON_INTEGER_FORMAT
				 " is not known; this library knows version %d, use a newer one",
				 version, SCHEMA_VERSION);
	return SOP_OK;
}

static sop_status read_schema(struct reader *reader, json_t *json, sop_error *err)
{
	static const char *const members[] = { "v", "sort", "ride", NULL };
	json_t *ride = json_object_get(json, "ride");

	if (!json_is_object(json))
		return sopi_fail(err, SOP_SCHEMA,
				 "schema: it must be an object like "
				 "{\"v\":1,\"sort\":[{\"n\":\"name\",\"t\":\"str\"}]}");
	SOP_TRY(read_version(json_object_get(json, "v"), err));
	SOP_TRY(check_members(json, members, "", 0, err));
	SOP_TRY(read_fields(reader, false, json_object_get(json, "sort"), err));
	if (reader->schema.sort_count == 0)
		return sopi_fail(err, SOP_SCHEMA, "schema: a key needs at least one sort field");
	if (ride != NULL)
		SOP_TRY(read_fields(reader, true, ride, err));
	reader->schema.defaults = (sop_bytes){ reader->defaults.data, reader->defaults.size };
	return SOP_OK;
}

static bool is_number_char(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Writes integers that jansson cannot hold as {"int":"..."}. Whether they may stand there, and
 * are well-formed, is checked where they are used. */
static sop_status wrap_big_ints(sop_bytes json, sop_buf *out, sop_error *err)
{
	const char *const text = json.data;
	bool in_string = false;
	size_t size;

	for (size_t at = 0; at < json.size; at += size) {
		bool big;

		size = 1;
		if (in_string) {
			size += text[at] == '\\' && at + 1 < json.size;
			in_string = text[at] != '"';
		} else if (text[at] == '"') {
			in_string = true;
		} else {
			while (is_number_char(text[at]) && at + size < json.size &&
			       is_number_char(text[at + size]))
				size++;
		}
		big = size > INT64_DIGITS_MAX;
		for (size_t i = 0; i < size && big; i++)
			big = (text[at + i] >= '0' && text[at + i] <= '9') ||
			      (i == 0 && text[at] == '-');
		if (big)
			SOP_TRY(sopi_buf_append(out, "{\"int\":\"", 8, err));
		SOP_TRY(sopi_buf_append(out, text + at, size, err));
		if (big)
			SOP_TRY(sopi_buf_append(out, "\"}", 2, err));
	}
	return SOP_OK;
}

static sop_status load(sop_bytes json, json_t **out, sop_error *err)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
	sop_buf wrapped = SOP_BUF_INIT;
	json_error_t problem;

	*out = json_loadb(json.size > 0 ? json.data : "", json.size, flags, &problem);
	if (*out == NULL && json_error_code(&problem) == json_error_numeric_overflow) {
		sop_status status = wrap_big_ints(json, &wrapped, err);

		if (status == SOP_OK)
			*out = json_loadb(wrapped.data, wrapped.size, flags, &problem);
		sop_buf_free(&wrapped);
		SOP_TRY(status);
	}
	if (*out != NULL)
		return SOP_OK;
	if (json_error_code(&problem) == json_error_out_of_memory)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory while a schema was read");
	return sopi_fail(err, SOP_SCHEMA, "schema: it is not JSON: %s (at byte %d)", problem.text,
			 problem.position);
}

/* Gives the schema that `reader` has read a text and a memory of its own. */
static sop_status finish(struct reader *reader, struct sopi_schema **out, sop_error *err)
{
	sop_buf text = SOP_BUF_INIT;
	sop_status status;

	SOP_TRY_OUT(sopi_schema_write(&reader->schema, &text, err));
	if (text.size > SOPI_SCHEMA_BYTES_MAX) {
		status = sopi_fail(err, SOP_LIMIT,
				   "schema: its canonical text is %zu bytes long; the limit is %d",
				   text.size, SOPI_SCHEMA_BYTES_MAX);
		goto out;
	}
	reader->schema.text = (sop_bytes){ text.data, text.size };
	status = sopi_schema_copy(&reader->schema, out, err);
out:
	sop_buf_free(&text);
	return status;
}

/* Reads a schema in the C locale: jansson aborts where the decimal point is not one byte, and numbers
 * would be written with commas. Only this thread's locale changes, and only for now. */
static sop_status parse(struct reader *reader, sop_bytes json, struct sopi_schema **out, sop_error *err)
{
	const locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t callers;
	json_t *root = NULL;
	sop_status status;

	if (c_locale == (locale_t)0)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory while a schema was read");
	callers = uselocale(c_locale);
	SOP_TRY_OUT(load(json, &root, err));
	SOP_TRY_OUT(read_schema(reader, root, err));
	status = finish(reader, out, err);
out:
	json_decref(root);
	uselocale(callers);
	freelocale(c_locale);
	return status;
}

sop_status sopi_schema_parse(sop_bytes json, struct sopi_schema **out, sop_error *err)
{
	struct reader *reader = NULL;
	sop_status status;

	if (json.size > SOPI_SCHEMA_BYTES_MAX)
		return sopi_fail(err, SOP_LIMIT, "schema: %zu bytes of JSON; the limit is %d",
				 json.size, SOPI_SCHEMA_BYTES_MAX);
	SOP_TRY(sopi_alloc_zeroed(sizeof *reader, (void **)&reader, err));
	reader->schema.tag = SOPI_SCHEMA_TAG;
	reader->schema.fields = reader->fields;
	status = parse(reader, json, out, err);
	sop_buf_free(&reader->defaults);
	sop_buf_free(&reader->scratch);
	sopi_free(reader);
	return status;
}
