/* The public functions of schemas and keys: arguments are checked here, the work is in codec. */
#include "codec/key.h"
#include "base/buffer.h"
#include "codec/schema.h"
#include "codec/value_text.h"

#include <sop/key.h>

#include <stdbool.h>
#include <string.h>

static sop_status misuse(const char *function, const char *what, sop_error *err)
{
	return sopi_fail(err, SOP_MISUSE, "%s: %s%s", function, what,
			 strchr(what, ';') != NULL ? "" : "; look up what it takes");
}

static bool bytes_good(sop_bytes bytes)
{
	return bytes.data != NULL || bytes.size == 0;
}

/* The schema behind a handle; fills `err` if it is none. */
static const struct sopi_schema *take(const sop_schema *handle, const char *function, sop_error *err)
{
	const struct sopi_schema *schema = sopi_schema_of(handle);

	if (schema == NULL)
		misuse(function, "schema is no schema; pass one that was parsed", err);
	return schema;
}

sop_status sop_schema_parse(sop_bytes json, sop_schema **out, sop_error *err)
{
	struct sopi_schema *schema = NULL;

	if (out == NULL)
		return misuse(__func__, "out is NULL", err);
	if (!bytes_good(json))
		return misuse(__func__, "json.data is NULL with a size", err);
	SOP_TRY(sopi_schema_parse(json, &schema, err));
	*out = (sop_schema *)(void *)schema;
	return SOP_OK;
}

sop_status sop_schema_text(const sop_schema *handle, sop_buf *json, sop_error *err)
{
	const struct sopi_schema *schema = take(handle, __func__, err);

	if (schema == NULL)
		return SOP_MISUSE;
	if (json == NULL)
		return misuse(__func__, "json is NULL", err);
	return sopi_buf_set(json, schema->text.data, schema->text.size, err);
}

void sop_schema_free(sop_schema *handle)
{
	if (sopi_schema_of(handle) != NULL)
		sopi_schema_free((struct sopi_schema *)(void *)handle);
}

size_t sop_schema_sort_count(const sop_schema *handle)
{
	const struct sopi_schema *schema = sopi_schema_of(handle);

	return schema != NULL ? schema->sort_count : 0;
}

size_t sop_schema_ride_count(const sop_schema *handle)
{
	const struct sopi_schema *schema = sopi_schema_of(handle);

	return schema != NULL ? schema->ride_count : 0;
}

static const struct sopi_field *field_of(const sop_schema *handle, size_t index)
{
	const struct sopi_schema *schema = sopi_schema_of(handle);

	if (schema == NULL || index >= schema->sort_count + schema->ride_count)
		return NULL;
	return &schema->fields[index];
}

const char *sop_schema_field_name(const sop_schema *handle, size_t index)
{
	const struct sopi_field *field = field_of(handle, index);

	return field != NULL ? field->name : NULL;
}

uint32_t sop_schema_field_type(const sop_schema *handle, size_t index)
{
	const struct sopi_field *field = field_of(handle, index);

	return field != NULL ? field->type : SOP_TYPE_NULL;
}

int sop_schema_field_descending(const sop_schema *handle, size_t index)
{
	const struct sopi_field *field = field_of(handle, index);

	return field != NULL && field->mask != 0;
}

static sop_status pack(const char *function, const sop_schema *handle, enum sopi_key_form form,
		       const sop_value *values, size_t count, sop_buf *key, sop_error *err)
{
	const struct sopi_schema *schema = take(handle, function, err);

	if (schema == NULL)
		return SOP_MISUSE;
	if (values == NULL && count > 0)
		return misuse(function, "values is NULL with a count", err);
	if (key == NULL)
		return misuse(function, "key is NULL", err);
	return sopi_key_pack(schema, form, values, count, key, err);
}

sop_status sop_key_pack(const sop_schema *schema, const sop_value *values, size_t count,
			sop_buf *key, sop_error *err)
{
	return pack(__func__, schema, SOPI_KEY_WHOLE, values, count, key, err);
}

sop_status sop_key_pack_prefix(const sop_schema *schema, const sop_value *values, size_t count,
			       sop_buf *key, sop_error *err)
{
	return pack(__func__, schema, SOPI_KEY_PREFIX, values, count, key, err);
}

sop_status sop_key_unpack(const sop_schema *handle, sop_bytes key, sop_value *values,
			  size_t capacity, size_t *count, sop_buf *room, sop_error *err)
{
	const struct sopi_schema *schema = take(handle, __func__, err);

	if (schema == NULL)
		return SOP_MISUSE;
	if (!bytes_good(key))
		return misuse(__func__, "key.data is NULL with a size", err);
	if (values == NULL && capacity > 0)
		return misuse(__func__, "values is NULL with a capacity", err);
	if (count == NULL || room == NULL)
		return misuse(__func__, count == NULL ? "count is NULL" : "room is NULL", err);
	return sopi_key_unpack(schema, key, values, capacity, count, room, err);
}

sop_status sop_key_next_prefix(sop_bytes prefix, sop_buf *out, sop_error *err)
{
	if (!bytes_good(prefix))
		return misuse(__func__, "prefix.data is NULL with a size", err);
	if (out == NULL)
		return misuse(__func__, "out is NULL", err);
	return sopi_key_next_prefix(prefix, out, err);
}

/* Has a value of `type` a text of its own? Null and the two kinds of bytes have none. */
static bool has_text(uint32_t type)
{
	return type == SOP_TYPE_BOOL || type == SOP_TYPE_INT || type == SOP_TYPE_UINT ||
	       type == SOP_TYPE_FLOAT || type == SOP_TYPE_UUID || type == SOP_TYPE_TS;
}

sop_status sop_value_parse(uint32_t type, sop_bytes text, sop_value *value, sop_error *err)
{
	if (!has_text(type))
		return misuse(__func__, "type is none that has a text", err);
	if (!bytes_good(text))
		return misuse(__func__, "text.data is NULL with a size", err);
	if (value == NULL)
		return misuse(__func__, "value is NULL", err);
	return sopi_value_parse(type, text, value, err);
}

sop_status sop_value_text(const sop_value *value, sop_buf *text, sop_error *err)
{
	if (value == NULL || text == NULL)
		return misuse(__func__, value == NULL ? "value is NULL" : "text is NULL", err);
	if (!has_text(value->type))
		return misuse(__func__, "the value is of a type that has no text", err);
	if (value->type == SOP_TYPE_FLOAT && value->as.real != value->as.real)
		return misuse(__func__, "NaN is no value", err);
	return sopi_value_text(value, text, err);
}
