/* Made by generate.py from operations.json: the operations of the machine. */
#ifndef SOP_CONFORMANCE_OPERATIONS_H
#define SOP_CONFORMANCE_OPERATIONS_H

#include "machine.h"

sop_status run_open(struct call *call);
sop_status run_close(struct call *call);
sop_status run_forget_db(struct call *call);
sop_status run_begin(struct call *call);
sop_status run_renew(struct call *call);
sop_status run_again(struct call *call);
sop_status run_commit(struct call *call);
sop_status run_rollback(struct call *call);
sop_status run_end(struct call *call);
sop_status run_forget_txn(struct call *call);
sop_status run_cancel(struct call *call);
sop_status run_outcome(struct call *call);
sop_status run_outcome_of(struct call *call);
sop_status run_own_id(struct call *call);
sop_status run_attempts(struct call *call);
sop_status run_conflict(struct call *call);
sop_status run_position(struct call *call);
sop_status run_run(struct call *call);
sop_status run_sync(struct call *call);
sop_status run_checkpoint(struct call *call);
sop_status run_gc(struct call *call);
sop_status run_verify(struct call *call);
sop_status run_backup(struct call *call);
sop_status run_restore(struct call *call);
sop_status run_info(struct call *call);
sop_status run_stats(struct call *call);
sop_status run_peek(struct call *call);
sop_status run_log(struct call *call);
sop_status run_about(struct call *call);
sop_status run_create(struct call *call);
sop_status run_drop(struct call *call);
sop_status run_rename(struct call *call);
sop_status run_list(struct call *call);
sop_status run_describe(struct call *call);
sop_status run_get(struct call *call);
sop_status run_read(struct call *call);
sop_status run_fetch(struct call *call);
sop_status run_version(struct call *call);
sop_status run_put(struct call *call);
sop_status run_insert(struct call *call);
sop_status run_update(struct call *call);
sop_status run_remove(struct call *call);
sop_status run_set_ride(struct call *call);
sop_status run_add(struct call *call);
sop_status run_min(struct call *call);
sop_status run_max(struct call *call);
sop_status run_remove_range(struct call *call);
sop_status run_count(struct call *call);
sop_status run_approx_count(struct call *call);
sop_status run_get_many(struct call *call);
sop_status run_put_many(struct call *call);
sop_status run_scan(struct call *call);
sop_status run_savepoint(struct call *call);
sop_status run_rollback_to(struct call *call);
sop_status run_cursor_open(struct call *call);
sop_status run_cursor_first(struct call *call);
sop_status run_cursor_last(struct call *call);
sop_status run_cursor_next(struct call *call);
sop_status run_cursor_prev(struct call *call);
sop_status run_cursor_seek(struct call *call);
sop_status run_cursor_entry(struct call *call);
sop_status run_cursor_update(struct call *call);
sop_status run_cursor_remove(struct call *call);
sop_status run_cursor_fetch(struct call *call);
sop_status run_cursor_close(struct call *call);
sop_status run_cursor_forget(struct call *call);

#endif
