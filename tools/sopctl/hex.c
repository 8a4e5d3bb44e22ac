#include "hex.h"

#include "text.h"

enum { PIECE_BYTES = 1 << 10 };

int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

bool hex_decode(sop_bytes text, unsigned char *to)
{
	const char *at = text.data;

	if (text.size % 2 != 0)
		return false;
	for (size_t i = 0; i < text.size; i += 2) {
		const int high = hex_digit(at[i]);
		const int low = hex_digit(at[i + 1]);

		if (high < 0 || low < 0)
			return false;
		*to++ = (unsigned char)(high * 16 + low);
	}
	return true;
}

void hex_write(sop_bytes bytes, sop_buf *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *at = bytes.data;
	char piece[2 * PIECE_BYTES];

	for (size_t left = bytes.size; left > 0;) {
		const size_t count = left < PIECE_BYTES ? left : PIECE_BYTES;

		for (size_t i = 0; i < count; i++) {
			piece[2 * i] = digits[at[i] >> 4];
			piece[2 * i + 1] = digits[at[i] & 15];
		}
		text_add(out, piece, 2 * count);
		at += count;
		left -= count;
	}
}
