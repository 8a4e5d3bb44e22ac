/* Slots of which each is emptied and filled by one atomic exchange. */
#include "base/spare.h"

#include "base/alloc.h"

#include <stdatomic.h>
#include <string.h>

enum { CALM_TURNS = 16 };

static size_t size_of(const void *piece)
{
	size_t size;

	memcpy(&size, piece, sizeof size);
	return size;
}

/* Puts a piece into a slot that is empty. False: there is none. */
static bool put(struct sopi_spare *spare, void *piece)
{
	for (size_t i = 0; i < SOPI_SPARE_PIECES; i++) {
		void *empty = NULL;

		if (atomic_load_explicit(&spare->pieces[i], memory_order_relaxed) == NULL &&
		    atomic_compare_exchange_strong_explicit(&spare->pieces[i], &empty, piece,
							    memory_order_release, memory_order_relaxed))
			return true;
	}
	return false;
}

/* Takes what is in a slot out. */
static void *pull(struct sopi_spare *spare, size_t i)
{
	if (atomic_load_explicit(&spare->pieces[i], memory_order_relaxed) == NULL)
		return NULL;
	return atomic_exchange_explicit(&spare->pieces[i], NULL, memory_order_acquire);
}

static void release(struct sopi_spare *spare, void *piece)
{
	const size_t size = size_of(piece);

	atomic_fetch_sub_explicit(&spare->bytes, size, memory_order_relaxed);
	sopi_alloc_show(piece, size);
	sopi_free(piece);
}

void *sopi_spare_take(struct sopi_spare *spare, size_t size, size_t *capacity)
{
	if (atomic_load_explicit(&spare->bytes, memory_order_relaxed) < size)
		return NULL;
	for (size_t i = 0; i < SOPI_SPARE_PIECES; i++) {
		void *piece = pull(spare, i);
		size_t has;

		if (piece == NULL)
			continue;
		has = size_of(piece);
		if (has >= size && has / 2 < size) {
			atomic_store_explicit(&spare->calm, 0, memory_order_relaxed);
			atomic_fetch_sub_explicit(&spare->bytes, has, memory_order_relaxed);
			*capacity = has;
			sopi_alloc_show(piece, has);
			return piece;
		}
		if (!put(spare, piece)) /* others have filled all slots meanwhile */
			release(spare, piece);
	}
	return NULL;
}

void sopi_spare_give(struct sopi_spare *spare, void *memory, size_t capacity)
{
	const size_t most = atomic_load_explicit(&spare->bytes_max, memory_order_relaxed);
	size_t before;

	if (memory == NULL)
		return;
	if (capacity < SOPI_SPARE_PIECE_MIN || capacity > most) {
		sopi_free(memory);
		return;
	}
	memcpy(memory, &capacity, sizeof capacity);
	sopi_alloc_hide((char *)memory + sizeof capacity, capacity - sizeof capacity);
	before = atomic_fetch_add_explicit(&spare->bytes, capacity, memory_order_relaxed);
	if (before > most - capacity || !put(spare, memory))
		release(spare, memory);
}

void sopi_spare_tick(struct sopi_spare *spare)
{
	if (atomic_load_explicit(&spare->bytes, memory_order_relaxed) != 0 &&
	    atomic_fetch_add_explicit(&spare->calm, 1, memory_order_relaxed) >= CALM_TURNS)
		sopi_spare_free(spare);
}

void sopi_spare_free(struct sopi_spare *spare)
{
	for (size_t i = 0; i < SOPI_SPARE_PIECES; i++) {
		void *piece = pull(spare, i);

		if (piece != NULL)
			release(spare, piece);
	}
}
