#include "output_table.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MEASURED 200 /* they decide the widths */
#define COLUMN_GAP 2
#define COLUMN_MIN 6 /* narrower is unreadable: columns shrink to this */
#define CELL_COLUMNS_MAX 1000 /* of one that nothing else bounds */

struct held {
	struct cell *cells;
	char *bytes;
};

struct table {
	FILE *to;
	struct output_style style;
	const char *const *columns;
	size_t count;
	size_t *widths;
	bool *numeric; /* right-aligned */
	struct held *held;
	size_t held_count;
	bool begun;
};

struct table *table_open(FILE *to, const struct output_style *style, const char *const *columns,
			 size_t count)
{
	struct table *table = memory_of(1, sizeof *table);

	table->to = to;
	table->style = *style;
	table->columns = columns;
	table->count = count;
	table->widths = memory_of(count, sizeof *table->widths);
	table->numeric = memory_of(count, sizeof *table->numeric);
	table->held = memory_of(ROWS_MEASURED, sizeof *table->held);
	for (size_t i = 0; i < count; i++) {
		table->widths[i] = text_columns(bytes_of(columns[i]));
		table->numeric[i] = true;
	}
	return table;
}

static bool is_number(const struct cell *cell)
{
	const char first = cell->bytes.size > 0 ? *(const char *)cell->bytes.data : ' ';

	return cell->kind == CELL_JSON && (first == '-' || (first >= '0' && first <= '9'));
}

static void measure(struct table *table, const struct cell *cells)
{
	for (size_t i = 0; i < table->count; i++) {
		size_t width = text_columns(cells[i].bytes);

		width = width > CELL_COLUMNS_MAX ? CELL_COLUMNS_MAX : width;
		if (width > table->widths[i])
			table->widths[i] = width;
		if (cells[i].kind != CELL_NULL && !is_number(&cells[i]))
			table->numeric[i] = false;
	}
}

/* Takes columns from the widest until the table fits, or nothing more can be taken. */
static void shrink(struct table *table)
{
	size_t total = (table->count - 1) * COLUMN_GAP;

	for (size_t i = 0; i < table->count; i++)
		total += table->widths[i];
	while (table->style.columns > 0 && total > table->style.columns) {
		size_t widest = 0;

		for (size_t i = 1; i < table->count; i++) {
			if (table->widths[i] > table->widths[widest])
				widest = i;
		}
		if (table->widths[widest] <= COLUMN_MIN)
			return;
		table->widths[widest]--;
		total--;
	}
}

static void pad(sop_buf *line, size_t columns)
{
	for (size_t i = 0; i < columns; i++)
		text_putc(line, ' ');
}

static void add_cell(struct table *table, sop_buf *line, size_t i, sop_bytes bytes)
{
	const bool last = i + 1 == table->count;
	const bool cut = table->style.columns > 0;
	sop_buf shown = SOP_BUF_INIT;
	const size_t used = text_visible(&shown, bytes, cut ? table->widths[i] : 0);
	const size_t space = table->widths[i] > used ? table->widths[i] - used : 0;

	if (table->numeric[i])
		pad(line, space);
	text_add(line, shown.data, shown.size);
	if (!last)
		pad(line, COLUMN_GAP + (table->numeric[i] ? 0 : space));
	sop_buf_free(&shown);
}

static void print_line(struct table *table, const struct cell *cells)
{
	sop_buf line = SOP_BUF_INIT;

	if (cells == NULL && table->style.colour)
		text_puts(&line, "\033[1m");
	for (size_t i = 0; i < table->count; i++)
		add_cell(table, &line, i, cells == NULL ? bytes_of(table->columns[i]) : cells[i].bytes);
	if (cells == NULL && table->style.colour)
		text_puts(&line, "\033[0m");
	text_putc(&line, '\n');
	fwrite(line.data, 1, line.size, table->to);
	sop_buf_free(&line);
}

/* Prints the header and what is held; from here on rows go through. */
static void begin(struct table *table)
{
	if (table->held_count == 0)
		memset(table->numeric, 0, table->count * sizeof *table->numeric);
	shrink(table);
	print_line(table, NULL);
	for (size_t i = 0; i < table->held_count; i++) {
		print_line(table, table->held[i].cells);
		free(table->held[i].cells);
		free(table->held[i].bytes);
	}
	table->held_count = 0;
	table->begun = true;
}

static void hold(struct table *table, const struct cell *cells)
{
	struct held *held = &table->held[table->held_count++];
	size_t size = 0;

	for (size_t i = 0; i < table->count; i++)
		size += cells[i].bytes.size;
	held->cells = memory_of(table->count, sizeof *cells);
	held->bytes = memory_of(size, 1);
	size = 0;
	for (size_t i = 0; i < table->count; i++) {
		held->cells[i] = cells[i];
		held->cells[i].bytes.data = held->bytes + size;
		if (cells[i].bytes.size > 0)
			memcpy(held->bytes + size, cells[i].bytes.data, cells[i].bytes.size);
		size += cells[i].bytes.size;
	}
}

void table_row(struct table *table, const struct cell *cells)
{
	if (table->begun) {
		print_line(table, cells);
		return;
	}
	measure(table, cells);
	hold(table, cells);
	if (table->held_count == ROWS_MEASURED)
		begin(table);
}

void table_close(struct table *table)
{
	if (!table->begun)
		begin(table);
	free(table->widths);
	free(table->numeric);
	free(table->held);
	free(table);
}
