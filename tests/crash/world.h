/* A run: a database that works on a simulated disk, what it must show after each commit, and the judge of what a crash
 * leaves of it. */
#ifndef CRASH_WORLD_H
#define CRASH_WORLD_H

#include "crash/base.h"

enum {
	COMMITS_MAX = 512, /* of one life */
	LIVES_MAX = 16, /* a life ends when the process does before it has closed the database */
	VALUE_BYTES_MAX = (1 << 20) + 4096,
};

/* The state after a commit, and how to ask for it. */
struct commit {
	uint8_t id[TXN_ID_BYTES];
	uint64_t position; /* 0: nobody was told */
	struct model model;
	struct dump dump;
};

/* Commit number 0 is the beginning, without an id. */
struct life {
	size_t count;
	struct commit *at[COMMITS_MAX];
	size_t lost; /* of the world's, before it began */
};

struct world {
	struct config config;
	struct sopi_sim_disk *disk;
	struct base base;
	struct test_rng rng;
	uint64_t numbers; /* given to ids and values */
	uint64_t id_space; /* so that ids of nested worlds differ */

	struct life lives[LIVES_MAX];
	size_t life; /* the present one */
	size_t durable; /* of its commits, those before this number are on stable storage */
	struct commit *lost[COMMITS_MAX]; /* commits of former lives that did not survive */
	size_t lost_count;
	struct commit *own[LIVES_MAX * COMMITS_MAX]; /* to be freed */
	size_t own_count;

	size_t states; /* crashes judged */
	size_t deep; /* of them, after crashes in recovery */
	size_t nest_every; /* 0: never */
	size_t nest_levels;
	size_t nest_states; /* crashes of each recovery */
	bool crowded; /* transactions run in the middle of checkpoints */
	bool broken; /* something is wrong: what the first was is in the words */
	char words[WORDS + 200];
};

/* Makes a database on a new disk; the creation is not recorded yet. */
void world_start(struct world *world, const struct config *config, uint64_t seed);

/* The same in a world on a disk that a crash has left, in which at least `durable` commits of `life` must be there.
 * False: recovery failed, or shows something wrong. */
bool world_recover(struct world *world, const struct world *from, struct sopi_sim_disk *disk,
		   const struct life *life, size_t durable);
void world_stop(struct world *world);

/* Does one thing: a transaction mostly, else a checkpoint, gc, sync, close and open. */
void world_step(struct world *world);
void world_steps(struct world *world, size_t steps);

/* One transaction, of this durability (0: any). */
void world_transaction(struct world *world, uint32_t durability);
void world_checkpoint(struct world *world);
void world_sync(struct world *world);
void world_close_and_open(struct world *world);

/* The process ends (killed, or after an error) and another one opens what is in the page cache. */
void world_die_and_open(struct world *world);

/* A run, so that it can be done again. */
struct run {
	uint64_t seed;
	size_t config; /* number of world_configs */
	size_t steps;
	size_t states; /* crashes to visit, about */
	size_t nest_every; /* of them, the recovery of one is recorded and crashed; 0: none */
	size_t nest_levels; /* crashes in recovery of crashes in recovery */
	unsigned faulty; /* these calls fail ... */
	int64_t kill_after; /* ... or the process is killed, after so many; below 0: neither */
	bool crowded;
	uint32_t replay_each; /* see struct config */
};

enum { WORLD_CONFIGS = 5 };

extern const struct config world_configs[WORLD_CONFIGS];

/* Does a run and judges its crashes. The world that is left tells the states and what was wrong; free it. */
struct world *world_run(const struct run *run);

/* Visits about `wanted` crashes of `trace`, all if there are fewer; returns whether nothing is wrong. */
bool world_crash(struct world *world, const struct sopi_sim_trace *trace, size_t wanted, uint64_t seed);

#endif
