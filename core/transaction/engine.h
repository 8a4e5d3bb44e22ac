/* The commit engine of one database: its trees, its log, and the positions that order everything.
 * */
#ifndef SOPI_ENGINE_H
#define SOPI_ENGINE_H

#include "base/histogram.h"
#include "base/messages.h"
#include "btree/tree.h"
#include "log/log.h"
#include "platform/platform.h"
#include "registry/catalog.h"
#include "transaction/backend.h"
#include "transaction/outcome.h"
#include "transaction/softlock.h"

#include <sop/transaction.h>

/* What a database was opened with. */
struct sopi_engine_options {
	uint32_t node_bytes;
	uint32_t node_items;
	uint32_t inline_value_bytes;
	uint64_t transaction_bytes_max;
	int64_t deadline_ms; /* of transactions that do not say; 0: none */
	uint64_t snapshot_bytes_max; /* old versions beyond which the oldest transaction ends; 0: half the cache */
	/* Databases on disk only. */
	uint64_t cache_bytes; /* memory for nodes and all that belongs to them; 0: a quarter of the host's */
	uint64_t log_bytes_max; /* log that replay may have to read; 0: the larger of 256 MB and a quarter of the data */
	int64_t flush_interval_ms; /* after which weaker commits are on stable storage */
	uint32_t durability; /* sopi_durability of transactions that do not say */
	uint32_t registry_buckets; /* of a segment of the registry; fixed at creation */
	bool create; /* make the database if it is missing */
	bool read_only; /* nothing is written; of a database in memory: false */
	bool no_background; /* tests: checkpoints and flushes happen in the calls that find them due */
};

enum { SOPI_OLD_VERSIONS_WARN_BYTES = 64 << 20 };

struct sopi_backend; /* backend.h */
struct sopi_transaction;

struct sopi_engine {
	/* Read by every transaction, written by every commit. */
	_Alignas(64) _Atomic uint64_t applied; /* newest position whose changes are all in the trees */
	_Atomic uint64_t answered; /* highest position that anybody was told of; at or below `applied` */
	_Atomic uint64_t flushed; /* newest commit that is not answered before it is on stable storage */
	_Atomic bool weak; /* some commit was answered before */
	/* Read by every transaction, rarely written. */
	_Alignas(64) struct sopi_engine_options options;
	const struct sopi_platform *platform;
	struct sopi_log *log;
	struct sopi_backend *backend; /* what makes it durable; NULL: it lives in memory */
	struct sopi_catalog catalog;
	_Alignas(64) struct sopi_forest forest;
	_Alignas(64) sopi_mutex commit_mutex; /* gives positions and applies; docs/locks.md */
	struct sopi_outcomes outcomes;
	struct sopi_softlocks softlocks;
	sopi_mutex ids_mutex; /* guards `named`; leaf of the lock order */
	struct sopi_transaction *named; /* open transactions whose id the caller gave */
	struct sopi_messages messages;
	struct sopi_backend *unfinished; /* that is being opened, or could not be: freed at close */
	_Atomic bool failed; /* the log, or a sync: nothing more is promised until it is opened again */
	_Alignas(64) struct sopi_histogram commit_ns; /* how long commits take in a folder; of the fast ones a part */
};

/* An empty database in memory. */
sop_status sopi_engine_open(struct sopi_engine *engine, const struct sopi_engine_options *options,
			    const struct sopi_platform *platform, sop_error *err);

/* Ends every transaction, stops the backend, and frees everything but the slots, so that calls on
 * handles that are left answer CLOSED. Waits for running calls. Once.
 * Returns the first failure of the backend; it is closed in any case. */
sop_status sopi_engine_close(struct sopi_engine *engine, sop_error *err);

/* Frees the slots. REQUIRES: closed, and no handle is left. */
void sopi_engine_free(struct sopi_engine *engine);

/* Raises `answered` to `position`: whoever tells somebody of a position calls this first. */
static inline void sopi_engine_answer(struct sopi_engine *engine, uint64_t position)
{
	uint64_t answered = atomic_load_explicit(&engine->answered, memory_order_relaxed);

	while (answered < position &&
	       !atomic_compare_exchange_weak_explicit(&engine->answered, &answered, position,
						      memory_order_seq_cst, memory_order_relaxed)) {
	}
}

/* Waits until `position` is on stable storage. FAILED: it never will be, as far as this process can tell. */
sop_status sopi_engine_wait_durable(struct sopi_engine *engine, uint64_t position, sop_error *err);

/* What is read at `position` may rest on commits that are not on stable storage yet: waits for those that promise it.
 * What its author made weaker is weaker for its readers too. */
sop_status sopi_engine_wait_flushed(struct sopi_engine *engine, uint64_t position, sop_error *err);

/* Nothing is promised from here on, because of `status`. Whoever comes first tells the messages and the backend of it: so
 * `failed` is set nowhere else. */
void sopi_engine_fail(struct sopi_engine *engine, sop_status status);

/* FAILED, with its message. */
sop_status sopi_engine_has_failed(sop_error *err);

/* Are the items of all stores as of `at`, which `slot` has published, in order, counted right and reachable? Tells
 * of each problem, and of the bytes of each page; stops when the audience has had enough. NO_MEMORY, IO. */
sop_status sopi_engine_verify(struct sopi_engine *engine, uint64_t at, struct sopi_slot *slot,
			      const struct sopi_audience *audience, sop_error *err);

#endif
