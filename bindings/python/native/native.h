/* What the hand-written parts of the extension share: handles, errors, keys, values, and the types that reads and writes of
 * single items and whole batches go through. All else is SWIG's (bindings/swig/python.i).
 *
 * Every handle of the library lives in a Handle object and is freed with it, never before: a call holds the object, so
 * nothing that Python code does can leave it with a handle that is gone. What is closed or ended answers with a status. */
#ifndef NATIVE_H
#define NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <sop/sop.h>

#include <stdbool.h>

enum native_kind {
	NATIVE_DB,
	NATIVE_STORE,
	NATIVE_TXN,
	NATIVE_CURSOR,
	NATIVE_OPTIONS,
	NATIVE_KINDS
};

struct native_pool;

typedef struct native_handle {
	PyObject_HEAD void *pointer;
	enum native_kind kind;
	bool closed; /* by close(): every call is CLOSED, though the pointer stays until nobody can be using it */
	bool busy; /* CURSOR: a call is running on it; what it answers lies in the cursor until it has been copied.
			TXN: it is beginning again */
	bool committed; /* TXN: there is nothing to roll back */
	int pool_kind; /* TXN: which pool takes it back, or -1 */
	uint64_t changes; /* TXN: grows with each call that may have changed something; iterators look at it */
	struct native_handle *parent; /* kept alive: the database of a transaction, the transaction of a cursor */
	struct native_pool *pool; /* DB: transactions that can be renewed */
} native_handle;

/* A new Handle that owns `pointer`; on failure that is freed. `parent` may be NULL. */
PyObject *native_handle_new(enum native_kind kind, void *pointer, native_handle *parent);

/* The handle of `kind` in `object`, or NULL with TypeError, or with ClosedError if it or its parent was closed. */
native_handle *native_handle_of(PyObject *object, enum native_kind kind);
/* Begins a call on a cursor: its handle, or NULL with MisuseError if another is running. The call ends with busy = false. */
native_handle *native_cursor_enter(PyObject *object);
/* Whether `handle`, which may be NULL, can be used: if it was closed, false with ClosedError. */
bool native_is_open(const native_handle *handle);

/* handle_count() -> how many Handle objects there are, for tests of leaks. */
PyObject *native_handle_count(PyObject *module, PyObject *unused);

/* Frees the transactions that wait to be renewed. */
void native_pool_clear(native_handle *db);

/* begin(db, mode, deadline_ms=0, durability=0, id=None) -> Handle. Renews a transaction if one waits. */
PyObject *native_begin(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *native_begin_plain(native_handle *db, sop_mode mode);

/* Grows when any database has been closed, and in a forked child: what was fetched before may not be handed out then. */
extern uint64_t native_epoch;

/* Declares an error that a call may fill; nothing of its 800 bytes is cleared. */
#define NATIVE_ERROR(name)                                                                         \
	sop_error name;                                                                            \
	name.size = sizeof name;                                                                   \
	name.store[0] = 0

/* Sets the exception of `err`; answers NULL. */
PyObject *native_raise(const sop_error *err);
/* The same for what this layer finds wrong itself. */
PyObject *native_raise_status(sop_status status, const char *message);

/* Bytes for one call, taken from an object or made of it. */
typedef struct native_packed {
	sop_bytes bytes;
	sop_buf buf; /* used where they were made */
	PyObject *keep; /* whatever they lie in, or NULL */
	Py_buffer view;
	char room[256];
} native_packed;

void native_packed_init(native_packed *packed);
void native_packed_free(native_packed *packed);
/* Lets `packed` be the bytes of an object that has them, for as long as that is not freed: 0, or -1 with TypeError. */
int native_packed_take(native_packed *packed, PyObject *object);

/* How keys of a store are packed and unpacked. */
typedef struct native_key {
	PyObject_HEAD sop_schema *schema; /* NULL: raw bytes */
	PyTypeObject *key_class; /* a subclass of tuple; NULL: a key of one field is that field */
	PyObject *defaults; /* tuple: of the ride fields */
	Py_ssize_t sort_count, ride_count;
} native_key;

/* Packs `key` (`prefix`: a key or its leading sort fields, ride fields left out): 0, or -1 with an exception. */
int native_key_pack(native_key *self, PyObject *key, bool prefix, native_packed *out);
PyObject *native_key_unpack(native_key *self, sop_bytes key);

enum native_value { NATIVE_BYTES, NATIVE_INT64, NATIVE_JSON, NATIVE_CODEC };

/* A store as declared, on one database. */
typedef struct native_bound {
	PyObject_HEAD native_handle *store;
	native_key *key;
	enum native_value value;
	PyObject *encode; /* JSON: to str; CODEC: to bytes */
	PyObject *decode; /* JSON: from str; CODEC: from bytes */
	PyObject *scan; /* JSON: json's scanner, which is quicker and answers (object, end) */
	PyObject *declaration;
	bool duplicates;
} native_bound;

int native_value_encode(native_bound *self, PyObject *value, native_packed *out);
PyObject *native_value_decode(native_bound *self, const void *data, size_t size);

/* What sop.View is built on: a store, or a part of it, in one transaction or (without one) in many. */
typedef struct native_view {
	PyObject_HEAD PyObject *owner; /* kept alive: the database; NULL in a transaction */
	native_handle *db;
	native_handle *txn; /* NULL: every call is a transaction of its own */
	native_bound *bound;
	PyObject *low, *high, *prefix; /* packed bytes, or NULL */
	PyObject *after, *through; /* packed leading fields that `low` or `high` is the place behind, or NULL */
	unsigned long long after_item; /* the part begins behind this item of `after` already, unless it is 0 */
} native_view;

/* Puts the range of `view` into `range`. */
void native_view_range(native_view *view, sop_range *range);
/* The transaction of `view`, or a new one that reads: a new reference, or NULL. */
native_handle *native_view_reading(native_view *view);
/* Creates the store of `view` after a write found that it is not there: 0 to write again, -1 with an exception. `err`
 * is that of the write. */
int native_view_create(native_view *view, sop_error *err);

extern PyTypeObject native_handle_type;
extern PyTypeObject native_key_type;
extern PyTypeObject native_bound_type;
extern PyTypeObject native_view_type;
extern PyTypeObject native_database_type;
extern PyTypeObject native_transaction_type;
extern PyTypeObject native_rows_type;

/* Batches of a view: see rows.c. */
PyObject *native_rows_new(native_view *view, int what, bool reverse, Py_ssize_t limit);
PyObject *native_put_many(native_view *view, PyObject *rows, sop_put_how how);
PyObject *native_get_many(native_view *view, PyObject *keys, PyObject *absent, bool whole);

/* Callbacks of long calls: called with the lock of the interpreter, which their thread had released. */
int native_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes);
/* Those of verify: `arg` is a tuple (found, progress). */
int native_verify_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes);
int native_problem(void *arg, const sop_problem *problem);

/* Tuples of the structures that the library fills. */
PyObject *native_stats_tuple(const sop_stats *stats);
PyObject *native_info_tuple(const sop_info *info);
PyObject *native_peek_tuple(const sop_peek *peek);

/* What key.c needs of other modules: 0 or -1. */
int native_key_import(void);

/* use_view(class): what db[STORE] and tx[STORE] make. use_transaction(class): what db.read() and db.write() make. */
PyObject *native_use_view(PyObject *module, PyObject *given);
PyObject *native_use_transaction(PyObject *module, PyObject *given);

/* Adds types and functions to the module: 0 or -1. */
int native_add(PyObject *module);

/* Python's own since 3.10. */
static inline PyObject *native_ref(void *object)
{
	Py_XINCREF((PyObject *)object);
	return (PyObject *)object;
}

#endif
