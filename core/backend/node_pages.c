/* A node as it is on disk: its page and, if it has one, the patch. For those who only look at what it names. */
#include "backend/inredfs.h"

#include "base/buffer.h"

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
