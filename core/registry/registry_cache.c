/* Buckets in memory: hash tables in parts, each under a mutex, with a hand that goes round (CLOCK). */
#include "registry/registry_cache.h"

#include "base/alloc.h"
#include "platform/thread.h"
#include "registry/registry_map.h"

#include <string.h>

enum {
	PARTS = 16, /* so that threads meet rarely */
	SLOTS_MAX = 1 << 24, /* of a part: 64 GB */
	FORGET_SLOTS = 256, /* at a time, so that look-ups do not wait */
};

static const uint32_t NOWHERE = UINT32_MAX; /* no slot */

/* A bucket, or room for one. */
struct slot {
	uint64_t generation; /* 0: free */
	uint64_t number;
	uint8_t *block; /* NULL: never used, or forgotten */
	uint32_t next; /* in its chain, or NOWHERE */
	bool used; /* since the hand passed */
};

struct part {
	sopi_mutex mutex; /* guards what follows; leaf of the lock order */
	struct slot *slots;
	uint32_t *chains; /* first slot of each, or NOWHERE; as many as slots */
	uint32_t slot_count;
	uint32_t hand;
	uint64_t held; /* blocks */
};

struct sopi_bucket_cache {
	struct part parts[PARTS];
};

static struct part *part_of(struct sopi_bucket_cache *cache, uint64_t number)
{
	return &cache->parts[number % PARTS];
}

static uint32_t *chain_of(const struct part *part, uint64_t generation, uint64_t number)
{
	const uint64_t mixed = (number / PARTS + generation * 0x9E3779B97F4A7C15u) % part->slot_count;

	return &part->chains[mixed];
}

static sop_status part_init(struct part *part, uint32_t slot_count, sop_error *err)
{
	part->slot_count = slot_count;
	SOP_TRY(sopi_alloc_zeroed(slot_count * sizeof *part->slots, (void **)&part->slots, err));
	SOP_TRY(sopi_alloc(slot_count * sizeof *part->chains, (void **)&part->chains, err));
	for (uint32_t i = 0; i < slot_count; i++)
		part->chains[i] = NOWHERE;
	return SOP_OK;
}

sop_status sopi_bucket_cache_new(size_t bytes, struct sopi_bucket_cache **out, sop_error *err)
{
	const size_t each = SOPI_BUCKET_BYTES + sizeof(struct slot) + sizeof(uint32_t);
	const size_t slots = bytes / PARTS / each;
	struct sopi_bucket_cache *cache = NULL;
	sop_status status = SOP_OK;

	SOP_TRY(sopi_alloc_zeroed(sizeof *cache, (void **)&cache, err));
	for (size_t i = 0; i < PARTS; i++)
		sopi_mutex_init(&cache->parts[i].mutex);
	for (size_t i = 0; i < PARTS; i++)
		SOP_TRY_OUT(part_init(&cache->parts[i],
				      slots < SLOTS_MAX ? (uint32_t)slots : SLOTS_MAX, err));
	*out = cache;
out:
	if (status != SOP_OK)
		sopi_bucket_cache_free(cache);
	return status;
}

void sopi_bucket_cache_free(struct sopi_bucket_cache *cache)
{
	if (cache == NULL)
		return;
	for (size_t i = 0; i < PARTS; i++) {
		struct part *part = &cache->parts[i];

		for (uint32_t k = 0; part->slots != NULL && k < part->slot_count; k++)
			sopi_free(part->slots[k].block);
		sopi_free(part->slots);
		sopi_free(part->chains);
		sopi_mutex_destroy(&part->mutex);
	}
	sopi_free(cache);
}

static struct slot *find_locked(struct part *part, uint64_t generation, uint64_t number)
{
	uint32_t at = part->slot_count != 0 ? *chain_of(part, generation, number) : NOWHERE;

	for (; at != NOWHERE; at = part->slots[at].next) {
		struct slot *slot = &part->slots[at];

		if (slot->generation == generation && slot->number == number)
			return slot;
	}
	return NULL;
}

bool sopi_bucket_cache_find(struct sopi_bucket_cache *cache, uint64_t generation, uint64_t number,
			    struct sopi_wanted *wanted, size_t count)
{
	struct part *part = part_of(cache, number);
	struct slot *slot = NULL;

	sopi_mutex_lock(&part->mutex);
	slot = find_locked(part, generation, number);
	if (slot != NULL) {
		slot->used = true;
		sopi_bucket_search(slot->block, wanted, count);
	}
	sopi_mutex_unlock(&part->mutex);
	return slot != NULL;
}

/* Takes a slot out of its chain. */
static void unchain_locked(struct part *part, uint32_t at)
{
	struct slot *slot = &part->slots[at];
	uint32_t *link = chain_of(part, slot->generation, slot->number);

	while (*link != at)
		link = &part->slots[*link].next;
	*link = slot->next;
	slot->generation = 0;
}

/* The slot that is to be used next: free, or not used since the hand was here. */
static uint32_t victim_locked(struct part *part)
{
	for (;;) { /* once round clears every mark, so it ends within two */
		const uint32_t at = part->hand;
		struct slot *slot = &part->slots[at];

		part->hand = (at + 1) % part->slot_count;
		if (slot->generation == 0)
			return at;
		if (!slot->used) {
			unchain_locked(part, at);
			return at;
		}
		slot->used = false;
	}
}

static void put_locked(struct part *part, uint64_t generation, uint64_t number, const uint8_t *block)
{
	const uint32_t at = victim_locked(part);
	struct slot *slot = &part->slots[at];
	uint32_t *chain = chain_of(part, generation, number);

	if (slot->block == NULL) {
		if (sopi_alloc(SOPI_BUCKET_BYTES, (void **)&slot->block, NULL) != SOP_OK)
			return; /* it is read again next time */
		part->held++;
	}
	memcpy(slot->block, block, SOPI_BUCKET_BYTES);
	slot->generation = generation;
	slot->number = number;
	slot->used = true;
	slot->next = *chain;
	*chain = at;
}

void sopi_bucket_cache_put(struct sopi_bucket_cache *cache, uint64_t generation, uint64_t number,
			   const uint8_t *block)
{
	struct part *part = part_of(cache, number);

	sopi_mutex_lock(&part->mutex);
	if (part->slot_count != 0 && find_locked(part, generation, number) == NULL) /* another thread may have */
		put_locked(part, generation, number, block);
	sopi_mutex_unlock(&part->mutex);
}

static void forget_locked(struct part *part, uint64_t generation, uint32_t first)
{
	for (uint32_t at = first; at < part->slot_count && at - first < FORGET_SLOTS; at++) {
		struct slot *slot = &part->slots[at];

		if (slot->generation != generation)
			continue;
		unchain_locked(part, at);
		sopi_free(slot->block);
		slot->block = NULL;
		part->held--;
	}
}

void sopi_bucket_cache_forget(struct sopi_bucket_cache *cache, uint64_t generation)
{
	for (size_t i = 0; i < PARTS; i++) {
		struct part *part = &cache->parts[i];

		for (uint32_t first = 0; first < part->slot_count; first += FORGET_SLOTS) {
			sopi_mutex_lock(&part->mutex);
			forget_locked(part, generation, first);
			sopi_mutex_unlock(&part->mutex);
		}
	}
}

uint64_t sopi_bucket_cache_bytes(struct sopi_bucket_cache *cache)
{
	uint64_t blocks = 0;

	for (size_t i = 0; i < PARTS; i++) {
		sopi_mutex_lock(&cache->parts[i].mutex);
		blocks += cache->parts[i].held;
		sopi_mutex_unlock(&cache->parts[i].mutex);
	}
	return blocks * SOPI_BUCKET_BYTES;
}
