/* The registry: opening, look-ups, and which view is current. Writing is in registry_write.c. */
#include "registry/registry_inside.h"

#include "base/alloc.h"
#include "base/buffer.h"

#include <stdio.h>
#include <string.h>

/* ---- views */

struct sopi_regview *sopi_regview_take(struct sopi_registry *registry)
{
	struct sopi_regview *view = NULL;

	sopi_mutex_lock(&registry->mutex);
	view = registry->current;
	atomic_fetch_add_explicit(&view->refs, 1, memory_order_relaxed);
	sopi_mutex_unlock(&registry->mutex);
	return view;
}

void sopi_regview_release(struct sopi_regview *view)
{
	if (view == NULL || atomic_fetch_sub(&view->refs, 1) != 1)
		return;
	for (size_t i = 0; i < SOPI_RUNS_MAX; i++)
		sopi_run_release(view->runs[i]);
	sopi_map_release(view->map);
	sopi_free(view);
}

const struct sopi_registry_entry *sopi_regview_find_run(const struct sopi_regview *view, uint64_t key)
{
	for (size_t i = (size_t)view->names.run_count; i-- > 0;) { /* newest first */
		const struct sopi_registry_entry *entry = sopi_run_find(view->runs[i], key);

		if (entry != NULL)
			return entry;
	}
	return NULL;
}

/* ---- opening */

/* Why no registry looks like this, or NULL. The manifest was checked, but it may be of another database. */
static const char *names_problem(const struct sopi_registry_view *names, uint32_t buckets)
{
	if (buckets < SOPI_BUCKETS_ACCEPTED_MIN || buckets > SOPI_BUCKETS_MAX)
		return "the number of buckets is beyond its limits";
	if (names->run_count > SOPI_RUNS_MAX)
		return "there are too many runs";
	if ((names->generation == 0) != (names->segment_count == 0) ||
	    (names->generation == 0) != (names->entry_count == 0))
		return "the map has entries without segments, or segments without entries";
	if (names->generation > INT64_MAX || names->segment_count > UINT32_MAX ||
	    names->entry_count > names->segment_count * buckets * SOPI_REGBLOCK_ENTRIES_MAX)
		return "the map is too large";
	for (size_t i = 0; i < names->run_count; i++) {
		if (i > 0 && names->runs[i] <= names->runs[i - 1])
			return "the runs are out of order";
	}
	return NULL;
}

static sop_status load_view(struct sopi_registry *registry, struct sopi_regview *view, sop_error *err)
{
	const struct sopi_registry_view *names = &view->names;
	struct sopi_folder *folder = registry->home.folder;

	if (names->generation != 0) {
		const struct sopi_map_shape shape = { names->generation, names->segment_count,
						      registry->buckets };

		SOP_TRY(sopi_map_new(folder, &shape, names->entry_count, &view->map, err));
		SOP_TRY(sopi_map_check_heads(view->map, err));
	}
	for (size_t i = 0; i < names->run_count; i++)
		SOP_TRY(sopi_run_load(folder, names->runs[i], names->run_entries[i], &view->runs[i], err));
	return SOP_OK;
}

static sop_status open_view(struct sopi_registry *registry, const struct sopi_registry_view *names,
			    sop_error *err)
{
	const char *problem = names_problem(names, registry->buckets);

	if (problem != NULL)
		return sopi_fail_file(err, SOP_CORRUPT, "MANIFEST", -1, 0, "MANIFEST: %s", problem);
	SOP_TRY(sopi_alloc_zeroed(sizeof *registry->current, (void **)&registry->current, err));
	registry->current->refs = 1;
	registry->current->names = *names;
	registry->newest_generation = names->generation;
	return load_view(registry, registry->current, err);
}

sop_status sopi_registry_open(const struct sopi_platform *platform, struct sopi_folder *folder,
			      uint32_t buckets, size_t cache_bytes, const struct sopi_registry_view *view,
			      struct sopi_registry **out, sop_error *err)
{
	struct sopi_registry *registry = NULL;
	sop_status status = SOP_OK;

	(void)platform; /* nothing here waits, or is random */
	SOP_TRY(sopi_alloc_zeroed(sizeof *registry, (void **)&registry, err));
	sopi_mutex_init(&registry->mutex);
	registry->home.folder = folder;
	registry->buckets = buckets;
	SOP_TRY_OUT(sopi_bucket_cache_new(cache_bytes / 4, &registry->cache, err));
	SOP_TRY_OUT(sopi_places_new(cache_bytes / 4 * 3, &registry->places, err));
	SOP_TRY_OUT(open_view(registry, view, err));
	*out = registry;
out:
	if (status != SOP_OK)
		sopi_registry_close(registry);
	return status;
}

/* ---- files that are to go */

static void retire_map(struct sopi_registry *registry, struct sopi_map *map)
{
	atomic_fetch_add(&map->refs, 1);
	map->next_retired = registry->retired_maps;
	registry->retired_maps = map;
}

static void retire_run(struct sopi_registry *registry, struct sopi_run *run)
{
	atomic_fetch_add(&run->refs, 1);
	run->next_retired = registry->retired_runs;
	registry->retired_runs = run;
}

static bool has_run(const struct sopi_regview *view, const struct sopi_run *run)
{
	for (size_t i = 0; i < SOPI_RUNS_MAX; i++) {
		if (view->runs[i] == run)
			return true;
	}
	return false;
}

/* Keeps what only the view `from` has of the two on the list of files to go, instead of `to`. */
static void retire_difference(struct sopi_registry *registry, const struct sopi_regview *from,
			      const struct sopi_regview *to)
{
	if (from->map != NULL && from->map != to->map)
		retire_map(registry, from->map);
	for (size_t i = 0; i < SOPI_RUNS_MAX; i++) {
		if (from->runs[i] != NULL && !has_run(to, from->runs[i]))
			retire_run(registry, from->runs[i]);
	}
}

/* Takes those off the list that nobody but the list holds, and removes their files if `remove`. Nobody can come to
 * hold one again: it is in no view that can be taken. */
static void drop_retired(struct sopi_registry *registry, bool remove)
{
	struct sopi_map **map_link = &registry->retired_maps;
	struct sopi_run **run_link = &registry->retired_runs;

	while (*map_link != NULL) {
		struct sopi_map *map = *map_link;

		if (atomic_load(&map->refs) != 1) {
			map_link = &map->next_retired;
			continue;
		}
		*map_link = map->next_retired;
		if (remove)
			sopi_map_remove_files(registry->home.folder, &map->shape);
		sopi_bucket_cache_forget(registry->cache, map->shape.generation);
		sopi_map_release(map);
	}
	while (*run_link != NULL) {
		struct sopi_run *run = *run_link;

		if (atomic_load(&run->refs) != 1) {
			run_link = &run->next_retired;
			continue;
		}
		*run_link = run->next_retired;
		if (remove)
			sopi_run_remove_file(run, registry->home.folder);
		sopi_run_release(run);
	}
}

void sopi_registry_close(struct sopi_registry *registry)
{
	if (registry == NULL)
		return;
	sopi_regview_release(registry->pending);
	sopi_regview_release(registry->current);
	drop_retired(registry, false); /* their files go when it is opened again */
	SOPI_CHECK(registry->retired_maps == NULL && registry->retired_runs == NULL);
	sopi_bucket_cache_free(registry->cache);
	sopi_places_free(registry->places);
	sopi_mutex_destroy(&registry->mutex);
	sopi_free(registry);
}

void sopi_registry_switch(struct sopi_registry *registry)
{
	struct sopi_regview *old = registry->current;

	SOPI_CHECK(registry->pending != NULL);
	retire_difference(registry, old, registry->pending);
	atomic_store(&registry->number, registry->pending->number); /* nobody notes what was true before */
	for (size_t i = 0; i < registry->change_count; i++)
		sopi_places_change(registry->places, &registry->changes[i]);
	registry->change_count = 0;
	sopi_mutex_lock(&registry->mutex);
	registry->current = registry->pending;
	sopi_mutex_unlock(&registry->mutex);
	registry->pending = NULL;
	sopi_regview_release(old);
}

static void remove_pending(struct sopi_registry *registry)
{
	const struct sopi_regview *pending = registry->pending;

	if (pending->map != NULL && pending->map != registry->current->map)
		sopi_map_remove_files(registry->home.folder, &pending->map->shape);
	for (size_t i = 0; i < SOPI_RUNS_MAX; i++) {
		if (pending->runs[i] != NULL && !has_run(registry->current, pending->runs[i]))
			sopi_run_remove_file(pending->runs[i], registry->home.folder);
	}
}

void sopi_registry_give_up(struct sopi_registry *registry, bool indefinite)
{
	SOPI_CHECK(registry->pending != NULL);
	if (!indefinite)
		remove_pending(registry);
	sopi_regview_release(registry->pending);
	registry->pending = NULL;
	registry->change_count = 0;
}

void sopi_registry_clean(struct sopi_registry *registry)
{
	drop_retired(registry, true);
}

/* ---- look-ups */

/* Looks for keys that share one hash, in one view; all answers are HAS or LACKS then. */
static sop_status find_in_view(struct sopi_registry *registry, const struct sopi_regview *view,
			       struct sopi_wanted *wanted, size_t count, sop_error *err)
{
	uint64_t reads = 0;
	sop_status status;

	for (size_t i = 0; i < count; i++) {
		const struct sopi_registry_entry *change = sopi_regview_find_run(view, wanted[i].key);

		wanted[i].answer = view->map == NULL ? SOPI_BUCKET_LACKS : SOPI_BUCKET_GOES_ON;
		if (change == NULL)
			continue;
		wanted[i].answer = change->removed ? SOPI_BUCKET_LACKS : SOPI_BUCKET_HAS;
		*wanted[i].entry = *change;
	}
	if (view->map == NULL)
		return SOP_OK;
	status = sopi_map_find(view->map, registry->cache, wanted, count, &reads, err);
	if (reads != 0)
		atomic_fetch_add_explicit(&registry->bucket_reads, reads, memory_order_relaxed);
	return status;
}

sop_status sopi_registry_find_node(struct sopi_registry *registry, uint64_t vid,
				   struct sopi_node_entries *entries, sop_error *err)
{
	struct sopi_wanted wanted[] = {
		{ .key = vid, .entry = &entries->page },
		{ .key = sopi_registry_key(SOPI_KEY_PATCH, vid), .entry = &entries->patch },
	};
	struct sopi_regview *view;
	sop_status status;

	atomic_fetch_add_explicit(&registry->lookups, 1, memory_order_relaxed);
	if (sopi_places_find(registry->places, vid, entries))
		return SOP_OK;
	view = sopi_regview_take(registry);
	SOP_TRY_OUT(find_in_view(registry, view, wanted, 2, err));
	if (wanted[0].answer != SOPI_BUCKET_HAS) {
		status = SOP_NOT_FOUND;
		goto out;
	}
	if (wanted[1].answer != SOPI_BUCKET_HAS)
		entries->patch = (struct sopi_registry_entry){ .key = wanted[1].key, .removed = true };
	sopi_places_note(registry->places, entries, &registry->number, view->number);
out:
	sopi_regview_release(view);
	return status;
}

sop_status sopi_registry_find(struct sopi_registry *registry, uint64_t key,
			      struct sopi_registry_entry *entry, sop_error *err)
{
	struct sopi_wanted wanted = { .key = key, .entry = entry };
	const enum sopi_key_kind kind = sopi_registry_kind(key);
	struct sopi_node_entries entries;
	struct sopi_regview *view;
	sop_status status;

	if (kind == SOPI_KEY_NODE) {
		SOP_TRY(sopi_registry_find_node(registry, key, &entries, err));
		*entry = entries.page;
		return SOP_OK;
	}
	atomic_fetch_add_explicit(&registry->lookups, 1, memory_order_relaxed);
	if (kind == SOPI_KEY_PATCH &&
	    sopi_places_find(registry->places, sopi_registry_id(key), &entries)) {
		*entry = entries.patch;
		return entries.patch.removed ? SOP_NOT_FOUND : SOP_OK;
	}
	view = sopi_regview_take(registry);
	status = find_in_view(registry, view, &wanted, 1, err);
	sopi_regview_release(view);
	if (status == SOP_OK && wanted.answer != SOPI_BUCKET_HAS)
		status = SOP_NOT_FOUND;
	return status;
}

static sop_status each_in_runs(const struct sopi_regview *view, sopi_registry_fn fn, void *arg,
			       sop_error *err)
{
	for (size_t i = 0; i < view->names.run_count; i++) {
		const struct sopi_run *run = view->runs[i];

		for (size_t k = 0; k < run->count; k++) {
			const struct sopi_registry_entry *entry = &run->entries[k];

			if (!entry->removed && sopi_regview_find_run(view, entry->key) == entry)
				SOP_TRY(fn(arg, entry, err));
		}
	}
	return SOP_OK;
}

static sop_status each_in_map(const struct sopi_regview *view, struct sopi_map_scan *scan,
			      sopi_registry_fn fn, void *arg, sop_error *err)
{
	struct sopi_registry_entry entry;
	bool more = false;

	SOP_TRY(sopi_map_scan_next(scan, &entry, &more, err));
	while (more) {
		if (sopi_regview_find_run(view, entry.key) == NULL)
			SOP_TRY(fn(arg, &entry, err));
		SOP_TRY(sopi_map_scan_next(scan, &entry, &more, err));
	}
	return SOP_OK;
}

sop_status sopi_registry_each(struct sopi_registry *registry, sopi_registry_fn fn, void *arg,
			      sop_error *err)
{
	struct sopi_regview *view = sopi_regview_take(registry);
	struct sopi_map_scan scan;
	sop_status status = SOP_OK;

	sopi_map_scan_begin(&scan, view->map);
	SOP_TRY_OUT(each_in_runs(view, fn, arg, err));
	SOP_TRY_OUT(each_in_map(view, &scan, fn, arg, err));
out:
	sopi_map_scan_end(&scan);
	sopi_regview_release(view);
	return status;
}

void sopi_registry_get_stats(struct sopi_registry *registry, struct sopi_registry_stats *stats)
{
	struct sopi_regview *view = sopi_regview_take(registry);

	memset(stats, 0, sizeof *stats);
	stats->entries = view->names.entry_count;
	stats->disk_bytes =
		view->names.segment_count * (registry->buckets + (uint64_t)1) * SOPI_BUCKET_BYTES;
	for (size_t i = 0; i < view->names.run_count; i++) {
		stats->entries += view->runs[i]->count;
		stats->memory_bytes += view->runs[i]->count * sizeof *view->runs[i]->entries;
		stats->disk_bytes += sopi_run_file_bytes(view->runs[i]->count);
	}
	sopi_regview_release(view);
	stats->memory_bytes +=
		sopi_bucket_cache_bytes(registry->cache) + sopi_places_bytes(registry->places);
	stats->bucket_reads = atomic_load(&registry->bucket_reads);
	stats->lookups = atomic_load(&registry->lookups);
	stats->folds = atomic_load(&registry->folds);
}

/* ---- leftovers */

/* Files of reg/ that belong to nothing. */
struct sweep {
	const struct sopi_registry_view *names;
	sop_buf paths; /* SOPI_REGNAME_BYTES each */
	void (*unknown)(void *arg, const char *path);
	void *arg;
};

static bool is_named(const struct sopi_registry_view *names, bool run, uint64_t owner, uint64_t number)
{
	if (!run)
		return names->generation == owner && number < names->segment_count;
	for (size_t i = 0; i < names->run_count; i++) {
		if (names->runs[i] == owner)
			return true;
	}
	return false;
}

static sop_status sweep_look(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	struct sweep *sweep = arg;
	char path[SOPI_PATH_BYTES_MAX + 32];
	uint64_t owner = 0;
	uint64_t number = 0;
	bool run = false;

	if (kind != SOPI_ENTRY_FILE || !sopi_regname_parse(name, &run, &owner, &number)) {
		(void)snprintf(path, sizeof path, "reg/%s", name);
		if (sweep->unknown != NULL)
			sweep->unknown(sweep->arg, path);
		return SOP_OK;
	}
	if (is_named(sweep->names, run, owner, number))
		return SOP_OK;
	if (run)
		sopi_run_path(owner, path);
	else
		sopi_segment_path(owner, number, path);
	return sopi_buf_append(&sweep->paths, path, SOPI_REGNAME_BYTES, err);
}

sop_status sopi_registry_sweep(struct sopi_registry *registry,
			       void (*unknown)(void *arg, const char *path), void *arg, sop_error *err)
{
	struct sweep sweep = { &registry->current->names, SOP_BUF_INIT, unknown, arg };
	struct sopi_folder *folder = registry->home.folder;
	sop_status status = SOP_OK;

	SOP_TRY_OUT(sopi_folder_list(folder, "reg", sweep_look, &sweep, err));
	for (size_t at = 0; at < sweep.paths.size; at += SOPI_REGNAME_BYTES) {
		const char *path = (const char *)sweep.paths.data + at;
		const sop_status removed = sopi_folder_remove(folder, path, NULL);

		if (status == SOP_OK && removed != SOP_OK && removed != SOP_NOT_FOUND)
			status = sopi_fail_file(err, removed, path, -1, 0, /* and go on with the others */
						"cannot remove %s, which belongs to nothing", path);
	}
out:
	sop_buf_free(&sweep.paths);
	return status;
}

/* ---- files ------------------------------------------------------------------------------------- */

static bool is_retired(const struct sopi_registry *registry, bool run, uint64_t owner, uint64_t number)
{
	if (run) {
		for (const struct sopi_run *at = registry->retired_runs; at != NULL;
		     at = at->next_retired) {
			if (at->position == owner)
				return true;
		}
		return false;
	}
	for (const struct sopi_map *at = registry->retired_maps; at != NULL; at = at->next_retired) {
		if (at->shape.generation == owner && number < at->shape.segments)
			return true;
	}
	return false;
}

enum sopi_registry_file sopi_registry_judge(const struct sopi_registry *registry, const char *name)
{
	uint64_t owner = 0;
	uint64_t number = 0;
	bool run = false;

	if (!sopi_regname_parse(name, &run, &owner, &number))
		return SOPI_REGISTRY_UNKNOWN;
	if (is_named(&registry->current->names, run, owner, number) ||
	    (registry->pending != NULL && is_named(&registry->pending->names, run, owner, number)) ||
	    is_retired(registry, run, owner, number))
		return SOPI_REGISTRY_KNOWN;
	return SOPI_REGISTRY_LEAKED;
}

sop_status sopi_registry_each_file(const struct sopi_registry_view *view, sopi_registry_file_fn fn,
				   void *arg, sop_error *err)
{
	char path[SOPI_REGNAME_BYTES];

	for (uint64_t i = 0; i < view->run_count; i++) {
		sopi_run_path(view->runs[i], path);
		SOP_TRY(fn(arg, path, err));
	}
	for (uint64_t i = 0; view->generation != 0 && i < view->segment_count; i++) {
		sopi_segment_path(view->generation, i, path);
		SOP_TRY(fn(arg, path, err));
	}
	return SOP_OK;
}
