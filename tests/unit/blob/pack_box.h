/* A folder with packs, on a simulated disk or on the host, and what is put into them. */
#ifndef TEST_PACK_BOX_H
#define TEST_PACK_BOX_H

#include "support/support.h"

#include "blob/blob_folder.h"
#include "platform/sim.h"

enum { PLACE_BYTES = 64 };

struct box {
	struct sopi_sim_disk *disk; /* NULL: on the host */
	struct sopi_sim_process *process;
	const struct sopi_platform *platform;
	char path[PLACE_BYTES];
	struct sopi_folder *folder;
	struct sopi_packs *packs;
	int64_t live; /* allocations before */
	sop_error err;
};

/* A disk with an empty database folder that is durable, and packs opened there. */
void box_open_sim(struct box *box);
void box_open_host(struct box *box);

/* Everything is closed and removed; fails the test if memory or a handle is left. */
void box_close(struct box *box);

/* A process on a disk that is there. Without packs. */
void box_start(struct box *box, struct sopi_sim_disk *disk);
void box_stop(struct box *box);

/* Closes the packs and opens them anew, adopting `count` entries. */
void box_reopen(struct box *box, const struct sopi_pack_entry *entries, size_t count);

/* A node page with one item, whose value makes it larger. `page` is set. */
void box_page(sop_buf *page, uint64_t vid, size_t value_bytes);

/* The value number `number`: its bytes follow from number and size. */
void box_value(sop_buf *value, uint64_t number, size_t size);

/* Something in a pack. */
struct thing {
	uint64_t key;
	size_t size; /* of the value */
	bool node;
	struct sopi_place place;
};

sop_status box_put(struct sopi_pack *pack, struct thing *thing, sop_error *err);

/* Reads the thing: OK with the right bytes, or a status; the test fails over wrong bytes. */
sop_status box_look(struct sopi_packs *packs, const struct thing *thing, sop_error *err);

/* Finishes a pack of `count` things numbered from 1. */
uint64_t box_fill(struct box *box, enum sopi_pack_kind kind, struct thing *things, size_t count);

/* How many problems verify finds. */
size_t box_verify(struct box *box, uint64_t id);

/* Is there a file for the pack? */
bool box_has_file(struct box *box, uint64_t id);

/* The whole file `path`. */
void box_load(struct box *box, const char *path, sop_buf *bytes);
void box_store(struct box *box, const char *path, const void *bytes, size_t size);

#endif
