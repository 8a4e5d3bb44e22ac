/* Unsigned LEB128. Pure functions. */
#include "base/varint.h"

enum { PAYLOAD_BITS = 7, MORE = 0x80, TOP_BYTE_MAX = 1 /* the tenth byte holds bit 63 alone */ };

size_t sopi_varint_size(uint64_t value)
{
	size_t size = 1;

	for (; value >= MORE; value >>= PAYLOAD_BITS)
		size++;
	return size;
}

size_t sopi_varint_encode(uint64_t value, void *out, size_t room)
{
	const size_t size = sopi_varint_size(value);
	uint8_t *byte = out;

	if (size > room)
		return 0;
	for (; value >= MORE; value >>= PAYLOAD_BITS)
		*byte++ = (uint8_t)(value | MORE);
	*byte = (uint8_t)value;
	return size;
}

size_t sopi_varint_decode(const void *data, size_t size, uint64_t *value)
{
	const uint8_t *byte = data;
	const size_t limit = size < SOPI_VARINT_BYTES_MAX ? size : SOPI_VARINT_BYTES_MAX;
	uint64_t sum = 0;

	for (size_t i = 0; i < limit; i++) {
		sum |= (uint64_t)(byte[i] & (MORE - 1)) << (PAYLOAD_BITS * i);
		if ((byte[i] & MORE) != 0)
			continue;
		if (i > 0 && byte[i] == 0)
			return 0; /* overlong */
		if (i + 1 == SOPI_VARINT_BYTES_MAX && byte[i] > TOP_BYTE_MAX)
			return 0; /* beyond 64 bits */
		*value = sum;
		return i + 1;
	}
	return 0;
}
