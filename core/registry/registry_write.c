/* Writing a checkpoint's changes: as a run, as one run with all others, or as a new map. */
#include "registry/registry_fold.h"
#include "registry/registry_inside.h"

#include "base/alloc.h"

#include <string.h>

enum { RUNS_SHARE = 4 }; /* the runs hold at most 1 / RUNS_SHARE of what the map holds */

/* Changes and what becomes of them. */
struct write {
	struct sopi_registry *registry;
	const struct sopi_regview *current;
	uint64_t position;
	struct sopi_run_source entries;
	struct sopi_regview *view; /* what it will be */
};

static sop_status check_entries(const struct sopi_registry_entry *entries, size_t count, sop_error *err)
{
	for (size_t i = 0; i < count; i++) {
		const char *problem = sopi_entry_problem(&entries[i]);

		if (problem != NULL)
			return sopi_fail(err, SOP_LIMIT, "registry entry %llx: %s",
					 (unsigned long long)entries[i].key, problem);
		if (i > 0 && entries[i - 1].key >= entries[i].key)
			return sopi_fail(err, SOP_MISUSE, "registry entry %llx is out of order",
					 (unsigned long long)entries[i].key);
	}
	return SOP_OK;
}

static sop_status check_state(const struct sopi_registry *registry, uint64_t position, sop_error *err)
{
	const struct sopi_registry_view *names = &registry->current->names;
	const uint64_t newest = names->run_count > 0 ? names->runs[names->run_count - 1] : 0;

	SOPI_CHECK(registry->pending == NULL); /* switch or give_up comes first */
	if (registry->home.sync_failed)
		return sopi_fail(err, SOP_FAILED,
				 "an earlier sync of the registry failed; reopen the database");
	if (position <= newest)
		return sopi_fail(err, SOP_MISUSE, "a run of position %llu is there already",
				 (unsigned long long)newest);
	return SOP_OK;
}

/* The runs of today and the changes, merged, newest entries only. */
static sop_status merge_all(const struct write *write, struct sopi_run **out, sop_error *err)
{
	struct sopi_run_source sources[SOPI_RUNS_MAX + 1];
	size_t source_count = 0;
	size_t total = write->entries.count;

	for (size_t i = 0; i < write->current->names.run_count; i++) {
		const struct sopi_run *run = write->current->runs[i];

		sources[source_count].entries = run->entries;
		sources[source_count++].count = run->count;
		total += run->count; /* both are in memory, so this is no overflow */
	}
	sources[source_count++] = write->entries;
	SOP_TRY(sopi_run_new(write->position, total, out, err));
	(*out)->count = sopi_run_merge(sources, source_count, (*out)->entries);
	return SOP_OK;
}

static void view_set_map(struct sopi_regview *view, struct sopi_map *map)
{
	view->map = map;
	view->names.generation = map != NULL ? map->shape.generation : 0;
	view->names.segment_count = map != NULL ? map->shape.segments : 0;
	view->names.entry_count = map != NULL ? map->entry_count : 0;
}

static void view_add_run(struct sopi_regview *view, struct sopi_run *run)
{
	const size_t number = (size_t)view->names.run_count++;

	view->runs[number] = run;
	view->names.runs[number] = run->position;
	view->names.run_entries[number] = run->count;
}

/* The map of today goes on. */
static void share_map(const struct write *write)
{
	if (write->current->map != NULL)
		atomic_fetch_add(&write->current->map->refs, 1);
	view_set_map(write->view, write->current->map);
}

static void share_runs(const struct write *write)
{
	for (size_t i = 0; i < write->current->names.run_count; i++) {
		atomic_fetch_add(&write->current->runs[i]->refs, 1);
		view_add_run(write->view, write->current->runs[i]);
	}
}

static sop_status save_run(const struct write *write, struct sopi_run *run, sop_error *err)
{
	const sop_status status = sopi_run_save(run, &write->registry->home, err);

	if (status != SOP_OK)
		sopi_run_release(run);
	else
		view_add_run(write->view, run);
	return status;
}

/* One more run. */
static sop_status write_run(const struct write *write, sop_error *err)
{
	struct sopi_run *run = NULL;

	share_map(write);
	share_runs(write);
	SOP_TRY(sopi_run_new(write->position, write->entries.count, &run, err));
	memcpy(run->entries, write->entries.entries, write->entries.count * sizeof *run->entries);
	run->count = write->entries.count;
	return save_run(write, run, err);
}

/* One run instead of all. */
static sop_status write_merged_run(const struct write *write, sop_error *err)
{
	struct sopi_run *run = NULL;

	share_map(write);
	SOP_TRY(merge_all(write, &run, err));
	return save_run(write, run, err);
}

/* A new map without runs. */
static sop_status write_map(const struct write *write, sop_error *err)
{
	struct sopi_registry *registry = write->registry;
	const uint64_t after = registry->newest_generation + 1;
	const uint64_t generation = write->position > after ? write->position : after;
	struct sopi_run *changes = NULL;
	struct sopi_map *map = NULL;
	sop_status status = SOP_OK;

	SOP_TRY(merge_all(write, &changes, err));
	registry->newest_generation = generation;
	status = sopi_map_fold(&registry->home, write->current->map, generation, registry->buckets,
			       changes->entries, changes->count, &map, err);
	sopi_run_release(changes);
	if (status == SOP_OK)
		view_set_map(write->view, map);
	return status;
}

static bool is_time_to_fold(const struct write *write)
{
	uint64_t changes = write->entries.count;

	for (size_t i = 0; i < write->current->names.run_count; i++)
		changes += write->current->runs[i]->count;
	return changes > write->current->names.entry_count / RUNS_SHARE;
}

/* A disk without room for a new map may have some for a run: it is folded another time. */
static sop_status write_changes(const struct write *write, bool fold, sop_error *err)
{
	if (fold || is_time_to_fold(write)) {
		const sop_status status = write_map(write, err);

		if (status != SOP_NO_SPACE || fold)
			return status;
	}
	if (write->current->names.run_count == SOPI_RUNS_MAX)
		return write_merged_run(write, err);
	return write_run(write, err);
}

static sop_status write_view(const struct write *write, bool fold, sop_error *err)
{
	if (!fold && write->entries.count == 0) {
		share_map(write);
		share_runs(write);
		return SOP_OK;
	}
	SOP_TRY(write_changes(write, fold, err));
	return sopi_reghome_sync(&write->registry->home, err);
}

sop_status sopi_registry_write(struct sopi_registry *registry, uint64_t position,
			       const struct sopi_registry_entry *entries, size_t count, bool fold,
			       struct sopi_registry_view *next, sop_error *err)
{
	struct write write = { registry, registry->current, position, { entries, count }, NULL };
	sop_status status = SOP_OK;

	SOP_TRY(check_state(registry, position, err));
	SOP_TRY(check_entries(entries, count, err));
	SOP_TRY(sopi_alloc_zeroed(sizeof *write.view, (void **)&write.view, err));
	write.view->refs = 1;
	write.view->number = registry->current->number + 1;
	registry->pending = write.view;
	registry->changes = entries;
	registry->change_count = count;
	status = write_view(&write, fold, err);
	if (status != SOP_OK) {
		sopi_registry_give_up(registry, false);
		return status;
	}
	if (write.view->map != NULL && write.view->map != write.current->map)
		atomic_fetch_add(&registry->folds, 1);
	*next = write.view->names;
	return SOP_OK;
}
