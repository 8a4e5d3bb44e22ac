/* Within the registry: the map, a hash table over the buckets of all segments of one generation. Immutable.
 *
 * Entries lie in the order of their hashes: each in its home bucket, or, where that is full, in the next that is not.
 * So a look-up reads one bucket nearly always, and a fold is a merge of two streams. The last buckets are nobody's
 * home; they take what the last homes have no room for, so that nothing wraps around. */
#ifndef SOPI_REGISTRY_MAP_H
#define SOPI_REGISTRY_MAP_H

#include "platform/thread.h"
#include "registry/registry_cache.h"
#include "registry/registry_file.h"

enum {
	SOPI_SPILL_BUCKETS = 4, /* the last ones of a map; no home */
	SOPI_MAP_FILES_MAX = 64, /* open at a time, of one map */

	BUCKET_AT_FLAGS = 26, /* 2 */
	BUCKET_AT_TOTAL = 32, /* 8: buckets of the map */
	BUCKET_OVERFLOW = 1, /* flag: full, and an entry that is at home here, or before, lies behind */
};

/* How many files of how many buckets; what places an entry. */
struct sopi_map_shape {
	uint64_t generation;
	uint64_t segments; /* fewer than 2^32 */
	uint32_t buckets; /* of a segment */
};

/* A place for an open file; segment number n uses place n % SOPI_MAP_FILES_MAX. */
struct sopi_map_file {
	struct sopi_file *file; /* NULL: none */
	uint64_t segment;
	uint32_t users;
};

struct sopi_map {
	_Atomic uint64_t refs; /* views, and the list of those that are to go */
	struct sopi_map *next_retired;
	struct sopi_folder *folder;
	struct sopi_map_shape shape;
	uint64_t entry_count;
	sopi_mutex mutex; /* guards `files`; leaf of the lock order */
	struct sopi_map_file files[SOPI_MAP_FILES_MAX];
};

static inline uint64_t sopi_shape_total(const struct sopi_map_shape *shape)
{
	return shape->segments * shape->buckets;
}

/* One to one: no two keys have the same hash. */
uint64_t sopi_registry_hash(uint64_t key);

/* The order of keys in a map: by their hashes, and a node before its patch. */
int sopi_registry_compare(uint64_t a, uint64_t b);

/* The bucket that is asked first for a hash: they share the hashes evenly, in order. */
uint64_t sopi_shape_home(const struct sopi_map_shape *shape, uint64_t hash);

/* A map of files that are there, with one reference. Does not look at them. */
sop_status sopi_map_new(struct sopi_folder *folder, const struct sopi_map_shape *shape,
			uint64_t entry_count, struct sopi_map **out, sop_error *err);

/* Gives a reference back; the last one closes and frees it. Takes NULL. */
void sopi_map_release(struct sopi_map *map);

/* Are all segments there, of the right size, with the right head? CORRUPT, UNSUPPORTED. */
sop_status sopi_map_check_heads(struct sopi_map *map, sop_error *err);

void sopi_map_remove_files(struct sopi_folder *folder, const struct sopi_map_shape *shape);

/* Looks in a bucket that was checked for those keys that were not found yet. */
void sopi_bucket_search(const uint8_t *bucket, struct sopi_wanted *wanted, size_t count);

/* Looks for keys that share one hash: a node's and its patch's; all answers are HAS or LACKS then. *reads: bucket reads are
 * added. Any thread. */
sop_status sopi_map_find(struct sopi_map *map, struct sopi_bucket_cache *cache,
			 struct sopi_wanted *wanted, size_t count, uint64_t *reads, sop_error *err);

/* ---- the bytes of a segment */

void sopi_segment_head_fill(uint8_t *head, const struct sopi_map_shape *shape, uint64_t number,
			    uint64_t entries);
sop_status sopi_segment_head_check(const uint8_t *head, const struct sopi_map_shape *shape,
				   uint64_t number, const struct sopi_regplace *place,
				   uint64_t *entries, sop_error *err);

/* All that can be said of a bucket by itself. */
sop_status sopi_bucket_check(const uint8_t *bucket, const struct sopi_map_shape *shape,
			     uint64_t number, const struct sopi_regplace *place, sop_error *err);

/* ---- from front to back */

/* What the buckets before say of the next one. */
struct sopi_map_order {
	bool any; /* `last` is set */
	uint64_t last; /* hash of the last entry */
	uint64_t reach; /* the first bucket whose entries may lie in the next one */
};

/* CORRUPT: the bucket `number`, which is right by itself, cannot follow those before. */
sop_status sopi_map_order_check(struct sopi_map_order *order, const struct sopi_map_shape *shape,
				const uint8_t *bucket, uint64_t number,
				const struct sopi_regplace *place, sop_error *err);

/* Goes on behind a bucket that is damaged. */
void sopi_map_order_skip(struct sopi_map_order *order);

/* All entries of a map in the order of their hashes, in little memory. */
struct sopi_map_scan {
	struct sopi_map *map;
	struct sopi_map_order order;
	struct sopi_regreader reader; /* of one segment after the other */
	uint64_t segment; /* the next one */
	uint64_t bucket; /* the next one, of all */
	const uint8_t *block; /* the bucket at hand */
	size_t at; /* the next entry of it */
	size_t count;
	uint64_t total; /* entries told */
};

/* REQUIRES: the map stays meanwhile. map: NULL: an empty one. */
void sopi_map_scan_begin(struct sopi_map_scan *scan, struct sopi_map *map);

/* *more: there was another entry. CORRUPT, also when the map has not as many entries as it should. */
sop_status sopi_map_scan_next(struct sopi_map_scan *scan, struct sopi_registry_entry *entry,
			      bool *more, sop_error *err);
void sopi_map_scan_end(struct sopi_map_scan *scan);

#endif
