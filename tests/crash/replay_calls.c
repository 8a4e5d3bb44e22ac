/* Operations of transactions and their answers, which must be those of the specification.
 *
 * Store 0 is "s0". Key 7 is one byte. Values are integers of 8 bytes, so that they can be added to. */
#include "crash/replay.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_ZERO = 64 }; /* the byte of key 0 */

/* A call: whose it is, and what it answers, as a word. */
struct call {
	struct replay *replay;
	struct replay_txn *in;
	sop_store *store;
	const struct line *line;
	sop_error err;
	char answer[REPLAY_PICTURE_BYTES];
};

static int64_t number_of(const struct call *call, size_t word)
{
	return strtoll(call->line->word[word], NULL, 10);
}

static sop_bytes key_of(const struct call *call, size_t word, uint8_t room[1])
{
	room[0] = (uint8_t)(KEY_ZERO + number_of(call, word));
	return (sop_bytes){ room, 1 };
}

static sop_bytes value_of(const struct call *call, size_t word, uint8_t room[8])
{
	return test_value_u64(room, (uint64_t)number_of(call, word));
}

static void answer(struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void answer(struct call *call, const char *format, ...)
{
	const size_t used = strlen(call->answer);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(call->answer + used, sizeof call->answer - used, format, args);
	va_end(args);
}

/* The status of a call as an answer: one that means so, or that the store is not there, or an error. */
static bool answers(struct call *call, sop_status status)
{
	if (status == SOP_OK)
		return true;
	if (status == SOP_NOT_FOUND && call->err.store[0] != '\0')
		answer(call, "NO_STORE");
	else if (status != SOP_NOT_FOUND && status != SOP_EXISTS)
		answer(call, "%s: %.200s", sop_status_name(status), call->err.message);
	return false;
}

/* ---- single items ---------------------------------------------------------------------------------- */

static void get(struct call *call)
{
	sop_buf value = SOP_BUF_INIT;
	uint8_t key[1];

	if (answers(call, sop_get(call->in->txn, call->store, key_of(call, 3, key), &value, &call->err)))
		answer(call, "%lld",
		       (long long)test_value_read_u64((sop_bytes){ value.data, value.size }));
	else if (call->answer[0] == '\0')
		answer(call, "-");
	sop_buf_free(&value);
}

/* Without an answer where it goes well. */
static void put(struct call *call)
{
	uint8_t key[1], value[8];

	(void)answers(call, sop_put(call->in->txn, call->store, key_of(call, 3, key),
				    value_of(call, 4, value), &call->err));
}

static void add(struct call *call)
{
	uint8_t key[1];

	(void)answers(call, sop_add(call->in->txn, call->store, key_of(call, 3, key),
				    number_of(call, 4), &call->err));
}

/* Those whose answer is whether the key was there. */
static void change(struct call *call)
{
	const char *name = call->line->word[0];
	sop_txn *txn = call->in->txn;
	uint8_t room[1], value[8];
	const sop_bytes key = key_of(call, 3, room);
	sop_status status;
	bool well;

	if (strcmp(name, "insert") == 0)
		status = sop_insert(txn, call->store, key, value_of(call, 4, value), NULL, &call->err);
	else if (strcmp(name, "update") == 0)
		status = sop_update(txn, call->store, key, 0, value_of(call, 4, value), &call->err);
	else
		status = sop_remove(txn, call->store, key, 0, &call->err);
	well = answers(call, status);
	if (call->answer[0] == '\0')
		answer(call, "%d", well != (strcmp(name, "insert") == 0));
}

/* ---- ranges ------------------------------------------------------------------------------------------ */

/* Words 3 and 4: from where, and up to where, which is itself outside; "-": no end. */
static void range_of(const struct call *call, sop_range *range, uint8_t from[1], uint8_t to[1])
{
	if (strcmp(call->line->word[3], "-") != 0) {
		range->flags |= SOP_RANGE_FROM;
		range->from = key_of(call, 3, from);
	}
	if (strcmp(call->line->word[4], "-") != 0) {
		range->flags |= SOP_RANGE_TO;
		range->to = key_of(call, 4, to);
	}
}

static void answer_item(struct call *call, const sop_entry *entry)
{
	answer(call, "%s%d:%lld", call->answer[0] == '\0' ? "" : ",",
	       ((const uint8_t *)entry->key.data)[0] - KEY_ZERO,
	       (long long)test_value_read_u64(entry->value));
}

static void answer_items(struct call *call, const sop_range *range)
{
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_status status = sop_cursor_open(call->in->txn, call->store, range, 0, &cursor, &call->err);

	if (status == SOP_OK)
		status = sop_cursor_first(cursor, &entry, &call->err);
	while (answers(call, status)) {
		answer_item(call, &entry);
		status = sop_cursor_next(cursor, &entry, &call->err);
	}
	sop_cursor_free(cursor);
	if (call->answer[0] == '\0')
		answer(call, "-");
}

static void scan(struct call *call)
{
	sop_range range = SOP_RANGE_INIT;
	uint8_t from[1], to[1];

	range_of(call, &range, from, to);
	answer_items(call, &range);
}

static void neighbour(struct call *call)
{
	const sop_seek where = call->line->word[0][0] == 'n' ? SOP_SEEK_GE : SOP_SEEK_LE;
	sop_cursor *cursor = NULL;
	sop_entry entry;
	uint8_t key[1];
	sop_status status = sop_cursor_open(call->in->txn, call->store, NULL, 0, &cursor, &call->err);

	if (status == SOP_OK)
		status = sop_cursor_seek(cursor, key_of(call, 3, key), where, &entry, &call->err);
	if (answers(call, status))
		answer_item(call, &entry);
	sop_cursor_free(cursor);
	if (call->answer[0] == '\0')
		answer(call, "-");
}

static void remove_range(struct call *call)
{
	sop_range range = SOP_RANGE_INIT;
	uint8_t from[1], to[1];

	range_of(call, &range, from, to);
	(void)answers(call, sop_remove_range(call->in->txn, call->store, &range, NULL, &call->err));
}

static void count(struct call *call)
{
	uint64_t number = 0;

	if (answers(call, sop_count(call->in->txn, call->store, NULL, &number, &call->err)))
		answer(call, "%llu", (unsigned long long)number);
}

/* ---- stores, savepoints ------------------------------------------------------------------------------- */

static void create(struct call *call)
{
	const sop_status status = sop_store_create(call->in->txn, call->store, &call->err);

	if (answers(call, status) || status == SOP_EXISTS)
		answer(call, "%s", sop_status_name(status));
}

static void drop(struct call *call)
{
	if (answers(call, sop_store_drop(call->in->txn, call->store, &call->err)))
		answer(call, "OK");
}

static void mark(struct call *call)
{
	struct replay_txn *in = call->in;

	if (in->mark_count == REPLAY_MARKS_MAX)
		answer(call, "too many savepoints");
	else if (answers(call, sop_savepoint(in->txn, &in->marks[in->mark_count], &call->err)))
		in->mark_count++;
}

static void undo(struct call *call)
{
	struct replay_txn *in = call->in;

	if (in->mark_count == 0)
		return;
	(void)answers(call, sop_rollback_to(in->txn, in->marks[--in->mark_count], &call->err));
}

/* ---- all of them --------------------------------------------------------------------------------------- */

static const struct operation {
	const char *name;
	size_t words; /* before the answer */
	void (*run)(struct call *call);
} operations[] = {
	{ "get", 4, get },	  { "put", 5, put },
	{ "add", 5, add },	  { "insert", 5, change },
	{ "update", 5, change },  { "remove", 4, change },
	{ "range", 5, scan },	  { "next", 4, neighbour },
	{ "prev", 4, neighbour }, { "rmrange", 5, remove_range },
	{ "count", 3, count },	  { "create", 3, create },
	{ "drop", 3, drop },	  { "mark", 2, mark },
	{ "undo", 2, undo },
};

static const struct operation *find(const struct line *line)
{
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
		if (strcmp(operations[i].name, line->word[0]) == 0 && line->count >= operations[i].words)
			return &operations[i];
	return NULL;
}

static sop_store *declare(struct replay *replay, const char *number)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_store *store = NULL;
	char name[8];

	(void)snprintf(name, sizeof name, "s%.4s", number);
	TEST_OK(sop_store_open(replay->base.db, test_text(name), &options, &store, &err), err);
	return store;
}

bool replay_call(struct replay *replay, const struct line *line)
{
	const struct operation *operation = find(line);
	struct call call = { .replay = replay, .line = line, .err = SOP_ERROR_INIT };
	const char *expected;

	if (operation == NULL)
		return false;
	call.in = &replay->txns[strtoull(line->word[1], NULL, 10) % REPLAY_TXNS_MAX];
	expected = line->count > operation->words ? line->word[operation->words] : "";
	if (operation->words > 2)
		call.store = declare(replay, line->word[2]);
	operation->run(&call);
	sop_store_free(call.store);
	if (strcmp(call.answer, expected) != 0)
		replay_wrong(replay, "%s %s answers '%.150s' instead of '%.150s'", line->word[0],
			     line->word[1], call.answer, expected);
	return true;
}

void replay_id(const char *number, uint8_t id[TXN_ID_BYTES])
{
	memset(id, 0, TXN_ID_BYTES);
	id[0] = 'r';
	(void)test_key_u64(id + 8, strtoull(number, NULL, 10));
}

/* ---- pictures ------------------------------------------------------------------------------------------- */

static bool add_store(struct call *call, struct base *base, const char *name,
		      char picture[REPLAY_PICTURE_BYTES])
{
	const size_t used = strlen(picture);

	call->store = base_store(base, name);
	call->answer[0] = '\0';
	answer_items(call, NULL);
	sop_store_free(call->store);
	(void)snprintf(picture + used, REPLAY_PICTURE_BYTES - used, "%s%s=%s", used == 0 ? "" : ";",
		       name + 1, strcmp(call->answer, "-") == 0 ? "" : call->answer);
	return call->err.status == SOP_OK || call->err.status == SOP_NOT_FOUND;
}

bool replay_picture(struct base *base, char picture[REPLAY_PICTURE_BYTES], char words[WORDS])
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	struct replay_txn in = { .txn = NULL };
	struct call call = { .in = &in, .err = SOP_ERROR_INIT };
	sop_buf names = SOP_BUF_INIT;
	bool well;

	picture[0] = '\0';
	options.mode = SOP_READ;
	well = sop_begin(base->db, &options, &in.txn, &call.err) == SOP_OK &&
	       sop_store_list(in.txn, &names, NULL, &call.err) == SOP_OK;
	for (size_t at = 0; well && at < names.size; at += strlen((const char *)names.data + at) + 1)
		well = add_store(&call, base, (const char *)names.data + at, picture);
	if (!well)
		(void)snprintf(words, WORDS, "reading what is there: %.250s", call.err.message);
	sop_txn_free(in.txn);
	sop_buf_free(&names);
	return well;
}
