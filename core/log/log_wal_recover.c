/* The chain at open, read and judged; nothing is written here.
 *
 * The chain is followed record by record, segment by segment, to the first record that is not there as it should be.
 * That is a torn end, unless something proves that what should be there was flushed: then it is damage, and CORRUPT. */
#include "log/log_wal_state.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/plant.h"

#include <stdlib.h>
#include <string.h>

/* A file of the folder log/. */
struct found {
	uint64_t sequence;
	uint64_t bytes;
	bool good; /* its head is; what follows is set */
	bool in_chain;
	struct sopi_log_segment head;
};

struct recovery {
	struct sopi_wal *wal;
	struct found *found; /* ascending by sequence */
	size_t count, capacity;
	struct wal_scan scan;
	size_t at; /* the segment being read */
	uint64_t place;
	struct wal_end end;
	uint64_t covered; /* no position above it can have been made durable in what was read */
};

/* ---- which segments there are ---- */

static sop_status note_name(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	struct recovery *recovery = arg;
	const uint64_t sequence = sopi_wal_sequence(name);

	if (sequence == 0 || kind != SOPI_ENTRY_FILE)
		return SOP_OK;
	SOP_TRY(sopi_grow(&recovery->found, recovery->count, &recovery->capacity,
			  sizeof *recovery->found, err));
	recovery->found[recovery->count++] = (struct found){ .sequence = sequence };
	return SOP_OK;
}

static int by_sequence(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

/* A later segment opened under a newer manifest than this one: somebody put an old MANIFEST back. */
static sop_status check_head(struct recovery *recovery, const struct found *found, sop_error *err)
{
	const struct sopi_wal_options *options = &recovery->wal->options;

	if (found->sequence >= options->first_segment && found->head.checkpoint > options->checkpoint)
		return wal_corrupt(err, recovery->scan.name, 0,
				   "it was opened under a newer manifest; an older MANIFEST was put back");
	return SOP_OK;
}

static sop_status read_head(struct recovery *recovery, struct found *found, sop_error *err)
{
	enum sopi_log_form form = SOPI_LOG_BAD;

	SOP_TRY(wal_scan_segment(&recovery->scan, &form, &found->head, err));
	found->bytes = recovery->scan.size;
	found->good = form == SOPI_LOG_GOOD;
	if (form == SOPI_LOG_OTHER_FORMAT && found->sequence >= recovery->wal->options.first_segment)
		return wal_scan_other_format(&recovery->scan, 0, found->head.format, err);
	if (!found->good)
		return SOP_OK;
	if (found->head.epoch > recovery->wal->found_epoch)
		recovery->wal->found_epoch = found->head.epoch;
	return check_head(recovery, found, err);
}

static sop_status read_heads(struct recovery *recovery, sop_error *err)
{
	SOP_TRY(sopi_folder_list(recovery->wal->options.folder, "log", note_name, recovery, err));
	if (recovery->count != 0)
		qsort(recovery->found, recovery->count, sizeof *recovery->found, by_sequence);
	for (size_t i = 0; i < recovery->count; i++) {
		sop_status status = wal_scan_open(&recovery->scan, recovery->wal->options.folder,
						  recovery->found[i].sequence, err);

		SOP_TRY(status);
		status = read_head(recovery, &recovery->found[i], err);
		wal_scan_close(&recovery->scan);
		SOP_TRY(status);
	}
	return SOP_OK;
}

/* ---- the chain ---- */

/* The segment `sequence` if its head is good, or `count`. */
static size_t find(const struct recovery *recovery, uint64_t sequence)
{
	for (size_t i = 0; i < recovery->count; i++)
		if (recovery->found[i].sequence == sequence && recovery->found[i].good)
			return i;
	return recovery->count;
}

static sop_status enter(struct recovery *recovery, size_t index, sop_error *err)
{
	struct found *found = &recovery->found[index];
	struct wal_list *chain = &recovery->wal->chain;

	if (chain->count != 0) {
		chain->items[chain->count - 1].used = recovery->end.place;
		chain->items[chain->count - 1].last_position = recovery->end.position;
	}
	wal_scan_close(&recovery->scan);
	SOP_TRY(wal_scan_open(&recovery->scan, recovery->wal->options.folder, found->sequence, err));
	recovery->scan.salt = found->head.salt;
	SOP_TRY(wal_list_room(chain, 2, err));
	wal_list_add(chain, &(struct wal_listed){ .sequence = found->sequence,
						  .bytes = found->bytes,
						  .first_slot = found->head.first_slot });
	found->in_chain = true;
	recovery->at = index;
	recovery->end.sequence = found->sequence;
	recovery->end.place = SOPI_LOG_FIRST_PLACE;
	return SOP_OK;
}

/* The manifest knows a group that was durable: here must be that one. It was, so nothing before it can be torn. */
static sop_status check_point(struct recovery *recovery, uint64_t place, sop_error *err)
{
	const struct sopi_wal_point *known = &recovery->wal->options.known;
	struct wal_end *end = &recovery->end;

	if (end->slot != known->slot)
		return SOP_OK;
	if (end->previous != known->crc)
		return wal_corrupt(
			err, recovery->scan.name, place,
			"this is not the group that MANIFEST knows; another file was put in place of one of the log");
	if (known->slot > end->flushed)
		end->flushed = known->slot;
	return SOP_OK;
}

static sop_status begin(struct recovery *recovery, sop_error *err)
{
	const struct sopi_wal_options *options = &recovery->wal->options;
	const size_t first = find(recovery, options->first_segment);
	char name[SOPI_WAL_NAME_BYTES];

	if (first == recovery->count) {
		wal_segment_name(options->first_segment, name);
		return wal_corrupt(err, name, 0,
				   "the segment that MANIFEST names is missing, or its head is damaged");
	}
	recovery->end.slot = recovery->found[first].head.first_slot - 1;
	recovery->end.previous = recovery->found[first].head.previous;
	recovery->end.position = options->checkpoint;
	recovery->end.flushed = options->checkpoint >> SOPI_POSITION_INDEX_BITS;
	recovery->covered = wal_position(recovery->end.slot + 1, 0) - 1;
	SOP_TRY(enter(recovery, first, err));
	if (recovery->end.slot > options->known.slot)
		return wal_corrupt(
			err, recovery->scan.name, 0,
			"the log begins behind the group that MANIFEST knows; another file was put in its place");
	return check_point(recovery, 0, err);
}

/* The next segment, which a good successor record names, was durable before that record. */
static sop_status follow(struct recovery *recovery, sop_error *err)
{
	uint8_t payload[SOPI_LOG_SUCCESSOR_BYTES];
	uint64_t sequence;
	size_t next;
	char name[SOPI_WAL_NAME_BYTES];

	SOP_TRY(wal_scan_read(&recovery->scan, recovery->end.place + SOPI_LOG_HEAD_BYTES, payload,
			      sizeof payload, err));
	sequence = sopi_load_u64le(payload);
	next = sequence > recovery->end.sequence ? find(recovery, sequence) : recovery->count;
	recovery->end.place += recovery->found[recovery->at].head.block_bytes;
	if (next < recovery->count && recovery->found[next].head.first_slot == recovery->end.slot + 1 &&
	    recovery->found[next].head.previous == recovery->end.previous)
		return enter(recovery, next, err);
	wal_segment_name(sequence, name);
	return wal_corrupt(err, name, 0, "the segment that follows is missing, or its head is damaged");
}

static void take_group(struct recovery *recovery, const struct sopi_log_record *record)
{
	struct wal_end *end = &recovery->end;

	end->slot = record->slot;
	end->previous = record->crc;
	end->place += wal_round(SOPI_LOG_HEAD_BYTES + record->payload_bytes,
				recovery->found[recovery->at].head.block_bytes);
	if (record->kind == SOPI_LOG_MARK)
		return;
	recovery->covered = wal_position(record->slot, record->count - 1);
	if (recovery->covered > end->position)
		end->position = recovery->covered;
}

/* Follows the chain to the first place where it does not go on. Ends: places and sequences ascend. */
static sop_status read_chain(struct recovery *recovery, sop_error *err)
{
	for (;;) {
		struct wal_end *end = &recovery->end;
		const uint64_t place = end->place;
		struct sopi_log_record record;
		enum sopi_log_form form;

		SOP_TRY(wal_scan_record(&recovery->scan, place, &form, &record, err));
		if (form == SOPI_LOG_OTHER_FORMAT)
			return wal_scan_other_format(&recovery->scan, place, record.format, err);
		if (form != SOPI_LOG_GOOD || !wal_record_continues(&record, end->slot + 1, end->previous))
			return SOP_OK;
		if (record.flushed > end->flushed)
			end->flushed = record.flushed;
		if (record.kind == SOPI_LOG_SUCCESSOR) {
			SOP_TRY(follow(recovery, err));
			continue;
		}
		take_group(recovery, &record);
		SOP_TRY(check_point(recovery, place, err));
	}
}

/* ---- torn end or damage ---- */

/* Records of a later segment were written after everything in the segments before was durable. */
static bool proves(const struct recovery *recovery, const struct found *found,
		   const struct sopi_log_record *record)
{
	const uint64_t missing = recovery->end.slot + 1;

	return record->flushed >= missing ||
	       (found->sequence > recovery->end.sequence && record->kind != SOPI_LOG_SUCCESSOR &&
		record->slot >= missing);
}

/* Looks at every block from `place` on: what is damaged need not say how long it is. */
static sop_status look_behind(struct recovery *recovery, const struct found *found, uint64_t place,
			      bool *proved, sop_error *err)
{
	while (!*proved && place + SOPI_LOG_HEAD_BYTES <= recovery->scan.size) {
		struct sopi_log_record record;
		enum sopi_log_form form;

		SOP_TRY(wal_scan_head(&recovery->scan, place, &form, &record, err));
		*proved = form == SOPI_LOG_GOOD && proves(recovery, found, &record);
		place += SOPI_LOG_BLOCK_BYTES_MIN;
	}
	return SOP_OK;
}

static sop_status look_in(struct recovery *recovery, const struct found *found, bool *proved,
			  sop_error *err)
{
	/* opened by a recovery that had synced everything before its first slot */
	if (found->head.from_sequence != 0 && found->head.first_slot > recovery->end.slot + 1) {
		*proved = true;
		return SOP_OK;
	}
	wal_scan_close(&recovery->scan);
	SOP_TRY(wal_scan_open(&recovery->scan, recovery->wal->options.folder, found->sequence, err));
	recovery->scan.salt = found->head.salt;
	return look_behind(recovery, found, SOPI_LOG_FIRST_PLACE, proved, err);
}

static sop_status judge_end(struct recovery *recovery, sop_error *err)
{
	const struct found *last = &recovery->found[recovery->at];
	bool proved = false;
	char name[SOPI_WAL_NAME_BYTES];

	if (SOPI_PLANTED(SOPI_PLANT_LOG_NO_LOOK_BEHIND))
		return SOP_OK;
	if (recovery->end.slot < recovery->wal->options.known.slot &&
	    !SOPI_PLANTED(SOPI_PLANT_LOG_NO_POINT))
		return wal_corrupt(err, recovery->scan.name, recovery->end.place,
				   "the log ends here, but MANIFEST proves that it went on: the file was damaged, cut, or "
				   "replaced by an older copy; restore a backup");
	SOP_TRY(look_behind(recovery, last, recovery->end.place, &proved, err));
	for (size_t i = recovery->at + 1; i < recovery->count && !proved; i++)
		if (recovery->found[i].good)
			SOP_TRY(look_in(recovery, &recovery->found[i], &proved, err));
	if (!proved)
		return SOP_OK;
	wal_segment_name(recovery->end.sequence, name);
	return wal_corrupt(err, name, recovery->end.place,
			   "this record is damaged, and something behind it proves that it was flushed");
}

static sop_status check_checkpoint(const struct recovery *recovery, sop_error *err)
{
	char name[SOPI_WAL_NAME_BYTES];

	if (recovery->wal->options.checkpoint <= recovery->covered)
		return SOP_OK;
	wal_segment_name(recovery->end.sequence, name);
	return wal_corrupt(err, name, recovery->end.place,
			   "the log ends before the checkpoint of MANIFEST");
}

/* ---- what becomes of it ---- */

/* Everything outside the chain may be recycled once the chain is durable: it proved nothing. */
static sop_status list_pool(struct recovery *recovery, sop_error *err)
{
	struct sopi_wal *wal = recovery->wal;

	for (size_t i = 0; i < recovery->count; i++) {
		const struct found *found = &recovery->found[i];

		if (found->in_chain)
			continue;
		SOP_TRY(wal_list_room(&wal->pool, 1, err));
		wal_list_add(&wal->pool, &(struct wal_listed){ .sequence = found->sequence,
							       .bytes = found->bytes,
							       .raw = !found->good });
	}
	return SOP_OK;
}

static void leave(struct recovery *recovery)
{
	struct sopi_wal *wal = recovery->wal;
	struct wal_listed *last = &wal->chain.items[wal->chain.count - 1];

	last->used = recovery->end.place;
	last->last_position = recovery->end.position;
	wal->end = recovery->end;
	wal->next_sequence = recovery->found[recovery->count - 1].sequence + 1;
	/* The next one is no larger than one that was hardly used: segments would else grow with each opening. */
	wal->made_bytes = last->used >= last->bytes / 4 ? last->bytes : last->bytes / 2;
	wal->checkpoint = wal->options.checkpoint;
}

static sop_status recover(struct recovery *recovery, sop_error *err)
{
	SOP_TRY(read_heads(recovery, err));
	SOP_TRY(begin(recovery, err));
	SOP_TRY(read_chain(recovery, err));
	SOP_TRY(judge_end(recovery, err));
	SOP_TRY(check_checkpoint(recovery, err));
	SOP_TRY(list_pool(recovery, err));
	leave(recovery);
	return SOP_OK;
}

sop_status wal_recover(struct sopi_wal *wal, sop_error *err)
{
	struct recovery *recovery = NULL;
	void *memory = NULL;
	sop_status status;

	SOP_TRY(sopi_alloc_zeroed(sizeof *recovery, &memory, err));
	recovery = memory;
	recovery->wal = wal;
	status = recover(recovery, err);
	wal_scan_close(&recovery->scan);
	sopi_free(recovery->found);
	sopi_free(recovery);
	return status;
}
