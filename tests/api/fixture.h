/* A small database with everything open that the public interface hands out. */
#ifndef API_FIXTURE_H
#define API_FIXTURE_H

#include "support/support.h"

enum { FIXTURE_ITEMS = 5 };

struct fixture {
	sop_error err;
	sop_db *db;
	sop_options *options;
	sop_schema *schema; /* a text, and a boolean that rides along */
	sop_store *store; /* with the schema: keys "a" to "e", and "n" with an integer */
	sop_store *raw; /* without schema: the same keys */
	sop_store *twice; /* raw, duplicates: two items of key "a" */
	sop_store *missing; /* declared, not created */
	sop_txn *txn; /* writes */
	sop_txn *reader; /* SOP_READ */
	sop_cursor *cursor; /* of txn, on the first item of store */
	uint64_t items[2]; /* ids in twice */
};

void fixture_open(struct fixture *fixture);

/* Frees what is not NULL, in an order that is allowed but unusual. */
void fixture_close(struct fixture *fixture);

/* The packed key of the one letter `letter`. */
sop_bytes fixture_key(char letter);

/* The database still works and is in order: a transaction of its own writes, reads and commits. */
void fixture_works(sop_db *db);

/* The error came with `status`, its traits and a message. `call` is for the report. */
void error_tells(const sop_error *err, sop_status status, const char *call);

/* The last test of a program: all messages that error_tells saw say what to do. */
void every_message_says_what_to_do(void **state);

#endif
