/* Whole files in memory. */
#ifndef SOPCTL_FILE_H
#define SOPCTL_FILE_H

#include <sop/buffer.h>

/* Reads the file `path` (- is standard input), at most `most` bytes, into `content`.
 * Returns OK; NOT_FOUND; LIMIT: it is larger; IO. */
sop_status file_read(const char *path, size_t most, sop_buf *content, sop_error *err);

/* Removes the folder `path` and all in it, as far as it can. */
void folder_remove(const char *path);

/* The middle of how long an fdatasync of 4 KB in a file in `folder` takes, of `rounds` of them, in nanoseconds; `worst`
 * receives the longest. Returns -1 and errno if it cannot be tried. */
long long flush_ns(const char *folder, int rounds, long long *worst);

#endif
