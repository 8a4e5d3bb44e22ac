/* Every file call of a dozen scenarios on disk fails, once and for ever, with each errno that a disk may give: the answer
 * is success or an error that names the file, a transaction happens wholly or not at all, what was acknowledged stays,
 * a full disk is no failure, and the database works once the fault is gone. */
#include "fault/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	POINT_SECONDS_MAX = 60, /* in which a point must come to its end */
	OPENING = SOPI_SIM_OPEN_FILE | SOPI_SIM_OPEN_FOLDER | SOPI_SIM_LIST,
	MAKING = SOPI_SIM_OPEN_FILE | SOPI_SIM_MAKE_FOLDER | SOPI_SIM_ALLOCATE,
	POINTS_FLOOR = 9500, /* at scale 1 */
};

/* A way to fail. */
struct way {
	const char *name;
	int os_errno;
	bool for_ever;
	unsigned calls;
	const char *path; /* NULL: any */
	size_t partial_bytes;
	unsigned every; /* at scale 1, at each so-manieth call only */
	bool harmless; /* the database never fails of it */
};

static const struct way ways[] = {
	{ "EIO once", EIO, false, SOPI_SIM_ANY, NULL, 0, 1, false },
	{ "EIO for ever", EIO, true, SOPI_SIM_ANY, NULL, 0, 1, false },
	{ "ENOSPC once", ENOSPC, false, SOPI_SIM_ANY, NULL, 0, 1, false },
	{ "ENOSPC for ever", ENOSPC, true, SOPI_SIM_ANY, NULL, 0, 1, false },
	{ "EDQUOT once", EDQUOT, false, SOPI_SIM_ANY, NULL, 0, 4, false },
	{ "EDQUOT for ever", EDQUOT, true, SOPI_SIM_ANY, NULL, 0, 4, false },
	{ "EROFS once", EROFS, false, SOPI_SIM_ANY, NULL, 0, 3, false },
	{ "EROFS for ever", EROFS, true, SOPI_SIM_ANY, NULL, 0, 3, false },
	{ "EMFILE once", EMFILE, false, SOPI_SIM_ANY, NULL, 0, 3, false },
	{ "no descriptor once", EMFILE, false, OPENING, NULL, 0, 2, true },
	{ "no descriptor for ever", ENFILE, true, OPENING, NULL, 0, 2, true },
	{ "no descriptor to sync with", EMFILE, true, OPENING | SOPI_SIM_SYNC_FOLDER, NULL, 0, 4, false },
	{ "EACCES once", EACCES, false, SOPI_SIM_ANY, NULL, 0, 3, false },
	{ "EACCES for ever", EACCES, true, SOPI_SIM_ANY, NULL, 0, 3, false },
	{ "short write once", EIO, false, SOPI_SIM_WRITE, NULL, 512, 1, false },
	{ "short write for ever", EIO, true, SOPI_SIM_WRITE, NULL, 4096, 1, false },
	{ "full once", ENOSPC, false, MAKING, NULL, 0, 1, true },
	{ "full for ever", ENOSPC, true, MAKING, NULL, 0, 1, true },
	{ "full packs once", ENOSPC, false, SOPI_SIM_WRITE, "blobs/", 100, 1, true },
	{ "full packs for ever", EDQUOT, true, SOPI_SIM_WRITE | MAKING, "blobs/", 5000, 1, true },
	{ "full registry once", EDQUOT, false, SOPI_SIM_WRITE, "reg/", 100, 1, true },
	{ "full registry for ever", ENOSPC, true, SOPI_SIM_WRITE | MAKING, "reg/", 0, 1, true },
	{ "full manifest", ENOSPC, true, SOPI_SIM_WRITE | MAKING, "tmp/", 10, 1, true },
	{ "full outcomes", ENOSPC, true, SOPI_SIM_WRITE | MAKING, "outcome/", 40, 1, true },
};

enum { WAYS = sizeof ways / sizeof *ways };

static int64_t points;
static int64_t scenarios_run;

/* ---- judging ------------------------------------------------------------------------------------------------------ */

/* Whatever keeps sop_verify from reading a file of the registry is IO to it, a full disk too. */
static bool is_verifying(const struct disk_run *run, const char *call)
{
	return run->model->scenario->verifies && strstr(call, " reg/") != NULL;
}

static bool status_fits(const struct disk_run *run, sop_status status, const char *call,
			const struct way *way)
{
	const int os_errno = way->os_errno;

	switch (status) {
	case SOP_OK:
	case SOP_FAILED:
	case SOP_UNKNOWN:
		return true;
	case SOP_NO_SPACE:
		return os_errno == ENOSPC || os_errno == EDQUOT;
	case SOP_NO_MEMORY:
		return os_errno == EMFILE || os_errno == ENFILE;
	case SOP_READ_ONLY:
		return os_errno == EROFS || os_errno == EACCES;
	case SOP_IO:
		return (os_errno != ENOSPC && os_errno != EDQUOT && os_errno != EROFS) ||
		       strncmp(call, "sync", 4) == 0 || /* a failed sync is IO, whatever its errno */
		       is_verifying(run, call) || way->for_ever;
	default:
		return false;
	}
}

/* Statuses that come from one file name it. */
static bool must_name_file(sop_status status)
{
	return status == SOP_IO || status == SOP_READ_ONLY;
}

static void judge(struct disk_run *run, const struct way *way, sop_status status)
{
	const char *call = sopi_sim_failed_call(run->process);
	const char *path = strchr(call, ' ');

	if (status == SOP_OK)
		return;
	if (path == NULL)
		fail_msg("%s without a fault: %s", sop_status_name(status), run->err.message);
	if (!status_fits(run, status, call, way))
		fail_msg("%s is not what it is: %s", sop_status_name(status), run->err.message);
	assert_int_equal(run->err.status, status);
	assert_true(run->err.message[0] != '\0');
	if (must_name_file(status) && run->err.file[0] == '\0')
		fail_msg("no file is named: %s: %s", sop_status_name(status), run->err.message);
	if (status == SOP_UNKNOWN && !run->in_doubt)
		fail_msg("UNKNOWN from what is no commit: %s", run->err.message);
	if (status == SOP_UNKNOWN && !way->for_ever && strncmp(path, " log", 4) != 0)
		fail_msg("UNKNOWN, but the log has not failed: %s", run->err.message);
	if (way->harmless && status != SOP_NO_SPACE && status != SOP_NO_MEMORY && !is_verifying(run, call))
		fail_msg("%s instead of NO_SPACE or NO_MEMORY: %s", sop_status_name(status),
			 run->err.message);
}

/* ---- points ------------------------------------------------------------------------------------------------------- */

/* Lets call `n` of a scenario fail. Returns whether there was one. */
static bool fail_at(const struct disk_model *model, size_t way_number, int64_t n)
{
	const struct way *way = &ways[way_number];
	const struct sopi_sim_fault fault = { .calls = way->calls,
					      .path = way->path,
					      .after = n,
					      .for_ever = way->for_ever,
					      .os_errno = way->os_errno,
					      .partial_bytes = way->partial_bytes };
	struct disk_run run;
	sop_status status;
	bool was_reached;

	disk_note_point("%s, %s, call %lld: SOP_TEST_FAULT=%zu:%lld repeats it",
			model->scenario->name, way->name, (long long)n, way_number, (long long)n);
	(void)alarm(POINT_SECONDS_MAX);
	disk_run_begin(&run, model);
	sopi_sim_fail(run.process, &fault);
	status = disk_run_steps(&run);
	was_reached = sopi_sim_failed_call(run.process)[0] != '\0';
	disk_note_point("%s, %s, call %lld (%s), step %zu, %s: SOP_TEST_FAULT=%zu:%lld repeats it",
			model->scenario->name, way->name, (long long)n,
			sopi_sim_failed_call(run.process), run.step, sop_status_name(status),
			way_number, (long long)n);
	judge(&run, way, status);
	if (way->harmless)
		assert_false(disk_has_failed(&run));
	sopi_sim_fail(run.process, NULL);
	disk_run_end(&run, n % 2 == 1);
	(void)alarm(0);
	disk_forget_point();
	return was_reached;
}

static void try_all(const struct disk_model *model)
{
	for (size_t way = 0; way < WAYS; way++) {
		const uint64_t every = ways[way].every * (model->scenario->weight + 1u);
		const int64_t step = (int64_t)(every * 1000 / test_scaled(1000) +
					       (every * 1000 < test_scaled(1000)));
		/* What is left out here is tried with another way, so that every call fails in some. */
		int64_t n = (int64_t)way % step;

		for (; fail_at(model, way, n); n += step)
			points++;
	}
}

static void every_call_may_fail(void **state)
{
	const struct disk_scenario *scenario = *state;
	struct disk_model model;
	const int64_t before = points;
	int64_t way, n;

	disk_model_make(scenario, &model);
	if (disk_one_point(&way, &n))
		(void)fail_at(&model, (size_t)way % WAYS, n);
	else
		try_all(&model);
	disk_model_free(&model);
	scenarios_run++;
	print_message("%-14s %5lld calls, %6lld fault points\n", scenario->name,
		      (long long)model.calls, (long long)(points - before));
	if (model.calls < scenario->calls_floor)
		fail_msg("%s has only %lld calls to fail, fewer than %lld", scenario->name,
			 (long long)model.calls, (long long)scenario->calls_floor);
}

static void no_point_was_lost(void **state)
{
	(void)state;
	disk_check_points("file calls", points, scenarios_run, POINTS_FLOOR);
}

int main(int argc, char **argv)
{
	test_begin(argc, argv);
	return disk_run_scenarios(every_call_may_fail, disk_after_test, no_point_was_lost);
}
