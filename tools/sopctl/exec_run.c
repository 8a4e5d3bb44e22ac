/* What operations share: reading their fields, writing their entries. */
#include "exec_run.h"

#include "status.h"
#include "text.h"

const struct json *run_member(const struct run *run, const char *name)
{
	return json_member(run->op, name);
}

bool run_is_true(const struct run *run, const char *name, bool absent)
{
	const struct json *value = run_member(run, name);

	return value == NULL ? absent : value->type == JSON_TRUE;
}

uint64_t run_number(const struct run *run, const char *name, uint64_t absent)
{
	const struct json *json = run_member(run, name);
	sop_value value = sop_value_null();

	if (json == NULL || json_integer(json, &value, run->err) != SOP_OK)
		return absent;
	return value.type == SOP_TYPE_UINT ? value.as.natural : (uint64_t)value.as.integer;
}

sop_status run_read_key(struct run *run, enum key_extent extent)
{
	return item_key_read(&run->found.format, run_member(run, "key"), extent, &run->key, run->err);
}

sop_bytes run_key(const struct run *run)
{
	return text_bytes(&run->key);
}

sop_status run_read_value(struct run *run, sop_bytes *value)
{
	return item_value_read(run_member(run, "value"), &run->value, value, run->err);
}

bool run_fits(const struct run *run, size_t more)
{
	return run->out->size + more <= run->answer->results_max;
}

sop_status run_too_long(struct run *run)
{
	return error_set(run->err, SOP_LIMIT,
			 "the answer would be longer than 16 MiB; ask for less in one request");
}

sop_status run_outcome(struct run *run, sop_status status)
{
	if (status == SOP_OK)
		text_puts(run->out, "{}");
	else if (status == SOP_NOT_FOUND || status == SOP_EXISTS)
		text_printf(run->out, "{\"status\":\"%s\"}", sop_status_name(status));
	else
		return status;
	return SOP_OK;
}
