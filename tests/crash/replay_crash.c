/* Crashes of a schedule, and what is there after them.
 *
 * A power cut may leave the disk in many ways, all of which are looked at in copies. The schedule goes on with one that
 * kept as many commits as in the specification. There may be none: the log writes a group whole, the specification writes
 * commit by commit. */
#include "crash/replay.h"

#include "api/handle.h"
#include "log/log_wal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- looking ------------------------------------------------------------------------------------------ */

/* How many commits are there: the first ones, without a gap. */
static bool count_there(const struct replay *replay, struct base *base, size_t *there, char words[WORDS])
{
	*there = 1;
	for (size_t i = 1; i < replay->count; i++) {
		sop_outcome outcome = SOP_OUTCOME_PENDING;
		sop_error err = SOP_ERROR_INIT;
		uint64_t position;

		if (sop_txn_outcome(base->db, replay->commits[i].id, &outcome, &position, &err) != SOP_OK) {
			(void)snprintf(words, WORDS, "asking for an outcome: %.250s", err.message);
			return false;
		}
		if (outcome != SOP_OUTCOME_COMMITTED && !(replay->commits[i].empty && *there == i))
			continue;
		if (*there != i) {
			(void)snprintf(words, WORDS, "commit %zu is there, though %zu is not", i, *there);
			return false;
		}
		++*there;
	}
	return true;
}

/* Opens the disk: it must show the state after at least `least` commits. It stays open if that is so. */
static bool open_and_look(struct replay *replay, struct sopi_sim_disk *disk, size_t least,
			  struct base *base, size_t *there)
{
	char picture[REPLAY_PICTURE_BYTES], words[WORDS];
	sop_error err = SOP_ERROR_INIT;

	replay->states++;
	replay->counts->states++;
	if (base_open(base, disk, &replay->config, false, &err) != SOP_OK) {
		replay_wrong(replay, "opening: %s: %.250s", sop_status_name(err.status), err.message);
		return false;
	}
	if (!count_there(replay, base, there, words) || !replay_picture(base, picture, words))
		replay_wrong(replay, "%s", words);
	else if (*there < least)
		replay_wrong(replay, "%zu commits are there, %zu had to survive", *there - 1, least - 1);
	else if (strcmp(picture, replay->commits[*there - 1].picture) != 0)
		replay_wrong(replay, "after %zu of %zu commits: '%.150s' instead of '%.150s'",
			     *there - 1, replay->count - 1, picture,
			     replay->commits[*there - 1].picture);
	else if (replay->states % 4 == 0 && !base_verify(base, words))
		replay_wrong(replay, "%s", words);
	if (replay->broken)
		(void)base_close(base, NULL);
	return !replay->broken;
}

/* Are these as many commits, but for those that came to nothing? */
static bool as_many(const struct replay *replay, size_t there, size_t wanted)
{
	while (there > wanted && replay->commits[there - 1].empty)
		there--;
	return there == wanted;
}

/* ---- crashing ----------------------------------------------------------------------------------------- */

/* The commits that the engine has told to be durable must survive, whatever the specification asks. */
static size_t durable_commits(const struct replay *replay)
{
	const struct sopi_log *log = replay->base.db->engine->log;
	const uint64_t durable = log->driver->durable(replay->base.db->engine->log);
	size_t count = 1;

	while (count < replay->count && replay->commits[count].position <= durable)
		count++;
	return count;
}

static void end_transactions(struct replay *replay)
{
	for (size_t i = 0; i < REPLAY_TXNS_MAX; i++) {
		struct replay_txn *in = &replay->txns[i];

		turn_free(in->turn);
		sop_txn_free(in->txn);
		*in = (struct replay_txn){ .txn = NULL };
	}
}

/* Returns how many commits must survive. */
size_t replay_kill(struct replay *replay)
{
	size_t least = replay->count;

	if (replay->base.process != NULL) {
		least = durable_commits(replay);
		sopi_sim_kill(replay->base.process);
	}
	replay_end_turns(replay);
	end_transactions(replay);
	if (replay->base.process != NULL)
		(void)base_close(&replay->base, NULL);
	return least;
}

/* The ways in which the power may be cut. */
static struct sopi_sim_cut cut_of(const struct replay *replay, size_t way)
{
	static const enum sopi_sim_keep keep[REPLAY_DISKS_MAX] = {
		SOPI_SIM_KEEP_NONE, SOPI_SIM_KEEP_ALL, SOPI_SIM_KEEP_SOME,
		SOPI_SIM_KEEP_SOME, SOPI_SIM_TEAR_ONE, SOPI_SIM_DROP_ONE
	};
	const size_t changes = sopi_sim_disk_unsynced(replay->disk);

	return (struct sopi_sim_cut){ .keep = keep[way],
				      .which = changes != 0 ? (replay->seed + way) % changes : 0,
				      .tear_bytes = way % 2 == 0 ? SOPI_SIM_SECTOR_BYTES
								 : SOPI_SIM_PAGE_BYTES,
				      .seed = replay->seed * REPLAY_DISKS_MAX + way };
}

/* Looks at what each way leaves; the first that leaves as many commits as wanted, or one behind the last. */
static size_t try_ways(struct replay *replay, size_t least, size_t wanted)
{
	size_t found = REPLAY_DISKS_MAX;

	for (size_t way = 0; way < REPLAY_DISKS_MAX && !replay->broken; way++) {
		struct sopi_sim_disk *copy = sopi_sim_disk_copy(replay->disk);
		const struct sopi_sim_cut cut = cut_of(replay, way);
		struct base base;
		size_t there = 0;

		sopi_sim_power_cut(copy, &cut);
		if (open_and_look(replay, copy, least, &base, &there)) {
			(void)base_close(&base, NULL);
			if (as_many(replay, there, wanted) && found == REPLAY_DISKS_MAX)
				found = way;
		}
		sopi_sim_disk_free(copy);
		if (sopi_sim_disk_unsynced(replay->disk) == 0) /* all ways are one */
			return found;
	}
	return found;
}

static void cut_power(struct replay *replay, size_t way)
{
	const struct sopi_sim_cut cut = cut_of(replay, way);

	sopi_sim_power_cut(replay->disk, &cut);
}

/* crash (kill|power) LEAST THERE */
void replay_crash(struct replay *replay, const struct line *line)
{
	const size_t promised = line->count == 4 ? strtoull(line->word[2], NULL, 10) + 1 : 1;
	size_t least = replay_kill(replay);

	replay->counts->crashes++;
	if (line->count != 4) {
		replay_wrong(replay, "the schedule does not say what a crash may leave");
		return;
	}
	replay->wanted = strtoull(line->word[3], NULL, 10) + 1;
	replay->least = least > promised ? least : promised;
	if (strcmp(line->word[1], "kill") == 0)
		return;
	least = try_ways(replay, replay->least, replay->wanted);
	cut_power(replay, least % REPLAY_DISKS_MAX);
}

void replay_last_crash(struct replay *replay)
{
	const size_t least = replay_kill(replay);

	(void)try_ways(replay, least, 0);
}

/* again (kill|power) STEPS */
void replay_crash_again(struct replay *replay, const struct line *line)
{
	const int64_t calls = line->count == 3 ? strtoll(line->word[2], NULL, 10) * 3 : 0;
	sop_error err = SOP_ERROR_INIT;
	struct base base;

	if (base_open_killed(&base, replay->disk, &replay->config, calls, &err) == SOP_OK) {
		sopi_sim_kill(base.process);
		(void)base_close(&base, NULL);
	}
	if (strcmp(line->word[1], "power") == 0)
		cut_power(replay, (size_t)(replay->seed % REPLAY_DISKS_MAX));
}

void replay_recover(struct replay *replay)
{
	size_t there = 0;

	if (!open_and_look(replay, replay->disk, replay->least, &replay->base, &there))
		return;
	replay->parted = !as_many(replay, there, replay->wanted);
	replay->counts->parted += replay->parted;
	replay->count = replay->parted ? there : replay->wanted;
}
