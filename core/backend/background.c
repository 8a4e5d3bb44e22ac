/* The one thread of a database: checkpoints when they are due, flushes what is weaker than flushed, leaves a mark in the
 * log when the database rests, writes figures for other processes. It begins with the database, at rest. Without it (tests)
 * the calls that find something due do it. */
#include "backend/inredfs.h"

#include "btree/together.h"
#include "platform/clock.h"

enum { NS_PER_MS = 1000000, TICK_MS = 100, IDLE_TICKS = 10 };
enum {
	REST_MS = 1000
}; /* between two looks at a database in which nothing is committed, for its figures */
enum {
	WEAK_BYTES_MAX = 8 << 20
}; /* of log that waits for the timer; beyond, whoever commits flushes */

static const struct sopi_clock *clock_of(const struct sopi_inredfs *fs)
{
	return fs->engine->platform->clock;
}

void sopi_background_ended(struct sopi_inredfs *fs, sop_status status)
{
	sopi_mutex_lock(&fs->mutex);
	fs->rounds++;
	fs->last = status;
	fs->wanted = false;
	sopi_cond_broadcast(&fs->done);
	sopi_mutex_unlock(&fs->mutex);
}

/* ---- the thread ---------------------------------------------------------------------------------- */

/* Sleeps until there is something to do, or `timeout_ms` has passed. True: a checkpoint is wanted. */
static bool rest(struct sopi_inredfs *fs, int64_t timeout_ms, bool *weak, bool *stop)
{
	const int64_t deadline_ns = sopi_clock_monotonic_ns(clock_of(fs)) + timeout_ms * NS_PER_MS;
	bool wanted;

	sopi_mutex_lock(&fs->mutex);
	while (!fs->stop && !fs->wanted && !fs->weak && !fs->stirred &&
	       sopi_clock_wait_until(clock_of(fs), &fs->wake, &fs->mutex, deadline_ns)) {
	}
	*stop = fs->stop;
	*weak = fs->weak;
	fs->weak = false;
	fs->stirred = false;
	wanted = fs->wanted;
	sopi_mutex_unlock(&fs->mutex);
	return wanted;
}

/* Lets commits gather for one flush; whoever closes or wants a checkpoint does not wait for that. */
static void gather(struct sopi_inredfs *fs)
{
	const int64_t deadline_ns = sopi_clock_monotonic_ns(clock_of(fs)) +
				    fs->engine->options.flush_interval_ms * NS_PER_MS;

	sopi_mutex_lock(&fs->mutex);
	while (!fs->stop && !fs->wanted &&
	       sopi_clock_wait_until(clock_of(fs), &fs->wake, &fs->mutex, deadline_ns)) {
	}
	sopi_mutex_unlock(&fs->mutex);
}

static void flush(struct sopi_inredfs *fs, bool mark)
{
	atomic_store_explicit(&fs->weak_bytes, 0, memory_order_relaxed);
	if (sopi_wal_flush(fs->wal, mark, NULL) != SOP_OK)
		(void)sopi_inredfs_fail(fs, SOP_IO);
	else if (mark)
		atomic_store(&fs->marked, atomic_load(&fs->engine->applied));
}

/* What to do when a while has passed; `idle` counts those in which nothing was committed. */
static void tick(struct sopi_inredfs *fs, uint64_t *seen, unsigned *idle)
{
	const uint64_t applied = atomic_load(&fs->engine->applied);

	sopi_spare_tick(&fs->engine->forest.spare);
	if (applied != *seen) {
		*seen = applied;
		*idle = 0;
		sopi_wal_prepare(fs->wal);
		return;
	}
	if (*idle < UINT32_MAX)
		++*idle;
	if (*idle == IDLE_TICKS)
		sopi_memory_rest(&fs->engine->forest.memory);
	if (*idle == IDLE_TICKS && atomic_load(&fs->marked) < applied)
		flush(fs, true);
	if (*idle == SOPI_CHECKPOINT_IDLE_MS / TICK_MS &&
	    (atomic_load(&fs->logged) != 0 || atomic_load(&fs->inherited) != 0))
		(void)sopi_checkpoint_run(fs, &sopi_checkpoint_usual, NULL);
}

static void background(void *arg)
{
	struct sopi_inredfs *fs = arg;
	uint64_t seen = atomic_load(&fs->marked);
	unsigned idle = SOPI_CHECKPOINT_IDLE_MS / TICK_MS + 1; /* at rest, until something is committed */
	bool stop = false, weak = false;

	while (!stop) {
		const bool at_rest = idle > SOPI_CHECKPOINT_IDLE_MS / TICK_MS;

		if (rest(fs, at_rest ? REST_MS : TICK_MS, &weak, &stop) && !stop)
			(void)sopi_checkpoint_run(fs, &sopi_checkpoint_usual, NULL);
		if (weak && !stop) {
			gather(fs);
			flush(fs, false);
		}
		if (!stop && !atomic_load(&fs->engine->failed))
			tick(fs, &seen, &idle);
		if (!stop) {
			sopi_memory_ahead(&fs->engine->forest.memory);
			sopi_stats_file_update(fs);
		}
	}
}

/* Starts the thread. Without memory for it the calls do its work. */
static void start_locked(struct sopi_inredfs *fs)
{
	if (fs->running || fs->stop || fs->engine->options.no_background)
		return;
	fs->running = sopi_thread_start(&fs->thread, "sop-checkpoint", background, fs, NULL) == SOP_OK;
}

void sopi_background_begin(struct sopi_inredfs *fs)
{
	sopi_background_busy(fs, false);
	sopi_mutex_lock(&fs->mutex);
	start_locked(fs);
	sopi_mutex_unlock(&fs->mutex);
}

/* While a checkpoint is written it needs the processor that another thread would bring leaves in with. */
void sopi_background_busy(struct sopi_inredfs *fs, bool busy)
{
	sopi_helper_allow(fs->engine->forest.resident, !busy && !fs->engine->options.no_background);
}

/* Has the thread look around now, however long it meant to sleep. */
static void stir(struct sopi_inredfs *fs)
{
	sopi_mutex_lock(&fs->mutex);
	start_locked(fs);
	fs->stirred = true;
	sopi_cond_signal(&fs->wake);
	sopi_mutex_unlock(&fs->mutex);
}

void sopi_background_has_failed(struct sopi_backend *backend)
{
	stir(sopi_inredfs_of(backend));
}

void sopi_background_halt(struct sopi_backend *backend)
{
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);
	bool running;

	sopi_mutex_lock(&fs->mutex);
	fs->stop = true;
	running = fs->running;
	fs->running = false;
	sopi_cond_broadcast(&fs->wake);
	sopi_cond_broadcast(&fs->done);
	sopi_mutex_unlock(&fs->mutex);
	if (running)
		sopi_thread_join(&fs->thread);
}

/* ---- commits ------------------------------------------------------------------------------------- */

/* Asks for a checkpoint. True: the thread does it. */
static bool want_locked(struct sopi_inredfs *fs)
{
	start_locked(fs);
	if (!fs->wanted && fs->running) {
		fs->wanted = true;
		sopi_cond_signal(&fs->wake);
	}
	return fs->running;
}

static bool want(struct sopi_inredfs *fs)
{
	bool running;

	sopi_mutex_lock(&fs->mutex);
	running = want_locked(fs);
	sopi_mutex_unlock(&fs->mutex);
	return running;
}

void sopi_background_committed(struct sopi_backend *backend, size_t bytes, bool weak)
{
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);
	const uint64_t before = atomic_fetch_add_explicit(&fs->logged, bytes + 1, memory_order_relaxed);

	if (SOPI_UNLIKELY(weak)) {
		sopi_mutex_lock(&fs->mutex);
		start_locked(fs);
		if (!fs->weak) {
			fs->weak = true;
			sopi_cond_signal(&fs->wake);
		}
		sopi_mutex_unlock(&fs->mutex);
		if (atomic_fetch_add_explicit(&fs->weak_bytes, bytes, memory_order_relaxed) + bytes >
		    WEAK_BYTES_MAX)
			flush(fs, false);
	}
	/* The first write since the newest checkpoint; or bulk loading, which fills a segment or a chunk of memory between
	 * two ticks and would have to wait for the next one to be made. */
	if (SOPI_UNLIKELY(before == 0) || sopi_wal_fills(fs->wal) ||
	    sopi_memory_wants_ahead(&fs->engine->forest.memory))
		stir(fs);
	if (SOPI_UNLIKELY(sopi_inredfs_is_due(fs)) && !want(fs) && !fs->stop)
		(void)sopi_checkpoint_run(fs, &sopi_checkpoint_usual, NULL);
}

/* Asks for a checkpoint and waits until one has ended, or for the deadline. Without the thread it makes one. */
static sop_status wait_for_room(struct sopi_inredfs *fs, int64_t deadline_ns, sop_error *err)
{
	const int64_t for_ever = INT64_MAX;
	sop_status status = SOP_OK;
	uint64_t rounds;

	sopi_mutex_lock(&fs->mutex);
	rounds = fs->rounds; /* together with the request: the end of a checkpoint takes it back */
	if (!want_locked(fs)) {
		sopi_mutex_unlock(&fs->mutex);
		return sopi_checkpoint_run(fs, &sopi_checkpoint_usual, err);
	}
	while (!fs->stop && fs->rounds == rounds && status == SOP_OK) {
		if (!sopi_clock_wait_until(clock_of(fs), &fs->done, &fs->mutex,
					   deadline_ns != 0 ? deadline_ns : for_ever))
			status = sopi_fail(err, SOP_TIMEOUT,
					   "the deadline of the transaction has passed while it waited for a checkpoint; "
					   "it is rolled back");
	}
	if (status == SOP_OK && fs->rounds != rounds)
		status = fs->last;
	sopi_mutex_unlock(&fs->mutex);
	return status;
}

static sop_status no_space(sop_error *err)
{
	return sopi_fail(err, SOP_NO_SPACE,
			 "the disk is full: only removing and reading go on; free some space, or remove and run gc");
}

sop_status sopi_background_pace(struct sopi_backend *backend, int64_t deadline_ns, bool urgent,
				sop_error *err)
{
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);
	sop_status status = SOP_OK;

	if (SOPI_UNLIKELY(atomic_load_explicit(&fs->engine->failed, memory_order_relaxed)))
		return sopi_engine_has_failed(err);
	if (SOPI_UNLIKELY(atomic_load_explicit(&fs->low_space, memory_order_relaxed)) && !urgent) {
		status = sopi_checkpoint_run(fs, &sopi_checkpoint_usual, NULL); /* there may be room again */
		if (atomic_load(&fs->low_space))
			return status == SOP_FAILED || status == SOP_IO ? sopi_engine_has_failed(err)
									: no_space(err);
		status = SOP_OK;
	}
	while (SOPI_UNLIKELY(sopi_inredfs_is_full(fs)) && status == SOP_OK && !fs->stop) {
		status = wait_for_room(fs, deadline_ns, err);
		if (status == SOP_NO_SPACE)
			return urgent ? SOP_OK : no_space(err);
		if (status != SOP_OK && status != SOP_TIMEOUT)
			return sopi_fail(err, status, "a checkpoint that must make room failed: %s",
					 sop_status_name(status));
	}
	return status;
}

sop_status sopi_background_out_of_space(struct sopi_backend *backend, sop_error *err)
{
	static const struct sopi_checkpoint_how how = { .always = true };
	struct sopi_inredfs *fs = sopi_inredfs_of(backend);

	(void)sopi_inredfs_drop_ballast(fs);
	return sopi_checkpoint_run(fs, &how, err);
}
