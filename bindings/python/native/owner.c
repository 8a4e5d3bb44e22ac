/* What sop.Database and sop.Transaction are built on: db[STORE] and tx[STORE], which have to be quick. */
#include "native.h"

#include <structmember.h>

/* Both remember what they know of each declared store: a transaction the View, a database the Bound, since views keep their
 * database alive and it cannot keep them in turn. */
typedef struct native_owner {
	PyObject_HEAD PyObject *database; /* of a transaction: the sop.Database; NULL in a database */
	native_handle *handle;
	PyObject *known; /* dict by sop.Store; NULL until there is a second one */
	PyObject *last_store, *last; /* the entry of `known` that was used last */
	native_view *spare; /* of a database: a view whose transaction is gone, for the next one */
	PyObject *weak_references;
	char ended; /* of a transaction: by its own commit, rollback or close */
} native_owner;

enum { KNOWN_MAX = 1024 };

static PyTypeObject *view_class; /* sop.View */
static PyTypeObject *transaction_class; /* sop.Transaction */

/* What is known of `store`, or NULL, without an exception if it is nothing. Looking may call a function of the program,
 * which may close this owner. */
static PyObject *owner_recall(native_owner *self, PyObject *store)
{
	PyObject *known = native_ref(self->known);
	PyObject *found = known != NULL ? native_ref(PyDict_GetItemWithError(known, store)) : NULL;

	Py_XDECREF(known);
	return found;
}

/* Puts the entry that was used last into the dictionary; 0 or -1. That holds a limited number, so that a program which
 * declares a store anew for each call does not fill the memory. */
static int owner_keep_last(native_owner *self)
{
	PyObject *store = native_ref(self->last_store);
	PyObject *last = native_ref(self->last);
	PyObject *known;
	int status = -1;

	if (self->known == NULL)
		self->known = PyDict_New();
	known = native_ref(self->known);
	if (known != NULL && PyDict_Size(known) >= KNOWN_MAX)
		PyDict_Clear(known);
	if (known != NULL)
		status = PyDict_SetItem(known, store, last);
	Py_XDECREF(known);
	Py_DECREF(store);
	Py_DECREF(last);
	return status;
}

/* Remembers what has been found out about `store`; 0 or -1. */
static int owner_remember(native_owner *self, PyObject *store, PyObject *found)
{
	PyObject *before_store, *before;

	if (self->last_store != NULL && owner_keep_last(self) < 0)
		return -1;
	before_store = self->last_store;
	before = self->last;
	self->last_store = native_ref(store); /* both at once: dropping the others may call the program */
	self->last = native_ref(found);
	Py_XDECREF(before_store);
	Py_XDECREF(before);
	return 0;
}

/* What is known of `store`; `declare` finds it out. */
static PyObject *owner_know(native_owner *self, PyObject *store,
			    PyObject *(*declare)(native_owner *, PyObject *))
{
	PyObject *found;

	if (store == self->last_store)
		return native_ref(self->last);
	found = owner_recall(self, store);
	if (found == NULL && !PyErr_Occurred())
		found = declare(self, store);
	if (found != NULL && owner_remember(self, store, found) < 0)
		Py_CLEAR(found);
	return found;
}

static PyObject *declare_bound(native_owner *self, PyObject *store)
{
	PyObject *bound = PyObject_CallMethod((PyObject *)self, "_declare", "(O)", store);

	if (bound != NULL && Py_TYPE(bound) != &native_bound_type) {
		Py_DECREF(bound);
		return PyErr_Format(PyExc_TypeError, "_declare made no Bound");
	}
	return bound;
}

/* A view of `bound` in `txn` (NULL: in a transaction for each call); `bound` is taken over. */
static PyObject *view_make(PyObject *owner, native_handle *db, native_handle *txn, PyObject *bound)
{
	native_view *view = bound != NULL ? (native_view *)view_class->tp_alloc(view_class, 0) : NULL;

	if (view == NULL) {
		Py_XDECREF(bound);
		return NULL;
	}
	view->owner = native_ref(owner);
	view->db = (native_handle *)native_ref(db);
	view->txn = (native_handle *)native_ref(txn);
	view->bound = (native_bound *)bound;
	return (PyObject *)view;
}

/* The spare view of a database for `txn`, or NULL if it is of another store than `bound`, which else is taken over. */
static PyObject *view_take_spare(native_owner *database, native_handle *txn, PyObject *bound)
{
	native_view *view = database->spare;

	if (view == NULL || view->bound != (native_bound *)bound)
		return NULL;
	database->spare = NULL;
	view->txn = (native_handle *)native_ref(txn);
	Py_DECREF(bound);
	return (PyObject *)view;
}

/* Most transactions use one store, and making an object costs as much as a read. */
static void view_leave_spare(native_owner *database, PyObject *object)
{
	native_view *view = (native_view *)object;

	if (database == NULL || object == NULL || Py_REFCNT(object) != 1 ||
	    Py_TYPE(object) != view_class || database->spare != NULL || database->handle == NULL) {
		Py_XDECREF(object);
		return;
	}
	Py_CLEAR(view->txn);
	database->spare = view;
}

static PyObject *declare_view(native_owner *self, PyObject *store)
{
	native_owner *database = (native_owner *)self->database;
	PyObject *bound = owner_know(database, store, declare_bound);
	PyObject *spare = view_take_spare(database, self->handle, bound);

	return spare != NULL ? spare : view_make(NULL, database->handle, self->handle, bound);
}

static PyObject *transaction_subscript(PyObject *object, PyObject *store)
{
	return owner_know((native_owner *)object, store, declare_view);
}

static PyObject *database_bound(PyObject *object, PyObject *store)
{
	return owner_know((native_owner *)object, store, declare_bound);
}

static PyObject *database_subscript(PyObject *object, PyObject *store)
{
	native_owner *self = (native_owner *)object;

	return view_make(object, self->handle, NULL, owner_know(self, store, declare_bound));
}

/* Forgets what is known, which ends cycles. */
static PyObject *owner_forget(PyObject *object, PyObject *unused)
{
	native_owner *self = (native_owner *)object;

	(void)unused;
	Py_CLEAR(self->last_store);
	Py_CLEAR(self->last);
	Py_CLEAR(self->known);
	Py_CLEAR(self->spare);
	return native_ref(Py_None);
}

static PyObject *database_forget(PyObject *object, PyObject *unused)
{
	native_pool_clear(((native_owner *)object)->handle);
	return owner_forget(object, unused);
}

static PyObject *idle; /* memory of a sop.Transaction that is gone, for the next one */

static native_owner *owner_allocate(PyTypeObject *type)
{
	native_owner *self;

	if (idle == NULL || type != transaction_class)
		return (native_owner *)type->tp_alloc(type, 0);
	self = (native_owner *)PyObject_Init(idle, type);
	idle = NULL;
	memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
	PyObject_GC_Track((PyObject *)self);
	return self;
}

static PyObject *owner_new(PyTypeObject *type, PyObject *database, PyObject *handle)
{
	native_owner *self = owner_allocate(type);

	if (self == NULL)
		return NULL;
	self->handle = (native_handle *)native_ref(handle);
	self->database = native_ref(database);
	return (PyObject *)self;
}

static PyObject *database_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
	PyObject *handle;

	(void)names;
	if (!PyArg_ParseTuple(args, "O", &handle) || native_handle_of(handle, NATIVE_DB) == NULL)
		return NULL;
	return owner_new(type, NULL, handle);
}

static PyObject *transaction_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
	PyObject *database, *handle;

	(void)names;
	if (!PyArg_ParseTuple(args, "O!O", &native_database_type, &database, &handle) ||
	    native_handle_of(handle, NATIVE_TXN) == NULL)
		return NULL;
	return owner_new(type, database, handle);
}

static int owner_traverse(PyObject *object, visitproc visit, void *arg)
{
	native_owner *self = (native_owner *)object;

	Py_VISIT(self->database); /* Python itself visits the class, which is a subclass */
	Py_VISIT(self->known);
	Py_VISIT(self->last_store);
	Py_VISIT(self->last);
	Py_VISIT(self->spare);
	return 0;
}

static int owner_clear(PyObject *object)
{
	native_owner *self = (native_owner *)object;

	Py_CLEAR(self->last_store);
	Py_CLEAR(self->last);
	Py_CLEAR(self->known);
	Py_CLEAR(self->spare);
	return 0;
}

static void owner_free(PyObject *object)
{
	native_owner *self = (native_owner *)object;
	PyTypeObject *type = Py_TYPE(object);
	PyObject *last = self->last;

	if (self->weak_references != NULL)
		PyObject_ClearWeakRefs(object);
	self->last = NULL;
	view_leave_spare((native_owner *)self->database, last);
	Py_CLEAR(self->last_store);
	Py_CLEAR(self->known);
	Py_CLEAR(self->spare);
	Py_CLEAR(self->handle);
	Py_CLEAR(self->database);
	if (type == transaction_class && idle == NULL)
		idle = object;
	else
		type->tp_free(object);
}

static void transaction_dealloc(PyObject *object)
{
	PyObject_GC_UnTrack(object);
	owner_free(object);
}

/* Somebody dropped an open database: it is closed, and Python's warning for that is given. */
static void database_finalize(PyObject *object)
{
	native_owner *self = (native_owner *)object;
	PyObject *type, *value, *trace;
	sop_info info = SOP_INFO_INIT;
	sop_db *db;

	if (self->handle == NULL)
		return;
	PyErr_Fetch(&type, &value, &trace);
	db = self->handle->pointer;
	if (sop_db_info(db, &info, NULL, NULL) == SOP_OK) {
		if (PyErr_ResourceWarning(object, 1, "a database was dropped without close()") < 0)
			PyErr_WriteUnraisable(object);
		Py_BEGIN_ALLOW_THREADS sop_close(db, NULL);
		Py_END_ALLOW_THREADS native_epoch++;
	}
	PyErr_Restore(type, value, trace);
}

static void database_dealloc(PyObject *object)
{
	if (PyObject_CallFinalizerFromDealloc(object) < 0)
		return;
	PyObject_GC_UnTrack(object);
	owner_free(object);
}

/* A transaction of the mode with the defaults of the database, which is what most programs ask for; anything else is the
 * matter of the method `other`. */
static PyObject *database_begin(PyObject *object, sop_mode mode, const char *other,
				PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	native_owner *self = (native_owner *)object;
	PyObject *method, *handle, *made;

	if (count == 0 && names == NULL) {
		handle = native_is_open(self->handle) ? native_begin_plain(self->handle, mode) : NULL;
		made = handle != NULL ? owner_new(transaction_class, object, handle) : NULL;
		Py_XDECREF(handle);
		return made;
	}
	method = PyObject_GetAttrString(object, other);
	made = method != NULL ? PyObject_Vectorcall(method, args, (size_t)count, names) : NULL;
	Py_XDECREF(method);
	return made;
}

static PyObject *database_read(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	return database_begin(object, SOP_READ, "_read", args, count, names);
}

static PyObject *database_write(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
	return database_begin(object, SOP_WRITE, "_write", args, count, names);
}

#define MEMBER(name, field)                                                                        \
	{                                                                                          \
		(name), T_OBJECT, offsetof(native_owner, field), READONLY, NULL                    \
	}

static PyMemberDef database_members[] = {
	MEMBER("_handle", handle),
	{ NULL, 0, 0, 0, NULL },
};

static PyMemberDef transaction_members[] = {
	MEMBER("_handle", handle),
	MEMBER("_database", database),
	{ "_ended", T_BOOL, offsetof(native_owner, ended), 0, NULL },
	{ NULL, 0, 0, 0, NULL },
};

static const char read_doc[] =
	"read($self, /, *, deadline=None, snapshot=False)\n--\n\n"
	"A transaction that only reads: one state of all stores, never a conflict, nobody is held up. `deadline` in\n"
	"seconds. `snapshot`: without the check of freshness of clustered modes.";

static const char write_doc[] =
	"write($self, /, *, deadline=None, durability=None, id=None, check=True)\n--\n\n"
	"A transaction that reads and writes. Committing may be a ConflictError: sop.transactional, run() and attempts()\n"
	"run bodies again.\n\n"
	"deadline:   in seconds, after which it ends with TimeoutError; None: that of the database\n"
	"durability: of its commit; None: that of the database\n"
	"id:         the caller's own, for outcome(); None: one is made\n"
	"check:      False: what it reads is not validated";

#define WITH_KEYWORDS(function)                                                                    \
	((PyCFunction)(void (*)(void))(function)), METH_FASTCALL | METH_KEYWORDS

static PyMethodDef database_methods[] = {
	{ "read", WITH_KEYWORDS(database_read), read_doc },
	{ "write", WITH_KEYWORDS(database_write), write_doc },
	{ "_bound", database_bound, METH_O, "The Bound of a declared store." },
	{ "_forget", database_forget, METH_NOARGS, "Lets go of all that can be made again." },
	{ NULL, NULL, 0, NULL },
};

static PyObject *transaction_enter(PyObject *object, PyObject *unused)
{
	(void)unused;
	return native_ref(object);
}

/* The end of a block. One that only reads has nothing to wait for, and is the common case; all others are the matter of
 * _leave(kind, error, trace). */
static PyObject *transaction_exit(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
	native_owner *self = (native_owner *)object;
	NATIVE_ERROR(err);

	if (count != 3)
		return PyErr_Format(PyExc_TypeError, "__exit__(kind, error, trace)");
	if (args[0] != Py_None || self->ended || self->handle->pool_kind != (int)SOP_READ)
		return PyObject_CallMethod(object, "_leave", "OOO", args[0], args[1], args[2]);
	self->ended = 1;
	if (sop_commit(self->handle->pointer, &err) != SOP_OK)
		return native_raise(&err);
	self->handle->committed = true;
	return native_ref(Py_None);
}

static PyMethodDef transaction_methods[] = {
	{ "__enter__", transaction_enter, METH_NOARGS, "The transaction." },
	{ "__exit__", (PyCFunction)(void (*)(void))transaction_exit, METH_FASTCALL,
	  "Commits, or rolls back if the block has raised." },
	{ "_forget", owner_forget, METH_NOARGS, "Lets go of its views." },
	{ NULL, NULL, 0, NULL },
};

static PyMappingMethods database_mapping = { .mp_subscript = database_subscript };
static PyMappingMethods transaction_mapping = { .mp_subscript = transaction_subscript };

PyTypeObject native_database_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sop._raw.DatabaseBase",
	.tp_basicsize = sizeof(native_owner),
	.tp_dealloc = database_dealloc,
	.tp_finalize = database_finalize,
	.tp_traverse = owner_traverse,
	.tp_clear = owner_clear,
	.tp_as_mapping = &database_mapping,
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
	.tp_weaklistoffset = offsetof(native_owner, weak_references),
	.tp_methods = database_methods,
	.tp_members = database_members,
	.tp_new = database_new,
};

PyTypeObject native_transaction_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sop._raw.TransactionBase",
	.tp_basicsize = sizeof(native_owner),
	.tp_dealloc = transaction_dealloc,
	.tp_traverse = owner_traverse,
	.tp_clear = owner_clear,
	.tp_as_mapping = &transaction_mapping,
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
	.tp_weaklistoffset = offsetof(native_owner, weak_references),
	.tp_methods = transaction_methods,
	.tp_members = transaction_members,
	.tp_new = transaction_new,
};

/* Makes a class of the package the one that `slot` names; it derives from `base`. */
static PyObject *use_class(PyTypeObject **slot, PyObject *given, PyTypeObject *base)
{
	if (!PyType_Check(given) || !PyType_IsSubtype((PyTypeObject *)given, base))
		return PyErr_Format(PyExc_TypeError, "a subclass of %s is needed", base->tp_name);
	Py_INCREF(given);
	Py_XSETREF(*slot, (PyTypeObject *)given);
	return native_ref(Py_None);
}

PyObject *native_use_view(PyObject *module, PyObject *given)
{
	(void)module;
	return use_class(&view_class, given, &native_view_type);
}

PyObject *native_use_transaction(PyObject *module, PyObject *given)
{
	(void)module;
	return use_class(&transaction_class, given, &native_transaction_type);
}
