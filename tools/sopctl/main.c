/* sopctl: finds the command, takes its words apart, runs it. */
#include "access.h"
#include "help.h"
#include "parse.h"
#include "run.h"
#include "status.h"
#include "terminal.h"

#include <locale.h>
#include <string.h>

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, ""); /* for the width of characters; numbers stay as they are */
	if (argc < 2) {
		help_overview(stderr);
		return EXIT_USAGE;
	}
	catch_signals();
	return run_words((size_t)argc - 1, argv + 1, NULL);
}
