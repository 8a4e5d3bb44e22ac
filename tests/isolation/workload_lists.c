/* List-append: values are lists of unique numbers; transactions read lists and append to them. */
#include "isolation/workloads.h"

#include "isolation/cycles.h"

#include <stdlib.h>
#include <string.h>

#define THREADS 12
#define TURNS_PER_LIST                                                                             \
	150 /* then a new list takes the place of an old one, so that lists stay short */
#define LISTS_AT_ONCE 4
#define LENGTH_MAX 120
#define OPS_MAX 4

struct lists {
	_Atomic uint64_t turns;
	struct cycles_history histories[THREADS + 1];
};

struct lists_turn {
	struct lists *lists;
	struct cycles_history *history;
	uint64_t base; /* the lists are those from `base` on */
	bool reads_only;
};

/* Reads list `list` and records it; `elements` receives it. */
static sop_status read_list(struct actor *actor, struct cycles_history *history, uint64_t list,
			    uint64_t elements[LENGTH_MAX], size_t *count)
{
	const sop_status status = actor_get(actor, 0, list, 0, NULL);
	const uint8_t *bytes = actor->value.data;

	*count = 0;
	if (actor->doomed != SOP_OK)
		return actor->doomed;
	if (status == SOP_OK && actor->value.size <= LENGTH_MAX * 8)
		*count = actor->value.size / 8;
	for (size_t i = 0; i < *count; i++)
		elements[i] = test_value_read_u64(test_bytes(bytes + 8 * i, 8));
	cycles_read(history, list, elements, *count);
	return SOP_OK;
}

static void append(struct actor *actor, struct cycles_history *history, uint64_t list,
		   const uint64_t elements[LENGTH_MAX], size_t count)
{
	uint8_t bytes[8 * LENGTH_MAX];
	const uint64_t element = (uint64_t)(actor->index + 1) << 40 | ++actor->value_count;

	for (size_t i = 0; i < count; i++)
		(void)test_value_u64(bytes + 8 * i, elements[i]);
	(void)test_value_u64(bytes + 8 * count, element);
	if (actor_put(actor, 0, list, test_bytes(bytes, 8 * (count + 1))) == SOP_OK)
		cycles_append(history, list, element);
}

/* Opens the record of an attempt; the one before it, if it did not end, has aborted. */
static void begin_record(struct actor *actor, struct cycles_history *history)
{
	if (history->txn_count != 0 && history->txns[history->txn_count - 1].end_ns == 0)
		cycles_end(history, false, test_now_ns());
	cycles_begin(history, history_open_txn(actor->log)->begin_ns);
}

static sop_status read_and_append(struct actor *actor, void *arg)
{
	struct lists_turn *turn = arg;
	const uint64_t ops = 1 + test_rng_below(&actor->rng, OPS_MAX);

	begin_record(actor, turn->history);
	for (uint64_t i = 0; i < ops && actor->doomed == SOP_OK; i++) {
		const uint64_t list = turn->base + test_rng_below(&actor->rng, LISTS_AT_ONCE);
		uint64_t elements[LENGTH_MAX];
		size_t count = 0;

		if (read_list(actor, turn->history, list, elements, &count) != SOP_OK)
			break;
		if (!turn->reads_only && count < LENGTH_MAX && !test_rng_once_in(&actor->rng, 3))
			append(actor, turn->history, list, elements, count);
	}
	return actor->doomed;
}

static void take_turn(struct actor *actor, void *arg)
{
	struct lists *lists = arg;
	struct lists_turn turn = { .lists = lists, .history = &lists->histories[actor->index] };
	sop_status status = SOP_OK;

	turn.base = atomic_fetch_add(&lists->turns, 1) / TURNS_PER_LIST * (LISTS_AT_ONCE - 1);
	turn.reads_only = test_rng_once_in(&actor->rng, 4);
	status = actor_perform(actor, workload_any_how(actor),
			       turn.reads_only ? ACTOR_READ : ACTOR_WRITE, read_and_append, &turn);
	if (turn.history->txn_count != 0 && turn.history->txns[turn.history->txn_count - 1].end_ns == 0)
		cycles_end(turn.history, status == SOP_OK, test_now_ns());
}

static sop_status read_all_lists(struct actor *actor, void *arg)
{
	struct lists *lists = arg;
	struct cycles_history *history = &lists->histories[actor->index];
	const uint64_t end =
		atomic_load(&lists->turns) / TURNS_PER_LIST * (LISTS_AT_ONCE - 1) + LISTS_AT_ONCE;

	begin_record(actor, history);
	for (uint64_t list = 0; list < end; list++) {
		uint64_t elements[LENGTH_MAX];
		size_t count = 0;

		(void)read_list(actor, history, list, elements, &count);
	}
	return actor->doomed;
}

/* Looks for cycles in what was recorded, without positions. */
static uint64_t judge_cycles(struct lists *lists)
{
	struct cycles_history all;
	struct cycles_report *report = test_alloc(sizeof *report);
	uint64_t anomalies = 0;

	memset(&all, 0, sizeof all);
	for (size_t i = 0; i <= THREADS; i++) {
		cycles_merge(&all, &lists->histories[i]);
		cycles_free(&lists->histories[i]);
	}
	(void)cycles_check(&all, report);
	for (size_t i = 0; i < CYCLES_ANOMALIES; i++)
		anomalies += report->anomalies[i];
	for (size_t i = 0; i < report->text_count; i++)
		test_note_failure("cycles: %s", report->texts[i]);
	free(report);
	cycles_free(&all);
	return anomalies;
}

static void read_finally(struct actor *actor, struct lists *lists)
{
	struct cycles_history *history = &lists->histories[actor->index];
	const sop_status status = actor_perform(actor, ACTOR_BY_RENEW, ACTOR_READ, read_all_lists, lists);

	cycles_end(history, status == SOP_OK, test_now_ns());
}

struct verdict workload_list_append(uint64_t transactions)
{
	const struct world_options options = {
		.threads = THREADS, .stores = 1, .key_padding_max = 40, .yield_once_in = 3
	};
	struct lists *lists = test_alloc(sizeof *lists);
	const struct workload_plan plan = { transactions, take_turn, lists };
	struct world world;
	struct verdict verdict;

	memset(lists, 0, sizeof *lists);
	world_open(&world, &options);
	workload_run_plan(&world, &plan);
	read_finally(world_main_actor(&world), lists);
	verdict = world_judge(&world);
	world_close(&world);
	verdict.anomalies += judge_cycles(lists);
	free(lists);
	return verdict;
}
