/* How long sop_run goes on, by a clock that goes as the test says. */
#include "api/handle.h"
#include "platform/sim.h"
#include "support/support.h"

#include <string.h>

enum { SEED = 7 };

#define SECOND_NS ((int64_t)1000000000)

struct place {
	struct sopi_sim_disk *disk;
	struct sopi_sim_clock *clock;
	struct sopi_sim_process *process;
	sop_db *db;
	sop_error err;
	int64_t attempt_s; /* how long each takes */
	unsigned runs;
	unsigned conflicts; /* that many runs end with one */
};

static void place_open(struct place *place)
{
	const struct place fresh = { .err = SOP_ERROR_INIT };
	sop_options *options = NULL;

	*place = fresh;
	place->disk = sopi_sim_disk_new();
	place->clock = sopi_sim_clock_new(0, 0);
	sopi_sim_clock_set_automatic(place->clock, 0);
	place->process = sopi_sim_process_new(place->disk, place->clock, SEED);
	TEST_OK(sop_options_new(&options, &place->err), place->err);
	options->engine.no_background = true;
	TEST_OK(sop_options_set_bool(options, "create", 1, &place->err), place->err);
	TEST_OK(sopi_db_open_on("/db", options, sopi_sim_platform(place->process), &place->db, &place->err),
		place->err);
	sop_options_free(options);
}

static void place_close(struct place *place)
{
	sop_db_free(place->db);
	sopi_sim_process_free(place->process);
	sopi_sim_clock_free(place->clock);
	sopi_sim_disk_free(place->disk);
}

static sop_status slow_body(sop_txn *txn, void *arg, sop_error *err)
{
	struct place *place = arg;

	(void)txn;
	(void)err;
	place->runs++;
	sopi_sim_clock_advance(place->clock, place->attempt_s * SECOND_NS);
	return place->runs <= place->conflicts ? SOP_CONFLICT : SOP_OK;
}

static sop_status run(struct place *place, int64_t attempt_s, unsigned conflicts, int64_t deadline_ms)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	options.deadline_ms = deadline_ms;
	place->attempt_s = attempt_s;
	place->conflicts = conflicts;
	place->runs = 0;
	return sop_run(place->db, &options, slow_body, place, &place->err);
}

static void a_body_that_always_conflicts_ends_after_thirty_seconds(void **state)
{
	struct place place;

	(void)state;
	place_open(&place);
	TEST_STATUS(run(&place, 1, 1000, 0), SOP_TIMEOUT, place.err);
	assert_in_range(place.runs, 29, 30); /* pauses take a little of it */
	assert_non_null(strstr(place.err.message, "30 seconds"));
	TEST_OK(run(&place, 1, 25, 0), place.err);
	assert_int_equal(place.runs, 26);
	place_close(&place);
}

static void a_long_body_is_not_cut_off(void **state)
{
	struct place place;

	(void)state;
	place_open(&place);
	TEST_OK(run(&place, 3600, 0, 0), place.err);
	TEST_STATUS(run(&place, 3600, 1, 0), SOP_TIMEOUT, place.err);
	assert_int_equal(place.runs, 1);
	place_close(&place);
}

static void a_deadline_goes_before(void **state)
{
	struct place place;

	(void)state;
	place_open(&place);
	TEST_OK(run(&place, 40, 3, 600000), place.err);
	TEST_STATUS(run(&place, 1, 1000, 5000), SOP_TIMEOUT, place.err);
	assert_in_range(place.runs, 4, 6);
	place_close(&place);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_that_always_conflicts_ends_after_thirty_seconds),
		cmocka_unit_test(a_long_body_is_not_cut_off),
		cmocka_unit_test(a_deadline_goes_before),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
