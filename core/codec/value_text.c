/* Single values as text: what a schema writes for its defaults, for one value. */
#define _POSIX_C_SOURCE 200809L

#include "codec/value_text.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/uuid.h"
#include "codec/schema_text.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest text that a number of any use has: a double written out in full. */
enum { FLOAT_TEXT_MAX = 2048 };

static bool same(sop_bytes text, const char *word)
{
	return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* Moves `*at` behind digits; returns how many. */
static size_t skip_digits(const char **at)
{
	const char *from = *at;

	while (**at >= '0' && **at <= '9')
		(*at)++;
	return (size_t)(*at - from);
}

/* Is `text` a number as JSON writes it? strtod takes more: hexadecimal, "nan", leading spaces. */
static bool is_number(const char *text)
{
	const char *at = text + (*text == '-');

	if (skip_digits(&at) == 0)
		return false;
	if (*at == '.') {
		at++;
		if (skip_digits(&at) == 0)
			return false;
	}
	if (*at == 'e' || *at == 'E') {
		at++;
		at += *at == '+' || *at == '-';
		if (skip_digits(&at) == 0)
			return false;
	}
	return *at == '\0';
}

static bool float_of(sop_bytes text, sop_value *value)
{
	char number[FLOAT_TEXT_MAX + 1];

	*value = sop_value_float(HUGE_VAL);
	if (same(text, "Infinity"))
		return true;
	value->as.real = -HUGE_VAL;
	if (same(text, "-Infinity"))
		return true;
	if (text.size > FLOAT_TEXT_MAX)
		return false;
	memcpy(number, text.data, text.size);
	number[text.size] = '\0';
	value->as.real = strtod(number, NULL);
	return strlen(number) == text.size && is_number(number) && isfinite(value->as.real);
}

static bool bool_of(sop_bytes text, sop_value *value)
{
	*value = sop_value_bool(same(text, "true"));
	return value->as.boolean || same(text, "false");
}

static bool uuid_of(sop_bytes text, sop_value *value)
{
	struct sopi_uuid uuid;

	if (!sopi_uuid_parse(text.data, text.size, &uuid))
		return false;
	*value = sop_value_uuid(uuid.bytes);
	return true;
}

static bool ts_of(sop_bytes text, sop_value *value)
{
	if (sopi_text_to_ts(text.data, text.size, value))
		return true;
	if (!sopi_text_to_int(text.data, text.size, value) || value->type != SOP_TYPE_INT)
		return false;
	value->type = SOP_TYPE_TS;
	return true;
}

static sop_status parse(uint32_t type, sop_bytes text, sop_value *value, sop_error *err)
{
	sop_value read = sop_value_null();
	const char *wanted;
	bool good;

	switch (type) {
	case SOP_TYPE_BOOL:
		good = bool_of(text, &read);
		wanted = "true or false";
		break;
	case SOP_TYPE_INT:
	case SOP_TYPE_UINT:
		good = sopi_text_to_int(text.data, text.size, &read);
		wanted = "an integer from -2^63 to 2^64-1";
		break;
	case SOP_TYPE_FLOAT:
		good = float_of(text, &read);
		wanted = "a number of binary64, Infinity or -Infinity";
		break;
	case SOP_TYPE_UUID:
		good = uuid_of(text, &read);
		wanted = "a UUID, 8-4-4-4-12 hex digits";
		break;
	default:
		good = ts_of(text, &read);
		wanted = "a time, RFC 3339 with up to 6 decimals, or an integer of microseconds";
		break;
	}
	if (!good)
		return sopi_fail(err, SOP_SCHEMA, "the text is not %s", wanted);
	*value = read;
	return SOP_OK;
}

static void write(const sop_value *value, char out[SOPI_NUMBER_TEXT_BYTES])
{
	struct sopi_uuid uuid;

	switch (value->type) {
	case SOP_TYPE_BOOL:
		snprintf(out, SOPI_NUMBER_TEXT_BYTES, "%s", value->as.boolean ? "true" : "false");
		return;
	case SOP_TYPE_UINT:
		snprintf(out, SOPI_NUMBER_TEXT_BYTES, "%" PRIu64, value->as.natural);
		return;
	case SOP_TYPE_FLOAT:
		if (isfinite(value->as.real))
			sopi_float_to_text(value->as.real, out);
		else
			snprintf(out, SOPI_NUMBER_TEXT_BYTES, "%s",
				 value->as.real < 0 ? "-Infinity" : "Infinity");
		return;
	case SOP_TYPE_UUID:
		memcpy(uuid.bytes, value->as.uuid, sizeof uuid.bytes);
		sopi_uuid_format(&uuid, out);
		return;
	case SOP_TYPE_TS:
		if (sopi_ts_to_text(value->as.integer, out))
			return;
		break;
	default:
		break;
	}
	snprintf(out, SOPI_NUMBER_TEXT_BYTES, "%" PRId64, value->as.integer);
}

/* The decimal point is that of the locale, so numbers with one are read and written in the C locale.
 * Only this thread's locale changes, and only for now. (locale_t)0 if there is no memory for it. */
static locale_t c_locale(sop_error *err)
{
	const locale_t made = newlocale(LC_ALL_MASK, "C", (locale_t)0);

	if (made == (locale_t)0)
		sopi_fail(err, SOP_NO_MEMORY, "out of memory for the C locale");
	return made;
}

sop_status sopi_value_parse(uint32_t type, sop_bytes text, sop_value *value, sop_error *err)
{
	sop_status status;

	if (type != SOP_TYPE_FLOAT)
		return parse(type, text, value, err);
	const locale_t c = c_locale(err);

	if (c == (locale_t)0)
		return SOP_NO_MEMORY;
	const locale_t callers = uselocale(c);

	status = parse(type, text, value, err);
	uselocale(callers);
	freelocale(c);
	return status;
}

sop_status sopi_value_text(const sop_value *value, sop_buf *text, sop_error *err)
{
	char out[SOPI_NUMBER_TEXT_BYTES];

	if (value->type == SOP_TYPE_FLOAT) {
		const locale_t c = c_locale(err);

		if (c == (locale_t)0)
			return SOP_NO_MEMORY;
		const locale_t callers = uselocale(c);

		write(value, out);
		uselocale(callers);
		freelocale(c);
	} else {
		write(value, out);
	}
	return sopi_buf_set(text, out, strlen(out), err);
}
