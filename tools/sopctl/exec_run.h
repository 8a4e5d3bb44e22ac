/* Inside exec: what the operations of a transaction run with, and the operations themselves. */
#ifndef SOPCTL_EXEC_RUN_H
#define SOPCTL_EXEC_RUN_H

#include "exec.h"

/* What an operation runs with. */
struct run {
	struct exec *exec;
	struct work *work;
	sop_txn *txn;
	const struct json *op;
	struct found_store found; /* of "store"; where the operation needs it to be there */
	sop_bytes name; /* of "store" */
	sop_buf key;
	sop_buf value;
	struct answer *answer;
	sop_buf *out; /* answer->results */
	sop_error *err;
};

/* The field `name` of the operation; NULL if it is not given. */
const struct json *run_member(const struct run *run, const char *name);
/* Whether the field `name` is true; `absent` without it. */
bool run_is_true(const struct run *run, const char *name, bool absent);
/* The number in the field `name`, whose form was checked; `absent` without it. */
uint64_t run_number(const struct run *run, const char *name, uint64_t absent);
/* Reads "key" into run->key. */
sop_status run_read_key(struct run *run, enum key_extent extent);
/* What it read. */
sop_bytes run_key(const struct run *run);
/* Reads "value", into run->value where it does not stand in the request. */
sop_status run_read_value(struct run *run, sop_bytes *value);
/* Would an answer with `more` bytes of results still fit in a line? */
bool run_fits(const struct run *run, size_t more);
/* LIMIT: it would not. */
sop_status run_too_long(struct run *run);
/* Writes the entry of an operation that came to `status`. NOT_FOUND and EXISTS are answers: they become the entry. */
sop_status run_outcome(struct run *run, sop_status status);

/* The "placement" that this version has, whatever is wished for. */
#define PLACEMENT "auto"

/* The operations, each by the name it has in a request. */
sop_status op_create(struct run *run);
sop_status op_drop(struct run *run);
sop_status op_rename(struct run *run);
sop_status op_stores(struct run *run);
sop_status op_info(struct run *run);
sop_status op_get(struct run *run);
sop_status op_put(struct run *run);
sop_status op_insert(struct run *run);
sop_status op_update(struct run *run);
sop_status op_remove(struct run *run);
sop_status op_add(struct run *run);
sop_status op_min(struct run *run);
sop_status op_max(struct run *run);
sop_status op_savepoint(struct run *run);
sop_status op_rollback_to(struct run *run);
sop_status op_count(struct run *run);
sop_status op_remove_range(struct run *run);
sop_status op_scan(struct run *run);

#endif
