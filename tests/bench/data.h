/* What the benchmarks store: 16-byte keys and values that prove themselves. */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

constexpr size_t KEY_BYTES = 16;
constexpr size_t VALUE_BYTES = 100; /* of most rows */
constexpr size_t LARGE_VALUE_BYTES = 1024; /* of the rows whose name ends in _1k */

using Key = std::array<unsigned char, KEY_BYTES>;

/* A wrong answer ends the program: a benchmark that goes on after one measures nothing. */
[[noreturn]] void fail(const char *what, uint64_t index);

/* splitmix64: well mixed, one word of state. */
class Random {
	uint64_t state;

public:
	explicit Random(uint64_t seed) : state(seed)
	{
	}
	uint64_t next()
	{
		uint64_t z = state += 0x9E3779B97F4A7C15u;

		z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
		z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
		return z ^ (z >> 31);
	}
	uint32_t below(size_t limit)
	{
		return (uint32_t)(((next() >> 32) * limit) >> 32); /* limit < 2^32 */
	}
};

/* A value is its record's index, a generation (which overwrite wrote it), words that follow from both,
 * and a tail of less than a word. So every byte is checked without a look at any other memory. */
constexpr uint64_t WORD_STEP = 0xD6E8FEB86659FD93u;

inline uint64_t value_seed(uint64_t index, uint64_t generation)
{
	return (index + 1) * 0x9E3779B97F4A7C15u ^ generation * 0xC2B2AE3D27D4EB4Fu;
}

inline void value_make(uint64_t index, uint64_t generation, unsigned char *to, size_t size)
{
	const uint64_t seed = value_seed(index, generation);
	const size_t words = size / 8;

	std::memcpy(to, &index, 8);
	std::memcpy(to + 8, &generation, 8);
	for (size_t i = 2; i <= words; i++) {
		const uint64_t word = seed + i * WORD_STEP;

		std::memcpy(to + 8 * i, &word, i < words ? 8 : size % 8);
	}
}

inline uint64_t value_word(const void *data, size_t which)
{
	uint64_t word;

	std::memcpy(&word, (const unsigned char *)data + which * sizeof word, sizeof word);
	return word;
}

/* Whether `size` bytes at `data` are a value of the record `index`, of whatever generation. */
__attribute__((always_inline)) inline bool value_right(const void *data, size_t size, uint64_t index)
{
	const uint64_t seed = value_seed(index, value_word(data, 1));
	const size_t words = size / 8;
	const uint64_t tail = seed + words * WORD_STEP;
	uint64_t wrong = value_word(data, 0) ^ index;

	for (size_t i = 2; i < words; i++)
		wrong |= value_word(data, i) ^ (seed + i * WORD_STEP);
	return wrong == 0 && std::memcmp((const unsigned char *)data + 8 * words, &tail, size % 8) == 0;
}

/* Checks every byte of a value that should have `expected` bytes; returns its generation. */
inline uint64_t check_value(const void *data, size_t size, size_t expected, uint64_t index)
{
	const bool right = size == expected &&
			   (size == VALUE_BYTES ? value_right(data, VALUE_BYTES, index) /* unrolled */
						: value_right(data, size, index));

	if (__builtin_expect(!right, 0))
		fail("a value is not what was written", index);
	return value_word(data, 1);
}

/* The records of a run, and which of them are asked for. */
struct Data {
	const size_t value_bytes;
	std::vector<Key> keys; /* ascending */
	std::vector<uint32_t> shuffled; /* every index once, in random order */
	/* For each reading thread, random indices with repetition. */
	std::vector<std::vector<uint32_t>> uniform;
	/* The same as YCSB has it: the n-th most popular one n^-0.99 times as often as the first. The
	 * popular ones lie anywhere. */
	std::vector<std::vector<uint32_t>> zipfian;

	Data(size_t items, size_t value_bytes, size_t picks, size_t threads, bool random_keys);

	size_t items() const
	{
		return keys.size();
	}
	/* What a user would call a record. */
	size_t record_bytes() const
	{
		return KEY_BYTES + value_bytes;
	}
};

#endif
