/* Within the registry: its views, and the registry itself. */
#ifndef SOPI_REGISTRY_INSIDE_H
#define SOPI_REGISTRY_INSIDE_H

#include "registry/registry_map.h"
#include "registry/registry_places.h"
#include "registry/registry_run.h"

#include <stdatomic.h>

/* The files that make up the registry as of one checkpoint. Immutable; who looks up holds a reference. */
struct sopi_regview {
	_Atomic uint64_t refs;
	uint64_t number; /* of the view, ascending */
	struct sopi_registry_view names;
	struct sopi_map *map; /* NULL: there is none */
	struct sopi_run *runs[SOPI_RUNS_MAX]; /* oldest first */
};

struct sopi_registry {
	struct sopi_reghome home;
	uint32_t buckets; /* of a segment */
	struct sopi_bucket_cache *cache;
	struct sopi_places *places;
	_Atomic uint64_t number; /* of the view that is current, or becomes so just now */
	sopi_mutex mutex; /* guards `current`; leaf of the lock order; held for a pointer and a count */
	struct sopi_regview *current;

	/* Of the one thread that changes it. */
	struct sopi_regview *pending; /* written, not switched to */
	const struct sopi_registry_entry *changes; /* of the pending view; the caller's */
	size_t change_count;
	uint64_t newest_generation; /* that was ever written; none is given twice, whatever is held still */
	struct sopi_map *retired_maps; /* of older views; their files are there until they are cleaned */
	struct sopi_run *retired_runs;

	_Atomic uint64_t bucket_reads;
	_Atomic uint64_t lookups;
	_Atomic uint64_t folds;
};

/* The view of today, with a reference more. Any thread. */
struct sopi_regview *sopi_regview_take(struct sopi_registry *registry);

/* Gives a reference back. Any thread. Takes NULL. */
void sopi_regview_release(struct sopi_regview *view);

/* NULL: the runs say nothing of `key`. */
const struct sopi_registry_entry *sopi_regview_find_run(const struct sopi_regview *view, uint64_t key);

#endif
