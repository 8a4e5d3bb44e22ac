/* Files of blocks: written once and read from front to back. */
#include "registry/registry_file.h"

#include "base/alloc.h"
#include "base/plant.h"

#include <string.h>

enum { ROOM_BLOCKS = 32 }; /* read or written by one call: 128 KB */

sop_status sopi_reg_missing(sop_status status, const char *path, sop_error *err)
{
	if (status != SOP_NOT_FOUND)
		return status;
	return sopi_fail_file(err, SOP_CORRUPT, path, -1, 0,
			      "the manifest names the file %s, which is missing", path);
}

/* ---- writing */

/* Takes the file `path` away if it is there: of a checkpoint that was given up. */
static sop_status remove_leftover(struct sopi_folder *folder, const char *path, sop_error *err)
{
	const sop_status status = sopi_folder_remove(folder, path, NULL);

	if (status == SOP_OK || status == SOP_NOT_FOUND)
		return SOP_OK;
	return sopi_fail_file(err, status, path, -1, 0,
			      "cannot remove %s, which an earlier checkpoint left behind", path);
}

sop_status sopi_regwriter_open(struct sopi_regwriter *writer, struct sopi_reghome *home,
			       const char *path, sop_error *err)
{
	sop_status status = SOP_OK;

	memset(writer, 0, sizeof *writer);
	writer->home = home;
	writer->written = 1; /* the head, as zeros until the end */
	memcpy(writer->path, path, strlen(path) + 1);
	SOP_TRY(sopi_alloc((size_t)ROOM_BLOCKS * SOPI_BUCKET_BYTES, (void **)&writer->room, err));
	SOP_TRY_OUT(remove_leftover(home->folder, path, err));
	SOP_TRY_OUT(sopi_folder_open_file(home->folder, path,
					  SOPI_FILE_WRITE | SOPI_FILE_CREATE | SOPI_FILE_EXCLUSIVE,
					  &writer->file, err));
out:
	if (status != SOP_OK) {
		sopi_free(writer->room);
		writer->room = NULL;
	}
	return status;
}

static sop_status writer_flush(struct sopi_regwriter *writer, sop_error *err)
{
	if (writer->room_count == 0)
		return SOP_OK;
	SOP_TRY(sopi_file_write(writer->file, writer->written * SOPI_BUCKET_BYTES, writer->room,
				writer->room_count * SOPI_BUCKET_BYTES, err));
	writer->written += writer->room_count;
	writer->room_count = 0;
	return SOP_OK;
}

sop_status sopi_regwriter_next(struct sopi_regwriter *writer, uint8_t **block, sop_error *err)
{
	if (writer->room_count == ROOM_BLOCKS)
		SOP_TRY(writer_flush(writer, err));
	*block = writer->room + writer->room_count * SOPI_BUCKET_BYTES;
	memset(*block, 0, SOPI_BUCKET_BYTES);
	writer->room_count++;
	return SOP_OK;
}

static void writer_close(struct sopi_regwriter *writer)
{
	sopi_file_close(writer->file);
	writer->file = NULL;
	sopi_free(writer->room);
	writer->room = NULL;
}

static sop_status writer_sync(struct sopi_regwriter *writer, sop_error *err)
{
	sop_status status = SOP_OK;

	if (!SOPI_PLANTED(SOPI_PLANT_NO_F3_FILE_SYNC))
		status = sopi_file_sync(writer->file, err);
	if (status != SOP_OK)
		writer->home->sync_failed = true;
	return status;
}

sop_status sopi_regwriter_finish(struct sopi_regwriter *writer, const uint8_t *head, sop_error *err)
{
	SOP_TRY(writer_flush(writer, err));
	SOP_TRY(sopi_file_write(writer->file, 0, head, SOPI_BUCKET_BYTES, err));
	SOP_TRY(writer_sync(writer, err));
	writer_close(writer);
	return SOP_OK;
}

void sopi_regwriter_abandon(struct sopi_regwriter *writer)
{
	if (writer->file == NULL)
		return;
	writer_close(writer);
	(void)sopi_folder_remove(writer->home->folder, writer->path, NULL);
}

sop_status sopi_reghome_sync(struct sopi_reghome *home, sop_error *err)
{
	sop_status status = SOP_OK;

	if (!SOPI_PLANTED(SOPI_PLANT_NO_F3_FOLDER_SYNC))
		status = sopi_folder_sync(home->folder, "reg", err);
	if (status != SOP_OK && status != SOP_NO_MEMORY) /* no descriptor: it was not tried */
		home->sync_failed = true;
	return status;
}

/* ---- reading */

static sop_status reader_check_size(struct sopi_regreader *reader, sop_error *err)
{
	const struct sopi_regplace place = { reader->path, 0 };
	uint64_t size = 0;

	SOP_TRY(sopi_file_size(reader->file, &size, err));
	if (size == 0 || size % SOPI_BUCKET_BYTES != 0)
		return sopi_regplace_corrupt(&place, "the file has the wrong size", err);
	reader->blocks = size / SOPI_BUCKET_BYTES;
	return SOP_OK;
}

sop_status sopi_regreader_open(struct sopi_regreader *reader, struct sopi_folder *folder,
			       const char *path, sop_error *err)
{
	sop_status status = SOP_OK;

	memset(reader, 0, sizeof *reader);
	memcpy(reader->path, path, strlen(path) + 1);
	SOP_TRY(sopi_reg_missing(
		sopi_folder_open_file(folder, path, SOPI_FILE_READ, &reader->file, err), path, err));
	SOP_TRY_OUT(reader_check_size(reader, err));
	SOP_TRY_OUT(sopi_alloc((size_t)ROOM_BLOCKS * SOPI_BUCKET_BYTES, (void **)&reader->room, err));
out:
	if (status != SOP_OK)
		sopi_regreader_close(reader);
	return status;
}

sop_status sopi_regreader_expect(const struct sopi_regreader *reader, uint64_t blocks, sop_error *err)
{
	const struct sopi_regplace place = { reader->path, 0 };

	if (reader->blocks == blocks)
		return SOP_OK;
	return sopi_regplace_corrupt(&place, "the file has the wrong size", err);
}

static sop_status read_blocks(struct sopi_file *file, const struct sopi_regplace *place,
			      uint8_t *to, size_t count, sop_error *err)
{
	size_t got = 0;

	SOP_TRY(sopi_file_read(file, place->offset, to, count * SOPI_BUCKET_BYTES, &got, err));
	if (got != count * SOPI_BUCKET_BYTES)
		return sopi_regplace_corrupt(place, "the file ends too early", err);
	return SOP_OK;
}

sop_status sopi_regreader_next(struct sopi_regreader *reader, const uint8_t **block,
			       struct sopi_regplace *place, sop_error *err)
{
	const uint64_t left = reader->blocks - reader->read;

	place->path = reader->path;
	if (reader->room_at == reader->room_count) {
		const size_t count = left < ROOM_BLOCKS ? (size_t)left : ROOM_BLOCKS;

		SOPI_CHECK(left > 0);
		place->offset = reader->read * SOPI_BUCKET_BYTES;
		SOP_TRY(read_blocks(reader->file, place, reader->room, count, err));
		reader->read += count;
		reader->room_at = 0;
		reader->room_count = count;
	}
	*block = reader->room + reader->room_at * SOPI_BUCKET_BYTES;
	place->offset = (reader->read - reader->room_count + reader->room_at) * SOPI_BUCKET_BYTES;
	reader->room_at++;
	return SOP_OK;
}

void sopi_regreader_close(struct sopi_regreader *reader)
{
	sopi_file_close(reader->file);
	reader->file = NULL;
	sopi_free(reader->room);
	reader->room = NULL;
}

sop_status sopi_regblock_read(struct sopi_file *file, const struct sopi_regplace *place,
			      uint8_t *block, sop_error *err)
{
	return read_blocks(file, place, block, 1, err);
}
