/* What the worker and the oracle agree on: the stores, what a transaction does, and the messages by which the worker
 * tells. The worker writes INTENT before it commits, and ACK when the commit was answered: what the oracle has read
 * survives the worker. */
#ifndef KERNEL_PROTOCOL_H
#define KERNEL_PROTOCOL_H

#include <sop/sop.h>

#include <stdint.h>

enum {
	ACCOUNTS = 48, /* in each of the two stores */
	PAID_IN = 1000, /* to each of them at first */
	NOTES = 24, /* of each thread */
	THREADS_MAX = 8,
	SHELF_ITEMS = 12, /* in a store that comes and goes */
	JOURNAL_KEY_BYTES = 12,
	NOTE_KEY_BYTES = 8,
	ACCOUNT_KEY_BYTES = 4,
	STORE_COUNT = 4,
};

enum { EAST, WEST, JOURNAL, NOTEBOOK };

enum message_kind {
	MESSAGE_OPENED = 1, /* the database is open */
	MESSAGE_INTENT, /* a transaction is about to be committed */
	MESSAGE_ACK, /* it was answered OK */
	MESSAGE_ERROR, /* something else was answered; `text` says what */
};

enum note_action {
	NOTE_NONE,
	NOTE_PUT,
	NOTE_REMOVE,
	SHELF_CREATE, /* the thread's own store, with items, unless it is there */
	SHELF_DROP, /* if it is there */
};

/* Sent at one stroke: smaller than what a pipe takes at once. */
struct message {
	uint32_t kind;
	uint32_t session; /* one run of the worker */
	uint32_t thread;
	uint32_t sequence; /* within the thread, from 0 */
	uint64_t position; /* ACK */
	uint32_t durability; /* INTENT, as all that follows */
	uint32_t eastward; /* 1: from west to east; 0: the other way */
	uint32_t from, to; /* accounts */
	int64_t amount;
	uint32_t journal_bytes;
	uint32_t note;
	uint32_t action;
	uint32_t note_bytes;
	int32_t status; /* ERROR */
	char text[160];
};

/* The transaction that pays in is number 0 of this thread. */
#define FOUNDER UINT32_MAX

extern const char *const store_names[STORE_COUNT];

sop_bytes account_key(uint32_t account, uint8_t room[ACCOUNT_KEY_BYTES]);
sop_bytes journal_key(const struct message *m, uint8_t room[JOURNAL_KEY_BYTES]);
sop_bytes note_key(uint32_t thread, uint32_t note, uint8_t room[NOTE_KEY_BYTES]);
void transaction_id(const struct message *m, uint8_t id[16]);

/* The bytes that a transaction writes into its entry of the journal, or into its note: nobody else writes these. */
void fill_value(const struct message *m, void *bytes, uint32_t size);

/* Declares the four stores; the shelf of a thread. */
sop_status declare_stores(sop_db *db, sop_store *stores[STORE_COUNT], sop_error *err);
sop_status declare_shelf(sop_db *db, uint32_t thread, sop_store **shelf, sop_error *err);

/* The worker, which a test program becomes when its first argument is --worker. */
int worker_main(int argc, char **argv);

#endif
