#include "run.h"

#include "help.h"
#include "parse.h"
#include "status.h"
#include "terminal.h"

#include <errno.h>
#include <string.h>

static int unknown(const char *name)
{
	const char *like = command_like(name);

	fprintf(stderr, "sopctl: MISUSE: there is no command '%s'%s%s%s; sopctl help lists them\n",
		name, like != NULL ? "; did you mean '" : "", like != NULL ? like : "",
		like != NULL ? "'" : "");
	return EXIT_USAGE;
}

/* What is left to write goes out now. A reader that went away is no error: it had what it wanted. */
static int finish_output(const struct command *command, int code)
{
	errno = 0;
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return code;
	if (errno == EPIPE || errno == 0) { /* 0: it was told when it happened */
		clearerr(stdout);
		return code;
	}
	return complain(stderr, command->name, SOP_IO, "the answer could not be written: %s",
			strerror(errno));
}

int run_words(size_t count, char *const *words, struct sop_db *db)
{
	struct invocation invocation = { .in = stdin, .out = stdout, .err = stderr, .db = db };
	const char *name = words[0];
	const struct command *command;
	int code;

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0)
		name = "version";
	command = command_named(name);
	if (command == NULL)
		return unknown(name);
	code = parse_words(&invocation, command, count - 1, words + 1);
	if (code == EXIT_OK) {
		if (shared_option_of(&invocation, "help")->given)
			help_command(stdout, command);
		else
			code = command->run(&invocation);
		code = finish_output(command, code);
	}
	parse_free(&invocation);
	return code;
}
