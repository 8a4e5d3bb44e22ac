/* Within the packs: what is known of each, and what their parts ask of each other. */
#ifndef SOPI_BLOB_FOLDER_INSIDE_H
#define SOPI_BLOB_FOLDER_INSIDE_H

#include "blob/blob_folder.h"
#include "codec/pack_record.h"
#include "platform/thread.h"

#include <stdatomic.h>

_Static_assert((int)SOPI_VALUE_FRAME_BYTES == (int)SOPI_PACK_FRAME_BYTES, "one frame, two names");

#define PACKS_FOLDER "blobs"
#define PACK_END_MAX ((uint64_t)UINT32_MAX) /* offsets in the registry have 32 bits */

enum {
	PACK_VALUE_BYTES_MAX = 1 << 30,
	PACK_INDEX_SLACK_BYTES = 1 << 16, /* an entry is smaller than any page or frame, but for very few */
	PACK_TAIL_BYTES = 256 << 10, /* of nodes collected before they are written */
	PACK_FOLDERS = 256,
};

/* A pack that is known. Guarded by sopi_packs.mutex unless it says otherwise. */
struct pack_file {
	uint64_t id; /* never changes */
	enum sopi_pack_kind kind; /* never changes */
	uint64_t total_bytes; /* of blobs that are durable, or that a manifest or log record named */
	uint64_t live_bytes;
	uint64_t size; /* of the file when it was last looked at */
	size_t users; /* the table, the writer, readers: the last one frees it */
	bool removed; /* from the table: the last user removes the file */
	bool finished; /* by this process: it must have an index */
	bool torn; /* what lies behind its blobs means nothing, and could not be cut off */
	bool writing;
	/* The descriptor. While it is used (pins) nobody closes it. */
	struct sopi_file *handle;
	size_t pins;
	bool cached; /* it is one of sopi_packs.open, not the writer's */
	bool opening; /* by some thread; the others wait */
	uint64_t used; /* sopi_packs.tick of the last use */
	/* While it is written. */
	_Atomic uint64_t end; /* where the next blob goes */
	_Atomic uint64_t written; /* what lies before it is in the file, the rest in `tail` */
	sopi_mutex tail_mutex; /* guards the next two */
	uint8_t *tail;
	size_t tail_size;
};

struct sopi_packs {
	struct sopi_folder *folder;
	sopi_mutex mutex; /* never held during I/O */
	sopi_cond changed; /* a descriptor was opened, closed or is no longer used */
	uint64_t next_id;
	struct pack_file **files; /* ascending by id */
	size_t count;
	size_t capacity;
	struct pack_file *open[SOPI_PACK_DESCRIPTORS_MAX]; /* NULL: free */
	size_t open_max; /* at least 1; fewer where the process has not so many */
	uint64_t tick;
	_Atomic bool folder_durable[PACK_FOLDERS]; /* name of blobs/xx, by us */
};

/* ---- blob_folder_table.c: the table of packs, their descriptors ------------------------------- */

/* A descriptor in use. */
struct pack_pin {
	struct pack_file *file;
	struct sopi_file *handle;
	bool writing;
	bool finished;
	uint64_t limit; /* the file ends here; while it is written, the blobs that were appended */
	uint64_t total; /* bytes of blobs that are known */
};

/* The place of `id` in the table, or where it would be. REQUIRES: mutex held. */
size_t pack_place_locked(const struct sopi_packs *packs, uint64_t id);

/* NULL: not known. REQUIRES: mutex held. */
struct pack_file *pack_find_locked(const struct sopi_packs *packs, uint64_t id);

/* A new entry for the table, which gets it by pack_enter_locked. */
sop_status pack_file_new(uint64_t id, enum sopi_pack_kind kind, struct pack_file **out, sop_error *err);
void pack_file_free(struct pack_file *file);

/* Room for one more, so that entering cannot fail. REQUIRES: mutex held. */
sop_status pack_room_locked(struct sopi_packs *packs, sop_error *err);

/* REQUIRES: mutex held, room, the id is not known. */
void pack_enter_locked(struct sopi_packs *packs, struct pack_file *file);

/* Takes it out of the table; the file is removed with its last user. REQUIRES: mutex held. */
void pack_forget_locked(struct sopi_packs *packs, struct pack_file *file);

/* A descriptor for reading. NOT_FOUND: the pack is not known; CORRUPT: its file is missing. */
sop_status pack_pin(struct sopi_packs *packs, uint64_t id, struct pack_pin *pin, sop_error *err);

/* One user less, with its use of the descriptor. */
void pack_unpin(struct sopi_packs *packs, struct pack_file *file);

/* Did a call fail because the process has no more descriptors, and were some closed that were kept? Then it is worth
 * another try; true a few times only, since we keep fewer from then on. */
bool pack_made_room(struct sopi_packs *packs, sop_status status, const sop_error *problem);

/* Opens a file, with that. */
sop_status pack_open_file(struct sopi_packs *packs, const char *path, unsigned flags,
			  struct sopi_file **out, sop_error *err);

void pack_path(uint64_t id, enum sopi_pack_kind kind, char path[SOPI_PATH_BYTES_MAX + 1]);

/* ---- blob_folder_read.c ----------------------------------------------------------------------- */

/* Reads `size` bytes of the file, which must be there: CORRUPT. They may still be in the writer's memory, wholly. */
sop_status pack_read_at(const struct pack_pin *pin, uint64_t offset, void *to, size_t size,
			sop_error *err);

/* Checks that `length` bytes at `offset` may be there, before memory is asked for. */
sop_status pack_check_range(const struct pack_pin *pin, uint64_t offset, uint64_t length, sop_error *err);

/* Checks the value behind a frame against its checksum, in pieces. */
sop_status pack_check_value(const struct pack_pin *pin, uint64_t offset,
			    const struct sopi_pack_frame *frame, sop_error *err);

/* CORRUPT of a place in the pack. */
sop_status pack_damaged(const struct pack_file *file, uint64_t offset, sop_error *err,
			const char *message);

/* ---- blob_folder_index.c ---------------------------------------------------------------------- */

/* Reads the footer. CORRUPT, UNSUPPORTED: there is none, or it denies blobs that are known. */
sop_status pack_read_footer(const struct pack_pin *pin, struct sopi_pack_footer *footer, sop_error *err);

/* Reads and checks the index that the footer names. */
sop_status pack_read_index(const struct pack_pin *pin, const struct sopi_pack_footer *footer,
			   sop_buf *index, uint64_t *count, sop_error *err);

/* Reads the head and checks it. */
sop_status pack_read_head(const struct pack_pin *pin, sop_error *err);

/* What blob is at `offset`, checked whole. CORRUPT, UNSUPPORTED: there is none. room: for a node page. */
sop_status pack_look(const struct pack_pin *pin, uint64_t offset, sop_buf *room,
		     struct sopi_pack_slot *slot, sop_error *err);

/* ---- blob_folder_sync.c ----------------------------------------------------------------------- */

/* Makes the names blobs/xx/<id> and blobs/xx durable. */
sop_status pack_sync_name(struct sopi_packs *packs, uint64_t id, sop_error *err);

#endif
