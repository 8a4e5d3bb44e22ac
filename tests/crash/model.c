/* Stores as sorted arrays, and their canonical form. */
#include "crash/model.h"

#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- states --------------------------------------------------------------------------------------- */

void model_copy(struct model *to, const struct model *from)
{
	*to = *from;
	for (size_t i = 0; i < MODEL_STORES; i++) {
		struct model_store *store = &to->stores[i];

		store->items = NULL;
		store->capacity = store->count;
		if (store->count == 0)
			continue;
		store->items = test_alloc(store->count * sizeof *store->items);
		memcpy(store->items, from->stores[i].items, store->count * sizeof *store->items);
	}
}

void model_clear(struct model *model)
{
	for (size_t i = 0; i < MODEL_STORES; i++)
		free(model->stores[i].items);
	memset(model, 0, sizeof *model);
}

struct model_store *model_find(struct model *model, const char *name)
{
	for (size_t i = 0; i < MODEL_STORES; i++)
		if (model->stores[i].exists && strcmp(model->stores[i].name, name) == 0)
			return &model->stores[i];
	return NULL;
}

struct model_store *model_create(struct model *model, const char *name, enum model_kind kind)
{
	for (size_t i = 0; i < MODEL_STORES; i++) {
		struct model_store *store = &model->stores[i];

		if (store->exists)
			continue;
		store->exists = true;
		store->kind = kind;
		(void)snprintf(store->name, sizeof store->name, "%s", name);
		return store;
	}
	return NULL;
}

void model_drop(struct model_store *store)
{
	free(store->items);
	memset(store, 0, sizeof *store);
}

static int compare(const struct model_item *item, const uint8_t *key, size_t size, uint64_t id)
{
	const size_t least = item->key_size < size ? item->key_size : size;
	const int order = memcmp(item->key, key, least);

	if (order != 0)
		return order;
	if (item->key_size != size)
		return item->key_size < size ? -1 : 1;
	return (item->id > id) - (item->id < id);
}

size_t model_at(const struct model_store *store, const uint8_t *key, size_t size, uint64_t id)
{
	size_t low = 0, high = store->count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (compare(&store->items[middle], key, size, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct model_item *model_get(const struct model_store *store, const uint8_t *key, size_t size, uint64_t id)
{
	const size_t at = model_at(store, key, size, id);

	return at < store->count && compare(&store->items[at], key, size, id) == 0 ? &store->items[at]
										   : NULL;
}

void model_set(struct model_store *store, const struct model_item *item)
{
	const size_t at = model_at(store, item->key, item->key_size, item->id);

	if (at < store->count && compare(&store->items[at], item->key, item->key_size, item->id) == 0) {
		store->items[at] = *item;
		return;
	}
	store->items = test_grow(store->items, store->count, &store->capacity, sizeof *store->items);
	memmove(store->items + at + 1, store->items + at, (store->count - at) * sizeof *store->items);
	store->items[at] = *item;
	store->count++;
}

void model_remove(struct model_store *store, size_t from, size_t to)
{
	if (from >= to)
		return;
	memmove(store->items + from, store->items + to, (store->count - to) * sizeof *store->items);
	store->count -= to - from;
}

/* ---- what they look like -------------------------------------------------------------------------- */

enum { LINE_BYTES = 48 }; /* of a store or an item */

void dump_clear(struct dump *dump)
{
	dump->size = 0;
}

void dump_free(struct dump *dump)
{
	free(dump->bytes);
	memset(dump, 0, sizeof *dump);
}

static uint8_t *line(struct dump *dump)
{
	if (dump->size + LINE_BYTES > dump->capacity) {
		dump->capacity = dump->capacity * 2 + 4096;
		dump->bytes = test_resize(dump->bytes, dump->capacity);
	}
	dump->size += LINE_BYTES;
	return memset(dump->bytes + dump->size - LINE_BYTES, 0, LINE_BYTES);
}

void dump_store(struct dump *dump, const char *name, bool duplicates, bool schema)
{
	uint8_t *to = line(dump);

	to[0] = 's';
	to[1] = duplicates;
	to[2] = schema;
	(void)snprintf((char *)to + 3, LINE_BYTES - 3, "%s", name);
}

void dump_item(struct dump *dump, const struct model_item *item)
{
	uint8_t *to = line(dump);

	to[0] = 'i';
	to[1] = item->key_size;
	memcpy(to + 2, item->key, item->key_size);
	memcpy(to + 16, &item->id, sizeof item->id);
	memcpy(to + 24, &item->ride, sizeof item->ride);
	memcpy(to + 32, &item->size, sizeof item->size);
	memcpy(to + 36, &item->crc, sizeof item->crc);
}

bool dump_equal(const struct dump *left, const struct dump *right)
{
	return left->size == right->size &&
	       (left->size == 0 || memcmp(left->bytes, right->bytes, left->size) == 0);
}

static void say(const struct dump *dump, size_t at, char words[128])
{
	const uint8_t *from = dump->bytes + at;
	uint64_t id;
	int64_t ride;
	uint32_t size, crc;

	if (at >= dump->size) {
		(void)snprintf(words, 128, "the end");
		return;
	}
	if (from[0] == 's') {
		(void)snprintf(words, 128, "store %.40s", (const char *)from + 3);
		return;
	}
	memcpy(&id, from + 16, sizeof id);
	memcpy(&ride, from + 24, sizeof ride);
	memcpy(&size, from + 32, sizeof size);
	memcpy(&crc, from + 36, sizeof crc);
	(void)snprintf(words, 128, "%02x%02x%.*s id %llu ride %lld, %u bytes %08x", from[2],
		       from[3], from[1] > 2 ? from[1] - 2 : 0, (const char *)from + 4,
		       (unsigned long long)id, (long long)ride, size, crc);
}

void dump_differ(const struct dump *expected, const struct dump *found, char *words, size_t size)
{
	char left[128], right[128], store[128] = "-";
	size_t at = 0;

	while (at < expected->size && at < found->size &&
	       memcmp(expected->bytes + at, found->bytes + at, LINE_BYTES) == 0) {
		if (expected->bytes[at] == 's')
			say(expected, at, store);
		at += LINE_BYTES;
	}
	say(expected, at, left);
	say(found, at, right);
	(void)snprintf(words, size, "in %.48s: [%.90s] where [%.90s] was to be", store, right, left);
}

void model_dump(const struct model *model, struct dump *dump)
{
	const struct model_store *last = NULL;

	dump_clear(dump);
	for (;;) {
		const struct model_store *next = NULL;

		for (size_t i = 0; i < MODEL_STORES; i++) {
			const struct model_store *store = &model->stores[i];

			if (store->exists && (last == NULL || strcmp(store->name, last->name) > 0) &&
			    (next == NULL || strcmp(store->name, next->name) < 0))
				next = store;
		}
		if (next == NULL)
			return;
		dump_store(dump, next->name, next->kind == MODEL_DUPLICATES, next->kind == MODEL_RIDE);
		for (size_t i = 0; i < next->count; i++)
			dump_item(dump, &next->items[i]);
		last = next;
	}
}
