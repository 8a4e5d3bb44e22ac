/* shell: commands line by line, on a database that stays open. */
#include "access.h"
#include "commands.h"
#include "help.h"
#include "line_edit.h"
#include "run.h"
#include "status.h"
#include "terminal.h"
#include "text.h"
#include "try.h"
#include "words.h"

#include <stdlib.h>
#include <string.h>

#define HISTORY_FILE ".sopctl_history"

struct shell {
	struct access access;
	bool ended;
	int code; /* of the last command */
};

/* ---- completion */

struct offering {
	void (*offer)(const char *word);
};

static void offer_option(void *arg, const struct option_spec *option)
{
	const struct offering *offering = arg;
	sop_buf word = SOP_BUF_INIT;

	text_printf(&word, "--%s", option->name);
	offering->offer(text_string(&word));
	sop_buf_free(&word);
}

static void offer_stores(struct shell *shell, void (*offer)(const char *word))
{
	struct access *access = &shell->access;
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_txn *txn = NULL;
	sop_buf names = SOP_BUF_INIT;
	size_t count = 0;

	options.mode = SOP_READ;
	if (access->db != NULL && sop_begin(access->db, &options, &txn, NULL) == SOP_OK &&
	    sop_store_list(txn, &names, &count, NULL) == SOP_OK) {
		const char *name = names.data;

		for (size_t i = 0; i < count; i++, name += strlen(name) + 1)
			offer(name);
	}
	sop_txn_free(txn);
	sop_buf_free(&names);
}

/* The command that begins the line `before`, or NULL. */
static const struct command *command_of_line(const char *before)
{
	sop_error err = SOP_ERROR_INIT;
	struct words words;
	const struct command *command = NULL;

	if (words_split(&words, before, &err) == SOP_OK && words.count > 0)
		command = command_named(words.words[0]);
	words_free(&words);
	return command;
}

static void completions(void *arg, const char *before, const char *text, void (*offer)(const char *word))
{
	struct shell *shell = arg;
	struct offering offering = { offer };
	const struct command *command;

	if (before[strspn(before, " \t")] == '\0' || strncmp(before, "help ", 5) == 0) {
		for (size_t i = 0; commands[i] != NULL; i++)
			offer(commands[i]->name);
		offer("quit");
		return;
	}
	command = command_of_line(before);
	if (command == NULL)
		return;
	if (text[0] == '-')
		each_option(command, offer_option, &offering);
	else if (strstr(command->arguments, "STORE") != NULL)
		offer_stores(shell, offer);
}

/* ---- running */

/* Runs the command of `words`, which has the url put in where the command takes one. */
static int run_command(struct shell *shell, const struct words *words, const struct command *command)
{
	char **all = memory_of(words->count + 1, sizeof *all);
	sop_buf url = SOP_BUF_INIT;
	const bool takes_url = strncmp(command->arguments, "URL", 3) == 0;
	size_t count = 0;
	int code;

	text_puts(&url, shell->access.invocation->url);
	text_putc(&url, '\0');
	all[count++] = words->words[0];
	if (takes_url)
		all[count++] = url.data;
	for (size_t i = 1; i < words->count; i++)
		all[count++] = words->words[i];
	code = run_words(count, all, shell->access.db);
	sop_buf_free(&url);
	free(all);
	return code;
}

static int run_line(struct shell *shell, const char *line)
{
	sop_error err = SOP_ERROR_INIT;
	struct words words;
	const struct command *command;
	int code = EXIT_OK;

	if (words_split(&words, line, &err) != SOP_OK) {
		code = report(stderr, "shell", &err);
	} else if (words.count > 0 && words.words[0][0] != '#') {
		command = command_named(words.words[0]);
		if (strcmp(words.words[0], "quit") == 0 || strcmp(words.words[0], "exit") == 0)
			shell->ended = true;
		else if (command == &command_shell)
			code = complain(stderr, "shell", SOP_MISUSE, "this is the shell; quit leaves it");
		else if (command == NULL)
			code = run_words(words.count, words.words, NULL); /* which says what is like it */
		else
			code = run_command(shell, &words, command);
	}
	words_free(&words);
	return code;
}

/* Where lines are remembered: SOPCTL_HISTORY, or a file in the home folder; NULL: nowhere. */
static const char *history_file(sop_buf *path)
{
	const char *given = getenv("SOPCTL_HISTORY");
	const char *home = getenv("HOME");

	if (given != NULL)
		return given[0] != '\0' ? given : NULL;
	if (home == NULL)
		return NULL;
	text_printf(path, "%s/" HISTORY_FILE, home);
	return text_string(path);
}

static void read_lines(struct shell *shell)
{
	const bool people = is_terminal(stdin);

	while (!shell->ended) {
		char *line = line_edit_read("sop> ");

		if (line == NULL)
			break;
		shell->code = run_line(shell, line);
		free(line);
		if (people)
			interrupt_clear(); /* it has ended the command, not the shell */
		else if (shell->code != EXIT_OK)
			break; /* what follows in a script relies on what failed */
	}
	if (people && !shell->ended)
		fputc('\n', stdout);
}

static int run_shell(struct invocation *invocation)
{
	struct shell shell;
	sop_buf path = SOP_BUF_INIT;
	int code;

	memset(&shell, 0, sizeof shell);
	access_begin(&shell.access, invocation);
	if (access_open(&shell.access, option_of(invocation, "create")->given ? OPENING_CREATE
									      : OPENING_CHANGE) != SOP_OK)
		return access_end(&shell.access, shell.access.err.status);
	if (is_terminal(stdin))
		fputs("help lists the commands, which take no url here; Tab completes; quit leaves.\n",
		      stdout);
	line_edit_begin(completions, &shell, history_file(&path));
	read_lines(&shell);
	line_edit_end();
	sop_buf_free(&path);
	code = access_end(&shell.access, SOP_OK);
	if (!is_terminal(stdin) && interrupted())
		return EXIT_INTERRUPTED;
	if (!is_terminal(stdin) && shell.code != EXIT_OK)
		return shell.code;
	return code;
}

static const struct option_spec shell_options[] = {
	{ "create", 'c', OPTION_FLAG, NULL, NULL, 0, 0, NULL, "make the database if it is missing" },
	OPTIONS_END,
};

const struct command command_shell = {
	.name = "shell",
	.summary = "commands line by line on an open database",
	.help = "Reads commands without their url: get users ann. On a terminal lines are edited and remembered, and Tab completes "
		"commands, options and stores. Otherwise it runs the lines of standard input and ends at the first that fails, with "
		"its exit code. Quotes and backslashes are as in sh; # begins a comment; quit leaves.",
	.arguments = "URL",
	.arguments_min = 1,
	.arguments_max = 1,
	.options = shell_options,
	.run = run_shell,
};
