/* put, del: changing items. */
#include "access.h"
#include "commands.h"
#include "field_text.h"
#include "file.h"
#include "status.h"
#include "text.h"
#include "try.h"

#include <string.h>

/* The value as its text says it: JSON stays as it is written, a counter becomes its 8 bytes. */
static sop_status value_of_kind(struct access *access, sop_buf *room, sop_bytes *value)
{
	struct json_document document = JSON_DOCUMENT_INIT;
	sop_status status = json_parse(&document, *value, &access->err);

	if (access_values(access) == VALUE_COUNTER && (status == SOP_OK || status == SOP_MISUSE)) {
		status = item_counter_read(status == SOP_OK ? document.root : NULL, room, &access->err);
		*value = text_bytes(room);
	}
	json_free(&document);
	return status;
}

/* The value to put: the argument, or the content of a file; `room` holds it where it is no argument. */
static sop_status value_given(struct access *access, sop_buf *room, sop_bytes *value)
{
	const struct invocation *invocation = access->invocation;
	const char *path = option_of(invocation, "file")->text;

	if ((path != NULL) == (invocation->argument_count == 3))
		return error_set(&access->err, SOP_MISUSE,
				 "the value is either an argument behind the key, or the content of --file FILE");
	if (path == NULL && access_values(access) == VALUE_BYTES)
		return bytes_of_text(bytes_of(invocation->arguments[2]), room, value, &access->err);
	if (path != NULL)
		TRY(file_read(path, SOP_VALUE_BYTES_MAX, room, &access->err));
	*value = path != NULL ? text_bytes(room) : bytes_of(invocation->arguments[2]);
	return access_values(access) == VALUE_BYTES ? SOP_OK : value_of_kind(access, room, value);
}

static sop_status put_item(struct access *access, sop_bytes key, sop_bytes value)
{
	const struct invocation *invocation = access->invocation;
	const uint64_t item = (uint64_t)option_of(invocation, "item")->integer;
	const bool insert = option_of(invocation, "insert")->given;
	const bool update = option_of(invocation, "update")->given;
	uint64_t made = 0;

	if (insert && update)
		return error_set(&access->err, SOP_MISUSE, "--insert and --update exclude each other");
	if (update)
		return sop_update(access->txn, access->store, key, item, value, &access->err);
	if (!insert && !access->duplicates)
		return sop_put(access->txn, access->store, key, value, &access->err);
	TRY(sop_insert(access->txn, access->store, key, value, &made, &access->err));
	return access->duplicates ? print_number(access, "item", made) : SOP_OK;
}

static sop_status put(struct access *access)
{
	sop_buf key = SOP_BUF_INIT;
	sop_buf room = SOP_BUF_INIT;
	sop_bytes value = { NULL, 0 };
	sop_status status;

	TRY(access_items(access, SOP_WRITE));
	status = access_key(access, access->invocation->arguments[1], KEY_WHOLE, &key);
	if (status == SOP_OK)
		status = value_given(access, &room, &value);
	if (status == SOP_OK)
		status = put_item(access, text_bytes(&key), value);
	if (status == SOP_OK)
		status = access_commit(access);
	sop_buf_free(&key);
	sop_buf_free(&room);
	return status;
}

static int run_put(struct invocation *invocation)
{
	struct access access;

	access_begin(&access, invocation);
	return access_end(&access, put(&access));
}

static const struct option_spec put_options[] = {
	{ "file", 'f', OPTION_TEXT, "FILE", NULL, 0, 0, NULL,
	  "take the value from a file, - from standard input" },
	{ "insert", '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL, "only if the key is not there" },
	{ "update", '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL,
	  "only if the key is there; keeps fields that ride along and are left out" },
	{ "item", '\0', OPTION_INTEGER, "N", NULL, 0, INT64_MAX, "0",
	  "with --update: which of several items with this key; 0: the oldest" },
	VALUES_OPTION,
	OPTIONS_END,
};

const struct command command_put = {
	.name = "put",
	.summary = "put a value under a key",
	.help = "Puts one item, added or replaced; on stable storage when the command ends. In a store that keeps equal keys it is "
		"always added, and the number of the new item is printed.\n\n"
		" sopctl put data users ann '{\"age\":30}'\n"
		" sopctl put data films matrix --file matrix.mkv",
	.arguments = "URL STORE KEY [VALUE]",
	.arguments_min = 3,
	.arguments_max = 4,
	.options = put_options,
	.run = run_put,
	.takes = TAKES_OUTPUT,
};

static sop_status remove_keys(struct access *access, uint64_t *removed)
{
	const struct invocation *invocation = access->invocation;
	const uint64_t item = (uint64_t)option_of(invocation, "item")->integer;
	sop_buf key = SOP_BUF_INIT;
	sop_status status = SOP_OK;

	for (size_t i = 1; i < invocation->argument_count && status == SOP_OK; i++) {
		status = access_key(access, invocation->arguments[i], KEY_NAME, &key);
		if (status == SOP_OK)
			status = sop_remove(access->txn, access->store, text_bytes(&key), item,
					    &access->err);
		if (status == SOP_NOT_FOUND)
			error_set(&access->err, SOP_NOT_FOUND,
				  "there is no key %s in the store '%s'; nothing was removed",
				  invocation->arguments[i], access->store_name);
		(*removed)++;
	}
	sop_buf_free(&key);
	return status;
}

static sop_status remove_many(struct access *access, const struct access_range *range, uint64_t *removed)
{
	const sop_range *bounds = range->bounded ? &range->range : NULL;
	sop_buf what = SOP_BUF_INIT;
	uint64_t number = 0;
	sop_status status;

	TRY(sop_count(access->txn, access->store, bounds, &number, &access->err));
	text_puts(&what, "remove ");
	text_count(&what, number);
	text_printf(&what, " items from the store '%s'", access->store_name);
	status = access_confirm(access, text_string(&what));
	sop_buf_free(&what);
	TRY(status);
	return sop_remove_range(access->txn, access->store, bounds, removed, &access->err);
}

/* Whether the bounds leave nothing out, as those that came from an empty variable of a shell. */
static bool has_all(const sop_range *range)
{
	return (range->flags & (SOP_RANGE_TO | SOP_RANGE_AFTER)) == 0 &&
	       ((range->flags & SOP_RANGE_FROM) == 0 || range->from.size == 0) &&
	       ((range->flags & SOP_RANGE_PREFIX) == 0 || range->prefix.size == 0);
}

static sop_status del(struct access *access, struct access_range *range)
{
	const bool keys = access->invocation->argument_count > 1;
	const bool all = option_of(access->invocation, "all")->given;
	uint64_t removed = 0;

	TRY(access_items(access, SOP_WRITE));
	TRY(access_range(access, range));
	if (keys + all + range->bounded != 1)
		return error_set(&access->err, SOP_MISUSE,
				 "say what to remove: either keys, or a range, or --all");
	if (range->bounded && has_all(&range->range))
		return error_set(&access->err, SOP_MISUSE,
				 "bounds that are empty leave no key out; say --all to remove all items");
	TRY(keys ? remove_keys(access, &removed) : remove_many(access, range, &removed));
	TRY(access_commit(access));
	return print_number(access, "removed", removed);
}

static int run_del(struct invocation *invocation)
{
	struct access_range range = ACCESS_RANGE_INIT;
	struct access access;
	int code;

	access_begin(&access, invocation);
	code = access_end(&access, del(&access, &range));
	access_range_free(&range);
	return code;
}

static const struct option_spec del_options[] = {
	RANGE_OPTIONS,
	{ "all", '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL, "all items; the store stays" },
	{ "item", '\0', OPTION_INTEGER, "N", NULL, 0, INT64_MAX, "0",
	  "which of several items with this key; 0: the oldest" },
	OPTIONS_END,
};

const struct command command_del = {
	.name = "del",
	.summary = "remove keys, or a range of them",
	.help = "Removes the items with the given keys, or those of a range, or all: in one transaction, so either all of them or, if "
		"a key is not there (exit code 1), none. A range is removed after a question only, which --yes answers. Bounds "
		"that are empty, and so leave no key out, are refused: --all says so.",
	.arguments = "URL STORE [KEY...]",
	.arguments_min = 2,
	.arguments_max = SIZE_MAX,
	.options = del_options,
	.run = run_del,
	.takes = TAKES_OUTPUT | TAKES_YES,
};
