/* Items as rows of an answer: what get, scan and export print. Tables and CSV have a column for each field of the key,
 * JSON has the key whole. */
#ifndef SOPCTL_ITEM_ROWS_H
#define SOPCTL_ITEM_ROWS_H

#include "access.h"
#include "field_text.h"

struct item_rows {
	struct access *access;
	struct output *output;
	const char *columns[KEY_CELLS_MAX + 3];
	struct cell cells[KEY_CELLS_MAX + 3];
	size_t key_count;
	size_t count;
	bool values;
	enum value_kind kind; /* of the values */
	bool only; /* with ITEM_ROWS_ONLY: of that kind */
	bool strayed; /* so a value was not of its kind, and its row was not printed */
	bool versions;
	bool items;
	struct key_cells scratch;
	struct json_document document;
	sop_buf text;
	sop_buf json;
	char digits[3][24];
};

#define ITEM_ROWS_KEYS 1u /* without values */
#define ITEM_ROWS_VERSIONS 2u
#define ITEM_ROWS_ONLY                                                                             \
	4u /* values that are not of the kind of the option --values are refused, not shown as bytes */
#define ITEM_ROWS_PLAIN 8u /* without item ids, which mean nothing elsewhere */

/* Begins an answer of items of the store of `access` on `to`. */
void item_rows_open(struct item_rows *rows, struct access *access, FILE *to, unsigned flags);
/* One item. Returns false if nobody reads any more, or `strayed`. */
bool item_rows_add(struct item_rows *rows, sop_bytes key, sop_bytes value, const sop_item *about);
/* Ends the answer. Returns false if something could not be written. */
bool item_rows_close(struct item_rows *rows);

#endif
