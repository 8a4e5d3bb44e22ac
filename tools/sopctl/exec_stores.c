/* What exec knows about stores: a declaration for each name, and the schema that it had when it was last looked at. The
 * database is asked each time, so nothing here is ever out of date; it saves parsing schemas again. */
#include "exec.h"

#include "status.h"
#include "text.h"
#include "try.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	BUCKETS = 1024,
	ENTRIES_MAX = 4096 /* beyond, those that nobody uses are forgotten */
};

/* A schema, shared by those who use it. */
struct store_schema {
	size_t users; /* with stores->mutex */
	sop_buf text;
	sop_schema *schema; /* NULL: keys are bytes */
};

struct store_entry {
	struct store_entry *next;
	size_t users; /* with stores->mutex */
	sop_bytes name; /* lies behind the entry */
	sop_store *store;
	struct store_schema *schema; /* the last one; NULL: never looked at. With stores->mutex */
};

struct stores {
	sop_db *db;
	pthread_mutex_t mutex; /* held for look-ups only, never while the database is asked */
	size_t count;
	struct store_entry *buckets[BUCKETS];
};

uint32_t name_hash(sop_bytes name)
{
	const unsigned char *at = name.data;
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < name.size; i++)
		hash = (hash ^ at[i]) * 16777619u;
	return hash;
}

bool bytes_same(sop_bytes a, sop_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static struct store_entry **bucket_of(struct stores *stores, sop_bytes name)
{
	return &stores->buckets[name_hash(name) % BUCKETS];
}

static void schema_let_go(struct store_schema *schema)
{
	if (schema == NULL || --schema->users > 0)
		return;
	sop_schema_free(schema->schema);
	sop_buf_free(&schema->text);
	free(schema);
}

static void entry_free(struct store_entry *entry)
{
	sop_store_free(entry->store);
	schema_let_go(entry->schema);
	free(entry);
}

/* Forgets all that nobody uses. */
static void forget_unused(struct stores *stores)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct store_entry **link = &stores->buckets[i];

		while (*link != NULL) {
			struct store_entry *entry = *link;

			if (entry->users > 0) {
				link = &entry->next;
				continue;
			}
			*link = entry->next;
			entry_free(entry);
			stores->count--;
		}
	}
}

struct stores *stores_new(sop_db *db)
{
	struct stores *stores = memory_of(1, sizeof *stores);

	stores->db = db;
	pthread_mutex_init(&stores->mutex, NULL);
	return stores;
}

void stores_free(struct stores *stores)
{
	forget_unused(stores);
	pthread_mutex_destroy(&stores->mutex);
	free(stores);
}

static struct store_entry *look_up(struct stores *stores, sop_bytes name)
{
	struct store_entry *entry = *bucket_of(stores, name);

	while (entry != NULL && !bytes_same(entry->name, name))
		entry = entry->next;
	return entry;
}

/* The entry of `name`, made if it is missing, with one user more. */
static sop_status use_entry(struct stores *stores, sop_bytes name, struct store_entry **out,
			    sop_error *err)
{
	struct store_entry *entry;
	sop_store *store = NULL;

	pthread_mutex_lock(&stores->mutex);
	entry = look_up(stores, name);
	if (entry == NULL) {
		const sop_status status = sop_store_open(stores->db, name, NULL, &store, err);

		if (status != SOP_OK) {
			pthread_mutex_unlock(&stores->mutex);
			return status;
		}
		if (stores->count >= ENTRIES_MAX)
			forget_unused(stores);
		entry = memory_of(1, sizeof *entry + name.size);
		memcpy(entry + 1, name.data, name.size);
		entry->name = (sop_bytes){ entry + 1, name.size };
		entry->store = store;
		entry->next = *bucket_of(stores, name);
		*bucket_of(stores, name) = entry;
		stores->count++;
	}
	entry->users++;
	pthread_mutex_unlock(&stores->mutex);
	*out = entry;
	return SOP_OK;
}

static bool has_text(const struct store_schema *schema, const sop_buf *text)
{
	return schema != NULL && bytes_same(text_bytes(&schema->text), text_bytes(text));
}

/* The schema with this text, with one user more: the one the entry has, or a new one, which it then has. */
static sop_status use_schema(struct stores *stores, struct store_entry *entry, const sop_buf *text,
			     struct store_schema **out, sop_error *err)
{
	struct store_schema *schema;

	pthread_mutex_lock(&stores->mutex);
	schema = entry->schema;
	if (has_text(schema, text))
		schema->users++;
	else
		schema = NULL;
	pthread_mutex_unlock(&stores->mutex);
	if (schema == NULL) {
		schema = memory_of(1, sizeof *schema);
		if (text->size > 0) {
			const sop_status status =
				sop_schema_parse(text_bytes(text), &schema->schema, err);

			if (status != SOP_OK) {
				free(schema);
				return status;
			}
			text_add(&schema->text, text->data, text->size);
		}
		schema->users = 2; /* the entry and the caller */
		pthread_mutex_lock(&stores->mutex);
		schema_let_go(entry->schema);
		entry->schema = schema;
		pthread_mutex_unlock(&stores->mutex);
	}
	*out = schema;
	return SOP_OK;
}

sop_status stores_find(struct exec *exec, sop_txn *txn, sop_bytes name, struct found_store *found,
		       sop_error *err)
{
	char room[1024];
	sop_buf text = SOP_BUF_OVER(room);
	struct store_schema *schema = NULL;
	sop_status status;

	*found = (struct found_store){ .info = SOP_STORE_INFO_INIT };
	TRY(use_entry(exec->stores, name, &found->entry, err));
	found->store = found->entry->store;
	status = sop_store_describe(txn, found->store, &found->info, &text, err);
	if (status == SOP_OK)
		status = use_schema(exec->stores, found->entry, &text, &schema, err);
	sop_buf_free(&text);
	found->schema = schema;
	found->format.safe_ints = exec->safe_ints;
	if (schema != NULL)
		found->format.schema = schema->schema;
	if (status != SOP_OK)
		stores_release(exec, found);
	return status;
}

void stores_release(struct exec *exec, struct found_store *found)
{
	if (found->entry == NULL)
		return;
	pthread_mutex_lock(&exec->stores->mutex);
	found->entry->users--;
	schema_let_go(found->schema);
	pthread_mutex_unlock(&exec->stores->mutex);
	found->entry = NULL;
	found->schema = NULL;
}

bool stores_key_is(struct exec *exec, sop_bytes name, const struct json *key, sop_bytes encoded)
{
	struct item_format format = { NULL, exec->safe_ints };
	struct store_entry *entry;
	sop_buf read = SOP_BUF_INIT;
	bool same;

	pthread_mutex_lock(&exec->stores->mutex);
	entry = look_up(exec->stores, name);
	if (entry != NULL && entry->schema != NULL)
		format.schema = entry->schema->schema;
	same = item_key_read(&format, key, KEY_NAME, &read, NULL) == SOP_OK &&
	       bytes_same(text_bytes(&read), encoded);
	pthread_mutex_unlock(&exec->stores->mutex);
	sop_buf_free(&read);
	return same;
}

void stores_write_key(struct exec *exec, sop_bytes name, sop_bytes key, sop_buf *out)
{
	struct item_format format = { NULL, exec->safe_ints };
	struct store_entry *entry;

	pthread_mutex_lock(&exec->stores->mutex);
	entry = look_up(exec->stores, name);
	if (entry != NULL && entry->schema != NULL)
		format.schema = entry->schema->schema;
	item_key_write(&format, key, out);
	pthread_mutex_unlock(&exec->stores->mutex);
}
