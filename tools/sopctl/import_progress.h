/* How far an import is, written in the transactions that import, so that one that was killed goes on where it was and
 * nothing is there twice. The store IMPORT_PROGRESS has a record for each store that is being imported into, and goes
 * with the last of them. */
#ifndef SOPCTL_IMPORT_PROGRESS_H
#define SOPCTL_IMPORT_PROGRESS_H

#include "access.h"
#include "records.h"

#define IMPORT_PROGRESS "sopctl.import"

struct import_progress {
	uint64_t offset; /* in the input: all before it has been imported */
	uint64_t next_line;
	uint64_t items;
	uint64_t bad;
	uint8_t digest[SHA256_DIGEST_SIZE]; /* of the input before `offset` */
};

/* Reads the record for the store `name` in the transaction of `access`. Returns OK; NOT_FOUND: there is none; CORRUPT: it
 * is none that this version has written. */
sop_status import_progress_read(struct access *access, const char *name, struct import_progress *progress);

/* Writes it, making the store IMPORT_PROGRESS if it is missing. */
sop_status import_progress_write(struct access *access, const char *name,
				 const struct import_progress *progress);

/* Removes it, and the store IMPORT_PROGRESS if it is empty then. */
sop_status import_progress_remove(struct access *access, const char *name);

#endif
