/* The inside of a simulated disk, for the other parts of the simulation: what it holds (sim_disk.c), what a sync or a
 * power cut does to it (sim_durable.c), what is recorded of it (sim_trace.c). Nothing here locks except where said. */
#ifndef SOPI_SIM_DISK_H
#define SOPI_SIM_DISK_H

#include "platform/sim.h"
#include "platform/sim_content.h"
#include "platform/thread.h"

/* Files and folders have numbers, which are never given again; pointers would not survive a copy of the disk. */
enum { SOPI_SIM_NOTHING = 0, SOPI_SIM_ROOT = 1 };

struct sopi_sim_name {
	char *text;
	uint32_t node;
};

struct sopi_sim_names {
	struct sopi_sim_name *list;
	size_t count;
};

/* What a file or folder holds, seen one way. */
struct sopi_sim_view {
	struct sopi_sim_content content; /* of a file */
	struct sopi_sim_names names; /* of a folder */
};

struct sopi_sim_node {
	bool folder;
	uint32_t opens; /* handles */
	uint32_t shared_locks;
	bool exclusive_lock;
	bool marked; /* scratch of sweeps and scans */
	struct sopi_sim_view cache; /* what processes see */
	struct sopi_sim_view durable; /* what is certain to survive */
};

enum sopi_sim_change_kind {
	SOPI_SIM_DATA, /* bytes of `node` at `offset` */
	SOPI_SIM_SIZE_IS, /* the size of `node` is `offset` */
	SOPI_SIM_RESERVED, /* `size` bytes of `node` at `offset` are no hole */
	SOPI_SIM_ADDED, /* `name` in `folder` stands for `node`, which is made if it does not exist */
	SOPI_SIM_REMOVED, /* `name` in `folder` no longer stands for `node` */
	SOPI_SIM_RENAMED, /* `name` in `folder` no longer, `to_name` in `to_folder` now stands for `node` */
};

/* Bytes that a disk, its copies and traces share. */
struct sopi_sim_bytes {
	_Atomic uint32_t owners;
	size_t size;
	unsigned char bytes[];
};

/* One thing that a power cut may keep or lose. */
struct sopi_sim_change {
	enum sopi_sim_change_kind kind;
	bool forced; /* a sync made it durable; it waits here only for the order with an older one */
	bool given_up; /* a sync failed: no later one writes it */
	bool makes_folder; /* ADDED */
	uint32_t node;
	uint32_t folder;
	uint32_t to_folder;
	uint64_t number; /* in the order of making */
	uint64_t offset;
	uint64_t size;
	struct sopi_sim_bytes *data; /* DATA */
	char *name;
	char *to_name;
};

struct sopi_sim_disk {
	sopi_mutex mutex; /* guards everything of the disk, its processes and its trace; a leaf of the lock order */
	struct sopi_sim_node **nodes; /* by number; NULL: not made yet, or gone */
	uint32_t node_count;
	struct sopi_sim_change *changes; /* not durable, oldest first */
	size_t change_count;
	size_t change_capacity;
	uint64_t next_number; /* of a change */
	uint64_t quota_bytes; /* 0: none */
	size_t direct_bytes;
	char system_name[16];
	enum sopi_file_system_kind system_kind;
	struct sopi_sim_process *processes; /* a list */
	struct sopi_sim_trace *trace; /* being recorded, or NULL */
	unsigned removals; /* names taken away since the last sweep */
	char call[192]; /* what is being done, for the trace */
};

/* ---- sim_disk.c */

struct sopi_sim_node *sopi_sim_node_of(const struct sopi_sim_disk *disk, uint32_t number);

/* The node that `name` (not ended by NUL) stands for, or SOPI_SIM_NOTHING. */
uint32_t sopi_sim_names_find(const struct sopi_sim_names *names, const char *name, size_t size);

/* A number for a node to be ADDED. */
uint32_t sopi_sim_new_number(struct sopi_sim_disk *disk);

/* Makes the change for processes, remembers that it is not durable, and records it. Copies what it is given: `change`
 * has its names and, for DATA, `data` of its own, which stay the caller's. Returns its number. */
uint64_t sopi_sim_make_change(struct sopi_sim_disk *disk, const struct sopi_sim_change *change);

/* Whether the granule of a DATA change that holds the byte `at` is kept. */
typedef bool (*sopi_sim_keep_fn)(void *arg, uint64_t at);

/* Applies a change to one view of the disk; `keep`, if there is one, says which granules of DATA. */
enum sopi_sim_side { SOPI_SIM_CACHE, SOPI_SIM_DURABLE };
void sopi_sim_apply(struct sopi_sim_disk *disk, enum sopi_sim_side side,
		    const struct sopi_sim_change *change, size_t tear_bytes, sopi_sim_keep_fn keep,
		    void *arg);

bool sopi_sim_is_of_names(const struct sopi_sim_change *change);
void sopi_sim_change_copy(struct sopi_sim_change *to, const struct sopi_sim_change *from);
void sopi_sim_change_free(struct sopi_sim_change *change);
struct sopi_sim_bytes *sopi_sim_bytes_new(const void *from, size_t size);
void sopi_sim_bytes_free(struct sopi_sim_bytes *bytes);

void sopi_sim_view_free(struct sopi_sim_view *view);
void sopi_sim_view_copy(struct sopi_sim_view *to, const struct sopi_sim_view *from);

/* How many names processes see for `number`. */
uint64_t sopi_sim_links(const struct sopi_sim_disk *disk, uint32_t number);

uint64_t sopi_sim_used_bytes_locked(struct sopi_sim_disk *disk);

struct sopi_sim_disk *sopi_sim_disk_copy_locked(const struct sopi_sim_disk *from);

/* Frees nodes that nobody can reach any more. */
void sopi_sim_sweep(struct sopi_sim_disk *disk);

/* ---- sim_durable.c */

#define SOPI_SIM_NO_END UINT64_MAX

/* A sync of file or folder `node`: makes its changes from number `from` on and before `end` durable, but for
 * those given up; and records it. */
void sopi_sim_force(struct sopi_sim_disk *disk, uint32_t node, uint64_t from, uint64_t end);

/* A failed sync: gives them up instead. */
void sopi_sim_give_up(struct sopi_sim_disk *disk, uint32_t node, uint64_t from, uint64_t end);

void sopi_sim_evict_locked(struct sopi_sim_disk *disk);

/* ---- sim_trace.c */

enum sopi_sim_step_kind {
	SOPI_SIM_STEP_CHANGE,
	SOPI_SIM_STEP_FORCE,
	SOPI_SIM_STEP_GIVE_UP,
	SOPI_SIM_STEP_EVICT,
	SOPI_SIM_STEP_MARK,
};

/* Adds a step to the trace of the disk, if one is recorded. `change` (copied) is for CHANGE, `node`, `from` and `end` for
 * FORCE and GIVE_UP, `from` is the mark of MARK. */
void sopi_sim_record(struct sopi_sim_disk *disk, enum sopi_sim_step_kind kind,
		     const struct sopi_sim_change *change, uint32_t node, uint64_t from, uint64_t end);

/* ---- sim_process.c */

/* Kills every process of the disk. REQUIRES: `disk` locked. */
void sopi_sim_kill_all_locked(struct sopi_sim_disk *disk);

/* ---- sim_random.c */

/* The next number of a splitmix64 whose state is `*state`. */
uint64_t sopi_sim_next(uint64_t *state);

#endif
