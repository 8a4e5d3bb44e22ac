/* Large commits: building ahead, and the record in parts. */
#include "transaction/large.h"

#include "base/alloc.h"
#include "btree/resident.h"
#include "codec/log_record.h"

enum {
	REFRESHES_MAX = 8, /* of what was built, while others change it */
	REFRESHED_MIN = 64, /* fewer are left to the mutex */
	AHEAD_BYTES_MAX = 1 << 30, /* of leaves that are built, in a database without a budget */
	PART_HEAD_BYTES_MAX = 10,
	LAST_BYTES_MIN = 4 << 10, /* of the entry that names the parts: references, and what is changed at last */
	LAST_SHARE = 16, /* and this part of the stream */
	PARTS_IN_MEMORY = 2, /* room for so much of the record: one is written when it is there */
};

#ifdef SOP_TEST_HOOKS
_Atomic size_t sopi_large_part_bytes = SOPI_LARGE_PART_BYTES;
sopi_large_part_fn _Atomic sopi_large_part_hook;

static void tell_of_part(bool all)
{
	const sopi_large_part_fn hook = sopi_large_part_hook;

	if (hook != NULL)
		hook(all);
}
#else
static void tell_of_part(bool all)
{
	(void)all;
}
#endif

size_t sopi_changes_end(const struct sopi_transaction *txn, size_t from, size_t count)
{
	const struct sopi_used *used = txn->changes[from].newest->index;

	return used->changes_end < count ? used->changes_end : count;
}

/* ---- building ---------------------------------------------------------------------------------- */

/* Position `applied`, published as what the transaction reads at besides its snapshot. */
static uint64_t publish_head(struct sopi_transaction *txn)
{
	uint64_t head;

	sopi_slot_choose(txn->slot);
	head = atomic_load_explicit(&txn->engine->applied, memory_order_seq_cst);
	sopi_slot_publish(txn->slot, head, true);
	return head;
}

/* Others go on while it is built: brings it up to date until little is left to be done under the mutex. */
static sop_status refresh(struct sopi_transaction *txn, struct sopi_large *large, sop_error *err)
{
	size_t count = REFRESHED_MIN;

	for (size_t round = 0; round < REFRESHES_MAX && count >= REFRESHED_MIN; round++) {
		const uint64_t head = publish_head(txn);
		size_t unit = 0;

		count = 0;
		for (size_t at = 0, end; at < large->change_count; at = end) {
			const struct sopi_used *used = txn->changes[at].newest->index;

			end = sopi_changes_end(txn, at, large->change_count);
			SOP_TRY(sopi_ahead_refresh(&large->ahead, &used->store->tree, txn->changes,
						   &unit, end, head, large->records, &count, err));
		}
	}
	return SOP_OK;
}

/* A store whose schema grows with the commit is left to the mutex: its changes mean something else then. */
static sop_status build_store(struct sopi_transaction *txn, struct sopi_large *large, size_t first,
			      size_t end, uint64_t at, sop_error *err)
{
	const struct sopi_used *used = txn->changes[first].newest->index;

	if (used->extension != NULL || used->extended) {
		if (!used->created)
			SOP_TRY(sopi_tree_find_leaves(&used->store->tree, txn->changes + first,
						      end - first, at, err));
		return sopi_ahead_skip(&large->ahead, first, end, err);
	}
	return sopi_ahead_build(&large->ahead, &used->store->tree, txn->changes, first, end,
				used->created ? SOPI_POSITION_HEAD : at, large->records, err);
}

static sop_status record_reserve(struct sopi_transaction *txn, sop_buf *record, size_t bytes,
				 sop_error *err)
{
	const size_t most = PARTS_IN_MEMORY * sopi_large_part_bytes;
	void *kept;

	bytes = bytes < most ? bytes : most;
	kept = sopi_spare_take(&txn->engine->forest.spare, bytes, &record->capacity);

	if (kept == NULL)
		return sop_buf_reserve(record, bytes, err);
	record->data = record->owned = kept;
	return SOP_OK;
}

static void record_free(struct sopi_transaction *txn, sop_buf *record)
{
	sopi_spare_give(&txn->engine->forest.spare, record->owned, record->capacity);
	*record = (sop_buf)SOP_BUF_INIT;
}

/* ---- the record -------------------------------------------------------------------------------- */

sop_status sopi_log_room(struct sopi_engine *engine, size_t bytes, bool urgent, sop_error *err)
{
	struct sopi_backend *backend = engine->backend;
	struct sopi_log *log = engine->log;
	sop_status status = log->driver->reserve(log, bytes, urgent, err);

	if (SOPI_UNLIKELY(status == SOP_NO_SPACE) && backend->driver->out_of_space(backend, NULL) == SOP_OK)
		status = log->driver->reserve(log, bytes, urgent, err);
	if (SOPI_UNLIKELY(status == SOP_FAILED))
		sopi_engine_fail(engine, status);
	return status;
}

/* Waits until a part has left the memory: so there are never more than two of them in it, one that is being written and
 * the next, and what others commit behind it waits for no more than that. */
static sop_status wait_for_part(struct sopi_transaction *txn, uint64_t position, sop_error *err)
{
	struct sopi_log *log = txn->engine->log;
	const sop_status status = txn->durability == SOPI_FLUSHED
					  ? log->driver->wait_durable(log, position, NULL)
					  : log->driver->wait_written(log, position, NULL);

	if (SOPI_LIKELY(status == SOP_OK))
		return SOP_OK;
	sopi_engine_fail(txn->engine, status);
	return sopi_engine_has_failed(err); /* nothing was committed */
}

/* Writes the first `size` bytes of what there is of the record. */
static sop_status write_part(struct sopi_large *large, size_t size, sop_error *err)
{
	const struct sopi_ahead *ahead = &large->ahead;
	struct sopi_transaction *txn = large->txn;
	struct sopi_engine *engine = txn->engine;
	uint8_t head[PART_HEAD_BYTES_MAX];
	const struct sopi_log_entry entry = { .id = txn->id,
					      .payload = { ahead->scratch.record.data, size },
					      .before = { head, sopi_log_part_head(ahead->record_gone,
										   head) },
					      .durability = (enum sopi_durability)txn->durability,
					      .kind = SOPI_LOG_PART,
					      .series = large->series };
	uint64_t position;

	SOP_TRY(sopi_transaction_may_go_on(txn, err));
	if (large->part_position != 0)
		SOP_TRY(wait_for_part(txn, large->part_position, err));
	SOP_TRY(sopi_log_room(engine, entry.before.size + size, large->urgent, err));
	sopi_mutex_lock(&engine->commit_mutex);
	position = engine->log->driver->next(engine->log);
	engine->log->driver->submit(engine->log, position, &entry, entry.before.size + size);
	/* Nothing changes at this position. A checkpoint may pass it, so that parts which are given up go. */
	atomic_store_explicit(&engine->applied, position, memory_order_seq_cst);
	sopi_mutex_unlock(&engine->commit_mutex);
	large->part_position = position;
	if (!engine->log->driver->write_ahead(engine->log, position, txn->durability == SOPI_FLUSHED))
		SOP_TRY(wait_for_part(txn, position, err));
	tell_of_part(false);
	return SOP_OK;
}

/* Writes parts as long as there is `least` of the record, and takes them off its front. */
static sop_status write_parts(struct sopi_large *large, size_t least, sop_error *err)
{
	struct sopi_ahead *ahead = &large->ahead;
	struct sopi_log *log = large->txn->engine->log;
	sop_buf *record = &ahead->scratch.record;

	if (large->series == NULL)
		SOP_TRY(log->driver->series_begin(log, &large->series, err));
	while (record->size >= least) {
		const size_t size = record->size < ahead->spill_bytes ? record->size : ahead->spill_bytes;

		SOP_TRY(write_part(large, size, err));
		ahead->record_gone += size;
		record->size -= size;
		memmove(record->data, (const uint8_t *)record->data + size, record->size);
	}
	return SOP_OK;
}

/* Of what is being built. */
static sop_status spill(struct sopi_ahead *ahead, void *arg, sop_error *err)
{
	return write_parts(arg, ahead->spill_bytes, err);
}

/* ---- building, and what is left to write ---- */

sop_status sopi_large_build(struct sopi_transaction *txn, struct sopi_large *large, size_t count,
			    size_t bytes, bool urgent, uint64_t at, sop_error *err)
{
	const struct sopi_resident *resident = txn->engine->forest.resident;

	if (SOPI_LIKELY(!sopi_is_large(count)))
		return SOP_OK;
	large->on = true;
	large->records = resident != NULL;
	large->change_count = count;
	large->txn = txn;
	large->urgent = urgent;
	large->ahead.bytes_max = resident != NULL ? resident->bytes_max / 4 : AHEAD_BYTES_MAX;
	if (large->records) {
		large->ahead.spill = spill;
		large->ahead.spill_arg = large;
		large->ahead.spill_bytes = sopi_large_part_bytes;
		SOP_TRY(record_reserve(txn, &large->ahead.scratch.record, bytes, err));
	}
	for (size_t from = 0, end; from < count; from = end) {
		end = sopi_changes_end(txn, from, count);
		SOP_TRY(build_store(txn, large, from, end, at, err));
	}
	return refresh(txn, large, err);
}

sop_status sopi_large_write(struct sopi_transaction *txn, struct sopi_large *large, sop_error *err)
{
	if (large->series == NULL)
		return SOP_OK;
	SOP_TRY(write_parts(large, 1, err));
	tell_of_part(true);
	return refresh(txn, large, err);
}

/* ---- the entry that commits ---- */

size_t sopi_large_last_bytes(const struct sopi_large *large)
{
	return LAST_BYTES_MIN + (size_t)(large->ahead.record_gone / LAST_SHARE);
}

/* Names the bytes of a part that are in the stream, or adds them where they are not. */
static sop_status add_part(struct sopi_large *large, const struct sopi_ahead_part *part, sop_error *err)
{
	const struct sopi_ahead *ahead = &large->ahead;
	struct sopi_log_piece piece = { .size = part->size, .bytes = part->bytes };

	if (piece.bytes == NULL && part->at < ahead->record_gone) {
		piece.apart = true;
		piece.offset = part->at;
		if (piece.size > ahead->record_gone - part->at)
			piece.size = ahead->record_gone - part->at;
		SOP_TRY(sopi_log_last_add(&large->last, &piece, err));
		piece = (struct sopi_log_piece){ .size = part->size - piece.size,
						 .bytes = ahead->scratch.record.data };
	} else if (piece.bytes == NULL) {
		piece.bytes = (const uint8_t *)ahead->scratch.record.data +
			      (part->at - ahead->record_gone);
	}
	if (piece.size == 0)
		return SOP_OK;
	return large->series != NULL
		       ? sopi_log_last_add(&large->last, &piece, err)
		       : sopi_buf_append(&large->last, piece.bytes, (size_t)piece.size, err);
}

sop_status sopi_large_record(struct sopi_large *large, const struct sopi_apply *apply, sop_error *err)
{
	size_t count, bytes;

	SOP_TRY(sopi_ahead_record(&large->ahead, apply, &count, &bytes, err));
	large->last.size = 0;
	if (large->series != NULL)
		SOP_TRY(sopi_log_last_begin(&large->last, large->ahead.record_gone, err));
	else
		SOP_TRY(sop_buf_reserve(&large->last, bytes, err));
	for (size_t i = 0; i < count; i++)
		SOP_TRY(add_part(large, &large->ahead.parts[i], err));
	return SOP_OK;
}

/* ---- applying, and the end ---------------------------------------------------------------------- */

sop_status sopi_large_apply(struct sopi_transaction *txn, struct sopi_large *large,
			    struct sopi_apply *apply, sop_error *err)
{
	size_t unit = 0;

	for (size_t at = 0, end; at < large->change_count; at = end) {
		const struct sopi_used *used = txn->changes[at].newest->index;

		end = sopi_changes_end(txn, at, large->change_count);
		SOP_TRY(sopi_ahead_apply(&large->ahead, apply, &used->store->tree, txn->changes,
					 &unit, end, err));
	}
	return SOP_OK;
}

void sopi_large_clear(struct sopi_transaction *txn, struct sopi_large *large)
{
	struct sopi_log *log = txn->engine->log;

	if (SOPI_LIKELY(!large->on))
		return;
	if (large->series != NULL)
		log->driver->series_end(log, large->series);
	large->series = NULL;
	large->part_position = 0;
	record_free(txn, &large->ahead.scratch.record);
	sopi_ahead_free(&large->ahead, &txn->engine->forest);
	sop_buf_free(&large->last);
	large->on = false;
}
