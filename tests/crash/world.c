/* A run and its history: lives, commits, what must be there. */
#include "crash/world.h"

#include "base/plant.h"
#include "crash/work.h"
#include "support/large.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_EVERY = 4 }; /* of the crashes one is looked at by somebody who may only read, too */

/* ---- history ---------------------------------------------------------------------------------------- */

void world_wrong(struct world *world, const char *what)
{
	if (!world->broken)
		(void)snprintf(world->words, sizeof world->words, "%.*s", WORDS, what);
	world->broken = true;
}

struct life *world_life(struct world *world)
{
	return &world->lives[world->life];
}

static void add_state(struct world *world, const uint8_t id[TXN_ID_BYTES], const struct model *model)
{
	struct commit *commit = test_alloc(sizeof *commit);
	struct life *life = world_life(world);

	memset(commit, 0, sizeof *commit);
	memcpy(commit->id, id, TXN_ID_BYTES);
	model_copy(&commit->model, model);
	model_dump(model, &commit->dump);
	if (life->count == COMMITS_MAX || world->own_count == sizeof world->own / sizeof *world->own)
		fail_msg("a run is too long");
	life->at[life->count++] = commit;
	world->own[world->own_count++] = commit;
}

void world_submit(struct world *world, const uint8_t id[TXN_ID_BYTES], const struct model *model)
{
	add_state(world, id, model);
}

static void lose(struct world *world, size_t kept)
{
	struct life *life = world_life(world);

	while (life->count > kept) {
		if (world->lost_count == COMMITS_MAX)
			fail_msg("a run loses too many commits");
		world->lost[world->lost_count++] = life->at[--life->count];
	}
}

void world_mark(struct world *world)
{
	sopi_sim_trace_mark(world->disk, (int64_t)world->life << 32 | (int64_t)world->durable);
}

void world_durable_below(struct world *world, size_t count)
{
	if (world->durable < count)
		world->durable = count;
	world_mark(world);
}

void world_durable(struct world *world)
{
	world_durable_below(world, world_life(world)->count);
}

void world_forget_newest(struct world *world)
{
	lose(world, world_life(world)->count - 1);
}

/* ---- what is there after opening ---------------------------------------------------------------------- */

static bool say(char words[WORDS], const char *what, size_t number, size_t of)
{
	(void)snprintf(words, WORDS, "%s: commit %zu of %zu", what, number, of);
	return false;
}

static bool outcome_of(struct base *base, const struct commit *commit, sop_outcome *outcome,
		       uint64_t *position, char words[WORDS])
{
	sop_error err = SOP_ERROR_INIT;

	if (sop_txn_outcome(base->db, commit->id, outcome, position, &err) == SOP_OK)
		return true;
	(void)snprintf(words, WORDS, "asking for an outcome: %.250s", err.message);
	return false;
}

/* How many commits of the life are there: a prefix, and none of those that were lost before. */
static bool count_commits(const struct world *world, struct base *base, const struct life *life,
			  size_t durable, size_t *there, char words[WORDS])
{
	sop_outcome outcome;
	uint64_t position;

	*there = 1;
	for (size_t i = 1; i < life->count; i++) {
		if (!outcome_of(base, life->at[i], &outcome, &position, words))
			return false;
		if (outcome == SOP_OUTCOME_COMMITTED && *there != i)
			return say(words, "there, though one before it is not", i, life->count);
		if (outcome != SOP_OUTCOME_COMMITTED && outcome != SOP_OUTCOME_NOT_COMMITTED)
			return say(words, "has no definite outcome", i, life->count);
		if (outcome == SOP_OUTCOME_COMMITTED && life->at[i]->position != 0 &&
		    life->at[i]->position != position)
			return say(words, "has another position", i, life->count);
		if (outcome == SOP_OUTCOME_COMMITTED)
			*there = i + 1;
	}
	if (*there < durable)
		return say(words, "LOST, though it was durable", durable - 1, life->count);
	for (size_t i = 0; i < life->lost; i++) {
		if (!outcome_of(base, world->lost[i], &outcome, &position, words))
			return false;
		if (outcome != SOP_OUTCOME_NOT_COMMITTED)
			return say(words, "BACK, though it had been lost", i, life->lost);
	}
	return true;
}

/* Is the state the one after exactly the commits that are there? */
static bool look(const struct world *world, struct base *base, const struct life *life,
		 size_t durable, size_t *there, char words[WORDS])
{
	static struct dump found;
	char difference[300];
	bool well = count_commits(world, base, life, durable, there, words) &&
		    base_dump(base, &found, words);

	if (well && !dump_equal(&life->at[*there - 1]->dump, &found)) {
		dump_differ(&life->at[*there - 1]->dump, &found, difference, sizeof difference);
		(void)snprintf(words, WORDS, "after %zu commits of %zu: %s", *there - 1,
			       life->count - 1, difference);
		well = false;
	}
	return well && base_verify(base, words);
}

static bool open_again(struct base *base, struct sopi_sim_disk *disk, const struct config *config,
		       char words[WORDS])
{
	sop_error err = SOP_ERROR_INIT;

	if (base_open(base, disk, config, false, &err) == SOP_OK)
		return true;
	(void)snprintf(words, WORDS, "opening: %s: %.250s [%.60s %lld]",
		       sop_status_name(err.status), err.message, err.file, (long long)err.offset);
	return false;
}

/* A new life begins with what is there. */
static void begin_life(struct world *world, const struct life *old, size_t there)
{
	struct life *life;

	if (world->life + 1 == LIVES_MAX)
		fail_msg("a run has too many lives");
	lose(world, world_life(world) == old ? there : world_life(world)->count);
	life = &world->lives[++world->life];
	memcpy(life->at, old->at, there * sizeof(struct commit *));
	life->count = there;
	life->lost = world->lost_count;
	world->durable = there;
	world_mark(world);
}

/* ---- living --------------------------------------------------------------------------------------------- */

void world_start(struct world *world, const struct config *config, uint64_t seed)
{
	static const uint8_t no_id[TXN_ID_BYTES];
	const struct model nothing = { 0 };
	sop_error err = SOP_ERROR_INIT;

	memset(world, 0, sizeof *world);
	test_all_are_large(seed % 2 == 1);
	world->config = *config;
	world->id_space = 1;
	test_rng_init(&world->rng, test_seed(), seed);
	world->disk = sopi_sim_disk_new();
	sopi_sim_disk_set_direct(world->disk, config->direct_bytes);
	add_state(world, no_id, &nothing);
	world->durable = 1;
	TEST_OK(base_open(&world->base, world->disk, config, true, &err), err);
}

bool world_recover(struct world *world, const struct world *from, struct sopi_sim_disk *disk,
		   const struct life *life, size_t durable)
{
	static uint64_t spaces = 1;
	char words[WORDS];
	size_t there = 0;

	memset(world, 0, sizeof *world);
	world->config = from->config;
	world->id_space = ++spaces;
	test_rng_init(&world->rng, test_seed(), world->id_space + 1000000);
	world->disk = disk;
	memcpy(world->lost, from->lost, sizeof world->lost);
	world->lost_count = life->lost;
	world->lives[0] = *life;
	world->durable = durable;
	world_mark(world);
	if (!open_again(&world->base, disk, &world->config, words)) {
		world_wrong(world, words);
		return false;
	}
	if (!look(world, &world->base, life, durable, &there, words)) {
		world_wrong(world, words);
		return false;
	}
	begin_life(world, &world->lives[0], there);
	return true;
}

void world_stop(struct world *world)
{
	if (world->base.process != NULL)
		(void)base_close(&world->base, NULL);
	for (size_t i = 0; i < world->own_count; i++) {
		model_clear(&world->own[i]->model);
		dump_free(&world->own[i]->dump);
		free(world->own[i]);
	}
	sopi_sim_disk_free(world->disk);
	world->disk = NULL;
}

/* What the process before left in the page cache. */
static void reopen(struct world *world)
{
	char words[WORDS];
	size_t there = 0;

	if (!open_again(&world->base, world->disk, &world->config, words) ||
	    !look(world, &world->base, world_life(world), world->durable, &there, words))
		world_wrong(world, words);
	else
		begin_life(world, world_life(world), there);
}

void world_close_and_open(struct world *world)
{
	sop_error err = SOP_ERROR_INIT;
	char words[WORDS];
	size_t there = 0;
	const sop_status status = base_close(&world->base, &err);

	if (status == SOP_IO || status == SOP_FAILED) { /* a fault */
		reopen(world);
		return;
	}
	if (status != SOP_OK) {
		(void)snprintf(words, WORDS, "closing: %.250s", err.message);
		world_wrong(world, words);
		return;
	}
	world_durable(world);
	if (!open_again(&world->base, world->disk, &world->config, words) ||
	    !look(world, &world->base, world_life(world), world->durable, &there, words))
		world_wrong(world, words);
}

void world_die_and_open(struct world *world)
{
	sopi_sim_kill(world->base.process);
	(void)base_close(&world->base, NULL);
	reopen(world);
}

/* ---- judging -------------------------------------------------------------------------------------------- */

/* The recovered database takes a commit, and shows it when it is opened again. */
static bool use(struct base *base, struct sopi_sim_disk *disk, const struct world *world,
		char words[WORDS])
{
	static const size_t sizes[] = { 40, 700, 0 };
	static struct dump before, after;
	struct commit extra = { .id = "extra extra extr" };
	const size_t turn = world->states;
	sop_error err = SOP_ERROR_INIT;
	sop_outcome outcome = SOP_OUTCOME_PENDING;
	uint64_t position = 0;

	if (!base_commit_mark(base, extra.id, sizes[turn % 3], words))
		return false;
	if (turn % 4 == 1 && sop_checkpoint(base->db, &err) != SOP_OK) {
		(void)snprintf(words, WORDS, "a checkpoint after recovery: %.250s", err.message);
		return false;
	}
	if (turn % 16 == 2 && sop_gc(base->db, NULL, NULL, &err) != SOP_OK) {
		(void)snprintf(words, WORDS, "gc after recovery: %.250s", err.message);
		return false;
	}
	if (!base_dump(base, &before, words))
		return false;
	if (base_close(base, &err) != SOP_OK) {
		(void)snprintf(words, WORDS, "closing after recovery: %.250s", err.message);
		return false;
	}
	if (!open_again(base, disk, &world->config, words) || !base_dump(base, &after, words) ||
	    !outcome_of(base, &extra, &outcome, &position, words))
		return false;
	if (outcome != SOP_OUTCOME_COMMITTED)
		return say(words, "the commit after recovery is not there when opened again", 0, 0);
	if (!dump_equal(&before, &after)) {
		char difference[300];

		dump_differ(&before, &after, difference, sizeof difference);
		(void)snprintf(words, WORDS, "opened again: %s", difference);
		return false;
	}
	return turn % 4 != 0 || base_verify(base, words);
}

/* Who may only read sees what recovery will show, `there` commits, and leaves the disk as it is. */
static bool look_reading(const struct world *world, struct sopi_sim_disk *disk,
			 const struct life *life, size_t durable, size_t *there, char words[WORDS])
{
	struct sopi_sim_trace *trace = sopi_sim_trace_start(disk);
	struct base base = { NULL, NULL };
	sop_error err = SOP_ERROR_INIT;
	char found[WORDS - 16];
	bool well = false;

	found[0] = '\0';
	if (base_open_reading(&base, disk, &world->config, &err) == SOP_OK) {
		well = look(world, &base, life, durable, there, words);
		(void)snprintf(found, sizeof found, "%.*s", (int)sizeof found - 1, words);
		well = base_close(&base, &err) == SOP_OK && well;
	}
	sopi_sim_trace_stop(trace);
	if (well && sopi_sim_trace_steps(trace) != 0) {
		well = false;
		(void)snprintf(found, sizeof found, "it wrote: %.300s", sopi_sim_trace_step(trace, 0));
	}
	sopi_sim_trace_free(trace);
	if (!well)
		(void)snprintf(words, WORDS, "read only: %s", found[0] != '\0' ? found : err.message);
	return well;
}

static bool judge(const struct world *world, struct sopi_sim_disk *disk, const struct life *life,
		  size_t durable, char words[WORDS])
{
	const bool reads = world->states % READ_EVERY == 1;
	struct base base = { NULL, NULL };
	size_t there = 0, read = 0;
	bool well = (!reads || look_reading(world, disk, life, durable, &read, words)) &&
		    open_again(&base, disk, &world->config, words) &&
		    look(world, &base, life, durable, &there, words);

	if (well && reads && read != there)
		well = say(words,
			   "commits are shown after recovery; who only read was shown another number",
			   there, read);
	well = well && use(&base, disk, world, words);
	if (base.process != NULL)
		(void)base_close(&base, NULL);
	return well;
}

/* Records the recovery of a crashed disk and some work after it, and crashes in that. */
static bool nest(struct world *outer, struct sopi_sim_disk *disk, const struct life *life, size_t durable)
{
	struct world *inner = test_alloc(sizeof *inner);
	struct sopi_sim_disk *copy = sopi_sim_disk_copy(disk);
	struct sopi_sim_trace *trace = sopi_sim_trace_start(copy);
	bool well = world_recover(inner, outer, copy, life, durable);

	if (well) {
		world_transaction(inner, SOP_FLUSHED);
		if (outer->states % 3 == 0)
			world_checkpoint(inner);
		world_transaction(inner, 0);
	}
	sopi_sim_trace_stop(trace);
	inner->nest_levels = outer->nest_levels - 1;
	inner->nest_every = inner->nest_levels == 0 ? 0 : outer->nest_states / 2 + 1;
	inner->nest_states = outer->nest_states / 2 + 1;
	well = well && world_crash(inner, trace, outer->nest_states, outer->states);
	outer->states += inner->states;
	outer->deep += inner->states;
	if (!well && !outer->broken) {
		outer->broken = true;
		(void)snprintf(outer->words, sizeof outer->words, "in recovery: %.*s", WORDS,
			       inner->words);
	}
	sopi_sim_trace_free(trace);
	world_stop(inner);
	free(inner);
	return well;
}

static bool visit(void *arg, struct sopi_sim_disk *disk, const struct sopi_sim_crash *crash)
{
	struct world *world = arg;
	const struct life *life = &world->lives[crash->mark < 0 ? 0 : crash->mark >> 32];
	const size_t durable = crash->mark < 0 ? 1 : (size_t)(crash->mark & 0xFFFFFFFF);
	char words[WORDS];

	world->states++;
	if (world->nest_every != 0 && world->states % world->nest_every == 0 &&
	    !nest(world, disk, life, durable))
		return false;
	if (!judge(world, disk, life, durable, words)) {
		world->broken = true;
		(void)snprintf(world->words, sizeof world->words,
			       "crash after %zu steps, keep %d, which %zu, torn at %zu, seed %llu: %.*s",
			       crash->steps, (int)crash->cut.keep, crash->cut.which,
			       crash->cut.tear_bytes, (unsigned long long)crash->cut.seed, WORDS, words);
	}
	return !world->broken;
}

bool world_crash(struct world *world, const struct sopi_sim_trace *trace, size_t wanted, uint64_t seed)
{
	struct sopi_sim_plan plan = { .seeds = 4, .seed = seed };
	const size_t all = sopi_sim_count_crashes(trace, &plan);

	if (world->broken)
		return false;
	if (all > wanted) {
		plan.shards = all / wanted;
		plan.shard = seed % plan.shards;
	}
	(void)sopi_sim_each_crash(trace, &plan, visit, world);
	return !world->broken;
}

/* ---- runs ----------------------------------------------------------------------------------------------- */

const struct config world_configs[WORLD_CONFIGS] = {
	{ .node_bytes = 1024, .node_items = 4, .log_bytes = 64 << 10, .direct_bytes = 512 },
	{ .node_bytes = 1024, .node_items = 8, .log_bytes = 256 << 10, .direct_bytes = 0 },
	{ .node_bytes = 1024, .node_items = 0, .log_bytes = 128 << 10, .direct_bytes = 4096 },
	{ .node_bytes = 4096, .node_items = 6, .log_bytes = 4 << 20, .direct_bytes = 512 }, /* no checkpoint by itself */
	{ .node_bytes = 1024, .node_items = 4, .log_bytes = 32 << 10, .direct_bytes = 512 }, /* segments of 8 KB */
};

/* From here on the process fails or dies as the run says. */
static void fault(struct world *world, const struct run *run)
{
	const struct sopi_sim_fault what = {
		.calls = run->faulty, .after = run->kill_after, .for_ever = true, .os_errno = EIO
	};

	if (run->kill_after < 0)
		return;
	if (run->faulty != 0)
		sopi_sim_fail(world->base.process, &what);
	else
		sopi_sim_kill_after(world->base.process, run->kill_after);
}

struct world *world_run(const struct run *run)
{
	struct world *world = test_alloc(sizeof *world);
	const int bug = atomic_exchange(&sopi_planted, SOPI_PLANT_NONE); /* the creation is sound */
	struct config config = world_configs[run->config];
	struct sopi_sim_trace *trace;

	config.replay_each = run->replay_each;
	config.replay_parts = run->seed;
	world_start(world, &config, run->seed);
	atomic_store(&sopi_planted, bug);
	trace = sopi_sim_trace_start(world->disk);
	world->crowded = run->crowded;
	if (run->kill_after >= 0) {
		world_steps(world, 3);
		fault(world, run);
	}
	world_steps(world, run->steps);
	sopi_sim_trace_stop(trace);
	world->nest_every = run->nest_every;
	world->nest_levels = run->nest_levels;
	world->nest_states = 6;
	(void)world_crash(world, trace, run->states, run->seed);
	sopi_sim_trace_free(trace);
	world_stop(world);
	return world;
}
