/* The records of a pack file as bytes, and back. */
#include "codec/pack_record.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/crc32c.h"

#include <stdbool.h>

/* What every record begins with: magic, format, a byte of its own, two zeros, the id of the pack. */
enum { AT_FORMAT = 4, AT_OWN = 5, AT_ZERO = 6, AT_PACK = 8, AT_BODY = 16, CRC_BYTES = 4 };

#define HEAD_MAGIC "SOPk"
#define FRAME_MAGIC "SOPv"
#define INDEX_MAGIC "SOPi"
#define FOOTER_MAGIC "SOPe"

#define DAMAGED(from, at, err, ...)                                                                \
	sopi_fail_file(err, SOP_CORRUPT, (from)->file, (int64_t)((from)->offset + (at)), 0, __VA_ARGS__)

static void begin(uint8_t *to, size_t size, const char *magic, uint8_t own, uint64_t pack)
{
	memset(to, 0, size);
	memcpy(to, magic, 4);
	to[AT_FORMAT] = SOPI_PACK_FORMAT;
	to[AT_OWN] = own;
	sopi_store_u64le(to + AT_PACK, pack);
}

/* The checksum stands in the last four bytes of what it is of. */
static void seal(uint8_t *to, size_t size)
{
	sopi_store_u32le(to + size - CRC_BYTES, sopi_crc32c(0, to, size - CRC_BYTES));
}

/* What all records have in common. `what` names the record: "the head of a pack". */
static sop_status check(const uint8_t *record, size_t size, size_t wanted, const char *magic,
			const char *what, const struct sopi_record_origin *from, sop_error *err)
{
	if (size < wanted)
		return DAMAGED(from, size, err, "%s is cut off", what);
	/* There is no format 0: the sector behind the magic is torn off. */
	if (memcmp(record, magic, 4) != 0 || record[AT_FORMAT] == 0)
		return DAMAGED(from, 0, err, "%s is not here", what);
	if (record[AT_FORMAT] != SOPI_PACK_FORMAT)
		return sopi_fail_file(err, SOP_UNSUPPORTED, from->file,
				      (int64_t)(from->offset + AT_FORMAT), 0,
				      "%s has format %u; this library reads format %d: use a newer one",
				      what, record[AT_FORMAT], SOPI_PACK_FORMAT);
	if (sopi_load_u32le(record + wanted - CRC_BYTES) != sopi_crc32c(0, record, wanted - CRC_BYTES))
		return DAMAGED(from, 0, err, "%s does not match its checksum", what);
	if (record[AT_ZERO] != 0 || record[AT_ZERO + 1] != 0)
		return DAMAGED(from, AT_ZERO, err, "%s has bytes that must be zero and are not", what);
	if (sopi_load_u64le(record + AT_PACK) != from->pack)
		return DAMAGED(from, AT_PACK, err, "%s is of pack %016llx", what,
			       (unsigned long long)sopi_load_u64le(record + AT_PACK));
	return SOP_OK;
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

/* ---- head ------------------------------------------------------------------------------------ */

void sopi_pack_head_encode(uint8_t to[SOPI_PACK_HEAD_BYTES], uint8_t kind, uint64_t pack)
{
	begin(to, SOPI_PACK_HEAD_BYTES, HEAD_MAGIC, kind, pack);
	seal(to, SOPI_PACK_HEAD_BYTES);
}

sop_status sopi_pack_head_decode(const uint8_t *head, size_t size,
				 const struct sopi_record_origin *from, uint8_t *kind, sop_error *err)
{
	SOP_TRY(check(head, size, SOPI_PACK_HEAD_BYTES, HEAD_MAGIC, "the head of a pack", from, err));
	if (!all_zero(head + AT_BODY, SOPI_PACK_HEAD_BYTES - AT_BODY - CRC_BYTES))
		return DAMAGED(from, AT_BODY, err,
			       "the head of a pack has bytes that must be zero and are not");
	*kind = head[AT_OWN];
	return SOP_OK;
}

/* ---- frame ----------------------------------------------------------------------------------- */

enum { FRAME_AT_KEY = 16, FRAME_AT_LENGTH = 24, FRAME_AT_VALUE_CRC = 32 };

void sopi_pack_frame_encode(uint8_t to[SOPI_PACK_FRAME_BYTES], uint64_t pack,
			    const struct sopi_pack_frame *frame)
{
	begin(to, SOPI_PACK_FRAME_BYTES, FRAME_MAGIC, 0, pack);
	sopi_store_u64le(to + FRAME_AT_KEY, frame->key);
	sopi_store_u64le(to + FRAME_AT_LENGTH, frame->length);
	sopi_store_u32le(to + FRAME_AT_VALUE_CRC, frame->crc);
	seal(to, SOPI_PACK_FRAME_BYTES);
}

sop_status sopi_pack_frame_decode(const uint8_t *frame, size_t size,
				  const struct sopi_record_origin *from,
				  struct sopi_pack_frame *out, sop_error *err)
{
	SOP_TRY(check(frame, size, SOPI_PACK_FRAME_BYTES, FRAME_MAGIC, "the frame of a value", from, err));
	if (frame[AT_OWN] != 0)
		return DAMAGED(from, AT_OWN, err,
			       "the frame of a value has bytes that must be zero and are not");
	out->key = sopi_load_u64le(frame + FRAME_AT_KEY);
	out->length = sopi_load_u64le(frame + FRAME_AT_LENGTH);
	out->crc = sopi_load_u32le(frame + FRAME_AT_VALUE_CRC);
	return SOP_OK;
}

/* ---- index ----------------------------------------------------------------------------------- */

enum { INDEX_AT_COUNT = 16 };

sop_status sopi_pack_index_begin(sop_buf *index, sop_error *err)
{
	index->size = 0;
	SOP_TRY(sopi_buf_room(index, SOPI_PACK_INDEX_HEAD_BYTES + CRC_BYTES, err));
	index->size = SOPI_PACK_INDEX_HEAD_BYTES;
	return SOP_OK;
}

sop_status sopi_pack_index_room(sop_buf *index, sop_error *err)
{
	return sopi_buf_room(index, SOPI_PACK_INDEX_ENTRY_BYTES + CRC_BYTES, err);
}

void sopi_pack_index_add(sop_buf *index, const struct sopi_pack_slot *slot)
{
	uint8_t *to = (uint8_t *)index->data + index->size;

	sopi_store_u64le(to, slot->key);
	sopi_store_u64le(to + 8, slot->offset);
	sopi_store_u64le(to + 16, slot->length);
	index->size += SOPI_PACK_INDEX_ENTRY_BYTES;
}

void sopi_pack_index_end(sop_buf *index, uint64_t pack)
{
	uint8_t *to = index->data;
	const size_t entries = index->size - SOPI_PACK_INDEX_HEAD_BYTES;

	begin(to, SOPI_PACK_INDEX_HEAD_BYTES, INDEX_MAGIC, 0, pack);
	sopi_store_u64le(to + INDEX_AT_COUNT, entries / SOPI_PACK_INDEX_ENTRY_BYTES);
	index->size += CRC_BYTES;
	seal(to, index->size);
}

struct sopi_pack_slot sopi_pack_index_slot(sop_bytes index, uint64_t number)
{
	const uint8_t *at = (const uint8_t *)index.data + SOPI_PACK_INDEX_HEAD_BYTES +
			    number * SOPI_PACK_INDEX_ENTRY_BYTES;
	const struct sopi_pack_slot slot = { sopi_load_u64le(at), sopi_load_u64le(at + 8),
					     sopi_load_u64le(at + 16) };

	return slot;
}

/* Each blob begins where the one before it ends, and the index where the last one does. */
static sop_status check_slots(sop_bytes index, uint64_t count,
			      const struct sopi_record_origin *from, sop_error *err)
{
	uint64_t end = SOPI_PACK_HEAD_BYTES;

	for (uint64_t i = 0; i < count; i++) {
		const struct sopi_pack_slot slot = sopi_pack_index_slot(index, i);

		if (slot.offset != end || slot.length > from->offset - end)
			return DAMAGED(from, SOPI_PACK_INDEX_HEAD_BYTES + i * SOPI_PACK_INDEX_ENTRY_BYTES,
				       err, "the index of a pack names a blob that cannot be there");
		end += slot.length;
	}
	if (end != from->offset)
		return DAMAGED(from, INDEX_AT_COUNT, err,
			       "the index of a pack leaves bytes before it unnamed");
	return SOP_OK;
}

sop_status sopi_pack_index_check(sop_bytes index, const struct sopi_record_origin *from,
				 uint64_t *count, sop_error *err)
{
	const uint8_t *bytes = index.data;
	const size_t least = SOPI_PACK_INDEX_HEAD_BYTES + CRC_BYTES;

	SOP_TRY(check(bytes, index.size, index.size < least ? least : index.size, INDEX_MAGIC,
		      "the index of a pack", from, err));
	*count = sopi_load_u64le(bytes + INDEX_AT_COUNT);
	if (bytes[AT_OWN] != 0)
		return DAMAGED(from, AT_OWN, err,
			       "the index of a pack has bytes that must be zero and are not");
	if (*count > index.size / SOPI_PACK_INDEX_ENTRY_BYTES ||
	    *count * SOPI_PACK_INDEX_ENTRY_BYTES != index.size - least ||
	    from->offset < SOPI_PACK_HEAD_BYTES)
		return DAMAGED(from, INDEX_AT_COUNT, err,
			       "the index of a pack says %llu blobs; it has %zu bytes",
			       (unsigned long long)*count, index.size);
	return check_slots(index, *count, from, err);
}

/* ---- footer ---------------------------------------------------------------------------------- */

enum { FOOTER_AT_OFFSET = 16, FOOTER_AT_LENGTH = 24, FOOTER_AT_TOTAL = 32, FOOTER_AT_ZERO = 40 };

void sopi_pack_footer_encode(uint8_t to[SOPI_PACK_FOOTER_BYTES], uint64_t pack,
			     const struct sopi_pack_footer *footer)
{
	begin(to, SOPI_PACK_FOOTER_BYTES, FOOTER_MAGIC, 0, pack);
	sopi_store_u64le(to + FOOTER_AT_OFFSET, footer->index_offset);
	sopi_store_u64le(to + FOOTER_AT_LENGTH, footer->index_length);
	sopi_store_u64le(to + FOOTER_AT_TOTAL, footer->total_bytes);
	seal(to, SOPI_PACK_FOOTER_BYTES);
}

sop_status sopi_pack_footer_decode(const uint8_t *footer, size_t size,
				   const struct sopi_record_origin *from,
				   struct sopi_pack_footer *out, sop_error *err)
{
	SOP_TRY(check(footer, size, SOPI_PACK_FOOTER_BYTES, FOOTER_MAGIC, "the footer of a pack",
		      from, err));
	if (footer[AT_OWN] != 0 ||
	    !all_zero(footer + FOOTER_AT_ZERO, SOPI_PACK_FOOTER_BYTES - FOOTER_AT_ZERO - CRC_BYTES))
		return DAMAGED(from, FOOTER_AT_ZERO, err,
			       "the footer of a pack has bytes that must be zero and are not");
	out->index_offset = sopi_load_u64le(footer + FOOTER_AT_OFFSET);
	out->index_length = sopi_load_u64le(footer + FOOTER_AT_LENGTH);
	out->total_bytes = sopi_load_u64le(footer + FOOTER_AT_TOTAL);
	if (out->index_offset < SOPI_PACK_HEAD_BYTES || out->index_offset > from->offset ||
	    out->index_length != from->offset - out->index_offset ||
	    out->total_bytes != out->index_offset - SOPI_PACK_HEAD_BYTES)
		return DAMAGED(from, FOOTER_AT_OFFSET, err,
			       "the footer of a pack does not fit the size of its file");
	return SOP_OK;
}
