/* A loader and a locator for page tests: every vid is a node and every location a value, once in
 * each page. A vnode is made with the vid that was asked for, a value with its location, so that
 * encoding finds both again. */
#ifndef TEST_PAGE_LOADER_H
#define TEST_PAGE_LOADER_H

#include "node/page_layout.h"
#include "node/vnode.h"

#include <stdlib.h>

struct page_loader {
	struct sopi_vnode *children; /* SOPI_SLOTS_MAX + 1 */
	size_t child_count;
	struct sopi_value *values; /* SOPI_SLOTS_MAX */
	size_t value_count;
	size_t refuse_after; /* answers until one is refused */
	size_t blocks; /* that are not given back */
	size_t largest; /* block asked for, in bytes */
};

static inline void page_loader_init(struct page_loader *loader)
{
	memset(loader, 0, sizeof *loader);
	loader->children = calloc(SOPI_SLOTS_MAX + 1, sizeof *loader->children);
	loader->values = calloc(SOPI_SLOTS_MAX, sizeof *loader->values);
	loader->refuse_after = SIZE_MAX;
	SOPI_CHECK(loader->children != NULL && loader->values != NULL);
}

static inline void page_loader_free(struct page_loader *loader)
{
	free(loader->children);
	free(loader->values);
}

/* Forgets what it answered. */
static inline void page_loader_reset(struct page_loader *loader)
{
	loader->child_count = 0;
	loader->value_count = 0;
}

static inline struct sopi_block *page_block_new(size_t size)
{
	struct sopi_block *block = malloc(size);

	if (block == NULL)
		return NULL;
	memset(block, 0, sizeof *block);
	block->capacity = (uint32_t)size;
	return block;
}

static inline struct sopi_block *page_loader_block_new(void *arg, size_t size)
{
	struct page_loader *loader = arg;

	loader->largest = size > loader->largest ? size : loader->largest;
	if (loader->refuse_after == 0)
		return NULL;
	loader->blocks++;
	return page_block_new(size);
}

static inline void page_loader_block_free(void *arg, struct sopi_block *block)
{
	((struct page_loader *)arg)->blocks--;
	free(block);
}

static inline sop_status page_loader_child(void *arg, uint64_t vid, struct sopi_vnode **out,
					   sop_error *err)
{
	struct page_loader *loader = arg;

	if (loader->child_count + loader->value_count >= loader->refuse_after)
		return sopi_fail(err, SOP_CORRUPT, "refused");
	SOPI_CHECK(loader->child_count <= SOPI_SLOTS_MAX);
	*out = &loader->children[loader->child_count++];
	(*out)->vid = vid;
	return SOP_OK;
}

static inline sop_status page_loader_value(void *arg, uint64_t location, uint64_t size,
					   struct sopi_value **out, sop_error *err)
{
	struct page_loader *loader = arg;

	if (loader->child_count + loader->value_count >= loader->refuse_after)
		return sopi_fail(err, SOP_IO, "refused");
	SOPI_CHECK(loader->value_count < SOPI_SLOTS_MAX);
	*out = &loader->values[loader->value_count++];
	(*out)->version.since = location;
	(*out)->size = size;
	return SOP_OK;
}

static inline uint64_t page_loader_locate(void *arg, const struct sopi_value *value)
{
	(void)arg;
	return value->version.since;
}

static inline struct sopi_page_loader page_loader_port(struct page_loader *loader)
{
	return (struct sopi_page_loader){ page_loader_block_new, page_loader_block_free,
					  page_loader_child, page_loader_value, loader };
}

static const struct sopi_page_locator page_locator = { page_loader_locate, NULL };

/* What a forger does: a right length and a right checksum around anything. */
static inline void page_seal(uint8_t *page, size_t size)
{
	sopi_store_u32le(page + PAGE_AT_LENGTH, (uint32_t)size);
	sopi_store_u32le(page + PAGE_AT_CRC, page_crc(page, size));
}

#endif
