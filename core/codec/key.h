/* The key codec: values to bytes whose memcmp order is the order of the values, and back (format
 * v1). Pure functions over a schema; nothing here allocates except to grow an output buffer. */
#ifndef SOPI_KEY_H
#define SOPI_KEY_H

#include "base/error.h"
#include "codec/schema.h"

#include <sop/buffer.h>
#include <sop/key.h>

#include <stdint.h>

enum {
	SOPI_KEY_BYTES_MAX = SOP_KEY_BYTES_MAX, /* sort and ride part together, or a raw key */
	SOPI_ITEM_ID_BYTES = 8, /* big-endian, behind the key in stores that are not unique */
};

/* Checks that `key` is the encoding of all sort fields and then of none, some or all ride
 * fields, in the one form that sopi_key_pack gives, and tells how many bytes the sort part has;
 * the rest is the ride part. Gives SCHEMA or LIMIT. Ride fields at the end that equal their
 * defaults do not count towards the limit, so that a key which was accepted stays acceptable
 * when its left-out fields have been filled in. */
sop_status sopi_key_split(const struct sopi_schema *schema, sop_bytes key, size_t *sort_size,
			  sop_error *err);

/* The same for a bound or a prefix, which may stop behind any whole sort field, or be empty.
 * Ride fields may follow only where all sort fields are there; compare with the first
 * `sort_size` bytes alone. */
sop_status sopi_key_split_prefix(const struct sopi_schema *schema, sop_bytes key, size_t *sort_size,
				 sop_error *err);

/* What `ride`, a whole number of leading ride fields (or none), lacks: the encoded defaults of
 * the others, as a view into the schema. Gives SCHEMA if `ride` is malformed. */
sop_status sopi_ride_missing(const struct sopi_schema *schema, sop_bytes ride, sop_bytes *missing,
			     sop_error *err);

/* Sets `out` to `ride` with the left-out fields filled in by their defaults. `ride` may not lie
 * in `out`. */
sop_status sopi_ride_complete(const struct sopi_schema *schema, sop_bytes ride, sop_buf *out,
			      sop_error *err);

/* How many values sopi_key_pack takes. */
enum sopi_key_form {
	SOPI_KEY_WHOLE, /* all sort fields, then any number of leading ride fields */
	SOPI_KEY_PREFIX, /* any number of leading sort fields */
};

/* Encodes `count` values. See sop_key_pack. */
sop_status sopi_key_pack(const struct sopi_schema *schema, enum sopi_key_form form,
			 const sop_value *values, size_t count, sop_buf *key, sop_error *err);

/* Decodes a key. See sop_key_unpack. */
sop_status sopi_key_unpack(const struct sopi_schema *schema, sop_bytes key, sop_value *values,
			   size_t capacity, size_t *count, sop_buf *room, sop_error *err);

/* The least byte string above all that begin with `prefix`; NOT_FOUND if there is none (empty or
 * all FF). `prefix` may lie in `out`. */
sop_status sopi_key_next_prefix(sop_bytes prefix, sop_buf *out, sop_error *err);

/* Raw keys (stores without a schema) that something follows, such as an item id: 00 becomes 00
 * FF, the end is 00 01, so that order is kept and no escaped key is a prefix of another. At most
 * twice the size plus 2. */
size_t sopi_raw_escaped_size(sop_bytes raw);

/* Writes sopi_raw_escaped_size(raw) bytes to `to` and returns the end of them. No overlap. */
uint8_t *sopi_raw_escape_to(sop_bytes raw, uint8_t *to);

/* The same into a buffer. */
sop_status sopi_raw_escape(sop_bytes raw, sop_buf *out, sop_error *err);

/* Undoes it: reads up to the end mark in `escaped`, which something may follow. `*used` (may be
 * NULL) is the number of bytes read, end mark included. CORRUPT if there is no end mark or a
 * wrong escape. `out` may be NULL to learn `*used`. `escaped` may not lie in `out`. */
sop_status sopi_raw_unescape(sop_bytes escaped, sop_buf *out, size_t *used, sop_error *err);

#endif
