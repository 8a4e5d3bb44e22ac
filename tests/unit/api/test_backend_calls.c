/* What the public functions make of a backend: here one that notes how it is called, and answers what it is told. */
#include "api/handle.h"
#include "platform/sim.h"
#include "support/support.h"
#include "transaction/backend.h"

#include <string.h>

struct fake {
	struct sopi_backend head;
	unsigned syncs, checkpoints, gcs, backups, verifies, halts, stops, frees;
	sop_status answer; /* of the next calls */
	unsigned problems; /* that verify finds */
	bool was_stopped; /* a problem or progress function said no */
	bool was_open_at_stop; /* the trees were still there when it was stopped */
	char path[64]; /* of the last backup */
	sop_db *db;
};

static sop_status answer(struct fake *fake, sop_error *err)
{
	return fake->answer == SOP_OK ? SOP_OK : sopi_fail(err, fake->answer, "the fake was told so");
}

static sop_status fake_sync(struct sopi_backend *backend, sop_error *err)
{
	struct fake *fake = (struct fake *)backend;

	fake->syncs++;
	return answer(fake, err);
}

static sop_status fake_checkpoint(struct sopi_backend *backend, sop_error *err)
{
	struct fake *fake = (struct fake *)backend;

	fake->checkpoints++;
	return answer(fake, err);
}

static sop_status work(struct fake *fake, sopi_progress_fn progress, void *arg, sop_error *err)
{
	for (uint64_t done = 0; done <= 3; done++) {
		if (!progress(arg, done * 100, 300)) {
			fake->was_stopped = true;
			return sopi_fail(err, SOP_CANCELLED, "stopped");
		}
	}
	return answer(fake, err);
}

static sop_status fake_gc(struct sopi_backend *backend, sopi_progress_fn progress, void *arg,
			  sop_error *err)
{
	struct fake *fake = (struct fake *)backend;

	fake->gcs++;
	return work(fake, progress, arg, err);
}

static sop_status fake_backup(struct sopi_backend *backend, const char *path,
			      sopi_progress_fn progress, void *arg, uint64_t *position, sop_error *err)
{
	struct fake *fake = (struct fake *)backend;

	fake->backups++;
	strncpy(fake->path, path, sizeof fake->path - 1);
	*position = 42;
	return work(fake, progress, arg, err);
}

static sop_status fake_verify(struct sopi_backend *backend, const struct sopi_audience *audience,
			      sop_error *err)
{
	struct fake *fake = (struct fake *)backend;

	fake->verifies++;
	for (unsigned i = 0; i < fake->problems && !fake->was_stopped; i++) {
		const sop_bytes store = { "people", i == 0 ? 0 : 6 };

		fake->was_stopped = !audience->found(audience->arg, i == 0 ? NULL : "packs/7",
						     i == 0 ? -1 : 4096, store, "checksum",
						     "the page is damaged");
	}
	return answer(fake, err);
}

static void fake_has_failed(struct sopi_backend *backend)
{
	(void)backend;
}

static void fake_get_stats(struct sopi_backend *backend, struct sopi_backend_stats *stats)
{
	(void)backend;
	*stats = (struct sopi_backend_stats){
		.durable_position = 1,
		.checkpoint_position = 2,
		.checkpoints = 3,
		.checkpoint_failures = 4,
		.flushes = 5,
		.log_bytes_written = 6,
		.log_bytes = 7,
		.dirty_bytes = 8,
		.cache_bytes = 9,
		.cache_bytes_used = 10,
		.cache_reads = 11,
		.evictions = 12,
		.pack_count = 13,
		.pack_bytes = 14,
		.pack_bytes_live = 15,
		.registry_entries = 16,
		.registry_bytes = 17,
		.disk_bytes = 18,
		.failed = true,
		.low_space = true,
	};
}

static void fake_halt(struct sopi_backend *backend)
{
	struct fake *fake = (struct fake *)backend;

	assert_true(fake->stops == 0 && fake->halts == 0);
	fake->halts++;
}

static sop_status fake_pace(struct sopi_backend *backend, int64_t deadline_ns, bool urgent, sop_error *err)
{
	(void)backend, (void)deadline_ns, (void)urgent, (void)err;
	return SOP_OK;
}

static sop_status fake_out_of_space(struct sopi_backend *backend, sop_error *err)
{
	return sopi_fail(err, SOP_NO_SPACE, "the disk of the fake %s is full", backend->name);
}

static void fake_committed(struct sopi_backend *backend, size_t bytes, bool weak)
{
	(void)backend, (void)bytes, (void)weak;
}

/* Values stay in memory. */
static sop_status fake_write_values(struct sopi_backend *backend, struct sopi_value *values,
				    sop_error *err)
{
	(void)backend, (void)values, (void)err;
	return SOP_OK;
}

static void fake_value_committed(struct sopi_backend *backend, const struct sopi_value *value,
				 uint64_t position)
{
	(void)backend, (void)value, (void)position;
}

static void fake_value_gone(struct sopi_backend *backend, struct sopi_value *value)
{
	(void)backend, (void)value;
}

static sop_status fake_read_value(struct sopi_backend *backend, const struct sopi_value *value,
				  sop_buf *out, sop_error *err)
{
	(void)backend;
	out->size = 0;
	SOP_TRY(sop_buf_reserve(out, (size_t)value->size, err));
	memcpy(out->data, value->bytes, (size_t)value->size);
	out->size = (size_t)value->size;
	return SOP_OK;
}

static void fake_store_gone(struct sopi_backend *backend, struct sopi_store *store)
{
	(void)backend;
	sopi_store_free_shell(store);
}

static sop_status fake_stop(struct sopi_backend *backend, sop_error *err)
{
	struct fake *fake = (struct fake *)backend;

	fake->stops++;
	fake->was_open_at_stop =
		!fake->db->engine->forest.closing &&
		sopi_tree_count(&fake->db->engine->catalog.names.tree, SOPI_POSITION_HEAD) == 0;
	return answer(fake, err);
}

static void fake_free(struct sopi_backend *backend)
{
	struct fake *fake = (struct fake *)backend;

	assert_int_equal(fake->stops, 1);
	assert_true(fake->db->engine->forest.closing); /* the trees have gone, */
	assert_null(fake->db->engine->backend); /* and nobody can come here any more */
	fake->frees++;
}

static const struct sopi_backend_driver driver = {
	.pace = fake_pace,
	.out_of_space = fake_out_of_space,
	.committed = fake_committed,
	.write_values = fake_write_values,
	.value_committed = fake_value_committed,
	.value_gone = fake_value_gone,
	.read_value = fake_read_value,
	.store_gone = fake_store_gone,
	.sync = fake_sync,
	.checkpoint = fake_checkpoint,
	.gc = fake_gc,
	.backup = fake_backup,
	.verify = fake_verify,
	.get_stats = fake_get_stats,
	.has_failed = fake_has_failed,
	.halt = fake_halt,
	.stop = fake_stop,
	.free = fake_free,
};

struct scene {
	struct fake fake;
	sop_error err;
	sop_db *db;
};

static void scene_open(struct scene *s, const char *url)
{
	const sop_error fresh = SOP_ERROR_INIT;

	memset(s, 0, sizeof *s);
	s->err = fresh;
	TEST_OK(sop_open(url, NULL, &s->db, &s->err), s->err);
	s->fake.head = (struct sopi_backend){ &driver, "inredfs", 7, { 1, 2, 3 } };
	s->fake.db = s->db;
	s->db->engine->backend = &s->fake.head;
}

static void scene_close(struct scene *s)
{
	sop_db_free(s->db);
	assert_int_equal(s->fake.halts, 1);
	assert_int_equal(s->fake.stops, 1);
	assert_int_equal(s->fake.frees, 1);
}

/* Counts its calls in *arg, and says no at the count that is set there in the upper half. */
static int progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	unsigned *counts = arg; /* calls so far, and the one at which to stop */

	assert_int_equal(done_bytes, counts[0] * 100);
	assert_int_equal(total_bytes, 300);
	return ++counts[0] == counts[1] ? -1 : 0;
}

static void calls_reach_the_backend(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, "inmemory:");
	TEST_OK(sop_sync(s.db, &s.err), s.err);
	TEST_OK(sop_checkpoint(s.db, &s.err), s.err);
	TEST_OK(sop_gc(s.db, NULL, NULL, &s.err), s.err);
	assert_true(s.fake.syncs == 1 && s.fake.checkpoints == 1 && s.fake.gcs == 1);
	s.fake.answer = SOP_FAILED;
	TEST_STATUS(sop_sync(s.db, &s.err), SOP_FAILED, s.err);
	TEST_STATUS(sop_checkpoint(s.db, &s.err), SOP_FAILED, s.err);
	TEST_STATUS(sop_gc(s.db, NULL, NULL, &s.err), SOP_FAILED, s.err);
	assert_string_equal(s.err.message, "the fake was told so");
	s.fake.answer = SOP_OK;
	scene_close(&s);
}

static void progress_is_told_and_may_say_no(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, "inmemory:");
	for (unsigned stop = 0; stop <= 4; stop++) { /* 0: never */
		const sop_status wanted = stop == 0 ? SOP_OK : SOP_CANCELLED;
		unsigned of_gc[2] = { 0, stop }, of_backup[2] = { 0, stop };
		uint64_t position = 0;

		s.fake.was_stopped = false;
		TEST_STATUS(sop_gc(s.db, progress, of_gc, &s.err), wanted, s.err);
		TEST_STATUS(sop_backup(s.db, "to/there", progress, of_backup, &position, &s.err),
			    wanted, s.err);
		assert_int_equal(of_gc[0], stop == 0 ? 4 : stop);
		assert_int_equal(of_backup[0], of_gc[0]);
		assert_int_equal(position, stop == 0 ? 42 : 0); /* left alone by failures */
		assert_int_equal(s.fake.was_stopped, stop != 0);
	}
	assert_string_equal(s.fake.path, "to/there");
	TEST_OK(sop_backup(s.db, "./inredfs:x", NULL, NULL, NULL, &s.err), s.err);
	assert_string_equal(s.fake.path, "./inredfs:x");
	scene_close(&s);
}

static void figures_come_from_the_backend(void **state)
{
	struct scene s;
	sop_stats stats = SOP_STATS_INIT;
	sop_info info = SOP_INFO_INIT;
	sop_buf text = SOP_BUF_INIT;
	const uint64_t *first = &stats.durable_position;

	(void)state;
	scene_open(&s, "inmemory:?log_bytes_max=8MB&flush_interval_ms=20&registry_buckets=500");
	TEST_OK(sop_db_stats(s.db, &stats, &s.err), s.err);
	for (uint64_t i = 0; i < 18; i++)
		assert_int_equal(first[i], i + 1);
	assert_true(stats.failed == 1 && stats.low_space == 1);
	TEST_OK(sop_db_metrics(s.db, &text, &s.err), s.err);
	TEST_OK(sop_buf_reserve(&text, text.size + 1, &s.err), s.err);
	((char *)text.data)[text.size] = '\0';
	assert_non_null(strstr(text.data, "\nsop_disk_bytes 18\n"));
	assert_non_null(strstr(text.data, "\nsop_flushes_total 5\n"));
	TEST_OK(sop_db_info(s.db, &info, &text, &s.err), s.err);
	assert_string_equal(info.backend, "inredfs");
	assert_int_equal(info.format, 7);
	assert_memory_equal(info.uuid, s.fake.head.uuid, 16);
	assert_int_equal(info.cache_bytes, 9);
	assert_int_equal(info.log_bytes_max, 8 << 20);
	assert_int_equal(info.flush_interval_ms, 20);
	assert_int_equal(info.registry_buckets, 500);
	sop_buf_free(&text);
	scene_close(&s);
}

/* Notes how often it was called in arg[0]; says no at call arg[1]. */
static int found(void *arg, const sop_problem *problem)
{
	unsigned *counts = arg;
	const bool first = counts[0] == 0;

	assert_int_equal(problem->file.size, first ? 0 : 7);
	assert_non_null(problem->file.data);
	assert_memory_equal(problem->file.data, "packs/7", first ? 0 : 7);
	assert_int_equal(problem->offset, first ? -1 : 4096);
	assert_int_equal(problem->store.size, first ? 0 : 6);
	assert_string_equal(problem->kind, "checksum");
	assert_string_equal(problem->message, "the page is damaged");
	return ++counts[0] == counts[1] ? 1 : 0;
}

static void verify_tells_of_files_too(void **state)
{
	struct scene s;
	uint64_t problems = 77;
	unsigned counts[2] = { 0, 0 };

	(void)state;
	scene_open(&s, "inmemory:");
	TEST_OK(sop_verify(s.db, found, NULL, counts, &problems, &s.err), s.err);
	assert_true(problems == 0 && s.fake.verifies == 1);
	s.fake.problems = 3;
	TEST_STATUS(sop_verify(s.db, found, NULL, counts, &problems, &s.err), SOP_CORRUPT, s.err);
	assert_true(problems == 3 && counts[0] == 3);
	TEST_STATUS(sop_verify(s.db, NULL, NULL, NULL, &problems, &s.err), SOP_CORRUPT, s.err);
	assert_int_equal(problems, 3);
	counts[0] = 0;
	counts[1] = 2;
	TEST_STATUS(sop_verify(s.db, found, NULL, counts, &problems, &s.err), SOP_CANCELLED, s.err);
	assert_true(problems == 2 && counts[0] == 2 && s.fake.was_stopped);
	s.fake.problems = 0;
	s.fake.answer = SOP_IO; /* it could not be checked */
	TEST_STATUS(sop_verify(s.db, NULL, NULL, NULL, &problems, &s.err), SOP_IO, s.err);
	assert_int_equal(problems, 0);
	s.fake.answer = SOP_OK;
	scene_close(&s);
}

static void a_close_that_fails_has_closed(void **state)
{
	struct scene s;
	sop_txn *txn = NULL;

	(void)state;
	scene_open(&s, "inmemory:");
	TEST_OK(sop_begin(s.db, NULL, &txn, &s.err), s.err);
	s.fake.answer = SOP_IO;
	TEST_STATUS(sop_close(s.db, &s.err), SOP_IO, s.err);
	assert_string_equal(s.err.message, "the fake was told so");
	assert_true(s.fake.was_open_at_stop && s.fake.stops == 1 && s.fake.frees == 1);
	TEST_OK(sop_close(s.db, &s.err), s.err);
	TEST_STATUS(sop_commit(txn, &s.err), SOP_CLOSED, s.err);
	TEST_STATUS(sop_sync(s.db, &s.err), SOP_CLOSED, s.err);
	TEST_STATUS(sop_backup(s.db, "x", NULL, NULL, NULL, &s.err), SOP_CLOSED, s.err);
	sop_txn_free(txn);
	scene_close(&s);
}

static void durability_is_the_databases_unless_it_is_said(void **state)
{
	static const struct {
		const char *url;
		enum sopi_durability wanted[4]; /* for 0, SOP_FLUSHED, SOP_WRITTEN, SOP_BUFFERED */
	} rows[] = {
		{ "inmemory:", { SOPI_FLUSHED, SOPI_FLUSHED, SOPI_WRITTEN, SOPI_BUFFERED } },
		{ "inmemory:?durability=written",
		  { SOPI_WRITTEN, SOPI_FLUSHED, SOPI_WRITTEN, SOPI_BUFFERED } },
		{ "inmemory:?durability=buffered",
		  { SOPI_BUFFERED, SOPI_FLUSHED, SOPI_WRITTEN, SOPI_BUFFERED } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct scene s;

		scene_open(&s, rows[i].url);
		for (uint32_t durability = 0; durability < 4; durability++) {
			sop_txn_options options = SOP_TXN_OPTIONS_INIT;
			sop_txn *txn = NULL;

			options.durability = durability;
			TEST_OK(sop_begin(s.db, &options, &txn, &s.err), s.err);
			assert_int_equal(txn->core.durability, rows[i].wanted[durability]);
			TEST_OK(sop_rollback(txn, &s.err), s.err);
			TEST_OK(sop_txn_renew(txn, &s.err), s.err);
			assert_int_equal(txn->core.durability, rows[i].wanted[durability]);
			sop_txn_free(txn);
		}
		scene_close(&s);
	}
}

/* The platform that it is opened on is the one that it uses: the clock stands still there. */
static void databases_open_on_a_simulated_platform(void **state)
{
	struct sopi_sim_clock *clock = sopi_sim_clock_new(1000, 1000);
	struct sopi_sim_disk *disk = sopi_sim_disk_new();
	struct sopi_sim_process *process = sopi_sim_process_new(disk, clock, 1);
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;
	sop_txn *txn = NULL;
	sop_buf names = SOP_BUF_INIT;

	(void)state;
	TEST_OK(sopi_db_open_on("inmemory:", NULL, sopi_sim_platform(process), &db, &err), err);
	options.deadline_ms = 1;
	TEST_OK(sop_begin(db, &options, &txn, &err), err);
	test_sleep_us(5000);
	TEST_OK(sop_store_list(txn, &names, NULL, &err), err);
	sopi_sim_clock_advance(clock, 2000000);
	TEST_STATUS(sop_store_list(txn, &names, NULL, &err), SOP_TIMEOUT, err);
	TEST_STATUS(sopi_db_open_on(NULL, NULL, sopi_sim_platform(process), &db, &err), SOP_MISUSE, err);
	sop_buf_free(&names);
	sop_txn_free(txn);
	sop_db_free(db);
	sopi_sim_process_free(process);
	sopi_sim_disk_free(disk);
	sopi_sim_clock_free(clock);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_reach_the_backend),
		cmocka_unit_test(progress_is_told_and_may_say_no),
		cmocka_unit_test(figures_come_from_the_backend),
		cmocka_unit_test(verify_tells_of_files_too),
		cmocka_unit_test(a_close_that_fails_has_closed),
		cmocka_unit_test(durability_is_the_databases_unless_it_is_said),
		cmocka_unit_test(databases_open_on_a_simulated_platform),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
