/* Any bytes as a bucket and as a run with right checksums: refused, or every entry is found, and the run is written as
 * these bytes. */
#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "platform/sim.h"
#include "registry/registry_map.h"
#include "registry/registry_run.h"

#include <stdlib.h>
#include <string.h>

enum {
	POSITION = 1, /* of the run; the generation of the map too */
	RUN_PATH_BYTES = SOPI_REGNAME_BYTES,
	RUN_BYTES = 2 * SOPI_BUCKET_BYTES,
	HEAD_AT_POSITION = 16,
	HEAD_AT_COUNT = 24,
	HEAD_AT_TOTAL_CRC = 32,
};

static struct sopi_folder *folder; /* for the life of the program */

static void start(void)
{
	struct sopi_sim_process *process = sopi_sim_process_new(sopi_sim_disk_new(), NULL, 1);

	SOPI_CHECK(sopi_files_open_folder(sopi_sim_platform(process)->files, "/db",
					  SOPI_FOLDER_CREATE, &folder, NULL) == SOP_OK);
	SOPI_CHECK(sopi_folder_make(folder, "reg", NULL) == SOP_OK);
}

/* The input as the content of a block; counts that no block has are rare in it. */
static void make_block(const uint8_t *data, size_t size, const char *magic,
		       uint8_t block[SOPI_BUCKET_BYTES])
{
	const struct sopi_regblock_id id = { magic, POSITION, 0 };
	const size_t room = SOPI_BUCKET_BYTES - REGBLOCK_AT_COUNT;

	memset(block, 0, SOPI_BUCKET_BYTES);
	sopi_regblock_begin(block, &id);
	memcpy(block + REGBLOCK_AT_COUNT, data, size < room ? size : room);
	block[REGBLOCK_AT_COUNT + 1] = 0;
	sopi_regblock_seal(block, magic);
}

static void try_bucket(const uint8_t *data, size_t size)
{
	const struct sopi_map_shape shape = { POSITION, 1, SOPI_BUCKETS_MIN };
	const struct sopi_regplace place = { "b", 0 };
	struct sopi_map_order order = { 0 };
	uint8_t block[SOPI_BUCKET_BYTES];
	sop_error err = SOP_ERROR_INIT;

	make_block(data, size, SOPI_MAGIC_BUCKET, block);
	if (sopi_bucket_check(block, &shape, 0, &place, &err) != SOP_OK) {
		SOPI_CHECK(err.status == SOP_CORRUPT);
		return;
	}
	SOPI_CHECK(sopi_map_order_check(&order, &shape, block, 0, &place, &err) == SOP_OK);
	for (size_t i = 0; i < sopi_load_u16le(block + REGBLOCK_AT_COUNT); i++) {
		struct sopi_registry_entry entry;

		SOPI_CHECK(sopi_entry_load(block, i, &entry));
		SOPI_CHECK(sopi_shape_home(&shape, sopi_registry_hash(entry.key)) == 0);
	}
}

static void write_run(const char *path, const uint8_t *bytes)
{
	struct sopi_file *file = NULL;

	SOPI_CHECK(sopi_folder_open_file(folder, path, SOPI_FILE_WRITE | SOPI_FILE_CREATE, &file,
					 NULL) == SOP_OK);
	SOPI_CHECK(sopi_file_write(file, 0, bytes, RUN_BYTES, NULL) == SOP_OK);
	sopi_file_close(file);
}

static void read_run(const char *path, uint8_t *bytes)
{
	struct sopi_file *file = NULL;
	size_t got = 0;

	SOPI_CHECK(sopi_folder_open_file(folder, path, SOPI_FILE_READ, &file, NULL) == SOP_OK);
	SOPI_CHECK(sopi_file_read(file, 0, bytes, RUN_BYTES, &got, NULL) == SOP_OK && got == RUN_BYTES);
	sopi_file_close(file);
}

static void check_run(const struct sopi_run *run, const char *path, const uint8_t *bytes)
{
	struct sopi_reghome home = { folder, false };
	uint8_t again[RUN_BYTES];

	for (size_t i = 0; i < run->count; i++)
		SOPI_CHECK(sopi_run_find(run, run->entries[i].key) == &run->entries[i]);
	SOPI_CHECK(sopi_run_save(run, &home, NULL) == SOP_OK);
	read_run(path, again);
	SOPI_CHECK(memcmp(again, bytes, RUN_BYTES) == 0);
}

static void try_run(const uint8_t *data, size_t size)
{
	uint8_t bytes[RUN_BYTES] = { 0 };
	uint8_t *block = bytes + SOPI_BUCKET_BYTES;
	char path[RUN_PATH_BYTES];
	sop_error err = SOP_ERROR_INIT;
	struct sopi_run *run = NULL;
	uint16_t count = 0;

	make_block(data, size, SOPI_MAGIC_RUN_BLOCK, block);
	count = sopi_load_u16le(block + REGBLOCK_AT_COUNT);
	sopi_store_u32le(bytes + REGHEAD_AT_FORMAT, SOPI_REGISTRY_FORMAT);
	sopi_store_u64le(bytes + HEAD_AT_POSITION, POSITION);
	sopi_store_u64le(bytes + HEAD_AT_COUNT, count);
	sopi_store_u32le(bytes + HEAD_AT_TOTAL_CRC, sopi_crc32c(0, block, SOPI_BUCKET_BYTES));
	sopi_regblock_seal(bytes, SOPI_MAGIC_RUN);
	sopi_run_path(POSITION, path);
	write_run(path, bytes);
	if (sopi_run_load(folder, POSITION, count, &run, &err) == SOP_OK)
		check_run(run, path, bytes);
	else
		SOPI_CHECK(err.status == SOP_CORRUPT);
	sopi_run_release(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (folder == NULL)
		start();
	if (size == 0)
		return 0;
	try_bucket(data, size);
	try_run(data, size);
	return 0;
}
