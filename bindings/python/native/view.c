/* What sop.View is built on: reading and writing single items, which has to be quick. */
#include "native.h"

#include <structmember.h>

enum { VALUE_ROOM_BYTES = 2048 };

/* Compares as the order of keys does: below 0, 0, or above. */
static int compare(sop_bytes key, PyObject *bound)
{
	const size_t size = (size_t)PyBytes_GET_SIZE(bound);
	const size_t least = key.size < size ? key.size : size;
	const int order = least != 0 ? memcmp(key.data, PyBytes_AS_STRING(bound), least) : 0;

	if (order != 0)
		return order;
	return key.size < size ? -1 : key.size > size;
}

static bool begins_with(sop_bytes key, PyObject *prefix)
{
	const size_t size = (size_t)PyBytes_GET_SIZE(prefix);

	return key.size >= size && (size == 0 || memcmp(key.data, PyBytes_AS_STRING(prefix), size) == 0);
}

static sop_bytes bytes_of(PyObject *object)
{
	return (sop_bytes){ PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object) };
}

static void range_from(native_view *view, sop_range *range)
{
	range->from = bytes_of(view->after != NULL ? view->after : view->low);
	range->after_item = view->after_item;
	range->flags |= SOP_RANGE_FROM | (view->after != NULL ? SOP_RANGE_AFTER : 0);
}

static void range_to(native_view *view, sop_range *range)
{
	range->to = bytes_of(view->through != NULL ? view->through : view->high);
	range->flags |= SOP_RANGE_TO | (view->through != NULL ? SOP_RANGE_THROUGH : 0);
}

/* A prefix that is narrowed by bounds: the library takes either, so it becomes bounds too. Only keys with a schema have
 * prefixes here; all keys that begin with `to` are inside where it counts as SOP_RANGE_THROUGH. */
static void narrowed_prefix(native_view *view, sop_range *range)
{
	const bool ends_inside = view->high != NULL &&
				 (begins_with(bytes_of(view->high), view->prefix) ||
				  compare(bytes_of(view->high), view->prefix) < 0);
	const bool begins_inside = view->low != NULL && compare(bytes_of(view->low), view->prefix) > 0;

	if (begins_inside) {
		range_from(view, range);
	} else {
		range->from = bytes_of(view->prefix);
		range->flags |= SOP_RANGE_FROM;
	}
	if (ends_inside) {
		range_to(view, range);
	} else {
		range->to = bytes_of(view->prefix);
		range->flags |= SOP_RANGE_TO | SOP_RANGE_THROUGH;
	}
}

void native_view_range(native_view *view, sop_range *range)
{
	const sop_range all = SOP_RANGE_INIT;

	*range = all;
	if (view->prefix != NULL && (view->low != NULL || view->high != NULL)) {
		narrowed_prefix(view, range);
		return;
	}
	if (view->prefix != NULL) {
		range->prefix = bytes_of(view->prefix);
		range->flags |= SOP_RANGE_PREFIX;
	}
	if (view->low != NULL)
		range_from(view, range);
	if (view->high != NULL)
		range_to(view, range);
}

static bool in_range(native_view *view, sop_bytes key)
{
	return (view->low == NULL || compare(key, view->low) >= 0) &&
	       (view->high == NULL || compare(key, view->high) < 0) &&
	       (view->prefix == NULL || begins_with(key, view->prefix));
}

native_handle *native_view_reading(native_view *view)
{
	if (!native_is_open(view->txn))
		return NULL;
	if (view->txn != NULL)
		return (native_handle *)native_ref(view->txn);
	return (native_handle *)native_begin_plain(view->db, SOP_READ);
}

int native_view_create(native_view *view, sop_error *err)
{
	if (err->status != SOP_NOT_FOUND || err->store[0] == '\0') {
		native_raise(err);
		return -1;
	}
	err->store[0] = 0;
	if (sop_store_create(view->txn->pointer, view->bound->store->pointer, err) != SOP_OK) {
		native_raise(err);
		return -1;
	}
	return 0;
}

/* Fetches without giving the lock of the interpreter away, unless a page must be read. */
static sop_status fetch(native_view *self, sop_bytes key, sop_buf *value, sop_error *err)
{
	sop_txn *txn = self->txn->pointer;
	sop_store *store = self->bound->store->pointer;
	sop_status status = sop_fetch(txn, store, key, 0, SOP_NOWAIT, NULL, value, NULL, err);

	if (status != SOP_WOULD_BLOCK)
		return status;
	Py_BEGIN_ALLOW_THREADS status = sop_fetch(txn, store, key, 0, 0, NULL, value, NULL, err);
	Py_END_ALLOW_THREADS return status;
}

/* Reads in a transaction of its own. It may have to read a page, and there is no way to ask first. */
static sop_status read_once(native_view *self, sop_bytes key, sop_buf *value, sop_error *err)
{
	sop_status status;

	Py_BEGIN_ALLOW_THREADS status =
		sop_read(self->db->pointer, self->bound->store->pointer, key, value, err);
	Py_END_ALLOW_THREADS return status;
}

/* The value of `key`; NULL without an exception if it is not there. */
static PyObject *look_up(native_view *self, PyObject *key)
{
	char room[VALUE_ROOM_BYTES];
	sop_buf value = SOP_BUF_OVER(room);
	native_packed packed;
	sop_status status;
	PyObject *found = NULL;
	NATIVE_ERROR(err);

	native_packed_init(&packed);
	if (!native_is_open(self->txn) || native_key_pack(self->bound->key, key, false, &packed) < 0 ||
	    !in_range(self, packed.bytes))
		goto out;
	status = self->txn != NULL ? fetch(self, packed.bytes, &value, &err)
				   : read_once(self, packed.bytes, &value, &err);
	if (status == SOP_OK)
		found = native_value_decode(self->bound, value.data, value.size);
	else if (status != SOP_NOT_FOUND || err.store[0] != '\0')
		native_raise(&err);
	sop_buf_free(&value);
out:
	native_packed_free(&packed);
	return found;
}

static PyObject *view_subscript(PyObject *object, PyObject *key)
{
	PyObject *found;

	if (PySlice_Check(key))
		return PyObject_CallMethod(object, "_slice", "(O)", key);
	found = look_up((native_view *)object, key);
	if (found == NULL && !PyErr_Occurred()) {
		PyObject *wrapped = PyTuple_Pack(1, key); /* or a tuple would become the arguments */

		if (wrapped != NULL)
			PyErr_SetObject(PyExc_KeyError, wrapped);
		Py_XDECREF(wrapped);
	}
	return found;
}

static PyObject *view_get(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
	PyObject *found;

	if (count < 1 || count > 2)
		return PyErr_Format(PyExc_TypeError, "get(key, default=None)");
	found = look_up((native_view *)object, args[0]);
	if (found == NULL && !PyErr_Occurred())
		found = native_ref(count == 2 ? args[1] : Py_None);
	return found;
}

/* _get_now(key, default, blocked): as get, but `blocked` if a page would have to be read. */
static PyObject *view_get_now(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
	native_view *self = (native_view *)object;
	char room[VALUE_ROOM_BYTES];
	sop_buf value = SOP_BUF_OVER(room);
	native_packed packed;
	native_handle *txn;
	sop_status status = SOP_NOT_FOUND;
	PyObject *found = NULL;
	NATIVE_ERROR(err);

	if (count != 3)
		return PyErr_Format(PyExc_TypeError, "_get_now(key, default, blocked)");
	txn = native_view_reading(self);
	if (txn == NULL)
		return NULL;
	native_packed_init(&packed);
	if (native_key_pack(self->bound->key, args[0], false, &packed) < 0)
		goto out;
	if (in_range(self, packed.bytes))
		status = sop_fetch(txn->pointer, self->bound->store->pointer, packed.bytes, 0,
				   SOP_NOWAIT, NULL, &value, NULL, &err);
	if (status == SOP_OK)
		found = native_value_decode(self->bound, value.data, value.size);
	else if (status == SOP_WOULD_BLOCK || (status == SOP_NOT_FOUND && err.store[0] == '\0'))
		found = native_ref(args[status == SOP_WOULD_BLOCK ? 2 : 1]);
	else
		native_raise(&err);
out:
	sop_buf_free(&value);
	native_packed_free(&packed);
	Py_DECREF(txn);
	return found;
}

/* In a transaction of its own: whether the key is there is asked as whether it has a value. */
static int view_contains(PyObject *object, PyObject *key)
{
	native_view *self = (native_view *)object;
	native_handle *txn = self->txn;
	native_packed packed;
	sop_status status;
	int found = -1;
	NATIVE_ERROR(err);

	if (txn == NULL) {
		PyObject *value = PyObject_CallMethod(object, "_contains_once", "(O)", key);

		found = value != NULL ? PyObject_IsTrue(value) : -1;
		Py_XDECREF(value);
		return found;
	}
	native_packed_init(&packed);
	if (!native_is_open(txn) || native_key_pack(self->bound->key, key, false, &packed) < 0)
		goto out;
	if (!in_range(self, packed.bytes)) {
		found = 0;
		goto out;
	}
	status = fetch(self, packed.bytes, NULL, &err);
	if (status == SOP_OK || (status == SOP_NOT_FOUND && err.store[0] == '\0'))
		found = status == SOP_OK;
	else
		native_raise(&err);
out:
	native_packed_free(&packed);
	return found;
}

/* Packs a key that a write names: 0, or -1 with an exception, also if it is outside of this part. */
static int pack_inside(native_view *self, PyObject *key, native_packed *packed)
{
	if (native_key_pack(self->bound->key, key, false, packed) < 0)
		return -1;
	if (in_range(self, packed->bytes))
		return 0;
	PyErr_Format(PyExc_ValueError, "the key %R is outside of this part of the store", key);
	return -1;
}

/* A blind put waits for nothing, so the lock of the interpreter stays. */
static sop_status put_packed(native_view *self, sop_bytes key, sop_bytes value, sop_error *err)
{
	sop_store *store = self->bound->store->pointer;
	sop_status status;

	self->txn->changes++;
	status = sop_put(self->txn->pointer, store, key, value, err);
	if (status == SOP_OK || native_view_create(self, err) < 0)
		return status;
	status = sop_put(self->txn->pointer, store, key, value, err);
	if (status != SOP_OK)
		native_raise(err);
	return status;
}

/* Puts in a transaction of its own and commits it: 1; 0 if that did not do, as where the store is not there: nothing has
 * happened then; -1 with an exception. */
static int put_once(native_view *self, sop_bytes key, sop_bytes value)
{
	native_handle *txn = (native_handle *)native_begin_plain(self->db, SOP_WRITE);
	sop_status status;
	NATIVE_ERROR(err);

	if (txn == NULL)
		return -1;
	status = sop_put(txn->pointer, self->bound->store->pointer, key, value, &err);
	if (status == SOP_OK) {
		Py_BEGIN_ALLOW_THREADS status = sop_commit(txn->pointer, &err);
		Py_END_ALLOW_THREADS
	}
	Py_DECREF(txn);
	if (status == SOP_OK)
		return 1;
	if (status == SOP_NOT_FOUND || (err.traits & SOP_TRAIT_ABORT) != 0)
		return 0;
	native_raise(&err);
	return -1;
}

/* Puts a value under a key: 1, or as put_once. */
static int put(native_view *self, PyObject *key, PyObject *value)
{
	native_packed packed, content;
	int result = -1;
	NATIVE_ERROR(err);

	native_packed_init(&packed);
	native_packed_init(&content);
	if (!native_is_open(self->txn) || pack_inside(self, key, &packed) < 0 ||
	    native_value_encode(self->bound, value, &content) < 0)
		goto out;
	if (self->txn == NULL)
		result = put_once(self, packed.bytes, content.bytes);
	else
		result = put_packed(self, packed.bytes, content.bytes, &err) == SOP_OK ? 1 : -1;
out:
	native_packed_free(&packed);
	native_packed_free(&content);
	return result;
}

static int view_assign(PyObject *object, PyObject *key, PyObject *value)
{
	PyObject *done;

	if (value != NULL && !PySlice_Check(key)) {
		const int result = put((native_view *)object, key, value);

		if (result != 0)
			return result < 0 ? -1 : 0;
	}
	done = value != NULL ? PyObject_CallMethod(object, "_set", "OO", key, value)
			     : PyObject_CallMethod(object, "_delete", "(O)", key);
	Py_XDECREF(done);
	return done != NULL ? 0 : -1;
}

static PyObject *view_pack(PyObject *object, PyObject *key)
{
	native_packed packed;
	PyObject *made = NULL;

	native_packed_init(&packed);
	if (pack_inside((native_view *)object, key, &packed) == 0)
		made = PyBytes_FromStringAndSize(packed.bytes.data, (Py_ssize_t)packed.bytes.size);
	native_packed_free(&packed);
	return made;
}

static PyObject *view_count(PyObject *object, PyObject *unused)
{
	native_view *self = (native_view *)object;
	native_handle *txn = native_view_reading(self);
	sop_range range;
	uint64_t counted = 0;
	sop_status status;
	NATIVE_ERROR(err);

	(void)unused;
	if (txn == NULL)
		return NULL;
	native_view_range(self, &range);
	Py_BEGIN_ALLOW_THREADS status = sop_count(txn->pointer, self->bound->store->pointer,
						  range.flags != 0 ? &range : NULL, &counted, &err);
	Py_END_ALLOW_THREADS Py_DECREF(txn);
	return status == SOP_OK ? PyLong_FromUnsignedLongLong(counted) : native_raise(&err);
}

/* Needs a transaction; the Python side sees to it. */
static PyObject *view_clear_range(PyObject *object, PyObject *unused)
{
	native_view *self = (native_view *)object;
	sop_range range;
	uint64_t removed = 0;
	sop_status status;
	NATIVE_ERROR(err);

	(void)unused;
	if (self->txn == NULL)
		return PyErr_Format(PyExc_TypeError, "this needs a transaction");
	if (!native_is_open(self->txn))
		return NULL;
	self->txn->changes++;
	native_view_range(self, &range);
	Py_BEGIN_ALLOW_THREADS status =
		sop_remove_range(self->txn->pointer, self->bound->store->pointer,
				 range.flags != 0 ? &range : NULL, &removed, &err);
	Py_END_ALLOW_THREADS return status == SOP_OK ? PyLong_FromUnsignedLongLong(removed)
						     : native_raise(&err);
}

static PyObject *view_open_cursor(PyObject *object, PyObject *flags)
{
	native_view *self = (native_view *)object;
	native_handle *txn = native_view_reading(self);
	sop_range range;
	sop_cursor *cursor = NULL;
	PyObject *made;
	NATIVE_ERROR(err);

	if (txn == NULL)
		return NULL;
	native_view_range(self, &range);
	if (sop_cursor_open(txn->pointer, self->bound->store->pointer, &range,
			    SOP_CURSOR_COPIES | (uint32_t)PyLong_AsLong(flags), &cursor, &err) == SOP_OK)
		made = native_handle_new(NATIVE_CURSOR, cursor, txn);
	else
		made = native_raise(&err);
	Py_DECREF(txn);
	return made;
}

static PyObject *view_rows(PyObject *object, PyObject *args)
{
	int what, reverse;
	Py_ssize_t limit;

	if (!PyArg_ParseTuple(args, "ipn", &what, &reverse, &limit))
		return NULL;
	return native_rows_new((native_view *)object, what, reverse, limit);
}

static PyObject *view_put_many(PyObject *object, PyObject *args)
{
	PyObject *rows;
	int how;

	if (!PyArg_ParseTuple(args, "Oi", &rows, &how))
		return NULL;
	if (((native_view *)object)->txn == NULL)
		return PyErr_Format(PyExc_TypeError, "this needs a transaction");
	return native_put_many((native_view *)object, rows, (sop_put_how)how);
}

static PyObject *view_get_many(PyObject *object, PyObject *args)
{
	PyObject *keys, *absent;
	int whole = 0;

	if (!PyArg_ParseTuple(args, "OO|p", &keys, &absent, &whole))
		return NULL;
	return native_get_many((native_view *)object, keys, absent, whole != 0);
}

/* A bytes object, or NULL for None: 0 or -1. */
static int take_bound(PyObject *bytes, PyObject **into)
{
	if (bytes == Py_None)
		return 0;
	if (!PyBytes_CheckExact(bytes)) {
		PyErr_SetString(PyExc_TypeError, "a bound is bytes or None");
		return -1;
	}
	*into = native_ref(bytes);
	return 0;
}

static PyObject *view_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
	PyObject *owner, *db, *txn, *bound, *low = Py_None, *high = Py_None, *prefix = Py_None;
	PyObject *after = Py_None, *through = Py_None;
	unsigned long long after_item = 0;
	native_view *self;

	(void)names;
	if (!PyArg_ParseTuple(args, "OOOO!|OOOOOK", &owner, &db, &txn, &native_bound_type, &bound,
			      &low, &high, &prefix, &after, &through, &after_item) ||
	    native_handle_of(db, NATIVE_DB) == NULL ||
	    (txn != Py_None && native_handle_of(txn, NATIVE_TXN) == NULL))
		return NULL;
	self = (native_view *)type->tp_alloc(type, 0);
	if (self == NULL)
		return NULL;
	self->owner = native_ref(owner);
	self->db = (native_handle *)native_ref(db);
	self->txn = txn != Py_None ? (native_handle *)native_ref(txn) : NULL;
	self->bound = (native_bound *)native_ref(bound);
	self->after_item = after_item;
	if (take_bound(low, &self->low) < 0 || take_bound(high, &self->high) < 0 ||
	    take_bound(prefix, &self->prefix) < 0 || take_bound(after, &self->after) < 0 ||
	    take_bound(through, &self->through) < 0)
		Py_CLEAR(self);
	return (PyObject *)self;
}

static int view_traverse(PyObject *object, visitproc visit, void *arg)
{
	native_view *self = (native_view *)object;

	Py_VISIT(self->owner); /* Python itself visits the class, which is a subclass */
	Py_VISIT(self->bound);
	return 0;
}

static void view_dealloc(PyObject *object)
{
	native_view *self = (native_view *)object;
	PyTypeObject *type = Py_TYPE(object);

	PyObject_GC_UnTrack(object);
	Py_CLEAR(self->txn);
	Py_CLEAR(self->bound);
	Py_CLEAR(self->db);
	Py_CLEAR(self->owner);
	Py_CLEAR(self->low);
	Py_CLEAR(self->high);
	Py_CLEAR(self->prefix);
	Py_CLEAR(self->after);
	Py_CLEAR(self->through);
	type->tp_free(object);
}

static PyMethodDef view_methods[] = {
	{ "get", (PyCFunction)(void (*)(void))view_get, METH_FASTCALL,
	  "get(key, default=None): the value of key, or the default." },
	{ "_get_now", (PyCFunction)(void (*)(void))view_get_now, METH_FASTCALL,
	  "_get_now(key, default, blocked): as get, but blocked if a page would have to be read." },
	{ "_pack", view_pack, METH_O, "The bytes of a key of this part." },
	{ "_count", view_count, METH_NOARGS, "The number of items." },
	{ "_remove_range", view_clear_range, METH_NOARGS, "Removes all items; how many there were." },
	{ "_cursor", view_open_cursor, METH_O, "A new cursor over this part; its flags." },
	{ "_rows", view_rows, METH_VARARGS, "_rows(what, reverse, limit): an iterator." },
	{ "_put_many", view_put_many, METH_VARARGS, "_put_many(rows, how): how many were done." },
	{ "_get_many", view_get_many, METH_VARARGS, "_get_many(keys, absent): a list of values." },
	{ NULL, NULL, 0, NULL },
};

#define MEMBER(name, field)                                                                        \
	{                                                                                          \
		(name), T_OBJECT, offsetof(native_view, field), READONLY, NULL                     \
	}

static PyMemberDef view_members[] = {
	MEMBER("_owner", owner),
	MEMBER("_db", db),
	MEMBER("_txn", txn),
	MEMBER("_bound", bound),
	MEMBER("_low", low),
	MEMBER("_high", high),
	MEMBER("_prefix", prefix),
	MEMBER("_after", after),
	MEMBER("_through", through),
	{ "_after_item", T_ULONGLONG, offsetof(native_view, after_item), READONLY, NULL },
	{ NULL, 0, 0, 0, NULL },
};

static PyMappingMethods view_mapping = {
	.mp_subscript = view_subscript,
	.mp_ass_subscript = view_assign,
};

static PySequenceMethods view_sequence = {
	.sq_contains = view_contains,
};

PyTypeObject native_view_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sop._raw.ViewBase",
	.tp_basicsize = sizeof(native_view),
	.tp_dealloc = view_dealloc,
	.tp_traverse = view_traverse,
	.tp_as_mapping = &view_mapping,
	.tp_as_sequence = &view_sequence,
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
	.tp_methods = view_methods,
	.tp_members = view_members,
	.tp_new = view_new,
};
