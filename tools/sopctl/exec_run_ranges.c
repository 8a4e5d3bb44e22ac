/* Operations on ranges of items: scan, count, remove_range. */
#include "exec_run.h"

#include "status.h"
#include "text.h"
#include "try.h"

struct bounds {
	sop_range range;
	sop_buf from;
	sop_buf to;
	sop_buf prefix;
};

#define BOUNDS_INIT                                                                                \
	{                                                                                          \
		SOP_RANGE_INIT, SOP_BUF_INIT, SOP_BUF_INIT, SOP_BUF_INIT                           \
	}

static void bounds_free(struct bounds *bounds)
{
	sop_buf_free(&bounds->from);
	sop_buf_free(&bounds->to);
	sop_buf_free(&bounds->prefix);
}

static sop_status read_bound(struct run *run, const char *name, uint32_t flag,
			     struct bounds *bounds, sop_buf *room, sop_bytes *bytes)
{
	const struct json *json = run_member(run, name);

	if (json == NULL)
		return SOP_OK;
	TRY(item_key_read(&run->found.format, json, KEY_BOUND, room, run->err));
	bounds->range.flags |= flag;
	*bytes = text_bytes(room);
	return SOP_OK;
}

static sop_status read_bounds(struct run *run, struct bounds *bounds)
{
	sop_range *range = &bounds->range;

	TRY(read_bound(run, "from", SOP_RANGE_FROM, bounds, &bounds->from, &range->from));
	TRY(read_bound(run, "after", SOP_RANGE_FROM | SOP_RANGE_AFTER, bounds, &bounds->from,
		       &range->from));
	TRY(read_bound(run, "to", SOP_RANGE_TO, bounds, &bounds->to, &range->to));
	TRY(read_bound(run, "prefix", SOP_RANGE_PREFIX, bounds, &bounds->prefix, &range->prefix));
	range->after_item = run_number(run, "after_item", 0);
	if (range->after_item != 0 && !run->found.info.duplicates)
		return error_set(run->err, SOP_MISUSE, "\"after_item\" is for stores that are not unique");
	return SOP_OK;
}

sop_status op_count(struct run *run)
{
	struct bounds bounds = BOUNDS_INIT;
	uint64_t count = 0;
	sop_status status = read_bounds(run, &bounds);

	if (status == SOP_OK) /* everything: one look-up */
		status = sop_count(run->txn, run->found.store,
				   bounds.range.flags == 0 ? NULL : &bounds.range, &count, run->err);
	bounds_free(&bounds);
	if (status == SOP_OK) {
		text_puts(run->out, "{\"count\":");
		item_uint_write(run->exec->safe_ints, count, run->out);
		text_putc(run->out, '}');
	}
	return status;
}

sop_status op_remove_range(struct run *run)
{
	struct bounds bounds = BOUNDS_INIT;
	uint64_t removed = 0;
	sop_status status = read_bounds(run, &bounds);

	if (status == SOP_OK)
		status = sop_remove_range(run->txn, run->found.store, &bounds.range, &removed, run->err);
	bounds_free(&bounds);
	if (status == SOP_OK) {
		text_puts(run->out, "{\"removed\":");
		item_uint_write(run->exec->safe_ints, removed, run->out);
		text_putc(run->out, '}');
	}
	return status;
}

/* Writes one item of a scan: [K,V], [K,V,N], K or [K,N]. */
static void write_item(struct run *run, const sop_entry *entry, bool keys_only)
{
	const bool item = run->found.info.duplicates;

	if (!keys_only || item)
		text_putc(run->out, '[');
	item_key_write(&run->found.format, entry->key, run->out);
	if (!keys_only) {
		text_putc(run->out, ',');
		item_bytes_write(entry->value, run->out);
	}
	if (item) {
		text_putc(run->out, ',');
		item_uint_write(run->exec->safe_ints, entry->item, run->out);
	}
	if (!keys_only || item)
		text_putc(run->out, ']');
}

/* What stands behind the items of a scan. */
#define SCAN_END ((size_t)16)

/* Writes up to `limit` items from `cursor`, fewer where the answer is full; `more` receives whether others follow. */
static sop_status write_items(struct run *run, sop_cursor *cursor, bool keys_only, uint64_t limit,
			      bool *more)
{
	const bool reverse = run_is_true(run, "reverse", false);
	sop_status status = SOP_OK;
	sop_entry entry;

	*more = false;
	for (uint64_t count = 0;; count++) {
		const size_t before = run->out->size;

		status = reverse ? sop_cursor_prev(cursor, &entry, run->err)
				 : sop_cursor_next(cursor, &entry, run->err);
		*more = status == SOP_OK;
		if (status != SOP_OK || count == limit)
			break;
		if (entry.value.size > run->answer->results_max)
			return run_too_long(run);
		if (count > 0)
			text_putc(run->out, ',');
		write_item(run, &entry, keys_only);
		if (run_fits(run, SCAN_END))
			continue;
		if (run->out->size - before + SCAN_END > run->answer->results_max)
			return run_too_long(run); /* not even alone */
		run->out->size = before;
		break;
	}
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

sop_status op_scan(struct run *run)
{
	struct bounds bounds = BOUNDS_INIT;
	const bool keys_only = run_is_true(run, "keys_only", false);
	const uint32_t flags = keys_only ? SOP_CURSOR_KEYS : 0;
	sop_cursor *cursor = NULL;
	bool more = false;
	sop_status status = read_bounds(run, &bounds);

	if (status == SOP_OK)
		status = sop_cursor_open(run->txn, run->found.store, &bounds.range, flags, &cursor,
					 run->err);
	if (status == SOP_OK) {
		text_puts(run->out, "{\"items\":[");
		status = write_items(run, cursor, keys_only, run_number(run, "limit", UINT64_MAX), &more);
		text_printf(run->out, "],\"more\":%s}", more ? "true" : "false");
	}
	sop_cursor_free(cursor);
	bounds_free(&bounds);
	return status;
}
