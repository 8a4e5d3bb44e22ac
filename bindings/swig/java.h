/* What the typemaps of java.i call: exceptions, bytes, and the forms in which keys, rows and ranges travel.
 *
 * A key of a store with a schema comes in as its fields, one behind the other: u8 SOP_TYPE_..., then nothing (NULL), u8
 * (BOOL), 8 bytes (INT, UINT, TS, FLOAT), 16 bytes (UUID), or u32 size and that many bytes (BYTES, STR); numbers are
 * little-endian. It is packed here, in the crossing that uses it, with all that packing checks. Keys go out packed, as they
 * lie: FieldReader.java reads them, which costs half as much as making fields of them here. Keys of stores without a schema
 * travel as they are. Rows are the packed rows of store.h, with keys in these forms. */
#ifndef SOP_BINDINGS_JAVA_H
#define SOP_BINDINGS_JAVA_H

#include <sop/sop.h>

#include <jni.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
	JAVA_STACK_BYTES = 512, /* arguments up to here are copied to the stack */
	JAVA_FIELDS_MAX = 2 * SOP_SCHEMA_FIELDS_MAX,
	JAVA_ROW_BYTES = 8, /* of a row before its ids */
	JAVA_FETCH_BYTES = 32 * 1024 /* of a batch, unless one row needs more */
};

/* Not among the SOP_RANGE_ bits of the library: all keys that begin with `to` are inside, also where keys are raw. */
#define JAVA_RANGE_TO_PREFIX 0x100u
/* The bound is a packed key that came from here. */
#define JAVA_RANGE_FROM_PACKED 0x200u
#define JAVA_RANGE_TO_PACKED 0x400u
#define JAVA_RANGE_OWN (JAVA_RANGE_TO_PREFIX | JAVA_RANGE_FROM_PACKED | JAVA_RANGE_TO_PACKED)
/* Among the flags of rows: there are no more behind these. */
#define JAVA_ROWS_END 0x80000000u

/* A declared store with the schema of its keys, or NULL. */
typedef struct java_store {
	sop_store *store;
	sop_schema *schema;
} java_store;

/* A cursor over a store with this schema, which belongs to the java_store. */
typedef struct java_cursor {
	sop_cursor *cursor;
	const sop_schema *schema;
} java_cursor;

/* What one call leaves for its end. One for each thread: 800 bytes that need no clearing. */
static __thread struct {
	sop_error err;
	sop_status refused; /* an argument could not be taken: the call is not made and fails with this */
	sop_status answer; /* a status that is no failure here, unless it names a store */
} java = { { sizeof(sop_error), 0, 0, 0, 0, -1, { 0 }, { 0 }, { 0 } }, SOP_OK, SOP_OK };

static jclass java_exception;
static jmethodID java_exception_of;
static jmethodID java_progress;
static jmethodID java_found;

/* ---- exceptions -------------------------------------------------------------------------------- */

static jclass java_class(JNIEnv *env, const char *name)
{
	jclass local = (*env)->FindClass(env, name);

	return local == NULL ? NULL : (jclass)(*env)->NewGlobalRef(env, local);
}

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved)
{
	JNIEnv *env = NULL;
	jclass callbacks;

	(void)reserved;
	if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_1_8) != JNI_OK)
		return JNI_ERR;
	java_exception = java_class(env, "org/sopdb/SopException");
	if (java_exception == NULL)
		return JNI_ERR;
	java_exception_of = (*env)->GetStaticMethodID(env, java_exception, "of",
						      "(IIIJ[B[B[B)Lorg/sopdb/SopException;");
	callbacks = (*env)->FindClass(env, "org/sopdb/Callbacks");
	if (java_exception_of == NULL || callbacks == NULL)
		return JNI_ERR;
	java_progress = (*env)->GetMethodID(env, callbacks, "progress", "(JJ)Z");
	java_found = (*env)->GetMethodID(env, callbacks, "found", "([B[BJ[B[B)Z");
	return java_progress == NULL || java_found == NULL ? JNI_ERR : JNI_VERSION_1_8;
}

/* Bytes as a new array; NULL with an exception pending if there is no room for it. */
static jbyteArray java_array(JNIEnv *env, const void *data, size_t size)
{
	jbyteArray array;

	if (size > INT_MAX - 8) { /* of values at most: they end at 1 GiB */
		size = 0;
		java.refused = SOP_LIMIT;
	}
	array = (*env)->NewByteArray(env, (jsize)size);
	if (array != NULL && size > 0)
		(*env)->SetByteArrayRegion(env, array, 0, (jsize)size, data);
	return array;
}

static jbyteArray java_text(JNIEnv *env, const char *text)
{
	return java_array(env, text, strlen(text));
}

/* Throws what `status` stands for. What a function of the caller threw says more, and stays. */
static void java_throw(JNIEnv *env, sop_status status)
{
	const sop_error *err = &java.err;
	jbyteArray store, file, message;
	jobject exception;

	if ((*env)->ExceptionCheck(env))
		return;
	store = java_text(env, err->store);
	file = store == NULL ? NULL : java_text(env, err->file);
	message = file == NULL ? NULL : java_text(env, err->message);
	if (message == NULL)
		return; /* out of memory is pending */
	exception = (*env)->CallStaticObjectMethod(env, java_exception, java_exception_of,
						   (jint)status, (jint)err->traits, (jint)err->os_errno,
						   (jlong)err->offset, store, file, message);
	if (exception != NULL && !(*env)->ExceptionCheck(env))
		(*env)->Throw(env, (jthrowable)exception);
}

/* Fails the call with `status` before it is made. */
static void java_refuse(sop_status status, const char *message)
{
	java.refused = status;
	java.err.status = status;
	java.err.traits = sop_status_traits(status);
	java.err.os_errno = 0;
	java.err.offset = -1;
	java.err.store[0] = java.err.file[0] = '\0';
	strncpy(java.err.message, message, sizeof java.err.message - 1);
}

/* The end of every call: throws if it failed. */
static void java_finish(JNIEnv *env, sop_status status)
{
	const sop_status answer = java.answer;
	const sop_status refused = java.refused;

	java.answer = java.refused = SOP_OK;
	if (refused != SOP_OK)
		java_throw(env, refused);
	else if (status != SOP_OK &&
		 (status != answer || (status == SOP_NOT_FOUND && java.err.store[0] != '\0')))
		java_throw(env, status);
}

/* ---- bytes in ---------------------------------------------------------------------------------- */

/* A copy of an array of the caller, on the stack if it is small. */
typedef struct java_input {
	void *owned;
	char room[JAVA_STACK_BYTES];
} java_input;

/* Copies `array`; the caller frees `in->owned`. No array is no bytes. */
static sop_bytes java_bytes(JNIEnv *env, jbyteArray array, java_input *in)
{
	const jsize size = array == NULL ? 0 : (*env)->GetArrayLength(env, array);
	void *data = in->room;

	in->owned = NULL;
	if ((size_t)size > sizeof in->room) {
		data = in->owned = malloc((size_t)size);
		if (data == NULL) {
			java_refuse(SOP_NO_MEMORY, "there is no memory for a copy of an argument");
			return (sop_bytes){ NULL, 0 };
		}
	}
	if (size > 0)
		(*env)->GetByteArrayRegion(env, array, 0, size, data);
	return (sop_bytes){ data, (size_t)size };
}

/* ---- fields and keys --------------------------------------------------------------------------- */

static uint32_t java_u32(const uint8_t *at)
{
	uint32_t number;

	memcpy(&number, at, sizeof number);
	return number;
}

/* Bytes of a field of `type` behind its type, as far as that is fixed. */
static size_t java_fixed_size(uint8_t type)
{
	switch (type) {
	case SOP_TYPE_NULL:
		return 0;
	case SOP_TYPE_BOOL:
		return 1;
	case SOP_TYPE_UUID:
		return 16;
	case SOP_TYPE_BYTES:
	case SOP_TYPE_STR:
		return 4;
	default:
		return 8;
	}
}

/* Reads the field at `*at`, before `end`, into `value`, and moves `*at` behind it; false if it is cut off. */
static int java_read_field(const uint8_t **at, const uint8_t *end, sop_value *value)
{
	const uint8_t type = **at;
	const uint8_t *body = *at + 1;
	const size_t fixed = java_fixed_size(type);

	if ((size_t)(end - body) < fixed)
		return 0;
	*value = sop_value_null();
	value->type = type;
	*at = body + fixed;
	if (type == SOP_TYPE_BOOL) {
		value->as.boolean = *body;
	} else if (type == SOP_TYPE_BYTES || type == SOP_TYPE_STR) {
		value->as.bytes = (sop_bytes){ *at, java_u32(body) };
		if (value->as.bytes.size > (size_t)(end - *at))
			return 0;
		*at += value->as.bytes.size;
	} else {
		memcpy(&value->as, body, fixed);
	}
	return 1;
}

/* Packs `fields`: a whole key, or as many leading sort fields as there are (`prefix`), whatever rides along. */
static sop_status java_pack(const sop_schema *schema, sop_bytes fields, int prefix, sop_buf *key,
			    sop_error *err)
{
	sop_value values[JAVA_FIELDS_MAX];
	const uint8_t *at = fields.data;
	const uint8_t *end = at + fields.size;
	size_t count = 0;

	while (at < end) {
		if (count == JAVA_FIELDS_MAX || !java_read_field(&at, end, &values[count])) {
			java_refuse(SOP_MISUSE, "the fields of a key are cut off");
			return SOP_MISUSE;
		}
		count++;
	}
	if (prefix && count > sop_schema_sort_count(schema))
		count = sop_schema_sort_count(schema);
	return prefix ? sop_key_pack_prefix(schema, values, count, key, err)
		      : sop_key_pack(schema, values, count, key, err);
}

/* A packed key of the caller. */
typedef struct java_key {
	sop_buf buf;
	char room[JAVA_STACK_BYTES];
} java_key;

static sop_bytes java_packed(const sop_schema *schema, sop_bytes fields, int prefix, java_key *key)
{
	sop_status status;

	key->buf = (sop_buf){ key->room, 0, sizeof key->room, NULL };
	if (schema == NULL || java.refused != SOP_OK)
		return fields;
	status = java_pack(schema, fields, prefix, &key->buf, &java.err);
	if (status != SOP_OK)
		java.refused = status;
	return (sop_bytes){ key->buf.data, key->buf.size };
}

/* The key in `array`; the caller frees `in->owned` and `key->buf`. */
static sop_bytes java_key_in(JNIEnv *env, jbyteArray array, const sop_schema *schema, int prefix,
			     java_input *in, java_key *key)
{
	return java_packed(schema, java_bytes(env, array, in), prefix, key);
}

/* ---- ranges ------------------------------------------------------------------------------------ */

/* A range: u32 flags, u64 item, u32 size and bytes of `from`, the same of `to`. */
typedef struct java_range {
	sop_range range;
	java_key from, to;
} java_range;

/* Moves the end of a range behind all keys that begin with it. */
static void java_include_prefix(const sop_schema *schema, java_range *out)
{
	sop_buf *end = &out->to.buf;
	sop_status status;

	if (schema != NULL) {
		out->range.flags |= SOP_RANGE_THROUGH;
		return;
	}
	status = sop_key_next_prefix(out->range.to, end, &java.err);
	if (status == SOP_NOT_FOUND)
		out->range.flags &= ~SOP_RANGE_TO;
	else if (status != SOP_OK)
		java.refused = status;
	out->range.to = (sop_bytes){ end->data, end->size };
}

/* Reads the range at `in`; NULL is everything. The caller frees `out->from.buf` and `out->to.buf`. */
static const sop_range *java_range_in(sop_bytes in, const sop_schema *schema, java_range *out)
{
	const uint8_t *at = in.data;
	uint32_t flags, from_size, to_size;

	out->range = (sop_range)SOP_RANGE_INIT;
	out->from.buf = out->to.buf = (sop_buf)SOP_BUF_INIT;
	if (in.size == 0 || java.refused != SOP_OK)
		return NULL;
	flags = java_u32(at);
	from_size = java_u32(at + 12);
	to_size = java_u32(at + 16 + from_size);
	out->range.flags = flags & ~JAVA_RANGE_OWN;
	memcpy(&out->range.after_item, at + 4, sizeof out->range.after_item);
	out->range.from = java_packed((flags & JAVA_RANGE_FROM_PACKED) ? NULL : schema,
				      (sop_bytes){ at + 16, from_size }, 1, &out->from);
	out->range.to = java_packed((flags & JAVA_RANGE_TO_PACKED) ? NULL : schema,
				    (sop_bytes){ at + 20 + from_size, to_size }, 1, &out->to);
	if ((flags & JAVA_RANGE_TO_PREFIX) && java.refused == SOP_OK)
		java_include_prefix(schema, out);
	return &out->range;
}

/* ---- rows -------------------------------------------------------------------------------------- */

static size_t java_aligned(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

/* Packs the keys of the rows that Rows.java made. */
static sop_status java_pack_rows(const sop_schema *schema, sop_bytes in, sop_buf *out, sop_error *err)
{
	const uint8_t *from = in.data;
	const uint32_t count = java_u32(from);
	char space[JAVA_STACK_BYTES];
	sop_buf key = SOP_BUF_OVER(space);
	size_t read = JAVA_ROW_BYTES, written = JAVA_ROW_BYTES;
	sop_status status = sop_buf_reserve(out, in.size, err);

	for (uint32_t i = 0; i < count && status == SOP_OK; i++) {
		const uint8_t *row = from + read;
		const uint32_t key_size = java_u32(row), value_size = java_u32(row + 4);

		status = java_pack(schema, (sop_bytes){ row + JAVA_ROW_BYTES, key_size }, 0, &key, err);
		out->size = written;
		if (status == SOP_OK) /* an integer is longer packed than not, a text with NULs too */
			status = sop_buf_reserve(
				out, written + key.size + value_size + (in.size - read) + 32, err);
		if (status == SOP_OK) {
			uint8_t *to = (uint8_t *)out->data + written;
			const uint32_t size = (uint32_t)key.size;

			memcpy(to, &size, sizeof size);
			memcpy(to + 4, row + 4, sizeof value_size);
			memcpy(to + JAVA_ROW_BYTES, key.data, key.size);
			if (value_size > 0)
				memcpy(to + JAVA_ROW_BYTES + size, row + JAVA_ROW_BYTES + key_size,
				       value_size);
			read = java_aligned(read + JAVA_ROW_BYTES + key_size + value_size);
			written = java_aligned(written + JAVA_ROW_BYTES + size + value_size);
		}
	}
	if (status == SOP_OK)
		memcpy(out->data, from, JAVA_ROW_BYTES);
	out->size = written;
	sop_buf_free(&key);
	return status;
}

#endif
