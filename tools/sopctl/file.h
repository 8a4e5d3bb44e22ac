/* Whole files in memory. */
#ifndef SOPCTL_FILE_H
#define SOPCTL_FILE_H

#include <sop/buffer.h>

/* Reads the file `path` (- is standard input), at most `most` bytes, into `content`.
 * Returns OK; NOT_FOUND; LIMIT: it is larger; IO. */
sop_status file_read(const char *path, size_t most, sop_buf *content, sop_error *err);

#endif
