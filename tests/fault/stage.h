/* A database on which allocations fail: what a scenario of test_oom.c works with. */
#ifndef FAULT_STAGE_H
#define FAULT_STAGE_H

#include "support/support.h"

enum { MILESTONES_MAX = 64, CROWD = 80 };

/* How allocations fail. */
enum fault_mode {
	FAULT_NONE, /* not at all: the run that tells how it should be */
	FAULT_ONCE, /* one: every call is repeated and then works */
	FAULT_ON, /* all from one on, until the scenario gives up; then memory is back */
	FAULT_TO_THE_END, /* all from one on, until everything is closed */
	FAULT_MODES
};

struct stage {
	enum fault_mode mode;
	sop_error err;
	sop_db *db;
	sop_store *raw; /* unique, four items in a node */
	sop_store *twice; /* duplicates */
	sop_store *people; /* with a schema */
	sop_store *extra; /* for creating and dropping */
	sop_schema *schema;
	sop_txn *txn; /* these three are begun by the scenario, with fresh handles */
	sop_txn *other;
	sop_txn *reader;
	sop_cursor *cursor;
	sop_cursor *cursor2;
	sop_options *options; /* of the scenario's own */
	sop_db *own_db; /* of the scenario's own */
	sop_txn *own_txn;
	sop_txn *crowd[CROWD];
	sop_store *own_store;
	sop_store *own_stores[CROWD];
	sop_buf buf;
	sop_buf buf2;
	uint64_t item;
	unsigned reached; /* commits that were answered with OK */
	uint64_t milestones[MILESTONES_MAX]; /* what the database held after each, from the run without faults */
	unsigned retried; /* calls that were repeated */
};

/* Opens the database with 40 items in each store. Allocations must not fail yet. */
void stage_open(struct stage *stage, enum fault_mode mode);

/* Closes and frees everything, in any state; sop_close must work without memory. */
void stage_close(struct stage *stage);

/* Notes that a commit was answered with OK; without faults, what the database holds then. */
void stage_milestone(struct stage *stage);

/* A number that stands for all that the database holds: stores, keys, values. Memory is needed. */
uint64_t stage_content(struct stage *stage);

/* Verifies the database and commits something. Memory is needed. */
void stage_works(struct stage *stage);

/* Begins `*txn`: anew if it is NULL, else on its handle. */
sop_status stage_begin(struct stage *stage, sop_txn **txn, uint32_t mode);

typedef sop_status (*stage_body)(struct stage *stage);

/* Runs `body` in stage->txn and commits; once more if the commit was out of memory once. */
sop_status stage_transact(struct stage *stage, stage_body body);

/* Goes on after a call that answered OK; repeats one that was out of memory once. */
#define TRY_IS(stage, call, wanted)                                                                \
	do {                                                                                       \
		sop_status status_ = (call);                                                       \
		if (status_ == SOP_NO_MEMORY && (stage)->mode == FAULT_ONCE) {                     \
			(stage)->retried++;                                                        \
			status_ = (call);                                                          \
		}                                                                                  \
		if (status_ == SOP_NO_MEMORY)                                                      \
			return status_;                                                            \
		if (status_ != (wanted))                                                           \
			fail_msg("%s: %s instead of %s: %s", #call, sop_status_name(status_),      \
				 sop_status_name(wanted), (stage)->err.message);                   \
	} while (0)

#define TRY(stage, call) TRY_IS(stage, call, SOP_OK)

#endif
