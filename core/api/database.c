/* Opening and closing databases, and reading in one call. */
#include "api/handle.h"
#include "api/item.h"
#include "api/options.h"
#include "base/alloc.h"
#include "platform/platform.h"

/* ---- the url ----------------------------------------------------------------------------------- */

static const char scheme[] = "inmemory:";

/* Sets the options behind the `?` of a url: name=value, separated by `&`. */
static sop_status read_query(const char *query, sop_options *options, sop_error *err)
{
	while (*query != '\0') {
		const size_t size = strcspn(query, "&");
		const char *equals = memchr(query, '=', size);

		if (equals == NULL)
			return sopi_fail(err, SOP_MISUSE,
					 "sop_open: the url needs name=value behind the '?', not '%.*s'",
					 (int)(size < 64 ? size : 64), query);
		SOP_TRY(sopi_options_set_part(options, query, (size_t)(equals - query), equals + 1,
					      size - (size_t)(equals - query) - 1, "sop_open", err));
		query += size;
		if (*query == '&')
			query++;
	}
	return SOP_OK;
}

static sop_status read_url(const char *url, sop_options *options, sop_error *err)
{
	if (*url == '\0')
		return sopi_misuse(err, "sop_open", "url is empty; pass one such as \"inmemory:\"");
	if (strncmp(url, scheme, sizeof scheme - 1) != 0)
		return sopi_fail(err, SOP_UNSUPPORTED,
				 "sop_open: this build opens '%s' only; databases on disk and in clusters come later",
				 scheme);
	url += sizeof scheme - 1;
	if (*url == '\0')
		return SOP_OK;
	if (*url != '?')
		return sopi_fail(err, SOP_MISUSE,
				 "sop_open: nothing but '?name=value&...' may follow '%s'; leave the rest out",
				 scheme);
	return read_query(url + 1, options, err);
}

/* ---- open and close ---------------------------------------------------------------------------- */

sop_status sop_open(const char *url, const sop_options *options, sop_db **out, sop_error *err)
{
	sop_options all;
	void *memory = NULL;
	sop_status status;
	sop_db *db;

	if (url == NULL)
		return sopi_misuse(err, __func__, "url is NULL; pass a url such as \"inmemory:\"");
	if (out == NULL)
		return sopi_misuse(err, __func__, "out is NULL");
	if (options != NULL && sopi_tag_of(options) != SOPI_TAG_OPTIONS)
		return sopi_misuse(err, __func__,
				   "options are none; pass what sop_options_new gave, or NULL");
	sopi_options_init(&all);
	SOP_TRY(read_url(url, &all, err));
	if (options != NULL)
		sopi_options_overlay(&all, options);
	sopi_fork_watch();
	SOP_TRY(sopi_alloc_aligned(64, sizeof *db, &memory, err));
	db = memory;
	memset(db, 0, sizeof *db);
	status = sopi_engine_open(&db->engine, &all.engine, sopi_platform_posix(), err);
	if (status != SOP_OK) {
		sopi_free(db);
		return status;
	}
	db->tag = SOPI_TAG_DB;
	db->fork_generation = sopi_fork_generation();
	atomic_init(&db->references, 1);
	sopi_mutex_init(&db->close_mutex);
	*out = db;
	return SOP_OK;
}

sop_status sop_close(sop_db *db, sop_error *err)
{
	SOP_TRY(sopi_db_check(db, __func__, err));
	sopi_mutex_lock(&db->close_mutex);
	if (!atomic_load(&db->closed)) {
		sopi_engine_close(&db->engine);
		atomic_store_explicit(&db->closed, true, memory_order_release);
	}
	sopi_mutex_unlock(&db->close_mutex);
	return SOP_OK;
}

void sop_db_free(sop_db *db)
{
	if (db == NULL || sopi_tag_of(db) != SOPI_TAG_DB)
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
