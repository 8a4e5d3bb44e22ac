/* import: items from JSON lines or CSV, in transactions of bounded size, resumable. */
#include "access.h"
#include "commands.h"
#include "facts.h"
#include "import_item.h"
#include "import_progress.h"
#include "records.h"
#include "status.h"
#include "stores.h"
#include "terminal.h"
#include "text.h"
#include "try.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define BATCH_BYTES_MAX ((uint64_t)32 << 20) /* of input in one transaction */
#define BAD_TOLD_MAX 20 /* bad records that are told one by one */

struct import {
	struct access access;
	struct import_map map;
	struct records records;
	struct csv_record fields;
	struct progress shown;
	struct import_progress at; /* as the transaction will have written it */
	uint64_t resumed_offset;
	uint64_t transactions;
	uint64_t batch_items;
	uint64_t batch_offset; /* where the transaction began */
	long long began_ns;
	FILE *file;
	bool ended; /* the whole input has been imported */
};

static bool wants(const struct import *import, const char *option)
{
	return option_of(import->access.invocation, option)->given;
}

/* The input: a file or standard input, and whether it is CSV. */
static sop_status open_input(struct import *import)
{
	const struct invocation *invocation = import->access.invocation;
	const char *path = invocation->argument_count > 1 ? invocation->arguments[1] : "-";
	const char *format = option_of(invocation, "format")->text;
	const size_t size = strlen(path);
	const bool named_csv = size > 4 && strcmp(path + size - 4, ".csv") == 0;
	const bool standard = strcmp(path, "-") == 0;
	struct stat about;

	import->file = standard ? invocation->in : fopen(path, "rb");
	if (import->file == NULL)
		return error_set(&import->access.err, errno == ENOENT ? SOP_NOT_FOUND : SOP_IO,
				 "%s cannot be opened: %s", path, strerror(errno));
	records_begin(&import->records, import->file, standard ? "standard input" : path,
		      format != NULL ? strcmp(format, "csv") == 0 : named_csv);
	progress_begin(&import->shown, access_progress(&import->access), "import",
		       fstat(fileno(import->file), &about) == 0 && S_ISREG(about.st_mode)
			       ? (uint64_t)about.st_size
			       : 0);
	return SOP_OK;
}

/* Opens the database and the store, which --create makes. */
static sop_status open_store(struct import *import)
{
	struct access *access = &import->access;
	const char *name = access->invocation->arguments[0];

	if (!wants(import, "create") &&
	    (wants(import, "schema") || wants(import, "duplicates") || wants(import, "node-items")))
		return error_set(&access->err, SOP_MISUSE,
				 "--schema, --duplicates and --node-items say how to make the store: they need --create");
	TRY(access_open(access, wants(import, "create") ? OPENING_CREATE : OPENING_CHANGE));
	TRY(access_transaction(access, SOP_WRITE));
	if (wants(import, "create")) {
		const sop_status status = store_create(access, name);

		if (status != SOP_EXISTS)
			TRY(status);
		TRY(access_commit(access));
		TRY(sop_txn_renew(access->txn, &access->err));
	}
	return access_store(access, name);
}

/* What comes first in CSV: the names of the columns. */
static sop_status take_header(struct import *import)
{
	sop_bytes line;
	sop_error *err = &import->access.err;

	if (!import->records.csv)
		return SOP_OK;
	switch (records_next(&import->records, &line, &import->fields, err)) {
	case RECORD_TAKEN:
		return import_header(&import->map, &import->fields, err);
	case RECORD_END:
		return error_set(err, SOP_MISUSE, "%s is empty: CSV begins with the names of the columns",
				 import->records.name);
	default:
		return err->status;
	}
}

/* Goes to where an import that was interrupted had come, if there was one. */
static sop_status resume(struct import *import)
{
	struct access *access = &import->access;
	uint8_t digest[SHA256_DIGEST_SIZE];
	sop_status status = import_progress_read(access, access->store_name, &import->at);

	if (status == SOP_NOT_FOUND) {
		memset(&import->at, 0, sizeof import->at);
		return SOP_OK;
	}
	TRY(status);
	if (wants(import, "restart")) {
		memset(&import->at, 0, sizeof import->at);
		return SOP_OK;
	}
	status = records_skip(&import->records, import->at.offset, import->at.next_line, &access->err);
	if (status == SOP_OK)
		records_digest(&import->records, digest);
	if (status == SOP_NOT_FOUND ||
	    (status == SOP_OK && memcmp(digest, import->at.digest, sizeof digest) != 0))
		return error_set(&access->err, SOP_MISUSE,
				 "an import into '%s' was interrupted at line %llu of an input that began otherwise; finish that, "
				 "or say --restart",
				 access->store_name, (unsigned long long)import->at.next_line);
	import->resumed_offset = import->at.offset;
	import->shown.base_bytes = import->at.offset;
	return status;
}

static sop_status begin(struct import *import)
{
	const struct invocation *invocation = import->access.invocation;

	TRY(open_input(import));
	TRY(open_store(import));
	TRY(import_map_begin(&import->map, &import->access.format, option_of(invocation, "key")->text,
			     option_of(invocation, "value")->text, access_values(&import->access),
			     &import->access.err));
	TRY(take_header(import));
	TRY(resume(import));
	import->batch_offset = import->records.offset;
	return SOP_OK;
}

/* Writes how far it is into the transaction, and commits it; the next one begins. */
static sop_status commit(struct import *import, bool last)
{
	struct access *access = &import->access;

	import->at.offset = import->records.offset;
	import->at.next_line = import->records.next_line;
	records_digest(&import->records, import->at.digest);
	if (last)
		TRY(import_progress_remove(access, access->store_name));
	else
		TRY(import_progress_write(access, access->store_name, &import->at));
	TRY(access_commit(access));
	import->transactions++;
	import->batch_items = 0;
	import->batch_offset = import->records.offset;
	return last ? SOP_OK : sop_txn_renew(access->txn, &access->err);
}

/* A record that is no item: skipped and counted, or the end. What stands before it is committed then, so that the same
 * command goes on with this record when it has been put right. */
static sop_status bad_record(struct import *import, const struct records_mark *before)
{
	struct access *access = &import->access;
	const sop_error why = access->err;
	const unsigned long long line = import->records.line;
	sop_error told;

	if (wants(import, "skip-bad")) {
		import->at.bad++;
		if (import->at.bad <= BAD_TOLD_MAX)
			fprintf(access->invocation->err, "%s:%llu: %s\n", import->records.name,
				line, why.message);
		return SOP_OK;
	}
	error_set(&told, why.status,
		  "%s:%llu: %.140s; what stands before it is there, put it right and run this again",
		  import->records.name, line, why.message);
	records_back(&import->records, before);
	TRY(commit(import, false));
	access->err = told;
	return told.status;
}

static sop_status put_item(struct import *import)
{
	struct access *access = &import->access;
	const sop_bytes key = text_bytes(&import->map.key);

	if (access->duplicates)
		return sop_insert(access->txn, access->store, key, import->map.value, NULL, &access->err);
	return sop_put(access->txn, access->store, key, import->map.value, &access->err);
}

static bool is_callers_mistake(sop_status status)
{
	return status == SOP_MISUSE || status == SOP_SCHEMA || status == SOP_LIMIT;
}

/* One record into the transaction. */
static sop_status take_record(struct import *import)
{
	sop_error *err = &import->access.err;
	sop_bytes line = { NULL, 0 };
	struct records_mark before;
	sop_status status = SOP_OK;

	records_mark(&import->records, &before);
	switch (records_next(&import->records, &line, &import->fields, err)) {
	case RECORD_END:
		import->ended = true;
		return SOP_OK;
	case RECORD_FAILED:
		return err->status;
	case RECORD_BAD:
		return bad_record(import, &before);
	case RECORD_TAKEN:
		break;
	}
	status = import->records.csv ? import_fields(&import->map, &import->fields, err)
				     : import_line(&import->map, line, err);
	if (status == SOP_OK)
		status = put_item(import);
	if (is_callers_mistake(status))
		return bad_record(import, &before);
	import->at.items += status == SOP_OK;
	import->batch_items++;
	return status;
}

static sop_status run_batches(struct import *import)
{
	const uint64_t most = (uint64_t)option_of(import->access.invocation, "batch")->integer;

	while (!import->ended) {
		TRY(take_record(import));
		progress_at(&import->shown, import->at.items, import->records.offset);
		if (import->ended || import->batch_items >= most ||
		    import->records.offset - import->batch_offset >= BATCH_BYTES_MAX)
			TRY(commit(import, import->ended));
	}
	return SOP_OK;
}

static sop_status answer(struct import *import)
{
	struct facts facts = { .count = 0 };

	fact_number(&facts, "items", import->at.items);
	fact_number(&facts, "bad", import->at.bad);
	fact_number(&facts, "bytes", import->records.offset);
	fact_number(&facts, "resumed_at", import->resumed_offset);
	fact_number(&facts, "transactions", import->transactions);
	fact_seconds(&facts, "seconds", now_ns() - import->began_ns);
	return print_facts(&import->access, &facts);
}

static int run_import(struct invocation *invocation)
{
	struct import import;
	sop_status status;

	memset(&import, 0, sizeof import);
	access_begin(&import.access, invocation);
	import.began_ns = now_ns();
	status = begin(&import);
	if (status == SOP_OK)
		status = run_batches(&import);
	progress_end(&import.shown);
	if (status == SOP_CANCELLED && interrupted())
		error_set(&import.access.err, status,
			  "interrupted; run it again with the same input to go on");
	if (status == SOP_OK)
		status = answer(&import);
	import_map_end(&import.map);
	csv_free(&import.fields);
	records_end(&import.records);
	if (import.file != NULL && import.file != invocation->in)
		fclose(import.file);
	return access_end(&import.access, status);
}

static const struct option_spec import_options[] = {
	{ "format", 'f', OPTION_WORD, "FORMAT", "jsonl|csv", 0, 0, NULL,
	  "what the input is; csv for files called so, else jsonl" },
	{ "key", 'k', OPTION_TEXT, "NAMES", NULL, 0, 0, NULL,
	  "members or columns that make the key, comma between them, in the order of its fields; those of the schema" },
	{ "value", 'v', OPTION_TEXT, "NAME", NULL, 0, 0, NULL,
	  "member or column that is the value; without it \"value\", or else all that is not in the key, as JSON" },
	VALUES_OPTION,
	{ "create", 'c', OPTION_FLAG, NULL, NULL, 0, 0, NULL,
	  "make the database and the store if they are missing" },
	STORE_OPTIONS,
	{ "skip-bad", '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL,
	  "skip what is no item, telling its line, and count it" },
	{ "batch", '\0', OPTION_INTEGER, "N", NULL, 1, 1000000, "10000", "items in one transaction" },
	{ "restart", '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL,
	  "forget that an import into this store was interrupted" },
	OPTIONS_END,
};

const struct command command_import = {
	.name = "import",
	.summary = "items from JSON lines or CSV",
	.help = "Puts the items of FILE (or standard input) into the store: in a store with unique keys they are added or replaced, "
		"otherwise added. A line of JSON is an object, such as {\"key\":...,\"value\":...} or one whose members --key and "
		"--value name, or an array: [KEY,VALUE], or the fields of the key and then the value. CSV begins with the names of "
		"the columns.\n\n"
		"It works in transactions of bounded size and writes into each how far it has come (in the store " IMPORT_PROGRESS
		", which goes at the end). If it was interrupted or killed, the same command goes on where it was: nothing is "
		"missing and nothing there twice. (One that is killed between its last transaction and its answer had ended: in a "
		"store whose keys are not unique the same command would add all once more; look at the count first.) "
		"A bad line ends it, and what stands before that line is there; "
		"--skip-bad goes on.\n\n"
		" sopctl import data users users.jsonl --create\n"
		" sopctl import data staff staff.csv --key region,hired,id --value name",
	.arguments = "URL STORE [FILE]",
	.arguments_min = 2,
	.arguments_max = 3,
	.options = import_options,
	.run = run_import,
	.takes = TAKES_OUTPUT | TAKES_QUIET,
};
