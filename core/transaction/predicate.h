/* What a transaction read, in the form in which it can be asked again at the head.
 *
 * Every predicate remembers the leaves that answered it: as long as none of them has changed, its
 * answer holds, since a look-up's result is a function of the leaf that owns the key. */
#ifndef SOPI_PREDICATE_H
#define SOPI_PREDICATE_H

#include "base/arena.h"
#include "btree/tree.h"

struct sopi_used; /* a store as a transaction uses it */

enum { SOPI_PREDICATES_IN_CHUNK = 30, SOPI_LEAVES_IN_CHUNK = 14 };

/* One key: its version (0: absent), only whether it is there, or only that it has no value but a number. */
struct sopi_point {
	struct sopi_used *used;
	struct sopi_vnode *leaf;
	const uint8_t *key;
	uint32_t key_size;
	bool existence; /* only whether it is there */
	bool there;
	bool number; /* only that it is absent or a number */
	uint64_t version;
};

struct sopi_point_chunk {
	struct sopi_point_chunk *older;
	size_t count;
	struct sopi_point points[SOPI_PREDICATES_IN_CHUNK];
};

struct sopi_leaf_chunk {
	struct sopi_leaf_chunk *older;
	size_t count;
	struct sopi_vnode *leaves[SOPI_LEAVES_IN_CHUNK];
};

/* All items from `low` on and below `high`. */
struct sopi_range {
	struct sopi_range *older;
	struct sopi_used *used;
	struct sopi_leaf_chunk *leaves;
	uint8_t *low;
	uint8_t *high;
	size_t low_size;
	size_t low_capacity;
	size_t high_size;
	size_t high_capacity;
	bool unbounded; /* no upper end */
	bool keys_only; /* values do not matter */
	bool empty; /* nothing has been read yet */
	bool found; /* it has met an item */
};

/* The number of items of a store. */
struct sopi_count_predicate {
	struct sopi_count_predicate *older;
	struct sopi_used *used;
	int64_t items;
};

/* The store that a name stands for: the version of its item in the catalog, or 0. */
struct sopi_name_predicate {
	struct sopi_name_predicate *older;
	const uint8_t *name;
	uint32_t name_size;
	uint64_t version;
};

struct sopi_predicates {
	struct sopi_point_chunk *points;
	struct sopi_range *ranges;
	struct sopi_count_predicate *counts;
	struct sopi_name_predicate *names;
};

/* Where a validation failed. */
struct sopi_conflict {
	struct sopi_used *used; /* NULL: the name below */
	const uint8_t *key; /* valid while the snapshots are published */
	size_t key_size;
	uint8_t *copy; /* of the key, in the arena */
	bool range; /* a range or a count changed, not one key */
};

sop_status sopi_predicate_point(struct sopi_predicates *predicates, struct sopi_arena *arena,
				const struct sopi_point *point, sop_error *err);
sop_status sopi_predicate_count(struct sopi_predicates *predicates, struct sopi_arena *arena,
				struct sopi_used *used, int64_t items, sop_error *err);
sop_status sopi_predicate_name(struct sopi_predicates *predicates, struct sopi_arena *arena,
			       const void *name, size_t size, uint64_t version, sop_error *err);

/* A new range that begins at `low` and is extended as it is read. */
sop_status sopi_predicate_range(struct sopi_predicates *predicates, struct sopi_arena *arena,
				struct sopi_used *used, bool keys_only, struct sopi_range **out,
				sop_error *err);
sop_status sopi_range_low(struct sopi_range *range, struct sopi_arena *arena, const uint8_t *key,
			  size_t size, sop_error *err);

/* Ends the range at `key`: before it, or behind it (`inclusive`). */
sop_status sopi_range_high(struct sopi_range *range, struct sopi_arena *arena, const uint8_t *key,
			   size_t size, bool inclusive, sop_error *err);

/* A leaf answered for part of the range. */
sop_status sopi_range_leaf(struct sopi_range *range, struct sopi_arena *arena,
			   struct sopi_vnode *leaf, sop_error *err);

/* Do all predicates give at `at` the answers of `snapshot`? Only what changed above `base` is asked
 * again. Before the mutex (`at` is not HEAD) the leaves that answer at `at` take the place of the
 * old ones. CONFLICT (`conflict` says where), NO_MEMORY; WOULD_BLOCK at HEAD, see btree/resident.h; IO, CORRUPT. */
sop_status sopi_predicates_hold(struct sopi_predicates *predicates, struct sopi_arena *arena,
				const struct sopi_tree *names, const _Atomic uint64_t *names_newest,
				uint64_t snapshot, uint64_t base, uint64_t at,
				struct sopi_conflict *conflict, sop_error *err);

#endif
