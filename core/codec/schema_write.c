/* Schemas as canonical JSON: fixed order of members, no spaces, nothing that is the default. */
#include "codec/schema_text.h"

#include "base/buffer.h"
#include "base/uuid.h"
#include "codec/key_field.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static sop_status put(sop_buf *text, const char *more, sop_error *err)
{
	return sopi_buf_append(text, more, strlen(more), err);
}

static const char *short_escape(uint8_t byte)
{
	switch (byte) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\b':
		return "\\b";
	case '\f':
		return "\\f";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

/* A JSON string. Only what JSON demands is escaped, so that there is one text for each string. */
static sop_status put_string(sop_buf *text, const void *string, size_t size, sop_error *err)
{
	const uint8_t *bytes = string;

	SOP_TRY(put(text, "\"", err));
	for (size_t i = 0; i < size; i++) {
		const char *escape = short_escape(bytes[i]);
		char long_escape[8];

		if (escape == NULL && bytes[i] < 0x20) {
			snprintf(long_escape, sizeof long_escape, "\\u%04x", bytes[i]);
			escape = long_escape;
		}
		if (escape != NULL)
			SOP_TRY(put(text, escape, err));
		else
			SOP_TRY(sopi_buf_append(text, &bytes[i], 1, err));
	}
	return put(text, "\"", err);
}

static sop_status put_hex(sop_buf *text, sop_bytes bytes, sop_error *err)
{
	SOP_TRY(put(text, "{\"hex\":\"", err));
	for (size_t i = 0; i < bytes.size; i++) {
		char digits[3];

		snprintf(digits, sizeof digits, "%02x", ((const uint8_t *)bytes.data)[i]);
		SOP_TRY(put(text, digits, err));
	}
	return put(text, "\"}", err);
}

static sop_status put_float(sop_buf *text, double real, sop_error *err)
{
	char number[SOPI_NUMBER_TEXT_BYTES];

	if (isinf(real))
		return put(text, real < 0 ? "\"-Infinity\"" : "\"Infinity\"", err);
	sopi_float_to_text(real, number);
	return put(text, number, err);
}

static sop_status put_uuid(sop_buf *text, const uint8_t bytes[SOPI_UUID_BYTES], sop_error *err)
{
	char form[SOPI_UUID_TEXT_SIZE + 1];
	struct sopi_uuid uuid;

	memcpy(uuid.bytes, bytes, sizeof uuid.bytes);
	sopi_uuid_format(&uuid, form);
	return put_string(text, form, SOPI_UUID_TEXT_SIZE, err);
}

static sop_status put_value(sop_buf *text, const sop_value *value, sop_error *err)
{
	char number[SOPI_NUMBER_TEXT_BYTES];

	switch (value->type) {
	case SOP_TYPE_BOOL:
		return put(text, value->as.boolean ? "true" : "false", err);
	case SOP_TYPE_UINT: /* beyond what many readers of JSON keep, and jansson refuses it */
		snprintf(number, sizeof number, "{\"int\":\"%" PRIu64 "\"}", value->as.natural);
		return put(text, number, err);
	case SOP_TYPE_FLOAT:
		return put_float(text, value->as.real, err);
	case SOP_TYPE_BYTES:
		return put_hex(text, value->as.bytes, err);
	case SOP_TYPE_STR:
		return put_string(text, value->as.bytes.data, value->as.bytes.size, err);
	case SOP_TYPE_UUID:
		return put_uuid(text, value->as.uuid, err);
	case SOP_TYPE_TS:
		if (sopi_ts_to_text(value->as.integer, number))
			return put_string(text, number, strlen(number), err);
		break;
	case SOP_TYPE_INT:
		break;
	default:
		SOPI_UNREACHABLE();
	}
	snprintf(number, sizeof number, "%" PRId64, value->as.integer);
	return put(text, number, err);
}

/* The default of a ride field, unless it is null. `room` is scratch. */
static sop_status put_default(sop_buf *text, const struct sopi_schema *schema, size_t index,
			      sop_buf *room, sop_error *err)
{
	const sop_bytes encoded = sopi_schema_default(schema, index);
	const uint8_t *at = encoded.data;
	sop_value value;
	uint8_t *to;

	room->size = 0;
	SOP_TRY(sop_buf_reserve(room, encoded.size, err));
	to = room->data;
	sopi_field_read(&schema->fields[index], &at, &value, &to);
	if (value.type == SOP_TYPE_NULL)
		return SOP_OK;
	SOP_TRY(put(text, ",\"default\":", err));
	return put_value(text, &value, err);
}

static sop_status put_fields(sop_buf *text, const struct sopi_schema *schema, size_t from,
			     size_t to, sop_buf *room, sop_error *err)
{
	for (size_t i = from; i < to; i++) {
		const struct sopi_field *field = &schema->fields[i];

		SOP_TRY(put(text, i > from ? ",{\"n\":" : "{\"n\":", err));
		SOP_TRY(put_string(text, field->name, field->name_size, err));
		SOP_TRY(put(text, ",\"t\":\"", err));
		SOP_TRY(put(text, sopi_type_name(field->type), err));
		SOP_TRY(put(text, "\"", err));
		if (field->mask != 0)
			SOP_TRY(put(text, ",\"desc\":true", err));
		if (i >= schema->sort_count)
			SOP_TRY(put_default(text, schema, i, room, err));
		SOP_TRY(put(text, "}", err));
	}
	return SOP_OK;
}

sop_status sopi_schema_write(const struct sopi_schema *schema, sop_buf *text, sop_error *err)
{
	const size_t total = schema->sort_count + schema->ride_count;
	sop_buf room = SOP_BUF_INIT;
	sop_status status;

	text->size = 0;
	SOP_TRY_OUT(put(text, "{\"v\":1,\"sort\":[", err));
	SOP_TRY_OUT(put_fields(text, schema, 0, schema->sort_count, &room, err));
	if (schema->ride_count > 0) {
		SOP_TRY_OUT(put(text, "],\"ride\":[", err));
		SOP_TRY_OUT(put_fields(text, schema, schema->sort_count, total, &room, err));
	}
	SOP_TRY_OUT(put(text, "]}", err));
out:
	sop_buf_free(&room);
	return status;
}
