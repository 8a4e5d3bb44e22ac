/* Making the chain that was read durable, and going on behind it.
 *
 * What was read may be in the page cache only, shown there though a sync of it has failed: it is written again, the same
 * bytes in the same place, and synced. Then a new segment begins, whose head names the place where the old one was cut,
 * and the old one ends with a successor record there. A crash anywhere in this repeats it. */
#include "log/log_wal_state.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/plant.h"

#include <string.h>

/* An old segment being put right. */
struct mending {
	struct sopi_wal *wal;
	struct wal_scan scan;
	struct sopi_file *file; /* the same, to write */
	struct sopi_log_segment head;
	bool written; /* something has to be synced */
	uint8_t copy[SOPI_WAL_WINDOW_BYTES];
};

static sop_status open_segment(struct mending *mending, uint64_t sequence, sop_error *err)
{
	enum sopi_log_form form;

	mending->written = false;
	SOP_TRY(wal_scan_open(&mending->scan, mending->wal->options.folder, sequence, err));
	SOP_TRY(wal_scan_segment(&mending->scan, &form, &mending->head, err));
	if (form != SOPI_LOG_GOOD)
		return sopi_fail_file(err, SOP_CORRUPT, mending->scan.name, 0, 0,
				      "the head of %s changed since it was read", mending->scan.name);
	return sopi_folder_open_file(mending->wal->options.folder, mending->scan.name,
				     SOPI_FILE_READ | SOPI_FILE_WRITE, &mending->file, err);
}

static void close_segment(struct mending *mending)
{
	sopi_file_close(mending->file);
	mending->file = NULL;
	wal_scan_close(&mending->scan);
}

static sop_status rewrite(struct mending *mending, uint64_t place, uint64_t end, sop_error *err)
{
	if (end > mending->scan.size)
		end = mending->scan.size; /* the padding of the last record may be missing */
	mending->written = true;
	while (place < end) {
		const size_t part = end - place < sizeof mending->copy ? (size_t)(end - place)
								       : sizeof mending->copy;

		SOP_TRY(wal_scan_read(&mending->scan, place, mending->copy, part, err));
		if (!SOPI_PLANTED(SOPI_PLANT_LOG_NO_TAIL_REWRITE))
			SOP_TRY(sopi_file_write(mending->file, place, mending->copy, part, err));
		place += part;
	}
	return SOP_OK;
}

static bool is_left_out(const struct sopi_log_record *record)
{
	return SOPI_PLANTED(SOPI_PLANT_LOG_NO_SUCCESSOR_REWRITE) && record->kind == SOPI_LOG_SUCCESSOR;
}

/* Writes the records up to `end` again that are not proved to be durable. */
static sop_status rewrite_records(struct mending *mending, uint64_t end, sop_error *err)
{
	uint64_t place = SOPI_LOG_FIRST_PLACE;

	while (place < end) {
		struct sopi_log_record record;
		enum sopi_log_form form;
		uint64_t next;

		SOP_TRY(wal_scan_head(&mending->scan, place, &form, &record, err));
		if (form != SOPI_LOG_GOOD)
			return sopi_fail_file(err, SOP_CORRUPT, mending->scan.name, (int64_t)place,
					      0, "%s changed since it was read", mending->scan.name);
		next = place + wal_round(SOPI_LOG_HEAD_BYTES + record.payload_bytes,
					 mending->head.block_bytes);
		if (record.slot > mending->wal->end.flushed && !is_left_out(&record))
			SOP_TRY(rewrite(mending, place, next, err));
		place = next;
	}
	return SOP_OK;
}

static sop_status rewrite_segment(struct mending *mending, const struct wal_listed *item, sop_error *err)
{
	sop_status status;

	SOP_TRY_OUT(open_segment(mending, item->sequence, err));
	SOP_TRY_OUT(rewrite_records(mending, item->used, err));
	if (mending->written)
		SOP_TRY_OUT(sopi_file_sync_data(mending->file, err));
out:
	close_segment(mending);
	return status;
}

static sop_status rewrite_tail(struct mending *mending, sop_error *err)
{
	const struct wal_list *chain = &mending->wal->chain;

	for (size_t i = 0; i < chain->count; i++) {
		if (i + 1 < chain->count && chain->items[i + 1].first_slot <= mending->wal->end.flushed)
			continue; /* all of it, and the successor record, was durable */
		SOP_TRY(rewrite_segment(mending, &chain->items[i], err));
	}
	return SOP_OK;
}

/* The old segment ends as any other does. */
static sop_status write_successor(struct mending *mending, sop_error *err)
{
	struct sopi_wal *wal = mending->wal;
	struct sopi_log_record record = { .kind = SOPI_LOG_SUCCESSOR,
					  .sequence = wal->end.sequence,
					  .slot = wal->end.slot + 1,
					  .flushed = wal->end.slot,
					  .previous = wal->end.previous,
					  .payload_bytes = SOPI_LOG_SUCCESSOR_BYTES };
	uint8_t *block = mending->copy;
	sop_status status;

	SOP_TRY_OUT(open_segment(mending, wal->end.sequence, err));
	record.salt = mending->head.salt;
	memset(block, 0, mending->head.block_bytes);
	sopi_store_u64le(block + SOPI_LOG_HEAD_BYTES, wal->next.sequence);
	record.payload_crc = sopi_crc32c(0, block + SOPI_LOG_HEAD_BYTES, SOPI_LOG_SUCCESSOR_BYTES);
	sopi_log_record_encode(&record, block);
	SOP_TRY_OUT(sopi_file_write(mending->file, wal->end.place, block, mending->head.block_bytes, err));
	SOP_TRY_OUT(sopi_file_sync_data(mending->file, err));
	wal->place = wal->end.place + mending->head.block_bytes;
out:
	close_segment(mending);
	return status;
}

static sop_status begin_segment(struct sopi_wal *wal, sop_error *err)
{
	struct sopi_log_segment head = { .epoch = wal->epoch,
					 .first_slot = wal->end.slot + 1,
					 .checkpoint = wal->checkpoint,
					 .from_sequence = wal->end.sequence,
					 .from_place = wal->end.place,
					 .previous = wal->end.previous };

	SOP_TRY(wal_segment_make(wal, 0, err));
	head.sequence = wal->next.sequence;
	head.salt = wal->next.salt;
	head.block_bytes = (uint32_t)wal->block;
	return wal_segment_begin(wal, &wal->next, &head, err);
}

/* All that was read counts as durable. */
static void take_end(struct sopi_wal *wal)
{
	wal->slot = wal->end.slot + 1;
	wal->previous = wal->end.previous;
	wal->written_slot = wal->end.slot;
	wal->flushed_slot = wal->end.slot;
	wal->durable_point = (struct sopi_wal_point){ wal->end.slot, wal->end.previous };
	wal->ends_in_mark = true; /* the head of the new segment says as much */
	atomic_store(&wal->written, wal->end.position);
	atomic_store(&wal->durable, wal->end.position);
}

void sopi_wal_freeze(struct sopi_log *log)
{
	struct sopi_wal *wal = wal_of(log);

	sopi_mutex_lock(&wal->maker);
	take_end(wal);
	sopi_mutex_unlock(&wal->maker);
}

static void go_on(struct sopi_wal *wal)
{
	const struct wal_segment next = wal->next;

	take_end(wal);
	wal->next.file = NULL;
	wal->next.direct = NULL;
	wal->next_room = 0;
	wal_segment_enter(wal, &next, wal->slot);
}

sop_status sopi_wal_resume(struct sopi_log *log, uint64_t epoch, sop_error *err)
{
	struct sopi_wal *wal = wal_of(log);
	struct mending *mending;
	void *memory = NULL;
	sop_status status;

	SOP_TRY(sopi_alloc_zeroed(sizeof *mending, &memory, err));
	mending = memory;
	mending->wal = wal;
	wal->epoch = epoch;
	sopi_mutex_lock(&wal->maker);
	SOP_TRY_OUT(rewrite_tail(mending, err));
	SOP_TRY_OUT(begin_segment(wal, err));
	SOP_TRY_OUT(write_successor(mending, err));
	go_on(wal);
out:
	sopi_mutex_unlock(&wal->maker);
	if (status != SOP_OK && status != SOP_NO_SPACE)
		atomic_store(&wal->failed, true);
	sopi_free(mending);
	return status;
}
