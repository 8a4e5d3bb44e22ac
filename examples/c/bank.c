/* A bank: eight threads transfer money between accounts while a reader adds all of them up.
 * Every transfer is one transaction, run again when it conflicts; every sum is taken in one snapshot,
 * so it must always be what was paid in. Exits with 1 if it was not, or if the database does not verify.
 *
 * usage: bank [TRANSFERS_PER_THREAD [ACCOUNTS]] */
#include <sop/sop.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRY(call)                                                                                  \
	do {                                                                                       \
		const sop_status tried = (call);                                                   \
		if (tried != SOP_OK)                                                               \
			return tried;                                                              \
	} while (0)

enum {
	TELLERS = 8,
	PAID_IN = 1000, /* to each account at first */
	AMOUNT_MAX = 100, /* of one transfer */
	KEY_BYTES = 4,
};

struct bank {
	sop_db *db;
	sop_store *accounts;
	uint32_t account_count; /* at least 2 */
	uint32_t transfers_per_teller;
	atomic_bool closing; /* tells the auditor to stop */
	atomic_bool failed; /* somebody gave up, or a sum was wrong */
};

/* A thread and what it works on. */
struct teller {
	struct bank *bank;
	pthread_t thread;
	uint64_t random;
	uint32_t from, to;
	int64_t amount;
	uint64_t moved, refused; /* transfers that were made; that the balance did not allow */
	bool done; /* whether the latest attempt moved anything */
};

static void report(const char *who, const sop_error *err)
{
	fprintf(stderr, "%s: %s: %s\n", who, sop_status_name(err->status), err->message);
}

/* Keys are raw bytes here: four, the highest first, so that they sort as the numbers do. */
static sop_bytes account_key(uint32_t account, uint8_t room[KEY_BYTES])
{
	for (int i = 0; i < KEY_BYTES; i++)
		room[i] = (uint8_t)(account >> (8 * (KEY_BYTES - 1 - i)));
	return (sop_bytes){ room, KEY_BYTES };
}

static sop_status read_balance(sop_txn *txn, const struct bank *bank, uint32_t account,
			       int64_t *balance, sop_error *err)
{
	uint8_t key[KEY_BYTES];
	int64_t room[1] = { 0 }; /* as large as every value here */
	sop_buf value = SOP_BUF_OVER(room);

	TRY(sop_get(txn, bank->accounts, account_key(account, key), &value, err));
	*balance = room[0];
	return SOP_OK;
}

static sop_status write_balance(sop_txn *txn, const struct bank *bank, uint32_t account,
				int64_t balance, sop_error *err)
{
	uint8_t key[KEY_BYTES];

	return sop_put(txn, bank->accounts, account_key(account, key),
		       (sop_bytes){ &balance, sizeof balance }, err);
}

static sop_status found(sop_txn *txn, void *arg, sop_error *err)
{
	const struct bank *bank = arg;

	TRY(sop_store_create(txn, bank->accounts, err));
	for (uint32_t account = 0; account < bank->account_count; account++)
		TRY(write_balance(txn, bank, account, PAID_IN, err));
	return SOP_OK;
}

/* The body of one transfer. It may run several times, so it only sets what it would set again. */
static sop_status transfer(sop_txn *txn, void *arg, sop_error *err)
{
	struct teller *teller = arg;
	int64_t from = 0, to = 0;

	TRY(read_balance(txn, teller->bank, teller->from, &from, err));
	TRY(read_balance(txn, teller->bank, teller->to, &to, err));
	teller->done = from >= teller->amount;
	if (!teller->done)
		return SOP_OK; /* nothing was written: this commits as a read */
	TRY(write_balance(txn, teller->bank, teller->from, from - teller->amount, err));
	return write_balance(txn, teller->bank, teller->to, to + teller->amount, err);
}

/* xorshift64*: fast, and the same sequence in every run. */
static uint32_t next_random(struct teller *teller, uint32_t below)
{
	teller->random ^= teller->random >> 12;
	teller->random ^= teller->random << 25;
	teller->random ^= teller->random >> 27;
	return (uint32_t)((teller->random * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % below;
}

static void *teller_main(void *arg)
{
	struct teller *teller = arg;
	struct bank *bank = teller->bank;
	sop_error err = SOP_ERROR_INIT;

	for (uint32_t i = 0; i < bank->transfers_per_teller && !atomic_load(&bank->failed); i++) {
		teller->from = next_random(teller, bank->account_count);
		teller->to = (teller->from + 1 + next_random(teller, bank->account_count - 1)) %
			     bank->account_count;
		teller->amount = 1 + next_random(teller, AMOUNT_MAX);
		if (sop_run(bank->db, NULL, transfer, teller, &err) != SOP_OK) {
			report("transfer", &err);
			atomic_store(&bank->failed, true);
		} else if (teller->done) {
			teller->moved++;
		} else {
			teller->refused++;
		}
	}
	return NULL;
}

struct audit {
	struct bank *bank;
	uint64_t count; /* how many were made */
	uint64_t accounts;
	int64_t total;
};

/* Adds up all accounts as one transaction sees them. */
static sop_status add_up(sop_txn *txn, void *arg, sop_error *err)
{
	struct audit *audit = arg;
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_status status;

	audit->accounts = 0;
	audit->total = 0;
	TRY(sop_cursor_open(txn, audit->bank->accounts, NULL, 0, &cursor, err));
	while ((status = sop_cursor_next(cursor, &entry, err)) == SOP_OK) {
		int64_t balance;

		memcpy(&balance, entry.value.data, sizeof balance);
		audit->accounts++;
		audit->total += balance;
	}
	sop_cursor_free(cursor);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

/* Adds up once and tells whether the sum is right. */
static bool audit_once(struct audit *audit)
{
	struct bank *bank = audit->bank;
	const int64_t paid_in = (int64_t)bank->account_count * PAID_IN;
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;

	reading.mode = SOP_READ;
	if (sop_run(bank->db, &reading, add_up, audit, &err) != SOP_OK) {
		report("audit", &err);
		return false;
	}
	audit->count++;
	if (audit->accounts == bank->account_count && audit->total == paid_in)
		return true;
	fprintf(stderr, "audit %" PRIu64 ": %" PRId64 " in %" PRIu64 " accounts\n", audit->count,
		audit->total, audit->accounts);
	return false;
}

static void *auditor_main(void *arg)
{
	struct audit *audit = arg;
	struct bank *bank = audit->bank;

	while (!atomic_load(&bank->closing)) {
		if (!audit_once(audit))
			atomic_store(&bank->failed, true);
	}
	return NULL;
}

static double now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	if (pthread_create(thread, NULL, run, arg) != 0) {
		fprintf(stderr, "no more threads\n");
		exit(EXIT_FAILURE);
	}
}

/* Opens the bank and pays in. */
static bool open_bank(struct bank *bank)
{
	static const char NAME[] = "accounts";
	const sop_bytes name = { NAME, sizeof NAME - 1 };
	sop_error err = SOP_ERROR_INIT;

	if (sop_open("inmemory:", NULL, &bank->db, &err) == SOP_OK &&
	    sop_store_open(bank->db, name, NULL, &bank->accounts, &err) == SOP_OK &&
	    sop_run(bank->db, NULL, found, bank, &err) == SOP_OK)
		return true;
	report("open", &err);
	return false;
}

/* Runs the tellers and the auditor to their end; returns the seconds that the tellers took. */
static double work(struct bank *bank, struct teller tellers[TELLERS], struct audit *audit)
{
	const double begin_s = now_s();
	double taken_s;
	pthread_t auditor;

	start(&auditor, auditor_main, audit);
	for (uint32_t i = 0; i < TELLERS; i++) {
		tellers[i] = (struct teller){ .bank = bank, .random = i + 1 };
		start(&tellers[i].thread, teller_main, &tellers[i]);
	}
	for (uint32_t i = 0; i < TELLERS; i++)
		(void)pthread_join(tellers[i].thread, NULL);
	taken_s = now_s() - begin_s;
	atomic_store(&bank->closing, true);
	(void)pthread_join(auditor, NULL);
	return taken_s;
}

/* Checks the database and the money at the end, and prints what happened. */
static bool settle(struct bank *bank, const struct teller tellers[TELLERS], struct audit *audit,
		   double taken_s)
{
	sop_error err = SOP_ERROR_INIT;
	sop_stats stats = SOP_STATS_INIT;
	uint64_t moved = 0, refused = 0;

	for (uint32_t i = 0; i < TELLERS; i++) {
		moved += tellers[i].moved;
		refused += tellers[i].refused;
	}
	if (sop_verify(bank->db, NULL, NULL, NULL, &err) != SOP_OK ||
	    sop_db_stats(bank->db, &stats, &err) != SOP_OK) {
		report("verify", &err);
		return false;
	}
	if (!audit_once(audit) || atomic_load(&bank->failed))
		return false;
	printf("%d threads: %" PRIu64 " transfers, %" PRIu64 " refused, in %.2f s: %.0f a second\n",
	       TELLERS, moved, refused, taken_s, (double)(moved + refused) / taken_s);
	printf("%" PRIu64 " conflicts, %" PRIu64 " retries\n", stats.conflicts, stats.retries);
	printf("%" PRIu64 " audits, each found %" PRId64 " in %" PRIu64 " accounts\n", audit->count,
	       audit->total, audit->accounts);
	return true;
}

int main(int argc, char **argv)
{
	struct bank bank = { 0 };
	struct teller tellers[TELLERS];
	struct audit audit = { .bank = &bank };
	bool fine = false;

	bank.transfers_per_teller = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10000;
	bank.account_count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 100;
	if (bank.transfers_per_teller == 0 || bank.account_count < 2) {
		fprintf(stderr, "usage: bank [TRANSFERS_PER_THREAD [ACCOUNTS]]\n");
		return 2;
	}
	if (open_bank(&bank)) {
		const double taken_s = work(&bank, tellers, &audit);

		fine = settle(&bank, tellers, &audit, taken_s);
	}
	sop_store_free(bank.accounts);
	sop_db_free(bank.db);
	return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
