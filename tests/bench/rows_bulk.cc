/* Filling an empty database, a thousand puts in a commit. */
#include "lab.h"

namespace {

uint64_t fill(Session &session, const Data &data, const uint32_t *order)
{
	Batch batch(data, order == nullptr);

	for (size_t i = 0; i < data.items(); i += BATCH) {
		batch.clear();
		for (size_t j = i; j < std::min(i + BATCH, data.items()); j++)
			batch.add(order != nullptr ? order[j] : (uint32_t)j, 0);
		session.put(batch);
	}
	return data.items();
}

/* `order`: NULL: ascending. */
void add_bulk(Lab &lab, const char *name, const Data &data, const uint32_t *order)
{
	lab.add(name, 1, "puts", [&lab, name, &data, order](const Kind &kind) {
		const std::string row = name;
		Database database(kind, lab.options, lab.place, true);
		const Written before = Written::now();
		const Done done = lab.run_threads(database.engine(), data, 1, [&](Session &session, int) {
			return fill(session, data, order);
		});
		const double memory = database.engine().memory_bytes();

		if (memory > 0)
			lab.figure(row + ": bytes of memory for an item", kind,
				   memory / (double)data.items());
		if (kind.persistent)
			lab.figure(row + ": MB on disk", kind, database.megabytes());
		prove(
			database, kind, data, Generations(data.items()),
			[&] {
				lab.figure(row + ": MB on disk when closed", kind, database.megabytes());
			},
			[&] { lab.written(row, kind, before, data, data.items()); });
		return done;
	});
}

} // namespace

void add_bulk_rows(Lab &lab)
{
	add_bulk(lab, "bulk_seq", lab.small, nullptr);
	add_bulk(lab, "bulk_rand", lab.small, lab.small.shuffled.data());
	add_bulk(lab, "bulk_seq_1k", lab.large, nullptr);
}
