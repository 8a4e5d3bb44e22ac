/* Within the registry: buckets in memory, so many bytes of them (CLOCK). Any thread at any time. */
#ifndef SOPI_REGISTRY_CACHE_H
#define SOPI_REGISTRY_CACHE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct sopi_bucket_cache;

/* At most about `bytes` in all; too few for one bucket a part: keeps none. */
sop_status sopi_bucket_cache_new(size_t bytes, struct sopi_bucket_cache **out, sop_error *err);
void sopi_bucket_cache_free(struct sopi_bucket_cache *cache); /* takes NULL */

/* Copies the bucket to `block`, if it is there. */
bool sopi_bucket_cache_get(struct sopi_bucket_cache *cache, uint64_t generation, uint64_t number,
			   uint8_t *block);

/* Keeps a copy, if there is room and memory. */
void sopi_bucket_cache_put(struct sopi_bucket_cache *cache, uint64_t generation, uint64_t number,
			   const uint8_t *block);

/* Frees the buckets of a map that is gone. */
void sopi_bucket_cache_forget(struct sopi_bucket_cache *cache, uint64_t generation);

/* Bytes of buckets that it holds. */
uint64_t sopi_bucket_cache_bytes(struct sopi_bucket_cache *cache);

#endif
