/* What a crash leaves of the log: after every power cut that a recorded run allows, in recovery too, everything that was
 * acknowledged is there, in order, with its bytes, and nothing that was never submitted. And the proof that the test can
 * fail: each rule of the log, left out, is caught. */
#include "wal_box.h"

#include "base/plant.h"
#include "codec/log_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ENTRIES_MAX = 512, /* of a history */
	LIVES_MAX = 3, /* openings in one recorded run */
	PAYLOAD_MAX = 1800,
	EXTRA = 2, /* commits after each recovery */
};

/* A transaction that was submitted; its bytes follow from its number. */
struct entry {
	uint64_t position;
	uint64_t number;
};

/* What one opening of the log knows: what it recovered, then what it submitted. */
struct history {
	struct entry entries[ENTRIES_MAX];
	size_t count;
};

struct world {
	struct sopi_sim_disk *disk;
	struct wal_box box;
	struct history lives[LIVES_MAX];
	size_t life;
	uint64_t next_number;
	size_t acknowledged; /* of the history of this life */
	uint64_t checkpoint, first_segment;
	size_t states; /* crashes visited */
	size_t caught; /* of these, in which something was wrong */
	char problem[300]; /* the first of them */
	bool nested; /* crashes in the recovery of a crash are visited too */
	bool cut; /* closing has cut the newest segment */
};

static size_t states_in_all;

static struct history *history_of(struct world *world)
{
	return &world->lives[world->life];
}

static void add(struct history *history, uint64_t position, uint64_t number)
{
	assert_true(history->count < ENTRIES_MAX);
	history->entries[history->count++] = (struct entry){ position, number };
}

/* ---- a manifest, as a backend writes it ---- */

static sop_status write_manifest(struct wal_box *box, uint64_t checkpoint, uint64_t first_segment,
				 struct sopi_wal_point known)
{
	uint64_t content[4] = { checkpoint, first_segment, known.slot, known.crc };
	struct sopi_file *file = NULL;
	sop_status status = sopi_folder_open_file(box->folder, "MANIFEST.tmp",
						  SOPI_FILE_READ | SOPI_FILE_WRITE | SOPI_FILE_CREATE,
						  &file, NULL);

	if (status == SOP_OK) /* what a failed sync left of the last attempt must not stay */
		status = sopi_file_resize(file, 0, NULL);
	if (status == SOP_OK)
		status = sopi_file_write(file, 0, content, sizeof content, NULL);
	if (status == SOP_OK)
		status = sopi_file_sync(file, NULL);
	sopi_file_close(file);
	if (status == SOP_OK)
		status = sopi_folder_rename(box->folder, "MANIFEST.tmp", "MANIFEST", NULL);
	if (status == SOP_OK)
		status = sopi_folder_sync(box->folder, "", NULL);
	return status;
}

static void read_manifest(struct wal_box *box)
{
	uint64_t content[4] = { 0 };
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;
	size_t got = 0;

	TEST_OK(sopi_folder_open_file(box->folder, "MANIFEST", SOPI_FILE_READ, &file, &err), err);
	TEST_OK(sopi_file_read(file, 0, content, sizeof content, &got, &err), err);
	assert_int_equal(got, sizeof content);
	sopi_file_close(file);
	box->options.checkpoint = content[0];
	box->options.first_segment = content[1];
	box->options.known = (struct sopi_wal_point){ content[2], (uint32_t)content[3] };
}

/* ---- recovery ---- */

/* What a recovery found behind the checkpoint. */
struct recovered {
	struct entry entries[ENTRIES_MAX]; /* number: a checksum of the bytes */
	size_t count;
};

static uint64_t sum_of(const void *data, size_t size)
{
	uint64_t sum = size;

	for (size_t i = 0; i < size; i++)
		sum = sum * 1099511628211u + ((const uint8_t *)data)[i];
	return sum;
}

static sop_status note_entry(void *arg, uint64_t position, const struct sopi_log_entry *entry,
			     sop_error *err)
{
	struct recovered *recovered = arg;

	(void)err;
	if (recovered->count == ENTRIES_MAX)
		return SOP_LIMIT;
	recovered->entries[recovered->count++] =
		(struct entry){ position, sum_of(entry->payload.data, entry->payload.size) };
	return SOP_OK;
}

/* Opens as a backend does: read the manifest, the chain, write the manifest again, resume, replay. */
static sop_status recover(struct wal_box *box, struct recovered *recovered, sop_error *err)
{
	sop_status status;

	recovered->count = 0;
	read_manifest(box);
	status = sopi_wal_open(&box->options, &box->log, err);
	if (status != SOP_OK)
		return status;
	status = write_manifest(box, box->options.checkpoint, box->options.first_segment,
				box->options.known);
	if (status == SOP_OK)
		status = sopi_wal_resume(box->log, sopi_wal_epoch(box->log) + 1, err);
	if (status == SOP_OK)
		status = sopi_wal_replay(box->log, box->options.checkpoint, note_entry, recovered, err);
	return status;
}

static size_t count_below(const struct history *history, uint64_t position)
{
	size_t count = 0;

	while (count < history->count && history->entries[count].position <= position)
		count++;
	return count;
}

static uint64_t sum_of_number(uint64_t number)
{
	uint8_t payload[PAYLOAD_MAX];

	return sum_of(payload, wal_box_payload(number, PAYLOAD_MAX, payload));
}

/* Is it the history up to some entry, behind the checkpoint, with at least `least` entries in all? */
static const char *compare(const struct history *history, const struct recovered *recovered,
			   uint64_t checkpoint, size_t least)
{
	const size_t before = count_below(history, checkpoint);

	if (before + recovered->count > history->count)
		return "more than was submitted";
	if (before + recovered->count < least)
		return "something acknowledged is lost";
	for (size_t i = 0; i < recovered->count; i++) {
		const struct entry *expected = &history->entries[before + i];

		if (recovered->entries[i].position != expected->position)
			return "a position is wrong";
		if (recovered->entries[i].number != sum_of_number(expected->number))
			return "the bytes of a transaction are wrong";
	}
	return NULL;
}

/* ---- the run ---- */

static void mark(struct world *world)
{
	sopi_sim_trace_mark(world->disk, (int64_t)(world->life << 32 | world->acknowledged));
}

static void acknowledge(struct world *world, uint64_t position)
{
	const size_t count = count_below(history_of(world), position);

	if (count > world->acknowledged)
		world->acknowledged = count;
	mark(world);
}

/* 0: the log has failed. */
static uint64_t submit(struct world *world)
{
	uint8_t payload[PAYLOAD_MAX];
	const uint64_t number = world->next_number++;
	const size_t size = wal_box_payload(number, PAYLOAD_MAX, payload);
	sop_status status;
	const uint64_t position = wal_box_submit(&world->box, payload, size, &status);

	if (position != 0)
		add(history_of(world), position, number);
	return position;
}

static bool commit(struct world *world)
{
	struct sopi_log *log = world->box.log;
	const uint64_t position = submit(world);

	if (position == 0 || log->driver->wait_durable(log, position, NULL) != SOP_OK)
		return false;
	acknowledge(world, position);
	return true;
}

/* A checkpoint at a random durable position. */
static bool checkpoint(struct world *world, struct test_rng *rng)
{
	struct sopi_log *log = world->box.log;
	const size_t durable = count_below(history_of(world), log->driver->durable(log));
	const uint64_t before = world->checkpoint;

	if (durable == 0)
		return true;
	world->checkpoint =
		history_of(world)
			->entries[durable - 1 - test_rng_below(rng, durable < 4 ? durable : 4)]
			.position;
	if (world->checkpoint < before)
		world->checkpoint = before;
	world->first_segment = sopi_wal_segment_of(log, world->checkpoint);
	if (write_manifest(&world->box, world->checkpoint, world->first_segment,
			   sopi_wal_durable_point(log)) != SOP_OK)
		return false;
	sopi_wal_trim(log, world->checkpoint, world->first_segment);
	return true;
}

/* What closing does: a mark, and a manifest that knows the end. */
static bool rest(struct world *world, struct sopi_log *log)
{
	if (sopi_wal_flush(log, true, NULL) != SOP_OK)
		return false;
	acknowledge(world, log->driver->durable(log));
	return write_manifest(&world->box, world->checkpoint, world->first_segment,
			      sopi_wal_durable_point(log)) == SOP_OK;
}

static bool step(struct world *world, struct test_rng *rng)
{
	struct sopi_log *log = world->box.log;

	switch (test_rng_below(rng, 12)) {
	case 0:
		return checkpoint(world, rng);
	case 1:
		sopi_wal_prepare(log);
		return !sopi_wal_has_failed(log);
	case 2:
		return rest(world, log);
	case 3:
	case 4:
		return submit(world) != 0;
	case 5:
	case 6: {
		const uint64_t position = submit(world);

		return position != 0 && log->driver->wait_written(log, position, NULL) == SOP_OK;
	}
	default:
		return commit(world);
	}
}

static void work(struct world *world, struct test_rng *rng, uint64_t steps)
{
	for (uint64_t i = 0; i < steps; i++)
		if (!step(world, rng))
			return; /* a fault has struck */
}

/* What closing does behind its last flush. */
static void settle(struct world *world)
{
	struct wal_box *box = &world->box;
	struct sopi_wal_stats before;
	struct sopi_entry entry;
	char name[40];
	sop_error err = SOP_ERROR_INIT;

	sopi_wal_get_stats(box->log, &before);
	(void)snprintf(name, sizeof name, "log/%016llx.log",
		       (unsigned long long)sopi_wal_segment_of(box->log, UINT64_MAX - 1));
	sopi_wal_settle(box->log, WAL_BOX_SEGMENT_BYTES);
	TEST_OK(sopi_folder_look(box->folder, name, &entry, &err), err);
	world->cut = world->cut || entry.size < before.current_bytes;
}

/* Ends the process without a power cut, closing the log before if `closes`, and opens again on what the page cache shows. */
static void live_on(struct world *world, bool closes)
{
	struct recovered recovered;
	const struct history *old = history_of(world);
	sop_error err = SOP_ERROR_INIT;
	size_t before;

	if (closes && rest(world, world->box.log))
		settle(world);
	sopi_sim_kill(world->box.process);
	wal_box_stop(&world->box);
	wal_box_start(&world->box, world->disk);
	TEST_OK(recover(&world->box, &recovered, &err), err);
	world->checkpoint = world->box.options.checkpoint;
	world->first_segment = world->box.options.first_segment; /* not that of a manifest that could not be written */
	assert_null(compare(old, &recovered, world->checkpoint, world->acknowledged));
	before = count_below(old, world->checkpoint);
	world->life++;
	history_of(world)->count = 0;
	for (size_t i = 0; i < before + recovered.count; i++)
		add(history_of(world), old->entries[i].position, old->entries[i].number);
	world->acknowledged = history_of(world)->count;
	mark(world);
}

static void world_start(struct world *world, size_t direct_bytes)
{
	sop_error err = SOP_ERROR_INIT;

	memset(world, 0, sizeof *world);
	world->disk = sopi_sim_disk_new();
	sopi_sim_disk_set_direct(world->disk, direct_bytes);
	wal_box_start(&world->box, world->disk);
	if (direct_bytes == 0) { /* segments that grow, and a pool that is too small for them */
		world->box.options.segment_bytes_max = 4 * WAL_BOX_SEGMENT_BYTES;
		world->box.options.pool_bytes_max = WAL_BOX_SEGMENT_BYTES;
	}
	wal_box_create(&world->box);
	world->first_segment = 1;
	world->next_number = 1;
	assert_int_equal(write_manifest(&world->box, 0, 1, (struct sopi_wal_point){ 0, 0 }), SOP_OK);
	TEST_OK(sopi_folder_sync(world->box.folder, "", &err), err);
}

static void world_stop(struct world *world)
{
	wal_box_stop(&world->box);
	sopi_sim_disk_free(world->disk);
}

/* ---- crashes ---- */

static bool nest(struct world *outer, struct sopi_sim_disk *disk, const struct history *history,
		 size_t least);

static void wrong(struct world *world, const struct sopi_sim_crash *crash, const char *what)
{
	if (world->caught++ == 0)
		(void)snprintf(world->problem, sizeof world->problem,
			       "crash after %zu steps, keep %d, which %zu, torn at %zu: %.200s",
			       crash->steps, (int)crash->cut.keep, crash->cut.which,
			       crash->cut.tear_bytes, what);
}

/* The recovered log takes commits, and a second opening has all of it. */
static const char *commit_and_open_again(struct wal_box *box, struct recovered *recovered)
{
	const size_t before = recovered->count;
	struct recovered again;
	sop_error err = SOP_ERROR_INIT;
	uint64_t positions[EXTRA];
	uint8_t payload[PAYLOAD_MAX] = { 9 };

	for (size_t i = 0; i < EXTRA; i++) {
		sop_status status;

		positions[i] = wal_box_submit(box, payload, 40 + 1400 * i, &status);
		if (status != SOP_OK ||
		    box->log->driver->wait_durable(box->log, positions[i], NULL) != SOP_OK)
			return "a commit after recovery failed";
	}
	box->log->driver->close(box->log);
	box->log = NULL;
	if (recover(box, &again, &err) != SOP_OK)
		return "the second opening failed";
	if (again.count != before + EXTRA ||
	    memcmp(again.entries, recovered->entries, before * sizeof *again.entries) != 0)
		return "the second opening finds something else";
	for (size_t i = 0; i < EXTRA; i++)
		if (again.entries[before + i].position != positions[i] ||
		    again.entries[before + i].number != sum_of(payload, 40 + 1400 * i))
			return "the second opening finds other commits";
	return NULL;
}

static const char *judge(struct world *world, struct sopi_sim_disk *disk,
			 const struct history *history, size_t least)
{
	static struct recovered recovered;
	static char words[300];
	struct wal_box box;
	sop_error err = SOP_ERROR_INIT;
	const char *problem = NULL;

	(void)world;
	wal_box_start(&box, disk);
	if (recover(&box, &recovered, &err) != SOP_OK) {
		(void)snprintf(words, sizeof words, "recovery: %.200s", err.message);
		problem = words;
	}
	if (problem == NULL)
		problem = compare(history, &recovered, box.options.checkpoint, least);
	if (problem == NULL)
		problem = commit_and_open_again(&box, &recovered);
	wal_box_stop(&box);
	return problem;
}

static bool visit(void *arg, struct sopi_sim_disk *disk, const struct sopi_sim_crash *crash)
{
	struct world *world = arg;
	const struct history *history = &world->lives[crash->mark < 0 ? 0 : crash->mark >> 32];
	const size_t least = crash->mark < 0 ? 0 : (size_t)(crash->mark & 0xFFFFFFFF);
	const char *problem;

	world->states++;
	if (world->nested && world->states % 37 == 0 && !nest(world, disk, history, least))
		wrong(world, crash, "a crash in recovery");
	problem = judge(world, disk, history, least);
	if (problem != NULL)
		wrong(world, crash, problem);
	return world->caught == 0;
}

/* Records the recovery of a crashed disk and two commits, and crashes in that. */
static bool nest(struct world *outer, struct sopi_sim_disk *disk, const struct history *history,
		 size_t least)
{
	static struct world inner;
	static struct recovered recovered;
	struct sopi_sim_trace *trace;
	const struct sopi_sim_plan plan = { .seeds = 1, .seed = outer->states };

	memset(&inner, 0, sizeof inner);
	inner.disk = sopi_sim_disk_copy(disk);
	inner.lives[0] = *history;
	inner.acknowledged = least;
	inner.next_number = 1000000 + outer->states * 10;
	trace = sopi_sim_trace_start(inner.disk);
	mark(&inner);
	wal_box_start(&inner.box, inner.disk);
	if (recover(&inner.box, &recovered, NULL) == SOP_OK) {
		inner.life = 1;
		inner.lives[1] = *history;
		inner.lives[1].count =
			count_below(history, inner.box.options.checkpoint) + recovered.count;
		inner.acknowledged = inner.lives[1].count;
		mark(&inner);
		(void)(commit(&inner) && commit(&inner));
	}
	wal_box_stop(&inner.box);
	sopi_sim_trace_stop(trace);
	(void)sopi_sim_each_crash(trace, &plan, visit, &inner);
	sopi_sim_trace_free(trace);
	sopi_sim_disk_free(inner.disk);
	outer->states += inner.states;
	if (inner.caught != 0)
		(void)fprintf(stderr, "  in recovery: %s\n", inner.problem);
	return inner.caught == 0;
}

/* ---- runs ---- */

/* What is recorded: `before` steps, a fault after `calls` of the calls that change something (below 0: none), then, if it
 * struck or `again` says so, a second life on the same page cache. */
struct plan {
	size_t direct_bytes;
	uint64_t seed;
	uint64_t steps;
	unsigned faulty;
	int64_t calls;
	bool again;
	bool closes; /* the log, before that */
	size_t pairs; /* instead of steps: of commits whose writes are on their way at the same time */
};

/* Two commits, the write of one of which overtakes that of the other. */
struct pair {
	struct world *world;
	sopi_mutex mutex; /* guards the history */
	_Atomic int64_t writes; /* to the log, before the second one */
	_Atomic bool holds; /* the first one is about to write */
	_Atomic bool answered; /* the second one was */
};

enum { POLLS_MAX = 60, POLL_US = 1000, ANSWER_POLLS = 5 };

/* Holds the first write until the second one was made, and some time longer, in which nobody may be answered. */
static void hold_first_write(void *arg, unsigned call, const char *path)
{
	struct pair *pair = arg;
	struct sopi_sim_process *process = pair->world->box.process;

	if (call != SOPI_SIM_WRITE || strncmp(path, "log/", 4) != 0)
		return;
	sopi_sim_watch(process, NULL, NULL);
	atomic_store(&pair->writes, sopi_sim_calls(process, SOPI_SIM_WRITE));
	atomic_store(&pair->holds, true);
	for (int i = 0;
	     i < POLLS_MAX && sopi_sim_calls(process, SOPI_SIM_WRITE) == atomic_load(&pair->writes); i++)
		test_sleep_us(POLL_US);
	for (int i = 0; i < ANSWER_POLLS && !atomic_load(&pair->answered); i++)
		test_sleep_us(POLL_US);
}

/* The first one of a pair whose write is not held, since the log has failed or moves on, lets the other one go, too. */
static void commit_one_of_pair(size_t index, void *arg)
{
	struct pair *pair = arg;
	struct world *world = pair->world;
	struct sopi_log *log = world->box.log;
	uint64_t position;

	for (int i = 0; index != 0 && i < POLLS_MAX && !atomic_load(&pair->holds); i++)
		test_sleep_us(POLL_US);
	sopi_mutex_lock(&pair->mutex);
	position = submit(world);
	sopi_mutex_unlock(&pair->mutex);
	if (position != 0 && log->driver->wait_durable(log, position, NULL) == SOP_OK) {
		sopi_mutex_lock(&pair->mutex);
		acknowledge(world, position);
		sopi_mutex_unlock(&pair->mutex);
		if (index != 0)
			atomic_store(&pair->answered, true);
	}
	if (index == 0)
		atomic_store(&pair->holds, true);
}

static void commit_pair(struct world *world)
{
	struct pair pair = { .world = world };

	sopi_mutex_init(&pair.mutex);
	sopi_sim_watch(world->box.process, hold_first_write, &pair);
	test_run_threads(2, commit_one_of_pair, &pair);
	sopi_sim_watch(world->box.process, NULL, NULL);
	sopi_mutex_destroy(&pair.mutex);
}

static void record(struct world *world, const struct plan *plan)
{
	struct test_rng rng;

	test_rng_init(&rng, test_seed() + plan->seed, 3);
	if (plan->calls >= 0) {
		const struct sopi_sim_fault fault = {
			.calls = plan->faulty, .after = plan->calls, .for_ever = true, .os_errno = EIO
		};

		sopi_sim_fail(world->box.process, &fault);
	}
	work(world, &rng, plan->steps);
	for (size_t i = 0; i < plan->pairs; i++)
		commit_pair(world);
	if (plan->again) {
		live_on(world, plan->closes);
		work(world, &rng, 8);
	}
}

/* Records a run and visits every crash of it; the world that is left says what was caught. */
static void play(struct world *world, const struct plan *plan, bool nested)
{
	struct sopi_sim_trace *trace;
	const struct sopi_sim_plan crashes = { .seeds = 4, .seed = plan->seed };
	int bug;

	bug = atomic_exchange(&sopi_planted, SOPI_PLANT_NONE); /* the creation is sound */
	world_start(world, plan->direct_bytes);
	atomic_store(&sopi_planted, bug);
	trace = sopi_sim_trace_start(world->disk);
	record(world, plan);
	sopi_sim_trace_stop(trace);
	world->nested = nested;
	(void)sopi_sim_each_crash(trace, &crashes, visit, world);
	sopi_sim_trace_free(trace);
	world_stop(world);
}

/* Returns whether closing has cut a segment. */
static bool must_be_sound(const struct plan *plan, bool nested)
{
	static struct world world;

	play(&world, plan, nested);
	states_in_all += world.states;
	if (world.caught != 0) {
		test_print_replay();
		fail_msg("run %llu (direct %zu, fault %lld): %s", (unsigned long long)plan->seed,
			 plan->direct_bytes, (long long)plan->calls, world.problem);
	}
	return world.cut;
}

static const size_t devices[] = { 512, 0, 4096 };

static void every_crash_keeps_what_was_acknowledged(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < test_scaled(6); seed++)
		must_be_sound(&(struct plan){ .direct_bytes = devices[seed % 3],
					      .seed = seed,
					      .steps = 50,
					      .calls = -1,
					      .again = seed % 2 == 0 },
			      false);
}

static void closing_and_cutting_lose_nothing_acknowledged(void **state)
{
	const uint64_t seeds = 4 + test_scaled(2);
	bool cut = false;

	(void)state;
	for (uint64_t seed = 0; seed < seeds; seed++)
		cut = must_be_sound(&(struct plan){ .seed = 300 + seed,
						    .steps = 40 + 10 * (seed % 4),
						    .calls = -1,
						    .again = true,
						    .closes = true },
				    false) ||
		      cut;
	assert_true(cut);
}

static void crashes_in_recovery_are_recovered_from(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < test_scaled(2); seed++)
		must_be_sound(&(struct plan){ .direct_bytes = devices[seed % 3],
					      .seed = 100 + seed,
					      .steps = 30,
					      .calls = -1 },
			      true);
}

/* After a failed write or sync the page cache shows what the disk does not hold. */
static void failed_writes_and_syncs_lose_nothing_acknowledged(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < test_scaled(15); seed++)
		must_be_sound(&(struct plan){ .direct_bytes = devices[seed % 3],
					      .seed = 200 + seed % 5,
					      .steps = 40,
					      .faulty = SOPI_SIM_WRITE | SOPI_SIM_ANY_SYNC,
					      .calls = (int64_t)seed * 3,
					      .again = true },
			      false);
}

static void a_write_that_overtakes_is_not_acknowledged(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < test_scaled(4); seed++)
		must_be_sound(&(struct plan){ .direct_bytes = seed % 2 == 0 ? 512 : 4096,
					      .seed = 400 + seed,
					      .pairs = 8,
					      .faulty = SOPI_SIM_WRITE,
					      .calls = seed < 2 ? -1 : (int64_t)(seed % 8),
					      .again = true },
			      false);
}

/* ---- threads ---- */

enum { THREADS = 4 };

struct crowd {
	struct world *world;
	sopi_mutex mutex; /* guards the history and what is acknowledged */
};

/* Notes the entry while the commit mutex is held, so that the history is in the order of positions. */
static uint64_t submit_in_crowd(struct crowd *crowd)
{
	static const uint8_t id[16];
	struct world *world = crowd->world;
	struct sopi_log *log = world->box.log;
	uint8_t payload[PAYLOAD_MAX];
	uint64_t position;
	struct sopi_log_entry entry = { .id = id, .payload = { payload, 0 }, .durability = SOPI_FLUSHED };

	if (log->driver->reserve(log, PAYLOAD_MAX, false, NULL) != SOP_OK)
		return 0;
	sopi_mutex_lock(&world->box.mutex);
	entry.payload.size = wal_box_payload(world->next_number, PAYLOAD_MAX, payload);
	position = log->driver->next(log);
	log->driver->submit(log, position, &entry, PAYLOAD_MAX);
	sopi_mutex_lock(&crowd->mutex);
	add(history_of(world), position, world->next_number++);
	sopi_mutex_unlock(&crowd->mutex);
	sopi_mutex_unlock(&world->box.mutex);
	return position;
}

static void commit_in_crowd(size_t index, void *arg)
{
	struct crowd *crowd = arg;
	struct sopi_log *log = crowd->world->box.log;

	for (int i = 0; i < 15; i++) {
		const uint64_t position = submit_in_crowd(crowd);
		const bool durable = (i + index) % 3 != 0;

		if (position == 0 || (durable ? log->driver->wait_durable(log, position, NULL)
					      : log->driver->wait_written(log, position, NULL)) != SOP_OK) {
			test_note_failure("thread %zu: a commit failed", index);
			return;
		}
		sopi_mutex_lock(&crowd->mutex);
		if (durable)
			acknowledge(crowd->world, position);
		sopi_mutex_unlock(&crowd->mutex);
	}
}

static void threads_that_commit_lose_nothing_acknowledged(void **state)
{
	static struct world world;
	struct crowd crowd = { .world = &world };

	(void)state;
	for (uint64_t run = 0; run < test_scaled(3); run++) {
		const struct sopi_sim_plan crashes = { .seeds = 3, .seed = run };
		struct sopi_sim_trace *trace;

		world_start(&world, devices[run % 3]);
		sopi_mutex_init(&crowd.mutex);
		trace = sopi_sim_trace_start(world.disk);
		test_run_threads(THREADS, commit_in_crowd, &crowd);
		sopi_sim_trace_stop(trace);
		TEST_NO_FAILURES();
		(void)sopi_sim_each_crash(trace, &crashes, visit, &world);
		sopi_sim_trace_free(trace);
		sopi_mutex_destroy(&crowd.mutex);
		world_stop(&world);
		states_in_all += world.states;
		if (world.caught != 0)
			fail_msg("threads, device %zu: %s", devices[run % 3], world.problem);
	}
}

/* ---- planted bugs ---- */

enum { CALLS = 12 }; /* that fail in turn, before other seeds are tried */

/* `plan.calls`: the first call that fails; each run lets one more through, then other seeds are tried. */
static void must_be_caught(enum sopi_plant bug, struct plan plan, uint64_t runs)
{
	static struct world world;
	const int64_t from = plan.calls;
	bool caught = false;

	atomic_store(&sopi_planted, (int)bug);
	for (uint64_t run = 0; run < runs && !caught; run++) {
		plan.direct_bytes = devices[(uint64_t)(from + (int64_t)run) % 3];
		plan.calls = plan.again ? from + (int64_t)(run % CALLS) : -1;
		plan.seed = (uint64_t)(from + (int64_t)run + (int64_t)(run / CALLS)) % 7;
		play(&world, &plan, false);
		states_in_all += world.states;
		caught = world.caught != 0;
	}
	atomic_store(&sopi_planted, SOPI_PLANT_NONE);
	if (!caught)
		fail_msg("bug %d was not caught in %llu runs", (int)bug, (unsigned long long)runs);
	(void)fprintf(stderr, "  caught in run %llu, fault %lld: %s\n",
		      (unsigned long long)plan.seed, (long long)plan.calls, world.problem);
	must_be_sound(&plan, false); /* the same run without the bug */
}

static const struct plan plain = { .steps = 40 };
static const struct plan faulty = { .steps = 40,
				    .faulty = SOPI_SIM_WRITE | SOPI_SIM_ANY_SYNC,
				    .again = true };

static void a_group_that_is_not_flushed_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_LOG_NO_FLUSH, plain, 9);
}

static void an_answer_that_overtakes_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_LOG_NO_ORDER, (struct plan){ .pairs = 4 }, 3);
}

static void a_name_that_is_not_durable_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_LOG_NO_FOLDER_SYNC, plain, 9);
}

static void a_successor_that_is_not_flushed_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_LOG_NO_SUCCESSOR_FLUSH, plain, 9);
}

static void a_manifest_that_knows_more_than_is_durable_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_LOG_POINT_WRITTEN, plain, 9);
}

static void a_tail_that_is_not_written_again_is_caught(void **state)
{
	(void)state;
	must_be_caught(SOPI_PLANT_LOG_NO_TAIL_REWRITE, faulty, 90);
}

static void a_successor_that_is_not_written_again_is_caught(void **state)
{
	struct plan plan = faulty;

	(void)state;
	plan.calls = 40; /* about where the first segment ends */
	must_be_caught(SOPI_PLANT_LOG_NO_SUCCESSOR_REWRITE, plan, 84);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_crash_keeps_what_was_acknowledged),
		cmocka_unit_test(closing_and_cutting_lose_nothing_acknowledged),
		cmocka_unit_test(crashes_in_recovery_are_recovered_from),
		cmocka_unit_test(failed_writes_and_syncs_lose_nothing_acknowledged),
		cmocka_unit_test(a_write_that_overtakes_is_not_acknowledged),
		cmocka_unit_test(threads_that_commit_lose_nothing_acknowledged),
		cmocka_unit_test(a_group_that_is_not_flushed_is_caught),
		cmocka_unit_test(an_answer_that_overtakes_is_caught),
		cmocka_unit_test(a_name_that_is_not_durable_is_caught),
		cmocka_unit_test(a_successor_that_is_not_flushed_is_caught),
		cmocka_unit_test(a_manifest_that_knows_more_than_is_durable_is_caught),
		cmocka_unit_test(a_tail_that_is_not_written_again_is_caught),
		cmocka_unit_test(a_successor_that_is_not_written_again_is_caught),
	};
	int failed;

	test_begin(argc, argv);
	failed = cmocka_run_group_tests_name("log_wal_crash", tests, NULL, NULL);
	(void)fprintf(stderr, "%zu crash states were visited\n", states_in_all);
	return failed;
}
