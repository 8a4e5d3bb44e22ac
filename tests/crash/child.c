/* Runs in processes of their own. */
#include "crash/child.h"

#include "base/plant.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_CAUGHT = 3, RUN_SECONDS_MAX = 120 };

static _Noreturn void run(int planted, child_body body, void *arg, int out)
{
	char words[WORDS] = "";
	bool well;

	(void)alarm(RUN_SECONDS_MAX);
	(void)dup2(out, STDERR_FILENO);
	atomic_store(&sopi_planted, planted);
	well = body(arg, words);
	if (!well)
		(void)!write(out, words, strlen(words));
	_exit(well ? 0 : EXIT_CAUGHT);
}

bool child_finds(int planted, child_body body, void *arg, char words[WORDS])
{
	int ends[2];
	int how = 0;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	(void)fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		run(planted, body, arg, ends[1]);
	(void)close(ends[1]);
	got = read(ends[0], words, WORDS - 1);
	words[got > 0 ? got : 0] = '\0';
	words[strcspn(words, "\n")] = '\0';
	(void)close(ends[0]);
	assert_int_equal(waitpid(child, &how, 0), child);
	if (WIFEXITED(how) && WEXITSTATUS(how) != 0 && WEXITSTATUS(how) != EXIT_CAUGHT)
		fail_msg("the run ended with %d: %s", WEXITSTATUS(how), words);
	return !WIFEXITED(how) || WEXITSTATUS(how) != 0;
}
