/* Which engines there are. */
#include "engine.h"

const std::vector<Kind> &kinds()
{
	static const std::vector<Kind> all = {
		sop_kind(),
#ifdef BENCH_LMDB
		lmdb_kind(),
#endif
#ifdef BENCH_ROCKSDB
		rocksdb_kind(),
#endif
#ifdef BENCH_SQLITE
		sqlite_kind(),
#endif
#ifdef BENCH_BDB
		bdb_kind(),
#endif
#ifdef BENCH_WIREDTIGER
		wiredtiger_kind(),
#endif
#ifdef BENCH_LMDB
		lmdb_map_kind(),
#endif
		sop_memory_kind(),
#ifdef BENCH_MAP
		map_kind(),
#endif
	};

	return all;
}
