/* Inside `sopctl exec` (docs/exec.md): requests are read (exec_request), handed to threads and sessions
 * (exec_dispatch), run (exec_step, exec_operation with the exec_run files, exec_other) and answered (exec_answer). */
#ifndef SOPCTL_EXEC_H
#define SOPCTL_EXEC_H

#include "item_text.h"
#include "json.h"

#include <sop/sop.h>

#include <stdbool.h>
#include <stdint.h>

/* The longest line, in and out, without its newline. */
#define EXEC_LINE_BYTES_MAX ((size_t)16 << 20)
/* The longest "id" that is echoed. */
#define EXEC_ID_BYTES_MAX ((size_t)1 << 20)
#define EXEC_SESSION_NAME_BYTES_MAX 255
#define EXEC_THREADS_MAX 256

/* A hash of a name, FNV-1a; and whether two byte strings are the same. */
uint32_t name_hash(sop_bytes name);
bool bytes_same(sop_bytes a, sop_bytes b);

/* ---- requests */

enum request_kind {
	REQUEST_TRANSACTION, /* "ops": one whole transaction */
	REQUEST_STEP, /* "session": a step of one */
	REQUEST_OUTCOME,
	REQUEST_SYNC,
	REQUEST_STATS,
	REQUEST_CHECKPOINT,
	REQUEST_VERIFY,
	REQUEST_GC,
	REQUEST_INDOUBT,
	REQUEST_RESOLVE
};

/* How a transaction begins. */
struct begin {
	sop_txn_options options; /* deadline_ms: 0 if none was given */
	bool expired; /* a deadline of 0 ms */
	bool retry;
};

/* One line. `fault.status` other than OK: it may not run, and is answered with that. */
struct request {
	sop_buf line;
	struct json_document document;
	const struct json *id; /* NULL: null */
	enum request_kind kind;
	sop_bytes session; /* empty: none, or none that could be read */
	bool begins, commits, rolls_back, prepares;
	struct begin begin;
	const struct json *ops; /* NULL: none */
	uint8_t transaction[16]; /* of outcome and resolve */
	sop_error fault;
	int64_t fault_op; /* the operation it is in, or -1 */
};

/* Takes `request->line` apart and checks its form. What is wrong is in `request->fault`. */
void request_read(struct request *request);

/* Makes `request` ready for another line; frees what it holds. */
void request_reset(struct request *request);
void request_free(struct request *request);

/* ---- the database */

struct stores; /* exec_stores.c: what is known about stores, for all threads */

struct exec {
	sop_db *db;
	bool safe_ints;
	struct stores *stores;
};

/* A store, looked up for one operation. */
struct found_store {
	struct store_entry *entry;
	struct store_schema *schema;
	sop_store *store;
	struct item_format format;
	sop_store_info info;
};

struct stores *stores_new(sop_db *db);
void stores_free(struct stores *stores);

/* Looks the store `name` up in `txn`; stores_release when done.
 * Returns OK; NOT_FOUND: there is none; else as sop_store_describe. */
sop_status stores_find(struct exec *exec, sop_txn *txn, sop_bytes name, struct found_store *found,
		       sop_error *err);
void stores_release(struct exec *exec, struct found_store *found);

/* Does `key` of a request mean the key `encoded` of the store `name`, as that was last known? */
bool stores_key_is(struct exec *exec, sop_bytes name, const struct json *key, sop_bytes encoded);

/* Appends `key` of the store `name` as it was last known; whether that store has a schema or not. */
void stores_write_key(struct exec *exec, sop_bytes name, sop_bytes key, sop_buf *out);

/* ---- transactions */

#define SAVEPOINTS_MAX 100000

struct named_savepoint {
	sop_buf name;
	uint64_t savepoint;
};

/* An open transaction, of a session or of one request; zeroed when there is none. */
struct work {
	sop_txn *txn; /* NULL: none is open */
	uint8_t id[16];
	struct named_savepoint *savepoints;
	size_t savepoint_count;
	size_t savepoint_capacity;
};

/* What a request is answered with. */
struct answer {
	sop_status status;
	sop_error err;
	int64_t op; /* that failed, or -1 */
	bool has_txn;
	uint8_t txn[16];
	bool has_position;
	uint64_t position;
	bool has_results;
	sop_buf results; /* "results" without the brackets */
	size_t results_max; /* bytes that they may have */
	sop_buf more; /* further members, each with a comma before it */
	sop_buf store; /* that a commit failed on */
	sop_buf key; /* the same, as JSON */
};

/* Runs a whole transaction, or a step of the session whose transaction is `work`. */
void step_run(struct exec *exec, const struct request *request, struct work *work, struct answer *answer);

/* Rolls back what is open in `work` and frees it. */
void work_end(struct work *work);

/* Runs the request of any other kind. */
void other_run(struct exec *exec, const struct request *request, struct answer *answer);

/* Checks the form of an operation. */
sop_status operation_check(const struct json *op, sop_error *err);

/* Runs an operation that was checked, and appends its entry to answer->results. */
sop_status operation_run(struct exec *exec, struct work *work, const struct json *op,
			 struct answer *answer, sop_error *err);

/* Does `op` add to an integer, or bound it? */
bool operation_is_number(const struct json *op);

/* Makes `answer` tell that the operation `index` failed, though only the commit found out: it and those behind it have no
 * entry. */
void answer_blame(struct answer *answer, int64_t index);

/* Makes `answer` tell that `request` is not what it must be. */
void answer_fault(struct answer *answer, const struct request *request);

/* Makes `answer` empty, for a request with this id; frees what it holds. */
void answer_begin(struct answer *answer, const struct json *id);
void answer_free(struct answer *answer);

/* Writes the line that answers a request with this id, with its newline. */
void answer_write(struct exec *exec, struct answer *answer, const struct json *id, sop_buf *line);

/* Appends what `err` says about a database that could not be opened, as the members of an answer. */
void answer_write_error(const sop_error *err, sop_buf *out);

/* ---- input, output, threads */

/* The lines of a descriptor. */
struct input {
	int fd;
	int out; /* whose reader is watched while nothing comes in; -1: none */
	size_t line_max; /* bytes of a line, without its newline */
	uint64_t line; /* number of the line that was taken, from 1 */
	int failed; /* errno of reading; 0: all is well */
	sop_buf buffer;
	size_t at; /* where the next line begins */
	bool ended;
};

enum line_kind {
	LINE_TAKEN,
	LINE_TOO_LONG, /* it has been skipped */
	LINE_END /* of the input, or somebody asked to stop */
};

/* Takes the next line, without its newline; empty ones are skipped. `line` lives until the next call. */
enum line_kind input_next(struct input *input, sop_bytes *line);
void input_free(struct input *input);

/* From now on SIGTERM and SIGINT ask to stop, and a reader that goes away is an error of the write.
 * Returns OK; IO: there are no descriptors left. */
sop_status stop_begin(sop_error *err);
void stop_end(void);

/* Asks to stop, from any thread; ends a wait in input_next. */
void stop_ask(void);
bool stop_asked(void);

/* Answers the requests that arrive at the descriptor `in` on `out`, on `threads` threads, until the input or the reader of
 * the output ends or somebody asks to stop; then rolls back what is open. Returns OK; IO: requests could not be read, or
 * answers not be written. */
sop_status exec_serve(struct exec *exec, int in, int out, unsigned threads, sop_error *err);

#endif
