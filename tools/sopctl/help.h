/* What a user reads about the commands. Help, man page and completion are made from the one table, so that none of them
 * can lack what the parser takes. */
#ifndef SOPCTL_HELP_H
#define SOPCTL_HELP_H

#include "command.h"

/* Prints the list of all commands. */
void help_overview(FILE *to);

/* Prints all about `command`. */
void help_command(FILE *to, const struct command *command);

/* Calls `visit` for each option that `command` takes, its own first. */
void each_option(const struct command *command,
		 void (*visit)(void *arg, const struct option_spec *option), void *arg);

/* What is true of all commands: groups, urls, keys and values, files, environment. Read by man.c, too. */
struct help_group {
	const char *title;
	const char *first; /* command that begins it */
};
extern const struct help_group help_groups[]; /* ends with one without a title */

struct help_topic {
	const char *title;
	const char *text; /* paragraphs, an empty line between them; lines that begin with a space stay as they are */
};
extern const struct help_topic help_topics[]; /* ends with one without a title */

#endif
