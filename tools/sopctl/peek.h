/* What a process that has a database open tells others about it. */
#ifndef SOPCTL_PEEK_H
#define SOPCTL_PEEK_H

#include "facts.h"

/* The folder that `url` names: without scheme and options. Appends to `folder`. */
void url_folder(const char *url, sop_buf *folder);

/* `url` as it may be shown: without options, which may hold secrets. Appends to `text`. */
void url_shown(const char *url, sop_buf *text);

/* Reads the figures of the database of `access`, which another process has open, and says on standard error whose they
 * are and how old. */
sop_status peek_figures(struct access *access, sop_stats *stats, sop_peek *peek);

#endif
