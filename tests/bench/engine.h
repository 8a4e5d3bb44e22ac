/* What every engine does: the few transactions of which all rows are made. One file per engine. */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include "data.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/* What one commit writes or removes. */
class Batch {
	const Data *data;
	std::vector<uint32_t> indices;
	std::vector<unsigned char> values;

public:
	const bool behind_all; /* the keys ascend and lie behind all that are there */

	explicit Batch(const Data &of, bool is_behind_all = false)
	    : data(&of), behind_all(is_behind_all)
	{
	}
	void clear()
	{
		indices.clear();
	}
	void add(uint32_t index, uint64_t generation)
	{
		const size_t at = indices.size() * data->value_bytes;

		if (values.size() < at + data->value_bytes)
			values.resize(at + data->value_bytes);
		value_make(index, generation, &values[at], data->value_bytes);
		indices.push_back(index);
	}
	size_t size() const
	{
		return indices.size();
	}
	uint32_t index(size_t which) const
	{
		return indices[which];
	}
	const Key &key(size_t which) const
	{
		return data->keys[indices[which]];
	}
	const unsigned char *value(size_t which) const
	{
		return &values[which * data->value_bytes];
	}
	unsigned char *value(size_t which)
	{
		return &values[which * data->value_bytes];
	}
};

/* Which generation of each record was committed last. */
using Generations = std::vector<std::atomic<uint32_t>>;
constexpr uint32_t GONE = UINT32_MAX; /* generation of a record that is not there */

/* What a scan must give: an engine shows it each item in turn. Items come in order, none is left out, and each
 * has its own key and a value of the generation that was committed. */
class Expected {
	const Data *data;
	const Generations *generations; /* NULL: all 0 */
	bool absent_may_come; /* others insert meanwhile: what is GONE may be there */
	size_t index;

	uint32_t generation() const
	{
		return generations != nullptr ? (*generations)[index].load(std::memory_order_relaxed)
					      : 0;
	}
	/* Leaves out what is not there, up to the record with `key`. */
	void skip(const void *key)
	{
		while (index < data->items() && generation() == GONE &&
		       (!absent_may_come || std::memcmp(key, data->keys[index].data(), KEY_BYTES) != 0))
			index++;
	}

public:
	Expected(const Data &of, size_t first) : Expected(of, first, nullptr, false)
	{
	}
	Expected(const Data &of, size_t first, const Generations *generations_of, bool inserts_go_on)
	    : data(&of), generations(generations_of), absent_may_come(inserts_go_on), index(first)
	{
	}

	void item(const void *key, size_t key_size, const void *value, size_t value_size)
	{
		if (generations != nullptr)
			skip(key);
		if (__builtin_expect(index >= data->items() || key_size != KEY_BYTES ||
					     std::memcmp(key, data->keys[index].data(), KEY_BYTES) != 0,
				     0))
			fail("a scan gave another key than the next", index);
		const uint64_t found = check_value(value, value_size, data->value_bytes, index);
		const uint64_t wanted = generation();

		if (__builtin_expect(found != wanted && !(absent_may_come && wanted == GONE), 0))
			fail("a commit is lost", index);
		index++;
	}
	/* Ends a scan that should have come to the record before `end`, or to the last one. */
	void expect_end(size_t end)
	{
		while (generations != nullptr && index < data->items() && generation() == GONE)
			index++;
		if (index < end && index < data->items())
			fail("a scan ended too early", index);
	}
};

/* Makes the new value of the record `index` from the old one, of which there are 0 bytes if there is none; returns
 * its size, at most LARGE_VALUE_BYTES. */
using Edit = size_t (*)(const Data &data, uint32_t index, const void *old, size_t old_size,
			unsigned char *to);

/* A counter: 8 bytes, 1 more each time. */
inline size_t add_one(const Data &, uint32_t index, const void *old, size_t old_size, unsigned char *to)
{
	if (old_size != 0 && old_size != sizeof(uint64_t))
		fail("a counter has another size", index);
	const uint64_t count = (old_size != 0 ? value_word(old, 0) : 0) + 1;

	std::memcpy(to, &count, sizeof count);
	return sizeof count;
}

/* A record: its next generation. */
inline size_t next_generation(const Data &data, uint32_t index, const void *old, size_t old_size,
			      unsigned char *to)
{
	const uint64_t generation = check_value(old, old_size, data.value_bytes, index);

	value_make(index, generation + 1, to, data.value_bytes);
	return data.value_bytes;
}

/* What one thread holds. Every call is a transaction of its own, which is repeated until it commits. */
class Session {
protected:
	const Data &data;

	explicit Session(const Data &of) : data(of)
	{
	}
	uint64_t check(const void *value, size_t size, uint64_t index) const
	{
		return check_value(value, size, data.value_bytes, index);
	}

public:
	Session(const Session &) = delete;
	Session &operator=(const Session &) = delete;
	virtual ~Session() = default;

	/* Reads one record, checks it, and returns its generation. */
	virtual uint64_t get(uint32_t index) = 0;
	/* Reads many, one call each; returns the sum of their generations. */
	virtual uint64_t get_each(const uint32_t *indices, size_t count) = 0;
	/* The same in one call, where there is such a call. */
	virtual uint64_t get_many(const uint32_t *indices, size_t count)
	{
		return get_each(indices, count);
	}
	/* Shows `expected` up to `limit` items from the key of `first` on. */
	virtual void scan(uint32_t first, size_t limit, Expected &expected) = 0;
	/* Inserts or overwrites. */
	virtual void put(const Batch &batch) = 0;
	virtual void remove(const Batch &batch) = 0;
	/* Reads a record and writes what `edit` makes of it, serializably. */
	virtual void modify(uint32_t index, Edit edit) = 0;
	/* modify(index, add_one), in a way of the engine that need not read, where there is one. */
	virtual void add(uint32_t index)
	{
		modify(index, add_one);
	}
	/* Reads the counter at `index`; 0 if it is not there. */
	virtual uint64_t counter(uint32_t index) = 0;
};

/* An open database. */
class Engine {
public:
	Engine() = default;
	Engine(const Engine &) = delete;
	Engine &operator=(const Engine &) = delete;
	virtual ~Engine() = default;
	virtual std::unique_ptr<Session> session(const Data &data) = 0;
	/* Taken from the system for the data; 0: not known. */
	virtual double memory_bytes() const
	{
		return 0;
	}
};

/* How a database is opened. */
struct Setup {
	std::string folder; /* which is there, and empty the first time */
	bool durable = true; /* a commit is on stable storage before it is answered */
	size_t cache_bytes = 0;
	std::vector<std::pair<std::string, std::string>> options; /* of SOP, by name */
};

/* An engine, as the command line knows it. */
struct Kind {
	const char *name;
	std::string version;
	const char *settings; /* in words; `cache` stands for --cache-mb */
	bool persistent; /* what is written is there when it is opened again */
	std::unique_ptr<Engine> (*open)(const Setup &setup);
};

/* Those that this program was built with, this library first. */
const std::vector<Kind> &kinds();

Kind sop_kind();
Kind sop_memory_kind();
Kind map_kind();
Kind lmdb_kind();
Kind lmdb_map_kind();
Kind rocksdb_kind();
Kind sqlite_kind();
Kind bdb_kind();
Kind wiredtiger_kind();

#endif
