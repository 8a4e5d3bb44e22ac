/* Runs cases: random operations on the library and on the model side by side, from several transactions at once. */
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include "model/op.h"

/* One kind of run, by a test program. */
struct plan {
	const char *name;
	const enum key_kind *kinds;
	unsigned kind_count;
	bool duplicates;
	bool catalog; /* stores are dropped and renamed */
	bool on_disk; /* in a folder; checkpoints, gc, and closing and opening again are operations too */
	uint32_t words; /* about so many keys */
	uint32_t case_ops; /* operations of a case */
	uint64_t ops; /* of the whole run at scale 1 */
};

/* Runs cases of `plan` until there were `plan->ops` operations (scaled); fails the running test at the first difference
 * and prints the operations that are enough to show it.
 *
 * SOP_TEST_CASE    runs this case only
 * SOP_TEST_SHRINK  1: shrinks also what crashes or hangs, by running the case in a process of its own */
void run_plan(const struct plan *plan);

#endif
