/* JSON as RFC 8259 has it, read into a small tree. Numbers keep the text they were written with, so that none is
 * rounded. What a request must not have, but which should not keep its "id" from being read, is noted and not
 * refused: members with equal names, and nesting beyond the limit. docs/exec.md says why this is no library. */
#ifndef SOPCTL_JSON_H
#define SOPCTL_JSON_H

#include <sop/buffer.h>
#include <sop/key.h>

#include <stdbool.h>
#include <stdint.h>

/* How deep arrays and objects nest: `[]` is one level. */
#define JSON_DEPTH_MAX 64
/* The longest text: places in it are 32 bits. */
#define JSON_TEXT_BYTES_MAX ((size_t)UINT32_MAX)

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/* A value. All of it lives as long as its document, and the text that was parsed. */
struct json {
	enum json_type type;
	uint32_t count; /* elements or members */
	sop_bytes text; /* STRING: what it says; NUMBER: as it was written */
	sop_bytes name; /* of a member of an object */
	const struct json *first; /* element or member */
	const struct json *next; /* beside this one */
};

/* What json_parse makes, reusable; begin with JSON_DOCUMENT_INIT. */
struct json_document {
	const struct json *root;
	const struct json *repeated; /* a member whose name its object has twice, or NULL */
	bool too_deep; /* something nests deeper than JSON_DEPTH_MAX and was left out (as null) */
	struct json_block *blocks;
};

#define JSON_DOCUMENT_INIT                                                                         \
	{                                                                                          \
		NULL, NULL, false, NULL                                                            \
	}

/* Parses `text`, which must be one JSON value, into `document`, dropping what that held.
 * Returns OK; MISUSE: it is no JSON, `err->offset` says where; LIMIT: longer than JSON_TEXT_BYTES_MAX. */
sop_status json_parse(struct json_document *document, sop_bytes text, sop_error *err);

/* Frees what `document` holds. */
void json_free(struct json_document *document);

/* The member `name` of `object`; NULL if there is none, or `object` is no object. */
const struct json *json_member(const struct json *object, const char *name);

/* Whether the string, number or name `text` is `word`. */
bool json_is(sop_bytes text, const char *word);

/* The integer `json`: a number without point and exponent, or {"int":"123"}, as INT or (beyond 2^63-1) UINT.
 * Returns OK; SCHEMA: not in -2^63 .. 2^64-1; MISUSE: it is no integer. */
sop_status json_integer(const struct json *json, sop_value *value, sop_error *err);

/* Appends `json` as compact text: no spaces, numbers as they were written, strings in UTF-8. */
void json_write(const struct json *json, sop_buf *out);

/* Appends the string `text`, which is UTF-8, in quotes. */
void json_write_string(sop_bytes text, sop_buf *out);

#endif
