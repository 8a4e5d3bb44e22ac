/* malloc and mmap, counted, with the fault hook of the tests. Nothing else in the library calls
 * them. */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#ifdef SOP_TEST_HOOKS
static _Atomic int64_t live_count;
static _Atomic int64_t asked;
static _Atomic int64_t fail_at = -1; /* the number of the allocation that fails */
static _Atomic bool fail_for_ever;

void sopi_alloc_fail_after(int64_t n, bool for_ever)
{
	atomic_store(&asked, 0);
	atomic_store(&fail_for_ever, for_ever);
	atomic_store(&fail_at, n);
}

int64_t sopi_alloc_asked(void)
{
	return atomic_load(&asked);
}

static bool hook_fails(void)
{
	const int64_t number = atomic_fetch_add(&asked, 1);
	const int64_t at = atomic_load(&fail_at);

	return at >= 0 && (number == at || (number > at && atomic_load(&fail_for_ever)));
}

static void count(int64_t by)
{
	atomic_fetch_add(&live_count, by);
}

int64_t sopi_alloc_live_count(void)
{
	return atomic_load(&live_count);
}
#else
/* Product builds count nothing: a counter shared by all threads would cost more than malloc. */
static bool hook_fails(void)
{
	return false;
}

static void count(int64_t by)
{
	(void)by;
}

int64_t sopi_alloc_live_count(void)
{
	return -1;
}
#endif

static sop_status no_memory(size_t size, sop_error *err)
{
	return sopi_fail(err, SOP_NO_MEMORY,
			 "out of memory: %zu bytes were asked for; close transactions or lower cache_bytes",
			 size);
}

sop_status sopi_alloc(size_t size, void **out, sop_error *err)
{
	void *memory = hook_fails() ? NULL : malloc(size != 0 ? size : 1);

	if (memory == NULL)
		return no_memory(size, err);
	count(1);
	*out = memory;
	return SOP_OK;
}

sop_status sopi_alloc_zeroed(size_t size, void **out, sop_error *err)
{
	void *memory = hook_fails() ? NULL : calloc(1, size != 0 ? size : 1);

	if (memory == NULL)
		return no_memory(size, err);
	count(1);
	*out = memory;
	return SOP_OK;
}

sop_status sopi_alloc_aligned(size_t alignment, size_t size, void **out, sop_error *err)
{
	void *memory = NULL;

	if (hook_fails() || posix_memalign(&memory, alignment, size != 0 ? size : 1) != 0)
		return no_memory(size, err);
	count(1);
	*out = memory;
	return SOP_OK;
}

sop_status sopi_alloc_huge(size_t size, void **out, sop_error *err)
{
	SOP_TRY(sopi_alloc_aligned(SOPI_HUGE_PAGE_BYTES, size, out, err));
	(void)madvise(*out, size & ~(size_t)(SOPI_HUGE_PAGE_BYTES - 1),
		      MADV_HUGEPAGE); /* advice: refusing it changes nothing */
	return SOP_OK;
}

sop_status sopi_realloc(void **memory, size_t size, sop_error *err)
{
	void *grown = hook_fails() ? NULL : realloc(*memory, size != 0 ? size : 1);

	if (grown == NULL)
		return no_memory(size, err);
	if (*memory == NULL)
		count(1);
	*memory = grown;
	return SOP_OK;
}

sop_status sopi_grow(void *array, size_t count, size_t *capacity, size_t element, sop_error *err)
{
	const size_t more = *capacity + *capacity / 2 + 16;
	void *memory;

	if (count < *capacity)
		return SOP_OK;
	memcpy(&memory, array, sizeof memory); /* a pointer of any type, which no void ** may point to */
	SOP_TRY(sopi_realloc(&memory, more * element, err));
	memcpy(array, &memory, sizeof memory);
	*capacity = more;
	return SOP_OK;
}

void sopi_free(void *memory)
{
	if (memory == NULL)
		return;
	count(-1);
	free(memory);
}

#ifdef __SANITIZE_ADDRESS__
void sopi_alloc_hide(void *memory, size_t size)
{
	__asan_poison_memory_region(memory, size);
}

void sopi_alloc_show(void *memory, size_t size)
{
	__asan_unpoison_memory_region(memory, size);
}
#else
void sopi_alloc_hide(void *memory, size_t size)
{
	(void)memory;
	(void)size;
}

void sopi_alloc_show(void *memory, size_t size)
{
	(void)memory;
	(void)size;
}
#endif

sop_status sopi_alloc_pages(size_t alignment, size_t size, void **out, sop_error *err)
{
	const size_t room = size + alignment;
	char *start;
	char *aligned;

	if (hook_fails())
		return no_memory(size, err);
	start = mmap(NULL, room, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return no_memory(size, err);
	aligned = (char *)(((uintptr_t)start + alignment - 1) & ~(uintptr_t)(alignment - 1));
	if (aligned > start)
		munmap(start, (size_t)(aligned - start));
	if (start + room > aligned + size)
		munmap(aligned + size, (size_t)(start + room - (aligned + size)));
	if (size >= SOPI_HUGE_PAGE_BYTES)
		(void)madvise(aligned, size, MADV_HUGEPAGE); /* advice: a kernel without it changes nothing */
	count(1);
	*out = aligned;
	return SOP_OK;
}

void sopi_free_pages(void *memory, size_t size)
{
	if (memory == NULL)
		return;
	count(-1);
	munmap(memory, size);
}
