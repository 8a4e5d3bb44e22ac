#include "item_text.h"

#include "hex.h"
#include "status.h"
#include "text.h"
#include "try.h"

#include <inttypes.h>
#include <string.h>

enum { FIELDS_MAX = 2 * SOP_SCHEMA_FIELDS_MAX };

/* The largest integer that every reader of JSON keeps. */
static const uint64_t SAFE_INT = UINT64_C(1) << 53;

/* What {"name":...} wraps; NULL if `json` is no object of this one member. */
static const struct json *wrapped(const struct json *json, const char *name)
{
	return json->type == JSON_OBJECT && json->count == 1 ? json_member(json, name) : NULL;
}

/* ---- bytes and values */

/* The digits of {"hex":"00ff"}; NULL if `json` is something else. */
static const struct json *hex_of(const struct json *json)
{
	const struct json *hex = wrapped(json, "hex");

	return hex != NULL && hex->type == JSON_STRING ? hex : NULL;
}

/* Decodes the digits `hex` to the end of `room`, where there is room for them. */
static sop_status append_hex(const struct json *hex, sop_buf *room, sop_bytes *bytes, sop_error *err)
{
	unsigned char *to = (unsigned char *)room->data + room->size;

	if (!hex_decode(hex->text, to))
		return error_set(err, SOP_MISUSE, "\"hex\" must be an even number of hex digits");
	*bytes = (sop_bytes){ to, hex->text.size / 2 };
	room->size += bytes->size;
	return SOP_OK;
}

sop_status item_bytes_read(const struct json *json, sop_buf *room, sop_bytes *bytes, sop_error *err)
{
	const struct json *hex = hex_of(json);

	if (json->type == JSON_STRING) {
		*bytes = json->text;
		return SOP_OK;
	}
	if (hex == NULL)
		return error_set(err, SOP_MISUSE, "bytes are a string or {\"hex\":\"00ff\"}");
	room->size = 0;
	TRY(sop_buf_reserve(room, hex->text.size / 2 + 1, err));
	return append_hex(hex, room, bytes, err);
}

sop_status item_value_read(const struct json *json, sop_buf *room, sop_bytes *bytes, sop_error *err)
{
	const struct json *tree = wrapped(json, "json");

	if (tree == NULL)
		return item_bytes_read(json, room, bytes, err);
	text_clear(room);
	json_write(tree, room);
	*bytes = text_bytes(room);
	return SOP_OK;
}

sop_status item_counter_read(const struct json *json, sop_buf *room, sop_error *err)
{
	sop_value value;
	uint64_t bits;

	if (json == NULL || json->type != JSON_NUMBER ||
	    json_integer(json, &value, err) != SOP_OK || value.type != SOP_TYPE_INT)
		return error_set(err, SOP_SCHEMA,
				 "with --values counter a value is an integer from -2^63 to 2^63-1, and nothing else");
	bits = (uint64_t)value.as.integer;
	text_clear(room);
	for (size_t i = 0; i < sizeof bits; i++, bits >>= 8)
		text_putc(room, (char)(bits & 0xFF));
	return SOP_OK;
}

static sop_status check_hex(const struct json *json, sop_error *err)
{
	const struct json *hex = hex_of(json);

	if (hex == NULL)
		return error_set(err, SOP_MISUSE,
				 "an object must be {\"hex\":\"00ff\"} or the like, not this");
	for (size_t i = 0; i < hex->text.size; i++) {
		if (hex_digit(((const char *)hex->text.data)[i]) < 0)
			return error_set(err, SOP_MISUSE, "\"hex\" must be an even number of hex digits");
	}
	if (hex->text.size % 2 != 0)
		return error_set(err, SOP_MISUSE, "\"hex\" must be an even number of hex digits");
	return SOP_OK;
}

sop_status item_value_check(const struct json *json, sop_error *err)
{
	if (json->type == JSON_STRING || wrapped(json, "json") != NULL)
		return SOP_OK;
	if (json->type != JSON_OBJECT)
		return error_set(err, SOP_MISUSE,
				 "\"value\" must be a string, {\"hex\":\"00ff\"} or {\"json\":...}");
	return check_hex(json, err);
}

static sop_status check_field(const struct json *json, sop_error *err)
{
	sop_value value;
	sop_status status;

	if (json->type == JSON_ARRAY)
		return error_set(err, SOP_MISUSE, "a field of a key may not be an array");
	if (json->type != JSON_OBJECT)
		return SOP_OK;
	if (wrapped(json, "int") == NULL)
		return check_hex(json, err);
	status = json_integer(json, &value, err);
	return status == SOP_SCHEMA ? SOP_OK : status; /* the store says whether a number suits it */
}

sop_status item_key_check(const struct json *json, sop_error *err)
{
	if (json->type != JSON_ARRAY)
		return check_field(json, err);
	for (const struct json *field = json->first; field != NULL; field = field->next)
		TRY(check_field(field, err));
	return SOP_OK;
}

/* ---- reading keys */

static const char *form_of(uint32_t type)
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
	default:
		return "RFC 3339 with up to 6 decimals, or an integer of microseconds";
	}
}

/* A float: a number of any form is the double nearest to it, as readers and writers of JSON have it; an integer in
 * quotes must be one exactly, which packing checks. */
static bool read_float(const struct json *json, sop_value *value)
{
	sop_error err = SOP_ERROR_INIT;

	if (json->type == JSON_NUMBER || json_is(json->text, "Infinity") ||
	    json_is(json->text, "-Infinity"))
		return sop_value_parse(SOP_TYPE_FLOAT, json->text, value, NULL) == SOP_OK;
	return json_integer(json, value, &err) == SOP_OK;
}

/* A field of `type`. Bytes in hex go to the end of `room`, which has room for them. */
static bool read_field(const struct json *json, uint32_t type, sop_buf *room, sop_value *value)
{
	sop_error err = SOP_ERROR_INIT;
	const struct json *hex;
	sop_bytes bytes;

	*value = sop_value_null();
	if (json->type == JSON_NULL)
		return true;
	switch (type) {
	case SOP_TYPE_BOOL:
		*value = sop_value_bool(json->type == JSON_TRUE);
		return json->type == JSON_TRUE || json->type == JSON_FALSE;
	case SOP_TYPE_INT:
		return json_integer(json, value, &err) == SOP_OK;
	case SOP_TYPE_FLOAT:
		return read_float(json, value);
	case SOP_TYPE_BYTES:
		hex = hex_of(json);
		bytes = json->text;
		if (hex != NULL && append_hex(hex, room, &bytes, &err) != SOP_OK)
			return false;
		*value = sop_value_bytes(bytes.data, bytes.size);
		return hex != NULL || json->type == JSON_STRING;
	case SOP_TYPE_STR:
		*value = sop_value_bytes(json->text.data, json->text.size);
		value->type = SOP_TYPE_STR;
		return json->type == JSON_STRING;
	case SOP_TYPE_UUID:
		return json->type == JSON_STRING &&
		       sop_value_parse(SOP_TYPE_UUID, json->text, value, NULL) == SOP_OK;
	default:
		if (json->type != JSON_STRING)
			return json_integer(json, value, &err) == SOP_OK;
		return memchr(json->text.data, ':', json->text.size) != NULL &&
		       sop_value_parse(SOP_TYPE_TS, json->text, value, NULL) == SOP_OK;
	}
}

/* The fields that `json` gives: its elements, or itself. */
static const struct json *fields_of(const struct json *json, size_t *count)
{
	*count = json->type == JSON_ARRAY ? json->count : 1;
	return json->type == JSON_ARRAY ? json->first : json;
}

static size_t hex_bytes(const struct json *field, size_t count)
{
	size_t size = 0;

	for (; count > 0; count--, field = field->next) {
		const struct json *hex = hex_of(field);

		size += hex != NULL ? hex->text.size / 2 : 0;
	}
	return size;
}

static sop_status read_fields(const struct item_format *format, const struct json *field,
			      size_t count, sop_value *values, sop_buf *room, sop_error *err)
{
	for (size_t i = 0; i < count; i++, field = field->next) {
		const uint32_t type = sop_schema_field_type(format->schema, i);

		if (!read_field(field, type, room, &values[i]))
			return error_set(err, SOP_SCHEMA,
					 "the field %.100s of the key must be %s, or null",
					 sop_schema_field_name(format->schema, i), form_of(type));
	}
	return SOP_OK;
}

sop_status item_key_read(const struct item_format *format, const struct json *json,
			 enum key_extent extent, sop_buf *key, sop_error *err)
{
	const size_t sort_count = sop_schema_sort_count(format->schema);
	const size_t all = sort_count + sop_schema_ride_count(format->schema);
	sop_value values[FIELDS_MAX];
	sop_buf room = SOP_BUF_INIT;
	const struct json *field;
	sop_status status;
	sop_bytes bytes;
	size_t count;

	if (format->schema == NULL) {
		if (json->type != JSON_STRING && hex_of(json) == NULL)
			return error_set(err, SOP_SCHEMA,
					 "a key of this store is bytes: a string or {\"hex\":\"00ff\"}");
		TRY(item_bytes_read(json, key, &bytes, err));
		if (bytes.data != key->data) {
			text_clear(key);
			text_add(key, bytes.data, bytes.size);
		}
		return SOP_OK;
	}
	field = fields_of(json, &count);
	if (count > all || (extent != KEY_BOUND && count < sort_count))
		return error_set(err, SOP_SCHEMA,
				 "a key has %zu fields here, and %zu to sort by are needed", count,
				 sort_count);
	if (extent != KEY_WHOLE && count > sort_count)
		count = sort_count;
	status = sop_buf_reserve(&room, hex_bytes(field, count) + 1, err);
	if (status == SOP_OK)
		status = read_fields(format, field, count, values, &room, err);
	if (status == SOP_OK)
		status = extent == KEY_WHOLE
				 ? sop_key_pack(format->schema, values, count, key, err)
				 : sop_key_pack_prefix(format->schema, values, count, key, err);
	sop_buf_free(&room);
	return status;
}

/* ---- writing */

/* Bytes that a string can show: UTF-8 without control characters other than tab, newline, carriage return. */
static bool is_plain_text(sop_bytes bytes)
{
	const unsigned char *at = bytes.data;
	size_t left = bytes.size;

	while (left > 0) {
		unsigned code = *at;
		size_t size = 1;

		if (code >= 0x80)
			size = utf8_next((sop_bytes){ at, left }, &code);
		if (size == 0 || (code < 0x20 && code != '\t' && code != '\n' && code != '\r') ||
		    (code >= 0x7F && code < 0xA0))
			return false;
		at += size;
		left -= size;
	}
	return true;
}

static void write_hex(sop_bytes bytes, sop_buf *out)
{
	text_puts(out, "{\"hex\":\"");
	hex_write(bytes, out);
	text_puts(out, "\"}");
}

void item_bytes_write(sop_bytes bytes, sop_buf *out)
{
	if (is_plain_text(bytes))
		json_write_string(bytes, out);
	else
		write_hex(bytes, out);
}

void item_uint_write(bool safe_ints, uint64_t number, sop_buf *out)
{
	text_printf(out, safe_ints && number > SAFE_INT ? "{\"int\":\"%" PRIu64 "\"}" : "%" PRIu64,
		    number);
}

static void write_int(bool safe_ints, int64_t number, sop_buf *out)
{
	if (number >= 0)
		item_uint_write(safe_ints, (uint64_t)number, out);
	else
		text_printf(out,
			    safe_ints && number < -(int64_t)SAFE_INT ? "{\"int\":\"%" PRId64 "\"}"
								     : "%" PRId64,
			    number);
}

/* A value whose text is that of the library; in quotes unless it is a number. */
static void write_text(const sop_value *value, sop_buf *out)
{
	char room[64];
	sop_buf text = SOP_BUF_OVER(room);
	bool quoted;

	if (sop_value_text(value, &text, NULL) != SOP_OK)
		return;
	quoted = memchr(text.data, 'y', text.size) != NULL || value->type == SOP_TYPE_UUID ||
		 value->type == SOP_TYPE_TS;
	if (quoted)
		text_putc(out, '"');
	text_add(out, text.data, text.size);
	if (quoted)
		text_putc(out, '"');
	sop_buf_free(&text);
}

/* Is the time `microseconds` in the years 1 to 9999, which a text can tell? */
static bool has_date(const sop_value *value)
{
	return value->as.integer >= INT64_C(-62135596800000000) &&
	       value->as.integer < INT64_C(253402300800000000);
}

static void write_field(bool safe_ints, const sop_value *value, sop_buf *out)
{
	switch (value->type) {
	case SOP_TYPE_NULL:
		text_puts(out, "null");
		return;
	case SOP_TYPE_BOOL:
		text_puts(out, value->as.boolean ? "true" : "false");
		return;
	case SOP_TYPE_INT:
		write_int(safe_ints, value->as.integer, out);
		return;
	case SOP_TYPE_UINT:
		item_uint_write(safe_ints, value->as.natural, out);
		return;
	case SOP_TYPE_BYTES:
		item_bytes_write(value->as.bytes, out);
		return;
	case SOP_TYPE_STR:
		json_write_string(value->as.bytes, out);
		return;
	case SOP_TYPE_TS:
		if (has_date(value))
			write_text(value, out);
		else
			write_int(safe_ints, value->as.integer, out);
		return;
	default: /* FLOAT, UUID */
		write_text(value, out);
		return;
	}
}

void item_key_write(const struct item_format *format, sop_bytes key, sop_buf *out)
{
	sop_value values[FIELDS_MAX];
	sop_buf room = SOP_BUF_INIT;
	size_t count = 0;

	if (format->schema == NULL) {
		item_bytes_write(key, out);
	} else if (sop_key_unpack(format->schema, key, values, FIELDS_MAX, &count, &room, NULL) != SOP_OK) {
		write_hex(key, out);
	} else {
		text_putc(out, '[');
		for (size_t i = 0; i < count; i++) {
			if (i > 0)
				text_putc(out, ',');
			write_field(format->safe_ints, &values[i], out);
		}
		text_putc(out, ']');
	}
	sop_buf_free(&room);
}
