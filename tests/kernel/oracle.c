/* What must be in a database whose users were killed.
 *
 * Every transaction that was acknowledged (with a durability that survives) is there; of the others each is there
 * wholly or not at all; what is missing of the weaker ones is a suffix of the positions of its session; the outcome of
 * each is exact; and what one check has found, the next one finds again. "There" means: its entry is in the journal,
 * with its bytes. All else is computed from those entries and must be so to the last byte: balances, notes, shelves. */
#include "kernel/oracle.h"

#include "support/support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_NAME_BYTES = 512 };

/* One check. */
struct check {
	struct oracle *o;
	sop_db *db;
	sop_store *stores[STORE_COUNT];
	sop_txn *txn;
	uint8_t *room; /* for the bytes that a value should have */
	size_t room_bytes;
	sop_error err;
};

static void problem(struct oracle *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void problem(struct oracle *o, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	o->problems++;
	if (!o->quiet)
		test_note_failure("%s", text);
}

#define NAME_FORMAT "transaction %u.%u.%u"
#define NAME_OF(m) (unsigned)(m)->session, (unsigned)(m)->thread, (unsigned)(m)->sequence

/* ---- hearing ------------------------------------------------------------------------------------- */

void oracle_begin(struct oracle *o, uint32_t weakest, bool errors_allowed)
{
	memset(o, 0, sizeof *o);
	o->weakest = weakest;
	o->errors_allowed = errors_allowed;
}

void oracle_end(struct oracle *o)
{
	for (size_t i = 0; i < o->sessions * THREADS_MAX; i++)
		free(o->threads[i].list);
	free(o->threads);
	o->threads = NULL;
	o->sessions = 0;
	o->capacity = 0;
}

uint32_t oracle_session(struct oracle *o)
{
	const size_t count = (o->sessions + 1) * THREADS_MAX;

	o->threads = test_resize(o->threads, count * sizeof *o->threads);
	memset(o->threads + o->sessions * THREADS_MAX, 0, THREADS_MAX * sizeof *o->threads);
	return (uint32_t)o->sessions++;
}

static struct intent *intent_of(struct oracle *o, uint32_t session, uint32_t thread, uint32_t sequence)
{
	struct intents *of;

	if (session >= o->sessions || thread >= THREADS_MAX)
		return NULL;
	of = &o->threads[session * THREADS_MAX + thread];
	return sequence < of->count ? &of->list[sequence] : NULL;
}

static void hear_intent(struct oracle *o, const struct message *m)
{
	struct intents *of = &o->threads[m->session * THREADS_MAX + m->thread];

	if (m->sequence != of->count) {
		problem(o, NAME_FORMAT ": told out of turn", NAME_OF(m));
		return;
	}
	of->list = test_grow(of->list, of->count, &of->capacity, sizeof *of->list);
	of->list[of->count++] = (struct intent){ .m = *m };
}

static void hear_ack(struct oracle *o, const struct message *m)
{
	struct intent *intent = intent_of(o, m->session, m->thread, m->sequence);

	if (intent == NULL || intent->acknowledged) {
		problem(o, NAME_FORMAT ": acknowledged out of turn", NAME_OF(m));
		return;
	}
	intent->acknowledged = true;
	intent->acknowledged_at = m->position;
	o->acknowledged++;
}

void oracle_hear(void *arg, const struct message *m)
{
	struct oracle *o = arg;

	if (m->kind == MESSAGE_OPENED)
		o->opened++;
	else if (m->kind == MESSAGE_INTENT)
		hear_intent(o, m);
	else if (m->kind == MESSAGE_ACK)
		hear_ack(o, m);
	else if (!o->errors_allowed)
		problem(o, "session %u: %.*s", (unsigned)m->session, (int)sizeof m->text, m->text);
}

/* ---- the journal says what is there ------------------------------------------------------------ */

static bool has_bytes(struct check *c, const struct message *m, uint32_t size, sop_bytes value)
{
	if (value.size != size)
		return false;
	if (c->room_bytes < size) {
		c->room_bytes = size;
		c->room = test_resize(c->room, size);
	}
	fill_value(m, c->room, size);
	return size == 0 || memcmp(c->room, value.data, size) == 0;
}

static uint32_t take_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void meet_entry(struct check *c, const sop_entry *entry)
{
	const uint8_t *key = entry->key.data;
	struct intent *intent;

	if (entry->key.size != JOURNAL_KEY_BYTES) {
		problem(c->o, "the journal has a key of %zu bytes", entry->key.size);
		return;
	}
	intent = intent_of(c->o, take_u32(key), take_u32(key + 4), take_u32(key + 8));
	if (intent == NULL) {
		problem(c->o, "the journal has %u.%u.%u, which nobody wrote", (unsigned)take_u32(key),
			(unsigned)take_u32(key + 4), (unsigned)take_u32(key + 8));
		return;
	}
	intent->found = true;
	if (!has_bytes(c, &intent->m, intent->m.journal_bytes, entry->value))
		problem(c->o, NAME_FORMAT ": its entry in the journal has wrong bytes",
			NAME_OF(&intent->m));
}

static void read_journal(struct check *c)
{
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_status status;

	status = sop_cursor_open(c->txn, c->stores[JOURNAL], NULL, 0, &cursor, &c->err);
	while (status == SOP_OK && (status = sop_cursor_next(cursor, &entry, &c->err)) == SOP_OK)
		meet_entry(c, &entry);
	sop_cursor_free(cursor);
	if (status != SOP_NOT_FOUND)
		problem(c->o, "reading the journal: %s: %s", sop_status_name(status), c->err.message);
}

/* ---- what may be missing ------------------------------------------------------------------------- */

/* Its outcome, which must be what the journal shows; and its position, 0 if it has none. */
static uint64_t ask_outcome(struct check *c, const struct intent *intent)
{
	const sop_outcome wanted = intent->found ? SOP_OUTCOME_COMMITTED : SOP_OUTCOME_NOT_COMMITTED;
	sop_outcome outcome = SOP_OUTCOME_UNKNOWN;
	uint64_t position = 0;
	uint8_t id[16];

	transaction_id(&intent->m, id);
	if (sop_txn_outcome(c->db, id, &outcome, &position, &c->err) != SOP_OK)
		problem(c->o, NAME_FORMAT ": outcome: %s", NAME_OF(&intent->m), c->err.message);
	else if (outcome != wanted)
		problem(c->o, NAME_FORMAT " is %s, but its outcome is %d", NAME_OF(&intent->m),
			intent->found ? "there" : "not there", (int)outcome);
	if (intent->found && intent->acknowledged && position != intent->acknowledged_at)
		problem(c->o, NAME_FORMAT ": position %llu instead of %llu", NAME_OF(&intent->m),
			(unsigned long long)position, (unsigned long long)intent->acknowledged_at);
	return position;
}

static void settle(struct check *c, struct intent *intent)
{
	struct oracle *o = c->o;

	if (intent->settled) {
		if (intent->there != intent->found)
			problem(o, NAME_FORMAT " was %s at the last check and is not now",
				NAME_OF(&intent->m), intent->there ? "there" : "missing");
		return;
	}
	intent->settled = true;
	intent->there = intent->found;
	if (!intent->acknowledged) {
		o->unacknowledged_there += intent->found;
		o->unacknowledged_gone += !intent->found;
	} else if (!intent->found && intent->m.durability <= o->weakest) {
		problem(o, NAME_FORMAT " was acknowledged at %llu with durability %u and is lost",
			NAME_OF(&intent->m), (unsigned long long)intent->acknowledged_at,
			(unsigned)intent->m.durability);
	} else {
		o->weak_lost += !intent->found;
	}
}

/* Nothing is missing before what is there. */
static void check_suffix(struct check *c, struct intents *threads)
{
	uint64_t newest = 0;

	for (size_t t = 0; t < THREADS_MAX; t++) {
		for (size_t i = 0; i < threads[t].count; i++) {
			const uint64_t position = ask_outcome(c, &threads[t].list[i]);

			newest = position > newest ? position : newest;
		}
	}
	for (size_t t = 0; t < THREADS_MAX; t++) {
		for (size_t i = 0; i < threads[t].count; i++) {
			const struct intent *intent = &threads[t].list[i];

			if (intent->acknowledged && !intent->found && intent->acknowledged_at <= newest)
				problem(c->o, NAME_FORMAT " at %llu is lost, though %llu is there",
					NAME_OF(&intent->m), (unsigned long long)intent->acknowledged_at,
					(unsigned long long)newest);
		}
	}
}

static void settle_all(struct check *c)
{
	struct oracle *o = c->o;

	for (size_t s = 0; s < o->sessions; s++) {
		check_suffix(c, o->threads + s * THREADS_MAX);
		for (size_t t = 0; t < THREADS_MAX; t++) {
			struct intents *of = &o->threads[s * THREADS_MAX + t];

			for (size_t i = 0; i < of->count; i++)
				settle(c, &of->list[i]);
		}
	}
}

/* ---- all else follows from it --------------------------------------------------------------------- */

/* What the database should hold. */
struct expected {
	int64_t balances[2][ACCOUNTS];
	const struct message *notes[THREADS_MAX][NOTES]; /* that put it last; NULL: none */
	const struct message *shelves[THREADS_MAX]; /* that created it; NULL: there is none */
};

static void apply(struct expected *e, const struct message *m)
{
	e->balances[m->eastward ? WEST : EAST][m->from] -= m->amount;
	e->balances[m->eastward ? EAST : WEST][m->to] += m->amount;
	if (m->action == NOTE_PUT)
		e->notes[m->thread][m->note] = m;
	else if (m->action == NOTE_REMOVE)
		e->notes[m->thread][m->note] = NULL;
	else if (m->action == SHELF_CREATE && e->shelves[m->thread] == NULL)
		e->shelves[m->thread] = m;
	else if (m->action == SHELF_DROP)
		e->shelves[m->thread] = NULL;
}

/* Additions commute, and each thread has notes and a shelf of its own: the order of sessions and sequences is enough. */
static void expect(const struct oracle *o, struct expected *e)
{
	memset(e, 0, sizeof *e);
	for (int i = 0; i < ACCOUNTS; i++)
		e->balances[EAST][i] = e->balances[WEST][i] = PAID_IN;
	for (size_t i = 0; i < o->sessions * THREADS_MAX; i++) {
		for (size_t n = 0; n < o->threads[i].count; n++) {
			if (o->threads[i].list[n].found)
				apply(e, &o->threads[i].list[n].m);
		}
	}
}

static void check_balances(struct check *c, const struct expected *e, int store)
{
	uint64_t count = 0;
	int64_t total = 0;

	for (uint32_t i = 0; i < ACCOUNTS; i++) {
		uint8_t key[ACCOUNT_KEY_BYTES];
		int64_t balance = 0;
		sop_buf value = SOP_BUF_OVER(&balance);

		if (sop_get(c->txn, c->stores[store], account_key(i, key), &value, &c->err) != SOP_OK)
			problem(c->o, "account %u in %s: %s", (unsigned)i, store_names[store],
				c->err.message);
		else if (balance != e->balances[store][i])
			problem(c->o, "account %u in %s has %lld instead of %lld", (unsigned)i,
				store_names[store], (long long)balance,
				(long long)e->balances[store][i]);
		total += balance;
	}
	if (sop_count(c->txn, c->stores[store], NULL, &count, &c->err) != SOP_OK || count != ACCOUNTS)
		problem(c->o, "%s has %llu accounts, %lld in all", store_names[store],
			(unsigned long long)count, (long long)total);
}

static void check_notes(struct check *c, const struct expected *e)
{
	sop_buf value = SOP_BUF_INIT;
	uint64_t count = 0, wanted = 0;

	for (uint32_t t = 0; t < THREADS_MAX; t++) {
		for (uint32_t n = 0; n < NOTES; n++) {
			const struct message *by = e->notes[t][n];
			uint8_t key[NOTE_KEY_BYTES];
			const sop_status status = sop_get(c->txn, c->stores[NOTEBOOK],
							  note_key(t, n, key), &value, &c->err);

			wanted += by != NULL;
			if (status != (by != NULL ? SOP_OK : SOP_NOT_FOUND))
				problem(c->o, "note %u.%u: %s instead of %s: %s", (unsigned)t,
					(unsigned)n, sop_status_name(status),
					by != NULL ? "a value" : "none", c->err.message);
			else if (by != NULL && !has_bytes(c, by, by->note_bytes,
							  (sop_bytes){ value.data, value.size }))
				problem(c->o, "note %u.%u is not what " NAME_FORMAT " wrote",
					(unsigned)t, (unsigned)n, NAME_OF(by));
		}
	}
	if (sop_count(c->txn, c->stores[NOTEBOOK], NULL, &count, &c->err) != SOP_OK || count != wanted)
		problem(c->o, "there are %llu notes instead of %llu", (unsigned long long)count,
			(unsigned long long)wanted);
	sop_buf_free(&value);
}

static void check_shelf(struct check *c, const struct expected *e, uint32_t thread)
{
	const struct message *by = e->shelves[thread];
	sop_store *shelf = NULL;
	sop_buf value = SOP_BUF_INIT;
	uint8_t key[ACCOUNT_KEY_BYTES];
	uint64_t count = 0;
	sop_status status = declare_shelf(c->db, thread, &shelf, &c->err);

	if (status == SOP_OK)
		status = sop_count(c->txn, shelf, NULL, &count, &c->err);
	if (status != (by != NULL ? SOP_OK : SOP_NOT_FOUND))
		problem(c->o, "shelf %u: %s instead of %s", (unsigned)thread,
			sop_status_name(status), by != NULL ? "a store" : "none");
	else if (by != NULL && count != SHELF_ITEMS)
		problem(c->o, "shelf %u has %llu items", (unsigned)thread, (unsigned long long)count);
	else if (by != NULL &&
		 (sop_get(c->txn, shelf, account_key(SHELF_ITEMS - 1, key), &value, &c->err) != SOP_OK ||
		  !has_bytes(c, by, by->note_bytes, (sop_bytes){ value.data, value.size })))
		problem(c->o, "shelf %u is not what " NAME_FORMAT " put there", (unsigned)thread,
			NAME_OF(by));
	sop_buf_free(&value);
	sop_store_free(shelf);
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static bool anything_told(const struct oracle *o)
{
	for (size_t i = 0; i < o->sessions * THREADS_MAX; i++) {
		if (o->threads[i].count != 0)
			return true;
	}
	return false;
}

static void compare(struct check *c)
{
	struct expected e;
	uint64_t count = 0;

	for (size_t i = 0; i < c->o->sessions * THREADS_MAX; i++) {
		for (size_t n = 0; n < c->o->threads[i].count; n++)
			c->o->threads[i].list[n].found = false;
	}
	if (sop_count(c->txn, c->stores[EAST], NULL, &count, &c->err) == SOP_NOT_FOUND) {
		if (anything_told(c->o))
			problem(c->o, "the stores are missing");
		return; /* killed before it had paid in */
	}
	read_journal(c);
	settle_all(c);
	expect(c->o, &e);
	check_balances(c, &e, EAST);
	check_balances(c, &e, WEST);
	check_notes(c, &e);
	for (uint32_t t = 0; t < THREADS_MAX; t++)
		check_shelf(c, &e, t);
}

static int verify_found(void *arg, const sop_problem *found)
{
	problem(arg, "sop_verify: %s %.*s: %s", found->kind, (int)found->file.size,
		(const char *)found->file.data, found->message);
	return 0;
}

/* Counts files and their bytes below a folder. */
static void count_files(const char *path, uint64_t *files, uint64_t *bytes)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		char inside[FILE_NAME_BYTES];
		struct stat about;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
		if (lstat(inside, &about) != 0)
			continue;
		if (S_ISDIR(about.st_mode)) {
			count_files(inside, files, bytes);
			continue;
		}
		++*files;
		*bytes += (uint64_t)about.st_size;
	}
	if (folder != NULL)
		(void)closedir(folder);
}

/* After a collection there is no file that the database does not know. */
static void check_files(struct oracle *o, sop_db *db, const char *path)
{
	sop_stats stats = SOP_STATS_INIT;
	sop_error err = SOP_ERROR_INIT;
	char inside[FILE_NAME_BYTES];
	uint64_t files = 0, bytes = 0, temporary = 0, reserved = 0;

	if (sop_db_stats(db, &stats, &err) != SOP_OK) {
		problem(o, "statistics: %s", err.message);
		return;
	}
	(void)snprintf(inside, sizeof inside, "%s/blobs", path);
	count_files(inside, &files, &bytes);
	if (files != stats.packs)
		problem(o, "there are %llu data files of %llu bytes, but the database knows of %llu of %llu",
			(unsigned long long)files, (unsigned long long)bytes,
			(unsigned long long)stats.packs, (unsigned long long)stats.pack_bytes);
	(void)snprintf(inside, sizeof inside, "%s/tmp", path);
	count_files(inside, &temporary, &reserved);
	if (temporary > 1)
		problem(o, "there are %llu temporary files", (unsigned long long)temporary);
}

void oracle_check(struct oracle *o, const char *url, const char *path, unsigned flags)
{
	struct check c = { .o = o, .err = SOP_ERROR_INIT };
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_status status;

	o->checks++;
	status = sop_open(url, NULL, &c.db, &c.err);
	if (status != SOP_OK) {
		problem(o, "open: %s: %s [%s at %lld]", sop_status_name(status), c.err.message,
			c.err.file, (long long)c.err.offset);
		return;
	}
	reading.mode = SOP_READ;
	status = declare_stores(c.db, c.stores, &c.err);
	if (status == SOP_OK)
		status = sop_begin(c.db, &reading, &c.txn, &c.err);
	if (status == SOP_OK)
		compare(&c);
	else
		problem(o, "begin: %s", c.err.message);
	sop_txn_free(c.txn);
	if ((flags & CHECK_COLLECT) != 0) {
		o->collected++;
		if (sop_gc(c.db, NULL, NULL, &c.err) != SOP_OK)
			problem(o, "gc: %s", c.err.message);
		else
			check_files(o, c.db, path);
	}
	if ((flags & CHECK_VERIFY) != 0) {
		o->verified++;
		if (sop_verify(c.db, verify_found, NULL, o, NULL, &c.err) != SOP_OK)
			problem(o, "verify: %s", c.err.message);
	}
	for (int i = 0; i < STORE_COUNT; i++)
		sop_store_free(c.stores[i]);
	if (sop_close(c.db, &c.err) != SOP_OK)
		problem(o, "close: %s", c.err.message);
	sop_db_free(c.db);
	free(c.room);
}
