/* Opening and closing databases, and reading in one call. */
#include "api/handle.h"
#include "api/item.h"
#include "api/progress.h"
#include "api/url.h"
#include "base/alloc.h"
#include "platform/platform.h"

/* ---- open and close ---------------------------------------------------------------------------- */

/* Claims slots for the calls that have no transaction. */
static sop_status init_readers(sop_db *db, sop_error *err)
{
	for (size_t i = 0; i < SOPI_READERS; i++) {
		SOP_TRY(sopi_transaction_init(&db->readers[i], db->engine, err));
		db->slots[i] = db->readers[i].slot;
		sopi_slot_join(db->slots[i], db);
	}
	return SOP_OK;
}

static sop_status open_instance(sop_db *db, const struct sopi_url *url, const sop_options *options,
				const struct sopi_platform *platform, sop_error *err)
{
	sop_status status;

	SOP_TRY(sopi_instance_open(url, options, platform, &db->instance, err));
	db->engine = &db->instance->engine;
	status = init_readers(db, err);
	if (status == SOP_OK)
		return SOP_OK;
	(void)sopi_instance_close(db->instance, db, NULL); /* the first failure is the one to tell */
	for (size_t i = 0; i < SOPI_READERS && db->slots[i] != NULL; i++)
		sopi_slot_give(&db->engine->forest.reclaim, db->slots[i]);
	sopi_instance_unreference(db->instance, true);
	return status;
}

static sop_status db_new(const struct sopi_url *url, const sop_options *options,
			 const struct sopi_platform *platform, sop_db **out, sop_error *err)
{
	const size_t readers_bytes = SOPI_READERS * sizeof(struct sopi_transaction);
	void *memory = NULL, *path = NULL, *readers = NULL;
	sop_status status;
	sop_db *db;

	SOP_TRY(sopi_alloc_zeroed(sizeof *db, &memory, err));
	db = memory;
	SOP_TRY_OUT(sopi_alloc(strlen(url->path) + 1, &path, err));
	SOP_TRY_OUT(sopi_alloc_aligned(_Alignof(struct sopi_transaction), readers_bytes, &readers, err));
	db->path = memcpy(path, url->path, strlen(url->path) + 1);
	db->readers = memset(readers, 0, readers_bytes);
	SOP_TRY_OUT(open_instance(db, url, options, platform, err));
	db->tag = SOPI_TAG_DB;
	db->fork_generation = sopi_fork_generation();
	atomic_init(&db->references, 1);
	sopi_mutex_init(&db->close_mutex);
	*out = db;
	return SOP_OK;
out:
	sopi_free(readers);
	sopi_free(path);
	sopi_free(db);
	return status;
}

sop_status sopi_db_open_on(const char *text, const sop_options *options,
			   const struct sopi_platform *platform, sop_db **out, sop_error *err)
{
	static const char function[] = "sop_open"; /* what the caller knows it by */
	struct sopi_url url;
	sop_options all;

	if (text == NULL)
		return sopi_misuse(err, function,
				   "url is NULL; pass the path of a folder, or \"inmemory:\"");
	if (out == NULL)
		return sopi_misuse(err, function, "out is NULL");
	if (options != NULL && sopi_tag_of(options) != SOPI_TAG_OPTIONS)
		return sopi_misuse(err, function,
				   "options are none; pass options that were made and not freed, or NULL");
	sopi_options_init(&all);
	SOP_TRY(sopi_url_read(text, &url, &all, function, err));
	if (options != NULL)
		sopi_options_overlay(&all, options);
	sopi_fork_watch();
	return db_new(&url, &all, platform, out, err);
}

sop_status sop_open(const char *url, const sop_options *options, sop_db **out, sop_error *err)
{
	return sopi_db_open_on(url, options, sopi_platform_posix(), out, err);
}

/* Frees the readers, of which no call has one any more; languages keep handles that are closed. */
static void free_readers(sop_db *db)
{
	for (size_t i = 0; i < SOPI_READERS; i++)
		sopi_slot_disown(&db->engine->forest.reclaim, db->slots[i]);
	sopi_free(db->readers);
	db->readers = NULL;
}

sop_status sop_close(sop_db *db, sop_error *err)
{
	sop_status status = SOP_OK;

	SOP_TRY(sopi_db_check(db, __func__, err));
	if (sopi_is_told(db))
		return sopi_misuse(
			err, __func__,
			"a function that a call on the database was given cannot close it: stop the call from there, and close it afterwards");
	sopi_mutex_lock(&db->close_mutex);
	if (!atomic_load(&db->closed)) {
		status = sopi_instance_close(db->instance, db, err);
		free_readers(db);
		atomic_store_explicit(&db->closed, true, memory_order_release);
	}
	sopi_mutex_unlock(&db->close_mutex);
	return status;
}

void sop_db_free(sop_db *db)
{
	if (db == NULL || sopi_tag_of(db) != SOPI_TAG_DB)
		return;
	if (sopi_is_told(db)) /* the call that runs needs it: it stays for ever */
		return;
	(void)sop_close(db, NULL);
	sopi_db_unreference(db);
}

/* ---- reading in one call ----------------------------------------------------------------------- */

static sop_status read_one(struct sopi_transaction *reader, const sop_store *store, sop_bytes key,
			   sop_buf *value, sop_error *err)
{
	struct sopi_used *used;
	struct sopi_found found;

	SOP_TRY(sopi_transaction_store(reader, &store->declaration, &used, err));
	SOP_TRY(sopi_item_find(reader, used, key, 0, false, "sop_read", &found, err));
	if (!found.exists)
		return sopi_fail(err, SOP_NOT_FOUND, "there is no such key");
	return sopi_transaction_copy_value(reader, &found.item, value, err);
}

sop_status sop_read(sop_db *db, sop_store *store, sop_bytes key, sop_buf *value, sop_error *err)
{
	struct sopi_transaction *reader = NULL;
	sop_status status;

	if (SOPI_UNLIKELY(value == NULL))
		return sopi_misuse(err, __func__, "value is NULL");
	SOP_TRY(sopi_db_enter(db, true, __func__, &reader, err));
	status = sopi_store_check(store, db, __func__, err);
	if (SOPI_LIKELY(status == SOP_OK)) {
		SOP_TRY_OUT(sopi_transaction_begin(reader, SOP_READ, 0, NULL, err));
		status = read_one(reader, store, key, value, err);
		sopi_transaction_roll_back(reader, SOP_OK);
	}
out:
	sopi_db_leave(reader);
	return status;
}
