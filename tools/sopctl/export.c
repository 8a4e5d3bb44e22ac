/* export: the items of a store as JSON lines or CSV that import reads. */
#include "commands.h"
#include "item_rows.h"
#include "status.h"
#include "terminal.h"
#include "text.h"
#include "try.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SIGNAL_INTERVAL 1024 /* items between two looks at whether a signal came */

struct export
{
	struct access access;
	struct access_range range;
	struct item_rows rows;
	struct progress shown;
	FILE *file;
	const char *path; /* of the file that is being made, or NULL */
	uint64_t items;
};

/* Makes the file, which must not exist: nothing is ever overwritten. */
static sop_status open_file(struct export *export)
{
	const struct invocation *invocation = export->access.invocation;
	const char *path = invocation->argument_count > 1 ? invocation->arguments[1] : "-";
	const char *format = option_of(invocation, "format")->text;
	const size_t size = strlen(path);
	const bool named_csv = size > 4 && strcmp(path + size - 4, ".csv") == 0;

	export->access.style.format =
		(format != NULL ? strcmp(format, "csv") == 0 : named_csv) ? OUTPUT_CSV : OUTPUT_JSONL;
	export->access.style.columns = 0;
	export->file = invocation->out;
	if (strcmp(path, "-") == 0)
		return SOP_OK;
	export->file = fopen(path, "wbx");
	if (export->file == NULL)
		return error_set(&export->access.err, errno == EEXIST ? SOP_EXISTS : SOP_IO,
				 "%s cannot be made: %s", path, strerror(errno));
	export->path = path;
	return SOP_OK;
}

/* A value that is no JSON would be printed as a string, which import could not tell from a JSON string; one that is no
 * counter import would refuse. */
static sop_status not_added(struct export *export)
{
	if (!export->rows.strayed)
		return access_printed(&export->access, false);
	return error_set(&export->access.err, SOP_SCHEMA,
			 export->rows.kind == VALUE_JSON
				 ? "the value of item %llu is no JSON: leave --values json out"
				 : "the value of item %llu is no counter, which has 8 bytes: leave --values counter out",
			 (unsigned long long)export->items + 1);
}

static sop_status write_items(struct export *export, sop_cursor *cursor)
{
	struct access *access = &export->access;
	sop_entry entry;
	uint64_t bytes = 0;

	for (;;) {
		const sop_status status = sop_cursor_next(cursor, &entry, &access->err);
		const sop_item about = { entry.version, entry.item };

		if (status != SOP_OK)
			return status == SOP_NOT_FOUND ? SOP_OK : status;
		if (!item_rows_add(&export->rows, entry.key, entry.value, &about))
			return not_added(export);
		bytes += entry.key.size + entry.value.size;
		progress_at(&export->shown, ++export->items, bytes);
		if (export->items % SIGNAL_INTERVAL == 0)
			TRY(access_check_signal(access));
	}
}

static sop_status export_items(struct export *export)
{
	struct access *access = &export->access;
	sop_cursor *cursor = NULL;
	sop_status status;
	bool written;

	TRY(access_items(access, SOP_READ));
	TRY(access_range(access, &export->range));
	TRY(open_file(export));
	TRY(sop_cursor_open(access->txn, access->store, &export->range.range, 0, &cursor, &access->err));
	progress_begin(&export->shown, access_progress(access), "export", 0);
	item_rows_open(&export->rows, access, export->file, ITEM_ROWS_PLAIN | ITEM_ROWS_ONLY);
	status = write_items(export, cursor);
	written = item_rows_close(&export->rows);
	if (written && export->path != NULL)
		written = fsync(fileno(export->file)) == 0;
	progress_end(&export->shown);
	sop_cursor_free(cursor);
	return status == SOP_OK ? access_printed(access, written) : status;
}

static int run_export(struct invocation *invocation)
{
	struct export export;
	sop_status status;

	memset(&export, 0, sizeof export);
	export.range = (struct access_range)ACCESS_RANGE_INIT;
	access_begin(&export.access, invocation);
	status = export_items(&export);
	if (export.path != NULL) {
		fclose(export.file);
		if (status != SOP_OK)
			unlink(export.path); /* half a file would be taken for a whole one */
	}
	access_range_free(&export.range);
	return access_end(&export.access, status);
}

static const struct option_spec export_options[] = {
	RANGE_OPTIONS,
	{ "format", 'f', OPTION_WORD, "FORMAT", "jsonl|csv", 0, 0, NULL,
	  "what to write; csv for files called so, else jsonl" },
	VALUES_OPTION,
	OPTIONS_END,
};

const struct command command_export = {
	.name = "export",
	.summary = "items as JSON lines or CSV",
	.help = "Writes the items of the store, or of a range of it, to FILE (or standard output), as of one moment, so that import "
		"brings them back without loss. With --values json, which import must be given, too, a value that is no JSON "
		"ends it (exit code 2). A file that is there is never overwritten (exit code 1).\n\n"
		" sopctl export data users users.jsonl\n"
		" sopctl export data staff --prefix '[\"US\"]' --format csv | less",
	.arguments = "URL STORE [FILE]",
	.arguments_min = 2,
	.arguments_max = 3,
	.options = export_options,
	.run = run_export,
	.takes = TAKES_QUIET,
};
