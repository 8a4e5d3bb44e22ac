/* Bugs that tests plant, to prove that they would be found. Product builds have none of this. */
#ifndef SOPI_PLANT_H
#define SOPI_PLANT_H

enum sopi_plant {
	SOPI_PLANT_NONE,
	SOPI_PLANT_NO_ABSENCE, /* absence predicates are dropped */
	SOPI_PLANT_VALIDATE_OUTSIDE_ONLY, /* no validation inside the mutex */
	SOPI_PLANT_APPEND_SPLIT_NO_VERSION, /* a split at the end of a leaf leaves its version alone */
	SOPI_PLANT_PARENT_SLOT_IMAGE, /* a parent's slot names an image instead of a vnode */
	SOPI_PLANT_GC_IGNORES_SNAPSHOTS, /* old versions are freed though a snapshot needs them */
	SOPI_PLANT_NO_COUNT, /* counts are not validated */
	SOPI_PLANT_NO_CATALOG, /* the existence of stores is not validated */
	SOPI_PLANT_EVICT_IGNORES_PINS, /* an evicted leaf is freed while views into it are promised to live */
	SOPI_PLANT_EVICT_IGNORES_SNAPSHOTS, /* a leaf is evicted while a snapshot needs what was before its newest change */
	SOPI_PLANT_PACK_NO_SYNC, /* the file of a pack is not synced */
	SOPI_PLANT_PACK_NO_FOLDER_SYNC, /* nor the folder with its name */
	SOPI_PLANT_PACK_NO_PARENT_SYNC, /* nor the folder with the name of that */
	SOPI_PLANT_PACK_SYNC_AGAIN, /* a failed sync of a pack is repeated */
	SOPI_PLANT_PACK_NO_DRAIN, /* a sync does not wait for the writes that it is to make durable */
	SOPI_PLANT_PACK_NO_CRC, /* the checksum of a value is not looked at */
	SOPI_PLANT_NO_F3_FILE_SYNC, /* files of the registry are not synced */
	SOPI_PLANT_NO_F3_FOLDER_SYNC, /* nor the folder that they are in */
	SOPI_PLANT_NO_F4_FILE_SYNC, /* the manifest is not synced before it is renamed */
	SOPI_PLANT_NO_F4_FOLDER_SYNC, /* its new name is not synced */
	SOPI_PLANT_LOG_NO_FLUSH, /* F1: a group of the log is written and not synced */
	SOPI_PLANT_LOG_NO_ORDER, /* a write is answered that has overtaken another one */
	SOPI_PLANT_LOG_NO_FOLDER_SYNC, /* the name of a new segment is not durable */
	SOPI_PLANT_LOG_NO_SUCCESSOR_FLUSH, /* a successor record is not durable before the next segment is used */
	SOPI_PLANT_LOG_NO_TAIL_REWRITE, /* recovery syncs the tail without writing it again */
	SOPI_PLANT_LOG_NO_SUCCESSOR_REWRITE, /* it leaves the successor records in it out */
	SOPI_PLANT_LOG_NO_LOOK_BEHIND, /* recovery cuts at any bad record */
	SOPI_PLANT_LOG_NO_POINT, /* nor does it ask what the manifest knows of the log */
	SOPI_PLANT_LOG_POINT_WRITTEN, /* the manifest is told of groups that are written and not flushed */
	SOPI_PLANT_LOG_NO_DRAIN, /* what is no direct write does not wait for those that are on their way */
	SOPI_PLANT_LOG_PARTS_RECYCLED, /* the log is not kept for the parts of large commits that have not ended */
	SOPI_PLANT_LOG_PARTS_SKIPPED, /* recovery leaves parts out that are not behind the checkpoint */
	SOPI_PLANT_LOG_NO_SEED, /* records are not tied to their segment and to the record before them */
	SOPI_PLANT_CHECKPOINT_NEWEST, /* images and counts of a checkpoint are not cut at its position */
	SOPI_PLANT_CHECKPOINT_NO_WAIT, /* it does not wait until its position is durable */
	SOPI_PLANT_CHECKPOINT_TRIM_EARLY, /* the log is recycled before the manifest is written */
	SOPI_PLANT_NO_REPUBLISH, /* recovery does not write the manifest again */
	SOPI_PLANT_OUTCOME_NO_SYNC /* files of outcomes are not synced */
};

#ifdef SOP_TEST_HOOKS
extern _Atomic int sopi_planted;
#define SOPI_PLANTED(bug) (sopi_planted == (bug))
#else
#define SOPI_PLANTED(bug) 0
#endif

#endif
