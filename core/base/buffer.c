/* sop_buf: a growable buffer that may begin on memory of the caller. */
#include "base/buffer.h"

#include "base/alloc.h"

#include <string.h>

enum { FIRST_CAPACITY = 64 };

sop_status sop_buf_reserve(sop_buf *buf, size_t capacity, sop_error *err)
{
	void *memory = NULL;

	if (buf == NULL)
		return sopi_fail(err, SOP_MISUSE, "sop_buf_reserve: buf is NULL; pass a buffer");
	if (buf->size > buf->capacity)
		return sopi_fail(err, SOP_MISUSE,
				 "sop_buf_reserve: its size is beyond its capacity; start from an empty buffer");
	if (capacity <= buf->capacity)
		return SOP_OK;
	SOP_TRY(sopi_alloc(capacity, &memory, err));
	if (buf->size > 0)
		memcpy(memory, buf->data, buf->size);
	sopi_free(buf->owned);
	buf->data = memory;
	buf->owned = memory;
	buf->capacity = capacity;
	return SOP_OK;
}

void sop_buf_free(sop_buf *buf)
{
	const sop_buf empty = SOP_BUF_INIT;

	if (buf == NULL)
		return;
	sopi_free(buf->owned);
	*buf = empty;
}

sop_status sopi_buf_set(sop_buf *buf, const void *data, size_t size, sop_error *err)
{
	if (SOPI_UNLIKELY(size > buf->capacity)) {
		const size_t before = buf->size;

		buf->size = 0; /* the old answer need not be copied */
		const sop_status status = sop_buf_reserve(buf, size, err);
		if (status != SOP_OK) {
			buf->size = before;
			return status;
		}
	}
	if (size > 0)
		memcpy(buf->data, data, size);
	buf->size = size;
	return SOP_OK;
}

sop_status sopi_buf_room(sop_buf *buf, size_t size, sop_error *err)
{
	size_t capacity;

	if (SOPI_LIKELY(buf->capacity - buf->size >= size))
		return SOP_OK;
	if (size > SIZE_MAX / 2 - buf->capacity)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory: a buffer of %zu bytes more", size);
	capacity = buf->capacity + buf->capacity / 2;
	if (capacity < buf->size + size)
		capacity = buf->size + size;
	if (capacity < FIRST_CAPACITY)
		capacity = FIRST_CAPACITY;
	return sop_buf_reserve(buf, capacity, err);
}

sop_status sopi_buf_append(sop_buf *buf, const void *data, size_t size, sop_error *err)
{
	SOP_TRY(sopi_buf_room(buf, size, err));
	if (size > 0)
		memcpy((char *)buf->data + buf->size, data, size);
	buf->size += size;
	return SOP_OK;
}
