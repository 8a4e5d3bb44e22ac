/* Byte strings in (sop_bytes) and out (sop_buf). */
#ifndef SOP_BUFFER_H
#define SOP_BUFFER_H

#include <sop/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that somebody else owns: an input is finished with before the call returns; an output is a
 * view whose life the function states. `data` may be NULL where `size` is 0. Passed by value. */
typedef struct sop_bytes {
	const void *data;
	size_t size; /* bytes */
} sop_bytes;

/* A growable buffer of the caller, reusable for any number of calls. Functions put their answer at
 * its start and set `size`; where `capacity` is too small they allocate (and free what they
 * allocated before). It may start on memory of the caller (SOP_BUF_OVER), which is never freed. One
 * thread at a time. */
typedef struct sop_buf {
	void *data; /* the answer */
	size_t size; /* bytes of the answer */
	size_t capacity; /* bytes at `data` */
	void *owned; /* what sop_buf_free frees, or NULL */
} sop_buf;

/* An empty buffer: `sop_buf buf = SOP_BUF_INIT;` */
#define SOP_BUF_INIT                                                                               \
	{                                                                                          \
		NULL, 0, 0, NULL                                                                   \
	}

/* A buffer that begins on an array of the caller: `char room[512]; sop_buf buf =
 * SOP_BUF_OVER(room);` */
#define SOP_BUF_OVER(array)                                                                        \
	{                                                                                          \
		(array), 0, sizeof(array), NULL                                                    \
	}

/* Makes room for at least `capacity` bytes in `buf`, keeping its `size` bytes.
 * Returns OK, NO_MEMORY (`buf` is as before) or MISUSE (`buf` is NULL); `err` may be NULL. */
SOP_API sop_status sop_buf_reserve(sop_buf *buf, size_t capacity, sop_error *err);

/* Frees what the library allocated for `buf` and makes it empty. Takes NULL. */
SOP_API void sop_buf_free(sop_buf *buf);

#ifdef __cplusplus
}
#endif

#endif
