/* Runs workloads on engines in turn, several times over, and reports medians and ratios. */
#ifndef BENCH_RUNNER_H
#define BENCH_RUNNER_H

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <time.h>
#include <vector>

inline double median(std::vector<double> values)
{
	if (values.empty())
		return 0;
	std::sort(values.begin(), values.end());
	const size_t half = values.size() / 2;

	return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

enum class Clock {
	WALL, /* what counts, on a machine that does nothing else */
	CPU /* of the slowest thread: hardly disturbed by others, but blind for waiting */
};

inline double clock_seconds(Clock clock)
{
	struct timespec now;

	clock_gettime(clock == Clock::WALL ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Runs work(session, thread) in `threads` threads that begin together, each with its own session on
 * `engine`. Returns the seconds that the slowest took. */
template <class Engine, class Work>
double timed(Clock clock, Engine &engine, int threads, Work work)
{
	std::atomic<int> ready{ 0 };
	std::atomic<bool> go{ false };
	std::vector<double> seconds((size_t)threads);
	std::vector<std::thread> running;

	for (int thread = 0; thread < threads; thread++)
		running.emplace_back([&, thread] {
			typename Engine::Session session(engine);

			ready++;
			while (!go.load(std::memory_order_acquire))
				std::this_thread::yield();
			const double begin = clock_seconds(clock);

			work(session, thread);
			seconds[(size_t)thread] = clock_seconds(clock) - begin;
		});
	while (ready.load() < threads)
		std::this_thread::yield();
	go.store(true, std::memory_order_release);
	for (auto &thread : running)
		thread.join();
	return *std::max_element(seconds.begin(), seconds.end());
}

/* Operations that were done, and the seconds that they took. */
struct Done {
	uint64_t operations = 0;
	double seconds = 0;
};

/* As timed, for work that decides itself when it ends, and returns how many operations it did. */
template <class Engine, class Work> Done counted(Engine &engine, int threads, Work work)
{
	std::vector<uint64_t> operations((size_t)threads);
	Done done;

	done.seconds = timed(Clock::WALL, engine, threads, [&](auto &session, int thread) {
		operations[(size_t)thread] = work(session, thread);
	});
	for (const uint64_t one : operations)
		done.operations += one;
	return done;
}

/* What one workload does on one engine: returns the seconds that it took. */
using Measure = std::function<double(int repetition)>;

/* A workload: its operations (of all threads together) and how each engine does it. */
struct Case {
	std::string name; /* such as get1.renew */
	int threads = 1;
	const char *unit = ""; /* of the rate, such as "gets" */
	double operations = 0;
	double goal = 0; /* least ratio to the fastest peer, or 0 */
	double speedup_goal = 0; /* least rate of two threads by that of one, or 0 */
	std::map<std::string, Measure> engines;
	std::map<std::string, std::vector<double>> rates; /* operations a second, in order of repetition */

	/* The median, over repetitions, of the rate of `engine` by that of the fastest of `others`. */
	double ratio(const std::string &engine, const std::vector<std::string> &others) const
	{
		std::vector<double> ratios;
		const auto mine = rates.find(engine);

		for (size_t i = 0; mine != rates.end() && i < mine->second.size(); i++) {
			double best = 0;

			for (const auto &other : others) {
				const auto theirs = rates.find(other);

				if (theirs != rates.end() && i < theirs->second.size())
					best = std::max(best, theirs->second[i]);
			}
			if (best > 0)
				ratios.push_back(mine->second[i] / best);
		}
		return median(ratios);
	}

	double rate(const std::string &engine) const
	{
		const auto found = rates.find(engine);

		return found != rates.end() ? median(found->second) : 0;
	}
};

/* Everything measured with one number of records. */
struct Results {
	size_t items = 0;
	std::vector<Case> cases;
	std::map<std::string, std::map<std::string, double>> bytes_per_item; /* by case, by engine */
	/* What else was measured, in order of repetition: by what it is, by engine. */
	std::map<std::string, std::map<std::string, std::vector<double>>> figures;
};

/* Runs every case on every engine, `repetitions` times. Engines take turns within a repetition, so
 * that whatever disturbs the machine disturbs all of them. */
inline void run_cases(std::vector<Case> &cases, int repetitions, bool progress)
{
	for (int repetition = 0; repetition < repetitions; repetition++) {
		for (auto &one : cases) {
			if (progress)
				std::fprintf(stderr, "\r%d/%d %-24s", repetition + 1, repetitions,
					     one.name.c_str());
			for (auto &[engine, measure] : one.engines)
				one.rates[engine].push_back(one.operations / measure(repetition));
		}
	}
	if (progress)
		std::fprintf(stderr, "\r%-40s\r", "");
}

#endif
