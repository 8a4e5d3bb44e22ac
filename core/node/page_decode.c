/* A node from bytes: first all of it is checked, then it is built. */
#include "node/page_layout.h"

#include "base/alloc.h"
#include "base/varint.h"
#include "node/vnode.h"

#include <sop/store.h>

enum { ITEMS_ON_STACK = 64 };

/* A page whose head was read. */
struct page {
	const struct sopi_page_origin *from;
	const uint8_t *bytes;
	const uint8_t *at; /* what is read next */
	const uint8_t *end;
	uint8_t type; /* SOPI_LEAF or SOPI_INNER; of a patch SOPI_LEAF */
	bool patch;
	uint8_t flags;
	struct sopi_page_id id;
	size_t count;
	const uint8_t *prefix;
	size_t prefix_size;
	uint64_t once[PAGE_COLUMNS]; /* numbers that all entries share */
	uint8_t varying[PAGE_COLUMNS]; /* columns of which each entry has its own number */
	unsigned varying_count;
	const uint8_t *first_child; /* inner: its vid */
};

/* One entry: an item, or a separator and the child behind it. */
struct entry {
	uint64_t numbers[PAGE_COLUMNS];
	const uint8_t *key;
	const uint8_t *ride;
	const uint8_t *value; /* or a reference */
	uint64_t value_size;
	bool apart;
};

/* ---- reading within bounds ------------------------------------------------------------------- */

/* Damage, found at `at`. */
#define DAMAGED(page, at, err, ...)                                                                \
	sopi_fail_file(err, SOP_CORRUPT, (page)->from->file, offset_of(page, at), 0, __VA_ARGS__)

static int64_t offset_of(const struct page *page, const uint8_t *at)
{
	return page->from->offset < 0 ? -1 : page->from->offset + (at - page->bytes);
}

static bool take_number(struct page *page, uint64_t *number)
{
	size_t size;

	if (SOPI_LIKELY(page->at < page->end && *page->at < 0x80)) { /* nearly all are of one byte */
		*number = *page->at++;
		return true;
	}
	size = sopi_varint_decode(page->at, (size_t)(page->end - page->at), number);
	page->at += size;
	return size != 0;
}

static bool take_bytes(struct page *page, uint64_t size, const uint8_t **bytes)
{
	if (size > (size_t)(page->end - page->at))
		return false;
	*bytes = page->at;
	page->at += size;
	return true;
}

static bool is_once(const struct page *page, unsigned column)
{
	return page->type == SOPI_INNER && column != PAGE_KEY_SIZE ? true
								   : (page->flags >> column & 1) != 0;
}

/* An entry that take_entry may read into, again and again: it only changes what varies. */
static void prepare_entry(const struct page *page, struct entry *entry)
{
	memcpy(entry->numbers, page->once, sizeof entry->numbers);
}

/* Reads the next entry; false if it goes beyond the page. REQUIRES: it was prepared. */
static bool take_entry(struct page *page, struct entry *entry)
{
	uint64_t value_bytes;

	for (unsigned i = 0; i < page->varying_count; i++) {
		if (!take_number(page, &entry->numbers[page->varying[i]]))
			return false;
	}
	entry->value_size = entry->numbers[PAGE_VALUE_SIZE];
	entry->apart = (page->flags & PAGE_APART) != 0 && (entry->value_size & 1) != 0;
	if (page->flags & PAGE_APART)
		entry->value_size >>= 1;
	value_bytes = entry->apart || page->type == SOPI_INNER ? PAGE_REFERENCE_BYTES : entry->value_size;
	return take_bytes(page, entry->numbers[PAGE_KEY_SIZE], &entry->key) &&
	       take_bytes(page, entry->numbers[PAGE_RIDE_SIZE], &entry->ride) &&
	       take_bytes(page, value_bytes, &entry->value);
}

/* ---- the head -------------------------------------------------------------------------------- */

/* Is it whole, and of a format that is known? */
static sop_status check_whole(const struct page *page, size_t size, sop_error *err)
{
	const uint8_t *bytes = page->bytes;

	if (size < SOPI_PAGE_HEAD_BYTES)
		return DAMAGED(page, bytes, err, "a node page ends after %zu bytes", size);
	if (memcmp(bytes + PAGE_AT_MAGIC, PAGE_MAGIC, 4) != 0)
		return DAMAGED(page, bytes, err, "there is no node page here");
	if (bytes[PAGE_AT_FORMAT] != SOPI_PAGE_FORMAT)
		return sopi_fail_file(err, SOP_UNSUPPORTED, page->from->file,
				      offset_of(page, bytes + PAGE_AT_FORMAT), 0,
				      "a node page has format %u; this library reads format %d: use a newer one",
				      bytes[PAGE_AT_FORMAT], SOPI_PAGE_FORMAT);
	if (sopi_load_u32le(bytes + PAGE_AT_LENGTH) != size)
		return DAMAGED(page, bytes + PAGE_AT_LENGTH, err,
			       "a node page says that it has %u bytes; it has %zu",
			       sopi_load_u32le(bytes + PAGE_AT_LENGTH), size);
	if (sopi_load_u32le(bytes + PAGE_AT_CRC) != page_crc(bytes, size))
		return DAMAGED(page, bytes, err, "the checksum of a node page is wrong");
	return SOP_OK;
}

/* Is it the page that was looked for? */
static sop_status check_id(const struct page *page, const struct sopi_page_id *expected, sop_error *err)
{
	const struct sopi_page_id *id = &page->id;

	if (expected == NULL)
		return SOP_OK;
	if (id->vid != expected->vid)
		return DAMAGED(page, page->bytes + PAGE_AT_VID, err,
			       "misdirected: the page of node %llu is where that of node %llu should be",
			       (unsigned long long)id->vid, (unsigned long long)expected->vid);
	if (id->store != expected->store)
		return DAMAGED(page, page->bytes + SOPI_PAGE_HEAD_BYTES, err,
			       "misdirected: node %llu is of store %llu instead of %llu",
			       (unsigned long long)id->vid, (unsigned long long)id->store,
			       (unsigned long long)expected->store);
	if (id->base != expected->base)
		return DAMAGED(page, page->bytes + PAGE_AT_TYPE, err,
			       "misdirected: of node %llu there is a patch of position %llu instead of %llu (0: a whole page)",
			       (unsigned long long)id->vid, (unsigned long long)id->base,
			       (unsigned long long)expected->base);
	if (id->position != expected->position)
		return DAMAGED(page, page->bytes + PAGE_AT_POSITION, err,
			       "%s: the page of node %llu is of position %llu instead of %llu",
			       id->position < expected->position ? "stale" : "misdirected",
			       (unsigned long long)id->vid, (unsigned long long)id->position,
			       (unsigned long long)expected->position);
	return SOP_OK;
}

/* Of a patch: how far its base is below it. */
static bool take_base(struct page *page)
{
	uint64_t below;

	if (!page->patch)
		return true;
	if (!take_number(page, &below) || below == 0 || below >= page->id.position)
		return false;
	page->id.base = page->id.position - below;
	return true;
}

/* What stands before the entries: counts, prefix, numbers that are said once, the first child. */
static sop_status read_common(struct page *page, sop_error *err)
{
	uint64_t count, prefix_size;

	if (!take_number(page, &page->id.store) || !take_base(page) || !take_number(page, &count) ||
	    !take_number(page, &prefix_size) || count > SOPI_SLOTS_MAX ||
	    !take_bytes(page, prefix_size, &page->prefix))
		return DAMAGED(page, page->at, err, "a count in the head of a node page is wrong");
	page->count = (size_t)count;
	page->prefix_size = (size_t)prefix_size;
	if ((count == 0 && page->flags != 0) || (count < 2 && prefix_size != 0))
		return DAMAGED(page, page->bytes + PAGE_AT_FLAGS, err,
			       "a node page has a prefix or flags that nothing shares");
	for (unsigned column = 0; column < PAGE_COLUMNS; column++) {
		if ((page->flags >> column & 1) != 0 && !take_number(page, &page->once[column]))
			return DAMAGED(page, page->at, err, "a size in the head of a node page is wrong");
		if (!is_once(page, column))
			page->varying[page->varying_count++] = (uint8_t)column;
	}
	if (page->type == SOPI_INNER && !take_bytes(page, PAGE_REFERENCE_BYTES, &page->first_child))
		return DAMAGED(page, page->at, err, "an inner page has no child");
	return SOP_OK;
}

static sop_status read_head(struct page *page, sop_bytes bytes, const struct sopi_page_id *expected,
			    const struct sopi_page_origin *from, sop_error *err)
{
	memset(page, 0, sizeof *page);
	page->from = from;
	page->bytes = bytes.data;
	SOP_TRY(check_whole(page, bytes.size, err));
	page->at = page->bytes + SOPI_PAGE_HEAD_BYTES;
	page->end = page->bytes + bytes.size;
	page->type = page->bytes[PAGE_AT_TYPE];
	page->flags = page->bytes[PAGE_AT_FLAGS];
	page->id.vid = sopi_load_u64le(page->bytes + PAGE_AT_VID);
	page->id.position = sopi_load_u64le(page->bytes + PAGE_AT_POSITION);
	page->patch = page->type == PAGE_PATCH;
	if (page->patch)
		page->type = SOPI_LEAF;
	if (page->type != SOPI_LEAF && page->type != SOPI_INNER)
		return DAMAGED(page, page->bytes + PAGE_AT_TYPE, err, "a node page has type %u",
			       page->type);
	if ((page->flags & ~(page->type == SOPI_LEAF ? PAGE_LEAF_FLAGS : PAGE_INNER_FLAGS)) != 0 ||
	    page->bytes[PAGE_AT_ZERO] != 0)
		return DAMAGED(page, page->bytes + PAGE_AT_FLAGS, err,
			       "a node page has flags %#x, which mean nothing", page->flags);
	SOP_TRY(read_common(page, err));
	return check_id(page, expected, err);
}

/* ---- the entries ----------------------------------------------------------------------------- */

/* What is learned on the way over the entries. */
struct survey {
	struct entry first;
	struct entry last;
	unsigned varied; /* columns that are not the same for all, as bits */
	bool apart; /* some value is */
	size_t block_bytes;
};

static sop_status check_child(const struct page *page, const uint8_t *at, sop_error *err)
{
	const uint64_t vid = sopi_load_u64le(at);

	if (vid == 0 || vid == page->id.vid)
		return DAMAGED(page, at, err, "node %llu cannot be a child of node %llu",
			       (unsigned long long)vid, (unsigned long long)page->id.vid);
	return SOP_OK;
}

/* Do the keys of two entries that follow each other ascend? */
static bool ascends(const struct entry *before, const struct entry *entry)
{
	const size_t size = (size_t)before->numbers[PAGE_KEY_SIZE];

	if (SOPI_LIKELY(size >= 8 && entry->numbers[PAGE_KEY_SIZE] >= 8)) { /* the first word decides nearly always */
		const uint64_t a = sopi_load_u64be(before->key), b = sopi_load_u64be(entry->key);

		if (SOPI_LIKELY(a != b))
			return a < b;
	}
	return sopi_bytes_compare(before->key, size, entry->key,
				  (size_t)entry->numbers[PAGE_KEY_SIZE]) < 0;
}

/* Checks an entry against the one before it (NULL: it is the first). */
static sop_status check_entry(const struct page *page, const uint8_t *at,
			      const struct entry *before, const struct entry *entry, sop_error *err)
{
	if (before != NULL && !ascends(before, entry))
		return DAMAGED(page, at, err, "the keys of a node page do not ascend");
	if (page->type == SOPI_INNER)
		return check_child(page, entry->value, err);
	if (entry->value_size > SOP_VALUE_BYTES_MAX)
		return DAMAGED(page, at, err, "a value of %llu bytes is beyond the limit",
			       (unsigned long long)entry->value_size);
	if (entry->numbers[PAGE_AGE] >= page->id.position)
		return DAMAGED(page, at, err, "an item is older than all positions");
	if (page->patch && entry->numbers[PAGE_AGE] >= page->id.position - page->id.base)
		return DAMAGED(page, at, err, "an item of a patch is not newer than the page below it");
	return SOP_OK;
}

/* Bytes that an entry takes in a block. Its sizes are within the page, so that the sum cannot
 * overflow. */
static size_t block_bytes_of(const struct page *page, const struct entry *entry)
{
	if (page->type == SOPI_INNER)
		return sopi_separator_bytes((size_t)entry->numbers[PAGE_KEY_SIZE]);
	return sopi_item_bytes((size_t)entry->numbers[PAGE_KEY_SIZE],
			       (size_t)entry->numbers[PAGE_RIDE_SIZE], (size_t)entry->value_size,
			       entry->apart);
}

/* A node has one form: whatever can be said once is, and the prefix is as long as it can be. */
static sop_status check_one_form(const struct page *page, const struct survey *survey, sop_error *err)
{
	const unsigned columns = page->type == SOPI_LEAF ? (1u << PAGE_COLUMNS) - 1 : PAGE_INNER_FLAGS;
	const unsigned once = page->count == 0 ? 0 : columns & ~survey->varied;

	if ((page->flags & columns) != once || ((page->flags & PAGE_APART) != 0) != survey->apart)
		return DAMAGED(page, page->bytes + PAGE_AT_FLAGS, err,
			       "the flags of a node page do not fit its entries");
	if (page->count > 1 && survey->first.numbers[PAGE_KEY_SIZE] != 0 &&
	    survey->first.key[0] == survey->last.key[0])
		return DAMAGED(page, page->bytes + SOPI_PAGE_HEAD_BYTES, err,
			       "the keys of a node page share more than its prefix");
	if (page->at != page->end)
		return DAMAGED(page, page->at, err, "a node page goes on behind its last entry");
	return SOP_OK;
}

/* Goes over all entries; leaves `page` where they began. */
static sop_status check_entries(struct page *page, struct survey *survey, sop_error *err)
{
	const uint8_t *begin = page->at;
	struct entry entries[2]; /* this one and the one before: copying them would cost as much as all else */

	memset(survey, 0, sizeof *survey);
	survey->block_bytes = page->type == SOPI_LEAF
				      ? sopi_leaf_fixed_bytes(page->count, page->prefix_size)
				      : sopi_inner_fixed_bytes(page->count, page->prefix_size);
	if (page->type == SOPI_INNER)
		SOP_TRY(check_child(page, page->first_child, err));
	prepare_entry(page, &entries[0]);
	prepare_entry(page, &entries[1]);
	for (size_t i = 0; i < page->count; i++) {
		const uint8_t *at = page->at;
		struct entry *entry = &entries[i & 1];

		if (!take_entry(page, entry))
			return DAMAGED(page, at, err, "an entry goes beyond its node page");
		SOP_TRY(check_entry(page, at, i == 0 ? NULL : &entries[~i & 1], entry, err));
		if (i == 0)
			survey->first = *entry;
		for (unsigned k = 0; k < page->varying_count; k++) { /* the others cannot */
			const unsigned column = page->varying[k];

			if (entry->numbers[column] != survey->first.numbers[column])
				survey->varied |= 1u << column;
		}
		survey->apart = survey->apart || entry->apart;
		survey->block_bytes += block_bytes_of(page, entry);
	}
	if (page->count != 0)
		survey->last = entries[(page->count - 1) & 1];
	if (survey->block_bytes > SOPI_BLOCK_BYTES_MAX)
		return DAMAGED(page, page->bytes, err, "a node page holds more than a node may");
	SOP_TRY(check_one_form(page, survey, err));
	page->at = begin;
	return SOP_OK;
}

sop_status sopi_page_verify(sop_bytes bytes, const struct sopi_page_id *expected,
			    const struct sopi_page_origin *from, sop_error *err)
{
	struct survey survey;
	struct page page;

	SOP_TRY(read_head(&page, bytes, expected, from, err));
	return check_entries(&page, &survey, err);
}

/* The entries of a page that was checked, without those that its patch replaces. */
struct rest {
	struct page *page;
	struct page patch; /* of no entries: there is none */
	size_t at; /* of the entries of the patch that were read */
	struct entry replaced; /* the newest of them */
};

static struct sopi_item_view key_of(const struct page *page, const struct entry *entry)
{
	return (struct sopi_item_view){ .prefix = page->prefix,
					.prefix_size = (uint32_t)page->prefix_size,
					.key = entry->key,
					.key_size = (uint32_t)entry->numbers[PAGE_KEY_SIZE] };
}

static sop_status rest_begin(struct rest *rest, struct page *page,
			     const struct sopi_page_patch *patch, sop_error *err)
{
	const struct sopi_page_id expected = { page->id.vid, page->id.store, patch->position,
					       page->id.position };
	struct survey survey;

	memset(rest, 0, sizeof *rest);
	rest->page = page;
	if (patch->page.size == 0)
		return SOP_OK;
	if (page->type != SOPI_LEAF)
		return DAMAGED(page, page->bytes + PAGE_AT_TYPE, err,
			       "node %llu is an inner one, but the registry has a patch of it",
			       (unsigned long long)page->id.vid);
	SOP_TRY(read_head(&rest->patch, patch->page, &expected, &patch->from, err));
	prepare_entry(&rest->patch, &rest->replaced);
	return check_entries(&rest->patch, &survey, err);
}

sop_status sopi_page_check(sop_bytes bytes, const struct sopi_page_id *expected,
			   const struct sopi_page_origin *from, const struct sopi_page_patch *patch,
			   sop_error *err)
{
	struct survey survey;
	struct rest rest;
	struct page page;

	SOP_TRY(read_head(&page, bytes, expected, from, err));
	SOP_TRY(check_entries(&page, &survey, err));
	return rest_begin(&rest, &page, patch, err);
}

/* Does the patch have the key of this entry of the page? Asked in the order of the entries. */
static bool is_replaced(struct rest *rest, const struct entry *entry)
{
	const struct sopi_item_view key = key_of(rest->page, entry);

	for (;;) {
		if (rest->at > 0) {
			const struct sopi_item_view newer = key_of(&rest->patch, &rest->replaced);
			const int order = sopi_item_compare(&newer, &key);

			if (order >= 0)
				return order == 0;
		}
		if (rest->at == rest->patch.count)
			return false;
		SOPI_CHECK(take_entry(&rest->patch, &rest->replaced));
		rest->at++;
	}
}

/* Tells of what the entries name, but for those that are replaced (rest: NULL if none can be). */
static sop_status tell_references(struct page *page, struct rest *rest, sopi_page_reference_fn fn,
				  void *arg, sop_error *err)
{
	struct entry entry;

	if (page->type == SOPI_INNER)
		SOP_TRY(fn(arg, false, sopi_load_u64le(page->first_child), err));
	prepare_entry(page, &entry);
	for (size_t i = 0; i < page->count; i++) {
		SOPI_CHECK(take_entry(page, &entry));
		if ((page->type == SOPI_INNER || entry.apart) &&
		    (rest == NULL || !is_replaced(rest, &entry)))
			SOP_TRY(fn(arg, page->type == SOPI_LEAF, sopi_load_u64le(entry.value), err));
	}
	return SOP_OK;
}

sop_status sopi_page_references(sop_bytes bytes, const struct sopi_page_id *expected,
				const struct sopi_page_origin *from, const struct sopi_page_patch *patch,
				sopi_page_reference_fn fn, void *arg, sop_error *err)
{
	struct page page, newer;
	struct survey survey;
	struct rest rest;

	SOP_TRY(read_head(&page, bytes, expected, from, err));
	SOP_TRY(check_entries(&page, &survey, err));
	SOP_TRY(rest_begin(&rest, &page, patch, err));
	newer = rest.patch; /* stands before its entries */
	SOP_TRY(tell_references(&page, &rest, fn, arg, err));
	return newer.count == 0 ? SOP_OK : tell_references(&newer, NULL, fn, arg, err);
}

uint64_t sopi_page_key(const uint8_t *head)
{
	const uint64_t vid = sopi_load_u64le(head + PAGE_AT_VID);

	return head[PAGE_AT_TYPE] == PAGE_PATCH ? vid | SOPI_PAGE_PATCH_KEY : vid;
}

/* ---- building -------------------------------------------------------------------------------- */

/* Lays an item out at `to`, as sopi_leaf_build does. */
static sop_status build_item(const struct page *page, const struct entry *entry,
			     const struct sopi_page_loader *loader, uint8_t *to, sop_error *err)
{
	const uint32_t ride_size = (uint32_t)entry->numbers[PAGE_RIDE_SIZE];
	const size_t key_size = (size_t)entry->numbers[PAGE_KEY_SIZE];
	const uint32_t flags = (entry->apart ? SOPI_ITEM_APART : 0u) |
			       (ride_size != 0 ? SOPI_ITEM_RIDE : 0u);
	const struct sopi_item head = { page->id.position - entry->numbers[PAGE_AGE],
					(uint32_t)key_size | flags << SOPI_ITEM_FLAG_SHIFT,
					(uint32_t)entry->value_size };

	memcpy(to, &head, sizeof head);
	to += sizeof head;
	sopi_copy_short(to, entry->key, key_size);
	to += key_size;
	if (ride_size != 0) {
		memcpy(to, &ride_size, 4);
		memcpy(to + 4, entry->ride, ride_size);
		to += 4 + ride_size;
	}
	if (entry->apart) {
		struct sopi_value *value = NULL;

		SOP_TRY(loader->value(loader->arg, sopi_load_u64le(entry->value), entry->value_size,
				      &value, err));
		memcpy(to, &value, sizeof value);
	} else if (entry->value_size != 0) {
		memcpy(to, entry->value, (size_t)entry->value_size);
	}
	return SOP_OK;
}

static sop_status build_leaf(struct page *page, const struct sopi_page_loader *loader,
			     struct sopi_block *leaf, sop_error *err)
{
	uint8_t *bytes = (uint8_t *)leaf;
	size_t at = sopi_leaf_fixed_bytes(page->count, page->prefix_size);
	uint32_t *heads = sopi_block_heads(leaf);
	uint16_t *places = sopi_leaf_places(leaf);
	struct entry entry;

	prepare_entry(page, &entry);
	for (size_t i = 0; i < page->count; i++) {
		SOPI_CHECK(take_entry(page, &entry));
		SOP_TRY(build_item(page, &entry, loader, bytes + at, err));
		heads[i] = sopi_head_of(entry.key, (size_t)entry.numbers[PAGE_KEY_SIZE]);
		places[i] = (uint16_t)(at / SOPI_PLACE_UNIT);
		at += block_bytes_of(page, &entry);
	}
	leaf->version.items = (uint16_t)page->count;
	leaf->free_at = (uint32_t)at;
	return SOP_OK;
}

static sop_status build_inner(struct page *page, const struct sopi_page_loader *loader,
			      struct sopi_block *inner, sop_error *err)
{
	uint8_t *bytes = (uint8_t *)inner;
	size_t at = sopi_inner_fixed_bytes(page->count, page->prefix_size);
	struct sopi_vnode **children = sopi_inner_children(inner);
	uint16_t *places = sopi_inner_places(inner);
	uint32_t *heads = sopi_block_heads(inner);
	struct entry entry;

	SOP_TRY(loader->child(loader->arg, sopi_load_u64le(page->first_child), &children[0], err));
	prepare_entry(page, &entry);
	for (size_t i = 0; i < page->count; i++) {
		uint32_t size;

		SOPI_CHECK(take_entry(page, &entry));
		size = (uint32_t)entry.numbers[PAGE_KEY_SIZE];
		memcpy(bytes + at, &size, 4);
		sopi_copy_short(bytes + at + 4, entry.key, size);
		heads[i] = sopi_head_of(entry.key, size);
		SOP_TRY(loader->child(loader->arg, sopi_load_u64le(entry.value), &children[i + 1], err));
		places[i] = (uint16_t)(at / SOPI_PLACE_UNIT);
		at += block_bytes_of(page, &entry);
	}
	inner->free_at = (uint32_t)at;
	return SOP_OK;
}

/* ---- a leaf from a page and its patch --------------------------------------------------------- */

/* Two lists of entries, gone through in step. */
struct joining {
	struct page *page;
	struct page *patch;
	const struct sopi_page_loader *loader;
	struct sopi_item_view *items; /* the result */
	size_t count;
};

/* Takes an entry over as an item. Its bytes stay where they are, in the page. */
static sop_status join_entry(struct joining *j, const struct page *page, const struct entry *entry,
			     sop_error *err)
{
	struct sopi_item_view *item = &j->items[j->count++];

	*item = key_of(page, entry);
	item->version = page->id.position - entry->numbers[PAGE_AGE];
	item->ride = entry->ride;
	item->ride_size = (uint32_t)entry->numbers[PAGE_RIDE_SIZE];
	item->value_size = (uint32_t)entry->value_size;
	if (!entry->apart) {
		item->value = entry->value;
		return SOP_OK;
	}
	return j->loader->value(j->loader->arg, sopi_load_u64le(entry->value), entry->value_size,
				&item->apart, err);
}

/* Takes the entries of both in the order of their keys; of one key the patch's. */
static sop_status join(struct joining *j, sop_error *err)
{
	struct entry old, newer;
	size_t at = 0;

	prepare_entry(j->page, &old);
	prepare_entry(j->patch, &newer);
	if (j->page->count > 0)
		SOPI_CHECK(take_entry(j->page, &old));
	for (size_t i = 0; i < j->patch->count; i++) {
		struct sopi_item_view new_key;
		int order = 1;

		SOPI_CHECK(take_entry(j->patch, &newer));
		new_key = key_of(j->patch, &newer);
		while (at < j->page->count) {
			const struct sopi_item_view old_key = key_of(j->page, &old);

			order = sopi_item_compare(&old_key, &new_key);
			if (order < 0)
				SOP_TRY(join_entry(j, j->page, &old, err));
			if (order <= 0 && ++at < j->page->count)
				SOPI_CHECK(take_entry(j->page, &old));
			if (order >= 0)
				break;
		}
		SOP_TRY(join_entry(j, j->patch, &newer, err));
	}
	while (at < j->page->count) {
		SOP_TRY(join_entry(j, j->page, &old, err));
		if (++at < j->page->count)
			SOPI_CHECK(take_entry(j->page, &old));
	}
	return SOP_OK;
}

static sop_status build_joined(const struct joining *j, struct sopi_block **out, sop_error *err)
{
	const size_t prefix_size =
		j->count > 1 ? sopi_item_common_prefix(&j->items[0], &j->items[j->count - 1]) : 0;
	const size_t bytes = sopi_leaf_bytes(j->items, j->count, prefix_size);
	struct sopi_block *leaf;

	if (bytes > SOPI_BLOCK_BYTES_MAX || j->count > SOPI_SLOTS_MAX)
		return DAMAGED(j->patch, j->patch->bytes, err,
			       "a node page and its patch hold more than a node may");
	leaf = j->loader->block_new(j->loader->arg, bytes);
	if (leaf == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory for a node of %zu bytes", bytes);
	sopi_leaf_build(leaf, j->items, j->count, prefix_size);
	leaf->version.since = j->patch->id.position;
	leaf->version.items = (uint16_t)j->count;
	*out = leaf;
	return SOP_OK;
}

/* REQUIRES: both were checked. */
static sop_status decode_joined(struct page *page, struct page *patch,
				const struct sopi_page_loader *loader, struct sopi_block **out,
				sop_error *err)
{
	const size_t most = page->count + patch->count;
	struct sopi_item_view room[ITEMS_ON_STACK];
	struct joining j = { page, patch, loader, room, 0 };
	void *memory = NULL;
	sop_status status;

	if (most > ITEMS_ON_STACK) {
		SOP_TRY(sopi_alloc(most * sizeof *j.items, &memory, err));
		j.items = memory;
	}
	status = join(&j, err);
	if (status == SOP_OK)
		status = build_joined(&j, out, err);
	sopi_free(memory);
	return status;
}

/* ---- decoding -------------------------------------------------------------------------------- */

/* REQUIRES: it was checked. */
static sop_status decode_alone(struct page *page, const struct survey *survey,
			       const struct sopi_page_loader *loader, struct sopi_block **out,
			       sop_error *err)
{
	struct sopi_block *block = loader->block_new(loader->arg, survey->block_bytes);
	sop_status status;

	if (block == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory for a node of %zu bytes",
				 survey->block_bytes);
	SOPI_CHECK(block->capacity >= survey->block_bytes);
	block->version.kind = page->type;
	block->version.since = page->id.position;
	block->count = (uint16_t)page->count;
	block->prefix_size = (uint32_t)page->prefix_size;
	block->inlined = !survey->apart;
	sopi_copy_short((uint8_t *)(uintptr_t)sopi_block_prefix(block), page->prefix, page->prefix_size);
	status = page->type == SOPI_LEAF ? build_leaf(page, loader, block, err)
					 : build_inner(page, loader, block, err);
	if (status != SOP_OK) {
		loader->block_free(loader->arg, block);
		return status;
	}
	*out = block;
	return SOP_OK;
}

sop_status sopi_page_decode(sop_bytes bytes, const struct sopi_page_id *expected,
			    const struct sopi_page_origin *from, const struct sopi_page_patch *patch,
			    const struct sopi_page_loader *loader, struct sopi_block **out,
			    sop_error *err)
{
	struct survey survey;
	struct rest rest;
	struct page page;

	SOP_TRY(read_head(&page, bytes, expected, from, err));
	SOP_TRY(check_entries(&page, &survey, err));
	if (patch == NULL || patch->page.size == 0)
		return decode_alone(&page, &survey, loader, out, err);
	SOP_TRY(rest_begin(&rest, &page, patch, err));
	return decode_joined(&page, &rest.patch, loader, out, err);
}
