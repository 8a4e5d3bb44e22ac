/* Folding: the old map and the changes, both in the order of hashes, merged into a new map. Memory is needed for the
 * changes and some buckets, whatever the size of the map. */
#include "registry/registry_fold.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum {
	LOAD_PERCENT_MAX = 70, /* of the room of a new map */
	BUILDS_MAX = 4, /* each with twice the segments; the first one does for keys that SOP gave */
};

/* A map that is being written, bucket after bucket. */
struct builder {
	struct sopi_reghome *home;
	struct sopi_map_shape shape;
	struct sopi_regwriter writer; /* of the segment at hand, if any */
	uint64_t segment; /* the one at hand, or the next one */
	uint64_t bucket; /* the one at hand, or the next one; of all */
	uint8_t *block; /* the bucket at hand; NULL: none */
	size_t count; /* entries in it */
	uint64_t segment_entries; /* in the segment's buckets before it */
	uint64_t total_entries;
	bool crowded; /* the last bucket is full: the map is too small for such keys */
};

static sop_status begin_bucket(struct builder *builder, sop_error *err)
{
	const struct sopi_regblock_id id = { SOPI_MAGIC_BUCKET, builder->shape.generation,
					     builder->bucket };
	char path[SOPI_REGNAME_BYTES];

	if (builder->bucket % builder->shape.buckets == 0) {
		sopi_segment_path(builder->shape.generation, builder->segment, path);
		SOP_TRY(sopi_regwriter_open(&builder->writer, builder->home, path, err));
	}
	SOP_TRY(sopi_regwriter_next(&builder->writer, &builder->block, err));
	sopi_regblock_begin(builder->block, &id);
	sopi_store_u64le(builder->block + BUCKET_AT_TOTAL, sopi_shape_total(&builder->shape));
	builder->count = 0;
	return SOP_OK;
}

static sop_status end_segment(struct builder *builder, sop_error *err)
{
	uint8_t head[SOPI_BUCKET_BYTES];

	sopi_segment_head_fill(head, &builder->shape, builder->segment, builder->segment_entries);
	SOP_TRY(sopi_regwriter_finish(&builder->writer, head, err));
	builder->segment++;
	builder->segment_entries = 0;
	return SOP_OK;
}

/* Goes on to the next bucket. overflow: the next entry belongs here, or before. */
static sop_status end_bucket(struct builder *builder, bool overflow, sop_error *err)
{
	sopi_store_u16le(builder->block + REGBLOCK_AT_COUNT, (uint16_t)builder->count);
	sopi_store_u16le(builder->block + BUCKET_AT_FLAGS, overflow ? BUCKET_OVERFLOW : 0);
	sopi_regblock_seal(builder->block, SOPI_MAGIC_BUCKET);
	builder->segment_entries += builder->count;
	builder->total_entries += builder->count;
	builder->block = NULL;
	builder->bucket++;
	if (builder->bucket % builder->shape.buckets == 0)
		return end_segment(builder, err);
	return SOP_OK;
}

/* Ends the buckets before number `end`. */
static sop_status skip_to(struct builder *builder, uint64_t end, sop_error *err)
{
	while (builder->bucket < end) {
		if (builder->block == NULL)
			SOP_TRY(begin_bucket(builder, err));
		SOP_TRY(end_bucket(builder, false, err));
	}
	return SOP_OK;
}

/* Adds an entry that stands behind all before. */
static sop_status add(struct builder *builder, const struct sopi_registry_entry *entry, sop_error *err)
{
	const uint64_t home = sopi_shape_home(&builder->shape, sopi_registry_hash(entry->key));

	SOP_TRY(skip_to(builder, home, err));
	if (builder->block != NULL && builder->count == SOPI_REGBLOCK_ENTRIES_MAX) {
		if (builder->bucket + 1 == sopi_shape_total(&builder->shape)) {
			builder->crowded = true;
			return SOP_OK;
		}
		SOP_TRY(end_bucket(builder, true, err));
	}
	if (builder->block == NULL)
		SOP_TRY(begin_bucket(builder, err));
	sopi_entry_store(builder->block, builder->count++, entry);
	return SOP_OK;
}

/* Takes the entries of the old map and of the changes in the order of maps; of one key the change counts. */
static sop_status merge(struct builder *builder, struct sopi_map_scan *scan,
			const struct sopi_registry_entry *changes, size_t count, sop_error *err)
{
	struct sopi_registry_entry old;
	bool more = false;
	size_t at = 0;

	SOP_TRY(sopi_map_scan_next(scan, &old, &more, err));
	while ((more || at < count) && !builder->crowded) {
		const bool both = more && at < count;
		const int order = both ? sopi_registry_compare(changes[at].key, old.key) : 0;
		const bool take_new = both ? order <= 0 : at < count;
		const bool drop_old = both && order == 0;

		if (!take_new)
			SOP_TRY(add(builder, &old, err));
		else if (!changes[at].removed)
			SOP_TRY(add(builder, &changes[at], err));
		at += take_new;
		if (!take_new || drop_old)
			SOP_TRY(sopi_map_scan_next(scan, &old, &more, err));
	}
	return builder->crowded ? SOP_OK : skip_to(builder, sopi_shape_total(&builder->shape), err);
}

/* Removes what was written so far. */
static void abandon(struct builder *builder)
{
	struct sopi_map_shape written = builder->shape;

	sopi_regwriter_abandon(&builder->writer);
	written.segments = builder->segment;
	sopi_map_remove_files(builder->home->folder, &written);
}

static sop_status build(struct builder *builder, struct sopi_map *old,
			const struct sopi_registry_entry *changes, size_t count,
			struct sopi_map **out, sop_error *err)
{
	struct sopi_map_scan scan;
	sop_status status = SOP_OK;

	sopi_map_scan_begin(&scan, old);
	SOP_TRY_OUT(merge(builder, &scan, changes, count, err));
	if (!builder->crowded && builder->total_entries > 0)
		SOP_TRY_OUT(sopi_map_new(builder->home->folder, &builder->shape,
					 builder->total_entries, out, err));
out:
	sopi_map_scan_end(&scan);
	if (status != SOP_OK || builder->crowded || builder->total_entries == 0)
		abandon(builder);
	return status;
}

static int compare_entries(const void *a, const void *b)
{
	return sopi_registry_compare(((const struct sopi_registry_entry *)a)->key,
				     ((const struct sopi_registry_entry *)b)->key);
}

/* Segments that hold `entries` below the load. */
static uint64_t segments_for(uint64_t entries, uint32_t buckets)
{
	const uint64_t room = (uint64_t)buckets * SOPI_REGBLOCK_ENTRIES_MAX * LOAD_PERCENT_MAX / 100;

	return entries / room + 1;
}

sop_status sopi_map_fold(struct sopi_reghome *home, struct sopi_map *old, uint64_t generation,
			 uint32_t buckets, struct sopi_registry_entry *changes, size_t count,
			 struct sopi_map **out, sop_error *err)
{
	uint64_t entries = old != NULL ? old->entry_count : 0;

	*out = NULL;
	for (size_t i = 0; i < count; i++) /* at most: whether an entry is new or replaces one shows too late */
		entries += !changes[i].removed;
	if (entries == 0)
		return SOP_OK;
	if (count > 1)
		qsort(changes, count, sizeof *changes, compare_entries);
	for (unsigned i = 0; i < BUILDS_MAX; i++) {
		struct builder builder = { .home = home };

		builder.shape.generation = generation;
		builder.shape.segments = segments_for(entries, buckets) << i;
		builder.shape.buckets = buckets;
		SOP_TRY(build(&builder, old, changes, count, out, err));
		if (!builder.crowded)
			return SOP_OK;
	}
	return sopi_fail(err, SOP_CORRUPT,
			 "the registry's keys do not spread over its buckets; run verify");
}
