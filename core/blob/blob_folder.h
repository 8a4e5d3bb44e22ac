/* Packs in the folder blobs/<2 hex>/ of a database: <id>.pack and <id>.val, ids in 16 hex digits (the two are the last
 * two, so that neighbours spread). docs/format.md has every byte.
 *
 * Any thread may read at any time; one writer uses one sopi_pack at a time, except sopi_pack_append to a pack of
 * values, which any number of threads may call. */
#ifndef SOPI_BLOB_FOLDER_H
#define SOPI_BLOB_FOLDER_H

#include "blob/blob.h"
#include "platform/file.h"
#include "platform/platform.h"

struct sopi_packs; /* all packs of one database */
struct sopi_pack; /* one that is being written */

enum {
	SOPI_PACK_DESCRIPTORS_MAX = 128, /* files kept open for reading, least recently used closed first; fewer where the
					 * process has few. A pack that is written has one more, its own */
	SOPI_VALUE_ALONE_BYTES = 1 << 20, /* a larger value has a file of its own */
	SOPI_VALUE_FRAME_BYTES = 40, /* before a value */
};

/* first_id: no pack has an id at or above it. The folder blobs/ is there. */
sop_status sopi_packs_open(const struct sopi_platform *platform, struct sopi_folder *folder,
			   uint64_t first_id, struct sopi_packs **out, sop_error *err);

/* REQUIRES: nobody reads or writes. Takes NULL. */
void sopi_packs_close(struct sopi_packs *packs);

/* The id that the next pack gets; ids are never used twice. For the manifest. */
uint64_t sopi_packs_next_id(struct sopi_packs *packs);

/* A pack that a manifest or a log record names exists: CORRUPT (naming the file) if it is missing or shorter than
 * total_bytes and its head. Does nothing for one that is known, but raises its total. */
sop_status sopi_packs_adopt(struct sopi_packs *packs, const struct sopi_pack_entry *entry,
			    sop_error *err);

/* ---- writing ----------------------------------------------------------------------------------- */

/* Begins a pack; bytes: about how large it will be, reserved on disk as far as the file system can. NO_SPACE. */
sop_status sopi_pack_begin(struct sopi_packs *packs, enum sopi_pack_kind kind, uint64_t bytes,
			   struct sopi_pack **out, sop_error *err);

/* Adds a blob; key is its key in the registry and goes into the pack's index. NODES: the bytes as they are, a whole
 * node page. VALUES, VALUE: a frame with magic, format, key, length and checksum is put before them, and the place is
 * that of the frame with the value. The place can be read at once. VALUE: once, and nobody may name the place before the
 * pack is finished. LIMIT: the pack would pass 4 GiB, or the value 1 GiB; nothing was done then. NO_SPACE, IO: the pack is
 * given up, whatever comes after fails. */
sop_status sopi_pack_append(struct sopi_pack *pack, uint64_t key, sop_bytes blob,
			    struct sopi_place *place, sop_error *err);

uint64_t sopi_pack_id(const struct sopi_pack *pack);
uint64_t sopi_pack_bytes(const struct sopi_pack *pack); /* written so far */

/* Makes what was appended before the call durable, the file's name too; appending may go on. Many threads that ask at
 * once share one sync. A failed sync is never repeated: everything fails with IO from then on. */
sop_status sopi_pack_sync(struct sopi_pack *pack, sop_error *err);

/* Ends writing: index, cut to size, sync of the file and its folders. After an error the pack is abandoned. Frees
 * `pack` in any case. */
sop_status sopi_pack_finish(struct sopi_pack *pack, sop_error *err);

/* Gives it up: its file is removed, unless some of it was synced (then it stays, without an index). Frees `pack`. */
void sopi_pack_abandon(struct sopi_pack *pack);

/* ---- reading ----------------------------------------------------------------------------------- */

/* Reads the whole blob at `place` of a pack of nodes into `out`: its bytes, unchecked (a node page checks itself).
 * NOT_FOUND: the pack was removed: look the place up again. CORRUPT: the file is shorter, or missing. IO, NO_MEMORY. */
sop_status sopi_packs_read(struct sopi_packs *packs, const struct sopi_place *place, sop_buf *out,
			   sop_error *err);

/* The same, behind what is in `out`; it may be a stretch of the pack with several blobs. */
sop_status sopi_packs_read_more(struct sopi_packs *packs, const struct sopi_place *place,
				sop_buf *out, sop_error *err);

/* Reads a value: checks the frame (magic, key, length) and the checksum of all of it; `out` receives the value without
 * the frame. Statuses as above; CORRUPT names file and offset. */
sop_status sopi_packs_read_value(struct sopi_packs *packs, uint64_t key,
				 const struct sopi_place *place, sop_buf *out, sop_error *err);

/* The path of a pack's file, for messages. */
void sopi_packs_path(struct sopi_packs *packs, uint64_t id, char path[SOPI_PATH_BYTES_MAX + 1]);

/* ---- what lives -------------------------------------------------------------------------------- */

/* Raises (or lowers) the live bytes of the pack that holds `place` by place->length. */
void sopi_packs_live(struct sopi_packs *packs, const struct sopi_place *place, bool lives);

/* Copies what is known of all packs to *entries (freed by the caller with sopi_free), ascending by id. Of one that is
 * being written that is what syncs have made durable; as long as this is nothing, a crash may lose the file, and it is
 * left out. */
sop_status sopi_packs_list(struct sopi_packs *packs, struct sopi_pack_entry **entries,
			   size_t *count, sop_error *err);

/* Forgets a pack and removes its file as soon as no reader uses it. Reading it then answers NOT_FOUND. A failure to
 * remove the file is no failure: it is an orphan, and removed at the next open. */
void sopi_packs_remove(struct sopi_packs *packs, uint64_t id);

/* Told of each blob in a finished pack: key and place. A status other than OK ends it and is returned. */
typedef sop_status (*sopi_pack_fn)(void *arg, uint64_t key, const struct sopi_place *place,
				   sop_error *err);

/* Reads the index of a pack; one that has none (it was never finished) is walked over blob by blob as far as its blobs
 * are whole. CORRUPT, IO. */
sop_status sopi_packs_each(struct sopi_packs *packs, uint64_t id, sopi_pack_fn fn, void *arg,
			   sop_error *err);

/* New packs get ids above those that files have, whether they are known or not: while replay goes on, the log may still
 * name them. IO, NO_MEMORY. */
sop_status sopi_packs_pass_files(struct sopi_packs *packs, sop_error *err);

/* Removes files below blobs/ that have the name of a pack but are none that is known. Names that mean nothing are left
 * alone and told to `unknown` (may be NULL). From packs of values that were never finished it cuts off what lies behind
 * their known blobs, so that verify takes anything there for damage. Called at open, after replay, when everything that
 * manifest and log name is adopted. CORRUPT, IO, NO_MEMORY. */
sop_status sopi_packs_sweep(struct sopi_packs *packs, void (*unknown)(void *arg, const char *path),
			    void *arg, sop_error *err);

/* Instead of a sweep, where nothing may be written: nothing is removed or cut off, and what lies behind the known blobs of
 * packs that were never finished is no damage. CORRUPT, IO, NO_MEMORY. */
sop_status sopi_packs_settle(struct sopi_packs *packs, sop_error *err);

/* Does `name` in the folder blobs/<folder>/ stand for a pack? *alone: it is <id>.val. */
bool sopi_pack_name_read(const char *name, unsigned folder, uint64_t *id, bool *alone);

/* Is there such a pack? One that is being written counts. */
bool sopi_packs_know(struct sopi_packs *packs, uint64_t id, bool alone);

/* Checks head, index, checksums of all blobs of one pack; tells `found` of each problem, and `went` (may be NULL) of the
 * bytes of each blob; both return false to stop.
 * After a sweep, or settled; beside writers and readers. NOT_FOUND, IO, NO_MEMORY: it could not be checked. */
sop_status sopi_packs_verify(struct sopi_packs *packs, uint64_t id,
			     bool (*found)(void *arg, const char *file, int64_t offset,
					   const char *kind, const char *message),
			     bool (*went)(void *arg, uint64_t bytes), void *arg, sop_error *err);

#endif
