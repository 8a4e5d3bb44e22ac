/* Which files a database has: their names, and what in the folder is none of them. */
#include "backend/inredfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PACK_FOLDERS = 256, NAME_PATH_BYTES = 512 }; /* a name has up to 255 bytes */

void sopi_pack_file_path(const struct sopi_pack_entry *pack, char path[SOPI_PATH_BYTES_MAX + 1])
{
	snprintf(path, SOPI_PATH_BYTES_MAX + 1, "blobs/%02x/%016llx.%s",
		 (unsigned)(pack->id % PACK_FOLDERS), (unsigned long long)pack->id,
		 pack->kind == SOPI_PACK_VALUE ? "val" : "pack");
}

sop_status sopi_manifest_copy(const struct sopi_manifest *from, struct sopi_manifest *to, sop_error *err)
{
	sop_buf bytes = SOP_BUF_INIT;
	sop_status status = sopi_manifest_encode(from, &bytes, err);

	if (status == SOP_OK)
		status = sopi_manifest_decode((sop_bytes){ bytes.data, bytes.size }, "MANIFEST", to, err);
	sop_buf_free(&bytes);
	return status;
}

/* ---- judging names -------------------------------------------------------------------------------- */

struct judging {
	struct sopi_inredfs *fs;
	const char *folder; /* that is being listed */
	unsigned number; /* of blobs/xx */
	bool is_folder[PACK_FOLDERS]; /* blobs/xx */
	sopi_name_fn fn;
	void *arg;
};

static sop_status tell(const struct judging *judging, enum sopi_name judgement, const char *name,
		       sop_error *err)
{
	char path[NAME_PATH_BYTES];

	if (judgement == SOPI_NAME_KNOWN)
		return SOP_OK;
	snprintf(path, sizeof path, "%s%s%s", judging->folder,
		 judging->folder[0] != '\0' ? "/" : "", name);
	return judging->fn(judging->arg, judgement, path, err);
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names != NULL; names++) {
		if (strcmp(name, *names) == 0)
			return true;
	}
	return false;
}

static sop_status judge_root(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	static const char *const files[] = { "MANIFEST", "LOCK", "stats", NULL };
	static const char *const folders[] = { "log", "reg", "blobs", "outcome", "tmp", NULL };
	const bool known = (kind == SOPI_ENTRY_FILE && is_one_of(name, files)) ||
			   (kind == SOPI_ENTRY_FOLDER && is_one_of(name, folders));

	return tell(arg, known ? SOPI_NAME_KNOWN : SOPI_NAME_UNKNOWN, name, err);
}

/* What is left in tmp/ of an opening or a checkpoint that failed goes at the next open. */
static sop_status judge_tmp(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	static const char *const files[] = { "ballast", "MANIFEST", "creating", NULL };
	const bool known = kind == SOPI_ENTRY_FILE && is_one_of(name, files);

	return tell(arg, known ? SOPI_NAME_KNOWN : SOPI_NAME_UNKNOWN, name, err);
}

static sop_status judge_log(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	const struct judging *judging = arg;
	const uint64_t sequence = kind == SOPI_ENTRY_FILE ? sopi_wal_sequence(name) : 0;
	enum sopi_name judgement = SOPI_NAME_UNKNOWN;

	if (sequence != 0)
		judgement = sopi_wal_knows(judging->fs->wal, sequence) ? SOPI_NAME_KNOWN
								       : SOPI_NAME_LEAKED;
	return tell(judging, judgement, name, err);
}

static sop_status judge_registry(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	const struct judging *judging = arg;
	enum sopi_name judgement = SOPI_NAME_UNKNOWN;

	if (kind == SOPI_ENTRY_FILE) {
		switch (sopi_registry_judge(judging->fs->registry, name)) {
		case SOPI_REGISTRY_KNOWN:
			judgement = SOPI_NAME_KNOWN;
			break;
		case SOPI_REGISTRY_LEAKED:
			judgement = SOPI_NAME_LEAKED;
			break;
		case SOPI_REGISTRY_UNKNOWN:
			break;
		}
	}
	return tell(judging, judgement, name, err);
}

/* Numbers below those of the manifest are older than the last million, and go at the next open; the one above them may
 * be of a checkpoint that was given up, and is written again by the next one. */
static sop_status judge_outcome(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	const struct judging *judging = arg;
	const struct sopi_manifest *manifest = &judging->fs->manifest;
	uint64_t highest = 1;
	char path[SOPI_OUTCOME_PATH_BYTES];

	if (kind != SOPI_ENTRY_FILE || strlen(name) != 16 || strspn(name, "0123456789abcdef") != 16)
		return tell(judging, SOPI_NAME_UNKNOWN, name, err);
	if (manifest->outcome_count > 0)
		highest = manifest->outcomes[manifest->outcome_count - 1].number + 1;
	sopi_outcome_path(highest, path);
	return tell(judging, strcmp(name, strchr(path, '/') + 1) <= 0 ? SOPI_NAME_KNOWN : SOPI_NAME_LEAKED,
		    name, err);
}

static sop_status judge_blobs(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	static const char digits[] = "0123456789abcdef";
	struct judging *judging = arg;

	if (kind != SOPI_ENTRY_FOLDER || strlen(name) != 2 || strspn(name, digits) != 2)
		return tell(judging, SOPI_NAME_UNKNOWN, name, err);
	judging->is_folder[(strchr(digits, name[0]) - digits) * 16 + (strchr(digits, name[1]) - digits)] =
		true;
	return SOP_OK;
}

static sop_status judge_pack(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	const struct judging *judging = arg;
	enum sopi_name judgement = SOPI_NAME_UNKNOWN;
	uint64_t id;
	bool alone;

	if (kind == SOPI_ENTRY_FILE && sopi_pack_name_read(name, judging->number, &id, &alone))
		judgement = sopi_packs_know(judging->fs->packs, id, alone) ? SOPI_NAME_KNOWN
									   : SOPI_NAME_LEAKED;
	return tell(judging, judgement, name, err);
}

static sop_status judge_folder(struct judging *judging, const char *folder, sopi_list_fn fn,
			       sop_error *err)
{
	sop_status status;

	judging->folder = folder;
	status = sopi_folder_list(judging->fs->folder, folder, fn, judging, err);
	/* Who may write has made those that are missing. */
	return status == SOP_NOT_FOUND && judging->fs->engine->options.read_only ? SOP_OK : status;
}

sop_status sopi_names_judge(struct sopi_inredfs *fs, sopi_name_fn fn, void *arg, sop_error *err)
{
	struct judging judging = { .fs = fs, .fn = fn, .arg = arg };
	char folder[16];

	SOP_TRY(judge_folder(&judging, "", judge_root, err));
	SOP_TRY(judge_folder(&judging, "tmp", judge_tmp, err));
	SOP_TRY(judge_folder(&judging, "log", judge_log, err));
	SOP_TRY(judge_folder(&judging, "reg", judge_registry, err));
	SOP_TRY(judge_folder(&judging, "outcome", judge_outcome, err));
	SOP_TRY(judge_folder(&judging, "blobs", judge_blobs, err));
	for (judging.number = 0; judging.number < PACK_FOLDERS; judging.number++) {
		if (!judging.is_folder[judging.number])
			continue;
		snprintf(folder, sizeof folder, "blobs/%02x", judging.number);
		SOP_TRY(judge_folder(&judging, folder, judge_pack, err));
	}
	return SOP_OK;
}

sop_status sopi_name_is_leaked(struct sopi_inredfs *fs, const char *path, bool *leaked, sop_error *err)
{
	const char *name = strrchr(path, '/') + 1;
	struct sopi_entry entry;
	const sop_status status = sopi_folder_look(fs->folder, path, &entry, err);
	uint64_t id;
	bool alone;

	*leaked = false;
	if (status != SOP_OK)
		return status == SOP_NOT_FOUND ? SOP_OK : status;
	if (strncmp(path, "log/", 4) == 0)
		*leaked = !sopi_wal_knows(fs->wal, sopi_wal_sequence(name));
	else if (strncmp(path, "blobs/", 6) == 0)
		*leaked = sopi_pack_name_read(name, (unsigned)strtoul(path + 6, NULL, 16), &id, &alone) &&
			  !sopi_packs_know(fs->packs, id, alone);
	else
		*leaked = true;
	return SOP_OK;
}
