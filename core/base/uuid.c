/* UUID text and version 7. Pure functions. */
#include "base/uuid.h"

#include "base/bytes.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

/* Whether a hyphen stands before this byte in the text. */
static bool hyphen_before(size_t byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void sopi_uuid_format(const struct sopi_uuid *uuid, char out[SOPI_UUID_TEXT_SIZE + 1])
{
	for (size_t i = 0; i < sizeof uuid->bytes; i++) {
		if (hyphen_before(i))
			*out++ = '-';
		*out++ = digits[uuid->bytes[i] >> 4];
		*out++ = digits[uuid->bytes[i] & 15];
	}
	*out = '\0';
}

/* The value of a hexadecimal digit, or -1. No ctype: locales have no say in this. */
static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool sopi_uuid_parse(const char *text, size_t size, struct sopi_uuid *uuid)
{
	struct sopi_uuid parsed;

	if (size != SOPI_UUID_TEXT_SIZE)
		return false;
	for (size_t i = 0; i < sizeof parsed.bytes; i++) {
		int high;
		int low;

		if (hyphen_before(i) && *text++ != '-')
			return false;
		high = digit_of(*text++);
		low = digit_of(*text++);
		if (high < 0 || low < 0)
			return false;
		parsed.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*uuid = parsed;
	return true;
}

void sopi_uuid_make_v7(uint64_t wall_ms, const uint8_t random[SOPI_UUID_RANDOM_BYTES],
		       struct sopi_uuid *uuid)
{
	sopi_store_u16be(uuid->bytes, (uint16_t)(wall_ms >> 32));
	sopi_store_u32be(uuid->bytes + 2, (uint32_t)wall_ms);
	memcpy(uuid->bytes + 6, random, SOPI_UUID_RANDOM_BYTES);
	uuid->bytes[6] = (uint8_t)(0x70 | (uuid->bytes[6] & 0x0F)); /* version */
	uuid->bytes[8] = (uint8_t)(0x80 | (uuid->bytes[8] & 0x3F)); /* variant */
}
