/* Berkeley DB: a private environment with transactions and locks, and a B-Tree. */
#include "engine.h"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <db.h>
#include <mutex>
#include <thread>

namespace {

constexpr uint32_t LOG_BUFFER_BYTES = 4u << 20; /* the default, 32 KB, slows big commits */
constexpr uint32_t LOG_FILE_BYTES = 64u << 20;
constexpr uint32_t CHECKPOINT_KB = 256u << 10; /* of log */
constexpr uint32_t LOCKS_MAX = 1000000; /* a scan locks every leaf */
constexpr uint32_t TRANSACTIONS_MAX = 1000;
constexpr std::chrono::milliseconds CHECKPOINT_TICK{ 100 };
constexpr size_t RANGE_ITEMS = 100; /* scans of so few items read into less room */
constexpr size_t RANGE_BYTES = 16 << 10;
constexpr size_t SCAN_BYTES = 256 << 10;

void must(int status)
{
	if (__builtin_expect(status != 0, 0)) {
		std::fprintf(stderr, "bench: Berkeley DB: %s\n", db_strerror(status));
		std::exit(1);
	}
}

DBT bytes(const void *data, size_t size)
{
	DBT dbt = {};

	dbt.data = (void *)data;
	dbt.size = (uint32_t)size;
	return dbt;
}

/* Memory of ours to read into. */
DBT space(void *data, size_t size)
{
	DBT dbt = {};

	dbt.data = data;
	dbt.ulen = (uint32_t)size;
	dbt.flags = DB_DBT_USERMEM;
	return dbt;
}

struct Deadlock {};

/* The status of a call that may be chosen to resolve a deadlock. */
void try_to(int status)
{
	if (status == DB_LOCK_DEADLOCK)
		throw Deadlock();
	must(status);
}

class BdbSession : public Session {
	DB_ENV *env;
	DB *db;
	DB_TXN *txn = nullptr;
	unsigned char room[LARGE_VALUE_BYTES];
	std::vector<unsigned char> batch = std::vector<unsigned char>(SCAN_BYTES);

public:
	BdbSession(DB_ENV *in, DB *of, const Data &data) : Session(data), env(in), db(of)
	{
	}

	/* Without a transaction object: one get is atomic in itself, and that is faster. */
	uint64_t get(uint32_t index) override
	{
		return check(room, read(nullptr, index, 0), index);
	}

	uint64_t get_each(const uint32_t *indices, size_t count) override
	{
		uint64_t sum;

		transaction([&] {
			sum = 0;
			for (size_t i = 0; i < count; i++)
				sum += check(room, read(txn, indices[i], 0), indices[i]);
		});
		return sum;
	}

	/* In bulk: many records a call. */
	void scan(uint32_t first, size_t limit, Expected &expected) override
	{
		const Expected start = expected;

		transaction([&] {
			DBC *cursor = nullptr;

			expected = start;
			must(db->cursor(db, txn, &cursor, 0));
			const int status = walk(cursor, first, limit, expected);

			must(cursor->close(cursor));
			if (status != DB_NOTFOUND)
				try_to(status);
		});
	}

	void put(const Batch &changes) override
	{
		transaction([&] {
			for (size_t i = 0; i < changes.size(); i++)
				write(changes.key(i), changes.value(i), data.value_bytes);
		});
	}

	void remove(const Batch &changes) override
	{
		transaction([&] {
			for (size_t i = 0; i < changes.size(); i++) {
				DBT key = bytes(changes.key(i).data(), KEY_BYTES);

				try_to(db->del(db, txn, &key, 0));
			}
		});
	}

	void modify(uint32_t index, Edit edit) override
	{
		transaction([&] {
			unsigned char changed[LARGE_VALUE_BYTES];
			const size_t old_size = read(txn, index, DB_RMW);

			write(data.keys[index], changed, edit(data, index, room, old_size, changed));
		});
	}

	uint64_t counter(uint32_t index) override
	{
		return read(nullptr, index, 0) != 0 ? value_word(room, 0) : 0;
	}

private:
	/* Runs `body` in a transaction, again as often as it is chosen to resolve a deadlock. */
	template <class Body> void transaction(Body body)
	{
		for (;;) {
			must(env->txn_begin(env, nullptr, &txn, 0));
			try {
				body();
				must(txn->commit(txn, 0));
				return;
			} catch (const Deadlock &) {
				must(txn->abort(txn));
			}
		}
	}

	/* Reads into `room`; returns the size of the value, 0 if there is none. */
	size_t read(DB_TXN *in, uint32_t index, uint32_t flags)
	{
		DBT key = bytes(data.keys[index].data(), KEY_BYTES), value = space(room, sizeof room);
		int status;

		do
			status = db->get(db, in, &key, &value, flags);
		while (status == DB_LOCK_DEADLOCK && in == nullptr);
		if (status == DB_NOTFOUND)
			return 0;
		try_to(status);
		return value.size;
	}

	void write(const Key &key, const void *from, size_t size)
	{
		DBT name = bytes(key.data(), KEY_BYTES), value = bytes(from, size);

		try_to(db->put(db, txn, &name, &value, 0));
	}

	int walk(DBC *cursor, uint32_t first, size_t limit, Expected &expected)
	{
		Key start = data.keys[first];
		DBT key = space(start.data(), KEY_BYTES);
		DBT items = space(batch.data(), limit <= RANGE_ITEMS ? RANGE_BYTES : SCAN_BYTES);
		uint32_t where = DB_SET_RANGE;
		int status = 0;

		key.size = KEY_BYTES;
		while (limit > 0 &&
		       (status = cursor->get(cursor, &key, &items, where | DB_MULTIPLE_KEY)) == 0) {
			limit -= each(&items, limit, expected);
			where = DB_NEXT;
		}
		return status;
	}

	static size_t each(DBT *items, size_t limit, Expected &expected)
	{
		void *place, *key, *value;
		uint32_t key_size, value_size;
		size_t count = 0;

		DB_MULTIPLE_INIT(place, items);
		while (count < limit) {
			DB_MULTIPLE_KEY_NEXT(place, items, key, key_size, value, value_size);
			if (place == nullptr)
				break;
			expected.item(key, key_size, value, value_size);
			count++;
		}
		return count;
	}
};

class Bdb : public Engine {
	DB_ENV *env = nullptr;
	DB *db = nullptr;
	std::mutex mutex;
	std::condition_variable wake;
	bool closing = false;
	std::thread checkpointer;

public:
	explicit Bdb(const Setup &setup)
	{
		must(db_env_create(&env, 0));
		must(env->set_cachesize(env, (uint32_t)(setup.cache_bytes >> 30),
					(uint32_t)(setup.cache_bytes & ((1u << 30) - 1)), 1));
		must(env->set_lg_bsize(env, LOG_BUFFER_BYTES));
		must(env->set_lg_max(env, LOG_FILE_BYTES));
		must(env->set_lk_detect(env, DB_LOCK_DEFAULT));
		must(env->set_lk_max_locks(env, LOCKS_MAX));
		must(env->set_lk_max_objects(env, LOCKS_MAX));
		must(env->set_tx_max(env, TRANSACTIONS_MAX));
		must(env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1));
		if (!setup.durable)
			must(env->set_flags(env, DB_TXN_NOSYNC, 1));
		must(env->open(env, setup.folder.c_str(),
			       DB_CREATE | DB_PRIVATE | DB_THREAD | DB_RECOVER | DB_INIT_TXN |
				       DB_INIT_LOG | DB_INIT_LOCK | DB_INIT_MPOOL,
			       0644));
		must(db_create(&db, env, 0));
		must(db->open(db, nullptr, "bench.db", nullptr, DB_BTREE,
			      DB_CREATE | DB_THREAD | DB_AUTO_COMMIT, 0644));
		checkpointer = std::thread([this] { checkpoints(); });
	}
	~Bdb() override
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

	std::unique_ptr<Session> session(const Data &data) override
	{
		return std::make_unique<BdbSession>(env, db, data);
	}

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

} // namespace

Kind bdb_kind()
{
	return { "bdb", DB_VERSION_STRING,
		 "DB_PRIVATE, set_cachesize=cache, set_lg_bsize=4 MB, a checkpoint every 256 MB of log; not durable: "
		 "DB_TXN_NOSYNC; single gets without a transaction, scans with DB_MULTIPLE_KEY",
		 true, [](const Setup &setup) -> std::unique_ptr<Engine> {
			 return std::make_unique<Bdb>(setup);
		 } };
}
