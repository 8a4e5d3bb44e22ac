/* The oracle of the crash tests: stores as sorted arrays, plain and independent of the library. */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODEL_STORES = 6, MODEL_NAME_BYTES = 8, MODEL_KEY_BYTES = 12 };

enum model_kind { MODEL_UNIQUE, MODEL_DUPLICATES, MODEL_RIDE, MODEL_KINDS };

struct model_item {
	uint64_t id; /* in a store with duplicates, else 0 */
	int64_t ride; /* in a store with ride-along fields, else 0 */
	int64_t number; /* the value as a counter, if it is one */
	uint32_t size; /* of the value */
	uint32_t crc; /* of the value */
	uint8_t key_size;
	uint8_t key[MODEL_KEY_BYTES];
};

struct model_store {
	bool exists;
	enum model_kind kind;
	char name[MODEL_NAME_BYTES];
	size_t count;
	size_t capacity;
	struct model_item *items; /* in order of key and id */
};

struct model {
	struct model_store stores[MODEL_STORES]; /* in no order */
};

void model_copy(struct model *to, const struct model *from); /* `to` holds nothing */
void model_clear(struct model *model);

/* NULL: there is none. */
struct model_store *model_find(struct model *model, const char *name);

/* REQUIRES: there are fewer than MODEL_STORES. */
struct model_store *model_create(struct model *model, const char *name, enum model_kind kind);
void model_drop(struct model_store *store);

/* The first item at or behind (key, id), as an index. */
size_t model_at(const struct model_store *store, const uint8_t *key, size_t size, uint64_t id);

/* The item (key, id), or NULL. */
struct model_item *model_get(const struct model_store *store, const uint8_t *key, size_t size,
			     uint64_t id);

/* Adds or replaces it. */
void model_set(struct model_store *store, const struct model_item *item);
void model_remove(struct model_store *store, size_t from, size_t to);

/* ---- what a state looks like ------------------------------------------------------------------- */

/* All that a database shows, as bytes: two states are the same if these are. */
struct dump {
	uint8_t *bytes;
	size_t size;
	size_t capacity;
};

void dump_clear(struct dump *dump);
void dump_free(struct dump *dump);
void dump_store(struct dump *dump, const char *name, bool duplicates, bool schema);
void dump_item(struct dump *dump, const struct model_item *item);
bool dump_equal(const struct dump *left, const struct dump *right);

/* Says where the two differ. */
void dump_differ(const struct dump *expected, const struct dump *found, char *words, size_t size);
void model_dump(const struct model *model, struct dump *dump);

#endif
