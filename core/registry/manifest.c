/* The manifest's bytes, and its file. */
#include "registry/manifest.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/plant.h"
#include "btree/tree.h"

#include <string.h>

#define MAGIC "SOPm"
#define PATH "MANIFEST"
#define TEMPORARY "tmp/MANIFEST"

/* Where the fields of the head are. All versions of the format have these there. */
enum {
	AT_MAGIC = 0, /* 4 */
	AT_FORMAT = 4, /* 4 */
	AT_LENGTH = 8, /* 8 */
	AT_CRC = 16, /* 4 */
	AT_ZERO = 20, /* 4 */
	HEAD_BYTES = 24,
};

/* Bytes of an element of the arrays. */
enum {
	RUN_BYTES = 16,
	PACK_BYTES = 25,
	OUTCOME_BYTES = 16,
	DEAD_VALUE_BYTES = 8,
	DROPPED_BYTES = 16,
};

void sopi_manifest_free(struct sopi_manifest *manifest)
{
	sopi_free(manifest->packs);
	sopi_free(manifest->outcomes);
	sopi_free(manifest->dead_values);
	sopi_free(manifest->dropped);
	manifest->packs = NULL;
	manifest->outcomes = NULL;
	manifest->dead_values = NULL;
	manifest->dropped = NULL;
	manifest->pack_count = manifest->outcome_count = 0;
	manifest->dead_value_count = manifest->dropped_count = 0;
}

/* ---- what a manifest may say */

static const char *registry_problem(const struct sopi_manifest *manifest)
{
	const struct sopi_registry_view *view = &manifest->registry;

	if (view->run_count > SOPI_RUNS_MAX)
		return "there are too many runs";
	if ((view->generation == 0) != (view->segment_count == 0) ||
	    (view->generation == 0) != (view->entry_count == 0))
		return "the registry's map has entries without segments, or segments without entries";
	if (view->generation > INT64_MAX || view->segment_count > UINT32_MAX)
		return "the registry's map is too large";
	for (size_t i = 0; i < view->run_count; i++) {
		if (view->run_entries[i] == 0)
			return "a run is empty";
		/* Several checkpoints at one position: their runs have numbers beyond it. */
		if (i > 0 && view->runs[i - 1] >= view->runs[i])
			return "the runs are out of order";
	}
	return NULL;
}

static const char *pack_problem(const struct sopi_manifest *manifest)
{
	for (size_t i = 0; i < manifest->pack_count; i++) {
		const struct sopi_pack_entry *pack = &manifest->packs[i];

		if (i > 0 && pack[-1].id >= pack->id)
			return "the packs are out of order";
		if (pack->id == 0 || pack->id >= manifest->next_pack)
			return "a pack has an id that was not given";
		if (pack->kind < SOPI_PACK_NODES || pack->kind > SOPI_PACK_VALUE)
			return "a pack is of no kind";
		if (pack->live_bytes > pack->total_bytes)
			return "a pack has more live bytes than bytes";
	}
	return NULL;
}

/* Why no database has such a manifest, or NULL. */
static const char *manifest_problem(const struct sopi_manifest *manifest)
{
	const char *problem = registry_problem(manifest);

	if (problem == NULL)
		problem = pack_problem(manifest);
	if (problem != NULL)
		return problem;
	if (manifest->log_slot >> 48 != 0)
		return "the log has no such slot";
	if (manifest->buckets < SOPI_BUCKETS_ACCEPTED_MIN || manifest->buckets > SOPI_BUCKETS_MAX)
		return "the number of buckets is beyond its limits";
	if (manifest->node_bytes < SOPI_NODE_BYTES_MIN || manifest->node_bytes > SOPI_NODE_BYTES_MAX)
		return "the size of nodes is beyond its limits";
	for (size_t i = 1; i < manifest->outcome_count; i++) {
		if (manifest->outcomes[i - 1].number >= manifest->outcomes[i].number)
			return "the outcome files are out of order";
	}
	for (size_t i = 0; i < manifest->dead_value_count; i++) {
		if (manifest->dead_values[i] >= manifest->next_value)
			return "a dead value has an id that was not given";
	}
	for (size_t i = 0; i < manifest->dropped_count; i++) {
		if (manifest->dropped[i].store >= manifest->next_store ||
		    manifest->dropped[i].root >= manifest->next_vid)
			return "a dropped store has an id that was not given";
	}
	return NULL;
}

/* ---- encoding */

/* Where the next byte goes. Room was made for all of them. */
struct pen {
	uint8_t *at;
};

static void put_bytes(struct pen *pen, const void *from, size_t size)
{
	memcpy(pen->at, from, size);
	pen->at += size;
}

static void put_u32(struct pen *pen, uint32_t value)
{
	sopi_store_u32le(pen->at, value);
	pen->at += 4;
}

static void put_u64(struct pen *pen, uint64_t value)
{
	sopi_store_u64le(pen->at, value);
	pen->at += 8;
}

/* The same fields in the same order as take_fields. */
static void put_fields(struct pen *pen, const struct sopi_manifest *manifest)
{
	const struct sopi_registry_view *view = &manifest->registry;

	put_bytes(pen, manifest->database, sizeof manifest->database);
	put_u64(pen, manifest->epoch);
	put_u64(pen, manifest->checkpoint);
	put_u64(pen, manifest->first_segment);
	put_u64(pen, manifest->log_slot);
	put_u64(pen, manifest->next_vid);
	put_u64(pen, manifest->next_value);
	put_u64(pen, manifest->next_store);
	put_u64(pen, manifest->next_pack);
	put_u32(pen, manifest->buckets);
	put_u32(pen, manifest->node_bytes);
	put_u32(pen, manifest->log_crc);
	put_u64(pen, view->generation);
	put_u64(pen, view->segment_count);
	put_u64(pen, view->entry_count);
	put_u64(pen, view->run_count);
	for (size_t i = 0; i < view->run_count; i++) {
		put_u64(pen, view->runs[i]);
		put_u64(pen, view->run_entries[i]);
	}
}

static void put_arrays(struct pen *pen, const struct sopi_manifest *manifest)
{
	put_u64(pen, manifest->pack_count);
	for (size_t i = 0; i < manifest->pack_count; i++) {
		put_u64(pen, manifest->packs[i].id);
		put_bytes(pen, &manifest->packs[i].kind, 1);
		put_u64(pen, manifest->packs[i].total_bytes);
		put_u64(pen, manifest->packs[i].live_bytes);
	}
	put_u64(pen, manifest->outcome_count);
	for (size_t i = 0; i < manifest->outcome_count; i++) {
		put_u64(pen, manifest->outcomes[i].number);
		put_u64(pen, manifest->outcomes[i].entries);
	}
	put_u64(pen, manifest->dead_value_count);
	for (size_t i = 0; i < manifest->dead_value_count; i++)
		put_u64(pen, manifest->dead_values[i]);
	put_u64(pen, manifest->dropped_count);
	for (size_t i = 0; i < manifest->dropped_count; i++) {
		put_u64(pen, manifest->dropped[i].store);
		put_u64(pen, manifest->dropped[i].root);
	}
}

static uint32_t crc_of(const uint8_t *bytes, size_t size)
{
	return sopi_crc32c(sopi_crc32c(0, bytes, AT_CRC), bytes + AT_CRC + 4, size - AT_CRC - 4);
}

enum { FIELD_BYTES = 16 + 8 * 8 + 3 * 4 + 4 * 8, COUNT_BYTES = 4 * 8 };

/* Bytes of the manifest; no count may be so large that they do not fit: LIMIT. */
static sop_status size_of(const struct sopi_manifest *manifest, size_t *size, sop_error *err)
{
	const size_t count_max = SOPI_MANIFEST_BYTES_MAX / DEAD_VALUE_BYTES; /* so that nothing overflows */
	uint64_t total = HEAD_BYTES + FIELD_BYTES + COUNT_BYTES;

	if (manifest->pack_count > count_max || manifest->outcome_count > count_max ||
	    manifest->dead_value_count > count_max || manifest->dropped_count > count_max)
		return sopi_fail(err, SOP_LIMIT, "the manifest has too many entries");
	total += manifest->registry.run_count * RUN_BYTES;
	total += (uint64_t)manifest->pack_count * PACK_BYTES;
	total += (uint64_t)manifest->outcome_count * OUTCOME_BYTES;
	total += (uint64_t)manifest->dead_value_count * DEAD_VALUE_BYTES;
	total += (uint64_t)manifest->dropped_count * DROPPED_BYTES;
	if (total > SOPI_MANIFEST_BYTES_MAX)
		return sopi_fail(err, SOP_LIMIT, "the manifest would be larger than %d bytes",
				 SOPI_MANIFEST_BYTES_MAX);
	*size = (size_t)total;
	return SOP_OK;
}

sop_status sopi_manifest_encode(const struct sopi_manifest *manifest, sop_buf *out, sop_error *err)
{
	const char *problem = manifest_problem(manifest);
	uint8_t *head = NULL;
	struct pen pen;
	size_t size = 0;

	if (problem != NULL)
		return sopi_fail(err, SOP_MISUSE, "this is no manifest: %s", problem);
	SOP_TRY(size_of(manifest, &size, err));
	SOP_TRY(sopi_buf_room(out, size, err));
	head = (uint8_t *)out->data + out->size;
	pen.at = head + HEAD_BYTES;
	put_fields(&pen, manifest);
	put_arrays(&pen, manifest);
	SOPI_CHECK(pen.at == head + size);
	memcpy(head + AT_MAGIC, MAGIC, 4);
	sopi_store_u32le(head + AT_FORMAT, SOPI_MANIFEST_FORMAT);
	sopi_store_u64le(head + AT_LENGTH, size);
	sopi_store_u32le(head + AT_ZERO, 0);
	sopi_store_u32le(head + AT_CRC, crc_of(head, size));
	out->size += size;
	return SOP_OK;
}

/* ---- decoding */

/* Bytes that are being read. */
struct source {
	const uint8_t *begin;
	const uint8_t *at;
	const uint8_t *end;
	const char *file;
};

static sop_status corrupt(const struct source *source, const uint8_t *at, const char *what, sop_error *err)
{
	return sopi_fail_file(err, SOP_CORRUPT, source->file, at - source->begin, 0,
			      "%s at %zu: %s; restore it from a backup", source->file,
			      (size_t)(at - source->begin), what);
}

static sop_status take(struct source *source, size_t size, const uint8_t **bytes, sop_error *err)
{
	if (size > (size_t)(source->end - source->at))
		return corrupt(source, source->at, "the manifest ends too early", err);
	*bytes = source->at;
	source->at += size;
	return SOP_OK;
}

static sop_status take_u64(struct source *source, uint64_t *value, sop_error *err)
{
	const uint8_t *bytes = NULL;

	SOP_TRY(take(source, 8, &bytes, err));
	*value = sopi_load_u64le(bytes);
	return SOP_OK;
}

static sop_status take_u32(struct source *source, uint32_t *value, sop_error *err)
{
	const uint8_t *bytes = NULL;

	SOP_TRY(take(source, 4, &bytes, err));
	*value = sopi_load_u32le(bytes);
	return SOP_OK;
}

static sop_status take_view(struct source *source, struct sopi_registry_view *view, sop_error *err)
{
	SOP_TRY(take_u64(source, &view->generation, err));
	SOP_TRY(take_u64(source, &view->segment_count, err));
	SOP_TRY(take_u64(source, &view->entry_count, err));
	SOP_TRY(take_u64(source, &view->run_count, err));
	if (view->run_count > SOPI_RUNS_MAX)
		return corrupt(source, source->at - 8, "there are too many runs", err);
	for (size_t i = 0; i < view->run_count; i++) {
		SOP_TRY(take_u64(source, &view->runs[i], err));
		SOP_TRY(take_u64(source, &view->run_entries[i], err));
	}
	return SOP_OK;
}

static sop_status take_fields(struct source *source, struct sopi_manifest *manifest, sop_error *err)
{
	const uint8_t *database = NULL;

	SOP_TRY(take(source, sizeof manifest->database, &database, err));
	memcpy(manifest->database, database, sizeof manifest->database);
	SOP_TRY(take_u64(source, &manifest->epoch, err));
	SOP_TRY(take_u64(source, &manifest->checkpoint, err));
	SOP_TRY(take_u64(source, &manifest->first_segment, err));
	SOP_TRY(take_u64(source, &manifest->log_slot, err));
	SOP_TRY(take_u64(source, &manifest->next_vid, err));
	SOP_TRY(take_u64(source, &manifest->next_value, err));
	SOP_TRY(take_u64(source, &manifest->next_store, err));
	SOP_TRY(take_u64(source, &manifest->next_pack, err));
	SOP_TRY(take_u32(source, &manifest->buckets, err));
	SOP_TRY(take_u32(source, &manifest->node_bytes, err));
	SOP_TRY(take_u32(source, &manifest->log_crc, err));
	return take_view(source, &manifest->registry, err);
}

/* A count, and the bytes of so many elements of `each` bytes, which are there: memory is asked for only then. `room`
 * receives memory for elements of `size` bytes, or NULL for none. */
static sop_status take_array(struct source *source, size_t each, size_t size, size_t *count,
			     const uint8_t **bytes, void **room, sop_error *err)
{
	const uint8_t *start = source->at;
	uint64_t told = 0;

	SOP_TRY(take_u64(source, &told, err));
	if (told > (size_t)(source->end - source->at) / each)
		return corrupt(source, start, "more entries are counted than there are", err);
	SOP_TRY(take(source, (size_t)told * each, bytes, err));
	if (told > 0)
		SOP_TRY(sopi_alloc_zeroed((size_t)told * size, room, err));
	*count = (size_t)told;
	return SOP_OK;
}

static sop_status take_packs(struct source *source, struct sopi_manifest *manifest, sop_error *err)
{
	const uint8_t *at = NULL;

	SOP_TRY(take_array(source, PACK_BYTES, sizeof *manifest->packs, &manifest->pack_count, &at,
			   (void **)&manifest->packs, err));
	for (size_t i = 0; i < manifest->pack_count; i++, at += PACK_BYTES) {
		struct sopi_pack_entry *pack = &manifest->packs[i];

		pack->id = sopi_load_u64le(at);
		pack->kind = at[8];
		pack->total_bytes = sopi_load_u64le(at + 9);
		pack->live_bytes = sopi_load_u64le(at + 17);
	}
	return SOP_OK;
}

static sop_status take_outcomes(struct source *source, struct sopi_manifest *manifest, sop_error *err)
{
	const uint8_t *at = NULL;

	SOP_TRY(take_array(source, OUTCOME_BYTES, sizeof *manifest->outcomes,
			   &manifest->outcome_count, &at, (void **)&manifest->outcomes, err));
	for (size_t i = 0; i < manifest->outcome_count; i++, at += OUTCOME_BYTES) {
		manifest->outcomes[i].number = sopi_load_u64le(at);
		manifest->outcomes[i].entries = sopi_load_u64le(at + 8);
	}
	return SOP_OK;
}

static sop_status take_values_and_stores(struct source *source, struct sopi_manifest *manifest,
					 sop_error *err)
{
	const uint8_t *at = NULL;

	SOP_TRY(take_array(source, DEAD_VALUE_BYTES, sizeof *manifest->dead_values,
			   &manifest->dead_value_count, &at, (void **)&manifest->dead_values, err));
	for (size_t i = 0; i < manifest->dead_value_count; i++)
		manifest->dead_values[i] = sopi_load_u64le(at + i * DEAD_VALUE_BYTES);
	SOP_TRY(take_array(source, DROPPED_BYTES, sizeof *manifest->dropped,
			   &manifest->dropped_count, &at, (void **)&manifest->dropped, err));
	for (size_t i = 0; i < manifest->dropped_count; i++, at += DROPPED_BYTES) {
		manifest->dropped[i].store = sopi_load_u64le(at);
		manifest->dropped[i].root = sopi_load_u64le(at + 8);
	}
	return SOP_OK;
}

/* Magic, length, checksum and format, in this order: damage is not taken for another format. */
static sop_status take_head(struct source *source, sop_error *err)
{
	const size_t size = (size_t)(source->end - source->begin);
	const uint8_t *head = NULL;

	SOP_TRY(take(source, HEAD_BYTES, &head, err));
	if (memcmp(head + AT_MAGIC, MAGIC, 4) != 0)
		return corrupt(source, head, "this is no manifest", err);
	if (sopi_load_u64le(head + AT_LENGTH) != size)
		return corrupt(source, head + AT_LENGTH, "the file has not the length that it says", err);
	if (sopi_load_u32le(head + AT_CRC) != crc_of(head, size))
		return corrupt(source, head + AT_CRC, "the checksum is wrong", err);
	if (sopi_load_u32le(head + AT_FORMAT) != SOPI_MANIFEST_FORMAT)
		return sopi_fail_file(err, SOP_UNSUPPORTED, source->file, AT_FORMAT, 0,
				      "%s has format %u; this version of SOP knows format %d",
				      source->file, (unsigned)sopi_load_u32le(head + AT_FORMAT),
				      SOPI_MANIFEST_FORMAT);
	if (sopi_load_u32le(head + AT_ZERO) != 0)
		return corrupt(source, head + AT_ZERO, "a byte that must be 0 is not", err);
	return SOP_OK;
}

sop_status sopi_manifest_decode(sop_bytes bytes, const char *file, struct sopi_manifest *out,
				sop_error *err)
{
	const uint8_t *begin = bytes.size != 0 ? bytes.data : (const uint8_t *)"";
	struct source source = { begin, begin, begin + bytes.size, file };
	const char *problem = NULL;
	sop_status status = SOP_OK;

	memset(out, 0, sizeof *out);
	SOP_TRY_OUT(take_head(&source, err));
	SOP_TRY_OUT(take_fields(&source, out, err));
	SOP_TRY_OUT(take_packs(&source, out, err));
	SOP_TRY_OUT(take_outcomes(&source, out, err));
	SOP_TRY_OUT(take_values_and_stores(&source, out, err));
	problem = source.at != source.end ? "something follows the end" : manifest_problem(out);
	if (problem != NULL)
		status = corrupt(&source, source.at, problem, err);
out:
	if (status != SOP_OK)
		sopi_manifest_free(out);
	return status;
}

/* ---- the file */

static sop_status read_all(struct sopi_file *file, const char *path, sop_buf *bytes, sop_error *err)
{
	uint64_t size = 0;
	size_t got = 0;

	SOP_TRY(sopi_file_size(file, &size, err));
	if (size > SOPI_MANIFEST_BYTES_MAX)
		return sopi_fail_file(err, SOP_CORRUPT, path, -1, 0, "%s is too large", path);
	SOP_TRY(sopi_buf_room(bytes, (size_t)size + 1, err));
	SOP_TRY(sopi_file_read(file, 0, bytes->data, (size_t)size, &got, err));
	bytes->size = got; /* shorter meanwhile: its own length will tell */
	return SOP_OK;
}

sop_status sopi_manifest_read(struct sopi_folder *folder, const char *path,
			      struct sopi_manifest *out, sop_error *err)
{
	struct sopi_file *file = NULL;
	sop_buf buf = SOP_BUF_INIT;
	sop_bytes bytes = { NULL, 0 };
	sop_status status = SOP_OK;

	SOP_TRY(sopi_folder_open_file(folder, path, SOPI_FILE_READ, &file, err));
	SOP_TRY_OUT(read_all(file, path, &buf, err));
	bytes.data = buf.data;
	bytes.size = buf.size;
	SOP_TRY_OUT(sopi_manifest_decode(bytes, path, out, err));
out:
	sop_buf_free(&buf);
	sopi_file_close(file);
	return status;
}

/* Undoable: nobody looks at the temporary file. */
static sop_status write_temporary(struct sopi_folder *folder, const sop_buf *bytes, sop_error *err)
{
	struct sopi_file *file = NULL;
	sop_status status = sopi_folder_remove(folder, TEMPORARY, NULL); /* of a crash */

	if (status != SOP_OK && status != SOP_NOT_FOUND)
		return sopi_fail_file(err, status, TEMPORARY, -1, 0,
				      "cannot remove %s, which a crash left behind", TEMPORARY);
	SOP_TRY(sopi_folder_open_file(folder, TEMPORARY,
				      SOPI_FILE_WRITE | SOPI_FILE_CREATE | SOPI_FILE_EXCLUSIVE,
				      &file, err));
	SOP_TRY_OUT(sopi_file_write(file, 0, bytes->data, bytes->size, err));
	if (!SOPI_PLANTED(SOPI_PLANT_NO_F4_FILE_SYNC))
		SOP_TRY_OUT(sopi_file_sync(file, err));
out:
	sopi_file_close(file);
	if (status != SOP_OK)
		(void)sopi_folder_remove(folder, TEMPORARY, NULL);
	return status;
}

/* From here on the next open may find the new manifest. A name that a crash brings back to tmp/ harms nobody, since whoever
 * writes there removes it first, so that this folder owes no flush. */
static sop_status sync_names(struct sopi_folder *folder, sop_error *err)
{
	if (SOPI_PLANTED(SOPI_PLANT_NO_F4_FOLDER_SYNC))
		return SOP_OK;
	return sopi_folder_sync(folder, "", err);
}

/* Its bytes are durable before its name is. */
static sop_status put_in_place(struct sopi_folder *folder, const struct sopi_manifest *manifest,
			       bool *indefinite, sop_error *err)
{
	sop_buf bytes = SOP_BUF_INIT;
	sop_status status = SOP_OK;

	*indefinite = false;
	SOP_TRY_OUT(sopi_manifest_encode(manifest, &bytes, err));
	SOP_TRY_OUT(write_temporary(folder, &bytes, err));
	status = sopi_folder_rename(folder, TEMPORARY, PATH, err);
	if (status == SOP_IO)
		*indefinite = true; /* whether it happened before the device failed nobody can tell */
	else if (status != SOP_OK)
		(void)sopi_folder_remove(folder, TEMPORARY, NULL);
out:
	sop_buf_free(&bytes);
	return status;
}

sop_status sopi_manifest_write(struct sopi_folder *folder, const struct sopi_manifest *manifest,
			       bool *indefinite, sop_error *err)
{
	sop_status status;

	SOP_TRY(put_in_place(folder, manifest, indefinite, err));
	status = sync_names(folder, err);
	*indefinite = status != SOP_OK;
	return status;
}

sop_status sopi_manifest_renew(struct sopi_folder *folder, const struct sopi_manifest *manifest,
			       sop_error *err)
{
	bool indefinite;

	return put_in_place(folder, manifest, &indefinite, err);
}
