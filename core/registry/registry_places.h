/* Within the registry: where nodes are, as far as it was asked for lately. A line for each node says where its page and its
 * patch lie, or that it has none, so that reading a cold node neither searches runs nor reads a bucket. Any thread at any time. */
#ifndef SOPI_REGISTRY_PLACES_H
#define SOPI_REGISTRY_PLACES_H

#include "registry/registry.h"

#include <stdatomic.h>

struct sopi_places;

/* At most `bytes`; too few for one set of lines: keeps none. */
sop_status sopi_places_new(size_t bytes, struct sopi_places **out, sop_error *err);
void sopi_places_free(struct sopi_places *places); /* takes NULL */

/* False: nothing is known of the node. */
bool sopi_places_find(struct sopi_places *places, uint64_t vid, struct sopi_node_entries *entries);

/* Keeps what a view says, unless another one is being made current: `*current` is not its number any more. */
void sopi_places_note(struct sopi_places *places, const struct sopi_node_entries *entries,
		      const _Atomic uint64_t *current, uint64_t number);

/* A change of the view that becomes current. REQUIRES: notes of older ones are refused by now. */
void sopi_places_change(struct sopi_places *places, const struct sopi_registry_entry *entry);

/* Bytes of lines that are in use. */
uint64_t sopi_places_bytes(struct sopi_places *places);

#endif
