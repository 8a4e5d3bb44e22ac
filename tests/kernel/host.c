/* Processes and folders of the tests. */
#include "kernel/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NS_PER_MS = 1000000, FOLDERS_OPEN_MAX = 16 };

static void exec_worker(const struct worker_how *how, int to)
{
	char pipe_text[16], session[16], threads[16], seed[32], close_after[16];
	const char *const arguments[] = { "worker",
					  "--worker",
					  how->url,
					  pipe_text,
					  session,
					  threads,
					  seed,
					  how->mixed ? "1" : "0",
					  how->heavy ? "1" : "0",
					  close_after,
					  NULL };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive the test */
	(void)snprintf(pipe_text, sizeof pipe_text, "%d", to);
	(void)snprintf(session, sizeof session, "%u", (unsigned)how->session);
	(void)snprintf(threads, sizeof threads, "%u", (unsigned)how->threads);
	(void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)test_seed());
	(void)snprintf(close_after, sizeof close_after, "%u", how->close_after_ms);
	execv("/proc/self/exe", (char *const *)(uintptr_t)arguments);
	_exit(127);
}

void worker_start(const struct worker_how *how, struct watched *out)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	out->pid = fork();
	assert_true(out->pid >= 0);
	if (out->pid == 0) {
		(void)fcntl(ends[1], F_SETFD, 0);
		exec_worker(how, ends[1]);
	}
	(void)close(ends[1]);
	out->pipe = ends[0];
}

/* Reads one message, which was written at one stroke; false at the end. */
static bool read_message(int from, struct message *m)
{
	size_t got = 0;

	while (got < sizeof *m) {
		const ssize_t more = read(from, (char *)m + got, sizeof *m - got);

		if (more < 0 && errno == EINTR)
			continue;
		if (more <= 0)
			return false;
		got += (size_t)more;
	}
	return true;
}

bool worker_watch(struct watched *w, int64_t until_ns, message_fn fn, void *arg)
{
	struct message m;

	for (;;) {
		const int64_t left_ns = until_ns - test_now_ns();
		struct timespec left = { left_ns / 1000 / NS_PER_MS,
					 left_ns % (1000 * (int64_t)NS_PER_MS) };
		struct pollfd waiting = { .fd = w->pipe, .events = POLLIN };
		int ready;

		if (left_ns <= 0)
			return false;
		ready = ppoll(&waiting, 1, &left, NULL);
		if (ready <= 0)
			continue;
		if (!read_message(w->pipe, &m))
			return true;
		fn(arg, &m);
	}
}

int worker_kill(struct watched *w, message_fn fn, void *arg)
{
	struct message m;
	int status = 0;

	(void)kill(w->pid, SIGKILL);
	while (read_message(w->pipe, &m))
		fn(arg, &m);
	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	(void)close(w->pipe);
	return status;
}

void folder_make(char path[256], const char *what)
{
	(void)snprintf(path, 256, "kernel-%s-XXXXXX", what);
	assert_non_null(mkdtemp(path));
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
	(void)about;
	(void)kind;
	(void)walk;
	return remove(path);
}

void folder_remove(const char *path)
{
	(void)nftw(path, remove_one, FOLDERS_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
}

unsigned count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL)
		count++;
	(void)closedir(folder);
	return count;
}
