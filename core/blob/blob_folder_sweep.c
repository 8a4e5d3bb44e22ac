/* What an earlier process left behind: files that nothing names, and the torn end of packs that it never finished. */
#include "blob/blob_folder_inside.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

enum {
	NAME_DIGITS = 16,
	IDS_PASSED_MAX = 1 << 30, /* a log names no more packs than that: a name beyond is nobody's */
	UNKNOWN_PATH_BYTES = 512, /* a name has up to 255 bytes, and this is for a message only */
};

/* A file that has the name of a pack. */
struct named {
	uint64_t id;
	bool alone; /* <id>.val */
};

struct sweep {
	struct sopi_packs *packs;
	void (*unknown)(void *arg, const char *path);
	void *arg;
	unsigned folder; /* blobs/xx that is looked at */
	bool is_folder[PACK_FOLDERS]; /* blobs/xx */
	struct named *files; /* of that folder */
	size_t count;
	size_t capacity;
};

/* ---- names ------------------------------------------------------------------------------------ */

static void tell(const struct sweep *sweep, const char *folder, const char *name)
{
	char path[UNKNOWN_PATH_BYTES];

	if (sweep->unknown == NULL)
		return;
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	sweep->unknown(sweep->arg, path);
}

/* Reads exactly `digits` lower-case hex digits. */
static bool read_hex(const char *text, size_t digits, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < digits; i++) {
		const char digit = text[i];

		if (digit >= '0' && digit <= '9')
			*number = *number << 4 | (uint64_t)(digit - '0');
		else if (digit >= 'a' && digit <= 'f')
			*number = *number << 4 | (uint64_t)(digit - 'a' + 10);
		else
			return false; /* the NUL too */
	}
	return true;
}

bool sopi_pack_name_read(const char *name, unsigned folder, uint64_t *id, bool *alone)
{
	if (!read_hex(name, NAME_DIGITS, id) || *id == 0 || *id % PACK_FOLDERS != folder)
		return false;
	*alone = strcmp(name + NAME_DIGITS, ".val") == 0;
	return *alone || strcmp(name + NAME_DIGITS, ".pack") == 0;
}

static sop_status note_folder(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	struct sweep *sweep = arg;
	uint64_t number;

	(void)err;
	if (kind == SOPI_ENTRY_FOLDER && read_hex(name, 2, &number) && name[2] == '\0')
		sweep->is_folder[number] = true;
	else
		tell(sweep, PACKS_FOLDER, name);
	return SOP_OK;
}

static sop_status note_file(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	struct sweep *sweep = arg;
	char folder[SOPI_PATH_BYTES_MAX + 1];
	struct named named;

	if (kind != SOPI_ENTRY_FILE ||
	    !sopi_pack_name_read(name, sweep->folder, &named.id, &named.alone)) {
		(void)snprintf(folder, sizeof folder, PACKS_FOLDER "/%02x", sweep->folder);
		tell(sweep, folder, name);
		return SOP_OK;
	}
	SOP_TRY(sopi_grow(&sweep->files, sweep->count, &sweep->capacity, sizeof *sweep->files, err));
	sweep->files[sweep->count++] = named;
	return SOP_OK;
}

/* ---- files ------------------------------------------------------------------------------------ */

bool sopi_packs_know(struct sopi_packs *packs, uint64_t id, bool alone)
{
	const struct pack_file *file;
	bool known;

	sopi_mutex_lock(&packs->mutex);
	file = pack_find_locked(packs, id);
	known = file != NULL && (file->kind == SOPI_PACK_VALUE) == alone;
	sopi_mutex_unlock(&packs->mutex);
	return known;
}

/* Without a known pack the folder's own name may be one that a failed sync has given up, which no later sync makes
 * durable: the next pack makes it anew. It stays if anything else is in it. */
static void remove_empty(struct sweep *sweep)
{
	char path[SOPI_PATH_BYTES_MAX + 1];

	(void)snprintf(path, sizeof path, PACKS_FOLDER "/%02x", sweep->folder);
	if (sopi_folder_remove_folder(sweep->packs->folder, path, NULL) == SOP_OK)
		sweep->packs->folder_durable[sweep->folder] = false;
}

static sop_status sweep_folder(struct sweep *sweep, sop_error *err)
{
	char path[SOPI_PATH_BYTES_MAX + 1];
	size_t known = 0;

	(void)snprintf(path, sizeof path, PACKS_FOLDER "/%02x", sweep->folder);
	sweep->count = 0;
	SOP_TRY(sopi_folder_list(sweep->packs->folder, path, note_file, sweep, err));
	for (size_t i = 0; i < sweep->count; i++) {
		const struct named *named = &sweep->files[i];

		if (sopi_packs_know(sweep->packs, named->id, named->alone)) {
			known++;
			continue;
		}
		pack_path(named->id, named->alone ? SOPI_PACK_VALUE : SOPI_PACK_NODES, path);
		(void)sopi_folder_remove(sweep->packs->folder, path, NULL); /* next time, then */
	}
	if (known == 0)
		remove_empty(sweep);
	return SOP_OK;
}

/* ---- torn ends -------------------------------------------------------------------------------- */

/* A crash may have kept any part of index and footer. */
static sop_status look_at_index(const struct pack_pin *pin, struct sopi_pack_footer *footer,
				sop_error *err)
{
	sop_buf index = SOP_BUF_INIT;
	uint64_t count;
	sop_status status = pack_read_footer(pin, footer, err);

	if (status == SOP_OK)
		status = pack_read_index(pin, footer, &index, &count, err);
	sop_buf_free(&index);
	return status;
}

/* Is there more in the file than its known blobs, and no index that says why? *total: of blobs. */
static sop_status look_at_end(const struct pack_pin *pin, uint64_t *total, bool *torn, sop_error *err)
{
	struct sopi_pack_footer footer;
	sop_status status;

	*total = pin->total;
	*torn = false;
	if (pin->writing || pin->limit <= SOPI_PACK_HEAD_BYTES + pin->total)
		return SOP_OK;
	status = look_at_index(pin, &footer, err);
	if (status == SOP_OK)
		*total = footer.total_bytes;
	*torn = status == SOP_CORRUPT;
	return status == SOP_CORRUPT ? SOP_OK : status;
}

static void cut_off(struct sopi_packs *packs, const struct pack_file *file, uint64_t size)
{
	char path[SOPI_PATH_BYTES_MAX + 1];
	struct sopi_file *handle = NULL;

	pack_path(file->id, file->kind, path);
	if (pack_open_file(packs, path, SOPI_FILE_WRITE, &handle, NULL) == SOP_OK)
		(void)sopi_file_resize(handle, size, NULL);
	sopi_file_close(handle);
}

/* Packs of values become durable without being finished. After a crash nothing lives behind what the manifest and the
 * log name; it is cut off, so that from then on anything there is damage. */
static sop_status tidy_end(struct sopi_packs *packs, uint64_t id, bool cuts, sop_error *err)
{
	struct pack_pin pin;
	uint64_t total = 0;
	bool torn = false;
	sop_status status = pack_pin(packs, id, &pin, err);

	if (status != SOP_OK)
		return status == SOP_NOT_FOUND ? SOP_OK : status;
	status = look_at_end(&pin, &total, &torn, err);
	if (torn && cuts)
		cut_off(packs, pin.file, SOPI_PACK_HEAD_BYTES + total);
	sopi_mutex_lock(&packs->mutex);
	if (torn && cuts)
		pin.file->size = SOPI_PACK_HEAD_BYTES + total;
	pin.file->torn = torn && !cuts;
	if (pin.file->total_bytes < total)
		pin.file->total_bytes = total;
	sopi_mutex_unlock(&packs->mutex);
	pack_unpin(packs, pin.file);
	return status;
}

/* Nothing behind the known blobs, or exactly what one value needs, whose pack nobody names before it is finished: the
 * file need not be opened. */
static bool has_plain_size(const struct pack_file *file)
{
	const uint64_t blobs_end = SOPI_PACK_HEAD_BYTES + file->total_bytes;
	const uint64_t index =
		SOPI_PACK_INDEX_HEAD_BYTES + SOPI_PACK_INDEX_ENTRY_BYTES + SOPI_PACK_INDEX_CRC_BYTES;

	return file->size == blobs_end || (file->kind == SOPI_PACK_VALUE &&
					   file->size == blobs_end + index + SOPI_PACK_FOOTER_BYTES);
}

/* The first pack above `id` that may have a torn end, or 0. */
static uint64_t next_untidy(struct sopi_packs *packs, uint64_t id)
{
	uint64_t found = 0;

	sopi_mutex_lock(&packs->mutex);
	for (size_t i = pack_place_locked(packs, id + 1); i < packs->count && found == 0; i++) {
		const struct pack_file *file = packs->files[i];

		if (file->kind != SOPI_PACK_NODES && !file->finished && !file->writing &&
		    !has_plain_size(file))
			found = file->id;
	}
	sopi_mutex_unlock(&packs->mutex);
	return found;
}

static sop_status tidy_ends(struct sopi_packs *packs, bool cuts, sop_error *err)
{
	uint64_t id = 0;

	while ((id = next_untidy(packs, id)) != 0)
		SOP_TRY(tidy_end(packs, id, cuts, err));
	return SOP_OK;
}

static sop_status pass_folder(struct sweep *sweep, sop_error *err)
{
	struct sopi_packs *packs = sweep->packs;
	char folder[SOPI_PATH_BYTES_MAX + 1];

	(void)snprintf(folder, sizeof folder, PACKS_FOLDER "/%02x", sweep->folder);
	sweep->count = 0;
	SOP_TRY(sopi_folder_list(packs->folder, folder, note_file, sweep, err));
	sopi_mutex_lock(&packs->mutex);
	for (size_t i = 0; i < sweep->count; i++) {
		const uint64_t id = sweep->files[i].id;

		if (id >= packs->next_id && id - packs->next_id < IDS_PASSED_MAX)
			packs->next_id = id + 1;
	}
	sopi_mutex_unlock(&packs->mutex);
	return SOP_OK;
}

sop_status sopi_packs_pass_files(struct sopi_packs *packs, sop_error *err)
{
	struct sweep sweep = { .packs = packs };
	sop_status status;

	SOP_TRY_OUT(sopi_folder_list(packs->folder, PACKS_FOLDER, note_folder, &sweep, err));
	for (sweep.folder = 0; sweep.folder < PACK_FOLDERS; sweep.folder++) {
		if (sweep.is_folder[sweep.folder])
			SOP_TRY_OUT(pass_folder(&sweep, err));
	}
out:
	sopi_free(sweep.files);
	return status;
}

sop_status sopi_packs_sweep(struct sopi_packs *packs, void (*unknown)(void *arg, const char *path),
			    void *arg, sop_error *err)
{
	struct sweep sweep = { .packs = packs, .unknown = unknown, .arg = arg };
	sop_status status;

	SOP_TRY_OUT(sopi_folder_list(packs->folder, PACKS_FOLDER, note_folder, &sweep, err));
	for (sweep.folder = 0; sweep.folder < PACK_FOLDERS; sweep.folder++) {
		if (sweep.is_folder[sweep.folder])
			SOP_TRY_OUT(sweep_folder(&sweep, err));
	}
	status = tidy_ends(packs, true, err);
out:
	sopi_free(sweep.files);
	return status;
}

sop_status sopi_packs_settle(struct sopi_packs *packs, sop_error *err)
{
	return tidy_ends(packs, false, err);
}
