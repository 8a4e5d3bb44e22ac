/* The registry: where each blob's checkpointed bytes are. Keys to entries of fixed size, on disk as immutable files.
 *
 * A *map* of hash-map segment files reg/<generation>-<n>.seg (buckets of 4096 bytes, read with pread into our own
 * cache), before it at most SOPI_RUNS_MAX sorted *runs* reg/<position>.run of recent changes, whose entries are kept in
 * memory. A look-up asks the runs, newest first, then the map: O(1) bucket reads at any size; where a node is is remembered
 * besides, node by node (registry_places.h). When the runs hold more
 * than a quarter of the entries (or are too many), a fold writes a new generation of the map without them.
 * Nothing is ever overwritten. docs/format.md has every byte.
 *
 * One thread (the checkpoint's) changes it; any thread may look up at any time. */
#ifndef SOPI_REGISTRY_H
#define SOPI_REGISTRY_H

#include "blob/blob.h"
#include "platform/file.h"
#include "platform/platform.h"

enum {
	SOPI_BUCKET_BYTES = 4096,
	SOPI_BUCKETS_DEFAULT = 250, /* of a segment: 1 MB */
	SOPI_BUCKETS_MIN = 250, /* that users may ask for */
#ifdef SOP_TEST_HOOKS
	SOPI_BUCKETS_ACCEPTED_MIN = 16, /* tests that make thousands of databases have no time for a megabyte in each */
#else
	SOPI_BUCKETS_ACCEPTED_MIN = SOPI_BUCKETS_MIN,
#endif
	SOPI_BUCKETS_MAX = 750000,
	SOPI_RUNS_MAX = 4,
};

/* The two top bits of a key say what it names; the rest is its id. */
enum sopi_key_kind {
	SOPI_KEY_NODE = 0, /* a virtual ID */
	SOPI_KEY_VALUE = 1, /* a value kept apart */
	SOPI_KEY_STORE = 2, /* a store: its root, count and next item id */
	SOPI_KEY_PATCH = 3, /* the patch of a node's page, by the node's virtual ID */
};

static inline uint64_t sopi_registry_key(enum sopi_key_kind kind, uint64_t id)
{
	return (uint64_t)kind << 62 | id;
}

static inline enum sopi_key_kind sopi_registry_kind(uint64_t key)
{
	return (enum sopi_key_kind)(key >> 62);
}

static inline uint64_t sopi_registry_id(uint64_t key)
{
	return key & (((uint64_t)1 << 62) - 1);
}

/* One entry. On disk it has 40 bytes: key, then `words` as they are, or for a removed one (in runs only) the key with
 * a mark. NODE, VALUE and PATCH: pack, offset, length (of 32 bits each), position. STORE: root vid, count, next item id,
 * position. */
struct sopi_registry_entry {
	uint64_t key;
	bool removed;
	uint64_t words[4];
};

/* NODE and VALUE entries. */
static inline struct sopi_registry_entry sopi_entry_of_place(uint64_t key, const struct sopi_place *place,
							     uint64_t position)
{
	const struct sopi_registry_entry entry = {
		key, false, { place->pack, place->offset, place->length, position }
	};

	return entry;
}

static inline struct sopi_place sopi_place_of_entry(const struct sopi_registry_entry *entry)
{
	const struct sopi_place place = { entry->words[0], entry->words[1], entry->words[2] };

	return place;
}

/* Which files make up the registry: what a manifest says of it. */
struct sopi_registry_view {
	uint64_t generation; /* of the map; ascending; 0: there is none, or it would be empty */
	uint64_t segment_count;
	uint64_t entry_count; /* in the map */
	uint64_t run_count;
	uint64_t runs[SOPI_RUNS_MAX]; /* their positions, oldest first */
	uint64_t run_entries[SOPI_RUNS_MAX];
};

struct sopi_registry;

/* buckets: of a segment, as the database was created with. cache_bytes: for buckets, and for what is known of single nodes. The folder reg/ is there; the
 * files of the view must be, whole: CORRUPT otherwise, naming file and offset. Runs are read, the map is not. */
sop_status sopi_registry_open(const struct sopi_platform *platform, struct sopi_folder *folder,
			      uint32_t buckets, size_t cache_bytes, const struct sopi_registry_view *view,
			      struct sopi_registry **out, sop_error *err);
void sopi_registry_close(struct sopi_registry *registry);

/* NOT_FOUND (without a message): no such key. CORRUPT names file and offset. IO. Any thread. */
sop_status sopi_registry_find(struct sopi_registry *registry, uint64_t key,
			      struct sopi_registry_entry *entry, sop_error *err);

/* Both entries of a node. */
struct sopi_node_entries {
	struct sopi_registry_entry page;
	struct sopi_registry_entry patch; /* removed: it has none */
};

/* Where a node is, as of one checkpoint. Its key is its virtual ID. Statuses of sopi_registry_find. Any thread. */
sop_status sopi_registry_find_node(struct sopi_registry *registry, uint64_t vid,
				   struct sopi_node_entries *entries, sop_error *err);

/* Writes a checkpoint's changes (`position` is its number: that of C, or more where two checkpoints have the same C): as one more run, or, when it is time, folded with all runs into a new map. Durable,
 * names included, when it returns (F3). Nothing that others see has changed: `next` is what the new manifest says, and
 * sopi_registry_switch makes it so. entries: ascending by key, none twice. position: of the checkpoint, above that of
 * every run; a run that exists already under this name is of a checkpoint that was given up, and replaced. fold: now
 * in any case. After an error the files are removed. NO_SPACE, IO, CORRUPT (met while folding), NO_MEMORY; LIMIT (an
 * entry that does not fit), MISUSE (order); FAILED: an earlier sync failed, and none is tried twice: reopen.
 * REQUIRES: the last one was switched to or given up; `entries` stay until this one is. */
sop_status sopi_registry_write(struct sopi_registry *registry, uint64_t position,
			       const struct sopi_registry_entry *entries, size_t count, bool fold,
			       struct sopi_registry_view *next, sop_error *err);

/* Look-ups see what was written last. Never fails. */
void sopi_registry_switch(struct sopi_registry *registry);

/* Takes the last write back: its manifest was not written. `indefinite`: or it may have been, and its files must stay
 * for the next open to tell. */
void sopi_registry_give_up(struct sopi_registry *registry, bool indefinite);

/* After the manifest is durable: removes files of reg/ that no view held needs. Failures are no failures. */
void sopi_registry_clean(struct sopi_registry *registry);

/* At open: removes files that have the name of a run or segment and are not of the view. Names that mean nothing are
 * left alone and told to `unknown` (may be NULL). */
sop_status sopi_registry_sweep(struct sopi_registry *registry,
			       void (*unknown)(void *arg, const char *path), void *arg, sop_error *err);

/* What a name in the folder reg/ is. */
enum sopi_registry_file {
	SOPI_REGISTRY_UNKNOWN, /* it means nothing */
	SOPI_REGISTRY_LEAKED, /* a run or segment of nobody */
	SOPI_REGISTRY_KNOWN, /* of the newest view, or of an older one that is still held or was not cleaned away yet */
};
enum sopi_registry_file sopi_registry_judge(const struct sopi_registry *registry, const char *name);

/* Told of the path of each file of a view; a status other than OK ends it and is returned. */
typedef sop_status (*sopi_registry_file_fn)(void *arg, const char *path, sop_error *err);
sop_status sopi_registry_each_file(const struct sopi_registry_view *view, sopi_registry_file_fn fn,
				   void *arg, sop_error *err);

/* Told of every entry, in no order; a status other than OK ends it and is returned. */
typedef sop_status (*sopi_registry_fn)(void *arg, const struct sopi_registry_entry *entry,
				       sop_error *err);
sop_status sopi_registry_each(struct sopi_registry *registry, sopi_registry_fn fn, void *arg,
			      sop_error *err);

/* What it holds and did. */
struct sopi_registry_stats {
	uint64_t entries; /* in map and runs, about */
	uint64_t memory_bytes; /* runs and cached buckets */
	uint64_t disk_bytes;
	uint64_t bucket_reads; /* from files, since open */
	uint64_t lookups; /* since open */
	uint64_t folds; /* since open */
};
void sopi_registry_get_stats(struct sopi_registry *registry, struct sopi_registry_stats *stats);

/* Checks every byte of every file of the view. found: told of each problem; false ends it. kind: "corrupt" (missing
 * included), "unsupported" (another format) or "unreadable" (the system's error). OK also when there are problems;
 * NO_MEMORY. */
sop_status sopi_registry_verify(struct sopi_registry *registry,
				bool (*found)(void *arg, const char *file, int64_t offset,
					      const char *kind, const char *message),
				void *arg, sop_error *err);

#endif
