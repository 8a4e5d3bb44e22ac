/* Runs one command line: from main, and from the shell for each line. */
#ifndef SOPCTL_RUN_H
#define SOPCTL_RUN_H

#include "command.h"

/* Runs the command that the `count` words name. `db`: open already (the shell's), or NULL. Returns the exit code. */
int run_words(size_t count, char *const *words, struct sop_db *db);

#endif
