#include "access.h"

#include "field_text.h"
#include "opening.h"
#include "status.h"
#include "terminal.h"
#include "text.h"
#include "try.h"

#include <errno.h>
#include <string.h>

int access_begin(struct access *access, struct invocation *invocation)
{
	const char *format = shared_option_of(invocation, "output")->text;
	const char *color = shared_option_of(invocation, "color")->text;

	memset(access, 0, sizeof *access);
	access->invocation = invocation;
	access->err = (sop_error)SOP_ERROR_INIT;
	access->style.format = is_terminal(invocation->out) ? OUTPUT_TABLE : OUTPUT_JSONL;
	if (format != NULL)
		output_format_of(format, &access->style.format);
	access->style.colour = use_colour(invocation->out, color);
	access->style.columns = is_terminal(invocation->out) ? terminal_columns(invocation->out) : 0;
	return EXIT_OK;
}

sop_status access_open(struct access *access, enum opening how)
{
	return opening_open(access->invocation, how, &access->db, &access->err);
}

sop_status access_transaction(struct access *access, uint32_t mode)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	options.mode = mode;
	return sop_begin(access->db, &options, &access->txn, &access->err);
}

sop_status access_store(struct access *access, const char *name)
{
	sop_store_info info = SOP_STORE_INFO_INIT;
	sop_buf text = SOP_BUF_INIT;
	sop_error *err = &access->err;
	sop_status status;

	TRY(sop_store_open(access->db, bytes_of(name), NULL, &access->store, err));
	access->store_name = name;
	status = sop_store_describe(access->txn, access->store, &info, &text, err);
	if (status == SOP_OK && info.has_schema != 0)
		status = sop_schema_parse(text_bytes(&text), &access->schema, err);
	access->format.schema = access->schema;
	access->duplicates = info.duplicates != 0;
	sop_buf_free(&text);
	return status;
}

void access_store_end(struct access *access)
{
	sop_store_free(access->store);
	sop_schema_free(access->schema);
	access->store = NULL;
	access->schema = NULL;
	access->format.schema = NULL;
}

sop_status access_items(struct access *access, uint32_t mode)
{
	TRY(access_open(access, mode == SOP_READ ? OPENING_LOOK : OPENING_CHANGE));
	TRY(access_transaction(access, mode));
	return access_store(access, access->invocation->arguments[0]);
}

sop_status access_commit(struct access *access)
{
	return sop_commit(access->txn, &access->err);
}

sop_status access_printed(struct access *access, bool written)
{
	if (written)
		return SOP_OK; /* all is done and said: a signal that came meanwhile came too late */
	if (errno == EPIPE) {
		access->reader_gone = true;
		return SOP_CANCELLED;
	}
	return error_set(&access->err, SOP_IO, "the answer could not be written: %s", strerror(errno));
}

sop_status access_check_signal(struct access *access)
{
	if (!interrupted())
		return SOP_OK;
	return error_set(&access->err, SOP_CANCELLED, "interrupted");
}

int access_end(struct access *access, sop_status status)
{
	struct invocation *invocation = access->invocation;
	sop_error closing = SOP_ERROR_INIT;
	int code = EXIT_OK;

	if (status != SOP_OK && !access->reader_gone)
		code = report(invocation->err, invocation->command->name, &access->err);
	if (status != SOP_OK && interrupted())
		code = EXIT_INTERRUPTED;
	sop_txn_free(access->txn);
	access_store_end(access);
	if (access->db != NULL && access->db != invocation->db) {
		if (sop_close(access->db, &closing) != SOP_OK && code == EXIT_OK)
			code = report(invocation->err, invocation->command->name, &closing);
		sop_db_free(access->db);
	}
	return code;
}

sop_status access_confirm(struct access *access, const char *what)
{
	sop_buf question = SOP_BUF_INIT;
	bool yes;

	if (shared_option_of(access->invocation, "yes")->given)
		return SOP_OK;
	if (!is_terminal(stdin) || !is_terminal(stderr))
		return error_set(&access->err, SOP_UNSUPPORTED,
				 "to %s, say --yes: there is no terminal to ask on", what);
	text_printf(&question, "%s?", what);
	yes = ask(text_string(&question));
	sop_buf_free(&question);
	if (yes)
		return SOP_OK;
	return error_set(&access->err, SOP_UNSUPPORTED, "not confirmed; nothing was done");
}

FILE *access_progress(const struct access *access)
{
	return shared_option_of(access->invocation, "quiet")->given ? NULL : access->invocation->err;
}

sop_status access_key(struct access *access, const char *text, enum key_extent extent, sop_buf *key)
{
	return key_of_text(&access->format, bytes_of(text), extent, key, &access->err);
}

enum value_kind access_values(const struct access *access)
{
	const char *kind = option_of(access->invocation, "values")->text;

	return strcmp(kind, "json") == 0      ? VALUE_JSON
	       : strcmp(kind, "counter") == 0 ? VALUE_COUNTER
					      : VALUE_BYTES;
}

/* Reads the option `name` as a bound into `room`; `given` tells whether there is one. */
static sop_status bound(struct access *access, const char *name, sop_buf *room, bool *given)
{
	const struct option_value *value = option_of(access->invocation, name);

	*given = value->given;
	if (!value->given)
		return SOP_OK;
	return access_key(access, value->text, KEY_BOUND, room);
}

static int compare(sop_bytes a, sop_bytes b)
{
	const size_t least = a.size < b.size ? a.size : b.size;
	const int found = least == 0 ? 0 : memcmp(a.data, b.data, least);

	return found != 0 ? found : (a.size > b.size) - (a.size < b.size);
}

static bool begins_with(sop_bytes key, sop_bytes with)
{
	return key.size >= with.size && (with.size == 0 || memcmp(key.data, with.data, with.size) == 0);
}

/* Cuts what starts so by the other bounds: of two beginnings the later one counts, of two ends the earlier one. */
static sop_status narrow_to_starts(struct access *access, struct access_range *range, const char *text)
{
	struct starts *starts = &range->starts;
	sop_range *all = &range->range;
	sop_bytes from, to;

	if ((all->flags & SOP_RANGE_PREFIX) != 0)
		return error_set(&access->err, SOP_MISUSE,
				 "--prefix and --starts-with exclude each other");
	TRY(starts_of_text(&access->format, bytes_of(text), starts, &access->err));
	from = text_bytes(&starts->from);
	to = text_bytes(&starts->to);
	if (starts->has_prefix) {
		all->flags |= SOP_RANGE_PREFIX;
		all->prefix = text_bytes(&starts->prefix);
	}
	if (starts->has_from && ((all->flags & SOP_RANGE_FROM) == 0 ||
				 (compare(all->from, from) < 0 && !((all->flags & SOP_RANGE_AFTER) != 0 &&
								    begins_with(from, all->from))))) {
		all->flags = (all->flags & ~(uint32_t)SOP_RANGE_AFTER) | SOP_RANGE_FROM;
		all->from = from;
	}
	if (starts->has_to && ((all->flags & SOP_RANGE_TO) == 0 || compare(to, all->to) < 0)) {
		all->flags |= SOP_RANGE_TO;
		all->to = to;
	}
	return SOP_OK;
}

sop_status access_range(struct access *access, struct access_range *range)
{
	const struct option_value *starts = option_of(access->invocation, "starts-with");
	bool from, after, to, prefix;

	TRY(bound(access, "from", &range->from, &from));
	TRY(bound(access, "after", &range->from, &after));
	TRY(bound(access, "to", &range->to, &to));
	TRY(bound(access, "prefix", &range->prefix, &prefix));
	if (from && after)
		return error_set(&access->err, SOP_MISUSE, "--from and --after exclude each other");
	if (from || after)
		range->range.flags |= SOP_RANGE_FROM | (after ? SOP_RANGE_AFTER : 0);
	if (to)
		range->range.flags |= SOP_RANGE_TO;
	if (prefix)
		range->range.flags |= SOP_RANGE_PREFIX;
	range->range.from = text_bytes(&range->from);
	range->range.to = text_bytes(&range->to);
	range->range.prefix = text_bytes(&range->prefix);
	range->bounded = from || after || to || prefix || starts->given;
	return starts->given ? narrow_to_starts(access, range, starts->text) : SOP_OK;
}

void access_range_free(struct access_range *range)
{
	sop_buf_free(&range->from);
	sop_buf_free(&range->to);
	sop_buf_free(&range->prefix);
	starts_free(&range->starts);
}
