/* Exit codes, and how an error is told: what happened, where, and what to do. */
#ifndef SOPCTL_STATUS_H
#define SOPCTL_STATUS_H

#include <sop/sop.h>

#include <stdio.h>

/* What a command answers to the shell. Never renumbered: scripts stand on them. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_NO = 1, /* a negative answer: NOT_FOUND, EXISTS */
	EXIT_USAGE = 2, /* MISUSE, SCHEMA, LIMIT: the command is wrong */
	EXIT_AGAIN = 3, /* CONFLICT, TIMEOUT, CANCELLED, UNKNOWN: try again */
	EXIT_CORRUPT = 4, /* damage was found */
	EXIT_BROKEN = 5, /* IO, FAILED, UNAVAILABLE, NO_SPACE, NO_MEMORY */
	EXIT_LOCKED = 6, /* another process has the database open */
	EXIT_REFUSED = 7, /* READ_ONLY, UNSUPPORTED, not confirmed */
	EXIT_INTERRUPTED = 130 /* by SIGINT or SIGTERM */
};

/* X(code, "meaning"): the same, for help and man page. */
#define EXIT_CODE_TABLE(X)                                                                             \
	X(EXIT_OK, "success")                                                                          \
	X(EXIT_NO, "a negative answer: there is no such key, store or database; or it exists already") \
	X(EXIT_USAGE, "the command is wrong: arguments, keys, sizes beyond a limit")                   \
	X(EXIT_AGAIN, "try again: a conflict, a deadline, an unknown outcome")                         \
	X(EXIT_CORRUPT, "damage was found: run sopctl verify, restore a backup")                       \
	X(EXIT_BROKEN, "the system failed: input or output, no space, no memory, a check of doctor")   \
	X(EXIT_LOCKED, "the database is open already")                                                 \
	X(EXIT_REFUSED, "refused: read-only, not supported, not confirmed")                            \
	X(EXIT_INTERRUPTED, "interrupted by a signal")

/* The exit code that stands for `status`. */
int exit_code_of(sop_status status);

/* Tells the error `err` of `command` on `to`: status, sentence, store, file and place. Returns its exit code. */
int report(FILE *to, const char *command, const sop_error *err);

/* Tells an error of our own, which the library has not seen. Returns the exit code of `status`. */
int complain(FILE *to, const char *command, sop_status status, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Fills `err` with an error of our own and returns `status`, so that it travels as those of the library do. */
sop_status error_set(sop_error *err, sop_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
