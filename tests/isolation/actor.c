/* Actors: recorded calls of the library, one by one, and the three ways to repeat a transaction.
 * Cursors and scans are in actor_cursor.c, worlds in world.c. */
#include "isolation/actor.h"

#include "isolation/actor_calls.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define HURRIED_DEADLINE_MS 2
#define RUN_DEADLINE_MS 60000
#define YIELDS_PER_SLEEP 60
#define SLEEP_US 100 /* long enough for hundreds of commits by others */

_Atomic bool actor_gives_up;

/* ---- keys and values ------------------------------------------------------------------------- */

static uint64_t mix(uint64_t number)
{
	number = (number ^ (number >> 31)) * 0x9E3779B97F4A7C15u;
	return number ^ (number >> 29);
}

sop_bytes actor_key(const struct actor *actor, uint64_t key, struct actor_key_room *room)
{
	const unsigned padding_max = actor->world->options.key_padding_max;
	const size_t padding = padding_max != 0 ? mix(key) % (padding_max + 1) : 0;

	(void)test_key_u64(room->bytes, key);
	for (size_t i = 0; i < padding; i++)
		room->bytes[8 + i] = (uint8_t)mix(key + i);
	return test_bytes(room->bytes, 8 + padding);
}

uint64_t actor_read_key(struct actor *actor, sop_bytes bytes)
{
	struct actor_key_room room;
	sop_bytes expected = { NULL, 0 };
	uint64_t key = 0;

	if (bytes.size >= 8) {
		key = test_key_read_u64(bytes);
		expected = actor_key(actor, key, &room);
	}
	if (bytes.size < 8 || bytes.size != expected.size ||
	    memcmp(bytes.data, expected.data, bytes.size) != 0)
		test_note_failure("a key of %zu bytes that nobody wrote: number %llx", bytes.size,
				  (unsigned long long)key);
	return key;
}

sop_bytes actor_value(struct actor *actor, size_t size)
{
	const uint64_t number = (uint64_t)(actor->index + 1) << 40 | ++actor->value_count;
	uint8_t *bytes = NULL;

	if (sop_buf_reserve(&actor->made, size, NULL) != SOP_OK)
		abort();
	bytes = actor->made.data;
	(void)test_value_u64(bytes, number);
	for (size_t i = 8; i < size; i++)
		bytes[i] = (uint8_t)mix(number + i);
	return test_bytes(bytes, size);
}

sop_bytes actor_any_value(struct actor *actor)
{
	const uint64_t dice = test_rng_below(&actor->rng, 100);
	const size_t most = dice < 70 ? 32 : dice < 96 ? 200 : 1500;

	return actor_value(actor, 8 + test_rng_below(&actor->rng, most));
}

struct key_range range_all(void)
{
	const struct key_range range = { 0, 0, false, false, false };

	return range;
}

struct key_range range_of(uint64_t from, uint64_t to)
{
	const struct key_range range = { from, to, true, true, false };

	return range;
}

sop_range actor_range(const struct actor *actor, const struct key_range *range,
		      struct actor_key_room rooms[2])
{
	sop_range result = SOP_RANGE_INIT;

	if (range->has_from) {
		result.flags |= SOP_RANGE_FROM | (range->after ? SOP_RANGE_AFTER : 0);
		result.from = actor_key(actor, range->from, &rooms[0]);
	}
	if (range->has_to) {
		result.flags |= SOP_RANGE_TO;
		result.to = actor_key(actor, range->to, &rooms[1]);
	}
	return result;
}

/* ---- what every call does -------------------------------------------------------------------- */

sop_status actor_ready(struct actor *actor)
{
	const unsigned yield_once_in = actor->world->options.yield_once_in;

	actor->err.store[0] = '\0';
	if (actor->doomed != SOP_OK || yield_once_in == 0)
		return actor->doomed;
	if (test_rng_once_in(&actor->rng, (uint64_t)yield_once_in * YIELDS_PER_SLEEP))
		test_sleep_us(SLEEP_US);
	else if (test_rng_once_in(&actor->rng, yield_once_in))
		(void)sched_yield();
	return SOP_OK;
}

struct event *actor_event(struct actor *actor, enum event_kind kind, size_t store)
{
	return history_event(actor->log, kind, store);
}

static sop_status doom(struct actor *actor, sop_status status)
{
	actor->doomed = status;
	return status;
}

static bool may_happen(const struct actor *actor, sop_status status)
{
	switch (status) {
	case SOP_CONFLICT:
		return actor->mode != SOP_READ;
	case SOP_TIMEOUT:
		return actor->kind == ACTOR_HURRIED;
	case SOP_CANCELLED:
		return actor->world->options.cancels;
	default:
		return false;
	}
}

static void check_conflict(struct actor *actor)
{
	sop_bytes store = { NULL, 0 };
	sop_bytes key = { NULL, 0 };

	if (sop_txn_conflict(actor->txn, &store, &key, &actor->err) != SOP_OK)
		test_note_failure("a conflict has no place: %s", actor->err.message);
}

sop_status actor_settle(struct actor *actor, const char *call, size_t store, sop_status status,
			unsigned allowed)
{
	if (status == SOP_OK)
		return status;
	if (status == SOP_NOT_FOUND && (allowed & ACTOR_ABOUT_STORES) == 0 &&
	    strcmp(actor->err.store, sop_store_name(actor->world->stores[store])) == 0) {
		actor_event(actor, EVENT_NO_STORE, store)->status = status;
		return ACTOR_NO_STORE;
	}
	if (status == SOP_NOT_FOUND && (allowed & ACTOR_MAY_MISS) != 0)
		return status;
	if (status == SOP_EXISTS && (allowed & ACTOR_MAY_EXIST) != 0)
		return status;
	if (!may_happen(actor, status))
		test_note_failure("%s in mode %u answered %s: %s", call, (unsigned)actor->mode,
				  sop_status_name(status), actor->err.message);
	else if (status == SOP_CONFLICT)
		check_conflict(actor);
	return doom(actor, status);
}

/* The newest answered position. */
static uint64_t answered_position(struct actor *actor)
{
	sop_stats stats = SOP_STATS_INIT;

	if (sop_db_stats(actor->world->db, &stats, &actor->err) != SOP_OK)
		test_note_failure("no stats: %s", actor->err.message);
	return stats.position;
}

/* ---- transactions ---------------------------------------------------------------------------- */

static sop_mode mode_of(enum actor_kind kind)
{
	return kind == ACTOR_READ ? SOP_READ : kind == ACTOR_NOCHECK ? SOP_NOCHECK : SOP_WRITE;
}

/* On disk most commits are answered before they are there, some when the system has them, some when the disk has. */
static uint32_t durability_of(const struct actor *actor)
{
	if (!actor->world->on_disk || actor->index % 8 > 1)
		return 0;
	return actor->index % 8 == 0 ? SOP_FLUSHED : SOP_WRITTEN;
}

/* Opens the record of the transaction at hand. */
static sop_status start(struct actor *actor, enum actor_kind kind, int64_t begin_ns)
{
	struct txn_record *record = history_begin(actor->log, mode_of(kind), begin_ns);
	uint64_t snapshot = 0;
	sop_status status = SOP_OK;

	actor->kind = kind;
	actor->mode = mode_of(kind);
	actor->doomed = SOP_OK;
	status = sop_txn_position(actor->txn, &snapshot, &actor->err);
	if (status == SOP_OK)
		record->snapshot = snapshot;
	else if (actor->world->options.cancels && (status == SOP_MISUSE || status == SOP_CANCELLED))
		return doom(actor, SOP_CANCELLED);
	else
		test_note_failure("an open transaction has no position: %s", actor->err.message);
	return SOP_OK;
}

sop_status actor_begin(struct actor *actor, enum actor_kind kind)
{
	const int64_t begin_ns = test_now_ns();
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_status status = SOP_OK;

	actor->txn = atomic_load(&actor->handles[kind]);
	if (actor->txn == NULL) {
		options.mode = mode_of(kind);
		options.durability = durability_of(actor);
		options.deadline_ms = kind == ACTOR_HURRIED ? HURRIED_DEADLINE_MS : 0;
		status = sop_begin(actor->world->db, &options, &actor->txn, &actor->err);
	} else {
		status = sop_txn_renew(actor->txn, &actor->err);
	}
	if (status != SOP_OK) {
		test_note_failure("begin: %s: %s", sop_status_name(status), actor->err.message);
		return doom(actor, status);
	}
	atomic_store(&actor->handles[kind], actor->txn);
	return start(actor, kind, begin_ns);
}

static void note_end(struct actor *actor, sop_status status)
{
	struct world *world = actor->world;

	if (status == SOP_CONFLICT)
		atomic_fetch_add(&world->conflicts, 1);
	else if (status == SOP_TIMEOUT)
		atomic_fetch_add(&world->timeouts, 1);
	else if (status == SOP_CANCELLED)
		atomic_fetch_add(&world->cancellations, 1);
}

void actor_rollback(struct actor *actor)
{
	const sop_status status = sop_rollback(actor->txn, &actor->err);

	if (status != SOP_OK)
		test_note_failure("rollback: %s: %s", sop_status_name(status), actor->err.message);
	if (history_open_txn(actor->log) != NULL) {
		history_abort(actor->log, actor->doomed, test_now_ns());
		note_end(actor, actor->doomed);
	}
}

/* Now and then asks what became of the transaction at hand; `position` is HISTORY_NO_POSITION if
 * it did not commit. */
static void check_outcome(struct actor *actor, uint64_t position)
{
	uint8_t id[16];
	sop_outcome outcome = SOP_OUTCOME_UNKNOWN;
	uint64_t told = 0;

	if (!test_rng_once_in(&actor->rng, 8))
		return;
	if (sop_txn_id(actor->txn, id, &actor->err) != SOP_OK ||
	    sop_txn_outcome(actor->world->db, id, &outcome, &told, &actor->err) != SOP_OK)
		test_note_failure("no outcome: %s", actor->err.message);
	else if (position != HISTORY_NO_POSITION && outcome == SOP_OUTCOME_NOT_COMMITTED)
		history_open_txn(actor->log)->claims_nothing = true;
	else if (position == HISTORY_NO_POSITION ? outcome != SOP_OUTCOME_NOT_COMMITTED
						 : outcome != SOP_OUTCOME_COMMITTED || told != position)
		test_note_failure("outcome %d at %llu of a transaction at %lld", (int)outcome,
				  (unsigned long long)told, (long long)position);
}

sop_status actor_commit(struct actor *actor)
{
	uint64_t position = HISTORY_NO_POSITION;
	int64_t end_ns = 0;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = sop_commit(actor->txn, &actor->err);
	end_ns = test_now_ns();
	if (status != SOP_OK) {
		(void)actor_settle(actor, "commit", 0, status, 0);
		history_abort(actor->log, status, end_ns);
		note_end(actor, status);
		check_outcome(actor, HISTORY_NO_POSITION);
		return status;
	}
	if (sop_txn_position(actor->txn, &position, &actor->err) != SOP_OK)
		test_note_failure("a committed transaction has no position: %s", actor->err.message);
	check_outcome(actor, position);
	history_commit(actor->log, position, end_ns);
	return SOP_OK;
}

sop_status actor_again(struct actor *actor)
{
	const sop_status failed = actor->doomed;
	int64_t begin_ns = 0;
	sop_status status = SOP_OK;

	if (history_open_txn(actor->log) != NULL) {
		history_abort(actor->log, failed, test_now_ns());
		note_end(actor, failed);
	}
	begin_ns = test_now_ns();
	status = sop_txn_again(actor->txn, &actor->err);
	if (status == SOP_OK)
		return start(actor, actor->kind, begin_ns);
	if (!may_happen(actor, status))
		test_note_failure("again after %s: %s: %s", sop_status_name(failed),
				  sop_status_name(status), actor->err.message);
	return status;
}

/* One attempt of `body` in the open transaction. */
static sop_status attempt(struct actor *actor, actor_body body, void *arg)
{
	sop_status status = body(actor, arg);

	if (actor->doomed == SOP_OK && status == SOP_OK)
		return actor_commit(actor);
	if (actor->doomed == SOP_OK) {
		actor_rollback(actor);
		return status;
	}
	return actor->doomed;
}

static sop_status perform_by_renew(struct actor *actor, enum actor_kind kind, actor_body body, void *arg)
{
	sop_status status = SOP_CONFLICT;

	while (status == SOP_CONFLICT && !atomic_load(&actor_gives_up)) {
		status = actor_begin(actor, kind);
		if (status == SOP_OK)
			status = attempt(actor, body, arg);
		if (history_open_txn(actor->log) != NULL) /* commit has not ended it */
			actor_rollback(actor);
	}
	return status;
}

static sop_status perform_by_again(struct actor *actor, enum actor_kind kind, actor_body body, void *arg)
{
	sop_status status = actor_begin(actor, kind);

	for (;;) {
		if (status == SOP_OK)
			status = attempt(actor, body, arg);
		if (status != SOP_CONFLICT || atomic_load(&actor_gives_up))
			break;
		status = actor_again(actor);
		if (status != SOP_OK)
			break;
	}
	if (status != SOP_OK) /* also where sop_txn_again has given up */
		actor_rollback(actor);
	return status;
}

struct run {
	struct actor *actor;
	enum actor_kind kind;
	actor_body body;
	void *arg;
	sop_status answer; /* of the body */
	uint8_t id[16];
};

static sop_status run_body(sop_txn *txn, void *arg, sop_error *err)
{
	struct run *run = arg;
	struct actor *actor = run->actor;

	if (history_open_txn(actor->log) != NULL) {
		history_abort(actor->log, SOP_CONFLICT, test_now_ns());
		note_end(actor, SOP_CONFLICT);
	}
	actor->txn = txn;
	(void)start(actor, run->kind, actor->run_begin_ns);
	if (sop_txn_id(txn, run->id, err) != SOP_OK)
		test_note_failure("no id: %s", err->message);
	run->answer = atomic_load(&actor_gives_up) ? ACTOR_ROLLBACK : run->body(actor, run->arg);
	actor->run_begin_ns = test_now_ns();
	if (actor->doomed != SOP_OK)
		run->answer = actor->doomed;
	return run->answer <= ACTOR_NO_STORE ? SOP_NOT_FOUND : run->answer;
}

/* Ends the record of a transaction that sop_run committed; its position is known by its id only. */
static void end_run(struct run *run, int64_t end_ns)
{
	struct actor *actor = run->actor;
	struct txn_record *record = history_open_txn(actor->log);
	sop_outcome outcome = SOP_OUTCOME_UNKNOWN;
	uint64_t position = 0;

	if (sop_txn_outcome(actor->world->db, run->id, &outcome, &position, &actor->err) != SOP_OK)
		test_note_failure("no outcome: %s", actor->err.message);
	if (outcome == SOP_OUTCOME_NOT_COMMITTED) { /* it changed nothing */
		position = record->snapshot;
		record->claims_nothing = true;
		record->latest = answered_position(actor);
	} else if (outcome != SOP_OUTCOME_COMMITTED) {
		test_note_failure("a committed transaction has outcome %d", (int)outcome);
	}
	history_commit(actor->log, position, end_ns);
}

static sop_status perform_by_run(struct actor *actor, enum actor_kind kind, actor_body body, void *arg)
{
	struct run run = { .actor = actor, .kind = kind, .body = body, .arg = arg };
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_status status = SOP_OK;

	options.mode = mode_of(kind);
	options.deadline_ms = kind == ACTOR_HURRIED ? HURRIED_DEADLINE_MS : RUN_DEADLINE_MS;
	actor->run_begin_ns = test_now_ns();
	status = sop_run(actor->world->db, &options, run_body, &run, &actor->err);
	if (history_open_txn(actor->log) == NULL) /* the deadline passed before the body was reached */
		return status;
	if (status == SOP_OK) {
		end_run(&run, test_now_ns());
		return status;
	}
	history_abort(actor->log, status, test_now_ns());
	note_end(actor, status);
	if (run.answer <= ACTOR_NO_STORE)
		return run.answer;
	if (status != run.answer && !(kind == ACTOR_HURRIED && status == SOP_TIMEOUT))
		test_note_failure("sop_run: %s: %s", sop_status_name(status), actor->err.message);
	return status;
}

sop_status actor_perform(struct actor *actor, enum actor_how how, enum actor_kind kind,
			 actor_body body, void *arg)
{
	switch (how) {
	case ACTOR_BY_RENEW:
		return perform_by_renew(actor, kind, body, arg);
	case ACTOR_BY_AGAIN:
		return perform_by_again(actor, kind, body, arg);
	default:
		return perform_by_run(actor, kind, body, arg);
	}
}

/* ---- reads ----------------------------------------------------------------------------------- */

sop_status actor_get(struct actor *actor, size_t store, uint64_t key, uint64_t item,
		     struct item_seen *seen)
{
	struct actor_key_room room;
	sop_item about = { 0, 0 };
	struct event *event = NULL;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = sop_fetch(actor->txn, actor->world->stores[store], actor_key(actor, key, &room),
			   item, 0, &actor->key, &actor->value, &about, &actor->err);
	status = actor_settle(actor, "fetch", store, status, ACTOR_MAY_MISS);
	if (!actor_answered(status))
		return status;
	event = actor_event(actor, EVENT_GET, store);
	event->status = status;
	event->key = key;
	event->item = item;
	if (status == SOP_OK) {
		event->seen.key = actor_read_key(actor, test_bytes(actor->key.data, actor->key.size));
		event->seen.item = about.item;
		event->seen.version = about.version;
		event->seen.value = value_seen(test_bytes(actor->value.data, actor->value.size));
	}
	if (seen != NULL)
		*seen = event->seen;
	return status;
}

/* Records what was read in one call, somewhere between two positions. */
static void record_alone(struct actor *actor, size_t store, uint64_t key, sop_status status)
{
	struct event *event = NULL;

	if (status == SOP_NOT_FOUND && actor->err.store[0] != '\0') {
		actor_event(actor, EVENT_NO_STORE, store)->status = status;
		return;
	}
	event = actor_event(actor, EVENT_GET, store);
	event->flags = EVENT_UNVERSIONED;
	event->key = key;
	event->status = status;
	if (status == SOP_OK) {
		event->seen.key = key;
		event->seen.value = value_seen(test_bytes(actor->value.data, actor->value.size));
	}
}

void actor_read_alone(struct actor *actor, size_t store, uint64_t key)
{
	struct txn_record *record = history_begin(actor->log, SOP_READ, test_now_ns());
	struct actor_key_room room;
	sop_status status = SOP_OK;

	actor->err.store[0] = '\0';
	record->floats = true;
	record->snapshot = answered_position(actor);
	status = sop_read(actor->world->db, actor->world->stores[store],
			  actor_key(actor, key, &room), &actor->value, &actor->err);
	record->latest = answered_position(actor);
	if (actor_answered(status))
		record_alone(actor, store, key, status);
	else
		test_note_failure("sop_read: %s: %s", sop_status_name(status), actor->err.message);
	history_commit(actor->log, record->snapshot, test_now_ns());
}

sop_status actor_count(struct actor *actor, size_t store, const struct key_range *range, uint64_t *count)
{
	struct actor_key_room rooms[2];
	sop_range bounds = SOP_RANGE_INIT;
	struct event *event = NULL;
	sop_status status = actor_ready(actor);

	*count = 0;
	if (status != SOP_OK)
		return status;
	if (range != NULL)
		bounds = actor_range(actor, range, rooms);
	status = sop_count(actor->txn, actor->world->stores[store], range != NULL ? &bounds : NULL,
			   count, &actor->err);
	status = actor_settle(actor, "count", store, status, 0);
	if (status != SOP_OK)
		return status;
	event = actor_event(actor, EVENT_COUNT, store);
	event->number = *count;
	if (range != NULL) {
		event->flags = EVENT_RANGED;
		event->range = *range;
	}
	return status;
}

/* ---- changes --------------------------------------------------------------------------------- */

sop_status actor_put(struct actor *actor, size_t store, uint64_t key, sop_bytes value)
{
	struct actor_key_room room;
	struct event *event = NULL;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = sop_put(actor->txn, actor->world->stores[store], actor_key(actor, key, &room),
			 value, &actor->err);
	status = actor_settle(actor, "put", store, status, 0);
	if (status != SOP_OK)
		return status;
	event = actor_event(actor, EVENT_PUT, store);
	event->key = key;
	event->seen.value = value_seen(value);
	return status;
}

sop_status actor_insert(struct actor *actor, size_t store, uint64_t key, sop_bytes value, uint64_t *item)
{
	struct actor_key_room room;
	uint64_t id = 0;
	struct event *event = NULL;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = sop_insert(actor->txn, actor->world->stores[store], actor_key(actor, key, &room),
			    value, &id, &actor->err);
	status = actor_settle(actor, "insert", store, status, ACTOR_MAY_EXIST);
	if (!actor_answered(status))
		return status;
	event = actor_event(actor, EVENT_INSERT, store);
	event->status = status;
	event->key = key;
	event->item = id;
	event->seen.value = value_seen(value);
	if (item != NULL)
		*item = id;
	return status;
}

sop_status actor_update(struct actor *actor, size_t store, uint64_t key, uint64_t item, sop_bytes value)
{
	struct actor_key_room room;
	struct event *event = NULL;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = sop_update(actor->txn, actor->world->stores[store], actor_key(actor, key, &room),
			    item, value, &actor->err);
	status = actor_settle(actor, "update", store, status, ACTOR_MAY_MISS);
	if (!actor_answered(status))
		return status;
	event = actor_event(actor, EVENT_UPDATE, store);
	event->status = status;
	event->key = key;
	event->item = item;
	event->seen.value = value_seen(value);
	return status;
}

sop_status actor_remove(struct actor *actor, size_t store, uint64_t key, uint64_t item)
{
	struct actor_key_room room;
	struct event *event = NULL;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = sop_remove(actor->txn, actor->world->stores[store], actor_key(actor, key, &room),
			    item, &actor->err);
	status = actor_settle(actor, "remove", store, status, ACTOR_MAY_MISS);
	if (!actor_answered(status))
		return status;
	event = actor_event(actor, EVENT_REMOVE, store);
	event->status = status;
	event->key = key;
	event->item = item;
	return status;
}

sop_status actor_arithmetic(struct actor *actor, enum event_kind kind, size_t store, uint64_t key,
			    int64_t by)
{
	struct actor_key_room room;
	const sop_bytes bytes = actor_key(actor, key, &room);
	sop_store *handle = actor->world->stores[store];
	struct event *event = NULL;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	if (kind == EVENT_ADD)
		status = sop_add(actor->txn, handle, bytes, by, &actor->err);
	else if (kind == EVENT_MIN)
		status = sop_min(actor->txn, handle, bytes, by, &actor->err);
	else
		status = sop_max(actor->txn, handle, bytes, by, &actor->err);
	status = actor_settle(actor, "add, min or max", store, status, 0);
	if (status != SOP_OK)
		return status;
	event = actor_event(actor, kind, store);
	event->key = key;
	event->number = (uint64_t)by;
	return status;
}

sop_status actor_remove_range(struct actor *actor, size_t store, const struct key_range *range,
			      uint64_t *removed)
{
	struct actor_key_room rooms[2];
	sop_range bounds = actor_range(actor, range, rooms);
	struct event *event = NULL;
	sop_status status = actor_ready(actor);

	*removed = 0;
	if (status != SOP_OK)
		return status;
	status = sop_remove_range(actor->txn, actor->world->stores[store], &bounds, removed, &actor->err);
	status = actor_settle(actor, "remove_range", store, status, 0);
	if (status != SOP_OK)
		return status;
	event = actor_event(actor, EVENT_REMOVE_RANGE, store);
	event->range = *range;
	event->number = *removed;
	return status;
}

sop_status actor_savepoint(struct actor *actor, uint64_t *savepoint)
{
	sop_status status = actor_ready(actor);

	*savepoint = 0;
	if (status != SOP_OK)
		return status;
	status = sop_savepoint(actor->txn, savepoint, &actor->err);
	status = actor_settle(actor, "savepoint", 0, status, 0);
	if (status == SOP_OK)
		actor_event(actor, EVENT_SAVEPOINT, 0)->number = *savepoint;
	return status;
}

sop_status actor_rollback_to(struct actor *actor, uint64_t savepoint)
{
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = sop_rollback_to(actor->txn, savepoint, &actor->err);
	status = actor_settle(actor, "rollback_to", 0, status, 0);
	if (status == SOP_OK)
		actor_event(actor, EVENT_ROLLBACK_TO, 0)->number = savepoint;
	return status;
}

/* ---- stores ---------------------------------------------------------------------------------- */

/* Records a change of the catalog that was answered OK, EXISTS or NOT_FOUND. */
static sop_status catalog_answer(struct actor *actor, enum event_kind kind, size_t store, sop_status status)
{
	status = actor_settle(actor, "create, drop or rename", store, status,
			      ACTOR_MAY_MISS | ACTOR_MAY_EXIST | ACTOR_ABOUT_STORES);
	if (actor_answered(status))
		actor_event(actor, kind, store)->status = status;
	return status;
}

sop_status actor_create(struct actor *actor, size_t store)
{
	const sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	return catalog_answer(actor, EVENT_CREATE, store,
			      sop_store_create(actor->txn, actor->world->stores[store], &actor->err));
}

sop_status actor_drop(struct actor *actor, size_t store)
{
	const sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	return catalog_answer(actor, EVENT_DROP, store,
			      sop_store_drop(actor->txn, actor->world->stores[store], &actor->err));
}

sop_status actor_rename(struct actor *actor, size_t store, size_t to)
{
	sop_store *const *stores = actor->world->stores;
	sop_status status = actor_ready(actor);

	if (status != SOP_OK)
		return status;
	status = sop_store_rename(actor->txn, stores[store], test_text(sop_store_name(stores[to])),
				  &actor->err);
	status = catalog_answer(actor, EVENT_RENAME, store, status);
	if (actor_answered(status))
		actor->log->events[actor->log->event_count - 1].number = to;
	return status;
}

static size_t store_named(const struct actor *actor, const char *name)
{
	const struct world *world = actor->world;

	for (size_t i = 0; i < world->options.stores; i++) {
		if (strcmp(sop_store_name(world->stores[i]), name) == 0)
			return i;
	}
	test_note_failure("the list has a store that nobody created: %s", name);
	return 0;
}

sop_status actor_list(struct actor *actor, uint64_t *names)
{
	size_t count = 0;
	const char *text = NULL;
	const char *before = NULL;
	sop_status status = actor_ready(actor);

	*names = 0;
	if (status != SOP_OK)
		return status;
	status = sop_store_list(actor->txn, &actor->value, &count, &actor->err);
	status = actor_settle(actor, "list", 0, status, 0);
	if (status != SOP_OK)
		return status;
	text = actor->value.data;
	for (size_t i = 0; i < count; i++) {
		*names |= (uint64_t)1 << store_named(actor, text);
		if (before != NULL && strcmp(before, text) >= 0)
			test_note_failure("the list of stores is not in order");
		before = text;
		text += strlen(text) + 1;
	}
	actor_event(actor, EVENT_LIST, 0)->number = *names;
	return status;
}
