/* The library under test: does the operations of a case through the public interface and says what it answers. */
#ifndef MODEL_ENGINE_H
#define MODEL_ENGINE_H

#include "model/model.h"

#include "support/folder.h"

struct engine {
	bool on_disk;
	char folder[TEST_PATH_BYTES];
	char url[TEST_PATH_BYTES + 160];
	uint32_t node_items;
	const struct universe *universe;
	const struct mix *mix;
	sop_db *db;
	sop_store *stores[NAMES];
	sop_error err;
	sop_buf value;
	sop_buf key;
	sop_buf rows;
	uint8_t *bytes; /* values on their way in, batches on their way out */
	uint8_t *key_room;
};

/* One transaction; its handle is renewed again and again. */
struct engine_txn {
	sop_txn *txn; /* NULL: never begun */
	bool open;
	uint32_t mode;
	sop_cursor *cursors[CURSORS];
	uint64_t savepoints[SAVEPOINTS];
	unsigned savepoint_count;
};

extern const char *const engine_names[NAMES];

/* How a database is to be made. */
struct engine_options {
	bool on_disk; /* next to nothing of it stays in memory, and checkpoints follow on each other */
	uint32_t node_items;
	uint32_t node_bytes;
	uint32_t inline_value_bytes;
};

/* Opens a new database; fails the running test if that does not work. */
void engine_open(struct engine *engine, const struct universe *universe, const struct mix *mix,
		 const struct engine_options *options);
void engine_close(struct engine *engine);

/* On disk: closes it, as if its process had been killed if `killed` says so, and opens it again. REQUIRES: no handle
 * of a transaction is left. */
void engine_reopen(struct engine *engine, bool killed);

/* Begins: on the old handle where there is one with this mode. */
sop_status engine_begin(struct engine *engine, struct engine_txn *txn, uint32_t mode);

/* Frees cursors; the handle stays for the next time. */
void engine_ended(struct engine_txn *txn);
void engine_txn_free(struct engine_txn *txn);

/* Does `op`, says the answer, and adds to `hint` what only the library can know. */
void engine_apply(struct engine *engine, struct engine_txn *txn, const struct op *op,
		  struct hint *hint, struct answer *answer);

/* Whether `store` has exactly `items` for `txn`, by fetching all rows, forwards or backwards, and by counting them;
 * otherwise prints the first difference. */
bool engine_equals(struct engine *engine, struct engine_txn *txn, unsigned store,
		   const struct items *items, bool backwards);

/* Runs sop_verify; prints what it found. */
bool engine_verifies(struct engine *engine);

#endif
