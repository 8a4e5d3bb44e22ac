/* info, stores, schema: what a database is and what it holds. */
#include "access.h"
#include "commands.h"
#include "facts.h"
#include "peek.h"
#include "status.h"
#include "text.h"
#include "try.h"

#include <string.h>

static const char *durability_word(uint32_t durability)
{
	return durability == SOP_FLUSHED   ? "flushed"
	       : durability == SOP_WRITTEN ? "written"
					   : "buffered";
}

static void uuid_text(const uint8_t uuid[16], char text[37])
{
	size_t at = 0;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[at++] = '-';
		at += (size_t)snprintf(text + at, 37 - at, "%02x", uuid[i]);
	}
}

/* How far it is, and how large. */
static void add_levels(struct facts *facts, const sop_stats *stats)
{
	fact_number(facts, "position", stats->position);
	fact_number(facts, "checkpoint_position", stats->checkpoint_position);
	fact_number(facts, "disk_bytes", stats->disk_bytes);
	fact_number(facts, "pack_bytes", stats->pack_bytes);
	fact_number(facts, "pack_bytes_live", stats->pack_bytes_live);
	fact_number(facts, "log_bytes", stats->log_bytes);
}

/* How many items all stores have; the names of the stores are in `names`. */
static sop_status count_items(struct access *access, const sop_buf *names, size_t stores, uint64_t *items)
{
	const char *name = names->data;

	*items = 0;
	for (size_t i = 0; i < stores; i++, name += strlen(name) + 1) {
		sop_store *store = NULL;
		uint64_t count = 0;
		sop_status status =
			sop_store_open(access->db, bytes_of(name), NULL, &store, &access->err);

		if (status == SOP_OK)
			status = sop_count(access->txn, store, NULL, &count, &access->err);
		sop_store_free(store);
		if (status != SOP_OK)
			return status;
		*items += count;
	}
	return SOP_OK;
}

/* What is known from outside of a database that another process has open. */
static sop_status info_of_locked(struct access *access, const sop_buf *url)
{
	struct facts facts = { .count = 0 };
	sop_stats stats = SOP_STATS_INIT;
	sop_peek peek = SOP_PEEK_INIT;
	char uuid[37];

	TRY(peek_figures(access, &stats, &peek));
	uuid_text(peek.uuid, uuid);
	fact(&facts, "url", (struct cell){ CELL_BYTES, text_bytes(url) });
	fact(&facts, "backend", cell_text("inredfs"));
	fact(&facts, "uuid", cell_text(uuid));
	fact_number(&facts, "process", peek.process);
	fact(&facts, "host", cell_text(peek.host));
	fact_number(&facts, "running_ms", peek.running_ms);
	fact_number(&facts, "stores", stats.stores);
	add_levels(&facts, &stats);
	fact(&facts, "durability", cell_text(durability_word((uint32_t)stats.durability)));
	fact_number(&facts, "cache_bytes", stats.cache_bytes);
	fact_number(&facts, "log_bytes_max", peek.log_bytes_max);
	fact_number(&facts, "flush_interval_ms", peek.flush_interval_ms);
	return print_facts(access, &facts);
}

static sop_status info(struct access *access, const sop_buf *url)
{
	struct facts facts = { .count = 0 };
	sop_info about = SOP_INFO_INIT;
	sop_stats stats = SOP_STATS_INIT;
	sop_buf names = SOP_BUF_INIT;
	size_t stores = 0;
	uint64_t items = 0;
	char uuid[37];
	sop_status status = access_open(access, OPENING_LOOK);

	if (status == SOP_LOCKED)
		return info_of_locked(access, url);
	TRY(status);
	TRY(sop_db_info(access->db, &about, NULL, &access->err));
	TRY(sop_db_stats(access->db, &stats, &access->err));
	TRY(access_transaction(access, SOP_READ));
	status = sop_store_list(access->txn, &names, &stores, &access->err);
	if (status == SOP_OK)
		status = count_items(access, &names, stores, &items);
	sop_buf_free(&names);
	TRY(status);
	uuid_text(about.uuid, uuid);
	fact(&facts, "url", (struct cell){ CELL_BYTES, text_bytes(url) });
	fact(&facts, "backend", cell_text(about.backend));
	fact(&facts, "uuid", cell_text(uuid));
	fact_number(&facts, "format", about.format);
	fact_number(&facts, "stores", stores);
	fact_number(&facts, "items", items);
	add_levels(&facts, &stats);
	fact(&facts, "durability", cell_text(durability_word(about.durability)));
	fact_number(&facts, "node_bytes", about.node_bytes);
	fact_number(&facts, "node_items", about.node_items);
	fact_number(&facts, "inline_value_bytes", about.inline_value_bytes);
	fact_number(&facts, "registry_buckets", about.registry_buckets);
	fact_number(&facts, "transaction_bytes_max", about.transaction_bytes_max);
	fact_number(&facts, "snapshot_bytes_max", about.snapshot_bytes_max);
	fact_number(&facts, "cache_bytes", about.cache_bytes);
	fact_number(&facts, "log_bytes_max", about.log_bytes_max);
	fact_number(&facts, "flush_interval_ms", (unsigned long long)about.flush_interval_ms);
	return print_facts(access, &facts);
}

static int run_info(struct invocation *invocation)
{
	struct access access;
	sop_buf url = SOP_BUF_INIT;
	int code;

	access_begin(&access, invocation);
	url_shown(invocation->url, &url);
	code = access_end(&access, info(&access, &url));
	sop_buf_free(&url);
	return code;
}

const struct command command_info = {
	.name = "info",
	.summary = "what a database is: versions, sizes, settings",
	.help = "Prints what the database is, how large it is, and with which settings it was opened.",
	.arguments = "URL",
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run_info,
	.takes = TAKES_OUTPUT,
};

/* The sort fields of the schema of the store, such as "region, hired desc, id (left)". */
static void key_summary(const struct access *access, sop_buf *text)
{
	const size_t sort = sop_schema_sort_count(access->schema);
	const size_t all = sort + sop_schema_ride_count(access->schema);

	for (size_t i = 0; i < all; i++) {
		text_puts(text, i == 0 ? "" : i == sort ? " (" : ", ");
		text_puts(text, sop_schema_field_name(access->schema, i));
		if (sop_schema_field_descending(access->schema, i))
			text_puts(text, " desc");
	}
	if (all > sort)
		text_putc(text, ')');
}

/* One row of `stores`: the store `name`, as the transaction of `access` sees it. */
static sop_status store_row(struct access *access, struct output *output, const char *name)
{
	struct cell cells[4];
	sop_buf key = SOP_BUF_INIT;
	char digits[24];
	uint64_t items = 0;

	TRY(access_store(access, name));
	TRY(sop_count(access->txn, access->store, NULL, &items, &access->err));
	key_summary(access, &key);
	cells[0] = cell_text(name);
	cells[1] = cell_count(digits, items);
	cells[2] = cell_bool(!access->duplicates);
	cells[3] = (struct cell){ access->schema == NULL ? CELL_NULL : CELL_TEXT, text_bytes(&key) };
	output_row(output, cells);
	sop_buf_free(&key);
	access_store_end(access);
	return access_check_signal(access);
}

static sop_status stores(struct access *access)
{
	static const char *const columns[] = { "name", "items", "unique", "key" };
	struct output *output;
	sop_buf names = SOP_BUF_INIT;
	const char *name;
	size_t count = 0;
	sop_status status;
	bool written;

	TRY(access_open(access, OPENING_LOOK));
	TRY(access_transaction(access, SOP_READ));
	status = sop_store_list(access->txn, &names, &count, &access->err);
	output = output_open(access->invocation->out, &access->style, columns, 4, 0);
	name = names.data;
	for (size_t i = 0; i < count && status == SOP_OK; i++, name += strlen(name) + 1)
		status = store_row(access, output, name);
	sop_buf_free(&names);
	written = output_close(output);
	return status == SOP_OK ? access_printed(access, written) : status;
}

static int run_stores(struct invocation *invocation)
{
	struct access access;

	access_begin(&access, invocation);
	return access_end(&access, stores(&access));
}

const struct command command_stores = {
	.name = "stores",
	.summary = "the stores of a database",
	.help = "Lists the stores: name, number of items, whether keys are unique, the fields of the keys (those that ride "
		"along in brackets). raw prints the names alone.",
	.arguments = "URL",
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run_stores,
	.takes = TAKES_OUTPUT,
};

static sop_status schema_rows(struct access *access)
{
	static const char *const columns[] = { "field", "type", "order" };
	static const char *const types[] = { "null",  "bool", "int",  "int", "float",
					     "bytes", "str",  "uuid", "ts" };
	const size_t sort = sop_schema_sort_count(access->schema);
	const size_t all = sort + sop_schema_ride_count(access->schema);
	struct output *output = output_open(access->invocation->out, &access->style, columns, 3, 0);

	for (size_t i = 0; i < all; i++) {
		const struct cell cells[] = {
			cell_text(sop_schema_field_name(access->schema, i)),
			cell_text(types[sop_schema_field_type(access->schema, i)]),
			cell_text(i >= sort					   ? "rides along"
				  : sop_schema_field_descending(access->schema, i) ? "descending"
										   : "ascending"),
		};

		output_row(output, cells);
	}
	return access_printed(access, output_close(output));
}

static sop_status schema(struct access *access)
{
	const enum output_format format = access->style.format;
	sop_buf text = SOP_BUF_INIT;
	FILE *out = access->invocation->out;
	sop_status status;

	TRY(access_items(access, SOP_READ));
	if (access->schema == NULL)
		return error_set(&access->err, SOP_NOT_FOUND,
				 "the store '%s' has no schema: its keys are bytes", access->store_name);
	if (format == OUTPUT_TABLE || format == OUTPUT_CSV)
		return schema_rows(access);
	status = sop_schema_text(access->schema, &text, &access->err);
	if (status == SOP_OK) {
		text_putc(&text, '\n');
		status = access_printed(access, output_bytes(out, text_bytes(&text)) && fflush(out) == 0);
	}
	sop_buf_free(&text);
	return status;
}

static int run_schema(struct invocation *invocation)
{
	struct access access;

	access_begin(&access, invocation);
	return access_end(&access, schema(&access));
}

const struct command command_schema = {
	.name = "schema",
	.summary = "the fields of the keys of a store",
	.help = "Prints the schema of a store: its fields as a table or as CSV, in every other format the JSON that create "
		"takes. A store without a schema, whose keys are bytes, is a negative answer (exit code 1).",
	.arguments = "URL STORE",
	.arguments_min = 2,
	.arguments_max = 2,
	.run = run_schema,
	.takes = TAKES_OUTPUT,
};
