/* Packed rows. */
#include "api/rows.h"

#include "base/bytes.h"

static sop_status malformed(size_t at, const char *function, const char *what, sop_error *err)
{
	return sopi_fail_file(err, SOP_MISUSE, "", (int64_t)at, 0,
			      "%s: the packed rows are malformed at byte %zu: %s; pack them again",
			      function, at, what);
}

sop_status sopi_rows_open(sop_bytes bytes, const char *function, struct sopi_rows *rows, sop_error *err)
{
	if (bytes.data == NULL || bytes.size < SOPI_ROWS_HEAD_BYTES)
		return malformed(0, function, "they are shorter than their head of 8 bytes", err);
	rows->bytes = bytes;
	rows->at = SOPI_ROWS_HEAD_BYTES;
	rows->left = sopi_load_u32le(bytes.data);
	rows->flags = sopi_load_u32le((const uint8_t *)bytes.data + 4);
	if ((rows->flags & ~(SOP_ROWS_ITEM | SOP_ROWS_VERSION)) != 0)
		return malformed(4, function, "there are flags that are not known", err);
	if (rows->left > (bytes.size - SOPI_ROWS_HEAD_BYTES + 7) / sopi_row_head_bytes(rows->flags))
		return malformed(0, function, "the count is larger than the bytes can hold", err);
	return SOP_OK;
}

sop_status sopi_rows_next(struct sopi_rows *rows, const char *function, struct sopi_row *row,
			  sop_error *err)
{
	const size_t head = sopi_row_head_bytes(rows->flags);
	const size_t room =
		rows->bytes.size - (rows->at < rows->bytes.size ? rows->at : rows->bytes.size);
	const uint8_t *at = (const uint8_t *)rows->bytes.data + rows->at;
	size_t key_size, value_size;

	if (room < head)
		return malformed(rows->at, function, "a row is cut off", err);
	key_size = sopi_load_u32le(at);
	value_size = sopi_load_u32le(at + 4);
	row->absent = value_size == SOP_ROWS_ABSENT;
	if (row->absent)
		value_size = 0;
	if (key_size > room - head || value_size > room - head - key_size)
		return malformed(rows->at, function, "a key or value reaches beyond the end", err);
	row->item = (rows->flags & SOP_ROWS_ITEM) != 0 ? sopi_load_u64le(at + 8) : 0;
	row->key = (sop_bytes){ at + head, key_size };
	row->value = (sop_bytes){ at + head + key_size, value_size };
	rows->at += sopi_row_bytes(rows->flags, key_size, value_size);
	rows->left--;
	return SOP_OK;
}

void sopi_row_write(uint8_t *to, uint32_t flags, sop_bytes key, sop_bytes value, bool absent,
		    uint64_t item, uint64_t version)
{
	const size_t size = sopi_row_bytes(flags, key.size, absent ? 0 : value.size);
	const size_t used = sopi_row_head_bytes(flags) + key.size + (absent ? 0 : value.size);
	uint8_t *at = to + 8;

	sopi_store_u32le(to, (uint32_t)key.size);
	sopi_store_u32le(to + 4, absent ? SOP_ROWS_ABSENT : (uint32_t)value.size);
	if ((flags & SOP_ROWS_ITEM) != 0) {
		sopi_store_u64le(at, item);
		at += 8;
	}
	if ((flags & SOP_ROWS_VERSION) != 0) {
		sopi_store_u64le(at, version);
		at += 8;
	}
	if (key.size != 0)
		sopi_copy_short(at, key.data, key.size);
	if (!absent && value.size != 0)
		memcpy(at + key.size, value.data, value.size);
	memset(to + used, 0, size - used); /* padding says nothing about what was there before */
}

void sopi_rows_head(uint8_t *to, uint32_t count, uint32_t flags)
{
	sopi_store_u32le(to, count);
	sopi_store_u32le(to + 4, flags);
}
