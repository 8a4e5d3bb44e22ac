/* Giving space back: living blobs of packs that are mostly dead are written again, so that the packs can go, and the
 * nodes of dropped stores are taken out of the registry. */
#include "backend/inredfs.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "node/page.h"

#include <stdlib.h>
#include <string.h>

enum {
	REWRITTEN_BYTES_MAX = 128 << 20, /* of living blobs, in one checkpoint */
	REWRITTEN_BYTES_PRESSED = 4 << 20, /* the same, besides as much as it writes itself, when commits may wait for it */
	THOROUGH_DEAD_PERCENT = 10, /* of a pack, to be rewritten by gc */
};

sop_status sopi_extra_add(struct sopi_inredfs *fs, const struct sopi_registry_entry *entry, sop_error *err)
{
	SOP_TRY(sopi_grow(&fs->extra, fs->extra_count, &fs->extra_capacity, sizeof *entry, err));
	fs->extra[fs->extra_count++] = *entry;
	return SOP_OK;
}

/* ---- which packs -------------------------------------------------------------------------------- */

static uint64_t dead_bytes(const struct sopi_pack_entry *pack)
{
	return pack->total_bytes > pack->live_bytes ? pack->total_bytes - pack->live_bytes : 0;
}

static bool is_small(const struct sopi_pack_entry *pack)
{
	return pack->total_bytes < SOPI_NODE_PACK_BYTES / 4;
}

/* Most dead first, by share. */
static int compare_packs(const void *a, const void *b)
{
	const struct sopi_pack_entry *x = a, *y = b;
	const double share_x = (double)x->live_bytes / (double)(x->total_bytes + 1);
	const double share_y = (double)y->live_bytes / (double)(y->total_bytes + 1);

	if (share_x != share_y)
		return share_x < share_y ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

/* How much to rewrite. */
struct budget {
	uint64_t bytes; /* of living blobs */
	unsigned dead_percent; /* of all packs, below which nothing is */
	size_t small_max; /* packs that are small, beyond which some are merged, */
	size_t small_kept; /* and of which so many are left */
	uint64_t below; /* thoroughly, packs with ids below this; 0: as usual */
};

/* A checkpoint that commits may be waiting for rewrites about as much as it writes itself. That keeps up, since half of what
 * it chooses is dead then. Its packs are small, and most of what they hold is written anew by those that follow: the longer
 * they are left alone, the less there is to merge, and of those that are merged the deadest half is enough. */
static struct budget budget_of(const struct sopi_inredfs *fs,
			       const struct sopi_registry_entry *entries, size_t count, uint64_t below)
{
	struct budget budget = { REWRITTEN_BYTES_MAX, SOPI_DEAD_PERCENT, SOPI_SMALL_PACKS_MAX, 0, below };
	uint64_t written = REWRITTEN_BYTES_PRESSED;

	if (!fs->pressed || below != 0)
		return budget;
	for (size_t i = 0; i < count && written < REWRITTEN_BYTES_MAX; i++) {
		if (sopi_registry_kind(entries[i].key) != SOPI_KEY_STORE && !entries[i].removed)
			written += entries[i].words[2];
	}
	budget.bytes = written < REWRITTEN_BYTES_MAX ? written : REWRITTEN_BYTES_MAX;
	budget.dead_percent = SOPI_DEAD_PERCENT_PRESSED;
	budget.small_max = SOPI_SMALL_PACKS_MAX_PRESSED;
	budget.small_kept = SOPI_SMALL_PACKS_MAX_PRESSED / 2;
	return budget;
}

/* What there is to choose from. */
struct candidates {
	size_t count;
	uint64_t total_bytes;
	uint64_t dead_bytes;
	size_t small_nodes; /* packs of nodes that are small, and so on: the two kinds never merge */
	size_t small_values;
};

/* Leaves those that may be rewritten: not one that is being written, and no value of its own file. */
static struct candidates keep_candidates(struct sopi_pack_entry *packs, size_t count, uint64_t below)
{
	struct candidates found = { .count = 0 };

	for (size_t i = 0; i < count; i++) {
		if (packs[i].writing || packs[i].live_bytes == 0 ||
		    packs[i].kind == SOPI_PACK_VALUE || (below != 0 && packs[i].id >= below))
			continue;
		found.total_bytes += packs[i].total_bytes;
		found.dead_bytes += dead_bytes(&packs[i]);
		if (is_small(&packs[i]))
			*(packs[i].kind == SOPI_PACK_NODES ? &found.small_nodes
							   : &found.small_values) += 1;
		packs[found.count++] = packs[i];
	}
	return found;
}

/* Is this pack to be merged with others of its kind? */
static bool merges(const struct candidates *found, const struct budget *budget,
		   const struct sopi_pack_entry *pack, size_t merged)
{
	const size_t alike = pack->kind == SOPI_PACK_NODES ? found->small_nodes : found->small_values;
	const size_t all = found->small_nodes + found->small_values;
	const bool thoroughly = budget->below != 0;

	return is_small(pack) && ((all > budget->small_max && all - merged > budget->small_kept) ||
				  (thoroughly && alike > 1));
}

/* Chooses the packs to rewrite: they come to the front of the list; returns how many. */
static size_t choose(struct sopi_pack_entry *packs, size_t count, const struct budget *budget)
{
	const struct candidates found = keep_candidates(packs, count, budget->below);
	const bool thoroughly = budget->below != 0;
	const bool enough_dead = found.dead_bytes * 100 > found.total_bytes * budget->dead_percent;
	uint64_t dead = found.dead_bytes, rewritten = 0;
	size_t chosen = 0, merged = 0;

	qsort(packs, found.count, sizeof *packs, compare_packs);
	for (size_t i = 0; i < found.count && rewritten < budget->bytes; i++) {
		const bool mostly_dead = dead_bytes(&packs[i]) * 100 >
					 packs[i].total_bytes * THOROUGH_DEAD_PERCENT;
		const bool dead_matter =
			thoroughly ||
			(enough_dead && dead * 100 > found.total_bytes * (budget->dead_percent / 2));

		if (!merges(&found, budget, &packs[i], merged) && !(mostly_dead && dead_matter))
			continue;
		merged += is_small(&packs[i]) ? 1 : 0;
		dead -= dead_bytes(&packs[i]);
		rewritten += packs[i].live_bytes;
		packs[chosen++] = packs[i];
	}
	return chosen;
}

/* ---- rewriting ----------------------------------------------------------------------------------- */

/* Where living blobs go. */
struct rewriting {
	struct sopi_inredfs *fs;
	const struct sopi_registry_entry *skip;
	size_t skip_count;
	struct sopi_pack *nodes; /* NULL: not begun */
	struct sopi_pack *values;
	struct sopi_registry_entry *blobs; /* of one pack: keys and places */
	size_t blob_count;
	size_t blob_capacity;
	sop_buf room;
};

static sop_status list_blob(void *arg, uint64_t key, const struct sopi_place *place, sop_error *err)
{
	struct rewriting *r = arg;

	SOP_TRY(sopi_grow(&r->blobs, r->blob_count, &r->blob_capacity, sizeof *r->blobs, err));
	r->blobs[r->blob_count++] = sopi_entry_of_place(key, place, 0);
	return SOP_OK;
}

static sop_status read_node(struct rewriting *r, const struct sopi_registry_entry *entry, sop_error *err)
{
	const struct sopi_place place = sopi_place_of_entry(entry);
	char path[SOPI_PATH_BYTES_MAX + 1];
	const struct sopi_page_origin from = { path, (int64_t)place.offset };

	r->room.size = 0;
	sopi_packs_path(r->fs->packs, place.pack, path);
	SOP_TRY(sopi_packs_read(r->fs->packs, &place, &r->room, err));
	return sopi_page_verify((sop_bytes){ r->room.data, r->room.size }, NULL, &from, err);
}

/* Writes one living blob again. */
static sop_status rewrite_blob(struct rewriting *r, const struct sopi_registry_entry *entry,
			       sop_error *err)
{
	const bool is_node = sopi_registry_kind(entry->key) != SOPI_KEY_VALUE;
	const struct sopi_place place = sopi_place_of_entry(entry);
	struct sopi_pack **pack = is_node ? &r->nodes : &r->values;
	struct sopi_registry_entry moved;
	struct sopi_place to;

	SOP_TRY(is_node ? read_node(r, entry, err)
			: sopi_packs_read_value(r->fs->packs, entry->key, &place, &r->room, err));
	if (*pack != NULL && sopi_pack_bytes(*pack) >= SOPI_NODE_PACK_BYTES) {
		struct sopi_pack *full = *pack;

		*pack = NULL;
		SOP_TRY(sopi_pack_finish(full, err));
	}
	if (*pack == NULL)
		SOP_TRY(sopi_pack_begin(r->fs->packs, is_node ? SOPI_PACK_NODES : SOPI_PACK_VALUES,
					0, pack, err));
	SOP_TRY(sopi_pack_append(*pack, entry->key, (sop_bytes){ r->room.data, r->room.size }, &to, err));
	moved = sopi_entry_of_place(entry->key, &to, entry->words[3]);
	r->fs->rewritten++;
	return sopi_extra_add(r->fs, &moved, err);
}

static sop_status rewrite_pack(struct rewriting *r, uint64_t id, sop_error *err)
{
	r->blob_count = 0;
	SOP_TRY(sopi_packs_each(r->fs->packs, id, list_blob, r, err));
	for (size_t i = 0; i < r->blob_count; i++) {
		const struct sopi_place place = sopi_place_of_entry(&r->blobs[i]);
		struct sopi_registry_entry entry;
		sop_status status;

		if (sopi_entry_find(r->skip, r->skip_count, r->blobs[i].key) < r->skip_count)
			continue; /* the checkpoint writes it anew, or takes it out */
		status = sopi_registry_find(r->fs->registry, r->blobs[i].key, &entry, err);
		if (status == SOP_NOT_FOUND)
			continue;
		SOP_TRY(status);
		if (entry.words[0] == place.pack && entry.words[1] == place.offset)
			SOP_TRY(rewrite_blob(r, &entry, err));
	}
	return SOP_OK;
}

/* A pack that is damaged stays as it is: what is whole in it can be read, and verify names the rest. */
static sop_status rewrite_packs(struct rewriting *r, const struct sopi_pack_entry *packs,
				size_t count, sop_error *err)
{
	for (size_t i = 0; i < count; i++) {
		const size_t before = r->fs->extra_count;
		const uint64_t rewritten = r->fs->rewritten;
		const sop_status status = rewrite_pack(r, packs[i].id, err);

		if (status == SOP_CORRUPT || status == SOP_UNSUPPORTED) {
			r->fs->extra_count = before;
			r->fs->rewritten = rewritten; /* else gc would try for ever */
		} else {
			SOP_TRY(status);
		}
	}
	return SOP_OK;
}

static sop_status end_pack(struct sopi_pack *pack, sop_status status, sop_error *err)
{
	if (pack == NULL)
		return status;
	if (status == SOP_OK)
		return sopi_pack_finish(pack, err);
	sopi_pack_abandon(pack);
	return status;
}

void sopi_remove_copies(struct sopi_inredfs *fs, uint64_t first)
{
	struct sopi_pack_entry *packs = NULL;
	size_t count = 0;

	if (sopi_packs_list(fs->packs, &packs, &count, NULL) != SOP_OK)
		return; /* the next checkpoint removes them */
	for (size_t i = 0; i < count; i++) {
		if (packs[i].id >= first && !packs[i].writing && packs[i].live_bytes == 0)
			sopi_packs_remove(fs->packs, packs[i].id);
	}
	sopi_free(packs);
}

sop_status sopi_compact(struct sopi_inredfs *fs, const struct sopi_registry_entry *skip,
			size_t count, const struct sopi_checkpoint_how *how, sop_error *err)
{
	struct rewriting r = { .fs = fs, .skip = skip, .skip_count = count };
	const struct budget budget = budget_of(fs, skip, count, how->compact_below);
	const uint64_t first = sopi_packs_next_id(fs->packs);
	struct sopi_pack_entry *packs = NULL;
	size_t pack_count = 0;
	sop_status status;

	SOP_TRY(sopi_packs_list(fs->packs, &packs, &pack_count, err));
	pack_count = choose(packs, pack_count, &budget);
	if (how->sparing && pack_count > 1)
		pack_count = 1;
	status = rewrite_packs(&r, packs, pack_count, err);
	status = end_pack(r.nodes, status, err);
	status = end_pack(r.values, status, err);
	if (status == SOP_NO_SPACE)
		sopi_remove_copies(fs, first);
	sopi_free(packs);
	sopi_free(r.blobs);
	sop_buf_free(&r.room);
	return status;
}

/* ---- dropped stores ------------------------------------------------------------------------------ */

/* Nodes that are still to be visited. */
struct visiting {
	struct sopi_inredfs *fs;
	uint64_t *nodes;
	size_t count;
	size_t capacity;
};

static sop_status remove_key(struct sopi_inredfs *fs, uint64_t key, sop_error *err)
{
	const struct sopi_registry_entry entry = { .key = key, .removed = true };

	return sopi_extra_add(fs, &entry, err);
}

static sop_status visit_later(void *arg, bool is_value, uint64_t id, sop_error *err)
{
	struct visiting *visiting = arg;

	if (is_value)
		return remove_key(visiting->fs, sopi_registry_key(SOPI_KEY_VALUE, id), err);
	SOP_TRY(sopi_grow(&visiting->nodes, visiting->count, &visiting->capacity, sizeof id, err));
	visiting->nodes[visiting->count++] = id;
	return SOP_OK;
}

/* Takes one node out, and finds what it names. */
static sop_status visit(struct visiting *visiting, uint64_t store, uint64_t vid,
			struct sopi_node_pages *pages, sop_error *err)
{
	struct sopi_inredfs *fs = visiting->fs;
	sop_status status = sopi_node_pages_find(fs->registry, store, vid, pages, err);

	if (status == SOP_NOT_FOUND)
		return SOP_OK; /* it has never been on disk */
	SOP_TRY(status);
	SOP_TRY(remove_key(fs, vid, err));
	if (pages->patched)
		SOP_TRY(remove_key(fs, sopi_registry_key(SOPI_KEY_PATCH, vid), err));
	status = sopi_node_pages_read(fs->packs, pages, err);
	if (status == SOP_OK)
		status = sopi_node_pages_references(pages, visit_later, visiting, err);
	/* What a damaged node named stays behind; verify tells of it. */
	return status == SOP_CORRUPT || status == SOP_UNSUPPORTED ? SOP_OK : status;
}

sop_status sopi_compact_store(struct sopi_inredfs *fs, uint64_t store, uint64_t root, sop_error *err)
{
	struct visiting visiting = { .fs = fs };
	const size_t before = fs->extra_count;
	struct sopi_node_pages pages = { .page = SOP_BUF_INIT, .patch = SOP_BUF_INIT };
	sop_status status = visit_later(&visiting, false, root, err);

	while (visiting.count > 0 && status == SOP_OK) {
		const uint64_t vid = visiting.nodes[--visiting.count];

		status = visit(&visiting, store, vid, &pages, err);
	}
	if (status == SOP_OK)
		status = remove_key(fs, sopi_registry_key(SOPI_KEY_STORE, store), err);
	if (status != SOP_OK)
		fs->extra_count = before; /* all of it again next time */
	sopi_free(visiting.nodes);
	sopi_node_pages_free(&pages);
	return status;
}
