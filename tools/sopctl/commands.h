/* The commands that answer for themselves in a file of their own name, or of a few that belong together. */
#ifndef SOPCTL_COMMANDS_H
#define SOPCTL_COMMANDS_H

#include "command.h"

extern const struct command command_info, command_stores, command_schema; /* look.c */
extern const struct command command_get, command_scan, command_count; /* read.c */
extern const struct command command_put, command_del; /* write.c */
extern const struct command command_create, command_drop, command_rename; /* stores.c */
extern const struct command command_import, command_export; /* import.c, export.c */
extern const struct command command_backup, command_restore, command_gc, command_compact; /* safety.c */
extern const struct command command_stats, command_top; /* stats.c, top.c */
extern const struct command command_bench, command_doctor, command_shell; /* bench.c, doctor.c, shell.c */
extern const struct command command_help, command_version; /* help.c */
extern const struct command command_man, command_completion; /* man.c, completion.c */

#endif
