/* What SOP is measured against: plain structures in memory without transactions and versions.
 *
 * Fixed    absl::btree_map with keys and values of fixed size inside its nodes: the hardest peer
 * String   absl::btree_map of std::string, the usual way to hold byte strings of any size
 * Sorted   binary search in a sorted array that nobody may change: about what the memory allows
 *
 * The maps stand behind one std::shared_mutex. absl::Mutex is slower: on two cores a reader's lock
 * and unlock cost 25 to 40 ns against 8 to 13 alone, 50 to 240 against 12 to 36 with two threads. */
#ifndef BENCH_ENGINE_PEER_H
#define BENCH_ENGINE_PEER_H

#include "data.h"

#include <absl/container/btree_map.h>
#include <absl/strings/string_view.h>
#include <malloc.h>
#include <shared_mutex>
#include <string>

/* Bytes that malloc has handed out in this process. */
inline size_t malloc_bytes()
{
	const struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Two words instead of sixteen bytes: faster than memcmp. */
struct KeyLess {
	static uint64_t word(const Key &key, size_t at)
	{
		uint64_t word;

		std::memcpy(&word, key.data() + at, sizeof word);
		return __builtin_bswap64(word);
	}
	bool operator()(const Key &a, const Key &b) const
	{
		const uint64_t x = word(a, 0), y = word(b, 0);

		return x != y ? x < y : word(a, 8) < word(b, 8);
	}
};

struct FixedTraits {
	static constexpr const char *NAME = "fixed";
	using Map = absl::btree_map<Key, Value, KeyLess>;

	static const Key &key(const Key &key)
	{
		return key;
	}
	static bool same(const Key &a, const Key &b)
	{
		return a == b;
	}
	static const Value &value(const Value &value)
	{
		return value;
	}
	static void assign(Value &to, const Value &value)
	{
		to = value;
	}
};

struct StringTraits {
	static constexpr const char *NAME = "string";
	using Map = absl::btree_map<std::string, std::string>;

	static absl::string_view key(const Key &key)
	{
		return { (const char *)key.data(), KEY_BYTES };
	}
	static bool same(const std::string &a, absl::string_view b)
	{
		return a == b;
	}
	static absl::string_view value(const Value &value)
	{
		return { (const char *)value.data(), VALUE_BYTES };
	}
	static void assign(std::string &to, const Value &value)
	{
		to.assign((const char *)value.data(), VALUE_BYTES);
	}
};

template <class Traits> class Peer {
	using Map = typename Traits::Map;
	const size_t malloc_before = malloc_bytes();
	std::shared_mutex mutex;
	Map map;

public:
	static constexpr const char *NAME = Traits::NAME;

	Peer() = default;
	Peer(const Peer &) = delete;
	Peer &operator=(const Peer &) = delete;

	size_t memory_bytes() const
	{
		const size_t now = malloc_bytes();

		return now > malloc_before ? now - malloc_before : 0;
	}

	class Session {
		Peer &peer;
		unsigned char room[256];

	public:
		explicit Session(Peer &of) : peer(of)
		{
		}

		void read_begin()
		{
			peer.mutex.lock_shared();
		}
		void read_end()
		{
			peer.mutex.unlock_shared();
		}
		void write_begin()
		{
			peer.mutex.lock();
		}
		void write_end()
		{
			peer.mutex.unlock();
		}

		/* Copies the value out, as it must if anything is to be done with it after the lock. */
		void get(const Key &key, uint64_t index)
		{
			const auto at = peer.map.find(Traits::key(key));

			if (__builtin_expect(at == peer.map.end(), 0))
				fail("a key is missing", index);
			const size_t size = at->second.size();

			std::memcpy(room, at->second.data(), size < sizeof room ? size : sizeof room);
			check_value(room, size, index);
		}

		void put(const Key &key, const Value &value)
		{
			const auto at = peer.map.lower_bound(Traits::key(key));

			if (at != peer.map.end() && Traits::same(at->first, Traits::key(key)))
				Traits::assign(at->second, value);
			else
				peer.map.emplace_hint(at, Traits::key(key), Traits::value(value));
		}

		template <class Visit> void scan(const Key *from, size_t limit, Visit visit)
		{
			auto at = from != nullptr ? peer.map.lower_bound(Traits::key(*from))
						  : peer.map.begin();

			for (const auto end = peer.map.end(); limit > 0 && at != end; ++at, limit--)
				visit(at->first.data(), at->first.size(), at->second.data(),
				      at->second.size());
		}
	};
};

using Fixed = Peer<FixedTraits>;
using String = Peer<StringTraits>;

class Sorted {
	std::vector<Key> keys;
	std::vector<Value> values;

public:
	static constexpr const char *NAME = "sorted";

	size_t memory_bytes() const
	{
		return keys.size() * (KEY_BYTES + VALUE_BYTES);
	}

	class Session {
		Sorted &sorted;
		unsigned char room[VALUE_BYTES];

	public:
		explicit Session(Sorted &of) : sorted(of)
		{
		}

		void read_begin()
		{
		}
		void read_end()
		{
		}
		void write_begin()
		{
		}
		void write_end()
		{
		}

		void get(const Key &key, uint64_t index)
		{
			const size_t at = find(key);

			if (at == sorted.keys.size() || sorted.keys[at] != key)
				fail("a key is missing", index);
			std::memcpy(room, sorted.values[at].data(), sizeof room);
			check_value(room, sizeof room, index);
		}

		/* In ascending order only. */
		void put(const Key &key, const Value &value)
		{
			sorted.keys.push_back(key);
			sorted.values.push_back(value);
		}

		template <class Visit> void scan(const Key *from, size_t limit, Visit visit)
		{
			for (size_t at = from != nullptr ? find(*from) : 0;
			     limit > 0 && at < sorted.keys.size(); at++, limit--)
				visit(sorted.keys[at].data(), KEY_BYTES, sorted.values[at].data(),
				      VALUE_BYTES);
		}

	private:
		size_t find(const Key &key) const
		{
			return (size_t)(std::lower_bound(sorted.keys.begin(), sorted.keys.end(),
							 key, KeyLess()) -
					sorted.keys.begin());
		}
	};
};

#endif
