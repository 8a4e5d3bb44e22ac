/* A declared store on one database: its handle, how its keys are packed, how its values are read and written. */
#include "native.h"

#include <structmember.h>

/* Python's own words do not say what would have done. */
static int no_int64(PyObject *value)
{
	if (PyErr_ExceptionMatches(PyExc_OverflowError))
		PyErr_Format(PyExc_OverflowError, "sop.INT64 holds -2^63 to 2^63-1; not %R", value);
	else if (PyErr_ExceptionMatches(PyExc_TypeError))
		PyErr_Format(PyExc_TypeError, "sop.INT64 holds an int; not %R", value);
	return -1;
}

static int encode_int64(PyObject *value, native_packed *out)
{
	PyObject *whole = PyNumber_Index(value); /* Python 3.9 would cut a float off */
	const long long number = whole != NULL ? PyLong_AsLongLong(whole) : -1;

	Py_XDECREF(whole);
	if (number == -1 && PyErr_Occurred())
		return no_int64(value);
	for (int i = 0; i < 8; i++)
		out->room[i] = (char)(unsigned char)((unsigned long long)number >> (8 * i));
	out->bytes = (sop_bytes){ out->room, 8 };
	return 0;
}

static int encode_json(native_bound *self, PyObject *value, native_packed *out)
{
	PyObject *text = PyObject_CallOneArg(self->encode, value);
	Py_ssize_t size;

	if (text == NULL)
		return -1;
	Py_XSETREF(out->keep, text);
	out->bytes.data = PyUnicode_AsUTF8AndSize(text, &size);
	out->bytes.size = (size_t)size;
	return out->bytes.data != NULL ? 0 : -1;
}

static int encode_user(native_bound *self, PyObject *value, native_packed *out)
{
	PyObject *bytes = PyObject_CallOneArg(self->encode, value);
	int status;

	if (bytes == NULL)
		return -1;
	status = native_packed_take(out, bytes);
	Py_DECREF(bytes); /* kept, or held by the view of its buffer */
	return status;
}

int native_value_encode(native_bound *self, PyObject *value, native_packed *out)
{
	switch (self->value) {
	case NATIVE_BYTES:
		return native_packed_take(out, value);
	case NATIVE_INT64:
		return encode_int64(value, out);
	case NATIVE_JSON:
		return encode_json(self, value, out);
	default:
		return encode_user(self, value, out);
	}
}

static PyObject *decode_int64(const unsigned char *data, size_t size)
{
	unsigned long long number = 0;

	if (size != 8)
		return native_raise_status(SOP_SCHEMA, "the value is no integer of 8 bytes");
	for (int i = 7; i >= 0; i--)
		number = number << 8 | data[i];
	return PyLong_FromLongLong((long long)number);
}

/* What json's scanner makes of a text, or NULL without an exception if it is not one value alone. */
static PyObject *scan_json(native_bound *self, PyObject *text)
{
	PyObject *zero = PyLong_FromLong(0);
	PyObject *pair = zero != NULL ? PyObject_CallFunctionObjArgs(self->scan, text, zero, NULL) : NULL;
	PyObject *found = NULL;

	Py_XDECREF(zero);
	if (pair == NULL) {
		PyErr_Clear();
		return NULL;
	}
	if (PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2 &&
	    PyLong_AsSsize_t(PyTuple_GET_ITEM(pair, 1)) == PyUnicode_GET_LENGTH(text))
		found = native_ref(PyTuple_GET_ITEM(pair, 0));
	Py_DECREF(pair);
	return found;
}

static PyObject *decode_json(native_bound *self, const char *data, size_t size)
{
	PyObject *text = PyUnicode_DecodeUTF8(data, (Py_ssize_t)size, NULL);
	PyObject *value;

	if (text == NULL)
		return NULL;
	value = self->scan != Py_None ? scan_json(self, text) : NULL;
	if (value == NULL) /* white space around it, or the error that json finds */
		value = PyObject_CallOneArg(self->decode, text);
	Py_DECREF(text);
	return value;
}

PyObject *native_value_decode(native_bound *self, const void *data, size_t size)
{
	PyObject *bytes, *value;

	if (self->value == NATIVE_INT64)
		return decode_int64(data, size);
	if (self->value == NATIVE_JSON)
		return decode_json(self, data, size);
	bytes = PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
	if (bytes == NULL || self->value == NATIVE_BYTES)
		return bytes;
	value = PyObject_CallOneArg(self->decode, bytes);
	Py_DECREF(bytes);
	return value;
}

static PyObject *bound_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
	PyObject *store, *key, *encode, *decode, *scan, *declaration;
	int value, duplicates;
	native_bound *self;

	(void)names;
	if (!PyArg_ParseTuple(args, "OO!iOOOOp", &store, &native_key_type, &key, &value, &encode,
			      &decode, &scan, &declaration, &duplicates) ||
	    native_handle_of(store, NATIVE_STORE) == NULL)
		return NULL;
	self = (native_bound *)type->tp_alloc(type, 0);
	if (self == NULL)
		return NULL;
	self->store = (native_handle *)native_ref(store);
	self->key = (native_key *)native_ref(key);
	self->value = (enum native_value)value;
	self->encode = native_ref(encode);
	self->decode = native_ref(decode);
	self->scan = native_ref(scan);
	self->declaration = native_ref(declaration);
	self->duplicates = duplicates;
	return (PyObject *)self;
}

static int bound_traverse(PyObject *object, visitproc visit, void *arg)
{
	native_bound *self = (native_bound *)object;

	Py_VISIT(self->key);
	Py_VISIT(self->encode);
	Py_VISIT(self->decode);
	Py_VISIT(self->scan);
	Py_VISIT(self->declaration);
	return 0;
}

static void bound_dealloc(PyObject *object)
{
	native_bound *self = (native_bound *)object;

	PyObject_GC_UnTrack(object);
	Py_CLEAR(self->store);
	Py_CLEAR(self->key);
	Py_CLEAR(self->encode);
	Py_CLEAR(self->decode);
	Py_CLEAR(self->scan);
	Py_CLEAR(self->declaration);
	Py_TYPE(object)->tp_free(object);
}

static PyObject *bound_encode(PyObject *object, PyObject *value)
{
	native_packed packed;
	PyObject *made = NULL;

	native_packed_init(&packed);
	if (native_value_encode((native_bound *)object, value, &packed) == 0)
		made = PyBytes_FromStringAndSize(packed.bytes.data, (Py_ssize_t)packed.bytes.size);
	native_packed_free(&packed);
	return made;
}

static PyObject *bound_decode(PyObject *object, PyObject *bytes)
{
	char *data;
	Py_ssize_t size;

	if (PyBytes_AsStringAndSize(bytes, &data, &size) < 0)
		return NULL;
	return native_value_decode((native_bound *)object, data, (size_t)size);
}

static PyMethodDef bound_methods[] = {
	{ "encode", bound_encode, METH_O, "The bytes of a value." },
	{ "decode", bound_decode, METH_O, "The value that bytes are." },
	{ NULL, NULL, 0, NULL },
};

static PyMemberDef bound_members[] = {
	{ "store", T_OBJECT, offsetof(native_bound, store), READONLY, "The handle of the store." },
	{ "key", T_OBJECT, offsetof(native_bound, key), READONLY, "The codec of its keys." },
	{ "declaration", T_OBJECT, offsetof(native_bound, declaration), READONLY, "The sop.Store." },
	{ NULL, 0, 0, 0, NULL },
};

PyTypeObject native_bound_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sop._raw.Bound",
	.tp_basicsize = sizeof(native_bound),
	.tp_dealloc = bound_dealloc,
	.tp_traverse = bound_traverse,
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.tp_doc = "Bound(store, key, value, encode, decode, scan, declaration, duplicates)",
	.tp_methods = bound_methods,
	.tp_members = bound_members,
	.tp_new = bound_new,
};
