/* Pulling messages. */
#include "api/handle.h"
#include "platform/clock.h"

enum { NS_PER_MS = 1000000, LOOK_EVERY_NS = 2 * NS_PER_MS };

#define TIMEOUT_MS_MAX ((int64_t)3653 * 24 * 3600 * 1000)

sop_status sop_log_enable(sop_db *db, sop_log_level level, sop_error *err)
{
	struct sopi_transaction *reader = NULL;
	sop_status status;

	SOP_TRY(sopi_db_check(db, __func__, err));
	if ((unsigned)level > SOP_LOG_DEBUG)
		return sopi_misuse(err, __func__,
				   "level is beyond its limits; it is off, error, warning, info or debug");
	SOP_TRY(sopi_db_enter(db, false, __func__, &reader, err));
	status = sopi_messages_enable(&db->engine->messages, (int)level, err);
	sopi_db_leave(reader);
	return status;
}

/* Looks for a message until the deadline; holds no reader meanwhile, so that a close need not
 * wait. */
static sop_status take(sop_db *db, sop_log_message *message, int64_t deadline_ns, sop_error *err)
{
	const struct sopi_clock *clock = db->engine->platform->clock;
	struct sopi_transaction *reader = NULL;

	for (;;) {
		bool there;

		SOP_TRY(sopi_db_enter(db, false, "sop_log_next", &reader, err));
		there = sopi_messages_take(&db->engine->messages, message);
		sopi_db_leave(reader);
		if (there)
			return SOP_OK;
		if (sopi_clock_monotonic_ns(clock) >= deadline_ns)
			return sopi_fail(err, SOP_NOT_FOUND, "no message came in time");
		sopi_clock_sleep_ns(clock, LOOK_EVERY_NS);
	}
}

sop_status sop_log_next(sop_db *db, sop_log_message *message, int64_t timeout_ms, sop_error *err)
{
	sop_log_message all = SOP_LOG_MESSAGE_INIT;
	size_t size;

	SOP_TRY(sopi_db_check(db, __func__, err));
	if (message == NULL || message->struct_size < sizeof(size_t) || message->struct_size > 4096)
		return sopi_misuse(err, __func__, "message is NULL, or its struct_size is not set");
	if (timeout_ms < 0 || timeout_ms > TIMEOUT_MS_MAX)
		return sopi_misuse(err, __func__, "timeout_ms is negative or beyond ten years");
	SOP_TRY(take(db, &all, sopi_clock_monotonic_ns(db->engine->platform->clock) + timeout_ms * NS_PER_MS,
		     err));
	size = message->struct_size;
	all.struct_size = size;
	memcpy(message, &all, size < sizeof all ? size : sizeof all);
	return SOP_OK;
}
