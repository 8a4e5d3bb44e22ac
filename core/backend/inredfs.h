/* Within backend: a database in a folder that one process owns. inredfs.c opens and closes it; the other files are
 * one task each. */
#ifndef SOPI_INREDFS_H
#define SOPI_INREDFS_H

#include "backend/open.h"
#include "blob/blob_folder.h"
#include "log/log_wal.h"
#include "node/page.h"
#include "platform/file.h"
#include "registry/manifest.h"
#include "transaction/transaction.h"

#include <sop/stats.h>

enum {
	SOPI_NODE_PACK_BYTES = 64 << 20, /* a checkpoint begins a new pack beyond */
	SOPI_VALUE_PACK_BYTES = 64 << 20, /* and so do values */
	SOPI_DEAD_PERCENT = 20, /* of all packs, beyond which the next checkpoint rewrites some */
	SOPI_DEAD_PERCENT_PRESSED = 50, /* the same, when commits may be waiting for it */
	SOPI_SMALL_PACKS_MAX = 32, /* packs below a quarter of their size, likewise */
	SOPI_SMALL_PACKS_MAX_PRESSED = 96, /* together with as many large ones as there usually are, all can be open */
	SOPI_CHECKPOINT_IDLE_MS = 30000, /* changes are checkpointed after that, however few they are */
};

/* Files that a database may take away from others so that it can always shrink: freed when a checkpoint runs out of
 * space, made again when there is room. */
#define SOPI_BALLAST_PATH "tmp/ballast"

/* A pack that values are appended to. */
struct sopi_value_pack {
	struct sopi_pack *pack;
	uint64_t users; /* that are appending now */
	bool retired; /* the last user ends it */
};

/* A value that was written and is not in the registry yet. */
struct sopi_fresh {
	struct sopi_fresh *next;
	struct sopi_fresh *previous;
	const struct sopi_value *value; /* NULL: its descriptor has gone */
	uint64_t id;
	uint64_t position; /* of its commit; SOPI_POSITION_NONE: not committed yet */
	struct sopi_place place;
	bool named; /* by a page that the running checkpoint wrote */
	bool registering; /* a checkpoint is just writing it */
	bool passed; /* a checkpoint is just being written that needs it no more */
	bool dead; /* nobody names it any more but the log */
};

/* The file `stats`, for other processes. */
struct sopi_stats_file {
	bool there; /* it has been written, and not been removed */
	uint64_t sequence; /* of the last writing */
	int64_t opened_wall_ns;
	int64_t opened_ns; /* monotonic, as the next two */
	int64_t looked_ns; /* for something to write */
	int64_t taken_ns; /* where the latencies of the next writing begin */
	struct sopi_histogram_past past;
	sop_stats last; /* what was written */
};

struct sopi_inredfs {
	struct sopi_backend base;
	struct sopi_engine *engine;
	struct sopi_folder *folder;
	struct sopi_file *lock;
	struct sopi_file *folder_lock; /* of the folder itself; NULL where the system has no such locks */
	bool replaying; /* the log may name packs that are not known yet */
	bool ids_passed; /* their ids are not given to others */
	struct sopi_packs *packs;
	struct sopi_registry *registry;
	struct sopi_log *wal; /* the engine's log, once it is this one */
	struct sopi_slot *slot; /* of checkpoints */

	sopi_mutex checkpoint_mutex; /* one checkpoint, gc or choice of a backup at a time; guards what follows */
	struct sopi_manifest manifest; /* the newest durable one */
	uint64_t registry_number; /* of the newest write to the registry */
	bool pressed; /* the checkpoint that runs was due for memory: commits may be waiting for it */
	bool alone; /* no other call runs, at open and close: the slot is not claimed for a checkpoint */
	uint64_t logged_then; /* what `logged` was when the checkpoint that runs began */
	uint64_t rewritten; /* blobs that compaction has moved, since open */
	uint64_t backups; /* that need the files of older manifests */
	struct sopi_registry_entry *extra; /* entries for the next checkpoint besides those of dirty nodes */
	size_t extra_count;
	size_t extra_capacity;

	sopi_mutex values_mutex; /* guards what follows; docs/locks.md */
	struct sopi_fresh *fresh; /* in no order */
	struct sopi_value_pack *value_pack; /* that values are appended to, or NULL */
	struct sopi_fresh *dead; /* values to take out of the registry, linked by next */
	struct sopi_store *gone; /* dropped stores whose nodes are on disk still, linked by next */
	_Atomic uint64_t next_value;

	sopi_mutex mutex; /* guards what follows; leaf of the lock order */
	sopi_cond wake; /* the background */
	sopi_cond done; /* a checkpoint has ended, well or not */
	bool stop;
	bool wanted; /* a checkpoint */
	bool stirred; /* the thread shall look around */
	bool weak; /* something weaker than flushed waits for the disk */
	_Atomic uint64_t weak_bytes; /* of log, about, since the newest flush of such */
	bool running; /* the thread has been started */
	uint64_t rounds; /* checkpoints that have ended */
	sop_status last; /* of the newest of them */
	sopi_thread thread;
	_Atomic bool low_space; /* only what removes goes on */
	_Atomic uint64_t logged; /* bytes of log since the newest checkpoint and the opening, about */
	uint64_t replayed_bytes; /* of log behind the checkpoint that it was opened with */
	_Atomic uint64_t inherited; /* bytes of the segments before the opening, until a checkpoint has passed them */

	_Atomic uint64_t checkpointed; /* position of the newest */
	_Atomic uint64_t data_bytes; /* that lived in packs then */
	_Atomic uint64_t checkpoints;
	_Atomic uint64_t checkpoint_failures;
	struct sopi_stats_file stats; /* of the opening call, the thread, the closing call: one after the other */
	_Atomic uint64_t marked; /* position that a mark in the log is behind */
};

static inline struct sopi_inredfs *sopi_inredfs_of(struct sopi_backend *backend)
{
	return (struct sopi_inredfs *)backend; /* `base` is the first member */
}

/* ---- inredfs.c ----------------------------------------------------------------------------------- */

/* Notes how much data there is. REQUIRES: the checkpoint mutex. */
void sopi_inredfs_note_data(struct sopi_inredfs *fs);

/* Is so much dirty, or so much log behind the newest checkpoint, that the next one is due? */
bool sopi_inredfs_is_due(struct sopi_inredfs *fs);

/* Is it for what is dirty? */
bool sopi_inredfs_is_pressed(const struct sopi_inredfs *fs);

/* Is it so much that nothing may be added before it? */
bool sopi_inredfs_is_full(struct sopi_inredfs *fs);

/* Reserves space that only checkpoints and removals may use, if there is room; tells whether there is. REQUIRES: the
 * checkpoint mutex. */
void sopi_inredfs_make_ballast(struct sopi_inredfs *fs);

/* Gives that space up: the disk is full, and only what removes goes on. False: there was none. */
bool sopi_inredfs_drop_ballast(struct sopi_inredfs *fs);

/* After an error that leaves open what is on disk: nothing is promised from here on. Returns `status`. */
sop_status sopi_inredfs_fail(struct sopi_inredfs *fs, sop_status status);

/* ---- node_pages.c -------------------------------------------------------------------------------- */

/* The page of a node, and its patch. */
struct sopi_node_pages {
	struct sopi_page_id id;
	struct sopi_place place;
	char file[SOPI_PATH_BYTES_MAX + 1];
	sop_buf page;
	bool patched; /* the rest says something */
	uint64_t patch_position;
	struct sopi_place patch_place;
	char patch_file[SOPI_PATH_BYTES_MAX + 1];
	sop_buf patch; /* empty if there is none */
};

/* Looks both up; buffers stay as they are. NOT_FOUND: the registry does not know the node. */
sop_status sopi_node_pages_find(struct sopi_registry *registry, uint64_t store, uint64_t vid,
				struct sopi_node_pages *pages, sop_error *err);

/* Reads both, unchecked. Statuses of sopi_packs_read. */
sop_status sopi_node_pages_read(struct sopi_packs *packs, struct sopi_node_pages *pages, sop_error *err);

/* Checks both, and tells of what they name. Statuses of sopi_page_references. */
sop_status sopi_node_pages_references(const struct sopi_node_pages *pages,
				      sopi_page_reference_fn fn, void *arg, sop_error *err);

struct sopi_node_read; /* btree/resident.h */

/* Where the forest's nodes come from (sopi_page_source). arg: the backend. */
sop_status sopi_node_pages_bring(void *arg, struct sopi_node_read *nodes, size_t count,
				 sop_buf *room, size_t *got, sop_error *err);

/* Frees the buffers. */
void sopi_node_pages_free(struct sopi_node_pages *pages);

/* ---- checkpoint.c -------------------------------------------------------------------------------- */

/* How a checkpoint is to be made. */
struct sopi_checkpoint_how {
	bool fold; /* the registry, in any case */
	bool always; /* also if nothing has changed */
	uint64_t compact_below; /* rewrite packs even where little is dead, those with ids below; 0: as usual */
	uint64_t *rewritten; /* receives how many blobs were moved; NULL: nobody asks */
	bool sparing; /* rewrite one pack, the emptiest, with all the room there is: the ballast's too */
	bool *crowded; /* receives whether there was no room to rewrite anything; NULL: nobody asks */
};

/* Only what has changed, and compaction only where it pays. */
extern const struct sopi_checkpoint_how sopi_checkpoint_usual;

/* Writes everything as of the newest position. One at a time; others wait. */
sop_status sopi_checkpoint_run(struct sopi_inredfs *fs, const struct sopi_checkpoint_how *how,
			       sop_error *err);

/* ---- compaction.c -------------------------------------------------------------------------------- */

/* Writes the living blobs of packs that are mostly dead again, and adds their entries to fs->extra. Keys in `skip`
 * (ascending) are written by the checkpoint itself. NO_SPACE: nothing was rewritten that the manifest needs to
 * know of. REQUIRES: the checkpoint mutex. */
sop_status sopi_compact(struct sopi_inredfs *fs, const struct sopi_registry_entry *skip,
			size_t count, const struct sopi_checkpoint_how *how, sop_error *err);

/* Packs with ids from `first` on that were written for nothing go at once: on a full disk their room is needed. Those
 * that others have begun meanwhile are being written, or something lives in them. REQUIRES: no manifest names them; the
 * checkpoint mutex. */
void sopi_remove_copies(struct sopi_inredfs *fs, uint64_t first);

/* Adds to fs->extra that all nodes and values of a dropped store are gone. */
sop_status sopi_compact_store(struct sopi_inredfs *fs, uint64_t store, uint64_t root, sop_error *err);

/* Adds an entry to fs->extra. */
sop_status sopi_extra_add(struct sopi_inredfs *fs, const struct sopi_registry_entry *entry,
			  sop_error *err);

/* ---- values.c ------------------------------------------------------------------------------------ */

sop_status sopi_values_write(struct sopi_backend *backend, struct sopi_value *values, sop_error *err);
void sopi_values_committed(struct sopi_backend *backend, const struct sopi_value *value,
			   uint64_t position);
void sopi_values_gone(struct sopi_backend *backend, struct sopi_value *value);
sop_status sopi_values_read(struct sopi_backend *backend, const struct sopi_value *value,
			    sop_buf *out, sop_error *err);

/* A value that a replayed record names. */
sop_status sopi_values_replayed(struct sopi_inredfs *fs, struct sopi_value *value,
				uint64_t position, sop_error *err);

/* A page that a checkpoint writes names the value: the checkpoint registers it. Others are not registered, though they
 * were committed: they were superseded, or their store was dropped, and only memory knows them. */
void sopi_values_named(struct sopi_inredfs *fs, const struct sopi_value *value);

/* What a checkpoint says of values. */
struct sopi_values_said {
	struct sopi_registry_entry *births; /* named by its pages, and not registered before */
	size_t birth_count;
	size_t birth_capacity;
	uint64_t *dead; /* ids that no item names as of then, but that are still read */
	size_t dead_count;
	size_t dead_capacity;
	sop_status status; /* NO_MEMORY */
	uint64_t at;
	struct sopi_inredfs *fs;
};

/* Gathers that for a checkpoint at `at`, and adds the ids that nobody reads any more to fs->extra as removed. */
sop_status sopi_values_collect(struct sopi_inredfs *fs, uint64_t at, struct sopi_values_said *said,
			       sop_error *err);
void sopi_values_said_free(struct sopi_values_said *said);

/* That checkpoint is durable, or was given up. */
void sopi_values_collected(struct sopi_inredfs *fs, bool durable);

/* Lists the packs with what lives in them as of this checkpoint: values that it does not register are left to replay,
 * which counts them again. Freed with sopi_free. */
sop_status sopi_values_list_packs(struct sopi_inredfs *fs, struct sopi_pack_entry **packs,
				  size_t *count, sop_error *err);

/* Ends the pack that values are appended to. */
void sopi_values_seal(struct sopi_inredfs *fs);

/* Remembers an id to be taken out of the registry. NO_MEMORY. */
sop_status sopi_values_bury(struct sopi_inredfs *fs, uint64_t id, sop_error *err);

void sopi_values_free(struct sopi_inredfs *fs);

/* ---- outcomes.c ---------------------------------------------------------------------------------- */

/* Adds the outcomes of (above, upto] to the files that `files` lists, durable when it returns; updates the list. */
sop_status sopi_outcome_files_extend(struct sopi_inredfs *fs, uint64_t above, uint64_t upto,
				     struct sopi_outcome_file **files, size_t *count, sop_error *err);

/* Reads them all into the engine's table, and removes files that are not listed. */
sop_status sopi_outcome_files_load(struct sopi_inredfs *fs, sop_error *err);

/* Checks them. */
sop_status sopi_outcome_files_verify(struct sopi_inredfs *fs, const struct sopi_manifest *manifest,
				     sopi_problem_fn found, void *arg, sop_error *err);

/* ---- recovery.c ---------------------------------------------------------------------------------- */

/* Applies the log behind the checkpoint. REQUIRES: the slot is claimed. */
sop_status sopi_recover_log(struct sopi_inredfs *fs, struct sopi_log *wal, sop_error *err);

/* Opens the stores that the catalog names. */
sop_status sopi_recover_stores(struct sopi_inredfs *fs, sop_error *err);

#ifdef SOP_TEST_HOOKS
/* Each time so many positions of groups have gone by, replay makes a checkpoint; 0: only where the budgets ask for it. */
extern _Atomic uint32_t sopi_recover_checkpoint_each;

/* How many keys replay gathers before it applies them, and how many leaves (LEAVES_AT_ONCE at most) it does at a time; 0: as
 * the budgets say. */
extern _Atomic uint32_t sopi_recover_batch_max;
extern _Atomic uint32_t sopi_recover_leaves_max;
extern _Atomic bool sopi_recover_loader_always; /* with the second thread, however few leaves are to be read */
#endif

/* ---- background.c -------------------------------------------------------------------------------- */

/* Starts the thread. The file of figures has been begun. */
void sopi_background_begin(struct sopi_inredfs *fs);

/* A checkpoint begins, or has ended. */
void sopi_background_busy(struct sopi_inredfs *fs, bool busy);
sop_status sopi_background_pace(struct sopi_backend *backend, int64_t deadline_ns, bool urgent,
				sop_error *err);
void sopi_background_committed(struct sopi_backend *backend, size_t bytes, bool weak);
sop_status sopi_background_out_of_space(struct sopi_backend *backend, sop_error *err);
void sopi_background_has_failed(struct sopi_backend *backend);
void sopi_background_halt(struct sopi_backend *backend);
void sopi_background_ended(struct sopi_inredfs *fs, sop_status status);

/* ---- stats_file.c -------------------------------------------------------------------------------- */

/* Writes the file `stats` for the first time. Failing does no harm: then there is none. */
void sopi_stats_file_begin(struct sopi_inredfs *fs);

/* Writes it again, if a while has passed and something has changed. */
void sopi_stats_file_update(struct sopi_inredfs *fs);

void sopi_stats_file_remove(struct sopi_inredfs *fs);

/* ---- backup.c ------------------------------------------------------------------------------------ */

sop_status sopi_backup(struct sopi_backend *backend, const char *path, sopi_progress_fn progress,
		       void *arg, uint64_t *position, sop_error *err);

/* ---- files.c ------------------------------------------------------------------------------------- */

/* What a name in the folder of a database is. */
enum sopi_name {
	SOPI_NAME_KNOWN,
	SOPI_NAME_LEAKED, /* it has the name of a file of ours, and nothing names it */
	SOPI_NAME_UNKNOWN, /* it means nothing: somebody else put it there, and it is never removed */
};

/* Judges everything in the folder; `fn` is told what is not known. One that is being made or removed just now may be
 * told as leaked: ask sopi_name_is_leaked later. REQUIRES: the checkpoint mutex. */
typedef sop_status (*sopi_name_fn)(void *arg, enum sopi_name name, const char *path, sop_error *err);
sop_status sopi_names_judge(struct sopi_inredfs *fs, sopi_name_fn fn, void *arg, sop_error *err);

/* Is a file that was told as leaked still there, and of nobody? */
sop_status sopi_name_is_leaked(struct sopi_inredfs *fs, const char *path, bool *leaked, sop_error *err);

/* The path of a pack. */
void sopi_pack_file_path(const struct sopi_pack_entry *pack, char path[SOPI_PATH_BYTES_MAX + 1]);

/* The path of a file of outcomes. */
enum { SOPI_OUTCOME_PATH_BYTES = 32, SOPI_OUTCOME_HEAD_BYTES = 64, SOPI_OUTCOME_ENTRY_BYTES = 32 };
void sopi_outcome_path(uint64_t number, char path[SOPI_OUTCOME_PATH_BYTES]);

/* A copy of a manifest; freed with sopi_manifest_free. */
sop_status sopi_manifest_copy(const struct sopi_manifest *from, struct sopi_manifest *to, sop_error *err);

/* ---- sorted.c ------------------------------------------------------------------------------------ */

/* Index of the pack, or of the entry with that key, in a list that ascends; `count` if it is not there. */
size_t sopi_pack_find(const struct sopi_pack_entry *packs, size_t count, uint64_t id);
size_t sopi_entry_find(const struct sopi_registry_entry *entries, size_t count, uint64_t key);

/* Compares two uint64_t, for qsort and bsearch. */
int sopi_compare_ids(const void *a, const void *b);

/* ---- reachability.c ------------------------------------------------------------------------------ */

/* A check of all files. */
struct sopi_checking {
	struct sopi_inredfs *fs;
	struct sopi_manifest manifest; /* as of which it checks */
	uint64_t *stores; /* ids of those that somebody may know, as of that manifest or later, ascending */
	size_t store_count;
	const struct sopi_audience *audience;
	bool stopped; /* nobody wants to hear more */
};

/* Tells of a problem. */
void sopi_checking_tell(struct sopi_checking *checking, const char *file, int64_t offset,
			const char *kind, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* So many bytes more were looked at; 0 where only the wish to stop is asked for. False: it is to stop. */
bool sopi_checking_went(struct sopi_checking *checking, uint64_t bytes);

/* From the roots of all stores to all nodes and values: what is named must be there, what is there must be named. */
sop_status sopi_check_reachability(struct sopi_checking *checking, struct sopi_registry *registry,
				   sop_error *err);

/* ---- verify_files.c ------------------------------------------------------------------------------ */

sop_status sopi_verify_files(struct sopi_backend *backend, const struct sopi_audience *audience,
			     sop_error *err);

#endif
