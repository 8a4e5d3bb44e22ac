/* What a power cut cannot do, but people and disks can: files of another time, damaged records, old content where new
 * records belong. */
#include "crash/base.h"

#include "base/plant.h"
#include "platform/file.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_FIRST_PLACE = 4096, RECORD_BYTES = 512 };

static const struct config config = { .node_bytes = 1024,
				      .node_items = 4,
				      .log_bytes = 4 << 20,
				      .direct_bytes = 512 };

/* ---- files ------------------------------------------------------------------------------------------ */

struct bytes {
	uint8_t at[1 << 16];
	size_t size;
};

static void with_file(struct sopi_sim_disk *disk, const char *path, struct bytes *bytes,
		      uint64_t offset, bool write)
{
	struct sopi_sim_process *process = sopi_sim_process_new(disk, NULL, 1);
	struct sopi_folder *folder = NULL;
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_files_open_folder(sopi_sim_platform(process)->files, "/db", 0, &folder, &err), err);
	TEST_OK(sopi_folder_open_file(folder, path, SOPI_FILE_READ | SOPI_FILE_WRITE, &file, &err), err);
	if (write)
		TEST_OK(sopi_file_write(file, offset, bytes->at, bytes->size, &err), err);
	else
		TEST_OK(sopi_file_read(file, offset, bytes->at, bytes->size, &bytes->size, &err), err);
	sopi_file_close(file);
	sopi_folder_close(folder);
	sopi_sim_process_free(process);
}

/* ---- work ------------------------------------------------------------------------------------------- */

static void open_well(struct base *base, struct sopi_sim_disk *disk, const struct config *how, bool create)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(base_open(base, disk, how, create, &err), err);
}

static void commit(struct base *base, uint64_t number)
{
	uint8_t id[TXN_ID_BYTES] = { 1 };
	char words[WORDS];

	memcpy(id + 8, &number, sizeof number);
	if (!base_commit_mark(base, id, 40, words))
		fail_msg("%s", words);
}

static void checkpoint(struct base *base)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sop_checkpoint(base->db, &err), err);
}

static void close_well(struct base *base)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(base_close(base, &err), err);
}

static struct sopi_sim_disk *new_database(struct base *base)
{
	struct sopi_sim_disk *disk = sopi_sim_disk_new();

	sopi_sim_disk_set_direct(disk, config.direct_bytes);
	open_well(base, disk, &config, true);
	return disk;
}

/* ---- tests ------------------------------------------------------------------------------------------- */

static void an_older_manifest_is_refused(void **state)
{
	static struct bytes manifest = { .size = sizeof manifest.at };
	sop_error err = SOP_ERROR_INIT;
	struct sopi_sim_disk *disk;
	struct base base;

	(void)state;
	disk = new_database(&base);
	commit(&base, 1);
	checkpoint(&base);
	with_file(disk, "MANIFEST", &manifest, 0, false);
	commit(&base, 2);
	checkpoint(&base);
	close_well(&base);
	open_well(&base, disk, &config, false); /* a new segment, which knows of the second checkpoint */
	commit(&base, 3);
	close_well(&base);
	with_file(disk, "MANIFEST", &manifest, 0, true);
	TEST_STATUS(base_open(&base, disk, &config, false, &err), SOP_CORRUPT, err);
	assert_string_not_equal(err.file, "");
	sopi_sim_disk_free(disk);
}

/* A database that was closed in good order after five commits. */
static struct sopi_sim_disk *five_commits(struct base *base)
{
	struct sopi_sim_disk *disk = new_database(base);

	for (uint64_t i = 0; i < 5; i++)
		commit(base, i);
	close_well(base);
	return disk;
}

/* Status of opening a database of five commits, one of whose first records is damaged. */
static sop_status open_damaged(sop_error *err)
{
	struct bytes *record = test_alloc(sizeof *record);
	struct sopi_sim_disk *disk;
	struct base base;
	sop_status status;

	disk = five_commits(&base);
	record->size = RECORD_BYTES;
	with_file(disk, "log/0000000000000001.log", record, LOG_FIRST_PLACE + RECORD_BYTES, false);
	record->at[100] ^= 1;
	with_file(disk, "log/0000000000000001.log", record, LOG_FIRST_PLACE + RECORD_BYTES, true);
	status = base_open(&base, disk, &config, false, err);
	if (status == SOP_OK)
		close_well(&base);
	sopi_sim_disk_free(disk);
	free(record);
	return status;
}

static void a_damaged_record_in_the_middle_is_refused(void **state)
{
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	TEST_STATUS(open_damaged(&err), SOP_CORRUPT, err);
	assert_string_equal(err.file, "log/0000000000000001.log");
	assert_int_equal(err.offset, LOG_FIRST_PLACE + RECORD_BYTES);
}

static void recovery_that_does_not_look_behind_is_caught(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	sop_status status;

	(void)state;
	atomic_store(&sopi_planted, SOPI_PLANT_LOG_NO_LOOK_BEHIND);
	status = open_damaged(&err);
	atomic_store(&sopi_planted, SOPI_PLANT_NONE);
	assert_int_not_equal(status, SOP_CORRUPT);
}

/* ---- a log that another program makes shorter --------------------------------------------------------- */

static const char first_segment[] = "log/0000000000000001.log";

/* The end of record number `number`, each of which is one block, and all behind it nothing. */
static void cut(struct sopi_sim_disk *disk, const char *path, uint64_t number)
{
	struct bytes *zeros = test_alloc(sizeof *zeros);

	memset(zeros->at, 0, sizeof zeros->at);
	zeros->size = sizeof zeros->at;
	with_file(disk, path, zeros, LOG_FIRST_PLACE + number * RECORD_BYTES, true);
	free(zeros);
}

/* Opens a database that was closed after five commits, whose log was cut behind the first `kept`. */
static sop_status open_cut(uint64_t kept, sop_error *err)
{
	struct sopi_sim_disk *disk;
	struct base base;
	sop_status status;

	disk = five_commits(&base);
	cut(disk, first_segment, kept);
	status = base_open(&base, disk, &config, false, err);
	if (status == SOP_OK)
		close_well(&base);
	sopi_sim_disk_free(disk);
	return status;
}

static void a_closed_log_that_was_cut_is_refused(void **state)
{
	(void)state;
	for (uint64_t kept = 0; kept < 6; kept++) { /* commits, and the mark behind them */
		sop_error err = SOP_ERROR_INIT;

		TEST_STATUS(open_cut(kept, &err), SOP_CORRUPT, err);
		assert_string_equal(err.file, first_segment);
		assert_non_null(strstr(err.message, "MANIFEST"));
	}
}

static void recovery_that_does_not_know_the_end_is_caught(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	sop_status status;

	(void)state;
	atomic_store(&sopi_planted, SOPI_PLANT_LOG_NO_POINT);
	status = open_cut(3, &err);
	atomic_store(&sopi_planted, SOPI_PLANT_NONE);
	assert_int_equal(status, SOP_OK);
}

static void a_segment_of_another_time_is_refused(void **state)
{
	static struct bytes older;
	sop_error err = SOP_ERROR_INIT;
	struct sopi_sim_disk *disk;
	struct base base;

	(void)state;
	disk = new_database(&base);
	commit(&base, 1);
	older.size = sizeof older.at;
	with_file(disk, first_segment, &older, 0, false);
	commit(&base, 2);
	commit(&base, 3);
	close_well(&base);
	with_file(disk, first_segment, &older, 0, true);
	TEST_STATUS(base_open(&base, disk, &config, false, &err), SOP_CORRUPT, err);
	assert_string_equal(err.file, first_segment);
	sopi_sim_disk_free(disk);
}

/* Closed, opened again, killed behind two more commits: those may be gone for ever, but not what was closed with. */
static void what_a_closing_knew_holds_after_a_kill(void **state)
{
	(void)state;
	for (int which = 0; which < 3; which++) {
		const char *path = which < 2 ? first_segment : "log/0000000000000002.log";
		sop_error err = SOP_ERROR_INIT;
		struct sopi_sim_disk *disk;
		struct base base;
		sop_status status;

		disk = new_database(&base);
		commit(&base, 1);
		close_well(&base);
		open_well(&base, disk, &config, false);
		commit(&base, 2);
		commit(&base, 3);
		sopi_sim_kill(base.process);
		(void)base_close(&base, NULL);
		if (which > 0)
			cut(disk, path, 1);
		status = base_open(&base, disk, &config, false, &err);
		assert_int_equal(status, which == 1 ? SOP_CORRUPT : SOP_OK);
		if (status == SOP_OK)
			close_well(&base);
		sopi_sim_disk_free(disk);
	}
}

/* Two futures of one disk: the newest segment of both has the same number, and the first record in it the same place,
 * position and predecessor. The one of the first future lies where the other has written nothing yet, as the old
 * content of a recycled segment may. Is it replayed? */
static bool foreign_record_is_replayed(void)
{
	struct config other = config;
	struct bytes *record = test_alloc(sizeof *record);
	uint8_t id[TXN_ID_BYTES] = { 1 };
	struct sopi_sim_disk *disk, *future;
	const uint64_t number = 77;
	sop_outcome outcome = SOP_OUTCOME_PENDING;
	sop_error err = SOP_ERROR_INIT;
	struct base base;

	disk = new_database(&base);
	commit(&base, 1);
	close_well(&base);
	future = sopi_sim_disk_copy(disk);
	open_well(&base, future, &config, false);
	commit(&base, number);
	close_well(&base);
	record->size = RECORD_BYTES;
	with_file(future, "log/0000000000000002.log", record, LOG_FIRST_PLACE, false);
	other.random = 1; /* another salt of the segment */
	open_well(&base, disk, &other, false);
	sopi_sim_kill(base.process);
	(void)base_close(&base, NULL);
	with_file(disk, "log/0000000000000002.log", record, LOG_FIRST_PLACE, true);
	open_well(&base, disk, &other, false);
	memcpy(id + 8, &number, sizeof number);
	TEST_OK(sop_txn_outcome(base.db, id, &outcome, NULL, &err), err);
	close_well(&base);
	sopi_sim_disk_free(disk);
	sopi_sim_disk_free(future);
	free(record);
	return outcome == SOP_OUTCOME_COMMITTED;
}

static void old_content_of_a_segment_is_not_replayed(void **state)
{
	(void)state;
	assert_false(foreign_record_is_replayed());
}

static void records_that_are_not_tied_to_their_segment_are_caught(void **state)
{
	bool replayed;

	(void)state;
	atomic_store(&sopi_planted, SOPI_PLANT_LOG_NO_SEED);
	replayed = foreign_record_is_replayed();
	atomic_store(&sopi_planted, SOPI_PLANT_NONE);
	assert_true(replayed);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_older_manifest_is_refused),
		cmocka_unit_test(a_damaged_record_in_the_middle_is_refused),
		cmocka_unit_test(recovery_that_does_not_look_behind_is_caught),
		cmocka_unit_test(a_closed_log_that_was_cut_is_refused),
		cmocka_unit_test(recovery_that_does_not_know_the_end_is_caught),
		cmocka_unit_test(a_segment_of_another_time_is_refused),
		cmocka_unit_test(what_a_closing_knew_holds_after_a_kill),
		cmocka_unit_test(old_content_of_a_segment_is_not_replayed),
		cmocka_unit_test(records_that_are_not_tied_to_their_segment_are_caught),
	};
	int failed;

	test_begin(argc, argv);
	failed = cmocka_run_group_tests_name("crash_damage", tests, NULL, NULL);
	base_schema_free();
	return failed;
}
