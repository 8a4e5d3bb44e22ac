/* Descriptors, and the table of stores by id. */
#include "registry/catalog.h"

#include "base/alloc.h"
#include "base/varint.h"
#include "codec/key_utf8.h"

enum { FIRST_BUCKETS = 16, DESCRIPTOR_FORMAT = 1 };

/* ---- descriptors ------------------------------------------------------------------------------- */

sop_status sopi_descriptor_write(const struct sopi_descriptor *descriptor, sop_buf *out, sop_error *err)
{
	uint8_t head[1 + 8 + 4 + 4 + 4];

	head[0] = DESCRIPTOR_FORMAT;
	sopi_store_u64le(head + 1, descriptor->id);
	sopi_store_u32le(head + 9, descriptor->duplicates);
	sopi_store_u32le(head + 13, descriptor->node_items);
	sopi_store_u32le(head + 17, (uint32_t)descriptor->schema.size);
	SOP_TRY(sopi_buf_set(out, head, sizeof head, err));
	return sopi_buf_append(out, descriptor->schema.data, descriptor->schema.size, err);
}

sop_status sopi_descriptor_read(sop_bytes bytes, struct sopi_descriptor *descriptor, sop_error *err)
{
	const uint8_t *at = bytes.data;

	if (bytes.size < 21 || at[0] != DESCRIPTOR_FORMAT || sopi_load_u32le(at + 17) != bytes.size - 21)
		return sopi_fail(err, SOP_CORRUPT, "the catalog's entry of a store is malformed");
	descriptor->id = sopi_load_u64le(at + 1);
	descriptor->duplicates = sopi_load_u32le(at + 9);
	descriptor->node_items = sopi_load_u32le(at + 13);
	descriptor->schema = (sop_bytes){ at + 21, bytes.size - 21 };
	return SOP_OK;
}

sop_status sopi_store_name_check(sop_bytes name, sop_error *err)
{
	const uint8_t *at = name.data;

	if (name.size == 0 || at == NULL)
		return sopi_fail(err, SOP_MISUSE, "the name of a store is empty; give it 1 to 255 bytes");
	if (name.size > SOPI_STORE_NAME_BYTES_MAX)
		return sopi_fail(err, SOP_LIMIT,
				 "the name of a store has %zu bytes; 255 are the limit", name.size);
	if (!sopi_utf8_valid(at, name.size, 0))
		return sopi_fail(err, SOP_MISUSE, "the name of a store must be valid UTF-8");
	if (sopi_utf8_has_control(at, name.size))
		return sopi_fail(err, SOP_MISUSE,
				 "the name of a store has a control character; leave it out");
	return SOP_OK;
}

/* ---- stores ------------------------------------------------------------------------------------ */

sop_status sopi_store_new(struct sopi_catalog *catalog, struct sopi_forest *forest,
			  uint32_t node_bytes, const struct sopi_schema *schema, uint32_t duplicates,
			  uint32_t node_items, struct sopi_store **out, sop_error *err)
{
	struct sopi_store *store = NULL;
	void *memory = NULL;
	sop_status status;

	SOP_TRY(sopi_alloc_zeroed(sizeof *store, &memory, err));
	store = memory;
	status = sopi_tree_init(&store->tree, forest, atomic_fetch_add(&catalog->next_id, 1),
				node_bytes, node_items, 0, err);
	if (status != SOP_OK) {
		sopi_free(store);
		return status;
	}
	store->tree.duplicates = duplicates != 0;
	store->node_items = node_items;
	if (schema != NULL) {
		memory = NULL;
		SOP_TRY_OUT(sopi_alloc_zeroed(sizeof *store->schemas, &memory, err));
		store->schemas = memory;
		SOP_TRY_OUT(sopi_schema_copy(schema, &store->schemas->schema, err));
		atomic_store(&store->tree.schema, store->schemas->schema);
	}
	*out = store;
	return SOP_OK;
out:
	sopi_store_destroy(store);
	return status;
}

static void store_schemas_free(struct sopi_store *store)
{
	while (store->schemas != NULL) {
		struct sopi_store_schema *older = store->schemas->older;

		sopi_schema_free(store->schemas->schema);
		sopi_free(store->schemas);
		store->schemas = older;
	}
}

void sopi_store_free_shell(struct sopi_store *store)
{
	store_schemas_free(store);
	sopi_free(store);
}

void sopi_store_destroy(struct sopi_store *store)
{
	sopi_tree_destroy(&store->tree);
	sopi_store_free_shell(store);
}

sop_status sopi_store_extend(struct sopi_store *store, sop_bytes text, sop_error *err)
{
	struct sopi_store_schema *entry = NULL;
	void *memory = NULL;
	sop_status status;

	if (text.size == 0 ||
	    (store->schemas != NULL &&
	     sopi_bytes_compare(store->schemas->schema->text.data,
				store->schemas->schema->text.size, text.data, text.size) == 0))
		return SOP_OK;
	SOP_TRY(sopi_alloc_zeroed(sizeof *entry, &memory, err));
	entry = memory;
	status = sopi_schema_parse(text, &entry->schema, err);
	if (status != SOP_OK) {
		sopi_free(entry);
		return status;
	}
	entry->older = store->schemas;
	store->schemas = entry;
	atomic_store_explicit(&store->tree.schema, entry->schema, memory_order_release);
	return SOP_OK;
}

sop_status sopi_store_open(struct sopi_forest *forest, uint32_t node_bytes,
			   const struct sopi_descriptor *descriptor, uint64_t root, int64_t items,
			   uint64_t next_item, uint64_t position, struct sopi_store **out, sop_error *err)
{
	struct sopi_store *store;
	void *memory = NULL;
	sop_status status;

	SOP_TRY(sopi_alloc_zeroed(sizeof *store, &memory, err));
	store = memory;
	status = sopi_tree_open(&store->tree, forest, descriptor->id, node_bytes,
				descriptor->node_items, root, items, next_item, position, err);
	if (status != SOP_OK) {
		sopi_free(store);
		return status;
	}
	store->tree.duplicates = descriptor->duplicates != 0;
	store->node_items = descriptor->node_items;
	store->written = true;
	store->written_items = items;
	store->written_next_item = next_item;
	status = sopi_store_extend(store, descriptor->schema, err);
	if (status == SOP_OK)
		*out = store;
	else
		sopi_store_destroy(store);
	return status;
}

/* ---- the catalog ------------------------------------------------------------------------------- */

sop_status sopi_catalog_init(struct sopi_catalog *catalog, struct sopi_forest *forest,
			     uint32_t node_bytes, sop_error *err)
{
	void *memory = NULL;
	sop_status status;

	memset(catalog, 0, sizeof *catalog);
	SOP_TRY(sopi_alloc_zeroed(FIRST_BUCKETS * sizeof *catalog->buckets, &memory, err));
	catalog->buckets = memory;
	catalog->bucket_count = FIRST_BUCKETS;
	status = sopi_tree_init(&catalog->names.tree, forest, SOPI_CATALOG_ID, node_bytes, 0, 0, err);
	if (status != SOP_OK) {
		sopi_free(catalog->buckets);
		return status;
	}
	atomic_init(&catalog->next_id, SOPI_STORE_ID_FIRST);
	sopi_mutex_init(&catalog->mutex);
	return SOP_OK;
}

void sopi_catalog_destroy(struct sopi_catalog *catalog)
{
	for (size_t i = 0; i < catalog->bucket_count; i++) {
		struct sopi_store *store = catalog->buckets[i];

		while (store != NULL) {
			struct sopi_store *next = store->next;

			sopi_store_destroy(store);
			store = next;
		}
	}
	sopi_free(catalog->buckets);
	sopi_tree_destroy(&catalog->names.tree);
	sopi_mutex_destroy(&catalog->mutex);
}

static struct sopi_store **bucket_of(struct sopi_catalog *catalog, uint64_t id)
{
	return &catalog->buckets[id & (catalog->bucket_count - 1)];
}

static void rehash_locked(struct sopi_catalog *catalog, struct sopi_store **buckets, size_t count)
{
	struct sopi_store **old = catalog->buckets;
	const size_t old_count = catalog->bucket_count;

	catalog->buckets = buckets;
	catalog->bucket_count = count;
	for (size_t i = 0; i < old_count; i++) {
		struct sopi_store *store = old[i];

		while (store != NULL) {
			struct sopi_store *next = store->next;

			store->next = *bucket_of(catalog, store->tree.id);
			*bucket_of(catalog, store->tree.id) = store;
			store = next;
		}
	}
	sopi_free(old);
}

sop_status sopi_catalog_reserve(struct sopi_catalog *catalog, size_t stores, sop_error *err)
{
	sop_status status = SOP_OK;
	void *memory = NULL;
	size_t count;

	sopi_mutex_lock(&catalog->mutex);
	count = catalog->bucket_count;
	while (count < catalog->store_count + stores)
		count *= 2;
	if (count > catalog->bucket_count) {
		status = sopi_alloc_zeroed(count * sizeof *catalog->buckets, &memory, err);
		if (status == SOP_OK)
			rehash_locked(catalog, memory, count);
	}
	sopi_mutex_unlock(&catalog->mutex);
	return status;
}

void sopi_catalog_add(struct sopi_catalog *catalog, struct sopi_store *store)
{
	sopi_mutex_lock(&catalog->mutex);
	store->next = *bucket_of(catalog, store->tree.id);
	*bucket_of(catalog, store->tree.id) = store;
	catalog->store_count++;
	sopi_mutex_unlock(&catalog->mutex);
}

void sopi_catalog_remove(struct sopi_catalog *catalog, struct sopi_store *store)
{
	struct sopi_store **at;

	sopi_mutex_lock(&catalog->mutex);
	at = bucket_of(catalog, store->tree.id);
	while (*at != NULL && *at != store)
		at = &(*at)->next;
	if (*at != NULL) {
		*at = store->next;
		catalog->store_count--;
	}
	sopi_mutex_unlock(&catalog->mutex);
}

struct sopi_store *sopi_catalog_find(struct sopi_catalog *catalog, uint64_t id)
{
	struct sopi_store *store;

	sopi_mutex_lock(&catalog->mutex);
	store = *bucket_of(catalog, id);
	while (store != NULL && store->tree.id != id)
		store = store->next;
	sopi_mutex_unlock(&catalog->mutex);
	return store;
}

enum sopi_store_state sopi_catalog_state(struct sopi_catalog *catalog, uint64_t id, uint64_t at)
{
	enum sopi_store_state state = SOPI_STORE_GONE;
	const struct sopi_store *store;
	uint64_t dropped_at;

	if (id == SOPI_CATALOG_ID)
		return SOPI_STORE_LIVES;
	sopi_mutex_lock(&catalog->mutex);
	store = *bucket_of(catalog, id);
	while (store != NULL && store->tree.id != id)
		store = store->next;
	if (store != NULL) {
		dropped_at = atomic_load_explicit(&store->dropped_at, memory_order_acquire);
		state = store->created_at > at		      ? SOPI_STORE_NOT_YET
			: dropped_at != 0 && dropped_at <= at ? SOPI_STORE_GONE
							      : SOPI_STORE_LIVES;
	}
	sopi_mutex_unlock(&catalog->mutex);
	return state;
}

void sopi_catalog_each(struct sopi_catalog *catalog,
		       bool (*fn)(void *arg, struct sopi_store *store), void *arg)
{
	bool more = true;

	sopi_mutex_lock(&catalog->mutex);
	for (size_t i = 0; i < catalog->bucket_count && more; i++) {
		for (struct sopi_store *store = catalog->buckets[i]; store != NULL && more;
		     store = store->next)
			more = fn(arg, store);
	}
	sopi_mutex_unlock(&catalog->mutex);
}

size_t sopi_catalog_count(struct sopi_catalog *catalog)
{
	size_t count;

	sopi_mutex_lock(&catalog->mutex);
	count = catalog->store_count;
	sopi_mutex_unlock(&catalog->mutex);
	return count;
}
