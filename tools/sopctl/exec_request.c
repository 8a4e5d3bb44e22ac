/* The form of a request: which members it may have, and what they must be. Nothing is run here, and no store is known. */
#include "exec.h"

#include "status.h"
#include "text.h"
#include "try.h"

#include <inttypes.h>
#include <string.h>

#define SHOWN_BYTES_MAX 60 /* of a name that is not known, in a message */

/* ---- members and what they must be */

struct reader {
	struct request *request;
	sop_error *err;
};

typedef sop_status (*member_reader)(struct reader *reader, const struct json *value);

struct member {
	const char *name;
	member_reader read;
};

static int shown(sop_bytes text)
{
	return (int)(text.size < SHOWN_BYTES_MAX ? text.size : SHOWN_BYTES_MAX);
}

static sop_status must_be(struct reader *reader, const char *name, const char *what)
{
	return error_set(reader->err, SOP_MISUSE, "\"%s\" must be %s", name, what);
}

static sop_status take_bool(struct reader *reader, const struct json *value, const char *name, bool *out)
{
	if (value->type != JSON_TRUE && value->type != JSON_FALSE)
		return must_be(reader, name, "true or false");
	*out = value->type == JSON_TRUE;
	return SOP_OK;
}

static sop_status take_uuid(struct reader *reader, const struct json *value, const char *name,
			    uint8_t out[16])
{
	static const uint8_t none[16] = { 0 };
	sop_value uuid = sop_value_null();

	if (value->type != JSON_STRING ||
	    sop_value_parse(SOP_TYPE_UUID, value->text, &uuid, NULL) != SOP_OK ||
	    memcmp(uuid.as.uuid, none, sizeof none) == 0)
		return must_be(reader, name,
			       "a transaction id: a UUID of 8-4-4-4-12 hex digits, not all 0");
	memcpy(out, uuid.as.uuid, 16);
	return SOP_OK;
}

/* The index of a word in `words`, which ends with NULL; -1 if it is none of them. */
static int word_index(const struct json *value, const char *const *words)
{
	if (value->type != JSON_STRING)
		return -1;
	for (int i = 0; words[i] != NULL; i++) {
		if (json_is(value->text, words[i]))
			return i;
	}
	return -1;
}

/* ---- how a transaction begins */

static sop_status read_mode(struct reader *reader, const struct json *value)
{
	static const char *const words[] = { "write", "read", "snapshot", "nocheck", NULL };
	const int index = word_index(value, words); /* in the order of sop_mode */

	if (index < 0)
		return must_be(reader, "mode", "\"write\", \"read\", \"snapshot\" or \"nocheck\"");
	reader->request->begin.options.mode = (uint32_t)index;
	return SOP_OK;
}

static sop_status read_durability(struct reader *reader, const struct json *value)
{
	static const char *const words[] = { "flushed", "written", "buffered", NULL };
	const int index = word_index(value, words); /* in the order of sop_durability, which begins with 1 */

	if (index < 0)
		return must_be(reader, "durability", "\"flushed\", \"written\" or \"buffered\"");
	reader->request->begin.options.durability = (uint32_t)index + 1;
	return SOP_OK;
}

static sop_status read_deadline(struct reader *reader, const struct json *value)
{
	sop_value number;
	const sop_status status = json_integer(value, &number, reader->err);

	if (status == SOP_SCHEMA || (status == SOP_OK && number.type == SOP_TYPE_UINT))
		return error_set(reader->err, SOP_LIMIT, "\"deadline_ms\" is beyond 10 years");
	if (status != SOP_OK || number.as.integer < 0)
		return must_be(reader, "deadline_ms", "a number of milliseconds, an integer");
	reader->request->begin.options.deadline_ms = number.as.integer;
	reader->request->begin.expired = number.as.integer == 0;
	return SOP_OK;
}

static sop_status read_retry(struct reader *reader, const struct json *value)
{
	return take_bool(reader, value, "retry", &reader->request->begin.retry);
}

static sop_status read_txn(struct reader *reader, const struct json *value)
{
	return take_uuid(reader, value, "txn", reader->request->begin.options.id);
}

/* ---- the members of requests */

static sop_status read_id(struct reader *reader, const struct json *value)
{
	if (value->type == JSON_ARRAY || value->type == JSON_OBJECT)
		return must_be(reader, "id", "a string, a number, true, false or null");
	if (value->text.size > EXEC_ID_BYTES_MAX)
		return error_set(reader->err, SOP_LIMIT, "\"id\" has %zu bytes; %zu are the limit",
				 value->text.size, EXEC_ID_BYTES_MAX);
	reader->request->id = value;
	return SOP_OK;
}

static sop_status read_session(struct reader *reader, const struct json *value)
{
	if (value->type != JSON_STRING || value->text.size == 0)
		return must_be(reader, "session", "a string of 1 to 255 bytes");
	if (value->text.size > EXEC_SESSION_NAME_BYTES_MAX)
		return error_set(reader->err, SOP_LIMIT,
				 "\"session\" has %zu bytes; 255 are the limit", value->text.size);
	reader->request->session = value->text;
	return SOP_OK;
}

static sop_status read_ops(struct reader *reader, const struct json *value)
{
	int64_t index = 0;

	if (value->type != JSON_ARRAY)
		return must_be(reader, "ops", "an array of operations");
	reader->request->ops = value;
	for (const struct json *op = value->first; op != NULL; op = op->next, index++) {
		const sop_status status = operation_check(op, reader->err);

		if (status != SOP_OK) {
			reader->request->fault_op = index;
			return status;
		}
	}
	return SOP_OK;
}

static sop_status read_commit(struct reader *reader, const struct json *value)
{
	return take_bool(reader, value, "commit", &reader->request->commits);
}

static sop_status read_rollback(struct reader *reader, const struct json *value)
{
	return take_bool(reader, value, "rollback", &reader->request->rolls_back);
}

static sop_status read_prepare(struct reader *reader, const struct json *value)
{
	return take_bool(reader, value, "prepare", &reader->request->prepares);
}

static sop_status read_outcome(struct reader *reader, const struct json *value)
{
	return take_uuid(reader, value, "outcome", reader->request->transaction);
}

static sop_status read_resolve(struct reader *reader, const struct json *value)
{
	return take_uuid(reader, value, "resolve", reader->request->transaction);
}

/* The value of a request that is asked for by its name alone. */
static sop_status read_true(struct reader *reader, const struct json *value)
{
	if (value->type != JSON_TRUE)
		return error_set(reader->err, SOP_MISUSE,
				 "what is asked for by name must be true, as in \"sync\":true");
	return SOP_OK;
}

static sop_status read_begin(struct reader *reader, const struct json *value);

#define BEGIN_MEMBERS                                                                               \
	{ "mode", read_mode }, { "durability", read_durability }, { "deadline_ms", read_deadline }, \
	{                                                                                           \
		"txn", read_txn                                                                     \
	}

static const struct member begin_members[] = { BEGIN_MEMBERS, { NULL, NULL } };
static const struct member transaction_members[] = { { "id", read_id },
						     { "ops", read_ops },
						     BEGIN_MEMBERS,
						     { "retry", read_retry },
						     { NULL, NULL } };
static const struct member step_members[] = {
	{ "id", read_id },	     { "session", read_session },
	{ "begin", read_begin },     { "ops", read_ops },
	{ "commit", read_commit },   { "rollback", read_rollback },
	{ "prepare", read_prepare }, { NULL, NULL }
};
static const struct member outcome_members[] = { { "id", read_id },
						 { "outcome", read_outcome },
						 { NULL, NULL } };
static const struct member sync_members[] = { { "id", read_id }, { "sync", read_true }, { NULL, NULL } };
static const struct member stats_members[] = { { "id", read_id }, { "stats", read_true }, { NULL, NULL } };
static const struct member checkpoint_members[] = { { "id", read_id },
						    { "checkpoint", read_true },
						    { NULL, NULL } };
static const struct member verify_members[] = { { "id", read_id }, { "verify", read_true }, { NULL, NULL } };
static const struct member gc_members[] = { { "id", read_id }, { "gc", read_true }, { NULL, NULL } };
static const struct member indoubt_members[] = { { "id", read_id },
						 { "indoubt", read_true },
						 { NULL, NULL } };
static const struct member resolve_members[] = { { "id", read_id },
						 { "resolve", read_resolve },
						 { "commit", read_commit },
						 { NULL, NULL } };

/* The kinds of requests, each known by a member that only it has; the first that is there counts. */
static const struct {
	const char *name;
	enum request_kind kind;
	const struct member *members;
} kinds[] = {
	{ "session", REQUEST_STEP, step_members },
	{ "ops", REQUEST_TRANSACTION, transaction_members },
	{ "outcome", REQUEST_OUTCOME, outcome_members },
	{ "sync", REQUEST_SYNC, sync_members },
	{ "stats", REQUEST_STATS, stats_members },
	{ "checkpoint", REQUEST_CHECKPOINT, checkpoint_members },
	{ "verify", REQUEST_VERIFY, verify_members },
	{ "gc", REQUEST_GC, gc_members },
	{ "indoubt", REQUEST_INDOUBT, indoubt_members },
	{ "resolve", REQUEST_RESOLVE, resolve_members },
};

/* Reads every member of `object`, each of which must be one of `members`. */
static sop_status read_members(struct reader *reader, const struct json *object,
			       const struct member *members)
{
	for (const struct json *value = object->first; value != NULL; value = value->next) {
		const struct member *member = members;

		while (member->name != NULL && !json_is(value->name, member->name))
			member++;
		if (member->name == NULL)
			return error_set(reader->err, SOP_MISUSE,
					 "there is no field \"%.*s\" in such a request",
					 shown(value->name), (const char *)value->name.data);
		TRY(member->read(reader, value));
	}
	return SOP_OK;
}

static sop_status read_begin(struct reader *reader, const struct json *value)
{
	if (value->type != JSON_OBJECT)
		return must_be(reader, "begin", "an object, such as {}");
	reader->request->begins = true;
	return read_members(reader, value, begin_members);
}

/* What members of a request must be together. */
static sop_status check_together(struct reader *reader, const struct json *root)
{
	const struct request *request = reader->request;

	if (request->commits + request->rolls_back + request->prepares > 1)
		return error_set(reader->err, SOP_MISUSE,
				 "a step has one of \"commit\", \"rollback\" and \"prepare\", not two");
	if (request->kind == REQUEST_RESOLVE && json_member(root, "commit") == NULL)
		return error_set(reader->err, SOP_MISUSE,
				 "\"resolve\" needs \"commit\":true or \"commit\":false");
	return SOP_OK;
}

/* Takes id and session before anything else, so that an answer has the id, and a session is rolled back, whatever else is
 * wrong. */
static sop_status read_names(struct reader *reader, const struct json *root)
{
	sop_error *err = reader->err;
	sop_error later = SOP_ERROR_INIT;
	const struct json *session = json_member(root, "session");
	const struct json *id = json_member(root, "id");
	sop_status status = SOP_OK;

	if (id != NULL)
		status = read_id(reader, id);
	if (session != NULL) {
		reader->err = status == SOP_OK ? err : &later;
		if (read_session(reader, session) != SOP_OK && status == SOP_OK)
			status = err->status;
		reader->err = err;
	}
	return status;
}

static sop_status read_request(struct reader *reader, const struct json *root)
{
	const struct json_document *document = &reader->request->document;
	const struct member *members = NULL;

	TRY(read_names(reader, root));
	if (document->repeated != NULL)
		return error_set(reader->err, SOP_MISUSE, "the field \"%.*s\" is there twice",
				 shown(document->repeated->name),
				 (const char *)document->repeated->name.data);
	if (document->too_deep)
		return error_set(reader->err, SOP_LIMIT, "JSON nests deeper than %d levels",
				 JSON_DEPTH_MAX);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && members == NULL; i++) {
		if (json_member(root, kinds[i].name) != NULL) {
			members = kinds[i].members;
			reader->request->kind = kinds[i].kind;
		}
	}
	if (members == NULL)
		return error_set(reader->err, SOP_MISUSE,
				 "nothing is asked for: \"ops\", \"session\", \"outcome\", \"sync\", \"stats\", "
				 "\"checkpoint\", \"verify\" or \"gc\" is missing");
	TRY(read_members(reader, root, members));
	return check_together(reader, root);
}

void request_read(struct request *request)
{
	struct reader reader = { request, &request->fault };
	const struct json *root;

	if (json_parse(&request->document, text_bytes(&request->line), &request->fault) != SOP_OK)
		return;
	root = request->document.root;
	if (root->type != JSON_OBJECT) {
		error_set(&request->fault, SOP_MISUSE,
			  "a request is a JSON object; this is something else");
		return;
	}
	if (read_request(&reader, root) == SOP_OK)
		request->fault.status = SOP_OK; /* whatever was tried and found not to matter */
}

void request_reset(struct request *request)
{
	request->id = NULL;
	request->kind = REQUEST_TRANSACTION;
	request->session = (sop_bytes){ NULL, 0 };
	request->begins = request->commits = request->rolls_back = request->prepares = false;
	request->begin = (struct begin){ .options = SOP_TXN_OPTIONS_INIT };
	request->ops = NULL;
	request->fault = (sop_error)SOP_ERROR_INIT;
	request->fault_op = -1;
	text_clear(&request->line);
}

void request_free(struct request *request)
{
	json_free(&request->document);
	sop_buf_free(&request->line);
}
