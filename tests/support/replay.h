/* For tests that see the inside: replay in runs of transactions and parts of these that are small, so that little work meets
 * all of it. */
#ifndef TEST_REPLAY_H
#define TEST_REPLAY_H

#include "backend/inredfs.h"

/* Chooses how much databases that are opened from now on replay at once. threads: leaves are brought in by a second thread,
 * too, so that the order of reads is not always the same. */
static inline void test_replay_in_parts(uint64_t seed, bool threads)
{
	static const uint32_t keys[] = { 0, 1, 2, 5, 20, 100 };

	sopi_recover_batch_max = keys[seed % 6];
	sopi_recover_leaves_max = 1 + (uint32_t)(seed / 6 % 3);
	sopi_recover_loader_always = threads;
}

/* As it is without tests. */
static inline void test_replay_as_usual(void)
{
	sopi_recover_batch_max = 0;
	sopi_recover_leaves_max = 0;
	sopi_recover_loader_always = false;
}

#endif
