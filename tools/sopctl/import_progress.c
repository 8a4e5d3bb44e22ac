#include "import_progress.h"

#include "status.h"
#include "text.h"
#include "try.h"

#include <string.h>

/* Five numbers and the digest, little-endian, behind a version. */
#define RECORD_VERSION 1u
#define RECORD_BYTES (1 + 4 * 8 + SHA256_DIGEST_SIZE)

static void put_number(unsigned char *at, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		at[i] = (unsigned char)(number >> (8 * i));
}

static uint64_t number_at(const unsigned char *at)
{
	uint64_t number = 0;

	for (int i = 7; i >= 0; i--)
		number = number << 8 | at[i];
	return number;
}

static sop_status open_store(struct access *access, sop_store **store)
{
	return sop_store_open(access->db, bytes_of(IMPORT_PROGRESS), NULL, store, &access->err);
}

sop_status import_progress_read(struct access *access, const char *name, struct import_progress *progress)
{
	sop_buf value = SOP_BUF_INIT;
	sop_store *store = NULL;
	sop_status status;
	const unsigned char *at;

	TRY(open_store(access, &store));
	status = sop_get(access->txn, store, bytes_of(name), &value, &access->err);
	at = value.data;
	if (status == SOP_OK && (value.size != RECORD_BYTES || at[0] != RECORD_VERSION)) {
		status = error_set(&access->err, SOP_UNSUPPORTED,
				   "the record of an interrupted import into '%s' is of another version; --restart drops it",
				   name);
	} else if (status == SOP_OK) {
		progress->offset = number_at(at + 1);
		progress->next_line = number_at(at + 9);
		progress->items = number_at(at + 17);
		progress->bad = number_at(at + 25);
		memcpy(progress->digest, at + 33, SHA256_DIGEST_SIZE);
	}
	sop_buf_free(&value);
	sop_store_free(store);
	return status;
}

sop_status import_progress_write(struct access *access, const char *name,
				 const struct import_progress *progress)
{
	unsigned char record[RECORD_BYTES] = { RECORD_VERSION };
	sop_store *store = NULL;
	sop_status status;

	put_number(record + 1, progress->offset);
	put_number(record + 9, progress->next_line);
	put_number(record + 17, progress->items);
	put_number(record + 25, progress->bad);
	memcpy(record + 33, progress->digest, SHA256_DIGEST_SIZE);
	TRY(open_store(access, &store));
	status = sop_store_create(access->txn, store, &access->err);
	if (status == SOP_OK || status == SOP_EXISTS)
		status = sop_put(access->txn, store, bytes_of(name),
				 (sop_bytes){ record, sizeof record }, &access->err);
	sop_store_free(store);
	return status;
}

sop_status import_progress_remove(struct access *access, const char *name)
{
	sop_store *store = NULL;
	uint64_t left = 0;
	sop_status status;

	TRY(open_store(access, &store));
	status = sop_remove(access->txn, store, bytes_of(name), 0, &access->err);
	if (status == SOP_OK)
		status = sop_count(access->txn, store, NULL, &left, &access->err);
	if (status == SOP_OK && left == 0)
		status = sop_store_drop(access->txn, store, &access->err);
	sop_store_free(store);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}
