/* What a simulated disk holds: nodes, names, and the changes that are not durable yet. */
#include "platform/sim_disk.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

struct sopi_sim_node *sopi_sim_node_of(const struct sopi_sim_disk *disk, uint32_t number)
{
	return number < disk->node_count ? disk->nodes[number] : NULL;
}

/* ---- names */

static size_t index_of(const struct sopi_sim_names *names, const char *name, size_t size)
{
	size_t i = 0;

	while (i < names->count &&
	       (strncmp(names->list[i].text, name, size) != 0 || names->list[i].text[size] != '\0'))
		i++;
	return i;
}

uint32_t sopi_sim_names_find(const struct sopi_sim_names *names, const char *name, size_t size)
{
	const size_t i = index_of(names, name, size);

	return i < names->count ? names->list[i].node : SOPI_SIM_NOTHING;
}

static void names_add(struct sopi_sim_names *names, const char *name, uint32_t node)
{
	const size_t i = index_of(names, name, strlen(name));

	if (i == names->count) {
		names->list = sopi_sim_resize(names->list, (names->count + 1) * sizeof *names->list);
		names->list[i].text = sopi_sim_text(name);
		names->count++;
	}
	names->list[i].node = node;
}

/* Only if it stands for `node`: it may have been given to another since. */
static void names_remove(struct sopi_sim_names *names, const char *name, uint32_t node)
{
	const size_t i = index_of(names, name, strlen(name));

	if (i == names->count || names->list[i].node != node)
		return;
	sopi_sim_free(names->list[i].text);
	names->count--;
	memmove(names->list + i, names->list + i + 1, (names->count - i) * sizeof *names->list);
}

/* ---- views */

void sopi_sim_view_free(struct sopi_sim_view *view)
{
	sopi_sim_content_free(&view->content);
	for (size_t i = 0; i < view->names.count; i++)
		sopi_sim_free(view->names.list[i].text);
	sopi_sim_free(view->names.list);
	memset(view, 0, sizeof *view);
}

void sopi_sim_view_copy(struct sopi_sim_view *to, const struct sopi_sim_view *from)
{
	memset(to, 0, sizeof *to);
	sopi_sim_content_copy(&to->content, &from->content);
	to->names.count = from->names.count;
	to->names.list = sopi_sim_alloc(from->names.count * sizeof *to->names.list);
	for (size_t i = 0; i < from->names.count; i++) {
		to->names.list[i].text = sopi_sim_text(from->names.list[i].text);
		to->names.list[i].node = from->names.list[i].node;
	}
}

/* ---- nodes */

uint32_t sopi_sim_new_number(struct sopi_sim_disk *disk)
{
	disk->nodes = sopi_sim_resize(disk->nodes, (disk->node_count + 1) * sizeof *disk->nodes);
	disk->nodes[disk->node_count] = NULL;
	return disk->node_count++;
}

static void make_node(struct sopi_sim_disk *disk, uint32_t number, bool folder)
{
	while (disk->node_count <= number) /* when a trace is played back */
		(void)sopi_sim_new_number(disk);
	if (disk->nodes[number] != NULL)
		return;
	disk->nodes[number] = sopi_sim_alloc(sizeof **disk->nodes);
	disk->nodes[number]->folder = folder;
}

static void free_node(struct sopi_sim_node *node)
{
	sopi_sim_view_free(&node->cache);
	sopi_sim_view_free(&node->durable);
	sopi_sim_free(node);
}

static void mark_names(struct sopi_sim_disk *disk, const struct sopi_sim_names *names)
{
	for (size_t i = 0; i < names->count; i++) {
		struct sopi_sim_node *node = sopi_sim_node_of(disk, names->list[i].node);

		if (node != NULL)
			node->marked = true;
	}
}

/* Marks the root and what names and handles hold; with `all`, also what only durable names and changes do. */
static void mark(struct sopi_sim_disk *disk, bool all)
{
	for (uint32_t i = 0; i < disk->node_count; i++)
		if (disk->nodes[i] != NULL)
			disk->nodes[i]->marked = i == SOPI_SIM_ROOT || disk->nodes[i]->opens > 0;
	for (uint32_t i = 0; i < disk->node_count; i++) {
		if (disk->nodes[i] == NULL)
			continue;
		mark_names(disk, &disk->nodes[i]->cache.names);
		if (all)
			mark_names(disk, &disk->nodes[i]->durable.names);
	}
	for (size_t i = 0; all && i < disk->change_count; i++) {
		struct sopi_sim_node *node = sopi_sim_node_of(disk, disk->changes[i].node);

		if (node != NULL)
			node->marked = true;
	}
}

void sopi_sim_sweep(struct sopi_sim_disk *disk)
{
	disk->removals = 0;
	mark(disk, true);
	for (uint32_t i = 0; i < disk->node_count; i++) {
		if (disk->nodes[i] == NULL || disk->nodes[i]->marked)
			continue;
		free_node(disk->nodes[i]);
		disk->nodes[i] = NULL;
	}
}

uint64_t sopi_sim_links(const struct sopi_sim_disk *disk, uint32_t number)
{
	uint64_t links = 0;

	for (uint32_t i = 0; i < disk->node_count; i++) {
		if (disk->nodes[i] == NULL)
			continue;
		for (size_t n = 0; n < disk->nodes[i]->cache.names.count; n++)
			links += disk->nodes[i]->cache.names.list[n].node == number;
	}
	return links;
}

uint64_t sopi_sim_used_bytes_locked(struct sopi_sim_disk *disk)
{
	uint64_t pages = 0;

	mark(disk, false);
	for (uint32_t i = 0; i < disk->node_count; i++)
		if (disk->nodes[i] != NULL && disk->nodes[i]->marked)
			pages += sopi_sim_content_pages(&disk->nodes[i]->cache.content);
	return pages * SOPI_SIM_PAGE_BYTES;
}

/* ---- changes */

struct sopi_sim_bytes *sopi_sim_bytes_new(const void *from, size_t size)
{
	struct sopi_sim_bytes *bytes = sopi_sim_alloc(sizeof *bytes + size);

	atomic_init(&bytes->owners, 1);
	bytes->size = size;
	if (size != 0)
		memcpy(bytes->bytes, from, size);
	return bytes;
}

void sopi_sim_bytes_free(struct sopi_sim_bytes *bytes)
{
	if (bytes != NULL && atomic_fetch_sub(&bytes->owners, 1) == 1)
		sopi_sim_free(bytes);
}

bool sopi_sim_is_of_names(const struct sopi_sim_change *change)
{
	return change->kind >= SOPI_SIM_ADDED;
}

void sopi_sim_change_copy(struct sopi_sim_change *to, const struct sopi_sim_change *from)
{
	*to = *from;
	if (from->data != NULL)
		atomic_fetch_add(&from->data->owners, 1);
	to->name = from->name != NULL ? sopi_sim_text(from->name) : NULL;
	to->to_name = from->to_name != NULL ? sopi_sim_text(from->to_name) : NULL;
}

void sopi_sim_change_free(struct sopi_sim_change *change)
{
	sopi_sim_bytes_free(change->data);
	sopi_sim_free(change->name);
	sopi_sim_free(change->to_name);
}

uint64_t sopi_sim_make_change(struct sopi_sim_disk *disk, const struct sopi_sim_change *change)
{
	struct sopi_sim_change *kept;

	if (disk->change_count == disk->change_capacity) {
		disk->change_capacity = disk->change_capacity * 2 + 16;
		disk->changes =
			sopi_sim_resize(disk->changes, disk->change_capacity * sizeof *disk->changes);
	}
	kept = &disk->changes[disk->change_count++];
	sopi_sim_change_copy(kept, change);
	kept->number = disk->next_number++;
	sopi_sim_apply(disk, SOPI_SIM_CACHE, kept, 0, NULL, NULL);
	sopi_sim_record(disk, SOPI_SIM_STEP_CHANGE, kept, 0, 0, 0);
	return kept->number;
}

/* A sector or page is whole wherever a write begins or ends: granules lie on the file, not on the write. */
static void put_kept(struct sopi_sim_content *content, const struct sopi_sim_change *change,
		     size_t tear_bytes, sopi_sim_keep_fn keep, void *arg)
{
	const uint64_t end = change->offset + change->data->size;
	uint64_t next;

	for (uint64_t at = change->offset; at < end; at = next) {
		next = tear_bytes != 0 ? (at / tear_bytes + 1) * tear_bytes : end;
		next = next < end ? next : end;
		if (keep == NULL || keep(arg, at))
			sopi_sim_content_put(content, at, change->data->bytes + (at - change->offset),
					     (size_t)(next - at));
	}
}

static void apply_to_file(struct sopi_sim_content *content, const struct sopi_sim_change *change,
			  size_t tear_bytes, sopi_sim_keep_fn keep, void *arg)
{
	if (change->kind == SOPI_SIM_DATA)
		put_kept(content, change, tear_bytes, keep, arg);
	else if (change->kind == SOPI_SIM_SIZE_IS)
		sopi_sim_content_set_size(content, change->offset);
	else
		sopi_sim_content_reserve(content, change->offset, change->size);
}

static struct sopi_sim_names *names_of(struct sopi_sim_disk *disk, enum sopi_sim_side side, uint32_t folder)
{
	struct sopi_sim_node *node = sopi_sim_node_of(disk, folder);

	if (node == NULL)
		return NULL;
	return side == SOPI_SIM_CACHE ? &node->cache.names : &node->durable.names;
}

static void apply_to_names(struct sopi_sim_disk *disk, enum sopi_sim_side side,
			   const struct sopi_sim_change *change)
{
	struct sopi_sim_names *names = names_of(disk, side, change->folder);
	struct sopi_sim_names *to_names;

	SOPI_CHECK(change->name != NULL);
	if (change->kind == SOPI_SIM_ADDED)
		make_node(disk, change->node, change->makes_folder);
	if (names != NULL && change->kind == SOPI_SIM_ADDED)
		names_add(names, change->name, change->node);
	else if (names != NULL)
		names_remove(names, change->name, change->node);
	if (change->kind != SOPI_SIM_RENAMED)
		return;
	SOPI_CHECK(change->to_name != NULL);
	to_names = names_of(disk, side, change->to_folder);
	if (to_names != NULL)
		names_add(to_names, change->to_name, change->node);
}

void sopi_sim_apply(struct sopi_sim_disk *disk, enum sopi_sim_side side,
		    const struct sopi_sim_change *change, size_t tear_bytes, sopi_sim_keep_fn keep,
		    void *arg)
{
	struct sopi_sim_node *node = sopi_sim_node_of(disk, change->node);

	disk->removals += change->kind > SOPI_SIM_ADDED;
	if (sopi_sim_is_of_names(change))
		apply_to_names(disk, side, change);
	else if (node != NULL) /* a file without a name may be gone in a copy, which has no handles */
		apply_to_file(side == SOPI_SIM_CACHE ? &node->cache.content : &node->durable.content,
			      change, tear_bytes, keep, arg);
}

/* ---- the disk as a whole */

struct sopi_sim_disk *sopi_sim_disk_new(void)
{
	struct sopi_sim_disk *disk = sopi_sim_alloc(sizeof *disk);

	sopi_mutex_init(&disk->mutex);
	disk->direct_bytes = SOPI_SIM_PAGE_BYTES;
	(void)snprintf(disk->system_name, sizeof disk->system_name, "sim");
	make_node(disk, SOPI_SIM_ROOT, true);
	return disk;
}

static void copy_nodes(struct sopi_sim_disk *to, const struct sopi_sim_disk *from)
{
	to->nodes = sopi_sim_alloc(from->node_count * sizeof *to->nodes);
	to->node_count = from->node_count;
	for (uint32_t i = 0; i < from->node_count; i++) {
		if (from->nodes[i] == NULL)
			continue;
		to->nodes[i] = sopi_sim_alloc(sizeof **to->nodes);
		to->nodes[i]->folder = from->nodes[i]->folder;
		sopi_sim_view_copy(&to->nodes[i]->cache, &from->nodes[i]->cache);
		sopi_sim_view_copy(&to->nodes[i]->durable, &from->nodes[i]->durable);
	}
}

struct sopi_sim_disk *sopi_sim_disk_copy_locked(const struct sopi_sim_disk *from)
{
	struct sopi_sim_disk *to = sopi_sim_alloc(sizeof *to);

	sopi_mutex_init(&to->mutex);
	to->next_number = from->next_number;
	to->quota_bytes = from->quota_bytes;
	to->direct_bytes = from->direct_bytes;
	memcpy(to->system_name, from->system_name, sizeof to->system_name);
	to->system_kind = from->system_kind;
	copy_nodes(to, from);
	to->change_count = from->change_count;
	to->change_capacity = from->change_count;
	to->changes = sopi_sim_alloc(from->change_count * sizeof *to->changes);
	for (size_t i = 0; i < from->change_count; i++)
		sopi_sim_change_copy(&to->changes[i], &from->changes[i]);
	return to;
}

struct sopi_sim_disk *sopi_sim_disk_copy(struct sopi_sim_disk *disk)
{
	struct sopi_sim_disk *copy;

	sopi_mutex_lock(&disk->mutex);
	copy = sopi_sim_disk_copy_locked(disk);
	sopi_mutex_unlock(&disk->mutex);
	return copy;
}

void sopi_sim_disk_free(struct sopi_sim_disk *disk)
{
	if (disk == NULL)
		return;
	SOPI_CHECK(disk->processes == NULL && disk->trace == NULL);
	for (uint32_t i = 0; i < disk->node_count; i++)
		if (disk->nodes[i] != NULL)
			free_node(disk->nodes[i]);
	for (size_t i = 0; i < disk->change_count; i++)
		sopi_sim_change_free(&disk->changes[i]);
	sopi_sim_free(disk->nodes);
	sopi_sim_free(disk->changes);
	sopi_mutex_destroy(&disk->mutex);
	sopi_sim_free(disk);
}

void sopi_sim_disk_set_quota(struct sopi_sim_disk *disk, uint64_t bytes)
{
	sopi_mutex_lock(&disk->mutex);
	disk->quota_bytes = bytes;
	sopi_mutex_unlock(&disk->mutex);
}

uint64_t sopi_sim_disk_used_bytes(struct sopi_sim_disk *disk)
{
	uint64_t used;

	sopi_mutex_lock(&disk->mutex);
	used = sopi_sim_used_bytes_locked(disk);
	sopi_mutex_unlock(&disk->mutex);
	return used;
}

void sopi_sim_disk_set_direct(struct sopi_sim_disk *disk, size_t bytes)
{
	sopi_mutex_lock(&disk->mutex);
	disk->direct_bytes = bytes;
	sopi_mutex_unlock(&disk->mutex);
}

void sopi_sim_disk_set_file_system(struct sopi_sim_disk *disk, const char *name,
				   enum sopi_file_system_kind kind)
{
	sopi_mutex_lock(&disk->mutex);
	(void)snprintf(disk->system_name, sizeof disk->system_name, "%s", name);
	disk->system_kind = kind;
	sopi_mutex_unlock(&disk->mutex);
}
