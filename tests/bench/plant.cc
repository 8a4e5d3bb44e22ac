/* An engine that does something wrong now and then, to see that the benchmark finds it. */
#include "lab.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace {

constexpr unsigned EACH = 3; /* of so many calls one does it wrong */

enum class Fault { LOSES_PUTS, LOSES_OVERWRITES, FLIPS_BITS, KEEPS, SKIPS_ADDITIONS };

constexpr std::pair<const char *, Fault> FAULTS[] = {
	{ "loses-puts", Fault::LOSES_PUTS },
	{ "loses-overwrites", Fault::LOSES_OVERWRITES },
	{ "flips-bits", Fault::FLIPS_BITS },
	{ "keeps", Fault::KEEPS },
	{ "skips-additions", Fault::SKIPS_ADDITIONS },
};

class PlantedSession : public Session {
	const std::unique_ptr<Session> session;
	const Fault fault;
	unsigned calls = 0;

	bool now(Fault asked)
	{
		return fault == asked && ++calls % EACH == 0;
	}

public:
	PlantedSession(std::unique_ptr<Session> of, Fault planted, const Data &data)
	    : Session(data), session(std::move(of)), fault(planted)
	{
	}

	uint64_t get(uint32_t index) override
	{
		return session->get(index);
	}
	uint64_t get_each(const uint32_t *indices, size_t count) override
	{
		return session->get_each(indices, count);
	}
	uint64_t get_many(const uint32_t *indices, size_t count) override
	{
		return session->get_many(indices, count);
	}
	void scan(uint32_t first, size_t limit, Expected &expected) override
	{
		session->scan(first, limit, expected);
	}
	uint64_t counter(uint32_t index) override
	{
		return session->counter(index);
	}

	void put(const Batch &batch) override
	{
		Batch changed(batch);
		const bool overwrites = value_word(batch.value(0), 1) > 0;

		if (now(Fault::LOSES_PUTS) || (overwrites && now(Fault::LOSES_OVERWRITES)))
			return;
		if (now(Fault::FLIPS_BITS))
			changed.value(batch.size() / 2)[data.value_bytes - 1] ^= 0x10;
		session->put(changed);
	}
	void remove(const Batch &batch) override
	{
		if (!now(Fault::KEEPS))
			session->remove(batch);
	}
	void modify(uint32_t index, Edit edit) override
	{
		if (!now(Fault::SKIPS_ADDITIONS))
			session->modify(index, edit);
	}
	void add(uint32_t index) override
	{
		if (!now(Fault::SKIPS_ADDITIONS))
			session->add(index);
	}
};

class Planted : public Engine {
	const std::unique_ptr<Engine> engine;
	const Fault fault;

public:
	Planted(std::unique_ptr<Engine> of, Fault planted) : engine(std::move(of)), fault(planted)
	{
	}
	std::unique_ptr<Session> session(const Data &data) override
	{
		return std::make_unique<PlantedSession>(engine->session(data), fault, data);
	}
};

} // namespace

std::unique_ptr<Engine> plant(const std::string &fault, std::unique_ptr<Engine> engine)
{
	for (const auto &[name, which] : FAULTS) {
		if (fault == name)
			return std::make_unique<Planted>(std::move(engine), which);
	}
	if (!fault.empty() && fault != FORGETS) {
		std::fprintf(stderr, "bench: --plant knows no %s\n", fault.c_str());
		std::exit(2);
	}
	return engine;
}
