#include "csv.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 4096

/* Offsets while the text may still move; pointers when it has ended. */
static bool add_field(struct csv_record *record, size_t begin, bool quoted)
{
	if (record->count == FIELDS_MAX)
		return false;
	if (record->count == record->capacity) {
		record->capacity = record->capacity * 2 + 16;
		record->fields = memory_grown(record->fields, record->capacity, sizeof *record->fields);
	}
	record->fields[record->count++] =
		(struct csv_field){ { NULL, record->text.size - begin }, quoted };
	return true;
}

static void settle(struct csv_record *record)
{
	const char *at = text_string(&record->text);

	for (size_t i = 0; i < record->count; i++) {
		record->fields[i].text.data = at;
		at += record->fields[i].text.size;
	}
}

/* Takes a quoted field from `input` at `*at`, which stands behind the opening quote. Returns false if it does not end. */
static bool quoted_field(sop_bytes input, size_t *at, struct csv_record *record, uint64_t *lines)
{
	const char *data = input.data;

	for (;;) {
		const char *quote = memchr(data + *at, '"', input.size - *at);
		const size_t end = quote == NULL ? input.size : (size_t)(quote - data);

		for (size_t i = *at; i < end; i++)
			*lines += data[i] == '\n';
		text_add(&record->text, data + *at, end - *at);
		*at = end + 1;
		if (quote == NULL)
			return false;
		if (*at == input.size || data[*at] != '"')
			return true;
		text_putc(&record->text, '"');
		(*at)++;
	}
}

static int malformed(sop_bytes input, size_t at, size_t *used, uint64_t *lines, const char *why,
		     const char **problem)
{
	const char *end = memchr((const char *)input.data + at, '\n', input.size - at);

	*used = end == NULL ? input.size : (size_t)(end + 1 - (const char *)input.data);
	*lines += end != NULL;
	*problem = why;
	return -1;
}

int csv_next(sop_bytes input, bool complete, struct csv_record *record, size_t *used,
	     uint64_t *lines, const char **problem)
{
	const char *data = input.data;
	size_t at = 0;

	record->count = 0;
	text_clear(&record->text);
	*lines = 0;
	if (input.size == 0)
		return 0;
	for (;;) {
		const size_t begin = record->text.size;
		const bool quoted = at < input.size && data[at] == '"';

		if (quoted) {
			at++;
			if (!quoted_field(input, &at, record, lines)) {
				if (!complete)
					return 0;
				return malformed(input, input.size, used, lines,
						 "a quote is not closed", problem);
			}
		} else {
			const size_t from = at;

			while (at < input.size && data[at] != ',' && data[at] != '\n' &&
			       data[at] != '\r' && data[at] != '"')
				at++;
			text_add(&record->text, data + from, at - from);
		}
		if (!add_field(record, begin, quoted))
			return malformed(input, at, used, lines, "there are more than 4,096 fields",
					 problem);
		if (at < input.size && data[at] == ',') {
			at++;
			continue;
		}
		/* The end of a record: it may lie in what has not been read yet. */
		if (at < input.size && data[at] == '\r')
			at++;
		if (at >= input.size) {
			if (!complete)
				return 0;
			break;
		}
		if (data[at] != '\n')
			return malformed(input, at, used, lines,
					 quoted ? "something follows the closing quote of a field"
						: "a quote within a field that is not quoted",
					 problem);
		at++;
		(*lines)++;
		break;
	}
	*used = at;
	settle(record);
	return 1;
}

void csv_free(struct csv_record *record)
{
	free(record->fields);
	sop_buf_free(&record->text);
}

bool is_hex_form(sop_bytes bytes)
{
	static const char head[] = "{\"hex\":\"";
	static const char tail[] = "\"}";
	const char *data = bytes.data;
	const size_t around = sizeof head - 1 + sizeof tail - 1;

	if (bytes.size < around || memcmp(data, head, sizeof head - 1) != 0 ||
	    memcmp(data + bytes.size - 2, tail, 2) != 0)
		return false;
	for (size_t i = sizeof head - 1; i < bytes.size - 2; i++) {
		if (strchr("0123456789abcdefABCDEF", data[i]) == NULL || data[i] == '\0')
			return false;
	}
	return (bytes.size - around) % 2 == 0;
}
