/* What is measured, and the comparison with what must be there: generic over the session, so that
 * every engine runs the same code. */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include "data.h"
#include "engine_sop.h"
#include "runner.h"

#include <functional>
#include <vector>

constexpr size_t BATCH = 1000; /* inserts in a transaction */
constexpr size_t GROUP = 100; /* gets, overwrites in a transaction; items in a range scan */

template <class Session>
void gets(Session &session, const Data &data, const uint32_t *picks, size_t count, size_t group)
{
	for (size_t i = 0; i < count; i += group) {
		session.read_begin();
		for (size_t j = i; j < i + group; j++)
			session.get(data.keys[picks[j]], picks[j]);
		session.read_end();
	}
}

/* The record that thread `thread` of `threads` overwrites for a pick: no two threads share one. */
inline uint32_t owned(uint32_t pick, int thread, int threads, size_t items)
{
	const uint32_t mine = pick - pick % (uint32_t)threads + (uint32_t)thread;

	return mine < items ? mine : (uint32_t)thread;
}

template <class Session>
void updates(Session &session, const Data &data, int thread, int threads, size_t count,
	     size_t group, uint64_t generation)
{
	const uint32_t *picks = data.picks[(size_t)thread].data();
	Value value;

	for (size_t i = 0; i < count; i += group) {
		session.write_begin();
		for (size_t j = i; j < i + group; j++) {
			const uint32_t index = owned(picks[j], thread, threads, data.items());

			value_make(index, generation, value.data());
			session.put(data.keys[index], value);
		}
		session.write_end();
	}
}

/* Inserts every `threads`-th batch of the records in the order of `order` (NULL: ascending). */
template <class Session>
void inserts(Session &session, const Data &data, const uint32_t *order, int thread, int threads)
{
	Value value;

	for (size_t i = (size_t)thread * BATCH; i < data.items(); i += (size_t)threads * BATCH) {
		const size_t end = std::min(i + BATCH, data.items());

		session.write_begin();
		for (size_t j = i; j < end; j++) {
			const size_t index = order != nullptr ? order[j] : j;

			value_make(index, 0, value.data());
			session.put(data.keys[index], value);
		}
		session.write_end();
	}
}

inline void inserts_packed(Sop::Session &session, const Data &data, const uint32_t *order,
			   int thread, int threads)
{
	Value value;

	for (size_t i = (size_t)thread * BATCH; i < data.items(); i += (size_t)threads * BATCH) {
		const size_t end = std::min(i + BATCH, data.items());

		session.pack_begin(end - i);
		for (size_t j = i; j < end; j++) {
			const size_t index = order != nullptr ? order[j] : j;

			value_make(index, 0, value.data());
			session.pack_row(data.keys[index], value.data(), VALUE_BYTES);
		}
		session.write_begin();
		session.put_packed();
		session.write_end();
	}
}

/* Checks that items come in order, each with its own key and a right value. */
class InOrder {
	const Data &data;
	size_t index;

public:
	InOrder(const Data &of, size_t first) : data(of), index(first)
	{
	}
	void operator()(const void *key, size_t key_size, const void *value, size_t value_size)
	{
		if (__builtin_expect(index >= data.items() || key_size != KEY_BYTES ||
					     std::memcmp(key, data.keys[index].data(), KEY_BYTES) != 0,
				     0))
			fail("a scan gave another key than the next", index);
		check_value(value, value_size, index);
		index++;
	}
	void expect_end(size_t end) const
	{
		if (index != end)
			fail("a scan ended elsewhere", index);
	}
};

/* How a range is walked through. */
struct ByViews {
	template <class Session, class Visit>
	void operator()(Session &session, const Key *from, size_t limit, Visit visit) const
	{
		session.scan(from, limit, visit);
	}
};

struct ByBatches {
	template <class Visit>
	void operator()(Sop::Session &session, const Key *from, size_t limit, Visit visit) const
	{
		session.scan_packed(from, limit, visit);
	}
};

template <class Session, class Walk>
void scan_all(Session &session, const Data &data, size_t passes, Walk walk)
{
	for (size_t i = 0; i < passes; i++) {
		InOrder in_order(data, 0);

		session.read_begin();
		walk(session, nullptr, SIZE_MAX, std::ref(in_order));
		session.read_end();
		in_order.expect_end(data.items());
	}
}

template <class Session, class Walk>
void scan_ranges(Session &session, const Data &data, const uint32_t *picks, size_t count, Walk walk)
{
	for (size_t i = 0; i < count; i++) {
		InOrder in_order(data, picks[i]);

		session.read_begin();
		walk(session, &data.keys[picks[i]], GROUP, std::ref(in_order));
		session.read_end();
		in_order.expect_end(std::min(picks[i] + GROUP, data.items()));
	}
}

/* Compares everything in `engine` with `generations` (by index). */
template <class Engine>
void compare(Engine &engine, const Data &data, const std::vector<uint32_t> &generations)
{
	typename Engine::Session session(engine);
	InOrder in_order(data, 0);
	size_t index = 0;

	session.read_begin();
	session.scan(nullptr, SIZE_MAX,
		     [&](const void *key, size_t key_size, const void *value, size_t value_size) {
			     in_order(key, key_size, value, value_size);
			     if (value_word(value, 1) != generations[index++])
				     fail("an overwrite is lost", index - 1);
		     });
	session.read_end();
	in_order.expect_end(data.items());
}

template <class Engine> struct Loaded {
	Engine engine;
	std::vector<uint32_t> generations; /* of each record */
	uint32_t latest = 0; /* generation */

	explicit Loaded(const Data &data) : generations(data.items())
	{
		typename Engine::Session session(engine);

		inserts(session, data, nullptr, 0, 1);
	}
};

/* Overwrites, and then compares, outside the time that is returned. */
template <class Engine>
double measure_updates(Clock clock, Loaded<Engine> &loaded, const Data &data, int threads,
		       size_t count, size_t group)
{
	const uint32_t generation = ++loaded.latest;
	const double seconds = timed(clock, loaded.engine, threads, [&](auto &session, int thread) {
		updates(session, data, thread, threads, count, group, generation);
	});

	for (int thread = 0; thread < threads; thread++) {
		for (size_t i = 0; i < count; i++)
			loaded.generations[owned(data.picks[(size_t)thread][i], thread, threads, data.items())] =
				generation;
	}
	compare(loaded.engine, data, loaded.generations);
	return seconds;
}

#endif
