/* Fixed-width integers in byte strings of any alignment, and the order of byte strings.
 *
 * Written byte by byte, so that a format is the same on every machine; compilers make one move of
 * it. */
#ifndef SOPI_BYTES_H
#define SOPI_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t sopi_load_u16le(const void *from)
{
	const uint8_t *byte = (const uint8_t *)from;

	return (uint16_t)(byte[0] | (uint32_t)byte[1] << 8);
}

static inline uint32_t sopi_load_u32le(const void *from)
{
	const uint8_t *byte = (const uint8_t *)from;

	return (uint32_t)byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 |
	       (uint32_t)byte[3] << 24;
}

static inline uint64_t sopi_load_u64le(const void *from)
{
	const uint8_t *byte = (const uint8_t *)from;

	return sopi_load_u32le(byte) | (uint64_t)sopi_load_u32le(byte + 4) << 32;
}

static inline uint16_t sopi_load_u16be(const void *from)
{
	const uint8_t *byte = (const uint8_t *)from;

	return (uint16_t)(byte[1] | (uint32_t)byte[0] << 8);
}

static inline uint32_t sopi_load_u32be(const void *from)
{
	const uint8_t *byte = (const uint8_t *)from;

	return (uint32_t)byte[3] | (uint32_t)byte[2] << 8 | (uint32_t)byte[1] << 16 |
	       (uint32_t)byte[0] << 24;
}

static inline uint64_t sopi_load_u64be(const void *from)
{
	const uint8_t *byte = (const uint8_t *)from;

	return sopi_load_u32be(byte + 4) | (uint64_t)sopi_load_u32be(byte) << 32;
}

static inline void sopi_store_u16le(void *to, uint16_t value)
{
	uint8_t *byte = (uint8_t *)to;

	byte[0] = (uint8_t)value;
	byte[1] = (uint8_t)(value >> 8);
}

static inline void sopi_store_u32le(void *to, uint32_t value)
{
	uint8_t *byte = (uint8_t *)to;

	byte[0] = (uint8_t)value;
	byte[1] = (uint8_t)(value >> 8);
	byte[2] = (uint8_t)(value >> 16);
	byte[3] = (uint8_t)(value >> 24);
}

static inline void sopi_store_u64le(void *to, uint64_t value)
{
	uint8_t *byte = (uint8_t *)to;

	sopi_store_u32le(byte, (uint32_t)value);
	sopi_store_u32le(byte + 4, (uint32_t)(value >> 32));
}

static inline void sopi_store_u16be(void *to, uint16_t value)
{
	uint8_t *byte = (uint8_t *)to;

	byte[0] = (uint8_t)(value >> 8);
	byte[1] = (uint8_t)value;
}

static inline void sopi_store_u32be(void *to, uint32_t value)
{
	uint8_t *byte = (uint8_t *)to;

	byte[0] = (uint8_t)(value >> 24);
	byte[1] = (uint8_t)(value >> 16);
	byte[2] = (uint8_t)(value >> 8);
	byte[3] = (uint8_t)value;
}

static inline void sopi_store_u64be(void *to, uint64_t value)
{
	uint8_t *byte = (uint8_t *)to;

	sopi_store_u32be(byte, (uint32_t)(value >> 32));
	sopi_store_u32be(byte + 4, (uint32_t)value);
}

/* memcmp for keys, which are often shorter than a call is long. */
static inline int sopi_compare_short(const uint8_t *a, const uint8_t *b, size_t size)
{
	uint64_t left = 0, right = 0;

	if (size > 16)
		return memcmp(a, b, size);
	if (size >= 8) {
		left = sopi_load_u64be(a);
		right = sopi_load_u64be(b);
		if (left == right) { /* the last word may overlap the first, which is equal */
			left = sopi_load_u64be(a + size - 8);
			right = sopi_load_u64be(b + size - 8);
		}
	} else if (size >= 4) { /* the same, in one number */
		left = (uint64_t)sopi_load_u32be(a) << 32 | sopi_load_u32be(a + size - 4);
		right = (uint64_t)sopi_load_u32be(b) << 32 | sopi_load_u32be(b + size - 4);
	} else {
		for (size_t i = 0; i < size; i++) {
			left = left << 8 | a[i];
			right = right << 8 | b[i];
		}
	}
	return (left > right) - (left < right);
}

/* The order of byte strings: below, equal to or above 0 as in memcmp; a prefix comes before what
 * extends it.
 * A pointer may be NULL where its size is 0. */
static inline int sopi_bytes_compare(const void *a, size_t a_size, const void *b, size_t b_size)
{
	const size_t common = a_size < b_size ? a_size : b_size;
	const int order = sopi_compare_short(a, b, common);

	return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

/* memcpy for keys, which are often shorter than a call is long. */
static inline void sopi_copy_short(uint8_t *to, const uint8_t *from, size_t size)
{
	if (size > 16) {
		memcpy(to, from, size);
	} else if (size >= 8) { /* two words that may overlap */
		uint64_t first, last;

		memcpy(&first, from, 8);
		memcpy(&last, from + size - 8, 8);
		memcpy(to, &first, 8);
		memcpy(to + size - 8, &last, 8);
	} else if (size >= 4) {
		uint32_t first, last;

		memcpy(&first, from, 4);
		memcpy(&last, from + size - 4, 4);
		memcpy(to, &first, 4);
		memcpy(to + size - 4, &last, 4);
	} else {
		for (size_t i = 0; i < size; i++)
			to[i] = from[i];
	}
}

#endif
