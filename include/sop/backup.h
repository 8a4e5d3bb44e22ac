/* Copies of a database in a folder, taken while it works, and bringing them back. */
#ifndef SOP_BACKUP_H
#define SOP_BACKUP_H

#include <sop/maintenance.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Copies `db`, consistent as of one position, into the folder `path`, while others go on. The copy is
 * checked and on stable storage when it returns. It is a database itself, which sop_open opens; to keep
 * it as it is, restore it elsewhere and open that.
 * path: NUL-terminated path of a folder that is missing (its parent exists) or empty; no url.
 * progress: told how far it is; may be NULL. arg: handed to it.
 * position: receives the position that the copy is as of: it has all commits up to there and nothing
 * behind; may be NULL. Every commit that was answered before the call is in it.
 * err: filled on failure; may be NULL.
 * Returns OK; and, with no copy in `path` that could be taken for a whole one,
 *   EXISTS       `path` is a folder with something in it, or a file: choose another
 *   NOT_FOUND    the parent of `path` does not exist
 *   CANCELLED    `progress` stopped it
 *   NO_SPACE     the storage of `path` is full; remove what is there, free some, and try again
 *   CORRUPT      bytes of `db` are damaged: `err` names file and place; run sop_verify
 *   UNSUPPORTED  `db` is in memory: there are no files to copy; or the file system of `path` cannot
 *                keep a database, as those of a network
 *   MISUSE       `path` is the folder of `db` or lies in it: choose another; or an argument is wrong
 *   READ_ONLY, IO, FAILED, NO_MEMORY, LIMIT (the path is too long), CLOSED, FORKED
 * Any thread; blocks for the disk. sop_close waits for it. */
SOP_API sop_status sop_backup(sop_db *db, const char *path, sop_progress_fn progress, void *arg,
			      uint64_t *position, sop_error *err);

/* Makes a database in the folder `path` from the copy that sop_backup made in `backup_path`, and checks
 * it. The copy stays as it is; it must not be open meanwhile, and it is locked, so that sop_open answers
 * LOCKED. Only where this process may not write to the copy and no file LOCK is in it, or its file
 * system has no locks, must the caller see to it. Open the new database with sop_open.
 * backup_path: NUL-terminated path of the folder that sop_backup filled; no url.
 * path: NUL-terminated path of a folder that is missing (its parent exists) or empty; no url.
 * progress: told how far it is; may be NULL. arg: handed to it.
 * err: filled on failure; may be NULL.
 * Returns OK; and, with no database in `path` that sop_open would open,
 *   NOT_FOUND    there is no whole copy in `backup_path`, or the parent of `path` does not exist
 *   EXISTS       `path` is a folder with something in it, or a file: choose another
 *   LOCKED       `backup_path` is open as a database
 *   CANCELLED    `progress` stopped it
 *   NO_SPACE     the storage of `path` is full; remove what is there, free some, and try again
 *   CORRUPT      the copy is damaged: `err` names file and place; take an older one
 *   UNSUPPORTED  the copy is of a newer version, or the file system of `path` cannot keep a database
 *   MISUSE       `path` lies in `backup_path`: choose another; or an argument is wrong
 *   READ_ONLY, IO, NO_MEMORY, LIMIT (a path is too long)
 * Any thread; blocks for the disk. */
SOP_API sop_status sop_restore(const char *backup_path, const char *path, sop_progress_fn progress,
			       void *arg, sop_error *err);

#ifdef __cplusplus
}
#endif

#endif
