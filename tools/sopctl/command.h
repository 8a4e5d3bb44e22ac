/* What a command is: one entry of the table from which the parser, help, man page and completion are made; and what
 * it is run with. */
#ifndef SOPCTL_COMMAND_H
#define SOPCTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
	OPTION_FLAG, /* --name */
	OPTION_INTEGER, /* --name N, from `least` to `most` */
	OPTION_TEXT, /* --name TEXT */
	OPTION_WORD /* --name WORD, one of `words` */
};

struct option_spec {
	const char *name; /* without the dashes */
	char letter; /* -o; '\0': none */
	enum option_kind kind;
	const char *argument; /* what help calls its argument, such as "N"; NULL for a flag */
	const char *words; /* OPTION_WORD: "table|json|jsonl" */
	int64_t least;
	int64_t most;
	const char *standard; /* its default, as it would be written; NULL: none */
	const char *help; /* one line */
};

struct invocation;

struct command {
	const char *name;
	const char *summary; /* one line */
	const char *help; /* paragraphs */
	const char *arguments; /* such as "URL [STORE...]"; where the first is not URL, there is no url */
	size_t arguments_min; /* with the URL */
	size_t arguments_max; /* SIZE_MAX: any number */
	const struct option_spec *options; /* ends with one whose name is NULL; may be NULL */
	const char *exits; /* what its exit codes mean, where that is not what they always mean; may be NULL */
	int (*run)(struct invocation *invocation); /* returns the exit code */
	unsigned takes; /* TAKES_...: the options that many commands share */
};

/* Options that many commands share; --help is taken by all. */
#define TAKES_OUTPUT 1u /* -o, --color: it answers in rows */
#define TAKES_QUIET 2u /* --quiet: it tells how far it is */
#define TAKES_YES 4u /* --yes: it destroys something */

struct option_value {
	bool given;
	int64_t integer; /* OPTION_INTEGER: what was given, or the default, or 0 */
	const char *text; /* TEXT, WORD: the same, or NULL */
};

/* What a command is run with. Everything lives until it returns. */
struct invocation {
	const struct command *command;
	const char *url; /* NULL where the arguments of the command do not begin with it */
	const char **arguments; /* behind the URL */
	size_t argument_count;
	struct option_value *values; /* in the order of command->options */
	struct option_value *shared; /* in the order of shared_options */
	struct sop_db *db; /* open already: in the shell; else NULL */
	FILE *in;
	FILE *out;
	FILE *err;
};

/* The value of the option `name`, which the command must have. */
const struct option_value *option_of(const struct invocation *invocation, const char *name);

/* The same of an option that many commands share; one that the command does not take is not given. */
const struct option_value *shared_option_of(const struct invocation *invocation, const char *name);

/* All commands, in the order of help; ends with NULL. */
extern const struct command *const commands[];

/* The command `name`; NULL if there is none. */
const struct command *command_named(const char *name);

/* The options of `takes` bits: entries whose `least` is one of the bits; ends with one whose name is NULL. */
extern const struct option_spec shared_options[];

/* Entries of the table, each defined in the file of its command. */
extern const struct command command_exec; /* exec.c */
extern const struct command command_dump; /* dump.c */
extern const struct command command_load; /* load.c */
extern const struct command command_verify; /* verify.c */

#endif
