/* The map: its files, and look-ups in them. */
#include "registry/registry_map.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <string.h>

uint64_t sopi_registry_hash(uint64_t key)
{
	const bool is_patch = sopi_registry_kind(key) == SOPI_KEY_PATCH; /* it lies beside its node */
	uint64_t word = is_patch ? sopi_registry_id(key) : key;

	word += 0x9E3779B97F4A7C15u; /* the finalizer of splitmix64: every step can be undone */

	word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9u;
	word = (word ^ word >> 27) * 0x94D049BB133111EBu;
	return word ^ word >> 31;
}

int sopi_registry_compare(uint64_t a, uint64_t b)
{
	const uint64_t hash_a = sopi_registry_hash(a), hash_b = sopi_registry_hash(b);

	if (hash_a != hash_b)
		return hash_a < hash_b ? -1 : 1;
	return (a > b) - (a < b);
}

/* floor(a * b / 2^64) */
static uint64_t multiply_high(uint64_t a, uint64_t b)
{
	const uint64_t a_low = (uint32_t)a;
	const uint64_t b_low = (uint32_t)b;
	const uint64_t middle = (a >> 32) * b_low + (a_low * b_low >> 32);
	const uint64_t other = a_low * (b >> 32) + (uint32_t)middle;

	return (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
}

uint64_t sopi_shape_home(const struct sopi_map_shape *shape, uint64_t hash)
{
	return multiply_high(hash, sopi_shape_total(shape) - SOPI_SPILL_BUCKETS);
}

/* ---- the object */

sop_status sopi_map_new(struct sopi_folder *folder, const struct sopi_map_shape *shape,
			uint64_t entry_count, struct sopi_map **out, sop_error *err)
{
	struct sopi_map *map = NULL;

	SOP_TRY(sopi_alloc_zeroed(sizeof *map, (void **)&map, err));
	sopi_mutex_init(&map->mutex);
	map->refs = 1;
	map->folder = folder;
	map->shape = *shape;
	map->entry_count = entry_count;
	*out = map;
	return SOP_OK;
}

void sopi_map_release(struct sopi_map *map)
{
	if (map == NULL || atomic_fetch_sub(&map->refs, 1) != 1)
		return;
	for (size_t i = 0; i < SOPI_MAP_FILES_MAX; i++) {
		SOPI_CHECK(map->files[i].users == 0);
		sopi_file_close(map->files[i].file);
	}
	sopi_mutex_destroy(&map->mutex);
	sopi_free(map);
}

void sopi_map_remove_files(struct sopi_folder *folder, const struct sopi_map_shape *shape)
{
	for (uint64_t number = 0; number < shape->segments; number++) {
		char path[SOPI_REGNAME_BYTES];

		sopi_segment_path(shape->generation, number, path);
		(void)sopi_folder_remove(folder, path, NULL);
	}
}

static sop_status check_head(struct sopi_map *map, uint64_t number, uint64_t *entries, sop_error *err)
{
	struct sopi_regplace place = { NULL, 0 };
	struct sopi_file *file = NULL;
	char path[SOPI_REGNAME_BYTES];
	uint8_t head[SOPI_BUCKET_BYTES];
	uint64_t size = 0;
	sop_status status = SOP_OK;

	sopi_segment_path(map->shape.generation, number, path);
	place.path = path;
	SOP_TRY(sopi_reg_missing(sopi_folder_open_file(map->folder, path, SOPI_FILE_READ, &file, err),
				 path, err));
	SOP_TRY_OUT(sopi_regblock_read(file, &place, head, err));
	SOP_TRY_OUT(sopi_segment_head_check(head, &map->shape, number, &place, entries, err));
	SOP_TRY_OUT(sopi_file_size(file, &size, err));
	if (size != ((uint64_t)map->shape.buckets + 1) * SOPI_BUCKET_BYTES)
		status = sopi_regplace_corrupt(&place, "the file has the wrong size", err);
out:
	sopi_file_close(file);
	return status;
}

sop_status sopi_map_check_heads(struct sopi_map *map, sop_error *err)
{
	uint64_t left = map->entry_count;

	for (uint64_t number = 0; number < map->shape.segments; number++) {
		uint64_t entries = 0;

		SOP_TRY(check_head(map, number, &entries, err));
		if (entries > left || (number + 1 == map->shape.segments && entries != left)) {
			char path[SOPI_REGNAME_BYTES];
			const struct sopi_regplace place = { path, 0 };

			sopi_segment_path(map->shape.generation, number, path);
			return sopi_regplace_corrupt(
				&place,
				"the segments have not as many entries as the manifest says", err);
		}
		left -= entries;
	}
	return SOP_OK;
}

/* ---- open files */

/* The file of a segment if it is open already. */
static struct sopi_file *take_open(struct sopi_map *map, uint64_t segment)
{
	struct sopi_map_file *place = &map->files[segment % SOPI_MAP_FILES_MAX];
	struct sopi_file *file = NULL;

	sopi_mutex_lock(&map->mutex);
	if (place->file != NULL && place->segment == segment) {
		file = place->file;
		place->users++;
	}
	sopi_mutex_unlock(&map->mutex);
	return file;
}

/* Leaves `file` in its place if nobody uses what is there; returns what must be closed instead, or NULL. */
static struct sopi_file *leave_open(struct sopi_map *map, uint64_t segment, struct sopi_file *file)
{
	struct sopi_map_file *place = &map->files[segment % SOPI_MAP_FILES_MAX];
	struct sopi_file *other = file;

	sopi_mutex_lock(&map->mutex);
	if (place->file == file) {
		place->users--;
		other = NULL;
	} else if (place->users == 0) {
		other = place->file;
		place->file = file;
		place->segment = segment;
	}
	sopi_mutex_unlock(&map->mutex);
	return other;
}

static sop_status take_file(struct sopi_map *map, uint64_t segment, const char *path,
			    struct sopi_file **file, sop_error *err)
{
	*file = take_open(map, segment);
	if (*file != NULL)
		return SOP_OK;
	return sopi_reg_missing(sopi_folder_open_file(map->folder, path, SOPI_FILE_READ, file, err),
				path, err);
}

/* ---- look-up */

static sop_status read_bucket(struct sopi_map *map, uint64_t number, uint8_t *bucket, sop_error *err)
{
	const uint64_t segment = number / map->shape.buckets;
	char path[SOPI_REGNAME_BYTES];
	const struct sopi_regplace place = { path, (1 + number % map->shape.buckets) * SOPI_BUCKET_BYTES };
	struct sopi_file *file = NULL;
	sop_status status = SOP_OK;

	sopi_segment_path(map->shape.generation, segment, path);
	SOP_TRY(take_file(map, segment, path, &file, err));
	status = sopi_regblock_read(file, &place, bucket, err);
	sopi_file_close(leave_open(map, segment, file));
	if (status != SOP_OK)
		return status;
	return sopi_bucket_check(bucket, &map->shape, number, &place, err);
}

/* The first entry of a bucket that does not stand before `key`. */
static size_t search_bucket(const uint8_t *bucket, uint64_t key)
{
	size_t low = 0;
	size_t high = sopi_load_u16le(bucket + REGBLOCK_AT_COUNT);

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (sopi_registry_compare(sopi_entry_key(bucket, middle), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum sopi_bucket_answer find_in_bucket(const uint8_t *bucket, uint64_t key,
					      struct sopi_registry_entry *entry)
{
	const size_t index = search_bucket(bucket, key);

	if (index < sopi_load_u16le(bucket + REGBLOCK_AT_COUNT)) {
		if (sopi_entry_key(bucket, index) != key)
			return SOPI_BUCKET_LACKS; /* it would stand before this one */
		SOPI_CHECK(sopi_entry_load(bucket, index, entry)); /* was checked when it was read */
		return SOPI_BUCKET_HAS;
	}
	return (sopi_load_u16le(bucket + BUCKET_AT_FLAGS) & BUCKET_OVERFLOW) != 0 ? SOPI_BUCKET_GOES_ON
										  : SOPI_BUCKET_LACKS;
}

void sopi_bucket_search(const uint8_t *bucket, struct sopi_wanted *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (wanted[i].answer == SOPI_BUCKET_GOES_ON)
			wanted[i].answer = find_in_bucket(bucket, wanted[i].key, wanted[i].entry);
	}
}

static sop_status find_in(struct sopi_map *map, struct sopi_bucket_cache *cache, uint64_t number,
			  struct sopi_wanted *wanted, size_t count, uint64_t *reads, sop_error *err)
{
	uint8_t bucket[SOPI_BUCKET_BYTES];

	if (sopi_bucket_cache_find(cache, map->shape.generation, number, wanted, count))
		return SOP_OK;
	++*reads;
	SOP_TRY(read_bucket(map, number, bucket, err));
	sopi_bucket_cache_put(cache, map->shape.generation, number, bucket);
	sopi_bucket_search(bucket, wanted, count);
	return SOP_OK;
}

static bool goes_on(const struct sopi_wanted *wanted, size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++)
		any = any || wanted[i].answer == SOPI_BUCKET_GOES_ON;
	return any;
}

sop_status sopi_map_find(struct sopi_map *map, struct sopi_bucket_cache *cache,
			 struct sopi_wanted *wanted, size_t count, uint64_t *reads, sop_error *err)
{
	const uint64_t hash = sopi_registry_hash(wanted[0].key);
	const uint64_t total = sopi_shape_total(&map->shape);
	uint64_t number = sopi_shape_home(&map->shape, hash);

	for (; number < total && goes_on(wanted, count); number++)
		SOP_TRY(find_in(map, cache, number, wanted, count, reads, err));
	for (size_t i = 0; i < count; i++) {
		if (wanted[i].answer == SOPI_BUCKET_GOES_ON)
			wanted[i].answer = SOPI_BUCKET_LACKS;
	}
	return SOP_OK;
}
