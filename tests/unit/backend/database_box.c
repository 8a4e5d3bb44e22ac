/* What the tests of a whole backend share. */
#include "unit/backend/database_box.h"

#include "base/buffer.h"
#include "base/crc32c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 3000, VALUE_BYTES = 1300 << 10 };

sop_status database_box_open_at(struct database_box *box, const char *path, sop_db **out, sop_error *err)
{
	sop_options *options = NULL;
	sop_status status = sop_options_new(&options, err);

	if (status == SOP_OK)
		status = sop_options_set_int(options, "cache_bytes", 8 << 20, err);
	if (status == SOP_OK)
		status = sop_options_set_int(options, "log_bytes_max", 4 << 20, err);
	if (status == SOP_OK)
		status = sop_options_set_bool(options, "create", strcmp(path, "/db") == 0, err);
	if (status == SOP_OK)
		status = sopi_db_open_on(path, options, sopi_sim_platform(box->process), out, err);
	if (status == SOP_OK)
		(*out)->engine->options.no_background = true;
	sop_options_free(options);
	return status;
}

void database_box_open(struct database_box *box)
{
	assert_null(box->db);
	TEST_OK(database_box_open_at(box, "/db", &box->db, &box->err), box->err);
}

void database_box_close(struct database_box *box)
{
	if (box->db != NULL)
		TEST_OK(sop_close(box->db, &box->err), box->err);
	sop_db_free(box->db);
	box->db = NULL;
}

void database_box_start(struct database_box *box)
{
	const sop_error fresh = SOP_ERROR_INIT;

	memset(box, 0, sizeof *box);
	box->err = fresh;
	box->disk = sopi_sim_disk_new();
	box->process = sopi_sim_process_new(box->disk, NULL, test_seed());
	database_box_open(box);
}

void database_box_free(struct database_box *box)
{
	database_box_close(box);
	sopi_sim_process_free(box->process);
	sopi_sim_disk_free(box->disk);
}

struct sopi_inredfs *database_box_fs(struct database_box *box)
{
	return sopi_inredfs_of(box->db->engine->backend);
}

/* ---- work ----------------------------------------------------------------------------------------- */

static uint8_t *random_value(struct test_rng *rng, size_t *size)
{
	uint8_t *value;

	switch (test_rng_below(rng, 40)) {
	case 0:
		*size = VALUE_BYTES + (size_t)test_rng_below(rng, 1000); /* in a file of its own */
		break;
	case 1:
	case 2:
	case 3:
	case 4:
		*size = 1025 + (size_t)test_rng_below(rng, 20000); /* apart */
		break;
	default:
		*size = (size_t)test_rng_below(rng, 300);
		break;
	}
	value = test_alloc(*size + 1);
	for (size_t i = 0; i < *size; i++)
		value[i] = (uint8_t)(i * 31 + *size);
	if (*size >= 8) {
		const uint64_t random = test_rng_next(rng);

		memcpy(value, &random, sizeof random);
	}
	return value;
}

static sop_bytes random_key(struct test_rng *rng, char room[64])
{
	const int size = snprintf(room, 64, "key %06llu of the store with a name",
				  (unsigned long long)test_rng_below(rng, KEYS));

	return test_bytes(room, (size_t)size - (size_t)test_rng_below(rng, 10));
}

static void ignore(sop_status status)
{
	assert_true(status == SOP_OK || status == SOP_NOT_FOUND || status == SOP_EXISTS);
}

static void change(struct database_box *box, struct test_rng *rng, sop_txn *txn, sop_store *store,
		   bool twice)
{
	char room[64];
	const sop_bytes key = random_key(rng, room);
	size_t size = 0;
	uint8_t *value = random_value(rng, &size);
	const sop_bytes bytes = test_bytes(value, size);

	switch (test_rng_below(rng, 5)) {
	case 0:
		ignore(sop_remove(txn, store, key, 0, &box->err));
		break;
	case 1:
		ignore(sop_update(txn, store, key, 0, bytes, &box->err));
		break;
	default:
		ignore(twice ? sop_insert(txn, store, key, bytes, NULL, &box->err)
			     : sop_put(txn, store, key, bytes, &box->err));
		break;
	}
	free(value);
}

static sop_store *declare(struct database_box *box, const char *name, uint32_t duplicates)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_store *store = NULL;

	options.duplicates = duplicates;
	TEST_OK(sop_store_open(box->db, test_text(name), &options, &store, &box->err), box->err);
	return store;
}

static void come_and_go(struct database_box *box, struct test_rng *rng, sop_txn *txn)
{
	char name[32];
	uint64_t items = 0;
	sop_store *store;

	if (box->temporary != 0 && test_rng_once_in(rng, 2)) {
		snprintf(name, sizeof name, "temp%u",
			 (unsigned)(1 + test_rng_below(rng, box->temporary)));
		store = declare(box, name, 0);
		if (sop_count(txn, store, NULL, &items, &box->err) == SOP_OK && test_rng_once_in(rng, 2)) {
			for (unsigned i = 0; i < 30; i++)
				change(box, rng, txn, store, false);
		} else {
			ignore(sop_store_drop(txn, store, &box->err));
		}
	} else {
		snprintf(name, sizeof name, "temp%u", (unsigned)++box->temporary);
		store = declare(box, name, 0);
		TEST_OK(sop_store_create(txn, store, &box->err), box->err);
		for (unsigned i = 0; i < 60; i++)
			change(box, rng, txn, store, false);
	}
	sop_store_free(store);
}

static void maintain(struct database_box *box, struct test_rng *rng)
{
	switch (test_rng_below(rng, 30)) {
	case 0:
		TEST_OK(sop_gc(box->db, NULL, NULL, &box->err), box->err);
		break;
	case 1:
	case 2:
	case 3:
		TEST_OK(sop_checkpoint(box->db, &box->err), box->err);
		break;
	default:
		break;
	}
}

void database_box_work(struct database_box *box, struct test_rng *rng, uint64_t transactions)
{
	sop_store *plain = declare(box, "plain", 0), *twice = declare(box, "twice", 1);
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	ignore(sop_store_create(txn, plain, &box->err));
	ignore(sop_store_create(txn, twice, &box->err));
	TEST_OK(sop_commit(txn, &box->err), box->err);
	for (uint64_t i = 0; i < transactions; i++) {
		const uint64_t changes = 1 + test_rng_below(rng, 12);

		TEST_OK(sop_txn_renew(txn, &box->err), box->err);
		if (test_rng_once_in(rng, 6))
			come_and_go(box, rng, txn);
		for (uint64_t c = 0; c < changes; c++) {
			const bool second = test_rng_once_in(rng, 3);

			change(box, rng, txn, second ? twice : plain, second);
		}
		TEST_OK(test_rng_once_in(rng, 10) ? sop_rollback(txn, &box->err)
						  : sop_commit(txn, &box->err),
			box->err);
		maintain(box, rng);
	}
	sop_txn_free(txn);
	sop_store_free(plain);
	sop_store_free(twice);
}

/* ---- content -------------------------------------------------------------------------------------- */

static void add(sop_buf *out, const void *data, size_t size)
{
	const uint64_t length = size;

	assert_int_equal(sopi_buf_room(out, size + sizeof length, NULL), SOP_OK);
	memcpy((uint8_t *)out->data + out->size, &length, sizeof length);
	out->size += sizeof length;
	if (size != 0)
		memcpy((uint8_t *)out->data + out->size, data, size);
	out->size += size;
}

static void dump_store(sop_db *db, sop_txn *txn, sop_bytes name, sop_buf *out)
{
	sop_error err = SOP_ERROR_INIT;
	sop_store *store = NULL;
	sop_cursor *cursor = NULL;
	sop_entry entry;
	uint32_t crc;
	sop_status status;

	add(out, name.data, name.size);
	TEST_OK(sop_store_open(db, name, NULL, &store, &err), err);
	TEST_OK(sop_cursor_open(txn, store, NULL, 0, &cursor, &err), err);
	while ((status = sop_cursor_next(cursor, &entry, &err)) == SOP_OK) {
		add(out, entry.key.data, entry.key.size);
		add(out, &entry.item, sizeof entry.item);
		add(out, &entry.version, sizeof entry.version);
		crc = sopi_crc32c((uint32_t)entry.value.size, entry.value.data, entry.value.size);
		add(out, &crc, sizeof crc);
	}
	TEST_STATUS(status, SOP_NOT_FOUND, err);
	sop_cursor_free(cursor);
	sop_store_free(store);
}

void database_box_fill(struct database_box *box, const char *name, uint64_t from, uint64_t to,
		       size_t value_bytes)
{
	uint8_t room[8], *value = test_alloc(value_bytes + 1);
	sop_store *store = NULL;
	sop_txn *txn = NULL;
	sop_status status;

	memset(value, 'v', value_bytes);
	TEST_OK(sop_store_open(box->db, test_text(name), NULL, &store, &box->err), box->err);
	TEST_OK(sop_begin(box->db, NULL, &txn, &box->err), box->err);
	status = sop_store_create(txn, store, &box->err);
	assert_true(status == SOP_OK || status == SOP_EXISTS);
	for (uint64_t i = from; i < to; i++)
		TEST_OK(sop_put(txn, store, test_key_u64(room, i), test_bytes(value, value_bytes),
				&box->err),
			box->err);
	TEST_OK(sop_commit(txn, &box->err), box->err);
	sop_txn_free(txn);
	sop_store_free(store);
	free(value);
}

void database_dump(sop_db *db, sop_buf *out)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_buf names = SOP_BUF_INIT;
	sop_txn *txn = NULL;
	size_t count = 0;

	options.mode = SOP_READ;
	out->size = 0;
	TEST_OK(sop_begin(db, &options, &txn, &err), err);
	TEST_OK(sop_store_list(txn, &names, &count, &err), err);
	for (size_t at = 0; at < names.size;) {
		const char *name = (const char *)names.data + at;

		dump_store(db, txn, test_text(name), out);
		at += strlen(name) + 1;
	}
	sop_txn_free(txn);
	sop_buf_free(&names);
}

/* ---- checks --------------------------------------------------------------------------------------- */

struct looking {
	const char *when; /* NULL: only counts */
	const char *kind;
	const char *file;
	uint64_t found;
	uint64_t damage;
};

static int note_problem(void *arg, const sop_problem *problem)
{
	struct looking *looking = arg;

	looking->damage += problem->file.size == 0 || (strcmp(problem->kind, "leak") != 0 &&
						       strcmp(problem->kind, "unknown") != 0);
	if (looking->when != NULL)
		test_note_failure("%s: %s [%.*s] at %lld: %s", looking->when, problem->kind,
				  (int)problem->file.size, (const char *)problem->file.data,
				  (long long)problem->offset, problem->message);
	if ((looking->kind == NULL || strcmp(looking->kind, problem->kind) == 0) &&
	    (looking->file == NULL ||
	     (problem->file.size == strlen(looking->file) &&
	      memcmp(problem->file.data, looking->file, problem->file.size) == 0)))
		looking->found++;
	assert_true(problem->message[0] != '\0');
	return 0;
}

static uint64_t look(sop_db *db, struct looking *looking)
{
	sop_error err = SOP_ERROR_INIT;
	uint64_t problems = 0;
	const sop_status status = sop_verify(db, note_problem, NULL, looking, &problems, &err);

	TEST_STATUS(status, looking->damage == 0 ? SOP_OK : SOP_CORRUPT, err);
	return problems;
}

uint64_t database_verify(sop_db *db, const char *when)
{
	struct looking looking = { .when = when };

	return look(db, &looking);
}

uint64_t database_problems(sop_db *db, const char *kind, const char *file)
{
	struct looking looking = { .kind = kind, .file = file };

	(void)look(db, &looking);
	return looking.found;
}

/* ---- files ---------------------------------------------------------------------------------------- */

static struct sopi_folder *folder_at(struct database_box *box, const char *path)
{
	struct sopi_folder *folder = NULL;

	if (sopi_files_open_folder(sopi_sim_platform(box->process)->files, path, 0, &folder, NULL) != SOP_OK)
		return NULL;
	return folder;
}

struct finding {
	struct sopi_folder *folder;
	char path[SOPI_PATH_BYTES_MAX + 1]; /* that is being listed */
	const char *end;
	char found[SOPI_PATH_BYTES_MAX + 1];
	size_t files;
};

static sop_status find_entry(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	struct finding *finding = arg;
	const size_t size = strlen(finding->path);
	sop_status status = SOP_OK;

	snprintf(finding->path + size, sizeof finding->path - size, "%s%s", size != 0 ? "/" : "", name);
	if (kind == SOPI_ENTRY_FOLDER) {
		status = sopi_folder_list(finding->folder, finding->path, find_entry, finding, err);
	} else {
		const size_t whole = strlen(finding->path), end = strlen(finding->end);

		finding->files++;
		if (finding->found[0] == '\0' && whole >= end &&
		    strcmp(finding->path + whole - end, finding->end) == 0)
			strcpy(finding->found, finding->path);
	}
	finding->path[size] = '\0';
	return status;
}

static size_t walk(struct database_box *box, const char *root, const char *below, const char *end,
		   char *found, size_t room)
{
	struct finding finding = { .folder = folder_at(box, root), .end = end };
	sop_error err = SOP_ERROR_INIT;

	if (finding.folder == NULL)
		return 0;
	snprintf(finding.path, sizeof finding.path, "%s", below);
	TEST_OK(sopi_folder_list(finding.folder, below, find_entry, &finding, &err), err);
	sopi_folder_close(finding.folder);
	if (found != NULL)
		snprintf(found, room, "%s", finding.found);
	return finding.files;
}

size_t database_box_files(struct database_box *box, const char *path)
{
	return walk(box, path, "", "", NULL, 0);
}

bool database_box_find(struct database_box *box, const char *below, const char *end, char *path,
		       size_t room)
{
	path[0] = '\0';
	(void)walk(box, "/db", below, end, path, room);
	return path[0] != '\0';
}

bool database_box_has(struct database_box *box, const char *folder, const char *path)
{
	struct sopi_folder *at = folder_at(box, folder);
	struct sopi_entry entry;
	bool has;

	if (at == NULL)
		return false;
	has = path[0] == '\0' || sopi_folder_look(at, path, &entry, NULL) == SOP_OK;
	sopi_folder_close(at);
	return has;
}

static struct sopi_file *file_at(struct database_box *box, const char *path, unsigned flags)
{
	struct sopi_folder *folder = folder_at(box, "/db");
	sop_error err = SOP_ERROR_INIT;
	struct sopi_file *file = NULL;

	assert_non_null(folder);
	TEST_OK(sopi_folder_open_file(folder, path, SOPI_FILE_READ | SOPI_FILE_WRITE | flags, &file, &err),
		err);
	sopi_folder_close(folder);
	return file;
}

void database_box_flip(struct database_box *box, const char *path, int64_t offset)
{
	struct sopi_file *file = file_at(box, path, 0);
	sop_error err = SOP_ERROR_INIT;
	uint64_t size = 0;
	size_t got = 0;
	uint8_t byte;

	TEST_OK(sopi_file_size(file, &size, &err), err);
	offset = offset < 0 ? (int64_t)size + offset : offset;
	TEST_OK(sopi_file_read(file, (uint64_t)offset, &byte, 1, &got, &err), err);
	assert_int_equal(got, 1);
	byte ^= 0x10;
	TEST_OK(sopi_file_write(file, (uint64_t)offset, &byte, 1, &err), err);
	sopi_file_close(file);
}

void database_box_write(struct database_box *box, const char *path, const char *text)
{
	struct sopi_file *file = file_at(box, path, SOPI_FILE_CREATE);
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_file_write(file, 0, text, strlen(text), &err), err);
	sopi_file_close(file);
}

void database_box_remove(struct database_box *box, const char *path)
{
	struct sopi_folder *folder = folder_at(box, "/db");
	sop_error err = SOP_ERROR_INIT;

	assert_non_null(folder);
	TEST_OK(sopi_folder_remove(folder, path, &err), err);
	sopi_folder_close(folder);
}

/* ---- dying ---------------------------------------------------------------------------------------- */

void database_box_die(struct database_box *box, sop_buf *before)
{
	database_dump(box->db, before);
	database_box_kill(box);
}

void database_box_kill(struct database_box *box)
{
	sopi_sim_kill(box->process);
	(void)sop_close(box->db, NULL);
	sop_db_free(box->db);
	box->db = NULL;
}

void database_box_check(struct database_box *box, const sop_buf *before)
{
	sop_buf after = SOP_BUF_INIT;

	database_dump(box->db, &after);
	assert_int_equal(after.size, before->size);
	assert_memory_equal(after.data, before->data, before->size);
	assert_int_equal(database_verify(box->db, "after replay"), 0);
	sop_buf_free(&after);
}
