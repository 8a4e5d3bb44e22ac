/* Values kept apart from their leaves: written in packs before their transaction commits, registered by the next
 * checkpoint, taken out of the registry once no snapshot reads them. */
#include "backend/inredfs.h"

#include "base/alloc.h"
#include "codec/pack_record.h"

#include <string.h>

enum { LOOKS_MAX = 16 }; /* for a value that compaction moves again and again */

static uint64_t key_of(uint64_t id)
{
	return sopi_registry_key(SOPI_KEY_VALUE, id);
}

/* ---- what is not registered yet ----------------------------------------------------------------- */

static void fresh_link_locked(struct sopi_inredfs *fs, struct sopi_fresh *fresh)
{
	fresh->previous = NULL;
	fresh->next = fs->fresh;
	if (fs->fresh != NULL)
		fs->fresh->previous = fresh;
	fs->fresh = fresh;
}

static void fresh_unlink_locked(struct sopi_inredfs *fs, struct sopi_fresh *fresh)
{
	if (fresh->previous != NULL)
		fresh->previous->next = fresh->next;
	else
		fs->fresh = fresh->next;
	if (fresh->next != NULL)
		fresh->next->previous = fresh->previous;
}

static void fresh_free_locked(struct sopi_inredfs *fs, struct sopi_fresh *fresh)
{
	fresh_unlink_locked(fs, fresh);
	sopi_free(fresh);
}

/* Notes where a value was written. */
static sop_status fresh_add(struct sopi_inredfs *fs, struct sopi_value *value,
			    const struct sopi_place *place, uint64_t position, sop_error *err)
{
	struct sopi_fresh *fresh;
	void *memory = NULL;

	SOP_TRY(sopi_alloc_zeroed(sizeof *fresh, &memory, err));
	fresh = memory;
	fresh->value = value;
	fresh->id = value->id;
	fresh->position = position;
	fresh->place = *place;
	value->pack = place->pack;
	value->offset = (uint32_t)place->offset;
	value->length = (uint32_t)place->length;
	value->fresh = fresh;
	sopi_mutex_lock(&fs->values_mutex);
	sopi_packs_live(fs->packs, place, true);
	fresh_link_locked(fs, fresh);
	sopi_mutex_unlock(&fs->values_mutex);
	return SOP_OK;
}

/* The registry is to forget what `node` names. */
static void bury_locked(struct sopi_inredfs *fs, struct sopi_fresh *node)
{
	node->next = fs->dead;
	fs->dead = node;
}

static sop_status grave_new(uint64_t id, struct sopi_fresh **out, sop_error *err)
{
	void *memory = NULL;

	SOP_TRY(sopi_alloc_zeroed(sizeof **out, &memory, err));
	*out = memory;
	(*out)->id = id;
	return SOP_OK;
}

sop_status sopi_values_bury(struct sopi_inredfs *fs, uint64_t id, sop_error *err)
{
	struct sopi_fresh *node = NULL;

	SOP_TRY(grave_new(id, &node, err));
	sopi_mutex_lock(&fs->values_mutex);
	bury_locked(fs, node);
	sopi_mutex_unlock(&fs->values_mutex);
	return SOP_OK;
}

void sopi_values_committed(struct sopi_backend *backend, const struct sopi_value *value, uint64_t position)
{
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);
	struct sopi_fresh *fresh = value->fresh;

	if (fresh == NULL)
		return;
	sopi_mutex_lock(&fs->values_mutex);
	fresh->position = position;
	sopi_mutex_unlock(&fs->values_mutex);
}

/* The descriptor of a registered value becomes the note of its death: nothing can fail, since its memory is there. */
static void bury_value_locked(struct sopi_inredfs *fs, struct sopi_value *value)
{
	struct sopi_fresh *node = (struct sopi_fresh *)(void *)value;
	const uint64_t id = value->id;

	_Static_assert(sizeof *node <= sizeof *value, "it fits");
	atomic_fetch_sub_explicit(&fs->engine->forest.value_bytes, sizeof *value, memory_order_relaxed);
	memset(node, 0, sizeof *node);
	node->id = id;
	bury_locked(fs, node);
}

void sopi_values_gone(struct sopi_backend *backend, struct sopi_value *value)
{
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);
	struct sopi_fresh *fresh;
	bool buried = false;

	sopi_mutex_lock(&fs->values_mutex);
	fresh = value->fresh;
	if (fresh == NULL) {
		buried = value->id != 0;
		if (buried)
			bury_value_locked(fs, value);
	} else if (fresh->position != SOPI_POSITION_NONE) {
		/* The log names it, and replay from the newest checkpoint would look for it: it stays until one at or
		 * above its position is durable, even if one below it is being written just now. */
		fresh->dead = true;
		fresh->value = NULL;
	} else { /* it was never committed */
		sopi_packs_live(fs->packs, &fresh->place, false);
		fresh_free_locked(fs, fresh);
	}
	sopi_mutex_unlock(&fs->values_mutex);
	if (!buried)
		sopi_value_free(&fs->engine->forest, value);
}

/* ---- writing ------------------------------------------------------------------------------------- */

/* Ends a pack of values that nobody appends to any more. What was synced is safe whatever comes of it. */
static void pack_end(struct sopi_value_pack *pack)
{
	(void)sopi_pack_finish(pack->pack, NULL);
	sopi_free(pack);
}

static void pack_leave(struct sopi_inredfs *fs, struct sopi_value_pack *pack, bool retire)
{
	bool last;

	sopi_mutex_lock(&fs->values_mutex);
	if (retire && !pack->retired) {
		pack->retired = true;
		if (fs->value_pack == pack)
			fs->value_pack = NULL;
	}
	last = --pack->users == 0 && pack->retired;
	sopi_mutex_unlock(&fs->values_mutex);
	if (last)
		pack_end(pack);
}

/* The pack that values go to now; a new one if there is none. pack_leave must follow. */
static sop_status pack_enter(struct sopi_inredfs *fs, struct sopi_value_pack **out, sop_error *err)
{
	struct sopi_value_pack *pack;
	void *memory = NULL;
	sop_status status;

	sopi_mutex_lock(&fs->values_mutex);
	pack = fs->value_pack;
	if (pack != NULL)
		pack->users++;
	sopi_mutex_unlock(&fs->values_mutex);
	if (pack == NULL) {
		SOP_TRY(sopi_alloc_zeroed(sizeof *pack, &memory, err));
		pack = memory;
		status = sopi_pack_begin(fs->packs, SOPI_PACK_VALUES, 0, &pack->pack, err);
		if (status != SOP_OK) {
			sopi_free(pack);
			return status;
		}
		pack->users = 1;
		sopi_mutex_lock(&fs->values_mutex);
		pack->retired = fs->value_pack != NULL; /* another was faster: this one serves its maker only */
		if (!pack->retired)
			fs->value_pack = pack;
		sopi_mutex_unlock(&fs->values_mutex);
	}
	*out = pack;
	return SOP_OK;
}

/* Writes one value into a pack, or into a file of its own. */
static sop_status write_one(struct sopi_inredfs *fs, struct sopi_pack *shared,
			    struct sopi_value *value, sop_error *err)
{
	const sop_bytes bytes = { value->bytes, (size_t)value->size };
	struct sopi_pack *pack = shared;
	struct sopi_place place;
	sop_status status;

	value->id = atomic_fetch_add(&fs->next_value, 1);
	if (value->size > SOPI_VALUE_ALONE_BYTES) {
		status = sopi_pack_begin(fs->packs, SOPI_PACK_VALUE, value->size, &pack, err);
		if (status != SOP_OK)
			goto out;
	}
	status = sopi_pack_append(pack, key_of(value->id), bytes, &place, err);
	if (status == SOP_OK) /* while the pack is being written, so that nobody takes it for dead */
		status = fresh_add(fs, value, &place, SOPI_POSITION_NONE, err);
	if (pack != shared && status != SOP_OK)
		sopi_pack_abandon(pack);
	else if (pack != shared)
		status = sopi_pack_finish(pack, err);
	if (status != SOP_OK && value->fresh != NULL) {
		sopi_mutex_lock(&fs->values_mutex);
		sopi_packs_live(fs->packs, &((struct sopi_fresh *)value->fresh)->place, false);
		fresh_free_locked(fs, value->fresh);
		sopi_mutex_unlock(&fs->values_mutex);
	}
out:
	if (status != SOP_OK) {
		value->id = 0;
		value->fresh = NULL;
	}
	return status;
}

static sop_status write_shared(struct sopi_inredfs *fs, struct sopi_value *values, bool shared,
			       sop_error *err)
{
	struct sopi_value_pack *pack = NULL;
	sop_status status = SOP_OK;

	if (shared)
		SOP_TRY(pack_enter(fs, &pack, err));
	for (struct sopi_value *value = values; value != NULL && status == SOP_OK;
	     value = value->next_in_transaction) {
		if (value->id == 0)
			status = write_one(fs, pack != NULL ? pack->pack : NULL, value, err);
	}
	if (status == SOP_OK && pack != NULL)
		status = sopi_pack_sync(pack->pack, err);
	if (pack != NULL)
		pack_leave(fs, pack,
			   status != SOP_OK || sopi_pack_bytes(pack->pack) > SOPI_VALUE_PACK_BYTES);
	return status;
}

sop_status sopi_values_write(struct sopi_backend *backend, struct sopi_value *values, sop_error *err)
{
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);
	bool shared = false;
	sop_status status;

	for (const struct sopi_value *value = values; value != NULL; value = value->next_in_transaction)
		shared = shared || (value->id == 0 && value->size <= SOPI_VALUE_ALONE_BYTES);
	status = write_shared(fs, values, shared, err);
	if (status == SOP_IO)
		return sopi_inredfs_fail(fs, status);
	SOP_TRY(status);
	for (struct sopi_value *value = values; value != NULL; value = value->next_in_transaction) {
		atomic_fetch_sub_explicit(&fs->engine->forest.value_bytes,
					  value->bytes != NULL ? value->size : 0, memory_order_relaxed);
		sopi_free(value->bytes);
		value->bytes = NULL;
	}
	return SOP_OK;
}

void sopi_values_seal(struct sopi_inredfs *fs)
{
	struct sopi_value_pack *pack;
	bool last = false;

	sopi_mutex_lock(&fs->values_mutex);
	pack = fs->value_pack;
	fs->value_pack = NULL;
	if (pack != NULL) {
		pack->retired = true;
		last = pack->users == 0;
	}
	sopi_mutex_unlock(&fs->values_mutex);
	if (last)
		pack_end(pack);
}

/* ---- reading ------------------------------------------------------------------------------------- */

static sop_status place_of(struct sopi_inredfs *fs, const struct sopi_value *value,
			   struct sopi_place *place, sop_error *err)
{
	struct sopi_registry_entry entry;
	const struct sopi_fresh *fresh;
	sop_status status;

	sopi_mutex_lock(&fs->values_mutex);
	fresh = value->fresh;
	if (fresh != NULL)
		*place = fresh->place;
	sopi_mutex_unlock(&fs->values_mutex);
	if (fresh != NULL)
		return SOP_OK;
	status = sopi_registry_find(fs->registry, key_of(value->id), &entry, err);
	if (status == SOP_NOT_FOUND)
		return sopi_fail(err, SOP_CORRUPT,
				 "value %llu is named by an item, but the registry lacks it",
				 (unsigned long long)value->id);
	SOP_TRY(status);
	*place = sopi_place_of_entry(&entry);
	return SOP_OK;
}

sop_status sopi_values_read(struct sopi_backend *backend, const struct sopi_value *value,
			    sop_buf *out, sop_error *err)
{
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);
	struct sopi_place place;
	sop_status status = SOP_NOT_FOUND;

	for (int looks = 0; status == SOP_NOT_FOUND && looks < LOOKS_MAX; looks++) {
		SOP_TRY(place_of(fs, value, &place, err));
		status = sopi_packs_read_value(fs->packs, key_of(value->id), &place, out, err);
	}
	if (status == SOP_NOT_FOUND)
		return sopi_fail(err, SOP_CORRUPT, "the pack of value %llu is missing",
				 (unsigned long long)value->id);
	if (status == SOP_OK && out->size != value->size)
		return sopi_fail(err, SOP_CORRUPT, "value %llu has %zu bytes; its item says %llu",
				 (unsigned long long)value->id, out->size,
				 (unsigned long long)value->size);
	return status;
}

/* ---- replay -------------------------------------------------------------------------------------- */

sop_status sopi_values_replayed(struct sopi_inredfs *fs, struct sopi_value *value,
				uint64_t position, sop_error *err)
{
	const struct sopi_place place = { value->pack, value->offset, value->length };
	const struct sopi_pack_entry entry = {
		.id = place.pack,
		.kind = value->size > SOPI_VALUE_ALONE_BYTES ? SOPI_PACK_VALUE : SOPI_PACK_VALUES,
		.total_bytes = place.offset + place.length - SOPI_PACK_HEAD_BYTES,
	};

	if (place.offset < SOPI_PACK_HEAD_BYTES || place.length != value->size + SOPI_VALUE_FRAME_BYTES)
		return sopi_fail(err, SOP_CORRUPT, "a log record puts a value where none can be");
	SOP_TRY(sopi_packs_adopt(fs->packs, &entry, err));
	if (value->id >= atomic_load(&fs->next_value))
		atomic_store(&fs->next_value, value->id + 1);
	return fresh_add(fs, value, &place, position, err);
}

/* ---- checkpoints --------------------------------------------------------------------------------- */

/* A value that was superseded, but may still be read: the registry keeps it until then. */
static void note_waiting(void *arg, const struct sopi_version *version)
{
	const struct sopi_value *value = (const struct sopi_value *)version;
	struct sopi_values_said *said = arg;

	if (value->id == 0 || version->until > said->at || version->since > said->at ||
	    said->status != SOP_OK)
		return;
	said->status = sopi_grow(&said->dead, said->dead_count, &said->dead_capacity,
				 sizeof *said->dead, NULL);
	if (said->status != SOP_OK)
		return;
	said->dead[said->dead_count++] = value->id;
}

void sopi_values_named(struct sopi_inredfs *fs, const struct sopi_value *value)
{
	struct sopi_fresh *fresh;

	sopi_mutex_lock(&fs->values_mutex);
	fresh = value->fresh;
	if (fresh != NULL)
		fresh->named = true;
	sopi_mutex_unlock(&fs->values_mutex);
}

static sop_status collect_births_locked(struct sopi_inredfs *fs, struct sopi_values_said *said,
					sop_error *err)
{
	for (struct sopi_fresh *fresh = fs->fresh; fresh != NULL; fresh = fresh->next) {
		if (fresh->position > said->at)
			continue;
		if (fresh->dead) { /* superseded at or below C too, since C has been pinned: no page names it */
			fresh->passed = true;
			continue;
		}
		if (!fresh->named) /* superseded, but read still: it goes as it came */
			continue;
		SOP_TRY(sopi_grow(&said->births, said->birth_count, &said->birth_capacity,
				  sizeof *said->births, err));
		said->births[said->birth_count++] =
			sopi_entry_of_place(key_of(fresh->id), &fresh->place, fresh->position);
		fresh->registering = true;
	}
	return SOP_OK;
}

static sop_status collect_dead_locked(struct sopi_inredfs *fs, sop_error *err)
{
	while (fs->dead != NULL) {
		struct sopi_fresh *node = fs->dead;
		const struct sopi_registry_entry entry = { .key = key_of(node->id), .removed = true };

		SOP_TRY(sopi_extra_add(fs, &entry, err));
		fs->dead = node->next;
		sopi_free(node);
	}
	return SOP_OK;
}

sop_status sopi_values_collect(struct sopi_inredfs *fs, uint64_t at, struct sopi_values_said *said,
			       sop_error *err)
{
	sop_status status;

	memset(said, 0, sizeof *said);
	said->at = at;
	said->fs = fs;
	/* In this order: what goes from one list to the other meanwhile is in both, never in none. */
	sopi_reclaim_each(&fs->engine->forest.reclaim, SOPI_VALUE, note_waiting, said);
	if (said->status != SOP_OK)
		return sopi_fail(err, said->status, "out of memory for a checkpoint");
	sopi_mutex_lock(&fs->values_mutex);
	status = collect_dead_locked(fs, err);
	if (status == SOP_OK)
		status = collect_births_locked(fs, said, err);
	sopi_mutex_unlock(&fs->values_mutex);
	return status;
}

void sopi_values_said_free(struct sopi_values_said *said)
{
	sopi_free(said->births);
	sopi_free(said->dead);
}

void sopi_values_collected(struct sopi_inredfs *fs, bool durable)
{
	struct sopi_fresh *next;

	sopi_mutex_lock(&fs->values_mutex);
	for (struct sopi_fresh *fresh = fs->fresh; fresh != NULL; fresh = next) {
		next = fresh->next;
		fresh->named = false;
		if (durable && fresh->passed) {
			sopi_packs_live(fs->packs, &fresh->place, false);
			fresh_free_locked(fs, fresh);
			continue;
		}
		if (durable && fresh->registering) {
			if (fresh->value != NULL)
				((struct sopi_value *)(uintptr_t)fresh->value)->fresh = NULL;
			if (fresh->dead) {
				fresh_unlink_locked(fs, fresh);
				bury_locked(fs, fresh);
			} else {
				fresh_free_locked(fs, fresh);
			}
			continue;
		}
		fresh->passed = false;
		fresh->registering = false;
	}
	sopi_mutex_unlock(&fs->values_mutex);
}

sop_status sopi_values_list_packs(struct sopi_inredfs *fs, struct sopi_pack_entry **packs,
				  size_t *count, sop_error *err)
{
	sop_status status;

	sopi_mutex_lock(&fs->values_mutex); /* so that list and counts are of one moment */
	status = sopi_packs_list(fs->packs, packs, count, err);
	for (const struct sopi_fresh *fresh = fs->fresh; fresh != NULL && status == SOP_OK;
	     fresh = fresh->next) {
		const size_t pack = sopi_pack_find(*packs, *count, fresh->place.pack);

		if (pack < *count && !fresh->registering)
			(*packs)[pack].live_bytes -= fresh->place.length;
	}
	sopi_mutex_unlock(&fs->values_mutex);
	return status;
}

void sopi_values_free(struct sopi_inredfs *fs)
{
	sopi_values_seal(fs);
	while (fs->fresh != NULL)
		fresh_free_locked(fs, fs->fresh);
	while (fs->dead != NULL) {
		struct sopi_fresh *next = fs->dead->next;

		sopi_free(fs->dead);
		fs->dead = next;
	}
}
