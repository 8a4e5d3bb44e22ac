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

/* A malformed record ends with its line: the next one may be well again. */
static int skip_line(sop_bytes input, size_t at, size_t *used, uint64_t *lines)
{
	const char *data = input.data;
	const char *end = at < input.size ? memchr(data + at, '\n', input.size - at) : NULL;

	*used = end == NULL ? input.size : (size_t)(end + 1 - data);
	*lines += end != NULL;
	return -1;
}

/* What stands behind a field. */
enum behind { BEHIND_COMMA, BEHIND_RECORD, BEHIND_MORE, BEHIND_WRONG };

/* Takes one field at `*at`. */
static enum behind take_field(sop_bytes input, bool complete, struct csv_record *record, size_t *at,
			      uint64_t *lines, const char **problem)
{
	const char *data = input.data;
	const size_t begin = record->text.size;
	const bool quoted = *at < input.size && data[*at] == '"';
	size_t end = *at;

	if (quoted) {
		++*at;
		*problem = "a quote is not closed";
		if (!quoted_field(input, at, record, lines))
			return complete ? BEHIND_WRONG : BEHIND_MORE;
	} else {
		while (end < input.size && memchr(",\n\r\"", data[end], 4) == NULL)
			end++;
		text_add(&record->text, data + *at, end - *at);
		*at = end;
	}
	*problem = "there are more than 4,096 fields";
	if (!add_field(record, begin, quoted))
		return BEHIND_WRONG;
	if (*at < input.size && data[*at] == ',') {
		++*at;
		return BEHIND_COMMA;
	}
	if (*at < input.size && data[*at] == '\r')
		++*at;
	if (*at >= input.size) /* the end of a record may lie in what has not been read yet */
		return complete ? BEHIND_RECORD : BEHIND_MORE;
	*problem = quoted ? "something follows the closing quote of a field"
			  : "a quote within a field that is not quoted";
	if (data[*at] != '\n')
		return BEHIND_WRONG;
	++*at;
	++*lines;
	return BEHIND_RECORD;
}

int csv_next(sop_bytes input, bool complete, struct csv_record *record, size_t *used,
	     uint64_t *lines, const char **problem)
{
	enum behind behind = BEHIND_COMMA;
	size_t at = 0;

	record->count = 0;
	text_clear(&record->text);
	*lines = 0;
	if (input.size == 0)
		return 0;
	while (behind == BEHIND_COMMA)
		behind = take_field(input, complete, record, &at, lines, problem);
	if (behind == BEHIND_MORE)
		return 0;
	if (behind == BEHIND_WRONG)
		return skip_line(input, at, used, lines);
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
