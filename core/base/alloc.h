/* The one place where memory comes from. Out of memory is a status; tests make the n-th allocation
 * fail. */
#ifndef SOPI_ALLOC_H
#define SOPI_ALLOC_H

#include "base/error.h"

#include <stdbool.h>

/* `size` bytes, uninitialised, in `*out`; size 0 gives a pointer that can be freed. NO_MEMORY
 * leaves `*out` alone. */
sop_status sopi_alloc(size_t size, void **out, sop_error *err);

/* The same, all zero. */
sop_status sopi_alloc_zeroed(size_t size, void **out, sop_error *err);

/* The same, aligned to `alignment` (a power of two). */
sop_status sopi_alloc_aligned(size_t alignment, size_t size, void **out, sop_error *err);

/* As sopi_alloc, for at least SOPI_HUGE_PAGE_BYTES that will be used as a whole: huge pages are advised, with which memory that
 * is touched once in passing costs less. */
enum { SOPI_HUGE_PAGE_BYTES = 2 << 20 };
sop_status sopi_alloc_huge(size_t size, void **out, sop_error *err);

/* Resizes `*memory` (NULL: allocates); NO_MEMORY leaves it alone. */
sop_status sopi_realloc(void **memory, size_t size, sop_error *err);

/* Room for one more element in an array of `count` that grows by half. `array` is the address of the pointer to its first
 * element, which may be NULL; NO_MEMORY leaves it alone. */
sop_status sopi_grow(void *array, size_t count, size_t *capacity, size_t element, sop_error *err);

/* Frees what the functions above gave. Takes NULL. */
void sopi_free(void *memory);

/* Memory that is kept for later is not to be touched: the address sanitizer tells of whoever does, until it is shown again.
 * Elsewhere nothing happens. */
void sopi_alloc_hide(void *memory, size_t size);
void sopi_alloc_show(void *memory, size_t size);

/* Memory of at least a page straight from the system, aligned to `alignment`, huge pages advised
 * from 2 MB on. */
sop_status sopi_alloc_pages(size_t alignment, size_t size, void **out, sop_error *err);
void sopi_free_pages(void *memory, size_t size);

/* Bytes and number of live allocations of the process, for stats and leak tests. */
int64_t sopi_alloc_live_count(void);

#ifdef SOP_TEST_HOOKS
/* Lets `n` more allocations of this process succeed and fails the next one; and all after it if
 * `for_ever`.
 * n < 0 switches the hook off. */
void sopi_alloc_fail_after(int64_t n, bool for_ever);

/* Allocations asked for since the last sopi_alloc_fail_after. */
int64_t sopi_alloc_asked(void);
#endif

#endif
