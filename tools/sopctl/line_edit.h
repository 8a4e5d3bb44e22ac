/* Lines of input: edited, remembered and completed on a terminal (libedit), as they come elsewhere. */
#ifndef SOPCTL_LINE_EDIT_H
#define SOPCTL_LINE_EDIT_H

#include <stdbool.h>
#include <stddef.h>

/* Offers completions: calls `offer` with each word that may stand where `text` stands, in the line `before` it. */
typedef void (*completions_fn)(void *arg, const char *before, const char *text,
			       void (*offer)(const char *word));

/* Begins to edit lines on the terminal, with completions from `completions`. `history`: the file that remembers lines,
 * or NULL. */
void line_edit_begin(completions_fn completions, void *arg, const char *history);
void line_edit_end(void);

/* Reads a line; `prompt` is shown on a terminal. NULL: the end of the input. The caller frees it. SIGINT gives an empty
 * line. */
char *line_edit_read(const char *prompt);

#endif
