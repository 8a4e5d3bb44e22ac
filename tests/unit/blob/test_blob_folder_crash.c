/* Packs and power cuts: what finish or sync has said to be durable is there in every state in which a crash may leave
 * the disk, and a harness that is to say so finds each sync that is left out. */
#include "pack_box.h"

#include "base/plant.h"
#include "platform/thread.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { THINGS_MAX = 64, PACKS_MAX = 8, CROWD = 40, SEEDS = 4 };

/* What was acknowledged, in order: the mark of a crash says how many. */
struct record {
	struct box box;
	sopi_mutex mutex; /* guards what follows */
	struct thing acknowledged[THINGS_MAX];
	size_t count;
	uint8_t kinds[PACKS_MAX + 1]; /* of the packs, by id */
};

static void acknowledge(struct record *record, const struct thing *things, size_t count)
{
	sopi_mutex_lock(&record->mutex);
	for (size_t i = 0; i < count; i++)
		record->acknowledged[record->count++] = things[i];
	sopi_sim_trace_mark(record->box.disk, (int64_t)record->count);
	sopi_mutex_unlock(&record->mutex);
}

static struct sopi_pack *begin(struct record *record, enum sopi_pack_kind kind, uint64_t bytes)
{
	struct sopi_pack *pack = NULL;

	TEST_OK(sopi_pack_begin(record->box.packs, kind, bytes, &pack, &record->box.err),
		record->box.err);
	record->kinds[sopi_pack_id(pack)] = (uint8_t)kind;
	return pack;
}

static void put(struct record *record, struct sopi_pack *pack, struct thing *thing, uint64_t key,
		size_t size)
{
	*thing = (struct thing){ .key = key,
				 .size = size,
				 .node = record->kinds[sopi_pack_id(pack)] == SOPI_PACK_NODES };
	TEST_OK(box_put(pack, thing, &record->box.err), record->box.err);
}

/* Every way in which something becomes durable. */
static void play(struct record *record)
{
	struct sopi_pack *values = begin(record, SOPI_PACK_VALUES, 0);
	struct sopi_pack *nodes = begin(record, SOPI_PACK_NODES, 9000);
	struct sopi_pack *value;
	struct thing crowd[CROWD];
	struct thing things[4];

	put(record, values, &things[0], 1, 700);
	TEST_OK(sopi_pack_sync(values, &record->box.err), record->box.err);
	acknowledge(record, things, 1);
	put(record, nodes, &things[0], 2, 300);
	put(record, nodes, &things[1], 3, 1500);
	TEST_OK(sopi_pack_finish(nodes, &record->box.err), record->box.err);
	acknowledge(record, things, 2);
	put(record, values, &things[0], 4, 20);
	put(record, values, &things[1], 5, 1200);
	TEST_OK(sopi_pack_sync(values, &record->box.err), record->box.err);
	acknowledge(record, things, 2);
	value = begin(record, SOPI_PACK_VALUE, 0);
	put(record, value, &things[0], 6, 2500);
	TEST_OK(sopi_pack_finish(value, &record->box.err), record->box.err);
	acknowledge(record, things, 1);
	for (uint64_t key = 10; key < 10 + CROWD; key++) { /* so that the index is torn, too */
		put(record, values, &crowd[key - 10], key, 0);
	}
	TEST_OK(sopi_pack_sync(values, &record->box.err), record->box.err);
	acknowledge(record, crowd, CROWD);
	put(record, values, &things[0], 7, 5000);
	TEST_OK(sopi_pack_finish(values, &record->box.err), record->box.err);
	acknowledge(record, things, 1);
}

/* ---- after the crash -------------------------------------------------------------------------- */

struct verdict {
	const struct record *record;
	size_t lost; /* acknowledged, but not there */
	size_t problems; /* that verify tells of */
};

static bool note_problem(void *arg, const char *file, int64_t offset, const char *kind, const char *message)
{
	size_t *count = arg;

	(void)file;
	(void)offset;
	(void)kind;
	(void)message;
	++*count;
	return true;
}

/* Adopts the packs as manifest and log name them: as far as they were acknowledged. */
static bool adopt_all(struct box *box, const struct record *record, size_t count, struct verdict *verdict)
{
	bool whole = true;

	for (size_t i = 0; i < count; i++) {
		const struct sopi_place *place = &record->acknowledged[i].place;
		const struct sopi_pack_entry entry = { place->pack, record->kinds[place->pack],
						       place->offset + place->length - 32, 0, false };

		if (sopi_packs_adopt(box->packs, &entry, &box->err) != SOP_OK) {
			verdict->lost++;
			whole = false;
		}
	}
	return whole;
}

static void verify_all(struct box *box, const struct record *record, size_t count, struct verdict *verdict)
{
	for (size_t i = 0; i < count; i++)
		TEST_OK(sopi_packs_verify(box->packs, record->acknowledged[i].place.pack,
					  note_problem, NULL, &verdict->problems, &box->err),
			box->err);
}

static bool look_at_crash(void *arg, struct sopi_sim_disk *disk, const struct sopi_sim_crash *crash)
{
	struct verdict *verdict = arg;
	const struct record *record = verdict->record;
	const size_t count = crash->mark < 0 ? 0 : (size_t)crash->mark;
	struct box box;

	box_start(&box, disk);
	box_reopen(&box, NULL, 0);
	if (adopt_all(&box, record, count, verdict)) {
		TEST_OK(sopi_packs_sweep(box.packs, NULL, NULL, &box.err), box.err);
		for (size_t i = 0; i < count; i++) {
			if (box_look(box.packs, &record->acknowledged[i], &box.err) != SOP_OK)
				verdict->lost++;
		}
		verify_all(&box, record, count, verdict);
	}
	box_stop(&box);
	return true;
}

static struct sopi_sim_trace *begin_record(struct record *record)
{
	memset(record, 0, sizeof *record);
	sopi_mutex_init(&record->mutex);
	box_open_sim(&record->box);
	return sopi_sim_trace_start(record->box.disk);
}

/* Visits the crashes and ends the record. */
static struct verdict judge(struct record *record, struct sopi_sim_trace *trace, size_t seeds,
			    size_t *visited)
{
	const struct sopi_sim_plan plan = { .seeds = seeds, .seed = test_seed() };
	struct verdict verdict = { .record = record };

	sopi_sim_trace_stop(trace);
	*visited = sopi_sim_each_crash(trace, &plan, look_at_crash, &verdict);
	sopi_sim_trace_free(trace);
	sopi_mutex_destroy(&record->mutex);
	box_close(&record->box);
	return verdict;
}

static struct verdict play_and_judge(size_t *visited)
{
	struct record record;
	struct sopi_sim_trace *trace = begin_record(&record);

	play(&record);
	return judge(&record, trace, SEEDS, visited);
}

static void what_was_said_to_be_durable_is_there_after_every_crash(void **state)
{
	size_t visited = 0;
	const struct verdict verdict = play_and_judge(&visited);

	(void)state;
	assert_true(visited > 500);
	assert_int_equal(verdict.lost, 0);
	assert_int_equal(verdict.problems, 0);
}

/* With these sizes a sector ends in each byte of frame, index and footer. */
enum { STRADDLE_FIRST = 270, STRADDLE_END = 470, STRADDLE_SEEDS = 40 };

/* Would fail if a torn footer passed for one of another format, or a torn index for damage. */
static void a_crash_in_finish_is_harmless_wherever_a_sector_ends(void **state)
{
	(void)state;
	for (size_t size = STRADDLE_FIRST; size < STRADDLE_END; size++) {
		struct record record;
		struct sopi_sim_trace *trace = begin_record(&record);
		struct sopi_pack *values = begin(&record, SOPI_PACK_VALUES, 0);
		struct verdict verdict;
		struct thing thing;
		size_t visited;

		put(&record, values, &thing, 1, size);
		TEST_OK(sopi_pack_sync(values, &record.box.err), record.box.err);
		acknowledge(&record, &thing, 1);
		put(&record, values, &thing, 2, 1);
		TEST_OK(sopi_pack_finish(values, &record.box.err), record.box.err);
		verdict = judge(&record, trace, STRADDLE_SEEDS, &visited);
		assert_int_equal(verdict.lost, 0);
		assert_int_equal(verdict.problems, 0);
	}
}

static void a_sync_that_is_left_out_is_caught(void **state)
{
	static const enum sopi_plant plants[] = { SOPI_PLANT_PACK_NO_SYNC, SOPI_PLANT_PACK_NO_FOLDER_SYNC,
						  SOPI_PLANT_PACK_NO_PARENT_SYNC };

	(void)state;
	for (size_t i = 0; i < sizeof plants / sizeof plants[0]; i++) {
		size_t visited = 0;
		struct verdict verdict;

		sopi_planted = (int)plants[i];
		verdict = play_and_judge(&visited);
		sopi_planted = SOPI_PLANT_NONE;
		assert_true(verdict.lost > 0);
	}
}

/* ---- many writers ----------------------------------------------------------------------------- */

enum { WRITERS = 4, WRITES = 4, ROUNDS_MAX = 400 };

struct writers {
	struct record *record;
	struct sopi_pack *pack;
};

static void append_and_sync(size_t index, void *arg)
{
	struct writers *writers = arg;

	for (size_t i = 0; i < WRITES; i++) {
		struct thing thing = { .key = index * WRITES + i + 1, .size = 5000 * (index % 2) };
		sop_error err = SOP_ERROR_INIT;

		if (box_put(writers->pack, &thing, &err) != SOP_OK ||
		    sopi_pack_sync(writers->pack, &err) != SOP_OK)
			test_note_failure("%s", err.message);
		acknowledge(writers->record, &thing, 1);
	}
}

static struct verdict write_together(size_t *visited)
{
	struct record record;
	struct sopi_sim_trace *trace = begin_record(&record);
	struct writers writers = { &record, begin(&record, SOPI_PACK_VALUES, 0) };

	test_run_threads(WRITERS, append_and_sync, &writers);
	TEST_OK(sopi_pack_finish(writers.pack, &record.box.err), record.box.err);
	return judge(&record, trace, SEEDS, visited);
}

static void a_shared_sync_keeps_what_each_of_its_threads_has_written(void **state)
{
	(void)state;
	for (uint64_t round = 0; round < test_scaled(8); round++) {
		size_t visited = 0;
		const struct verdict verdict = write_together(&visited);

		assert_int_equal(verdict.lost, 0);
		assert_int_equal(verdict.problems, 0);
	}
	TEST_NO_FAILURES();
}

static void a_sync_that_does_not_wait_for_writes_is_caught(void **state)
{
	size_t caught = 0;

	(void)state;
	sopi_planted = SOPI_PLANT_PACK_NO_DRAIN;
	for (size_t round = 0; round < ROUNDS_MAX && caught == 0; round++) {
		size_t visited = 0;
		const struct verdict verdict = write_together(&visited);

		caught = verdict.lost + verdict.problems;
	}
	sopi_planted = SOPI_PLANT_NONE;
	assert_int_not_equal(caught, 0);
}

/* ---- failed syncs ----------------------------------------------------------------------------- */

/* Syncs twice, the first of which fails; is the thing lost though the second one said OK? */
static bool a_second_sync_lies(unsigned calls)
{
	const struct sopi_sim_fault fault = { .calls = calls, .os_errno = EIO };
	const struct sopi_sim_cut cut = { .keep = SOPI_SIM_KEEP_NONE };
	struct record record;
	struct sopi_sim_trace *trace = begin_record(&record);
	struct sopi_pack *pack = begin(&record, SOPI_PACK_VALUES, 0);
	struct verdict verdict = { .record = &record };
	const struct sopi_sim_crash crash = { .mark = 1 };
	bool lies = false;

	sopi_sim_trace_stop(trace);
	sopi_sim_trace_free(trace);
	put(&record, pack, &record.acknowledged[0], 1, 700);
	sopi_sim_fail(record.box.process, &fault);
	TEST_STATUS(sopi_pack_sync(pack, &record.box.err), SOP_IO, record.box.err);
	if (sopi_pack_sync(pack, &record.box.err) == SOP_OK) {
		struct sopi_sim_disk *disk = sopi_sim_disk_copy(record.box.disk);

		sopi_sim_power_cut(disk, &cut);
		(void)look_at_crash(&verdict, disk, &crash);
		sopi_sim_disk_free(disk);
		lies = verdict.lost != 0;
	}
	sopi_pack_abandon(pack);
	sopi_mutex_destroy(&record.mutex);
	box_close(&record.box);
	return lies;
}

static void a_failed_sync_is_never_repeated(void **state)
{
	(void)state;
	assert_false(a_second_sync_lies(SOPI_SIM_SYNC_DATA));
	assert_false(a_second_sync_lies(SOPI_SIM_SYNC_FOLDER));
	sopi_planted = SOPI_PLANT_PACK_SYNC_AGAIN;
	assert_true(a_second_sync_lies(SOPI_SIM_SYNC_DATA));
	sopi_planted = SOPI_PLANT_NONE;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_said_to_be_durable_is_there_after_every_crash),
		cmocka_unit_test(a_crash_in_finish_is_harmless_wherever_a_sector_ends),
		cmocka_unit_test(a_sync_that_is_left_out_is_caught),
		cmocka_unit_test(a_shared_sync_keeps_what_each_of_its_threads_has_written),
		cmocka_unit_test(a_sync_that_does_not_wait_for_writes_is_caught),
		cmocka_unit_test(a_failed_sync_is_never_repeated),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
