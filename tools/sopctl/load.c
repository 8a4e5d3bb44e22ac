/* sopctl load: reads what dump printed. What is there already must be the beginning of the dump, and is skipped: so a
 * load that was killed is run again and goes on, with duplicates too, and nothing needs to be remembered. */
#include "command.h"
#include "exec.h"
#include "hex.h"
#include "opening.h"
#include "progress.h"
#include "status.h"
#include "terminal.h"
#include "text.h"
#include "try.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* A transaction is committed when it has this much: then the log and other commits are not held up. */
#define BATCH_ITEMS 10000
#define BATCH_BYTES ((size_t)4 << 20)
/* The longest line: key and value in hexadecimal, and what stands around them. */
#define LOAD_LINE_BYTES_MAX (2 * (SOP_VALUE_BYTES_MAX + (size_t)2 * SOP_KEY_BYTES_MAX) + 65536)

struct load {
	sop_db *db;
	struct json_document document;
	uint64_t items; /* of all stores, those that were there too */
	uint64_t bytes; /* of the input */
	uint64_t stores;
	uint64_t skipped; /* items that were there */
	struct progress progress;

	/* The store whose lines are read; NULL: none yet. */
	sop_store *store;
	char name[256];
	sop_schema *schema;
	size_t field_count; /* of a whole key */
	size_t sort_count;
	bool duplicates;
	uint64_t count; /* items that its head line says it has */
	uint64_t seen;
	uint64_t there; /* items that it had before */
	sop_txn *there_txn; /* reads these, while they last */
	sop_cursor *there_cursor;

	sop_txn *txn; /* the batch, NULL: none */
	uint64_t batch_items;
	size_t batch_bytes;

	sop_buf key; /* sort part and what rides along */
	size_t sort_size;
	sop_buf last; /* the sort part before */
	sop_buf value;
	sop_buf room;
	sop_error *err;
};

/* ---- batches */

static sop_status commit_batch(struct load *load)
{
	sop_status status = SOP_OK;

	if (load->txn != NULL)
		status = sop_commit(load->txn, load->err);
	sop_txn_free(load->txn);
	load->txn = NULL;
	load->batch_items = 0;
	load->batch_bytes = 0;
	return status;
}

/* Begins a batch unless one is open. Its commit need not be on the disk: the last one is, and all before it. */
static sop_status need_batch(struct load *load)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	if (load->txn != NULL)
		return SOP_OK;
	options.durability = SOP_BUFFERED;
	return sop_begin(load->db, &options, &load->txn, load->err);
}

/* ---- stores */

static void leave_there(struct load *load)
{
	sop_cursor_free(load->there_cursor);
	sop_txn_free(load->there_txn);
	load->there_cursor = NULL;
	load->there_txn = NULL;
}

static sop_status end_store(struct load *load)
{
	sop_status status = SOP_OK;

	if (load->store == NULL)
		return SOP_OK;
	if (load->seen < load->count)
		status = error_set(load->err, SOP_MISUSE,
				   "the store %.100s ends after %" PRIu64
				   " items, but its first line says %" PRIu64 ": the dump is not whole",
				   load->name, load->seen, load->count);
	else if (load->there > load->seen)
		status = error_set(load->err, SOP_EXISTS,
				   "the store %.100s is there, with more items than the dump; drop it, or load elsewhere",
				   load->name);
	if (status == SOP_OK)
		status = commit_batch(load);
	leave_there(load);
	sop_store_free(load->store);
	sop_schema_free(load->schema);
	load->store = NULL;
	load->schema = NULL;
	return status;
}

/* The store is there: it must be declared as in the dump, and what it has must be what the dump begins with. */
static sop_status use_there(struct load *load, const sop_store_info *info)
{
	sop_buf wanted = SOP_BUF_INIT;
	sop_status status = SOP_OK;
	bool same;

	if (load->schema != NULL)
		status = sop_schema_text(load->schema, &wanted, load->err);
	same = info->duplicates == (load->duplicates ? 1u : 0u) &&
	       bytes_same(text_bytes(&wanted), text_bytes(&load->room));
	sop_buf_free(&wanted);
	TRY(status);
	if (!same)
		return error_set(load->err, SOP_EXISTS,
				 "the store %.100s is there, with other keys; drop it, or load elsewhere",
				 load->name);
	TRY(sop_count(load->there_txn, load->store, NULL, &load->there, load->err));
	return sop_cursor_open(load->there_txn, load->store, NULL, 0, &load->there_cursor, load->err);
}

/* Makes the store, or goes on with what is there of it. */
static sop_status make_store(struct load *load)
{
	sop_store_info info = SOP_STORE_INFO_INIT;
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_store *made = NULL;
	sop_store_options declared = SOP_STORE_OPTIONS_INIT;
	sop_status status;

	options.mode = SOP_READ;
	TRY(sop_store_open(load->db, bytes_of(load->name), NULL, &load->store, load->err));
	TRY(sop_begin(load->db, &options, &load->there_txn, load->err));
	status = sop_store_describe(load->there_txn, load->store, &info, &load->room, load->err);
	if (status == SOP_OK)
		return use_there(load, &info);
	leave_there(load);
	if (status != SOP_NOT_FOUND)
		return status;
	declared.schema = load->schema;
	declared.duplicates = load->duplicates;
	TRY(sop_store_open(load->db, bytes_of(load->name), &declared, &made, load->err));
	status = need_batch(load);
	if (status == SOP_OK)
		status = sop_store_create(load->txn, made, load->err);
	sop_store_free(made);
	return status;
}

static sop_status wrong_head(struct load *load)
{
	return error_set(load->err, SOP_MISUSE,
			 "the first line of a store must be {\"store\":...,\"unique\":...,\"schema\":...,\"count\":...}, "
			 "the schema absent where there is none");
}

/* Has `json` members of these names only? */
static bool has_only(const struct json *json, const char *const *names, size_t count)
{
	for (const struct json *member = json->first; member != NULL; member = member->next) {
		bool known = false;

		for (size_t i = 0; i < count; i++)
			known = known || json_is(member->name, names[i]);
		if (!known)
			return false;
	}
	return true;
}

static sop_status read_head(struct load *load, const struct json *root)
{
	static const char *const names[] = { "store", "unique", "schema", "count" };
	const struct json *name = json_member(root, "store");
	const struct json *unique = json_member(root, "unique");
	const struct json *schema = json_member(root, "schema");
	const struct json *count = json_member(root, "count");
	sop_value number = sop_value_null();

	TRY(end_store(load));
	if (!has_only(root, names, 4) || name->type != JSON_STRING || unique == NULL ||
	    count == NULL || (unique->type != JSON_TRUE && unique->type != JSON_FALSE) ||
	    (schema != NULL && schema->type != JSON_OBJECT) ||
	    json_integer(count, &number, load->err) != SOP_OK || number.type != SOP_TYPE_INT ||
	    number.as.integer < 0)
		return wrong_head(load);
	if (name->text.size >= sizeof load->name || memchr(name->text.data, 0, name->text.size) != NULL)
		return wrong_head(load);
	memcpy(load->name, name->text.data, name->text.size);
	load->name[name->text.size] = '\0';
	load->duplicates = unique->type == JSON_FALSE;
	load->count = (uint64_t)number.as.integer;
	load->seen = load->there = 0;
	text_clear(&load->last);
	text_clear(&load->room);
	if (schema != NULL) {
		json_write(schema, &load->room);
		TRY(sop_schema_parse(text_bytes(&load->room), &load->schema, load->err));
	}
	load->sort_count = sop_schema_sort_count(load->schema);
	load->field_count = load->sort_count + sop_schema_ride_count(load->schema);
	text_clear(&load->room);
	TRY(make_store(load));
	load->stores++;
	return SOP_OK;
}

/* ---- items */

#define ITEM_FORM                                                                                  \
	"an item must be {\"k\":\"00ff\",\"v\":\"00ff\"}, with \"r\" where there are ride-along fields"

static sop_status wrong_item(struct load *load, const char *what)
{
	return error_set(load->err, SOP_MISUSE, "%s", what);
}

/* Appends the bytes of the digits `json` to `to`. */
static sop_status take_hex(struct load *load, const struct json *json, sop_buf *to)
{
	if (json == NULL || json->type != JSON_STRING)
		return wrong_item(load, ITEM_FORM);
	TRY(sop_buf_reserve(to, to->size + json->text.size / 2 + 1, load->err));
	if (!hex_decode(json->text, (unsigned char *)to->data + to->size))
		return wrong_item(load, "keys and values must be an even number of hex digits");
	to->size += json->text.size / 2;
	return SOP_OK;
}

/* Ride-along fields must be all there, and in "r", so that a dump gives the same line. */
static sop_status check_parts(struct load *load)
{
	sop_value values[2 * SOP_SCHEMA_FIELDS_MAX];
	size_t count = 0;

	if (load->field_count == load->sort_count)
		return SOP_OK;
	TRY(sop_key_unpack(load->schema, text_bytes(&load->key), values, load->field_count, &count,
			   &load->room, load->err));
	if (count != load->field_count)
		return wrong_item(load, "ride-along fields are missing in \"r\"");
	/* The texts that `values` point to are in load->room: the prefix goes elsewhere. */
	TRY(sop_key_pack_prefix(load->schema, values, load->sort_count, &load->value, load->err));
	if (load->value.size != load->sort_size)
		return wrong_item(load, "\"k\" must be the sort fields, and \"r\" the ride-along fields");
	return SOP_OK;
}

/* Keys must ascend, or go on where they are equal in a store with duplicates: then what is there is a beginning. */
static sop_status check_order(struct load *load)
{
	const size_t size = load->last.size < load->sort_size ? load->last.size : load->sort_size;
	int order = size == 0 ? 0 : memcmp(load->last.data, load->key.data, size);

	if (order == 0)
		order = (load->last.size > load->sort_size) - (load->last.size < load->sort_size);
	if (load->seen > 0 && (order > 0 || (order == 0 && !load->duplicates)))
		return wrong_item(load, order == 0 ? "the key is there twice in a store of unique keys"
						   : "keys are not in ascending order");
	text_clear(&load->last);
	text_add(&load->last, load->key.data, load->sort_size);
	return SOP_OK;
}

/* The item must be the next of those that are there. */
static sop_status compare(struct load *load)
{
	sop_entry entry;
	const sop_status status = sop_cursor_next(load->there_cursor, &entry, load->err);

	if (status != SOP_OK && status != SOP_NOT_FOUND)
		return status;
	if (status == SOP_NOT_FOUND || !bytes_same(entry.key, text_bytes(&load->key)) ||
	    !bytes_same(entry.value, text_bytes(&load->value)))
		return error_set(load->err, SOP_EXISTS,
				 "the store %.100s is there, with other items; drop it, or load elsewhere",
				 load->name);
	load->skipped++;
	if (load->seen + 1 == load->there)
		leave_there(load);
	return SOP_OK;
}

static sop_status add(struct load *load)
{
	const sop_bytes key = text_bytes(&load->key);
	const sop_bytes value = text_bytes(&load->value);

	TRY(need_batch(load));
	TRY(load->duplicates ? sop_insert(load->txn, load->store, key, value, NULL, load->err)
			     : sop_put(load->txn, load->store, key, value, load->err));
	load->batch_items++;
	load->batch_bytes += key.size + value.size;
	if (load->batch_items < BATCH_ITEMS && load->batch_bytes < BATCH_BYTES)
		return SOP_OK;
	return commit_batch(load);
}

static sop_status read_item(struct load *load, const struct json *root)
{
	static const char *const names[] = { "k", "v", "r" };
	const struct json *ride = json_member(root, "r");

	if (load->store == NULL)
		return wrong_head(load);
	if (!has_only(root, names, 3))
		return wrong_item(load, ITEM_FORM);
	if ((ride != NULL) != (load->field_count > load->sort_count))
		return wrong_item(
			load, "\"r\" must be there if the store has ride-along fields, and only then");
	if (load->seen == load->count)
		return wrong_item(load, "the store has more items than its first line says");
	text_clear(&load->key);
	TRY(take_hex(load, json_member(root, "k"), &load->key));
	load->sort_size = load->key.size;
	if (ride != NULL)
		TRY(take_hex(load, ride, &load->key));
	TRY(check_parts(load));
	text_clear(&load->value);
	TRY(take_hex(load, json_member(root, "v"), &load->value));
	TRY(check_order(load));
	TRY(load->there_cursor != NULL && load->seen < load->there ? compare(load) : add(load));
	load->seen++;
	load->items++;
	return SOP_OK;
}

/* ---- lines */

static sop_status read_line(struct load *load, sop_bytes line)
{
	const struct json *root;

	TRY(json_parse(&load->document, line, load->err));
	root = load->document.root;
	if (root->type != JSON_OBJECT || load->document.repeated != NULL || load->document.too_deep)
		return wrong_item(load, "a line must be an object, each of its fields there once");
	return json_member(root, "store") != NULL ? read_head(load, root) : read_item(load, root);
}

/* Puts the number of the line before the message of an error. */
static sop_status at_line(struct load *load, uint64_t number, sop_status status)
{
	char message[sizeof load->err->message];

	if (status == SOP_OK)
		return status;
	memcpy(message, load->err->message, sizeof message);
	message[sizeof message - 1] = '\0';
	snprintf(load->err->message, sizeof load->err->message, "line %" PRIu64 ": %.220s", number,
		 message);
	return status;
}

static sop_status read_lines(struct load *load, struct input *input)
{
	sop_bytes line;
	enum line_kind kind;

	while ((kind = input_next(input, &line)) == LINE_TAKEN) {
		load->bytes += line.size + 1;
		TRY(at_line(load, input->line, read_line(load, line)));
		progress_at(&load->progress, load->items, load->bytes);
	}
	if (kind == LINE_TOO_LONG)
		return at_line(load, input->line,
			       wrong_item(load, "the line is longer than any item may be"));
	if (stop_asked()) {
		TRY(commit_batch(load)); /* keeps what it can */
		return error_set(load->err, SOP_CANCELLED,
				 "interrupted; run it again with the same input to go on");
	}
	if (input->failed != 0) {
		error_set(load->err, SOP_IO, "the input could not be read: %s", strerror(input->failed));
		return SOP_IO;
	}
	TRY(at_line(load, input->line, end_store(load)));
	return sop_sync(load->db, load->err);
}

static void load_free(struct load *load)
{
	leave_there(load);
	sop_txn_free(load->txn);
	sop_store_free(load->store);
	sop_schema_free(load->schema);
	json_free(&load->document);
	sop_buf_free(&load->key);
	sop_buf_free(&load->last);
	sop_buf_free(&load->value);
	sop_buf_free(&load->room);
}

/* Bytes of the input, if it is a file; 0: nobody knows. */
static uint64_t input_bytes(int fd)
{
	struct stat about;

	return fstat(fd, &about) == 0 && S_ISREG(about.st_mode) ? (uint64_t)about.st_size : 0;
}

static void summarise(const struct load *load, FILE *to)
{
	sop_buf line = SOP_BUF_INIT;
	const long long ns = now_ns() - load->progress.began_ns;

	if (to == NULL)
		return;
	text_puts(&line, "loaded ");
	text_count(&line, load->items);
	text_puts(&line, " items of ");
	text_count(&line, load->stores);
	text_puts(&line, load->stores == 1 ? " store, " : " stores, ");
	text_size(&line, load->bytes);
	text_puts(&line, ", in ");
	text_duration(&line, ns);
	if (ns > 0)
		text_printf(&line, ", %.0f items/s", (double)load->items * 1e9 / (double)ns);
	if (load->skipped > 0) {
		text_puts(&line, "; ");
		text_count(&line, load->skipped);
		text_puts(&line, " were there already");
	}
	fprintf(to, "%s\n", text_string(&line));
	sop_buf_free(&line);
}

static int load_into(const struct invocation *invocation, sop_db *db)
{
	FILE *told = shared_option_of(invocation, "quiet")->given ? NULL : invocation->err;
	sop_error err = SOP_ERROR_INIT;
	struct load load = { .db = db, .err = &err };
	struct input input = { .fd = fileno(invocation->in), .out = -1, .line_max = LOAD_LINE_BYTES_MAX };
	int code = EXIT_OK;

	progress_begin(&load.progress, told, "load", input_bytes(input.fd));
	if (read_lines(&load, &input) != SOP_OK) {
		progress_end(&load.progress);
		code = report(invocation->err, "load", &err);
		code = stop_asked() ? EXIT_INTERRUPTED : code;
	} else {
		progress_end(&load.progress);
		summarise(&load, told);
	}
	load_free(&load);
	input_free(&input);
	return code;
}

static int run(struct invocation *invocation)
{
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;
	int code;

	if (stop_begin(&err) != SOP_OK ||
	    opening_open(invocation, option_of(invocation, "create")->given ? OPENING_CREATE : OPENING_CHANGE,
			 &db, &err) != SOP_OK)
		return report(invocation->err, "load", &err);
	code = load_into(invocation, db);
	if (opening_close(invocation, db, &err) != SOP_OK && code == EXIT_OK)
		code = report(invocation->err, "load", &err);
	stop_end();
	return code;
}

static const struct option_spec options[] = { { "create", '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL,
						"make the database if it is missing" },
					      { NULL, '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL, NULL } };

const struct command command_load = {
	.name = "load",
	.summary = "bring back what dump printed",
	.help = "Reads the lines of dump from standard input and makes their stores. A dump of the result is equal. Stores that are "
		"there already must be the beginning of what the dump has of them, which is compared and skipped: so a load that "
		"was killed is run again with the same input and goes on, without duplicates.\n"
		"\n"
		"Work is committed every 10,000 items or 4 MB. A malformed line ends it, with its number; what was committed stays.",
	.arguments = "URL",
	.arguments_min = 1,
	.arguments_max = 1,
	.options = options,
	.exits = "1: a store is there with other content; 2: the input is no dump, or not whole.",
	.run = run,
	.takes = TAKES_QUIET,
};
