/* Keys and values as JSON, by the schema of their store: docs/exec.md, "Keys and values". */
#ifndef SOPCTL_ITEM_TEXT_H
#define SOPCTL_ITEM_TEXT_H

#include "json.h"

#include <sop/key.h>

#include <stdbool.h>
#include <stdint.h>

/* How the keys of a store are written. */
struct item_format {
	const sop_schema *schema; /* NULL: keys are bytes */
	bool safe_ints; /* integers beyond 2^53 as {"int":"..."} */
};

/* How much of a key is given. */
enum key_extent {
	KEY_WHOLE, /* all sort fields, and any of the ride-along fields */
	KEY_NAME, /* the same, to name an item: ride-along fields are ignored */
	KEY_BOUND /* leading sort fields, none to all; ride-along fields behind all of them are ignored */
};

/* Reads the key `json` into `key`, encoded. With a schema it is the array of its fields; a single field may stand
 * without the array. Without one it is bytes.
 * Returns OK; SCHEMA (the message names the field); LIMIT. */
sop_status item_key_read(const struct item_format *format, const struct json *json,
			 enum key_extent extent, sop_buf *key, sop_error *err);

/* Reads bytes: a string, or {"hex":"00ff"}. `bytes` is in the document of `json` or in `room`.
 * Returns OK; MISUSE: it is neither. */
sop_status item_bytes_read(const struct json *json, sop_buf *room, sop_bytes *bytes, sop_error *err);

/* Reads a value: bytes, or {"json":...}, its compact text. Otherwise as item_bytes_read. */
sop_status item_value_read(const struct json *json, sop_buf *room, sop_bytes *bytes, sop_error *err);

/* What values are. */
enum value_kind { VALUE_BYTES, VALUE_JSON, VALUE_COUNTER };

/* Reads a counter, an integer, into `room`: 8 bytes, little-endian, two's complement. Returns OK;
 * SCHEMA: it is none, as NULL, what is no JSON, is. */
sop_status item_counter_read(const struct json *json, sop_buf *room, sop_error *err);

/* Has `json` the form of a key, of a value, whatever the schema? What item_value_read and a read of every schema
 * would refuse is refused here, before anything runs. Returns OK or MISUSE. */
sop_status item_key_check(const struct json *json, sop_error *err);
sop_status item_value_check(const struct json *json, sop_error *err);

/* Appends the encoded `key`: an array of its fields, or bytes. Where the bytes are no key of the schema, as in a store
 * that was dropped meanwhile, they are written as bytes. */
void item_key_write(const struct item_format *format, sop_bytes key, sop_buf *out);

/* Appends bytes: a string where they are UTF-8 without control characters other than tab, newline and carriage
 * return, else {"hex":"00ff"}. */
void item_bytes_write(sop_bytes bytes, sop_buf *out);

/* Appends an integer, as {"int":"..."} where `safe_ints` asks for that. */
void item_uint_write(bool safe_ints, uint64_t number, sop_buf *out);

#endif
