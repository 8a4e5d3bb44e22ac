/* Out of memory at every allocation of the scenarios on disk, once and for ever: the answer is NO_MEMORY or success, a
 * transaction happens wholly or not at all, the database goes on without being opened again, and nothing leaks. */
#include "fault/disk.h"

#include "base/alloc.h"

#include <string.h>
#include <unistd.h>

enum {
	POINT_SECONDS_MAX = 60, /* in which a point must come to its end */
	POINTS_MAX = 400, /* of a scenario and mode, at scale 1: spread over its allocations */
	POINTS_FLOOR = 3000, /* at scale 1 */
};

static int64_t points;
static int64_t scenarios_run;

/* Lets allocation `n` of a scenario fail. */
static void fail_at(const struct disk_model *model, bool for_ever, int64_t n)
{
	struct disk_run run;
	sop_status status;

	disk_note_point("%s, allocation %lld of %lld fails %s: SOP_TEST_FAULT=%d:%lld repeats it",
			model->scenario->name, (long long)n, (long long)model->allocations,
			for_ever ? "for ever" : "once", for_ever, (long long)n);
	(void)alarm(POINT_SECONDS_MAX);
	disk_run_begin(&run, model);
	sopi_alloc_fail_after(n, for_ever);
	status = disk_run_steps(&run);
	sopi_alloc_fail_after(-1, false);
	if (status != SOP_OK && status != SOP_NO_MEMORY)
		fail_msg("step %zu: %s: %s", run.step, sop_status_name(status), run.err.message);
	assert_true(status == SOP_OK || run.err.message[0] != '\0');
	if (disk_has_failed(&run))
		fail_msg("the database has failed in step %zu", run.step);
	disk_run_end(&run, false);
	(void)alarm(0);
	disk_forget_point();
	points++;
}

static void try_all(const struct disk_model *model)
{
	const int64_t most = (int64_t)test_scaled(POINTS_MAX / (model->scenario->weight + 1u));
	const int64_t step = model->allocations / most + 1;

	for (int for_ever = 0; for_ever <= 1; for_ever++) {
		/* Once at these, for ever at those between. */
		for (int64_t n = for_ever * (step / 2); n < model->allocations; n += step)
			fail_at(model, for_ever != 0, n);
	}
}

static void every_allocation_may_fail(void **state)
{
	const struct disk_scenario *scenario = *state;
	const int64_t before = points;
	struct disk_model model;
	int64_t for_ever, n;

	disk_model_make(scenario, &model);
	if (disk_one_point(&for_ever, &n))
		fail_at(&model, for_ever != 0, n);
	else
		try_all(&model);
	disk_model_free(&model);
	scenarios_run++;
	print_message("%-14s %5lld allocations, %5lld fault points\n", scenario->name,
		      (long long)model.allocations, (long long)(points - before));
	if (model.allocations < scenario->allocations_floor)
		fail_msg("%s has only %lld allocations to fail, fewer than %lld", scenario->name,
			 (long long)model.allocations, (long long)scenario->allocations_floor);
}

static int after_scenario(void **state)
{
	sopi_alloc_fail_after(-1, false);
	return disk_after_test(state);
}

static void no_point_was_lost(void **state)
{
	(void)state;
	disk_check_points("out of memory on disk", points, scenarios_run, POINTS_FLOOR);
}

int main(int argc, char **argv)
{
	test_begin(argc, argv);
	return disk_run_scenarios(every_allocation_may_fail, after_scenario, no_point_was_lost);
}
