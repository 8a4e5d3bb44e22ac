/* What the benchmarks store: 16-byte keys and 100-byte values that prove themselves. */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <vector>

constexpr size_t KEY_BYTES = 16;
constexpr size_t VALUE_BYTES = 100;

using Key = std::array<unsigned char, KEY_BYTES>;
using Value = std::array<unsigned char, VALUE_BYTES>;

/* A wrong answer ends the program: a benchmark that goes on after one measures nothing. */
[[noreturn]] inline void fail(const char *what, uint64_t index)
{
	std::fprintf(stderr, "bench: WRONG: %s (record %llu)\n", what, (unsigned long long)index);
	std::exit(1);
}

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

/* A value is its record's index, a generation (which overwrite wrote it), ten words and a tail that
 * follow from both. So every byte is checked without a look at any other memory. */
constexpr uint64_t WORD_STEP = 0xD6E8FEB86659FD93u;
constexpr size_t WORDS = 12;

inline uint64_t value_seed(uint64_t index, uint64_t generation)
{
	return (index + 1) * 0x9E3779B97F4A7C15u ^ generation * 0xC2B2AE3D27D4EB4Fu;
}

inline void value_make(uint64_t index, uint64_t generation, unsigned char *to)
{
	const uint64_t seed = value_seed(index, generation);
	const uint32_t tail = (uint32_t)(seed >> 32);
	uint64_t words[WORDS];

	words[0] = index;
	words[1] = generation;
	for (size_t i = 2; i < WORDS; i++)
		words[i] = seed + i * WORD_STEP;
	std::memcpy(to, words, sizeof words);
	std::memcpy(to + sizeof words, &tail, sizeof tail);
}

inline uint64_t value_word(const void *data, size_t which)
{
	uint64_t word;

	std::memcpy(&word, (const unsigned char *)data + which * sizeof word, sizeof word);
	return word;
}

inline bool value_right(const void *data, size_t size, uint64_t index)
{
	uint64_t words[WORDS], wrong;
	uint32_t tail;

	if (size != VALUE_BYTES)
		return false;
	std::memcpy(words, data, sizeof words);
	std::memcpy(&tail, (const unsigned char *)data + sizeof words, sizeof tail);
	const uint64_t seed = value_seed(index, words[1]);

	wrong = (words[0] ^ index) | (tail ^ (uint32_t)(seed >> 32));
	for (size_t i = 2; i < WORDS; i++)
		wrong |= words[i] ^ (seed + i * WORD_STEP);
	return wrong == 0;
}

inline void check_value(const void *data, size_t size, uint64_t index)
{
	if (__builtin_expect(!value_right(data, size, index), 0))
		fail("a value is not what was written", index);
}

/* The records of one run. */
struct Data {
	std::vector<Key> keys; /* ascending */
	std::vector<uint32_t> shuffled; /* every index once, in random order */
	std::vector<std::vector<uint32_t>> picks; /* for each thread: random indices, with repetition */

	Data(size_t items, size_t pick_count, size_t threads, bool random_keys)
	    : keys(items), shuffled(items), picks(threads)
	{
		Random random(42);

		for (size_t i = 0; i < items; i++)
			keys[i] = random_keys ? random_key(random) : digits_key(i);
		std::sort(keys.begin(), keys.end());
		std::iota(shuffled.begin(), shuffled.end(), 0u);
		for (size_t i = items; i > 1; i--)
			std::swap(shuffled[i - 1], shuffled[random.below(i)]);
		for (auto &sequence : picks) {
			sequence.resize(pick_count);
			for (auto &pick : sequence)
				pick = random.below(items);
		}
	}

	size_t items() const
	{
		return keys.size();
	}

private:
	static Key digits_key(size_t index)
	{
		Key key;

		for (size_t at = KEY_BYTES; at-- > 0; index /= 10)
			key[at] = (unsigned char)('0' + index % 10);
		return key;
	}

	static Key random_key(Random &random)
	{
		const uint64_t words[2] = { random.next(), random.next() };
		Key key;

		std::memcpy(key.data(), words, sizeof words);
		return key;
	}
};

#endif
