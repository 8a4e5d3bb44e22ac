/* Key schemas: which fields a key has, in which order. Reading and writing them as JSON, and
 * comparing two. How a key is encoded by a schema is in key.h. */
#ifndef SOPI_SCHEMA_H
#define SOPI_SCHEMA_H

#include "base/error.h"

#include <sop/buffer.h>
#include <sop/key.h>

#include <stdint.h>

enum {
	SOPI_SCHEMA_TAG = 0x53434d41, /* first word of every schema */
	SOPI_SORT_FIELDS_MAX = 64,
	SOPI_RIDE_FIELDS_MAX = 64,
	SOPI_FIELDS_MAX = SOPI_SORT_FIELDS_MAX + SOPI_RIDE_FIELDS_MAX,
	SOPI_FIELD_NAME_BYTES_MAX = 255,
	SOPI_SCHEMA_BYTES_MAX = 64 << 10, /* of JSON text */
};

/* One field. What the codec looks at for every key comes first. */
struct sopi_field {
	uint8_t type; /* SOP_TYPE_BOOL ... SOP_TYPE_TS, never NULL or UINT */
	uint8_t mask; /* every encoded byte is XORed with it: FF where descending, else 00 */
	uint8_t name_size;
	uint32_t default_at; /* ride fields: where its encoded default begins in `defaults` */
	const char *name; /* ends with NUL */
};

/* A schema, immutable and in one piece of memory. It is what a `sop_schema` handle points to. */
struct sopi_schema {
	uint32_t tag; /* SOPI_SCHEMA_TAG */
	uint32_t sort_count;
	uint32_t ride_count;
	const struct sopi_field *fields; /* sort fields, then ride fields */
	sop_bytes defaults; /* encoded defaults of all ride fields, in order: a whole ride part */
	sop_bytes text; /* canonical JSON */
};

/* Reads a schema from JSON. Gives SCHEMA (not a schema; the message says where and why),
 * UNSUPPORTED (a version from the future), LIMIT or NO_MEMORY. Free with sopi_schema_free, which
 * takes NULL. */
sop_status sopi_schema_parse(sop_bytes json, struct sopi_schema **out, sop_error *err);
void sopi_schema_free(struct sopi_schema *schema);

/* A copy of `schema` in one piece of memory, whatever pieces `schema` is made of. */
sop_status sopi_schema_copy(const struct sopi_schema *schema, struct sopi_schema **out, sop_error *err);

enum sopi_schema_difference {
	SOPI_SCHEMA_EQUAL,
	SOPI_SCHEMA_EXTENDED, /* `declared` is `stored` with more ride fields at the end: the one legal change */
	SOPI_SCHEMA_DIFFERENT,
};

/* Compares the schema of a store with the one that a program declares. Unless they are equal,
 * writes a sentence that names the first difference to `difference` (`room` bytes, NUL included;
 * cut to fit; may be NULL with room 0). */
enum sopi_schema_difference sopi_schema_compare(const struct sopi_schema *stored,
						const struct sopi_schema *declared,
						char *difference, size_t room);

/* The schema behind a handle; NULL if the handle is NULL or no schema. */
static inline const struct sopi_schema *sopi_schema_of(const sop_schema *handle)
{
	const struct sopi_schema *schema = (const struct sopi_schema *)(const void *)handle;

	return schema != NULL && schema->tag == SOPI_SCHEMA_TAG ? schema : NULL;
}

#endif
