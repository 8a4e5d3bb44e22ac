/* Unsigned LEB128: seven bits a byte, low ones first, the top bit says that more follow. */
#ifndef SOPI_VARINT_H
#define SOPI_VARINT_H

#include <stddef.h>
#include <stdint.h>

enum { SOPI_VARINT_BYTES_MAX = 10 };

/* Bytes that `value` takes: 1 to 10. */
size_t sopi_varint_size(uint64_t value);

/* Writes `value` into the `room` bytes at `out`; returns the bytes written, or 0, and nothing
 * written, if it does not fit. */
size_t sopi_varint_encode(uint64_t value, void *out, size_t room);

/* Reads the number at the start of `size` bytes; returns the bytes that it takes, or 0, and
 * `*value` untouched, if they end before it does, it is beyond 64 bits, or it is written longer
 * than it need be (one value has one form). */
size_t sopi_varint_decode(const void *data, size_t size, uint64_t *value);

#endif
