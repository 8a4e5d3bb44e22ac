/* Within the registry: a run, the sorted changes of one checkpoint, whole in memory. Immutable once it is saved or
 * loaded. */
#ifndef SOPI_REGISTRY_RUN_H
#define SOPI_REGISTRY_RUN_H

#include "registry/registry_file.h"

#include <stdatomic.h>

struct sopi_run {
	_Atomic uint64_t refs; /* views, and the list of those that are to go */
	struct sopi_run *next_retired;
	uint64_t position;
	size_t count;
	struct sopi_registry_entry *entries; /* ascending by key */
};

/* Entries in the order of their keys, none twice. */
struct sopi_run_source {
	const struct sopi_registry_entry *entries;
	size_t count;
};

/* An empty run with room for `capacity` entries and one reference. */
sop_status sopi_run_new(uint64_t position, size_t capacity, struct sopi_run **out, sop_error *err);

/* Gives a reference back; the last one frees it. Takes NULL. */
void sopi_run_release(struct sopi_run *run);

/* Writes the run's file, durable but for its name. After an error there is none. */
sop_status sopi_run_save(const struct sopi_run *run, struct sopi_reghome *home, sop_error *err);

/* Reads a run of exactly `count` entries; CORRUPT, UNSUPPORTED. */
sop_status sopi_run_load(struct sopi_folder *folder, uint64_t position, uint64_t count,
			 struct sopi_run **out, sop_error *err);

void sopi_run_remove_file(const struct sopi_run *run, struct sopi_folder *folder);

/* NULL: the run says nothing of `key`. */
const struct sopi_registry_entry *sopi_run_find(const struct sopi_run *run, uint64_t key);

/* Merges sources, oldest first, into `out`, which has room for all: of one key the newest counts. Returns how many
 * there are. */
size_t sopi_run_merge(const struct sopi_run_source *sources, size_t source_count,
		      struct sopi_registry_entry *out);

/* Bytes of the file of a run of `count` entries. */
uint64_t sopi_run_file_bytes(uint64_t count);

#endif
