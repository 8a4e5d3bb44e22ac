/* Checks every byte of every file of a view, and goes on behind what is damaged. */
#include "registry/registry_inside.h"

#include "base/bytes.h"

/* Who is told of what is wrong. */
struct verify {
	bool (*found)(void *arg, const char *file, int64_t offset, const char *kind, const char *message);
	void *arg;
	bool ended; /* nobody wants to hear more */
};

static const char *kind_of(sop_status status)
{
	switch (status) {
	case SOP_CORRUPT:
		return "corrupt";
	case SOP_UNSUPPORTED:
		return "unsupported";
	default:
		return "unreadable";
	}
}

/* Tells of a failure; what is no fault of a file is passed on. */
static sop_status note(struct verify *verify, sop_status status, const char *path,
		       const sop_error *problem, sop_error *err)
{
	if (status == SOP_OK || verify->ended)
		return SOP_OK;
	if (status == SOP_NO_MEMORY)
		return sopi_fail(err, status, "%s", problem->message);
	verify->ended =
		!verify->found(verify->arg, path, problem->offset, kind_of(status), problem->message);
	return SOP_OK;
}

static sop_status verify_run(struct verify *verify, struct sopi_folder *folder, uint64_t position,
			     uint64_t count, sop_error *err)
{
	struct sopi_run *run = NULL;
	sop_error problem = SOP_ERROR_INIT;
	char path[SOPI_REGNAME_BYTES];
	const sop_status status = sopi_run_load(folder, position, count, &run, &problem);

	sopi_run_path(position, path);
	sopi_run_release(run);
	return note(verify, status, path, &problem, err);
}

/* A segment that is being checked. */
struct verify_segment {
	struct verify *verify;
	const struct sopi_map_shape *shape;
	struct sopi_regreader reader;
	struct sopi_map_order *order;
	uint64_t number;
	uint64_t entries; /* that its head speaks of */
};

static sop_status verify_buckets(struct verify_segment *at, sop_error *err)
{
	const uint64_t first = at->number * at->shape->buckets;
	uint64_t entries = 0;
	bool whole = true;

	for (uint64_t i = 0; i < at->shape->buckets && !at->verify->ended; i++) {
		struct sopi_regplace place;
		sop_error problem = SOP_ERROR_INIT;
		const uint8_t *bucket = NULL;
		sop_status status = sopi_regreader_next(&at->reader, &bucket, &place, &problem);

		if (status != SOP_OK) /* the rest cannot be read */
			return note(at->verify, status, at->reader.path, &problem, err);
		status = sopi_bucket_check(bucket, at->shape, first + i, &place, &problem);
		if (status == SOP_OK)
			status = sopi_map_order_check(at->order, at->shape, bucket, first + i,
						      &place, &problem);
		if (status != SOP_OK)
			sopi_map_order_skip(at->order);
		whole = whole && status == SOP_OK;
		entries += status == SOP_OK ? sopi_load_u16le(bucket + REGBLOCK_AT_COUNT) : 0;
		SOP_TRY(note(at->verify, status, at->reader.path, &problem, err));
	}
	if (whole && !at->verify->ended && entries != at->entries) {
		const struct sopi_regplace place = { at->reader.path, 0 };
		sop_error problem = SOP_ERROR_INIT;

		return note(at->verify,
			    sopi_regplace_corrupt(&place, "the head counts other entries than there are",
						  &problem),
			    at->reader.path, &problem, err);
	}
	return SOP_OK;
}

static sop_status open_segment(struct verify_segment *at, struct sopi_folder *folder,
			       const char *path, sop_error *err)
{
	struct sopi_regplace place;
	const uint8_t *head = NULL;

	SOP_TRY(sopi_regreader_open(&at->reader, folder, path, err));
	SOP_TRY(sopi_regreader_next(&at->reader, &head, &place, err));
	SOP_TRY(sopi_segment_head_check(head, at->shape, at->number, &place, &at->entries, err));
	return sopi_regreader_expect(&at->reader, (uint64_t)at->shape->buckets + 1, err);
}

static sop_status verify_map(struct verify *verify, const struct sopi_map *map, sop_error *err)
{
	struct sopi_map_order order = { 0 };

	for (uint64_t number = 0; number < map->shape.segments && !verify->ended; number++) {
		struct verify_segment at = { .verify = verify, .shape = &map->shape, .order = &order };
		sop_error problem = SOP_ERROR_INIT;
		char path[SOPI_REGNAME_BYTES];
		sop_status status = SOP_OK;

		at.number = number;
		sopi_segment_path(map->shape.generation, number, path);
		status = open_segment(&at, map->folder, path, &problem);
		if (status == SOP_OK) {
			status = verify_buckets(&at, err);
		} else {
			sopi_map_order_skip(&order);
			status = note(verify, status, path, &problem, err);
		}
		sopi_regreader_close(&at.reader);
		SOP_TRY(status);
	}
	return SOP_OK;
}

sop_status sopi_registry_verify(struct sopi_registry *registry,
				bool (*found)(void *arg, const char *file, int64_t offset,
					      const char *kind, const char *message),
				void *arg, sop_error *err)
{
	struct sopi_regview *view = sopi_regview_take(registry);
	struct verify verify = { found, arg, false };
	sop_status status = SOP_OK;

	for (size_t i = 0; i < view->names.run_count && !verify.ended; i++)
		SOP_TRY_OUT(verify_run(&verify, registry->home.folder, view->names.runs[i],
				       view->names.run_entries[i], err));
	if (view->map != NULL)
		SOP_TRY_OUT(verify_map(&verify, view->map, err));
out:
	sopi_regview_release(view);
	return status;
}
