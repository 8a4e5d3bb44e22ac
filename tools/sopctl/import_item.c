#include "import_item.h"

#include "status.h"
#include "text.h"
#include "try.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NOWHERE SIZE_MAX

/* Takes the names of --key apart at the commas. */
static sop_status names_of_key(struct import_map *map, const char *key, sop_error *err)
{
	const size_t most = sop_schema_sort_count(map->format.schema) +
			    sop_schema_ride_count(map->format.schema);
	const size_t least = sop_schema_sort_count(map->format.schema);
	char *at;

	map->key_text = memory_of(strlen(key) + 1, 1);
	memcpy(map->key_text, key, strlen(key) + 1);
	map->names_given = true;
	map->name_count = 0;
	for (at = map->key_text; at != NULL;) {
		char *comma = strchr(at, ',');

		if (comma != NULL)
			*comma++ = '\0';
		if (map->name_count == KEY_CELLS_MAX)
			break;
		map->names[map->name_count++] = at;
		at = comma;
	}
	if (map->format.schema == NULL ? map->name_count == 1
				       : map->name_count >= least && map->name_count <= most)
		return SOP_OK;
	return error_set(err, SOP_MISUSE, "--key names %zu fields; the keys of this store have %zu%s",
			 map->name_count, map->format.schema == NULL ? 1 : least,
			 most > least ? ", and some that ride along" : "");
}

sop_status import_map_begin(struct import_map *map, const struct item_format *format,
			    const char *key, const char *value, enum value_kind kind, sop_error *err)
{
	memset(map, 0, sizeof *map);
	map->document = (struct json_document)JSON_DOCUMENT_INIT;
	map->fields = (struct json_document)JSON_DOCUMENT_INIT;
	map->format = *format;
	map->value_name = value;
	map->kind = kind;
	map->name_count = key_columns(format, map->names);
	return key != NULL ? names_of_key(map, key, err) : SOP_OK;
}

void import_map_end(struct import_map *map)
{
	for (size_t i = 0; i < map->header_count; i++)
		free(map->header[i]);
	free(map->header);
	free(map->columns);
	free(map->key_text);
	sop_buf_free(&map->key);
	sop_buf_free(&map->room);
	sop_buf_free(&map->text);
	json_free(&map->document);
	json_free(&map->fields);
}

static bool is_key_name(const struct import_map *map, sop_bytes name)
{
	for (size_t i = 0; i < map->name_count; i++) {
		if (json_is(name, map->names[i]))
			return true;
	}
	return false;
}

/* How many of the names must be there: those of sort fields. */
static size_t needed(const struct import_map *map)
{
	return map->format.schema == NULL ? 1 : sop_schema_sort_count(map->format.schema);
}

/* ---- lines of JSON */

/* Reads the fields of the key, which are members of `object`. */
static sop_status key_of_members(struct import_map *map, const struct json *object, sop_error *err)
{
	struct json fields[KEY_CELLS_MAX];
	struct json array = { .type = JSON_ARRAY };

	for (size_t i = 0; i < map->name_count; i++) {
		const struct json *member = json_member(object, map->names[i]);

		if (member == NULL && i < needed(map))
			return error_set(err, SOP_SCHEMA,
					 "there is no member \"%s\", which is part of the key",
					 map->names[i]);
		if (member == NULL)
			break; /* what rides along and is not there has its default, and so has what follows */
		fields[i] = *member;
		fields[i].next = NULL;
		if (i > 0)
			fields[i - 1].next = &fields[i];
		array.count++;
	}
	array.first = fields;
	return item_key_read(&map->format, map->format.schema == NULL ? &fields[0] : &array,
			     KEY_WHOLE, &map->key, err);
}

/* What is not in the key, as one object. */
static void value_of_rest(struct import_map *map, const struct json *object)
{
	bool first = true;

	text_clear(&map->text);
	text_putc(&map->text, '{');
	for (const struct json *member = object->first; member != NULL; member = member->next) {
		if (is_key_name(map, member->name))
			continue;
		if (!first)
			text_putc(&map->text, ',');
		first = false;
		json_write_string(member->name, &map->text);
		text_putc(&map->text, ':');
		json_write(member, &map->text);
	}
	text_putc(&map->text, '}');
	map->value = text_bytes(&map->text);
}

static sop_status value_of_json(struct import_map *map, const struct json *json, sop_error *err)
{
	if (map->kind == VALUE_BYTES)
		return item_value_read(json, &map->room, &map->value, err);
	text_clear(&map->text);
	if (map->kind == VALUE_COUNTER)
		TRY(item_counter_read(json, &map->text, err));
	else
		json_write(json, &map->text);
	map->value = text_bytes(&map->text);
	return SOP_OK;
}

static sop_status item_of_object(struct import_map *map, const struct json *object, sop_error *err)
{
	const struct json *key = map->names_given ? NULL : json_member(object, "key");
	const struct json *value =
		json_member(object, map->value_name != NULL ? map->value_name : "value");

	if (key != NULL && (map->format.schema == NULL || !is_key_name(map, bytes_of("key"))))
		TRY(item_key_read(&map->format, key, KEY_WHOLE, &map->key, err));
	else
		TRY(key_of_members(map, object, err));
	if (value != NULL)
		return value_of_json(map, value, err);
	if (map->value_name != NULL)
		return error_set(err, SOP_SCHEMA, "there is no member \"%s\", which is the value",
				 map->value_name);
	value_of_rest(map, object);
	return SOP_OK;
}

/* [KEY,VALUE], or the fields of the key and then the value. */
static sop_status item_of_array(struct import_map *map, const struct json *array, sop_error *err)
{
	struct json fields[KEY_CELLS_MAX];
	struct json key = { .type = JSON_ARRAY };
	const struct json *element = array->first;

	if (array->count < 2 || array->count > KEY_CELLS_MAX)
		return error_set(err, SOP_SCHEMA,
				 "an array is the key (or its fields), then the value: this one has %u elements",
				 array->count);
	if (array->count == 2) {
		TRY(item_key_read(&map->format, element, KEY_WHOLE, &map->key, err));
		return value_of_json(map, element->next, err);
	}
	for (; element->next != NULL; element = element->next) {
		fields[key.count] = *element;
		fields[key.count].next = element->next->next != NULL ? &fields[key.count + 1] : NULL;
		key.count++;
	}
	key.first = fields;
	TRY(item_key_read(&map->format, &key, KEY_WHOLE, &map->key, err));
	return value_of_json(map, element, err);
}

sop_status import_line(struct import_map *map, sop_bytes line, sop_error *err)
{
	const struct json *root;

	TRY(json_parse(&map->document, line, err));
	root = map->document.root;
	if (map->document.repeated != NULL)
		return error_set(err, SOP_MISUSE, "the member \"%.*s\" is there twice",
				 (int)map->document.repeated->name.size,
				 (const char *)map->document.repeated->name.data);
	if (map->document.too_deep)
		return error_set(err, SOP_MISUSE, "it nests deeper than %d levels", JSON_DEPTH_MAX);
	if (root->type == JSON_OBJECT)
		return item_of_object(map, root, err);
	if (root->type == JSON_ARRAY)
		return item_of_array(map, root, err);
	return error_set(err, SOP_MISUSE, "a line is an object or an array");
}

/* ---- CSV */

static size_t column_of(const struct csv_record *record, const char *name)
{
	for (size_t i = 0; i < record->count; i++) {
		if (json_is(record->fields[i].text, name))
			return i;
	}
	return NOWHERE;
}

sop_status import_header(struct import_map *map, const struct csv_record *record, sop_error *err)
{
	const char *value = map->value_name != NULL ? map->value_name : "value";

	map->columns = memory_of(map->name_count + 1, sizeof *map->columns);
	for (size_t i = 0; i < map->name_count; i++) {
		map->columns[i] = column_of(record, map->names[i]);
		if (map->columns[i] == NOWHERE && i < needed(map))
			return error_set(err, SOP_MISUSE,
					 "the header has no column '%s', which is part of the key",
					 map->names[i]);
	}
	map->columns[map->name_count] = column_of(record, value);
	if (map->value_name != NULL && map->columns[map->name_count] == NOWHERE)
		return error_set(err, SOP_MISUSE,
				 "the header has no column '%s', which is the value", value);
	map->header = memory_of(record->count, sizeof *map->header);
	for (; map->header_count < record->count; map->header_count++) {
		const sop_bytes name = record->fields[map->header_count].text;

		if (!utf8_valid(name))
			return error_set(err, SOP_MISUSE, "the name of column %zu is not UTF-8",
					 map->header_count + 1);
		map->header[map->header_count] = memory_of(name.size + 1, 1);
		if (name.size > 0)
			memcpy(map->header[map->header_count], name.data, name.size);
	}
	return SOP_OK;
}

static bool is_null(const struct csv_field *field)
{
	return field->text.size == 0 && !field->quoted;
}

/* The fields of the key as a JSON array in `map->text`. */
static void key_json(struct import_map *map, const struct csv_record *record)
{
	text_clear(&map->text);
	text_putc(&map->text, '[');
	for (size_t i = 0; i < map->name_count && map->columns[i] != NOWHERE; i++) {
		const struct csv_field *field = &record->fields[map->columns[i]];

		if (i > 0)
			text_putc(&map->text, ',');
		if (is_null(field))
			text_puts(&map->text, "null");
		else
			field_json(sop_schema_field_type(map->format.schema, i), field->text, &map->text);
	}
	text_putc(&map->text, ']');
}

static sop_status csv_key(struct import_map *map, const struct csv_record *record, sop_error *err)
{
	if (map->format.schema == NULL)
		return key_of_text(&map->format, record->fields[map->columns[0]].text, KEY_WHOLE,
				   &map->key, err);
	key_json(map, record);
	TRY(json_parse(&map->fields, text_bytes(&map->text), err));
	return item_key_read(&map->format, map->fields.root, KEY_WHOLE, &map->key, err);
}

/* The columns that are not in the key, as one object of texts. */
static sop_status csv_rest(struct import_map *map, const struct csv_record *record, sop_error *err)
{
	bool first = true;

	text_clear(&map->text);
	text_putc(&map->text, '{');
	for (size_t i = 0; i < record->count; i++) {
		if (is_key_name(map, bytes_of(map->header[i])))
			continue;
		if (!utf8_valid(record->fields[i].text))
			return error_set(err, SOP_SCHEMA, "the field '%s' is not UTF-8", map->header[i]);
		if (!first)
			text_putc(&map->text, ',');
		first = false;
		json_write_string(bytes_of(map->header[i]), &map->text);
		text_putc(&map->text, ':');
		if (is_null(&record->fields[i]))
			text_puts(&map->text, "null");
		else
			json_write_string(record->fields[i].text, &map->text);
	}
	text_putc(&map->text, '}');
	map->value = text_bytes(&map->text);
	return SOP_OK;
}

static sop_status csv_value(struct import_map *map, sop_bytes text, sop_error *err)
{
	if (map->kind == VALUE_BYTES)
		return bytes_of_text(text, &map->room, &map->value, err);
	TRY(json_parse(&map->document, text, err));
	return value_of_json(map, map->document.root, err);
}

sop_status import_fields(struct import_map *map, const struct csv_record *record, sop_error *err)
{
	const size_t value = map->columns[map->name_count];

	if (record->count != map->header_count)
		return error_set(err, SOP_MISUSE, "%zu fields, where the header has %zu",
				 record->count, map->header_count);
	TRY(csv_key(map, record, err));
	if (value != NOWHERE)
		return csv_value(map, record->fields[value].text, err);
	return csv_rest(map, record, err);
}
