/* Berkeley DB as the benchmarks use it: a private environment with transactions, a log that is flushed
 * by every commit, 256 MB of cache and a B-Tree, in a folder. */
#ifndef BENCH_ENGINE_BDB_H
#define BENCH_ENGINE_BDB_H

#include "data.h"

#include <chrono>
#include <condition_variable>
#include <db.h>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

class Bdb {
	static constexpr uint32_t CACHE_BYTES = 256u << 20;
	static constexpr uint32_t LOG_BUFFER_BYTES = 4u << 20; /* the default, 32 KB, slows big commits */
	static constexpr uint32_t LOG_FILE_BYTES = 64u << 20;
	static constexpr uint32_t CHECKPOINT_KB = 256u << 10; /* of log */
	static constexpr uint32_t LOCKS_MAX = 1000000; /* a scan locks every leaf */
	static constexpr uint32_t TRANSACTIONS_MAX = 1000;
	static constexpr std::chrono::milliseconds CHECKPOINT_TICK{ 100 };
	DB_ENV *env = nullptr;
	DB *db = nullptr;
	std::mutex mutex;
	std::condition_variable wake;
	bool closing = false;
	std::thread checkpointer;

public:
	static constexpr const char *NAME = "bdb";

	explicit Bdb(const std::string &folder)
	{
		must(db_env_create(&env, 0));
		must(env->set_cachesize(env, 0, CACHE_BYTES, 1));
		must(env->set_lg_bsize(env, LOG_BUFFER_BYTES));
		must(env->set_lg_max(env, LOG_FILE_BYTES));
		must(env->set_lk_detect(env, DB_LOCK_DEFAULT));
		must(env->set_lk_max_locks(env, LOCKS_MAX));
		must(env->set_lk_max_objects(env, LOCKS_MAX));
		must(env->set_tx_max(env, TRANSACTIONS_MAX));
		must(env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1));
		must(env->open(env, folder.c_str(),
			       DB_CREATE | DB_PRIVATE | DB_THREAD | DB_RECOVER | DB_INIT_TXN |
				       DB_INIT_LOG | DB_INIT_LOCK | DB_INIT_MPOOL,
			       0644));
		must(db_create(&db, env, 0));
		must(db->open(db, nullptr, "bench.db", nullptr, DB_BTREE,
			      DB_CREATE | DB_THREAD | DB_AUTO_COMMIT, 0644));
		checkpointer = std::thread([this] { checkpoints(); });
	}
	Bdb(const Bdb &) = delete;
	Bdb &operator=(const Bdb &) = delete;
	~Bdb()
	{
		{
			std::lock_guard<std::mutex> lock(mutex);

			closing = true;
		}
		wake.notify_one();
		checkpointer.join();
		must(db->close(db, 0));
		must(env->txn_checkpoint(env, 0, 0, DB_FORCE));
		must(env->close(env, 0));
	}

	static void must(int status)
	{
		if (__builtin_expect(status != 0, 0)) {
			std::fprintf(stderr, "bench: Berkeley DB: %s\n", db_strerror(status));
			std::exit(1);
		}
	}

	static bool persistent()
	{
		return true;
	}
	static std::string version()
	{
		return DB_VERSION_STRING;
	}

	/* What one thread holds: its transaction, and room for what it reads. */
	class Session {
		static constexpr size_t RANGE_BYTES = 16 << 10; /* about 120 records */
		static constexpr size_t SCAN_BYTES = 256 << 10;
		struct Deadlock {};
		Bdb &bdb;
		DB_TXN *txn = nullptr;
		unsigned char room[256];
		std::vector<unsigned char> batch = std::vector<unsigned char>(SCAN_BYTES);

	public:
		explicit Session(Bdb &of) : bdb(of)
		{
		}

		void read_begin()
		{
			write_begin();
		}
		void read_end()
		{
			write_end();
		}
		void write_begin()
		{
			must(bdb.env->txn_begin(bdb.env, nullptr, &txn, 0));
		}
		void write_end()
		{
			must(txn->commit(txn, 0));
		}
		/* Runs `body` in a transaction, again as often as it is chosen to resolve a deadlock. */
		template <class Body> void write(Body body)
		{
			for (;;) {
				write_begin();
				try {
					body();
					write_end();
					return;
				} catch (const Deadlock &) {
					must(txn->abort(txn));
				}
			}
		}

		void get(const Key &key, uint64_t index)
		{
			check_value(room, read(txn, key, 0), index);
		}
		/* Without a transaction object: one get is atomic in itself, and that is faster. */
		void read_one(const Key &key, uint64_t index)
		{
			check_value(room, read(nullptr, key, 0), index);
		}

		void put(const Key &key, const Value &value)
		{
			put_bytes(key, value.data(), value.size());
		}

		void remove(const Key &key)
		{
			DBT name = bytes(key.data(), KEY_BYTES);

			in_transaction(bdb.db->del(bdb.db, txn, &name, 0));
		}

		void add_one(const Key &key)
		{
			const uint64_t count = count_in_room(read(txn, key, DB_RMW)) + 1;

			put_bytes(key, &count, sizeof count);
		}

		uint64_t counter(const Key &key)
		{
			return count_in_room(read(nullptr, key, 0));
		}

		/* In bulk: many records a call. */
		template <class Visit> void scan(const Key *from, size_t limit, Visit visit)
		{
			const size_t size = limit <= 100 ? RANGE_BYTES : SCAN_BYTES;
			DBC *cursor = nullptr;
			DBT key = {}, data = space(batch.data(), size);
			Key start = from != nullptr ? *from : Key();
			uint32_t where = from != nullptr ? DB_SET_RANGE : DB_FIRST;
			int status = 0;

			key = space(start.data(), KEY_BYTES);
			key.size = KEY_BYTES;
			must(bdb.db->cursor(bdb.db, txn, &cursor, 0));
			while (limit > 0 && (status = cursor->get(cursor, &key, &data,
								  where | DB_MULTIPLE_KEY)) == 0) {
				limit -= each(&data, limit, visit);
				where = DB_NEXT;
			}
			if (status != DB_NOTFOUND)
				must(status);
			must(cursor->close(cursor));
		}

	private:
		static DBT bytes(const void *data, size_t size)
		{
			DBT dbt = {};

			dbt.data = (void *)data;
			dbt.size = (uint32_t)size;
			return dbt;
		}

		/* Memory of ours to read into. */
		static DBT space(void *data, size_t size)
		{
			DBT dbt = {};

			dbt.data = data;
			dbt.ulen = (uint32_t)size;
			dbt.flags = DB_DBT_USERMEM;
			return dbt;
		}

		/* The status of a call that may be chosen to resolve a deadlock. */
		static void in_transaction(int status)
		{
			if (status == DB_LOCK_DEADLOCK)
				throw Deadlock();
			must(status);
		}

		/* Reads into `room`; returns the size of the value, 0 if there is none. */
		size_t read(DB_TXN *in, const Key &key, uint32_t flags)
		{
			DBT name = bytes(key.data(), KEY_BYTES), value = space(room, sizeof room);
			const int status = bdb.db->get(bdb.db, in, &name, &value, flags);

			if (status == DB_NOTFOUND)
				return 0;
			in_transaction(status);
			return value.size;
		}

		uint64_t count_in_room(size_t size)
		{
			if (size != 0 && size != sizeof(uint64_t))
				fail("a counter has another size", size);
			return size != 0 ? value_word(room, 0) : 0;
		}

		void put_bytes(const Key &key, const void *data, size_t size)
		{
			DBT name = bytes(key.data(), KEY_BYTES), value = bytes(data, size);

			in_transaction(bdb.db->put(bdb.db, txn, &name, &value, 0));
		}

		template <class Visit> static size_t each(DBT *data, size_t limit, Visit visit)
		{
			void *place, *key, *value;
			uint32_t key_size, value_size;
			size_t count = 0;

			DB_MULTIPLE_INIT(place, data);
			while (count < limit) {
				DB_MULTIPLE_KEY_NEXT(place, data, key, key_size, value, value_size);
				if (place == nullptr)
					break;
				visit(key, key_size, value, value_size);
				count++;
			}
			return count;
		}
	};

private:
	/* As an application has to: otherwise the log grows for ever. */
	void checkpoints()
	{
		std::unique_lock<std::mutex> lock(mutex);

		while (!closing) {
			wake.wait_for(lock, CHECKPOINT_TICK);
			lock.unlock();
			must(env->txn_checkpoint(env, CHECKPOINT_KB, 0, 0));
			lock.lock();
		}
	}
};

#endif
