/* The workloads of bench, one step each. Every value that is read is checked. */
#include "bench.h"

#include "status.h"
#include "text.h"
#include "try.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BULK 1000 /* puts in a transaction of loading */
#define MANY 100 /* operations in a transaction of several */
#define ZIPF_THETA 0.99

static uint64_t next_random(struct worker *worker)
{
	worker->random += 0x9E3779B97F4A7C15u;
	uint64_t z = worker->random;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

static uint64_t random_record(struct worker *worker)
{
	return next_random(worker) % worker->bench->records;
}

void bench_key(char key[BENCH_KEY_BYTES], uint64_t i, bool ordered)
{
	char digits[BENCH_KEY_BYTES + 1];

	/* An odd factor makes the numbers jump about without meeting twice. */
	snprintf(digits, sizeof digits, "%016llx",
		 (unsigned long long)(ordered ? i : i * 0x9E3779B97F4A7C15u));
	memcpy(key, digits, BENCH_KEY_BYTES);
}

void bench_zipf_begin(struct bench *bench)
{
	double sum = 0;

	bench->zipf = memory_of(bench->records, sizeof *bench->zipf);
	for (uint64_t i = 0; i < bench->records; i++)
		bench->zipf[i] = sum += 1 / pow((double)(i + 1), ZIPF_THETA);
	bench->zipf_sum = sum;
}

/* A record as people use them: the first ones by far the most. */
static uint64_t zipf_record(struct worker *worker)
{
	const struct bench *bench = worker->bench;
	const double at = (double)(next_random(worker) >> 11) / 9007199254740992.0 * bench->zipf_sum;
	uint64_t low = 0, high = bench->records - 1;

	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;

		if (bench->zipf[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool bench_failed(struct worker *worker, sop_status status)
{
	worker->status = status;
	atomic_store(&worker->bench->ended, true);
	return false;
}

/* Begins a transaction in `mode`: anew, or again on the handle of the last one. */
static sop_status begin(struct worker *worker, uint32_t mode)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	if (worker->txn != NULL)
		return sop_txn_renew(worker->txn, &worker->err);
	options.mode = mode;
	return sop_begin(worker->bench->db, &options, &worker->txn, &worker->err);
}

/* A value begins with the key it belongs to. */
static sop_bytes value_of(struct worker *worker, const char key[BENCH_KEY_BYTES])
{
	const size_t size = worker->bench->value_bytes;

	if (sop_buf_reserve(&worker->rows, size, NULL) != SOP_OK)
		return (sop_bytes){ key, BENCH_KEY_BYTES };
	memset(worker->rows.data, 'v', size);
	memcpy(worker->rows.data, key, size < BENCH_KEY_BYTES ? size : BENCH_KEY_BYTES);
	return (sop_bytes){ worker->rows.data, size };
}

static sop_status put(struct worker *worker, sop_store *store, uint64_t i, bool ordered)
{
	char key[BENCH_KEY_BYTES];

	bench_key(key, i, ordered);
	return sop_put(worker->txn, store, (sop_bytes){ key, sizeof key }, value_of(worker, key),
		       &worker->err);
}

static sop_status check(struct worker *worker, sop_bytes key, sop_bytes value)
{
	const size_t size = worker->bench->value_bytes;

	if (value.size == size && memcmp(key.data, value.data, size < key.size ? size : key.size) == 0)
		return SOP_OK;
	return error_set(&worker->err, SOP_CORRUPT,
			 "a value was read that was never written; run sopctl verify");
}

static sop_status get(struct worker *worker, uint64_t i)
{
	char key[BENCH_KEY_BYTES];
	const sop_bytes bytes = { key, sizeof key };

	bench_key(key, i, false);
	TRY(sop_get(worker->txn, worker->bench->store, bytes, &worker->buf, &worker->err));
	return check(worker, bytes, text_bytes(&worker->buf));
}

/* ---- loading */

static bool load_step(struct worker *worker, sop_store *store, bool ordered)
{
	const uint64_t first = atomic_fetch_add(&worker->bench->next, BULK);
	sop_status status;
	uint64_t i;

	if (first >= worker->bench->records)
		return false;
	status = begin(worker, SOP_WRITE);
	for (i = first; i < first + BULK && i < worker->bench->records && status == SOP_OK; i++)
		status = put(worker, store, i, ordered);
	if (status == SOP_OK)
		status = sop_commit(worker->txn, &worker->err);
	worker->operations += i - first;
	return status == SOP_OK || bench_failed(worker, status);
}

static bool bulk_seq(struct worker *worker)
{
	return load_step(worker, worker->bench->ordered, true);
}

static bool bulk_rand(struct worker *worker)
{
	return load_step(worker, worker->bench->store, false);
}

/* ---- transactions of `count` operations */

static bool put_step(struct worker *worker, int count)
{
	sop_status status = begin(worker, SOP_WRITE);

	for (int i = 0; i < count && status == SOP_OK; i++)
		status = put(worker, worker->bench->store, random_record(worker), false);
	if (status == SOP_OK)
		status = sop_commit(worker->txn, &worker->err);
	worker->operations += (uint64_t)count;
	return status == SOP_OK || bench_failed(worker, status);
}

static bool commit_one(struct worker *worker)
{
	return put_step(worker, 1);
}

static bool update_rand(struct worker *worker)
{
	return put_step(worker, MANY);
}

static bool get_step(struct worker *worker, int count)
{
	sop_status status = begin(worker, SOP_READ);

	for (int i = 0; i < count && status == SOP_OK; i++)
		status = get(worker, random_record(worker));
	if (status == SOP_OK)
		status = sop_commit(worker->txn, &worker->err);
	worker->operations += (uint64_t)count;
	return status == SOP_OK || bench_failed(worker, status);
}

static bool get_rand(struct worker *worker)
{
	return get_step(worker, 1);
}

static bool get_rand100(struct worker *worker)
{
	return get_step(worker, MANY);
}

/* ---- scans */

/* Walks over `most` records from `from` on (NULL: the first), checking each. */
static sop_status walk(struct worker *worker, const char *from, uint64_t most, uint64_t *walked)
{
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_range range = SOP_RANGE_INIT;
	sop_status status = SOP_OK;

	if (from != NULL) {
		range.flags = SOP_RANGE_FROM;
		range.from = (sop_bytes){ from, BENCH_KEY_BYTES };
	}
	TRY(sop_cursor_open(worker->txn, worker->bench->store, &range, 0, &cursor, &worker->err));
	for (*walked = 0; *walked < most; ++*walked) {
		status = sop_cursor_next(cursor, &entry, &worker->err);
		if (status == SOP_OK)
			status = check(worker, entry.key, entry.value);
		if (status != SOP_OK)
			break;
	}
	sop_cursor_free(cursor);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

static bool scan_full(struct worker *worker)
{
	uint64_t walked = 0;
	sop_status status = begin(worker, SOP_READ);

	if (status == SOP_OK)
		status = walk(worker, NULL, UINT64_MAX, &walked);
	if (status == SOP_OK && walked != worker->bench->records)
		status = error_set(&worker->err, SOP_CORRUPT, "a scan met %llu of %llu records",
				   (unsigned long long)walked,
				   (unsigned long long)worker->bench->records);
	if (status == SOP_OK)
		status = sop_commit(worker->txn, &worker->err);
	worker->operations += walked;
	return status == SOP_OK || bench_failed(worker, status);
}

static bool scan_range100(struct worker *worker)
{
	char key[BENCH_KEY_BYTES];
	uint64_t walked;
	sop_status status = begin(worker, SOP_READ);

	bench_key(key, random_record(worker), false);
	if (status == SOP_OK)
		status = walk(worker, key, MANY, &walked);
	if (status == SOP_OK)
		status = sop_commit(worker->txn, &worker->err);
	worker->operations++;
	return status == SOP_OK || bench_failed(worker, status);
}

/* ---- mixes */

/* Half gets, half puts, of which few records get the most. */
static bool ycsb_a(struct worker *worker)
{
	const bool reads = (next_random(worker) & 1) != 0;
	const uint64_t i = zipf_record(worker);
	sop_status status = begin(worker, SOP_WRITE);

	if (status == SOP_OK)
		status = reads ? get(worker, i) : put(worker, worker->bench->store, i, false);
	if (status == SOP_OK)
		status = sop_commit(worker->txn, &worker->err);
	while (status == SOP_CONFLICT) { /* as sop_run does */
		status = sop_txn_again(worker->txn, &worker->err);
		if (status == SOP_OK)
			status = reads ? get(worker, i) : put(worker, worker->bench->store, i, false);
		if (status == SOP_OK)
			status = sop_commit(worker->txn, &worker->err);
	}
	worker->operations++;
	return status == SOP_OK || bench_failed(worker, status);
}

/* Reads a counter and writes it one higher: serializable, so that no increment is ever lost. */
static sop_status increment(sop_txn *txn, void *arg, sop_error *err)
{
	struct worker *worker = arg;
	unsigned char bytes[8] = { 0 };
	char key[BENCH_KEY_BYTES];
	uint64_t number = 0;
	sop_status status;

	bench_key(key, worker->random % BENCH_COUNTERS, true);
	status = sop_get(txn, worker->bench->counters, (sop_bytes){ key, sizeof key }, &worker->buf, err);
	if (status != SOP_OK && status != SOP_NOT_FOUND)
		return status;
	if (status == SOP_OK)
		memcpy(bytes, worker->buf.data, sizeof bytes);
	for (int i = 7; i >= 0; i--)
		number = number << 8 | bytes[i];
	number++;
	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(number >> (8 * i));
	return sop_put(txn, worker->bench->counters, (sop_bytes){ key, sizeof key },
		       (sop_bytes){ bytes, sizeof bytes }, err);
}

static bool counters(struct worker *worker)
{
	sop_status status;

	(void)next_random(worker);
	status = sop_run(worker->bench->db, NULL, increment, worker, &worker->err);
	worker->operations++;
	return status == SOP_OK || bench_failed(worker, status);
}

/* ---- removing: the last, since it takes the records away */

static bool delete_rand(struct worker *worker)
{
	const uint64_t first = atomic_fetch_add(&worker->bench->next, MANY);
	sop_status status;
	uint64_t i;

	if (first >= worker->bench->records)
		return false;
	status = begin(worker, SOP_WRITE);
	for (i = first; i < first + MANY && i < worker->bench->records && status == SOP_OK; i++) {
		char key[BENCH_KEY_BYTES];

		bench_key(key, i, false);
		status = sop_remove(worker->txn, worker->bench->store,
				    (sop_bytes){ key, sizeof key }, 0, &worker->err);
	}
	if (status == SOP_OK)
		status = sop_commit(worker->txn, &worker->err);
	worker->operations += i - first;
	return status == SOP_OK || bench_failed(worker, status);
}

const struct workload workloads[] = {
	{ "bulk_seq", "puts", 1, bulk_seq, "loading in the order of the keys, 1,000 in a commit" },
	{ "bulk_rand", "puts", 1, bulk_rand, "loading in random order, 1,000 in a commit" },
	{ "commit1", "commits", 1, commit_one, "one overwrite in a commit, one thread" },
	{ "commit1_threads", "commits", 0, commit_one, "one overwrite in a commit, --threads of them" },
	{ "get_rand", "gets", 1, get_rand, "one get in a transaction" },
	{ "get_rand100", "gets", 1, get_rand100, "100 gets in a transaction" },
	{ "scan_full", "items", 1, scan_full, "all records by cursor" },
	{ "scan_range100", "scans", 1, scan_range100, "100 records from a random one on" },
	{ "update_rand", "puts", 1, update_rand, "100 overwrites in a commit" },
	{ "ycsb_a", "operations", 2, ycsb_a, "half gets, half puts, zipfian, two threads" },
	{ "counters", "commits", 0, counters, "64 counters read and written by --threads" },
	{ "delete_rand", "removes", 1, delete_rand, "all records removed, 100 in a commit" },
	{ NULL, NULL, 0, NULL, NULL },
};
