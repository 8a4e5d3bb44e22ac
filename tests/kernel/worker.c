/* The worker: threads that commit until somebody kills them, and tell about it. Only the public interface is used.
 *
 * usage: PROGRAM --worker URL PIPE SESSION THREADS SEED MIXED HEAVY CLOSE-AFTER-MS
 * MIXED 1: commits of all three durabilities. HEAVY 1: few notes, large and replaced all the time, beside checkpoints.
 * With a CLOSE-AFTER-MS that is not 0 it closes the database after that and ends with 0; that may be killed too. */
#include "kernel/protocol.h"
#include "support/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRY(call)                                                                                  \
	do {                                                                                       \
		const sop_status tried = (call);                                                   \
		if (tried != SOP_OK)                                                               \
			return tried;                                                              \
	} while (0)

enum {
	ATTEMPTS_MAX = 100000,
	VALUE_BYTES_MAX = 1 << 21,
};

struct worker {
	sop_db *db;
	sop_store *stores[STORE_COUNT];
	int pipe;
	uint32_t session;
	uint32_t threads;
	uint64_t seed;
	bool mixed;
	bool heavy;
	uint64_t close_after_ms; /* 0: never */
	atomic_bool closing;
};

struct hand {
	struct worker *worker;
	uint32_t thread;
	pthread_t handle;
	struct test_rng rng;
	sop_store *shelf;
	uint8_t *value; /* of VALUE_BYTES_MAX */
};

static void tell(const struct worker *w, const struct message *m)
{
	if (write(w->pipe, m, sizeof *m) != (ssize_t)sizeof *m)
		_exit(3); /* nobody listens any more */
}

static void tell_error(const struct worker *w, uint32_t thread, const char *what, const sop_error *err)
{
	struct message m = {
		.kind = MESSAGE_ERROR, .session = w->session, .thread = thread, .status = err->status
	};

	(void)snprintf(m.text, sizeof m.text, "%.20s: %s: %.110s", what,
		       sop_status_name(err->status), err->message);
	tell(w, &m);
}

/* ---- what a transaction does ------------------------------------------------------------------ */

static sop_status change_balance(sop_txn *txn, sop_store *store, uint32_t account, int64_t by,
				 sop_error *err)
{
	uint8_t key[ACCOUNT_KEY_BYTES];
	int64_t balance = 0;
	sop_buf value = SOP_BUF_OVER(&balance);

	TRY(sop_get(txn, store, account_key(account, key), &value, err));
	balance += by;
	return sop_put(txn, store, account_key(account, key),
		       (sop_bytes){ &balance, sizeof balance }, err);
}

static sop_status create_shelf(struct hand *h, sop_txn *txn, const struct message *m, sop_error *err)
{
	const sop_status status = sop_store_create(txn, h->shelf, err);

	if (status != SOP_OK)
		return status == SOP_EXISTS ? SOP_OK : status;
	fill_value(m, h->value, m->note_bytes);
	for (uint32_t i = 0; i < SHELF_ITEMS; i++) {
		uint8_t key[ACCOUNT_KEY_BYTES];

		TRY(sop_put(txn, h->shelf, account_key(i, key),
			    (sop_bytes){ h->value, m->note_bytes }, err));
	}
	return SOP_OK;
}

static sop_status do_note(struct hand *h, sop_txn *txn, const struct message *m, sop_error *err)
{
	sop_store *notebook = h->worker->stores[NOTEBOOK];
	uint8_t key[NOTE_KEY_BYTES];
	sop_status status = SOP_OK;

	switch (m->action) {
	case NOTE_PUT:
		fill_value(m, h->value, m->note_bytes);
		return sop_put(txn, notebook, note_key(m->thread, m->note, key),
			       (sop_bytes){ h->value, m->note_bytes }, err);
	case NOTE_REMOVE:
		status = sop_remove(txn, notebook, note_key(m->thread, m->note, key), 0, err);
		break;
	case SHELF_CREATE:
		return create_shelf(h, txn, m, err);
	case SHELF_DROP:
		status = sop_store_drop(txn, h->shelf, err);
		break;
	default:
		break;
	}
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

static sop_status body(struct hand *h, sop_txn *txn, const struct message *m, sop_error *err)
{
	sop_store *const *stores = h->worker->stores;
	sop_store *from = stores[m->eastward ? WEST : EAST], *to = stores[m->eastward ? EAST : WEST];
	uint8_t key[JOURNAL_KEY_BYTES];

	TRY(change_balance(txn, from, m->from, -m->amount, err));
	TRY(change_balance(txn, to, m->to, m->amount, err));
	fill_value(m, h->value, m->journal_bytes);
	TRY(sop_insert(txn, stores[JOURNAL], journal_key(m, key),
		       (sop_bytes){ h->value, m->journal_bytes }, NULL, err));
	return do_note(h, txn, m, err);
}

/* One attempt, under the transaction's own id. */
static sop_status attempt(struct hand *h, const struct message *m, uint64_t *position, sop_error *err)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_txn *txn = NULL;
	sop_status status;

	options.durability = m->durability;
	transaction_id(m, options.id);
	TRY(sop_begin(h->worker->db, &options, &txn, err));
	status = body(h, txn, m, err);
	if (status == SOP_OK)
		status = sop_commit(txn, err);
	if (status == SOP_OK)
		status = sop_txn_position(txn, position, err);
	sop_txn_free(txn);
	return status;
}

/* ---- what is to be done ------------------------------------------------------------------------ */

static uint32_t value_size(struct test_rng *rng)
{
	const uint64_t kind = test_rng_below(rng, 1000);

	if (kind < 600)
		return (uint32_t)test_rng_below(rng, 300);
	if (kind < 900)
		return (uint32_t)(1000 + test_rng_below(rng, 4000));
	if (kind < 993)
		return (uint32_t)(5000 + test_rng_below(rng, 60000));
	return (uint32_t)((1 << 20) - 8 + test_rng_below(rng, 300000)); /* beyond 1 MiB: a file of its own */
}

static void plan(struct hand *h, uint32_t sequence, struct message *m)
{
	static const uint32_t mixed[] = { SOP_FLUSHED, SOP_WRITTEN, SOP_BUFFERED, SOP_BUFFERED };
	struct test_rng *rng = &h->rng;

	memset(m, 0, sizeof *m);
	m->kind = MESSAGE_INTENT;
	m->session = h->worker->session;
	m->thread = h->thread;
	m->sequence = sequence;
	m->durability = h->worker->mixed ? mixed[test_rng_below(rng, 4)] : SOP_FLUSHED;
	m->eastward = (uint32_t)test_rng_below(rng, 2);
	m->from = (uint32_t)test_rng_below(rng, ACCOUNTS);
	m->to = (uint32_t)test_rng_below(rng, ACCOUNTS);
	m->amount = 1 + (int64_t)test_rng_below(rng, 100);
	m->journal_bytes = (uint32_t)test_rng_below(rng, test_rng_once_in(rng, 20) ? 3000 : 200);
	m->note = (uint32_t)test_rng_below(rng, NOTES);
	m->note_bytes = value_size(rng);
	m->action = test_rng_once_in(rng, 4) ? NOTE_REMOVE : NOTE_PUT;
	if (test_rng_once_in(rng, 3))
		m->action = NOTE_NONE;
	if (h->worker->heavy) {
		m->note = 0;
		m->action = NOTE_PUT;
		m->note_bytes = (1 << 20) + 1;
	} else if (test_rng_once_in(rng, 40)) {
		m->action = test_rng_once_in(rng, 2) ? SHELF_CREATE : SHELF_DROP;
		m->note_bytes = m->note_bytes % 3000;
	}
}

/* Commits one transaction, however often it conflicts; false: no more is to be expected. */
static bool work_once(struct hand *h, uint32_t sequence)
{
	struct worker *w = h->worker;
	sop_error err = SOP_ERROR_INIT;
	sop_status status = SOP_CONFLICT;
	struct message m;

	plan(h, sequence, &m);
	tell(w, &m);
	for (int i = 0; i < ATTEMPTS_MAX && status == SOP_CONFLICT; i++)
		status = attempt(h, &m, &m.position, &err);
	if (status == SOP_OK) {
		m.kind = MESSAGE_ACK;
		tell(w, &m);
		return true;
	}
	if (status != SOP_CLOSED || !atomic_load(&w->closing))
		tell_error(w, h->thread, "commit", &err);
	return false;
}

/* Now and then what happens by itself otherwise. */
static bool maintain(struct hand *h)
{
	struct worker *w = h->worker;
	const uint64_t what = test_rng_below(&h->rng, w->heavy ? 80 : 400);
	sop_error err = SOP_ERROR_INIT;
	sop_status status = SOP_OK;

	if (what < 8)
		status = sop_checkpoint(w->db, &err);
	else if (what < 11)
		status = sop_gc(w->db, NULL, NULL, &err);
	else if (what < 14)
		status = sop_sync(w->db, &err);
	if (status == SOP_OK || (status == SOP_CLOSED && atomic_load(&w->closing)))
		return true;
	tell_error(w, h->thread, "maintenance", &err);
	return false;
}

static void *hand_main(void *arg)
{
	struct hand *h = arg;

	for (uint32_t i = 0; work_once(h, i) && maintain(h); i++)
		;
	return NULL;
}

/* ---- beginning and end -------------------------------------------------------------------------- */

/* Pays in, unless that was done before. */
static sop_status found(sop_txn *txn, void *arg, sop_error *err)
{
	const struct worker *w = arg;

	for (int i = 0; i < STORE_COUNT; i++)
		TRY(sop_store_create(txn, w->stores[i], err));
	for (uint32_t i = 0; i < 2 * ACCOUNTS; i++) {
		const int64_t balance = PAID_IN;
		uint8_t key[ACCOUNT_KEY_BYTES];

		TRY(sop_put(txn, w->stores[i % 2 ? WEST : EAST], account_key(i / 2, key),
			    (sop_bytes){ &balance, sizeof balance }, err));
	}
	return SOP_OK;
}

static sop_status open_bank(struct worker *w, const char *url, sop_error *err)
{
	const struct message founding = { .thread = FOUNDER };
	const struct message opened = { .kind = MESSAGE_OPENED, .session = w->session };
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_status status;

	TRY(sop_open(url, NULL, &w->db, err));
	tell(w, &opened);
	TRY(declare_stores(w->db, w->stores, err));
	transaction_id(&founding, options.id);
	status = sop_run(w->db, &options, found, w, err);
	return status == SOP_EXISTS ? SOP_OK : status;
}

static bool start_hand(struct worker *w, uint32_t thread, struct hand *h)
{
	sop_error err = SOP_ERROR_INIT;

	*h = (struct hand){ .worker = w, .thread = thread, .value = test_alloc(VALUE_BYTES_MAX) };
	test_rng_init(&h->rng, w->seed + w->session, thread);
	if (declare_shelf(w->db, thread, &h->shelf, &err) != SOP_OK) {
		tell_error(w, thread, "shelf", &err);
		return false;
	}
	return pthread_create(&h->handle, NULL, hand_main, h) == 0;
}

static int work(struct worker *w)
{
	struct hand hands[THREADS_MAX];
	sop_error err = SOP_ERROR_INIT;

	for (uint32_t i = 0; i < w->threads; i++) {
		if (!start_hand(w, i, &hands[i]))
			return 4;
	}
	if (w->close_after_ms != 0) {
		test_sleep_us((unsigned)w->close_after_ms * 1000);
		atomic_store(&w->closing, true);
		if (sop_close(w->db, &err) != SOP_OK)
			tell_error(w, 0, "close", &err);
	}
	for (uint32_t i = 0; i < w->threads; i++) {
		(void)pthread_join(hands[i].handle, NULL);
		sop_store_free(hands[i].shelf);
		free(hands[i].value);
	}
	return 0;
}

int worker_main(int argc, char **argv)
{
	struct worker w = { .close_after_ms = 0 };
	sop_error err = SOP_ERROR_INIT;
	int status = 5;

	if (argc < 10)
		return 2;
	w.pipe = atoi(argv[3]);
	w.session = (uint32_t)strtoul(argv[4], NULL, 10);
	w.threads = (uint32_t)strtoul(argv[5], NULL, 10);
	w.seed = strtoull(argv[6], NULL, 10);
	w.mixed = atoi(argv[7]) != 0;
	w.heavy = atoi(argv[8]) != 0;
	w.close_after_ms = strtoull(argv[9], NULL, 10);
	if (w.threads > THREADS_MAX)
		return 2;
	if (open_bank(&w, argv[2], &err) == SOP_OK)
		status = work(&w);
	else
		tell_error(&w, FOUNDER, "open", &err);
	for (int i = 0; i < STORE_COUNT; i++)
		sop_store_free(w.stores[i]);
	sop_db_free(w.db);
	return status;
}
