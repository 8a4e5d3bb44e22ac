/* Within the registry: files of blocks of 4096 bytes, of which runs and segments consist. How a block and an entry are
 * laid out, and how such a file is written once, and read, from front to back. docs/format.md explains the bytes. */
#ifndef SOPI_REGISTRY_FILE_H
#define SOPI_REGISTRY_FILE_H

#include "registry/registry.h"

enum {
	SOPI_REGISTRY_FORMAT = 1, /* of runs and segments */
	SOPI_ENTRY_BYTES = 40,
	SOPI_REGBLOCK_ENTRIES_MAX = 101,
	SOPI_REGNAME_BYTES = 40, /* of a path such as "reg/0123456789abcdef-01234567.seg", with the NUL */
};

/* Where the fields of a block are. The heads of files have the first three, buckets and the blocks of runs all of the
 * second group. */
enum {
	REGBLOCK_AT_MAGIC = 0, /* 4 */
	REGBLOCK_AT_CRC = 4, /* 4: of the block without these bytes */
	REGHEAD_AT_FORMAT = 8, /* 4 */

	REGBLOCK_AT_OWNER = 8, /* 8: generation of the map, or position of the run */
	REGBLOCK_AT_NUMBER = 16, /* 8: of the bucket in its map, of the block in its run */
	REGBLOCK_AT_COUNT = 24, /* 2 */
	REGBLOCK_AT_ENTRIES = 40,
};

#define SOPI_MAGIC_SEGMENT "SOPs"
#define SOPI_MAGIC_BUCKET "SOPb"
#define SOPI_MAGIC_RUN "SOPr"
#define SOPI_MAGIC_RUN_BLOCK "SOPe"

/* The folder of the database, for the one thread that writes. */
struct sopi_reghome {
	struct sopi_folder *folder;
	bool sync_failed; /* then nothing is written any more: no sync is tried twice */
};

/* What a block must say of itself. */
struct sopi_regblock_id {
	const char *magic;
	uint64_t owner;
	uint64_t number;
};

/* Where a block is, for messages. */
struct sopi_regplace {
	const char *path;
	uint64_t offset;
};

/* CORRUPT at `place`, saying `what`. */
sop_status sopi_regplace_corrupt(const struct sopi_regplace *place, const char *what, sop_error *err);

void sopi_run_path(uint64_t position, char path[SOPI_REGNAME_BYTES]);
void sopi_segment_path(uint64_t generation, uint64_t number, char path[SOPI_REGNAME_BYTES]);

/* What a name in reg/ says; false: nothing. `*run` tells which of the two it is. */
bool sopi_regname_parse(const char *name, bool *run, uint64_t *owner, uint64_t *number);

bool sopi_is_zero(const uint8_t *from, size_t size);

/* Fills in the head of a block that carries entries. */
void sopi_regblock_begin(uint8_t *block, const struct sopi_regblock_id *id);

/* Writes magic and checksum: the last thing done to a block. */
void sopi_regblock_seal(uint8_t *block, const char *magic);

/* Magic and checksum; CORRUPT. */
sop_status sopi_regblock_check_seal(const uint8_t *block, const char *magic,
				    const struct sopi_regplace *place, sop_error *err);

/* The same for the head of a file, and its format: UNSUPPORTED. */
sop_status sopi_reghead_check(const uint8_t *block, const char *magic,
			      const struct sopi_regplace *place, sop_error *err);

/* A block with entries: seal, owner, number, count, and that nothing lies behind them. */
sop_status sopi_regblock_check(const uint8_t *block, const struct sopi_regblock_id *id,
			       const struct sopi_regplace *place, sop_error *err);

/* Entry `index` of a block. */
void sopi_entry_store(uint8_t *block, size_t index, const struct sopi_registry_entry *entry);

/* False: these are not the bytes of an entry. */
bool sopi_entry_load(const uint8_t *block, size_t index, struct sopi_registry_entry *entry);

uint64_t sopi_entry_key(const uint8_t *block, size_t index);

/* Why nobody may write this entry, or NULL. */
const char *sopi_entry_problem(const struct sopi_registry_entry *entry);

/* A file that is being written. */
struct sopi_regwriter {
	struct sopi_reghome *home;
	struct sopi_file *file; /* NULL: none */
	char path[SOPI_REGNAME_BYTES];
	uint8_t *room;
	size_t room_count; /* blocks in it */
	uint64_t written; /* blocks in the file */
};

/* Makes the file `path`; one that has the name goes. Its first block is left for the head. */
sop_status sopi_regwriter_open(struct sopi_regwriter *writer, struct sopi_reghome *home,
			       const char *path, sop_error *err);

/* A block of zeros to fill in before the next call, behind all others. */
sop_status sopi_regwriter_next(struct sopi_regwriter *writer, uint8_t **block, sop_error *err);

/* Writes what is left and the head, makes the file durable (not its name) and closes it. */
sop_status sopi_regwriter_finish(struct sopi_regwriter *writer, const uint8_t *head, sop_error *err);

/* Closes and removes the file, if there is one. */
void sopi_regwriter_abandon(struct sopi_regwriter *writer);

/* Makes names in reg/ durable. */
sop_status sopi_reghome_sync(struct sopi_reghome *home, sop_error *err);

/* A file that is being read. */
struct sopi_regreader {
	struct sopi_file *file; /* NULL: none */
	char path[SOPI_REGNAME_BYTES];
	uint8_t *room;
	size_t room_at; /* the next block in it */
	size_t room_count; /* blocks in it */
	uint64_t read; /* blocks read into the room so far */
	uint64_t blocks; /* that the file has */
};

/* Opens a file that must be there, and be whole blocks: CORRUPT if not. */
sop_status sopi_regreader_open(struct sopi_regreader *reader, struct sopi_folder *folder,
			       const char *path, sop_error *err);

/* CORRUPT: the file has not exactly `blocks` blocks. Asked after the head was checked, since other formats may have
 * other sizes. */
sop_status sopi_regreader_expect(const struct sopi_regreader *reader, uint64_t blocks, sop_error *err);

/* The next block, valid until the next call, and where it is. REQUIRES: there is one. */
sop_status sopi_regreader_next(struct sopi_regreader *reader, const uint8_t **block,
			       struct sopi_regplace *place, sop_error *err);
void sopi_regreader_close(struct sopi_regreader *reader);

/* Reads one block at `place`. */
sop_status sopi_regblock_read(struct sopi_file *file, const struct sopi_regplace *place,
			      uint8_t *block, sop_error *err);

/* NOT_FOUND becomes CORRUPT: the manifest says that the file is there. */
sop_status sopi_reg_missing(sop_status status, const char *path, sop_error *err);

#endif
