/* A line as a shell takes it apart: words, quotes, backslashes; no variables, no patterns. */
#ifndef SOPCTL_WORDS_H
#define SOPCTL_WORDS_H

#include <sop/buffer.h>

#include <stddef.h>

struct words {
	char **words;
	size_t count;
	char *text; /* what they point into */
};

/* Takes `line` apart. Returns OK; MISUSE: a quote is not closed. */
sop_status words_split(struct words *words, const char *line, sop_error *err);
void words_free(struct words *words);

#endif
