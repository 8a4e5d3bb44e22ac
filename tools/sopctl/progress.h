/* How far a long command is, told on standard error: a line that changes on a terminal, one now and then elsewhere. */
#ifndef SOPCTL_PROGRESS_H
#define SOPCTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
	FILE *to; /* NULL: nothing is told */
	const char *what; /* such as "import" */
	bool terminal;
	long long began_ns;
	long long told_ns;
	uint64_t base_bytes; /* done before it began: not counted in the rate */
	uint64_t items; /* 0: nothing to count */
	uint64_t bytes;
	uint64_t total_bytes; /* 0: not known */
};

/* Begins to tell on `to` (NULL: nowhere) how far `what` is, of `total_bytes` (0: not known). */
void progress_begin(struct progress *progress, FILE *to, const char *what, uint64_t total_bytes);

/* It is at `items` and `bytes`. Cheap: tells only now and then. */
void progress_at(struct progress *progress, uint64_t items, uint64_t bytes);

/* It has ended: takes away the line of the terminal. */
void progress_end(struct progress *progress);

/* As sop_progress_fn; `arg` is the struct progress. Stops when a signal has asked for it. */
int progress_call(void *arg, uint64_t done_bytes, uint64_t total_bytes);

#endif
