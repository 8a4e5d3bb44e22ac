/* The simulated disk's half of the files port: folders and names. */
#include "platform/sim_process.h"

#include "base/alloc.h"
#include "base/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct sopi_sim_folder *folder_of(struct sopi_folder *folder)
{
	return (struct sopi_sim_folder *)folder; /* `base` is the first member */
}

static struct sopi_sim_process *process_of(struct sopi_folder *folder)
{
	return folder_of(folder)->process;
}

/* Follows the `size` bytes of `path` from folder `node`; gives an errno or 0. */
static int walk(const struct sopi_sim_disk *disk, uint32_t node, const char *path, size_t size,
		uint32_t *found)
{
	const char *end = path + size;

	while (path < end) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		const char *stop = slash != NULL ? slash : end;
		const struct sopi_sim_node *folder = sopi_sim_node_of(disk, node);

		if (!folder->folder)
			return ENOTDIR;
		node = sopi_sim_names_find(&folder->cache.names, path, (size_t)(stop - path));
		if (node == SOPI_SIM_NOTHING)
			return ENOENT;
		path = slash != NULL ? slash + 1 : end;
	}
	*found = node;
	return 0;
}

/* A name in a folder, and what it stands for, if anything. */
struct place {
	uint32_t folder;
	const char *name; /* points into the path */
	uint32_t node; /* or SOPI_SIM_NOTHING */
};

static int find_place(const struct sopi_sim_disk *disk, uint32_t root, const char *path,
		      struct place *place)
{
	const char *slash = strrchr(path, '/');
	const struct sopi_sim_node *folder;
	int os_errno;

	place->name = slash != NULL ? slash + 1 : path;
	os_errno = walk(disk, root, path, slash != NULL ? (size_t)(slash - path) : 0, &place->folder);
	if (os_errno != 0)
		return os_errno;
	folder = sopi_sim_node_of(disk, place->folder);
	if (!folder->folder)
		return ENOTDIR;
	place->node = sopi_sim_names_find(&folder->cache.names, place->name, strlen(place->name));
	return 0;
}

static int find_existing(const struct sopi_sim_disk *disk, uint32_t root, const char *path,
			 struct place *place)
{
	const int os_errno = find_place(disk, root, path, place);

	return os_errno == 0 && place->node == SOPI_SIM_NOTHING ? ENOENT : os_errno;
}

static bool is_folder(const struct sopi_sim_disk *disk, uint32_t node)
{
	return sopi_sim_node_of(disk, node)->folder;
}

static bool is_full(struct sopi_sim_disk *disk)
{
	return disk->quota_bytes != 0 && sopi_sim_used_bytes_locked(disk) >= disk->quota_bytes;
}

/* Changes take texts that they do not keep; the cast only drops const. */
static char *borrowed(const char *text)
{
	return (char *)(uintptr_t)text;
}

static void add(struct sopi_sim_disk *disk, const struct place *place, uint32_t node, bool folder)
{
	struct sopi_sim_change change = { .kind = SOPI_SIM_ADDED,
					  .node = node,
					  .makes_folder = folder,
					  .folder = place->folder,
					  .name = borrowed(place->name) };

	(void)sopi_sim_make_change(disk, &change);
}

/* Makes a file or folder at `place`; gives an errno or 0. */
static int make(struct sopi_sim_disk *disk, struct place *place, bool folder)
{
	if (is_full(disk))
		return ENOSPC;
	place->node = sopi_sim_new_number(disk);
	add(disk, place, place->node, folder);
	return 0;
}

/* ---- opening */

/* The path of a database on this disk without slashes at either end. */
static size_t trim(const char **path)
{
	size_t size;

	while (**path == '/')
		(*path)++;
	size = strlen(*path);
	while (size > 0 && (*path)[size - 1] == '/')
		size--;
	return size;
}

static int open_root(struct sopi_sim_process *process, const char *path, unsigned flags, uint32_t *node)
{
	struct sopi_sim_disk *disk = process->disk;
	char room[SOPI_PATH_BYTES_MAX + 1];
	struct place place = { SOPI_SIM_ROOT, "", SOPI_SIM_ROOT };
	const size_t size = trim(&path);
	int os_errno = 0;

	if (size >= sizeof room)
		return ENAMETOOLONG;
	memcpy(room, path, size);
	room[size] = '\0';
	if (size != 0)
		os_errno = find_place(disk, SOPI_SIM_ROOT, room, &place);
	if (os_errno == 0 && place.node == SOPI_SIM_NOTHING)
		os_errno = (flags & SOPI_FOLDER_CREATE) != 0 ? make(disk, &place, true) : ENOENT;
	if (os_errno == 0 && !is_folder(disk, place.node))
		os_errno = ENOTDIR;
	if (os_errno == 0 && (flags & SOPI_FOLDER_CREATE) != 0)
		sopi_sim_force(disk, place.folder, 0, SOPI_SIM_NO_END);
	*node = place.node;
	return os_errno;
}

static sop_status sim_open_folder(struct sopi_files *files, const char *path, unsigned flags,
				  struct sopi_folder **out, sop_error *err)
{
	struct sopi_sim_process *process = (struct sopi_sim_process *)files; /* its first member */
	struct sopi_sim_folder *folder = NULL;
	sop_status status;
	int os_errno;

	SOP_TRY(sopi_alloc_zeroed(sizeof *folder, (void **)&folder, err));
	folder->base.driver = files->driver;
	folder->process = process;
	os_errno = sopi_sim_begin(process, SOPI_SIM_OPEN_FOLDER, path, 0, 0);
	if (os_errno == 0)
		os_errno = open_root(process, path, flags, &folder->node);
	if (os_errno == 0) {
		sopi_sim_node_of(process->disk, folder->node)->opens++;
		process->handles++;
	}
	status = sopi_sim_end(process, os_errno, (flags & SOPI_FOLDER_CREATE) != 0,
			      "open the folder of the database", path, -1, err);
	if (status == SOP_OK)
		*out = &folder->base;
	else
		sopi_free(folder);
	return status;
}

static void sim_close_folder(struct sopi_folder *base)
{
	struct sopi_sim_folder *folder = folder_of(base);
	struct sopi_sim_process *process = folder->process;

	sopi_mutex_lock(&process->disk->mutex);
	sopi_sim_node_of(process->disk, folder->node)->opens--;
	process->handles--;
	sopi_mutex_unlock(&process->disk->mutex);
	sopi_free(folder);
}

/* Finds or makes the file; gives an errno or 0. */
static int open_node(struct sopi_sim_disk *disk, uint32_t root, const char *path, unsigned flags,
		     uint32_t *node)
{
	struct place place;
	int os_errno = find_place(disk, root, path, &place);

	if (os_errno == 0 && place.node == SOPI_SIM_NOTHING)
		os_errno = (flags & SOPI_FILE_CREATE) != 0 ? make(disk, &place, false) : ENOENT;
	else if (os_errno == 0 && (flags & SOPI_FILE_EXCLUSIVE) != 0)
		os_errno = EEXIST;
	else if (os_errno == 0 && is_folder(disk, place.node))
		os_errno = EISDIR;
	if (os_errno == 0)
		*node = place.node;
	return os_errno;
}

static sop_status sim_open_file(struct sopi_folder *base, const char *path, unsigned flags,
				struct sopi_file **out, sop_error *err)
{
	struct sopi_sim_process *process = process_of(base);
	struct sopi_sim_file *file = NULL;
	uint32_t node = SOPI_SIM_NOTHING;
	sop_status status;
	int os_errno;

	SOP_TRY(sopi_alloc_zeroed(sizeof *file, (void **)&file, err));
	os_errno = sopi_sim_begin(process, SOPI_SIM_OPEN_FILE, path, 0, 0);
	if (os_errno == 0)
		os_errno = open_node(process->disk, folder_of(base)->node, path, flags, &node);
	if (os_errno == 0)
		sopi_sim_file_init(file, process, node, path, flags);
	status = sopi_sim_end(process, os_errno, (flags & SOPI_FILE_WRITE) != 0, "open the file",
			      path, -1, err);
	if (status == SOP_OK)
		*out = &file->base;
	else
		sopi_free(file);
	return status;
}

/* ---- names */

static sop_status sim_make_folder(struct sopi_folder *base, const char *path, sop_error *err)
{
	struct sopi_sim_process *process = process_of(base);
	struct place place;
	int os_errno = sopi_sim_begin(process, SOPI_SIM_MAKE_FOLDER, path, 0, 0);

	if (os_errno == 0)
		os_errno = find_place(process->disk, folder_of(base)->node, path, &place);
	if (os_errno == 0)
		os_errno = place.node != SOPI_SIM_NOTHING ? EEXIST : make(process->disk, &place, true);
	return sopi_sim_end(process, os_errno, true, "make the folder", path, -1, err);
}

static enum sopi_entry_kind kind_of(const struct sopi_sim_node *node)
{
	return node->folder ? SOPI_ENTRY_FOLDER : SOPI_ENTRY_FILE;
}

/* The names and kinds of a folder, so that they can be told of while the disk is not locked. */
struct listing {
	size_t count;
	struct {
		char *text;
		enum sopi_entry_kind kind;
	} * list;
};

static int take_listing(const struct sopi_sim_disk *disk, uint32_t node, struct listing *listing)
{
	const struct sopi_sim_names *names = &sopi_sim_node_of(disk, node)->cache.names;

	if (!is_folder(disk, node))
		return ENOTDIR;
	listing->count = names->count;
	listing->list = sopi_sim_alloc(names->count * sizeof *listing->list);
	for (size_t i = 0; i < names->count; i++) {
		listing->list[i].text = sopi_sim_text(names->list[i].text);
		listing->list[i].kind = kind_of(sopi_sim_node_of(disk, names->list[i].node));
	}
	return 0;
}

static sop_status sim_list(struct sopi_folder *base, const char *path, sopi_list_fn fn, void *arg,
			   sop_error *err)
{
	struct sopi_sim_process *process = process_of(base);
	struct listing listing = { 0, NULL };
	uint32_t node = SOPI_SIM_NOTHING;
	sop_status status;
	int os_errno = sopi_sim_begin(process, SOPI_SIM_LIST, path, 0, 0);

	if (os_errno == 0)
		os_errno = walk(process->disk, folder_of(base)->node, path, strlen(path), &node);
	if (os_errno == 0)
		os_errno = take_listing(process->disk, node, &listing);
	status = sopi_sim_end(process, os_errno, false, "list the folder", path, -1, err);
	for (size_t i = 0; i < listing.count; i++) {
		if (status == SOP_OK)
			status = fn(arg, listing.list[i].text, listing.list[i].kind, err);
		sopi_sim_free(listing.list[i].text);
	}
	sopi_sim_free(listing.list);
	return status;
}

static void describe(const struct sopi_sim_disk *disk, uint32_t number, struct sopi_entry *entry)
{
	const struct sopi_sim_node *node = sopi_sim_node_of(disk, number);

	entry->kind = kind_of(node);
	entry->size = node->cache.content.size;
	entry->links = sopi_sim_links(disk, number);
}

static sop_status sim_look(struct sopi_folder *base, const char *path, struct sopi_entry *entry,
			   sop_error *err)
{
	struct sopi_sim_process *process = process_of(base);
	struct place place;
	int os_errno = sopi_sim_begin(process, SOPI_SIM_LOOK, path, 0, 0);

	if (os_errno == 0)
		os_errno = find_existing(process->disk, folder_of(base)->node, path, &place);
	if (os_errno == 0)
		describe(process->disk, place.node, entry);
	return sopi_sim_end(process, os_errno, false, "look at the file", path, -1, err);
}

/* Whether folder `inner` is `outer` or lies in it. */
static bool is_within(const struct sopi_sim_disk *disk, uint32_t outer, uint32_t inner)
{
	const struct sopi_sim_names *names = &sopi_sim_node_of(disk, outer)->cache.names;

	if (outer == inner)
		return true;
	for (size_t i = 0; i < names->count; i++)
		if (is_folder(disk, names->list[i].node) && is_within(disk, names->list[i].node, inner))
			return true;
	return false;
}

/* Why `from` may not take the place of `to`, or 0. */
static int refuse_rename(const struct sopi_sim_disk *disk, const struct place *from,
			 const struct place *to)
{
	const bool folder = is_folder(disk, from->node);

	if (folder && is_within(disk, from->node, to->folder))
		return EINVAL;
	if (to->node == SOPI_SIM_NOTHING)
		return 0;
	if (folder != is_folder(disk, to->node))
		return folder ? ENOTDIR : EISDIR;
	if (folder && sopi_sim_node_of(disk, to->node)->cache.names.count != 0)
		return ENOTEMPTY;
	return 0;
}

/* Finds both places; `from` must exist. */
static int find_both(struct sopi_folder *base, const char *from, const char *to,
		     struct place *from_place, struct place *to_place)
{
	const uint32_t root = folder_of(base)->node;
	const int os_errno = find_existing(process_of(base)->disk, root, from, from_place);

	return os_errno != 0 ? os_errno : find_place(process_of(base)->disk, root, to, to_place);
}

static void rename_place(struct sopi_sim_disk *disk, const struct place *from, const struct place *to)
{
	struct sopi_sim_change change = { .kind = SOPI_SIM_RENAMED,
					  .node = from->node,
					  .folder = from->folder,
					  .name = borrowed(from->name),
					  .to_folder = to->folder,
					  .to_name = borrowed(to->name) };

	(void)sopi_sim_make_change(disk, &change);
}

static sop_status sim_rename(struct sopi_folder *base, const char *from, const char *to, sop_error *err)
{
	struct sopi_sim_process *process = process_of(base);
	struct place from_place;
	struct place to_place;
	int os_errno = sopi_sim_begin(process, SOPI_SIM_RENAME, from, 0, 0);

	if (os_errno == 0)
		os_errno = find_both(base, from, to, &from_place, &to_place);
	if (os_errno == 0)
		os_errno = refuse_rename(process->disk, &from_place, &to_place);
	if (os_errno == 0 && from_place.node != to_place.node) /* two names of one file: nothing to do */
		rename_place(process->disk, &from_place, &to_place);
	return sopi_sim_end(process, os_errno, true, "rename the file",
			    os_errno == ENOENT ? from : to, -1, err);
}

static sop_status sim_link(struct sopi_folder *base, const char *from, const char *to, sop_error *err)
{
	struct sopi_sim_process *process = process_of(base);
	struct place from_place;
	struct place to_place;
	int os_errno = sopi_sim_begin(process, SOPI_SIM_LINK, from, 0, 0);

	if (os_errno == 0)
		os_errno = find_both(base, from, to, &from_place, &to_place);
	if (os_errno == 0 && to_place.node != SOPI_SIM_NOTHING)
		os_errno = EEXIST;
	if (os_errno == 0 && is_folder(process->disk, from_place.node))
		os_errno = EPERM;
	if (os_errno == 0)
		add(process->disk, &to_place, from_place.node, false);
	return sopi_sim_end(process, os_errno, true, "link the file",
			    os_errno == ENOENT ? from : to, -1, err);
}

/* Why the name may not be taken away as a file's or folder's, or 0. */
static int refuse_removal(const struct sopi_sim_disk *disk, uint32_t node, bool folder)
{
	if (folder != is_folder(disk, node))
		return folder ? ENOTDIR : EISDIR;
	return folder && sopi_sim_node_of(disk, node)->cache.names.count != 0 ? ENOTEMPTY : 0;
}

static sop_status remove_name(struct sopi_folder *base, const char *path, bool folder,
			      const char *action, sop_error *err)
{
	struct sopi_sim_process *process = process_of(base);
	struct sopi_sim_change change = { .kind = SOPI_SIM_REMOVED };
	struct place place;
	int os_errno = sopi_sim_begin(process, folder ? SOPI_SIM_REMOVE_FOLDER : SOPI_SIM_REMOVE,
				      path, 0, 0);

	if (os_errno == 0)
		os_errno = find_existing(process->disk, folder_of(base)->node, path, &place);
	if (os_errno == 0)
		os_errno = refuse_removal(process->disk, place.node, folder);
	if (os_errno == 0) {
		change.node = place.node;
		change.folder = place.folder;
		change.name = borrowed(place.name);
		(void)sopi_sim_make_change(process->disk, &change);
	}
	return sopi_sim_end(process, os_errno, true, action, path, -1, err);
}

static sop_status sim_remove(struct sopi_folder *base, const char *path, sop_error *err)
{
	return remove_name(base, path, false, "remove the file", err);
}

/* Each step is a change of its own, which a power cut may keep without those after it. */
static void shorten(struct sopi_sim_disk *disk, uint32_t node)
{
	struct sopi_sim_change change = { .kind = SOPI_SIM_SIZE_IS, .node = node };

	if (is_folder(disk, node) || sopi_sim_links(disk, node) != 1)
		return;
	for (uint64_t size = sopi_sim_node_of(disk, node)->cache.content.size;
	     size > SOPI_SIM_PAGE_BYTES; size = change.offset) {
		change.offset = size / 2;
		(void)sopi_sim_make_change(disk, &change);
	}
}

/* Two calls: a process may be killed in between. */
static sop_status sim_remove_large(struct sopi_folder *base, const char *path, sop_error *err)
{
	struct sopi_sim_process *process = process_of(base);
	struct place place;

	if (sopi_sim_begin(process, SOPI_SIM_RESIZE, path, 0, 0) == 0 &&
	    find_existing(process->disk, folder_of(base)->node, path, &place) == 0)
		shorten(process->disk, place.node);
	sopi_mutex_unlock(&process->disk->mutex);
	return sim_remove(base, path, err);
}

static sop_status sim_remove_folder(struct sopi_folder *base, const char *path, sop_error *err)
{
	return remove_name(base, path, true, "remove the folder", err);
}

static sop_status sim_sync_folder(struct sopi_folder *base, const char *path, sop_error *err)
{
	struct sopi_sim_process *process = process_of(base);
	uint32_t node = SOPI_SIM_NOTHING;
	int os_errno = sopi_sim_begin(process, SOPI_SIM_SYNC_FOLDER, path, 0, 0);
	int found = os_errno;

	if (os_errno != SOPI_SIM_DEAD)
		found = walk(process->disk, folder_of(base)->node, path, strlen(path), &node);
	if (found == 0 && !is_folder(process->disk, node))
		found = ENOTDIR;
	if (found == 0 && os_errno == 0)
		sopi_sim_force(process->disk, node, 0, SOPI_SIM_NO_END);
	else if (found == 0 && os_errno != EMFILE && os_errno != ENFILE) /* as if it could not be opened */
		sopi_sim_give_up(process->disk, node, 0, SOPI_SIM_NO_END);
	return sopi_sim_end(process, os_errno != 0 ? os_errno : found, true, "sync the folder",
			    path, -1, err);
}

enum { UNLIMITED_GIB = 1024 };

static sop_status sim_file_system(struct sopi_folder *base, struct sopi_file_system *out, sop_error *err)
{
	struct sopi_sim_process *process = process_of(base);
	struct sopi_sim_disk *disk = process->disk;
	const int os_errno = sopi_sim_begin(process, SOPI_SIM_FILE_SYSTEM, "", 0, 0);

	if (os_errno == 0) {
		const uint64_t used = sopi_sim_used_bytes_locked(disk);

		memcpy(out->name, disk->system_name, sizeof out->name);
		out->kind = disk->system_kind;
		out->total_bytes = disk->quota_bytes != 0 ? disk->quota_bytes
							  : (uint64_t)UNLIMITED_GIB << 30;
		out->free_bytes = used < out->total_bytes ? out->total_bytes - used : 0;
	}
	return sopi_sim_end(process, os_errno, false, "look at the file system", "", -1, err);
}

const struct sopi_files_driver sopi_sim_files_driver = {
	.open_folder = sim_open_folder,
	.close_folder = sim_close_folder,
	.open_file = sim_open_file,
	.make_folder = sim_make_folder,
	.list = sim_list,
	.look = sim_look,
	.rename = sim_rename,
	.link = sim_link,
	.remove = sim_remove,
	.remove_large = sim_remove_large,
	.remove_folder = sim_remove_folder,
	.sync_folder = sim_sync_folder,
	.file_system = sim_file_system,
	.read = sopi_sim_read,
	.write = sopi_sim_write,
	.allocate = sopi_sim_allocate,
	.resize = sopi_sim_file_resize,
	.write_back = sopi_sim_write_back,
	.sync_data = sopi_sim_sync_data,
	.sync = sopi_sim_sync,
	.size = sopi_sim_size,
	.lock = sopi_sim_lock,
	.is_locked = sopi_sim_is_locked,
	.unlock = sopi_sim_unlock,
	.close = sopi_sim_close,
};
