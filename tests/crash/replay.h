/* Schedules of the executable specification (tests/models/engine.py --schedules), repeated by the engine on a simulated
 * disk, one step after the other: the same operations in the same order get the same answers, and after a crash the state
 * is one that the specification permits.
 *
 * replay.c        a schedule, line by line; what is in the middle of something: flushes, checkpoints, large commits
 * replay_calls.c  operations of transactions and their answers
 * replay_crash.c  crashes, and what is there after them */
#ifndef CRASH_REPLAY_H
#define CRASH_REPLAY_H

#include "crash/base.h"
#include "crash/turn.h"

enum {
	REPLAY_TXNS_MAX = 256, /* of a schedule */
	REPLAY_COMMITS_MAX = 256, /* of a schedule */
	REPLAY_WORDS_MAX = 8, /* of a line */
	REPLAY_PICTURE_BYTES = 1024, /* of a state, and of an answer */
	REPLAY_MARKS_MAX = 8, /* savepoints of a transaction */
	REPLAY_FLUSHES_MAX = 2, /* at a time, as direct writes of the log */
	REPLAY_DISKS_MAX = 6, /* ways in which a power cut leaves the disk, all of which are looked at */
};

/* A line of a schedule, word by word. */
struct line {
	size_t count;
	char *word[REPLAY_WORDS_MAX];
};

struct replay_txn {
	sop_txn *txn; /* NULL: it is not open */
	uint8_t id[TXN_ID_BYTES];
	uint64_t marks[REPLAY_MARKS_MAX];
	size_t mark_count;
	struct turn *turn; /* of its commit, if that is a large one and has begun */
	sop_status status; /* of that */
	sop_error err;
};

/* A commit that is there, as the specification says. */
struct replay_commit {
	uint8_t id[TXN_ID_BYTES];
	bool empty; /* what it did came to nothing, so that the engine does not count it as one */
	uint64_t position; /* that the engine gave it */
	char picture[REPLAY_PICTURE_BYTES]; /* the state after it */
};

struct replay_counts {
	size_t schedules, lines, commits, parts;
	size_t crashes;
	size_t states; /* looked at after crashes */
	size_t parted; /* schedules that ended early: the engine kept a group whole that the specification did not */
};

struct replay {
	struct config config;
	struct sopi_sim_disk *disk;
	struct base base; /* not open: the process is NULL */
	struct replay_txn txns[REPLAY_TXNS_MAX]; /* by number */
	struct replay_commit commits[REPLAY_COMMITS_MAX];
	size_t count; /* of these; number 0 is the beginning */
	struct turn *flushes[REPLAY_FLUSHES_MAX], *checkpoint;
	uint32_t durability; /* of the flush that begins */
	uint64_t seed;
	int parts_at_once; /* that a large commit writes */
	size_t least, wanted; /* commits after a crash: that must be there, and that are there in the specification */
	size_t states; /* looked at */
	bool parted;
	struct replay_counts *counts;
	bool broken;
	char words[WORDS]; /* what is wrong */
};

/* Repeats the schedule in `text`, which it takes to pieces. False: `words` say what is wrong. */
bool replay_schedule(char *text, struct replay_counts *counts, char words[WORDS]);

/* ---- among the parts ---- */

/* Something is not as it must be. The first is kept. */
void replay_wrong(struct replay *replay, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An operation of a transaction. False: there is no such operation. */
bool replay_call(struct replay *replay, const struct line *line);

/* All stores as one word, as the specification writes them. False: `words` say what is wrong. */
bool replay_picture(struct base *base, char picture[REPLAY_PICTURE_BYTES], char words[WORDS]);

void replay_id(const char *number, uint8_t id[TXN_ID_BYTES]);

/* Ends what runs, as far as it goes. */
void replay_end_turns(struct replay *replay);

/* Kills the process, if there is one, and ends all that ran in it. Returns how many commits must survive. */
size_t replay_kill(struct replay *replay);

/* The process is killed, and the disk is as the line says; or nobody knows how it is, at the end of a schedule. */
void replay_crash(struct replay *replay, const struct line *line);
void replay_last_crash(struct replay *replay);

/* Another crash, while it is opened. */
void replay_crash_again(struct replay *replay, const struct line *line);

/* It is opened, and must show what it may. */
void replay_recover(struct replay *replay);

#endif
