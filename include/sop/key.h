/* Keys made of typed fields: schemas, values, and packing values into bytes that sort as the
 * values do.
 *
 * A key is a list of fields described by a schema. Sort fields decide order and identity;
 * ride-along fields follow them, are stored with the key and never compared. Packed keys compare
 * with memcmp in every language; they are what the functions of stores and cursors take. A store
 * without a schema has raw bytes as keys and needs nothing of this.
 *
 * Every function here works in memory alone, never blocks, and may be called by any thread at
 * any time. */
#ifndef SOP_KEY_H
#define SOP_KEY_H

#include <sop/buffer.h>
#include <sop/error.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest packed key, in bytes: sort part and ride part together. Ride fields at the end
 * that equal their defaults do not count, since leaving them out means the same. A raw key
 * (store without a schema) has the same limit. */
#define SOP_KEY_BYTES_MAX 65536

/* The most sort fields, and the most ride fields, of one schema. */
#define SOP_SCHEMA_FIELDS_MAX 64

/* What a value is, and which type a field has. Any field may hold null, which sorts before all
 * other values (after them where the field is descending). A field is never of type NULL or UINT:
 * an INT field holds the integers from -2^63 to 2^64-1, given as INT or UINT, which are equal where
 * the number is. Time has microseconds since 1970-01-01T00:00:00Z, without leap seconds. */
#define SOP_TYPE_NULL 0u /* no value */
#define SOP_TYPE_BOOL 1u /* "bool": false before true */
#define SOP_TYPE_INT 2u /* "int": `as.integer` */
#define SOP_TYPE_UINT 3u /* "int" too: `as.natural` */
#define SOP_TYPE_FLOAT 4u /* "float": a binary64 that is not NaN; -0.0 is 0.0 */
#define SOP_TYPE_BYTES 5u /* "bytes": any bytes */
#define SOP_TYPE_STR 6u /* "str": valid UTF-8 in code point order, not normalised; NUL may occur */
#define SOP_TYPE_UUID 7u /* "uuid": 16 bytes, in the order of its text */
#define SOP_TYPE_TS 8u /* "ts": a time, `as.integer` */

/* One value of a key. Whatever `as.bytes` points to belongs to the caller and is read during the
 * call only. */
typedef struct sop_value {
	uint32_t type; /* SOP_TYPE_...: which member of `as` counts */
	uint32_t reserved; /* 0 */
	union {
		int32_t boolean; /* BOOL: 0 is false, all else true */
		int64_t integer; /* INT; TS, in microseconds */
		uint64_t natural; /* UINT */
		double real; /* FLOAT */
		sop_bytes bytes; /* BYTES, STR (no NUL at the end is needed or counted) */
		uint8_t uuid[16]; /* UUID: in the order of its text */
	} as;
} sop_value;

/* Null. This and the next functions make values for sop_key_pack:
 * `sop_value key[] = { sop_value_str("US"), sop_value_int(101) };` */
static inline sop_value sop_value_null(void)
{
	sop_value value;

	memset(&value, 0, sizeof value);
	return value;
}

/* A BOOL; `boolean` is false if it is 0. */
static inline sop_value sop_value_bool(int boolean)
{
	sop_value value = sop_value_null();

	value.type = SOP_TYPE_BOOL;
	value.as.boolean = boolean != 0;
	return value;
}

/* An INT, the number `integer`. */
static inline sop_value sop_value_int(int64_t integer)
{
	sop_value value = sop_value_null();

	value.type = SOP_TYPE_INT;
	value.as.integer = integer;
	return value;
}

/* The number `natural`, which may be above 2^63-1. */
static inline sop_value sop_value_uint(uint64_t natural)
{
	sop_value value = sop_value_null();

	value.type = SOP_TYPE_UINT;
	value.as.natural = natural;
	return value;
}

/* A FLOAT, the number `real`. */
static inline sop_value sop_value_float(double real)
{
	sop_value value = sop_value_null();

	value.type = SOP_TYPE_FLOAT;
	value.as.real = real;
	return value;
}

/* BYTES, `size` of them at `data`, which must stay until the value has been packed. */
static inline sop_value sop_value_bytes(const void *data, size_t size)
{
	sop_value value = sop_value_null();

	value.type = SOP_TYPE_BYTES;
	value.as.bytes.data = data;
	value.as.bytes.size = size;
	return value;
}

/* A STR, the UTF-8 of `text` up to its NUL (set `as.bytes` yourself for one that contains NUL);
 * it must stay until the value has been packed. */
static inline sop_value sop_value_str(const char *text)
{
	sop_value value = sop_value_bytes(text, strlen(text));

	value.type = SOP_TYPE_STR;
	return value;
}

/* A UUID, the 16 bytes at `uuid`, which are copied. */
static inline sop_value sop_value_uuid(const void *uuid)
{
	sop_value value = sop_value_null();

	value.type = SOP_TYPE_UUID;
	memcpy(value.as.uuid, uuid, sizeof value.as.uuid);
	return value;
}

/* A TS, the time `microseconds` after 1970-01-01T00:00:00Z. */
static inline sop_value sop_value_ts(int64_t microseconds)
{
	sop_value value = sop_value_int(microseconds);

	value.type = SOP_TYPE_TS;
	return value;
}

/* A schema: immutable, usable by any number of threads at once, and independent of any database. */
typedef struct sop_schema sop_schema;

/* Reads a schema from JSON, such as
 *   {"v":1,"sort":[{"n":"region","t":"str"},{"n":"hired","t":"ts","desc":true}],
 *    "ride":[{"n":"deleted","t":"bool","default":false}]}
 * Types are bool bytes str int float uuid ts. `sort` has 1 to 64 fields, `ride` (optional) up to
 * 64; names are 1 to 255 bytes of UTF-8 without control characters, all different. `default` is
 * what a left-out ride field holds, null if absent: a JSON null, boolean, number or string;
 * bytes as a string (its UTF-8) or {"hex":"00ff"}; integers also as
 * {"int":"18446744073709551615"}; infinities as "Infinity" and "-Infinity"; uuid as its usual
 * text; ts as RFC 3339 with up to 6 decimals, or as an integer of microseconds.
 *
 * json    the text, at most 64 KiB; not kept
 * out     receives the schema, to be freed with sop_schema_free; untouched on failure
 * Returns OK;
 *   SCHEMA       the text is no schema: the message names the place and what is wrong there;
 *   UNSUPPORTED  the schema is of a version that this library does not know: use a newer
 *                library;
 *   LIMIT        text, names or number of fields are beyond the limit that the message gives;
 *   NO_MEMORY    nothing has changed: free some and call again;
 *   MISUSE       `out` is NULL, or `json.data` is NULL with a size. */
SOP_API sop_status sop_schema_parse(sop_bytes json, sop_schema **out, sop_error *err);

/* Writes a schema as canonical compact JSON: equal schemas give equal bytes, whatever text they
 * were read from.
 *
 * json    receives the text, without a NUL at its end
 * Returns OK, NO_MEMORY, or MISUSE (`schema` is no schema, or `json` is NULL). */
SOP_API sop_status sop_schema_text(const sop_schema *schema, sop_buf *json, sop_error *err);

/* Frees a schema; no call may be using it. Takes NULL. Stores do not keep the schema that they
 * were given. */
SOP_API void sop_schema_free(sop_schema *schema);

/* The number of sort fields, and of ride fields; 0 if `schema` is no schema. */
SOP_API size_t sop_schema_sort_count(const sop_schema *schema);
SOP_API size_t sop_schema_ride_count(const sop_schema *schema);

/* The name of field `index`, ending with NUL; sort fields come first, ride fields follow. Lives
 * as long as the schema. NULL if there is no such field or `schema` is no schema. */
SOP_API const char *sop_schema_field_name(const sop_schema *schema, size_t index);

/* The type of field `index`, a SOP_TYPE_; SOP_TYPE_NULL if there is no such field or `schema` is
 * no schema. */
SOP_API uint32_t sop_schema_field_type(const sop_schema *schema, size_t index);

/* 1 if field `index` of `schema` is a descending sort field, else 0. */
SOP_API int sop_schema_field_descending(const sop_schema *schema, size_t index);

/* Packs a key: all sort fields, then as many ride fields as are given. Ride fields that are left
 * out take their defaults when the key is stored. A value must have the type of its field or be
 * null; besides, an int field takes INT and UINT, a float field takes integers that a double
 * holds exactly, and a ts field takes INT as microseconds.
 *
 * values  in the order of the schema
 * count   number of values: sop_schema_sort_count, up to that plus sop_schema_ride_count
 * key     receives the packed key, at most SOP_KEY_BYTES_MAX bytes; its content is undefined
 *         after a failure. No value may point into it
 * Returns OK;
 *   SCHEMA     a value does not fit its field (wrong type, NaN, invalid UTF-8, out of range), or
 *              there are too few or too many: the message names the field and what is wrong;
 *   LIMIT      the packed key would be longer than SOP_KEY_BYTES_MAX;
 *   NO_MEMORY  free some and call again;
 *   MISUSE     `schema` is no schema, a pointer is NULL where it may not be, or a value has an
 *              unknown type. */
SOP_API sop_status sop_key_pack(const sop_schema *schema, const sop_value *values, size_t count,
				sop_buf *key, sop_error *err);

/* Packs the beginning of a key, for bounds and prefixes: the first `count` sort fields of
 * `schema`, 0 to all of them. The keys that begin with these values are those that begin with
 * these bytes. Everything else is as in sop_key_pack. */
SOP_API sop_status sop_key_pack_prefix(const sop_schema *schema, const sop_value *values,
				       size_t count, sop_buf *key, sop_error *err);

/* Unpacks a key: all sort fields, and as many ride fields as it has. Packing the values again
 * gives the same bytes. Integers come as INT where they fit, else as UINT.
 *
 * key       a packed key; not kept
 * values    receives the values, in the order of the schema
 * capacity  number of values that fit there
 * count     receives the number of values
 * room      receives the bytes of BYTES and STR values, to which `as.bytes` points: they live
 *           until `room` is used again or freed. `key` may not lie in it
 * Returns OK;
 *   SCHEMA     the bytes are no key of this schema: the message names the field and what is
 *              wrong;
 *   LIMIT      the key is longer than SOP_KEY_BYTES_MAX, or has more than `capacity` values:
 *              `*count` says how many;
 *   NO_MEMORY  free some and call again;
 *   MISUSE     `schema` is no schema, or a pointer is NULL where it may not be. */
SOP_API sop_status sop_key_unpack(const sop_schema *schema, sop_bytes key, sop_value *values,
				  size_t capacity, size_t *count, sop_buf *room, sop_error *err);

/* The end of the range of keys that begin with `prefix`, packed or raw: the keys with the prefix
 * are exactly those from `prefix` (included) to this one (excluded). It is a bound of a range in a
 * store without a schema; packed, it is for comparing with, since it is no key itself (SCHEMA): ranges
 * take the prefix (SOP_RANGE_PREFIX).
 *
 * prefix  any bytes; may lie in `out`
 * out     receives the end of the range
 * Returns OK;
 *   NOT_FOUND  no key is above them all (the prefix is empty, or all FF): leave the range open
 *              at that end;
 *   NO_MEMORY  free some and call again;
 *   MISUSE     `out` is NULL, or `prefix.data` is NULL with a size. */
SOP_API sop_status sop_key_next_prefix(sop_bytes prefix, sop_buf *out, sop_error *err);

/* Reads one value from its text, for programs that take keys from people: true and false; integers
 * in decimal (INT or UINT give INT where it fits, else UINT); floats as JSON writes them, and
 * Infinity and -Infinity; uuid as its usual text; ts as RFC 3339 with up to 6 decimals and any
 * offset, or as an integer of microseconds.
 *
 * type   SOP_TYPE_BOOL, INT, UINT, FLOAT, UUID or TS
 * text   without a NUL; not kept
 * value  receives the value; untouched on failure
 * Returns OK;
 *   SCHEMA     the text is no value of that type, or beyond its range;
 *   NO_MEMORY  free some and call again;
 *   MISUSE     `type` is another one, `value` is NULL, or `text.data` is NULL with a size. */
SOP_API sop_status sop_value_parse(uint32_t type, sop_bytes text, sop_value *value, sop_error *err);

/* Writes one value as text that sop_value_parse reads back as the same: floats with as few digits
 * as that takes, always with a point or an exponent; ts in UTC with no more decimals than needed,
 * as an integer where the year is not 1 to 9999.
 *
 * value  a BOOL, INT, UINT, FLOAT, UUID or TS
 * text   receives the text, without a NUL at its end
 * Returns OK, NO_MEMORY, or MISUSE (a pointer is NULL, NaN, or another type). */
SOP_API sop_status sop_value_text(const sop_value *value, sop_buf *text, sop_error *err);

#ifdef __cplusplus
}
#endif

#endif
