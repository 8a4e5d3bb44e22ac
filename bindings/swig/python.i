/* How the types of the public headers travel to and from Python: handles as Handle objects, bytes as bytes (str is encoded
 * where a text is meant), structures as tuples, statuses as exceptions. Outputs are returned: one alone, several as a list.
 * bindings/python/native has what is written by hand, because it has to be quick or safe. */

%begin %{
#define PY_SSIZE_T_CLEAN
%}
%{
#include "native.h"
%}
%init %{
	if (native_add(m) < 0)
		return NULL;
%}

/* Handles are freed with their objects. */
%ignore sop_db_free;
%ignore sop_store_free;
%ignore sop_txn_free;
%ignore sop_cursor_free;
%ignore sop_options_free;

/* By hand: handle.c, view.c, rows.c, key.c. */
%ignore sop_begin;
%ignore sop_txn_renew;
%ignore sop_read;
%ignore sop_get;
%ignore sop_put;
%ignore sop_count;
%ignore sop_remove_range;
%ignore sop_get_many;
%ignore sop_put_many;
%ignore sop_cursor_open;
%rename("$ignore", regextarget = 1) "^sop_(schema|key|value)_.*";
%ignore sop_store_name; /* the declaration knows it */

/* ---- errors */

%typemap(in, numinputs = 0) sop_error *err (sop_error failure) %{
	failure.size = sizeof failure;
	failure.store[0] = 0;
	$1 = &failure;
%}
%typemap(out) sop_status %{ $result = native_ref(Py_None); %}
/* The last argument of a function, so this comes behind all outputs, which look at the status too. */
%typemap(argout) sop_error *err %{
	if (result != SOP_OK || PyErr_Occurred()) { /* a function that was called back may have raised */
		Py_CLEAR(resultobj);
		if (!PyErr_Occurred())
			native_raise($1);
		SWIG_fail;
	}
%}

%define OUTPUT(TYPE, LOCAL, OBJECT)
%typemap(in, numinputs = 0) TYPE (LOCAL made) %{
	memset(&made, 0, sizeof made);
	$1 = &made;
%}
%typemap(argout) TYPE %{
	if (result == SOP_OK)
		$result = SWIG_Python_AppendOutput($result, OBJECT);
%}
%enddef

/* ---- handles */

%define HANDLE(TYPE, KIND)
%typemap(in) TYPE * (native_handle *held) %{
	held = native_handle_of($input, KIND);
	if (held == NULL)
		SWIG_fail;
	$1 = held->pointer;
%}
%typemap(in, numinputs = 0) TYPE **out (TYPE *made) %{
	made = NULL;
	$1 = &made;
%}
%typemap(argout) TYPE **out %{
	if (result == SOP_OK) {
		$result = SWIG_Python_AppendOutput($result, native_handle_new(KIND, *$1, NULL));
		if ($result == NULL)
			SWIG_fail;
	}
%}
%enddef
HANDLE(sop_db, NATIVE_DB)
HANDLE(sop_store, NATIVE_STORE)
HANDLE(sop_options, NATIVE_OPTIONS)
%typemap(in) const sop_options *options (native_handle *held) %{
	held = $input != Py_None ? native_handle_of($input, NATIVE_OPTIONS) : NULL;
	if (held == NULL && $input != Py_None)
		SWIG_fail;
	$1 = held != NULL ? held->pointer : NULL;
%}

/* What may change something in a transaction makes iterators look again. */
%typemap(in) sop_txn * (native_handle *held = NULL) %{
	held = native_handle_of($input, NATIVE_TXN);
	if (held == NULL)
		SWIG_fail;
	held->changes++;
	$1 = held->pointer;
%}
/* What a call on a cursor answers lies in the cursor (SOP_CURSOR_COPIES) until the next one. */
%typemap(in) sop_cursor * (native_handle *held = NULL) %{
	held = native_cursor_enter($input);
	if (held == NULL)
		SWIG_fail;
	$1 = held->pointer;
%}
%typemap(freearg) sop_cursor * %{
	if (held$argnum != NULL)
		held$argnum->busy = false;
%}

/* ---- bytes and texts */

%typemap(in) sop_bytes (Py_buffer view, int viewed = 0) %{
	if (PyBytes_CheckExact($input)) {
		$1.data = PyBytes_AS_STRING($input);
		$1.size = (size_t)PyBytes_GET_SIZE($input);
	} else if (PyUnicode_Check($input)) {
		Py_ssize_t size;
		$1.data = PyUnicode_AsUTF8AndSize($input, &size);
		if ($1.data == NULL)
			SWIG_fail;
		$1.size = (size_t)size;
	} else {
		if (PyObject_GetBuffer($input, &view, PyBUF_SIMPLE) < 0)
			SWIG_fail;
		viewed = 1;
		$1.data = view.buf;
		$1.size = (size_t)view.len;
	}
%}
%typemap(freearg) sop_bytes %{
	if (viewed$argnum)
		PyBuffer_Release(&view$argnum);
%}
%typemap(in, numinputs = 0) sop_buf * (sop_buf made = SOP_BUF_INIT) %{ $1 = &made; %}
%typemap(argout) sop_buf * %{
	if (result == SOP_OK)
		$result = SWIG_Python_AppendOutput(
			$result, PyBytes_FromStringAndSize($1->data, (Py_ssize_t)$1->size));
%}
%typemap(freearg) sop_buf * %{ sop_buf_free(&made$argnum); %}
%typemap(in, numinputs = 0) sop_bytes *store (sop_bytes made) %{ $1 = &made; %}
%typemap(argout) sop_bytes *store %{
	if (result == SOP_OK)
		$result = SWIG_Python_AppendOutput(
			$result, PyBytes_FromStringAndSize($1->data, (Py_ssize_t)$1->size));
%}
%apply sop_bytes *store { sop_bytes *key };

/* Paths are any bytes, as os.fsencode makes them. */
%typemap(in) const char *url (char *data) %{
	if (PyBytes_AsStringAndSize($input, &data, NULL) < 0)
		SWIG_fail;
	$1 = data;
%}
%apply const char *url { const char *path, const char *backup_path };

/* ---- numbers */

OUTPUT(uint64_t *, uint64_t, PyLong_FromUnsignedLongLong(*$1))
OUTPUT(uint32_t *, uint32_t, PyLong_FromUnsignedLong(*$1))
OUTPUT(size_t *, size_t, PyLong_FromSize_t(*$1))
OUTPUT(sop_outcome *, sop_outcome, PyLong_FromLong((long)*$1))
%typemap(in, numinputs = 0) uint8_t id[16] (uint8_t made[16]) %{ $1 = made; %}
%typemap(argout) uint8_t id[16] %{
	if (result == SOP_OK)
		$result = SWIG_Python_AppendOutput($result, PyBytes_FromStringAndSize((char *)$1, 16));
%}
%typemap(in) const uint8_t id[16] %{
	if (!PyBytes_Check($input) || PyBytes_GET_SIZE($input) != 16) {
		PyErr_SetString(PyExc_TypeError, "the id of a transaction is 16 bytes");
		SWIG_fail;
	}
	$1 = (uint8_t *)PyBytes_AS_STRING($input);
%}
%typemap(argout) const uint8_t id[16] "";

/* ---- structures */

%define STRUCTURE(TYPE, INIT, OBJECT)
%typemap(in, numinputs = 0) TYPE * (TYPE made = INIT) %{ $1 = &made; %}
%typemap(argout) TYPE * %{
	if (result == SOP_OK)
		$result = SWIG_Python_AppendOutput($result, OBJECT);
%}
%enddef
STRUCTURE(sop_stats, SOP_STATS_INIT, native_stats_tuple($1))
STRUCTURE(sop_info, SOP_INFO_INIT, native_info_tuple($1))
STRUCTURE(sop_store_info, SOP_STORE_INFO_INIT,
	Py_BuildValue("KIII", (unsigned long long)$1->id, $1->duplicates, $1->has_schema, $1->node_items))

STRUCTURE(sop_item, { 0 }, Py_BuildValue("KK", (unsigned long long)$1->version, (unsigned long long)$1->item))

/* The database may be gone: what is known of it is an answer, with the status that it was. */
%typemap(in, numinputs = 0) sop_peek * (sop_peek made = SOP_PEEK_INIT) %{ $1 = &made; %}
%typemap(argout) sop_peek * %{
	if (result == SOP_OK || result == SOP_NOT_FOUND) {
		$result = SWIG_Python_AppendOutput($result, native_peek_tuple($1));
		result = SOP_OK;
	}
%}

/* Nothing to take is an answer: None. */
%typemap(in, numinputs = 0) sop_log_message * (sop_log_message made = SOP_LOG_MESSAGE_INIT) %{ $1 = &made; %}
%typemap(argout) sop_log_message * %{
	if (result == SOP_OK)
		$result = SWIG_Python_AppendOutput(
			$result, Py_BuildValue("IILs", $1->level, $1->lost, (long long)$1->time_ns, $1->text));
	else if (result == SOP_NOT_FOUND)
		result = SOP_OK;
%}

/* A store as declared: (codec of keys, duplicates, node_items), or None for whatever is there. */
%typemap(in) const sop_store_options *options (sop_store_options made = SOP_STORE_OPTIONS_INIT) %{
	$1 = NULL;
	if ($input != Py_None) {
		PyObject *key;
		if (!PyArg_ParseTuple($input, "O!II", &native_key_type, &key, &made.duplicates, &made.node_items))
			SWIG_fail;
		made.schema = ((native_key *)key)->schema;
		$1 = &made;
	}
%}

/* Where a cursor stands: (key, value, version, item), or None. */
%typemap(in, numinputs = 0) sop_entry * (sop_entry made) %{ $1 = &made; %}
%typemap(argout) sop_entry * %{
	if (result == SOP_OK)
		$result = SWIG_Python_AppendOutput(
			$result, Py_BuildValue("y#y#KK", $1->key.size != 0 ? (const char *)$1->key.data : "", (Py_ssize_t)$1->key.size,
					       $1->value.size != 0 ? (const char *)$1->value.data : "",
					       (Py_ssize_t)$1->value.size, (unsigned long long)$1->version,
					       (unsigned long long)$1->item));
	else if (result == SOP_NOT_FOUND)
		result = SOP_OK;
%}

/* ---- callbacks */

%typemap(in) (sop_progress_fn progress, void *arg) %{
	$1 = native_progress; /* also of None, so that Ctrl-C ends the call */
	$2 = $input;
%}
/* One tuple (found, progress), each of which may be None. */
%typemap(in) (sop_problem_fn found, sop_progress_fn progress, void *arg) %{
	if (!PyTuple_Check($input) || PyTuple_GET_SIZE($input) != 2) {
		PyErr_SetString(PyExc_TypeError, "(found, progress) is needed");
		SWIG_fail;
	}
	$1 = PyTuple_GET_ITEM($input, 0) != Py_None ? native_problem : NULL;
	$2 = native_verify_progress;
	$3 = $input;
%}

/* ---- the lock of the interpreter: given away around what may wait or read */

%define BLOCKS(NAME)
%exception NAME %{
	Py_BEGIN_ALLOW_THREADS
	$action
	Py_END_ALLOW_THREADS
%}
%enddef
BLOCKS(sop_open)
%exception sop_close %{
	Py_BEGIN_ALLOW_THREADS
	$action
	Py_END_ALLOW_THREADS
	native_epoch++;
%}
BLOCKS(sop_db_stats)
BLOCKS(sop_db_metrics)
BLOCKS(sop_stats_peek)
BLOCKS(sop_verify)
BLOCKS(sop_log_next)
BLOCKS(sop_sync)
BLOCKS(sop_checkpoint)
BLOCKS(sop_gc)
BLOCKS(sop_backup)
BLOCKS(sop_restore)
BLOCKS(sop_commit)
BLOCKS(sop_rollback)
BLOCKS(sop_store_create)
BLOCKS(sop_store_drop)
BLOCKS(sop_store_rename)
BLOCKS(sop_store_list)
BLOCKS(sop_store_describe)
BLOCKS(sop_fetch)
BLOCKS(sop_insert)
BLOCKS(sop_update)
BLOCKS(sop_set_ride)
BLOCKS(sop_remove)
BLOCKS(sop_cursor_first)
BLOCKS(sop_cursor_last)
BLOCKS(sop_cursor_next)
BLOCKS(sop_cursor_prev)
BLOCKS(sop_cursor_seek)
BLOCKS(sop_cursor_entry)

/* The same, and iterators of the transaction look again. */
%define CHANGES(NAME)
%exception NAME %{
	((native_handle *)swig_obj[0])->parent->changes++;
	Py_BEGIN_ALLOW_THREADS
	$action
	Py_END_ALLOW_THREADS
%}
%enddef
CHANGES(sop_cursor_update)
CHANGES(sop_cursor_remove)

/* Beginning again ends what sop_txn_conflict gave views of. */
%exception sop_txn_again %{
	if (held1->busy) {
		native_raise_status(SOP_MISUSE, "another thread begins this transaction again");
		SWIG_fail;
	}
	held1->busy = true;
	Py_BEGIN_ALLOW_THREADS
	$action
	Py_END_ALLOW_THREADS
	held1->busy = false;
%}
%exception sop_txn_conflict %{
	if (held1->busy) {
		native_raise_status(SOP_MISUSE, "another thread begins this transaction again");
		SWIG_fail;
	}
	$action
%}
