/* The manifest: the one file with a fixed name, which says what a database consists of as of its newest checkpoint.
 *
 * Written as tmp/MANIFEST, synced, renamed to MANIFEST, the folder synced (F4): there is the old one or the new one.
 * docs/format.md has every byte. */
#ifndef SOPI_MANIFEST_H
#define SOPI_MANIFEST_H

#include "blob/blob.h"
#include "platform/file.h"
#include "registry/registry.h"

enum { SOPI_MANIFEST_FORMAT = 2, SOPI_MANIFEST_BYTES_MAX = 1 << 30 };

/* A store that was dropped, whose nodes are on disk still. */
struct sopi_dropped {
	uint64_t store;
	uint64_t root; /* vid */
};

/* A file outcome/<number>: so many entries of it count. */
struct sopi_outcome_file {
	uint64_t number;
	uint64_t entries;
};

struct sopi_manifest {
	uint8_t database[16]; /* UUID, made at creation */
	uint64_t epoch; /* of the opening that wrote it */
	uint64_t checkpoint; /* C: a position */
	uint64_t first_segment; /* of the log */
	uint64_t log_slot; /* the log was durable up to here when this was written, at least */
	uint32_t log_crc; /* of the head of that group */
	uint64_t next_vid;
	uint64_t next_value;
	uint64_t next_store;
	uint64_t next_pack;
	uint32_t buckets; /* of a registry segment */
	uint32_t node_bytes; /* as created */
	struct sopi_registry_view registry;
	struct sopi_pack_entry *packs;
	size_t pack_count;
	struct sopi_outcome_file *outcomes; /* oldest first */
	size_t outcome_count;
	uint64_t *dead_values; /* ids: in the registry still, named by no item as of C */
	size_t dead_value_count;
	struct sopi_dropped *dropped;
	size_t dropped_count;
};

/* Frees the arrays. */
void sopi_manifest_free(struct sopi_manifest *manifest);

/* Appends its bytes to `out`. Pure. */
sop_status sopi_manifest_encode(const struct sopi_manifest *manifest, sop_buf *out, sop_error *err);

/* Checks every byte; CORRUPT, UNSUPPORTED (another format, by number), NO_MEMORY. file: for messages. */
sop_status sopi_manifest_decode(sop_bytes bytes, const char *file, struct sopi_manifest *out,
				sop_error *err);

/* NOT_FOUND: there is none. */
sop_status sopi_manifest_read(struct sopi_folder *folder, const char *path,
			      struct sopi_manifest *out, sop_error *err);

/* Durable, name included, when it returns. *indefinite receives whether, after an error, the new manifest may be the
 * one that the next open finds (the rename happened, or may have): then nothing may be acknowledged any more and no
 * file of either may be removed. */
sop_status sopi_manifest_write(struct sopi_folder *folder, const struct sopi_manifest *manifest,
			       bool *indefinite, sop_error *err);

/* Puts one in its place that names the same checkpoint, so that it does not matter which of them is found after a loss of
 * power: one flush, after which the new one is whole, but its name need not be durable. */
sop_status sopi_manifest_renew(struct sopi_folder *folder, const struct sopi_manifest *manifest,
			       sop_error *err);

#endif
