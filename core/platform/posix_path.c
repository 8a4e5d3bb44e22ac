/* Paths below a folder: by openat2, or name by name where the kernel or a sandbox has none. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/posix_path.h"

#include "platform/file.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic bool walk_always;

#ifdef SOP_TEST_HOOKS
void sopi_posix_walk_always(bool walk)
{
	atomic_store(&walk_always, walk);
}
#endif

static int open_once(int folder, const char *name, int flags, unsigned mode)
{
	int fd;

	do
		fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

/* The first name of `path` goes to `name`; returns what follows its slash, or NULL if it is the last. */
static const char *split(const char *path, char name[SOPI_PATH_BYTES_MAX + 1])
{
	const char *slash = strchr(path, '/');
	const size_t size = slash != NULL ? (size_t)(slash - path) : strlen(path);

	SOPI_CHECK(size <= SOPI_PATH_BYTES_MAX);
	memcpy(name, path, size);
	name[size] = '\0';
	return slash != NULL ? slash + 1 : NULL;
}

/* A symbolic link among the folders shows as ENOTDIR, because O_NOFOLLOW opened the link itself. */
static int open_by_walk(int root, const char *path, int flags, unsigned mode)
{
	char name[SOPI_PATH_BYTES_MAX + 1];
	int folder = root;
	int fd = -1;

	for (const char *rest = path; rest != NULL; folder = fd) {
		rest = split(rest, name);
		if (rest != NULL)
			fd = open_once(folder, name, O_PATH | O_DIRECTORY, 0);
		else
			fd = open_once(folder, name, flags, mode);
		if (folder != root) {
			const int kept = errno;

			close(folder);
			errno = kept;
		}
		if (fd < 0)
			return -1;
	}
	return fd;
}

static int open_by_openat2(int root, const char *path, int flags, unsigned mode)
{
	struct open_how how = { 0 };
	long fd;

	how.flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC);
	how.mode = (flags & O_CREAT) != 0 ? mode : 0;
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	do
		fd = syscall(SYS_openat2, root, path, &how, sizeof how);
	while (fd < 0 && errno == EINTR);
	return (int)fd;
}

int sopi_posix_open(int root, const char *path, int flags, unsigned mode)
{
	int fd;

	if (path[0] == '\0')
		return open_once(root, ".", flags, mode);
	if (atomic_load_explicit(&walk_always, memory_order_relaxed))
		return open_by_walk(root, path, flags, mode);
	fd = open_by_openat2(root, path, flags, mode);
	/* Sandboxes answer a call that they do not know with EPERM; if it was meant, the walk will say so again. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = open_by_walk(root, path, flags, mode);
	return fd;
}

bool sopi_posix_open_parent(int root, const char *path, struct sopi_posix_parent *parent)
{
	const char *slash = strrchr(path, '/');
	char folder[SOPI_PATH_BYTES_MAX + 1];

	parent->owned = slash != NULL;
	parent->name = slash != NULL ? slash + 1 : path;
	parent->fd = root;
	if (slash == NULL)
		return true;
	SOPI_CHECK(slash - path <= SOPI_PATH_BYTES_MAX);
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	parent->fd = sopi_posix_open(root, folder, O_PATH | O_DIRECTORY, 0);
	return parent->fd >= 0;
}

void sopi_posix_close_parent(struct sopi_posix_parent *parent)
{
	const int kept = errno;

	if (parent->owned)
		close(parent->fd);
	errno = kept;
}
