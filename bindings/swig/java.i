/* How the raw layer looks in Java: package-private static functions of org.sopdb.Raw over handles (long). A failure is
 * thrown as an SopException; what is an answer (not found, exists) is null or an int. Helpers are in java.h. */
%{
#include "swig/java.h"
%}

%pragma(java) moduleclassmodifiers="final class"
%pragma(java) jniclassclassmodifiers="final class"
%pragma(java) jniclasscode=%{
  static {
    NativeLibrary.load();
  }
%}

/* Handed out by the functions below instead. */
%ignore sop_store_open;
%ignore sop_store_name;
%ignore sop_schema_parse;
%ignore sop_schema_text;
%ignore sop_schema_free;
%ignore sop_schema_sort_count;
%ignore sop_schema_ride_count;
%ignore sop_schema_field_name;
%ignore sop_schema_field_type;
%ignore sop_schema_field_descending;
%ignore sop_key_pack;
%ignore sop_key_pack_prefix;
%ignore sop_key_unpack;
%ignore sop_key_next_prefix;
%ignore sop_value_parse;
%ignore sop_value_text;

/* Numbers of the headers never change: Java has its own. */
%rename("$ignore", %$isenumitem) "";
%rename("$ignore", %$isconstant) "";
%ignore sop_durability;
%ignore sop_mode;
%ignore sop_outcome;
%ignore sop_put_how;
%ignore sop_log_level;
%ignore sop_seek;

/* ---- every call -------------------------------------------------------------------------------- */

%exception %{
	if (java.refused == SOP_OK) {
		$action
	}
%}

%noexception sop_status_traits;
%noexception sop_status_name;
%noexception sop_status_text;
%noexception sop_version;
%noexception sop_has_feature;

%typemap(in, numinputs = 0) sop_error *err %{
	$1 = &java.err;
	result = SOP_OK;
%}
%typemap(freearg) sop_error *err "java_finish(jenv, result);"

/* `function` may answer `status`, which is no failure then. */
%define ANSWERS(function, answered)
%exception function %{
	java.answer = answered;
	if (java.refused == SOP_OK) {
		$action
	}
%}
%enddef

/* `function` writes: a store that is not there is created on the way. */
%define CREATES(function, answered)
%exception function %{
	java.answer = answered;
	if (java.refused == SOP_OK) {
		$action
		if (result == SOP_NOT_FOUND && java.err.store[0] != '\0') {
			result = sop_store_create(arg1, arg2, &java.err);
			if (result == SOP_OK) {
				$action
			}
		}
	}
%}
%enddef

/* What `function` returns is not its status but its output: of `jni` type, in Java `type`. */
%define RETURNS(function, jnitype, type)
%typemap(jni) sop_status function "jnitype"
%typemap(jtype) sop_status function "type"
%typemap(jstype) sop_status function "type"
%typemap(javaout) sop_status function { return $jnicall; }
%typemap(out, null = "0") sop_status function "$result = 0;"
%enddef

/* ---- handles ----------------------------------------------------------------------------------- */

%define HANDLE(type)
%typemap(jni) type *, type **out "jlong"
%typemap(jtype) type *, type **out "long"
%typemap(jstype) type *, type **out "long"
%typemap(javain) type * "$javainput"
%typemap(in) type * "$1 = (type *)(intptr_t)$input;"
%typemap(in, numinputs = 0) type **out (type *made = NULL) "$1 = &made;"
%typemap(argout) type **out "$result = (jlong)(intptr_t)*$1;"
%enddef

HANDLE(sop_options)
HANDLE(sop_db)
HANDLE(sop_txn)
HANDLE(sop_store)
HANDLE(sop_cursor)
%apply sop_options * { const sop_options * };

/* ---- bytes ------------------------------------------------------------------------------------- */

%typemap(jni) sop_bytes, sop_buf *, const char *path, const char *url, const char *backup_path, const char *name "jbyteArray"
%typemap(jtype) sop_bytes, sop_buf * "byte[]"
%typemap(jstype) sop_bytes, sop_buf * "byte[]"
%typemap(javain) sop_bytes "$javainput"
%typemap(in) sop_bytes (java_input in) "$1 = java_bytes(jenv, $input, &in);"
%typemap(freearg) sop_bytes "free(in$argnum.owned);"

/* A text of the caller is bytes that end with a NUL. */
%typemap(jni) const char *path, const char *url, const char *backup_path, const char *name, const char *value "jbyteArray"
%typemap(jtype) const char *path, const char *url, const char *backup_path, const char *name, const char *value "byte[]"
%typemap(jstype) const char *path, const char *url, const char *backup_path, const char *name, const char *value "byte[]"
%typemap(javain) const char *path, const char *url, const char *backup_path, const char *name, const char *value "$javainput"
%typemap(in) const char *path (java_input in), const char *url (java_input in), const char *backup_path (java_input in),
	const char *name (java_input in), const char *value (java_input in) "$1 = (char *)java_bytes(jenv, $input, &in).data;"
%typemap(freearg) const char *path, const char *url, const char *backup_path, const char *name, const char *value
	"free(in$argnum.owned);"
%typemap(argout) const char *path, const char *url, const char *backup_path, const char *name, const char *value ""

/* One answer is what the function returns. */
%typemap(in, numinputs = 0) sop_buf * (sop_buf out, char room[1024]) %{
	out = (sop_buf)SOP_BUF_OVER(room);
	$1 = &out;
%}
%typemap(argout) sop_buf * %{
	if (result == SOP_OK && java.refused == SOP_OK)
		$result = java_array(jenv, $1->data, $1->size);
%}
%typemap(freearg) sop_buf * "sop_buf_free($1);"

/* Others go into an array of the caller, unless that is null. */
%typemap(jni) sop_buf *path, sop_buf *schema, sop_buf *whole_key, sop_bytes *store, sop_bytes *key "jobjectArray"
%typemap(jtype) sop_buf *path, sop_buf *schema, sop_buf *whole_key, sop_bytes *store, sop_bytes *key "byte[][]"
%typemap(jstype) sop_buf *path, sop_buf *schema, sop_buf *whole_key, sop_bytes *store, sop_bytes *key "byte[][]"
%typemap(javain) sop_buf *path, sop_buf *schema, sop_buf *whole_key, sop_bytes *store, sop_bytes *key "$javainput"
%typemap(in) sop_buf *path (sop_buf out), sop_buf *schema (sop_buf out), sop_buf *whole_key (sop_buf out) %{
	out = (sop_buf)SOP_BUF_INIT;
	$1 = $input == NULL ? NULL : &out;
%}
%typemap(argout) sop_buf *path, sop_buf *schema, sop_buf *whole_key %{
	if (result == SOP_OK && $1 != NULL && java.refused == SOP_OK)
		(*jenv)->SetObjectArrayElement(jenv, $input, 0, java_array(jenv, $1->data, $1->size));
%}
%typemap(in) sop_bytes *store (sop_bytes view), sop_bytes *key (sop_bytes view) %{
	view = (sop_bytes){ NULL, 0 };
	$1 = &view;
%}
%typemap(argout) sop_bytes *store, sop_bytes *key %{
	if (result == SOP_OK)
		(*jenv)->SetObjectArrayElement(jenv, $input, 0, java_array(jenv, $1->data, $1->size));
%}
%typemap(freearg) sop_bytes *store, sop_bytes *key ""

/* ---- ranges, rows and items -------------------------------------------------------------------- */

%typemap(jni) const sop_range *range "jbyteArray"
%typemap(jtype) const sop_range *range "byte[]"
%typemap(jstype) const sop_range *range "byte[]"
%typemap(javain) const sop_range *range "$javainput"
%typemap(in) const sop_range *range (java_input in, sop_range bounds) %{
	$1 = (sop_range *)java_range_in(java_bytes(jenv, $input, &in), &bounds);
%}
%typemap(freearg) const sop_range *range "free(in$argnum.owned);"

/* Version and item id. */
%typemap(jni) sop_item *about, uint64_t *item, uint64_t *position, size_t *done "jlongArray"
%typemap(jtype) sop_item *about, uint64_t *item, uint64_t *position, size_t *done "long[]"
%typemap(jstype) sop_item *about, uint64_t *item, uint64_t *position, size_t *done "long[]"
%typemap(javain) sop_item *about, uint64_t *item, uint64_t *position, size_t *done "$javainput"
%typemap(in) sop_item *about (sop_item about) %{
	about.version = about.item = 0;
	$1 = &about;
%}
%typemap(argout) sop_item *about %{
	if (result == SOP_OK && $input != NULL) {
		const jlong known[] = { (jlong)$1->version, (jlong)$1->item };

		(*jenv)->SetLongArrayRegion(jenv, $input, 0, 2, known);
	}
%}
%typemap(in) uint64_t *item (uint64_t number = 0), uint64_t *position (uint64_t number = 0), size_t *done (size_t number = 0)
	"$1 = &number;"
%typemap(argout) uint64_t *item, uint64_t *position, size_t *done %{
	if ($input != NULL && !(*jenv)->ExceptionCheck(jenv)) {
		const jlong known = (jlong)*$1;

		(*jenv)->SetLongArrayRegion(jenv, $input, 0, 1, &known);
	}
%}

/* Numbers that the function returns. */
%typemap(in, numinputs = 0) uint64_t *only (uint64_t number = 0), uint64_t *savepoint (uint64_t number = 0),
	uint64_t *count (uint64_t number = 0), uint64_t *removed (uint64_t number = 0) "$1 = &number;"
%typemap(argout) uint64_t *only, uint64_t *savepoint, uint64_t *count, uint64_t *removed "$result = (jlong)*$1;"
%typemap(in, numinputs = 0) uint32_t *attempts (uint32_t number = 0) "$1 = &number;"
%typemap(argout) uint32_t *attempts "$result = (jlong)*$1;"
%typemap(in, numinputs = 0) sop_outcome *outcome (sop_outcome told) %{
	told = SOP_OUTCOME_UNKNOWN;
	$1 = &told;
%}
%typemap(argout) sop_outcome *outcome "$result = (jlong)*$1;"
%typemap(in, numinputs = 0) size_t *count (size_t number) "$1 = &number;"
%typemap(argout) size_t *count ""
%typemap(in, numinputs = 0) uint64_t *problems (uint64_t number) "$1 = &number;"
%typemap(argout) uint64_t *problems ""

/* All 64 bits of a number fit a long. */
%apply long long { uint64_t, int64_t, uint64_t savepoint, uint64_t item };
%apply int { uint32_t, uint32_t flags, sop_status };

/* ---- structures: their memory as bytes, read by Image.java -------------------------------------- */

%define STRUCT(type, name, initial)
%typemap(in, numinputs = 0) type *name (type filled) %{
	filled = (type)initial;
	$1 = &filled;
%}
%typemap(argout) type *name %{
	if (result == SOP_OK)
		$result = java_array(jenv, (const void *)$1, sizeof *$1);
%}
%enddef
STRUCT(sop_info, info, SOP_INFO_INIT)
STRUCT(sop_store_info, info, SOP_STORE_INFO_INIT)
STRUCT(sop_log_message, message, SOP_LOG_MESSAGE_INIT)

%typemap(in, numinputs = 0) sop_stats *stats (sop_stats filled) %{
	filled = (sop_stats)SOP_STATS_INIT;
	$1 = &filled;
%}
%typemap(argout) sop_stats *stats %{
	if (result == SOP_OK)
		$result = java_array(jenv, (const void *)$1, sizeof *$1);
%}
%typemap(jni) sop_peek *peek "jobjectArray"
%typemap(jtype) sop_peek *peek "byte[][]"
%typemap(jstype) sop_peek *peek "byte[][]"
%typemap(javain) sop_peek *peek "$javainput"
%typemap(in) sop_peek *peek (sop_peek filled) %{
	filled = (sop_peek)SOP_PEEK_INIT;
	$1 = &filled;
%}
%typemap(argout) sop_peek *peek %{
	if (result == SOP_OK || result == SOP_NOT_FOUND)
		(*jenv)->SetObjectArrayElement(jenv, $input, 0, java_array(jenv, (const void *)$1, sizeof *$1));
%}

/* Mode, deadline, durability, and 16 bytes of id if there is one; null is the defaults. */
%typemap(jni) const sop_txn_options *options "jlongArray"
%typemap(jtype) const sop_txn_options *options "long[]"
%typemap(jstype) const sop_txn_options *options "long[]"
%typemap(javain) const sop_txn_options *options "$javainput"
%typemap(in) const sop_txn_options *options (sop_txn_options given) %{
	given = (sop_txn_options)SOP_TXN_OPTIONS_INIT;
	if ($input != NULL) {
		jlong numbers[5];

		(*jenv)->GetLongArrayRegion(jenv, $input, 0, 5, numbers);
		given.mode = (uint32_t)numbers[0];
		given.deadline_ms = numbers[1];
		given.durability = (uint32_t)numbers[2];
		memcpy(given.id, &numbers[3], sizeof given.id);
	}
	$1 = &given;
%}

%typemap(jni) const uint8_t id[16], uint8_t id[16] "jbyteArray"
%typemap(jtype) const uint8_t id[16], uint8_t id[16] "byte[]"
%typemap(jstype) const uint8_t id[16], uint8_t id[16] "byte[]"
%typemap(javain) const uint8_t id[16] "$javainput"
%typemap(in) const uint8_t id[16] (uint8_t number[16]) %{
	(*jenv)->GetByteArrayRegion(jenv, $input, 0, 16, (jbyte *)number);
	$1 = number;
%}
%typemap(freearg) const uint8_t id[16], uint8_t id[16] ""
%typemap(argout) const uint8_t id[16] ""
%typemap(in, numinputs = 0) uint8_t id[16] (uint8_t number[16]) "$1 = number;"
%typemap(argout) uint8_t id[16] %{
	if (result == SOP_OK)
		$result = java_array(jenv, $1, 16);
%}

/* ---- functions of the caller ------------------------------------------------------------------- */

%{
typedef struct java_callbacks {
	JNIEnv *env;
	jobject object;
} java_callbacks;

static int java_on_progress(void *arg, uint64_t done, uint64_t total)
{
	const java_callbacks *to = arg;
	const sop_status answer = java.answer; /* the function may call the library, too */
	const jboolean more = (*to->env)->CallBooleanMethod(to->env, to->object, java_progress, (jlong)done, (jlong)total);

	java.answer = answer;
	return (*to->env)->ExceptionCheck(to->env) || !more;
}

static int java_on_problem(void *arg, const sop_problem *problem)
{
	const java_callbacks *to = arg;
	const sop_status answer = java.answer;
	JNIEnv *env = to->env;
	jbyteArray store = java_array(env, problem->store.data, problem->store.size);
	jbyteArray file = store == NULL ? NULL : java_array(env, problem->file.data, problem->file.size);
	jbyteArray kind = file == NULL ? NULL : java_text(env, problem->kind);
	jbyteArray message = kind == NULL ? NULL : java_text(env, problem->message);
	jboolean more;

	if (message == NULL)
		return 1;
	more = (*env)->CallBooleanMethod(env, to->object, java_found, store, file, (jlong)problem->offset, kind, message);
	java.answer = answer;
	if ((*env)->ExceptionCheck(env))
		return 1;
	(*env)->DeleteLocalRef(env, store);
	(*env)->DeleteLocalRef(env, file);
	(*env)->DeleteLocalRef(env, kind);
	(*env)->DeleteLocalRef(env, message);
	return !more;
}
%}

%typemap(jni) (sop_progress_fn progress, void *arg) "jobject"
%typemap(jtype) (sop_progress_fn progress, void *arg) "Callbacks"
%typemap(jstype) (sop_progress_fn progress, void *arg) "Callbacks"
%typemap(javain) (sop_progress_fn progress, void *arg) "$javainput"
%typemap(in) (sop_progress_fn progress, void *arg) (java_callbacks to) %{
	to.env = jenv;
	to.object = $input;
	$1 = $input == NULL ? NULL : java_on_progress;
	$2 = &to;
%}

/* Both are functions of one object. */
%typemap(jni) (sop_problem_fn found, sop_progress_fn progress, void *arg) "jobject"
%typemap(jtype) (sop_problem_fn found, sop_progress_fn progress, void *arg) "Callbacks"
%typemap(jstype) (sop_problem_fn found, sop_progress_fn progress, void *arg) "Callbacks"
%typemap(javain) (sop_problem_fn found, sop_progress_fn progress, void *arg) "$javainput"
%typemap(in) (sop_problem_fn found, sop_progress_fn progress, void *arg) (java_callbacks to) %{
	to.env = jenv;
	to.object = $input;
	$1 = java_on_problem;
	$2 = java_on_progress;
	$3 = &to;
%}

%typemap(in, numinputs = 0) int *bytes (int made = -1) "$1 = &made;"
%typemap(argout) int *bytes "$result = *$1;"
%typemap(jni) void *direct "jobject"
%typemap(jtype) void *direct "java.nio.ByteBuffer"
%typemap(jstype) void *direct "java.nio.ByteBuffer"
%typemap(javain) void *direct "$javainput"
%typemap(in) void *direct "$1 = (*jenv)->GetDirectBufferAddress(jenv, $input);"

/* ---- what functions return --------------------------------------------------------------------- */

RETURNS(sop_options_new, jlong, long)
RETURNS(sop_open, jlong, long)
RETURNS(sop_begin, jlong, long)
RETURNS(java_declare, jlong, long)
RETURNS(java_cursor_open, jlong, long)
RETURNS(sop_savepoint, jlong, long)
RETURNS(sop_count, jlong, long)
RETURNS(sop_approx_count, jlong, long)
RETURNS(sop_remove_range, jlong, long)
RETURNS(sop_txn_attempts, jlong, long)
RETURNS(sop_txn_outcome, jlong, long)
RETURNS(java_get, jint, int)
RETURNS(sop_read, jbyteArray, byte[])
RETURNS(sop_get, jbyteArray, byte[])
RETURNS(sop_fetch, jbyteArray, byte[])
RETURNS(sop_get_many, jbyteArray, byte[])
RETURNS(sop_store_list, jbyteArray, byte[])
RETURNS(sop_store_describe, jbyteArray, byte[])
RETURNS(sop_db_info, jbyteArray, byte[])
RETURNS(sop_db_stats, jbyteArray, byte[])
RETURNS(sop_stats_peek, jbyteArray, byte[])
RETURNS(sop_db_metrics, jbyteArray, byte[])
RETURNS(sop_log_next, jbyteArray, byte[])
RETURNS(sop_txn_id, jbyteArray, byte[])
RETURNS(java_scan, jbyteArray, byte[])
RETURNS(java_cursor_move, jbyteArray, byte[])
RETURNS(java_cursor_seek, jbyteArray, byte[])

ANSWERS(sop_read, SOP_NOT_FOUND)
ANSWERS(sop_get, SOP_NOT_FOUND)
ANSWERS(java_get, SOP_NOT_FOUND)
%noexception java_address;
ANSWERS(sop_fetch, SOP_NOT_FOUND)
ANSWERS(sop_update, SOP_NOT_FOUND)
ANSWERS(sop_remove, SOP_NOT_FOUND)
ANSWERS(sop_set_ride, SOP_NOT_FOUND)
ANSWERS(sop_cursor_update, SOP_NOT_FOUND)
ANSWERS(sop_cursor_remove, SOP_NOT_FOUND)
ANSWERS(java_cursor_move, SOP_NOT_FOUND)
ANSWERS(java_cursor_seek, SOP_NOT_FOUND)
ANSWERS(java_scan, SOP_NOT_FOUND)
ANSWERS(java_has, SOP_NOT_FOUND)
ANSWERS(sop_log_next, SOP_NOT_FOUND)
ANSWERS(sop_txn_conflict, SOP_NOT_FOUND)
ANSWERS(sop_verify, SOP_CORRUPT)
ANSWERS(sop_stats_peek, SOP_NOT_FOUND)
CREATES(sop_put, SOP_OK)
CREATES(sop_insert, SOP_EXISTS)
CREATES(sop_add, SOP_OK)
CREATES(sop_min, SOP_OK)
CREATES(sop_max, SOP_OK)
%exception sop_put_many %{
	java.answer = arg4 == SOP_UPDATE || arg4 == SOP_REMOVE ? SOP_NOT_FOUND : SOP_EXISTS;
	if (java.refused == SOP_OK) {
		$action
		if (result == SOP_NOT_FOUND && java.err.store[0] != '\0' && (arg4 == SOP_PUT || arg4 == SOP_INSERT)) {
			result = sop_store_create(arg1, arg2, &java.err);
			if (result == SOP_OK) {
				$action
			}
		}
	}
%}

%typemap(jni) sop_put_how "jint"
%typemap(jtype) sop_put_how "int"
%typemap(jstype) sop_put_how "int"
%typemap(javain) sop_put_how "$javainput"
%typemap(in) sop_put_how "$1 = (sop_put_how)$input;"
%apply sop_put_how { sop_log_level };
%typemap(in) sop_log_level "$1 = (sop_log_level)$input;"

/* The traversal of cursors, with entries as rows. */
%ignore sop_cursor_open;
%ignore sop_cursor_first;
%ignore sop_cursor_last;
%ignore sop_cursor_next;
%ignore sop_cursor_prev;
%ignore sop_cursor_seek;
%ignore sop_cursor_entry;

/* ---- what only Java needs ---------------------------------------------------------------------- */

%{
/* Declares the store `name` with the schema `json`, if it has one; with negative `duplicates` as whatever it is. */
static sop_status java_declare(sop_db *db, sop_bytes name, sop_bytes json, int duplicates, int node_items,
			       sop_store **out, sop_error *err)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_schema *schema = NULL;
	sop_status status = json.size > 0 ? sop_schema_parse(json, &schema, err) : SOP_OK;

	options.schema = schema;
	options.duplicates = (uint32_t)duplicates;
	options.node_items = (uint32_t)node_items;
	if (status == SOP_OK)
		status = sop_store_open(db, name, duplicates < 0 ? NULL : &options, out, err);
	sop_schema_free(schema);
	return status;
}

/* Fetches from `cursor` into `batch`, which grows if one row alone needs more than JAVA_FETCH_BYTES. */
static sop_status java_fetch(sop_cursor *cursor, size_t rows_max, uint32_t flags, sop_buf *batch, sop_error *err)
{
	sop_status status;

	for (int attempt = 0;; attempt++) {
		size_t used = 0;

		status = sop_cursor_fetch(cursor, batch->data, batch->capacity, rows_max, flags, &used, err);
		if (status != SOP_LIMIT || attempt > 0 || used <= batch->capacity) {
			batch->size = used;
			return status;
		}
		status = sop_buf_reserve(batch, used, err);
		if (status != SOP_OK)
			return status;
	}
}

/* Up to `rows_max` rows of `range`, in one call: opens a cursor and fetches once. NOT_FOUND: it is empty. Where the rows end
 * with the range, JAVA_ROWS_END among their flags says so. */
static sop_status java_scan(sop_txn *txn, sop_store *store, const sop_range *range, int cursor_flags, long long rows_max,
			    int flags, sop_buf *rows, sop_error *err)
{
	sop_cursor *cursor = NULL;
	sop_status status = sop_cursor_open(txn, store, range, (uint32_t)cursor_flags, &cursor, err);

	if (status == SOP_OK && rows_max != 1)
		status = sop_buf_reserve(rows, JAVA_FETCH_BYTES, err);
	if (status == SOP_OK)
		status = java_fetch(cursor, (size_t)rows_max, (uint32_t)flags, rows, err);
	if (status == SOP_OK && rows_max != 1 && java_u32(rows->data) < rows_max) {
		uint64_t nothing = 0;
		size_t used;

		if (sop_cursor_fetch(cursor, &nothing, sizeof nothing, 1, 0, &used, NULL) == SOP_NOT_FOUND)
			((uint8_t *)rows->data)[7] |= JAVA_ROWS_END >> 24;
	}
	sop_cursor_free(cursor);
	return status;
}

/* The memory of a direct buffer. */
static long long java_address(void *direct)
{
	return (long long)(intptr_t)direct;
}

/* A get whose key and value lie in memory beside the heap (Room.java), so that this is the only crossing: the key at `at`, the
 * value behind JAVA_ROOM_KEY_BYTES. *bytes: of the value; -1: there is none; -2: it is too large for the room. */
static sop_status java_get(sop_txn *txn, sop_store *store, long long at, int key_size, int *bytes, sop_error *err)
{
	uint8_t *room = (uint8_t *)(intptr_t)at;
	sop_buf value = { .data = room + JAVA_ROOM_KEY_BYTES, .capacity = JAVA_ROOM_VALUE_BYTES };
	sop_status status = sop_get(txn, store, (sop_bytes){ room, (size_t)key_size }, &value, err);

	if (status == SOP_OK)
		*bytes = value.size <= JAVA_ROOM_VALUE_BYTES ? (int)value.size : -2;
	sop_buf_free(&value);
	return status;
}

/* Whether `key` is there, without reading its value. */
static sop_status java_has(sop_txn *txn, sop_store *store, sop_bytes key, sop_error *err)
{
	return sop_fetch(txn, store, key, 0, 0, NULL, NULL, NULL, err);
}

static sop_status java_cursor_open(sop_txn *txn, sop_store *store, const sop_range *range, int flags, sop_cursor **out,
				   sop_error *err)
{
	return sop_cursor_open(txn, store, range, (uint32_t)flags | SOP_CURSOR_COPIES, out, err);
}

/* An entry as a batch of one row. */
static sop_status java_entry(const sop_entry *entry, sop_buf *batch, sop_error *err)
{
	const uint32_t ids = SOP_ROWS_ITEM | SOP_ROWS_VERSION;
	const uint32_t one = 1, key_size = (uint32_t)entry->key.size, value_size = (uint32_t)entry->value.size;
	const size_t head = 32;
	sop_status status = sop_buf_reserve(batch, head + key_size + value_size, err);
	uint8_t *at = batch->data;

	if (status != SOP_OK)
		return status;
	memcpy(at, &one, 4);
	memcpy(at + 4, &ids, 4);
	memcpy(at + 8, &key_size, 4);
	memcpy(at + 12, &value_size, 4);
	memcpy(at + 16, &entry->item, 8);
	memcpy(at + 24, &entry->version, 8);
	if (key_size > 0)
		memcpy(at + head, entry->key.data, key_size);
	if (value_size > 0)
		memcpy(at + head + key_size, entry->value.data, value_size);
	batch->size = head + key_size + value_size;
	return SOP_OK;
}

/* Moves a cursor: 0 first, 1 last, 2 next, 3 prev; 4 stays. */
static sop_status java_cursor_move(sop_cursor *cursor, int where, sop_buf *entry, sop_error *err)
{
	static sop_status (*const moves[])(sop_cursor *, sop_entry *, sop_error *) = {
		sop_cursor_first, sop_cursor_last, sop_cursor_next, sop_cursor_prev, sop_cursor_entry
	};
	sop_entry at;
	sop_status status = moves[where](cursor, &at, err);

	return status == SOP_OK ? java_entry(&at, entry, err) : status;
}

/* `where` is a sop_seek. */
static sop_status java_cursor_seek(sop_cursor *cursor, sop_bytes key, int where, sop_buf *entry, sop_error *err)
{
	sop_entry at;
	sop_status status = sop_cursor_seek(cursor, key, (sop_seek)where, &at, err);

	return status == SOP_OK ? java_entry(&at, entry, err) : status;
}
%}

static sop_status java_declare(sop_db *db, sop_bytes name, sop_bytes json, int duplicates, int node_items, sop_store **out, sop_error *err);
static long long java_address(void *direct);
static sop_status java_get(sop_txn *txn, sop_store *store, long long at, int key_size, int *bytes, sop_error *err);
static sop_status java_scan(sop_txn *txn, sop_store *store, const sop_range *range, int cursor_flags, long long rows_max, int flags, sop_buf *rows, sop_error *err);
static sop_status java_has(sop_txn *txn, sop_store *store, sop_bytes key, sop_error *err);
static sop_status java_cursor_open(sop_txn *txn, sop_store *store, const sop_range *range, int flags, sop_cursor **out, sop_error *err);
static sop_status java_cursor_move(sop_cursor *cursor, int where, sop_buf *entry, sop_error *err);
static sop_status java_cursor_seek(sop_cursor *cursor, sop_bytes key, int where, sop_buf *entry, sop_error *err);
