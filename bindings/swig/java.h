/* What the typemaps of java.i call: exceptions, bytes, and the forms in which keys, rows and ranges travel.
 *
 * Keys travel packed, both ways: FieldWriter.java and FieldReader.java know how, which costs less than handing fields over.
 * The library checks those that come in. Rows are the packed rows of store.h. */
#ifndef SOP_BINDINGS_JAVA_H
#define SOP_BINDINGS_JAVA_H

#include <sop/sop.h>

#include <jni.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
	JAVA_STACK_BYTES = 512, /* arguments up to here are copied to the stack */
	JAVA_ROOM_KEY_BYTES = 512, /* as in Room.java */
	JAVA_ROOM_VALUE_BYTES = 3584,
	JAVA_FETCH_BYTES = 32 * 1024 /* of a batch, unless one row needs more */
};

/* Among the flags of rows: there are no more behind these. */
#define JAVA_ROWS_END 0x80000000u

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

/* What NativeLibrary.java compares before anything else is called. */
JNIEXPORT jstring JNICALL Java_org_sopdb_NativeLibrary_builtWith(JNIEnv *env, jclass type)
{
	(void)type;
	return (*env)->NewStringUTF(env, JAVA_BUILD_ID);
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

/* ---- ranges ------------------------------------------------------------------------------------ */

static uint32_t java_u32(const uint8_t *at)
{
	uint32_t number;

	memcpy(&number, at, sizeof number);
	return number;
}

/* Reads the range at `in`: u32 flags, u64 item, u32 size and bytes of `from`, the same of `to`. No bytes are everything. */
static const sop_range *java_range_in(sop_bytes in, sop_range *out)
{
	const uint8_t *at = in.data;

	*out = (sop_range)SOP_RANGE_INIT;
	if (in.size == 0)
		return NULL;
	out->flags = java_u32(at);
	memcpy(&out->after_item, at + 4, sizeof out->after_item);
	out->from = (sop_bytes){ at + 16, java_u32(at + 12) };
	at += 16 + out->from.size;
	out->to = (sop_bytes){ at + 4, java_u32(at) };
	return out;
}

#endif
