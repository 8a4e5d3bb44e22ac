/* Writing packs: nodes through a buffer by one thread, values by many threads straight to the file. */
#include "blob/blob_folder_write.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/crc32c.h"

#include <stdio.h>
#include <string.h>

enum {
	ID_TRIES_MAX = 1000, /* files of an earlier, unlucky process that are passed over */
	SMALL_VALUE_BYTES = 4096, /* goes out together with its frame */
	PUSH_BYTES = PACK_TAIL_BYTES / 2, /* of nodes, at least, handed to the device at a time */
};

/* ---- failures --------------------------------------------------------------------------------- */

sop_status pack_has_failed(const struct sopi_pack *pack, sop_error *err)
{
	char path[SOPI_PATH_BYTES_MAX + 1];

	pack_path(pack->file->id, pack->file->kind, path);
	return sopi_fail_file(err, pack->failed, path, -1, 0,
			      "[%s] could not be written before; it is given up", path);
}

void pack_fail_locked(struct sopi_pack *pack, sop_status status)
{
	if (pack->failed == SOP_OK)
		pack->failed = status == SOP_NO_SPACE || status == SOP_NO_MEMORY ? status : SOP_IO;
}

void pack_set_total(struct sopi_pack *pack, uint64_t total_bytes)
{
	sopi_mutex_lock(&pack->packs->mutex);
	if (pack->file->total_bytes < total_bytes)
		pack->file->total_bytes = total_bytes;
	sopi_mutex_unlock(&pack->packs->mutex);
}

/* ---- begin ------------------------------------------------------------------------------------ */

/* Puts a pack with the next id into the table, used and pinned by the writer. */
static sop_status claim_id(struct sopi_pack *pack, enum sopi_pack_kind kind, sop_error *err)
{
	struct sopi_packs *packs = pack->packs;
	struct pack_file *file = NULL;
	sop_status status = SOP_OK;

	sopi_mutex_lock(&packs->mutex);
	if (packs->next_id == UINT64_MAX)
		SOP_TRY_OUT(sopi_fail(err, SOP_LIMIT, "there are no more ids for packs"));
	SOP_TRY_OUT(pack_room_locked(packs, err));
	SOP_TRY_OUT(pack_file_new(packs->next_id, kind, &file, err));
	packs->next_id++;
	file->writing = true;
	file->users = 2;
	file->pins = 1;
	pack_enter_locked(packs, file);
	pack->file = file;
out:
	sopi_mutex_unlock(&packs->mutex);
	return status;
}

/* The writer's part in the pack ends. forget: it is no pack any more; remove: nor a file. */
static void leave(struct sopi_pack *pack, bool forget, bool remove)
{
	struct sopi_packs *packs = pack->packs;
	struct pack_file *file = pack->file;

	sopi_mutex_lock(&packs->mutex);
	if (forget && !file->removed) {
		pack_forget_locked(packs, file); /* we use it still */
		file->removed = remove;
	}
	file->writing = false;
	sopi_mutex_unlock(&packs->mutex);
	pack_unpin(packs, file);
	pack->file = NULL;
}

static sop_status create(struct sopi_pack *pack, sop_error *err)
{
	const unsigned flags = SOPI_FILE_READ | SOPI_FILE_WRITE | SOPI_FILE_CREATE | SOPI_FILE_EXCLUSIVE;
	struct sopi_folder *folder = pack->packs->folder;
	char path[SOPI_PATH_BYTES_MAX + 1];
	char parent[SOPI_PATH_BYTES_MAX + 1];
	sop_status status;

	pack_path(pack->file->id, pack->file->kind, path);
	status = pack_open_file(pack->packs, path, flags, &pack->handle, err);
	if (status != SOP_NOT_FOUND)
		return status;
	(void)snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(path, '/') - path), path);
	status = sopi_folder_make(folder, parent, err);
	if (status != SOP_OK && status != SOP_EXISTS) /* another thread was faster */
		return status;
	return pack_open_file(pack->packs, path, flags, &pack->handle, err);
}

/* Makes the file, with the first id whose name is free: an orphan that could not be removed may have one. */
static sop_status create_free(struct sopi_pack *pack, enum sopi_pack_kind kind, sop_error *err)
{
	sop_status status = SOP_EXISTS;

	for (int tries = 0; tries < ID_TRIES_MAX && status == SOP_EXISTS; tries++) {
		SOP_TRY(claim_id(pack, kind, err));
		status = create(pack, err);
		if (status != SOP_OK)
			leave(pack, true, false);
	}
	if (status == SOP_OK) {
		sopi_mutex_lock(&pack->packs->mutex);
		pack->file->handle = pack->handle;
		sopi_mutex_unlock(&pack->packs->mutex);
	}
	return status;
}

static sop_status reserve(struct sopi_pack *pack, uint64_t bytes, sop_error *err)
{
	sop_error ignored = SOP_ERROR_INIT;
	sop_status status;

	if (bytes == 0)
		return SOP_OK;
	if (bytes > PACK_END_MAX)
		bytes = PACK_END_MAX;
	pack->reserved = true;
	status = sopi_file_allocate(pack->handle, 0, bytes, err != NULL ? err : &ignored);
	return status == SOP_UNSUPPORTED ? SOP_OK : status;
}

/* The head: of nodes into the tail, else into the file. */
static sop_status put_head(struct sopi_pack *pack, sop_error *err)
{
	struct pack_file *file = pack->file;
	uint8_t head[SOPI_PACK_HEAD_BYTES];

	sopi_pack_head_encode(head, (uint8_t)file->kind, file->id);
	file->end = SOPI_PACK_HEAD_BYTES;
	pack->durable = SOPI_PACK_HEAD_BYTES;
	if (file->kind != SOPI_PACK_NODES) {
		file->written = PACK_END_MAX; /* its blobs are never in memory */
		return sopi_file_write(pack->handle, 0, head, sizeof head, err);
	}
	SOP_TRY(sopi_alloc(PACK_TAIL_BYTES, (void **)&file->tail, err));
	memcpy(file->tail, head, sizeof head);
	file->tail_size = sizeof head;
	return SOP_OK;
}

static void free_writer(struct sopi_pack *pack)
{
	sop_buf_free(&pack->index);
	sopi_cond_destroy(&pack->changed);
	sopi_mutex_destroy(&pack->mutex);
	sopi_free(pack);
}

sop_status sopi_pack_begin(struct sopi_packs *packs, enum sopi_pack_kind kind, uint64_t bytes,
			   struct sopi_pack **out, sop_error *err)
{
	struct sopi_pack *pack = NULL;
	sop_status status;

	SOPI_CHECK(kind >= SOPI_PACK_NODES && kind <= SOPI_PACK_VALUE);
	SOP_TRY(sopi_alloc_zeroed(sizeof *pack, (void **)&pack, err));
	pack->packs = packs;
	sopi_mutex_init(&pack->mutex);
	sopi_cond_init(&pack->changed);
	SOP_TRY_OUT(sopi_pack_index_begin(&pack->index, err));
	SOP_TRY_OUT(create_free(pack, kind, err));
	SOP_TRY_OUT(reserve(pack, bytes, err));
	SOP_TRY_OUT(put_head(pack, err));
	*out = pack;
out:
	if (status != SOP_OK && pack->file != NULL)
		leave(pack, true, true);
	if (status != SOP_OK)
		free_writer(pack);
	return status;
}

/* ---- append ----------------------------------------------------------------------------------- */

/* Gives the next `length` bytes of the pack to a blob. REQUIRES: mutex held. */
static sop_status claim_locked(struct sopi_pack *pack, uint64_t key, uint64_t length,
			       struct sopi_place *place, sop_error *err)
{
	struct pack_file *file = pack->file;
	const struct sopi_pack_slot slot = { key, file->end, length };

	if (pack->failed != SOP_OK)
		return pack_has_failed(pack, err);
	if (length > PACK_END_MAX - slot.offset)
		return sopi_fail(err, SOP_LIMIT,
				 "a pack ends at 4 GiB; %llu bytes more do not go behind %llu",
				 (unsigned long long)length, (unsigned long long)slot.offset);
	SOP_TRY(sopi_pack_index_room(&pack->index, err));
	sopi_pack_index_add(&pack->index, &slot);
	file->end = slot.offset + length;
	*place = (struct sopi_place){ file->id, slot.offset, length };
	return SOP_OK;
}

/* Writes the tail and empties it. REQUIRES: tail_mutex held, so that readers wait for the bytes. */
static sop_status flush_tail(struct sopi_pack *pack, sop_error *err)
{
	struct pack_file *file = pack->file;

	SOP_TRY(sopi_file_write(pack->handle, file->written, file->tail, file->tail_size, err));
	file->written += file->tail_size;
	file->tail_size = 0;
	return SOP_OK;
}

sop_status pack_flush_locked(struct sopi_pack *pack, sop_error *err)
{
	struct pack_file *file = pack->file;
	sop_status status = SOP_OK;

	if (file->kind != SOPI_PACK_NODES)
		return SOP_OK;
	sopi_mutex_lock(&file->tail_mutex);
	if (file->tail_size != 0)
		status = flush_tail(pack, err);
	sopi_mutex_unlock(&file->tail_mutex);
	if (status != SOP_OK)
		pack_fail_locked(pack, status);
	return status;
}

/* A blob is wholly in the tail or wholly in the file, never half in each. */
static sop_status put_node(struct sopi_pack *pack, sop_bytes blob, sop_error *err)
{
	struct pack_file *file = pack->file;
	sop_status status = SOP_OK;

	sopi_mutex_lock(&file->tail_mutex);
	if (blob.size > PACK_TAIL_BYTES - file->tail_size && file->tail_size != 0)
		SOP_TRY_OUT(flush_tail(pack, err));
	if (blob.size > PACK_TAIL_BYTES) {
		SOP_TRY_OUT(sopi_file_write(pack->handle, file->written, blob.data, blob.size, err));
		file->written += blob.size;
	} else if (blob.size != 0) {
		memcpy(file->tail + file->tail_size, blob.data, blob.size);
		file->tail_size += blob.size;
	}
out:
	sopi_mutex_unlock(&file->tail_mutex);
	return status;
}

/* Lets the device begin with what was written, a piece at a time, and not get ahead of it by more than two: a sync of tens of
 * megabytes at the end would hold up every flush of the log meanwhile, and each flush waits for the piece that is under way:
 * 0.6 ms for a megabyte, 0.2 for a quarter of one. Not under tail_mutex, for which readers wait. */
static sop_status push_written(struct sopi_pack *pack, sop_error *err)
{
	const uint64_t written = atomic_load_explicit(&pack->file->written, memory_order_relaxed);
	const uint64_t waits_from = pack->pushed_before;

	if (written < pack->pushed + PUSH_BYTES)
		return SOP_OK;
	pack->pushed_before = pack->pushed;
	pack->pushed = written;
	return sopi_file_write_back(pack->handle, waits_from, written - waits_from, err);
}

static sop_status append_node(struct sopi_pack *pack, uint64_t key, sop_bytes blob,
			      struct sopi_place *place, sop_error *err)
{
	sop_status status;

	sopi_mutex_lock(&pack->mutex);
	status = claim_locked(pack, key, blob.size, place, err);
	if (status == SOP_OK) {
		status = put_node(pack, blob, err);
		if (status == SOP_OK)
			status = push_written(pack, err);
		if (status != SOP_OK)
			pack_fail_locked(pack, status);
	}
	sopi_mutex_unlock(&pack->mutex);
	return status;
}

/* A small value goes out with its frame in one write, a larger one is not worth copying. */
static sop_status write_value(struct sopi_pack *pack, uint64_t key, sop_bytes value,
			      uint64_t offset, sop_error *err)
{
	const struct sopi_pack_frame frame = { key, value.size, sopi_crc32c(0, value.data, value.size) };
	uint8_t room[SOPI_PACK_FRAME_BYTES + SMALL_VALUE_BYTES];

	sopi_pack_frame_encode(room, pack->file->id, &frame);
	if (value.size > SMALL_VALUE_BYTES) {
		SOP_TRY(sopi_file_write(pack->handle, offset, room, SOPI_PACK_FRAME_BYTES, err));
		return sopi_file_write(pack->handle, offset + SOPI_PACK_FRAME_BYTES, value.data,
				       value.size, err);
	}
	if (value.size != 0)
		memcpy(room + SOPI_PACK_FRAME_BYTES, value.data, value.size);
	return sopi_file_write(pack->handle, offset, room, SOPI_PACK_FRAME_BYTES + value.size, err);
}

static sop_status append_value(struct sopi_pack *pack, uint64_t key, sop_bytes value,
			       struct sopi_place *place, sop_error *err)
{
	struct sopi_place given;
	unsigned turn;
	sop_status status;

	if (value.size > PACK_VALUE_BYTES_MAX)
		return sopi_fail(err, SOP_LIMIT,
				 "a value has at most 1 GiB; this one has %zu bytes", value.size);
	sopi_mutex_lock(&pack->mutex);
	status = claim_locked(pack, key, SOPI_PACK_FRAME_BYTES + value.size, &given, err);
	turn = pack->turn;
	if (status == SOP_OK)
		pack->writes[turn]++;
	sopi_mutex_unlock(&pack->mutex);
	SOP_TRY(status);
	status = write_value(pack, key, value, given.offset, err);
	sopi_mutex_lock(&pack->mutex);
	if (--pack->writes[turn] == 0)
		sopi_cond_broadcast(&pack->changed); /* a sync may wait for the last one */
	if (status != SOP_OK)
		pack_fail_locked(pack, status);
	sopi_mutex_unlock(&pack->mutex);
	if (status == SOP_OK)
		*place = given;
	return status;
}

sop_status sopi_pack_append(struct sopi_pack *pack, uint64_t key, sop_bytes blob,
			    struct sopi_place *place, sop_error *err)
{
	if (pack->file->kind == SOPI_PACK_NODES)
		return append_node(pack, key, blob, place, err);
	SOPI_CHECK(pack->file->kind == SOPI_PACK_VALUES || sopi_pack_bytes(pack) == 0);
	return append_value(pack, key, blob, place, err);
}

uint64_t sopi_pack_id(const struct sopi_pack *pack)
{
	return pack->file->id;
}

uint64_t sopi_pack_bytes(const struct sopi_pack *pack)
{
	return pack->file->end - SOPI_PACK_HEAD_BYTES;
}

/* ---- the end ---------------------------------------------------------------------------------- */

/* Index and footer in one write. */
static sop_status write_index(struct sopi_pack *pack, sop_error *err)
{
	struct pack_file *file = pack->file;
	struct sopi_pack_footer footer = { file->end, 0, file->end - SOPI_PACK_HEAD_BYTES };
	sop_buf *index = &pack->index;

	SOP_TRY(sopi_buf_room(index, SOPI_PACK_INDEX_ENTRY_BYTES + SOPI_PACK_FOOTER_BYTES, err));
	sopi_pack_index_end(index, file->id);
	footer.index_length = index->size;
	sopi_pack_footer_encode((uint8_t *)index->data + index->size, file->id, &footer);
	index->size += SOPI_PACK_FOOTER_BYTES;
	SOP_TRY(sopi_file_write(pack->handle, file->end, index->data, index->size, err));
	if (!pack->reserved)
		return SOP_OK;
	return sopi_file_resize(pack->handle, file->end + index->size, err);
}

/* The end of the writer's part that keeps the pack. */
static void keep(struct sopi_pack *pack, uint64_t size, bool finished)
{
	struct pack_file *file = pack->file;

	sopi_mutex_lock(&pack->packs->mutex);
	file->size = size;
	file->finished = finished;
	sopi_mutex_unlock(&pack->packs->mutex);
	sopi_mutex_lock(&file->tail_mutex);
	sopi_free(file->tail);
	file->tail = NULL;
	file->tail_size = 0;
	sopi_mutex_unlock(&file->tail_mutex);
	leave(pack, false, false);
	free_writer(pack);
}

static sop_status finish_locked(struct sopi_pack *pack, sop_error *err)
{
	SOPI_CHECK(pack->writes[0] + pack->writes[1] == 0 && !pack->syncing);
	if (pack->failed != SOP_OK)
		return pack_has_failed(pack, err);
	SOP_TRY(pack_flush_locked(pack, err));
	if (pack->named) /* a crash must not leave a footer that vouches for a torn blob */
		SOP_TRY(pack_sync_locked(pack, err));
	SOP_TRY(write_index(pack, err));
	pack->durable = 0; /* the index is not, whatever the blobs are */
	return pack_sync_locked(pack, err);
}

sop_status sopi_pack_finish(struct sopi_pack *pack, sop_error *err)
{
	sop_status status;

	sopi_mutex_lock(&pack->mutex);
	status = finish_locked(pack, err);
	sopi_mutex_unlock(&pack->mutex);
	if (status == SOP_OK)
		keep(pack, pack->file->end + pack->index.size, true);
	else
		sopi_pack_abandon(pack);
	return status;
}

void sopi_pack_abandon(struct sopi_pack *pack)
{
	const uint64_t total = pack->file->total_bytes; /* only we change it */

	if (total == 0) {
		leave(pack, true, true);
		free_writer(pack);
		return;
	}
	/* What no sync has covered is nobody's; if it stays, the next sweep cuts it off. */
	(void)sopi_file_resize(pack->handle, SOPI_PACK_HEAD_BYTES + total, NULL);
	keep(pack, SOPI_PACK_HEAD_BYTES + total, false);
}
