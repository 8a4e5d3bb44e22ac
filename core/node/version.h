/* What every version that a snapshot may need has in common: the positions between which it was
 * current, and its neighbours in the chain of versions of one thing (newest first). */
#ifndef SOPI_VERSION_H
#define SOPI_VERSION_H

#include <stdatomic.h>
#include <stdint.h>

/* Positions order all commits; three numbers are none. */
#define SOPI_POSITION_NONE UINT64_MAX
/* Reads the newest version of everything; only under the commit mutex. */
#define SOPI_POSITION_HEAD (UINT64_MAX - 1)
/* Of what replay has changed and not kept yet (sopi_apply_land); no reader may meet it. */
#define SOPI_POSITION_REPLAYED (UINT64_MAX - 2)

enum sopi_version_kind {
	SOPI_LEAF = 1, /* sopi_block */
	SOPI_INNER = 2, /* sopi_block */
	SOPI_DEAD = 3, /* sopi_block: the node is no more */
	SOPI_VALUE = 4, /* sopi_value: bytes kept apart from their leaf */
	SOPI_COUNT = 5, /* sopi_count: how many items a store has */
	SOPI_TREE = 6 /* sopi_tree: a store that was dropped, with all its nodes */
};

/* Is a version in its chain? */
enum sopi_unlinked {
	SOPI_LINKED = 0,
	SOPI_UNLINKED = 1, /* in no chain any more */
	SOPI_EVICTED = 2 /* the same, and what it holds is on disk: its values' descriptors go with it */
};

struct sopi_version {
	struct sopi_version *next; /* in the lists of what waits to be freed */
	uint64_t since; /* current from this position on */
	uint64_t until; /* and up to this one, itself outside; set when it is superseded */
	_Atomic(struct sopi_version *) older;
	_Atomic(struct sopi_version *) newer;
	uint8_t kind; /* sopi_version_kind */
	uint8_t unlinked; /* sopi_unlinked */
	uint16_t items; /* leaf: live items with all deltas; the writer's */
};

#endif
