/* The table of packs, and the descriptors that are kept open for reading.
 *
 * One mutex guards the table and is never held during I/O. Whoever reads a file pins its descriptor; opening one needs
 * a free place among SOPI_PACK_DESCRIPTORS_MAX, or that of the one least recently used that nobody pins, or waits for
 * such. The writer's descriptor is its own and lends itself to readers. */
#include "blob/blob_folder_inside.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void pack_path(uint64_t id, enum sopi_pack_kind kind, char path[SOPI_PATH_BYTES_MAX + 1])
{
	(void)snprintf(path, SOPI_PATH_BYTES_MAX + 1, PACKS_FOLDER "/%02x/%016llx.%s",
		       (unsigned)(id % PACK_FOLDERS), (unsigned long long)id,
		       kind == SOPI_PACK_VALUE ? "val" : "pack");
}

/* ---- entries --------------------------------------------------------------------------------- */

sop_status pack_file_new(uint64_t id, enum sopi_pack_kind kind, struct pack_file **out, sop_error *err)
{
	struct pack_file *file = NULL;

	SOP_TRY(sopi_alloc_zeroed(sizeof *file, (void **)&file, err));
	sopi_mutex_init(&file->tail_mutex);
	file->id = id;
	file->kind = kind;
	file->users = 1;
	*out = file;
	return SOP_OK;
}

void pack_file_free(struct pack_file *file)
{
	if (file == NULL)
		return;
	sopi_free(file->tail);
	sopi_mutex_destroy(&file->tail_mutex);
	sopi_free(file);
}

size_t pack_place_locked(const struct sopi_packs *packs, uint64_t id)
{
	size_t low = 0;
	size_t high = packs->count;

	if (high > 0 && packs->files[high - 1]->id < id)
		return high; /* new packs have the highest ids */
	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (packs->files[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct pack_file *pack_find_locked(const struct sopi_packs *packs, uint64_t id)
{
	const size_t at = pack_place_locked(packs, id);

	return at < packs->count && packs->files[at]->id == id ? packs->files[at] : NULL;
}

sop_status pack_room_locked(struct sopi_packs *packs, sop_error *err)
{
	return sopi_grow(&packs->files, packs->count, &packs->capacity, sizeof *packs->files, err);
}

void pack_enter_locked(struct sopi_packs *packs, struct pack_file *file)
{
	const size_t at = pack_place_locked(packs, file->id);

	SOPI_CHECK(packs->count < packs->capacity);
	memmove(packs->files + at + 1, packs->files + at, (packs->count - at) * sizeof *packs->files);
	packs->files[at] = file;
	packs->count++;
}

/* ---- giving back ------------------------------------------------------------------------------ */

/* Takes the descriptor away from the entry; the caller closes it outside of the mutex. */
static struct sopi_file *take_handle_locked(struct sopi_packs *packs, struct pack_file *file)
{
	struct sopi_file *handle = file->handle;

	SOPI_CHECK(file->pins == 0);
	file->handle = NULL;
	for (size_t i = 0; file->cached && i < SOPI_PACK_DESCRIPTORS_MAX; i++) {
		if (packs->open[i] == file)
			packs->open[i] = NULL;
	}
	file->cached = false;
	return handle;
}

/* What is left to do for an entry once the mutex is released. */
struct leftover {
	struct sopi_file *handle; /* to close, or NULL */
	struct pack_file *file; /* to free, and its file to remove; or NULL */
};

static struct leftover drop_user_locked(struct sopi_packs *packs, struct pack_file *file)
{
	struct leftover left = { NULL, NULL };

	file->users--;
	if (file->pins == 0 && (file->users == 0 || (!file->cached && !file->writing)))
		left.handle = take_handle_locked(packs, file);
	if (file->users == 0)
		left.file = file;
	sopi_cond_broadcast(&packs->changed);
	return left;
}

/* REQUIRES: mutex not held. */
static void clear_away(struct sopi_packs *packs, const struct leftover *left)
{
	char path[SOPI_PATH_BYTES_MAX + 1];

	sopi_file_close(left->handle);
	if (left->file == NULL)
		return;
	if (left->file->removed) {
		pack_path(left->file->id, left->file->kind, path);
		(void)sopi_folder_remove_large(packs->folder, path, NULL); /* else it is an orphan */
	}
	pack_file_free(left->file);
}

void pack_forget_locked(struct sopi_packs *packs, struct pack_file *file)
{
	const size_t at = pack_place_locked(packs, file->id);
	struct leftover left;

	SOPI_CHECK(at < packs->count && packs->files[at] == file);
	packs->count--;
	memmove(packs->files + at, packs->files + at + 1, (packs->count - at) * sizeof *packs->files);
	file->removed = true;
	left = drop_user_locked(packs, file);
	sopi_mutex_unlock(&packs->mutex);
	clear_away(packs, &left);
	sopi_mutex_lock(&packs->mutex);
}

void pack_unpin(struct sopi_packs *packs, struct pack_file *file)
{
	struct leftover left;

	sopi_mutex_lock(&packs->mutex);
	file->pins--;
	left = drop_user_locked(packs, file);
	sopi_mutex_unlock(&packs->mutex);
	clear_away(packs, &left);
}

/* ---- opening ---------------------------------------------------------------------------------- */

/* The place of the descriptor that is least recently used and pinned by nobody, or NULL. */
static struct pack_file **oldest_locked(struct sopi_packs *packs)
{
	struct pack_file **oldest = NULL;

	for (size_t i = 0; i < SOPI_PACK_DESCRIPTORS_MAX; i++) {
		struct pack_file **at = &packs->open[i];

		if (*at != NULL && (*at)->pins == 0 && !(*at)->opening &&
		    (oldest == NULL || (*at)->used < (*oldest)->used))
			oldest = at;
	}
	return oldest;
}

/* A place for one more descriptor, or NULL; *evicted receives what is to be closed for it. */
static struct pack_file **free_place_locked(struct sopi_packs *packs, struct sopi_file **evicted)
{
	struct pack_file **place = NULL;
	size_t used = 0;

	for (size_t i = 0; i < SOPI_PACK_DESCRIPTORS_MAX; i++) {
		if (packs->open[i] == NULL)
			place = &packs->open[i];
		else
			used++;
	}
	if (used < packs->open_max)
		return place;
	place = oldest_locked(packs);
	if (place != NULL)
		*evicted = take_handle_locked(packs, *place);
	return place;
}

bool pack_made_room(struct sopi_packs *packs, sop_status status, const sop_error *problem)
{
	struct sopi_file *evicted[SOPI_PACK_DESCRIPTORS_MAX];
	struct pack_file **oldest;
	size_t count = 0;

	if (status != SOP_NO_MEMORY || (problem->os_errno != EMFILE && problem->os_errno != ENFILE))
		return false;
	sopi_mutex_lock(&packs->mutex);
	while (count < (packs->open_max + 1) / 2 && (oldest = oldest_locked(packs)) != NULL)
		evicted[count++] = take_handle_locked(packs, *oldest);
	packs->open_max -= packs->open_max / 2; /* the process has fewer than we would like */
	sopi_mutex_unlock(&packs->mutex);
	for (size_t i = 0; i < count; i++)
		sopi_file_close(evicted[i]);
	return count != 0;
}

sop_status pack_open_file(struct sopi_packs *packs, const char *path, unsigned flags,
			  struct sopi_file **out, sop_error *err)
{
	sop_error unasked = SOP_ERROR_INIT;
	sop_error *problem = err != NULL ? err : &unasked;
	sop_status status;

	do
		status = sopi_folder_open_file(packs->folder, path, flags, out, problem);
	while (pack_made_room(packs, status, problem));
	return status;
}

/* Opens the file in its place of packs->open. The mutex is held after, not before. */
static sop_status open_unlocked(struct sopi_packs *packs, struct pack_file *file, sop_error *err)
{
	char path[SOPI_PATH_BYTES_MAX + 1];
	struct sopi_file *handle = NULL;
	uint64_t size = 0;
	sop_status status;

	pack_path(file->id, file->kind, path);
	status = pack_open_file(packs, path, SOPI_FILE_READ, &handle, err);
	if (status == SOP_NOT_FOUND)
		status = sopi_fail_file(err, SOP_CORRUPT, path, -1, 0,
					"the file [%s] of the database is missing", path);
	if (status == SOP_OK)
		status = sopi_file_size(handle, &size, err);
	if (status != SOP_OK) {
		sopi_file_close(handle);
		handle = NULL;
	}
	sopi_mutex_lock(&packs->mutex);
	file->handle = handle;
	if (handle != NULL)
		file->size = size;
	return status;
}

/* Gives the entry a descriptor, if there is a place; else waits for a change. *done: there is one, or an error. */
static sop_status acquire_locked(struct sopi_packs *packs, struct pack_file *file, bool *done,
				 sop_error *err)
{
	struct sopi_file *evicted = NULL;
	struct pack_file **place = NULL;
	sop_status status;

	*done = false;
	if (!file->opening)
		place = free_place_locked(packs, &evicted);
	if (place == NULL) {
		sopi_cond_wait(&packs->changed, &packs->mutex);
		return SOP_OK;
	}
	*place = file;
	file->cached = true;
	file->opening = true;
	sopi_mutex_unlock(&packs->mutex);
	sopi_file_close(evicted);
	status = open_unlocked(packs, file, err);
	file->opening = false;
	if (status != SOP_OK)
		(void)take_handle_locked(packs, file);
	sopi_cond_broadcast(&packs->changed);
	*done = true;
	return status;
}

/* Waits are bounded by the reads of others: whoever pins one descriptor asks for no second one. */
static sop_status pin_locked(struct sopi_packs *packs, struct pack_file *file, sop_error *err)
{
	sop_status status = SOP_OK;
	bool done = false;

	while (file->handle == NULL && status == SOP_OK)
		status = acquire_locked(packs, file, &done, err);
	if (status == SOP_OK) {
		file->pins++;
		file->used = ++packs->tick;
	}
	return status;
}

sop_status pack_pin(struct sopi_packs *packs, uint64_t id, struct pack_pin *pin, sop_error *err)
{
	struct leftover left = { NULL, NULL };
	struct pack_file *file;
	sop_status status;

	sopi_mutex_lock(&packs->mutex);
	file = pack_find_locked(packs, id);
	if (file == NULL) {
		sopi_mutex_unlock(&packs->mutex);
		return sopi_fail(err, SOP_NOT_FOUND, "there is no pack %016llx", (unsigned long long)id);
	}
	file->users++;
	status = pin_locked(packs, file, err);
	if (status == SOP_CORRUPT && file->removed)
		status = sopi_fail(err, SOP_NOT_FOUND, "the pack %016llx was removed",
				   (unsigned long long)id);
	if (status == SOP_OK)
		*pin = (struct pack_pin){
			.file = file,
			.handle = file->handle,
			.writing = file->writing,
			.finished = file->finished,
			.limit = file->writing ? file->end : file->size,
			.total = file->total_bytes,
		};
	else
		left = drop_user_locked(packs, file);
	sopi_mutex_unlock(&packs->mutex);
	clear_away(packs, &left);
	return status;
}
