/* Files that are not as the log left them: damaged, missing, put back, recycled, hostile. And calls that fail, one after the
 * other. */
#include "wal_box.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/plant.h"
#include "codec/log_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMITS = 40 };

struct damaged {
	struct sopi_sim_disk *disk; /* as a sound log left it */
	uint64_t positions[COMMITS];
};

static void commit(struct wal_box *box, uint64_t number, uint64_t *position)
{
	uint8_t payload[900];
	const size_t size = wal_box_payload(number, sizeof payload, payload);
	sop_status status;
	sop_error err = SOP_ERROR_INIT;

	*position = wal_box_submit(box, payload, size, &status);
	assert_int_equal(status, SOP_OK);
	TEST_OK(box->log->driver->wait_durable(box->log, *position, &err), err);
}

/* A log of several segments that was closed with a mark. */
static int setup(void **state)
{
	struct damaged *damaged = memset(test_alloc(sizeof *damaged), 0, sizeof *damaged);
	struct wal_box box;
	sop_error err = SOP_ERROR_INIT;

	damaged->disk = sopi_sim_disk_new();
	sopi_sim_disk_set_direct(damaged->disk, 512);
	wal_box_start(&box, damaged->disk);
	wal_box_create(&box);
	for (uint64_t i = 0; i < COMMITS; i++)
		commit(&box, i, &damaged->positions[i]);
	TEST_OK(sopi_wal_flush(box.log, true, &err), err);
	wal_box_stop(&box);
	*state = damaged;
	return 0;
}

static int teardown(void **state)
{
	struct damaged *damaged = *state;

	sopi_sim_disk_free(damaged->disk);
	free(damaged);
	return 0;
}

/* ---- reaching into files ---- */

static void access_bytes(struct wal_box *box, uint64_t sequence, uint64_t place, void *bytes,
			 size_t size, bool write)
{
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;
	char name[32];
	size_t got = 0;

	(void)snprintf(name, sizeof name, "log/%016llx.log", (unsigned long long)sequence);
	TEST_OK(sopi_folder_open_file(box->folder, name, SOPI_FILE_READ | SOPI_FILE_WRITE, &file, &err),
		err);
	if (write)
		TEST_OK(sopi_file_write(file, place, bytes, size, &err), err);
	else
		TEST_OK(sopi_file_read(file, place, bytes, size, &got, &err), err);
	sopi_file_close(file);
}

static void flip(struct wal_box *box, uint64_t sequence, uint64_t place, uint8_t mask)
{
	uint8_t byte = 0;

	access_bytes(box, sequence, place, &byte, 1, false);
	byte ^= mask;
	access_bytes(box, sequence, place, &byte, 1, true);
}

static uint64_t salt_of(struct wal_box *box, uint64_t sequence)
{
	uint8_t salt[8];

	access_bytes(box, sequence, 64, salt, sizeof salt, false);
	return sopi_load_u64le(salt);
}

/* Calls `fn` for each record of the chain that begins in segment 1. */
static void each_record(struct wal_box *box,
			void (*fn)(void *arg, const struct sopi_log_record *record, uint64_t place),
			void *arg)
{
	uint64_t sequence = 1;
	uint64_t place = SOPI_LOG_FIRST_PLACE;

	for (;;) {
		uint8_t bytes[SOPI_LOG_HEAD_BYTES + SOPI_LOG_SUCCESSOR_BYTES];
		struct sopi_log_record record;

		access_bytes(box, sequence, place, bytes, sizeof bytes, false);
		if (sopi_log_record_decode(bytes, sequence, salt_of(box, sequence), &record) != SOPI_LOG_GOOD)
			return;
		fn(arg, &record, place);
		place += (SOPI_LOG_HEAD_BYTES + record.payload_bytes + 511) / 512 * 512;
		if (record.kind != SOPI_LOG_SUCCESSOR)
			continue;
		sequence = sopi_load_u64le(bytes + SOPI_LOG_HEAD_BYTES);
		place = SOPI_LOG_FIRST_PLACE;
	}
}

struct place {
	uint64_t sequence, at, bytes, slot;
	enum sopi_log_kind kind;
};

struct places {
	struct place items[200];
	size_t count;
};

static void note_place(void *arg, const struct sopi_log_record *record, uint64_t at)
{
	struct places *places = arg;

	assert_true(places->count < 200);
	places->items[places->count++] = (struct place){ record->sequence, at,
							 SOPI_LOG_HEAD_BYTES + record->payload_bytes,
							 record->slot, record->kind };
}

static struct places places_of(struct damaged *damaged)
{
	struct places places = { .count = 0 };
	struct wal_box box;

	wal_box_start(&box, damaged->disk);
	each_record(&box, note_place, &places);
	wal_box_stop(&box);
	assert_true(places.count > COMMITS);
	return places;
}

static sop_status count_entry(void *arg, uint64_t position, const struct sopi_log_entry *entry,
			      sop_error *err)
{
	(void)position;
	(void)entry;
	(void)err;
	++*(size_t *)arg;
	return SOP_OK;
}

/* ---- damage ---- */

/* Flips a bit of the record and opens; CORRUPT must name the segment and the place. */
static void damage(struct damaged *damaged, const struct place *place, uint64_t at)
{
	struct sopi_sim_disk *disk = sopi_sim_disk_copy(damaged->disk);
	struct wal_box box;
	sop_error err = SOP_ERROR_INIT;
	char name[32];

	wal_box_start(&box, disk);
	flip(&box, place->sequence, at, 0x10);
	TEST_STATUS(wal_box_open(&box, &err), SOP_CORRUPT, err);
	(void)snprintf(name, sizeof name, "log/%016llx.log", (unsigned long long)place->sequence);
	assert_string_equal(err.file, name);
	assert_int_equal(err.offset, place->at);
	wal_box_stop(&box);
	sopi_sim_disk_free(disk);
}

static void a_damaged_record_that_was_flushed_is_corrupt(void **state)
{
	struct damaged *damaged = *state;
	const struct places places = places_of(damaged);

	for (size_t i = 0; i + 1 < places.count; i++) { /* all but the mark, which nothing vouches for */
		const struct place *place = &places.items[i];

		damage(damaged, place, place->at + i % SOPI_LOG_HEAD_BYTES);
		damage(damaged, place, place->at + place->bytes - 1);
	}
}

static void a_log_that_cuts_at_damage_is_caught(void **state)
{
	struct damaged *damaged = *state;
	const struct places places = places_of(damaged);
	struct sopi_sim_disk *disk = sopi_sim_disk_copy(damaged->disk);
	struct wal_box box;
	sop_error err = SOP_ERROR_INIT;
	size_t count = 0;

	atomic_store(&sopi_planted, SOPI_PLANT_LOG_NO_LOOK_BEHIND);
	wal_box_start(&box, disk);
	flip(&box, places.items[5].sequence, places.items[5].at + 20, 1);
	TEST_OK(wal_box_open(&box, &err), err);
	TEST_OK(sopi_wal_replay(box.log, 0, count_entry, &count, &err), err);
	assert_true(count < COMMITS); /* what the test above would not accept */
	wal_box_stop(&box);
	atomic_store(&sopi_planted, SOPI_PLANT_NONE);
	sopi_sim_disk_free(disk);
}

static void a_damaged_mark_loses_nothing(void **state)
{
	struct damaged *damaged = *state;
	const struct places places = places_of(damaged);
	struct wal_box box;
	sop_error err = SOP_ERROR_INIT;

	wal_box_start(&box, damaged->disk);
	flip(&box, places.items[places.count - 1].sequence, places.items[places.count - 1].at + 20, 1);
	TEST_OK(wal_box_open(&box, &err), err);
	assert_int_equal(sopi_wal_end(box.log), damaged->positions[COMMITS - 1]);
	wal_box_stop(&box);
}

static void every_segment_of_the_chain_is_needed(void **state)
{
	struct damaged *damaged = *state;
	const struct places places = places_of(damaged);
	const uint64_t last = places.items[places.count - 1].sequence;

	assert_true(last >= 3);
	for (uint64_t sequence = 1; sequence <= last; sequence++)
		for (int missing = 0; missing < 2; missing++) {
			struct sopi_sim_disk *disk = sopi_sim_disk_copy(damaged->disk);
			struct wal_box box;
			sop_error err = SOP_ERROR_INIT;
			char name[32];

			(void)snprintf(name, sizeof name, "log/%016llx.log", (unsigned long long)sequence);
			wal_box_start(&box, disk);
			if (missing)
				TEST_OK(sopi_folder_remove(box.folder, name, &err), err);
			else
				flip(&box, sequence, 30, 4);
			TEST_STATUS(wal_box_open(&box, &err), SOP_CORRUPT, err);
			assert_string_equal(err.file, name);
			wal_box_stop(&box);
			sopi_sim_disk_free(disk);
		}
}

/* ---- the manifest and the log must belong together ---- */

static void a_log_that_ends_before_the_checkpoint_is_corrupt(void **state)
{
	struct damaged *damaged = *state;
	struct wal_box box;
	sop_error err = SOP_ERROR_INIT;

	wal_box_start(&box, damaged->disk);
	box.options.checkpoint = damaged->positions[COMMITS - 1] + 1;
	TEST_STATUS(sopi_wal_open(&box.options, &box.log, &err), SOP_CORRUPT, err);
	assert_null(box.log);
	box.options.checkpoint = damaged->positions[COMMITS - 1];
	TEST_OK(sopi_wal_open(&box.options, &box.log, &err), err);
	wal_box_stop(&box);
}

static void an_older_manifest_that_was_put_back_is_corrupt(void **state)
{
	struct damaged *damaged = *state;
	const uint64_t checkpoint = damaged->positions[COMMITS - 1];
	struct wal_box box;
	sop_error err = SOP_ERROR_INIT;
	uint64_t position;

	wal_box_start(&box, damaged->disk);
	TEST_OK(wal_box_open(&box, &err), err);
	sopi_wal_trim(box.log, checkpoint, 1); /* the manifest says so; nothing is recycled */
	for (uint64_t i = 0; i < COMMITS; i++) /* a segment is opened under it */
		commit(&box, i, &position);
	box.log->driver->close(box.log);
	box.log = NULL;
	box.options.checkpoint = damaged->positions[COMMITS - 2];
	TEST_STATUS(sopi_wal_open(&box.options, &box.log, &err), SOP_CORRUPT, err);
	assert_non_null(strstr(err.message, "older MANIFEST"));
	box.options.checkpoint = checkpoint;
	TEST_OK(wal_box_open(&box, &err), err);
	wal_box_stop(&box);
}

/* ---- other versions of the format ---- */

static void another_version_is_unsupported_by_name(void **state)
{
	struct damaged *damaged = *state;
	struct wal_box box;
	sop_error err = SOP_ERROR_INIT;
	uint8_t head[SOPI_LOG_SEGMENT_HEAD_BYTES];
	uint8_t record[SOPI_LOG_HEAD_BYTES];
	uint8_t seed[16] = { 1 };

	wal_box_start(&box, damaged->disk);
	access_bytes(&box, 1, SOPI_LOG_FIRST_PLACE, record, sizeof record, false);
	record[4] = 2;
	sopi_store_u64le(seed + 8, salt_of(&box, 1));
	sopi_store_u32le(record + 60, sopi_crc32c(sopi_crc32c(0, seed, sizeof seed), record, 60));
	access_bytes(&box, 1, SOPI_LOG_FIRST_PLACE, record, sizeof record, true);
	TEST_STATUS(wal_box_open(&box, &err), SOP_UNSUPPORTED, err);
	assert_non_null(strstr(err.message, "version 2"));
	access_bytes(&box, 1, 0, head, sizeof head, false);
	head[4] = 7;
	sopi_store_u32le(head + 72, sopi_crc32c(0, head, 72));
	access_bytes(&box, 1, 0, head, sizeof head, true);
	TEST_STATUS(wal_box_open(&box, &err), SOP_UNSUPPORTED, err);
	assert_non_null(strstr(err.message, "version 7"));
	wal_box_stop(&box);
}

/* ---- old records of a recycled segment ---- */

static uint64_t written(struct wal_box *box, size_t size)
{
	uint8_t payload[11000] = { 0 };
	sop_status status;
	const uint64_t position = wal_box_submit(box, payload, size, &status);

	assert_int_equal(status, SOP_OK);
	assert_int_equal(box->log->driver->wait_written(box->log, position, NULL), SOP_OK);
	return position;
}

/* Slots 2 to 6 are written and never flushed; a power cut keeps all of them but slot 2. The segment is recycled, as number
 * 3, from slot 4 on, which is so long that the old slot 5 stands just behind it. Gives what a recovery then takes for the end;
 * the last one submitted is slot 4. */
static uint64_t end_over_old_records(void)
{
	const struct sopi_sim_cut lose_slot_2 = { .keep = SOPI_SIM_DROP_ONE, .which = 0 };
	struct sopi_sim_disk *disk = sopi_sim_disk_new();
	struct wal_box box;
	sop_error err = SOP_ERROR_INIT;
	uint64_t position;
	uint64_t end;

	sopi_sim_disk_set_direct(disk, 512);
	wal_box_start(&box, disk);
	wal_box_create(&box);
	TEST_OK(box.log->driver->wait_durable(box.log, written(&box, 10), &err), err);
	for (int slot = 2; slot <= 6; slot++) /* blocks 1 to 5; slot 5 is block 4 */
		(void)written(&box, 10);
	sopi_sim_power_cut(disk, &lose_slot_2);
	wal_box_stop(&box);

	wal_box_start(&box, disk);
	TEST_OK(wal_box_open(&box, &err), err);
	assert_int_equal(sopi_wal_end(box.log), 1 << 16);
	position = written(&box, 9000); /* slot 2 */
	TEST_OK(box.log->driver->wait_durable(box.log, position, &err), err);
	assert_int_equal(sopi_wal_segment_of(box.log, position), 2);
	sopi_wal_trim(box.log, position, 2); /* what was segment 1 waits in the pool */
	(void)written(&box, 1300); /* slot 3 fills segment 2 */
	position = written(&box, 1700); /* slot 4: blocks 0 to 3 of segment 3 */
	TEST_OK(box.log->driver->wait_durable(box.log, position, &err), err);
	box.options.known = sopi_wal_durable_point(box.log);
	box.log->driver->close(box.log);
	box.log = NULL;
	box.options.checkpoint = 2 << 16;
	box.options.first_segment = 2;
	TEST_OK(sopi_wal_open(&box.options, &box.log, &err), err);
	end = sopi_wal_end(box.log);
	wal_box_stop(&box);
	sopi_sim_disk_free(disk);
	return end;
}

static void old_records_of_a_recycled_segment_never_continue_the_chain(void **state)
{
	(void)state;
	assert_int_equal(end_over_old_records(), 4 << 16);
	atomic_store(&sopi_planted, SOPI_PLANT_LOG_NO_SEED);
	assert_true(end_over_old_records() > 4 << 16); /* the old slot 5 is taken for a commit */
	atomic_store(&sopi_planted, SOPI_PLANT_NONE);
}

/* ---- transactions that look like records ---- */

/* A last transaction that holds, at the beginning of a block, the head of a record that says everything was flushed; its own
 * record is torn. What opening says. */
static sop_status open_behind_a_forgery(struct damaged *damaged, uint64_t salt)
{
	enum {
		BEFORE = SOPI_LOG_HEAD_BYTES + SOPI_LOG_ID_BYTES + 2
	}; /* of the payload, in its record */
	struct sopi_sim_disk *disk = sopi_sim_disk_copy(damaged->disk);
	struct sopi_log_record forged = { .kind = SOPI_LOG_MARK, .slot = 1000, .flushed = 1000 };
	struct wal_box box;
	uint8_t payload[2000] = { 0 };
	sop_error err = SOP_ERROR_INIT;
	struct sopi_wal_stats stats;
	uint64_t position;
	sop_status status;

	wal_box_start(&box, disk);
	TEST_OK(wal_box_open(&box, &err), err);
	sopi_wal_get_stats(box.log, &stats);
	forged.sequence = stats.segments;
	forged.salt = salt == 0 ? 0 : salt_of(&box, forged.sequence);
	sopi_log_record_encode(&forged, payload + 512 - BEFORE);
	position = wal_box_submit(&box, payload, sizeof payload, &status);
	TEST_OK(box.log->driver->wait_durable(box.log, position, &err), err);
	box.log->driver->close(box.log);
	box.log = NULL;
	flip(&box, forged.sequence, SOPI_LOG_FIRST_PLACE + 10, 1);
	status = wal_box_open(&box, &err);
	wal_box_stop(&box);
	sopi_sim_disk_free(disk);
	return status;
}

static void a_transaction_cannot_imitate_a_record(void **state)
{
	assert_int_equal(open_behind_a_forgery(*state, 0), SOP_OK);
	assert_int_equal(open_behind_a_forgery(*state, 1), SOP_CORRUPT); /* with the salt it could */
}

/* ---- hostile files ---- */

static void mangle(struct wal_box *box, struct test_rng *rng, uint64_t sequences)
{
	const uint64_t sequence = 1 + test_rng_below(rng, sequences);
	uint8_t bytes[64];
	uint64_t place = test_rng_below(rng, WAL_BOX_SEGMENT_BYTES - sizeof bytes);

	if (test_rng_once_in(rng, 2)) /* where heads are */
		place = place / 512 * 512 + test_rng_below(rng, 64);
	switch (test_rng_below(rng, 4)) {
	case 0:
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (uint8_t)test_rng_next(rng);
		access_bytes(box, sequence, place, bytes, 1 + test_rng_below(rng, sizeof bytes), true);
		break;
	case 1: { /* a whole block from elsewhere */
		uint8_t block[512];

		access_bytes(box, 1 + test_rng_below(rng, sequences), test_rng_below(rng, 32) * 512,
			     block, sizeof block, false);
		access_bytes(box, sequence, place / 512 * 512, block, sizeof block, true);
		break;
	}
	case 2: { /* a head of any numbers and a right checksum */
		struct sopi_log_record record = {
			.kind = (enum sopi_log_kind)(1 + test_rng_below(rng, 3)),
			.sequence = sequence,
			.salt = salt_of(box, sequence),
			.slot = test_rng_below(rng, 60),
			.flushed = test_rng_below(rng, 3) * test_rng_below(rng, 60),
			.payload_bytes = test_rng_next(rng) >> test_rng_below(rng, 64),
			.count = (uint32_t)test_rng_below(rng, 70000)
		};

		sopi_log_record_encode(&record, bytes);
		access_bytes(box, sequence, place / 512 * 512, bytes, sizeof bytes, true);
		break;
	}
	default:
		flip(box, sequence, place, (uint8_t)(1u << test_rng_below(rng, 8)));
	}
}

static void truncate_one(struct wal_box *box, struct test_rng *rng, uint64_t sequences)
{
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;
	char name[32];

	(void)snprintf(name, sizeof name, "log/%016llx.log",
		       (unsigned long long)(1 + test_rng_below(rng, sequences)));
	TEST_OK(sopi_folder_open_file(box->folder, name, SOPI_FILE_READ | SOPI_FILE_WRITE, &file, &err),
		err);
	TEST_OK(sopi_file_resize(file, test_rng_below(rng, WAL_BOX_SEGMENT_BYTES), &err), err);
	sopi_file_close(file);
}

static void hostile_files_are_refused_or_read(void **state)
{
	struct damaged *damaged = *state;
	const struct places places = places_of(damaged);
	const uint64_t sequences = places.items[places.count - 1].sequence;
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 5);
	for (uint64_t round = 0; round < test_scaled(1500); round++) {
		struct sopi_sim_disk *disk = sopi_sim_disk_copy(damaged->disk);
		struct wal_box box;
		sop_error err = SOP_ERROR_INIT;
		sop_status status;
		size_t count = 0;

		wal_box_start(&box, disk);
		for (uint64_t i = test_rng_below(&rng, 3); i > 0; i--)
			mangle(&box, &rng, sequences);
		if (test_rng_once_in(&rng, 4))
			truncate_one(&box, &rng, sequences);
		status = wal_box_open(&box, &err);
		if (status == SOP_OK)
			status = sopi_wal_replay(box.log, 0, count_entry, &count, &err);
		assert_true(status == SOP_OK || (strlen(err.file) != 0 && err.offset >= 0));
		assert_true(status == SOP_OK || status == SOP_CORRUPT || status == SOP_UNSUPPORTED);
		wal_box_stop(&box);
		sopi_sim_disk_free(disk);
	}
}

/* ---- calls that fail ---- */

/* Runs a log through everything, with a fault; then without, and compares. */
static bool run_with_fault(struct damaged *damaged, const struct sopi_sim_fault *fault)
{
	struct sopi_sim_disk *disk = sopi_sim_disk_copy(damaged->disk);
	struct wal_box box;
	sop_error err = SOP_ERROR_INIT;
	size_t acknowledged = COMMITS, submitted = COMMITS, found = 0;
	sop_status status;
	bool ended;

	wal_box_start(&box, disk);
	sopi_sim_fail(box.process, fault);
	status = wal_box_open(&box, &err);
	for (int i = 0; status == SOP_OK && i < 12; i++) {
		uint8_t payload[1200] = { 0 };
		const uint64_t position = wal_box_submit(&box, payload, sizeof payload, &status);

		if (position == 0)
			break;
		submitted++;
		status = box.log->driver->wait_durable(box.log, position, &err);
		acknowledged += status == SOP_OK;
		assert_true(status == SOP_OK || status == SOP_UNKNOWN);
	}
	if (status == SOP_OK)
		(void)sopi_wal_flush(box.log, true, NULL);
	ended = sopi_sim_calls(box.process, fault->calls) <= fault->after;
	wal_box_stop(&box);
	sopi_sim_power_cut(disk, &(struct sopi_sim_cut){ .keep = SOPI_SIM_KEEP_SOME,
							 .tear_bytes = 512,
							 .seed = (uint64_t)fault->after });
	wal_box_start(&box, disk);
	TEST_OK(wal_box_open(&box, &err), err);
	TEST_OK(sopi_wal_replay(box.log, 0, count_entry, &found, &err), err);
	assert_true(found >= acknowledged && found <= submitted);
	wal_box_stop(&box);
	sopi_sim_disk_free(disk);
	return ended;
}

static void every_call_may_fail(void **state)
{
	static const int errors[] = { EIO, ENOSPC };

	for (size_t e = 0; e < 2; e++)
		for (int for_ever = 0; for_ever < 2; for_ever++)
			for (int64_t n = 0;; n++) {
				const struct sopi_sim_fault fault = { .calls = SOPI_SIM_ANY,
								      .after = n,
								      .for_ever = for_ever != 0,
								      .os_errno = errors[e],
								      .partial_bytes =
									      100 * (size_t)(n % 8) };

				if (run_with_fault(*state, &fault))
					break;
			}
}

int main(int argc, char **argv)
{
#define DAMAGE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		DAMAGE_TEST(a_damaged_record_that_was_flushed_is_corrupt),
		DAMAGE_TEST(a_log_that_cuts_at_damage_is_caught),
		DAMAGE_TEST(a_damaged_mark_loses_nothing),
		DAMAGE_TEST(every_segment_of_the_chain_is_needed),
		DAMAGE_TEST(a_log_that_ends_before_the_checkpoint_is_corrupt),
		DAMAGE_TEST(an_older_manifest_that_was_put_back_is_corrupt),
		DAMAGE_TEST(another_version_is_unsupported_by_name),
		cmocka_unit_test(old_records_of_a_recycled_segment_never_continue_the_chain),
		DAMAGE_TEST(a_transaction_cannot_imitate_a_record),
		DAMAGE_TEST(hostile_files_are_refused_or_read),
		DAMAGE_TEST(every_call_may_fail),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("log_wal_damage", tests, NULL, NULL);
}
