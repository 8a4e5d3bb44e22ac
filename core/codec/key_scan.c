/* Checking encoded keys as they lie: every byte is looked at once, nothing is decoded or copied. */
#include "codec/key_scan.h"
#include "base/buffer.h"
#include "codec/key.h"
#include "codec/key_field.h"
#include "codec/key_utf8.h"
#include "codec/schema_text.h"

#include <stdbool.h>
#include <string.h>

#define FLOAT_SIGN 0x8000000000000000u
#define FLOAT_INFINITY 0x7FF0000000000000u
#define INT_LEAST_BODY 0x7FFFFFFFFFFFFFFFu /* 8 bytes of -2^63 */

static enum sopi_field_fault scan_text(const uint8_t **at, const uint8_t *end, uint8_t mask, bool utf8)
{
	const uint8_t *from = *at + 1;

	for (;;) {
		const uint8_t *zero = memchr(from, mask, (size_t)(end - from));
		uint8_t mark;

		if (zero == NULL || end - zero < 2)
			return SOPI_FIELD_CUT;
		if (utf8 && !sopi_utf8_valid(from, (size_t)(zero - from), mask))
			return SOPI_FIELD_UTF8;
		mark = zero[1] ^ mask;
		from = zero + 2;
		if (mark == SOPI_MARK_END)
			break;
		if (mark != SOPI_MARK_NUL)
			return SOPI_FIELD_ESCAPE;
	}
	*at = from;
	return SOPI_FIELD_GOOD;
}

static enum sopi_field_fault scan_int(const uint8_t **at, const uint8_t *end, uint8_t mask, bool signed_only)
{
	const int tag = **at ^ mask;
	const bool negative = tag < SOPI_TAG_INT_ZERO;
	const int size = negative ? SOPI_TAG_INT_ZERO - tag : tag - SOPI_TAG_INT_ZERO;
	const uint8_t *body = *at + 1;
	uint8_t first;

	if (size > SOPI_INT_BYTES_MAX)
		return SOPI_FIELD_TAG;
	if (end - body < size)
		return SOPI_FIELD_CUT;
	*at = body + size;
	if (size == 0)
		return SOPI_FIELD_GOOD;
	first = *body ^ mask;
	if (first == (negative ? 0xFF : 0x00))
		return SOPI_FIELD_LONG_INT;
	if (size == SOPI_INT_BYTES_MAX) {
		if (negative && sopi_field_load(body, (size_t)size, mask) < INT_LEAST_BODY)
			return SOPI_FIELD_INT_RANGE;
		if (signed_only && !negative && first >= 0x80)
			return SOPI_FIELD_INT_RANGE;
	}
	return SOPI_FIELD_GOOD;
}

static enum sopi_field_fault scan_float(const uint8_t **at, const uint8_t *end, uint8_t mask)
{
	uint64_t bits;

	if (end - *at < 1 + SOPI_FLOAT_BYTES)
		return SOPI_FIELD_CUT;
	bits = sopi_field_load(*at + 1, SOPI_FLOAT_BYTES, mask);
	bits = (bits & FLOAT_SIGN) != 0 ? bits ^ FLOAT_SIGN : ~bits;
	if (bits == FLOAT_SIGN)
		return SOPI_FIELD_MINUS_ZERO;
	if ((bits & ~FLOAT_SIGN) > FLOAT_INFINITY)
		return SOPI_FIELD_NAN;
	*at += 1 + SOPI_FLOAT_BYTES;
	return SOPI_FIELD_GOOD;
}

static enum sopi_field_fault scan_uuid(const uint8_t **at, const uint8_t *end)
{
	if (end - *at < 1 + SOPI_UUID_BYTES)
		return SOPI_FIELD_CUT;
	*at += 1 + SOPI_UUID_BYTES;
	return SOPI_FIELD_GOOD;
}

enum sopi_field_fault sopi_field_scan(const struct sopi_field *field, const uint8_t **at,
				      const uint8_t *end)
{
	const uint8_t mask = field->mask;
	const uint8_t tag = **at ^ mask;

	if (tag == SOPI_TAG_NULL) {
		*at += 1;
		return SOPI_FIELD_GOOD;
	}
	switch (field->type) {
	case SOP_TYPE_BOOL:
		if (tag != SOPI_TAG_FALSE && tag != SOPI_TAG_TRUE)
			return SOPI_FIELD_TAG;
		*at += 1;
		return SOPI_FIELD_GOOD;
	case SOP_TYPE_INT:
		return scan_int(at, end, mask, false);
	case SOP_TYPE_TS:
		return scan_int(at, end, mask, true);
	case SOP_TYPE_FLOAT:
		return tag != SOPI_TAG_FLOAT ? SOPI_FIELD_TAG : scan_float(at, end, mask);
	case SOP_TYPE_BYTES:
		return tag != SOPI_TAG_BYTES ? SOPI_FIELD_TAG : scan_text(at, end, mask, false);
	case SOP_TYPE_STR:
		return tag != SOPI_TAG_STR ? SOPI_FIELD_TAG : scan_text(at, end, mask, true);
	case SOP_TYPE_UUID:
		return tag != SOPI_TAG_UUID ? SOPI_FIELD_TAG : scan_uuid(at, end);
	default:
		SOPI_UNREACHABLE();
	}
}

static const char *fault_text(enum sopi_field_fault fault)
{
	switch (fault) {
	case SOPI_FIELD_CUT:
		return "the key ends inside it";
	case SOPI_FIELD_TAG:
		return "its first byte is of another type";
	case SOPI_FIELD_ESCAPE:
		return "a 00 is followed by neither FF nor 01";
	case SOPI_FIELD_UTF8:
		return "it is not valid UTF-8";
	case SOPI_FIELD_LONG_INT:
		return "the integer has more bytes than it needs";
	case SOPI_FIELD_INT_RANGE:
		return "the integer is out of range";
	case SOPI_FIELD_MINUS_ZERO:
		return "-0.0 must be encoded as 0.0";
	case SOPI_FIELD_NAN:
		return "NaN cannot be a key";
	case SOPI_FIELD_GOOD:
		break;
	}
	SOPI_UNREACHABLE();
}

__attribute__((cold)) static sop_status malformed(const struct sopi_schema *schema, size_t index,
						  enum sopi_field_fault fault, sop_error *err)
{
	return sopi_fail(err, SOP_SCHEMA, "malformed key: %s: %s; pack keys as the store's schema says",
			 sopi_field_label(schema, index).text, fault_text(fault));
}

/* The size of a well-formed key without the ride fields at its end that equal their defaults. */
static size_t counted_size(const struct sopi_schema *schema, const uint8_t *key, size_t size)
{
	const uint8_t *const end = key + size;
	const uint8_t *starts[SOPI_FIELDS_MAX];
	size_t count = 0;

	for (const uint8_t *at = key; at < end; count++) {
		starts[count] = at;
		(void)sopi_field_scan(&schema->fields[count], &at, end);
	}
	while (count > schema->sort_count) {
		const sop_bytes default_bytes = sopi_schema_default(schema, --count);
		const size_t start = (size_t)(starts[count] - key);

		if (size - start != default_bytes.size ||
		    memcmp(starts[count], default_bytes.data, default_bytes.size) != 0)
			break;
		size = start;
	}
	return size;
}

__attribute__((cold)) static sop_status too_long(size_t size, sop_error *err)
{
	return sopi_fail(err, SOP_LIMIT, "the key is %zu bytes long; the limit is %d bytes", size,
			 SOPI_KEY_BYTES_MAX);
}

/* Checks fields from the first on until `key` ends; `*count` of them, of which the sort fields
 * are `*sort_size` bytes. */
static sop_status scan_key(const struct sopi_schema *schema, sop_bytes key, size_t *count,
			   size_t *sort_size, sop_error *err)
{
	const uint8_t *const start = key.data;
	const uint8_t *const end = key.size > 0 ? start + key.size : start;
	const size_t total = schema->sort_count + schema->ride_count;
	const uint8_t *at = start;
	const uint8_t *sort_end = start;
	size_t index;

	if (SOPI_UNLIKELY(key.size > SOPI_KEY_BYTES_MAX + schema->defaults.size))
		return too_long(key.size, err);
	for (index = 0; index < total && at < end; index++) {
		const enum sopi_field_fault fault = sopi_field_scan(&schema->fields[index], &at, end);

		if (SOPI_UNLIKELY(fault != SOPI_FIELD_GOOD))
			return malformed(schema, index, fault, err);
		if (index < schema->sort_count)
			sort_end = at;
	}
	if (SOPI_UNLIKELY(at < end))
		return sopi_fail(err, SOP_SCHEMA,
				 "malformed key: %zu bytes follow its last field; pack keys "
				 "as the store's schema says",
				 (size_t)(end - at));
	if (SOPI_UNLIKELY(key.size > SOPI_KEY_BYTES_MAX) &&
	    counted_size(schema, start, key.size) > SOPI_KEY_BYTES_MAX)
		return too_long(key.size, err);
	*count = index;
	*sort_size = (size_t)(sort_end - start);
	return SOP_OK;
}

sop_status sopi_key_scan(const struct sopi_schema *schema, sop_bytes key, size_t *count,
			 size_t *sort_size, sop_error *err)
{
	SOP_TRY(scan_key(schema, key, count, sort_size, err));
	if (SOPI_UNLIKELY(*count < schema->sort_count))
		return sopi_fail(err, SOP_SCHEMA,
				 "malformed key: it has %zu of the %u sort fields; give them all",
				 *count, schema->sort_count);
	return SOP_OK;
}

sop_status sopi_key_split(const struct sopi_schema *schema, sop_bytes key, size_t *sort_size,
			  sop_error *err)
{
	size_t count;

	return sopi_key_scan(schema, key, &count, sort_size, err);
}

sop_status sopi_key_split_prefix(const struct sopi_schema *schema, sop_bytes key, size_t *sort_size,
				 sop_error *err)
{
	size_t count;

	return scan_key(schema, key, &count, sort_size, err);
}

sop_status sopi_ride_missing(const struct sopi_schema *schema, sop_bytes ride, sop_bytes *missing,
			     sop_error *err)
{
	const size_t total = schema->sort_count + schema->ride_count;
	const uint8_t *at = ride.data;
	const uint8_t *const end = ride.size > 0 ? at + ride.size : at;
	size_t index;

	for (index = schema->sort_count; index < total && at < end; index++) {
		const enum sopi_field_fault fault = sopi_field_scan(&schema->fields[index], &at, end);

		if (SOPI_UNLIKELY(fault != SOPI_FIELD_GOOD))
			return malformed(schema, index, fault, err);
	}
	if (SOPI_UNLIKELY(at < end))
		return sopi_fail(err, SOP_SCHEMA, "malformed ride part: %zu bytes follow its last field",
				 (size_t)(end - at));
	*missing = (sop_bytes){ NULL, 0 };
	if (index < total) {
		const size_t from = schema->fields[index].default_at;

		missing->data = (const uint8_t *)schema->defaults.data + from;
		missing->size = schema->defaults.size - from;
	}
	return SOP_OK;
}

sop_status sopi_ride_complete(const struct sopi_schema *schema, sop_bytes ride, sop_buf *out,
			      sop_error *err)
{
	sop_bytes missing;

	SOP_TRY(sopi_ride_missing(schema, ride, &missing, err));
	out->size = 0;
	SOP_TRY(sop_buf_reserve(out, ride.size + missing.size, err));
	SOP_TRY(sopi_buf_set(out, ride.data, ride.size, err));
	return sopi_buf_append(out, missing.data, missing.size, err);
}
