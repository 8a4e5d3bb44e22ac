/* create, drop, rename: databases and stores. */
#include "stores.h"
#include "access.h"
#include "commands.h"
#include "file.h"
#include "status.h"
#include "text.h"
#include "try.h"

#include <string.h>

#define SCHEMA_TEXT_BYTES_MAX 65536

static sop_status schema_given(const char *text, sop_schema **schema, sop_error *err)
{
	sop_buf room = SOP_BUF_INIT;
	sop_bytes json = bytes_of(text);
	sop_status status = SOP_OK;

	if (text[0] == '@') {
		status = file_read(text + 1, SCHEMA_TEXT_BYTES_MAX, &room, err);
		json = text_bytes(&room);
	}
	if (status == SOP_OK)
		status = sop_schema_parse(json, schema, err);
	sop_buf_free(&room);
	return status;
}

sop_status store_create(struct access *access, const char *name)
{
	const struct invocation *invocation = access->invocation;
	const char *text = option_of(invocation, "schema")->text;
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_schema *schema = NULL;
	sop_store *store = NULL;
	sop_status status = text != NULL ? schema_given(text, &schema, &access->err) : SOP_OK;

	options.schema = schema;
	options.duplicates = option_of(invocation, "duplicates")->given;
	options.node_items = (uint32_t)option_of(invocation, "node-items")->integer;
	if (status == SOP_OK)
		status = sop_store_open(access->db, bytes_of(name), &options, &store, &access->err);
	if (status == SOP_OK)
		status = sop_store_create(access->txn, store, &access->err);
	sop_store_free(store);
	sop_schema_free(schema);
	return status;
}

/* Opens the database, which is made if it is missing; `made` tells. */
static sop_status open_or_make(struct access *access, bool *made)
{
	const sop_status status = access_open(access, OPENING_CHANGE);

	*made = status == SOP_NOT_FOUND;
	return *made ? access_open(access, OPENING_CREATE) : status;
}

static sop_status create(struct access *access)
{
	const struct invocation *invocation = access->invocation;
	const bool if_missing = option_of(invocation, "if-missing")->given;
	bool made = false;
	sop_status status;

	TRY(open_or_make(access, &made));
	if (invocation->argument_count == 0) {
		if (made || if_missing)
			return SOP_OK;
		return error_set(&access->err, SOP_EXISTS, "there is a database already");
	}
	TRY(access_transaction(access, SOP_WRITE));
	status = store_create(access, invocation->arguments[0]);
	if (status == SOP_EXISTS && if_missing)
		return SOP_OK;
	TRY(status);
	return access_commit(access);
}

static int run_create(struct invocation *invocation)
{
	struct access access;

	access_begin(&access, invocation);
	return access_end(&access, create(&access));
}

static const struct option_spec create_options[] = {
	STORE_OPTIONS,
	{ "if-missing", '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL, "what is there already is no error" },
	OPTIONS_END,
};

const struct command command_create = {
	.name = "create",
	.summary = "make a database, or a store in it",
	.help = "Without STORE makes an empty database. With it makes the store, and the database if it is missing. What is there "
		"already is a negative answer (exit code 1) unless --if-missing is given.\n\n"
		" sopctl create data users\n"
		" sopctl create data staff --schema @staff.json",
	.arguments = "URL [STORE]",
	.arguments_min = 1,
	.arguments_max = 2,
	.options = create_options,
	.run = run_create,
};

static sop_status drop(struct access *access)
{
	sop_buf what = SOP_BUF_INIT;
	uint64_t items = 0;
	sop_status status;

	TRY(access_items(access, SOP_WRITE));
	TRY(sop_count(access->txn, access->store, NULL, &items, &access->err));
	text_printf(&what, "drop the store '%s' and its ", access->store_name);
	text_count(&what, items);
	text_puts(&what, " items");
	status = access_confirm(access, text_string(&what));
	sop_buf_free(&what);
	TRY(status);
	TRY(sop_store_drop(access->txn, access->store, &access->err));
	return access_commit(access);
}

static int run_drop(struct invocation *invocation)
{
	struct access access;

	access_begin(&access, invocation);
	return access_end(&access, drop(&access));
}

const struct command command_drop = {
	.name = "drop",
	.summary = "drop a store with all its items",
	.help = "Drops the store after a question, which --yes answers. Without a terminal to ask on, --yes is needed.",
	.arguments = "URL STORE",
	.arguments_min = 2,
	.arguments_max = 2,
	.run = run_drop,
	.takes = TAKES_YES,
};

static sop_status rename_store(struct access *access)
{
	TRY(access_items(access, SOP_WRITE));
	TRY(sop_store_rename(access->txn, access->store, bytes_of(access->invocation->arguments[1]),
			     &access->err));
	return access_commit(access);
}

static int run_rename(struct invocation *invocation)
{
	struct access access;

	access_begin(&access, invocation);
	return access_end(&access, rename_store(&access));
}

const struct command command_rename = {
	.name = "rename",
	.summary = "rename a store",
	.help = "Gives the store another name, which must be free.",
	.arguments = "URL STORE NAME",
	.arguments_min = 3,
	.arguments_max = 3,
	.run = run_rename,
};
