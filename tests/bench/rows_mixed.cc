/* The mixes of YCSB that write: zipfian, two threads. (C, which only reads, is with the reads.) */
#include "changing.h"

namespace {

constexpr uint32_t SCAN_ITEMS = 100; /* at most, in a scan of E */
constexpr size_t ABSENT_EACH = 8; /* of so many records one is inserted by E */

/* Reads a record that others may overwrite meanwhile: what was committed before is there, or something newer. */
void get(Shared &shared, Session &session, uint32_t index)
{
	const uint32_t before = shared.generations[index].load(std::memory_order_acquire);

	if (session.get(index) < before)
		fail("a get does not see what was committed before", index);
}

template <class Step> uint64_t mix(Shared &shared, int thread, uint32_t reads, Step step)
{
	Random random((uint64_t)thread + 1);

	return along(shared.data.zipfian[(size_t)thread], 1, shared.seconds,
		     [&](const uint32_t *pick) { step(*pick, random.below(100) < reads); });
}

/* A and B: of a hundred operations `reads` are gets, the others overwrites, a transaction each. */
uint64_t gets_and_puts(Shared &shared, Session &session, int thread, uint32_t reads)
{
	Batch batch(shared.data);

	return mix(shared, thread, reads, [&](uint32_t pick, bool is_read) {
		if (is_read) {
			get(shared, session, pick);
			return;
		}
		const uint32_t index = shared.owned(pick, thread),
			       generation = shared.generations[index] + 1;

		batch.clear();
		batch.add(index, generation);
		session.put(batch);
		shared.generations[index].store(generation, std::memory_order_release);
	});
}

uint64_t ycsb_a(Shared &shared, Session &session, int thread)
{
	return gets_and_puts(shared, session, thread, 50);
}

uint64_t ycsb_b(Shared &shared, Session &session, int thread)
{
	return gets_and_puts(shared, session, thread, 95);
}

/* Half are gets, the others read a record and write its next generation, also where both threads want the same. */
uint64_t ycsb_f(Shared &shared, Session &session, int thread)
{
	return mix(shared, thread, 50, [&](uint32_t pick, bool is_read) {
		if (is_read) {
			get(shared, session, pick);
			return;
		}
		session.modify(pick, next_generation);
		shared.generations[pick].fetch_add(1, std::memory_order_release);
	});
}

/* The next record that `thread` inserts; GONE if there are no more. */
uint32_t next_absent(const Shared &shared, int thread, size_t *at)
{
	const auto &order = shared.data.shuffled;

	while (*at < order.size()) {
		const uint32_t index = order[(*at)++];

		if (index % ABSENT_EACH == 0 &&
		    index / ABSENT_EACH % (uint32_t)shared.threads == (uint32_t)thread)
			return index;
	}
	return GONE;
}

/* Of a hundred operations 95 are scans of 1 to 100 items, the others insert. */
uint64_t ycsb_e(Shared &shared, Session &session, int thread)
{
	Generations at_first(shared.data.items());
	Random random((uint64_t)thread + 1);
	Batch batch(shared.data);
	size_t at = 0;

	for (size_t i = 0; i < shared.data.items(); i += ABSENT_EACH)
		at_first[i] = GONE;
	return mix(shared, thread, 95, [&](uint32_t pick, bool is_read) {
		const uint32_t index = is_read ? pick : next_absent(shared, thread, &at);

		if (is_read || index == GONE) {
			Expected expected(shared.data, pick, &at_first, true);
			const uint32_t items = 1 + random.below(SCAN_ITEMS);

			session.scan(pick, items, expected);
			expected.expect_end(pick + items);
			return;
		}
		batch.clear();
		batch.add(index, 0);
		session.put(batch);
		shared.generations[index] = 0;
	});
}

} // namespace

void add_mixed_rows(Lab &lab)
{
	add_changing(lab, { "ycsb_a", READERS, "operations", true, false, 0, ycsb_a }, lab.small);
	add_changing(lab, { "ycsb_b", READERS, "operations", true, false, 0, ycsb_b }, lab.small);
	add_changing(lab, { "ycsb_f", READERS, "operations", true, false, 0, ycsb_f }, lab.small);
	add_changing(lab, { "ycsb_e", READERS, "operations", false, false, ABSENT_EACH, ycsb_e },
		     lab.small);
}
