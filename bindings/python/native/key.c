/* Keys: Python values packed by the library into bytes that sort as they do, and back. */
#include "native.h"

#include <datetime.h>
#include <string.h>

static PyObject *uuid_class; /* uuid.UUID */
static PyObject *uuid_bytes_names; /* ("bytes",) */

void native_packed_init(native_packed *packed)
{
	packed->buf = (sop_buf){ packed->room, 0, sizeof packed->room, NULL };
	packed->keep = NULL;
	packed->view.obj = NULL;
}

void native_packed_free(native_packed *packed)
{
	sop_buf_free(&packed->buf);
	Py_CLEAR(packed->keep);
	if (packed->view.obj != NULL)
		PyBuffer_Release(&packed->view);
}

int native_packed_take(native_packed *packed, PyObject *object)
{
	if (PyBytes_CheckExact(object)) {
		Py_XINCREF(object);
		Py_XSETREF(packed->keep, object);
		packed->bytes.data = PyBytes_AS_STRING(object);
		packed->bytes.size = (size_t)PyBytes_GET_SIZE(object);
		return 0;
	}
	if (PyUnicode_Check(object)) {
		PyErr_SetString(PyExc_TypeError, "bytes are needed here, not str: encode it");
		return -1;
	}
	if (PyObject_GetBuffer(object, &packed->view, PyBUF_SIMPLE) < 0)
		return -1;
	packed->bytes.data = packed->view.buf;
	packed->bytes.size = (size_t)packed->view.len;
	return 0;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_from_date(int64_t year, int month, int day)
{
	const int64_t y = month <= 2 ? year - 1 : year;
	const int64_t era = (y >= 0 ? y : y - 399) / 400;
	const int64_t year_of_era = y - era * 400;
	const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

/* The other way, from the same source. */
static void date_from_days(int64_t days, int *year, int *month, int *day)
{
	const int64_t z = days + 719468;
	const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	const int64_t day_of_era = z - era * 146097;
	const int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	const int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	const int64_t shifted = (5 * day_of_year + 2) / 153;

	*day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
	*month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static const int64_t SECOND_US = 1000000;
static const int64_t DAY_US = 86400 * (int64_t)1000000;
static const int64_t FIRST_US = -719162 * (int64_t)86400 * 1000000; /* of year 1 */
static const int64_t BEHIND_US = 2932897 * (int64_t)86400 * 1000000; /* of year 9999 */

/* The offset of a time from UTC in microseconds: 0, or -1 with an exception. */
static int utc_offset_us(PyObject *time, int64_t *offset_us)
{
	PyObject *offset = PyObject_CallMethod(time, "utcoffset", NULL);

	if (offset == NULL)
		return -1;
	if (!PyDelta_Check(offset)) {
		Py_DECREF(offset);
		native_raise_status(SOP_SCHEMA,
				    "a datetime without a time zone names no moment: give it a tzinfo");
		return -1;
	}
	*offset_us = PyDateTime_DELTA_GET_DAYS(offset) * DAY_US +
		     PyDateTime_DELTA_GET_SECONDS(offset) * SECOND_US +
		     PyDateTime_DELTA_GET_MICROSECONDS(offset);
	Py_DECREF(offset);
	return 0;
}

static int value_of_time(PyObject *time, sop_value *value)
{
	int64_t offset_us = 0;
	int64_t seconds = PyDateTime_DATE_GET_HOUR(time) * 3600 +
			  PyDateTime_DATE_GET_MINUTE(time) * 60 + PyDateTime_DATE_GET_SECOND(time);

	if (!((PyDateTime_DateTime *)time)->hastzinfo ||
	    ((PyDateTime_DateTime *)time)->tzinfo != PyDateTime_TimeZone_UTC) {
		if (utc_offset_us(time, &offset_us) < 0)
			return -1;
	}
	*value = sop_value_ts(days_from_date(PyDateTime_GET_YEAR(time), PyDateTime_GET_MONTH(time),
					     PyDateTime_GET_DAY(time)) *
				      DAY_US +
			      seconds * SECOND_US + PyDateTime_DATE_GET_MICROSECOND(time) - offset_us);
	return 0;
}

static PyObject *time_of_value(int64_t us)
{
	int64_t days = us / DAY_US;
	int64_t rest = us % DAY_US;
	int year, month, day;

	if (us < FIRST_US || us >= BEHIND_US) /* datetime knows no such year */
		return PyLong_FromLongLong(us);
	if (rest < 0) {
		days--;
		rest += DAY_US;
	}
	date_from_days(days, &year, &month, &day);
	return PyDateTimeAPI->DateTime_FromDateAndTime(
		year, month, day, (int)(rest / (3600 * SECOND_US)),
		(int)(rest / (60 * SECOND_US) % 60), (int)(rest / SECOND_US % 60),
		(int)(rest % SECOND_US), PyDateTime_TimeZone_UTC, PyDateTimeAPI->DateTimeType);
}

static int value_of_long(PyObject *number, sop_value *value)
{
	int overflow;
	const long long signed_number = PyLong_AsLongLongAndOverflow(number, &overflow);

	if (overflow == 0) {
		*value = sop_value_int(signed_number);
		return PyErr_Occurred() ? -1 : 0;
	}
	if (overflow > 0) {
		const unsigned long long natural = PyLong_AsUnsignedLongLong(number);

		*value = sop_value_uint(natural);
		if (!PyErr_Occurred())
			return 0;
		PyErr_Clear();
	}
	native_raise_status(SOP_SCHEMA, "the integer is beyond -2^63 to 2^64-1, which a key can hold");
	return -1;
}

/* Keeps an object until `out` is freed. */
static int keep(native_packed *out, PyObject *object)
{
	if (out->keep == NULL) {
		out->keep = PyList_New(0);
		if (out->keep == NULL)
			return -1;
	}
	return PyList_Append(out->keep, object);
}

static int value_of_uuid(PyObject *uuid, sop_value *value)
{
	PyObject *bytes = PyObject_GetAttrString(uuid, "bytes");

	if (bytes == NULL)
		return -1;
	if (!PyBytes_Check(bytes) || PyBytes_GET_SIZE(bytes) != 16) {
		Py_DECREF(bytes);
		PyErr_SetString(PyExc_TypeError, "a UUID has 16 bytes");
		return -1;
	}
	*value = sop_value_uuid(PyBytes_AS_STRING(bytes));
	Py_DECREF(bytes);
	return 0;
}

static int value_of_text(PyObject *text, sop_value *value)
{
	Py_ssize_t size;
	const char *data = PyUnicode_AsUTF8AndSize(text, &size);

	if (data == NULL) {
		if (PyErr_ExceptionMatches(PyExc_UnicodeError)) {
			PyErr_Clear();
			native_raise_status(SOP_SCHEMA,
					    "the text has lone surrogates, which are no UTF-8");
		}
		return -1;
	}
	*value = sop_value_bytes(data, (size_t)size);
	value->type = SOP_TYPE_STR;
	return 0;
}

/* Other objects: what has bytes, and what is an integer. */
static int value_of_rest(PyObject *object, sop_value *value, native_packed *out)
{
	const int is_uuid = PyObject_IsInstance(object, uuid_class); /* asks the object, which may raise */
	PyObject *made;
	int status;

	if (is_uuid != 0)
		return is_uuid > 0 ? value_of_uuid(object, value) : -1;
	if (PyIndex_Check(object)) {
		made = PyNumber_Index(object);
		if (made == NULL)
			return -1;
		status = value_of_long(made, value);
		Py_DECREF(made);
		return status;
	}
	if (!PyObject_CheckBuffer(object)) {
		PyErr_Format(PyExc_TypeError, "%.100s cannot be part of a key", Py_TYPE(object)->tp_name);
		return -1;
	}
	made = PyBytes_FromObject(object);
	if (made == NULL)
		return -1;
	status = keep(out, made);
	*value = sop_value_bytes(PyBytes_AS_STRING(made), (size_t)PyBytes_GET_SIZE(made));
	Py_DECREF(made);
	return status;
}

static int value_of(PyObject *object, sop_value *value, native_packed *out)
{
	if (PyUnicode_Check(object))
		return value_of_text(object, value);
	if (PyBool_Check(object))
		*value = sop_value_bool(object == Py_True);
	else if (PyLong_Check(object))
		return value_of_long(object, value);
	else if (PyDateTime_Check(object))
		return value_of_time(object, value);
	else if (PyFloat_Check(object))
		*value = sop_value_float(PyFloat_AS_DOUBLE(object));
	else if (PyBytes_Check(object))
		*value = sop_value_bytes(PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object));
	else if (object == Py_None)
		*value = sop_value_null();
	else
		return value_of_rest(object, value, out);
	return 0;
}

static int pack_values(native_key *self, PyObject *const *fields, Py_ssize_t count, bool prefix,
		       native_packed *out)
{
	sop_value values[2 * SOP_SCHEMA_FIELDS_MAX];
	sop_status status;
	NATIVE_ERROR(err);

	if (prefix && count > self->sort_count)
		count = self->sort_count;
	if (count > 2 * SOP_SCHEMA_FIELDS_MAX) {
		native_raise_status(SOP_SCHEMA, "the key has more fields than any schema");
		return -1;
	}
	for (Py_ssize_t i = 0; i < count; i++)
		if (value_of(fields[i], &values[i], out) < 0)
			return -1;
	status = prefix ? sop_key_pack_prefix(self->schema, values, (size_t)count, &out->buf, &err)
			: sop_key_pack(self->schema, values, (size_t)count, &out->buf, &err);
	if (status != SOP_OK) {
		native_raise(&err);
		return -1;
	}
	out->bytes = (sop_bytes){ out->buf.data, out->buf.size };
	return 0;
}

int native_key_pack(native_key *self, PyObject *key, bool prefix, native_packed *out)
{
	if (self->schema == NULL)
		return native_packed_take(out, key);
	if (self->key_class == NULL)
		return pack_values(self, &key, 1, prefix, out);
	if (PyTuple_Check(key))
		return pack_values(self, ((PyTupleObject *)key)->ob_item, PyTuple_GET_SIZE(key),
				   prefix, out);
	if (prefix) /* the first field alone is a prefix */
		return pack_values(self, &key, 1, prefix, out);
	PyErr_Format(PyExc_TypeError, "%.100s or a tuple is needed as the key, not %.100s",
		     self->key_class->tp_name, Py_TYPE(key)->tp_name);
	return -1;
}

static PyObject *object_of_uuid(const sop_value *value)
{
	PyObject *bytes = PyBytes_FromStringAndSize((const char *)value->as.uuid, 16);
	PyObject *made;

	if (bytes == NULL)
		return NULL;
	made = PyObject_Vectorcall(uuid_class, &bytes, 0, uuid_bytes_names);
	Py_DECREF(bytes);
	return made;
}

static PyObject *object_of(const sop_value *value)
{
	switch (value->type) {
	case SOP_TYPE_BOOL:
		return PyBool_FromLong(value->as.boolean);
	case SOP_TYPE_INT:
		return PyLong_FromLongLong(value->as.integer);
	case SOP_TYPE_UINT:
		return PyLong_FromUnsignedLongLong(value->as.natural);
	case SOP_TYPE_FLOAT:
		return PyFloat_FromDouble(value->as.real);
	case SOP_TYPE_BYTES:
		return PyBytes_FromStringAndSize(value->as.bytes.data, (Py_ssize_t)value->as.bytes.size);
	case SOP_TYPE_STR:
		return PyUnicode_DecodeUTF8(value->as.bytes.data, (Py_ssize_t)value->as.bytes.size, NULL);
	case SOP_TYPE_UUID:
		return object_of_uuid(value);
	case SOP_TYPE_TS:
		return time_of_value(value->as.integer);
	default:
		return native_ref(Py_None);
	}
}

/* A key object of all fields; ride fields that were left out have their defaults. */
static PyObject *key_object(native_key *self, const sop_value *values, Py_ssize_t count)
{
	const Py_ssize_t all = self->sort_count + self->ride_count;
	PyObject *key = self->key_class->tp_alloc(self->key_class, all);

	for (Py_ssize_t i = 0; key != NULL && i < all; i++) {
		PyObject *field =
			i < count ? object_of(&values[i])
				  : native_ref(PyTuple_GET_ITEM(self->defaults, i - self->sort_count));

		if (field == NULL)
			Py_CLEAR(key);
		else
			PyTuple_SET_ITEM(key, i, field);
	}
	return key;
}

PyObject *native_key_unpack(native_key *self, sop_bytes key)
{
	sop_value values[2 * SOP_SCHEMA_FIELDS_MAX];
	char space[512];
	sop_buf room = SOP_BUF_OVER(space);
	size_t count = 0;
	PyObject *made;
	NATIVE_ERROR(err);

	if (self->schema == NULL)
		return PyBytes_FromStringAndSize(key.data, (Py_ssize_t)key.size);
	if (sop_key_unpack(self->schema, key, values, 2 * SOP_SCHEMA_FIELDS_MAX, &count, &room,
			   &err) != SOP_OK)
		made = native_raise(&err);
	else
		made = self->key_class != NULL ? key_object(self, values, (Py_ssize_t)count)
					       : object_of(&values[0]);
	sop_buf_free(&room);
	return made;
}

static PyObject *key_pack(PyObject *object, PyObject *key, bool prefix)
{
	native_packed packed;
	PyObject *made = NULL;

	native_packed_init(&packed);
	if (native_key_pack((native_key *)object, key, prefix, &packed) == 0)
		made = PyBytes_FromStringAndSize(packed.bytes.data, (Py_ssize_t)packed.bytes.size);
	native_packed_free(&packed);
	return made;
}

static PyObject *codec_pack(PyObject *object, PyObject *key)
{
	return key_pack(object, key, false);
}

static PyObject *codec_pack_prefix(PyObject *object, PyObject *key)
{
	return key_pack(object, key, true);
}

static PyObject *codec_unpack(PyObject *object, PyObject *bytes)
{
	char *data;
	Py_ssize_t size;

	if (PyBytes_AsStringAndSize(bytes, &data, &size) < 0)
		return NULL;
	return native_key_unpack((native_key *)object, (sop_bytes){ data, (size_t)size });
}

static PyObject *codec_schema(PyObject *object, PyObject *unused)
{
	native_key *self = (native_key *)object;
	sop_buf text = SOP_BUF_INIT;
	PyObject *made = NULL;
	NATIVE_ERROR(err);

	(void)unused;
	if (self->schema == NULL)
		return native_ref(Py_None);
	if (sop_schema_text(self->schema, &text, &err) != SOP_OK)
		native_raise(&err);
	else
		made = PyUnicode_DecodeUTF8(text.data, (Py_ssize_t)text.size, NULL);
	sop_buf_free(&text);
	return made;
}

static PyObject *codec_single_type(PyObject *object, PyObject *unused)
{
	native_key *self = (native_key *)object;

	(void)unused;
	if (self->schema == NULL)
		return PyLong_FromLong(-1);
	return PyLong_FromUnsignedLong(self->key_class == NULL ? sop_schema_field_type(self->schema, 0)
							       : SOP_TYPE_NULL);
}

/* Whether sort field number `index` is a text in ascending order. */
static PyObject *codec_is_text(PyObject *object, PyObject *index)
{
	native_key *self = (native_key *)object;
	const size_t field = PyLong_AsSize_t(index);

	if (PyErr_Occurred())
		return NULL;
	return PyBool_FromLong(self->schema != NULL && field < (size_t)self->sort_count &&
			       sop_schema_field_type(self->schema, field) == SOP_TYPE_STR &&
			       !sop_schema_field_descending(self->schema, field));
}

static int codec_set(native_key *self, sop_bytes json, PyObject *key_class, PyObject *defaults)
{
	NATIVE_ERROR(err);

	if (sop_schema_parse(json, &self->schema, &err) != SOP_OK) {
		native_raise(&err);
		return -1;
	}
	self->sort_count = (Py_ssize_t)sop_schema_sort_count(self->schema);
	self->ride_count = (Py_ssize_t)sop_schema_ride_count(self->schema);
	if (key_class != Py_None) {
		if (!PyType_Check(key_class) ||
		    !PyType_IsSubtype((PyTypeObject *)key_class, &PyTuple_Type)) {
			PyErr_SetString(PyExc_TypeError, "the class of a key is a subclass of tuple");
			return -1;
		}
		self->key_class = (PyTypeObject *)native_ref(key_class);
	}
	if (!PyTuple_Check(defaults) || PyTuple_GET_SIZE(defaults) != self->ride_count ||
	    (self->key_class == NULL && self->sort_count + self->ride_count != 1)) {
		PyErr_SetString(PyExc_TypeError, "the fields of the schema and of the class differ");
		return -1;
	}
	self->defaults = native_ref(defaults);
	return 0;
}

static PyObject *codec_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
	native_key *self;
	PyObject *key_class, *defaults;
	const char *json;
	Py_ssize_t size;

	(void)names;
	if (!PyArg_ParseTuple(args, "z#OO", &json, &size, &key_class, &defaults))
		return NULL;
	self = (native_key *)type->tp_alloc(type, 0);
	if (self != NULL && json != NULL &&
	    codec_set(self, (sop_bytes){ json, (size_t)size }, key_class, defaults) < 0)
		Py_CLEAR(self);
	return (PyObject *)self;
}

static int codec_traverse(PyObject *object, visitproc visit, void *arg)
{
	native_key *self = (native_key *)object;

	Py_VISIT(self->key_class);
	Py_VISIT(self->defaults);
	return 0;
}

/* The class of the key holds the codec, which holds the class. Its defaults are values and stay. */
static int codec_clear(PyObject *object)
{
	Py_CLEAR(((native_key *)object)->key_class);
	return 0;
}

static void codec_dealloc(PyObject *object)
{
	native_key *self = (native_key *)object;

	PyObject_GC_UnTrack(object);
	Py_CLEAR(self->key_class);
	Py_CLEAR(self->defaults);
	sop_schema_free(self->schema);
	Py_TYPE(object)->tp_free(object);
}

static PyMethodDef codec_methods[] = {
	{ "pack", codec_pack, METH_O, "The bytes of a key." },
	{ "pack_prefix", codec_pack_prefix, METH_O, "The bytes of a key or its leading sort fields." },
	{ "unpack", codec_unpack, METH_O, "The key that bytes are." },
	{ "schema", codec_schema, METH_NOARGS, "The schema as canonical JSON, or None." },
	{ "is_text", codec_is_text, METH_O, "Whether a sort field is an ascending text." },
	{ "single_type", codec_single_type, METH_NOARGS,
	  "Of keys of one field its SOP_TYPE_, SOP_TYPE_NULL of several fields, -1 of raw bytes." },
	{ NULL, NULL, 0, NULL },
};

PyTypeObject native_key_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sop._raw.KeyCodec",
	.tp_basicsize = sizeof(native_key),
	.tp_dealloc = codec_dealloc,
	.tp_traverse = codec_traverse,
	.tp_clear = codec_clear,
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.tp_doc = "KeyCodec(schema, key_class, ride_defaults): packs and unpacks keys.",
	.tp_methods = codec_methods,
	.tp_new = codec_new,
};

int native_key_import(void)
{
	PyObject *module = PyImport_ImportModule("uuid");

	PyDateTime_IMPORT;
	if (module == NULL || PyDateTimeAPI == NULL)
		return -1;
	uuid_class = PyObject_GetAttrString(module, "UUID");
	uuid_bytes_names = Py_BuildValue("(s)", "bytes");
	Py_DECREF(module);
	return uuid_class != NULL && uuid_bytes_names != NULL ? 0 : -1;
}
