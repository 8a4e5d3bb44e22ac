#include "help.h"

#include "commands.h"
#include "parse.h"
#include "status.h"
#include "text.h"

#include <string.h>

#define LINE_COLUMNS 100
#define INDENT 2

const struct help_group help_groups[] = {
	{ "Look", "info" },	{ "Change", "put" }, { "In and out", "import" },
	{ "Safety", "backup" }, { "Run", "stats" },  { "About itself", "help" },
	{ NULL, NULL },
};

const struct help_topic help_topics[] = {
	{ "Databases",
	  "URL is the path of a folder, or a url: inredfs:/srv/db?name=value&... sets options of opening, such as "
	  "cache_bytes=256MB. Nothing is ever made unless a command says so (create, restore, --create). A folder belongs "
	  "to one process that writes: the others get exit code 6, which names the holder; info, stats and top then read "
	  "what that process publishes. Commands that only look (info, stores, schema, get, scan, count, export, dump, stats, "
	  "verify) write nothing, may run side by side, and work where the folder may only be read." },
	{ "Keys and values",
	  "In a store without a schema a key is bytes, given as text. In a store with a schema it is the JSON array of its "
	  "fields, such as '[\"US\",\"2024-05-01T00:00:00Z\",7]'; a single field may stand without the array, and text, "
	  "uuid and time without quotes. Bounds and prefixes may name the leading fields only.\n\n"
	  "Bytes that are no text are written {\"hex\":\"00ff\"}, wherever a key or a value can stand; a value whose text "
	  "has just this form is written so, too. Integers are exact from -2^63 to 2^64-1; times are RFC 3339 with up to six "
	  "decimals. What one command prints another reads without loss." },
	{ "Output",
	  "Data goes to standard output, all else to standard error. table is for people: aligned, cut to the width of the "
	  "terminal. jsonl is one object a line, json one array; csv has a header (RFC 4180; null is empty, an empty text is "
	  "\"\"); raw prints the one column that matters as it is; hex prints the bytes of keys and values." },
	{ "Environment", "NO_COLOR, if set, turns colours off. SOPCTL_HISTORY is the file of the shell's history (default: "
			 "~/.sopctl_history; empty: none)." },
	{ NULL, NULL },
};

static void add_word(sop_buf *line, size_t *column, size_t indent, const char *word, size_t size)
{
	if (*column + 1 + size > LINE_COLUMNS && *column > indent) {
		text_putc(line, '\n');
		*column = 0;
	}
	if (*column == 0) {
		text_printf(line, "%*s", (int)indent, "");
		*column = indent;
	} else if (*column > indent) {
		text_putc(line, ' ');
		(*column)++;
	}
	text_add(line, word, size);
	*column += size;
}

/* `text` in lines of LINE_COLUMNS, indented; lines that begin with a space stay as they are. The first line begins
 * at `column`. */
static void print_wrapped(FILE *to, const char *text, size_t indent, size_t column)
{
	sop_buf line = SOP_BUF_INIT;

	while (*text != '\0') {
		const size_t size = strcspn(text, " \n");

		if (*text == '\n') {
			text_puts(&line, text[1] == '\n' ? "\n\n" : "\n");
			text += text[1] == '\n' ? 2 : 1;
			column = 0;
		} else if (*text == ' ' && column == 0) {
			const size_t whole = strcspn(text, "\n");

			text_printf(&line, "%*s%.*s", (int)indent, "", (int)whole, text);
			text += whole;
		} else {
			if (size > 0)
				add_word(&line, &column, indent, text, size);
			text += size + (text[size] == ' ');
		}
	}
	fprintf(to, "%s\n", text_string(&line));
	sop_buf_free(&line);
}

void each_option(const struct command *command,
		 void (*visit)(void *arg, const struct option_spec *option), void *arg)
{
	for (size_t i = 0; command->options != NULL && command->options[i].name != NULL; i++)
		visit(arg, &command->options[i]);
	for (size_t i = 0; shared_options[i].name != NULL; i++) {
		if (((unsigned)shared_options[i].least & (command->takes | 1u << 31)) != 0)
			visit(arg, &shared_options[i]);
	}
}

static void print_option(void *arg, const struct option_spec *option)
{
	FILE *to = arg;
	char head[64];
	char text[512];
	int size;

	size = snprintf(head, sizeof head, "%c%c%s --%s%s%s", option->letter != '\0' ? '-' : ' ',
			option->letter != '\0' ? option->letter : ' ', option->letter != '\0' ? "," : " ",
			option->name, option->argument != NULL ? " " : "",
			option->argument != NULL ? option->argument : "");
	snprintf(text, sizeof text, "%s%s%s%s%s%s%s", option->help,
		 option->words != NULL ? " (one of " : "", option->words != NULL ? option->words : "",
		 option->words != NULL ? ")" : "", option->standard != NULL ? "; default " : "",
		 option->standard != NULL ? option->standard : "", ".");
	fprintf(to, "%*s%-26s  ", INDENT, "", head);
	if (size > 26)
		fprintf(to, "\n%*s", 30, "");
	print_wrapped(to, text, 30, 30);
}

static void print_command_line(FILE *to, const struct command *command)
{
	fprintf(to, "  %-11s %s\n", command->name, command->summary);
}

void help_overview(FILE *to)
{
	size_t group = 0;

	fputs("sopctl: looks into SOP databases, changes them, copies them, watches over them.\n\n"
	      "usage: sopctl COMMAND [OPTION...] [ARGUMENT...]\n",
	      to);
	for (size_t i = 0; commands[i] != NULL; i++) {
		if (help_groups[group].title != NULL &&
		    strcmp(commands[i]->name, help_groups[group].first) == 0)
			fprintf(to, "\n%s\n", help_groups[group++].title);
		print_command_line(to, commands[i]);
	}
	fputs("\nsopctl help COMMAND tells all about one; man sopctl has it all on one page.\n", to);
}

void help_command(FILE *to, const struct command *command)
{
	fprintf(to, "sopctl %s: %s\n\nusage: sopctl %s [OPTION...]%s%s\n\n", command->name,
		command->summary, command->name, command->arguments[0] != '\0' ? " " : "",
		command->arguments);
	print_wrapped(to, command->help, 0, 0);
	fputs("\nOptions\n", to);
	each_option(command, print_option, to);
	if (command->exits != NULL) {
		fputs("\nExit codes\n", to);
		print_wrapped(to, command->exits, INDENT, 0);
	}
}

static int run_help(struct invocation *invocation)
{
	const struct command *command;

	if (invocation->argument_count == 0) {
		help_overview(invocation->out);
		return EXIT_OK;
	}
	command = command_named(invocation->arguments[0]);
	if (command == NULL)
		return complain(invocation->err, "help", SOP_MISUSE,
				"there is no command '%s'; sopctl help lists them",
				invocation->arguments[0]);
	help_command(invocation->out, command);
	return EXIT_OK;
}

const struct command command_help = {
	.name = "help",
	.summary = "tell what the commands do",
	.help = "Without an argument lists all commands; with one tells all about it.",
	.arguments = "[COMMAND]",
	.arguments_max = 1,
	.run = run_help,
};

static int run_version(struct invocation *invocation)
{
	fprintf(invocation->out, "sopctl %d.%d.%d, library %s\n", SOP_VERSION_MAJOR,
		SOP_VERSION_MINOR, SOP_VERSION_PATCH, sop_version());
	return EXIT_OK;
}

const struct command command_version = {
	.name = "version",
	.summary = "print the versions of sopctl and of the library",
	.help = "Prints the version of sopctl, and that of the library it runs with.",
	.arguments = "",
	.run = run_version,
};
