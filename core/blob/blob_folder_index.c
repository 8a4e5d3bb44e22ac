/* What blobs a pack has: by its index, or, where that is missing, from one blob to the next. */
#include "blob/blob_folder_inside.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "node/page.h"
#include "node/page_layout.h"

#include <string.h>

sop_status pack_read_head(const struct pack_pin *pin, sop_error *err)
{
	char path[SOPI_PATH_BYTES_MAX + 1];
	const struct sopi_record_origin from = { path, 0, pin->file->id };
	uint8_t head[SOPI_PACK_HEAD_BYTES];
	uint8_t kind = 0;

	pack_path(pin->file->id, pin->file->kind, path);
	SOP_TRY(pack_read_at(pin, 0, head, sizeof head, err));
	SOP_TRY(sopi_pack_head_decode(head, sizeof head, &from, &kind, err));
	if (kind != (uint8_t)pin->file->kind)
		return pack_damaged(pin->file, 0, err, "the pack is of another kind than is known of it");
	return SOP_OK;
}

sop_status pack_read_footer(const struct pack_pin *pin, struct sopi_pack_footer *footer, sop_error *err)
{
	char path[SOPI_PATH_BYTES_MAX + 1];
	struct sopi_record_origin from = { path, 0, pin->file->id };
	uint8_t bytes[SOPI_PACK_FOOTER_BYTES];

	if (pin->writing || pin->limit < SOPI_PACK_HEAD_BYTES + SOPI_PACK_FOOTER_BYTES)
		return pack_damaged(pin->file, pin->limit, err, "the pack has no footer");
	pack_path(pin->file->id, pin->file->kind, path);
	from.offset = pin->limit - SOPI_PACK_FOOTER_BYTES;
	SOP_TRY(pack_read_at(pin, from.offset, bytes, sizeof bytes, err));
	SOP_TRY(sopi_pack_footer_decode(bytes, sizeof bytes, &from, footer, err));
	if (footer->total_bytes < pin->total)
		return pack_damaged(pin->file, from.offset, err,
				    "the footer of the pack denies blobs that are known");
	if (footer->total_bytes > PACK_END_MAX ||
	    footer->index_length > footer->total_bytes + PACK_INDEX_SLACK_BYTES)
		return pack_damaged(pin->file, from.offset, err,
				    "the footer of the pack names more than a pack can hold");
	return SOP_OK;
}

sop_status pack_read_index(const struct pack_pin *pin, const struct sopi_pack_footer *footer,
			   sop_buf *index, uint64_t *count, sop_error *err)
{
	char path[SOPI_PATH_BYTES_MAX + 1];
	const struct sopi_record_origin from = { path, footer->index_offset, pin->file->id };

	pack_path(pin->file->id, pin->file->kind, path);
	SOP_TRY(pack_check_range(pin, footer->index_offset, footer->index_length, err));
	SOP_TRY(sop_buf_reserve(index, footer->index_length, err));
	SOP_TRY(pack_read_at(pin, footer->index_offset, index->data, footer->index_length, err));
	index->size = footer->index_length;
	return sopi_pack_index_check((sop_bytes){ index->data, index->size }, &from, count, err);
}

/* ---- from blob to blob ------------------------------------------------------------------------ */

static sop_status look_at_node(const struct pack_pin *pin, uint64_t offset, sop_buf *room,
			       struct sopi_pack_slot *slot, sop_error *err)
{
	char path[SOPI_PATH_BYTES_MAX + 1];
	const struct sopi_page_origin from = { path, (int64_t)offset };
	uint8_t head[SOPI_PAGE_HEAD_BYTES];
	size_t length;

	pack_path(pin->file->id, pin->file->kind, path);
	SOP_TRY(pack_check_range(pin, offset, sizeof head, err));
	SOP_TRY(pack_read_at(pin, offset, head, sizeof head, err));
	if (memcmp(head + PAGE_AT_MAGIC, PAGE_MAGIC, 4) != 0)
		return pack_damaged(pin->file, offset, err, "there is no node page here");
	length = sopi_load_u32le(head + PAGE_AT_LENGTH);
	SOP_TRY(pack_check_range(pin, offset, length, err));
	if (length < sizeof head)
		return pack_damaged(pin->file, offset, err, "a node page is shorter than its head");
	room->size = 0;
	SOP_TRY(sop_buf_reserve(room, length, err));
	SOP_TRY(pack_read_at(pin, offset, room->data, length, err));
	SOP_TRY(sopi_page_verify((sop_bytes){ room->data, length }, NULL, &from, err));
	*slot = (struct sopi_pack_slot){ sopi_page_key(head), offset, length };
	return SOP_OK;
}

static sop_status look_at_value(const struct pack_pin *pin, uint64_t offset,
				struct sopi_pack_slot *slot, sop_error *err)
{
	char path[SOPI_PATH_BYTES_MAX + 1];
	const struct sopi_record_origin from = { path, offset, pin->file->id };
	uint8_t head[SOPI_PACK_FRAME_BYTES];
	struct sopi_pack_frame frame;

	pack_path(pin->file->id, pin->file->kind, path);
	SOP_TRY(pack_check_range(pin, offset, sizeof head, err));
	SOP_TRY(pack_read_at(pin, offset, head, sizeof head, err));
	SOP_TRY(sopi_pack_frame_decode(head, sizeof head, &from, &frame, err));
	if (frame.length > PACK_VALUE_BYTES_MAX)
		return pack_damaged(pin->file, offset, err, "a value is longer than one can be");
	SOP_TRY(pack_check_range(pin, offset, SOPI_PACK_FRAME_BYTES + frame.length, err));
	SOP_TRY(pack_check_value(pin, offset, &frame, err));
	*slot = (struct sopi_pack_slot){ frame.key, offset, SOPI_PACK_FRAME_BYTES + frame.length };
	return SOP_OK;
}

sop_status pack_look(const struct pack_pin *pin, uint64_t offset, sop_buf *room,
		     struct sopi_pack_slot *slot, sop_error *err)
{
	return pin->file->kind == SOPI_PACK_NODES ? look_at_node(pin, offset, room, slot, err)
						  : look_at_value(pin, offset, slot, err);
}

/* ---- each ------------------------------------------------------------------------------------- */

/* Reads the index, if there is one: *count stays UINT64_MAX else. */
static sop_status load_index(struct sopi_packs *packs, uint64_t id, sop_buf *index, uint64_t *count,
			     sop_error *err)
{
	struct sopi_pack_footer footer;
	struct pack_pin pin;
	sop_status status;

	SOP_TRY(pack_pin(packs, id, &pin, err));
	SOP_TRY_OUT(pack_read_head(&pin, err));
	status = pack_read_footer(&pin, &footer, err);
	if (status == SOP_OK)
		status = pack_read_index(&pin, &footer, index, count, err);
	else if (status == SOP_CORRUPT)
		status = SOP_OK; /* it was never finished */
out:
	pack_unpin(packs, pin.file);
	return status;
}

static sop_status each_slot(uint64_t id, const sop_buf *index, uint64_t count, sopi_pack_fn fn,
			    void *arg, sop_error *err)
{
	const sop_bytes bytes = { index->data, index->size };

	for (uint64_t i = 0; i < count; i++) {
		const struct sopi_pack_slot slot = sopi_pack_index_slot(bytes, i);
		const struct sopi_place place = { id, slot.offset, slot.length };

		SOP_TRY(fn(arg, slot.key, &place, err));
	}
	return SOP_OK;
}

/* The blob at `offset`; *more: there is a whole one. The descriptor is not kept while `fn` is called. */
static sop_status look_once(struct sopi_packs *packs, uint64_t id, uint64_t offset, sop_buf *room,
			    struct sopi_pack_slot *slot, bool *more, sop_error *err)
{
	struct pack_pin pin;
	sop_status status;

	SOP_TRY(pack_pin(packs, id, &pin, err));
	status = pack_look(&pin, offset, room, slot, err);
	pack_unpin(packs, pin.file);
	*more = status == SOP_OK;
	return status == SOP_CORRUPT ? SOP_OK : status;
}

/* Ends, since every blob has at least one byte. */
static sop_status walk(struct sopi_packs *packs, uint64_t id, sop_buf *room, sopi_pack_fn fn,
		       void *arg, sop_error *err)
{
	struct sopi_pack_slot slot = { 0, SOPI_PACK_HEAD_BYTES, 0 };
	bool more = true;

	for (;;) {
		SOP_TRY(look_once(packs, id, slot.offset + slot.length, room, &slot, &more, err));
		if (!more)
			return SOP_OK;
		const struct sopi_place place = { id, slot.offset, slot.length };

		SOP_TRY(fn(arg, slot.key, &place, err));
	}
}

sop_status sopi_packs_each(struct sopi_packs *packs, uint64_t id, sopi_pack_fn fn, void *arg,
			   sop_error *err)
{
	sop_buf room = SOP_BUF_INIT;
	uint64_t count = UINT64_MAX;
	sop_status status = load_index(packs, id, &room, &count, err);

	if (status == SOP_OK && count != UINT64_MAX)
		status = each_slot(id, &room, count, fn, arg, err);
	else if (status == SOP_OK)
		status = walk(packs, id, &room, fn, arg, err);
	sop_buf_free(&room);
	return status;
}
