/* What the workloads of bench share: workers, their clocks, their keys. */
#ifndef SOPCTL_BENCH_H
#define SOPCTL_BENCH_H

#include "access.h"

#include <pthread.h>
#include <stdatomic.h>

#define BENCH_KEY_BYTES 16
#define BENCH_BUCKETS 512 /* of latencies: eight for each power of two nanoseconds */
#define BENCH_COUNTERS 64

struct bench {
	struct access *access;
	sop_db *db;
	sop_store *store; /* the records, in random order of their numbers */
	sop_store *ordered; /* the same, in the order of their numbers */
	sop_store *counters;
	uint64_t records;
	size_t value_bytes;
	double zipf_sum; /* of what ycsb draws from */
	double *zipf; /* cumulated shares */
	atomic_uint_fast64_t next; /* of what is done once for each record */
	atomic_bool ended; /* somebody failed, or a signal came */
	long long until_ns;
};

/* A thread of a workload. */
struct worker {
	struct bench *bench;
	pthread_t thread;
	bool running;
	bool (*step)(struct worker *worker); /* one operation; false: there is nothing more to do, or it failed */
	uint64_t random;
	uint64_t operations;
	uint64_t latencies[BENCH_BUCKETS];
	sop_txn *txn; /* renewed for each transaction */
	sop_buf buf;
	sop_buf rows;
	sop_status status;
	sop_error err;
};

struct workload {
	const char *name;
	const char *unit; /* of what is counted */
	unsigned threads; /* 0: as many as the option says */
	bool (*step)(struct worker *worker);
	const char *help;
};

extern const struct workload workloads[]; /* ends with one without a name */

/* Fills `key`: the key of record `i`, in the order of the numbers or in a random one. */
void bench_key(char key[BENCH_KEY_BYTES], uint64_t i, bool ordered);

/* The shares of which the zipfian workload draws. */
void bench_zipf_begin(struct bench *bench);

/* Notes a failure of the worker. Returns false. */
bool bench_failed(struct worker *worker, sop_status status);

#endif
