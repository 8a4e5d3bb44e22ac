/* RocksDB: with pessimistic transactions where something is read and changed, plain batches elsewhere. */
#include "engine.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/transaction_db.h>
#include <rocksdb/version.h>

namespace {

constexpr int BLOOM_BITS = 10; /* for a key */

void must(const rocksdb::Status &status)
{
	if (__builtin_expect(!status.ok(), 0)) {
		std::fprintf(stderr, "bench: RocksDB: %s\n", status.ToString().c_str());
		std::exit(1);
	}
}

rocksdb::Slice slice(const Key &key)
{
	return { (const char *)key.data(), KEY_BYTES };
}

rocksdb::Slice slice(const unsigned char *data, size_t size)
{
	return { (const char *)data, size };
}

/* Adds numbers of 8 bytes, so that a counter is written without being read. */
class Addition : public rocksdb::AssociativeMergeOperator {
public:
	bool Merge(const rocksdb::Slice &, const rocksdb::Slice *old, const rocksdb::Slice &operand,
		   std::string *sum, rocksdb::Logger *) const override
	{
		const uint64_t number = (old != nullptr ? value_word(old->data(), 0) : 0) +
					value_word(operand.data(), 0);

		sum->assign((const char *)&number, sizeof number);
		return true;
	}
	const char *Name() const override
	{
		return "bench.addition";
	}
};

class RocksdbSession : public Session {
	rocksdb::TransactionDB &db;
	rocksdb::ReadOptions reading;
	rocksdb::WriteOptions writing;
	std::unique_ptr<rocksdb::Iterator> iterator;
	rocksdb::Transaction *txn = nullptr;
	rocksdb::PinnableSlice value;
	rocksdb::WriteBatch changes;
	std::vector<rocksdb::Slice> keys;
	std::vector<rocksdb::PinnableSlice> values;
	std::vector<rocksdb::Status> statuses;

public:
	RocksdbSession(rocksdb::TransactionDB &of, bool durable, const Data &data)
	    : Session(data), db(of)
	{
		writing.sync = durable;
	}
	~RocksdbSession() override
	{
		delete txn;
	}

	uint64_t get(uint32_t index) override
	{
		value.Reset();
		must(db.Get(reading, db.DefaultColumnFamily(), slice(data.keys[index]), &value));
		return check(value.data(), value.size(), index);
	}

	uint64_t get_each(const uint32_t *indices, size_t count) override
	{
		uint64_t sum = 0;

		reading.snapshot = db.GetSnapshot();
		for (size_t i = 0; i < count; i++)
			sum += get(indices[i]);
		release_snapshot();
		return sum;
	}

	uint64_t get_many(const uint32_t *indices, size_t count) override
	{
		uint64_t sum = 0;

		keys.resize(count);
		values.resize(count);
		statuses.resize(count);
		for (size_t i = 0; i < count; i++)
			keys[i] = slice(data.keys[indices[i]]);
		reading.snapshot = db.GetSnapshot();
		db.MultiGet(reading, db.DefaultColumnFamily(), count, keys.data(), values.data(),
			    statuses.data());
		release_snapshot();
		for (size_t i = 0; i < count; i++) {
			must(statuses[i]);
			sum += check(values[i].data(), values[i].size(), indices[i]);
			values[i].Reset();
		}
		return sum;
	}

	void scan(uint32_t first, size_t limit, Expected &expected) override
	{
		if (iterator == nullptr)
			iterator.reset(db.NewIterator(reading));
		else
			must(iterator->Refresh());
		for (iterator->Seek(slice(data.keys[first])); limit > 0 && iterator->Valid(); limit--) {
			const rocksdb::Slice key = iterator->key(), at = iterator->value();

			expected.item(key.data(), key.size(), at.data(), at.size());
			iterator->Next();
		}
		must(iterator->status());
	}

	void put(const Batch &batch) override
	{
		changes.Clear();
		for (size_t i = 0; i < batch.size(); i++)
			must(changes.Put(slice(batch.key(i)), slice(batch.value(i), data.value_bytes)));
		write();
	}

	void remove(const Batch &batch) override
	{
		changes.Clear();
		for (size_t i = 0; i < batch.size(); i++)
			must(changes.Delete(slice(batch.key(i))));
		write();
	}

	void modify(uint32_t index, Edit edit) override
	{
		while (!edited(index, edit))
			must(txn->Rollback());
	}

	void add(uint32_t index) override
	{
		const uint64_t one = 1;

		changes.Clear();
		must(changes.Merge(slice(data.keys[index]),
				   slice((const unsigned char *)&one, sizeof one)));
		write();
	}

	uint64_t counter(uint32_t index) override
	{
		std::string text;
		const rocksdb::Status status = db.Get(reading, slice(data.keys[index]), &text);

		if (status.IsNotFound())
			return 0;
		must(status);
		return value_word(text.data(), 0);
	}

private:
	/* A batch is atomic in itself; it needs no locks, as nothing was read. */
	void write()
	{
		rocksdb::TransactionDBWriteOptimizations no_locks;

		no_locks.skip_concurrency_control = true;
		no_locks.skip_duplicate_key_check = false;
		must(db.Write(writing, no_locks, &changes));
	}

	void release_snapshot()
	{
		db.ReleaseSnapshot(reading.snapshot);
		reading.snapshot = nullptr;
	}

	/* False if it is to be tried again. */
	bool edited(uint32_t index, Edit edit)
	{
		unsigned char room[LARGE_VALUE_BYTES];
		const rocksdb::Slice key = slice(data.keys[index]);

		txn = db.BeginTransaction(writing, rocksdb::TransactionOptions(), txn);
		value.Reset();
		rocksdb::Status status =
			txn->GetForUpdate(reading, db.DefaultColumnFamily(), key, &value);

		if (status.ok() || status.IsNotFound()) {
			const size_t old_size = status.ok() ? value.size() : 0;
			const size_t size = edit(data, index, value.data(), old_size, room);

			must(txn->Put(key, slice(room, size)));
			status = txn->Commit();
		}
		if (!status.IsBusy() && !status.IsTimedOut() && !status.IsTryAgain())
			must(status);
		return status.ok();
	}
};

class Rocksdb : public Engine {
	const bool durable;
	std::unique_ptr<rocksdb::TransactionDB> db;

public:
	explicit Rocksdb(const Setup &setup) : durable(setup.durable)
	{
		rocksdb::BlockBasedTableOptions table;
		rocksdb::Options options;
		rocksdb::TransactionDB *opened = nullptr;

		table.block_cache = rocksdb::NewLRUCache(setup.cache_bytes);
		table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(BLOOM_BITS));
		table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
		options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
		options.create_if_missing = true;
		options.IncreaseParallelism(2);
		options.compression = rocksdb::kNoCompression;
		options.merge_operator = std::make_shared<Addition>();
		must(rocksdb::TransactionDB::Open(options, rocksdb::TransactionDBOptions(),
						  setup.folder, &opened));
		db.reset(opened);
	}

	std::unique_ptr<Session> session(const Data &data) override
	{
		return std::make_unique<RocksdbSession>(*db, durable, data);
	}
};

} // namespace

Kind rocksdb_kind()
{
	return { "rocksdb", "RocksDB " + rocksdb::GetRocksVersionAsString(false),
		 "TransactionDB, block_cache=cache, bloom filter of 10 bits, hash index in blocks, "
		 "IncreaseParallelism(2), no compression; sync=true (not durable: false); plain WriteBatch where nothing "
		 "is read, GetForUpdate where something is; MultiGet for get_many100; a merge operator for counters_add",
		 true, [](const Setup &setup) -> std::unique_ptr<Engine> {
			 return std::make_unique<Rocksdb>(setup);
		 } };
}
