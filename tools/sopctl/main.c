/* sopctl: finds the command, takes its words apart, runs it. */
#include "access.h"
#include "help.h"
#include "parse.h"
#include "run.h"
#include "status.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>

/* Opens what stands for standard input, output and error where the caller closed them: otherwise a file of the database
 * would get their number, and what is printed would be written into it. */
static void hold_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			open("/dev/null", O_RDWR); /* takes the lowest number, which is this one */
	}
}

int main(int argc, char **argv)
{
	hold_standard_descriptors();
	setlocale(LC_CTYPE, ""); /* for the width of characters; numbers stay as they are */
	if (argc < 2) {
		help_overview(stderr);
		return EXIT_USAGE;
	}
	catch_signals();
	return run_words((size_t)argc - 1, argv + 1, NULL);
}
