#include "terminal.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 80
#define ROWS_DEFAULT 24
#define ANSWER_BYTES_MAX 64

static volatile sig_atomic_t asked_to_end;

bool is_terminal(FILE *file)
{
	return isatty(fileno(file)) == 1;
}

size_t terminal_columns(FILE *file)
{
	struct winsize size;

	if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return COLUMNS_DEFAULT;
}

size_t terminal_rows(FILE *file)
{
	struct winsize size;

	if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
		return size.ws_row;
	return ROWS_DEFAULT;
}

bool use_colour(FILE *file, const char *when)
{
	const char *no = getenv("NO_COLOR");
	const char *kind = getenv("TERM");

	if (when != NULL && strcmp(when, "always") == 0)
		return true;
	if (when != NULL && strcmp(when, "never") == 0)
		return false;
	if (no != NULL && no[0] != '\0')
		return false;
	return is_terminal(file) && kind != NULL && strcmp(kind, "dumb") != 0;
}

bool ask(const char *question)
{
	char answer[ANSWER_BYTES_MAX];
	size_t size;

	fprintf(stderr, "%s [y/N] ", question);
	fflush(stderr);
	if (fgets(answer, sizeof answer, stdin) == NULL) {
		fputc('\n', stderr);
		return false;
	}
	size = strcspn(answer, "\r\n");
	answer[size] = '\0';
	for (size_t i = 0; i < size; i++)
		answer[i] = (char)tolower((unsigned char)answer[i]);
	return strcmp(answer, "y") == 0 || strcmp(answer, "yes") == 0;
}

static void on_signal(int number)
{
	if (asked_to_end != 0 && number == SIGINT)
		_exit(128 + SIGINT);
	asked_to_end = 1;
}

void catch_signals(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	sigemptyset(&action.sa_mask);
	action.sa_handler = on_signal; /* without SA_RESTART: a read that waits for input ends */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

bool interrupted(void)
{
	return asked_to_end != 0;
}

void interrupt_clear(void)
{
	asked_to_end = 0;
	clearerr(stdin); /* a read that the signal ended is no end of the input */
}
