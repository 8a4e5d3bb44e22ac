/* Overwriting and removing random records. */
#include "changing.h"

namespace {

/* Overwrites `group` random records in a commit, again and again. */
uint64_t overwrite(Shared &shared, Session &session, int thread, size_t group)
{
	Random random((uint64_t)thread + 1);
	std::vector<float> latencies;
	Batch batch(shared.data);
	uint32_t generation = 0;
	double before = now_seconds();
	const double end = before + shared.seconds;

	while (before < end) {
		generation++;
		batch.clear();
		for (size_t i = 0; i < group; i++)
			batch.add(shared.owned(random.below(shared.data.items()), thread), generation);
		session.put(batch);
		for (size_t i = 0; i < group; i++)
			shared.generations[batch.index(i)].store(generation, std::memory_order_relaxed);
		const double now = now_seconds();

		latencies.push_back((float)(1e6 * (now - before)));
		before = now;
	}
	std::lock_guard<std::mutex> lock(shared.mutex);

	shared.latencies.insert(shared.latencies.end(), latencies.begin(), latencies.end());
	return generation * group;
}

uint64_t overwrite_one(Shared &shared, Session &session, int thread)
{
	return overwrite(shared, session, thread, 1);
}

uint64_t overwrite_many(Shared &shared, Session &session, int thread)
{
	return overwrite(shared, session, thread, GROUP);
}

/* Removes a hundred in a commit, until time or records are used up. */
uint64_t remove_many(Shared &shared, Session &session, int)
{
	const Until until(shared.seconds);
	const auto &order = shared.data.shuffled;
	Batch batch(shared.data);
	size_t at = 0;

	while (at < order.size() && !until.over()) {
		batch.clear();
		for (const size_t end = std::min(at + GROUP, order.size()); at < end; at++)
			batch.add(order[at], 0);
		session.remove(batch);
		for (size_t i = 0; i < batch.size(); i++)
			shared.generations[batch.index(i)] = GONE;
	}
	return at;
}

} // namespace

void add_write_rows(Lab &lab)
{
	add_changing(lab, { "commit1", 1, "commits", true, true, 0, overwrite_one }, lab.small);
	add_changing(lab, { "commit1", WRITERS, "commits", true, true, 0, overwrite_one }, lab.small);
	add_changing(lab, { "update_rand", 1, "puts", true, true, 0, overwrite_many }, lab.small);
	add_changing(lab, { "delete_rand", 1, "deletes", true, false, 0, remove_many }, lab.small);
	add_changing(lab, { "commit1_1k", 1, "commits", true, true, 0, overwrite_one }, lab.large);
	add_changing(lab, { "update_rand_1k", 1, "puts", true, true, 0, overwrite_many }, lab.large);
}
