/* A row that changes a database of its own, which holds records at the beginning and is compared at the end. */
#ifndef BENCH_CHANGING_H
#define BENCH_CHANGING_H

#include "lab.h"

#include <mutex>

/* What the threads of such a row share. */
struct Shared {
	const Data &data;
	const int threads;
	const double seconds;
	Generations generations; /* committed so far */
	std::mutex mutex;
	std::vector<float> latencies; /* of commits, in microseconds, if they are asked for */

	Shared(const Data &of, int of_threads, double time)
	    : data(of), threads(of_threads), seconds(time), generations(of.items())
	{
	}

	/* The record that `thread` changes for a pick: no two threads share one. */
	uint32_t owned(uint32_t pick, int thread) const
	{
		const uint32_t mine = pick - pick % (uint32_t)threads + (uint32_t)thread;

		return mine < data.items() ? mine : (uint32_t)thread;
	}
};

using Change = uint64_t (*)(Shared &shared, Session &session, int thread);

struct Changing {
	const char *name;
	int threads;
	const char *unit;
	bool durable;
	bool timed; /* there are figures of latency */
	size_t absent_each; /* of so many records one is not there at the beginning; 0: all are */
	Change change;
};

void add_changing(Lab &lab, const Changing &row, const Data &data);

#endif
