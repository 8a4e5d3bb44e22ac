/* get, scan, count: reading items. */
#include "commands.h"
#include "item_rows.h"
#include "status.h"
#include "text.h"
#include "try.h"

#include <string.h>

#define SIGNAL_INTERVAL 1024 /* items between two looks at whether a signal came */

/* Says that `key` is not there; the others are still looked for. */
static void tell_missing(struct access *access, const char *key)
{
	complain(access->invocation->err, "get", SOP_NOT_FOUND,
		 "there is no key %s in the store '%s'", key, access->store_name);
}

static sop_status get_one(struct access *access, struct item_rows *rows, const char *text, bool *missing)
{
	const uint64_t item = (uint64_t)option_of(access->invocation, "item")->integer;
	sop_buf key = SOP_BUF_INIT;
	sop_buf whole = SOP_BUF_INIT;
	sop_buf value = SOP_BUF_INIT;
	sop_item about = { 0, 0 };
	sop_status status = access_key(access, text, KEY_NAME, &key);

	if (status == SOP_OK)
		status = sop_fetch(access->txn, access->store, text_bytes(&key), item, 0, &whole,
				   &value, &about, &access->err);
	if (status == SOP_OK && access->style.format == OUTPUT_RAW)
		status = access_printed(access,
					output_bytes(access->invocation->out, text_bytes(&value)));
	else if (status == SOP_OK)
		status = access_printed(access, item_rows_add(rows, text_bytes(&whole),
							      text_bytes(&value), &about));
	if (status == SOP_NOT_FOUND) {
		tell_missing(access, text);
		*missing = true;
		status = SOP_OK;
	}
	sop_buf_free(&key);
	sop_buf_free(&whole);
	sop_buf_free(&value);
	return status;
}

static sop_status get(struct access *access, bool *missing)
{
	struct invocation *invocation = access->invocation;
	struct item_rows rows;
	sop_status status = SOP_OK;
	bool written;

	TRY(access_items(access, SOP_READ));
	item_rows_open(&rows, access, invocation->out, ITEM_ROWS_VERSIONS);
	for (size_t i = 1; i < invocation->argument_count && status == SOP_OK; i++)
		status = get_one(access, &rows, invocation->arguments[i], missing);
	written = item_rows_close(&rows);
	return status == SOP_OK ? access_printed(access, written) : status;
}

static int run_get(struct invocation *invocation)
{
	struct access access;
	bool missing = false;
	int code;

	access_begin(&access, invocation);
	code = access_end(&access, get(&access, &missing));
	return code == EXIT_OK && missing ? EXIT_NO : code;
}

static const struct option_spec get_options[] = {
	{ "item", '\0', OPTION_INTEGER, "N", NULL, 0, INT64_MAX, "0",
	  "which of several items with this key; 0: the oldest" },
	VALUES_OPTION,
	OPTIONS_END,
};

const struct command command_get = {
	.name = "get",
	.summary = "the value of a key",
	.help = "Prints the items with the given keys: key, value, and the position that wrote it. raw prints the bytes of the "
		"value and nothing else. A key that is not there is a negative answer (exit code 1); the others are printed.\n\n"
		" sopctl get data users ann -o raw\n"
		" sopctl get data staff '[\"US\",\"2024-05-01T00:00:00Z\",7]'",
	.arguments = "URL STORE KEY...",
	.arguments_min = 3,
	.arguments_max = SIZE_MAX,
	.options = get_options,
	.run = run_get,
	.takes = TAKES_OUTPUT,
};

static sop_status scan_rows(struct access *access, sop_cursor *cursor, struct item_rows *rows, bool reverse)
{
	const struct option_value *limit = option_of(access->invocation, "limit");
	const int64_t most = limit->given ? limit->integer : INT64_MAX;
	sop_entry entry;
	sop_status status = SOP_OK;

	for (int64_t i = 0; i < most && status == SOP_OK; i++) {
		sop_item about;

		status = reverse ? sop_cursor_prev(cursor, &entry, &access->err)
				 : sop_cursor_next(cursor, &entry, &access->err);
		if (status != SOP_OK)
			break;
		about = (sop_item){ entry.version, entry.item };
		if (!item_rows_add(rows, entry.key, entry.value, &about))
			status = access_printed(access, false);
		else if (i % SIGNAL_INTERVAL == 0)
			status = access_check_signal(access);
	}
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

static sop_status scan(struct access *access, struct access_range *range)
{
	const bool reverse = option_of(access->invocation, "reverse")->given;
	const bool keys = option_of(access->invocation, "keys")->given;
	struct item_rows rows;
	sop_cursor *cursor = NULL;
	sop_status status;
	bool written;

	TRY(access_items(access, SOP_READ));
	access->format.safe_ints = option_of(access->invocation, "safe-ints")->given;
	TRY(access_range(access, range));
	TRY(sop_cursor_open(access->txn, access->store, &range->range,
			    (keys ? SOP_CURSOR_KEYS : 0) | (reverse ? SOP_CURSOR_REVERSE : 0),
			    &cursor, &access->err));
	item_rows_open(&rows, access, access->invocation->out, keys ? ITEM_ROWS_KEYS : 0);
	status = scan_rows(access, cursor, &rows, reverse);
	written = item_rows_close(&rows);
	sop_cursor_free(cursor);
	return status == SOP_OK ? access_printed(access, written) : status;
}

static int run_scan(struct invocation *invocation)
{
	struct access_range range = ACCESS_RANGE_INIT;
	struct access access;
	int code;

	access_begin(&access, invocation);
	code = access_end(&access, scan(&access, &range));
	access_range_free(&range);
	return code;
}

static const struct option_spec scan_options[] = {
	RANGE_OPTIONS,
	{ "reverse", 'r', OPTION_FLAG, NULL, NULL, 0, 0, NULL, "from the end of the range to its start" },
	{ "limit", 'n', OPTION_INTEGER, "N", NULL, 0, INT64_MAX, NULL, "at most so many items" },
	{ "keys", 'k', OPTION_FLAG, NULL, NULL, 0, 0, NULL, "keys only; values are not read" },
	{ "safe-ints", '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL,
	  "integers beyond 2^53 as {\"int\":\"...\"}, for readers that round" },
	VALUES_OPTION,
	OPTIONS_END,
};

const struct command command_scan = {
	.name = "scan",
	.summary = "the items of a store, in order",
	.help = "Prints the items of a range in the order of their keys, as of one moment. Ranges are half-open: --to is outside. "
		"Bounds may name the leading fields of a key only.\n\n"
		" sopctl scan data users --from a --to n\n"
		" sopctl scan data staff --prefix '[\"US\"]' --reverse --limit 10",
	.arguments = "URL STORE",
	.arguments_min = 2,
	.arguments_max = 2,
	.options = scan_options,
	.run = run_scan,
	.takes = TAKES_OUTPUT,
};

/* One number as the whole answer. */
sop_status print_number(struct access *access, const char *name, uint64_t number)
{
	const char *const columns[] = { name };
	char digits[24];
	const struct cell cell = cell_count(digits, number);
	struct output *output = output_open(access->invocation->out, &access->style, columns, 1, 0);

	output_row(output, &cell);
	return access_printed(access, output_close(output));
}

static sop_status count(struct access *access, struct access_range *range)
{
	uint64_t number = 0;

	TRY(access_items(access, SOP_READ));
	TRY(access_range(access, range));
	TRY(sop_count(access->txn, access->store, range->bounded ? &range->range : NULL, &number,
		      &access->err));
	return print_number(access, "count", number);
}

static int run_count(struct invocation *invocation)
{
	struct access_range range = ACCESS_RANGE_INIT;
	struct access access;
	int code;

	access_begin(&access, invocation);
	code = access_end(&access, count(&access, &range));
	access_range_free(&range);
	return code;
}

static const struct option_spec count_options[] = { RANGE_OPTIONS, OPTIONS_END };

const struct command command_count = {
	.name = "count",
	.summary = "how many items a store or a range has",
	.help = "Prints the exact number of items in the store, or in a range of it.",
	.arguments = "URL STORE",
	.arguments_min = 2,
	.arguments_max = 2,
	.options = count_options,
	.run = run_count,
	.takes = TAKES_OUTPUT,
};
