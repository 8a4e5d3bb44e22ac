/* Looking things up in lists that ascend. */
#include "backend/inredfs.h"

#include <stddef.h>
#include <string.h>

/* Which of `count` elements of `size` bytes, ascending by the number `at` bytes into each, has the number `wanted`; `count`:
 * none. */
static size_t find(const void *list, size_t count, size_t size, size_t at, uint64_t wanted)
{
	size_t low = 0, high = count;

	while (low < high) {
		const size_t middle = (low + high) / 2;
		uint64_t number;

		memcpy(&number, (const char *)list + middle * size + at, sizeof number);
		if (number == wanted)
			return middle;
		if (number < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return count;
}

size_t sopi_pack_find(const struct sopi_pack_entry *packs, size_t count, uint64_t id)
{
	return find(packs, count, sizeof *packs, offsetof(struct sopi_pack_entry, id), id);
}

size_t sopi_entry_find(const struct sopi_registry_entry *entries, size_t count, uint64_t key)
{
	return find(entries, count, sizeof *entries, offsetof(struct sopi_registry_entry, key), key);
}

int sopi_compare_ids(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}
