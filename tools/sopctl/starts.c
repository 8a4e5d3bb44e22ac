#include "starts.h"

#include "field_text.h"
#include "status.h"
#include "text.h"
#include "try.h"

enum { POINT_LAST = 0x10FFFF, BEFORE_SURROGATES = 0xD7FF, BEHIND_SURROGATES = 0xE000 };

/* Appends a code point in UTF-8. */
static void add_point(unsigned point, sop_buf *out)
{
	const unsigned size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	char bytes[4];

	for (unsigned i = size; i-- > 1; point >>= 6)
		bytes[i] = (char)(0x80 | (point & 0x3F));
	bytes[0] = (char)(size == 1 ? point : (0xF0u << (4 - size) & 0xFF) | point);
	text_add(out, bytes, size);
}

/* The first text behind all that begin with `text`, in the order of code points: the last one of its code points that has
 * a next one becomes that. False: there is none. REQUIRES: it is UTF-8. */
static bool text_behind(sop_bytes text, sop_buf *out)
{
	const char *data = text.data;
	size_t left = text.size;

	while (left > 0) {
		unsigned point = 0;
		size_t at = left - 1;

		while (at > 0 && ((unsigned char)data[at] & 0xC0) == 0x80)
			at--;
		if ((unsigned char)data[at] < 0x80)
			point = (unsigned char)data[at];
		else
			(void)utf8_next((sop_bytes){ data + at, left - at }, &point);
		if (point < POINT_LAST) {
			text_clear(out);
			text_add(out, data, at);
			add_point(point == BEFORE_SURROGATES ? BEHIND_SURROGATES : point + 1, out);
			return true;
		}
		left = at;
	}
	return false;
}

/* Reads the first `count` of `fields` as a bound; the last of them is `last`, if that is given. */
static sop_status fields_bound(const struct item_format *format, const struct json *fields,
			       size_t count, const sop_bytes *last, sop_buf *key, sop_error *err)
{
	sop_buf array = SOP_BUF_INIT;
	sop_status status;

	text_putc(&array, '[');
	for (size_t i = 0; i < count; i++, fields = fields->next) {
		if (i > 0)
			text_putc(&array, ',');
		if (i + 1 == count && last != NULL)
			json_write_string(*last, &array);
		else
			json_write(fields, &array);
	}
	text_putc(&array, ']');
	status = key_of_text(format, text_bytes(&array), KEY_BOUND, key, err);
	sop_buf_free(&array);
	return status;
}

static bool is_ascending_text(const struct item_format *format, size_t field)
{
	return field < sop_schema_sort_count(format->schema) &&
	       sop_schema_field_type(format->schema, field) == SOP_TYPE_STR &&
	       !sop_schema_field_descending(format->schema, field);
}

static sop_status starts_of_fields(const struct item_format *format, const struct json *fields,
				   size_t count, struct starts *starts, sop_error *err)
{
	const struct json *last = fields;
	sop_buf behind = SOP_BUF_INIT;
	sop_status status = SOP_OK;

	for (size_t i = 1; i < count; i++)
		last = last->next;
	if (count == 0 || last->type != JSON_STRING || !is_ascending_text(format, count - 1))
		return error_set(err, SOP_SCHEMA,
				 "--starts-with takes the beginning of a text last, whose field ascends; --prefix takes whole fields");
	starts->has_prefix = count > 1;
	if (starts->has_prefix)
		TRY(fields_bound(format, fields, count - 1, NULL, &starts->prefix, err));
	starts->has_from = last->text.size > 0;
	TRY(fields_bound(format, fields, count, NULL, &starts->from, err));
	starts->has_to = text_behind(last->text, &behind);
	if (starts->has_to) {
		const sop_bytes text = text_bytes(&behind);

		status = fields_bound(format, fields, count, &text, &starts->to, err);
	}
	sop_buf_free(&behind);
	return status;
}

sop_status starts_of_text(const struct item_format *format, sop_bytes text, struct starts *starts,
			  sop_error *err)
{
	struct json_document document = JSON_DOCUMENT_INIT;
	const bool is_array = text.size > 0 && *(const char *)text.data == '[';
	sop_buf word = SOP_BUF_INIT;
	sop_status status;

	if (format->schema == NULL) {
		starts->has_prefix = true;
		return key_of_text(format, text, KEY_BOUND, &starts->prefix, err);
	}
	if (!is_array)
		field_json(sop_schema_field_type(format->schema, 0), text, &word);
	status = json_parse(&document, is_array ? text : text_bytes(&word), err);
	if (status == SOP_OK)
		status = starts_of_fields(format, is_array ? document.root->first : document.root,
					  is_array ? document.root->count : 1, starts, err);
	json_free(&document);
	sop_buf_free(&word);
	return status;
}

void starts_free(struct starts *starts)
{
	sop_buf_free(&starts->prefix);
	sop_buf_free(&starts->from);
	sop_buf_free(&starts->to);
}
