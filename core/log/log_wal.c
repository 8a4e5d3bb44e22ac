/* Opening and closing the log of a database in a folder; its port; figures. */
#include "log/log_wal.h"

#include "base/alloc.h"
#include "base/plant.h"
#include "log/log_wal_state.h"

static uint64_t wal_durable(struct sopi_log *log)
{
	return atomic_load(&wal_of(log)->durable);
}

static void wal_close(struct sopi_log *log)
{
	struct sopi_wal *wal = wal_of(log);

	wal_ahead_end(&wal->ahead);
	SOPI_CHECK(wal->first_waiter == NULL);
	wal_segment_close(&wal->next);
	wal_segment_close(&wal->current);
	wal_buffer_free(wal);
	sopi_free(wal->chain.items);
	sopi_free(wal->pool.items);
	sopi_mutex_destroy(&wal->queue);
	sopi_mutex_destroy(&wal->maker);
	sopi_mutex_destroy(&wal->state);
	sopi_free(wal);
}

static const struct sopi_log_driver wal_driver = {
	.reserve = wal_reserve,
	.unreserve = wal_unreserve,
	.next = wal_next,
	.submit = wal_submit,
	.wait_durable = wal_wait_durable,
	.wait_written = wal_wait_written,
	.write_ahead = wal_write_ahead,
	.durable = wal_durable,
	.series_begin = wal_series_begin,
	.series_end = wal_series_end,
	.close = wal_close,
};

/* ---- opening ---- */

static void clamp(uint64_t *bytes, uint64_t least)
{
	if (*bytes < least)
		*bytes = least;
	*bytes = wal_round(*bytes, SOPI_LOG_FIRST_PLACE);
}

static sop_status wal_new(const struct sopi_wal_options *options, struct sopi_wal **out, sop_error *err)
{
	struct sopi_wal *wal;
	void *memory = NULL;

	SOP_TRY(sopi_alloc_zeroed(sizeof *wal, &memory, err));
	wal = memory;
	wal->base.driver = &wal_driver;
	wal->options = *options;
	clamp(&wal->options.segment_bytes, SOPI_WAL_SEGMENT_BYTES_MIN);
	clamp(&wal->options.segment_bytes_max, wal->options.segment_bytes);
	wal->epoch = options->epoch;
	wal->open = &wal->batches[0];
	sopi_mutex_init(&wal->state);
	sopi_mutex_init(&wal->maker);
	sopi_mutex_init(&wal->queue);
	wal_ahead_init(&wal->ahead);
	*out = wal;
	return SOP_OK;
}

static sop_status begin(struct sopi_wal *wal, sop_error *err)
{
	const uint64_t checkpoint = wal->options.checkpoint;
	const uint64_t before = checkpoint >> SOPI_POSITION_INDEX_BITS; /* the slot of the checkpoint */
	struct sopi_log_segment head = {
		.sequence = 1, .epoch = wal->epoch, .first_slot = before + 1, .checkpoint = checkpoint
	};
	struct wal_segment first;

	wal->next_sequence = 1;
	wal->slot = before + 1;
	wal->written_slot = before;
	wal->flushed_slot = before;
	wal->durable_point.slot = before;
	wal->checkpoint = checkpoint;
	wal->ends_in_mark = true; /* there is nothing before it */
	atomic_store(&wal->written, checkpoint);
	atomic_store(&wal->durable, checkpoint);
	SOP_TRY(wal_segment_make(wal, 0, err));
	head.block_bytes = (uint32_t)wal->block;
	head.salt = wal->next.salt;
	SOP_TRY(wal_segment_begin(wal, &wal->next, &head, err));
	first = wal->next;
	wal->next.file = NULL;
	wal->next.direct = NULL;
	wal->next_room = 0;
	wal_segment_enter(wal, &first, before + 1);
	return SOP_OK;
}

sop_status sopi_wal_create(const struct sopi_wal_options *options, struct sopi_log **out, sop_error *err)
{
	struct sopi_wal *wal = NULL;
	sop_status status;

	SOP_TRY(wal_new(options, &wal, err));
	sopi_mutex_lock(&wal->maker);
	status = begin(wal, err);
	sopi_mutex_unlock(&wal->maker);
	if (status == SOP_OK)
		*out = &wal->base;
	else
		wal_close(&wal->base);
	return status;
}

sop_status sopi_wal_open(const struct sopi_wal_options *options, struct sopi_log **out, sop_error *err)
{
	struct sopi_wal *wal = NULL;
	sop_status status;

	SOP_TRY(wal_new(options, &wal, err));
	status = wal_recover(wal, err);
	if (status == SOP_OK)
		*out = &wal->base;
	else
		wal_close(&wal->base);
	return status;
}

/* ---- figures ---- */

uint64_t sopi_wal_epoch(const struct sopi_log *log)
{
	return ((const struct sopi_wal *)log)->found_epoch;
}

uint64_t sopi_wal_end(const struct sopi_log *log)
{
	return ((const struct sopi_wal *)log)->end.position;
}

bool sopi_wal_has_failed(const struct sopi_log *log)
{
	return wal_failed((const struct sopi_wal *)log);
}

void sopi_wal_fail(struct sopi_log *log)
{
	atomic_store(&wal_of(log)->failed, true);
}

/* The index of the first segment with an entry above `position`, or a part of what commits above it; the current one if
 * there is none. */
static size_t index_behind_locked(const struct sopi_wal *wal, uint64_t position)
{
	const uint64_t checkpoint = position;
	size_t i = 0;

	for (const struct sopi_log_series *series = wal->series; series != NULL; series = series->next) {
		if (series->position != 0 && series->position <= position &&
		    !SOPI_PLANTED(SOPI_PLANT_LOG_PARTS_RECYCLED) &&
		    (series->last == 0 || series->last > checkpoint))
			position = series->position - 1;
	}
	while (i + 1 < wal->chain.count && wal->chain.items[i].last_position <= position)
		i++;
	return i;
}

uint64_t sopi_wal_segment_of(struct sopi_log *log, uint64_t position)
{
	struct sopi_wal *wal = wal_of(log);
	uint64_t sequence;

	sopi_mutex_lock(&wal->state);
	sequence = wal->chain.items[index_behind_locked(wal, position)].sequence;
	sopi_mutex_unlock(&wal->state);
	return sequence;
}

uint64_t sopi_wal_bytes_behind(struct sopi_log *log, uint64_t position)
{
	struct sopi_wal *wal = wal_of(log);
	uint64_t bytes = 0;

	sopi_mutex_lock(&wal->state);
	for (size_t i = index_behind_locked(wal, position); i < wal->chain.count; i++)
		bytes += wal->chain.items[i].used - SOPI_LOG_FIRST_PLACE;
	sopi_mutex_unlock(&wal->state);
	return bytes;
}

struct sopi_wal_point sopi_wal_durable_point(struct sopi_log *log)
{
	struct sopi_wal *wal = wal_of(log);
	struct sopi_wal_point point;

	sopi_mutex_lock(&wal->state);
	point = wal->durable_point;
	if (SOPI_PLANTED(SOPI_PLANT_LOG_POINT_WRITTEN))
		point = (struct sopi_wal_point){ wal->written_slot, wal->previous };
	sopi_mutex_unlock(&wal->state);
	return point;
}

uint64_t wal_list_bytes(const struct wal_list *list)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < list->count; i++)
		bytes += list->items[i].bytes;
	return bytes;
}

void sopi_wal_get_stats(struct sopi_log *log, struct sopi_wal_stats *stats)
{
	struct sopi_wal *wal = wal_of(log);

	sopi_mutex_lock(&wal->state);
	*stats = wal->stats;
	stats->segments = wal->chain.count;
	stats->segment_bytes = wal_list_bytes(&wal->chain);
	stats->current_bytes = wal->chain.items[wal->chain.count - 1].bytes;
	stats->pool_bytes = wal_list_bytes(&wal->pool);
	sopi_mutex_unlock(&wal->state);
}
