/* The command line, taken apart by the table of commands. */
#ifndef SOPCTL_PARSE_H
#define SOPCTL_PARSE_H

#include "command.h"

#define WORDS_MAX 100000 /* arguments of one command */

/* Takes the `count` words behind the name of `command` apart into `invocation`, whose files are set. Returns EXIT_OK, or
 * EXIT_USAGE having said why. The words must live as long as the invocation. */
int parse_words(struct invocation *invocation, const struct command *command, size_t count,
		char *const *words);

/* Frees what parse_words gave `invocation`, also if it failed. */
void parse_free(struct invocation *invocation);

/* The name of the command that is most like `word`, or NULL if none is. */
const char *command_like(const char *word);

#endif
