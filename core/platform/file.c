/* What all drivers of the files port share: the check of paths, the meaning of errno, the lock with a name in it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/file.h"

#include "base/check.h"
#include "platform/platform.h"

#include <errno.h>
#include <string.h>

static bool name_is_sound(const char *name, size_t size)
{
	return size > 0 && !(size == 1 && name[0] == '.') &&
	       !(size == 2 && name[0] == '.' && name[1] == '.');
}

static bool path_is_sound(const char *path)
{
	const size_t size = strnlen(path, SOPI_PATH_BYTES_MAX + 1);
	const char *name = path;

	if (size == 0)
		return true;
	if (size > SOPI_PATH_BYTES_MAX)
		return false;
	for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(name, '/')) {
		if (!name_is_sound(name, (size_t)(slash - name)))
			return false;
		name = slash + 1;
	}
	return name_is_sound(name, strlen(name));
}

/* Paths are made by this library, but one day one will come from a damaged file. */
static sop_status check_path(const char *path, sop_error *err)
{
	if (path_is_sound(path))
		return SOP_OK;
	return sopi_fail_file(err, SOP_MISUSE, path, -1, 0,
			      "this is not a path inside the database's folder");
}

/* The same for a path that must name something in the folder. */
static sop_status check_name(const char *path, sop_error *err)
{
	if (path[0] == '\0')
		return sopi_fail_file(err, SOP_MISUSE, path, -1, 0, "a name is missing");
	return check_path(path, err);
}

static sop_status status_of(int os_errno, bool changing)
{
	switch (os_errno) {
	case ENOENT:
		return SOP_NOT_FOUND;
	case EEXIST:
	case ENOTEMPTY:
		return SOP_EXISTS;
	case ENOSPC:
	case EDQUOT:
		return SOP_NO_SPACE;
	case ENOMEM:
	case EMFILE: /* of this process */
	case ENFILE: /* of the system */
		return SOP_NO_MEMORY;
	case EROFS:
		return SOP_READ_ONLY;
	case EACCES:
	case EPERM:
		return changing ? SOP_READ_ONLY : SOP_IO;
	case EFBIG:
		return SOP_LIMIT;
	case ENOSYS:
	case EOPNOTSUPP:
	case EINVAL:
		return SOP_UNSUPPORTED;
	case ELOOP:
	case ENOTDIR:
	case EISDIR:
	case ENXIO:
		return SOP_CORRUPT;
	default:
		return SOP_IO;
	}
}

/* What the user may do about it, or "". */
static const char *advice_of(int os_errno)
{
	switch (os_errno) {
	case ENOSPC:
	case EDQUOT:
		return "; free some space and try again";
	case EMFILE:
		return "; raise the limit of open files (ulimit -n)";
	case ENFILE:
		return "; raise the system's limit of open files (fs.file-max)";
	case EACCES:
	case EPERM:
		return "; look at the owner and mode of the database's folder";
	case EROFS:
		return "; the file system is mounted read-only";
	case ELOOP:
	case ENOTDIR:
	case EISDIR:
	case ENXIO:
		return "; this is not the kind of file that belongs here, and links are not followed";
	default:
		return "";
	}
}

sop_status sopi_file_fail(sop_error *err, int os_errno, bool changing, const char *action,
			  const char *path, int64_t offset)
{
	const char *reason = strerrordesc_np(os_errno); /* in English, whatever the locale */

	if (path[0] == '\0')
		path = "."; /* the folder itself */
	/* The path comes last: if the message must be cut, the path is in `err->file` as well. */
	return sopi_fail_file(err, status_of(os_errno, changing), path, offset, os_errno,
			      "cannot %s: %s%s [%s]", action,
			      reason != NULL ? reason : "unknown error", advice_of(os_errno), path);
}

sop_status sopi_files_open_folder(struct sopi_files *files, const char *path, unsigned flags,
				  struct sopi_folder **out, sop_error *err)
{
	if (path[0] == '\0')
		return sopi_fail(err, SOP_MISUSE, "the path of the database is empty");
	return files->driver->open_folder(files, path, flags, out, err);
}

void sopi_folder_close(struct sopi_folder *folder)
{
	if (folder != NULL)
		folder->driver->close_folder(folder);
}

sop_status sopi_folder_open_file(struct sopi_folder *folder, const char *path, unsigned flags,
				 struct sopi_file **out, sop_error *err)
{
	SOPI_CHECK((flags & (SOPI_FILE_READ | SOPI_FILE_WRITE)) != 0);
	SOPI_CHECK((flags & SOPI_FILE_WRITE) != 0 || (flags & SOPI_FILE_CREATE) == 0);
	SOPI_CHECK((flags & SOPI_FILE_CREATE) != 0 || (flags & SOPI_FILE_EXCLUSIVE) == 0);
	SOP_TRY(check_name(path, err));
	return folder->driver->open_file(folder, path, flags, out, err);
}

sop_status sopi_folder_make(struct sopi_folder *folder, const char *path, sop_error *err)
{
	SOP_TRY(check_name(path, err));
	return folder->driver->make_folder(folder, path, err);
}

sop_status sopi_folder_list(struct sopi_folder *folder, const char *path, sopi_list_fn fn,
			    void *arg, sop_error *err)
{
	SOP_TRY(check_path(path, err));
	return folder->driver->list(folder, path, fn, arg, err);
}

sop_status sopi_folder_look(struct sopi_folder *folder, const char *path, struct sopi_entry *entry,
			    sop_error *err)
{
	SOP_TRY(check_name(path, err));
	return folder->driver->look(folder, path, entry, err);
}

sop_status sopi_folder_rename(struct sopi_folder *folder, const char *from, const char *to, sop_error *err)
{
	SOP_TRY(check_name(from, err));
	SOP_TRY(check_name(to, err));
	return folder->driver->rename(folder, from, to, err);
}

sop_status sopi_folder_link(struct sopi_folder *folder, const char *from, const char *to, sop_error *err)
{
	SOP_TRY(check_name(from, err));
	SOP_TRY(check_name(to, err));
	return folder->driver->link(folder, from, to, err);
}

sop_status sopi_folder_remove(struct sopi_folder *folder, const char *path, sop_error *err)
{
	SOP_TRY(check_name(path, err));
	return folder->driver->remove(folder, path, err);
}

sop_status sopi_folder_remove_large(struct sopi_folder *folder, const char *path, sop_error *err)
{
	if (folder->driver->remove_large == NULL)
		return sopi_folder_remove(folder, path, err);
	SOP_TRY(check_name(path, err));
	return folder->driver->remove_large(folder, path, err);
}

sop_status sopi_folder_remove_folder(struct sopi_folder *folder, const char *path, sop_error *err)
{
	SOP_TRY(check_name(path, err));
	return folder->driver->remove_folder(folder, path, err);
}

/* What a failed sync leaves on the disk nobody knows, whatever its errno: it is never a mere lack of space or memory. */
static sop_status sync_ended(sop_status status, sop_error *err)
{
	sop_error why = SOP_ERROR_INIT;

	if (status != SOP_NO_SPACE && status != SOP_NO_MEMORY && status != SOP_READ_ONLY)
		return status;
	if (err == NULL)
		return SOP_IO;
	memcpy(&why, err, err->size < sizeof why ? err->size : sizeof why); /* the caller's may be an older, shorter one */
	return sopi_fail_file(err, SOP_IO, why.file, why.offset, why.os_errno, "%s", why.message);
}

sop_status sopi_folder_sync(struct sopi_folder *folder, const char *path, sop_error *err)
{
	sop_error unasked = SOP_ERROR_INIT;
	sop_error *why = err != NULL ? err : &unasked;
	sop_status status;

	SOP_TRY(check_path(path, err));
	status = folder->driver->sync_folder(folder, path, why);
	if (status == SOP_NO_MEMORY && (why->os_errno == EMFILE || why->os_errno == ENFILE))
		return status; /* the folder could not be opened: no sync was tried */
	return sync_ended(status, why);
}

sop_status sopi_folder_file_system(struct sopi_folder *folder, struct sopi_file_system *out,
				   sop_error *err)
{
	return folder->driver->file_system(folder, out, err);
}

/* Whether a read or write keeps to what a direct file asks of it. */
static bool is_aligned(const struct sopi_file *file, uint64_t offset, const void *memory, size_t size)
{
	const size_t unit = file->direct_bytes;

	return unit == 0 || (offset % unit == 0 && size % unit == 0 && (uintptr_t)memory % unit == 0);
}

bool sopi_files_identify(const struct sopi_files *files)
{
	return files->driver->identify != NULL;
}

sop_status sopi_folder_identify(struct sopi_folder *folder, uint64_t id[2], sop_error *err)
{
	if (folder->driver->identify == NULL)
		return sopi_fail(err, SOP_UNSUPPORTED, "folders cannot be told from each other here");
	return folder->driver->identify(folder, id, err);
}

sop_status sopi_folder_lies_in(struct sopi_folder *folder, struct sopi_folder *other, bool *inside,
			       sop_error *err)
{
	*inside = false;
	if (folder->driver->lies_in == NULL)
		return SOP_OK;
	return folder->driver->lies_in(folder, other, inside, err);
}

sop_status sopi_folder_lock_itself(struct sopi_folder *folder, enum sopi_lock kind,
				   struct sopi_file **out, sop_error *err)
{
	sop_status status = SOP_UNSUPPORTED;

	*out = NULL;
	if (folder->driver->lock_folder != NULL)
		status = folder->driver->lock_folder(folder, kind, out, err);
	return status == SOP_UNSUPPORTED ? SOP_OK : status;
}

sop_status sopi_file_read(struct sopi_file *file, uint64_t offset, void *to, size_t size,
			  size_t *got, sop_error *err)
{
	SOPI_CHECK(is_aligned(file, offset, to, size));
	return file->driver->read(file, offset, to, size, got, err);
}

sop_status sopi_file_write(struct sopi_file *file, uint64_t offset, const void *from, size_t size,
			   sop_error *err)
{
	SOPI_CHECK(is_aligned(file, offset, from, size));
	return file->driver->write(file, offset, from, size, err);
}

sop_status sopi_file_allocate(struct sopi_file *file, uint64_t offset, uint64_t size, sop_error *err)
{
	return file->driver->allocate(file, offset, size, err);
}

sop_status sopi_file_resize(struct sopi_file *file, uint64_t size, sop_error *err)
{
	return file->driver->resize(file, size, err);
}

sop_status sopi_file_write_back(struct sopi_file *file, uint64_t offset, uint64_t size, sop_error *err)
{
	return sync_ended(file->driver->write_back(file, offset, size, err), err);
}

sop_status sopi_file_sync_data(struct sopi_file *file, sop_error *err)
{
	return sync_ended(file->driver->sync_data(file, err), err);
}

sop_status sopi_file_sync(struct sopi_file *file, sop_error *err)
{
	return sync_ended(file->driver->sync(file, err), err);
}

sop_status sopi_file_size(struct sopi_file *file, uint64_t *size, sop_error *err)
{
	return file->driver->size(file, size, err);
}

sop_status sopi_file_lock(struct sopi_file *file, enum sopi_lock kind, sop_error *err)
{
	return file->driver->lock(file, kind, err);
}

sop_status sopi_file_is_locked(struct sopi_file *file, struct sopi_locked *locked, sop_error *err)
{
	return file->driver->is_locked(file, locked, err);
}

void sopi_file_unlock(struct sopi_file *file)
{
	file->driver->unlock(file);
}

void sopi_file_close(struct sopi_file *file)
{
	if (file != NULL)
		file->driver->close(file);
}

/* Reads who holds the lock. Anything may lie in the file: only printable ASCII of the first line is shown. */
static void read_holder(struct sopi_file *file, char holder[SOPI_HOLDER_BYTES_MAX + 1])
{
	size_t size = 0;

	if (sopi_file_read(file, 0, holder, SOPI_HOLDER_BYTES_MAX, &size, NULL) != SOP_OK)
		size = 0;
	for (size_t i = 0; i < size; i++) {
		if (holder[i] == '\n' || holder[i] == '\0')
			size = i;
		else if (holder[i] < ' ' || holder[i] > '~')
			holder[i] = '?';
	}
	holder[size] = '\0';
}

/* Always the same number of bytes, and a failure does not matter: a database on a full disk must still open. */
static void write_holder(struct sopi_file *file, const char *holder)
{
	char line[SOPI_HOLDER_BYTES_MAX] = { 0 };

	memcpy(line, holder, strnlen(holder, sizeof line));
	(void)sopi_file_write(file, 0, line, sizeof line, NULL);
}

/* Who shares a lock may have written nothing, and what is in the file is of somebody before. */
static void name_holder(struct sopi_file *file, const struct sopi_locked *locked,
			char holder[SOPI_HOLDER_BYTES_MAX + 1])
{
	holder[0] = '\0';
	if (!locked->shared)
		read_holder(file, holder);
	else if (locked->process != 0)
		sopi_process_name_of(locked->process, holder);
}

static sop_status fail_locked(struct sopi_file *file, const char *path, sop_error *err)
{
	char holder[SOPI_HOLDER_BYTES_MAX + 1];
	struct sopi_locked locked;
	const char *how;

	if (sopi_file_is_locked(file, &locked, NULL) != SOP_OK)
		memset(&locked, 0, sizeof locked);
	name_holder(file, &locked, holder);
	how = locked.shared ? ", which only reads it" : "";
	if (holder[0] == '\0')
		return sopi_fail_file(err, SOP_LOCKED, path, -1, 0,
				      "the database is open elsewhere%s; close it there first",
				      locked.shared ? ", to be read" : "");
	return sopi_fail_file(err, SOP_LOCKED, path, -1, 0,
			      "the database is open elsewhere, by %s%s; close it there first",
			      holder, how);
}

/* Locks a file that is open, or closes it. */
static sop_status lock_or_close(struct sopi_file *file, const char *path, enum sopi_lock kind,
				struct sopi_file **out, sop_error *err)
{
	sop_status status = sopi_file_lock(file, kind, err);

	if (status == SOP_LOCKED)
		status = fail_locked(file, path, err);
	if (status == SOP_OK)
		*out = file;
	else
		sopi_file_close(file);
	return status;
}

sop_status sopi_folder_lock_reading(struct sopi_folder *folder, const char *path,
				    struct sopi_file **out, sop_error *err)
{
	struct sopi_file *file = NULL;

	SOP_TRY(sopi_folder_open_file(folder, path, SOPI_FILE_READ, &file, err));
	return lock_or_close(file, path, SOPI_LOCK_SHARED, out, err);
}

sop_status sopi_folder_lock(struct sopi_folder *folder, const char *path, enum sopi_lock kind,
			    const char *holder, struct sopi_file **out, sop_error *err)
{
	struct sopi_file *file = NULL;
	sop_status status;

	status = sopi_folder_open_file(folder, path,
				       SOPI_FILE_READ | SOPI_FILE_WRITE | SOPI_FILE_CREATE, &file, err);
	if (status == SOP_READ_ONLY && kind == SOPI_LOCK_SHARED)
		status = sopi_folder_open_file(folder, path, SOPI_FILE_READ, &file, err);
	SOP_TRY(status);
	SOP_TRY(lock_or_close(file, path, kind, out, err));
	if (holder[0] != '\0')
		write_holder(file, holder);
	return SOP_OK;
}

sop_status sopi_folder_lock_holder(struct sopi_folder *folder, const char *path,
				   char holder[SOPI_HOLDER_BYTES_MAX + 1], sop_error *err)
{
	struct sopi_file *file = NULL;
	struct sopi_locked locked;
	sop_status status;

	holder[0] = '\0';
	SOP_TRY(sopi_folder_open_file(folder, path, SOPI_FILE_READ, &file, err));
	status = sopi_file_is_locked(file, &locked, err);
	if (status == SOP_OK && !locked.by_others)
		status = sopi_fail_file(err, SOP_NOT_FOUND, path, -1, 0,
					"nobody holds the lock of the file");
	if (status == SOP_OK)
		name_holder(file, &locked, holder);
	sopi_file_close(file);
	return status;
}
