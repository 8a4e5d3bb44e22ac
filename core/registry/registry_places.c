/* Lines in sets of four. Consecutive nodes share a set, so that a small database touches little of the table. */
#include "registry/registry_places.h"

#include "base/alloc.h"
#include "platform/thread.h"

#include <string.h>

enum {
	WAYS = 4, /* lines of a set */
	PARTS = 64, /* of the sets, each under a mutex: threads meet rarely */
};

/* Where one page lies. */
struct spot {
	uint64_t pack;
	uint32_t offset;
	uint32_t length;
	uint64_t position;
};

/* One node. */
struct line {
	uint64_t vid;
	struct spot page;
	struct spot patch;
	bool taken; /* else free */
	bool patched;
	bool used; /* since it was last passed over */
};

_Static_assert(sizeof(struct line) == 64, "one line of a processor's cache");

struct part {
	_Alignas(64) sopi_mutex mutex; /* guards the lines of its sets; leaf of the lock order */
	uint64_t taken;
};

struct sopi_places {
	struct part parts[PARTS];
	struct line *lines;
	size_t set_count;
};

sop_status sopi_places_new(size_t bytes, struct sopi_places **out, sop_error *err)
{
	const size_t sets = bytes / (sizeof(struct line) * WAYS);
	struct sopi_places *places = NULL;
	void *memory = NULL;

	SOP_TRY(sopi_alloc_aligned(64, sizeof *places, &memory, err));
	places = memory;
	memset(places, 0, sizeof *places);
	for (size_t i = 0; i < PARTS; i++)
		sopi_mutex_init(&places->parts[i].mutex);
	if (sets > 0) { /* untouched until it is used */
		const sop_status status = sopi_alloc_zeroed(sets * WAYS * sizeof *places->lines,
							    (void **)&places->lines, err);

		if (status != SOP_OK) {
			sopi_places_free(places);
			return status;
		}
	}
	places->set_count = sets;
	*out = places;
	return SOP_OK;
}

void sopi_places_free(struct sopi_places *places)
{
	if (places == NULL)
		return;
	for (size_t i = 0; i < PARTS; i++)
		sopi_mutex_destroy(&places->parts[i].mutex);
	sopi_free(places->lines);
	sopi_free(places);
}

static size_t set_of(const struct sopi_places *places, uint64_t vid)
{
	return (size_t)(vid / WAYS % places->set_count);
}

static struct part *part_of(struct sopi_places *places, size_t set)
{
	return &places->parts[set % PARTS];
}

/* The lines of a node's set, beginning with the one that it has if it was free: nobody has looked at them for long, and each
 * is another line of the processor's cache. */
static struct line *way(const struct sopi_places *places, size_t set, uint64_t vid, size_t i)
{
	return places->lines + set * WAYS + (size_t)(vid + i) % WAYS;
}

/* NULL: the node has no line. */
static struct line *find_locked(const struct sopi_places *places, size_t set, uint64_t vid)
{
	for (size_t i = 0; i < WAYS; i++) {
		struct line *line = way(places, set, vid, i);

		if (line->taken && line->vid == vid)
			return line;
	}
	return NULL;
}

static struct spot spot_of(const struct sopi_registry_entry *entry)
{
	return (struct spot){ entry->words[0], (uint32_t)entry->words[1], (uint32_t)entry->words[2],
			      entry->words[3] };
}

static struct sopi_registry_entry entry_of(uint64_t key, const struct spot *spot)
{
	return (struct sopi_registry_entry){
		key, false, { spot->pack, spot->offset, spot->length, spot->position }
	};
}

bool sopi_places_find(struct sopi_places *places, uint64_t vid, struct sopi_node_entries *entries)
{
	const uint64_t patch_key = sopi_registry_key(SOPI_KEY_PATCH, vid);
	struct line *line;
	struct part *part;
	size_t set;

	if (places->set_count == 0)
		return false;
	set = set_of(places, vid);
	part = part_of(places, set);
	sopi_mutex_lock(&part->mutex);
	line = find_locked(places, set, vid);
	if (line != NULL) {
		line->used = true;
		entries->page = entry_of(vid, &line->page);
		entries->patch = entry_of(patch_key, &line->patch);
		entries->patch.removed = !line->patched;
	}
	sopi_mutex_unlock(&part->mutex);
	return line != NULL;
}

/* The line that is to be used next: free, or not asked for since it was passed over. */
static struct line *victim_locked(const struct sopi_places *places, size_t set, uint64_t vid)
{
	for (size_t i = 0; i < WAYS; i++) {
		struct line *line = way(places, set, vid, i);

		if (!line->taken)
			return line;
	}
	for (size_t i = 0; i < WAYS; i++) {
		struct line *line = way(places, set, vid, i);

		if (!line->used)
			return line;
		line->used = false;
	}
	return way(places, set, vid, 0);
}

void sopi_places_note(struct sopi_places *places, const struct sopi_node_entries *entries,
		      const _Atomic uint64_t *current, uint64_t number)
{
	const uint64_t vid = entries->page.key;
	struct line *line;
	struct part *part;
	size_t set;

	if (places->set_count == 0)
		return;
	set = set_of(places, vid);
	part = part_of(places, set);
	sopi_mutex_lock(&part->mutex);
	/* Asked under the lock: a change that comes after it finds the line. */
	if (atomic_load(current) == number && find_locked(places, set, vid) == NULL) {
		line = victim_locked(places, set, vid);
		part->taken += line->taken ? 0 : 1;
		*line = (struct line){ .vid = vid,
				       .page = spot_of(&entries->page),
				       .patch = spot_of(&entries->patch),
				       .taken = true,
				       .patched = !entries->patch.removed };
	}
	sopi_mutex_unlock(&part->mutex);
}

void sopi_places_change(struct sopi_places *places, const struct sopi_registry_entry *entry)
{
	const enum sopi_key_kind kind = sopi_registry_kind(entry->key);
	const uint64_t vid = sopi_registry_id(entry->key);
	struct line *line;
	struct part *part;
	size_t set;

	if (places->set_count == 0 || (kind != SOPI_KEY_NODE && kind != SOPI_KEY_PATCH))
		return;
	set = set_of(places, vid);
	part = part_of(places, set);
	sopi_mutex_lock(&part->mutex);
	line = find_locked(places, set, vid);
	if (line != NULL && kind == SOPI_KEY_PATCH) {
		line->patched = !entry->removed;
		line->patch = spot_of(entry);
	} else if (line != NULL && entry->removed) {
		line->taken = false;
		part->taken--;
	} else if (line != NULL) {
		line->page = spot_of(entry);
	}
	sopi_mutex_unlock(&part->mutex);
}

uint64_t sopi_places_bytes(struct sopi_places *places)
{
	uint64_t taken = 0;

	for (size_t i = 0; i < PARTS; i++) {
		sopi_mutex_lock(&places->parts[i].mutex);
		taken += places->parts[i].taken;
		sopi_mutex_unlock(&places->parts[i].mutex);
	}
	return taken * sizeof(struct line);
}
