/* Keys and values where they stand as bare text, without JSON around them: words of the command line and cells of CSV
 * and tables. Built on item_text, which knows what the text of each type is. */
#ifndef SOPCTL_FIELD_TEXT_H
#define SOPCTL_FIELD_TEXT_H

#include "item_text.h"
#include "output.h"

/* Appends the JSON that the bare `text` stands for in a field of `type` (a SOP_TYPE_). */
void field_json(uint32_t type, sop_bytes text, sop_buf *out);

/* Reads `text`, a word of the command line, as a key: a JSON array of its fields, a single field as bare text, or,
 * without a schema, bytes. */
sop_status key_of_text(const struct item_format *format, sop_bytes text, enum key_extent extent,
		       sop_buf *key, sop_error *err);

/* Bytes given as bare text: {"hex":"00ff"} is decoded into `room`, all else stands for itself. */
sop_status bytes_of_text(sop_bytes text, sop_buf *room, sop_bytes *bytes, sop_error *err);

/* The names of the fields of keys: those of the schema, or "key". Returns how many; `names` has room for
 * KEY_CELLS_MAX. They live as long as the schema. */
#define KEY_CELLS_MAX 128
size_t key_columns(const struct item_format *format, const char **names);

/* The cells of `key`, one for each of key_columns. They live until `scratch` is used again. */
struct key_cells {
	sop_buf text;
	struct json_document document;
};
#define KEY_CELLS_INIT                                                                             \
	{                                                                                          \
		SOP_BUF_INIT, JSON_DOCUMENT_INIT                                                   \
	}
void key_cells(const struct item_format *format, sop_bytes key, struct key_cells *scratch,
	       struct cell *cells);
void key_cells_free(struct key_cells *scratch);

#endif
