/* Packed rows. */
#include "model/packed.h"

#include <string.h>

static void write_u32(uint8_t *to, uint32_t number)
{
	for (unsigned i = 0; i < 4; i++)
		to[i] = (uint8_t)(number >> (8 * i));
}

static void write_u64(uint8_t *to, uint64_t number)
{
	write_u32(to, (uint32_t)number);
	write_u32(to + 4, (uint32_t)(number >> 32));
}

static uint32_t read_u32(const uint8_t *from)
{
	return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
	       (uint32_t)from[3] << 24;
}

static uint64_t read_u64(const uint8_t *from)
{
	return read_u32(from) | (uint64_t)read_u32(from + 4) << 32;
}

void packer_begin(struct packer *packer, uint8_t *room, size_t capacity, uint32_t flags)
{
	packer->room = room;
	packer->capacity = capacity;
	packer->size = 8;
	packer->count = 0;
	packer->flags = flags;
}

void packer_add(struct packer *packer, sop_bytes key, sop_bytes value, uint64_t item)
{
	size_t at = packer->size;

	assert_true(at + 7 + 24 + key.size + value.size <= packer->capacity);
	while (at % 8 != 0)
		packer->room[at++] = 0;
	write_u32(packer->room + at, (uint32_t)key.size);
	write_u32(packer->room + at + 4, (uint32_t)value.size);
	at += 8;
	if ((packer->flags & SOP_ROWS_ITEM) != 0) {
		write_u64(packer->room + at, item);
		at += 8;
	}
	if (key.size > 0)
		memcpy(packer->room + at, key.data, key.size);
	at += key.size;
	if (value.size > 0)
		memcpy(packer->room + at, value.data, value.size);
	packer->size = at + value.size;
	packer->count++;
}

sop_bytes packer_end(struct packer *packer)
{
	write_u32(packer->room, packer->count);
	write_u32(packer->room + 4, packer->flags);
	return test_bytes(packer->room, packer->size);
}

uint32_t packed_begin(struct packed *packed, sop_bytes bytes)
{
	memset(packed, 0, sizeof *packed);
	packed->bytes = bytes;
	packed->broken = bytes.size < 8;
	if (packed->broken)
		return 0;
	packed->left = read_u32(bytes.data);
	packed->flags = read_u32((const uint8_t *)bytes.data + 4);
	packed->at = 8;
	return packed->left;
}

static size_t head_size(uint32_t flags)
{
	return 8 + ((flags & SOP_ROWS_ITEM) != 0 ? 8u : 0u) + ((flags & SOP_ROWS_VERSION) != 0 ? 8u : 0u);
}

bool packed_next(struct packed *packed, struct packed_row *row)
{
	const uint8_t *bytes = packed->bytes.data;
	const size_t size = packed->bytes.size;
	size_t at = (packed->at + 7) & ~(size_t)7;
	size_t key_size;

	memset(row, 0, sizeof *row);
	if (packed->broken)
		return false;
	if (packed->left == 0) { /* nothing but padding may follow */
		packed->broken = packed->at != size && at != size;
		return false;
	}
	packed->left--;
	packed->broken = true;
	if (at > size || size - at < head_size(packed->flags))
		return false;
	key_size = read_u32(bytes + at);
	row->value_size = read_u32(bytes + at + 4);
	row->value.size = row->value_size == SOP_ROWS_ABSENT ? 0 : row->value_size;
	at += 8;
	if ((packed->flags & SOP_ROWS_ITEM) != 0) {
		row->item = read_u64(bytes + at);
		at += 8;
	}
	if ((packed->flags & SOP_ROWS_VERSION) != 0) {
		row->version = read_u64(bytes + at);
		at += 8;
	}
	if (key_size > size - at || row->value.size > size - at - key_size)
		return false;
	row->key = test_bytes(bytes + at, key_size);
	row->value.data = bytes + at + key_size;
	packed->at = at + key_size + row->value.size;
	packed->broken = false;
	return true;
}
