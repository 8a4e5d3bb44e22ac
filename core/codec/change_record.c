/* Changes as bytes, and back. */
#include "codec/change_record.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/varint.h"

enum {
	REMOVED = 1,
	RIDE = 2,
	APART = 4,
	PLACED = 8,
	REPLACES = 16,
	ALL_FLAGS = 31,
	NUMBERS_MAX = 8, /* varints of one change */
	KEY_BYTES_MAX = (1 << 16) + 64, /* with an item id, escaped */
};

/* ---- writing --------------------------------------------------------------------------------- */

static void put_number(sop_buf *out, uint64_t number)
{
	if (SOPI_LIKELY(number < 0x80)) { /* most are: one byte, which is the number */
		((uint8_t *)out->data)[out->size++] = (uint8_t)number;
		return;
	}
	out->size += sopi_varint_encode(number, (uint8_t *)out->data + out->size,
					out->capacity - out->size);
}

static void put_bytes(sop_buf *out, sop_bytes bytes)
{
	put_number(out, bytes.size);
	if (bytes.size != 0)
		memcpy((uint8_t *)out->data + out->size, bytes.data, bytes.size);
	out->size += bytes.size;
}

static void put_reference(const struct sopi_change_record *change, sop_buf *out)
{
	put_number(out, change->value_id);
	put_number(out, change->value_size);
	if (change->pack == 0)
		return;
	put_number(out, change->pack);
	put_number(out, change->offset);
	put_number(out, change->length);
}

sop_status sopi_change_record_append_put(uint64_t store, sop_bytes key, sop_bytes value,
					 bool replaces, sop_buf *out, sop_error *err)
{
	SOP_TRY(sopi_buf_room(out, 1 + 3 * SOPI_VARINT_BYTES_MAX + key.size + value.size, err));
	((uint8_t *)out->data)[out->size++] = replaces ? REPLACES : 0;
	put_number(out, store);
	put_number(out, key.size);
	sopi_copy_short((uint8_t *)out->data + out->size, key.data, key.size);
	out->size += key.size;
	put_bytes(out, value);
	return SOP_OK;
}

sop_status sopi_change_record_append(const struct sopi_change_record *change, sop_buf *out, sop_error *err)
{
	const uint8_t flags =
		(uint8_t)((change->removed ? REMOVED : 0) | (change->ride.size != 0 ? RIDE : 0) |
			  (change->apart ? APART : 0) |
			  (change->apart && change->pack != 0 ? PLACED : 0) |
			  (change->replaces ? REPLACES : 0));

	SOP_TRY(sopi_buf_room(out,
			      1 + NUMBERS_MAX * SOPI_VARINT_BYTES_MAX + change->key.size +
				      change->ride.size + change->value.size,
			      err));
	((uint8_t *)out->data)[out->size++] = flags;
	put_number(out, change->store);
	put_bytes(out, change->key);
	if (change->removed)
		return SOP_OK;
	if (change->ride.size != 0)
		put_bytes(out, change->ride);
	if (change->apart)
		put_reference(change, out);
	else
		put_bytes(out, change->value);
	return SOP_OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool take_number(sop_bytes *bytes, uint64_t *number)
{
	const size_t size = sopi_varint_decode(bytes->data, bytes->size, number);

	bytes->data = (const uint8_t *)bytes->data + size;
	bytes->size -= size;
	return size != 0;
}

static bool take_bytes(sop_bytes *bytes, uint64_t most, sop_bytes *taken)
{
	uint64_t size;

	if (!take_number(bytes, &size) || size > bytes->size || size > most)
		return false;
	*taken = (sop_bytes){ bytes->data, (size_t)size };
	bytes->data = (const uint8_t *)bytes->data + size;
	bytes->size -= (size_t)size;
	return true;
}

static bool take_small(sop_bytes *bytes, uint32_t *number)
{
	uint64_t large;

	if (!take_number(bytes, &large) || large > UINT32_MAX)
		return false;
	*number = (uint32_t)large;
	return true;
}

static bool take_reference(sop_bytes *bytes, bool placed, struct sopi_change_record *change)
{
	if (!take_number(bytes, &change->value_id) || !take_number(bytes, &change->value_size) ||
	    change->value_id == 0 || change->value_id >> 62 != 0 ||
	    change->value_size > (uint64_t)1 << 30)
		return false;
	return !placed || (take_number(bytes, &change->pack) && change->pack != 0 &&
			   take_small(bytes, &change->offset) && take_small(bytes, &change->length));
}

static bool take_item(sop_bytes *bytes, uint8_t flags, struct sopi_change_record *change)
{
	if ((flags & RIDE) != 0 &&
	    (!take_bytes(bytes, KEY_BYTES_MAX, &change->ride) || change->ride.size == 0))
		return false;
	change->apart = (flags & APART) != 0;
	return change->apart ? take_reference(bytes, (flags & PLACED) != 0, change)
			     : take_bytes(bytes, (uint64_t)1 << 30, &change->value);
}

sop_status sopi_change_record_take(sop_bytes *bytes, struct sopi_change_record *change, sop_error *err)
{
	uint8_t flags;

	if (bytes->size == 0)
		return SOP_NOT_FOUND;
	memset(change, 0, sizeof *change);
	flags = *(const uint8_t *)bytes->data;
	bytes->data = (const uint8_t *)bytes->data + 1;
	bytes->size--;
	change->removed = (flags & REMOVED) != 0;
	change->replaces = (flags & REPLACES) != 0;
	if ((flags & ~ALL_FLAGS) == 0 && !(change->removed && flags != REMOVED) &&
	    !((flags & PLACED) != 0 && (flags & APART) == 0) &&
	    take_number(bytes, &change->store) && take_bytes(bytes, KEY_BYTES_MAX, &change->key) &&
	    (change->removed || take_item(bytes, flags, change)))
		return SOP_OK;
	return sopi_fail(err, SOP_CORRUPT, "a change in a log record is malformed");
}
