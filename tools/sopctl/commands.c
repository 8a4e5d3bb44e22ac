/* The table of commands: what there is, in the order of help. */
#include "command.h"

#include "commands.h"

#include <string.h>

const struct command *const commands[] = {
	/* look */
	&command_info, &command_stores, &command_schema, &command_get, &command_scan, &command_count,
	/* change */
	&command_put, &command_del, &command_create, &command_drop, &command_rename,
	/* in and out */
	&command_import, &command_export, &command_load, &command_dump, &command_exec,
	/* safety */
	&command_backup, &command_restore, &command_verify, &command_gc, &command_compact,
	/* run */
	&command_stats, &command_top, &command_bench, &command_doctor, &command_shell,
	/* about itself */
	&command_help, &command_completion, &command_man, &command_version, NULL
};

const struct option_spec shared_options[] = {
	{ "output", 'o', OPTION_WORD, "FORMAT", "table|json|jsonl|csv|raw|hex", TAKES_OUTPUT, 0,
	  NULL, "how to answer; a table on a terminal, jsonl elsewhere" },
	{ "color", '\0', OPTION_WORD, "WHEN", "auto|always|never", TAKES_OUTPUT, 0, "auto",
	  "colours: on a terminal unless NO_COLOR is set, always, never" },
	{ "quiet", 'q', OPTION_FLAG, NULL, NULL, TAKES_QUIET, 0, NULL, "do not tell how far it is" },
	{ "yes", 'y', OPTION_FLAG, NULL, NULL, TAKES_YES, 0, NULL, "do it without asking" },
	{ "help", 'h', OPTION_FLAG, NULL, NULL, ~0u, 0, NULL, "print this" },
	{ NULL, '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL, NULL }
};

const struct command *command_named(const char *name)
{
	for (size_t i = 0; commands[i] != NULL; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}
