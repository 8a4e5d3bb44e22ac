/* The bytes of one field, within the codec: what keys and defaults of schemas are made of. */
#ifndef SOPI_KEY_FIELD_H
#define SOPI_KEY_FIELD_H

#include "base/error.h"
#include "codec/schema.h"

#include <sop/key.h>

#include <stdint.h>

/* First byte of a field. An integer of n bytes has INT_ZERO + n, or INT_ZERO - n if it is
 * negative. */
enum {
	SOPI_TAG_NULL = 0x00,
	SOPI_TAG_BYTES = 0x01,
	SOPI_TAG_STR = 0x02,
	SOPI_TAG_INT_ZERO = 0x14,
	SOPI_TAG_FLOAT = 0x21,
	SOPI_TAG_FALSE = 0x26,
	SOPI_TAG_TRUE = 0x27,
	SOPI_TAG_UUID = 0x30,
};

/* What follows a 00 in bytes and strings. */
enum {
	SOPI_MARK_END = 0x01,
	SOPI_MARK_NUL = 0xFF, /* a NUL of the text */
};

enum { SOPI_UUID_BYTES = 16, SOPI_FLOAT_BYTES = 8, SOPI_INT_BYTES_MAX = 8 };

/* "str" for SOP_TYPE_STR, and so on; "?" for what is no type. */
const char *sopi_type_name(uint32_t type);

/* How messages call a field: `sort field 2 "hired" (ts)`. Long names are cut. */
struct sopi_field_label {
	char text[112];
};
struct sopi_field_label sopi_field_label(const struct sopi_schema *schema, size_t index);

/* Checks that `value` fits field `index` and gives the size of its encoding, in bytes. */
sop_status sopi_field_measure(const struct sopi_schema *schema, size_t index,
			      const sop_value *value, size_t *size, sop_error *err);

/* Writes a value that has been measured; returns the end. */
uint8_t *sopi_field_write(const struct sopi_field *field, const sop_value *value, uint8_t *to);

/* What is wrong with encoded bytes. */
enum sopi_field_fault {
	SOPI_FIELD_GOOD,
	SOPI_FIELD_CUT,
	SOPI_FIELD_TAG,
	SOPI_FIELD_ESCAPE,
	SOPI_FIELD_UTF8,
	SOPI_FIELD_LONG_INT,
	SOPI_FIELD_INT_RANGE,
	SOPI_FIELD_MINUS_ZERO,
	SOPI_FIELD_NAN,
};

/* Moves `*at` (below `end`) behind one field if that is well-formed and in the one form that
 * sopi_field_write gives. */
enum sopi_field_fault sopi_field_scan(const struct sopi_field *field, const uint8_t **at,
				      const uint8_t *end);

/* Reads a field that has been scanned and moves `*at` behind it. Text goes to `*room`, which
 * moves behind it too and needs no more room than the field. */
void sopi_field_read(const struct sopi_field *field, const uint8_t **at, sop_value *value,
		     uint8_t **room);

/* Big-endian number of `size` bytes, up to 8. */
static inline uint64_t sopi_field_load(const uint8_t *from, size_t size, uint8_t mask)
{
	uint64_t number = 0;

	for (size_t i = 0; i < size; i++)
		number = number << 8 | (uint8_t)(from[i] ^ mask);
	return number;
}

#endif
