/* Worlds: opening a database for actors, running them, and judging what they did. */
#include "isolation/actor.h"

#include "isolation/actor_calls.h"
#include "isolation/replay.h"

#include "api/handle.h"
#include "btree/resident.h"
#include "support/large.h"
#include "support/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODE_ITEMS 4
#define NODE_BYTES 1024
#define BY_BYTES_ONCE_IN 3 /* seeds: nodes are limited by their bytes alone, as with seed 2 */
#define APART_BYTES 64 /* on disk, with every other seed: longer values are kept apart */
#define DIRTY_BYTES (16 << 10) /* on disk: of nodes that wait for a checkpoint */
#define LOG_BYTES (128 << 10) /* on disk: log after which a checkpoint is due */
#define PARTS_ON_DISK 3
#define MAINTAIN_ONCE_IN 200

static bool settle_on_disk;

void world_settle_on_disk(bool on_disk)
{
	settle_on_disk = on_disk;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void must(sop_status status, const char *what, const sop_error *err)
{
	if (status == SOP_OK)
		return;
	fprintf(stderr, "%s: %s: %s\n", what, sop_status_name(status), err->message);
	abort(); /* nothing can be tested */
}

/* Much less memory and log than the least that can be asked for: whatever may be evicted is. */
static void make_tight(struct sopi_engine *engine)
{
	engine->forest.resident->bytes_max = 0;
	engine->forest.resident->dirty_bytes_max = DIRTY_BYTES;
	engine->options.log_bytes_max = LOG_BYTES;
}

static void set_disk_options(sop_options *options, sop_error *err)
{
	must(sop_options_set_bool(options, "create", 1, err), "create", err);
	must(sop_options_set_text(options, "durability", "buffered", err), "durability", err);
	must(sop_options_set_int(options, "cache_bytes", 4 << 20, err), "cache_bytes", err);
	must(sop_options_set_int(options, "log_bytes_max", 4 << 20, err), "log_bytes_max", err);
	if (test_seed() % 2 == 1)
		must(sop_options_set_int(options, "inline_value_bytes", APART_BYTES, err), "inline", err);
}

static void open_database(struct world *world)
{
	static unsigned worlds;
	sop_options *options = NULL;
	sop_error err = SOP_ERROR_INIT;

	test_replay_in_parts(worlds, true);
	test_all_are_large(worlds++ % 2 == 1);
	must(sop_options_new(&options, &err), "options", &err);
	must(sop_options_set_int(options, "node_bytes", NODE_BYTES, &err), "node_bytes", &err);
	if (world->on_disk)
		set_disk_options(options, &err);
	must(sop_open(world->on_disk ? world->folder : "inmemory:", options, &world->db, &err),
	     "open", &err);
	if (world->on_disk)
		make_tight(world->db->engine);
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
	world->on_disk = settle_on_disk;
	if (world->on_disk)
		test_folder_make_fast(world->folder);
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

/* Frees everything of the program that hangs on the database. */
static void free_handles(struct world *world)
{
	for (size_t i = 0; i <= world->options.threads; i++) {
		struct actor *actor = &world->actors[i];

		for (size_t kind = 0; kind < ACTOR_KINDS; kind++) {
			sop_txn_free(atomic_load(&actor->handles[kind]));
			atomic_store(&actor->handles[kind], NULL);
		}
	}
	for (size_t i = 0; i < world->options.stores; i++)
		sop_store_free(world->stores[i]);
}

/* killed: as if the process had been. */
static void close_database(struct world *world, bool killed)
{
	sop_error err = SOP_ERROR_INIT;
	sop_status status;

	free_handles(world);
	if (killed) {
		if (sop_sync(world->db, &err) != SOP_OK)
			test_note_failure("sync: %s", err.message);
		atomic_store(&world->db->engine->failed, true);
	}
	status = sop_close(world->db, &err);
	if (status != (killed ? SOP_FAILED : SOP_OK))
		test_note_failure("close: %s: %s", sop_status_name(status), err.message);
	sop_db_free(world->db);
}

void world_close(struct world *world)
{
	close_database(world, false);
	for (size_t i = 0; i <= world->options.threads; i++) {
		struct actor *actor = &world->actors[i];

		sop_buf_free(&actor->key);
		sop_buf_free(&actor->value);
		sop_buf_free(&actor->made);
		sop_buf_free(&actor->rows);
		free(actor->items);
	}
	if (world->on_disk)
		test_folder_remove(world->folder);
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
	const sop_status status = sop_verify(world->db, print_problem, NULL, NULL, &problems, &err);

	if (status != SOP_OK || problems != 0)
		test_note_failure("verify: %s, %llu problems: %s", sop_status_name(status),
				  (unsigned long long)problems, err.message);
}

/* Everything that is in it, on the record. */
static void look(struct world *world)
{
	(void)actor_perform(world_main_actor(world), ACTOR_BY_RENEW, ACTOR_READ, look_at_all, NULL);
	verify(world);
}

uint64_t world_parts(const struct world *world)
{
	return world->on_disk ? PARTS_ON_DISK : 1;
}

void world_reopen(struct world *world)
{
	if (!world->on_disk || test_failures() != 0)
		return;
	close_database(world, world->reopened++ % 2 == 0);
	open_database(world);
	for (size_t i = 0; i < world->options.stores; i++)
		declare_store(world, i);
	look(world);
}

void world_maintain(struct actor *actor)
{
	struct world *world = actor->world;
	sop_status status = SOP_OK;
	uint64_t dice;

	if (!world->on_disk || !test_rng_once_in(&actor->rng, MAINTAIN_ONCE_IN))
		return;
	dice = test_rng_below(&actor->rng, 10);
	if (dice < 4)
		status = sop_checkpoint(world->db, &actor->err);
	else if (dice < 7)
		status = sop_sync(world->db, &actor->err);
	else if (dice < 9)
		status = sop_gc(world->db, NULL, NULL, &actor->err);
	else
		verify(world);
	if (status != SOP_OK)
		test_note_failure("checkpoint, sync or gc: %s: %s", sop_status_name(status),
				  actor->err.message);
}

struct verdict world_judge(struct world *world)
{
	struct verdict verdict = { .anomalies = 0 };
	struct replay_report *report = test_alloc(sizeof *report);

	look(world);
	world_reopen(world);
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
