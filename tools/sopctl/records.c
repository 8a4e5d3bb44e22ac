#include "records.h"

#include "status.h"
#include "terminal.h"
#include "text.h"
#include "try.h"

#include <errno.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)256 << 10)

void records_begin(struct records *records, FILE *file, const char *name, bool csv)
{
	memset(records, 0, sizeof *records);
	records->file = file;
	records->name = name;
	records->csv = csv;
	records->next_line = 1;
	sha256_init(&records->hash);
}

void records_end(struct records *records)
{
	sop_buf_free(&records->buffer);
}

static sop_bytes rest(const struct records *records)
{
	return (sop_bytes){ (const char *)records->buffer.data + records->at,
			    records->buffer.size - records->at };
}

/* Reads one more chunk, behind what has not been taken. */
static sop_status fill(struct records *records, sop_error *err)
{
	sop_buf *buffer = &records->buffer;
	size_t size;

	if (interrupted())
		return error_set(err, SOP_CANCELLED, "interrupted");
	if (records->at > 0) {
		memmove(buffer->data, (char *)buffer->data + records->at, buffer->size - records->at);
		buffer->size -= records->at;
		records->at = 0;
	}
	if (buffer->capacity - buffer->size < CHUNK_BYTES)
		TRY(sop_buf_reserve(buffer, buffer->size * 2 + CHUNK_BYTES, err));
	size = fread((char *)buffer->data + buffer->size, 1, CHUNK_BYTES, records->file);
	buffer->size += size;
	if (size == CHUNK_BYTES)
		return SOP_OK;
	if (interrupted())
		return error_set(err, SOP_CANCELLED, "interrupted");
	if (ferror(records->file))
		return error_set(err, SOP_IO, "%s cannot be read: %s", records->name, strerror(errno));
	records->ended = true;
	return SOP_OK;
}

/* Counts `size` bytes as taken. */
static void take(struct records *records, size_t size)
{
	sha256_update(&records->hash, size, rest(records).data);
	records->at += size;
	records->offset += size;
}

/* A line that grows beyond the limit is dropped as it comes. */
static enum record_kind drop_long_line(struct records *records, sop_error *err)
{
	for (;;) {
		const sop_bytes bytes = rest(records);
		const char *end = memchr(bytes.data, '\n', bytes.size);

		take(records, end == NULL ? bytes.size : (size_t)(end + 1 - (const char *)bytes.data));
		if (end != NULL || records->ended)
			break;
		if (fill(records, err) != SOP_OK)
			return RECORD_FAILED;
	}
	records->next_line++;
	error_set(err, SOP_LIMIT, "longer than %zu bytes", RECORD_BYTES_MAX);
	return RECORD_BAD;
}

/* One line from what is there; RECORD_END if more is needed. */
static enum record_kind line_of(struct records *records, sop_bytes *line)
{
	const sop_bytes bytes = rest(records);
	const char *end = bytes.size == 0 ? NULL : memchr(bytes.data, '\n', bytes.size);
	size_t size = end == NULL ? bytes.size : (size_t)(end - (const char *)bytes.data);

	if (bytes.size == 0 || (end == NULL && !records->ended))
		return RECORD_END;
	take(records, size + (end != NULL));
	records->next_line++;
	if (size > 0 && ((const char *)bytes.data)[size - 1] == '\r')
		size--;
	*line = (sop_bytes){ bytes.data, size };
	return RECORD_TAKEN;
}

static enum record_kind fields_of(struct records *records, struct csv_record *fields, sop_error *err)
{
	const char *problem = NULL;
	size_t used = 0;
	uint64_t lines = 0;
	const int found = csv_next(rest(records), records->ended, fields, &used, &lines, &problem);

	if (found == 0)
		return RECORD_END;
	take(records, used);
	records->next_line += lines;
	if (found > 0)
		return RECORD_TAKEN;
	error_set(err, SOP_MISUSE, "%s", problem);
	return RECORD_BAD;
}

/* Spreadsheets put a byte order mark before the first line; it belongs to no field. */
static void take_mark(struct records *records)
{
	static const char mark[] = "\xEF\xBB\xBF";

	if (records->offset == 0 && rest(records).size >= sizeof mark - 1 &&
	    memcmp(rest(records).data, mark, sizeof mark - 1) == 0)
		take(records, sizeof mark - 1);
}

static bool is_blank(const struct records *records, const sop_bytes *line, const struct csv_record *fields)
{
	if (records->csv)
		return fields->count == 1 && fields->fields[0].text.size == 0 && !fields->fields[0].quoted;
	return line->size == 0;
}

enum record_kind records_next(struct records *records, sop_bytes *line, struct csv_record *fields,
			      sop_error *err)
{
	for (;;) {
		enum record_kind kind;

		take_mark(records);
		records->line = records->next_line;
		kind = records->csv ? fields_of(records, fields, err) : line_of(records, line);
		if (kind == RECORD_TAKEN && is_blank(records, line, fields))
			continue;
		if (kind != RECORD_END)
			return kind;
		if (records->ended)
			return RECORD_END;
		if (rest(records).size > RECORD_BYTES_MAX)
			return drop_long_line(records, err);
		if (fill(records, err) != SOP_OK)
			return RECORD_FAILED;
	}
}

sop_status records_skip(struct records *records, uint64_t offset, uint64_t next_line, sop_error *err)
{
	while (records->offset < offset) {
		const size_t size = rest(records).size;
		const uint64_t left = offset - records->offset;

		if (size == 0 && records->ended)
			return error_set(err, SOP_NOT_FOUND, "%s ends before byte %llu",
					 records->name, (unsigned long long)offset);
		if (size == 0)
			TRY(fill(records, err));
		else
			take(records, left < size ? (size_t)left : size);
	}
	records->next_line = next_line;
	return SOP_OK;
}

void records_mark(const struct records *records, struct records_mark *mark)
{
	mark->offset = records->offset;
	mark->next_line = records->next_line;
	mark->hash = records->hash;
}

void records_back(struct records *records, const struct records_mark *mark)
{
	records->offset = mark->offset;
	records->next_line = mark->next_line;
	records->hash = mark->hash;
}

void records_digest(const struct records *records, uint8_t digest[SHA256_DIGEST_SIZE])
{
	struct sha256_ctx copy = records->hash;

	sha256_digest(&copy, SHA256_DIGEST_SIZE, digest);
}
