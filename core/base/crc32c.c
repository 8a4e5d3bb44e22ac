/* CRC-32C eight bytes at a time: by the instruction of SSE4.2, chosen when the program runs, or by
 * tables. */
#include "base/crc32c.h"

#include "base/bytes.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

/* A checksum table is linear: an entry is the sum (exclusive or) of the entries of its bits, which
 * are a to h. */
#define BIT(i, n, x) (((i) >> (n)&1) != 0 ? (x) : 0u)
#define E(i, a, b, c, d, e, f, g, h)                                                               \
	(BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ BIT(i, 4, e) ^ BIT(i, 5, f) ^ \
	 BIT(i, 6, g) ^ BIT(i, 7, h))
#define E4(i, ...)                                                                                 \
	E(i, __VA_ARGS__), E((i) + 1, __VA_ARGS__), E((i) + 2, __VA_ARGS__), E((i) + 3, __VA_ARGS__)
#define E16(i, ...)                                                                                \
	E4(i, __VA_ARGS__), E4((i) + 4, __VA_ARGS__), E4((i) + 8, __VA_ARGS__),                    \
		E4((i) + 12, __VA_ARGS__)
#define E64(i, ...)                                                                                \
	E16(i, __VA_ARGS__), E16((i) + 16, __VA_ARGS__), E16((i) + 32, __VA_ARGS__),               \
		E16((i) + 48, __VA_ARGS__)
#define TABLE(...)                                                                                      \
	{                                                                                               \
		E64(0, __VA_ARGS__), E64(64, __VA_ARGS__), E64(128, __VA_ARGS__), E64(192, __VA_ARGS__) \
	}

/* table[k][byte]: what `byte` followed by k zero bytes adds to the checksum (polynomial
 * 0x82F63B78, reflected). */
static const uint32_t table[8][256] = {
	TABLE(0xF26B8303, 0xE13B70F7, 0xC79A971F, 0x8AD958CF, 0x105EC76F, 0x20BD8EDE, 0x417B1DBC,
	      0x82F63B78),
	TABLE(0x13A29877, 0x274530EE, 0x4E8A61DC, 0x9D14C3B8, 0x3FC5F181, 0x7F8BE302, 0xFF17C604,
	      0xFBC3FAF9),
	TABLE(0xA541927E, 0x4F6F520D, 0x9EDEA41A, 0x38513EC5, 0x70A27D8A, 0xE144FB14, 0xC76580D9,
	      0x8B277743),
	TABLE(0xDD45AAB8, 0xBF672381, 0x7B2231F3, 0xF64463E6, 0xE964B13D, 0xD725148B, 0xABA65FE7,
	      0x52A0C93F),
	TABLE(0x38116FAC, 0x7022DF58, 0xE045BEB0, 0xC5670B91, 0x8F2261D3, 0x1BA8B557, 0x37516AAE,
	      0x6EA2D55C),
	TABLE(0xEF306B19, 0xDB8CA0C3, 0xB2F53777, 0x6006181F, 0xC00C303E, 0x85F4168D, 0x0E045BEB,
	      0x1C08B7D6),
	TABLE(0x68032CC8, 0xD0065990, 0xA5E0C5D1, 0x4E2DFD53, 0x9C5BFAA6, 0x3D5B83BD, 0x7AB7077A,
	      0xF56E0EF4),
	TABLE(0x493C7D27, 0x9278FA4E, 0x211D826D, 0x423B04DA, 0x847609B4, 0x0D006599, 0x1A00CB32,
	      0x34019664),
};

static uint32_t step_by_table(uint32_t crc, uint8_t byte)
{
	return crc >> 8 ^ table[0][(crc ^ byte) & 0xFF];
}

static uint32_t step8_by_table(uint32_t crc, const uint8_t *at)
{
	const uint32_t low = crc ^ sopi_load_u32le(at);

	return table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF] ^
	       table[4][low >> 24] ^ table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]] ^
	       table[0][at[7]];
}

uint32_t sopi_crc32c_by_table(uint32_t seed, const void *data, size_t size)
{
	const uint8_t *at = data;
	uint32_t crc = ~seed;

	for (; size >= 8; size -= 8, at += 8)
		crc = step8_by_table(crc, at);
	for (; size > 0; size--)
		crc = step_by_table(crc, *at++);
	return ~crc;
}

#if defined(__x86_64__) /* the one place outside core/platform that knows a processor: it is arithmetic, not a port */

/* The instruction takes three cycles, but begins one every cycle: three lanes side by side, and their sums put together
 * behind each block. A page of 4096 bytes is four blocks and 64 bytes. */
enum { LANE_BYTES = 336, LANES = 3 };

typedef long long two_words __attribute__((vector_size(16)));

/* x^(8n-33) modulo the polynomial, reflected: times this, and reduced by the instruction, a checksum is what it is behind n
 * zero bytes. */
static const uint32_t behind_one_lane = 0xA60CE07B;
static const uint32_t behind_two_lanes = 0xCEC3662E;

#define BY_INSTRUCTION __attribute__((target("sse4.2,pclmul")))

/* The sanitizer looks at each load, which takes most of the time of many tests: it looks once at all of them instead. */
#ifdef __SANITIZE_ADDRESS__
#define UNWATCHED __attribute__((no_sanitize("address", "undefined")))

static void look_at_all(const void *data, size_t size)
{
	const volatile uint8_t *bad = __asan_region_is_poisoned((void *)(uintptr_t)data, size);

	if (bad != NULL)
		(void)*bad; /* which is reported as ever */
}
#else
#define UNWATCHED

static void look_at_all(const void *data, size_t size)
{
	(void)data;
	(void)size;
}
#endif

UNWATCHED static inline uint64_t load(const uint8_t *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof word); /* which has the order of the processor */
	return word;
}

BY_INSTRUCTION UNWATCHED static uint64_t behind_zeros(uint64_t crc, uint32_t factor)
{
	const two_words product = __builtin_ia32_pclmulqdq128((two_words){ (long long)crc, 0 },
							      (two_words){ factor, 0 }, 0);

	return __builtin_ia32_crc32di(0, (unsigned long long)product[0]);
}

BY_INSTRUCTION UNWATCHED static uint64_t block_by_lanes(uint64_t crc, const uint8_t *at)
{
	uint64_t second = 0, third = 0;

	for (const uint8_t *end = at + LANE_BYTES; at < end; at += 8) {
		crc = __builtin_ia32_crc32di(crc, load(at));
		second = __builtin_ia32_crc32di(second, load(at + LANE_BYTES));
		third = __builtin_ia32_crc32di(third, load(at + (size_t)2 * LANE_BYTES));
	}
	return behind_zeros(crc, behind_two_lanes) ^ behind_zeros(second, behind_one_lane) ^ third;
}

BY_INSTRUCTION UNWATCHED static uint32_t by_instruction(uint32_t seed, const void *data, size_t size)
{
	const uint8_t *at = data;
	uint64_t crc = (uint32_t)~seed;

	for (; size >= LANES * LANE_BYTES; size -= LANES * LANE_BYTES, at += LANES * LANE_BYTES)
		crc = block_by_lanes(crc, at);
	for (; size >= 8; size -= 8, at += 8)
		crc = __builtin_ia32_crc32di(crc, load(at));
	for (; size > 0; size--)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, *at++);
	return ~(uint32_t)crc;
}

uint32_t sopi_crc32c(uint32_t seed, const void *data, size_t size)
{
	if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) {
		look_at_all(data, size);
		return by_instruction(seed, data, size);
	}
	return sopi_crc32c_by_table(seed, data, size);
}

#else

uint32_t sopi_crc32c(uint32_t seed, const void *data, size_t size)
{
	return sopi_crc32c_by_table(seed, data, size);
}

#endif
