/* For tests that see the inside: small commits may be treated as large ones are, which are built before the commit mutex
 * and go into the log in parts. */
#ifndef TEST_LARGE_H
#define TEST_LARGE_H

#include "transaction/large.h"

enum { TEST_PART_BYTES = 512 };

/* All commits from now on, or only those that are large. */
static inline void test_all_are_large(bool all)
{
	sopi_ahead_changes_min = all ? 1 : SOPI_AHEAD_CHANGES_MIN;
	sopi_large_part_bytes = all ? TEST_PART_BYTES : SOPI_LARGE_PART_BYTES;
}

#endif
