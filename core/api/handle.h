/* The gate: what every public function does first with the handles it is given, and what handles
 * are.
 *
 * The shell of a handle stays valid until it is freed; a child keeps the shell of its parent.
 * Whether a handle is open is known to its slot (node/reclaim.h). */
#ifndef SOPI_HANDLE_H
#define SOPI_HANDLE_H

#include "api/instance.h"
#include "platform/fork.h"
#include "transaction/scan.h"
#include "transaction/transaction.h"

#include <sop/sop.h>

/* First word of each kind of handle, so that a wrong one is told from a right one. */
enum sopi_handle_tag {
	SOPI_TAG_OPTIONS = 0x4F505431,
	SOPI_TAG_DB = 0x44424831,
	SOPI_TAG_STORE = 0x53544831,
	SOPI_TAG_TXN = 0x54584831,
	SOPI_TAG_CURSOR = 0x43554831,
	SOPI_TAG_FREED = 0x46524544
};

enum { SOPI_READERS = 16 };

struct sop_db {
	uint32_t tag;
	uint32_t fork_generation; /* of the process that opened it */
	_Atomic uint32_t references; /* the program, and each child */
	_Atomic bool closed;
	char *path; /* of its folder, as it was given; "" in memory */
	sopi_mutex close_mutex; /* one close at a time; first in the lock order */
	struct sopi_instance *instance; /* shared with other handles of the same folder */
	struct sopi_engine *engine; /* of the instance */
	struct sopi_transaction *readers; /* SOPI_READERS of them, for calls without a transaction of their own; until it is closed */
	struct sopi_slot *slots[SOPI_READERS]; /* theirs, where calls that come late find that it is closed */
};

struct sop_store {
	uint32_t tag;
	sop_db *db;
	struct sopi_declaration declaration;
	struct sopi_schema *schema; /* owned */
	char name[SOPI_STORE_NAME_BYTES_MAX + 1];
};

struct sop_txn {
	uint32_t tag;
	_Atomic uint32_t references; /* the program, and each cursor */
	_Atomic bool freed; /* by the program */
	sop_db *db;
	sop_txn_options options; /* as it was begun with */
	struct sopi_transaction core;
};

struct sop_cursor {
	uint32_t tag;
	uint32_t flags;
	bool moved; /* it has been moved since it was opened */
	bool plain; /* entries need nothing but what lies in the page */
	bool copies; /* values, since the caller wants it */
	bool pins; /* leaves, since they may be evicted between two calls */
	sop_txn *txn;
	uint64_t begun; /* number of the transaction on the handle that it belongs to */
	struct sopi_used *used;
	struct sopi_bounds bounds;
	struct sopi_scan scan;
	sop_buf whole_key; /* the key of the current entry, where it has to be put together */
	sop_buf keys; /* of several entries that were given in one call */
	sop_buf value_room; /* its value, where it is copied or read from disk */
};

/* The tag of what may be any handle: read before the pointer is trusted to be of its type, whose
 * alignment it may lack. */
static inline uint32_t sopi_tag_of(const void *handle)
{
	uint32_t tag;

	memcpy(&tag, handle, sizeof tag);
	return tag;
}

/* ---- errors ------------------------------------------------------------------------------------ */

sop_status sopi_misuse(sop_error *err, const char *function, const char *what) __attribute__((cold));

static inline bool sopi_bytes_good(sop_bytes bytes)
{
	return bytes.data != NULL || bytes.size == 0;
}

/* Reads a caller's structure of `given` bytes into ours of `size`: a smaller one leaves the
 * defaults that are there, a larger one must have a zero tail. MISUSE. */
sop_status sopi_struct_read(void *to, size_t size, size_t smallest, const void *from,
			    const char *function, sop_error *err);

/* ---- databases --------------------------------------------------------------------------------- */

/* sop_open on a platform that need not be the host: for tests. It must outlive the database. */
sop_status sopi_db_open_on(const char *text, const sop_options *options,
			   const struct sopi_platform *platform, sop_db **out, sop_error *err);

/* Is it a database of this process? MISUSE, FORKED. */
sop_status sopi_db_check(const sop_db *db, const char *function, sop_error *err);

/* Enters a database for a call that has no transaction: claims one of its readers. `choosing`: to
 * begin a transaction on it. CLOSED, or as sopi_db_check. */
sop_status sopi_db_enter(sop_db *db, bool choosing, const char *function,
			 struct sopi_transaction **reader, sop_error *err);
void sopi_db_leave(struct sopi_transaction *reader);

/* The same for a long call to the backend that writes, which holds up nobody's memory meanwhile. `backend` receives NULL
 * for a database in memory. Also READ_ONLY. */
sop_status sopi_db_enter_backend(sop_db *db, const char *function, struct sopi_transaction **reader,
				 struct sopi_backend **backend, sop_error *err);

void sopi_db_reference(sop_db *db);
void sopi_db_unreference(sop_db *db);

/* ---- stores ------------------------------------------------------------------------------------ */

/* Is it a store declared on this database? MISUSE. */
sop_status sopi_store_check(const sop_store *store, const sop_db *db, const char *function,
			    sop_error *err);

/* ---- transactions ------------------------------------------------------------------------------ */

sop_status sopi_txn_refuse(const sop_txn *txn, uint64_t found, const char *function, sop_error *err)
	__attribute__((cold));

/* Claims a transaction for a call, whatever its state. MISUSE, FORKED, CLOSED. */
static inline sop_status sopi_txn_enter(sop_txn *txn, bool choosing, const char *function, sop_error *err)
{
	uint64_t found;

	if (SOPI_UNLIKELY(txn == NULL || sopi_tag_of(txn) != SOPI_TAG_TXN ||
			  txn->db->fork_generation != sopi_fork_generation()))
		return sopi_txn_refuse(txn, SOPI_SLOT_IDLE, function, err);
	found = sopi_slot_claim(&txn->db->engine->forest.reclaim, txn->core.slot, choosing);
	if (SOPI_UNLIKELY(found != SOPI_SLOT_IDLE))
		return sopi_txn_refuse(txn, found, function, err);
	return SOP_OK;
}

static inline void sopi_txn_leave(sop_txn *txn)
{
	sopi_slot_release(txn->core.slot);
}

sop_status sopi_txn_ended(sop_txn *txn, const char *function, sop_error *err) __attribute__((cold));

/* Claims an open transaction that may go on. Also TIMEOUT, CANCELLED. */
static inline sop_status sopi_txn_enter_open(sop_txn *txn, const char *function, sop_error *err)
{
	sop_status status;

	SOP_TRY(sopi_txn_enter(txn, false, function, err));
	if (SOPI_UNLIKELY(txn->core.state != SOPI_OPEN))
		return sopi_txn_ended(txn, function, err);
	status = sopi_transaction_may_go_on(&txn->core, err);
	if (SOPI_UNLIKELY(status != SOP_OK))
		sopi_txn_leave(txn);
	return status;
}

/* The same with a store to work on. */
static inline sop_status sopi_txn_enter_store(sop_txn *txn, const sop_store *store, const char *function,
					      struct sopi_used **used, sop_error *err)
{
	sop_status status;

	SOP_TRY(sopi_txn_enter_open(txn, function, err));
	if (SOPI_UNLIKELY(store == NULL || sopi_tag_of(store) != SOPI_TAG_STORE || store->db != txn->db))
		status = sopi_store_check(store, txn->db, function, err);
	else
		status = sopi_transaction_store(&txn->core, &store->declaration, used, err);
	if (SOPI_UNLIKELY(status != SOP_OK))
		sopi_txn_leave(txn);
	return status;
}

/* READ_ONLY: a transaction that only reads was to write. */
sop_status sopi_txn_only_reads(const sop_txn *txn, const char *function, sop_error *err)
	__attribute__((cold));

/* The same for a change. Also READ_ONLY. */
sop_status sopi_txn_enter_change(sop_txn *txn, const sop_store *store, const char *function,
				 struct sopi_used **used, sop_error *err);

void sopi_txn_reference(sop_txn *txn);
void sopi_txn_unreference(sop_txn *txn);

#endif
