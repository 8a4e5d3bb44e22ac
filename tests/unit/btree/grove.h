/* A tree and, beside it, what must be in it: a sorted array for each position that a snapshot pins.
 * Shared by the tests of btree. */
#ifndef TEST_GROVE_H
#define TEST_GROVE_H

#include "btree/apply.h"
#include "btree/walk.h"
#include "support/support.h"

enum { GROVE_PINS = 4, GROVE_CHANGES_MAX = 4096 };

struct grove_entry {
	const uint8_t *key;
	const uint8_t *value;
	uint32_t key_size;
	uint32_t value_size;
	uint64_t version;
};

/* The items as of one position. */
struct grove_state {
	uint64_t position;
	struct grove_entry *entries;
	size_t count;
};

/* How keys, values and nodes look. */
struct grove_style {
	uint32_t node_bytes;
	uint32_t node_items;
	uint64_t key_space; /* numbers that keys are made of */
	size_t key_pad; /* bytes before the number */
	size_t key_tail; /* up to so many behind it */
	size_t value_max;
	bool apart; /* some values are kept apart */
};

struct grove {
	struct grove_style style;
	struct sopi_forest forest;
	struct sopi_tree tree;
	struct test_rng rng;
	struct sopi_arena arena; /* keys, values and operations, for the life of the grove */
	_Atomic uint64_t answered;
	uint64_t position; /* of the newest commit */
	struct grove_state head;
	struct grove_state pins[GROVE_PINS]; /* entries NULL: not pinned */
	struct sopi_slot *slots[GROVE_PINS];
	struct sopi_change changes[GROVE_CHANGES_MAX];
	size_t change_count;
	uint64_t hints_at;
};

void grove_init(struct grove *grove, const struct grove_style *style, uint64_t seed);
void grove_free(struct grove *grove);

/* ---- changes --------------------------------------------------------------------------------- */

/* Starts an empty list of changes. */
void grove_plan(struct grove *grove);

/* Adds a put (size of the value: not NONE) or a removal of the key made of `number`. In any order,
 * keys may repeat. */
enum { GROVE_REMOVE = -1 };
#define GROVE_BESIDE ((uint64_t)1 << 63) /* numbers from here on have no bytes before them */
void grove_plan_key(struct grove *grove, uint64_t number, int64_t value_size);

/* Adds `count` random ones with keys from a random stretch of `stretch` numbers. */
void grove_plan_random(struct grove *grove, size_t count, uint64_t stretch);

/* Sorts them, and looks their leaves up at a random pinned position, at the newest, or not at
 * all. */
void grove_plan_end(struct grove *grove);

/* Applies the first `count` changes at the next position, without keeping them. */
sop_status grove_apply(struct grove *grove, size_t count, struct sopi_apply *apply, sop_error *err);

/* Takes them back. */
void grove_undo(struct grove *grove, struct sopi_apply *apply);

/* Keeps all of them; the model follows. Old versions are collected. */
void grove_keep(struct grove *grove, struct sopi_apply *apply);

/* All of the above: the planned changes must succeed. */
void grove_commit(struct grove *grove);

/* Pins the newest position with snapshot `pin`, in place of what it pinned. */
void grove_pin(struct grove *grove, size_t pin);

/* ---- checks ---------------------------------------------------------------------------------- */

/* Order, key ranges, sizes, counts, pages: the newest state of all nodes. */
void grove_check_structure(const struct grove *grove);

/* Walks forwards and backwards, and looks every key up, as of the state. */
void grove_check_state(struct grove *grove, const struct grove_state *state, uint64_t at);

/* Both, at the newest and at all pinned positions. */
void grove_check(struct grove *grove);

/* A number that differs when anything in any node that can be reached from the root differs. */
uint64_t grove_signature(const struct grove *grove);

/* ---- short of memory ------------------------------------------------------------------------- */

/* Blocks that are hidden from the forest's memory. */
struct grove_famine {
	void *free[SOPI_MEMORY_CLASSES];
	size_t free_count[SOPI_MEMORY_CLASSES];
	char *carve;
	size_t carve_bytes;
};

/* Leaves at most `left` blocks of each class, and no way to get more. */
void grove_famine_begin(struct grove *grove, const size_t left[SOPI_MEMORY_CLASSES],
			struct grove_famine *famine);
void grove_famine_end(struct grove *grove, struct grove_famine *famine);

#endif
