/* The registry with failing calls, full disks, no memory, damaged files and power cuts: what was there stays there, a
 * wrong answer is never given, and nothing is left behind. */
#include "unit/registry/box.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/plant.h"
#include "registry/registry_map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STAGES = 5 }; /* checkpoints of a story; number 0 is the beginning */

/* What a database goes through: the table after each checkpoint, and the changes that lead there. */
struct story {
	struct table tables[STAGES];
	struct sopi_registry_entry changes[STAGES][BOX_KEYS];
	size_t counts[STAGES];
};

static struct story *story;

static int make_story(void **state)
{
	static const size_t sizes[STAGES] = { 300, 20, 20, 200, 10 }; /* fold, run, run, fold, run */
	struct test_rng rng;

	(void)state;
	story = test_alloc(sizeof *story);
	test_rng_init(&rng, test_seed(), 7);
	table_clear(&story->tables[0]);
	for (size_t i = 0; i < STAGES; i++) {
		if (i > 0)
			story->tables[i] = story->tables[i - 1];
		story->counts[i] = table_change(&story->tables[i], &rng, sizes[i], i == 0 ? 0 : 30,
						story->changes[i]);
	}
	return 0;
}

static int free_story(void **state)
{
	(void)state;
	free(story);
	return 0;
}

/* One checkpoint: write, manifest, switch, clean; or all taken back. */
static sop_status checkpoint(struct box *box, size_t stage, bool *indefinite, sop_error *err)
{
	struct sopi_registry_view next;
	struct sopi_manifest manifest;
	sop_status status = SOP_OK;

	*indefinite = false;
	SOP_TRY(sopi_registry_write(box->registry, stage + 1, story->changes[stage],
				    story->counts[stage], false, &next, err));
	box_manifest(box, &next, stage + 1, &manifest);
	status = sopi_manifest_write(box->folder, &manifest, indefinite, err);
	if (status != SOP_OK) {
		if (!*indefinite)
			sopi_registry_give_up(box->registry, false);
		return status;
	}
	box->view = next;
	sopi_registry_switch(box->registry);
	sopi_registry_clean(box->registry);
	return SOP_OK;
}

/* Reads the manifest and opens the registry that it names. */
static sop_status recover(struct box *box, uint64_t *stage, sop_error *err)
{
	struct sopi_manifest manifest;

	SOP_TRY(sopi_manifest_read(box->folder, "MANIFEST", &manifest, err));
	box->view = manifest.registry;
	*stage = manifest.checkpoint - 1;
	sopi_manifest_free(&manifest);
	return box_open(box, err);
}

/* A disk on which the first `stages` checkpoints are done. */
static struct sopi_sim_disk *disk_after(size_t stages)
{
	sop_error err = SOP_ERROR_INIT;
	struct box box = { 0 };
	bool indefinite = false;

	box_start(&box, NULL);
	TEST_OK(box_open(&box, &err), err);
	for (size_t i = 0; i < stages; i++)
		TEST_OK(checkpoint(&box, i, &indefinite, &err), err);
	box_stop(&box);
	return box.disk;
}

/* ---- calls that fail */

/* What came of a story with a fault in it. */
struct outcome {
	sop_status status;
	uint64_t stage; /* that is certain */
	bool indefinite; /* it may also be the next one */
};

/* Goes on from where the disk is to the end of the story, or to the first failure, after which look-ups go on. */
static struct outcome go_on(struct box *box, sop_error *err)
{
	struct outcome outcome = { SOP_OK, 0, false };
	uint64_t stage = 0;

	outcome.status = recover(box, &stage, err);
	if (outcome.status == SOP_OK)
		outcome.status = sopi_registry_sweep(box->registry, NULL, NULL, err);
	while (outcome.status == SOP_OK && stage + 1 < STAGES) {
		outcome.status = checkpoint(box, stage + 1, &outcome.indefinite, err);
		stage += outcome.status == SOP_OK;
	}
	outcome.stage = stage;
	return outcome;
}

/* Everything is as the outcome says, whether it goes on or is opened again. */
static void check_outcome(struct box *box, const struct outcome *outcome, bool left_nothing,
			  const char *when)
{
	sop_error err = SOP_ERROR_INIT;
	uint64_t stage = 0;

	if (box->registry != NULL && outcome->status != SOP_NO_MEMORY)
		box_agrees(box, &story->tables[outcome->stage], SOP_OK, when);
	box_close(box);
	TEST_OK(recover(box, &stage, &err), err);
	if (stage != outcome->stage && !(outcome->indefinite && stage == outcome->stage + 1))
		test_note_failure("%s: at stage %u instead of %u", when, (unsigned)stage,
				  (unsigned)outcome->stage);
	if (left_nothing && box_files(box, "reg") != box->view.segment_count + box->view.run_count)
		test_note_failure("%s: files are left behind", when);
	TEST_OK(sopi_registry_sweep(box->registry, NULL, NULL, &err), err);
	if (box_files(box, "reg") != box->view.segment_count + box->view.run_count)
		test_note_failure("%s: files are left after the sweep", when);
	box_agrees_wholly(box, &story->tables[stage], when);
}

static void fail_everywhere(unsigned calls, int os_errno, bool for_ever, sop_status expected)
{
	struct sopi_sim_disk *start = disk_after(1);
	bool finished = false;
	int64_t after = 0;

	for (; !finished && test_failures() == 0; after++) {
		struct sopi_sim_fault fault = { .calls = calls, .os_errno = os_errno };
		struct box box = { 0 };
		struct outcome outcome;
		sop_error err = SOP_ERROR_INIT;
		char when[80];

		(void)snprintf(when, sizeof when, "call %lld fails with %d %s", (long long)after,
			       os_errno, for_ever ? "for ever" : "once");
		box_start(&box, sopi_sim_disk_copy(start));
		fault.after = after;
		fault.for_ever = for_ever;
		sopi_sim_fail(box.process, &fault);
		outcome = go_on(&box, &err);
		finished = sopi_sim_calls(box.process, calls) <= after;
		sopi_sim_fail(box.process, NULL);
		if (outcome.status != SOP_OK && outcome.status != expected)
			test_note_failure("%s: %s: %s", when, sop_status_name(outcome.status),
					  err.message);
		if (outcome.status != SOP_OK && err.message[0] == '\0')
			test_note_failure("%s: no message", when);
		if (outcome.status == SOP_OK && outcome.stage + 1 != STAGES)
			test_note_failure("%s: not finished", when);
		check_outcome(&box, &outcome, false, when);
		box_free(&box);
	}
	sopi_sim_disk_free(start);
	TEST_NO_FAILURES();
	assert_true(after > 5); /* places where it failed */
}

static void every_failing_call_leaves_the_old_or_the_new(void **state)
{
	(void)state;
	fail_everywhere(SOPI_SIM_ANY, EIO, false, SOP_IO);
	fail_everywhere(SOPI_SIM_ANY, EIO, true, SOP_IO);
	fail_everywhere(SOPI_SIM_WRITE | SOPI_SIM_OPEN_FILE, ENOSPC, false, SOP_NO_SPACE);
	fail_everywhere(SOPI_SIM_OPEN_FILE, EMFILE, false, SOP_NO_MEMORY);
}

static void a_failed_sync_is_never_repeated(void **state)
{
	static const unsigned kinds[] = { SOPI_SIM_SYNC, SOPI_SIM_SYNC_FOLDER };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sopi_sim_fault fault = { .calls = kinds[i], .path = "reg", .os_errno = EIO };
		struct sopi_registry_view next;
		struct box box = { 0 };
		sop_error err = SOP_ERROR_INIT;
		uint64_t stage = 0;

		box_start(&box, disk_after(1));
		TEST_OK(recover(&box, &stage, &err), err);
		sopi_sim_fail(box.process, &fault);
		TEST_STATUS(sopi_registry_write(box.registry, 2, story->changes[1],
						story->counts[1], false, &next, &err),
			    SOP_IO, err);
		TEST_STATUS(sopi_registry_write(box.registry, 2, story->changes[1],
						story->counts[1], false, &next, &err),
			    SOP_FAILED, err);
		assert_int_equal(sopi_sim_calls(box.process, SOPI_SIM_ANY_SYNC), i + 1);
		assert_int_equal(box_files(&box, "reg"), box.view.segment_count + box.view.run_count);
		box_agrees_wholly(&box, &story->tables[0], "after a failed sync");
		box_close(&box);
		TEST_OK(recover(&box, &stage, &err), err);
		TEST_OK(sopi_registry_write(box.registry, 2, story->changes[1], story->counts[1],
					    false, &next, &err),
			err);
		box_free(&box);
	}
	TEST_NO_FAILURES();
}

static void a_full_disk_leaves_what_was_there(void **state)
{
	struct sopi_sim_disk *start = disk_after(1);
	const uint64_t used = sopi_sim_disk_used_bytes(start);
	bool finished = false;

	(void)state;
	for (uint64_t room = 0; !finished && test_failures() == 0; room += room < 65536 ? 4096 : 65536) {
		struct box box = { 0 };
		struct outcome outcome;
		sop_error err = SOP_ERROR_INIT;
		char when[40];

		(void)snprintf(when, sizeof when, "%llu bytes are free", (unsigned long long)room);
		box_start(&box, sopi_sim_disk_copy(start));
		sopi_sim_disk_set_quota(box.disk, used + room);
		outcome = go_on(&box, &err);
		finished = outcome.status == SOP_OK;
		if (!finished && outcome.status != SOP_NO_SPACE)
			test_note_failure("%s: %s: %s", when, sop_status_name(outcome.status),
					  err.message);
		if (outcome.indefinite)
			test_note_failure("%s: indefinite", when);
		check_outcome(&box, &outcome, true, when);
		box_free(&box);
	}
	sopi_sim_disk_free(start);
	TEST_NO_FAILURES();
}

static void no_memory_at_any_place_loses_nothing(void **state)
{
	struct sopi_sim_disk *start = disk_after(1);
	const int64_t live = sopi_alloc_live_count();
	bool finished = false;

	(void)state;
	for (int64_t after = 0; !finished && test_failures() == 0; after++) {
		for (int for_ever = 0; for_ever < 2; for_ever++) {
			struct box box = { 0 };
			struct outcome outcome;
			sop_error err = SOP_ERROR_INIT;
			char when[40];

			(void)snprintf(when, sizeof when, "allocation %lld fails", (long long)after);
			box.cache_bytes = BOX_CACHE_BYTES;
			box_start(&box, sopi_sim_disk_copy(start));
			sopi_alloc_fail_after(after, for_ever == 1);
			outcome = go_on(&box, &err);
			finished = sopi_alloc_asked() <= after;
			if (box.registry != NULL)
				box_agrees(&box, &story->tables[outcome.stage], SOP_NO_MEMORY, when);
			sopi_alloc_fail_after(-1, false);
			if (outcome.status != SOP_OK && outcome.status != SOP_NO_MEMORY)
				test_note_failure("%s: %s: %s", when,
						  sop_status_name(outcome.status), err.message);
			check_outcome(&box, &outcome, true, when);
			box_free(&box);
		}
	}
	sopi_sim_disk_free(start);
	assert_int_equal(sopi_alloc_live_count(), live);
	TEST_NO_FAILURES();
}

/* ---- damage */

/* The file of which a test is about to change something. */
struct victim {
	struct box box;
	struct sopi_file *file;
	const char *path;
	uint64_t size;
};

static void victim_open(struct victim *victim, const char *path)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_open_file(victim->box.folder, path, SOPI_FILE_READ | SOPI_FILE_WRITE,
				      &victim->file, &err),
		err);
	TEST_OK(sopi_file_size(victim->file, &victim->size, &err), err);
	victim->path = path;
}

static void victim_read(struct victim *victim, uint64_t offset, void *to, size_t size)
{
	sop_error err = SOP_ERROR_INIT;
	size_t got = 0;

	TEST_OK(sopi_file_read(victim->file, offset, to, size, &got, &err), err);
	assert_int_equal(got, size);
}

static void victim_write(struct victim *victim, uint64_t offset, const void *from, size_t size)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_file_write(victim->file, offset, from, size, &err), err);
}

static void victim_flip(struct victim *victim, uint64_t offset, uint8_t mask)
{
	uint8_t byte = 0;

	victim_read(victim, offset, &byte, 1);
	byte ^= mask;
	victim_write(victim, offset, &byte, 1);
}

/* `status` must be CORRUPT and name the file. */
static void must_be_corrupt(const struct victim *victim, sop_status status, const sop_error *err,
			    const char *what, uint64_t offset)
{
	if (status != SOP_CORRUPT || strcmp(err->file, victim->path) != 0)
		test_note_failure("%s at %llu of %s: %s %s: %s", what, (unsigned long long)offset,
				  victim->path, sop_status_name(status), err->file, err->message);
}

static bool count_problem(void *arg, const char *file, int64_t offset, const char *kind, const char *message)
{
	struct victim *victim = arg;

	(void)offset;
	if (strcmp(file, victim->path) != 0 || message[0] == '\0' || strcmp(kind, "corrupt") != 0)
		test_note_failure("verify: %s instead of %s, %s: %s", file, victim->path, kind, message);
	return true;
}

static bool count_any_problem(void *arg, const char *file, int64_t offset, const char *kind,
			      const char *message)
{
	(void)file;
	(void)offset;
	(void)kind;
	(void)message;
	++*(size_t *)arg;
	return true;
}

/* verify of the open registry finds something, in the damaged file only. */
static void verify_must_find(struct victim *victim)
{
	sop_error err = SOP_ERROR_INIT;
	size_t problems = 0;

	TEST_OK(sopi_registry_verify(victim->box.registry, count_any_problem, &problems, &err), err);
	if (problems == 0)
		test_note_failure("verify: finds nothing in %s", victim->path);
	TEST_OK(sopi_registry_verify(victim->box.registry, count_problem, victim, &err), err);
}

/* A disk with a map of one segment and two runs, whose names `segment` and `run` receive. */
static void victim_start(struct victim *victim, char segment[64], char run[64])
{
	sop_error err = SOP_ERROR_INIT;
	uint64_t stage = 0;

	memset(victim, 0, sizeof *victim);
	box_start(&victim->box, disk_after(3));
	TEST_OK(recover(&victim->box, &stage, &err), err);
	assert_int_equal(victim->box.view.segment_count, 1);
	assert_int_equal(victim->box.view.run_count, 2);
	(void)snprintf(segment, 64, "reg/%016llx-00000000.seg",
		       (unsigned long long)victim->box.view.generation);
	(void)snprintf(run, 64, "reg/%016llx.run", (unsigned long long)victim->box.view.runs[1]);
}

static void victim_stop(struct victim *victim)
{
	sopi_file_close(victim->file);
	box_free(&victim->box);
}

static void open_must_fail(struct victim *victim, const char *what, uint64_t offset)
{
	sop_error err = SOP_ERROR_INIT;
	const sop_status status = box_open(&victim->box, &err);

	must_be_corrupt(victim, status, &err, what, offset);
	box_close(&victim->box);
}

static void every_flipped_byte_of_a_run_is_noticed(void **state)
{
	struct victim victim;
	char segment[64];
	char run[64];

	(void)state;
	victim_start(&victim, segment, run);
	victim_open(&victim, run);
	for (uint64_t i = 0; i < victim.size && test_failures() == 0; i++) {
		victim_flip(&victim, i, (uint8_t)(1u << i % 8));
		if (i % 50 == 0)
			verify_must_find(&victim);
		box_close(&victim.box);
		open_must_fail(&victim, "flip", i);
		victim_flip(&victim, i, (uint8_t)(1u << i % 8));
		if (i % 50 == 49) {
			sop_error err = SOP_ERROR_INIT;

			TEST_OK(box_open(&victim.box, &err), err);
		}
	}
	victim_stop(&victim);
	TEST_NO_FAILURES();
}

/* A key of the table, or of nobody, whose home is the bucket. */
static uint64_t key_at_home(const struct victim *victim, uint64_t bucket)
{
	const struct sopi_map_shape shape = { victim->box.view.generation, 1, SOPI_BUCKETS_MIN };
	uint64_t key = 0;

	if (bucket >= SOPI_BUCKETS_MIN - SOPI_SPILL_BUCKETS)
		bucket = SOPI_BUCKETS_MIN - SOPI_SPILL_BUCKETS - 1;
	for (key = 1u << 30; sopi_shape_home(&shape, sopi_registry_hash(key)) != bucket; key++)
		;
	return key;
}

static void find_must_fail(struct victim *victim, uint64_t bucket, uint64_t key, const char *what)
{
	struct sopi_registry_entry entry;
	sop_error err = SOP_ERROR_INIT;
	const sop_status status = sopi_registry_find(victim->box.registry, key, &entry, &err);

	must_be_corrupt(victim, status, &err, what, bucket);
	if (err.offset != (int64_t)(1 + bucket) * SOPI_BUCKET_BYTES)
		test_note_failure("offset %lld instead of that of bucket %llu",
				  (long long)err.offset, (unsigned long long)bucket);
}

static void every_flipped_byte_of_a_segment_is_noticed(void **state)
{
	const uint64_t step = 1 + 300 / test_scaled(10);
	struct victim victim;
	char segment[64];
	char run[64];
	uint64_t checked = 0;

	(void)state;
	victim_start(&victim, segment, run);
	victim_open(&victim, segment);
	for (uint64_t i = SOPI_BUCKET_BYTES; i < victim.size && test_failures() == 0;) {
		const uint64_t bucket = i / SOPI_BUCKET_BYTES - 1;
		const uint64_t key = key_at_home(&victim, bucket);
		const bool home = bucket < SOPI_BUCKETS_MIN - SOPI_SPILL_BUCKETS;
		const uint64_t end = i + SOPI_BUCKET_BYTES;

		for (; i < end; i += bucket < 2 ? 1 : step) {
			victim_flip(&victim, i, (uint8_t)(1u << i % 8));
			if (home)
				find_must_fail(&victim, bucket, key, "flip");
			if (!home || ++checked % 500 == 0)
				verify_must_find(&victim);
			victim_flip(&victim, i, (uint8_t)(1u << i % 8));
		}
		i = end;
	}
	box_agrees_wholly(&victim.box, &story->tables[2], "after all flips");
	box_close(&victim.box);
	for (uint64_t i = 0; i < SOPI_BUCKET_BYTES && test_failures() == 0; i++) { /* the head */
		victim_flip(&victim, i, (uint8_t)(1u << i % 8));
		open_must_fail(&victim, "flip", i);
		victim_flip(&victim, i, (uint8_t)(1u << i % 8));
	}
	victim_stop(&victim);
	TEST_NO_FAILURES();
}

static void a_misplaced_bucket_is_noticed(void **state)
{
	uint8_t block[SOPI_BUCKET_BYTES];
	uint8_t zeros[SOPI_BUCKET_BYTES] = { 0 };
	struct victim victim;
	char segment[64];
	char run[64];

	(void)state;
	victim_start(&victim, segment, run);
	victim_open(&victim, segment);
	for (uint64_t bucket = 0; bucket < 240; bucket++) {
		const uint64_t key = key_at_home(&victim, bucket);
		const uint64_t offset = (1 + bucket) * SOPI_BUCKET_BYTES;
		uint8_t before[SOPI_BUCKET_BYTES];

		victim_read(&victim, offset, before, sizeof before);
		victim_read(&victim, offset + SOPI_BUCKET_BYTES, block, sizeof block);
		victim_write(&victim, offset, block, sizeof block);
		find_must_fail(&victim, bucket, key, "its neighbour");
		victim_write(&victim, offset, zeros, sizeof zeros);
		find_must_fail(&victim, bucket, key, "zeros");
		memcpy(block, before, sizeof block);
		sopi_store_u64le(block + REGBLOCK_AT_OWNER, victim.box.view.generation + 1);
		sopi_regblock_seal(block, SOPI_MAGIC_BUCKET);
		victim_write(&victim, offset, block, sizeof block);
		find_must_fail(&victim, bucket, key, "another generation");
		verify_must_find(&victim);
		victim_write(&victim, offset, before, sizeof before);
	}
	victim_stop(&victim);
	TEST_NO_FAILURES();
}

/* Sealed as if it were right, byte by byte: an answer that the bytes give, or CORRUPT; never a crash. */
static void hostile_files_do_no_harm(void **state)
{
	static const uint8_t values[] = { 0, 1, 0x65, 0x80, 0xFF };
	struct victim victim;
	uint8_t block[SOPI_BUCKET_BYTES];
	uint8_t before[SOPI_BUCKET_BYTES];
	char segment[64];
	char run[64];

	(void)state;
	victim_start(&victim, segment, run);
	for (unsigned which = 0; which < 4; which++) { /* heads and first blocks of both */
		const uint64_t offset = which % 2 * SOPI_BUCKET_BYTES;
		const char *magic = which == 0	 ? SOPI_MAGIC_SEGMENT
				    : which == 1 ? SOPI_MAGIC_BUCKET
				    : which == 2 ? SOPI_MAGIC_RUN
						 : SOPI_MAGIC_RUN_BLOCK;

		sopi_file_close(victim.file);
		victim_open(&victim, which < 2 ? segment : run);
		victim_read(&victim, offset, before, sizeof before);
		for (size_t i = 8; i < 200 * sizeof values; i++) {
			struct sopi_registry_entry entry;
			sop_error err = SOP_ERROR_INIT;
			size_t problems = 0;
			sop_status status = SOP_OK;

			memcpy(block, before, sizeof block);
			block[i / sizeof values] = values[i % sizeof values];
			sopi_regblock_seal(block, magic);
			victim_write(&victim, offset, block, sizeof block);
			box_close(&victim.box);
			status = box_open(&victim.box, &err);
			if (status == SOP_CORRUPT || status == SOP_UNSUPPORTED)
				continue;
			TEST_STATUS(status, SOP_OK, err);
			for (size_t k = 0; k < BOX_KEYS; k += 13)
				(void)sopi_registry_find(victim.box.registry, box_key(k), &entry, &err);
			if (i % 7 != 0)
				continue;
			TEST_OK(sopi_registry_verify(victim.box.registry, count_any_problem,
						     &problems, &err),
				err);
			status = sopi_registry_write(victim.box.registry, 1000, NULL, 0, true,
						     &(struct sopi_registry_view){ 0 }, &err);
			assert_true(status == SOP_CORRUPT || status == SOP_OK);
		}
		victim_write(&victim, offset, before, sizeof before);
	}
	victim_stop(&victim);
}

/* A fold of the open registry meets the damage. */
static void fold_must_fail(struct victim *victim)
{
	struct sopi_registry_view next;
	sop_error err = SOP_ERROR_INIT;
	const sop_status status =
		sopi_registry_write(victim->box.registry, 1000, NULL, 0, true, &next, &err);

	must_be_corrupt(victim, status, &err, "fold", 0);
	if (status == SOP_OK)
		sopi_registry_give_up(victim->box.registry, false);
	assert_int_equal(box_files(&victim->box, "reg"),
			 victim->box.view.segment_count + victim->box.view.run_count);
}

static void reseal(struct victim *victim, uint64_t offset, uint8_t *block, const char *magic)
{
	sopi_regblock_seal(block, magic);
	victim_write(victim, offset, block, SOPI_BUCKET_BYTES);
}

/* The first bucket with an entry, followed by one without. */
static uint64_t lone_bucket(struct victim *victim, uint8_t *block, uint8_t *behind)
{
	for (uint64_t offset = SOPI_BUCKET_BYTES;; offset += SOPI_BUCKET_BYTES) {
		victim_read(victim, offset, block, SOPI_BUCKET_BYTES);
		victim_read(victim, offset + SOPI_BUCKET_BYTES, behind, SOPI_BUCKET_BYTES);
		if (block[REGBLOCK_AT_COUNT] == 1 && behind[REGBLOCK_AT_COUNT] == 0)
			return offset;
	}
}

/* Each block is right by itself, but they do not belong together. */
static void what_a_look_up_cannot_see_verify_and_folds_do(void **state)
{
	uint8_t before[2][SOPI_BUCKET_BYTES];
	uint8_t block[SOPI_BUCKET_BYTES];
	struct victim victim;
	char segment[64];
	char run[64];
	uint64_t offset = 0;

	(void)state;
	victim_start(&victim, segment, run);
	victim_open(&victim, segment);
	offset = lone_bucket(&victim, before[0], before[1]);

	memcpy(block, before[0], sizeof block); /* the entry is lost */
	block[REGBLOCK_AT_COUNT] = 0;
	memset(block + REGBLOCK_AT_ENTRIES, 0, SOPI_ENTRY_BYTES);
	reseal(&victim, offset, block, SOPI_MAGIC_BUCKET);
	verify_must_find(&victim);
	fold_must_fail(&victim);

	memcpy(block, before[1], sizeof block); /* it is in the next bucket, where nobody looks */
	block[REGBLOCK_AT_COUNT] = 1;
	memcpy(block + REGBLOCK_AT_ENTRIES, before[0] + REGBLOCK_AT_ENTRIES, SOPI_ENTRY_BYTES);
	reseal(&victim, offset + SOPI_BUCKET_BYTES, block, SOPI_MAGIC_BUCKET);
	verify_must_find(&victim);
	fold_must_fail(&victim);
	victim_write(&victim, offset + SOPI_BUCKET_BYTES, before[1], sizeof before[1]);

	memcpy(block, before[0], sizeof block); /* the bucket is of a map with more buckets */
	sopi_store_u64le(block + BUCKET_AT_TOTAL, 2 * SOPI_BUCKETS_MIN);
	reseal(&victim, offset, block, SOPI_MAGIC_BUCKET);
	find_must_fail(&victim, offset / SOPI_BUCKET_BYTES - 1,
		       key_at_home(&victim, offset / SOPI_BUCKET_BYTES - 1), "total");
	victim_write(&victim, offset, before[0], sizeof before[0]);

	victim_read(&victim, 0, block, sizeof block); /* the head counts one more */
	block[40]++;
	reseal(&victim, 0, block, SOPI_MAGIC_SEGMENT);
	verify_must_find(&victim);
	box_close(&victim.box);
	open_must_fail(&victim, "count", 40);
	victim_stop(&victim);
	TEST_NO_FAILURES();
}

/* A full bucket and the next one have exchanged an entry that might be in either. */
static void exchanged_entries_are_noticed(void **state)
{
	const struct sopi_map_shape shape = { 1, 1, SOPI_BUCKETS_MIN };
	struct sopi_registry_entry entries[SOPI_REGBLOCK_ENTRIES_MAX + 1];
	uint8_t blocks[2][SOPI_BUCKET_BYTES];
	uint8_t entry[SOPI_ENTRY_BYTES];
	struct victim victim;
	sop_error err = SOP_ERROR_INIT;
	size_t count = 0;

	(void)state;
	memset(&victim, 0, sizeof victim);
	for (uint64_t id = 0; count < sizeof entries / sizeof entries[0]; id++) {
		if (sopi_shape_home(&shape, sopi_registry_hash(id)) == 0)
			entries[count++] = (struct sopi_registry_entry){ id, false, { 1, 2, 3, 4 } };
	}
	box_start(&victim.box, NULL);
	TEST_OK(box_open(&victim.box, &err), err);
	box_write(&victim.box, entries, count, true);
	victim_open(&victim, "reg/0000000000000001-00000000.seg");
	victim_read(&victim, SOPI_BUCKET_BYTES, blocks, sizeof blocks);
	assert_int_equal(blocks[1][REGBLOCK_AT_COUNT], 1);
	memcpy(entry, blocks[1] + REGBLOCK_AT_ENTRIES, sizeof entry);
	memcpy(blocks[1] + REGBLOCK_AT_ENTRIES,
	       blocks[0] + REGBLOCK_AT_ENTRIES + 100 * SOPI_ENTRY_BYTES, sizeof entry);
	memcpy(blocks[0] + REGBLOCK_AT_ENTRIES + 100 * SOPI_ENTRY_BYTES, entry, sizeof entry);
	reseal(&victim, SOPI_BUCKET_BYTES, blocks[0], SOPI_MAGIC_BUCKET);
	reseal(&victim, 2 * SOPI_BUCKET_BYTES, blocks[1], SOPI_MAGIC_BUCKET);
	verify_must_find(&victim);
	fold_must_fail(&victim);
	victim_stop(&victim);
	TEST_NO_FAILURES();
}

/* A block of the run of the same position that was given up before. */
static void a_block_of_another_run_is_noticed(void **state)
{
	uint8_t block[SOPI_BUCKET_BYTES];
	struct victim victim;
	char segment[64];
	char run[64];

	(void)state;
	victim_start(&victim, segment, run);
	victim_open(&victim, run);
	victim_read(&victim, SOPI_BUCKET_BYTES, block, sizeof block);
	block[REGBLOCK_AT_ENTRIES + SOPI_ENTRY_BYTES - 1] ^= 1; /* a word of the first entry */
	block[26] &= 0xFE; /* which is not removed */
	reseal(&victim, SOPI_BUCKET_BYTES, block, SOPI_MAGIC_RUN_BLOCK);
	verify_must_find(&victim);
	box_close(&victim.box);
	open_must_fail(&victim, "another run", 0);
	victim_stop(&victim);
	TEST_NO_FAILURES();
}

static void another_format_is_named(void **state)
{
	struct victim victim;
	uint8_t block[SOPI_BUCKET_BYTES];
	char segment[64];
	char run[64];

	(void)state;
	victim_start(&victim, segment, run);
	for (int which = 0; which < 2; which++) {
		const char *magic = which == 0 ? SOPI_MAGIC_RUN : SOPI_MAGIC_SEGMENT;
		sop_error err = SOP_ERROR_INIT;

		box_close(&victim.box);
		sopi_file_close(victim.file);
		victim_open(&victim, which == 0 ? run : segment);
		victim_read(&victim, 0, block, sizeof block);
		sopi_store_u32le(block + REGHEAD_AT_FORMAT, 42);
		sopi_regblock_seal(block, magic);
		victim_write(&victim, 0, block, sizeof block);
		TEST_STATUS(box_open(&victim.box, &err), SOP_UNSUPPORTED, err);
		assert_non_null(strstr(err.message, "42"));
		assert_string_equal(err.file, victim.path);
	}
	victim_stop(&victim);
}

static void a_file_of_another_size_is_noticed(void **state)
{
	struct victim victim;
	sop_error err = SOP_ERROR_INIT;
	char names[2][64];

	(void)state;
	victim_start(&victim, names[0], names[1]);
	for (size_t i = 0; i < 2; i++) {
		const int64_t sizes[] = { 0, 1, 4096, -4096, -1, 1, 4096 };

		box_close(&victim.box);
		sopi_file_close(victim.file);
		victim_open(&victim, names[i]);
		for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
			const uint64_t size = (uint64_t)((k < 3 ? 0 : (int64_t)victim.size) + sizes[k]);
			uint8_t *bytes = test_alloc(victim.size);

			victim_read(&victim, 0, bytes, victim.size);
			TEST_OK(sopi_file_resize(victim.file, size, &err), err);
			open_must_fail(&victim, "size", size);
			TEST_OK(sopi_file_resize(victim.file, victim.size, &err), err);
			victim_write(&victim, 0, bytes, victim.size);
			free(bytes);
		}
		TEST_OK(box_open(&victim.box, &err), err);
		TEST_OK(sopi_file_resize(victim.file, 5000, &err), err); /* while it is open */
		verify_must_find(&victim);
		if (i == 0)
			find_must_fail(&victim, 100, key_at_home(&victim, 100), "cut");
		box_close(&victim.box);
		TEST_OK(sopi_folder_remove(victim.box.folder, names[i], &err), err);
		open_must_fail(&victim, "missing", 0);
		TEST_OK(sopi_folder_make(victim.box.folder, names[i], &err), err);
		open_must_fail(&victim, "a folder", 0);
		victim_stop(&victim);
		victim_start(&victim, names[0], names[1]);
	}
	victim_stop(&victim);
	TEST_NO_FAILURES();
}

static void hostile_views_are_refused(void **state)
{
	struct victim victim;
	char segment[64];
	char run[64];

	(void)state;
	victim_start(&victim, segment, run);
	box_close(&victim.box);
	for (size_t field = 0; field < sizeof victim.box.view / 8; field++) {
		static const uint64_t values[] = { 0,
						   1,
						   3,
						   5,
						   1u << 20,
						   UINT32_MAX,
						   (uint64_t)1 << 40,
						   INT64_MAX,
						   UINT64_MAX - 1,
						   UINT64_MAX };
		const struct sopi_registry_view before = victim.box.view;

		for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
			sop_error err = SOP_ERROR_INIT;
			sop_status status = SOP_OK;

			memcpy((uint8_t *)&victim.box.view + field * 8, &values[i], 8);
			status = box_open(&victim.box, &err);
			if (status != SOP_OK && status != SOP_CORRUPT)
				test_note_failure("field %zu: %s: %s", field,
						  sop_status_name(status), err.message);
			box_close(&victim.box);
			victim.box.view = before;
		}
	}
	victim_stop(&victim);
	TEST_NO_FAILURES();
}

/* ---- power cuts */

/* What the crashes showed. */
struct crashes {
	size_t visited;
	size_t violations;
	char first[300]; /* of them */
};

static bool is_right(struct box *box, const struct table *table)
{
	size_t problems = 0;

	if (sopi_registry_verify(box->registry, count_any_problem, &problems, NULL) != SOP_OK ||
	    problems != 0)
		return false;
	for (size_t i = 0; i < BOX_KEYS; i += 37) {
		const struct sopi_registry_entry *expected = &table->entries[i];
		struct sopi_registry_entry entry;
		const sop_status status = sopi_registry_find(box->registry, expected->key, &entry, NULL);

		if (status != (expected->removed ? SOP_NOT_FOUND : SOP_OK))
			return false;
		if (status == SOP_OK && memcmp(entry.words, expected->words, sizeof entry.words) != 0)
			return false;
	}
	return true;
}

/* After a crash there is the last checkpoint that was acknowledged, or a later one, whole. */
static bool look_at_crash(void *arg, struct sopi_sim_disk *disk, const struct sopi_sim_crash *crash)
{
	struct crashes *crashes = arg;
	struct box box = { 0 };
	sop_error err = SOP_ERROR_INIT;
	uint64_t stage = 0;
	sop_status status = SOP_OK;

	box_start(&box, disk);
	status = recover(&box, &stage, &err);
	crashes->visited++;
	if (status != SOP_OK || (int64_t)stage < crash->mark || !is_right(&box, &story->tables[stage])) {
		if (crashes->violations++ == 0)
			(void)snprintf(crashes->first, sizeof crashes->first,
				       "step %zu, keep %d %zu: stage %d after mark %d: %s",
				       crash->steps, (int)crash->cut.keep, crash->cut.which,
				       (int)stage, (int)crash->mark, err.message);
	}
	box_stop(&box);
	return true;
}

/* Goes through the story, the first checkpoint done, with a bug planted, and crashes it everywhere. */
static struct crashes crash_everywhere(size_t shards, enum sopi_plant plant)
{
	const struct sopi_sim_plan plan = { test_seed() % shards, shards, 2, test_seed() };
	struct sopi_sim_trace *trace = NULL;
	struct crashes crashes = { 0 };
	sop_error err = SOP_ERROR_INIT;
	struct box box = { 0 };
	bool indefinite = false;
	uint64_t stage = 0;

	box_start(&box, disk_after(1));
	TEST_OK(recover(&box, &stage, &err), err);
	trace = sopi_sim_trace_start(box.disk);
	sopi_sim_trace_mark(box.disk, 0);
	sopi_planted = (int)plant;
	while (++stage < STAGES) {
		TEST_OK(checkpoint(&box, stage, &indefinite, &err), err);
		sopi_sim_trace_mark(box.disk, (int64_t)stage);
	}
	sopi_planted = SOPI_PLANT_NONE;
	sopi_sim_trace_stop(trace);
	(void)sopi_sim_each_crash(trace, &plan, look_at_crash, &crashes);
	sopi_sim_trace_free(trace);
	box_free(&box);
	return crashes;
}

static void a_power_cut_leaves_the_old_or_the_new(void **state)
{
	const uint64_t scale = test_scaled(1);
	const struct crashes crashes = crash_everywhere(scale > 4 ? 1 : 4 / scale, SOPI_PLANT_NONE);

	(void)state;
	if (crashes.violations != 0)
		fail_msg("%zu of %zu crashes: %s", crashes.violations, crashes.visited, crashes.first);
	printf("  %zu crashes\n", crashes.visited);
	assert_true(crashes.visited > 100);
}

static void a_sync_that_is_left_out_is_caught(void **state)
{
	static const enum sopi_plant plants[] = { SOPI_PLANT_NO_F3_FILE_SYNC,
						  SOPI_PLANT_NO_F3_FOLDER_SYNC, SOPI_PLANT_NO_F4_FILE_SYNC,
						  SOPI_PLANT_NO_F4_FOLDER_SYNC };

	(void)state;
	for (size_t i = 0; i < sizeof plants / sizeof plants[0]; i++) {
		const struct crashes crashes = crash_everywhere(8, plants[i]);

		printf("  planted bug %d: %zu of %zu crashes: %s\n", (int)plants[i],
		       crashes.violations, crashes.visited, crashes.first);
		if (crashes.violations == 0)
			fail_msg("planted bug %d was not caught", (int)plants[i]);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failing_call_leaves_the_old_or_the_new),
		cmocka_unit_test(a_failed_sync_is_never_repeated),
		cmocka_unit_test(a_full_disk_leaves_what_was_there),
		cmocka_unit_test(no_memory_at_any_place_loses_nothing),
		cmocka_unit_test(every_flipped_byte_of_a_run_is_noticed),
		cmocka_unit_test(every_flipped_byte_of_a_segment_is_noticed),
		cmocka_unit_test(a_misplaced_bucket_is_noticed),
		cmocka_unit_test(hostile_files_do_no_harm),
		cmocka_unit_test(what_a_look_up_cannot_see_verify_and_folds_do),
		cmocka_unit_test(exchanged_entries_are_noticed),
		cmocka_unit_test(a_block_of_another_run_is_noticed),
		cmocka_unit_test(another_format_is_named),
		cmocka_unit_test(a_file_of_another_size_is_noticed),
		cmocka_unit_test(hostile_views_are_refused),
		cmocka_unit_test(a_power_cut_leaves_the_old_or_the_new),
		cmocka_unit_test(a_sync_that_is_left_out_is_caught),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, make_story, free_story);
}
