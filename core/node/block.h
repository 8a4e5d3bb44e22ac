/* Node pages in memory, searched as they lie.
 *
 * A block is one version of a node. Its keys share a prefix that is stored once; beside each slot
 * stand the next four bytes of the key as a number (its head), so that a binary search touches one
 * or two cache lines and compares whole keys only where heads are equal.
 *
 *   leaf   header | delta positions, codes, places | prefix | heads | item places | items, then
 *   deltas, then free room
 *   inner  header | prefix | heads | children | separator places | separators, then free room
 *
 * The base of a leaf never changes after it was published. An item delta is appended in the free
 * room: the whole new item, or a tombstone, with the position that wrote it and the base slot that
 * it stands for (code). Places are in units of 8 bytes. Everything else about versions is in
 * vnode.h. */
#ifndef SOPI_BLOCK_H
#define SOPI_BLOCK_H

#include "base/bytes.h"
#include "base/check.h"
#include "node/version.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum {
	SOPI_DELTAS_MAX = 8,
	SOPI_PLACE_UNIT = 8, /* bytes */
	SOPI_BLOCK_BYTES_MAX = (1 << 16) * SOPI_PLACE_UNIT - SOPI_PLACE_UNIT, /* what places can name */
	SOPI_LEAF_HEAD_BYTES = 160, /* what a leaf needs before its prefix */
	SOPI_INNER_HEAD_BYTES = 64,
	SOPI_SLOTS_MAX = 1 << 14, /* a code holds a slot and one bit */
};

struct sopi_vnode;

/* Header of a block; `version` is first, so that a version is its block. */
struct sopi_block {
	struct sopi_version version;
	_Atomic uint8_t delta_count; /* leaf: published with release */
	bool inlined; /* leaf: no item of the base has a value apart; false: that is not known */
	uint16_t count; /* leaf: items of the base; inner: separators */
	uint32_t prefix_size; /* bytes */
	uint32_t free_at; /* where the free room begins, in bytes from the block; the writer's */
	uint32_t capacity; /* bytes of the block */
};

_Static_assert(sizeof(struct sopi_block) == 64, "the header is one cache line");

enum {
	SOPI_ITEM_APART = 1, /* the value is a pointer to a sopi_value */
	SOPI_ITEM_RIDE = 2, /* ride-along fields stand before the value, behind their size (4 bytes) */
	SOPI_ITEM_DELETED = 4, /* a tombstone (deltas only) */
};

/* An item as it lies in a leaf: this head, the key without the prefix (whole in a delta for a key
 * that the base lacks,
 * absent in one for a key that it has), the ride-along fields, the value. */
struct sopi_item {
	uint64_t version; /* position that wrote it; 0 (in a base only): the one that wrote the base */
	uint32_t key_size; /* bytes of the key that stand here; flags in the top byte */
	uint32_t value_size; /* bytes of the value, wherever it is */
};

#define SOPI_ITEM_KEY_MASK 0x00FFFFFFu
#define SOPI_ITEM_FLAG_SHIFT 24

/* A value kept apart from its leaf: in memory, or, in a database on disk, in a pack. */
struct sopi_value {
	struct sopi_version version;
	struct sopi_value *next_in_transaction; /* until it is committed */
	uint64_t size; /* bytes */
	uint8_t *bytes; /* of its own; NULL: only on disk */
	uint64_t id; /* that the registry knows it by; 0: not on disk */
	uint64_t pack; /* where it was written, until a checkpoint has registered it; 0: ask the registry */
	uint32_t offset;
	uint32_t length;
	void *fresh; /* the backend's, until then */
	bool committed; /* the tree owns it */
};

/* Where and what an item is, for readers; every pointer points into a block or a value. */
struct sopi_item_view {
	const uint8_t *prefix; /* first part of the key */
	const uint8_t *key; /* the rest of it */
	const uint8_t *ride;
	const uint8_t *value; /* NULL if it is kept apart */
	struct sopi_value *apart; /* the value's owner if it is kept apart, else NULL */
	uint64_t version;
	uint32_t prefix_size;
	uint32_t key_size;
	uint32_t ride_size;
	uint32_t value_size;
};

static inline const uint8_t *sopi_block_bytes(const struct sopi_block *block)
{
	return (const uint8_t *)block;
}

/* ---- layout ------------------------------------------------------------------------------------ */

static inline size_t sopi_round8(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static inline size_t sopi_prefix_room(size_t prefix_size)
{
	return (prefix_size + 3) & ~(size_t)3;
}

/* Bytes of a leaf before its items. */
static inline size_t sopi_leaf_fixed_bytes(size_t count, size_t prefix_size)
{
	return sopi_round8(SOPI_LEAF_HEAD_BYTES + sopi_prefix_room(prefix_size) + count * 6);
}

/* Bytes that an item takes behind that. */
static inline size_t sopi_item_bytes(size_t key_size, size_t ride_size, size_t value_size, bool apart)
{
	return sopi_round8(sizeof(struct sopi_item) + key_size + (ride_size != 0 ? 4 + ride_size : 0) +
			   (apart ? sizeof(void *) : value_size));
}

static inline size_t sopi_inner_fixed_bytes(size_t count, size_t prefix_size)
{
	return sopi_round8(sopi_round8(SOPI_INNER_HEAD_BYTES + sopi_prefix_room(prefix_size) + count * 4) +
			   (count + 1) * sizeof(void *) + count * 2);
}

static inline size_t sopi_separator_bytes(size_t size)
{
	return sopi_round8(4 + size);
}

static inline _Atomic uint64_t *sopi_leaf_delta_positions(const struct sopi_block *leaf)
{
	return (_Atomic uint64_t *)((char *)(uintptr_t)leaf + 64);
}

/* base slot * 2 + whether the key is in the base, of each delta */
static inline uint16_t *sopi_leaf_delta_codes(const struct sopi_block *leaf)
{
	return (uint16_t *)((char *)(uintptr_t)leaf + 128);
}

static inline uint16_t *sopi_leaf_delta_places(const struct sopi_block *leaf)
{
	return (uint16_t *)((char *)(uintptr_t)leaf + 144);
}

static inline const uint8_t *sopi_block_prefix(const struct sopi_block *block)
{
	return sopi_block_bytes(block) +
	       (block->version.kind == SOPI_LEAF ? SOPI_LEAF_HEAD_BYTES : SOPI_INNER_HEAD_BYTES);
}

static inline uint32_t *sopi_block_heads(const struct sopi_block *block)
{
	return (uint32_t *)(uintptr_t)(sopi_block_prefix(block) + sopi_prefix_room(block->prefix_size));
}

static inline uint16_t *sopi_leaf_places(const struct sopi_block *leaf)
{
	return (uint16_t *)(void *)(sopi_block_heads(leaf) + leaf->count);
}

static inline struct sopi_vnode **sopi_inner_children(const struct sopi_block *inner)
{
	const size_t at = sopi_round8(SOPI_INNER_HEAD_BYTES + sopi_prefix_room(inner->prefix_size) +
				      (size_t)inner->count * 4);

	return (struct sopi_vnode **)(uintptr_t)(sopi_block_bytes(inner) + at);
}

static inline uint16_t *sopi_inner_places(const struct sopi_block *inner)
{
	return (uint16_t *)(void *)(sopi_inner_children(inner) + inner->count + 1);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static inline const struct sopi_item *sopi_item_at(const struct sopi_block *leaf, uint16_t place)
{
	return (const struct sopi_item *)(const void *)(sopi_block_bytes(leaf) +
							(size_t)place * SOPI_PLACE_UNIT);
}

static inline uint32_t sopi_item_key_size(const struct sopi_item *item)
{
	return item->key_size & SOPI_ITEM_KEY_MASK;
}

static inline uint32_t sopi_item_flags(const struct sopi_item *item)
{
	return item->key_size >> SOPI_ITEM_FLAG_SHIFT;
}

static inline const uint8_t *sopi_item_key(const struct sopi_item *item)
{
	return (const uint8_t *)(item + 1);
}

/* The separator of an inner node, without the prefix. */
static inline const uint8_t *sopi_separator_at(const struct sopi_block *inner, size_t slot, uint32_t *size)
{
	const uint8_t *at =
		sopi_block_bytes(inner) + (size_t)sopi_inner_places(inner)[slot] * SOPI_PLACE_UNIT;

	memcpy(size, at, 4);
	return at + 4;
}

/* The first four bytes of a key behind the prefix as a number that orders as they do. */
static inline uint32_t sopi_head_of(const uint8_t *key, size_t size)
{
	uint32_t head;

	if (SOPI_LIKELY(size >= 4)) {
		memcpy(&head, key, 4);
		return __builtin_bswap32(head);
	}
	head = 0;
	for (size_t i = 0; i < size; i++)
		head |= (uint32_t)key[i] << (24 - 8 * i);
	return head;
}

/* How many of the ascending `heads` are below `head`: branch-free, since the outcome cannot be
 * predicted. */
static inline size_t sopi_heads_below(const uint32_t *heads, size_t count, uint32_t head)
{
	const uint32_t *base = heads;

	if (count == 0)
		return 0;
	while (count > 1) {
		const size_t half = count / 2;

		base += base[half - 1] < head ? half : 0;
		count -= half;
	}
	return (size_t)(base - heads) + (*base < head);
}

/* Where a key is, or would be inserted, in the base of a leaf. */
struct sopi_slot_place {
	uint32_t slot;
	bool exact;
};

/* Compares the key with the prefix of a block: below 0, 0 (it begins with the prefix), above 0. */
static inline int sopi_prefix_compare(const struct sopi_block *block, const uint8_t *key, size_t size)
{
	const size_t both = size < block->prefix_size ? size : block->prefix_size;
	const int order = both == 0 ? 0 : memcmp(key, sopi_block_prefix(block), both);

	return order != 0 ? order : (size < block->prefix_size ? -1 : 0);
}

struct sopi_slot_place sopi_leaf_search_equal_heads(const struct sopi_block *leaf, size_t slot,
						    uint32_t head, const uint8_t *key, size_t size);

static inline struct sopi_slot_place sopi_leaf_search(const struct sopi_block *leaf,
						      const uint8_t *key, size_t size)
{
	const uint32_t *heads = sopi_block_heads(leaf);
	uint32_t head;
	size_t slot;

	if (leaf->prefix_size != 0) {
		const int order = sopi_prefix_compare(leaf, key, size);

		if (order != 0)
			return (struct sopi_slot_place){ order < 0 ? 0 : leaf->count, false };
		key += leaf->prefix_size;
		size -= leaf->prefix_size;
	}
	head = sopi_head_of(key, size);
	slot = sopi_heads_below(heads, leaf->count, head);
	if (slot == leaf->count || heads[slot] != head)
		return (struct sopi_slot_place){ (uint32_t)slot, false };
	return sopi_leaf_search_equal_heads(leaf, slot, head, key, size);
}

size_t sopi_inner_search_equal_heads(const struct sopi_block *inner, size_t slot, uint32_t head,
				     const uint8_t *key, size_t size);

/* The index of the child that answers for `key`: the number of separators at or below it. */
static inline size_t sopi_inner_search(const struct sopi_block *inner, const uint8_t *key, size_t size)
{
	const uint32_t *heads = sopi_block_heads(inner);
	uint32_t head;
	size_t slot;

	if (inner->prefix_size != 0) {
		const int order = sopi_prefix_compare(inner, key, size);

		if (order != 0)
			return order < 0 ? 0 : inner->count;
		key += inner->prefix_size;
		size -= inner->prefix_size;
	}
	head = sopi_head_of(key, size);
	slot = sopi_heads_below(heads, inner->count, head);
	if (slot == inner->count || heads[slot] != head)
		return slot;
	return sopi_inner_search_equal_heads(inner, slot, head, key, size);
}

/* The position that wrote an item of a leaf's base. Pages that are built before their commit has a position leave 0. */
static inline uint64_t sopi_item_version(const struct sopi_block *leaf, const struct sopi_item *item)
{
	return SOPI_LIKELY(item->version != 0) ? item->version : leaf->version.since;
}

/* Describes an item that lies in `leaf` with the given prefix before its key. */
static inline void sopi_item_describe(const struct sopi_item *item, const uint8_t *prefix,
				      uint32_t prefix_size, struct sopi_item_view *view)
{
	const uint8_t *at = sopi_item_key(item);
	const uint32_t flags = sopi_item_flags(item);

	view->prefix = prefix;
	view->prefix_size = prefix_size;
	view->key = at;
	view->key_size = sopi_item_key_size(item);
	view->version = item->version;
	view->value_size = item->value_size;
	at += view->key_size;
	view->ride = NULL;
	view->ride_size = 0;
	view->apart = NULL;
	if (flags & SOPI_ITEM_RIDE) {
		memcpy(&view->ride_size, at, 4);
		view->ride = at + 4;
		at += 4 + view->ride_size;
	}
	if (flags & SOPI_ITEM_APART) {
		memcpy(&view->apart, at, sizeof view->apart);
		view->value = NULL; /* not looked into: if a delta replaces this item, its value may be gone already */
	} else {
		view->value = at;
	}
}

/* The bytes of the value of an item that is current, also if they are kept apart; NULL if they are on disk only. */
static inline const uint8_t *sopi_item_value(const struct sopi_item_view *view)
{
	return view->apart != NULL ? view->apart->bytes : view->value;
}

/* Describes the base item in `slot`. */
static inline void sopi_leaf_describe(const struct sopi_block *leaf, size_t slot,
				      struct sopi_item_view *view)
{
	sopi_item_describe(sopi_item_at(leaf, sopi_leaf_places(leaf)[slot]),
			   sopi_block_prefix(leaf), leaf->prefix_size, view);
	if (SOPI_UNLIKELY(view->version == 0))
		view->version = leaf->version.since;
}

/* Describes delta `number`; for a key of the base, its key is the base item's. */
void sopi_leaf_describe_delta(const struct sopi_block *leaf, size_t number, struct sopi_item_view *view);

/* Looks up `key` as a reader at position `at` sees it, deltas included. True and `view` if it is
 * there. */
bool sopi_leaf_get(const struct sopi_block *leaf, const uint8_t *key, size_t size, uint64_t at,
		   struct sopi_item_view *view);

/* ---- writing ----------------------------------------------------------------------------------- */

/* Length of the common prefix of two items' keys. */
size_t sopi_item_common_prefix(const struct sopi_item_view *a, const struct sopi_item_view *b);

/* Orders two items by their keys. */
int sopi_item_compare(const struct sopi_item_view *a, const struct sopi_item_view *b);

/* Orders an item's key and a whole key. */
int sopi_item_compare_key(const struct sopi_item_view *item, const uint8_t *key, size_t size);

/* Copies bytes [from, key size) of an item's key to `to`. */
void sopi_item_copy_key(const struct sopi_item_view *item, size_t from, uint8_t *to);

static inline size_t sopi_item_whole_key_size(const struct sopi_item_view *item)
{
	return (size_t)item->prefix_size + item->key_size;
}

/* Bytes of a leaf of these ascending items, whose keys share `prefix_size` bytes. */
size_t sopi_leaf_bytes(const struct sopi_item_view *items, size_t count, size_t prefix_size);

/* Lays ascending items out in `leaf`, whose `capacity` is set and large enough; no deltas. */
void sopi_leaf_build(struct sopi_block *leaf, const struct sopi_item_view *items, size_t count,
		     size_t prefix_size);

/* Appends a delta behind the published ones and publishes it; false if there is no room for it.
 * `place` is where the base has or lacks the key. A tombstone if `item` is NULL. Of an item without a version, `position`
 * is the version. */
bool sopi_leaf_append_delta(struct sopi_block *leaf, struct sopi_slot_place place, uint64_t position,
			    const uint8_t *key, size_t key_size, const struct sopi_item_view *item);

/* One separator and the child at or above it, on their way into an inner page. */
struct sopi_separator {
	const uint8_t *prefix; /* first part of the separator */
	const uint8_t *key; /* the rest */
	struct sopi_vnode *child; /* answers for keys from the separator on */
	uint32_t prefix_size;
	uint32_t key_size;
};

/* The separator as an item that has nothing but its key. */
static inline struct sopi_item_view sopi_separator_view(const struct sopi_separator *separator)
{
	return (struct sopi_item_view){ .prefix = separator->prefix,
					.prefix_size = separator->prefix_size,
					.key = separator->key,
					.key_size = separator->key_size };
}

/* Bytes of an inner page of these separators, which share `prefix_size` bytes. */
size_t sopi_inner_bytes(const struct sopi_separator *separators, size_t count, size_t prefix_size);

/* Length of the common prefix of the first and the last separator. */
size_t sopi_separators_common_prefix(const struct sopi_separator *separators, size_t count);

/* Lays ascending separators out; `first` answers for keys below all of them. */
void sopi_inner_build(struct sopi_block *inner, struct sopi_vnode *first,
		      const struct sopi_separator *separators, size_t count, size_t prefix_size);

/* Describes the separator in `slot` with the child behind it. */
void sopi_inner_describe(const struct sopi_block *inner, size_t slot, struct sopi_separator *separator);

#endif
