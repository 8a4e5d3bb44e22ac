/* Simulated processes: their life, and the gate that every file call passes. */
#include "platform/sim_process.h"

#include "base/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const call_names[SOPI_SIM_CALL_KINDS] = {
	"open_folder", "open_file",  "make_folder",   "list",	     "look",	    "rename",
	"link",	       "remove",     "remove_folder", "sync_folder", "file_system", "read",
	"write",       "allocate",   "resize",	      "sync_data",   "sync",	    "size",
	"lock",	       "write_back", "land",
};

/* Of this thread: it is being told of a call. */
static _Thread_local bool watching;

static size_t index_of(unsigned kind)
{
	return (size_t)__builtin_ctz(kind);
}

static bool fault_is_about(const struct sopi_sim_process *process, unsigned kind, const char *path)
{
	return (process->fault.calls & kind) != 0 &&
	       strncmp(path, process->fault_path, strlen(process->fault_path)) == 0;
}

/* The errno of the fault if this call is one that fails, or 0. */
static int fault_of(struct sopi_sim_process *process, unsigned kind, const char *path)
{
	int64_t number;

	if (!fault_is_about(process, kind, path))
		return 0;
	number = process->fault_calls++;
	if (number < process->fault.after || (number > process->fault.after && !process->fault.for_ever))
		return 0;
	if (process->failed_call[0] == '\0')
		(void)snprintf(process->failed_call, sizeof process->failed_call, "%s %s",
			       call_names[index_of(kind)], path);
	return process->fault.os_errno;
}

static void kill_locked(struct sopi_sim_process *process)
{
	process->alive = false;
	for (struct sopi_sim_file *file = process->open_files; file != NULL; file = file->next)
		sopi_sim_unlock_locked(file);
}

void sopi_sim_kill_all_locked(struct sopi_sim_disk *disk)
{
	for (struct sopi_sim_process *process = disk->processes; process != NULL; process = process->next)
		kill_locked(process);
}

int sopi_sim_begin(struct sopi_sim_process *process, unsigned kind, const char *path,
		   uint64_t offset, uint64_t size)
{
	struct sopi_sim_disk *disk = process->disk;

	if (process->watch != NULL && !watching) {
		watching = true;
		process->watch(process->watch_arg, kind, path);
		watching = false;
	}
	sopi_mutex_lock(&disk->mutex);
	if (process->alive && process->kill_after == 0)
		kill_locked(process);
	if (!process->alive)
		return SOPI_SIM_DEAD;
	if (process->kill_after > 0)
		process->kill_after--;
	process->calls[index_of(kind)]++;
	if (disk->trace != NULL)
		(void)snprintf(disk->call, sizeof disk->call, "%s %s %llu+%llu",
			       call_names[index_of(kind)], path, (unsigned long long)offset,
			       (unsigned long long)size);
	return fault_of(process, kind, path);
}

sop_status sopi_sim_end(struct sopi_sim_process *process, int os_errno, bool changing,
			const char *action, const char *path, int64_t offset, sop_error *err)
{
	sopi_mutex_unlock(&process->disk->mutex);
	if (os_errno == 0)
		return SOP_OK;
	if (os_errno == SOPI_SIM_DEAD)
		return sopi_fail_file(err, SOP_IO, path, offset, EIO,
				      "cannot %s: the simulated process was killed [%s]", action, path);
	return sopi_file_fail(err, os_errno, changing, action, path, offset);
}

struct sopi_sim_process *sopi_sim_process_new(struct sopi_sim_disk *disk,
					      struct sopi_sim_clock *clock, uint64_t seed)
{
	struct sopi_sim_process *process = sopi_sim_alloc(sizeof *process);

	if (clock == NULL) {
		process->own_clock = clock = sopi_sim_clock_new(1, 1);
		sopi_sim_clock_set_automatic(clock, (int64_t)SOPI_SIM_GRACE_MS * 1000000);
	}
	process->files.driver = &sopi_sim_files_driver;
	process->platform.clock = sopi_sim_clock_port(clock);
	process->platform.random = sopi_sim_random_new(seed);
	process->platform.files = &process->files;
	process->disk = disk;
	process->alive = true;
	process->kill_after = -1;
	sopi_mutex_lock(&disk->mutex);
	process->next = disk->processes;
	disk->processes = process;
	sopi_mutex_unlock(&disk->mutex);
	return process;
}

const struct sopi_platform *sopi_sim_platform(struct sopi_sim_process *process)
{
	return &process->platform;
}

void sopi_sim_kill(struct sopi_sim_process *process)
{
	sopi_mutex_lock(&process->disk->mutex);
	kill_locked(process);
	sopi_mutex_unlock(&process->disk->mutex);
}

bool sopi_sim_is_alive(struct sopi_sim_process *process)
{
	bool alive;

	sopi_mutex_lock(&process->disk->mutex);
	alive = process->alive;
	sopi_mutex_unlock(&process->disk->mutex);
	return alive;
}

void sopi_sim_kill_after(struct sopi_sim_process *process, int64_t calls)
{
	sopi_mutex_lock(&process->disk->mutex);
	process->kill_after = calls;
	sopi_mutex_unlock(&process->disk->mutex);
}

void sopi_sim_process_free(struct sopi_sim_process *process)
{
	struct sopi_sim_process **link;

	if (process == NULL)
		return;
	sopi_mutex_lock(&process->disk->mutex);
	SOPI_CHECK(process->handles == 0);
	for (link = &process->disk->processes; *link != process; link = &(*link)->next)
		SOPI_CHECK(*link != NULL);
	*link = process->next;
	sopi_mutex_unlock(&process->disk->mutex);
	sopi_sim_random_free(process->platform.random);
	sopi_sim_clock_free(process->own_clock);
	sopi_sim_free(process);
}

void sopi_sim_fail(struct sopi_sim_process *process, const struct sopi_sim_fault *fault)
{
	sopi_mutex_lock(&process->disk->mutex);
	memset(&process->fault, 0, sizeof process->fault);
	memset(process->fault_path, 0, sizeof process->fault_path);
	memset(process->calls, 0, sizeof process->calls);
	process->fault_calls = 0;
	process->failed_call[0] = '\0';
	if (fault != NULL) {
		SOPI_CHECK(fault->os_errno > 0);
		process->fault = *fault;
		process->fault.path = NULL;
		if (fault->path != NULL)
			memcpy(process->fault_path, fault->path,
			       strnlen(fault->path, sizeof process->fault_path - 1));
	}
	sopi_mutex_unlock(&process->disk->mutex);
}

void sopi_sim_watch(struct sopi_sim_process *process, sopi_sim_watch_fn fn, void *arg)
{
	process->watch = fn;
	process->watch_arg = arg;
}

int64_t sopi_sim_calls(struct sopi_sim_process *process, unsigned calls)
{
	int64_t sum = 0;

	sopi_mutex_lock(&process->disk->mutex);
	for (size_t i = 0; i < SOPI_SIM_CALL_KINDS; i++)
		if ((calls >> i & 1) != 0)
			sum += process->calls[i];
	sopi_mutex_unlock(&process->disk->mutex);
	return sum;
}

const char *sopi_sim_failed_call(struct sopi_sim_process *process)
{
	return process->failed_call;
}
