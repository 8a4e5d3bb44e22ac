/* Sorted arrays of items. */
#include "model/items.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_ITEMS = 1024 };

struct chunk {
	struct chunk *next;
	size_t used;
	struct item items[CHUNK_ITEMS];
};

struct item *item_new(struct world *world, const struct item *content)
{
	struct item *item;

	if (world->chunks == NULL || world->chunks->used == CHUNK_ITEMS) {
		struct chunk *chunk = test_alloc(sizeof *chunk);

		chunk->next = world->chunks;
		chunk->used = 0;
		world->chunks = chunk;
	}
	item = &world->chunks->items[world->chunks->used++];
	*item = *content;
	return item;
}

void world_free(struct world *world)
{
	while (world->chunks != NULL) {
		struct chunk *next = world->chunks->next;

		free(world->chunks);
		world->chunks = next;
	}
}

struct items *items_new(void)
{
	struct items *items = test_alloc(sizeof *items);

	memset(items, 0, sizeof *items);
	items->refs = 1;
	return items;
}

struct items *items_share(struct items *items)
{
	if (items != NULL)
		items->refs++;
	return items;
}

void items_drop(struct items *items)
{
	if (items == NULL || --items->refs > 0)
		return;
	free(items->at);
	free(items);
}

void items_own(struct items **items)
{
	struct items *shared = *items;

	if (shared->refs == 1)
		return;
	*items = items_new();
	(*items)->count = shared->count;
	(*items)->capacity = shared->count + 64;
	(*items)->at = test_alloc((*items)->capacity * sizeof *(*items)->at);
	if (shared->count > 0)
		memcpy((*items)->at, shared->at, shared->count * sizeof *shared->at);
	items_drop(shared);
}

void items_insert(struct items *items, size_t index, struct item *item)
{
	items->at = test_grow(items->at, items->count, &items->capacity, sizeof *items->at);
	memmove(items->at + index + 1, items->at + index, (items->count - index) * sizeof *items->at);
	items->at[index] = item;
	items->count++;
}

void items_remove(struct items *items, size_t from, size_t to)
{
	if (from == to)
		return;
	memmove(items->at + from, items->at + to, (items->count - to) * sizeof *items->at);
	items->count -= to - from;
}

size_t items_find(const struct items *items, struct point point)
{
	size_t low = 0;
	size_t high = items->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct item *item = items->at[middle];

		if (item->key < point.key || (item->key == point.key && item->id < point.id))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
