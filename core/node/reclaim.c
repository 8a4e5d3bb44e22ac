/* Slots, and the two steps in which old versions are freed. */
#include "node/reclaim.h"

#include "base/alloc.h"
#include "base/plant.h"

#include <stdlib.h>
#include <string.h>

struct sopi_held {
	uint64_t snapshot;
	struct sopi_version_list list;
};

/* ---- slots ------------------------------------------------------------------------------------- */

static sop_status chunk_add_locked(struct sopi_reclaim *reclaim, sop_error *err)
{
	void *memory = NULL;
	struct sopi_slot_chunk *chunk;

	SOP_TRY(sopi_alloc_aligned(64, sizeof *chunk, &memory, err));
	chunk = memory;
	memset(chunk, 0, sizeof *chunk);
	for (size_t i = 0; i < SOPI_SLOTS_IN_CHUNK; i++) {
		struct sopi_slot *slot = &chunk->slots[i];

		atomic_init(&slot->snapshot, SOPI_POSITION_NONE);
		atomic_init(&slot->head_snapshot, SOPI_POSITION_NONE);
		slot->pinning = &reclaim->pinning;
		slot->next_free = reclaim->free_slots;
		reclaim->free_slots = slot;
	}
	atomic_store_explicit(&chunk->next, atomic_load_explicit(&reclaim->chunks, memory_order_relaxed),
			      memory_order_relaxed);
	atomic_store_explicit(&reclaim->chunks, chunk, memory_order_seq_cst);
	atomic_fetch_add_explicit(&reclaim->due_bytes, SOPI_SLOTS_IN_CHUNK * SOPI_DUE_SLOT_BYTES,
				  memory_order_relaxed);
	return SOP_OK;
}

sop_status sopi_slot_take(struct sopi_reclaim *reclaim, void *owner, struct sopi_slot **out,
			  sop_error *err)
{
	sop_status status = SOP_OK;
	struct sopi_slot *slot;

	sopi_mutex_lock(&reclaim->slots_mutex);
	if (reclaim->closed)
		SOP_TRY_OUT(sopi_fail(err, SOP_CLOSED, "the database is closed; open it again"));
	if (reclaim->free_slots == NULL)
		SOP_TRY_OUT(chunk_add_locked(reclaim, err));
	slot = reclaim->free_slots;
	reclaim->free_slots = slot->next_free;
	slot->owner = owner;
	*out = slot;
out:
	sopi_mutex_unlock(&reclaim->slots_mutex);
	return status;
}

void sopi_slot_end(struct sopi_reclaim *reclaim, struct sopi_slot *slot, void (*end)(void *owner))
{
	sopi_mutex_lock(&reclaim->slots_mutex);
	end(slot->owner);
	sopi_mutex_unlock(&reclaim->slots_mutex);
}

void sopi_slot_disown(struct sopi_reclaim *reclaim, struct sopi_slot *slot)
{
	sopi_mutex_lock(&reclaim->slots_mutex);
	slot->owner = NULL;
	sopi_mutex_unlock(&reclaim->slots_mutex);
}

void sopi_slot_give(struct sopi_reclaim *reclaim, struct sopi_slot *slot)
{
	sopi_mutex_lock(&reclaim->slots_mutex);
	if (!reclaim->closed)
		atomic_store_explicit(&slot->state, SOPI_SLOT_IDLE, memory_order_release);
	slot->owner = NULL;
	sopi_slot_join(slot, NULL);
	slot->next_free = reclaim->free_slots;
	reclaim->free_slots = slot;
	sopi_mutex_unlock(&reclaim->slots_mutex);
}

struct sopi_slot *sopi_slot_next(struct sopi_reclaim *reclaim, struct sopi_slot_chunk **chunk,
				 size_t *index)
{
	if (*chunk == NULL)
		*chunk = atomic_load_explicit(&reclaim->chunks, memory_order_seq_cst);
	else if (*index == SOPI_SLOTS_IN_CHUNK)
		*chunk = atomic_load_explicit(&(*chunk)->next, memory_order_acquire);
	if (*index == SOPI_SLOTS_IN_CHUNK)
		*index = 0;
	return *chunk == NULL ? NULL : &(*chunk)->slots[(*index)++];
}

/* ---- lists ------------------------------------------------------------------------------------- */

void sopi_version_list_add(struct sopi_version_list *list, struct sopi_version *version, size_t bytes)
{
	version->next = NULL;
	if (list->last != NULL)
		list->last->next = version;
	else
		list->first = version;
	list->last = version;
	list->bytes += bytes;
}

static void list_splice(struct sopi_version_list *to, struct sopi_version_list *from)
{
	if (from->first == NULL)
		return;
	if (to->last != NULL)
		to->last->next = from->first;
	else
		to->first = from->first;
	to->last = from->last;
	to->bytes += from->bytes;
	memset(from, 0, sizeof *from);
}

void sopi_reclaim_add(struct sopi_reclaim *reclaim, struct sopi_version_list *list)
{
	if (list->first == NULL)
		return;
	atomic_fetch_add_explicit(&reclaim->waiting_bytes, list->bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&reclaim->pending_bytes, list->bytes, memory_order_relaxed);
	sopi_mutex_lock(&reclaim->pending_mutex);
	list_splice(&reclaim->pending, list);
	sopi_mutex_unlock(&reclaim->pending_mutex);
}

sop_status sopi_reclaim_init(struct sopi_reclaim *reclaim,
			     void (*dispose)(void *, struct sopi_version *),
			     size_t (*size_of)(const struct sopi_version *), void *owner, sop_error *err)
{
	sop_status status;

	memset(reclaim, 0, sizeof *reclaim);
	sopi_mutex_init(&reclaim->slots_mutex);
	sopi_mutex_init(&reclaim->pending_mutex);
	sopi_mutex_init(&reclaim->mutex);
	atomic_init(&reclaim->held_least, SOPI_POSITION_NONE);
	atomic_init(&reclaim->due_bytes, SOPI_DUE_BYTES);
	atomic_init(&reclaim->epoch, 2); /* an epoch is never mistaken for IDLE or CLOSED */
	reclaim->dispose = dispose;
	reclaim->size_of = size_of;
	reclaim->owner = owner;
	status = chunk_add_locked(reclaim, err);
	if (status != SOP_OK) {
		sopi_reclaim_destroy(reclaim);
		sopi_reclaim_free_slots(reclaim);
	}
	return status;
}

static void dispose_all(struct sopi_reclaim *reclaim, struct sopi_version_list *list)
{
	struct sopi_version *version = list->first;

	atomic_fetch_sub_explicit(&reclaim->waiting_bytes, list->bytes, memory_order_relaxed);
	memset(list, 0, sizeof *list);
	while (version != NULL) {
		struct sopi_version *next = version->next;

		reclaim->dispose(reclaim->owner, version);
		version = next;
	}
}

/* ---- collecting -------------------------------------------------------------------------------- */

/* What one collection saw. */
struct look {
	uint64_t answered;
	size_t snapshot_count; /* in reclaim->snapshots, ascending */
};

static int compare_positions(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

static bool snapshot_note(struct sopi_reclaim *reclaim, struct look *look, uint64_t snapshot)
{
	if (snapshot == SOPI_POSITION_NONE)
		return true;
	if (sopi_grow(&reclaim->snapshots, look->snapshot_count, &reclaim->snapshot_capacity,
		      sizeof *reclaim->snapshots, NULL) != SOP_OK)
		return false;
	reclaim->snapshots[look->snapshot_count++] = snapshot;
	return true;
}

/* Reads all slots. False if a snapshot is just being chosen, or memory is short: then nothing can
 * be said now. */
static bool look_around(struct sopi_reclaim *reclaim, const _Atomic uint64_t *answered,
			const struct sopi_slot *self, struct look *look)
{
	struct sopi_slot_chunk *chunk = NULL;
	struct sopi_slot *slot;
	size_t index = 0;

	look->snapshot_count = 0;
	look->answered = atomic_load_explicit(answered, memory_order_seq_cst); /* before the slots */
	while ((slot = sopi_slot_next(reclaim, &chunk, &index)) != NULL) {
		const uint64_t state = atomic_load_explicit(&slot->state, memory_order_seq_cst);

		if (slot != self && state > SOPI_SLOT_CLOSED && (state & 1) != 0)
			return false;
		if (!snapshot_note(reclaim, look,
				   atomic_load_explicit(&slot->snapshot, memory_order_seq_cst)) ||
		    !snapshot_note(reclaim, look,
				   atomic_load_explicit(&slot->head_snapshot, memory_order_seq_cst)))
			return false;
	}
	if (look->snapshot_count > 1)
		qsort(reclaim->snapshots, look->snapshot_count, sizeof *reclaim->snapshots,
		      compare_positions);
	return true;
}

bool sopi_reclaim_least(struct sopi_reclaim *reclaim, const _Atomic uint64_t *answered, uint64_t *least)
{
	struct sopi_slot_chunk *chunk = NULL;
	struct sopi_slot *slot;
	size_t index = 0;

	*least = atomic_load_explicit(answered, memory_order_seq_cst); /* before the slots */
	while ((slot = sopi_slot_next(reclaim, &chunk, &index)) != NULL) {
		const uint64_t state = atomic_load_explicit(&slot->state, memory_order_seq_cst);
		const uint64_t snapshot = atomic_load_explicit(&slot->snapshot, memory_order_seq_cst);
		const uint64_t head = atomic_load_explicit(&slot->head_snapshot, memory_order_seq_cst);

		if (state > SOPI_SLOT_CLOSED && (state & 1) != 0)
			return false;
		*least = snapshot < *least ? snapshot : *least;
		*least = head < *least ? head : *least;
	}
	return true;
}

/* The least snapshot at or above `from`, or NONE. */
static uint64_t snapshot_from(const struct sopi_reclaim *reclaim, const struct look *look, uint64_t from)
{
	size_t low = 0;
	size_t high = look->snapshot_count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (reclaim->snapshots[middle] < from)
			low = middle + 1;
		else
			high = middle;
	}
	return low < look->snapshot_count ? reclaim->snapshots[low] : SOPI_POSITION_NONE;
}

/* The first of the lists in `held` that is of `snapshot` or a later one. */
static size_t held_from(const struct sopi_reclaim *reclaim, uint64_t snapshot)
{
	size_t low = 0;
	size_t high = reclaim->held_count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (reclaim->held[middle].snapshot < snapshot)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The list of what `snapshot` pins; NULL if memory is short. */
static struct sopi_version_list *held_list(struct sopi_reclaim *reclaim, uint64_t snapshot)
{
	const size_t at = held_from(reclaim, snapshot);
	struct sopi_held *held;

	if (at < reclaim->held_count && reclaim->held[at].snapshot == snapshot)
		return &reclaim->held[at].list;
	if (sopi_grow(&reclaim->held, reclaim->held_count, &reclaim->held_capacity,
		      sizeof *reclaim->held, NULL) != SOP_OK)
		return NULL;
	held = &reclaim->held[at];
	memmove(held + 1, held, (reclaim->held_count++ - at) * sizeof *held);
	*held = (struct sopi_held){ snapshot, { NULL, NULL, 0 } };
	return &held->list;
}

/* Takes a version out of its chain. Readers that stand on it still find the way to the older ones.
 * */
static void unlink_version(struct sopi_version *version)
{
	struct sopi_version *older = atomic_load_explicit(&version->older, memory_order_relaxed);
	struct sopi_version *newer = atomic_load_explicit(&version->newer, memory_order_relaxed);

	if (version->unlinked != SOPI_LINKED)
		return;
	version->unlinked = SOPI_UNLINKED;
	if (newer != NULL)
		atomic_store_explicit(&newer->older, older, memory_order_release);
	if (older != NULL)
		atomic_store_explicit(&older->newer, newer, memory_order_relaxed);
}

/* Sorts one version: to what is unlinked, to what a snapshot pins, or back to what waits. */
static void sort_version(struct sopi_reclaim *reclaim, const struct look *look,
			 struct sopi_version *version, struct sopi_version_list *freed,
			 struct sopi_version_list *again)
{
	const size_t bytes = reclaim->size_of(version);
	/* A dead node and a dropped store may be reached from any snapshot before their end. */
	const uint64_t since =
		version->kind == SOPI_DEAD || version->kind == SOPI_TREE ? 0 : version->since;
	struct sopi_version_list *to = again;

	if (version->until <= look->answered) {
		const uint64_t snapshot = snapshot_from(reclaim, look, since);

		if (snapshot >= version->until || SOPI_PLANTED(SOPI_PLANT_GC_IGNORES_SNAPSHOTS)) {
			unlink_version(version);
			to = freed;
		} else {
			to = held_list(reclaim, snapshot);
			if (to == NULL)
				to = again;
		}
	}
	sopi_version_list_add(to, version, bytes);
}

static void sort_list(struct sopi_reclaim *reclaim, const struct look *look,
		      struct sopi_version_list list, struct sopi_version_list *freed,
		      struct sopi_version_list *again)
{
	struct sopi_version *version = list.first;

	while (version != NULL) {
		struct sopi_version *next = version->next;

		sort_version(reclaim, look, version, freed, again);
		version = next;
	}
}

/* Sorts again what was pinned by snapshots that have gone. */
static void sort_held(struct sopi_reclaim *reclaim, const struct look *look,
		      struct sopi_version_list *freed, struct sopi_version_list *again)
{
	struct sopi_version_list gone = { NULL, NULL, 0 };
	size_t kept = 0, seen = 0; /* both arrays ascend */

	for (size_t i = 0; i < reclaim->held_count; i++) {
		struct sopi_held *held = &reclaim->held[i];

		while (seen < look->snapshot_count && reclaim->snapshots[seen] < held->snapshot)
			seen++;
		if (seen < look->snapshot_count && reclaim->snapshots[seen] == held->snapshot)
			reclaim->held[kept++] = *held;
		else
			list_splice(&gone, &held->list);
	}
	reclaim->held_count = kept;
	sort_list(reclaim, look, gone, freed, again);
}

/* Publishes which snapshot's end is worth a collection, and what all of them hold. */
static void note_held(struct sopi_reclaim *reclaim)
{
	size_t bytes = 0;

	for (size_t i = 0; i < reclaim->held_count; i++)
		bytes += reclaim->held[i].list.bytes;
	atomic_store_explicit(&reclaim->held_least,
			      reclaim->held_count == 0 ? SOPI_POSITION_NONE : reclaim->held[0].snapshot,
			      memory_order_relaxed);
	atomic_store_explicit(&reclaim->held_bytes, bytes, memory_order_relaxed);
}

uint64_t sopi_reclaim_oldest(struct sopi_reclaim *reclaim, size_t *running)
{
	struct sopi_slot_chunk *chunk = NULL;
	struct sopi_slot *slot;
	uint64_t oldest = UINT64_MAX;
	size_t index = 0;

	*running = 0;
	while ((slot = sopi_slot_next(reclaim, &chunk, &index)) != NULL) {
		const uint64_t state = atomic_load_explicit(&slot->state, memory_order_seq_cst);

		if (state <= SOPI_SLOT_CLOSED || state == SOPI_SLOT_PARKED)
			continue;
		++*running;
		if (state >> 1 < oldest)
			oldest = state >> 1;
	}
	return oldest;
}

static void limbo_enter(struct sopi_reclaim *reclaim, struct sopi_version_list *freed,
			struct sopi_slot *self)
{
	const uint64_t epoch = atomic_fetch_add_explicit(&reclaim->epoch, 1, memory_order_seq_cst);

	if (self != NULL) /* the caller holds no pointer: its call may count as begun now */
		atomic_store_explicit(&self->state, (epoch + 1) << 1, memory_order_seq_cst);
	if (freed->first == NULL)
		return;
	atomic_fetch_add_explicit(&reclaim->limbo_bytes, freed->bytes, memory_order_relaxed);
	if (reclaim->limbo_count == SOPI_LIMBO_BATCHES) {
		list_splice(&reclaim->limbo[SOPI_LIMBO_BATCHES - 1].list, freed);
		reclaim->limbo[SOPI_LIMBO_BATCHES - 1].epoch = epoch;
		return;
	}
	reclaim->limbo[reclaim->limbo_count].epoch = epoch;
	reclaim->limbo[reclaim->limbo_count].list = *freed;
	reclaim->limbo_count++;
}

/* ---- pins -------------------------------------------------------------------------------------- */

static int compare_addresses(const void *a, const void *b)
{
	const struct sopi_version *x, *y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return ((uintptr_t)x > (uintptr_t)y) - ((uintptr_t)x < (uintptr_t)y);
}

static bool pin_note(struct sopi_reclaim *reclaim, const struct sopi_version *version)
{
	if (version == NULL)
		return true;
	if (sopi_grow(&reclaim->pins, reclaim->pin_count, &reclaim->pin_capacity,
		      sizeof *reclaim->pins, NULL) != SOP_OK)
		return false;
	reclaim->pins[reclaim->pin_count++] = version;
	return true;
}

/* Reads the pins of all slots. False if memory is short. REQUIRES: what is to be freed was looked for in the slots' states
 * before: a call that found it there has ended, and says here what it keeps. */
static bool look_at_pins(struct sopi_reclaim *reclaim)
{
	struct sopi_slot_chunk *chunk = NULL;
	struct sopi_slot *slot;
	size_t index = 0;

	reclaim->pin_count = 0;
	while ((slot = sopi_slot_next(reclaim, &chunk, &index)) != NULL) {
		for (size_t pin = SOPI_PINS;
		     pin-- > 0;) { /* in the order in which a leaf goes from one to the other */
			if (!pin_note(reclaim,
				      atomic_load_explicit(&slot->pins[pin], memory_order_acquire)))
				return false;
		}
	}
	if (reclaim->pin_count > 1)
		qsort((void *)reclaim->pins, reclaim->pin_count, sizeof *reclaim->pins, compare_addresses);
	return true;
}

static bool is_pinned(const struct sopi_reclaim *reclaim, const struct sopi_version *version)
{
	return version->unlinked == SOPI_EVICTED && reclaim->pin_count != 0 &&
	       bsearch(&version, (const void *)reclaim->pins, reclaim->pin_count,
		       sizeof *reclaim->pins, compare_addresses) != NULL &&
	       !SOPI_PLANTED(SOPI_PLANT_EVICT_IGNORES_PINS);
}

/* Frees what is not pinned, and keeps the rest apart. */
static void dispose_unpinned(struct sopi_reclaim *reclaim, struct sopi_version_list *list)
{
	struct sopi_version_list gone = { NULL, NULL, 0 };
	struct sopi_version *version = list->first;

	if (reclaim->pin_count == 0) {
		dispose_all(reclaim, list);
		return;
	}
	memset(list, 0, sizeof *list);
	while (version != NULL) {
		struct sopi_version *next = version->next;

		sopi_version_list_add(is_pinned(reclaim, version) ? &reclaim->pinned : &gone,
				      version, reclaim->size_of(version));
		version = next;
	}
	dispose_all(reclaim, &gone);
}

/* Frees what was pinned and is not any more. */
static void unpin(struct sopi_reclaim *reclaim)
{
	struct sopi_version_list list = reclaim->pinned;

	memset(&reclaim->pinned, 0, sizeof reclaim->pinned);
	dispose_unpinned(reclaim, &list);
}

static void limbo_leave(struct sopi_reclaim *reclaim)
{
	size_t gone = 0, running;
	const uint64_t oldest = sopi_reclaim_oldest(reclaim, &running);

	if ((reclaim->limbo_count == 0 && reclaim->pinned.first == NULL) || !look_at_pins(reclaim))
		return;
	unpin(reclaim);
	while (gone < reclaim->limbo_count && reclaim->limbo[gone].epoch < oldest) {
		atomic_fetch_sub_explicit(&reclaim->limbo_bytes, reclaim->limbo[gone].list.bytes,
					  memory_order_relaxed);
		dispose_unpinned(reclaim, &reclaim->limbo[gone++].list);
	}
	atomic_store_explicit(&reclaim->pinned_bytes, reclaim->pinned.bytes, memory_order_relaxed);
	reclaim->limbo_count -= gone;
	memmove(reclaim->limbo, reclaim->limbo + gone, reclaim->limbo_count * sizeof *reclaim->limbo);
}

void sopi_reclaim_run(struct sopi_reclaim *reclaim, const _Atomic uint64_t *answered,
		      struct sopi_slot *self)
{
	struct sopi_version_list pending, freed = { NULL, NULL, 0 }, again = { NULL, NULL, 0 };
	struct look look;

	if (!sopi_mutex_trylock(&reclaim->mutex))
		return;
	if (look_around(reclaim, answered, self, &look)) {
		sopi_mutex_lock(&reclaim->pending_mutex);
		pending = reclaim->pending;
		memset(&reclaim->pending, 0, sizeof reclaim->pending);
		sopi_mutex_unlock(&reclaim->pending_mutex);
		atomic_fetch_sub_explicit(&reclaim->pending_bytes, pending.bytes, memory_order_relaxed);
		sort_held(reclaim, &look, &freed, &again);
		sort_list(reclaim, &look, pending, &freed, &again);
		atomic_fetch_add_explicit(&reclaim->pending_bytes, again.bytes, memory_order_relaxed);
		sopi_mutex_lock(&reclaim->pending_mutex);
		list_splice(&reclaim->pending, &again);
		sopi_mutex_unlock(&reclaim->pending_mutex);
		note_held(reclaim);
		limbo_enter(reclaim, &freed, self);
	}
	limbo_leave(reclaim);
	sopi_mutex_unlock(&reclaim->mutex);
}

static void each_in(const struct sopi_version_list *list, enum sopi_version_kind kind,
		    void (*fn)(void *arg, const struct sopi_version *version), void *arg)
{
	for (const struct sopi_version *version = list->first; version != NULL; version = version->next) {
		if (version->kind == kind)
			fn(arg, version);
	}
}

void sopi_reclaim_each(struct sopi_reclaim *reclaim, enum sopi_version_kind kind,
		       void (*fn)(void *arg, const struct sopi_version *version), void *arg)
{
	sopi_mutex_lock(&reclaim->mutex);
	sopi_mutex_lock(&reclaim->pending_mutex);
	each_in(&reclaim->pending, kind, fn, arg);
	sopi_mutex_unlock(&reclaim->pending_mutex);
	for (size_t i = 0; i < reclaim->held_count; i++)
		each_in(&reclaim->held[i].list, kind, fn, arg);
	for (size_t i = 0; i < reclaim->limbo_count; i++)
		each_in(&reclaim->limbo[i].list, kind, fn, arg);
	sopi_mutex_unlock(&reclaim->mutex);
}

static void unlink_all(const struct sopi_version_list *list)
{
	for (struct sopi_version *version = list->first; version != NULL; version = version->next)
		unlink_version(version);
}

void sopi_reclaim_destroy(struct sopi_reclaim *reclaim)
{
	/* First out of the chains, all of them: a store that is freed walks over the chains of its
	 * nodes. */
	unlink_all(&reclaim->pending);
	for (size_t i = 0; i < reclaim->held_count; i++)
		unlink_all(&reclaim->held[i].list);
	for (size_t i = 0; i < reclaim->limbo_count; i++)
		dispose_all(reclaim, &reclaim->limbo[i].list);
	for (size_t i = 0; i < reclaim->held_count; i++)
		dispose_all(reclaim, &reclaim->held[i].list);
	dispose_all(reclaim, &reclaim->pinned);
	dispose_all(reclaim, &reclaim->pending);
	sopi_free((void *)reclaim->pins);
	sopi_free(reclaim->held);
	sopi_free(reclaim->snapshots);
	sopi_mutex_destroy(&reclaim->pending_mutex);
	sopi_mutex_destroy(&reclaim->mutex);
}

void sopi_reclaim_free_slots(struct sopi_reclaim *reclaim)
{
	struct sopi_slot_chunk *chunk = atomic_load(&reclaim->chunks);

	while (chunk != NULL) {
		struct sopi_slot_chunk *next = atomic_load(&chunk->next);

		sopi_free(chunk);
		chunk = next;
	}
	sopi_mutex_destroy(&reclaim->slots_mutex);
}

/* Of `group`, or of anybody? */
static bool is_of(const struct sopi_slot *slot, const void *group)
{
	return group == NULL || atomic_load_explicit(&slot->group, memory_order_acquire) == group;
}

/* Waits for the calls that run in the slots of `group` (NULL: in all), and lets no more in. */
static void shut(struct sopi_reclaim *reclaim, const void *group)
{
	struct sopi_slot_chunk *chunk = NULL;
	struct sopi_slot *slot;
	size_t index = 0;

	while ((slot = sopi_slot_next(reclaim, &chunk, &index)) != NULL) {
		uint64_t found = SOPI_SLOT_IDLE;

		while (is_of(slot, group) &&
		       !atomic_compare_exchange_weak(&slot->state, &found, SOPI_SLOT_CLOSED) &&
		       found != SOPI_SLOT_CLOSED) {
			found = SOPI_SLOT_IDLE;
			sopi_yield(); /* a call is running; it may want the mutex */
		}
	}
}

static void end_owners(struct sopi_reclaim *reclaim, const void *group, void (*end)(void *owner))
{
	struct sopi_slot_chunk *chunk = NULL;
	struct sopi_slot *slot;
	size_t index = 0;

	sopi_mutex_lock(&reclaim->slots_mutex); /* owners stay meanwhile */
	while ((slot = sopi_slot_next(reclaim, &chunk, &index)) != NULL) {
		if (slot->owner != NULL && is_of(slot, group))
			end(slot->owner);
	}
	sopi_mutex_unlock(&reclaim->slots_mutex);
}

void sopi_slots_close(struct sopi_reclaim *reclaim, void (*end)(void *owner))
{
	sopi_mutex_lock(&reclaim->slots_mutex);
	reclaim->closed = true; /* from here on there are no new slots */
	sopi_mutex_unlock(&reclaim->slots_mutex);
	shut(reclaim, NULL);
	end_owners(reclaim, NULL, end);
}

void sopi_slots_close_group(struct sopi_reclaim *reclaim, const void *group, void (*end)(void *owner))
{
	shut(reclaim, group);
	shut(reclaim, group); /* a call that ended only now may have taken one behind us */
	end_owners(reclaim, group, end);
}
