/* Within the codec: the JSON of schemas, and the texts of the values that stand there as
 * defaults. */
#ifndef SOPI_SCHEMA_TEXT_H
#define SOPI_SCHEMA_TEXT_H

#include "base/error.h"
#include "codec/schema.h"

#include <sop/buffer.h>
#include <sop/key.h>

#include <stdbool.h>

/* The encoded default of ride field `index`. */
static inline sop_bytes sopi_schema_default(const struct sopi_schema *schema, size_t index)
{
	const size_t last = schema->sort_count + schema->ride_count - 1;
	const size_t from = schema->fields[index].default_at;
	const size_t to = index < last ? schema->fields[index + 1].default_at : schema->defaults.size;
	const sop_bytes bytes = { (const uint8_t *)schema->defaults.data + from, to - from };

	return bytes;
}

/* Sets `text` to the canonical JSON of `schema`, whose own `text` is not looked at. */
sop_status sopi_schema_write(const struct sopi_schema *schema, sop_buf *text, sop_error *err);

/* "-123" and the like, -2^63 to 2^64-1, as INT or UINT; false if it is no such integer. */
bool sopi_text_to_int(const char *text, size_t size, sop_value *value);

/* An even number of hex digits to half as many bytes at `to`. */
bool sopi_text_to_bytes(const char *text, size_t size, uint8_t *to);

/* RFC 3339 with up to 6 decimals, any offset, years 1 to 9999, no leap second. */
bool sopi_text_to_ts(const char *text, size_t size, sop_value *value);

enum { SOPI_NUMBER_TEXT_BYTES = 64 };

/* The shortest decimal that reads back as the finite number `real`; always with a point or an
 * exponent. For the C locale, which sopi_schema_parse gives its thread. */
void sopi_float_to_text(double real, char text[SOPI_NUMBER_TEXT_BYTES]);

/* RFC 3339 in UTC, decimals only as far as needed; false if the year is not 1 to 9999. */
bool sopi_ts_to_text(int64_t microseconds, char text[SOPI_NUMBER_TEXT_BYTES]);

#endif
