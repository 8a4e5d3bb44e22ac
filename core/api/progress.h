/* The caller's functions that a call on a database calls back: for progress, and for what sop_verify finds. */
#ifndef SOPI_PROGRESS_H
#define SOPI_PROGRESS_H

#include <sop/maintenance.h>

#include <stdbool.h>

struct sopi_progress {
	sop_progress_fn fn; /* may be NULL */
	void *arg;
	const sop_db *db; /* the call is on; NULL: on none */
};

/* A function that a call on `db` was given, while it runs. */
struct sopi_told {
	const sop_db *db;
	const struct sopi_told *outer; /* that made the call in the same thread; NULL: none */
};

void sopi_told_begin(struct sopi_told *told, const sop_db *db);
void sopi_told_end(const struct sopi_told *told);

/* Is this thread in a function that a call on `db` was given? That call ends only after it. */
bool sopi_is_told(const sop_db *db);

/* A sopi_progress_fn (transaction/backend.h) whose `arg` is a sopi_progress. */
bool sopi_progress_tell(void *arg, uint64_t done, uint64_t total);

#endif
