/* Traces: what happened to a simulated disk, step by step, and every state in which a crash may leave it. */
#include "platform/sim_disk.h"

#include "base/check.h"

#include <string.h>

struct step {
	enum sopi_sim_step_kind kind;
	struct sopi_sim_change change; /* CHANGE */
	uint32_t node; /* FORCE, GIVE_UP */
	uint64_t from; /* FORCE, GIVE_UP; the mark of MARK */
	uint64_t end; /* FORCE, GIVE_UP */
	char *text;
};

struct sopi_sim_trace {
	struct sopi_sim_disk *disk; /* being recorded, or NULL */
	struct sopi_sim_disk *start;
	struct step *steps;
	size_t count;
	size_t capacity;
};

/* ---- recording */

void sopi_sim_record(struct sopi_sim_disk *disk, enum sopi_sim_step_kind kind,
		     const struct sopi_sim_change *change, uint32_t node, uint64_t from, uint64_t end)
{
	struct sopi_sim_trace *trace = disk->trace;
	struct step *step;

	if (trace == NULL)
		return;
	if (trace->count == trace->capacity) {
		trace->capacity = trace->capacity * 2 + 64;
		trace->steps = sopi_sim_resize(trace->steps, trace->capacity * sizeof *trace->steps);
	}
	step = &trace->steps[trace->count++];
	memset(step, 0, sizeof *step);
	step->kind = kind;
	if (change != NULL)
		sopi_sim_change_copy(&step->change, change);
	step->node = node;
	step->from = from;
	step->end = end;
	step->text = sopi_sim_text(disk->call);
}

struct sopi_sim_trace *sopi_sim_trace_start(struct sopi_sim_disk *disk)
{
	struct sopi_sim_trace *trace = sopi_sim_alloc(sizeof *trace);

	sopi_mutex_lock(&disk->mutex);
	SOPI_CHECK(disk->trace == NULL);
	trace->disk = disk;
	trace->start = sopi_sim_disk_copy_locked(disk);
	disk->trace = trace;
	sopi_mutex_unlock(&disk->mutex);
	return trace;
}

void sopi_sim_trace_mark(struct sopi_sim_disk *disk, int64_t mark)
{
	SOPI_CHECK(mark >= 0);
	sopi_mutex_lock(&disk->mutex);
	(void)memcpy(disk->call, "mark", sizeof "mark");
	sopi_sim_record(disk, SOPI_SIM_STEP_MARK, NULL, 0, (uint64_t)mark, 0);
	sopi_mutex_unlock(&disk->mutex);
}

void sopi_sim_trace_stop(struct sopi_sim_trace *trace)
{
	struct sopi_sim_disk *disk = trace->disk;

	if (disk == NULL)
		return;
	sopi_mutex_lock(&disk->mutex);
	disk->trace = NULL;
	sopi_mutex_unlock(&disk->mutex);
	trace->disk = NULL;
}

void sopi_sim_trace_free(struct sopi_sim_trace *trace)
{
	if (trace == NULL)
		return;
	sopi_sim_trace_stop(trace);
	for (size_t i = 0; i < trace->count; i++) {
		sopi_sim_change_free(&trace->steps[i].change);
		sopi_sim_free(trace->steps[i].text);
	}
	sopi_sim_free(trace->steps);
	sopi_sim_disk_free(trace->start);
	sopi_sim_free(trace);
}

/* ---- playing back */

size_t sopi_sim_trace_steps(const struct sopi_sim_trace *trace)
{
	return trace->count;
}

const char *sopi_sim_trace_step(const struct sopi_sim_trace *trace, size_t step)
{
	SOPI_CHECK(step < trace->count);
	return trace->steps[step].text;
}

int64_t sopi_sim_trace_mark_at(const struct sopi_sim_trace *trace, size_t steps)
{
	SOPI_CHECK(steps <= trace->count);
	for (size_t i = steps; i-- > 0;)
		if (trace->steps[i].kind == SOPI_SIM_STEP_MARK)
			return (int64_t)trace->steps[i].from;
	return -1;
}

static void play(struct sopi_sim_disk *disk, const struct step *step)
{
	switch (step->kind) {
	case SOPI_SIM_STEP_CHANGE:
		SOPI_CHECK(sopi_sim_make_change(disk, &step->change) == step->change.number);
		break;
	case SOPI_SIM_STEP_FORCE:
		sopi_sim_force(disk, step->node, step->from, step->end);
		break;
	case SOPI_SIM_STEP_GIVE_UP:
		sopi_sim_give_up(disk, step->node, step->from, step->end);
		break;
	case SOPI_SIM_STEP_EVICT:
		sopi_sim_evict_locked(disk);
		break;
	case SOPI_SIM_STEP_MARK:
		break;
	}
}

struct sopi_sim_disk *sopi_sim_trace_disk(const struct sopi_sim_trace *trace, size_t steps)
{
	struct sopi_sim_disk *disk = sopi_sim_disk_copy(trace->start);

	SOPI_CHECK(trace->disk == NULL && steps <= trace->count);
	for (size_t i = 0; i < steps; i++)
		play(disk, &trace->steps[i]);
	return disk;
}

/* ---- visiting crashes */

struct visit {
	const struct sopi_sim_plan *plan;
	sopi_sim_crash_fn fn;
	void *arg;
	struct sopi_sim_disk *disk; /* as it was after `crash.steps` */
	struct sopi_sim_crash crash;
	size_t number; /* of the next crash of all */
	size_t visited;
	bool ended;
};

static bool is_in_shard(const struct sopi_sim_plan *plan, size_t number)
{
	return plan->shards == 0 || number % plan->shards == plan->shard;
}

static void crash(struct visit *visit, enum sopi_sim_keep keep, size_t which, size_t tear_bytes,
		  uint64_t seed)
{
	const struct sopi_sim_cut cut = { keep, which, tear_bytes, seed };
	struct sopi_sim_disk *copy;

	if (visit->ended || !is_in_shard(visit->plan, visit->number++) || visit->fn == NULL)
		return;
	visit->crash.cut = cut;
	copy = sopi_sim_disk_copy(visit->disk);
	sopi_sim_power_cut(copy, &cut);
	visit->visited++;
	visit->ended = !visit->fn(visit->arg, copy, &visit->crash);
	sopi_sim_disk_free(copy);
}

/* Bytes of change `which` among those not synced, if it can be torn. */
static size_t tearable(const struct sopi_sim_disk *disk, size_t which)
{
	for (size_t i = 0; i < disk->change_count; i++) {
		const struct sopi_sim_change *change = &disk->changes[i];

		if (change->forced || which-- != 0)
			continue;
		return change->kind == SOPI_SIM_DATA ? change->data->size : 0;
	}
	return 0;
}

static void crash_each(struct visit *visit, size_t unsynced)
{
	for (size_t i = 0; i < unsynced; i++) {
		const size_t bytes = tearable(visit->disk, i);

		if (unsynced > 1) { /* of one alone, nothing and everything were visited */
			crash(visit, SOPI_SIM_DROP_ONE, i, 0, 0);
			crash(visit, SOPI_SIM_KEEP_ONE, i, 0, 0);
		}
		if (bytes > SOPI_SIM_SECTOR_BYTES)
			crash(visit, SOPI_SIM_TEAR_ONE, i, SOPI_SIM_SECTOR_BYTES, visit->plan->seed);
		if (bytes > SOPI_SIM_PAGE_BYTES)
			crash(visit, SOPI_SIM_TEAR_ONE, i, SOPI_SIM_PAGE_BYTES, visit->plan->seed);
	}
}

static void crash_here(struct visit *visit)
{
	const size_t unsynced = sopi_sim_disk_unsynced(visit->disk);

	crash(visit, SOPI_SIM_KEEP_NONE, 0, 0, 0);
	if (unsynced == 0)
		return;
	crash(visit, SOPI_SIM_KEEP_ALL, 0, 0, 0);
	crash_each(visit, unsynced);
	for (size_t i = 0; i < visit->plan->seeds; i++)
		crash(visit, SOPI_SIM_KEEP_SOME, 0,
		      i % 2 == 0 ? SOPI_SIM_SECTOR_BYTES : SOPI_SIM_PAGE_BYTES, visit->plan->seed + i);
}

static void visit_all(struct visit *visit, const struct sopi_sim_trace *trace)
{
	visit->disk = sopi_sim_trace_disk(trace, 0);
	for (size_t steps = 0; steps <= trace->count && !visit->ended; steps++) {
		const struct step *next = steps < trace->count ? &trace->steps[steps] : NULL;

		visit->crash.steps = steps;
		/* A mark changes nothing on the disk, but asks more of it: crash behind the last in a row. */
		if (next == NULL || next->kind != SOPI_SIM_STEP_MARK)
			crash_here(visit);
		if (next != NULL && next->kind == SOPI_SIM_STEP_MARK)
			visit->crash.mark = (int64_t)next->from;
		if (next != NULL)
			play(visit->disk, next);
	}
	sopi_sim_disk_free(visit->disk);
}

size_t sopi_sim_count_crashes(const struct sopi_sim_trace *trace, const struct sopi_sim_plan *plan)
{
	struct visit visit = { .plan = plan };

	visit_all(&visit, trace);
	return visit.number;
}

size_t sopi_sim_each_crash(const struct sopi_sim_trace *trace, const struct sopi_sim_plan *plan,
			   sopi_sim_crash_fn fn, void *arg)
{
	struct visit visit = { .plan = plan, .fn = fn, .arg = arg, .crash = { .mark = -1 } };

	visit_all(&visit, trace);
	return visit.visited;
}
