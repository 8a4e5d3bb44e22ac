/* The man page, in roff, from the table of commands. */
#include "commands.h"
#include "help.h"
#include "status.h"

#include <string.h>

/* `text` so that roff takes it as it is: backslashes and dashes escaped, no line that begins with a dot or a quote. */
static void put_roff(FILE *to, const char *text)
{
	bool line_begins = true;

	for (; *text != '\0'; text++) {
		if (line_begins && (*text == '.' || *text == '\''))
			fputs("\\&", to);
		if (*text == '\\')
			fputs("\\e", to);
		else if (*text == '-')
			fputs("\\-", to);
		else if (*text == '\'')
			fputs("\\(aq", to);
		else
			fputc(*text, to);
		line_begins = *text == '\n';
	}
}

/* Paragraphs, an empty line between them; lines that begin with a space are examples. */
static void put_paragraphs(FILE *to, const char *text)
{
	while (*text != '\0') {
		const size_t size = strcspn(text, "\n");
		char line[4096];

		snprintf(line, sizeof line, "%.*s", (int)size, text);
		if (size == 0)
			fputs(".PP\n", to);
		else if (line[0] == ' ')
			fputs(".br\n\\&\\ \\ ", to);
		if (size > 0) {
			put_roff(to, line);
			fputs(line[0] == ' ' ? "\n.br\n" : "\n", to);
		}
		text += size + (text[size] == '\n');
	}
}

static void put_option(void *arg, const struct option_spec *option)
{
	FILE *to = arg;

	if (strcmp(option->name, "help") == 0)
		return; /* of all commands: said once */
	fputs(".TP\n", to);
	if (option->letter != '\0')
		fprintf(to, "\\fB\\-%c\\fR, ", option->letter);
	fputs("\\fB\\-\\-", to);
	put_roff(to, option->name);
	fputs("\\fR", to);
	if (option->argument != NULL)
		fprintf(to, " \\fI%s\\fR", option->argument);
	fputc('\n', to);
	put_roff(to, option->help);
	if (option->words != NULL)
		fprintf(to, " (one of %s)", option->words);
	if (option->standard != NULL)
		fprintf(to, "; default %s", option->standard);
	fputs(".\n", to);
}

static void put_command(FILE *to, const struct command *command)
{
	fputs(".SS ", to);
	put_roff(to, command->name);
	fputs("\n.B sopctl ", to);
	put_roff(to, command->name);
	fputs("\n[OPTION...] ", to);
	put_roff(to, command->arguments);
	fputs("\n.PP\n", to);
	put_paragraphs(to, command->help);
	each_option(command, put_option, to);
	if (command->exits != NULL) {
		fputs(".PP\nExit codes: ", to);
		put_paragraphs(to, command->exits);
	}
}

static void put_head(FILE *to)
{
	fprintf(to, ".TH SOPCTL 1 \"\" \"SOP %d.%d.%d\" \"User Commands\"\n", SOP_VERSION_MAJOR,
		SOP_VERSION_MINOR, SOP_VERSION_PATCH);
	fputs(".ad l\n.SH NAME\nsopctl \\- look into SOP databases, change them, copy them, watch over them\n"
	      ".SH SYNOPSIS\n.B sopctl\n.I COMMAND\n[OPTION...] [ARGUMENT...]\n"
	      ".SH DESCRIPTION\nSOP is an embedded, transactional, ordered store. A database is a folder that holds any "
	      "number of stores; a store holds items in the order of their keys.\n"
	      "Every command takes \\fB\\-\\-help\\fR.\n",
	      to);
}

static int run_man(struct invocation *invocation)
{
	FILE *to = invocation->out;

	put_head(to);
	for (const struct help_topic *topic = help_topics; topic->title != NULL; topic++) {
		fprintf(to, ".SS %s\n", topic->title);
		put_paragraphs(to, topic->text);
	}
	fputs(".SH COMMANDS\n", to);
	for (size_t i = 0; commands[i] != NULL; i++)
		put_command(to, commands[i]);
	fputs(".SH EXIT STATUS\n", to);
#define PUT_EXIT(code, meaning) fprintf(to, ".TP\n.B %d\n%s\n", code, meaning);
	EXIT_CODE_TABLE(PUT_EXIT)
#undef PUT_EXIT
	return EXIT_OK;
}

const struct command command_man = {
	.name = "man",
	.summary = "print the man page",
	.help = "Prints the man page in roff, from the table that the parser uses. To read it: sopctl man | man -l -",
	.arguments = "",
	.run = run_man,
};
