/* A transaction: a list of operations and a set of predicates over what it read. */
#ifndef SOPI_TRANSACTION_H
#define SOPI_TRANSACTION_H

#include "base/buffer.h"
#include "btree/operation.h"
#include "transaction/engine.h"
#include "transaction/index.h"
#include "transaction/predicate.h"

enum sopi_transaction_state {
	SOPI_ENDED, /* rolled back, failed or never begun */
	SOPI_OPEN,
	SOPI_COMMITTED
};

enum { SOPI_NAMES_CACHED = 8, SOPI_RUN_RETRIES_MS = 30000 };

/* A store as one transaction uses it. */
struct sopi_used {
	struct sopi_used *next;
	struct sopi_store *store;
	const struct sopi_schema *schema; /* NULL: raw keys */
	struct sopi_index index; /* the transaction's operations on it */
	size_t changes_end; /* in a commit: behind its changes among those of the transaction */
	bool created; /* by this transaction: there is no base */
	bool dropped; /* by this transaction: its operations come to nothing */
	bool calculates; /* there is, or was, an integer operation among them */
	struct sopi_store_schema *extension; /* to become its schema at commit, or NULL */
	bool extended; /* it has become so, in a commit that is being applied */
	uint8_t name_size;
	char name[SOPI_STORE_NAME_BYTES_MAX + 1]; /* as it was first used */
};

/* A store as a program declares it. */
struct sopi_declaration {
	uint64_t serial; /* never used twice in a process */
	const char *name;
	size_t name_size;
	bool checked; /* the following is expected, or what shall be created */
	uint32_t duplicates;
	uint32_t node_items;
	const struct sopi_schema *schema;
};

/* A declaration that was looked up. */
struct sopi_resolved {
	uint64_t serial;
	uint64_t begun; /* number of the transaction on this handle in which `used` is right */
	uint64_t changes; /* of the catalog by that transaction */
	uint64_t at; /* position it was looked up at */
	uint64_t version; /* of the catalog's item */
	struct sopi_store *store;
	struct sopi_used *used;
};

/* A place to which the changes can return. */
struct sopi_savepoint {
	struct sopi_operation *last; /* the newest operation when it was made */
	uint64_t number; /* ascending, never used again in this transaction: old ones name nothing else */
};

struct sopi_transaction {
	_Alignas(64) struct sopi_engine *engine; /* lines are not shared with other transactions */
	struct sopi_slot *slot;
	uint8_t state; /* sopi_transaction_state */
	uint8_t mode; /* sop_mode */
	uint8_t durability; /* sopi_durability of its commit; stays over further attempts */
	bool has_own_id; /* the caller gave it */
	bool nowait; /* the call that is running may not wait for a page: WOULD_BLOCK (without a message) */
	bool id_is_lent; /* `id` is, or was, the caller's: the next one cannot be counted from it */
	_Atomic bool cancelled;
	_Atomic uint64_t expired; /* the snapshot that keeps too much, or SOPI_POSITION_NONE */
	sop_status failure; /* why it ended, if a call failed */
	uint32_t attempts;
	uint64_t begun; /* transactions begun on this handle */
	uint64_t snapshot; /* position that it reads at */
	uint64_t position; /* after commit */
	int64_t deadline_ms; /* as given */
	int64_t deadline_ns; /* monotonic; 0: none */
	uint8_t id[16];
	_Atomic uint64_t id_words[2]; /* the same, for other threads */
	struct sopi_transaction *next_named;
	struct sopi_arena arena;
	struct sopi_used *used; /* stores used in this transaction */
	struct sopi_used *unused; /* kept for the next ones */
	struct sopi_used *names; /* the catalog, if this transaction changes it */
	struct sopi_operation *last; /* newest operation of all */
	uint64_t operation_count;
	uint64_t catalog_changes; /* made by this transaction, or taken back */
	struct sopi_store *created; /* stores that it makes */
	struct sopi_value *values; /* kept apart, not committed */
	size_t value_bytes; /* of those */
	struct sopi_predicates predicates;
	struct sopi_resolved resolved[SOPI_NAMES_CACHED];
	struct sopi_savepoint *savepoints;
	uint64_t savepoints_made; /* since it began */
	size_t savepoint_count;
	size_t savepoint_capacity;
	sop_buf key_room; /* scratch: keys with an item id */
	sop_buf ride_room; /* scratch: ride-along fields filled in */
	struct sopi_change *changes; /* scratch of commit */
	size_t change_capacity;
	bool has_conflict; /* the following is set */
	uint64_t conflict_lock; /* what to lock softly, should it lose often */
	uint64_t conflict_store_id;
	sop_buf conflict_store;
	sop_buf conflict_key;
};

/* What a look-up found. */
struct sopi_found {
	bool exists;
	struct sopi_item_view item; /* version 0: the transaction's own */
};

/* ---- life (transaction.c) ---------------------------------------------------------------------- */

/* A handle; nothing is begun. NO_MEMORY. */
sop_status sopi_transaction_init(struct sopi_transaction *txn, struct sopi_engine *engine,
				 sop_error *err);

/* Begins. REQUIRES: the slot claimed as choosing; it is not any more. id: 16 bytes, or NULL.
 * EXISTS, NO_MEMORY. */
sop_status sopi_transaction_begin(struct sopi_transaction *txn, uint32_t mode, int64_t deadline_ms,
				  const uint8_t *id, sop_error *err);

/* Ends without effect; `failure` is why. REQUIRES: the slot claimed, or closed. */
void sopi_transaction_roll_back(struct sopi_transaction *txn, sop_status failure);

/* Frees what the handle keeps; the slot stays. */
void sopi_transaction_destroy(struct sopi_transaction *txn);

/* TIMEOUT or CANCELLED if it may not go on: then it is rolled back. */
sop_status sopi_transaction_may_go_on(struct sopi_transaction *txn, sop_error *err);

/* After the end of a transaction: frees the old versions that its snapshot alone kept. REQUIRES: the slot claimed. */
void sopi_transaction_let_go(struct sopi_transaction *txn);

/* Ends the oldest open transaction with TIMEOUT at its next call: it keeps too many old versions. */
void sopi_transaction_expire_oldest(struct sopi_engine *engine);

/* Is a transaction of this id open? */
bool sopi_transaction_is_open(struct sopi_engine *engine, const uint8_t id[16]);

/* Within transaction: forgets operations and predicates, frees what was not committed. */
void sopi_transaction_reset(struct sopi_transaction *txn);

/* ---- operations (operations.c) ----------------------------------------------------------------- */

/* Adds an operation. value: copied; kept apart if it is large. LIMIT, NO_MEMORY: nothing was done.
 * */
sop_status sopi_transaction_add(struct sopi_transaction *txn, struct sopi_used *used,
				enum sopi_operation_kind kind, sop_bytes key, sop_bytes ride,
				sop_bytes value, int64_t number, sop_error *err);

sop_status sopi_transaction_savepoint(struct sopi_transaction *txn, uint64_t *savepoint, sop_error *err);
sop_status sopi_transaction_roll_back_to(struct sopi_transaction *txn, uint64_t savepoint,
					 sop_error *err);

/* ---- stores (stores.c) ------------------------------------------------------------------------- */

/* The store that a declaration names in this transaction. NOT_FOUND, SCHEMA (with a message). */
sop_status sopi_transaction_store(struct sopi_transaction *txn, const struct sopi_declaration *declaration,
				  struct sopi_used **out, sop_error *err);

sop_status sopi_transaction_create(struct sopi_transaction *txn,
				   const struct sopi_declaration *declaration, sop_error *err);
sop_status sopi_transaction_drop(struct sopi_transaction *txn,
				 const struct sopi_declaration *declaration, sop_error *err);
sop_status sopi_transaction_rename(struct sopi_transaction *txn,
				   const struct sopi_declaration *declaration, sop_bytes to,
				   sop_error *err);

/* Within transaction: frees the schema that a store was to get. */
void sopi_used_free_extension(struct sopi_used *used);

/* Within transaction: after operations were taken back, stores whose extension went with them have their old schema. */
void sopi_transaction_reconsider_schemas(struct sopi_transaction *txn);

/* The catalog as a store that can be read. */
sop_status sopi_transaction_names(struct sopi_transaction *txn, struct sopi_used **out, sop_error *err);

/* The stores that this transaction drops or makes, before a commit: marks them. */
void sopi_transaction_judge_stores(struct sopi_transaction *txn);

/* ---- reading (read.c) -------------------------------------------------------------------------- */

/* Looks a key up, own operations included. existence: only whether it is there matters. */
sop_status sopi_transaction_get(struct sopi_transaction *txn, struct sopi_used *used,
				const uint8_t *key, size_t size, bool existence,
				struct sopi_found *found, sop_error *err);

/* The value of an item: in place, or read from disk into `room`. */
sop_status sopi_transaction_value(struct sopi_transaction *txn, const struct sopi_item_view *item,
				  sop_buf *room, sop_bytes *value, sop_error *err);

/* The same, copied into `out`. */
sop_status sopi_transaction_copy_value(struct sopi_transaction *txn, const struct sopi_item_view *item,
				       sop_buf *out, sop_error *err);

/* SCHEMA, naming the store: what `key` has as far as the transaction sees is no integer; then it has
 * read that. A number, or nothing, is not remembered as read: others may change it. IO, CORRUPT, NO_MEMORY. */
sop_status sopi_transaction_check_number(struct sopi_transaction *txn, struct sopi_used *used,
					 const uint8_t *key, size_t size, sop_error *err);

/* Of the transaction's own operations on a key, of which the newest is given, an integer operation may be about to be undone
 * or covered. Then no commit looks whether it could be done, and that it was answered with OK is remembered as read: there
 * is a number, or nothing. IO, CORRUPT, NO_MEMORY. */
sop_status sopi_transaction_keep_number(struct sopi_transaction *txn, struct sopi_used *used,
					const struct sopi_operation *newest, sop_error *err);

/* The validated number of items of a store. */
sop_status sopi_transaction_count(struct sopi_transaction *txn, struct sopi_used *used,
				  uint64_t *count, sop_error *err);

/* Are reads of this transaction validated? */
static inline bool sopi_transaction_validates(const struct sopi_transaction *txn)
{
	return txn->mode == SOP_WRITE;
}

static inline bool sopi_transaction_writes(const struct sopi_transaction *txn)
{
	return txn->mode == SOP_WRITE || txn->mode == SOP_NOCHECK;
}

/* ---- ending (commit.c, retry.c) ---------------------------------------------------------------- */

/* Commits, or rolls back and says why. REQUIRES: the slot claimed. */
sop_status sopi_transaction_commit(struct sopi_transaction *txn, sop_error *err);

/* Before another attempt: waits, and takes soft locks if it has lost often. REQUIRES: ended.
 * TIMEOUT, CANCELLED. */
sop_status sopi_transaction_back_off(struct sopi_transaction *txn, sop_error *err);

#endif
