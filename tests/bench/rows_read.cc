/* Reading a database that holds all records and does not change. */
#include "lab.h"

namespace {

constexpr size_t GETS_BETWEEN_LOOKS = 200; /* at the clock */

/* Nothing has been overwritten. */
void expect_first(uint64_t generations, uint32_t index)
{
	if (generations != 0)
		fail("a value is of another generation", index);
}

uint64_t single_gets(Session &session, const std::vector<uint32_t> &picks, double seconds)
{
	return GETS_BETWEEN_LOOKS * along(picks, GETS_BETWEEN_LOOKS, seconds, [&](const uint32_t *at) {
		       for (size_t i = 0; i < GETS_BETWEEN_LOOKS; i++)
			       expect_first(session.get(at[i]), at[i]);
	       });
}

uint64_t full_scans(Session &session, const Data &data, double seconds)
{
	return data.items() * along({}, 0, seconds, [&](const uint32_t *) {
		       Expected expected(data, 0);

		       session.scan(0, SIZE_MAX, expected);
		       expected.expect_end(data.items());
	       });
}

uint64_t range_scans(Session &session, const Data &data, const std::vector<uint32_t> &picks, double seconds)
{
	return along(picks, 1, seconds, [&](const uint32_t *at) {
		Expected expected(data, *at);

		session.scan(*at, GROUP, expected);
		expected.expect_end(*at + GROUP);
	});
}

void add_reads(Lab &lab, const char *name, const Data &data, int threads, const char *unit,
	       const Work &work)
{
	lab.add(name, threads, unit, [&lab, &data, threads, work](const Kind &kind) {
		return lab.run_threads(lab.loaded(kind, data).engine(), data, threads, work);
	});
}

void add_groups(Lab &lab)
{
	const double seconds = lab.options.seconds;
	const auto &picks = lab.small.uniform[0];

	add_reads(lab, "get_rand100", lab.small, 1, "gets", [seconds, &picks](Session &session, int) {
		return GROUP * along(picks, GROUP, seconds, [&](const uint32_t *at) {
			       expect_first(session.get_each(at, GROUP), *at);
		       });
	});
	add_reads(lab, "get_many100", lab.small, 1, "gets", [seconds, &picks](Session &session, int) {
		return GROUP * along(picks, GROUP, seconds, [&](const uint32_t *at) {
			       expect_first(session.get_many(at, GROUP), *at);
		       });
	});
}

void add_scans(Lab &lab, const char *name, const Data &data)
{
	const double seconds = lab.options.seconds;

	add_reads(lab, name, data, 1, "items", [&data, seconds](Session &session, int) {
		return full_scans(session, data, seconds);
	});
}

/* A get in a transaction. */
void add_gets(Lab &lab, const char *name, const Data &data,
	      const std::vector<std::vector<uint32_t>> &picks, int threads)
{
	const double seconds = lab.options.seconds;

	add_reads(lab, name, data, threads, "gets", [&picks, seconds](Session &session, int thread) {
		return single_gets(session, picks[(size_t)thread], seconds);
	});
}

} // namespace

void add_read_rows(Lab &lab)
{
	const double seconds = lab.options.seconds;
	const Data &data = lab.small;

	add_gets(lab, "get_rand", data, data.uniform, 1);
	add_gets(lab, "get_rand", data, data.uniform, READERS);
	add_groups(lab);
	add_gets(lab, "get_zipf", data, data.zipfian, 1);
	add_scans(lab, "scan_full", data);
	add_reads(lab, "scan_range100", data, 1, "scans", [&data, seconds](Session &session, int) {
		return range_scans(session, data, data.uniform[0], seconds);
	});
	add_gets(lab, "ycsb_c", data, data.zipfian, READERS);
	add_gets(lab, "get_rand_1k", lab.large, lab.large.uniform, 1);
	add_scans(lab, "scan_full_1k", lab.large);
}
