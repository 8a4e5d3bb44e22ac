/* This library: a database with one store of raw keys, in a folder or in memory. */
#include "engine.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sop/sop.h>

namespace {

constexpr size_t VIEWS = 64; /* items that a scan looks at between two calls */

void must(sop_status status, const sop_error &err)
{
	if (__builtin_expect(status != SOP_OK, 0)) {
		std::fprintf(stderr, "bench: SOP: %s: %s\n", sop_status_name(status), err.message);
		std::exit(1);
	}
}

sop_bytes bytes(const Key &key)
{
	return { key.data(), KEY_BYTES };
}

/* Packed rows, as the header store.h describes them. */
class Rows {
	std::vector<unsigned char> packed;
	size_t end = 0;

public:
	void begin(size_t count)
	{
		const uint32_t head[2] = { (uint32_t)count, 0 };

		packed.resize(std::max(packed.size(), sizeof head));
		std::memcpy(packed.data(), head, sizeof head);
		end = sizeof head;
	}
	void add(const Key &key, const unsigned char *value, size_t size)
	{
		const uint32_t head[2] = { KEY_BYTES, (uint32_t)size };
		const size_t at = (end + 7) & ~(size_t)7;

		end = at + sizeof head + KEY_BYTES + size;
		if (packed.size() < end)
			packed.resize(2 * end);
		std::memcpy(&packed[at], head, sizeof head);
		std::memcpy(&packed[at + sizeof head], key.data(), KEY_BYTES);
		if (size > 0)
			std::memcpy(&packed[at + sizeof head + KEY_BYTES], value, size);
	}
	sop_bytes all() const
	{
		return { packed.data(), end };
	}
};

/* Calls visit(key, key size, value, value size) for each of the packed rows; returns how many there are. */
template <class Visit> size_t each_row(const void *rows, size_t size, Visit visit)
{
	const unsigned char *data = (const unsigned char *)rows;
	uint32_t count;
	size_t at = 8;

	std::memcpy(&count, data, sizeof count);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t head[2];

		if (at + sizeof head > size)
			fail("a packed batch ends early", i);
		std::memcpy(head, data + at, sizeof head);
		at += sizeof head;
		if (head[1] == SOP_ROWS_ABSENT)
			fail("a row has no value", i);
		visit(data + at, head[0], data + at + head[0], head[1]);
		at = (at + head[0] + head[1] + 7) & ~(size_t)7;
	}
	return count;
}

/* Two transactions that are renewed again and again, and buffers. */
class SopSession : public Session {
	sop_db *db;
	sop_store *store;
	sop_txn *reader = nullptr, *writer = nullptr;
	char value_room[LARGE_VALUE_BYTES];
	sop_buf value = SOP_BUF_OVER(value_room);
	sop_buf answer = SOP_BUF_INIT;
	Rows rows;
	sop_error err = SOP_ERROR_INIT;

public:
	SopSession(sop_db *of, sop_store *in, const Data &data) : Session(data), db(of), store(in)
	{
		sop_txn_options reading = SOP_TXN_OPTIONS_INIT;

		reading.mode = SOP_READ;
		must(sop_begin(db, &reading, &reader, &err), err);
		must(sop_commit(reader, &err), err);
		must(sop_begin(db, nullptr, &writer, &err), err);
		must(sop_commit(writer, &err), err);
	}
	~SopSession() override
	{
		sop_txn_free(reader);
		sop_txn_free(writer);
		sop_buf_free(&value);
		sop_buf_free(&answer);
	}

	uint64_t get(uint32_t index) override
	{
		const sop_status status = sop_read(db, store, bytes(data.keys[index]), &value, &err);

		if (__builtin_expect(status == SOP_NOT_FOUND, 0))
			fail("a key is missing", index);
		must(status, err);
		return check(value.data, value.size, index);
	}

	uint64_t get_each(const uint32_t *indices, size_t count) override
	{
		uint64_t sum = 0;

		must(sop_txn_renew(reader, &err), err);
		for (size_t i = 0; i < count; i++) {
			must(sop_get(reader, store, bytes(data.keys[indices[i]]), &value, &err), err);
			sum += check(value.data, value.size, indices[i]);
		}
		must(sop_commit(reader, &err), err);
		return sum;
	}

	uint64_t get_many(const uint32_t *indices, size_t count) override
	{
		uint64_t sum = 0;
		size_t which = 0;

		rows.begin(count);
		for (size_t i = 0; i < count; i++)
			rows.add(data.keys[indices[i]], nullptr, 0);
		must(sop_txn_renew(reader, &err), err);
		must(sop_get_many(reader, store, rows.all(), 0, &answer, &err), err);
		must(sop_commit(reader, &err), err);
		each_row(answer.data, answer.size,
			 [&](const unsigned char *, size_t, const unsigned char *at, size_t size) {
				 sum += check(at, size, indices[which++]);
			 });
		if (which != count)
			fail("sop_get_many gave another number of rows", count);
		return sum;
	}

	void scan(uint32_t first, size_t limit, Expected &expected) override
	{
		sop_range range = SOP_RANGE_INIT;
		sop_cursor *cursor = nullptr;
		sop_status status = SOP_OK;
		sop_entry entries[VIEWS];
		size_t count = 0;

		range.flags = SOP_RANGE_FROM;
		range.from = bytes(data.keys[first]);
		must(sop_txn_renew(reader, &err), err);
		must(sop_cursor_open(reader, store, &range, 0, &cursor, &err), err);
		for (; limit > 0; limit -= count) {
			status = sop_cursor_next_many(cursor, entries, std::min(limit, VIEWS),
						      &count, &err);
			if (status != SOP_OK)
				break;
			for (size_t i = 0; i < count; i++)
				expected.item((const unsigned char *)entries[i].key.data,
					      entries[i].key.size,
					      (const unsigned char *)entries[i].value.data,
					      entries[i].value.size);
		}
		if (status != SOP_NOT_FOUND)
			must(status, err);
		sop_cursor_free(cursor);
		must(sop_commit(reader, &err), err);
	}

	void put(const Batch &changes) override
	{
		must(sop_txn_renew(writer, &err), err);
		if (changes.size() == 1)
			must(sop_put(writer, store, bytes(changes.key(0)),
				     { changes.value(0), data.value_bytes }, &err),
			     err);
		else
			many(changes, data.value_bytes, SOP_PUT);
		must(sop_commit(writer, &err), err);
	}

	void remove(const Batch &changes) override
	{
		must(sop_txn_renew(writer, &err), err);
		many(changes, 0, SOP_REMOVE);
		must(sop_commit(writer, &err), err);
	}

	void modify(uint32_t index, Edit edit) override
	{
		must(sop_txn_renew(writer, &err), err);
		while (!edited(index, edit))
			must(sop_txn_again(writer, &err), err);
	}

	void add(uint32_t index) override
	{
		must(sop_txn_renew(writer, &err), err);
		must(sop_add(writer, store, bytes(data.keys[index]), 1, &err), err);
		must(sop_commit(writer, &err), err);
	}

	uint64_t counter(uint32_t index) override
	{
		const sop_status status = sop_read(db, store, bytes(data.keys[index]), &value, &err);

		if (status == SOP_NOT_FOUND)
			return 0;
		must(status, err);
		if (value.size != sizeof(uint64_t))
			fail("a counter has another size", index);
		return value_word(value.data, 0);
	}

private:
	void many(const Batch &changes, size_t value_bytes, sop_put_how how)
	{
		rows.begin(changes.size());
		for (size_t i = 0; i < changes.size(); i++)
			rows.add(changes.key(i), changes.value(i), value_bytes);
		must(sop_put_many(writer, store, rows.all(), how, nullptr, &err), err);
	}

	/* Whether the writer has committed; if not, the body is to be run again. */
	bool edited(uint32_t index, Edit edit)
	{
		const sop_bytes key = bytes(data.keys[index]);
		unsigned char room[LARGE_VALUE_BYTES];
		sop_status status = sop_get(writer, store, key, &value, &err);

		if (status == SOP_OK || status == SOP_NOT_FOUND) {
			const size_t old_size = status == SOP_OK ? value.size : 0;
			const size_t size = edit(data, index, value.data, old_size, room);

			status = sop_put(writer, store, key, { room, size }, &err);
			if (status == SOP_OK)
				status = sop_commit(writer, &err);
		}
		if (status != SOP_OK && (err.traits & SOP_TRAIT_ABORT) == 0)
			must(status, err);
		return status == SOP_OK;
	}
};

sop_status make_store(sop_txn *txn, void *store, sop_error *err)
{
	const sop_status status = sop_store_create(txn, (sop_store *)store, err);

	return status == SOP_EXISTS ? SOP_OK : status;
}

class SopEngine : public Engine {
	sop_db *db = nullptr;
	sop_store *store = nullptr;

public:
	SopEngine(const std::string &url, const Setup &setup)
	{
		sop_options *options = nullptr;
		sop_error err = SOP_ERROR_INIT;

		must(sop_options_new(&options, &err), err);
		must(sop_options_set_bool(options, "create", 1, &err), err);
		must(sop_options_set_int(options, "cache_bytes", (int64_t)setup.cache_bytes, &err), err);
		must(sop_options_set_text(options, "durability",
					  setup.durable ? "flushed" : "buffered", &err),
		     err);
		for (const auto &[name, text] : setup.options)
			must(sop_options_set_text(options, name.c_str(), text.c_str(), &err), err);
		must(sop_open(url.c_str(), options, &db, &err), err);
		sop_options_free(options);
		must(sop_store_open(db, { "bench", 5 }, nullptr, &store, &err), err);
		must(sop_run(db, nullptr, make_store, store, &err), err);
	}
	~SopEngine() override
	{
		sop_error err = SOP_ERROR_INIT;

		sop_store_free(store);
		must(sop_close(db, &err), err);
		sop_db_free(db);
	}

	std::unique_ptr<Session> session(const Data &data) override
	{
		return std::make_unique<SopSession>(db, store, data);
	}

	double memory_bytes() const override
	{
		sop_stats stats = SOP_STATS_INIT;
		sop_error err = SOP_ERROR_INIT;

		must(sop_db_stats(db, &stats, &err), err);
		return (double)stats.memory_bytes;
	}
};

std::string version()
{
	return std::string("SOP ") + sop_version();
}

} // namespace

Kind sop_kind()
{
	return { "sop", version(),
		 "cache_bytes=cache, durability=flushed or buffered, all else as it comes; sop_read, sop_get, "
		 "sop_put, sop_put_many, sop_cursor_next_many; every transaction is strictly serializable",
		 true, [](const Setup &setup) -> std::unique_ptr<Engine> {
			 return std::make_unique<SopEngine>(setup.folder + "/db", setup);
		 } };
}

Kind sop_memory_kind()
{
	return { "memory", version() + " in memory", "inmemory:, the same calls", false,
		 [](const Setup &setup) -> std::unique_ptr<Engine> {
			 return std::make_unique<SopEngine>("inmemory:", setup);
		 } };
}
