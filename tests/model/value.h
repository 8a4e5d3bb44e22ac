/* Values of the model tests: made from a size and a seed, so that the model need not keep their bytes. */
#ifndef MODEL_VALUE_H
#define MODEL_VALUE_H

#include <stddef.h>
#include <stdint.h>

/* A value of 8 bytes is the integer `seed` as sop_add keeps it; every other size is noise made from the seed. */
struct value {
	uint32_t size; /* bytes */
	uint64_t seed;
	uint64_t hash; /* of the bytes */
};

enum { INTEGER_BYTES = 8, VALUE_BYTES_MAX = 128 << 10 };

/* Hash of any bytes. Not the library's. */
uint64_t hash_bytes(const void *data, size_t size);

/* The value of `size` bytes that `seed` makes, and its bytes. `room` holds at least that many. */
struct value value_make(uint32_t size, uint64_t seed, uint8_t *room);

/* The 8 bytes value of an integer. */
struct value value_integer(int64_t integer);

/* Fills in the hash, which is left out until it is needed. The size is at most VALUE_BYTES_MAX. */
void value_seal(struct value *value);

/* Writes the bytes of `value` to `room`. */
void value_bytes(struct value value, uint8_t *room);

#endif
