/* Heads of log segments and records, entries: bytes and nothing else. */
#include "codec/log_record.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/plant.h"
#include "base/varint.h"

enum {
	RECORD_MAGIC = 0x6C504F53, /* "SOPl" */
	SEGMENT_MAGIC = 0x73504F53, /* "SOPs" */
};

enum { ENTRY_KIND_SHIFT = 32 }; /* above the size, which never has so many bits */

enum { RECORD_AT_CRC = SOPI_LOG_HEAD_BYTES - 4, SEGMENT_AT_CRC = SOPI_LOG_SEGMENT_HEAD_BYTES - 4 };

/* The old records of a recycled segment have another seed: they never continue the chain. */
static uint32_t record_crc(const uint8_t *head, uint64_t sequence, uint64_t salt)
{
	uint8_t seed[16];

	sopi_store_u64le(seed, SOPI_PLANTED(SOPI_PLANT_LOG_NO_SEED) ? 0 : sequence);
	sopi_store_u64le(seed + 8, SOPI_PLANTED(SOPI_PLANT_LOG_NO_SEED) ? 0 : salt);
	return sopi_crc32c(sopi_crc32c(0, seed, sizeof seed), head, RECORD_AT_CRC);
}

void sopi_log_record_encode(struct sopi_log_record *record, uint8_t out[SOPI_LOG_HEAD_BYTES])
{
	memset(out, 0, SOPI_LOG_HEAD_BYTES);
	sopi_store_u32le(out, RECORD_MAGIC);
	out[4] = SOPI_LOG_FORMAT;
	out[5] = (uint8_t)record->kind;
	sopi_store_u64le(out + 8, record->sequence);
	sopi_store_u64le(out + 16, record->slot);
	sopi_store_u64le(out + 24, record->flushed);
	sopi_store_u64le(out + 32, record->payload_bytes);
	sopi_store_u32le(out + 40, record->count);
	sopi_store_u32le(out + 44, record->previous);
	sopi_store_u32le(out + 48, record->payload_crc);
	record->crc = record_crc(out, record->sequence, record->salt);
	sopi_store_u32le(out + RECORD_AT_CRC, record->crc);
}

void sopi_log_record_peek(const uint8_t in[SOPI_LOG_HEAD_BYTES], struct sopi_log_record *record)
{
	record->format = in[4];
	record->salt = 0;
	record->kind = (enum sopi_log_kind)in[5];
	record->sequence = sopi_load_u64le(in + 8);
	record->slot = sopi_load_u64le(in + 16);
	record->flushed = sopi_load_u64le(in + 24);
	record->payload_bytes = sopi_load_u64le(in + 32);
	record->count = sopi_load_u32le(in + 40);
	record->previous = sopi_load_u32le(in + 44);
	record->payload_crc = sopi_load_u32le(in + 48);
	record->crc = sopi_load_u32le(in + RECORD_AT_CRC);
}

/* Do the numbers of a record go with its kind? */
static bool record_makes_sense(const struct sopi_log_record *record)
{
	const uint64_t entry_bytes_min = SOPI_LOG_ID_BYTES + 1;

	if (record->slot == 0 || record->slot >> 48 != 0 || record->payload_bytes >> 62 != 0)
		return false; /* no position, or no offset, can hold it */
	switch (record->kind) {
	case SOPI_LOG_GROUP:
		return record->count >= 1 && record->count <= SOPI_LOG_ENTRIES_MAX &&
		       record->payload_bytes >= record->count * entry_bytes_min;
	case SOPI_LOG_MARK:
		return record->count == 0 && record->payload_bytes == 0;
	case SOPI_LOG_SUCCESSOR:
		return record->count == 0 && record->payload_bytes == SOPI_LOG_SUCCESSOR_BYTES;
	default:
		return false;
	}
}

enum sopi_log_form sopi_log_record_decode(const uint8_t in[SOPI_LOG_HEAD_BYTES], uint64_t sequence,
					  uint64_t salt, struct sopi_log_record *record)
{
	if (sopi_load_u32le(in) != RECORD_MAGIC)
		return SOPI_LOG_BAD;
	sopi_log_record_peek(in, record);
	record->salt = salt;
	if (record->crc != record_crc(in, sequence, salt))
		return SOPI_LOG_BAD;
	if (record->format != SOPI_LOG_FORMAT)
		return SOPI_LOG_OTHER_FORMAT;
	if (record->sequence != sequence && !SOPI_PLANTED(SOPI_PLANT_LOG_NO_SEED))
		return SOPI_LOG_BAD;
	return record_makes_sense(record) ? SOPI_LOG_GOOD : SOPI_LOG_BAD;
}

void sopi_log_segment_encode(const struct sopi_log_segment *segment,
			     uint8_t out[SOPI_LOG_SEGMENT_HEAD_BYTES])
{
	memset(out, 0, SOPI_LOG_SEGMENT_HEAD_BYTES);
	sopi_store_u32le(out, SEGMENT_MAGIC);
	out[4] = SOPI_LOG_FORMAT;
	sopi_store_u64le(out + 8, segment->sequence);
	sopi_store_u64le(out + 16, segment->epoch);
	sopi_store_u64le(out + 24, segment->first_slot);
	sopi_store_u64le(out + 32, segment->checkpoint);
	sopi_store_u64le(out + 40, segment->from_sequence);
	sopi_store_u64le(out + 48, segment->from_place);
	sopi_store_u32le(out + 56, segment->previous);
	sopi_store_u32le(out + 60, segment->block_bytes);
	sopi_store_u64le(out + 64, segment->salt);
	sopi_store_u32le(out + SEGMENT_AT_CRC, sopi_crc32c(0, out, SEGMENT_AT_CRC));
}

static bool is_block(uint32_t bytes)
{
	return bytes >= SOPI_LOG_BLOCK_BYTES_MIN && bytes <= SOPI_LOG_BLOCK_BYTES_MAX &&
	       (bytes & (bytes - 1)) == 0;
}

enum sopi_log_form sopi_log_segment_decode(const uint8_t in[SOPI_LOG_SEGMENT_HEAD_BYTES],
					   uint64_t sequence, struct sopi_log_segment *segment)
{
	if (sopi_load_u32le(in) != SEGMENT_MAGIC ||
	    sopi_load_u32le(in + SEGMENT_AT_CRC) != sopi_crc32c(0, in, SEGMENT_AT_CRC))
		return SOPI_LOG_BAD;
	segment->format = in[4];
	segment->sequence = sopi_load_u64le(in + 8);
	segment->epoch = sopi_load_u64le(in + 16);
	segment->first_slot = sopi_load_u64le(in + 24);
	segment->checkpoint = sopi_load_u64le(in + 32);
	segment->from_sequence = sopi_load_u64le(in + 40);
	segment->from_place = sopi_load_u64le(in + 48);
	segment->previous = sopi_load_u32le(in + 56);
	segment->block_bytes = sopi_load_u32le(in + 60);
	segment->salt = sopi_load_u64le(in + 64);
	if (segment->format != SOPI_LOG_FORMAT)
		return SOPI_LOG_OTHER_FORMAT;
	return segment->sequence == sequence && segment->first_slot != 0 &&
			       segment->first_slot >> 48 == 0 && is_block(segment->block_bytes)
		       ? SOPI_LOG_GOOD
		       : SOPI_LOG_BAD;
}

/* Kind and size are one number: those of whole transactions are what they were before there were others. */
static uint64_t kind_and_size(enum sopi_log_entry_kind kind, size_t payload_bytes)
{
	return (uint64_t)kind << ENTRY_KIND_SHIFT | payload_bytes;
}

uint64_t sopi_log_entry_bytes(enum sopi_log_entry_kind kind, size_t payload_bytes)
{
	return SOPI_LOG_ID_BYTES + sopi_varint_size(kind_and_size(kind, payload_bytes)) +
	       (uint64_t)payload_bytes;
}

size_t sopi_log_entry_head(const uint8_t id[SOPI_LOG_ID_BYTES], enum sopi_log_entry_kind kind,
			   size_t payload_bytes, uint8_t out[SOPI_LOG_ENTRY_HEAD_BYTES_MAX])
{
	memcpy(out, id, SOPI_LOG_ID_BYTES);
	return SOPI_LOG_ID_BYTES + sopi_varint_encode(kind_and_size(kind, payload_bytes),
						      out + SOPI_LOG_ID_BYTES, SOPI_VARINT_BYTES_MAX);
}

/* Takes a number off the front. */
static bool take_number(sop_bytes *rest, uint64_t *number)
{
	const size_t taken = sopi_varint_decode(rest->data, rest->size, number);

	if (taken == 0)
		return false;
	*rest = (sop_bytes){ (const uint8_t *)rest->data + taken, rest->size - taken };
	return true;
}

/* Takes so many bytes off the front. */
static bool take_bytes(sop_bytes *rest, uint64_t size, const uint8_t **bytes)
{
	if (size > rest->size)
		return false;
	*bytes = rest->data;
	*rest = (sop_bytes){ *bytes + size, rest->size - (size_t)size };
	return true;
}

bool sopi_log_entry_next(sop_bytes *rest, const uint8_t **id, enum sopi_log_entry_kind *kind,
			 sop_bytes *payload)
{
	const uint8_t *at;
	uint64_t number;

	if (!take_bytes(rest, SOPI_LOG_ID_BYTES, id) || !take_number(rest, &number) ||
	    number >> ENTRY_KIND_SHIFT > SOPI_LOG_LAST)
		return false;
	*kind = (enum sopi_log_entry_kind)(number >> ENTRY_KIND_SHIFT);
	number &= ((uint64_t)1 << ENTRY_KIND_SHIFT) - 1;
	if (!take_bytes(rest, number, &at))
		return false;
	*payload = (sop_bytes){ at, (size_t)number };
	return true;
}

/* ---- large transactions ------------------------------------------------------------------------- */

size_t sopi_log_part_head(uint64_t offset, uint8_t out[10])
{
	return sopi_varint_encode(offset, out, SOPI_VARINT_BYTES_MAX);
}

bool sopi_log_part_take(sop_bytes *payload, uint64_t *offset)
{
	return take_number(payload, offset);
}

static sop_status add_number(sop_buf *out, uint64_t number, sop_error *err)
{
	uint8_t bytes[SOPI_VARINT_BYTES_MAX];

	return sopi_buf_append(out, bytes, sopi_varint_encode(number, bytes, sizeof bytes), err);
}

sop_status sopi_log_last_begin(sop_buf *out, uint64_t stream_bytes, sop_error *err)
{
	out->size = 0;
	return add_number(out, stream_bytes, err);
}

sop_status sopi_log_last_add(sop_buf *out, const struct sopi_log_piece *piece, sop_error *err)
{
	SOP_TRY(add_number(out, piece->size << 1 | (piece->apart ? 1u : 0u), err));
	return piece->apart ? add_number(out, piece->offset, err)
			    : sopi_buf_append(out, piece->bytes, (size_t)piece->size, err);
}

bool sopi_log_last_open(sop_bytes *payload, uint64_t *stream_bytes)
{
	return take_number(payload, stream_bytes);
}

bool sopi_log_last_next(sop_bytes *rest, struct sopi_log_piece *piece)
{
	uint64_t number;

	*piece = (struct sopi_log_piece){ .apart = false };
	if (rest->size == 0 || !take_number(rest, &number))
		return false;
	piece->apart = (number & 1) != 0;
	piece->size = number >> 1;
	return piece->apart ? take_number(rest, &piece->offset)
			    : take_bytes(rest, piece->size, &piece->bytes);
}
