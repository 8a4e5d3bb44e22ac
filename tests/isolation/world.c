/* Worlds: opening a database for actors, running them, and judging what they did. */
#include "isolation/actor.h"

#include "isolation/actor_calls.h"
#include "isolation/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODE_ITEMS 4
#define NODE_BYTES 1024
#define BY_BYTES_ONCE_IN 3 /* seeds: nodes are limited by their bytes alone, as with seed 2 */

/* ---- opening --------------------------------------------------------------------------------- */

static void must(sop_status status, const char *what, const sop_error *err)
{
	if (status == SOP_OK)
		return;
	fprintf(stderr, "%s: %s: %s\n", what, sop_status_name(status), err->message);
	abort(); /* nothing can be tested */
}

static void open_database(struct world *world)
{
	sop_options *options = NULL;
	sop_error err = SOP_ERROR_INIT;

	must(sop_options_new(&options, &err), "options", &err);
	must(sop_options_set_int(options, "node_bytes", NODE_BYTES, &err), "node_bytes", &err);
	must(sop_open("inmemory:", options, &world->db, &err), "open", &err);
	sop_options_free(options);
}

static void declare_store(struct world *world, size_t index)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;
	char name[32];

	(void)snprintf(name, sizeof name, "store-%02zu", index);
	world->history.duplicates[index] = (world->options.duplicates >> index & 1) != 0;
	options.duplicates = world->history.duplicates[index];
	options.node_items = test_seed() % BY_BYTES_ONCE_IN == 2 ? 0 : NODE_ITEMS;
	must(sop_store_open(world->db, test_text(name), &options, &world->stores[index], &err),
	     "store", &err);
}

static void init_actor(struct world *world, size_t index)
{
	struct actor *actor = &world->actors[index];
	const sop_error err = SOP_ERROR_INIT;

	memset(actor, 0, sizeof *actor);
	actor->world = world;
	actor->index = index;
	actor->log = &world->history.logs[index];
	actor->err = err;
	for (size_t i = 0; i < ACTOR_KINDS; i++)
		atomic_init(&actor->handles[i], NULL);
	test_rng_init(&actor->rng, test_seed(), index);
}

static sop_status create_stores(struct actor *actor, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < actor->world->options.stores; i++)
		(void)actor_create(actor, i);
	return SOP_OK;
}

void world_open(struct world *world, const struct world_options *options)
{
	memset(world, 0, sizeof *world);
	world->options = *options;
	if (options->key_padding_max > ACTOR_KEY_PADDING_MAX || options->stores > HISTORY_STORES_MAX)
		abort();
	open_database(world);
	history_init(&world->history, options->threads + 1);
	for (size_t i = 0; i < options->stores; i++)
		declare_store(world, i);
	world->actors = test_alloc((options->threads + 1) * sizeof *world->actors);
	for (size_t i = 0; i <= options->threads; i++)
		init_actor(world, i);
	if (!options->stores_absent)
		(void)actor_perform(world_main_actor(world), ACTOR_BY_RENEW, ACTOR_WRITE,
				    create_stores, NULL);
}

struct actor *world_main_actor(struct world *world)
{
	return &world->actors[world->options.threads];
}

void world_close(struct world *world)
{
	sop_error err = SOP_ERROR_INIT;

	for (size_t i = 0; i <= world->options.threads; i++) {
		struct actor *actor = &world->actors[i];

		for (size_t kind = 0; kind < ACTOR_KINDS; kind++)
			sop_txn_free(atomic_load(&actor->handles[kind]));
		sop_buf_free(&actor->key);
		sop_buf_free(&actor->value);
		sop_buf_free(&actor->made);
		sop_buf_free(&actor->rows);
		free(actor->items);
	}
	for (size_t i = 0; i < world->options.stores; i++)
		sop_store_free(world->stores[i]);
	if (sop_close(world->db, &err) != SOP_OK)
		test_note_failure("close: %s", err.message);
	sop_db_free(world->db);
	free(world->actors);
	history_free(&world->history);
}

/* ---- running --------------------------------------------------------------------------------- */

struct play {
	struct world *world;
	void (*body)(struct actor *actor, void *arg);
	void *arg;
};

static void play_thread(size_t index, void *arg)
{
	const struct play *play = arg;

	play->body(&play->world->actors[index], play->arg);
}

void world_run(struct world *world, void (*body)(struct actor *actor, void *arg), void *arg)
{
	struct play play = { world, body, arg };

	test_run_threads(world->options.threads, play_thread, &play);
}

/* ---- judging --------------------------------------------------------------------------------- */

static sop_status look_at_all(struct actor *actor, void *arg)
{
	struct world *world = actor->world;
	const struct key_range all = range_all();
	uint64_t names = 0;

	(void)arg;
	if (actor_list(actor, &names) != SOP_OK)
		return SOP_OK;
	for (size_t i = 0; i < world->options.stores; i++) {
		const struct item_seen *items = NULL;
		size_t seen = 0;
		uint64_t count = 0;
		uint64_t approx = 0;

		if ((names >> i & 1) == 0)
			continue;
		(void)actor_scan(actor, i, &all, 0, 0, &items, &seen);
		(void)actor_scan(actor, i, &all, EVENT_REVERSE, 0, &items, &seen);
		(void)actor_count(actor, i, NULL, &count);
		(void)actor_count(actor, i, &all, &count);
		if (sop_approx_count(world->db, world->stores[i], &approx, &actor->err) != SOP_OK ||
		    approx != count)
			test_note_failure("store %zu holds %llu items, the approximate count is %llu",
					  i, (unsigned long long)count, (unsigned long long)approx);
	}
	return SOP_OK;
}

static int print_problem(void *arg, const sop_problem *problem)
{
	(void)arg;
	test_note_failure("verify: %s: %s", problem->kind, problem->message);
	return 0;
}

static void verify(struct world *world)
{
	sop_error err = SOP_ERROR_INIT;
	uint64_t problems = 0;
	const sop_status status = sop_verify(world->db, print_problem, NULL, &problems, &err);

	if (status != SOP_OK || problems != 0)
		test_note_failure("verify: %s, %llu problems: %s", sop_status_name(status),
				  (unsigned long long)problems, err.message);
}

struct verdict world_judge(struct world *world)
{
	struct verdict verdict = { .anomalies = 0 };
	struct replay_report *report = test_alloc(sizeof *report);

	(void)actor_perform(world_main_actor(world), ACTOR_BY_RENEW, ACTOR_READ, look_at_all, NULL);
	verify(world);
	(void)replay_check(&world->history, report);
	for (size_t i = 0; i < REPLAY_ANOMALIES; i++)
		verdict.anomalies += report->anomalies[i];
	for (size_t i = 0; i < report->text_count; i++)
		test_note_failure("anomaly: %s", report->texts[i]);
	if (report->first_txn != NULL)
		history_print(report->first_log, report->first_txn);
	if (verdict.anomalies != 0)
		test_note_failure("%llu anomalies", (unsigned long long)verdict.anomalies);
	verdict.transactions = report->committed + report->readers + report->aborted;
	verdict.committed = report->committed;
	verdict.conflicts = atomic_load(&world->conflicts);
	verdict.timeouts = atomic_load(&world->timeouts);
	verdict.cancellations = atomic_load(&world->cancellations);
	verdict.answers = report->events;
	verdict.standstill_ns = report->standstill_ns;
	free(report);
	return verdict;
}
