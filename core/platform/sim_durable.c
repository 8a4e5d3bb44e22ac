/* What a sync, a failed sync, a shortage of memory and a power cut do to a simulated disk. */
#include "platform/sim_disk.h"

#include "base/check.h"

#include <string.h>

/* Whether a sync of `node` is about this change. The sync of the folder that a name came from says nothing about where
 * it went. */
static bool is_about(const struct sopi_sim_change *change, uint32_t node)
{
	if (!sopi_sim_is_of_names(change))
		return change->node == node;
	return (change->kind == SOPI_SIM_RENAMED ? change->to_folder : change->folder) == node;
}

static bool same_name(uint32_t a_folder, const char *a, uint32_t b_folder, const char *b)
{
	return a_folder == b_folder && a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Whether the order of the two matters. */
static bool conflict(const struct sopi_sim_change *a, const struct sopi_sim_change *b)
{
	if (sopi_sim_is_of_names(a) != sopi_sim_is_of_names(b))
		return false;
	if (!sopi_sim_is_of_names(a))
		return a->node == b->node;
	return same_name(a->folder, a->name, b->folder, b->name) ||
	       same_name(a->folder, a->name, b->to_folder, b->to_name) ||
	       same_name(a->to_folder, a->to_name, b->folder, b->name) ||
	       same_name(a->to_folder, a->to_name, b->to_folder, b->to_name);
}

/* A durable change waits only for an older one that is not, and whose order with it matters. */
static bool must_wait(const struct sopi_sim_disk *disk, size_t older_count,
		      const struct sopi_sim_change *change)
{
	for (size_t i = 0; i < older_count; i++)
		if (conflict(&disk->changes[i], change))
			return true;
	return false;
}

/* Where a durable renaming took a name whose adding is not durable, the adding no longer matters: kept or lost, the
 * file has its new name alone. Forgetting it keeps files that are made in a folder which is never synced, and moved
 * out of it, from piling up here. Gives the index of that adding, or `count`. */
static size_t overtaken_by(const struct sopi_sim_disk *disk, size_t count,
			   const struct sopi_sim_change *renamed)
{
	for (size_t i = count; i-- > 0;) {
		const struct sopi_sim_change *older = &disk->changes[i];

		if (!same_name(older->folder, older->name, renamed->folder, renamed->name) &&
		    !same_name(older->to_folder, older->to_name, renamed->folder, renamed->name))
			continue;
		return older->kind == SOPI_SIM_ADDED && !older->forced && older->node == renamed->node
			       ? i
			       : count;
	}
	return count;
}

static size_t forget_overtaken(struct sopi_sim_disk *disk, size_t count,
			       const struct sopi_sim_change *change)
{
	const size_t i = change->kind == SOPI_SIM_RENAMED && change->forced
				 ? overtaken_by(disk, count, change)
				 : count;

	if (i == count)
		return count;
	sopi_sim_change_free(&disk->changes[i]);
	memmove(disk->changes + i, disk->changes + i + 1, (count - i - 1) * sizeof *disk->changes);
	return count - 1;
}

enum { REMOVALS_PER_SWEEP = 64 };

/* Moves what is durable out of the list of changes. */
static void settle(struct sopi_sim_disk *disk)
{
	size_t kept = 0;

	for (size_t i = 0; i < disk->change_count; i++) {
		struct sopi_sim_change change = disk->changes[i];

		kept = forget_overtaken(disk, kept, &change);
		if (change.forced && !must_wait(disk, kept, &change)) {
			sopi_sim_apply(disk, SOPI_SIM_DURABLE, &change, 0, NULL, NULL);
			sopi_sim_change_free(&change);
		} else {
			disk->changes[kept++] = change;
		}
	}
	disk->change_count = kept;
	if (disk->removals >= REMOVALS_PER_SWEEP)
		sopi_sim_sweep(disk);
}

static bool is_within(const struct sopi_sim_change *change, uint64_t from, uint64_t end)
{
	return change->number >= from && change->number < end;
}

void sopi_sim_force(struct sopi_sim_disk *disk, uint32_t node, uint64_t from, uint64_t end)
{
	sopi_sim_record(disk, SOPI_SIM_STEP_FORCE, NULL, node, from, end);
	for (size_t i = 0; i < disk->change_count; i++) {
		struct sopi_sim_change *change = &disk->changes[i];

		if (is_within(change, from, end) && !change->given_up && is_about(change, node))
			change->forced = true;
	}
	settle(disk);
}

void sopi_sim_give_up(struct sopi_sim_disk *disk, uint32_t node, uint64_t from, uint64_t end)
{
	sopi_sim_record(disk, SOPI_SIM_STEP_GIVE_UP, NULL, node, from, end);
	for (size_t i = 0; i < disk->change_count; i++) {
		struct sopi_sim_change *change = &disk->changes[i];

		if (is_within(change, from, end) && !change->forced && is_about(change, node))
			change->given_up = true;
	}
}

/* Names stay in memory as long as their folder is known; content does not. */
static bool is_lost_by_eviction(const struct sopi_sim_change *change)
{
	return change->given_up && !sopi_sim_is_of_names(change);
}

void sopi_sim_evict_locked(struct sopi_sim_disk *disk)
{
	size_t kept = 0;

	sopi_sim_record(disk, SOPI_SIM_STEP_EVICT, NULL, 0, 0, 0);
	for (uint32_t i = 0; i < disk->node_count; i++) {
		struct sopi_sim_node *node = disk->nodes[i];

		if (node == NULL || node->folder)
			continue;
		sopi_sim_content_free(&node->cache.content);
		sopi_sim_content_copy(&node->cache.content, &node->durable.content);
	}
	for (size_t i = 0; i < disk->change_count; i++) {
		struct sopi_sim_change *change = &disk->changes[i];

		if (is_lost_by_eviction(change)) {
			sopi_sim_change_free(change);
			continue;
		}
		if (!sopi_sim_is_of_names(change))
			sopi_sim_apply(disk, SOPI_SIM_CACHE, change, 0, NULL, NULL);
		disk->changes[kept++] = *change;
	}
	disk->change_count = kept;
	for (uint32_t i = 0; i < disk->node_count; i++)
		if (disk->nodes[i] != NULL)
			sopi_sim_content_trim(&disk->nodes[i]->cache.content);
	settle(disk);
}

void sopi_sim_disk_evict(struct sopi_sim_disk *disk)
{
	sopi_mutex_lock(&disk->mutex);
	sopi_sim_evict_locked(disk);
	sopi_mutex_unlock(&disk->mutex);
}

size_t sopi_sim_disk_unsynced(struct sopi_sim_disk *disk)
{
	size_t count = 0;

	sopi_mutex_lock(&disk->mutex);
	for (size_t i = 0; i < disk->change_count; i++)
		count += !disk->changes[i].forced;
	sopi_mutex_unlock(&disk->mutex);
	return count;
}

/* ---- power cut */

/* The coin of one change: the same seed, change and granule fall the same way. */
struct coin {
	uint64_t seed;
	uint64_t granule_bytes;
};

static bool toss(void *arg, uint64_t at)
{
	const struct coin *coin = arg;
	uint64_t state = coin->seed ^ (at / coin->granule_bytes + 1) * UINT64_C(0x9E3779B97F4A7C15);

	return (sopi_sim_next(&state) & 1) != 0;
}

static struct coin coin_of(const struct sopi_sim_cut *cut, size_t index)
{
	uint64_t state = cut->seed + (uint64_t)index * UINT64_C(0xD1342543DE82EF95);
	struct coin coin;

	coin.seed = sopi_sim_next(&state);
	coin.granule_bytes = cut->tear_bytes != 0 ? cut->tear_bytes : UINT64_MAX;
	return coin;
}

/* Keeps the change as far as the toss of a coin says. What cannot be torn is kept or not. */
static void keep_by_coin(struct sopi_sim_disk *disk, const struct sopi_sim_change *change,
			 const struct sopi_sim_cut *cut, size_t index)
{
	struct coin coin = coin_of(cut, index);

	if (change->kind == SOPI_SIM_DATA || toss(&coin, 0))
		sopi_sim_apply(disk, SOPI_SIM_DURABLE, change, cut->tear_bytes, toss, &coin);
}

/* Change number `index` of those that were not synced meets the power cut. */
static void cut_change(struct sopi_sim_disk *disk, const struct sopi_sim_change *change,
		       const struct sopi_sim_cut *cut, size_t index)
{
	const bool chosen = index == cut->which;
	bool whole = false;

	switch (cut->keep) {
	case SOPI_SIM_KEEP_NONE:
		break;
	case SOPI_SIM_KEEP_ALL:
		whole = true;
		break;
	case SOPI_SIM_KEEP_SOME:
		keep_by_coin(disk, change, cut, index);
		break;
	case SOPI_SIM_DROP_ONE:
		whole = !chosen;
		break;
	case SOPI_SIM_KEEP_ONE:
		whole = chosen;
		break;
	case SOPI_SIM_TEAR_ONE:
		whole = !chosen;
		if (chosen)
			keep_by_coin(disk, change, cut, index);
		break;
	}
	if (whole)
		sopi_sim_apply(disk, SOPI_SIM_DURABLE, change, 0, NULL, NULL);
}

/* What the next boot finds is all there is. */
static void boot(struct sopi_sim_disk *disk)
{
	for (uint32_t i = 0; i < disk->node_count; i++) {
		struct sopi_sim_node *node = disk->nodes[i];

		if (node == NULL)
			continue;
		sopi_sim_content_trim(&node->durable.content);
		sopi_sim_view_free(&node->cache);
		sopi_sim_view_copy(&node->cache, &node->durable);
	}
	sopi_sim_sweep(disk);
}

void sopi_sim_power_cut(struct sopi_sim_disk *disk, const struct sopi_sim_cut *cut)
{
	size_t index = 0;

	SOPI_CHECK(cut->tear_bytes == 0 || cut->tear_bytes == SOPI_SIM_SECTOR_BYTES ||
		   cut->tear_bytes == SOPI_SIM_PAGE_BYTES);
	sopi_mutex_lock(&disk->mutex);
	SOPI_CHECK(disk->trace == NULL);
	sopi_sim_kill_all_locked(disk);
	for (size_t i = 0; i < disk->change_count; i++) {
		struct sopi_sim_change *change = &disk->changes[i];

		if (change->forced)
			sopi_sim_apply(disk, SOPI_SIM_DURABLE, change, 0, NULL, NULL);
		else
			cut_change(disk, change, cut, index++);
		sopi_sim_change_free(change);
	}
	disk->change_count = 0;
	boot(disk);
	sopi_mutex_unlock(&disk->mutex);
}
