/* A ring of the newest commits with a chained hash over it; old entries fall out of their chains by
 * themselves, since a chain leads from newer to older. */
#include "transaction/outcome.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <string.h>

enum { FIRST_CAPACITY = 1 << 8 };

struct sopi_outcome_entry {
	uint8_t id[16];
	uint64_t position;
	uint64_t older; /* number of the next older entry of the chain, plus 1 */
};

void sopi_outcomes_init(struct sopi_outcomes *outcomes)
{
	memset(outcomes, 0, sizeof *outcomes);
	sopi_mutex_init(&outcomes->mutex);
}

void sopi_outcomes_destroy(struct sopi_outcomes *outcomes)
{
	sopi_free(outcomes->ring);
	sopi_free(outcomes->buckets);
	sopi_mutex_destroy(&outcomes->mutex);
}

/* Ids are random in their last bytes or chosen by callers: mix all of them. */
static size_t bucket_of(const uint8_t id[16], size_t capacity)
{
	uint64_t a, b;

	memcpy(&a, id, 8);
	memcpy(&b, id + 8, 8);
	return (size_t)(((a ^ (b >> 32 | b << 32)) * 0x9E3779B97F4A7C15u) >> 20) & (capacity - 1);
}

static void insert_locked(struct sopi_outcomes *outcomes, const uint8_t id[16], uint64_t position)
{
	struct sopi_outcome_entry *entry = &outcomes->ring[outcomes->added & (outcomes->capacity - 1)];
	uint32_t *bucket = &outcomes->buckets[bucket_of(id, outcomes->capacity)];
	const uint64_t newest = *bucket; /* low bits of the number, plus 1 */

	memcpy(entry->id, id, 16);
	entry->position = position;
	entry->older = 0;
	if (newest != 0) { /* the newest number with these low bits below ours */
		const uint64_t mask = outcomes->capacity - 1;
		uint64_t number = (outcomes->added & ~mask) | (newest - 1);

		if (number >= outcomes->added)
			number -= outcomes->capacity;
		if (number < outcomes->added) /* else it would be before the first */
			entry->older = number + 1;
	}
	*bucket = (uint32_t)(outcomes->added & (outcomes->capacity - 1)) + 1;
	outcomes->added++;
}

static sop_status grow_locked(struct sopi_outcomes *outcomes, sop_error *err)
{
	const size_t old_capacity = outcomes->capacity;
	const size_t old_count = (size_t)outcomes->added; /* the ring has never wrapped */
	const size_t capacity = old_capacity == 0 ? FIRST_CAPACITY : old_capacity * 2;
	struct sopi_outcome_entry *old = outcomes->ring;
	void *ring = NULL;
	void *buckets = NULL;

	SOP_TRY(sopi_alloc(capacity * sizeof *old, &ring, err));
	const sop_status status = sopi_alloc_zeroed(capacity * sizeof *outcomes->buckets, &buckets, err);
	if (status != SOP_OK) {
		sopi_free(ring);
		return status;
	}
	sopi_free(outcomes->buckets);
	outcomes->ring = ring;
	outcomes->buckets = buckets;
	outcomes->capacity = capacity;
	outcomes->added = 0;
	for (size_t i = 0; i < old_count; i++)
		insert_locked(outcomes, old[i].id, old[i].position);
	sopi_free(old);
	return SOP_OK;
}

sop_status sopi_outcomes_reserve(struct sopi_outcomes *outcomes, sop_error *err)
{
	sop_status status = SOP_OK;

	sopi_mutex_lock(&outcomes->mutex);
	while (status == SOP_OK && outcomes->capacity < SOPI_OUTCOMES_MAX &&
	       outcomes->added + outcomes->reserved >= outcomes->capacity)
		status = grow_locked(outcomes, err);
	if (status == SOP_OK)
		outcomes->reserved++;
	sopi_mutex_unlock(&outcomes->mutex);
	return status;
}

void sopi_outcomes_unreserve(struct sopi_outcomes *outcomes)
{
	sopi_mutex_lock(&outcomes->mutex);
	SOPI_CHECK(outcomes->reserved > 0);
	outcomes->reserved--;
	sopi_mutex_unlock(&outcomes->mutex);
}

void sopi_outcomes_add(struct sopi_outcomes *outcomes, const uint8_t id[16], uint64_t position)
{
	sopi_mutex_lock(&outcomes->mutex);
	SOPI_CHECK(outcomes->reserved > 0);
	outcomes->reserved--;
	insert_locked(outcomes, id, position);
	sopi_mutex_unlock(&outcomes->mutex);
}

static const struct sopi_outcome_entry *entry_of(const struct sopi_outcomes *outcomes, uint64_t number)
{
	return &outcomes->ring[number & (outcomes->capacity - 1)];
}

/* The entries are in the order of their positions: [first, end) are those in (above, upto]. */
static void find_between(const struct sopi_outcomes *outcomes, uint64_t above, uint64_t upto,
			 uint64_t *first, uint64_t *end)
{
	const uint64_t oldest =
		outcomes->added > outcomes->capacity ? outcomes->added - outcomes->capacity : 0;

	*end = outcomes->added;
	while (*end > oldest && entry_of(outcomes, *end - 1)->position > upto)
		(*end)--;
	*first = *end;
	while (*first > oldest && entry_of(outcomes, *first - 1)->position > above)
		(*first)--;
}

sop_status sopi_outcomes_between(struct sopi_outcomes *outcomes, uint64_t above, uint64_t upto,
				 uint8_t **out, size_t *count, sop_error *err)
{
	uint64_t first, end;
	void *memory = NULL;
	sop_status status;

	sopi_mutex_lock(&outcomes->mutex);
	find_between(outcomes, above, upto, &first, &end);
	status = sopi_alloc((size_t)(end - first + 1) * SOPI_OUTCOME_BYTES, &memory, err);
	for (uint64_t number = first; number < end && status == SOP_OK; number++) {
		uint8_t *to = (uint8_t *)memory + (size_t)(number - first) * SOPI_OUTCOME_BYTES;

		memcpy(to, entry_of(outcomes, number)->id, 16);
		sopi_store_u64le(to + 16, entry_of(outcomes, number)->position);
	}
	sopi_mutex_unlock(&outcomes->mutex);
	if (status == SOP_OK) {
		*out = memory;
		*count = (size_t)(end - first);
	}
	return status;
}

uint64_t sopi_outcomes_find(struct sopi_outcomes *outcomes, const uint8_t id[16], bool *forgotten)
{
	uint64_t position = 0;
	uint64_t number, oldest;

	sopi_mutex_lock(&outcomes->mutex);
	*forgotten = outcomes->added > outcomes->capacity;
	if (outcomes->capacity != 0) {
		const uint32_t bucket = outcomes->buckets[bucket_of(id, outcomes->capacity)];

		oldest = *forgotten ? outcomes->added - outcomes->capacity : 0;
		number = 0;
		if (bucket != 0) {
			number = ((outcomes->added - 1) & ~(uint64_t)(outcomes->capacity - 1)) |
				 (bucket - 1);
			if (number >= outcomes->added)
				number -= outcomes->capacity;
			number++;
		}
		while (number > oldest && number <= outcomes->added) {
			const struct sopi_outcome_entry *entry =
				&outcomes->ring[(number - 1) & (outcomes->capacity - 1)];

			if (memcmp(entry->id, id, 16) == 0) {
				position = entry->position;
				break;
			}
			if (entry->older >= number)
				break; /* the entry was overwritten: the chain ends */
			number = entry->older;
		}
	}
	sopi_mutex_unlock(&outcomes->mutex);
	return position;
}
