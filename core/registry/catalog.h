/* The stores of a database: what the catalog's items say, and the trees behind them.
 *
 * Stores are items of store 0, so that create, drop and rename are ordinary transactional changes:
 * name -> descriptor.
 * Ids below SOPI_STORE_ID_FIRST are internal. */
#ifndef SOPI_CATALOG_H
#define SOPI_CATALOG_H

#include "base/buffer.h"
#include "btree/tree.h"

enum {
	SOPI_CATALOG_ID = 0,
	SOPI_STORE_ID_FIRST = 16,
	SOPI_STORE_NAME_BYTES_MAX = 255,
};

/* A schema that a store has or had. Appending ride-along fields makes a new one; old ones live as
 * long as the store. */
struct sopi_store_schema {
	struct sopi_schema *schema;
	struct sopi_store_schema *older;
};

/* A store: its tree and how it was created. */
struct sopi_store {
	struct sopi_tree tree; /* first, so that reclamation finds the store */
	struct sopi_store *next; /* in the catalog, or in the transaction that makes it */
	struct sopi_store_schema *schemas; /* newest first; NULL: raw keys */
	uint32_t node_items; /* as created */
	uint64_t created_at; /* position; 0: before the database was opened */
	_Atomic uint64_t dropped_at; /* position; 0: it lives */
	uint64_t root; /* vid of the root, once the tree has gone from memory */
	int64_t written_items; /* as the newest checkpoint has them; the checkpoint's own */
	uint64_t written_next_item;
	bool written;
};

struct sopi_catalog {
	struct sopi_store names; /* store 0 */
	sopi_mutex mutex; /* guards `stores`; leaf of the lock order */
	struct sopi_store **buckets; /* by id */
	size_t bucket_count;
	size_t store_count;
	_Atomic uint64_t next_id;
	_Atomic uint64_t newest; /* position of the newest create, drop or rename */
};

/* How a store is created; what its descriptor in the catalog says. */
struct sopi_descriptor {
	uint64_t id;
	uint32_t duplicates;
	uint32_t node_items;
	sop_bytes schema; /* canonical JSON, or empty; a view */
};

/* Descriptor to bytes and back. CORRUPT for bytes that are none. */
sop_status sopi_descriptor_write(const struct sopi_descriptor *descriptor, sop_buf *out, sop_error *err);
sop_status sopi_descriptor_read(sop_bytes bytes, struct sopi_descriptor *descriptor, sop_error *err);

/* Is `name` 1 to 255 bytes of UTF-8 without control characters? LIMIT, MISUSE. */
sop_status sopi_store_name_check(sop_bytes name, sop_error *err);

/* An empty catalog in `forest`. */
sop_status sopi_catalog_init(struct sopi_catalog *catalog, struct sopi_forest *forest,
			     uint32_t node_bytes, sop_error *err);

/* Frees all stores. REQUIRES: nobody can reach them. */
void sopi_catalog_destroy(struct sopi_catalog *catalog);

/* A new store with an empty tree, current from `position` on, not in the catalog yet. schema:
 * copied; may be NULL. */
sop_status sopi_store_new(struct sopi_catalog *catalog, struct sopi_forest *forest,
			  uint32_t node_bytes, const struct sopi_schema *schema, uint32_t duplicates,
			  uint32_t node_items, struct sopi_store **out, sop_error *err);

/* The same for a store that is on disk: root, items, next_item as the registry has them, current from `position` on. */
sop_status sopi_store_open(struct sopi_forest *forest, uint32_t node_bytes,
			   const struct sopi_descriptor *descriptor, uint64_t root, int64_t items,
			   uint64_t next_item, uint64_t position, struct sopi_store **out,
			   sop_error *err);

/* Gives a store the schema that its descriptor has, where it is a longer one. */
sop_status sopi_store_extend(struct sopi_store *store, sop_bytes schema, sop_error *err);

/* What a store is as of a position. */
enum sopi_store_state { SOPI_STORE_NOT_YET, SOPI_STORE_LIVES, SOPI_STORE_GONE };
enum sopi_store_state sopi_catalog_state(struct sopi_catalog *catalog, uint64_t id, uint64_t at);

/* Calls `fn` for each store but the catalog itself, under the catalog's mutex. False ends it. */
void sopi_catalog_each(struct sopi_catalog *catalog,
		       bool (*fn)(void *arg, struct sopi_store *store), void *arg);

/* Frees the shell of a store whose tree has gone. */
void sopi_store_free_shell(struct sopi_store *store);

/* Frees a store with its tree. */
void sopi_store_destroy(struct sopi_store *store);

/* Makes room for one more store, so that the next sopi_catalog_add cannot fail. */
sop_status sopi_catalog_reserve(struct sopi_catalog *catalog, size_t stores, sop_error *err);

/* Adds a store that has been committed. REQUIRES: room. */
void sopi_catalog_add(struct sopi_catalog *catalog, struct sopi_store *store);

/* Takes a dropped store out once no snapshot can know it; until then older snapshots find it by
 * its id. */
void sopi_catalog_remove(struct sopi_catalog *catalog, struct sopi_store *store);

/* The store with this id, or NULL. It stays while a snapshot that knows it is published. */
struct sopi_store *sopi_catalog_find(struct sopi_catalog *catalog, uint64_t id);

size_t sopi_catalog_count(struct sopi_catalog *catalog);

#endif
