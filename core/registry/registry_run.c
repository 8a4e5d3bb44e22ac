/* Runs: sorted arrays in memory, each with its file. */
#include "registry/registry_run.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc32c.h"

#include <string.h>

enum {
	HEAD_AT_POSITION = 16,
	HEAD_AT_COUNT = 24,
	HEAD_AT_TOTAL_CRC = 32, /* of all that follows the head */
	HEAD_BYTES = 36,
	BLOCK_AT_REMOVED = 26, /* a bit for each entry */
	REMOVED_BYTES = 13,
};

static uint64_t blocks_of(uint64_t count)
{
	return count / SOPI_REGBLOCK_ENTRIES_MAX + (count % SOPI_REGBLOCK_ENTRIES_MAX != 0);
}

uint64_t sopi_run_file_bytes(uint64_t count)
{
	return (1 + blocks_of(count)) * SOPI_BUCKET_BYTES;
}

sop_status sopi_run_new(uint64_t position, size_t capacity, struct sopi_run **out, sop_error *err)
{
	struct sopi_run *run = NULL;
	sop_status status = SOP_OK;

	if (capacity > SIZE_MAX / sizeof *run->entries)
		return sopi_fail(err, SOP_NO_MEMORY,
				 "a run of %zu entries does not fit into memory", capacity);
	SOP_TRY(sopi_alloc_zeroed(sizeof *run, (void **)&run, err));
	status = sopi_alloc(capacity * sizeof *run->entries, (void **)&run->entries, err);
	if (status != SOP_OK) {
		sopi_free(run);
		return status;
	}
	run->refs = 1;
	run->position = position;
	*out = run;
	return SOP_OK;
}

void sopi_run_release(struct sopi_run *run)
{
	if (run == NULL || atomic_fetch_sub(&run->refs, 1) != 1)
		return;
	sopi_free(run->entries);
	sopi_free(run);
}

void sopi_run_remove_file(const struct sopi_run *run, struct sopi_folder *folder)
{
	char path[SOPI_REGNAME_BYTES];

	sopi_run_path(run->position, path);
	(void)sopi_folder_remove(folder, path, NULL);
}

const struct sopi_registry_entry *sopi_run_find(const struct sopi_run *run, uint64_t key)
{
	size_t low = 0;
	size_t high = run->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (run->entries[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < run->count && run->entries[low].key == key ? &run->entries[low] : NULL;
}

size_t sopi_run_merge(const struct sopi_run_source *sources, size_t source_count,
		      struct sopi_registry_entry *out)
{
	size_t at[SOPI_RUNS_MAX + 1] = { 0 };
	size_t count = 0;

	SOPI_CHECK(source_count <= SOPI_RUNS_MAX + 1);
	for (;;) {
		const struct sopi_registry_entry *first = NULL;

		for (size_t i = source_count; i-- > 0;) { /* newest first, which wins where keys are equal */
			const struct sopi_registry_entry *entry = &sources[i].entries[at[i]];

			if (at[i] < sources[i].count && (first == NULL || entry->key < first->key))
				first = entry;
		}
		if (first == NULL)
			return count;
		for (size_t i = 0; i < source_count; i++) {
			if (at[i] < sources[i].count && sources[i].entries[at[i]].key == first->key)
				at[i]++;
		}
		out[count++] = *first;
	}
}

/* ---- the file */

static void fill_block(const struct sopi_run *run, uint64_t number, uint8_t *block)
{
	const struct sopi_regblock_id id = { SOPI_MAGIC_RUN_BLOCK, run->position, number };
	const size_t first = (size_t)number * SOPI_REGBLOCK_ENTRIES_MAX;
	const size_t left = run->count - first;
	const size_t count = left < SOPI_REGBLOCK_ENTRIES_MAX ? left : SOPI_REGBLOCK_ENTRIES_MAX;

	sopi_regblock_begin(block, &id);
	sopi_store_u16le(block + REGBLOCK_AT_COUNT, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		const struct sopi_registry_entry *entry = &run->entries[first + i];

		sopi_entry_store(block, i, entry);
		if (entry->removed)
			block[BLOCK_AT_REMOVED + i / 8] |= (uint8_t)(1u << i % 8);
	}
	sopi_regblock_seal(block, SOPI_MAGIC_RUN_BLOCK);
}

static void fill_head(const struct sopi_run *run, uint32_t total_crc, uint8_t *head)
{
	memset(head, 0, SOPI_BUCKET_BYTES);
	sopi_store_u32le(head + REGHEAD_AT_FORMAT, SOPI_REGISTRY_FORMAT);
	sopi_store_u64le(head + HEAD_AT_POSITION, run->position);
	sopi_store_u64le(head + HEAD_AT_COUNT, run->count);
	sopi_store_u32le(head + HEAD_AT_TOTAL_CRC, total_crc);
	sopi_regblock_seal(head, SOPI_MAGIC_RUN);
}

sop_status sopi_run_save(const struct sopi_run *run, struct sopi_reghome *home, sop_error *err)
{
	const uint64_t blocks = blocks_of(run->count);
	uint8_t head[SOPI_BUCKET_BYTES];
	struct sopi_regwriter writer;
	uint32_t total_crc = 0;
	char path[SOPI_REGNAME_BYTES];
	sop_status status = SOP_OK;

	sopi_run_path(run->position, path);
	SOP_TRY(sopi_regwriter_open(&writer, home, path, err));
	for (uint64_t number = 0; number < blocks; number++) {
		uint8_t *block = NULL;

		SOP_TRY_OUT(sopi_regwriter_next(&writer, &block, err));
		fill_block(run, number, block);
		total_crc = sopi_crc32c(total_crc, block, SOPI_BUCKET_BYTES);
	}
	fill_head(run, total_crc, head);
	SOP_TRY_OUT(sopi_regwriter_finish(&writer, head, err));
out:
	if (status != SOP_OK)
		sopi_regwriter_abandon(&writer);
	return status;
}

static bool is_removed(const uint8_t *block, size_t index)
{
	return (block[BLOCK_AT_REMOVED + index / 8] >> index % 8 & 1) != 0;
}

/* Adds the entries of a block that is whole. */
static sop_status take_entries(struct sopi_run *run, const uint8_t *block, size_t count,
			       const struct sopi_regplace *place, sop_error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct sopi_registry_entry *entry = &run->entries[run->count];

		if (!sopi_entry_load(block, i, entry))
			return sopi_regplace_corrupt(place, "an entry is not well-formed", err);
		entry->removed = is_removed(block, i);
		if (entry->removed &&
		    (entry->words[0] | entry->words[1] | entry->words[2] | entry->words[3]) != 0)
			return sopi_regplace_corrupt(place, "a removed entry has a content", err);
		if (run->count > 0 && entry[-1].key >= entry->key)
			return sopi_regplace_corrupt(place, "the entries are out of order", err);
		run->count++;
	}
	return SOP_OK;
}

static sop_status take_block(struct sopi_run *run, size_t count, uint64_t number,
			     const uint8_t *block, const struct sopi_regplace *place, sop_error *err)
{
	const struct sopi_regblock_id id = { SOPI_MAGIC_RUN_BLOCK, run->position, number };

	SOP_TRY(sopi_regblock_check(block, &id, place, err));
	if (sopi_load_u16le(block + REGBLOCK_AT_COUNT) != count)
		return sopi_regplace_corrupt(place, "the block has the wrong number of entries", err);
	for (size_t i = count; i < (size_t)REMOVED_BYTES * 8; i++) {
		if (is_removed(block, i))
			return sopi_regplace_corrupt(place, "an entry is removed that is not there", err);
	}
	if (block[BLOCK_AT_REMOVED + REMOVED_BYTES] != 0)
		return sopi_regplace_corrupt(place, "a byte that must be 0 is not", err);
	return take_entries(run, block, count, place, err);
}

static sop_status check_head(const uint8_t *head, uint64_t position, uint64_t count,
			     const struct sopi_regplace *place, uint32_t *total_crc, sop_error *err)
{
	SOP_TRY(sopi_reghead_check(head, SOPI_MAGIC_RUN, place, err));
	if (sopi_load_u32le(head + REGHEAD_AT_FORMAT + 4) != 0)
		return sopi_regplace_corrupt(place, "a byte that must be 0 is not", err);
	if (sopi_load_u64le(head + HEAD_AT_POSITION) != position ||
	    sopi_load_u64le(head + HEAD_AT_COUNT) != count)
		return sopi_regplace_corrupt(place, "this is another run than the manifest names", err);
	if (!sopi_is_zero(head + HEAD_BYTES, SOPI_BUCKET_BYTES - HEAD_BYTES))
		return sopi_regplace_corrupt(place, "a byte that must be 0 is not", err);
	*total_crc = sopi_load_u32le(head + HEAD_AT_TOTAL_CRC);
	return SOP_OK;
}

static sop_status load_blocks(struct sopi_regreader *reader, uint32_t expected_crc, size_t count,
			      struct sopi_run *run, sop_error *err)
{
	struct sopi_regplace place;
	const uint8_t *block = NULL;
	uint32_t total_crc = 0;

	for (uint64_t number = 0; run->count < count; number++) {
		const size_t left = count - run->count;

		SOP_TRY(sopi_regreader_next(reader, &block, &place, err));
		total_crc = sopi_crc32c(total_crc, block, SOPI_BUCKET_BYTES);
		SOP_TRY(take_block(run, left < SOPI_REGBLOCK_ENTRIES_MAX ? left : SOPI_REGBLOCK_ENTRIES_MAX,
				   number, block, &place, err));
	}
	place.path = reader->path;
	place.offset = HEAD_AT_TOTAL_CRC;
	if (total_crc != expected_crc)
		return sopi_regplace_corrupt(&place, "the checksum of the whole run is wrong", err);
	return SOP_OK;
}

sop_status sopi_run_load(struct sopi_folder *folder, uint64_t position, uint64_t count,
			 struct sopi_run **out, sop_error *err)
{
	struct sopi_run *run = NULL;
	struct sopi_regreader reader;
	struct sopi_regplace place;
	const uint8_t *head = NULL;
	char path[SOPI_REGNAME_BYTES];
	uint32_t expected_crc = 0;
	sop_status status = SOP_OK;

	sopi_run_path(position, path);
	SOP_TRY(sopi_regreader_open(&reader, folder, path, err));
	SOP_TRY_OUT(sopi_regreader_next(&reader, &head, &place, err));
	SOP_TRY_OUT(check_head(head, position, count, &place, &expected_crc, err));
	SOP_TRY_OUT(sopi_regreader_expect(&reader, 1 + blocks_of(count), err));
	SOP_TRY_OUT(sopi_run_new(position, (size_t)count, &run, err)); /* no more than the file has */
	SOP_TRY_OUT(load_blocks(&reader, expected_crc, (size_t)count, run, err));
	*out = run;
out:
	if (status != SOP_OK)
		sopi_run_release(run);
	sopi_regreader_close(&reader);
	return status;
}
