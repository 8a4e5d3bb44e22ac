/* A database in the folder /db of a simulated disk, work to fill it, and what it holds as text. */
#ifndef TEST_BACKEND_DATABASE_BOX_H
#define TEST_BACKEND_DATABASE_BOX_H

#include "api/handle.h"
#include "backend/inredfs.h"
#include "platform/sim.h"
#include "support/support.h"

struct database_box {
	struct sopi_sim_disk *disk;
	struct sopi_sim_process *process;
	sop_db *db; /* of /db; NULL: not open */
	uint64_t temporary; /* stores that were made for a while */
	sop_error err;
};

/* Boots a process on a new disk and makes the database. */
void database_box_start(struct database_box *box);
void database_box_free(struct database_box *box);

/* Opens a database in any folder of the disk, with a small cache and no background; /db is made if it is missing. */
sop_status database_box_open_at(struct database_box *box, const char *path, sop_db **out, sop_error *err);
void database_box_open(struct database_box *box);
void database_box_close(struct database_box *box);
/* The process dies. */
void database_box_kill(struct database_box *box);

/* The same; what there was is in `before`. */
void database_box_die(struct database_box *box, sop_buf *before);

/* Is that there, and is nothing wrong? */
void database_box_check(struct database_box *box, const sop_buf *before);
struct sopi_inredfs *database_box_fs(struct database_box *box);

/* Random transactions in the stores "plain", "twice" (with duplicates) and "temp<n>", which come and go: keys and values
 * of all sizes, some kept apart; checkpoints and gc between them. */
void database_box_work(struct database_box *box, struct test_rng *rng, uint64_t transactions);

/* Puts items with the keys [from, to) into a store, which is made if it is missing, in one transaction. */
void database_box_fill(struct database_box *box, const char *name, uint64_t from, uint64_t to,
		       size_t value_bytes);

/* All stores with all items, in order. Freed with sop_buf_free. */
void database_dump(sop_db *db, sop_buf *out);

/* Notes failures unless sop_verify finds nothing. Returns how many problems there are. */
uint64_t database_verify(sop_db *db, const char *when);

/* How many problems of this kind (NULL: any) sop_verify finds that name this file (NULL: any). */
uint64_t database_problems(sop_db *db, const char *kind, const char *file);

/* Files in the folder `path` of the disk and below; 0 if it is not there. */
size_t database_box_files(struct database_box *box, const char *path);

/* Does the disk have it? */
bool database_box_has(struct database_box *box, const char *folder, const char *path);

/* A file of the database: the first in the folder `below` whose name ends like that. False: there is none. */
bool database_box_find(struct database_box *box, const char *below, const char *end, char *path,
		       size_t room);

/* Changes one byte of a file; `offset` below 0: from its end. */
void database_box_flip(struct database_box *box, const char *path, int64_t offset);
void database_box_write(struct database_box *box, const char *path, const char *text);
void database_box_remove(struct database_box *box, const char *path);

#endif
