/* What a database is and how it was opened. */
#include "api/handle.h"
#include "base/buffer.h"
#include "transaction/backend.h"

static void describe(const struct sopi_engine *engine, sop_info *info)
{
	const struct sopi_engine_options *options = &engine->options;

	memcpy(info->backend, "inmemory", sizeof "inmemory");
	info->durability = options->durability + SOP_FLUSHED; /* in the same order */
	info->node_bytes = options->node_bytes;
	info->node_items = options->node_items;
	info->inline_value_bytes = options->inline_value_bytes;
	info->transaction_bytes_max = options->transaction_bytes_max;
	info->snapshot_bytes_max = options->snapshot_bytes_max;
	info->deadline_ms = options->deadline_ms;
}

static void describe_backend(const struct sopi_engine *engine, sop_info *info)
{
	struct sopi_backend *backend = engine->backend;
	const struct sopi_engine_options *options = &engine->options;
	struct sopi_backend_stats stats;

	memset(&stats, 0, sizeof stats);
	backend->driver->get_stats(backend, &stats);
	memcpy(info->backend, backend->name, sizeof info->backend);
	memcpy(info->uuid, backend->uuid, sizeof info->uuid);
	info->format = backend->format;
	info->registry_buckets = options->registry_buckets;
	info->flush_interval_ms = options->flush_interval_ms;
	info->cache_bytes = stats.cache_bytes;
	info->log_bytes_max = options->log_bytes_max;
}

sop_status sop_db_info(sop_db *db, sop_info *info, sop_buf *path, sop_error *err)
{
	struct sopi_transaction *reader = NULL;
	sop_info all = SOP_INFO_INIT;

	SOP_TRY(sopi_db_check(db, __func__, err));
	if (info == NULL || info->struct_size < sizeof(size_t) || info->struct_size > 4096)
		return sopi_misuse(err, __func__, "info is NULL, or its struct_size is not set");
	SOP_TRY(sopi_db_enter(db, false, __func__, &reader, err));
	describe(db->engine, &all);
	if (db->engine->backend != NULL)
		describe_backend(db->engine, &all);
	sopi_db_leave(reader);
	if (path != NULL)
		SOP_TRY(sopi_buf_set(path, db->path, strlen(db->path), err));
	all.struct_size = info->struct_size;
	memcpy(info, &all, info->struct_size < sizeof all ? info->struct_size : sizeof all);
	return SOP_OK;
}
