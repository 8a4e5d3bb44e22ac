/* What should cost nothing: readers that stay open, commits of the past, other stores. Measures a get (in a transaction of
 * its own), a commit of one overwrite (buffered: what the processor does, not the disk) and a step of a scan beside more and
 * more of each. Every value that is read is compared with what was written last. docs/performance.md has the figures. */
#include <sop/sop.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	RECORDS = 10000,
	READERS_MAX = 1000,
	VALUE_BYTES = 100,
	KEY_BYTES = 16,
	ROUNDS = 5,
	STORES_A_COMMIT = 1000,
	LEVELS = 4
};

struct bench {
	sop_db *db;
	sop_store *store;
	sop_txn *writer;
	sop_txn *reader;
	sop_txn *open[READERS_MAX]; /* readers that stay */
	size_t open_count;
	size_t operations; /* in a round */
	uint64_t random;
	uint64_t written; /* commits so far */
	uint64_t last[RECORDS]; /* the commit that wrote this record last */
};

static void must(sop_status status, const sop_error *err)
{
	if (status != SOP_OK) {
		fprintf(stderr, "flat: %s: %s\n", sop_status_name(status), err->message);
		exit(1);
	}
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static size_t any_record(struct bench *bench)
{
	bench->random = bench->random * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(bench->random >> 33) % RECORDS;
}

static sop_bytes key_of(char key[KEY_BYTES + 1], size_t record)
{
	snprintf(key, KEY_BYTES + 1, "%016zu", record);
	return (sop_bytes){ key, KEY_BYTES };
}

/* Ends the program if this is not what the last commit wrote. */
static void expect(const struct bench *bench, size_t record, const void *data, size_t size)
{
	uint64_t written = 0;

	if (size == VALUE_BYTES)
		memcpy(&written, data, sizeof written);
	if (size != VALUE_BYTES || written != bench->last[record]) {
		fprintf(stderr, "flat: WRONG: record %zu is not what was written last\n", record);
		exit(1);
	}
}

static void put(struct bench *bench, size_t record)
{
	char key[KEY_BYTES + 1], value[VALUE_BYTES] = { 0 };
	sop_error err = SOP_ERROR_INIT;

	memcpy(value, &bench->written, sizeof bench->written);
	must(sop_put(bench->writer, bench->store, key_of(key, record),
		     (sop_bytes){ value, sizeof value }, &err),
	     &err);
	bench->last[record] = bench->written;
}

static void overwrite(struct bench *bench, size_t commits)
{
	sop_error err = SOP_ERROR_INIT;

	for (size_t i = 0; i < commits; i++) {
		bench->written++;
		must(sop_txn_renew(bench->writer, &err), &err);
		put(bench, any_record(bench));
		must(sop_commit(bench->writer, &err), &err);
	}
}

static void get(struct bench *bench, size_t gets)
{
	char key[KEY_BYTES + 1], room[VALUE_BYTES];
	sop_error err = SOP_ERROR_INIT;

	for (size_t i = 0; i < gets; i++) {
		const size_t record = any_record(bench);
		sop_buf value = { room, 0, sizeof room, NULL };

		must(sop_txn_renew(bench->reader, &err), &err);
		must(sop_get(bench->reader, bench->store, key_of(key, record), &value, &err), &err);
		expect(bench, record, value.data, value.size);
		must(sop_commit(bench->reader, &err), &err);
	}
}

/* Goes over all records until it has made so many steps. */
static void scan(struct bench *bench, size_t steps)
{
	sop_error err = SOP_ERROR_INIT;

	while (steps > 0) {
		sop_cursor *cursor = NULL;
		sop_entry entry;
		size_t record = 0;

		must(sop_txn_renew(bench->reader, &err), &err);
		must(sop_cursor_open(bench->reader, bench->store, NULL, 0, &cursor, &err), &err);
		for (; steps > 0 && sop_cursor_next(cursor, &entry, &err) == SOP_OK; steps--, record++)
			expect(bench, record, entry.value.data, entry.value.size);
		if (steps > 0 && record != RECORDS) {
			fprintf(stderr, "flat: WRONG: a scan found %zu of %d records\n", record, RECORDS);
			exit(1);
		}
		sop_cursor_free(cursor);
		must(sop_commit(bench->reader, &err), &err);
	}
}

/* Nanoseconds of one operation, in the best of the rounds: everything else on the machine only adds. */
static double best_of(struct bench *bench, void (*work)(struct bench *bench, size_t operations))
{
	double best = 0;

	for (int i = 0; i < ROUNDS; i++) {
		const double begin = now_ns();

		work(bench, bench->operations);
		const double taken = (now_ns() - begin) / (double)bench->operations;

		if (i == 0 || taken < best)
			best = taken;
	}
	return best;
}

static void measure(struct bench *bench, const char *what, size_t count)
{
	const double got = best_of(bench, get);
	const double committed = best_of(bench, overwrite);
	const double stepped = best_of(bench, scan);

	printf("%-14s %9zu %9.0f %9.0f %9.1f\n", what, count, got, committed, stepped);
	fflush(stdout);
}

static sop_txn *begin(sop_db *db, uint32_t mode)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_txn *txn = NULL;

	options.mode = mode;
	options.durability = mode == SOP_WRITE ? SOP_BUFFERED : 0;
	must(sop_begin(db, &options, &txn, &err), &err);
	return txn;
}

static void open_bench(struct bench *bench, const char *url)
{
	sop_options *options = NULL;
	sop_error err = SOP_ERROR_INIT;

	must(sop_options_new(&options, &err), &err);
	must(sop_options_set_bool(options, "create", 1, &err), &err);
	must(sop_open(url, options, &bench->db, &err), &err);
	sop_options_free(options);
	must(sop_store_open(bench->db, (sop_bytes){ "measured", 8 }, NULL, &bench->store, &err), &err);
	bench->writer = begin(bench->db, SOP_WRITE);
	must(sop_store_create(bench->writer, bench->store, &err), &err);
	for (size_t record = 0; record < RECORDS; record++)
		put(bench, record);
	must(sop_commit(bench->writer, &err), &err);
	bench->reader = begin(bench->db, SOP_READ);
	must(sop_commit(bench->reader, &err), &err);
}

static void close_bench(struct bench *bench)
{
	sop_error err = SOP_ERROR_INIT;

	sop_txn_free(bench->writer);
	sop_txn_free(bench->reader);
	sop_store_free(bench->store);
	must(sop_close(bench->db, &err), &err);
	sop_db_free(bench->db);
}

/* Readers of different ages: a commit between each and the next. */
static void more_readers(struct bench *bench, size_t count)
{
	for (; bench->open_count < count; bench->open_count++) {
		overwrite(bench, 1);
		bench->open[bench->open_count] = begin(bench->db, SOP_READ);
	}
}

static void no_readers(struct bench *bench)
{
	while (bench->open_count > 0)
		sop_txn_free(bench->open[--bench->open_count]);
}

/* A store with one record. */
static void make_store(struct bench *bench, size_t number)
{
	char name[32];
	sop_error err = SOP_ERROR_INIT;
	sop_store *store = NULL;

	snprintf(name, sizeof name, "other%zu", number);
	must(sop_store_open(bench->db, (sop_bytes){ name, strlen(name) }, NULL, &store, &err), &err);
	must(sop_store_create(bench->writer, store, &err), &err);
	must(sop_put(bench->writer, store, (sop_bytes){ name, strlen(name) }, (sop_bytes){ "", 0 }, &err),
	     &err);
	sop_store_free(store);
}

static void more_stores(struct bench *bench, size_t from, size_t to)
{
	sop_error err = SOP_ERROR_INIT;

	while (from < to) {
		must(sop_txn_renew(bench->writer, &err), &err);
		do
			make_store(bench, from++);
		while (from < to && from % STORES_A_COMMIT != 0);
		must(sop_commit(bench->writer, &err), &err);
	}
}

static size_t number(const char *text)
{
	char *end;
	const unsigned long long value = strtoull(text, &end, 10);

	if (*end != 0 || value < 1 || value > 10000000) {
		fprintf(stderr, "flat: not a sensible number: %s\n", text);
		exit(2);
	}
	return (size_t)value;
}

int main(int argc, char **argv)
{
	static const size_t readers[LEVELS] = { 0, 10, 100, READERS_MAX };
	static const size_t stores[LEVELS] = { 10, 100, 1000, 10000 };
	static struct bench bench;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: flat URL [OPERATIONS]\n"
				"  URL         of a database that is made\n"
				"  OPERATIONS  of each kind in a round (20000)\n");
		return 2;
	}
	bench.operations = argc == 3 ? number(argv[2]) : 20000;
	open_bench(&bench, argv[1]);
	printf("%-14s %9s %9s %9s %9s\n", "beside", "", "get, ns", "commit, ns", "step, ns");
	measure(&bench, "commits before", 0);
	for (size_t commits = 5 * bench.operations; commits <= 50 * bench.operations; commits *= 10) {
		overwrite(&bench, commits);
		measure(&bench, "commits before", (size_t)bench.written);
	}
	for (int i = 0; i < LEVELS; i++) {
		more_readers(&bench, readers[i]);
		measure(&bench, "open readers", readers[i]);
	}
	no_readers(&bench);
	for (size_t i = 0, before = 0; i < LEVELS; before = stores[i++]) {
		more_stores(&bench, before, stores[i]);
		measure(&bench, "other stores", stores[i]);
	}
	close_bench(&bench);
	return 0;
}
