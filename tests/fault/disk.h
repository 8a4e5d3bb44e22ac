/* A database on a simulated disk, and the scenarios that test_io.c and test_oom_disk.c run on it.
 *
 * A scenario has steps. Each either is done or has not happened, so that a run which was stopped by a fault goes on
 * where it stopped. What the database holds after each commit is known from a run without faults. */
#ifndef FAULT_DISK_H
#define FAULT_DISK_H

#include "platform/sim.h"
#include "support/support.h"

enum { DISK_COMMITS_MAX = 64, DISK_STEPS_MAX = 24 };

struct disk_run;

/* One step: an engine call, or a transaction. */
typedef sop_status (*disk_step)(struct disk_run *run);

struct disk_scenario {
	const char *name;
	disk_step before[DISK_STEPS_MAX]; /* makes the disk to begin with; it is then closed, or killed */
	bool killed;
	disk_step first[DISK_STEPS_MAX]; /* on a copy of it, without faults */
	disk_step steps[DISK_STEPS_MAX]; /* under faults */
	bool large; /* every commit is treated as a large one */
	bool verifies; /* one of the steps is sop_verify, and no other writes */
	int64_t calls_floor; /* file calls of the steps, at least */
	int64_t allocations_floor;
	unsigned weight; /* faults are tried at every weight-th call, at scale 1 */
};

extern const struct disk_scenario disk_scenarios[];
extern const size_t disk_scenario_count;

/* What a scenario begins with, and what it should come to. */
struct disk_model {
	const struct disk_scenario *scenario;
	struct sopi_sim_disk *disk;
	size_t commits_on_disk; /* to begin with */
	size_t commits; /* at the end */
	uint64_t content[DISK_COMMITS_MAX]; /* after so many commits */
	int64_t calls;
	int64_t allocations;
};

/* One run of a scenario. */
struct disk_run {
	const struct disk_model *model; /* NULL: the run that makes it */
	struct sopi_sim_disk *disk;
	struct sopi_sim_process *process;
	bool small; /* files are made as small as they may be: time for more cases */
	sop_db *db; /* NULL: closed */
	sop_txn *txn;
	sop_error err;
	size_t step; /* that comes next */
	size_t commits; /* answered with OK, or known to have happened */
	bool in_doubt; /* the newest commit was answered with UNKNOWN */
	uint8_t id[16]; /* its */
	int64_t live; /* allocations, before it */
};

/* Makes the model of a scenario. */
void disk_model_make(const struct disk_scenario *scenario, struct disk_model *model);
void disk_model_free(struct disk_model *model);

/* Begins a run on a copy of the model's disk. */
void disk_run_begin(struct disk_run *run, const struct disk_model *model);

/* Runs steps until one fails, or to the end. */
sop_status disk_run_steps(struct disk_run *run);

/* After a run, now without faults: the database works, without opening it again unless it has failed; what it holds is
 * what it should; the rest of the scenario goes well; nothing has leaked. `evict`: the host has dropped its cache before
 * the database is opened again. */
void disk_run_end(struct disk_run *run, bool evict);

/* Opens the database "/db" with the options of these tests. */
sop_status disk_open(struct disk_run *run);

/* Closes and frees whatever is open. */
void disk_drop(struct disk_run *run);

/* A number that stands for all that the database holds, read item by item or by scanning. */
sop_status disk_content(sop_db *db, bool by_key, uint64_t *content, sop_error *err);

/* Has the database stopped? */
bool disk_has_failed(struct disk_run *run);

/* Which point is tried, for the report of a failure. */
void disk_note_point(const char *format, ...) __attribute__((format(printf, 1, 2)));
void disk_forget_point(void);

/* SOP_TEST_FAULT=way:n tries one point only. */
bool disk_one_point(int64_t *way, int64_t *n);

/* Fails if all scenarios were run, at scale 1 or more, and made fewer than `floor` points. */
void disk_check_points(const char *what, int64_t points, int64_t scenarios_run, int64_t floor);

/* After each test: tells of the point that failed. */
int disk_after_test(void **state);

/* Prints the point if the program crashes or hangs (SIGALRM). */
void disk_watch_crashes(void);

/* Runs `test` for each scenario, which is its state, with `after` behind each (disk_after_test, if nothing else is to
 * be done) and `last` behind all. Returns what main should. */
int disk_run_scenarios(CMUnitTestFunction test, CMFixtureFunction after, CMUnitTestFunction last);

#endif
