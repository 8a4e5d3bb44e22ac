/* Batches: iterating over packed rows that a cursor fetches, and putting and getting many items in one call each. */
#include "native.h"

#include <string.h>

enum {
	ROOM_FIRST_BYTES = 4096, /* many iterations end after a few items */
	ROOM_BYTES_MAX = 256 * 1024, /* unless one row is larger */
	ROOM_GROWTH = 4,
	HEADER_BYTES = 8,
	BATCH_ROWS_MAX = 4096,
	BATCH_BYTES = 16 * 1024 /* the fastest cache of the processor holds what one call hands over */
};

enum { ROWS_KEYS = 0, ROWS_VALUES = 1, ROWS_ITEMS = 2, ROWS_FULL = 3 };

static uint32_t load32(const char *at)
{
	uint32_t number;

	memcpy(&number, at, sizeof number); /* this layer runs on little-endian machines alone, as CMake checks */
	return number;
}

static uint64_t load64(const char *at)
{
	uint64_t number;

	memcpy(&number, at, sizeof number);
	return number;
}

/* One packed row. */
struct row {
	sop_bytes key, value;
	uint64_t item, version;
	bool absent;
};

/* Reads the row at `*offset`, which then is that of the next one. The library made it, so it is well formed. */
static struct row row_at(const char *batch, size_t *offset, uint32_t flags)
{
	const char *at = batch + *offset;
	const uint32_t key_size = load32(at);
	const uint32_t value_size = load32(at + 4);
	struct row row = { .absent = value_size == SOP_ROWS_ABSENT };

	at += 8;
	if ((flags & SOP_ROWS_ITEM) != 0) {
		row.item = load64(at);
		at += 8;
	}
	if ((flags & SOP_ROWS_VERSION) != 0) {
		row.version = load64(at);
		at += 8;
	}
	row.key = (sop_bytes){ at, key_size };
	row.value = (sop_bytes){ at + key_size, row.absent ? 0 : value_size };
	*offset = ((size_t)(at - batch) + key_size + row.value.size + 7) & ~(size_t)7;
	return row;
}

typedef struct native_rows {
	PyObject_HEAD native_handle *cursor; /* its parent is the transaction; NULL at the end */
	native_bound *bound;
	PyObject *owner;
	int what;
	bool reverse;
	bool running; /* its generator-like state belongs to one call at a time */
	Py_ssize_t limit; /* items that may still come, or -1 */
	uint32_t flags; /* of the rows */
	char *room;
	size_t room_size;
	uint32_t left; /* rows of the batch that are still to come */
	size_t offset; /* of the next one */
	uint64_t changes, epoch; /* those of the transaction and the process when the batch was fetched */
	size_t last_key_size; /* of the item that came last, at the start of `last_key` */
	char *last_key;
	size_t last_key_room;
	uint64_t last_item;
	bool begun;
} native_rows;

PyObject *native_rows_new(native_view *view, int what, bool reverse, Py_ssize_t limit)
{
	const uint32_t cursor_flags = (reverse ? SOP_CURSOR_REVERSE : 0) |
				      (what == ROWS_KEYS ? SOP_CURSOR_KEYS : 0);
	PyObject *flags = PyLong_FromUnsignedLong(cursor_flags);
	PyObject *cursor =
		flags != NULL ? PyObject_CallMethod((PyObject *)view, "_cursor", "(O)", flags) : NULL;
	native_rows *self;

	Py_XDECREF(flags);
	if (cursor == NULL)
		return NULL;
	self = PyObject_GC_New(native_rows, &native_rows_type);
	if (self == NULL) {
		Py_DECREF(cursor);
		return NULL;
	}
	memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
	self->cursor = (native_handle *)cursor;
	self->bound = (native_bound *)native_ref(view->bound);
	self->owner = native_ref(view->owner);
	self->what = what;
	self->reverse = reverse;
	self->limit = limit;
	self->flags = view->bound->duplicates ? SOP_ROWS_ITEM : 0;
	PyObject_GC_Track((PyObject *)self);
	return (PyObject *)self;
}

/* Makes room for `size` bytes; what was there is lost. 0 or -1. */
static int rows_reserve(native_rows *self, size_t size)
{
	char *room;

	if (size <= self->room_size)
		return 0;
	room = PyMem_Realloc(self->room, size);
	if (room == NULL) {
		PyErr_NoMemory();
		return -1;
	}
	self->room = room;
	self->room_size = size;
	return 0;
}

/* Each batch is larger than the one before, up to a limit. 0 or -1. */
static int rows_grow(native_rows *self)
{
	if (self->room_size == 0)
		return rows_reserve(self, ROOM_FIRST_BYTES);
	if (self->room_size < ROOM_BYTES_MAX)
		return rows_reserve(self, self->room_size * ROOM_GROWTH);
	return 0;
}

/* Remembers as of when a batch is that is about to be fetched. */
static void rows_note(native_rows *self)
{
	self->changes = self->cursor->parent->changes;
	self->epoch = native_epoch;
}

/* Fetches the next batch: 1, 0 at the end, -1 with an exception. */
static int rows_fetch(native_rows *self)
{
	sop_cursor *cursor = self->cursor->pointer;
	const size_t rows_max = self->limit > 0 ? (size_t)self->limit : 0; /* nothing beyond is read */

	if (PyErr_CheckSignals() < 0 || rows_grow(self) < 0) /* list(view) runs no Python code that would look */
		return -1;
	for (;;) {
		size_t used = 0;
		sop_status status;
		NATIVE_ERROR(err);

		rows_note(self);
		Py_BEGIN_ALLOW_THREADS status = sop_cursor_fetch(cursor, self->room, self->room_size,
								 rows_max, self->flags, &used, &err);
		Py_END_ALLOW_THREADS if (status == SOP_OK)
		{
			self->left = load32(self->room);
			self->offset = HEADER_BYTES;
			return 1;
		}
		if (status == SOP_NOT_FOUND)
			return 0;
		if (status != SOP_LIMIT || used <= self->room_size) {
			native_raise(&err);
			return -1;
		}
		if (rows_reserve(self, used) < 0)
			return -1;
	}
}

/* Bytes of `last_key` without its ride fields. They were packed by the library, which can unpack them. */
static sop_status last_sort_size(native_rows *self, size_t *size, sop_error *err)
{
	native_key *codec = self->bound->key;
	sop_value values[2 * SOP_SCHEMA_FIELDS_MAX];
	sop_buf room = SOP_BUF_INIT, sort = SOP_BUF_INIT;
	size_t count;
	sop_status status = SOP_OK;

	*size = self->last_key_size;
	if (codec->schema == NULL || codec->ride_count == 0)
		return SOP_OK;
	status = sop_key_unpack(codec->schema, (sop_bytes){ self->last_key, self->last_key_size },
				values, 2 * SOP_SCHEMA_FIELDS_MAX, &count, &room, err);
	if (status == SOP_OK)
		status = sop_key_pack_prefix(codec->schema, values, (size_t)codec->sort_count,
					     &sort, err);
	if (status == SOP_OK)
		*size = sort.size;
	sop_buf_free(&room);
	sop_buf_free(&sort);
	return status;
}

/* Whether an entry has the key of the item that came last. Fields end themselves, so one key is no prefix of another,
 * unless they are raw. */
static bool is_last_key(native_rows *self, const sop_entry *entry, size_t sort_size)
{
	if (self->bound->key->schema == NULL && entry->key.size != sort_size)
		return false;
	return entry->key.size >= sort_size && memcmp(entry->key.data, self->last_key, sort_size) == 0;
}

/* Puts the cursor on the first item behind the one that came last. Duplicates share their key, so it is gone along them. */
static sop_status seek_behind(native_rows *self, sop_entry *entry, sop_error *err)
{
	sop_cursor *cursor = self->cursor->pointer;
	const bool duplicates = self->flags != 0;
	const sop_seek where = self->reverse ? (duplicates ? SOP_SEEK_LE : SOP_SEEK_LT)
					     : (duplicates ? SOP_SEEK_GE : SOP_SEEK_GT);
	size_t sort_size;
	sop_status status = last_sort_size(self, &sort_size, err);

	if (status == SOP_OK)
		status = sop_cursor_seek(cursor, (sop_bytes){ self->last_key, self->last_key_size },
					 where, entry, err);
	while (status == SOP_OK && duplicates && is_last_key(self, entry, sort_size) &&
	       (self->reverse ? entry->item >= self->last_item : entry->item <= self->last_item))
		status = self->reverse ? sop_cursor_prev(cursor, entry, err)
				       : sop_cursor_next(cursor, entry, err);
	return status;
}

/* Packs one row as a batch of its own. 0 or -1. */
static int rows_hold(native_rows *self, const sop_entry *entry)
{
	const uint32_t sizes[2] = { (uint32_t)entry->key.size, (uint32_t)entry->value.size };
	char *at;

	if (rows_reserve(self, HEADER_BYTES + 16 + entry->key.size + entry->value.size) < 0)
		return -1;
	at = self->room + HEADER_BYTES;
	memcpy(at, sizes, sizeof sizes);
	at += sizeof sizes;
	if (self->flags != 0) {
		memcpy(at, &entry->item, sizeof entry->item);
		at += sizeof entry->item;
	}
	if (entry->key.size != 0)
		memcpy(at, entry->key.data, entry->key.size);
	if (entry->value.size != 0)
		memcpy(at + entry->key.size, entry->value.data, entry->value.size);
	self->left = 1;
	self->offset = HEADER_BYTES;
	return 0;
}

/* After a change in the transaction, or the end of a database, the rest of the batch may be stale: begins anew behind the item that came last, with
 * one row. 1, 0 at the end, -1 with an exception. */
static int rows_refetch(native_rows *self)
{
	sop_entry entry;
	sop_status status;
	NATIVE_ERROR(err);

	self->left = 0;
	rows_note(self);
	Py_BEGIN_ALLOW_THREADS status = seek_behind(self, &entry, &err);
	Py_END_ALLOW_THREADS if (status == SOP_NOT_FOUND) return 0;
	if (status != SOP_OK) {
		native_raise(&err);
		return -1;
	}
	return rows_hold(self, &entry) == 0 ? 1 : -1;
}

/* Remembers which item came last. 0 or -1. */
static int rows_remember(native_rows *self, const struct row *row)
{
	if (row->key.size > self->last_key_room) {
		char *key = PyMem_Realloc(self->last_key, row->key.size);

		if (key == NULL) {
			PyErr_NoMemory();
			return -1;
		}
		self->last_key = key;
		self->last_key_room = row->key.size;
	}
	if (row->key.size != 0)
		memcpy(self->last_key, row->key.data, row->key.size);
	self->last_key_size = row->key.size;
	self->last_item = row->item;
	self->begun = true;
	return 0;
}

static PyObject *row_object(native_rows *self, const struct row *row)
{
	PyObject *key = NULL, *value = NULL, *made = NULL;

	if (self->what != ROWS_VALUES) {
		key = native_key_unpack(self->bound->key, row->key);
		if (key == NULL || self->what == ROWS_KEYS)
			return key;
	}
	value = native_value_decode(self->bound, row->value.data, row->value.size);
	if (self->what == ROWS_VALUES)
		return value;
	if (value != NULL)
		made = self->what == ROWS_ITEMS
			       ? PyTuple_Pack(2, key, value)
			       : Py_BuildValue("OOK", key, value, (unsigned long long)row->item);
	Py_XDECREF(key);
	Py_XDECREF(value);
	return made;
}

/* Sees to it that a row is there: 1, 0 at the end, -1 with an exception. */
static int rows_ready(native_rows *self)
{
	if (!native_is_open(self->cursor))
		return -1;
	if (self->begun && (self->changes != self->cursor->parent->changes || self->epoch != native_epoch))
		return rows_refetch(self);
	return self->left != 0 ? 1 : rows_fetch(self);
}

static PyObject *rows_step(native_rows *self)
{
	const int ready = self->limit != 0 ? rows_ready(self) : 0;
	struct row row;

	if (ready <= 0) {
		if (ready == 0)
			Py_CLEAR(self->cursor); /* gives a transaction of its own back */
		return NULL;
	}
	row = row_at(self->room, &self->offset, self->flags);
	self->left--;
	if (self->limit > 0)
		self->limit--;
	return rows_remember(self, &row) == 0 ? row_object(self, &row) : NULL;
}

static PyObject *rows_next(PyObject *object)
{
	native_rows *self = (native_rows *)object;
	PyObject *made;

	if (self->cursor == NULL)
		return NULL;
	if (self->running) { /* a codec of the user, or another thread */
		PyErr_SetString(PyExc_ValueError, "the iterator is running already");
		return NULL;
	}
	self->running = true;
	made = rows_step(self);
	self->running = false;
	return made;
}

static int rows_traverse(PyObject *object, visitproc visit, void *arg)
{
	native_rows *self = (native_rows *)object;

	Py_VISIT(self->bound);
	Py_VISIT(self->owner);
	return 0;
}

static void rows_dealloc(PyObject *object)
{
	native_rows *self = (native_rows *)object;

	PyObject_GC_UnTrack(object);
	Py_CLEAR(self->cursor);
	Py_CLEAR(self->bound);
	Py_CLEAR(self->owner);
	PyMem_Free(self->room);
	PyMem_Free(self->last_key);
	PyObject_GC_Del(object);
}

PyTypeObject native_rows_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sop._raw.Rows",
	.tp_basicsize = sizeof(native_rows),
	.tp_dealloc = rows_dealloc,
	.tp_traverse = rows_traverse,
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.tp_iter = PyObject_SelfIter,
	.tp_iternext = rows_next,
};

/* ---- batches that go in */

struct batch {
	char *data;
	size_t size, room;
	uint32_t count;
};

static int batch_reserve(struct batch *batch, size_t size)
{
	size_t room = batch->room != 0 ? batch->room : BATCH_BYTES + 4096;
	char *data;

	if (size <= batch->room)
		return 0;
	while (room < size)
		room *= 2;
	data = PyMem_Realloc(batch->data, room);
	if (data == NULL) {
		PyErr_NoMemory();
		return -1;
	}
	batch->data = data;
	batch->room = room;
	return 0;
}

static void batch_start(struct batch *batch)
{
	batch->size = HEADER_BYTES;
	batch->count = 0;
}

static int batch_add(struct batch *batch, sop_bytes key, sop_bytes value)
{
	const size_t end = batch->size + 8 + key.size + value.size;
	const size_t next = (end + 7) & ~(size_t)7;
	const uint32_t sizes[2] = { (uint32_t)key.size, (uint32_t)value.size };
	char *at;

	if (key.size > SOP_KEY_BYTES_MAX || value.size > SOP_VALUE_BYTES_MAX) {
		native_raise_status(SOP_LIMIT, key.size > SOP_KEY_BYTES_MAX
						       ? "a key is at most 65536 bytes long"
						       : "a value is at most 1 GiB long");
		return -1;
	}
	if (batch_reserve(batch, end + 8) < 0)
		return -1;
	at = batch->data + batch->size;
	memset(batch->data + next - 8, 0, 8); /* what lies between two rows is zero */
	memcpy(at, sizes, sizeof sizes);
	if (key.size != 0)
		memcpy(at + 8, key.data, key.size);
	if (value.size != 0)
		memcpy(at + 8 + key.size, value.data, value.size);
	batch->size = next;
	batch->count++;
	return 0;
}

static sop_bytes batch_bytes(struct batch *batch)
{
	const uint32_t header[2] = { batch->count, 0 };

	memcpy(batch->data, header, sizeof header);
	return (sop_bytes){ batch->data, batch->size };
}

static bool batch_is_full(const struct batch *batch)
{
	return batch->count >= BATCH_ROWS_MAX || batch->size >= BATCH_BYTES;
}

/* Writes a batch, creating the store if need be: 0 or -1. `total` grows by the rows that were done. */
static int flush(native_view *view, struct batch *batch, sop_put_how how, Py_ssize_t *total)
{
	const sop_bytes rows = batch_bytes(batch);
	size_t done = 0;
	sop_status status = SOP_OK;
	NATIVE_ERROR(err);

	if (batch->count == 0)
		return 0;
	if (!native_is_open(view->txn) || PyErr_CheckSignals() < 0)
		return -1;
	for (int attempt = 0; attempt < 2; attempt++) {
		view->txn->changes++;
		Py_BEGIN_ALLOW_THREADS status = sop_put_many(
			view->txn->pointer, view->bound->store->pointer, rows, how, &done, &err);
		Py_END_ALLOW_THREADS if (status == SOP_OK || attempt == 1 || how > SOP_INSERT ||
					 err.store[0] == '\0' || status != SOP_NOT_FOUND) break;
		if (native_view_create(view, &err) < 0)
			return -1;
	}
	*total += (Py_ssize_t)done;
	batch_start(batch);
	if (status == SOP_OK)
		return 0;
	native_raise(&err);
	return -1;
}

static bool is_whole(const native_view *view)
{
	return view->low == NULL && view->high == NULL && view->prefix == NULL;
}

/* Whether `row` is a tuple of two bytes objects, and these are what is stored: nothing has to be packed then. */
static bool is_plain(const native_view *view, PyObject *row, sop_put_how how)
{
	return how != SOP_REMOVE && PyTuple_CheckExact(row) && PyTuple_GET_SIZE(row) == 2 &&
	       PyBytes_CheckExact(PyTuple_GET_ITEM(row, 0)) &&
	       PyBytes_CheckExact(PyTuple_GET_ITEM(row, 1)) && view->bound->value == NATIVE_BYTES &&
	       view->bound->key->schema == NULL && is_whole(view);
}

static sop_bytes plain_bytes(PyObject *bytes)
{
	return (sop_bytes){ PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes) };
}

/* Packs the pair (key, value), or the key alone to remove it. 0 or -1. */
static int add_row(native_view *view, PyObject *row, sop_put_how how, struct batch *batch)
{
	PyObject *key = NULL, *value = NULL, *pair = NULL;
	native_packed packed, content;
	PyObject *name;
	int result = -1;

	native_packed_init(&packed);
	native_packed_init(&content);
	content.bytes = (sop_bytes){ NULL, 0 };
	if (how == SOP_REMOVE) {
		key = native_ref(row);
	} else {
		pair = PySequence_Fast(row, "a row is a pair (key, value)");
		if (pair == NULL)
			goto out;
		if (PySequence_Fast_GET_SIZE(pair) != 2) {
			PyErr_SetString(PyExc_ValueError, "a row is a pair (key, value)");
			goto out;
		}
		/* Held: packing may call functions of the program, and one may change a list. */
		key = native_ref(PySequence_Fast_GET_ITEM(pair, 0));
		value = native_ref(PySequence_Fast_GET_ITEM(pair, 1));
	}
	if (is_whole(view)) {
		if (native_key_pack(view->bound->key, key, false, &packed) < 0)
			goto out;
	} else { /* a part of a store: its own method knows what is inside */
		name = PyObject_CallMethod((PyObject *)view, "_pack", "(O)", key);
		if (name == NULL)
			goto out;
		packed.keep = name;
		packed.bytes = plain_bytes(name);
	}
	if (value != NULL && native_value_encode(view->bound, value, &content) < 0)
		goto out;
	result = batch_add(batch, packed.bytes, content.bytes);
out:
	native_packed_free(&packed);
	native_packed_free(&content);
	Py_XDECREF(key);
	Py_XDECREF(value);
	Py_XDECREF(pair);
	return result;
}

/* The failure of a row says which it was: `done` rows before it were done. */
static void tell_done(Py_ssize_t done)
{
	PyObject *type, *value, *trace, *count;

	PyErr_Fetch(&type, &value, &trace);
	PyErr_NormalizeException(&type, &value, &trace);
	count = PyLong_FromSsize_t(done);
	if (count == NULL || value == NULL || PyObject_SetAttrString(value, "rows_done", count) < 0)
		PyErr_Clear();
	Py_XDECREF(count);
	PyErr_Restore(type, value, trace);
}

PyObject *native_put_many(native_view *view, PyObject *rows, sop_put_how how)
{
	struct batch batch = { NULL, 0, 0, 0 };
	PyObject *iterator = PyObject_GetIter(rows);
	PyObject *row;
	Py_ssize_t done = 0;
	bool good = iterator != NULL && batch_reserve(&batch, HEADER_BYTES) == 0;

	batch_start(&batch);
	while (good && (row = PyIter_Next(iterator)) != NULL) {
		if (is_plain(view, row, how))
			good = batch_add(&batch, plain_bytes(PyTuple_GET_ITEM(row, 0)),
					 plain_bytes(PyTuple_GET_ITEM(row, 1))) == 0;
		else
			good = add_row(view, row, how, &batch) == 0;
		Py_DECREF(row);
		if (good && batch_is_full(&batch))
			good = flush(view, &batch, how, &done) == 0;
	}
	if (good && !PyErr_Occurred())
		flush(view, &batch, how, &done);
	Py_XDECREF(iterator);
	PyMem_Free(batch.data);
	if (!PyErr_Occurred())
		return PyLong_FromSsize_t(done);
	tell_done(done);
	return NULL;
}

/* What get_many is asked for. */
struct question {
	PyObject *absent; /* what stands for a key that is not there */
	uint32_t flags; /* of rows; 0: the values alone */
};

/* The value of a row, or (key, value, version, item). */
static PyObject *object_of_row(native_view *view, const struct row *row, uint32_t flags)
{
	PyObject *value = native_value_decode(view->bound, row->value.data, row->value.size);
	PyObject *key;

	if (flags == 0 || value == NULL)
		return value;
	key = native_key_unpack(view->bound->key, row->key);
	if (key != NULL)
		return Py_BuildValue("(NNKK)", key, value, (unsigned long long)row->version,
				     (unsigned long long)row->item);
	Py_DECREF(value);
	return NULL;
}

/* Appends the values of one answered batch to `values`: 0 or -1. */
static int take_values(native_view *view, const sop_buf *rows, struct question question, PyObject *values)
{
	const char *data = rows->data;
	const uint32_t count = load32(data);
	size_t offset = HEADER_BYTES;

	for (uint32_t i = 0; i < count; i++) {
		const struct row row = row_at(data, &offset, question.flags);
		PyObject *value = row.absent ? native_ref(question.absent)
					     : object_of_row(view, &row, question.flags);
		int status = value != NULL ? PyList_Append(values, value) : -1;

		Py_XDECREF(value);
		if (status < 0)
			return -1;
	}
	return 0;
}

static int ask(native_view *view, native_handle *txn, struct batch *batch, struct question question,
	       PyObject *values)
{
	const sop_bytes keys = batch_bytes(batch);
	sop_buf rows = SOP_BUF_INIT;
	sop_status status;
	int result = -1;
	NATIVE_ERROR(err);

	if (batch->count == 0)
		return 0;
	if (PyErr_CheckSignals() < 0)
		return -1;
	Py_BEGIN_ALLOW_THREADS status = sop_get_many(txn->pointer, view->bound->store->pointer,
						     keys, question.flags, &rows, &err);
	Py_END_ALLOW_THREADS if (status == SOP_OK) result = take_values(view, &rows, question, values);
	else native_raise(&err);
	sop_buf_free(&rows);
	batch_start(batch);
	return result;
}

PyObject *native_get_many(native_view *view, PyObject *keys, PyObject *absent, bool whole)
{
	const struct question question = { absent, whole ? SOP_ROWS_ITEM | SOP_ROWS_VERSION : 0 };
	struct batch batch = { NULL, 0, 0, 0 };
	native_handle *txn = native_view_reading(view);
	PyObject *values = txn != NULL ? PyList_New(0) : NULL;
	PyObject *iterator = values != NULL ? PyObject_GetIter(keys) : NULL;
	PyObject *key;
	bool good = iterator != NULL && batch_reserve(&batch, HEADER_BYTES) == 0;

	batch_start(&batch);
	while (good && (key = PyIter_Next(iterator)) != NULL) {
		good = add_row(view, key, SOP_REMOVE, &batch) == 0; /* a row of a key alone */
		Py_DECREF(key);
		if (good && batch_is_full(&batch))
			good = ask(view, txn, &batch, question, values) == 0;
	}
	if (good && !PyErr_Occurred())
		ask(view, txn, &batch, question, values);
	Py_XDECREF(iterator);
	Py_XDECREF(txn);
	PyMem_Free(batch.data);
	if (!PyErr_Occurred())
		return values;
	Py_XDECREF(values);
	return NULL;
}
