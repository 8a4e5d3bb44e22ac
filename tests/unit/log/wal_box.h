/* A log on a simulated disk, with what the tests of it do again and again: commit, crash, recover, compare. */
#ifndef WAL_BOX_H
#define WAL_BOX_H

#include "log/log_wal.h"
#include "platform/sim.h"

#include "support/support.h"

enum {
	WAL_BOX_SEGMENT_BYTES = 16 << 10,
	WAL_BOX_RAW_BYTES = 1024, /* larger groups go to segments without zeros */
};

/* A process with the folder /db of a disk, and its log. */
struct wal_box {
	struct sopi_sim_process *process;
	struct sopi_folder *folder;
	sopi_mutex mutex; /* the commit mutex */
	struct sopi_wal_options options;
	struct sopi_log *log; /* NULL: none is open */
};

/* Boots: a process, the folder, options for small segments. No log is open. */
void wal_box_start(struct wal_box *box, struct sopi_sim_disk *disk);

/* Closes the log, if there is one, and ends the process. */
void wal_box_stop(struct wal_box *box);

/* A new log, with its folder. */
void wal_box_create(struct wal_box *box);

/* What a backend does at open: open, (manifest), resume. The checkpoint and first segment are those of the options. */
sop_status wal_box_open(struct wal_box *box, sop_error *err);

/* The payload of transaction `number`: its size and bytes follow from the number. At most `size_max` bytes. */
size_t wal_box_payload(uint64_t number, size_t size_max, uint8_t *out);

/* Commits `size` bytes; the position, or 0 if it failed, in which case *status says why. */
uint64_t wal_box_submit(struct wal_box *box, const void *payload, size_t size, sop_status *status);

#endif
