/* The log of a database in a folder: segments log/<sequence>.log, written in groups by a leader, one flush a group.
 *
 * docs/format.md has every byte. Recovery is in four steps, which the backend calls in this order: sopi_wal_open reads
 * the chain and tells a torn end from damage, without writing; then the backend writes its manifest again;
 * sopi_wal_resume makes what was read durable and begins a new segment; sopi_wal_replay hands every transaction behind
 * the checkpoint over. Commits may follow. Where nothing may be written, sopi_wal_freeze takes the place of the two steps in
 * the middle. */
#ifndef SOPI_LOG_WAL_H
#define SOPI_LOG_WAL_H

#include "log/log.h"
#include "platform/file.h"
#include "platform/platform.h"
#include "platform/thread.h"

/* A group or mark of the chain, by its slot and the checksum of its head, which is one over all groups before it. Slot 0:
 * the place before the first. */
struct sopi_wal_point {
	uint64_t slot;
	uint32_t crc;
};

struct sopi_wal_options {
	const struct sopi_platform *platform;
	struct sopi_folder *folder; /* of the database; outlives the log */
	sopi_mutex *commit_mutex; /* the leader takes it, shortly, to close a group */
	uint64_t epoch; /* of this opening, above that of every one before */
	uint64_t checkpoint; /* C of the manifest, a position */
	uint64_t first_segment; /* sequence of the segment that the manifest names; create: ignored, it is 1 */
	struct sopi_wal_point known; /* that the manifest names: the log was durable up to there; create: ignored */
	uint64_t segment_bytes; /* of the first segment; each new one is twice as large, up to segment_bytes_max */
	uint64_t segment_bytes_max;
	uint64_t pool_bytes_max; /* recycled segments kept; more are removed */
	uint64_t bytes_max; /* of all segments; beyond it recycled ones are removed, too; 0: any */
	bool writes_ahead; /* there may be a thread that writes the parts of large commits */
	uint64_t raw_group_bytes; /* while groups have this size or more, segments need no zeros; 0: they always do */
};

/* What the log has done since it was opened. */
struct sopi_wal_stats {
	uint64_t flushes; /* F1: writes that were made durable */
	uint64_t groups;
	uint64_t bytes_written; /* padding included */
	uint64_t payload_bytes; /* submitted */
	uint64_t segments; /* now, those that replay would read */
	uint64_t segment_bytes; /* of these */
	uint64_t current_bytes; /* of the newest of them */
	uint64_t pool_bytes; /* recycled segments that wait */
};

/* A new log: segment 1, empty and durable, its name too. The folder log/ is there. It goes on behind the position
 * options->checkpoint: its first slot is the one after it, and its head says so, as in a copy that has no log of its
 * own. */
sop_status sopi_wal_create(const struct sopi_wal_options *options, struct sopi_log **out, sop_error *err);

/* Reads headers and the chain from the manifest's segment on. CORRUPT, naming file and offset: a missing segment, a
 * chain that ends before the checkpoint or before the point that the manifest knows, or passes that with another
 * checksum, a segment opened under a newer manifest, a damaged record that something behind it proves to have been
 * flushed. IO, NO_MEMORY. Writes nothing. */
sop_status sopi_wal_open(const struct sopi_wal_options *options, struct sopi_log **out, sop_error *err);

/* The highest epoch that any segment header carries, 0 if there is none. REQUIRES: opened. */
uint64_t sopi_wal_epoch(const struct sopi_log *log);

/* The last position in the chain that was read; at or above the checkpoint. */
uint64_t sopi_wal_end(const struct sopi_log *log);

/* Writes what was not proved flushed again in place, syncs it, ends the old segment with a synced successor record and
 * begins a new segment under `epoch`. After it, all that was read is durable. A crash inside repeats it all, and so
 * may the caller after NO_SPACE. */
sop_status sopi_wal_resume(struct sopi_log *log, uint64_t epoch, sop_error *err);

/* Instead of sopi_wal_resume, where nothing may be written: what was read counts as durable, though nobody has made it so.
 * Only replaying, checking, asking and closing may follow. */
void sopi_wal_freeze(struct sopi_log *log);

/* Told of each transaction; `entry` lives for the call. A status other than OK ends the replay and is returned. */
typedef sop_status (*sopi_wal_replay_fn)(void *arg, uint64_t position,
					 const struct sopi_log_entry *entry, sop_error *err);

/* Hands over every transaction with a position above `behind`, in order. REQUIRES: resumed or frozen, nothing submitted yet.
 * Memory is bounded by the largest group. */
sop_status sopi_wal_replay(struct sopi_log *log, uint64_t behind, sopi_wal_replay_fn fn, void *arg,
			   sop_error *err);

/* The sequence of the segment that a manifest of checkpoint `position` must name: replay behind that position needs
 * it and those after it. */
uint64_t sopi_wal_segment_of(struct sopi_log *log, uint64_t position);

/* What a manifest that is written now may know: all up to there is durable. At or behind the end of every segment before
 * the current one. */
struct sopi_wal_point sopi_wal_durable_point(struct sopi_log *log);

/* After the manifest of checkpoint `position` that names `first_segment` is durable, folder included: recycles or
 * removes older segments; later headers carry `position`. Failures to remove are no failures. */
void sopi_wal_trim(struct sopi_log *log, uint64_t position, uint64_t first_segment);

/* Removes recycled segments beyond `pool_bytes`. */
void sopi_wal_shrink(struct sopi_log *log, uint64_t pool_bytes);

/* For closing: the same, and gives back what is reserved behind the end of the log. REQUIRES: flushed, nothing is submitted
 * any more. */
void sopi_wal_settle(struct sopi_log *log, uint64_t pool_bytes);

/* Flushes everything submitted, with `mark` behind an empty group that says so: then damage to the last groups cannot
 * pass for a torn end. For timers, sync and close. UNKNOWN, FAILED. */
sop_status sopi_wal_flush(struct sopi_log *log, bool mark, sop_error *err);

/* Gets the next segment ready (made, zeroed, durable) if the current one is filling up, so that no commit waits for
 * that. Called by the background thread, and by a checkpoint, which keeps it busy; never required. */
void sopi_wal_prepare(struct sopi_log *log);

/* Bytes of the chain behind `position`: what replay would read. */
uint64_t sopi_wal_bytes_behind(struct sopi_log *log, uint64_t position);

/* Is it time for sopi_wal_prepare? True once for each reason in a segment (it fills; it is raw, and groups are small), to
 * whoever asks first. */
bool sopi_wal_fills(struct sopi_log *log);

/* Has a write or sync failed? From then on reserve answers FAILED. */
bool sopi_wal_has_failed(const struct sopi_log *log);

/* Makes the log fail: for failures elsewhere after which nothing may be acknowledged. Any thread. */
void sopi_wal_fail(struct sopi_log *log);

void sopi_wal_get_stats(struct sopi_log *log, struct sopi_wal_stats *stats);

/* The sequence that a name in the folder log/ stands for; 0: it means nothing. */
uint64_t sopi_wal_sequence(const char *name);

/* Is there such a segment: in the chain, recycled, made ahead, or being removed? */
bool sopi_wal_knows(struct sopi_log *log, uint64_t sequence);

/* Checks every record of every segment that replay would read, while others append. `found` is told of each problem
 * (file, offset, message) and returns false to stop. */
sop_status sopi_wal_verify(struct sopi_log *log,
			   bool (*found)(void *arg, const char *file, int64_t offset,
					 const char *kind, const char *message),
			   void *arg, sop_error *err);

#endif
