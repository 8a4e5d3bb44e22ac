/* Input in records: lines of JSON, or records of CSV, with their place in the input. */
#ifndef SOPCTL_RECORDS_H
#define SOPCTL_RECORDS_H

#include "csv.h"

#include <sop/buffer.h>

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The longest record, in bytes. */
#define RECORD_BYTES_MAX ((size_t)64 << 20)

struct records {
	FILE *file;
	const char *name; /* of the file, for messages */
	bool csv;
	bool ended; /* the file has nothing more */
	sop_buf buffer;
	size_t at; /* in `buffer`, where the next record begins */
	uint64_t offset; /* in the input, of the same */
	uint64_t line; /* of the input where the last record began, from 1 */
	uint64_t next_line;
	struct sha256_ctx hash; /* of everything before `offset` */
};

/* What records_next found. */
enum record_kind {
	RECORD_TAKEN, /* a record */
	RECORD_END, /* the end of the input */
	RECORD_BAD, /* no record; it has been skipped, `err` says why */
	RECORD_FAILED /* the input cannot be read, or a signal came; `err` says why */
};

void records_begin(struct records *records, FILE *file, const char *name, bool csv);
void records_end(struct records *records);

/* Takes the next record: `line` receives it (without its line end) from JSON lines, `fields` from CSV. Empty lines are
 * skipped. Both live until the next call. */
enum record_kind records_next(struct records *records, sop_bytes *line, struct csv_record *fields,
			      sop_error *err);

/* Skips to `offset`, whose line is `next_line`, as if all before it had been taken. Returns OK; NOT_FOUND: the input
 * ends before; IO, CANCELLED. */
sop_status records_skip(struct records *records, uint64_t offset, uint64_t next_line, sop_error *err);

/* A place in the input, to which records_back returns as far as offset, line and digest go. */
struct records_mark {
	uint64_t offset;
	uint64_t next_line;
	struct sha256_ctx hash;
};
void records_mark(const struct records *records, struct records_mark *mark);
void records_back(struct records *records, const struct records_mark *mark);

/* The SHA-256 of everything that has been taken or skipped. */
void records_digest(const struct records *records, uint8_t digest[SHA256_DIGEST_SIZE]);

#endif
