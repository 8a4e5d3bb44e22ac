/* Whole transactions, and steps of sessions. */
#include "exec.h"

#include "status.h"
#include "text.h"
#include "try.h"

#include <stdlib.h>
#include <string.h>

/* The deadline of a whole transaction that does not say. A session has none. */
#define WHOLE_DEADLINE_MS 10000

static void forget_savepoints(struct work *work)
{
	while (work->savepoint_count > 0)
		sop_buf_free(&work->savepoints[--work->savepoint_count].name);
}

void work_end(struct work *work)
{
	forget_savepoints(work);
	free(work->savepoints);
	sop_txn_free(work->txn); /* rolls back what is open */
	*work = (struct work){ 0 };
}

/* Notes in `answer` which transaction it is about. */
static void tell_id(struct answer *answer, const struct work *work)
{
	answer->has_txn = true;
	memcpy(answer->txn, work->id, sizeof answer->txn);
}

static sop_status begin(struct exec *exec, const struct begin *how, int64_t deadline_ms,
			struct work *work, struct answer *answer)
{
	static const uint8_t none[16] = { 0 };
	sop_txn_options options = how->options;

	if (memcmp(options.id, none, sizeof none) != 0) { /* it is known whatever becomes of it */
		memcpy(work->id, options.id, sizeof work->id);
		tell_id(answer, work);
	}
	if (how->expired)
		return error_set(&answer->err, SOP_TIMEOUT,
				 "the deadline has passed before anything was done");
	if (options.deadline_ms == 0)
		options.deadline_ms = deadline_ms;
	TRY(sop_begin(exec->db, &options, &work->txn, &answer->err));
	TRY(sop_txn_id(work->txn, work->id, &answer->err));
	tell_id(answer, work);
	return SOP_OK;
}

static sop_status run_ops(struct exec *exec, const struct json *ops, struct work *work,
			  struct answer *answer)
{
	int64_t index = 0;

	text_clear(&answer->results);
	answer->has_results = true;
	for (const struct json *op = ops->first; op != NULL; op = op->next, index++) {
		const sop_status status = operation_run(exec, work, op, answer, &answer->err);

		if (status != SOP_OK) {
			answer->op = index;
			return status;
		}
	}
	return SOP_OK;
}

/* Finds the operation of this request that met a value which is no integer. Without one it is of an earlier step. */
static void blame_number(struct exec *exec, const struct json *ops, sop_bytes store, sop_bytes key,
			 struct answer *answer)
{
	int64_t index = 0;

	for (const struct json *op = ops->first; op != NULL; op = op->next, index++) {
		if (operation_is_number(op) && bytes_same(json_member(op, "store")->text, store) &&
		    stores_key_is(exec, store, json_member(op, "key"), key)) {
			answer_blame(answer, index);
			return;
		}
	}
}

/* What a commit failed on, a conflict or a value that is no integer, while the handle still knows. */
static void tell_loss(struct exec *exec, const struct request *request, const struct work *work,
		      sop_status status, struct answer *answer)
{
	sop_bytes store, key;

	if ((status != SOP_CONFLICT && status != SOP_SCHEMA) || answer->op >= 0 ||
	    sop_txn_conflict(work->txn, &store, &key, NULL) != SOP_OK)
		return;
	text_add(&answer->store, store.data, store.size);
	if (key.size > 0 || status == SOP_SCHEMA)
		stores_write_key(exec, store, key, &answer->key);
	if (status == SOP_SCHEMA && request->ops != NULL)
		blame_number(exec, request->ops, store, key, answer);
}

static sop_status commit(struct work *work, struct answer *answer)
{
	TRY(sop_commit(work->txn, &answer->err));
	answer->has_position = true;
	return sop_txn_position(work->txn, &answer->position, &answer->err);
}

/* Runs all of a transaction, again where it conflicts and that was asked for: sop_txn_again keeps to the deadline. */
static sop_status run_whole(struct exec *exec, const struct request *request, struct work *work,
			    struct answer *answer)
{
	sop_status status;

	TRY(begin(exec, &request->begin, WHOLE_DEADLINE_MS, work, answer));
	for (;;) {
		status = run_ops(exec, request->ops, work, answer);
		if (status == SOP_OK)
			status = commit(work, answer);
		if (status != SOP_CONFLICT || !request->begin.retry)
			break;
		status = sop_txn_again(work->txn, &answer->err);
		if (status != SOP_OK)
			break;
		answer->op = -1;
		forget_savepoints(work);
		TRY(sop_txn_id(work->txn, work->id, &answer->err));
		tell_id(answer, work);
	}
	tell_loss(exec, request, work, status, answer);
	return status;
}

/* Does a step do nothing at which the library would see that the transaction has ended, as after its deadline? */
static bool looks_only(const struct request *request)
{
	const bool runs = request->ops != NULL && request->ops->first != NULL;
	const bool only_rolls_back = request->rolls_back && request->ops == NULL;

	return !runs && !only_rolls_back && !request->begins && !request->commits;
}

/* Runs the parts of a step of a session. */
static sop_status run_step(struct exec *exec, const struct request *request, struct work *work,
			   struct answer *answer)
{
	sop_error *err = &answer->err;
	sop_status status = SOP_OK;
	uint64_t unused;

	if (request->begins && work->txn != NULL)
		return error_set(err, SOP_MISUSE,
				 "a transaction is open in the session; it was rolled back: commit or roll back first");
	if (request->begins)
		TRY(begin(exec, &request->begin, 0, work, answer));
	if (work->txn == NULL && (request->ops != NULL || request->commits || request->prepares))
		return error_set(err, SOP_MISUSE,
				 "no transaction is open in the session; it needs \"begin\":{}");
	if (request->ops != NULL)
		status = run_ops(exec, request->ops, work, answer);
	if (status == SOP_OK && looks_only(request) && work->txn != NULL)
		status = sop_savepoint(work->txn, &unused, err); /* the least call that looks for the deadline */
	if (status == SOP_OK && request->prepares)
		status = error_set(err, SOP_UNSUPPORTED,
				   "this version has no two-phase commit; the transaction was rolled back");
	if (status == SOP_OK && request->commits)
		status = commit(work, answer);
	tell_loss(exec, request, work, status, answer);
	return status;
}

void step_run(struct exec *exec, const struct request *request, struct work *work, struct answer *answer)
{
	const bool whole = request->kind == REQUEST_TRANSACTION;

	if (work->txn != NULL)
		tell_id(answer, work);
	if (request->fault.status != SOP_OK) {
		answer_fault(answer, request);
	} else {
		answer->status = whole ? run_whole(exec, request, work, answer)
				       : run_step(exec, request, work, answer);
	}
	if (whole || answer->status != SOP_OK || request->commits || request->rolls_back)
		work_end(work);
}
