/* Errors of the library as exceptions: sop.errors makes them. */
#include "native.h"

#include <string.h>

static PyObject *from_native; /* sop.errors.from_native */

static PyObject *text(const char *bytes)
{
	return PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)strlen(bytes), "replace");
}

PyObject *native_raise(const sop_error *err)
{
	PyObject *made;

	if (from_native == NULL) {
		PyObject *module = PyImport_ImportModule("sop.errors");

		if (module == NULL)
			return NULL;
		from_native = PyObject_GetAttrString(module, "from_native");
		Py_DECREF(module);
		if (from_native == NULL)
			return NULL;
	}
	made = PyObject_CallFunction(from_native, "iIiLNNN", (int)err->status, (unsigned)err->traits,
				     (int)err->os_errno, (long long)err->offset, text(err->store),
				     text(err->file), text(err->message));
	if (made != NULL) {
		PyErr_SetObject((PyObject *)Py_TYPE(made), made);
		Py_DECREF(made);
	}
	return NULL;
}

PyObject *native_raise_status(sop_status status, const char *message)
{
	sop_error err = SOP_ERROR_INIT;

	err.status = status;
	err.traits = sop_status_traits(status);
	PyOS_snprintf(err.message, sizeof err.message, "%s", message);
	return native_raise(&err);
}
