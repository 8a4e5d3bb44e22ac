/* SQLite with a write-ahead log: a connection for each session, a table WITHOUT ROWID. */
#include "engine.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <sqlite3.h>

namespace {

constexpr int BUSY_MS = 60000;
constexpr int CHECKPOINT_PAGES = 16384; /* 64 MB of log: the default, 4 MB, is made for small devices */
constexpr size_t MAP_BYTES = (size_t)16 << 30;

[[noreturn]] void broken(const char *what)
{
	std::fprintf(stderr, "bench: SQLite: %s\n", what);
	std::exit(1);
}

class Connection {
	sqlite3 *db = nullptr;

public:
	Connection(const std::string &path, const std::string &settings)
	{
		if (sqlite3_open_v2(path.c_str(), &db,
				    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
				    nullptr) != SQLITE_OK)
			broken("the database cannot be opened");
		sqlite3_busy_timeout(db, BUSY_MS);
		must(sqlite3_exec(db, settings.c_str(), nullptr, nullptr, nullptr));
	}
	Connection(const Connection &) = delete;
	Connection &operator=(const Connection &) = delete;
	~Connection()
	{
		if (sqlite3_close(db) != SQLITE_OK)
			broken("a connection cannot be closed");
	}
	void must(int status) const
	{
		if (__builtin_expect(status != SQLITE_OK, 0))
			broken(sqlite3_errmsg(db));
	}
	sqlite3_stmt *prepare(const char *text)
	{
		sqlite3_stmt *statement = nullptr;

		must(sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
		return statement;
	}
};

class Statement {
	const Connection &connection;
	sqlite3_stmt *const statement;

public:
	Statement(Connection &of, const char *text) : connection(of), statement(of.prepare(text))
	{
	}
	Statement(const Statement &) = delete;
	Statement &operator=(const Statement &) = delete;
	~Statement()
	{
		sqlite3_finalize(statement);
	}
	Statement &bind(int place, const void *data, size_t size)
	{
		connection.must(sqlite3_bind_blob(statement, place, data, (int)size, SQLITE_STATIC));
		return *this;
	}
	Statement &bind(int place, int64_t number)
	{
		connection.must(sqlite3_bind_int64(statement, place, number));
		return *this;
	}
	/* Whether there is a row. */
	bool step()
	{
		const int status = sqlite3_step(statement);

		if (status != SQLITE_ROW && status != SQLITE_DONE)
			connection.must(status);
		return status == SQLITE_ROW;
	}
	const void *column(int which, size_t *size)
	{
		const void *data = sqlite3_column_blob(statement, which);

		*size = (size_t)sqlite3_column_bytes(statement, which);
		return data;
	}
	void reset()
	{
		connection.must(sqlite3_reset(statement));
	}
	void run()
	{
		step();
		reset();
	}
};

class SqliteSession : public Session {
	Connection connection;
	std::mutex &writing; /* waiting for it is faster than trying again and again */
	Statement begin{ connection, "BEGIN" };
	Statement begin_write{ connection, "BEGIN IMMEDIATE" };
	Statement commit{ connection, "COMMIT" };
	Statement select{ connection, "SELECT v FROM bench WHERE k = ?" };
	Statement range{ connection, "SELECT k, v FROM bench WHERE k >= ? ORDER BY k LIMIT ?" };
	Statement replace{ connection,
			   "INSERT INTO bench VALUES (?, ?) ON CONFLICT DO UPDATE SET v = excluded.v" };
	Statement erase{ connection, "DELETE FROM bench WHERE k = ?" };

public:
	SqliteSession(const std::string &path, const std::string &settings, std::mutex &of,
		      const Data &data)
	    : Session(data), connection(path, settings), writing(of)
	{
	}

	uint64_t get(uint32_t index) override
	{
		size_t size;
		const void *value = read(index, &size);
		const uint64_t generation = check(value, size, index);

		select.reset();
		return generation;
	}

	uint64_t get_each(const uint32_t *indices, size_t count) override
	{
		uint64_t sum = 0;

		begin.run();
		for (size_t i = 0; i < count; i++)
			sum += get(indices[i]);
		commit.run();
		return sum;
	}

	void scan(uint32_t first, size_t limit, Expected &expected) override
	{
		const int64_t rows = limit < INT64_MAX ? (int64_t)limit : -1;

		range.bind(1, data.keys[first].data(), KEY_BYTES).bind(2, rows);
		while (range.step()) {
			size_t key_size, size;
			const void *key = range.column(0, &key_size);
			const void *value = range.column(1, &size);

			expected.item(key, key_size, value, size);
		}
		range.reset();
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
			for (size_t i = 0; i < batch.size(); i++)
				erase.bind(1, batch.key(i).data(), KEY_BYTES).run();
		});
	}

	void modify(uint32_t index, Edit edit) override
	{
		transaction([&] {
			unsigned char room[LARGE_VALUE_BYTES];
			size_t size;
			const void *value = read(index, &size);

			size = edit(data, index, value, size, room);
			select.reset();
			write(index, room, size);
		});
	}

	uint64_t counter(uint32_t index) override
	{
		size_t size;
		const void *value = read(index, &size);
		const uint64_t count = size != 0 ? value_word(value, 0) : 0;

		select.reset();
		return count;
	}

private:
	template <class Body> void transaction(Body body)
	{
		std::lock_guard<std::mutex> lock(writing);

		begin_write.run();
		body();
		commit.run();
	}

	/* A view until `select` is reset; NULL and 0 bytes if there is none. */
	const void *read(uint32_t index, size_t *size)
	{
		*size = 0;
		return select.bind(1, data.keys[index].data(), KEY_BYTES).step()
			       ? select.column(0, size)
			       : nullptr;
	}

	void write(uint32_t index, const void *value, size_t size)
	{
		replace.bind(1, data.keys[index].data(), KEY_BYTES).bind(2, value, size).run();
	}
};

class Sqlite : public Engine {
	const std::string path;
	const std::string settings;
	std::mutex writing;
	Connection first; /* as long as one is open, closing others makes no checkpoint */

public:
	explicit Sqlite(const Setup &setup)
	    : path(setup.folder + "/bench.sqlite"),
	      settings("PRAGMA journal_mode = WAL;"
		       "PRAGMA synchronous = " +
		       std::string(setup.durable ? "FULL" : "OFF") + ";PRAGMA cache_size = -" +
		       std::to_string(setup.cache_bytes >> 10) +
		       ";PRAGMA mmap_size = " + std::to_string(MAP_BYTES) +
		       ";PRAGMA wal_autocheckpoint = " + std::to_string(CHECKPOINT_PAGES)),
	      first(path, settings + ";CREATE TABLE IF NOT EXISTS bench (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID")
	{
	}

	std::unique_ptr<Session> session(const Data &data) override
	{
		return std::make_unique<SqliteSession>(path, settings, writing, data);
	}
};

} // namespace

Kind sqlite_kind()
{
	return { "sqlite", std::string("SQLite ") + sqlite3_libversion(),
		 "journal_mode=WAL, synchronous=FULL (not durable: OFF), cache_size=cache for each thread, "
		 "mmap_size=16 GB, wal_autocheckpoint=16384 pages, WITHOUT ROWID, prepared statements; writers queue "
		 "at a mutex",
		 true, [](const Setup &setup) -> std::unique_ptr<Engine> {
			 return std::make_unique<Sqlite>(setup);
		 } };
}
