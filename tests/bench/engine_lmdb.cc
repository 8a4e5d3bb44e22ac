/* LMDB: the defaults, which are durable. */
#include "engine.h"

#include <cstdio>
#include <cstdlib>
#include <lmdb.h>

namespace {

constexpr size_t MAP_BYTES = (size_t)64 << 30; /* address space, not memory */
constexpr unsigned READERS_MAX = 256;

void must(int status)
{
	if (__builtin_expect(status != 0, 0)) {
		std::fprintf(stderr, "bench: LMDB: %s\n", mdb_strerror(status));
		std::exit(1);
	}
}

MDB_val bytes(const Key &key)
{
	return { KEY_BYTES, (void *)key.data() };
}

/* A reading transaction and its cursor, which are renewed again and again. */
class LmdbSession : public Session {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *reader = nullptr;
	MDB_cursor *cursor = nullptr;

public:
	LmdbSession(MDB_env *of, MDB_dbi in, const Data &data) : Session(data), env(of), dbi(in)
	{
		must(mdb_txn_begin(env, nullptr, MDB_RDONLY, &reader));
		must(mdb_cursor_open(reader, dbi, &cursor));
		mdb_txn_reset(reader);
	}
	~LmdbSession() override
	{
		mdb_cursor_close(cursor);
		mdb_txn_abort(reader);
	}

	/* The value is checked where it lies: it stays there until the end of the transaction. */
	uint64_t get(uint32_t index) override
	{
		return get_each(&index, 1);
	}

	uint64_t get_each(const uint32_t *indices, size_t count) override
	{
		uint64_t sum = 0;

		must(mdb_txn_renew(reader));
		for (size_t i = 0; i < count; i++) {
			MDB_val key = bytes(data.keys[indices[i]]), value;

			must(mdb_get(reader, dbi, &key, &value));
			sum += check(value.mv_data, value.mv_size, indices[i]);
		}
		mdb_txn_reset(reader);
		return sum;
	}

	void scan(uint32_t first, size_t limit, Expected &expected) override
	{
		MDB_val key = bytes(data.keys[first]), value;
		MDB_cursor_op where = MDB_SET_RANGE;
		int status = 0;

		must(mdb_txn_renew(reader));
		must(mdb_cursor_renew(reader, cursor));
		for (; limit > 0 && (status = mdb_cursor_get(cursor, &key, &value, where)) == 0; limit--) {
			expected.item(key.mv_data, key.mv_size, value.mv_data, value.mv_size);
			where = MDB_NEXT;
		}
		if (status != MDB_NOTFOUND)
			must(status);
		mdb_txn_reset(reader);
	}

	void put(const Batch &batch) override
	{
		MDB_txn *txn = nullptr;

		must(mdb_txn_begin(env, nullptr, 0, &txn));
		for (size_t i = 0; i < batch.size(); i++) {
			MDB_val key = bytes(batch.key(i)),
				value = { data.value_bytes, (void *)batch.value(i) };

			must(mdb_put(txn, dbi, &key, &value, batch.behind_all ? MDB_APPEND : 0));
		}
		must(mdb_txn_commit(txn));
	}

	void remove(const Batch &batch) override
	{
		MDB_txn *txn = nullptr;

		must(mdb_txn_begin(env, nullptr, 0, &txn));
		for (size_t i = 0; i < batch.size(); i++) {
			MDB_val key = bytes(batch.key(i));

			must(mdb_del(txn, dbi, &key, nullptr));
		}
		must(mdb_txn_commit(txn));
	}

	void modify(uint32_t index, Edit edit) override
	{
		MDB_val key = bytes(data.keys[index]), value;
		unsigned char room[LARGE_VALUE_BYTES];
		MDB_txn *txn = nullptr;

		must(mdb_txn_begin(env, nullptr, 0, &txn));
		read(txn, &key, &value);
		value.mv_size = edit(data, index, value.mv_data, value.mv_size, room);
		value.mv_data = room;
		must(mdb_put(txn, dbi, &key, &value, 0));
		must(mdb_txn_commit(txn));
	}

	uint64_t counter(uint32_t index) override
	{
		MDB_val key = bytes(data.keys[index]), value;

		must(mdb_txn_renew(reader));
		read(reader, &key, &value);
		const uint64_t count = value.mv_size != 0 ? value_word(value.mv_data, 0) : 0;
		mdb_txn_reset(reader);
		return count;
	}

private:
	/* An empty value stands for none. */
	void read(MDB_txn *txn, MDB_val *key, MDB_val *value) const
	{
		const int status = mdb_get(txn, dbi, key, value);

		if (status == MDB_NOTFOUND)
			*value = { 0, nullptr };
		else
			must(status);
	}
};

class Lmdb : public Engine {
	MDB_env *env = nullptr;
	MDB_dbi dbi = 0;

public:
	Lmdb(const Setup &setup, unsigned flags_not_durable)
	{
		MDB_txn *txn = nullptr;
		const unsigned flags = setup.durable ? 0 : flags_not_durable;

		must(mdb_env_create(&env));
		must(mdb_env_set_mapsize(env, MAP_BYTES));
		must(mdb_env_set_maxreaders(env, READERS_MAX));
		/* MDB_NOTLS: sessions read, not threads. */
		must(mdb_env_open(env, setup.folder.c_str(), MDB_NOTLS | flags, 0644));
		must(mdb_txn_begin(env, nullptr, 0, &txn));
		must(mdb_dbi_open(txn, nullptr, 0, &dbi));
		must(mdb_txn_commit(txn));
	}
	~Lmdb() override
	{
		mdb_env_close(env);
	}

	std::unique_ptr<Session> session(const Data &data) override
	{
		return std::make_unique<LmdbSession>(env, dbi, data);
	}
};

} // namespace

Kind lmdb_kind()
{
	return { "lmdb", MDB_VERSION_STRING,
		 "defaults, its cache is the system's; not durable: MDB_NOSYNC; MDB_APPEND for bulk_seq; values are "
		 "checked in place, not copied",
		 true, [](const Setup &setup) -> std::unique_ptr<Engine> {
			 return std::make_unique<Lmdb>(setup, MDB_NOSYNC);
		 } };
}

Kind lmdb_map_kind()
{
	return { "lmdb-map", std::string(MDB_VERSION_STRING) + ", written through its map",
		 "as lmdb, but MDB_WRITEMAP | MDB_NOSYNC where it need not be durable: after a crash of the system the "
		 "database may be damaged; only if asked for",
		 true, [](const Setup &setup) -> std::unique_ptr<Engine> {
			 return std::make_unique<Lmdb>(setup, MDB_NOSYNC | MDB_WRITEMAP);
		 } };
}
