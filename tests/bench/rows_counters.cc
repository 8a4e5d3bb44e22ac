/* Many threads that want the same few records: each adds 1 to one of 64 counters, a commit each. */
#include "lab.h"

namespace {

constexpr size_t COUNTERS = 64;

using Addition = void (*)(Session &session, uint32_t index);

void by_reading(Session &session, uint32_t index)
{
	session.modify(index, add_one);
}

void blindly(Session &session, uint32_t index)
{
	session.add(index);
}

void compare(Engine &engine, const Data &data, const std::vector<std::atomic<uint64_t>> &expected)
{
	const std::unique_ptr<Session> session = engine.session(data);

	for (size_t i = 0; i < COUNTERS; i++) {
		if (session->counter((uint32_t)i) != expected[i])
			fail("an addition is lost or was done twice", i);
	}
}

Done measure(Lab &lab, const Kind &kind, bool durable, Addition addition)
{
	std::vector<std::atomic<uint64_t>> expected(COUNTERS);
	Database database(kind, lab.options, lab.place, durable);
	const Done done = lab.run_threads(database.engine(), lab.small, WRITERS,
					  [&](Session &session, int thread) {
						  const Until until(lab.options.seconds);
						  Random random((uint64_t)thread + 1);
						  uint64_t commits = 0;

						  for (; !until.over(); commits++) {
							  const uint32_t which = random.below(COUNTERS);

							  addition(session, which);
							  expected[which]++;
						  }
						  return commits;
					  });

	compare(database.engine(), lab.small, expected);
	if (kind.persistent) {
		database.close();
		database.reopen();
		compare(database.engine(), lab.small, expected);
	}
	return done;
}

void add_counters(Lab &lab, const char *name, bool durable, Addition addition)
{
	lab.add(name, WRITERS, "commits", [&lab, durable, addition](const Kind &kind) {
		return measure(lab, kind, durable, addition);
	});
}

} // namespace

void add_counter_rows(Lab &lab)
{
	add_counters(lab, "counters", true, by_reading);
	add_counters(lab, "counters_add", true, blindly);
	add_counters(lab, "counters_nosync", false, by_reading);
}
