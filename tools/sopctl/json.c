/* Reads by recursive descent, of bounded depth; what nests deeper is skipped without recursion. Nodes and decoded
 * strings lie in blocks that the document keeps. */
#include "json.h"

#include "hex.h"
#include "status.h"
#include "text.h"
#include "try.h"

#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_BYTES_MIN = 16 << 10,
	BLOCK_BYTES_MAX = 4 << 20,
	MEMBERS_COMPARED_MAX = 16 /* objects with more members sort their names */
};

struct json_block {
	struct json_block *next;
	size_t size; /* bytes of `room` */
	size_t used;
	_Alignas(max_align_t) unsigned char room[];
};

struct parser {
	struct json_document *document;
	const char *start;
	const char *at;
	const char *end;
	sop_error *err;
};

/* ---- memory */

static void *take(struct json_document *document, size_t size)
{
	struct json_block *block = document->blocks;
	void *taken;

	size = (size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
	if (block == NULL || block->size - block->used < size) {
		size_t room = block == NULL ? BLOCK_BYTES_MIN : block->size * 2;

		room = room > BLOCK_BYTES_MAX ? BLOCK_BYTES_MAX : room;
		room = room < size ? size : room;
		block = memory_of(1, sizeof *block + room);
		block->size = room;
		block->next = document->blocks;
		document->blocks = block;
	}
	taken = block->room + block->used;
	block->used += size;
	return taken;
}

/* Keeps the newest block, usually the largest, for the next text. */
static void forget(struct json_document *document)
{
	struct json_block *kept = document->blocks;

	if (kept != NULL) {
		while (kept->next != NULL) {
			struct json_block *next = kept->next;

			kept->next = next->next;
			free(next);
		}
		kept->used = 0;
		if (kept->size > BLOCK_BYTES_MAX) {
			free(kept);
			document->blocks = NULL;
		}
	}
	document->root = NULL;
	document->repeated = NULL;
	document->too_deep = false;
}

void json_free(struct json_document *document)
{
	forget(document);
	free(document->blocks);
	document->blocks = NULL;
}

/* ---- tokens */

static sop_status wrong(struct parser *parser, const char *what)
{
	const size_t place = (size_t)(parser->at - parser->start);

	error_set(parser->err, SOP_MISUSE, "no JSON at byte %zu: %s", place, what);
	parser->err->offset = (int64_t)place;
	return SOP_MISUSE;
}

static void skip_space(struct parser *parser)
{
	while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\t' ||
					    *parser->at == '\n' || *parser->at == '\r'))
		parser->at++;
}

/* The next byte that is no space; '\0' at the end (a NUL byte is no JSON either). */
static char peek(struct parser *parser)
{
	skip_space(parser);
	return parser->at < parser->end ? *parser->at : '\0';
}

static bool take_char(struct parser *parser, char wanted)
{
	if (peek(parser) != wanted || parser->at == parser->end)
		return false;
	parser->at++;
	return true;
}

static bool take_word(struct parser *parser, const char *word)
{
	const size_t size = strlen(word);

	if ((size_t)(parser->end - parser->at) < size || memcmp(parser->at, word, size) != 0)
		return false;
	parser->at += size;
	return true;
}

static bool digit_at(const struct parser *parser)
{
	return parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9';
}

static bool take_digits(struct parser *parser)
{
	if (!digit_at(parser))
		return false;
	while (digit_at(parser))
		parser->at++;
	return true;
}

static sop_status read_number(struct parser *parser, struct json *json)
{
	const char *from = parser->at;

	if (*parser->at == '-')
		parser->at++;
	if (parser->at < parser->end && *parser->at == '0')
		parser->at++;
	else if (!take_digits(parser))
		return wrong(parser, "a value is expected here");
	if (digit_at(parser))
		return wrong(parser, "a number may not begin with 0");
	if (parser->at < parser->end && *parser->at == '.') {
		parser->at++;
		if (!take_digits(parser))
			return wrong(parser, "digits are expected behind the point");
	}
	if (parser->at < parser->end && (*parser->at == 'e' || *parser->at == 'E')) {
		parser->at++;
		if (parser->at < parser->end && (*parser->at == '+' || *parser->at == '-'))
			parser->at++;
		if (!take_digits(parser))
			return wrong(parser, "digits are expected in the exponent");
	}
	json->type = JSON_NUMBER;
	json->text = (sop_bytes){ from, (size_t)(parser->at - from) };
	return SOP_OK;
}

/* The four hex digits at `at`; -1 if they are not. */
static long hex4(const char *at, const char *end)
{
	long code = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		const int digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		code = code * 16 + digit;
	}
	return code;
}

static char *put_utf8(char *to, long code)
{
	if (code < 0x80) {
		*to++ = (char)code;
	} else if (code < 0x800) {
		*to++ = (char)(0xC0 | code >> 6);
		*to++ = (char)(0x80 | (code & 0x3F));
	} else if (code < 0x10000) {
		*to++ = (char)(0xE0 | code >> 12);
		*to++ = (char)(0x80 | (code >> 6 & 0x3F));
		*to++ = (char)(0x80 | (code & 0x3F));
	} else {
		*to++ = (char)(0xF0 | code >> 18);
		*to++ = (char)(0x80 | (code >> 12 & 0x3F));
		*to++ = (char)(0x80 | (code >> 6 & 0x3F));
		*to++ = (char)(0x80 | (code & 0x3F));
	}
	return to;
}

/* The \u escape whose digits begin at parser->at, with the second half of a pair. */
static sop_status read_code(struct parser *parser, char **to)
{
	long code = hex4(parser->at, parser->end);

	if (code < 0)
		return wrong(parser, "four hex digits are expected behind \\u");
	if (code >= 0xD800 && code <= 0xDFFF) {
		const char *second = parser->at + 4;
		const bool pair = code < 0xDC00 && parser->end - second >= 6 && second[0] == '\\' &&
				  second[1] == 'u';
		const long low = pair ? hex4(second + 2, parser->end) : -1;

		if (low < 0xDC00 || low > 0xDFFF)
			return wrong(parser, "half of a surrogate pair is no character");
		code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
		parser->at += 6;
	}
	parser->at += 4;
	*to = put_utf8(*to, code);
	return SOP_OK;
}

static sop_status read_escape(struct parser *parser, char **to)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	const char letter = parser->at < parser->end ? *parser->at : '\0';
	const char *found = letter == '\0' ? NULL : strchr(letters, letter);

	if (letter == 'u') {
		parser->at++;
		return read_code(parser, to);
	}
	if (found == NULL)
		return wrong(parser, "there is no such escape in a string");
	parser->at++;
	*(*to)++ = meanings[found - letters];
	return SOP_OK;
}

/* Moves behind the characters of a string up to a quote or an escape. */
static sop_status skip_plain(struct parser *parser)
{
	while (parser->at < parser->end && *parser->at != '"' && *parser->at != '\\') {
		const unsigned char first = (unsigned char)*parser->at;
		unsigned code;
		size_t size = 1;

		if (first < 0x20)
			return wrong(parser, "a control character in a string; write it as \\u00..");
		if (first >= 0x80)
			size = utf8_next((sop_bytes){ parser->at, (size_t)(parser->end - parser->at) },
					 &code);
		if (size == 0)
			return wrong(parser, "a string is not UTF-8");
		parser->at += size;
	}
	return parser->at < parser->end ? SOP_OK : wrong(parser, "a string does not end");
}

/* A string from behind its opening quote. One without escapes is a view of the text. */
static sop_status read_string(struct parser *parser, sop_bytes *text)
{
	const char *from = parser->at;
	char *room, *to;

	TRY(skip_plain(parser));
	if (*parser->at == '"') {
		*text = (sop_bytes){ from, (size_t)(parser->at - from) };
		parser->at++;
		return SOP_OK;
	}
	const char *quote = parser->at;

	while (quote < parser->end && *quote != '"') /* an escape never makes a string longer */
		quote += *quote == '\\' ? 2 : 1;
	if (quote >= parser->end)
		return wrong(parser, "a string does not end");
	room = take(parser->document, (size_t)(quote - from));
	to = room;
	for (;;) {
		memcpy(to, from, (size_t)(parser->at - from));
		to += parser->at - from;
		if (*parser->at == '"')
			break;
		parser->at++;
		TRY(read_escape(parser, &to));
		from = parser->at;
		TRY(skip_plain(parser));
	}
	parser->at++;
	*text = (sop_bytes){ room, (size_t)(to - room) };
	return SOP_OK;
}

/* ---- values */

static int by_name(const void *a, const void *b)
{
	const struct json *left = *(const struct json *const *)a;
	const struct json *right = *(const struct json *const *)b;
	const size_t size = left->name.size < right->name.size ? left->name.size : right->name.size;
	const int order = size == 0 ? 0 : memcmp(left->name.data, right->name.data, size);

	return order != 0
		       ? order
		       : (left->name.size > right->name.size) - (left->name.size < right->name.size);
}

static const struct json *repeated_in_few(const struct json *object)
{
	for (const struct json *a = object->first; a != NULL; a = a->next) {
		for (const struct json *b = a->next; b != NULL; b = b->next) {
			if (by_name(&a, &b) == 0)
				return b;
		}
	}
	return NULL;
}

static const struct json *repeated_in_many(const struct json *object)
{
	const struct json **members = memory_of(object->count, sizeof(*members));
	const struct json *repeated = NULL;
	size_t count = 0;

	for (const struct json *member = object->first; member != NULL; member = member->next)
		members[count++] = member;
	qsort(members, count, sizeof(*members), by_name);
	for (size_t i = 1; i < count && repeated == NULL; i++) {
		if (by_name(&members[i - 1], &members[i]) == 0)
			repeated = members[i];
	}
	free(members);
	return repeated;
}

/* Skips an array or object that nests too deep: strings are read, brackets counted, the rest is not looked at. */
static sop_status skip_deep(struct parser *parser)
{
	size_t open = 0;
	sop_bytes text;

	parser->document->too_deep = true;
	do {
		const char here = peek(parser);

		if (parser->at == parser->end)
			return wrong(parser, "an array or object does not end");
		parser->at++;
		if (here == '"')
			TRY(read_string(parser, &text));
		open += here == '[' || here == '{';
		open -= here == ']' || here == '}';
	} while (open > 0);
	return SOP_OK;
}

static sop_status read_value(struct parser *parser, size_t depth, struct json *json);

/* The elements of an array, or the members of an object, from behind its bracket to behind `closing`. */
static sop_status read_inside(struct parser *parser, size_t depth, char closing, struct json *json)
{
	const struct json **link = &json->first;

	if (take_char(parser, closing))
		return SOP_OK;
	do {
		struct json *child = take(parser->document, sizeof *child);

		memset(child, 0, sizeof *child);
		if (closing == '}') {
			if (!take_char(parser, '"'))
				return wrong(parser, "a name in quotes is expected here");
			TRY(read_string(parser, &child->name));
			if (!take_char(parser, ':'))
				return wrong(parser, "a colon is expected behind a name");
		}
		TRY(read_value(parser, depth, child));
		*link = child;
		link = (const struct json **)&child->next;
		json->count++;
	} while (take_char(parser, ','));
	return take_char(parser, closing) ? SOP_OK
					  : wrong(parser, "a comma or the end is expected here");
}

static sop_status read_object(struct parser *parser, size_t depth, struct json *json)
{
	const struct json *repeated;

	json->type = JSON_OBJECT;
	TRY(read_inside(parser, depth, '}', json));
	repeated = json->count <= MEMBERS_COMPARED_MAX ? repeated_in_few(json) : repeated_in_many(json);
	if (repeated != NULL)
		parser->document->repeated = repeated;
	return SOP_OK;
}

static sop_status read_value(struct parser *parser, size_t depth, struct json *json)
{
	const char first = peek(parser);

	if ((first == '[' || first == '{') && depth == JSON_DEPTH_MAX)
		return skip_deep(parser);
	switch (first) {
	case '{':
		parser->at++;
		return read_object(parser, depth + 1, json);
	case '[':
		parser->at++;
		json->type = JSON_ARRAY;
		return read_inside(parser, depth + 1, ']', json);
	case '"':
		parser->at++;
		json->type = JSON_STRING;
		return read_string(parser, &json->text);
	case 't':
		json->type = JSON_TRUE;
		return take_word(parser, "true") ? SOP_OK : wrong(parser, "a value is expected here");
	case 'f':
		json->type = JSON_FALSE;
		return take_word(parser, "false") ? SOP_OK : wrong(parser, "a value is expected here");
	case 'n':
		json->type = JSON_NULL;
		return take_word(parser, "null") ? SOP_OK : wrong(parser, "a value is expected here");
	default:
		if (parser->at == parser->end)
			return wrong(parser, "the text ends where a value is expected");
		return read_number(parser, json);
	}
}

sop_status json_parse(struct json_document *document, sop_bytes text, sop_error *err)
{
	struct parser parser = { document, text.data, text.data, NULL, err };
	struct json *root;

	forget(document);
	if (text.size > JSON_TEXT_BYTES_MAX)
		return error_set(err, SOP_LIMIT, "%zu bytes of JSON; %zu are the limit", text.size,
				 JSON_TEXT_BYTES_MAX);
	parser.end = parser.start + text.size;
	root = take(document, sizeof *root);
	memset(root, 0, sizeof *root);
	TRY(read_value(&parser, 0, root));
	skip_space(&parser);
	if (parser.at != parser.end)
		return wrong(&parser, "there is something behind the value");
	document->root = root;
	return SOP_OK;
}

/* ---- questions */

bool json_is(sop_bytes text, const char *word)
{
	return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

const struct json *json_member(const struct json *object, const char *name)
{
	if (object == NULL || object->type != JSON_OBJECT)
		return NULL;
	for (const struct json *member = object->first; member != NULL; member = member->next) {
		if (json_is(member->name, name))
			return member;
	}
	return NULL;
}

sop_status json_integer(const struct json *json, sop_value *value, sop_error *err)
{
	const struct json *quoted =
		json->type == JSON_OBJECT && json->count == 1 ? json_member(json, "int") : NULL;
	const struct json *number = quoted != NULL && quoted->type == JSON_STRING ? quoted : json;
	const unsigned char *text = number->text.data;
	size_t at = number->text.size > 0 && text[0] == '-';

	if (number->type != JSON_NUMBER && number != quoted)
		return error_set(err, SOP_MISUSE, "an integer is expected");
	if (at == number->text.size || (text[at] == '0' && number->text.size > at + 1))
		return error_set(err, SOP_MISUSE, "an integer is expected");
	for (; at < number->text.size; at++) {
		if (text[at] < '0' || text[at] > '9')
			return error_set(err, SOP_MISUSE, "an integer is expected");
	}
	if (sop_value_parse(SOP_TYPE_INT, number->text, value, NULL) != SOP_OK)
		return error_set(err, SOP_SCHEMA, "an integer is beyond -2^63 to 2^64-1");
	return SOP_OK;
}

/* ---- writing */

void json_write_string(sop_bytes text, sop_buf *out)
{
	const char *data = text.data;
	size_t plain = 0; /* where the bytes begin that are not written yet */

	text_putc(out, '"');
	for (size_t i = 0; i < text.size; i++) {
		const unsigned char c = (unsigned char)data[i];
		const char *short_form = c == '"'    ? "\\\""
					 : c == '\\' ? "\\\\"
					 : c == '\n' ? "\\n"
					 : c == '\t' ? "\\t"
					 : c == '\r' ? "\\r"
						     : NULL;

		if (c >= 0x20 && short_form == NULL)
			continue;
		text_add(out, data + plain, i - plain);
		plain = i + 1;
		if (short_form != NULL)
			text_puts(out, short_form);
		else
			text_printf(out, "\\u%04x", c);
	}
	if (text.size > plain)
		text_add(out, data + plain, text.size - plain);
	text_putc(out, '"');
}

static void write_inside(const struct json *json, const char *brackets, sop_buf *out)
{
	text_putc(out, brackets[0]);
	for (const struct json *child = json->first; child != NULL; child = child->next) {
		if (child != json->first)
			text_putc(out, ',');
		if (json->type == JSON_OBJECT) {
			json_write_string(child->name, out);
			text_putc(out, ':');
		}
		json_write(child, out);
	}
	text_putc(out, brackets[1]);
}

void json_write(const struct json *json, sop_buf *out)
{
	switch (json->type) {
	case JSON_NULL:
		text_puts(out, "null");
		return;
	case JSON_FALSE:
		text_puts(out, "false");
		return;
	case JSON_TRUE:
		text_puts(out, "true");
		return;
	case JSON_NUMBER:
		text_add(out, json->text.data, json->text.size);
		return;
	case JSON_STRING:
		json_write_string(json->text, out);
		return;
	case JSON_ARRAY:
		write_inside(json, "[]", out);
		return;
	case JSON_OBJECT:
		write_inside(json, "{}", out);
		return;
	}
}
