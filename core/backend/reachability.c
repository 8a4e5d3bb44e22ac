/* Do registry, packs and trees agree? Every node and value that a page names must be in the registry, and whatever is in
 * the registry must be named once. */
#include "backend/inredfs.h"

#include "base/alloc.h"
#include "node/page.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_MASK = 4095 }; /* every so many entries, less one, somebody may want it to end */

/* A walk over all that the registry has. */
struct reach {
	struct sopi_checking *checking;
	struct sopi_registry *registry; /* of the manifest that is checked */
	uint64_t *keys; /* all of the registry, ascending */
	bool *named; /* each of these */
	size_t count;
	size_t capacity;
	uint64_t *live; /* bytes, of each pack of the manifest */
	uint64_t *nodes; /* that are still to be visited */
	size_t node_count;
	size_t node_capacity;
	uint64_t store; /* that is being walked over */
	const char *file; /* of the page that names what is being named; "" : the store does */
	int64_t offset;
	uint64_t vid; /* of that page */
	bool dropped; /* the store is: nodes that were never written are no fault */
	bool incomplete; /* a page could not be read: what lies below it is not known */
	struct sopi_node_pages pages; /* of it */
};

/* The index of a key, or `count`. */
static size_t find_key(const struct reach *reach, uint64_t key)
{
	size_t low = 0, high = reach->count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (reach->keys[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < reach->count && reach->keys[low] == key ? low : reach->count;
}

static const char *noun_of(uint64_t key)
{
	switch (sopi_registry_kind(key)) {
	case SOPI_KEY_NODE:
		return "node";
	case SOPI_KEY_VALUE:
		return "value";
	case SOPI_KEY_STORE:
		return "store";
	case SOPI_KEY_PATCH:
		return "the patch of node";
	}
	return "thing";
}

/* ---- what there is -------------------------------------------------------------------------------- */

static sop_status collect(void *arg, const struct sopi_registry_entry *entry, sop_error *err)
{
	struct reach *reach = arg;
	const struct sopi_manifest *manifest = &reach->checking->manifest;
	size_t pack;

	SOP_TRY(sopi_grow(&reach->keys, reach->count, &reach->capacity, sizeof *reach->keys, err));
	reach->keys[reach->count++] = entry->key;
	if ((reach->count & LOOK_MASK) == 0 && !sopi_checking_went(reach->checking, 0))
		return SOP_CANCELLED;
	if (sopi_registry_kind(entry->key) == SOPI_KEY_STORE)
		return SOP_OK;
	pack = sopi_pack_find(manifest->packs, manifest->pack_count, entry->words[0]);
	if (pack < manifest->pack_count)
		reach->live[pack] += entry->words[2];
	else
		sopi_checking_tell(reach->checking, "MANIFEST", -1, "missing",
				   "%s %llu lies in the pack %016llx, which MANIFEST does not name",
				   noun_of(entry->key), (unsigned long long)sopi_registry_id(entry->key),
				   (unsigned long long)entry->words[0]);
	return SOP_OK;
}

static void check_packs(const struct reach *reach)
{
	const struct sopi_manifest *manifest = &reach->checking->manifest;
	char path[SOPI_PATH_BYTES_MAX + 1];

	for (size_t i = 0; i < manifest->pack_count; i++) {
		if (manifest->packs[i].live_bytes == reach->live[i])
			continue;
		sopi_pack_file_path(&manifest->packs[i], path);
		sopi_checking_tell(reach->checking, path, -1, "count",
				   "MANIFEST says that %llu bytes live in the pack; by the registry it is %llu",
				   (unsigned long long)manifest->packs[i].live_bytes,
				   (unsigned long long)reach->live[i]);
	}
}

/* ---- what is named -------------------------------------------------------------------------------- */

/* A page of the store, or the store itself, names a node or value. */
static sop_status name_one(void *arg, bool is_value, uint64_t id, sop_error *err)
{
	struct reach *reach = arg;
	const uint64_t key = sopi_registry_key(is_value ? SOPI_KEY_VALUE : SOPI_KEY_NODE, id);
	const size_t at = find_key(reach, key);

	if (at == reach->count || reach->named[at]) {
		if (!(reach->dropped && at == reach->count))
			sopi_checking_tell(reach->checking, reach->file, reach->offset,
					   at == reach->count ? "missing" : "twice",
					   "node %llu of store %llu names %s %llu, which %s",
					   (unsigned long long)reach->vid,
					   (unsigned long long)reach->store, noun_of(key),
					   (unsigned long long)id,
					   at == reach->count ? "the registry lacks" : "is named twice");
		return reach->checking->stopped ? SOP_CANCELLED : SOP_OK;
	}
	reach->named[at] = true;
	if (is_value)
		return SOP_OK;
	SOP_TRY(sopi_grow(&reach->nodes, reach->node_count, &reach->node_capacity, sizeof id, err));
	reach->nodes[reach->node_count++] = id;
	return SOP_OK;
}

static void mark(struct reach *reach, uint64_t key)
{
	const size_t at = find_key(reach, key);

	if (at < reach->count)
		reach->named[at] = true;
}

/* Reads the page of a node and its patch, checks that they are those that the registry says, and names what they name. */
static sop_status visit(struct reach *reach, uint64_t vid, sop_error *err)
{
	struct sopi_node_pages *pages = &reach->pages;

	SOP_TRY(sopi_node_pages_find(reach->registry, reach->store, vid, pages, err));
	if (pages->patched)
		mark(reach, sopi_registry_key(SOPI_KEY_PATCH, vid));
	SOP_TRY(sopi_node_pages_read(reach->checking->fs->packs, pages, err));
	reach->file = pages->file;
	reach->offset = (int64_t)pages->place.offset;
	reach->vid = vid;
	return sopi_node_pages_references(pages, name_one, reach, err);
}

/* Damage to one page is told, and the walk goes on. */
static sop_status visit_and_tell(struct reach *reach, uint64_t vid, sop_error *err)
{
	sop_error why = SOP_ERROR_INIT;
	const sop_status status = visit(reach, vid, &why);

	if (status == SOP_OK)
		return SOP_OK;
	if (status != SOP_CORRUPT && status != SOP_UNSUPPORTED && status != SOP_NOT_FOUND)
		return sopi_fail_file(err, status, why.file, why.offset, why.os_errno, "%s", why.message);
	reach->incomplete = true;
	if (status == SOP_NOT_FOUND) /* the pack: that was told already */
		return SOP_OK;
	sopi_checking_tell(reach->checking, why.file, why.offset, "page", "node %llu of store %llu: %s",
			   (unsigned long long)vid, (unsigned long long)reach->store, why.message);
	return SOP_OK;
}

static sop_status walk(struct reach *reach, uint64_t store, uint64_t root, sop_error *err)
{
	sop_status status;

	reach->store = store;
	reach->file = "";
	reach->offset = -1;
	reach->vid = 0;
	reach->node_count = 0;
	status = name_one(reach, false, root, err);
	while (status == SOP_OK && reach->node_count > 0 &&
	       sopi_checking_went(reach->checking, reach->pages.page.size + reach->pages.patch.size))
		status = visit_and_tell(reach, reach->nodes[--reach->node_count], err);
	return status;
}

static bool is_known_store(const struct sopi_checking *checking, uint64_t id)
{
	return checking->store_count != 0 && bsearch(&id, checking->stores, checking->store_count,
						     sizeof id, sopi_compare_ids) != NULL;
}

static bool is_dropped(const struct sopi_manifest *manifest, uint64_t id)
{
	for (size_t i = 0; i < manifest->dropped_count; i++) {
		if (manifest->dropped[i].store == id)
			return true;
	}
	return false;
}

static sop_status walk_store(struct reach *reach, size_t at, sop_error *err)
{
	struct sopi_registry_entry entry;
	const uint64_t id = sopi_registry_id(reach->keys[at]);

	SOP_TRY(sopi_registry_find(reach->registry, reach->keys[at], &entry, err));
	reach->named[at] = is_known_store(reach->checking, id);
	reach->dropped = is_dropped(&reach->checking->manifest, id);
	return walk(reach, id, entry.words[0], err);
}

/* From all stores, and what waits to be taken out of the registry. */
static sop_status walk_all(struct reach *reach, sop_error *err)
{
	const struct sopi_manifest *manifest = &reach->checking->manifest;

	for (size_t i = 0; i < reach->count && !reach->checking->stopped; i++) {
		if (sopi_registry_kind(reach->keys[i]) == SOPI_KEY_STORE)
			SOP_TRY(walk_store(reach, i, err));
	}
	for (size_t i = 0; i < manifest->dead_value_count; i++)
		mark(reach, sopi_registry_key(SOPI_KEY_VALUE, manifest->dead_values[i]));
	return SOP_OK;
}

static void tell_leaks(const struct reach *reach)
{
	for (size_t i = 0; i < reach->count && !reach->checking->stopped; i++) {
		const uint64_t key = reach->keys[i];

		if (!reach->named[i])
			sopi_checking_tell(reach->checking, "", -1, "leak",
					   "the registry has %s %llu, which nothing names",
					   noun_of(key), (unsigned long long)sopi_registry_id(key));
	}
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static sop_status check(struct reach *reach, sop_error *err)
{
	void *memory = NULL;

	SOP_TRY(sopi_alloc_zeroed((reach->checking->manifest.pack_count + 1) * sizeof *reach->live,
				  &memory, err));
	reach->live = memory;
	SOP_TRY(sopi_registry_each(reach->registry, collect, reach, err));
	SOP_TRY(sopi_alloc_zeroed((reach->count + 1) * sizeof *reach->named, &memory, err));
	reach->named = memory;
	if (reach->count > 1)
		qsort(reach->keys, reach->count, sizeof *reach->keys, sopi_compare_ids);
	check_packs(reach);
	SOP_TRY(walk_all(reach, err));
	if (!reach->incomplete)
		tell_leaks(reach);
	return SOP_OK;
}

sop_status sopi_check_reachability(struct sopi_checking *checking, struct sopi_registry *registry,
				   sop_error *err)
{
	struct reach reach = { .checking = checking,
			       .registry = registry,
			       .pages = { .page = SOP_BUF_INIT, .patch = SOP_BUF_INIT } };
	sop_error why = SOP_ERROR_INIT;
	const sop_status status = check(&reach, &why);

	sopi_free(reach.keys);
	sopi_free(reach.named);
	sopi_free(reach.live);
	sopi_free(reach.nodes);
	sopi_node_pages_free(&reach.pages);
	/* A damaged file of the registry was told of when the registry was checked. */
	if (status == SOP_OK || checking->stopped || status == SOP_CORRUPT || status == SOP_UNSUPPORTED)
		return SOP_OK;
	return sopi_fail_file(err, status, why.file, why.offset, why.os_errno, "%s", why.message);
}
