#include "changing.h"

#include <algorithm>

namespace {

void latencies(Lab &lab, const std::string &title, const Kind &kind, std::vector<float> &of)
{
	if (of.empty())
		return;
	std::sort(of.begin(), of.end());
	const auto at = [&](double share) {
		return (double)of[(size_t)(share * (double)(of.size() - 1))];
	};

	lab.figure(title + ": p99 us", kind, at(0.99));
	lab.figure(title + ": p99.9 us", kind, at(0.999));
	lab.figure(title + ": longest us", kind, at(1));
}

/* What a user would say that it holds. */
double live_bytes(const Shared &shared)
{
	const auto there = std::count_if(shared.generations.begin(), shared.generations.end(),
					 [](const auto &generation) { return generation != GONE; });

	return (double)there * (double)shared.data.record_bytes();
}

Done measure(Lab &lab, const Changing &row, const Data &data, const Kind &kind)
{
	const std::string title = title_of(row.name, row.threads);
	Database database(kind, lab.options, lab.place, row.durable);
	Shared shared(data, row.threads, lab.options.seconds);

	for (size_t i = 0; row.absent_each > 0 && i < data.items(); i += row.absent_each)
		shared.generations[i] = GONE;
	database.load(data, shared.generations);
	database.rest(data, shared.generations);
	const Written before = Written::now();
	const Done done = lab.run_threads(database.engine(), data, row.threads,
					  [&](Session &session, int thread) {
						  return row.change(shared, session, thread);
					  });

	if (row.timed)
		latencies(lab, title, kind, shared.latencies);
	if (row.timed && kind.persistent)
		lab.figure(title + ": bytes on disk for a byte", kind,
			   database.megabytes() * 1e6 / live_bytes(shared));
	const auto opened = [&] {
		if (row.timed)
			lab.written(title, kind, before, data, done.operations);
	};

	prove(
		database, kind, data, shared.generations, [] {}, opened);
	return done;
}

} // namespace

void add_changing(Lab &lab, const Changing &row, const Data &data)
{
	lab.add(row.name, row.threads, row.unit,
		[&lab, row, &data](const Kind &kind) { return measure(lab, row, data, kind); });
}
