/* CSV as RFC 4180 has it, read record by record: fields may be quoted and then hold commas, quotes and line ends. */
#ifndef SOPCTL_CSV_H
#define SOPCTL_CSV_H

#include <sop/buffer.h>

#include <stdbool.h>
#include <stdint.h>

struct csv_field {
	sop_bytes text;
	bool quoted; /* an empty field that is quoted is an empty text, else it is nothing */
};

struct csv_record {
	struct csv_field *fields;
	size_t count;
	size_t capacity;
	sop_buf text; /* what the fields point into */
};

/* Takes one record from the start of `input`. `complete`: nothing follows `input`; otherwise a record that reaches its
 * end is not taken. `used` receives its bytes, `lines` its line ends.
 * Returns 1: `record` has it; 0: more input is needed (or there is none); -1: it is malformed, and `problem` says why;
 * `used` then skips to the next line. */
int csv_next(sop_bytes input, bool complete, struct csv_record *record, size_t *used,
	     uint64_t *lines, const char **problem);

void csv_free(struct csv_record *record);

/* Whether `bytes` have the form {"hex":"..."} by which cells of text name bytes that are no text. */
bool is_hex_form(sop_bytes bytes);

#endif
