/* Commits again and again, for tests/bench/count_flushes to watch: THREADS threads make COMMITS commits
 * each, every one of a single overwrite; behind each answer a `.` goes to standard error, if that is asked for. What happens between the words `begin` and `end` on standard
 * error is what the commits cost; opening, closing and the first commit of each thread are outside. */
#include <sop/sop.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	THREADS_MAX = 1024,
	COMMITS_MAX = 100000000,
	KEY_BYTES = 16,
	VALUE_BYTES = 100,
	RECORDS = 64
};

struct loop {
	sop_db *db;
	sop_store *store;
	size_t commits; /* of each thread */
	int answers; /* whether each is told */
	pthread_barrier_t barrier;
};

struct worker {
	struct loop *loop;
	size_t number;
	pthread_t thread;
};

static void must(sop_status status, const sop_error *err)
{
	if (status != SOP_OK) {
		fprintf(stderr, "commit_loop: %s: %s\n", sop_status_name(status), err->message);
		exit(1);
	}
}

/* What the trace is cut at. */
static void mark(const char *word)
{
	if (write(STDERR_FILENO, word, strlen(word)) < 0)
		exit(1);
}

static sop_status make_store(sop_txn *txn, void *store, sop_error *err)
{
	const sop_status status = sop_store_create(txn, store, err);

	return status == SOP_EXISTS ? SOP_OK : status;
}

/* Overwrites a record of this worker. */
static void put(struct worker *worker, sop_txn *txn, size_t turn)
{
	char key[KEY_BYTES + 1], value[VALUE_BYTES];
	sop_error err = SOP_ERROR_INIT;

	snprintf(key, sizeof key, "%08zu%08zu", worker->number, turn % RECORDS);
	memset(value, (int)(turn & 0xFF), sizeof value);
	must(sop_put(txn, worker->loop->store, (sop_bytes){ key, KEY_BYTES },
		     (sop_bytes){ value, sizeof value }, &err),
	     &err);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct loop *loop = worker->loop;
	sop_txn *txn = NULL;
	sop_error err = SOP_ERROR_INIT;

	must(sop_begin(loop->db, NULL, &txn, &err), &err);
	put(worker, txn, 0);
	must(sop_commit(txn, &err), &err);
	pthread_barrier_wait(&loop->barrier); /* all are ready */
	pthread_barrier_wait(&loop->barrier); /* `begin` is said */
	for (size_t i = 0; i < loop->commits; i++) {
		must(sop_txn_renew(txn, &err), &err);
		put(worker, txn, i + 1);
		must(sop_commit(txn, &err), &err);
		if (loop->answers)
			mark(".");
	}
	pthread_barrier_wait(&loop->barrier); /* all are done */
	sop_txn_free(txn);
	return NULL;
}

static void open_database(struct loop *loop, const char *url)
{
	sop_options *options = NULL;
	sop_error err = SOP_ERROR_INIT;

	must(sop_options_new(&options, &err), &err);
	must(sop_options_set_bool(options, "create", 1, &err), &err);
	must(sop_open(url, options, &loop->db, &err), &err);
	sop_options_free(options);
	must(sop_store_open(loop->db, (sop_bytes){ "loop", 4 }, NULL, &loop->store, &err), &err);
	must(sop_run(loop->db, NULL, make_store, loop->store, &err), &err);
}

static void close_database(struct loop *loop)
{
	sop_error err = SOP_ERROR_INIT;

	sop_store_free(loop->store);
	must(sop_close(loop->db, &err), &err);
	sop_db_free(loop->db);
}

/* Bytes that this process has caused to be written to storage; 0 where the system does not tell. */
static uint64_t bytes_written(void)
{
	FILE *file = fopen("/proc/self/io", "r");
	uint64_t bytes = 0;
	char line[128];

	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "write_bytes: %" SCNu64, &bytes) == 1)
			break;
	}
	if (file != NULL)
		fclose(file);
	return bytes;
}

static size_t number(const char *text, size_t max)
{
	char *end;
	const unsigned long long value = strtoull(text, &end, 10);

	if (*end != 0 || value < 1 || value > max) {
		fprintf(stderr, "commit_loop: not a sensible number: %s\n", text);
		exit(2);
	}
	return (size_t)value;
}

int main(int argc, char **argv)
{
	static struct worker workers[THREADS_MAX];
	struct loop loop = { NULL, NULL, 0, 0, { { 0 } } };
	size_t threads;
	uint64_t before, after;

	if (argc != 4 && (argc != 5 || strcmp(argv[4], "answers") != 0)) {
		fprintf(stderr, "usage: commit_loop URL THREADS COMMITS [answers]\n");
		return 2;
	}
	threads = number(argv[2], THREADS_MAX);
	loop.commits = number(argv[3], COMMITS_MAX);
	loop.answers = argc == 5;
	open_database(&loop, argv[1]);
	if (pthread_barrier_init(&loop.barrier, NULL, (unsigned)threads + 1) != 0)
		return 1;
	for (size_t i = 0; i < threads; i++) {
		workers[i].loop = &loop;
		workers[i].number = i;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			return 1;
	}
	pthread_barrier_wait(&loop.barrier);
	before = bytes_written();
	mark("begin\n");
	pthread_barrier_wait(&loop.barrier);
	pthread_barrier_wait(&loop.barrier);
	mark("end\n");
	after = bytes_written();
	for (size_t i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_barrier_destroy(&loop.barrier);
	close_database(&loop);
	printf("threads=%zu commits=%zu write_bytes=%" PRIu64 "\n", threads, threads * loop.commits,
	       after - before);
	return 0;
}
