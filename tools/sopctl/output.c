#include "output.h"

#include "csv.h"
#include "output_table.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

struct output {
	FILE *to;
	struct output_style style;
	const char *const *columns;
	size_t count;
	size_t raw_column;
	size_t rows;
	sop_buf line;
	struct table *table; /* with OUTPUT_TABLE */
};

static const char *const format_names[] = { "table", "json", "jsonl", "csv", "raw", "hex" };

bool output_format_of(const char *name, enum output_format *format)
{
	for (size_t i = 0; i < sizeof format_names / sizeof format_names[0]; i++) {
		if (strcmp(name, format_names[i]) == 0) {
			*format = (enum output_format)i;
			return true;
		}
	}
	return false;
}

struct cell cell_text(const char *text)
{
	return (struct cell){ CELL_TEXT, bytes_of(text) };
}

struct cell cell_count(char room[24], unsigned long long number)
{
	snprintf(room, 24, "%llu", number);
	return (struct cell){ CELL_JSON, bytes_of(room) };
}

struct cell cell_bool(bool value)
{
	return (struct cell){ CELL_JSON, bytes_of(value ? "true" : "false") };
}

/* Bytes that JSON shows as text: UTF-8 without control characters other than tab, newline, carriage return. */
static bool is_text(sop_bytes bytes)
{
	while (bytes.size > 0) {
		unsigned code;
		const size_t size = utf8_next(bytes, &code);

		if (size == 0 || code == 0x7F ||
		    (code < 0x20 && code != '\t' && code != '\n' && code != '\r') ||
		    (code >= 0x80 && code < 0xA0))
			return false;
		bytes.data = (const char *)bytes.data + size;
		bytes.size -= size;
	}
	return true;
}

static void json_string(sop_buf *buf, sop_bytes bytes)
{
	const char *data = bytes.data;

	text_putc(buf, '"');
	for (size_t i = 0; i < bytes.size; i++) {
		const unsigned char c = (unsigned char)data[i];
		const char *escape = c == '"'	 ? "\\\""
				     : c == '\\' ? "\\\\"
				     : c == '\n' ? "\\n"
				     : c == '\r' ? "\\r"
				     : c == '\t' ? "\\t"
						 : NULL;

		if (escape != NULL)
			text_puts(buf, escape);
		else if (c < 0x20)
			text_printf(buf, "\\u%04x", c);
		else
			text_putc(buf, data[i]);
	}
	text_putc(buf, '"');
}

static void json_hex(sop_buf *buf, sop_bytes bytes)
{
	text_puts(buf, "{\"hex\":\"");
	text_hex(buf, bytes);
	text_puts(buf, "\"}");
}

void cell_json(sop_buf *buf, const struct cell *cell)
{
	if (cell->kind == CELL_NULL)
		text_puts(buf, "null");
	else if (cell->kind == CELL_JSON)
		text_add(buf, cell->bytes.data, cell->bytes.size);
	else if (cell->kind == CELL_TEXT || is_text(cell->bytes))
		json_string(buf, cell->bytes);
	else
		json_hex(buf, cell->bytes);
}

void cell_csv(sop_buf *buf, const struct cell *cell)
{
	sop_buf hex = SOP_BUF_INIT;
	sop_bytes bytes = cell->bytes;
	const char *data;

	if (cell->kind == CELL_NULL)
		return;
	if (cell->kind == CELL_BYTES && (!is_text(bytes) || is_hex_form(bytes))) {
		json_hex(&hex, bytes);
		bytes = text_bytes(&hex);
	}
	data = bytes.data;
	if (bytes.size > 0 && memchr(data, '"', bytes.size) == NULL &&
	    memchr(data, ',', bytes.size) == NULL && memchr(data, '\n', bytes.size) == NULL &&
	    memchr(data, '\r', bytes.size) == NULL) {
		text_add(buf, data, bytes.size);
	} else {
		text_putc(buf, '"');
		for (size_t i = 0; i < bytes.size; i++) {
			if (data[i] == '"')
				text_putc(buf, '"');
			text_putc(buf, data[i]);
		}
		text_putc(buf, '"');
	}
	sop_buf_free(&hex);
}

/* A line of CSV: the header where `cells` is NULL. */
static void csv_line(struct output *output, const struct cell *cells)
{
	for (size_t i = 0; i < output->count; i++) {
		const struct cell name = cell_text(output->columns[i]);

		if (i > 0)
			text_putc(&output->line, ',');
		cell_csv(&output->line, cells == NULL ? &name : &cells[i]);
	}
	text_puts(&output->line, "\r\n");
}

static void json_object(sop_buf *buf, const char *const *columns, const struct cell *cells, size_t count)
{
	text_putc(buf, '{');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			text_putc(buf, ',');
		json_string(buf, bytes_of(columns[i]));
		text_putc(buf, ':');
		cell_json(buf, &cells[i]);
	}
	text_putc(buf, '}');
}

static void hex_line(sop_buf *buf, const struct cell *cells, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			text_putc(buf, '\t');
		if (cells[i].kind == CELL_BYTES)
			text_hex(buf, cells[i].bytes);
		else if (cells[i].kind != CELL_NULL)
			text_add(buf, cells[i].bytes.data, cells[i].bytes.size);
	}
	text_putc(buf, '\n');
}

bool output_bytes(FILE *to, sop_bytes bytes)
{
	return bytes.size == 0 || fwrite(bytes.data, 1, bytes.size, to) == bytes.size;
}

static bool flush_line(struct output *output)
{
	const bool written = output_bytes(output->to, text_bytes(&output->line));

	text_clear(&output->line);
	return written;
}

struct output *output_open(FILE *to, const struct output_style *style, const char *const *columns,
			   size_t count, size_t raw_column)
{
	struct output *output = memory_of(1, sizeof *output);

	output->to = to;
	output->style = *style;
	output->columns = columns;
	output->count = count;
	output->raw_column = raw_column;
	if (style->format == OUTPUT_TABLE)
		output->table = table_open(to, style, columns, count);
	else if (style->format == OUTPUT_CSV)
		csv_line(output, NULL);
	else if (style->format == OUTPUT_JSON)
		text_putc(&output->line, '[');
	return output;
}

bool output_row(struct output *output, const struct cell *cells)
{
	sop_buf *line = &output->line;

	switch (output->style.format) {
	case OUTPUT_TABLE:
		table_row(output->table, cells);
		return ferror(output->to) == 0;
	case OUTPUT_JSON:
		text_puts(line, output->rows == 0 ? "\n" : ",\n");
		json_object(line, output->columns, cells, output->count);
		break;
	case OUTPUT_JSONL:
		json_object(line, output->columns, cells, output->count);
		text_putc(line, '\n');
		break;
	case OUTPUT_CSV:
		csv_line(output, cells);
		break;
	case OUTPUT_RAW:
		text_add(line, cells[output->raw_column].bytes.data,
			 cells[output->raw_column].bytes.size);
		text_putc(line, '\n');
		break;
	case OUTPUT_HEX:
		hex_line(line, cells, output->count);
		break;
	}
	output->rows++;
	return flush_line(output);
}

bool output_close(struct output *output)
{
	bool written = true;

	if (output->table != NULL)
		table_close(output->table);
	if (output->style.format == OUTPUT_JSON)
		text_puts(&output->line, output->rows == 0 ? "]\n" : "\n]\n");
	written = flush_line(output) && fflush(output->to) == 0 && ferror(output->to) == 0;
	sop_buf_free(&output->line);
	free(output);
	return written;
}

static bool record_table(FILE *to, const struct output_style *style, const char *const *names,
			 const struct cell *cells, size_t count)
{
	sop_buf line = SOP_BUF_INIT;
	size_t widest = 0;

	for (size_t i = 0; i < count; i++)
		widest = strlen(names[i]) > widest ? strlen(names[i]) : widest;
	for (size_t i = 0; i < count; i++) {
		text_printf(&line, "%s%-*s%s  ", style->colour ? "\033[1m" : "", (int)widest,
			    names[i], style->colour ? "\033[0m" : "");
		text_visible(&line, cells[i].bytes,
			     style->columns > widest + 2 ? style->columns - widest - 2 : 0);
		text_putc(&line, '\n');
	}
	fwrite(line.data, 1, line.size, to);
	sop_buf_free(&line);
	return fflush(to) == 0 && ferror(to) == 0;
}

static bool record_raw(FILE *to, const char *const *names, const struct cell *cells, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fprintf(to, "%s\t%.*s\n", names[i], (int)cells[i].bytes.size,
			(const char *)cells[i].bytes.data);
	return fflush(to) == 0 && ferror(to) == 0;
}

bool output_record(FILE *to, const struct output_style *style, const char *const *names,
		   const struct cell *cells, size_t count)
{
	struct output_style one = *style;
	struct output *output;

	if (style->format == OUTPUT_TABLE)
		return record_table(to, style, names, cells, count);
	if (style->format == OUTPUT_RAW)
		return record_raw(to, names, cells, count);
	if (style->format == OUTPUT_JSON)
		one.format = OUTPUT_JSONL; /* one thing is no array */
	output = output_open(to, &one, names, count, 0);
	output_row(output, cells);
	return output_close(output);
}
