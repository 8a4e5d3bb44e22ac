/* Work on a database that is usually left to itself: flushing, checkpoints, giving space back. */
#ifndef SOP_MAINTENANCE_H
#define SOP_MAINTENANCE_H

#include <sop/database.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Told how far a long call is, now and then, on the thread of that call: `done_bytes` of about
 * `total_bytes`, which may still grow; 0 of 0 while nothing is known. Returns 0 to go on, anything else
 * to stop: the call then returns CANCELLED. `arg` is what the call was given. It may read and write the
 * database, but not close it (MISUSE). */
typedef int (*sop_progress_fn)(void *arg, uint64_t done_bytes, uint64_t total_bytes);

/* Puts everything that had committed on `db` when it was called on stable storage, whatever the
 * durability of the commits was. In memory it does nothing.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE; CLOSED; FORKED; FAILED: the log could not be flushed, now or before, and commits
 * of weaker durability may be lost: close the database and open it again, what is there then is durable.
 * Any thread; blocks for the disk. */
SOP_API sop_status sop_sync(sop_db *db, sop_error *err);

/* Writes a checkpoint of `db` now: what has changed goes into the data files, so that opening after a
 * crash has next to no log to read. It happens by itself in the background; a program calls it before it
 * copies files, or before it expects to be killed. Others go on meanwhile. In memory it does nothing.
 * err: filled on failure; may be NULL.
 * Returns OK; NO_SPACE (given up, nothing is lost: free some and try again); IO, CORRUPT (`err` names
 * the file); FAILED (close the database and open it again); NO_MEMORY; MISUSE; CLOSED; FORKED. Any
 * thread; blocks for the disk. */
SOP_API sop_status sop_checkpoint(sop_db *db, sop_error *err);

/* Gives space of `db` back to the file system: writes a checkpoint, rewrites data files that are mostly
 * dead, removes what nothing needs and trims the log. It happens by itself as space is needed; after
 * removing much, this does it at once. Others go on meanwhile. In memory it does nothing: `progress` is
 * not called.
 * progress: told how far it is; may be NULL. arg: handed to it.
 * err: filled on failure; may be NULL.
 * Returns OK; CANCELLED (`progress` stopped it: what was done stays done); NO_SPACE (what it could
 * remove without room for a copy is removed); IO, CORRUPT (`err` names the file); FAILED (close the
 * database and open it again); NO_MEMORY; MISUSE; CLOSED; FORKED. Any thread; blocks for the disk. */
SOP_API sop_status sop_gc(sop_db *db, sop_progress_fn progress, void *arg, sop_error *err);

#ifdef __cplusplus
}
#endif

#endif
