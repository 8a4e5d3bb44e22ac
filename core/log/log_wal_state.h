/* What the parts of the log in a folder share; nothing outside log_wal*.c includes it.
 *
 * log_wal.c          opening, closing, the port, figures
 * log_wal_buffer.c   reservations, and what was submitted and is not written yet
 * log_wal_group.c    leader and followers
 * log_wal_ahead.c    a thread that leads for large commits
 * log_wal_write.c    what the leader writes: groups, successors, marks
 * log_wal_segment.c  making, recycling and removing segments
 * log_wal_scan.c     reading segments, record by record
 * log_wal_recover.c  the chain at open
 * log_wal_replay.c   handing its transactions over
 * log_wal_resume.c   the chain made durable, and the new segment
 * log_wal_verify.c   checking while others append
 *
 * Lock order: commit mutex, `maker` or `queue`, then `state`, which is a leaf, as is the mutex of `ahead`. The leader takes the
 * commit mutex and, after it, `maker`, never two of the three at a time. */
#ifndef SOPI_LOG_WAL_STATE_H
#define SOPI_LOG_WAL_STATE_H

#include "codec/log_record.h"
#include "log/log_wal.h"

#include <stdatomic.h>

enum {
	SOPI_WAL_CHUNK_BYTES = 4 << 20, /* of buffer, and the most that one write takes; touched as far as it is used */
	SOPI_WAL_CHUNK_AT = SOPI_LOG_BLOCK_BYTES_MAX, /* where they begin, aligned for every device */
	SOPI_WAL_CHUNKS_KEPT = 2, /* the others are given back */
	SOPI_WAL_PAYLOAD_BYTES_MAX = 1 << 30, /* of one transaction */
	SOPI_WAL_SEGMENT_BYTES_MIN = 16 << 10,
	SOPI_WAL_FLOOR_BYTES = 64 << 10, /* of log space that only urgent reservations may use */
	SOPI_WAL_NAME_BYTES = 32, /* "log/", 16 digits, ".log" and a NUL */
	SOPI_WAL_WRITES_MAX = 2, /* on their way to the device at a time; with three it was no faster */
};

/* A piece of buffer; its bytes begin at SOPI_WAL_CHUNK_AT. */
struct wal_chunk {
	struct wal_chunk *next;
};

static inline uint8_t *wal_chunk_bytes(struct wal_chunk *chunk)
{
	return (uint8_t *)chunk + SOPI_WAL_CHUNK_AT;
}

/* Groups as they will stand in the log, one behind the other, each at a multiple of the block: a stream of bytes over
 * full chunks, the last one in use excepted. The heads are drafts until the leader seals them. */
struct wal_batch {
	struct wal_chunk *first, *last;
	struct wal_chunk *tail; /* where writing goes on */
	size_t tail_used; /* bytes of it */
	uint64_t size; /* bytes of the stream */
	uint64_t space; /* bytes of log space that it takes: `size`, rounded to the block */
	uint8_t *head; /* of the group that is open */
	uint64_t head_end; /* where its payload begins, in the stream */
	uint64_t last_position; /* of its newest entry */
	bool taken; /* it is being written */
};

/* A write on its way to the device. Writes end in any order; what they wrote is durable in the order of the log. */
struct wal_flight {
	uint64_t end; /* of the segment: the place behind it */
	uint64_t slot; /* of its last group */
	uint64_t position; /* of its last entry */
	uint32_t crc; /* of its last group */
	bool landed;
};

/* A file that is written to. */
struct wal_segment {
	uint64_t sequence;
	uint64_t bytes; /* of the file */
	uint64_t salt; /* of its records */
	bool raw; /* reserved, but not filled with zeros: writing to it changes metadata, too */
	struct sopi_file *file; /* through the page cache; sync makes durable */
	struct sopi_file *direct; /* where writing makes durable; NULL where that is not to be had */
};

/* A segment of the chain, or one that waits in the pool. */
struct wal_listed {
	uint64_t sequence;
	uint64_t bytes; /* of the file */
	uint64_t used; /* of these, up to the end of its last record; the newest: when it was last looked at */
	uint64_t first_slot;
	uint64_t last_position; /* newest entry in it or before it; the newest segment: unknown */
	bool raw; /* not all of it was written: its making did not end, or did without zeros */
};

struct wal_list {
	struct wal_listed *items;
	size_t count, capacity;
};

/* Where the chain that was read ends. */
struct wal_end {
	uint64_t sequence; /* of its last segment */
	uint64_t place; /* behind the last good record: a multiple of the block */
	uint64_t slot; /* the last one */
	uint64_t position; /* of the last entry, or the checkpoint */
	uint64_t flushed; /* all slots up to here were proved to be durable */
	uint32_t previous; /* crc of the last group */
};

struct wal_waiter {
	struct wal_waiter *next;
	uint64_t position; /* UINT64_MAX: wants to lead */
	bool durable; /* or written */
	_Atomic uint32_t state;
};

/* The thread that writes ahead. */
struct wal_ahead {
	sopi_mutex mutex; /* guards what follows; a leaf */
	sopi_cond wake;
	sopi_thread thread;
	bool runs, stops;
	uint64_t position; /* up to which it is to write; 0: nothing */
	bool durable; /* not only write */
};

struct sopi_log_series {
	struct sopi_log_series *next;
	uint64_t position; /* of its first part; 0: it has none */
	uint64_t last; /* position of its last entry; 0: it has none */
};

struct sopi_wal {
	struct sopi_log base;
	struct sopi_wal_options options;
	size_t block; /* bytes; of every segment made since opening */

	/* the commit mutex guards these */
	uint64_t slot; /* of the open group */
	uint32_t count; /* entries of it */
	struct wal_batch *open; /* one of `batches`; the others are being written, or empty */
	struct wal_batch batches[SOPI_WAL_WRITES_MAX + 1];

	sopi_mutex state; /* guards what follows, for a few instructions */
	struct wal_chunk *free;
	uint64_t free_bytes; /* of these */
	uint64_t open_room; /* bytes left in the chunks of the open batch */
	uint64_t outstanding; /* bytes reserved and not submitted */
	uint64_t need; /* bytes of log space reserved and not written */
	uint64_t room, next_room; /* bytes for records in the current segment and in the one that is ready */
	uint64_t entered_room; /* the same of the one that the leader is about to enter */
	bool next_raw; /* the one that is ready is */
	uint64_t segment_bytes; /* size of the current segment */
	bool segment_raw; /* it is */
	uint64_t group_bytes; /* of a batch, as it was lately */
	bool told; /* `fills` was set for it */
	bool told_slow; /* and because it is raw and groups are small */
	struct wal_list chain; /* oldest first; the last one is the current */
	struct wal_list pool;
	uint64_t removing; /* sequence of the file that is being removed; 0: none */
	struct sopi_log_series *series; /* whose parts must stay */
	struct sopi_wal_stats stats;
	struct sopi_wal_point durable_point; /* never ahead of what is durable, never behind `durable` */

	sopi_mutex maker; /* guards what follows; held during the making of files */
	struct wal_segment next; /* ready, its name durable, its head not written; file NULL: there is none */
	uint64_t next_sequence;
	uint64_t made_bytes; /* size of the last new segment */
	bool tight; /* there was no room for the newest one that was wanted */
	uint64_t checkpoint; /* C of the newest manifest that is durable, folder included */
	uint64_t epoch;

	/* the leader's */
	struct wal_segment current;
	uint64_t place; /* where the next record goes */
	bool unsynced; /* something went through the page cache and was not synced */
	bool ends_in_mark;
	uint64_t written_slot; /* while nothing is in flight */
	uint32_t previous; /* crc of the last group */

	sopi_mutex queue; /* guards what follows */
	bool leading; /* somebody does */
	size_t durable_waiters, flush_waiters;
	size_t ready_waiters, flying_waiters; /* what they wait for is not, or is, on its way to the device */
	struct wal_waiter *first_waiter, *last_waiter;
	struct wal_waiter *drainer; /* the leader, while it waits until nothing is in flight */
	struct wal_flight flights[SOPI_WAL_WRITES_MAX]; /* a ring */
	size_t first_flight, flight_count;
	uint64_t sealed; /* position: what is in flight ends here */
	_Atomic uint64_t flushed_slot; /* durable up to here */

	_Atomic uint64_t durable, written; /* positions */
	_Atomic bool fills; /* a segment is to be made ahead, and nobody asked yet */
	_Atomic bool failed;

	struct wal_ahead ahead;

	/* between open and resume */
	struct wal_end end;
	uint64_t found_epoch;
};

static inline struct sopi_wal *wal_of(struct sopi_log *log)
{
	return (struct sopi_wal *)log; /* `base` is the first member */
}

static inline uint64_t wal_position(uint64_t slot, uint64_t index)
{
	return slot << SOPI_POSITION_INDEX_BITS | index;
}

static inline uint64_t wal_round(uint64_t bytes, uint64_t block)
{
	return (bytes + block - 1) & ~(block - 1);
}

/* Is more than half of the current segment in use? REQUIRES: `state`. */
static inline bool wal_is_filling(const struct sopi_wal *wal)
{
	return wal->room < wal->segment_bytes / 2;
}

/* Is what is written at a time so large that segments need no zeros? REQUIRES: `state`. */
static inline bool wal_writes_much(const struct sopi_wal *wal)
{
	return wal->options.raw_group_bytes != 0 && wal->group_bytes >= wal->options.raw_group_bytes;
}

/* Would small groups be written faster to a segment that is full of zeros? REQUIRES: `state`. */
static inline bool wal_is_slow(const struct sopi_wal *wal)
{
	return wal->segment_raw && !wal_writes_much(wal);
}

static inline bool wal_failed(const struct sopi_wal *wal)
{
	return atomic_load(&wal->failed);
}

/* ---- buffer ---- */

sop_status wal_reserve(struct sopi_log *log, size_t bytes, bool urgent, sop_error *err);
void wal_unreserve(struct sopi_log *log, size_t bytes);
uint64_t wal_next(struct sopi_log *log);
void wal_submit(struct sopi_log *log, uint64_t position, const struct sopi_log_entry *entry,
		size_t reserved);

sop_status wal_series_begin(struct sopi_log *log, struct sopi_log_series **out, sop_error *err);
void wal_series_end(struct sopi_log *log, struct sopi_log_series *series);

/* Forgets the series that `position` and what lies before it have in whole. */
void wal_series_trim(struct sopi_wal *wal, uint64_t position);

/* Takes everything submitted as the leader's batch and opens the next group; with `mark`, a slot is left free before it
 * and put into *mark_slot, unless the log ends in a mark already. REQUIRES: leader; takes the commit mutex. */
struct wal_batch *wal_buffer_take(struct sopi_wal *wal, bool mark, uint64_t *mark_slot);

/* The batch was written, or never will be: its chunks and space are free again. */
void wal_buffer_give(struct sopi_wal *wal, struct wal_batch *batch);

/* The log rests: gives the memory back that nobody has reserved. */
void wal_buffer_rest(struct sopi_wal *wal);
void wal_buffer_free(struct sopi_wal *wal);

/* ---- group ---- */

sop_status wal_wait_durable(struct sopi_log *log, uint64_t position, sop_error *err);
sop_status wal_wait_written(struct sopi_log *log, uint64_t position, sop_error *err);

/* ---- ahead ---- */

bool wal_write_ahead(struct sopi_log *log, uint64_t position, bool durable);
void wal_ahead_init(struct wal_ahead *ahead);

/* Ends the thread, if there is one. */
void wal_ahead_end(struct wal_ahead *ahead);

/* ---- write ---- */

/* What a leader does. */
struct wal_turn {
	bool durable; /* not only written */
	struct wal_batch *batch; /* what was submitted */
	uint64_t mark_slot; /* of an empty group behind it; 0: there is none */
	bool leaves_raw; /* it goes into the next segment */
	struct sopi_file *file; /* once it is sealed: where it goes */
	uint64_t place; /* and at which byte */
	struct wal_flight end;
};

/* Takes everything submitted; `mark`: an empty group goes behind it. False: the log has failed. REQUIRES: leader, as of all of
 * these but the one that says otherwise. */
bool wal_turn_begin(struct sopi_wal *wal, struct wal_turn *turn, bool mark);

/* Seals the batch if it is one durable write into the current segment. */
bool wal_turn_seal(struct sopi_wal *wal, struct wal_turn *turn);

/* Writes what was sealed, durably. A failure makes the log fail. REQUIRES: it is in flight; not the leader. */
void wal_turn_write(struct sopi_wal *wal, const struct wal_turn *turn);

/* Writes a batch that was not sealed. A failure makes the log fail. REQUIRES: nothing is in flight. */
void wal_turn_write_all(struct sopi_wal *wal, const struct wal_turn *turn);

/* Log and manifest know now that the log is durable, or written, up to `end`. REQUIRES: leader and nothing in flight, or `queue`. */
void wal_publish(struct sopi_wal *wal, const struct wal_flight *end, bool durable);

/* ---- segment ---- */

void wal_segment_name(uint64_t sequence, char name[SOPI_WAL_NAME_BYTES]);

/* Gets `wal->next` ready with room for records of `room` bytes. NO_SPACE and NO_MEMORY leave everything as it was;
 * anything else makes the log fail, and is FAILED. REQUIRES: `maker`. */
sop_status wal_segment_make(struct sopi_wal *wal, uint64_t room, sop_error *err);

/* Writes the head of `segment`, durably. */
sop_status wal_segment_begin(struct sopi_wal *wal, struct wal_segment *segment,
			     const struct sopi_log_segment *head, sop_error *err);

/* Makes the segment that is ready the current one. */
void wal_segment_enter(struct sopi_wal *wal, const struct wal_segment *segment, uint64_t first_slot);
void wal_segment_close(struct wal_segment *segment);

/* Bytes for records in a segment of so many bytes: what is left for a successor record is none. */
uint64_t wal_segment_room(const struct sopi_wal *wal, uint64_t bytes);

/* Room for so many more. */
sop_status wal_list_room(struct wal_list *list, size_t more, sop_error *err);
void wal_list_add(struct wal_list *list, const struct wal_listed *item);
uint64_t wal_list_bytes(const struct wal_list *list);

/* ---- scan ---- */

enum { SOPI_WAL_WINDOW_BYTES = 64 << 10 };

/* A segment being read. */
struct wal_scan {
	struct sopi_file *file;
	char name[SOPI_WAL_NAME_BYTES];
	uint64_t sequence;
	uint64_t salt; /* of the records, known once the head was read */
	uint64_t size; /* of the file */
	uint64_t window_at; /* what `window` holds: bytes of the file from here on */
	size_t window_size;
	uint8_t window[SOPI_WAL_WINDOW_BYTES];
};

sop_status wal_scan_open(struct wal_scan *scan, struct sopi_folder *folder, uint64_t sequence,
			 sop_error *err);
void wal_scan_close(struct wal_scan *scan);

/* The head of the segment. */
sop_status wal_scan_segment(struct wal_scan *scan, enum sopi_log_form *form,
			    struct sopi_log_segment *segment, sop_error *err);

/* The head of the record at `place`; BAD if the file ends before the record does. */
sop_status wal_scan_head(struct wal_scan *scan, uint64_t place, enum sopi_log_form *form,
			 struct sopi_log_record *record, sop_error *err);

/* The same, BAD too if its payload is not what its checksum says. */
sop_status wal_scan_record(struct wal_scan *scan, uint64_t place, enum sopi_log_form *form,
			   struct sopi_log_record *record, sop_error *err);

/* Reads exactly `size` bytes; CORRUPT where the file ends before. */
sop_status wal_scan_read(struct wal_scan *scan, uint64_t place, void *to, size_t size, sop_error *err);

/* CORRUPT, naming file and place. */
sop_status wal_corrupt(sop_error *err, const char *file, uint64_t place, const char *what);

sop_status wal_scan_other_format(const struct wal_scan *scan, uint64_t place, unsigned format,
				 sop_error *err);

/* Does the record continue a chain whose last group was slot - 1 with the crc `previous`? */
bool wal_record_continues(const struct sopi_log_record *record, uint64_t slot, uint32_t previous);

/* ---- blocks on the stack ---- */

enum { WAL_BLOCK_ROOM = 2 * SOPI_LOG_BLOCK_BYTES_MAX };

/* A block in `room`, aligned for direct writes. By hand, since a compiler need not keep an _Alignas of this size on the
 * stack: gcc's AddressSanitizer does not where it looks for uses after return. */
static inline uint8_t *wal_block_in(uint8_t room[WAL_BLOCK_ROOM])
{
	return room + (0 - (uintptr_t)room) % SOPI_LOG_BLOCK_BYTES_MAX;
}

/* ---- recovery ---- */

/* Reads the chain: sets end, found_epoch, the lists chain and pool. */
sop_status wal_recover(struct sopi_wal *wal, sop_error *err);

#endif
