#include "item_rows.h"

#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_flat(const struct access *access)
{
	return access->style.format == OUTPUT_TABLE || access->style.format == OUTPUT_CSV;
}

void item_rows_open(struct item_rows *rows, struct access *access, FILE *to, unsigned flags)
{
	size_t value_column;

	memset(rows, 0, sizeof *rows);
	rows->access = access;
	rows->scratch = (struct key_cells)KEY_CELLS_INIT;
	rows->document = (struct json_document)JSON_DOCUMENT_INIT;
	rows->values = (flags & ITEM_ROWS_KEYS) == 0;
	rows->kind = access_values(access);
	rows->only = (flags & ITEM_ROWS_ONLY) != 0;
	rows->items = access->duplicates && (flags & ITEM_ROWS_PLAIN) == 0;
	rows->versions = (flags & ITEM_ROWS_VERSIONS) != 0;
	rows->columns[0] = "key";
	rows->key_count = is_flat(access) ? key_columns(&access->format, rows->columns) : 1;
	rows->count = rows->key_count;
	value_column = rows->values ? rows->count : 0;
	if (rows->values)
		rows->columns[rows->count++] = "value";
	if (rows->items)
		rows->columns[rows->count++] = "item";
	if (rows->versions)
		rows->columns[rows->count++] = "version";
	rows->output = output_open(to, &access->style, rows->columns, rows->count, value_column);
}

/* The key whole: encoded for hex, else as JSON. */
static void whole_key(struct item_rows *rows, sop_bytes key)
{
	const enum output_format format = rows->access->style.format;

	rows->cells[0] = (struct cell){ CELL_BYTES, key };
	if (format == OUTPUT_HEX || rows->access->schema == NULL)
		return;
	text_clear(&rows->text);
	item_key_write(&rows->access->format, key, &rows->text);
	rows->cells[0] = (struct cell){ CELL_JSON, text_bytes(&rows->text) };
}

/* The integer, little-endian, as a number; beyond 2^53 in quotes, if that was asked for. */
static struct cell counter_cell(struct item_rows *rows, const unsigned char *bytes)
{
	uint64_t bits = 0;

	for (size_t i = sizeof bits; i-- > 0;)
		bits = bits << 8 | bytes[i];
	snprintf(rows->digits[2], sizeof rows->digits[2], "%" PRId64, (int64_t)bits);
	return (struct cell){ CELL_JSON, bytes_of(rows->digits[2]) };
}

static struct cell value_cell(struct item_rows *rows, sop_bytes value)
{
	const struct cell bytes = { CELL_BYTES, value };
	sop_error err = SOP_ERROR_INIT;

	if (rows->kind == VALUE_BYTES || rows->access->style.format == OUTPUT_HEX)
		return bytes;
	if (rows->kind == VALUE_COUNTER && value.size == sizeof(int64_t))
		return counter_cell(rows, value.data);
	if (rows->kind == VALUE_COUNTER || json_parse(&rows->document, value, &err) != SOP_OK ||
	    rows->document.too_deep) {
		rows->strayed = rows->only;
		return bytes;
	}
	text_clear(&rows->json);
	json_write(rows->document.root, &rows->json);
	return (struct cell){ CELL_JSON, text_bytes(&rows->json) };
}

bool item_rows_add(struct item_rows *rows, sop_bytes key, sop_bytes value, const sop_item *about)
{
	size_t at = rows->key_count;

	if (is_flat(rows->access))
		key_cells(&rows->access->format, key, &rows->scratch, rows->cells);
	else
		whole_key(rows, key);
	if (rows->values)
		rows->cells[at++] = value_cell(rows, value);
	if (rows->items)
		rows->cells[at++] = cell_count(rows->digits[0], about->item);
	if (rows->versions)
		rows->cells[at++] = cell_count(rows->digits[1], about->version);
	return !rows->strayed && output_row(rows->output, rows->cells);
}

bool item_rows_close(struct item_rows *rows)
{
	const bool written = output_close(rows->output);

	key_cells_free(&rows->scratch);
	json_free(&rows->document);
	sop_buf_free(&rows->text);
	sop_buf_free(&rows->json);
	return written;
}
