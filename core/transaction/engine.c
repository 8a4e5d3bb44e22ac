/* Opening and closing a database's engine. */
#include "transaction/engine.h"

#include "platform/clock.h"
#include "transaction/backend.h"
#include "transaction/transaction.h"

#include <sop/log.h>

/* Frees what no snapshot needs any more. */
static void dispose(void *owner, struct sopi_version *version)
{
	struct sopi_engine *engine = owner;
	struct sopi_backend *backend = engine->backend != NULL ? engine->backend : engine->unfinished;
	struct sopi_store *store = (struct sopi_store *)version; /* the tree, and its version, come first */

	if (version->kind != SOPI_TREE) {
		sopi_forest_dispose(&engine->forest, version);
		return;
	}
	sopi_catalog_remove(&engine->catalog, store);
	if (backend == NULL || engine->forest.closing) {
		sopi_store_destroy(store);
		return;
	}
	store->root = store->tree.root->vid;
	sopi_tree_destroy(&store->tree);
	backend->driver->store_gone(backend, store);
}

sop_status sopi_engine_open(struct sopi_engine *engine, const struct sopi_engine_options *options,
			    const struct sopi_platform *platform, sop_error *err)
{
	sop_status status;

	memset(engine, 0, sizeof *engine);
	engine->options = *options;
	engine->platform = platform;
	SOP_TRY(sopi_forest_init(&engine->forest, dispose, engine, err));
	status = sopi_catalog_init(&engine->catalog, &engine->forest, options->node_bytes, err);
	if (status != SOP_OK)
		goto no_catalog;
	status = sopi_log_memory_open(&engine->log, err);
	if (status != SOP_OK)
		goto no_log;
	sopi_messages_init(&engine->messages);
	sopi_mutex_init(&engine->commit_mutex);
	sopi_mutex_init(&engine->ids_mutex);
	sopi_outcomes_init(&engine->outcomes);
	sopi_softlocks_init(&engine->softlocks);
	return SOP_OK;
no_log:
	sopi_catalog_destroy(&engine->catalog);
no_catalog:
	sopi_reclaim_destroy(&engine->forest.reclaim);
	sopi_forest_destroy(&engine->forest);
	sopi_reclaim_free_slots(&engine->forest.reclaim);
	return status;
}

static void end_transaction(void *owner)
{
	sopi_transaction_destroy(owner);
}

sop_status sopi_engine_close(struct sopi_engine *engine, sop_error *err)
{
	struct sopi_backend *backend = engine->backend;
	sop_status status = SOP_OK;

	sopi_messages_close(&engine->messages);
	if (backend != NULL)
		backend->driver->halt(backend);
	sopi_slots_close(&engine->forest.reclaim, end_transaction);
	if (backend != NULL) /* nothing commits any more; what is in memory may still be written */
		status = backend->driver->stop(backend, err);
	engine->forest.closing = true;
	sopi_reclaim_destroy(&engine->forest.reclaim);
	sopi_catalog_destroy(&engine->catalog);
	sopi_forest_destroy(&engine->forest);
	engine->log->driver->close(engine->log);
	sopi_outcomes_destroy(&engine->outcomes);
	engine->backend = NULL;
	if (backend == NULL)
		backend = engine->unfinished;
	if (backend != NULL)
		backend->driver->free(backend);
	return status;
}

void sopi_engine_free(struct sopi_engine *engine)
{
	sopi_reclaim_free_slots(&engine->forest.reclaim);
	sopi_messages_destroy(&engine->messages);
	sopi_softlocks_destroy(&engine->softlocks);
	sopi_mutex_destroy(&engine->commit_mutex);
	sopi_mutex_destroy(&engine->ids_mutex);
}

void sopi_engine_fail(struct sopi_engine *engine, sop_status status)
{
	if (atomic_exchange(&engine->failed, true))
		return;
	sopi_messages_note(&engine->messages, SOP_LOG_ERROR, sopi_clock_wall_ns(engine->platform->clock),
			   "the database has failed (%s): close it and open it again",
			   sop_status_name(status));
	if (engine->backend != NULL)
		engine->backend->driver->has_failed(engine->backend);
}

sop_status sopi_engine_has_failed(sop_error *err)
{
	return sopi_fail(err, SOP_FAILED,
			 "the database has failed: nothing more is certain in this process; close it and open it again");
}

sop_status sopi_engine_wait_durable(struct sopi_engine *engine, uint64_t position, sop_error *err)
{
	struct sopi_log *log = engine->log;

	if (log->driver->durable(log) >= position ||
	    log->driver->wait_durable(log, position, NULL) == SOP_OK)
		return SOP_OK;
	sopi_engine_fail(engine, SOP_UNKNOWN);
	return sopi_engine_has_failed(err);
}

sop_status sopi_engine_wait_flushed(struct sopi_engine *engine, uint64_t position, sop_error *err)
{
	const uint64_t flushed = atomic_load_explicit(&engine->flushed, memory_order_relaxed);

	return sopi_engine_wait_durable(engine, flushed < position ? flushed : position, err);
}
