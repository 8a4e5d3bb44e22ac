/* Escaping of byte strings: order-preserving, and it can be seen where they end. */
#include "codec/key.h"
#include "codec/key_field.h"

#include <string.h>

size_t sopi_raw_escaped_size(sop_bytes raw)
{
	const uint8_t *at = raw.data;
	size_t left = raw.size;
	size_t size = raw.size + 2;

	while (left > 0) {
		const uint8_t *zero = memchr(at, 0, left);

		if (zero == NULL)
			break;
		size++;
		left -= (size_t)(zero + 1 - at);
		at = zero + 1;
	}
	return size;
}

uint8_t *sopi_raw_escape_to(sop_bytes raw, uint8_t *to)
{
	const uint8_t *at = raw.data;
	size_t left = raw.size;

	while (left > 0) {
		const uint8_t *zero = memchr(at, 0, left);
		const size_t plain = zero != NULL ? (size_t)(zero - at) : left;

		memcpy(to, at, plain);
		to += plain;
		if (zero == NULL)
			break;
		*to++ = 0x00;
		*to++ = SOPI_MARK_NUL;
		at += plain + 1;
		left -= plain + 1;
	}
	*to++ = 0x00;
	*to++ = SOPI_MARK_END;
	return to;
}

sop_status sopi_raw_escape(sop_bytes raw, sop_buf *out, sop_error *err)
{
	const size_t size = sopi_raw_escaped_size(raw);

	out->size = 0;
	SOP_TRY(sop_buf_reserve(out, size, err));
	sopi_raw_escape_to(raw, out->data);
	out->size = size;
	return SOP_OK;
}

/* Finds the end of escaped bytes; 0 if there is none. */
static size_t escaped_end(const uint8_t *escaped, size_t size)
{
	size_t at = 0;

	while (at < size) {
		const uint8_t *zero = memchr(escaped + at, 0, size - at);

		if (zero == NULL)
			return 0;
		at = (size_t)(zero - escaped) + 2;
		if (at > size || (zero[1] != SOPI_MARK_END && zero[1] != SOPI_MARK_NUL))
			return 0;
		if (zero[1] == SOPI_MARK_END)
			return at;
	}
	return 0;
}

sop_status sopi_raw_unescape(sop_bytes escaped, sop_buf *out, size_t *used, sop_error *err)
{
	const uint8_t *const from = escaped.data;
	const size_t end = escaped_end(from, escaped.size);
	uint8_t *to;

	if (end == 0)
		return sopi_fail(err, SOP_CORRUPT, "an escaped key of %zu bytes is malformed",
				 escaped.size);
	if (used != NULL)
		*used = end;
	if (out == NULL)
		return SOP_OK;
	out->size = 0;
	SOP_TRY(sop_buf_reserve(out, end, err));
	to = out->data;
	for (size_t i = 0; i < end - 2; i++) {
		*to++ = from[i];
		i += from[i] == 0; /* skip the mark of a NUL */
	}
	out->size = (size_t)(to - (uint8_t *)out->data);
	return SOP_OK;
}
