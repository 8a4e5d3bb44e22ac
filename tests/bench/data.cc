/* Makes keys and picks. */
#include "data.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <numeric>

/* Only the first thread that finds something ends the program: exit() is not made for two. */
void fail(const char *what, uint64_t index)
{
	static std::mutex first;

	first.lock();
	std::fprintf(stderr, "bench: WRONG: %s (record %llu)\n", what, (unsigned long long)index);
	std::exit(1);
}

namespace {

Key digits_key(size_t index)
{
	Key key;

	for (size_t at = KEY_BYTES; at-- > 0; index /= 10)
		key[at] = (unsigned char)('0' + index % 10);
	return key;
}

Key random_key(Random &random)
{
	const uint64_t words[2] = { random.next(), random.next() };
	Key key;

	std::memcpy(key.data(), words, sizeof words);
	return key;
}

/* Ranks by popularity, 0 being the most popular. */
class Zipf {
	std::vector<double> sums;

public:
	explicit Zipf(size_t items) : sums(items)
	{
		double sum = 0;

		for (size_t i = 0; i < items; i++)
			sums[i] = sum += std::pow((double)i + 1, -0.99);
	}
	size_t rank(Random &random) const
	{
		const double at = (double)(random.next() >> 11) / (double)(1ull << 53) * sums.back();
		const auto found = std::lower_bound(sums.begin(), sums.end(), at) - sums.begin();

		return std::min((size_t)found, sums.size() - 1);
	}
};

} // namespace

Data::Data(size_t items, size_t bytes, size_t picks, size_t threads, bool random_keys)
    : value_bytes(bytes), keys(items), shuffled(items), uniform(threads), zipfian(threads)
{
	Random random(42);
	const Zipf zipf(items);

	for (size_t i = 0; i < items; i++)
		keys[i] = random_keys ? random_key(random) : digits_key(i);
	std::sort(keys.begin(), keys.end());
	std::iota(shuffled.begin(), shuffled.end(), 0u);
	for (size_t i = items; i > 1; i--)
		std::swap(shuffled[i - 1], shuffled[random.below(i)]);
	for (size_t thread = 0; thread < threads; thread++) {
		for (size_t i = 0; i < picks; i++) {
			uniform[thread].push_back(random.below(items));
			zipfian[thread].push_back(shuffled[zipf.rank(random)]);
		}
	}
}
