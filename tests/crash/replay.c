/* A schedule, line by line.
 *
 * What the specification does step by step the engine does in one call: a flush, a checkpoint, a large commit. Such a call
 * has a thread of its own, which stops where the specification's next line says that others go on. Where it would wait
 * for another that has stopped, that one is let go first: then more is durable than in the specification, never less. */
#include "crash/replay.h"

#include "api/handle.h"
#include "backend/inredfs.h"
#include "base/plant.h"
#include "log/log.h"
#include "support/large.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROOM_BYTES = 8 << 10, /* of log, for a transaction */
	PART_BYTES = 4, /* of a large commit: a change has some parts */
	THEMES = 7, /* of schedules, which come by turns */
	FILLING_MAX = 28, /* commits, each a block of a segment of 16 KB */
	ALL_PARTS = 1 << 20, /* stage of a large commit: all are written */
};

/* Stages of a flush. */
enum { FLUSH_WRITES = 1, FLUSH_SYNCS };

void replay_wrong(struct replay *replay, const char *format, ...)
{
	va_list args;

	if (replay->broken)
		return;
	replay->broken = true;
	va_start(args, format);
	(void)vsnprintf(replay->words, sizeof replay->words, format, args);
	va_end(args);
}

/* ---- what has stopped in the middle ----------------------------------------------------------------- */

static const struct stage {
	const char *line; /* of the specification, before which it stops */
	unsigned calls;
	const char *path; /* that the call's path has in it; NULL: any */
} checkpoint_stages[] = {
	{ "checkpoint", SOPI_SIM_OPEN_FILE | SOPI_SIM_WRITE, "blobs" },
	{ "checkpoint-pack", SOPI_SIM_SYNC, "blobs" },
	{ "checkpoint-run", SOPI_SIM_SYNC, "reg" },
	{ "checkpoint-manifest", SOPI_SIM_SYNC, "tmp" },
	{ "checkpoint-rename", SOPI_SIM_RENAME, "tmp" },
	{ "checkpoint-name", SOPI_SIM_SYNC_FOLDER, NULL },
};

enum { CHECKPOINT_STAGES = sizeof checkpoint_stages / sizeof *checkpoint_stages };

/* The stage of a checkpoint that begins with this call, counted from 1; 0: none. */
static int checkpoint_stage(const struct turn *turn, unsigned call, const char *path)
{
	const int reached = turn_stage(turn);

	for (int i = 0; i < CHECKPOINT_STAGES; i++) {
		const struct stage *stage = &checkpoint_stages[i];

		if ((call & stage->calls) == 0 ||
		    (stage->path != NULL && strstr(path, stage->path) == NULL))
			continue;
		if (stage->path != NULL || reached == i) /* the folder's sync after the rename */
			return i + 1;
	}
	return 0;
}

static bool is_flush(const struct replay *replay)
{
	for (size_t i = 0; i < REPLAY_FLUSHES_MAX; i++)
		if (turn_is(replay->flushes[i]))
			return true;
	return false;
}

static void watch(void *arg, unsigned call, const char *path)
{
	struct replay *replay = arg;
	int stage = 0;

	if (is_flush(replay) && strstr(path, "log/") != NULL)
		stage = call == SOPI_SIM_WRITE				     ? FLUSH_WRITES
			: (call & (SOPI_SIM_SYNC_DATA | SOPI_SIM_LAND)) != 0 ? FLUSH_SYNCS
									     : 0;
	else if (turn_is(replay->checkpoint))
		stage = checkpoint_stage(replay->checkpoint, call, path);
	if (stage != 0)
		turn_reached(stage);
}

static void end_flushes(struct replay *replay)
{
	turn_free_all(replay->flushes, REPLAY_FLUSHES_MAX);
}

static void end_checkpoint(struct replay *replay)
{
	turn_free(replay->checkpoint);
	replay->checkpoint = NULL;
}

void replay_end_turns(struct replay *replay)
{
	end_flushes(replay);
	end_checkpoint(replay);
}

/* The test's own thread would sleep: it waits for one of those that have stopped. */
static bool let_go(void *arg)
{
	struct replay *replay = arg;
	bool any = replay->checkpoint != NULL;

	for (size_t i = 0; i < REPLAY_FLUSHES_MAX; i++)
		any = any || replay->flushes[i] != NULL;
	replay_end_turns(replay);
	return any;
}

/* A commit that finds little room in the log makes a checkpoint itself, or waits for the one that runs. */
static void make_room(struct replay *replay)
{
	struct sopi_inredfs *backend = sopi_inredfs_of(replay->base.db->engine->backend);

	if (atomic_load(&backend->logged) + atomic_load(&backend->inherited) + ROOM_BYTES >
	    replay->config.log_bytes / 2)
		replay_end_turns(replay);
}

static uint32_t durability_of(const char *word)
{
	return strcmp(word, "flushed") == 0   ? SOP_FLUSHED
	       : strcmp(word, "written") == 0 ? SOP_WRITTEN
					      : SOP_BUFFERED;
}

/* ---- flushes and checkpoints ------------------------------------------------------------------------- */

static void run_flush(void *arg)
{
	const struct replay *replay = arg;
	const uint32_t durability = replay->durability; /* another flush may begin */
	struct sopi_engine *engine = replay->base.db->engine;
	struct sopi_log *log = engine->log;
	const uint64_t position = atomic_load(&engine->applied);

	if (durability == SOP_FLUSHED)
		(void)log->driver->wait_durable(log, position, NULL);
	else
		(void)log->driver->wait_written(log, position, NULL);
}

static void run_checkpoint(void *arg)
{
	const struct replay *replay = arg;

	(void)sop_checkpoint(replay->base.db, NULL); /* it fails if the process is killed meanwhile */
}

/* flush NUMBER DURABILITY: where the number is in use, this log did not go on when the specification's did. */
static void begin_flush(struct replay *replay, size_t number, const char *durability)
{
	if (replay->flushes[number] != NULL)
		end_flushes(replay);
	replay->durability = durability_of(durability);
	replay->flushes[number] = turn_new(run_flush, replay);
	(void)turn_go(replay->flushes[number], FLUSH_WRITES);
}

/* What it was to write has landed. It may go on to wait for another that was to land before, or that one may now. */
static void end_flush(struct replay *replay, size_t number)
{
	if (replay->flushes[number] != NULL)
		(void)turn_go(replay->flushes[number], TURN_END);
	for (size_t i = 0; i < REPLAY_FLUSHES_MAX; i++) {
		if (replay->flushes[i] == NULL || !turn_look_again(replay->flushes[i]))
			continue;
		turn_free(replay->flushes[i]);
		replay->flushes[i] = NULL;
	}
}

static bool flush_line(struct replay *replay, const struct line *line)
{
	const size_t number = line->count > 1 ? strtoull(line->word[1], NULL, 10) % REPLAY_FLUSHES_MAX
					      : 0;

	if (strcmp(line->word[0], "flush") == 0 && line->count == 3) {
		begin_flush(replay, number, line->word[2]);
	} else if (strcmp(line->word[0], "flush-sync") == 0) {
		if (replay->flushes[number] != NULL)
			(void)turn_go(replay->flushes[number], FLUSH_SYNCS);
	} else if (strcmp(line->word[0], "flush-end") == 0) {
		end_flush(replay, number);
	} else {
		return false;
	}
	return true;
}

static bool checkpoint_line(struct replay *replay, const struct line *line)
{
	if (strcmp(line->word[0], "checkpoint") == 0) {
		replay_end_turns(replay); /* it waits until the log is durable */
		replay->checkpoint = turn_new(run_checkpoint, replay);
	}
	if (strcmp(line->word[0], "checkpoint-end") == 0) {
		end_checkpoint(replay);
		return true;
	}
	for (int i = 0; i < CHECKPOINT_STAGES; i++) {
		if (strcmp(line->word[0], checkpoint_stages[i].line) != 0)
			continue;
		if (replay->checkpoint != NULL)
			(void)turn_go(replay->checkpoint, i + 1);
		return true;
	}
	return false;
}

/* The next sync or landing fails, of what is in the middle of something. */
static void fail_sync(struct replay *replay)
{
	const struct sopi_sim_fault fault = { .calls = SOPI_SIM_ANY_SYNC | SOPI_SIM_LAND,
					      .os_errno = EIO };

	sopi_sim_fail(replay->base.process, &fault);
	replay_end_turns(replay);
	sopi_sim_fail(replay->base.process, NULL);
}

/* ---- transactions ------------------------------------------------------------------------------------- */

static struct replay_txn *txn_of(struct replay *replay, const struct line *line)
{
	return &replay->txns[strtoull(line->word[1], NULL, 10) % REPLAY_TXNS_MAX];
}

/* begin NUMBER ID DURABILITY; id 0: it only reads */
static void begin(struct replay *replay, const struct line *line)
{
	struct replay_txn *in = txn_of(replay, line);
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_status status;

	options.mode = SOP_READ;
	if (strcmp(line->word[2], "0") != 0) {
		options.mode = SOP_WRITE;
		options.durability = durability_of(line->word[3]);
		replay_id(line->word[2], options.id);
	}
	*in = (struct replay_txn){ .err = SOP_ERROR_INIT };
	memcpy(in->id, options.id, sizeof in->id);
	status = sop_begin(replay->base.db, &options, &in->txn, &err);
	if (status != SOP_OK)
		replay_wrong(replay, "begin %s: %s: %.200s", line->word[1], sop_status_name(status),
			     err.message);
}

static void end_txn(struct replay_txn *in)
{
	turn_free(in->turn);
	sop_txn_free(in->txn);
	*in = (struct replay_txn){ .txn = NULL };
}

static _Thread_local int parts; /* of the commit of this thread */

static void part_written(bool all)
{
	turn_reached(all ? ALL_PARTS : ++parts);
}

static void run_commit(void *arg)
{
	struct replay_txn *in = arg;

	sopi_large_part_hook = part_written;
	in->status = sop_commit(in->txn, &in->err);
}

/* The commit begins, if it has not, and writes a part; then some more. */
static void part(struct replay *replay, const struct line *line)
{
	struct replay_txn *in = txn_of(replay, line);

	make_room(replay);
	end_flushes(replay); /* a part waits until it is written */
	replay->counts->parts++;
	if (in->turn == NULL) {
		sopi_ahead_changes_min = 1;
		sopi_large_part_bytes = PART_BYTES;
		in->turn = turn_new(run_commit, in);
		(void)turn_go(in->turn, 1);
		test_all_are_large(false);
	} else if (turn_stage(in->turn) < ALL_PARTS) {
		(void)turn_go(in->turn, turn_stage(in->turn) + replay->parts_at_once);
	}
}

static sop_status commit_of(struct replay *replay, struct replay_txn *in)
{
	make_room(replay);
	if (in->turn == NULL)
		return sop_commit(in->txn, &in->err);
	end_flushes(replay);
	(void)turn_go(in->turn, TURN_END);
	return in->status;
}

/* A commit has its place behind the others: state `picture`. id "0": it has changed nothing. */
static void note_commit(struct replay *replay, const struct replay_txn *in, const char *id,
			const char *picture)
{
	struct replay_commit *commit = &replay->commits[replay->count];
	sop_outcome outcome = SOP_OUTCOME_PENDING;
	sop_error err = SOP_ERROR_INIT;

	if (strcmp(id, "0") == 0)
		return;
	if (replay->count == REPLAY_COMMITS_MAX) {
		replay_wrong(replay, "the schedule has too many commits");
		return;
	}
	(void)snprintf(commit->picture, sizeof commit->picture, "%s", picture);
	memcpy(commit->id, in->id, sizeof commit->id);
	commit->position = 0;
	if (sop_txn_outcome(replay->base.db, in->id, &outcome, &commit->position, &err) != SOP_OK)
		replay_wrong(replay, "asking for an outcome: %.250s", err.message);
	commit->empty = outcome == SOP_OUTCOME_NOT_COMMITTED;
	if (commit->empty && strcmp(picture, replay->commits[replay->count - 1].picture) != 0)
		replay_wrong(replay, "commit %s has changed nothing, and should have", id);
	if (in->turn != NULL && turn_stage(in->turn) == 0 && !commit->empty)
		replay_wrong(replay, "commit %s went by without a part", id);
	replay->count++;
	replay->counts->commits++;
}

/* commit NUMBER -, of one that only read; commit NUMBER ID STATE */
static void commit(struct replay *replay, const struct line *line)
{
	struct replay_txn *in = txn_of(replay, line);
	const sop_status status = commit_of(replay, in);

	if (status != SOP_OK)
		replay_wrong(replay, "commit %s: %s: %.200s", line->word[1],
			     sop_status_name(status), in->err.message);
	else if (line->count == 4)
		note_commit(replay, in, line->word[2], line->word[3]);
	end_txn(in);
}

static void conflict(struct replay *replay, const struct line *line)
{
	struct replay_txn *in = txn_of(replay, line);
	const sop_status status = commit_of(replay, in);

	if (status != SOP_CONFLICT)
		replay_wrong(replay, "commit %s: %s instead of CONFLICT", line->word[1],
			     sop_status_name(status));
	end_txn(in);
}

static bool txn_line(struct replay *replay, const struct line *line)
{
	const char *name = line->word[0];

	if (line->count < 2)
		return false;
	if (strcmp(name, "begin") == 0 && line->count == 4)
		begin(replay, line);
	else if (strcmp(name, "part") == 0)
		part(replay, line);
	else if (strcmp(name, "commit") == 0)
		commit(replay, line);
	else if (strcmp(name, "conflict") == 0)
		conflict(replay, line);
	else if (strcmp(name, "rollback") == 0)
		end_txn(txn_of(replay, line));
	else
		return replay_call(replay, line);
	return true;
}

/* ---- the life of a process ----------------------------------------------------------------------------- */

static void close_database(struct replay *replay)
{
	sop_error err = SOP_ERROR_INIT;

	replay_end_turns(replay);
	if (base_close(&replay->base, &err) != SOP_OK)
		replay_wrong(replay, "closing: %.250s", err.message);
}

static bool process_line(struct replay *replay, const struct line *line)
{
	const char *name = line->word[0];

	if (strcmp(name, "fail") == 0) {
		fail_sync(replay);
	} else if (strcmp(name, "close") == 0) {
		close_database(replay);
	} else if (strcmp(name, "crash") == 0) {
		replay_crash(replay, line);
	} else if (strcmp(name, "again") == 0) {
		replay_crash_again(replay, line);
	} else if (strcmp(name, "recovered") == 0) {
		replay_recover(replay);
		if (replay->base.process != NULL)
			sopi_sim_watch(replay->base.process, watch, replay);
	} else {
		return false;
	}
	return true;
}

/* ---- schedules ------------------------------------------------------------------------------------------ */

/* Stores 0 and 1, which the specification begins with. */
static void make_stores(struct replay *replay)
{
	sop_error err = SOP_ERROR_INIT;
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(replay->base.db, NULL, &txn, &err), err);
	for (int i = 0; i < 2; i++) {
		sop_store_options options = SOP_STORE_OPTIONS_INIT;
		sop_store *store = NULL;

		TEST_OK(sop_store_open(replay->base.db, test_text(i == 0 ? "s0" : "s1"), &options,
				       &store, &err),
			err);
		TEST_OK(sop_store_create(txn, store, &err), err);
		sop_store_free(store);
	}
	TEST_OK(sop_commit(txn, &err), err);
	sop_txn_free(txn);
}

/* Logs that fill up, and one that never does. */
static void choose_config(struct replay *replay, uint64_t number, bool direct)
{
	static const uint64_t log_bytes[] = { 64 << 10, 256 << 10, 4 << 20 };
	const size_t unit = number % 2 == 0 ? SOPI_SIM_SECTOR_BYTES : SOPI_SIM_PAGE_BYTES;

	replay->config = (struct config){ .node_bytes = 1024,
					  .node_items = 4,
					  .log_bytes = log_bytes[number % 3],
					  .direct_bytes = direct ? unit : 0,
					  .replay_parts = number,
					  .random = number };
}

/* Commits that leave nothing, so that the first segment of the log is full at one time or another. */
static void fill(struct replay *replay, uint64_t commits)
{
	sop_store *store = base_store(&replay->base, "s0");
	sop_error err = SOP_ERROR_INIT;
	sop_txn *txn = NULL;

	for (uint64_t i = 0; i < commits; i++) {
		TEST_OK(sop_begin(replay->base.db, NULL, &txn, &err), err);
		if (i % 2 == 0)
			TEST_OK(sop_put(txn, store, test_text("x"), test_text("y"), &err), err);
		else
			TEST_OK(sop_remove(txn, store, test_text("x"), 0, &err), err);
		TEST_OK(sop_commit(txn, &err), err);
		sop_txn_free(txn);
	}
	sop_store_free(store);
}

/* schedule SEED THEME NUMBER (direct|cached) */
static void start(struct replay *replay, const struct line *line)
{
	const uint64_t number = strtoull(line->word[3], NULL, 10);
	const int bug = atomic_exchange(&sopi_planted, SOPI_PLANT_NONE); /* the creation is sound */
	sop_error err = SOP_ERROR_INIT;

	replay->counts->schedules++;
	replay->seed = number;
	replay->parts_at_once = 1 << number / 8 % 6;
	choose_config(replay, number + number / THEMES, strcmp(line->word[4], "direct") == 0);
	replay->disk = sopi_sim_disk_new();
	sopi_sim_disk_set_direct(replay->disk, replay->config.direct_bytes);
	TEST_OK(base_open(&replay->base, replay->disk, &replay->config, true, &err), err);
	make_stores(replay);
	fill(replay, number % (FILLING_MAX / 2) * 2);
	(void)snprintf(replay->commits[0].picture, sizeof replay->commits[0].picture, "0=;1=");
	replay->count = 1;
	sopi_sim_watch(replay->base.process, watch, replay);
	atomic_store(&sopi_planted, bug);
}

static void split(char *text, struct line *line)
{
	char *rest = NULL;

	line->count = 0;
	for (char *word = strtok_r(text, " ", &rest);
	     word != NULL && line->count < REPLAY_WORDS_MAX; word = strtok_r(NULL, " ", &rest))
		line->word[line->count++] = word;
}

static void do_line(struct replay *replay, const struct line *line)
{
	if (strcmp(line->word[0], "schedule") == 0 && line->count == 5)
		start(replay, line);
	else if (replay->disk == NULL || (!flush_line(replay, line) && !checkpoint_line(replay, line) &&
					  !process_line(replay, line) && !txn_line(replay, line)))
		replay_wrong(replay, "no line of a schedule");
}

static void say_where(struct replay *replay, size_t number, const char *text)
{
	char words[WORDS];

	(void)snprintf(words, sizeof words, "line %zu (%.60s): %.300s", number, text, replay->words);
	memcpy(replay->words, words, sizeof words);
}

static void run_lines(struct replay *replay, char *text)
{
	char *rest = NULL, copy[64];
	size_t number = 0;

	for (char *at = strtok_r(text, "\n", &rest); at != NULL; at = strtok_r(NULL, "\n", &rest)) {
		struct line line;

		(void)snprintf(copy, sizeof copy, "%s", at);
		split(at, &line);
		number++;
		if (line.count == 0)
			continue;
		if (strcmp(line.word[0], "end") == 0 || replay->parted)
			break;
		do_line(replay, &line);
		replay->counts->lines++;
		if (replay->broken) {
			say_where(replay, number, copy);
			return;
		}
	}
	if (replay->disk == NULL)
		return;
	replay_last_crash(replay);
	if (replay->broken)
		say_where(replay, number, "its end");
}

bool replay_schedule(char *text, struct replay_counts *counts, char words[WORDS])
{
	struct replay *replay = test_alloc(sizeof *replay);
	bool well;

	memset(replay, 0, sizeof *replay);
	replay->counts = counts;
	turn_on_sleep(let_go, replay);
	run_lines(replay, text);
	if (replay->disk != NULL) {
		replay_kill(replay);
		sopi_sim_disk_free(replay->disk);
	}
	turn_on_sleep(NULL, NULL);
	well = !replay->broken;
	memcpy(words, replay->words, WORDS);
	free(replay);
	return well;
}
