/* Cursors that walk while their transaction changes the store, and stores that keep equal keys. */
#include "isolation/workloads.h"

#define KEYS 40
#define STEPS_MAX 24
#define EQUAL_KEYS 8
#define EQUAL_MAX 6

/* ---- walking --------------------------------------------------------------------------------- */

struct walk {
	struct actor_cursor cursor;
	size_t store;
	bool stands; /* on an item */
	bool ran_out; /* the last move found nothing: the next thing is a move back, or to a place */
	enum actor_move out_by;
};

static void after_move(struct walk *walk, sop_status status, enum actor_move move)
{
	walk->stands = status == SOP_OK;
	walk->ran_out = status == SOP_NOT_FOUND;
	walk->out_by = move;
}

static void move(struct walk *walk, enum actor_move how)
{
	after_move(walk, actor_cursor_move(&walk->cursor, how, NULL), how);
}

static void seek(struct walk *walk)
{
	struct actor *actor = walk->cursor.actor;
	const sop_seek where = (sop_seek)test_rng_below(&actor->rng, 5);
	const bool reverse = where == SOP_SEEK_LE || where == SOP_SEEK_LT;

	after_move(walk,
		   actor_cursor_seek(&walk->cursor, test_rng_below(&actor->rng, KEYS), where, NULL),
		   reverse ? MOVE_PREV : MOVE_NEXT);
}

/* Comes back from an end of the range: at once, or to a place that does not depend on where it
 * stood. */
static void come_back(struct walk *walk, bool changes)
{
	struct actor *actor = walk->cursor.actor;
	const bool at_start = walk->out_by == MOVE_PREV || walk->out_by == MOVE_LAST;
	const uint64_t dice = test_rng_below(&actor->rng, 4);

	if (dice == 0) {
		seek(walk);
	} else if (dice == 1 && changes) {
		(void)actor_insert(actor, walk->store, test_rng_below(&actor->rng, KEYS),
				   actor_any_value(actor), NULL);
		move(walk, at_start ? MOVE_FIRST : MOVE_LAST);
	} else {
		move(walk, at_start ? MOVE_NEXT : MOVE_PREV);
	}
}

/* Changes something near the place of the cursor, not through it. */
static void change_nearby(struct walk *walk)
{
	struct actor *actor = walk->cursor.actor;
	const uint64_t key = (walk->cursor.key + test_rng_below(&actor->rng, 7) + KEYS - 3) % KEYS;

	switch (test_rng_below(&actor->rng, 5)) {
	case 0:
	case 1:
		(void)actor_insert(actor, walk->store, key, actor_any_value(actor), NULL);
		break;
	case 2:
		(void)actor_remove(actor, walk->store, key, 0);
		break;
	case 3:
		(void)actor_update(actor, walk->store, key, 0, actor_any_value(actor));
		break;
	default:
		(void)actor_remove(actor, walk->store, walk->cursor.key, walk->cursor.item);
	}
}

static void change_here(struct walk *walk)
{
	struct actor *actor = walk->cursor.actor;

	switch (test_rng_below(&actor->rng, 3)) {
	case 0:
		(void)actor_cursor_entry(&walk->cursor, NULL);
		break;
	case 1:
		(void)actor_cursor_update(&walk->cursor, actor_any_value(actor));
		break;
	default:
		(void)actor_cursor_remove(&walk->cursor);
	}
}

static void walk_on(struct walk *walk, bool changes)
{
	struct actor *actor = walk->cursor.actor;
	const uint64_t dice = test_rng_below(&actor->rng, 100);

	if (walk->ran_out)
		come_back(walk, changes);
	else if (dice < 40)
		move(walk, MOVE_NEXT);
	else if (dice < 65)
		move(walk, MOVE_PREV);
	else if (dice < 68)
		move(walk, MOVE_FIRST);
	else if (dice < 71)
		move(walk, MOVE_LAST);
	else if (dice < 75)
		seek(walk);
	else if (dice < 80)
		after_move(walk, actor_cursor_fetch(&walk->cursor, 1 + test_rng_below(&actor->rng, 5)),
			   walk->cursor.reverse ? MOVE_PREV : MOVE_NEXT);
	else if (changes && dice < 90)
		change_nearby(walk);
	else if (changes && walk->stands)
		change_here(walk);
	else if (walk->stands)
		(void)actor_cursor_entry(&walk->cursor, NULL);
}

static struct key_range any_range(struct actor *actor)
{
	struct key_range range = range_all();

	range.from = test_rng_below(&actor->rng, KEYS);
	range.to = range.from + 1 + test_rng_below(&actor->rng, KEYS);
	range.has_from = test_rng_once_in(&actor->rng, 2);
	range.has_to = test_rng_once_in(&actor->rng, 2);
	range.after = range.has_from && test_rng_once_in(&actor->rng, 3);
	return range;
}

static sop_status stroll(struct actor *actor, size_t store, bool changes)
{
	const struct key_range range = any_range(actor);
	const uint64_t steps = 2 + test_rng_below(&actor->rng, STEPS_MAX);
	struct walk walk = { .store = store };

	if (actor_cursor_open(actor, &walk.cursor, store, &range,
			      (test_rng_once_in(&actor->rng, 4) ? EVENT_KEYS : 0u) |
				      (test_rng_once_in(&actor->rng, 2) ? EVENT_REVERSE : 0u)) == SOP_OK)
		move(&walk, test_rng_once_in(&actor->rng, 2) ? MOVE_NEXT : MOVE_PREV);
	for (uint64_t i = 0; i < steps && actor->doomed == SOP_OK; i++)
		walk_on(&walk, changes);
	actor_cursor_close(&walk.cursor);
	return actor->doomed;
}

static sop_status walk_and_change(struct actor *actor, void *arg)
{
	const size_t *store = arg;

	return stroll(actor, *store, true);
}

static sop_status walk_only(struct actor *actor, void *arg)
{
	const size_t *store = arg;

	return stroll(actor, *store, false);
}

/* Goes from one end to the other and inserts, removes or updates at each step: the classic loop. */
static sop_status walk_through(struct actor *actor, void *arg)
{
	const struct key_range all = range_all();
	const enum actor_move how = test_rng_once_in(&actor->rng, 2) ? MOVE_NEXT : MOVE_PREV;
	struct walk walk = { .store = *(const size_t *)arg };
	sop_status status = actor_cursor_open(actor, &walk.cursor, walk.store, &all, 0);

	for (unsigned i = 0; i < 4 * KEYS && status == SOP_OK && actor->doomed == SOP_OK; i++) {
		status = actor_cursor_move(&walk.cursor, how, NULL);
		if (status != SOP_OK)
			break;
		if (test_rng_once_in(&actor->rng, 6))
			change_here(&walk);
		if (test_rng_once_in(&actor->rng, 6))
			change_nearby(&walk);
	}
	actor_cursor_close(&walk.cursor);
	return actor->doomed;
}

static sop_status fill_both(struct actor *actor, void *arg)
{
	(void)arg;
	for (uint64_t key = 0; key < KEYS; key += 2) {
		(void)actor_insert(actor, 0, key, actor_any_value(actor), NULL);
		(void)actor_insert(actor, 1, key / 4, actor_any_value(actor), NULL);
	}
	return actor->doomed;
}

static void cursor_turn(struct actor *actor, void *arg)
{
	size_t store = test_rng_below(&actor->rng, 2);
	const uint64_t dice = test_rng_below(&actor->rng, 8);

	(void)arg;
	if (dice < 3)
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_READ, walk_only, &store);
	else
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_WRITE,
				    dice == 3	? walk_only
				    : dice == 4 ? walk_through
						: walk_and_change,
				    &store);
}

struct verdict workload_cursors(uint64_t transactions)
{
	const struct world_options options = {
		.threads = 8, .stores = 2, .duplicates = 2, .key_padding_max = 20, .yield_once_in = 12
	};
	const struct workload_plan plan = { transactions, cursor_turn, NULL };
	struct world world;

	world_open(&world, &options);
	(void)actor_perform(world_main_actor(&world), ACTOR_BY_RENEW, ACTOR_WRITE, fill_both, NULL);
	return workload_run(&world, &plan);
}

/* ---- equal keys ------------------------------------------------------------------------------ */

/* The items of one key, as the transaction sees them. */
static sop_status look_at_equals(struct actor *actor, uint64_t key, const struct item_seen **items,
				 size_t *count)
{
	const struct key_range range = range_of(key, key + 1);

	return actor_scan(actor, 0, &range, test_rng_once_in(&actor->rng, 4) ? EVENT_REVERSE : 0, 0,
			  items, count);
}

static sop_status change_equals(struct actor *actor, void *arg)
{
	const uint64_t key = test_rng_below(&actor->rng, EQUAL_KEYS);
	const struct item_seen *items = NULL;
	struct item_seen chosen;
	size_t count = 0;
	uint64_t item = 0;

	(void)arg;
	if (look_at_equals(actor, key, &items, &count) != SOP_OK)
		return actor->doomed;
	if (count < EQUAL_MAX && !test_rng_once_in(&actor->rng, 3)) {
		if (actor_insert(actor, 0, key, actor_any_value(actor), &item) == SOP_OK)
			(void)actor_get(actor, 0, key, item, NULL);
		return actor->doomed;
	}
	if (count == 0)
		return actor->doomed;
	chosen = items[test_rng_below(&actor->rng, count)];
	if (test_rng_once_in(&actor->rng, 2))
		(void)actor_remove(actor, 0, key, chosen.item);
	else
		(void)actor_update(actor, 0, key, chosen.item, actor_any_value(actor));
	return actor->doomed;
}

/* Takes the oldest without having looked: a queue for each key. */
static sop_status take_oldest(struct actor *actor, void *arg)
{
	const uint64_t key = test_rng_below(&actor->rng, EQUAL_KEYS);

	(void)arg;
	if (actor_get(actor, 0, key, 0, NULL) == SOP_OK)
		(void)actor_remove(actor, 0, key, 0);
	else if (actor->doomed == SOP_OK && test_rng_once_in(&actor->rng, 2))
		(void)actor_update(actor, 0, key, 0, actor_any_value(actor));
	return actor->doomed;
}

static sop_status insert_equals(struct actor *actor, void *arg)
{
	const uint64_t key = test_rng_below(&actor->rng, EQUAL_KEYS);

	(void)arg;
	(void)actor_insert(actor, 0, key, actor_any_value(actor), NULL); /* never conflicts with another */
	return actor->doomed;
}

static sop_status look_at_all_equals(struct actor *actor, void *arg)
{
	const struct key_range range = range_of(0, EQUAL_KEYS / 2);
	const struct item_seen *items = NULL;
	size_t seen = 0;
	uint64_t count = 0;

	(void)arg;
	(void)actor_scan(actor, 0, &range, 0, 0, &items, &seen);
	(void)actor_count(actor, 0, &range, &count);
	if (actor->doomed == SOP_OK && count != seen)
		test_note_failure("a range has %zu items and the count %llu", seen,
				  (unsigned long long)count);
	return actor->doomed;
}

static void equal_turn(struct actor *actor, void *arg)
{
	const uint64_t dice = test_rng_below(&actor->rng, 10);

	(void)arg;
	if (dice < 2)
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_READ, look_at_all_equals, NULL);
	else
		(void)actor_perform(actor, workload_any_how(actor), ACTOR_WRITE,
				    dice < 6   ? change_equals
				    : dice < 8 ? take_oldest
					       : insert_equals,
				    NULL);
}

struct verdict workload_duplicates(uint64_t transactions)
{
	const struct world_options options = {
		.threads = 10, .stores = 1, .duplicates = 1, .key_padding_max = 20, .yield_once_in = 4
	};
	const struct workload_plan plan = { transactions, equal_turn, NULL };
	struct world world;

	world_open(&world, &options);
	return workload_run(&world, &plan);
}
