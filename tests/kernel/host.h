/* Processes of the tests: a worker that is watched and killed, folders that come and go. */
#ifndef KERNEL_HOST_H
#define KERNEL_HOST_H

#include "kernel/protocol.h"
#include "support/support.h"

#include <sys/types.h>

struct watched {
	pid_t pid;
	int pipe; /* what it tells */
};

struct worker_how {
	const char *url;
	uint32_t session;
	uint32_t threads;
	bool mixed;
	bool heavy;
	unsigned close_after_ms; /* 0: never */
};

/* Told of each message. */
typedef void (*message_fn)(void *arg, const struct message *m);

/* Starts this program again as a worker. The database must not be open here. */
void worker_start(const struct worker_how *how, struct watched *out);

/* Reads what it tells until the time (test_now_ns) or its end; true: it has ended. */
bool worker_watch(struct watched *w, int64_t until_ns, message_fn fn, void *arg);

/* Kills it, reads what it had told, and waits for it. Returns its wait status. */
int worker_kill(struct watched *w, message_fn fn, void *arg);

/* A new folder below the working directory, whose name is put into `path`. */
void folder_make(char path[256], const char *what);

/* Removes a folder with all that is in it. */
void folder_remove(const char *path);

/* Open files of this process. */
unsigned count_descriptors(void);

#endif
