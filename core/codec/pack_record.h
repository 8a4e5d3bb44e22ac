/* The records of a pack file: its head, the frame before a value, the index and the footer that leads to it. Pure
 * functions; docs/format.md has every byte.
 *
 * Everything is checked before it is answered, since a file may be damaged or hostile. UNSUPPORTED: of another format,
 * by number; CORRUPT: anything else that is wrong. Both name file and offset. */
#ifndef SOPI_PACK_RECORD_H
#define SOPI_PACK_RECORD_H

#include "base/error.h"

#include <sop/buffer.h>

#include <stdint.h>

enum {
	SOPI_PACK_FORMAT = 1, /* version of all four records */
	SOPI_PACK_HEAD_BYTES = 32,
	SOPI_PACK_FRAME_BYTES = 40,
	SOPI_PACK_INDEX_HEAD_BYTES = 24, /* then the entries, then the checksum */
	SOPI_PACK_INDEX_ENTRY_BYTES = 24,
	SOPI_PACK_INDEX_CRC_BYTES = 4,
	SOPI_PACK_FOOTER_BYTES = 48,
};

/* Where a record was read. */
struct sopi_record_origin {
	const char *file; /* path, or "" */
	uint64_t offset; /* of the record in it, in bytes */
	uint64_t pack; /* id that the file has by its name */
};

/* What stands before a value. */
struct sopi_pack_frame {
	uint64_t key;
	uint64_t length; /* of the value, in bytes */
	uint32_t crc; /* of the value */
};

struct sopi_pack_footer {
	uint64_t index_offset; /* in the file */
	uint64_t index_length; /* bytes, all of the index */
	uint64_t total_bytes; /* of blobs: everything between head and index */
};

/* Where one blob lies, as the index says. */
struct sopi_pack_slot {
	uint64_t key;
	uint64_t offset; /* in the file */
	uint64_t length; /* bytes, the frame included */
};

void sopi_pack_head_encode(uint8_t to[SOPI_PACK_HEAD_BYTES], uint8_t kind, uint64_t pack);

/* size: of what was read at the start of the file. *kind is not judged. */
sop_status sopi_pack_head_decode(const uint8_t *head, size_t size,
				 const struct sopi_record_origin *from, uint8_t *kind, sop_error *err);

void sopi_pack_frame_encode(uint8_t to[SOPI_PACK_FRAME_BYTES], uint64_t pack,
			    const struct sopi_pack_frame *frame);

/* Whether the value has the length and checksum is for the caller to see. */
sop_status sopi_pack_frame_decode(const uint8_t *frame, size_t size,
				  const struct sopi_record_origin *from,
				  struct sopi_pack_frame *out, sop_error *err);

/* Makes `index` empty: room for the head of an index. */
sop_status sopi_pack_index_begin(sop_buf *index, sop_error *err);

/* Makes room for one more slot and the end, so that sopi_pack_index_add and _end cannot fail. */
sop_status sopi_pack_index_room(sop_buf *index, sop_error *err);
void sopi_pack_index_add(sop_buf *index, const struct sopi_pack_slot *slot);

/* Completes head and checksum. REQUIRES: room. */
void sopi_pack_index_end(sop_buf *index, uint64_t pack);

/* Checks all of an index: that its blobs lie one behind the other, from the head of the file to the index itself.
 * *count receives how many they are. */
sop_status sopi_pack_index_check(sop_bytes index, const struct sopi_record_origin *from,
				 uint64_t *count, sop_error *err);

/* Slot `number` of an index that was checked. */
struct sopi_pack_slot sopi_pack_index_slot(sop_bytes index, uint64_t number);

void sopi_pack_footer_encode(uint8_t to[SOPI_PACK_FOOTER_BYTES], uint64_t pack,
			     const struct sopi_pack_footer *footer);

/* from->offset + SOPI_PACK_FOOTER_BYTES is the size of the file; what the footer says fits it. */
sop_status sopi_pack_footer_decode(const uint8_t *footer, size_t size,
				   const struct sopi_record_origin *from,
				   struct sopi_pack_footer *out, sop_error *err);

#endif
