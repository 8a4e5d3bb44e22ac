/* A database on a simulated disk, with the settings of the crash tests, and what it shows. */
#ifndef CRASH_BASE_H
#define CRASH_BASE_H

#include "crash/model.h"
#include "platform/sim.h"
#include "support/support.h"

/* How the databases of a run are made: small, so that everything happens in a short trace. */
struct config {
	uint32_t node_bytes;
	uint32_t node_items;
	uint64_t log_bytes; /* the budget; a segment has a quarter of it at most */
	size_t direct_bytes; /* of the disk; 0: no direct writes */
	uint32_t replay_each; /* groups of the log that are replayed, after which recovery makes a checkpoint; 0: none */
	uint64_t replay_parts; /* see test_replay_in_parts */
	uint64_t random; /* seed of the random numbers of processes */
};

/* A process with the database open. */
struct base {
	struct sopi_sim_process *process;
	sop_db *db;
};

enum { WORDS = 400 }; /* of what is wrong */

#define TXN_ID_BYTES 16

/* Opens the database on `disk` in a new process. On failure there is nothing to close. */
sop_status base_open(struct base *base, struct sopi_sim_disk *disk, const struct config *config,
		     bool create, sop_error *err);

/* The same with the option read_only. */
sop_status base_open_reading(struct base *base, struct sopi_sim_disk *disk,
			     const struct config *config, sop_error *err);

/* The same in a process that is killed before its file call number `calls`. */
sop_status base_open_killed(struct base *base, struct sopi_sim_disk *disk,
			    const struct config *config, int64_t calls, sop_error *err);

/* Closes it and ends the process. */
sop_status base_close(struct base *base, sop_error *err);

/* The schema of stores with a ride-along field: sort field `k`, ride-along field `r`. */
const sop_schema *base_schema(void);
void base_schema_free(void);

/* A declaration of what is there. */
sop_store *base_store(struct base *base, const char *name);

/* Fills `bytes` of a value; its checksum. */
uint32_t base_value(uint64_t seed, size_t size, uint8_t *bytes);
uint32_t base_crc(const void *bytes, size_t size);

/* Dumps all stores. False: `words` says what is wrong. */
bool base_dump(struct base *base, struct dump *dump, char words[WORDS]);

/* Checks files and trees. */
bool base_verify(struct base *base, char words[WORDS]);

/* Commits `size` bytes under "mark" in a store "zz" of its own, made if need be. */
bool base_commit_mark(struct base *base, const uint8_t id[TXN_ID_BYTES], size_t size, char words[WORDS]);

#endif
