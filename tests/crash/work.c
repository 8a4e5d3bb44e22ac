/* What a run does: random transactions on a few stores, and the calls between them. */
#include "crash/work.h"

#include "api/handle.h"
#include "backend/inredfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEYS = 48, /* of a store */
	EQUAL_KEYS = 8, /* of a store with duplicates */
	COUNTERS = 4,
	OPERATIONS_MAX = 9, /* of a transaction */
};

static uint8_t value_room[VALUE_BYTES_MAX];

/* A transaction while it runs. */
struct work {
	struct world *world;
	sop_txn *txn;
	struct model model; /* what it will leave */
	bool failed; /* a call failed: nothing more is asked of it */
};

static uint64_t below(struct work *work, uint64_t limit)
{
	return test_rng_below(&work->world->rng, limit);
}

/* Must the call answer this? An error of the disk may strike anywhere. */
static bool answers(struct work *work, const char *call, sop_status status, sop_status expected,
		    const sop_error *err)
{
	char words[WORDS];

	if (status == expected)
		return status == SOP_OK;
	work->failed = true;
	if (status == SOP_IO || status == SOP_FAILED)
		return false;
	(void)snprintf(words, WORDS, "%s answers %s instead of %s: %.200s", call,
		       sop_status_name(status), sop_status_name(expected),
		       status != SOP_OK ? err->message : "");
	world_wrong(work->world, words);
	return false;
}

/* ---- keys and values ----------------------------------------------------------------------------------- */

/* A key as the model has it and as the library takes it. */
struct key {
	struct model_item item; /* its key and ride */
	sop_buf packed;
};

static sop_bytes bytes_of(const struct key *key)
{
	return (sop_bytes){ key->packed.data, key->packed.size };
}

static void make_key(enum model_kind kind, uint64_t number, bool ride, int64_t rides, struct key *key)
{
	sop_error err = SOP_ERROR_INIT;

	memset(key, 0, sizeof *key);
	if (kind == MODEL_RIDE) {
		const sop_value fields[] = { sop_value_int((int64_t)number), sop_value_int(rides) };

		key->item.key_size = 4;
		key->item.key[3] = (uint8_t)number;
		key->item.ride = rides;
		TEST_OK(sop_key_pack(base_schema(), fields, ride ? 2 : 1, &key->packed, &err), err);
		return;
	}
	key->item.key_size = (uint8_t)snprintf((char *)key->item.key, MODEL_KEY_BYTES, "k%03u%.*s",
					       (unsigned)number, (int)(number % 6), "xxxxxx");
	TEST_OK(sop_buf_reserve(&key->packed, key->item.key_size, &err), err);
	memcpy(key->packed.data, key->item.key, key->item.key_size);
	key->packed.size = key->item.key_size;
}

static void make_value(struct work *work, struct model_item *item)
{
	const uint64_t choice = below(work, 1000);
	size_t size = (size_t)below(work, 64);

	if (choice < 400)
		size = 65 + (size_t)below(work, choice < 60 ? 2936 : 400);
	else if (choice == 400 && below(work, 4) == 0)
		size = (1 << 20) + 1 + (size_t)below(work, 4000);
	item->size = (uint32_t)size;
	item->crc = base_value(++work->world->numbers, size, value_room);
}

static sop_bytes value_of(const struct model_item *item)
{
	return (sop_bytes){ value_room, item->size };
}

/* ---- operations ------------------------------------------------------------------------------------------ */

static void put(struct work *work, struct model_store *in, sop_store *store)
{
	const bool ride = below(work, 3) != 0;
	sop_error err = SOP_ERROR_INIT;
	struct key key;

	make_key(in->kind, below(work, KEYS), ride, ride ? (int64_t)below(work, 1000) : 0, &key);
	make_value(work, &key.item);
	if (answers(work, "put", sop_put(work->txn, store, bytes_of(&key), value_of(&key.item), &err),
		    SOP_OK, &err))
		model_set(in, &key.item);
	sop_buf_free(&key.packed);
}

static void insert(struct work *work, struct model_store *in, sop_store *store)
{
	const bool again = in->kind == MODEL_DUPLICATES;
	sop_error err = SOP_ERROR_INIT;
	struct key key;

	make_key(in->kind, below(work, again ? EQUAL_KEYS : KEYS), true, 7, &key);
	if (in->kind != MODEL_RIDE)
		key.item.ride = 0;
	make_value(work, &key.item);
	if (answers(work, "insert",
		    sop_insert(work->txn, store, bytes_of(&key), value_of(&key.item), &key.item.id, &err),
		    !again && model_get(in, key.item.key, key.item.key_size, 0) != NULL ? SOP_EXISTS : SOP_OK,
		    &err))
		model_set(in, &key.item);
	sop_buf_free(&key.packed);
}

/* An item to work on: one that is there, mostly. */
static struct model_item *choose(struct work *work, struct model_store *in, struct key *key)
{
	struct model_item *item = in->count == 0 ? NULL : &in->items[below(work, in->count)];
	uint64_t number = below(work, KEYS);

	if (item != NULL && item->key[0] == 'c') /* a counter */
		item = NULL;
	if (item != NULL)
		number = in->kind == MODEL_RIDE ? item->key[3]
						: (uint64_t)(item->key[1] - '0') * 100 +
							  (uint64_t)(item->key[2] - '0') * 10 +
							  (uint64_t)(item->key[3] - '0');
	make_key(in->kind, number, false, 0, key);
	key->item.id = item != NULL ? item->id : 0;
	return item != NULL ? item : model_get(in, key->item.key, key->item.key_size, 0);
}

static void update(struct work *work, struct model_store *in, sop_store *store)
{
	sop_error err = SOP_ERROR_INIT;
	struct model_item *item;
	struct key key;

	item = choose(work, in, &key);
	make_value(work, &key.item);
	if (in->kind == MODEL_DUPLICATES && item == NULL)
		goto out; /* item 0 means the oldest of the key */
	if (answers(work, "update",
		    sop_update(work->txn, store, bytes_of(&key), key.item.id, value_of(&key.item), &err),
		    item != NULL ? SOP_OK : SOP_NOT_FOUND, &err)) {
		item->size = key.item.size;
		item->crc = key.item.crc;
	}
out:
	sop_buf_free(&key.packed);
}

static void remove_one(struct work *work, struct model_store *in, sop_store *store)
{
	sop_error err = SOP_ERROR_INIT;
	struct model_item *item;
	struct key key;

	item = choose(work, in, &key);
	if (in->kind == MODEL_DUPLICATES && item == NULL)
		goto out;
	if (answers(work, "remove", sop_remove(work->txn, store, bytes_of(&key), key.item.id, &err),
		    item != NULL ? SOP_OK : SOP_NOT_FOUND, &err))
		model_remove(in, (size_t)(item - in->items), (size_t)(item - in->items) + 1);
out:
	sop_buf_free(&key.packed);
}

static void set_ride(struct work *work, struct model_store *in, sop_store *store)
{
	const uint64_t number = below(work, KEYS);
	sop_error err = SOP_ERROR_INIT;
	struct model_item *item;
	struct key key;

	make_key(in->kind, number, true, (int64_t)below(work, 1000), &key);
	item = model_get(in, key.item.key, key.item.key_size, 0);
	if (answers(work, "set_ride", sop_set_ride(work->txn, store, bytes_of(&key), 0, &err),
		    item != NULL ? SOP_OK : SOP_NOT_FOUND, &err))
		item->ride = key.item.ride;
	sop_buf_free(&key.packed);
}

static void add(struct work *work, struct model_store *in, sop_store *store)
{
	const int64_t by = (int64_t)below(work, 1000);
	struct model_item item = { .key_size = 2, .key = { 'c' }, .size = 8 };
	sop_error err = SOP_ERROR_INIT;
	const struct model_item *old;
	uint8_t room[8];

	item.key[1] = (uint8_t)('0' + below(work, COUNTERS));
	old = model_get(in, item.key, item.key_size, 0);
	item.number = by + (old != NULL ? old->number : 0);
	item.crc = base_crc(test_value_u64(room, (uint64_t)item.number).data, sizeof room);
	if (answers(work, "add", sop_add(work->txn, store, test_bytes(item.key, 2), by, &err),
		    SOP_OK, &err))
		model_set(in, &item);
}

static void remove_range(struct work *work, struct model_store *in, sop_store *store)
{
	const uint64_t keys = in->kind == MODEL_DUPLICATES ? EQUAL_KEYS : KEYS;
	const uint64_t first = below(work, keys);
	const uint64_t last = first + 1 + below(work, keys / 3);
	sop_range range = SOP_RANGE_INIT;
	sop_error err = SOP_ERROR_INIT;
	struct key from, to;
	uint64_t removed = 0;
	size_t low, high;

	make_key(in->kind, first, false, 0, &from);
	make_key(in->kind, last, false, 0, &to);
	range.flags = SOP_RANGE_FROM | SOP_RANGE_TO;
	range.from = bytes_of(&from);
	range.to = bytes_of(&to);
	low = model_at(in, from.item.key, from.item.key_size, 0);
	high = model_at(in, to.item.key, to.item.key_size, 0);
	if (answers(work, "remove_range",
		    sop_remove_range(work->txn, store, &range, &removed, &err), SOP_OK, &err)) {
		if (removed != high - low)
			world_wrong(work->world, "remove_range removed another number of items");
		model_remove(in, low, high);
	}
	sop_buf_free(&from.packed);
	sop_buf_free(&to.packed);
}

/* ---- stores ----------------------------------------------------------------------------------------------- */

/* A name that is free, in the model too. */
static bool free_name(struct work *work, char name[MODEL_NAME_BYTES])
{
	for (uint64_t i = 0, at = below(work, 2 * MODEL_STORES); i < 2 * MODEL_STORES; i++, at++) {
		(void)snprintf(name, MODEL_NAME_BYTES, "s%u", (unsigned)(at % (2 * MODEL_STORES)));
		if (model_find(&work->model, name) == NULL)
			return true;
	}
	return false;
}

static size_t count_stores(const struct model *model)
{
	size_t count = 0;

	for (size_t i = 0; i < MODEL_STORES; i++)
		count += model->stores[i].exists;
	return count;
}

static void create_store(struct work *work)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	const enum model_kind kind = (enum model_kind)below(work, MODEL_KINDS);
	sop_error err = SOP_ERROR_INIT;
	char name[MODEL_NAME_BYTES];
	sop_store *store = NULL;

	if (count_stores(&work->model) == MODEL_STORES || !free_name(work, name))
		return;
	options.schema = kind == MODEL_RIDE ? base_schema() : NULL;
	options.duplicates = kind == MODEL_DUPLICATES;
	options.node_items = below(work, 3) == 0 ? 4 : 0;
	TEST_OK(sop_store_open(work->world->base.db, test_text(name), &options, &store, &err), err);
	if (answers(work, "create", sop_store_create(work->txn, store, &err), SOP_OK, &err))
		(void)model_create(&work->model, name, kind);
	sop_store_free(store);
}

static struct model_store *any_store(struct work *work)
{
	const uint64_t first = below(work, MODEL_STORES);

	for (size_t i = 0; i < MODEL_STORES; i++) {
		struct model_store *store = &work->model.stores[(first + i) % MODEL_STORES];

		if (store->exists)
			return store;
	}
	return NULL;
}

static void drop_or_rename(struct work *work, struct model_store *in, sop_store *store)
{
	const bool drop = below(work, 2) == 0;
	sop_error err = SOP_ERROR_INIT;
	char name[MODEL_NAME_BYTES];

	if (drop) {
		if (answers(work, "drop", sop_store_drop(work->txn, store, &err), SOP_OK, &err))
			model_drop(in);
	} else if (free_name(work, name)) {
		if (answers(work, "rename",
			    sop_store_rename(work->txn, store, test_text(name), &err), SOP_OK, &err))
			(void)snprintf(in->name, sizeof in->name, "%s", name);
	}
}

/* ---- transactions ------------------------------------------------------------------------------------------ */

static void operate_on(struct work *work, struct model_store *in, sop_store *store)
{
	const uint64_t choice = below(work, 100);

	if (choice < 3)
		drop_or_rename(work, in, store);
	else if (choice < 8)
		remove_range(work, in, store);
	else if (choice < 20)
		remove_one(work, in, store);
	else if (choice < 35)
		update(work, in, store);
	else if (choice < 55 || in->kind == MODEL_DUPLICATES)
		insert(work, in, store);
	else if (choice < 65 && in->kind == MODEL_UNIQUE)
		add(work, in, store);
	else if (choice < 70 && in->kind == MODEL_RIDE)
		set_ride(work, in, store);
	else
		put(work, in, store);
}

static void operate(struct work *work)
{
	struct model_store *in = any_store(work);
	sop_store *store;

	if (in == NULL || (count_stores(&work->model) < 3 && below(work, 3) == 0) ||
	    below(work, 60) == 0) {
		create_store(work);
		return;
	}
	store = base_store(&work->world->base, in->name);
	operate_on(work, in, store);
	sop_store_free(store);
}

static void make_id(struct world *world, uint8_t id[TXN_ID_BYTES])
{
	const uint64_t number = ++world->numbers;

	memcpy(id, &world->id_space, 8);
	memcpy(id + 8, &number, 8);
}

/* What the commit says decides what may be there after a crash. */
static void commit(struct work *work, const uint8_t id[TXN_ID_BYTES], uint32_t durability)
{
	struct world *world = work->world;
	struct life *life = world_life(world);
	sop_outcome outcome = SOP_OUTCOME_PENDING;
	sop_error err = SOP_ERROR_INIT;
	struct commit *state;
	sop_status status;

	world_submit(world, id, &work->model);
	state = life->at[life->count - 1];
	status = sop_commit(work->txn, &err);
	if (status == SOP_OK) {
		if (sop_txn_outcome(world->base.db, id, &outcome, &state->position, &err) == SOP_OK &&
		    outcome == SOP_OUTCOME_NOT_COMMITTED) { /* it has changed nothing */
			life->count--;
			if (!dump_equal(&state->dump, &life->at[life->count - 1]->dump))
				world_wrong(world, "a commit that is answered is not known");
		} else if (durability == SOP_FLUSHED) {
			world_durable(world);
		}
		return;
	}
	work->failed = true;
	if (status != SOP_UNKNOWN) /* it certainly did not happen */
		world_forget_newest(world);
	(void)answers(work, "commit", status == SOP_UNKNOWN ? SOP_IO : status, SOP_OK, &err);
}

void world_transaction(struct world *world, uint32_t durability)
{
	struct life *life = world_life(world);
	struct work work = { .world = world };
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;
	uint64_t operations;

	make_id(world, options.id);
	options.durability = durability != 0 ? durability
			     : test_rng_below(&world->rng, 3) == 0
				     ? 2 + (uint32_t)test_rng_below(&world->rng, 2)
				     : SOP_FLUSHED;
	model_copy(&work.model, &life->at[life->count - 1]->model);
	operations = 1 + below(&work, OPERATIONS_MAX);
	if (answers(&work, "begin", sop_begin(world->base.db, &options, &work.txn, &err), SOP_OK, &err)) {
		work.failed = false;
		for (uint64_t i = 0; i < operations && !work.failed && !world->broken; i++)
			operate(&work);
		if (!work.failed && !world->broken && below(&work, 25) != 0)
			commit(&work, options.id, options.durability);
	}
	sop_txn_free(work.txn);
	model_clear(&work.model);
	if (work.failed && !world->broken)
		world_die_and_open(world);
}

/* ---- other calls -------------------------------------------------------------------------------------------- */

/* After it the commits below `durable` are on stable storage. */
static void ended(struct world *world, const char *call, sop_status status, size_t durable,
		  const sop_error *err)
{
	char words[WORDS];

	if (status == SOP_OK) {
		world_durable_below(world, durable);
		return;
	}
	if (status == SOP_IO || status == SOP_FAILED || status == SOP_UNKNOWN) {
		world_die_and_open(world);
		return;
	}
	(void)snprintf(words, WORDS, "%s answers %s: %.250s", call, sop_status_name(status), err->message);
	world_wrong(world, words);
}

enum { ROOM_BYTES = 6 << 10 }; /* of log, for a transaction */

/* Is a commit far from making a checkpoint itself? It would wait for the one that runs, on its own thread. */
static bool has_room(const struct world *world)
{
	return atomic_load(&sopi_inredfs_of(world->base.db->engine->backend)->logged) + ROOM_BYTES <
	       world->config.log_bytes / 2;
}

/* Others commit while the checkpoint is between two calls. */
static void crowd(void *arg, unsigned call, const char *path)
{
	struct world *world = arg;

	if (has_room(world) &&
	    (call & (SOPI_SIM_OPEN_FILE | SOPI_SIM_WRITE | SOPI_SIM_ANY_SYNC | SOPI_SIM_RENAME)) != 0 &&
	    strstr(path, "log") == NULL && test_rng_below(&world->rng, 4) == 0 && !world->broken)
		world_transaction(world, 0);
}

void world_checkpoint(struct world *world)
{
	const size_t before = world_life(world)->count;
	const size_t life = world->life;
	sop_error err = SOP_ERROR_INIT;
	sop_status status;

	if (world->crowded)
		sopi_sim_watch(world->base.process, crowd, world);
	status = sop_checkpoint(world->base.db, &err);
	if (world->crowded && life == world->life)
		sopi_sim_watch(world->base.process, NULL, NULL);
	ended(world, "checkpoint", status, before, &err);
}

void world_sync(struct world *world)
{
	sop_error err = SOP_ERROR_INIT;

	ended(world, "sync", sop_sync(world->base.db, &err), world_life(world)->count, &err);
}

static void gc(struct world *world)
{
	sop_error err = SOP_ERROR_INIT;

	ended(world, "gc", sop_gc(world->base.db, NULL, NULL, &err), world_life(world)->count, &err);
}

void world_step(struct world *world)
{
	const uint64_t choice = test_rng_below(&world->rng, 100);

	if (choice < 78)
		world_transaction(world, 0);
	else if (choice < 88)
		world_checkpoint(world);
	else if (choice < 90)
		gc(world);
	else if (choice < 93)
		world_sync(world);
	else if (choice < 97)
		world_close_and_open(world);
	else if (world->life + 2 < LIVES_MAX)
		world_die_and_open(world);
}

void world_steps(struct world *world, size_t steps)
{
	for (size_t i = 0; i < steps && !world->broken; i++)
		world_step(world);
}
