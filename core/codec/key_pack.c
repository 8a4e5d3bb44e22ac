/* Values to bytes. Sizes are found first, so that the output grows once and writing cannot fail. */
#include "codec/key.h"
#include "codec/key_field.h"
#include "codec/key_utf8.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FLOAT_SIGN 0x8000000000000000u

enum { NAME_SHOWN_BYTES = 64 };

const char *sopi_type_name(uint32_t type)
{
	static const char *const names[] = {
		[SOP_TYPE_NULL] = "null", [SOP_TYPE_BOOL] = "bool",   [SOP_TYPE_INT] = "int",
		[SOP_TYPE_UINT] = "int",  [SOP_TYPE_FLOAT] = "float", [SOP_TYPE_BYTES] = "bytes",
		[SOP_TYPE_STR] = "str",	  [SOP_TYPE_UUID] = "uuid",   [SOP_TYPE_TS] = "ts",
	};

	return type < sizeof names / sizeof *names ? names[type] : "?";
}

struct sopi_field_label sopi_field_label(const struct sopi_schema *schema, size_t index)
{
	const struct sopi_field *field = &schema->fields[index];
	const bool ride = index >= schema->sort_count;
	struct sopi_field_label label;
	int size = field->name_size;

	if (size > NAME_SHOWN_BYTES) {
		size = NAME_SHOWN_BYTES;
		while (((uint8_t)field->name[size] & 0xC0) == 0x80)
			size--; /* not inside a character */
	}
	snprintf(label.text, sizeof label.text, "%s field %zu \"%.*s%s\" (%s)",
		 ride ? "ride" : "sort", index + 1 - (ride ? schema->sort_count : 0), size,
		 field->name, size < field->name_size ? "..." : "", sopi_type_name(field->type));
	return label;
}

static sop_status unfit(const struct sopi_schema *schema, size_t index, const char *what, sop_error *err)
{
	return sopi_fail(err, SOP_SCHEMA, "%s: %s", sopi_field_label(schema, index).text, what);
}

static sop_status wrong_type(const struct sopi_schema *schema, size_t index, const sop_value *value,
			     sop_error *err)
{
	const struct sopi_field_label label = sopi_field_label(schema, index);

	if (value->type > SOP_TYPE_TS)
		return sopi_fail(err, SOP_MISUSE,
				 "%s: %u is no type of a value; take one that a schema can name",
				 label.text, value->type);
	return sopi_fail(err, SOP_SCHEMA, "%s: the value is %s; give %s or null", label.text,
			 sopi_type_name(value->type), sopi_type_name(schema->fields[index].type));
}

/* The sign of an integer and its distance from zero. */
static uint64_t magnitude(const sop_value *value, bool *negative)
{
	*negative = value->type != SOP_TYPE_UINT && value->as.integer < 0;
	if (*negative)
		return (uint64_t)0 - (uint64_t)value->as.integer;
	return value->type == SOP_TYPE_UINT ? value->as.natural : (uint64_t)value->as.integer;
}

static size_t magnitude_size(uint64_t number)
{
	size_t size = 0;

	for (; number != 0; number >>= 8)
		size++;
	return size;
}

static size_t int_size(const sop_value *value)
{
	bool negative;

	return 1 + magnitude_size(magnitude(value, &negative));
}

/* Whether a double holds the integer exactly; the bounds keep the conversion back defined. */
static bool exact_as_float(const sop_value *value)
{
	if (value->type == SOP_TYPE_INT) {
		const double real = (double)value->as.integer;

		return real < 0x1p63 && (int64_t)real == value->as.integer;
	}
	const double real = (double)value->as.natural;

	return real < 0x1p64 && (uint64_t)real == value->as.natural;
}

static sop_status measure_float(const struct sopi_schema *schema, size_t index,
				const sop_value *value, size_t *size, sop_error *err)
{
	if (value->type == SOP_TYPE_INT || value->type == SOP_TYPE_UINT) {
		if (!exact_as_float(value))
			return unfit(schema, index, "no float is exactly this integer", err);
	} else if (value->type != SOP_TYPE_FLOAT) {
		return wrong_type(schema, index, value, err);
	} else if (isnan(value->as.real)) {
		return unfit(schema, index, "NaN has no place in an order; give a number or null", err);
	}
	*size = 1 + SOPI_FLOAT_BYTES;
	return SOP_OK;
}

static sop_status measure_text(const struct sopi_schema *schema, size_t index,
			       const sop_value *value, size_t *size, sop_error *err)
{
	const sop_bytes text = value->as.bytes;

	if (value->type != schema->fields[index].type)
		return wrong_type(schema, index, value, err);
	if (text.size == 0) {
		*size = 3;
		return SOP_OK;
	}
	if (text.data == NULL)
		return sopi_fail(err, SOP_MISUSE, "%s: data is NULL with a size of %zu",
				 sopi_field_label(schema, index).text, text.size);
	if (text.size > SOPI_KEY_BYTES_MAX)
		return sopi_fail(err, SOP_LIMIT, "%s: %zu bytes; the limit of a whole key is %d",
				 sopi_field_label(schema, index).text, text.size, SOPI_KEY_BYTES_MAX);
	if (value->type == SOP_TYPE_STR && !sopi_utf8_valid(text.data, text.size, 0))
		return unfit(schema, index, "it is not valid UTF-8; use a bytes field for bytes", err);
	*size = 1 + sopi_raw_escaped_size(text);
	return SOP_OK;
}

sop_status sopi_field_measure(const struct sopi_schema *schema, size_t index,
			      const sop_value *value, size_t *size, sop_error *err)
{
	const uint32_t type = schema->fields[index].type;
	bool fits = value->type == type;

	*size = 1;
	if (value->type == SOP_TYPE_NULL)
		return SOP_OK;
	switch (type) {
	case SOP_TYPE_BOOL:
		break;
	case SOP_TYPE_INT:
	case SOP_TYPE_TS:
		fits = fits || value->type == SOP_TYPE_INT || value->type == SOP_TYPE_UINT;
		*size = fits ? int_size(value) : 1;
		if (type == SOP_TYPE_TS && value->type == SOP_TYPE_UINT && value->as.natural > INT64_MAX)
			return unfit(schema, index, "it is beyond 2^63-1 microseconds", err);
		break;
	case SOP_TYPE_FLOAT:
		return measure_float(schema, index, value, size, err);
	case SOP_TYPE_BYTES:
	case SOP_TYPE_STR:
		return measure_text(schema, index, value, size, err);
	case SOP_TYPE_UUID:
		*size = 1 + SOPI_UUID_BYTES;
		break;
	default:
		SOPI_UNREACHABLE();
	}
	return fits ? SOP_OK : wrong_type(schema, index, value, err);
}

static uint8_t *write_number(uint64_t number, size_t size, uint8_t *to)
{
	for (size_t i = size; i-- > 0; number >>= 8)
		to[i] = (uint8_t)number;
	return to + size;
}

static uint8_t *write_int(const sop_value *value, uint8_t *to)
{
	bool negative;
	const uint64_t number = magnitude(value, &negative);
	const size_t size = magnitude_size(number);

	*to++ = (uint8_t)(negative ? SOPI_TAG_INT_ZERO - size : SOPI_TAG_INT_ZERO + size);
	return write_number(negative ? ~number : number, size, to);
}

static uint8_t *write_float(const sop_value *value, uint8_t *to)
{
	double real = value->as.real;
	uint64_t bits;

	if (value->type == SOP_TYPE_INT)
		real = (double)value->as.integer;
	else if (value->type == SOP_TYPE_UINT)
		real = (double)value->as.natural;
	if (real == 0)
		real = 0; /* -0.0 is the same number */
	memcpy(&bits, &real, sizeof bits);
	bits = (bits & FLOAT_SIGN) != 0 ? ~bits : bits | FLOAT_SIGN;
	*to++ = SOPI_TAG_FLOAT;
	return write_number(bits, SOPI_FLOAT_BYTES, to);
}

static uint8_t *write_ascending(const struct sopi_field *field, const sop_value *value, uint8_t *to)
{
	if (value->type == SOP_TYPE_NULL) {
		*to++ = SOPI_TAG_NULL;
		return to;
	}
	switch (field->type) {
	case SOP_TYPE_BOOL:
		*to++ = value->as.boolean != 0 ? SOPI_TAG_TRUE : SOPI_TAG_FALSE;
		return to;
	case SOP_TYPE_INT:
	case SOP_TYPE_TS:
		return write_int(value, to);
	case SOP_TYPE_FLOAT:
		return write_float(value, to);
	case SOP_TYPE_BYTES:
	case SOP_TYPE_STR:
		*to++ = field->type == SOP_TYPE_STR ? SOPI_TAG_STR : SOPI_TAG_BYTES;
		return sopi_raw_escape_to(value->as.bytes, to);
	case SOP_TYPE_UUID:
		*to++ = SOPI_TAG_UUID;
		memcpy(to, value->as.uuid, SOPI_UUID_BYTES);
		return to + SOPI_UUID_BYTES;
	default:
		SOPI_UNREACHABLE();
	}
}

uint8_t *sopi_field_write(const struct sopi_field *field, const sop_value *value, uint8_t *to)
{
	uint8_t *const end = write_ascending(field, value, to);

	if (field->mask != 0) {
		for (; to < end; to++)
			*to ^= field->mask;
	}
	return end;
}

static sop_status check_count(const struct sopi_schema *schema, enum sopi_key_form form,
			      size_t count, sop_error *err)
{
	if (form == SOPI_KEY_PREFIX && count > schema->sort_count)
		return sopi_fail(err, SOP_SCHEMA,
				 "%zu values for a prefix, but the schema has %u sort fields",
				 count, schema->sort_count);
	if (form == SOPI_KEY_WHOLE && count < schema->sort_count)
		return sopi_fail(err, SOP_SCHEMA,
				 "%zu values for %u sort fields; give them all, or "
				 "pack a prefix for a bound",
				 count, schema->sort_count);
	if (count > schema->sort_count + schema->ride_count)
		return sopi_fail(err, SOP_SCHEMA,
				 "%zu values, but the schema has %u sort and %u ride fields", count,
				 schema->sort_count, schema->ride_count);
	return SOP_OK;
}

sop_status sopi_key_pack(const struct sopi_schema *schema, enum sopi_key_form form,
			 const sop_value *values, size_t count, sop_buf *key, sop_error *err)
{
	size_t total = 0;
	size_t sort_size;
	uint8_t *to;

	SOP_TRY(check_count(schema, form, count, err));
	for (size_t i = 0; i < count; i++) {
		size_t size;

		SOP_TRY(sopi_field_measure(schema, i, &values[i], &size, err));
		total += size; /* cannot overflow: a text is at most SOPI_KEY_BYTES_MAX long */
	}
	if (SOPI_UNLIKELY(total > SOPI_KEY_BYTES_MAX + schema->defaults.size))
		return sopi_fail(err, SOP_LIMIT, "the key would be %zu bytes long; the limit is %d",
				 total, SOPI_KEY_BYTES_MAX);
	key->size = 0;
	SOP_TRY(sop_buf_reserve(key, total, err));
	to = key->data;
	for (size_t i = 0; i < count; i++)
		to = sopi_field_write(&schema->fields[i], &values[i], to);
	key->size = total;
	if (SOPI_UNLIKELY(total > SOPI_KEY_BYTES_MAX)) /* some ride fields may not count */
		return sopi_key_split_prefix(schema, (sop_bytes){ key->data, total }, &sort_size, err);
	return SOP_OK;
}

sop_status sopi_key_next_prefix(sop_bytes prefix, sop_buf *out, sop_error *err)
{
	const uint8_t *bytes = prefix.data;
	size_t size = prefix.size;
	uint8_t *last;

	while (size > 0 && bytes[size - 1] == 0xFF)
		size--;
	if (size == 0)
		return sopi_fail(err, SOP_NOT_FOUND,
				 "no key is above all keys with this prefix; leave the end open");
	if (size > out->capacity) { /* else `prefix` may lie in `out` */
		out->size = 0;
		SOP_TRY(sop_buf_reserve(out, size, err));
	}
	memmove(out->data, prefix.data, size);
	last = (uint8_t *)out->data + size - 1;
	*last = (uint8_t)(*last + 1);
	out->size = size;
	return SOP_OK;
}
