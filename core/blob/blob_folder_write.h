/* Within the packs: one that is being written. */
#ifndef SOPI_BLOB_FOLDER_WRITE_H
#define SOPI_BLOB_FOLDER_WRITE_H

#include "blob/blob_folder_inside.h"

struct sopi_pack {
	struct sopi_packs *packs;
	struct pack_file *file; /* with a use and a pin of ours */
	struct sopi_file *handle; /* of `file`, and the writer's own */
	bool reserved; /* the file is longer than what is in it */
	sopi_mutex mutex; /* guards what follows, and file->end; before file->tail_mutex and packs->mutex */
	sopi_cond changed;
	sop_buf index; /* of all blobs so far */
	sop_status failed; /* OK, or what every later call answers */
	unsigned turn; /* 0 or 1: a sync waits for the writes of the turn that it ends */
	size_t writes[2]; /* that are not done, by turn */
	bool syncing;
	bool named; /* the file's name is durable */
	uint64_t pushed, pushed_before; /* what lies before the one is on its way to the device, before the other it is there */
	uint64_t durable; /* what lies before it is durable, or not worth it: the head alone */
};

/* Answers the failure that the pack had before. */
sop_status pack_has_failed(const struct sopi_pack *pack, sop_error *err);

/* Nothing more is written: NO_SPACE stays what it is, everything else is IO. REQUIRES: mutex held. */
void pack_fail_locked(struct sopi_pack *pack, sop_status status);

/* Writes the tail of a pack of nodes. REQUIRES: mutex held (one thread writes such a pack). */
sop_status pack_flush_locked(struct sopi_pack *pack, sop_error *err);

/* So many bytes of blobs are durable. */
void pack_set_total(struct sopi_pack *pack, uint64_t total_bytes);

/* Makes everything durable that was appended so far. */
sop_status pack_sync_locked(struct sopi_pack *pack, sop_error *err);

#endif
