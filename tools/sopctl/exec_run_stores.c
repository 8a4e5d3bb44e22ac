/* Operations on stores. */
#include "exec_run.h"

#include "status.h"
#include "text.h"
#include "try.h"

#include <inttypes.h>
#include <string.h>

static sop_status declare(struct run *run, const sop_store_options *options, sop_store **store)
{
	return sop_store_open(run->exec->db, run->name, options, store, run->err);
}

sop_status op_create(struct run *run)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	const struct json *schema_json = run_member(run, "schema");
	const uint64_t node_items = run_number(run, "node_items", 0);
	sop_schema *schema = NULL;
	sop_store *store = NULL;
	sop_status status = SOP_OK;

	if (schema_json != NULL) {
		json_write(schema_json, &run->value);
		TRY(sop_schema_parse(text_bytes(&run->value), &schema, run->err));
	}
	options.schema = schema;
	options.duplicates = !run_is_true(run, "unique", true);
	options.node_items = node_items > UINT32_MAX ? UINT32_MAX : (uint32_t)node_items;
	status = declare(run, &options, &store);
	if (status == SOP_OK)
		status = run_outcome(run, sop_store_create(run->txn, store, run->err));
	sop_store_free(store);
	sop_schema_free(schema);
	return status;
}

sop_status op_drop(struct run *run)
{
	sop_store *store = NULL;
	sop_status status;

	TRY(declare(run, NULL, &store));
	status = run_outcome(run, sop_store_drop(run->txn, store, run->err));
	sop_store_free(store);
	return status;
}

sop_status op_rename(struct run *run)
{
	sop_store *store = NULL;
	sop_status status;

	TRY(declare(run, NULL, &store));
	status = run_outcome(run,
			     sop_store_rename(run->txn, store, run_member(run, "to")->text, run->err));
	sop_store_free(store);
	return status;
}

sop_status op_stores(struct run *run)
{
	const char *at;
	size_t count = 0;

	TRY(sop_store_list(run->txn, &run->value, &count, run->err));
	text_puts(run->out, "{\"stores\":[");
	at = run->value.data;
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			text_putc(run->out, ',');
		json_write_string(bytes_of(at), run->out);
		at += strlen(at) + 1;
	}
	text_puts(run->out, "]}");
	return SOP_OK;
}

sop_status op_info(struct run *run)
{
	text_printf(run->out, "{\"unique\":%s", run->found.info.duplicates ? "false" : "true");
	if (run->found.format.schema != NULL) {
		TRY(sop_schema_text(run->found.format.schema, &run->value, run->err));
		text_puts(run->out, ",\"schema\":");
		text_add(run->out, run->value.data, run->value.size);
	}
	text_printf(run->out, ",\"node_items\":%" PRIu32 ",\"placement\":\"%s\"}",
		    run->found.info.node_items, PLACEMENT);
	return SOP_OK;
}
