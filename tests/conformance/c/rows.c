/* Packed rows (store.h), built and read. */
#include "machine.h"

#include <string.h>

static void put_u32(sop_buf *rows, size_t number)
{
	const unsigned char bytes[4] = { (unsigned char)number, (unsigned char)(number >> 8),
					 (unsigned char)(number >> 16), (unsigned char)(number >> 24) };

	bytes_append(rows, bytes, sizeof bytes);
}

static uint64_t get_le(const unsigned char *bytes, size_t size)
{
	uint64_t number = 0;

	for (size_t i = size; i-- > 0;)
		number = number << 8 | bytes[i];
	return number;
}

void rows_begin(sop_buf *rows)
{
	rows->size = 0;
	put_u32(rows, 0);
	put_u32(rows, 0);
}

void rows_add(sop_buf *rows, sop_bytes key, sop_bytes value)
{
	static const char zeros[8];
	unsigned char *count;

	bytes_append(rows, zeros, (8 - rows->size % 8) % 8);
	put_u32(rows, key.size);
	put_u32(rows, value.size);
	bytes_append(rows, key.data, key.size);
	bytes_append(rows, value.data, value.size);
	count = rows->data;
	if (++count[0] == 0)
		count[1]++;
}

uint32_t rows_count(sop_bytes rows)
{
	return (uint32_t)get_le(rows.data, 4);
}

struct row rows_next(sop_bytes rows, size_t *offset)
{
	const unsigned char *bytes = rows.data;
	const uint64_t flags = get_le(bytes + 4, 4);
	struct row row = { { NULL, 0 }, { NULL, 0 }, 0, false };
	size_t at = (*offset + 7) & ~(size_t)7;

	row.key.size = get_le(bytes + at, 4);
	row.value.size = get_le(bytes + at + 4, 4);
	at += 8;
	if ((flags & SOP_ROWS_ITEM) != 0) {
		row.item = get_le(bytes + at, 8);
		at += 8;
	}
	if ((flags & SOP_ROWS_VERSION) != 0)
		at += 8;
	row.absent = row.value.size == SOP_ROWS_ABSENT;
	if (row.absent)
		row.value.size = 0;
	row.key.data = bytes + at;
	row.value.data = bytes + at + row.key.size;
	*offset = at + row.key.size + row.value.size;
	return row;
}
