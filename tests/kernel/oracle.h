/* The oracle: knows what the worker said, and checks a reopened database against it. It lives in another process than
 * the worker and keeps nothing in files. */
#ifndef KERNEL_ORACLE_H
#define KERNEL_ORACLE_H

#include "kernel/protocol.h"

#include <stdbool.h>

struct intent {
	struct message m;
	bool acknowledged;
	uint64_t acknowledged_at; /* its position */
	bool settled; /* a check has seen what became of it, which may not change any more */
	bool there;
	bool found; /* by the running check */
};

struct intents {
	struct intent *list;
	size_t count, capacity;
};

struct oracle {
	struct intents *threads; /* session times THREADS_MAX plus thread */
	size_t sessions; /* that began */
	size_t capacity;
	uint32_t weakest; /* the weakest sop_durability that survives what is done to the worker */
	bool errors_allowed; /* of the worker: its disk has gone */
	bool quiet; /* problems are counted and not printed */
	unsigned problems;
	/* figures */
	uint64_t acknowledged, unacknowledged_there, unacknowledged_gone, weak_lost;
	uint64_t opened, checks, verified, collected;
};

void oracle_begin(struct oracle *o, uint32_t weakest, bool errors_allowed);
void oracle_end(struct oracle *o);

/* The number of a new session. */
uint32_t oracle_session(struct oracle *o);

/* Hears one message of the worker. `arg` is the oracle. */
void oracle_hear(void *arg, const struct message *m);

/* What a check does besides comparing. */
enum { CHECK_VERIFY = 1, CHECK_COLLECT = 2 /* and accounts for every file in `path` */ };

/* Opens the database at `url`, which lies in the folder `path`, and checks it. A database that is not there is right
 * as long as no worker had opened it. */
void oracle_check(struct oracle *o, const char *url, const char *path, unsigned flags);

#endif
