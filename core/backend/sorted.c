/* Looking things up in lists that ascend. */
#include "backend/inredfs.h"

size_t sopi_pack_find(const struct sopi_pack_entry *packs, size_t count, uint64_t id)
{
	size_t low = 0, high = count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (packs[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && packs[low].id == id ? low : count;
}

size_t sopi_entry_find(const struct sopi_registry_entry *entries, size_t count, uint64_t key)
{
	size_t low = 0, high = count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (entries[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && entries[low].key == key ? low : count;
}

int sopi_compare_ids(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}
