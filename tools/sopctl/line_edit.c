#include "line_edit.h"

#include "terminal.h"
#include "text.h"

#include <editline/readline.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define HISTORY_LINES_MAX 1000

/* libedit has one terminal, and its callbacks no argument. */
static struct {
	completions_fn completions;
	void *arg;
	const char *history;
	char **words; /* offered for what stands there now */
	size_t count;
	size_t next; /* of them to hand out */
	const char *text; /* what is completed */
} editor;

static volatile sig_atomic_t interrupted_line;

static void on_interrupt(int number)
{
	(void)number;
	interrupted_line = 1;
}

static void forget_words(void)
{
	for (size_t i = 0; i < editor.count; i++)
		free(editor.words[i]);
	editor.count = 0;
	editor.next = 0;
}

static void offer(const char *word)
{
	if (strncmp(word, editor.text, strlen(editor.text)) != 0)
		return;
	editor.words = memory_grown(editor.words, editor.count + 1, sizeof *editor.words);
	editor.words[editor.count] = memory_of(strlen(word) + 1, 1);
	memcpy(editor.words[editor.count++], word, strlen(word) + 1);
}

/* Hands out one word at a time, each of them once: what is handed out is freed by libedit. */
static char *next_word(const char *text, int state)
{
	(void)text;
	(void)state;
	return editor.next < editor.count ? strdup(editor.words[editor.next++]) : NULL;
}

static char **complete(const char *text, int begin, int end)
{
	char *before = strndup(rl_line_buffer, (size_t)begin);
	char **matches;

	(void)end;
	forget_words();
	editor.text = text;
	if (before != NULL)
		editor.completions(editor.arg, before, text, offer);
	free(before);
	matches = rl_completion_matches(text, next_word);
	rl_attempted_completion_over = 1; /* no file names where nothing fits */
	return matches;
}

void line_edit_begin(completions_fn completions, void *arg, const char *history)
{
	editor.completions = completions;
	editor.arg = arg;
	editor.history = history;
	if (!is_terminal(stdin))
		return;
	rl_readline_name = "sopctl";
	rl_attempted_completion_function = complete;
	using_history();
	stifle_history(HISTORY_LINES_MAX);
	if (history != NULL)
		(void)read_history(history); /* there is none the first time */
}

void line_edit_end(void)
{
	if (is_terminal(stdin) && editor.history != NULL)
		(void)write_history(editor.history);
	forget_words();
	free(editor.words);
	editor.words = NULL;
}

static char *read_plain(void)
{
	char *line = NULL;
	size_t capacity = 0;
	const ssize_t size = getline(&line, &capacity, stdin);

	if (size < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

char *line_edit_read(const char *prompt)
{
	struct sigaction action, usual;
	char *line;

	if (!is_terminal(stdin))
		return read_plain();
	memset(&action, 0, sizeof action);
	action.sa_handler = on_interrupt; /* ends the line, not the shell */
	sigaction(SIGINT, &action, &usual);
	interrupted_line = 0;
	line = readline(prompt);
	sigaction(SIGINT, &usual, NULL);
	if (line == NULL && interrupted_line != 0) {
		fputc('\n', stdout);
		return strdup("");
	}
	if (line != NULL && line[0] != '\0')
		add_history(line);
	return line;
}
