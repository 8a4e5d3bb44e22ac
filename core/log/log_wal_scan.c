/* Reading a segment, record by record. Nothing that a file says is believed before it is checked against the file. */
#include "log/log_wal_state.h"

#include "base/crc32c.h"
#include "base/plant.h"

#include <string.h>

sop_status wal_scan_open(struct wal_scan *scan, struct sopi_folder *folder, uint64_t sequence,
			 sop_error *err)
{
	sop_status status;

	scan->file = NULL;
	scan->sequence = sequence;
	scan->salt = 0;
	scan->window_at = 0;
	scan->window_size = 0;
	wal_segment_name(sequence, scan->name);
	SOP_TRY(sopi_folder_open_file(folder, scan->name, SOPI_FILE_READ, &scan->file, err));
	status = sopi_file_size(scan->file, &scan->size, err);
	if (status != SOP_OK)
		wal_scan_close(scan);
	return status;
}

void wal_scan_close(struct wal_scan *scan)
{
	sopi_file_close(scan->file);
	scan->file = NULL;
}

/* `size` bytes at `place`, at most a window, as they lie in it; NULL in *at where the file ends before. */
static sop_status look_at(struct wal_scan *scan, uint64_t place, size_t size, const uint8_t **at,
			  sop_error *err)
{
	*at = NULL;
	if (place > scan->size || size > scan->size - place)
		return SOP_OK;
	if (place < scan->window_at || place + size > scan->window_at + scan->window_size) {
		scan->window_size = 0; /* a failed read leaves nothing */
		scan->window_at = place;
		SOP_TRY(sopi_file_read(scan->file, place, scan->window, sizeof scan->window,
				       &scan->window_size, err));
	}
	if (size <= scan->window_size)
		*at = scan->window + (place - scan->window_at);
	return SOP_OK;
}

sop_status wal_scan_segment(struct wal_scan *scan, enum sopi_log_form *form,
			    struct sopi_log_segment *segment, sop_error *err)
{
	const uint8_t *at;

	SOP_TRY(look_at(scan, 0, SOPI_LOG_SEGMENT_HEAD_BYTES, &at, err));
	*form = at == NULL ? SOPI_LOG_BAD : sopi_log_segment_decode(at, scan->sequence, segment);
	if (*form == SOPI_LOG_GOOD)
		scan->salt = segment->salt;
	return SOP_OK;
}

sop_status wal_scan_head(struct wal_scan *scan, uint64_t place, enum sopi_log_form *form,
			 struct sopi_log_record *record, sop_error *err)
{
	const uint8_t *at;

	SOP_TRY(look_at(scan, place, SOPI_LOG_HEAD_BYTES, &at, err));
	*form = at == NULL ? SOPI_LOG_BAD
			   : sopi_log_record_decode(at, scan->sequence, scan->salt, record);
	if (*form == SOPI_LOG_GOOD && record->payload_bytes > scan->size - place - SOPI_LOG_HEAD_BYTES)
		*form = SOPI_LOG_BAD;
	return SOP_OK;
}

static sop_status payload_crc(struct wal_scan *scan, uint64_t place, uint64_t size, uint32_t *crc,
			      sop_error *err)
{
	*crc = 0;
	while (size != 0) {
		const size_t part = size < sizeof scan->window / 2 ? (size_t)size
								   : sizeof scan->window / 2;
		const uint8_t *at;

		SOP_TRY(look_at(scan, place, part, &at, err));
		if (at == NULL)
			return sopi_fail_file(err, SOP_CORRUPT, scan->name, (int64_t)place, 0,
					      "%s became shorter while it was read", scan->name);
		*crc = sopi_crc32c(*crc, at, part);
		place += part;
		size -= part;
	}
	return SOP_OK;
}

sop_status wal_scan_record(struct wal_scan *scan, uint64_t place, enum sopi_log_form *form,
			   struct sopi_log_record *record, sop_error *err)
{
	uint32_t crc;

	SOP_TRY(wal_scan_head(scan, place, form, record, err));
	if (*form != SOPI_LOG_GOOD)
		return SOP_OK;
	SOP_TRY(payload_crc(scan, place + SOPI_LOG_HEAD_BYTES, record->payload_bytes, &crc, err));
	if (crc != record->payload_crc)
		*form = SOPI_LOG_BAD;
	return SOP_OK;
}

sop_status wal_scan_read(struct wal_scan *scan, uint64_t place, void *to, size_t size, sop_error *err)
{
	size_t got = 0;

	SOP_TRY(sopi_file_read(scan->file, place, to, size, &got, err));
	if (got != size)
		return sopi_fail_file(err, SOP_CORRUPT, scan->name, (int64_t)place, 0,
				      "%s ends before %zu bytes at %llu", scan->name, size,
				      (unsigned long long)place);
	return SOP_OK;
}

sop_status wal_corrupt(sop_error *err, const char *file, uint64_t place, const char *what)
{
	return sopi_fail_file(err, SOP_CORRUPT, file, (int64_t)place, 0, "%s at %llu: %s", file,
			      (unsigned long long)place, what);
}

sop_status wal_scan_other_format(const struct wal_scan *scan, uint64_t place, unsigned format,
				 sop_error *err)
{
	return sopi_fail_file(err, SOP_UNSUPPORTED, scan->name, (int64_t)place, 0,
			      "%s has version %u of the log's format; this library knows %d",
			      scan->name, format, SOPI_LOG_FORMAT);
}

bool wal_record_continues(const struct sopi_log_record *record, uint64_t slot, uint32_t previous)
{
	return record->slot == slot &&
	       (record->previous == previous || SOPI_PLANTED(SOPI_PLANT_LOG_NO_SEED));
}
