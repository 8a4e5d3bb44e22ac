/* Reading the tokens of an instruction, and printing what it answers. */
#include "machine.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void bug(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)fputs("BUG ", stdout);
	(void)vprintf(format, arguments);
	(void)fputs("\n", stdout);
	va_end(arguments);
	(void)fflush(stdout);
	exit(1);
}

void *need(void *memory)
{
	if (memory == NULL)
		bug("out of memory");
	return memory;
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	bug("`%c` is no hex digit", c);
}

void bytes_append(sop_buf *buf, const void *data, size_t size)
{
	if (sop_buf_reserve(buf, buf->size + size + 1, NULL) != SOP_OK)
		bug("out of memory");
	if (size != 0)
		memcpy((char *)buf->data + buf->size, data, size);
	buf->size += size;
}

void bytes_of_hex(const char *hex, sop_buf *out)
{
	out->size = 0;
	bytes_append(out, NULL, 0);
	for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
		const unsigned char byte = (unsigned char)(digit(hex[0]) * 16 + digit(hex[1]));

		bytes_append(out, &byte, 1);
	}
}

static void pop_bytes(struct machine *machine, sop_buf *out)
{
	struct stack *stack = &machine->bytes;

	out->size = 0;
	bytes_append(out, NULL, 0);
	if (stack->count == 0)
		return;
	stack->count--;
	bytes_append(out, stack->bytes[stack->count].data, stack->bytes[stack->count].size);
	sop_buf_free(&stack->bytes[stack->count]);
}

void bytes_of_token(struct machine *machine, const char *token, sop_buf *out)
{
	char *star;
	unsigned char byte;

	if (token[0] == '^') {
		pop_bytes(machine, out);
	} else if (token[0] == 'x') {
		bytes_of_hex(token + 1, out);
	} else if (token[0] == 'r') {
		const unsigned long count = strtoul(token + 1, &star, 10);

		byte = (unsigned char)(digit(star[1]) * 16 + digit(star[2]));
		out->size = 0;
		bytes_append(out, NULL, 0);
		for (unsigned long i = 0; i < count; i++)
			bytes_append(out, &byte, 1);
	} else {
		bug("`%s` is no bytes", token);
	}
}

int64_t int_of_token(struct machine *machine, const char *token)
{
	if (token[0] == '^')
		return machine->ints.count == 0 ? 0 : machine->ints.ints[--machine->ints.count];
	return strtoll(token, NULL, 10);
}

static sop_value integer_of_text(const char *text)
{
	return text[0] == '-' ? sop_value_int(strtoll(text, NULL, 10))
			      : sop_value_uint(strtoull(text, NULL, 10));
}

static sop_value float_of_hex(const char *hex)
{
	uint64_t bits = strtoull(hex, NULL, 16);
	double real;

	memcpy(&real, &bits, sizeof real);
	return sop_value_float(real);
}

/* The value of one field; its bytes are in `room`. */
static sop_value value_of_token(const char *token, sop_buf *room)
{
	sop_value value = sop_value_null();

	switch (token[0]) {
	case 'n':
		return value;
	case 't':
	case 'f':
		return sop_value_bool(token[0] == 't');
	case 'i':
		return integer_of_text(token + 1);
	case 'd':
		return float_of_hex(token + 1);
	case 'm':
		return sop_value_ts(strtoll(token + 1, NULL, 10));
	default:
		break;
	}
	bytes_of_hex(token + 1, room);
	if (token[0] == 'u')
		return sop_value_uuid(room->data);
	value = sop_value_bytes(room->data, room->size);
	if (token[0] == 's')
		value.type = SOP_TYPE_STR;
	else if (token[0] != 'b')
		bug("`%s` is no field", token);
	return value;
}

sop_status key_of_token(struct call *call, unsigned store, const char *token, bool prefix, sop_buf *out)
{
	const sop_schema *schema = call->machine->schemas[store];
	sop_buf rooms[FIELDS_MAX] = { SOP_BUF_INIT };
	sop_value values[FIELDS_MAX];
	size_t count = 0;
	sop_status status;

	if (schema == NULL) {
		bytes_of_token(call->machine, token, out);
		return SOP_OK;
	}
	for (const char *at = token; at != NULL && count < FIELDS_MAX; count++) {
		const char *comma = strchr(at, ',');
		char field[1024];

		(void)snprintf(field, sizeof field, "%.*s",
			       (int)(comma == NULL ? strlen(at) : (size_t)(comma - at)), at);
		values[count] = value_of_token(field, &rooms[count]);
		at = comma == NULL ? NULL : comma + 1;
	}
	if (prefix)
		status = sop_key_pack_prefix(schema, values, count, out, &call->err);
	else
		status = sop_key_pack(schema, values, count, out, &call->err);
	for (size_t i = 0; i < FIELDS_MAX; i++)
		sop_buf_free(&rooms[i]);
	return status;
}

static sop_bytes bytes_of(const sop_buf *buf)
{
	return (sop_bytes){ buf->data, buf->size };
}

/* A prefix; raw ones in the second spelling as the range that they stand for. */
static sop_status prefix_of(struct call *call, unsigned store, sop_range *range)
{
	sop_buf *keys = call->machine->keys;
	sop_status status;

	if (call->machine->schemas[store] != NULL || call->spelling % 4 < 2) {
		range->flags = SOP_RANGE_PREFIX;
		range->prefix = bytes_of(&keys[0]);
		return SOP_OK;
	}
	range->flags = SOP_RANGE_FROM;
	range->from = bytes_of(&keys[0]);
	status = sop_key_next_prefix(range->from, &keys[1], &call->err);
	if (status == SOP_OK) {
		range->flags |= SOP_RANGE_TO;
		range->to = bytes_of(&keys[1]);
	}
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

static uint32_t point_of(const uint8_t *bytes, size_t size)
{
	uint32_t point = size == 1 ? bytes[0] : bytes[0] & (0x7Fu >> size);

	for (size_t i = 1; i < size; i++)
		point = point << 6 | (bytes[i] & 0x3Fu);
	return point;
}

static size_t put_point(uint8_t *bytes, uint32_t point)
{
	const size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

	for (size_t i = size; i-- > 1; point >>= 6)
		bytes[i] = (uint8_t)(0x80 | (point & 0x3F));
	bytes[0] = (uint8_t)(size == 1 ? point : (0xF0u << (4 - size) & 0xFF) | point);
	return size;
}

/* The first text behind all that begin with `text`, in its place: the last code point that has a next one becomes that.
 * False: there is none. */
static bool text_behind(struct call *call, sop_buf *text)
{
	if (sop_buf_reserve(text, text->size + 4, &call->err) != SOP_OK)
		bug("no memory for a text");
	while (text->size > 0) {
		uint8_t *bytes = text->data;
		size_t at = text->size - 1;
		uint32_t point;

		while (at > 0 && (bytes[at] & 0xC0) == 0x80)
			at--;
		point = point_of(bytes + at, text->size - at);
		text->size = at;
		if (point == 0x10FFFF)
			continue;
		text->size += put_point(bytes + at, point == 0xD7FF ? 0xE000 : point + 1);
		return true;
	}
	return false;
}

/* The end of the keys whose fields are `before` and then a text that begins with `text`, which it changes. */
static sop_status end_of_text(struct call *call, unsigned store, const char *before, sop_buf *text,
			      sop_range *range)
{
	const bool ends = text_behind(call, text);
	char token[1024];
	size_t size = (size_t)snprintf(token, sizeof token, "%s", before);

	if (!ends && size == 0)
		return SOP_OK; /* nothing is behind them */
	if (ends) {
		size += (size_t)snprintf(token + size, sizeof token - size, "%ss", size > 0 ? "," : "");
		for (size_t i = 0; i < text->size && size + 3 < sizeof token; i++)
			size += (size_t)snprintf(token + size, sizeof token - size, "%02x",
						 ((const uint8_t *)text->data)[i]);
	}
	TRY(key_of_token(call, store, token, true, &call->machine->keys[1]));
	range->flags |= SOP_RANGE_TO | (ends ? 0u : SOP_RANGE_THROUGH);
	range->to = bytes_of(&call->machine->keys[1]);
	return SOP_OK;
}

/* Leading fields, of which the last is only the beginning of a text. */
static sop_status starts_of(struct call *call, unsigned store, char *token, sop_range *range)
{
	sop_buf *keys = call->machine->keys;
	sop_buf text = SOP_BUF_INIT;
	char *comma = strrchr(token, ',');
	const char *field = comma == NULL ? token : comma + 1;
	sop_status status;

	bytes_of_hex(field + 1, &text);
	status = key_of_token(call, store, token, true, &keys[0]);
	if (comma != NULL)
		*comma = '\0';
	if (status == SOP_OK && text.size > 0) {
		range->flags = SOP_RANGE_FROM;
		range->from = bytes_of(&keys[0]);
		status = end_of_text(call, store, comma == NULL ? "" : token, &text, range);
	} else if (status == SOP_OK && comma != NULL) {
		status = key_of_token(call, store, token, true, &keys[0]);
		range->flags = SOP_RANGE_PREFIX;
		range->prefix = bytes_of(&keys[0]);
	}
	sop_buf_free(&text);
	return status;
}

sop_status range_of_token(struct call *call, unsigned store, char *token, sop_range *range)
{
	sop_buf *keys = call->machine->keys;
	char *rest = NULL;

	if (token[0] == '*')
		return SOP_OK;
	for (char *part = strtok_r(token, ";", &rest); part != NULL; part = strtok_r(NULL, ";", &rest)) {
		const bool ends = part[0] == 'T' || part[0] == 'U';
		char *item = strchr(part, '@');
		sop_buf *key = &keys[ends];

		if (item != NULL) {
			*item = '\0';
			range->after_item = strtoull(item + 1, NULL, 10);
		}
		if (part[0] == 'S')
			return starts_of(call, store, part + 1, range);
		TRY(key_of_token(call, store, part + 1, true, key));
		if (part[0] == 'P')
			return prefix_of(call, store, range);
		range->flags |= ends ? SOP_RANGE_TO : SOP_RANGE_FROM;
		range->flags |= part[0] == 'A'	 ? SOP_RANGE_AFTER
				: part[0] == 'U' ? SOP_RANGE_THROUGH
						 : 0;
		*(ends ? &range->to : &range->from) = bytes_of(key);
	}
	return SOP_OK;
}

/* ---- printing ------------------------------------------------------------------------------------------------- */

void print_hex(FILE *out, const void *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++) {
		(void)putc(digits[bytes[i] >> 4], out);
		(void)putc(digits[bytes[i] & 15], out);
	}
}

static void print_value(FILE *out, const sop_value *value)
{
	uint64_t bits;

	switch (value->type) {
	case SOP_TYPE_BOOL:
		(void)putc(value->as.boolean ? 't' : 'f', out);
		break;
	case SOP_TYPE_INT:
		(void)fprintf(out, "i%" PRId64, value->as.integer);
		break;
	case SOP_TYPE_UINT:
		(void)fprintf(out, "i%" PRIu64, value->as.natural);
		break;
	case SOP_TYPE_FLOAT:
		memcpy(&bits, &value->as.real, sizeof bits);
		(void)fprintf(out, "d%016" PRIx64, bits);
		break;
	case SOP_TYPE_TS:
		(void)fprintf(out, "m%" PRId64, value->as.integer);
		break;
	case SOP_TYPE_UUID:
		(void)putc('u', out);
		print_hex(out, value->as.uuid, sizeof value->as.uuid);
		break;
	case SOP_TYPE_BYTES:
	case SOP_TYPE_STR:
		(void)putc(value->type == SOP_TYPE_STR ? 's' : 'b', out);
		print_hex(out, value->as.bytes.data, value->as.bytes.size);
		break;
	default:
		(void)putc('n', out);
	}
}

void print_key(FILE *out, struct machine *machine, unsigned store, sop_bytes key)
{
	static const char *const ride_defaults[] = { "f", "n" };
	const sop_schema *schema = machine->schemas[store];
	sop_value values[FIELDS_MAX];
	sop_buf room = SOP_BUF_INIT;
	size_t count;

	if (schema == NULL) {
		(void)putc('x', out);
		print_hex(out, key.data, key.size);
		return;
	}
	if (sop_key_unpack(schema, key, values, FIELDS_MAX, &count, &room, NULL) != SOP_OK)
		bug("a key of %s cannot be unpacked", declarations[store].name);
	for (size_t i = 0; i < count; i++) {
		(void)fputs(i == 0 ? "" : ",", out);
		print_value(out, &values[i]);
	}
	sop_buf_free(&room);
	for (size_t i = count; i < sop_schema_sort_count(schema) + sop_schema_ride_count(schema); i++)
		(void)fprintf(out, ",%s", ride_defaults[i - sop_schema_sort_count(schema)]);
}

static size_t push(struct stack *stack)
{
	if (stack->count == stack->capacity) {
		stack->capacity = stack->capacity == 0 ? 64 : 2 * stack->capacity;
		stack->ints = need(realloc(stack->ints, stack->capacity * sizeof *stack->ints));
		stack->bytes = need(realloc(stack->bytes, stack->capacity * sizeof *stack->bytes));
	}
	return stack->count++;
}

void answer_int(struct call *call, int64_t number)
{
	struct stack *stack = &call->machine->ints;
	const size_t at = push(stack);

	stack->ints[at] = number;
	(void)fprintf(call->out, " %" PRId64, number);
}

void answer_bytes(struct call *call, sop_bytes bytes)
{
	struct stack *stack = &call->machine->bytes;
	const size_t at = push(stack);

	stack->bytes[at] = (sop_buf)SOP_BUF_INIT;
	bytes_append(&stack->bytes[at], bytes.data, bytes.size);
	(void)fputs(" x", call->out);
	print_hex(call->out, bytes.data, bytes.size);
}

void answer_text(struct call *call, const char *text)
{
	(void)fprintf(call->out, " %s", text);
}

void answer_number(struct call *call, uint64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%" PRIu64, number);
	answer_text(call, text);
}

void answer_key(struct call *call, unsigned store, sop_bytes key)
{
	(void)putc(' ', call->out);
	print_key(call->out, call->machine, store, key);
}

void stacks_clear(struct machine *machine)
{
	machine->ints.count = 0;
	while (machine->bytes.count > 0)
		sop_buf_free(&machine->bytes.bytes[--machine->bytes.count]);
}
