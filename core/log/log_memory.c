/* The log of a database that lives in memory: a counter. */
#include "log/log.h"

#include "base/alloc.h"

#include <stdatomic.h>

struct memory_log {
	struct sopi_log base;
	_Atomic uint64_t last; /* newest position given; changed under the commit mutex */
};

static struct memory_log *memory_log_of(struct sopi_log *log)
{
	return (struct memory_log *)log; /* `base` is the first member */
}

static sop_status memory_reserve(struct sopi_log *log, size_t bytes, bool urgent, sop_error *err)
{
	(void)log;
	(void)bytes;
	(void)urgent;
	(void)err;
	return SOP_OK;
}

static void memory_unreserve(struct sopi_log *log, size_t bytes)
{
	(void)log;
	(void)bytes;
}

static uint64_t memory_next(struct sopi_log *log)
{
	return memory_log_of(log)->last + 1;
}

static void memory_submit(struct sopi_log *log, uint64_t position,
			  const struct sopi_log_entry *entry, size_t reserved)
{
	(void)entry;
	(void)reserved;
	SOPI_CHECK(position == memory_log_of(log)->last + 1);
	atomic_store_explicit(&memory_log_of(log)->last, position, memory_order_relaxed);
}

static sop_status memory_wait_durable(struct sopi_log *log, uint64_t position, sop_error *err)
{
	(void)log;
	(void)position;
	(void)err;
	return SOP_OK;
}

static uint64_t memory_durable(struct sopi_log *log)
{
	return atomic_load_explicit(&memory_log_of(log)->last, memory_order_relaxed);
}

static void memory_close(struct sopi_log *log)
{
	sopi_free(log);
}

static const struct sopi_log_driver memory_driver = {
	.reserve = memory_reserve,
	.unreserve = memory_unreserve,
	.next = memory_next,
	.submit = memory_submit,
	.wait_durable = memory_wait_durable,
	.wait_written = memory_wait_durable,
	.durable = memory_durable,
	.close = memory_close,
};

sop_status sopi_log_memory_open(struct sopi_log **out, sop_error *err)
{
	struct memory_log *log;
	void *memory = NULL;

	SOP_TRY(sopi_alloc_zeroed(sizeof *log, &memory, err));
	log = memory;
	log->base.driver = &memory_driver;
	*out = &log->base;
	return SOP_OK;
}
