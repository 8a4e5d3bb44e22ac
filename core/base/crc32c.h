/* CRC-32C (Castagnoli, RFC 3720): the checksum of everything that SOP writes. */
#ifndef SOPI_CRC32C_H
#define SOPI_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of `size` bytes going on from `seed`, the checksum of what came before (0: nothing
 * did), so that the checksum of a then b is crc(crc(seed, a), b). Uses the processor's instruction
 * where it has one.
 *  */
uint32_t sopi_crc32c(uint32_t seed, const void *data, size_t size);

/* The same by tables alone, on any processor. For tests. */
uint32_t sopi_crc32c_by_table(uint32_t seed, const void *data, size_t size);

#endif
