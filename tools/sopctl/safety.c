/* backup, restore, gc, compact: copies of a database, and space given back. */
#include "access.h"
#include "commands.h"
#include "facts.h"
#include "status.h"
#include "terminal.h"
#include "text.h"
#include "try.h"

#include <string.h>

#define COMPACT_ROUNDS_MAX 8 /* of gc: each makes room for the next */
#define COMPACT_GAIN_BYTES ((uint64_t)64 << 10) /* a round that gives back less is the last */

static sop_status backup(struct access *access)
{
	struct facts facts = { .count = 0 };
	struct progress shown;
	uint64_t position = 0;
	sop_status status;

	TRY(access_open(access, OPENING_CHANGE));
	progress_begin(&shown, access_progress(access), "backup", 0);
	status = sop_backup(access->db, access->invocation->arguments[0], progress_call, &shown,
			    &position, &access->err);
	progress_end(&shown);
	TRY(status);
	fact_number(&facts, "position", position);
	return print_facts(access, &facts);
}

static int run_backup(struct invocation *invocation)
{
	struct access access;

	access_begin(&access, invocation);
	return access_end(&access, backup(&access));
}

const struct command command_backup = {
	.name = "backup",
	.summary = "copy a database into a folder",
	.help = "Copies the database, consistent as of one position, which is printed, into FOLDER, which must be missing or empty. "
		"The copy is checked and on stable storage when the command ends. restore brings it back.",
	.arguments = "URL FOLDER",
	.arguments_min = 2,
	.arguments_max = 2,
	.run = run_backup,
	.takes = TAKES_OUTPUT | TAKES_QUIET,
};

static sop_status restore(struct access *access)
{
	const struct invocation *invocation = access->invocation;
	struct progress shown;
	sop_status status;

	progress_begin(&shown, access_progress(access), "restore", 0);
	status = sop_restore(invocation->arguments[0], invocation->arguments[1], progress_call,
			     &shown, &access->err);
	progress_end(&shown);
	return status;
}

static int run_restore(struct invocation *invocation)
{
	struct access access;

	access_begin(&access, invocation);
	return access_end(&access, restore(&access));
}

const struct command command_restore = {
	.name = "restore",
	.summary = "make a database from a backup",
	.help = "Makes a database in FOLDER, which must be missing or empty, from the copy that backup made in BACKUP, and checks "
		"it. The copy stays as it is. Nothing that is there is ever replaced.",
	.arguments = "BACKUP FOLDER",
	.arguments_min = 2,
	.arguments_max = 2,
	.run = run_restore,
	.takes = TAKES_QUIET,
};

/* Bytes in all files of the database. */
static sop_status disk_bytes(struct access *access, uint64_t *bytes)
{
	sop_stats stats = SOP_STATS_INIT;

	TRY(sop_db_stats(access->db, &stats, &access->err));
	*bytes = stats.disk_bytes;
	return SOP_OK;
}

/* Up to `rounds_max` rounds of gc, as long as they give something back. */
static sop_status collect(struct access *access, uint64_t rounds_max)
{
	struct facts facts = { .count = 0 };
	uint64_t before = 0, after = 0, rounds = 0;
	struct progress shown;
	sop_status status = SOP_OK;
	uint64_t last;

	TRY(access_open(access, OPENING_CHANGE));
	TRY(disk_bytes(access, &before));
	after = before;
	progress_begin(&shown, access_progress(access), access->invocation->command->name, 0);
	do {
		last = after;
		status = sop_gc(access->db, progress_call, &shown, &access->err);
		if (status == SOP_OK)
			status = disk_bytes(access, &after);
		rounds++;
	} while (status == SOP_OK && rounds < rounds_max && after + COMPACT_GAIN_BYTES < last);
	progress_end(&shown);
	TRY(status);
	fact_number(&facts, "before_bytes", before);
	fact_number(&facts, "after_bytes", after);
	fact_number(&facts, "rounds", rounds);
	return print_facts(access, &facts);
}

static int run_gc(struct invocation *invocation)
{
	struct access access;

	access_begin(&access, invocation);
	return access_end(&access, collect(&access, 1));
}

static int run_compact(struct invocation *invocation)
{
	struct access access;

	access_begin(&access, invocation);
	return access_end(&access, collect(&access, COMPACT_ROUNDS_MAX));
}

const struct command command_gc = {
	.name = "gc",
	.summary = "give space back to the file system",
	.help = "Writes a checkpoint, rewrites data files that are mostly dead, removes what nothing needs, trims the log. It happens "
		"by itself as space is needed; this does it at once, in one round. Prints the bytes before and after.",
	.arguments = "URL",
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run_gc,
	.takes = TAKES_OUTPUT | TAKES_QUIET,
};

const struct command command_compact = {
	.name = "compact",
	.summary = "give back all space that can be given back",
	.help = "As gc, in rounds, as long as each gives something back.",
	.arguments = "URL",
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run_compact,
	.takes = TAKES_OUTPUT | TAKES_QUIET,
};
