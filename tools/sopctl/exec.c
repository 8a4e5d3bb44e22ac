/* sopctl exec: requests as lines of JSON, each answered with one; docs/exec.md. */
#include "exec.h"

#include "command.h"
#include "opening.h"
#include "status.h"

static sop_status serve(const struct invocation *invocation, sop_db *db, sop_error *err)
{
	const unsigned threads = (unsigned)option_of(invocation, "threads")->integer;
	struct exec exec = { .db = db, .safe_ints = option_of(invocation, "safe-ints")->given };
	sop_status status;

	exec.stores = stores_new(db);
	status = exec_serve(&exec, fileno(invocation->in), fileno(invocation->out), threads, err);
	stores_free(exec.stores);
	return status;
}

static int run(struct invocation *invocation)
{
	sop_error err = SOP_ERROR_INIT;
	sop_error close_err = SOP_ERROR_INIT;
	sop_db *db = NULL;
	int code = EXIT_OK;

	if (stop_begin(&err) != SOP_OK)
		return report(invocation->err, "exec", &err);
	if (opening_open(invocation, option_of(invocation, "create")->given ? OPENING_CREATE : OPENING_CHANGE,
			 &db, &err) != SOP_OK) {
		code = opening_failed(invocation->out, &err);
	} else {
		if (serve(invocation, db, &err) != SOP_OK)
			code = report(invocation->err, "exec", &err);
		if (opening_close(invocation, db, &close_err) != SOP_OK && code == EXIT_OK)
			code = report(invocation->err, "exec", &close_err);
	}
	stop_end();
	return code;
}

static const struct option_spec options[] = {
	{ "create", '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL, "make the database if it is missing" },
	{ "threads", '\0', OPTION_INTEGER, "N", NULL, 1, EXEC_THREADS_MAX, "1",
	  "threads that run requests; 1: strictly one after the other" },
	{ "safe-ints", '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL,
	  "answer integers beyond 2^53 as {\"int\":\"...\"}, which jq 1.6 does not round" },
	{ NULL, '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL, NULL }
};

const struct command command_exec = {
	.name = "exec",
	.summary = "run transactions given as lines of JSON",
	.help = "Reads one JSON object a line from standard input and answers each with one line on standard output, flushed when "
		"the request has finished: the answer to a commit comes after its durable point.\n"
		"\n"
		"  {\"id\":1,\"ops\":[{\"op\":\"get\",\"store\":\"s\",\"key\":\"a\"}]}\n"
		"  {\"id\":1,\"status\":\"OK\",\"results\":[{\"value\":\"30\"}],...}\n"
		"\n"
		"A line with \"ops\" is one whole transaction; with \"session\" and \"begin\", \"ops\", \"commit\" or \"rollback\" it is a "
		"step of one that stays open. Other requests: \"outcome\", \"sync\", \"stats\", \"checkpoint\", \"verify\", \"gc\". "
		"docs/exec.md has all of them.\n"
		"\n"
		"The end of the input, SIGTERM, SIGINT and a reader that goes away end it: running requests finish, open sessions are "
		"rolled back, the database is closed.",
	.arguments = "URL",
	.arguments_min = 1,
	.arguments_max = 1,
	.options = options,
	.exits = "0 also after SIGTERM and SIGINT. If the database cannot be opened, one line says why: "
		 "{\"id\":null,\"status\":\"LOCKED\",...}.",
	.run = run,
};
