#include "words.h"

#include "status.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* Takes one word from `*from` to `*to`, which move. Returns the quote that is not closed, or 0. */
static char take_word(const char **from, char **to)
{
	char quote = '\0';
	const char *at = *from;

	for (; *at != '\0' && (quote != '\0' || strchr(" \t\r\n", *at) == NULL); at++) {
		if (quote == '\0' && (*at == '\'' || *at == '"'))
			quote = *at;
		else if (*at == quote)
			quote = '\0';
		else if (*at == '\\' && at[1] != '\0' &&
			 (quote == '\0' || (quote == '"' && strchr("\"\\", at[1]) != NULL)))
			*(*to)++ = *++at;
		else
			*(*to)++ = *at;
	}
	*(*to)++ = '\0';
	*from = at;
	return quote;
}

sop_status words_split(struct words *words, const char *line, sop_error *err)
{
	const size_t size = strlen(line);
	char *to;

	words->count = 0;
	words->words = memory_of(size / 2 + 2, sizeof *words->words); /* words are apart by a space */
	words->text = memory_of(size + 2, 1); /* each word and its NUL are no longer than it and what is behind it */
	to = words->text;
	for (line += strspn(line, " \t\r\n"); *line != '\0'; line += strspn(line, " \t\r\n")) {
		words->words[words->count++] = to;
		if (take_word(&line, &to) != '\0')
			return error_set(err, SOP_MISUSE, "a quote is not closed");
	}
	return SOP_OK;
}

void words_free(struct words *words)
{
	free(words->words);
	free(words->text);
}
