/* A database's folder on a simulated disk with a registry in it, and a plain table that says what it must hold. */
#ifndef TEST_REGISTRY_BOX_H
#define TEST_REGISTRY_BOX_H

#include "platform/sim.h"
#include "registry/manifest.h"
#include "support/support.h"

enum { BOX_KEYS = 4000, BOX_KEYS_OF_KIND = BOX_KEYS / 4, BOX_CACHE_BYTES = 1 << 20 };

/* What the registry must say of key number i. */
struct table {
	struct sopi_registry_entry entries[BOX_KEYS]; /* `removed`: it is not there */
};

struct box {
	struct sopi_sim_disk *disk;
	struct sopi_sim_process *process;
	struct sopi_folder *folder;
	struct sopi_registry *registry; /* NULL: not open */
	struct sopi_registry_view view; /* as of the last switch */
	size_t cache_bytes;
	uint64_t position; /* of the last checkpoint */
};

/* Key number i: of all kinds, with the same ids in each, ascending with i. */
uint64_t box_key(size_t number);

void table_clear(struct table *table);

/* Random changes of about `count` keys, ascending, which the table has afterwards; returns how many. `changes` has room
 * for BOX_KEYS. */
size_t table_change(struct table *table, struct test_rng *rng, size_t count,
		    uint64_t removed_percent, struct sopi_registry_entry *changes);

/* Boots a process on `disk` (NULL: a new one, with the folders of a database, durable). */
void box_start(struct box *box, struct sopi_sim_disk *disk);

/* Closes everything but the disk. */
void box_stop(struct box *box);
void box_free(struct box *box); /* with the disk */

sop_status box_open(struct box *box, sop_error *err);
void box_close(struct box *box);

/* Write and switch, without a manifest. */
void box_write(struct box *box, const struct sopi_registry_entry *changes, size_t count, bool fold);

/* A manifest that says what the view does. */
void box_manifest(const struct box *box, const struct sopi_registry_view *view, uint64_t position,
		  struct sopi_manifest *out);

/* Notes a failure unless find answers for each key as the table does; statuses other than OK and NOT_FOUND that are in
 * `allowed` (0: none) pass. Returns false once a failure was noted. */
bool box_agrees(const struct box *box, const struct table *table, sop_status allowed, const char *when);

/* The same for each, and for verify, which must find nothing. */
bool box_agrees_wholly(const struct box *box, const struct table *table, const char *when);

/* Files in the folder `path`. */
size_t box_files(const struct box *box, const char *path);

bool box_exists(const struct box *box, const char *path);

#endif
