/* The simulated disk's half of the files port: what is done with an open file. */
#include "platform/sim_process.h"

#include "base/alloc.h"
#include "base/check.h"

#include <errno.h>
#include <string.h>

/* The largest file: the table of its pages must fit in memory. */
#define FILE_BYTES_MAX ((uint64_t)1 << 34)

static struct sopi_sim_file *file_of(struct sopi_file *file)
{
	return (struct sopi_sim_file *)file; /* `base` is the first member */
}

static struct sopi_sim_node *node_of(struct sopi_sim_file *file)
{
	return sopi_sim_node_of(file->process->disk, file->node);
}

void sopi_sim_file_init(struct sopi_sim_file *file, struct sopi_sim_process *process, uint32_t node,
			const char *path, unsigned flags)
{
	file->base.driver = &sopi_sim_files_driver;
	file->process = process;
	file->node = node;
	file->flags = flags;
	memcpy(file->path, path, strnlen(path, sizeof file->path - 1));
	if ((flags & SOPI_FILE_DIRECT) != 0)
		file->base.direct_bytes = process->disk->direct_bytes;
	sopi_sim_node_of(process->disk, node)->opens++;
	process->handles++;
	file->next = process->open_files;
	process->open_files = file;
}

sop_status sopi_sim_read(struct sopi_file *base, uint64_t offset, void *to, size_t size,
			 size_t *got, sop_error *err)
{
	struct sopi_sim_file *file = file_of(base);
	int os_errno = sopi_sim_begin(file->process, SOPI_SIM_READ, file->path, offset, size);

	*got = 0;
	if (os_errno == 0 && (file->flags & SOPI_FILE_READ) == 0)
		os_errno = EBADF;
	if (os_errno == 0)
		*got = sopi_sim_content_read(&node_of(file)->cache.content, offset, to, size);
	return sopi_sim_end(file->process, os_errno, false, "read", file->path, (int64_t)offset, err);
}

static bool fits(uint64_t offset, uint64_t size)
{
	return offset <= FILE_BYTES_MAX && size <= FILE_BYTES_MAX - offset;
}

/* Why a call that changes the file may not, or 0. */
static int refuse(const struct sopi_sim_file *file, uint64_t offset, uint64_t size)
{
	if ((file->flags & SOPI_FILE_WRITE) == 0)
		return EBADF;
	return fits(offset, size) ? 0 : EFBIG;
}

/* How many of the bytes fit on the disk. */
static size_t room_for(struct sopi_sim_file *file, uint64_t offset, size_t size)
{
	const struct sopi_sim_content *content = &node_of(file)->cache.content;
	const uint64_t quota = file->process->disk->quota_bytes;
	const uint64_t used = quota != 0 ? sopi_sim_used_bytes_locked(file->process->disk) : 0;
	uint64_t free_pages = used < quota ? (quota - used) / SOPI_SIM_PAGE_BYTES : 0;
	uint64_t next;

	if (quota == 0)
		return size;
	for (uint64_t at = offset; at < offset + size; at = next) {
		next = (at / SOPI_SIM_PAGE_BYTES + 1) * SOPI_SIM_PAGE_BYTES;
		if (sopi_sim_content_pages_in(content, at, 1) != 0)
			continue;
		if (free_pages-- == 0)
			return (size_t)(at - offset);
	}
	return size;
}

static void set_size(struct sopi_sim_file *file, uint64_t size)
{
	struct sopi_sim_change change = { .kind = SOPI_SIM_SIZE_IS, .node = file->node, .offset = size };

	(void)sopi_sim_make_change(file->process->disk, &change);
}

static void put(struct sopi_sim_file *file, uint64_t offset, const void *from, size_t size)
{
	struct sopi_sim_change change = { .kind = SOPI_SIM_DATA, .node = file->node, .offset = offset };

	if (size == 0)
		return;
	change.data = sopi_sim_bytes_new(from, size);
	(void)sopi_sim_make_change(file->process->disk, &change);
	sopi_sim_bytes_free(change.data);
	if (offset + size > node_of(file)->cache.content.size)
		set_size(file, offset + size);
}

/* How much of a write goes to the disk: all, a part if it fails by order, nothing if it must not be. */
static size_t part_of(const struct sopi_sim_file *file, int os_errno, uint64_t offset, size_t size)
{
	const size_t partial = file->process->fault.partial_bytes;

	if (os_errno == SOPI_SIM_DEAD || refuse(file, offset, size) != 0)
		return 0;
	return os_errno == 0 || partial > size ? size : partial;
}

/* What a direct write has changed, from number `first` on, is durable once it has landed. Where somebody watches, others
 * may do something before that, and it may land after writes that began later, or never. */
static int end_direct(struct sopi_sim_file *file, int os_errno, uint64_t first)
{
	struct sopi_sim_process *process = file->process;
	const uint64_t end = process->disk->next_number;

	if (os_errno == 0 && process->watch != NULL) {
		sopi_mutex_unlock(&process->disk->mutex);
		os_errno = sopi_sim_begin(process, SOPI_SIM_LAND, file->path, 0, 0);
	}
	if (os_errno == 0)
		sopi_sim_force(process->disk, file->node, first, end);
	else if (os_errno != SOPI_SIM_DEAD)
		sopi_sim_give_up(process->disk, file->node, first, end);
	return os_errno;
}

sop_status sopi_sim_write(struct sopi_file *base, uint64_t offset, const void *from, size_t size,
			  sop_error *err)
{
	struct sopi_sim_file *file = file_of(base);
	struct sopi_sim_disk *disk = file->process->disk;
	int os_errno = sopi_sim_begin(file->process, SOPI_SIM_WRITE, file->path, offset, size);
	const uint64_t first = disk->next_number;
	const size_t part = part_of(file, os_errno, offset, size);
	const size_t stored = part != 0 ? room_for(file, offset, part) : 0;

	put(file, offset, from, stored);
	if (os_errno == 0)
		os_errno = refuse(file, offset, size);
	if (os_errno == 0 && stored < size)
		os_errno = ENOSPC;
	if (base->direct_bytes != 0 && stored != 0)
		os_errno = end_direct(file, os_errno, first);
	return sopi_sim_end(file->process, os_errno, true, "write", file->path, (int64_t)offset, err);
}

sop_status sopi_sim_allocate(struct sopi_file *base, uint64_t offset, uint64_t size, sop_error *err)
{
	struct sopi_sim_file *file = file_of(base);
	struct sopi_sim_change change = {
		.kind = SOPI_SIM_RESERVED, .node = file->node, .offset = offset, .size = size
	};
	int os_errno = sopi_sim_begin(file->process, SOPI_SIM_ALLOCATE, file->path, offset, size);

	if (os_errno == 0)
		os_errno = refuse(file, offset, size);
	if (os_errno == 0 && room_for(file, offset, (size_t)size) < size)
		os_errno = ENOSPC;
	if (os_errno == 0 && size != 0) {
		(void)sopi_sim_make_change(file->process->disk, &change);
		if (offset + size > node_of(file)->cache.content.size)
			set_size(file, offset + size);
	}
	return sopi_sim_end(file->process, os_errno, true, "reserve space", file->path,
			    (int64_t)offset, err);
}

sop_status sopi_sim_file_resize(struct sopi_file *base, uint64_t size, sop_error *err)
{
	struct sopi_sim_file *file = file_of(base);
	int os_errno = sopi_sim_begin(file->process, SOPI_SIM_RESIZE, file->path, size, 0);

	if (os_errno == 0)
		os_errno = refuse(file, 0, size);
	if (os_errno == 0 && size != node_of(file)->cache.content.size)
		set_size(file, size);
	return sopi_sim_end(file->process, os_errno, true, "resize", file->path, (int64_t)size, err);
}

static sop_status sync_as(struct sopi_file *base, unsigned kind, const char *action, sop_error *err)
{
	struct sopi_sim_file *file = file_of(base);
	const int os_errno = sopi_sim_begin(file->process, kind, file->path, 0, 0);

	if (os_errno == 0)
		sopi_sim_force(file->process->disk, file->node, 0, SOPI_SIM_NO_END);
	else if (os_errno != SOPI_SIM_DEAD)
		sopi_sim_give_up(file->process->disk, file->node, 0, SOPI_SIM_NO_END);
	return sopi_sim_end(file->process, os_errno, true, action, file->path, 0, err);
}

/* The disk writes what it likes at any time, so all that remains is to fail. */
sop_status sopi_sim_write_back(struct sopi_file *base, uint64_t offset, uint64_t size, sop_error *err)
{
	struct sopi_sim_file *file = file_of(base);
	const int os_errno = sopi_sim_begin(file->process, SOPI_SIM_WRITE_BACK, file->path, offset, size);

	if (os_errno != 0 && os_errno != SOPI_SIM_DEAD)
		sopi_sim_give_up(file->process->disk, file->node, 0, SOPI_SIM_NO_END);
	return sopi_sim_end(file->process, os_errno, true, "write back", file->path,
			    (int64_t)offset, err);
}

sop_status sopi_sim_sync_data(struct sopi_file *base, sop_error *err)
{
	return sync_as(base, SOPI_SIM_SYNC_DATA, "sync the data of the file", err);
}

sop_status sopi_sim_sync(struct sopi_file *base, sop_error *err)
{
	return sync_as(base, SOPI_SIM_SYNC, "sync the file", err);
}

sop_status sopi_sim_size(struct sopi_file *base, uint64_t *size, sop_error *err)
{
	struct sopi_sim_file *file = file_of(base);
	const int os_errno = sopi_sim_begin(file->process, SOPI_SIM_SIZE, file->path, 0, 0);

	if (os_errno == 0)
		*size = node_of(file)->cache.content.size;
	return sopi_sim_end(file->process, os_errno, false, "look at the file", file->path, 0, err);
}

void sopi_sim_unlock_locked(struct sopi_sim_file *file)
{
	struct sopi_sim_node *node = node_of(file);

	if (file->lock == SOPI_SIM_LOCKED_SHARED)
		node->shared_locks--;
	if (file->lock == SOPI_SIM_LOCKED_EXCLUSIVE)
		node->exclusive_lock = false;
	file->lock = SOPI_SIM_UNLOCKED;
}

/* Whether another handle's lock is in the way. */
static bool is_taken(struct sopi_sim_file *file, enum sopi_lock kind)
{
	const struct sopi_sim_node *node = node_of(file);
	const uint32_t own = file->lock == SOPI_SIM_LOCKED_SHARED;

	if (node->exclusive_lock)
		return file->lock != SOPI_SIM_LOCKED_EXCLUSIVE;
	return kind == SOPI_LOCK_EXCLUSIVE && node->shared_locks > own;
}

static void take(struct sopi_sim_file *file, enum sopi_lock kind)
{
	sopi_sim_unlock_locked(file);
	if (kind == SOPI_LOCK_SHARED) {
		node_of(file)->shared_locks++;
		file->lock = SOPI_SIM_LOCKED_SHARED;
	} else {
		node_of(file)->exclusive_lock = true;
		file->lock = SOPI_SIM_LOCKED_EXCLUSIVE;
	}
}

sop_status sopi_sim_lock(struct sopi_file *base, enum sopi_lock kind, sop_error *err)
{
	struct sopi_sim_file *file = file_of(base);
	const int os_errno = sopi_sim_begin(file->process, SOPI_SIM_LOCK, file->path, 0, 0);
	const bool taken = os_errno == 0 && is_taken(file, kind);

	if (os_errno == 0 && !taken)
		take(file, kind);
	SOP_TRY(sopi_sim_end(file->process, os_errno, false, "lock the file", file->path, -1, err));
	if (taken)
		return sopi_fail_file(err, SOP_LOCKED, file->path, -1, EAGAIN,
				      "another holds the lock of the file [%s]", file->path);
	return SOP_OK;
}

sop_status sopi_sim_is_locked(struct sopi_file *base, struct sopi_locked *locked, sop_error *err)
{
	struct sopi_sim_file *file = file_of(base);

	(void)err;
	sopi_mutex_lock(&file->process->disk->mutex);
	locked->by_others = is_taken(file, SOPI_LOCK_EXCLUSIVE);
	locked->shared = locked->by_others && !is_taken(file, SOPI_LOCK_SHARED);
	locked->process = 0;
	sopi_mutex_unlock(&file->process->disk->mutex);
	return SOP_OK;
}

void sopi_sim_unlock(struct sopi_file *base)
{
	struct sopi_sim_file *file = file_of(base);

	sopi_mutex_lock(&file->process->disk->mutex);
	sopi_sim_unlock_locked(file);
	sopi_mutex_unlock(&file->process->disk->mutex);
}

void sopi_sim_close(struct sopi_file *base)
{
	struct sopi_sim_file *file = file_of(base);
	struct sopi_sim_process *process = file->process;
	struct sopi_sim_file **link = &process->open_files;

	sopi_mutex_lock(&process->disk->mutex);
	sopi_sim_unlock_locked(file);
	node_of(file)->opens--;
	process->handles--;
	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	sopi_mutex_unlock(&process->disk->mutex);
	sopi_free(file);
}
