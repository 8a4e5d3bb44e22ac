/* Callbacks of long calls, structures as tuples, and what is added to the module. */
#include "native.h"

#include <pthread.h>
#include <string.h>

uint64_t native_epoch;

static void next_epoch(void)
{
	native_epoch++;
}

/* Calls `function`; its exception stays set, and the library is told to stop. */
static int call_back(PyObject *function, PyObject *args)
{
	PyObject *answer = args != NULL ? PyObject_CallObject(function, args) : NULL;
	int stop = 1;

	if (answer != NULL) {
		stop = answer == Py_False; /* anything else goes on, so that a function need not return */
		Py_DECREF(answer);
	}
	Py_XDECREF(args);
	return stop;
}

/* Calls `function`; if that is None, lets Python look whether a signal has come, such as that of Ctrl-C. */
static int progress(PyObject *function, uint64_t done_bytes, uint64_t total_bytes)
{
	const PyGILState_STATE state = PyGILState_Ensure();
	int stop;

	if (function == Py_None)
		stop = PyErr_CheckSignals() < 0;
	else
		stop = call_back(function, Py_BuildValue("KK", (unsigned long long)done_bytes,
							 (unsigned long long)total_bytes));
	PyGILState_Release(state);
	return stop;
}

int native_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	return progress(arg, done_bytes, total_bytes);
}

int native_verify_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	return progress(PyTuple_GET_ITEM((PyObject *)arg, 1), done_bytes, total_bytes);
}

static PyObject *text(const char *data, size_t size)
{
	return PyUnicode_DecodeUTF8(data, (Py_ssize_t)size, "replace");
}

int native_problem(void *arg, const sop_problem *problem)
{
	const PyGILState_STATE state = PyGILState_Ensure();
	const int stop = call_back(
		PyTuple_GET_ITEM((PyObject *)arg, 0),
		Py_BuildValue("sNNLN", problem->kind, text(problem->store.data, problem->store.size),
			      text(problem->file.data, problem->file.size), (long long)problem->offset,
			      text(problem->message, strlen(problem->message))));

	PyGILState_Release(state);
	return stop;
}

PyObject *native_stats_tuple(const sop_stats *stats)
{
	const size_t count = (sizeof *stats - sizeof stats->struct_size) / sizeof stats->position;
	const uint64_t *figures = &stats->position; /* all that follows the first word */
	PyObject *tuple = PyTuple_New((Py_ssize_t)count);

	for (size_t i = 0; tuple != NULL && i < count; i++) {
		PyObject *figure = PyLong_FromUnsignedLongLong(figures[i]);

		if (figure == NULL)
			Py_CLEAR(tuple);
		else
			PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, figure);
	}
	return tuple;
}

PyObject *native_info_tuple(const sop_info *info)
{
	return Py_BuildValue("sy#IIIIIIKKLLKK", info->backend, (const char *)info->uuid,
			     (Py_ssize_t)sizeof info->uuid, info->format, info->durability,
			     info->node_bytes, info->node_items, info->inline_value_bytes,
			     info->registry_buckets, (unsigned long long)info->transaction_bytes_max,
			     (unsigned long long)info->snapshot_bytes_max, (long long)info->deadline_ms,
			     (long long)info->flush_interval_ms, (unsigned long long)info->cache_bytes,
			     (unsigned long long)info->log_bytes_max);
}

PyObject *native_peek_tuple(const sop_peek *peek)
{
	return Py_BuildValue(
		"KKNKKLLKKKKKKKKy#", (unsigned long long)peek->is_open, (unsigned long long)peek->process,
		text(peek->host, strnlen(peek->host, sizeof peek->host)),
		(unsigned long long)peek->has_figures, (unsigned long long)peek->age_ms,
		(long long)peek->written_ms, (long long)peek->opened_ms,
		(unsigned long long)peek->running_ms, (unsigned long long)peek->interval_ms,
		(unsigned long long)peek->commits_timed, (unsigned long long)peek->commit_p50_ns,
		(unsigned long long)peek->commit_p99_ns, (unsigned long long)peek->commit_longest_ns,
		(unsigned long long)peek->log_bytes_max, (unsigned long long)peek->flush_interval_ms,
		(const char *)peek->uuid, (Py_ssize_t)sizeof peek->uuid);
}

/* Whether this is the first interpreter of the process; false with ImportError. Types and the classes that they make are
 * shared, so another one would take them away from it. */
static bool is_main_interpreter(void)
{
	if (PyInterpreterState_Get() == PyInterpreterState_Main())
		return true;
	PyErr_SetString(PyExc_ImportError,
			"sop cannot be used in a subinterpreter: use it in the main one");
	return false;
}

/* status_table() -> ((name, number, traits, text), ...), of the headers. */
static PyObject *status_table(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	if (!is_main_interpreter()) /* a copy of the module is there without its initialization */
		return NULL;
#define ENTRY(name, number, traits, text) #name, (number), (unsigned)(traits), (text),
#define FORMAT(name, number, traits, text) "(siIs)"
	return Py_BuildValue("(" SOP_STATUS_TABLE(FORMAT) ")", SOP_STATUS_TABLE(ENTRY) NULL);
#undef ENTRY
#undef FORMAT
}

static PyMethodDef functions[] = {
	{ "begin", (PyCFunction)(void (*)(void))native_begin, METH_FASTCALL,
	  "begin(db, mode, deadline_ms=0, durability=0, id=None): a transaction." },
	{ "handle_count", native_handle_count, METH_NOARGS,
	  "How many handles are alive, for tests of leaks." },
	{ "use_view", native_use_view, METH_O, "use_view(class): what db[STORE] makes." },
	{ "use_transaction", native_use_transaction, METH_O,
	  "use_transaction(class): what db.read() makes." },
	{ "status_table", status_table, METH_NOARGS, "((name, number, traits, text), ...)" },
	{ NULL, NULL, 0, NULL },
};

int native_add(PyObject *module)
{
	PyTypeObject *const types[] = { &native_handle_type,   &native_key_type,
					&native_bound_type,    &native_view_type,
					&native_database_type, &native_transaction_type,
					&native_rows_type };

	if (!is_main_interpreter() || native_key_import() < 0 ||
	    PyModule_AddFunctions(module, functions) < 0)
		return -1;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (PyModule_AddType(module, types[i]) < 0)
			return -1;
	if (pthread_atfork(NULL, NULL, next_epoch) == 0)
		return 0;
	PyErr_NoMemory();
	return -1;
}
