/* LMDB as the benchmarks use it: its default, durable settings, in a folder. */
#ifndef BENCH_ENGINE_LMDB_H
#define BENCH_ENGINE_LMDB_H

#include "data.h"

#include <lmdb.h>
#include <string>

class Lmdb {
	static constexpr size_t MAP_BYTES = (size_t)64 << 30; /* address space, not memory */
	static constexpr unsigned READERS_MAX = 256;
	MDB_env *env = nullptr;
	MDB_dbi dbi = 0;

public:
	static constexpr const char *NAME = "lmdb";

	explicit Lmdb(const std::string &folder)
	{
		MDB_txn *txn = nullptr;

		must(mdb_env_create(&env));
		must(mdb_env_set_mapsize(env, MAP_BYTES));
		must(mdb_env_set_maxreaders(env, READERS_MAX));
		must(mdb_env_open(env, folder.c_str(), MDB_NOTLS, 0644)); /* sessions, not threads, read */
		must(mdb_txn_begin(env, nullptr, 0, &txn));
		must(mdb_dbi_open(txn, nullptr, 0, &dbi));
		must(mdb_txn_commit(txn));
	}
	Lmdb(const Lmdb &) = delete;
	Lmdb &operator=(const Lmdb &) = delete;
	~Lmdb()
	{
		mdb_env_close(env);
	}

	static void must(int status)
	{
		if (__builtin_expect(status != 0, 0)) {
			std::fprintf(stderr, "bench: LMDB: %s\n", mdb_strerror(status));
			std::exit(1);
		}
	}

	static bool persistent()
	{
		return true;
	}
	static std::string version()
	{
		return MDB_VERSION_STRING;
	}

	/* What one thread holds: a reading transaction that is renewed again and again. */
	class Session {
		Lmdb &lmdb;
		MDB_txn *reader = nullptr, *writer = nullptr;
		MDB_cursor *cursor = nullptr;
		unsigned append = 0;

	public:
		explicit Session(Lmdb &of) : lmdb(of)
		{
			must(mdb_txn_begin(lmdb.env, nullptr, MDB_RDONLY, &reader));
			must(mdb_cursor_open(reader, lmdb.dbi, &cursor));
			mdb_txn_reset(reader);
		}
		Session(const Session &) = delete;
		Session &operator=(const Session &) = delete;
		~Session()
		{
			mdb_cursor_close(cursor);
			mdb_txn_abort(reader);
		}

		/* The keys that follow come in ascending order, each behind all that are there. */
		void expect_ascending()
		{
			append = MDB_APPEND;
		}

		void read_begin()
		{
			must(mdb_txn_renew(reader));
		}
		void read_end()
		{
			mdb_txn_reset(reader);
		}
		void write_begin()
		{
			must(mdb_txn_begin(lmdb.env, nullptr, 0, &writer));
		}
		void write_end()
		{
			must(mdb_txn_commit(writer));
		}
		template <class Body> void write(Body body)
		{
			write_begin();
			body();
			write_end();
		}

		/* Checks the value where it lies: it stays there until the end of the transaction. */
		void get(const Key &key, uint64_t index)
		{
			MDB_val name = bytes(key), value;

			must(mdb_get(reader, lmdb.dbi, &name, &value));
			check_value(value.mv_data, value.mv_size, index);
		}
		void read_one(const Key &key, uint64_t index)
		{
			read_begin();
			get(key, index);
			read_end();
		}

		void put(const Key &key, const Value &data)
		{
			MDB_val name = bytes(key), value = { VALUE_BYTES, (void *)data.data() };

			must(mdb_put(writer, lmdb.dbi, &name, &value, append));
		}

		void remove(const Key &key)
		{
			MDB_val name = bytes(key);

			must(mdb_del(writer, lmdb.dbi, &name, nullptr));
		}

		void add_one(const Key &key)
		{
			uint64_t count = value_of(writer, key) + 1;
			MDB_val name = bytes(key), value = { sizeof count, &count };

			must(mdb_put(writer, lmdb.dbi, &name, &value, 0));
		}

		uint64_t counter(const Key &key)
		{
			read_begin();
			const uint64_t count = value_of(reader, key);

			read_end();
			return count;
		}

		template <class Visit> void scan(const Key *from, size_t limit, Visit visit)
		{
			MDB_val key = from != nullptr ? bytes(*from) : MDB_val{ 0, nullptr }, value;
			int status;

			must(mdb_cursor_renew(reader, cursor));
			status = mdb_cursor_get(cursor, &key, &value,
						from != nullptr ? MDB_SET_RANGE : MDB_FIRST);
			for (; status == 0; status = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
				visit(key.mv_data, key.mv_size, value.mv_data, value.mv_size);
				if (--limit == 0)
					return;
			}
			if (status != MDB_NOTFOUND)
				must(status);
		}

	private:
		static MDB_val bytes(const Key &key)
		{
			return { KEY_BYTES, (void *)key.data() };
		}

		/* The integer under `key`, or 0. */
		uint64_t value_of(MDB_txn *txn, const Key &key)
		{
			MDB_val name = bytes(key), value;
			const int status = mdb_get(txn, lmdb.dbi, &name, &value);

			if (status == MDB_NOTFOUND)
				return 0;
			must(status);
			if (value.mv_size != sizeof(uint64_t))
				fail("a counter has another size", value.mv_size);
			return value_word(value.mv_data, 0);
		}
	};
};

#endif
