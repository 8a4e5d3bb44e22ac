/* Building, searching and describing node pages in memory. */
#include "node/block.h"

enum {
	LINE_BYTES = 64,
	AHEAD_BYTES = 512 /* that the processor is asked for before they are written */
};

/* ---- searching --------------------------------------------------------------------------------- */

struct sopi_slot_place sopi_leaf_search_equal_heads(const struct sopi_block *leaf, size_t slot,
						    uint32_t head, const uint8_t *key, size_t size)
{
	const uint32_t *heads = sopi_block_heads(leaf);
	const uint16_t *places = sopi_leaf_places(leaf);
	size_t low = slot;
	size_t high = slot + 1;

	if (high < leaf->count && heads[high] == head)
		high = slot + sopi_heads_below(heads + slot, leaf->count - slot, head + 1);
	if (head == UINT32_MAX)
		high = leaf->count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct sopi_item *item = sopi_item_at(leaf, places[middle]);
		const int order =
			sopi_bytes_compare(sopi_item_key(item), sopi_item_key_size(item), key, size);

		if (order == 0)
			return (struct sopi_slot_place){ (uint32_t)middle, true };
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return (struct sopi_slot_place){ (uint32_t)low, false };
}

size_t sopi_inner_search_equal_heads(const struct sopi_block *inner, size_t slot, uint32_t head,
				     const uint8_t *key, size_t size)
{
	const uint32_t *heads = sopi_block_heads(inner);
	size_t low = slot;
	size_t high = head == UINT32_MAX
			      ? inner->count
			      : slot + sopi_heads_below(heads + slot, inner->count - slot, head + 1);

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		uint32_t separator_size;
		const uint8_t *separator = sopi_separator_at(inner, middle, &separator_size);

		if (sopi_bytes_compare(separator, separator_size, key, size) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- deltas ------------------------------------------------------------------------------------ */

void sopi_leaf_describe_delta(const struct sopi_block *leaf, size_t number, struct sopi_item_view *view)
{
	const struct sopi_item *item = sopi_item_at(leaf, sopi_leaf_delta_places(leaf)[number]);
	const uint16_t code = sopi_leaf_delta_codes(leaf)[number];

	sopi_item_describe(item, NULL, 0, view);
	if (code & 1) {
		const struct sopi_item *base = sopi_item_at(leaf, sopi_leaf_places(leaf)[code >> 1]);

		view->prefix = sopi_block_prefix(leaf);
		view->prefix_size = leaf->prefix_size;
		view->key = sopi_item_key(base);
		view->key_size = sopi_item_key_size(base);
	}
}

/* Does delta `number` stand for the key that the search placed at `place`? */
static bool delta_is_for(const struct sopi_block *leaf, size_t number, struct sopi_slot_place place,
			 const uint8_t *key, size_t size)
{
	const struct sopi_item *item;

	if (sopi_leaf_delta_codes(leaf)[number] != (place.slot << 1 | (place.exact ? 1u : 0u)))
		return false;
	if (place.exact)
		return true;
	item = sopi_item_at(leaf, sopi_leaf_delta_places(leaf)[number]);
	return sopi_bytes_compare(sopi_item_key(item), sopi_item_key_size(item), key, size) == 0;
}

bool sopi_leaf_get(const struct sopi_block *leaf, const uint8_t *key, size_t size, uint64_t at,
		   struct sopi_item_view *view)
{
	const struct sopi_slot_place place = sopi_leaf_search(leaf, key, size);
	size_t number = atomic_load_explicit(&leaf->delta_count, memory_order_acquire);

	while (number-- > 0) {
		if (atomic_load_explicit(&sopi_leaf_delta_positions(leaf)[number],
					 memory_order_relaxed) > at)
			continue; /* its bytes may still be written */
		if (!delta_is_for(leaf, number, place, key, size))
			continue;
		if (sopi_item_flags(sopi_item_at(leaf, sopi_leaf_delta_places(leaf)[number])) &
		    SOPI_ITEM_DELETED)
			return false;
		sopi_leaf_describe_delta(leaf, number, view);
		return true;
	}
	if (!place.exact)
		return false;
	sopi_leaf_describe(leaf, place.slot, view);
	return true;
}

/* Writes an item at `to`: its head, the given part of its key, ride-along fields and value. */
static void write_item(uint8_t *to, uint64_t version, const uint8_t *key, size_t key_size,
		       const struct sopi_item_view *from)
{
	struct sopi_item head = { version, (uint32_t)key_size, 0 };
	uint8_t *at = to + sizeof head + key_size;

	if (key_size != 0 && key != NULL)
		memcpy(to + sizeof head, key, key_size);
	if (from == NULL) {
		head.key_size |= (uint32_t)SOPI_ITEM_DELETED << SOPI_ITEM_FLAG_SHIFT;
	} else {
		head.value_size = from->value_size;
		if (from->ride_size != 0) {
			head.key_size |= (uint32_t)SOPI_ITEM_RIDE << SOPI_ITEM_FLAG_SHIFT;
			memcpy(at, &from->ride_size, 4);
			memcpy(at + 4, from->ride, from->ride_size);
			at += 4 + from->ride_size;
		}
		if (from->apart != NULL) {
			head.key_size |= (uint32_t)SOPI_ITEM_APART << SOPI_ITEM_FLAG_SHIFT;
			memcpy(at, &from->apart, sizeof from->apart);
		} else if (from->value_size != 0) {
			memcpy(at, from->value, from->value_size);
		}
	}
	memcpy(to, &head, sizeof head);
}

bool sopi_leaf_append_delta(struct sopi_block *leaf, struct sopi_slot_place place, uint64_t position,
			    const uint8_t *key, size_t key_size, const struct sopi_item_view *item)
{
	const size_t number = atomic_load_explicit(&leaf->delta_count, memory_order_relaxed);
	const size_t stored = place.exact ? 0 : key_size;
	const size_t bytes = item == NULL ? sopi_item_bytes(stored, 0, 0, false)
					  : sopi_item_bytes(stored, item->ride_size,
							    item->value_size, item->apart != NULL);

	if (number == SOPI_DELTAS_MAX || bytes > leaf->capacity - leaf->free_at ||
	    place.slot >= SOPI_SLOTS_MAX)
		return false;
	atomic_store_explicit(&sopi_leaf_delta_positions(leaf)[number], position, memory_order_relaxed);
	sopi_leaf_delta_codes(leaf)[number] = (uint16_t)(place.slot << 1 | (place.exact ? 1u : 0u));
	sopi_leaf_delta_places(leaf)[number] = (uint16_t)(leaf->free_at / SOPI_PLACE_UNIT);
	write_item((uint8_t *)leaf + leaf->free_at,
		   item != NULL && item->version != 0 ? item->version : position, key, stored, item);
	leaf->free_at += (uint32_t)bytes;
	atomic_store_explicit(&leaf->delta_count, (uint8_t)(number + 1), memory_order_release);
	return true;
}

/* ---- items as views ---------------------------------------------------------------------------- */

/* Byte `at` onwards of a key in two parts, as far as it is contiguous. */
static const uint8_t *key_part(const struct sopi_item_view *item, size_t at, size_t *size)
{
	if (at < item->prefix_size) {
		*size = item->prefix_size - at;
		return item->prefix + at;
	}
	at -= item->prefix_size;
	*size = item->key_size - at;
	return item->key + at;
}

size_t sopi_item_common_prefix(const struct sopi_item_view *a, const struct sopi_item_view *b)
{
	const size_t a_size = sopi_item_whole_key_size(a);
	const size_t b_size = sopi_item_whole_key_size(b);
	const size_t end = a_size < b_size ? a_size : b_size;
	size_t at = 0;

	if (a->prefix == b->prefix)
		at = a->prefix_size < b->prefix_size ? a->prefix_size : b->prefix_size;
	while (at < end) {
		size_t a_part, b_part;
		const uint8_t *a_bytes = key_part(a, at, &a_part);
		const uint8_t *b_bytes = key_part(b, at, &b_part);

		if (*a_bytes != *b_bytes)
			break;
		at++;
	}
	return at;
}

int sopi_item_compare(const struct sopi_item_view *a, const struct sopi_item_view *b)
{
	const size_t a_size = sopi_item_whole_key_size(a);
	const size_t b_size = sopi_item_whole_key_size(b);
	const size_t end = a_size < b_size ? a_size : b_size;
	size_t at = 0;

	if (a->prefix == b->prefix)
		at = a->prefix_size < b->prefix_size ? a->prefix_size : b->prefix_size;
	while (at < end) {
		size_t a_part, b_part, both;
		const uint8_t *a_bytes = key_part(a, at, &a_part);
		const uint8_t *b_bytes = key_part(b, at, &b_part);
		int order;

		both = a_part < b_part ? a_part : b_part;
		order = sopi_compare_short(a_bytes, b_bytes, both);
		if (order != 0)
			return order;
		at += both;
	}
	return (a_size > b_size) - (a_size < b_size);
}

int sopi_item_compare_key(const struct sopi_item_view *item, const uint8_t *key, size_t size)
{
	const size_t first = item->prefix_size < size ? item->prefix_size : size;
	const int order = sopi_compare_short(item->prefix, key, first);

	if (order != 0)
		return order;
	if (size < item->prefix_size)
		return 1;
	return sopi_bytes_compare(item->key, item->key_size, key + first, size - first);
}

void sopi_item_copy_key(const struct sopi_item_view *item, size_t from, uint8_t *to)
{
	if (from < item->prefix_size) {
		sopi_copy_short(to, item->prefix + from, item->prefix_size - from);
		to += item->prefix_size - from;
		from = 0;
	} else {
		from -= item->prefix_size;
	}
	if (item->key_size > from)
		sopi_copy_short(to, item->key + from, item->key_size - from);
}

/* ---- building ---------------------------------------------------------------------------------- */

size_t sopi_leaf_bytes(const struct sopi_item_view *items, size_t count, size_t prefix_size)
{
	size_t bytes = sopi_leaf_fixed_bytes(count, prefix_size);

	for (size_t i = 0; i < count; i++)
		bytes += sopi_item_bytes(sopi_item_whole_key_size(&items[i]) - prefix_size,
					 items[i].ride_size, items[i].value_size,
					 items[i].apart != NULL);
	return bytes;
}

void sopi_leaf_build(struct sopi_block *leaf, const struct sopi_item_view *items, size_t count,
		     size_t prefix_size)
{
	uint8_t *bytes = (uint8_t *)leaf;
	size_t at = sopi_leaf_fixed_bytes(count, prefix_size);
	uint32_t *heads;
	uint16_t *places;
	bool inlined = true;

	leaf->version.kind = SOPI_LEAF;
	atomic_store_explicit(&leaf->delta_count, 0, memory_order_relaxed);
	leaf->count = (uint16_t)count;
	leaf->prefix_size = (uint32_t)prefix_size;
	if (prefix_size != 0) {
		struct sopi_item_view first = items[0];

		if (first.prefix_size >= prefix_size) {
			memcpy(bytes + SOPI_LEAF_HEAD_BYTES, first.prefix, prefix_size);
		} else {
			first.key_size = (uint32_t)prefix_size - first.prefix_size;
			sopi_item_copy_key(&first, 0, bytes + SOPI_LEAF_HEAD_BYTES);
		}
	}
	heads = sopi_block_heads(leaf);
	places = sopi_leaf_places(leaf);
	for (size_t i = 0; i < count; i++) {
		const struct sopi_item_view *item = &items[i];
		const size_t key_size = sopi_item_whole_key_size(item) - prefix_size;
		uint8_t *key = bytes + at + sizeof(struct sopi_item);

		__builtin_prefetch(bytes + at + AHEAD_BYTES, 1);
		__builtin_prefetch(bytes + at + AHEAD_BYTES + LINE_BYTES, 1);
		inlined = inlined && item->apart == NULL;
		sopi_item_copy_key(item, prefix_size, key);
		write_item(bytes + at, item->version, NULL, key_size, item);
		heads[i] = sopi_head_of(key, key_size);
		places[i] = (uint16_t)(at / SOPI_PLACE_UNIT);
		at += sopi_item_bytes(key_size, item->ride_size, item->value_size, item->apart != NULL);
	}
	SOPI_CHECK(at <= leaf->capacity);
	leaf->inlined = inlined;
	leaf->free_at = (uint32_t)at;
}

size_t sopi_separators_common_prefix(const struct sopi_separator *separators, size_t count)
{
	struct sopi_item_view first = { 0 };
	struct sopi_item_view last = { 0 };

	if (count == 0)
		return 0;
	first.prefix = separators[0].prefix;
	first.prefix_size = separators[0].prefix_size;
	first.key = separators[0].key;
	first.key_size = separators[0].key_size;
	last.prefix = separators[count - 1].prefix;
	last.prefix_size = separators[count - 1].prefix_size;
	last.key = separators[count - 1].key;
	last.key_size = separators[count - 1].key_size;
	return sopi_item_common_prefix(&first, &last);
}

size_t sopi_inner_bytes(const struct sopi_separator *separators, size_t count, size_t prefix_size)
{
	size_t bytes = sopi_inner_fixed_bytes(count, prefix_size);

	for (size_t i = 0; i < count; i++)
		bytes += sopi_separator_bytes((size_t)separators[i].prefix_size +
					      separators[i].key_size - prefix_size);
	return bytes;
}

static void separator_copy(const struct sopi_separator *separator, size_t from, uint8_t *to)
{
	const struct sopi_item_view view = { .prefix = separator->prefix,
					     .prefix_size = separator->prefix_size,
					     .key = separator->key,
					     .key_size = separator->key_size };

	sopi_item_copy_key(&view, from, to);
}

void sopi_inner_build(struct sopi_block *inner, struct sopi_vnode *first,
		      const struct sopi_separator *separators, size_t count, size_t prefix_size)
{
	uint8_t *bytes = (uint8_t *)inner;
	size_t at = sopi_inner_fixed_bytes(count, prefix_size);
	struct sopi_vnode **children;
	uint32_t *heads;
	uint16_t *places;

	inner->version.kind = SOPI_INNER;
	atomic_store_explicit(&inner->delta_count, 0, memory_order_relaxed);
	inner->count = (uint16_t)count;
	inner->prefix_size = (uint32_t)prefix_size;
	if (prefix_size != 0) {
		struct sopi_separator head = separators[0];

		if (head.prefix_size > prefix_size)
			head.prefix_size = (uint32_t)prefix_size;
		head.key_size = (uint32_t)prefix_size - head.prefix_size;
		separator_copy(&head, 0, bytes + SOPI_INNER_HEAD_BYTES);
	}
	heads = sopi_block_heads(inner);
	children = sopi_inner_children(inner);
	places = sopi_inner_places(inner);
	children[0] = first;
	for (size_t i = 0; i < count; i++) {
		const size_t whole = (size_t)separators[i].prefix_size + separators[i].key_size;
		const uint32_t size = (uint32_t)(whole - prefix_size);

		memcpy(bytes + at, &size, 4);
		separator_copy(&separators[i], prefix_size, bytes + at + 4);
		heads[i] = sopi_head_of(bytes + at + 4, size);
		children[i + 1] = separators[i].child;
		places[i] = (uint16_t)(at / SOPI_PLACE_UNIT);
		at += sopi_separator_bytes(size);
	}
	SOPI_CHECK(at <= inner->capacity);
	inner->free_at = (uint32_t)at;
}

void sopi_inner_describe(const struct sopi_block *inner, size_t slot, struct sopi_separator *separator)
{
	separator->prefix = sopi_block_prefix(inner);
	separator->prefix_size = inner->prefix_size;
	separator->key = sopi_separator_at(inner, slot, &separator->key_size);
	separator->child = sopi_inner_children(inner)[slot + 1];
}
