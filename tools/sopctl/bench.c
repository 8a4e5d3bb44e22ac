/* bench: the usual workloads on the user's own disk. */
#include "bench.h"

#include "commands.h"
#include "file.h"
#include "status.h"
#include "terminal.h"
#include "text.h"
#include "try.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLUSH_ROUNDS 100
#define NS_PER_S 1000000000LL
#define COLUMNS 8

/* ---- latencies, in buckets an eighth of a power of two wide */

static size_t bucket_of(long long ns)
{
	const unsigned long long n = ns < 8 ? 8 : (unsigned long long)ns;
	const unsigned power = 63u - (unsigned)__builtin_clzll(n);
	const size_t bucket = power * 8 + (size_t)(n >> (power - 3) & 7);

	return bucket < BENCH_BUCKETS ? bucket : BENCH_BUCKETS - 1;
}

/* The latency, in microseconds, that `share` of all did not exceed. */
static double percentile_us(const uint64_t latencies[BENCH_BUCKETS], double share)
{
	uint64_t all = 0, below = 0;
	size_t at = 0;

	for (size_t i = 0; i < BENCH_BUCKETS; i++)
		all += latencies[i];
	while (at + 1 < BENCH_BUCKETS && (double)(below += latencies[at]) < share * (double)all)
		at++;
	return (double)((8ull + at % 8 + 1) << (at / 8)) / 8 / 1000;
}

/* ---- running */

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct bench *bench = worker->bench;
	long long before = now_ns();

	while (before < bench->until_ns && !atomic_load(&bench->ended) && !interrupted()) {
		long long after;

		if (!worker->step(worker))
			break;
		after = now_ns();
		worker->latencies[bucket_of(after - before)]++;
		before = after;
	}
	return NULL;
}

static void begin_worker(struct worker *worker, struct bench *bench,
			 const struct workload *workload, unsigned number)
{
	memset(worker, 0, sizeof *worker);
	worker->bench = bench;
	worker->step = workload->step;
	worker->random = (uint64_t)number * 0x9E3779B97F4A7C15u + 1;
	worker->err = (sop_error)SOP_ERROR_INIT;
	worker->running = pthread_create(&worker->thread, NULL, work, worker) == 0;
	if (!worker->running)
		bench_failed(worker,
			     error_set(&worker->err, SOP_NO_MEMORY, "a thread could not be started"));
}

/* Adds what `worker` has done to `sum`. */
static void end_worker(struct worker *worker, struct worker *sum)
{
	if (worker->running)
		pthread_join(worker->thread, NULL);
	sop_txn_free(worker->txn);
	sop_buf_free(&worker->buf);
	sop_buf_free(&worker->rows);
	sum->operations += worker->operations;
	for (size_t i = 0; i < BENCH_BUCKETS; i++)
		sum->latencies[i] += worker->latencies[i];
	if (worker->status != SOP_OK && sum->status == SOP_OK) {
		sum->status = worker->status;
		sum->err = worker->err;
	}
}

static void print_result(struct output *output, const struct workload *workload, unsigned threads,
			 const struct worker *sum, long long ns)
{
	char digits[COLUMNS][24];
	struct cell cells[COLUMNS] = { cell_text(workload->name), cell_text(workload->unit) };
	const double seconds = (double)ns / 1e9;

	cells[2] = cell_count(digits[2], threads);
	cells[3] = cell_count(digits[3], sum->operations);
	snprintf(digits[4], sizeof digits[4], "%.3f", seconds);
	cells[5] = cell_count(digits[5], (unsigned long long)((double)sum->operations / seconds));
	snprintf(digits[6], sizeof digits[6], "%.1f", percentile_us(sum->latencies, 0.5));
	snprintf(digits[7], sizeof digits[7], "%.1f", percentile_us(sum->latencies, 0.99));
	for (int i = 4; i < COLUMNS; i += i == 4 ? 2 : 1)
		cells[i] = (struct cell){ CELL_JSON, bytes_of(digits[i]) };
	output_row(output, cells);
	fflush(stdout);
}

/* No increment of the counters may be lost: what they say is what was answered. */
static sop_status check_counters(struct bench *bench, uint64_t answered)
{
	struct access *access = bench->access;
	sop_buf value = SOP_BUF_INIT;
	uint64_t sum = 0;
	sop_status status = SOP_OK;

	for (uint64_t i = 0; i < BENCH_COUNTERS && (status == SOP_OK || status == SOP_NOT_FOUND); i++) {
		char key[BENCH_KEY_BYTES];

		bench_key(key, i, true);
		status = sop_read(bench->db, bench->counters, (sop_bytes){ key, sizeof key },
				  &value, &access->err);
		for (size_t at = 0; status == SOP_OK && at < value.size && at < 8; at++)
			sum += (uint64_t)((const unsigned char *)value.data)[at] << (8 * at);
	}
	sop_buf_free(&value);
	if (status != SOP_OK && status != SOP_NOT_FOUND)
		return status;
	if (sum == answered)
		return SOP_OK;
	return error_set(&access->err, SOP_CORRUPT, "%llu increments were answered and %llu are there",
			 (unsigned long long)answered, (unsigned long long)sum);
}

static sop_status run_workload(struct bench *bench, const struct workload *workload, struct output *output)
{
	const struct invocation *invocation = bench->access->invocation;
	const unsigned threads = workload->threads != 0
					 ? workload->threads
					 : (unsigned)option_of(invocation, "threads")->integer;
	struct worker *workers = memory_of(threads, sizeof *workers);
	struct worker sum;
	const long long began = now_ns();

	memset(&sum, 0, sizeof sum);
	atomic_store(&bench->next, 0);
	bench->until_ns = strncmp(workload->name, "bulk", 4) == 0
				  ? /* everything, for the others to find it */
				  INT64_MAX
				  : began + option_of(invocation, "seconds")->integer * NS_PER_S;
	for (unsigned i = 0; i < threads; i++)
		begin_worker(&workers[i], bench, workload, i + 1);
	for (unsigned i = 0; i < threads; i++)
		end_worker(&workers[i], &sum);
	free(workers);
	if (sum.status != SOP_OK)
		bench->access->err = sum.err;
	TRY(sum.status);
	TRY(access_check_signal(bench->access));
	print_result(output, workload, threads, &sum, now_ns() - began);
	return strcmp(workload->name, "counters") == 0 ? check_counters(bench, sum.operations) : SOP_OK;
}

/* What the disk itself gives: the bound of commits of one thread. */
static sop_status run_flush(struct bench *bench, const char *folder, struct output *output)
{
	static const struct workload flush = { "flush", "flushes", 1, NULL, NULL };
	struct worker sum;
	long long worst = 0;
	const long long began = now_ns();
	const long long middle = folder != NULL ? flush_ns(folder, FLUSH_ROUNDS, &worst) : -1;

	if (middle < 0)
		return SOP_OK;
	memset(&sum, 0, sizeof sum);
	sum.operations = FLUSH_ROUNDS;
	sum.latencies[bucket_of(middle)] = FLUSH_ROUNDS - 1;
	sum.latencies[bucket_of(worst)]++;
	print_result(output, &flush, 1, &sum, now_ns() - began);
	return access_check_signal(bench->access);
}

/* ---- the database of the bench */

static sop_status make_stores(sop_txn *txn, void *arg, sop_error *err)
{
	struct bench *bench = arg;

	TRY(sop_store_create(txn, bench->store, err));
	TRY(sop_store_create(txn, bench->ordered, err));
	return sop_store_create(txn, bench->counters, err);
}

static sop_status open_bench(struct bench *bench, const char *url)
{
	sop_error *err = &bench->access->err;
	sop_options *options = NULL;
	sop_status status;

	TRY(sop_options_new(&options, err));
	status = sop_options_set_bool(options, "create", 1, err);
	if (status == SOP_OK)
		status = sop_open(url, options, &bench->db, err);
	sop_options_free(options);
	TRY(status);
	TRY(sop_store_open(bench->db, bytes_of("records"), NULL, &bench->store, err));
	TRY(sop_store_open(bench->db, bytes_of("ordered"), NULL, &bench->ordered, err));
	TRY(sop_store_open(bench->db, bytes_of("counters"), NULL, &bench->counters, err));
	return sop_run(bench->db, NULL, make_stores, bench, err);
}

/* Whether the list `names`, with commas, has `name`. */
static bool has_name(const char *names, const char *name)
{
	const size_t size = strlen(name);

	for (const char *at = names; at != NULL; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, name, size) == 0 && (at[size] == ',' || at[size] == '\0'))
			return true;
	}
	return false;
}

static bool is_wanted(const struct bench *bench, const char *name)
{
	const char *wanted = option_of(bench->access->invocation, "workloads")->text;

	return wanted == NULL || has_name(wanted, name) ||
	       strncmp(name, "bulk", 4) == 0; /* the others need its records */
}

/* Refuses names of workloads that there are not. */
static sop_status check_names(struct bench *bench)
{
	const char *names = option_of(bench->access->invocation, "workloads")->text;
	size_t wanted = 1, found = 0;

	if (names == NULL)
		return SOP_OK;
	for (const char *at = names; (at = strchr(at, ',')) != NULL; at++)
		wanted++;
	for (const struct workload *workload = workloads; workload->name != NULL; workload++)
		found += has_name(names, workload->name);
	if (found == wanted)
		return SOP_OK;
	return error_set(&bench->access->err, SOP_MISUSE,
			 "--workloads has a name that is none, or one twice: '%s'; see sopctl help bench",
			 names);
}

static sop_status run_all(struct bench *bench, const char *folder, struct output *output)
{
	sop_status status = run_flush(bench, folder, output);

	for (const struct workload *workload = workloads;
	     workload->name != NULL && status == SOP_OK; workload++) {
		if (is_wanted(bench, workload->name))
			status = run_workload(bench, workload, output);
	}
	if (status == SOP_OK)
		status = sop_verify(bench->db, NULL, NULL, NULL, NULL, &bench->access->err);
	return status;
}

static sop_status bench_in(struct bench *bench, const char *url, const char *folder)
{
	static const char *const columns[COLUMNS] = { "workload",   "unit",    "threads",
						      "operations", "seconds", "per_second",
						      "p50_us",	    "p99_us" };
	struct access *access = bench->access;
	struct output *output;
	sop_status status;
	bool written;

	TRY(check_names(bench));
	bench_zipf_begin(bench);
	TRY(open_bench(bench, url));
	output = output_open(access->invocation->out, &access->style, columns, COLUMNS, 5);
	status = run_all(bench, folder, output);
	written = output_close(output);
	TRY(status);
	return access_printed(access, written);
}

static void end_bench(struct bench *bench)
{
	free(bench->zipf);
	sop_store_free(bench->store);
	sop_store_free(bench->ordered);
	sop_store_free(bench->counters);
	sop_db_free(bench->db);
}

static int run_bench(struct invocation *invocation)
{
	const bool in_memory = strcmp(invocation->arguments[0], "inmemory:") == 0;
	sop_buf path = SOP_BUF_INIT;
	struct access access;
	struct bench bench;
	sop_status status;

	memset(&bench, 0, sizeof bench);
	access_begin(&access, invocation);
	bench.access = &access;
	bench.records = (uint64_t)option_of(invocation, "records")->integer;
	bench.value_bytes = (size_t)option_of(invocation, "value-bytes")->integer;
	if (in_memory)
		text_puts(&path, "inmemory:");
	else
		text_printf(&path, "%s/sopctl-bench.%ld", invocation->arguments[0], (long)getpid());
	status = bench_in(&bench, text_string(&path), in_memory ? NULL : invocation->arguments[0]);
	end_bench(&bench);
	if (!in_memory && status != SOP_EXISTS)
		folder_remove(text_string(&path));
	sop_buf_free(&path);
	return access_end(&access, status);
}

static const struct option_spec bench_options[] = {
	{ "records", 'n', OPTION_INTEGER, "N", NULL, 1000, 1000000000, "100000", "how many records" },
	{ "value-bytes", '\0', OPTION_INTEGER, "N", NULL, 16, 1000000, "100", "size of a value" },
	{ "seconds", 's', OPTION_INTEGER, "N", NULL, 1, 86400, "2",
	  "how long a workload runs; loading runs to its end" },
	{ "threads", 't', OPTION_INTEGER, "N", NULL, 1, 256, "16", "of the workloads with many" },
	{ "workloads", 'w', OPTION_TEXT, "NAMES", NULL, 0, 0, NULL,
	  "only these, comma between them; loading always runs, since the others need what it loads" },
	OPTIONS_END,
};

const struct command command_bench = {
	.name = "bench",
	.summary = "measure the usual workloads on your own disk",
	.help = "Makes a database in FOLDER (or in memory: inmemory:), runs the workloads in it, verifies and removes it. Commits are "
		"on stable storage when they are answered; every value that is read is checked. flush is what the disk itself "
		"gives. Prints operations a second and the latency of half and of 99 percent of the transactions.\n\n"
		"Workloads: bulk_seq, bulk_rand (loading, 1,000 in a commit), commit1, commit1_threads (one overwrite in a commit), "
		"get_rand, get_rand100, scan_full, scan_range100, update_rand (100 in a commit), ycsb_a (half gets, half puts, "
		"zipfian), counters (64 of them read and written by many threads), delete_rand (100 in a commit).\n\n"
		" sopctl bench /srv --records 1000000 -o json",
	.arguments = "FOLDER",
	.arguments_min = 1,
	.arguments_max = 1,
	.options = bench_options,
	.run = run_bench,
	.takes = TAKES_OUTPUT,
};
