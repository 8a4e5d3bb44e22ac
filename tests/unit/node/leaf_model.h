/* A leaf and, beside it, what must be in it: sorted items as of each position, kept as plain
 * arrays. */
#ifndef TEST_LEAF_MODEL_H
#define TEST_LEAF_MODEL_H

#include "base/arena.h"
#include "node/block.h"
#include "support/support.h"

enum { MODEL_ITEMS_MAX = 400, MODEL_STATES_MAX = SOPI_DELTAS_MAX + 1 };

/* How the keys, values and versions of a random leaf look. */
struct leaf_style {
	size_t count; /* items of the base */
	size_t prefix_max; /* shared by all keys */
	size_t key_max; /* of the rest */
	size_t value_max;
	bool equal_sizes;
	bool binary; /* keys of 0 and 255 bytes only: equal heads, heads of UINT32_MAX */
	bool ride;
	bool apart;
	uint64_t last_position; /* of the base */
};

struct leaf_state {
	uint64_t position; /* from here on */
	size_t count;
	struct sopi_item_view items[MODEL_ITEMS_MAX];
};

struct leaf_model {
	struct test_rng *rng;
	struct leaf_style style;
	struct sopi_arena arena; /* every byte that items point to */
	uint8_t *prefix;
	size_t prefix_size;
	struct sopi_block *leaf;
	struct leaf_state states[MODEL_STATES_MAX];
	size_t state_count; /* the newest is the last */
};

/* A random style. */
struct leaf_style leaf_style_random(struct test_rng *rng);

/* Fills the model with random items and builds the leaf. `spare` bytes are left for deltas. */
void leaf_model_init(struct leaf_model *model, struct test_rng *rng, const struct leaf_style *style,
		     size_t spare);
void leaf_model_free(struct leaf_model *model);

/* Adds a random delta: a new item, another one for a key that is there, or a tombstone. False if it
 * has no room. */
bool leaf_model_add_delta(struct leaf_model *model);

/* A key that the leaf may or may not have. */
sop_bytes leaf_model_random_key(struct leaf_model *model);

/* The state that a reader at `at` sees. */
const struct leaf_state *leaf_model_at(const struct leaf_model *model, uint64_t at);

/* The first item at or behind `key`; true if it is `key`. */
bool leaf_state_find(const struct leaf_state *state, sop_bytes key, size_t *index);

void assert_same_item(const struct sopi_item_view *a, const struct sopi_item_view *b);

#endif
