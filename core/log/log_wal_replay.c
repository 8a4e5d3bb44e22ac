/* Replay: every transaction of the chain behind a position, in order. The parts of large ones are remembered where they
 * are, and read once their last entry has come; those whose last entry never comes mean nothing. */
#include "log/log_wal_state.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/plant.h"

#include <string.h>

/* A part of a large transaction. */
struct part {
	uint8_t id[SOPI_LOG_ID_BYTES]; /* of the transaction */
	struct sopi_log_series *series;
	uint64_t sequence; /* of the segment */
	uint64_t place; /* where its bytes stand there */
	uint64_t offset; /* of these in the transaction's stream */
	uint64_t size;
};

struct replaying {
	struct sopi_wal *wal;
	struct wal_scan scan;
	struct wal_scan other; /* of a segment with parts */
	sop_buf group;
	sop_buf payload; /* of a large transaction, put together */
	struct part *parts; /* in the order of the log */
	size_t part_count, part_capacity;
	uint64_t behind;
	sopi_wal_replay_fn fn;
	void *arg;
};

/* An entry that is being read. */
struct entry {
	const uint8_t *id;
	enum sopi_log_entry_kind kind;
	sop_bytes payload;
	uint64_t position;
	uint64_t place; /* of its payload in the segment */
};

/* ---- parts --------------------------------------------------------------------------------------- */

static bool is_of(const struct part *part, const struct entry *entry)
{
	return memcmp(part->id, entry->id, sizeof part->id) == 0;
}

/* How many bytes of the entry's stream are known, one behind the other from its start. */
static uint64_t stream_bytes(const struct replaying *replaying, const struct entry *entry)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < replaying->part_count; i++) {
		if (is_of(&replaying->parts[i], entry))
			bytes += replaying->parts[i].size;
	}
	return bytes;
}

/* The series of the entry's parts, NULL if there are none. */
static struct sopi_log_series *series_of(const struct replaying *replaying, const struct entry *entry)
{
	for (size_t i = 0; i < replaying->part_count; i++) {
		if (is_of(&replaying->parts[i], entry))
			return replaying->parts[i].series;
	}
	return NULL;
}

static void forget_parts(struct replaying *replaying, const struct entry *entry)
{
	struct sopi_log_series *series = series_of(replaying, entry);
	size_t kept = 0;

	for (size_t i = 0; i < replaying->part_count; i++) {
		if (!is_of(&replaying->parts[i], entry))
			replaying->parts[kept++] = replaying->parts[i];
	}
	replaying->part_count = kept;
	if (series != NULL && series->last == 0)
		wal_series_end(&replaying->wal->base, series);
}

/* Those whose last entry never came. */
static void forget_all_parts(struct replaying *replaying)
{
	while (replaying->part_count != 0) {
		const struct part part = replaying->parts[0];
		const struct entry entry = { .id = part.id };

		forget_parts(replaying, &entry);
	}
}

/* A part of the same transaction keeps what it needs of the log, also from a checkpoint that is made while replay goes
 * on. */
static sop_status find_series(struct replaying *replaying, const struct entry *entry,
			      struct sopi_log_series **series, sop_error *err)
{
	*series = series_of(replaying, entry);
	if (*series != NULL)
		return SOP_OK;
	SOP_TRY(wal_series_begin(&replaying->wal->base, series, err));
	(*series)->position = entry->position;
	return SOP_OK;
}

/* Remembers a part. One that does not go on where the last one ended is of a series whose beginning was not needed any
 * more. */
static sop_status note_part(struct replaying *replaying, const struct entry *entry, sop_error *err)
{
	struct part part = { .sequence = replaying->scan.sequence };
	sop_bytes bytes = entry->payload;

	if (!sopi_log_part_take(&bytes, &part.offset))
		return wal_corrupt(err, replaying->scan.name, entry->place,
				   "a part of a transaction is malformed");
	if (part.offset == 0) /* the transaction begins anew */
		forget_parts(replaying, entry);
	else if (part.offset != stream_bytes(replaying, entry))
		return SOP_OK;
	memcpy(part.id, entry->id, sizeof part.id);
	part.size = bytes.size;
	part.place = entry->place + entry->payload.size - bytes.size;
	SOP_TRY(sopi_grow(&replaying->parts, replaying->part_count, &replaying->part_capacity,
			  sizeof *replaying->parts, err));
	SOP_TRY(find_series(replaying, entry, &part.series, err));
	replaying->parts[replaying->part_count++] = part;
	return SOP_OK;
}

/* Reads `size` bytes of a part, from its byte `from` on. */
static sop_status read_part(struct replaying *replaying, const struct part *part, uint64_t from,
			    size_t size, uint8_t *to, sop_error *err)
{
	struct wal_scan *scan = &replaying->scan;

	if (part->sequence != scan->sequence) {
		scan = &replaying->other;
		if (scan->file == NULL || scan->sequence != part->sequence) {
			wal_scan_close(scan);
			SOP_TRY(wal_scan_open(scan, replaying->wal->options.folder, part->sequence, err));
		}
	}
	return wal_scan_read(scan, part->place + from, to, size, err);
}

/* Adds a piece of the stream to the payload. */
static sop_status add_apart(struct replaying *replaying, const struct entry *entry, uint64_t offset,
			    uint64_t size, sop_error *err)
{
	for (size_t i = 0; i < replaying->part_count && size != 0; i++) {
		const struct part *part = &replaying->parts[i];
		uint64_t from, taken;

		if (!is_of(part, entry) || offset < part->offset || offset - part->offset >= part->size)
			continue;
		from = offset - part->offset;
		taken = part->size - from < size ? part->size - from : size;
		SOP_TRY(sop_buf_reserve(&replaying->payload,
					replaying->payload.size + (size_t)taken, err));
		SOP_TRY(read_part(replaying, part, from, (size_t)taken,
				  (uint8_t *)replaying->payload.data + replaying->payload.size, err));
		replaying->payload.size += (size_t)taken;
		offset += taken;
		size -= taken;
	}
	return size == 0 ? SOP_OK
			 : wal_corrupt(err, replaying->scan.name, entry->place,
				       "parts of this transaction are missing");
}

/* Puts the payload of a large transaction together. */
static sop_status assemble(struct replaying *replaying, const struct entry *entry, sop_error *err)
{
	sop_bytes rest = entry->payload;
	struct sopi_log_piece piece;
	uint64_t bytes;

	replaying->payload.size = 0;
	if (!sopi_log_last_open(&rest, &bytes))
		return wal_corrupt(err, replaying->scan.name, entry->place, "this entry is malformed");
	if (bytes != stream_bytes(replaying, entry))
		return wal_corrupt(err, replaying->scan.name, entry->place,
				   "parts of this transaction are missing");
	while (rest.size != 0) {
		if (!sopi_log_last_next(&rest, &piece) ||
		    piece.size > SOPI_WAL_PAYLOAD_BYTES_MAX - replaying->payload.size)
			return wal_corrupt(err, replaying->scan.name, entry->place,
					   "this entry is malformed");
		if (piece.apart)
			SOP_TRY(add_apart(replaying, entry, piece.offset, piece.size, err));
		else
			SOP_TRY(sopi_buf_append(&replaying->payload, piece.bytes,
						(size_t)piece.size, err));
	}
	return SOP_OK;
}

/* ---- entries ------------------------------------------------------------------------------------- */

static sop_status hand_over(struct replaying *replaying, const struct entry *entry,
			    sop_bytes payload, sop_error *err)
{
	const struct sopi_log_entry whole = { .id = entry->id, .payload = payload, .durability = SOPI_FLUSHED };

	return replaying->fn(replaying->arg, entry->position, &whole, err);
}

static sop_status replay_last(struct replaying *replaying, const struct entry *entry, sop_error *err)
{
	struct sopi_log_series *series = series_of(replaying, entry);

	if (entry->position <= replaying->behind) {
		forget_parts(replaying, entry);
		return SOP_OK;
	}
	SOP_TRY(assemble(replaying, entry, err));
	if (series != NULL) /* the parts must stay until a checkpoint has passed this */
		series->last = entry->position;
	forget_parts(replaying, entry); /* before handing it over, which may make that checkpoint and free the series */
	SOP_TRY(hand_over(replaying, entry,
			  (sop_bytes){ replaying->payload.data, replaying->payload.size }, err));
	sop_buf_free(&replaying->payload); /* it is large */
	return SOP_OK;
}

static sop_status replay_entry(struct replaying *replaying, const struct entry *entry, sop_error *err)
{
	switch (entry->kind) {
	case SOPI_LOG_PART:
		if (SOPI_PLANTED(SOPI_PLANT_LOG_PARTS_SKIPPED) && entry->position <= replaying->behind)
			return SOP_OK;
		return note_part(replaying, entry, err);
	case SOPI_LOG_LAST:
		return replay_last(replaying, entry, err);
	case SOPI_LOG_WHOLE:
		break;
	}
	return entry->position > replaying->behind ? hand_over(replaying, entry, entry->payload, err)
						   : SOP_OK;
}

static sop_status replay_entries(struct replaying *replaying, uint64_t place,
				 const struct sopi_log_record *record, sop_error *err)
{
	const uint8_t *start = replaying->group.data;
	sop_bytes rest = { start, (size_t)record->payload_bytes };

	for (uint32_t i = 0; i < record->count; i++) {
		struct entry entry = { .position = wal_position(record->slot, i) };

		if (!sopi_log_entry_next(&rest, &entry.id, &entry.kind, &entry.payload))
			return wal_corrupt(err, replaying->scan.name, place,
					   "an entry of this group is malformed");
		entry.place = place + SOPI_LOG_HEAD_BYTES +
			      (uint64_t)((const uint8_t *)entry.payload.data - start);
		SOP_TRY(replay_entry(replaying, &entry, err));
	}
	if (rest.size != 0)
		return wal_corrupt(err, replaying->scan.name, place,
				   "this group is longer than its entries");
	return SOP_OK;
}

static sop_status replay_record(struct replaying *replaying, uint64_t place,
				const struct sopi_log_record *record, sop_error *err)
{
	if (record->kind != SOPI_LOG_GROUP)
		return SOP_OK;
	SOP_TRY(sop_buf_reserve(&replaying->group, (size_t)record->payload_bytes, err));
	SOP_TRY(wal_scan_read(&replaying->scan, place + SOPI_LOG_HEAD_BYTES, replaying->group.data,
			      (size_t)record->payload_bytes, err));
	return replay_entries(replaying, place, record, err);
}

/* The records up to `end`, which were good when the chain was read. */
static sop_status replay_segment(struct replaying *replaying, uint64_t end, sop_error *err)
{
	struct sopi_log_segment head;
	enum sopi_log_form form;
	uint64_t place = SOPI_LOG_FIRST_PLACE;

	SOP_TRY(wal_scan_segment(&replaying->scan, &form, &head, err));
	if (form != SOPI_LOG_GOOD)
		return wal_corrupt(err, replaying->scan.name, 0, "the head of the segment is damaged");
	while (place < end) {
		struct sopi_log_record record;

		SOP_TRY(wal_scan_record(&replaying->scan, place, &form, &record, err));
		if (form != SOPI_LOG_GOOD)
			return wal_corrupt(err, replaying->scan.name, place, "this record is damaged");
		SOP_TRY(replay_record(replaying, place, &record, err));
		place += wal_round(SOPI_LOG_HEAD_BYTES + record.payload_bytes, head.block_bytes);
	}
	return SOP_OK;
}

/* The first segment behind `sequence`. Those before it may go to the pool while replay goes on, if there is a checkpoint
 * in between. */
static bool segment_behind(struct sopi_wal *wal, uint64_t sequence, struct wal_listed *item)
{
	bool there = false;

	sopi_mutex_lock(&wal->state);
	for (size_t i = 0; i < wal->chain.count && !there; i++) {
		*item = wal->chain.items[i];
		there = item->sequence > sequence;
	}
	sopi_mutex_unlock(&wal->state);
	return there;
}

sop_status sopi_wal_replay(struct sopi_log *log, uint64_t behind, sopi_wal_replay_fn fn, void *arg,
			   sop_error *err)
{
	struct sopi_wal *wal = wal_of(log);
	struct wal_listed item = { .sequence = 0 };
	struct replaying *replaying;
	sop_status status = SOP_OK;
	void *memory = NULL;

	SOP_TRY(sopi_alloc_zeroed(sizeof *replaying, &memory, err));
	replaying = memory;
	replaying->wal = wal;
	replaying->behind = behind;
	replaying->fn = fn;
	replaying->arg = arg;
	while (segment_behind(wal, item.sequence, &item)) { /* also where all is before `behind`: parts may be there */
		if (item.used <= SOPI_LOG_FIRST_PLACE)
			continue;
		SOP_TRY_OUT(wal_scan_open(&replaying->scan, wal->options.folder, item.sequence, err));
		SOP_TRY_OUT(replay_segment(replaying, item.used, err));
		wal_scan_close(&replaying->scan);
	}
out:
	wal_scan_close(&replaying->scan);
	wal_scan_close(&replaying->other);
	sop_buf_free(&replaying->group);
	sop_buf_free(&replaying->payload);
	forget_all_parts(replaying);
	sopi_free(replaying->parts);
	sopi_free(replaying);
	return status;
}
