/* Checking every byte of a pack. */
#include "blob/blob_folder_inside.h"

/* Told of problems: (arg, file, offset, kind, message); false: stop. */
typedef bool (*found_fn)(void *arg, const char *file, int64_t offset, const char *kind,
			 const char *message);

struct check {
	const struct pack_pin *pin;
	found_fn found;
	bool (*went)(void *arg, uint64_t bytes); /* or NULL */
	void *arg;
	bool stopped;
	sop_buf room; /* for a node page */
	sop_buf index;
};

/* Tells of a failure that is damage; any other ends the check. The words are in `problem`. */
static sop_status judge(struct check *check, sop_status status, const char *kind,
			const sop_error *problem, sop_error *err)
{
	char path[SOPI_PATH_BYTES_MAX + 1];

	if (status == SOP_CORRUPT || status == SOP_UNSUPPORTED) {
		pack_path(check->pin->file->id, check->pin->file->kind, path);
		check->stopped = !check->found(check->arg, path, problem->offset, kind, problem->message);
		return SOP_OK;
	}
	if (status != SOP_OK)
		return sopi_fail_file(err, status, problem->file, problem->offset,
				      problem->os_errno, "%s", problem->message);
	return SOP_OK;
}

/* A blob has been looked at. */
static void go_on(struct check *check, uint64_t bytes)
{
	if (!check->stopped && check->went != NULL)
		check->stopped = !check->went(check->arg, bytes);
}

/* Each blob that the index names, which goes on behind a damaged one. */
static sop_status check_indexed(struct check *check, uint64_t count, sop_error *err)
{
	const sop_bytes index = { check->index.data, check->index.size };

	for (uint64_t i = 0; i < count && !check->stopped; i++) {
		const struct sopi_pack_slot named = sopi_pack_index_slot(index, i);
		struct sopi_pack_slot slot = named;
		sop_error problem = SOP_ERROR_INIT;
		sop_status status = pack_look(check->pin, named.offset, &check->room, &slot, &problem);

		if (status == SOP_OK && (slot.key != named.key || slot.length != named.length))
			status = pack_damaged(check->pin->file, named.offset, &problem,
					      "the blob here is not the one that the index names");
		SOP_TRY(judge(check, status, "blob", &problem, err));
		go_on(check, named.length);
	}
	return SOP_OK;
}

/* A pack without an index holds whole blobs as far as they are known, and nothing else. */
static sop_status check_walking(struct check *check, sop_error *err)
{
	const uint64_t end = SOPI_PACK_HEAD_BYTES + check->pin->total;
	struct sopi_pack_slot slot = { 0, SOPI_PACK_HEAD_BYTES, 0 };
	uint64_t at = SOPI_PACK_HEAD_BYTES;

	while (at < end && !check->stopped) {
		sop_error problem = SOP_ERROR_INIT;
		sop_status status = pack_look(check->pin, at, &check->room, &slot, &problem);

		if (status == SOP_OK && slot.length > end - at)
			status = pack_damaged(check->pin->file, at, &problem,
					      "a blob ends behind the last one that is known");
		if (status != SOP_OK) /* where the next one begins cannot be known */
			return judge(check, status, "blob", &problem, err);
		at += slot.length;
		go_on(check, slot.length);
	}
	return SOP_OK;
}

/* Must the pack have a footer? What is synced while it is written has none yet; a pack of values that was never
 * finished ends with its last blob. */
static bool needs_footer(const struct pack_pin *pin)
{
	if (pin->writing || pin->file->torn)
		return false;
	return pin->finished || pin->file->kind == SOPI_PACK_NODES ||
	       pin->limit != SOPI_PACK_HEAD_BYTES + pin->total;
}

static sop_status check_blobs(struct check *check, sop_error *err)
{
	struct sopi_pack_footer footer;
	sop_error problem = SOP_ERROR_INIT;
	uint64_t count = 0;
	sop_status status;

	if (!needs_footer(check->pin))
		return check_walking(check, err);
	status = pack_read_footer(check->pin, &footer, &problem);
	if (status == SOP_OK) {
		status = pack_read_index(check->pin, &footer, &check->index, &count, &problem);
		if (status == SOP_OK)
			return check_indexed(check, count, err);
	}
	SOP_TRY(judge(check, status, "index", &problem, err));
	return check->stopped ? SOP_OK : check_walking(check, err);
}

static sop_status check_pack(struct check *check, sop_error *err)
{
	sop_error problem = SOP_ERROR_INIT;
	const sop_status status = pack_read_head(check->pin, &problem);

	SOP_TRY(judge(check, status, "head", &problem, err));
	return check->stopped ? SOP_OK : check_blobs(check, err);
}

/* A pack whose file is missing cannot be pinned: that is a finding, too. */
static sop_status tell_missing(sop_status status, found_fn found, void *arg,
			       const sop_error *problem, sop_error *err)
{
	if (status == SOP_CORRUPT) {
		(void)found(arg, problem->file, problem->offset, "file", problem->message);
		return SOP_OK;
	}
	return sopi_fail_file(err, status, problem->file, problem->offset, problem->os_errno, "%s",
			      problem->message);
}

sop_status sopi_packs_verify(struct sopi_packs *packs, uint64_t id,
			     bool (*found)(void *arg, const char *file, int64_t offset,
					   const char *kind, const char *message),
			     bool (*went)(void *arg, uint64_t bytes), void *arg, sop_error *err)
{
	sop_error problem = SOP_ERROR_INIT;
	struct pack_pin pin;
	struct check check = {
		.pin = &pin, .found = found, .went = went, .arg = arg, .room = SOP_BUF_INIT, .index = SOP_BUF_INIT
	};
	sop_status status = pack_pin(packs, id, &pin, &problem);

	if (status != SOP_OK)
		return tell_missing(status, found, arg, &problem, err);
	if (!pin.writing) /* it may have become longer behind our back */
		SOP_TRY_OUT(sopi_file_size(pin.handle, &pin.limit, err));
	status = check_pack(&check, err);
out:
	pack_unpin(packs, pin.file);
	sop_buf_free(&check.room);
	sop_buf_free(&check.index);
	return status;
}
