/* Who has which folder open in this process. A folder is known by what it is, not by its path. */
#include "api/instance.h"

#include "backend/open.h"
#include "base/alloc.h"
#include "base/check.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/fork.h"
#include "platform/thread.h"
#include "transaction/transaction.h"

#define CLOSING_WAIT_NS ((int64_t)10 * 1000000000)

enum { SNAPSHOT_BYTES_IN_MEMORY = 1 << 30 };

/* The instances of folders. */
static struct {
	struct sopi_fork_lock lock; /* guards what follows, and in each instance what it says; leaf of the lock order */
	uint32_t fork_generation; /* of the process whose list it is: a child begins with an empty one */
	struct sopi_instance *first;
	uint64_t numbers; /* given to instances */
	_Atomic uint32_t changes; /* counts what somebody may wait for */
} all;

static void lock(void)
{
	sopi_fork_lock_take(&all.lock);
	if (all.fork_generation == sopi_fork_generation())
		return;
	all.fork_generation = sopi_fork_generation();
	all.first = NULL;
}

static void unlock(void)
{
	sopi_fork_lock_give(&all.lock);
}

static void changed_locked(void)
{
	atomic_fetch_add(&all.changes, 1);
	sopi_futex_wake(&all.changes, INT32_MAX);
}

static struct sopi_instance *find_locked(const struct sopi_platform *platform, const uint64_t folder[2])
{
	struct sopi_instance *instance = all.first;

	while (instance != NULL && (instance->platform != platform ||
				    memcmp(instance->folder, folder, sizeof instance->folder) != 0))
		instance = instance->next;
	return instance;
}

static void remove_locked(struct sopi_instance *instance)
{
	struct sopi_instance **link = &all.first;

	if (!instance->listed)
		return;
	while (*link != NULL && *link != instance)
		link = &(*link)->next;
	SOPI_CHECK(*link == instance);
	*link = instance->next;
	changed_locked();
}

/* ---- opening --------------------------------------------------------------------------------------------- */

static sop_status instance_new(const sop_options *options, const struct sopi_platform *platform,
			       struct sopi_instance **out, sop_error *err)
{
	struct sopi_instance *instance;
	void *memory = NULL;

	SOP_TRY(sopi_alloc_aligned(_Alignof(struct sopi_instance), sizeof *instance, &memory, err));
	instance = memory;
	memset(instance, 0, sizeof *instance);
	atomic_init(&instance->references, 1);
	instance->handles = 1;
	instance->state = SOPI_INSTANCE_OPENING;
	instance->platform = platform;
	instance->options = *options;
	*out = instance;
	return SOP_OK;
}

/* path: of its folder; NULL: in memory. */
static sop_status open_engine(struct sopi_instance *instance, const char *path, sop_error *err)
{
	struct sopi_engine *engine = &instance->engine;
	sop_status status;

	SOP_TRY(sopi_engine_open(engine, &instance->options.engine, instance->platform, err));
	if (path == NULL) {
		engine->options.read_only = false;
		if (engine->options.snapshot_bytes_max == 0)
			engine->options.snapshot_bytes_max = SNAPSHOT_BYTES_IN_MEMORY;
		return SOP_OK;
	}
	status = sopi_backend_open(engine, path, err);
	if (status != SOP_OK) {
		(void)sopi_engine_close(engine, NULL); /* the first failure is the one to tell */
		sopi_engine_free(engine);
	}
	return status;
}

/* Opens an instance that nobody but its list knows. */
static sop_status open_new(struct sopi_instance *instance, const char *path, sop_error *err)
{
	const sop_status status = open_engine(instance, path, err);

	lock();
	instance->state = SOPI_INSTANCE_OPEN;
	if (status != SOP_OK)
		remove_locked(instance);
	else if (instance->listed)
		changed_locked();
	unlock();
	if (status != SOP_OK)
		sopi_free(instance);
	return status;
}

/* Which folder is it? It is made if need be. `told` becomes false where nobody can tell. */
static sop_status identify(const struct sopi_url *url, const sop_options *options,
			   const struct sopi_platform *platform, uint64_t folder[2], bool *told,
			   sop_error *err)
{
	const bool creates = options->engine.create && !options->engine.read_only;
	struct sopi_folder *opened = NULL;
	sop_status status;

	*told = false;
	if (url->kind == SOPI_URL_MEMORY || !sopi_files_identify(platform->files))
		return SOP_OK;
	status = sopi_files_open_folder(platform->files, url->path, 0, &opened, creates ? NULL : err);
	if (creates && status != SOP_OK)
		status = sopi_files_open_folder(platform->files, url->path, SOPI_FOLDER_CREATE,
						&opened, err);
	if ((status == SOP_NOT_FOUND && !creates) || status == SOP_CORRUPT)
		return SOP_OK; /* opening it says so */
	SOP_TRY(status);
	status = sopi_folder_identify(opened, folder, err);
	sopi_folder_close(opened);
	*told = status == SOP_OK;
	return status;
}

enum { DIFFERENCE_BYTES = 96 };

/* May another handle take part? OK: it does. */
static sop_status join_locked(struct sopi_instance *instance, const sop_options *options,
			      char difference[DIFFERENCE_BYTES])
{
	if (atomic_load(&instance->engine.failed))
		return SOP_FAILED;
	if (sopi_options_differ(&instance->options, options, difference, DIFFERENCE_BYTES))
		return SOP_LOCKED;
	instance->handles++;
	atomic_fetch_add(&instance->references, 1);
	return SOP_OK;
}

static sop_status joined(sop_status status, const char *difference, sop_error *err)
{
	if (status == SOP_FAILED)
		return sopi_fail(err, SOP_FAILED,
				 "this process has the database open, and it has failed; close every handle of it, then open it again");
	if (status == SOP_LOCKED)
		return sopi_fail_file(err, SOP_LOCKED, "LOCK", -1, 0,
				      "this process has the database open already, with %s; open it with the same options, or share the handle",
				      difference);
	return status;
}

/* Takes part in an instance of the folder, or enters `fresh`, which may become one. WOULD_BLOCK: one is being opened or
 * closed; *seen is what to wait on. */
static sop_status enter_locked(struct sopi_instance *fresh, struct sopi_instance **out,
			       char difference[DIFFERENCE_BYTES], uint32_t *seen)
{
	struct sopi_instance *there = find_locked(fresh->platform, fresh->folder);

	*seen = atomic_load(&all.changes);
	if (there == NULL) {
		fresh->listed = true;
		fresh->number = ++all.numbers;
		fresh->next = all.first;
		all.first = fresh;
		*out = fresh;
		return SOP_OK;
	}
	if (there->state != SOPI_INSTANCE_OPEN)
		return SOP_WOULD_BLOCK;
	*out = there;
	return join_locked(there, &fresh->options, difference);
}

/* Which instance of the folder is being closed; 0: none is. */
static uint64_t closing_locked(const struct sopi_instance *fresh)
{
	const struct sopi_instance *there = find_locked(fresh->platform, fresh->folder);

	return there != NULL && there->state == SOPI_INSTANCE_CLOSING ? there->number : 0;
}

bool sopi_instance_has(const char *path, const struct sopi_platform *platform)
{
	struct sopi_folder *opened = NULL;
	uint64_t folder[2];
	bool has = false;

	if (!sopi_files_identify(platform->files) ||
	    sopi_files_open_folder(platform->files, path, 0, &opened, NULL) != SOP_OK)
		return false;
	if (sopi_folder_identify(opened, folder, NULL) == SOP_OK) {
		lock();
		has = find_locked(platform, folder) != NULL;
		unlock();
	}
	sopi_folder_close(opened);
	return has;
}

/* Opening and closing run no code of the program's, so waiting for them ends; but a close waits for calls that do, and
 * this may be in one of them. So nobody waits for ever for the same close; others may come before us any number of
 * times. */
static sop_status enter(struct sopi_instance *fresh, struct sopi_instance **out, sop_error *err)
{
	const struct sopi_clock *clock = fresh->platform->clock;
	char difference[DIFFERENCE_BYTES] = "";
	uint64_t closing = 0;
	int64_t since_ns = 0;

	for (;;) {
		uint64_t closing_now;
		uint32_t seen = 0;
		sop_status status;

		lock();
		status = enter_locked(fresh, out, difference, &seen);
		closing_now = closing_locked(fresh);
		unlock();
		if (status != SOP_WOULD_BLOCK)
			return joined(status, difference, err);
		if (closing_now != closing)
			since_ns = sopi_clock_monotonic_ns(clock);
		closing = closing_now;
		if (closing != 0 && sopi_clock_monotonic_ns(clock) - since_ns >= CLOSING_WAIT_NS)
			return sopi_fail_file(
				err, SOP_LOCKED, "LOCK", -1, 0,
				"this process is closing the database, and a call on it has not ended; open it again when it has");
		(void)sopi_futex_wait(&all.changes, seen, CLOSING_WAIT_NS);
	}
}

sop_status sopi_instance_open(const struct sopi_url *url, const sop_options *options,
			      const struct sopi_platform *platform, struct sopi_instance **out,
			      sop_error *err)
{
	struct sopi_instance *fresh = NULL;
	sop_status status;
	bool told = false;

	SOP_TRY(instance_new(options, platform, &fresh, err));
	*out = fresh;
	status = identify(url, options, platform, fresh->folder, &told, err);
	if (status == SOP_OK && told)
		status = enter(fresh, out, err);
	if (status != SOP_OK || *out != fresh) {
		sopi_free(fresh);
		return status;
	}
	return open_new(fresh, url->kind == SOPI_URL_MEMORY ? NULL : url->path, err);
}

/* ---- closing --------------------------------------------------------------------------------------------- */

static void end_transaction(void *owner)
{
	sopi_transaction_destroy(owner);
}

/* Ends what belongs to one of several handles. What it committed is on stable storage then, as after every close. */
static sop_status close_group(struct sopi_instance *instance, const void *group, sop_error *err)
{
	struct sopi_backend *backend = instance->engine.backend;

	sopi_slots_close_group(&instance->engine.forest.reclaim, group, end_transaction);
	if (backend == NULL)
		return SOP_OK;
	if (atomic_load(&instance->engine.failed))
		return sopi_engine_has_failed(err);
	return backend->driver->sync(backend, err);
}

/* Takes `handles` away. True: none is left, and nobody can take part any more. */
static bool leave(struct sopi_instance *instance, uint32_t handles)
{
	bool last;

	lock();
	instance->handles -= handles;
	last = instance->handles + handles == 1;
	if (last)
		instance->state = SOPI_INSTANCE_CLOSING;
	unlock();
	return last;
}

static sop_status close_engine(struct sopi_instance *instance, sop_error *err)
{
	const sop_status status = sopi_engine_close(&instance->engine, err);

	lock();
	remove_locked(instance);
	unlock();
	return status;
}

sop_status sopi_instance_close(struct sopi_instance *instance, const void *group, sop_error *err)
{
	sop_status status, closed;

	if (leave(instance, 0))
		return close_engine(instance, err);
	/* It still counts, so that what it needs for its end stays. */
	status = close_group(instance, group, err);
	if (!leave(instance, 1))
		return status;
	closed = close_engine(instance, status == SOP_OK ? err : NULL); /* others have closed theirs meanwhile */
	return status == SOP_OK ? closed : status;
}

void sopi_instance_unreference(struct sopi_instance *instance, bool alive)
{
	if (atomic_fetch_sub_explicit(&instance->references, 1, memory_order_acq_rel) != 1)
		return;
	if (alive)
		sopi_engine_free(&instance->engine);
	sopi_free(instance);
}
