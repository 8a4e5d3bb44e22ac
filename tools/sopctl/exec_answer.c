/* Answers as lines of JSON. */
#include "exec.h"

#include "text.h"
#include "wording.h"

#include <inttypes.h>
#include <string.h>

/* What an answer needs beside its results, when all is well. */
#define ENVELOPE_BYTES ((size_t)512)

static void write_name(const char *name, sop_buf *out)
{
	text_printf(out, ",\"%s\":", name);
}

static void write_text(const char *name, const char *text, sop_buf *out)
{
	write_name(name, out);
	json_write_string(bytes_of(text), out);
}

static void write_id(const struct json *id, sop_buf *out)
{
	text_puts(out, "{\"id\":");
	if (id == NULL)
		text_puts(out, "null");
	else
		json_write(id, out);
}

void answer_begin(struct answer *answer, const struct json *id)
{
	const size_t reserved = ENVELOPE_BYTES + (id == NULL ? 0 : 6 * id->text.size);

	answer->status = SOP_OK;
	answer->err = (sop_error)SOP_ERROR_INIT;
	answer->op = -1;
	answer->has_txn = answer->has_position = answer->has_results = false;
	answer->results_max = EXEC_LINE_BYTES_MAX - reserved;
	text_clear(&answer->results);
	text_clear(&answer->more);
	text_clear(&answer->store);
	text_clear(&answer->key);
}

void answer_fault(struct answer *answer, const struct request *request)
{
	answer->err = request->fault;
	answer->status = request->fault.status;
	answer->op = request->fault_op;
}

/* Where the entry `index` of the results begins, which are the members of an array: text with balanced brackets. */
static size_t entry_at(const sop_buf *results, int64_t index)
{
	const char *text = results->data;
	unsigned depth = 0;
	bool quoted = false;

	for (size_t at = 0; at < results->size; at++) {
		if (quoted && text[at] == '\\')
			at++; /* what it escapes ends nothing */
		else if (text[at] == '"')
			quoted = !quoted;
		else if (!quoted && (text[at] == '{' || text[at] == '['))
			depth++;
		else if (!quoted && (text[at] == '}' || text[at] == ']'))
			depth--;
		else if (!quoted && depth == 0 && text[at] == ',' && --index == 0)
			return at;
	}
	return results->size;
}

void answer_blame(struct answer *answer, int64_t index)
{
	answer->op = index;
	answer->results.size = index == 0 ? 0 : entry_at(&answer->results, index);
}

void answer_free(struct answer *answer)
{
	sop_buf_free(&answer->results);
	sop_buf_free(&answer->more);
	sop_buf_free(&answer->store);
	sop_buf_free(&answer->key);
}

static void write_uuid(const char *name, const uint8_t uuid[16], sop_buf *out)
{
	const sop_value value = sop_value_uuid(uuid);
	char room[64];
	sop_buf text = SOP_BUF_OVER(room);

	if (sop_value_text(&value, &text, NULL) != SOP_OK)
		return;
	write_name(name, out);
	text_putc(out, '"');
	text_add(out, text.data, text.size);
	text_putc(out, '"');
	sop_buf_free(&text);
}

static void write_traits(uint32_t traits, sop_buf *out)
{
	static const char *const names[] = { "RETRY", "ABORT", "MAYBE_COMMITTED", "FATAL", "MISUSE" };
	bool first = true;

	text_puts(out, ",\"traits\":[");
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		if ((traits >> i & 1) == 0)
			continue;
		text_printf(out, "%s\"%s\"", first ? "" : ",", names[i]);
		first = false;
	}
	text_putc(out, ']');
}

static void write_status(sop_status status, sop_buf *out)
{
	text_printf(out, "\"status\":\"%s\"", sop_status_name(status));
}

/* What `err` says behind its status. */
static void write_details(const sop_error *err, sop_buf *out)
{
	char room[WORDING_BYTES];

	write_traits(sop_status_traits(err->status), out);
	write_text("message", wording_of(err, room), out);
	if (err->store[0] != '\0')
		write_text("store", err->store, out);
	if (err->file[0] != '\0')
		write_text("file", err->file, out);
	if (err->file[0] != '\0' && err->offset >= 0)
		text_printf(out, ",\"offset\":%" PRId64, err->offset);
}

void answer_write_error(const sop_error *err, sop_buf *out)
{
	write_status(err->status, out);
	write_details(err, out);
}

static void write_failure(struct answer *answer, sop_buf *line)
{
	answer->err.status = answer->status;
	if (answer->store.size > 0) /* said below, with the key */
		answer->err.store[0] = '\0';
	write_details(&answer->err, line);
	if (answer->store.size > 0) {
		write_name("store", line);
		json_write_string(text_bytes(&answer->store), line);
	}
	if (answer->key.size > 0) {
		write_name("key", line);
		text_add(line, answer->key.data, answer->key.size);
	}
	if (answer->op >= 0)
		text_printf(line, ",\"op\":%" PRId64, answer->op);
}

void answer_write(struct exec *exec, struct answer *answer, const struct json *id, sop_buf *line)
{
	text_clear(line);
	write_id(id, line);
	text_putc(line, ',');
	write_status(answer->status, line);
	if (answer->has_txn)
		write_uuid("txn", answer->txn, line);
	if (answer->has_position) {
		write_name("position", line);
		item_uint_write(exec->safe_ints, answer->position, line);
	}
	if (answer->status != SOP_OK)
		write_failure(answer, line);
	text_add(line, answer->more.data, answer->more.size);
	/* What a failed request read is left out where the line would be too long with it. */
	if (answer->has_results && line->size + answer->results.size + 16 <= EXEC_LINE_BYTES_MAX) {
		text_puts(line, ",\"results\":[");
		text_add(line, answer->results.data, answer->results.size);
		text_putc(line, ']');
	}
	text_puts(line, "}\n");
}
