/* The simulated platform: a disk in memory that forgets, tears, fills up and fails, a clock that stands still until it
 * is told, random numbers from a seed. For tests; nothing in the library includes it but its own parts.
 *
 * A *disk* holds two views of every file and folder: what running processes see (the page cache) and what a power cut
 * leaves (durable), and between them, in order, the *changes* that no sync has made durable yet: the bytes of a write
 * (per 512-byte sector), a size, a reservation, a name added, removed or changed. A power cut keeps of these what the
 * test chooses: any subset, torn, out of order.
 * A *process* is a platform on a disk: several share one, as processes of a host do, each with locks of its own.
 * Killed, it loses its locks and every further call fails; the page cache stays.
 * A *trace* remembers every change and sync, so that a test can visit each state in which a crash may leave the disk.
 *
 *     struct sopi_sim_disk *disk = sopi_sim_disk_new();
 *     struct sopi_sim_process *process = sopi_sim_process_new(disk, NULL, seed);
 *     struct sopi_sim_trace *trace = sopi_sim_trace_start(disk);
 *     ... run the engine on sopi_sim_platform(process), sopi_sim_trace_mark(disk, n) after each acknowledgement ...
 *     sopi_sim_trace_stop(trace);
 *     sopi_sim_each_crash(trace, &plan, reopen_and_compare, oracle);
 *
 * Every function may be called by any thread at any time, except the ..._free, which are the last. Memory of the
 * simulation is not counted by base/alloc.h, whose n-th failure is meant for the code under test; handles are. */
#ifndef SOPI_SIM_H
#define SOPI_SIM_H

#include "platform/file.h"
#include "platform/platform.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sopi_sim_clock;
struct sopi_sim_disk;
struct sopi_sim_process;
struct sopi_sim_trace;

enum { SOPI_SIM_SECTOR_BYTES = 512, SOPI_SIM_PAGE_BYTES = 4096 };

/* ---- clock ----------------------------------------------------------------------------------- */

/* A clock that stands at the given times. Several processes may have it. */
struct sopi_sim_clock *sopi_sim_clock_new(int64_t monotonic_ns, int64_t wall_ns);
struct sopi_clock *sopi_sim_clock_port(struct sopi_sim_clock *clock);

/* Lets `duration_ns` (0 or more) pass on both clocks; who waits for less wakes up. */
void sopi_sim_clock_advance(struct sopi_sim_clock *clock, int64_t duration_ns);

/* Sets the wall clock, as a person or NTP does: forwards or backwards. */
void sopi_sim_clock_set_wall(struct sopi_sim_clock *clock, int64_t wall_ns);

/* Lets time pass by itself: a sleep is over at once, a wait that nobody ends within `grace_ns` of real time too, and the
 * clock has gone on to its deadline. Below 0, as at first: time passes in sopi_sim_clock_advance only. */
void sopi_sim_clock_set_automatic(struct sopi_sim_clock *clock, int64_t grace_ns);
void sopi_sim_clock_free(struct sopi_sim_clock *clock);

/* ---- random ---------------------------------------------------------------------------------- */

/* The same bytes for the same seed and the same sizes asked for (xoshiro256**). */
struct sopi_random *sopi_sim_random_new(uint64_t seed);
void sopi_sim_random_free(struct sopi_random *random);

/* ---- disk ------------------------------------------------------------------------------------ */

/* An empty disk without limit, whose files may be opened DIRECT in units of 4096 bytes. */
struct sopi_sim_disk *sopi_sim_disk_new(void);

/* Another disk with the same content, durable and not. Processes, locks and traces are not copied. Cheap. */
struct sopi_sim_disk *sopi_sim_disk_copy(struct sopi_sim_disk *disk);

/* REQUIRES: its processes and traces are freed. Takes NULL. */
void sopi_sim_disk_free(struct sopi_sim_disk *disk);

/* Calls that need more than `bytes` in all fail with ENOSPC; a write stores what fits. In pages of 4096 bytes, as
 * seen by processes; names cost nothing, but making a file needs a free byte. 0: no limit. */
void sopi_sim_disk_set_quota(struct sopi_sim_disk *disk, uint64_t bytes);
uint64_t sopi_sim_disk_used_bytes(struct sopi_sim_disk *disk);

/* The unit of DIRECT files opened from now on; 0: none are granted. */
void sopi_sim_disk_set_direct(struct sopi_sim_disk *disk, size_t bytes);

/* What file_system says of it (default: "sim", LOCAL). */
void sopi_sim_disk_set_file_system(struct sopi_sim_disk *disk, const char *name,
				   enum sopi_file_system_kind kind);

/* How many changes a power cut could still lose. */
size_t sopi_sim_disk_unsynced(struct sopi_sim_disk *disk);

/* The host drops clean pages from its cache: files show what the disk holds, which after a failed sync is not what
 * they showed before. Changes that a failed sync has given up are lost for good. */
void sopi_sim_disk_evict(struct sopi_sim_disk *disk);

/* Which changes survive a power cut. Unsynced changes are numbered from 0 in the order in which they were made. */
enum sopi_sim_keep {
	SOPI_SIM_KEEP_NONE, /* what was synced and nothing else */
	SOPI_SIM_KEEP_ALL,
	SOPI_SIM_KEEP_SOME, /* each by the toss of a coin */
	SOPI_SIM_DROP_ONE, /* all but number `which` */
	SOPI_SIM_KEEP_ONE, /* number `which` alone */
	SOPI_SIM_TEAR_ONE, /* all, but of number `which` only a part: each sector or page by the toss of a coin */
};

struct sopi_sim_cut {
	enum sopi_sim_keep keep;
	size_t which; /* for ..._ONE */
	size_t tear_bytes; /* what is written whole or not at all: 512 or 4096; 0: a write */
	uint64_t seed; /* of the coin */
};

/* Cuts the power: every process is killed, and the disk is as the next boot finds it, all of it durable.
 * REQUIRES: no trace is being recorded. */
void sopi_sim_power_cut(struct sopi_sim_disk *disk, const struct sopi_sim_cut *cut);

/* ---- processes ------------------------------------------------------------------------------- */

enum { SOPI_SIM_GRACE_MS = 100 };

/* A process on `disk` with random numbers from `seed` and the given clock, or, if that is NULL, an automatic one of
 * its own (SOPI_SIM_GRACE_MS). Database paths are "/name" or deeper; the disk's root is there. */
struct sopi_sim_process *sopi_sim_process_new(struct sopi_sim_disk *disk,
					      struct sopi_sim_clock *clock, uint64_t seed);

/* Its platform; lives as long as the process. */
const struct sopi_platform *sopi_sim_platform(struct sopi_sim_process *process);

/* kill -9: locks go, the page cache stays, every later call answers IO. Its handles must still be closed. */
void sopi_sim_kill(struct sopi_sim_process *process);
bool sopi_sim_is_alive(struct sopi_sim_process *process);

/* Lets `calls` more file calls through, then kills the process before the next; below 0: never. */
void sopi_sim_kill_after(struct sopi_sim_process *process, int64_t calls);

/* REQUIRES: all its handles are closed; the test fails here if one was forgotten. Takes NULL. */
void sopi_sim_process_free(struct sopi_sim_process *process);

/* The calls that can fail, as bits. */
enum {
	SOPI_SIM_OPEN_FOLDER = 1 << 0,
	SOPI_SIM_OPEN_FILE = 1 << 1,
	SOPI_SIM_MAKE_FOLDER = 1 << 2,
	SOPI_SIM_LIST = 1 << 3,
	SOPI_SIM_LOOK = 1 << 4,
	SOPI_SIM_RENAME = 1 << 5,
	SOPI_SIM_LINK = 1 << 6,
	SOPI_SIM_REMOVE = 1 << 7,
	SOPI_SIM_REMOVE_FOLDER = 1 << 8,
	SOPI_SIM_SYNC_FOLDER = 1 << 9,
	SOPI_SIM_FILE_SYSTEM = 1 << 10,
	SOPI_SIM_READ = 1 << 11,
	SOPI_SIM_WRITE = 1 << 12,
	SOPI_SIM_ALLOCATE = 1 << 13,
	SOPI_SIM_RESIZE = 1 << 14,
	SOPI_SIM_SYNC_DATA = 1 << 15,
	SOPI_SIM_SYNC = 1 << 16,
	SOPI_SIM_SIZE = 1 << 17,
	SOPI_SIM_LOCK = 1 << 18,
	SOPI_SIM_WRITE_BACK = 1 << 19,
	SOPI_SIM_ANY = (1 << 20) - 1,
	SOPI_SIM_LAND = 1 << 20, /* the end of a direct write: a call of its own while somebody watches */
	SOPI_SIM_ANY_SYNC = SOPI_SIM_SYNC_DATA | SOPI_SIM_SYNC | SOPI_SIM_SYNC_FOLDER,
};

/* Which calls of a process fail, and how. A failed sync gives up what it was to write: the cache goes on showing it,
 * no later sync writes it, a power cut may keep it or not. A failed direct write does the same with its bytes. */
struct sopi_sim_fault {
	unsigned calls; /* SOPI_SIM_... bits */
	const char *path; /* only where the file's path begins like this (copied); NULL: anywhere */
	int64_t after; /* so many of these calls go well first */
	bool for_ever; /* all later ones fail too */
	int os_errno;
	size_t partial_bytes; /* a write stores so many bytes before it fails */
};

/* Sets the one fault of the process (NULL: none) and starts the count of calls anew. */
void sopi_sim_fail(struct sopi_sim_process *process, const struct sopi_sim_fault *fault);

/* Told that a call is about to begin. It may itself use the process, of which it is not told then, or let another thread
 * use it, of whose calls it is. */
typedef void (*sopi_sim_watch_fn)(void *arg, unsigned call, const char *path);

/* Lets `fn` (NULL: nobody) know of each file call before it begins, on the thread that makes it: so a test does
 * something in the middle of something else, at the same place each time. Of a direct write also before it lands: what it
 * wrote is seen, and a power cut may lose it; what begins then may land first. REQUIRES: one thread at a time uses the
 * process. */
void sopi_sim_watch(struct sopi_sim_process *process, sopi_sim_watch_fn fn, void *arg);

/* File calls of these kinds since the last sopi_sim_fail, failed ones included: the number of fault points. */
int64_t sopi_sim_calls(struct sopi_sim_process *process, unsigned calls);

/* The first call that the fault made fail since the last sopi_sim_fail, such as "write log/1"; "" if none has. Lives
 * until the next call of these. */
const char *sopi_sim_failed_call(struct sopi_sim_process *process);

/* ---- traces ---------------------------------------------------------------------------------- */

/* Begins to record; one trace at a time. The disk as it stands is its beginning. */
struct sopi_sim_trace *sopi_sim_trace_start(struct sopi_sim_disk *disk);

/* Notes that the program got so far: `mark` is handed to the crashes after it. Does nothing without a trace. */
void sopi_sim_trace_mark(struct sopi_sim_disk *disk, int64_t mark);

/* Ends the recording; the trace stays. */
void sopi_sim_trace_stop(struct sopi_sim_trace *trace);
void sopi_sim_trace_free(struct sopi_sim_trace *trace); /* takes NULL */

/* Steps recorded: changes, syncs and marks. A call may take several (a direct write is bytes, size and sync). */
size_t sopi_sim_trace_steps(const struct sopi_sim_trace *trace);

/* What step number `step` (from 0) was, such as "write log/1 4096+512"; lives as long as the trace. */
const char *sopi_sim_trace_step(const struct sopi_sim_trace *trace, size_t step);

/* The last mark within the first `steps` steps, or -1. */
int64_t sopi_sim_trace_mark_at(const struct sopi_sim_trace *trace, size_t steps);

/* A new disk as it was after the first `steps` steps, with what was not synced then: cut the power to crash it. */
struct sopi_sim_disk *sopi_sim_trace_disk(const struct sopi_sim_trace *trace, size_t steps);

/* One crash: `sopi_sim_power_cut(sopi_sim_trace_disk(trace, steps), &cut)` makes it again. */
struct sopi_sim_crash {
	size_t steps;
	struct sopi_sim_cut cut;
	int64_t mark; /* the last one before, or -1 */
};

/* Which crashes to visit: at every prefix of the trace that differs from the one before it, nothing kept, everything
 * kept, each unsynced change dropped alone and kept alone, each write torn, and `seeds` random subsets. */
struct sopi_sim_plan {
	size_t shard; /* visits crashes number shard, shard + shards, ...; with shards 0 all of them */
	size_t shards;
	size_t seeds; /* random subsets at each prefix, torn at 512 and 4096 bytes by turns */
	uint64_t seed;
};

/* Looks at a crashed disk; it is freed after. False ends the visit. */
typedef bool (*sopi_sim_crash_fn)(void *arg, struct sopi_sim_disk *disk,
				  const struct sopi_sim_crash *crash);

/* How many crashes the plan has, were it not in shards. */
size_t sopi_sim_count_crashes(const struct sopi_sim_trace *trace, const struct sopi_sim_plan *plan);

/* Calls `fn` for every crash of the plan; returns how many it visited. */
size_t sopi_sim_each_crash(const struct sopi_sim_trace *trace, const struct sopi_sim_plan *plan,
			   sopi_sim_crash_fn fn, void *arg);

#endif
