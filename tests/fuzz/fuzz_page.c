/* Any bytes as a node page with a right head and checksum: refused, or decoded into a node whose
 * page is these bytes and in which every key is found. */
#include "base/varint.h"
#include "unit/node/page_loader.h"

static const struct sopi_page_origin origin = { "", 0 };

static struct page_loader loader;

static void check_leaf(const struct sopi_block *leaf)
{
	for (size_t i = 0; i < leaf->count; i++) {
		struct sopi_item_view item;
		struct sopi_slot_place place;
		uint8_t *key;

		sopi_leaf_describe(leaf, i, &item);
		key = malloc(sopi_item_whole_key_size(&item) + 1);
		SOPI_CHECK(key != NULL);
		sopi_item_copy_key(&item, 0, key);
		place = sopi_leaf_search(leaf, key, sopi_item_whole_key_size(&item));
		SOPI_CHECK(place.exact && place.slot == i);
		free(key);
	}
}

static void check_inner(const struct sopi_block *inner)
{
	for (size_t i = 0; i < inner->count; i++) {
		struct sopi_separator separator;
		uint8_t *key;

		sopi_inner_describe(inner, i, &separator);
		key = malloc((size_t)separator.prefix_size + separator.key_size + 1);
		SOPI_CHECK(key != NULL);
		memcpy(key, separator.prefix, separator.prefix_size);
		memcpy(key + separator.prefix_size, separator.key, separator.key_size);
		SOPI_CHECK(sopi_inner_search(inner, key,
					     (size_t)separator.prefix_size + separator.key_size) ==
			   i + 1);
		free(key);
	}
}

static void check_page(const uint8_t *page, size_t size)
{
	const struct sopi_page_loader port = page_loader_port(&loader);
	const sop_bytes bytes = { page, size };
	sop_error err = SOP_ERROR_INIT;
	struct sopi_block *block = NULL;
	sop_buf again = SOP_BUF_INIT;
	struct sopi_page_id id;

	page_loader_reset(&loader);
	if (sopi_page_decode(bytes, NULL, &origin, NULL, &port, &block, &err) != SOP_OK) {
		SOPI_CHECK(strlen(err.message) > 0 && block == NULL);
		SOPI_CHECK(sopi_page_verify(bytes, NULL, &origin, &err) == err.status);
		return;
	}
	if (block->version.kind == SOPI_LEAF)
		check_leaf(block);
	else
		check_inner(block);
	SOPI_CHECK(sopi_page_verify(bytes, NULL, &origin, &err) == SOP_OK);
	id.base = 0;
	id.vid = sopi_load_u64le(page + PAGE_AT_VID);
	id.position = sopi_load_u64le(page + PAGE_AT_POSITION);
	SOPI_CHECK(page[SOPI_PAGE_HEAD_BYTES] < 0x80); /* see below: the store in one byte */
	id.store = page[SOPI_PAGE_HEAD_BYTES];
	if (page[PAGE_AT_TYPE] == PAGE_PATCH) {
		uint64_t below = 0;

		SOPI_CHECK(sopi_varint_decode(page + SOPI_PAGE_HEAD_BYTES + 1,
					      size - SOPI_PAGE_HEAD_BYTES - 1, &below) != 0);
		id.base = id.position - below;
	}
	SOPI_CHECK(sopi_page_encode(block, &id, SOPI_POSITION_HEAD, &page_locator, &again, &err) == SOP_OK);
	SOPI_CHECK(again.size == size && memcmp(again.data, page, size) == 0);
	sop_buf_free(&again);
	page_loader_block_free(&loader, block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *page;

	if (loader.children == NULL)
		page_loader_init(&loader); /* for the life of the program */
	if (size <= SOPI_PAGE_HEAD_BYTES)
		return 0;
	page = malloc(size);
	SOPI_CHECK(page != NULL);
	memcpy(page, data, size);
	memcpy(page + PAGE_AT_MAGIC, PAGE_MAGIC, 4);
	page[PAGE_AT_FORMAT] = SOPI_PAGE_FORMAT;
	page[PAGE_AT_TYPE] = data[PAGE_AT_TYPE] & 1 ? SOPI_LEAF : SOPI_INNER;
	if ((data[PAGE_AT_TYPE] & 3) == 3)
		page[PAGE_AT_TYPE] = PAGE_PATCH;
	page[PAGE_AT_FLAGS] &= data[PAGE_AT_TYPE] & 1 ? PAGE_LEAF_FLAGS : PAGE_INNER_FLAGS;
	page[PAGE_AT_ZERO] = 0;
	page[SOPI_PAGE_HEAD_BYTES] &= 0x7F;
	page_seal(page, size);
	check_page(page, size);
	free(page);
	return 0;
}
