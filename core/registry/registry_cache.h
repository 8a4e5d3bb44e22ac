/* Within the registry: buckets in memory, so many bytes of them (CLOCK). Any thread at any time. */
#ifndef SOPI_REGISTRY_CACHE_H
#define SOPI_REGISTRY_CACHE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct sopi_bucket_cache;
struct sopi_registry_entry;

/* What a bucket says of a key. */
enum sopi_bucket_answer {
	SOPI_BUCKET_LACKS, /* nobody has the key */
	SOPI_BUCKET_HAS,
	SOPI_BUCKET_GOES_ON, /* the next bucket may have it */
};

/* A key that is looked for. */
struct sopi_wanted {
	uint64_t key;
	enum sopi_bucket_answer answer; /* GOES_ON: not found yet */
	struct sopi_registry_entry *entry; /* receives it */
};

/* At most about `bytes` in all; too few for one bucket a part: keeps none. */
sop_status sopi_bucket_cache_new(size_t bytes, struct sopi_bucket_cache **out, sop_error *err);
void sopi_bucket_cache_free(struct sopi_bucket_cache *cache); /* takes NULL */

/* Searches the bucket where it lies (sopi_bucket_search), if it is there. */
bool sopi_bucket_cache_find(struct sopi_bucket_cache *cache, uint64_t generation, uint64_t number,
			    struct sopi_wanted *wanted, size_t count);

/* Keeps a copy, if there is room and memory. */
void sopi_bucket_cache_put(struct sopi_bucket_cache *cache, uint64_t generation, uint64_t number,
			   const uint8_t *block);

/* Frees the buckets of a map that is gone. */
void sopi_bucket_cache_forget(struct sopi_bucket_cache *cache, uint64_t generation);

/* Bytes of buckets that it holds. */
uint64_t sopi_bucket_cache_bytes(struct sopi_bucket_cache *cache);

#endif
