/* Within the crash tests: what the workload needs of its world. */
#ifndef CRASH_WORK_H
#define CRASH_WORK_H

#include "crash/world.h"

/* Something is not as it must be; the first is kept. */
void world_wrong(struct world *world, const char *what);

struct life *world_life(struct world *world);

/* A transaction is about to be committed that makes this state. */
void world_submit(struct world *world, const uint8_t id[TXN_ID_BYTES], const struct model *model);

/* All that was committed is on stable storage. */
void world_durable(struct world *world);
void world_mark(struct world *world);

/* The first `count` commits are. */
void world_durable_below(struct world *world, size_t count);

/* A commit that certainly did not happen. */
void world_forget_newest(struct world *world);

#endif
