/* Requests that are no transactions: outcome, sync, stats, checkpoint, verify, gc. */
#include "exec.h"

#include "figures.h"
#include "problem.h"
#include "status.h"
#include "text.h"
#include "try.h"

static sop_status tell_outcome(struct exec *exec, const struct request *request, struct answer *answer)
{
	static const char *const names[] = { "NOT_COMMITTED", "COMMITTED", "PENDING", "UNKNOWN" };
	sop_outcome outcome = SOP_OUTCOME_UNKNOWN;
	uint64_t position = 0;

	TRY(sop_txn_outcome(exec->db, request->transaction, &outcome, &position, &answer->err));
	text_printf(&answer->more, ",\"outcome\":\"%s\"", names[outcome]);
	answer->has_position = outcome == SOP_OUTCOME_COMMITTED;
	answer->position = position;
	return SOP_OK;
}

static sop_status tell_stats(struct exec *exec, struct answer *answer)
{
	sop_stats stats = SOP_STATS_INIT;

	TRY(sop_db_stats(exec->db, &stats, &answer->err));
	text_puts(&answer->more, ",\"stats\":{");
	for (const struct figure *figure = figures; figure->name != NULL; figure++) {
		text_printf(&answer->more, "%s\"%s\":", figure == figures ? "" : ",", figure->name);
		item_uint_write(exec->safe_ints, figure_of(&stats, figure), &answer->more);
	}
	text_putc(&answer->more, '}');
	return SOP_OK;
}

/* How many bytes of problems an answer lists; a badly damaged database has millions. */
#define PROBLEM_BYTES_MAX ((size_t)8 << 20)

static int list_problem(void *arg, const sop_problem *problem)
{
	sop_buf *list = arg;

	if (list->size > PROBLEM_BYTES_MAX)
		return 1;
	if (list->size > 0)
		text_putc(list, ',');
	problem_write(problem, list);
	return 0;
}

/* Problems are the answer, and CORRUPT is its status. */
static sop_status tell_problems(struct exec *exec, struct answer *answer)
{
	sop_buf list = SOP_BUF_INIT;
	uint64_t count = 0;
	sop_status status = sop_verify(exec->db, list_problem, NULL, &list, &count, &answer->err);

	if (status == SOP_CANCELLED) /* by list_problem, which had enough */
		status = error_set(&answer->err, SOP_CORRUPT,
				   "the database is damaged; more was found than is listed");
	if (status == SOP_OK || status == SOP_CORRUPT) {
		text_puts(&answer->more, ",\"problems\":[");
		text_add(&answer->more, list.data, list.size);
		text_putc(&answer->more, ']');
	}
	sop_buf_free(&list);
	return status;
}

static sop_status run(struct exec *exec, const struct request *request, struct answer *answer)
{
	switch (request->kind) {
	case REQUEST_OUTCOME:
		return tell_outcome(exec, request, answer);
	case REQUEST_SYNC:
		return sop_sync(exec->db, &answer->err);
	case REQUEST_STATS:
		return tell_stats(exec, answer);
	case REQUEST_CHECKPOINT:
		return sop_checkpoint(exec->db, &answer->err);
	case REQUEST_VERIFY:
		return tell_problems(exec, answer);
	case REQUEST_GC:
		return sop_gc(exec->db, NULL, NULL, &answer->err);
	default:
		return error_set(&answer->err, SOP_UNSUPPORTED,
				 "this version has no two-phase commit: there is nothing in doubt, and nothing to resolve");
	}
}

void other_run(struct exec *exec, const struct request *request, struct answer *answer)
{
	if (request->fault.status != SOP_OK) {
		answer_fault(answer, request);
		return;
	}
	answer->status = run(exec, request, answer);
}
