/* A log on a simulated disk. */
#include "wal_box.h"

#include <string.h>

void wal_box_start(struct wal_box *box, struct sopi_sim_disk *disk)
{
	sop_error err = SOP_ERROR_INIT;

	memset(box, 0, sizeof *box);
	box->process = sopi_sim_process_new(disk, NULL, 1);
	TEST_OK(sopi_files_open_folder(sopi_sim_platform(box->process)->files, "/db",
				       SOPI_FOLDER_CREATE, &box->folder, &err),
		err);
	sopi_mutex_init(&box->mutex);
	box->options = (struct sopi_wal_options){ .platform = sopi_sim_platform(box->process),
						  .folder = box->folder,
						  .commit_mutex = &box->mutex,
						  .epoch = 1,
						  .first_segment = 1,
						  .segment_bytes = WAL_BOX_SEGMENT_BYTES,
						  .segment_bytes_max = WAL_BOX_SEGMENT_BYTES,
						  .pool_bytes_max = 1 << 20,
						  .raw_group_bytes = WAL_BOX_RAW_BYTES };
}

void wal_box_stop(struct wal_box *box)
{
	if (box->log != NULL)
		box->log->driver->close(box->log);
	box->log = NULL;
	sopi_mutex_destroy(&box->mutex);
	sopi_folder_close(box->folder);
	sopi_sim_process_free(box->process);
}

void wal_box_create(struct wal_box *box)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_make(box->folder, "log", &err), err);
	TEST_OK(sopi_folder_sync(box->folder, "", &err), err);
	TEST_OK(sopi_wal_create(&box->options, &box->log, &err), err);
}

sop_status wal_box_open(struct wal_box *box, sop_error *err)
{
	sop_status status = sopi_wal_open(&box->options, &box->log, err);

	if (status != SOP_OK)
		return status;
	status = sopi_wal_resume(box->log, sopi_wal_epoch(box->log) + 1, err);
	if (status == SOP_OK)
		return SOP_OK;
	box->log->driver->close(box->log);
	box->log = NULL;
	return status;
}

size_t wal_box_payload(uint64_t number, size_t size_max, uint8_t *out)
{
	struct test_rng rng;
	size_t size;

	test_rng_init(&rng, number, 77);
	size = (size_t)test_rng_below(&rng, size_max + 1);
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)test_rng_next(&rng);
	return size;
}

uint64_t wal_box_submit(struct wal_box *box, const void *payload, size_t size, sop_status *status)
{
	static const uint8_t id[16] = { 1, 2, 3 };
	const struct sopi_log_entry entry = { .id = id,
					      .payload = { payload, size },
					      .durability = SOPI_FLUSHED };
	uint64_t position;

	*status = box->log->driver->reserve(box->log, size, false, NULL);
	if (*status != SOP_OK)
		return 0;
	sopi_mutex_lock(&box->mutex);
	position = box->log->driver->next(box->log);
	box->log->driver->submit(box->log, position, &entry, size);
	sopi_mutex_unlock(&box->mutex);
	return position;
}
