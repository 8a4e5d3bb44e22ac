/* Reservations, and what was submitted and is not written yet.
 *
 * A reservation counts twice: as memory (outstanding) and as log space (need). Both count a record of its own for it,
 * rounded to the block. What was submitted counts as what it takes, since many share a record: otherwise thousands of
 * commits that wait for one flush would ask for ever larger segments.
 *
 * Memory: free_bytes + open_room >= outstanding + SPARE after each reservation. Submitting takes the same from both
 * sides; closing the open group loses less than a chunk of open_room, and at most SOPI_WAL_WRITES_MAX groups are closed
 * whose chunks have not been given back. So a chunk is there whenever submit needs one.
 * Space: need fits into the current segment, or into the one that is ready behind it. */
#include "log/log_wal_state.h"

#include "base/alloc.h"

#include <string.h>

enum { SPARE_BYTES = SOPI_WAL_WRITES_MAX * SOPI_WAL_CHUNK_BYTES + 2 * SOPI_LOG_BLOCK_BYTES_MAX };

static uint64_t cost_of(const struct sopi_wal *wal, size_t bytes)
{
	return wal_round(SOPI_LOG_HEAD_BYTES + SOPI_LOG_ENTRY_HEAD_BYTES_MAX + (uint64_t)bytes,
			 wal->block);
}

/* ---- memory ---- */

static bool lacks_memory(const struct sopi_wal *wal)
{
	return wal->free_bytes + wal->open_room < wal->outstanding + SPARE_BYTES ||
	       wal->free_bytes < wal->outstanding + SPARE_BYTES - SOPI_WAL_CHUNK_BYTES;
}

static void push_free(struct sopi_wal *wal, struct wal_chunk *chunk)
{
	chunk->next = wal->free;
	wal->free = chunk;
	wal->free_bytes += SOPI_WAL_CHUNK_BYTES;
}

static struct wal_chunk *pop_free(struct sopi_wal *wal)
{
	struct wal_chunk *chunk = wal->free;

	SOPI_CHECK(chunk != NULL); /* reserved */
	wal->free = chunk->next;
	wal->free_bytes -= SOPI_WAL_CHUNK_BYTES;
	chunk->next = NULL;
	return chunk;
}

static void free_chunks(struct wal_chunk *chunk)
{
	while (chunk != NULL) {
		struct wal_chunk *next = chunk->next;

		sopi_free_pages(chunk, SOPI_WAL_CHUNK_AT + SOPI_WAL_CHUNK_BYTES);
		chunk = next;
	}
}

/* Takes the chunks that nobody will need out of the free ones. */
static struct wal_chunk *surplus_locked(struct sopi_wal *wal)
{
	const uint64_t kept = wal->outstanding + SPARE_BYTES +
			      (uint64_t)SOPI_WAL_CHUNKS_KEPT * SOPI_WAL_CHUNK_BYTES;
	struct wal_chunk *surplus = NULL;

	while (wal->free_bytes > kept) {
		struct wal_chunk *chunk = pop_free(wal);

		chunk->next = surplus;
		surplus = chunk;
	}
	return surplus;
}

static void release_memory(struct sopi_wal *wal, uint64_t cost)
{
	struct wal_chunk *surplus;

	sopi_mutex_lock(&wal->state);
	SOPI_CHECK(wal->outstanding >= cost);
	wal->outstanding -= cost;
	surplus = surplus_locked(wal);
	sopi_mutex_unlock(&wal->state);
	free_chunks(surplus);
}

/* Each turn adds a chunk, so that it ends after as many as the reservation is long. */
static sop_status reserve_memory(struct sopi_wal *wal, uint64_t cost, sop_error *err)
{
	sop_status status = SOP_OK;

	sopi_mutex_lock(&wal->state);
	wal->outstanding += cost;
	while (status == SOP_OK && lacks_memory(wal)) {
		void *memory = NULL;

		sopi_mutex_unlock(&wal->state);
		status = sopi_alloc_pages(SOPI_WAL_CHUNK_AT,
					  SOPI_WAL_CHUNK_AT + SOPI_WAL_CHUNK_BYTES, &memory, err);
		sopi_mutex_lock(&wal->state);
		if (status == SOP_OK)
			push_free(wal, memory);
	}
	sopi_mutex_unlock(&wal->state);
	if (status != SOP_OK)
		release_memory(wal, cost);
	return status;
}

/* ---- space ---- */

static uint64_t floor_of(const struct sopi_wal *wal, bool urgent)
{
	const uint64_t part = wal->options.segment_bytes / 8; /* small segments keep less back */

	if (urgent)
		return 0;
	return part < SOPI_WAL_FLOOR_BYTES ? part : SOPI_WAL_FLOOR_BYTES;
}

/* Counts `cost` if there is room for it. */
static bool take_space_locked(struct sopi_wal *wal, uint64_t cost, uint64_t floor)
{
	const uint64_t wanted = wal->need + cost + floor;

	if (wanted > wal->room && wanted > wal->next_room && wanted > wal->entered_room)
		return false;
	wal->need += cost;
	return true;
}

static bool take_space(struct sopi_wal *wal, uint64_t cost, uint64_t floor)
{
	bool taken;

	sopi_mutex_lock(&wal->state);
	taken = take_space_locked(wal, cost, floor);
	sopi_mutex_unlock(&wal->state);
	return taken;
}

static void release_space(struct sopi_wal *wal, uint64_t cost)
{
	sopi_mutex_lock(&wal->state);
	SOPI_CHECK(wal->need >= cost);
	wal->need -= cost;
	sopi_mutex_unlock(&wal->state);
}

/* `need` grows before the segment is made, so that nobody takes the room meanwhile. */
static sop_status make_space(struct sopi_wal *wal, uint64_t cost, uint64_t floor, sop_error *err)
{
	sop_status status;
	uint64_t wanted;

	sopi_mutex_lock(&wal->state);
	wal->need += cost;
	wanted = wal->need + floor;
	sopi_mutex_unlock(&wal->state);
	status = wal_segment_make(wal, wanted, err);
	if (status != SOP_OK)
		release_space(wal, cost);
	return status;
}

static sop_status reserve_space(struct sopi_wal *wal, uint64_t cost, bool urgent, sop_error *err)
{
	const uint64_t floor = floor_of(wal, urgent);
	sop_status status = SOP_OK;

	if (take_space(wal, cost, floor))
		return SOP_OK;
	sopi_mutex_lock(&wal->maker);
	if (!take_space(wal, cost, floor)) /* somebody else may have made it */
		status = make_space(wal, cost, floor, err);
	sopi_mutex_unlock(&wal->maker);
	return status;
}

sop_status wal_reserve(struct sopi_log *log, size_t bytes, bool urgent, sop_error *err)
{
	struct sopi_wal *wal = wal_of(log);
	sop_status status;
	uint64_t cost;

	if (wal_failed(wal))
		return sopi_fail(err, SOP_FAILED, "the log has failed; open the database again");
	if (bytes > SOPI_WAL_PAYLOAD_BYTES_MAX)
		return sopi_fail(err, SOP_LIMIT, "a transaction of %zu bytes; the log takes %d",
				 bytes, SOPI_WAL_PAYLOAD_BYTES_MAX);
	cost = cost_of(wal, bytes);
	SOP_TRY(reserve_memory(wal, cost, err));
	status = reserve_space(wal, cost, urgent, err);
	if (status != SOP_OK)
		release_memory(wal, cost);
	return status;
}

void wal_unreserve(struct sopi_log *log, size_t bytes)
{
	struct sopi_wal *wal = wal_of(log);
	const uint64_t cost = cost_of(wal, bytes);

	release_space(wal, cost);
	release_memory(wal, cost);
}

/* ---- the open group ---- */

static void attach(struct wal_batch *batch, struct wal_chunk *chunk)
{
	if (batch->first == NULL) {
		batch->first = chunk;
		batch->tail = chunk;
		batch->tail_used = 0;
	} else {
		batch->last->next = chunk;
	}
	batch->last = chunk;
}

/* Turns a reservation into room in the open batch. */
static void take_room(struct sopi_wal *wal, uint64_t bytes, size_t reserved_payload, size_t payload)
{
	const uint64_t reserved = cost_of(wal, reserved_payload);
	const uint64_t space = wal_round(wal->open->size + bytes, wal->block) - wal->open->space;

	sopi_mutex_lock(&wal->state);
	SOPI_CHECK(wal->outstanding >= reserved && reserved >= space);
	wal->outstanding -= reserved;
	wal->need -= reserved - space;
	while (wal->open_room < bytes) {
		attach(wal->open, pop_free(wal));
		wal->open_room += SOPI_WAL_CHUNK_BYTES;
	}
	wal->open_room -= bytes;
	wal->stats.payload_bytes += payload;
	sopi_mutex_unlock(&wal->state);
	wal->open->space += space;
}

static uint8_t *tail_room(struct wal_batch *batch, size_t *room)
{
	if (batch->tail_used == SOPI_WAL_CHUNK_BYTES) {
		batch->tail = batch->tail->next;
		batch->tail_used = 0;
	}
	*room = SOPI_WAL_CHUNK_BYTES - batch->tail_used;
	return wal_chunk_bytes(batch->tail) + batch->tail_used;
}

static void append(struct wal_batch *batch, const void *data, size_t size)
{
	const uint8_t *from = data;

	while (size != 0) {
		size_t room;
		uint8_t *to = tail_room(batch, &room);
		const size_t part = size < room ? size : room;

		memcpy(to, from, part);
		batch->tail_used += part;
		batch->size += part;
		from += part;
		size -= part;
	}
}

/* Bytes to the next block, which are in the same chunk. */
static size_t padding_of(const struct sopi_wal *wal, const struct wal_batch *batch)
{
	return (size_t)(wal_round(batch->size, wal->block) - batch->size);
}

static void pad(struct sopi_wal *wal, struct wal_batch *batch)
{
	static const uint8_t zeros[SOPI_LOG_BLOCK_BYTES_MAX];

	append(batch, zeros, padding_of(wal, batch));
}

static void group_begin(struct sopi_wal *wal)
{
	static const uint8_t draft[SOPI_LOG_HEAD_BYTES];
	struct wal_batch *batch = wal->open;
	size_t room;

	pad(wal, batch);
	batch->head = tail_room(batch, &room); /* a head never crosses chunks: both are multiples of the block */
	append(batch, draft, sizeof draft);
	batch->head_end = batch->size;
}

/* Leaves in the head what the leader cannot know. */
static void group_end(struct sopi_wal *wal)
{
	struct wal_batch *batch = wal->open;
	struct sopi_log_record record = { .kind = SOPI_LOG_GROUP,
					  .slot = wal->slot,
					  .count = wal->count,
					  .payload_bytes = batch->size - batch->head_end };

	sopi_log_record_encode(&record, batch->head);
	wal->slot++;
	wal->count = 0;
}

/* ---- series ---- */

sop_status wal_series_begin(struct sopi_log *log, struct sopi_log_series **out, sop_error *err)
{
	struct sopi_wal *wal = wal_of(log);
	struct sopi_log_series *series;
	void *memory = NULL;

	SOP_TRY(sopi_alloc_zeroed(sizeof *series, &memory, err));
	series = memory;
	sopi_mutex_lock(&wal->state);
	series->next = wal->series;
	wal->series = series;
	sopi_mutex_unlock(&wal->state);
	*out = series;
	return SOP_OK;
}

static void series_note(struct sopi_wal *wal, struct sopi_log_series *series,
			enum sopi_log_entry_kind kind, uint64_t position)
{
	sopi_mutex_lock(&wal->state);
	if (series->position == 0)
		series->position = position;
	if (kind == SOPI_LOG_LAST)
		series->last = position;
	sopi_mutex_unlock(&wal->state);
}

/* Takes one out of the list: the given one, or the first that ends at or below `position`. */
static struct sopi_log_series *series_take(struct sopi_wal *wal,
					   const struct sopi_log_series *given, uint64_t position)
{
	struct sopi_log_series **at, *series;

	sopi_mutex_lock(&wal->state);
	for (at = &wal->series; *at != NULL; at = &(*at)->next) {
		if (*at == given || (given == NULL && (*at)->last != 0 && (*at)->last <= position))
			break;
	}
	series = *at;
	if (series != NULL)
		*at = series->next;
	sopi_mutex_unlock(&wal->state);
	return series;
}

void wal_series_end(struct sopi_log *log, struct sopi_log_series *series)
{
	sopi_free(series_take(wal_of(log), series, 0));
}

void wal_series_trim(struct sopi_wal *wal, uint64_t position)
{
	struct sopi_log_series *series;

	while ((series = series_take(wal, NULL, position)) != NULL)
		sopi_free(series);
}

/* ---- submitting ---- */

uint64_t wal_next(struct sopi_log *log)
{
	const struct sopi_wal *wal = wal_of(log);

	return wal_position(wal->slot, wal->count);
}

void wal_submit(struct sopi_log *log, uint64_t position, const struct sopi_log_entry *entry, size_t reserved)
{
	struct sopi_wal *wal = wal_of(log);
	const enum sopi_log_entry_kind kind = (enum sopi_log_entry_kind)entry->kind;
	const size_t size = entry->before.size + entry->payload.size;
	const bool begins = wal->count == 0;
	uint8_t head[SOPI_LOG_ENTRY_HEAD_BYTES_MAX];
	size_t head_size;

	SOPI_CHECK(position == wal_next(log) && size <= reserved);
	take_room(wal,
		  sopi_log_entry_bytes(kind, size) +
			  (begins ? padding_of(wal, wal->open) + SOPI_LOG_HEAD_BYTES : 0),
		  reserved, size);
	if (begins)
		group_begin(wal);
	if (SOPI_UNLIKELY(entry->series != NULL))
		series_note(wal, entry->series, kind, position);
	head_size = sopi_log_entry_head(entry->id, kind, size, head);
	append(wal->open, head, head_size);
	append(wal->open, entry->before.data, entry->before.size);
	append(wal->open, entry->payload.data, entry->payload.size);
	wal->open->last_position = position;
	if (++wal->count == SOPI_LOG_ENTRIES_MAX)
		group_end(wal);
}

/* ---- the leader's side ---- */

/* There is one more than writes may be on their way. */
static struct wal_batch *free_batch_locked(struct sopi_wal *wal)
{
	struct wal_batch *batch = wal->batches;

	while (batch->taken) {
		batch++;
		SOPI_CHECK(batch < wal->batches + SOPI_WAL_WRITES_MAX + 1);
	}
	return batch;
}

struct wal_batch *wal_buffer_take(struct sopi_wal *wal, bool mark, uint64_t *mark_slot)
{
	struct wal_batch *batch;

	sopi_mutex_lock(wal->options.commit_mutex);
	batch = wal->open;
	if (wal->count != 0)
		group_end(wal);
	if (mark && !(wal->ends_in_mark && batch->size == 0)) /* a log that rests needs one, not one each time */
		*mark_slot = wal->slot++;
	sopi_mutex_lock(&wal->state);
	batch->taken = true;
	wal->open = free_batch_locked(wal);
	wal->open_room = 0; /* what is left of the last chunk goes with it */
	sopi_mutex_unlock(&wal->state);
	sopi_mutex_unlock(wal->options.commit_mutex);
	if (batch->size != 0)
		pad(wal, batch);
	return batch;
}

void wal_buffer_give(struct sopi_wal *wal, struct wal_batch *batch)
{
	struct wal_chunk *surplus;

	sopi_mutex_lock(&wal->state);
	while (batch->first != NULL) {
		struct wal_chunk *chunk = batch->first;

		batch->first = chunk->next;
		push_free(wal, chunk);
	}
	memset(batch, 0, sizeof *batch);
	surplus = surplus_locked(wal);
	sopi_mutex_unlock(&wal->state);
	free_chunks(surplus);
}

void wal_buffer_rest(struct sopi_wal *wal)
{
	struct wal_chunk *all = NULL;

	sopi_mutex_lock(&wal->state);
	if (wal->outstanding == 0) { /* what was submitted has its chunks already */
		all = wal->free;
		wal->free = NULL;
		wal->free_bytes = 0;
	}
	sopi_mutex_unlock(&wal->state);
	free_chunks(all);
}

void wal_buffer_free(struct sopi_wal *wal)
{
	free_chunks(wal->free);
	for (size_t i = 0; i < SOPI_WAL_WRITES_MAX + 1; i++)
		free_chunks(wal->batches[i].first);
	wal_series_trim(wal, UINT64_MAX);
}
