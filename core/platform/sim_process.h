/* A simulated process, for the parts of the simulation. */
#ifndef SOPI_SIM_PROCESS_H
#define SOPI_SIM_PROCESS_H

#include "platform/sim_disk.h"

enum { SOPI_SIM_CALL_KINDS = 21, SOPI_SIM_DEAD = -1 /* instead of an errno */ };

enum sopi_sim_lock { SOPI_SIM_UNLOCKED, SOPI_SIM_LOCKED_SHARED, SOPI_SIM_LOCKED_EXCLUSIVE };

struct sopi_sim_folder {
	struct sopi_folder base;
	struct sopi_sim_process *process;
	uint32_t node;
};

struct sopi_sim_file {
	struct sopi_file base;
	struct sopi_sim_process *process;
	struct sopi_sim_file *next; /* of the process */
	uint32_t node;
	unsigned flags;
	enum sopi_sim_lock lock;
	char path[SOPI_PATH_BYTES_MAX + 1];
};

/* The head of the process, so that the files port finds it. */
struct sopi_sim_process {
	struct sopi_files files; /* first */
	struct sopi_platform platform;
	struct sopi_sim_disk *disk; /* its mutex guards what follows */
	struct sopi_sim_process *next; /* of the disk */
	struct sopi_sim_clock *own_clock; /* or NULL */
	bool alive;
	int64_t kill_after; /* calls; below 0: never */
	uint32_t handles;
	struct sopi_sim_file *open_files;
	struct sopi_sim_fault fault; /* `calls` 0: none */
	char fault_path[SOPI_PATH_BYTES_MAX + 1];
	int64_t fault_calls; /* that the fault is about, so far */
	int64_t calls[SOPI_SIM_CALL_KINDS];
	sopi_sim_watch_fn watch; /* not guarded: one thread at a time */
	void *watch_arg;
	char failed_call[SOPI_PATH_BYTES_MAX + 32]; /* the first that the fault was about */
};

/* Begins call `kind` (one bit) on `path`: locks the disk and says with which errno the call must fail, 0 if it may go
 * on, SOPI_SIM_DEAD if the process is. `offset` and `size` are for the trace. */
int sopi_sim_begin(struct sopi_sim_process *process, unsigned kind, const char *path,
		   uint64_t offset, uint64_t size);

/* Ends it: unlocks the disk and makes the status of `os_errno`. */
sop_status sopi_sim_end(struct sopi_sim_process *process, int os_errno, bool changing,
			const char *action, const char *path, int64_t offset, sop_error *err);

/* Gives the lock of `file` back. REQUIRES: the disk locked. */
void sopi_sim_unlock_locked(struct sopi_sim_file *file);

/* Wraps `node`, which the caller has looked up; REQUIRES: the disk locked. */
void sopi_sim_file_init(struct sopi_sim_file *file, struct sopi_sim_process *process, uint32_t node,
			const char *path, unsigned flags);

extern const struct sopi_files_driver sopi_sim_files_driver;

/* ---- sim_file.c; what each promises is in file.h */

sop_status sopi_sim_read(struct sopi_file *base, uint64_t offset, void *to, size_t size,
			 size_t *got, sop_error *err);
sop_status sopi_sim_write(struct sopi_file *base, uint64_t offset, const void *from, size_t size,
			  sop_error *err);
sop_status sopi_sim_allocate(struct sopi_file *base, uint64_t offset, uint64_t size, sop_error *err);
sop_status sopi_sim_file_resize(struct sopi_file *base, uint64_t size, sop_error *err);
sop_status sopi_sim_write_back(struct sopi_file *base, uint64_t offset, uint64_t size, sop_error *err);
sop_status sopi_sim_sync_data(struct sopi_file *base, sop_error *err);
sop_status sopi_sim_sync(struct sopi_file *base, sop_error *err);
sop_status sopi_sim_size(struct sopi_file *base, uint64_t *size, sop_error *err);
sop_status sopi_sim_lock(struct sopi_file *base, enum sopi_lock kind, sop_error *err);
sop_status sopi_sim_is_locked(struct sopi_file *base, struct sopi_locked *locked, sop_error *err);
void sopi_sim_unlock(struct sopi_file *base);
void sopi_sim_close(struct sopi_file *base);

#endif
