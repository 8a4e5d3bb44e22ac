/* UTF-8 validation after table 3-7 of the Unicode standard. */
#include "codec/key_utf8.h"

#include <string.h>

#define HIGH_BITS 0x8080808080808080u

/* Skips whole words of ASCII, which is what most keys are made of. */
static const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end, uint64_t wide_mask)
{
	uint64_t word;

	while ((size_t)(end - at) >= sizeof word) {
		memcpy(&word, at, sizeof word);
		if (((word ^ wide_mask) & HIGH_BITS) != 0)
			break;
		at += sizeof word;
	}
	return at;
}

/* Size of the sequence that begins with `lead`, which is not ASCII, and the range of its second
 * byte; 0 if no sequence begins so. */
static size_t sequence_size(uint8_t lead, uint8_t *low, uint8_t *high)
{
	*low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80; /* below would be overlong */
	*high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF; /* surrogates; above U+10FFFF */
	if (lead < 0xC2 || lead > 0xF4)
		return 0;
	return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

bool sopi_utf8_valid(const uint8_t *text, size_t size, uint8_t mask)
{
	const uint8_t *const end = text + size;
	const uint64_t wide_mask = mask != 0 ? UINT64_MAX : 0;
	const uint8_t *at = text;

	for (;;) {
		uint8_t low, high;
		size_t length;

		at = skip_ascii(at, end, wide_mask);
		while (at < end && (*at ^ mask) < 0x80)
			at++;
		if (at == end)
			return true;
		length = sequence_size(*at ^ mask, &low, &high);
		if (length == 0 || (size_t)(end - at) < length)
			return false;
		if ((at[1] ^ mask) < low || (at[1] ^ mask) > high)
			return false;
		for (size_t i = 2; i < length; i++) {
			if (((at[i] ^ mask) & 0xC0) != 0x80)
				return false;
		}
		at += length;
	}
}

bool sopi_utf8_has_control(const uint8_t *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] < 0x20 || text[i] == 0x7F)
			return true;
		if (text[i] == 0xC2 && i + 1 < size && text[i + 1] < 0xA0)
			return true; /* U+0080 to U+009F */
	}
	return false;
}
