/* The ids of the last million transactions on disk: small files outcome/<number>, which checkpoints extend. The manifest
 * says how many entries of each count, so that what a crash left behind is written over. */
#include "backend/inredfs.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/plant.h"

#include <stdio.h>
#include <string.h>

enum {
	FORMAT = 1,
	HEAD_BYTES = SOPI_OUTCOME_HEAD_BYTES,
	ENTRY_BYTES = SOPI_OUTCOME_ENTRY_BYTES, /* id, position, checksum, 0 */
	FILE_ENTRIES_MAX = 1 << 16,
	FILES_MAX = SOPI_OUTCOMES_MAX / FILE_ENTRIES_MAX + 1,
	ENTRIES_AT_ONCE = 2048,
};

#define MAGIC "SOPo"

void sopi_outcome_path(uint64_t number, char path[SOPI_OUTCOME_PATH_BYTES])
{
	snprintf(path, SOPI_OUTCOME_PATH_BYTES, "outcome/%016llx", (unsigned long long)number);
}

/* ---- records ------------------------------------------------------------------------------------ */

static void encode_head(uint8_t head[HEAD_BYTES], uint64_t number)
{
	memset(head, 0, HEAD_BYTES);
	memcpy(head, MAGIC, 4);
	head[4] = FORMAT;
	sopi_store_u64le(head + 8, number);
	sopi_store_u32le(head + HEAD_BYTES - 4, sopi_crc32c(0, head, HEAD_BYTES - 4));
}

static sop_status check_head(const uint8_t head[HEAD_BYTES], uint64_t number, const char *path,
			     sop_error *err)
{
	uint8_t right[HEAD_BYTES];

	encode_head(right, number);
	if (memcmp(head, MAGIC, 4) == 0 && head[4] != FORMAT)
		return sopi_fail_file(err, SOP_UNSUPPORTED, path, 4, 0,
				      "a file of outcomes has format %u; this library reads format %d: use a newer one",
				      head[4], FORMAT);
	if (memcmp(head, right, HEAD_BYTES) != 0)
		return sopi_fail_file(err, SOP_CORRUPT, path, 0, 0,
				      "the head of a file of outcomes is damaged");
	return SOP_OK;
}

/* The checksum covers which entry of which file it is. */
static uint32_t entry_crc(uint64_t number, uint64_t index, const uint8_t *entry)
{
	uint8_t place[16];

	sopi_store_u64le(place, number);
	sopi_store_u64le(place + 8, index);
	return sopi_crc32c(sopi_crc32c(0, place, sizeof place), entry, SOPI_OUTCOME_BYTES);
}

static void encode_entry(uint8_t to[ENTRY_BYTES], uint64_t number, uint64_t index, const uint8_t *outcome)
{
	memcpy(to, outcome, SOPI_OUTCOME_BYTES);
	sopi_store_u32le(to + SOPI_OUTCOME_BYTES, entry_crc(number, index, outcome));
	sopi_store_u32le(to + SOPI_OUTCOME_BYTES + 4, 0);
}

static bool entry_is_whole(const uint8_t entry[ENTRY_BYTES], uint64_t number, uint64_t index)
{
	return sopi_load_u32le(entry + SOPI_OUTCOME_BYTES) == entry_crc(number, index, entry) &&
	       sopi_load_u32le(entry + SOPI_OUTCOME_BYTES + 4) == 0;
}

/* ---- writing ------------------------------------------------------------------------------------ */

/* What is to be written, a portion at a time. */
struct source {
	struct sopi_outcomes *outcomes;
	struct sopi_outcome_range range;
	size_t count; /* of the portion */
	uint8_t portion[ENTRIES_AT_ONCE * SOPI_OUTCOME_BYTES];
	uint8_t bytes[ENTRIES_AT_ONCE * ENTRY_BYTES]; /* the same as it is written */
};

/* Room in the newest file, or in the one that is to follow it. */
static uint64_t room_in(const struct sopi_outcome_file *files, size_t count)
{
	const uint64_t used = count > 0 ? files[count - 1].entries : FILE_ENTRIES_MAX;

	return used < FILE_ENTRIES_MAX ? FILE_ENTRIES_MAX - used : FILE_ENTRIES_MAX;
}

static bool next_portion(struct source *source, uint64_t room)
{
	const size_t most = room < ENTRIES_AT_ONCE ? (size_t)room : ENTRIES_AT_ONCE;

	source->count = sopi_outcomes_take(source->outcomes, &source->range, source->portion, most);
	return source->count != 0;
}

/* Writes the portion behind what the file has, and others as long as there are any and it has room. */
static sop_status write_entries(struct sopi_file *file, struct sopi_outcome_file *entry,
				struct source *source, sop_error *err)
{
	do {
		for (size_t i = 0; i < source->count; i++)
			encode_entry(source->bytes + i * ENTRY_BYTES, entry->number,
				     entry->entries + i, source->portion + i * SOPI_OUTCOME_BYTES);
		SOP_TRY(sopi_file_write(file, HEAD_BYTES + entry->entries * ENTRY_BYTES,
					source->bytes, source->count * ENTRY_BYTES, err));
		entry->entries += source->count;
	} while (entry->entries < FILE_ENTRIES_MAX &&
		 next_portion(source, FILE_ENTRIES_MAX - entry->entries));
	return SOP_OK;
}

/* Cuts off what a checkpoint that failed left behind the entries. Its sync has failed, and may have given up the new size
 * of the file for good: written over at the same size, the entries would be durable without it. */
static sop_status cut_leftovers(struct sopi_file *file, const struct sopi_outcome_file *entry,
				sop_error *err)
{
	const uint64_t known = entry->entries == 0 ? 0 : HEAD_BYTES + entry->entries * ENTRY_BYTES;
	uint64_t size = 0;

	SOP_TRY(sopi_file_size(file, &size, err));
	return size > known ? sopi_file_resize(file, known, err) : SOP_OK;
}

/* Adds entries to the file `entry`, which is made if it has none; durable, its name too. */
static sop_status extend_file(struct sopi_inredfs *fs, struct sopi_outcome_file *entry,
			      struct source *source, sop_error *err)
{
	const bool made = entry->entries == 0;
	struct sopi_file *file = NULL;
	uint8_t head[HEAD_BYTES];
	char path[SOPI_OUTCOME_PATH_BYTES];
	sop_status status;

	sopi_outcome_path(entry->number, path);
	SOP_TRY(sopi_folder_open_file(
		fs->folder, path, SOPI_FILE_READ | SOPI_FILE_WRITE | SOPI_FILE_CREATE, &file, err));
	SOP_TRY_OUT(cut_leftovers(file, entry, err));
	if (made) {
		encode_head(head, entry->number);
		SOP_TRY_OUT(sopi_file_write(file, 0, head, sizeof head, err));
	}
	SOP_TRY_OUT(write_entries(file, entry, source, err));
	if (!SOPI_PLANTED(SOPI_PLANT_OUTCOME_NO_SYNC))
		SOP_TRY_OUT(sopi_file_sync(file, err));
	if (made)
		SOP_TRY_OUT(sopi_folder_sync(fs->folder, "outcome", err));
out:
	sopi_file_close(file);
	return status;
}

static sop_status extend_list(struct sopi_inredfs *fs, struct sopi_outcome_file **files,
			      size_t *count, struct source *source, sop_error *err)
{
	while (next_portion(source, room_in(*files, *count))) {
		struct sopi_outcome_file *last = *count > 0 ? &(*files)[*count - 1] : NULL;

		if (last == NULL || last->entries >= FILE_ENTRIES_MAX) {
			const uint64_t number = last == NULL ? 1 : last->number + 1;
			void *grown = *files;

			SOP_TRY(sopi_realloc(&grown, (*count + 1) * sizeof **files, err));
			*files = grown;
			last = &(*files)[(*count)++];
			*last = (struct sopi_outcome_file){ number, 0 };
		}
		SOP_TRY(extend_file(fs, last, source, err));
	}
	return SOP_OK;
}

sop_status sopi_outcome_files_extend(struct sopi_inredfs *fs, uint64_t above, uint64_t upto,
				     struct sopi_outcome_file **files, size_t *count, sop_error *err)
{
	struct source *source;
	void *memory = NULL;
	sop_status status;

	SOP_TRY(sopi_alloc(sizeof *source, &memory, err));
	source = memory;
	source->outcomes = &fs->engine->outcomes;
	source->range = sopi_outcomes_between(source->outcomes, above, upto);
	status = extend_list(fs, files, count, source, err);
	sopi_free(source);
	if (status == SOP_OK && *count > FILES_MAX + 1) { /* the oldest are older than the last million */
		const size_t drop = *count - FILES_MAX - 1;

		*count -= drop;
		memmove(*files, *files + drop, *count * sizeof **files);
	}
	return status;
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* Told of each entry that is whole; returns OK to go on. */
typedef sop_status (*outcome_fn)(void *arg, const uint8_t *outcome, sop_error *err);

static sop_status read_entries(struct sopi_file *file, const struct sopi_outcome_file *entry,
			       const char *path, outcome_fn fn, void *arg, sop_error *err)
{
	uint8_t bytes[64 * ENTRY_BYTES];
	uint64_t index = 0;
	size_t got = 0;

	while (index < entry->entries) {
		size_t portion = sizeof bytes / ENTRY_BYTES;

		portion = entry->entries - index < portion ? (size_t)(entry->entries - index) : portion;
		SOP_TRY(sopi_file_read(file, HEAD_BYTES + index * ENTRY_BYTES, bytes,
				       portion * ENTRY_BYTES, &got, err));
		for (size_t i = 0; i < portion; i++, index++) {
			if ((i + 1) * ENTRY_BYTES > got ||
			    !entry_is_whole(bytes + i * ENTRY_BYTES, entry->number, index))
				return sopi_fail_file(err, SOP_CORRUPT, path,
						      (int64_t)(HEAD_BYTES + index * ENTRY_BYTES), 0,
						      "an outcome of a transaction is damaged or missing");
			SOP_TRY(fn(arg, bytes + i * ENTRY_BYTES, err));
		}
	}
	return SOP_OK;
}

static sop_status read_file(struct sopi_inredfs *fs, const struct sopi_outcome_file *entry,
			    outcome_fn fn, void *arg, sop_error *err)
{
	struct sopi_file *file = NULL;
	uint8_t head[HEAD_BYTES] = { 0 };
	size_t got = 0;
	char path[SOPI_OUTCOME_PATH_BYTES];
	sop_status status;

	sopi_outcome_path(entry->number, path);
	status = sopi_folder_open_file(fs->folder, path, SOPI_FILE_READ, &file, err);
	if (status == SOP_NOT_FOUND)
		return sopi_fail_file(err, SOP_CORRUPT, path, -1, 0, "a file of outcomes is missing");
	SOP_TRY(status);
	SOP_TRY_OUT(sopi_file_read(file, 0, head, sizeof head, &got, err));
	SOP_TRY_OUT(check_head(head, entry->number, path, err));
	SOP_TRY_OUT(read_entries(file, entry, path, fn, arg, err));
out:
	sopi_file_close(file);
	return status;
}

static sop_status load_entry(void *arg, const uint8_t *outcome, sop_error *err)
{
	struct sopi_outcomes *outcomes = arg;

	SOP_TRY(sopi_outcomes_reserve(outcomes, err));
	sopi_outcomes_add(outcomes, outcome, sopi_load_u64le(outcome + 16));
	return SOP_OK;
}

/* Removes what is not listed: a checkpoint that was given up made it, or it is older than the last million. */
static sop_status remove_unlisted(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	const struct sopi_inredfs *fs = arg;
	char path[SOPI_OUTCOME_PATH_BYTES] = "outcome/";
	char listed[SOPI_OUTCOME_PATH_BYTES];

	(void)err;
	if (kind != SOPI_ENTRY_FILE || strlen(name) != 16 || strspn(name, "0123456789abcdef") != 16)
		return SOP_OK;
	strcat(path, name);
	for (size_t i = 0; i < fs->manifest.outcome_count; i++) {
		sopi_outcome_path(fs->manifest.outcomes[i].number, listed);
		if (strcmp(path, listed) == 0)
			return SOP_OK;
	}
	(void)sopi_folder_remove(fs->folder, path, NULL);
	return SOP_OK;
}

sop_status sopi_outcome_files_load(struct sopi_inredfs *fs, sop_error *err)
{
	for (size_t i = 0; i < fs->manifest.outcome_count; i++)
		SOP_TRY(read_file(fs, &fs->manifest.outcomes[i], load_entry, &fs->engine->outcomes, err));
	if (fs->engine->options.read_only)
		return SOP_OK;
	return sopi_folder_list(fs->folder, "outcome", remove_unlisted, fs, err);
}

/* ---- checking ----------------------------------------------------------------------------------- */

static sop_status ignore_entry(void *arg, const uint8_t *outcome, sop_error *err)
{
	(void)arg;
	(void)outcome;
	(void)err;
	return SOP_OK;
}

sop_status sopi_outcome_files_verify(struct sopi_inredfs *fs, const struct sopi_manifest *manifest,
				     sopi_problem_fn found, void *arg, sop_error *err)
{
	static const sop_bytes no_store = { "", 0 };

	for (size_t i = 0; i < manifest->outcome_count; i++) {
		sop_error why = SOP_ERROR_INIT;
		const sop_status status =
			read_file(fs, &manifest->outcomes[i], ignore_entry, NULL, &why);

		if (status == SOP_OK)
			continue;
		if (status != SOP_CORRUPT && status != SOP_UNSUPPORTED)
			return sopi_fail_file(err, status, why.file, why.offset, why.os_errno, "%s",
					      why.message);
		if (!found(arg, why.file, why.offset, no_store, "outcome", why.message))
			return SOP_OK;
	}
	return SOP_OK;
}
