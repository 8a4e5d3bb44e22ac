/* The model: stores as sorted arrays, transactions as copies of them. Slow, plain, and independent of the library. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "model/op.h"

/* An item never changes while more than one view can see it: changing means a new one. */
struct item {
	uint32_t key; /* a word */
	struct ride ride;
	uint64_t id; /* 0 without duplicates */
	struct value value;
	uint64_t version; /* 0: written by a transaction that has not committed */
};

/* Items in order of (key, id), shared by views until one of them changes it. */
struct items {
	unsigned refs;
	size_t count;
	size_t capacity;
	struct item **at;
};

struct model_store {
	bool exists;
	uint64_t incarnation; /* another number after every create, drop and rename */
	struct items *items;
	uint64_t last_id; /* highest item id ever given in it */
};

/* All stores as somebody sees them. */
struct view {
	struct model_store stores[NAMES];
	uint64_t changes; /* operations that changed something, since the beginning of the transaction */
};

/* What all models of a case share. */
struct world {
	const struct universe *universe;
	const struct mix *mix;
	uint64_t incarnations;
	struct chunk *chunks; /* memory of the items, freed at the end of the case */
};

/* A place between items: before all items at or behind (key, id). */
struct point {
	uint32_t key;
	uint64_t id;
};

struct model_cursor {
	bool open;
	unsigned store;
	uint64_t incarnation; /* of the store */
	uint32_t flags; /* SOP_CURSOR_... */
	struct point from, to; /* its range */
	enum { FRESH, ON, GAP } place;
	struct point at; /* ON: the item; GAP: between what is before this and the rest */
};

struct model_txn {
	struct world *world;
	struct view view;
	struct view saved[SAVEPOINTS];
	unsigned saved_count;
	struct model_cursor cursors[CURSORS];
	bool writable;
};

void world_free(struct world *world);

void view_share(struct view *to, const struct view *from);
void view_drop(struct view *view);

/* Gives the items that `view` wrote, compared with `before`, their version. */
void view_settle(struct view *view, const struct view *before, uint64_t position);

/* Whether two views hold the same stores with the same items, versions apart. */
bool views_equal(const struct view *left, const struct view *right);

void model_begin(struct model_txn *txn, struct world *world, const struct view *base, bool writable);
void model_end(struct model_txn *txn);

/* Finds what depends on the state: the item id that `op` names. Makes `op` one that can be done (a cursor that is not
 * open, a savepoint that is not there: false, it is left out). */
bool model_prepare(const struct model_txn *txn, struct op *op, struct hint *hint);

/* Does `op` and says what the library has to answer. */
void model_apply(struct model_txn *txn, const struct op *op, const struct hint *hint,
		 struct answer *answer);

/* Ends the cursors whose store is not the one any more that they were opened on; tells which, as bits. */
unsigned model_orphans(struct model_txn *txn);

/* What both sides say about one row of a batch. */
void say_row(struct answer *answer, uint64_t key_hash, uint64_t value_size, uint64_t value_hash);

/* The first index whose item is not before `point`. */
size_t items_find(const struct items *items, struct point point);

#endif
