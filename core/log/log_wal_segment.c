/* Segments as files: made ahead and filled with zeros, so that writing to them later changes nothing but their content;
 * recycled; removed. While large groups are written, new ones are only reserved (raw): the journal of the file system
 * costs such a group less than writing everything twice. When groups get small again, the log moves on to one with
 * zeros.
 *
 * A segment that is ready has its final name, durable, and no head. The leader writes its head, durably, then the
 * successor record that names it, durably, then records into it. */
#include "log/log_wal_state.h"

#include "base/alloc.h"
#include "base/plant.h"
#include "platform/random.h"

#include <stdio.h>
#include <string.h>

#define LOG_FOLDER "log"

enum {
	ZEROS_BYTES = 1 << 20,
	ZEROS_BYTES_BESIDE = 128 << 10, /* where a flush may have to wait for them */
	SEGMENT_UNIT_BYTES = 4096,
	LARGE_GROUPS = 8, /* what is so many times as large as a large group is one, or several at once */
	OVERHEAD_BYTES = SOPI_LOG_FIRST_PLACE + SOPI_LOG_BLOCK_BYTES_MAX, /* of a segment, at most */
	SEVERAL = 4, /* groups of the size that is waited for are to fit into a segment */
};

void wal_segment_name(uint64_t sequence, char name[SOPI_WAL_NAME_BYTES])
{
	(void)snprintf(name, SOPI_WAL_NAME_BYTES, LOG_FOLDER "/%016llx.log", (unsigned long long)sequence);
}

uint64_t sopi_wal_sequence(const char *name)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t number = 0;

	if (strlen(name) != 20 || strcmp(name + 16, ".log") != 0)
		return 0;
	for (size_t i = 0; i < 16; i++) {
		const char *digit = name[i] != '\0' ? strchr(digits, name[i]) : NULL;

		if (digit == NULL)
			return 0;
		number = number << 4 | (uint64_t)(digit - digits);
	}
	return number >> 63 == 0 ? number : 0; /* there is always a higher one */
}

uint64_t wal_segment_room(const struct sopi_wal *wal, uint64_t bytes)
{
	return bytes - SOPI_LOG_FIRST_PLACE - wal->block;
}

void wal_segment_close(struct wal_segment *segment)
{
	sopi_file_close(segment->direct);
	sopi_file_close(segment->file);
	segment->direct = NULL;
	segment->file = NULL;
}

/* ---- lists ---- */

sop_status wal_list_room(struct wal_list *list, size_t more, sop_error *err)
{
	const size_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
	void *items = list->items;

	SOPI_CHECK(more <= 8);
	if (list->count + more <= list->capacity)
		return SOP_OK;
	SOP_TRY(sopi_realloc(&items, capacity * sizeof *list->items, err));
	list->items = items;
	list->capacity = capacity;
	return SOP_OK;
}

void wal_list_add(struct wal_list *list, const struct wal_listed *item)
{
	SOPI_CHECK(list->count < list->capacity);
	list->items[list->count++] = *item;
}

static bool list_has(const struct wal_list *list, uint64_t sequence)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].sequence == sequence)
			return true;
	return false;
}

bool sopi_wal_knows(struct sopi_log *log, uint64_t sequence)
{
	struct sopi_wal *wal = wal_of(log);
	bool known;

	sopi_mutex_lock(&wal->maker); /* none is half made then */
	sopi_mutex_lock(&wal->state);
	known = list_has(&wal->chain, sequence) || list_has(&wal->pool, sequence) ||
		(wal->next.file != NULL && wal->next.sequence == sequence) || wal->removing == sequence;
	sopi_mutex_unlock(&wal->state);
	sopi_mutex_unlock(&wal->maker);
	return known;
}

static void list_remove(struct wal_list *list, size_t index)
{
	list->count--;
	memmove(list->items + index, list->items + index + 1, (list->count - index) * sizeof *list->items);
}

/* ---- making ---- */

/* May bytes between these places be written directly? The size of a file that was found may be anything. */
static bool takes_direct(const struct wal_segment *segment, uint64_t places)
{
	return segment->direct != NULL && segment->direct->direct_bytes <= SEGMENT_UNIT_BYTES &&
	       places % SEGMENT_UNIT_BYTES == 0;
}

/* How many zeros are written at a time. While the log is opened nobody waits for a flush, and each piece is one. */
static size_t zeros_at_once(struct sopi_wal *wal)
{
	bool opens;

	sopi_mutex_lock(&wal->state);
	opens = wal->segment_bytes == 0; /* no segment is the current one yet */
	sopi_mutex_unlock(&wal->state);
	return opens ? ZEROS_BYTES : ZEROS_BYTES_BESIDE;
}

/* Past the page cache where that can be, a piece at a time: a flush meanwhile waits for a piece at most. */
static sop_status write_zeros(struct sopi_wal *wal, const struct wal_segment *segment,
			      uint64_t from, uint64_t to, sop_error *err)
{
	static _Alignas(SEGMENT_UNIT_BYTES)
		uint8_t zeros[ZEROS_BYTES]; /* not const: that would be in the library's file */
	struct sopi_file *file = takes_direct(segment, from | to) ? segment->direct : segment->file;
	const size_t piece = zeros_at_once(wal);

	while (from < to) {
		const size_t part = to - from < piece ? (size_t)(to - from) : piece;

		SOP_TRY(sopi_file_write(file, from, zeros, part, err));
		from += part;
	}
	return SOP_OK;
}

/* Gives the bytes from `from` to `to` of the segment their room on the disk, durably; with zeros in it unless it may stay
 * raw and the file system can reserve room. */
static sop_status fill(struct sopi_wal *wal, struct wal_segment *segment, uint64_t from,
		       uint64_t to, bool raw, sop_error *err)
{
	const sop_status status = sopi_file_allocate(segment->file, from, to - from, err);
	const bool stays_raw = raw && status == SOP_OK;

	if (status != SOP_OK && status != SOP_UNSUPPORTED)
		return status;
	if (!stays_raw)
		SOP_TRY(write_zeros(wal, segment, from, to, err));
	SOP_TRY(sopi_file_sync(segment->file, err));
	segment->raw = stays_raw;
	return SOP_OK;
}

/* A disk that is short of room gets zeros. `least`: bytes of a segment for what somebody waits for: so large a group
 * was perhaps not written yet. REQUIRES: `maker`. */
static bool may_stay_raw(struct sopi_wal *wal, uint64_t least)
{
	const bool large = wal->options.raw_group_bytes != 0 &&
			   (least - OVERHEAD_BYTES) / LARGE_GROUPS >= wal->options.raw_group_bytes;
	bool may;

	sopi_mutex_lock(&wal->state);
	may = (large || wal_writes_much(wal)) && !wal->tight;
	sopi_mutex_unlock(&wal->state);
	return may;
}

/* The same for a whole segment, from no bytes at all: what shows may be of a creation that did not end, or of a size whose
 * sync has failed. */
static sop_status fill_anew(struct sopi_wal *wal, uint64_t least, struct wal_segment *segment,
			    sop_error *err)
{
	SOP_TRY(sopi_file_resize(segment->file, 0, err));
	return fill(wal, segment, 0, segment->bytes, may_stay_raw(wal, least), err);
}

/* Does a device's unit suit a log whose records begin at multiples of `block`? */
static bool suits(size_t direct_bytes, size_t block)
{
	return direct_bytes != 0 && (direct_bytes & (direct_bytes - 1)) == 0 && direct_bytes <= block;
}

/* The first one that is opened decides on the block. */
static sop_status open_direct(struct sopi_wal *wal, const char *name, struct wal_segment *segment,
			      sop_error *err)
{
	SOP_TRY(sopi_folder_open_file(wal->options.folder, name,
				      SOPI_FILE_READ | SOPI_FILE_WRITE | SOPI_FILE_DIRECT,
				      &segment->direct, err));
	if (wal->block == 0)
		wal->block = suits(segment->direct->direct_bytes, SOPI_LOG_BLOCK_BYTES_MAX) &&
					     segment->direct->direct_bytes > SOPI_LOG_BLOCK_BYTES_MIN
				     ? segment->direct->direct_bytes
				     : SOPI_LOG_BLOCK_BYTES_MIN;
	if (!suits(segment->direct->direct_bytes, wal->block)) {
		sopi_file_close(segment->direct);
		segment->direct = NULL;
	}
	return SOP_OK;
}

static sop_status open_both(struct sopi_wal *wal, struct wal_segment *segment, unsigned flags,
			    sop_error *err)
{
	char name[SOPI_WAL_NAME_BYTES];

	wal_segment_name(segment->sequence, name);
	SOP_TRY(sopi_folder_open_file(wal->options.folder, name,
				      SOPI_FILE_READ | SOPI_FILE_WRITE | flags, &segment->file, err));
	return open_direct(wal, name, segment, err);
}

static sop_status sync_names(struct sopi_wal *wal, sop_error *err)
{
	if (SOPI_PLANTED(SOPI_PLANT_LOG_NO_FOLDER_SYNC))
		return SOP_OK;
	return sopi_folder_sync(wal->options.folder, LOG_FOLDER, err);
}

/* A file that could not be made goes, so that what it took of the disk is free again. */
static void unmake(struct sopi_wal *wal, struct wal_segment *segment)
{
	char name[SOPI_WAL_NAME_BYTES];

	wal_segment_close(segment);
	wal_segment_name(segment->sequence, name);
	(void)sopi_folder_remove(wal->options.folder, name, NULL);
}

static sop_status make_new(struct sopi_wal *wal, uint64_t bytes, uint64_t least,
			   struct wal_segment *segment, sop_error *err)
{
	sop_status status;

	segment->bytes = bytes;
	SOP_TRY_OUT(open_both(wal, segment, SOPI_FILE_CREATE, err));
	SOP_TRY_OUT(fill_anew(wal, least, segment, err));
	SOP_TRY_OUT(sync_names(wal, err));
out:
	if (status != SOP_OK)
		unmake(wal, segment);
	return status;
}

/* The index of the largest segment in the pool that is large enough, or `count`. */
static size_t find_in_pool(const struct sopi_wal *wal, uint64_t bytes)
{
	size_t found = wal->pool.count;

	for (size_t i = 0; i < wal->pool.count; i++)
		if (wal->pool.items[i].bytes >= bytes &&
		    (found == wal->pool.count || wal->pool.items[i].bytes > wal->pool.items[found].bytes))
			found = i;
	return found;
}

static bool take_from_pool(struct sopi_wal *wal, uint64_t bytes, struct wal_listed *item)
{
	size_t index;
	bool found;

	sopi_mutex_lock(&wal->state);
	index = find_in_pool(wal, bytes);
	found = index < wal->pool.count;
	if (found) {
		*item = wal->pool.items[index];
		list_remove(&wal->pool, index);
	}
	sopi_mutex_unlock(&wal->state);
	return found;
}

static sop_status recycle(struct sopi_wal *wal, const struct wal_listed *item, uint64_t least,
			  struct wal_segment *segment, sop_error *err)
{
	char from[SOPI_WAL_NAME_BYTES], to[SOPI_WAL_NAME_BYTES];
	sop_status status;

	segment->bytes = item->bytes;
	wal_segment_name(item->sequence, from);
	wal_segment_name(segment->sequence, to);
	SOP_TRY(sopi_folder_rename(wal->options.folder, from, to, err));
	SOP_TRY_OUT(sync_names(wal, err));
	SOP_TRY_OUT(open_both(wal, segment, 0, err));
	if (item->raw)
		SOP_TRY_OUT(fill_anew(wal, least, segment, err));
out:
	if (status != SOP_OK)
		unmake(wal, segment);
	return status;
}

/* The next one that is ready is too small for what is reserved: it gets longer. */
static sop_status grow_next(struct sopi_wal *wal, uint64_t bytes, sop_error *err)
{
	const sop_status status = fill(wal, &wal->next, wal->next.bytes, bytes, wal->next.raw, err);

	if (status == SOP_OK)
		wal->next.bytes = bytes;
	else
		(void)sopi_file_resize(wal->next.file, wal->next.bytes, NULL);
	return status;
}

static bool is_slow(struct sopi_wal *wal)
{
	bool slow;

	sopi_mutex_lock(&wal->state);
	slow = wal_is_slow(wal);
	sopi_mutex_unlock(&wal->state);
	return slow;
}

/* Twice the size of the last one, which closing may have cut. The first one with zeros after large groups is small again:
 * small groups have to wait until it is there. */
static uint64_t size_of_next(struct sopi_wal *wal, uint64_t needed)
{
	const uint64_t least = wal->options.segment_bytes, most = wal->options.segment_bytes_max;
	const uint64_t room = needed - OVERHEAD_BYTES;
	const uint64_t several = room < most / SEVERAL ? room * SEVERAL : most;
	uint64_t usual = wal->made_bytes < most / 2 ? wal->made_bytes * 2 : most;

	if (is_slow(wal))
		usual = least;
	if (usual < several)
		usual = several;
	return usual > least ? usual : least;
}

/* A disk that has no room for a segment of the usual size may have some for what is needed now. If it had not even
 * that, and room was made meanwhile, only that much of it is taken: checkpoints need the rest. */
static sop_status make_one(struct sopi_wal *wal, uint64_t least, struct wal_segment *segment,
			   sop_error *err)
{
	const uint64_t needed =
		wal_round(least > SOPI_WAL_SEGMENT_BYTES_MIN ? least : SOPI_WAL_SEGMENT_BYTES_MIN,
			  SEGMENT_UNIT_BYTES);
	const uint64_t usual = wal_round(size_of_next(wal, least), SEGMENT_UNIT_BYTES);
	sop_status status = SOP_NO_SPACE;

	if (usual > needed && !wal->tight)
		status = make_new(wal, usual, least, segment, err);
	if (status == SOP_OK || usual <= needed)
		wal->made_bytes = usual; /* one made for a huge transaction says nothing about the next */
	if (status == SOP_NO_SPACE) {
		status = make_new(wal, needed, least, segment, err);
		wal->tight = status == SOP_NO_SPACE;
	}
	return status;
}

static sop_status make_next(struct sopi_wal *wal, uint64_t least, sop_error *err)
{
	struct wal_segment segment = { .sequence = wal->next_sequence };
	struct wal_listed item;

	SOP_TRY(sopi_random_fill(wal->options.platform->random, &segment.salt, sizeof segment.salt, err));
	if (take_from_pool(wal, least, &item))
		SOP_TRY(recycle(wal, &item, least, &segment, err));
	else
		SOP_TRY(make_one(wal, least, &segment, err));
	wal->next_sequence++;
	wal->next = segment;
	return SOP_OK;
}

/* Cuts the one that is ready to the size that one with zeros would get now, unless more is reserved. */
static sop_status cut_next(struct sopi_wal *wal, uint64_t least, sop_error *err)
{
	const uint64_t usual = size_of_next(wal, least);
	const uint64_t bytes = wal_round(least > usual ? least : usual, SEGMENT_UNIT_BYTES);
	bool cuts;

	sopi_mutex_lock(&wal->state);
	cuts = bytes < wal->next.bytes && wal->need <= wal_segment_room(wal, bytes);
	if (cuts)
		wal->next_room = wal_segment_room(wal, bytes);
	sopi_mutex_unlock(&wal->state);
	if (!cuts)
		return SOP_OK;
	wal->next.bytes = bytes;
	wal->made_bytes = bytes;
	return sopi_file_resize(wal->next.file, bytes, err);
}

/* Small groups are written now: the one that is ready gets its zeros. */
static sop_status fill_next(struct sopi_wal *wal, uint64_t least, sop_error *err)
{
	SOP_TRY(cut_next(wal, least, err));
	return fill(wal, &wal->next, 0, wal->next.bytes, false, err);
}

/* For the segment to be made, and for one that the leader is about to enter. */
static sop_status reserve_list(struct sopi_wal *wal, sop_error *err)
{
	sop_status status;

	sopi_mutex_lock(&wal->state);
	status = wal_list_room(&wal->chain, 2, err);
	sopi_mutex_unlock(&wal->state);
	return status;
}

sop_status wal_segment_make(struct sopi_wal *wal, uint64_t room, sop_error *err)
{
	const uint64_t least = room + OVERHEAD_BYTES;
	sop_status status = SOP_OK;

	SOP_TRY(reserve_list(wal, err));
	if (wal->next.file == NULL)
		status = make_next(wal, least, err);
	else if (wal->next.bytes < least)
		status = grow_next(wal, wal_round(least, SEGMENT_UNIT_BYTES), err);
	else if (wal->next.raw && !may_stay_raw(wal, least))
		status = fill_next(wal, least, err);
	if (status == SOP_OK) {
		sopi_mutex_lock(&wal->state);
		wal->next_room = wal_segment_room(wal, wal->next.bytes);
		wal->next_raw = wal->next.raw;
		sopi_mutex_unlock(&wal->state);
	}
	if (status == SOP_OK || status == SOP_NO_SPACE || status == SOP_NO_MEMORY || status == SOP_LIMIT)
		return status;
	atomic_store(&wal->failed, true);
	if (err != NULL) {
		const sop_error cause = *err;

		return sopi_fail_file(err, SOP_FAILED, cause.file, cause.offset, cause.os_errno,
				      "the log failed making a segment: %.150s", cause.message);
	}
	return SOP_FAILED;
}

/* ---- use ---- */

sop_status wal_segment_begin(struct sopi_wal *wal, struct wal_segment *segment,
			     const struct sopi_log_segment *head, sop_error *err)
{
	uint8_t room[WAL_BLOCK_ROOM] = { 0 };
	uint8_t *block = wal_block_in(room);

	_Static_assert(SOPI_LOG_FIRST_PLACE <= SOPI_LOG_BLOCK_BYTES_MAX, "the head is one block");
	sopi_log_segment_encode(head, block);
	if (segment->direct != NULL) {
		SOP_TRY(sopi_file_write(segment->direct, 0, block, SOPI_LOG_FIRST_PLACE, err));
	} else {
		SOP_TRY(sopi_file_write(segment->file, 0, block, SOPI_LOG_FIRST_PLACE, err));
		SOP_TRY(sopi_file_sync_data(segment->file, err));
	}
	sopi_mutex_lock(&wal->state);
	wal->stats.flushes++;
	wal->stats.bytes_written += SOPI_LOG_FIRST_PLACE;
	sopi_mutex_unlock(&wal->state);
	return SOP_OK;
}

void wal_segment_enter(struct sopi_wal *wal, const struct wal_segment *segment, uint64_t first_slot)
{
	const struct wal_listed listed = { .sequence = segment->sequence,
					   .bytes = segment->bytes,
					   .used = SOPI_LOG_FIRST_PLACE,
					   .first_slot = first_slot };

	sopi_mutex_lock(&wal->state);
	if (wal->chain.count != 0) {
		struct wal_listed *old = &wal->chain.items[wal->chain.count - 1];

		old->used = wal->place;
		old->last_position = atomic_load(&wal->durable);
		old->raw = wal->segment_raw && old->used < old->bytes - old->bytes / 8;
	}
	wal_list_add(&wal->chain, &listed);
	wal->room = wal_segment_room(wal, segment->bytes);
	wal->entered_room = 0;
	wal->segment_bytes = segment->bytes;
	wal->segment_raw = segment->raw;
	wal->told = false;
	wal->told_slow = false;
	sopi_mutex_unlock(&wal->state);
	wal_segment_close(&wal->current);
	wal->current = *segment;
	wal->place = SOPI_LOG_FIRST_PLACE;
	wal->unsynced = false;
}

bool sopi_wal_fills(struct sopi_log *log)
{
	struct sopi_wal *wal = wal_of(log);

	return SOPI_UNLIKELY(atomic_load_explicit(&wal->fills, memory_order_relaxed)) &&
	       atomic_exchange(&wal->fills, false);
}

void sopi_wal_prepare(struct sopi_log *log)
{
	struct sopi_wal *wal = wal_of(log);
	bool wanted;

	sopi_mutex_lock(&wal->maker);
	sopi_mutex_lock(&wal->state);
	wanted = wal_is_filling(wal) || wal_is_slow(wal);
	sopi_mutex_unlock(&wal->state);
	if (wanted && !wal_failed(wal))
		(void)wal_segment_make(wal, 0, NULL); /* the commit that needs it will say why not */
	sopi_mutex_unlock(&wal->maker);
}

/* ---- the pool ---- */

/* Puts the segments older than `first` into the pool; what finds no room there stays in `chain` for the next time. */
static void retire_locked(struct sopi_wal *wal, uint64_t first)
{
	while (wal->chain.count > 1 && wal->chain.items[0].sequence < first) {
		if (wal_list_room(&wal->pool, 1, NULL) != SOP_OK)
			return;
		wal_list_add(&wal->pool, &wal->chain.items[0]);
		list_remove(&wal->chain, 0);
	}
}

/* Takes one off a pool that is too large: the smallest, since a large one serves every purpose, except what is larger
 * than the whole pool may be. */
static bool take_surplus(struct sopi_wal *wal, uint64_t bytes_max, struct wal_listed *item)
{
	struct wal_list *pool = &wal->pool;
	size_t smallest = 0;
	uint64_t bytes = 0;

	for (size_t i = 0; i < pool->count; i++) {
		bytes += pool->items[i].bytes;
		if (pool->items[i].bytes > bytes_max) {
			smallest = i;
			bytes = UINT64_MAX;
			break;
		}
		if (pool->items[i].bytes < pool->items[smallest].bytes)
			smallest = i;
	}
	if (pool->count == 0 || bytes <= bytes_max)
		return false;
	*item = pool->items[smallest];
	list_remove(pool, smallest);
	return true;
}

/* A name that cannot be removed is found by the next open. Without `maker`, which the leader may need meanwhile: removing
 * a file can take long. REQUIRES: nobody else does this; checkpoints and closing exclude each other. */
static void shrink(struct sopi_wal *wal, uint64_t bytes_max)
{
	for (;;) { /* each turn takes one off the pool */
		struct wal_listed item = { .sequence = 0 };
		char name[SOPI_WAL_NAME_BYTES];
		bool taken;

		sopi_mutex_lock(&wal->state);
		taken = take_surplus(wal, bytes_max, &item);
		wal->removing = item.sequence; /* also: the one before is gone */
		sopi_mutex_unlock(&wal->state);
		if (!taken)
			return;
		wal_segment_name(item.sequence, name);
		(void)sopi_folder_remove_large(wal->options.folder, name, NULL);
	}
}

/* REQUIRES: also `maker`. */
static uint64_t pool_max_locked(const struct sopi_wal *wal)
{
	const uint64_t needed =
		wal_list_bytes(&wal->chain) + (wal->next.file != NULL ? wal->next.bytes : 0);
	const uint64_t all = wal->options.bytes_max != 0 ? wal->options.bytes_max : UINT64_MAX;
	const uint64_t left = all > needed ? all - needed : 0;

	return left < wal->options.pool_bytes_max ? left : wal->options.pool_bytes_max;
}

void sopi_wal_trim(struct sopi_log *log, uint64_t position, uint64_t first_segment)
{
	struct sopi_wal *wal = wal_of(log);
	uint64_t pool_max;

	sopi_mutex_lock(&wal->maker);
	wal->checkpoint = position;
	sopi_mutex_lock(&wal->state);
	retire_locked(wal, first_segment);
	pool_max = pool_max_locked(wal);
	sopi_mutex_unlock(&wal->state);
	wal_series_trim(wal, position);
	sopi_mutex_unlock(&wal->maker);
	shrink(wal, pool_max);
}

void sopi_wal_shrink(struct sopi_log *log, uint64_t pool_bytes)
{
	shrink(wal_of(log), pool_bytes);
}

/* The segment that is ready waits in the pool like any other. */
static void retire_next(struct sopi_wal *wal)
{
	const struct wal_listed listed = { .sequence = wal->next.sequence,
					   .bytes = wal->next.bytes,
					   .raw = wal->next.raw };

	sopi_mutex_lock(&wal->state);
	if (wal->next.file != NULL && wal_list_room(&wal->pool, 1, NULL) == SOP_OK) {
		wal_list_add(&wal->pool, &listed);
		wal->next_room = 0;
		wal_segment_close(&wal->next);
	}
	sopi_mutex_unlock(&wal->state);
}

/* What follows the last record and the place of a successor record goes, if it is much; a failure leaves it there. */
static void cut_current(struct sopi_wal *wal)
{
	const uint64_t bytes = wal_round(wal->place + wal->block, SEGMENT_UNIT_BYTES);

	if (bytes + wal->options.segment_bytes <= wal->current.bytes)
		(void)sopi_file_resize(wal->current.file, bytes, NULL);
}

void sopi_wal_settle(struct sopi_log *log, uint64_t pool_bytes)
{
	struct sopi_wal *wal = wal_of(log);

	sopi_mutex_lock(&wal->maker);
	retire_next(wal);
	cut_current(wal);
	sopi_mutex_unlock(&wal->maker);
	shrink(wal, pool_bytes);
}
