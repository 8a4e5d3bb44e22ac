/* One call of every function of the public interface, with arguments that a test may spoil one by one. */
#ifndef API_CALLS_H
#define API_CALLS_H

#include "api/fixture.h"

#include <stddef.h>

/* The arguments of all calls. What is a pointer may be replaced by NULL or by a wrong one. */
struct arguments {
	/* handles */
	void *db;
	void *txn;
	void *store;
	void *missing; /* a store that is not there */
	void *cursor;
	void *options;
	void *schema;
	/* inputs that are needed */
	const char *url;
	const char *name; /* of an option */
	const char *text; /* of an option's value */
	const char *path; /* of a folder that is not there */
	const char *backup_path; /* another */
	const uint8_t *id;
	const sop_value *values;
	sop_body body;
	const void *key_data; /* of key_size bytes */
	const void *value_data;
	const void *name_data;
	const void *json_data;
	const void *keys_data; /* packed */
	const void *rows_data;
	size_t key_size, value_size, name_size, json_size, keys_size, rows_size;
	/* outputs that are needed */
	sop_buf *buf;
	uint64_t *number;
	uint32_t *number32;
	uint8_t *id_out;
	sop_bytes *view;
	sop_bytes *view2;
	sop_db **db_out;
	sop_txn **txn_out;
	sop_store **store_out;
	sop_cursor **cursor_out;
	sop_options **options_out;
	sop_schema **schema_out;
	sop_store_info *info;
	sop_info *db_info;
	sop_stats *stats;
	sop_peek *peek;
	sop_log_message *message;
	sop_outcome *outcome;
	sop_entry *entry;
	sop_value *values_out;
	size_t *count;
	void *room;
	size_t room_size;
	/* what may be NULL */
	const sop_txn_options *txn_options;
	const sop_store_options *store_options;
	const sop_range *range;
	sop_buf *key_buf;
	sop_buf *schema_buf;
	sop_item *about;
	uint64_t *maybe_number;
	size_t *maybe_count;
	sop_entry *maybe_entry;
	sop_problem_fn found;
	sop_progress_fn progress;
	sop_error *err;
};

enum {
	ARGUMENTS_MAX = 6, /* needed pointers of one call */
};

/* A call and what it needs. */
struct call {
	const char *name; /* of the function */
	sop_status (*run)(struct arguments *a);
	sop_status good; /* its status with good arguments in the fixture */
	sop_status closed; /* its status after the database was closed */
	sop_status null; /* its status where a pointer that it needs is NULL; OK: it takes NULL */
	size_t needs[ARGUMENTS_MAX]; /* offsets of the pointers, each plus 1; 0 ends */
};

extern const struct call calls[];
extern const size_t call_count;

/* Outputs for the calls, and good arguments. */
struct outputs {
	sop_buf buf, key_buf, schema_buf;
	uint64_t number;
	uint32_t number32;
	uint8_t id[16];
	sop_bytes view, view2;
	sop_db *db;
	sop_txn *txn;
	sop_store *store;
	sop_cursor *cursor;
	sop_options *options;
	sop_schema *schema;
	sop_store_info info;
	sop_info db_info;
	sop_stats stats;
	sop_peek peek;
	sop_log_message message;
	sop_outcome outcome;
	sop_entry entry;
	sop_item about;
	sop_value values[4];
	size_t count;
	uint64_t room[64];
	uint8_t keys[64], rows[64];
};

void arguments_good(struct arguments *a, struct fixture *fixture, struct outputs *outputs);
void outputs_free(struct outputs *outputs);

/* Replaces the pointer of `a` that `need` (from `needs`) names. */
void argument_set(struct arguments *a, size_t need, void *pointer);

/* Whether the call needs the handle at this offset: ARGUMENT(txn). */
bool call_needs(const struct call *call, size_t need);

#define ARGUMENT(field) (offsetof(struct arguments, field) + 1)

#endif
