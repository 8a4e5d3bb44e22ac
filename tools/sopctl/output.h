/* What a command answers, in the format that was asked for. A command says what its columns are and gives rows of
 * cells; how they look is known here alone. */
#ifndef SOPCTL_OUTPUT_H
#define SOPCTL_OUTPUT_H

#include <sop/buffer.h>

#include <stdbool.h>
#include <stdio.h>

enum output_format {
	OUTPUT_TABLE, /* for people: aligned, cut to the width of the terminal */
	OUTPUT_JSON, /* one array of objects */
	OUTPUT_JSONL, /* one object a line */
	OUTPUT_CSV, /* RFC 4180, with a header; an absent value is empty, an empty text is "" */
	OUTPUT_RAW, /* one column as it is, a line a row */
	OUTPUT_HEX /* bytes in hexadecimal, columns apart by a tab */
};

enum cell_kind {
	CELL_NULL, /* nothing */
	CELL_JSON, /* JSON as it is: a number, a boolean, an array, an object */
	CELL_TEXT, /* a name or a sentence */
	CELL_BYTES /* bytes of a key or a value: text where they are text */
};

struct cell {
	enum cell_kind kind;
	sop_bytes bytes;
};

struct output_style {
	enum output_format format;
	bool colour;
	size_t columns; /* of the terminal; 0: nothing is cut */
};

#define OUTPUT_COLUMNS_MAX 160

struct output;

/* Finds the format `name`. Returns false if there is none. */
bool output_format_of(const char *name, enum output_format *format);

/* Begins an answer of rows with these columns on `to`. `raw_column` is the one that OUTPUT_RAW prints. The names must
 * live until output_close. */
struct output *output_open(FILE *to, const struct output_style *style, const char *const *columns,
			   size_t count, size_t raw_column);

/* One row: as many cells as there are columns. Copied. Returns false if nobody reads any more. */
bool output_row(struct output *output, const struct cell *cells);

/* Ends the answer and frees `output`. Returns false if something could not be written. */
bool output_close(struct output *output);

/* One thing with named properties: a line for each of them in a table, one object in JSON. */
bool output_record(FILE *to, const struct output_style *style, const char *const *names,
		   const struct cell *cells, size_t count);

/* Writes `bytes` as they are, which may be none. Returns false if nobody reads any more. */
bool output_bytes(FILE *to, sop_bytes bytes);

/* Appends `cell` as JSON, as a field of CSV. */
void cell_json(sop_buf *buf, const struct cell *cell);
void cell_csv(sop_buf *buf, const struct cell *cell);

/* Cells of plain numbers and texts; `room` receives the digits and must live as long as the cell. */
struct cell cell_text(const char *text);
struct cell cell_count(char room[24], unsigned long long number);
struct cell cell_bool(bool value);

#endif
