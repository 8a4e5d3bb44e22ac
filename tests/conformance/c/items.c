/* Operations on the items of a store. */
#include "operations.h"

#include <stdlib.h>
#include <string.h>

/* What an operation on a store takes. */
struct use {
	sop_txn *txn;
	sop_store *store;
	unsigned number;
	sop_bytes key;
};

static sop_bytes view(const sop_buf *buf)
{
	return (sop_bytes){ buf->data, buf->size };
}

/* The transaction in argument 0, the store in 1. */
static sop_status use_store(struct call *call, struct use *use)
{
	TRY(use_txn(call, 0, &use->txn));
	use->store = store_of(call, 0, 1);
	use->number = (unsigned)call->args[1].number;
	return SOP_OK;
}

/* The same, and the key in 2. */
static sop_status use_item(struct call *call, struct use *use)
{
	TRY(use_store(call, use));
	TRY(key_of_token(call, use->number, call->args[2].text, false, &call->machine->keys[0]));
	use->key = view(&call->machine->keys[0]);
	return SOP_OK;
}

/* A write that met no store: creates it, as the other languages do by themselves. True if it shall be done again. */
static bool created(struct call *call, const struct use *use, sop_status *status)
{
	if (*status != SOP_NOT_FOUND || call->err.store[0] == '\0')
		return false;
	call->err.store[0] = '\0';
	*status = sop_store_create(use->txn, use->store, &call->err);
	return *status == SOP_OK;
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

static sop_status get_by_many(struct call *call, const struct use *use, sop_buf *value)
{
	sop_buf rows = SOP_BUF_INIT;
	sop_buf answer = SOP_BUF_INIT;
	sop_status status;
	size_t offset = 8;

	rows_begin(&rows);
	rows_add(&rows, use->key, (sop_bytes){ NULL, 0 });
	status = sop_get_many(use->txn, use->store, view(&rows), 0, &answer, &call->err);
	if (status == SOP_OK) {
		const struct row row = rows_next(view(&answer), &offset);

		status = row.absent ? SOP_NOT_FOUND : SOP_OK;
		bytes_append(value, row.value.data, row.value.size);
	}
	sop_buf_free(&rows);
	sop_buf_free(&answer);
	return status;
}

static sop_status get_by_cursor(struct call *call, const struct use *use, sop_buf *value)
{
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_status status;

	TRY(sop_cursor_open(use->txn, use->store, NULL, 0, &cursor, &call->err));
	status = sop_cursor_seek(cursor, use->key, SOP_SEEK_EQ, &entry, &call->err);
	if (status == SOP_OK)
		bytes_append(value, entry.value.data, entry.value.size);
	sop_cursor_free(cursor);
	return status;
}

sop_status run_get(struct call *call)
{
	sop_buf value = SOP_BUF_INIT;
	struct use use;
	sop_status status;

	TRY(use_item(call, &use));
	switch (call->spelling % 4) {
	case 0:
		status = sop_get(use.txn, use.store, use.key, &value, &call->err);
		break;
	case 1:
		status = sop_fetch(use.txn, use.store, use.key, 0, 0, NULL, &value, NULL, &call->err);
		break;
	case 2:
		status = get_by_many(call, &use, &value);
		break;
	default:
		status = get_by_cursor(call, &use, &value);
	}
	if (status == SOP_OK)
		answer_bytes(call, view(&value));
	sop_buf_free(&value);
	return status;
}

sop_status run_read(struct call *call)
{
	sop_buf value = SOP_BUF_INIT;
	sop_buf *key = &call->machine->keys[0];
	struct db_slot *slot;
	sop_status status;

	TRY(use_db(call, 0, &slot));
	TRY(key_of_token(call, (unsigned)call->args[1].number, call->args[2].text, false, key));
	status = sop_read(slot->db, store_of(call, 0, 1), view(key), &value, &call->err);
	if (status == SOP_OK)
		answer_bytes(call, view(&value));
	sop_buf_free(&value);
	return status;
}

sop_status run_fetch(struct call *call)
{
	sop_buf whole = SOP_BUF_INIT;
	sop_buf value = SOP_BUF_INIT;
	sop_item about;
	struct use use;
	sop_status status;

	TRY(use_item(call, &use));
	status = sop_fetch(use.txn, use.store, use.key, (uint64_t)call->args[3].number,
			   call->spelling % 2 ? SOP_NOWAIT : 0, &whole, &value, &about, &call->err);
	if (status == SOP_WOULD_BLOCK)
		status = sop_fetch(use.txn, use.store, use.key, (uint64_t)call->args[3].number, 0,
				   &whole, &value, &about, &call->err);
	if (status == SOP_OK) {
		answer_key(call, use.number, view(&whole));
		answer_bytes(call, view(&value));
		answer_int(call, (int64_t)about.item);
	}
	sop_buf_free(&whole);
	sop_buf_free(&value);
	return status;
}

sop_status run_version(struct call *call)
{
	sop_item about;
	struct use use;

	TRY(use_item(call, &use));
	TRY(sop_fetch(use.txn, use.store, use.key, (uint64_t)call->args[3].number, 0, NULL, NULL,
		      &about, &call->err));
	answer_number(call, about.version);
	return SOP_OK;
}

sop_status run_count(struct call *call)
{
	sop_range range = SOP_RANGE_INIT;
	struct use use;
	uint64_t count;

	TRY(use_store(call, &use));
	TRY(range_of_token(call, use.number, call->args[2].text, &range));
	TRY(sop_count(use.txn, use.store, range.flags == 0 ? NULL : &range, &count, &call->err));
	answer_int(call, (int64_t)count);
	return SOP_OK;
}

sop_status run_approx_count(struct call *call)
{
	struct db_slot *slot;
	uint64_t count;

	TRY(use_db(call, 0, &slot));
	TRY(sop_approx_count(slot->db, store_of(call, 0, 1), &count, &call->err));
	answer_int(call, (int64_t)count);
	return SOP_OK;
}

/* ---- writing -------------------------------------------------------------------------------------------------- */

/* A bug for the test of the comparison: with SOP_CONFORMANCE_PLANT set, puts of one certain byte are lost. */
static bool lost(sop_bytes value)
{
	static const char *plant;

	if (plant == NULL) {
		plant = getenv("SOP_CONFORMANCE_PLANT");
		plant = plant == NULL ? "" : plant;
	}
	return plant[0] != '\0' && value.size > 0 && *(const unsigned char *)value.data % 16 == 10;
}

static sop_status put_once(struct call *call, const struct use *use, sop_bytes value)
{
	sop_buf rows = SOP_BUF_INIT;
	sop_status status;

	if (call->spelling % 2 == 0)
		return sop_put(use->txn, use->store, use->key, value, &call->err);
	rows_begin(&rows);
	rows_add(&rows, use->key, value);
	status = sop_put_many(use->txn, use->store, view(&rows), SOP_PUT, NULL, &call->err);
	sop_buf_free(&rows);
	return status;
}

sop_status run_put(struct call *call)
{
	const sop_bytes value = view(&call->args[3].bytes);
	struct use use;
	sop_status status;

	TRY(use_item(call, &use));
	if (lost(value))
		return SOP_OK;
	status = put_once(call, &use, value);
	return created(call, &use, &status) ? put_once(call, &use, value) : status;
}

sop_status run_insert(struct call *call)
{
	const sop_bytes value = view(&call->args[3].bytes);
	struct use use;
	uint64_t item = 0;
	sop_status status;

	TRY(use_item(call, &use));
	status = sop_insert(use.txn, use.store, use.key, value, &item, &call->err);
	if (created(call, &use, &status))
		status = sop_insert(use.txn, use.store, use.key, value, &item, &call->err);
	if (status == SOP_OK)
		answer_int(call, (int64_t)item);
	return status;
}

sop_status run_update(struct call *call)
{
	struct use use;

	TRY(use_item(call, &use));
	return sop_update(use.txn, use.store, use.key, (uint64_t)call->args[3].number,
			  view(&call->args[4].bytes), &call->err);
}

sop_status run_remove(struct call *call)
{
	struct use use;

	TRY(use_item(call, &use));
	return sop_remove(use.txn, use.store, use.key, (uint64_t)call->args[3].number, &call->err);
}

sop_status run_set_ride(struct call *call)
{
	struct use use;

	TRY(use_item(call, &use));
	return sop_set_ride(use.txn, use.store, use.key, (uint64_t)call->args[3].number, &call->err);
}

typedef sop_status (*atomic_fn)(sop_txn *txn, sop_store *store, sop_bytes key, int64_t by,
				sop_error *err);

/* What the other languages say of a store of JSON, before they look at anything else. */
static sop_status refuse_counters(struct call *call)
{
	call->err = (sop_error)SOP_ERROR_INIT;
	call->err.status = SOP_SCHEMA;
	call->err.traits = SOP_TRAIT_MISUSE;
	return SOP_SCHEMA;
}

static sop_status atomic(struct call *call, atomic_fn fn)
{
	struct use use;
	sop_status status = use_store(call, &use);

	if (status != NO_SLOT && declarations[call->args[1].number].json)
		return refuse_counters(call);
	TRY(status);
	TRY(use_item(call, &use));
	status = fn(use.txn, use.store, use.key, call->args[3].number, &call->err);
	return created(call, &use, &status)
		       ? fn(use.txn, use.store, use.key, call->args[3].number, &call->err)
		       : status;
}

sop_status run_add(struct call *call)
{
	return atomic(call, sop_add);
}

sop_status run_min(struct call *call)
{
	return atomic(call, sop_min);
}

sop_status run_max(struct call *call)
{
	return atomic(call, sop_max);
}

sop_status run_remove_range(struct call *call)
{
	sop_range range = SOP_RANGE_INIT;
	struct use use;
	uint64_t removed;

	TRY(use_store(call, &use));
	TRY(range_of_token(call, use.number, call->args[2].text, &range));
	TRY(sop_remove_range(use.txn, use.store, &range, &removed, &call->err));
	answer_int(call, (int64_t)removed);
	return SOP_OK;
}

/* ---- many ----------------------------------------------------------------------------------------------------- */

/* Packs the keys, or the rows `key=value`, that `text` names, separated by semicolons. */
static sop_status pack_rows(struct call *call, unsigned store, char *text, sop_buf *rows)
{
	sop_buf *key = &call->machine->keys[0];
	sop_buf value = SOP_BUF_INIT;
	char *rest = NULL;
	sop_status status = SOP_OK;

	rows_begin(rows);
	for (char *row = strtok_r(text, ";", &rest); row != NULL && status == SOP_OK;
	     row = strtok_r(NULL, ";", &rest)) {
		char *equals = strchr(row, '=');

		value.size = 0;
		if (equals != NULL) {
			*equals = '\0';
			bytes_of_token(call->machine, equals + 1, &value);
		}
		status = key_of_token(call, store, row, false, key);
		rows_add(rows, view(key), view(&value));
	}
	sop_buf_free(&value);
	return status;
}

static void answer_values(struct call *call, sop_bytes rows)
{
	size_t offset = 8;

	for (uint32_t i = rows_count(rows); i > 0; i--) {
		const struct row row = rows_next(rows, &offset);

		(void)fputs(row.absent ? " -" : " x", call->out);
		print_hex(call->out, row.value.data, row.value.size);
	}
}

sop_status run_get_many(struct call *call)
{
	sop_buf rows = SOP_BUF_INIT;
	struct use use;
	sop_status status;

	TRY(use_store(call, &use));
	status = pack_rows(call, use.number, call->args[2].text, &rows);
	if (status == SOP_OK)
		status = sop_get_many(use.txn, use.store, view(&rows),
				      call->spelling % 2 ? SOP_ROWS_VERSION : 0,
				      &call->machine->rows, &call->err);
	if (status == SOP_OK)
		answer_values(call, view(&call->machine->rows));
	sop_buf_free(&rows);
	return status;
}

sop_status run_put_many(struct call *call)
{
	const sop_put_how how = (sop_put_how)call->args[2].number;
	sop_buf rows = SOP_BUF_INIT;
	size_t done = 0;
	struct use use;
	sop_status status;

	TRY(use_store(call, &use));
	status = pack_rows(call, use.number, call->args[3].text, &rows);
	if (status == SOP_OK)
		status = sop_put_many(use.txn, use.store, view(&rows), how, &done, &call->err);
	if (how <= SOP_INSERT && created(call, &use, &status))
		status = sop_put_many(use.txn, use.store, view(&rows), how, &done, &call->err);
	sop_buf_free(&rows);
	if (status != SOP_OK &&
	    (status != SOP_EXISTS && (status != SOP_NOT_FOUND || call->err.store[0] != '\0')))
		return status;
	answer_int(call, (int64_t)done);
	answer_text(call, sop_status_name(status));
	return SOP_OK;
}
