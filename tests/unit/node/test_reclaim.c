/* Slots, and when old versions are freed: never while a snapshot or a running call may need them,
 * always afterwards. */
#include "node/reclaim.h"

#include "base/alloc.h"
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

enum { THINGS_MAX = 4096, THING_BYTES = 100 };

struct thing {
	struct sopi_version version;
	unsigned freed;
};

/* A reclamation whose versions are things, and what it was told. */
struct world {
	struct sopi_reclaim reclaim;
	_Atomic uint64_t answered;
	struct thing things[THINGS_MAX];
	size_t count;
	size_t freed;
	void (*at_free)(struct world *world, const struct thing *thing);
	void *more;
};

static size_t thing_size(const struct sopi_version *version)
{
	(void)version;
	return THING_BYTES;
}

static void thing_dispose(void *owner, struct sopi_version *version)
{
	struct world *world = owner;
	struct thing *thing = (struct thing *)version;

	assert_int_equal(thing->freed, 0);
	thing->freed = 1;
	world->freed++;
	if (world->at_free != NULL)
		world->at_free(world, thing);
}

static int setup(void **state)
{
	struct world *world = aligned_alloc(64, (sizeof *world + 63) / 64 * 64);
	sop_error err = SOP_ERROR_INIT;

	memset(world, 0, sizeof *world);
	TEST_OK(sopi_reclaim_init(&world->reclaim, thing_dispose, thing_size, world, &err), err);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	sopi_reclaim_destroy(&world->reclaim);
	sopi_reclaim_free_slots(&world->reclaim);
	assert_int_equal(world->freed, world->count); /* whatever waited */
	free(world);
	return 0;
}

/* A version that was current in [since, until), on its way to be freed. */
static struct thing *supersede(struct world *world, uint64_t since, uint64_t until)
{
	struct sopi_version_list list = { NULL, NULL, 0 };
	struct thing *thing = &world->things[world->count++];

	assert_true(world->count <= THINGS_MAX);
	thing->version.kind = SOPI_LEAF;
	thing->version.since = since;
	thing->version.until = until;
	sopi_version_list_add(&list, &thing->version, THING_BYTES);
	sopi_reclaim_add(&world->reclaim, &list);
	assert_null(list.first);
	return thing;
}

static struct sopi_slot *slot_of(struct world *world, void *owner)
{
	struct sopi_slot *slot = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_slot_take(&world->reclaim, owner, &slot, &err), err);
	return slot;
}

/* A slot that reads at `snapshot` between two calls. */
static struct sopi_slot *reader_at(struct world *world, uint64_t snapshot)
{
	struct sopi_slot *slot = slot_of(world, world);

	assert_int_equal(sopi_slot_claim(&world->reclaim, slot, true), SOPI_SLOT_IDLE);
	sopi_slot_publish(slot, snapshot, false);
	sopi_slot_release(slot);
	return slot;
}

static void run_at(struct world *world, uint64_t answered)
{
	atomic_store(&world->answered, answered);
	sopi_reclaim_run(&world->reclaim, &world->answered, NULL);
}

/* ---- slots ----------------------------------------------------------------------------------- */

static void one_call_at_a_time_has_the_slot(void **state)
{
	struct world *world = *state;
	struct sopi_slot *slot = slot_of(world, world);

	assert_int_equal(sopi_slot_claim(&world->reclaim, slot, false), SOPI_SLOT_IDLE);
	assert_true(sopi_slot_claim(&world->reclaim, slot, false) > SOPI_SLOT_CLOSED);
	assert_true(sopi_slot_claim(&world->reclaim, slot, true) > SOPI_SLOT_CLOSED);
	sopi_slot_release(slot);
	assert_int_equal(sopi_slot_claim(&world->reclaim, slot, true), SOPI_SLOT_IDLE);
	sopi_slot_release(slot);
}

static void a_slot_publishes_two_snapshots_and_forgets_both(void **state)
{
	struct world *world = *state;
	struct sopi_slot *slot = reader_at(world, 7);

	assert_int_equal(atomic_load(&slot->snapshot), 7);
	assert_true(atomic_load(&slot->head_snapshot) == SOPI_POSITION_NONE);
	assert_int_equal(sopi_slot_claim(&world->reclaim, slot, false), SOPI_SLOT_IDLE);
	sopi_slot_choose(slot);
	assert_int_equal(atomic_load(&slot->state) & 1, 1);
	sopi_slot_publish(slot, 9, true);
	assert_int_equal(atomic_load(&slot->state) & 1, 0);
	assert_int_equal(atomic_load(&slot->head_snapshot), 9);
	sopi_slot_forget(slot);
	assert_true(atomic_load(&slot->snapshot) == SOPI_POSITION_NONE);
	assert_true(atomic_load(&slot->head_snapshot) == SOPI_POSITION_NONE);
	sopi_slot_release(slot);
}

static void slots_are_many_and_used_again(void **state)
{
	struct world *world = *state;
	struct sopi_slot *slots[3 * SOPI_SLOTS_IN_CHUNK];
	struct sopi_slot_chunk *chunk = NULL;
	size_t index = 0, count = 0;

	for (size_t i = 0; i < 3 * SOPI_SLOTS_IN_CHUNK; i++) {
		slots[i] = slot_of(world, world);
		assert_int_equal((uintptr_t)slots[i] % 64, 0);
		for (size_t k = 0; k < i; k++)
			assert_ptr_not_equal(slots[k], slots[i]);
	}
	while (sopi_slot_next(&world->reclaim, &chunk, &index) != NULL)
		count++;
	assert_int_equal(count, 3 * SOPI_SLOTS_IN_CHUNK);
	sopi_slot_give(&world->reclaim, slots[5]);
	assert_ptr_equal(slot_of(world, world), slots[5]);
}

static void no_memory_for_a_slot_is_said(void **state)
{
	struct world *world = *state;
	sop_error err = SOP_ERROR_INIT;
	struct sopi_slot *slot = NULL;

	for (size_t i = 0; i < SOPI_SLOTS_IN_CHUNK; i++)
		slot_of(world, world);
	sopi_alloc_fail_after(0, false);
	TEST_STATUS(sopi_slot_take(&world->reclaim, world, &slot, &err), SOP_NO_MEMORY, err);
	sopi_alloc_fail_after(-1, false);
	assert_null(slot);
	TEST_OK(sopi_slot_take(&world->reclaim, world, &slot, &err), err);
}

static void no_memory_at_the_start_leaves_nothing(void **state)
{
	struct sopi_reclaim *reclaim = aligned_alloc(64, (sizeof *reclaim + 63) / 64 * 64);
	const int64_t before = sopi_alloc_live_count();
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	sopi_alloc_fail_after(0, false);
	TEST_STATUS(sopi_reclaim_init(reclaim, thing_dispose, thing_size, NULL, &err),
		    SOP_NO_MEMORY, err);
	sopi_alloc_fail_after(-1, false);
	assert_int_equal(sopi_alloc_live_count(), before);
	free(reclaim);
}

static unsigned ended;

static void count_end(void *owner)
{
	(void)owner;
	ended++;
}

static void closing_ends_every_owner_and_lets_nobody_in(void **state)
{
	struct world *world = *state;
	struct sopi_slot *idle = slot_of(world, world);
	struct sopi_slot *reader = reader_at(world, 4);
	struct sopi_slot *given = slot_of(world, world);
	sop_error err = SOP_ERROR_INIT;
	struct sopi_slot *slot = NULL;

	sopi_slot_give(&world->reclaim, given);
	ended = 0;
	sopi_slots_close(&world->reclaim, count_end);
	assert_int_equal(ended, 2);
	assert_int_equal(sopi_slot_claim(&world->reclaim, idle, false), SOPI_SLOT_CLOSED);
	assert_int_equal(sopi_slot_claim(&world->reclaim, reader, true), SOPI_SLOT_CLOSED);
	TEST_STATUS(sopi_slot_take(&world->reclaim, world, &slot, &err), SOP_CLOSED, err);
	sopi_slot_give(&world->reclaim, idle);
	assert_int_equal(sopi_slot_claim(&world->reclaim, idle, false), SOPI_SLOT_CLOSED);
}

static void closing_a_group_leaves_the_others(void **state)
{
	struct world *world = *state;
	struct sopi_slot *one = slot_of(world, world);
	struct sopi_slot *two = slot_of(world, world);
	struct sopi_slot *other = slot_of(world, world);
	struct sopi_slot *none = slot_of(world, world);
	struct sopi_slot *again;

	sopi_slot_join(one, &one);
	sopi_slot_join(two, &one);
	sopi_slot_join(other, &other);
	ended = 0;
	sopi_slots_close_group(&world->reclaim, &one, count_end);
	assert_int_equal(ended, 2);
	assert_int_equal(sopi_slot_claim(&world->reclaim, one, false), SOPI_SLOT_CLOSED);
	assert_int_equal(sopi_slot_claim(&world->reclaim, two, false), SOPI_SLOT_CLOSED);
	assert_int_equal(sopi_slot_claim(&world->reclaim, other, false), SOPI_SLOT_IDLE);
	assert_int_equal(sopi_slot_claim(&world->reclaim, none, false), SOPI_SLOT_IDLE);
	sopi_slot_release(other);
	sopi_slot_release(none);
	sopi_slot_give(&world->reclaim, one); /* which somebody else may have now */
	again = slot_of(world, world);
	assert_ptr_equal(again, one);
	sopi_slots_close_group(&world->reclaim, &one, count_end);
	assert_int_equal(ended, 3); /* two's owner once more, and not the new one of the slot */
	assert_int_equal(sopi_slot_claim(&world->reclaim, again, false), SOPI_SLOT_IDLE);
	sopi_slot_release(again);
}

struct closing {
	struct world *world;
	struct sopi_slot *slot;
	_Atomic bool released;
};

static void close_or_work(size_t index, void *arg)
{
	struct closing *closing = arg;

	if (index == 0) {
		sopi_slots_close(&closing->world->reclaim, count_end);
		if (!atomic_load(&closing->released))
			test_note_failure("the slots were closed while a call was running");
		return;
	}
	test_sleep_us(20000);
	atomic_store(&closing->released, true);
	sopi_slot_release(closing->slot);
}

static void closing_waits_for_the_running_call(void **state)
{
	struct closing closing = { .world = *state, .slot = slot_of(*state, *state) };

	assert_int_equal(sopi_slot_claim(&closing.world->reclaim, closing.slot, false), SOPI_SLOT_IDLE);
	test_run_threads(2, close_or_work, &closing);
	TEST_NO_FAILURES();
}

static void each_slot_counts_for_itself(void **state)
{
	struct world *world = *state;
	struct sopi_slot *slot = slot_of(world, world);

	sopi_slot_count(slot, SOPI_COMMITS, 3);
	sopi_slot_count(slot, SOPI_COMMITS, 4);
	assert_int_equal(atomic_load(&slot->counters[SOPI_COMMITS]), 7);
	assert_int_equal(atomic_load(&slot->counters[SOPI_BEGINS]), 0);
}

/* ---- which versions are needed --------------------------------------------------------------- */

static void without_readers_a_superseded_version_goes_at_once(void **state)
{
	struct world *world = *state;
	struct thing *thing = supersede(world, 3, 5);

	assert_int_equal(atomic_load(&world->reclaim.waiting_bytes), THING_BYTES);
	run_at(world, 5);
	assert_true(thing->freed);
	assert_true(thing->version.unlinked);
	assert_int_equal(atomic_load(&world->reclaim.waiting_bytes), 0);
	assert_int_equal(atomic_load(&world->reclaim.pending_bytes), 0);
}

/* Ending the oldest transaction for the sake of memory must free some. */
static void only_what_waits_for_snapshots_is_held_by_them(void **state)
{
	struct world *world = *state;
	struct sopi_slot *busy = slot_of(world, world);
	struct thing *thing = supersede(world, 3, 5);

	assert_int_equal(sopi_reclaim_held_bytes(&world->reclaim), 0); /* not looked at yet */
	assert_int_equal(sopi_slot_claim(&world->reclaim, busy, false), SOPI_SLOT_IDLE);
	run_at(world, 5);
	assert_false(thing->freed); /* the call may look at it */
	assert_int_equal(atomic_load(&world->reclaim.waiting_bytes), THING_BYTES);
	assert_int_equal(sopi_reclaim_held_bytes(&world->reclaim), 0);
	sopi_slot_release(busy);
	(void)reader_at(world, 7);
	(void)supersede(world, 6, 9);
	run_at(world, 9);
	assert_true(thing->freed);
	assert_int_equal(sopi_reclaim_held_bytes(&world->reclaim), THING_BYTES);
}

static void what_is_superseded_by_an_unanswered_commit_stays(void **state)
{
	struct world *world = *state;
	struct thing *thing = supersede(world, 3, 5);

	run_at(world, 4); /* a reader may still choose 4 */
	assert_false(thing->freed);
	assert_false(thing->version.unlinked);
	run_at(world, 5);
	assert_true(thing->freed);
	assert_int_equal(atomic_load(&world->reclaim.pending_bytes), 0);
}

static void assert_pinned_by(struct world *world, uint64_t snapshot, bool pinned)
{
	struct thing *thing = supersede(world, 10, 20);
	struct sopi_slot *slot = reader_at(world, snapshot);

	run_at(world, 100);
	assert_int_equal(thing->freed, !pinned);
	sopi_slot_forget(slot);
	run_at(world, 100);
	assert_true(thing->freed);
	sopi_slot_give(&world->reclaim, slot);
}

static void a_snapshot_pins_what_was_current_at_it_and_nothing_else(void **state)
{
	assert_pinned_by(*state, 0, false);
	assert_pinned_by(*state, 9, false);
	assert_pinned_by(*state, 10, true);
	assert_pinned_by(*state, 15, true);
	assert_pinned_by(*state, 19, true);
	assert_pinned_by(*state, 20, false);
	assert_pinned_by(*state, 100, false);
}

static void the_snapshot_of_a_validation_pins_too(void **state)
{
	struct world *world = *state;
	struct sopi_slot *slot = slot_of(world, world);
	struct thing *thing = supersede(world, 10, 20);

	assert_int_equal(sopi_slot_claim(&world->reclaim, slot, true), SOPI_SLOT_IDLE);
	sopi_slot_publish(slot, 12, true);
	sopi_slot_release(slot);
	run_at(world, 100);
	assert_false(thing->freed);
	sopi_slot_forget(slot);
	run_at(world, 100);
	assert_true(thing->freed);
}

static void a_dead_node_and_a_dropped_store_are_pinned_by_all_older_snapshots(void **state)
{
	struct world *world = *state;
	struct thing *dead = supersede(world, 10, 10);
	struct thing *tree = supersede(world, 10, 20);
	struct sopi_slot *slot = reader_at(world, 2);

	dead->version.kind = SOPI_DEAD;
	tree->version.kind = SOPI_TREE;
	run_at(world, 100);
	assert_false(dead->freed || tree->freed);
	sopi_slot_forget(slot);
	run_at(world, 100);
	assert_true(dead->freed && tree->freed);
}

static void while_a_snapshot_is_being_chosen_nothing_is_freed(void **state)
{
	struct world *world = *state;
	struct sopi_slot *slot = slot_of(world, world);
	struct thing *thing = supersede(world, 10, 20);

	assert_int_equal(sopi_slot_claim(&world->reclaim, slot, true), SOPI_SLOT_IDLE);
	run_at(world, 100);
	assert_false(thing->version.unlinked);
	sopi_slot_publish(slot, 100, false);
	run_at(world, 100);
	assert_true(thing->version.unlinked); /* nobody can reach it anew */
	assert_false(thing->freed); /* but the call is running */
	sopi_slot_release(slot);
	run_at(world, 100);
	assert_true(thing->freed);
}

static void the_collecting_call_may_itself_be_choosing(void **state)
{
	struct world *world = *state;
	struct sopi_slot *slot = slot_of(world, world);
	struct thing *thing = supersede(world, 10, 20);

	assert_int_equal(sopi_slot_claim(&world->reclaim, slot, true), SOPI_SLOT_IDLE);
	atomic_store(&world->answered, 100);
	sopi_reclaim_run(&world->reclaim, &world->answered, slot);
	assert_true(thing->freed);
	sopi_slot_release(slot);
}

static void a_version_passes_from_snapshot_to_snapshot(void **state)
{
	struct world *world = *state;
	struct sopi_slot *readers[4];
	struct thing *all = supersede(world, 10, 20);
	struct thing *early = supersede(world, 10, 12);
	struct thing *late = supersede(world, 17, 20);
	const uint64_t at[4] = { 11, 13, 13, 18 };

	for (size_t i = 0; i < 4; i++)
		readers[i] = reader_at(world, at[i]);
	run_at(world, 100);
	assert_false(all->freed || early->freed || late->freed);
	sopi_slot_forget(readers[0]);
	run_at(world, 100);
	assert_true(early->freed);
	assert_false(all->freed || late->freed);
	sopi_slot_forget(readers[1]); /* another one reads at the same position */
	sopi_slot_forget(readers[3]);
	run_at(world, 100);
	assert_true(!all->freed && late->freed);
	sopi_slot_forget(readers[2]);
	run_at(world, 100);
	assert_true(all->freed);
}

/* ---- many readers ---------------------------------------------------------------------------- */

enum { MANY_READERS = 200, MANY_THINGS = 2000, MANY_POSITIONS = 1000 };

/* A commit pays for the slots that one collection looks at, divided by the commits between two. */
static void the_more_slots_the_less_often_they_are_looked_at(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < (64 << 10) / THING_BYTES; i++)
		(void)supersede(world, i, i + 1);
	assert_false(sopi_reclaim_due(&world->reclaim));
	(void)supersede(world, 1, 2);
	assert_true(sopi_reclaim_due(&world->reclaim)); /* after 64 KB */
	for (size_t i = 0; i < 5 * SOPI_SLOTS_IN_CHUNK; i++)
		(void)slot_of(world, world);
	assert_false(sopi_reclaim_due(&world->reclaim));
	for (size_t i = 0; i < (64 << 10) / THING_BYTES; i++)
		(void)supersede(world, i, i + 1);
	assert_true(sopi_reclaim_due(&world->reclaim)); /* after 512 bytes for each more */
}

/* What the snapshots hold, and the least of them that holds something, looked up the slow way. */
static void assert_held_exactly(struct world *world, struct sopi_slot **readers)
{
	uint64_t least = SOPI_POSITION_NONE;
	size_t bytes = 0;

	for (size_t i = 0; i < world->count; i++) {
		const struct sopi_version *version = &world->things[i].version;
		uint64_t holder = SOPI_POSITION_NONE;

		for (size_t k = 0; k < MANY_READERS; k++) {
			const uint64_t snapshot = atomic_load(&readers[k]->snapshot);

			if (snapshot >= version->since && snapshot < version->until && snapshot < holder)
				holder = snapshot;
		}
		bytes += holder != SOPI_POSITION_NONE ? THING_BYTES : 0;
		least = holder < least ? holder : least;
		assert_int_equal(world->things[i].freed, holder == SOPI_POSITION_NONE);
	}
	assert_int_equal(sopi_reclaim_held_bytes(&world->reclaim), bytes);
	assert_true(atomic_load(&world->reclaim.held_least) == least);
}

static void what_many_snapshots_hold_is_counted_exactly(void **state)
{
	struct world *world = *state;
	struct sopi_slot *readers[MANY_READERS];
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 7);
	for (size_t i = 0; i < MANY_READERS; i++)
		readers[i] = reader_at(world, test_rng_below(&rng, MANY_POSITIONS));
	for (size_t i = 0; i < MANY_READERS; i++) {
		for (size_t k = 0; k < MANY_THINGS / MANY_READERS; k++) {
			const uint64_t since = test_rng_below(&rng, MANY_POSITIONS);

			(void)supersede(world, since, since + 1 + test_rng_below(&rng, 20));
		}
		run_at(world, MANY_POSITIONS + 20);
		assert_held_exactly(world, readers);
		sopi_slot_forget(readers[i]);
		run_at(world, MANY_POSITIONS + 20);
		assert_held_exactly(world, readers);
	}
	assert_int_equal(world->freed, MANY_THINGS);
}

/* ---- taking out of the chain, and freeing ---------------------------------------------------- */

static void chain(struct thing *newer, struct thing *older)
{
	atomic_store(&newer->version.older, &older->version);
	atomic_store(&older->version.newer, &newer->version);
}

static void a_reader_on_an_unlinked_version_still_finds_the_older_ones(void **state)
{
	struct world *world = *state;
	struct thing head = { .version = { .since = 30 } };
	struct thing *middle = supersede(world, 20, 30);
	struct thing *last = supersede(world, 10, 20);
	struct sopi_slot *old_reader = reader_at(world, 15);
	struct sopi_slot *call = slot_of(world, world);

	chain(&head, middle);
	chain(middle, last);
	assert_int_equal(sopi_slot_claim(&world->reclaim, call, false), SOPI_SLOT_IDLE);
	run_at(world, 30);
	assert_true(middle->version.unlinked && !middle->freed);
	assert_ptr_equal(atomic_load(&head.version.older), &last->version);
	assert_ptr_equal(atomic_load(&last->version.newer), &head.version);
	assert_ptr_equal(atomic_load(&middle->version.older), &last->version);
	sopi_slot_release(call);
	sopi_slot_forget(old_reader);
	run_at(world, 30);
	assert_true(middle->freed && last->freed);
	assert_null(atomic_load(&head.version.older));
}

static void memory_waits_for_the_calls_that_began_before(void **state)
{
	struct world *world = *state;
	struct sopi_slot *before = slot_of(world, world);
	struct sopi_slot *after = slot_of(world, world);
	struct thing *thing = supersede(world, 1, 2);

	assert_int_equal(sopi_slot_claim(&world->reclaim, before, false), SOPI_SLOT_IDLE);
	run_at(world, 5);
	assert_true(thing->version.unlinked && !thing->freed);
	assert_int_equal(sopi_slot_claim(&world->reclaim, after, false), SOPI_SLOT_IDLE);
	run_at(world, 5);
	assert_false(thing->freed);
	sopi_slot_release(before);
	run_at(world, 5);
	assert_true(thing->freed); /* `after` cannot have met it */
	sopi_slot_release(after);
}

static void the_collecting_call_does_not_wait_for_itself(void **state)
{
	struct world *world = *state;
	struct sopi_slot *self = slot_of(world, world);
	struct thing *thing = supersede(world, 1, 2);

	assert_int_equal(sopi_slot_claim(&world->reclaim, self, false), SOPI_SLOT_IDLE);
	atomic_store(&world->answered, 2);
	sopi_reclaim_run(&world->reclaim, &world->answered, self);
	assert_true(thing->freed);
	assert_true(atomic_load(&self->state) > SOPI_SLOT_CLOSED); /* still claimed */
	sopi_slot_release(self);
}

static void any_number_of_collections_may_wait_for_one_call(void **state)
{
	struct world *world = *state;
	struct sopi_slot *call = slot_of(world, world);

	assert_int_equal(sopi_slot_claim(&world->reclaim, call, false), SOPI_SLOT_IDLE);
	for (uint64_t i = 1; i <= 3 * SOPI_LIMBO_BATCHES; i++) {
		supersede(world, i, i + 1);
		run_at(world, i + 1);
	}
	assert_int_equal(world->freed, 0);
	sopi_slot_release(call);
	run_at(world, 1000);
	assert_int_equal(world->freed, world->count);
	assert_int_equal(atomic_load(&world->reclaim.waiting_bytes), 0);
}

static void without_memory_nothing_is_lost(void **state)
{
	struct world *world = *state;
	struct sopi_slot *reader = reader_at(world, 15);
	struct thing *pinned = supersede(world, 10, 20);
	struct thing *free_one = supersede(world, 20, 21);

	for (int64_t n = 0; n < 3; n++) {
		sopi_alloc_fail_after(n, true);
		run_at(world, 100);
		sopi_alloc_fail_after(-1, false);
		assert_false(pinned->freed);
	}
	sopi_slot_forget(reader);
	run_at(world, 100);
	run_at(world, 100);
	assert_true(pinned->freed && free_one->freed);
}

/* A leaf that was evicted: no snapshot keeps it. */
static struct thing *evict(struct world *world)
{
	struct thing *thing = supersede(world, 1, 0);

	thing->version.unlinked = SOPI_EVICTED;
	return thing;
}

static void what_was_evicted_stays_while_it_is_pinned_and_no_longer(void **state)
{
	struct world *world = *state;
	struct sopi_slot *slot = reader_at(world, 15);
	struct thing *view = evict(world);
	struct thing *place = evict(world);
	struct thing *neither = evict(world);

	assert_int_equal(sopi_slot_claim(&world->reclaim, slot, false), SOPI_SLOT_IDLE);
	sopi_slot_pin(slot, world, &view->version, &place->version);
	assert_true(sopi_slot_pins(slot, world, &place->version));
	assert_false(sopi_slot_pins(slot, state, &place->version)); /* somebody else's */
	sopi_slot_release(slot);
	assert_int_equal(atomic_load(&world->reclaim.pinning), 1);
	run_at(world, 100);
	run_at(world, 100);
	assert_true(neither->freed && !view->freed && !place->freed);
	assert_int_equal(atomic_load(&world->reclaim.pinned_bytes), 2 * THING_BYTES);
	assert_int_equal(atomic_load(&world->reclaim.waiting_bytes), 2 * THING_BYTES);
	assert_int_equal(atomic_load(&world->reclaim.limbo_bytes), 0); /* no call holds them up */
	sopi_slot_pin(slot, world, &place->version, NULL);
	run_at(world, 100);
	assert_true(view->freed && !place->freed);
	sopi_slot_forget(slot);
	run_at(world, 100);
	assert_true(place->freed);
	assert_int_equal(atomic_load(&world->reclaim.pinning), 0);
	assert_int_equal(atomic_load(&world->reclaim.pinned_bytes), 0);
	assert_int_equal(atomic_load(&world->reclaim.waiting_bytes), 0);
}

static void without_memory_to_look_at_pins_nothing_evicted_is_freed(void **state)
{
	struct world *world = *state;
	struct sopi_slot *slot = reader_at(world, SOPI_POSITION_NONE);
	struct thing *pinned = evict(world);
	struct thing *other = evict(world);

	sopi_slot_pin(slot, world, &pinned->version, NULL);
	sopi_alloc_fail_after(0, true);
	run_at(world, 100);
	sopi_alloc_fail_after(-1, false);
	assert_false(pinned->freed || other->freed);
	run_at(world, 100);
	assert_true(other->freed && !pinned->freed);
}

static void destroying_frees_what_waits_wherever_it_waits(void **state)
{
	struct world *world = *state;
	struct thing head = { .version = { .since = 40 } };
	struct thing *limbo = supersede(world, 1, 2);
	struct thing *held = supersede(world, 10, 20);
	struct thing *pending = supersede(world, 30, 40);
	struct sopi_slot *call = slot_of(world, world);

	reader_at(world, 15);
	chain(&head, pending);
	chain(pending, held);
	assert_int_equal(sopi_slot_claim(&world->reclaim, call, false), SOPI_SLOT_IDLE);
	run_at(world, 35);
	assert_true(limbo->version.unlinked);
	assert_int_equal(world->freed, 0);
	sopi_slot_release(call);
	sopi_reclaim_destroy(&world->reclaim);
	assert_true(limbo->freed && held->freed && pending->freed);
	assert_null(atomic_load(&head.version.older)); /* no chain leads to freed memory */
	sopi_reclaim_free_slots(&world->reclaim);
	setup(state);
	free(world);
}

/* ---- everything at once ---------------------------------------------------------------------- */

enum { RANDOM_SLOTS = 6 };

/* What the test knows of each slot. */
struct random_slot {
	struct sopi_slot *slot;
	bool claimed;
	uint64_t snapshot;
	size_t seen; /* things that were in chains when its call began, or later */
};

struct random_world {
	struct random_slot slots[RANDOM_SLOTS];
	bool unlinked_before[RANDOM_SLOTS][THINGS_MAX]; /* when its call began */
};

static void nobody_may_need_it(struct world *world, const struct thing *thing)
{
	const struct random_world *random = world->more;
	const size_t number = (size_t)(thing - world->things);

	assert_true(thing->version.until <= atomic_load(&world->answered));
	for (size_t i = 0; i < RANDOM_SLOTS; i++) {
		const struct random_slot *slot = &random->slots[i];

		assert_false(slot->snapshot >= thing->version.since &&
			     slot->snapshot < thing->version.until);
		assert_false(slot->claimed && !random->unlinked_before[i][number]);
	}
}

static void slot_step(struct world *world, struct random_world *random, size_t i,
		      struct test_rng *rng, uint64_t position)
{
	struct random_slot *slot = &random->slots[i];

	if (slot->claimed) {
		if (test_rng_once_in(rng, 2)) {
			slot->snapshot = SOPI_POSITION_NONE;
			sopi_slot_forget(slot->slot);
		}
		slot->claimed = false;
		sopi_slot_release(slot->slot);
		return;
	}
	assert_int_equal(sopi_slot_claim(&world->reclaim, slot->slot, true), SOPI_SLOT_IDLE);
	slot->claimed = true;
	for (size_t t = 0; t < world->count; t++)
		random->unlinked_before[i][t] = world->things[t].version.unlinked;
	for (size_t t = world->count; t < THINGS_MAX; t++)
		random->unlinked_before[i][t] = false;
	if (slot->snapshot == SOPI_POSITION_NONE)
		slot->snapshot = position;
	sopi_slot_publish(slot->slot, slot->snapshot, false);
}

static void in_any_order_nothing_needed_is_freed_and_everything_else_is(void **state)
{
	struct random_world *random = test_alloc(sizeof *random);
	struct world *world = *state;
	uint64_t since[8] = { 0 };
	uint64_t position = 1;
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 0);
	memset(random, 0, sizeof *random);
	world->more = random;
	world->at_free = nobody_may_need_it;
	atomic_store(&world->answered, position);
	for (size_t i = 0; i < RANDOM_SLOTS; i++) {
		random->slots[i].slot = slot_of(world, world);
		random->slots[i].snapshot = SOPI_POSITION_NONE;
	}
	while (world->count < THINGS_MAX) {
		const size_t chain_number = test_rng_below(&rng, 8);

		supersede(world, since[chain_number], ++position);
		since[chain_number] = position;
		if (test_rng_once_in(&rng, 3))
			atomic_store(&world->answered, position);
		if (test_rng_once_in(&rng, 3))
			slot_step(world, random, test_rng_below(&rng, RANDOM_SLOTS), &rng,
				  atomic_load(&world->answered));
		if (test_rng_once_in(&rng, 2))
			sopi_reclaim_run(&world->reclaim, &world->answered, NULL);
	}
	assert_true(world->freed > THINGS_MAX / 2); /* most are needed by nobody */
	for (size_t i = 0; i < RANDOM_SLOTS; i++) {
		sopi_slot_forget(random->slots[i].slot);
		sopi_slot_release(random->slots[i].slot);
		random->slots[i].claimed = false;
		random->slots[i].snapshot = SOPI_POSITION_NONE;
	}
	run_at(world, position);
	assert_int_equal(world->freed, THINGS_MAX);
	assert_int_equal(atomic_load(&world->reclaim.pending_bytes), 0);
	assert_int_equal(atomic_load(&world->reclaim.waiting_bytes), 0);
	free(random);
}

int main(int argc, char **argv)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(one_call_at_a_time_has_the_slot),
		WORLD_TEST(a_slot_publishes_two_snapshots_and_forgets_both),
		WORLD_TEST(slots_are_many_and_used_again),
		WORLD_TEST(no_memory_for_a_slot_is_said),
		cmocka_unit_test(no_memory_at_the_start_leaves_nothing),
		WORLD_TEST(closing_ends_every_owner_and_lets_nobody_in),
		WORLD_TEST(closing_a_group_leaves_the_others),
		WORLD_TEST(closing_waits_for_the_running_call),
		WORLD_TEST(each_slot_counts_for_itself),
		WORLD_TEST(without_readers_a_superseded_version_goes_at_once),
		WORLD_TEST(only_what_waits_for_snapshots_is_held_by_them),
		WORLD_TEST(what_is_superseded_by_an_unanswered_commit_stays),
		WORLD_TEST(a_snapshot_pins_what_was_current_at_it_and_nothing_else),
		WORLD_TEST(the_snapshot_of_a_validation_pins_too),
		WORLD_TEST(a_dead_node_and_a_dropped_store_are_pinned_by_all_older_snapshots),
		WORLD_TEST(while_a_snapshot_is_being_chosen_nothing_is_freed),
		WORLD_TEST(the_collecting_call_may_itself_be_choosing),
		WORLD_TEST(a_version_passes_from_snapshot_to_snapshot),
		WORLD_TEST(the_more_slots_the_less_often_they_are_looked_at),
		WORLD_TEST(what_many_snapshots_hold_is_counted_exactly),
		WORLD_TEST(a_reader_on_an_unlinked_version_still_finds_the_older_ones),
		WORLD_TEST(memory_waits_for_the_calls_that_began_before),
		WORLD_TEST(the_collecting_call_does_not_wait_for_itself),
		WORLD_TEST(any_number_of_collections_may_wait_for_one_call),
		WORLD_TEST(without_memory_nothing_is_lost),
		WORLD_TEST(what_was_evicted_stays_while_it_is_pinned_and_no_longer),
		WORLD_TEST(without_memory_to_look_at_pins_nothing_evicted_is_freed),
		WORLD_TEST(destroying_frees_what_waits_wherever_it_waits),
		WORLD_TEST(in_any_order_nothing_needed_is_freed_and_everything_else_is),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("reclaim", tests, NULL, NULL);
}
