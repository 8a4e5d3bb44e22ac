/* Handles of the library as objects, and the pool of transactions that are renewed instead of made anew. */
#include "native.h"

#include <string.h>

/* Transactions that can be renewed for each other: those that write (SOP_WRITE) and read (SOP_READ) with the defaults of the
 * database, and those of bodies that are run again. */
enum { POOL_RETRIED = 2, POOLS = 3, POOL_IDLE_MAX = 8, RETRIED_DEADLINE_MS = 30000 };

struct native_pool {
	native_handle *idle[POOLS][POOL_IDLE_MAX]; /* no longer objects; `pointer` and `pool_kind` are kept */
	int count[POOLS];
};

static const char *const kind_names[NATIVE_KINDS] = { "a database", "a store", "a transaction",
						      "a cursor", "options" };

static Py_ssize_t alive; /* Handle objects */

PyObject *native_handle_count(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	return PyLong_FromSsize_t(alive);
}

static void pool_drop(native_handle *idle)
{
	sop_txn_free(idle->pointer);
	PyObject_Free(idle);
}

void native_pool_clear(native_handle *db)
{
	struct native_pool *pool = db->pool;

	if (pool == NULL)
		return;
	for (int kind = 0; kind < POOLS; kind++)
		while (pool->count[kind] > 0)
			pool_drop(pool->idle[kind][--pool->count[kind]]);
}

/* Puts the handle into the pool instead of freeing it. Nobody has it any more, so no call can be running in it. */
static bool pool_take_back(native_handle *self)
{
	struct native_pool *pool = self->parent != NULL ? self->parent->pool : NULL;

	if (pool == NULL || self->pool_kind < 0 || pool->count[self->pool_kind] == POOL_IDLE_MAX)
		return false;
	if (!self->committed)
		sop_rollback(self->pointer, NULL); /* ends it if it is open; what it answers else does not matter */
	pool->idle[self->pool_kind][pool->count[self->pool_kind]++] = self;
	return true;
}

static void free_database(native_handle *self)
{
	sop_db *db = self->pointer;

	native_pool_clear(self);
	PyMem_Free(self->pool);
	self->pool = NULL;
	Py_BEGIN_ALLOW_THREADS sop_db_free(db);
	Py_END_ALLOW_THREADS
}

static void free_pointer(native_handle *self)
{
	switch (self->kind) {
	case NATIVE_DB:
		free_database(self);
		break;
	case NATIVE_STORE:
		sop_store_free(self->pointer);
		break;
	case NATIVE_TXN:
		sop_txn_free(self->pointer);
		break;
	case NATIVE_CURSOR:
		sop_cursor_free(self->pointer);
		break;
	default:
		sop_options_free(self->pointer);
	}
}

static void handle_dealloc(PyObject *object)
{
	native_handle *self = (native_handle *)object, *parent = self->parent;
	PyObject *type, *value, *trace;

	alive--;
	if (self->kind == NATIVE_TXN && pool_take_back(self)) {
		Py_DECREF(parent);
		return;
	}
	PyErr_Fetch(&type, &value, &trace); /* the lock may be given away */
	if (self->pointer != NULL)
		free_pointer(self);
	PyObject_Free(object);
	Py_XDECREF(parent);
	PyErr_Restore(type, value, trace);
}

static PyObject *handle_repr(PyObject *object)
{
	return PyUnicode_FromFormat("<handle of %s>", kind_names[((native_handle *)object)->kind]);
}

static PyObject *handle_close(PyObject *object, PyObject *unused)
{
	(void)unused;
	((native_handle *)object)->closed = true;
	return native_ref(Py_None);
}

static PyMethodDef handle_methods[] = {
	{ "close", handle_close, METH_NOARGS, "Makes every later call a ClosedError." },
	{ NULL, NULL, 0, NULL },
};

PyTypeObject native_handle_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sop._raw.Handle",
	.tp_basicsize = sizeof(native_handle),
	.tp_dealloc = handle_dealloc,
	.tp_repr = handle_repr,
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_methods = handle_methods,
	.tp_doc = "A handle of the library, freed with this object.",
};

static void handle_start(native_handle *self, native_handle *parent)
{
	alive++;
	self->closed = false;
	self->busy = false;
	self->committed = false;
	self->changes = 0;
	self->parent = (native_handle *)native_ref(parent);
}

PyObject *native_handle_new(enum native_kind kind, void *pointer, native_handle *parent)
{
	native_handle *self = PyObject_New(native_handle, &native_handle_type);

	if (self == NULL)
		goto failed;
	handle_start(self, parent);
	self->pointer = pointer;
	self->kind = kind;
	self->pool_kind = -1;
	self->pool = NULL;
	if (kind == NATIVE_DB) {
		self->pool = PyMem_Calloc(1, sizeof *self->pool);
		if (self->pool == NULL) {
			Py_DECREF(self);
			return PyErr_NoMemory();
		}
	}
	return (PyObject *)self;

failed:;
	native_handle lost = { .pointer = pointer, .kind = kind, .pool_kind = -1 };

	free_pointer(&lost);
	return NULL;
}

bool native_is_open(const native_handle *handle)
{
	for (; handle != NULL; handle = handle->parent)
		if (handle->closed) {
			native_raise_status(SOP_CLOSED, "it has been closed");
			return false;
		}
	return true;
}

native_handle *native_handle_of(PyObject *object, enum native_kind kind)
{
	if (Py_TYPE(object) != &native_handle_type || ((native_handle *)object)->kind != kind) {
		PyErr_Format(PyExc_TypeError, "%s is needed, not %.100s", kind_names[kind],
			     Py_TYPE(object)->tp_name);
		return NULL;
	}
	return native_is_open((native_handle *)object) ? (native_handle *)object : NULL;
}

native_handle *native_cursor_enter(PyObject *object)
{
	native_handle *cursor = native_handle_of(object, NATIVE_CURSOR);

	if (cursor != NULL && cursor->busy) {
		native_raise_status(SOP_MISUSE, "another thread is in a call on this cursor");
		return NULL;
	}
	if (cursor != NULL)
		cursor->busy = true;
	return cursor;
}

/* A waiting transaction begun anew, or NULL if there is none. */
static PyObject *pool_renew(native_handle *db, int kind)
{
	struct native_pool *pool = db->pool;

	while (kind >= 0 && pool->count[kind] > 0) {
		native_handle *idle = pool->idle[kind][--pool->count[kind]];

		if (sop_txn_renew(idle->pointer, NULL) == SOP_OK) {
			handle_start(idle, db);
			return PyObject_Init((PyObject *)idle, &native_handle_type);
		}
		pool_drop(idle);
	}
	return NULL;
}

/* Which pool a transaction without an id of the caller belongs to, or -1. */
static int pool_of(const sop_txn_options *options)
{
	if (options->durability != 0 || options->mode > SOP_READ)
		return -1;
	if (options->deadline_ms == 0)
		return (int)options->mode;
	return options->mode == SOP_WRITE && options->deadline_ms == RETRIED_DEADLINE_MS ? POOL_RETRIED
											 : -1;
}

static PyObject *begin(native_handle *db, const sop_txn_options *options, int pool_kind)
{
	PyObject *handle = pool_renew(db, pool_kind);
	sop_txn *txn;
	NATIVE_ERROR(err);

	if (handle != NULL)
		return handle;
	if (sop_begin(db->pointer, options, &txn, &err) != SOP_OK)
		return native_raise(&err);
	handle = native_handle_new(NATIVE_TXN, txn, db);
	if (handle != NULL)
		((native_handle *)handle)->pool_kind = pool_kind;
	return handle;
}

PyObject *native_begin_plain(native_handle *db, sop_mode mode)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	options.mode = mode;
	return begin(db, &options, pool_of(&options));
}

static int read_id(PyObject *id, sop_txn_options *options)
{
	if (id == Py_None)
		return 0;
	if (!PyBytes_Check(id) || PyBytes_GET_SIZE(id) != sizeof options->id) {
		PyErr_SetString(PyExc_TypeError, "the id of a transaction is 16 bytes");
		return -1;
	}
	memcpy(options->id, PyBytes_AS_STRING(id), sizeof options->id);
	return 0;
}

PyObject *native_begin(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	native_handle *db = count >= 2 ? native_handle_of(args[0], NATIVE_DB) : NULL;

	(void)module;
	if (db == NULL)
		return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "begin(db, mode, ...)");
	options.mode = (uint32_t)PyLong_AsLong(args[1]);
	options.deadline_ms = count > 2 ? PyLong_AsLongLong(args[2]) : 0;
	options.durability = count > 3 ? (uint32_t)PyLong_AsLong(args[3]) : 0;
	if (PyErr_Occurred() || (count > 4 && read_id(args[4], &options) < 0))
		return NULL;
	return begin(db, &options, count > 4 && args[4] != Py_None ? -1 : pool_of(&options));
}
