/* Any bytes as a pack file, with as many right checksums as the first byte says: refused or read, never a crash, and
 * nothing beyond the file. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "blob/blob_folder.h"
#include "codec/pack_record.h"
#include "platform/sim.h"

#include <stdlib.h>

enum { PACK = 5, VALUES_MAX = 64 };

/* What is put right, as bits of the first byte. */
enum { RIGHT_HEAD = 4, RIGHT_FRAME = 8, RIGHT_INDEX = 16, RIGHT_FOOTER = 32, RIGHT_PLACES = 64 };

static void seal(uint8_t *record, size_t size, const char *magic)
{
	memcpy(record, magic, 4);
	record[4] = SOPI_PACK_FORMAT;
	memset(record + 5, 0, 3);
	sopi_store_u64le(record + 8, PACK);
	sopi_store_u32le(record + size - 4, sopi_crc32c(0, record, size - 4));
}

/* The first value ends where its frame says. */
static void seal_frame(uint8_t *file, size_t size)
{
	uint8_t *frame = file + SOPI_PACK_HEAD_BYTES;
	uint64_t length;

	if (size < SOPI_PACK_HEAD_BYTES + SOPI_PACK_FRAME_BYTES)
		return;
	length = sopi_load_u16le(frame + 24);
	sopi_store_u64le(frame + 24, length);
	if (length <= size - SOPI_PACK_HEAD_BYTES - SOPI_PACK_FRAME_BYTES)
		sopi_store_u32le(frame + 32, sopi_crc32c(0, frame + SOPI_PACK_FRAME_BYTES, length));
	seal(frame, SOPI_PACK_FRAME_BYTES, "SOPv");
}

/* An index of `count` blobs before the footer, whose slots are back to back if `places` says so. */
static void seal_end(uint8_t *file, size_t size, unsigned what, size_t count)
{
	const size_t index_size = 28 + 24 * count;
	const size_t end = SOPI_PACK_HEAD_BYTES + index_size + SOPI_PACK_FOOTER_BYTES;
	uint8_t *index = file + size - index_size - SOPI_PACK_FOOTER_BYTES;
	uint64_t at = SOPI_PACK_HEAD_BYTES;

	if (size < end)
		return;
	for (size_t i = 0; i < count && (what & RIGHT_PLACES) != 0; i++) {
		uint8_t *slot = index + 24 + i * 24;
		const uint64_t left = (uint64_t)(index - file) - at;
		const uint64_t length = i + 1 == count ? left : slot[16] % (left + 1);

		sopi_store_u64le(slot + 8, at);
		sopi_store_u64le(slot + 16, length);
		at += length;
	}
	if ((what & RIGHT_INDEX) != 0) {
		sopi_store_u64le(index + 16, count);
		seal(index, index_size, "SOPi");
	}
	if ((what & RIGHT_FOOTER) != 0) {
		const struct sopi_pack_footer footer = { (uint64_t)(index - file), index_size,
							 (uint64_t)(index - file) - SOPI_PACK_HEAD_BYTES };

		sopi_pack_footer_encode(file + size - SOPI_PACK_FOOTER_BYTES, PACK, &footer);
	}
}

struct seen {
	uint64_t keys[VALUES_MAX];
	struct sopi_place places[VALUES_MAX];
	size_t count;
	size_t size; /* of the file */
};

static sop_status see(void *arg, uint64_t key, const struct sopi_place *place, sop_error *err)
{
	struct seen *seen = arg;

	SOPI_CHECK(place->pack == PACK && place->offset >= SOPI_PACK_HEAD_BYTES);
	SOPI_CHECK(place->offset <= seen->size && place->length <= seen->size - place->offset);
	if (seen->count == VALUES_MAX)
		return sopi_fail(err, SOP_CANCELLED, "enough");
	seen->keys[seen->count] = key;
	seen->places[seen->count++] = *place;
	return SOP_OK;
}

static bool count_problem(void *arg, const char *file, int64_t offset, const char *kind, const char *message)
{
	size_t *count = arg;

	SOPI_CHECK(file[0] != '\0' && kind[0] != '\0' && message[0] != '\0' && offset >= -1);
	return ++*count < VALUES_MAX;
}

static bool is_answer(sop_status status)
{
	return status == SOP_OK || status == SOP_CORRUPT || status == SOP_UNSUPPORTED;
}

/* A pack that verify finds whole is read wholly. */
static void read_all(struct sopi_packs *packs, uint8_t kind, size_t size)
{
	struct seen seen = { .size = size };
	sop_buf out = SOP_BUF_INIT;
	size_t problems = 0;
	sop_status status;

	SOPI_CHECK(sopi_packs_verify(packs, PACK, count_problem, NULL, &problems, NULL) == SOP_OK);
	status = sopi_packs_each(packs, PACK, see, &seen, NULL);
	SOPI_CHECK(is_answer(status) || status == SOP_CANCELLED);
	SOPI_CHECK(problems != 0 || status != SOP_CORRUPT);
	for (size_t i = 0; i < seen.count; i++) {
		status = sopi_packs_read(packs, &seen.places[i], &out, NULL);
		SOPI_CHECK(status == SOP_OK);
		status = sopi_packs_read_value(packs, seen.keys[i], &seen.places[i], &out, NULL);
		SOPI_CHECK(is_answer(status));
		SOPI_CHECK(problems != 0 || kind == SOPI_PACK_NODES || status == SOP_OK);
	}
	sop_buf_free(&out);
}

static void store(struct sopi_folder *folder, const char *path, const uint8_t *bytes, size_t size)
{
	struct sopi_file *file = NULL;

	SOPI_CHECK(sopi_folder_open_file(folder, path, SOPI_FILE_WRITE | SOPI_FILE_CREATE, &file,
					 NULL) == SOP_OK);
	SOPI_CHECK(sopi_file_write(file, 0, bytes, size, NULL) == SOP_OK);
	sopi_file_close(file);
}

static void play(const uint8_t *bytes, size_t size, uint8_t kind, uint64_t total)
{
	const struct sopi_pack_entry entry = { PACK, kind, total, 0, false };
	struct sopi_sim_disk *disk = sopi_sim_disk_new();
	struct sopi_sim_process *process = sopi_sim_process_new(disk, NULL, 1);
	const struct sopi_platform *platform = sopi_sim_platform(process);
	struct sopi_folder *folder = NULL;
	struct sopi_packs *packs = NULL;
	char path[SOPI_PATH_BYTES_MAX + 1];

	SOPI_CHECK(sopi_files_open_folder(platform->files, "/db", SOPI_FOLDER_CREATE, &folder, NULL) ==
		   SOP_OK);
	SOPI_CHECK(sopi_folder_make(folder, "blobs", NULL) == SOP_OK);
	SOPI_CHECK(sopi_folder_make(folder, "blobs/05", NULL) == SOP_OK);
	SOPI_CHECK(sopi_packs_open(platform, folder, 1, &packs, NULL) == SOP_OK);
	sopi_packs_path(packs, PACK, path);
	if (kind == SOPI_PACK_VALUE)
		memcpy(path + strlen(path) - 4, "val", 4);
	store(folder, path, bytes, size);
	if (sopi_packs_adopt(packs, &entry, NULL) == SOP_OK) {
		read_all(packs, kind, size);
		SOPI_CHECK(is_answer(sopi_packs_sweep(packs, NULL, NULL, NULL)));
		read_all(packs, kind, size);
	}
	sopi_packs_close(packs);
	sopi_folder_close(folder);
	sopi_sim_process_free(process);
	sopi_sim_disk_free(disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int64_t live = sopi_alloc_live_count();
	uint8_t *file;
	uint8_t kind;

	if (size <= 3)
		return 0;
	kind = (uint8_t)(data[0] % 3 + 1);
	file = malloc(size - 3);
	SOPI_CHECK(file != NULL);
	memcpy(file, data + 3, size - 3);
	size -= 3;
	if ((data[0] & RIGHT_HEAD) != 0 && size >= SOPI_PACK_HEAD_BYTES)
		sopi_pack_head_encode(file, kind, PACK);
	if ((data[0] & RIGHT_FRAME) != 0)
		seal_frame(file, size);
	seal_end(file, size, data[0], data[1] % 8);
	play(file, size, kind, data[2]);
	free(file);
	SOPI_CHECK(sopi_alloc_live_count() == live);
	return 0;
}
