/* The blob port: immutable byte strings, many to a file. Nodes and large values are blobs.
 *
 * A blob is put into a *pack* that is being written and has a place from then on; it is durable once its pack was
 * synced. Packs are never overwritten; one goes as a whole when nothing in it lives. What lives is for the registry to
 * say: here are only bytes. Drivers: blob_folder.c (files in the database's folder). */
#ifndef SOPI_BLOB_H
#define SOPI_BLOB_H

#include "base/error.h"

#include <sop/buffer.h>

#include <stdbool.h>
#include <stdint.h>

/* Where a blob lies. */
struct sopi_place {
	uint64_t pack; /* id; 0: nowhere */
	uint64_t offset; /* bytes */
	uint64_t length; /* bytes */
};

enum sopi_pack_kind {
	SOPI_PACK_NODES = 1, /* written by one checkpoint: node pages as they are */
	SOPI_PACK_VALUES = 2, /* values of many transactions, each in a frame */
	SOPI_PACK_VALUE = 3 /* one large value: blobs/xx/<id>.val */
};

/* What a manifest says of a pack. */
struct sopi_pack_entry {
	uint64_t id;
	uint8_t kind; /* sopi_pack_kind */
	uint64_t total_bytes; /* of blobs */
	uint64_t live_bytes; /* of blobs that the registry names */
	bool writing; /* more may be appended to it: not part of a manifest */
};

#endif
