/* Within the page codec: places and bits that writing and reading share. docs/format.md explains
 * them. */
#ifndef SOPI_PAGE_LAYOUT_H
#define SOPI_PAGE_LAYOUT_H

#include "base/crc32c.h"
#include "node/page.h"

/* Where the fields of the head are, in bytes from the start of the page. */
enum {
	PAGE_AT_MAGIC = 0, /* 4 */
	PAGE_AT_FORMAT = 4, /* 1 */
	PAGE_AT_TYPE = 5, /* 1: SOPI_LEAF, SOPI_INNER or PAGE_PATCH */
	PAGE_AT_FLAGS = 6, /* 1 */
	PAGE_AT_ZERO = 7, /* 1 */
	PAGE_AT_LENGTH = 8, /* 4 */
	PAGE_AT_CRC = 12, /* 4 */
	PAGE_AT_VID = 16, /* 8 */
	PAGE_AT_POSITION = 24, /* 8 */
};

#define PAGE_MAGIC "SOPn"

enum { PAGE_PATCH = 3 }; /* items of a leaf that are newer than a page of it */

/* The numbers of an entry. Flag 1 << column: it is the same for all entries and stands once before
 * them. */
enum page_column {
	PAGE_KEY_SIZE, /* bytes of the key behind the prefix */
	PAGE_RIDE_SIZE,
	PAGE_VALUE_SIZE, /* with PAGE_APART: size * 2 + whether the value is kept apart */
	PAGE_AGE, /* position of the page less the version of the item */
	PAGE_COLUMNS
};

enum {
	PAGE_APART = 1 << PAGE_COLUMNS, /* some value is kept apart */
	PAGE_LEAF_FLAGS = (PAGE_APART << 1) - 1,
	PAGE_INNER_FLAGS = 1 << PAGE_KEY_SIZE,
	PAGE_REFERENCE_BYTES = 8, /* a child's vid, a value's location */
};

/* The checksum of a page: all of it but the four bytes where the checksum stands. */
static inline uint32_t page_crc(const uint8_t *page, size_t size)
{
	return sopi_crc32c(sopi_crc32c(0, page, PAGE_AT_CRC), page + PAGE_AT_CRC + 4,
			   size - PAGE_AT_CRC - 4);
}

#endif
