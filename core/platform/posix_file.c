/* Files of the host: what is done with an open file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/posix.h"

#include "base/alloc.h"
#include "base/check.h"
#include "platform/fork.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ALLOCATE_BYTES_MIN = 64 << 10 }; /* what is reserved at once where signals interrupt it */

struct posix_file {
	struct sopi_file base;
	int fd;
	bool is_folder; /* which is only locked */
	bool locked; /* then the fork handler closes `fd` in a child */
	uint32_t fork_generation; /* of the process that locked it */
	char path[SOPI_PATH_BYTES_MAX + 1]; /* for messages */
};

static struct posix_file *file_of(struct sopi_file *file)
{
	return (struct posix_file *)file; /* `base` is the first member */
}

static sop_status fail(struct posix_file *file, bool changing, const char *action, uint64_t offset,
		       sop_error *err)
{
	return sopi_file_fail(err, errno, changing, action, file->path, (int64_t)offset);
}

/* A pipe or device that somebody put in the place of a file is refused before any byte of it is read. */
static sop_status check_regular(int fd, const char *path, sop_error *err)
{
	struct stat stat;

	if (fstat(fd, &stat) != 0)
		return sopi_file_fail(err, errno, false, "look at the file", path, -1);
	if (S_ISREG(stat.st_mode))
		return SOP_OK;
	return sopi_file_fail(err, S_ISDIR(stat.st_mode) ? EISDIR : ENXIO, false, "open the file",
			      path, -1);
}

/* A handle of `fd`, which is closed if there is no memory. */
static sop_status wrap(const struct sopi_files_driver *driver, int fd, struct posix_file **out,
		       sop_error *err)
{
	const sop_status status = sopi_alloc_zeroed(sizeof **out, (void **)out, err);

	if (status != SOP_OK) {
		close(fd);
		return status;
	}
	(*out)->base.driver = driver;
	(*out)->fd = fd;
	return SOP_OK;
}

sop_status sopi_posix_file_make(const struct sopi_files_driver *driver, int fd, const char *path,
				size_t direct_bytes, struct sopi_file **out, sop_error *err)
{
	struct posix_file *file = NULL;
	const sop_status status = check_regular(fd, path, err);

	if (status != SOP_OK) {
		close(fd);
		return status;
	}
	SOP_TRY(wrap(driver, fd, &file, err));
	file->base.direct_bytes = direct_bytes;
	memcpy(file->path, path, strnlen(path, sizeof file->path - 1));
	*out = &file->base;
	return SOP_OK;
}

/* The system's offsets are signed. */
static bool fits(uint64_t offset, uint64_t size)
{
	return offset <= INT64_MAX && size <= INT64_MAX - offset;
}

#ifdef SOP_TEST_HOOKS
static _Atomic size_t short_bytes; /* 0: as much as the system does */
static _Atomic unsigned calls;

void sopi_posix_short_io(size_t bytes)
{
	atomic_store(&short_bytes, bytes);
}

/* How much of `size` the next call may move; every third call is interrupted first. */
static size_t portion(const struct posix_file *file, size_t size)
{
	const size_t limit = atomic_load(&short_bytes);

	return limit != 0 && file->base.direct_bytes == 0 && limit < size ? limit : size;
}

static bool is_interrupted(void)
{
	if (atomic_load(&short_bytes) == 0 || atomic_fetch_add(&calls, 1) % 3 != 0)
		return false;
	errno = EINTR;
	return true;
}

/* As when a signal comes before so much has been reserved. */
static bool is_interrupted_at(uint64_t size)
{
	errno = EINTR;
	return atomic_load(&short_bytes) != 0 && size >= 2 * (uint64_t)ALLOCATE_BYTES_MIN;
}
#else
static size_t portion(const struct posix_file *file, size_t size)
{
	(void)file;
	return size;
}

static bool is_interrupted(void)
{
	return false;
}

static bool is_interrupted_at(uint64_t size)
{
	(void)size;
	return false;
}
#endif

static ssize_t read_once(const struct posix_file *file, void *to, size_t size, uint64_t offset)
{
	return is_interrupted() ? -1 : pread(file->fd, to, portion(file, size), (off_t)offset);
}

static ssize_t write_once(const struct posix_file *file, const void *from, size_t size, uint64_t offset)
{
	return is_interrupted() ? -1 : pwrite(file->fd, from, portion(file, size), (off_t)offset);
}

static int allocate_once(const struct posix_file *file, uint64_t offset, uint64_t size)
{
	return is_interrupted_at(size) ? -1 : fallocate(file->fd, 0, (off_t)offset, (off_t)size);
}

sop_status sopi_posix_read(struct sopi_file *base, uint64_t offset, void *to, size_t size,
			   size_t *got, sop_error *err)
{
	struct posix_file *file = file_of(base);
	size_t done = 0;

	*got = 0;
	if (!fits(offset, size))
		return SOP_OK; /* no file reaches there */
	while (done < size) {
		const ssize_t result = read_once(file, (char *)to + done, size - done, offset + done);

		if (result < 0 && errno == EINTR)
			continue;
		if (result < 0)
			return fail(file, false, "read", offset + done, err);
		done += (size_t)result;
		if (result == 0 || (base->direct_bytes != 0 && done % base->direct_bytes != 0))
			break; /* the end; a direct read could not go on from an odd place anyway */
	}
	*got = done;
	return SOP_OK;
}

sop_status sopi_posix_write(struct sopi_file *base, uint64_t offset, const void *from, size_t size,
			    sop_error *err)
{
	struct posix_file *file = file_of(base);
	size_t done = 0;

	errno = EFBIG;
	if (!fits(offset, size))
		return fail(file, true, "write", 0, err);
	while (done < size) {
		const ssize_t result =
			write_once(file, (const char *)from + done, size - done, offset + done);

		if (result < 0 && errno == EINTR)
			continue;
		if (result == 0)
			errno = EIO; /* never seen; going on could be for ever */
		if (result <= 0)
			return fail(file, true, "write", offset + done, err);
		done += (size_t)result;
	}
	return SOP_OK;
}

/* What is interrupted may have been undone (tmpfs does): with a timer of the program's a large piece would never be done.
 * So pieces get smaller, down to what takes no time. */
sop_status sopi_posix_allocate(struct sopi_file *base, uint64_t offset, uint64_t size, sop_error *err)
{
	struct posix_file *file = file_of(base);
	uint64_t piece = size;

	errno = EFBIG;
	if (!fits(offset, size))
		return fail(file, true, "reserve space", 0, err);
	while (size > 0) {
		piece = piece < size ? piece : size;
		if (allocate_once(file, offset, piece) == 0) {
			offset += piece;
			size -= piece;
		} else if (errno != EINTR) {
			return fail(file, true, "reserve space", offset, err);
		} else if (piece / 2 >= ALLOCATE_BYTES_MIN) {
			piece /= 2;
		}
	}
	return SOP_OK;
}

sop_status sopi_posix_resize(struct sopi_file *base, uint64_t size, sop_error *err)
{
	struct posix_file *file = file_of(base);
	int result;

	errno = EFBIG;
	if (!fits(0, size))
		return fail(file, true, "resize", 0, err);
	do
		result = ftruncate(file->fd, (off_t)size);
	while (result != 0 && errno == EINTR);
	return result == 0 ? SOP_OK : fail(file, true, "resize", size, err);
}

sop_status sopi_posix_write_back(struct sopi_file *base, uint64_t offset, uint64_t size, sop_error *err)
{
	struct posix_file *file = file_of(base);

	if (!fits(offset, size) ||
	    sync_file_range(file->fd, (off_t)offset, (off_t)size,
			    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE) == 0 ||
	    errno == ENOSYS || errno == EOPNOTSUPP || errno == EINVAL || errno == EPERM) /* not to be had here */
		return SOP_OK;
	return fail(file, true, "write back", offset, err);
}

/* No loop over EINTR: neither call gives it on a local file system, and a sync that failed is never repeated. */
sop_status sopi_posix_sync_data(struct sopi_file *base, sop_error *err)
{
	struct posix_file *file = file_of(base);

	return fdatasync(file->fd) == 0 ? SOP_OK : fail(file, true, "sync the data of the file", 0, err);
}

sop_status sopi_posix_sync(struct sopi_file *base, sop_error *err)
{
	struct posix_file *file = file_of(base);

	return fsync(file->fd) == 0 ? SOP_OK : fail(file, true, "sync the file", 0, err);
}

sop_status sopi_posix_size(struct sopi_file *base, uint64_t *size, sop_error *err)
{
	struct posix_file *file = file_of(base);
	struct stat stat;

	if (fstat(file->fd, &stat) != 0)
		return fail(file, false, "look at the file", 0, err);
	*size = (uint64_t)stat.st_size;
	return SOP_OK;
}

/* Where the mark of who shares a lock is; nothing is ever read or written there. */
#define MARK_AT ((off_t)1 << 62)

/* Locks of the open file description: unlike those of the process, they know one handle from another and are not lost
 * when some library closes the same file. */
static int set_lock(int fd, short type, off_t start, off_t size)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = size };

	return fcntl(fd, F_OFD_SETLK, &lock);
}

/* Such locks name nobody, and who only reads writes no name either: so whoever shares a lock leaves one of the process,
 * which has a number, on a byte behind what the shared one covers. It is lost when the process closes any descriptor of
 * the file; then nobody is named. */
static void mark(int fd, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = MARK_AT, .l_len = 1 };

	(void)fcntl(fd, F_SETLK, &lock);
}

/* A lock that is not shared covers the mark, too. */
static int take_lock(int fd, bool shared)
{
	int result;

	if (!shared)
		mark(fd, F_UNLCK); /* its own would be in the way */
	result = set_lock(fd, shared ? F_RDLCK : F_WRLCK, 0, shared ? MARK_AT : 0);
	if (result == 0 && shared) {
		(void)set_lock(fd, F_UNLCK, MARK_AT, 0);
		mark(fd, F_RDLCK);
	}
	return result;
}

/* From the moment that a descriptor may hold a lock a child must not keep it. A fork between open and here would leave
 * a copy in a child; the window is the few instructions since the caller opened the file. */
static sop_status watch(struct posix_file *file, sop_error *err)
{
	if (file->locked)
		return SOP_OK;
	sopi_fork_watch();
	errno = EMFILE;
	if (!sopi_fork_close_in_child(file->fd))
		return fail(file, false, "lock the file", 0, err);
	file->fork_generation = sopi_fork_generation();
	file->locked = true;
	return SOP_OK;
}

sop_status sopi_posix_lock(struct sopi_file *base, enum sopi_lock kind, sop_error *err)
{
	struct posix_file *file = file_of(base);
	const bool before = file->locked;
	int os_errno;

	SOP_TRY(watch(file, err));
	if (take_lock(file->fd, kind == SOPI_LOCK_SHARED) == 0)
		return SOP_OK;
	os_errno = errno;
	if (!before)
		sopi_posix_unlock(base);
	if (os_errno == EAGAIN || os_errno == EACCES)
		return sopi_fail_file(err, SOP_LOCKED, file->path, -1, os_errno,
				      "another holds the lock of the file [%s]", file->path);
	return sopi_file_fail(err, os_errno, false, "lock the file", file->path, -1);
}

/* Would a lock of this type on these bytes be refused? */
static sop_status ask(const struct posix_file *file, int command, struct flock *lock, sop_error *err)
{
	lock->l_whence = SEEK_SET;
	if (fcntl(file->fd, command, lock) != 0)
		return sopi_file_fail(err, errno, false, "ask for the lock of the file", file->path, -1);
	return SOP_OK;
}

sop_status sopi_posix_is_locked(struct sopi_file *base, struct sopi_locked *locked, sop_error *err)
{
	const struct posix_file *file = file_of(base);
	struct flock all = { .l_type = F_WRLCK, .l_len = MARK_AT };
	struct flock shared = { .l_type = F_RDLCK, .l_len = MARK_AT };
	struct flock marked = { .l_type = F_WRLCK, .l_start = MARK_AT, .l_len = 1 };

	memset(locked, 0, sizeof *locked);
	SOP_TRY(ask(file, F_OFD_GETLK, &all, err));
	locked->by_others = all.l_type != F_UNLCK;
	if (!locked->by_others)
		return SOP_OK;
	SOP_TRY(ask(file, F_OFD_GETLK, &shared, err));
	locked->shared = shared.l_type == F_UNLCK;
	if (!locked->shared)
		return SOP_OK;
	SOP_TRY(ask(file, F_GETLK, &marked, err));
	if (marked.l_type != F_UNLCK && marked.l_pid > 0)
		locked->process = (uint64_t)marked.l_pid;
	return SOP_OK;
}

/* First the lock, for it is shared with every copy of the descriptor that a child may have; then the mark, for the
 * number may be somebody else's once it is closed. */
void sopi_posix_unlock(struct sopi_file *base)
{
	struct posix_file *file = file_of(base);

	if (!file->locked || file->fork_generation != sopi_fork_generation())
		return;
	if (file->is_folder) {
		(void)flock(file->fd, LOCK_UN);
	} else {
		(void)set_lock(file->fd, F_UNLCK, 0, 0);
		mark(file->fd, F_UNLCK);
	}
	sopi_fork_forget(file->fd);
	file->locked = false;
}

void sopi_posix_close(struct sopi_file *base)
{
	struct posix_file *file = file_of(base);

	sopi_posix_unlock(base);
	if (!file->locked) /* still locked: this is a child, and its fork handler has closed the descriptor */
		close(file->fd);
	sopi_free(file);
}

/* Locks of the other kind cannot be had on a folder, of which nobody may write bytes. */
static sop_status lock_whole(struct posix_file *file, enum sopi_lock kind, sop_error *err)
{
	SOP_TRY(watch(file, err));
	if (flock(file->fd, (kind == SOPI_LOCK_SHARED ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
		return SOP_OK;
	if (errno == EWOULDBLOCK)
		return sopi_fail_file(err, SOP_LOCKED, ".", -1, errno,
				      "another holds the lock of the folder");
	return sopi_file_fail(err, errno, false, "lock the folder", "", -1);
}

sop_status sopi_posix_folder_lock_make(const struct sopi_files_driver *driver, int fd,
				       enum sopi_lock kind, struct sopi_file **out, sop_error *err)
{
	struct posix_file *file = NULL;
	sop_status status;

	SOP_TRY(wrap(driver, fd, &file, err));
	file->is_folder = true;
	status = lock_whole(file, kind, err);
	if (status != SOP_OK)
		sopi_posix_close(&file->base);
	else
		*out = &file->base;
	return status;
}
