/* What the leader writes: groups, sealed; the successor record where a segment ends; marks. Groups that are one durable
 * write into the current segment are only sealed by it, and written while the next leader seals others; for anything else
 * nothing may be in flight.
 *
 * A failed write or sync is never tried again: the log has failed. */
#include "log/log_wal_state.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/plant.h"

/* A place in the stream of a batch. */
struct cursor {
	struct wal_chunk *chunk;
	size_t used; /* bytes of it */
};

/* The next piece of at most `size` bytes that lies in one chunk. */
static uint8_t *piece_at(struct cursor *cursor, uint64_t size, size_t *piece)
{
	uint8_t *at;

	if (cursor->used == SOPI_WAL_CHUNK_BYTES) {
		cursor->chunk = cursor->chunk->next;
		cursor->used = 0;
	}
	at = wal_chunk_bytes(cursor->chunk) + cursor->used;
	*piece = SOPI_WAL_CHUNK_BYTES - cursor->used;
	if (*piece > size)
		*piece = (size_t)size;
	cursor->used += *piece;
	return at;
}

/* ---- durable or not ---- */

static void count_flush(struct sopi_wal *wal)
{
	sopi_mutex_lock(&wal->state);
	wal->stats.flushes++;
	sopi_mutex_unlock(&wal->state);
}

static sop_status sync_current(struct sopi_wal *wal, sop_error *err)
{
	if (!SOPI_PLANTED(SOPI_PLANT_LOG_NO_FLUSH))
		SOP_TRY(sopi_file_sync_data(wal->current.file, err));
	wal->unsynced = false;
	count_flush(wal);
	return SOP_OK;
}

/* The handle for the next durable write. What went through the page cache before is not made durable by a direct
 * write, so then all of it goes through the cache and is synced. */
static struct sopi_file *handle_of(const struct sopi_wal *wal, bool durable)
{
	const bool direct = durable && !wal->unsynced && wal->current.direct != NULL &&
			    !SOPI_PLANTED(SOPI_PLANT_LOG_NO_FLUSH);

	return direct ? wal->current.direct : wal->current.file;
}

/* Do the next `size` bytes lie in one chunk? */
static bool is_one_piece(const struct cursor *cursor, uint64_t size)
{
	return size <= SOPI_WAL_CHUNK_BYTES - cursor->used % SOPI_WAL_CHUNK_BYTES;
}

/* Writes `size` bytes of the stream at the end of the current segment, a write for each chunk. However many they are,
 * one flush makes them durable: a direct write is one, so that several of them go through the page cache instead. */
static sop_status write_run(struct sopi_wal *wal, struct cursor *cursor, uint64_t size,
			    bool durable, sop_error *err)
{
	struct sopi_file *file = handle_of(wal, durable && is_one_piece(cursor, size));

	if (size == 0)
		return durable && wal->unsynced ? sync_current(wal, err) : SOP_OK;
	while (size != 0) {
		size_t piece;
		const uint8_t *from = piece_at(cursor, size, &piece);

		SOP_TRY(sopi_file_write(file, wal->place, from, piece, err));
		wal->place += piece;
		size -= piece;
		if (file != wal->current.file)
			count_flush(wal);
		else
			wal->unsynced = true;
	}
	return durable && wal->unsynced ? sync_current(wal, err) : SOP_OK;
}

/* Writes a block with a record that holds no transactions, durably. */
static sop_status write_block(struct sopi_wal *wal, struct sopi_log_record *record,
			      const uint8_t *payload, bool durable, sop_error *err)
{
	uint8_t room[WAL_BLOCK_ROOM] = { 0 };
	uint8_t *block = wal_block_in(room);
	struct sopi_file *file = handle_of(wal, durable);

	record->sequence = wal->current.sequence;
	record->salt = wal->current.salt;
	record->previous = wal->previous;
	record->flushed = atomic_load(&wal->flushed_slot);
	if (record->payload_bytes != 0)
		memcpy(block + SOPI_LOG_HEAD_BYTES, payload, (size_t)record->payload_bytes);
	record->payload_crc = sopi_crc32c(0, payload, (size_t)record->payload_bytes);
	sopi_log_record_encode(record, block);
	SOP_TRY(sopi_file_write(file, wal->place, block, wal->block, err));
	wal->place += wal->block;
	wal->unsynced = wal->unsynced || file == wal->current.file;
	if (durable && wal->unsynced)
		return sync_current(wal, err);
	if (durable)
		count_flush(wal);
	return SOP_OK;
}

/* ---- the next segment ---- */

static struct wal_segment take_next(struct sopi_wal *wal, struct sopi_log_segment *head)
{
	struct wal_segment next;

	sopi_mutex_lock(&wal->maker);
	next = wal->next;
	wal->next.file = NULL;
	wal->next.direct = NULL;
	head->checkpoint = wal->checkpoint;
	head->epoch = wal->epoch;
	sopi_mutex_lock(&wal->state);
	wal->entered_room = wal->next_room; /* nobody who reserves now has to make another one */
	wal->next_room = 0;
	sopi_mutex_unlock(&wal->state);
	sopi_mutex_unlock(&wal->maker);
	SOPI_CHECK(next.file != NULL); /* reserved */
	return next;
}

/* Everything in the old segment is durable before the first record of the new one. */
static sop_status go_on_in(struct sopi_wal *wal, struct wal_segment *next,
			   const struct sopi_log_segment *head, sop_error *err)
{
	struct sopi_log_record record = { .kind = SOPI_LOG_SUCCESSOR,
					  .slot = head->first_slot,
					  .payload_bytes = SOPI_LOG_SUCCESSOR_BYTES };
	uint8_t payload[SOPI_LOG_SUCCESSOR_BYTES];

	SOP_TRY(wal_segment_begin(wal, next, head, err));
	sopi_store_u64le(payload, next->sequence);
	return write_block(wal, &record, payload, !SOPI_PLANTED(SOPI_PLANT_LOG_NO_SUCCESSOR_FLUSH), err);
}

void wal_publish(struct sopi_wal *wal, const struct wal_flight *end, bool durable)
{
	if (wal_failed(wal)) /* elsewhere, meanwhile: nothing may be acknowledged */
		return;
	wal->written_slot = end->slot;
	if (end->position > atomic_load(&wal->written))
		atomic_store(&wal->written, end->position);
	sopi_mutex_lock(&wal->state);
	wal->chain.items[wal->chain.count - 1].used = end->end;
	if (durable)
		wal->durable_point = (struct sopi_wal_point){ end->slot, end->crc };
	sopi_mutex_unlock(&wal->state);
	if (!durable)
		return;
	atomic_store(&wal->flushed_slot, end->slot);
	if (end->position > atomic_load(&wal->durable))
		atomic_store(&wal->durable, end->position);
}

/* `position`: of the last entry that was written. */
static sop_status roll_over(struct sopi_wal *wal, uint64_t first_slot, uint64_t position, sop_error *err)
{
	struct sopi_log_segment head = { .first_slot = first_slot,
					 .previous = wal->previous,
					 .block_bytes = (uint32_t)wal->block };
	struct wal_segment next = take_next(wal, &head);
	struct wal_flight end = { .slot = first_slot - 1, .position = position, .crc = wal->previous };
	sop_status status;

	head.sequence = next.sequence;
	head.salt = next.salt;
	status = go_on_in(wal, &next, &head, err);
	if (status != SOP_OK) {
		wal_segment_close(&next);
		return status;
	}
	end.end = wal->place;
	wal_publish(wal, &end, true);
	wal_segment_enter(wal, &next, first_slot);
	return SOP_OK;
}

/* ---- groups ---- */

static uint32_t payload_crc(struct cursor cursor, uint64_t size)
{
	uint32_t crc = 0;

	while (size != 0) {
		size_t piece;
		const uint8_t *at = piece_at(&cursor, size, &piece);

		crc = sopi_crc32c(crc, at, piece);
		size -= piece;
	}
	return crc;
}

/* Writing a batch: what is sealed and not written yet, and the group behind it. */
struct writing {
	struct cursor run; /* begins here */
	uint64_t run_bytes;
	struct cursor at;
	uint64_t left; /* bytes of the batch behind `at` */
	uint64_t position; /* of the last entry sealed */
	uint64_t slot; /* of the last group sealed */
	uint64_t groups, bytes; /* sealed */
};

static struct writing writing_begin(const struct wal_batch *batch)
{
	return (struct writing){ .run = { batch->first, 0 }, .at = { batch->first, 0 }, .left = batch->size };
}

/* Where the log will end when all that is sealed is written. */
static struct wal_flight end_of(const struct sopi_wal *wal, const struct writing *writing)
{
	return (struct wal_flight){ .end = wal->place,
				    .slot = writing->slot,
				    .position = writing->position,
				    .crc = wal->previous };
}

/* Fills in what is known only now: where the group stands, what precedes it, what is durable. */
static void seal(struct sopi_wal *wal, struct writing *writing, struct sopi_log_record *record,
		 uint8_t *head, struct cursor payload)
{
	const uint64_t bytes = wal_round(SOPI_LOG_HEAD_BYTES + record->payload_bytes, wal->block);

	record->sequence = wal->current.sequence;
	record->salt = wal->current.salt;
	record->flushed = atomic_load(&wal->flushed_slot);
	record->previous = wal->previous;
	record->payload_crc = payload_crc(payload, record->payload_bytes);
	sopi_log_record_encode(record, head);
	wal->previous = record->crc;
	writing->slot = record->slot;
	writing->position = wal_position(record->slot, record->count - 1);
	writing->run_bytes += bytes;
	writing->bytes += bytes;
	writing->groups++;
}

/* The space behind what was written stays kept for a successor record. */
static bool fits(const struct sopi_wal *wal, uint64_t bytes)
{
	return wal->place + bytes + wal->block <= wal->current.bytes;
}

static void skip(struct cursor *cursor, uint64_t size)
{
	while (size != 0) {
		size_t piece;

		(void)piece_at(cursor, size, &piece);
		size -= piece;
	}
}

/* The group at `writing->at`: its head, its payload, and the bytes that it takes. */
static uint64_t look_at_group(const struct sopi_wal *wal, const struct writing *writing,
			      uint8_t **head, struct cursor *payload, struct sopi_log_record *record)
{
	size_t piece;

	*payload = writing->at;
	*head = piece_at(payload, SOPI_LOG_HEAD_BYTES, &piece);
	sopi_log_record_peek(*head, record);
	return wal_round(SOPI_LOG_HEAD_BYTES + record->payload_bytes, wal->block);
}

static sop_status write_group(struct sopi_wal *wal, struct writing *writing, sop_error *err)
{
	struct cursor payload;
	struct sopi_log_record record;
	uint8_t *head;
	const uint64_t bytes = look_at_group(wal, writing, &head, &payload, &record);

	if (!fits(wal, writing->run_bytes + bytes)) {
		/* the flush of the successor record is one for both */
		SOP_TRY(write_run(wal, &writing->run, writing->run_bytes, false, err));
		writing->run = writing->at;
		writing->run_bytes = 0;
		SOP_TRY(roll_over(wal, record.slot, writing->position, err));
		SOPI_CHECK(fits(wal, bytes)); /* reserved */
	}
	seal(wal, writing, &record, head, payload);
	skip(&writing->at, bytes);
	writing->left -= bytes;
	return SOP_OK;
}

static sop_status write_groups(struct sopi_wal *wal, struct writing *writing, bool durable, sop_error *err)
{
	struct wal_flight end;

	while (writing->left != 0)
		SOP_TRY(write_group(wal, writing, err));
	SOP_TRY(write_run(wal, &writing->run, writing->run_bytes, durable, err));
	end = end_of(wal, writing);
	wal_publish(wal, &end, durable);
	return SOP_OK;
}

/* Says, once for each reason in a segment, that the next one is to be made. */
static void tell_locked(struct sopi_wal *wal)
{
	if (!wal->told && wal->next_room == 0 && wal_is_filling(wal))
		wal->told = true;
	else if (!wal->told_slow && (wal->next_room == 0 || wal->next_raw) && wal_is_slow(wal))
		wal->told_slow = true;
	else
		return;
	atomic_store_explicit(&wal->fills, true, memory_order_relaxed);
}

/* Room that was reserved is used now. `space`: what had been counted as needed for it. */
static void count_written(struct sopi_wal *wal, uint64_t groups, uint64_t bytes, uint64_t space)
{
	sopi_mutex_lock(&wal->state);
	wal->stats.groups += groups;
	wal->stats.bytes_written += bytes;
	if (bytes != 0)
		wal->group_bytes = wal->group_bytes / 8 * 7 + bytes / 8;
	wal->need -= space;
	wal->room = wal_segment_room(wal, wal->current.bytes) - (wal->place - SOPI_LOG_FIRST_PLACE);
	tell_locked(wal);
	sopi_mutex_unlock(&wal->state);
}

/* Are there small groups, which would have to change metadata in this segment, and one that is full of zeros? */
static bool leaves_raw(struct sopi_wal *wal)
{
	bool leaves;

	sopi_mutex_lock(&wal->state);
	leaves = wal_is_slow(wal) && wal->next_room != 0 && !wal->next_raw && wal->need <= wal->next_room;
	if (leaves)
		wal->room = 0; /* what is reserved from now on must fit into the next one */
	sopi_mutex_unlock(&wal->state);
	return leaves;
}

static sop_status write_batch(struct sopi_wal *wal, const struct wal_turn *turn, sop_error *err)
{
	const struct wal_batch *batch = turn->batch;
	struct writing writing;

	if (turn->leaves_raw)
		SOP_TRY(roll_over(wal, wal->written_slot + 1, atomic_load(&wal->written), err));
	writing = writing_begin(batch);
	writing.position = atomic_load(&wal->written);
	writing.slot = wal->written_slot;
	SOP_TRY(write_groups(wal, &writing, turn->durable, err));
	if (writing.groups != 0)
		wal->ends_in_mark = false;
	count_written(wal, writing.groups, writing.bytes, batch->space);
	return SOP_OK;
}

static sop_status write_mark(struct sopi_wal *wal, uint64_t slot, sop_error *err)
{
	struct sopi_log_record record = { .kind = SOPI_LOG_MARK, .slot = slot };
	struct wal_flight end = { .slot = slot, .position = atomic_load(&wal->written) };

	if (!fits(wal, wal->block))
		SOP_TRY(roll_over(wal, slot, end.position, err));
	SOP_TRY(write_block(wal, &record, NULL, true, err));
	wal->previous = record.crc;
	wal->ends_in_mark = true;
	end.end = wal->place;
	end.crc = record.crc;
	wal_publish(wal, &end, true);
	count_written(wal, 1, wal->block, 0);
	return SOP_OK;
}

/* ---- turns ---- */

bool wal_turn_begin(struct sopi_wal *wal, struct wal_turn *turn, bool mark)
{
	if (wal_failed(wal))
		return false;
	turn->batch = wal_buffer_take(wal, mark, &turn->mark_slot);
	turn->leaves_raw = turn->batch->size != 0 && leaves_raw(wal);
	return true;
}

bool wal_turn_seal(struct sopi_wal *wal, struct wal_turn *turn)
{
	const struct wal_batch *batch = turn->batch;
	const uint64_t size = batch->size;
	struct writing writing = writing_begin(batch);

	if (size == 0 || !is_one_piece(&writing.run, size) || turn->leaves_raw ||
	    handle_of(wal, turn->durable) != wal->current.direct || !fits(wal, size))
		return false;
	while (writing.left != 0)
		SOPI_CHECK(write_group(wal, &writing, NULL) == SOP_OK); /* it fits: nothing is written */
	turn->file = wal->current.direct;
	turn->place = wal->place;
	wal->place += size;
	wal->ends_in_mark = false;
	turn->end = end_of(wal, &writing);
	count_written(wal, writing.groups, writing.bytes, batch->space);
	return true;
}

void wal_turn_write(struct sopi_wal *wal, const struct wal_turn *turn)
{
	const struct wal_batch *batch = turn->batch;

	if (sopi_file_write(turn->file, turn->place, wal_chunk_bytes(batch->first),
			    (size_t)batch->size, NULL) == SOP_OK)
		count_flush(wal);
	else
		atomic_store(&wal->failed, true);
}

void wal_turn_write_all(struct sopi_wal *wal, const struct wal_turn *turn)
{
	sop_status status = SOP_IO;

	if (!wal_failed(wal))
		status = write_batch(wal, turn, NULL);
	if (status == SOP_OK && turn->mark_slot != 0)
		status = write_mark(wal, turn->mark_slot, NULL);
	if (status != SOP_OK)
		atomic_store(&wal->failed, true);
}
