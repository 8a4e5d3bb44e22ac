/* Making packs durable: many threads share one sync, and none is ever repeated. */
#include "blob/blob_folder_write.h"

#include "base/plant.h"

#include <stdio.h>

/* Repeated only where the folder could not even be opened. */
static sop_status sync_folder(struct sopi_packs *packs, const char *path, sop_error *err)
{
	sop_error unasked = SOP_ERROR_INIT;
	sop_error *problem = err != NULL ? err : &unasked;
	sop_status status;

	do
		status = sopi_folder_sync(packs->folder, path, problem);
	while (pack_made_room(packs, status, problem));
	return status;
}

sop_status pack_sync_name(struct sopi_packs *packs, uint64_t id, sop_error *err)
{
	const unsigned number = (unsigned)(id % PACK_FOLDERS);
	char path[SOPI_PATH_BYTES_MAX + 1];

	(void)snprintf(path, sizeof path, PACKS_FOLDER "/%02x", number);
	if (!SOPI_PLANTED(SOPI_PLANT_PACK_NO_FOLDER_SYNC))
		SOP_TRY(sync_folder(packs, path, err));
	/* A folder that was there before we came may owe its place to a process that died before it synced. */
	if (!packs->folder_durable[number] && !SOPI_PLANTED(SOPI_PLANT_PACK_NO_PARENT_SYNC))
		SOP_TRY(sync_folder(packs, PACKS_FOLDER, err));
	packs->folder_durable[number] = true;
	return SOP_OK;
}

/* First the bytes, then the names: a name that a crash keeps leads to whole bytes more often so. */
static sop_status make_durable(struct sopi_pack *pack, bool named, sop_error *err)
{
	if (!SOPI_PLANTED(SOPI_PLANT_PACK_NO_SYNC))
		SOP_TRY(sopi_file_sync_data(pack->handle, err));
	return named ? SOP_OK : pack_sync_name(pack->packs, pack->file->id, err);
}

/* Leads a sync for all who wait. What lies before `covers` is in the file once the writes of this turn are done; those
 * that begin meanwhile belong to the next turn. The mutex is held before and after, not during I/O. */
static sop_status lead_locked(struct sopi_pack *pack, sop_error *err)
{
	const uint64_t covers = pack->file->end;
	const unsigned turn = pack->turn;
	const bool named = pack->named;
	sop_status status;

	pack->syncing = true;
	pack->turn = 1 - turn;
	while (pack->writes[turn] != 0 && !SOPI_PLANTED(SOPI_PLANT_PACK_NO_DRAIN))
		sopi_cond_wait(&pack->changed, &pack->mutex);
	status = pack->failed != SOP_OK ? pack_has_failed(pack, err) : SOP_OK;
	sopi_mutex_unlock(&pack->mutex);
	if (status == SOP_OK)
		status = make_durable(pack, named, err);
	if (status == SOP_OK)
		pack_set_total(pack, covers - SOPI_PACK_HEAD_BYTES);
	sopi_mutex_lock(&pack->mutex);
	pack->syncing = false;
	if (status == SOP_OK) {
		pack->named = true;
		pack->durable = covers;
	} else if (!SOPI_PLANTED(SOPI_PLANT_PACK_SYNC_AGAIN)) {
		pack_fail_locked(pack, status == SOP_NO_MEMORY ? status : SOP_IO);
		if (status != SOP_IO && status != SOP_NO_MEMORY) /* a full disk that shows in a sync only: nothing to try again */
			status = pack_has_failed(pack, err);
	}
	sopi_cond_broadcast(&pack->changed);
	return status;
}

sop_status pack_sync_locked(struct sopi_pack *pack, sop_error *err)
{
	const uint64_t wanted = pack->file->end;
	sop_status status = SOP_OK;

	while (status == SOP_OK && pack->durable < wanted) {
		if (pack->failed != SOP_OK)
			status = pack_has_failed(pack, err);
		else if (pack->syncing)
			sopi_cond_wait(&pack->changed, &pack->mutex);
		else
			status = lead_locked(pack, err);
	}
	return status;
}

sop_status sopi_pack_sync(struct sopi_pack *pack, sop_error *err)
{
	sop_status status;

	sopi_mutex_lock(&pack->mutex);
	status = pack->failed != SOP_OK ? pack_has_failed(pack, err) : pack_flush_locked(pack, err);
	if (status == SOP_OK)
		status = pack_sync_locked(pack, err);
	sopi_mutex_unlock(&pack->mutex);
	return status;
}
