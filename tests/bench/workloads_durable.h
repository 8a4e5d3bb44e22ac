/* What is measured on disk: as long as it is given, and the comparison of everything that is there
 * with what was committed. Generic over the session, so that every engine runs the same code. */
#ifndef BENCH_WORKLOADS_DURABLE_H
#define BENCH_WORKLOADS_DURABLE_H

#include "engine_lmdb.h"
#include "workloads.h"

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cmath>
#include <filesystem>
#include <sys/stat.h>
#include <type_traits>
#include <vector>

constexpr size_t COUNTERS = 64;
constexpr size_t GETS_BETWEEN_LOOKS = 200; /* at the clock */
constexpr uint32_t GONE = UINT32_MAX; /* generation of a record that is not there */

/* The time that a workload has. */
class Until {
	double end;

public:
	explicit Until(double seconds) : end(clock_seconds(Clock::WALL) + seconds)
	{
	}
	bool over() const
	{
		return clock_seconds(Clock::WALL) >= end;
	}
};

/* Calls step(place in the picks of `thread`), which uses `width` of them, until the time is over.
 * Returns how often. */
template <class Step>
uint64_t along_picks(const Data &data, int thread, size_t width, double seconds, Step step)
{
	const std::vector<uint32_t> &picks = data.picks[(size_t)thread];
	const Until until(seconds);
	uint64_t steps = 0;
	size_t at = 0;

	for (; !until.over(); steps++, at += width) {
		if (at + width > picks.size())
			at = 0;
		step(picks.data() + at);
	}
	return steps;
}

/* One get in a transaction, in the way of the engine that is made for it. */
template <class Session>
uint64_t single_gets(Session &session, const Data &data, int thread, double seconds)
{
	return GETS_BETWEEN_LOOKS *
	       along_picks(data, thread, GETS_BETWEEN_LOOKS, seconds, [&](const uint32_t *picks) {
		       for (size_t i = 0; i < GETS_BETWEEN_LOOKS; i++)
			       session.read_one(data.keys[picks[i]], picks[i]);
	       });
}

template <class Session>
uint64_t grouped_gets(Session &session, const Data &data, int thread, double seconds)
{
	return GROUP * along_picks(data, thread, GROUP, seconds, [&](const uint32_t *picks) {
		       gets(session, data, picks, GROUP, GROUP);
	       });
}

/* The same in one call where there is one. */
inline uint64_t many_gets(Sop::Session &session, const Data &data, int thread, double seconds)
{
	return GROUP * along_picks(data, thread, GROUP, seconds, [&](const uint32_t *picks) {
		       session.read_begin();
		       session.get_many(data, picks, GROUP);
		       session.read_end();
	       });
}

template <class Session>
uint64_t many_gets(Session &session, const Data &data, int thread, double seconds)
{
	return grouped_gets(session, data, thread, seconds);
}

/* How the engine of a session walks through a range. */
inline ByBatches walk_of(Sop::Session &)
{
	return {};
}
template <class Session> ByViews walk_of(Session &)
{
	return {};
}

template <class Session>
uint64_t full_scans(Session &session, const Data &data, int thread, double seconds)
{
	return data.items() * along_picks(data, thread, 0, seconds, [&](const uint32_t *) {
		       scan_all(session, data, 1, walk_of(session));
	       });
}

template <class Session>
uint64_t range_scans(Session &session, const Data &data, int thread, double seconds)
{
	return along_picks(data, thread, 1, seconds, [&](const uint32_t *picks) {
		scan_ranges(session, data, picks, 1, walk_of(session));
	});
}

/* Puts every record, a thousand in a commit, in the order of `order` (NULL: ascending). */
inline uint64_t bulk(Sop::Session &session, const Data &data, const uint32_t *order)
{
	inserts_packed(session, data, order, 0, 1);
	return data.items();
}

template <class Session> uint64_t bulk(Session &session, const Data &data, const uint32_t *order)
{
	if constexpr (std::is_same_v<Session, Lmdb::Session>) {
		if (order == nullptr)
			session.expect_ascending();
	}
	inserts(session, data, order, 0, 1);
	return data.items();
}

/* Overwrites random records, `group` in a commit, and notes in `generations` which overwrite was the
 * last of each. No two threads share a record. */
template <class Session>
uint64_t overwrites(Session &session, const Data &data, std::vector<uint32_t> &generations,
		    int thread, int threads, size_t group, double seconds)
{
	const Until until(seconds);
	Random random((uint64_t)thread + 1);
	std::vector<uint32_t> indices(group);
	uint32_t generation = 0;
	Value value;

	while (!until.over()) {
		generation++;
		for (auto &index : indices)
			index = owned(random.below(data.items()), thread, threads, data.items());
		session.write([&] {
			for (const uint32_t index : indices) {
				value_make(index, generation, value.data());
				session.put(data.keys[index], value);
			}
		});
		for (const uint32_t index : indices)
			generations[index] = generation;
	}
	return generation * group;
}

/* Which records are asked for how often, as YCSB has it: the n-th most popular one n^-0.99 times as often as the first. */
class Zipf {
	const Data &data;
	std::vector<double> sums;

public:
	explicit Zipf(const Data &of) : data(of), sums(of.items())
	{
		double sum = 0;

		for (size_t i = 0; i < sums.size(); i++)
			sums[i] = sum += std::pow((double)i + 1, -0.99);
	}
	/* The popular ones lie anywhere. */
	uint32_t pick(Random &random) const
	{
		const double at = (double)(random.next() >> 11) / (double)(1ull << 53) * sums.back();
		const auto found = std::lower_bound(sums.begin(), sums.end(), at) - sums.begin();

		return data.shuffled[std::min((size_t)found, sums.size() - 1)];
	}
};

/* YCSB A and B: of a hundred operations `reads` are gets, the others overwrites, a transaction each. */
template <class Session>
uint64_t gets_and_puts(Session &session, const Data &data, const Zipf &zipf,
		       std::vector<uint32_t> &generations, int thread, int threads, uint32_t reads,
		       double seconds)
{
	const Until until(seconds);
	Random random((uint64_t)thread + 1);
	uint64_t operations = 0;
	Value value;

	for (; !until.over(); operations++) {
		const uint32_t picked = zipf.pick(random);

		if (random.below(100) < reads) {
			session.read_one(data.keys[picked], picked);
			continue;
		}
		const uint32_t index = owned(picked, thread, threads, data.items());

		value_make(index, generations[index] + 1, value.data());
		session.write([&] { session.put(data.keys[index], value); });
		generations[index]++;
	}
	return operations;
}

/* Removes records in random order, a hundred in a commit, until time or records are used up. */
template <class Session>
uint64_t deletes(Session &session, const Data &data, std::vector<uint32_t> &generations, double seconds)
{
	const Until until(seconds);
	size_t at = 0;

	while (at < data.items() && !until.over()) {
		const size_t end = std::min(at + GROUP, data.items());

		session.write([&] {
			for (size_t i = at; i < end; i++)
				session.remove(data.keys[data.shuffled[i]]);
		});
		for (; at < end; at++)
			generations[data.shuffled[at]] = GONE;
	}
	return at;
}

/* Adds 1 to one of a few counters, each addition a commit, and to `expected`. */
template <class Session>
uint64_t additions(Session &session, const Data &data, std::vector<std::atomic<uint64_t>> &expected,
		   int thread, double seconds)
{
	const Until until(seconds);
	Random random((uint64_t)thread + 1);
	uint64_t commits = 0;

	for (; !until.over(); commits++) {
		const uint32_t which = random.below(COUNTERS);

		session.write([&] { session.add_one(data.keys[which]); });
		expected[which]++;
	}
	return commits;
}

template <class Engine>
void compare_counters(Engine &engine, const Data &data, const std::vector<std::atomic<uint64_t>> &expected)
{
	typename Engine::Session session(engine);

	for (size_t i = 0; i < COUNTERS; i++) {
		if (session.counter(data.keys[i]) != expected[i])
			fail("an addition is lost or was done twice", i);
	}
}

/* Compares everything in `engine` with `generations` (by index). */
template <class Engine>
void compare_present(Engine &engine, const Data &data, const std::vector<uint32_t> &generations)
{
	typename Engine::Session session(engine);
	size_t index = 0;
	const auto skip_gone = [&] {
		while (index < data.items() && generations[index] == GONE)
			index++;
	};

	session.read_begin();
	skip_gone();
	session.scan(nullptr, SIZE_MAX,
		     [&](const void *key, size_t key_size, const void *value, size_t value_size) {
			     if (index >= data.items() || key_size != KEY_BYTES ||
				 std::memcmp(key, data.keys[index].data(), KEY_BYTES) != 0)
				     fail("a key is missing, or one too many is there", index);
			     check_value(value, value_size, index);
			     if (value_word(value, 1) != generations[index])
				     fail("a commit is lost", index);
			     index++;
			     skip_gone();
		     });
	session.read_end();
	if (index != data.items())
		fail("keys are missing at the end", index);
}

/* What this process has written so far; 0 where the system does not tell. */
struct Written {
	uint64_t called = 0; /* bytes handed to write, pwrite and so on; not what goes through a map */
	/* Bytes that the kernel owes or gave to storage. It counts what it makes dirty in its cache, which
	 * may be far more than a page where the file system caches in large folios. */
	uint64_t stored = 0;

	static Written now()
	{
		std::FILE *file = std::fopen("/proc/self/io", "r");
		Written written;
		char line[128];

		while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr) {
			std::sscanf(line, "wchar: %" SCNu64, &written.called);
			std::sscanf(line, "write_bytes: %" SCNu64, &written.stored);
		}
		if (file != nullptr)
			std::fclose(file);
		return written;
	}
	Written operator-(const Written &before) const
	{
		Written since;

		since.called = called - before.called;
		since.stored = stored - before.stored;
		return since;
	}
};

/* Bytes that the files in `folder` take on disk: what is preallocated counts, holes do not. */
inline uint64_t bytes_on_disk(const std::string &folder)
{
	uint64_t bytes = 0;

	for (const auto &entry : std::filesystem::recursive_directory_iterator(folder)) {
		struct stat about;

		if (lstat(entry.path().c_str(), &about) == 0)
			bytes += (uint64_t)about.st_blocks * 512;
	}
	return bytes;
}

#endif
