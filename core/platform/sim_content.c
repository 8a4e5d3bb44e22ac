/* Bytes in shared pages, and the memory of the simulation. */
#include "platform/sim_content.h"

#include "base/check.h"
#include "platform/sim.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = SOPI_SIM_PAGE_BYTES };

struct sopi_sim_page {
	_Atomic uint32_t owners; /* copies of a disk may live in different threads */
	unsigned char bytes[PAGE];
};

void *sopi_sim_alloc(size_t size)
{
	void *memory = calloc(1, size != 0 ? size : 1);

	SOPI_CHECK(memory != NULL);
	return memory;
}

void *sopi_sim_resize(void *memory, size_t size)
{
	void *resized = realloc(memory, size != 0 ? size : 1);

	SOPI_CHECK(resized != NULL);
	return resized;
}

char *sopi_sim_text(const char *text)
{
	const size_t size = strlen(text) + 1;

	return memcpy(sopi_sim_alloc(size), text, size);
}

void sopi_sim_free(void *memory)
{
	free(memory);
}

static void release(struct sopi_sim_page *page)
{
	if (page != NULL && atomic_fetch_sub(&page->owners, 1) == 1)
		sopi_sim_free(page);
}

/* The page to write to: there, and nobody else's. */
static struct sopi_sim_page *own_page(struct sopi_sim_content *content, size_t index)
{
	struct sopi_sim_page *shared = content->pages[index];
	struct sopi_sim_page *page;

	if (shared != NULL && atomic_load(&shared->owners) == 1)
		return shared;
	page = sopi_sim_alloc(sizeof *page);
	atomic_init(&page->owners, 1);
	if (shared != NULL)
		memcpy(page->bytes, shared->bytes, PAGE);
	release(shared);
	content->pages[index] = page;
	return page;
}

static void make_room(struct sopi_sim_content *content, uint64_t end)
{
	const size_t needed = (size_t)((end + PAGE - 1) / PAGE);

	if (needed <= content->page_count)
		return;
	content->pages = sopi_sim_resize(content->pages, needed * sizeof *content->pages);
	memset(content->pages + content->page_count, 0,
	       (needed - content->page_count) * sizeof *content->pages);
	content->page_count = needed;
}

static size_t least(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

void sopi_sim_content_free(struct sopi_sim_content *content)
{
	for (size_t i = 0; i < content->page_count; i++)
		release(content->pages[i]);
	sopi_sim_free(content->pages);
	memset(content, 0, sizeof *content);
}

void sopi_sim_content_copy(struct sopi_sim_content *to, const struct sopi_sim_content *from)
{
	SOPI_CHECK(to->pages == NULL);
	to->size = from->size;
	make_room(to, (uint64_t)from->page_count * PAGE);
	for (size_t i = 0; i < from->page_count; i++) {
		to->pages[i] = from->pages[i];
		if (to->pages[i] != NULL)
			atomic_fetch_add(&to->pages[i]->owners, 1);
	}
}

size_t sopi_sim_content_read(const struct sopi_sim_content *content, uint64_t offset, void *to, size_t size)
{
	const size_t got = offset < content->size ? least(size, content->size - offset) : 0;

	for (size_t done = 0; done < got;) {
		const uint64_t at = offset + done;
		const size_t index = (size_t)(at / PAGE);
		const size_t part = least(got - done, PAGE - at % PAGE);
		const struct sopi_sim_page *page =
			index < content->page_count ? content->pages[index] : NULL;

		if (page != NULL)
			memcpy((char *)to + done, page->bytes + at % PAGE, part);
		else
			memset((char *)to + done, 0, part);
		done += part;
	}
	return got;
}

void sopi_sim_content_put(struct sopi_sim_content *content, uint64_t offset, const void *from, size_t size)
{
	make_room(content, offset + size);
	for (size_t done = 0; done < size;) {
		const uint64_t at = offset + done;
		const size_t part = least(size - done, PAGE - at % PAGE);
		struct sopi_sim_page *page = own_page(content, (size_t)(at / PAGE));

		memcpy(page->bytes + at % PAGE, (const char *)from + done, part);
		done += part;
	}
}

void sopi_sim_content_reserve(struct sopi_sim_content *content, uint64_t offset, uint64_t size)
{
	make_room(content, offset + size);
	for (uint64_t index = offset / PAGE; index * PAGE < offset + size; index++)
		if (content->pages[index] == NULL)
			(void)own_page(content, (size_t)index);
}

void sopi_sim_content_set_size(struct sopi_sim_content *content, uint64_t size)
{
	const bool shrinks = size < content->size;

	content->size = size;
	if (shrinks)
		sopi_sim_content_trim(content);
}

void sopi_sim_content_trim(struct sopi_sim_content *content)
{
	const size_t whole = (size_t)(content->size / PAGE);
	const size_t rest = (size_t)(content->size % PAGE);
	const size_t keep = whole + (rest != 0);

	if (rest != 0 && whole < content->page_count && content->pages[whole] != NULL)
		memset(own_page(content, whole)->bytes + rest, 0, PAGE - rest);
	for (size_t i = keep; i < content->page_count; i++)
		release(content->pages[i]);
	if (keep < content->page_count)
		content->page_count = keep;
}

size_t sopi_sim_content_pages_in(const struct sopi_sim_content *content, uint64_t offset, uint64_t size)
{
	size_t count = 0;

	for (uint64_t index = offset / PAGE; index * PAGE < offset + size; index++)
		count += index < content->page_count && content->pages[index] != NULL;
	return count;
}

size_t sopi_sim_content_pages(const struct sopi_sim_content *content)
{
	return sopi_sim_content_pages_in(content, 0, (uint64_t)content->page_count * PAGE);
}
