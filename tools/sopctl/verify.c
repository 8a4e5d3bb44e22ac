/* sopctl verify: what is damaged. */
#include "command.h"
#include "opening.h"
#include "problem.h"
#include "progress.h"
#include "status.h"
#include "terminal.h"
#include "text.h"
#include "wording.h"

#include <errno.h>
#include <string.h>

struct verify {
	FILE *out;
	bool lines; /* JSON, for programs; else sentences */
	bool damaged; /* something was found that is more than something too many */
	uint64_t superfluous; /* found that nothing refers to */
	bool reader_gone; /* nobody reads what is printed: a quiet end */
	sop_buf line;
	struct progress progress;
};

static void print_sentence(const sop_problem *problem, sop_buf *line)
{
	text_printf(line, "%s", problem->kind);
	if (problem->store.size > 0) {
		text_puts(line, "  store ");
		text_visible(line, problem->store, 0);
	}
	if (problem->file.size > 0) {
		text_puts(line, "  ");
		text_visible(line, problem->file, 0);
		if (problem->offset >= 0)
			text_printf(line, " at byte %lld", (long long)problem->offset);
	}
	text_puts(line, ": ");
	text_puts(line, problem->message);
}

static int found(void *arg, const sop_problem *problem)
{
	struct verify *verify = arg;

	if (strcmp(problem->kind, "leak") != 0 && strcmp(problem->kind, "unknown") != 0)
		verify->damaged = true;
	else
		verify->superfluous++;
	progress_end(&verify->progress); /* where both are on one terminal, the bar makes room */
	text_clear(&verify->line);
	if (verify->lines)
		problem_write(problem, &verify->line);
	else
		print_sentence(problem, &verify->line);
	text_putc(&verify->line, '\n');
	errno = 0;
	if (fwrite(verify->line.data, 1, verify->line.size, verify->out) < verify->line.size ||
	    fflush(verify->out) != 0)
		verify->reader_gone = errno == EPIPE;
	return interrupted() || ferror(verify->out);
}

static int went(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	struct verify *verify = arg;

	return progress_call(&verify->progress, done_bytes, total_bytes);
}

/* A database that is too damaged to be opened has one problem: that of opening it. */
static void found_by_opening(struct verify *verify, const sop_error *err)
{
	char room[WORDING_BYTES];
	sop_problem problem = { .struct_size = sizeof problem,
				.kind = "open",
				.message = wording_of(err, room) };

	problem.file = bytes_of(err->file);
	problem.store = bytes_of(err->store);
	problem.offset = err->offset;
	found(verify, &problem);
}

/* What `status` of opening, checking or closing means here: anything but damage is that it could not be checked. */
static int exit_code(struct verify *verify, const struct invocation *invocation, const sop_error *err)
{
	if (err->status == SOP_CORRUPT)
		return EXIT_CORRUPT;
	if (interrupted())
		return EXIT_INTERRUPTED;
	if (verify->reader_gone) /* the check is not done, but what was asked for may be known */
		return verify->damaged ? EXIT_CORRUPT : EXIT_BROKEN;
	report(invocation->err, "verify", err);
	return err->status == SOP_LOCKED ? EXIT_LOCKED : EXIT_BROKEN;
}

static int check(struct verify *verify, const struct invocation *invocation, sop_db *db)
{
	sop_error err = SOP_ERROR_INIT;
	uint64_t problems = 0;
	sop_status status;

	progress_begin(&verify->progress,
		       shared_option_of(invocation, "quiet")->given ? NULL : invocation->err,
		       "verify", 0);
	status = sop_verify(db, found, went, verify, &problems, &err);
	progress_end(&verify->progress);
	if (status != SOP_OK) {
		if (err.status == SOP_CORRUPT && !verify->lines)
			fprintf(invocation->err,
				"%llu problems: restore a backup, or copy out what can be read\n",
				(unsigned long long)problems);
		return exit_code(verify, invocation, &err);
	}
	if (!verify->lines && verify->superfluous == 0)
		fputs("no problems\n", verify->out);
	else if (!verify->lines)
		fprintf(verify->out, "no damage; nothing refers to what is listed above (%llu)\n",
			(unsigned long long)verify->superfluous);
	return EXIT_OK;
}

static int run(struct invocation *invocation)
{
	const struct option_value *output = option_of(invocation, "output");
	struct verify verify = { .out = invocation->out };
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;
	int code;

	verify.lines = output->given ? strcmp(output->text, "jsonl") == 0
				     : !is_terminal(invocation->out);
	if (opening_open(invocation, OPENING_LOOK, &db, &err) != SOP_OK) {
		if (err.status == SOP_CORRUPT)
			found_by_opening(&verify, &err);
		code = exit_code(&verify, invocation, &err);
	} else {
		code = check(&verify, invocation, db);
		if (opening_close(invocation, db, &err) != SOP_OK && code == EXIT_OK)
			code = exit_code(&verify, invocation, &err);
	}
	sop_buf_free(&verify.line);
	return code;
}

static const struct option_spec options[] = {
	{ "output", 'o', OPTION_WORD, "FORMAT", "table|jsonl", 0, 0, NULL,
	  "how to answer; sentences (table) on a terminal, jsonl elsewhere, if it is not said" },
	{ NULL, '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL, NULL }
};

const struct command command_verify = {
	.name = "verify",
	.summary = "check every file and every tree",
	.help = "Reads everything, and says what is damaged: with -o jsonl one object for each problem, of which \"file\" (relative to "
		"the database), \"offset\" and \"store\" are there where they apply. Nothing is written: what a crash has left to be "
		"put right is no problem, and stays. What nothing refers to is listed, but is no damage: of the kind unknown is a file whose "
		"name no database gives, which is left alone; of the kind leak is space that is not used",
	.arguments = "URL",
	.arguments_min = 1,
	.arguments_max = 1,
	.options = options,
	.exits = "0: clean, or nothing but the kinds leak and unknown is listed; 4: there are problems; 5: it could not be checked, or there is no database; 6: another process has it open.",
	.run = run,
	.takes = TAKES_QUIET,
};
