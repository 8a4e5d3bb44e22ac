/* Bytes of values, and the hash by which answers are compared. */
#include "model/value.h"

#include <string.h>

static uint64_t mix(uint64_t word)
{
	word ^= word >> 32;
	word *= 0xD6E8FEB86659FD93u;
	word ^= word >> 29;
	return word;
}

uint64_t hash_bytes(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint64_t hash = 0x9E3779B97F4A7C15u ^ size;
	uint64_t word;

	while (size >= sizeof word) {
		memcpy(&word, bytes, sizeof word);
		hash = mix(hash ^ word) + 0x632BE59BD9B4E019u;
		bytes += sizeof word;
		size -= sizeof word;
	}
	word = 0;
	if (size > 0)
		memcpy(&word, bytes, size);
	return mix(mix(hash ^ word) + size);
}

void value_bytes(struct value value, uint8_t *room)
{
	uint64_t state = value.seed;
	size_t left = value.size;

	if (value.size == INTEGER_BYTES) {
		for (unsigned i = 0; i < INTEGER_BYTES; i++)
			room[i] = (uint8_t)(value.seed >> (8 * i));
		return;
	}
	while (left > 0) {
		const size_t part = left < sizeof state ? left : sizeof state;

		state = state * 0x5851F42D4C957F2Du + 0x14057B7EF767814Fu;
		memcpy(room, &state, part);
		room += part;
		left -= part;
	}
}

struct value value_make(uint32_t size, uint64_t seed, uint8_t *room)
{
	struct value value = { size, seed, 0 };

	value_bytes(value, room);
	value.hash = hash_bytes(room, size);
	return value;
}

struct value value_integer(int64_t integer)
{
	uint8_t room[INTEGER_BYTES];

	return value_make(INTEGER_BYTES, (uint64_t)integer, room);
}

void value_seal(struct value *value)
{
	static uint8_t room[VALUE_BYTES_MAX];

	*value = value_make(value->size, value->seed, room);
}
