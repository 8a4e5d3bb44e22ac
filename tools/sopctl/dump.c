/* sopctl dump: the content of stores as lines that are equal where the content is; docs/exec.md. */
#include "command.h"
#include "exec.h"
#include "hex.h"
#include "opening.h"
#include "status.h"
#include "terminal.h"
#include "text.h"
#include "try.h"

#include <errno.h>
#include <inttypes.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

/* Lines are gathered up to this size before they are written or hashed. */
#define PIECE_BYTES ((size_t)256 << 10)
/* How much of a large value is turned into digits at once. */
#define HEX_PIECE_BYTES ((size_t)64 << 10)

struct dump {
	FILE *out;
	bool hashes; /* --hash */
	struct sha256_ctx hash;
	sop_buf lines;
	sop_txn *txn;
	sop_schema *schema; /* of the store */
	size_t sort_count;
	size_t ride_count;
	sop_buf room;
	sop_buf sort;
	bool reader_gone; /* nobody reads what is printed: a quiet end */
	sop_error *err;
};

/* ---- where the lines go */

static sop_status not_written(struct dump *dump)
{
	dump->reader_gone = errno == EPIPE;
	return error_set(dump->err, SOP_IO, "the dump could not be written: %s", strerror(errno));
}

static sop_status flush(struct dump *dump)
{
	sop_buf *lines = &dump->lines;
	const size_t size = lines->size;

	lines->size = 0;
	if (interrupted())
		return error_set(dump->err, SOP_CANCELLED,
				 "interrupted; what was printed is not all there is");
	if (dump->hashes) {
		sha256_update(&dump->hash, size, lines->data);
		return SOP_OK;
	}
	if (fwrite(lines->data, 1, size, dump->out) == size)
		return SOP_OK;
	return not_written(dump);
}

static sop_status flush_full(struct dump *dump)
{
	return dump->lines.size < PIECE_BYTES ? SOP_OK : flush(dump);
}

static sop_status write_hex(struct dump *dump, sop_bytes bytes)
{
	const unsigned char *at = bytes.data;

	for (size_t left = bytes.size; left > 0;) {
		const size_t count = left < HEX_PIECE_BYTES ? left : HEX_PIECE_BYTES;

		hex_write((sop_bytes){ at, count }, &dump->lines);
		at += count;
		left -= count;
		TRY(flush_full(dump));
	}
	return SOP_OK;
}

/* ---- stores */

/* Parts a whole key into what is compared and what rides along. */
static sop_status split(struct dump *dump, sop_bytes key, sop_bytes *sort, sop_bytes *ride)
{
	sop_value values[2 * SOP_SCHEMA_FIELDS_MAX];
	size_t count = 0;

	*sort = key;
	*ride = (sop_bytes){ NULL, 0 };
	if (dump->ride_count == 0)
		return SOP_OK;
	TRY(sop_key_unpack(dump->schema, key, values, dump->sort_count + dump->ride_count, &count,
			   &dump->room, dump->err));
	TRY(sop_key_pack_prefix(dump->schema, values, dump->sort_count, &dump->sort, dump->err));
	*sort = (sop_bytes){ key.data, dump->sort.size };
	*ride = (sop_bytes){ (const char *)key.data + sort->size, key.size - sort->size };
	return SOP_OK;
}

static sop_status dump_item(struct dump *dump, const sop_entry *entry)
{
	sop_bytes sort, ride;

	TRY(split(dump, entry->key, &sort, &ride));
	text_puts(&dump->lines, "{\"k\":\"");
	TRY(write_hex(dump, sort));
	text_puts(&dump->lines, "\",\"v\":\"");
	TRY(write_hex(dump, entry->value));
	if (dump->ride_count > 0) {
		text_puts(&dump->lines, "\",\"r\":\"");
		TRY(write_hex(dump, ride));
	}
	text_puts(&dump->lines, "\"}\n");
	return flush_full(dump);
}

static sop_status dump_items(struct dump *dump, sop_store *store)
{
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_status status;

	TRY(sop_cursor_open(dump->txn, store, NULL, 0, &cursor, dump->err));
	while ((status = sop_cursor_next(cursor, &entry, dump->err)) == SOP_OK) {
		status = dump_item(dump, &entry);
		if (status != SOP_OK)
			break;
	}
	sop_cursor_free(cursor);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

/* The head line; takes the schema, which the items need. */
static sop_status dump_head(struct dump *dump, sop_store *store, const char *name)
{
	sop_store_info info = SOP_STORE_INFO_INIT;
	uint64_t count = 0;

	TRY(sop_store_describe(dump->txn, store, &info, &dump->room, dump->err));
	TRY(sop_count(dump->txn, store, NULL, &count, dump->err));
	text_puts(&dump->lines, "{\"store\":");
	json_write_string(bytes_of(name), &dump->lines);
	text_printf(&dump->lines, ",\"unique\":%s", info.duplicates ? "false" : "true");
	if (info.has_schema) {
		text_puts(&dump->lines, ",\"schema\":");
		text_add(&dump->lines, dump->room.data, dump->room.size);
		TRY(sop_schema_parse(text_bytes(&dump->room), &dump->schema, dump->err));
	}
	text_printf(&dump->lines, ",\"count\":%" PRIu64 "}\n", count);
	dump->sort_count = sop_schema_sort_count(dump->schema);
	dump->ride_count = sop_schema_ride_count(dump->schema);
	return SOP_OK;
}

static sop_status dump_lines(struct dump *dump, sop_store *store, const char *name)
{
	TRY(dump_head(dump, store, name));
	TRY(dump_items(dump, store));
	return flush(dump);
}

static void print_hash(struct dump *dump, const char *name)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	sop_buf line = SOP_BUF_INIT;

	sha256_digest(&dump->hash, sizeof digest, digest);
	hex_write((sop_bytes){ digest, sizeof digest }, &line);
	fprintf(dump->out, "%s  %s\n", text_string(&line), name);
	sop_buf_free(&line);
}

static sop_status dump_store(struct dump *dump, sop_db *db, const char *name)
{
	sop_store *store = NULL;
	sop_status status;

	TRY(sop_store_open(db, bytes_of(name), NULL, &store, dump->err));
	sha256_init(&dump->hash);
	status = dump_lines(dump, store, name);
	if (status == SOP_OK && dump->hashes)
		print_hash(dump, name);
	sop_schema_free(dump->schema);
	dump->schema = NULL;
	sop_store_free(store);
	return status;
}

/* ---- which stores */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names to dump, in byte order: those that are asked for, each of which must be there, or all. */
static sop_status choose(struct dump *dump, const struct invocation *invocation, sop_buf *room,
			 const char ***names, size_t *count)
{
	const char **all;
	const char *at;

	TRY(sop_store_list(dump->txn, room, count, dump->err));
	all = memory_of(*count + 1, sizeof *all);
	at = room->data;
	for (size_t i = 0; i < *count; i++) {
		all[i] = at;
		at += strlen(at) + 1;
	}
	*names = all;
	if (invocation->argument_count == 0)
		return SOP_OK;
	for (size_t i = 0; i < invocation->argument_count; i++) {
		if (bsearch(&invocation->arguments[i], all, *count, sizeof *all, by_name) == NULL) {
			error_set(dump->err, SOP_NOT_FOUND, "there is no store of this name to dump");
			snprintf(dump->err->store, sizeof dump->err->store, "%s",
				 invocation->arguments[i]);
			return SOP_NOT_FOUND;
		}
	}
	*count = invocation->argument_count;
	*names = memory_of(*count, sizeof *all);
	memcpy(*names, invocation->arguments, *count * sizeof **names);
	qsort(*names, *count, sizeof **names, by_name);
	free(all);
	return SOP_OK;
}

static sop_status dump_stores(struct dump *dump, const struct invocation *invocation, sop_db *db)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_buf room = SOP_BUF_INIT;
	const char **names = NULL;
	size_t count = 0;
	sop_status status;

	options.mode = SOP_READ; /* one snapshot for everything */
	TRY(sop_begin(db, &options, &dump->txn, dump->err));
	status = choose(dump, invocation, &room, &names, &count);
	for (size_t i = 0; i < count && status == SOP_OK; i++) {
		if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
			status = dump_store(dump, db, names[i]);
	}
	if (status == SOP_OK && fflush(dump->out) != 0)
		status = not_written(dump);
	free(names);
	sop_buf_free(&room);
	sop_txn_free(dump->txn);
	return status;
}

static int run(struct invocation *invocation)
{
	sop_error err = SOP_ERROR_INIT;
	sop_error close_err = SOP_ERROR_INIT;
	struct dump dump = { .out = invocation->out, .err = &err };
	sop_db *db = NULL;
	int code = EXIT_OK;

	dump.hashes = option_of(invocation, "hash")->given;
	if (opening_open(invocation, OPENING_LOOK, &db, &err) != SOP_OK)
		return opening_failed(invocation->err, &err);
	if (dump_stores(&dump, invocation, db) != SOP_OK) {
		fflush(dump.out);
		code = interrupted()	  ? EXIT_INTERRUPTED
		       : dump.reader_gone ? EXIT_OK
					  : opening_failed(invocation->err, &err);
	}
	if (opening_close(invocation, db, &close_err) != SOP_OK && code == EXIT_OK)
		code = opening_failed(invocation->err, &close_err);
	sop_buf_free(&dump.lines);
	sop_buf_free(&dump.room);
	sop_buf_free(&dump.sort);
	return code;
}

static const struct option_spec options[] = {
	{ "hash", '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL,
	  "print the SHA-256 of the lines of each store instead of them" },
	{ NULL, '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL, NULL }
};

const struct command command_dump = {
	.name = "dump",
	.summary = "print everything in a form that load reads back",
	.help = "Prints the stores in the byte order of their names: for each a line that says what it is, then a line for each item "
		"in the order of keys, with keys and values in hexadecimal. All of it is as of one moment. Equal content gives equal "
		"bytes, whatever happened to the database before; --hash compares databases by one line for each store.\n"
		"\n"
		"  sopctl dump data > data.jsonl\n"
		"  sopctl load copy --create < data.jsonl",
	.arguments = "URL [STORE...]",
	.arguments_min = 1,
	.arguments_max = SIZE_MAX,
	.options = options,
	.run = run,
};
