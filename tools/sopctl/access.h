/* How commands come at a database: opening, a transaction, a store with its schema, and the end of it all. */
#ifndef SOPCTL_ACCESS_H
#define SOPCTL_ACCESS_H

#include "command.h"
#include "item_text.h"
#include "opening.h"
#include "output.h"
#include "progress.h"
#include "starts.h"

#include <sop/sop.h>

/* What a command holds while it runs. Begin with access_begin, end with access_end. */
struct access {
	struct invocation *invocation;
	sop_db *db;
	sop_txn *txn;
	sop_store *store;
	const char *store_name; /* of `store` */
	bool duplicates; /* `store` keeps equal keys */
	struct item_format format; /* how keys of `store` are written */
	sop_schema *schema; /* of `store`, or NULL */
	bool reader_gone; /* nobody reads what is printed: a quiet end */
	struct output_style style;
	sop_error err; /* the error of the command */
};

/* Begins: finds out how to answer. Returns EXIT_OK, or another exit code having said why. */
int access_begin(struct access *access, struct invocation *invocation);

/* Opens the database that the command names, or takes that of the shell. */
sop_status access_open(struct access *access, enum opening how);

/* Begins a transaction in `mode` (a sop_mode). */
sop_status access_transaction(struct access *access, uint32_t mode);

/* Looks the store `name` up in the transaction: schema, duplicates. */
sop_status access_store(struct access *access, const char *name);

/* Forgets the store, so that another can be looked up. */
void access_store_end(struct access *access);

/* The first three, for commands that read a store or change it. */
sop_status access_items(struct access *access, uint32_t mode);

/* Commits the transaction. */
sop_status access_commit(struct access *access);

/* Notes that something could not be printed if `written` is false: OK, or the status to end with. */
sop_status access_printed(struct access *access, bool written);

/* CANCELLED if a signal has asked to end, else OK. */
sop_status access_check_signal(struct access *access);

/* Ends: rolls back what is open, closes, tells the error. `status` is what the command came to. Returns the exit code. */
int access_end(struct access *access, sop_status status);

/* Whether the user wants `what` to happen (such as "drop the store x and its 5 items"): --yes, or the answer on a
 * terminal. Returns OK or CANCELLED, or UNSUPPORTED where there is nobody to ask. */
sop_status access_confirm(struct access *access, const char *what);

/* Where progress is told: standard error, or NULL with --quiet. */
FILE *access_progress(const struct access *access);

/* Reads the argument `text` as a key of the store, or (`extent` KEY_BOUND) its leading fields, into `key`. */
sop_status access_key(struct access *access, const char *text, enum key_extent extent, sop_buf *key);

/* What the option --values of the command says that values are. */
enum value_kind access_values(const struct access *access);

/* The bounds that the options from, after, to, prefix and starts-with of the command set; `room` holds their bytes. */
struct access_range {
	sop_range range;
	sop_buf from;
	sop_buf to;
	sop_buf prefix;
	struct starts starts;
	bool bounded; /* something was set */
};
#define ACCESS_RANGE_INIT                                                                          \
	{                                                                                          \
		SOP_RANGE_INIT, SOP_BUF_INIT, SOP_BUF_INIT, SOP_BUF_INIT, STARTS_INIT, false       \
	}
sop_status access_range(struct access *access, struct access_range *range);
void access_range_free(struct access_range *range);

/* One number as the whole answer, called `name`. */
sop_status print_number(struct access *access, const char *name, uint64_t number);

#define RANGE_OPTIONS                                                                                   \
	{ "from", '\0', OPTION_TEXT, "KEY", NULL, 0, 0, NULL, "first key" },                            \
		{ "after", '\0', OPTION_TEXT, "KEY", NULL, 0, 0, NULL, "begin behind this key" },       \
		{ "to", '\0', OPTION_TEXT, "KEY", NULL, 0, 0, NULL, "end before this key" },            \
		{ "prefix", '\0', OPTION_TEXT,                                                          \
		  "KEY",    NULL, 0,                                                                    \
		  0,	    NULL, "keys with these leading fields, or bytes; cut by the others, too" }, \
	{                                                                                               \
		"starts-with", '\0', OPTION_TEXT, "KEY", NULL, 0, 0, NULL,                              \
			"the same, but the last of these fields is the beginning of a text"             \
	}
/* How values are shown and read: the option and its flag. */
#define VALUES_OPTION                                                                              \
	{                                                                                          \
		"values", '\0', OPTION_WORD, "KIND", "bytes|json|counter", 0, 0, "bytes",          \
			"what values are: bytes; JSON that stands in the answer as it is; or the " \
			"integers of 8 bytes that add, min and max make"                           \
	}

#define OPTIONS_END                                                                                \
	{                                                                                          \
		NULL, '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL, NULL                              \
	}

#endif
