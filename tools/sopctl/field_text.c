#include "field_text.h"

#include "csv.h"
#include "hex.h"
#include "status.h"
#include "text.h"
#include "try.h"

#include <string.h>

/* Whether `text` is an integer as JSON writes it, roughly: the rest is checked when it is parsed. */
static bool looks_like_number(sop_bytes text)
{
	const char *data = text.data;

	return text.size > 0 && ((data[0] >= '0' && data[0] <= '9') ||
				 (data[0] == '-' && text.size > 1 && data[1] >= '0' && data[1] <= '9'));
}

static bool is_integer(sop_bytes text)
{
	const char *data = text.data;

	for (size_t i = 0; i < text.size; i++) {
		if (data[i] < '0' && !(i == 0 && data[i] == '-'))
			return false;
		if (data[i] > '9')
			return false;
	}
	return looks_like_number(text);
}

void field_json(uint32_t type, sop_bytes text, sop_buf *out)
{
	const bool plain = (type == SOP_TYPE_INT && is_integer(text)) ||
			   (type == SOP_TYPE_TS && is_integer(text)) ||
			   (type == SOP_TYPE_FLOAT && looks_like_number(text)) ||
			   (type == SOP_TYPE_BOOL && (json_is(text, "true") || json_is(text, "false"))) ||
			   (type == SOP_TYPE_BYTES && is_hex_form(text));

	if (plain)
		text_add(out, text.data, text.size);
	else
		json_write_string(text, out);
}

/* Reads the JSON `text` as a key. */
static sop_status key_of_json(const struct item_format *format, sop_bytes text,
			      enum key_extent extent, sop_buf *key, sop_error *err)
{
	struct json_document document = JSON_DOCUMENT_INIT;
	sop_status status = json_parse(&document, text, err);

	if (status == SOP_OK)
		status = item_key_read(format, document.root, extent, key, err);
	json_free(&document);
	return status;
}

sop_status key_of_text(const struct item_format *format, sop_bytes text, enum key_extent extent,
		       sop_buf *key, sop_error *err)
{
	sop_buf json = SOP_BUF_INIT;
	sop_bytes bytes;
	sop_status status;

	if (format->schema == NULL) {
		TRY(bytes_of_text(text, key, &bytes, err));
		if (bytes.data != key->data) {
			text_clear(key);
			text_add(key, bytes.data, bytes.size);
		}
		return SOP_OK;
	}
	if (text.size > 0 && *(const char *)text.data == '[')
		return key_of_json(format, text, extent, key, err);
	field_json(sop_schema_field_type(format->schema, 0), text, &json);
	status = key_of_json(format, text_bytes(&json), extent, key, err);
	sop_buf_free(&json);
	return status;
}

sop_status bytes_of_text(sop_bytes text, sop_buf *room, sop_bytes *bytes, sop_error *err)
{
	static const size_t head = sizeof "{\"hex\":\"" - 1;
	static const size_t tail = sizeof "\"}" - 1;
	const size_t size = text.size - head - tail; /* of the digits, once the form is known */

	*bytes = text;
	if (!is_hex_form(text))
		return SOP_OK;
	TRY(sop_buf_reserve(room, size / 2 + 1, err));
	hex_decode((sop_bytes){ (const char *)text.data + head, size }, room->data);
	room->size = size / 2;
	*bytes = text_bytes(room);
	return SOP_OK;
}

size_t key_columns(const struct item_format *format, const char **names)
{
	const size_t count =
		sop_schema_sort_count(format->schema) + sop_schema_ride_count(format->schema);

	for (size_t i = 0; i < count; i++)
		names[i] = sop_schema_field_name(format->schema, i);
	if (format->schema != NULL)
		return count;
	names[0] = "key";
	return 1;
}

/* The cell of one field as item_key_write wrote it. */
static struct cell field_cell(uint32_t type, const struct json *field)
{
	static const size_t head = sizeof "{\"hex\":\"" - 1;
	static const size_t tail = sizeof "\"}" - 1;

	switch (field->type) {
	case JSON_NULL:
		return (struct cell){ CELL_NULL, { NULL, 0 } };
	case JSON_STRING:
		return (struct cell){ type == SOP_TYPE_BYTES ? CELL_BYTES : CELL_TEXT, field->text };
	case JSON_NUMBER:
		return (struct cell){ CELL_JSON, field->text };
	case JSON_TRUE:
		return cell_bool(true);
	case JSON_FALSE:
		return cell_bool(false);
	default: /* {"hex":"00ff"}: its digits lie within the text, which has just this form */
		return (struct cell){ CELL_JSON,
				      { (const char *)field->first->text.data - head,
					field->first->text.size + head + tail } };
	}
}

void key_cells(const struct item_format *format, sop_bytes key, struct key_cells *scratch,
	       struct cell *cells)
{
	const char *names[KEY_CELLS_MAX];
	const size_t count = key_columns(format, names);
	const struct json *field;
	sop_error err = SOP_ERROR_INIT;

	if (format->schema == NULL) {
		cells[0] = (struct cell){ CELL_BYTES, key };
		return;
	}
	text_clear(&scratch->text);
	item_key_write(format, key, &scratch->text);
	field = json_parse(&scratch->document, text_bytes(&scratch->text), &err) == SOP_OK &&
				scratch->document.root->type == JSON_ARRAY
			? scratch->document.root->first
			: NULL;
	for (size_t i = 0; i < count; i++) {
		cells[i] = (struct cell){ CELL_NULL, { NULL, 0 } };
		if (field != NULL) {
			cells[i] = field_cell(sop_schema_field_type(format->schema, i), field);
			field = field->next;
		}
	}
}

void key_cells_free(struct key_cells *scratch)
{
	sop_buf_free(&scratch->text);
	json_free(&scratch->document);
}
