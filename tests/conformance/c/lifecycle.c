/* Databases, transactions and stores as a whole. */
#include "operations.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_WAIT_MS = 60000 }; /* far beyond what one takes */

/* ---- databases ------------------------------------------------------------------------------------------------ */

static const char *path_of(struct call *call, size_t arg, char *room, size_t size)
{
	(void)snprintf(room, size, "%.4000s/%.80s", call->machine->folder, call->args[arg].text);
	return room;
}

static sop_status options_of(struct call *call, sop_options **out)
{
	sop_error *err = &call->err;

	TRY(sop_options_new(out, err));
	TRY(sop_options_set_bool(*out, "create", call->args[2].number == 1, err));
	TRY(sop_options_set_bool(*out, "read_only", call->args[2].number == 2, err));
	TRY(sop_options_set_text(*out, "durability", "written", err));
	return sop_options_set_int(*out, "cache_bytes", INT64_C(8) << 20, err);
}

static sop_status declare(struct call *call, struct db_slot *slot)
{
	for (unsigned i = 0; i < STORES; i++) {
		sop_store_options options = SOP_STORE_OPTIONS_INIT;
		const char *name = declarations[i].name;

		options.schema = call->machine->schemas[i];
		options.duplicates = declarations[i].duplicates;
		options.node_items = 4;
		TRY(sop_store_open(slot->db, (sop_bytes){ name, strlen(name) }, &options,
				   &slot->stores[i], &call->err));
		if (strcmp(sop_store_name(slot->stores[i]), name) != 0)
			bug("the declaration of %s has another name", name);
	}
	return SOP_OK;
}

static void db_release(struct machine *machine, size_t db)
{
	struct db_slot *slot = &machine->dbs[db];

	children_release(machine, db);
	for (unsigned i = 0; i < STORES; i++)
		sop_store_free(slot->stores[i]);
	sop_db_free(slot->db);
	memset(slot, 0, sizeof *slot);
}

sop_status run_open(struct call *call)
{
	struct db_slot *slot;
	sop_options *options = NULL;
	char path[4200] = "inmemory:";
	sop_status status;

	(void)use_db(call, 0, &slot);
	db_release(call->machine, (size_t)call->args[0].number);
	if (strcmp(call->args[1].text, "memory") != 0)
		(void)path_of(call, 1, path, sizeof path);
	status = options_of(call, &options);
	if (status == SOP_OK)
		status = sop_open(path, options, &slot->db, &call->err);
	sop_options_free(options);
	return status == SOP_OK ? declare(call, slot) : status;
}

sop_status run_close(struct call *call)
{
	struct db_slot *slot;

	TRY(use_db(call, 0, &slot));
	return sop_close(slot->db, &call->err);
}

sop_status run_forget_db(struct call *call)
{
	struct db_slot *slot;

	TRY(use_db(call, 0, &slot));
	db_release(call->machine, (size_t)call->args[0].number);
	return SOP_OK;
}

sop_status run_sync(struct call *call)
{
	struct db_slot *slot;

	TRY(use_db(call, 0, &slot));
	return sop_sync(slot->db, &call->err);
}

sop_status run_checkpoint(struct call *call)
{
	struct db_slot *slot;

	TRY(use_db(call, 0, &slot));
	return sop_checkpoint(slot->db, &call->err);
}

sop_status run_gc(struct call *call)
{
	struct db_slot *slot;

	TRY(use_db(call, 0, &slot));
	return sop_gc(slot->db, NULL, NULL, &call->err);
}

sop_status run_verify(struct call *call)
{
	struct db_slot *slot;
	uint64_t problems = 0;

	TRY(use_db(call, 0, &slot));
	TRY(sop_verify(slot->db, NULL, NULL, NULL, &problems, &call->err));
	answer_int(call, (int64_t)problems);
	return SOP_OK;
}

sop_status run_backup(struct call *call)
{
	struct db_slot *slot;
	char path[4200];

	TRY(use_db(call, 0, &slot));
	return sop_backup(slot->db, path_of(call, 1, path, sizeof path), NULL, NULL, NULL, &call->err);
}

sop_status run_restore(struct call *call)
{
	char from[4200];
	char to[4200];

	return sop_restore(path_of(call, 0, from, sizeof from), path_of(call, 1, to, sizeof to),
			   NULL, NULL, &call->err);
}

sop_status run_peek(struct call *call)
{
	sop_peek peek = SOP_PEEK_INIT;
	char path[4200];
	const sop_status status =
		sop_stats_peek(path_of(call, 0, path, sizeof path), &peek, NULL, &call->err);

	if (status != SOP_OK && status != SOP_NOT_FOUND) /* it tells as much without figures */
		return status;
	answer_number(call, peek.is_open);
	return SOP_OK;
}

sop_status run_info(struct call *call)
{
	sop_info info = SOP_INFO_INIT;
	struct db_slot *slot;

	TRY(use_db(call, 0, &slot));
	TRY(sop_db_info(slot->db, &info, NULL, &call->err));
	answer_text(call, info.backend);
	answer_int(call, info.node_bytes);
	return SOP_OK;
}

/* The number of stores; in the second spelling out of the text of the figures. */
sop_status run_stats(struct call *call)
{
	sop_stats stats = SOP_STATS_INIT;
	sop_buf text = SOP_BUF_INIT;
	struct db_slot *slot;
	const char *found;

	TRY(use_db(call, 0, &slot));
	if (call->spelling % 2 == 0) {
		TRY(sop_db_stats(slot->db, &stats, &call->err));
		answer_int(call, (int64_t)stats.stores);
		return SOP_OK;
	}
	TRY(sop_db_metrics(slot->db, &text, &call->err));
	bytes_append(&text, "", 1);
	found = strstr(text.data, "\nsop_stores ");
	answer_int(call, found == NULL ? -1 : strtoll(found + strlen("\nsop_stores "), NULL, 10));
	sop_buf_free(&text);
	return SOP_OK;
}

sop_status run_about(struct call *call)
{
	answer_text(call, sop_version());
	answer_int(call, sop_has_feature(call->args[0].text));
	return SOP_OK;
}

/* ---- messages ------------------------------------------------------------------------------------------------- */

static sop_status create_in(sop_txn *txn, void *store, sop_error *err)
{
	return sop_store_create(txn, store, err);
}

static sop_status drop_in(sop_txn *txn, void *store, sop_error *err)
{
	return sop_store_drop(txn, store, err);
}

/* A store comes and goes, which are two messages of the level info. */
static sop_status store_for_a_moment(struct call *call, sop_db *db)
{
	static const char name[] = "marker";
	sop_store *store = NULL;
	sop_status status;

	TRY(sop_store_open(db, (sop_bytes){ name, sizeof name - 1 }, NULL, &store, &call->err));
	status = sop_run(db, NULL, create_in, store, &call->err);
	if (status == SOP_OK)
		status = sop_run(db, NULL, drop_in, store, &call->err);
	sop_store_free(store);
	return status;
}

/* How many messages about stores there are; waits for none once there are `wanted`. */
static sop_status messages_take(struct call *call, sop_db *db, int64_t wanted, int64_t *count)
{
	sop_log_message message = SOP_LOG_MESSAGE_INIT;
	sop_status status;

	*count = 0;
	while ((status = sop_log_next(db, &message, *count < wanted ? MESSAGE_WAIT_MS : 0,
				      &call->err)) == SOP_OK)
		*count += strncmp(message.text, "store ", strlen("store ")) == 0;
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

sop_status run_log(struct call *call)
{
	const int64_t level = call->args[1].number;
	struct db_slot *slot;
	sop_status status;
	int64_t count = 0;

	TRY(use_db(call, 0, &slot));
	TRY(sop_log_enable(slot->db, (sop_log_level)level, &call->err));
	status = store_for_a_moment(call, slot->db);
	if (status == SOP_OK)
		status = messages_take(call, slot->db, level >= SOP_LOG_INFO ? 2 : 0, &count);
	if (sop_log_enable(slot->db, SOP_LOG_OFF, NULL) != SOP_OK)
		bug("the messages of an open database cannot be switched off");
	if (status == SOP_OK)
		answer_int(call, count);
	return status;
}

/* ---- transactions --------------------------------------------------------------------------------------------- */

static void id_of_token(const char *token, uint8_t id[16])
{
	sop_buf bytes = SOP_BUF_INIT;

	bytes_of_hex(token, &bytes);
	memset(id, 0, 16);
	memcpy(id, bytes.data, strlen(token) == 32 ? 16 : 0);
	sop_buf_free(&bytes);
}

/* Begins anew on the handle that is there, which only the same mode and id of the caller allow; that is kept unless it has
 * committed. */
static bool renewed(struct call *call, struct txn_slot *slot, const sop_txn_options *options)
{
	static const uint8_t none[16];
	const size_t size = sizeof options->id;
	uint8_t id[16];

	if (call->spelling % 2 == 0 || slot->txn == NULL || slot->mode != options->mode ||
	    memcmp(slot->asked_id, options->id, size) != 0 || sop_txn_renew(slot->txn, NULL) != SOP_OK)
		return false;
	return memcmp(options->id, none, size) == 0 ||
	       (sop_txn_id(slot->txn, id, NULL) == SOP_OK && memcmp(options->id, id, size) == 0);
}

sop_status run_begin(struct call *call)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	const size_t at = (size_t)call->args[0].number;
	struct txn_slot *slot = &call->machine->txns[at];
	sop_db *db = call->machine->dbs[at / TXNS_OF_ONE].db;

	if (db == NULL)
		return NO_SLOT;
	slot->savepoint_count = 0;
	options.mode = (uint32_t)call->args[1].number;
	id_of_token(call->args[2].text, options.id);
	if (!renewed(call, slot, &options)) {
		sop_txn_free(slot->txn);
		memset(slot, 0, sizeof *slot);
		slot->mode = options.mode;
		memcpy(slot->asked_id, options.id, sizeof slot->asked_id);
		TRY(sop_begin(db, &options, &slot->txn, &call->err));
	}
	return sop_txn_id(slot->txn, slot->id, &call->err);
}

/* An id of the caller is of one transaction: it goes with that. */
static sop_status begun_anew(struct call *call, struct txn_slot *slot)
{
	slot->savepoint_count = 0;
	TRY(sop_txn_id(slot->txn, slot->id, &call->err));
	if (memcmp(slot->id, slot->asked_id, sizeof slot->id) != 0)
		memset(slot->asked_id, 0, sizeof slot->asked_id);
	return SOP_OK;
}

sop_status run_renew(struct call *call)
{
	struct txn_slot *slot = &call->machine->txns[call->args[0].number];
	sop_status status;
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	status = sop_rollback(txn, &call->err);
	if (status != SOP_OK && status != SOP_MISUSE) /* which it is where that has committed */
		return status;
	status = sop_txn_renew(txn, &call->err);
	if (status == SOP_OK)
		return begun_anew(call, slot);
	sop_txn_free(txn);
	memset(slot, 0, sizeof *slot);
	return status;
}

sop_status run_again(struct call *call)
{
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	TRY(sop_txn_again(txn, &call->err));
	return begun_anew(call, &call->machine->txns[call->args[0].number]);
}

sop_status run_own_id(struct call *call)
{
	const struct txn_slot *slot = &call->machine->txns[call->args[0].number];
	uint8_t id[16];
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	TRY(sop_txn_id(txn, id, &call->err));
	if (memcmp(id, slot->asked_id, sizeof id) == 0) {
		(void)putc(' ', call->out);
		print_hex(call->out, id, sizeof id);
	} else {
		answer_text(call, "-");
	}
	return SOP_OK;
}

sop_status run_attempts(struct call *call)
{
	uint32_t attempts;
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	TRY(sop_txn_attempts(txn, &attempts, &call->err));
	answer_int(call, attempts);
	return SOP_OK;
}

sop_status run_conflict(struct call *call)
{
	sop_bytes store, key;
	sop_status status;
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	status = sop_txn_conflict(txn, &store, &key, &call->err);
	if (status == SOP_OK || status == SOP_NOT_FOUND)
		answer_int(call, status == SOP_OK);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

sop_status run_commit(struct call *call)
{
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	return sop_commit(txn, &call->err);
}

sop_status run_rollback(struct call *call)
{
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	return sop_rollback(txn, &call->err);
}

sop_status run_end(struct call *call)
{
	struct txn_slot *slot = &call->machine->txns[call->args[0].number];
	sop_txn *txn;
	const sop_status status = use_txn(call, 0, &txn);

	if (status == NO_SLOT)
		return status;
	sop_txn_free(slot->txn);
	slot->txn = NULL;
	slot->shut = true;
	return SOP_OK;
}

sop_status run_forget_txn(struct call *call)
{
	sop_txn *txn;

	if (use_txn(call, 0, &txn) == NO_SLOT)
		return NO_SLOT;
	txn_release(call->machine, (size_t)call->args[0].number);
	return SOP_OK;
}

sop_status run_cancel(struct call *call)
{
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	return sop_txn_cancel(txn, &call->err);
}

static const char *name_of_outcome(sop_outcome outcome)
{
	static const char *const names[] = { "NOT_COMMITTED", "COMMITTED", "PENDING", "UNKNOWN" };

	return names[outcome];
}

sop_status run_outcome(struct call *call)
{
	const size_t at = (size_t)call->args[0].number;
	sop_outcome outcome;
	sop_txn *txn;

	if (use_txn(call, 0, &txn) == NO_SLOT)
		return NO_SLOT;
	TRY(sop_txn_outcome(call->machine->dbs[at / TXNS_OF_ONE].db, call->machine->txns[at].id,
			    &outcome, NULL, &call->err));
	answer_text(call, name_of_outcome(outcome));
	return SOP_OK;
}

sop_status run_outcome_of(struct call *call)
{
	struct db_slot *slot;
	sop_outcome outcome;
	uint64_t position;
	uint8_t id[16];

	TRY(use_db(call, 0, &slot));
	id_of_token(call->args[1].text, id);
	TRY(sop_txn_outcome(slot->db, id, &outcome, &position, &call->err));
	answer_text(call, name_of_outcome(outcome));
	answer_number(call, position);
	return SOP_OK;
}

sop_status run_position(struct call *call)
{
	uint64_t position;
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	TRY(sop_txn_position(txn, &position, &call->err));
	answer_number(call, position);
	return SOP_OK;
}

sop_status run_savepoint(struct call *call)
{
	struct txn_slot *slot = &call->machine->txns[call->args[0].number];
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	if (slot->savepoint_count == SAVEPOINTS_MAX)
		bug("too many savepoints");
	TRY(sop_savepoint(txn, &slot->savepoints[slot->savepoint_count], &call->err));
	slot->savepoint_count++;
	return SOP_OK;
}

sop_status run_rollback_to(struct call *call)
{
	struct txn_slot *slot = &call->machine->txns[call->args[0].number];
	sop_txn *txn;

	if (slot->savepoint_count == 0)
		return NO_SLOT;
	TRY(use_txn(call, 0, &txn));
	return sop_rollback_to(txn,
			       slot->savepoints[(uint64_t)call->args[1].number % slot->savepoint_count],
			       &call->err);
}

/* ---- a body that is run again --------------------------------------------------------------------------------- */

struct body {
	struct call *call;
	struct db_slot *slot;
	sop_store *store;
	sop_bytes key;
	int64_t value;
	uint32_t attempts;
};

static int64_t integer_of(const sop_buf *buf)
{
	int64_t number = 0;

	if (buf->size == sizeof number)
		memcpy(&number, buf->data, sizeof number);
	return number;
}

/* Integers wrap, and this machine is little-endian as the library's values are. */
static sop_bytes sum_of(int64_t number, int64_t by, int64_t *room)
{
	*room = (int64_t)((uint64_t)number + (uint64_t)by);
	return (sop_bytes){ room, sizeof *room };
}

static sop_status rival(struct body *body, int64_t number, sop_error *err)
{
	sop_txn *txn = NULL;
	int64_t room;
	sop_status status;

	TRY(sop_begin(body->slot->db, NULL, &txn, err));
	status = sop_put(txn, body->store, body->key, sum_of(number, 1000, &room), err);
	if (status == SOP_OK)
		status = sop_commit(txn, err);
	sop_txn_free(txn);
	return status;
}

static sop_status add_up(sop_txn *txn, void *arg, sop_error *err)
{
	struct body *body = arg;
	sop_buf value = SOP_BUF_INIT;
	sop_status status = sop_get(txn, body->store, body->key, &value, err);
	const int64_t number = status == SOP_OK ? integer_of(&value) : 0;

	sop_buf_free(&value);
	if (status != SOP_OK && (status != SOP_NOT_FOUND || err->store[0] != '\0'))
		return status;
	TRY(sop_txn_attempts(txn, &body->attempts, err));
	if (body->attempts <= (uint64_t)body->call->args[4].number)
		TRY(rival(body, number, err));
	return sop_put(txn, body->store, body->key,
		       sum_of(number, body->call->args[3].number, &body->value), err);
}

/* What sop_run does, by hand; or without running it again, as the other languages do where their time for that is over. */
static sop_status run_by_hand(struct body *body, const sop_txn_options *options, bool again)
{
	sop_error *err = &body->call->err;
	sop_txn *txn = NULL;
	sop_status status;

	TRY(sop_begin(body->slot->db, options, &txn, err));
	do {
		status = add_up(txn, body, err);
		if (status == SOP_OK)
			status = sop_commit(txn, err);
	} while (status == SOP_CONFLICT && again && sop_txn_again(txn, err) == SOP_OK);
	sop_txn_free(txn);
	if (status != SOP_CONFLICT || again)
		return status;
	err->traits = SOP_TRAIT_RETRY;
	return SOP_TIMEOUT;
}

sop_status run_run(struct call *call)
{
	struct body body = { call, NULL, NULL, { NULL, 0 }, 0, 0 };
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	const bool again = call->args[6].number != 0;
	sop_buf *key = &call->machine->keys[0];

	TRY(use_db(call, 0, &body.slot));
	TRY(key_of_token(call, (unsigned)call->args[1].number, call->args[2].text, false, key));
	body.key = (sop_bytes){ key->data, key->size };
	body.store = store_of(call, 0, 1);
	id_of_token(call->args[5].text, options.id);
	TRY(call->spelling % 2 == 0 && again ? sop_run(body.slot->db, &options, add_up, &body, &call->err)
					     : run_by_hand(&body, &options, again));
	answer_int(call, body.value);
	answer_int(call, body.attempts);
	return SOP_OK;
}

/* ---- stores --------------------------------------------------------------------------------------------------- */

sop_status run_create(struct call *call)
{
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	return sop_store_create(txn, store_of(call, 0, 1), &call->err);
}

sop_status run_drop(struct call *call)
{
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	return sop_store_drop(txn, store_of(call, 0, 1), &call->err);
}

sop_status run_rename(struct call *call)
{
	const char *to = call->args[2].text;
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	return sop_store_rename(txn, store_of(call, 0, 1), (sop_bytes){ to, strlen(to) }, &call->err);
}

sop_status run_list(struct call *call)
{
	sop_buf names = SOP_BUF_INIT;
	size_t count;
	sop_txn *txn;
	char *text;

	TRY(use_txn(call, 0, &txn));
	TRY(sop_store_list(txn, &names, &count, &call->err));
	text = names.data;
	for (size_t i = 0; i + 1 < names.size; i++)
		text[i] = text[i] == '\0' ? ',' : text[i];
	answer_text(call, count == 0 ? "-" : text);
	sop_buf_free(&names);
	return SOP_OK;
}

sop_status run_describe(struct call *call)
{
	const sop_schema *declared = call->machine->schemas[call->args[1].number];
	sop_store_info info = SOP_STORE_INFO_INIT;
	sop_buf schema = SOP_BUF_INIT;
	sop_txn *txn;

	TRY(use_txn(call, 0, &txn));
	TRY(sop_store_describe(txn, store_of(call, 0, 1), &info, &schema, &call->err));
	if (call->spelling % 2 == 1 && declared != NULL) /* which is the same, or it would have been SCHEMA */
		TRY(sop_schema_text(declared, &schema, &call->err));
	bytes_append(&schema, "", 1);
	answer_int(call, info.duplicates);
	answer_int(call, info.node_items);
	answer_text(call, info.has_schema ? schema.data : "-");
	sop_buf_free(&schema);
	return SOP_OK;
}
