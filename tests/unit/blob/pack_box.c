#include "pack_box.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/varint.h"
#include "node/page_layout.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void open_packs(struct box *box)
{
	TEST_OK(sopi_packs_open(box->platform, box->folder, 1, &box->packs, &box->err), box->err);
}

void box_start(struct box *box, struct sopi_sim_disk *disk)
{
	const sop_error none = SOP_ERROR_INIT;

	memset(box, 0, sizeof *box);
	box->err = none;
	box->live = sopi_alloc_live_count();
	box->disk = disk;
	box->process = sopi_sim_process_new(disk, NULL, 1);
	box->platform = sopi_sim_platform(box->process);
	TEST_OK(sopi_files_open_folder(box->platform->files, "/db", SOPI_FOLDER_CREATE,
				       &box->folder, &box->err),
		box->err);
}

void box_stop(struct box *box)
{
	sopi_packs_close(box->packs);
	sopi_folder_close(box->folder);
	sopi_sim_process_free(box->process);
	assert_int_equal(sopi_alloc_live_count(), box->live);
}

void box_open_sim(struct box *box)
{
	box_start(box, sopi_sim_disk_new());
	TEST_OK(sopi_folder_make(box->folder, "blobs", &box->err), box->err);
	TEST_OK(sopi_folder_sync(box->folder, "", &box->err), box->err);
	open_packs(box);
}

void box_open_host(struct box *box)
{
	const sop_error none = SOP_ERROR_INIT;

	memset(box, 0, sizeof *box);
	box->err = none;
	box->live = sopi_alloc_live_count();
	box->platform = sopi_platform_posix();
	strcpy(box->path, "/tmp/sop-packs-XXXXXX");
	assert_non_null(mkdtemp(box->path));
	TEST_OK(sopi_files_open_folder(box->platform->files, box->path, 0, &box->folder, &box->err),
		box->err);
	TEST_OK(sopi_folder_make(box->folder, "blobs", &box->err), box->err);
	open_packs(box);
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
	(void)stat;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void box_close(struct box *box)
{
	struct sopi_sim_disk *disk = box->disk;

	if (disk != NULL) {
		box_stop(box);
		sopi_sim_disk_free(disk);
		return;
	}
	sopi_packs_close(box->packs);
	sopi_folder_close(box->folder);
	assert_int_equal(nftw(box->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	assert_int_equal(sopi_alloc_live_count(), box->live);
}

void box_reopen(struct box *box, const struct sopi_pack_entry *entries, size_t count)
{
	sopi_packs_close(box->packs);
	box->packs = NULL;
	open_packs(box);
	for (size_t i = 0; i < count; i++)
		TEST_OK(sopi_packs_adopt(box->packs, &entries[i], &box->err), box->err);
}

/* ---- things ---------------------------------------------------------------------------------- */

static uint8_t *put_varint(uint8_t *at, uint64_t number)
{
	return at + sopi_varint_encode(number, at, SOPI_VARINT_BYTES_MAX);
}

void box_page(sop_buf *page, uint64_t vid, size_t value_bytes)
{
	uint8_t *bytes, *at;

	page->size = 0;
	assert_int_equal(sop_buf_reserve(page, value_bytes + 128, NULL), SOP_OK);
	bytes = memset(page->data, 0, value_bytes + 128);
	memcpy(bytes, PAGE_MAGIC, 4);
	bytes[PAGE_AT_FORMAT] = SOPI_PAGE_FORMAT;
	bytes[PAGE_AT_TYPE] = SOPI_LEAF;
	bytes[PAGE_AT_FLAGS] = 15; /* one item: all numbers are said once */
	sopi_store_u64le(bytes + PAGE_AT_VID, vid);
	sopi_store_u64le(bytes + PAGE_AT_POSITION, 5);
	at = put_varint(bytes + SOPI_PAGE_HEAD_BYTES, 16); /* store */
	at = put_varint(at, 1); /* items */
	at = put_varint(at, 0); /* prefix */
	at = put_varint(at, 1); /* key */
	at = put_varint(at, 0); /* ride-along */
	at = put_varint(at, value_bytes);
	at = put_varint(at, 4); /* age */
	*at++ = 'k';
	for (size_t i = 0; i < value_bytes; i++)
		*at++ = (uint8_t)(vid * 31 + i);
	page->size = (size_t)(at - bytes);
	sopi_store_u32le(bytes + PAGE_AT_LENGTH, (uint32_t)page->size);
	sopi_store_u32le(bytes + PAGE_AT_CRC, page_crc(bytes, page->size));
}

void box_value(sop_buf *value, uint64_t number, size_t size)
{
	value->size = 0;
	assert_int_equal(sop_buf_reserve(value, size + 1, NULL), SOP_OK);
	for (size_t i = 0; i < size; i++)
		((uint8_t *)value->data)[i] = (uint8_t)(number * 17 + i + (i >> 8));
	value->size = size;
}

static void make(sop_buf *bytes, const struct thing *thing)
{
	if (thing->node)
		box_page(bytes, thing->key, thing->size);
	else
		box_value(bytes, thing->key, thing->size);
}

/* Out of memory is for the code under test. */
static void make_calmly(sop_buf *bytes, const struct thing *thing, size_t size)
{
	bytes->data = test_alloc(size);
	bytes->capacity = size;
	make(bytes, thing);
}

sop_status box_put(struct sopi_pack *pack, struct thing *thing, sop_error *err)
{
	sop_buf bytes = SOP_BUF_INIT;
	void *room;
	sop_status status;

	make_calmly(&bytes, thing, thing->size + 200);
	room = bytes.data;
	status = sopi_pack_append(pack, thing->key, test_bytes(bytes.data, bytes.size),
				  &thing->place, err);
	free(room);
	return status;
}

static bool same(const sop_buf *a, const sop_buf *b)
{
	return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

sop_status box_look(struct sopi_packs *packs, const struct thing *thing, sop_error *err)
{
	sop_buf expected = SOP_BUF_INIT;
	sop_buf found = SOP_BUF_INIT;
	const struct sopi_page_origin from = { "", -1 };
	void *room;
	sop_status status;

	make_calmly(&expected, thing, thing->size + 200);
	room = expected.data;
	if (thing->node) {
		status = sopi_packs_read(packs, &thing->place, &found, err);
		if (status == SOP_OK)
			status = sopi_page_verify(test_bytes(found.data, found.size), NULL, &from, err);
	} else {
		status = sopi_packs_read_value(packs, thing->key, &thing->place, &found, err);
	}
	if (status == SOP_OK && !same(&found, &expected))
		test_note_failure("wrong bytes for key %llu", (unsigned long long)thing->key);
	if (status != SOP_OK && found.size != 0 && !thing->node)
		test_note_failure("bytes in spite of an error");
	sop_buf_free(&found);
	free(room);
	return status;
}

uint64_t box_fill(struct box *box, enum sopi_pack_kind kind, struct thing *things, size_t count)
{
	struct sopi_pack *pack = NULL;
	uint64_t id;

	TEST_OK(sopi_pack_begin(box->packs, kind, 0, &pack, &box->err), box->err);
	id = sopi_pack_id(pack);
	for (size_t i = 0; i < count; i++) {
		things[i].key = i + 1;
		things[i].node = kind == SOPI_PACK_NODES;
		TEST_OK(box_put(pack, &things[i], &box->err), box->err);
	}
	TEST_OK(sopi_pack_finish(pack, &box->err), box->err);
	return id;
}

static bool count_problem(void *arg, const char *file, int64_t offset, const char *kind, const char *message)
{
	size_t *count = arg;

	(void)offset;
	if (file[0] == '\0' || kind[0] == '\0' || message[0] == '\0')
		test_note_failure("a problem without file, kind or message");
	++*count;
	return true;
}

size_t box_verify(struct box *box, uint64_t id)
{
	size_t count = 0;

	TEST_OK(sopi_packs_verify(box->packs, id, count_problem, NULL, &count, &box->err), box->err);
	return count;
}

bool box_has_file(struct box *box, uint64_t id)
{
	char path[SOPI_PATH_BYTES_MAX + 1];
	struct sopi_entry entry;

	sopi_packs_path(box->packs, id, path);
	return sopi_folder_look(box->folder, path, &entry, NULL) == SOP_OK;
}

void box_load(struct box *box, const char *path, sop_buf *bytes)
{
	struct sopi_file *file = NULL;
	uint64_t size = 0;
	size_t got = 0;

	TEST_OK(sopi_folder_open_file(box->folder, path, SOPI_FILE_READ, &file, &box->err), box->err);
	TEST_OK(sopi_file_size(file, &size, &box->err), box->err);
	TEST_OK(sop_buf_reserve(bytes, size, &box->err), box->err);
	TEST_OK(sopi_file_read(file, 0, bytes->data, size, &got, &box->err), box->err);
	bytes->size = got;
	sopi_file_close(file);
}

void box_store(struct box *box, const char *path, const void *bytes, size_t size)
{
	struct sopi_file *file = NULL;

	TEST_OK(sopi_folder_open_file(box->folder, path, SOPI_FILE_WRITE | SOPI_FILE_CREATE, &file,
				      &box->err),
		box->err);
	TEST_OK(sopi_file_write(file, 0, bytes, size, &box->err), box->err);
	TEST_OK(sopi_file_resize(file, size, &box->err), box->err);
	sopi_file_close(file);
}
