/* What a log segment consists of, as bytes: its head, the heads of its records, the entries of a group. Pure; docs/format.md
 * has every byte. Who writes and follows the chain: core/log. */
#ifndef SOPI_LOG_RECORD_H
#define SOPI_LOG_RECORD_H

#include "base/error.h"

#include <sop/buffer.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SOPI_LOG_FORMAT = 1,
	SOPI_LOG_HEAD_BYTES = 64, /* of a record; its payload follows */
	SOPI_LOG_SEGMENT_HEAD_BYTES = 76, /* of a segment */
	SOPI_LOG_FIRST_PLACE = 4096, /* where the first record of a segment stands */
	SOPI_LOG_BLOCK_BYTES_MIN = 512, /* records begin at multiples of the segment's block */
	SOPI_LOG_BLOCK_BYTES_MAX = 4096,
	SOPI_LOG_ENTRIES_MAX = 1 << 16, /* of a group */
	SOPI_LOG_ID_BYTES = 16,
	SOPI_LOG_SUCCESSOR_BYTES = 8, /* payload of a successor record: the sequence that it names */
};

enum sopi_log_kind {
	SOPI_LOG_GROUP = 1, /* transactions */
	SOPI_LOG_MARK = 2, /* an empty group, which says that all before it was flushed */
	SOPI_LOG_SUCCESSOR = 3, /* the end of the segment: the log goes on in another one */
};

/* What some bytes are. */
enum sopi_log_form {
	SOPI_LOG_GOOD,
	SOPI_LOG_BAD, /* not such a thing, or damaged */
	SOPI_LOG_OTHER_FORMAT, /* undamaged, of a format that we do not know */
};

struct sopi_log_record {
	enum sopi_log_kind kind;
	uint8_t format; /* decoded: also of OTHER_FORMAT */
	uint64_t sequence; /* of the segment */
	uint64_t salt; /* of the segment: not stored, but in the checksum */
	uint64_t slot; /* of the group; of a successor: of the first group in the next segment */
	uint64_t flushed; /* "flushed up to": all slots up to here were durable when this was written */
	uint64_t payload_bytes;
	uint32_t count; /* of entries */
	uint32_t previous; /* crc of the group before this one, 0 for the first of all */
	uint32_t payload_crc;
	uint32_t crc; /* of the head, set by encode and decode */
};

struct sopi_log_segment {
	uint8_t format; /* decoded: also of OTHER_FORMAT */
	uint64_t sequence;
	uint64_t epoch; /* of the opening that wrote it */
	uint64_t first_slot;
	uint64_t checkpoint; /* C of the newest manifest that was durable, folder included: a position */
	uint64_t from_sequence; /* made by a recovery: the segment and place where the chain was cut; else 0 */
	uint64_t from_place;
	uint32_t previous; /* crc of the group before first_slot */
	uint32_t block_bytes;
	uint64_t salt; /* random: nobody can put into a transaction what passes for a record */
};

/* Writes the head of a record, its crc seeded with its sequence and salt, and sets `crc`. */
void sopi_log_record_encode(struct sopi_log_record *record, uint8_t out[SOPI_LOG_HEAD_BYTES]);

/* Reads and checks the head of a record of segment `sequence`, which has that salt. The payload is not looked at. */
enum sopi_log_form sopi_log_record_decode(const uint8_t in[SOPI_LOG_HEAD_BYTES], uint64_t sequence,
					  uint64_t salt, struct sopi_log_record *record);

/* The same without any check, for a head that is not finished. */
void sopi_log_record_peek(const uint8_t in[SOPI_LOG_HEAD_BYTES], struct sopi_log_record *record);

void sopi_log_segment_encode(const struct sopi_log_segment *segment,
			     uint8_t out[SOPI_LOG_SEGMENT_HEAD_BYTES]);

/* Reads and checks the head of segment `sequence`: the old head of a recycled one is BAD. */
enum sopi_log_form sopi_log_segment_decode(const uint8_t in[SOPI_LOG_SEGMENT_HEAD_BYTES],
					   uint64_t sequence, struct sopi_log_segment *segment);

/* What an entry of a group is. */
enum sopi_log_entry_kind {
	SOPI_LOG_WHOLE = 0, /* a transaction */
	SOPI_LOG_PART = 1, /* bytes of the stream of a large one, which nobody has committed yet */
	SOPI_LOG_LAST = 2, /* a large one: its payload is in pieces of that stream and of its own */
};

/* Bytes of an entry with so much payload. */
uint64_t sopi_log_entry_bytes(enum sopi_log_entry_kind kind, size_t payload_bytes);

enum { SOPI_LOG_ENTRY_HEAD_BYTES_MAX = SOPI_LOG_ID_BYTES + 10 };

/* Writes what stands before the payload of an entry; returns its size. */
size_t sopi_log_entry_head(const uint8_t id[SOPI_LOG_ID_BYTES], enum sopi_log_entry_kind kind,
			   size_t payload_bytes, uint8_t out[SOPI_LOG_ENTRY_HEAD_BYTES_MAX]);

/* Takes the next entry off `rest`, as views into it; false if it is malformed. */
bool sopi_log_entry_next(sop_bytes *rest, const uint8_t **id, enum sopi_log_entry_kind *kind,
			 sop_bytes *payload);

/* A piece of the payload of a LAST entry. */
struct sopi_log_piece {
	bool apart; /* it is in the stream, at `offset` */
	uint64_t offset;
	uint64_t size; /* bytes */
	const uint8_t *bytes; /* if it is here */
};

/* What stands before the bytes of a part: where in the stream they belong. Returns its size. */
size_t sopi_log_part_head(uint64_t offset, uint8_t out[10]);

/* Takes that off the front of a PART's payload; false if it is malformed. */
bool sopi_log_part_take(sop_bytes *payload, uint64_t *offset);

/* Begins the payload of a LAST entry whose stream has so many bytes, and adds pieces. NO_MEMORY. */
sop_status sopi_log_last_begin(sop_buf *out, uint64_t stream_bytes, sop_error *err);
sop_status sopi_log_last_add(sop_buf *out, const struct sopi_log_piece *piece, sop_error *err);

/* Reads it: the bytes of the stream, then the pieces. False if it is malformed, or (sopi_log_last_next) at the end. */
bool sopi_log_last_open(sop_bytes *payload, uint64_t *stream_bytes);
bool sopi_log_last_next(sop_bytes *rest, struct sopi_log_piece *piece);

#endif
