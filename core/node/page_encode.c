/* A node as bytes. */
#include "node/page_layout.h"

#include "base/buffer.h"
#include "base/varint.h"
#include "node/vnode.h"

/* ---- the items of a leaf as of a position ---------------------------------------------------- */

enum {
	LISTED_MAX = 64
}; /* items of a patch that are looked for once; more are looked for each time */

/* A leaf with the deltas that are visible, newest of each key only, in the order of their keys. */
struct seen {
	const struct sopi_block *leaf;
	uint64_t base; /* only items that are newer; 0: all */
	uint8_t deltas[SOPI_DELTAS_MAX];
	size_t delta_count;
	bool listed; /* the items are these: */
	struct sopi_item_view *items;
	size_t item_count;
};

/* Where one goes over them. */
struct at {
	size_t slot;
	size_t delta;
	size_t item; /* of the list */
};

static uint16_t code_of(const struct seen *seen, size_t number)
{
	return sopi_leaf_delta_codes(seen->leaf)[number];
}

/* Orders two deltas by their keys; a new key stands before the base slot that its code names. */
static int delta_compare(const struct seen *seen, size_t a, size_t b)
{
	struct sopi_item_view x, y;

	if (code_of(seen, a) != code_of(seen, b))
		return code_of(seen, a) < code_of(seen, b) ? -1 : 1;
	sopi_leaf_describe_delta(seen->leaf, a, &x);
	sopi_leaf_describe_delta(seen->leaf, b, &y);
	return sopi_item_compare(&x, &y);
}

static void see(struct seen *seen, const struct sopi_block *leaf, uint64_t base, uint64_t at)
{
	size_t number = atomic_load_explicit(&leaf->delta_count, memory_order_acquire);

	for (size_t i = 0; i < leaf->count; i++) /* nobody may have looked at them for long */
		__builtin_prefetch(sopi_item_at(leaf, sopi_leaf_places(leaf)[i]));
	seen->leaf = leaf;
	seen->base = base;
	seen->delta_count = 0;
	seen->listed = false;
	while (number-- > 0) { /* newest first */
		size_t to = seen->delta_count;
		int order = 1;

		if (atomic_load_explicit(&sopi_leaf_delta_positions(leaf)[number],
					 memory_order_relaxed) > at)
			continue; /* its bytes may still be written */
		while (to > 0 && (order = delta_compare(seen, number, seen->deltas[to - 1])) < 0)
			to--;
		if (to > 0 && order == 0)
			continue; /* a newer one of the same key is there */
		memmove(seen->deltas + to + 1, seen->deltas + to, seen->delta_count - to);
		seen->deltas[to] = (uint8_t)number;
		seen->delta_count++;
	}
}

static bool is_tombstone(const struct seen *seen, size_t number)
{
	const uint16_t place = sopi_leaf_delta_places(seen->leaf)[number];

	return (sopi_item_flags(sopi_item_at(seen->leaf, place)) & SOPI_ITEM_DELETED) != 0;
}

/* The next item of the leaf; false at the end. */
static bool next_of_all(const struct seen *seen, struct at *at, struct sopi_item_view *item)
{
	while (at->slot < seen->leaf->count || at->delta < seen->delta_count) {
		const size_t number = at->delta < seen->delta_count ? seen->deltas[at->delta]
								    : SOPI_DELTAS_MAX;

		if (number == SOPI_DELTAS_MAX || code_of(seen, number) >> 1 > at->slot) {
			sopi_leaf_describe(seen->leaf, at->slot++, item);
			return true;
		}
		at->delta++;
		if (code_of(seen, number) & 1)
			at->slot++; /* it stands for the base item */
		if (is_tombstone(seen, number))
			continue;
		sopi_leaf_describe_delta(seen->leaf, number, item);
		return true;
	}
	return false;
}

/* The next item of the page; false at the end, `item` then is any. */
static bool next_item(const struct seen *seen, struct at *at, struct sopi_item_view *item)
{
	if (seen->listed) {
		if (at->item == seen->item_count)
			return false;
		*item = seen->items[at->item++];
		return true;
	}
	while (next_of_all(seen, at, item)) {
		if (item->version > seen->base)
			return true;
	}
	return false;
}

/* Lists the few items of a patch, so that the others are gone over once only. */
static void list_items(struct seen *seen, struct sopi_item_view items[LISTED_MAX])
{
	struct sopi_item_view item;
	struct at at = { 0 };
	size_t count = 0;

	while (next_item(seen, &at, &item)) {
		if (count == LISTED_MAX)
			return;
		items[count++] = item;
	}
	seen->items = items;
	seen->item_count = count;
	seen->listed = true;
}

bool sopi_page_patch_pays(const struct sopi_block *leaf, uint64_t base, uint64_t at)
{
	struct at next = { 0 };
	struct sopi_item_view item;
	size_t all = 0, newer = 0, count = 0;
	struct seen seen;

	see(&seen, leaf, 0, at);
	while (next_of_all(&seen, &next, &item)) {
		const size_t bytes = sopi_item_bytes(item.key_size, item.ride_size, item.value_size,
						     item.apart != NULL);

		all += bytes;
		newer += item.version > base ? bytes : 0;
		count += item.version > base;
	}
	return newer > 0 && newer * count <= 2 * all && newer <= all / 2 &&
	       all <= SOPI_BLOCK_BYTES_MAX / 2;
}

/* ---- what they have in common ---------------------------------------------------------------- */

/* What is said once a page, and what its entries need at most. */
struct shape {
	struct sopi_page_id id;
	size_t count;
	size_t prefix_size;
	unsigned flags;
	uint64_t once[PAGE_COLUMNS];
	size_t most_bytes; /* of the page */
	size_t block_bytes; /* that it will take in memory */
};

enum { MOST_OF_NUMBERS = (PAGE_COLUMNS + 4) * SOPI_VARINT_BYTES_MAX };

/* The numbers of an item; sizes of keys whole, if `prefix_size` is 0. */
static void numbers_of(const struct shape *shape, const struct sopi_item_view *item,
		       uint64_t numbers[PAGE_COLUMNS])
{
	const uint64_t apart = item->apart != NULL ? 1 : 0;

	SOPI_CHECK(item->version != 0 && item->version <= shape->id.position);
	numbers[PAGE_KEY_SIZE] = sopi_item_whole_key_size(item) - shape->prefix_size;
	numbers[PAGE_RIDE_SIZE] = item->ride_size;
	numbers[PAGE_VALUE_SIZE] = (shape->flags & PAGE_APART) != 0
					   ? (uint64_t)item->value_size << 1 | apart
					   : item->value_size;
	numbers[PAGE_AGE] = shape->id.position - item->version;
}

/* How many items there are, whether some value is apart, and what prefix the keys share. */
static void find_common(struct shape *shape, const struct seen *seen)
{
	struct sopi_item_view first, last, item;
	struct at at = { 0 };

	if (!next_item(seen, &at, &first))
		return;
	item = first;
	do {
		last = item;
		shape->count++;
		shape->flags |= item.apart != NULL ? PAGE_APART : 0;
	} while (next_item(seen, &at, &item));
	if (shape->count > 1)
		shape->prefix_size = sopi_item_common_prefix(&first, &last);
}

/* Which numbers are equal for all items, and how large things get. */
static void find_equal(struct shape *shape, const struct seen *seen)
{
	struct sopi_item_view item;
	struct at at = { 0 };
	size_t count = 0;

	shape->most_bytes = SOPI_PAGE_HEAD_BYTES + MOST_OF_NUMBERS + shape->prefix_size;
	shape->block_bytes = sopi_leaf_fixed_bytes(shape->count, shape->prefix_size);
	shape->flags |= shape->count == 0 ? 0 : (1u << PAGE_COLUMNS) - 1;
	while (next_item(seen, &at, &item)) {
		const size_t key_size = sopi_item_whole_key_size(&item) - shape->prefix_size;
		uint64_t numbers[PAGE_COLUMNS];

		numbers_of(shape, &item, numbers);
		if (count++ == 0)
			memcpy(shape->once, numbers, sizeof numbers);
		for (unsigned column = 0; column < PAGE_COLUMNS; column++) {
			if (numbers[column] != shape->once[column])
				shape->flags &= ~(1u << column);
		}
		shape->most_bytes += MOST_OF_NUMBERS + key_size + item.ride_size +
				     (item.apart != NULL ? PAGE_REFERENCE_BYTES : item.value_size);
		shape->block_bytes += sopi_item_bytes(key_size, item.ride_size, item.value_size,
						      item.apart != NULL);
	}
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Writes into room that was made before. */
struct writer {
	uint8_t *start;
	uint8_t *at;
	uint8_t *end;
};

static void put_number(struct writer *writer, uint64_t number)
{
	writer->at += sopi_varint_encode(number, writer->at, (size_t)(writer->end - writer->at));
}

static void put_bytes(struct writer *writer, const void *bytes, size_t size)
{
	if (size != 0)
		memcpy(writer->at, bytes, size);
	writer->at += size;
}

static void put_u64(struct writer *writer, uint64_t number)
{
	sopi_store_u64le(writer->at, number);
	writer->at += 8;
}

/* Bytes [from, to) of an item's key. */
static void put_key(struct writer *writer, struct sopi_item_view item, size_t from, size_t to)
{
	if (to <= item.prefix_size) {
		item.prefix_size = (uint32_t)to;
		item.key_size = 0;
	} else {
		item.key_size = (uint32_t)(to - item.prefix_size);
	}
	sopi_item_copy_key(&item, from, writer->at);
	writer->at += to - from;
}

/* Makes room for the page and writes all that stands before the prefix. The checksum comes last. */
static sop_status begin_page(struct writer *writer, const struct shape *shape, uint8_t type,
			     sop_buf *out, sop_error *err)
{
	SOP_TRY(sopi_buf_room(out, shape->most_bytes, err));
	writer->start = (uint8_t *)out->data + out->size;
	writer->at = writer->start + SOPI_PAGE_HEAD_BYTES;
	writer->end = (uint8_t *)out->data + out->capacity;
	memset(writer->start, 0, SOPI_PAGE_HEAD_BYTES);
	memcpy(writer->start + PAGE_AT_MAGIC, PAGE_MAGIC, 4);
	writer->start[PAGE_AT_FORMAT] = SOPI_PAGE_FORMAT;
	writer->start[PAGE_AT_TYPE] = type;
	writer->start[PAGE_AT_FLAGS] = (uint8_t)shape->flags;
	sopi_store_u64le(writer->start + PAGE_AT_VID, shape->id.vid);
	sopi_store_u64le(writer->start + PAGE_AT_POSITION, shape->id.position);
	put_number(writer, shape->id.store);
	if (shape->id.base != 0)
		put_number(writer, shape->id.position - shape->id.base);
	put_number(writer, shape->count);
	put_number(writer, shape->prefix_size);
	return SOP_OK;
}

static void end_page(struct writer *writer, sop_buf *out)
{
	const size_t size = (size_t)(writer->at - writer->start);

	SOPI_CHECK(writer->at <= writer->end && size <= UINT32_MAX);
	sopi_store_u32le(writer->start + PAGE_AT_LENGTH, (uint32_t)size);
	sopi_store_u32le(writer->start + PAGE_AT_CRC, page_crc(writer->start, size));
	out->size += size;
}

/* The numbers that are said once (`once`), or those that are not. */
static void put_numbers(struct writer *writer, unsigned flags, bool once,
			const uint64_t numbers[PAGE_COLUMNS])
{
	for (unsigned column = 0; column < PAGE_COLUMNS; column++) {
		if (((flags >> column & 1) != 0) == once)
			put_number(writer, numbers[column]);
	}
}

static void put_item(struct writer *writer, const struct shape *shape,
		     const struct sopi_item_view *item, const struct sopi_page_locator *locator)
{
	uint64_t numbers[PAGE_COLUMNS];

	numbers_of(shape, item, numbers);
	put_numbers(writer, shape->flags, false, numbers);
	put_key(writer, *item, shape->prefix_size, sopi_item_whole_key_size(item));
	put_bytes(writer, item->ride, item->ride_size);
	if (item->apart != NULL)
		put_u64(writer, locator->locate(locator->arg, item->apart));
	else
		put_bytes(writer, item->value, item->value_size);
}

static sop_status encode_leaf(const struct sopi_block *leaf, const struct sopi_page_id *id,
			      uint64_t position, const struct sopi_page_locator *locator,
			      sop_buf *out, sop_error *err)
{
	struct sopi_item_view item, items[LISTED_MAX];
	struct shape shape = { .id = *id };
	struct at at = { 0 };
	struct writer writer;
	struct seen seen;

	SOPI_CHECK(id->base == 0 || id->base < id->position);
	see(&seen, leaf, id->base, position);
	if (id->base != 0)
		list_items(&seen, items);
	find_common(&shape, &seen);
	find_equal(&shape, &seen);
	if (shape.block_bytes > SOPI_BLOCK_BYTES_MAX || shape.count > SOPI_SLOTS_MAX)
		return sopi_fail(err, SOP_LIMIT, "a leaf of %zu items needs %zu bytes; a block holds %d",
				 shape.count, shape.block_bytes, SOPI_BLOCK_BYTES_MAX);
	SOP_TRY(begin_page(&writer, &shape, id->base != 0 ? PAGE_PATCH : SOPI_LEAF, out, err));
	for (size_t i = 0; next_item(&seen, &at, &item); i++) {
		if (i == 0) {
			put_key(&writer, item, 0, shape.prefix_size);
			put_numbers(&writer, shape.flags, true, shape.once);
		}
		put_item(&writer, &shape, &item, locator);
	}
	end_page(&writer, out);
	return SOP_OK;
}

/* ---- inner pages ----------------------------------------------------------------------------- */

/* The separator in `slot` as an item, for the functions above. */
static struct sopi_item_view separator_item(const struct sopi_block *inner, size_t slot, uint64_t *child)
{
	struct sopi_separator separator;

	sopi_inner_describe(inner, slot, &separator);
	*child = separator.child->vid;
	return (struct sopi_item_view){ .prefix = separator.prefix,
					.prefix_size = separator.prefix_size,
					.key = separator.key,
					.key_size = separator.key_size };
}

static void inner_shape(struct shape *shape, const struct sopi_block *inner)
{
	struct sopi_item_view first = { 0 };
	struct sopi_item_view item = { 0 };
	uint64_t child;

	shape->count = inner->count;
	shape->most_bytes = SOPI_PAGE_HEAD_BYTES + MOST_OF_NUMBERS + PAGE_REFERENCE_BYTES;
	shape->flags = inner->count == 0 ? 0 : PAGE_INNER_FLAGS;
	for (size_t i = 0; i < inner->count; i++) {
		item = separator_item(inner, i, &child);
		if (i == 0)
			first = item;
		if (sopi_item_whole_key_size(&item) != sopi_item_whole_key_size(&first))
			shape->flags = 0;
		shape->most_bytes +=
			MOST_OF_NUMBERS + sopi_item_whole_key_size(&item) + PAGE_REFERENCE_BYTES;
	}
	if (inner->count > 1)
		shape->prefix_size = sopi_item_common_prefix(&first, &item);
	shape->once[PAGE_KEY_SIZE] = sopi_item_whole_key_size(&first) - shape->prefix_size;
}

static sop_status encode_inner(const struct sopi_block *inner, const struct sopi_page_id *id,
			       sop_buf *out, sop_error *err)
{
	struct shape shape = { .id = *id };
	struct writer writer;
	uint64_t child;

	inner_shape(&shape, inner);
	SOP_TRY(begin_page(&writer, &shape, SOPI_INNER, out, err));
	if (inner->count > 0)
		put_key(&writer, separator_item(inner, 0, &child), 0, shape.prefix_size);
	if (shape.flags != 0)
		put_number(&writer, shape.once[PAGE_KEY_SIZE]);
	put_u64(&writer, sopi_inner_children(inner)[0]->vid);
	for (size_t i = 0; i < inner->count; i++) {
		const struct sopi_item_view item = separator_item(inner, i, &child);
		const size_t size = sopi_item_whole_key_size(&item);

		if (shape.flags == 0)
			put_number(&writer, size - shape.prefix_size);
		put_key(&writer, item, shape.prefix_size, size);
		put_u64(&writer, child);
	}
	end_page(&writer, out);
	return SOP_OK;
}

sop_status sopi_page_encode(const struct sopi_block *block, const struct sopi_page_id *id, uint64_t at,
			    const struct sopi_page_locator *locator, sop_buf *out, sop_error *err)
{
	SOPI_CHECK(block->version.kind == SOPI_LEAF || block->version.kind == SOPI_INNER);
	if (block->version.kind == SOPI_INNER)
		return encode_inner(block, id, out, err);
	return encode_leaf(block, id, at, locator, out, err);
}
