/* The bytes of a map's segments, and reading all of them from front to back. */
#include "registry/registry_map.h"

#include "base/bytes.h"

#include <string.h>

enum {
	HEAD_AT_BUCKETS = 12,
	HEAD_AT_GENERATION = 16,
	HEAD_AT_NUMBER = 24,
	HEAD_AT_SEGMENTS = 32,
	HEAD_AT_ENTRIES = 40, /* of this segment */
	HEAD_BYTES = 48,
	BUCKET_AT_ZERO = 28, /* 4 */
};

void sopi_segment_head_fill(uint8_t *head, const struct sopi_map_shape *shape, uint64_t number,
			    uint64_t entries)
{
	memset(head, 0, SOPI_BUCKET_BYTES);
	sopi_store_u32le(head + REGHEAD_AT_FORMAT, SOPI_REGISTRY_FORMAT);
	sopi_store_u32le(head + HEAD_AT_BUCKETS, shape->buckets);
	sopi_store_u64le(head + HEAD_AT_GENERATION, shape->generation);
	sopi_store_u64le(head + HEAD_AT_NUMBER, number);
	sopi_store_u64le(head + HEAD_AT_SEGMENTS, shape->segments);
	sopi_store_u64le(head + HEAD_AT_ENTRIES, entries);
	sopi_regblock_seal(head, SOPI_MAGIC_SEGMENT);
}

sop_status sopi_segment_head_check(const uint8_t *head, const struct sopi_map_shape *shape,
				   uint64_t number, const struct sopi_regplace *place,
				   uint64_t *entries, sop_error *err)
{
	SOP_TRY(sopi_reghead_check(head, SOPI_MAGIC_SEGMENT, place, err));
	if (sopi_load_u32le(head + HEAD_AT_BUCKETS) != shape->buckets ||
	    sopi_load_u64le(head + HEAD_AT_GENERATION) != shape->generation ||
	    sopi_load_u64le(head + HEAD_AT_NUMBER) != number ||
	    sopi_load_u64le(head + HEAD_AT_SEGMENTS) != shape->segments)
		return sopi_regplace_corrupt(place,
					     "this is another segment than the manifest names", err);
	if (!sopi_is_zero(head + HEAD_BYTES, SOPI_BUCKET_BYTES - HEAD_BYTES))
		return sopi_regplace_corrupt(place, "a byte that must be 0 is not", err);
	*entries = sopi_load_u64le(head + HEAD_AT_ENTRIES);
	return SOP_OK;
}

/* ---- one bucket */

static sop_status check_flags(const uint8_t *bucket, uint64_t total, uint64_t number,
			      const struct sopi_regplace *place, sop_error *err)
{
	const uint16_t flags = sopi_load_u16le(bucket + BUCKET_AT_FLAGS);

	if (sopi_load_u64le(bucket + BUCKET_AT_TOTAL) != total)
		return sopi_regplace_corrupt(place, "the bucket is of a map of another size", err);
	if ((flags & ~BUCKET_OVERFLOW) != 0 || sopi_load_u32le(bucket + BUCKET_AT_ZERO) != 0)
		return sopi_regplace_corrupt(place, "a byte that must be 0 is not", err);
	if ((flags & BUCKET_OVERFLOW) != 0 &&
	    (sopi_load_u16le(bucket + REGBLOCK_AT_COUNT) != SOPI_REGBLOCK_ENTRIES_MAX ||
	     number + 1 == total))
		return sopi_regplace_corrupt(place, "the bucket cannot have overflowed", err);
	return SOP_OK;
}

sop_status sopi_bucket_check(const uint8_t *bucket, const struct sopi_map_shape *shape,
			     uint64_t number, const struct sopi_regplace *place, sop_error *err)
{
	const struct sopi_regblock_id id = { SOPI_MAGIC_BUCKET, shape->generation, number };
	const size_t count = sopi_load_u16le(bucket + REGBLOCK_AT_COUNT);
	struct sopi_registry_entry entry;
	uint64_t last = 0;

	SOP_TRY(sopi_regblock_check(bucket, &id, place, err));
	SOP_TRY(check_flags(bucket, sopi_shape_total(shape), number, place, err));
	for (size_t i = 0; i < count; i++) {
		if (!sopi_entry_load(bucket, i, &entry))
			return sopi_regplace_corrupt(place, "an entry is not well-formed", err);
		if (i > 0 && sopi_registry_compare(last, entry.key) >= 0)
			return sopi_regplace_corrupt(place, "the entries are out of order", err);
		last = entry.key;
	}
	if (count > 0 && sopi_shape_home(shape, sopi_registry_hash(last)) > number)
		return sopi_regplace_corrupt(place, "an entry lies before its bucket", err);
	return SOP_OK;
}

/* ---- one after the other */

void sopi_map_order_skip(struct sopi_map_order *order)
{
	order->any = false; /* `reach` stays: the bucket may have been full */
}

sop_status sopi_map_order_check(struct sopi_map_order *order, const struct sopi_map_shape *shape,
				const uint8_t *bucket, uint64_t number,
				const struct sopi_regplace *place, sop_error *err)
{
	const size_t count = sopi_load_u16le(bucket + REGBLOCK_AT_COUNT);

	if (count > 0) {
		const uint64_t first = sopi_entry_key(bucket, 0);

		if (order->any && sopi_registry_compare(order->last, first) >= 0)
			return sopi_regplace_corrupt(place, "the buckets are out of order", err);
		if (sopi_shape_home(shape, sopi_registry_hash(first)) < order->reach)
			return sopi_regplace_corrupt(place, "an entry lies where no look-up comes", err);
		order->any = true;
		order->last = sopi_entry_key(bucket, count - 1);
	}
	if ((sopi_load_u16le(bucket + BUCKET_AT_FLAGS) & BUCKET_OVERFLOW) == 0)
		order->reach = number + 1;
	return SOP_OK;
}

void sopi_map_scan_begin(struct sopi_map_scan *scan, struct sopi_map *map)
{
	memset(scan, 0, sizeof *scan);
	scan->map = map;
}

static sop_status open_segment(struct sopi_map_scan *scan, sop_error *err)
{
	const struct sopi_map_shape *shape = &scan->map->shape;
	struct sopi_regplace place;
	const uint8_t *head = NULL;
	uint64_t entries = 0;
	char path[SOPI_REGNAME_BYTES];

	sopi_regreader_close(&scan->reader);
	sopi_segment_path(shape->generation, scan->segment, path);
	SOP_TRY(sopi_regreader_open(&scan->reader, scan->map->folder, path, err));
	SOP_TRY(sopi_regreader_next(&scan->reader, &head, &place, err));
	SOP_TRY(sopi_segment_head_check(head, shape, scan->segment, &place, &entries, err));
	SOP_TRY(sopi_regreader_expect(&scan->reader, (uint64_t)shape->buckets + 1, err));
	scan->segment++;
	return SOP_OK;
}

static sop_status next_bucket(struct sopi_map_scan *scan, sop_error *err)
{
	const struct sopi_map_shape *shape = &scan->map->shape;
	struct sopi_regplace place;

	if (scan->bucket % shape->buckets == 0)
		SOP_TRY(open_segment(scan, err));
	SOP_TRY(sopi_regreader_next(&scan->reader, &scan->block, &place, err));
	SOP_TRY(sopi_bucket_check(scan->block, shape, scan->bucket, &place, err));
	SOP_TRY(sopi_map_order_check(&scan->order, shape, scan->block, scan->bucket, &place, err));
	scan->bucket++;
	scan->at = 0;
	scan->count = sopi_load_u16le(scan->block + REGBLOCK_AT_COUNT);
	return SOP_OK;
}

static sop_status check_total(const struct sopi_map_scan *scan, sop_error *err)
{
	const struct sopi_regplace place = { scan->reader.path, 0 };

	if (scan->total == scan->map->entry_count)
		return SOP_OK;
	return sopi_regplace_corrupt(&place, "the map has not as many entries as the manifest says", err);
}

sop_status sopi_map_scan_next(struct sopi_map_scan *scan, struct sopi_registry_entry *entry,
			      bool *more, sop_error *err)
{
	*more = false;
	if (scan->map == NULL)
		return SOP_OK;
	while (scan->at == scan->count) {
		if (scan->bucket == sopi_shape_total(&scan->map->shape))
			return check_total(scan, err);
		SOP_TRY(next_bucket(scan, err));
	}
	SOPI_CHECK(sopi_entry_load(scan->block, scan->at, entry)); /* was checked with the bucket */
	scan->at++;
	scan->total++;
	*more = true;
	return SOP_OK;
}

void sopi_map_scan_end(struct sopi_map_scan *scan)
{
	sopi_regreader_close(&scan->reader);
}
