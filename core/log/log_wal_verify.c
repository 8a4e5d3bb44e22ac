/* Checking every record that replay would read, while others append. A segment that is recycled meanwhile is not looked
 * at any further: what is found wrong in it is its new content. */
#include "log/log_wal_state.h"

#include "base/alloc.h"

#include <stdio.h>

typedef bool (*found_fn)(void *arg, const char *file, int64_t offset, const char *kind,
			 const char *message);

struct verifying {
	struct sopi_wal *wal;
	struct wal_scan scan;
	struct wal_listed item;
	uint64_t end; /* of what is to be checked */
	uint32_t previous; /* crc of the last group, if known */
	bool previous_known;
	uint64_t slot; /* of the next record */
	found_fn found;
	void *arg;
	bool stopped;
};

/* The oldest segment from `sequence` on, and how far it was durable by then. */
static bool next_segment(struct verifying *verifying, uint64_t sequence)
{
	struct sopi_wal *wal = verifying->wal;
	bool there = false;

	sopi_mutex_lock(&wal->state);
	for (size_t i = 0; i < wal->chain.count && !there; i++) {
		verifying->item = wal->chain.items[i];
		there = verifying->item.sequence >= sequence;
	}
	sopi_mutex_unlock(&wal->state);
	verifying->end = verifying->item.used;
	return there;
}

static bool is_in_chain(struct verifying *verifying)
{
	struct sopi_wal *wal = verifying->wal;
	bool there;

	sopi_mutex_lock(&wal->state);
	there = wal->chain.count != 0 && wal->chain.items[0].sequence <= verifying->item.sequence;
	sopi_mutex_unlock(&wal->state);
	return there;
}

static void tell(struct verifying *verifying, uint64_t place, const char *message)
{
	if (!is_in_chain(verifying))
		return;
	verifying->stopped = !verifying->found(verifying->arg, verifying->scan.name, (int64_t)place,
					       "log", message);
}

static const char *problem_of(const struct verifying *verifying, enum sopi_log_form form,
			      const struct sopi_log_record *record)
{
	if (form == SOPI_LOG_OTHER_FORMAT)
		return "this record has a version of the format that is not known";
	if (form != SOPI_LOG_GOOD)
		return "this record is damaged";
	if (record->slot != verifying->slot)
		return "this record is not the next one";
	if (verifying->previous_known && record->previous != verifying->previous)
		return "this record does not continue the chain";
	return NULL;
}

static void go_past(struct verifying *verifying, const struct sopi_log_record *record)
{
	verifying->previous_known = true;
	if (record->kind == SOPI_LOG_SUCCESSOR) {
		verifying->previous = record->previous;
		return;
	}
	verifying->previous = record->crc;
	verifying->slot++;
}

/* Stops at the first problem of the segment: behind it nothing says where a record begins. */
static sop_status verify_records(struct verifying *verifying, uint32_t block, sop_error *err)
{
	uint64_t place = SOPI_LOG_FIRST_PLACE;

	while (place < verifying->end) {
		struct sopi_log_record record = { 0 };
		enum sopi_log_form form;
		const char *problem;

		SOP_TRY(wal_scan_record(&verifying->scan, place, &form, &record, err));
		problem = problem_of(verifying, form, &record);
		if (problem != NULL) {
			tell(verifying, place, problem);
			verifying->previous_known = false;
			return SOP_OK;
		}
		go_past(verifying, &record);
		place += wal_round(SOPI_LOG_HEAD_BYTES + record.payload_bytes, block);
	}
	return SOP_OK;
}

static sop_status verify_segment(struct verifying *verifying, sop_error *err)
{
	struct sopi_log_segment head;
	enum sopi_log_form form;

	SOP_TRY(wal_scan_segment(&verifying->scan, &form, &head, err));
	if (form != SOPI_LOG_GOOD || head.first_slot != verifying->item.first_slot) {
		tell(verifying, 0, "the head of the segment is damaged");
		return SOP_OK;
	}
	/* what was appended or recycled since the last segment was looked at leaves a gap */
	if (verifying->previous_known && verifying->slot == head.first_slot &&
	    verifying->previous != head.previous)
		tell(verifying, 0, "the segment does not continue the one before it");
	verifying->slot = head.first_slot;
	verifying->previous = head.previous;
	verifying->previous_known = true;
	return verify_records(verifying, head.block_bytes, err);
}

static sop_status open_and_verify(struct verifying *verifying, sop_error *err)
{
	sop_status status = wal_scan_open(&verifying->scan, verifying->wal->options.folder,
					  verifying->item.sequence, err);

	if (status == SOP_NOT_FOUND) {
		tell(verifying, 0, "the segment is missing");
		return SOP_OK;
	}
	SOP_TRY(status);
	status = verify_segment(verifying, err);
	wal_scan_close(&verifying->scan);
	return status == SOP_CORRUPT ? SOP_OK : status; /* it became shorter: it is being recycled */
}

sop_status sopi_wal_verify(struct sopi_log *log,
			   bool (*found)(void *arg, const char *file, int64_t offset,
					 const char *kind, const char *message),
			   void *arg, sop_error *err)
{
	struct verifying *verifying;
	void *memory = NULL;
	sop_status status = SOP_OK;

	SOP_TRY(sopi_alloc_zeroed(sizeof *verifying, &memory, err));
	verifying = memory;
	verifying->wal = wal_of(log);
	verifying->found = found;
	verifying->arg = arg;
	for (uint64_t sequence = 0; status == SOP_OK && !verifying->stopped;) {
		if (!next_segment(verifying, sequence))
			break;
		status = open_and_verify(verifying, err);
		sequence = verifying->item.sequence + 1;
	}
	sopi_free(verifying);
	return status;
}
