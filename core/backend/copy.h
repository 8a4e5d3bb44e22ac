/* Within backend: filling a folder with a copy of a database, file by file, so that nothing in it opens before all of it
 * is there. */
#ifndef SOPI_COPY_H
#define SOPI_COPY_H

#include "backend/inredfs.h"

/* A file to be copied. */
struct sopi_copy_file {
	char path[56]; /* of both */
	uint64_t bytes; /* the first so many of it */
};

struct sopi_copy {
	const struct sopi_platform *platform;
	struct sopi_folder *from; /* belongs to the caller */
	const char *path; /* of the target, as the user gave it */
	struct sopi_folder *to;
	struct sopi_file *lock; /* of the target */
	bool made; /* the folder itself */
	bool entered; /* whatever is in it now is ours */
	struct sopi_copy_file *files;
	size_t count;
	size_t capacity;
	uint8_t *room; /* a chunk of a file */
	uint64_t done; /* bytes */
	uint64_t total;
	sopi_progress_fn progress;
	void *arg;
};

/* Opens the target, which must be missing or empty, and locks it. EXISTS, MISUSE (it lies in
 * `from`), NOT_FOUND (its parent), UNSUPPORTED, ... */
sop_status sopi_copy_begin(struct sopi_copy *copy, sop_error *err);

/* Adds a file to be copied, of which `bytes` count; UINT64_MAX: all that it has. CORRUPT: there is none. */
sop_status sopi_copy_add(struct sopi_copy *copy, const char *path, uint64_t bytes, sop_error *err);

/* Copies the files, durably, names included. */
sop_status sopi_copy_files(struct sopi_copy *copy, sop_error *err);

/* Makes a database of it: the manifest, last of all; then opens and checks it. CORRUPT: the copy is damaged, and so is
 * what it was made from. */
sop_status sopi_copy_end(struct sopi_copy *copy, const struct sopi_manifest *manifest, sop_error *err);

/* Frees everything; after a failure what was made is removed. */
void sopi_copy_free(struct sopi_copy *copy, sop_status status);

#endif
