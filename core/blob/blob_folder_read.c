/* Reading blobs. */
#include "blob/blob_folder_inside.h"

#include "base/buffer.h"
#include "base/crc32c.h"
#include "base/plant.h"

#include <string.h>

enum {
	PIECE_BYTES = 1 << 14, /* of a value that is checked without keeping it */
	SMALL_READ_BYTES = 4096, /* a value up to this comes with its frame in one read */
};

sop_status pack_damaged(const struct pack_file *file, uint64_t offset, sop_error *err, const char *message)
{
	char path[SOPI_PATH_BYTES_MAX + 1];

	pack_path(file->id, file->kind, path);
	return sopi_fail_file(err, SOP_CORRUPT, path, (int64_t)offset, 0, "%s", message);
}

/* Copies from the writer's memory; *found: the bytes were there. */
static sop_status read_tail(struct pack_file *file, uint64_t offset, void *to, size_t size,
			    bool *found, sop_error *err)
{
	uint64_t written;
	sop_status status = SOP_OK;

	sopi_mutex_lock(&file->tail_mutex);
	written = file->written;
	*found = offset >= written;
	if (*found && file->tail == NULL)
		status = sopi_fail(err, SOP_NOT_FOUND, "the pack was given up");
	else if (*found &&
		 (offset - written > file->tail_size || size > file->tail_size - (offset - written)))
		status = pack_damaged(file, offset, err, "a blob ends beyond what was written");
	else if (*found && size != 0)
		memcpy(to, file->tail + (offset - written), size);
	sopi_mutex_unlock(&file->tail_mutex);
	return status;
}

sop_status pack_read_at(const struct pack_pin *pin, uint64_t offset, void *to, size_t size, sop_error *err)
{
	bool found = false;
	size_t got = 0;

	if (pin->writing && offset + size > pin->file->written)
		SOP_TRY(read_tail(pin->file, offset, to, size, &found, err));
	if (found)
		return SOP_OK;
	SOP_TRY(sopi_file_read(pin->handle, offset, to, size, &got, err));
	return got == size ? SOP_OK
			   : pack_damaged(pin->file, offset + got, err, "the file ends inside a blob");
}

sop_status pack_check_range(const struct pack_pin *pin, uint64_t offset, uint64_t length, sop_error *err)
{
	if (offset >= SOPI_PACK_HEAD_BYTES && offset <= pin->limit && length <= pin->limit - offset)
		return SOP_OK;
	return pack_damaged(pin->file, offset, err, "a blob is to lie beyond the end of the file");
}

/* Appends the blob to `out`. */
static sop_status read_blob(const struct pack_pin *pin, const struct sopi_place *place,
			    sop_buf *out, sop_error *err)
{
	SOP_TRY(pack_check_range(pin, place->offset, place->length, err));
	SOP_TRY(sopi_buf_room(out, place->length, err));
	SOP_TRY(pack_read_at(pin, place->offset, (uint8_t *)out->data + out->size, place->length, err));
	out->size += place->length;
	return SOP_OK;
}

sop_status sopi_packs_read_more(struct sopi_packs *packs, const struct sopi_place *place,
				sop_buf *out, sop_error *err)
{
	struct pack_pin pin;
	sop_status status;

	SOP_TRY(pack_pin(packs, place->pack, &pin, err));
	status = read_blob(&pin, place, out, err);
	pack_unpin(packs, pin.file);
	return status;
}

sop_status sopi_packs_read(struct sopi_packs *packs, const struct sopi_place *place, sop_buf *out,
			   sop_error *err)
{
	out->size = 0;
	return sopi_packs_read_more(packs, place, out, err);
}

/* ---- values ----------------------------------------------------------------------------------- */

/* The frame must be the one of this key and length. */
static sop_status check_frame(const struct pack_pin *pin, uint64_t key, const struct sopi_place *place,
			      const uint8_t *bytes, struct sopi_pack_frame *frame, sop_error *err)
{
	char path[SOPI_PATH_BYTES_MAX + 1];
	const struct sopi_record_origin from = { path, place->offset, pin->file->id };

	pack_path(pin->file->id, pin->file->kind, path);
	SOP_TRY(sopi_pack_frame_decode(bytes, SOPI_PACK_FRAME_BYTES, &from, frame, err));
	if (frame->key != key)
		return pack_damaged(pin->file, place->offset, err,
				    "the value here is another one than was asked for");
	if (frame->length != place->length - SOPI_PACK_FRAME_BYTES)
		return pack_damaged(pin->file, place->offset, err,
				    "the value here has another length than was asked for");
	return SOP_OK;
}

static sop_status check_crc(const struct pack_pin *pin, uint64_t offset,
			    const struct sopi_pack_frame *frame, uint32_t crc, sop_error *err)
{
	if (crc == frame->crc || SOPI_PLANTED(SOPI_PLANT_PACK_NO_CRC))
		return SOP_OK;
	return pack_damaged(pin->file, offset, err, "a value does not match its checksum");
}

static sop_status read_value(const struct pack_pin *pin, uint64_t key,
			     const struct sopi_place *place, sop_buf *out, sop_error *err)
{
	uint8_t room[SOPI_PACK_FRAME_BYTES + SMALL_READ_BYTES];
	struct sopi_pack_frame frame;
	const bool small = place->length <= sizeof room;
	uint64_t length;

	SOP_TRY(pack_check_range(pin, place->offset, place->length, err));
	if (place->length < SOPI_PACK_FRAME_BYTES)
		return pack_damaged(pin->file, place->offset, err, "a value is shorter than its frame");
	length = place->length - SOPI_PACK_FRAME_BYTES;
	SOP_TRY(pack_read_at(pin, place->offset, room,
			     small ? place->length : SOPI_PACK_FRAME_BYTES, err));
	SOP_TRY(check_frame(pin, key, place, room, &frame, err));
	SOP_TRY(sop_buf_reserve(out, length, err));
	if (!small)
		SOP_TRY(pack_read_at(pin, place->offset + SOPI_PACK_FRAME_BYTES, out->data, length, err));
	else if (length != 0)
		memcpy(out->data, room + SOPI_PACK_FRAME_BYTES, length);
	SOP_TRY(check_crc(pin, place->offset, &frame, sopi_crc32c(0, out->data, length), err));
	out->size = length;
	return SOP_OK;
}

sop_status sopi_packs_read_value(struct sopi_packs *packs, uint64_t key,
				 const struct sopi_place *place, sop_buf *out, sop_error *err)
{
	struct pack_pin pin;
	sop_status status;

	out->size = 0;
	SOP_TRY(pack_pin(packs, place->pack, &pin, err));
	status = read_value(&pin, key, place, out, err);
	pack_unpin(packs, pin.file);
	return status;
}

sop_status pack_check_value(const struct pack_pin *pin, uint64_t offset,
			    const struct sopi_pack_frame *frame, sop_error *err)
{
	uint8_t piece[PIECE_BYTES];
	uint64_t at = offset + SOPI_PACK_FRAME_BYTES;
	uint64_t left = frame->length;
	uint32_t crc = 0;

	while (left > 0) {
		const size_t size = left < sizeof piece ? (size_t)left : sizeof piece;

		SOP_TRY(pack_read_at(pin, at, piece, size, err));
		crc = sopi_crc32c(crc, piece, size);
		at += size;
		left -= size;
	}
	return check_crc(pin, offset, frame, crc, err);
}
