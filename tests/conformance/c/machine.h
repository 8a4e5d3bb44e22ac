/* The conformance machine of C: what its parts share. See ../README.md for what it is told and answers. */
#ifndef SOP_CONFORMANCE_MACHINE_H
#define SOP_CONFORMANCE_MACHINE_H

#include <sop/sop.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
	DATABASES = 3,
	TXNS_OF_ONE = 10,
	CURSORS_OF_ONE = 10,
	TXNS = DATABASES * TXNS_OF_ONE,
	CURSORS = TXNS * CURSORS_OF_ONE,
	STORES = 9,
	FIELDS_MAX = 5,
	ARGS_MAX = 7,
	SAVEPOINTS_MAX = 4096
};

/* What an operation returns besides a status of the library. */
#define NO_SLOT 1

/* Returns what is not OK. */
#define TRY(call)                                                                                  \
	do {                                                                                       \
		const sop_status try_status = (call);                                              \
		if (try_status != SOP_OK)                                                          \
			return try_status;                                                         \
	} while (0)

struct declaration {
	const char *name;
	const char *schema; /* NULL: raw keys */
	bool duplicates;
	bool json; /* its values are JSON, which languages with codecs know */
};

struct db_slot {
	sop_db *db;
	sop_store *stores[STORES];
};

struct txn_slot {
	sop_txn *txn; /* NULL: empty, or `shut` */
	bool shut;
	uint32_t mode;
	uint8_t asked_id[16]; /* all zero: it was given none */
	uint8_t id[16];
	uint64_t savepoints[SAVEPOINTS_MAX];
	size_t savepoint_count;
};

struct cursor_slot {
	sop_cursor *cursor;
	bool shut;
	unsigned store;
	uint32_t flags;
};

/* A stack of integers, or of byte strings that it owns. */
struct stack {
	int64_t *ints;
	sop_buf *bytes;
	size_t count;
	size_t capacity;
};

struct machine {
	char folder[4096];
	struct db_slot dbs[DATABASES];
	struct txn_slot txns[TXNS];
	struct cursor_slot cursors[CURSORS];
	struct stack ints;
	struct stack bytes;
	sop_schema *schemas[STORES];
	sop_buf keys[2]; /* where keys and bounds are packed */
	sop_buf rows;
};

/* An argument, as its type says: a number, or text. Bytes and raw keys have been decoded into `bytes`. */
struct arg {
	int64_t number;
	char *text;
	sop_buf bytes;
};

struct call {
	struct machine *machine;
	const struct operation *operation;
	unsigned spelling;
	struct arg args[ARGS_MAX];
	sop_error err;
	sop_txn *txn; /* that it used, for what it conflicted on */
	FILE *out; /* the results */
};

struct operation {
	const char *name;
	const char *args; /* a letter each: slot S, store T, int i, id d, word w, bytes b, key k, keys K, rows r, range R */
	sop_status (*run)(struct call *call);
};

extern const struct declaration declarations[STORES];

/* ---- tokens.c: reading and printing ---- */
void *need(void *memory); /* ends the program if it is NULL */
void bug(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
int digit(char c);
void bytes_append(sop_buf *buf, const void *data, size_t size);
void bytes_of_hex(const char *hex, sop_buf *out);
void bytes_of_token(struct machine *machine, const char *token, sop_buf *out);
int64_t int_of_token(struct machine *machine, const char *token);
/* Packs the key that `token` names; `prefix`: leading fields. */
sop_status key_of_token(struct call *call, unsigned store, const char *token, bool prefix, sop_buf *out);
/* Reads a range; its bounds are in machine->keys. */
sop_status range_of_token(struct call *call, unsigned store, char *token, sop_range *range);
void print_hex(FILE *out, const void *data, size_t size);
void print_key(FILE *out, struct machine *machine, unsigned store, sop_bytes key);
void answer_int(struct call *call, int64_t number);
void answer_bytes(struct call *call, sop_bytes bytes);
void answer_text(struct call *call, const char *text);
void answer_number(struct call *call, uint64_t number); /* not pushed */
void answer_key(struct call *call, unsigned store, sop_bytes key);
void stacks_clear(struct machine *machine);

/* ---- rows.c: packed rows, and printed ones ---- */
struct row {
	sop_bytes key;
	sop_bytes value;
	uint64_t item;
	bool absent;
};

void rows_begin(sop_buf *rows);
void rows_add(sop_buf *rows, sop_bytes key, sop_bytes value);
uint32_t rows_count(sop_bytes rows);
/* Reads the row at `*offset` and moves it to the next. */
struct row rows_next(sop_bytes rows, size_t *offset);

/* ---- slots.c: what is in the slots, and releasing it ---- */
sop_status use_db(struct call *call, size_t arg, struct db_slot **out);
sop_status use_txn(struct call *call, size_t arg, sop_txn **out);
sop_status use_cursor(struct call *call, struct cursor_slot **out);
sop_store *store_of(struct call *call, size_t txn_or_db_arg, size_t store_arg);
sop_status closed(struct call *call);
void txn_release(struct machine *machine, size_t slot);
void cursor_release(struct cursor_slot *slot);
void children_release(struct machine *machine, size_t db);
void machine_clear(struct machine *machine);

#endif
