/* Bytes to values. A key is scanned whole before anything is read, so reading cannot fail. */
#include "codec/key.h"
#include "codec/key_field.h"
#include "codec/key_scan.h"

#include <stdbool.h>
#include <string.h>

#define FLOAT_SIGN 0x8000000000000000u

static void read_int(const uint8_t **at, uint8_t mask, uint32_t type, sop_value *value)
{
	const int tag = **at ^ mask;
	const bool negative = tag < SOPI_TAG_INT_ZERO;
	const int size = negative ? SOPI_TAG_INT_ZERO - tag : tag - SOPI_TAG_INT_ZERO;
	const uint64_t body = sopi_field_load(*at + 1, (size_t)size, mask);

	*at += 1 + size;
	value->type = type;
	if (negative) { /* body is v + 2^(8 size) - 1 */
		const uint64_t ones = UINT64_MAX >> (64 - 8 * size);

		value->as.integer = -1 - (int64_t)(ones - 1 - body);
	} else if (body <= INT64_MAX) {
		value->as.integer = (int64_t)body;
	} else {
		value->type = SOP_TYPE_UINT;
		value->as.natural = body;
	}
}

static void read_float(const uint8_t **at, uint8_t mask, sop_value *value)
{
	uint64_t bits = sopi_field_load(*at + 1, SOPI_FLOAT_BYTES, mask);

	bits = (bits & FLOAT_SIGN) != 0 ? bits ^ FLOAT_SIGN : ~bits;
	memcpy(&value->as.real, &bits, sizeof bits);
	*at += 1 + SOPI_FLOAT_BYTES;
}

static void read_uuid(const uint8_t **at, uint8_t mask, sop_value *value)
{
	for (size_t i = 0; i < SOPI_UUID_BYTES; i++)
		value->as.uuid[i] = (*at)[1 + i] ^ mask;
	*at += 1 + SOPI_UUID_BYTES;
}

static void read_text(const uint8_t **at, uint8_t mask, sop_value *value, uint8_t **room)
{
	const uint8_t *from = *at + 1;
	uint8_t *to = *room;

	for (;; from++) {
		const uint8_t byte = *from ^ mask;

		if (byte == 0 && (*++from ^ mask) == SOPI_MARK_END)
			break;
		*to++ = byte;
	}
	value->as.bytes = (sop_bytes){ *room, (size_t)(to - *room) };
	*at = from + 1;
	*room = to;
}

void sopi_field_read(const struct sopi_field *field, const uint8_t **at, sop_value *value, uint8_t **room)
{
	const uint8_t mask = field->mask;
	const uint8_t tag = **at ^ mask;

	memset(value, 0, sizeof *value);
	if (tag == SOPI_TAG_NULL) {
		*at += 1;
		return;
	}
	value->type = field->type;
	switch (field->type) {
	case SOP_TYPE_BOOL:
		value->as.boolean = tag == SOPI_TAG_TRUE;
		*at += 1;
		return;
	case SOP_TYPE_INT:
	case SOP_TYPE_TS:
		read_int(at, mask, field->type, value);
		return;
	case SOP_TYPE_FLOAT:
		read_float(at, mask, value);
		return;
	case SOP_TYPE_BYTES:
	case SOP_TYPE_STR:
		read_text(at, mask, value, room);
		return;
	case SOP_TYPE_UUID:
		read_uuid(at, mask, value);
		return;
	default:
		SOPI_UNREACHABLE();
	}
}

/* Whether any of the first `count` fields is text, which needs room. */
static bool has_text(const struct sopi_schema *schema, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (schema->fields[i].type == SOP_TYPE_BYTES || schema->fields[i].type == SOP_TYPE_STR)
			return true;
	}
	return false;
}

sop_status sopi_key_unpack(const struct sopi_schema *schema, sop_bytes key, sop_value *values,
			   size_t capacity, size_t *count, sop_buf *room, sop_error *err)
{
	const uint8_t *at = key.data;
	uint8_t *to;
	size_t sort_size;

	SOP_TRY(sopi_key_scan(schema, key, count, &sort_size, err));
	if (*count > capacity)
		return sopi_fail(err, SOP_LIMIT, "the key has %zu values, but there is room for %zu",
				 *count, capacity);
	room->size = 0;
	if (has_text(schema, *count))
		SOP_TRY(sop_buf_reserve(room, key.size, err)); /* no value outgrows its encoding */
	to = room->data;
	for (size_t i = 0; i < *count; i++)
		sopi_field_read(&schema->fields[i], &at, &values[i], &to);
	room->size = (size_t)(to - (uint8_t *)room->data);
	return SOP_OK;
}
