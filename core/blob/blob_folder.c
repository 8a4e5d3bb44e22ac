/* All packs of one database: opening, what is known of them, what lives. */
#include "blob/blob_folder_inside.h"

#include "base/alloc.h"

sop_status sopi_packs_open(const struct sopi_platform *platform, struct sopi_folder *folder,
			   uint64_t first_id, struct sopi_packs **out, sop_error *err)
{
	struct sopi_packs *packs = NULL;

	(void)platform; /* files come through the folder */
	SOP_TRY(sopi_alloc_zeroed(sizeof *packs, (void **)&packs, err));
	sopi_mutex_init(&packs->mutex);
	sopi_cond_init(&packs->changed);
	packs->folder = folder;
	packs->open_max = SOPI_PACK_DESCRIPTORS_MAX;
	packs->next_id = first_id != 0 ? first_id : 1; /* 0 means nowhere */
	*out = packs;
	return SOP_OK;
}

void sopi_packs_close(struct sopi_packs *packs)
{
	if (packs == NULL)
		return;
	for (size_t i = 0; i < packs->count; i++) {
		SOPI_CHECK(packs->files[i]->users == 1); /* nobody reads or writes any more */
		sopi_file_close(packs->files[i]->handle);
		pack_file_free(packs->files[i]);
	}
	sopi_free(packs->files);
	sopi_cond_destroy(&packs->changed);
	sopi_mutex_destroy(&packs->mutex);
	sopi_free(packs);
}

uint64_t sopi_packs_next_id(struct sopi_packs *packs)
{
	uint64_t id;

	sopi_mutex_lock(&packs->mutex);
	id = packs->next_id;
	sopi_mutex_unlock(&packs->mutex);
	return id;
}

void sopi_packs_path(struct sopi_packs *packs, uint64_t id, char path[SOPI_PATH_BYTES_MAX + 1])
{
	const struct pack_file *file;

	sopi_mutex_lock(&packs->mutex);
	file = pack_find_locked(packs, id);
	pack_path(id, file != NULL ? file->kind : SOPI_PACK_NODES, path);
	sopi_mutex_unlock(&packs->mutex);
}

/* ---- adopting --------------------------------------------------------------------------------- */

/* The file must be there, long enough for its blobs. */
static sop_status check_file(struct sopi_packs *packs, const struct sopi_pack_entry *entry,
			     uint64_t *size, sop_error *err)
{
	char path[SOPI_PATH_BYTES_MAX + 1];
	struct sopi_entry found;
	sop_status status;

	pack_path(entry->id, (enum sopi_pack_kind)entry->kind, path);
	status = sopi_folder_look(packs->folder, path, &found, err);
	if (status == SOP_NOT_FOUND)
		return sopi_fail_file(err, SOP_CORRUPT, path, -1, 0,
				      "the file [%s] of the database is missing", path);
	SOP_TRY(status);
	if (found.kind != SOPI_ENTRY_FILE)
		return sopi_fail_file(err, SOP_CORRUPT, path, -1, 0, "[%s] is not a regular file", path);
	if (found.size < SOPI_PACK_HEAD_BYTES || found.size - SOPI_PACK_HEAD_BYTES < entry->total_bytes)
		return sopi_fail_file(err, SOP_CORRUPT, path, (int64_t)found.size, 0,
				      "the file [%s] has %llu bytes, too few for %llu bytes of blobs",
				      path, (unsigned long long)found.size,
				      (unsigned long long)entry->total_bytes);
	*size = found.size;
	return SOP_OK;
}

/* Takes the entry into the table, or what it says into the one that is there. */
static sop_status enter(struct sopi_packs *packs, const struct sopi_pack_entry *entry,
			uint64_t size, sop_error *err)
{
	struct pack_file *file;
	sop_status status = SOP_OK;

	sopi_mutex_lock(&packs->mutex);
	file = pack_find_locked(packs, entry->id);
	if (file == NULL) {
		SOP_TRY_OUT(pack_room_locked(packs, err));
		SOP_TRY_OUT(pack_file_new(entry->id, (enum sopi_pack_kind)entry->kind, &file, err));
		file->live_bytes = entry->live_bytes;
		pack_enter_locked(packs, file);
	}
	if (file->total_bytes < entry->total_bytes)
		file->total_bytes = entry->total_bytes;
	if (file->size < size)
		file->size = size;
	if (packs->next_id <= entry->id)
		packs->next_id = entry->id + 1;
out:
	sopi_mutex_unlock(&packs->mutex);
	return status;
}

/* Does the table know all that the entry says, or at least that the file is long enough? *size: of the file. */
static sop_status compare(struct sopi_packs *packs, const struct sopi_pack_entry *entry,
			  uint64_t *size, sop_error *err)
{
	const struct pack_file *file;
	sop_status status = SOP_OK;

	sopi_mutex_lock(&packs->mutex);
	file = pack_find_locked(packs, entry->id);
	if (file != NULL && file->kind != (enum sopi_pack_kind)entry->kind)
		status = sopi_fail(err, SOP_CORRUPT, "the pack %016llx is named with two kinds",
				   (unsigned long long)entry->id);
	if (file != NULL && (entry->total_bytes <= file->total_bytes ||
			     file->size >= entry->total_bytes + SOPI_PACK_HEAD_BYTES))
		*size = SOPI_PACK_HEAD_BYTES; /* no need to look at the file */
	sopi_mutex_unlock(&packs->mutex);
	return status;
}

sop_status sopi_packs_adopt(struct sopi_packs *packs, const struct sopi_pack_entry *entry, sop_error *err)
{
	uint64_t size = 0;

	if (entry->id == 0 || entry->id == UINT64_MAX || entry->kind < SOPI_PACK_NODES ||
	    entry->kind > SOPI_PACK_VALUE || entry->total_bytes > PACK_END_MAX)
		return sopi_fail(err, SOP_CORRUPT, "a pack %016llx of kind %u with %llu bytes cannot be",
				 (unsigned long long)entry->id, entry->kind,
				 (unsigned long long)entry->total_bytes);
	SOP_TRY(compare(packs, entry, &size, err));
	if (size == 0)
		SOP_TRY(check_file(packs, entry, &size, err));
	return enter(packs, entry, size, err);
}

/* ---- what lives ------------------------------------------------------------------------------- */

void sopi_packs_live(struct sopi_packs *packs, const struct sopi_place *place, bool lives)
{
	struct pack_file *file;

	sopi_mutex_lock(&packs->mutex);
	file = pack_find_locked(packs, place->pack);
	if (file != NULL && lives)
		file->live_bytes += place->length;
	else if (file != NULL) /* a manifest may be wrong, but not below nothing */
		file->live_bytes -= place->length < file->live_bytes ? place->length : file->live_bytes;
	sopi_mutex_unlock(&packs->mutex);
}

sop_status sopi_packs_list(struct sopi_packs *packs, struct sopi_pack_entry **entries,
			   size_t *count, sop_error *err)
{
	struct sopi_pack_entry *list = NULL;
	size_t kept = 0;
	sop_status status;

	sopi_mutex_lock(&packs->mutex);
	SOP_TRY_OUT(sopi_alloc(packs->count * sizeof *list, (void **)&list, err));
	for (size_t i = 0; i < packs->count; i++) {
		const struct pack_file *file = packs->files[i];

		if (file->writing && file->total_bytes == 0)
			continue; /* its name may be lost in a crash: no manifest may count on it */
		list[kept++] = (struct sopi_pack_entry){ file->id, (uint8_t)file->kind, file->total_bytes,
							 file->live_bytes, file->writing };
	}
	*entries = list;
	*count = kept;
out:
	sopi_mutex_unlock(&packs->mutex);
	return status;
}

void sopi_packs_remove(struct sopi_packs *packs, uint64_t id)
{
	struct pack_file *file;

	sopi_mutex_lock(&packs->mutex);
	file = pack_find_locked(packs, id);
	if (file != NULL)
		pack_forget_locked(packs, file);
	sopi_mutex_unlock(&packs->mutex);
}
