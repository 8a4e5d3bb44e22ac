/* UUIDs (RFC 9562): their text, and version 7 from a time and random bytes that the caller brings.
 * */
#ifndef SOPI_UUID_H
#define SOPI_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sopi_uuid {
	uint8_t bytes[16]; /* in the order of the text, so that memcmp orders both alike */
};

enum {
	SOPI_UUID_TEXT_SIZE = 36, /* without the NUL */
	SOPI_UUID_RANDOM_BYTES = 10,
};

/* Writes the text, lower case, 8-4-4-4-12, and a NUL. */
void sopi_uuid_format(const struct sopi_uuid *uuid, char out[SOPI_UUID_TEXT_SIZE + 1]);

/* Reads exactly that form of exactly 36 bytes (either case); false, and `uuid` untouched, for
 * anything else. */
bool sopi_uuid_parse(const char *text, size_t size, struct sopi_uuid *uuid);

/* A version 7 UUID: ids made later sort later, to the millisecond of `wall_ms` (48 bits are kept).
 * */
void sopi_uuid_make_v7(uint64_t wall_ms, const uint8_t random[SOPI_UUID_RANDOM_BYTES],
		       struct sopi_uuid *uuid);

#endif
