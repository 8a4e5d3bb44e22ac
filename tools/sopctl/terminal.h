/* The terminal, if there is one: its width, colours, questions, and signals that ask a command to end. */
#ifndef SOPCTL_TERMINAL_H
#define SOPCTL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Whether `file` is a terminal. */
bool is_terminal(FILE *file);

/* Columns and rows of the terminal at `file`; 80 and 24 if there is none. */
size_t terminal_columns(FILE *file);
size_t terminal_rows(FILE *file);

/* Whether to colour what goes to `file`: `when` is "always", "never", or "auto", which is NULL too: on a terminal that
 * has colours, unless NO_COLOR is set. */
bool use_colour(FILE *file, const char *when);

/* Asks `question` on the terminal and waits for a line. Returns true for y or yes. */
bool ask(const char *question);

/* From now on SIGINT and SIGTERM ask the command to end instead of killing it, and a reader that goes away is an
 * error of the write. A second SIGINT kills. */
void catch_signals(void);

/* Whether a signal has asked the command to end. */
bool interrupted(void);

/* Forgets that a signal came: the shell goes on after one. */
void interrupt_clear(void);

#endif
