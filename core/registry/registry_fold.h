/* Within the registry: a new map from an old one and what has changed since. */
#ifndef SOPI_REGISTRY_FOLD_H
#define SOPI_REGISTRY_FOLD_H

#include "registry/registry_map.h"

/* Writes the map of generation `generation`, its files durable but for their names. old: NULL: there is none.
 * changes: of each key one; sorted anew. *out: NULL if nothing is left. After an error there are no files of it. */
sop_status sopi_map_fold(struct sopi_reghome *home, struct sopi_map *old, uint64_t generation,
			 uint32_t buckets, struct sopi_registry_entry *changes, size_t count,
			 struct sopi_map **out, sop_error *err);

#endif
