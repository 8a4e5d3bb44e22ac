/* SOP as the benchmarks use it: a database with one store of raw keys, in memory unless `url` says
 * otherwise. */
#ifndef BENCH_ENGINE_SOP_H
#define BENCH_ENGINE_SOP_H

#include "data.h"

#include <sop/sop.h>
#include <string>
#include <vector>

class Sop {
	sop_db *db = nullptr;
	sop_store *store = nullptr;

public:
	static constexpr const char *NAME = "sop";
	/* With options, to compare them; `@` stands for the folder. */
	static inline std::string url = "inmemory:";

	/* Opens the database in `folder`, making it if it is missing. */
	explicit Sop(const std::string &folder = "")
	{
		sop_options *options = nullptr;
		sop_error err = SOP_ERROR_INIT;

		must(sop_options_new(&options, &err), err);
		must(sop_options_set_bool(options, "create", 1, &err), err);
		must(sop_open(place(folder).c_str(), options, &db, &err), err);
		sop_options_free(options);
		must(sop_store_open(db, { "bench", 5 }, nullptr, &store, &err), err);
		must(sop_run(db, nullptr, make_store, store, &err), err);
	}
	Sop(const Sop &) = delete;
	Sop &operator=(const Sop &) = delete;
	~Sop()
	{
		sop_error err = SOP_ERROR_INIT;

		sop_store_free(store);
		must(sop_close(db, &err), err);
		sop_db_free(db);
	}

	/* Whether what is written is there when it is opened again. */
	static bool persistent()
	{
		return url.compare(0, 9, "inmemory:") != 0;
	}
	/* Whether a commit is on stable storage when it is answered: the default, in a folder. */
	static bool durable()
	{
		return persistent() && (url.find("durability=") == std::string::npos ||
					url.find("durability=flushed") != std::string::npos);
	}
	static std::string version()
	{
		return std::string("SOP ") + sop_version();
	}

	static void must(sop_status status, const sop_error &err)
	{
		if (__builtin_expect(status != SOP_OK, 0)) {
			std::fprintf(stderr, "bench: %s: %s\n", sop_status_name(status), err.message);
			std::exit(1);
		}
	}

	/* Bytes taken from the system for the data. */
	size_t memory_bytes() const
	{
		return stats().memory_bytes;
	}

	sop_stats stats() const
	{
		sop_stats stats = SOP_STATS_INIT;
		sop_error err = SOP_ERROR_INIT;

		must(sop_db_stats(db, &stats, &err), err);
		return stats;
	}

private:
	static std::string place(const std::string &folder)
	{
		std::string text = url;
		const size_t at = text.find('@');

		return at != std::string::npos ? text.replace(at, 1, folder) : text;
	}

	static sop_status make_store(sop_txn *txn, void *store, sop_error *err)
	{
		const sop_status status = sop_store_create(txn, (sop_store *)store, err);

		return status == SOP_EXISTS ? SOP_OK : status;
	}

public:
	/* What one thread holds: two transaction handles that are renewed again and again, and buffers. */
	class Session {
		Sop &sop;
		sop_txn *reader = nullptr, *writer = nullptr;
		char value_room[256];
		sop_buf value = SOP_BUF_OVER(value_room);
		sop_buf rows = SOP_BUF_INIT;
		std::vector<unsigned char> packed; /* rows for get_many and put_many */
		std::vector<uint64_t> batch = std::vector<uint64_t>(8192); /* 64 KB for fetches */
		sop_error err = SOP_ERROR_INIT;

	public:
		explicit Session(Sop &of) : sop(of)
		{
			sop_txn_options reading = SOP_TXN_OPTIONS_INIT;

			reading.mode = SOP_READ;
			must(sop_begin(sop.db, &reading, &reader, &err), err);
			must(sop_commit(reader, &err), err);
			must(sop_begin(sop.db, nullptr, &writer, &err), err);
			must(sop_commit(writer, &err), err);
		}
		Session(const Session &) = delete;
		Session &operator=(const Session &) = delete;
		~Session()
		{
			sop_txn_free(reader);
			sop_txn_free(writer);
			sop_buf_free(&value);
			sop_buf_free(&rows);
		}

		void read_begin()
		{
			must(sop_txn_renew(reader, &err), err);
		}
		void read_end()
		{
			must(sop_commit(reader, &err), err);
		}
		void write_begin()
		{
			must(sop_txn_renew(writer, &err), err);
		}
		void write_end()
		{
			must(sop_commit(writer, &err), err);
		}
		/* Runs `body` in a transaction. What the benchmarks do never conflicts. */
		template <class Body> void write(Body body)
		{
			write_begin();
			body();
			write_end();
		}

		void get(const Key &key, uint64_t index)
		{
			must(sop_get(reader, sop.store, bytes(key), &value, &err), err);
			check_value(value.data, value.size, index);
		}

		/* Begin, get and end in one call. */
		void read_one(const Key &key, uint64_t index)
		{
			must(sop_read(sop.db, sop.store, bytes(key), &value, &err), err);
			check_value(value.data, value.size, index);
		}

		void get_many(const Data &data, const uint32_t *picks, size_t count)
		{
			pack_begin(count);
			for (size_t i = 0; i < count; i++)
				pack_row(data.keys[picks[i]], nullptr, 0);
			must(sop_get_many(reader, sop.store, { packed.data(), packed.size() }, 0,
					  &rows, &err),
			     err);
			size_t i = 0;
			each_row((const unsigned char *)rows.data, rows.size,
				 [&](const unsigned char *, size_t, const unsigned char *at,
				     size_t size) { check_value(at, size, picks[i++]); });
			if (i != count)
				fail("sop_get_many gave another number of rows", count);
		}

		void put(const Key &key, const Value &bytes_of_value)
		{
			must(sop_put(writer, sop.store, bytes(key),
				     { bytes_of_value.data(), VALUE_BYTES }, &err),
			     err);
		}

		void remove(const Key &key)
		{
			must(sop_remove(writer, sop.store, bytes(key), 0, &err), err);
		}

		void add_one(const Key &key)
		{
			must(sop_add(writer, sop.store, bytes(key), 1, &err), err);
		}

		/* What add_one has made of `key`; 0 if it is not there. */
		uint64_t counter(const Key &key)
		{
			const sop_status status = sop_read(sop.db, sop.store, bytes(key), &value, &err);

			if (status == SOP_NOT_FOUND)
				return 0;
			must(status, err);
			if (value.size != sizeof(uint64_t))
				fail("a counter has another size", value.size);
			return value_word(value.data, 0);
		}

		void pack_begin(size_t count)
		{
			packed.assign(8, 0);
			const uint32_t head[2] = { (uint32_t)count, 0 };
			std::memcpy(packed.data(), head, sizeof head);
		}
		void pack_row(const Key &key, const unsigned char *data, size_t size)
		{
			const uint32_t head[2] = { KEY_BYTES, (uint32_t)size };
			const size_t at = (packed.size() + 7) & ~(size_t)7;

			packed.resize(at + 8 + KEY_BYTES + size);
			std::memcpy(&packed[at], head, sizeof head);
			std::memcpy(&packed[at + 8], key.data(), KEY_BYTES);
			if (size > 0)
				std::memcpy(&packed[at + 8 + KEY_BYTES], data, size);
		}
		void put_packed()
		{
			must(sop_put_many(writer, sop.store, { packed.data(), packed.size() },
					  SOP_PUT, nullptr, &err),
			     err);
		}

		/* Calls visit(key, key size, value, value size) for up to `limit` items, as views, from
		 * `from` on (NULL: the first). */
		template <class Visit> void scan(const Key *from, size_t limit, Visit visit)
		{
			sop_cursor *cursor = open(from);
			sop_status status = SOP_OK;
			sop_entry entry;

			for (; limit > 0 && (status = sop_cursor_next(cursor, &entry, &err)) == SOP_OK;
			     limit--)
				visit(entry.key.data, entry.key.size, entry.value.data, entry.value.size);
			finish(cursor, status);
		}

		/* The same by packed batches. */
		template <class Visit> void scan_packed(const Key *from, size_t limit, Visit visit)
		{
			sop_cursor *cursor = open(from);
			sop_status status = SOP_OK;
			size_t used;

			while (limit > 0 &&
			       (status = sop_cursor_fetch(cursor, batch.data(), batch.size() * 8,
							  limit == SIZE_MAX ? 0 : limit, 0, &used,
							  &err)) == SOP_OK) {
				const size_t count =
					each_row((const unsigned char *)batch.data(), used, visit);

				limit -= limit == SIZE_MAX ? 0 : count;
			}
			finish(cursor, status);
		}

	private:
		static sop_bytes bytes(const Key &key)
		{
			return { key.data(), KEY_BYTES };
		}

		sop_cursor *open(const Key *from)
		{
			sop_range range = SOP_RANGE_INIT;
			sop_cursor *cursor = nullptr;

			if (from != nullptr) {
				range.flags = SOP_RANGE_FROM;
				range.from = bytes(*from);
			}
			must(sop_cursor_open(reader, sop.store, from != nullptr ? &range : nullptr,
					     0, &cursor, &err),
			     err);
			return cursor;
		}

		void finish(sop_cursor *cursor, sop_status status)
		{
			if (status != SOP_NOT_FOUND)
				must(status, err);
			sop_cursor_free(cursor);
		}

		/* Walks through packed rows without ids and versions; returns how many there are. */
		template <class Visit>
		static size_t each_row(const unsigned char *data, size_t size, Visit visit)
		{
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
	};
};

#endif
