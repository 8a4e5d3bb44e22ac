/* WiredTiger: a table of raw keys and values, with its log. */
#include "engine.h"

#include <cstdio>
#include <cstdlib>
#include <wiredtiger.h>

namespace {

void must(int status)
{
	if (__builtin_expect(status != 0, 0)) {
		std::fprintf(stderr, "bench: WiredTiger: %s\n", wiredtiger_strerror(status));
		std::exit(1);
	}
}

WT_ITEM item(const void *data, size_t size)
{
	WT_ITEM item = {};

	item.data = data;
	item.size = size;
	return item;
}

struct Rollback {};

/* The status of a call that may be refused because of another transaction. */
void try_to(int status)
{
	if (status == WT_ROLLBACK)
		throw Rollback();
	must(status);
}

class WiredtigerSession : public Session {
	WT_SESSION *session = nullptr;
	WT_CURSOR *cursor = nullptr;

public:
	WiredtigerSession(WT_CONNECTION *connection, const Data &data) : Session(data)
	{
		must(connection->open_session(connection, nullptr, "isolation=snapshot", &session));
		must(session->open_cursor(session, "table:bench", nullptr, nullptr, &cursor));
	}
	~WiredtigerSession() override
	{
		must(session->close(session, nullptr));
	}

	/* One call is a transaction in itself. */
	uint64_t get(uint32_t index) override
	{
		WT_ITEM value;

		if (!read(index, &value))
			fail("a key is missing", index);
		const uint64_t generation = check(value.data, value.size, index);

		must(cursor->reset(cursor));
		return generation;
	}

	uint64_t get_each(const uint32_t *indices, size_t count) override
	{
		uint64_t sum;

		transaction([&] {
			sum = 0;
			for (size_t i = 0; i < count; i++)
				sum += get(indices[i]);
		});
		return sum;
	}

	void scan(uint32_t first, size_t limit, Expected &expected) override
	{
		const Expected start = expected;

		transaction([&] {
			expected = start;
			walk(first, limit, expected);
			must(cursor->reset(cursor));
		});
	}

	void put(const Batch &batch) override
	{
		transaction([&] {
			for (size_t i = 0; i < batch.size(); i++)
				write(batch.index(i), batch.value(i), data.value_bytes);
		});
	}

	void remove(const Batch &batch) override
	{
		transaction([&] {
			for (size_t i = 0; i < batch.size(); i++) {
				set_key(batch.index(i));
				try_to(cursor->remove(cursor));
			}
		});
	}

	void modify(uint32_t index, Edit edit) override
	{
		transaction([&] {
			unsigned char room[LARGE_VALUE_BYTES];
			WT_ITEM value;
			const size_t old_size = read(index, &value) ? value.size : 0;

			write(index, room, edit(data, index, value.data, old_size, room));
		});
	}

	uint64_t counter(uint32_t index) override
	{
		WT_ITEM value;
		const uint64_t count = read(index, &value) ? value_word(value.data, 0) : 0;

		must(cursor->reset(cursor));
		return count;
	}

private:
	template <class Body> void transaction(Body body)
	{
		for (;;) {
			must(session->begin_transaction(session, nullptr));
			try {
				body();
				try_to(session->commit_transaction(session, nullptr));
				return;
			} catch (const Rollback &) {
				must(session->rollback_transaction(session, nullptr));
			}
		}
	}

	void set_key(uint32_t index)
	{
		const WT_ITEM key = item(data.keys[index].data(), KEY_BYTES);

		cursor->set_key(cursor, &key);
	}

	/* Whether there is a value, as a view until the cursor moves. */
	bool read(uint32_t index, WT_ITEM *value)
	{
		*value = item(nullptr, 0);
		set_key(index);
		const int status = cursor->search(cursor);

		if (status == WT_NOTFOUND)
			return false;
		try_to(status);
		must(cursor->get_value(cursor, value));
		return true;
	}

	void write(uint32_t index, const void *from, size_t size)
	{
		const WT_ITEM value = item(from, size);

		set_key(index);
		cursor->set_value(cursor, &value);
		try_to(cursor->insert(cursor)); /* overwrites, too */
	}

	void walk(uint32_t first, size_t limit, Expected &expected)
	{
		int where = 0, status;

		set_key(first);
		status = cursor->search_near(cursor, &where);
		if (status == 0 && where < 0)
			status = cursor->next(cursor);
		while (status == 0) {
			WT_ITEM key, value;

			must(cursor->get_key(cursor, &key));
			must(cursor->get_value(cursor, &value));
			expected.item(key.data, key.size, value.data, value.size);
			if (--limit == 0)
				return;
			status = cursor->next(cursor);
		}
		if (status != WT_NOTFOUND)
			try_to(status);
	}
};

class Wiredtiger : public Engine {
	WT_CONNECTION *connection = nullptr;

public:
	explicit Wiredtiger(const Setup &setup)
	{
		const std::string config =
			"create,session_max=100,cache_size=" + std::to_string(setup.cache_bytes) +
			",log=(enabled=true),checkpoint=(wait=60,log_size=256MB),transaction_sync=(enabled=" +
			(setup.durable ? "true" : "false") + ",method=fsync)";
		WT_SESSION *session = nullptr;

		must(wiredtiger_open(setup.folder.c_str(), nullptr, config.c_str(), &connection));
		must(connection->open_session(connection, nullptr, nullptr, &session));
		must(session->create(session, "table:bench", "key_format=u,value_format=u"));
		must(session->close(session, nullptr));
	}
	~Wiredtiger() override
	{
		must(connection->close(connection, nullptr));
	}

	std::unique_ptr<Session> session(const Data &data) override
	{
		return std::make_unique<WiredtigerSession>(connection, data);
	}
};

} // namespace

Kind wiredtiger_kind()
{
	return { "wiredtiger",
		 "WiredTiger " + std::to_string(WIREDTIGER_VERSION_MAJOR) + "." +
			 std::to_string(WIREDTIGER_VERSION_MINOR) + "." +
			 std::to_string(WIREDTIGER_VERSION_PATCH),
		 "cache_size=cache, log=(enabled), checkpoint=(wait=60,log_size=256MB), "
		 "transaction_sync=(enabled,method=fsync) (not durable: disabled); isolation=snapshot, which is weaker than "
		 "what the others give; single gets without a transaction",
		 true, [](const Setup &setup) -> std::unique_ptr<Engine> {
			 return std::make_unique<Wiredtiger>(setup);
		 } };
}
