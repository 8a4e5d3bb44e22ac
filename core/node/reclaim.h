/* When old versions may be freed.
 *
 * Every transaction handle has a *slot*. A call claims it (one compare-and-swap: the check for two
 * threads in one transaction, the check for a closed database and the reader's fence in one) and
 * releases it by a plain store. The slot also publishes the snapshot that its transaction reads at.
 *
 * A version that was current in [since, until) goes in two steps. It is taken out of its chain once
 * `until` is at or below the highest answered position (loaded before the slots are read) and no
 * published snapshot lies in the interval: then nobody can reach it anew. Its memory is freed once
 * no claimed slot began its call before that, since a running call may still hold a pointer. So an
 * hour-long reader pins the versions that it needs, and nothing else.
 *
 * What was evicted no snapshot keeps, since it is on disk. A transaction whose caller looks into a
 * leaf between two calls, or whose scan stands on one, says so in its slot (a pin: a hazard pointer,
 * Michael 2004): memory of an evicted leaf that is pinned stays until a later collection finds it
 * unpinned. A transaction pins two leaves at most. */
#ifndef SOPI_RECLAIM_H
#define SOPI_RECLAIM_H

#include "base/error.h"
#include "node/version.h"
#include "platform/thread.h"

#include <stdbool.h>
#include <stddef.h>

/* States of a slot that no call has claimed. */
#define SOPI_SLOT_IDLE 0u
#define SOPI_SLOT_CLOSED 1u
/* And of one whose call holds nothing. */
#define SOPI_SLOT_PARKED (UINT64_MAX - 1)

/* What transactions count; summed up over all slots, so that no line is shared between threads. */
enum sopi_counter {
	SOPI_BEGINS,
	SOPI_COMMITS,
	SOPI_READS_ENDED,
	SOPI_ROLLBACKS,
	SOPI_CONFLICTS,
	SOPI_RETRIES,
	SOPI_OPERATIONS,
	SOPI_COUNTERS
};

/* What a transaction may look at between two calls. */
enum sopi_pin {
	SOPI_PIN_VIEW, /* where the views lie that its caller was given */
	SOPI_PIN_PLACE, /* where its scan goes on */
	SOPI_PINS
};

struct sopi_slot {
	_Alignas(64) _Atomic uint64_t state; /* IDLE, CLOSED, or epoch << 1 | a snapshot is being chosen */
	_Atomic uint64_t snapshot; /* what the transaction reads at, or SOPI_POSITION_NONE */
	_Atomic uint64_t head_snapshot; /* what its validation reads at, or SOPI_POSITION_NONE */
	_Atomic int64_t seen_ns; /* monotonic time when stats first met this snapshot; 0: not yet */
	_Atomic uint64_t counters[SOPI_COUNTERS]; /* sopi_counter; written by the holder only */
	void *owner; /* the transaction, for closing; guarded by the slots' mutex */
	_Atomic(const void *) group; /* of slots that are closed together; NULL: none */
	_Atomic(const struct sopi_version *) pins[SOPI_PINS]; /* by sopi_pin; NULL: none */
	const void *pinned_for; /* whose pins they are; the holder's */
	_Atomic size_t *pinning; /* counts the slots that may have pins */
	bool may_have_pins; /* it counts this one */
	struct sopi_slot *next_free;
};

enum { SOPI_SLOTS_IN_CHUNK = 32 };

/* What may wait for the next collection: so much, and this for each slot, which a collection looks at (there are 32 at least). So a commit pays for
 * the same number of slots however many there are; a transaction takes more memory than that itself. */
enum { SOPI_DUE_BYTES = 48 << 10, SOPI_DUE_SLOT_BYTES = 512 };

struct sopi_slot_chunk {
	struct sopi_slot slots[SOPI_SLOTS_IN_CHUNK];
	_Atomic(struct sopi_slot_chunk *) next;
};

/* Versions that wait together. */
struct sopi_version_list {
	struct sopi_version *first;
	struct sopi_version *last;
	size_t bytes;
};

struct sopi_held; /* versions that one snapshot pins */

enum { SOPI_LIMBO_BATCHES = 16 };

struct sopi_reclaim {
	_Alignas(64) _Atomic uint64_t epoch; /* read by every claim, written once for each collection */
	_Alignas(64) sopi_mutex slots_mutex; /* guards the free slots and their owners; docs/locks.md */
	_Atomic(struct sopi_slot_chunk *) chunks;
	struct sopi_slot *free_slots;
	bool closed; /* no more slots are given */
	sopi_mutex pending_mutex; /* guards `pending`; leaf of the lock order */
	struct sopi_version_list pending;
	_Atomic size_t pending_bytes;
	_Atomic size_t due_bytes; /* of them, that are worth a collection; grows with the slots */
	_Atomic uint64_t held_least; /* the least snapshot that pins something, or SOPI_POSITION_NONE */
	_Atomic size_t held_bytes; /* what snapshots pin, as of the newest collection */
	sopi_mutex mutex; /* one collection at a time; guards what follows */
	struct sopi_held *held; /* ascending by snapshot */
	size_t held_count;
	size_t held_capacity;
	uint64_t *snapshots; /* scratch of a collection */
	size_t snapshot_capacity;
	struct {
		uint64_t epoch;
		struct sopi_version_list list;
	} limbo[SOPI_LIMBO_BATCHES]; /* unlinked, oldest first */
	size_t limbo_count;
	struct sopi_version_list pinned; /* evicted, and nobody's but that of pins */
	const struct sopi_version **pins; /* scratch of a collection: all pins, ascending */
	size_t pin_count;
	size_t pin_capacity;
	_Atomic size_t pinned_bytes; /* of `pinned` */
	_Atomic size_t pinning; /* slots that may have pins */
	_Atomic size_t limbo_bytes; /* what waits only for calls to end */
	_Atomic size_t waiting_bytes; /* all of the above, for stats */
	void (*dispose)(void *owner, struct sopi_version *version); /* frees a version */
	size_t (*size_of)(const struct sopi_version *version); /* its bytes, for accounting */
	void *owner;
};

sop_status sopi_reclaim_init(struct sopi_reclaim *reclaim,
			     void (*dispose)(void *, struct sopi_version *),
			     size_t (*size_of)(const struct sopi_version *), void *owner,
			     sop_error *err);

/* Closes all slots, waiting for running calls, and calls `end` for each owner. New claims find
 * them closed. */
void sopi_slots_close(struct sopi_reclaim *reclaim, void (*end)(void *owner));

/* The same for the slots of one group; others go on, and new ones are given. A call on the group that takes slots must
 * have claimed one of the group meanwhile. */
void sopi_slots_close_group(struct sopi_reclaim *reclaim, const void *group, void (*end)(void *owner));

/* Frees everything that waits, whoever may need it; the slots stay. REQUIRES: no call is running.
 * */
void sopi_reclaim_destroy(struct sopi_reclaim *reclaim);

/* Frees the slots. REQUIRES: nobody has one. */
void sopi_reclaim_free_slots(struct sopi_reclaim *reclaim);

/* A slot of `owner`'s own; CLOSED, NO_MEMORY. */
sop_status sopi_slot_take(struct sopi_reclaim *reclaim, void *owner, struct sopi_slot **out,
			  sop_error *err);

/* Makes the slot one of `group` until it is given back. */
static inline void sopi_slot_join(struct sopi_slot *slot, const void *group)
{
	atomic_store_explicit(&slot->group, group, memory_order_release);
}

/* Calls `end` for the owner of a slot that the closing of all slots has found, unless that has been
 * done already; it may be done twice. */
void sopi_slot_end(struct sopi_reclaim *reclaim, struct sopi_slot *slot, void (*end)(void *owner));

/* The owner goes and its slot stays, for calls that come late. REQUIRES: it is closed, and its owner has been ended. */
void sopi_slot_disown(struct sopi_reclaim *reclaim, struct sopi_slot *slot);

/* Gives it back. REQUIRES: it is closed, and has published nothing. */
void sopi_slot_give(struct sopi_reclaim *reclaim, struct sopi_slot *slot);

/* Claims an idle slot for a call. Returns the state found: SOPI_SLOT_IDLE if it is now ours,
 * SOPI_SLOT_CLOSED, or that of another call. */
static inline uint64_t sopi_slot_claim(struct sopi_reclaim *reclaim, struct sopi_slot *slot, bool choosing)
{
	const uint64_t epoch = atomic_load_explicit(&reclaim->epoch, memory_order_acquire);
	uint64_t found = SOPI_SLOT_IDLE;

	atomic_compare_exchange_strong_explicit(&slot->state, &found, epoch << 1 | (choosing ? 1u : 0u),
						memory_order_seq_cst, memory_order_acquire);
	return found;
}

/* Says that the claimed slot is about to publish another snapshot; loads of `answered` or `applied`
 * that follow are safe to publish. */
static inline void sopi_slot_choose(struct sopi_slot *slot)
{
	const uint64_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);

	atomic_exchange_explicit(&slot->state, state | 1u, memory_order_seq_cst);
}

/* Publishes the snapshot that was chosen. */
static inline void sopi_slot_publish(struct sopi_slot *slot, uint64_t snapshot, bool head)
{
	const uint64_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);

	atomic_store_explicit(head ? &slot->head_snapshot : &slot->snapshot, snapshot,
			      memory_order_release);
	atomic_store_explicit(&slot->state, state & ~(uint64_t)1, memory_order_release);
}

/* The slot needs no snapshot any more. */
static inline void sopi_slot_forget(struct sopi_slot *slot)
{
	atomic_store_explicit(&slot->snapshot, SOPI_POSITION_NONE, memory_order_release);
	atomic_store_explicit(&slot->head_snapshot, SOPI_POSITION_NONE, memory_order_release);
	if (!slot->may_have_pins)
		return;
	slot->may_have_pins = false;
	atomic_fetch_sub_explicit(slot->pinning, 1, memory_order_relaxed);
	atomic_store_explicit(&slot->pins[SOPI_PIN_VIEW], NULL, memory_order_release);
	atomic_store_explicit(&slot->pins[SOPI_PIN_PLACE], NULL, memory_order_release);
}

/* Pins versions that the running call has found, or that were pinned for `whom` before, until the next pins or the end of the
 * snapshot. A leaf may go from `place` to `view`, and not back: collections look at `place` first. REQUIRES: the slot is
 * claimed. */
static inline void sopi_slot_pin(struct sopi_slot *slot, const void *whom,
				 const struct sopi_version *view, const struct sopi_version *place)
{
	if (SOPI_UNLIKELY(!slot->may_have_pins)) {
		slot->may_have_pins = true;
		atomic_fetch_add_explicit(slot->pinning, 1, memory_order_relaxed);
	}
	if (atomic_load_explicit(&slot->pins[SOPI_PIN_VIEW], memory_order_relaxed) != view)
		atomic_store_explicit(&slot->pins[SOPI_PIN_VIEW], view, memory_order_release);
	if (atomic_load_explicit(&slot->pins[SOPI_PIN_PLACE], memory_order_relaxed) != place)
		atomic_store_explicit(&slot->pins[SOPI_PIN_PLACE], place, memory_order_release);
	slot->pinned_for = whom;
}

/* Is `place` pinned, and by `whom`? An address alone says nothing: other memory may have got it since. */
static inline bool sopi_slot_pins(const struct sopi_slot *slot, const void *whom,
				  const struct sopi_version *place)
{
	return slot->pinned_for == whom &&
	       atomic_load_explicit(&slot->pins[SOPI_PIN_PLACE], memory_order_relaxed) == place;
}

/* Lets go of every pointer into a block that the running call has: it counts as begun now. For long calls, so that they
 * do not hold up the memory of what was evicted meanwhile. */
static inline void sopi_slot_refresh(struct sopi_reclaim *reclaim, struct sopi_slot *slot)
{
	const uint64_t epoch = atomic_load_explicit(&reclaim->epoch, memory_order_acquire);

	atomic_store_explicit(&slot->state, epoch << 1, memory_order_seq_cst);
}

/* The call goes on for long without any pointer into a block: it holds up nobody's memory. sopi_slot_refresh, or its
 * end, ends that. */
static inline void sopi_slot_park(struct sopi_slot *slot)
{
	atomic_store_explicit(&slot->state, SOPI_SLOT_PARKED, memory_order_seq_cst);
}

/* Counts an event. REQUIRES: the slot is claimed. */
static inline void sopi_slot_count(struct sopi_slot *slot, enum sopi_counter counter, uint64_t by)
{
	const uint64_t value = atomic_load_explicit(&slot->counters[counter], memory_order_relaxed);

	atomic_store_explicit(&slot->counters[counter], value + by, memory_order_relaxed);
}

/* Ends the call. */
static inline void sopi_slot_release(struct sopi_slot *slot)
{
	atomic_store_explicit(&slot->state, SOPI_SLOT_IDLE, memory_order_release);
}

/* Adds superseded versions, whose `until` is set. Never fails. */
void sopi_reclaim_add(struct sopi_reclaim *reclaim, struct sopi_version_list *list);

/* Puts `version` at the end of `list`. */
void sopi_version_list_add(struct sopi_version_list *list, struct sopi_version *version, size_t bytes);

/* Is there enough waiting to make a collection worth its scan of the slots? */
static inline bool sopi_reclaim_due(struct sopi_reclaim *reclaim)
{
	return atomic_load_explicit(&reclaim->pending_bytes, memory_order_relaxed) >=
	       atomic_load_explicit(&reclaim->due_bytes, memory_order_relaxed);
}

/* Bytes that waited for snapshots to end when the newest collection ended. What waits for running calls, for pins, or for
 * the next collection is none of them: the end of a transaction would free nothing of it. */
static inline size_t sopi_reclaim_held_bytes(struct sopi_reclaim *reclaim)
{
	return atomic_load_explicit(&reclaim->held_bytes, memory_order_relaxed);
}

/* Collects, unless another thread does: unlinks what no snapshot needs, frees what no call can
 * hold.
 * answered: the highest answered position. self: the caller's claimed slot, which holds no pointer
 * now; or NULL. */
void sopi_reclaim_run(struct sopi_reclaim *reclaim, const _Atomic uint64_t *answered,
		      struct sopi_slot *self);

/* The epoch of the call that has been running longest, UINT64_MAX if there is none: what it may hold waits for it.
 * *running: how many calls may hold something. */
uint64_t sopi_reclaim_oldest(struct sopi_reclaim *reclaim, size_t *running);

/* Calls `fn` for each superseded version of a kind that has not been disposed of yet. No collection runs meanwhile. */
void sopi_reclaim_each(struct sopi_reclaim *reclaim, enum sopi_version_kind kind,
		       void (*fn)(void *arg, const struct sopi_version *version), void *arg);

/* The least position that any transaction reads at or may yet begin to read at. False: a snapshot is just being chosen,
 * nothing can be said now. */
bool sopi_reclaim_least(struct sopi_reclaim *reclaim, const _Atomic uint64_t *answered, uint64_t *least);

/* Walks over all slots: *chunk and *index start NULL and 0; NULL at the end. */
struct sopi_slot *sopi_slot_next(struct sopi_reclaim *reclaim, struct sopi_slot_chunk **chunk,
				 size_t *index);

#endif
