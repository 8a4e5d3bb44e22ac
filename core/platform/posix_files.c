/* Files of the host: the folder's half of the driver. What is done with an open file is in posix_file.c. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/posix.h"

#include "base/alloc.h"
#include "base/check.h"
#include "platform/posix_path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	FOLDER_MODE = 0700,
	FILE_MODE = 0600,
	DIRECT_BYTES_MIN = 4096, /* a smaller unit makes many drives read, change and write their real block */
	FOLDERS_DEEP_MAX = 4096, /* deeper than any path reaches */
	REMOVED_AT_ONCE = 1 << 20, /* bytes of a large file */
	DIRECT_BYTES_MAX = 1 << 16, /* nobody has such a block; then we go through the page cache */
};

struct posix_folder {
	struct sopi_folder base;
	int fd;
};

static struct posix_folder *folder_of(struct sopi_folder *folder)
{
	return (struct posix_folder *)folder; /* `base` is the first member */
}

static int sync_and_close(int fd)
{
	const int result = fsync(fd);
	const int kept = errno;

	close(fd);
	errno = kept;
	return result;
}

/* Opens the folder in which `path` stands; -1 and errno if it cannot. */
static int open_parent_of(const char *path)
{
	const size_t size = strlen(path) + 1;
	char room[PATH_MAX];

	if (size > sizeof room) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(room, path, size); /* dirname() changes what it is given */
	return open(dirname(room), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Makes the folder and its name durable: also if it was there, for whoever made it may have crashed before that. But
 * then a parent that we may not read is no reason to refuse it. */
static sop_status make_root(const char *path, sop_error *err)
{
	const bool made = mkdir(path, FOLDER_MODE) == 0;
	int parent;

	if (!made && errno != EEXIST)
		return sopi_file_fail(err, errno, true, "make the folder of the database", path, -1);
	parent = open_parent_of(path);
	if (parent < 0 && errno == EACCES && !made)
		return SOP_OK;
	if (parent < 0 || sync_and_close(parent) != 0)
		return sopi_file_fail(err, errno, true, "sync the parent of the database's folder",
				      path, -1);
	return SOP_OK;
}

sop_status sopi_posix_open_folder(struct sopi_files *files, const char *path, unsigned flags,
				  struct sopi_folder **out, sop_error *err)
{
	struct posix_folder *folder = NULL;

	if ((flags & SOPI_FOLDER_CREATE) != 0)
		SOP_TRY(make_root(path, err));
	SOP_TRY(sopi_alloc_zeroed(sizeof *folder, (void **)&folder, err));
	folder->base.driver = files->driver;
	folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder->fd < 0) {
		const int os_errno = errno;

		sopi_free(folder);
		return sopi_file_fail(err, os_errno, false, "open the folder of the database", path, -1);
	}
	*out = &folder->base;
	return SOP_OK;
}

void sopi_posix_close_folder(struct sopi_folder *base)
{
	struct posix_folder *folder = folder_of(base);

	close(folder->fd);
	sopi_free(folder);
}

static int system_flags_of(unsigned flags)
{
	int system_flags = O_RDONLY;

	if ((flags & SOPI_FILE_WRITE) != 0)
		system_flags = (flags & SOPI_FILE_READ) != 0 ? O_RDWR : O_WRONLY;
	if ((flags & SOPI_FILE_CREATE) != 0)
		system_flags |= O_CREAT;
	if ((flags & SOPI_FILE_EXCLUSIVE) != 0)
		system_flags |= O_EXCL;
	return system_flags | O_NOCTTY | O_NONBLOCK; /* a pipe put in our way must not hang us */
}

/* The unit of direct reads and writes of `fd`, or 0 if there are none. */
static size_t direct_unit_of(int fd)
{
	size_t unit = DIRECT_BYTES_MIN;
#ifdef STATX_DIOALIGN
	struct statx info;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) == 0 &&
	    (info.stx_mask & STATX_DIOALIGN) != 0) {
		if (info.stx_dio_offset_align == 0)
			return 0;
		unit = info.stx_dio_mem_align > unit ? info.stx_dio_mem_align : unit;
		unit = info.stx_dio_offset_align > unit ? info.stx_dio_offset_align : unit;
	}
#else
	(void)fd;
#endif
	return unit <= DIRECT_BYTES_MAX ? unit : 0;
}

static bool same_file(int a, int b)
{
	struct stat a_stat;
	struct stat b_stat;

	return fstat(a, &a_stat) == 0 && fstat(b, &b_stat) == 0 && a_stat.st_dev == b_stat.st_dev &&
	       a_stat.st_ino == b_stat.st_ino;
}

/* Opens the file once more for direct writing and gives its unit; 0 and `*fd` as it was where there is no such thing.
 * At once would not do: a file system that refuses O_DIRECT may have made the file by then. */
static size_t make_direct(int root, const char *path, int system_flags, int *fd)
{
	const size_t unit = direct_unit_of(*fd);
	int direct;

	if (unit == 0)
		return 0;
	system_flags = (system_flags & ~(O_CREAT | O_EXCL)) | O_DIRECT | O_DSYNC;
	direct = sopi_posix_open(root, path, system_flags, 0);
	if (direct < 0)
		return 0;
	if (!same_file(*fd, direct)) {
		close(direct);
		return 0;
	}
	close(*fd);
	*fd = direct;
	return unit;
}

/* Without noting when the file was read: the system asks at each read whether that is due. Not everybody may, of a file that
 * another user owns. */
static int open_unnoted(int root, const char *path, int *system_flags)
{
	int fd = -1;
#ifdef O_NOATIME
	fd = sopi_posix_open(root, path, *system_flags | O_NOATIME, FILE_MODE);
	if (fd >= 0)
		*system_flags |= O_NOATIME;
	if (fd >= 0 || errno != EPERM)
		return fd;
#endif
	return sopi_posix_open(root, path, *system_flags, FILE_MODE);
}

sop_status sopi_posix_open_file(struct sopi_folder *base, const char *path, unsigned flags,
				struct sopi_file **out, sop_error *err)
{
	const int root = folder_of(base)->fd;
	int system_flags = system_flags_of(flags);
	int fd = open_unnoted(root, path, &system_flags);
	size_t direct_bytes = 0;

	if (fd < 0)
		return sopi_file_fail(err, errno, (flags & SOPI_FILE_WRITE) != 0, "open the file",
				      path, -1);
	if ((flags & SOPI_FILE_DIRECT) != 0)
		direct_bytes = make_direct(root, path, system_flags, &fd);
	return sopi_posix_file_make(base->driver, fd, path, direct_bytes, out, err);
}

sop_status sopi_posix_make_folder(struct sopi_folder *base, const char *path, sop_error *err)
{
	struct sopi_posix_parent parent;
	int result = -1;

	if (sopi_posix_open_parent(folder_of(base)->fd, path, &parent)) {
		result = mkdirat(parent.fd, parent.name, FOLDER_MODE);
		sopi_posix_close_parent(&parent);
	}
	if (result != 0)
		return sopi_file_fail(err, errno, true, "make the folder", path, -1);
	return SOP_OK;
}

static void entry_of(const struct stat *stat, struct sopi_entry *entry)
{
	entry->kind = SOPI_ENTRY_OTHER;
	entry->size = 0;
	entry->links = (uint64_t)stat->st_nlink;
	if (S_ISDIR(stat->st_mode))
		entry->kind = SOPI_ENTRY_FOLDER;
	if (S_ISREG(stat->st_mode)) {
		entry->kind = SOPI_ENTRY_FILE;
		entry->size = (uint64_t)stat->st_size;
	}
}

/* False and errno if the kind cannot be told. */
static bool kind_of(DIR *dir, const struct dirent *dirent, enum sopi_entry_kind *kind)
{
	struct sopi_entry entry;
	struct stat stat;

	switch (dirent->d_type) {
	case DT_REG:
		*kind = SOPI_ENTRY_FILE;
		return true;
	case DT_DIR:
		*kind = SOPI_ENTRY_FOLDER;
		return true;
	case DT_UNKNOWN: /* some file systems keep no kinds in folders */
		if (fstatat(dirfd(dir), dirent->d_name, &stat, AT_SYMLINK_NOFOLLOW) != 0)
			return false;
		entry_of(&stat, &entry);
		*kind = entry.kind;
		return true;
	default:
		*kind = SOPI_ENTRY_OTHER;
		return true;
	}
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static sop_status list_entries(DIR *dir, const char *path, sopi_list_fn fn, void *arg, sop_error *err)
{
	for (;;) {
		const struct dirent *dirent;
		enum sopi_entry_kind kind;

		errno = 0; /* the only way to tell the end from an error */
		dirent = readdir(dir);
		if (dirent == NULL && errno == 0)
			return SOP_OK;
		if (dirent != NULL && is_dots(dirent->d_name))
			continue;
		if (dirent == NULL || !kind_of(dir, dirent, &kind)) {
			if (dirent != NULL && errno == ENOENT)
				continue; /* gone since */
			return sopi_file_fail(err, errno, false, "list the folder", path, -1);
		}
		SOP_TRY(fn(arg, dirent->d_name, kind, err));
	}
}

sop_status sopi_posix_list(struct sopi_folder *base, const char *path, sopi_list_fn fn, void *arg,
			   sop_error *err)
{
	const int fd = sopi_posix_open(folder_of(base)->fd, path, O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	sop_status status;

	if (dir == NULL) {
		status = sopi_file_fail(err, errno, false, "list the folder", path, -1);
		if (fd >= 0)
			close(fd);
		return status;
	}
	status = list_entries(dir, path, fn, arg, err);
	closedir(dir);
	return status;
}

sop_status sopi_posix_look(struct sopi_folder *base, const char *path, struct sopi_entry *entry,
			   sop_error *err)
{
	struct sopi_posix_parent parent;
	struct stat stat;
	int result = -1;

	if (sopi_posix_open_parent(folder_of(base)->fd, path, &parent)) {
		result = fstatat(parent.fd, parent.name, &stat, AT_SYMLINK_NOFOLLOW);
		sopi_posix_close_parent(&parent);
	}
	if (result != 0)
		return sopi_file_fail(err, errno, false, "look at the file", path, -1);
	entry_of(&stat, entry);
	return SOP_OK;
}

typedef int (*two_names_fn)(int from_fd, const char *from, int to_fd, const char *to);

static int rename_at(int from_fd, const char *from, int to_fd, const char *to)
{
	return renameat(from_fd, from, to_fd, to);
}

static int link_at(int from_fd, const char *from, int to_fd, const char *to)
{
	return linkat(from_fd, from, to_fd, to, 0);
}

static sop_status with_two_names(struct sopi_folder *base, const char *from, const char *to,
				 two_names_fn fn, const char *action, sop_error *err)
{
	const int root = folder_of(base)->fd;
	struct sopi_posix_parent from_parent;
	struct sopi_posix_parent to_parent;
	int result = -1;

	if (!sopi_posix_open_parent(root, from, &from_parent))
		return sopi_file_fail(err, errno, true, action, from, -1);
	if (sopi_posix_open_parent(root, to, &to_parent)) {
		result = fn(from_parent.fd, from_parent.name, to_parent.fd, to_parent.name);
		sopi_posix_close_parent(&to_parent);
	}
	sopi_posix_close_parent(&from_parent);
	if (result != 0)
		return sopi_file_fail(err, errno, true, action, errno == ENOENT ? from : to, -1);
	return SOP_OK;
}

sop_status sopi_posix_rename(struct sopi_folder *base, const char *from, const char *to, sop_error *err)
{
	return with_two_names(base, from, to, rename_at, "rename the file", err);
}

sop_status sopi_posix_link(struct sopi_folder *base, const char *from, const char *to, sop_error *err)
{
	return with_two_names(base, from, to, link_at, "link the file", err);
}

static sop_status remove_name(struct sopi_folder *base, const char *path, int flags,
			      const char *action, sop_error *err)
{
	struct sopi_posix_parent parent;
	int result = -1;

	if (sopi_posix_open_parent(folder_of(base)->fd, path, &parent)) {
		result = unlinkat(parent.fd, parent.name, flags);
		sopi_posix_close_parent(&parent);
	}
	if (result != 0)
		return sopi_file_fail(err, errno, true, action, path, -1);
	return SOP_OK;
}

sop_status sopi_posix_remove(struct sopi_folder *base, const char *path, sop_error *err)
{
	return remove_name(base, path, 0, "remove the file", err);
}

/* Makes a file short, unless it has another name. Where the room of a file is discarded at once, 16 MB hold up every flush
 * of the device for 5 ms, a megabyte for half of one (docs/decisions/0012). */
static void shorten(int root, const char *path)
{
	const int fd = sopi_posix_open(root, path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	struct stat stat;

	if (fd < 0)
		return;
	if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_nlink == 1) {
		off_t size = stat.st_size;

		while (size > REMOVED_AT_ONCE && ftruncate(fd, size - REMOVED_AT_ONCE) == 0)
			size -= REMOVED_AT_ONCE;
	}
	close(fd);
}

sop_status sopi_posix_remove_large(struct sopi_folder *base, const char *path, sop_error *err)
{
	shorten(folder_of(base)->fd, path);
	return sopi_posix_remove(base, path, err);
}

sop_status sopi_posix_remove_folder(struct sopi_folder *base, const char *path, sop_error *err)
{
	return remove_name(base, path, AT_REMOVEDIR, "remove the folder", err);
}

sop_status sopi_posix_sync_folder(struct sopi_folder *base, const char *path, sop_error *err)
{
	const int root = folder_of(base)->fd;
	int fd, result;

	if (path[0] == '\0') { /* it is open: this never fails for want of a descriptor */
		result = fsync(root);
	} else {
		fd = sopi_posix_open(root, path, O_RDONLY | O_DIRECTORY, 0);
		result = fd >= 0 ? sync_and_close(fd) : -1;
	}
	if (result != 0)
		return sopi_file_fail(err, errno, true, "sync the folder", path, -1);
	return SOP_OK;
}

static const struct {
	uint32_t magic;
	enum sopi_file_system_kind kind;
	const char *name;
} systems[] = {
	{ EXT4_SUPER_MAGIC, SOPI_FILE_SYSTEM_LOCAL, "ext4" },
	{ XFS_SUPER_MAGIC, SOPI_FILE_SYSTEM_LOCAL, "xfs" },
	{ BTRFS_SUPER_MAGIC, SOPI_FILE_SYSTEM_LOCAL, "btrfs" },
	{ F2FS_SUPER_MAGIC, SOPI_FILE_SYSTEM_LOCAL, "f2fs" },
	{ 0x2FC12FC1, SOPI_FILE_SYSTEM_LOCAL, "zfs" },
	{ OVERLAYFS_SUPER_MAGIC, SOPI_FILE_SYSTEM_LOCAL, "overlayfs" },
	{ TMPFS_MAGIC, SOPI_FILE_SYSTEM_LOCAL, "tmpfs" },
	{ RAMFS_MAGIC, SOPI_FILE_SYSTEM_LOCAL, "ramfs" },
	{ NFS_SUPER_MAGIC, SOPI_FILE_SYSTEM_NETWORK, "nfs" },
	{ SMB_SUPER_MAGIC, SOPI_FILE_SYSTEM_NETWORK, "smb" },
	{ 0xFF534D42, SOPI_FILE_SYSTEM_NETWORK, "cifs" },
	{ 0xFE534D42, SOPI_FILE_SYSTEM_NETWORK, "smb2" },
	{ CEPH_SUPER_MAGIC, SOPI_FILE_SYSTEM_NETWORK, "ceph" },
	{ V9FS_MAGIC, SOPI_FILE_SYSTEM_NETWORK, "9p" },
	{ AFS_FS_MAGIC, SOPI_FILE_SYSTEM_NETWORK, "afs" },
	{ OCFS2_SUPER_MAGIC, SOPI_FILE_SYSTEM_NETWORK, "ocfs2" },
	{ 0x01161970, SOPI_FILE_SYSTEM_NETWORK, "gfs2" },
	{ 0x0BD00BD0, SOPI_FILE_SYSTEM_NETWORK, "lustre" },
	{ 0x47504653, SOPI_FILE_SYSTEM_NETWORK, "gpfs" },
	{ FUSE_SUPER_MAGIC, SOPI_FILE_SYSTEM_FUSE, "fuse" },
};

static void name_file_system(uint32_t magic, struct sopi_file_system *out)
{
	for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
		if (systems[i].magic == magic) {
			out->kind = systems[i].kind;
			(void)snprintf(out->name, sizeof out->name, "%s", systems[i].name);
			return;
		}
	}
	out->kind = SOPI_FILE_SYSTEM_LOCAL;
	(void)snprintf(out->name, sizeof out->name, "0x%08x", (unsigned)magic);
}

sop_status sopi_posix_file_system(struct sopi_folder *base, struct sopi_file_system *out, sop_error *err)
{
	struct statfs statfs;

	if (fstatfs(folder_of(base)->fd, &statfs) != 0)
		return sopi_file_fail(err, errno, false, "look at the file system", "", -1);
	name_file_system((uint32_t)statfs.f_type, out);
	out->free_bytes = (uint64_t)statfs.f_bavail * (uint64_t)statfs.f_frsize;
	out->total_bytes = (uint64_t)statfs.f_blocks * (uint64_t)statfs.f_frsize;
	return SOP_OK;
}

sop_status sopi_posix_identify(struct sopi_folder *base, uint64_t id[2], sop_error *err)
{
	struct stat stat;

	if (fstat(folder_of(base)->fd, &stat) != 0)
		return sopi_file_fail(err, errno, false, "look at the folder", "", -1);
	id[0] = (uint64_t)stat.st_dev;
	id[1] = (uint64_t)stat.st_ino;
	return SOP_OK;
}

/* Is `fd`, which it closes, the folder that `wanted` describes, or somewhere below it? -1 and errno if nobody can tell. */
static int climb_to(int fd, const struct stat *wanted)
{
	struct stat here, before = { 0 };
	int found = 0, up;

	for (int depth = 0; depth < FOLDERS_DEEP_MAX && found == 0; depth++) {
		if (fstat(fd, &here) != 0)
			break;
		if (here.st_dev == wanted->st_dev && here.st_ino == wanted->st_ino)
			found = 1;
		if (depth > 0 && here.st_dev == before.st_dev && here.st_ino == before.st_ino)
			break; /* the root is its own parent */
		before = here;
		up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (up < 0) {
			found = errno == EACCES || errno == ENOENT ? found : -1;
			break;
		}
		close(fd);
		fd = up;
	}
	up = errno;
	close(fd);
	errno = up;
	return found;
}

sop_status sopi_posix_lies_in(struct sopi_folder *base, struct sopi_folder *other, bool *inside,
			      sop_error *err)
{
	const int fd = openat(folder_of(base)->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat wanted;
	int found = -1;

	if (fd >= 0 && fstat(folder_of(other)->fd, &wanted) == 0)
		found = climb_to(fd, &wanted);
	else if (fd >= 0)
		close(fd);
	if (found < 0)
		return sopi_file_fail(err, errno, false, "look at the folders above", "", -1);
	*inside = found > 0;
	return SOP_OK;
}

/* Through a descriptor of its own, which closing gives back: that of the folder is closed by children, too. */
sop_status sopi_posix_lock_folder(struct sopi_folder *base, enum sopi_lock kind,
				  struct sopi_file **out, sop_error *err)
{
	const int fd = sopi_posix_open(folder_of(base)->fd, "", O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return sopi_file_fail(err, errno, false, "open the folder", "", -1);
	return sopi_posix_folder_lock_make(base->driver, fd, kind, out, err);
}
