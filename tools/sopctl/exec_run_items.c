/* Operations on single items, and savepoints. */
#include "exec_run.h"

#include "status.h"
#include "text.h"
#include "try.h"

static void write_version(struct run *run, uint64_t version)
{
	if (version == 0) /* the transaction's own */
		return;
	text_puts(run->out, ",\"version\":");
	item_uint_write(run->exec->safe_ints, version, run->out);
}

sop_status op_get(struct run *run)
{
	const bool rides = sop_schema_ride_count(run->found.format.schema) > 0;
	sop_item about = { 0, 0 };
	sop_buf whole = SOP_BUF_INIT;
	sop_status status;

	TRY(run_read_key(run, KEY_NAME));
	status = sop_fetch(run->txn, run->found.store, run_key(run), run_number(run, "item", 0), 0,
			   rides ? &whole : NULL, &run->value, &about, run->err);
	if (status == SOP_OK && run->value.size > run->answer->results_max) {
		status = run_too_long(run);
	} else if (status == SOP_OK) {
		text_putc(run->out, '{');
		if (rides) {
			text_puts(run->out, "\"key\":");
			item_key_write(&run->found.format, text_bytes(&whole), run->out);
			text_putc(run->out, ',');
		}
		text_puts(run->out, "\"value\":");
		item_bytes_write(text_bytes(&run->value), run->out);
		write_version(run, about.version);
		text_putc(run->out, '}');
	} else {
		status = run_outcome(run, status);
	}
	sop_buf_free(&whole);
	return status;
}

sop_status op_put(struct run *run)
{
	sop_bytes value;

	TRY(run_read_key(run, KEY_WHOLE));
	TRY(run_read_value(run, &value));
	return run_outcome(run, sop_put(run->txn, run->found.store, run_key(run), value, run->err));
}

sop_status op_insert(struct run *run)
{
	sop_bytes value;
	uint64_t item = 0;
	sop_status status;

	TRY(run_read_key(run, KEY_WHOLE));
	TRY(run_read_value(run, &value));
	status = sop_insert(run->txn, run->found.store, run_key(run), value, &item, run->err);
	if (status != SOP_OK || !run->found.info.duplicates)
		return run_outcome(run, status);
	text_puts(run->out, "{\"item\":");
	item_uint_write(run->exec->safe_ints, item, run->out);
	text_putc(run->out, '}');
	return SOP_OK;
}

sop_status op_update(struct run *run)
{
	sop_bytes value;

	TRY(run_read_key(run, KEY_WHOLE));
	TRY(run_read_value(run, &value));
	return run_outcome(run, sop_update(run->txn, run->found.store, run_key(run),
					   run_number(run, "item", 0), value, run->err));
}

sop_status op_remove(struct run *run)
{
	TRY(run_read_key(run, KEY_NAME));
	return run_outcome(run, sop_remove(run->txn, run->found.store, run_key(run),
					   run_number(run, "item", 0), run->err));
}

sop_status op_add(struct run *run)
{
	TRY(run_read_key(run, KEY_WHOLE));
	return run_outcome(run, sop_add(run->txn, run->found.store, run_key(run),
					(int64_t)run_number(run, "by", 0), run->err));
}

sop_status op_min(struct run *run)
{
	TRY(run_read_key(run, KEY_WHOLE));
	return run_outcome(run, sop_min(run->txn, run->found.store, run_key(run),
					(int64_t)run_number(run, "to", 0), run->err));
}

sop_status op_max(struct run *run)
{
	TRY(run_read_key(run, KEY_WHOLE));
	return run_outcome(run, sop_max(run->txn, run->found.store, run_key(run),
					(int64_t)run_number(run, "to", 0), run->err));
}

/* ---- savepoints */

static struct named_savepoint *savepoint_named(struct work *work, sop_bytes name)
{
	for (size_t i = work->savepoint_count; i > 0; i--) { /* the newest of a name counts */
		struct named_savepoint *named = &work->savepoints[i - 1];

		if (bytes_same(text_bytes(&named->name), name))
			return named;
	}
	return NULL;
}

sop_status op_savepoint(struct run *run)
{
	const sop_bytes name = run_member(run, "name")->text;
	struct work *work = run->work;
	struct named_savepoint *named;
	uint64_t savepoint = 0;

	if (work->savepoint_count == SAVEPOINTS_MAX)
		return error_set(run->err, SOP_LIMIT, "a transaction has at most %d savepoints",
				 SAVEPOINTS_MAX);
	TRY(sop_savepoint(run->txn, &savepoint, run->err));
	if (work->savepoint_count == work->savepoint_capacity) {
		const size_t capacity = work->savepoint_capacity * 2 + 8;

		work->savepoints = memory_grown(work->savepoints, capacity, sizeof *work->savepoints);
		work->savepoint_capacity = capacity;
	}
	named = &work->savepoints[work->savepoint_count++];
	*named = (struct named_savepoint){ SOP_BUF_INIT, savepoint };
	text_add(&named->name, name.data, name.size);
	return run_outcome(run, SOP_OK);
}

sop_status op_rollback_to(struct run *run)
{
	struct work *work = run->work;
	struct named_savepoint *named = savepoint_named(work, run_member(run, "name")->text);

	if (named == NULL)
		return error_set(run->err, SOP_MISUSE,
				 "the transaction has no savepoint of this \"name\"");
	TRY(sop_rollback_to(run->txn, named->savepoint, run->err));
	while (&work->savepoints[work->savepoint_count - 1] != named) /* those behind it are gone; it stays */
		sop_buf_free(&work->savepoints[--work->savepoint_count].name);
	return run_outcome(run, SOP_OK);
}
