/* A ring of the newest commits with a chained hash over it; old entries fall out of their chains by
 * themselves, since a chain leads from newer to older.
 *
 * Every commit adds one, so nothing here may take long: the ring grows by pieces that stay where they are, and the hash by
 * a bucket for each entry, which takes what is its own out of the chain of another one (W. Litwin, Linear hashing, 1980).
 * Once the ring is full there are as many buckets as entries, and none is added. */
#include "transaction/outcome.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/check.h"

#include <string.h>

enum { PIECE_ENTRIES = 1 << 8 };

struct entry {
	uint8_t id[16];
	uint64_t position;
	uint64_t older; /* number of the next older entry of the chain, plus 1; 0: there is none */
};

struct sopi_outcome_piece {
	struct entry entries[PIECE_ENTRIES];
	uint32_t buckets[PIECE_ENTRIES]; /* newest entry of each chain: where it is in the ring, plus 1 */
};

void sopi_outcomes_init(struct sopi_outcomes *outcomes)
{
	memset(outcomes, 0, sizeof *outcomes);
	sopi_mutex_init(&outcomes->mutex);
}

void sopi_outcomes_destroy(struct sopi_outcomes *outcomes)
{
	for (size_t i = 0; i < outcomes->piece_count; i++)
		sopi_free(outcomes->pieces[i]);
	sopi_free(outcomes->pieces);
	sopi_mutex_destroy(&outcomes->mutex);
}

static struct entry *entry_of(const struct sopi_outcomes *outcomes, uint64_t number)
{
	const size_t at = (size_t)(number & (SOPI_OUTCOMES_MAX - 1));

	return &outcomes->pieces[at / PIECE_ENTRIES]->entries[at % PIECE_ENTRIES];
}

static uint32_t *bucket_at(const struct sopi_outcomes *outcomes, size_t index)
{
	return &outcomes->pieces[index / PIECE_ENTRIES]->buckets[index % PIECE_ENTRIES];
}

/* The oldest that is known. */
static uint64_t oldest_of(const struct sopi_outcomes *outcomes)
{
	return outcomes->added > SOPI_OUTCOMES_MAX ? outcomes->added - SOPI_OUTCOMES_MAX : 0;
}

/* ---- the hash ------------------------------------------------------------------------------------ */

/* Ids are random in their last bytes or chosen by callers: mix all of them. */
static size_t hash_of(const uint8_t id[16])
{
	uint64_t a, b;

	memcpy(&a, id, 8);
	memcpy(&b, id + 8, 8);
	return (size_t)(((a ^ (b >> 32 | b << 32)) * 0x9E3779B97F4A7C15u) >> 20);
}

/* The greatest power of two that is not above `count`. */
static size_t power_below(size_t count)
{
	return (size_t)1 << (63 - __builtin_clzll((unsigned long long)count));
}

/* Of `count` buckets. Where the one that the hash names is not there yet, its chain is part of another one. */
static uint32_t *bucket_of(const struct sopi_outcomes *outcomes, const uint8_t id[16], size_t count)
{
	const size_t power = power_below(count);
	const size_t hash = hash_of(id);
	size_t index = hash & (2 * power - 1);

	if (index >= count)
		index = hash & (power - 1);
	return bucket_at(outcomes, index);
}

/* The newest entry of a chain, plus 1; 0: it is empty. Everything in it was added before `added`. */
static uint64_t newest_of(const struct sopi_outcomes *outcomes, uint32_t bucket)
{
	const uint64_t mask = SOPI_OUTCOMES_MAX - 1;
	uint64_t number;

	if (bucket == 0)
		return 0;
	number = (outcomes->added & ~mask) | (bucket - 1);
	return number >= outcomes->added ? number - mask : number + 1;
}

/* Adds bucket number `index`, with the entries of another one's chain that are its own. REQUIRES: the ring has never been
 * full, so that each chain is whole. */
static void split_locked(struct sopi_outcomes *outcomes, size_t index)
{
	uint32_t *buckets[2] = { NULL, bucket_at(outcomes, index) };
	struct entry *last[2] = { NULL, NULL };
	size_t power;
	uint64_t next;

	*buckets[1] = 0;
	if (index == 0)
		return;
	power = power_below(index);
	buckets[0] = bucket_at(outcomes, index - power);
	next = *buckets[0];
	*buckets[0] = 0;
	while (next != 0) { /* older each time */
		struct entry *entry = entry_of(outcomes, next - 1);
		const size_t which = (hash_of(entry->id) & power) != 0;

		if (last[which] == NULL)
			*buckets[which] = (uint32_t)next;
		else
			last[which]->older = next;
		last[which] = entry;
		next = entry->older;
		entry->older = 0;
	}
}

/* ---- adding -------------------------------------------------------------------------------------- */

static void insert_locked(struct sopi_outcomes *outcomes, const uint8_t id[16], uint64_t position)
{
	const uint64_t number = outcomes->added;
	struct entry *entry = entry_of(outcomes, number);
	uint32_t *bucket;

	if (number < SOPI_OUTCOMES_MAX)
		split_locked(outcomes, (size_t)number);
	bucket = bucket_of(outcomes, id,
			   number < SOPI_OUTCOMES_MAX ? (size_t)number + 1 : SOPI_OUTCOMES_MAX);
	memcpy(entry->id, id, 16);
	entry->position = position;
	entry->older = newest_of(outcomes, *bucket);
	*bucket = (uint32_t)(number & (SOPI_OUTCOMES_MAX - 1)) + 1;
	outcomes->added++;
}

static sop_status grow_locked(struct sopi_outcomes *outcomes, sop_error *err)
{
	void *piece = NULL;

	SOP_TRY(sopi_grow(&outcomes->pieces, outcomes->piece_count, &outcomes->piece_capacity,
			  sizeof *outcomes->pieces, err));
	SOP_TRY(sopi_alloc(sizeof **outcomes->pieces, &piece, err));
	outcomes->pieces[outcomes->piece_count++] = piece;
	outcomes->capacity += PIECE_ENTRIES;
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

/* ---- asking -------------------------------------------------------------------------------------- */

/* The first entry above `position`; the entries are in the order of their positions. */
static uint64_t first_above(const struct sopi_outcomes *outcomes, uint64_t position)
{
	uint64_t low = oldest_of(outcomes), high = outcomes->added;

	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;

		if (entry_of(outcomes, middle)->position <= position)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct sopi_outcome_range sopi_outcomes_between(struct sopi_outcomes *outcomes, uint64_t above,
						uint64_t upto)
{
	struct sopi_outcome_range range;

	sopi_mutex_lock(&outcomes->mutex);
	range.next = first_above(outcomes, above);
	range.end = first_above(outcomes, upto);
	sopi_mutex_unlock(&outcomes->mutex);
	return range;
}

size_t sopi_outcomes_take(struct sopi_outcomes *outcomes, struct sopi_outcome_range *range,
			  uint8_t *to, size_t most)
{
	uint64_t oldest;
	size_t count = 0;

	sopi_mutex_lock(&outcomes->mutex);
	oldest = oldest_of(outcomes);
	if (range->next < oldest)
		range->next = oldest;
	for (; range->next < range->end && count < most; range->next++, count++) {
		const struct entry *entry = entry_of(outcomes, range->next);

		memcpy(to + count * SOPI_OUTCOME_BYTES, entry->id, 16);
		sopi_store_u64le(to + count * SOPI_OUTCOME_BYTES + 16, entry->position);
	}
	sopi_mutex_unlock(&outcomes->mutex);
	return count;
}

uint64_t sopi_outcomes_find(struct sopi_outcomes *outcomes, const uint8_t id[16], bool *forgotten)
{
	uint64_t position = 0;
	uint64_t next = 0, oldest;

	sopi_mutex_lock(&outcomes->mutex);
	*forgotten = outcomes->added > SOPI_OUTCOMES_MAX;
	oldest = oldest_of(outcomes);
	if (outcomes->added != 0)
		next = newest_of(outcomes, *bucket_of(outcomes, id, (size_t)(outcomes->added - oldest)));
	while (next > oldest) {
		const struct entry *entry = entry_of(outcomes, next - 1);

		if (memcmp(entry->id, id, 16) == 0) {
			position = entry->position;
			break;
		}
		if (entry->older >= next)
			break; /* the entry was overwritten: the chain ends */
		next = entry->older;
	}
	sopi_mutex_unlock(&outcomes->mutex);
	return position;
}
