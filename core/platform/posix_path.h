/* Finding files below a folder without following symbolic links. For the posix driver only. */
#ifndef SOPI_POSIX_PATH_H
#define SOPI_POSIX_PATH_H

#include <stdbool.h>

/* A folder's descriptor and the last name of a path in it. */
struct sopi_posix_parent {
	int fd;
	bool owned; /* to be closed: the path has more than one name */
	const char *name; /* points into the path */
};

/* openat() of `path` below the folder `root` ("": the folder itself), in which no name may be a symbolic link; gives a
 * descriptor, or -1 and errno. REQUIRES: a path that sopi_folder_... has checked. */
int sopi_posix_open(int root, const char *path, int flags, unsigned mode);

/* Opens the folder that holds the last name of `path`; false and errno if it cannot. */
bool sopi_posix_open_parent(int root, const char *path, struct sopi_posix_parent *parent);

/* Keeps errno. */
void sopi_posix_close_parent(struct sopi_posix_parent *parent);

#ifdef SOP_TEST_HOOKS
/* Does without openat2, as a kernel before 5.6 or a sandbox does. */
void sopi_posix_walk_always(bool walk);
#endif

#endif
