/* A bank in a folder, whose clerks are killed in the middle of their work.
 *
 * The program starts itself a second process, in which eight tellers transfer money between accounts of two stores and
 * write each transfer into a journal, while an auditor adds everything up. Each transfer is one transaction over three
 * stores, run again when it conflicts, and on stable storage when it is acknowledged: then the first process is told of
 * it. After a second the first process kills the other with SIGKILL, opens the database, and checks: every transfer of
 * which it was told is there, none is there by half, and every balance is what the journal says.
 * Run it again, and the bank goes on where it was. Exits with 1 if anything is wrong.
 *
 * usage: bank [FOLDER [MILLISECONDS]]      a folder that is missing is made; its parent must exist */
#include <sop/sop.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRY(call)                                                                                  \
	do {                                                                                       \
		const sop_status tried = (call);                                                   \
		if (tried != SOP_OK)                                                               \
			return tried;                                                              \
	} while (0)

enum { CHECKING, SAVINGS, JOURNAL, STORES };

enum {
	TELLERS = 8,
	ACCOUNTS = 500, /* in each of checking and savings */
	PAID_IN = 1000, /* to each account at first */
	AMOUNT_MAX = 100, /* of one transfer */
	ACCOUNT_KEY_BYTES = 4,
	JOURNAL_KEY_BYTES = 12,
	WORK_MS = 1000,
	WORK_MS_MAX = 3600000,
};

static const char *const NAMES[STORES] = { "checking", "savings", "journal" };

struct bank {
	const char *folder;
	sop_db *db;
	sop_store *stores[STORES];
	uint32_t run; /* of the program, on this folder: 1, 2, ... */
	int acknowledge; /* the pipe to the first process */
};

/* A transfer, as the journal has it: its key is its name, its value the rest. */
struct transfer {
	uint32_t run, teller, number;
	uint32_t from_store, from, to_store, to; /* accounts */
	int64_t amount;
};

/* What the first process is told. */
struct acknowledged {
	uint32_t run, teller, transfers;
};

struct teller {
	struct bank *bank;
	pthread_t thread;
	uint64_t random;
	struct transfer next;
	bool done; /* whether the latest attempt moved anything */
};

/* Keys are raw bytes here: numbers with the highest byte first, so that they sort as the numbers do. */
static void put_number(uint8_t *at, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(number >> (24 - 8 * i));
}

static uint32_t take_number(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static sop_bytes account_key(uint32_t account, uint8_t room[ACCOUNT_KEY_BYTES])
{
	put_number(room, account);
	return (sop_bytes){ room, ACCOUNT_KEY_BYTES };
}

static sop_bytes journal_key(const struct transfer *transfer, uint8_t room[JOURNAL_KEY_BYTES])
{
	put_number(room, transfer->run);
	put_number(room + 4, transfer->teller);
	put_number(room + 8, transfer->number);
	return (sop_bytes){ room, JOURNAL_KEY_BYTES };
}

/* ---- opening --------------------------------------------------------------------------------------- */

/* Opens the bank in its folder, which is made if it is missing. What a crash left behind is put right first. */
static sop_status open_bank(struct bank *bank, sop_error *err)
{
	sop_options *options = NULL;
	sop_status status;

	TRY(sop_options_new(&options, err));
	status = sop_options_set_bool(options, "create", 1, err);
	if (status == SOP_OK)
		status = sop_open(bank->folder, options, &bank->db, err);
	sop_options_free(options);
	for (int i = 0; i < STORES && status == SOP_OK; i++)
		status = sop_store_open(bank->db, (sop_bytes){ NAMES[i], strlen(NAMES[i]) }, NULL,
					&bank->stores[i], err);
	return status;
}

static void close_bank(struct bank *bank)
{
	for (int i = 0; i < STORES; i++)
		sop_store_free(bank->stores[i]);
	sop_db_free(bank->db);
}

static sop_status read_balance(sop_txn *txn, sop_store *store, uint32_t account, int64_t *balance,
			       sop_error *err)
{
	uint8_t key[ACCOUNT_KEY_BYTES];
	int64_t room[1] = { 0 }; /* as large as every balance */
	sop_buf value = SOP_BUF_OVER(room);

	TRY(sop_get(txn, store, account_key(account, key), &value, err));
	*balance = room[0];
	return SOP_OK;
}

static sop_status write_balance(sop_txn *txn, sop_store *store, uint32_t account, int64_t balance,
				sop_error *err)
{
	uint8_t key[ACCOUNT_KEY_BYTES];

	return sop_put(txn, store, account_key(account, key),
		       (sop_bytes){ &balance, sizeof balance }, err);
}

/* Makes the stores and pays in; or, if that was done before, finds out which run this is. */
static sop_status found(sop_txn *txn, void *arg, sop_error *err)
{
	struct bank *bank = arg;
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_status status = sop_store_create(txn, bank->stores[JOURNAL], err);

	bank->run = 1;
	if (status == SOP_OK) {
		TRY(sop_store_create(txn, bank->stores[CHECKING], err));
		TRY(sop_store_create(txn, bank->stores[SAVINGS], err));
		for (uint32_t i = 0; i < 2 * ACCOUNTS; i++)
			TRY(write_balance(txn, bank->stores[i % 2], i / 2, PAID_IN, err));
		return SOP_OK;
	}
	if (status != SOP_EXISTS)
		return status;
	TRY(sop_cursor_open(txn, bank->stores[JOURNAL], NULL, SOP_CURSOR_KEYS, &cursor, err));
	status = sop_cursor_prev(cursor, &entry, err); /* a new cursor stands before the first and behind the last */
	if (status == SOP_OK)
		bank->run = take_number(entry.key.data) + 1;
	sop_cursor_free(cursor);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

/* ---- the second process: tellers and an auditor ------------------------------------------------------ */

static void give_up(const char *who, const sop_error *err)
{
	fprintf(stderr, "%s: %s: %s\n", who, sop_status_name(err->status), err->message);
	_exit(EXIT_FAILURE); /* the first process sees it */
}

/* One transfer: two balances and an entry in the journal, in three stores. It may run several times, so it only sets
 * what it would set again. */
static sop_status transfer(sop_txn *txn, void *arg, sop_error *err)
{
	struct teller *teller = arg;
	const struct transfer *next = &teller->next;
	sop_store **stores = teller->bank->stores;
	uint8_t key[JOURNAL_KEY_BYTES];
	int64_t from = 0, to = 0;

	TRY(read_balance(txn, stores[next->from_store], next->from, &from, err));
	TRY(read_balance(txn, stores[next->to_store], next->to, &to, err));
	teller->done = from >= next->amount;
	if (!teller->done)
		return SOP_OK; /* nothing was written: this commits as a read */
	TRY(write_balance(txn, stores[next->from_store], next->from, from - next->amount, err));
	TRY(write_balance(txn, stores[next->to_store], next->to, to + next->amount, err));
	return sop_insert(txn, stores[JOURNAL], journal_key(next, key),
			  (sop_bytes){ next, sizeof *next }, NULL, err);
}

/* xorshift64*: fast, and the same sequence in every run. */
static uint32_t next_random(struct teller *teller, uint32_t below)
{
	teller->random ^= teller->random >> 12;
	teller->random ^= teller->random << 25;
	teller->random ^= teller->random >> 27;
	return (uint32_t)((teller->random * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % below;
}

/* From an account in one of the two stores to another one in the other. */
static void choose(struct teller *teller)
{
	struct transfer *next = &teller->next;

	next->from_store = next_random(teller, 2) == 0 ? CHECKING : SAVINGS;
	next->to_store = next->from_store == CHECKING ? SAVINGS : CHECKING;
	next->from = next_random(teller, ACCOUNTS);
	next->to = next_random(teller, ACCOUNTS);
	next->amount = 1 + next_random(teller, AMOUNT_MAX);
}

static void *teller_main(void *arg)
{
	struct teller *teller = arg;
	struct bank *bank = teller->bank;
	sop_error err = SOP_ERROR_INIT;

	for (;;) {
		choose(teller);
		if (sop_run(bank->db, NULL, transfer, teller, &err) != SOP_OK)
			give_up("transfer", &err);
		if (teller->done) {
			const struct acknowledged told = { bank->run, teller->next.teller,
							   ++teller->next.number };

			if (write(bank->acknowledge, &told, sizeof told) != (ssize_t)sizeof told)
				_exit(EXIT_FAILURE); /* nobody listens */
		}
	}
	return NULL;
}

/* Adds up one store. */
static sop_status add_up(sop_txn *txn, sop_store *store, int64_t *total, sop_error *err)
{
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_status status;

	TRY(sop_cursor_open(txn, store, NULL, 0, &cursor, err));
	while ((status = sop_cursor_next(cursor, &entry, err)) == SOP_OK) {
		int64_t balance;

		memcpy(&balance, entry.value.data, sizeof balance);
		*total += balance;
	}
	sop_cursor_free(cursor);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

static sop_status audit(sop_txn *txn, void *arg, sop_error *err)
{
	const struct bank *bank = arg;
	int64_t total = 0;

	TRY(add_up(txn, bank->stores[CHECKING], &total, err));
	TRY(add_up(txn, bank->stores[SAVINGS], &total, err));
	if (total == INT64_C(2) * ACCOUNTS * PAID_IN)
		return SOP_OK;
	fprintf(stderr, "the auditor found %" PRId64 "\n", total);
	_exit(EXIT_FAILURE);
}

/* Works until it is killed. */
static void work(struct bank *bank)
{
	struct teller tellers[TELLERS];
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;

	if (open_bank(bank, &err) != SOP_OK || sop_run(bank->db, NULL, found, bank, &err) != SOP_OK)
		give_up("open", &err);
	for (uint32_t i = 0; i < TELLERS; i++) {
		tellers[i] =
			(struct teller){ .bank = bank, .random = (uint64_t)bank->run << 8 | (i + 1) };
		tellers[i].next.run = bank->run;
		tellers[i].next.teller = i;
		if (pthread_create(&tellers[i].thread, NULL, teller_main, &tellers[i]) != 0)
			_exit(EXIT_FAILURE);
	}
	reading.mode = SOP_READ; /* a snapshot: it never conflicts and holds nobody up */
	while (sop_run(bank->db, &reading, audit, bank, &err) == SOP_OK)
		(void)usleep(1000);
	give_up("audit", &err);
}

/* ---- the first process: kills, and checks ------------------------------------------------------------ */

/* What must be found. */
struct books {
	struct bank *bank;
	uint32_t run;
	uint32_t told[TELLERS]; /* transfers that were acknowledged in this run */
	uint32_t there[TELLERS]; /* that the journal has */
	uint64_t acknowledged, under_way,
		before; /* those of this run that were told, others of it, of earlier ones */
	int64_t balances[2][ACCOUNTS]; /* as the journal says */
};

static double now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool hear(struct books *books, int from)
{
	struct acknowledged told;

	if (read(from, &told, sizeof told) != (ssize_t)sizeof told || told.teller >= TELLERS)
		return false;
	books->run = told.run;
	books->told[told.teller] = told.transfers;
	books->acknowledged++;
	return true;
}

/* Counts the transfers that are acknowledged within a time from the first on, then kills the tellers. Returns the
 * seconds between, or 0 if they ended by themselves. */
static double watch_and_kill(struct books *books, pid_t tellers, int from, double seconds)
{
	struct pollfd waiting = { .fd = from, .events = POLLIN };
	double begin_s = 0, taken_s = 0;
	int status = 0;

	while (taken_s < seconds) {
		if (poll(&waiting, 1, 1) > 0 && !hear(books, from))
			break;
		if (begin_s == 0 && books->acknowledged != 0)
			begin_s = now_s();
		if (begin_s != 0)
			taken_s = now_s() - begin_s;
	}
	(void)kill(tellers, SIGKILL);
	while (hear(books, from)) /* what had been said before */
		;
	while (waitpid(tellers, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? taken_s : 0;
}

/* Applies one entry of the journal. False: it cannot be. */
static bool apply(struct books *books, const sop_entry *entry)
{
	uint8_t key[JOURNAL_KEY_BYTES];
	struct transfer made;

	if (entry->value.size != sizeof made || entry->key.size != sizeof key)
		return false;
	memcpy(&made, entry->value.data, sizeof made);
	(void)journal_key(&made, key);
	if (memcmp(key, entry->key.data, sizeof key) != 0 || made.teller >= TELLERS ||
	    made.from >= ACCOUNTS || made.to >= ACCOUNTS || made.from_store > SAVINGS ||
	    made.to_store > SAVINGS)
		return false;
	books->balances[made.from_store][made.from] -= made.amount;
	books->balances[made.to_store][made.to] += made.amount;
	if (made.run != books->run) {
		books->before++;
		return true;
	}
	return made.number == books->there[made.teller]++; /* without a gap */
}

static sop_status read_journal(sop_txn *txn, struct books *books, sop_error *err)
{
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_status status;

	TRY(sop_cursor_open(txn, books->bank->stores[JOURNAL], NULL, 0, &cursor, err));
	while ((status = sop_cursor_next(cursor, &entry, err)) == SOP_OK) {
		if (!apply(books, &entry)) {
			fprintf(stderr, "the journal has an entry that nobody wrote\n");
			status = SOP_CORRUPT;
			break;
		}
	}
	sop_cursor_free(cursor);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

/* Every acknowledged transfer is there, and every balance is what the journal says. */
static sop_status check(sop_txn *txn, void *arg, sop_error *err)
{
	struct books *books = arg;

	for (uint32_t i = 0; i < 2 * ACCOUNTS; i++)
		books->balances[i % 2][i / 2] = PAID_IN;
	TRY(read_journal(txn, books, err));
	for (uint32_t i = 0; i < TELLERS; i++) {
		if (books->there[i] < books->told[i]) {
			fprintf(stderr, "teller %u: %u transfers were acknowledged, %u are there\n",
				(unsigned)i, (unsigned)books->told[i], (unsigned)books->there[i]);
			return SOP_CORRUPT;
		}
		books->under_way += books->there[i] - books->told[i];
	}
	for (uint32_t i = 0; i < 2 * ACCOUNTS; i++) {
		int64_t balance;

		TRY(read_balance(txn, books->bank->stores[i % 2], i / 2, &balance, err));
		if (balance != books->balances[i % 2][i / 2]) {
			fprintf(stderr, "account %u: %" PRId64 " instead of %" PRId64 "\n",
				(unsigned)i / 2, balance, books->balances[i % 2][i / 2]);
			return SOP_CORRUPT;
		}
	}
	return audit(txn, books->bank, err);
}

/* Opens what the killed process left, and checks it. */
static bool reopen(struct books *books)
{
	const double begin_s = now_s();
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;
	double open_s;

	reading.mode = SOP_READ;
	if (open_bank(books->bank, &err) != SOP_OK) {
		fprintf(stderr, "open: %s: %s\n", sop_status_name(err.status), err.message);
		return false;
	}
	open_s = now_s() - begin_s;
	if (sop_run(books->bank->db, &reading, check, books, &err) != SOP_OK ||
	    sop_verify(books->bank->db, NULL, NULL, NULL, NULL, &err) != SOP_OK) {
		fprintf(stderr, "check: %s: %s\n", sop_status_name(err.status), err.message);
		return false;
	}
	printf("opened again in %.0f ms\n", open_s * 1e3);
	printf("there: all %" PRIu64 " of them, %" PRIu64 " that were under way, %" PRIu64
	       " of earlier runs\n",
	       books->acknowledged, books->under_way, books->before);
	printf("%d accounts hold %d, each what the journal says; every file verified\n",
	       2 * ACCOUNTS, 2 * ACCOUNTS * PAID_IN);
	return true;
}

int main(int argc, char **argv)
{
	struct bank bank = { .folder = argc > 1 ? argv[1] : "bank.data" };
	const unsigned long work_ms = argc > 2 ? strtoul(argv[2], NULL, 10) : WORK_MS;
	struct books books = { .bank = &bank };
	double taken_s;
	int ends[2];
	pid_t tellers;
	bool fine;

	if (argc > 3 || work_ms == 0 || work_ms > WORK_MS_MAX || pipe(ends) != 0) {
		fprintf(stderr, "usage: bank [FOLDER [MILLISECONDS]]\n");
		return 2;
	}
	tellers = fork(); /* before anything is opened: a database does not cross a fork */
	if (tellers < 0)
		return EXIT_FAILURE;
	if (tellers == 0) {
		(void)close(ends[0]);
		bank.acknowledge = ends[1];
		work(&bank);
	}
	(void)close(ends[1]);
	taken_s = watch_and_kill(&books, tellers, ends[0], (double)work_ms / 1e3);
	if (taken_s == 0) {
		fprintf(stderr, "the tellers stopped by themselves\n");
		return EXIT_FAILURE;
	}
	printf("run %u in %s: %d tellers, killed after %.2f s\n", (unsigned)books.run, bank.folder,
	       TELLERS, taken_s);
	printf("acknowledged by then: %" PRIu64 " transfers, each on stable storage: %.0f a second\n",
	       books.acknowledged, (double)books.acknowledged / taken_s);
	fine = reopen(&books);
	close_bank(&bank);
	return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
