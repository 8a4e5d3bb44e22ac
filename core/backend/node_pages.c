/* A node as it is on disk: its page and, if it has one, the patch. For the forest, and for those who only look at what it
 * names. */
#include "backend/inredfs.h"

#include "base/buffer.h"
#include "btree/resident.h"

enum {
	LOOKS_MAX = 16, /* for a node that compaction moves again and again */
	AHEAD_BYTES_MAX = 64 << 10, /* of nodes that come with one read */
	GAP_BYTES_MAX = 4 << 10, /* between two of them, of what is read for nothing */
};

sop_status sopi_node_pages_find(struct sopi_registry *registry, uint64_t store, uint64_t vid,
				struct sopi_node_pages *pages, sop_error *err)
{
	struct sopi_node_entries entries;

	SOP_TRY(sopi_registry_find_node(registry, vid, &entries, err));
	pages->id = (struct sopi_page_id){ vid, store, entries.page.words[3], 0 };
	pages->place = sopi_place_of_entry(&entries.page);
	pages->patched = !entries.patch.removed;
	if (!pages->patched)
		return SOP_OK;
	pages->patch_position = entries.patch.words[3];
	pages->patch_place = sopi_place_of_entry(&entries.patch);
	return SOP_OK;
}

sop_status sopi_node_pages_read(struct sopi_packs *packs, struct sopi_node_pages *pages, sop_error *err)
{
	pages->page.size = 0;
	pages->patch.size = 0;
	sopi_packs_path(packs, pages->place.pack, pages->file);
	SOP_TRY(sopi_packs_read(packs, &pages->place, &pages->page, err));
	if (!pages->patched)
		return SOP_OK;
	sopi_packs_path(packs, pages->patch_place.pack, pages->patch_file);
	return sopi_packs_read(packs, &pages->patch_place, &pages->patch, err);
}

sop_status sopi_node_pages_references(const struct sopi_node_pages *pages,
				      sopi_page_reference_fn fn, void *arg, sop_error *err)
{
	const struct sopi_page_origin from = { pages->file, (int64_t)pages->place.offset };
	const struct sopi_page_patch patch = {
		{ pages->patch.data, pages->patch.size },
		pages->patch_position,
		{ pages->patch_file, (int64_t)pages->patch_place.offset },
	};

	return sopi_page_references((sop_bytes){ pages->page.data, pages->page.size }, &pages->id,
				    &from, &patch, fn, arg, err);
}

void sopi_node_pages_free(struct sopi_node_pages *pages)
{
	sop_buf_free(&pages->page);
	sop_buf_free(&pages->patch);
}

/* ---- for the forest ------------------------------------------------------------------------------ */

static void note_page(struct sopi_node_read *node, const struct sopi_registry_entry *entry)
{
	node->pack = entry->words[0];
	node->offset = (int64_t)entry->words[1];
	node->position = entry->words[3];
	node->page.size = (size_t)entry->words[2];
	node->patch = (sop_bytes){ NULL, 0 };
	node->patch_pack = 0;
	node->patch_offset = -1;
	node->patch_position = 0;
}

/* How many of the nodes lie one behind the other, without patches, so that one read brings them; `first` is where the first
 * one is. */
static size_t adjacent(struct sopi_inredfs *fs, struct sopi_node_read *nodes, size_t count,
		       const struct sopi_registry_entry *first)
{
	uint64_t end = first->words[1] + first->words[2];
	size_t n = 1;

	for (; n < count; n++) {
		struct sopi_node_entries next;

		if (sopi_registry_find_node(fs->registry, nodes[n].vid, &next, NULL) != SOP_OK ||
		    !next.patch.removed || next.page.words[0] != first->words[0] ||
		    next.page.words[1] < end || next.page.words[1] - end > GAP_BYTES_MAX ||
		    next.page.words[1] + next.page.words[2] - first->words[1] > AHEAD_BYTES_MAX)
			break;
		end = next.page.words[1] + next.page.words[2];
		note_page(&nodes[n], &next.page);
	}
	return n;
}

/* Reads `*got` nodes at once; or the first one alone, if there is not memory for all or something is wrong, which then is told
 * of the one that it is wrong with. */
static sop_status read_pages(struct sopi_inredfs *fs, struct sopi_node_read *nodes, size_t *got,
			     sop_buf *room, sop_error *err)
{
	const struct sopi_node_read *last = &nodes[*got - 1];
	struct sopi_place place = { nodes[0].pack, (uint64_t)nodes[0].offset, nodes[0].page.size };

	room->size = 0;
	if (*got > 1) {
		place.length = (uint64_t)(last->offset - nodes[0].offset) + last->page.size;
		if (sopi_packs_read_more(fs->packs, &place, room, NULL) == SOP_OK)
			return SOP_OK;
		*got = 1;
		place.length = nodes[0].page.size;
	}
	return sopi_packs_read_more(fs->packs, &place, room, err);
}

/* Reads the patch of a node behind its page. */
static sop_status read_patch(struct sopi_inredfs *fs, struct sopi_node_read *node,
			     const struct sopi_registry_entry *entry, sop_buf *room, sop_error *err)
{
	const struct sopi_place place = sopi_place_of_entry(entry);

	node->patch_pack = place.pack;
	node->patch_offset = (int64_t)place.offset;
	node->patch_position = entry->words[3];
	SOP_TRY(sopi_packs_read_more(fs->packs, &place, room, err));
	node->patch.size = (size_t)place.length;
	return SOP_OK;
}

/* Reads the first node as the registry has it, and others with it. NOT_FOUND: it has moved meanwhile. */
static sop_status bring(struct sopi_inredfs *fs, struct sopi_node_read *nodes, size_t count,
			const struct sopi_node_entries *first, sop_buf *room, size_t *got, sop_error *err)
{
	note_page(&nodes[0], &first->page);
	*got = first->patch.removed ? adjacent(fs, nodes, count, &first->page) : 1;
	SOP_TRY(read_pages(fs, nodes, got, room, err));
	if (!first->patch.removed)
		SOP_TRY(read_patch(fs, &nodes[0], &first->patch, room, err));
	for (size_t i = 0; i < *got; i++) /* the buffer stays where it is now */
		nodes[i].page.data = (const uint8_t *)room->data + (nodes[i].offset - nodes[0].offset);
	nodes[0].patch.data = (const uint8_t *)room->data + nodes[0].page.size;
	return SOP_OK;
}

sop_status sopi_node_pages_bring(void *arg, struct sopi_node_read *nodes, size_t count,
				 sop_buf *room, size_t *got, sop_error *err)
{
	const unsigned long long vid = nodes[0].vid;
	struct sopi_node_entries first;
	struct sopi_inredfs *fs = arg;
	sop_status status = SOP_NOT_FOUND;

	for (int looks = 0; status == SOP_NOT_FOUND && looks < LOOKS_MAX; looks++) {
		status = sopi_registry_find_node(fs->registry, nodes[0].vid, &first, err);
		if (status == SOP_NOT_FOUND)
			return sopi_fail(err, SOP_CORRUPT,
					 "node %llu is named by its parent, but the registry lacks it",
					 vid);
		SOP_TRY(status);
		status = bring(fs, nodes, count, &first, room, got, err);
	}
	if (status == SOP_NOT_FOUND)
		return sopi_fail(err, SOP_CORRUPT, "the pack of node %llu, %016llx or %016llx, is missing",
				 vid, (unsigned long long)first.page.words[0],
				 (unsigned long long)first.patch.words[0]);
	return status;
}
